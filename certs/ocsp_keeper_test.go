package certs_test

import (
	"errors"
	"math/big"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// TestOCSPRefresh: an answer is renewed before it ends, for a certificate that is
// still seen; one that nobody brings any more is forgotten.
func TestOCSPRefresh(t *testing.T) {
	pki := testpki.Load()
	synctest.Test(t, func(t *testing.T) {
		now := since()
		network := newResponder(t, says(t, pki.CitizenCA, now, minipki.OCSPGood)) // each is good for an hour
		v := newVerifier(t, asking(pki.CitizenCA, off, now, network, certs.OCSP{Mode: certs.OCSPHard}))
		defer v.Close()
		asks(t, v, pki.AliceEID.DER, now())
		synctest.Wait()
		for range 24 * 6 {
			time.Sleep(10 * time.Minute)
			if _, reason := asks(t, v, pki.AliceEID.DER, now()); reason != 0 {
				t.Fatalf("at %v: %v", now(), reason)
			}
		}
		if n := network.asked.Load(); n < 24 || n > 100 {
			t.Errorf("%d questions in a day about an answer of an hour", n)
		}
		time.Sleep(26 * time.Hour)
		synctest.Wait()
		asked := network.asked.Load()
		time.Sleep(100 * time.Hour)
		synctest.Wait()
		if s := v.Status(now()).Authorities[0].OCSP; network.asked.Load() != asked || s.Kept != 0 {
			t.Errorf("%d questions about what nobody brings, %+v", network.asked.Load()-asked, s)
		}
	})
}

// TestOCSPRevokedIsRemembered: what is revoked is not forgotten for not being
// seen; it would be unknown again when it comes back, and pass under soft.
func TestOCSPRevokedIsRemembered(t *testing.T) {
	pki := testpki.Load()
	synctest.Test(t, func(t *testing.T) {
		now := since()
		network := newResponder(t, says(t, pki.CitizenCA, now, minipki.OCSPRevoked))
		v := newVerifier(t, asking(pki.CitizenCA, off, now, network, certs.OCSP{Mode: certs.OCSPSoft}))
		defer v.Close()
		asks(t, v, pki.AliceEID.DER, now())
		synctest.Wait()
		network.say(func(inquiry) ([]byte, error) { return nil, errors.New("down") })
		time.Sleep(100 * time.Hour)
		if _, reason := asks(t, v, pki.AliceEID.DER, now()); reason != certs.Revoked {
			t.Errorf("%v", reason)
		}
	})
}

// TestOCSPBacksOff: a dead responder is asked more and more seldom, however many
// requests and certificates come; the second is asked in its place; and when it
// is back it is used again.
func TestOCSPBacksOff(t *testing.T) {
	pki := testpki.Load()
	synctest.Test(t, func(t *testing.T) {
		now := since()
		good := says(t, pki.CitizenCA, now, minipki.OCSPGood)
		var first, second atomic.Int64
		var healthy atomic.Bool
		network := newResponder(t, good)
		transport := roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "second.example" {
				second.Add(1)
				return network.RoundTrip(r)
			}
			first.Add(1)
			if !healthy.Load() {
				return nil, errors.New("connection refused")
			}
			return network.RoundTrip(r)
		})
		c := asking(pki.CitizenCA, off, now, transport, certs.OCSP{Mode: certs.OCSPHard, Responders: []string{"http://first.example", "http://second.example"}})
		v := newVerifier(t, c)
		defer v.Close()
		many := people(t, pki.CitizenCA, 200)
		for range 60 {
			for _, der := range many {
				asks(t, v, der, now())
			}
			time.Sleep(time.Minute)
		}
		if n := first.Load(); n < 5 || n > 150 { // four at once, then pauses up to a minute
			t.Errorf("%d questions to a dead responder in an hour of 12 000 requests", n)
		}
		if n := second.Load(); n < 200 {
			t.Errorf("%d questions to the one that lives", n)
		}
		for _, der := range many {
			if _, reason := asks(t, v, der, now()); reason != 0 {
				t.Fatalf("%v", reason)
			}
		}
		if s := v.Status(now()).Authorities[0].OCSP; !s.Responders[0].BackingOff || s.Responders[0].LastError == nil || s.Responders[1].BackingOff || s.Good != 200 {
			t.Errorf("%+v", s)
		}
		healthy.Store(true)
		time.Sleep(time.Hour)
		if s := v.Status(now()).Authorities[0].OCSP; s.Responders[0].BackingOff || s.Responders[0].LastError != nil {
			t.Errorf("back again: %+v", s)
		}
	})
}

