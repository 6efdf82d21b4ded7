package oidc

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sceau/oidc/authn"
	"sceau/oidc/client"
)

func psc(tb testing.TB) client.Registration {
	return web(tb, func(r *client.Registration) {
		r.ID, r.Profile, r.IDTokenAlgorithm = "psc", client.ProfileProSanteConnect, "RS256"
	})
}

// led says where an answer leads: to the client with a code, to it with an error, or to a page.
func led(b *browser, a answer) string {
	b.Helper()
	a = b.follow(a)
	if to := a.onward(); strings.HasPrefix(to, back) {
		u, err := url.Parse(to)
		if err != nil {
			b.Fatal(err)
		}
		if e := u.Query().Get("error"); e != "" {
			return e
		}
		if u.Query().Get("code") != "" {
			return "code"
		}
	}
	switch {
	case a.StatusCode != http.StatusOK:
		return http.StatusText(a.StatusCode)
	case strings.Contains(a.Request.URL.Path, "/m/"):
		return "means"
	case strings.HasSuffix(a.Request.URL.Path, "/consent"):
		return "consent"
	}
	return "choice"
}

// TestSessionRule: the last explicit authentication is less than four hours old, whatever the session and whatever max_age says
// (EXI FI 25, RECO FI 01; attacks.md O7).
func TestSessionRule(t *testing.T) {
	h := openHouse(t, func(c *Config, _ *client.Options) { c.SessionLifetime, c.SessionIdle = 24*time.Hour, 24*time.Hour }, web(t), psc(t),
		web(t, func(r *client.Registration) { r.ID, r.Session.MaxAuthenticationAge = "strict", time.Hour }))
	b := h.browser()
	if got := led(b, b.login(b.get(h.request()), "card", "alice")); got != "code" {
		t.Fatal(got)
	}
	for _, c := range []struct {
		at      time.Duration
		changed []string
		want    string
	}{
		{0, nil, "code"},
		{0, []string{"client_id", "psc"}, "code"},
		{30 * time.Minute, []string{"client_id", "strict"}, "code"},
		{59 * time.Minute, []string{"client_id", "strict"}, "code"},
		{60 * time.Minute, []string{"client_id", "strict"}, "choice"},
		{60 * time.Minute, []string{"client_id", "strict", "prompt", "none"}, "login_required"},
		{90 * time.Minute, []string{"max_age", "5400"}, "choice"},
		{90 * time.Minute, []string{"max_age", "5460"}, "code"},
		{90 * time.Minute, []string{"max_age", "0"}, "choice"},
		{90 * time.Minute, []string{"prompt", "login"}, "choice"},
		{90 * time.Minute, []string{"prompt", "select_account"}, "choice"},
		{2 * time.Hour, []string{"client_id", "psc"}, "code"},
		{3 * time.Hour, []string{"client_id", "psc"}, "code"},
		{239 * time.Minute, []string{"client_id", "psc", "max_age", "86400"}, "code"},
		{240 * time.Minute, []string{"client_id", "psc", "max_age", "86400"}, "means"}, // one means alone is strong enough
		{240 * time.Minute, []string{"client_id", "psc"}, "means"},
		{240 * time.Minute, []string{"client_id", "psc", "prompt", "none"}, "login_required"},
		{240 * time.Minute, nil, "choice"},
	} {
		h.wait(c.at - h.passed())
		got := led(b, b.get(h.request(c.changed...)))
		if got == "choice" && c.want == "means" {
			got = "means" // it is told why before
		}
		if got != c.want {
			t.Errorf("after %v with %v: %s, want %s", c.at, c.changed, got, c.want)
		}
	}
	// A new authentication, and it goes on; auth_time is that of the new one.
	if got := led(b, b.login(b.get(h.request("client_id", "psc")), "card", "alice")); got != "code" {
		t.Errorf("after a new authentication: %s", got)
	}
}

