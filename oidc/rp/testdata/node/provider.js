// An OpenID provider on oidc-provider, over TLS with client certificates. It reads one JSON object on standard input: certificate,
// key and authorities in PEM, its key set, and its clients; it prints "listening PORT" and ends when standard input does.
// Commands on later lines: "confirm ID" and "deny ID" answer a CIBA request in the place of the person; answered by "done".
import { createRequire } from 'node:module';
import { createServer } from 'node:https';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { X509Certificate } from 'node:crypto';

const require = createRequire(process.env.PROVIDER_MODULES + '/');
const { Provider, errors } = await import(pathToFileURL(require.resolve('oidc-provider')).href);

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const settings = JSON.parse((await lines.next()).value);

console.info = console.error; // what the library says by the way is no answer
let handler;
const server = createServer({
  cert: settings.certificate, key: settings.key, ca: settings.authorities, requestCert: true, rejectUnauthorized: false,
}, (request, response) => handler(request, response));
await new Promise((resolve) => { server.listen(settings.port ?? 0, '127.0.0.1', resolve); });
const issuer = settings.issuer ?? `https://127.0.0.1:${server.address().port}`;

const pem = (ctx) => {
  const raw = ctx.socket.getPeerCertificate()?.raw;
  return raw && new X509Certificate(raw).toString();
};

const requests = new Map(); // auth_req_id of CIBA
const provider = new Provider(issuer, {
  clients: settings.clients,
  jwks: settings.jwks,
  cookies: { keys: ['a key of the tests'] },
  scopes: ['openid', 'offline_access', 'scope_all'],
  claims: { openid: ['sub', 'acr', 'amr', 'auth_time'], scope_all: Object.keys(settings.claims) },
  acrValues: ['eidas1'],
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth'],
  enabledJWA: {
    idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'],
    userinfoSigningAlgValues: ['RS256', 'PS256', 'ES256'],
    clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256'],
  },
  findAccount: (ctx, id) => (id === 'nobody' ? undefined : { accountId: id, claims: async () => ({ sub: id, ...settings.claims }) }),
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options), // its guard against private addresses would refuse loopback
  features: {
    devInteractions: { enabled: true },
    jwtUserinfo: { enabled: true },
    encryption: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    backchannelLogout: { enabled: true },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      tlsClientAuth: true,
      selfSignedTlsClientAuth: true,
      getCertificate: pem,
      certificateAuthorized: (ctx) => ctx.socket.authorized,
      certificateSubjectMatches: (ctx, property, expected) => property === 'tls_client_auth_subject_dn'
        && new X509Certificate(pem(ctx)).subject.split('\n').reverse().join(',') === expected,
    },
    ciba: {
      enabled: true,
      deliveryModes: ['poll'],
      processLoginHint: async (ctx, hint) => hint,
      verifyUserCode: async () => {},
      validateRequestContext: async () => {},
      triggerAuthenticationDevice: async (ctx, request) => { requests.set(request.jti, request); },
    },
  },
});
provider.on('server_error', (ctx, error) => console.error(error));
provider.on('backchannel.error', (ctx, error) => console.error(error));
handler = provider.callback();
console.log(`listening ${server.address().port}`);

for await (const line of lines) {
  const [command, id] = line.split(' ');
  const request = requests.get(id);
  if (command === 'confirm') {
    const grant = new provider.Grant({ accountId: request.accountId, clientId: request.clientId });
    grant.addOIDCScope('openid scope_all');
    await grant.save();
    await provider.backchannelResult(request, grant, { acr: 'eidas1', amr: ['sc', 'pin'], authTime: Math.floor(Date.now() / 1000) });
  } else {
    await provider.backchannelResult(request, new errors.AccessDenied());
  }
  console.log('done');
}
server.closeAllConnections();
server.close();
