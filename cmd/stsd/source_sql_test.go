package main

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	_ "modernc.org/sqlite" // the driver

	"sceau/attrs"
)

// sqlEntry reads a text as the first entry of sources.
func sqlEntry(t *testing.T, dir, text string) (source, error) {
	t.Helper()
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(text), &node); err != nil {
		t.Fatal(err)
	}
	p := &problems{file: "x.yaml"}
	s := &system{config: &fileConfig{dir: dir}, now: time.Now, supply: supply{catalogue: attrs.EHealth()}}
	made := readSQLSource(s, "hr", node.Content[0], p)
	if made != nil {
		t.Cleanup(func() { made.Close() })
	}
	return made, p.err()
}

// staff makes a file staff.db with a doctor in the folder.
func staff(t *testing.T, dir string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "staff.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("create table staff (ssin text, doctor boolean, nihii text); insert into staff values ('00000000097', true, '71000042001')"); err != nil {
		t.Fatal(err)
	}
}

// TestSQLSourceKeys: the keys of a source of kind sql, and what is wrong with them, by line.
func TestSQLSourceKeys(t *testing.T) {
	dir := t.TempDir()
	staff(t, dir)
	for name, text := range map[string]string{"secret.dsn": "host=db.example user=stsd password=hunter2 sslmode=verify-full\n", "hr.password": "hunter2\n", "open.dsn": "host=db.example user=stsd password=hunter2 sslmode=prefer"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const (
		lite    = "id: hr\nkind: sql\ndriver: sqlite\nfile: staff.db\nttl: 1m\n"
		remote  = "driver: postgres\nttl: 1m\nconnect-timeout: 10ms\ntimeout: 10ms\n"
		queries = "queries:\n  - subject: ssin\n    attributes: {doctor: \"urn:be:fgov:person:ssin:doctor:boolean\"}\n    query: select doctor from staff where ssin = "
	)
	for _, tt := range []struct {
		name, text string
		problems   []string
	}{
		{"sqlite", lite + queries + "?1", nil},
		{"sqlite, with all keys", lite + "poll-interval: 1s\nmax-connections: 2\nmax-rows: 10\ntimeout: 1s\nattributes: [\"urn:be:fgov:person:ssin:doctor:boolean\"]\n" + queries + "?1", nil},
		{"postgres, from a file, that is not there now", "dsn-file: secret.dsn\n" + remote + queries + "$1", nil},
		{"postgres, with all keys", "dsn: postgres://stsd@db.example/hr?sslmode=verify-full\npassword-file: hr.password\nchannel: hr\nheartbeat: 1s\nconnection-lifetime: 1m\nconnection-idle: 1m\nunverified-server: false\n" + remote + queries + "$1", nil},
		{"nothing", "id: hr\nkind: sql", []string{"x.yaml:1: source hr: driver \"\": want postgres or sqlite"}},
		{"a list", "[sqlite]", []string{"x.yaml:1: source hr: want keys and values"}},
		{"an unknown key", lite + "pool: 3\n" + queries + "?1", []string{"x.yaml:6: unknown key \"pool\""}},
		{"an unknown key of a query", lite + queries + "?1\n    name: x", []string{"x.yaml:10: unknown key \"name\""}},
		{"a duration that is none", lite + "timeout: soon\n" + queries + "?1", []string{"x.yaml:6: \"soon\" is no duration"}},
		{"zeros that are said", lite + "timeout: 0s\nmax-rows: 0\nmax-connections: -1\n" + queries + "?1", []string{"x.yaml:6: source hr: must be positive", "x.yaml:7: source", "x.yaml:8: source"}},
		{"no query", lite, []string{"x.yaml:1: sql source hr: no query"}},
		{"a query that is not SQL", lite + strings.Replace(queries, "select", "selects", 1) + "?1", []string{"x.yaml:7: sql source hr", "query 1:", "syntax error"}},
		{"no attributes", lite + "queries:\n  - subject: ssin\n    query: select 1", []string{"x.yaml:7: attributes: want a list"}},
		{"an attribute that is none", lite + "queries:\n  - {subject: ssin, attributes: [x], query: \"select ?1\"}", []string{"x.yaml:7:", "\"x\" is not a certified attribute"}},
		{"an attribute of the entry that no query answers", lite + "attributes:\n  - \"urn:be:fgov:person:ssin:doctor:boolean\"\n  - \"urn:be:fgov:person:ssin:nurse:boolean\"\n" + queries + "?1", []string{"x.yaml:8: source hr: no query answers \"urn:be:fgov:person:ssin:nurse:boolean\""}},
		{"no file", strings.Replace(lite, "staff.db", "other.db", 1) + queries + "?1", []string{"x.yaml:1:", "does not exist"}},
		{"a password in the configuration", "dsn: host=db.example user=stsd password=hunter2 sslmode=verify-full\n" + remote + queries + "$1", []string{"x.yaml:1: dsn: a password belongs into password-file"}},
		{"a password in a URL", "dsn: postgres://stsd:hunter2@db.example/hr?sslmode=verify-full\n" + remote + queries + "$1", []string{"x.yaml:1: dsn: a password belongs into password-file"}},
		{"two connection strings", "dsn: host=x\ndsn-file: secret.dsn\n" + remote + queries + "$1", []string{"x.yaml:2: dsn-file: there is a dsn already"}},
		{"a file that is not there", "dsn-file: none.dsn\n" + remote + queries + "$1", []string{"x.yaml:1: dsn-file:", "none.dsn"}},
		{"a server that is not proven", "dsn-file: open.dsn\n" + remote + queries + "$1", []string{"db.example is not verified: want sslmode=verify-full"}},
		{"a server that need not be proven", "dsn-file: open.dsn\nunverified-server: true\n" + remote + queries + "$1", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			made, err := sqlEntry(t, dir, tt.text)
			if (err == nil) != (tt.problems == nil) || (made == nil) != (err != nil) {
				t.Fatalf("%v", err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Error("the password is in the error")
			}
			for _, want := range tt.problems {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in %v", want, err)
				}
			}
		})
	}
}

