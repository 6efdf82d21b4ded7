package cedar

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"sceau/attrs"
	"sceau/policy"
)

var (
	start    = time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	doctor   = policy.Requestor{Kind: policy.KindEID, IdentifierType: "SSIN", Identifier: "00000000097"}
	layman   = policy.Requestor{Kind: policy.KindEID, IdentifierType: "SSIN", Identifier: "00000100067"}
	hospital = policy.Requestor{Kind: policy.KindEHealthOrganisation, IdentifierType: "NIHII-HOSPITAL", Identifier: "71000436"}
	stolen   = policy.Requestor{Kind: policy.KindEHealthOrganisation, IdentifierType: "CBE", Identifier: "0809394427"}
)

const (
	ssin          = "urn:be:fgov:person:ssin"
	doctorBoolean = "urn:be:fgov:person:ssin:doctor:boolean"
	doctorNumber  = "urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11"
	givenName     = "urn:be:fgov:person:ssin:ehealth:1.0:givenname"
	recognised    = "urn:be:fgov:ehealth:1.0:certificateholder:hospital:nihii-number:recognisedhospital:boolean"
)

func definition(t testing.TB, name string) *attrs.Definition {
	t.Helper()
	d, ok := attrs.EHealth().Find(attrs.Designator{Name: name, Namespace: attrs.NamespaceCertified})
	if !ok {
		d, ok = attrs.EHealth().Find(attrs.Designator{Name: name, Namespace: attrs.NamespaceIdentification})
	}
	if !ok {
		t.Fatalf("the catalogue has no %s", name)
	}
	return d
}

// sources is a resolver over facts that can be made to fail, and counts how often it is asked.
type sources struct {
	*attrs.Static
	fail  error
	asked int
}

func (s *sources) Resolve(ctx context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error) {
	s.asked++
	if s.fail != nil {
		return dst, s.fail
	}
	return s.Static.Resolve(ctx, q, dst)
}

// registry knows one doctor, whose recognition ends in two hours, and one hospital.
func registry(t testing.TB) *sources {
	t.Helper()
	person := attrs.Subject{Type: attrs.SubjectSSIN, Value: doctor.Identifier}
	house := attrs.Subject{Type: definition(t, recognised).SubjectTypes()[0], Value: hospital.Identifier}
	static, err := attrs.NewStatic("registry", func() time.Time { return start }, []attrs.StaticFact{
		{Subject: person, Definition: definition(t, doctorBoolean), Fact: attrs.Fact{Value: "true", NotOnOrAfter: start.Add(2 * time.Hour)}},
		{Subject: person, Definition: definition(t, doctorNumber), Fact: attrs.Fact{Value: "10000007004"}},
		{Subject: house, Definition: definition(t, "urn:be:fgov:ehealth:1.0:hospital:nihii-number:recognisedhospital:boolean"), Fact: attrs.Fact{Value: "true"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &sources{Static: static}
}

func load(t testing.TB, files fs.FS, from Attributes) *Policies {
	t.Helper()
	p, err := Load(Config{Files: files, Catalogue: attrs.EHealth(), Attributes: from})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func examples(t testing.TB) (*Policies, *sources) {
	from := registry(t)
	return load(t, os.DirFS("testdata/examples"), from), from
}

// files makes a directory of name, content, name, content, …
func files(pairs ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return m
}

func ask(t testing.TB, identity, holder policy.Requestor, mode string, names ...string) *policy.ReleaseRequest {
	t.Helper()
	r := &policy.ReleaseRequest{Identity: identity, Holder: holder, Mode: mode, At: start}
	for _, name := range names {
		r.Attributes = append(r.Attributes, definition(t, name))
	}
	return r
}

// told writes a Release as a test expects it: "+doctors -lost-key -; APP1 12h0m0s omit".
func told(d *policy.Release) string {
	var words []string
	for _, decision := range d.Decisions {
		sign := "-"
		if decision.Permitted() {
			sign = "+"
		}
		words = append(words, sign+decision.Rule())
	}
	return strings.Join(words, ", ") + "; " + strings.Join(append(d.Profiles, d.MaximumValidity.String(), d.OnDenied.String()), " ")
}

func problems(err error) string {
	var e *policy.Error
	if !errors.As(err, &e) {
		return ""
	}
	var lines []string
	for _, p := range e.Problems {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}
