"""Names of the wire, and what consumer and provider share."""

import lxml.etree as etree
import xmlsec

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
SAML = "urn:oasis:names:tc:SAML:1.0:assertion"
HOLDER_OF_KEY = "urn:oasis:names:tc:SAML:1.0:cm:holder-of-key"
X509V3 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
ASSERTION_ID = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID"
DOCTOR = "urn:be:fgov:person:ssin:doctor:boolean"

PARSER = etree.XMLParser(resolve_entities=False, no_network=True)


def path(*steps):
    """A path of (namespace, name)."""
    return "/".join("{%s}%s" % step for step in steps)


CERTIFICATE = path((DS, "KeyInfo"), (DS, "X509Data"), (DS, "X509Certificate"))


def verify(signature, key, attribute, namespace, elements):
    """Whether the signature is over exactly these elements, by their identifiers, and made with the key."""
    name = "{%s}%s" % (namespace, attribute) if namespace else attribute
    wanted = {"#" + e.get(name, "") for e in elements}
    references = signature.findall(path((DS, "SignedInfo"), (DS, "Reference")))
    if len(references) != len(elements) or {r.get("URI") for r in references} != wanted:
        return False
    context = xmlsec.SignatureContext()
    context.key = key
    for transform in (xmlsec.Transform.EXCL_C14N, xmlsec.Transform.ENVELOPED, xmlsec.Transform.SHA256):
        context.enable_reference_transform(transform)
    for transform in (xmlsec.Transform.EXCL_C14N, xmlsec.Transform.RSA_SHA256, xmlsec.Transform.ECDSA_SHA256):
        context.enable_signature_transform(transform)
    try:
        for element in elements:
            context.register_id(element, attribute, namespace)
        context.verify(signature)
    except xmlsec.Error:
        return False
    return True


def certificate_key(der):
    return xmlsec.Key.from_memory(der, xmlsec.KeyFormat.CERT_DER)
