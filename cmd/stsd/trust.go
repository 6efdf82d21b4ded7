package main

import (
	"slices"
	"time"

	"sceau/certs"
)

// trust reads authorities and profiles.
func (s *system) trust(p *problems) certs.Config {
	t := &s.config.Trust
	authorities := map[string]*certs.Authority{}
	for _, a := range t.Authorities {
		if a.Name.V == "" || authorities[a.Name.V] != nil {
			p.add(a.Name.Line, "trust: authority without a name of its own")
			continue
		}
		authority := &certs.Authority{}
		authorities[a.Name.V] = authority
		ders, err := certs.ReadCertificates(s.config.path(a.Certificate))
		switch {
		case err != nil:
			p.add(a.Certificate.Line, "authority %s: %v", a.Name.V, err)
		case len(ders) != 1:
			p.add(a.Certificate.Line, "authority %s: %d certificates in the file, want one", a.Name.V, len(ders))
		default:
			authority.Certificate = ders[0]
		}
		if authority.Revocation, err = certs.ParseRevocation(a.Revocation.V); err != nil {
			p.add(a.Revocation.Line, "authority %s: %v", a.Name.V, err)
		}
		for _, point := range a.DistributionPoints {
			authority.DistributionPoints = append(authority.DistributionPoints, point.V)
		}
		authority.OCSP = s.ocsp(&a, p)
	}
	if len(t.CRLFiles) == 0 {
		for _, a := range t.Authorities {
			if authority := authorities[a.Name.V]; authority != nil && authority.Revocation.Mode != certs.Off && len(a.DistributionPoints) == 0 {
				p.add(a.Name.Line, "authority %s: revocation is %s, and no CRL can come: neither crl-files nor distribution-points", a.Name.V, authority.Revocation)
			}
		}
	}
	config := certs.Config{Log: s.log, Now: s.now, CRL: certs.CRLConfig{
		Refresh: time.Duration(t.CRLRefresh.V), MaxBytes: t.CRLMaxBytes.V,
	}}
	for _, file := range t.CRLFiles {
		config.CRL.Files = append(config.CRL.Files, s.config.path(file))
	}
	for _, profile := range t.Profiles {
		config.Profiles = append(config.Profiles, s.profile(&profile, authorities, p))
	}
	s.checkRoles(config.Profiles, p)
	return config
}

func (s *system) profile(c *profileConfig, authorities map[string]*certs.Authority, p *problems) certs.Profile {
	var profile certs.Profile
	role := certs.Role(c.Role.V)
	if role != certs.RoleIdentity && role != certs.RoleHolder {
		p.add(max(c.Role.Line, c.Name.Line), "profile %q: role is identity or holder", c.Name.V)
	}
	switch c.Kind.V {
	case "belgian-eid":
		profile = certs.BelgianEID()
		profile.Role = role
	case "ehealth":
		profile = certs.EHealthPlatform(role)
	default:
		p.add(max(c.Kind.Line, c.Name.Line), "profile %q: kind is belgian-eid or ehealth", c.Name.V)
		return profile
	}
	profile.Name, profile.TestCards = c.Name.V, c.TestCards.V
	if len(c.Policies) > 0 {
		profile.Policies, profile.AnyPolicy = nil, false
		for _, oid := range c.Policies {
			profile.Policies = append(profile.Policies, oid.V)
		}
	}
	if c.AnyPolicy.V {
		if len(c.Policies) > 0 {
			p.add(c.AnyPolicy.Line, "profile %q: policies or any-policy, not both", c.Name.V)
		}
		profile.Policies, profile.AnyPolicy = nil, true
	}
	named := func(names []value[string]) (list []*certs.Authority) {
		for _, n := range names {
			a := authorities[n.V]
			if a == nil {
				p.add(n.Line, "profile %q: no authority %q", c.Name.V, n.V)
				continue
			}
			list = append(list, a)
		}
		return list
	}
	profile.Roots, profile.Intermediates = named(c.Roots), named(c.Intermediates)
	if len(c.Roots) == 0 {
		p.add(c.Name.Line, "profile %q: no root", c.Name.V)
	}
	return profile
}

// checkRoles requires that both roles are served: without one, every request fails.
func (s *system) checkRoles(profiles []certs.Profile, p *problems) {
	for _, role := range []certs.Role{certs.RoleIdentity, certs.RoleHolder} {
		if !slices.ContainsFunc(profiles, func(one certs.Profile) bool { return one.Role == role }) {
			p.add(0, "trust: no profile for the role %s", role)
		}
	}
}
