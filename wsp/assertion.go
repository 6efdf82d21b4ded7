package wsp

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/saml"
	"sceau/soap"
	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// An assertion whose signature was verified with the key of a certificate that was
// then trusted, with all in it that does not depend on the moment. Only verify makes
// one. It is immutable, aliases no message, and is shared between callers.
type assertion struct {
	digest [sha256.Size]byte // of the canonical form, signature included
	size   int

	id, issuer              string
	issued                  time.Time
	notBefore, notOnOrAfter time.Time
	subject                 Subject
	method                  string
	authenticated           time.Time
	attributes              []Attribute

	sts *certs.Certificate // whose key the signature was verified with
	// The subject is confirmed by the word of a sender, or else by a holder's key.
	vouched bool
	// The holder: a certificate, or a bare key where the configuration admits it.
	holder    *certs.Certificate
	key       crypto.PublicKey
	keyDigest [sha256.Size]byte // of the SubjectPublicKeyInfo
}

// A holder is who must have signed the message, as of now: the holder of the assertion, or a sender who vouches.
type holder struct {
	identity certs.Identity // nobody when only a key is known
	key      crypto.PublicKey
}

// Key implements soap.Keys: it judges the assertion and gives the key that must have signed the message, the holder's or
// that of a sender who may vouch. All that an assertion has to prove is proven before a signature of the message is
// looked at.
func (a *admission) Key(token *soap.Token) (crypto.PublicKey, error) {
	n := token.Node
	var sender holder
	switch {
	case token.Kind == soap.SAMLAssertion:
	case token.Kind == soap.X509 && !token.Assertion.IsZero() && len(a.guard.config.SenderVouches) > 0:
		n, a.vouched = token.Assertion, true
		var err error
		if sender, err = a.identifySender(token); err != nil { // a stranger's assertion costs nothing more
			return nil, err
		}
	default:
		return nil, refuse(UnsupportedToken, nil)
	}
	if len(n.Source()) > a.guard.config.MaxAssertionBytes {
		return nil, refuse(BadAssertion, errors.New("too large"))
	}
	// The STS writes no comment, and a canonical form shows none (attacks.md D1, W18).
	if n.HasComment() {
		return nil, refuse(BadAssertion, errors.New("comment"))
	}
	canonical, err := c14n.Append(a.canonical[:0], n, c14n.Options{})
	if err != nil {
		return nil, refuse(BadAssertion, err)
	}
	a.canonical = canonical
	digest := sha256.Sum256(canonical)
	known := a.guard.known.find(digest)
	if known != nil {
		err = a.recognise(known)
	} else {
		known, err = a.verify(n, digest)
	}
	if err != nil {
		return nil, err
	}
	if a.vouched {
		a.holder = sender
		a.keyDigest = sha256.Sum256(sender.identity.Certificate().RawPublicKey())
	} else {
		if a.holder, err = a.identifyHolder(known); err != nil {
			return nil, err
		}
		a.keyDigest = known.keyDigest
	}
	a.token, a.node, a.proven = token.Node, n, known
	return a.holder.key, nil
}

// recognise judges again, of an assertion that was verified before, what may have
// changed since.
func (a *admission) recognise(known *assertion) error {
	if known.vouched != a.vouched { // attacks.md H2
		return refuse(UnconfirmedSubject, errors.New("confirmed by another method"))
	}
	if err := a.guard.inWindow(known.notBefore, known.notOnOrAfter, a.now); err != nil {
		return err
	}
	_, err := a.identifySTS(known.sts)
	return err
}

// verify judges an assertion that is not known.
func (a *admission) verify(n xmltext.Node, digest [sha256.Size]byte) (*assertion, error) {
	p := &a.parsed
	if err := saml.ParseAssertion(n, p); err != nil {
		return nil, refuse(BadAssertion, err)
	}
	if len(p.Attributes()) > a.guard.config.MaxAttributes {
		return nil, refuse(BadAssertion, errors.New("too many attributes"))
	}
	if !slices.ContainsFunc(a.guard.config.Issuers, func(issuer string) bool { return issuer == string(p.Issuer) }) {
		return nil, refuse(WrongIssuer, nil) // attacks.md H5: exact, no prefix
	}
	if err := a.guard.conditions(p, a.now); err != nil {
		return nil, err
	}
	key, err := confirmation(p, a.vouched)
	if err != nil {
		return nil, err
	}
	sts, err := a.signedBySTS(p)
	if err != nil {
		return nil, err
	}
	// From here on every octet of p is the word of a trusted STS.
	v := &assertion{digest: digest, size: len(a.canonical), sts: sts, vouched: a.vouched}
	switch {
	case a.vouched: // the sender is his, not the assertion's
	case key.Selector == xmlsec.ByCertificate:
		if v.holder, err = a.certificate(key.Value); err != nil {
			return nil, refuse(UntrustedHolder, err)
		}
		v.keyDigest = sha256.Sum256(v.holder.RawPublicKey())
	case key.Selector == xmlsec.ByKeyValue && a.guard.config.HolderKeyValue:
		if err := certs.CheckKey(key.Key, 0); err != nil {
			return nil, refuse(UntrustedHolder, err)
		}
		octets, err := x509.MarshalPKIXPublicKey(key.Key)
		if err != nil {
			return nil, refuse(UntrustedHolder, err)
		}
		v.key, v.keyDigest = key.Key, sha256.Sum256(octets)
	default:
		return nil, refuse(UnconfirmedSubject, errors.New("KeyInfo of a form that is not admitted"))
	}
	v.take(p, a.guard.config.Catalogue)
	a.fresh = true
	return v, nil
}

