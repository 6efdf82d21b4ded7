package openid

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/audit"
	"sceau/certs"
	"sceau/cmd/stsd/face"
	"sceau/internal/interop/openid/broker"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
	"sceau/oidc/means/people"
)

// pscEndpoint is where the browser comes back to Pro Santé Connect.
const pscEndpoint = "https://psc.example/auth/realms/esante-wallet/broker/hopital-exemple/endpoint"

var cardSet = []string{"sc", "pin", "mfa", "hwk"}

// psc is Pro Santé Connect, with this establishment behind it.
func (w *world) psc(t *testing.T, change func(*broker.Config)) *broker.Broker {
	t.Helper()
	certificate := w.pki.pair("structure")
	c := broker.Config{
		Discovery: w.issuer + "/.well-known/openid-configuration", ClientID: "psc", Secret: secret, Certificate: &certificate, Roots: w.pki.roots, Endpoint: pscEndpoint,
		Issuers: []string{w.issuer}, Tenants: []string{"hopital-exemple"}, Hint: "DATAPASS_1234", Methods: [][]string{{"swk", "mfa", "pwd", "okta_verify"}, cardSet},
		Skew: 2 * time.Second, Now: time.Now,
	}
	if change != nil {
		change(&c)
	}
	b, err := broker.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// comes is the browser that comes back to Pro Santé Connect.
func (p *person) comes(b *broker.Broker, f *broker.Flow, a seen, back *url.URL) (*broker.Identity, error) {
	p.Helper()
	if back = p.led(a, back); !strings.HasPrefix(back.String(), pscEndpoint+"?") {
		p.Fatalf("led to %s", back.Redacted())
	}
	return b.Callback(p.Context(), f, back.Query())
}

// identified demands that Alice was.
func (p *person) identified(i *broker.Identity, err error) *broker.Identity {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
	if i.Subject != aliceSubject || i.Tenant != "hopital-exemple" || i.Username != "alice" || i.GivenName != "Alice" || i.FamilyName != "Exemple" || i.Email != "alice@hopital.example" ||
		i.Name != "Alice Exemple" {
		p.Errorf("%+v", i)
	}
	return i
}

func broken(t *testing.T, want broker.Rule, err error) {
	t.Helper()
	var r *broker.Refusal
	if !errors.As(err, &r) || r.Rule != want {
		t.Errorf("%v instead of %q", err, want)
	}
}

// TestProSanteConnect is what its broker does at stsd.
func TestProSanteConnect(t *testing.T) {
	w := meet(t)
	for name, pkce := range map[string]bool{"without PKCE": false, "with PKCE": true} {
		t.Run(name, func(t *testing.T) {
			alice, b := w.person(t, "alice"), w.psc(t, func(c *broker.Config) { c.PKCE = pkce })
			age := 3600
			began := time.Now().Add(-time.Second)
			f := b.Begin(broker.Wishes{ACRValues: "eidas2 eidas1", LoginHint: "alice", MaxAge: &age, Locales: "fr"})
			a, back := alice.byCard(f.URL)
			i := alice.identified(alice.comes(b, f, a, back))
			if !slices.Equal(i.Methods, cardSet) || i.Claims["acr"] != "eidas2" || i.AuthTime.Before(began.Truncate(time.Second)) {
				t.Errorf("%+v", i)
			}
			// Names are taken from userinfo, the rest from the ID token: they say the same.
			for name, value := range i.UserInfo {
				if !reflect.DeepEqual(value, i.Claims[name]) {
					t.Errorf("%s: %v from userinfo, %v in the ID token", name, value, i.Claims[name])
				}
			}
			if b.Fetched != 1 {
				t.Errorf("the keys were fetched %d times", b.Fetched)
			}
		})
	}
	t.Run("session", func(t *testing.T) {
		alice, b := w.person(t, "alice"), w.psc(t, nil)
		f := b.Begin(broker.Wishes{})
		a, back := alice.byCard(f.URL)
		first := alice.identified(alice.comes(b, f, a, back))
		f = b.Begin(broker.Wishes{})
		a, back = alice.open(f.URL) // nobody is asked
		if again := alice.identified(alice.comes(b, f, a, back)); !again.AuthTime.Equal(first.AuthTime) {
			t.Error("auth_time is not that of the login")
		}
		now := 0
		for name, wishes := range map[string]broker.Wishes{"prompt=login": {Prompt: "login"}, "max_age=0": {MaxAge: &now}} {
			f = b.Begin(wishes)
			if a, back = alice.open(f.URL); back != nil {
				t.Errorf("%s: led to %s without being asked", name, back.Redacted())
				continue
			}
			a, back = alice.byCard(a.Request.URL.String())
			alice.identified(alice.comes(b, f, a, back))
		}
		f = b.Begin(broker.Wishes{Prompt: "none", MaxAge: &now})
		a, back = alice.open(f.URL)
		_, err := alice.comes(b, f, a, back)
		broken(t, broker.Failed, err)
	})
	t.Run("given up", func(t *testing.T) {
		alice, b := w.person(t, ""), w.psc(t, nil)
		f := b.Begin(broker.Wishes{})
		a, _ := alice.open(f.URL)
		if strings.HasSuffix(a.Request.URL.Path, "/m/eid") { // one means alone: the choice, which has the button, is a step back
			a, _ = alice.open(strings.TrimSuffix(a.Request.URL.String(), "/m/eid"))
		}
		a, back := alice.send(a, url.Values{})
		_, err := alice.comes(b, f, a, back)
		broken(t, broker.Cancelled, err)
	})
	t.Run("nobody there", func(t *testing.T) {
		alice, b := w.person(t, ""), w.psc(t, nil)
		f := b.Begin(broker.Wishes{Prompt: "none"})
		a, back := alice.open(f.URL)
		_, err := alice.comes(b, f, a, back)
		broken(t, broker.Failed, err)
	})
	t.Run("strength", func(t *testing.T) { w.strength(t) })
	t.Run("client", func(t *testing.T) {
		for name, tt := range map[string]struct {
			change func(*broker.Config)
			want   broker.Rule
		}{
			"no certificate":             {func(c *broker.Config) { c.Certificate = nil }, broker.Exchange},
			"no secret":                  {func(c *broker.Config) { c.Secret = "" }, broker.Exchange},
			"another secret":             {func(c *broker.Config) { c.Secret = "another" }, broker.Exchange},
			"certificate of another":     {func(c *broker.Config) { other := w.pki.pair("other"); c.Certificate = &other }, broker.Exchange},
			"tid that is not on a list":  {func(c *broker.Config) { c.Tenants = []string{"clinique-autre"} }, broker.Tenant},
			"amr that was not agreed":    {func(c *broker.Config) { c.Methods = [][]string{{"swk", "mfa", "pwd", "okta_verify"}} }, broker.Methods},
			"iss that is not trusted":    {func(c *broker.Config) { c.Issuers = []string{w.secure} }, broker.Issuer},
			"nothing of these":           {nil, ""},
			"one of two issuers trusted": {func(c *broker.Config) { c.Issuers = []string{"https://other.example", w.issuer} }, ""},
		} {
			alice, b := w.person(t, "alice"), w.psc(t, tt.change)
			f := b.Begin(broker.Wishes{})
			a, back := alice.byCard(f.URL)
			_, err := alice.comes(b, f, a, back)
			if tt.want == "" {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			t.Run(name, func(t *testing.T) { broken(t, tt.want, err) })
		}
	})
	t.Run("logout", func(t *testing.T) {
		alice, b := w.person(t, "alice"), w.psc(t, nil)
		f := b.Begin(broker.Wishes{})
		a, back := alice.byCard(f.URL)
		i := alice.identified(alice.comes(b, f, a, back))
		a, back = alice.open(b.Logout(i))
		if back = alice.led(a, back); !strings.HasPrefix(back.String(), b.LogoutEndpoint()+"?") {
			t.Fatalf("led to %s", back.Redacted())
		}
		if err := b.LogoutResponse(i, back.Query()); err != nil {
			t.Error(err)
		}
		f = b.Begin(broker.Wishes{Prompt: "none"})
		a, back = alice.open(f.URL)
		_, err := alice.comes(b, f, a, back)
		broken(t, broker.Failed, err)
	})
}

// TestHint: whom the relying party expects stands in the form.
func TestHint(t *testing.T) {
	w := meet(t)
	alice := w.person(t, "")
	q := url.Values{"response_type": {"code"}, "client_id": {"rp-basic"}, "redirect_uri": {rpBack}, "scope": {"openid"}, "login_hint": {"alice"}, "ui_locales": {"nl"},
		"code_challenge_method": {"S256"}, "code_challenge": {strings.Repeat("x", 43)}}
	a, _ := alice.open(w.issuer + "/authorize?" + q.Encode())
	if a, _ = alice.press(a, "/m/password"); !strings.Contains(a.text, `name="username" type="text" value="alice"`) || !strings.Contains(a.text, `<html lang="nl">`) {
		t.Errorf("%s: %s", a.Status, a.text)
	}
}

// strength: a session by password does not do for Pro Santé Connect, and what it hears is the card's amr and auth_time alone.
func (w *world) strength(t *testing.T) {
	alice, b := w.person(t, "alice"), w.psc(t, nil)
	q := url.Values{"response_type": {"code"}, "client_id": {"rp-basic"}, "redirect_uri": {rpBack}, "scope": {"openid"}, "code_challenge_method": {"S256"},
		"code_challenge": {strings.Repeat("x", 43)}}
	a, back := alice.byPassword(w.issuer + "/authorize?" + q.Encode())
	alice.led(a, back)
	none := b.Begin(broker.Wishes{Prompt: "none"})
	a, back = alice.open(none.URL)
	_, err := alice.comes(b, none, a, back)
	broken(t, broker.Failed, err)
	f := b.Begin(broker.Wishes{})
	a, back = alice.open(f.URL)
	if back != nil || strings.Contains(a.text, "/m/password") || !strings.Contains(a.text, "plus sûr") {
		t.Fatalf("led to %v: %s", back, a.words())
	}
	// Nor by writing the address of the other means.
	if a, back = alice.open(strings.TrimSuffix(a.Request.URL.String(), "/m/eid") + "/m/password"); back != nil || a.StatusCode != http.StatusForbidden {
		t.Errorf("%s, led to %v", a.Status, back)
	}
	a, back = alice.byCard(strings.TrimSuffix(a.Request.URL.String(), "/m/password"))
	if i := alice.identified(alice.comes(b, f, a, back)); !slices.Equal(i.Methods, cardSet) {
		t.Errorf("amr is %q", i.Methods)
	}
}

// A clock is one that a test sets.
type clock struct {
	mu     sync.Mutex
	behind time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(-c.behind)
}

func (c *clock) set(behind time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.behind = behind
}

type unrecorded struct{}

func (unrecorded) Record(context.Context, *audit.Event) error { return nil }

// house runs the face of stsd in this process, where its clock can be set.
func (w *world) house(t *testing.T, c *clock) (h *world, change func(edit func(string) string)) {
	t.Helper()
	h = &world{dir: t.TempDir(), pki: w.pki, told: w.told, onward: w.onward, apache: w.apache}
	if err := os.Symlink(w.pki.dir, h.file("pki")); err != nil {
		t.Fatal(err)
	}
	at := make([]string, 2)
	if err := free(at); err != nil {
		t.Fatal(err)
	}
	port := func(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }
	h.issuer, h.secure = "https://localhost:"+port(at[0])+"/etab/1", "https://localhost:"+port(at[1])+"/etab/1"
	clients, err := h.clients()
	if err != nil {
		t.Fatal(err)
	}
	// A session that is idle for hours, so that the rule of four alone ends it.
	config := fmt.Sprintf(oidcYAML, at[0], at[1], h.issuer, h.secure) + "    lifetimes: {session: 12h, idle: 12h}\n"
	for name, content := range map[string]string{"clients.yaml": clients, "people.yaml": fmt.Sprintf(peopleYAML, people.Hash(password), testpki.AliceSSIN, "https://op.example"), "oidc.yaml": config} {
		if err := h.write(name, content); err != nil {
			t.Fatal(err)
		}
	}
	read := func() *face.Config {
		t.Helper()
		read, err := face.Read(h.file("oidc.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		return read
	}
	authority := func(name string) *certs.Authority {
		ders, err := certs.ReadCertificates(w.pki.path(name))
		if err != nil {
			t.Fatal(err)
		}
		return &certs.Authority{Certificate: ders[0]}
	}
	card, structure := certs.BelgianEID(), certs.IGCSante()
	card.Name, card.Role, card.Roots = "eID in a browser", certs.RolePerson, []*certs.Authority{authority("citizen-ca.pem")}
	structure.Roots, structure.Intermediates = []*certs.Authority{authority("igc-root.pem")}, []*certs.Authority{authority("igc-org.pem")}
	quiet := slog.New(slog.DiscardHandler)
	// Certificates are judged by the clock of the machine: they are an hour old.
	verifier, err := certs.NewVerifier(certs.Config{Profiles: []certs.Profile{card, structure}, CRL: certs.CRLConfig{Files: []string{filepath.Join(w.pki.dir, "crl")}}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { verifier.Close() })
	f, err := face.New(read(), face.Shared{Verifier: verifier, Recorder: unrecorded{}, Now: c.now, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Listen(nil); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- f.Serve() }()
	t.Cleanup(func() {
		if err := errors.Join(f.Shutdown(context.Background()), <-ended, f.Close()); err != nil {
			t.Error(err)
		}
	})
	return h, func(edit func(string) string) {
		t.Helper()
		changed := edit(config)
		if changed == config {
			t.Fatal("nothing was changed")
		}
		if err := h.write("oidc.yaml", changed); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Replace(read()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFourHours: the last explicit authentication is less than four hours old, whatever Pro Santé Connect asks (EXI FI 25).
func TestFourHours(t *testing.T) {
	w := meet(t)
	c := &clock{}
	h, _ := w.house(t, c)
	for _, tt := range []struct {
		name string
		ago  time.Duration
		asks bool
	}{
		{"an hour", time.Hour, false},
		{"a minute less than four", 4*time.Hour - time.Minute, false},
		{"four", 4 * time.Hour, true},
		{"five", 5 * time.Hour, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			alice, b := h.person(t, "alice"), h.psc(t, func(bc *broker.Config) { bc.Now = c.now })
			c.set(tt.ago)
			a, back := alice.byCard(b.Begin(broker.Wishes{}).URL)
			alice.led(a, back)
			c.set(0)
			age := 8 * 3600 // it may ask for more, and does not get it
			f := b.Begin(broker.Wishes{MaxAge: &age})
			a, back = alice.open(f.URL)
			if asks := back == nil; asks != tt.asks {
				t.Fatalf("asked again: %t", asks)
			}
			if tt.asks {
				if !strings.Contains(a.text, "trop ancienne") {
					t.Errorf("she is not told why: %s", a.words())
				}
				a, back = alice.byCard(a.Request.URL.String())
			}
			i := alice.identified(alice.comes(b, f, a, back))
			if old := time.Since(i.AuthTime); (old > 30*time.Minute) == tt.asks {
				t.Errorf("auth_time is %s ago", old)
			}
		})
	}
}

// TestNewKey: keys that are new are found by who had the others.
func TestNewKey(t *testing.T) {
	w := meet(t)
	h, change := w.house(t, &clock{})
	alice, b := h.person(t, "alice"), h.psc(t, nil)
	f := b.Begin(broker.Wishes{})
	a, back := alice.byCard(f.URL)
	alice.identified(alice.comes(b, f, a, back))
	key, err := minipki.GenerateKey(minipki.RSA2048)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.key("next.key", key); err != nil {
		t.Fatal(err)
	}
	change(func(config string) string { return strings.Replace(config, "pki/rs256.key", "next.key", 1) })
	f = b.Begin(broker.Wishes{})
	a, back = alice.open(f.URL) // the session is still there
	alice.identified(alice.comes(b, f, a, back))
	if b.Fetched != 2 {
		t.Errorf("the keys were fetched %d times", b.Fetched)
	}
}

func (w *world) key(name string, key crypto.Signer) error {
	text, err := minipki.KeyPEM(key)
	if err != nil {
		return err
	}
	return w.write(name, string(text))
}
