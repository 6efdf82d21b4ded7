"use strict";
// What consumer and provider share: names of the wire, ECDSA, and verifying.

const crypto = require("node:crypto");
const path = require("node:path");
const { createRequire } = require("node:module");

// The libraries stand in the folder that npm was run in.
const load = createRequire(path.join(process.env.INTEROP_MODULES || __dirname, "package.json"));
const { DOMParser } = load("@xmldom/xmldom");
const { SignedXml } = load("xml-crypto");

const WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-";
const NS = {
  soap: "http://schemas.xmlsoap.org/soap/envelope/",
  wsse: WSS + "wssecurity-secext-1.0.xsd",
  wsu: WSS + "wssecurity-utility-1.0.xsd",
  ds: "http://www.w3.org/2000/09/xmldsig#",
  saml: "urn:oasis:names:tc:SAML:1.0:assertion",
};
const EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED = NS.ds + "enveloped-signature";
const SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256";
const RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
const ASSERTION_ID = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID";
const DOCTOR = "urn:be:fgov:person:ssin:doctor:boolean";

class Refused extends Error {}

function options(key, dsaEncoding) {
  return Object.assign({ dsaEncoding }, key instanceof crypto.KeyObject || typeof key === "string" ? { key } : key);
}

// Ecdsa is what xml-crypto lacks. Without dsaEncoding node's crypto writes DER, which is no XML Signature.
class Ecdsa {
  getSignature(text, key) {
    return crypto.sign("sha256", Buffer.from(text), options(key, this.encoding())).toString("base64");
  }
  verifySignature(text, key, value) {
    return crypto.verify("sha256", Buffer.from(text), options(key, "ieee-p1363"), Buffer.from(value, "base64"));
  }
  encoding() {
    return "ieee-p1363";
  }
  getAlgorithmName() {
    return ECDSA_SHA256;
  }
}

class EcdsaDer extends Ecdsa {
  encoding() {
    return "der";
  }
}

function parse(message) {
  const fail = (what) => {
    throw new Refused(`not well-formed: ${what}`);
  };
  const document = new DOMParser({ errorHandler: { warning: fail, error: fail, fatalError: fail } }).parseFromString(message, "text/xml");
  if (document.doctype) throw new Refused("document type");
  return document;
}

function child(parent, namespace, name) {
  for (let n = parent ? parent.firstChild : null; n; n = n.nextSibling) if (n.localName === name && n.namespaceURI === namespace) return n;
  return null;
}

function text(element) {
  return element ? element.textContent : "";
}

// certificate is the one in the KeyInfo below, DER.
function certificate(parent) {
  return Buffer.from(text(child(child(child(parent, NS.ds, "KeyInfo"), NS.ds, "X509Data"), NS.ds, "X509Certificate")), "base64");
}

// verify verifies a signature over exactly these identifiers. xml-crypto takes the text and parses it again.
function verify(message, signature, key, idAttribute, ids, why) {
  const signed = new SignedXml({ publicCert: key, getCertFromKeyInfo: () => null });
  signed.idAttributes = [idAttribute];
  signed.SignatureAlgorithms[ECDSA_SHA256] = Ecdsa;
  let good = false;
  try {
    signed.loadSignature(signature);
    good = signed.checkSignature(message);
  } catch {
    throw new Refused(why);
  }
  const uris = signed.getReferences().map((reference) => reference.uri);
  if (!good || uris.length !== ids.length || !ids.every((id) => id && uris.includes(`#${id}`))) throw new Refused(why);
}

function verifyAssertion(assertion, key) {
  const signature = child(assertion, NS.ds, "Signature");
  if (!signature) throw new Refused("assertion signature");
  verify(assertion.toString(), signature, key, "AssertionID", [assertion.getAttribute("AssertionID")], "assertion signature");
}

function doctor(assertion) {
  for (const a of Array.from(assertion.getElementsByTagNameNS(NS.saml, "Attribute")))
    if (a.getAttribute("AttributeName") === DOCTOR) return a.textContent;
  return "";
}

module.exports = {
  load, SignedXml, WSS, NS, EXCLUSIVE, ENVELOPED, SHA256, RSA_SHA256, ECDSA_SHA256, ASSERTION_ID, DOCTOR,
  Refused, Ecdsa, EcdsaDer, parse, child, text, certificate, verify, verifyAssertion, doctor,
};