// TestIdle: a session ends when it is not used for a while, however young its authentication is, and in any case after its life.
func TestIdle(t *testing.T) {
	h := openHouse(t, func(c *Config, _ *client.Options) { c.SessionIdle, c.SessionLifetime = 20*time.Minute, time.Hour }, web(t))
	b := h.browser()
	if got := led(b, b.login(b.get(h.request()), "card", "alice")); got != "code" {
		t.Fatal(got)
	}
	for _, c := range []struct {
		after time.Duration
		want  string
	}{{19 * time.Minute, "code"}, {19 * time.Minute, "code"}, {19 * time.Minute, "code"}, {4 * time.Minute, "login_required"}} {
		h.wait(c.after)
		if got := led(b, b.get(h.request("prompt", "none"))); got != c.want {
			t.Errorf("after %v more: %s, want %s", c.after, got, c.want)
		}
	}
	if got := led(b, b.login(b.get(h.request()), "card", "alice")); got != "code" {
		t.Fatal(got)
	}
	h.wait(20 * time.Minute)
	if got := led(b, b.get(h.request("prompt", "none"))); got != "login_required" {
		t.Errorf("unused: %s", got)
	}
}

func (h *house) passed() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.offset
}

// TestStrength: a client gets what it admits, one authentication has to have all of it, and nobody changes it (EXI FI 24).
func TestStrength(t *testing.T) {
	h := openHouse(t, nil, web(t), psc(t), web(t, func(r *client.Registration) {
		r.ID = "levels"
		r.Session.ACR = []client.ACRRegistration{{Value: "eidas3", Methods: [][]string{{"sc", "pin", "mfa"}}}, {Value: "eidas1", Methods: [][]string{{"pwd"}}}}
	}))
	b := h.browser()
	if got := led(b, b.login(b.get(h.request()), "password", "alice")); got != "code" {
		t.Fatal(got)
	}
	if got := led(b, b.get(h.request("client_id", "psc", "prompt", "none"))); got != "login_required" {
		t.Errorf("a password for Pro Santé Connect: %s", got)
	}
	page := b.follow(b.get(h.request("client_id", "psc")))
	if strings.Contains(page.text, "/m/password") || !strings.Contains(page.text, "/m/card") {
		t.Errorf("what is offered to Pro Santé Connect: %s", page.text)
	}
	// The address of a means that is not offered leads nowhere.
	attempt, _, _ := strings.Cut(page.Request.URL.String(), "/m/")
	if got := b.get(attempt + "/m/password"); got.StatusCode != http.StatusForbidden {
		t.Errorf("a means that is not admitted: %d", got.StatusCode)
	}
	acr := func(changed ...string) any {
		a := b.follow(b.get(h.request(append([]string{"client_id", "levels"}, changed...)...)))
		code := a.answered(t).Get("code")
		if code == "" {
			return a.answered(t).Get("error")
		}
		_, got := h.ask("/token", redeeming(code), func(r *http.Request) { r.SetBasicAuth("levels", webSecret) })
		return h.claimsOf(got.ID)["acr"]
	}
	if got := acr(); got != "eidas1" {
		t.Errorf("acr of a password: %v", got)
	}
	if got := led(b, b.get(h.request("client_id", "levels", "acr_values", "eidas3"))); got != "means" && got != "choice" {
		t.Errorf("a wish that a means reaches: %s", got)
	}
	if got := acr("acr_values", "eidas3", "prompt", "none"); got != "eidas1" { // a wish is no condition
		t.Errorf("a wish without a person: %v", got)
	}
	if got := acr("claims", `{"id_token":{"acr":{"essential":true,"values":["eidas3"]}}}`, "prompt", "none"); got != "login_required" {
		t.Errorf("a condition that is not met: %v", got)
	}
	if got := acr("acr_values", "unknown eidas1"); got != "eidas1" {
		t.Errorf("a wish that nobody has: %v", got)
	}
	if got := led(b, b.login(b.get(h.request("client_id", "levels", "acr_values", "eidas3")), "card", "alice")); got != "code" {
		t.Fatal(got)
	}
	if got := acr("claims", `{"id_token":{"acr":{"essential":true,"value":"eidas3"}}}`, "prompt", "none"); got != "eidas3" {
		t.Errorf("after a step up: %v", got)
	}
	if got := acr("acr_values", "eidas1"); got != "eidas1" { // and the weaker one is still there for who wants it
		t.Errorf("the weaker one: %v", got)
	}
}