// conditions judges the Conditions (core 2.3.2.1). Both times must be there: an
// assertion without end would be good for ever.
func (g *Guard) conditions(p *saml.Assertion, now time.Time) error {
	c := &p.Conditions
	if c.NotBefore.IsZero() || c.NotOnOrAfter.IsZero() || !c.NotBefore.Before(c.NotOnOrAfter) {
		return refuse(BadAssertion, errors.New("window missing in Conditions"))
	}
	if err := g.inWindow(c.NotBefore, c.NotOnOrAfter, now); err != nil {
		return err
	}
	if c.Restrictions == 0 {
		return nil
	}
	// Every condition must hold, and one does when it names one of us (core
	// 2.3.2.1.3); saml.Conditions joins the audiences of all.
	for r := p.Node.FirstElement().FirstElement(); !r.IsZero(); r = r.NextElement() {
		named := false
		for u := r.FirstElement(); !u.IsZero(); u = u.NextElement() {
			value, _ := u.Value()
			named = named || slices.ContainsFunc(g.config.Audiences, func(audience string) bool { return audience == string(value) })
		}
		if !named {
			return refuse(WrongAudience, nil)
		}
	}
	return nil
}

// inWindow admits NotBefore itself and refuses NotOnOrAfter itself (attacks.md R4).
func (g *Guard) inWindow(notBefore, notOnOrAfter, now time.Time) error {
	if now.Add(g.config.Skew).Before(notBefore) {
		return refuse(AssertionNotYetValid, nil)
	}
	if !now.Add(-g.config.Skew).Before(notOnOrAfter) {
		return refuse(AssertionExpired, nil)
	}
	return nil
}

// confirmation gives the KeyInfo of the holder's key, the zero KeyInfo where a sender vouches. The subject is confirmed where it
// is authenticated: once, by the one method that the message calls for, holder-of-key with a KeyInfo or sender-vouches without, and
// without data that nobody here would read (attacks.md H2). The subject of the attributes is the same one;
// when it repeats the confirmation it repeats it exactly.
func confirmation(p *saml.Assertion, vouched bool) (xmlsec.KeyInfo, error) {
	if !p.Authenticated || !p.AuthenticationSubject.Named {
		return xmlsec.KeyInfo{}, refuse(UnconfirmedSubject, errors.New("no AuthenticationStatement with a named subject"))
	}
	key, err := confirmed(&p.AuthenticationSubject, vouched)
	if err != nil || !p.HasAttributes {
		return key, err
	}
	one, other := &p.AuthenticationSubject.NameIdentifier, &p.AttributeSubject.NameIdentifier
	if !p.AttributeSubject.Named || string(one.Value) != string(other.Value) ||
		string(one.NameQualifier) != string(other.NameQualifier) || string(one.Format) != string(other.Format) {
		return xmlsec.KeyInfo{}, refuse(UnconfirmedSubject, errors.New("attributes of another subject"))
	}
	if !p.AttributeSubject.Confirmed {
		return key, nil
	}
	again, err := confirmed(&p.AttributeSubject, vouched)
	if err != nil {
		return xmlsec.KeyInfo{}, err
	}
	if !vouched && !sameKeyInfo(&key, &again) {
		return xmlsec.KeyInfo{}, refuse(UnconfirmedSubject, errors.New("two confirmations that differ"))
	}
	return key, nil
}

