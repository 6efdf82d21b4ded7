package rp

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coreos/go-oidc/v3/oidc"
)

// maxSubject is the longest sub (OpenID Connect Core 2).
const maxSubject = 255

// expected is what a login must answer to.
type expected struct {
	nonce   string // empty: there was none to send, and none may come
	maxAge  time.Duration
	since   time.Time // the authentication was not before; zero is no matter
	subject string    // of a refresh
	refresh bool
}

// login makes a Login of what the token endpoint gave.
func (p *Provider) login(ctx context.Context, m *Metadata, got *answer, want expected) (*Login, error) {
	if !strings.EqualFold(got.kind, "Bearer") {
		return nil, refuse(BadToken, "token_type is not Bearer")
	}
	if got.tokens.ID == "" {
		return nil, refuse(BadToken, "no ID token")
	}
	var err error
	if got.tokens.ID, err = p.open(got.tokens.ID); err != nil { // the hint of a logout is the token within
		return nil, err
	}
	id, err := p.idToken(ctx, got.tokens.ID, got.tokens.Access, want)
	if err != nil {
		return nil, err
	}
	l := &Login{Issuer: id.String("iss"), Subject: id.String("sub"), SessionID: id.String("sid"), ACR: id.String("acr"), AMR: id.Strings("amr"),
		AuthTime: id.Time("auth_time"), Expires: id.Time("exp"), Claims: id}
	if p.c.UserInfo {
		info, err := p.userInfo(ctx, m, got.tokens.Access, l.Subject)
		if err != nil {
			return nil, err
		}
		l.Claims = id.with(info)
	}
	switch p.c.Keep {
	case KeepIDToken:
		l.Tokens.ID = got.tokens.ID
	case KeepTokens:
		l.Tokens = got.tokens
	}
	return l, nil
}

// idToken verifies an ID token and holds it against what is expected and the policy.
func (p *Provider) idToken(ctx context.Context, token, access string, want expected) (Claims, error) {
	h, err := parseHeader(token, p.c.Algorithms)
	if err != nil {
		return Claims{}, refuse(BadToken, "ID token: %w", err)
	}
	if h.typ != "" && !strings.EqualFold(h.typ, "JWT") {
		return Claims{}, refuse(BadToken, "ID token: typ says that it is something else")
	}
	verified, err := p.verifier.Verify(ctx, token)
	if err != nil {
		return Claims{}, p.badToken(ctx, "ID token", token, err)
	}
	c, err := p.payload(verified.Claims)
	if err != nil {
		return Claims{}, err
	}
	if err := p.checkIdentity(c); err != nil {
		return Claims{}, err
	}
	if err := p.checkTimes(c, "ID token"); err != nil {
		return Claims{}, err
	}
	switch nonce := c.String("nonce"); {
	case c.Has("events"):
		return Claims{}, refuse(BadToken, "ID token: it is a logout token")
	case want.refresh && !c.Has("nonce"): // it SHOULD have none (OpenID Connect Core 12.2)
	case want.nonce == "" && c.Has("nonce"), want.nonce != "" && subtle.ConstantTimeCompare([]byte(nonce), []byte(want.nonce)) != 1:
		return Claims{}, refuse(BadToken, "ID token: nonce (a code or a token of another login)")
	case want.refresh && c.String("sub") != want.subject:
		return Claims{}, refuse(BadToken, "ID token: sub of somebody else than before")
	}
	if c.Has("at_hash") {
		if err := verified.VerifyAccessToken(access); err != nil {
			return Claims{}, refuse(BadToken, "ID token: at_hash")
		}
	}
	return c, p.checkPolicy(c, want)
}

// payload reads again, and strictly, what go-oidc has read.
func (p *Provider) payload(claims func(any) error) (Claims, error) {
	var text rawText
	if err := claims(&text); err != nil {
		return Claims{}, refuse(BadToken, "no claims")
	}
	c, err := ParseClaims(text)
	if err != nil {
		return Claims{}, refuse(BadToken, "%w", err)
	}
	return c, nil
}

// rawText takes JSON as it is.
type rawText []byte

func (t *rawText) UnmarshalJSON(text []byte) error {
	*t = slices.Clone(text)
	return nil
}

// badToken makes the error of go-oidc one of ours. Its text may repeat claims; the cause is told without them.
func (p *Provider) badToken(ctx context.Context, what, token string, _ error) error {
	if _, err := p.verifySignature(ctx, token); err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			return e
		}
		return refuse(BadToken, "%s: %w", what, err)
	}
	return refuse(BadToken, "%s: iss, aud or another claim is not what it must be", what)
}

// checkIdentity holds iss, aud, azp and sub against who the provider is and who we are.
func (p *Provider) checkIdentity(c Claims) error {
	audience := c.Strings("aud")
	switch {
	case c.String("iss") != p.c.Issuer:
		return refuse(BadToken, "iss")
	case !slices.Contains(audience, p.c.ClientID):
		return refuse(BadToken, "aud is not us")
	case len(audience) > 1 && !c.Has("azp"):
		return refuse(BadToken, "several in aud, and no azp")
	case c.Has("azp") && c.String("azp") != p.c.ClientID:
		return refuse(BadToken, "azp is not us")
	}
	return checkSubject(c.String("sub"))
}

