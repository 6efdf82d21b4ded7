package policy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sceau/attrs"
)

// Rules is the PDP behind a rule file. Load makes it; it is immutable and safe for
// concurrent use. The zero Rules, and a nil one, deny everything.
type Rules struct {
	profiles  []profile
	rules     []rule
	exchanges []exchangeRule

	// Compiled: what a request needs and nothing else.
	attributes map[*attrs.Definition]*attribute
	// Every rule stands in one of three places: where it names holders or identities one by one, under
	// each of them, so that thousands of such rules cost what one costs; else by mode and kind of identity.
	byHolder, byIdentity map[identifier][]int32
	general              [modeCount][kindCount][]int32

	warnings []Problem // found while loading
}

var _ PDP = (*Rules)(nil)

// kinds and modes are sets of bits; the empty set is everything.
type (
	kinds uint8
	modes uint8
)

const (
	kindCount = 4
	modeCount = 3

	fallback modes = 1 << 2
)

var (
	kindNames = [kindCount]string{KindEID, KindEHealthPerson, KindEHealthOrganisation, KindService}
	modeNames = [modeCount]string{ModeSession, ModeEIDOnly, ModeFallback}
)

// number gives the place of a name, or -1.
func number(names []string, name string) int {
	for i := range names {
		if names[i] == name {
			return i
		}
	}
	return -1
}

// A profile is a named set of attributes.
type profile struct {
	name, description string
	line              int
	attributes        []*attrs.Definition
	maximum           time.Duration
	fallbackMaximum   time.Duration // zero: not in fallback mode
}

func (p *profile) maximumIn(m modes) time.Duration {
	if m == fallback {
		return p.fallbackMaximum
	}
	return p.maximum
}

// A rule says who may, or may not, have which profiles.
type rule struct {
	id, description  string
	line             int
	deny             bool
	identity, holder match
	modes            modes
	profiles         []int32
	listed           []*attrs.Definition // of a deny rule
	onDenied         OnDenied
}

// deniesAll says whether a deny rule lists nothing.
func (r *rule) deniesAll() bool { return r.deny && len(r.profiles) == 0 && len(r.listed) == 0 }

func (r *rule) admits(m modes) bool { return r.modes == 0 || r.modes&m != 0 }

// A match is what a rule asks of a certificate. The zero match admits every one.
type match struct {
	kinds       kinds
	types       map[string]bool
	identifiers map[identifier]bool
	prefixes    []identifier
}

type identifier struct{ kind, value string } // kind is TYPE of the wire document 6.2

func (m *match) restricts() bool {
	return m.kinds != 0 || m.types != nil || m.identifiers != nil || m.prefixes != nil
}

// enumerates says whether only certificates with one of the identifiers can match.
func (m *match) enumerates() bool { return m.identifiers != nil && m.prefixes == nil }

func (m *match) admits(r *Requestor, kind kinds) bool {
	switch {
	case m.kinds != 0 && m.kinds&kind == 0:
		return false
	case m.types != nil && !m.types[r.IdentifierType]:
		return false
	case m.identifiers == nil && m.prefixes == nil, m.identifiers[identifier{r.IdentifierType, r.Identifier}]:
		return true
	}
	for i := range m.prefixes {
		if p := &m.prefixes[i]; p.kind == r.IdentifierType && strings.HasPrefix(r.Identifier, p.value) {
			return true
		}
	}
	return false
}

// An attribute is what is known about one: where it stands.
type attribute struct {
	profiles []int32 // that hold it
	deniedBy []bool  // by rule
}

// compile prepares what Release walks over.
func (p *Rules) compile() {
	p.attributes = map[*attrs.Definition]*attribute{}
	p.byHolder, p.byIdentity = map[identifier][]int32{}, map[identifier][]int32{}
	at := func(d *attrs.Definition) *attribute {
		a := p.attributes[d]
		if a == nil {
			a = &attribute{deniedBy: make([]bool, len(p.rules))}
			p.attributes[d] = a
		}
		return a
	}
	for i := range p.profiles {
		for _, d := range p.profiles[i].attributes {
			a := at(d)
			a.profiles = append(a.profiles, int32(i))
		}
	}
	for i := range p.rules {
		r := &p.rules[i]
		if r.deny {
			for _, d := range r.listed {
				at(d).deniedBy[i] = true
			}
			for _, n := range r.profiles {
				for _, d := range p.profiles[n].attributes {
					at(d).deniedBy[i] = true
				}
			}
		}
		p.file(r, int32(i))
	}
}

