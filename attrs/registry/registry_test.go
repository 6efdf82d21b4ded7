package registry

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sceau/attrs"
)

var (
	now                 = time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	_   attrs.Versioned = (*Registry)(nil)
)

// Invented people and organisations.
const (
	alice    = "00000000097"
	bob      = "93051822361"
	hospital = "71000040"
	pharmacy = "71000042" // the same six digits, with the other modulus
)

const (
	doctor  = "urn:be:fgov:person:ssin:doctor:boolean"
	nurse   = "urn:be:fgov:person:ssin:nurse:boolean"
	nihii11 = "urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11"
	surname = "urn:be:fgov:person:ssin:ehealth:1.0:surname"
	titular = "urn:be:fgov:ehealth:1.0:pharmacy:nihii-number:person:ssin:ehealth:1.0:pharmacy-holder:boolean"
	quality = "urn:example:quality" // several values
)

const header = "subject_type,subject,attribute,namespace,value,not_before,not_on_or_after\n"

func TestMain(m *testing.M) {
	if path := os.Getenv("SCEAU_TEST_IMPORT"); path != "" {
		importFromAnotherProcess(path)
		return
	}
	goleak.VerifyTestMain(m)
}

// catalogue is eHealth's and an attribute with several values.
func catalogue(t testing.TB) *attrs.Catalogue {
	t.Helper()
	c, err := attrs.EHealth().With(attrs.Definition{Designator: attrs.Designator{Name: quality, Namespace: attrs.NamespaceCertified},
		Kind: attrs.Text, Multiple: true, KeyedBy: []attrs.Key{{attrs.PersonSSIN}}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A desk is an open registry, and what a test needs to ask it.
type desk struct {
	*Registry
	catalogue *attrs.Catalogue
	path      string
}

func open(t testing.TB, path string, access Access) *desk {
	t.Helper()
	b := &desk{catalogue: catalogue(t), path: path}
	var err error
	b.Registry, err = Open(Config{Path: path, Access: access, Catalogue: b.catalogue, Now: func() time.Time { return now },
		PollInterval: time.Hour, BusyTimeout: 50 * time.Millisecond}) // tests look when they mean to
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func fresh(t testing.TB) *desk {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "registry.db"), ReadWrite)
}

func (b *desk) definition(t testing.TB, name string) *attrs.Definition {
	t.Helper()
	namespace := attrs.NamespaceCertified
	if strings.HasSuffix(name, ":ssin") || strings.HasSuffix(name, ":nihii-number") {
		namespace = attrs.NamespaceIdentification
	}
	d, ok := b.catalogue.Find(attrs.Designator{Name: name, Namespace: namespace})
	if !ok {
		t.Fatalf("no attribute %s", name)
	}
	return d
}

func (b *desk) query(t testing.TB, who string, at time.Time, names ...string) *attrs.Query {
	t.Helper()
	q := &attrs.Query{At: at, Subjects: []attrs.Keyed{
		{By: b.definition(t, attrs.PersonSSIN), Value: who},
		{By: b.definition(t, "urn:be:fgov:ehealth:1.0:pharmacy:nihii-number"), Value: pharmacy},
		{By: b.definition(t, "urn:be:fgov:ehealth:1.0:certificateholder:hospital:nihii-number"), Value: hospital},
	}}
	for _, name := range names {
		q.Definitions = append(q.Definitions, b.definition(t, name))
	}
	return q
}

// ask gives the answers in one line.
func (b *desk) ask(t testing.TB, who string, at time.Time, names ...string) string {
	t.Helper()
	got, err := b.Resolve(t.Context(), b.query(t, who, at, names...), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(names) {
		t.Fatalf("%d answers", len(got))
	}
	var line []string
	for i := range got {
		if err := got[i].Check(at); err != nil {
			t.Errorf("answer about %s: %v", names[i], err)
		}
		if got[i].Source != "registry" || !got[i].RetrievedAt.Equal(now) || got[i].Definition != b.definition(t, names[i]) {
			t.Errorf("answer %+v", got[i])
		}
		line = append(line, strings.Join(slices.Collect(got[i].WireValues), "+"))
	}
	return strings.Join(line, " ")
}

func (b *desk) load(t testing.TB, mode Mode, rows ...string) Report {
	t.Helper()
	report, err := b.ImportCSV(t.Context(), strings.NewReader(header+strings.Join(rows, "\n")), mode)
	if err != nil {
		t.Fatalf("%v: %v", err, report.Problems)
	}
	return report
}

// raw runs statements on the file behind the registry's back.
func raw(t testing.TB, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func TestResolve(t *testing.T) {
	b := fresh(t)
	b.load(t, ModeReplace,
		"ssin,"+alice+","+doctor+",,true,,",
		"ssin,"+alice+","+nurse+",,false,,",
		"ssin,"+alice+","+nihii11+","+attrs.NamespaceCertified+",71000040001,2026-01-01T00:00:00Z,2027-01-01T00:00:00+01:00",
		"ssin,"+alice+","+surname+",,\"O'Example, \"\"Al\"\"\",,",
		"ssin,"+alice+","+quality+",,b,,",
		"ssin,"+alice+","+quality+",,a,2026-01-01T00:00:00Z,",
		"nihii/ssin,"+pharmacy+"/"+alice+","+titular+",,true,,",
		"nihii,"+hospital+",urn:be:fgov:ehealth:1.0:certificateholder:recognisedorganization:boolean,,true,,",
	)
	tests := []struct {
		who   string
		at    time.Time
		names []string
		want  string
	}{
		{alice, now, []string{doctor, nurse, nihii11, surname}, `true false 71000040001 O'Example, "Al"`},
		{alice, now, []string{nihii11, doctor, doctor}, "71000040001 true true"},
		{alice, now, []string{quality}, "a+b"},
		{alice, now.AddDate(-1, 0, 0), []string{quality, nihii11}, "b "},
		{alice, time.Date(2026, 12, 31, 22, 59, 59, 999999999, time.UTC), []string{nihii11}, "71000040001"},
		{alice, time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC), []string{nihii11}, ""},
		{alice, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), []string{nihii11}, "71000040001"},
		{alice, time.Date(2025, 12, 31, 23, 59, 59, 999999999, time.UTC), []string{nihii11}, ""},
		{bob, now, []string{doctor, nihii11, surname}, "false  "},
		{alice, now, []string{titular, "urn:be:fgov:ehealth:1.0:certificateholder:recognisedorganization:boolean"}, "true true"},
		{bob, now, []string{titular, "urn:be:fgov:ehealth:1.0:certificateholder:recognisedorganization:boolean"}, "false true"},
		{alice, now, nil, ""},
	}
	for _, test := range tests {
		if got := b.ask(t, test.who, test.at, test.names...); got != test.want {
			t.Errorf("%s at %v, %v: %q, want %q", test.who, test.at, test.names, got, test.want)
		}
	}
	got, err := b.Resolve(t.Context(), b.query(t, alice, now, nihii11), nil)
	if err != nil || !got[0].NotBefore.Equal(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) || !got[0].NotOnOrAfter.Equal(time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v, %v", got, err)
	}
	kept := []attrs.Certified{{Source: "kept"}}
	if got, err = b.Resolve(t.Context(), b.query(t, alice, now, doctor), kept); err != nil || len(got) != 2 || got[0].Source != "kept" {
		t.Errorf("not appended: %+v, %v", got, err)
	}
	if _, err := b.Resolve(t.Context(), &attrs.Query{At: now, Definitions: []*attrs.Definition{b.definition(t, doctor)}}, nil); attrs.ReasonOf(err) != attrs.NoSubject {
		t.Error(err)
	}
}

// All definitions of a query are one statement, which finds each fact by the primary key.
func TestResolveUsesTheKey(t *testing.T) {
	b := fresh(t)
	rows, err := b.view.Load().reader.db.Query("EXPLAIN QUERY PLAN "+selectFacts, `[["ssin","1","a"]]`, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	all := strings.Join(plan, "\n")
	if !strings.Contains(all, "SEARCH f USING PRIMARY KEY (subject_type=? AND subject=? AND attribute=?)") {
		t.Errorf("the plan is\n%s", all)
	}
}

// H6: nothing that comes as a subject, a value or a path is read as anything else.
func TestInjection(t *testing.T) {
	b := fresh(t)
	b.load(t, ModeReplace, "ssin,"+alice+","+doctor+",,true,,", "ssin,"+alice+","+surname+",,Example,,")
	hostile := []string{
		"' OR '1'='1", "'; DROP TABLE fact; --", alice + "' --", `"` + alice + `"`, "%", "_", "*", "\x00" + alice, alice + "\x00",
		`","` + alice, `"],["ssin","` + alice, `\u0030`, "$[0]", alice + " ", " " + alice, alice + "/" + alice, "\xff", "", "null", "0x61", "1e3",
	}
	for _, who := range hostile {
		q := b.query(t, who, now, doctor, surname)
		got, err := b.Resolve(t.Context(), q, nil)
		if who == "" {
			if attrs.ReasonOf(err) != attrs.NoSubject {
				t.Errorf("%q: %v", who, err)
			}
			continue
		}
		if err != nil || len(got) != 2 || got[0].State != attrs.Denied || got[1].State != attrs.Unknown {
			t.Errorf("%q: %+v, %v", who, got, err)
		}
	}
	for _, value := range hostile {
		row := cells{"ssin", bob, surname, "", value, "", ""}
		var text strings.Builder
		text.WriteString(header)
		for i, cell := range row {
			if i > 0 {
				text.WriteByte(',')
			}
			text.WriteString(`"` + strings.ReplaceAll(cell, `"`, `""`) + `"`)
		}
		report, err := b.ImportCSV(t.Context(), strings.NewReader(text.String()), ModeMerge)
		if !attrs.Text.Valid(value) {
			if err == nil {
				t.Errorf("%q is accepted: %+v", value, report)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q is refused: %v", value, err)
		} else if got := b.ask(t, bob, now, surname); got != value {
			t.Errorf("%q comes back as %q", value, got)
		}
	}
	if got := b.ask(t, alice, now, doctor, surname); got != "true Example" {
		t.Errorf("something else has changed: %s", got)
	}

	for _, name := range []string{"a?mode=memory", "a#b", "a%3Fb", "a b", "a&_pragma=query_only(1)", "a;b", "é", "file:x", "a'b"} {
		path := filepath.Join(t.TempDir(), name)
		b := open(t, path, ReadWrite)
		b.load(t, ModeReplace, "ssin,"+alice+","+doctor+",,true,,")
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%s: the file is not there: %v", name, err)
		}
		if got := open(t, path, ReadOnly).ask(t, alice, now, doctor); got != "true" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func FuzzResolveInjection(f *testing.F) {
	b := fresh(f)
	b.load(f, ModeReplace, "ssin,"+alice+","+doctor+",,true,,")
	for _, s := range []string{alice, bob, "' OR 1=1 --", `"],["ssin","00000000097`, "\x00", "\xff\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, who string) {
		got, err := b.Resolve(t.Context(), b.query(t, who, now, doctor), nil)
		switch {
		case who == "":
			if err == nil {
				t.Error("nobody has an answer")
			}
		case err != nil:
			t.Errorf("%q: %v", who, err)
		case (got[0].State == attrs.Affirmed) != (who == alice):
			t.Errorf("%q is %v", who, got[0].State)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	sound := Config{Path: filepath.Join(dir, "new.db"), Access: ReadWrite, Catalogue: attrs.EHealth()}
	with := func(change func(*Config)) Config { c := sound; change(&c); return c }
	for name, c := range map[string]Config{
		"zero":             {},
		"no path":          with(func(c *Config) { c.Path = "" }),
		"no catalogue":     with(func(c *Config) { c.Catalogue = nil }),
		"empty catalogue":  with(func(c *Config) { c.Catalogue = &attrs.Catalogue{} }),
		"unknown access":   with(func(c *Config) { c.Access = 9 }),
		"negative timeout": with(func(c *Config) { c.BusyTimeout = -1 }),
		"negative poll":    with(func(c *Config) { c.PollInterval = -1 }),
		"no directory":     with(func(c *Config) { c.Path = filepath.Join(dir, "none", "r.db") }),
		"a directory":      with(func(c *Config) { c.Path = dir }),
	} {
		if r, err := Open(c); err == nil || r != nil {
			t.Errorf("%s: opened", name)
		}
	}
	r, err := Open(sound)
	if err != nil {
		t.Fatal(err)
	}
	if r.ID() != "registry" {
		t.Errorf("ID %q", r.ID())
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	info, err := os.Stat(sound.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of persons has mode %v, %v", info.Mode(), err)
	}
}

// A registry opened for reading cannot be changed through it.
func TestReadOnly(t *testing.T) {
	b := fresh(t)
	b.load(t, ModeReplace, "ssin,"+alice+","+doctor+",,true,,")
	reader := open(t, b.path, ReadOnly)
	if _, err := reader.ImportCSV(t.Context(), strings.NewReader(header+"ssin,"+bob+","+doctor+",,true,,"), ModeMerge); err == nil {
		t.Error("an import into a registry opened read-only")
	}
	if _, err := reader.view.Load().reader.db.Exec(`DELETE FROM fact`); err == nil {
		t.Error("a write on a connection for reading")
	}
	if got := reader.ask(t, alice, now, doctor); got != "true" {
		t.Error(got)
	}
	status, err := reader.Status(t.Context())
	if err != nil || status.Facts != 1 || status.Subjects != 1 || status.Last.Epoch != 1 || status.Last.Mode != ModeReplace || !status.Last.At.Equal(now) {
		t.Errorf("%+v, %v", status, err)
	}
	if err := reader.Health(t.Context()); err != nil {
		t.Error(err)
	}
}

func BenchmarkResolve(b *testing.B) {
	r := fresh(b)
	var rows []string
	for i := range 10000 {
		n := uint64(800101000 + i)
		who := fmt.Sprintf("%09d%02d", n, 97-n%97)
		rows = append(rows, "ssin,"+who+","+doctor+",,true,,", "ssin,"+who+","+nihii11+",,71000040001,,", "ssin,"+who+","+surname+",,Example,,")
	}
	r.load(b, ModeReplace, rows...)
	q := r.query(b, "80010100020", now, doctor, nihii11, surname)
	dst := make([]attrs.Certified, 0, 3)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Resolve(ctx, q, dst); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkImport(b *testing.B) {
	var text strings.Builder
	text.WriteString(header)
	const rows = 20000
	for i := range rows {
		n := uint64(800101000 + i)
		fmt.Fprintf(&text, "ssin,%09d%02d,%s,,true,,\n", n, 97-n%97, doctor)
	}
	r := fresh(b)
	for b.Loop() {
		if _, err := r.ImportCSV(b.Context(), strings.NewReader(text.String()), ModeReplace); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "rows/s")
}
