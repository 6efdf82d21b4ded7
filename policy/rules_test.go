package policy

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sceau/attrs"
)

func TestRelease(t *testing.T) {
	rules := mustLoad(t, rulesYAML)
	tests := []struct {
		name             string
		identity, holder Requestor
		mode             string
		names            []string
		want             string
		profiles         string
		maximum          time.Duration
		onDenied         OnDenied
	}{
		{"APP2", alice, company, ModeSession, []string{personSSIN, doctorBoolean}, "+doctors +doctors", "APP1 APP2", 4 * time.Hour, Omit},
		{"APP1", alice, company, ModeSession, []string{personSSIN, doctorNIHII}, "+doctors +doctors", "APP1", 12 * time.Hour, Omit},
		{"both", alice, company, ModeSession, []string{doctorNIHII, doctorBoolean}, "+doctors +doctors", "APP1 APP2", 4 * time.Hour, Omit},
		{"what no profile holds", alice, company, ModeSession, []string{doctorBoolean, nurseBoolean}, "+doctors -", "APP2", 4 * time.Hour, Omit},
		{"nothing permitted is never omitted", alice, company, ModeSession, []string{nurseBoolean}, "-", "", 0, Refuse},
		{"nothing asked", alice, company, ModeSession, nil, "", "", 0, Refuse},
		{"identifier and prefix", alice, hospital, ModeSession, []string{doctorBoolean, givenName}, "+doctors +names", "APP2 NAMES", 4 * time.Hour, Omit},
		{"another person", other, hospital, ModeSession, []string{doctorBoolean, givenName}, "+doctors -", "APP2", 4 * time.Hour, Omit},
		{"another hospital", alice, Requestor{KindEHealthOrganisation, "NIHII-HOSPITAL", "70000001"}, ModeSession, []string{givenName}, "-", "", 0, Refuse},
		{"the same digits of another type", alice, pharmacy, ModeSession, []string{doctorBoolean, givenName}, "- -", "", 0, Refuse},
		{"another kind of holder", alice, doctor, ModeSession, []string{doctorBoolean}, "-", "", 0, Refuse},
		{"eID only", alice, alice, ModeEIDOnly, []string{doctorBoolean}, "-", "", 0, Refuse},
		{"a stolen key: deny wins", alice, stolen, ModeSession, []string{personSSIN, doctorNIHII, nurseBoolean}, "-lost-key -lost-key -lost-key", "", 0, Refuse},
		{"one attribute denied, omitted", alice, clinic, ModeSession, []string{doctorNIHII, doctorBoolean}, "-no-number +doctors", "APP2", 4 * time.Hour, Omit},
		{"fallback is shorter, and not for every profile", doctor, company, ModeFallback, []string{doctorNIHII, doctorBoolean}, "+fallback -", "APP1", time.Hour, Refuse},
		{"an eID rule in fallback", stolenAs(KindEHealthPerson), company, ModeFallback, []string{doctorNIHII}, "+fallback", "APP1", time.Hour, Refuse},
		{"a service", Requestor{KindService, "", ""}, company, ModeFallback, []string{doctorNIHII}, "-", "", 0, Refuse},
	}
	var d Release // used again and again, as the sts does
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := rules.Release(context.Background(), ask(t, test.identity, test.holder, test.mode, test.names...), &d); err != nil {
				t.Fatal(err)
			}
			if got := told(&d); got != test.want {
				t.Errorf("decided %q, want %q", got, test.want)
			}
			if got := strings.Join(d.Profiles, " "); got != test.profiles || d.MaximumValidity != test.maximum || d.OnDenied != test.onDenied {
				t.Errorf("got %q for %v, %v", got, d.MaximumValidity, d.OnDenied)
			}
		})
	}
}

func stolenAs(kind string) Requestor { return Requestor{kind, "NIHII", "10000007"} }

