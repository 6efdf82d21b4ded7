package oidc

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/audit"
	"sceau/oidc/authn"
	"sceau/oidc/client"
)

// A gated store lets who read an attempt go on when as many have read it as were asked for, or when it is opened: all of them stand on
// what they read, whatever the others write.
type gated struct {
	Store
	mu     sync.Mutex
	wait   int           // how many more are to read one
	read   chan struct{} // closed when they have
	opened chan struct{}
}

// hold has the next n who read an attempt wait for open.
func (g *gated) hold(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wait, g.read, g.opened = n, make(chan struct{}), make(chan struct{})
}

func (g *gated) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := g.Store.Get(ctx, key)
	if !strings.Contains(key, "/attempt/") {
		return value, err
	}
	g.mu.Lock()
	var opened chan struct{}
	if g.wait > 0 {
		opened = g.opened
		if g.wait--; g.wait == 0 {
			close(g.read)
		}
	}
	g.mu.Unlock()
	if opened != nil {
		<-opened
	}
	return value, err
}

func openGated(t *testing.T, registrations ...client.Registration) (*house, *gated) {
	g := &gated{}
	h := openHouse(t, func(c *Config, _ *client.Options) { g.Store, c.Store = c.Store, g }, registrations...)
	return h, g
}

// standing is a browser of alice's, who has authenticated in an attempt that was not answered yet, and the address of the attempt.
func standing(h *house, to string) (*browser, string) {
	h.Helper()
	b := h.browser()
	a := b.follow(b.get(to))
	at, _, _ := strings.Cut(a.Request.URL.String(), "?")
	form := b.get(at + "/m/card")
	if a := b.post(at+"/m/card", url.Values{"person": {"alice"}, "token": {hidden(form.text, "token")}}); a.onward() != at+"/go" {
		h.Fatalf("%d %q", a.StatusCode, a.onward())
	}
	return b, at
}

func over(a answer) bool {
	return a.StatusCode == http.StatusBadRequest && a.onward() == "" && strings.Contains(a.text, "<h1>Cette connexion n’est plus en cours</h1>")
}

// TestAttemptEndsOnce: of all who end an attempt at the same time one does. Four answers to one pushed request would be four grants, and
// four codes of which three can be stolen without anybody missing his own. Who clicked twice is told that it was done.
func TestAttemptEndsOnce(t *testing.T) {
	h, g := openGated(t, web(t))
	for name, to := range map[string]string{"pushed": h.push(), "asked": h.request("prompt", "login")} {
		b, at := standing(h, to)
		before := len(h.trail(audit.OperationAuthorization))
		const n = 4
		g.hold(n)
		answers := make(chan answer, n)
		for range n {
			go func() { answers <- b.get(at + "/go") }()
		}
		<-g.read
		close(g.opened)
		good := 0
		for range n {
			switch a := <-answers; {
			case !over(a):
				if status, _ := h.ask("/token", redeeming(a.answered(t).Get("code"))); status == http.StatusOK {
					good++
				}
			}
		}
		if good != 1 {
			t.Errorf("%s: one request, %d grants", name, good)
		}
		outcomes := map[audit.Outcome]int{}
		for _, e := range h.trail(audit.OperationAuthorization)[before:] {
			outcomes[e.Outcome]++
		}
		if outcomes[audit.Success] != 1 || outcomes[audit.Refused] != n-1 {
			t.Errorf("%s: recorded %v", name, outcomes)
		}
	}
	// Given up and answered at the same time, it is one of them.
	b, at := standing(h, h.request("prompt", "login"))
	token := hidden(b.get(at+"/m/card").text, "token")
	g.hold(2)
	answers := make(chan answer, 2)
	go func() { answers <- b.get(at + "/go") }()
	go func() { answers <- b.post(at+"/cancel", url.Values{"token": {token}}) }()
	<-g.read
	close(g.opened)
	if one, two := <-answers, <-answers; over(one) == over(two) {
		t.Errorf("given up and answered: %d %q, %d %q", one.StatusCode, one.onward(), two.StatusCode, two.onward())
	}
}

