package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/oidc/internal/strictjson"
)

// A Subordinate is an entity for which an authority vouches.
type Subordinate struct {
	// Entity is its identifier, Keys its federation keys, got and confirmed otherwise than from its configuration alone. Required.
	Entity string
	Keys   jose.JSONWebKeySet
	// Types are its entity types, for the list. Intermediate says that it vouches for others.
	Types        []string
	Intermediate bool
	// Metadata, Policy and Constraints are the claims metadata, metadata_policy and constraints about it; empty is none.
	Metadata, Policy, Constraints json.RawMessage
}

// Subordinates are those of an authority. It is safe for concurrent use.
type Subordinates interface {
	// Subordinate returns one, or ErrNoSubordinate; any other error is an outage.
	Subordinate(ctx context.Context, entity string) (*Subordinate, error)
	// Subordinates returns all.
	Subordinates(ctx context.Context) ([]*Subordinate, error)
}

// ErrNoSubordinate says that an authority does not vouch for an entity.
var ErrNoSubordinate = errors.New("federation: no subordinate")

// A TrustMarkOwner is who owns a type of trust marks and lets others issue them (7.2).
type TrustMarkOwner struct {
	Subject string             `json:"sub"`
	Keys    jose.JSONWebKeySet `json:"jwks"`
}

// An Authority is what an entity of ours says of others: an intermediate, or a trust anchor where a Publisher has no authority hints.
type Authority struct {
	// Subordinates are those for whom it vouches. Required.
	Subordinates Subordinates
	// TrustMarkIssuers and TrustMarkOwners are, of an anchor, who may issue trust marks of which type, and who owns the types.
	TrustMarkIssuers map[string][]string
	TrustMarkOwners  map[string]TrustMarkOwner
	// TrustMarkStatus says whether a trust mark that we issued, and that has not ended, holds still: "active", "revoked". Nil: we
	// issue none, and there is no such endpoint.
	TrustMarkStatus func(ctx context.Context, entity, typ string) (string, error)
	// Resolver resolves for others, at the resolve endpoint: our immediate subordinates, and what it keeps; nobody else, since any
	// stranger asks there (18.1). Nil: no such endpoint.
	Resolver *Resolver
}

func (a *Authority) check() error {
	if a.Subordinates == nil {
		return errors.New("federation: an authority without subordinates")
	}
	for typ, o := range a.TrustMarkOwners {
		if _, err := identified(o.Subject); err != nil || len(o.Keys.Keys) == 0 {
			return fmt.Errorf("federation: owner of trust marks %q", typ)
		}
	}
	for _, ids := range a.TrustMarkIssuers {
		for _, id := range ids {
			if _, err := identified(id); err != nil {
				return err
			}
		}
	}
	return nil
}

// MemorySubordinates are subordinates that do not change. NewSubordinates makes them.
type MemorySubordinates struct{ by map[string]*Subordinate }

// NewSubordinates checks subordinates: what is wrong is found when the authority starts, and not by whoever resolves them.
func NewSubordinates(list ...Subordinate) (*MemorySubordinates, error) {
	m := &MemorySubordinates{by: map[string]*Subordinate{}}
	for _, s := range list {
		if _, err := identified(s.Entity); err != nil {
			return nil, err
		}
		if m.by[s.Entity] != nil {
			return nil, fmt.Errorf("federation: subordinate %q twice", s.Entity)
		}
		if _, err := s.claims(); err != nil {
			return nil, named(err, s.Entity)
		}
		m.by[s.Entity] = &s
	}
	return m, nil
}

func (m *MemorySubordinates) Subordinate(_ context.Context, entity string) (*Subordinate, error) {
	s, there := m.by[entity]
	if !there {
		return nil, ErrNoSubordinate
	}
	return s, nil
}

func (m *MemorySubordinates) Subordinates(context.Context) ([]*Subordinate, error) {
	var list []*Subordinate
	for _, id := range slices.Sorted(maps.Keys(m.by)) {
		list = append(list, m.by[id])
	}
	return list, nil
}

// claims are the claims of a statement about the subordinate, checked as whoever reads it checks them.
func (s *Subordinate) claims() (map[string]any, error) {
	text, err := json.Marshal(s.Keys)
	if err != nil {
		return nil, &Error{Reason: BadClaim, Cause: err}
	}
	set, err := strictjson.Object(text)
	if err != nil {
		return nil, &Error{Reason: BadClaim, Cause: err}
	}
	if k, err := keys(set); err != nil || len(k) == 0 {
		return nil, refuse(BadClaim, s.Entity, "no federation keys that verify signatures")
	}
	c := map[string]any{"jwks": set}
	for name, raw := range map[string]json.RawMessage{"metadata": s.Metadata, "metadata_policy": s.Policy, "constraints": s.Constraints} {
		if len(raw) == 0 {
			continue
		}
		o, err := strictjson.Object(raw)
		if err == nil {
			switch name {
			case "metadata":
				_, err = metadataOf(o)
			case "metadata_policy":
				_, err = policyOf(o)
			default:
				_, err = constraintsOf(o)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("federation: %s of %q: %w", name, s.Entity, err)
		}
		c[name] = o
	}
	return c, nil
}

// Vouch is what we say of a subordinate (3.1.3), signed.
func (p *Publisher) Vouch(s *Subordinate) (string, error) {
	if p.c.Authority == nil {
		return "", errors.New("federation: a leaf vouches for nobody")
	}
	c, err := s.claims()
	if err != nil {
		return "", err
	}
	c["source_endpoint"] = p.address(pathFetch)
	return p.sign(typeStatement, s.Entity, c, p.c.Lifetime)
}

// IssueTrustMark makes a trust mark of a type for an entity (7.1), with the delegation of its owner where it has one. One that does
// not end is checked at the status endpoint by whoever relies on it.
func (p *Publisher) IssueTrustMark(entity, typ, delegation string, lifetime time.Duration) (string, error) {
	if _, err := identified(entity); err != nil {
		return "", err
	}
	c := map[string]any{"trust_mark_type": typ}
	if delegation != "" {
		c["delegation"] = delegation
	}
	return p.sign(typeTrustMark, entity, c, lifetime)
}

// Delegate lets an issuer issue trust marks of a type that we own (7.2.1).
func (p *Publisher) Delegate(issuer, typ string, lifetime time.Duration) (string, error) {
	if _, err := identified(issuer); err != nil {
		return "", err
	}
	return p.sign(typeDelegation, issuer, map[string]any{"trust_mark_type": typ}, lifetime)
}
