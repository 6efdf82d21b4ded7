package wsc_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/internal/testpki"
	"sceau/wsc"
)

func keyFile(t testing.TB, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func storeKey(t testing.TB, content string) *wsc.StoreKey {
	t.Helper()
	key, err := wsc.ReadStoreKey(keyFile(t, content))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func passphrase(t testing.TB, content string) *wsc.StoreKey {
	t.Helper()
	key, err := wsc.ReadStorePassphrase(keyFile(t, content))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var (
	oneKey   = strings.Repeat("k", 32)
	otherKey = strings.Repeat("K", 32)
)

// stored makes a session that keeps its token in a store, and returns the token.
func stored(t *testing.T, r *rig, path string, key *wsc.StoreKey) *wsc.Token {
	t.Helper()
	store, err := wsc.OpenStore(path, key)
	if err != nil {
		t.Fatal(err)
	}
	r.open(func(c *wsc.SessionConfig) { c.Store, c.Lazy = store, true })
	defer r.session.Close()
	token, err := r.token()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// A token survives the program, under a key or a passphrase, and nothing of it is
// readable in the file.
func TestStore(t *testing.T) {
	trust := sharedTrust(t)
	for name, key := range map[string]func(testing.TB) *wsc.StoreKey{
		"key":        func(t testing.TB) *wsc.StoreKey { return storeKey(t, oneKey) },
		"hex":        func(t testing.TB) *wsc.StoreKey { return storeKey(t, hex.EncodeToString([]byte(oneKey))+"\n") },
		"passphrase": func(t testing.TB) *wsc.StoreKey { return passphrase(t, "correct horse\r\n") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, trust)
			path := filepath.Join(t.TempDir(), "session")
			first := stored(t, r, path, key(t))
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info, err)
			}
			content, _ := os.ReadFile(path)
			for _, secret := range []string{"Assertion", testpki.AliceSSIN, first.ID(), "a.example", "doctor"} {
				if bytes.Contains(content, []byte(secret)) {
					t.Errorf("%s stands in the file", secret)
				}
			}
			r.hosts()
			again := stored(t, r, path, key(t))
			if asked := r.hosts(); len(asked) != 0 || !bytes.Equal(again.Assertion(), first.Assertion()) || !r.happened(wsc.Restored) {
				t.Errorf("asked %v", asked)
			}
			if again.SignedBy().Certificate() == nil || !again.Affirms(doctorBoolean) {
				t.Error("the token of the store is not a verified one")
			}
			left, err := os.ReadDir(filepath.Dir(path))
			if err != nil || len(left) != 1 {
				t.Errorf("%v left over: %v", left, err)
			}
		})
	}
}

