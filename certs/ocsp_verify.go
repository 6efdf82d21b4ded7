package certs

import (
	"bytes"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ocsp"
)

// ocspPolicy is an OCSP, prepared for its authority.
type ocspPolicy struct {
	OCSP
	authority *authority
	issuer    ocspIssuer
	signers   []*Certificate // pinned delegated responders
	skew      time.Duration
	crlSkew   time.Duration
	entries   int64
	shelf     *ocspShelf // outlives the trust
	lastOne   atomic.Pointer[Certificate]
}

// ocspAnswer is what a responder said of a certificate, proven. It is immutable.
type ocspAnswer struct {
	status     int // ocsp.Good, ocsp.Revoked, ocsp.Unknown
	thisUpdate time.Time
	nextUpdate time.Time
	delegate   *Certificate // who signed it; nil: the authority itself. He is asked about again whenever the answer is used
	noCheck    bool         // no CRL need clear the delegate
}

// state is what the answer says at a moment; a nil answer says nothing.
func (a *ocspAnswer) state(at time.Time, skew time.Duration) OCSPState {
	switch {
	case a == nil:
		return OCSPMissing
	case a.status == ocsp.Revoked:
		return OCSPRevoked
	case at.Add(skew).Before(a.thisUpdate):
		return OCSPNotYetValid
	case at.Sub(a.nextUpdate) > skew:
		return OCSPLate
	case a.status == ocsp.Good:
		return OCSPGood
	}
	return OCSPUnknown
}

// prepareOCSP checks an OCSP against its authority. Nil stays nil.
func prepareOCSP(given *OCSP, a *authority, c *Config) (*ocspPolicy, error) {
	if given == nil {
		return nil, nil
	}
	p := &ocspPolicy{OCSP: *given, authority: a, skew: c.OCSP.Skew, crlSkew: c.CRL.Skew, entries: c.OCSP.Entries}
	p.Responders = slices.Clone(given.Responders)
	var err error
	if p.issuer, err = issuerOf(a.certificate); err != nil {
		return nil, err
	}
	for _, der := range given.Signers {
		signer, err := ParseCertificate(der)
		if err == nil {
			err = checkResponder(signer, a.certificate)
		}
		if err != nil {
			return nil, err
		}
		p.signers = append(p.signers, signer)
	}
	if a.slot.answers == nil {
		a.slot.answers = newOCSPShelf()
	}
	p.shelf = a.slot.answers
	return p, nil
}

// says tells whether the policy is that of a configuration.
func (p *ocspPolicy) says(given *OCSP) bool {
	if p == nil {
		return given == nil
	}
	return p.OCSP.equal(given)
}

// checkResponder proves that an authority delegated the signing of its answers to
// a certificate (RFC 6960 section 4.2.2.2): the same key issued it, directly, for
// that purpose by name, and to no CA. Whether it is valid and not revoked is asked
// at the moment of use.
func checkResponder(c, ca *Certificate) error {
	wrong := func(what string) error { return refuse(WrongSigner, errors.New("OCSP: delegated responder: "+what)) }
	switch {
	case !bytes.Equal(c.x509.RawIssuer, ca.x509.RawSubject):
		return wrong("issued by another")
	case !slices.Contains(c.x509.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning): // any leaf of the CA would speak for it
		return wrong("extended key usage is not OCSPSigning")
	case c.x509.KeyUsage != 0 && c.x509.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return wrong("key usage is not digitalSignature")
	case c.x509.IsCA:
		return wrong("is a CA")
	case len(c.x509.UnhandledCriticalExtensions) > 0:
		return refuse(UnknownCriticalExtension, errors.New("OCSP: delegated responder"))
	}
	if err := checkSignatureAlgorithm(c.x509.SignatureAlgorithm); err != nil {
		return err
	}
	if ca.x509.CheckSignature(c.x509.SignatureAlgorithm, c.x509.RawTBSCertificate, c.x509.Signature) != nil {
		return wrong("issued by another key")
	}
	return CheckKey(c.PublicKey(), 0)
}

