package certs

import (
	"errors"
	"slices"
	"time"
)

// The bounds of a path (K5, Z8).
const (
	maxMessageIntermediates = 4
	maxPath                 = 5
)

// verified is a certificate whose path and profile were proven under one trust:
// all that does not depend on the moment, save that both validity and revocation
// are asked again whenever it is used. It is immutable.
type verified struct {
	trust     *trust
	role      Role
	profile   *profile
	kind      Kind
	leaf      *Certificate
	path      []*Certificate
	links     []link // one for each certificate whose revocation counts
	notBefore time.Time
	notAfter  time.Time
	quiet     bool // an explanation: see link
}

// link is a certificate of a path and who answers for its revocation.
type link struct {
	certificate *Certificate
	authority   *authority // nil: its issuer came with the message, and no CRL of it is known
	quiet       bool       // it is not asked in earnest: no responder is asked on its account, and nobody waits
}

// verify finds the profile that admits a certificate in a role. When only the
// revocation refuses, what was proven comes back beside the error: it need not be
// proven again when the certificate comes again.
func (t *trust) verify(role Role, leaf *Certificate, intermediates []*Certificate, at time.Time) (*verified, RevocationStatus, error) {
	if !t.serves(role) {
		return nil, 0, refuse(UnknownRole, nil)
	}
	var refusal error
	var proven *verified
	// A certificate that is pinned is trusted as it stands, whatever stands before that in the configuration.
	for _, pinned := range [...]bool{true, false} {
		for _, p := range t.profiles {
			if p.Role != role || p.pinned[leaf.fingerprint] != pinned {
				continue
			}
			kind := p.admits(leaf)
			if kind == Nobody {
				continue
			}
			v, status, err := t.verifyUnder(p, kind, leaf, intermediates, at)
			if err == nil {
				return v, status, nil
			}
			if refusal == nil || telling(ReasonOf(err)) > telling(ReasonOf(refusal)) { // of several profiles, the one whose authorities know the certificate tells more
				refusal, proven = err, v
			}
		}
	}
	if refusal != nil {
		return proven, 0, refusal
	}
	if leaf.holderErr != nil {
		return nil, 0, leaf.holderErr
	}
	return nil, 0, refuse(WrongProfile, errors.New("subject is of another kind"))
}

// admits gives the kind as which a profile admits a subject, Nobody when it does
// not: the swap of an eID for an eHealth certificate ends here (K8).
func (p *profile) admits(leaf *Certificate) Kind {
	if p.pinned[leaf.fingerprint] {
		return Service
	}
	if len(p.Roots) == 0 {
		return Nobody
	}
	if len(p.subjects) > 0 && !slices.ContainsFunc(p.subjects, leaf.subject.Equal) {
		return Nobody
	}
	if len(p.patterns) > 0 && !slices.ContainsFunc(p.patterns, func(one Pattern) bool { return one.Match(leaf.subject) }) {
		return Nobody
	}
	if slices.Contains(p.Kinds, Service) { // Subjects is not empty then: see Profile.check
		return Service
	}
	h := &leaf.holder
	if leaf.holderErr != nil || h.testCard && !p.TestCards || !slices.Contains(p.Kinds, h.kind) {
		return Nobody
	}
	return h.kind
}

// verifyUnder measures a certificate by one profile: what is cheap first, the
// path next, the search for weak keys at the end (Z8).
func (t *trust) verifyUnder(p *profile, kind Kind, leaf *Certificate, intermediates []*Certificate, at time.Time) (*verified, RevocationStatus, error) {
	if err := leaf.covers(at); err != nil {
		return nil, 0, err
	}
	if err := checkKeyShape(leaf.PublicKey(), p.MinRSABits); err != nil {
		return nil, 0, err
	}
	v := &verified{trust: t, role: p.Role, profile: p, kind: kind, leaf: leaf}
	if p.pinned[leaf.fingerprint] {
		if err := p.checkPinned(leaf); err != nil {
			return nil, 0, err
		}
		v.follow([]*Certificate{leaf})
		return v, NotChecked, nil
	}
	if err := p.checkLeaf(leaf, at); err != nil {
		return nil, 0, err
	}
	paths, err := t.paths(p, leaf, intermediates, at)
	if err != nil {
		return nil, 0, err
	}
	if err := CheckKey(leaf.PublicKey(), p.MinRSABits); err != nil {
		return nil, 0, err
	}
	var refusal error
	for _, path := range paths {
		v.follow(path)
		status, err := v.revocation(at)
		if err == nil {
			return v, status, nil
		}
		refusal = moreTelling(refusal, err)
	}
	return v, 0, refusal
}

// checkPinned: a pinned certificate need not have a key usage; one that it has binds it.
func (p *profile) checkPinned(leaf *Certificate) error {
	if usage := leaf.x509.KeyUsage; usage != 0 && usage&p.KeyUsage != p.KeyUsage {
		return refuse(WrongUsage, errors.New("key usage"))
	}
	return nil
}

// follow takes a path: its validity is what all its certificates share.
func (v *verified) follow(path []*Certificate) {
	v.path, v.links = path, nil
	v.notBefore, v.notAfter = path[0].NotBefore(), path[0].NotAfter()
	for i, c := range path {
		if c.NotBefore().After(v.notBefore) {
			v.notBefore = c.NotBefore()
		}
		if c.NotAfter().Before(v.notAfter) {
			v.notAfter = c.NotAfter()
		}
		if i > 0 {
			v.links = append(v.links, link{path[i-1], v.trust.authorities[c.name], v.quiet})
		}
	}
}

// again asks what depends on the moment. A refusal is final when it concerns the
// certificate itself: no other path can lift it.
func (v *verified) again(at time.Time) (status RevocationStatus, final bool, err error) {
	if err := v.leaf.covers(at); err != nil {
		return 0, true, err
	}
	if at.Before(v.notBefore) {
		return 0, false, refuse(NotYetValid, nil)
	}
	if at.After(v.notAfter) {
		return 0, false, refuse(Expired, nil)
	}
	if len(v.links) == 0 {
		return NotChecked, false, nil
	}
	status = Cleared
	for i := range v.links {
		one, err := v.links[i].standing(at, v.trust.skew)
		if err != nil {
			return 0, i == 0, err
		}
		status = min(status, one)
	}
	return status, false, nil
}

// revocation asks the CRLs about every certificate of the path (K4), as they are
// now: a list that was swapped in a moment ago counts. It does not allocate when
// nothing is refused.
func (v *verified) revocation(at time.Time) (RevocationStatus, error) {
	if len(v.links) == 0 {
		return NotChecked, nil
	}
	weakest := Cleared
	var unknown error
	for i := range v.links {
		status, err := v.links[i].standing(at, v.trust.skew)
		switch {
		case err == nil:
			weakest = min(weakest, status)
		case ReasonOf(err) == Revoked: // tells more than any unknown before it
			return 0, err
		default:
			unknown = err
		}
	}
	if unknown != nil {
		return 0, unknown
	}
	return weakest, nil
}

// revocation asks the CRLs of the issuer about one certificate.
func (l *link) revocation(at time.Time, skew time.Duration) (RevocationStatus, error) {
	if l.authority == nil {
		return 0, refuse(RevocationUnknown, errors.New("the issuer came with the message: it has no CRL here"))
	}
	return l.authority.revocation(l.certificate, &crlMoment{authority: l.authority, at: at, skew: skew})
}
