package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"sceau/audit"
	"sceau/oidc/client"
)

var errFault = errors.New("the disk is on fire")

// A faulty store fails at one operation, or from it on; before it does the operation, or after, as one whose answer is lost.
type faulty struct {
	Store
	mu     sync.Mutex
	n      int // operations so far
	at     int // the one that fails, from 1; 0: none
	onward bool
	after  bool
}

func (f *faulty) arm(at int, onward, after bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n, f.at, f.onward, f.after = 0, at, onward, after
}

func (f *faulty) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

// fails counts an operation and says whether it fails.
func (f *faulty) fails() (fails, after bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	return f.at != 0 && (f.n == f.at || f.onward && f.n > f.at), f.after
}

func (f *faulty) Put(ctx context.Context, key string, value []byte, until time.Time) error {
	fails, after := f.fails()
	if !fails || after {
		if err := f.Store.Put(ctx, key, value, until); err != nil {
			return err
		}
	}
	return when(fails)
}

func when(fails bool) error {
	if fails {
		return errFault
	}
	return nil
}

func (f *faulty) Add(ctx context.Context, key string, value []byte, until time.Time) (ok bool, err error) {
	fails, after := f.fails()
	if !fails || after {
		ok, err = f.Store.Add(ctx, key, value, until)
	}
	if fails {
		return false, errFault
	}
	return ok, err
}

func (f *faulty) Swap(ctx context.Context, key string, old, value []byte, until time.Time) (ok bool, err error) {
	fails, after := f.fails()
	if !fails || after {
		ok, err = f.Store.Swap(ctx, key, old, value, until)
	}
	if fails {
		return false, errFault
	}
	return ok, err
}

func (f *faulty) Get(ctx context.Context, key string) ([]byte, error) {
	if fails, _ := f.fails(); fails {
		return nil, errFault
	}
	return f.Store.Get(ctx, key)
}

func (f *faulty) Delete(ctx context.Context, key string) error {
	fails, after := f.fails()
	if !fails || after {
		if err := f.Store.Delete(ctx, key); err != nil {
			return err
		}
	}
	return when(fails)
}

// A step is one thing that somebody asks, after a road to it that does not fail.
type step struct {
	name string
	// road leads there, and gives what asks: its status, what it got, and what is wrong with the world after it.
	road func(h *house) func() (status int, got string, after func() error)
}

// outage says whether an answer is one that a client or a person understands: an outage is one.
func outage(status int, got string) bool {
	return status == http.StatusServiceUnavailable || got == "temporarily_unavailable"
}

