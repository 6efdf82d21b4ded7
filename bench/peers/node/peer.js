"use strict";
// peer.js DIR: the service on xml-crypto, xmldom and node's crypto. See ../README.md for the commands on standard input.

const crypto = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");
const { createRequire } = require("node:module");

// The libraries stand in the folder that npm was run in.
const load = createRequire(path.join(process.env.PEER_MODULES || __dirname, "package.json"));
const { DOMParser } = load("@xmldom/xmldom");
const { SignedXml } = load("xml-crypto");

const NS = {
  soap: "http://schemas.xmlsoap.org/soap/envelope/",
  wsse: "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
  wsu: "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
  ds: "http://www.w3.org/2000/09/xmldsig#",
  saml: "urn:oasis:names:tc:SAML:1.0:assertion",
  samlp: "urn:oasis:names:tc:SAML:1.0:protocol",
};
const EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED = NS.ds + "enveloped-signature";
const SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256";
const RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
const HOLDER_OF_KEY = "urn:oasis:names:tc:SAML:1.0:cm:holder-of-key";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const ASSERTION = "/*/*/*/*[local-name(.)='Assertion']"; // a path from the root costs less than a search

class Refused extends Error {}

// Ecdsa is what xml-crypto lacks.
class Ecdsa {
  getSignature(text, key) {
    return crypto.sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64");
  }
  verifySignature(text, key, value) {
    return crypto.verify("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }, Buffer.from(value, "base64"));
  }
  getAlgorithmName() {
    return ECDSA_SHA256;
  }
}

function child(parent, namespace, name) {
  for (let n = parent ? parent.firstChild : null; n; n = n.nextSibling)
    if (n.localName === name && n.namespaceURI === namespace) return n;
  return null;
}

function children(parent, name) {
  const found = [];
  for (let n = parent.firstChild; n; n = n.nextSibling) if (n.localName === name) found.push(n);
  return found;
}

function required(element, what) {
  if (!element) throw new Refused(`${what}: missing`);
  return element;
}

function text(element) {
  return required(element, "element").textContent;
}

function escape(value) {
  return value.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}

// A Trust is who is trusted in one role. Chains that were verified are kept, with a prepared key.
class Trust {
  constructor(dir, name, now) {
    const read = (file) => new crypto.X509Certificate(fs.readFileSync(path.join(dir, file)));
    this.root = read(`${name}-root.pem`);
    this.authority = read(`${name}-ca.pem`);
    this.now = now;
    this.kept = new Map();
    if (!this.issued(this.authority, this.root)) throw new Error(`${name}-ca.pem: not of ${name}-root.pem`);
  }

  issued(certificate, issuer) {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey) && this.valid(certificate) && issuer.ca;
  }

  valid(certificate) {
    return Date.parse(certificate.validFrom) <= this.now && this.now <= Date.parse(certificate.validTo);
  }

  verify(base64) {
    const der = Buffer.from(base64, "base64");
    const digest = crypto.createHash("sha256").update(der).digest("base64");
    let party = this.kept.get(digest);
    if (!party) {
      party = this.chain(der);
      this.kept.set(digest, party);
    }
    if (this.now < party.begin || this.now > party.end) throw new Refused("certificate: validity");
    return party;
  }

  chain(der) {
    let certificate;
    try {
      certificate = new crypto.X509Certificate(der);
    } catch {
      throw new Refused("certificate: not one");
    }
    if (!this.issued(certificate, this.authority) || !this.issued(this.authority, this.root)) throw new Refused("certificate: chain");
    if (!(certificate.keyUsage || []).includes(CLIENT_AUTH)) throw new Refused("certificate: usage");
    const ssin = /^serialNumber=(.*)$/m.exec(certificate.subject);
    return {
      key: certificate.publicKey,
      ssin: ssin ? ssin[1] : "",
      begin: Date.parse(certificate.validFrom),
      end: Date.parse(certificate.validTo),
    };
  }
}

// verify verifies a signature over exactly these elements, by their identifiers. xml-crypto
// takes the text of the message and parses it again.
function verify(message, signature, party, idAttribute, ids) {
  const signed = new SignedXml({ publicCert: party.key, getCertFromKeyInfo: () => null });
  signed.idAttributes = [idAttribute]; // it searches the message once for each name and reference
  signed.SignatureAlgorithms[ECDSA_SHA256] = Ecdsa;
  let good = false;
  try {
    signed.loadSignature(required(signature, "signature"));
    good = signed.checkSignature(message);
  } catch (error) {
    throw new Refused(`signature: ${error.message}`);
  }
  if (!good) throw new Refused("signature");
  const uris = signed.getReferences().map((reference) => reference.uri);
  if (uris.length !== ids.length || !ids.every((id) => id && uris.includes(`#${id}`))) throw new Refused("signature: references");
}

