"use strict";
// consumer.js TEMPLATE WSDL: asks for tokens and calls with them, by soap and xml-crypto. See the package comment of interop for commands.

const crypto = require("node:crypto");
const fs = require("node:fs");
const readline = require("node:readline");
const w = require("./wire.js");
const soap = w.load("soap");

const template = fs.readFileSync(process.argv[2], "utf8").trim();
const clients = new Map();

function client(wsdl) {
  if (!clients.has(wsdl)) clients.set(wsdl, soap.createClientAsync(wsdl));
  return clients.get(wsdl);
}

class Credential {
  constructor(base) {
    this.key = fs.readFileSync(base + ".key", "utf8");
    this.pem = fs.readFileSync(base + ".pem", "utf8");
    this.certificate = new crypto.X509Certificate(this.pem);
    this.base64 = this.certificate.raw.toString("base64");
    this.rsa = this.certificate.publicKey.asymmetricKeyType === "rsa";
    this.method = this.rsa ? w.RSA_SHA256 : w.ECDSA_SHA256;
  }
}

function escape(value) {
  return value.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}

// name is in the order of RFC 1779, with the names of OpenSSL: serialNumber=…, GN=…
function name(lines) {
  return escape(
    lines
      .split("\n")
      .reverse()
      .map((rdn) => rdn.replace(/^(\w+)=(.*[=,+].*)$/, '$1="$2"'))
      .join(", "),
  );
}

// query is the samlp:Request, signed by the holder where he is another than the identity.
function query(ssin, identity, holder) {
  const now = new Date();
  const values = {
    UUID: crypto.randomUUID(), NOW: now.toISOString(), END: new Date(now.getTime() + 8 * 3600e3).toISOString(), SSIN: ssin,
    SUBJECT: name(identity.certificate.subject), ISSUER: name(identity.certificate.issuer), HOLDER: holder.base64,
  };
  const request = template.replace(/\{(\w+)\}/g, (_, key) => values[key]);
  if (identity.base64 === holder.base64) return request;
  const signed = new w.SignedXml({
    privateKey: holder.key,
    signatureAlgorithm: holder.method,
    canonicalizationAlgorithm: w.EXCLUSIVE,
    idAttribute: "RequestID",
    getKeyInfoContent: () => `<X509Data><X509Certificate>${holder.base64}</X509Certificate></X509Data>`,
  });
  signed.SignatureAlgorithms[w.ECDSA_SHA256] = w.Ecdsa;
  signed.addReference({ xpath: "/*", transforms: [w.ENVELOPED, w.EXCLUSIVE], digestAlgorithm: w.SHA256 });
  signed.computeSignature(request, { location: { reference: "/*", action: "prepend" } });
  return signed.getSignedXml();
}

function timestamp(variant) {
  const created = new Date(Date.now() - (variant === "stale" ? 3600e3 : 0));
  return (
    `<wsu:Timestamp xmlns:wsu="${w.NS.wsu}" wsu:Id="TS-1"><wsu:Created>${created.toISOString()}</wsu:Created>` +
    `<wsu:Expires>${new Date(created.getTime() + 60e3).toISOString()}</wsu:Expires></wsu:Timestamp>`
  );
}

// certificateSecurity is node-soap's own, with the options that the wire needs: its own set of transforms has an
// enveloped-signature too many, it signs the token only when asked, and its identifiers are wsu:Id only when asked.
function certificateSecurity(identity, variant) {
  const options = {
    signatureTransformations: [w.EXCLUSIVE],
    additionalReferences: ["wsse:BinarySecurityToken"],
    signerOptions: { idMode: "wssecurity" },
  };
  if (!identity.rsa) options.signatureAlgorithm = identity.method;
  if (variant === "stock-transforms") delete options.signatureTransformations;
  if (variant === "token-unsigned") delete options.additionalReferences;
  if (variant === "stock-ids") delete options.signerOptions;
  if (variant === "body-unsigned") options.excludeReferencesFromSigning = ["Body"];
  if (variant === "stale") {
    // It has one Timestamp only: now, for ten minutes.
    options.hasTimeStamp = false;
    options.appendElement = timestamp(variant);
    options.additionalReferences.push("wsu:Timestamp");
  }
  const security = new soap.WSSecurityCert(identity.key, identity.pem, undefined, options);
  security.signer.SignatureAlgorithms[w.ECDSA_SHA256] = variant === "der" ? w.EcdsaDer : w.Ecdsa;
  if (variant === "inclusive") security.signer.inclusiveNamespacesPrefixList = ["soap"];
  return changing(security, variant, "</saml:AttributeValue>");
}

