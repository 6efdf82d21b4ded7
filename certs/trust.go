package certs

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// trust is a Config that was checked and prepared. It is immutable; a Verifier
// swaps one for another as a whole, and what was cached under one is no longer
// found under the next.
type trust struct {
	profiles    []*profile
	authorities map[authorityID]*authority
	order       []*authority // as configured
	known       map[[32]byte]*Certificate
	skew        time.Duration
	files       []string // CRL files and directories
}

// profile is a Profile, prepared.
type profile struct {
	Profile
	roots         *x509.CertPool
	intermediates *x509.CertPool
	issuers       map[authorityID]bool      // whose certificates are leafs of the profile
	named         map[string][]*Certificate // roots and intermediates by the DER of their subject
	issuerNames   []Name
	subjects      []Name
	pinned        map[[32]byte]bool
	patterns      []Pattern
	policies      []x509.OID
	policyIDs     []string // the same, content octets
}

// authority is an Authority, prepared: what may issue, and how its CRLs count.
type authority struct {
	certificate *Certificate
	policy      Revocation
	points      []string
	signers     map[[32]byte]*crlSigner // to whom it delegates its CRLs, by fingerprint
	slot        *crlSlot                // outlives the trust
	ocsp        *ocspPolicy
}

// newTrust checks a whole configuration and reports everything that is wrong.
// slots gives the CRL slot of an authority, so that CRLs outlive a Reload.
func newTrust(c *Config, slots func(authorityID) *crlSlot) (*trust, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	t := &trust{authorities: map[authorityID]*authority{}, known: map[[32]byte]*Certificate{}, skew: c.CRL.Skew, files: c.CRL.Files}
	var errs []error
	for i := range c.Profiles {
		p, err := t.prepare(&c.Profiles[i], c, slots)
		errs = append(errs, err)
		t.profiles = append(t.profiles, p)
	}
	for i := range c.Profiles {
		for _, given := range slices.Concat(c.Profiles[i].Roots, c.Profiles[i].Intermediates) {
			if given == nil {
				continue
			}
			if known := t.known[sha256.Sum256(given.Certificate)]; known != nil {
				errs = append(errs, t.admitSigners(t.authorities[known.name], given.CRLSigners))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *trust) prepare(given *Profile, config *Config, slots func(authorityID) *crlSlot) (*profile, error) {
	p := &profile{
		Profile:       *given,
		roots:         x509.NewCertPool(),
		intermediates: x509.NewCertPool(),
		issuers:       map[authorityID]bool{},
		named:         map[string][]*Certificate{},
		pinned:        map[[32]byte]bool{},
	}
	if p.KeyUsage == 0 {
		p.KeyUsage = x509.KeyUsageDigitalSignature
	}
	errs := []error{given.check()}
	wrong := func(err error) { errs = append(errs, fmt.Errorf("profile %q: %w", given.Name, err)) }
	for _, set := range []struct {
		pool        *x509.CertPool
		authorities []*Authority
	}{{p.roots, given.Roots}, {p.intermediates, given.Intermediates}} {
		for _, a := range set.authorities {
			c, err := t.admit(a, config, slots)
			if err != nil {
				wrong(err)
				continue
			}
			set.pool.AddCert(c.candidate())
			p.issuers[c.name] = true
			p.named[string(c.x509.RawSubject)] = append(p.named[string(c.x509.RawSubject)], c)
		}
	}
	for _, der := range given.Pinned {
		c, err := ParseCertificate(der)
		if err == nil {
			err = CheckKey(c.PublicKey(), p.MinRSABits)
		}
		if err != nil {
			wrong(fmt.Errorf("pinned certificate: %w", err))
			continue
		}
		p.pinned[c.fingerprint] = true
	}
	for _, dotted := range given.Policies {
		oid, err := x509.ParseOID(dotted)
		if err != nil {
			wrong(refuse(Malformed, fmt.Errorf("policy %q is not an object identifier", dotted)))
			continue
		}
		id, ok := appendObjectID(nil, []byte(dotted))
		if !ok || string(id) == oidAnyPolicy {
			wrong(refuse(NoTrust, fmt.Errorf("policy %q cannot be demanded", dotted)))
			continue
		}
		p.policies, p.policyIDs = append(p.policies, oid), append(p.policyIDs, string(id))
	}
	var err error
	if p.issuerNames, err = parseNames(given.Issuers); err != nil {
		wrong(err)
	}
	if p.subjects, err = parseNames(given.Subjects); err != nil {
		wrong(err)
	}
	if p.patterns, err = parsePatterns(given.SubjectPatterns); err != nil {
		wrong(err)
	}
	return p, errors.Join(errs...)
}

func parseNames(texts []string) ([]Name, error) {
	var names []Name
	for _, text := range texts {
		n, err := ParseName([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		names = append(names, n)
	}
	return names, nil
}

// admit takes an authority into the trust. An authority may come twice, in two
// profiles or with a renewed certificate, but its CRL policy is one.
func (t *trust) admit(given *Authority, config *Config, slots func(authorityID) *crlSlot) (*Certificate, error) {
	if given == nil {
		return nil, refuse(NoTrust, errors.New("authority is nil"))
	}
	c, ok := t.known[sha256.Sum256(given.Certificate)]
	if !ok {
		var err error
		if c, err = ParseCertificate(given.Certificate); err != nil {
			return nil, fmt.Errorf("authority: %w", err)
		}
		if err := checkAuthority(c); err != nil {
			return nil, fmt.Errorf("authority %q: %w", c.subject.text, err)
		}
	}
	if err := given.check(); err != nil {
		return nil, fmt.Errorf("authority %q: %w", c.subject.text, err)
	}
	a, ok := t.authorities[c.name]
	if !ok {
		a = &authority{certificate: c, policy: given.Revocation, slot: slots(c.name)}
		var err error
		if a.ocsp, err = prepareOCSP(given.OCSP, a, config); err != nil {
			return nil, fmt.Errorf("authority %q: %w", c.subject.text, err)
		}
		t.authorities[c.name] = a
		t.order = append(t.order, a)
	} else if a.policy != given.Revocation {
		return nil, refuse(NoTrust, fmt.Errorf("authority %q has two revocation policies", c.subject.text))
	} else if !a.ocsp.says(given.OCSP) {
		return nil, refuse(NoTrust, fmt.Errorf("authority %q has two OCSP policies", c.subject.text))
	}
	for _, point := range given.DistributionPoints {
		if !slices.Contains(a.points, point) {
			a.points = append(a.points, point)
		}
	}
	t.known[c.fingerprint] = c
	return c, nil
}

// checkAuthority: a certificate that may not issue is not an authority, not even by configuration.
func checkAuthority(c *Certificate) error {
	if err := checkIssuer(c); err != nil {
		return err
	}
	if !c.subject.Equal(c.issuer) { // a root's own signature proves nothing and is not verified
		if err := checkSignatureAlgorithm(c.x509.SignatureAlgorithm); err != nil {
			return err
		}
	}
	return CheckKey(c.PublicKey(), 0)
}

// hasSource tells whether CRLs may come from a file or an address.
func (t *trust) hasSource(source string) bool {
	file := func(path string) bool {
		path = filepath.Clean(path)
		return path == filepath.Clean(source) || path == filepath.Dir(source)
	}
	return slices.ContainsFunc(t.files, file) ||
		slices.ContainsFunc(t.order, func(a *authority) bool { return slices.Contains(a.points, source) })
}

// serves tells whether any profile is for a role.
func (t *trust) serves(role Role) bool {
	return slices.ContainsFunc(t.profiles, func(p *profile) bool { return p.Role == role })
}
