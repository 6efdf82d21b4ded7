package certs_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// says makes a responder's voice: every certificate has one status, at the clock's moment.
func says(tb testing.TB, ca *minipki.Authority, now func() time.Time, status int) func(inquiry) ([]byte, error) {
	return func(q inquiry) ([]byte, error) {
		der, err := ca.OCSP(statement(q, now(), status))
		if err != nil {
			tb.Error(err)
		}
		return der, nil
	}
}

func newVerifier(tb testing.TB, c certs.Config) *certs.Verifier {
	tb.Helper()
	v, err := certs.NewVerifier(c)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

var off = certs.Revocation{Mode: certs.Off}

// TestOCSPBesideCRL: the joined table from end to end, with real lists and answers.
func TestOCSPBesideCRL(t *testing.T) {
	pki := testpki.Load()
	ca, alice := pki.CitizenCA, pki.AliceEID.DER
	broken := func(inquiry) ([]byte, error) { return []byte("no answer"), nil }
	type outcome struct {
		status certs.RevocationStatus
		reason certs.Reason
	}
	var (
		revoked, unknown = outcome{0, certs.Revoked}, outcome{0, certs.RevocationUnknown}
		cleared          = outcome{certs.Cleared, 0}
		notChecked       = outcome{certs.NotChecked, 0}
		late             = outcome{certs.ClearedLate, 0}
	)
	for _, tt := range []struct {
		name       string
		policy     certs.Revocation
		crl        func(now time.Time) *minipki.CRL
		voice      string // of the responder: good, revoked, unknown, broken
		soft, hard outcome
	}{
		{"CRL clears, good", certs.Revocation{}, fresh(), "good", cleared, cleared},
		{"CRL clears, revoked", certs.Revocation{}, fresh(), "revoked", revoked, revoked},
		{"CRL clears, unknown", certs.Revocation{}, fresh(), "unknown", cleared, unknown},
		{"CRL clears, no answer", certs.Revocation{}, fresh(), "broken", cleared, unknown},
		{"CRL lists, good", certs.Revocation{}, fresh(alice), "good", revoked, revoked},
		{"no CRL, good", certs.Revocation{}, nil, "good", unknown, unknown},
		{"no CRL, revoked", certs.Revocation{}, nil, "revoked", revoked, revoked},
		{"late CRL in its grace, good", certs.Revocation{Mode: certs.Grace, Grace: 48 * time.Hour}, stale(), "good", cleared, cleared},
		{"late CRL in its grace, no answer", certs.Revocation{Mode: certs.Grace, Grace: 48 * time.Hour}, stale(), "broken", late, unknown},
		{"off, good", off, nil, "good", cleared, cleared},
		{"off, revoked", off, nil, "revoked", revoked, revoked},
		{"off, unknown", off, nil, "unknown", notChecked, unknown},
		{"off, no answer", off, nil, "broken", notChecked, unknown},
	} {
		for mode, want := range map[certs.OCSPMode]outcome{certs.OCSPSoft: tt.soft, certs.OCSPHard: tt.hard} {
			t.Run(fmt.Sprintf("%s, %s", tt.name, mode), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					now := since()
					voice := map[string]func(inquiry) ([]byte, error){
						"good": says(t, ca, now, minipki.OCSPGood), "revoked": says(t, ca, now, minipki.OCSPRevoked),
						"unknown": says(t, ca, now, minipki.OCSPUnknown), "broken": broken,
					}[tt.voice]
					c := asking(ca, tt.policy, now, newResponder(t, voice), certs.OCSP{Mode: mode})
					if tt.crl != nil {
						c.CRL.Files = []string{files(t, sign(t, ca, *tt.crl(now())))}
					}
					v := newVerifier(t, c)
					defer v.Close()
					asks(t, v, alice, now())
					synctest.Wait()
					id, reason := asks(t, v, alice, now())
					if got := (outcome{id.Revocation(), reason}); got != want {
						t.Errorf("%+v, want %+v", got, want)
					}
				})
			})
		}
	}
}