// noCheck tells whether a responder's certificate says that its revocation need
// not be asked (id-pkix-ocsp-nocheck, RFC 6960 section 4.2.2.2.1).
func noCheck(c *Certificate) bool {
	id := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
	for i := range c.x509.Extensions {
		if c.x509.Extensions[i].Id.Equal(id) {
			return true
		}
	}
	return false
}

// clears tells whether a delegated responder may speak at a moment, by the CRLs of its
// authority. With nocheck none is needed; one that lists it is heeded all the same.
func (p *ocspPolicy) clears(delegate *Certificate, noCheck bool, at time.Time) bool {
	own := link{certificate: delegate, authority: p.authority}
	_, err := own.revocation(at, p.crlSkew)
	return err == nil || noCheck && ReasonOf(err) != Revoked
}

// verify proves a response to a question at a moment (RFC 6960 section 3.2).
// What is cheap comes first.
func (p *ocspPolicy) verify(der []byte, q *ocspQuestion, now time.Time) (*ocspAnswer, error) {
	r, err := parseOCSP(der)
	if err != nil {
		return nil, err
	}
	single, err := r.about(q)
	if err != nil {
		return nil, err
	}
	if q.nonce != nil && !bytes.Equal(r.nonce, q.nonce) { // without it the answer may be an old one
		return nil, refuse(Mismatch, errors.New("OCSP: nonce is missing or another"))
	}
	answer, err := p.date(r, single, now)
	if err != nil {
		return nil, err
	}
	candidates, err := p.candidates(r)
	if err != nil {
		return nil, err
	}
	for _, signer := range candidates {
		var proven *ocspAnswer
		if proven, err = p.signedBy(signer, r, q, single, *answer, now); err == nil {
			return proven, nil
		}
	}
	return nil, err
}

// signedBy proves that a candidate signed a response, and might.
func (p *ocspPolicy) signedBy(signer *Certificate, r *ocspResponse, q *ocspQuestion, s *ocspSingle, answer ocspAnswer, now time.Time) (*ocspAnswer, error) {
	if signer != p.authority.certificate {
		if err := signer.covers(now); err != nil {
			return nil, err
		}
		answer.delegate, answer.noCheck = signer, noCheck(signer)
		if !p.clears(signer, answer.noCheck, now) {
			return nil, refuse(WrongSigner, errors.New("OCSP: delegated responder is revoked, or no CRL clears it"))
		}
		if end := signer.NotAfter(); end.Before(answer.nextUpdate) { // what it signed ends with it
			answer.nextUpdate = end
		}
	}
	if err := r.proveSignature(signer, q, s); err != nil {
		return nil, err
	}
	return &answer, nil
}

// about finds the one statement about the certificate in question.
func (r *ocspResponse) about(q *ocspQuestion) (*ocspSingle, error) {
	var found *ocspSingle
	for i := range r.singles {
		if !r.singles[i].id.answers(q) {
			continue
		}
		if found != nil {
			return nil, errOCSP("two statements about one certificate")
		}
		found = &r.singles[i]
	}
	if found == nil {
		return nil, refuse(Mismatch, errors.New("OCSP: answer about another certificate"))
	}
	return found, nil
}

// date checks the times of a statement (RFC 6960 section 4.2.2.1). A "revoked"
// that is late is heeded all the same.
func (p *ocspPolicy) date(r *ocspResponse, s *ocspSingle, now time.Time) (*ocspAnswer, error) {
	a := &ocspAnswer{status: s.status, thisUpdate: s.thisUpdate, nextUpdate: s.nextUpdate}
	if a.nextUpdate.IsZero() {
		if p.MaxAge == 0 {
			return nil, refuse(Unsupported, errors.New("OCSP: answer without nextUpdate"))
		}
		a.nextUpdate = a.thisUpdate.Add(p.MaxAge)
	}
	switch latest := now.Add(p.skew); {
	case a.thisUpdate.After(latest) || r.producedAt.After(latest):
		return nil, refuse(NotYetValid, errors.New("OCSP: answer from the future"))
	case a.nextUpdate.Before(a.thisUpdate):
		return nil, errOCSP("nextUpdate before thisUpdate")
	case now.Sub(a.nextUpdate) > p.skew && a.status != ocsp.Revoked:
		return nil, refuse(Expired, errors.New("OCSP: nextUpdate has passed"))
	}
	return a, nil
}

