package saml

import (
	"time"

	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// A Request is a samlp:Request with an AttributeQuery (core 3.2, 3.3.4).
type Request struct {
	Node         xmltext.Node
	RequestID    []byte
	IssueInstant time.Time
	// Signature is the ds:Signature, zero when there is none.
	Signature xmltext.Node
	Subject   Subject

	designators []Designator
}

// Designators returns what is asked for, in the order of the document.
func (r *Request) Designators() []Designator { return r.designators }

// Reset lets go of the document that r was read from, and keeps its memory.
func (r *Request) Reset() {
	clear(r.designators[:cap(r.designators)])
	*r = Request{designators: r.designators[:0]}
}

// RequestIDOf returns the RequestID that an answer refers to, nil when n is no
// samlp:Request that has one. It serves answers to requests that Parse refuses.
func RequestIDOf(n xmltext.Node) []byte {
	if !n.Is(NamespaceProtocol, "Request") {
		return nil
	}
	id, _ := n.Attribute("", "RequestID")
	if !xmltext.IsNCName(id) {
		return nil
	}
	return id
}

// ParseRequest reads a samlp:Request. The signature stands first, as the schema
// orders; the query must be an AttributeQuery. On error r is the zero Request, but
// for its memory.
func ParseRequest(n xmltext.Node, r *Request) error {
	*r = Request{designators: r.designators[:0]}
	err := r.read(n)
	if err != nil {
		*r = Request{designators: r.designators[:0]}
	}
	return err
}

func (r *Request) read(n xmltext.Node) error {
	if !n.Is(NamespaceProtocol, "Request") || !n.OnlyElements() {
		return refuse(Malformed, "Request")
	}
	r.Node = n
	if err := parseVersion(n); err != nil {
		return err
	}
	if r.RequestID = RequestIDOf(n); r.RequestID == nil {
		return refuse(Malformed, "RequestID")
	}
	instant, ok, err := parseTime(n, "IssueInstant")
	if err != nil {
		return err
	}
	if !ok {
		return refuse(Malformed, "IssueInstant")
	}
	r.IssueInstant = instant
	c := n.FirstElement()
	if c.Is(xmlsec.NamespaceDS, "Signature") {
		r.Signature = c
		c = c.NextElement()
	}
	if !c.Is(NamespaceProtocol, "AttributeQuery") {
		if string(c.Namespace()) == NamespaceProtocol {
			return refuse(UnsupportedQuery, string(c.Local()))
		}
		return refuse(Malformed, "content of Request")
	}
	if !c.NextElement().IsZero() {
		return refuse(Malformed, "content after AttributeQuery")
	}
	return r.parseQuery(c)
}

func (r *Request) parseQuery(n xmltext.Node) error {
	if !n.OnlyElements() {
		return refuse(Malformed, "AttributeQuery")
	}
	// Resource limits the answer to a resource (core 3.3.4); an STS that knows no
	// resources must not act as if it had looked.
	if _, ok := n.Attribute("", "Resource"); ok {
		return refuse(UnsupportedMember, "Resource")
	}
	subject := n.FirstElement()
	if !subject.Is(NamespaceAssertion, "Subject") {
		return refuse(Malformed, "AttributeQuery without Subject")
	}
	if err := parseSubject(subject, &r.Subject); err != nil {
		return err
	}
	for c := subject.NextElement(); !c.IsZero(); c = c.NextElement() {
		if !c.Is(NamespaceAssertion, "AttributeDesignator") || !c.FirstElement().IsZero() {
			return refuse(Malformed, "AttributeDesignator")
		}
		var d Designator
		if err := parseDesignator(c, &d); err != nil {
			return err
		}
		r.designators = append(r.designators, d)
	}
	return nil
}