// Zero values refuse: a decision, a release, rules, no rules, requests that say too little.
func TestZeroValuesDeny(t *testing.T) {
	if (Decision{}).Permitted() || Permit("").Permitted() || Deny("x").Permitted() {
		t.Error("a Decision that nobody made permits")
	}
	if !Permit("x").Permitted() || Permit("x").Rule() != "x" || Deny("x").Rule() != "x" {
		t.Error("a Decision of another PDP is not what it was made")
	}
	if d := (Release{}); len(d.Decisions) != 0 || d.MaximumValidity != 0 || d.OnDenied != Refuse {
		t.Error("the zero Release permits")
	}
	empty := mustLoad(t, "")
	for name, rules := range map[string]*Rules{"nil": nil, "zero": {}, "empty file": empty, "no rules": mustLoad(t, profilesYAML)} {
		d := release(t, rules, ask(t, alice, company, ModeSession, personSSIN, doctorBoolean))
		if told(d) != "- -" || d.MaximumValidity != 0 || d.OnDenied != Refuse {
			t.Errorf("%s: %s for %v", name, told(d), d.MaximumValidity)
		}
	}
	d := &Release{Decisions: []Decision{{permitted: true}}, MaximumValidity: time.Hour, OnDenied: Omit, Profiles: []string{"x"}}
	rules := mustLoad(t, rulesYAML)
	for name, change := range map[string]func(*ReleaseRequest){
		"no mode":           func(r *ReleaseRequest) { r.Mode = "" },
		"unknown mode":      func(r *ReleaseRequest) { r.Mode = "Session" },
		"no identity":       func(r *ReleaseRequest) { r.Identity = Requestor{} },
		"unknown kind":      func(r *ReleaseRequest) { r.Identity.Kind = "nobody" },
		"no holder":         func(r *ReleaseRequest) { r.Holder = Requestor{} },
		"no instant":        func(r *ReleaseRequest) { r.At = time.Time{} },
		"nothing whatever ": func(r *ReleaseRequest) { *r = ReleaseRequest{Attributes: r.Attributes} },
	} {
		r := ask(t, alice, company, ModeSession, personSSIN, doctorBoolean)
		change(r)
		if err := rules.Release(context.Background(), r, d); reasonOf(err) != InvalidRequest {
			t.Errorf("%s: %v", name, err)
		}
		if told(d) != "- -" || d.MaximumValidity != 0 || d.OnDenied != Refuse || len(d.Profiles) != 0 {
			t.Errorf("%s: an error permits: %s", name, told(d))
		}
	}
}

// A definition that is not of the catalogue of the rules is denied, whatever its name.
func TestForeignDefinitionsAreDenied(t *testing.T) {
	rules := mustLoad(t, rulesYAML)
	copied := *definition(t, doctorBoolean)
	r := ask(t, alice, company, ModeSession, doctorBoolean)
	r.Attributes = append(r.Attributes, &copied, nil)
	if got := told(release(t, rules, r)); got != "+doctors - -" {
		t.Error(got)
	}
	r.Holder = stolen
	if got := told(release(t, rules, r)); got != "-lost-key -lost-key -lost-key" {
		t.Error(got)
	}
}

// Granting more never shortens a window: of several granted profiles the longest counts.
func TestLongestGrantedProfileIsUsed(t *testing.T) {
	file := profilesYAML + `  LONG:
    maximum-validity: 20h
    attributes: [{name: "urn:be:fgov:person:ssin:doctor:boolean", namespace: certified}]
rules:
  - {id: short, effect: permit, identity: {kinds: [eid]}, profiles: [APP2]}
  - {id: long, effect: permit, identity: {kinds: [eid]}, holder: {kinds: [ehealth-organisation]}, profiles: [LONG]}
`
	rules := mustLoad(t, file)
	if d := release(t, rules, ask(t, alice, company, ModeSession, doctorBoolean)); told(d) != "+long" || d.MaximumValidity != 20*time.Hour || d.Profiles[0] != "LONG" {
		t.Errorf("%s for %v by %v", told(d), d.MaximumValidity, d.Profiles)
	}
	if d := release(t, rules, ask(t, alice, alice, ModeEIDOnly, doctorBoolean)); told(d) != "+short" || d.MaximumValidity != 4*time.Hour {
		t.Errorf("%s for %v", told(d), d.MaximumValidity)
	}
}

