package wsc_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"sceau/certs"
	"sceau/certs/certstest"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/soap"
	"sceau/wsc"
)

// inBubble runs a test with a rig, in a clock of its own. What it leaves running fails it.
func inBubble(t *testing.T, trust *certs.Verifier, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, trust)
		defer func() {
			if r.session != nil {
				r.session.Close()
			}
			r.client.Close()
		}()
		test(t, r)
	})
}

func TestSessionRenews(t *testing.T) {
	trust := sharedTrust(t)
	tests := []struct {
		name           string
		change         func(*wsc.SessionConfig)
		earliest, last time.Duration // of the renewal, after the first token
	}{
		{"sliding window", nil, 6*time.Hour - 36*time.Minute, 6*time.Hour + 36*time.Minute},
		{"on expiry", func(c *wsc.SessionConfig) { c.Renewal = wsc.OnExpiry }, 12*time.Hour - 225*time.Second, 12*time.Hour - 3*time.Minute},
		{"on expiry, with a margin", func(c *wsc.SessionConfig) { c.Renewal, c.Margin = wsc.OnExpiry, time.Hour }, 12*time.Hour - 75*time.Minute, 11 * time.Hour},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, trust, func(t *testing.T, r *rig) {
				r.open(test.change)
				first, err := r.token()
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(test.earliest - time.Second)
				if again, _ := r.token(); again != first {
					t.Error("renewed too early")
				}
				time.Sleep(test.last - test.earliest + maxSleep + 2*time.Second)
				synctest.Wait()
				r.hosts()
				if again, err := r.token(); err != nil || again == first {
					t.Errorf("not renewed in the background: %v", err)
				}
				if asked := r.hosts(); len(asked) != 0 {
					t.Errorf("asked %v", asked)
				}
			})
		})
	}
}

// maxSleep is the most by which the background comes late.
const maxSleep = time.Minute

func TestSessionLazy(t *testing.T) {
	inBubble(t, sharedTrust(t), func(t *testing.T, r *rig) {
		r.open(func(c *wsc.SessionConfig) { c.Lazy = true })
		first, _ := r.token()
		time.Sleep(7 * time.Hour)
		synctest.Wait()
		if asked := r.hosts(); len(asked) != 1 {
			t.Errorf("asked %v", asked)
		}
		// It is time: the old one is given at once, and the new one had meanwhile.
		if again, _ := r.token(); again != first {
			t.Error("waited for the renewal of a valid token")
		}
		synctest.Wait()
		if again, _ := r.token(); again == first {
			t.Error("not renewed on use")
		}
		time.Sleep(13 * time.Hour)
		if again, err := r.token(); err != nil || !again.Valid(r.now()) {
			t.Errorf("after its end: %v", err)
		}
	})
}

// In the last minute of a token the next one is waited for, but not until its end.
func TestSessionLastMinute(t *testing.T) {
	inBubble(t, sharedTrust(t), func(t *testing.T, r *rig) {
		r.open(func(c *wsc.SessionConfig) { c.Lazy = true })
		first, err := r.token()
		if err != nil {
			t.Fatal(err)
		}
		r.breakdown(hanging)
		for _, left := range []time.Duration{50 * time.Second, 4 * time.Second} {
			time.Sleep(first.NotOnOrAfter().Sub(r.now()) - left)
			asked := time.Now()
			if token, err := r.token(); err != nil || token != first || time.Since(asked) != min(left/2, 5*time.Second) {
				t.Errorf("%v before the end, after %v: %v", left, time.Since(asked), err)
			}
		}
		r.breakdown(nil)
		time.Sleep(2 * time.Minute)
		if token, err := r.token(); err != nil || token == first {
			t.Error(err)
		}
	})
}