class Service {
  constructor(dir) {
    this.now = Number(fs.readFileSync(path.join(dir, "now"), "utf8")) * 1000;
    this.facts = new Map(fs.readFileSync(path.join(dir, "facts.tsv"), "utf8").trim().split("\n").map((line) => line.split("\t")));
    this.citizens = new Trust(dir, "citizen", this.now);
    this.platform = new Trust(dir, "ehealth", this.now);
    this.key = crypto.createPrivateKey(fs.readFileSync(path.join(dir, "sts.key")));
    this.method = this.key.asymmetricKeyType === "rsa" ? RSA_SHA256 : ECDSA_SHA256;
    this.certificate = fs.readFileSync(path.join(dir, "sts.der")).toString("base64");
    const fail = (what) => {
      throw new Refused(`not well-formed: ${what}`);
    };
    this.parser = new DOMParser({ errorHandler: { warning: fail, error: fail, fatalError: fail } });
  }

  answer(octets) {
    const message = octets.toString("utf8");
    const document = this.parser.parseFromString(message, "text/xml");
    if (document.doctype) throw new Refused("document type");
    const envelope = required(document.documentElement, "Envelope");
    const body = required(child(envelope, NS.soap, "Body"), "Body");
    const identity = this.header(message, envelope, body);
    return this.respond(message, required(child(body, NS.samlp, "Request"), "Request"), identity);
  }

  header(message, envelope, body) {
    const security = required(child(child(envelope, NS.soap, "Header"), NS.wsse, "Security"), "Security");
    const timestamp = required(child(security, NS.wsu, "Timestamp"), "Timestamp");
    const created = Date.parse(text(child(timestamp, NS.wsu, "Created")));
    const expires = Date.parse(text(child(timestamp, NS.wsu, "Expires")));
    if (!(created <= this.now + 60000 && expires > this.now - 60000)) throw new Refused("Timestamp: not fresh");
    const token = required(child(security, NS.wsse, "BinarySecurityToken"), "token");
    const identity = this.citizens.verify(token.textContent);
    const ids = [body, timestamp, token].map((e) => e.getAttributeNS(NS.wsu, "Id"));
    verify(message, child(security, NS.ds, "Signature"), identity, "Id", ids);
    return identity;
  }

  respond(message, request, identity) {
    const query = required(child(request, NS.samlp, "AttributeQuery"), "AttributeQuery");
    const subject = required(child(query, NS.saml, "Subject"), "Subject");
    const confirmation = child(subject, NS.saml, "SubjectConfirmation");
    if (text(child(confirmation, NS.saml, "ConfirmationMethod")) !== HOLDER_OF_KEY) throw new Refused("ConfirmationMethod");
    const holder = text(child(child(child(confirmation, NS.ds, "KeyInfo"), NS.ds, "X509Data"), NS.ds, "X509Certificate"));
    const party = this.platform.verify(holder);
    verify(request.toString(), child(request, NS.ds, "Signature"), party, "RequestID", [request.getAttribute("RequestID")]);
    const self = required(child(child(confirmation, NS.saml, "SubjectConfirmationData"), NS.saml, "Assertion"), "self-issued");
    const claims = new Map();
    for (const a of children(required(child(self, NS.saml, "AttributeStatement"), "AttributeStatement"), "Attribute"))
      claims.set(a.getAttribute("AttributeName"), text(child(a, NS.saml, "AttributeValue")));
    if (claims.get("urn:be:fgov:person:ssin") !== identity.ssin) throw new Refused("SSIN");
    return this.sign(this.write(request, query, subject, self, claims, holder));
  }