// TestPersonChanges: another person at the same browser gets a session of his own, and the one before ends.
func TestPersonChanges(t *testing.T) {
	h := openHouse(t, nil, web(t))
	b := h.browser()
	code := b.login(b.get(h.request("scope", "openid offline_access")), "card", "alice").answered(t).Get("code")
	_, alice := h.ask("/token", redeeming(code))
	if alice.Refresh == "" {
		t.Fatal("no refresh token")
	}
	code = b.login(b.get(h.request("prompt", "login")), "card", "bob").answered(t).Get("code")
	_, bob := h.ask("/token", redeeming(code))
	if sub := h.claimsOf(bob.ID)["sub"]; sub != "etab1:b2" {
		t.Errorf("sub %v", sub)
	}
	if h.claimsOf(bob.ID)["sid"] == h.claimsOf(alice.ID)["sid"] {
		t.Error("one session for two people")
	}
	if _, has := h.claimsOf(bob.ID)["email"]; !has {
		t.Error("no address") // no domains are configured
	}
	if _, got := h.ask("/introspect", url.Values{"token": {alice.Access}}); got.Active {
		t.Error("the tokens of the person before go on")
	}
	if status, _ := h.ask("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {alice.Refresh}}); status == http.StatusOK {
		t.Error("and are refreshed")
	}
	// Whom the client means by a token is who comes, or nobody.
	if got := led(b, b.get(h.request("id_token_hint", alice.ID, "prompt", "none"))); got != "login_required" {
		t.Errorf("another than who is meant: %s", got)
	}
	if got := led(b, b.get(h.request("id_token_hint", bob.ID, "prompt", "none"))); got != "code" {
		t.Errorf("who is meant: %s", got)
	}
}

func TestRefusals(t *testing.T) {
	h := openHouse(t, nil, web(t))
	for _, c := range []struct {
		name   string
		person string
		change func()
	}{
		{"nobody's", "carol", func() {}},
		{"closed", "bob", func() { h.people.change("bob", func(a *authn.Account) { a.Locked = true }) }},
		{"not proven", "alice", func() { h.card.refusal = &authn.Refusal{Reason: authn.NotProven} }},
		{"an old one", "alice", func() { h.card.refusal, h.card.age = nil, 5*time.Hour }},
		{"a future one", "alice", func() { h.card.age = -time.Hour }},
	} {
		c.change()
		b := h.browser()
		if got := led(b, b.login(b.get(h.request()), "card", c.person)); got == "code" {
			t.Errorf("%s: %s", c.name, got)
		}
	}
	for _, e := range h.trail("authentication") {
		if e.Means != "card" || e.Attempt == "" || e.Sealed.Source.IsValid() == false {
			t.Errorf("%+v", e)
		}
	}
}

// TestMailDomains: an address of another domain is given to nobody (EXI FI 26).
func TestMailDomains(t *testing.T) {
	h := openHouse(t, func(c *Config, _ *client.Options) { c.MailDomains = []string{"hopital.example"} }, web(t))
	for person, want := range map[string]any{"alice": "alice@hopital.example", "bob": nil} {
		b := h.browser()
		_, got := h.ask("/token", redeeming(b.login(b.get(h.request()), "card", person).answered(t).Get("code")))
		if mail := h.claimsOf(got.ID)["email"]; mail != want {
			t.Errorf("%s: %v", person, mail)
		}
	}
}

