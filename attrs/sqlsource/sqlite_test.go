package sqlsource

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
)

// unavailable demands that the source says that it cannot look, in every way in which it can be asked, and denies nothing.
func (b *desk) unavailable(t *testing.T, why string) {
	t.Helper()
	got, err := b.Resolve(t.Context(), b.query(t, alice, doctor), nil)
	if attrs.ReasonOf(err) != attrs.SourceUnavailable || len(got) != 0 || !strings.Contains(err.Error(), why) {
		t.Errorf("Resolve: %v, %v, want %q", got, err, why)
	}
	if err := b.Health(t.Context()); attrs.ReasonOf(err) != attrs.SourceUnavailable {
		t.Errorf("Health: %v", err)
	}
}

// look looks at the file now.
func (b *desk) look(t *testing.T) error {
	t.Helper()
	return b.store.(*lite).refresh(t.Context())
}

func doctors(t testing.TB, who ...string) string {
	statements := []string{liteCertified}
	for _, w := range who {
		statements = append(statements, insert("('"+w+"','"+doctor+"','true',null,null)"))
	}
	return liteFixture(t, statements...)
}

// The file as it may be found.
func TestSQLiteFiles(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(t *testing.T, path string)
		want string
	}{
		{"missing", func(*testing.T, string) {}, "does not exist"},
		{"empty", func(t *testing.T, path string) { write(t, path, nil) }, "no such table"},
		{"text", func(t *testing.T, path string) { write(t, path, []byte(strings.Repeat("not a database\n", 500))) }, "not a database"},
		{"a directory", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "not a regular file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.db")
			tt.make(t, path)
			_, err := tryOpen(t, Config{Driver: SQLite, File: path, TTL: time.Hour, Queries: []Query{long("?1")}})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%v", err)
			}
		})
	}
}

func write(t testing.TB, path string, octets []byte) {
	t.Helper()
	if err := os.WriteFile(path, octets, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Changes by others make another epoch; a file that is gone gives no answer; another in its place is read.
func TestSQLiteChanges(t *testing.T) {
	file := doctors(t, alice)
	liteExec(t, file, "pragma journal_mode = delete") // a -wal file would stay behind when the file is moved
	b := open(t, Config{Driver: SQLite, File: file, Queries: []Query{long("?1")}})
	last := uint64(0)
	grown := func(what string, want bool) {
		t.Helper()
		if err := b.look(t); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		n, ok := b.Epoch()
		if !ok || (n > last) != want || n < last {
			t.Errorf("%s: epoch %d after %d, %v", what, n, last, ok)
		}
		last = n
	}
	grown("opened", true)
	grown("nothing", false)
	liteExec(t, file, "delete from certified")
	grown("a change", true)
	if got := b.ask(t, alice, doctor); got != "denied" {
		t.Error(got)
	}

	if err := os.Rename(file, file+".away"); err != nil {
		t.Fatal(err)
	}
	if err := b.look(t); err == nil {
		t.Error("the file is gone and nothing is said")
	}
	if _, ok := b.Epoch(); ok {
		t.Error("an epoch of a file that is gone")
	}
	b.unavailable(t, "the file is gone")
	write(t, file, []byte("not a database, but long enough to have a header of one, which this is not"+strings.Repeat(" ", 100)))
	if err := b.look(t); err == nil {
		t.Error("another thing is in its place and nothing is said")
	}
	b.unavailable(t, "")
	if err := os.Rename(file+".away", file); err != nil {
		t.Fatal(err)
	}
	grown("the same file is back", false)

	other := doctors(t, alice, bob)
	liteExec(t, other, "pragma journal_mode = delete")
	if err := os.Rename(other, file); err != nil {
		t.Fatal(err)
	}
	grown("another file", true)
	if got := b.ask(t, bob, doctor); got != "affirmed" {
		t.Error(got)
	}
	wrong := liteFixture(t, "create table certified (ssin text, attribute text)", "pragma journal_mode = delete")
	if err := os.Rename(wrong, file); err != nil {
		t.Fatal(err)
	}
	if err := b.look(t); err == nil {
		t.Error("a file of another schema and nothing is said")
	}
	b.unavailable(t, "query 1")
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	b.unavailable(t, "closed")
}

// The watch does by itself what a look does, and what a resolver kept ends with the change.
func TestSQLiteWatch(t *testing.T) {
	file := doctors(t, alice)
	b := open(t, Config{Driver: SQLite, File: file, PollInterval: time.Millisecond, Queries: []Query{long("?1")}})
	before, _ := b.Epoch()
	liteExec(t, file, "delete from certified")
	for { // the test ends by the deadline of the run if it is never noticed
		if n, ok := b.Epoch(); ok && n > before {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// A writer that holds the file makes an error, and no denial; afterwards it is read again.
func TestSQLiteLocked(t *testing.T) {
	file := doctors(t, alice)
	liteExec(t, file, "pragma journal_mode = delete") // where writers lock readers out
	b := open(t, Config{Driver: SQLite, File: file, Timeout: 200 * time.Millisecond, Queries: []Query{long("?1")}})
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("begin exclusive"); err != nil {
		t.Fatal(err)
	}
	got, err := b.Resolve(t.Context(), b.query(t, alice, doctor), nil)
	if reason := attrs.ReasonOf(err); len(got) != 0 || reason != attrs.SourceUnavailable && reason != attrs.DeadlineExceeded {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := db.Exec("rollback"); err != nil {
		t.Fatal(err)
	}
	if got := b.ask(t, alice, doctor); got != "affirmed" {
		t.Error(got)
	}
}

// A query that does not end ends with the deadline.
func TestSQLiteEndsWithTheDeadline(t *testing.T) {
	file := liteFixture(t, "create table t (ssin text)", "insert into t values ('"+alice+"')")
	q := Query{Subject: "ssin", Attributes: map[string]string{"name": surname},
		Text: "select (with recursive c(n) as (select 1 union all select n+1 from c) select max(n) from c) || '' as name from t where ssin = ?1"}
	b := open(t, Config{Driver: SQLite, File: file, TTL: time.Hour, Timeout: 100 * time.Millisecond, Queries: []Query{q}})
	if got := b.ask(t, alice, surname); !strings.HasPrefix(got, "deadline exceeded: source hr") {
		t.Error(got)
	}
	if got := b.ask(t, bob, surname); got != "unknown until 2026-11-21T21:00:00" {
		t.Errorf("afterwards: %s", got)
	}
}

// A file that is exchanged under load: right answers or errors, and no denial.
func TestSQLiteExchangedUnderLoad(t *testing.T) {
	var files [2][]byte
	for i := range files {
		file := doctors(t, alice)
		liteExec(t, file, insert("('"+bob+"','"+surname+"','Bob',null,null)"), "pragma journal_mode = delete")
		var err error
		if files[i], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "hr.db")
	write(t, path, files[0])
	b := open(t, Config{Driver: SQLite, File: path, MaxConns: 3, Queries: []Query{long("?1")}})
	crowd := b.crowd(t, 5, 10*time.Second)
	for i := range 20 {
		write(t, path+".new", files[i%2])
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		if err := b.look(t); err != nil {
			t.Error(err)
		}
		until(t, "right", &crowd.right, 2)
	}
	if n := crowd.failed.Load(); n != 0 {
		t.Errorf("%d look-ups failed while one file gave way to another", n)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	until(t, "failed after the end", &crowd.failed, 2)
	crowd.end()
}