func fresh(revoked ...[]byte) func(time.Time) *minipki.CRL {
	return func(time.Time) *minipki.CRL { c := list(revoked...); return &c }
}

func stale() func(time.Time) *minipki.CRL {
	return func(now time.Time) *minipki.CRL {
		c := list()
		c.ThisUpdate, c.NextUpdate = now.Add(-48*time.Hour), now.Add(-24*time.Hour)
		return &c
	}
}

// TestOCSPReplay (K3): an answer that was good once, played again when the
// certificate is revoked, would have made it good for as long as it lasts.
func TestOCSPReplay(t *testing.T) {
	pki := testpki.Load()
	synctest.Test(t, func(t *testing.T) {
		now := since()
		ca, alice := pki.CitizenCA, pki.AliceEID.DER
		var recorded []byte
		network := newResponder(t, func(q inquiry) ([]byte, error) {
			o := statement(q, now(), minipki.OCSPGood)
			o.Singles[0].NextUpdate = now().Add(100 * time.Hour)
			var err error
			recorded, err = ca.OCSP(o)
			return recorded, err
		})
		v := newVerifier(t, asking(ca, off, now, network, certs.OCSP{Mode: certs.OCSPHard}))
		defer v.Close()
		asks(t, v, alice, now())
		synctest.Wait()
		if _, reason := asks(t, v, alice, now()); reason != 0 {
			t.Fatalf("good: %v", reason)
		}
		before := v.Epoch()
		network.say(says(t, ca, now, minipki.OCSPRevoked))
		time.Sleep(13 * time.Hour) // Refresh is twelve
		synctest.Wait()
		if _, reason := asks(t, v, alice, now()); reason != certs.Revoked {
			t.Fatalf("revoked: %v", reason)
		}
		if v.Epoch() == before {
			t.Error("the epoch did not grow when a certificate was revoked")
		}
		asked := network.asked.Load()
		network.say(func(inquiry) ([]byte, error) { return recorded, nil })
		time.Sleep(20 * time.Hour)
		synctest.Wait()
		if _, reason := asks(t, v, alice, now()); reason != certs.Revoked {
			t.Errorf("an old answer took a revocation back: %v", reason)
		}
		if s := v.Status(now()).Authorities[0].OCSP; network.asked.Load() == asked || certs.ReasonOf(s.Responders[0].LastError) != certs.RolledBack {
			t.Errorf("%+v", s)
		}
	})
}

// TestOCSPIntermediate (K4): an intermediate is asked about like any other.
func TestOCSPIntermediate(t *testing.T) {
	pki := testpki.Load()
	synctest.Test(t, func(t *testing.T) {
		now := since()
		gate := make(chan struct{})
		revoked := says(t, pki.CitizenRoot, now, minipki.OCSPRevoked)
		network := newResponder(t, func(q inquiry) ([]byte, error) {
			<-gate
			return revoked(q)
		})
		c := asking(pki.CitizenRoot, off, now, network, certs.OCSP{Mode: certs.OCSPSoft})
		c.Profiles[0].Intermediates = []*certs.Authority{{Certificate: pki.CitizenCA.DER(), Revocation: off}}
		v := newVerifier(t, c)
		defer v.Close()
		if _, reason := asks(t, v, pki.AliceEID.DER, now()); reason != 0 {
			t.Fatalf("soft, before any answer: %v", reason)
		}
		close(gate)
		synctest.Wait()
		if _, reason := asks(t, v, pki.AliceEID.DER, now()); reason != certs.Revoked {
			t.Errorf("intermediate is revoked: %v", reason)
		}
	})
}

