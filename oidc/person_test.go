package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	virtual "github.com/descope/virtualwebauthn"

	"sceau/audit"
	"sceau/internal/chromium"
	"sceau/internal/judge"
	"sceau/internal/virtualkey"
	"sceau/oidc/client"
	"sceau/oidc/means/passkey"
	"sceau/oidc/page"
)

// A keyed is a house with a means of passkeys.
type keyed struct {
	*house
	kept   *passkey.Memory
	origin string
}

// openKeyed starts it at localhost: passkeys are of names.
func openKeyed(t *testing.T, registrations ...client.Registration) *keyed {
	t.Helper()
	k := &keyed{kept: &passkey.Memory{}}
	k.house = openHouse(t, func(c *Config, o *client.Options) {
		c.Issuer, c.SecureIssuer = strings.Replace(c.Issuer, "127.0.0.1", "localhost", 1), strings.Replace(c.SecureIssuer, "127.0.0.1", "localhost", 1)
		o.Issuer, k.origin = c.Issuer, origin(c.Issuer)
		m, err := passkey.New(passkey.Config{Store: k.kept, ID: "localhost", Name: "Hôpital", Origins: []string{k.origin}})
		if err != nil {
			t.Fatal(err)
		}
		c.Means = append(c.Means, Means{Name: "passkey", Kind: page.KindPasskey, Means: m})
	}, registrations...)
	// The client of the tests knows the server by its number.
	k.config.Issuer = k.server.URL + "/etab/1"
	return k
}

func (k *keyed) ticket(account string, life time.Duration) string {
	k.Helper()
	text, err := passkey.NewTicket(k.Context(), k.kept, account, "Clé bleue", "admin", k.now(), life)
	if err != nil {
		k.Fatal(err)
	}
	return text
}

// entered is a browser in which a person authenticated.
func (k *keyed) entered(means, person string) *browser {
	k.Helper()
	b := k.browser()
	a := b.get(k.request())
	a.Request.URL.Host = strings.TrimPrefix(k.server.URL, "https://")
	at := strings.Replace(a.Header.Get("Location"), "localhost", "127.0.0.1", 1)
	form := b.get(at + "/m/" + means)
	if got := k.form(b, at+"/m/"+means, k.origin, url.Values{"person": {person}, "token": {hidden(form.text, "token")}}); got.StatusCode != http.StatusOK {
		k.Fatalf("the login: %d %s", got.StatusCode, got.text)
	}
	return b
}

// form posts a form as a page of an origin does.
func (k *keyed) form(b *browser, to, origin string, form url.Values) answer {
	k.Helper()
	r, err := http.NewRequest(http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		k.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin)
	return b.do(r)
}

// json sends what the script of the page does.
func (k *keyed) json(b *browser, origin, kind string, body map[string]any) answer {
	k.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		k.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, k.config.Issuer+"/enrol", strings.NewReader(string(text)))
	if err != nil {
		k.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	return b.do(r)
}

// device answers the options of an enrolment.
func (k *keyed) device(options string) json.RawMessage {
	k.Helper()
	parsed, err := virtual.ParseAttestationOptions(options)
	if err != nil {
		k.Fatalf("%v: %s", err, options)
	}
	d, key := virtual.NewAuthenticatorWithOptions(virtual.AuthenticatorOptions{UserHandle: []byte(parsed.UserID)}), virtualkey.New()
	return json.RawMessage(virtual.CreateAttestationResponse(virtual.RelyingParty{ID: "localhost", Name: "Hôpital", Origin: k.origin}, d, key, *parsed))
}

const asJSON = "application/json"