func steps() []step {
	refused := func(h *house, what string, access string) error {
		if status, _ := h.userinfo(access); status == http.StatusOK {
			return fmt.Errorf("%s is good", what)
		}
		return nil
	}
	return []step{
		{"authorize by a session", func(h *house) func() (int, string, func() error) {
			b := h.browser()
			b.login(b.get(h.request()), "card", "alice")
			return func() (int, string, func() error) {
				a := b.get(h.request("prompt", "none"))
				return a.StatusCode, ledTo(a), nil
			}
		}},
		{"login", func(h *house) func() (int, string, func() error) {
			b := h.browser()
			a := b.follow(b.get(h.request()))
			at := a.Request.URL.String()
			token := hidden(b.get(at+"/m/card").text, "token")
			return func() (int, string, func() error) {
				a := b.post(at+"/m/card", url.Values{"person": {"alice"}, "token": {token}})
				got := ledTo(a)
				if a.Header.Get("Refresh") != "" {
					got = "on"
				}
				return a.StatusCode, got, nil
			}
		}},
		{"redeem", func(h *house) func() (int, string, func() error) {
			code := h.code("scope", "openid offline_access")
			return func() (int, string, func() error) {
				status, t := h.ask("/token", redeeming(code))
				return status, t.Access + t.Error, func() error {
					if status, again := h.ask("/token", redeeming(code)); status == http.StatusOK && t.Access != "" {
						return fmt.Errorf("the code is good twice: %v", again)
					}
					return nil
				}
			}
		}},
		{"refresh", func(h *house) func() (int, string, func() error) {
			_, t := h.ask("/token", redeeming(h.code("scope", "openid offline_access")))
			form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {t.Refresh}}
			return func() (int, string, func() error) {
				status, got := h.ask("/token", form)
				return status, got.Access + got.Error, func() error {
					if status, again := h.ask("/token", form); status == http.StatusOK && got.Access != "" {
						return fmt.Errorf("the refresh token is good twice: %v", again)
					}
					return nil
				}
			}
		}},
		{"a code a second time", func(h *house) func() (int, string, func() error) {
			code := h.code()
			h.ask("/token", redeeming(code))
			return func() (int, string, func() error) {
				status, t := h.ask("/token", redeeming(code))
				if t.Access != "" {
					return status, t.Access, func() error { return errors.New("a code was redeemed twice") }
				}
				return status, t.Error, nil
			}
		}},
		{"a revoked token", func(h *house) func() (int, string, func() error) {
			_, t := h.ask("/token", redeeming(h.code()))
			h.ask("/revoke", url.Values{"token": {t.Access}})
			return func() (int, string, func() error) {
				status, info := h.userinfo(t.Access)
				if info["sub"] != nil {
					return status, "sub", func() error { return errors.New("userinfo of a revoked token") }
				}
				return status, fmt.Sprint(info["error"]), nil
			}
		}},
		{"introspection", func(h *house) func() (int, string, func() error) {
			_, t := h.ask("/token", redeeming(h.code()))
			return func() (int, string, func() error) {
				status, got := h.ask("/introspect", url.Values{"token": {t.Access}})
				return status, fmt.Sprint(got.Active) + got.Error, nil
			}
		}},
		{"revocation", func(h *house) func() (int, string, func() error) {
			_, t := h.ask("/token", redeeming(h.code()))
			return func() (int, string, func() error) {
				r := must(http.NewRequest(http.MethodPost, h.config.Issuer+"/revoke", strings.NewReader(url.Values{"token": {t.Access}}.Encode())))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.SetBasicAuth("web", webSecret)
				a := h.browser().do(r)
				return a.StatusCode, a.text, func() error {
					if a.StatusCode == http.StatusOK {
						return refused(h, "what was said to be revoked", t.Access)
					}
					return nil
				}
			}
		}},
		{"push", func(h *house) func() (int, string, func() error) {
			form := must(url.Parse(h.request())).Query()
			return func() (int, string, func() error) {
				status, t := h.ask("/par", form)
				return status, t.Error, nil
			}
		}},
		{"a pushed request", func(h *house) func() (int, string, func() error) {
			b := h.browser()
			b.login(b.get(h.request()), "card", "alice")
			at := h.push()
			return func() (int, string, func() error) {
				a := b.get(at)
				first := ledTo(a)
				return a.StatusCode, first, func() error {
					if again := ledTo(b.get(at)); first == "code" && again == "code" {
						return errors.New("a pushed request is good twice")
					}
					return nil
				}
			}
		}},
		{"logout", func(h *house) func() (int, string, func() error) {
			b := h.browser()
			_, t := h.ask("/token", redeeming(b.login(b.get(h.request("scope", "openid offline_access")), "card", "alice").answered(h.T).Get("code")))
			return func() (int, string, func() error) {
				a := b.get(h.config.Issuer + "/logout?" + url.Values{"id_token_hint": {t.ID}}.Encode())
				return a.StatusCode, "", func() error {
					if a.StatusCode != http.StatusOK {
						return nil
					}
					if got := ledTo(b.get(h.request("prompt", "none"))); got == "code" {
						return errors.New("the session is there after what said that it ended")
					}
					return refused(h, "an access token after logout", t.Access)
				}
			}
		}},
		{"consent", func(h *house) func() (int, string, func() error) {
			b := h.browser()
			a := b.login(b.get(h.request("prompt", "consent")), "card", "alice")
			at, token := a.Request.URL.String(), hidden(a.text, "token")
			return func() (int, string, func() error) {
				a := b.post(at, url.Values{"decision": {"allow"}, "token": {token}})
				return a.StatusCode, ledTo(a), nil
			}
		}},
	}
}

// ledTo says what an answer to a browser says to the client, if anything.
func ledTo(a answer) string {
	to := a.Header.Get("Location")
	if _, refresh, ok := strings.Cut(a.Header.Get("Refresh"), "url="); ok { // a form is answered by a page that leads on
		to = strings.Trim(refresh, `"'`)
	}
	u, err := url.Parse(to)
	if err != nil || !strings.HasPrefix(u.String(), back) {
		return ""
	}
	if u.Query().Get("code") != "" {
		return "code"
	}
	return u.Query().Get("error")
}

// TestFaultyStore: whichever operation of the store fails, before or after it is done, once or from then on: nothing is open that is not
// without the fault, and who asks is told that it is an outage.
func TestFaultyStore(t *testing.T) {
	for _, s := range steps() {
		t.Run(s.name, func(t *testing.T) {
			f := &faulty{Store: NewMemoryStore(64<<20, nil)}
			h := openHouse(t, func(c *Config, _ *client.Options) { c.Store = f }, web(t))
			ask := s.road(h)
			f.arm(0, false, false)
			wantStatus, _, _ := ask()
			total := f.count()
			if total == 0 {
				t.Fatal("it asks nothing of the store")
			}
			for _, onward := range []bool{false, true} {
				for _, late := range []bool{false, true} {
					for at := 1; at <= total; at++ {
						f.arm(0, false, false)
						ask := s.road(h)
						f.arm(at, onward, late)
						status, got, after := ask()
						hit := f.count() >= at
						f.arm(0, false, false)
						if hit && !outage(status, got) {
							t.Errorf("operation %d of %d fails (onward %v, after it is done %v): %d %.60q", at, total, onward, late, status, got)
						}
						if !hit && status != wantStatus {
							t.Errorf("operation %d of %d was not reached: %d", at, total, status)
						}
						if after != nil {
							if err := after(); err != nil {
								t.Errorf("operation %d of %d failed (onward %v, after it is done %v), and %v", at, total, onward, late, err)
							}
						}
					}
				}
			}
		})
	}
}