// However many want a token at once, the STS is asked once; who gives up alone gives up.
func TestSessionAsksOnce(t *testing.T) {
	inBubble(t, sharedTrust(t), func(t *testing.T, r *rig) {
		r.open(nil)
		r.breakdown(func(r *rig, message []byte) (*http.Response, error) {
			time.Sleep(10 * time.Second)
			return r.issued(message, nil, nil)
		})
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if token, err := r.session.Token(impatient); token != nil || wsc.ReasonOf(err) != wsc.TimedOut {
			t.Errorf("%v, %v", token, err)
		}
		var wait sync.WaitGroup
		tokens := make([]*wsc.Token, 50)
		for i := range tokens {
			wait.Go(func() { tokens[i], _ = r.session.Token(t.Context()) })
		}
		wait.Wait()
		for _, token := range tokens {
			if token == nil || token != tokens[0] {
				t.Fatal("not one token for all")
			}
		}
		if asked := r.hosts(); len(asked) != 1 {
			t.Errorf("asked %v", asked)
		}
	})
}

// What an STS can do wrong while a token is held and after its end, and that it comes
// back. In each case: never an error while the token lasts, a clear one after, and a
// token soon after the STS came back (rig.token judges each step).
func TestSessionFaults(t *testing.T) {
	trust := sharedTrust(t)
	pki := testpki.Load()
	hours := func(from, to time.Duration) func(*saml.Issue) {
		return func(i *saml.Issue) {
			i.NotBefore, i.NotOnOrAfter = i.IssueInstant.Add(from), i.IssueInstant.Add(to)
		}
	}
	tests := []struct {
		name  string
		fault fault
		want  wsc.Reason // 0: a fault or status
		says  string
	}{
		{"does not answer the phone", unreachable, wsc.Unreachable, ""},
		{"hangs", hanging, wsc.TimedOut, ""},
		{"error page of a proxy", errorPage, wsc.NotXML, ""},
		{"sends elsewhere", redirect, wsc.Redirected, ""},
		{"garbage", garbage, wsc.NotXML, ""},
		{"breaks off in the answer", cutOff, wsc.Unreachable, ""},
		{"SOA-01001", saying(soap.SOANotAuthenticated), 0, "SOA-01001"},
		{"SOA-01002", saying(soap.SOANotAuthorized), 0, "SOA-01002"},
		{"SOA-02001", saying(soap.SOANotAvailable), 0, "SOA-02001"},
		{"SOA-02002", saying(soap.SOATemporarily), 0, "SOA-02002"},
		{"SOA-00001", saying(soap.SOAServiceError), 0, "SOA-00001"},
		{"refuses the query", refusing("Requester", "REQ-13: Requested attribute is not permitted"), 0, "REQ-13"},
		{"no source", refusing("Responder", "REQ-14: Authentic source is not available"), 0, "REQ-14"},
		{"a token of yesterday", issuing(hours(-30*time.Hour, -18*time.Hour)), wsc.NotValidNow, ""},
		{"a token of tomorrow", issuing(hours(24*time.Hour, 36*time.Hour)), wsc.NotValidNow, ""},
		{"a token that ended a minute ago", issuing(hours(-time.Hour, -time.Minute)), wsc.NotValidNow, "has ended by our clock"},
		{"a token without window", issuing(func(i *saml.Issue) { i.NotBefore = i.NotOnOrAfter }), wsc.NotValidNow, ""},
		{"another's token", issuing(func(i *saml.Issue) { i.Holder = pki.BobEHealth.DER }), wsc.WrongHolder, ""},
		{"rolled to a key that nobody told us of", signing(&pki.StrangerEID), wsc.UntrustedSigner, ""},
		{"signs with a key that is not its certificate's", signing(&testpki.Leaf{DER: pki.STS.DER, Key: pki.OtherKey()}), wsc.BadSignature, ""},
		{"leaves an attribute out without saying so", issuing(func(i *saml.Issue) { i.Attributes = i.Attributes[:3] }), wsc.MissingAttribute, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, trust, func(t *testing.T, r *rig) {
				r.open(nil)
				first, err := r.token()
				if err != nil {
					t.Fatal(err)
				}
				r.breakdown(test.fault)
				for r.now().Before(first.NotOnOrAfter().Add(-time.Second)) {
					if token, err := r.token(); err != nil || token != first {
						t.Fatalf("at %v: %v", r.now(), err)
					}
					time.Sleep(10 * time.Minute)
					if left := first.NotOnOrAfter().Sub(r.now()); left < 10*time.Minute && left > 0 {
						time.Sleep(left - time.Second)
						if token, err := r.token(); err != nil || token != first {
							t.Fatalf("in the last second: %v", err)
						}
						break
					}
				}
				if !r.happened(wsc.RenewalFailed) {
					t.Error("nobody is told that the renewals fail")
				}
				time.Sleep(time.Hour)
				r.hosts()
				_, err = r.token()
				if wsc.ReasonOf(err) != test.want || err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("after the end: %v", err)
				}
				// A failing STS is not asked by every caller anew.
				for range 100 {
					_, _ = r.token()
				}
				if asked := r.hosts(); len(asked) > 2 {
					t.Errorf("asked %d times at one moment", len(asked))
				}
				r.breakdown(nil)
				time.Sleep(maxSleep + time.Minute)
				synctest.Wait()
				if token, err := r.token(); err != nil || token == first {
					t.Errorf("after it came back: %v", err)
				}
				if state := r.session.State(); state.Failures != 0 || state.Err != nil || state.Token == nil {
					t.Errorf("%+v", state)
				}
			})
		})
	}
}

