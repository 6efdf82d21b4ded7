package cedar

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/policy"
)

// Every mistake of an operator is told with its file, its line and the policy.
func TestLoadRefuses(t *testing.T) {
	const ok = `@id("a") permit (principal, action == Action::"hold", resource) when { principal in resource };`
	for _, c := range []struct {
		name  string
		files []string
		want  string
	}{
		{"no Cedar", []string{"a.cedar", "\npermit (principal"}, "a.cedar:2: "},
		{"no id", []string{"a.cedar", "\n" + strings.TrimPrefix(ok, `@id("a") `)}, "a.cedar:2: a policy begins with @id"},
		{"id of another form", []string{"a.cedar", strings.Replace(ok, `"a"`, `"a b"`, 1)}, "a.cedar:1: a policy begins with @id"},
		{"one id twice", []string{"a.cedar", ok, "b.cedar", "\n\n" + ok}, `b.cedar:3: policy "a": another policy has this id, in a.cedar:1`},
		{"unknown annotation", []string{"a.cedar", "@maximum_valdity(\"1h\")\n" + ok}, "unknown annotation @maximum_valdity"},
		{"unknown type", []string{"a.cedar", strings.Replace(ok, "(principal,", "(principal is Persons,", 1)}, `a.cedar:1: policy "a": `},
		{"unknown action", []string{"a.cedar", strings.Replace(ok, `"hold"`, `"holds"`, 1)}, `unrecognized action`},
		{"unknown attribute of an entity", []string{"a.cedar", strings.Replace(ok, "principal in resource", `principal.name == "x"`, 1)}, `policy "a": `},
		{"types that do not fit", []string{"a.cedar", strings.Replace(ok, "principal in resource", `principal.kind == 3`, 1)}, `policy "a": `},
		{"an action that does not apply", []string{"a.cedar", strings.Replace(ok, "resource)", "resource is Profile)", 1)}, `policy "a": `},
		{"unknown attribute", []string{"a.cedar", `@id("a") @maximum_validity("1h") permit (principal is Person, action == Action::"release-attribute", resource == Attribute::"urn:x");`},
			`policy "a": there is no Attribute "urn:x"`},
		{"unknown profile", []string{"a.cedar", `@id("a") @maximum_validity("1h") permit (principal is Person, action == Action::"release-attribute", resource in Profile::"P");`},
			`policy "a": there is no Profile "P"`},
		{"unknown role", []string{"a.cedar", `@id("a") permit (principal in Role::"r", action == Action::"enter", resource);`}, `policy "a": there is no role "r"`},
		{"unknown role in a condition", []string{"a.cedar", `@id("a") permit (principal, action == Action::"enter", resource) when { principal in Role::"r" };`},
			`policy "a": there is no role "r"`},
		{"a certified attribute that there is not", []string{"a.cedar", `@id("a") permit (principal, action == Action::"enter", resource) when { principal.hasTag("urn:x") };`},
			`policy "a": no source certifies "urn:x"`},
		{"one that is computed", []string{"a.cedar", `@id("a") permit (principal, action == Action::"enter", resource) when { principal.hasTag("` + attrs.UserSession + `") };`},
			`policy "a": no source certifies`},
		{"one whose name is not written out", []string{"a.cedar", `@id("a") permit (principal, action == Action::"enter", resource) when { principal.hasTag(principal.kind) };`},
			`the name of a tag is written out`},
		{"of somebody else than the principal", []string{"x.cedarschema", `action "treat" appliesTo { principal: [Person], resource: [Person] };`,
			"a.cedar", `@id("a") forbid (principal, action == Action::"treat", resource) when { resource.hasTag("` + doctorBoolean + `") };`},
			`policy "a": certified attributes are read of the principal alone`},
		{"no window", []string{"a.cedar", `@id("a") permit (principal is Person, action == Action::"release-attribute", resource);`}, `policy "a": name a profile`},
		{"no window, action not said", []string{"a.cedar", `@id("a") permit (principal is Person, action, resource is Attribute);`}, `policy "a": name a profile`},
		{"a window that is none", []string{"a.cedar", `@id("a") @maximum_validity("0s") permit (principal is Person, action == Action::"release-attribute", resource);`}, "@maximum_validity: "},
		{"a window where none is", []string{"a.cedar", `@maximum_validity("1h") ` + ok}, `a window is for release-attribute`},
		{"a window of a forbid", []string{"a.cedar", `@id("a") @maximum_validity("1h") forbid (principal, action, resource);`}, "a forbid has no window"},
		{"fallback longer", []string{"a.cedar", `@id("a") @maximum_validity("1h") @fallback_maximum_validity("2h") permit (principal is Person, action == Action::"release-attribute", resource);`},
			"the window of fallback mode is longer"},
		{"attributes to everybody", []string{"a.cedar", `@id("a") @maximum_validity("1h") permit (principal, action == Action::"release-attribute", resource);`}, "it releases attributes to everybody"},
		{"on_denied", []string{"a.cedar", `@on_denied("maybe") ` + ok}, "@on_denied is refuse or omit"},
		{"a person without type", []string{"a.cedar", `@id("a") permit (principal == Person::"alice", action == Action::"enter", resource);`}, "a Person is named TYPE=value"},
		{"another file", []string{"a.ceder", ok}, "a.ceder: not a file of policies"},
		{"profiles that are wrong", []string{"profiles.yaml", "version: 1\nprofiles:\n  P: {attributes: []}\n"}, "profiles.yaml:3: "},
		{"rules beside profiles", []string{"profiles.yaml", "version: 1\nprofiles:\n  P: {maximum-validity: 1h, attributes: [{name: \"" + ssin + "\", namespace: identification}]}\n" +
			"rules: [{id: r, effect: permit, identity: {kinds: [eid]}, profiles: [P]}]\n"}, "profiles.yaml:4: rules stand in *.cedar"},
		{"a schema that is wrong", []string{"x.cedarschema", "\nentity X {"}, "x.cedarschema:2: "},
		{"a schema that changes ours", []string{"x.cedarschema", "entity Person;"}, "x.cedarschema: "},
		{"entities that are no list", []string{"x.json", "{}"}, "x.json:1: must be a list"},
		{"an entity with an unknown key", []string{"x.json", "[\n{\"uid\":{\"type\":\"Role\",\"id\":\"r\"},\"attrs\":{},\"parents\":[],\"attributes\":{}}]"}, `x.json:2: unknown key "attributes"`},
		{"an entity of an unknown type", []string{"x.json", `[{"uid":{"type":"Rolle","id":"r"},"attrs":{},"parents":[]}]`}, `x.json:1: Rolle "r": `},
		{"an entity twice", []string{"x.json", `[{"uid":{"type":"Role","id":"r"},"attrs":{},"parents":[]},` + "\n" + `{"uid":{"type":"Role","id":"r"},"attrs":{},"parents":[]}]`}, `x.json:2: Role "r": it stands in x.json:1 already`},
		{"in what there is not", []string{"x.json", `[{"uid":{"type":"Role","id":"r"},"attrs":{},"parents":[{"type":"Role","id":"s"}]}]`}, `which is not listed`},
		{"a role by what no source certifies", []string{"x.json", `[{"uid":{"type":"Role","id":"r"},"attrs":{"attribute":"urn:x"},"parents":[]}]`}, `role "r": no source certifies`},
		{"values without attribute", []string{"x.json", `[{"uid":{"type":"Role","id":"r"},"attrs":{"values":["1"]},"parents":[]}]`}, `role "r": values without attribute`},
		{"a value it cannot have", []string{"x.json", `[{"uid":{"type":"Role","id":"r"},"attrs":{"attribute":"` + doctorBoolean + `","values":["yes"]},"parents":[]}]`}, `a value that `},
		{"certified by the file", []string{"x.json", `[{"uid":{"type":"Person","id":"SSIN=00000000097"},"attrs":{},"parents":[],"tags":{"` + doctorBoolean + `":["true"]}}]`}, "certified attributes come from sources"},
		{"an attribute listed", []string{"x.json", `[{"uid":{"type":"Attribute","id":"x"},"attrs":{},"parents":[]}]`}, "are not listed here"},
		{"something after the list", []string{"x.json", "[]\n[]"}, "something stands after the list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load(Config{Files: files(c.files...), Catalogue: attrs.EHealth(), Attributes: registry(t)})
			if got := problems(err); !strings.Contains(got, c.want) {
				t.Errorf("problems:\n%s\nwant: %s", got, c.want)
			}
		})
	}
	if _, err := Load(Config{Files: files("a.cedar", ok), Catalogue: attrs.EHealth()}); err != nil {
		t.Errorf("what the cases change is itself wrong: %v", err)
	}
}