// Refusing wins over omitting.
func TestRefusingWins(t *testing.T) {
	const permit = "  - {id: a, effect: permit, identity: {kinds: [eid]}, profiles: [APP2], on-denied: omit}\n"
	tests := []struct {
		name, more string
		want       OnDenied
	}{
		{"omit alone", "", Omit},
		{"another permit rule refuses", "  - {id: b, effect: permit, identity: {kinds: [eid]}, profiles: [NAMES]}\n", Refuse},
		{"one that does not match", "  - {id: b, effect: permit, identity: {kinds: [ehealth-person]}, profiles: [NAMES]}\n", Omit},
		{"a deny rule refuses", "  - {id: b, effect: deny, profiles: [NAMES]}\n", Refuse},
		{"a deny rule omits", "  - {id: b, effect: deny, profiles: [NAMES], on-denied: omit}\n", Omit},
		{"a deny rule about something else", "  - {id: b, effect: deny, profiles: [APP1], holder: {kinds: [eid]}}\n", Omit},
		{"one denies and omits, one denies and refuses", "  - {id: b, effect: deny, profiles: [NAMES], on-denied: omit}\n  - {id: c, effect: deny, profiles: [NAMES]}\n", Refuse},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rules := mustLoad(t, profilesYAML+"rules:\n"+permit+test.more)
			if d := release(t, rules, ask(t, alice, company, ModeSession, doctorBoolean, givenName)); d.OnDenied != test.want || !d.Decisions[0].Permitted() {
				t.Errorf("%v, %s", d.OnDenied, told(d))
			}
		})
	}
}

func anyRule(id string, effects ...string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
		effect := pick("effect", effects...)
		rule := fmt.Sprintf("  - id: %s\n    effect: %s\n", id, effect)
		identity := pick("identity", "", "{kinds: [eid]}", "{kinds: [eid, ehealth-person]}", "{identifiers: [SSIN=00000000097]}", "{identifier-types: [SSIN, NIHII11]}")
		if identity == "" && effect == "permit" {
			identity = "{kinds: [eid, ehealth-person, ehealth-organisation, service]}"
		}
		if identity != "" {
			rule += "    identity: " + identity + "\n"
		}
		if holder := pick("holder", "", "{kinds: [ehealth-organisation]}", "{identifier-prefixes: [NIHII-HOSPITAL=71, CBE=0]}", "{identifiers: [CBE=0809394427]}",
			"{identifiers: [CBE=0417497106], identifier-prefixes: [NIHII-HOSPITAL=7]}"); holder != "" {
			rule += "    holder: " + holder + "\n"
		}
		profiles := pick("profiles", "[APP1]", "[APP1, NAMES]", "[APP2]", "[APP1, APP2, NAMES]", "")
		if profiles == "" && effect == "permit" {
			profiles = "[NAMES]"
		}
		if profiles != "" {
			rule += "    profiles: " + profiles + "\n"
		}
		if effect == "deny" && rapid.Bool().Draw(t, "listed") {
			rule += "    attributes: [{name: \"" + doctorBoolean + "\", namespace: certified}]\n"
		}
		return rule + "    on-denied: " + pick("on-denied", "refuse", "omit") + "\n"
	})
}

func anyRequest(tb testing.TB) *rapid.Generator[*ReleaseRequest] {
	return rapid.Custom(func(t *rapid.T) *ReleaseRequest {
		r := &ReleaseRequest{
			Identity: rapid.SampledFrom([]Requestor{alice, other, doctor, stolenAs(KindEHealthPerson), company}).Draw(t, "identity"),
			Holder:   rapid.SampledFrom([]Requestor{alice, hospital, stolen, company, pharmacy}).Draw(t, "holder"),
			Mode:     rapid.SampledFrom(modeNames[:]).Draw(t, "mode"), At: start,
		}
		for range rapid.IntRange(1, 6).Draw(t, "attributes") {
			r.Attributes = append(r.Attributes, definition(tb, rapid.SampledFrom([]string{personSSIN, doctorBoolean, doctorNIHII, nurseBoolean, givenName}).Draw(t, "name")))
		}
		return r
	})
}

