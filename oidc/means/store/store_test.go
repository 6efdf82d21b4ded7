package store

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	virtual "github.com/descope/virtualwebauthn"
	"github.com/go-webauthn/webauthn/webauthn"

	"sceau/internal/postgresql"
	"sceau/internal/virtualkey"
	"sceau/oidc/authn"
	"sceau/oidc/means/passkey"
	"sceau/oidc/means/totp"
	"sceau/oidc/page"
)

var start = time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)

func open(t *testing.T, c Config) *Store {
	t.Helper()
	if err := Init(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := Init(t.Context(), c); err != nil {
		t.Fatal("again:", err)
	}
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// each runs a test on what keeps passkeys: two databases, and the memory, which has to do the same.
func each(t *testing.T, test func(t *testing.T, s, another passkey.Store)) {
	t.Run("memory", func(t *testing.T) { test(t, &passkey.Memory{}, &passkey.Memory{}) })
	for name, c := range configs(t) {
		t.Run(name, func(t *testing.T) {
			other := c
			other.Establishment = "autre"
			test(t, open(t, c), open(t, other))
		})
	}
}

func configs(t *testing.T) map[string]Config {
	t.Helper()
	all := map[string]Config{"SQLite": {File: filepath.Join(t.TempDir(), "means.db"), Establishment: "hopital", Timeout: 20 * time.Second}}
	t.Run("PostgreSQL starts", func(t *testing.T) { // and is skipped alone where there is none
		postgresql.Programs(t)
		all["PostgreSQL"] = Config{Establishment: "hopital", Timeout: 20 * time.Second}
	})
	if c, has := all["PostgreSQL"]; has {
		server := postgresql.Start(t)
		server.Exec(t, "create schema means")
		c.DSN = server.Admin + " search_path=means"
		all["PostgreSQL"] = c
	}
	return all
}

func aPasskey(id, account string) *passkey.Passkey {
	return &passkey.Passkey{ID: []byte(id), Account: account, Handle: []byte("handle of " + account + "\x00\xff"), Label: "clé d'Alice", By: "admin", Created: start,
		Record: webauthn.Credential{ID: []byte(id), PublicKey: []byte{1, 2, 3}, Authenticator: webauthn.Authenticator{AAGUID: make([]byte, 16), SignCount: 5}}}
}

func TestPasskeys(t *testing.T) {
	each(t, func(t *testing.T, s, another passkey.Store) {
		ctx := t.Context()
		if _, err := s.Passkey(ctx, []byte("none")); !errors.Is(err, passkey.ErrUnknown) {
			t.Errorf("%v", err)
		}
		if err := s.Revoke(ctx, []byte("none")); !errors.Is(err, passkey.ErrUnknown) {
			t.Errorf("%v", err)
		}
		id := "an id\x00'; DROP TABLE passkey; --\xff"
		p := aPasskey(id, "alice")
		for _, p := range []*passkey.Passkey{p, aPasskey("second", "alice"), aPasskey("third", "bob")} {
			if err := s.Add(ctx, p); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Add(ctx, aPasskey(id, "bob")); !errors.Is(err, passkey.ErrTaken) {
			t.Errorf("one id of two: %v", err)
		}
		got, err := s.Passkey(ctx, []byte(id))
		if err != nil || got.Account != "alice" || string(got.Handle) != string(p.Handle) || got.Label != p.Label || got.By != "admin" || !got.Created.Equal(start) || !got.Used.IsZero() ||
			got.Revoked || string(got.ID) != id || string(got.Record.PublicKey) != "\x01\x02\x03" || got.Record.Authenticator.SignCount != 5 {
			t.Fatalf("%+v, %v", got, err)
		}
		if all, err := s.Of(ctx, "alice"); err != nil || len(all) != 2 {
			t.Errorf("%d, %v", len(all), err)
		}
		if all, err := s.Of(ctx, "nobody"); err != nil || len(all) != 0 {
			t.Errorf("%d, %v", len(all), err)
		}
		// Another establishment in the same database.
		if _, err := another.Passkey(ctx, []byte(id)); !errors.Is(err, passkey.ErrUnknown) {
			t.Errorf("%v", err)
		}
		if err := another.Revoke(ctx, []byte(id)); !errors.Is(err, passkey.ErrUnknown) {
			t.Errorf("%v", err)
		}
		if err := another.Add(ctx, aPasskey(id, "zoe")); err != nil {
			t.Errorf("%v", err)
		}

		// Of many who use it at once with one counter, one does.
		got.Record.Authenticator.SignCount, got.Used = 6, start.Add(time.Hour)
		var all sync.WaitGroup
		var mu sync.Mutex
		used := 0
		for range 8 {
			all.Go(func() {
				if fresh, err := s.Use(ctx, got, 5); err != nil {
					t.Error(err)
				} else if fresh {
					mu.Lock()
					used++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if used != 1 {
			t.Errorf("used %d times", used)
		}
		if again, err := s.Passkey(ctx, []byte(id)); err != nil || again.Record.Authenticator.SignCount != 6 || !again.Used.Equal(start.Add(time.Hour)) || again.Account != "alice" {
			t.Errorf("%+v, %v", again, err)
		}
		if err := s.Revoke(ctx, []byte(id)); err != nil {
			t.Error(err)
		}
		if fresh, err := s.Use(ctx, got, 6); fresh || err != nil {
			t.Errorf("one that was revoked: %t, %v", fresh, err)
		}
		if again, err := s.Passkey(ctx, []byte(id)); err != nil || !again.Revoked {
			t.Errorf("%+v, %v", again, err)
		}
		if other, err := another.Passkey(ctx, []byte(id)); err != nil || other.Revoked || other.Account != "zoe" {
			t.Errorf("%+v, %v", other, err)
		}
	})
}

func TestTickets(t *testing.T) {
	each(t, func(t *testing.T, s, another passkey.Store) {
		ctx := t.Context()
		ticket := &passkey.Ticket{Digest: sha256.Sum256([]byte("a")), Account: "alice", Label: "clé", By: "admin", Expires: start.Add(time.Hour)}
		if err := s.AddTicket(ctx, ticket, start); err != nil {
			t.Fatal(err)
		}
		got, err := s.Ticket(ctx, ticket.Digest)
		if err != nil || got.Account != "alice" || got.Label != "clé" || got.By != "admin" || !got.Expires.Equal(ticket.Expires) || got.State != nil {
			t.Fatalf("%+v, %v", got, err)
		}
		if _, err := another.Ticket(ctx, ticket.Digest); !errors.Is(err, passkey.ErrUnknown) {
			t.Errorf("%v", err)
		}
		for _, state := range []string{`{"a": 1}`, `{"b": 2}`} {
			if err := s.Begin(ctx, ticket.Digest, []byte(state)); err != nil {
				t.Error(err)
			}
			if got, err := s.Ticket(ctx, ticket.Digest); err != nil || string(got.State) != state {
				t.Errorf("%+v, %v", got, err)
			}
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		taken := 0
		for range 8 {
			all.Go(func() {
				err := s.Take(ctx, ticket.Digest)
				if err == nil {
					mu.Lock()
					taken++
					mu.Unlock()
				} else if !errors.Is(err, passkey.ErrUnknown) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if taken != 1 {
			t.Errorf("taken %d times", taken)
		}
		if err := s.Begin(ctx, ticket.Digest, []byte("{}")); !errors.Is(err, passkey.ErrUnknown) {
			t.Errorf("%v", err)
		}
		// What has expired is forgotten when the next one comes.
		for i, digest := range [][32]byte{{1}, {2}} {
			if err := s.AddTicket(ctx, &passkey.Ticket{Digest: digest, Account: "alice", By: "admin", Expires: start.Add(time.Hour)}, start.Add(time.Duration(i)*2*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Ticket(ctx, [32]byte{1}); !errors.Is(err, passkey.ErrUnknown) {
			t.Errorf("%v", err)
		}
	})
}

func newSeal(t *testing.T, first byte) *totp.Seal {
	t.Helper()
	key := make([]byte, 32)
	key[0] = first
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(key)), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := totp.LoadSeal(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCodes(t *testing.T) {
	for name, c := range configs(t) {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			s := open(t, c)
			codes := s.Codes(newSeal(t, 1))
			alice, bob := &authn.Account{ID: "alice"}, &authn.Account{ID: "bob"}
			if _, err := codes.Secret(ctx, alice); !errors.Is(err, totp.ErrNotEnrolled) {
				t.Errorf("%v", err)
			}
			for _, secret := range []string{"a first secret of hers", "another secret of hers"} {
				if err := codes.Enrol(ctx, "alice", []byte(secret)); err != nil {
					t.Fatal(err)
				}
				if got, err := codes.Secret(ctx, alice); err != nil || string(got) != secret {
					t.Errorf("%q, %v", got, err)
				}
			}
			if got, err := s.Codes(newSeal(t, 2)).Secret(ctx, alice); err == nil || errors.Is(err, totp.ErrNotEnrolled) {
				t.Errorf("with another key: %q, %v", got, err)
			}
			// A secret that someone moved to another account in the database does not open.
			if _, err := s.exec(ctx, `INSERT INTO code_secret (establishment, account, sealed) SELECT establishment, 'bob', sealed FROM code_secret WHERE account = 'alice'`); err != nil {
				t.Fatal(err)
			}
			if got, err := codes.Secret(ctx, bob); err == nil || errors.Is(err, totp.ErrNotEnrolled) {
				t.Errorf("moved: %q, %v", got, err)
			}
			other := c
			other.Establishment = "autre"
			if _, err := open(t, other).Codes(newSeal(t, 1)).Secret(ctx, alice); !errors.Is(err, totp.ErrNotEnrolled) {
				t.Errorf("of another establishment: %v", err)
			}
			if err := s.Codes(nil).Enrol(ctx, "alice", []byte("secret")); err == nil {
				t.Error("stored without a key")
			}
			for i, tt := range []struct {
				account string
				step    int64
				want    bool
			}{{"alice", 10, true}, {"alice", 10, false}, {"alice", 9, false}, {"bob", 9, true}, {"alice", 11, true}, {"alice", 10, false}} {
				if got, err := codes.Use(ctx, tt.account, tt.step); got != tt.want || err != nil {
					t.Errorf("%d: %t, %v", i, got, err)
				}
			}
			var all sync.WaitGroup
			var mu sync.Mutex
			taken := 0
			for range 8 {
				all.Go(func() {
					if ok, err := codes.Use(ctx, "carol", 1); err != nil {
						t.Error(err)
					} else if ok {
						mu.Lock()
						taken++
						mu.Unlock()
					}
				})
			}
			all.Wait()
			if taken != 1 {
				t.Errorf("one step was taken %d times", taken)
			}
			if err := codes.Remove(ctx, "alice"); err != nil {
				t.Error(err)
			}
			if _, err := codes.Secret(ctx, alice); !errors.Is(err, totp.ErrNotEnrolled) {
				t.Errorf("%v", err)
			}
			if ok, err := codes.Use(ctx, "alice", 11); ok || err != nil {
				t.Errorf("what was used is forgotten with the secret: %t, %v", ok, err)
			}
		})
	}
}

type pages struct{ shown any }

func (p *pages) Write(_ http.ResponseWriter, _ *http.Request, _ int, page any) { p.shown = page }

// TestCeremony is a passkey from its ticket to its proof with a database, after a restart of the program between.
func TestCeremony(t *testing.T) {
	for name, c := range configs(t) {
		t.Run(name, func(t *testing.T) {
			const origin = "https://sso.hopital.example"
			means := func() *passkey.Means {
				m, err := passkey.New(passkey.Config{Store: open(t, c), ID: "hopital.example", Name: "Hôpital", Origins: []string{origin}})
				if err != nil {
					t.Fatal(err)
				}
				return m
			}
			alice := &authn.Account{ID: "id-of-alice", Username: "alice"}
			ticket, err := passkey.NewTicket(t.Context(), open(t, c), alice.ID, "clé", "id-of-admin", start, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			rp := virtual.RelyingParty{ID: "hopital.example", Name: "Hôpital", Origin: origin}
			device, key := virtual.NewAuthenticator(), virtualkey.New()
			options, err := means().Begin(t.Context(), ticket, alice, start)
			if err != nil {
				t.Fatal(err)
			}
			creation, err := virtual.ParseAttestationOptions(string(options))
			if err != nil {
				t.Fatal(err)
			}
			device.Options.UserHandle = []byte(creation.UserID)
			if _, err := means().Finish(t.Context(), ticket, []byte(virtual.CreateAttestationResponse(rp, device, key, *creation)), alice, start); err != nil {
				t.Fatal(err)
			}
			for counter := range uint32(3) {
				m, p := means(), &pages{}
				a := &authn.Attempt{URL: "/passkey", Now: start, Pages: p}
				m.Serve(httptest.NewRecorder(), httptest.NewRequest("GET", a.URL, nil), a)
				request, err := virtual.ParseAssertionOptions(string(p.shown.(page.Passkey).Options))
				if err != nil {
					t.Fatal(err)
				}
				key.Counter = counter
				r := httptest.NewRequest("POST", a.URL, strings.NewReader(url.Values{"credential": {virtual.CreateAssertionResponse(rp, device, key, *request)}}.Encode()))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				proof, err := m.Serve(httptest.NewRecorder(), r, a)
				if err != nil || proof.Identifier.Value != alice.ID {
					t.Fatalf("%d: %+v, %v", counter, proof, err)
				}
			}
		})
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("no database at all, but enough of a text to be read as one"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Config{
		"nothing":              {Establishment: "hopital"},
		"both":                 {File: filepath.Join(dir, "a"), DSN: "host=127.0.0.1", Establishment: "hopital"},
		"of nobody":            {File: filepath.Join(dir, "a")},
		"a negative time":      {File: filepath.Join(dir, "a"), Establishment: "hopital", Timeout: -1},
		"no file":              {File: filepath.Join(dir, "none"), Establishment: "hopital"},
		"no database":          {File: text, Establishment: "hopital"},
		"a server that may be": {DSN: "host=db.example.org user=x", Establishment: "hopital"},
		"no DSN":               {DSN: "host='", Establishment: "hopital"},
	} {
		if s, err := Open(t.Context(), c); err == nil || s != nil {
			t.Errorf("%s: taken", name)
		}
	}
	c := Config{File: filepath.Join(dir, "means.db"), Establishment: "hopital"}
	s := open(t, c)
	if info, err := os.Stat(c.File); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := s.exec(t.Context(), `UPDATE means_schema SET version_id = 2 WHERE version_id = 1`); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(t.Context(), c); err == nil || s != nil {
		t.Error("a schema of a later program")
	}
}

// TestBroken: a row that somebody changed is an outage, and never another's passkey.
func TestBroken(t *testing.T) {
	for name, change := range map[string]string{
		"the record of another": `UPDATE passkey SET record = (SELECT record FROM passkey WHERE account = 'bob') WHERE account = 'alice'`,
		"no record":             `UPDATE passkey SET record = '{'`,
		"no handle":             `UPDATE passkey SET handle = '!'`,
	} {
		s := open(t, Config{File: filepath.Join(t.TempDir(), "means.db"), Establishment: "hopital"})
		for _, p := range []*passkey.Passkey{aPasskey("of alice", "alice"), aPasskey("of bob", "bob")} {
			if err := s.Add(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.exec(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		if p, err := s.Passkey(t.Context(), []byte("of alice")); p != nil || !errors.Is(err, errBroken) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if all, err := s.Of(t.Context(), "alice"); all != nil || !errors.Is(err, errBroken) {
			t.Errorf("%s: %+v, %v", name, all, err)
		}
	}
	s := open(t, Config{File: filepath.Join(t.TempDir(), "means.db"), Establishment: "hopital"})
	s.Close()
	if _, err := s.Passkey(t.Context(), []byte("x")); err == nil || errors.Is(err, passkey.ErrUnknown) {
		t.Errorf("closed: %v", err)
	}
}
