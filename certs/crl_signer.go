package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
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
