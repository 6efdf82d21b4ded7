package oidc

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/audit"
	"sceau/oidc/client"
)

// TestLogout: a client that shows an ID token of the session ends it, gets its state back, and the others are told (RECO FI 02).
func TestLogout(t *testing.T) {
	var mu sync.Mutex
	told := map[string]string{}
	answers := http.StatusOK
	other := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		told[r.URL.Path] = r.PostFormValue("logout_token")
		w.WriteHeader(answers)
	}))
	t.Cleanup(other.Close)
	h := openHouse(t, func(c *Config, _ *client.Options) { c.BackChannel = other.Client() }, web(t), web(t, func(r *client.Registration) {
		r.ID, r.BackchannelLogoutURI, r.Name = "told", other.URL+"/told", map[string]string{"fr": "Dossier"}
	}))
	login := func(b *browser) (web, second tokens) {
		_, web = h.ask("/token", redeeming(b.login(b.get(h.request("scope", "openid offline_access")), "card", "alice").answered(t).Get("code")))
		_, second = h.ask("/token", redeeming(b.follow(b.get(h.request("client_id", "told"))).answered(t).Get("code")), func(r *http.Request) { r.SetBasicAuth("told", webSecret) })
		return web, second
	}
	logout := func(changed ...string) string {
		q := url.Values{"post_logout_redirect_uri": {"https://client.example/bye"}, "state": {"s+ t&"}}
		for i := 0; i < len(changed); i += 2 {
			q.Set(changed[i], changed[i+1])
		}
		return h.config.Issuer + "/logout?" + q.Encode()
	}
	b := h.browser()
	first, second := login(b)
	a := b.get(logout("id_token_hint", first.ID))
	if got := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || got != "https://client.example/bye?state=s%2B+t%26" {
		t.Fatalf("%d %q", a.StatusCode, got)
	}
	if got := led(b, b.get(h.request("prompt", "none"))); got != "login_required" {
		t.Errorf("after logout: %s", got)
	}
	for _, access := range []string{first.Access, second.Access} {
		if status, _ := h.userinfo(access); status != http.StatusUnauthorized {
			t.Errorf("a token after logout: %d", status)
		}
	}
	if status, _ := h.ask("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.Refresh}}); status == http.StatusOK {
		t.Error("a refresh after logout")
	}
	mu.Lock()
	said := h.claimsOf(told["/told"])
	mu.Unlock()
	id := h.claimsOf(second.ID)
	events, _ := said["events"].(map[string]any)
	if said["sub"] != id["sub"] || said["sid"] != id["sid"] || said["aud"] != "told" || said["nonce"] != nil || events["http://schemas.openid.net/event/backchannel-logout"] == nil ||
		said["jti"] == nil || said["iat"] == nil {
		t.Errorf("the logout token: %v", said)
	}
	if events := h.trail(audit.OperationSessionEnd); len(events) != 2 || events[0].Client != "" || events[0].Cause != "logout" || events[1].Client != "told" || events[0].Session != id["sid"] || events[1].Session != id["sid"] {
		t.Errorf("%+v", events)
	}

	// Without the token of this very session the person is asked (O8).
	b = h.browser()
	second, _ = login(b)
	for name, to := range map[string]string{"nothing": h.config.Issuer + "/logout", "a client": logout("client_id", "web"), "a token of another session": logout("id_token_hint", first.ID)} {
		a := b.get(to)
		if a.StatusCode != http.StatusOK || !strings.Contains(a.text, `value="logout"`) {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
		if got := led(b, b.get(h.request("prompt", "none"))); got != "code" {
			t.Errorf("%s: %s", name, got)
		}
	}
	a = b.get(logout("client_id", "web"))
	form := url.Values{"decision": {"logout"}, "token": {"x"}, "client_id": {"web"}, "post_logout_redirect_uri": {"https://client.example/bye"}, "state": {"s"}}
	b.post(h.config.Issuer+"/logout", form)
	if got := led(b, b.get(h.request("prompt", "none"))); got != "code" {
		t.Errorf("a form of another site: %s", got)
	}
	form.Set("token", hidden(a.text, "token"))
	form.Set("decision", "stay")
	if a := b.post(h.config.Issuer+"/logout", form); a.StatusCode != http.StatusOK || a.onward() != "" || !strings.Contains(a.text, "reste ouverte") {
		t.Errorf("who stays is told so: %d, led to %q", a.StatusCode, a.onward())
	}
	if got := led(b, b.get(h.request("prompt", "none"))); got != "code" {
		t.Errorf("who stayed: %s", got)
	}
	form.Set("decision", "logout")
	// The language that was chosen on the page is that of the next one.
	if a := b.get(logout("client_id", "web", "lang", "nl", "ui_locales", "de")); hidden(a.text, "ui_locales") != "nl" {
		t.Errorf("the form is for %q", hidden(a.text, "ui_locales"))
	}
	form.Set("ui_locales", "nl")
	mu.Lock()
	answers = http.StatusInternalServerError
	mu.Unlock()
	form.Del("post_logout_redirect_uri")
	if a := b.post(h.config.Issuer+"/logout", form); a.StatusCode != http.StatusOK || !strings.Contains(a.text, "Dossier") || !strings.Contains(a.text, "beëindigd") {
		t.Errorf("a client that cannot be told: %d %s", a.StatusCode, a.text)
	}
	if got := led(b, b.get(h.request("prompt", "none"))); got != "login_required" {
		t.Errorf("after the person's own logout: %s", got)
	}
	// Nobody is led where no client is registered to lead him (O3).
	for name, to := range map[string]string{
		"another address": logout("id_token_hint", second.ID, "post_logout_redirect_uri", "https://evil.example/"),
		"no client":       logout(),
		"another client":  logout("id_token_hint", second.ID, "client_id", "told"),
		"no token":        logout("id_token_hint", "x.y.z"),
		"an access token": logout("id_token_hint", second.Access),
	} {
		if a := b.get(to); a.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.Header.Get("Location"))
		}
	}
}

