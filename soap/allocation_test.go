package soap_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"testing"

	"sceau/internal/testpki"
	"sceau/soap"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

func canonical(t testing.TB, n xmltext.Node) string {
	t.Helper()
	out, err := c14n.Append(nil, n, c14n.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// quiet is a Keys and a ReplayState that do nothing.
type quiet struct{ key crypto.PublicKey }

func (q *quiet) Key(*soap.Token) (crypto.PublicKey, error) { return q.key, nil }

// TestAllocations: reading and verifying a message allocates what the public-key
// operation does and nothing more.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates, and sync.Pool drops at random under it")
	}
	pki := testpki.Load()
	for name, leaf := range map[string]*testpki.Leaf{"RSA": &pki.AliceEID, "P-256": &pki.AliceEIDP256, "P-384": &pki.AliceEIDP384} {
		t.Run(name, func(t *testing.T) {
			d := newDraft()
			d.leaf, d.token = leaf, binaryToken("http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3", leaf.DER)
			d.keyInfo = keyInfo(direct)
			message, config, policy, now := d.sign(t), config(), policy(), testpki.Now()
			var keys soap.Keys = &quiet{leaf.Key.Public()}
			ours := testing.AllocsPerRun(200, func() {
				e, err := soap.Parse(message, config)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := e.Verify(policy, keys, now); err != nil {
					t.Fatal(err)
				}
				e.Release()
			})
			hash := crypto.SHA256
			if name == "P-384" {
				hash = crypto.SHA384
			}
			h := hash.New()
			sum := sha256.Sum256(nil)
			h.Write(sum[:])
			octets := h.Sum(nil)
			value, err := leaf.Key.Sign(rand.Reader, octets, hash)
			if err != nil {
				t.Fatal(err)
			}
			theirs := testing.AllocsPerRun(200, func() {
				switch key := leaf.Key.Public().(type) {
				case *rsa.PublicKey:
					err = rsa.VerifyPKCS1v15(key, hash, octets, value)
				case *ecdsa.PublicKey:
					if !ecdsa.VerifyASN1(key, octets, value) {
						t.Fatal("signature")
					}
				}
				if err != nil {
					t.Fatal(err)
				}
			})
			if ours > theirs {
				t.Errorf("%v allocations, %v of them cryptography", ours, theirs)
			}
			t.Logf("%v allocations, %v of them cryptography", ours, theirs)
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	pki := testpki.Load()
	for _, c := range []struct {
		name string
		leaf *testpki.Leaf
	}{{"RSA-2048", &pki.AliceEID}, {"P-256", &pki.AliceEIDP256}} {
		d := newDraft()
		d.leaf, d.token = c.leaf, binaryToken("http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3", c.leaf.DER)
		message, config, policy, now := d.sign(b), config(), policy(), testpki.Now()
		var keys soap.Keys = &quiet{c.leaf.Key.Public()}
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			for b.Loop() {
				e, err := soap.Parse(message, config)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := e.Verify(policy, keys, now); err != nil {
					b.Fatal(err)
				}
				e.Release()
			}
		})
	}
}
