package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
)

// unavailable demands that the registry says that it cannot look, in every way in which it can be asked, and denies nothing.
func (b *desk) unavailable(t *testing.T, why string) {
	t.Helper()
	got, err := b.Resolve(t.Context(), b.query(t, alice, now, doctor, nihii11), nil)
	if attrs.ReasonOf(err) != attrs.SourceUnavailable || len(got) != 0 || !strings.Contains(err.Error(), why) {
		t.Errorf("Resolve: %v, %v, want %q", got, err, why)
	}
	var e *attrs.Error
	if !errors.As(err, &e) || e.Source != "registry" {
		t.Errorf("Resolve: %v does not name the source", err)
	}
	if err := b.Health(t.Context()); attrs.ReasonOf(err) != attrs.SourceUnavailable {
		t.Errorf("Health: %v", err)
	}
}

// The file as it may be found when a server starts.
func TestOpenFaults(t *testing.T) {
	sound := fresh(t)
	sound.load(t, ModeReplace, "ssin,"+alice+","+doctor+",,true,,")
	sound.Close()
	octets, err := os.ReadFile(sound.path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(octets []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, octets, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	damaged := append([]byte{}, octets...)
	for i := 4096; i < len(damaged); i++ { // all pages but the first
		damaged[i] ^= 0x5a
	}
	tests := []struct {
		name string
		make func(*testing.T, string)
		read string // what opening for reading says
		both bool   // opening for writing must refuse too, and leave the file as it is
	}{
		{"missing", func(*testing.T, string) {}, "does not exist", false},
		{"empty", write(nil), "not a registry", false},
		{"text", write([]byte(strings.Repeat("this is not a database\n", 500))), "not readable", true},
		{"cut off in the header", write(octets[:50]), "not", true},
		{"cut off after the first page", write(octets[:4096]), "malformed", true},
		{"damaged", write(damaged), "damaged", true},
		{"a directory", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "not a regular file", true},
		{"another program's database", func(t *testing.T, path string) { raw(t, path, `CREATE TABLE fact (x)`) }, "not a registry", true},
		{"of a later version", func(t *testing.T, path string) {
			write(octets)(t, path)
			raw(t, path, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`)
		}, "version 999", true},
		{"without its table", func(t *testing.T, path string) { write(octets)(t, path); raw(t, path, `DROP TABLE fact`) }, "not readable", true},
		{"without its identity", func(t *testing.T, path string) { write(octets)(t, path); raw(t, path, `DELETE FROM registry`) }, "", true},
		{"locked", func(t *testing.T, path string) {
			write(octets)(t, path)
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			db.SetMaxOpenConns(1)
			t.Cleanup(func() { db.Close() })
			for _, s := range []string{`PRAGMA locking_mode = EXCLUSIVE`, `BEGIN EXCLUSIVE`, `DELETE FROM fact WHERE subject = ''`} {
				if _, err := db.Exec(s); err != nil {
					t.Fatal(err)
				}
			}
		}, "locked", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "registry.db")
			test.make(t, path)
			c := Config{Path: path, Catalogue: attrs.EHealth(), BusyTimeout: 20 * time.Millisecond}
			r, err := Open(c)
			if err == nil || r != nil || !strings.Contains(err.Error(), path) {
				t.Fatalf("for reading: %v", err)
			}
			if said := strings.ReplaceAll(err.Error(), path, ""); !strings.Contains(said, test.read) {
				t.Errorf("for reading: %s", said)
			}
			if !test.both {
				return
			}
			before, _ := os.ReadFile(path)
			c.Access = ReadWrite
			if r, err := Open(c); err == nil || r != nil {
				t.Errorf("for writing: opened")
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("the file was changed")
			}
		})
	}
}

// What may happen to the file under a running server.
func TestFaultsWhileOpen(t *testing.T) {
	tests := map[string]struct {
		do  func(*testing.T, *desk, *desk) // to the writer's file and the reader
		why string
	}{
		"closed":        {func(t *testing.T, _, r *desk) { r.Close() }, "closed"},
		"moved away":    {func(t *testing.T, w, r *desk) { rename(t, w.path, w.path+".old"); r.Refresh(t.Context()) }, "gone"},
		"table dropped": {func(t *testing.T, w, _ *desk) { raw(t, w.path, `DROP TABLE fact`) }, "no such table"},
		"identity lost": {func(t *testing.T, w, _ *desk) { raw(t, w.path, `DELETE FROM registry`) }, errNoState.Error()},
		"imports lost":  {func(t *testing.T, w, _ *desk) { raw(t, w.path, `DELETE FROM import`) }, errNothingImported.Error()},
		"replaced by something else": {func(t *testing.T, w, r *desk) {
			replace(t, w.path, []byte(strings.Repeat("no database\n", 1000)))
			r.Refresh(t.Context())
		}, "not"},
		"replaced by an empty file": {func(t *testing.T, w, r *desk) { replace(t, w.path, nil); r.Refresh(t.Context()) }, "not a registry"},
		"overwritten": {func(t *testing.T, w, r *desk) {
			raw(t, w.path, `PRAGMA wal_checkpoint(TRUNCATE)`)
			f, err := os.OpenFile(w.path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			info, _ := f.Stat()
			if _, err := f.WriteAt(make([]byte, info.Size()), 0); err != nil {
				t.Fatal(err)
			}
			r.view.Load().reader.db.SetMaxIdleConns(0) // so that nothing is answered from pages in memory
		}, "not"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := fresh(t)
			w.load(t, ModeReplace, "ssin,"+alice+","+doctor+",,true,,")
			r := open(t, w.path, ReadOnly)
			if got := r.ask(t, alice, now, doctor); got != "true" {
				t.Fatal(got)
			}
			if name != "closed" {
				w.Close()
			}
			test.do(t, w, r)
			r.unavailable(t, test.why)
		})
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func replace(t *testing.T, path string, octets []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", octets, 0o600); err != nil {
		t.Fatal(err)
	}
	os.Remove(path + "-wal")
	os.Remove(path + "-shm")
	rename(t, path+".new", path)
}

// A registry that was made but never filled knows nobody, which is not the same as denying everybody.
func TestNothingImported(t *testing.T) {
	b := fresh(t)
	b.unavailable(t, errNothingImported.Error())
	b.load(t, ModeReplace, "ssin,"+alice+","+doctor+",,true,,")
	if got := b.ask(t, bob, now, doctor); got != "false" {
		t.Error(got)
	}
}

// A value that was not put there by an import is not certified (H4).
func TestTamperedValues(t *testing.T) {
	for name, statement := range map[string]string{
		"markup":              `UPDATE fact SET value = '</AttributeValue><x/>' WHERE attribute = '` + nihii11 + `'`,
		"wrong check digit":   `UPDATE fact SET value = '71000041001' WHERE attribute = '` + nihii11 + `'`,
		"not a boolean":       `UPDATE fact SET value = 'TRUE' WHERE attribute = '` + doctor + `'`,
		"two at once":         `INSERT INTO fact SELECT subject_type, subject, attribute, '71000042001', not_before, not_on_or_after FROM fact WHERE attribute = '` + nihii11 + `'`,
		"true and false":      `INSERT INTO fact SELECT subject_type, subject, attribute, 'false', not_before, not_on_or_after FROM fact WHERE attribute = '` + doctor + `'`,
		"a control character": `UPDATE fact SET value = 'a' || char(10) || 'b' WHERE attribute = '` + surname + `'`,
	} {
		b := fresh(t)
		b.load(t, ModeReplace, "ssin,"+alice+","+doctor+",,true,,", "ssin,"+alice+","+nihii11+",,71000040001,,", "ssin,"+alice+","+surname+",,Example,,")
		raw(t, b.path, statement)
		got, err := b.Resolve(t.Context(), b.query(t, alice, now, doctor, nihii11, surname), nil)
		if attrs.ReasonOf(err) != attrs.BadAnswer || len(got) != 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	b := fresh(t)
	b.load(t, ModeReplace, "ssin,"+alice+","+doctor+",,true,,")
	raw(t, b.path, fmt.Sprintf(`UPDATE fact SET not_on_or_after = %d`, int64(forEver-1)))
	b.silent(t, errForeignTime.Error())
}

// silent is unavailable for a fault that only a query about the subject meets.
func (b *desk) silent(t *testing.T, why string) {
	t.Helper()
	if got, err := b.Resolve(t.Context(), b.query(t, alice, now, doctor), nil); attrs.ReasonOf(err) != attrs.SourceUnavailable || len(got) != 0 || !strings.Contains(err.Error(), why) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestContextEnds(t *testing.T) {
	b := fresh(t)
	b.load(t, ModeReplace, "ssin,"+alice+","+doctor+",,true,,")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := b.Resolve(gone, b.query(t, alice, now, doctor), nil); attrs.ReasonOf(err) != attrs.Canceled || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if got, err := b.Resolve(late, b.query(t, alice, now, doctor), nil); attrs.ReasonOf(err) != attrs.DeadlineExceeded || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	if err := b.Health(gone); attrs.ReasonOf(err) != attrs.Canceled {
		t.Errorf("Health: %v", err)
	}
	if _, err := b.ImportCSV(gone, strings.NewReader(header+"ssin,"+bob+","+doctor+",,true,,"), ModeMerge); !errors.Is(err, context.Canceled) {
		t.Errorf("import: %v", err)
	}
	// A caller without patience takes nothing down.
	if got := b.ask(t, alice, now, doctor); got != "true" {
		t.Error(got)
	}
	if _, ok := b.Epoch(); !ok {
		t.Error("the epoch is lost")
	}
}

// Two imports at once: one waits for the other or is refused, and nothing is mixed.
func TestImportWhileLocked(t *testing.T) {
	b := fresh(t)
	b.load(t, ModeReplace, "ssin,"+alice+","+doctor+",,true,,")
	db, err := sql.Open("sqlite", b.path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	report, err := b.ImportCSV(t.Context(), strings.NewReader(header+"ssin,"+bob+","+doctor+",,true,,"), ModeReplace)
	if err == nil || !strings.Contains(err.Error(), "locked") || report.Epoch != 0 {
		t.Errorf("%+v, %v", report, err)
	}
	if got := b.ask(t, alice, now, doctor); got != "true" {
		t.Errorf("reading does not go on: %s", got)
	}
	if _, err := db.Exec(`ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	b.load(t, ModeReplace, "ssin,"+bob+","+doctor+",,true,,")
}

// An input that breaks off or fails changes nothing.
func TestImportOfBrokenInput(t *testing.T) {
	b := fresh(t)
	b.load(t, ModeReplace, "ssin,"+alice+","+doctor+",,true,,")
	broken := errors.New("the pipe is broken")
	in := io.MultiReader(strings.NewReader(header+"ssin,"+bob+","+doctor+",,true,,\n"), &failing{broken})
	if report, err := b.ImportCSV(t.Context(), in, ModeReplace); !errors.Is(err, broken) || report.Epoch != 0 {
		t.Errorf("CSV: %+v, %v", report, err)
	}
	in = io.MultiReader(strings.NewReader(`{"subject_type":"ssin","subject":"`+bob+`","attribute":"`+doctor+`","value":true}`+"\n"), &failing{broken})
	if report, err := b.ImportJSON(t.Context(), in, ModeReplace); !errors.Is(err, broken) || report.Epoch != 0 {
		t.Errorf("JSON: %+v, %v", report, err)
	}
	if got := b.ask(t, alice, now, doctor) + b.ask(t, bob, now, doctor); got != "truefalse" {
		t.Error(got)
	}
	b.Close()
	if _, err := b.ImportCSV(t.Context(), strings.NewReader(header+"ssin,"+bob+","+doctor+",,true,,"), ModeMerge); !errors.Is(err, errClosed) {
		t.Errorf("into a closed registry: %v", err)
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }
