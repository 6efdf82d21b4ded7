"""A relying party on authlib and requests: as programs in Python log in. It speaks as node/rp.js does, with fewer commands."""

import json
import sys
import time

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken

ROOT = sys.argv[1]
parties = {}


class Assertions(PrivateKeyJWT):
    """Assertions that live for five minutes: by themselves they would for an hour, and claims that are given keep the first jti."""

    def sign(self, auth, token_endpoint):
        self.claims = {"exp": int(time.time()) + 300}
        return super().sign(auth, token_endpoint)


class Party:
    def __init__(self, c):
        self.command = c
        plain = requests.Session()
        plain.trust_env, plain.verify = False, ROOT  # otherwise REQUESTS_CA_BUNDLE of the machine has the last word
        path = c["issuer"] + "/.well-known/openid-configuration"
        self.metadata = plain.get(path).json()
        self.keys = JsonWebKey.import_key_set(plain.get(self.metadata["jwks_uri"]).json())
        self.endpoints = dict(self.metadata, **(self.metadata["mtls_endpoint_aliases"] if "pair" in c else {}))
        method, secret = c["method"], c["secret"]
        if method == "private_key_jwt":
            with open(c["key"] + ".key", "rb") as file:
                secret = file.read()
        if method == "tls_client_auth":
            method, secret = "none", None
        self.session = OAuth2Session(c["id"], secret, token_endpoint_auth_method=method, revocation_endpoint_auth_method=method, redirect_uri=c["redirect"],
                                     code_challenge_method="S256", scope="openid profile email offline_access")
        self.session.trust_env, self.session.verify = False, ROOT
        if "pair" in c:
            self.session.cert = (c["pair"] + ".pem", c["pair"] + ".key")
        if method == "private_key_jwt":
            self.session.register_client_auth_method(Assertions(self.endpoints["token_endpoint"], alg=c["alg"]))


def verified(p, token):
    claims = JsonWebToken(["RS256", "PS256", "ES256"]).decode(token, p.keys, claims_cls=CodeIDToken, claims_options={
        "iss": {"essential": True, "value": p.metadata["issuer"]}, "aud": {"essential": True, "value": p.command["id"]}, "auth_time": {"essential": True},
    }, claims_params={"nonce": p.nonce, "client_id": p.command["id"], "max_age": 3600})
    claims.validate()
    return claims


def discover(c):
    parties[c["id"]] = p = Party(c)
    return {"issuer": p.metadata["issuer"], "pkce": "S256" in p.metadata["code_challenge_methods_supported"]}


def begin(c):
    p = parties[c["id"]]
    p.nonce, p.verifier = generate_token(), generate_token(48)
    url, p.state = p.session.create_authorization_url(p.endpoints["authorization_endpoint"], nonce=p.nonce, code_verifier=p.verifier)
    return {"url": url}


def userinfo(c):
    p = parties[c["id"]]
    answer = p.session.get(p.endpoints["userinfo_endpoint"])
    answer.raise_for_status()
    return answer.json()


def finish(c):
    p = parties[c["id"]]
    token = p.session.fetch_token(p.endpoints["token_endpoint"], authorization_response=c["url"], code_verifier=p.verifier, state=p.state)
    claims = verified(p, token["id_token"])
    return {"claims": claims, "alg": claims.header["alg"], "info": userinfo(c), "access": token["access_token"], "refresh": token["refresh_token"]}


def refresh(c):
    p = parties[c["id"]]
    token = p.session.refresh_token(p.endpoints["token_endpoint"], refresh_token=c["token"])
    return {"access": token["access_token"], "refresh": token["refresh_token"]}


def introspect(c):
    p = parties[c["id"]]
    answer = p.session.introspect_token(p.endpoints["introspection_endpoint"], token=c["token"])
    answer.raise_for_status()
    return {"said": answer.json()}


def revoke(c):
    p = parties[c["id"]]
    p.session.revoke_token(p.endpoints["revocation_endpoint"], token=c["token"]).raise_for_status()
    return {}


for line in sys.stdin:
    command = json.loads(line)
    try:
        answer = globals()[command["do"]](command)
    except Exception as e:
        answer = {"error": getattr(e, "error", None) or type(e).__name__, "said": str(e)}
    print(json.dumps(answer), flush=True)
