package oidc

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestO8Tossed: a sibling of our host sets cookies of our names in a browser, for a path that is longer than ours: the browser sends
// them first. They would make alice bob, who reads what she enters, and shut her out of her own attempts.
func TestO8Tossed(t *testing.T) {
	h := openHouse(t, nil, web(t))
	at := must(url.Parse(h.config.Issuer + "/authorize"))
	mallory := h.browser()
	mallory.login(mallory.get(h.request()), "card", "bob").answered(t)
	toss := func(b *browser, at *url.URL, name, value string) {
		b.client.Jar.SetCookies(at, []*http.Cookie{{Name: name, Value: value, Path: at.Path, Secure: true}})
	}
	bobs := cookieOf(mallory, at.String(), sessionCookie)
	who := func(b *browser) any {
		t.Helper()
		q := b.get(h.request("prompt", "none")).answered(t)
		if q.Get("code") == "" {
			return q.Get("error")
		}
		_, got := h.ask("/token", redeeming(q.Get("code")))
		return h.claimsOf(got.ID)["sub"]
	}
	if got := who(mallory); got != "etab1:b2" {
		t.Fatalf("the session that is tossed is of %v", got)
	}
	alice := h.browser()
	alice.login(alice.get(h.request()), "card", "alice").answered(t)
	for _, value := range []string{bobs, "x", ""} {
		toss(alice, at, sessionCookie, value)
		r := must(http.NewRequest(http.MethodGet, at.String(), nil))
		for _, c := range alice.client.Jar.Cookies(at) {
			r.AddCookie(c)
		}
		if all := r.CookiesNamed(sessionCookie); len(all) != 2 || all[0].Value != value {
			t.Fatalf("the browser sends %v", all)
		}
		if got := who(alice); got != "etab1:a1" {
			t.Errorf("alice, with %.5q tossed, is %v", value, got)
		}
	}
	// Where nobody is logged in, nobody is by it; and who logs in is himself.
	alice = h.browser()
	toss(alice, at, sessionCookie, bobs)
	if got := who(alice); got != "login_required" {
		t.Errorf("a browser in which nobody is logged in, with a cookie tossed: %v", got)
	}
	alice.login(alice.get(h.request()), "card", "alice").answered(t)
	if got := who(alice); got != "etab1:a1" {
		t.Errorf("and after a login: %v", got)
	}
	if a := alice.get(h.config.Issuer + "/consents"); !strings.Contains(a.text, "Alice Exemple") {
		t.Errorf("the page of consents: %d %s", a.StatusCode, a.text)
	}
	// A browser that takes seals from anybody has none, where two came.
	toss(alice, at, h.sealCookie(), sealOf(bobs))
	if got := who(alice); got != "login_required" {
		t.Errorf("with two seals: %v", got)
	}
	// An attempt is not lost to what is put before its cookie.
	alice = h.browser()
	page := alice.follow(alice.get(h.request()))
	attempt, _, _ := strings.Cut(page.Request.URL.String(), "?")
	for range 3 {
		toss(alice, must(url.Parse(attempt+"/m")), attemptCookie, random())
		toss(alice, must(url.Parse(attempt+"/go")), attemptCookie, random())
	}
	if got := led(alice, alice.login(page, "card", "alice")); got != "code" {
		t.Errorf("an attempt whose cookie another was put before: %s", got)
	}
}
