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
	if events := h.trail(audit.OperationSessionEnd); len(events) != 1 || events[0].Client != "told" || events[0].Session != id["sid"] {
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

func (h *house) claimsExpiry(token string) float64 {
	exp, _ := h.claimsOf(token)["exp"].(float64)
	return exp
}
