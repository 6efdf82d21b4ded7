package saml

import (
	"time"

	"sceau/xmlsec/xmltext"
)

// A Response is a samlp:Response (core 3.4), as a client reads it. Nothing of it is
// signed but its Assertion.
type Response struct {
	Node         xmltext.Node
	ResponseID   []byte
	InResponseTo []byte
	Recipient    []byte
	IssueInstant time.Time
	// Success says that the top status code is samlp:Success.
	Success bool
	// Code and SubCode are the local names of the top status code and the one
	// inside it.
	Code, SubCode []byte
	Message       []byte
	// Detail holds the attribute names that the answer leaves out.
	Detail xmltext.Node
	// Assertion is the only assertion, zero when there is none.
	Assertion xmltext.Node
}

// ParseResponse reads a samlp:Response with at most one assertion (attacks.md W15,
// W16). On error r is the zero Response.
func ParseResponse(n xmltext.Node, r *Response) error {
	*r = Response{Node: n}
	err := r.read(n)
	if err != nil {
		*r = Response{}
	}
	return err
}

func (r *Response) read(n xmltext.Node) error {
	if !n.Is(NamespaceProtocol, "Response") || !n.OnlyElements() {
		return refuse(Malformed, "Response")
	}
	if err := parseVersion(n); err != nil {
		return err
	}
	r.ResponseID, _ = n.Attribute("", "ResponseID")
	r.InResponseTo, _ = n.Attribute("", "InResponseTo")
	r.Recipient, _ = n.Attribute("", "Recipient")
	instant, ok, err := parseTime(n, "IssueInstant")
	if err != nil {
		return err
	}
	if !ok {
		return refuse(Malformed, "IssueInstant")
	}
	r.IssueInstant = instant
	c := n.FirstElement()
	if !c.Is(NamespaceProtocol, "Status") {
		return refuse(Malformed, "Response without Status")
	}
	if err := r.parseStatus(c); err != nil {
		return err
	}
	if c = c.NextElement(); c.Is(NamespaceAssertion, "Assertion") {
		r.Assertion = c
		c = c.NextElement()
	}
	if !c.IsZero() {
		return refuse(UnsupportedMember, string(c.Local()))
	}
	return nil
}

func (r *Response) parseStatus(n xmltext.Node) error {
	code := n.FirstElement()
	if !n.OnlyElements() || !code.Is(NamespaceProtocol, "StatusCode") {
		return refuse(Malformed, "Status")
	}
	var err error
	if r.Code, err = statusCode(code); err != nil {
		return err
	}
	r.Success = string(r.Code) == "Success"
	if sub := code.FirstElement(); !sub.IsZero() {
		if r.SubCode, err = statusCode(sub); err != nil {
			return err
		}
		if !sub.NextElement().IsZero() {
			return refuse(Malformed, "second StatusCode")
		}
	}
	c := code.NextElement()
	if c.Is(NamespaceProtocol, "StatusMessage") {
		var ok bool
		if r.Message, ok = c.Value(); !ok {
			return refuse(Malformed, "StatusMessage")
		}
		c = c.NextElement()
	}
	if c.Is(NamespaceProtocol, "StatusDetail") {
		r.Detail = c
		c = c.NextElement()
	}
	if !c.IsZero() {
		return refuse(Malformed, "content of Status")
	}
	return nil
}

// statusCode reads the QName in Value, which must be in the protocol namespace.
func statusCode(n xmltext.Node) ([]byte, error) {
	value, ok := n.Attribute("", "Value")
	if !n.Is(NamespaceProtocol, "StatusCode") || !ok || !n.OnlyElements() {
		return nil, refuse(Malformed, "StatusCode")
	}
	prefix, local := []byte(nil), value
	for i, b := range value {
		if b == ':' {
			prefix, local = value[:i], value[i+1:]
			if i == 0 {
				return nil, refuse(Malformed, "QName of StatusCode")
			}
			break
		}
	}
	namespace, ok := n.NamespaceOf(prefix)
	if !ok || string(namespace) != NamespaceProtocol || !xmltext.IsNCName(local) {
		return nil, refuse(Malformed, "QName of StatusCode")
	}
	return local, nil
}
