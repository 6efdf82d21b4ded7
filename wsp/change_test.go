package wsp_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"sceau/internal/testpki"
	"sceau/soap"
	"sceau/wsp"
)

// told is everything that a caller tells.
func told(c *wsp.Caller) string {
	var s strings.Builder
	from, to := c.Validity()
	method, at := c.Authentication()
	namespace, local := c.Operation()
	fmt.Fprintln(&s, c.AssertionID(), c.Issuer(), c.IssueInstant(), from, to, method, at, c.Subject(), c.Created(), namespace, local)
	fmt.Fprintf(&s, "%x %s\n", c.Holder().Certificate().Fingerprint(), c.Body())
	for a := range c.Attributes() {
		fmt.Fprintln(&s, a.Designator)
		for v := range a.Values() {
			fmt.Fprintf(&s, "%q\n", v)
		}
	}
	return s.String()
}

// TestSingleBitChanges: a message in which one bit was changed is refused, or admitted
// for exactly what it said before.
func TestSingleBitChanges(t *testing.T) {
	pki := testpki.Load()
	for name, c := range map[string]struct {
		holder, sts *testpki.Leaf
		memory      int64
	}{
		"RSA, remembered": {&pki.AliceEHealth, &pki.STS, 0},
		"RSA, anew":       {&pki.AliceEHealth, &pki.STS, -1},
		"P-256, anew":     {&pki.AliceEHealthP256, &pki.STSP256, -1},
	} {
		t.Run(name, func(t *testing.T) {
			g := guard(t, func(config *wsp.Config) { config.Replay, config.CacheBytes = forgetful{}, c.memory })
			message := call(t, issue(t, aliceIssue(c.holder.DER), c.sts), c.holder.Key, now)
			honest, err := g.Admit(message, now)
			if err != nil {
				t.Fatal(err)
			}
			want := told(honest)
			if c.memory >= 0 {
				g.Settle()
			}
			step := 1
			if raceDetector || testing.Short() {
				step = 31 // the race detector makes it ten times slower
			}
			workers := runtime.GOMAXPROCS(0)
			admitted := make([]int, workers)
			var wait sync.WaitGroup
			for w := range workers {
				wait.Go(func() {
					changed := append([]byte(nil), message...)
					for bit := w * step; bit < 8*len(message); bit += workers * step {
						changed[bit/8] ^= 1 << (bit % 8)
						if caller, err := g.Admit(changed, now); err == nil {
							admitted[w]++
							if got := told(caller); got != want {
								t.Errorf("bit %d of byte %d: tells something else:\n%s", bit%8, bit/8, got)
							}
						}
						changed[bit/8] ^= 1 << (bit % 8)
					}
				})
			}
			wait.Wait()
			total := 0
			for _, n := range admitted {
				total += n
			}
			t.Logf("%d of %d changes admitted, for the same", total, 8*len(message)/step)
		})
	}
}

// TestConcurrent admits and refuses from many goroutines.
func TestConcurrent(t *testing.T) {
	message := aliceCall(t)
	g := guard(t)
	var wait sync.WaitGroup
	admitted := make(chan struct{}, 64)
	for range 64 {
		wait.Go(func() {
			if c, err := g.Admit(message, now); err == nil {
				checkAlice(t, c)
				admitted <- struct{}{}
			} else if wsp.ReasonOf(err) != wsp.Replayed {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := len(admitted); n != 1 { // attacks.md R1
		t.Errorf("admitted %d times", n)
	}
}

// FuzzAdmit (its messages are long: give -fuzzminimizetime 1x): no message makes the Guard panic, and whatever is admitted tells what
// Alice's or Bob's honest message tells.
func FuzzAdmit(f *testing.F) {
	pki := testpki.Load()
	g := guard(f, func(c *wsp.Config) { c.Replay, c.CacheBytes = forgetful{}, -1 }) // the same road each time
	known := map[string]bool{}
	var assertions []string
	for _, c := range []struct{ holder, sts *testpki.Leaf }{
		{&pki.AliceEHealth, &pki.STS}, {&pki.AliceEHealthP256, &pki.STSP256}, {&pki.BobEHealth, &pki.STSP256},
	} {
		assertion := issue(f, aliceIssue(c.holder.DER), c.sts)
		for _, message := range [][]byte{
			call(f, assertion, c.holder.Key, now),
			[]byte(newDraft(string(assertion)).sign(f, c.holder.Key, assertionID, assertionID)),
		} {
			caller, err := g.Admit(message, now)
			if err != nil {
				f.Fatal(err)
			}
			known[told(caller)] = true
			f.Add(message)
		}
		assertions = append(assertions, string(assertion))
	}
	f.Add([]byte(newDraft(assertions[0]+assertions[2]).sign2(f, pki.BobEHealth.Key, assertionID)))
	f.Add([]byte(newDraft(forged(f, evilID, assertions[0])).sign2(f, pki.BobEHealth.Key, evilID)))
	f.Add([]byte(`<e:Envelope xmlns:e="` + soap.NamespaceEnvelope + `"/>`))
	f.Fuzz(func(t *testing.T, message []byte) {
		caller, err := g.Admit(message, now)
		if err != nil {
			if !caller.IsZero() || wsp.ReasonOf(err) == 0 || wsp.FaultOf(err).Code.Local == "" {
				t.Error(err)
			}
			return
		}
		if !known[told(caller)] {
			t.Errorf("tells what nobody said: %s", told(caller))
		}
	})
}
