package rp_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/oidc/rp"
	"sceau/oidc/rp/rptest"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

func logoutClaims(op *rptest.OP, at time.Time) rptest.Members {
	return rptest.Members{"iss": op.Issuer, "aud": op.ClientID, "sub": op.Subject, "sid": "session-1", "iat": at.Unix(), "exp": at.Add(2 * time.Minute).Unix(),
		"jti": rand.Text(), "events": rptest.Members{logoutEvent: rptest.Members{}}}
}

func post(h http.Handler, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/logout", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestBackchannelLogout(t *testing.T) {
	op := rptest.New(t, rptest.Config{})
	var got []rp.LogoutNotice
	var fail error
	h := provider(t, configOf(op)).Logouts(func(_ context.Context, n rp.LogoutNotice) error {
		got = append(got, n)
		return fail
	})
	typed := map[jose.HeaderKey]any{"typ": "logout+jwt"}
	token := op.Sign(logoutClaims(op, rptest.Now()), typed)
	w := post(h, url.Values{"logout_token": {token}})
	if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" || len(got) != 1 || got[0] != (rp.LogoutNotice{Subject: op.Subject, SessionID: "session-1"}) {
		t.Fatalf("%d %v", w.Code, got)
	}
	if w := post(h, url.Values{"logout_token": {token}}); w.Code != http.StatusBadRequest || w.Header().Get("Cache-Control") != "no-store" || len(got) != 1 {
		t.Errorf("the same again: %d", w.Code)
	}
	fail = errors.New("the sessions are not at hand")
	if w := post(h, url.Values{"logout_token": {op.Sign(logoutClaims(op, rptest.Now()), typed)}}); w.Code != http.StatusInternalServerError {
		t.Errorf("sessions that could not be ended: %d", w.Code)
	}
	fail, got = nil, nil
	one := op.Sign(logoutClaims(op, rptest.Now()), typed)
	for name, r := range map[string]*http.Request{
		"GET":        httptest.NewRequest(http.MethodGet, "/logout?logout_token="+one, nil),
		"no form":    httptest.NewRequest(http.MethodPost, "/logout?logout_token="+one, nil),
		"two":        form("logout_token=" + one + "&logout_token=" + one),
		"none":       form("token=" + one),
		"in the URL": func() *http.Request { r := form(""); r.URL.RawQuery = "logout_token=" + one; return r }(),
		"too large":  form("logout_token=" + strings.Repeat("a", 100000)),
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest && w.Code != http.StatusMethodNotAllowed || len(got) != 0 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

func form(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/logout", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// TestO8LogoutTokens: who can make us take something else for a logout token ends the sessions of others.
func TestO8LogoutTokens(t *testing.T) {
	set := func(name string, value any) func(rptest.Members) { return func(c rptest.Members) { c[name] = value } }
	drop := func(names ...string) func(rptest.Members) {
		return func(c rptest.Members) {
			for _, name := range names {
				delete(c, name)
			}
		}
	}
	at := func(d time.Duration) int64 { return rptest.Now().Add(d).Unix() }
	for name, tt := range map[string]struct {
		typ     string
		untyped bool
		change  func(rptest.Members)
		why     string // empty: admitted
	}{
		"good":                   {"logout+jwt", false, nil, ""},
		"typ with application":   {"application/logout+jwt", false, nil, ""},
		"typ JWT":                {"JWT", false, nil, "typ"},
		"typ JWT of an old one":  {"JWT", true, nil, ""},
		"typ of an access token": {"at+jwt", true, nil, "typ"},
		"an ID token":            {"JWT", true, func(c rptest.Members) { delete(c, "events"); c["nonce"] = "n" }, ""},
		"nonce":                  {"logout+jwt", false, set("nonce", "n"), "another claim"},
		"nonce null":             {"logout+jwt", false, set("nonce", nil), "another claim"},
		"no events":              {"logout+jwt", false, drop("events"), "another claim"},
		"another event":          {"logout+jwt", false, set("events", rptest.Members{"http://schemas.openid.net/event/other": rptest.Members{}}), "another claim"},
		"the event is a text":    {"logout+jwt", false, set("events", rptest.Members{logoutEvent: "yes"}), "events"},
		"the event is null":      {"logout+jwt", false, set("events", rptest.Members{logoutEvent: nil}), "events"},
		"events in another case": {"logout+jwt", false, func(c rptest.Members) { c["Events"] = c["events"]; delete(c, "events") }, "events"},
		"no jti":                 {"logout+jwt", false, drop("jti"), "another claim"},
		"no sub":                 {"logout+jwt", false, drop("sub"), ""},
		"no sid":                 {"logout+jwt", false, drop("sid"), ""},
		"neither":                {"logout+jwt", false, drop("sub", "sid"), "another claim"},
		"sub is a list":          {"logout+jwt", false, set("sub", []string{"a"}), "another claim"},
		"an empty sid":           {"logout+jwt", false, set("sid", ""), "whose"},
		"of another issuer":      {"logout+jwt", false, set("iss", "https://evil.example"), "another claim"},
		"for another client":     {"logout+jwt", false, set("aud", "another"), "another claim"},
		"expired":                {"logout+jwt", false, set("exp", at(-time.Minute)), "expired"},
		"no exp":                 {"logout+jwt", false, drop("exp"), "another claim"},
		"issued yesterday":       {"logout+jwt", false, set("iat", at(-24*time.Hour)), "iat"},
		"issued tomorrow":        {"logout+jwt", false, set("iat", at(24*time.Hour)), "iat"},
		"no iat":                 {"logout+jwt", false, drop("iat"), "iat"},
		"good for a year":        {"logout+jwt", false, set("exp", at(365*24*time.Hour)), "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			op := rptest.New(t, rptest.Config{})
			c := configOf(op)
			c.UntypedLogout = tt.untyped
			claims := logoutClaims(op, rptest.Now())
			if tt.change != nil {
				tt.change(claims)
			}
			n, err := provider(t, c).VerifyLogout(ctx(t), op.Sign(claims, map[jose.HeaderKey]any{"typ": tt.typ}))
			if name == "an ID token" {
				tt.why = "another claim"
			}
			if tt.why == "" {
				if err != nil || n == (rp.LogoutNotice{}) {
					t.Error(err)
				}
				return
			}
			if n != (rp.LogoutNotice{}) || rp.ReasonOf(err) != rp.BadToken || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("%v, %v", n, err)
			}
		})
	}
}

