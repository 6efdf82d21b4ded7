package cedar

import (
	"context"
	"iter"
	"slices"
	"time"

	engine "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"sceau/attrs"
	"sceau/policy"
)

// Types and actions of the platform's schema.
const (
	Person       = "Person"
	Organisation = "Organisation"
	Service      = "Service"
	Role         = "Role"
	Attribute    = "Attribute"
	Profile      = "Profile"
	Application  = "Application"

	ReleaseAttribute = "release-attribute"
	Hold             = "hold"
	Enter            = "enter"
	ExchangeToken    = "exchange-token"
	Administer       = "administer"
)

const actionType = "Action"

// Attributes answers what authentic sources certify; *attrs.Resolver does. It is safe for concurrent use.
type Attributes interface {
	Resolve(ctx context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error)
}

// Policies are the policies of a directory. Load makes them; they are immutable and safe for concurrent use. The zero
// Policies, and nil ones, deny everything.
type Policies struct {
	attributes Attributes
	catalogue  *attrs.Catalogue
	schema     *resolved.Schema
	validator  *validate.Validator

	rules    []rule
	profiles []policy.Profile
	entities engine.EntityMap // of the directory and of the platform; actions too
	roles    map[engine.EntityUID]*role
	every    []*role            // of roles, in the order of the files
	own      []engine.EntityUID // those of the directory, in its order

	// Compiled: what a request needs and nothing else.
	byID     map[engine.PolicyID]*rule
	slices   map[engine.EntityUID]map[key]*slice // action, resource
	releases map[*attrs.Definition]*release
	byUID    map[engine.EntityUID]*attrs.Definition // those that anybody may ask for: not the hidden ones

	warnings []policy.Problem
}

var _ policy.PDP = (*Policies)(nil)

// A rule is one policy with what its annotations and its scope say.
type rule struct {
	id    string
	order int

	policy   *engine.Policy
	text     string // in Cedar
	forbid   bool
	file     string
	line     int
	onDenied policy.OnDenied

	profile             string        // that the scope of the resource names; of a permit
	window, fallback    time.Duration // of what a permit releases; zero: it releases nothing in that mode
	declared, declaredF time.Duration // by annotations

	roles   []engine.EntityUID // that it speaks of
	anyRole bool               // it speaks of roles that only a request names
	tags    []tag              // certified attributes of the principal that it reads
	reads   []read             // other attributes of principal, resource and context
}

// A tag is a certified attribute under the name by which a policy reads it.
type tag struct {
	name       string
	definition *attrs.Definition
}

// A role and how it is had.
type role struct {
	uid        engine.EntityUID
	definition *attrs.Definition // nil: only members and other roles have it
	values     map[string]bool   // nil: any
	within     []*role           // roles that have it: whoever has one of them has this one
}

// A key is one way in which the scope of a policy can name a principal or a resource: all of them, those of a type,
// or one and what is in it.
type key struct {
	one bool
	uid engine.EntityUID
}

func typeKey(t engine.EntityType) key { return key{uid: engine.EntityUID{Type: t}} }
func oneKey(uid engine.EntityUID) key { return key{one: true, uid: uid} }

// A release is what is known about one attribute of the catalogue as a resource.
type release struct {
	uid engine.EntityUID
	slice
}

// A slice is the policies of one action whose scope admits a resource, by principal.
type slice struct {
	rules map[key][]*rule
	roles []*role // under which rules are filed
}

func (s *slice) add(p *Policies, principal key, rules ...*rule) {
	if s.rules == nil {
		s.rules = map[key][]*rule{}
	}
	s.rules[principal] = append(s.rules[principal], rules...)
	if r := p.roles[principal.uid]; principal.one && r != nil && !slices.Contains(s.roles, r) {
		s.roles = append(s.roles, r)
	}
}

// need adds what must be asked before the policies of the slice can be evaluated for a principal, of whom it is known
// without asking by which keys scopes can name him.
func (s *slice) need(p *Policies, keys []key, need *asks) {
	for _, k := range keys {
		for _, r := range s.rules[k] {
			need.add(p, r)
		}
	}
	for _, role := range s.roles {
		need.addRole(role)
		for _, r := range s.rules[oneKey(role.uid)] {
			need.add(p, r)
		}
	}
}

// sorted gives the policies of some slices for a principal, in the order of the files.
func (c candidates) sorted() candidates {
	slices.SortFunc(c, func(a, b *rule) int { return a.order - b.order })
	return c
}

// asks is what must be had of authentic sources before policies can be evaluated.
type asks struct {
	roles []*role
	tags  []tag
}

func (a *asks) add(p *Policies, r *rule) {
	for _, uid := range r.roles {
		a.addRole(p.roles[uid])
	}
	if r.anyRole {
		for _, one := range p.every {
			a.addRole(one)
		}
	}
	for _, t := range r.tags {
		if !slices.Contains(a.tags, t) {
			a.tags = append(a.tags, t)
		}
	}
}

// addRole adds a role and those that have it.
func (a *asks) addRole(r *role) {
	if r == nil || slices.Contains(a.roles, r) {
		return
	}
	a.roles = append(a.roles, r)
	for _, within := range r.within {
		a.addRole(within)
	}
}

// candidates are the policies that a request is evaluated against, as the engine wants them.
type candidates []*rule

// All implements engine.PolicyIterator.
func (c candidates) All() iter.Seq2[engine.PolicyID, *engine.Policy] {
	return func(yield func(engine.PolicyID, *engine.Policy) bool) {
		for _, r := range c {
			if !yield(engine.PolicyID(r.id), r.policy) {
				return
			}
		}
	}
}

// verdict is what the candidates said of one request.
type verdict struct {
	permitted bool
	// determining are the policies that decided: all permits that hold, or all forbids that hold; or the forbids that
	// could not be evaluated, which might have held.
	determining []*rule
}

// evaluate asks the engine. A forbid that cannot be evaluated denies: it might have held. A permit that cannot be
// evaluated does not permit.
func (p *Policies) evaluate(c candidates, entities types.EntityGetter, request engine.Request, v *verdict) {
	v.permitted, v.determining = false, v.determining[:0]
	if len(c) == 0 {
		return
	}
	decision, diagnostic := engine.Authorize(c, entities, request)
	for i := range diagnostic.Errors {
		if r := p.byID[diagnostic.Errors[i].PolicyID]; r == nil || r.forbid {
			v.permitted = false
			if r != nil {
				v.determining = append(v.determining, r)
			}
			decision = engine.Deny
		}
	}
	if len(v.determining) > 0 {
		return
	}
	for i := range diagnostic.Reasons {
		if r := p.byID[diagnostic.Reasons[i].PolicyID]; r != nil && r.forbid != bool(decision) {
			v.determining = append(v.determining, r)
		}
	}
	v.permitted = decision == engine.Allow && len(v.determining) > 0
}