// candidates gives those who may have signed a response, by the name that it
// bears: the authority itself, and those to whom it delegated that. Two responders
// of one name are met when one follows the other. No signature is verified yet.
func (p *ocspPolicy) candidates(r *ocspResponse) ([]*Certificate, error) {
	var found []*Certificate
	if r.named(p.authority.certificate) {
		found = append(found, p.authority.certificate)
	}
	for _, pinned := range p.signers {
		if r.named(pinned) {
			found = append(found, pinned)
		}
	}
	if r.certificate != nil && !slices.ContainsFunc(found, func(c *Certificate) bool { return bytes.Equal(c.x509.Raw, r.certificate) }) {
		came, err := p.delegate(r)
		if err == nil {
			return append(found, came), nil
		}
		if len(found) == 0 {
			return nil, err
		}
	}
	if len(found) == 0 {
		return nil, refuse(WrongSigner, errors.New("OCSP: responder is neither the authority nor known"))
	}
	return found, nil
}

// delegate proves that the certificate which came with a response is a delegated
// responder's. The last one is remembered: a responder has one for weeks.
func (p *ocspPolicy) delegate(r *ocspResponse) (*Certificate, error) {
	if last := p.lastOne.Load(); last != nil && bytes.Equal(last.x509.Raw, r.certificate) && r.named(last) {
		return last, nil
	}
	c, err := ParseCertificate(r.certificate)
	if err != nil {
		return nil, err
	}
	if !r.named(c) {
		return nil, refuse(WrongSigner, errors.New("OCSP: responder is another than its certificate says"))
	}
	if err := checkResponder(c, p.authority.certificate); err != nil {
		return nil, err
	}
	p.lastOne.Store(c)
	return c, nil
}

// named tells whether the ResponderID is that of a certificate.
func (r *ocspResponse) named(c *Certificate) bool {
	if r.keyHash == nil {
		return bytes.Equal(r.name, c.x509.RawSubject)
	}
	key, ok := publicKeyBits(c.x509.RawSubjectPublicKeyInfo)
	sum := sha1.Sum(key)
	return ok && bytes.Equal(r.keyHash, sum[:])
}

// proveSignature verifies the signature, by x/crypto/ocsp, which reads the whole
// once more: two readers that do not find the same refuse it.
func (r *ocspResponse) proveSignature(signer *Certificate, q *ocspQuestion, s *ocspSingle) error {
	if r.certificate != nil && !bytes.Equal(r.certificate, signer.x509.Raw) {
		c, err := ParseCertificate(r.certificate) // it verifies with the key of what came, whoever that is: not a monstrous one (Z8)
		if err == nil {
			err = checkKeyShape(c.PublicKey(), 0)
		}
		if err == nil && !c.SameKey(signer) {
			err = refuse(WrongSigner, errors.New("OCSP: the certificate that came is not the responder's"))
		}
		if err != nil {
			return err
		}
	}
	parsed, err := ocsp.ParseResponseForCert(r.der, &x509.Certificate{SerialNumber: q.serial}, nil)
	if err != nil {
		return refuse(WrongSigner, errors.New("OCSP: signature is not the responder's")) // the form was found right before
	}
	if err := checkSignatureAlgorithm(parsed.SignatureAlgorithm); err != nil {
		return err
	}
	if parsed.CheckSignatureFrom(signer.x509) != nil {
		return refuse(WrongSigner, errors.New("OCSP: signature is not the responder's"))
	}
	if parsed.Status != s.status || !parsed.ThisUpdate.Equal(s.thisUpdate) || !parsed.NextUpdate.Equal(s.nextUpdate) {
		return errOCSP("two readers find two answers")
	}
	return nil
}