func TestMemoryOnce(t *testing.T) {
	m, now := rp.NewMemoryOnce(2), rptest.Now()
	first := func(key string, at, until time.Time) (bool, error) { return m.First(t.Context(), key, at, until) }
	for _, tt := range []struct {
		key       string
		at, until time.Duration
		want      bool
		full      bool
	}{
		{"a", 0, time.Minute, true, false}, {"a", time.Second, time.Minute, false, false}, {"b", 0, time.Hour, true, false}, {"c", 0, time.Hour, false, true},
		{"c", time.Minute, time.Hour, true, false}, {"b", 2 * time.Minute, time.Hour, false, false}, {"d", 2 * time.Minute, time.Hour, false, true}, {"b", 2 * time.Hour, 3 * time.Hour, true, false},
	} {
		got, err := first(tt.key, now.Add(tt.at), now.Add(tt.until))
		if got != tt.want || (err != nil) != tt.full {
			t.Errorf("%+v: %v, %v", tt, got, err)
		}
	}
	op := rptest.New(t, rptest.Config{})
	c := configOf(op)
	c.Once = rp.NewMemoryOnce(0)
	w := post(provider(t, c).Logouts(func(context.Context, rp.LogoutNotice) error { t.Error("ended"); return nil }),
		url.Values{"logout_token": {op.Sign(logoutClaims(op, rptest.Now()), map[jose.HeaderKey]any{"typ": "logout+jwt"})}})
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("what cannot be remembered: %d", w.Code)
	}
}

