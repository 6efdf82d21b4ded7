package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"sceau/audit"
	"sceau/oidc/authn"
)

// released is what a grant says of a person, from the code to the last token of its refreshing: of one explicit authentication.
type released struct {
	Subject string        `json:"sub"`
	SID     string        `json:"sid"`
	Session string        `json:"session"` // its key in the store
	Login   login         `json:"login"`
	ACR     string        `json:"acr,omitempty"`
	Account authn.Account `json:"account"`
	// Consent is the id of the Consent on which the grant stands; empty where none was asked.
	Consent string `json:"consent,omitempty"`
	// Came is what the grant stands on beside that, where it came of tokens that were exchanged.
	Came lineage `json:"came,omitzero"`
	// Until is when the authentication is too old for the client: no token is issued from then on, and none outlives it.
	Until time.Time `json:"until"`
}

// storeKey is where the library keeps what is ours, in an attempt and in a grant.
const storeKey = "sceau"

func putStore(store map[string]any, value any) error {
	text, err := marshal(value)
	if err != nil {
		return err
	}
	store[storeKey] = string(text)
	return nil
}

func getStore(store map[string]any, value any) error {
	text, ok := store[storeKey].(string)
	if !ok {
		return errors.New("oidc: nothing of ours is kept with it")
	}
	return json.Unmarshal([]byte(text), value)
}

// releasedOf reads it, once a call as long as it is the same: every hook of the library asks. Who changes it changes a copy.
func releasedOf(ctx context.Context, g *goidc.Grant) (*released, error) {
	c := callOf(ctx)
	text, _ := g.Store[storeKey].(string)
	if c != nil && c.released != nil && c.releasedText == text {
		return c.released, nil
	}
	r := &released{}
	if err := getStore(g.Store, r); err != nil {
		return nil, fmt.Errorf("grant %s: %w", g.ID, err)
	}
	if c != nil {
		c.released, c.releasedText = r, text
	}
	return r, nil
}

// subject is the sub of an account, and its oid: the tenant and the id of the account in it. It never changes, is given to
// nobody else, and is no other's in another establishment (EXI FI 21).
func (p *Provider) subject(a *authn.Account) string { return p.config.Tenant + ":" + a.ID }

// identity are the claims about the person, the same in the ID token and from userinfo: the broker of Pro Santé Connect takes names
// from the one and sub from the other (EXI FI 23).
func (p *Provider) identity(r *released, scope string) map[string]any {
	m := map[string]any{
		"oid": r.Subject, "tid": p.config.Tenant, "auth_time": r.Login.Time.Unix(), "amr": r.Login.References,
	}
	put := func(name, value string) {
		if value != "" {
			m[name] = value
		}
	}
	put("sid", r.SID) // none, where the token came of an assertion
	put("acr", r.ACR)
	a := &r.Account
	for _, s := range strings.Fields(scope) {
		switch s {
		case "profile":
			put("given_name", a.GivenName)
			put("family_name", a.FamilyName)
			name := a.Name
			if name == "" {
				name = strings.TrimSpace(a.GivenName + " " + a.FamilyName)
			}
			put("name", name)
			put("preferred_username", a.Username)
		case "email":
			if p.mails(a.Email) {
				m["email"], m["email_verified"] = a.Email, a.EmailVerified
			}
		case "identity":
			maps.Copy(m, known(r))
		}
	}
	return m
}

// known are the numbers of a person, and what the means learned of him beside: of a professional, by Pro Santé Connect, SubjectNameID and
// SubjectRole. They are given under the scope identity.
func known(r *released) map[string]any {
	m := map[string]any{}
	for name, values := range r.Login.Attributes {
		switch {
		case len(values) == 0 || slices.Contains(claims, name) || slices.Contains(protocol, name):
		case len(values) == 1:
			m[name] = values[0]
		default:
			m[name] = values
		}
	}
	for _, number := range numbers {
		if value := numberOf(r, number); value != "" {
			m[number] = value
		}
	}
	return m
}

// protocol are claims that say what a token is, besides those of claims: nothing that is said of a person takes their names.
var protocol = []string{"nbf", "jti", "azp", "cnf", "act", "may_act", "scope", "client_id", "grant_id", "at_hash", "c_hash", "s_hash", "events", "active",
	"token_type", "username"}