  write(request, query, subject, self, claims, holder) {
    const now = new Date(this.now).toISOString();
    const window = required(child(self, NS.saml, "Conditions"), "Conditions");
    const begin = new Date(Date.parse(window.getAttribute("NotBefore")) - 300000).toISOString();
    const end = new Date(window.getAttribute("NotOnOrAfter"));
    if (!(end > this.now)) throw new Refused("Conditions");
    const name = required(child(subject, NS.saml, "NameIdentifier"), "NameIdentifier");
    const identifier =
      `<NameIdentifier Format="urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName" ` +
      `NameQualifier="${escape(name.getAttribute("NameQualifier"))}">${escape(name.textContent)}</NameIdentifier>`;
    const attributes = children(query, "AttributeDesignator").map((d) => {
      const asked = d.getAttribute("AttributeName");
      const value = claims.get(asked) ?? this.facts.get(asked);
      if (value === undefined) throw new Refused("attribute: unknown");
      const namespace = escape(d.getAttribute("AttributeNamespace"));
      return `<Attribute AttributeName="${escape(asked)}" AttributeNamespace="${namespace}"><AttributeValue>${escape(value)}</AttributeValue></Attribute>`;
    });
    return (
      `<soapenv:Envelope xmlns:soapenv="${NS.soap}"><soapenv:Body><samlp:Response xmlns:samlp="${NS.samlp}" ` +
      `InResponseTo="${escape(request.getAttribute("RequestID"))}" IssueInstant="${now}" MajorVersion="1" MinorVersion="1" ResponseID="${newID()}">` +
      `<samlp:Status><samlp:StatusCode Value="samlp:Success"/></samlp:Status>` +
      `<Assertion xmlns="${NS.saml}" AssertionID="${newID()}" IssueInstant="${now}" Issuer="urn:be:fgov:ehealth:sts:1_0" MajorVersion="1" MinorVersion="1">` +
      `<Conditions NotBefore="${begin}" NotOnOrAfter="${end.toISOString()}"/>` +
      `<AuthenticationStatement AuthenticationInstant="${now}" AuthenticationMethod="urn:oasis:names:tc:SAML:1.0:am:X509-PKI"><Subject>${identifier}` +
      `<SubjectConfirmation><ConfirmationMethod>${HOLDER_OF_KEY}</ConfirmationMethod><ds:KeyInfo xmlns:ds="${NS.ds}"><ds:X509Data>` +
      `<ds:X509Certificate>${escape(holder)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></SubjectConfirmation></Subject></AuthenticationStatement>` +
      `<AttributeStatement><Subject>${identifier}</Subject>${attributes.join("")}</AttributeStatement></Assertion>` +
      `</samlp:Response></soapenv:Body></soapenv:Envelope>`
    );
  }

  sign(answer) {
    const signed = new SignedXml({
      privateKey: this.key,
      signatureAlgorithm: this.method,
      canonicalizationAlgorithm: EXCLUSIVE,
      idAttribute: "AssertionID",
      getKeyInfoContent: () => `<ds:X509Data><ds:X509Certificate>${this.certificate}</ds:X509Certificate></ds:X509Data>`,
    });
    signed.SignatureAlgorithms[ECDSA_SHA256] = Ecdsa;
    signed.addReference({ xpath: ASSERTION, transforms: [ENVELOPED, EXCLUSIVE], digestAlgorithm: SHA256 });
    signed.computeSignature(answer, { prefix: "ds", location: { reference: ASSERTION, action: "append" } });
    return signed.getSignedXml();
  }
}

function newID() {
  return `_${crypto.randomBytes(16).toString("hex")}`;
}

function obey(service, request, words) {
  if (words[0] === "version") {
    const version = (name) => JSON.parse(fs.readFileSync(path.join(path.dirname(load.resolve(name)), "..", "package.json"))).version;
    return `Node ${process.versions.node}, xml-crypto ${version("xml-crypto")}, xmldom ${version("@xmldom/xmldom")}, OpenSSL ${process.versions.openssl}`;
  }
  if (words[0] === "answer") {
    fs.writeFileSync(words[2], service.answer(fs.readFileSync(words[1])));
    return "ok";
  }
  if (words[0] === "run") {
    const n = Number(words[1]);
    const start = process.cpuUsage();
    for (let i = 0; i < n; i++) service.answer(request);
    const used = process.cpuUsage(start);
    return ((used.user + used.system) / n).toFixed(1);
  }
  throw new Error("commands are: version, answer FILE OUT, run N");
}

const service = new Service(process.argv[2]);
const request = fs.readFileSync(path.join(process.argv[2], "request.xml"));
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  let reply;
  try {
    reply = obey(service, request, line.split(" "));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    reply = `refused: ${error.message.split("\n")[0]}`;
  }
  console.log(reply);
});
