package people

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sceau/oidc/authn"
	"sceau/oidc/means/password"
	"sceau/oidc/means/totp"
)

func text(t *testing.T) string {
	t.Helper()
	return `test-identities: true
people:
  - id: id-of-alice
    username: Alice
    password: ` + Hash("right") + `
    given-name: Alice
    family-name: Exemple
    email: alice@hopital.example
    identifiers: {rpps: ["99700000001"], ssin: ["00000000097"], "sub https://x.eg": ["f:1:alice"]}
    groups: [doctors]
    totp: gezdgnbvgy3tqojqgezdgnbvgy3tqojq
  - id: id-of-bob
    username: bob
    name: Bob
    identifiers: {principal: [bob@EXAMPLE.ORG]}
  - id: id-of-carol
    username: carol
    password: ` + Hash("right") + `
    locked: true
`
}

func parse(t *testing.T) *People {
	t.Helper()
	p, err := Parse([]byte(text(t)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFind(t *testing.T) {
	p := parse(t)
	for id, want := range map[authn.Identifier]string{
		{Type: "account", Value: "id-of-alice"}:                         "id-of-alice",
		{Type: "username", Value: "alice"}:                              "id-of-alice",
		{Type: "username", Value: "ALICE"}:                              "id-of-alice",
		{Type: "rpps", Value: "99700000001"}:                            "id-of-alice",
		{Type: "principal", Value: "bob@EXAMPLE.ORG"}:                   "id-of-bob",
		{Type: "principal", Value: "bob@example.org"}:                   "",
		{Type: "ssin", Value: "99700000001"}:                            "",
		{Type: "account", Value: "ID-OF-ALICE"}:                         "",
		{Type: "rpps", Value: "99700000001", Authority: "https://x.eg"}: "",
		{Type: "sub", Value: "f:1:alice", Authority: "https://x.eg"}:    "id-of-alice",
		{Type: "sub", Value: "f:1:alice", Authority: "https://y.eg"}:    "",
		{Type: "sub", Value: "f:1:alice"}:                               "",
		{}:                                                              "",
	} {
		a, err := p.Find(t.Context(), id)
		if want == "" {
			if a != nil || !errors.Is(err, authn.ErrNoAccount) {
				t.Errorf("%v: %v, %v", id, a, err)
			}
			continue
		}
		if err != nil || a.ID != want {
			t.Errorf("%v: %v, %v", id, a, err)
		}
	}
	a, _ := p.Find(t.Context(), authn.Identifier{Type: "account", Value: "id-of-alice"})
	if a.Name != "Alice Exemple" || a.Username != "Alice" || !a.EmailVerified || len(a.Identifiers) != 3 || a.Groups[0] != "doctors" || a.Locked {
		t.Errorf("%+v", a)
	}
	a.Groups[0] = "administrators"
	if a, _ = p.Find(t.Context(), authn.Identifier{Type: "account", Value: "id-of-alice"}); a.Groups[0] != "doctors" {
		t.Error("a caller changed the file")
	}
	if !p.Sandbox() {
		t.Error("they are taken for real")
	}
}

func TestVerify(t *testing.T) {
	p := parse(t)
	for name, tt := range map[string]struct {
		username, password string
		want               error
	}{
		"right":             {"alice", "right", nil},
		"in capitals":       {"ALICE", "right", nil},
		"wrong":             {"alice", "wrong", ErrPassword},
		"empty":             {"alice", "", ErrPassword},
		"no password":       {"bob", "right", ErrPassword},
		"nobody":            {"dave", "right", ErrNobody},
		"closed":            {"carol", "right", ErrLocked},
		"closed, and wrong": {"carol", "wrong", ErrPassword},
	} {
		a, err := p.Verify(t.Context(), tt.username, tt.password)
		if !errors.Is(err, tt.want) || (tt.want == nil) != (err == nil && a != nil && a.ID == "id-of-alice") || err != nil && !errors.Is(err, password.ErrRejected) {
			t.Errorf("%s: %v, %v", name, a, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range cap(p.room) {
		p.room <- struct{}{}
	}
	if _, err := p.Verify(ended, "alice", "right"); err == nil || errors.Is(err, password.ErrRejected) {
		t.Errorf("without room: %v", err)
	}
}

func TestSecret(t *testing.T) {
	p := parse(t)
	if s, err := p.Secret(t.Context(), &authn.Account{ID: "id-of-alice"}); err != nil || string(s) != "12345678901234567890" {
		t.Errorf("%q, %v", s, err)
	}
	for _, id := range []string{"id-of-bob", "nobody", ""} {
		if _, err := p.Secret(t.Context(), &authn.Account{ID: id}); !errors.Is(err, totp.ErrNotEnrolled) {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestParse(t *testing.T) {
	for name, tt := range map[string]struct{ text, why string }{
		"nothing":              {"", "EOF"},
		"real people":          {"people: []", "test-identities"},
		"not invented":         {"test-identities: false\npeople: []", "test-identities"},
		"unknown":              {"test-identities: true\npeeple: []", "not found"},
		"two documents":        {"test-identities: true\n---\ntest-identities: true", "more than one"},
		"no id":                {"test-identities: true\npeople: [{username: a}]", "person 1: an id"},
		"no name":              {"test-identities: true\npeople: [{id: a}]", "person 1: an id"},
		"one name twice":       {"test-identities: true\npeople: [{id: a, username: x}, {id: b, username: X}]", "person 2: a username of another"},
		"one id twice":         {"test-identities: true\npeople: [{id: a, username: x}, {id: a, username: y}]", "person 2: a account of another"},
		"one number twice":     {"test-identities: true\npeople: [{id: a, username: x, identifiers: {rpps: ['1']}}, {id: b, username: y, identifiers: {rpps: ['1']}}]", "person 2: a rpps"},
		"a name as identifier": {"test-identities: true\npeople: [{id: a, username: x, identifiers: {username: [y]}}]", "no identifier is"},
		"a plain password":     {"test-identities: true\npeople: [{id: a, username: x, password: secret}]", "no hash"},
		"no base32":            {"test-identities: true\npeople: [{id: a, username: x, totp: '1'}]", "base32"},
		"too large":            {strings.Repeat("#", maxFile+1), "more than"},
	} {
		if p, err := Parse([]byte(tt.text)); err == nil || p != nil || !strings.Contains(err.Error(), tt.why) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	path := filepath.Join(t.TempDir(), "people.yaml")
	if _, err := Load(path); err == nil {
		t.Error("no file")
	}
	if err := os.WriteFile(path, []byte(text(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err != nil {
		t.Error(err)
	}
}

// TestHash: the vector is that of the reference implementation's own tests (argon2/src/test.c, Argon2id, version 0x13).
func TestHash(t *testing.T) {
	const vector = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	h, err := parseHash(vector)
	if err != nil || !h.matches("password") || h.matches("passwore") {
		t.Errorf("%v", err)
	}
	if a, b := Hash("x"), Hash("x"); a == b {
		t.Error("no salt")
	}
	for name, text := range map[string]string{
		"another function": strings.Replace(vector, "argon2id", "argon2i", 1),
		"another version":  strings.Replace(vector, "v=19", "v=16", 1),
		"no memory":        strings.Replace(vector, "m=65536", "m=0", 1),
		"little memory":    strings.Replace(vector, "m=65536", "m=7", 1),
		"all memory":       strings.Replace(vector, "m=65536", "m=4294967295", 1),
		"no pass":          strings.Replace(vector, "t=2", "t=0", 1),
		"no thread":        strings.Replace(vector, "p=1", "p=0", 1),
		"many threads":     strings.Replace(vector, "p=1", "p=256", 1),
		"one more":         strings.Replace(vector, "p=1", "p=1,x=1", 1),
		"a short salt":     strings.Replace(vector, "c29tZXNhbHQ", "c29t", 1),
		"no key":           vector[:strings.LastIndex(vector, "$")+1],
		"a long key":       vector + strings.Repeat("AAAA", 30),
		"trailing":         vector + "$",
	} {
		if _, err := parseHash(text); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("test-identities: true\npeople: [{id: a, username: x, password: $argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$c2FsdHNhbHRzYWx0c2FsdA}]"))
	f.Add([]byte("test-identities: true\npeople: [{id: a, username: x, identifiers: {rpps: ['1', '1']}}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse(text)
		if (err == nil) != (p != nil) {
			t.Fatal("an error and people, or neither")
		}
		if p == nil {
			return
		}
		for id, k := range p.by {
			a, err := p.Find(t.Context(), id)
			if err != nil || a.ID == "" || a.ID != k.account.ID {
				t.Errorf("%v: %v", id, err)
			}
		}
	})
}
