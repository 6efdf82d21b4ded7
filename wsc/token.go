package wsc

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/saml"
	"sceau/xmlsec/xmltext"
)

// A Token is a SAML 1.1 assertion with the key of its holder. Client.Token and
// Client.Open make verified ones; ReadToken makes one that nobody verified.
type Token struct {
	source                  []byte
	id, issuer              string
	subject                 string
	issued                  time.Time
	notBefore, notOnOrAfter time.Time
	attributes              []Attribute
	leftOut                 []attrs.Designator
	holder                  *certs.Signer
	signer                  certs.Identity
}

// Assertion returns the assertion, byte for byte as the STS wrote it.
func (t *Token) Assertion() []byte { return bytes.Clone(t.source) }

// ID returns the AssertionID.
func (t *Token) ID() string { return t.id }

// Issuer returns the Issuer.
func (t *Token) Issuer() string { return t.issuer }

// Subject returns the subject name of whom the assertion is about, as the STS wrote
// it.
func (t *Token) Subject() string { return t.subject }

// IssueInstant returns when it was issued.
func (t *Token) IssueInstant() time.Time { return t.issued }

// NotBefore is the first moment of the validity.
func (t *Token) NotBefore() time.Time { return t.notBefore }

// NotOnOrAfter is the end of the validity; the token is not valid at that moment.
func (t *Token) NotOnOrAfter() time.Time { return t.notOnOrAfter }

// Valid reports whether the token is valid at a moment, clocks being equal.
func (t *Token) Valid(at time.Time) bool {
	return !at.Before(t.notBefore) && at.Before(t.notOnOrAfter)
}

// Holder returns the certificate to whose key the token is bound.
func (t *Token) Holder() *certs.Certificate { return t.holder.Certificate() }

// SignedBy returns whose signature was verified: nobody for a token that ReadToken
// made.
func (t *Token) SignedBy() certs.Identity { return t.signer }

// Attributes returns the attributes in the order of the assertion.
func (t *Token) Attributes() []Attribute {
	all := slices.Clone(t.attributes)
	for i := range all {
		all[i].Values = slices.Clone(all[i].Values)
	}
	return all
}

// Values returns the values of an attribute, nil when the token does not hold it. An
// unknown value is one empty string. Names are compared exactly, as they were asked.
func (t *Token) Values(d attrs.Designator) []string {
	for i := range t.attributes {
		if t.attributes[i].Designator == d {
			return slices.Clone(t.attributes[i].Values)
		}
	}
	return nil
}

// Value returns the only value of an attribute; ok is false when the token does not
// hold it, when it is unknown (empty), or when there are several.
func (t *Token) Value(d attrs.Designator) (value string, ok bool) {
	values := t.Values(d)
	if len(values) != 1 || values[0] == "" {
		return "", false
	}
	return values[0], true
}

// Affirms reports whether a boolean attribute is true.
func (t *Token) Affirms(d attrs.Designator) bool {
	value, _ := t.Value(d)
	return value == "true"
}

// LeftOut returns the attributes that were asked for and that the STS says are not
// in the answer. Nobody signed this.
func (t *Token) LeftOut() []attrs.Designator { return slices.Clone(t.leftOut) }

// Open verifies an assertion that was kept: everything that Token verifies but what
// it takes a request for, the subject and the attributes asked. The holder's key
// comes from the caller.
func (c *Client) Open(assertion []byte, holder *certs.Signer) (*Token, error) {
	if holder == nil {
		return nil, refuse(BadCredentials, "no holder")
	}
	token, _, err := c.open(assertion, holder.Certificate())
	if err != nil {
		return nil, err
	}
	token.holder = holder
	return token, nil
}

// SignedBy proves who signed an assertion, and nothing else: not that it is valid,
// nor from the expected issuer.
func (c *Client) SignedBy(assertion []byte) (certs.Identity, error) {
	if c.config.Trust == nil {
		return certs.Identity{}, refuse(NoTrust, "")
	}
	r, err := readAssertion(assertion, c.limits)
	if err != nil {
		return certs.Identity{}, err
	}
	defer r.document.Release()
	return c.signedBy(r, c.config.Now())
}

// ReadToken reads an assertion that was kept, for calls with it. The signature is not
// verified: the service will; but the assertion must be bound to the holder's
// certificate.
func ReadToken(assertion []byte, holder *certs.Signer) (*Token, error) {
	if holder == nil {
		return nil, refuse(BadCredentials, "no holder")
	}
	r, err := readAssertion(assertion, xmltext.DefaultLimits())
	if err != nil {
		return nil, err
	}
	defer r.document.Release()
	t, err := r.token(holder.Certificate())
	if err != nil {
		return nil, err
	}
	t.holder = holder
	return t, nil
}

