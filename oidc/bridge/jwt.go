package bridge

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"
)

// proveToken proves a token of ours: that it holds now, and that the holder of the connection is its holder.
func (e *exchange) proveToken(text string, want TokenType, h holder, ref *TokenRef) (proven, error) {
	t, err := e.x.config.Tokens.Verify(e.ctx, text, want, e.now)
	switch {
	case errors.Is(err, ErrToken):
		return proven{}, refuseFor(BadSubjectToken, err)
	case err != nil:
		return proven{}, refuseFor(Unavailable, err)
	case t == nil || t.Subject == "" || t.ID == "":
		return proven{}, refuse(BadSubjectToken, "no sub or no jti")
	case t.Type != want:
		return proven{}, refuse(WrongTokenType, "")
	case t.Issuer != e.x.config.Issuer:
		return proven{}, refuse(WrongIssuer, "")
	}
	*ref = TokenRef{Type: want, Issuer: t.Issuer, ID: t.ID, Expires: t.Expires, Origin: t.Origin}
	switch {
	case !t.Expires.After(e.now):
		return proven{}, refuse(SubjectTokenExpired, "")
	case t.NotBefore.After(e.now):
		return proven{}, refuse(SubjectTokenNotYetValid, "")
	case t.Confirmation == "":
		return proven{}, refuse(Unbound, "")
	case t.Confirmation != h.thumbprint:
		return proven{}, refuse(HolderMismatch, "")
	case want == IDToken && !slices.Contains(t.Audience, e.client.ID):
		return proven{}, refuse(WrongAudience, "an ID token of another client")
	}
	return proven{token: *t, end: t.Expires}, nil
}

// makeToken makes a token of ours, bound to the holder of the connection.
func (e *exchange) makeToken(g granted, h holder) (*Result, error) {
	d := g.delegated
	p := d.proven
	t := Token{
		Type: p.to, Issuer: e.x.config.Issuer, ClientID: e.client.ID, Audience: g.audience, Scope: g.scope, Confirmation: h.thumbprint,
		IssuedAt: e.now.Truncate(time.Second), Expires: g.end.Truncate(time.Second),
		AuthTime: p.token.AuthTime.Truncate(time.Second), Methods: p.token.Methods, Level: p.token.Level,
		Actor: d.actor, MayAct: p.token.MayAct, Claims: map[string]any{},
		Origin: p.token.Origin, ActorOrigin: d.origin,
	}
	if p.token.AuthTime.IsZero() {
		t.AuthTime = time.Time{}
	}
	if !t.Expires.After(e.now) {
		return nil, refuse(NoTimeLeft, "")
	}
	if p.token.Subject == "" {
		if err := e.subject(p); err != nil {
			return nil, err
		}
	}
	t.Subject = p.token.Subject
	if p.upstream != nil {
		if err := e.once(p); err != nil {
			return nil, err
		}
		for _, name := range p.upstream.Claims {
			if value, ok := p.token.Claims[name]; ok {
				t.Claims[name] = value
			}
		}
		for name, value := range d.claims {
			t.Claims[name] = value
		}
	} else {
		for name, value := range p.token.Claims {
			if claim := e.x.claims[name]; claim != nil && (claim.Scope == "" || slices.Contains(g.scope, claim.Scope)) {
				t.Claims[name] = value
			}
		}
	}
	id := newID()
	t.ID = base64.RawURLEncoding.EncodeToString(id[:])
	if err := e.ctx.Err(); err != nil {
		return nil, refuseFor(NotIssued, err)
	}
	text, err := e.x.config.Minter.Mint(e.ctx, &t)
	if err != nil {
		return nil, notMade(err)
	}
	e.event.Subject = t.Subject
	e.event.Issued = TokenRef{Type: t.Type, Issuer: t.Issuer, ID: t.ID, Expires: t.Expires}
	return &Result{Token: text, Type: t.Type, ID: t.ID, Scope: t.Scope, Expires: t.Expires}, nil
}

// notMade is why Minter or Grants made nothing: what it was to come of has ended since it was proven, or something is wrong here.
func notMade(err error) error {
	if errors.Is(err, ErrToken) {
		return refuseFor(BadSubjectToken, err)
	}
	return refuseFor(NotIssued, err)
}

// issuerOf reads the iss of a JWT that nobody verified, empty where there is none: it selects who is asked, and proves nothing.
func issuerOf(text string) string {
	_, rest, _ := strings.Cut(text, ".")
	payload, _, ok := strings.Cut(rest, ".")
	if !ok {
		return ""
	}
	octets, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return ""
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(octets, &claims) != nil {
		return ""
	}
	return claims.Issuer
}
