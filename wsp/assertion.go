package wsp

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
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
	if err := a.guard.judge.InWindow(known.notBefore, known.notOnOrAfter, a.now); err != nil {
		return assertionError(err)
	}
	if _, err := a.guard.judge.STS(known.sts, a.now); err != nil {
		return assertionError(err)
	}
	return nil
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
	belief, err := a.guard.judge.Believe(p, a.vouched, a.now, &a.der)
	if err != nil {
		return nil, assertionError(err)
	}
	// From here on every octet of p is the word of a trusted STS.
	key := &belief.Key
	v := &assertion{digest: digest, size: len(a.canonical), sts: belief.STS.Certificate(), vouched: a.vouched}
	switch {
	case a.vouched: // the sender is his, not the assertion's
	case key.Selector == xmlsec.ByCertificate:
		if v.holder, err = a.guard.judge.Certificate(key.Value, &a.der); err != nil {
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

// identifyHolder identifies the holder; of a bare key there is nobody to identify.
func (a *admission) identifyHolder(v *assertion) (holder, error) {
	if v.holder == nil {
		return holder{key: v.key}, nil
	}
	identity, err := a.guard.judge.Holder(v.holder, nil, a.now)
	if err != nil {
		return holder{}, assertionError(err)
	}
	return holder{identity, identity.PublicKey()}, nil
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
