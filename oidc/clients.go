package oidc

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"sceau/oidc/client"
)

// clients tells the library of the registered clients. It authenticates none of them: the front does, and what it lets
// through shows the library a secret that no client has.
func (p *Provider) clients(all []*client.Client) (registered []*goidc.Client, err error) {
	for _, c := range all {
		g, err := p.libraryClient(c)
		if err != nil {
			return nil, fmt.Errorf("oidc: %s: client %q: %w", p.config.Issuer, c.ID(), err)
		}
		registered = append(registered, g)
	}
	if len(registered) == 0 {
		return nil, fmt.Errorf("oidc: %s: no clients", p.config.Issuer)
	}
	return registered, nil
}

func (p *Provider) libraryClient(c *client.Client) (*goidc.Client, error) {
	algorithms := p.keys.algorithms()
	for _, a := range []string{c.IDTokenAlgorithm(), c.UserinfoAlgorithm()} {
		if a != "" && !slices.Contains(algorithms, a) {
			return nil, fmt.Errorf("the establishment has no key for %s", a)
		}
	}
	for _, s := range c.Scopes() {
		if !slices.Contains(p.scopes(), s) {
			return nil, fmt.Errorf("there is no scope %q", s)
		}
	}
	if p.config.SecureIssuer == "" && (c.Method() == client.TLS || c.Method() == client.SelfSignedTLS || c.RequireCertificate() || c.CertificateBoundAccessTokens()) {
		return nil, fmt.Errorf("it shows a certificate, and nothing asks for one: no secure issuer")
	}
	if !slices.ContainsFunc(p.config.Means, func(m Means) bool { return c.Session().Admits(m.References()) }) && c.AllowsGrant(client.AuthorizationCode) {
		return nil, fmt.Errorf("no means of the establishment is among the methods that it admits")
	}
	g := &goidc.Client{ID: c.ID(), Secret: "none", ClientMeta: goidc.ClientMeta{
		Name: c.Name("fr"), ApplicationType: goidc.ApplicationType(c.ApplicationType()), RedirectURIs: c.RedirectURIs(),
		PostLogoutRedirectURIs: c.PostLogoutRedirectURIs(), ResponseTypes: []goidc.ResponseType{goidc.ResponseTypeCode},
		ScopeIDs: strings.Join(c.Scopes(), " "), IDTokenSigAlg: goidc.SignatureAlgorithm(c.IDTokenAlgorithm()),
		UserInfoSigAlg: goidc.SignatureAlgorithm(c.UserinfoAlgorithm()), PARIsRequired: c.RequirePAR(),
		TLSTokenBindingIsRequired: c.CertificateBoundAccessTokens(), TokenAuthnMethod: goidc.AuthnMethodSecretPost,
	}}
	if c.Public() {
		g.TokenAuthnMethod = goidc.AuthnMethodNone
	}
	for _, t := range c.GrantTypes() {
		if t != client.TokenExchange { // not the library's
			g.GrantTypes = append(g.GrantTypes, goidc.GrantType(t))
		}
	}
	return g, nil
}

// scopes are those that a client may be registered for: the standard ones, and those by which applications of Pro Santé Connect ask.
func (p *Provider) scopes() []string { return scopes }

// acrs are the values of acr that some client knows.
func (p *Provider) acrs() (all []goidc.ACR) {
	add := func(value string) {
		if a := goidc.ACR(value); !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	for _, c := range p.config.Clients.Clients() {
		for _, value := range c.Session().ACRValues() {
			add(value)
		}
	}
	if p.parties != nil {
		for _, a := range p.parties.Session.ACR {
			add(a.Value)
		}
	}
	return all
}

// known is the library's own list of acr values: others are wishes that nobody has, and are left out of a request.
func (p *Provider) knownACRs(values string) string {
	known := p.acrs()
	kept := slices.DeleteFunc(strings.Fields(values), func(v string) bool { return !slices.Contains(known, goidc.ACR(v)) })
	return strings.Join(kept, " ")
}

// mayIntrospect lets a client ask about its own tokens, and about others where its registration says so.
func (p *Provider) mayIntrospect(ctx context.Context, c *goidc.Client, info goidc.TokenInfo) bool {
	if info.ClientID == c.ID {
		return true
	}
	call := callOf(ctx)
	return call != nil && call.client != nil && call.client.IntrospectionAllowed()
}

// refreshes says whether a grant comes with a refresh token: where the client asked for offline_access and may.
func (p *Provider) refreshes(ctx context.Context, c *goidc.Client, g *goidc.Grant) bool {
	known, err := p.relyingParty(ctx, c.ID)
	return err == nil && known != nil && known.AllowsGrant(client.RefreshToken) && slices.Contains(strings.Fields(g.Scopes), "offline_access")
}
