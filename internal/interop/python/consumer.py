"""consumer.py WSDL: asks for tokens and calls with them, by zeep and xmlsec. See the package comment for commands."""

import base64
import os
import sys
import traceback
import uuid
from datetime import datetime, timedelta, timezone

import lxml.etree as etree
import xmlsec
import zeep
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from zeep.wsse.signature import BinarySignature, Signature, _sign_node
from zeep.wsse.utils import WSSE as wsse_element
from zeep.wsse.utils import WSU as wsu_element
from zeep.wsse.utils import ensure_id, get_security_header, get_timestamp

from names import ASSERTION_ID, BASE64, CERTIFICATE, DOCTOR, DS, HOLDER_OF_KEY, PARSER, SAML, SOAP, WSU, X509V3, certificate_key, path, verify

IDENTIFICATION = "urn:be:fgov:identification-namespace"
CERTIFIED = "urn:be:fgov:certified-namespace:ehealth"
SSIN = "urn:be:fgov:person:ssin"
HOLDER_SSIN = "urn:be:fgov:ehealth:1.0:certificateholder:person:ssin"
X509_SUBJECT_NAME = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"


class Credential:
    """A certificate with its key, as files and as the libraries take them."""

    def __init__(self, base):
        self.key_file, self.certificate_file = base + ".key", base + ".pem"
        with open(self.certificate_file, "rb") as file:
            self.certificate = x509.load_pem_x509_certificate(file.read())
        self.der = self.certificate.public_bytes(serialization.Encoding.DER)
        self.key = xmlsec.Key.from_file(self.key_file, xmlsec.KeyFormat.PEM)
        rsa = "rsa" in type(self.certificate.public_key()).__module__
        self.method = xmlsec.Transform.RSA_SHA256 if rsa else xmlsec.Transform.ECDSA_SHA256


class Timestamp:
    """The header with a Timestamp; zeep leaves making it to its users, in its own format: seconds and +00:00."""

    def __init__(self, variant):
        self.created = datetime.utcnow() - timedelta(hours=variant == "stale")

    def apply(self, envelope, headers):
        security = get_security_header(envelope)
        security.set("{%s}mustUnderstand" % SOAP, "1")
        end = self.created + timedelta(minutes=1)
        security.append(wsu_element.Timestamp(wsu_element.Created(get_timestamp(self.created)), wsu_element.Expires(get_timestamp(end))))
        return envelope, headers


class Header:
    """Signs by zeep's means what the wire wants signed; reference makes what is in the SecurityTokenReference."""

    def __init__(self, by, variant):
        self.by, self.variant = by, variant

    def token(self, security):
        """Puts the token into the header and gives the reference to it, and whether it is signed."""
        token = wsse_element.BinarySecurityToken(base64.b64encode(self.by.der).decode(), EncodingType=BASE64, ValueType=X509V3)
        security.append(token)
        return wsse_element.Reference(URI="#" + ensure_id(token), ValueType=X509V3), [token]

    def apply(self, envelope, headers):
        security = get_security_header(envelope)
        reference, tokens = self.token(security)
        signature = xmlsec.template.create(envelope, xmlsec.Transform.EXCL_C14N, self.by.method, ns="ds")
        info = xmlsec.template.ensure_key_info(signature)
        holder = wsse_element.SecurityTokenReference()
        holder.append(reference)
        info.append(holder)
        security.insert(0, signature)  # where zeep puts its own: before what it refers to
        context = xmlsec.SignatureContext()
        context.key = self.by.key
        body = envelope.find(path((SOAP, "Body")))
        parts = [security.find(path((WSU, "Timestamp")))] + tokens
        for part in parts if self.variant == "body-unsigned" else [body] + parts:
            _sign_node(context, signature, part, xmlsec.Transform.SHA256)
        if self.variant == "inclusive":
            for transform in signature.iterfind(".//" + path((DS, "Transform"))):
                xmlsec.template.transform_add_c14n_inclusive_namespaces(transform, ["soap-env", "wsu"])
        context.sign(signature)
        if self.variant == "changed-body":
            last = [e for e in body.iter() if e.text][-1]
            last.text = "1" + last.text
        return envelope, headers


class AssertionHeader(Header):
    def __init__(self, by, variant, assertion):
        super().__init__(by, variant)
        self.assertion = assertion

    def token(self, security):
        security.append(self.assertion)
        return wsse_element.KeyIdentifier(self.assertion.get("AssertionID"), ValueType=ASSERTION_ID), []


class Inner(zeep.Plugin):
    """Signs the samlp:Request before the header is signed, and keeps the assertion of the answer."""

    def __init__(self):
        self.holder = self.assertion = None

    def egress(self, envelope, headers, operation, options):
        request = envelope.find(path((SOAP, "Body")))[0]
        if self.holder is None:
            return envelope, headers
        signature = xmlsec.template.create(request, xmlsec.Transform.EXCL_C14N, self.holder.method)
        request.insert(0, signature)
        reference = xmlsec.template.add_reference(signature, xmlsec.Transform.SHA256, uri="#" + request.get("RequestID"))
        xmlsec.template.add_transform(reference, xmlsec.Transform.ENVELOPED)
        xmlsec.template.add_transform(reference, xmlsec.Transform.EXCL_C14N)
        data = xmlsec.template.add_x509_data(xmlsec.template.ensure_key_info(signature))
        etree.SubElement(data, "{%s}X509Certificate" % DS).text = base64.b64encode(self.holder.der).decode()
        context = xmlsec.SignatureContext()
        context.key = self.holder.key
        context.register_id(request, "RequestID", None)
        context.sign(signature)
        return envelope, headers

    def ingress(self, envelope, headers, operation):
        self.assertion = envelope.find(".//" + path((SAML, "Assertion")))
        return envelope, headers