// TestEnrolment: a passkey is enrolled with a ticket by who authenticated just now by another means, and by nobody else (EXI FI 24).
func TestEnrolment(t *testing.T) {
	k := openKeyed(t, web(t))
	b := k.entered("password", "alice")
	a := b.get(k.config.Issuer + "/enrol")
	if a.StatusCode != http.StatusOK || !strings.Contains(a.text, `data-done="`+k.Provider.config.Issuer+`/enrol/done"`) || !strings.Contains(a.text, "Alice Exemple") {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	if done := b.get(k.config.Issuer + "/enrol/done"); done.StatusCode != http.StatusSeeOther {
		t.Errorf("done before it began: %d", done.StatusCode)
	}
	text := k.ticket("a1", time.Hour)
	options := k.json(b, k.origin, asJSON, map[string]any{"ticket": text})
	if options.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", options.StatusCode, options.text)
	}
	if n := len(k.trail(audit.OperationEnrolment)); n != 0 {
		t.Errorf("%d records before anything was decided", n)
	}
	credential := k.device(options.text)

	// Another session, though of the same person, does not finish what this one began.
	if got := k.json(k.entered("password", "alice"), k.origin, asJSON, map[string]any{"ticket": text, "credential": credential}); got.StatusCode != http.StatusForbidden {
		t.Errorf("finished in another session: %d", got.StatusCode)
	}
	if got := k.json(b, k.origin, asJSON, map[string]any{"ticket": text, "credential": credential}); got.StatusCode != http.StatusNoContent {
		t.Fatalf("%d %s", got.StatusCode, got.text)
	}
	events := k.trail(audit.OperationEnrolment)
	last := events[len(events)-1]
	login := k.trail(audit.OperationAuthentication)[0]
	if last.Outcome != audit.Success || last.Means != "passkey" || last.Credential == "" || last.Subject.Value != "etab1:a1" || last.Sealed.Account != "a1" ||
		last.Session == "" || last.Authentication != login.ID {
		t.Errorf("recorded %+v", last)
	}
	all, err := k.kept.Of(t.Context(), "a1")
	if err != nil || len(all) != 1 || all[0].Label != "Clé bleue" || all[0].By != "admin" || all[0].Name() != last.Credential {
		t.Fatalf("%+v, %v", all, err)
	}
	if done := b.get(k.config.Issuer + "/enrol/done"); done.StatusCode != http.StatusOK || !strings.Contains(done.text, "Clé bleue") {
		t.Errorf("done: %d %s", done.StatusCode, done.text)
	}
	// The next one knows of it.
	again := k.json(b, k.origin, asJSON, map[string]any{"ticket": k.ticket("a1", time.Hour)})
	if !strings.Contains(again.text, `"excludeCredentials":[{`) {
		t.Errorf("the options of a second: %s", again.text)
	}
}

func TestEnrolmentRefused(t *testing.T) {
	k := openKeyed(t, web(t))
	// Alice has a passkey, and logs in by nothing else.
	first := k.entered("card", "alice")
	text := k.ticket("a1", time.Hour)
	used := k.json(first, k.origin, asJSON, map[string]any{"ticket": text})
	if got := k.json(first, k.origin, asJSON, map[string]any{"ticket": text, "credential": k.device(used.text)}); got.StatusCode != http.StatusNoContent {
		t.Fatal(got.text)
	}
	for _, test := range []struct {
		name         string
		browser      func() *browser
		ticket       func() string
		origin, kind string
		wait         time.Duration
		cause, told  string
		page         string // what the page says; empty where it shows its form
	}{
		{name: "nobody", browser: k.browser, cause: "nobody is logged in", told: "not proven", page: "d’abord vous identifier"},
		{name: "an old login", wait: enrolWithin, cause: "the login is too old", told: "not proven", page: "trop ancienne"},
		{name: "a login by a passkey alone", browser: func() *browser { return k.only("passkey") }, cause: "by a passkey alone", told: "not proven", page: "par une clé d’accès"},
		{name: "a login by a means that is gone", browser: func() *browser { return k.only("gone") }, cause: "by a passkey alone", told: "not proven", page: "par une clé d’accès"},
		{name: "another's ticket", ticket: func() string { return k.ticket("b2", time.Hour) }, cause: "of another person", told: "not enrolled"},
		{name: "a ticket that has expired", ticket: func() string { return k.ticket("a1", time.Minute) }, wait: time.Minute, cause: "that has expired", told: "not enrolled"},
		{name: "a ticket that was used", ticket: func() string { return text }, cause: "was used, or never was one", told: "not enrolled"},
		{name: "no ticket", ticket: func() string { return "" }, cause: "never was one", told: "not enrolled"},
		{name: "another site", origin: "https://evil.example", cause: "from another site", told: "not proven"},
		{name: "a site without a name", origin: "null", cause: "from another site", told: "not proven"},
		{name: "our host at another port", origin: "https://localhost:1", cause: "from another site", told: "not proven"},
		{name: "no site", origin: "-", cause: "from another site", told: "not proven"},
		{name: "what a form of another site can send", kind: "text/plain", cause: "no JSON", told: "not proven"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := (*browser)(nil)
			if test.browser != nil {
				b = test.browser()
			} else {
				b = k.entered("password", "alice")
			}
			ticket := ""
			if test.ticket != nil {
				ticket = test.ticket()
			} else {
				ticket = k.ticket("a1", time.Hour)
			}
			from, kind := test.origin, test.kind
			switch from {
			case "":
				from = k.origin
			case "-":
				from = ""
			}
			if kind == "" {
				kind = asJSON
			}
			k.wait(test.wait)
			defer k.wait(-test.wait)
			before, enrolled := len(k.trail(audit.OperationEnrolment)), k.number("a1")
			for _, body := range []map[string]any{{"ticket": ticket}, {"ticket": ticket, "credential": k.device(used.text)}} {
				a := k.json(b, from, kind, body)
				var said struct{ Error string }
				if json.Unmarshal([]byte(a.text), &said); a.StatusCode != http.StatusForbidden || said.Error != test.told {
					t.Errorf("%d %s", a.StatusCode, a.text)
				}
			}
			events := k.trail(audit.OperationEnrolment)[before:]
			if len(events) != 2 {
				t.Fatalf("%d records", len(events))
			}
			for _, e := range events {
				if e.Outcome != audit.Refused || e.Code != "access_denied" || !strings.Contains(e.Cause, test.cause) {
					t.Errorf("recorded %v %s %q", e.Outcome, e.Code, e.Cause)
				}
			}
			if n := k.number("a1"); n != enrolled {
				t.Errorf("%d passkeys, of %d", n, enrolled)
			}
			shown := b.get(k.config.Issuer + "/enrol")
			if test.page == "" && shown.StatusCode != http.StatusOK || test.page != "" && (shown.StatusCode != http.StatusForbidden || !strings.Contains(shown.text, test.page)) {
				t.Errorf("the page: %d %s", shown.StatusCode, shown.text)
			}
		})
	}
}