// What needs a source is refused where there is none; what does not is not.
func TestLoadWithoutSource(t *testing.T) {
	_, err := Load(Config{Files: os.DirFS("testdata/examples"), Catalogue: attrs.EHealth()})
	for _, want := range []string{`rbac.cedar:4: policy "doctors-enter-dtw": it speaks of certified attributes`, `policy "number-of-doctors-only": it speaks`} {
		if !strings.Contains(problems(err), want) {
			t.Errorf("problems:\n%s\nwant: %s", problems(err), want)
		}
	}
	if strings.Contains(problems(err), "operators-administer") {
		t.Errorf("a role that only members have needs no source:\n%s", problems(err))
	}
}

func TestLint(t *testing.T) {
	p, _ := examples(t)
	for _, problem := range p.Lint() {
		t.Errorf("the examples: %s", problem)
	}
	p = load(t, files("a.cedar", `
@id("open") permit (principal, action == Action::"enter", resource);
@id("closed") forbid (principal, action, resource);
@id("elsewhere") permit (principal, action == Action::"enter", resource == Application::"X");
@id("long") @maximum_validity("48h") permit (principal is Person, action == Action::"release-attribute", resource);`,
		"x.json", `[{"uid":{"type":"Role","id":"r"},"attrs":{},"parents":[]}]`,
		"profiles.yaml", "version: 1\nprofiles:\n  P: {maximum-validity: 1h, attributes: [{name: \""+ssin+"\", namespace: identification}]}\n"), nil)
	got := problems(&policy.Error{Problems: p.Lint()})
	for _, want := range []string{"a.cedar:2: policy \"open\": it permits", "a.cedar:3: policy \"closed\": it forbids everything", `no entity is Application "X"`,
		`policy "long": its window is above`, `role "r": no policy speaks of it`, `profiles.yaml:3: profile "P": no policy releases it`} {
		if !strings.Contains(got, want) {
			t.Errorf("warnings:\n%s\nwant: %s", got, want)
		}
	}
	var none *Policies
	if got := none.Lint(); len(got) != 1 {
		t.Errorf("nil: %v", got)
	}
}

