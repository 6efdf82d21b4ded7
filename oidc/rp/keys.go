package rp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

const (
	maxKeys   = 100 // of a set
	leastRSA  = 2048
	mostRSA   = 8192
	maxKeyID  = 256
	maxHeader = 8 << 10
)

// A keySet is the keys of a provider at a moment.
type keySet struct{ keys []jose.JSONWebKey }

// fetchKeys reads the provider's key set.
func (p *Provider) fetchKeys(ctx context.Context) (*keySet, error) {
	m, err := p.metadata(ctx)
	if err != nil {
		return nil, err
	}
	body, err := p.get(ctx, m.Keys, "application/jwk-set+json, application/json", nil)
	if err != nil {
		return nil, err
	}
	return parseKeys(body)
}

// parseKeys takes from a set what may verify: keys of other kinds, and weak ones, are as if they were not there.
func parseKeys(body []byte) (*keySet, error) {
	all, err := ParseClaims(body)
	if err != nil {
		return nil, refuse(Unavailable, "key set: %w", err)
	}
	var list []json.RawMessage
	if !all.Decode("keys", &list) {
		return nil, refuse(Unavailable, "key set: no keys")
	}
	if len(list) > maxKeys {
		return nil, refuse(Unavailable, "key set: more than %d keys", maxKeys)
	}
	set := new(keySet)
	for _, raw := range list {
		var k jose.JSONWebKey
		if json.Unmarshal(raw, &k) != nil || !k.Valid() || k.Use != "" && k.Use != "sig" || len(k.KeyID) > maxKeyID {
			continue
		}
		switch k = k.Public(); key := k.Key.(type) {
		case *rsa.PublicKey:
			if key.N.BitLen() < leastRSA || key.N.BitLen() > mostRSA {
				continue
			}
		case *ecdsa.PublicKey:
			if key.Curve != elliptic.P256() {
				continue
			}
		default:
			continue
		}
		set.keys = append(set.keys, k)
	}
	return set, nil
}

// find gives the keys with which a token may be signed: those of its kid; without kid the only one that fits (OpenID Connect
// Core 10.1).
func (s *keySet) find(kid, algorithm string) []jose.JSONWebKey {
	var found []jose.JSONWebKey
	for _, k := range s.keys {
		_, isRSA := k.Key.(*rsa.PublicKey)
		if isRSA == (algorithm == oidc.ES256) || k.Algorithm != "" && k.Algorithm != algorithm || kid != "" && k.KeyID != kid {
			continue
		}
		found = append(found, k)
	}
	if kid == "" && len(found) != 1 {
		return nil
	}
	return found
}

// A header is what a JWT says of its signature.
type header struct{ algorithm, kid, typ string }

// parseHeader reads the protected header of a JWT in the compact form and refuses every form but the plain one: the JSON
// serialization with its unprotected headers, encryption, and every parameter that brings a key (jwk), says where one lies (jku,
// x5u), or changes what is signed (crit, b64, zip).
func parseHeader(token string, algorithms []string) (header, error) {
	if len(token) > maxTokenOctets {
		return header{}, errors.New("too long")
	}
	parts := strings.Split(token, ".")
	if len(parts) == 5 {
		return header{}, errors.New("encrypted")
	}
	if len(parts) != 3 || len(parts[0]) > maxHeader {
		return header{}, errors.New("no JWT")
	}
	var first []byte
	for i, part := range parts {
		octets, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil || strings.ContainsAny(part, "\r\n") {
			return header{}, errors.New("no JWT")
		}
		if i == 0 {
			first = octets
		}
	}
	members, err := ParseClaims(first)
	if err != nil {
		return header{}, errors.New("header: no JSON object, or a name twice")
	}
	for _, name := range []string{"jwk", "jku", "x5u", "crit", "b64", "zip", "enc"} {
		if members.Has(name) {
			return header{}, errors.New("header: " + name)
		}
	}
	h := header{members.String("alg"), members.String("kid"), members.String("typ")}
	switch {
	case members.Has("kid") && (h.kid == "" || len(h.kid) > maxKeyID):
		return header{}, errors.New("header: kid")
	case members.Has("typ") && h.typ == "":
		return header{}, errors.New("header: typ")
	}
	for _, a := range algorithms {
		if h.algorithm == a {
			return h, nil
		}
	}
	return header{}, errors.New("header: alg is none of those admitted")
}

// verifySignature gives what a key of the provider signed. An unknown kid makes the set be asked for
// anew, once within the pause, however many such come.
func (p *Provider) verifySignature(ctx context.Context, token string) ([]byte, error) {
	h, err := parseHeader(token, p.c.Algorithms)
	if err != nil {
		return nil, err
	}
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(h.algorithm)})
	if err != nil {
		return nil, errors.New("no JWT")
	}
	set, err := p.keys.get(ctx, p.c.Now, false, p.fetchKeys)
	if err != nil {
		return nil, err
	}
	candidates := set.find(h.kid, h.algorithm)
	if len(candidates) == 0 {
		if set, err = p.keys.get(ctx, p.c.Now, true, p.fetchKeys); err != nil {
			return nil, err
		}
		candidates = set.find(h.kid, h.algorithm)
	}
	for _, k := range candidates {
		if payload, err := parsed.Verify(k.Key); err == nil {
			return payload, nil
		}
	}
	if len(candidates) == 0 {
		return nil, errors.New("no key of the provider has this kid and fits")
	}
	return nil, errors.New("the signature does not verify")
}

// signedBy is the provider's keys for go-oidc.
type signedBy struct{ p *Provider }

func (s signedBy) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	return s.p.verifySignature(ctx, token)
}