// number is how many passkeys an account has.
func (k *keyed) number(account string) int {
	all, err := k.kept.Of(context.Background(), account)
	if err != nil {
		k.Fatal(err)
	}
	return len(all)
}

// only is a browser in which alice authenticated by a means that is not asked here.
func (k *keyed) only(means string) *browser {
	k.Helper()
	b := k.entered("password", "alice")
	u, _ := url.Parse(k.config.Issuer + "/")
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name != sessionCookie {
			continue
		}
		key := k.state.key("session", c.Value)
		s, err := k.session(k.Context(), key)
		if err != nil || s == nil {
			k.Fatal(s, err)
		}
		s.Logins[0].Means = means
		if err := k.state.put(k.Context(), key, s, k.now().Add(time.Hour)); err != nil {
			k.Fatal(err)
		}
		return b
	}
	k.Fatal("no session")
	return nil
}

// TestEnrolmentUnrecorded: what cannot be recorded does not happen.
func TestEnrolmentUnrecorded(t *testing.T) {
	k := openKeyed(t, web(t))
	b := k.entered("password", "alice")
	text := k.ticket("a1", time.Hour)
	options := k.json(b, k.origin, asJSON, map[string]any{"ticket": text})
	credential := k.device(options.text)
	k.mu.Lock()
	k.broken = errors.New("the disk is full")
	k.mu.Unlock()
	if got := k.json(b, k.origin, asJSON, map[string]any{"ticket": text, "credential": credential}); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%d %s", got.StatusCode, got.text)
	}
	if n := k.number("a1"); n != 0 { // not even one that was taken out of use
		t.Errorf("%d passkeys", n)
	}
	if got := k.json(b, k.origin, asJSON, map[string]any{"ticket": "x"}); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a refusal that cannot be recorded: %d %s", got.StatusCode, got.text)
	}
}

