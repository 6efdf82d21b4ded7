"""provider.py provide AUTHORITY SERVICE…: a service that verifies its callers by lxml and xmlsec. See the package comment."""

import base64
import sys
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer

import lxml.etree as etree
from OpenSSL import crypto

from names import CERTIFICATE, DOCTOR, DS, HOLDER_OF_KEY, PARSER, SAML, SOAP, WSSE, WSU, certificate_key, path, verify

SECURITY = path((SOAP, "Header"), (WSSE, "Security"))
CONFIRMATION = path((SAML, "AuthenticationStatement"), (SAML, "Subject"), (SAML, "SubjectConfirmation"))
KEY_IDENTIFIER = path((DS, "KeyInfo"), (WSSE, "SecurityTokenReference"), (WSSE, "KeyIdentifier"))


class Refused(Exception):
    """Why a call is refused."""


def require(good, why):
    if not good:
        raise Refused(why)


def moment(text, why):
    try:
        require(text.endswith("Z"), why)
        return datetime.fromisoformat(text)
    except (AttributeError, ValueError) as error:
        raise Refused(why) from error


def read(file):
    with open(file, "rb") as f:
        return crypto.load_certificate(crypto.FILETYPE_PEM, f.read())


class Guard:
    def __init__(self, authority, services):
        self.store = crypto.X509Store()
        self.store.add_cert(read(authority))
        self.services = {crypto.dump_certificate(crypto.FILETYPE_ASN1, read(s)) for s in services}

    def admit(self, message):
        """The assertion of the caller."""
        envelope = etree.fromstring(message, PARSER)
        require(envelope.getroottree().docinfo.internalDTD is None, "message signature")
        now = datetime.now(timezone.utc)
        body, security = envelope.find(path((SOAP, "Body"))), envelope.find(SECURITY)
        require(body is not None and security is not None, "message signature")
        timestamp, assertion = security.find(path((WSU, "Timestamp"))), security.find(path((SAML, "Assertion")))
        require(timestamp is not None, "timestamp")
        created = moment(timestamp.findtext(path((WSU, "Created"))), "timestamp")
        require(created <= now + timedelta(minutes=1) and moment(timestamp.findtext(path((WSU, "Expires"))), "timestamp") > now, "timestamp")
        require(assertion is not None, "assertion signature")
        holder = self.holder(assertion, now)
        signature = security.find(path((DS, "Signature")))
        require(signature is not None and signature.findtext(KEY_IDENTIFIER) == assertion.get("AssertionID"), "message signature")
        require(verify(signature, certificate_key(holder), "Id", WSU, [body, timestamp]), "message signature")
        return assertion

    def holder(self, assertion, now):
        """The certificate of the holder of a good assertion."""
        window = assertion.find(path((SAML, "Conditions")))
        require(window is not None, "assertion expired")
        begin, end = (moment(window.get(n), "assertion expired") for n in ("NotBefore", "NotOnOrAfter"))
        require(begin <= now < end, "assertion expired")
        signature = assertion.find(path((DS, "Signature")))
        require(signature is not None, "assertion signature")
        issuer = base64.b64decode(signature.findtext(CERTIFICATE, ""))
        require(issuer in self.services, "sts untrusted")
        require(verify(signature, certificate_key(issuer), "AssertionID", None, [assertion]), "assertion signature")
        confirmation = assertion.find(CONFIRMATION)
        require(confirmation is not None and confirmation.findtext(path((SAML, "ConfirmationMethod"))) == HOLDER_OF_KEY, "holder untrusted")
        holder = base64.b64decode(confirmation.findtext(CERTIFICATE, ""))
        try:
            certificate = crypto.load_certificate(crypto.FILETYPE_ASN1, holder)
            crypto.X509StoreContext(self.store, certificate).verify_certificate()
        except (crypto.Error, crypto.X509StoreContextError) as error:
            raise Refused("holder untrusted") from error
        return holder


def answer(guard, message):
    try:
        assertion = guard.admit(message)
    except (Refused, etree.XMLSyntaxError) as error:
        return 500, "<soapenv:Fault><faultcode>soapenv:Client</faultcode><faultstring>%s</faultstring></soapenv:Fault>" % error
    values = {a.get("AttributeName"): a.findtext(path((SAML, "AttributeValue"))) for a in assertion.iterfind(path((SAML, "AttributeStatement"), (SAML, "Attribute")))}
    doctor = "true" if values.get(DOCTOR) == "true" else "false"
    return 200, '<s:Answer xmlns:s="urn:sceau:interop"><s:Doctor>%s</s:Doctor></s:Answer>' % doctor


def main():
    guard = Guard(sys.argv[2], sys.argv[3:])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            status, content = answer(guard, self.rfile.read(int(self.headers["Content-Length"])))
            octets = ('<soapenv:Envelope xmlns:soapenv="%s"><soapenv:Body>%s</soapenv:Body></soapenv:Envelope>' % (SOAP, content)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/xml; charset=utf-8")
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("listening %d" % server.server_port, flush=True)
    sys.stdin.read()
    server.shutdown()


main()