// numberOf is the one number of a kind that a person has: of the account or, where that has none, by which he authenticated.
func numberOf(r *released, kind string) string {
	found := ""
	for _, id := range r.Account.Identifiers {
		if id.Type == kind && id.Authority == "" {
			if found != "" && found != id.Value {
				return "" // which of them nobody says
			}
			found = id.Value
		}
	}
	if found == "" && r.Login.Identifier.Type == kind {
		found = r.Login.Identifier.Value
	}
	return found
}

// mails says whether an address may be given as that of the person: it is of the establishment (EXI FI 26).
func (p *Provider) mails(address string) bool {
	_, domain, ok := strings.Cut(address, "@")
	if !ok || domain == "" || strings.Contains(domain, "@") {
		return false
	}
	if len(p.config.MailDomains) == 0 {
		return true
	}
	for _, d := range p.config.MailDomains {
		if strings.EqualFold(d, domain) {
			return true
		}
	}
	return false
}

func (p *Provider) idTokenClaims(ctx context.Context, g *goidc.Grant) map[string]any {
	r, err := releasedOf(ctx, g)
	if err != nil {
		return nil // a token without auth_time: granted has refused before
	}
	m := p.identity(r, g.Scopes)
	m["azp"] = g.ClientID
	id := random()
	m["jti"] = id
	// The age of the authentication goes by our clock, and the end of the token by the system's.
	expires := time.Now().Add(min(p.config.IDToken, r.Until.Sub(p.now())))
	m["exp"] = expires.Unix()
	c := callOf(ctx)
	c.issued(audit.Token{Use: audit.Issued, Kind: "id_token", ID: id, Expires: expires})
	if c != nil && c.endpoint == endpointToken {
		c.drafting = true
	}
	return m
}

func (p *Provider) userInfoClaims(ctx context.Context, g *goidc.Grant) map[string]any {
	r, err := releasedOf(ctx, g)
	if err != nil {
		return nil
	}
	callOf(ctx).about(g, r)
	return p.identity(r, g.Scopes)
}

// tokenClaims are those of an access token (RFC 9068 section 2.2).
func (p *Provider) tokenClaims(ctx context.Context, _ *goidc.Token, g *goidc.Grant) map[string]any {
	m := map[string]any{"aud": p.config.Issuer, "tid": p.config.Tenant}
	if r, err := releasedOf(ctx, g); err == nil {
		m["oid"], m["sid"], m["auth_time"], m["amr"] = r.Subject, r.SID, r.Login.Time.Unix(), r.Login.References
		if r.ACR != "" {
			m["acr"] = r.ACR
		}
		if slices.Contains(strings.Fields(g.Scopes), "identity") { // for who exchanges the token
			maps.Copy(m, known(r))
		}
	}
	return m
}

func (p *Provider) tokenOptions(ctx context.Context, g *goidc.Grant, c *goidc.Client) goidc.TokenOptions {
	algorithm := c.IDTokenSigAlg
	if algorithm == "" {
		algorithm = goidc.SignatureAlgorithm(p.keys.algorithms()[0])
	}
	lifetime := p.config.AccessToken
	if r, err := releasedOf(ctx, g); err == nil {
		lifetime = max(0, min(lifetime, r.Until.Sub(p.now())))
	}
	return goidc.NewJWTTokenOptions(algorithm, seconds(lifetime))
}

// granted is asked before a grant is kept: when a code is made, and when a token is refreshed.
func (p *Provider) granted(ctx context.Context, t goidc.GrantType, g *goidc.Grant) error {
	r, err := releasedOf(ctx, g)
	if err != nil {
		return err
	}
	c := callOf(ctx)
	c.about(g, r)
	if now := p.now(); !now.Before(r.Until) || r.Login.Time.After(now.Add(clocks)) { // a clock that went back would make it young again
		// EXI FI 25: what began with an authentication does not go on when that is too old.
		return goidc.WrapError(goidc.ErrorCodeInvalidGrant, "the authentication is too old", errors.New("the authentication of the grant is too old"))
	}
	switch t {
	case goidc.GrantAuthorizationCode:
		s, err := p.session(ctx, r.Session)
		if err != nil {
			return err
		}
		if s == nil {
			return goidc.WrapError(goidc.ErrorCodeLoginRequired, "the session has ended", errSessionOver)
		}
		c.issued(audit.Token{Use: audit.Issued, Kind: "code", Value: g.AuthCode, Expires: time.Unix(int64(g.AuthCodeExpiresAt), 0)})
		return p.told(ctx, s, g.ClientID, p.lives(g, r))
	case goidc.GrantRefreshToken:
		return p.refreshed(ctx, g, r)
	}
	return fmt.Errorf("oidc: a grant of type %q", t)
}

