package opaque

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"sceau/internal/testpki"
)

// TestSalt verifies as Web Crypto does: with one length of the salt.
func TestSalt(t *testing.T) {
	key := testpki.Load().Organisation.Key
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.PS256, Key: Signer(key)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	i := strings.LastIndexByte(text, '.')
	signature, err := base64.RawURLEncoding.DecodeString(text[i+1:])
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(text[:i]))
	if err := rsa.VerifyPSS(key.Public().(*rsa.PublicKey), crypto.SHA256, digest[:], signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}); err != nil {
		t.Error(err)
	}
}