// TestOCSPNeverWaits: a request comes back while the responder still hangs. Were
// it to wait, this test would never end.
func TestOCSPNeverWaits(t *testing.T) {
	pki := testpki.Load()
	for _, mode := range []certs.OCSPMode{certs.OCSPSoft, certs.OCSPHard} {
		release, asked := make(chan struct{}), make(chan struct{}, 1)
		network := roundTrip(func(r *http.Request) (*http.Response, error) {
			asked <- struct{}{}
			select { // the test ends it: no time-out does
			case <-release:
			case <-r.Context().Done():
			}
			return nil, errors.New("reset")
		})
		c := asking(pki.CitizenCA, off, testpki.Now, network, certs.OCSP{Mode: mode})
		c.OCSP.Timeout = time.Hour
		v := newVerifier(t, c)
		first, reason := asks(t, v, pki.AliceEID.DER, testpki.Now())
		<-asked // it hangs now
		for range 100 {
			if again, r := asks(t, v, pki.AliceEID.DER, testpki.Now()); r != reason || again.Revocation() != first.Revocation() {
				t.Errorf("%v: %v, then %v", mode, reason, r)
			}
		}
		if want := map[certs.OCSPMode]certs.Reason{certs.OCSPSoft: 0, certs.OCSPHard: certs.RevocationUnknown}[mode]; reason != want {
			t.Errorf("%v: %v", mode, reason)
		}
		close(release)
		v.Close()
	}
}

// TestOCSPWait: with a Wait, the first request for a certificate is answered at
// once, and a hundred that come together ask once.
func TestOCSPWait(t *testing.T) {
	pki := testpki.Load()
	synctest.Test(t, func(t *testing.T) {
		now := since()
		release := make(chan struct{})
		good := says(t, pki.CitizenCA, now, minipki.OCSPGood)
		network := newResponder(t, func(q inquiry) ([]byte, error) {
			<-release
			return good(q)
		})
		v := newVerifier(t, asking(pki.CitizenCA, off, now, network, certs.OCSP{Mode: certs.OCSPHard, Wait: 5 * time.Second}))
		defer v.Close()
		leaf, err := v.Parse(pki.AliceEID.DER)
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		var ended atomic.Int64
		for range 100 {
			group.Go(func() {
				if id, err := v.Identify(certs.RoleIdentity, leaf, nil, now()); err != nil || id.Revocation() != certs.Cleared {
					t.Error(err)
				}
				ended.Add(1)
			})
		}
		synctest.Wait()
		if n := ended.Load(); n != 0 || network.asked.Load() != 1 {
			t.Errorf("%d ended, %d questions, before the answer", n, network.asked.Load())
		}
		close(release)
		group.Wait()
		if n := network.asked.Load(); n != 1 {
			t.Errorf("%d questions", n)
		}
	})
}

// TestOCSPWaitEnds: a request waits for Wait at most; and when the first try has
// ended without an answer, nobody waits any more.
func TestOCSPWaitEnds(t *testing.T) {
	pki := testpki.Load()
	synctest.Test(t, func(t *testing.T) {
		now := since()
		network := roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		c := asking(pki.CitizenCA, off, now, network, certs.OCSP{Mode: certs.OCSPHard, Wait: 2 * time.Second})
		c.OCSP.Timeout = 3 * time.Second
		v := newVerifier(t, c)
		defer v.Close()
		for _, want := range []time.Duration{2 * time.Second, time.Second, 0, 0} { // the time-out ends the first try
			began := now()
			if _, reason := asks(t, v, pki.AliceEID.DER, now()); reason != certs.RevocationUnknown {
				t.Errorf("%v", reason)
			}
			if took := now().Sub(began); took != want { // the bubble's clock: exact
				t.Errorf("waited %v, want %v", took, want)
			}
		}
	})
}

