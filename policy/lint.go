package policy

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"sceau/attrs"
)

func (p *Rules) warn(line int, format string, args ...any) {
	p.warnings = append(p.warnings, Problem{Line: line, Text: fmt.Sprintf(format, args...)})
}

// usualMaximum is the validity that clients ask for (wire document, section 8).
const usualMaximum = 24 * time.Hour

// Lint gives what is allowed and hardly meant, in the order of lines. Nothing of it
// changes what Release decides.
func (p *Rules) Lint() []Problem {
	if p == nil {
		p = &Rules{}
	}
	found := &Rules{warnings: slices.Clone(p.warnings)}
	granted := make([]bool, len(p.profiles))
	for i := range p.rules {
		r := &p.rules[i]
		for _, n := range r.profiles {
			granted[n] = granted[n] || !r.deny
		}
	}
	for i := range p.profiles {
		profile := &p.profiles[i]
		if !granted[i] {
			found.warn(profile.line, "profile %q: no rule grants it", profile.name)
		}
		if profile.maximum > usualMaximum {
			found.warn(profile.line, "profile %q: maximum-validity is above %s", profile.name, usualMaximum)
		}
	}
	if len(p.rules) == 0 {
		found.warn(0, "there is no rule: everything is denied")
	}
	for i := range p.rules {
		p.lintRule(&p.rules[i], found, granted)
	}
	slices.SortStableFunc(found.warnings, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return found.warnings
}

func (p *Rules) lintRule(r *rule, found *Rules, granted []bool) {
	if r.deny {
		anybody := !r.identity.restricts() && !r.holder.restricts()
		switch {
		case r.deniesAll() && anybody && r.modes == 0:
			found.warn(r.line, "rule %q: it denies everything to everybody", r.id)
		case !r.deniesAll() && !p.grantsAny(r, granted):
			found.warn(r.line, "rule %q: no rule grants what it denies", r.id)
		}
		return
	}
	for i := range p.rules {
		if d := &p.rules[i]; d.deny && d.covers(r) && p.deniesAllOf(d, r.profiles) {
			found.warn(r.line, "rule %q: it permits nothing, since %q denies the same to the same", r.id, d.id)
			return
		}
	}
}

// grantsAny says whether a granted profile holds an attribute that the deny rule denies.
func (p *Rules) grantsAny(deny *rule, granted []bool) bool {
	for i := range p.profiles {
		if granted[i] && slices.ContainsFunc(p.profiles[i].attributes, func(d *attrs.Definition) bool { return p.denies(deny, d) }) {
			return true
		}
	}
	return false
}

func (p *Rules) deniesAllOf(deny *rule, profiles []int32) bool {
	for _, n := range profiles {
		if slices.ContainsFunc(p.profiles[n].attributes, func(d *attrs.Definition) bool { return !p.denies(deny, d) }) {
			return false
		}
	}
	return true
}

func (p *Rules) denies(deny *rule, d *attrs.Definition) bool {
	return deny.deniesAll() || slices.Contains(deny.listed, d) ||
		slices.ContainsFunc(deny.profiles, func(n int32) bool { return slices.Contains(p.profiles[n].attributes, d) })
}

// covers says whether r surely matches whenever other does. It may say no where it could say yes.
func (r *rule) covers(other *rule) bool {
	return (r.modes == 0 || other.modes != 0 && other.modes&^r.modes == 0) &&
		r.identity.covers(&other.identity) && r.holder.covers(&other.holder)
}

func (m *match) covers(other *match) bool {
	if m.kinds != 0 && (other.kinds == 0 || other.kinds&^m.kinds != 0) {
		return false
	}
	if m.types != nil {
		for kind := range other.types {
			if !m.types[kind] {
				return false
			}
		}
		if other.types == nil {
			return false
		}
	}
	if m.identifiers == nil && m.prefixes == nil {
		return true
	}
	if other.prefixes != nil || other.identifiers == nil {
		return false
	}
	for id := range other.identifiers {
		if !m.identifiers[id] {
			return false
		}
	}
	return true
}
