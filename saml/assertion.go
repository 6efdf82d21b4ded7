package saml

import (
	"time"

	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// Conditions bound the use of an assertion (core 2.3.2.1). An absent time is zero.
type Conditions struct {
	NotBefore, NotOnOrAfter time.Time
	// Audiences are those of all AudienceRestrictionConditions; Restrictions counts
	// the conditions.
	Audiences    [][]byte
	Restrictions int
}

// An Assertion as it was read. It proves nothing until its Signature is verified
// and found to sign Node, or it stands inside something signed.
type Assertion struct {
	Node         xmltext.Node
	AssertionID  []byte
	Issuer       []byte
	IssueInstant time.Time
	Conditions   Conditions

	// Authentication is the AuthenticationStatement, when Authenticated.
	Authenticated         bool
	AuthenticationMethod  []byte
	AuthenticationInstant time.Time
	AuthenticationSubject Subject

	// The AttributeStatement, when there is one (HasAttributes).
	HasAttributes    bool
	AttributeSubject Subject
	statement        statement

	// Signature is the ds:Signature, zero when there is none.
	Signature xmltext.Node
}

// Attributes returns the attributes in the order of the document.
func (a *Assertion) Attributes() []Attribute { return a.statement.attributes }

// Reset lets go of the document that a was read from, and keeps its memory.
func (a *Assertion) Reset() {
	clear(a.statement.attributes[:cap(a.statement.attributes)])
	clear(a.statement.values[:cap(a.statement.values)])
	clear(a.Conditions.Audiences[:cap(a.Conditions.Audiences)])
	*a = Assertion{
		statement:  statement{attributes: a.statement.attributes[:0], values: a.statement.values[:0]},
		Conditions: Conditions{Audiences: a.Conditions.Audiences[:0]},
	}
}

// ParseAssertion reads an Assertion with at most one AuthenticationStatement and one
// AttributeStatement, as the wire has them. Other statements, conditions that are not
// understood (core 2.3.2.1.1: such an assertion is invalid) and Advice are refused.
// On error a is the zero Assertion, but for its memory.
func ParseAssertion(n xmltext.Node, a *Assertion) error {
	a.reset()
	err := a.read(n)
	if err != nil {
		a.reset()
	}
	return err
}

func (a *Assertion) reset() {
	*a = Assertion{statement: a.statement, Conditions: Conditions{Audiences: a.Conditions.Audiences[:0]}}
	a.statement.attributes = a.statement.attributes[:0]
}

func (a *Assertion) read(n xmltext.Node) error {
	if !n.Is(NamespaceAssertion, "Assertion") || !n.OnlyElements() {
		return refuse(Malformed, "Assertion")
	}
	a.Node = n
	if err := parseVersion(n); err != nil {
		return err
	}
	var ok1, ok2 bool
	a.AssertionID, ok1 = n.Attribute("", "AssertionID")
	a.Issuer, ok2 = n.Attribute("", "Issuer")
	instant, ok3, err := parseTime(n, "IssueInstant")
	if err != nil {
		return err
	}
	if !ok1 || !ok2 || !ok3 || !xmltext.IsNCName(a.AssertionID) {
		return refuse(Malformed, "attributes of Assertion")
	}
	a.IssueInstant = instant

	c := n.FirstElement()
	if c.Is(NamespaceAssertion, "Conditions") {
		if err := parseConditions(c, &a.Conditions); err != nil {
			return err
		}
		c = c.NextElement()
	}
	for ; c.Is(NamespaceAssertion, "AuthenticationStatement") || c.Is(NamespaceAssertion, "AttributeStatement"); c = c.NextElement() {
		if err := a.parseStatement(c); err != nil {
			return err
		}
	}
	if c.Is(xmlsec.NamespaceDS, "Signature") {
		a.Signature = c
		c = c.NextElement()
	}
	if !c.IsZero() {
		return refuse(UnsupportedMember, string(c.Local()))
	}
	if !a.Authenticated && !a.HasAttributes {
		return refuse(Malformed, "Assertion without statement")
	}
	return nil
}

func parseConditions(n xmltext.Node, c *Conditions) error {
	if !n.OnlyElements() {
		return refuse(Malformed, "Conditions")
	}
	var err error
	if c.NotBefore, _, err = parseTime(n, "NotBefore"); err != nil {
		return err
	}
	if c.NotOnOrAfter, _, err = parseTime(n, "NotOnOrAfter"); err != nil {
		return err
	}
	for r := n.FirstElement(); !r.IsZero(); r = r.NextElement() {
		if !r.Is(NamespaceAssertion, "AudienceRestrictionCondition") || !r.OnlyElements() {
			return refuse(UnsupportedMember, "condition")
		}
		c.Restrictions++
		before := len(c.Audiences)
		for u := r.FirstElement(); !u.IsZero(); u = u.NextElement() {
			value, ok := u.Value()
			if !ok || !u.Is(NamespaceAssertion, "Audience") {
				return refuse(Malformed, "Audience")
			}
			c.Audiences = append(c.Audiences, value)
		}
		if len(c.Audiences) == before {
			return refuse(Malformed, "AudienceRestrictionCondition")
		}
	}
	return nil
}

func (a *Assertion) parseStatement(n xmltext.Node) error {
	if !n.OnlyElements() {
		return refuse(Malformed, string(n.Local()))
	}
	subject := n.FirstElement()
	if !subject.Is(NamespaceAssertion, "Subject") {
		return refuse(Malformed, "statement without Subject")
	}
	if n.Is(NamespaceAssertion, "AttributeStatement") {
		if a.HasAttributes {
			return refuse(UnsupportedMember, "second AttributeStatement")
		}
		a.HasAttributes = true
		if err := parseSubject(subject, &a.AttributeSubject); err != nil {
			return err
		}
		if err := a.statement.read(subject.NextElement()); err != nil {
			return err
		}
		if len(a.statement.attributes) == 0 {
			return refuse(Malformed, "AttributeStatement without Attribute")
		}
		return nil
	}
	if a.Authenticated {
		return refuse(UnsupportedMember, "second AuthenticationStatement")
	}
	a.Authenticated = true
	method, ok := n.Attribute("", "AuthenticationMethod")
	instant, ok2, err := parseTime(n, "AuthenticationInstant")
	if err != nil {
		return err
	}
	if !ok || !ok2 || !subject.NextElement().IsZero() {
		return refuse(Malformed, "AuthenticationStatement")
	}
	a.AuthenticationMethod, a.AuthenticationInstant = method, instant
	return parseSubject(subject, &a.AuthenticationSubject)
}
