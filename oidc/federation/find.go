package federation

import (
	"context"
	"errors"
	"net/http"
	"slices"
)

const mediaStatement = "application/entity-statement+jwt"

// A step is one entity on a way upwards from the subject.
type step struct {
	*statement
	below *step
	depth int // intermediates below, the entity itself left out
}

func (s *step) has(name string) bool {
	for ; s != nil; s = s.below {
		if s.subject == name {
			return true
		}
	}
	return false
}

// configuration reads what an entity says of itself, from where its name says that it does (9). It must be about that entity: this is
// what makes an address the entity's, and an authority that nobody can pretend to be.
func (r *Resolver) configuration(ctx context.Context, b *budget, entity string) (*statement, error) {
	if _, err := identified(entity); err != nil {
		return nil, err
	}
	raw, err := r.fetcher.get(ctx, b, configurationURL(entity), mediaStatement)
	if err != nil {
		return nil, named(err, entity)
	}
	s, err := readStatement(raw, entity, entity, r.now())
	if err != nil {
		return nil, err
	}
	if pinned, anchor := r.anchors[entity]; anchor {
		return s, named(s.verify(pinned), entity)
	}
	return s, s.own()
}

// find finds a trust chain from an entity to an anchor, the shortest first (10.1, 10.3): level by level upwards, and each way that ends
// at an anchor downwards. It returns the reason of the way that failed last where some way led to an anchor.
func (r *Resolver) find(ctx context.Context, b *budget, entity string) (*chain, error) {
	subject, err := r.configuration(ctx, b, entity)
	if err != nil {
		return nil, err
	}
	if _, anchor := r.anchors[entity]; anchor {
		return &chain{subject: subject, anchor: subject, name: entity}, nil
	}
	known := map[string]*statement{entity: subject}
	failed := map[string]error{}
	var reached, other error
	for level := []*step{{statement: subject}}; len(level) > 0; {
		var next []*step
		for _, s := range level {
			for _, name := range r.order(s.hints) {
				_, anchor := r.anchors[name]
				switch {
				case s.has(name):
					other = refuse(Loop, name, "stands above itself")
					continue
				case !anchor && s.depth >= r.limits.Depth:
					other = refuse(Limit, entity, "more than %d intermediates", r.limits.Depth)
					continue
				case failed[name] != nil:
					continue
				case known[name] == nil:
					config, err := r.configuration(ctx, b, name)
					if err != nil {
						failed[name], other = err, err
						if anchor {
							reached = err
						}
						continue
					}
					known[name] = config
				}
				up := &step{known[name], s, s.depth + 1}
				if !anchor {
					next = append(next, up)
					continue
				}
				c, err := r.descend(ctx, b, up)
				if err == nil {
					return c, nil
				}
				reached = err
			}
		}
		level = next
	}
	switch {
	case reached != nil:
		return nil, reached
	case reasonOf(other) == Limit, reasonOf(other) == Unreachable: // nobody was found wrong
		return nil, other
	case other != nil:
		return nil, &Error{Reason: Untrusted, Entity: entity, Cause: other}
	}
	return nil, refuse(Untrusted, entity, "its authorities lead to no trust anchor")
}

func reasonOf(err error) Reason {
	if e := new(Error); errors.As(err, &e) {
		return e.Reason
	}
	return 0
}

// order puts anchors first and leaves out what is too much.
func (r *Resolver) order(hints []string) []string {
	var first, rest []string
	for _, h := range hints {
		switch _, anchor := r.anchors[h]; {
		case slices.Contains(first, h) || slices.Contains(rest, h):
		case anchor:
			first = append(first, h)
		default:
			rest = append(rest, h)
		}
	}
	all := append(first, rest...)
	return all[:min(len(all), r.limits.Hints)]
}

// descend verifies a way from its anchor down: each authority is asked about the next only after its own configuration, and so its
// fetch endpoint, was verified with keys that the one above vouches for.
func (r *Resolver) descend(ctx context.Context, b *budget, top *step) (*chain, error) {
	c := &chain{anchor: top.statement, name: top.subject}
	superior := r.anchors[top.subject]
	for s := top; s.below != nil; s = s.below {
		about, err := r.subordinate(ctx, b, s.statement, s.below.subject)
		if err != nil {
			return nil, err
		}
		if err := link(about, s.below.statement, superior); err != nil {
			return nil, err
		}
		c.links = append(c.links, about)
		superior = about.keys
		c.subject = s.below.statement
	}
	slices.Reverse(c.links)
	return c, nil
}

// subordinate asks an authority what it says of an entity (8.1).
func (r *Resolver) subordinate(ctx context.Context, b *budget, authority *statement, entity string) (*statement, error) {
	address, err := authority.endpoint("federation_fetch_endpoint")
	if err != nil {
		return nil, err
	}
	if address == "" {
		return nil, refuse(Untrusted, authority.subject, "has no federation_fetch_endpoint")
	}
	if address, err = withSub(address, entity); err != nil {
		return nil, &Error{Reason: BadClaim, Entity: authority.subject, Cause: err}
	}
	raw, err := r.fetcher.get(ctx, b, address, mediaStatement)
	if said := status(0); errors.As(err, &said) && said == http.StatusNotFound { // an answer, and no outage (8.1.2)
		return nil, refuse(Untrusted, entity, "%.200q does not vouch for it", authority.subject)
	}
	if err != nil {
		return nil, named(err, authority.subject)
	}
	return readStatement(raw, authority.subject, entity, r.now())
}