// Monotonicity: adding a deny rule never permits more, adding a permit rule never permits less, whatever the order of
// rules, and what is decided is what the definition in the package comment says.
func TestDecisionsAreMonotonic(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var rules []string
		for i := range rapid.IntRange(1, 5).Draw(rt, "rules") {
			rules = append(rules, anyRule(fmt.Sprintf("r%d", i), "permit", "permit", "deny").Draw(rt, "rule"))
		}
		load := func(rules []string) *Rules {
			p, err := Load(strings.NewReader(profilesYAML+"rules:\n"+strings.Join(rules, "")), attrs.EHealth())
			if err != nil {
				rt.Fatalf("%v", err)
			}
			return p
		}
		r := anyRequest(t).Draw(rt, "request")
		decide := func(rules []string) *Release {
			var d Release
			if err := load(rules).Release(context.Background(), r, &d); err != nil {
				rt.Fatal(err)
			}
			return &d
		}
		before := decide(rules)
		at := rapid.IntRange(0, len(rules)).Draw(rt, "at")
		with := func(more string) []string {
			return append(append(append([]string{}, rules[:at]...), more), rules[at:]...)
		}
		denied, granted := decide(with(anyRule("more", "deny").Draw(rt, "deny"))), decide(with(anyRule("more", "permit").Draw(rt, "permit")))
		shuffled := decide(rapid.Permutation(rules).Draw(rt, "order"))
		for i := range r.Attributes {
			if denied.Decisions[i].Permitted() && !before.Decisions[i].Permitted() {
				rt.Fatalf("a deny rule permits %s", r.Attributes[i].Name)
			}
			if !granted.Decisions[i].Permitted() && before.Decisions[i].Permitted() {
				rt.Fatalf("a permit rule denies %s", r.Attributes[i].Name)
			}
			if shuffled.Decisions[i].Permitted() != before.Decisions[i].Permitted() {
				rt.Fatalf("the order of rules decides %s", r.Attributes[i].Name)
			}
		}
		if denied.OnDenied == Omit && before.OnDenied == Refuse && told(before) == told(denied) {
			rt.Fatal("a deny rule makes a refusal milder")
		}
		if shuffled.OnDenied != before.OnDenied || shuffled.MaximumValidity != before.MaximumValidity {
			rt.Fatal("the order of rules matters")
		}
		if permitted := strings.Contains(told(before), "+"); permitted != (before.MaximumValidity > 0) || permitted != (len(before.Profiles) > 0) {
			rt.Fatalf("%s for %v by %v", told(before), before.MaximumValidity, before.Profiles)
		}
		if r.Mode == ModeFallback && before.MaximumValidity > time.Hour {
			rt.Fatalf("%v in fallback mode", before.MaximumValidity)
		}
	})
}

func TestReleaseAllocatesNothing(t *testing.T) {
	rules, r := benchmark(t, 20)
	var d Release
	ctx := context.Background()
	if err := rules.Release(ctx, r, &d); err != nil || !d.Decisions[0].Permitted() {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if err := rules.Release(ctx, r, &d); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// benchmark makes n rules: ten for everybody, the others for one software or one institution each, every
// tenth of which denies; and a request for ten attributes.
func benchmark(tb testing.TB, n int) (*Rules, *ReleaseRequest) {
	var file strings.Builder
	file.WriteString("version: 1\nprofiles:\n")
	var all []*attrs.Definition
	for d := range attrs.EHealth().All() {
		if d.Kind == attrs.Boolean {
			all = append(all, d)
		}
	}
	for i := range 10 {
		fmt.Fprintf(&file, "  P%d:\n    maximum-validity: %dh\n    attributes:\n", i, 2+i)
		for k := range 4 {
			d := all[(i+k)%10]
			fmt.Fprintf(&file, "      - {name: %q, namespace: %q}\n", d.Name, d.Namespace)
		}
	}
	file.WriteString("rules:\n")
	for i := range n {
		switch {
		case i < 10:
			fmt.Fprintf(&file, "  - {id: r%d, effect: permit, identity: {kinds: [eid]}, holder: {kinds: [ehealth-organisation], identifier-types: [CBE]}, profiles: [P%d]}\n", i, i%10)
		case i%10 == 9:
			fmt.Fprintf(&file, "  - {id: d%d, effect: deny, holder: {identifiers: [EHP=%010d]}}\n", i, i)
		default:
			fmt.Fprintf(&file, "  - {id: r%d, effect: permit, identity: {kinds: [eid]}, holder: {identifiers: [NIHII-HOSPITAL=%08d]}, profiles: [P%d]}\n", i, i, i%10)
		}
	}
	return mustLoad(tb, file.String()), &ReleaseRequest{Identity: alice, Holder: company, Mode: ModeSession, At: start, Attributes: all[:10]}
}

func BenchmarkRelease(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			rules, r := benchmark(b, n)
			var d Release
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if err := rules.Release(ctx, r, &d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
