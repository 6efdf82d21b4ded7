package policy

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
)

const (
	personSSIN    = "urn:be:fgov:person:ssin"
	doctorBoolean = "urn:be:fgov:person:ssin:doctor:boolean"
	doctorNIHII   = "urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11"
	nurseBoolean  = "urn:be:fgov:person:ssin:nurse:boolean"
	givenName     = "urn:be:fgov:person:ssin:ehealth:1.0:givenname"
)

func definition(t testing.TB, name string) *attrs.Definition {
	t.Helper()
	namespace := attrs.NamespaceCertified
	if name == personSSIN {
		namespace = attrs.NamespaceIdentification
	}
	d, ok := attrs.EHealth().Find(attrs.Designator{Name: name, Namespace: namespace})
	if !ok {
		t.Fatalf("the catalogue has no %s", name)
	}
	return d
}

func definitions(t testing.TB, names ...string) []*attrs.Definition {
	t.Helper()
	var all []*attrs.Definition
	for _, name := range names {
		all = append(all, definition(t, name))
	}
	return all
}

func mustLoad(t testing.TB, file string) *Rules {
	t.Helper()
	rules, err := Load(strings.NewReader(file), attrs.EHealth())
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

const profilesYAML = `version: 1
profiles:
  APP1:
    description: number of a doctor
    maximum-validity: 12h
    fallback-maximum-validity: 1h
    attributes:
      - {name: "urn:be:fgov:person:ssin", namespace: identification}
      - {name: "urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11", namespace: certified}
  APP2:
    maximum-validity: 4h
    attributes:
      - {name: "urn:be:fgov:person:ssin", namespace: "urn:be:fgov:identification-namespace"}
      - {name: "urn:be:fgov:person:ssin:ehealth:1.0:doctor:boolean", namespace: "urn:be:fgov:certified-namespace:ehealth"}
  NAMES:
    maximum-validity: 24h
    fallback-maximum-validity: 30m
    attributes:
      - {name: "urn:be:fgov:person:ssin:ehealth:1.0:givenname", namespace: certified}
`

const rulesYAML = profilesYAML + `rules:
  - id: doctors
    effect: permit
    identity: {kinds: [eid]}
    holder: {kinds: [ehealth-organisation], identifier-types: [CBE, NIHII-HOSPITAL]}
    profiles: [APP1, APP2]
    on-denied: omit
  - id: fallback
    effect: permit
    identity: {kinds: [ehealth-person]}
    modes: [fallback]
    profiles: [APP1, APP2]
  - id: names
    effect: permit
    identity: {identifiers: [SSIN=00000000097]}
    holder: {identifier-prefixes: [NIHII-HOSPITAL=71]}
    profiles: [NAMES]
    on-denied: omit
  - id: lost-key
    effect: deny
    holder: {identifiers: [CBE=0809394427]}
  - id: no-number
    effect: deny
    holder: {identifiers: [NIHII-HOSPITAL=72000001]}
    attributes:
      - {name: "urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11", namespace: certified}
    on-denied: omit
`

var (
	start    = time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	alice    = Requestor{KindEID, "SSIN", "00000000097"}
	other    = Requestor{KindEID, "SSIN", "00000100067"}
	hospital = Requestor{KindEHealthOrganisation, "NIHII-HOSPITAL", "71000436"}
	clinic   = Requestor{KindEHealthOrganisation, "NIHII-HOSPITAL", "72000001"}
	stolen   = Requestor{KindEHealthOrganisation, "CBE", "0809394427"}
	company  = Requestor{KindEHealthOrganisation, "CBE", "0417497106"}
	pharmacy = Requestor{KindEHealthOrganisation, "NIHII-PHARMACY", "71000436"}
	doctor   = Requestor{KindEHealthPerson, "NIHII11", "10000007004"}
)

func ask(t testing.TB, identity, holder Requestor, mode string, names ...string) *ReleaseRequest {
	t.Helper()
	return &ReleaseRequest{Identity: identity, Holder: holder, Mode: mode, At: start, Attributes: definitions(t, names...)}
}

func release(t testing.TB, p PDP, r *ReleaseRequest) *Release {
	t.Helper()
	var d Release
	if err := p.Release(context.Background(), r, &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Decisions) != len(r.Attributes) {
		t.Fatalf("%d decisions about %d attributes", len(d.Decisions), len(r.Attributes))
	}
	return &d
}

// told writes a Release as a test expects it: "+doctors -lost-key -" and so on.
func told(d *Release) string {
	var words []string
	for _, decision := range d.Decisions {
		sign := "-"
		if decision.Permitted() {
			sign = "+"
		}
		words = append(words, sign+decision.Rule())
	}
	return strings.Join(words, " ")
}

func reasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return 0
}

func packageComment(t testing.TB) string {
	t.Helper()
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}
