package trial

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sceau/attrs"
	"sceau/audit"
	"sceau/policy"
	"sceau/policy/cedar"
)

// An Explanation says why a recorded decision ended as it did, under given policies.
type Explanation struct {
	// Reason says why the decision cannot be explained by these policies; the rest is empty then.
	Reason string
	// What was asked, in a line.
	What   string
	Denied []Denial
}

// A Denial is one attribute, or the one question, that was denied.
type Denial struct {
	What string
	// By are the policies that forbid it; empty: none permits it.
	By []string
	// Unless are ways in which it would have been permitted, each with all that would have to be otherwise: the nearest ones.
	Unless [][]string
	// Policies are all that concern it; of policies in Cedar.
	Policies []cedar.Info
	// Profiles hold it; of a rule file.
	Profiles []policy.Profile
}

// maxTried bounds how many other circumstances are tried for one denial.
const maxTried = 4000

// maxLike bounds from how many ways that fit the record others are tried.
const maxLike = 32

// Explain explains a record of a refusal. The error is that of opening the policies.
func Explain(ctx context.Context, e *audit.Entry, c Candidate, pseudonym func(audit.Identifier) audit.Pseudonym) (*Explanation, error) {
	p, err := newReplay(ctx, ReplayConfig{Before: c, After: c, Pseudonym: pseudonym})
	if err != nil {
		return nil, err
	}
	r, reason := read(e)
	if reason != "" {
		return &Explanation{Reason: reason}, nil
	}
	x := &Explanation{What: r.what()}
	bases := p.like(r)
	if len(bases) == 0 {
		return &Explanation{Reason: notRepeated}, nil
	}
	for i, v := range r.verdicts {
		if v != denied {
			continue
		}
		d := Denial{What: e.Action, By: strings.Fields(r.rules[i])}
		action, of, id := e.Action, e.Resource.Type, e.Resource.Name
		if r.attributes != nil {
			d.What = cedar.AttributeID(r.attributes[i])
			action, of, id = cedar.ReleaseAttribute, cedar.Attribute, d.What
		}
		switch pdp := p.before.pdp.(type) {
		case *cedar.Policies:
			d.Policies = pdp.Concerning(action, of, id)
		case *policy.Rules:
			for _, profile := range pdp.Profiles() {
				if slices.ContainsFunc(profile.Attributes, func(d *attrs.Definition) bool { return d.Designator == r.attributes[i] }) {
					d.Profiles = append(d.Profiles, profile)
				}
			}
		}
		for _, base := range bases {
			for _, way := range p.unless(base, i) {
				if !slices.ContainsFunc(d.Unless, func(known []string) bool { return slices.Equal(known, way) }) {
					d.Unless = append(d.Unless, way)
				}
			}
		}
		slices.SortStableFunc(d.Unless, func(a, b []string) int { return cmp.Compare(len(a), len(b)) })
		x.Denied = append(x.Denied, d)
	}
	return x, nil
}

// circumstances are a decision and one way in which it can have come about.
type circumstances struct {
	*recorded
	way
	changed []string // from those of the record, in words
}

// like gives circumstances in which the decision ends as recorded: one for each way to name who takes part, and only those that
// end by the policies that the record names where there are such.
func (p *replay) like(r *recorded) []*circumstances {
	p.left = maxWays
	var exact, all []*circumstances
	p.eachNaming(r, func(names map[string]string) {
		known := map[about]Fact{}
		var one *circumstances
		p.eachWay(known, p.before.facts, func() *outcome { return r.decide(p.ctx, p.before, names) }, func(o *outcome) {
			fits, very := o.fits(r)
			if !fits || one != nil && !very {
				return
			}
			one = &circumstances{recorded: r, way: way{maps.Clone(names), maps.Clone(known)}}
			if very {
				exact = append(exact, one)
			}
		})
		if one != nil {
			all = append(all, one)
		}
	})
	if len(exact) > 0 {
		all = exact
	}
	return all[:min(len(all), maxLike)]
}