// A file that was altered anywhere, cut off, or made with another key is a clear error;
// it is neither used nor written over.
func TestStoreRefused(t *testing.T) {
	r := newRig(t, sharedTrust(t))
	path := filepath.Join(t.TempDir(), "session")
	key := storeKey(t, oneKey)
	stored(t, r, path, key)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(content []byte, key *wsc.StoreKey, want ...wsc.Reason) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		store, err := wsc.OpenStore(path, key)
		if store != nil || !slices.Contains(want, wsc.ReasonOf(err)) {
			t.Errorf("%v", err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(after, content) {
			t.Error("the file was written over")
		}
	}
	refused(good, storeKey(t, otherKey), wsc.BadStoreKey)
	refused(good, passphrase(t, oneKey), wsc.BadStoreKey)
	const header = 16 + 1 + 16 + 32 + 16 + 12
	for i := range good {
		if i > header && i < len(good)-32 && i%97 != 0 {
			continue // each octet of the header and the tag, some between
		}
		altered := bytes.Clone(good)
		altered[i] ^= 1
		want := []wsc.Reason{wsc.BadStore}
		if i >= 16 && i < 16+1+16+32+16 { // kind, salts, check value: it is as if the key were another
			want = append(want, wsc.BadStoreKey)
		}
		refused(altered, key, want...)
	}
	for _, cut := range []int{0, 1, 16, 92, 93, 100, len(good) - 1} {
		refused(good[:cut], key, wsc.BadStore)
	}
	refused(append(bytes.Clone(good), 0), key, wsc.BadStore)
	refused([]byte("<Assertion/>"), key, wsc.BadStore)
	refused(make([]byte, 5<<20), key, wsc.BadStore)

	pass := filepath.Join(t.TempDir(), "session")
	stored(t, r, pass, passphrase(t, "one"))
	if _, err := wsc.OpenStore(pass, passphrase(t, "two")); wsc.ReasonOf(err) != wsc.BadStoreKey {
		t.Error(err)
	}
	if _, err := wsc.OpenStore(pass, key); wsc.ReasonOf(err) != wsc.BadStoreKey || !strings.Contains(err.Error(), "is under a passphrase, not a key") {
		t.Error(err)
	}
	if _, err := wsc.OpenStore(t.TempDir(), key); wsc.ReasonOf(err) != wsc.BadStore {
		t.Error(err)
	}
	if _, err := wsc.OpenStore(pass, nil); wsc.ReasonOf(err) != wsc.BadStoreKey {
		t.Error(err)
	}
}

func TestStoreKeyRefused(t *testing.T) {
	open := keyFile(t, oneKey)
	if err := os.Chmod(open, 0o640); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{
		"none": filepath.Join(t.TempDir(), "none"), "a folder": t.TempDir(), "readable by others": open, "short": keyFile(t, "short"), "long": keyFile(t, strings.Repeat("k", 5000)),
		"zeros": keyFile(t, strings.Repeat("0", 64)), "a passphrase": keyFile(t, "correct horse battery staple"),
	} {
		if key, err := wsc.ReadStoreKey(file); key != nil || wsc.ReasonOf(err) != wsc.BadStoreKey {
			t.Errorf("%s: %v", name, err)
		}
	}
	if key, err := wsc.ReadStorePassphrase(keyFile(t, "\n")); key != nil || wsc.ReasonOf(err) != wsc.BadStoreKey {
		t.Error(err)
	}
}

// A token of the store that does not fit any more is asked anew: its end has come, its
// STS is trusted no longer, it is another's, or other attributes are wanted.
func TestStoreOutdated(t *testing.T) {
	trust := sharedTrust(t)
	pki := testpki.Load()
	tests := []struct {
		name   string
		change func(r *rig, c *wsc.SessionConfig)
	}{
		{"ended", func(r *rig, _ *wsc.SessionConfig) { r.began = r.began.Add(-13 * time.Hour) }},
		{"another doctor", func(r *rig, c *wsc.SessionConfig) {
			c.Credentials = []*wsc.Credentials{credentialsOf(r.t, wsc.ModeSession, &pki.AliceEID, &pki.AliceEHealth)}
		}},
		{"another mode", func(r *rig, c *wsc.SessionConfig) {
			c.Credentials = []*wsc.Credentials{credentialsOf(r.t, wsc.ModeFallback, &pki.AliceEHealthP256, nil)}
		}},
		{"another attribute", func(_ *rig, c *wsc.SessionConfig) {
			c.Request.Attributes = append(c.Request.Attributes, certified("urn:be:fgov:person:ssin:ehealth:1.0:surname"))
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, trust)
			path := filepath.Join(t.TempDir(), "session")
			key := storeKey(t, oneKey)
			first := stored(t, r, path, key)
			r.hosts()
			store, err := wsc.OpenStore(path, key)
			if err != nil {
				t.Fatal(err)
			}
			r.open(func(c *wsc.SessionConfig) {
				c.Store, c.Lazy = store, true
				test.change(r, c)
			})
			defer r.session.Close()
			if !r.happened(wsc.NotRestored) || r.session.State().Token != nil {
				t.Error("taken over")
			}
			token, err := r.token()
			if err != nil || bytes.Equal(token.Assertion(), first.Assertion()) || len(r.hosts()) != 1 {
				t.Errorf("%v", err)
			}
		})
	}
}

// A store that cannot be written costs no token.
func TestStoreUnwritable(t *testing.T) {
	r := newRig(t, sharedTrust(t))
	store, err := wsc.OpenStore(filepath.Join(t.TempDir(), "none", "session"), storeKey(t, oneKey))
	if err != nil {
		t.Fatal(err)
	}
	r.open(func(c *wsc.SessionConfig) { c.Store, c.Lazy = store, true })
	if _, err := r.token(); err != nil {
		t.Error(err)
	}
	r.session.Close()
	if !r.happened(wsc.NotStored) {
		t.Error("nobody is told")
	}
}