// checkSubject refuses what is no name of a person to keep: nothing, too much, and what cannot be told from another.
func checkSubject(sub string) error {
	if sub == "" || len(sub) > maxSubject || strings.ContainsFunc(sub, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }) {
		return refuse(BadToken, "sub")
	}
	return nil
}

// mostPast is how long ago a token may have been issued that comes straight from the provider.
const mostPast = 10 * time.Minute

// checkTimes holds exp, nbf and iat against our clock.
func (p *Provider) checkTimes(c Claims, what string) error {
	now, exp, iat := p.c.Now(), c.Time("exp"), c.Time("iat")
	switch {
	case exp.IsZero() || !now.Before(exp.Add(p.c.Skew)):
		return refuse(BadToken, "%s: expired", what)
	case iat.IsZero() || iat.After(now.Add(p.c.Skew)) || iat.Before(now.Add(-mostPast-p.c.Skew)):
		return refuse(BadToken, "%s: iat", what)
	case c.Has("nbf") && (c.Time("nbf").IsZero() || c.Time("nbf").After(now.Add(p.c.Skew))):
		return refuse(BadToken, "%s: not yet", what)
	}
	return nil
}

// checkPolicy holds auth_time, acr and amr against the policy.
func (p *Provider) checkPolicy(c Claims, want expected) error {
	now, at, policy := p.c.Now(), c.Time("auth_time"), &p.c.Policy
	switch {
	case c.Has("auth_time") && at.IsZero():
		return refuse(BadToken, "auth_time is no instant")
	case at.After(now.Add(p.c.Skew)):
		return refuse(BadToken, "auth_time has not come yet")
	case at.IsZero() && (policy.RequireAuthTime || want.maxAge > 0 || !want.since.IsZero()):
		return refuse(TooWeak, "no auth_time")
	case want.maxAge > 0 && now.Sub(at) > want.maxAge+p.c.Skew:
		return refuse(TooWeak, "auth_time: max_age was ignored")
	case !want.since.IsZero() && at.Before(want.since.Add(-p.c.Skew)):
		return refuse(TooWeak, "auth_time: prompt=login was ignored")
	}
	if acr := c.String("acr"); len(policy.ACR)+len(policy.AcceptACR) > 0 && (acr == "" || !slices.Contains(policy.ACR, acr) && !slices.Contains(policy.AcceptACR, acr)) {
		return refuse(TooWeak, "acr")
	}
	if amr := c.Strings("amr"); len(policy.AMR) > 0 && !slices.ContainsFunc(policy.AMR, func(set []string) bool { return contains(amr, set) }) {
		return refuse(TooWeak, "amr")
	}
	return nil
}

// contains says whether all of a set, which is not empty, are among some.
func contains(some, set []string) bool {
	return len(set) > 0 && !slices.ContainsFunc(set, func(s string) bool { return !slices.Contains(some, s) })
}

// userInfo asks the userinfo endpoint (OpenID Connect Core 5.3): JSON, or a JWT signed by the provider; of the same sub.
func (p *Provider) userInfo(ctx context.Context, m *Metadata, access, subject string) (Claims, error) {
	if m.UserInfo == "" {
		return Claims{}, refuse(Misconfigured, "userinfo is wanted, and there is no address of it")
	}
	body, media, err := p.ask(ctx, m.UserInfo, "application/json, application/jwt", http.Header{"Authorization": {"Bearer " + access}})
	if err != nil {
		return Claims{}, err
	}
	switch media {
	case "application/json":
	case "application/jwt":
		token, err := p.open(strings.TrimSpace(string(body)))
		if err != nil {
			return Claims{}, err
		}
		if body, err = p.verifySignature(ctx, token); err != nil {
			return Claims{}, p.badToken(ctx, "userinfo", token, err)
		}
	default:
		return Claims{}, refuse(BadToken, "userinfo: neither JSON nor JWT")
	}
	c, err := ParseClaims(body)
	if err != nil {
		return Claims{}, refuse(BadToken, "userinfo: %w", err)
	}
	if c.String("sub") != subject { // token substitution (OpenID Connect Core 5.3.2)
		return Claims{}, refuse(BadToken, "userinfo: sub of somebody else")
	}
	if media == "application/jwt" {
		switch {
		case c.Has("iss") && c.String("iss") != p.c.Issuer, c.Has("aud") && !slices.Contains(c.Strings("aud"), p.c.ClientID):
			return Claims{}, refuse(BadToken, "userinfo: iss or aud")
		case c.Has("exp") && !p.c.Now().Before(c.Time("exp").Add(p.c.Skew)):
			return Claims{}, refuse(BadToken, "userinfo: expired")
		}
	}
	return c, nil
}

var _ oidc.KeySet = signedBy{}
