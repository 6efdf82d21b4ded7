package password

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	otp "github.com/pquerna/otp/totp"

	"sceau/oidc/authn"
	"sceau/oidc/means/limit"
	"sceau/oidc/means/totp"
	"sceau/oidc/page"
)

// accounts are people with one password.
type accounts map[string]*authn.Account

var errDown = errors.New("down")

func (a accounts) Verify(_ context.Context, username, password string) (*authn.Account, error) {
	switch k := a[username]; {
	case username == "outage":
		return nil, errDown
	case k == nil:
		return nil, &Rejection{errors.New("nobody")}
	case password != "right":
		return nil, &Rejection{errors.New("not the password")}
	default:
		return k, nil
	}
}

type secrets map[string][]byte

func (s secrets) Secret(_ context.Context, a *authn.Account) ([]byte, error) {
	if secret := s[a.ID]; secret != nil {
		return secret, nil
	}
	return nil, totp.ErrNotEnrolled
}

// pages keep what would be shown.
type pages struct{ shown any }

func (p *pages) Write(_ http.ResponseWriter, _ *http.Request, _ int, page any) { p.shown = page }

var start = time.Unix(1111111110, 0)

// A browser is one attempt.
type browser struct {
	t *testing.T
	m *Means
	a *authn.Attempt
	p *pages

	address string
	paused  []time.Duration
}

func newBrowser(t *testing.T, second Second) *browser {
	t.Helper()
	c := Config{Second: second, Verifier: accounts{
		"alice": {ID: "id-a", Username: "alice"}, "bob": {ID: "id-b", Username: "bob"},
		"locked": {ID: "id-l", Locked: true}, "no id": {Username: "x"}, "outage": nil,
	}}
	if second != Without {
		codes, err := totp.New(totp.Config{Secrets: secrets{"id-a": []byte("12345678901234567890")}, Steps: &totp.MemorySteps{}})
		if err != nil {
			t.Fatal(err)
		}
		c.Codes = codes
	}
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, m: m, address: "192.0.2.1:1"}
	m.clock = func() time.Time { return start }
	m.pause = func(_ context.Context, d time.Duration) { b.paused = append(b.paused, d) }
	b.again()
	return b
}

// again begins another attempt.
func (b *browser) again() {
	b.p = &pages{}
	b.a = &authn.Attempt{ID: "1", URL: "/a/1/password", ReturnURL: "/a/1", Language: "fr", Now: start, Pages: b.p}
}

