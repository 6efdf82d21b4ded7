package policy

import (
	"maps"
	"slices"
	"time"

	"sceau/attrs"
)

// A Profile is a profile of the rule file, for tables made for people.
type Profile struct {
	Name, Description string
	Line              int
	Attributes        []*attrs.Definition
	// MaximumValidity bounds an assertion; FallbackMaximumValidity in fallback mode, where zero means not at all.
	MaximumValidity, FallbackMaximumValidity time.Duration
	// GrantedBy and DeniedBy are the rules that name the profile.
	GrantedBy, DeniedBy []string
}

// A Rule is a rule of the rule file, for tables made for people. Lists that do not restrict are empty.
type Rule struct {
	ID, Description  string
	Line             int
	Permit           bool
	Identity, Holder Match
	Modes            []string
	Profiles         []string
	Attributes       []*attrs.Definition // denied besides those of Profiles
	Everything       bool                // a deny rule that lists nothing
	OnDenied         OnDenied
}

// A Match is what a rule asks of a certificate.
type Match struct {
	Kinds, IdentifierTypes, Identifiers, IdentifierPrefixes []string
}

// Profiles gives the profiles in the order of the file; the caller may change them.
func (p *Rules) Profiles() []Profile {
	if p == nil {
		return nil
	}
	all := make([]Profile, len(p.profiles))
	for i := range p.profiles {
		from := &p.profiles[i]
		all[i] = Profile{
			Name: from.name, Description: from.description, Line: from.line, Attributes: slices.Clone(from.attributes),
			MaximumValidity: from.maximum, FallbackMaximumValidity: from.fallbackMaximum,
		}
	}
	for i := range p.rules {
		r := &p.rules[i]
		for _, n := range r.profiles {
			if r.deny {
				all[n].DeniedBy = append(all[n].DeniedBy, r.id)
			} else {
				all[n].GrantedBy = append(all[n].GrantedBy, r.id)
			}
		}
	}
	return all
}

// Rules gives the rules in the order of the file; the caller may change them.
func (p *Rules) Rules() []Rule {
	if p == nil {
		return nil
	}
	all := make([]Rule, len(p.rules))
	for i := range p.rules {
		from := &p.rules[i]
		all[i] = Rule{
			ID: from.id, Description: from.description, Line: from.line, Permit: !from.deny,
			Identity: from.identity.table(), Holder: from.holder.table(), Modes: named(uint8(from.modes), modeNames[:]),
			Attributes: slices.Clone(from.listed), Everything: from.deniesAll(), OnDenied: from.onDenied,
		}
		for _, n := range from.profiles {
			all[i].Profiles = append(all[i].Profiles, p.profiles[n].name)
		}
	}
	return all
}

func (m *match) table() Match {
	t := Match{Kinds: named(uint8(m.kinds), kindNames[:]), IdentifierTypes: slices.Sorted(maps.Keys(m.types))}
	for id := range m.identifiers {
		t.Identifiers = append(t.Identifiers, id.kind+"="+id.value)
	}
	for _, id := range m.prefixes {
		t.IdentifierPrefixes = append(t.IdentifierPrefixes, id.kind+"="+id.value)
	}
	slices.Sort(t.Identifiers)
	return t
}

func named(set uint8, names []string) []string {
	var in []string
	for i, name := range names {
		if set&(1<<i) != 0 {
			in = append(in, name)
		}
	}
	return in
}
