package oidc

import (
	"cmp"
	"slices"
	"strings"

	"sceau/oidc/client"
	"sceau/oidc/control"
)

// Indicators are the policies in force of the establishment, as an authority reads them (EXI FI 28).
func (p *Provider) Indicators() control.Establishment {
	e := control.Establishment{Name: p.config.Tenant, Issuer: p.config.Issuer, SigningAlgorithms: p.keys.algorithms()}
	for _, m := range p.config.Means {
		references := m.References()
		e.Means = append(e.Means, control.Means{Name: m.Name, Kind: string(m.Kind), Methods: references, Strength: strengthOf(references)})
	}
	for _, c := range p.Clients() {
		e.Clients = append(e.Clients, p.clientIndicators(c, e.Means))
	}
	if s := p.parties; s != nil {
		any := p.clientIndicators(s.any, e.Means)
		any.Authentication = strings.Join(s.methods(), " ")
		e.Clients = append(e.Clients, any)
	}
	slices.SortFunc(e.Clients, func(a, b control.Client) int { return cmp.Compare(a.ID, b.ID) })
	return e
}

func (p *Provider) clientIndicators(c *client.Client, means []control.Means) control.Client {
	rule, life := c.Session(), p.config.Lifetimes
	algorithm := cmp.Or(c.IDTokenAlgorithm(), p.keys.algorithms()[0])
	i := control.Client{
		ID: c.ID(), Profile: c.Profile(), SessionLife: control.Seconds(life.SessionLifetime), SessionIdle: control.Seconds(life.SessionIdle),
		MaxAuthenticationAge: control.Seconds(rule.MaxAuthenticationAge()), AMRSets: rule.Methods(), ACRValues: rule.ACRValues(), Consent: c.Consent(),
		Authentication: string(c.Method()), CertificateRequired: c.RequireCertificate() || c.Method() == client.TLS || c.Method() == client.SelfSignedTLS,
		PKCE: c.RequirePKCE(), PushedRequests: c.RequirePAR(), BoundTokens: c.CertificateBoundAccessTokens(), IDTokenAlgorithm: algorithm,
		Code: control.Seconds(life.Code), AccessToken: control.Seconds(life.AccessToken), IDToken: control.Seconds(life.IDToken), Scopes: c.Scopes(),
	}
	if c.AllowsGrant(client.RefreshToken) {
		i.RefreshToken = control.Seconds(life.RefreshToken)
	}
	var admitted []control.Means
	for _, m := range means {
		if rule.Admits(m.Methods) {
			admitted = append(admitted, m)
			i.Means = append(i.Means, m.Name)
		}
	}
	i.Strength = control.StrengthOf(admitted...)
	if len(i.AMRSets) > 0 { // a means may reach more than it does at least: what is demanded counts
		i.Strength = control.Strength{MultiFactor: true, PhishingResistant: true}
		for _, set := range i.AMRSets {
			s := strengthOf(set)
			i.Strength.MultiFactor = i.Strength.MultiFactor && s.MultiFactor
			i.Strength.PhishingResistant = i.Strength.PhishingResistant && s.PhishingResistant
		}
	}
	return i
}

// strengthOf is what references show: by the sets that the profile of Pro Santé Connect demands.
func strengthOf(references []string) control.Strength {
	resists := slices.ContainsFunc(client.PhishingResistant(), func(set []string) bool {
		return !slices.ContainsFunc(set, func(r string) bool { return !slices.Contains(references, r) })
	})
	return control.Strength{MultiFactor: slices.Contains(references, "mfa"), PhishingResistant: resists}
}
