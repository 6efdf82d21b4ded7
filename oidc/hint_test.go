package oidc

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/oidc/client"
)

// TestO4RequestObjectKeys: which keys verify a request object. One that a client gave out for encryption signs nothing in its name, and
// a token that names no key, which any stranger sends through a browser, costs no verification with each of 32.
func TestO4RequestObjectKeys(t *testing.T) {
	own, sealing := key(t), key(t)
	of := func(id string, keys ...jose.JSONWebKey) client.Registration {
		return web(t, func(r *client.Registration) {
			r.ID, r.JWKS, r.RequestObjectAlgorithm = id, client.KeySet(must(json.Marshal(jose.JSONWebKeySet{Keys: keys}))), "ES256"
			r.Authentication = client.AuthenticationRegistration{Method: client.PrivateKeyJWT, Algorithms: []string{"ES256"}}
		})
	}
	public := func(k *ecdsa.PrivateKey, kid, use string) jose.JSONWebKey {
		return jose.JSONWebKey{Key: k.Public(), KeyID: kid, Use: use}
	}
	several := func(n int) (all []jose.JSONWebKey) {
		for i := range n - 1 {
			all = append(all, public(key(t), fmt.Sprint(i), "sig"))
		}
		return append(all, public(own, "own", "sig"))
	}
	h := openHouse(t, nil, web(t), of("one", public(own, "own", ""), public(sealing, "sealing", "enc")), of("four", several(4)...), of("five", several(5)...))
	for name, c := range map[string]struct {
		client, kid string
		signer      *ecdsa.PrivateKey
		want        bool
	}{
		"its key":                               {"one", "own", own, true},
		"its key, not named":                    {"one", "", own, true},
		"a key for encryption":                  {"one", "sealing", sealing, false},
		"a key for encryption, not named":       {"one", "", sealing, false},
		"the last of as many as are tried":      {"four", "", own, true},
		"the last of more":                      {"five", "", own, false},
		"the last of more, by its name":         {"five", "own", own, true},
		"another's, of as many as are tried":    {"four", "", sealing, false},
		"another's, under the name of its key":  {"four", "own", sealing, false},
		"its key, under the name of another's":  {"five", "0", own, false},
		"its key, under a name that nobody has": {"five", "9", own, false},
	} {
		header := map[jose.HeaderKey]any{}
		if c.kid != "" {
			header["kid"] = c.kid
		}
		object := sign(t, jose.ES256, c.signer, header, map[string]any{"iss": c.client, "aud": h.config.Issuer, "client_id": c.client,
			"exp": time.Now().Add(time.Minute).Unix(), "jti": random()})
		form := url.Values{}
		if err := h.requestObject(t.Context(), h.config.Clients.Client(c.client), form, object); (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
