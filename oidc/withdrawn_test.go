package oidc

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestWithdrawnSaidByUs: the page of consents says that one was withdrawn to who withdrew it, where he did. A link would make it say so of
// any application: its person would believe that it has nothing of him any more.
func TestWithdrawnSaidByUs(t *testing.T) {
	h := openHouse(t, nil, web(t), web(t, asking, another))
	b := h.browser()
	b.login(b.get(h.request()), "card", "alice").answered(t)
	b, _ = agreed(h, b, "alice", "client_id", "other")
	at := h.config.Issuer + "/consents"
	says := func(b *browser, to string) bool {
		a := b.get(to)
		if a.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", a.StatusCode, a.text)
		}
		return strings.Contains(a.text, `role="status">Votre accord`)
	}
	for name, query := range map[string]string{"a link": "?withdrawn=web", "with a note": "?withdrawn=web&note=" + random(), "with an empty one": "?withdrawn=web&note="} {
		if says(b, at+query) {
			t.Errorf("%s: says what did not happen", name)
		}
	}
	a := b.post(at, url.Values{"client": {"other"}, "token": {hidden(b.get(at).text, "token")}})
	to := a.Header.Get("Location")
	if a.StatusCode != http.StatusSeeOther || !says(b, to) {
		t.Errorf("after it was withdrawn: %d %q", a.StatusCode, to)
	}
	note := must(url.Parse(to)).Query().Get("note")
	if says(b, at+"?withdrawn=web&note="+note) {
		t.Error("the note of one application says so of another")
	}
	bob := h.browser()
	bob.login(bob.get(h.request()), "card", "bob").answered(t)
	if says(bob, to) {
		t.Error("the note of one person is good for another")
	}
}
