package trust

import (
	"crypto"
	"errors"
	"slices"
	"time"

	"sceau/certs"
	"sceau/saml"
	"sceau/xmlsec"
)

// A Judge says whose assertions are believed. Its fields are not changed once it judges; it is safe for concurrent use then. The zero
// Judge believes nobody.
type Judge struct {
	// Certificates identifies the STS (certs.RoleSTS) and the holders.
	Certificates *certs.Verifier
	// Issuers are the admitted values of Issuer, compared exactly (attacks.md H5).
	Issuers []string
	// Audiences are the names by which an AudienceRestrictionCondition may mean us. An assertion without one is for everybody
	// (core 2.3.2.1.3).
	Audiences []string
	// HolderRoles are the roles in which the certificate of a holder may be identified.
	HolderRoles []certs.Role
	// Skew is how far the clock of the STS may differ from ours.
	Skew time.Duration
	// Signature says which algorithms are admitted. One reference is: the assertion itself, and nothing beside (attacks.md W19).
	Signature xmlsec.Policy
}

// A Belief is what of an assertion is not in it: whose word it is, and who must be its holder. Only Believe makes one that says anything.
type Belief struct {
	// STS is whose key the signature was verified with, identified at that moment.
	STS certs.Identity
	// Key is that of the holder, the zero KeyInfo where a sender vouches. It aliases the assertion.
	Key xmlsec.KeyInfo
}

// Believe judges an assertion at now: everything but whether the holder is trusted and there. vouched says that the subject must be confirmed by
// the word of a sender, and else by a holder's key. scratch may be nil; its memory is used again.
func (j *Judge) Believe(a *saml.Assertion, vouched bool, now time.Time, scratch *[]byte) (Belief, error) {
	if j.Certificates == nil {
		return Belief{}, refuse(Unconfigured, nil)
	}
	if !slices.ContainsFunc(j.Issuers, func(issuer string) bool { return issuer == string(a.Issuer) }) {
		return Belief{}, refuse(WrongIssuer, nil) // attacks.md H5: exact, no prefix
	}
	if err := j.conditions(a, now); err != nil {
		return Belief{}, err
	}
	key, err := confirmation(a, vouched)
	if err != nil {
		return Belief{}, err
	}
	sts, err := j.signedBySTS(a, now, scratch)
	if err != nil {
		return Belief{}, err
	}
	return Belief{STS: sts, Key: key}, nil
}

// conditions judges the Conditions (core 2.3.2.1). Both times must be there: an
// assertion without end would be good for ever.
func (j *Judge) conditions(a *saml.Assertion, now time.Time) error {
	c := &a.Conditions
	if c.NotBefore.IsZero() || c.NotOnOrAfter.IsZero() || !c.NotBefore.Before(c.NotOnOrAfter) {
		return refuse(Malformed, errors.New("window missing in Conditions"))
	}
	if err := j.InWindow(c.NotBefore, c.NotOnOrAfter, now); err != nil {
		return err
	}
	if c.Restrictions == 0 {
		return nil
	}
	// Every condition must hold, and one does when it names one of us (core
	// 2.3.2.1.3); saml.Conditions joins the audiences of all.
	for r := a.Node.FirstElement().FirstElement(); !r.IsZero(); r = r.NextElement() {
		named := false
		for u := r.FirstElement(); !u.IsZero(); u = u.NextElement() {
			value, _ := u.Value()
			named = named || slices.ContainsFunc(j.Audiences, func(audience string) bool { return audience == string(value) })
		}
		if !named {
			return refuse(WrongAudience, nil)
		}
	}
	return nil
}

// InWindow admits NotBefore itself and refuses NotOnOrAfter itself (attacks.md R4).
func (j *Judge) InWindow(notBefore, notOnOrAfter, now time.Time) error {
	if now.Add(j.Skew).Before(notBefore) {
		return refuse(NotYetValid, nil)
	}
	if !now.Add(-j.Skew).Before(notOnOrAfter) {
		return refuse(Expired, nil)
	}
	return nil
}

// confirmation gives the KeyInfo of the holder's key, the zero KeyInfo where a sender vouches. The subject is confirmed where it
// is authenticated: once, by the one method that is called for, holder-of-key with a KeyInfo or sender-vouches without, and
// without data that nobody here would read (attacks.md H2). The subject of the attributes is the same one;
// when it repeats the confirmation it repeats it exactly.
func confirmation(a *saml.Assertion, vouched bool) (xmlsec.KeyInfo, error) {
	if !a.Authenticated || !a.AuthenticationSubject.Named {
		return xmlsec.KeyInfo{}, refuse(Unconfirmed, errors.New("no AuthenticationStatement with a named subject"))
	}
	key, err := confirmed(&a.AuthenticationSubject, vouched)
	if err != nil || !a.HasAttributes {
		return key, err
	}
	one, other := &a.AuthenticationSubject.NameIdentifier, &a.AttributeSubject.NameIdentifier
	if !a.AttributeSubject.Named || string(one.Value) != string(other.Value) ||
		string(one.NameQualifier) != string(other.NameQualifier) || string(one.Format) != string(other.Format) {
		return xmlsec.KeyInfo{}, refuse(Unconfirmed, errors.New("attributes of another subject"))
	}
	if !a.AttributeSubject.Confirmed {
		return key, nil
	}
	again, err := confirmed(&a.AttributeSubject, vouched)
	if err != nil {
		return xmlsec.KeyInfo{}, err
	}
	if !vouched && !sameKeyInfo(&key, &again) {
		return xmlsec.KeyInfo{}, refuse(Unconfirmed, errors.New("two confirmations that differ"))
	}
	return key, nil
}

