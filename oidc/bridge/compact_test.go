package bridge_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/internal/testpki"
	"sceau/oidc/bridge"
)

// TestAlgorithms: what each kind of key signs, go-jose verifies, and only under its own algorithm.
func TestAlgorithms(t *testing.T) {
	pki := testpki.Load()
	for algorithm, leaf := range map[jose.SignatureAlgorithm]*testpki.Leaf{
		jose.ES256: &pki.STSP256, jose.ES384: &pki.AliceEIDP384, jose.RS256: &pki.STS, jose.RS384: &pki.STS, jose.RS512: &pki.STS,
		jose.PS256: &pki.STS, jose.PS384: &pki.STS, jose.PS512: &pki.STS,
	} {
		r := newRig(t)
		r.tokens.Sign = func(time.Time) (bridge.SigningKey, error) {
			return bridge.SigningKey{ID: `k"&`, Algorithm: algorithm, Key: leaf.Key}, nil
		}
		r.tokens.Keys = func(time.Time) []bridge.Key {
			return []bridge.Key{{ID: `k"&`, Algorithm: algorithm, Public: leaf.Key.Public()}}
		}
		for range 20 { // r and s of fewer octets come about
			text := r.accessToken(nil)
			jws, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{algorithm})
			if err != nil {
				t.Fatalf("%s: %v", algorithm, err)
			}
			if _, err := jws.Verify(leaf.Key.Public()); err != nil {
				t.Fatalf("%s: %v", algorithm, err)
			}
			if _, err := r.tokens.Verify(context.Background(), text, bridge.AccessToken, now); err != nil {
				t.Fatalf("%s: %v", algorithm, err)
			}
		}
	}
	for name, key := range map[string]bridge.SigningKey{
		"no key":            {ID: "x", Algorithm: jose.ES256},
		"no id":             {Algorithm: jose.ES256, Key: pki.STSP256.Key},
		"another algorithm": {ID: "x", Algorithm: jose.ES384, Key: pki.STSP256.Key},
		"a symmetric one":   {ID: "x", Algorithm: jose.HS256, Key: pki.STSP256.Key},
		"none":              {ID: "x", Algorithm: "none", Key: pki.STSP256.Key},
		"a key that fails":  {ID: "x", Algorithm: jose.ES256, Key: signs{pki.STSP256.Key, nil, errors.New("away")}},
		"a key that lies":   {ID: "x", Algorithm: jose.ES256, Key: signs{pki.STSP256.Key, []byte{0x30, 0}, nil}},
		"a value of zero":   {ID: "x", Algorithm: jose.ES256, Key: signs{pki.STSP256.Key, []byte{0x30, 6, 2, 1, 0, 2, 1, 1}, nil}},
		"a negative value":  {ID: "x", Algorithm: jose.ES256, Key: signs{pki.STSP256.Key, []byte{0x30, 6, 2, 1, 1, 2, 1, 0x80}, nil}},
		"more after it":     {ID: "x", Algorithm: jose.ES256, Key: signs{pki.STSP256.Key, []byte{0x30, 6, 2, 1, 1, 2, 1, 1, 0}, nil}},
		"a value too large": {ID: "x", Algorithm: jose.ES256, Key: signs{pki.STSP256.Key, append([]byte{0x30, 0x26, 2, 0x21, 1}, append(make([]byte, 32), 2, 1, 1)...), nil}},
	} {
		r := newRig(t)
		r.tokens.Sign = func(time.Time) (bridge.SigningKey, error) { return key, nil }
		r.refused(bridge.NotIssued, r.client(), r.samlForm(r.assertion(nil)))
		t.Log(name)
	}
	if _, ok := pki.STS.Key.Public().(*rsa.PublicKey); !ok {
		t.Error("the key of the tests is no RSA key")
	}
}

// signs is a key that signs what a test says.
type signs struct {
	crypto.Signer
	value []byte
	err   error
}

func (s signs) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return s.value, s.err }
