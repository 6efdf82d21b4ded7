package store

import (
	"context"
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"crypto/x509"
	"encoding/pem"

	"sceau/internal/judge"
)

// TestTwoPersons: the life of a version, step by step, in both databases, with what each step refuses.
func TestTwoPersons(t *testing.T) {
	for _, tt := range []struct {
		name string
		open func(*testing.T) *desk
	}{
		{"SQLite", openLite},
		{"PostgreSQL", func(t *testing.T) *desk { d, _ := openPostgres(t); return d }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := tt.open(t)
			if d.inForce() != "" {
				t.Error("something is in force at once")
			}
			d.refused(NotAllowed, "stranger", KindDraft, 0, bundle(t, "one"))
			d.refused(NotAllowed, "piet", KindDraft, 0, bundle(t, "one"))
			d.refused(NoVersion, "jan", KindSubmit, 1, nil)
			d.do("jan", KindDraft, 0, bundle(t, "one"))
			d.refused(NoVersion, "jan", KindDraft, 7, bundle(t, "one"))
			d.refused(WrongState, "marie", KindApprove, 1, nil)
			d.do("jan", KindDraft, 1, bundle(t, "two"))
			d.do("jan", KindSubmit, 1, nil)
			d.refused(WrongState, "jan", KindDraft, 1, bundle(t, "three"))
			d.refused(SameHand, "jan", KindApprove, 1, nil)
			d.refused(WrongState, "marie", KindActivate, 1, nil)
			d.refused(NotAllowed, "piet", KindApprove, 1, nil)
			d.refused(NotAllowed, "marie", KindWithdraw, 1, nil)
			d.do("marie", KindReject, 1, nil)
			d.refused(WrongState, "marie", KindApprove, 1, nil)
			d.do("marie", KindDraft, 1, bundle(t, "three")) // and has a hand in it from now on
			d.do("jan", KindSubmit, 1, nil)
			d.refused(SameHand, "marie", KindApprove, 1, nil)
			d.refused(SameHand, "jan", KindApprove, 1, nil)
			d.do("jan", KindWithdraw, 1, nil)
			if d.inForce() != "" {
				t.Error("what nobody approved is in force")
			}

			if second := d.release("four"); second != 2 || d.inForce() != "four" {
				t.Errorf("%d, %q", second, d.inForce())
			}
			d.do("jan", KindDraft, 0, bundle(t, "five")) // version 3, for 2
			d.release("six")                             // version 4, for 2
			d.do("jan", KindSubmit, 3, nil)
			d.do("marie", KindApprove, 3, nil)
			d.refused(Stale, "marie", KindActivate, 3, nil)
			d.refused(NotAllowed, "marie", KindRollback, 2, nil)
			d.refused(WrongState, "piet", KindRollback, 3, nil) // it never was active
			d.do("piet", KindRollback, 2, nil)
			if d.inForce() != "four" {
				t.Errorf("after the rollback: %q", d.inForce())
			}
			d.refused(WrongState, "piet", KindRollback, 2, nil)
			d.do("marie", KindActivate, 3, nil) // for 2, which is active
			if d.inForce() != "five" {
				t.Errorf("%q", d.inForce())
			}
			h, err := d.History(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var states []string
			for _, v := range h.Versions() {
				states = append(states, v.State.String())
			}
			if got := strings.Join(states, ", "); got != "withdrawn, superseded, active, superseded" {
				t.Error(got)
			}
			if v, ok := h.ActiveAt(start.Add(-time.Second)); ok {
				t.Errorf("%+v was in force before there was any", v)
			}
			if v, _ := h.ActiveAt(start); v.Number != 3 {
				t.Errorf("%+v", v)
			}
		})
	}
}

