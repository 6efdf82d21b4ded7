package main

import (
	"crypto/x509"

	"sceau/certs"
)

// profile reads one profile: the rules of its kind, and those keys of the file that
// replace one of them.
func (s *system) profile(c *profileConfig, authorities map[string]*certs.Authority, p *problems) certs.Profile {
	role := certs.Role(c.Role.V)
	switch role {
	case certs.RoleIdentity, certs.RoleHolder, certs.RoleClient, certs.RolePerson, certs.RoleAttestation:
	default:
		p.add(max(c.Role.Line, c.Name.Line), "profile %q: role is identity, holder, client, person or attestation", c.Name.V)
	}
	var profile certs.Profile
	switch c.Kind.V {
	case "belgian-eid":
		profile = certs.BelgianEID()
	case "ehealth":
		profile = certs.EHealthPlatform(role)
	case "igc-sante":
		if profile = certs.IGCSante(); role != certs.RoleClient { // the messages of the wire know Belgian subjects only
			p.add(max(c.Role.Line, c.Name.Line), "profile %q: kind igc-sante is for the role client", c.Name.V)
		}
	case "cps":
		if profile = certs.IGCSanteProfessional(); role != certs.RolePerson {
			p.add(max(c.Role.Line, c.Name.Line), "profile %q: kind cps is for the role person", c.Name.V)
		}
	case "attestation-issuer":
		profile = certs.AttestationIssuer()
		if len(c.Subjects) == 0 {
			p.add(c.Name.Line, "profile %q: any certificate of its authorities would be an issuer: subjects must name those that are", c.Name.V)
		}
	default:
		p.add(max(c.Kind.Line, c.Name.Line), "profile %q: kind is belgian-eid, ehealth, igc-sante, cps or attestation-issuer", c.Name.V)
		return profile
	}
	if (c.Kind.V == "attestation-issuer") != (role == certs.RoleAttestation) { // it names nobody: in another role, it would be somebody
		p.add(max(c.Role.Line, c.Name.Line), "profile %q: kind attestation-issuer is for the role attestation, and no other kind is", c.Name.V)
	}
	profile.Role, profile.Name, profile.TestCards = role, c.Name.V, c.TestCards.V
	c.policies(&profile, p)
	c.names(&profile, p)
	c.usages(&profile, p)
	c.keys(&profile, p)
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

// policies reads which policies are demanded, and of what.
func (c *profileConfig) policies(profile *certs.Profile, p *problems) {
	if len(c.Policies) > 0 {
		profile.Policies, profile.AnyPolicy = nil, false
	}
	for _, oid := range c.Policies {
		if _, err := x509.ParseOID(oid.V); err != nil {
			p.add(oid.Line, "profile %q: policy %q is not an object identifier", c.Name.V, oid.V)
		}
		profile.Policies = append(profile.Policies, oid.V)
	}
	if c.AnyPolicy.V {
		if len(c.Policies) > 0 {
			p.add(c.AnyPolicy.Line, "profile %q: policies or any-policy, not both", c.Name.V)
		}
		profile.Policies, profile.AnyPolicy = nil, true
	}
	if profile.ExplicitPolicy = c.ExplicitPolicy.V; profile.ExplicitPolicy && profile.AnyPolicy {
		p.add(c.ExplicitPolicy.Line, "profile %q: explicit-policy wants policies", c.Name.V)
	}
}

// names reads who may issue, and who may be the subject.
func (c *profileConfig) names(profile *certs.Profile, p *problems) {
	read := func(list []value[string], what string, parse func(string) error, into *[]string) {
		if len(list) > 0 {
			*into = nil
		}
		for _, text := range list {
			if err := parse(text.V); err != nil {
				p.add(text.Line, "profile %q: %s %q: %v", c.Name.V, what, text.V, err)
			}
			*into = append(*into, text.V)
		}
	}
	name := func(text string) error { _, err := certs.ParseName([]byte(text)); return err }
	pattern := func(text string) error { _, err := certs.ParsePattern(text); return err }
	read(c.Issuers, "issuer", name, &profile.Issuers)
	read(c.Subjects, "subject", name, &profile.Subjects)
	read(c.SubjectPatterns, "subject pattern", pattern, &profile.SubjectPatterns)
}

// usages reads what a certificate must be good for.
func (c *profileConfig) usages(profile *certs.Profile, p *problems) {
	if len(c.KeyUsage) > 0 {
		profile.KeyUsage = 0
	}
	for _, word := range c.KeyUsage {
		usage := keyUsageOf(word.V)
		if usage == 0 {
			p.add(word.Line, "profile %q: no key usage %q", c.Name.V, word.V)
		}
		profile.KeyUsage |= usage
	}
	if len(c.ExtKeyUsage) > 0 {
		profile.ExtKeyUsage = nil
	}
	for _, word := range c.ExtKeyUsage {
		usage, ok := extKeyUsageOf(word.V)
		if !ok {
			p.add(word.Line, "profile %q: no extended key usage %q", c.Name.V, word.V)
		}
		profile.ExtKeyUsage = append(profile.ExtKeyUsage, usage)
	}
}

// keys reads which keys a certificate may have.
func (c *profileConfig) keys(profile *certs.Profile, p *problems) {
	for _, word := range c.KeyAlgorithms {
		switch algorithm := certs.KeyAlgorithm(word.V); algorithm {
		case certs.RSA, certs.P256, certs.P384, certs.P521:
			profile.KeyAlgorithms = append(profile.KeyAlgorithms, algorithm)
		default:
			p.add(word.Line, "profile %q: key algorithm %q is not RSA, P-256, P-384 or P-521", c.Name.V, word.V)
		}
	}
	if bits := c.MinRSABits; bits.Line > 0 {
		if bits.V < 2048 || bits.V > 8192 {
			p.add(bits.Line, "profile %q: min-rsa-bits is from 2048 to 8192", c.Name.V)
		}
		profile.MinRSABits = bits.V
	}
}

// keyUsageOf gives the bit that a word of the file names, zero for none. Those of
// authorities are no one's to demand of a subject.
func keyUsageOf(word string) x509.KeyUsage {
	switch word {
	case "digital-signature":
		return x509.KeyUsageDigitalSignature
	case "content-commitment":
		return x509.KeyUsageContentCommitment
	case "key-encipherment":
		return x509.KeyUsageKeyEncipherment
	case "data-encipherment":
		return x509.KeyUsageDataEncipherment
	case "key-agreement":
		return x509.KeyUsageKeyAgreement
	}
	return 0
}

func extKeyUsageOf(word string) (usage x509.ExtKeyUsage, ok bool) {
	switch word {
	case "any":
		return x509.ExtKeyUsageAny, true
	case "client-auth":
		return x509.ExtKeyUsageClientAuth, true
	case "server-auth":
		return x509.ExtKeyUsageServerAuth, true
	case "email-protection":
		return x509.ExtKeyUsageEmailProtection, true
	case "code-signing":
		return x509.ExtKeyUsageCodeSigning, true
	}
	return 0, false
}
