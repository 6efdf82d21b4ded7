package rp

import (
	"context"
	"net/url"
)

// Refresh asks for a login anew with its refresh token (OpenID Connect Core 12): the same person, authenticated when he was. It
// wants a Login that holds its tokens. A provider may answer without an ID token: then nothing but the tokens is new.
func (p *Provider) Refresh(ctx context.Context, l *Login) (*Login, error) {
	if l == nil || l.Issuer != p.c.Issuer || l.Tokens.Refresh == "" {
		return nil, refuse(Mismatch, "no login of this provider with a refresh token")
	}
	m, err := p.metadata(ctx)
	if err != nil {
		return nil, err
	}
	got, err := p.grant(ctx, m, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {l.Tokens.Refresh}})
	if err != nil {
		return nil, err
	}
	if got.tokens.Refresh == "" {
		got.tokens.Refresh = l.Tokens.Refresh // not rotated (RFC 6749 6)
	}
	if got.tokens.ID == "" {
		next := *l
		got.tokens.ID = l.Tokens.ID
		next.Tokens = got.tokens
		return &next, nil
	}
	next, err := p.login(ctx, m, got, expected{subject: l.Subject, refresh: true, nonce: l.Claims.String("nonce")})
	if err != nil {
		return nil, err
	}
	if !l.AuthTime.IsZero() && !next.AuthTime.IsZero() && !next.AuthTime.Equal(l.AuthTime) {
		return nil, refuse(BadToken, "ID token: auth_time has changed by a refresh")
	}
	if next.AuthTime.IsZero() {
		next.AuthTime = l.AuthTime
	}
	return next, nil
}
