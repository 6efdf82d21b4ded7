//go:build unix

package bridge_test

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/internal/testpki"
	"sceau/oidc/bridge"
	"sceau/saml"
)

// nothing is a recorder that keeps nothing: what the journal costs, package audit measures.
type nothing struct{}

func (nothing) Record(context.Context, *bridge.Event) error { return nil }

// verification and signing give one raw public-key operation with a key, as the standard library makes it.
func verification(b testing.TB, key crypto.Signer) func() {
	sum := sha256.Sum256([]byte("a token"))
	value, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		b.Fatal(err)
	}
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
		return func() {
			if rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], value) != nil {
				b.Fatal("signature")
			}
		}
	case *ecdsa.PublicKey:
		return func() {
			if !ecdsa.VerifyASN1(public, sum[:], value) {
				b.Fatal("signature")
			}
		}
	}
	b.Fatal("key")
	return nil
}

func signing(b testing.TB, key crypto.Signer) func() {
	sum := sha256.Sum256([]byte("a token"))
	return func() {
		if _, err := key.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkExchange measures an exchange of an assertion for a token and back, and in the same run its public-key operations alone, alternating in
// short turns so that a noisy machine is noisy for both. The metric "ratio" is the exchange by the operations, of the tenth of the turns in which both together
// took the least: what disturbs a machine only adds.
func BenchmarkExchange(b *testing.B) {
	pki := testpki.Load()
	keys := map[string]struct {
		sts *testpki.Leaf
		jwt bridge.SigningKey
	}{
		"RSA-RS256":  {&pki.STS, bridge.SigningKey{ID: "rsa", Algorithm: jose.RS256, Key: pki.STS.Key}},
		"RSA-ES256":  {&pki.STS, bridge.SigningKey{ID: "ec", Algorithm: jose.ES256, Key: pki.STSP256.Key}},
		"P256-ES256": {&pki.STSP256, bridge.SigningKey{ID: "ec", Algorithm: jose.ES256, Key: pki.STSP256.Key}},
	}
	for name, k := range keys {
		for _, policies := range []string{"rules", "cedar"} {
			make := func(b *testing.B) *rig {
				r := newRig(b, func(c *bridge.Config) {
					c.Recorder, c.Policy = nothing{}, exchangeRules(b)
					if policies == "cedar" {
						c.Policy = cedarPolicies(b, "swk")
					}
					c.Assertions.Signing = func(time.Time) (bridge.Signing, error) {
						return bridge.Signing{Signer: signer(b, k.sts), NotBefore: testpki.NotBefore(), NotAfter: testpki.NotAfter()}, nil
					}
				})
				r.tokens.Sign = func(time.Time) (bridge.SigningKey, error) { return k.jwt, nil }
				return r
			}
			b.Run(fmt.Sprintf("saml1-to-token/%s/%s", name, policies), func(b *testing.B) {
				r := make(b)
				assertion, err := saml.AppendAssertion(nil, r.issue(), signer(b, k.sts))
				if err != nil {
					b.Fatal(err)
				}
				f := r.samlForm(assertion, "scope", "records")
				verify, sign := verification(b, k.sts.Key), signing(b, k.jwt.Key)
				compare(b, func() { r.must(f) }, func() { verify(); sign() })
			})
			if policies == "cedar" {
				continue // the example asks for a method that its tokens do not have
			}
			b.Run(fmt.Sprintf("token-to-saml1/%s/%s", name, policies), func(b *testing.B) {
				r := make(b)
				f := r.tokenForm(r.accessToken(nil), "requested_token_type", bridge.SAML1.String())
				verify, sign := verification(b, k.jwt.Key), signing(b, k.sts.Key)
				compare(b, func() { r.must(f) }, func() { verify(); sign() })
			})
		}
	}
}

// compare runs both in turns of sixteen and reports what one costs by the other, in time of the processors, that of the collector included.
func compare(b *testing.B, exchange, operations func()) {
	for range 16 { // what is parsed and verified once is warm
		exchange()
		operations()
	}
	b.ReportAllocs()
	var turns [][2]time.Duration
	for b.Loop() {
		start := processors(b)
		for range 16 {
			exchange()
		}
		middle := processors(b)
		for range 16 {
			operations()
		}
		turns = append(turns, [2]time.Duration{middle - start, processors(b) - middle})
	}
	slices.SortFunc(turns, func(a, b [2]time.Duration) int { return cmp.Compare(a[0]+a[1], b[0]+b[1]) })
	turns = turns[:(len(turns)+9)/10]
	var whole, raw time.Duration
	for _, t := range turns {
		whole, raw = whole+t[0], raw+t[1]
	}
	n := float64(16 * len(turns))
	b.ReportMetric(float64(whole.Nanoseconds())/n, "ns/exchange")
	b.ReportMetric(float64(raw.Nanoseconds())/n, "ns/operations")
	b.ReportMetric(float64(whole)/float64(raw), "ratio")
}

// processors is the time of the processors that this process used.
func processors(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
