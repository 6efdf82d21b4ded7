package sqlstore

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sceau/internal/postgresql"
	"sceau/oidc"
	"sceau/oidc/storetest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func made(t *testing.T, c Config) Config {
	t.Helper()
	c.Log = slog.New(slog.DiscardHandler)
	if err := Init(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	return c
}

func open(t *testing.T, c Config) *Store {
	t.Helper()
	s, err := Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestSQLite(t *testing.T) {
	empty := func(t *testing.T) Config {
		return made(t, Config{File: filepath.Join(t.TempDir(), "state.db"), Timeout: 30 * time.Second})
	}
	storetest.Run(t, func(t *testing.T) oidc.Store { return open(t, empty(t)) })
	c := empty(t)
	storetest.Replicas(t, open(t, c), open(t, c))
	sweeps(t, empty(t))
	restarts(t, empty(t), func() {})
	if info, err := os.Stat(c.File); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestPostgreSQL(t *testing.T) {
	server := postgresql.Start(t)
	n := 0
	empty := func(t *testing.T) Config {
		n++
		name := fmt.Sprintf("state%d", n)
		server.Exec(t, "create schema "+name)
		return made(t, Config{DSN: server.Admin + " search_path=" + name, Timeout: 30 * time.Second, Connections: 8})
	}
	storetest.Run(t, func(t *testing.T) oidc.Store { return open(t, empty(t)) })
	c := empty(t)
	storetest.Replicas(t, open(t, c), open(t, c))
	sweeps(t, empty(t))
	restarts(t, empty(t), func() {
		server.Kill()
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
	})

	// A server that has gone is an error of each operation, and never an answer.
	s := open(t, c)
	if err := s.Put(context.Background(), "k", []byte("v"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	s.config.Timeout = 2 * time.Second
	until := time.Now().Add(time.Hour)
	ctx := context.Background()
	if v, err := s.Get(ctx, "k"); err == nil || strings.Contains(err.Error(), oidc.ErrNotFound.Error()) || v != nil {
		t.Errorf("Get: %q %v", v, err)
	}
	if ok, err := s.Add(ctx, "new", nil, until); err == nil || ok {
		t.Errorf("Add: %v %v", ok, err)
	}
	if ok, err := s.Swap(ctx, "k", []byte("v"), nil, until); err == nil || ok {
		t.Errorf("Swap: %v %v", ok, err)
	}
	if s.Put(ctx, "k", nil, until) == nil || s.Delete(ctx, "k") == nil {
		t.Error("Put or Delete without a server")
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Get(ctx, "k"); err != nil || string(v) != "v" {
		t.Errorf("after its return: %q %v", v, err)
	}
}

// sweeps: what has expired is deleted, in more than one batch, and nothing else.
func sweeps(t *testing.T, c Config) {
	t.Run("sweep", func(t *testing.T) {
		ctx := context.Background()
		now := time.Now()
		c.Now = func() time.Time { return now }
		s := open(t, c)
		const old = batch*2 + 7
		tx, err := s.db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		for i := range old + 3 {
			expires := now.Add(-2 * grace)
			if i >= old {
				expires = now.Add(time.Hour)
			}
			if _, err := tx.Exec(`INSERT INTO oidc_state (key, value, expires) VALUES ($1, $2, $3)`, fmt.Sprint("k", i), []byte{1}, expires.UnixMicro()); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Sweep(ctx); err != nil || n != old {
			t.Errorf("%d, %v; want %d", n, err, old)
		}
		var left int
		if err := s.db.QueryRow(`SELECT count(*) FROM oidc_state`).Scan(&left); err != nil || left != 3 {
			t.Errorf("%d left, %v", left, err)
		}
		// By itself, and not what another replica, whose clock is behind, still knows.
		if err := s.Put(ctx, "gone", nil, now.Add(-2*grace)); err != nil {
			t.Fatal(err)
		}
		if err := s.Put(ctx, "kept", nil, now.Add(-grace/2)); err != nil {
			t.Fatal(err)
		}
		c.Sweep = 10 * time.Millisecond
		open(t, c)
		for deadline := time.Now().Add(10 * time.Second); left != 4; time.Sleep(10 * time.Millisecond) {
			if err := s.db.QueryRow(`SELECT count(*) FROM oidc_state`).Scan(&left); err != nil || time.Now().After(deadline) {
				t.Fatalf("%d left, %v", left, err)
			}
		}
	})
}

// restarts: what was kept is there after the process, and the server, have ended.
func restarts(t *testing.T, c Config, restart func()) {
	t.Run("restart", func(t *testing.T) {
		ctx := context.Background()
		s, err := Open(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := s.Add(ctx, "used", []byte{1}, time.Now().Add(time.Hour)); err != nil || !ok {
			t.Fatal(ok, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		restart()
		if err := Init(ctx, c); err != nil { // which changes nothing of what is there
			t.Fatal(err)
		}
		if ok, err := open(t, c).Add(ctx, "used", []byte{1}, time.Now().Add(time.Hour)); err != nil || ok {
			t.Errorf("good again: %v %v", ok, err)
		}
	})
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Config{
		"nothing": {}, "both": {File: "x", DSN: "host=localhost"}, "a negative time": {File: text, Timeout: -1}, "no file": {File: filepath.Join(dir, "none")},
		"a folder": {File: dir}, "another file": {File: text}, "an empty file": {File: empty}, "a server that is not verified": {DSN: "host=192.0.2.1 sslmode=require user=u"},
		"a DSN that is none": {DSN: "host"}, "no password file": {DSN: "host=localhost", PasswordFile: filepath.Join(dir, "none")},
	} {
		if s, err := Open(context.Background(), c); err == nil {
			s.Close()
			t.Errorf("%s: opened", name)
		}
	}
	if err := Init(context.Background(), Config{File: text}); err == nil {
		t.Error("a store was made of another file")
	}
}