// TestContentThatWasSeen: who approves, approves what he has looked at, and not what stands there since.
func TestContentThatWasSeen(t *testing.T) {
	d := openLite(t)
	d.do("jan", KindDraft, 0, bundle(t, "harmless"))
	d.do("jan", KindSubmit, 1, nil)
	seen := bundle(t, "harmless").Digest()
	d.do("marie", KindReject, 1, nil)
	d.do("jan", KindDraft, 1, bundle(t, "permit (principal, action, resource);"))
	d.do("jan", KindSubmit, 1, nil)
	_, err := d.Append(t.Context(), Act{Kind: KindApprove, Version: 1, Content: seen, Key: people()["marie"]})
	if ReasonOf(err) != WrongState {
		t.Error(err)
	}
}

// TestApprovals: more than one may be asked for, and what had fewer is not put in force, nor kept in force, once more are.
func TestApprovals(t *testing.T) {
	d := openLite(t)
	d.release("by one")
	c := d.config
	c.Approvals = 2
	c.Administrators = slices.Clone(c.Administrators)
	c.Administrators[2].May = []Right{RightApprove, RightRollback}
	strict := open(t, c)
	if _, _, err := strict.InForce(t.Context()); ReasonOf(err) != NotAllowed {
		t.Errorf("one approval is enough for two: %v", err)
	}
	strict.do("jan", KindDraft, 0, bundle(t, "by two"))
	strict.do("jan", KindSubmit, 2, nil)
	strict.do("marie", KindApprove, 2, nil)
	strict.refused(SameHand, "marie", KindApprove, 2, nil)
	strict.refused(WrongState, "marie", KindActivate, 2, nil)
	strict.do("piet", KindApprove, 2, nil)
	strict.do("marie", KindActivate, 2, nil)
	if strict.inForce() != "by two" {
		t.Error(strict.inForce())
	}
	strict.refused(NotAllowed, "piet", KindRollback, 1, nil)
	c.Approvals = 1 // and back
	if lax := open(t, c); lax.inForce() != "by two" {
		t.Error(lax.inForce())
	}
}

// TestWhoLeft: what somebody signed before he left counts, and nothing since.
func TestWhoLeft(t *testing.T) {
	d := openLite(t)
	d.release("one")
	c := d.config
	c.Administrators = slices.Clone(c.Administrators)
	c.Administrators[1].Until = start.Add(time.Hour)
	c.Now = func() time.Time { return start.Add(2 * time.Hour) }
	later := open(t, c)
	if later.inForce() != "one" {
		t.Error(later.inForce())
	}
	later.do("jan", KindDraft, 0, bundle(t, "two"))
	later.do("jan", KindSubmit, 2, nil)
	later.refused(NotAllowed, "marie", KindApprove, 2, nil)
	// Not even by a clock set back: others have acted since.
	c.Now = func() time.Time { return start }
	back := open(t, c)
	back.refused(NotAllowed, "marie", KindApprove, 2, nil)
	c.Administrators = slices.Delete(c.Administrators, 1, 2)
	forgotten := open(t, c)
	if _, err := forgotten.History(t.Context()); ReasonOf(err) != Broken || !strings.Contains(err.Error(), "until") {
		t.Error(err)
	}
}

