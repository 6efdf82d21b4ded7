"""Checks signed metadata as a PEP would: judge.py CA ISSUER AT < tokens

CA is the one authority that is trusted, with an EC key, in PEM; AT the moment, in seconds. Each line of the input is a token. Each line of
the output is a JSON object with header and claims of a token that holds, or a text that says why it does not.
"""
import base64
import datetime
import json
import sys

import jwt
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec


def check(token, authority, issuer, at):
    header = jwt.get_unverified_header(token)
    leaf = x509.load_der_x509_certificate(base64.b64decode(header["x5c"][0], validate=True))
    moment = datetime.datetime.utcfromtimestamp(at)
    if leaf.issuer != authority.subject or not leaf.not_valid_before <= moment < leaf.not_valid_after:
        raise ValueError("no certificate of the authority at this moment")
    authority.public_key().verify(leaf.signature, leaf.tbs_certificate_bytes, ec.ECDSA(leaf.signature_hash_algorithm))
    claims = jwt.decode(  # it looks at the clock of the machine: times are compared below
        token, leaf.public_key(), algorithms=["RS256", "ES256", "ES384", "ES512"], issuer=issuer,
        options={"require": ["iss", "iat", "exp"], "verify_exp": False, "verify_iat": False})
    if not claims["iat"] <= at < claims["exp"]:
        raise ValueError("not at this moment")
    if "signed_metadata" in claims:
        raise ValueError("signed_metadata is a claim")
    return {"header": header, "claims": claims}


with open(sys.argv[1], "rb") as f:
    trusted = x509.load_pem_x509_certificate(f.read())
for line in sys.stdin:
    try:
        print(json.dumps(check(line.strip(), trusted, sys.argv[2], int(sys.argv[3]))))
    except (jwt.PyJWTError, InvalidSignature, KeyError, ValueError) as e:
        print(json.dumps(f"{type(e).__name__}: {e}"))