// The four codes, and what is no answer of an STS, have the other endpoint asked; a
// refusal of the query does not.
func TestSessionSwitchesEndpoint(t *testing.T) {
	trust := sharedTrust(t)
	both, one := []string{"a.example", "b.example"}, []string{"a.example"}
	tests := []struct {
		name  string
		fault fault
		want  []string
	}{
		{"in order", nil, one},
		{"SOA-01001", saying(soap.SOANotAuthenticated), both},
		{"SOA-01002", saying(soap.SOANotAuthorized), both},
		{"SOA-02001", saying(soap.SOANotAvailable), both},
		{"SOA-02002", saying(soap.SOATemporarily), both},
		{"unreachable", unreachable, both},
		{"hanging", hanging, both},
		{"error page", errorPage, both},
		{"unknown key", signing(&testpki.Load().StrangerEID), both},
		{"SOA-00001", saying(soap.SOAServiceError), one},
		{"SOA-03006", saying(soap.SOAXSD), one},
		{"REQ-13", refusing("Requester", "REQ-13: no"), one},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, trust, func(t *testing.T, r *rig) {
				r.open(nil)
				r.breakdown(test.fault, "a.example")
				token, err := r.token()
				if asked := r.hosts(); !slices.Equal(asked, test.want) {
					t.Errorf("asked %v", asked)
				}
				if good := len(test.want) == 2 || test.fault == nil; (token != nil) != good {
					t.Fatalf("%v", err)
				}
				if len(test.want) == 1 {
					return
				}
				if state := r.session.State(); state.Endpoint != urlB || !r.happened(wsc.EndpointFailed) {
					t.Errorf("%+v", state)
				}
				// It stays there while the first rests, and comes back to it after.
				r.breakdown(nil)
				_, _ = r.session.Renew(t.Context())
				time.Sleep(6 * time.Minute)
				_, _ = r.session.Renew(t.Context())
				if asked := r.hosts(); !slices.Equal(asked, []string{"b.example", "a.example"}) {
					t.Errorf("then asked %v", asked)
				}
			})
		})
	}
}