// TestAttemptStaysOver: a page that was under way while its attempt was answered or given up does not bring it back. A request with
// prompt=login would be answered again, ten minutes later, without a login.
func TestAttemptStaysOver(t *testing.T) {
	h, g := openGated(t, web(t))
	ends := map[string]func(b *browser, at, token string) string{
		"answered": func(b *browser, at, _ string) string { return led(b, b.get(at+"/go")) },
		"given up": func(b *browser, at, token string) string {
			return led(b, b.post(at+"/cancel", url.Values{"token": {token}}))
		},
	}
	pages := map[string]func(b *browser, at, token string) answer{
		"a page": func(b *browser, at, _ string) answer { return b.get(at + "/m/password?lang=nl") },
		"a login": func(b *browser, at, token string) answer {
			return b.post(at+"/m/card", url.Values{"person": {"alice"}, "token": {token}})
		},
		"the choice": func(b *browser, at, _ string) answer { return b.get(at + "?lang=de") },
		"another form": func(b *browser, at, token string) answer {
			return b.post(at+"/m/password", url.Values{"person": {"carol"}, "token": {token}})
		},
	}
	for end, finish := range ends {
		for name, page := range pages {
			b, at := standing(h, h.request("prompt", "login"))
			token := hidden(b.get(at+"/m/card").text, "token")
			g.hold(1)
			late := make(chan answer)
			go func() { late <- page(b, at, token) }()
			<-g.read
			if got := finish(b, at, token); got != "code" && got != "access_denied" {
				t.Fatalf("%s: %s", end, got)
			}
			close(g.opened)
			if a := <-late; a.StatusCode != http.StatusBadRequest || a.onward() != "" {
				t.Errorf("%s, and %s was under way: %d %q", end, name, a.StatusCode, a.onward())
			}
			h.wait(10 * time.Minute)
			if a := b.get(at + "/go"); !over(a) {
				t.Errorf("%s, and %s was under way: is there again: %d %q", end, name, a.StatusCode, a.onward())
			}
		}
	}
	// What a login led to that came too late is not lost with its attempt: the browser has the session that it made.
	b, at := standing(h, h.request("prompt", "login"))
	token := hidden(b.get(at+"/m/card").text, "token")
	g.hold(1)
	late := make(chan answer)
	go func() { late <- b.post(at+"/m/card", url.Values{"person": {"alice"}, "token": {token}}) }()
	<-g.read
	b.post(at+"/cancel", url.Values{"token": {token}})
	close(g.opened)
	<-late
	if got := led(b, b.get(h.request("prompt", "none"))); got != "code" {
		t.Errorf("the session of a login that came too late: %s", got)
	}
}

// TestAttemptInTwoWindows: two pages of one attempt at the same time lose nothing of each other. What a means has used up would come back: the
// challenge of a passkey, to be answered twice.
func TestAttemptInTwoWindows(t *testing.T) {
	h, g := openGated(t, web(t, asking))
	b := h.browser()
	a := b.follow(b.get(h.request()))
	at, _, _ := strings.Cut(a.Request.URL.String(), "?")
	token := hidden(b.get(at+"/m/card").text, "token")
	h.card.refusal, h.pwd.refusal = &authn.Refusal{Reason: authn.NotProven}, &authn.Refusal{Reason: authn.TooMany}
	g.hold(2)
	done := make(chan answer, 2)
	for _, means := range []string{"card", "password"} {
		go func() { done <- b.post(at+"/m/"+means, url.Values{"token": {token}}) }()
	}
	<-g.read
	close(g.opened)
	for range 2 {
		if a := <-done; a.StatusCode != http.StatusOK && a.StatusCode != http.StatusSeeOther {
			t.Errorf("%d %s", a.StatusCode, a.text)
		}
	}
	id := at[strings.LastIndex(at, "/")+1:]
	kept, err := attemptIn(must(g.Store.Get(t.Context(), h.state.key("attempt", id))))
	if err != nil || kept.Refused["card"].Reason != authn.NotProven || kept.Refused["password"].Reason != authn.TooMany {
		t.Errorf("%+v %v", kept, err)
	}
}

// TestAttemptLeavesNothing: who begins attempts and gives them up, as often as he likes, leaves nothing in the store by it.
func TestAttemptLeavesNothing(t *testing.T) {
	h := openHouse(t, nil, web(t))
	kept := h.config.Store.(*MemoryStore)
	before := kept.size
	b := h.browser()
	a := b.follow(b.get(h.request()))
	if kept.size == before {
		t.Fatal("an attempt that is not in the store")
	}
	b.post(a.Request.URL.String()+"/cancel", url.Values{"token": {hidden(a.text, "token")}}).answered(t)
	if kept.size != before || len(kept.entries) != 0 {
		t.Errorf("%d octets are left", kept.size-before)
	}
}

// TestAttemptMerge: who changed something has it, and what neither changed stays.
func TestAttemptMerge(t *testing.T) {
	states := func(s ...string) map[string]json.RawMessage {
		m := map[string]json.RawMessage{}
		for i := 0; i < len(s); i += 2 {
			m[s[i]] = json.RawMessage(s[i+1])
		}
		return m
	}
	base := attempt{Token: "t", Language: "fr", Shown: "a", States: states("kept", "1", "used", "2", "taken", "3", "both", "4")}
	ours, other := base, base
	ours.Language, ours.States = "nl", states("kept", "1", "taken", "3", "both", "5", "new", "6")
	other.Shown, other.States, other.Refused = "b", states("kept", "1", "used", "2", "both", "7", "newer", "8"), map[string]refused{"card": {Reason: authn.NotProven}}
	want := base
	want.Language, want.Shown, want.Refused = "nl", "b", other.Refused
	want.States = states("kept", "1", "both", "5", "new", "6", "newer", "8")
	if ours.merge(&base, &other); !reflect.DeepEqual(ours, want) {
		t.Errorf("%+v", ours)
	}
}

// TestEndsAreRecorded: every end of an attempt and of a session has its record, and what is refused to a stranger is a refusal: an
// operator who looks for faults finds none of his, and who looks for an attack finds it.
func TestEndsAreRecorded(t *testing.T) {
	h := openHouse(t, nil, web(t), web(t, asking, another))
	type recorded struct {
		operation, code, cause string
		outcome                audit.Outcome
	}
	alice := h.browser()
	alice.login(alice.get(h.request()), "card", "alice").answered(t)
	open := func() (b *browser, at, token string) {
		b = h.browser()
		a := b.follow(b.get(h.request()))
		at, _, _ = strings.Cut(a.Request.URL.String(), "?")
		return b, at, hidden(a.text, "token")
	}
	refused := func(code, cause string) recorded {
		return recorded{audit.OperationAuthorization, code, cause, audit.Refused}
	}
	closed := recorded{audit.OperationSessionEnd, "", "the account is closed", audit.Success}
	for _, c := range []struct {
		name string
		do   func()
		want []recorded
	}{
		{"given up", func() {
			b, at, token := open()
			b.post(at+"/cancel", url.Values{"token": {token}}).answered(t)
		}, []recorded{refused("access_denied", "the person gave up")}},
		{"nobody is there", func() { h.browser().get(h.request("prompt", "none")).answered(t) }, []recorded{refused("login_required", "prompt=none")}},
		{"nobody has agreed", func() { alice.get(h.request("client_id", "other", "prompt", "none")).answered(t) }, []recorded{refused("consent_required", "prompt=none")}},
		{"a pushed request that nobody pushed", func() {
			h.browser().get(h.config.Issuer + "/authorize?" + parameters("client_id", "web", "request_uri", pushedPrefix+"x").Encode())
		}, []recorded{refused("invalid_request", "request_uri")}},
		{"another browser", func() {
			_, at, _ := open()
			h.browser().get(at)
		}, []recorded{refused("access_denied", "did not begin")}},
		{"a form of another site", func() {
			b, at, _ := open()
			b.post(at+"/cancel", url.Values{"token": {"x"}})
		}, []recorded{refused("access_denied", "without the token")}},
		{"a page alone", func() { open() }, nil},
		{"a closed account", func() {
			h.people.change("alice", func(a *authn.Account) { a.Locked = true })
			alice.get(h.request("prompt", "none")).answered(t)
		}, []recorded{closed, refused("login_required", "closed")}},
		{"a closed account, at the page of consents", func() {
			h.people.change("alice", func(a *authn.Account) { a.Locked = false })
			b := h.browser()
			b.login(b.get(h.request()), "card", "alice").answered(t)
			h.people.change("alice", func(a *authn.Account) { a.Locked = true })
			h.mu.Lock()
			h.events = nil
			h.mu.Unlock()
			b.get(h.config.Issuer + "/consents")
		}, []recorded{closed}},
		{"another person", func() {
			b := h.browser()
			h.people.change("alice", func(a *authn.Account) { a.Locked = false })
			b.login(b.get(h.request()), "card", "alice").answered(t)
			a := b.follow(b.get(h.request("prompt", "login")))
			at, _, _ := strings.Cut(a.Request.URL.String(), "?")
			token := hidden(b.get(at+"/m/card").text, "token")
			h.mu.Lock()
			h.events = nil
			h.mu.Unlock()
			b.post(at+"/m/card", url.Values{"person": {"bob"}, "token": {token}})
		}, []recorded{{audit.OperationSessionEnd, "", "another person", audit.Success}, {audit.OperationAuthentication, "", "", audit.Success}}},
	} {
		h.mu.Lock()
		h.events = nil
		h.mu.Unlock()
		c.do()
		h.mu.Lock()
		events := h.events
		h.mu.Unlock()
		if len(events) != len(c.want) {
			t.Errorf("%s: %+v", c.name, events)
			continue
		}
		for i, want := range c.want {
			e := events[i]
			if e.Operation != want.operation || e.Outcome != want.outcome || e.Code != want.code || !strings.Contains(e.Cause, want.cause) {
				t.Errorf("%s: %s %v %q %q", c.name, e.Operation, e.Outcome, e.Code, e.Cause)
			}
			if e.Operation == audit.OperationSessionEnd && (e.Session == "" || e.Subject.Value != "etab1:a1" || !e.Sealed.Source.IsValid()) {
				t.Errorf("%s: %+v", c.name, e)
			}
		}
	}
}

// TestUnrecordedEnd: a session whose end cannot be recorded has not ended.
func TestUnrecordedEnd(t *testing.T) {
	h := openHouse(t, nil, web(t))
	b := h.browser()
	_, got := h.ask("/token", redeeming(b.login(b.get(h.request()), "card", "alice").answered(t).Get("code")))
	h.mu.Lock()
	h.broken = errFault
	h.mu.Unlock()
	if a := b.get(h.config.Issuer + "/logout?id_token_hint=" + got.ID); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%d %s", a.StatusCode, a.text)
	}
	h.mu.Lock()
	h.broken = nil
	h.mu.Unlock()
	if got := led(b, b.get(h.request("prompt", "none"))); got != "code" {
		t.Errorf("a logout that was refused: %s", got)
	}
}