// file puts a rule where Release will look for it.
func (p *Rules) file(r *rule, i int32) {
	switch {
	case r.holder.enumerates():
		for id := range r.holder.identifiers {
			p.byHolder[id] = append(p.byHolder[id], i)
		}
	case r.identity.enumerates():
		for id := range r.identity.identifiers {
			p.byIdentity[id] = append(p.byIdentity[id], i)
		}
	default:
		for m := range modeCount {
			for k := range kindCount {
				if r.admits(1<<m) && (r.identity.kinds == 0 || r.identity.kinds&(1<<k) != 0) {
					p.general[m][k] = append(p.general[m][k], i)
				}
			}
		}
	}
}

// Release implements PDP. The error, with Reason InvalidRequest, says that the request
// is not one that can be decided; d then denies everything.
func (p *Rules) Release(_ context.Context, r *ReleaseRequest, d *Release) error {
	if p == nil {
		p = &Rules{}
	}
	d.reset(len(r.Attributes), len(p.profiles))
	mode, kind, holder := number(modeNames[:], r.Mode), number(kindNames[:], r.Identity.Kind), number(kindNames[:], r.Holder.Kind)
	switch {
	case mode < 0:
		return invalid("no mode %q", r.Mode)
	case kind < 0:
		return invalid("no kind of identity %q", r.Identity.Kind)
	case holder < 0:
		return invalid("no kind of holder %q", r.Holder.Kind)
	case r.At.IsZero():
		return &Error{Reason: InvalidRequest, Err: errors.New("no instant")}
	}
	a := asked{r, 1 << mode, 1 << kind, 1 << holder}
	var refuses, omits bool
	for _, rules := range [...][]int32{
		p.byHolder[identifier{r.Holder.IdentifierType, r.Holder.Identifier}],
		p.byIdentity[identifier{r.Identity.IdentifierType, r.Identity.Identifier}],
		p.general[mode][kind],
	} {
		refused, omitted := p.apply(rules, &a, d)
		refuses, omits = refuses || refused, omits || omitted
	}
	permitted := false
	for i, definition := range r.Attributes {
		decision, refused := p.decide(definition, d, 1<<mode)
		d.Decisions[i] = decision
		permitted = permitted || decision.permitted
		refuses = refuses || refused
	}
	if permitted && omits && !refuses {
		d.OnDenied = Omit
	}
	return nil
}

func invalid(format, value string) error {
	return &Error{Reason: InvalidRequest, Err: fmt.Errorf(format, value)}
}

// asked is a request whose names were read.
type asked struct {
	*ReleaseRequest
	mode             modes
	identity, holder kinds
}

// apply notes in d those of the rules that match: what they grant and which may deny. It says
// whether one of the permit rules refuses requests of which something is denied, and whether one omits.
func (p *Rules) apply(rules []int32, a *asked, d *Release) (refuses, omits bool) {
	for _, i := range rules {
		rule := &p.rules[i]
		if !rule.admits(a.mode) || !rule.identity.admits(&a.Identity, a.identity) || !rule.holder.admits(&a.Holder, a.holder) {
			continue
		}
		if rule.deny {
			d.denying = append(d.denying, i)
			continue
		}
		for _, n := range rule.profiles {
			if d.granted[n] == 0 || i+1 < d.granted[n] {
				d.granted[n] = i + 1
			}
		}
		if rule.onDenied == Omit {
			omits = true
		} else {
			refuses = true
		}
	}
	return refuses, omits
}

// decide decides one attribute, and accounts for the profile by which it is permitted. refuses says that a rule
// that denies it wants the request refused.
func (p *Rules) decide(definition *attrs.Definition, d *Release, mode modes) (decision Decision, refuses bool) {
	a := p.attributes[definition]
	first := int32(-1) // of the rules that deny it, in the order of the file: named in the decision
	for _, i := range d.denying {
		rule := &p.rules[i]
		if !rule.deniesAll() && (a == nil || !a.deniedBy[i]) {
			continue
		}
		if first < 0 || i < first {
			first, decision.rule = i, rule.id
		}
		refuses = refuses || rule.onDenied == Refuse
	}
	if first >= 0 || a == nil {
		return decision, refuses
	}
	var best *profile
	for _, n := range a.profiles {
		if d.granted[n] == 0 {
			continue
		}
		if candidate := &p.profiles[n]; candidate.maximumIn(mode) > 0 && (best == nil || candidate.maximumIn(mode) > best.maximumIn(mode)) {
			best = candidate
			decision = Decision{permitted: true, rule: p.rules[d.granted[n]-1].id}
		}
	}
	if best != nil {
		d.use(best.name, best.maximumIn(mode))
	}
	return decision, refuses
}

// use notes that an attribute is released by a profile.
func (d *Release) use(profile string, maximum time.Duration) {
	if d.MaximumValidity == 0 || maximum < d.MaximumValidity {
		d.MaximumValidity = maximum
	}
	for _, name := range d.Profiles {
		if name == profile {
			return
		}
	}
	d.Profiles = append(d.Profiles, profile)
}
