package cedar

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sceau/attrs"
	"sceau/policy"
)

// Random rule files, written once for policy.Load and once as policies of Cedar, give the same decisions: which attributes,
// because of which rule, by which profiles, for how long, and what becomes of the rest.
func TestAgreesWithRuleFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFile(t)
		rules, err := policy.Load(strings.NewReader(f.profiles()+f.rules()), attrs.EHealth())
		for strings.Contains(problems(err), "it can never ") { // which the rule file refuses, and Cedar lets pass
			f.drop(problems(err))
			rules, err = policy.Load(strings.NewReader(f.profiles()+f.rules()), attrs.EHealth())
		}
		if err != nil {
			t.Fatalf("%v\n%s%s", err, f.profiles(), f.rules())
		}
		p, err := Load(Config{Files: files("profiles.yaml", f.profiles(), "rules.cedar", f.cedar()), Catalogue: attrs.EHealth()})
		if err != nil {
			t.Fatalf("%v\n%s", err, f.cedar())
		}
		var want, got policy.Release
		for range 8 {
			r := drawRequest(t)
			if err := rules.Release(t.Context(), r, &want); err != nil {
				t.Fatal(err)
			}
			if err := p.Release(t.Context(), r, &got); err != nil {
				t.Fatal(err)
			}
			if a, b := told(&want), told(ruleNames(&got)); a != b {
				t.Fatalf("%+v\nrules: %s\nCedar: %s\n%s%s\n%s", *r, a, b, f.profiles(), f.rules(), f.cedar())
			}
		}
	})
}

// ruleNames gives a release in which policies have the names of the rules they were made of: r1 for r1.2.
func ruleNames(d *policy.Release) *policy.Release {
	named := *d
	named.Decisions = nil
	for _, decision := range d.Decisions {
		first, _, _ := strings.Cut(decision.Rule(), " ")
		rule, _, _ := strings.Cut(first, ".")
		if decision.Permitted() {
			named.Decisions = append(named.Decisions, policy.Permit(rule))
		} else {
			named.Decisions = append(named.Decisions, policy.Deny(rule))
		}
	}
	return &named
}

var (
	someNames = []string{ssin, doctorBoolean, doctorNumber, givenName}
	someKinds = []string{policy.KindEID, policy.KindEHealthPerson, policy.KindEHealthOrganisation}
	someModes = []string{policy.ModeSession, policy.ModeEIDOnly, policy.ModeFallback}
	people    = []policy.Requestor{doctor, layman, {Kind: policy.KindEHealthPerson, IdentifierType: "NIHII11", Identifier: "10000007004"}, hospital}
	machines  = []policy.Requestor{doctor, hospital, stolen, {Kind: policy.KindEHealthOrganisation, IdentifierType: "NIHII-PHARMACY", Identifier: "71000436"}}
)

// A file is a rule file before it is written in either form.
type file struct {
	members [][]int // of each profile: attributes, by their place in someNames
	windows []int   // in minutes, all different
	short   []int   // in fallback mode; zero: none
	entries []entry
	omit    bool // of all permits: the rule file asks those that match, Cedar those that determine
}

// drop takes out the first rule that a complaint names.
func (f *file) drop(complaint string) {
	f.entries = slices.DeleteFunc(f.entries, func(e entry) bool { return strings.Contains(complaint, strconv.Quote(e.id)) })
}

type entry struct {
	id               string
	deny             bool
	omit             bool
	identity, holder matcher
	modes            []string
	profiles, listed []int
}

type matcher struct{ kinds, types, identifiers, prefixes []string }

func some[T any](t *rapid.T, from []T, least int, name string) []T {
	picked := rapid.SliceOfNDistinct(rapid.IntRange(0, len(from)-1), least, len(from), rapid.ID[int]).Draw(t, name)
	slices.Sort(picked)
	var all []T
	for _, i := range picked {
		all = append(all, from[i])
	}
	return all
}

func drawFile(t *rapid.T) *file {
	f := &file{omit: rapid.Bool().Draw(t, "omit")}
	places := []int{0, 1, 2, 3}
	for i := range rapid.IntRange(1, 4).Draw(t, "profiles") {
		f.members = append(f.members, some(t, places, 1, "members"))
		f.windows = append(f.windows, 60*rapid.IntRange(2, 9).Draw(t, "window")+i)
		f.short = append(f.short, rapid.SampledFrom([]int{0, 30 + i, 50 - i}).Draw(t, "short"))
	}
	numbers := places[:len(f.members)]
	for range rapid.IntRange(1, 6).Draw(t, "rules") {
		e := entry{deny: rapid.IntRange(0, 2).Draw(t, "deny") == 0, omit: f.omit, holder: drawMatcher(t, machines)}
		e.modes = some(t, someModes, 0, "modes")
		if e.deny {
			e.omit = rapid.Bool().Draw(t, "omit")
			e.identity = drawMatcher(t, people)
			e.profiles, e.listed = some(t, numbers, 0, "denied"), some(t, places, 0, "listed")
		} else {
			e.identity = drawMatcher(t, people)
			if len(e.identity.kinds)+len(e.identity.types)+len(e.identity.identifiers)+len(e.identity.prefixes) == 0 {
				e.identity.kinds = someKinds
			}
			e.profiles = some(t, numbers, 1, "granted")
		}
		e.id = fmt.Sprintf("r%d", len(f.entries))
		f.entries = append(f.entries, e)
	}
	return f
}

