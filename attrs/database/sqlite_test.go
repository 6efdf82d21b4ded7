package database

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// TestSQLite: a path with every character that means something in a URI names its own file and sets nothing (H6). Taken for
// parameters, it would open another file, or open this one for writing.
func TestSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?mode=rwc&_pragma=query_only(0)#c%2e'\"é.db")
	made, err := SQLite(path, "rwc", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	write(t, made, true)
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	for _, pragmas := range [][]string{{}, {"query_only(1)"}} {
		read, err := SQLite(path, "ro", time.Second, pragmas...)
		if err != nil {
			t.Fatal(err)
		}
		write(t, read, false)
	}
}

func write(t *testing.T, uri string, may bool) {
	t.Helper()
	db, err := sql.Open("sqlite", uri)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("create table if not exists t (a)"); (err == nil) != may && may {
		t.Errorf("%s: %v", uri, err)
	}
	if _, err := db.Exec("insert into t values (1)"); (err == nil) != may {
		t.Errorf("%s: %v", uri, err)
	}
}
