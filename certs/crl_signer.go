package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// crlSigner is a certificate to which the configuration lets an authority delegate
// the signing of its CRLs, as CAs do that sign lists with a key of their own (RFC
// 5280 section 6.3.3 (f)). It bears the authority's name; whoever issued it answers
// for its revocation.
type crlSigner struct {
	certificate *Certificate
	issuer      *authority
}

// admitSigners takes the delegated signers of an authority into the trust, once all
// authorities are known: one of them must have issued each.
func (t *trust) admitSigners(a *authority, ders [][]byte) error {
	var errs []error
	for _, der := range ders {
		c, err := ParseCertificate(der)
		if err == nil {
			err = t.admitSigner(a, c)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("CRL signer of %q: %w", a.certificate.subject.text, err))
		}
	}
	return errors.Join(errs...)
}

func (t *trust) admitSigner(a *authority, c *Certificate) error {
	switch {
	case !c.subject.Equal(a.certificate.subject):
		return refuse(WrongSigner, errors.New("it bears another name: its lists would be indirect"))
	case c.x509.KeyUsage&x509.KeyUsageCRLSign == 0:
		return refuse(WrongUsage, errors.New("its key usage does not let it sign CRLs"))
	}
	if err := checkCritical(c); err != nil {
		return err
	}
	if err := checkSignatureAlgorithm(c.x509.SignatureAlgorithm); err != nil {
		return err
	}
	if err := CheckKey(c.PublicKey(), 0); err != nil {
		return err
	}
	for _, issuer := range t.order {
		if c.x509.CheckSignatureFrom(issuer.certificate.x509) == nil && c.issuer.Equal(issuer.certificate.subject) {
			if a.signers == nil {
				a.signers = map[[32]byte]*crlSigner{}
			}
			a.signers[c.fingerprint] = &crlSigner{certificate: c, issuer: issuer}
			return nil
		}
	}
	return refuse(UntrustedIssuer, errors.New("no configured authority issued it"))
}

// maxDelegation bounds how far the question goes who may sign a list that clears a signer.
const maxDelegation = 3

// believes tells whether a list may speak at a moment: it is there, and who signed it
// is the authority itself, or a delegate who is configured still, valid, and not
// revoked by whoever issued it. Where that is the authority itself, its lists are those
// that the delegate signs: they are asked about him without asking again who signed
// them, so that he is revoked when his own list says so.
func (m *crlMoment) believes(l *revocationList) bool {
	if l == nil {
		return false
	}
	if l.signer == ([32]byte{}) || m.own {
		return true
	}
	s := m.authority.signers[l.signer]
	if s == nil || s.certificate.covers(m.at) != nil || m.depth == maxDelegation {
		return false
	}
	_, err := s.issuer.revocation(s.certificate, &crlMoment{
		authority: s.issuer, at: m.at, skew: m.skew, own: s.issuer == m.authority, depth: m.depth + 1,
	})
	return err == nil
}

// vouches tells whether who signed a list may sign one now: it is the authority itself, or
// a delegate who is configured, valid, and not known to be revoked. Asked before a list is
// taken: a delegate whose key was stolen must not replace the list on which he stands by
// one on which he does not. Whether he is cleared is asked at each use: see believes.
func (a *authority) vouches(l *revocationList, now time.Time, skew time.Duration) error {
	if l.signer == ([32]byte{}) {
		return nil
	}
	s := a.signers[l.signer]
	if s == nil {
		return refuse(WrongSigner, errors.New("CRL: who signed it may no longer"))
	}
	if err := s.certificate.covers(now); err != nil {
		return refuse(WrongSigner, errors.New("CRL: the certificate of who signed it is "+ReasonOf(err).String()))
	}
	return a.unrevoked(s, now, skew)
}

// unrevoked refuses a delegate who is known to be revoked.
func (a *authority) unrevoked(s *crlSigner, now time.Time, skew time.Duration) error {
	_, err := s.issuer.revocation(s.certificate, &crlMoment{authority: s.issuer, at: now, skew: skew, own: s.issuer == a})
	if ReasonOf(err) == Revoked {
		return refuse(WrongSigner, errors.New("CRL: who signed it is revoked"))
	}
	return nil
}

// disowns tells whether a list that was taken counts for nothing any more, since its
// signer is configured no longer or revoked, by what is known or by the list that is to
// follow it. Otherwise a stolen key would keep the authority's own lists out for ever,
// with one list of the greatest number (K3).
func (a *authority) disowns(old, next *revocationList, now time.Time, skew time.Duration) bool {
	if old.signer == ([32]byte{}) {
		return false
	}
	s := a.signers[old.signer]
	if s == nil || a.unrevoked(s, now, skew) != nil {
		return true
	}
	if s.issuer != a || next.signer == old.signer || next.scope.covers(s.certificate) == 0 {
		return false
	}
	entry := next.index.find(&s.certificate.serial)
	return entry != nil && entry.reason != removeFromCRL
}

// revocation asks the CRLs of an authority about a certificate that it issued, and
// decides by its policy. It does not allocate when nothing is refused.
func (a *authority) revocation(c *Certificate, m *crlMoment) (RevocationStatus, error) {
	v := a.slot.current().judge(c, m)
	status, reason := decide(a.policy, v.state, v.late, v.entry != nil)
	switch reason {
	case 0:
		return status, nil
	case Revoked:
		return 0, refuse(Revoked, errors.New("issued by "+a.certificate.subject.text))
	}
	return 0, refuse(reason, errors.New("CRL of "+a.certificate.subject.text+" is "+v.state.String()))
}
