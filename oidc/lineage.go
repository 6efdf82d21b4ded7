package oidc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"sceau/oidc/authn"
	"sceau/oidc/bridge"
)

// grantClaim is the claim by which the library finds the grant of a token.
const grantClaim = "grant_id"

// A lineage is what a grant came of by exchange, back to the logins: grants, of which one that is revoked takes it along, and sessions and
// consents in the same way. Without it a thief would have to exchange a stolen token once to keep what it opens, and a person who logs
// out would leave it to him (O8).
type lineage struct {
	Grants   []string `json:"grants,omitempty"`
	Sessions []string `json:"sessions,omitempty"` // by their sid
	Consents []string `json:"consents,omitempty"` // by their id
}

// maxLineage bounds the grants of a lineage: each is asked for whenever a token of it is.
const maxLineage = 32

// add puts more in, each once.
func (l *lineage) add(more lineage) {
	for _, of := range []struct {
		to   *[]string
		more []string
	}{{&l.Grants, more.Grants}, {&l.Sessions, more.Sessions}, {&l.Consents, more.Consents}} {
		for _, name := range of.more {
			if name != "" && !slices.Contains(*of.to, name) {
				*of.to = append(*of.to, name)
			}
		}
	}
}

// lineage is all that a grant stands on, itself included.
func (r *released) lineage(grant string) lineage {
	var all lineage
	all.add(lineage{Grants: []string{grant}, Sessions: []string{r.SID}, Consents: []string{r.Consent}})
	all.add(r.Came)
	return all
}

// anyEnded says whether any of it is good no longer.
func (s *state) anyEnded(ctx context.Context, l lineage) (bool, error) {
	for _, of := range []struct {
		mark  string
		names []string
	}{{"revoked", l.Grants}, {"withdrawn", l.Consents}, {"ended", l.Sessions}} {
		for _, name := range of.names {
			if over, err := s.marked(ctx, of.mark, name); over || err != nil {
				return over, err
			}
		}
	}
	return false, nil
}

// A provenance is the grant of a token that is exchanged, in force when it was asked.
type provenance struct {
	grant    string
	released *released
}

// active says whether the grant of a token is in force.
func (p *Provider) active(ctx context.Context, t *bridge.Token) error {
	id, _ := t.Claims[grantClaim].(string)
	return p.stands(ctx, t, id)
}

// stands says whether a grant is in force, is that of a token or an assertion, and of somebody whose account is open; and keeps with the
// token what it is.
func (p *Provider) stands(ctx context.Context, t *bridge.Token, id string) error {
	if id == "" {
		return fmt.Errorf("%w: it has no grant", bridge.ErrToken)
	}
	g, err := p.state.Grant(ctx, id)
	switch {
	case errors.Is(err, goidc.ErrNotFound):
		return fmt.Errorf("%w: its grant is over", bridge.ErrToken)
	case err != nil:
		return err
	case g.RevokedAt != 0 || g.ClientID != t.ClientID || g.Subject != t.Subject:
		return fmt.Errorf("%w: its grant was revoked, or is another's", bridge.ErrToken)
	}
	r, err := releasedOf(ctx, g)
	if err != nil {
		return err
	}
	switch _, err := p.account(ctx, r.Account.ID); {
	case errors.Is(err, authn.ErrNoAccount):
		return fmt.Errorf("%w: the account is closed", bridge.ErrToken)
	case err != nil:
		return err
	}
	t.Origin = &provenance{id, r}
	return nil
}

// exchangeMinter makes our tokens and the grants of our assertions, each a grant of its own: so they are known to introspection, are
// revoked, and end with all that they came of.
type exchangeMinter struct {
	p *Provider
	*bridge.JWTs
}

// Mint implements bridge.Minter.
func (e exchangeMinter) Mint(ctx context.Context, t *bridge.Token) (string, error) {
	id, err := e.Grant(ctx, t)
	if err != nil {
		return "", err
	}
	minted := *t
	minted.Claims = make(map[string]any, len(t.Claims)+2)
	maps.Copy(minted.Claims, t.Claims)
	minted.Claims[grantClaim], minted.Claims["tid"] = id, e.p.config.Tenant
	return e.JWTs.Mint(ctx, &minted)
}

// Granted implements bridge.Grants.
func (e exchangeMinter) Granted(ctx context.Context, t *bridge.Token, name string) error {
	return e.p.stands(ctx, t, name)
}

// Grant implements bridge.Grants: it makes the grant of what is exchanged. Its name is random.
func (e exchangeMinter) Grant(ctx context.Context, t *bridge.Token) (string, error) {
	p := e.p
	g := &goidc.Grant{ID: random(), CreatedAt: int(t.IssuedAt.Unix()), Subject: t.Subject, ClientID: t.ClientID, Scopes: strings.Join(t.Scope, " "),
		CertThumbprint: t.Confirmation, Store: map[string]any{}}
	r, err := p.inherited(t)
	if err != nil {
		return "", err
	}
	if r.SID != "" { // its client is told of the logout
		s, err := p.sessionBySID(ctx, r.SID)
		if err != nil {
			return "", err
		}
		if s != nil {
			if err := p.holds(ctx, s, t.ClientID); err != nil {
				return "", err
			}
		}
	}
	if err := putStore(g.Store, r); err != nil {
		return "", err
	}
	if c := callOf(ctx); c != nil { // over asks for it, and need not read what was written just now
		c.event.Grant = g.ID
		c.released, c.releasedText = r, g.Store[storeKey].(string)
	}
	if err := p.state.put(ctx, p.state.key("grant", g.ID), record{Grant: g}, t.Expires.Add(time.Minute)); err != nil {
		return "", err
	}
	// What it came of may have ended since it was read: then nothing comes of it (O8).
	switch over, err := p.state.over(ctx, g); {
	case err != nil:
		return "", err
	case over:
		return "", fmt.Errorf("%w: what it came of has ended", bridge.ErrToken)
	}
	return g.ID, nil
}

// inherited is what the grant of a token says that is made of others: of the person of the one, and of what both stand on.
func (p *Provider) inherited(t *bridge.Token) (*released, error) {
	r := &released{Subject: t.Subject, Login: login{References: t.Methods, Time: t.AuthTime}, ACR: t.Level, Until: t.Expires}
	r.Account.ID = strings.TrimPrefix(t.Subject, p.config.Tenant+":")
	if o, ok := t.Origin.(*provenance); ok {
		r.SID, r.Login.ID, r.Login.Means = o.released.SID, o.released.Login.ID, o.released.Login.Means
		r.Came.add(o.released.lineage(o.grant))
	}
	if o, ok := t.ActorOrigin.(*provenance); ok {
		r.Came.add(o.released.lineage(o.grant))
	}
	if len(r.Came.Grants) > maxLineage {
		return nil, fmt.Errorf("%w: it came of too many exchanges", bridge.ErrToken)
	}
	return r, nil
}