// TestEnrolmentNotKept: what was recorded and could not be kept stands in the trail as that.
func TestEnrolmentNotKept(t *testing.T) {
	k := openKeyed(t, web(t))
	b := k.entered("password", "alice")
	text := k.ticket("a1", time.Hour)
	options := k.json(b, k.origin, asJSON, map[string]any{"ticket": text})
	credential := k.device(options.text)
	if got := k.json(b, k.origin, asJSON, map[string]any{"ticket": text, "credential": credential}); got.StatusCode != http.StatusNoContent {
		t.Fatal(got.text)
	}
	// The same credential again, as a device would not send it: it is taken already.
	text = k.ticket("a1", time.Hour)
	options = k.json(b, k.origin, asJSON, map[string]any{"ticket": text})
	all, err := k.kept.Of(t.Context(), "a1")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := virtual.ParseAttestationOptions(options.text)
	if err != nil {
		t.Fatal(err)
	}
	key := virtualkey.New()
	key.ID = all[0].ID
	again := virtual.CreateAttestationResponse(virtual.RelyingParty{ID: "localhost", Name: "Hôpital", Origin: k.origin},
		virtual.NewAuthenticatorWithOptions(virtual.AuthenticatorOptions{UserHandle: []byte(parsed.UserID)}), key, *parsed)
	before := len(k.trail(audit.OperationEnrolment))
	if got := k.json(b, k.origin, asJSON, map[string]any{"ticket": text, "credential": json.RawMessage(again)}); got.StatusCode != http.StatusForbidden || !strings.Contains(got.text, "unsuitable") {
		t.Errorf("%d %s", got.StatusCode, got.text)
	}
	events := k.trail(audit.OperationEnrolment)[before:]
	if len(events) != 2 || events[0].Outcome != audit.Success || events[1].Outcome != audit.Refused || events[0].ID == events[1].ID || events[0].Credential != events[1].Credential {
		t.Errorf("recorded %+v", events)
	}
	if n := k.number("a1"); n != 1 {
		t.Errorf("%d passkeys", n)
	}
}

// TestEnrolmentClosed: an account that was closed since enrols nothing, and its session is over; where there are no passkeys there is no page.
func TestEnrolmentClosed(t *testing.T) {
	k := openKeyed(t, web(t))
	b := k.entered("password", "alice")
	k.people.by["alice"].Locked = true
	if got := k.json(b, k.origin, asJSON, map[string]any{"ticket": k.ticket("a1", time.Hour)}); got.StatusCode != http.StatusForbidden {
		t.Errorf("%d %s", got.StatusCode, got.text)
	}
	k.people.by["alice"].Locked = false
	if a := b.get(k.config.Issuer + "/enrol"); a.StatusCode != http.StatusForbidden || !strings.Contains(a.text, "d’abord vous identifier") {
		t.Errorf("%d", a.StatusCode)
	}
	h := openHouse(t, nil, web(t))
	for _, path := range []string{"/enrol", "/enrol/done", "/enrol/x", "/consents/x"} {
		if a := h.browser().get(h.config.Issuer + path); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
}

// TestEnrolmentInBrowser: from the ticket to the login by what was enrolled, as a person does it.
func TestEnrolmentInBrowser(t *testing.T) {
	judge.Require(t, "chromium")
	k := openKeyed(t, web(t))
	w := chromium.Open(t, k.server.Certificate())
	w.Authenticator()
	issuer := k.Provider.config.Issuer
	request := issuer + strings.TrimPrefix(k.request("prompt", "login", "ui_locales", "fr"), k.config.Issuer)

	w.Go(issuer + "/enrol?lang=fr")
	w.Until(`a.main`, "Enregistrer une clé d’accès")
	if got := w.Text("main"); !strings.Contains(got, "d’abord vous identifier") {
		t.Error(got)
	}
	enter := func() {
		w.Go(request)
		w.Until(`a.offer`, "Connexion")
		w.Click(`a.offer[href$="/m/password"]`)
		w.Until(`#username`, "Identifiant et mot de passe")
	}
	// Nothing in a page of ours sends the field of the means of the tests: it is put in.
	enter()
	w.Send("person", "alice")
	k.until(audit.OperationAuthorization, 1)

	text := k.ticket("a1", time.Hour)
	w.Go(issuer + "/enrol?lang=fr#wrong")
	w.Until(`#enrol:not([hidden])`, "Enregistrer une clé d’accès")
	if got := w.Value("#ticket"); got != "wrong" {
		t.Errorf("the ticket of the address: %q", got)
	}
	w.Click("#enrol-make")
	w.Until(`#enrol-alert:not([hidden])`, "Enregistrer une clé d’accès")
	if got := w.Text("#enrol-alert"); !strings.Contains(got, "n’est pas valable") {
		t.Error(got)
	}
	w.Type("#ticket", " "+text)
	w.Click("#enrol-make")
	w.Until(`dl.facts`, "Votre clé d’accès est enregistrée")
	if got := w.Text("main"); !strings.Contains(got, "Clé bleue") {
		t.Error(got)
	}
	w.Picture("enrolled")

	// The same device again: it has one already.
	w.Go(issuer + "/enrol?lang=fr#" + k.ticket("a1", time.Hour))
	w.Until(`#enrol:not([hidden])`, "Enregistrer une clé d’accès")
	w.Click("#enrol-make")
	w.Until(`#enrol-alert:not([hidden])`, "Enregistrer une clé d’accès")
	if got := w.Text("#enrol-alert"); !strings.Contains(got, "déjà une clé d’accès") {
		t.Error(got)
	}

	w.Go(request)
	w.Until(`a.offer`, "Connexion")
	w.Click(`a.offer[href$="/m/passkey"]`)
	w.Until(`#passkey-use:not([hidden])`, "Clé d’accès")
	w.Click("#passkey-use")
	k.until(audit.OperationAuthorization, 2)
	events := k.trail(audit.OperationAuthentication)
	last, enrolled := events[len(events)-1], k.trail(audit.OperationEnrolment)
	i := slices.IndexFunc(enrolled, func(e audit.Event) bool { return e.Outcome == audit.Success })
	if i < 0 || last.Means != "passkey" || last.Outcome != audit.Success || last.Subject.Value != "etab1:a1" || last.Credential != enrolled[i].Credential {
		t.Errorf("recorded %+v", last)
	}
}

// until waits until the trail has so many successes of an operation.
func (h *house) until(operation string, n int) {
	h.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		events := slices.DeleteFunc(h.trail(operation), func(e audit.Event) bool { return e.Outcome != audit.Success })
		if len(events) >= n {
			return
		}
	}
	h.Fatalf("no %d records of %s", n, operation)
}