func TestEndSession(t *testing.T) {
	op := rptest.New(t, rptest.Config{})
	c := configOf(op)
	c.LogoutRedirectURI = "https://sceau.example/out"
	p := provider(t, c)
	address, err := p.EndSession(ctx(t), rp.Logout{IDToken: "a.b.c", State: "s t", Locales: []string{"fr"}})
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(address)
	want := url.Values{"client_id": {"client"}, "id_token_hint": {"a.b.c"}, "post_logout_redirect_uri": {"https://sceau.example/out"}, "state": {"s t"}, "ui_locales": {"fr"}}
	if u.Host != "op.example" || u.Query().Encode() != want.Encode() {
		t.Error(address)
	}
	if address, err = provider(t, configOf(op)).EndSession(ctx(t), rp.Logout{State: "s"}); err != nil || strings.Contains(address, "state") {
		t.Errorf("%s, %v", address, err)
	}
	dropped := c
	dropped.LogoutStateMayBeDropped = true
	for name, tt := range map[string]struct {
		p     *rp.Provider
		query url.Values
		state string
		good  bool
	}{
		"ours":               {p, url.Values{"state": {"s"}}, "s", true},
		"another":            {p, url.Values{"state": {"t"}}, "s", false},
		"dropped":            {p, url.Values{}, "s", false},
		"twice":              {p, url.Values{"state": {"s", "s"}}, "s", false},
		"none was sent":      {p, url.Values{"state": {""}}, "", false},
		"may be dropped":     {provider(t, dropped), url.Values{}, "s", true},
		"dropped or another": {provider(t, dropped), url.Values{"state": {"t"}}, "s", false},
	} {
		if err := tt.p.Ended(tt.query, tt.state); (err == nil) != tt.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	op.Lies.Discovery = func(m rptest.Members) { delete(m, "end_session_endpoint") }
	if _, err := provider(t, configOf(op)).EndSession(ctx(t), rp.Logout{}); rp.ReasonOf(err) != rp.Misconfigured {
		t.Error(err)
	}
}

func TestRefresh(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(rptest.Members)
		token  func(rptest.Members)
		why    string
	}{
		"good":               {func(c rptest.Members) {}, nil, ""},
		"the same nonce":     {func(c rptest.Members) { c["nonce"] = "first" }, nil, ""},
		"another nonce":      {func(c rptest.Members) { c["nonce"] = "another" }, nil, "nonce"},
		"somebody else":      {func(c rptest.Members) { c["sub"] = "another" }, nil, "somebody else"},
		"another auth_time":  {func(c rptest.Members) { c["auth_time"] = rptest.Now().Unix() }, nil, "auth_time"},
		"no auth_time":       {func(c rptest.Members) { delete(c, "auth_time") }, nil, ""},
		"no ID token":        {nil, func(m rptest.Members) { delete(m, "id_token") }, ""},
		"no refresh token":   {nil, func(m rptest.Members) { delete(m, "refresh_token") }, ""},
		"no access token":    {nil, func(m rptest.Members) { delete(m, "access_token") }, "no access token"},
		"another token type": {nil, func(m rptest.Members) { m["token_type"] = "mac" }, "token_type"},
	} {
		t.Run(name, func(t *testing.T) {
			op := rptest.New(t, rptest.Config{})
			p := provider(t, configOf(op))
			f, err := p.Begin(ctx(t), rp.Request{})
			if err != nil {
				t.Fatal(err)
			}
			f.Nonce = "first"
			op.Lies.IDToken = func(c rptest.Members) { c["nonce"] = "first" }
			l, err := p.Finish(ctx(t), f, op.Authorize(t, f.URL))
			if err != nil {
				t.Fatal(err)
			}
			op.Lies.IDToken, op.Lies.Token = tt.change, tt.token
			next, err := p.Refresh(ctx(t), l)
			if tt.why != "" {
				if next != nil || err == nil || !strings.Contains(err.Error(), tt.why) {
					t.Errorf("%v, %v", next, err)
				}
				return
			}
			if err != nil || next.Subject != l.Subject || !next.AuthTime.Equal(l.AuthTime) || next.Tokens.Access == l.Tokens.Access || next.Tokens.Refresh == "" || next.Tokens.ID == "" {
				t.Errorf("%+v, %v", next, err)
			}
			if op.Seen.Token.Get("grant_type") != "refresh_token" || op.Seen.Token.Get("refresh_token") != l.Tokens.Refresh {
				t.Errorf("%v", op.Seen.Token)
			}
		})
	}
	op := rptest.New(t, rptest.Config{})
	for _, l := range []*rp.Login{nil, {}, {Issuer: op.Issuer}, {Issuer: "https://evil.example", Tokens: rp.Tokens{Refresh: "refresh-1"}}} {
		if _, err := provider(t, configOf(op)).Refresh(ctx(t), l); rp.ReasonOf(err) != rp.Mismatch {
			t.Errorf("%+v: %v", l, err)
		}
	}
}

// FuzzLogoutToken: whatever is sent, nothing but what the provider signed is taken for its word, and that once.
func FuzzLogoutToken(f *testing.F) {
	op := rptest.New(f, rptest.Config{Algorithm: jose.ES256})
	p := provider(f, configOf(op))
	good := op.Sign(logoutClaims(op, rptest.Now()), map[jose.HeaderKey]any{"typ": "logout+jwt"})
	f.Add(good)
	f.Add(strings.Replace(good, ".", "..", 1))
	f.Add("eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + ".")
	f.Add(`{"payload":"","signatures":[]}`)
	f.Add(rptest.SignWith(jose.HS256, []byte("a secret of thirty-two octets or more"), logoutClaims(op, rptest.Now()), nil, "key-1"))
	if _, err := p.VerifyLogout(f.Context(), good); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, token string) {
		n, err := p.VerifyLogout(t.Context(), token)
		if err == nil || n != (rp.LogoutNotice{}) {
			t.Fatalf("%q: %v", token, n)
		}
		if reason := rp.ReasonOf(err); reason != rp.BadToken && (reason != rp.Replayed || token != good) {
			t.Fatalf("%q: %v", token, err)
		}
	})
}
