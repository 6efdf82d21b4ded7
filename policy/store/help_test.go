package store

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sceau/internal/postgresql"
)

// start is the clock of the tests before it moves.
var start = time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)

// people are keys made once: they cost time.
var people = sync.OnceValue(func() map[string]crypto.Signer {
	keys := map[string]crypto.Signer{}
	for _, name := range []string{"jan", "marie", "piet", "stranger"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		keys[name] = key
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	keys["piet"] = key
	return keys
})

// config has jan and marie, who may do all, and piet, who may roll back.
func config(file string) Config {
	keys := people()
	return Config{
		File: file, Write: true, Now: func() time.Time { return start },
		Administrators: []Administrator{
			{Name: "jan", Key: keys["jan"].Public(), May: []Right{RightPropose, RightApprove}},
			{Name: "marie", Key: keys["marie"].Public(), May: []Right{RightPropose, RightApprove}},
			{Name: "piet", Key: keys["piet"].Public(), May: []Right{RightRollback}},
		},
	}
}

// A desk is a store as people work at it.
type desk struct {
	*testing.T
	*Store
	config Config
}

func open(t *testing.T, c Config) *desk {
	t.Helper()
	if err := Init(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &desk{t, s, c}
}

func openLite(t *testing.T) *desk { return open(t, config(filepath.Join(t.TempDir(), "policy.db"))) }

// openPostgres gives a schema of its own in a server that ends with the test.
func openPostgres(t *testing.T) (*desk, *postgresql.Server) {
	t.Helper()
	server := postgresql.Start(t)
	server.Exec(t, "create schema pap", "grant usage on schema pap to reader")
	c := config("")
	c.DSN = server.Admin + " search_path=pap"
	return open(t, c), server
}

// bundle is a content of one file.
func bundle(t testing.TB, text string) *Bundle {
	t.Helper()
	b, err := NewBundle(map[string]string{"access.cedar": text, TestFolder + "/first.yaml": "tests: []\n"})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// try does something as somebody, about the content as it stands.
func (d *desk) try(who string, kind Kind, version int64, content *Bundle) error {
	d.Helper()
	a := Act{Kind: kind, Version: version, Bundle: content, Key: people()[who]}
	if h, err := d.History(context.Background()); err != nil {
		return err
	} else if v, err := h.Version(version); err == nil && kind != KindDraft {
		a.Content = v.Content
	}
	_, err := d.Append(context.Background(), a)
	return err
}

func (d *desk) do(who string, kind Kind, version int64, content *Bundle) {
	d.Helper()
	if err := d.try(who, kind, version, content); err != nil {
		d.Fatalf("%s %s %d: %v", who, kind, version, err)
	}
}

// refused does something that must be refused for a reason.
func (d *desk) refused(want Reason, who string, kind Kind, version int64, content *Bundle) {
	d.Helper()
	if err := d.try(who, kind, version, content); ReasonOf(err) != want {
		d.Errorf("%s %s %d: %v, want %s", who, kind, version, err, want)
	}
}

// release brings a content in force.
func (d *desk) release(text string) int64 {
	d.Helper()
	h, err := d.History(context.Background())
	if err != nil {
		d.Fatal(err)
	}
	number := int64(len(h.versions)) + 1
	d.do("jan", KindDraft, 0, bundle(d, text))
	d.do("jan", KindSubmit, number, nil)
	d.do("marie", KindApprove, number, nil)
	d.do("marie", KindActivate, number, nil)
	return number
}

// inForce gives the text that is in force, "" for none.
func (d *desk) inForce() string {
	d.Helper()
	_, b, err := d.InForce(context.Background())
	if ReasonOf(err) == NoVersion {
		return ""
	}
	if err != nil {
		d.Fatal(err)
	}
	text, _ := b.File("access.cedar")
	return text
}

// tryExec writes to the database behind the store's back, whatever its constraints say.
func (d *desk) tryExec(statement string, args ...any) error {
	conn, err := d.db.Conn(context.Background())
	if err != nil {
		return err
	}
	defer conn.Close()
	if d.config.File != "" {
		if _, err := conn.ExecContext(context.Background(), `PRAGMA foreign_keys = OFF`); err != nil {
			return err
		}
	}
	_, err = conn.ExecContext(context.Background(), statement, args...)
	return err
}

func (d *desk) exec(statement string, args ...any) {
	d.Helper()
	if err := d.tryExec(statement, args...); err != nil {
		d.Fatal(err)
	}
}