// permits tries circumstances. Facts that are missing are taken to be none, and noted.
func (p *replay) permits(c *circumstances, i int) bool {
	for {
		p.before.facts.set(c.facts)
		o := c.decide(p.ctx, p.before, c.names)
		if missing := p.before.facts.missing; len(missing) > 0 {
			for _, name := range missing {
				c.facts[name.about] = none(name.definition)
			}
			continue
		}
		return o.failure == "" && o.verdicts[i] == permitted
	}
}

// unless finds the nearest circumstances in which part i is permitted: with one difference, or else with two.
func (p *replay) unless(base *circumstances, i int) (found [][]string) {
	tried := 0
	level := []*circumstances{base}
	for range 2 {
		var next []*circumstances
		for _, c := range level {
			for _, other := range p.neighbours(c) {
				if tried++; tried > maxTried || p.ctx.Err() != nil {
					return found
				}
				if !p.permits(other, i) {
					next = append(next, other)
				} else if !slices.ContainsFunc(found, func(known []string) bool { return slices.Equal(known, other.changed) }) {
					found = append(found, other.changed)
				}
			}
		}
		if len(found) > 0 {
			return found
		}
		level = next
	}
	return found
}

// neighbours gives circumstances that differ in one thing from others.
func (p *replay) neighbours(c *circumstances) (all []*circumstances) {
	add := func(what string, change func(*circumstances, *audit.Entry)) {
		entry := *c.entry
		r := *c.recorded
		r.entry = &entry
		other := &circumstances{recorded: &r, way: way{maps.Clone(c.names), maps.Clone(c.facts)}, changed: append(slices.Clone(c.changed), what)}
		slices.Sort(other.changed)
		change(other, &entry)
		all = append(all, other)
	}
	e := c.entry
	if c.attributes != nil {
		for _, mode := range []string{policy.ModeSession, policy.ModeEIDOnly, policy.ModeFallback} {
			if mode != e.Mode {
				add("the mode were "+mode, func(_ *circumstances, e *audit.Entry) { e.Mode = mode })
			}
		}
		for _, kind := range []string{policy.KindEID, policy.KindEHealthPerson, policy.KindEHealthOrganisation, policy.KindService} {
			if kind != e.Identity.Kind {
				add("the signer's certificate were of kind "+kind, func(_ *circumstances, e *audit.Entry) { e.Identity.Kind = kind })
			}
			if kind != e.Holder.Kind {
				add("the holder's certificate were of kind "+kind, func(_ *circumstances, e *audit.Entry) { e.Holder.Kind = kind })
			}
		}
		for _, t := range p.types {
			if t != e.Holder.Type {
				add("the holder's identifier were of type "+t, func(_ *circumstances, e *audit.Entry) { e.Holder.Type = t })
			}
		}
		for _, text := range p.words.literals {
			if t, value, ok := strings.Cut(text, "="); ok && slices.Contains(p.types, t) {
				add("the holder were one that a policy names", func(o *circumstances, e *audit.Entry) {
					e.Holder.Type, e.Holder.Pseudonym = t, "named "+text
					o.names[e.Holder.Pseudonym] = value
				})
			}
		}
	}
	for name, fact := range c.facts {
		d, ok := p.before.catalogue.Find(attrs.Designator{Name: name.attribute, Namespace: attrs.NamespaceCertified})
		if !ok {
			continue
		}
		for _, value := range p.values(d) {
			if value.State == fact.State && slices.Equal(value.Values, fact.Values) || value.State != attrs.Affirmed && fact.State != attrs.Affirmed {
				continue
			}
			add(fmt.Sprintf("%s were %s", name.attribute, value.text()), func(o *circumstances, _ *audit.Entry) { o.facts[name] = value })
		}
	}
	slices.SortFunc(all, func(a, b *circumstances) int {
		return cmp.Compare(strings.Join(a.changed, "\n"), strings.Join(b.changed, "\n"))
	})
	return all
}

// text says what a fact is, without anybody's identifier.
func (f Fact) text() string {
	switch {
	case len(f.Values) > 0 && f.Values[0] != "?":
		return strings.Join(f.Values, " ")
	case len(f.Values) > 0:
		return "a value that no policy mentions"
	case f.State == attrs.Affirmed:
		return "true"
	case f.State == attrs.Denied:
		return "false"
	}
	return f.State.String()
}