func drawMatcher(t *rapid.T, of []policy.Requestor) matcher {
	var m matcher
	one := rapid.SampledFrom(of).Draw(t, "matched")
	switch rapid.IntRange(0, 5).Draw(t, "how") {
	case 0:
		m.kinds = []string{one.Kind}
	case 1:
		m.types = []string{one.IdentifierType}
	case 2:
		m.identifiers = []string{one.IdentifierType + "=" + one.Identifier}
	case 3:
		m.prefixes = []string{one.IdentifierType + "=" + one.Identifier[:2]}
	case 4:
		m.kinds = []string{one.Kind}
		m.identifiers = []string{one.IdentifierType + "=" + one.Identifier}
		if other := rapid.SampledFrom(of).Draw(t, "other"); other.Kind == one.Kind && other != one {
			m.prefixes = []string{other.IdentifierType + "=" + other.Identifier[:3]}
		}
	}
	return m
}

func drawRequest(t *rapid.T) *policy.ReleaseRequest {
	r := &policy.ReleaseRequest{
		Identity: rapid.SampledFrom(people).Draw(t, "identity"), Holder: rapid.SampledFrom(machines).Draw(t, "holder"),
		Mode: rapid.SampledFrom(someModes).Draw(t, "mode"), At: start,
	}
	for _, name := range some(t, someNames, 1, "asked") {
		for d := range attrs.EHealth().All() {
			if d.Name == name {
				r.Attributes = append(r.Attributes, d)
			}
		}
	}
	return r
}

func designator(place int) string {
	namespace := "certified"
	if someNames[place] == ssin {
		namespace = "identification"
	}
	return fmt.Sprintf(`{name: %q, namespace: %s}`, someNames[place], namespace)
}

func (f *file) profiles() string {
	var b strings.Builder
	b.WriteString("version: 1\nprofiles:\n")
	for i, members := range f.members {
		fmt.Fprintf(&b, "  P%d:\n    maximum-validity: %dm\n", i, f.windows[i])
		if f.short[i] > 0 {
			fmt.Fprintf(&b, "    fallback-maximum-validity: %dm\n", f.short[i])
		}
		b.WriteString("    attributes:\n")
		for _, place := range members {
			fmt.Fprintf(&b, "      - %s\n", designator(place))
		}
	}
	return b.String()
}

func (f *file) rules() string {
	var b strings.Builder
	if len(f.entries) == 0 {
		return ""
	}
	b.WriteString("rules:\n")
	list := func(key string, texts []string) {
		if len(texts) > 0 {
			fmt.Fprintf(&b, "%s: [%s]\n", key, strings.Join(texts, ", "))
		}
	}
	for _, e := range f.entries {
		effect, onDenied := "permit", "refuse"
		if e.deny {
			effect = "deny"
		}
		if e.omit {
			onDenied = "omit"
		}
		fmt.Fprintf(&b, "  - id: %s\n    effect: %s\n    on-denied: %s\n", e.id, effect, onDenied)
		for _, m := range []struct {
			key string
			matcher
		}{{"identity", e.identity}, {"holder", e.holder}} {
			if fmt.Sprint(m.matcher) == fmt.Sprint(matcher{}) {
				continue
			}
			fmt.Fprintf(&b, "    %s:\n", m.key)
			list("      kinds", m.kinds)
			list("      identifier-types", m.types)
			list("      identifiers", m.identifiers)
			list("      identifier-prefixes", m.prefixes)
		}
		list("    modes", e.modes)
		var names, listed []string
		for _, n := range e.profiles {
			names = append(names, fmt.Sprintf("P%d", n))
		}
		for _, place := range e.listed {
			listed = append(listed, designator(place))
		}
		list("    profiles", names)
		list("    attributes", listed)
	}
	return b.String()
}