// agreed is a browser of a person who consented to the client web, and the code that this led to.
func agreed(h *house, b *browser, person string, changed ...string) (*browser, string) {
	h.Helper()
	if b == nil {
		b = h.browser()
	}
	a := b.login(b.get(h.request(append([]string{"prompt", "login"}, changed...)...)), "card", person)
	if strings.HasSuffix(a.Request.URL.Path, "/consent") {
		a = b.follow(b.post(a.Request.URL.String(), url.Values{"decision": {"allow"}, "token": {hidden(a.text, "token")}}))
	}
	return b, a.answered(h.T).Get("code")
}

func asking(r *client.Registration) { r.Consent = "ask" }

func another(r *client.Registration) { r.ID, r.Name = "other", map[string]string{"fr": "Agenda"} }

// TestConsentsWithdrawn: what a person consented to he finds, and takes back; with it goes what the client has out of it, in every session,
// and nothing of others.
func TestConsentsWithdrawn(t *testing.T) {
	h := openHouse(t, nil, web(t, asking), web(t, asking, another))
	b, code := agreed(h, nil, "alice", "scope", "openid offline_access")
	_, first := h.ask("/token", redeeming(code))
	_, code = agreed(h, b, "alice", "client_id", "other")
	other := func(r *http.Request) { r.SetBasicAuth("other", webSecret) }
	_, others := h.ask("/token", redeeming(code), other)
	_, code = agreed(h, nil, "alice", "scope", "openid offline_access") // elsewhere, out of the same consent
	_, elsewhere := h.ask("/token", redeeming(code))
	_, code = agreed(h, nil, "bob", "scope", "openid offline_access")
	_, bobs := h.ask("/token", redeeming(code))
	_, pending := agreed(h, b, "alice", "scope", "openid offline_access") // a code that nobody redeemed yet

	at := h.config.Issuer + "/consents"
	a := b.get(at)
	for _, want := range []string{"Alice Exemple", "Application", "Agenda", "un identifiant, pour vous reconnaître"} {
		if !strings.Contains(a.text, want) {
			t.Errorf("does not say %q: %s", want, a.text)
		}
	}
	token := hidden(a.text, "token")
	if a := h.browser().get(at); a.StatusCode != http.StatusForbidden || strings.Contains(a.text, "Alice") {
		t.Errorf("another browser: %d", a.StatusCode)
	}
	bob := h.browser()
	bob.login(bob.get(h.request()), "card", "bob")
	if a := bob.get(at); strings.Contains(a.text, "Agenda") || !strings.Contains(a.text, "Application") {
		t.Errorf("bob sees %s", a.text)
	}
	// Nobody else takes it back (O8: CSRF).
	send := func(b *browser, form url.Values, origin string) answer {
		r, err := http.NewRequest(http.MethodPost, at, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin)
		return b.do(r)
	}
	for name, c := range map[string]struct {
		b      *browser
		form   url.Values
		origin string
		code   string
	}{
		"no token":        {b, url.Values{"client": {"web"}}, h.server.URL, "access_denied"},
		"bob's token":     {b, url.Values{"client": {"web"}, "token": {hidden(bob.get(at).text, "token")}}, h.server.URL, "access_denied"},
		"another site":    {b, url.Values{"client": {"web"}, "token": {token}}, "https://evil.example", "access_denied"},
		"another browser": {h.browser(), url.Values{"client": {"web"}, "token": {token}}, h.server.URL, ""},
		"bob's browser":   {bob, url.Values{"client": {"web"}, "token": {token}}, h.server.URL, "access_denied"},
		"no client":       {b, url.Values{"token": {token}}, h.server.URL, "invalid_request"},
		"no consent":      {b, url.Values{"client": {"stranger"}, "token": {token}}, h.server.URL, "invalid_request"},
	} {
		before := len(h.trail(audit.OperationConsent))
		if a := send(c.b, c.form, c.origin); a.StatusCode != http.StatusForbidden || !strings.Contains(a.text, c.code) {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.text)
		}
		events := h.trail(audit.OperationConsent)[before:]
		if c.code != "" && (len(events) != 1 || events[0].Outcome != audit.Refused || events[0].Action != audit.ActionWithdraw || events[0].Code != c.code) {
			t.Errorf("%s: recorded %+v", name, events)
		}
	}
	if _, got := h.ask("/introspect", url.Values{"token": {first.Access}}); !got.Active {
		t.Fatal("withdrawn by somebody else")
	}

	// What cannot be recorded does not happen.
	h.mu.Lock()
	h.broken = errors.New("the disk is full")
	h.mu.Unlock()
	if a := send(b, url.Values{"client": {"web"}, "token": {token}}, h.server.URL); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("unrecorded: %d", a.StatusCode)
	}
	h.mu.Lock()
	h.broken = nil
	h.mu.Unlock()
	if a := b.get(at); !strings.Contains(a.text, "Application") {
		t.Error("withdrawn, and not recorded")
	}

	a = b.follow(send(b, url.Values{"client": {"web"}, "token": {token}}, h.server.URL))
	if a.StatusCode != http.StatusOK || !strings.Contains(a.text, "role=\"status\">Votre accord pour <strong><bdi>Application") || strings.Contains(a.text, `value="web"`) {
		t.Errorf("%d %s", a.StatusCode, a.text)
	}
	events := h.trail(audit.OperationConsent)
	if last := events[len(events)-1]; last.Outcome != audit.Success || last.Action != audit.ActionWithdraw || last.Client != "web" || last.Scope != "offline_access openid" || last.Subject.Value != "etab1:a1" {
		t.Errorf("recorded %+v", last)
	}
	for name, c := range map[string]struct {
		token  string
		change []func(*http.Request)
		active bool
	}{
		"of the client": {first.Access, nil, false}, "of the client, in another session": {elsewhere.Access, nil, false},
		"of another client": {others.Access, []func(*http.Request){other}, true}, "of bob": {bobs.Access, nil, true},
	} {
		if _, got := h.ask("/introspect", url.Values{"token": {c.token}}, c.change...); got.Active != c.active {
			t.Errorf("a token %s: active %v", name, got.Active)
		}
	}
	for name, form := range map[string]url.Values{
		"the refresh token":                  {"grant_type": {"refresh_token"}, "refresh_token": {first.Refresh}},
		"the refresh token of another place": {"grant_type": {"refresh_token"}, "refresh_token": {elsewhere.Refresh}},
		"a code that was not redeemed":       redeeming(pending),
	} {
		if status, got := h.ask("/token", form); status != http.StatusBadRequest || got.Error != "invalid_grant" {
			t.Errorf("%s: %d %s", name, status, got.Error)
		}
	}
	if status, _ := h.userinfo(first.Access); status != http.StatusUnauthorized {
		t.Errorf("userinfo: %d", status)
	}
	if got := led(b, b.get(h.request("prompt", "none", "scope", "openid offline_access"))); got != "consent_required" {
		t.Errorf("asked again: %s", got)
	}
	// Consented to anew, it is good anew; what went stays gone.
	_, code = agreed(h, b, "alice", "scope", "openid offline_access")
	_, fresh := h.ask("/token", redeeming(code))
	if _, got := h.ask("/introspect", url.Values{"token": {fresh.Access}}); !got.Active {
		t.Error("consented to anew, and not active")
	}
	if _, got := h.ask("/introspect", url.Values{"token": {first.Access}}); got.Active {
		t.Error("what was withdrawn came back")
	}
}

