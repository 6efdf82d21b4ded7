package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPseudonymIsAnHMAC(t *testing.T) {
	key := testKey(t)
	mac := hmac.New(sha256.New, key.secret)
	mac.Write([]byte("ssin\x0000000000097"))
	if got := key.Pseudonym(Identifier{"ssin", "00000000097"}).String(); got != hex.EncodeToString(mac.Sum(nil)) {
		t.Errorf("got %s", got)
	}
	other, _ := NewKey([]byte(strings.Repeat("x", 32)))
	if other.Pseudonym(Identifier{"ssin", "1"}) == key.Pseudonym(Identifier{"ssin", "1"}) || other.id() == key.id() {
		t.Error("two keys give one pseudonym")
	}
}

// The pseudonymizer remembers its last answer; it must not answer another question with it.
func TestPseudonymsAreNotMixedUp(t *testing.T) {
	key := testKey(t)
	p := key.pseudonymizer()
	for _, id := range []Identifier{{"ssin", "1"}, {"ssin", "1"}, {"ssin", "2"}, {"nihii", "2"}, {"", "ssin2"}, {"ssin", ""}, {}, {"s", "sin"}, {"ssin", "1"}} {
		if got, want := p.of(id), key.Pseudonym(id); got != want {
			t.Errorf("%+v: got %s, want %s", id, got, want)
		}
	}
	p.forget()
	if text := string(p.text[:cap(p.text)]); strings.Contains(text, "ssin") {
		t.Errorf("it keeps %q", text)
	}
}

func TestKeyIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	c := Config{Dir: dir, Logger: quiet()}
	j := mustOpen(t, c)
	first := j.Pseudonym(Identifier{"ssin", "1"})
	record(t, j, fullEvent())
	j.Close()
	key, err := ReadKeyFile(filepath.Join(dir, keyName))
	if err != nil || key.Pseudonym(Identifier{"ssin", "1"}) != first {
		t.Fatalf("the key file: %v", err)
	}
	j = mustOpen(t, c)
	if j.Pseudonym(Identifier{"ssin", "1"}) != first {
		t.Error("another key")
	}
	j.Close()

	// A key given takes the place of the file.
	if err := os.Rename(filepath.Join(dir, keyName), filepath.Join(dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(c); reasonOf(err) != InvalidKey {
		t.Errorf("a journal that lost its key: %v", err)
	}
	c.Key = key
	j = mustOpen(t, c)
	if j.Pseudonym(Identifier{"ssin", "1"}) != first {
		t.Error("another key")
	}
	j.Close()
}

func TestBadKeysAreRefused(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "short": strings.Repeat("ab", 31), "not hex": strings.Repeat("zz", 32), "odd": strings.Repeat("ab", 32) + "c",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := ReadKeyFile(path)
			if reasonOf(err) != InvalidKey {
				t.Fatalf("got %v", err)
			}
			if content != "" && strings.Contains(err.Error(), content[:2]+content[:2]) {
				t.Errorf("the error quotes the key: %v", err)
			}
		})
	}
	t.Run("open to others", func(t *testing.T) {
		for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o644} {
			path := filepath.Join(t.TempDir(), "key")
			if err := os.WriteFile(path, []byte(strings.Repeat("ab", 32)), mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			if _, err := ReadKeyFile(path); reasonOf(err) != InvalidKey {
				t.Errorf("%v: %v", mode, err)
			}
		}
	})
	if _, err := ReadKeyFile(filepath.Join(t.TempDir(), "none")); reasonOf(err) != InvalidKey {
		t.Errorf("no file: %v", err)
	}
}