// FuzzLoad: whatever stands in a file of policies, it is loaded or refused with a problem that has its place; what is loaded
// decides, and permits by a policy only.
func FuzzLoad(f *testing.F) {
	for _, name := range []string{"rbac", "abac", "zbac"} {
		text, err := os.ReadFile("testdata/examples/" + name + ".cedar")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(`@id("a") @maximum_validity("1h") permit (principal is Person, action, resource is Attribute) when { principal.identifier like "0*" };`)
	directory := os.DirFS("testdata/examples")
	content := func(name string) string {
		text, err := fs.ReadFile(directory, name)
		if err != nil {
			f.Fatal(err)
		}
		return string(text)
	}
	profiles, roles := content("profiles.yaml"), content("roles.json")
	f.Fuzz(func(t *testing.T, text string) {
		from := registry(t)
		p, err := Load(Config{Files: files("profiles.yaml", profiles, "roles.json", roles, "a.cedar", text), Catalogue: attrs.EHealth(), Attributes: from})
		if err != nil {
			if !strings.Contains(problems(err), "a.cedar") {
				t.Errorf("refused without a place: %v", err)
			}
			return
		}
		p.Lint()
		var d policy.Release
		if err := p.Release(t.Context(), ask(t, doctor, hospital, policy.ModeSession, ssin, doctorNumber), &d); err != nil {
			t.Error(err)
		}
		for _, decision := range d.Decisions {
			if decision.Permitted() && (decision.Rule() == "" || d.MaximumValidity <= 0) {
				t.Errorf("permitted by nothing, or without end: %s", told(&d))
			}
		}
	})
}

// TestProfiles: what is listed is the caller's.
func TestProfiles(t *testing.T) {
	p := load(t, files("profiles.yaml", "version: 1\nprofiles:\n  P: {maximum-validity: 1h, attributes: [{name: \""+ssin+"\", namespace: identification}]}\n"), nil)
	listed := p.Profiles()
	if len(listed) != 1 || listed[0].Name != "P" || listed[0].MaximumValidity != time.Hour || len(listed[0].Attributes) != 1 {
		t.Fatalf("%+v", listed)
	}
	listed[0].Name = "Q"
	if p.Profiles()[0].Name != "P" {
		t.Error("what was listed is what decides")
	}
	if (*Policies)(nil).Profiles() != nil {
		t.Error("no policies have profiles")
	}
}