// TestLogoutLate: an ID token has expired long before anybody logs out, and another browser may bring it.
func TestLogoutLate(t *testing.T) {
	h := openHouse(t, func(c *Config, _ *client.Options) { c.IDToken = time.Second }, web(t))
	b := h.browser()
	_, got := h.ask("/token", redeeming(b.login(b.get(h.request()), "card", "alice").answered(t).Get("code")))
	for time.Now().Unix() <= int64(h.claimsExpiry(got.ID)) {
		time.Sleep(50 * time.Millisecond)
	}
	to := h.config.Issuer + "/logout?" + url.Values{"id_token_hint": {got.ID}, "post_logout_redirect_uri": {"https://client.example/bye"}}.Encode()
	if a := h.browser().get(to); a.StatusCode != http.StatusSeeOther {
		t.Errorf("%d %s", a.StatusCode, a.text)
	}
	if got := led(b, b.get(h.request("prompt", "none"))); got != "login_required" {
		t.Errorf("after logout: %s", got)
	}
	if a := b.get(to); a.StatusCode != http.StatusSeeOther {
		t.Errorf("again: %d", a.StatusCode)
	}
}

// TestLogoutLapsed: a session that was idle for too long still has grants, with offline_access for hours. Who logs out then is told that it
// is over: so it is, for every client, and the trail says so.
func TestLogoutLapsed(t *testing.T) {
	told := make(chan string, 8)
	other := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { told <- r.PostFormValue("logout_token") }))
	t.Cleanup(other.Close)
	for name, logout := range map[string]func(b *browser, to string) answer{
		"in its browser": func(b *browser, to string) answer { return b.get(to) },
		"in another":     func(b *browser, to string) answer { return b.house.browser().get(to) },
		"in its browser, where there is another by now": func(b *browser, to string) answer {
			b.login(b.get(b.request("prompt", "login")), "card", "bob").answered(t)
			return b.get(to)
		},
	} {
		h := openHouse(t, func(c *Config, _ *client.Options) {
			c.BackChannel, c.SessionIdle, c.RefreshToken, c.Attempt = other.Client(), 30*time.Minute, 4*time.Hour, time.Hour
			c.Store = NewMemoryStore(64<<20, c.Now) // it keeps nothing for longer than it was told to
		}, web(t), web(t, func(r *client.Registration) { r.ID, r.BackchannelLogoutURI = "told", other.URL }))
		b := h.browser()
		got := h.entered(b)
		b.follow(b.get(h.request("client_id", "told", "scope", "openid offline_access"))).answered(t)
		h.wait(31 * time.Minute)
		if led := led(b, b.get(h.request("prompt", "none"))); led != "login_required" {
			t.Fatalf("%s: the session has not lapsed: %s", name, led)
		}
		to := h.config.Issuer + "/logout?id_token_hint=" + got.ID
		if a := logout(b, to); a.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
		if h.refreshes(got) {
			t.Errorf("%s: the refresh token is good after the logout", name)
		}
		sid := h.claimsOf(got.ID)["sid"]
		select {
		case token := <-told:
			if h.claimsOf(token)["sid"] != sid {
				t.Errorf("%s: told of %v", name, h.claimsOf(token))
			}
		default:
			t.Errorf("%s: the other client was not told", name)
		}
		events := h.trail(audit.OperationSessionEnd)
		if len(events) != 2 || events[0].Session != sid || events[0].Subject.Value != "etab1:a1" || events[0].Cause != "logout" {
			t.Errorf("%s: recorded %+v", name, events)
		}
		// It is over once.
		logout(b, to)
		if again := h.trail(audit.OperationSessionEnd); len(again) != len(events) {
			t.Errorf("%s: ended again: %+v", name, again[len(events):])
		}
	}
}

