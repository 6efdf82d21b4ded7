package trial

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/audit"
	"sceau/policy"
	"sceau/policy/cedar"
)

// TestWhatClientsSend: what a client sent along is not on the trail. Where policies that differ in what they make of it concern a question, it is not
// known how it would end: nothing is said of it.
func TestWhatClientsSend(t *testing.T) {
	rbac := string(must(t, "rbac.cedar"))
	day := []*audit.Entry{
		question(t, "enters", "Person", "SSIN=00000000097", "enter", "Application", "DTW", "doctors-enter-dtw"),
		question(t, "stays", "Person", "SSIN=00000000196", "enter", "Application", "DTW", ""),
	}
	const notKnown = "2 decisions, 0 the same\n2 not: they rest on what a "
	for name, more := range map[string]string{
		"a mandate":      `permit (principal, action == Action::"enter", resource) when { context has mandate && context.mandate.grantor == "CBE=0417497106" };`,
		"an assurance":   `forbid (principal, action == Action::"enter", resource) when { context.assurance < 2 };`,
		"a kind":         `forbid (principal, action == Action::"enter", resource) when { principal.kind != "eid" };`,
		"a property":     `permit (principal, action == Action::"enter", resource is Application) when { resource has owner };`,
		"all of it":      `permit (principal, action == Action::"enter", resource) when { {a: context} == {a: context} };`,
		"a capability":   `permit (principal, action == Action::"enter", resource) unless { context.capabilities.isEmpty() };`,
		"what it names":  `permit (principal, action == Action::"enter", resource) when { context["mandate"].grantor == "x" };`,
		"behind another": `permit (principal, action == Action::"enter", resource) when { if principal.identifier == "1" then true else context.assurance > 1 };`,
	} {
		if name == "what it names" {
			more = strings.Replace(more, `context["mandate"]`, `context has mandate && context["mandate"]`, 1)
		}
		after := policies(t, map[string]string{"rbac.cedar": rbac + "\n@id(\"more\")\n" + more})
		if got := replayed(t, policies(t, nil), after, day); got != notKnown {
			t.Errorf("%s:\n%s", name, got)
		}
	}
	for name, more := range map[string]string{
		"the clock":  `forbid (principal, action == Action::"enter", resource) when { context.time < datetime("2020-01-01") };`,
		"somebody":   `forbid (principal, action == Action::"enter", resource) when { principal.identifier == "00000000001" };`,
		"elsewhere":  `permit (principal, action == Action::"administer", resource) when { context has mandate };`,
		"its parent": `forbid (principal, action == Action::"enter", resource) when { resource in Application::"HOSPITAL-PORTAL" };`,
	} {
		after := policies(t, map[string]string{"rbac.cedar": rbac + "\n@id(\"more\")\n" + more})
		if got := replayed(t, policies(t, nil), after, day); got != "2 decisions, 2 the same" {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}

// TestHiddenByForbid: under a forbid the record does not tell which permits held, by what a client sent along.
func TestHiddenByForbid(t *testing.T) {
	rbac := string(must(t, "rbac.cedar"))
	const closed = "\n@id(\"closed\")\nforbid (principal, action == Action::\"enter\", resource);\n"
	day := []*audit.Entry{question(t, "closed", "Person", "SSIN=00000000097", "enter", "Application", "HOSPITAL-PORTAL", "closed")}
	day[0].Outcome = "refused"
	if got := replayed(t, policies(t, map[string]string{"rbac.cedar": rbac + closed}), policies(t, nil), day); got != "1 decisions, 0 the same\n1 not: they rest on what a " {
		t.Error(got)
	}
}

// TestSeveralValues: of an attribute with several values any two may have been there together. By one at a time nobody would have both.
func TestSeveralValues(t *testing.T) {
	const sectors = "urn:example:sectors"
	catalogue, err := attrs.EHealth().With(attrs.Definition{
		Designator: attrs.Designator{Name: sectors, Namespace: attrs.NamespaceCertified}, Kind: attrs.Text, Multiple: true, KeyedBy: []attrs.Key{{ssin}},
	})
	if err != nil {
		t.Fatal(err)
	}
	under := func(more string) Candidate {
		all := files(t, map[string]string{"sectors.cedar": `@id("home") permit (principal, action == Action::"enter", resource) when {
			principal.hasTag("` + sectors + `") && principal.getTag("` + sectors + `").contains("home") };` + more})
		c := candidate(t, func(a cedar.Attributes) (policy.PDP, error) {
			return cedar.Load(cedar.Config{Files: all, Catalogue: catalogue, Attributes: a})
		})
		c.Catalogue = catalogue
		return c
	}
	day := []*audit.Entry{question(t, "home", "Person", "SSIN=00000000097", "enter", "Application", "DTW", "home")}
	after := under("\n" + `@id("no-prison") forbid (principal, action == Action::"enter", resource) when {
		principal.hasTag("` + sectors + `") && principal.getTag("` + sectors + `").contains("prison") };`)
	if got := replayed(t, under(""), after, day); got != "1 decisions, 0 the same\nhome x1 may: enter: permit (by home) → deny (by no-prison)" {
		t.Error(got)
	}
}

// TestClients: what is told of one client is not of another's questions.
func TestClients(t *testing.T) {
	rbac := string(must(t, "rbac.cedar"))
	day := []*audit.Entry{
		question(t, "dtw", "Person", "SSIN=00000000097", "enter", "Application", "DTW", "doctors-enter-dtw"),
		question(t, "portal", "Person", "SSIN=00000000097", "enter", "Application", "DTW", "doctors-enter-dtw"),
	}
	day[1].Client = "portal"
	after := policies(t, map[string]string{"rbac.cedar": strings.Replace(rbac, `Application::"DTW"`, `Application::"HOSPITAL-PORTAL"`, 1)})
	if got := replayed(t, policies(t, nil), after, day); got != "2 decisions, 0 the same\ndtw x1 will: enter: permit (by doctors-enter-dtw) → deny\n"+
		"portal x1 will: enter: permit (by doctors-enter-dtw) → deny" {
		t.Error(got)
	}
}

// TestOnDenied: a request that was answered in part is refused as a whole, or the other way round: that changes too.
func TestOnDenied(t *testing.T) {
	abac := string(must(t, "abac.cedar"))
	part := release(t, "part", "session", bob, software, asked{doctorBoolean, "released", "doctor-for-app2"}, asked{doctorNumber, "omitted", ""})
	refuse := map[string]string{"abac.cedar": strings.Replace(abac, `@on_denied("omit")`, `@on_denied("refuse")`, 1)}
	if got := replayed(t, policies(t, nil), policies(t, refuse), []*audit.Entry{part}); got != "1 decisions, 0 the same\npart x1 will: on denied: omit → refuse" {
		t.Error(got)
	}
	whole := release(t, "whole", "session", bob, software, asked{doctorBoolean, "asked", "doctor-for-app2"}, asked{doctorNumber, "withheld", ""})
	if got := replayed(t, policies(t, refuse), policies(t, nil), []*audit.Entry{whole}); got != "1 decisions, 0 the same\nwhole x1 will: on denied: refuse → omit" {
		t.Error(got)
	}
	// Neither was how those policies end it.
	part.ID = "not"
	if got := replayed(t, policies(t, refuse), policies(t, nil), []*audit.Entry{part}); got != "1 decisions, 0 the same\n1 not: they do not end so u" {
		t.Error(got)
	}
	if got := replayed(t, policies(t, nil), policies(t, refuse), []*audit.Entry{whole}); got != "1 decisions, 0 the same\n1 not: they do not end so u" {
		t.Error(got)
	}
}

// TestPatterns: identifiers are tried as a pattern has them, wherever its stars stand.
func TestPatterns(t *testing.T) {
	rbac := string(must(t, "rbac.cedar"))
	day := []*audit.Entry{question(t, "stays", "Person", "SSIN=00000000196", "enter", "Application", "DTW", "")}
	for _, pattern := range []string{"*96", "0*6", "00*01*", "*1*"} {
		after := policies(t, map[string]string{"rbac.cedar": rbac + "\n@id(\"more\")\npermit (principal, action == Action::\"enter\", resource) when { principal.identifier like \"" + pattern + "\" };"})
		if got := replayed(t, policies(t, nil), after, day); got != "1 decisions, 0 the same\nstays x1 may: enter: deny → permit (by more)" {
			t.Errorf("%s:\n%s", pattern, got)
		}
	}
}

// TestEscapes: a text is known however a policy spells it.
func TestEscapes(t *testing.T) {
	abac := string(must(t, "abac.cedar"))
	day := []*audit.Entry{release(t, "lost", "session", alice, stolen, asked{doctorBoolean, "withheld", "lost-key"})}
	spelled := strings.Replace(abac, `"0809394427"`, `"\u{30}809394427"`, 1)
	if got := replayed(t, policies(t, map[string]string{"abac.cedar": spelled}), policies(t, map[string]string{"abac.cedar": spelled}), day); got != "1 decisions, 1 the same" {
		t.Error(got)
	}
}

// TestServiceSubject: a service is known by a name without a type.
func TestServiceSubject(t *testing.T) {
	rbac := string(must(t, "rbac.cedar"))
	const mine = "\n@id(\"mine\")\npermit (principal == Service::\"reports\", action == Action::\"enter\", resource);\n"
	day := []*audit.Entry{
		question(t, "reports", "Service", "reports", "enter", "Application", "DTW", "mine"),
		question(t, "another", "Service", "billing", "enter", "Application", "DTW", ""),
	}
	before := policies(t, map[string]string{"rbac.cedar": rbac + mine})
	if got := replayed(t, before, before, day); got != "2 decisions, 2 the same" {
		t.Error(got)
	}
	if got := replayed(t, before, policies(t, nil), day); got != "2 decisions, 1 the same\nreports x1 will: enter: permit (by mine) → deny" {
		t.Error(got)
	}
}

// TestManyRoles: what may be many roles is not too much to try.
func TestManyRoles(t *testing.T) {
	rbac := string(must(t, "rbac.cedar"))
	const any = "\n@id(\"any\")\npermit (principal in Role::\"everybody\", action == Action::\"enter\", resource == Application::\"DTW\");\n"
	roles := strings.TrimSuffix(strings.TrimSpace(string(must(t, "roles.json"))), "]") + `, {"uid": {"type": "Role", "id": "everybody"}, "attrs": {}, "parents": []}`
	for i, name := range []string{"fpsph:doctor", "fpsph:dentist", "fpsph:nurse", "fpsph:midwife", "fpsph:physiotherapist", "fpsph:logopedist",
		"fpsph:dietician", "fpsph:clinicalpsychologist", "professional:dentist", "professional:midwife"} {
		roles += fmt.Sprintf(`, {"uid": {"type": "Role", "id": "r%d"}, "attrs": {"attribute": "urn:be:fgov:person:ssin:ehealth:1.0:%s:boolean"}, "parents": [{"type": "Role", "id": "everybody"}]}`, i, name)
	}
	many := map[string]string{"rbac.cedar": rbac + any, "roles.json": roles + "]"}
	day := []*audit.Entry{question(t, "stays", "Person", "SSIN=00000000196", "enter", "Application", "DTW", "")}
	if got := replayed(t, policies(t, nil), policies(t, many), day); got != "1 decisions, 0 the same\nstays x1 may: enter: deny → permit (by any)" {
		t.Error(got)
	}
}

// TestTime: decisions at several times are tried each at its own, also where a policy has the time from an entity.
func TestTime(t *testing.T) {
	rbac := string(must(t, "rbac.cedar"))
	schema := "entity Ward { opens: datetime };\naction visit appliesTo { principal: [Person], resource: [Ward], context: { time: datetime } };\n"
	wards := `[{"uid": {"type": "Ward", "id": "5"}, "attrs": {"opens": {"__extn": {"fn": "datetime", "arg": "2026-11-28T12:00:00Z"}}}, "parents": []}]`
	changes := map[string]string{"ward.cedarschema": schema, "wards.json": wards,
		"rbac.cedar": rbac + "\n@id(\"visit\")\npermit (principal, action == Action::\"visit\", resource) when { context.time >= resource.opens };\n"}
	after := policies(t, changes)
	changes["rbac.cedar"] = rbac + "\n@id(\"visit\")\npermit (principal, action == Action::\"visit\", resource);\n"
	early := question(t, "early", "Person", "SSIN=00000000097", "visit", "Ward", "", "visit")
	early.Resource = audit.ResourceEntry{Type: "Ward", Pseudonym: pseudonym(t, "Ward", "5")}
	late, again := *early, *early
	late.ID, late.Time, again.ID = "late", start.Add(10*time.Hour), "again"
	if got := replayed(t, policies(t, changes), after, []*audit.Entry{early, &late, &again}); got != "3 decisions, 1 the same\nearly x2 will: visit: permit (by visit) → deny" {
		t.Error(got)
	}
}

// TestTestsByAccident: a test that holds only because something in it is misspelled is refused.
func TestTestsByAccident(t *testing.T) {
	const question = `tests:
  - {name: x, subject: {type: Person, id: SSIN=00000000097}, action: enter, resource: {type: Application, id: DTW}, context: {assurance: 1},
     facts: {"urn:be:fgov:person:ssin:doctor:boolean": false}, expect: deny}
`
	const release = `tests:
  - {name: x, identity: {kind: eid, id: SSIN=00000000097}, holder: {kind: ehealth-organisation, id: CBE=0809394427}, attributes: ["` + doctorBoolean + `"], expect: deny}
`
	for _, tt := range []struct{ text, old, new, want string }{
		{question, "", "", ""},
		{question, "id: SSIN=00000000097", "id: '00000000097'", "it is named TYPE=value"},
		{question, "assurance: 1", "asurance: 1", "the schema has no context.asurance"},
		{release, "", "", ""},
		{release, "id: SSIN=00000000097", "id: '00000000097'", "it is named TYPE=value"},
		{release, "id: CBE=0809394427", "id: '0809394427'", "it is named TYPE=value"},
	} {
		all := files(t, map[string]string{"tests/a.yaml": strings.Replace(tt.text, tt.old, tt.new, 1)})
		got := ""
		tests, err := Load(all, attrs.EHealth())
		if err != nil {
			got = err.Error()
		} else {
			results, err := Run(t.Context(), tests, opener(all))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range results {
				got += strings.Join(r.Failures, "; ")
			}
		}
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.new, got, tt.want)
		}
	}
}
