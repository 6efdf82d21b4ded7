"use strict";
// provider.js provide AUTHORITY SERVICE…: a service that verifies its callers by xml-crypto. node-soap's server verifies no signature.
// See the package comment of interop.

const crypto = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");
const w = require("./wire.js");

const [authority, ...services] = process.argv.slice(3).map((file) => new crypto.X509Certificate(fs.readFileSync(file)));

function demand(good, why) {
  if (!good) throw new w.Refused(why);
}

function valid(certificate, now) {
  return Date.parse(certificate.validFrom) <= now && now <= Date.parse(certificate.validTo);
}

// holder is the certificate of the holder of a good assertion.
function holder(assertion, now) {
  const window = w.child(assertion, w.NS.saml, "Conditions");
  demand(window && Date.parse(window.getAttribute("NotBefore")) <= now && now < Date.parse(window.getAttribute("NotOnOrAfter")), "assertion expired");
  const issuer = w.certificate(w.child(assertion, w.NS.ds, "Signature"));
  const service = services.find((s) => s.raw.equals(issuer));
  demand(service, "sts untrusted");
  w.verifyAssertion(assertion, service.publicKey);
  const subject = w.child(w.child(assertion, w.NS.saml, "AuthenticationStatement"), w.NS.saml, "Subject");
  const confirmation = w.child(subject, w.NS.saml, "SubjectConfirmation");
  demand(w.text(w.child(confirmation, w.NS.saml, "ConfirmationMethod")) === "urn:oasis:names:tc:SAML:1.0:cm:holder-of-key", "holder untrusted");
  const certificate = new crypto.X509Certificate(w.certificate(confirmation));
  demand(certificate.checkIssued(authority) && certificate.verify(authority.publicKey) && valid(certificate, now), "holder untrusted");
  return certificate;
}

// admit gives the assertion of the caller.
function admit(message) {
  const now = Date.now();
  const envelope = w.parse(message).documentElement;
  const body = w.child(envelope, w.NS.soap, "Body");
  const security = w.child(w.child(envelope, w.NS.soap, "Header"), w.NS.wsse, "Security");
  const timestamp = w.child(security, w.NS.wsu, "Timestamp");
  const created = Date.parse(w.text(w.child(timestamp, w.NS.wsu, "Created")));
  demand(created <= now + 60e3 && Date.parse(w.text(w.child(timestamp, w.NS.wsu, "Expires"))) > now, "timestamp");
  const assertion = w.child(security, w.NS.saml, "Assertion");
  demand(assertion, "assertion signature");
  const certificate = holder(assertion, now);
  const signature = w.child(security, w.NS.ds, "Signature");
  const reference = w.child(w.child(signature, w.NS.ds, "KeyInfo"), w.NS.wsse, "SecurityTokenReference");
  demand(body && w.text(w.child(reference, w.NS.wsse, "KeyIdentifier")) === assertion.getAttribute("AssertionID"), "message signature");
  const ids = [body, timestamp].map((e) => e.getAttributeNS(w.NS.wsu, "Id"));
  w.verify(message, signature, certificate.publicKey, "Id", ids, "message signature");
  return assertion;
}

function answer(message) {
  try {
    return [200, `<s:Answer xmlns:s="urn:sceau:interop"><s:Doctor>${w.doctor(admit(message)) === "true"}</s:Doctor></s:Answer>`];
  } catch (error) {
    if (!(error instanceof w.Refused)) console.error(error);
    const why = error instanceof w.Refused ? error.message : "failure";
    return [500, `<soapenv:Fault><faultcode>soapenv:Client</faultcode><faultstring>${why}</faultstring></soapenv:Fault>`];
  }
}

const server = http.createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const [status, content] = answer(Buffer.concat(parts).toString("utf8"));
  response.writeHead(status, { "Content-Type": "text/xml; charset=utf-8" });
  response.end(`<soapenv:Envelope xmlns:soapenv="${w.NS.soap}"><soapenv:Body>${content}</soapenv:Body></soapenv:Envelope>`);
});
server.listen(0, "127.0.0.1", () => console.log(`listening ${server.address().port}`));
process.stdin.on("end", () => process.exit(0)).resume();