// TestSQLSourceAnswers: what is configured is asked.
func TestSQLSourceAnswers(t *testing.T) {
	dir := t.TempDir()
	staff(t, dir)
	made, err := sqlEntry(t, dir, `
driver: sqlite
file: staff.db
ttl: 10m
queries:
  - subject: ssin
    attributes: {nihii: "urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11", doctor: "urn:be:fgov:person:ssin:doctor:boolean"}
    query: select nihii, doctor from staff where ssin = ?1
`)
	if err != nil {
		t.Fatal(err)
	}
	find := func(name, namespace string) *attrs.Definition {
		d, ok := attrs.EHealth().Find(attrs.Designator{Name: name, Namespace: namespace})
		if !ok {
			t.Fatal(name)
		}
		return d
	}
	got, err := made.Resolve(t.Context(), &attrs.Query{At: time.Now(),
		Subjects:    []attrs.Keyed{{By: find(attrs.PersonSSIN, attrs.NamespaceIdentification), Value: "00000000097"}},
		Definitions: []*attrs.Definition{find("urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11", attrs.NamespaceCertified), find("urn:be:fgov:person:ssin:doctor:boolean", attrs.NamespaceCertified)}}, nil)
	if err != nil || len(got) != 2 || got[0].Values[0] != "71000042001" || got[1].State != attrs.Affirmed || got[0].NotOnOrAfter.IsZero() || got[0].Source != "hr" {
		t.Errorf("%+v, %v", got, err)
	}
	if err := made.Health(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestSQLSourceExample: the entries of kind sql in the example are such that are taken.
func TestSQLSourceExample(t *testing.T) {
	_, after, has := bytes.Cut(exampleConfig, []byte("theirs too.\n"))
	if !has {
		t.Fatal("example.yaml has no sources")
	}
	var text strings.Builder
	for line := range strings.Lines(string(after)) {
		uncommented, commented := strings.CutPrefix(line, "##")
		if !commented {
			break
		}
		text.WriteString(uncommented)
	}
	var entries []yaml.Node
	if err := yaml.Unmarshal([]byte(text.String()), &entries); err != nil {
		t.Fatal(err)
	}
	dir, read := t.TempDir(), 0
	staff(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "hr.password"), []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range entries {
		out, err := yaml.Marshal(&entries[i])
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(out), "kind: sql\n") {
			continue
		}
		// The CA's file is not there, and nobody is called db1.example.
		out = bytes.Replace(out, []byte("&sslrootcert=/etc/stsd/db-ca.pem"), nil, 1)
		out = bytes.Replace(out, []byte("timeout: 2s"), []byte("timeout: 10ms"), 1)
		out = bytes.Replace(out, []byte("timeout: 5s"), []byte("timeout: 10ms"), 1)
		if _, err := sqlEntry(t, dir, string(out)); err != nil {
			t.Error(err)
		}
		read++
	}
	if read != 2 {
		t.Errorf("%d entries of kind sql", read)
	}
}