// TestConsentsStore: several write at once and nothing is lost; what was withdrawn by half is withdrawn again; and consents end.
func TestConsentsStore(t *testing.T) {
	now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	c := Consents{NewMemoryStore(1<<20, func() time.Time { return now }), "etab1", func() time.Time { return now }}
	ended := make(chan error)
	for i := range 8 {
		go func() { ended <- c.give(t.Context(), "a1", Consent{Client: "web", What: string(rune('a' + i))}) }()
	}
	for range 8 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	all, err := c.Of(t.Context(), "a1")
	if err != nil || len(all) != 8 {
		t.Fatalf("%d, %v", len(all), err)
	}
	if others, err := (Consents{c.Store, "etab2", c.Now}).Of(t.Context(), "a1"); len(others) != 0 || err != nil {
		t.Errorf("of another establishment: %v, %v", others, err)
	}
	first, err := c.find(t.Context(), "a1", "a")
	if err != nil || first == nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	if err := c.give(t.Context(), "a1", Consent{Client: "web", What: "a"}); err != nil {
		t.Fatal(err)
	}
	if again, _ := c.find(t.Context(), "a1", "a"); again == nil || again.ID != first.ID || !again.Until.After(first.Until) {
		t.Errorf("given again: %+v", again)
	}
	broken := Consents{&failing{Store: c.Store}, "etab1", c.Now}
	if _, err := broken.Withdraw(t.Context(), "a1", "web"); err == nil {
		t.Fatal("a store that writes nothing")
	}
	if kept, err := c.find(t.Context(), "a1", "a"); kept != nil || err != nil {
		t.Errorf("withdrawn by half: %+v, %v", kept, err)
	}
	if err := c.give(t.Context(), "a1", Consent{Client: "web", What: "a"}); err != nil {
		t.Fatal(err)
	}
	if again, _ := c.find(t.Context(), "a1", "a"); again == nil || again.ID == first.ID {
		t.Errorf("given after it was withdrawn by half: %+v", again)
	}
	if gone, err := c.Withdraw(t.Context(), "a1", "other"); len(gone) != 0 || err != nil {
		t.Errorf("of a client that has none: %v, %v", gone, err)
	}
	if gone, err := c.Withdraw(t.Context(), "a1", ""); len(gone) != 8 || err != nil {
		t.Errorf("all: %d, %v", len(gone), err)
	}
	if all, err := c.Of(t.Context(), "a1"); len(all) != 0 || err != nil {
		t.Errorf("left: %v, %v", all, err)
	}
	for i := range maxConsents + 3 {
		if err := c.give(t.Context(), "b2", Consent{Client: "web", What: strings.Repeat("x", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := c.Of(t.Context(), "b2"); len(all) != maxConsents || all[len(all)-1].What != strings.Repeat("x", maxConsents+2) || err != nil {
		t.Errorf("%d, %v", len(all), err)
	}
	now = now.Add(consentLifetime)
	if all, err := c.Of(t.Context(), "b2"); len(all) != 0 || err != nil {
		t.Errorf("a year later: %d, %v", len(all), err)
	}
}

// failing is a store that is not there when what stands in it is to be changed.
type failing struct{ Store }

func (*failing) Swap(context.Context, string, []byte, []byte, time.Time) (bool, error) {
	return false, errors.New("no connection")
}
