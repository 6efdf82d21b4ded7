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
		for _, file := range a.CRLSigners {
			ders, err := certs.ReadCertificates(s.config.path(file))
			if err != nil {
				p.add(file.Line, "authority %s: crl-signers: %v", a.Name.V, err)
			}
			authority.CRLSigners = append(authority.CRLSigners, ders...)
		}
		authority.OCSP = s.ocsp(&a, p)
	}
	if len(t.CRLFiles) == 0 {
		for _, a := range t.Authorities {
			if authority := authorities[a.Name.V]; authority != nil && authority.Revocation.Mode != certs.Off && (len(a.DistributionPoints) == 0 || t.CRLOffline.V) {
				p.add(a.Name.Line, "authority %s: revocation is %s, and no CRL can come: %s", a.Name.V, authority.Revocation, noSource(t.CRLOffline.V))
			}
		}
	}
	config := certs.Config{Log: s.log, Now: s.now, CRL: certs.CRLConfig{
		Refresh: time.Duration(t.CRLRefresh.V), MaxBytes: t.CRLMaxBytes.V,
		CacheDir: s.config.path(t.CRLCache), Offline: t.CRLOffline.V,
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

func noSource(offline bool) string {
	if offline {
		return "crl-offline, and no crl-files"
	}
	return "neither crl-files nor distribution-points"
}

// checkRoles requires that both roles are served: without one, every request fails.
func (s *system) checkRoles(profiles []certs.Profile, p *problems) {
	for _, role := range []certs.Role{certs.RoleIdentity, certs.RoleHolder} {
		if !slices.ContainsFunc(profiles, func(one certs.Profile) bool { return one.Role == role }) {
			p.add(0, "trust: no profile for the role %s", role)
		}
	}
}
