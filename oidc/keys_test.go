package oidc

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"io"
	"math/big"
	"testing"
)

// saying is a signer that says the same of everything.
type saying struct {
	crypto.Signer
	said []byte
}

func (s saying) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return s.said, nil }

// TestConcatenating: r and s of ASN.1 stand one behind the other in 32 octets each (RFC 7518 section 3.4), and what is no ECDSA signature on P-256 is refused.
func TestConcatenating(t *testing.T) {
	der := func(r, s *big.Int) []byte {
		text, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	one, most := big.NewInt(1), new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))
	more := new(big.Int).Add(most, one)
	for _, c := range []struct {
		name string
		der  []byte
		r, s *big.Int // nil: refused
	}{
		{"short", der(one, big.NewInt(0x80)), one, big.NewInt(0x80)},
		{"long", der(most, most), most, most},
		{"r too long", der(more, one), nil, nil},
		{"s too long", der(one, more), nil, nil},
		{"negative", der(big.NewInt(-1), one), nil, nil},
		{"something behind it", append(der(one, one), 0), nil, nil},
		{"padded", []byte{0x30, 7, 2, 2, 0, 1, 2, 1, 1}, nil, nil},
		{"three", []byte{0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1}, nil, nil},
		{"nothing", nil, nil, nil},
	} {
		got, err := concatenating{saying{said: c.der}}.Sign(rand.Reader, nil, crypto.SHA256)
		if c.r == nil {
			if err == nil {
				t.Errorf("%s: %x", c.name, got)
			}
			continue
		}
		want := append(c.r.FillBytes(make([]byte, 32)), c.s.FillBytes(make([]byte, 32))...)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x %v, want %x", c.name, got, err, want)
		}
	}
	own, sum := key(t), sha256.Sum256([]byte("x"))
	for range 300 { // short r and s come about once in 128
		if got, err := (concatenating{own}).Sign(rand.Reader, sum[:], crypto.SHA256); err != nil || len(got) != 64 {
			t.Fatalf("%x %v", got, err)
		}
	}
}