// A clock that is off is named, and makes no refusal by itself.
func TestSessionClock(t *testing.T) {
	trust := sharedTrust(t)
	set := func(r *rig, own, shown time.Duration) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.clockOff, r.offset = own, shown
	}
	t.Run("ours is behind", func(t *testing.T) {
		inBubble(t, trust, func(t *testing.T, r *rig) {
			r.open(nil)
			set(r, -20*time.Minute, 0)
			_, err := r.token()
			var fault *wsc.Fault
			if wsc.ReasonOf(err) != wsc.ClockOff || !strings.Contains(err.Error(), " ahead of ours, give or take 500ms") || !errors.As(err, &fault) {
				t.Errorf("%v", err)
			}
			set(r, 0, 0)
			time.Sleep(maxSleep)
			if _, err := r.token(); err != nil {
				t.Errorf("after it was set: %v", err)
			}
		})
	})
	t.Run("the server shows a wrong time and issues all the same", func(t *testing.T) {
		inBubble(t, trust, func(t *testing.T, r *rig) {
			r.open(nil)
			set(r, 0, time.Hour)
			if _, err := r.token(); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("the server shows a wrong time and refuses for another reason", func(t *testing.T) {
		inBubble(t, trust, func(t *testing.T, r *rig) {
			r.open(nil)
			set(r, 0, time.Hour)
			r.breakdown(refusing("Requester", "REQ-13: no"))
			if _, err := r.token(); wsc.ReasonOf(err) == wsc.ClockOff {
				t.Error(err)
			}
		})
	})
	t.Run("ours jumps while a token is held", func(t *testing.T) {
		inBubble(t, trust, func(t *testing.T, r *rig) {
			r.open(nil)
			_, _ = r.token()
			set(r, 13*time.Hour, 0) // the token has ended by our clock
			if _, err := r.token(); wsc.ReasonOf(err) != wsc.ClockOff {
				t.Error(err)
			}
			set(r, 0, 0)
			if _, err := r.token(); err != nil { // it is good after all
				t.Error(err)
			}
		})
	})
}

// A clock that is set back does not make the pause after a failure longer.
func TestSessionClockSetBack(t *testing.T) {
	inBubble(t, sharedTrust(t), func(t *testing.T, r *rig) {
		r.open(nil)
		r.mu.Lock()
		r.clockOff = 30 * 24 * time.Hour
		r.mu.Unlock()
		if _, err := r.token(); wsc.ReasonOf(err) != wsc.ClockOff {
			t.Error(err)
		}
		r.mu.Lock()
		r.clockOff = 0
		r.mu.Unlock()
		if _, err := r.token(); err != nil {
			t.Error(err)
		}
	})
}

// While the card is away a valid token is kept; after its end the eHealth certificate
// stands in, until the card is back.
func TestSessionFallsBack(t *testing.T) {
	pki := testpki.Load()
	inBubble(t, sharedTrust(t), func(t *testing.T, r *rig) {
		eid := &card{Signer: pki.AliceEIDP256.Key}
		identity, err := certs.NewSigner(eid, [][]byte{pki.AliceEIDP256.DER}, testpki.Now())
		if err != nil {
			t.Fatal(err)
		}
		session, err := wsc.NewCredentials(wsc.ModeSession, identity, signerOf(t, &pki.AliceEHealthP256))
		if err != nil {
			t.Fatal(err)
		}
		fallback := credentialsOf(t, wsc.ModeFallback, &pki.AliceEHealthP256, nil)
		r.open(func(c *wsc.SessionConfig) { c.Credentials = []*wsc.Credentials{session, fallback} })
		mode := func(want wsc.Mode) {
			t.Helper()
			_, err := r.token()
			if state := r.session.State(); state.Mode != want {
				t.Errorf("mode %v: %v", state.Mode, err)
			}
		}
		mode(wsc.ModeSession)
		eid.away.Store(true)
		time.Sleep(11*time.Hour + 50*time.Minute)
		mode(wsc.ModeSession)
		if err := r.session.State().Err; wsc.ReasonOf(err) != wsc.KeyUnavailable {
			t.Errorf("the renewal failed for %v", err)
		}
		time.Sleep(time.Hour)
		mode(wsc.ModeFallback)
		if !r.happened(wsc.FellBack) {
			t.Error("nobody is told")
		}
		eid.away.Store(false)
		if _, err := r.session.Renew(t.Context()); err != nil {
			t.Error(err)
		}
		mode(wsc.ModeSession)

		// Neither signs: the error says so, of the one and of the other.
		eid.away.Store(true)
		r.breakdown(unreachable)
		time.Sleep(13 * time.Hour)
		if _, err := r.token(); err == nil || !strings.Contains(err.Error(), "does not sign now") || !strings.Contains(err.Error(), "unreachable") {
			t.Error(err)
		}
	})
}

// An STS that rolls its key: what it signs is not believed until we are told of the new
// certificate, and then at once.
func TestSessionRollover(t *testing.T) {
	pki := testpki.Load()
	pinned := func(leafs ...*testpki.Leaf) certs.Config {
		c := certstest.Config(t)
		issuer := certs.TokenIssuer()
		for _, leaf := range leafs {
			issuer.Pinned = append(issuer.Pinned, leaf.DER)
		}
		c.Profiles[4] = issuer
		return c
	}
	trust, err := certs.NewVerifier(pinned(&pki.STSP256))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(trust.Close)
	// Not in a bubble: the Verifier has goroutines of its own.
	r := newRig(t, trust)
	r.open(func(c *wsc.SessionConfig) { c.Lazy = true })
	defer r.session.Close()
	first, err := r.token()
	if err != nil {
		t.Fatal(err)
	}
	r.sts.sign(&pki.Application) // any other certificate
	if _, err := r.session.Renew(t.Context()); wsc.ReasonOf(err) != wsc.UntrustedSigner {
		t.Errorf("an unknown key: %v", err)
	}
	if token, err := r.token(); err != nil || token != first {
		t.Errorf("the token that is held: %v", err)
	}
	if err := trust.Reload(pinned(&pki.STSP256, &pki.Application)); err != nil {
		t.Fatal(err)
	}
	if token, err := r.session.Renew(t.Context()); err != nil || token == first {
		t.Errorf("told of it: %v", err)
	}
}

// Any sequence of faults, at any two endpoints, with any times between: rig.token holds
// at each step, and in the end there is a token.
func TestSessionUnderAnything(t *testing.T) {
	trust := sharedTrust(t)
	pki := testpki.Load()
	faults := []fault{nil, nil, unreachable, hanging, errorPage, garbage, cutOff, saying(soap.SOANotAuthenticated), saying(soap.SOATemporarily),
		refusing("Requester", "REQ-05: Checks on IssueInstant failed"), signing(&pki.StrangerEID),
		issuing(func(i *saml.Issue) {
			i.NotBefore, i.NotOnOrAfter = i.IssueInstant.Add(-time.Hour), i.IssueInstant.Add(time.Second)
		}),
		issuing(func(i *saml.Issue) { i.NotOnOrAfter = i.IssueInstant.Add(90 * time.Second) }),
		issuing(func(i *saml.Issue) { i.IssueInstant = i.IssueInstant.Add(-1000 * time.Hour) })}
	rapid.Check(t, func(rt *rapid.T) {
		type step struct {
			a, b  int
			pause time.Duration
			off   time.Duration
		}
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
			return step{rapid.IntRange(0, len(faults)-1).Draw(rt, "a"), rapid.IntRange(0, len(faults)-1).Draw(rt, "b"),
				time.Duration(rapid.Int64Range(0, int64(14*time.Hour)).Draw(rt, "pause")), time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(rt, "off"))}
		}), 1, 4).Draw(rt, "steps")
		onExpiry := rapid.Bool().Draw(rt, "on expiry")
		lazy := rapid.Bool().Draw(rt, "lazy")
		inBubble(t, trust, func(t *testing.T, r *rig) {
			r.open(func(c *wsc.SessionConfig) {
				c.Lazy, c.RetryMost = lazy, 10*time.Minute
				if onExpiry {
					c.Renewal = wsc.OnExpiry
				}
			})
			for _, s := range steps {
				r.breakdown(faults[s.a], "a.example")
				r.breakdown(faults[s.b], "b.example")
				r.mu.Lock()
				r.offset = s.off
				r.mu.Unlock()
				_, _ = r.token()
				time.Sleep(s.pause)
				_, _ = r.token()
			}
			r.breakdown(nil)
			time.Sleep(11 * time.Minute)
			if _, err := r.token(); err != nil {
				t.Errorf("in the end: %v after %v", err, fmt.Sprint(steps))
			}
		})
	})
}

