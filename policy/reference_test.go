package policy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sceau/attrs"
)

// reference decides as the package comment says, from the tables made for people, without any index.
func reference(rules []Rule, profiles []Profile, r *ReleaseRequest) (permitted []bool, maximum time.Duration, onDenied OnDenied) {
	matches := func(m Match, who Requestor) bool {
		id := who.IdentifierType + "=" + who.Identifier
		if len(m.Kinds) > 0 && !slices.Contains(m.Kinds, who.Kind) || len(m.IdentifierTypes) > 0 && !slices.Contains(m.IdentifierTypes, who.IdentifierType) {
			return false
		}
		return len(m.Identifiers)+len(m.IdentifierPrefixes) == 0 || slices.Contains(m.Identifiers, id) ||
			slices.ContainsFunc(m.IdentifierPrefixes, func(p string) bool { return strings.HasPrefix(id, p) })
	}
	profile := func(name string) Profile {
		return profiles[slices.IndexFunc(profiles, func(p Profile) bool { return p.Name == name })]
	}
	var matching []Rule
	for _, rule := range rules {
		if matches(rule.Identity, r.Identity) && matches(rule.Holder, r.Holder) && (len(rule.Modes) == 0 || slices.Contains(rule.Modes, r.Mode)) {
			matching = append(matching, rule)
		}
	}
	omits, refuses := false, false
	for _, rule := range matching {
		if rule.Permit {
			omits = omits || rule.OnDenied == Omit
			refuses = refuses || rule.OnDenied == Refuse
		}
	}
	for _, d := range r.Attributes {
		longest, denied := time.Duration(0), false
		for _, rule := range matching {
			holds := func(name string) bool { return slices.Contains(profile(name).Attributes, d) }
			if !rule.Permit {
				if rule.Everything || slices.Contains(rule.Attributes, d) || slices.ContainsFunc(rule.Profiles, holds) {
					denied = true
					refuses = refuses || rule.OnDenied == Refuse
				}
				continue
			}
			for _, name := range rule.Profiles {
				if holds(name) {
					m := profile(name).MaximumValidity
					if r.Mode == ModeFallback {
						m = profile(name).FallbackMaximumValidity
					}
					longest = max(longest, m)
				}
			}
		}
		ok := longest > 0 && !denied
		permitted = append(permitted, ok)
		if ok && (maximum == 0 || longest < maximum) {
			maximum = longest
		}
	}
	if maximum > 0 && omits && !refuses {
		onDenied = Omit
	}
	return permitted, maximum, onDenied
}

func TestRulesDecideAsTheyRead(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		file := profilesYAML + "rules:\n"
		for i := range rapid.IntRange(1, 8).Draw(rt, "rules") {
			file += anyRule(fmt.Sprintf("r%d", i), "permit", "permit", "deny").Draw(rt, "rule")
		}
		rules, err := Load(strings.NewReader(file), attrs.EHealth())
		if err != nil {
			rt.Fatal(err)
		}
		r := anyRequest(t).Draw(rt, "request")
		var d Release
		if err := rules.Release(context.Background(), r, &d); err != nil {
			rt.Fatal(err)
		}
		permitted, maximum, onDenied := reference(rules.Rules(), rules.Profiles(), r)
		for i, decision := range d.Decisions {
			if decision.Permitted() != permitted[i] {
				rt.Fatalf("%s: decided %v, by %q", r.Attributes[i].Name, decision.Permitted(), decision.Rule())
			}
		}
		if d.MaximumValidity != maximum || d.OnDenied != onDenied {
			rt.Fatalf("%v, %v; want %v, %v", d.MaximumValidity, d.OnDenied, maximum, onDenied)
		}
	})
}