// A reading is an assertion that is the root of a document of its own.
type reading struct {
	saml.Assertion
	document *xmltext.Document
}

// readAssertion reads an assertion alone. The bytes are cloned first: what is read
// here is what is kept, and not what the answer around it, with declarations that the
// token will not have, makes of it.
func readAssertion(source []byte, limits xmltext.Limits) (*reading, error) {
	document, err := xmltext.Parse(bytes.Clone(source), limits)
	if err != nil {
		var syntax *xmltext.SyntaxError
		if errors.As(err, &syntax) && syntax.Reason == xmltext.UndeclaredPrefix {
			return nil, refuseFor(NotSelfContained, err)
		}
		return nil, refuseFor(BadAssertion, err)
	}
	r := &reading{document: document}
	root := document.Root()
	if string(root.Local()) == "Assertion" && len(root.Namespace()) == 0 {
		err = refuse(NotSelfContained, "no default namespace")
	} else if unboundType(document) {
		err = refuse(NotSelfContained, "xsi:type with a prefix that is declared outside")
	} else if several(root) {
		err = refuse(SeveralAssertions, "")
	} else if err = saml.ParseAssertion(root, &r.Assertion); err != nil {
		err = refuseFor(BadAssertion, err)
	}
	if err != nil {
		document.Release()
		return nil, err
	}
	return r, nil
}

const namespaceXSI = "http://www.w3.org/2001/XMLSchema-instance"

// unboundType reports an xsi:type whose prefix is not declared: the one QName in
// content that clients write (wire document 2.2), which neither the parser nor
// exclusive canonicalization sees.
func unboundType(document *xmltext.Document) bool {
	for n := document.Root(); !n.IsZero(); n = following(n) {
		value, ok := n.Attribute(namespaceXSI, "type")
		if !ok {
			continue
		}
		prefix, _, found := bytes.Cut(bytes.TrimSpace(value), []byte(":"))
		if !found {
			continue
		}
		if _, bound := n.NamespaceOf(prefix); !bound {
			return true
		}
	}
	return false
}

// following returns the next element in document order.
func following(n xmltext.Node) xmltext.Node {
	if c := n.FirstElement(); !c.IsZero() {
		return c
	}
	for ; !n.IsZero(); n = n.Parent() {
		if s := n.NextElement(); !s.IsZero() {
			return s
		}
	}
	return xmltext.Node{}
}

// token copies what a token holds out of the document, without the holder's key. It must
// be bound to the holder's certificate; nil is anybody's.
func (r *reading) token(holder *certs.Certificate) (*Token, error) {
	if !r.Authenticated || !r.AuthenticationSubject.Confirmed {
		return nil, refuse(WrongConfirmation, "no confirmed AuthenticationStatement")
	}
	if err := confirmed(&r.AuthenticationSubject.Confirmation, holder); err != nil {
		return nil, err
	}
	// The platform confirms the subject of the AuthenticationStatement only (wire
	// document 3.2); where another one is confirmed too it must be by the same.
	if r.AttributeSubject.Confirmed {
		if err := confirmed(&r.AttributeSubject.Confirmation, holder); err != nil {
			return nil, err
		}
	}
	t := &Token{
		source:       bytes.Clone(r.Node.Source()),
		id:           string(r.AssertionID),
		issuer:       string(r.Issuer),
		subject:      string(r.AuthenticationSubject.NameIdentifier.Value),
		issued:       r.IssueInstant,
		notBefore:    r.Conditions.NotBefore,
		notOnOrAfter: r.Conditions.NotOnOrAfter,
	}
	for _, a := range r.Attributes() {
		d := attrs.Designator{Name: string(a.Name), Namespace: string(a.Namespace)}
		if t.Values(d) != nil {
			return nil, refuse(BadAssertion, "an attribute twice")
		}
		values := make([]string, len(a.Values))
		for i, v := range a.Values {
			values[i] = string(v)
		}
		t.attributes = append(t.attributes, Attribute{Designator: d, Values: values})
	}
	return t, nil
}

// A name is a NameIdentifier of an assertion, cloned.
type name struct{ value, qualifier []byte }

// subjects returns the names of the subjects of all statements, an empty one for a
// subject without name.
func (r *reading) subjects() []name {
	all := []name{nameOf(&r.AuthenticationSubject)}
	if r.HasAttributes {
		all = append(all, nameOf(&r.AttributeSubject))
	}
	return all
}

func nameOf(s *saml.Subject) name {
	if string(s.NameIdentifier.Format) != saml.FormatX509SubjectName {
		return name{}
	}
	return name{bytes.Clone(s.NameIdentifier.Value), bytes.Clone(s.NameIdentifier.NameQualifier)}
}