// cedar writes each rule as one policy for each profile and attribute that it names.
func (f *file) cedar() string {
	var b strings.Builder
	for _, e := range f.entries {
		var resources []string
		for _, n := range e.profiles {
			resources = append(resources, fmt.Sprintf(`resource in Profile::"P%d"`, n))
		}
		for _, place := range e.listed {
			word := "certified:"
			if someNames[place] == ssin {
				word = "identification:"
			}
			resources = append(resources, fmt.Sprintf(`resource == Attribute::"%s%s"`, word, someNames[place]))
		}
		if len(resources) == 0 {
			resources = []string{"resource"}
		}
		effect, onDenied := "permit", "refuse"
		if e.deny {
			effect = "forbid"
		}
		if e.omit {
			onDenied = "omit"
		}
		conditions := append(e.identity.conditions("principal"), e.holder.conditions("context.holder")...)
		if len(e.modes) > 0 {
			conditions = append(conditions, fmt.Sprintf(`["%s"].contains(context.mode)`, strings.Join(e.modes, `", "`)))
		}
		when := ""
		if len(conditions) > 0 {
			when = " when { " + strings.Join(conditions, " && ") + " }"
		}
		for n, resource := range resources {
			fmt.Fprintf(&b, "@id(\"%s.%d\") @on_denied(\"%s\") %s (principal, action == Action::\"release-attribute\", %s)%s;\n", e.id, n, onDenied, effect, resource, when)
		}
	}
	return b.String()
}

func (m matcher) conditions(of string) []string {
	var all, either []string
	if len(m.kinds) > 0 {
		all = append(all, fmt.Sprintf(`["%s"].contains(%s.kind)`, strings.Join(m.kinds, `", "`), of))
	}
	if len(m.types) > 0 {
		all = append(all, fmt.Sprintf(`["%s"].contains(%s.identifierType)`, strings.Join(m.types, `", "`), of))
	}
	for _, text := range m.identifiers {
		t, value, _ := strings.Cut(text, "=")
		either = append(either, fmt.Sprintf(`%s.identifierType == "%s" && %s.identifier == "%s"`, of, t, of, value))
	}
	for _, text := range m.prefixes {
		t, value, _ := strings.Cut(text, "=")
		either = append(either, fmt.Sprintf(`%s.identifierType == "%s" && %s.identifier like "%s*"`, of, t, of, value))
	}
	if len(either) > 0 {
		all = append(all, "("+strings.Join(either, " || ")+")")
	}
	return all
}

// BenchmarkRelease: what one of n policies costs, when each is about another organisation, another profile or both. It
// does not grow with n.
func BenchmarkRelease(b *testing.B) {
	for _, n := range []int{10, 100, 1_000, 10_000} {
		b.Run(fmt.Sprintf("policies=%d", n), func(b *testing.B) {
			p := load(b, files("profiles.yaml", manyProfiles, "many.cedar", manyPolicies(n)), nil)
			r := ask(b, hospital, hospital, policy.ModeSession, ssin, doctorBoolean)
			var d policy.Release
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Release(ctx, r, &d); err != nil || !d.Decisions[0].Permitted() || !d.Decisions[1].Permitted() || d.MaximumValidity != 4*time.Hour {
					b.Fatal(err, told(&d))
				}
			}
		})
	}
}

const manyProfiles = `version: 1
profiles:
  APP2:
    maximum-validity: 4h
    attributes:
      - {name: "urn:be:fgov:person:ssin", namespace: identification}
      - {name: "urn:be:fgov:person:ssin:doctor:boolean", namespace: certified}
  OTHER:
    maximum-validity: 4h
    attributes:
      - {name: "urn:be:fgov:person:ssin:ehealth:1.0:givenname", namespace: certified}
`

func manyPolicies(n int) string {
	var b strings.Builder
	b.WriteString(`@id("ours") permit (principal == Organisation::"NIHII-HOSPITAL=71000436", action == Action::"release-attribute", resource in Profile::"APP2");` + "\n")
	for i := 1; i < n; i++ {
		profile := []string{"APP2", "OTHER"}[i%2]
		fmt.Fprintf(&b, "@id(\"p%d\") permit (principal == Organisation::\"NIHII-HOSPITAL=%08d\", action == Action::\"release-attribute\", resource in Profile::\"%s\")\n"+
			"when { context.mode == \"session\" };\n", i, 72000000+i, profile)
	}
	return b.String()
}

// Of ten thousand policies a request is evaluated against those alone that can hold for it.
func TestSliced(t *testing.T) {
	p := load(t, files("profiles.yaml", manyProfiles, "many.cedar", manyPolicies(10_000)), nil)
	keys := p.keysOf(party{Organisation, hospital.Kind, hospital.IdentifierType, hospital.Identifier}.uid(), p.entities)
	n := 0
	for _, k := range keys {
		n += len(p.releases[definition(t, doctorBoolean)].rules[k])
	}
	if n != 1 {
		t.Errorf("%d policies can hold", n)
	}
}
