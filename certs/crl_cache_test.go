package certs_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sceau/certs"
	"sceau/internal/testpki"
)

// kept gives the one file of a suffix that a cache holds.
func kept(t *testing.T, dir, suffix string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	return found[0]
}

// TestCacheSurvivesRestart: a restart while the distribution point is down begins with
// the list of the last run, asks for changes to that list, and nothing but what the
// authority signed comes out of the directory.
func TestCacheSurvivesRestart(t *testing.T) {
	pki := testpki.Load()
	crl := sign(t, pki.CitizenCA, list(pki.BobEID.DER))
	var down atomic.Bool
	var conditional atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"5"`)
		switch {
		case down.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.Header.Get("If-None-Match") == `"5"`:
			conditional.Add(1)
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Write(crl)
		}
	}))
	defer server.Close()
	c := anchored(pki.CitizenCA, certs.Revocation{}, server.URL+"/ca.crl?of=a/b")
	c.CRL.CacheDir = filepath.Join(t.TempDir(), "made", "when it is missing")
	first := open(t, c)
	if err := first.Fetch(context.Background()); err != nil {
		t.Fatal(err)
	}
	first.Close()
	for _, file := range []string{kept(t, c.CRL.CacheDir, ".crl"), kept(t, c.CRL.CacheDir, ".json")} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}

	down.Store(true)
	second := open(t, c)
	if got := reasonOf(t, second, certs.RoleIdentity, pki.AliceEID.DER); got != 0 {
		t.Errorf("after a restart: %v", got)
	}
	if got := reasonOf(t, second, certs.RoleIdentity, pki.BobEID.DER); got != certs.Revoked {
		t.Errorf("revoked, after a restart: %v", got)
	}
	second.Close()

	down.Store(false)
	conditional.Store(0)
	third := open(t, c)
	for range 500 { // the background asks at once
		if conditional.Load() > 0 {
			break
		}
		third.Fetch(context.Background())
	}
	if conditional.Load() == 0 {
		t.Error("the list of the cache was fetched whole instead of asked about")
	}
	third.Close()

	offline := c
	offline.CRL.Offline = true
	v := open(t, offline)
	if got := reasonOf(t, v, certs.RoleIdentity, pki.AliceEID.DER); got != 0 {
		t.Errorf("offline: %v", got)
	}
	if err := v.Fetch(context.Background()); certs.ReasonOf(err) != certs.Unavailable {
		t.Errorf("fetched although offline: %v", err)
	}
}

// TestK3CachePoisoning: whoever may write to the cache could clear a revoked certificate,
// or keep a newer list from being fetched, if its content were believed.
func TestK3CachePoisoning(t *testing.T) {
	pki := testpki.Load()
	older, current := list(), list(pki.AliceEID.DER)
	older.Number = 4
	genuine := sign(t, pki.CitizenCA, current)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"now"`)
		if r.Header.Get("If-None-Match") == `"now"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Write(genuine)
	}))
	defer server.Close()
	for name, poison := range map[string][]byte{
		"a list of a stranger": sign(t, pki.StrangerCA, list()),
		"an old list":          sign(t, pki.CitizenCA, older),
		"a list of another CA": sign(t, pki.EHealthCA, list()),
		"nothing":              {},
		"half a list":          genuine[:len(genuine)/2],
		"too much":             make([]byte, 2<<20),
	} {
		t.Run(name, func(t *testing.T) {
			c := anchored(pki.CitizenCA, certs.Revocation{}, server.URL)
			c.CRL.CacheDir, c.CRL.MaxBytes = t.TempDir(), 1<<20
			v := open(t, c)
			if err := v.Fetch(context.Background()); err != nil {
				t.Fatal(err)
			}
			v.Close()
			if err := os.WriteFile(kept(t, c.CRL.CacheDir, ".crl"), poison, 0o600); err != nil {
				t.Fatal(err)
			}
			v = open(t, c)
			if err := v.Fetch(context.Background()); err != nil {
				t.Fatal(err)
			}
			if got := reasonOf(t, v, certs.RoleIdentity, pki.AliceEID.DER); got != certs.Revoked {
				t.Errorf("%v: what the cache said of validators was taken for another list", got)
			}
		})
	}
}

// TestCacheValidatorsAreOfOneAddress: what one server said is not said to another.
func TestCacheValidatorsAreOfOneAddress(t *testing.T) {
	pki := testpki.Load()
	crl := sign(t, pki.CitizenCA, list())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") != "" {
			t.Error("asked for changes to what this address never gave")
		}
		w.Write(crl)
	}))
	defer server.Close()
	c := anchored(pki.CitizenCA, certs.Revocation{}, server.URL)
	c.CRL.CacheDir = t.TempDir()
	v := open(t, c)
	if err := v.Fetch(context.Background()); err != nil {
		t.Fatal(err)
	}
	v.Close()
	file := kept(t, c.CRL.CacheDir, ".json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var entry map[string]any
	if err := json.Unmarshal(text, &entry); err != nil {
		t.Fatal(err)
	}
	entry["address"], entry["etag"] = "http://another.example/", `"another"`
	text, _ = json.Marshal(entry)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(t, c).Fetch(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestCacheUnusable: a cache that cannot be made stops the start; one that cannot be
// written costs a warning and nothing else.
func TestCacheUnusable(t *testing.T) {
	pki := testpki.Load()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := anchored(pki.CitizenCA, certs.Revocation{})
	c.CRL.CacheDir = filepath.Join(file, "below")
	if _, err := certs.NewVerifier(c); certs.ReasonOf(err) != certs.Unavailable {
		t.Error(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(sign(t, pki.CitizenCA, list())) }))
	defer server.Close()
	var said lockedBuffer
	c = anchored(pki.CitizenCA, certs.Revocation{}, server.URL)
	c.CRL.CacheDir, c.Log = filepath.Join(t.TempDir(), "gone"), logTo(&said)
	v := open(t, c)
	if err := os.RemoveAll(c.CRL.CacheDir); err != nil {
		t.Fatal(err)
	}
	if err := v.Fetch(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := reasonOf(t, v, certs.RoleIdentity, pki.AliceEID.DER); got != 0 || !strings.Contains(said.String(), "CRL not kept") {
		t.Errorf("%v\n%s", got, said.String())
	}
}

// TestFileOfSeveralLists: of the lists in one file each fares by itself. One that is only old
// must not excuse another that is broken, nor a broken one hide that another's time will come.
func TestFileOfSeveralLists(t *testing.T) {
	pki := testpki.Load()
	future := list(pki.AliceEID.DER)
	future.Number, future.ThisUpdate = 6, testpki.Now().Add(time.Hour)
	current, older := pemEncode(sign(t, pki.CitizenCA, list())), list()
	older.Number = 4
	old, broken, next := pemEncode(sign(t, pki.CitizenCA, older)), pemEncode([]byte("no CRL")), pemEncode(sign(t, pki.CitizenCA, future))
	for _, tt := range []struct {
		name, content string
		want          certs.Reason
	}{
		{"an old one", current + old, 0},
		{"an old one, then a broken one", current + old + broken, certs.Malformed},
		{"a broken one, then an old one", current + broken + old, certs.Malformed},
		{"one to come", current + next, 0},
		{"one to come, then a broken one", current + next + broken, certs.Malformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "lists.pem")
			if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			c := anchored(pki.CitizenCA, certs.Revocation{})
			c.CRL.Files = []string{path}
			v, err := certs.NewVerifier(c)
			if certs.ReasonOf(err) != tt.want {
				t.Fatalf("%v, want %v", err, tt.want)
			}
			if err == nil {
				v.Close()
			}
		})
	}
}

// TestListToComeIsReadAgain: a broken list beside it in a directory's file hides it no longer than its time.
func TestListToComeIsReadAgain(t *testing.T) {
	pki := testpki.Load()
	future := list(pki.AliceEID.DER)
	future.Number, future.ThisUpdate = 6, testpki.Now().Add(time.Hour)
	content := pemEncode(sign(t, pki.CitizenCA, list())) + pemEncode([]byte("no CRL")) + pemEncode(sign(t, pki.CitizenCA, future))
	dir := files(t, []byte(content))
	synctest.Test(t, func(t *testing.T) {
		now := since()
		c := anchored(pki.CitizenCA, certs.Revocation{})
		c.CRL.Files, c.Now = []string{dir}, now
		v := newVerifier(t, c)
		defer v.Close()
		if _, got := asks(t, v, pki.AliceEID.DER, now()); got != 0 {
			t.Fatal(got)
		}
		time.Sleep(2 * time.Hour)
		if _, got := asks(t, v, pki.AliceEID.DER, now()); got != certs.Revoked {
			t.Errorf("when its time has come: %v", got)
		}
	})
}

func pemEncode(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}