// TestFaultyRecorder: what cannot be recorded does not happen, whatever it is.
func TestFaultyRecorder(t *testing.T) {
	for _, s := range steps() {
		t.Run(s.name, func(t *testing.T) {
			h := openHouse(t, nil, web(t))
			ask := s.road(h)
			h.mu.Lock()
			h.broken = errFault
			before := len(h.events)
			h.mu.Unlock()
			status, got, _ := ask()
			h.mu.Lock()
			defer h.mu.Unlock()
			if len(h.events) != before {
				t.Error("it was recorded after all")
			}
			if !outage(status, got) {
				t.Errorf("%d %q", status, got)
			}
		})
	}
	t.Run("consent is not kept", func(t *testing.T) {
		h := openHouse(t, nil, web(t, func(r *client.Registration) { r.Consent = "ask" }))
		b := h.browser()
		a := b.login(b.get(h.request()), "card", "alice")
		h.mu.Lock()
		h.broken = errFault
		h.mu.Unlock()
		b.post(a.Request.URL.String(), url.Values{"decision": {"allow"}, "token": {hidden(a.text, "token")}})
		h.mu.Lock()
		h.broken = nil
		h.mu.Unlock()
		if got := led(b, b.get(h.request("prompt", "none"))); got != "consent_required" {
			t.Errorf("agreed to without a record: %s", got)
		}
	})
}

// TestEveryTokenHasItsRecord: what goes out is in the trail, by its identifier, with the authentication that it came of.
func TestEveryTokenHasItsRecord(t *testing.T) {
	h := openHouse(t, nil, web(t))
	_, first := h.ask("/token", redeeming(h.code("scope", "openid offline_access")))
	_, second := h.ask("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.Refresh}})
	login := h.trail(audit.OperationAuthentication)[0].ID
	recorded := map[string]bool{}
	for _, e := range h.trail(audit.OperationToken) {
		for _, token := range e.Tokens {
			if token.Use == audit.Issued && e.Authentication == login {
				recorded[token.Kind+" "+token.ID+token.Value] = true
			}
		}
	}
	for _, got := range []tokens{first, second} {
		for _, want := range []string{
			"access_token " + h.claimsOf(got.Access)["jti"].(string), "id_token " + h.claimsOf(got.ID)["jti"].(string), "refresh_token " + got.Refresh,
		} {
			if !recorded[want] {
				t.Errorf("%.40s is in no record of its authentication", want)
			}
		}
	}
}

// TestKeyRotation: a key is published before it signs and as long as what it signed is shown, and not longer.
func TestKeyRotation(t *testing.T) {
	start := time.Now()
	h := openHouse(t, func(c *Config, _ *client.Options) {
		c.Keys = []Key{
			{Signer: key(t), Algorithm: "ES256", Until: start.Add(4 * time.Hour)},
			{Signer: key(t), Algorithm: "ES256", From: start.Add(2 * time.Hour)},
		}
	}, web(t))
	published := func() (ids []string) {
		a := h.browser().get(h.config.Issuer + "/jwks")
		if got := a.Header.Get("Cache-Control"); got != "public, max-age=3600" {
			t.Errorf("Cache-Control %q", got)
		}
		var set jose.JSONWebKeySet
		if err := json.Unmarshal([]byte(a.text), &set); err != nil {
			t.Fatal(err)
		}
		for _, k := range set.Keys {
			if !k.IsPublic() || k.Use != "sig" {
				t.Errorf("key %s: public %v, use %q", k.KeyID, k.IsPublic(), k.Use)
			}
			ids = append(ids, k.KeyID)
		}
		return ids
	}
	signed := func() (string, tokens) {
		_, got := h.ask("/token", redeeming(h.code()))
		return must(jwt.ParseSigned(got.ID, []jose.SignatureAlgorithm{jose.ES256})).Headers[0].KeyID, got
	}
	hint := func(token string) string {
		return h.browser().get(h.request("id_token_hint", token, "prompt", "none")).answered(t).Get("error")
	}
	both := published()
	first, old := signed()
	if len(both) != 2 || first != both[0] {
		t.Errorf("%v, signed by %s", both, first)
	}
	h.wait(2*time.Hour + time.Minute)
	second, recent := signed()
	if second != both[1] || len(published()) != 2 {
		t.Errorf("after two hours: %v, signed by %s", published(), second)
	}
	if got := hint(old.ID); got != "login_required" {
		t.Errorf("what the retired key signed: %s", got)
	}
	h.wait(2 * time.Hour)
	if ids := published(); len(ids) != 1 || ids[0] != second {
		t.Errorf("after four: %v", ids)
	}
	if got := hint(old.ID); got != "invalid_request" {
		t.Errorf("what a key signed that is gone: %s", got)
	}
	if got := hint(recent.ID); got != "login_required" {
		t.Errorf("what the key signed that is there: %s", got)
	}
	if status, _ := h.userinfo(old.Access); status != http.StatusUnauthorized {
		t.Errorf("an access token by a key that is gone: %d", status)
	}
}