func TestSessionClosed(t *testing.T) {
	inBubble(t, sharedTrust(t), func(t *testing.T, r *rig) {
		r.open(nil)
		r.breakdown(hanging)
		ended := make(chan error)
		go func() {
			_, err := r.session.Token(t.Context())
			ended <- err
		}()
		synctest.Wait()
		r.session.Close() // does not wait for the STS
		if err := <-ended; wsc.ReasonOf(err) != wsc.SessionClosed {
			t.Error(err)
		}
		if token, err := r.session.Token(t.Context()); token != nil || wsc.ReasonOf(err) != wsc.SessionClosed {
			t.Errorf("%v, %v", token, err)
		}
		if r.happened(wsc.RenewalFailed) {
			t.Error("the end is told as a failure")
		}
	})
}

func TestSessionConfig(t *testing.T) {
	client := clientOf(t, nil)
	good := func() wsc.SessionConfig {
		return wsc.SessionConfig{Client: client, Endpoints: []string{urlA}, Credentials: []*wsc.Credentials{fast(t)}, Request: *doctorRequest()}
	}
	tests := []struct {
		name   string
		change func(*wsc.SessionConfig)
		want   wsc.Reason
	}{
		{"nothing", func(c *wsc.SessionConfig) { *c = wsc.SessionConfig{} }, wsc.BadConfig},
		{"no endpoint", func(c *wsc.SessionConfig) { c.Endpoints = nil }, wsc.BadConfig},
		{"plain http", func(c *wsc.SessionConfig) { c.Endpoints = append(c.Endpoints, "http://b.example") }, wsc.BadEndpoint},
		{"no credentials", func(c *wsc.SessionConfig) { c.Credentials = []*wsc.Credentials{nil} }, wsc.BadConfig},
		{"zero credentials", func(c *wsc.SessionConfig) { c.Credentials = []*wsc.Credentials{{}} }, wsc.BadCredentials},
		{"nothing asked", func(c *wsc.SessionConfig) { c.Request = wsc.Request{Identification: []wsc.Attribute{}} }, wsc.BadRequest},
		{"negative validity", func(c *wsc.SessionConfig) { c.Request.Validity = -1 }, wsc.BadRequest},
		{"negative margin", func(c *wsc.SessionConfig) { c.Margin = -1 }, wsc.BadConfig},
		{"pauses upside down", func(c *wsc.SessionConfig) { c.RetryFirst = time.Hour }, wsc.BadConfig},
		{"no such renewal", func(c *wsc.SessionConfig) { c.Renewal = 7 }, wsc.BadConfig},
		{"nobody trusted", func(c *wsc.SessionConfig) { c.Client = clientOf(t, func(c *wsc.Config) { c.Trust = nil }) }, wsc.NoTrust},
	}
	for _, test := range tests {
		c := good()
		test.change(&c)
		if s, err := wsc.NewSession(c); s != nil || wsc.ReasonOf(err) != test.want {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	s, err := wsc.NewSession(good())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	s.Close()
	for _, r := range []wsc.Renewal{wsc.SlidingWindow, wsc.OnExpiry} {
		if again, err := wsc.ParseRenewal(r.String()); err != nil || again != r {
			t.Errorf("%v: %v", r, err)
		}
	}
	if _, err := wsc.ParseRenewal("never"); wsc.ReasonOf(err) != wsc.BadConfig {
		t.Error(err)
	}
}