// lives is until when at most anything lives that comes of a code: of a grant that is refreshed, until its authentication is too old.
func (p *Provider) lives(g *goidc.Grant, r *released) time.Time {
	until := p.now().Add(p.config.Code + p.config.AccessToken + time.Minute)
	if until.After(r.Until) || slices.Contains(strings.Fields(g.Scopes), "offline_access") {
		return r.Until
	}
	return until
}

// account looks for an account again, that was somebody's: authn.ErrNoAccount says that it is closed or gone by now.
func (p *Provider) account(ctx context.Context, id string) (*authn.Account, error) {
	a, err := p.config.Accounts.Find(ctx, authn.Identifier{Type: "account", Value: id})
	switch {
	case err != nil:
		return nil, err
	case a.Locked || a.ID != id:
		return nil, authn.ErrNoAccount
	}
	return a, nil
}

// refreshed is asked when a refresh token was shown for a new one. The account is looked for again: it may be closed by now,
// and its names may have changed.
func (p *Provider) refreshed(ctx context.Context, g *goidc.Grant, r *released) error {
	c := callOf(ctx)
	if c == nil || c.presented == "" {
		return errors.New("oidc: a refresh without a token")
	}
	account, err := p.account(ctx, r.Account.ID)
	switch {
	case errors.Is(err, authn.ErrNoAccount):
		if err := p.state.revoke(ctx, g); err != nil {
			return err
		}
		return goidc.WrapError(goidc.ErrorCodeInvalidGrant, "invalid grant", errors.New("the account is closed"))
	case err != nil:
		return err
	}
	renewed := *r
	r = &renewed
	r.Account = *account
	// The registration may have been changed since: what a client gets is what its policy admits now (EXI FI 24).
	known, err := p.relyingParty(ctx, g.ClientID)
	if err != nil {
		return err
	}
	if known == nil || !known.Session().Admits(r.Login.References) {
		if err := p.state.revoke(ctx, g); err != nil {
			return err
		}
		return goidc.WrapError(goidc.ErrorCodeInvalidGrant, "invalid grant", errors.New("the client does not admit the authentication any more"))
	}
	if until := r.Login.Time.Add(known.Session().MaxAuthenticationAge()); until.Before(r.Until) {
		if r.Until = until; !p.now().Before(until) {
			return goidc.WrapError(goidc.ErrorCodeInvalidGrant, "the authentication is too old", errors.New("the authentication of the grant is too old"))
		}
	}
	// Last: an outage of what is asked before costs the client nothing.
	first, err := p.state.once(ctx, "refresh-used", c.presented, p.state.until(g))
	if err != nil {
		return err
	}
	if !first {
		if err := p.state.revoke(ctx, g); err != nil {
			return err
		}
		return goidc.WrapError(goidc.ErrorCodeInvalidGrant, "invalid grant", errors.New("a refresh token that was used before"))
	}
	c.issued(audit.Token{Use: audit.Issued, Kind: "refresh_token", Value: g.RefreshToken, Expires: time.Unix(int64(g.RefreshTokenExpiresAt), 0)})
	return putStore(g.Store, r)
}

// issued is told of every access token.
func (p *Provider) issued(ctx context.Context, t *goidc.Token, g *goidc.Grant) error {
	c := callOf(ctx)
	r, err := releasedOf(ctx, g)
	if err != nil {
		return err
	}
	c.about(g, r)
	if t.ExpiresAt <= t.CreatedAt {
		return goidc.WrapError(goidc.ErrorCodeInvalidGrant, "the authentication is too old", errors.New("the authentication of the grant is too old"))
	}
	c.issued(audit.Token{Use: audit.Issued, Kind: "access_token", ID: t.ID, Expires: time.Unix(int64(t.ExpiresAt), 0)})
	if g.AuthCode != "" && g.RefreshToken != "" {
		c.issued(audit.Token{Use: audit.Issued, Kind: "refresh_token", Value: g.RefreshToken, Expires: time.Unix(int64(g.RefreshTokenExpiresAt), 0)})
	}
	return nil
}