class Consumer:
    def __init__(self):
        self.inner = Inner()
        self.services = {}
        wsdl = sys.argv[1]
        self.guarded = zeep.Client(wsdl)

    def token(self, url, ssin, identity, holder, out, variant):
        identity, holder = Credential(identity), Credential(holder)
        if url not in self.services:
            self.services[url] = zeep.Client(url + "?wsdl", plugins=[self.inner])
        client = self.services[url]
        self.inner.holder = None if identity.der == holder.der else holder
        # zeep's own signatures: the token that it refers to is not signed, or X509Data stands in its place.
        stock = {"stock": BinarySignature, "default": BinarySignature, "x509-data": Signature}
        signature = Header(identity, variant)
        if variant in stock:
            methods = [] if variant == "default" else [None, identity.method, xmlsec.Transform.SHA256]
            signature = stock[variant](identity.key_file, identity.certificate_file, *methods)
        client.wsse = All([Timestamp(variant), signature])
        answer = client.service.RequestSecurityToken(**self.request(ssin, identity, holder))
        if self.inner.assertion is None:
            return "status " + answer.Status.StatusMessage
        signature = self.inner.assertion.find(path((DS, "Signature")))
        key = certificate_key(base64.b64decode(signature.findtext(CERTIFICATE)))
        if not verify(signature, key, "AssertionID", None, [self.inner.assertion]):
            raise ValueError("the assertion does not verify")
        with open(out, "wb") as file:
            file.write(etree.tostring(self.inner.assertion, with_tail=False))
        values = {a.AttributeName: a.AttributeValue for a in answer.Assertion.AttributeStatement.Attribute}
        return "ok " + values[DOCTOR][0]

    @staticmethod
    def request(ssin, identity, holder):
        """What zeep writes by the WSDL."""
        now = datetime.now(timezone.utc)
        unique = str(uuid.uuid4())
        subject, issuer = identity.certificate.subject.rfc4514_string(), identity.certificate.issuer.rfc4514_string()
        name = {"_value_1": subject, "NameQualifier": issuer, "Format": X509_SUBJECT_NAME}
        statement = {
            "Subject": {"NameIdentifier": name},
            "Attribute": [{"AttributeName": n, "AttributeNamespace": IDENTIFICATION, "AttributeValue": [ssin]} for n in (HOLDER_SSIN, SSIN)],
        }
        assertion = {
            "AssertionID": "assertion-" + unique, "IssueInstant": now, "Issuer": subject, "MajorVersion": 1, "MinorVersion": 1,
            "Conditions": {"NotBefore": now, "NotOnOrAfter": now + timedelta(hours=8)},
            "AttributeStatement": statement,
        }
        confirmation = {
            "ConfirmationMethod": HOLDER_OF_KEY, "SubjectConfirmationData": {"Assertion": assertion},
            "KeyInfo": {"X509Data": {"X509Certificate": holder.der}},
        }
        wanted = [(HOLDER_SSIN, IDENTIFICATION), (SSIN, IDENTIFICATION), (DOCTOR, CERTIFIED)]
        query = {
            "Subject": {"NameIdentifier": name, "SubjectConfirmation": confirmation},
            "AttributeDesignator": [{"AttributeName": n, "AttributeNamespace": s} for n, s in wanted],
        }
        return {"RequestID": "request-" + unique, "IssueInstant": now, "MajorVersion": 1, "MinorVersion": 1, "AttributeQuery": query}

    def call(self, url, assertion, holder, variant):
        with open(assertion, "rb") as file:
            element = etree.fromstring(file.read(), PARSER)
        self.guarded.wsse = All([Timestamp(variant), AssertionHeader(Credential(holder), variant, element)])
        service = self.guarded.create_service("{urn:sceau:interop}GuardedSOAP11", url)
        answer = service.Ask("doctor?")
        for attribute in answer[0].iter("{urn:sceau:echo:1.0}Attribute"):
            if attribute.get("Name") == DOCTOR:
                return "ok " + attribute[0].text
        return "ok"


class All:
    """Applies several. zeep wants every answer signed as the request is; the wire's answers bear no Security header."""

    def __init__(self, parts):
        self.parts = parts

    def apply(self, envelope, headers):
        for part in self.parts:
            envelope, headers = part.apply(envelope, headers)
        return envelope, headers

    def verify(self, envelope):
        return envelope


def main():
    consumer = Consumer()
    for line in sys.stdin:
        words = line.rstrip("\n").split("\t")
        try:
            reply = getattr(consumer, words[0])(*words[1:])
        except zeep.exceptions.Fault as fault:
            code = fault.detail.find(".//Code")
            reply = "fault %s %s" % (fault.code.split(":")[-1], "" if code is None else code.text)
        except Exception as error:
            traceback.print_exc()
            reply = "error " + repr(error).replace("\n", " ")
        print(reply, flush=True)


main()