// changing changes the body after it was signed.
function changing(security, variant, place) {
  if (variant !== "changed-body") return security;
  return { addOptions() {}, toXML: () => "", postProcess: (xml, key) => security.postProcess(xml, key).replace(place, "1" + place) };
}

// AssertionSecurity is not in node-soap: the assertion, and a signature by its holder that refers to it.
class AssertionSecurity {
  constructor(assertion, holder, variant) {
    Object.assign(this, { assertion, holder, variant });
  }

  toXML() {
    return "";
  }

  postProcess(xml, envelope) {
    const id = w.parse(this.assertion).documentElement.getAttribute("AssertionID");
    const security = `<wsse:Security xmlns:wsse="${w.NS.wsse}" ${envelope}:mustUnderstand="1">${timestamp(this.variant)}${this.assertion}</wsse:Security>`;
    const at = xml.indexOf(`</${envelope}:Header>`);
    const signed = new w.SignedXml({
      privateKey: this.holder.key,
      signatureAlgorithm: this.holder.method,
      canonicalizationAlgorithm: w.EXCLUSIVE,
      idMode: "wssecurity",
      getKeyInfoContent: () =>
        `<wsse:SecurityTokenReference xmlns:wsse="${w.NS.wsse}"><wsse:KeyIdentifier ValueType="${w.ASSERTION_ID}">${id}</wsse:KeyIdentifier></wsse:SecurityTokenReference>`,
    });
    signed.SignatureAlgorithms[w.ECDSA_SHA256] = this.variant === "der" ? w.EcdsaDer : w.Ecdsa;
    const parts = [`/*/*[local-name(.)='Body']`, `/*/*/*/*[local-name(.)='Timestamp']`];
    for (const xpath of this.variant === "body-unsigned" ? parts.slice(1) : parts)
      signed.addReference({ xpath, transforms: [w.EXCLUSIVE], digestAlgorithm: w.SHA256, inclusiveNamespacesPrefixList: this.variant === "inclusive" ? ["soap"] : [] });
    signed.computeSignature(xml.slice(0, at) + security + xml.slice(at), { prefix: "ds", location: { reference: "//*[local-name(.)='Security']", action: "append" } });
    return signed.getSignedXml();
  }
}

async function token(url, ssin, identityPath, holderPath, out, variant) {
  const identity = new Credential(identityPath);
  const service = await client(url + "?wsdl");
  service.setSecurity(certificateSecurity(identity, variant));
  const [result, raw] = await service.RequestSecurityTokenAsync({ _xml: query(ssin, identity, new Credential(holderPath)) });
  if (!result.Assertion) return `status ${result.Status.StatusMessage}`;
  const assertion = /<Assertion [^]*<\/Assertion>/.exec(raw)[0];
  const element = w.parse(assertion).documentElement;
  w.verifyAssertion(element, new crypto.X509Certificate(w.certificate(w.child(element, w.NS.ds, "Signature"))).publicKey);
  fs.writeFileSync(out, assertion);
  const attribute = result.Assertion.AttributeStatement.Attribute.find((a) => a.attributes.AttributeName === w.DOCTOR);
  return `ok ${attribute.AttributeValue}`;
}

async function call(url, assertionFile, holder, variant) {
  const service = await client(process.argv[3]);
  service.setEndpoint(url);
  const security = new AssertionSecurity(fs.readFileSync(assertionFile, "utf8"), new Credential(holder), variant);
  service.setSecurity(changing(security, variant, "</t:Ask>"));
  const [, raw] = await service.AskAsync({ _xml: `<t:Ask xmlns:t="urn:sceau:interop">doctor?</t:Ask>` });
  const all = Array.from(w.parse(raw).getElementsByTagNameNS("urn:sceau:echo:1.0", "Attribute"));
  return `ok ${w.text(all.find((a) => a.getAttribute("Name") === w.DOCTOR))}`;
}

function fault(error) {
  if (!error.root) throw error;
  const { faultcode, detail } = error.root.Envelope.Body.Fault;
  return `fault ${faultcode.split(":").pop()} ${(detail.SystemError || detail.BusinessError).Code}`;
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [command, ...words] = line.split("\t");
    let reply;
    try {
      reply = await { token, call }[command](...words).catch(fault);
    } catch (error) {
      console.error(error);
      reply = `error ${String(error.message).split("\n")[0]}`;
    }
    console.log(reply);
  }
}

main();