// TestOCSPReload: answers outlive a Reload in which the authority stays, and what
// is known of its responders too; what a signer said that is pinned no longer does not.
func TestOCSPReload(t *testing.T) {
	pki := testpki.Load()
	synctest.Test(t, func(t *testing.T) {
		now := since()
		key := pki.OtherKeyP256()
		delegate := issue(t, pki.CitizenCA, minipki.OCSPResponder(minipki.DN("CN", "TEST responder")), key.Public())
		network := newResponder(t, func(q inquiry) ([]byte, error) {
			o := statement(q, now(), minipki.OCSPGood)
			o.Delegate, o.Key, o.OmitCertificate = delegate, key, true
			return pki.CitizenCA.OCSP(o)
		})
		pinned := certs.OCSP{Mode: certs.OCSPHard, Signers: [][]byte{delegate}}
		v := newVerifier(t, asking(pki.CitizenCA, off, now, network, pinned))
		defer v.Close()
		asks(t, v, pki.AliceEID.DER, now())
		synctest.Wait()
		if _, reason := asks(t, v, pki.AliceEID.DER, now()); reason != 0 {
			t.Fatalf("pinned signer: %v, %+v", reason, v.Status(now()).Authorities[0].OCSP)
		}
		network.say(func(inquiry) ([]byte, error) { return nil, errors.New("down") })
		if err := v.Reload(asking(pki.CitizenCA, off, now, network, pinned)); err != nil {
			t.Fatal(err)
		}
		if _, reason := asks(t, v, pki.AliceEID.DER, now()); reason != 0 {
			t.Errorf("after a reload: %v", reason)
		}
		if n := network.asked.Load(); n != 1 {
			t.Errorf("%d questions", n)
		}
		if err := v.Reload(asking(pki.CitizenCA, off, now, network, certs.OCSP{Mode: certs.OCSPHard})); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, reason := asks(t, v, pki.AliceEID.DER, now()); reason != certs.RevocationUnknown {
			t.Errorf("what an unpinned signer said: %v", reason)
		}
		if s := v.Status(now()).Authorities[0].OCSP; s.Responders[0].Fetches != 2 {
			t.Errorf("%+v", s)
		}
		if err := v.Reload(asking(pki.CitizenCA, off, now, network, certs.OCSP{})); certs.ReasonOf(err) != certs.Malformed {
			t.Errorf("an OCSP without a mode: %v", err)
		}
	})
}

// TestOCSPDelegateRevoked: a delegated responder whose certificate the CRL lists later
// loses its say at once, with nocheck too; what it called revoked stays revoked.
func TestOCSPDelegateRevoked(t *testing.T) {
	t.Run("without nocheck", func(t *testing.T) { testOCSPDelegateRevoked(t, false) })
	t.Run("with nocheck", func(t *testing.T) { testOCSPDelegateRevoked(t, true) })
}

func testOCSPDelegateRevoked(t *testing.T, noCheck bool) {
	pki := testpki.Load()
	for status, after := range map[int]certs.Reason{minipki.OCSPGood: certs.RevocationUnknown, minipki.OCSPRevoked: certs.Revoked} {
		synctest.Test(t, func(t *testing.T) {
			now := since()
			key := pki.OtherKeyP256()
			template := minipki.OCSPResponder(minipki.DN("CN", "TEST responder"))
			if !noCheck {
				template.Extra = nil
			}
			delegate := issue(t, pki.CitizenCA, template, key.Public())
			network := newResponder(t, func(q inquiry) ([]byte, error) {
				o := statement(q, now(), status)
				o.Delegate, o.Key = delegate, key
				return pki.CitizenCA.OCSP(o)
			})
			config := func(crl minipki.CRL) certs.Config {
				c := asking(pki.CitizenCA, certs.Revocation{}, now, network, certs.OCSP{Mode: certs.OCSPHard})
				c.CRL.Files = []string{files(t, sign(t, pki.CitizenCA, crl))}
				return c
			}
			v := newVerifier(t, config(list()))
			defer v.Close()
			asks(t, v, pki.AliceEID.DER, now())
			synctest.Wait()
			before := map[int]certs.Reason{minipki.OCSPRevoked: certs.Revoked}[status]
			if _, reason := asks(t, v, pki.AliceEID.DER, now()); reason != before {
				t.Fatalf("status %d: %v", status, reason)
			}
			newer := list(delegate)
			newer.Number = 6
			if err := v.Reload(config(newer)); err != nil {
				t.Fatal(err)
			}
			if _, reason := asks(t, v, pki.AliceEID.DER, now()); reason != after {
				t.Errorf("status %d, the responder is revoked: %v", status, reason)
			}
		})
	}
}