func (b *browser) do(method string, form url.Values) (*authn.Proof, error) {
	b.t.Helper()
	r := httptest.NewRequest(method, b.a.URL, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = b.address
	b.p.shown = nil
	w := httptest.NewRecorder()
	proof, err := b.m.Serve(w, r, b.a)
	wrote := b.p.shown != nil || w.Code != http.StatusOK || w.Body.Len() > 0
	if n := btoi(proof != nil) + btoi(err != nil) + btoi(wrote); n != 1 {
		b.t.Fatalf("one of an answer, a proof and an error: %v, %v, %v", proof, err, b.p.shown)
	}
	return proof, err
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (b *browser) login(username, password string) (*authn.Proof, error) {
	b.t.Helper()
	return b.do("POST", url.Values{"username": {username}, "password": {password}})
}

func (b *browser) code(at time.Time) (*authn.Proof, error) {
	b.t.Helper()
	code, err := otp.GenerateCode("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", at)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do("POST", url.Values{"code": {code[:3] + " " + code[3:]}})
}

func reason(err error) authn.Reason {
	var r *authn.Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return 0
}

// TestPassword: each of them is refused alike, after a pause, and the cause is told to the operator alone.
func TestPassword(t *testing.T) {
	for name, tt := range map[string]struct {
		username, password string
		cause              string // "": it is right
	}{
		"right":                     {"alice", "right", ""},
		"with blanks around":        {" alice ", "right", ""},
		"wrong":                     {"alice", "wrong", "not the password"},
		"nobody":                    {"dave", "right", "nobody"},
		"empty":                     {"alice", "", "empty"},
		"no name":                   {"", "right", "cannot be"},
		"a long name":               {strings.Repeat("a", 257), "right", "cannot be"},
		"a long password":           {"alice", strings.Repeat("a", 1025), "cannot be"},
		"a name that is no text":    {"alice\xff", "right", "cannot be"},
		"a name of two lines":       {"alice\nbob", "right", "cannot be"},
		"closed":                    {"locked", "right", "closed"},
		"closed, wrong":             {"locked", "wrong", "not the password"},
		"without an id (EXI FI 21)": {"no id", "right", "immutable id"},
	} {
		b := newBrowser(t, Without)
		proof, err := b.login(tt.username, tt.password)
		if tt.cause == "" {
			if err != nil || proof.Account.ID != "id-a" || proof.Identifier != (authn.Identifier{Type: "account", Value: "id-a"}) ||
				!slices.Equal(proof.References, []string{"pwd"}) || !proof.Time.Equal(start) || len(b.paused) != 0 {
				t.Errorf("%s: %+v, %v", name, proof, err)
			}
			continue
		}
		if reason(err) != authn.NotProven || !strings.Contains(err.Error(), tt.cause) || len(b.paused) != 1 || b.paused[0] != 500*time.Millisecond {
			t.Errorf("%s: %v, pauses %v", name, err, b.paused)
		}
	}
}

func TestForms(t *testing.T) {
	b := newBrowser(t, Without)
	for name, form := range map[string]url.Values{
		"two names":     {"username": {"alice", "bob"}, "password": {"right"}},
		"two passwords": {"username": {"alice"}, "password": {"right", "right"}},
		"too large":     {"username": {"alice"}, "password": {"right"}, "x": {strings.Repeat("a", maxForm)}},
		"a code alone":  {"code": {"123456"}},
	} {
		if _, err := b.do("POST", form); reason(err) != authn.NotProven {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.do("DELETE", nil); err != nil {
		t.Error(err)
	}
	// What stands in the address is no form: it would be in logs.
	b.a.URL = "/a/1/password?username=alice&password=right"
	if _, err := b.do("POST", nil); reason(err) != authn.NotProven {
		t.Errorf("in the address: %v", err)
	}
}

func TestPage(t *testing.T) {
	b := newBrowser(t, Required)
	b.a.Hint = "alice"
	b.a.Refused = &authn.Refusal{Reason: authn.TooMany, RetryAfter: time.Minute}
	b.do("GET", nil)
	want := page.Password{Action: b.a.URL, Username: "alice", Refused: authn.TooMany, RetryAfter: time.Minute, Return: b.a.ReturnURL}
	if !reflect.DeepEqual(b.p.shown, want) {
		t.Errorf("%+v", b.p.shown)
	}
	b.a.Hint, b.a.Refused = "a\nb", nil
	b.do("GET", nil)
	if !reflect.DeepEqual(b.p.shown, page.Password{Action: b.a.URL, Return: b.a.ReturnURL}) {
		t.Errorf("%+v", b.p.shown)
	}
}

// TestSecond: what is proven is what was done.
func TestSecond(t *testing.T) {
	for name, tt := range map[string]struct {
		second Second
		who    string
		code   bool // is asked for
		want   []string
		reason authn.Reason
	}{
		"without":              {Without, "alice", false, []string{"pwd"}, 0},
		"if had, and had":      {IfHad, "alice", true, []string{"pwd", "otp", "mfa"}, 0},
		"if had, and not had":  {IfHad, "bob", false, []string{"pwd"}, 0},
		"required":             {Required, "alice", true, []string{"pwd", "otp", "mfa"}, 0},
		"required and not had": {Required, "bob", false, nil, authn.NotEnrolled},
	} {
		b := newBrowser(t, tt.second)
		proof, err := b.login(tt.who, "right")
		if tt.code {
			if _, asked := b.p.shown.(page.OneTimeCode); !asked || proof != nil || err != nil {
				t.Errorf("%s: %v, %v, %v", name, b.p.shown, proof, err)
			}
			b.do("GET", nil) // in another language
			if shown, asked := b.p.shown.(page.OneTimeCode); !asked || shown.Digits != 6 || shown.Action != b.a.URL {
				t.Errorf("%s: %v", name, b.p.shown)
			}
			b.a.Now = start.Add(time.Second)
			proof, err = b.code(start)
			if err != nil || !proof.Time.Equal(b.a.Now) || len(b.a.State) != 0 {
				t.Errorf("%s: %+v, %v", name, proof, err)
			}
		}
		if reason(err) != tt.reason || (proof == nil) != (tt.want == nil) || proof != nil && !slices.Equal(proof.References, tt.want) {
			t.Errorf("%s: %+v, %v", name, proof, err)
		}
		if least := b.m.References(); proof != nil && slices.ContainsFunc(least, func(r string) bool { return !slices.Contains(proof.References, r) }) {
			t.Errorf("%s: less than the least: %v", name, least)
		}
	}
}

// TestCode: a code without a password, one that was used, guesses, and a password of long ago.
func TestCode(t *testing.T) {
	b := newBrowser(t, Required)
	if _, err := b.code(start); reason(err) != authn.NotProven {
		t.Errorf("a code alone: %v", err)
	}
	b.login("alice", "right")
	if proof, err := b.code(start); err != nil || proof == nil {
		t.Fatal(err)
	}
	b.again()
	b.login("alice", "right")
	if _, err := b.code(start); reason(err) != authn.NotProven || !errors.Is(err, totp.ErrUsed) {
		t.Errorf("a code again: %v", err)
	}

	b = newBrowser(t, Required)
	b.login("alice", "right")
	for range 3 {
		if _, err := b.do("POST", url.Values{"code": {"000000"}}); reason(err) != authn.NotProven {
			t.Error(err)
		}
	}
	_, err := b.code(start)
	var refusal *authn.Refusal
	if !errors.As(err, &refusal) || refusal.Reason != authn.TooMany || refusal.RetryAfter != 30*time.Second {
		t.Errorf("guesses: %v", err)
	}

	b = newBrowser(t, Required)
	b.login("alice", "right")
	b.a.Now = start.Add(codeTime + time.Second)
	if _, err := b.code(b.a.Now); reason(err) != authn.NotProven || b.a.State != nil {
		t.Errorf("a password of long ago: %v", err)
	}

	// Five codes, each after its wait, are all that a password is good for.
	b = newBrowser(t, Required)
	b.login("alice", "right")
	for range codeTries {
		for {
			_, err := b.do("POST", url.Values{"code": {"x"}})
			if reason(err) == authn.NotProven {
				break
			}
			b.a.Now = b.a.Now.Add(time.Second)
		}
	}
	b.do("GET", nil)
	if _, again := b.p.shown.(page.Password); !again {
		t.Errorf("after five codes: %v", b.p.shown)
	}

	b.a.State = []byte("{")
	if _, err := b.do("GET", nil); err == nil || reason(err) != 0 {
		t.Errorf("a broken state: %v", err)
	}
	without := newBrowser(t, Without)
	without.a.State = []byte(`{"Account":{"ID":"id-a"},"At":"2005-03-18T01:58:30Z"}`)
	if _, err := without.code(start); reason(err) != authn.NotProven {
		t.Errorf("the state of another means: %v", err)
	}
}

// TestLimits: a name waits, whether it is somebody's or not; then an address; and what is right waits too.
func TestLimits(t *testing.T) {
	for _, username := range []string{"alice", "nobody"} {
		b := newBrowser(t, Without)
		for i := range 5 {
			b.again()
			if _, err := b.login([]string{username, strings.ToUpper(username)}[i%2], "wrong"); reason(err) != authn.NotProven {
				t.Fatal(err)
			}
		}
		before := len(b.paused)
		_, err := b.login(username, "right")
		var refusal *authn.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != authn.TooMany || refusal.RetryAfter != 2*time.Second || len(b.paused) != before {
			t.Errorf("%s: %v", username, err)
		}
		if proof, err := b.login("bob", "right"); err != nil || proof == nil {
			t.Errorf("another name: %v", err)
		}
		b.a.Now = start.Add(2 * time.Second)
		proof, err := b.login(username, "right")
		if (username == "alice") != (err == nil && proof != nil) {
			t.Errorf("%s after the wait: %v", username, err)
		}
	}
	b := newBrowser(t, Without)
	for i := range 60 {
		if _, err := b.login(strings.Repeat("x", i+1), "guess"); reason(err) != authn.NotProven {
			t.Fatal(i, err)
		}
	}
	if _, err := b.login("alice", "right"); reason(err) != authn.TooMany {
		t.Errorf("an address that tries names: %v", err)
	}
	b.address = "192.0.2.2:1"
	if _, err := b.login("alice", "right"); err != nil {
		t.Errorf("another address: %v", err)
	}
}

// TestOutage: nobody is counted, and nobody is told that he failed.
func TestOutage(t *testing.T) {
	b := newBrowser(t, Without)
	for range 200 {
		if _, err := b.login("outage", "right"); !errors.Is(err, errDown) || reason(err) != 0 {
			t.Fatal(err)
		}
	}
}

func TestNew(t *testing.T) {
	right := Config{Verifier: accounts{}, Second: Without}
	for name, change := range map[string]func(*Config){
		"nobody verifies":     func(c *Config) { c.Verifier = nil },
		"not said":            func(c *Config) { c.Second = 0 },
		"unknown":             func(c *Config) { c.Second = 9 },
		"no verifier":         func(c *Config) { c.Second = Required },
		"a verifier too many": func(c *Config) { c.Codes = &totp.Verifier{} },
		"negative":            func(c *Config) { c.Quantum = -1 },
		"nobody at once":      func(c *Config) { c.Parallel = -1 },
		"half a limit":        func(c *Config) { c.Names = limit.Config{Free: 1} },
	} {
		c := right
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