// TestAnyOctetChanged: whoever writes to the database without a key brings nothing in force, whatever he writes.
func TestAnyOctetChanged(t *testing.T) {
	made := openLite(t)
	made.release("permit")
	made.do("jan", KindDraft, 0, bundle(t, "evil"))
	made.do("jan", KindSubmit, 2, nil)
	evil, good := bundle(t, "evil").Digest().String(), bundle(t, "permit").Digest().String()
	for _, change := range []string{
		`UPDATE policy_event SET actor = 'piet' WHERE number = 3`,
		`UPDATE policy_event SET actor = 'marie' WHERE number = 1`,
		`UPDATE policy_event SET actor = 'nobody' WHERE number = 1`,
		`UPDATE policy_event SET kind = 'activate' WHERE number = 6`,
		`UPDATE policy_event SET version = 2 WHERE number = 3`,
		`UPDATE policy_event SET content = '` + evil + `' WHERE number IN (1, 2, 3, 4)`,
		`UPDATE policy_event SET content = upper(content)`,
		`UPDATE policy_event SET base = 1 WHERE number = 1`,
		`UPDATE policy_event SET at = '2026-11-28T09:00:01Z' WHERE number = 2`,
		`UPDATE policy_event SET at = 'never' WHERE number = 2`,
		`UPDATE policy_event SET note = 'x' WHERE number = 2`,
		`UPDATE policy_event SET previous = '' WHERE number = 1`,
		`UPDATE policy_event SET signature = (SELECT signature FROM policy_event WHERE number = 1) WHERE number = 3`,
		`UPDATE policy_event SET signature = 'AA==' WHERE number = 6`,
		// Another spelling of the same …
		`UPDATE policy_event SET signature = signature || char(10) WHERE number = 6`,
		`UPDATE policy_event SET at = '2026-11-28T10:00:00+01:00' WHERE number = 6`,
		`UPDATE policy_event SET at = '2026-11-28T09:00:00.000Z' WHERE number = 6`,
		// … and the other signature that every one with ECDSA has: a server that saw the first would follow no more.
		`UPDATE policy_event SET signature = '` + otherSignature(t, made, 6) + `' WHERE number = 6`,
		`UPDATE policy_event SET number = 9 WHERE number = 6`,
		`DELETE FROM policy_event WHERE number = 2`,
		`INSERT INTO policy_event SELECT number + 6, kind, version, content, base, actor, at, note, previous, signature FROM policy_event WHERE number = 4`,
		`INSERT INTO policy_event SELECT 7, 'approve', 2, '` + evil + `', 0, actor, at, note, previous, signature FROM policy_event WHERE number = 3`,
		`UPDATE policy_store SET id = '00000000000000000000000000000000'`,
		`UPDATE policy_store SET id = 'x'`,
		`UPDATE policy_file SET content = 'evil' WHERE content = 'permit'`,
		`UPDATE policy_content SET sha256 = (SELECT sha256 FROM policy_file WHERE content = 'evil') WHERE digest = '` + good + `' AND path = 'access.cedar'`,
		`UPDATE policy_content SET path = 'other.cedar' WHERE digest = '` + good + `' AND path = 'access.cedar'`,
		`DELETE FROM policy_content WHERE digest = '` + good + `' AND path LIKE 'tests/%'`,
		`INSERT INTO policy_content SELECT '` + good + `', 'more.cedar', sha256 FROM policy_file WHERE content = 'evil'`,
	} {
		t.Run(change, func(t *testing.T) {
			content, err := os.ReadFile(made.config.File)
			if err != nil {
				t.Fatal(err)
			}
			c := made.config
			c.File = filepath.Join(t.TempDir(), "policy.db")
			if err := os.WriteFile(c.File, content, 0o600); err != nil {
				t.Fatal(err)
			}
			d := open(t, c)
			if _, _, err := d.InForce(t.Context()); err != nil {
				t.Fatal(err)
			}
			d.exec(change)
			if _, b, err := d.InForce(t.Context()); ReasonOf(err) != Broken || b != nil {
				t.Errorf("it holds: %v", err)
			}
		})
	}
}