func confirmed(s *saml.Subject, vouched bool) (xmlsec.KeyInfo, error) {
	c := &s.Confirmation
	once := s.Confirmed && c.Methods == 1 && c.Data.IsZero()
	if vouched {
		if !once || string(c.Method) != saml.SenderVouches || !c.KeyInfo.IsZero() {
			return xmlsec.KeyInfo{}, refuse(Unconfirmed, errors.New("not sender-vouches without a key, once"))
		}
		return xmlsec.KeyInfo{}, nil
	}
	if !once || string(c.Method) != saml.HolderOfKey || c.KeyInfo.IsZero() {
		return xmlsec.KeyInfo{}, refuse(Unconfirmed, errors.New("not holder-of-key with a key, once"))
	}
	key, err := xmlsec.ParseKeyInfo(c.KeyInfo)
	if err != nil {
		return xmlsec.KeyInfo{}, refuse(Unconfirmed, err)
	}
	return key, nil
}

func sameKeyInfo(a, b *xmlsec.KeyInfo) bool {
	if a.Selector != b.Selector {
		return false
	}
	if a.Selector == xmlsec.ByKeyValue {
		key, ok := a.Key.(interface{ Equal(crypto.PublicKey) bool })
		return ok && key.Equal(b.Key)
	}
	return a.Selector == xmlsec.ByCertificate && string(a.Value) == string(b.Value)
}

// signedBySTS verifies the signature of the assertion and gives whose key made it.
// The certificate in its KeyInfo only selects: it counts when Certificates
// knows it for an STS (attacks.md A6).
func (j *Judge) signedBySTS(a *saml.Assertion, now time.Time, scratch *[]byte) (certs.Identity, error) {
	if a.Signature.IsZero() { // attacks.md W21
		return certs.Identity{}, refuse(Unsigned, nil)
	}
	signature, err := xmlsec.ParseSignature(a.Signature)
	if err != nil {
		return certs.Identity{}, signatureError(err)
	}
	// One reference, to the assertion that the signature stands in, and to all of
	// it (attacks.md W1 to W8, W17, W19).
	if signature.References() != 1 {
		return certs.Identity{}, refuse(BadSignature, errors.New("more than one reference"))
	}
	if target, enveloped := signature.Refers(0); target != a.Node || !enveloped {
		return certs.Identity{}, refuse(BadSignature, errors.New("reference to something else than the assertion"))
	}
	if signature.KeyInfo().IsZero() {
		return certs.Identity{}, refuse(Unsigned, errors.New("no KeyInfo"))
	}
	info, err := xmlsec.ParseKeyInfo(signature.KeyInfo())
	if err != nil || info.Selector != xmlsec.ByCertificate {
		return certs.Identity{}, refuse(Unsigned, errors.Join(errors.New("no certificate in KeyInfo"), err))
	}
	certificate, err := j.Certificate(info.Value, scratch)
	if err != nil {
		return certs.Identity{}, refuse(UntrustedSTS, err)
	}
	identity, err := j.STS(certificate, now)
	if err != nil {
		return certs.Identity{}, err
	}
	verified, err := signature.Verify(identity.PublicKey(), &j.Signature)
	if err != nil {
		return certs.Identity{}, signatureError(err)
	}
	if !verified.Signs(a.Node) {
		return certs.Identity{}, refuse(BadSignature, errors.New("assertion not signed"))
	}
	return identity, nil
}

// STS identifies a certificate as that of a trusted STS.
func (j *Judge) STS(c *certs.Certificate, now time.Time) (certs.Identity, error) {
	identity, err := j.Certificates.Identify(certs.RoleSTS, c, nil, now)
	if err != nil {
		return certs.Identity{}, certificateError(UntrustedSTS, err)
	}
	return identity, nil
}

// Holder identifies a holder in the first of the admitted roles that has
// him. When none has, the refusal that tells most is given: that of a role whose
// authorities know the certificate. path may be nil.
func (j *Judge) Holder(c *certs.Certificate, path []*certs.Certificate, now time.Time) (certs.Identity, error) {
	if j.Certificates == nil {
		return certs.Identity{}, refuse(Unconfigured, nil)
	}
	var refusal error
	for _, role := range j.HolderRoles {
		identity, err := j.Certificates.Identify(role, c, path, now)
		if err == nil {
			return identity, nil
		}
		switch certs.ReasonOf(refusal) {
		case 0, certs.WrongProfile, certs.UntrustedIssuer, certs.UnknownRole:
			refusal = err
		}
	}
	if refusal == nil {
		return certs.Identity{}, refuse(UntrustedHolder, errors.New("no role for the certificate of a holder"))
	}
	return certs.Identity{}, certificateError(UntrustedHolder, refusal)
}

// Certificate reads the base64 text of an X509Certificate. scratch may be nil.
func (j *Judge) Certificate(text []byte, scratch *[]byte) (*certs.Certificate, error) {
	if known := j.Certificates.Recall(text); known != nil { // says what parsing would say, and nothing of trust
		return known, nil
	}
	var room []byte
	if scratch != nil {
		room = (*scratch)[:0]
	}
	der, err := xmlsec.AppendBase64(room, text)
	if err != nil {
		return nil, err
	}
	if scratch != nil {
		*scratch = der
	}
	return j.Certificates.Parse(der)
}