// TestLogoutForgotten: of a session of which nothing is kept the end is remembered all the same, for what may have been granted out of it.
func TestLogoutForgotten(t *testing.T) {
	h := openHouse(t, func(c *Config, _ *client.Options) { c.Store = NewMemoryStore(64<<20, c.Now) }, web(t))
	got := h.entered(h.browser())
	sid, _ := h.claimsOf(got.ID)["sid"].(string)
	if err := h.state.store.Delete(t.Context(), h.state.key("sid", sid)); err != nil {
		t.Fatal(err)
	}
	h.browser().get(h.config.Issuer + "/logout?id_token_hint=" + got.ID)
	if h.refreshes(got) {
		t.Error("the refresh token is good after the logout")
	}
	events := h.trail(audit.OperationLogout)
	if len(events) != 1 || events[0].Session != sid || events[0].Subject.Value != "etab1:a1" || events[0].Outcome != audit.Success {
		t.Errorf("recorded %+v", events)
	}
	// Of what is so old that nothing can live any more, nothing is remembered: a token is shown as often as somebody likes.
	h.wait(h.state.longest + time.Hour)
	h.browser().get(h.config.Issuer + "/logout?id_token_hint=" + got.ID)
	if again := h.trail(audit.OperationLogout); len(again) != 1 {
		t.Errorf("recorded %+v", again)
	}
}

// entered are the tokens of alice, who logs in for the client web.
func (h *house) entered(b *browser) tokens {
	h.Helper()
	_, got := h.ask("/token", redeeming(b.login(b.get(h.request("scope", "openid offline_access")), "card", "alice").answered(h.T).Get("code")))
	return got
}

func (h *house) refreshes(got tokens) bool {
	h.Helper()
	status, _ := h.ask("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.Refresh}})
	return status == http.StatusOK
}

func (h *house) claimsExpiry(token string) float64 {
	exp, _ := h.claimsOf(token)["exp"].(float64)
	return exp
}
