package saml2

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"testing"
)

// A fixedKey is a signer of whatever signature and public key a test gives it.
type fixedKey struct {
	public    crypto.PublicKey
	signature []byte
	err       error
}

func (k fixedKey) Public() crypto.PublicKey { return k.public }
func (k fixedKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return k.signature, k.err
}

func der(t *testing.T, r, s *big.Int) []byte {
	t.Helper()
	text, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestRawECDSA(t *testing.T) {
	small, large := big.NewInt(1), new(big.Int).Lsh(big.NewInt(0xff), 248)
	tests := []struct {
		name string
		key  fixedKey
		want []byte
	}{
		{"short r, long s", fixedKey{signature: der(t, small, large)}, append(append(make([]byte, 31), 1, 0xff), make([]byte, 31)...)},
		{"the key fails", fixedKey{err: errors.New("module")}, nil},
		{"nothing", fixedKey{}, nil},
		{"more than a signature", fixedKey{signature: append(der(t, small, small), 0)}, nil},
		{"zero", fixedKey{signature: der(t, new(big.Int), small)}, nil},
		{"negative", fixedKey{signature: der(t, small, big.NewInt(-1))}, nil},
		{"of a larger curve", fixedKey{signature: der(t, small, new(big.Int).Lsh(small, 256))}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := rawECDSA{Signer: test.key, size: 32}.Sign(nil, nil, crypto.SHA256)
			if !bytes.Equal(got, test.want) || (err == nil) != (test.want != nil) {
				t.Errorf("%x, %v", got, err)
			}
		})
	}
}

func TestOtherKeysAreRefused(t *testing.T) {
	if text, err := sign([]byte(`<a ID="x"/>`), fixedKey{public: ed25519.PublicKey(make([]byte, 32))}, nil); err == nil || text != nil {
		t.Errorf("%s, %v", text, err)
	}
}