func confirmed(s *saml.Subject, vouched bool) (xmlsec.KeyInfo, error) {
	c := &s.Confirmation
	once := s.Confirmed && c.Methods == 1 && c.Data.IsZero()
	if vouched {
		if !once || string(c.Method) != saml.SenderVouches || !c.KeyInfo.IsZero() {
			return xmlsec.KeyInfo{}, refuse(UnconfirmedSubject, errors.New("not sender-vouches without a key, once"))
		}
		return xmlsec.KeyInfo{}, nil
	}
	if !once || string(c.Method) != saml.HolderOfKey || c.KeyInfo.IsZero() {
		return xmlsec.KeyInfo{}, refuse(UnconfirmedSubject, errors.New("not holder-of-key with a key, once"))
	}
	key, err := xmlsec.ParseKeyInfo(c.KeyInfo)
	if err != nil {
		return xmlsec.KeyInfo{}, refuse(UnconfirmedSubject, err)
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

// signedBySTS verifies the signature of the assertion and gives the certificate whose
// key made it. The certificate in its KeyInfo only selects: it counts when Certificates
// knows it for an STS (attacks.md A6).
func (a *admission) signedBySTS(p *saml.Assertion) (*certs.Certificate, error) {
	if p.Signature.IsZero() { // attacks.md W21
		return nil, refuse(UnsignedAssertion, nil)
	}
	signature, err := xmlsec.ParseSignature(p.Signature)
	if err != nil {
		return nil, signatureError(err)
	}
	// One reference, to the assertion that the signature stands in, and to all of
	// it (attacks.md W1 to W8, W17, W19).
	if signature.References() != 1 {
		return nil, refuse(BadAssertionSignature, errors.New("more than one reference"))
	}
	if target, enveloped := signature.Refers(0); target != p.Node || !enveloped {
		return nil, refuse(BadAssertionSignature, errors.New("reference to something else than the assertion"))
	}
	if signature.KeyInfo().IsZero() {
		return nil, refuse(UnsignedAssertion, errors.New("no KeyInfo"))
	}
	info, err := xmlsec.ParseKeyInfo(signature.KeyInfo())
	if err != nil || info.Selector != xmlsec.ByCertificate {
		return nil, refuse(UnsignedAssertion, errors.Join(errors.New("no certificate in KeyInfo"), err))
	}
	certificate, err := a.certificate(info.Value)
	if err != nil {
		return nil, refuse(UntrustedSTS, err)
	}
	identity, err := a.identifySTS(certificate)
	if err != nil {
		return nil, err
	}
	verified, err := signature.Verify(identity.PublicKey(), &a.guard.assertion)
	if err != nil {
		return nil, signatureError(err)
	}
	if !verified.Signs(p.Node) {
		return nil, refuse(BadAssertionSignature, errors.New("assertion not signed"))
	}
	return certificate, nil
}

func (a *admission) identifySTS(c *certs.Certificate) (certs.Identity, error) {
	identity, err := a.guard.config.Certificates.Identify(certs.RoleSTS, c, nil, a.now)
	if err != nil {
		return certs.Identity{}, certificateError(UntrustedSTS, err)
	}
	return identity, nil
}

// identifyHolder identifies the holder in the first of the admitted roles that has
// him. When none has, the refusal that tells most is given: that of a role whose
// authorities know the certificate.
func (a *admission) identifyHolder(v *assertion) (holder, error) {
	if v.holder == nil {
		return holder{key: v.key}, nil
	}
	var refusal error
	for _, role := range a.guard.config.HolderRoles {
		identity, err := a.guard.config.Certificates.Identify(role, v.holder, nil, a.now)
		if err == nil {
			return holder{identity, identity.PublicKey()}, nil
		}
		switch certs.ReasonOf(refusal) {
		case 0, certs.WrongProfile, certs.UntrustedIssuer, certs.UnknownRole:
			refusal = err
		}
	}
	if refusal == nil {
		return holder{}, refuse(UntrustedHolder, errors.New("no role for the certificate of a holder"))
	}
	return holder{}, certificateError(UntrustedHolder, refusal)
}

// certificate reads the base64 text of an X509Certificate.
func (a *admission) certificate(text []byte) (*certs.Certificate, error) {
	der, err := xmlsec.AppendBase64(a.der[:0], text)
	if err != nil {
		return nil, err
	}
	a.der = der
	return a.guard.config.Certificates.Parse(der)
}

// take copies what callers are told out of the message.
func (v *assertion) take(p *saml.Assertion, catalogue *attrs.Catalogue) {
	v.id, v.issuer, v.issued = string(p.AssertionID), string(p.Issuer), p.IssueInstant
	v.notBefore, v.notOnOrAfter = p.Conditions.NotBefore, p.Conditions.NotOnOrAfter
	name := &p.AuthenticationSubject.NameIdentifier
	v.subject = Subject{Name: string(name.Value), Qualifier: string(name.NameQualifier), Format: string(name.Format)}
	v.method, v.authenticated = string(p.AuthenticationMethod), p.AuthenticationInstant
	v.attributes = make([]Attribute, 0, len(p.Attributes()))
	for i := range p.Attributes() {
		from := &p.Attributes()[i]
		a := Attribute{Designator: attrs.Designator{Name: string(from.Name), Namespace: string(from.Namespace)}}
		a.Definition, _ = catalogue.Lookup(from.Name, from.Namespace)
		a.values = make([]string, len(from.Values))
		for j, value := range from.Values {
			a.values[j] = string(value)
		}
		v.attributes = append(v.attributes, a)
	}
}
