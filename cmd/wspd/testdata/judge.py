"""Reads tokens of callers as a service would: judge.py JWKS ISSUER AUDIENCE < tokens

JWKS is a file with the published keys. Each line of the input is a token. Each line of the output is a JSON object with header and claims
of a token that holds, or a text that says why it does not.
"""
import json
import sys

import jwt


def check(token, keys, issuer, audience):
    header = jwt.get_unverified_header(token)
    if header["typ"] != "sceau-caller+jwt":
        raise ValueError("of another type")
    key = keys[header["kid"]]
    claims = jwt.decode(  # the key says the algorithm, not the token
        token, jwt.PyJWK(key).key, algorithms=[key["alg"]], issuer=issuer, audience=audience,
        options={"require": ["iss", "aud", "sub", "exp", "nbf", "iat", "jti"]})
    return {"header": header, "claims": claims}


with open(sys.argv[1], encoding="utf-8") as f:
    published = {key["kid"]: key for key in json.load(f)["keys"]}
for line in sys.stdin:
    try:
        print(json.dumps(check(line.strip(), published, sys.argv[2], sys.argv[3])))
    except (jwt.PyJWTError, KeyError, ValueError) as e:
        print(json.dumps(f"{type(e).__name__}: {e}"))
