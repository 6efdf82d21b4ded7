"""peer.py DIR: the service on python-xmlsec and lxml. See ../README.md for the commands on standard input."""

import base64
import hashlib
import os
import secrets
import sys
import time
from datetime import datetime, timedelta, timezone

import lxml.etree as etree
import xmlsec
from OpenSSL import crypto

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
SAML = "urn:oasis:names:tc:SAML:1.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:1.0:protocol"
HOLDER_OF_KEY = "urn:oasis:names:tc:SAML:1.0:cm:holder-of-key"
X509_SUBJECT_NAME = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"


class Refused(Exception):
    """Why a message is not answered."""


def required(element, what):
    if element is None:
        raise Refused(what + ": missing")
    return element


def path(*steps):
    return "/".join("{%s}%s" % (namespace, name) for namespace, name in steps)


SECURITY = path((SOAP, "Header"), (WSSE, "Security"))
SELF_ISSUED = path((SAML, "SubjectConfirmation"), (SAML, "SubjectConfirmationData"), (SAML, "Assertion"))
HOLDER = path((SAML, "SubjectConfirmation"), (DS, "KeyInfo"), (DS, "X509Data"), (DS, "X509Certificate"))


class Trust:
    """Who is trusted in one role. Chains that were verified are kept, with the key as xmlsec takes it."""

    def __init__(self, directory, name, now):
        self.store = crypto.X509Store()
        self.store.add_cert(self.read(directory, name + "-root.pem"))
        self.store.set_time(now.replace(tzinfo=None))
        self.authority = self.read(directory, name + "-ca.pem")
        self.now = now
        self.kept = {}

    @staticmethod
    def read(directory, name):
        with open(os.path.join(directory, name), "rb") as file:
            return crypto.load_certificate(crypto.FILETYPE_PEM, file.read())

    def verify(self, text):
        try:
            der = base64.b64decode(text, validate=True)
        except ValueError as error:
            raise Refused("certificate: base64") from error
        digest = hashlib.sha256(der).digest()
        if digest not in self.kept:
            self.kept[digest] = self.chain(der)
        key, ssin, begin, end = self.kept[digest]
        if not begin <= self.now <= end:
            raise Refused("certificate: validity")
        return key, ssin

    def chain(self, der):
        try:
            certificate = crypto.load_certificate(crypto.FILETYPE_ASN1, der)
            crypto.X509StoreContext(self.store, certificate, [self.authority]).verify_certificate()
        except (crypto.Error, crypto.X509StoreContextError) as error:
            raise Refused("certificate: chain") from error
        usages = [certificate.get_extension(i) for i in range(certificate.get_extension_count())]
        if not any(e.get_short_name() == b"extendedKeyUsage" and "TLS Web Client Authentication" in str(e) for e in usages):
            raise Refused("certificate: usage")
        moment = lambda t: datetime.strptime(t.decode(), "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)
        key = xmlsec.Key.from_memory(der, xmlsec.KeyFormat.CERT_DER)
        ssin = dict(certificate.get_subject().get_components()).get(b"serialNumber", b"").decode()
        return key, ssin, moment(certificate.get_notBefore()), moment(certificate.get_notAfter())


class Service:
    """From the octets of a request to those of its answer."""

    def __init__(self, directory):
        with open(os.path.join(directory, "now")) as file:
            self.now = datetime.fromtimestamp(int(file.read()), timezone.utc)
        with open(os.path.join(directory, "facts.tsv")) as file:
            self.facts = dict(line.rstrip("\n").split("\t") for line in file)
        with open(os.path.join(directory, "sts.der"), "rb") as file:
            self.certificate = base64.b64encode(file.read()).decode()
        key_file = os.path.join(directory, "sts.key")
        self.key = xmlsec.Key.from_file(key_file, xmlsec.KeyFormat.PEM)
        with open(key_file, "rb") as file:
            rsa = crypto.load_privatekey(crypto.FILETYPE_PEM, file.read()).type() == crypto.TYPE_RSA
        self.method = xmlsec.Transform.RSA_SHA256 if rsa else xmlsec.Transform.ECDSA_SHA256
        self.citizens = Trust(directory, "citizen", self.now)
        self.platform = Trust(directory, "ehealth", self.now)
        self.parser = etree.XMLParser(resolve_entities=False, no_network=True)

    def answer(self, message):
        try:
            envelope = etree.fromstring(message, self.parser)
        except etree.XMLSyntaxError as error:
            raise Refused("not well-formed") from error
        if envelope.getroottree().docinfo.internalDTD is not None:
            raise Refused("document type")
        body = required(envelope.find(path((SOAP, "Body"))), "Body")
        ssin = self.header(envelope, body)
        request = required(body.find(path((SAMLP, "Request"))), "Request")
        return self.respond(request, ssin)

    def header(self, envelope, body):
        security = required(envelope.find(SECURITY), "Security")
        token = required(security.find(path((WSSE, "BinarySecurityToken"))), "token")
        timestamp = required(security.find(path((WSU, "Timestamp"))), "Timestamp")
        try:
            created = parse_time(timestamp.findtext(path((WSU, "Created")), ""))
            expires = parse_time(timestamp.findtext(path((WSU, "Expires")), ""))
        except ValueError as error:
            raise Refused("Timestamp") from error
        if created > self.now + timedelta(minutes=1) or expires <= self.now - timedelta(minutes=1):
            raise Refused("Timestamp: not fresh")
        key, ssin = self.citizens.verify(token.text)
        verify(security.find(path((DS, "Signature"))), key, "Id", WSU, [body, timestamp, token])
        return ssin

    def respond(self, request, ssin):
        query = required(request.find(path((SAMLP, "AttributeQuery"))), "AttributeQuery")
        subject = required(query.find(path((SAML, "Subject"))), "Subject")
        if subject.findtext(path((SAML, "SubjectConfirmation"), (SAML, "ConfirmationMethod"))) != HOLDER_OF_KEY:
            raise Refused("ConfirmationMethod")
        holder = required(subject.find(HOLDER), "holder").text
        key, _ = self.platform.verify(holder)
        verify(request.find(path((DS, "Signature"))), key, "RequestID", None, [request])
        claims = {
            a.get("AttributeName"): a.findtext(path((SAML, "AttributeValue")))
            for a in required(subject.find(SELF_ISSUED), "self-issued").iterfind(path((SAML, "AttributeStatement"), (SAML, "Attribute")))
        }
        if claims.get("urn:be:fgov:person:ssin") != ssin:
            raise Refused("SSIN")
        return self.write(request, query, subject, claims, holder)

    def write(self, request, query, subject, claims, holder):
        now = format_time(self.now)
        envelope = etree.Element("{%s}Envelope" % SOAP, nsmap={"soapenv": SOAP})
        response = etree.SubElement(
            etree.SubElement(envelope, "{%s}Body" % SOAP), "{%s}Response" % SAMLP, nsmap={"samlp": SAMLP},
            InResponseTo=request.get("RequestID"), IssueInstant=now, MajorVersion="1", MinorVersion="1", ResponseID=new_id())
        etree.SubElement(etree.SubElement(response, "{%s}Status" % SAMLP), "{%s}StatusCode" % SAMLP, Value="samlp:Success")
        assertion = etree.SubElement(
            response, "{%s}Assertion" % SAML, nsmap={None: SAML},
            AssertionID=new_id(), IssueInstant=now, Issuer="urn:be:fgov:ehealth:sts:1_0", MajorVersion="1", MinorVersion="1")
        wanted = subject.find(SELF_ISSUED).find(path((SAML, "Conditions")))
        begin, end = parse_time(wanted.get("NotBefore")), parse_time(wanted.get("NotOnOrAfter"))
        if end <= self.now:
            raise Refused("Conditions")
        add(assertion, "Conditions", NotBefore=format_time(begin - timedelta(minutes=5)), NotOnOrAfter=format_time(end))
        authentication = add(assertion, "AuthenticationStatement", AuthenticationInstant=now, AuthenticationMethod="urn:oasis:names:tc:SAML:1.0:am:X509-PKI")
        name = subject.find(path((SAML, "NameIdentifier")))
        confirmation = add(add_subject(authentication, name), "SubjectConfirmation")
        add(confirmation, "ConfirmationMethod").text = HOLDER_OF_KEY
        info = etree.SubElement(confirmation, "{%s}KeyInfo" % DS, nsmap={"ds": DS})
        etree.SubElement(etree.SubElement(info, "{%s}X509Data" % DS), "{%s}X509Certificate" % DS).text = holder
        statement = add(assertion, "AttributeStatement")
        add_subject(statement, name)
        for designator in query.iterfind(path((SAML, "AttributeDesignator"))):
            asked = designator.get("AttributeName")
            value = claims.get(asked) or self.facts.get(asked)
            if value is None:
                raise Refused("attribute: unknown")
            attribute = add(statement, "Attribute", AttributeName=asked, AttributeNamespace=designator.get("AttributeNamespace"))
            add(attribute, "AttributeValue").text = value
        self.sign(assertion)
        return etree.tostring(envelope)

    def sign(self, assertion):
        signature = xmlsec.template.create(assertion, xmlsec.Transform.EXCL_C14N, self.method, ns="ds")
        assertion.append(signature)
        reference = xmlsec.template.add_reference(signature, xmlsec.Transform.SHA256, uri="#" + assertion.get("AssertionID"))
        xmlsec.template.add_transform(reference, xmlsec.Transform.ENVELOPED)
        xmlsec.template.add_transform(reference, xmlsec.Transform.EXCL_C14N)
        context = xmlsec.SignatureContext()
        context.key = self.key
        context.register_id(assertion, "AssertionID", None)
        context.sign(signature)
        info = etree.SubElement(signature, "{%s}KeyInfo" % DS)
        etree.SubElement(etree.SubElement(info, "{%s}X509Data" % DS), "{%s}X509Certificate" % DS).text = self.certificate


ALLOWED = [xmlsec.Transform.EXCL_C14N, xmlsec.Transform.ENVELOPED, xmlsec.Transform.SHA256]


def verify(signature, key, attribute, namespace, elements):
    """Verifies a signature over exactly these elements, by their identifiers."""
    required(signature, "signature")
    name = "{%s}%s" % (namespace, attribute) if namespace else attribute
    wanted = {"#" + e.get(name, "") for e in elements}
    references = signature.findall(path((DS, "SignedInfo"), (DS, "Reference")))
    if len(references) != len(elements) or {r.get("URI") for r in references} != wanted:
        raise Refused("signature: references")
    context = xmlsec.SignatureContext()
    context.key = key
    for transform in ALLOWED:
        context.enable_reference_transform(transform)
    for transform in (xmlsec.Transform.EXCL_C14N, xmlsec.Transform.RSA_SHA256, xmlsec.Transform.ECDSA_SHA256):
        context.enable_signature_transform(transform)
    try:
        for element in elements:
            context.register_id(element, attribute, namespace)
        context.verify(signature)
    except xmlsec.Error as error:
        raise Refused("signature") from error


def add(parent, name, **attributes):
    return etree.SubElement(parent, "{%s}%s" % (SAML, name), **attributes)


def add_subject(parent, name):
    subject = add(parent, "Subject")
    add(subject, "NameIdentifier", Format=X509_SUBJECT_NAME, NameQualifier=name.get("NameQualifier")).text = name.text
    return subject


def parse_time(text):
    if not text.endswith("Z"):
        raise ValueError("not in UTC")
    return datetime.fromisoformat(text)  # which reads Z since Python 3.11


def format_time(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def new_id():
    return "_" + secrets.token_hex(16)


def obey(service, request, words):
    if words == ["version"]:
        libraries = "python-xmlsec %s, lxml %s, libxml2 %s" % (
            xmlsec.__version__, etree.__version__, ".".join(map(str, etree.LIBXML_VERSION)))
        return "Python %s, %s" % (sys.version.split()[0], libraries)
    if words[0] == "answer":
        with open(words[1], "rb") as file:
            answer = service.answer(file.read())
        with open(words[2], "wb") as file:
            file.write(answer)
        return "ok"
    if words[0] == "run":
        n = int(words[1])
        start = time.process_time()
        for _ in range(n):
            service.answer(request)
        return "%.1f" % ((time.process_time() - start) / n * 1e6)
    raise ValueError("commands are: version, answer FILE OUT, run N")


def main():
    service = Service(sys.argv[1])
    with open(os.path.join(sys.argv[1], "request.xml"), "rb") as file:
        request = file.read()
    for line in sys.stdin:
        try:
            reply = obey(service, request, line.split())
        except Refused as error:
            reply = "refused: %s" % error
        print(reply, flush=True)


main()
