package cedar

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/policy"
)

func object(t testing.TB, text string) map[string]any {
	t.Helper()
	if text == "" {
		return nil
	}
	var m map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDecideExamples(t *testing.T) {
	const alice, bob, house = "SSIN=00000000097", "SSIN=00000100067", "NIHII-HOSPITAL=71000436"
	mandate := func(grantor, scope string, until time.Time) string {
		return `{"mandate": {"grantor": "` + grantor + `", "scope": ["` + scope + `"], "until": "` + until.Format("2006-01-02T15:04:05Z") + `"}}`
	}
	for _, c := range []struct {
		name, subjectType, subject, action, resourceType, resource, context, want string
	}{
		{"RBAC: a doctor enters DTW", Person, alice, Enter, Application, "DTW", "", "+doctors-enter-dtw"},
		{"RBAC: who is none does not", Person, bob, Enter, Application, "DTW", "", "-"},
		{"RBAC: an organisation is no doctor", Organisation, house, Enter, Application, "DTW", "", "-"},
		{"RBAC: a member by name", Person, bob, Administer, Application, "DTW", "", "+operators-administer"},
		{"RBAC: not a member", Person, alice, Administer, Application, "DTW", "", "-"},
		{"roles: had by a certified attribute", Person, alice, Hold, Role, "doctor", "", "+roles-may-be-told"},
		{"roles: had by another role", Person, alice, Hold, Role, "care-provider", "", "+roles-may-be-told"},
		{"roles: not had", Person, alice, Hold, Role, "nurse", "", "-"},
		{"roles: of an organisation", Organisation, house, Hold, Role, "hospital", "", "+roles-may-be-told"},
		{"roles: that there are not", Person, alice, Hold, Role, "emperor", "", "-"},
		{"ABAC: a doctor may have doctor:boolean", Person, alice, ReleaseAttribute, Attribute, "certified:" + doctorBoolean,
			`{"mode": "session", "holder": {"kind": "ehealth-organisation", "identifierType": "CBE", "identifier": "0417497106"}}`, "+doctor-for-app2"},
		{"ABAC: in another mode not", Person, alice, ReleaseAttribute, Attribute, "certified:" + doctorBoolean,
			`{"mode": "eid-only", "holder": {"kind": "eid", "identifierType": "SSIN", "identifier": "00000000097"}}`, "-"},
		{"ZBAC: a mandatary acts for the owner", Person, bob, Enter, Application, "HOSPITAL-PORTAL", mandate(house, "enter", start.Add(time.Hour)), "+mandatary-enters"},
		{"ZBAC: a mandate of another", Person, bob, Enter, Application, "HOSPITAL-PORTAL", mandate("CBE=0417497106", "enter", start.Add(time.Hour)), "-"},
		{"ZBAC: in other matters", Person, bob, Enter, Application, "HOSPITAL-PORTAL", mandate(house, "invoice", start.Add(time.Hour)), "-"},
		{"ZBAC: that has ended", Person, bob, Enter, Application, "HOSPITAL-PORTAL", mandate(house, "enter", start), "-"},
		{"ZBAC: whoever asks does not choose the time", Person, bob, Enter, Application, "HOSPITAL-PORTAL",
			strings.Replace(mandate(house, "enter", start), "{", `{"time": "2020-01-01T00:00:00Z", `, 1), "-"},
		{"ZBAC: an application without owner", Person, bob, Enter, Application, "DTW", mandate(house, "enter", start.Add(time.Hour)), "-"},
		{"ZBAC: a capability", Service, "portal", ExchangeToken, Service, "reports", `{"capabilities": ["reports:read"], "assurance": 2}`, "+report-token"},
		{"ZBAC: a capability, and who has it is hardly known", Service, "portal", ExchangeToken, Service, "reports", `{"capabilities": ["reports:read"]}`, "-"},
		{"no such action", Person, alice, "leave", Application, "DTW", "", "-"},
		{"no such type", "Ghost", alice, Enter, Application, "DTW", "", "-"},
		{"an action of other resources", Person, alice, Enter, Role, "doctor", "", "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, _ := examples(t)
			q := &Question{Subject: Entity{Type: c.subjectType, ID: c.subject, Properties: map[string]any{"kind": "eid"}}, Action: c.action,
				Resource: Entity{Type: c.resourceType, ID: c.resource}, Context: object(t, c.context), At: start}
			answer, err := p.Decide(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			got := "-" + answer.Rule()
			if answer.Permitted() {
				got = "+" + answer.Rule()
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestDecideErrors(t *testing.T) {
	p, from := examples(t)
	enter := func() *Question {
		return &Question{Subject: Entity{Type: Person, ID: "SSIN=00000000097"}, Action: Enter, Resource: Entity{Type: Application, ID: "DTW"}, At: start}
	}
	for name, change := range map[string]func(*Question){
		"no instant":   func(q *Question) { q.At = time.Time{} },
		"assurance":    func(q *Question) { q.Context = object(t, `{"assurance": "high"}`) },
		"capabilities": func(q *Question) { q.Context = object(t, `{"capabilities": [1]}`) },
		"part of one":  func(q *Question) { q.Context = object(t, `{"mandate": {"grantor": "CBE=1"}}`) },
		"what is no end": func(q *Question) {
			q.Context = object(t, `{"mandate": {"grantor": "CBE=1", "scope": [], "until": "soon"}}`)
		},
		"a property": func(q *Question) { q.Resource.Properties = object(t, `{"owner": 7}`) },
		"no mode": func(q *Question) {
			q.Action, q.Resource = ReleaseAttribute, Entity{Type: Attribute, ID: "certified:" + doctorBoolean}
		},
	} {
		q := enter()
		change(q)
		answer, err := p.Decide(t.Context(), q)
		var wrong *policy.Error
		if !errors.As(err, &wrong) || wrong.Reason != policy.InvalidRequest || answer.Permitted() {
			t.Errorf("%s: %v, %v", name, answer, err)
		}
	}
	from.fail = &attrs.Error{Reason: attrs.DeadlineExceeded}
	if answer, err := p.Decide(t.Context(), enter()); attrs.ReasonOf(err) != attrs.DeadlineExceeded || answer.Permitted() {
		t.Errorf("a source that is silent: %v, %v", answer, err)
	}
}

// What the directory says of an entity goes before what whoever asks says.
func TestDirectoryGoesBeforeClient(t *testing.T) {
	p, _ := examples(t)
	q := &Question{Subject: Entity{Type: Person, ID: "SSIN=00000100067"}, Action: Enter, At: start,
		Resource: Entity{Type: Application, ID: "HOSPITAL-PORTAL", Properties: object(t, `{"owner": "CBE=0417497106"}`)},
		Context:  object(t, `{"mandate": {"grantor": "CBE=0417497106", "scope": ["enter"], "until": "2027-01-01"}}`)}
	if answer, err := p.Decide(t.Context(), q); err != nil || answer.Permitted() {
		t.Errorf("a client made itself the owner: %v, %v", answer, err)
	}
	q.Resource.ID = "OF-CBE"
	if answer, err := p.Decide(t.Context(), q); err != nil || !answer.Permitted() {
		t.Errorf("of what the directory does not know the client may speak: %v, %v", answer, err)
	}
}

// The values of attributes come from the same sources, for whom a source can know.
func TestValues(t *testing.T) {
	p, _ := examples(t)
	wanted := []*attrs.Definition{definition(t, ssin), definition(t, doctorBoolean), definition(t, recognised), definition(t, attrs.UserSession)}
	values, err := p.Values(t.Context(), Entity{Type: Person, ID: "SSIN=00000000097"}, wanted, start)
	if err != nil || len(values) != 1 || values[0].Definition.Name != doctorBoolean || values[0].State != attrs.Affirmed {
		t.Errorf("%v, %v", values, err)
	}
	for _, other := range []Entity{{Type: Person, ID: "alice"}, {Type: "user", ID: "SSIN=00000000097"}, {}} {
		if values, err := p.Values(t.Context(), other, wanted, start); err != nil || len(values) != 0 {
			t.Errorf("%v: %v, %v", other, values, err)
		}
	}
}

// A role that stands in no policy but in what the request is about is asked for all the same: otherwise a forbid would not
// hold, and let in whom it is to keep out.
func TestRolesThatRequestsName(t *testing.T) {
	p := load(t, files(
		"wards.cedarschema", `entity Ward { closedTo?: Role }; action "visit" appliesTo { principal: [Person], resource: [Ward], context: { as?: Role } };`,
		"roles.json", `[{"uid": {"type": "Role", "id": "doctor"}, "attrs": {"attribute": "`+doctorBoolean+`"}, "parents": []},
			{"uid": {"type": "Ward", "id": "3"}, "attrs": {"closedTo": {"__entity": {"type": "Role", "id": "doctor"}}}, "parents": []}]`,
		"visit.cedar", `@id("all") permit (principal, action == Action::"visit", resource);
@id("closed") forbid (principal, action == Action::"visit", resource) when { resource has closedTo && principal in resource.closedTo };
@id("not-as") forbid (principal, action == Action::"visit", resource) when { context has as && !(principal is Person in [context.as]) };`), registry(t))
	for _, c := range []struct{ who, ward, context, want string }{
		{"SSIN=00000000097", "3", "", "-closed"},
		{"SSIN=00000100067", "3", "", "+all"},
		{"SSIN=00000000097", "4", "", "+all"},
		{"SSIN=00000000097", "4", `{"as": "doctor"}`, "+all"},
		{"SSIN=00000100067", "4", `{"as": "doctor"}`, "-not-as"},
		{"=SSIN=00000000097", "4", `{"as": "doctor"}`, "-not-as"}, // no other name of the doctor
	} {
		answer, err := p.Decide(t.Context(), &Question{Subject: Entity{Type: Person, ID: c.who}, Action: "visit",
			Resource: Entity{Type: "Ward", ID: c.ward}, Context: object(t, c.context), At: start})
		if err != nil {
			t.Fatal(err)
		}
		got := "-" + answer.Rule()
		if answer.Permitted() {
			got = "+" + answer.Rule()
		}
		if got != c.want {
			t.Errorf("%s in ward %s %s: %s instead of %s", c.who, c.ward, c.context, got, c.want)
		}
	}
}

// resting is a source that is down, and says no word.
type resting struct{}

func (resting) ID() string { return "resting" }
func (resting) Resolve(_ context.Context, _ *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error) {
	return dst, &attrs.Error{Reason: attrs.SourceUnavailable, Source: "resting"}
}

// An attribute that is optional for consumers is not optional for policies that read it: were one that could not be had taken for
// none, a forbid would not hold while its source is down, and whoever can bring it down would be let in.
func TestOptionalAttributesAreNeededByPolicies(t *testing.T) {
	resolver, err := attrs.NewResolver(attrs.Config{Catalogue: attrs.EHealth(), Budget: time.Second, Routes: []attrs.Route{{Source: resting{}, AllOptional: true}}})
	if err != nil {
		t.Fatal(err)
	}
	defer resolver.Close()
	role := `[{"uid": {"type": "Role", "id": "doctor"}, "attrs": {"attribute": "` + doctorBoolean + `"}, "parents": []},
		{"uid": {"type": "Application", "id": "DTW"}, "attrs": {}, "parents": []}]`
	for name, forbid := range map[string]string{
		"a tag":                `forbid (principal, action, resource) when { principal.hasTag("` + doctorBoolean + `") && principal.getTag("` + doctorBoolean + `").contains("true") };`,
		"a role in the scope":  `forbid (principal in Role::"doctor", action, resource);`,
		"a role in conditions": `forbid (principal, action, resource) when { principal in Role::"doctor" };`,
	} {
		t.Run(name, func(t *testing.T) {
			p := load(t, files("roles.json", role, "a.cedar", `@id("all") permit (principal, action == Action::"enter", resource);
@id("told") @maximum_validity("1h") permit (principal is Person, action == Action::"release-attribute", resource is Attribute);
@id("none") `+forbid), resolver)
			answer, err := p.Decide(t.Context(), &Question{Subject: Entity{Type: Person, ID: "SSIN=00000000097"}, Action: Enter,
				Resource: Entity{Type: Application, ID: "DTW"}, At: start})
			if answer.Permitted() || attrs.ReasonOf(err) != attrs.SourceUnavailable {
				t.Errorf("entering: %v, %v", answer, err)
			}
			var release policy.Release
			err = p.Release(t.Context(), ask(t, doctor, doctor, policy.ModeSession, givenName), &release)
			if attrs.ReasonOf(err) != attrs.SourceUnavailable || release.Decisions[0].Permitted() {
				t.Errorf("release: %s, %v", told(&release), err)
			}
		})
	}
}

// A hidden attribute is an input of others: no consumer gets it, however broad a policy is, nor one that there is not.
func TestHiddenAttributes(t *testing.T) {
	catalogue, err := attrs.EHealth().With(attrs.Definition{Designator: attrs.Designator{Name: "urn:example:code", Namespace: attrs.NamespaceCertified},
		Kind: attrs.Text, KeyedBy: []attrs.Key{{ssin}}, Hidden: true})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Load(Config{Files: files("a.cedar",
		`@id("all") @maximum_validity("1h") permit (principal is Person, action == Action::"release-attribute", resource is Attribute);`), Catalogue: catalogue, Attributes: registry(t)})
	if err != nil {
		t.Fatal(err)
	}
	for id, permitted := range map[string]bool{"certified:" + doctorBoolean: true, "certified:urn:example:code": false, "certified:urn:example:none": false} {
		answer, err := p.Decide(t.Context(), &Question{Subject: Entity{Type: Person, ID: "SSIN=00000000097"}, Action: ReleaseAttribute, Resource: Entity{Type: Attribute, ID: id}, At: start,
			Context: object(t, `{"mode": "session", "holder": {"kind": "eid", "identifierType": "SSIN", "identifier": "00000000097"}}`)})
		if err != nil || answer.Permitted() != permitted {
			t.Errorf("%s: %v, %v", id, answer, err)
		}
		if _, known := p.Attribute(id); known != permitted || slices.Contains(p.Entities(Attribute), id) != permitted {
			t.Errorf("%s is told of, or is not: %v", id, known)
		}
	}
}

// A resource that is a person has the roles that sources certify: a forbid about doctors holds for a doctor as the resource, his own
// case too, and fails with the source.
func TestRolesOfResources(t *testing.T) {
	const alice, bob = "SSIN=00000000097", "SSIN=00000100067"
	from := registry(t)
	for name, forbid := range map[string]string{
		"in the scope":  `forbid (principal, action == Action::"treat", resource in Role::"doctor");`,
		"in conditions": `forbid (principal, action == Action::"treat", resource) when { resource in Role::"doctor" };`,
	} {
		p := load(t, files("x.cedarschema", `action "treat" appliesTo { principal: [Person], resource: [Person], context: {} };`,
			"roles.json", `[{"uid": {"type": "Role", "id": "doctor"}, "attrs": {"attribute": "`+doctorBoolean+`"}, "parents": []}]`,
			"a.cedar", `@id("all") permit (principal, action == Action::"treat", resource); @id("no-doctors") `+forbid), from)
		for _, c := range []struct {
			who, whom string
			permitted bool
		}{{bob, alice, false}, {alice, alice, false}, {alice, bob, true}, {bob, bob, true}} {
			q := &Question{Subject: Entity{Type: Person, ID: c.who}, Action: "treat", Resource: Entity{Type: Person, ID: c.whom}, At: start}
			from.fail = nil
			answer, err := p.Decide(t.Context(), q)
			if err != nil || answer.Permitted() != c.permitted {
				t.Errorf("%s: %s treats %s: %v, %v", name, c.who, c.whom, answer, err)
			}
			from.fail = &attrs.Error{Reason: attrs.SourceUnavailable}
			if answer, err := p.Decide(t.Context(), q); attrs.ReasonOf(err) != attrs.SourceUnavailable || answer.Permitted() {
				t.Errorf("%s, while the source is down: %v, %v", name, answer, err)
			}
		}
	}
}
