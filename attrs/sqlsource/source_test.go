package sqlsource

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"sceau/attrs"
	"sceau/internal/toxic"
)

var (
	now                 = time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	_   attrs.Versioned = (*Source)(nil)
)

// Invented people and organisations.
const (
	alice    = "00000000097"
	bob      = "93051822361"
	hospital = "71000040"
	pharmacy = "71000042"
)

const (
	doctor     = "urn:be:fgov:person:ssin:doctor:boolean"
	nurse      = "urn:be:fgov:person:ssin:nurse:boolean"
	nihii11    = "urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11"
	surname    = "urn:be:fgov:person:ssin:ehealth:1.0:surname"
	recognised = "urn:be:fgov:ehealth:1.0:certificateholder:hospital:nihii-number:recognisedhospital:boolean"
	titular    = "urn:be:fgov:ehealth:1.0:pharmacy:nihii-number:person:ssin:ehealth:1.0:pharmacy-holder:boolean"
	quality    = "urn:example:quality" // several values
)

func TestMain(m *testing.M) {
	zerolog.SetGlobalLevel(zerolog.Disabled) // toxiproxy's
	status := m.Run()
	stopPostgreSQL()
	if status == 0 {
		if err := goleak.Find(toxic.Leftovers()...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
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

// same names attributes in the database as they are called.
func same(names ...string) map[string]string {
	all := map[string]string{}
	for _, n := range names {
		all[n] = n
	}
	return all
}

// A desk is an open source, and what a test needs to ask it.
type desk struct {
	*Source
	catalogue *attrs.Catalogue
}

// open opens a source with what c leaves out.
func open(t testing.TB, c Config) *desk {
	t.Helper()
	d, err := tryOpen(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func tryOpen(t testing.TB, c Config) (*desk, error) {
	t.Helper()
	if c.Catalogue == nil {
		c.Catalogue = catalogue(t)
	}
	c.ID = "hr"
	if c.Now == nil {
		c.Now = func() time.Time { return now }
	}
	if c.PollInterval == 0 {
		c.PollInterval = time.Hour // tests look when they mean to
	}
	s, err := Open(c)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &desk{s, c.Catalogue}, nil
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

func (b *desk) query(t testing.TB, who string, names ...string) *attrs.Query {
	t.Helper()
	q := &attrs.Query{At: now, Subjects: []attrs.Keyed{
		{By: b.definition(t, attrs.PersonSSIN), Value: who},
		{By: b.definition(t, "urn:be:fgov:ehealth:1.0:pharmacy:nihii-number"), Value: pharmacy},
		{By: b.definition(t, "urn:be:fgov:ehealth:1.0:certificateholder:hospital:nihii-number"), Value: hospital},
	}}
	for _, name := range names {
		q.Definitions = append(q.Definitions, b.definition(t, name))
	}
	return q
}

// ask gives the answers in one line, or what the error says.
func (b *desk) ask(t testing.TB, who string, names ...string) string {
	t.Helper()
	got, err := b.Resolve(t.Context(), b.query(t, who, names...), nil)
	if err != nil {
		if len(got) != 0 {
			t.Errorf("an error and %d answers", len(got))
		}
		return strings.TrimPrefix(err.Error(), "attributes: ")
	}
	return show(got)
}

// show writes answers: state or values, then the bounds that there are.
func show(got []attrs.Certified) string {
	var all []string
	for i := range got {
		c := &got[i]
		text := c.State.String()
		if len(c.Values) > 0 {
			text = strings.Join(c.Values, "+")
		}
		if !c.NotBefore.IsZero() {
			text += " from " + stamp(c.NotBefore)
		}
		if !c.NotOnOrAfter.IsZero() {
			text += " until " + stamp(c.NotOnOrAfter)
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999") }

// lite makes a file of SQLite of the statements.
func liteFixture(t testing.TB, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hr.db")
	liteExec(t, path, append([]string{"pragma journal_mode = wal"}, statements...)...)
	return path
}

func liteExec(t testing.TB, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)&_pragma=synchronous(0)")
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
