package wsp_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"testing"
	"time"

	"sceau/internal/testpki"
	"sceau/wsp"
)

// verifier gives one verification with a key, as the standard library makes it: what the
// Guard's own allocations are measured against.
func verification(t testing.TB, key crypto.Signer) func() {
	t.Helper()
	sum := sha256.Sum256([]byte("a message"))
	value, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
		return func() {
			if rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], value) != nil {
				t.Fatal("signature")
			}
		}
	case *ecdsa.PublicKey:
		return func() {
			if !ecdsa.VerifyASN1(public, sum[:], value) {
				t.Fatal("signature")
			}
		}
	}
	t.Fatal("key")
	return nil
}

type pair struct {
	name        string
	holder, sts *testpki.Leaf
}

func pairs() []pair {
	pki := testpki.Load()
	return []pair{{"RSA", &pki.AliceEHealth, &pki.STS}, {"P-256", &pki.AliceEHealthP256, &pki.STSP256}}
}

// calls makes different calls with one assertion.
func calls(t testing.TB, p pair, n int) [][]byte {
	t.Helper()
	assertion := issue(t, aliceIssue(p.holder.DER), p.sts)
	all := make([][]byte, n)
	for i := range all {
		all[i] = call(t, assertion, p.holder.Key, now.Add(time.Duration(i)*time.Millisecond))
	}
	return all
}

// warm is a Guard that remembers the assertion of the calls.
func warm(t testing.TB, first []byte) *wsp.Guard {
	t.Helper()
	certificates := trust(t)
	g := guard(t, func(c *wsp.Config) {
		c.Certificates, c.Replay = certificates, forgetful{}
		c.Require = []wsp.Requirement{{Designator: doctor, Values: []string{"true"}}}
	})
	for range 3 {
		if _, err := g.Admit(first, now); err != nil {
			t.Fatal(err)
		}
		g.Settle()
		certificates.Settle()
	}
	return g
}

// TestAllocations: of our own, a call with a remembered assertion costs the Caller and
// its body.
func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	for _, p := range pairs() {
		t.Run(p.name, func(t *testing.T) {
			message := calls(t, p, 1)[0]
			g := warm(t, message)
			crypto := testing.AllocsPerRun(200, verification(t, p.holder.Key))
			all := testing.AllocsPerRun(200, func() {
				if _, err := g.Admit(message, now); err != nil {
					t.Fatal(err)
				}
			})
			t.Logf("%.0f allocations, %.0f of them in crypto", all, crypto)
			if own := all - crypto; own > 2 {
				t.Errorf("%.0f allocations of our own, want the Caller and its body", own)
			}
		})
	}
}

func BenchmarkAdmit(b *testing.B) {
	for _, p := range pairs() {
		message := calls(b, p, 1)[0]
		b.Run(p.name+"/warm", func(b *testing.B) {
			g := warm(b, message)
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := g.Admit(message, now); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(p.name+"/cold", func(b *testing.B) { // the assertion is verified anew, the certificates are known
			g := guard(b, func(c *wsp.Config) { c.Replay, c.CacheBytes = forgetful{}, -1 })
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := g.Admit(message, now); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(p.name+"/floor", func(b *testing.B) { // one verification and SHA-256 of the same octets
			verify := verification(b, p.holder.Key)
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			for b.Loop() {
				verify()
				sha256.Sum256(message)
			}
		})
	}
}