func TestConsent(t *testing.T) {
	h := openHouse(t, nil, web(t, func(r *client.Registration) { r.Consent, r.TermsURL = "terms", "https://client.example/cgu" }))
	b := h.browser()
	a := b.login(b.get(h.request()), "card", "alice")
	if got := led(b, a); got != "consent" {
		t.Fatal(got)
	}
	at, token := a.Request.URL.String(), hidden(a.text, "token")
	if token == "" || !strings.Contains(a.text, "https://client.example/cgu") {
		t.Fatal(a.text)
	}
	if got := b.post(at, url.Values{"decision": {"allow"}, "token": {token}}); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("without the terms: %d", got.StatusCode)
	}
	if got := b.post(at, url.Values{"decision": {"allow"}, "terms": {"accepted"}, "token": {"x"}}); got.StatusCode != http.StatusForbidden {
		t.Errorf("without the token (O8, consent bypass): %d", got.StatusCode)
	}
	if got := led(b, b.get(strings.TrimSuffix(at, "/consent")+"/go")); got != "consent" {
		t.Errorf("by another address (O8, consent bypass): %s", got)
	}
	if got := led(b, b.post(at, url.Values{"decision": {"allow"}, "terms": {"accepted"}, "token": {token}})); got != "code" {
		t.Errorf("allowed: %s", got)
	}
	if got := led(b, b.get(h.request("prompt", "none"))); got != "code" {
		t.Errorf("remembered: %s", got)
	}
	if got := led(b, b.get(h.request("prompt", "none", "scope", "openid"))); got != "consent_required" {
		t.Errorf("other scopes: %s", got)
	}
	if got := led(b, b.get(h.request("prompt", "consent"))); got != "consent" {
		t.Errorf("asked for: %s", got)
	}
	a = b.follow(b.get(h.request("prompt", "consent")))
	a = b.post(a.Request.URL.String(), url.Values{"decision": {"deny"}, "token": {hidden(a.text, "token")}})
	if got := led(b, a); got != "access_denied" || a.Header.Get("Location") != "" {
		t.Errorf("denied: %s, led to %q", got, a.Header.Get("Location"))
	}
}

// TestOver: who goes back to an attempt that is over, and has what was a form of it, is told what to do.
func TestOver(t *testing.T) {
	h := openHouse(t, nil, web(t))
	b := h.browser()
	a := b.follow(b.get(h.request()))
	at, token := a.Request.URL.String(), hidden(a.text, "token")
	b.login(a, "card", "alice").answered(t)
	for name, a := range map[string]answer{"the choice": b.get(at), "the page of a means": b.get(at + "/m/card"), "its form": b.post(at+"/m/card", url.Values{"person": {"alice"}, "token": {token}}),
		"giving up": b.post(at+"/cancel", url.Values{"token": {token}}), "an attempt that never was": b.get(h.config.Issuer + "/authorize/x")} {
		if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.text, "<h1>Cette connexion n’est plus en cours</h1>") {
			t.Errorf("%s: %d %.300s", name, a.StatusCode, a.text)
		}
	}
}

// TestGivenUp: the client is told by a page that leads on. A redirect would be the middle of a chain that began with a form, which Chromium stops where
// the client leads on to a host that the policy of the form's page does not know: a broker does.
func TestGivenUp(t *testing.T) {
	h := openHouse(t, nil, web(t))
	b := h.browser()
	a := b.follow(b.get(h.request()))
	a = b.post(a.Request.URL.String()+"/cancel", url.Values{"token": {hidden(a.text, "token")}})
	if a.StatusCode != http.StatusOK || a.Header.Get("Location") != "" {
		t.Fatalf("%d, led to %q", a.StatusCode, a.Header.Get("Location"))
	}
	if got := led(b, a); got != "access_denied" {
		t.Error(got)
	}
	if q := a.answered(t); q.Get("state") != "st" || q.Get("iss") != h.config.Issuer {
		t.Error(q)
	}
}