// TestLargeRows: whoever writes to the database does not bring down, by what is large, a server that would go on with what it has.
func TestLargeRows(t *testing.T) {
	d := openLite(t)
	d.release("one")
	for _, change := range []string{
		`INSERT INTO policy_file (sha256, content) VALUES ('large', hex(zeroblob(32000000)));
		 INSERT INTO policy_content SELECT digest, 'more.cedar', 'large' FROM policy_content LIMIT 1`,
		`UPDATE policy_event SET note = hex(zeroblob(32000000)) WHERE number = 2`,
	} {
		d.exec(change)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := d.InForce(t.Context())
		runtime.ReadMemStats(&after)
		if ReasonOf(err) != Broken {
			t.Error(err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
			t.Errorf("%d MB for %.40s", took>>20, change)
		}
	}
}

// otherSignature gives that with n-s in the place of s, which verifies as well.
func otherSignature(t *testing.T, d *desk, number int) string {
	t.Helper()
	h, err := d.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var s ecdsaSignature
	if rest, err := asn1.Unmarshal(h.Events()[number-1].Signature, &s); err != nil || len(rest) > 0 {
		t.Fatal(err)
	}
	s.S.Sub(elliptic.P256().Params().N, s.S)
	der, err := asn1.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// TestAnotherStore: what the same people approved for another store, such as one for tests, is not in force where the id of the store is
// said.
func TestAnotherStore(t *testing.T) {
	d := openLite(t)
	d.release("for tests")
	h, err := d.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := d.config
	c.ID = h.Store()
	if _, _, err := open(t, c).InForce(t.Context()); err != nil {
		t.Error(err)
	}
	c.ID = strings.Repeat("0", 32)
	if _, _, err := open(t, c).InForce(t.Context()); ReasonOf(err) != Broken {
		t.Errorf("another store is taken: %v", err)
	}
}

// TestFileReplaced: a file that is put in the place of another, as a backup is, is seen. Otherwise a server would follow, for as long as it
// runs, a file that nobody can write to any more.
func TestFileReplaced(t *testing.T) {
	d := openLite(t)
	d.release("one")
	reader := open(t, d.config)
	if reader.inForce() != "one" {
		t.Fatal(reader.inForce())
	}
	other := config(filepath.Join(t.TempDir(), "other.db"))
	open(t, other).release("two")
	if err := os.Rename(other.File, d.config.File); err != nil {
		t.Fatal(err)
	}
	if reader.inForce() != "two" {
		t.Errorf("it still reads the file that is gone: %q", reader.inForce())
	}
}

// TestClocks: the clock of somebody's machine that is ahead does not keep all others from acting until then.
func TestClocks(t *testing.T) {
	d := openLite(t)
	ahead := d.config
	ahead.Now = func() time.Time { return start.AddDate(10, 0, 0) }
	open(t, ahead).do("jan", KindDraft, 0, bundle(t, "one"))
	d.do("jan", KindSubmit, 1, nil)
	d.do("marie", KindApprove, 1, nil)
	d.do("marie", KindActivate, 1, nil)
	if d.inForce() != "one" {
		t.Error(d.inForce())
	}
}

// TestOnePerson: who has two keys, or had others before, is one person, who does not approve what he wrote with the other; and who may
// do less than he might before did it all the same.
func TestOnePerson(t *testing.T) {
	d := openLite(t)
	d.release("one")
	c := d.config
	c.Now = func() time.Time { return start.Add(2 * time.Hour) }
	c.Administrators = slices.Clone(c.Administrators)
	c.Administrators[0].Until = start.Add(time.Hour)
	c.Administrators[1].Until = start.Add(time.Hour)
	c.Administrators = append(c.Administrators,
		Administrator{Name: "jan", Key: people()["stranger"].Public(), May: []Right{RightPropose, RightApprove}},
		Administrator{Name: "marie", Key: people()["marie"].Public(), May: []Right{RightPropose}})
	later := open(t, c)
	if later.inForce() != "one" {
		t.Error(later.inForce())
	}
	later.refused(NotAllowed, "jan", KindDraft, 0, bundle(t, "two")) // with his old key
	later.do("stranger", KindDraft, 0, bundle(t, "two"))             // with his new one
	later.do("stranger", KindSubmit, 2, nil)
	later.refused(NotAllowed, "marie", KindApprove, 2, nil)
	c.Administrators[0].Until = time.Time{} // both of his keys count
	both := open(t, c)
	both.refused(SameHand, "jan", KindApprove, 2, nil)
	h, err := both.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := h.Version(2); !slices.Equal(v.Hands, []string{"jan"}) {
		t.Errorf("%v", v.Hands)
	}
}

// TestTakenAway: events at the end can be taken away by who writes to the database; a reader that saw them notices.
func TestTakenAway(t *testing.T) {
	d := openLite(t)
	d.release("one")
	d.release("two")
	seen, err := d.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	number, _ := seen.Head()
	d.exec(`DELETE FROM policy_event WHERE number = $1`, number)
	less, err := d.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if less.Extends(seen) || !seen.Extends(less) || !seen.Extends(nil) || !seen.Extends(seen) {
		t.Error("nobody notices")
	}
	// Another event in its place.
	d.do("jan", KindReject, 2, nil)
	other, err := d.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if other.Extends(seen) || !other.Extends(less) {
		t.Error("nobody notices another history")
	}
}

// TestAtOnce: of many who approve and reject at once each either did what the history says, or was told that it changed.
func TestAtOnce(t *testing.T) {
	d := openLite(t)
	d.do("jan", KindDraft, 0, bundle(t, "one"))
	d.do("jan", KindSubmit, 1, nil)
	var done sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		done.Go(func() { results[i] = d.try("marie", []Kind{KindApprove, KindReject}[i%2], 1, nil) })
	}
	done.Wait()
	h, err := d.History(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	succeeded := 0
	for _, err := range results {
		switch ReasonOf(err) {
		case 0:
			if err != nil {
				t.Error(err)
			}
			succeeded++
		case Conflict, SameHand, WrongState, Unavailable: // the last: the file was locked
		default:
			t.Error(err)
		}
	}
	if n := len(h.Events()); succeeded == 0 || n != 2+succeeded {
		t.Errorf("%d succeeded, and there are %d events", succeeded, n)
	}
}

// TestReaderCannotWrite: the role of a server needs to read and no more.
func TestReaderCannotWrite(t *testing.T) {
	d, server := openPostgres(t)
	d.release("one")
	server.Exec(t, "grant select on all tables in schema pap to reader")
	c := d.config
	c.Write, c.DSN, c.PasswordFile = false, "host=127.0.0.1 port="+server.Port+" user=reader dbname=postgres sslmode=disable search_path=pap", server.PasswordFile
	reader, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	_, b, err := reader.InForce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := b.File("access.cedar"); text != "one" {
		t.Error(text)
	}
	if _, err := reader.db.Exec(`DELETE FROM policy_event`); err == nil {
		t.Error("it deletes")
	}
	if _, err := reader.Append(t.Context(), Act{Kind: KindDraft, Bundle: bundle(t, "two"), Key: people()["jan"]}); ReasonOf(err) != Unavailable {
		t.Error(err)
	}
	server.Kill()
	if _, _, err := reader.InForce(t.Context()); ReasonOf(err) != Unavailable {
		t.Error(err)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := reader.InForce(t.Context()); err != nil {
		t.Errorf("it does not come back: %v", err)
	}
}

// TestOpenSSLVerifies: somebody else's program verifies the events of both kinds of key, and sha256sum makes the digest.
func TestOpenSSLVerifies(t *testing.T) {
	openssl, sum := judge.Require(t, "openssl"), judge.Require(t, "sha256sum")
	d := openLite(t)
	d.release("one")
	d.release("two")
	d.do("piet", KindRollback, 1, nil)
	h, err := d.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, e := range h.Events() {
		spki, err := x509.MarshalPKIXPublicKey(people()[e.Actor].Public())
		if err != nil {
			t.Fatal(err)
		}
		key := file("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
		command := exec.Command(openssl, "dgst", "-sha256", "-verify", key, "-signature", file("signature", e.Signature), file("statement", e.Statement(h.Store())))
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("event %d of %s: %v: %s", e.Number, e.Actor, err, out)
		}
	}
	b := bundle(t, "one")
	for _, path := range b.Paths() {
		text, _ := b.File(path)
		file(path, []byte(text))
	}
	command := exec.Command("sh", "-c", sum+` access.cedar tests/first.yaml | `+sum)
	command.Dir = dir
	if out, err := command.Output(); err != nil || !strings.HasPrefix(string(out), b.Digest().String()+" ") {
		t.Errorf("%v: %s, want %s", err, out, b.Digest())
	}
}

func TestBundle(t *testing.T) {
	files := fstest.MapFS{
		"access.cedar": {Data: []byte("a")}, "tests/t.yaml": {Data: []byte("b")}, ".git/config": {Data: []byte("c")},
		".hidden": {Data: []byte("c")}, "old/x.cedar": {Data: []byte("c")}, "README.md": {Data: []byte("é")},
	}
	b, err := ReadBundle(files)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(b.Paths(), " "); got != "README.md access.cedar tests/t.yaml" {
		t.Error(got)
	}
	again, err := ReadBundle(b.FS())
	if err != nil || again.Digest() != b.Digest() {
		t.Errorf("%v", err)
	}
	if err := fstest.TestFS(b.FS(), b.Paths()...); err != nil {
		t.Error(err)
	}
	for name, files := range map[string]map[string]string{
		"none":            {},
		"a path":          {"../x": "a"},
		"another folder":  {"a/b": "a"},
		"an absolute one": {"/a": "a"},
		"a line end":      {"a\nb": "a"},
		"no text":         {"a": "\xff"},
		"NUL":             {"a": "\x00"},
		"too large":       {"a": strings.Repeat("a", maxFileBytes+1)},
	} {
		if b, err := NewBundle(files); b != nil || ReasonOf(err) != InvalidBundle {
			t.Errorf("%s: %v", name, err)
		}
	}
	if one, two := bundle(t, "one"), bundle(t, "two"); one.Digest() == two.Digest() {
		t.Error("two contents, one digest")
	}
}

// TestOpen: what is no store is told apart from one that is out of reach.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain.txt")
	if err := os.WriteFile(plain, []byte(strings.Repeat("this is no database\n", 200)), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(dir, "empty.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(*Config)
		want   Reason
	}{
		"neither":          {func(c *Config) { c.File = "" }, InvalidConfig},
		"both":             {func(c *Config) { c.DSN = "host=/tmp" }, InvalidConfig},
		"no such file":     {func(c *Config) { c.File = filepath.Join(dir, "none.db") }, Unavailable},
		"a directory":      {func(c *Config) { c.File = dir }, NotAStore},
		"an empty file":    {func(c *Config) { c.File = empty }, NotAStore},
		"no database":      {func(c *Config) { c.File = plain }, NotAStore},
		"nobody there":     {func(c *Config) { c.File, c.DSN = "", "host=127.0.0.1 port=1 user=x" }, Unavailable},
		"not proven":       {func(c *Config) { c.File, c.DSN = "", "host=db.example user=x sslmode=require" }, InvalidConfig},
		"no DSN":           {func(c *Config) { c.File, c.DSN = "", "://" }, InvalidConfig},
		"one key, two men": {func(c *Config) { c.Administrators[1].Key = c.Administrators[0].Key }, InvalidConfig},
		"no id":            {func(c *Config) { c.ID = "x" }, InvalidConfig},
		"no key":           {func(c *Config) { c.Administrators[1].Key = nil }, InvalidConfig},
		"no name":          {func(c *Config) { c.Administrators[1].Name = "" }, InvalidConfig},
	} {
		t.Run(name, func(t *testing.T) {
			c := config(filepath.Join(t.TempDir(), "policy.db"))
			c.Write = false
			tt.change(&c)
			s, err := Open(c)
			if err == nil {
				defer s.Close()
				_, err = s.History(t.Context())
			}
			if ReasonOf(err) != tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
			var typed *Error
			if !errors.As(err, &typed) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
		})
	}
}