// TestOCSPSignersAreChecked: a pinned signer is held to the rules when the
// configuration is taken.
func TestOCSPSignersAreChecked(t *testing.T) {
	pki := testpki.Load()
	for name, der := range map[string][]byte{
		"a leaf":               pki.AliceEID.DER,
		"another authority's":  issue(t, pki.ForeignerCA, minipki.OCSPResponder(minipki.DN("CN", "r")), pki.OtherKeyP256().Public()),
		"of the same name":     issue(t, pki.StrangerCA, minipki.OCSPResponder(minipki.DN("CN", "r")), pki.OtherKeyP256().Public()),
		"not a certificate":    []byte("x"),
		"the authority itself": pki.CitizenCA.DER(),
	} {
		c := asking(pki.CitizenCA, off, testpki.Now, nil, certs.OCSP{Mode: certs.OCSPHard, Signers: [][]byte{der}})
		if v, err := certs.NewVerifier(c); err == nil || certs.ReasonOf(err) == 0 {
			t.Errorf("%s: %v", name, err)
			v.Close()
		}
	}
	c := asking(pki.CitizenCA, off, testpki.Now, nil, certs.OCSP{Mode: certs.OCSPHard})
	second := *c.Profiles[0].Roots[0]
	second.OCSP = nil
	c.Profiles[0].Intermediates = []*certs.Authority{&second}
	if _, err := certs.NewVerifier(c); certs.ReasonOf(err) != certs.NoTrust {
		t.Errorf("one authority with two policies: %v", err)
	}
}

// TestOCSPAllocations: a request for a certificate whose answer is kept costs no
// allocation, whoever signed the answer.
func TestOCSPAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	pki := testpki.Load()
	key := pki.OtherKeyP256()
	template := minipki.OCSPResponder(minipki.DN("CN", "TEST responder"))
	template.Extra = nil // its own revocation is asked each time
	delegate := issue(t, pki.CitizenCA, template, key.Public())
	for name, delegated := range map[string]bool{"by the authority": false, "by a delegate": true} {
		network := newResponder(t, func(q inquiry) ([]byte, error) {
			o := statement(q, testpki.Now(), minipki.OCSPGood)
			if delegated {
				o.Delegate, o.Key = delegate, key
			}
			return pki.CitizenCA.OCSP(o)
		})
		c := asking(pki.CitizenCA, certs.Revocation{}, testpki.Now, network, certs.OCSP{Mode: certs.OCSPHard, Wait: 10 * time.Second})
		c.CRL.Files = []string{files(t, sign(t, pki.CitizenCA, list()))}
		v := newVerifier(t, c)
		if _, reason := asks(t, v, pki.AliceEID.DER, testpki.Now()); reason != 0 {
			t.Fatalf("%s: %v", name, reason)
		}
		v.Settle()
		allocs := testing.AllocsPerRun(1000, func() {
			leaf, err := v.Parse(pki.AliceEID.DER)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := v.Identify(certs.RoleIdentity, leaf, nil, testpki.Now()); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
		v.Close()
	}
}

// TestOCSPExplainAsksNobody: who looks at a certificate does not tell a responder of it.
func TestOCSPExplainAsksNobody(t *testing.T) {
	pki := testpki.Load()
	ca, alice := pki.CitizenCA, pki.AliceEID.DER
	synctest.Test(t, func(t *testing.T) {
		now := since()
		voice := newResponder(t, says(t, ca, now, minipki.OCSPGood))
		v := newVerifier(t, asking(ca, off, now, voice, certs.OCSP{Mode: certs.OCSPHard, Wait: 5 * time.Second}))
		defer v.Close()
		leaf, err := v.Parse(alice)
		if err != nil {
			t.Fatal(err)
		}
		told := func() certs.Reason { return certs.ReasonOf(v.Explain(leaf, nil, now()).Profiles[0].Err) }
		if before := now(); told() != certs.RevocationUnknown || !now().Equal(before) {
			t.Errorf("%v after %v", told(), now().Sub(before))
		}
		synctest.Wait()
		if n := voice.asked.Load(); n != 0 || v.Status(now()).Authorities[0].OCSP.Kept != 0 {
			t.Errorf("%d questions", n)
		}
		if _, reason := asks(t, v, alice, now()); reason != 0 || told() != 0 {
			t.Errorf("identified: %v; explained: %v", reason, told())
		}
	})
}
