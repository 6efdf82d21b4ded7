package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sceau/internal/redis"
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

func open(t *testing.T, c Config) *Store {
	t.Helper()
	s, err := Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestRedis(t *testing.T) {
	server := redis.Start(t)
	n := 0
	empty := func() Config { // one server has room for all, by their prefixes
		n++
		return Config{Address: server.Address, PasswordFile: server.PasswordFile, Prefix: fmt.Sprintf("test %d/", n), Timeout: 30 * time.Second, Connections: 8}
	}
	storetest.Run(t, func(t *testing.T) oidc.Store { return open(t, empty()) })
	c := empty()
	storetest.Replicas(t, open(t, c), open(t, c))
}

// TestOutage: a server that has gone is an error of each operation, and never an answer; when it is there again, so is the store.
func TestOutage(t *testing.T) {
	server := redis.Start(t)
	s := open(t, Config{Address: server.Address, PasswordFile: server.PasswordFile, Timeout: 2 * time.Second})
	ctx, until := context.Background(), time.Now().Add(time.Hour)
	if err := s.Put(ctx, "k", []byte("v"), until); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if v, err := s.Get(ctx, "k"); err == nil || errors.Is(err, oidc.ErrNotFound) || v != nil {
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
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if ok, err := s.Add(ctx, "again", nil, until); err == nil && ok {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(ok, err)
		}
	}
}

// TestFull: a server that is full says so, and gives up nothing.
func TestFull(t *testing.T) {
	server := redis.Start(t, "maxmemory 4mb")
	s := open(t, Config{Address: server.Address, PasswordFile: server.PasswordFile})
	ctx, until := context.Background(), time.Now().Add(time.Hour)
	if ok, err := s.Add(ctx, "used", []byte{1}, until); err != nil || !ok {
		t.Fatal(ok, err)
	}
	var full error
	for i := 0; full == nil && i < 1000; i++ {
		full = s.Put(ctx, fmt.Sprint("k", i), make([]byte, 64<<10), until)
	}
	if full == nil {
		t.Fatal("it took 64 MB")
	}
	if ok, err := s.Add(ctx, "used", []byte{1}, until); ok {
		t.Errorf("what was used is good again: %v", err)
	}
	if v, err := s.Get(ctx, "used"); err != nil || len(v) != 1 {
		t.Errorf("%v %v", v, err)
	}
}

func TestRefusals(t *testing.T) {
	server := redis.Start(t)
	wrong := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(wrong, []byte("another\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Config{
		"no address": {}, "a host alone": {Address: "localhost"}, "a negative time": {Address: server.Address, PasswordFile: server.PasswordFile, Timeout: -1},
		"a server that is not verified": {Address: "192.0.2.1:6379"}, "one that is not, in spite of TLS": {Address: "192.0.2.1:6379", TLS: &tls.Config{InsecureSkipVerify: true}},
		"no password": {Address: server.Address}, "another password": {Address: server.Address, PasswordFile: wrong},
		"no password file": {Address: server.Address, PasswordFile: wrong + ".none"}, "TLS to one that has none": {Address: server.Address, PasswordFile: server.PasswordFile, TLS: &tls.Config{ServerName: "x"}, Timeout: time.Second},
	} {
		if s, err := Open(context.Background(), c); err == nil {
			s.Close()
			t.Errorf("%s: opened", name)
		} else if strings.Contains(err.Error(), redis.Password) {
			t.Errorf("%s: it tells the password: %v", name, err)
		}
	}
	for setting, want := range map[string]string{
		"CONFIG SET maxmemory-policy allkeys-lru": "noeviction", "CONFIG SET maxmemory-policy volatile-ttl": "noeviction", "REPLICAOF 127.0.0.1 1": "of another",
	} {
		if _, err := server.Ask(setting); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(context.Background(), Config{Address: server.Address, PasswordFile: server.PasswordFile}); err == nil {
			s.Close()
			t.Errorf("%s: opened", setting)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", setting, err)
		}
		for _, back := range []string{"CONFIG SET maxmemory-policy noeviction", "REPLICAOF NO ONE"} {
			if _, err := server.Ask(back); err != nil {
				t.Fatal(err)
			}
		}
	}
}
