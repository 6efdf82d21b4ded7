package sdjwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/oidc/internal/strictjson"
)

const maxPath = 6 // certificates in x5c

var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.PS256, jose.PS384, jose.PS512, jose.RS256,
	jose.RS384, jose.RS512}

// A token is a signed JWT that was read and not verified.
type token struct {
	jws      *jose.JSONWebSignature
	alg, kid string
	path     []*x509.Certificate // x5c; nil where there is none
	claims   map[string]any
}

// read reads a token of a type, compared exactly: a token made for another purpose is none (RFC 8725 3.11).
func read(raw, typ string) (*token, error) {
	jws, err := jose.ParseSignedCompact(raw, algorithms)
	if unexpected := new(jose.ErrUnexpectedSignatureAlgorithm); errors.As(err, &unexpected) {
		return nil, refuse(BadAlgorithm, "%.20q", unexpected.Got)
	}
	if err != nil {
		return nil, refuse(Malformed, "no signed JWT")
	}
	text, err := base64.RawURLEncoding.DecodeString(raw[:strings.IndexByte(raw, '.')])
	if err != nil {
		return nil, refuse(Malformed, "no signed JWT")
	}
	h, err := strictjson.Object(text)
	if err != nil {
		return nil, &Error{Reason: Malformed, Cause: err}
	}
	if h["typ"] != typ {
		return nil, refuse(BadType, "typ is not %s", typ)
	}
	if _, there := h["crit"]; there { // RFC 7515 4.1.11: none is understood here
		return nil, refuse(Malformed, "a critical header parameter")
	}
	t := &token{jws: jws, alg: jws.Signatures[0].Protected.Algorithm}
	t.kid, _ = h["kid"].(string)
	if x5c, there := h["x5c"]; there {
		if t.path, err = pathOf(x5c); err != nil {
			return nil, &Error{Reason: Malformed, Cause: err}
		}
	}
	if t.claims, err = strictjson.Object(jws.UnsafePayloadWithoutVerification()); err != nil {
		return nil, &Error{Reason: Malformed, Cause: err}
	}
	return t, nil
}

func pathOf(v any) ([]*x509.Certificate, error) {
	list, _ := v.([]any)
	if len(list) == 0 || len(list) > maxPath {
		return nil, errors.New("x5c is no path of certificates")
	}
	var path []*x509.Certificate
	for _, v := range list {
		text, _ := v.(string)
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, errors.New("x5c is no path of certificates")
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, errors.New("x5c is no path of certificates")
		}
		path = append(path, c)
	}
	return path, nil
}

// verify says whether the key made the token.
func (t *token) verify(key jose.JSONWebKey) error {
	if key.Algorithm != "" && key.Algorithm != t.alg || !fits(key.Key, t.alg) {
		return refuse(BadAlgorithm, "%s does not fit the key", t.alg)
	}
	if _, err := t.jws.Verify(key.Key); err != nil {
		return refuse(BadSignature, "with the key that should have made it")
	}
	return nil
}

// fits says whether a key may verify signatures of an algorithm: of its kind, long enough, and not so long that it takes seconds.
func fits(key any, alg string) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= 2048 && k.N.BitLen() <= 8192 && (alg[:2] == "RS" || alg[:2] == "PS")
	case *ecdsa.PublicKey:
		return alg == map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[k.Params().BitSize]
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

func (t *token) text(name string) (string, error) {
	s, _ := t.claims[name].(string)
	if s == "" {
		return "", refuse(BadClaim, "%s", name)
	}
	return s, nil
}

// instant reads a NumericDate.
func (t *token) instant(name string) (at time.Time, there bool, err error) {
	v, there := t.claims[name]
	if !there {
		return time.Time{}, false, nil
	}
	n, _ := v.(json.Number)
	f, err := n.Float64()
	if err != nil || f < 0 || f > 1<<40 {
		return time.Time{}, true, refuse(BadClaim, "%s", name)
	}
	return time.Unix(int64(math.Floor(f)), 0), true, nil
}
