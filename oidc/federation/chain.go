package federation

import (
	"slices"
	"time"
)

// A chain is a verified trust chain (4): the configuration of the subject, statements about each entity by the next, and the
// configuration of the anchor where it is known. Only chained and the resolver make it.
type chain struct {
	subject *statement
	links   []*statement // links[0] is about the subject, the last is by the anchor; none where the anchor is the subject
	anchor  *statement   // nil where a chain that was sent has none
	name    string       // of the anchor
}

// entities are the names in the chain below the anchor, from the subject upwards.
func (c *chain) entities() []string {
	var names []string
	for _, l := range c.links {
		names = append(names, l.subject)
	}
	return names
}

// expires is the earliest end of what the chain consists of (10.4).
func (c *chain) expires() time.Time {
	end := c.subject.expires
	for _, s := range append(slices.Clone(c.links), c.anchor) {
		if s != nil && s.expires.Before(end) {
			end = s.expires
		}
	}
	return end
}

func (c *chain) tokens() []string {
	out := []string{c.subject.raw}
	for _, l := range c.links {
		out = append(out, l.raw)
	}
	if c.anchor != nil && len(c.links) > 0 {
		out = append(out, c.anchor.raw)
	}
	return out
}

// constrain applies the constraints of every superior, each for itself (6.2), and returns the entity types that all admit; nil is all.
func (c *chain) constrain() (types []string, limited bool, err error) {
	names := c.entities()
	for i, l := range c.links {
		k := l.constraints
		if k == nil {
			continue
		}
		// links[i] is about names[i]; between its issuer and the subject stand names[1..i].
		if k.maxPathLength != nil && i > *k.maxPathLength {
			return nil, false, refuse(PathLength, c.subject.subject, "%d intermediates below %.200q, which admits %d", i, l.issuer, *k.maxPathLength)
		}
		for _, name := range names[:i+1] {
			if err := k.admits(name); err != nil {
				return nil, false, err
			}
		}
		if k.types != nil {
			if !limited {
				types, limited = slices.Clone(k.types), true
			} else {
				types = slices.DeleteFunc(types, func(t string) bool { return !slices.Contains(k.types, t) })
			}
		}
	}
	return types, limited, nil
}

func (k *constraints) admits(name string) error {
	if k.permitted == nil && k.excluded == nil {
		return nil
	}
	host, err := identified(name)
	if err != nil {
		return err
	}
	in := func(list []string) bool {
		return slices.ContainsFunc(list, func(c string) bool { return within(host, c) })
	}
	// RFC 5280 4.2.1.10: a name without a domain cannot satisfy a constraint on domains.
	if numeric(host) || in(k.excluded) || k.permitted != nil && !in(k.permitted) {
		return refuse(Naming, name, "outside the names that a superior admits")
	}
	return nil
}

// resolve is the metadata of the subject (6.1.4): its own, with those that its superior gives it before them; then without the types that
// a superior does not admit; then as the policies of all superiors, from the highest down, make them.
func (c *chain) resolve() (Metadata, error) {
	m := c.subject.metadata
	if len(c.links) > 0 {
		m = c.links[0].metadata.over(m)
	}
	types, limited, err := c.constrain()
	if err != nil {
		return nil, err
	}
	if limited {
		for typ := range m {
			if typ != "federation_entity" && !slices.Contains(types, typ) {
				delete(m, typ)
			}
		}
	}
	var policy Policy
	for _, l := range slices.Backward(c.links) {
		if l.policy == nil {
			continue
		}
		if policy, err = policy.Merge(*l.policy); err != nil {
			return nil, named(err, l.issuer)
		}
	}
	out, err := policy.Apply(m)
	return out, named(err, c.subject.subject)
}

// link verifies one step of a chain: what the superior says of an entity is made with a key of the superior, and the entity's
// configuration, or what the entity says of the next, with a key that the superior says is the entity's.
func link(about, below *statement, superior keySet) error {
	if err := about.verify(superior); err != nil {
		return named(err, about.issuer)
	}
	return named(below.verify(about.keys), about.subject)
}

// chained verifies a chain as somebody sent it (4, 10.2), against the pinned keys of the anchors. Nothing is fetched.
func chained(tokens []string, subject string, anchors map[string]keySet, limits Limits, now time.Time) (*chain, error) {
	bad := func(format string, args ...any) (*chain, error) {
		return nil, refuse(Untrusted, subject, format, args...)
	}
	if len(tokens) < 2 {
		return bad("a chain of %d statements", len(tokens))
	}
	if len(tokens) > limits.Depth+3 {
		return nil, refuse(Limit, subject, "a chain of %d statements", len(tokens))
	}
	size := 0
	for _, t := range tokens {
		size += len(t)
	}
	if size > limits.Size {
		return nil, refuse(Limit, subject, "a chain of %d octets", size)
	}
	c := &chain{}
	var err error
	if c.subject, err = readStatement(tokens[0], subject, subject, now); err != nil {
		return nil, err
	}
	seen := map[string]bool{subject: true}
	last := subject
	for i, raw := range tokens[1:] {
		issuer, err := issuerOf(raw)
		if err != nil {
			return nil, named(err, last)
		}
		if issuer == last && i == len(tokens)-2 && i > 0 {
			if c.anchor, err = readStatement(raw, last, last, now); err != nil {
				return nil, err
			}
			break
		}
		if seen[issuer] {
			return nil, refuse(Loop, issuer, "twice in a chain")
		}
		seen[issuer] = true
		s, err := readStatement(raw, issuer, last, now)
		if err != nil {
			return nil, err
		}
		c.links = append(c.links, s)
		last = issuer
	}
	pinned, trusted := anchors[last]
	if !trusted {
		return nil, refuse(Untrusted, last, "no trust anchor of ours")
	}
	c.name = last
	if c.anchor != nil {
		if err := c.anchor.verify(pinned); err != nil {
			return nil, named(err, last)
		}
	}
	superior := pinned
	for i := len(c.links) - 1; i >= 0; i-- {
		below := c.subject
		if i > 0 {
			below = c.links[i-1]
		}
		if err := link(c.links[i], below, superior); err != nil {
			return nil, err
		}
		superior = c.links[i].keys
	}
	if !slices.Contains(c.subject.hints, c.links[0].issuer) { // 3.2: who speaks for an entity that does not say so is no superior of it
		return nil, refuse(Untrusted, subject, "%.200q is not among its authority_hints", c.links[0].issuer)
	}
	return c, c.subject.own()
}

// issuerOf reads who made a statement, unverified, to know what is to be checked.
func issuerOf(raw string) (string, error) {
	t, err := read(raw, typeStatement)
	if err != nil {
		return "", err
	}
	iss, _, err := t.claims.text("iss")
	if err != nil || iss == "" {
		return "", &Error{Reason: BadIssuer}
	}
	return iss, nil
}
