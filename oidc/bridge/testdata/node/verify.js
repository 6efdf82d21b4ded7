// Verifies a token on standard input with a key set, as a resource server does (RFC 9068, RFC 8705): {token, jwks, issuer, audience, typ, now,
// thumbprint}. Writes the claims, or why not.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(process.env.BRIDGE_MODULES + "/package.json");
const { createLocalJWKSet, jwtVerify } = await import(pathToFileURL(require.resolve("jose")));

let text = "";
for await (const chunk of process.stdin) text += chunk;
const ask = JSON.parse(text);
try {
  const { payload, protectedHeader } = await jwtVerify(ask.token, createLocalJWKSet(ask.jwks), {
    issuer: ask.issuer, audience: ask.audience, typ: ask.typ, currentDate: new Date(ask.now), requiredClaims: ["sub", "jti", "cnf"],
  });
  if (payload.cnf["x5t#S256"] !== ask.thumbprint) throw new Error("cnf is of another certificate");
  process.stdout.write(JSON.stringify({ payload, header: protectedHeader }));
} catch (e) {
  process.stdout.write(JSON.stringify({ error: String(e.message) }));
}