// TestOCSPDown: with every responder down, each certificate that comes is not a
// question more; when one is back, all are answered soon.
func TestOCSPDown(t *testing.T) {
	pki := testpki.Load()
	synctest.Test(t, func(t *testing.T) {
		now := since()
		network := newResponder(t, func(inquiry) ([]byte, error) { return minipki.OCSPError(3), nil })
		v := newVerifier(t, asking(pki.CitizenCA, off, now, network, certs.OCSP{Mode: certs.OCSPHard}))
		defer v.Close()
		many := people(t, pki.CitizenCA, 200)
		for _, der := range many {
			asks(t, v, der, now())
		}
		time.Sleep(time.Hour)
		if n := network.asked.Load(); n < 5 || n > 150 {
			t.Errorf("%d questions in an hour of tryLater", n)
		}
		network.say(says(t, pki.CitizenCA, now, minipki.OCSPGood))
		time.Sleep(15 * time.Minute)
		for _, der := range many {
			if _, reason := asks(t, v, der, now()); reason != 0 {
				t.Fatalf("%v", reason)
			}
		}
	})
}

// people issues certificates to so many.
func people(tb testing.TB, ca *minipki.Authority, n int) (ders [][]byte) {
	pki := testpki.Load()
	for i := range n {
		t := alice()
		t.Serial = big.NewInt(int64(1000 + i))
		ders = append(ders, issue(tb, ca, t, pki.OtherKeyP256().Public()))
	}
	return ders
}

// TestOCSPBounded: memory is bounded. The longest unseen go, and a certificate
// whose answer is not there is refused under hard, never passed.
func TestOCSPBounded(t *testing.T) {
	pki := testpki.Load()
	synctest.Test(t, func(t *testing.T) {
		now := since()
		network := newResponder(t, says(t, pki.CitizenCA, now, minipki.OCSPGood))
		c := asking(pki.CitizenCA, off, now, network, certs.OCSP{Mode: certs.OCSPHard})
		c.OCSP.Entries = 32
		v := newVerifier(t, c)
		defer v.Close()
		many := people(t, pki.CitizenCA, 200)
		regular := many[0]
		refused := 0
		for i, der := range many {
			for _, der := range [][]byte{der, regular} {
				if _, reason := asks(t, v, der, now()); reason != 0 && reason != certs.RevocationUnknown {
					t.Fatalf("%d: %v", i, reason)
				}
			}
			synctest.Wait()
			if _, reason := asks(t, v, der, now()); reason != 0 {
				refused++ // no room at that moment
			}
			if s := v.Status(now()).Authorities[0].OCSP; s.Kept > 32 {
				t.Fatalf("%d are kept", s.Kept)
			}
			time.Sleep(2 * time.Minute)
		}
		if _, reason := asks(t, v, regular, now()); reason != 0 {
			t.Errorf("the one that came all the time was forgotten: %v", reason)
		}
		if refused > 20 {
			t.Errorf("%d of 200 found no room, one after the other", refused)
		}
		if _, reason := asks(t, v, many[1], now()); reason != certs.RevocationUnknown {
			t.Errorf("one of long ago: %v", reason)
		}
		network.say(func(inquiry) ([]byte, error) { return nil, errors.New("down") })
		// All at once: who finds no room is refused, and nothing grows.
		for _, der := range people(t, pki.CitizenCA, 500)[200:] {
			if _, reason := asks(t, v, der, now()); reason != certs.RevocationUnknown {
				t.Fatalf("without an answer: %v", reason)
			}
		}
		synctest.Wait()
		if s := v.Status(now()).Authorities[0].OCSP; s.Kept > 32 || s.NoRoom == 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestOCSPDelegateEnds: an answer does not outlive the certificate of the delegate
// that signed it: afterwards nobody could prove it.
func TestOCSPDelegateEnds(t *testing.T) {
	pki := testpki.Load()
	synctest.Test(t, func(t *testing.T) {
		now := since()
		key := pki.OtherKeyP256()
		template := minipki.OCSPResponder(minipki.DN("CN", "TEST responder"))
		template.NotBefore, template.NotAfter = now().Add(-time.Hour), now().Add(10*time.Minute)
		delegate := issue(t, pki.CitizenCA, template, key.Public())
		network := newResponder(t, func(q inquiry) ([]byte, error) {
			o := statement(q, testpki.Now(), minipki.OCSPGood) // for an hour
			o.Delegate, o.Key = delegate, key
			return pki.CitizenCA.OCSP(o)
		})
		v := newVerifier(t, asking(pki.CitizenCA, off, now, network, certs.OCSP{Mode: certs.OCSPHard}))
		defer v.Close()
		asks(t, v, pki.AliceEID.DER, now())
		synctest.Wait()
		for _, tt := range []struct {
			after time.Duration
			want  certs.Reason
		}{{14 * time.Minute, 0}, {16 * time.Minute, certs.RevocationUnknown}} { // the skew is five
			time.Sleep(tt.after - now().Sub(testpki.Now()))
			if _, reason := asks(t, v, pki.AliceEID.DER, now()); reason != tt.want {
				t.Errorf("after %v: %v, want %v", tt.after, reason, tt.want)
			}
		}
	})
}
