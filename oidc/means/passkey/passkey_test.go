package passkey

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	virtual "github.com/descope/virtualwebauthn"

	"sceau/internal/virtualkey"
	"sceau/oidc/authn"
	"sceau/oidc/page"
)

const origin = "https://sso.hopital.example"

var (
	start = time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	rp    = virtual.RelyingParty{ID: "hopital.example", Name: "Hôpital", Origin: origin}
	alice = &authn.Account{ID: "id-of-alice", Username: "alice"}
)

func newMeans(t *testing.T, change func(*Config)) *Means {
	t.Helper()
	c := Config{Store: &Memory{}, ID: rp.ID, Name: rp.Name, Origins: []string{origin}}
	if change != nil {
		change(&c)
	}
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A device is an authenticator in software with one passkey.
type device struct {
	virtual.Authenticator
	key virtual.Credential
}

func newDevice(o virtual.AuthenticatorOptions) *device {
	return &device{virtual.NewAuthenticatorWithOptions(o), virtualkey.New()}
}

func ticket(t *testing.T, m *Means) string {
	t.Helper()
	text, err := NewTicket(t.Context(), m.config.Store, alice.ID, "key of Alice", "id-of-admin", start, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// create gives the answer of the device to the options of an enrolment.
func (d *device) create(t *testing.T, options json.RawMessage) []byte {
	t.Helper()
	parsed, err := virtual.ParseAttestationOptions(string(options))
	if err != nil {
		t.Fatal(err)
	}
	d.Options.UserHandle = []byte(parsed.UserID)
	return []byte(virtual.CreateAttestationResponse(rp, d.Authenticator, d.key, *parsed))
}

// enrol enrols the device for Alice.
func (d *device) enrol(t *testing.T, m *Means) *Passkey {
	t.Helper()
	text := ticket(t, m)
	options, err := m.Begin(t.Context(), text, alice, start)
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Finish(t.Context(), text, d.create(t, options), alice, start)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type pages struct{ shown any }

func (p *pages) Write(_ http.ResponseWriter, _ *http.Request, _ int, page any) { p.shown = page }

// A browser is one attempt.
type browser struct {
	t *testing.T
	m *Means
	a *authn.Attempt
	p *pages
}

func newBrowser(t *testing.T, m *Means) *browser {
	p := &pages{}
	return &browser{t, m, &authn.Attempt{URL: "/a/1/passkey", ReturnURL: "/a/1", Now: start, Pages: p}, p}
}

// ask gives the options of the page.
func (b *browser) ask() virtual.AssertionOptions {
	b.t.Helper()
	proof, err := b.m.Serve(httptest.NewRecorder(), httptest.NewRequest("GET", b.a.URL, nil), b.a)
	shown, ok := b.p.shown.(page.Passkey)
	if proof != nil || err != nil || !ok || shown.Action != b.a.URL || shown.Return != b.a.ReturnURL {
		b.t.Fatalf("%+v, %v, %+v", proof, err, b.p.shown)
	}
	options, err := virtual.ParseAssertionOptions(string(shown.Options))
	if err != nil {
		b.t.Fatal(err)
	}
	if !strings.Contains(string(shown.Options), `"userVerification":"required"`) || len(options.AllowCredentials) != 0 {
		b.t.Fatalf("%s", shown.Options)
	}
	return *options
}

func (b *browser) post(form url.Values) (*authn.Proof, error) {
	b.t.Helper()
	r := httptest.NewRequest("POST", b.a.URL, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	proof, err := b.m.Serve(httptest.NewRecorder(), r, b.a)
	if (proof == nil) == (err == nil) {
		b.t.Fatalf("a proof and an error, or neither: %v, %v", proof, err)
	}
	return proof, err
}

func (b *browser) login(d *device) (*authn.Proof, error) {
	b.t.Helper()
	return b.post(url.Values{"credential": {virtual.CreateAssertionResponse(rp, d.Authenticator, d.key, b.ask())}})
}

func refusedFor(err error, reason authn.Reason, why string) bool {
	var r *authn.Refusal
	return errors.As(err, &r) && r.Reason == reason && strings.Contains(err.Error(), why) && !strings.Contains(err.Error(), "alice")
}

// TestReferences: what is claimed is what the device signed.
func TestReferences(t *testing.T) {
	for name, tt := range map[string]struct {
		options virtual.AuthenticatorOptions
		config  func(*Config)
		want    []string
	}{
		"hardware":           {virtual.AuthenticatorOptions{}, nil, []string{"hwk", "user", "mfa"}},
		"can be copied":      {virtual.AuthenticatorOptions{BackupEligible: true}, nil, []string{"swk", "user", "mfa"}},
		"was copied":         {virtual.AuthenticatorOptions{BackupEligible: true, BackupState: true}, nil, []string{"swk", "user", "mfa"}},
		"hardware, required": {virtual.AuthenticatorOptions{}, func(c *Config) { c.HardwareOnly = true }, []string{"hwk", "user", "mfa"}},
		"known to have PINs": {virtual.AuthenticatorOptions{}, func(c *Config) { c.Verification = []string{"pin"} }, []string{"hwk", "user", "mfa", "pin"}},
	} {
		m, d := newMeans(t, tt.config), newDevice(tt.options)
		enrolled := d.enrol(t, m)
		if enrolled.Account != alice.ID || enrolled.By != "id-of-admin" || enrolled.Label != "key of Alice" || len(enrolled.Handle) != 32 || strings.Contains(string(enrolled.Handle), "alice") {
			t.Errorf("%s: %+v", name, enrolled)
		}
		proof, err := newBrowser(t, m).login(d)
		if err != nil || proof.Identifier != (authn.Identifier{Type: "account", Value: alice.ID}) || !slices.Equal(proof.References, tt.want) || !proof.Time.Equal(start) || proof.Credential == "" {
			t.Errorf("%s: %+v, %v", name, proof, err)
		}
		if slices.ContainsFunc(m.References(), func(r string) bool { return !slices.Contains(proof.References, r) }) {
			t.Errorf("%s: less than the least: %v", name, m.References())
		}
	}
}

// TestRefusals: what an answer of a device may not be.
func TestRefusals(t *testing.T) {
	forged := func(change func(*virtual.RelyingParty, *device, *virtual.AssertionOptions)) func(*browser, *device) (*authn.Proof, error) {
		return func(b *browser, d *device) (*authn.Proof, error) {
			other, options, party := *d, b.ask(), rp
			change(&party, &other, &options)
			return b.post(url.Values{"credential": {virtual.CreateAssertionResponse(party, other.Authenticator, other.key, options)}})
		}
	}
	for name, tt := range map[string]struct {
		login  func(*browser, *device) (*authn.Proof, error)
		reason authn.Reason
		why    string
	}{
		"another origin (phishing)": {forged(func(p *virtual.RelyingParty, _ *device, _ *virtual.AssertionOptions) {
			p.Origin = "https://hopital.example.evil"
		}), authn.NotProven, "does not hold"},
		"without TLS": {forged(func(p *virtual.RelyingParty, _ *device, _ *virtual.AssertionOptions) {
			p.Origin = "http://sso.hopital.example"
		}), authn.NotProven, "does not hold"},
		"another port":          {forged(func(p *virtual.RelyingParty, _ *device, _ *virtual.AssertionOptions) { p.Origin += ":8443" }), authn.NotProven, "does not hold"},
		"another relying party": {forged(func(p *virtual.RelyingParty, _ *device, _ *virtual.AssertionOptions) { p.ID = "evil.example" }), authn.NotProven, "does not hold"},
		"another challenge": {forged(func(_ *virtual.RelyingParty, _ *device, o *virtual.AssertionOptions) {
			o.Challenge = []byte("challenge of the attacker")
		}), authn.NotProven, "does not hold"},
		"another key": {forged(func(_ *virtual.RelyingParty, d *device, _ *virtual.AssertionOptions) {
			d.key.Key = virtualkey.New().Key
		}), authn.NotProven, "does not hold"},
		"nobody's passkey": {forged(func(_ *virtual.RelyingParty, d *device, _ *virtual.AssertionOptions) { d.key.ID = []byte("another") }), authn.NotProven, "of nobody"},
		"another's handle": {forged(func(_ *virtual.RelyingParty, d *device, _ *virtual.AssertionOptions) {
			d.Options.UserHandle = []byte("id-of-bob")
		}), authn.NotProven, "does not hold"},
		"no handle": {forged(func(_ *virtual.RelyingParty, d *device, _ *virtual.AssertionOptions) { d.Options.UserHandle = nil }), authn.NotProven, "does not hold"},
		"the person not verified": {forged(func(_ *virtual.RelyingParty, d *device, _ *virtual.AssertionOptions) {
			d.Options.UserNotVerified = true
		}), authn.NotProven, "does not hold"},
		"nobody there":       {forged(func(_ *virtual.RelyingParty, d *device, _ *virtual.AssertionOptions) { d.Options.UserNotPresent = true }), authn.NotProven, "does not hold"},
		"copied all at once": {forged(func(_ *virtual.RelyingParty, d *device, _ *virtual.AssertionOptions) { d.Options.BackupEligible = true }), authn.NotProven, "does not hold"},
		"no answer":          {func(b *browser, _ *device) (*authn.Proof, error) { b.ask(); return b.post(url.Values{}) }, authn.NotProven, "no answer"},
		"no JSON": {func(b *browser, _ *device) (*authn.Proof, error) {
			b.ask()
			return b.post(url.Values{"credential": {"{"}})
		}, authn.NotProven, "cannot be read"},
		"two answers": {func(b *browser, _ *device) (*authn.Proof, error) {
			b.ask()
			return b.post(url.Values{"credential": {"{}", "{}"}})
		}, authn.NotProven, "or two"},
		"too large": {func(b *browser, _ *device) (*authn.Proof, error) {
			b.ask()
			return b.post(url.Values{"credential": {strings.Repeat("a", maxForm)}})
		}, authn.NotProven, "cannot be read"},
		"given up": {func(b *browser, _ *device) (*authn.Proof, error) {
			b.ask()
			return b.post(url.Values{"error": {"NotAllowedError"}})
		}, authn.Cancelled, "ended it"},
		"given up, and an answer": {func(b *browser, d *device) (*authn.Proof, error) {
			return b.post(url.Values{"error": {""}, "credential": {virtual.CreateAssertionResponse(rp, d.Authenticator, d.key, b.ask())}})
		}, authn.Cancelled, "ended it"},
		"no challenge": {func(b *browser, d *device) (*authn.Proof, error) {
			o := b.ask()
			b.a.State = nil
			return b.post(url.Values{"credential": {virtual.CreateAssertionResponse(rp, d.Authenticator, d.key, o)}})
		}, authn.NotProven, "no challenge"},
		"a challenge of long ago": {func(b *browser, d *device) (*authn.Proof, error) {
			o := b.ask()
			b.a.Now = start.Add(challengeTime + 1)
			return b.post(url.Values{"credential": {virtual.CreateAssertionResponse(rp, d.Authenticator, d.key, o)}})
		}, authn.Expired, "long ago"},
		"one of another attempt": {func(b *browser, d *device) (*authn.Proof, error) {
			o := newBrowser(b.t, b.m).ask()
			b.ask()
			return b.post(url.Values{"credential": {virtual.CreateAssertionResponse(rp, d.Authenticator, d.key, o)}})
		}, authn.NotProven, "does not hold"},
		"an enrolment in its place": {func(b *browser, d *device) (*authn.Proof, error) {
			options, err := b.m.Begin(b.t.Context(), ticket(b.t, b.m), alice, start)
			if err != nil {
				b.t.Fatal(err)
			}
			b.ask()
			return b.post(url.Values{"credential": {string(d.create(b.t, options))}})
		}, authn.NotProven, "cannot be read"},
		"taken out of use": {func(b *browser, d *device) (*authn.Proof, error) {
			if err := b.m.config.Store.Revoke(b.t.Context(), d.key.ID); err != nil {
				b.t.Fatal(err)
			}
			return b.login(d)
		}, authn.Unsuitable, "out of use"},
	} {
		m, d := newMeans(t, nil), newDevice(virtual.AuthenticatorOptions{})
		d.enrol(t, m)
		b := newBrowser(t, m)
		if proof, err := tt.login(b, d); proof != nil || !refusedFor(err, tt.reason, tt.why) || b.a.State != nil {
			t.Errorf("%s: %+v, %v", name, proof, err)
		}
	}
}

// TestReplay: an answer is of one attempt, once.
func TestReplay(t *testing.T) {
	m, d := newMeans(t, nil), newDevice(virtual.AuthenticatorOptions{})
	d.enrol(t, m)
	b := newBrowser(t, m)
	answer := url.Values{"credential": {virtual.CreateAssertionResponse(rp, d.Authenticator, d.key, b.ask())}}
	if _, err := b.post(answer); err != nil {
		t.Fatal(err)
	}
	if _, err := b.post(answer); !refusedFor(err, authn.NotProven, "no challenge") {
		t.Errorf("%v", err)
	}
	b.ask()
	if _, err := b.post(answer); !refusedFor(err, authn.NotProven, "does not hold") {
		t.Errorf("to another challenge: %v", err)
	}
}

// TestCounter: a counter that does not grow takes the passkey out of use; one that is zero says nothing.
func TestCounter(t *testing.T) {
	m, d := newMeans(t, nil), newDevice(virtual.AuthenticatorOptions{})
	d.enrol(t, m)
	b := newBrowser(t, m)
	for _, counter := range []uint32{0, 0, 5, 6} {
		d.key.Counter = counter
		if _, err := b.login(d); err != nil {
			t.Fatalf("%d: %v", counter, err)
		}
	}
	if _, err := b.login(d); !refusedFor(err, authn.Unsuitable, "may be a copy") {
		t.Errorf("%v", err)
	}
	d.key.Counter = 100
	if _, err := b.login(d); !refusedFor(err, authn.Unsuitable, "out of use") {
		t.Errorf("%v", err)
	}

	// Two at once with one counter: the copy and the original in a race.
	m, d = newMeans(t, nil), newDevice(virtual.AuthenticatorOptions{})
	d.enrol(t, m)
	d.key.Counter = 7
	var all sync.WaitGroup
	var mu sync.Mutex
	proofs := 0
	for range 8 {
		b := newBrowser(t, m)
		answer := url.Values{"credential": {virtual.CreateAssertionResponse(rp, d.Authenticator, d.key, b.ask())}}
		all.Go(func() {
			if proof, _ := b.post(answer); proof != nil {
				mu.Lock()
				proofs++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if proofs != 1 {
		t.Errorf("%d proofs of one counter", proofs)
	}
}

// TestModels: other models than those of the list are refused, at enrolment and where the list was narrowed after it.
func TestModels(t *testing.T) {
	d := newDevice(virtual.AuthenticatorOptions{})
	d.Aaguid = [16]byte{1}
	const model, other = "01000000-0000-0000-0000-000000000000", "02000000-0000-0000-0000-000000000000"
	store := &Memory{}
	m := newMeans(t, func(c *Config) { c.Store, c.Models = store, []string{other} })
	text := ticket(t, m)
	options, err := m.Begin(t.Context(), text, alice, start)
	if err != nil || !strings.Contains(string(options), `"attestation":"direct"`) {
		t.Fatal(string(options), err)
	}
	if _, err := m.Finish(t.Context(), text, d.create(t, options), alice, start); !refusedFor(err, authn.Unsuitable, "model") {
		t.Errorf("%v", err)
	}
	m = newMeans(t, func(c *Config) { c.Store, c.Models = store, []string{model, other} })
	d.enrol(t, m)
	if _, err := newBrowser(t, m).login(d); err != nil {
		t.Error(err)
	}
	m = newMeans(t, func(c *Config) { c.Store, c.Models = store, []string{other} })
	if _, err := newBrowser(t, m).login(d); !refusedFor(err, authn.Unsuitable, "model") {
		t.Errorf("%v", err)
	}
	// And keys that can be copied, where they were taken once.
	store = &Memory{}
	d = newDevice(virtual.AuthenticatorOptions{BackupEligible: true})
	d.enrol(t, newMeans(t, func(c *Config) { c.Store = store }))
	m = newMeans(t, func(c *Config) { c.Store, c.HardwareOnly = store, true })
	if _, err := newBrowser(t, m).login(d); !refusedFor(err, authn.Unsuitable, "can be copied") {
		t.Errorf("%v", err)
	}
}

// TestEnrolment: who may enrol, and what (EXI FI 24).
func TestEnrolment(t *testing.T) {
	for name, tt := range map[string]struct {
		options virtual.AuthenticatorOptions
		config  func(*Config)
		who     *authn.Account
		ticket  string
		after   time.Duration
		reason  authn.Reason
	}{
		"with a ticket":            {who: alice},
		"in the last moment":       {who: alice, after: time.Hour - 1},
		"without one":              {who: alice, ticket: "none", reason: authn.NotEnrolled},
		"an empty one":             {who: alice, ticket: " ", reason: authn.NotEnrolled},
		"an expired one":           {who: alice, after: time.Hour, reason: authn.NotEnrolled},
		"another's":                {who: &authn.Account{ID: "id-of-bob"}, reason: authn.NotEnrolled},
		"nobody":                   {who: nil, reason: authn.NotProven},
		"nobody with an id":        {who: &authn.Account{}, reason: authn.NotProven},
		"a closed account":         {who: &authn.Account{ID: alice.ID, Locked: true}, reason: authn.NotProven},
		"the person not verified":  {who: alice, options: virtual.AuthenticatorOptions{UserNotVerified: true}, reason: authn.NotProven},
		"a copy where none may be": {who: alice, options: virtual.AuthenticatorOptions{BackupEligible: true}, config: func(c *Config) { c.HardwareOnly = true }, reason: authn.Unsuitable},
	} {
		m, d := newMeans(t, tt.config), newDevice(tt.options)
		text := ticket(t, m)
		if tt.ticket != "" {
			text = strings.TrimSpace(tt.ticket)
		}
		now := start.Add(tt.after)
		var made *Passkey
		options, err := m.Begin(t.Context(), text, tt.who, now)
		if err == nil {
			made, err = m.Finish(t.Context(), text, d.create(t, options), tt.who, now)
		}
		if tt.reason == 0 && (err != nil || made == nil) || tt.reason != 0 && !refusedFor(err, tt.reason, "") {
			t.Errorf("%s: %+v, %v", name, made, err)
		}
		if kept, _ := m.config.Store.Of(t.Context(), alice.ID); (len(kept) == 1) != (tt.reason == 0) {
			t.Errorf("%s: %d are kept", name, len(kept))
		}
	}

	m, d := newMeans(t, nil), newDevice(virtual.AuthenticatorOptions{})
	text := ticket(t, m)
	if _, err := m.Finish(t.Context(), text, []byte("{}"), alice, start); !refusedFor(err, authn.NotProven, "not begun") {
		t.Errorf("%v", err)
	}
	options, err := m.Begin(t.Context(), text, alice, start)
	if err != nil {
		t.Fatal(err)
	}
	answer := d.create(t, options)
	if _, err := m.Begin(t.Context(), text, alice, start); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Finish(t.Context(), text, answer, alice, start); !refusedFor(err, authn.NotProven, "does not hold") {
		t.Errorf("the answer to a challenge that another followed: %v", err)
	}
	if options, err = m.Begin(t.Context(), text, alice, start); err != nil {
		t.Fatal(err)
	}
	answer = d.create(t, options)
	if _, err := m.Finish(t.Context(), text, answer, alice, start.Add(challengeTime+1)); !refusedFor(err, authn.Expired, "") {
		t.Errorf("%v", err)
	}
	first, err := m.Finish(t.Context(), text, answer, alice, start)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Finish(t.Context(), text, answer, alice, start); !refusedFor(err, authn.NotEnrolled, "") {
		t.Errorf("a ticket again: %v", err)
	}
	if _, err := m.Begin(t.Context(), text, alice, start); !refusedFor(err, authn.NotEnrolled, "") {
		t.Errorf("a ticket again: %v", err)
	}
	// The next passkey of a person has the same handle, and what he has is told to the device.
	text = ticket(t, m)
	if options, err = m.Begin(t.Context(), text, alice, start); err != nil || !strings.Contains(string(options), "excludeCredentials") {
		t.Fatal(string(options), err)
	}
	if _, err := m.Finish(t.Context(), text, d.create(t, options), alice, start); !refusedFor(err, authn.Unsuitable, "already") {
		t.Errorf("one key twice: %v", err)
	}
	second := newDevice(virtual.AuthenticatorOptions{}).enrol(t, m)
	if string(second.Handle) != string(first.Handle) {
		t.Error("two handles of one person")
	}

	for name, tt := range map[string]struct {
		account, by string
		life        time.Duration
	}{
		"for nobody": {"", "id-of-admin", time.Hour}, "of nobody": {"id-of-alice", "", time.Hour}, "for oneself (EXI FI 24)": {"id-of-alice", "id-of-alice", time.Hour},
		"for ever": {"id-of-alice", "id-of-admin", LongestTicket + 1}, "for no time": {"id-of-alice", "id-of-admin", 0},
	} {
		if text, err := NewTicket(t.Context(), &Memory{}, tt.account, "", tt.by, start, tt.life); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// TestHandler is the enrolment over HTTP.
func TestHandler(t *testing.T) {
	m, d := newMeans(t, nil), newDevice(virtual.AuthenticatorOptions{})
	var enrolled []*Passkey
	var refused []error
	who, trail := alice, error(nil)
	e := &Enrolment{
		Means: m, Now: func() time.Time { return start },
		Proven:   func(*http.Request) (*authn.Account, error) { return who, nil },
		Enrolled: func(_ *http.Request, p *Passkey) error { enrolled = append(enrolled, p); return trail },
		Refused:  func(_ *http.Request, err error) { refused = append(refused, err) },
	}
	post := func(body any, from, kind string) *httptest.ResponseRecorder {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/enrol", strings.NewReader(string(text)))
		r.Header.Set("Origin", from)
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		return w
	}
	text := ticket(t, m)
	in := map[string]any{"ticket": text}
	for name, w := range map[string]*httptest.ResponseRecorder{
		"from another site":   post(in, "https://evil.example", "application/json"),
		"from nowhere":        post(in, "", "application/json"),
		"as a form":           post(in, origin, "text/plain"),
		"no JSON":             post("x", origin, "application/json"),
		"with another ticket": post(map[string]any{"ticket": "x"}, origin, "application/json"),
	} {
		if w.Code != http.StatusForbidden {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	who = nil
	if w := post(in, origin, "application/json"); w.Code != http.StatusForbidden || len(refused) != 6 {
		t.Errorf("nobody: %d %s", w.Code, w.Body)
	}
	who = alice
	w := post(in, origin, "application/json; charset=utf-8")
	if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	in["credential"] = json.RawMessage(d.create(t, w.Body.Bytes()))
	if w := post(in, origin, "application/json"); w.Code != http.StatusNoContent || len(enrolled) != 1 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if proof, err := newBrowser(t, m).login(d); err != nil || proof.Identifier.Value != alice.ID {
		t.Errorf("%+v, %v", proof, err)
	}

	// What cannot be written to the trail is not kept.
	d, trail = newDevice(virtual.AuthenticatorOptions{}), errors.New("the journal is full")
	in = map[string]any{"ticket": ticket(t, m)}
	in["credential"] = json.RawMessage(d.create(t, post(in, origin, "application/json").Body.Bytes()))
	if w := post(in, origin, "application/json"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if _, err := newBrowser(t, m).login(d); !refusedFor(err, authn.NotProven, "of nobody") {
		t.Errorf("%v", err)
	}
	r := httptest.NewRecorder()
	if e.ServeHTTP(r, httptest.NewRequest("GET", "/enrol", nil)); r.Code != http.StatusMethodNotAllowed {
		t.Errorf("%d", r.Code)
	}
}

// broken is a store that is away.
type broken struct{ Memory }

var errAway = errors.New("away")

func (b *broken) Passkey(context.Context, []byte) (*Passkey, error) { return nil, errAway }
func (b *broken) Ticket(context.Context, [32]byte) (*Ticket, error) { return nil, errAway }

// useless is a store that cannot write.
type useless struct{ Memory }

func (u *useless) Use(context.Context, *Passkey, uint32) (bool, error) { return false, errAway }

func TestOutage(t *testing.T) {
	d := newDevice(virtual.AuthenticatorOptions{})
	m := newMeans(t, func(c *Config) { c.Store = &broken{} })
	if proof, err := newBrowser(t, m).login(d); proof != nil || !errors.Is(err, errAway) {
		t.Errorf("%+v, %v", proof, err)
	}
	if _, err := m.Begin(t.Context(), "x", alice, start); !errors.Is(err, errAway) {
		t.Errorf("%v", err)
	}
	m = newMeans(t, func(c *Config) { c.Store = &useless{} })
	d.enrol(t, m)
	if proof, err := newBrowser(t, m).login(d); proof != nil || !errors.Is(err, errAway) {
		t.Errorf("%+v, %v", proof, err)
	}
	b := newBrowser(t, m)
	b.a.State = []byte("{")
	if _, err := b.post(url.Values{"credential": {"{}"}}); err == nil || refusedFor(err, authn.NotProven, "") {
		t.Errorf("a broken state: %v", err)
	}
}

func TestNew(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no store":                  func(c *Config) { c.Store = nil },
		"no relying party":          func(c *Config) { c.ID = "" },
		"no name":                   func(c *Config) { c.Name = "" },
		"no origin":                 func(c *Config) { c.Origins = nil },
		"an origin elsewhere":       func(c *Config) { c.Origins = []string{"https://evil.example"} },
		"one that ends like it":     func(c *Config) { c.Origins = []string{"https://evilhopital.example"} },
		"without TLS":               func(c *Config) { c.Origins = []string{"http://sso.hopital.example"} },
		"with a path":               func(c *Config) { c.Origins = []string{origin + "/"} },
		"no AAGUID":                 func(c *Config) { c.Models = []string{"x"} },
		"the AAGUID that says none": func(c *Config) { c.Models = []string{"00000000-0000-0000-0000-000000000000"} },
	} {
		c := Config{Store: &Memory{}, ID: rp.ID, Name: rp.Name, Origins: []string{origin}}
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	newMeans(t, func(c *Config) { c.ID, c.Origins = "localhost", []string{"http://localhost:8080"} })
}

// FuzzAnswer: what a browser posts proves Alice or nobody, and breaks nothing.
func FuzzAnswer(f *testing.F) {
	store := &Memory{}
	m, err := New(Config{Store: store, ID: rp.ID, Name: rp.Name, Origins: []string{origin}})
	if err != nil {
		f.Fatal(err)
	}
	d := newDevice(virtual.AuthenticatorOptions{})
	text, err := NewTicket(f.Context(), store, alice.ID, "", "id-of-admin", start, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	options, err := m.Begin(f.Context(), text, alice, start)
	if err != nil {
		f.Fatal(err)
	}
	parsed, err := virtual.ParseAttestationOptions(string(options))
	if err != nil {
		f.Fatal(err)
	}
	d.Options.UserHandle = []byte(parsed.UserID)
	made := virtual.CreateAttestationResponse(rp, d.Authenticator, d.key, *parsed)
	f.Add(made)
	if _, err := m.Finish(f.Context(), text, []byte(made), alice, start); err != nil {
		f.Fatal(err)
	}
	p := &pages{}
	a := &authn.Attempt{URL: "/a/1/passkey", Now: start, Pages: p}
	if err := m.ask(httptest.NewRecorder(), httptest.NewRequest("GET", a.URL, nil), a); err != nil {
		f.Fatal(err)
	}
	var st state
	if err := json.Unmarshal(a.State, &st); err != nil {
		f.Fatal(err)
	}
	request, err := virtual.ParseAssertionOptions(string(p.shown.(page.Passkey).Options))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(virtual.CreateAssertionResponse(rp, d.Authenticator, d.key, *request))
	f.Add("{}")
	f.Fuzz(func(t *testing.T, answer string) {
		proof, err := m.judge(t.Context(), []byte(answer), st.Session, start)
		var refusal *authn.Refusal
		switch {
		case (proof == nil) == (err == nil):
			t.Fatal("a proof and an error, or neither")
		case proof != nil && (proof.Identifier.Value != alice.ID || !slices.Equal(proof.References, []string{"hwk", "user", "mfa"})):
			t.Fatalf("%+v", proof)
		case err != nil && !errors.As(err, &refusal):
			t.Fatalf("an outage: %v", err)
		}
	})
}
