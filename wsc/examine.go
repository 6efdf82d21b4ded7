package wsc

import (
	"errors"

	"sceau/attrs"
	"sceau/certs"
	"sceau/saml"
	"sceau/soap"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// Examine judges an answer of an STS, for whoever must say what is wrong with it, by the
// rules of Token: a SOAP message, a samlp:Response or an assertion alone. request is the
// message that it answers; without it nothing is said of whom it is for. Nil means that a
// Client would have taken it; a refusal of the STS is its *StatusError or *Fault. It gives
// no Token: nobody proved that he holds a key.
func (c *Client) Examine(answer, request []byte) error {
	if c.config.Trust == nil {
		return refuse(NoTrust, "")
	}
	q, err := c.examined(request)
	if err != nil {
		return err
	}
	x := &exchange{status: 200, answer: answer}
	document, err := c.parse(x)
	if err != nil {
		return err
	}
	defer document.Release()
	content := document.Root()
	if content.Is(saml.NamespaceAssertion, "Assertion") {
		_, err := c.examineAssertion(content.Source(), q)
		return err
	}
	if !content.Is(saml.NamespaceProtocol, "Response") {
		if content, err = x.content(document); err != nil {
			var fault *Fault
			if errors.As(err, &fault) {
				return fault
			}
			return err
		}
	}
	_, err = c.judge(document, content, q, "", c.examineAssertion)
	return err
}

// examineAssertion judges an assertion, for nobody when q is nil.
func (c *Client) examineAssertion(source []byte, q *query) (*Token, error) {
	if q != nil {
		return c.believe(source, q)
	}
	token, _, err := c.open(source, nil)
	return token, err
}

// examined reads what a request asks, out of a message that nobody here verifies.
func (c *Client) examined(request []byte) (*query, error) {
	if request == nil {
		return nil, nil
	}
	no := func(err error) (*query, error) {
		return nil, &Error{Reason: BadRequest, Detail: "the request", Err: err}
	}
	document, err := xmltext.Parse(request, c.limits)
	if err != nil {
		return no(err)
	}
	defer document.Release()
	body, err := openRequest(document.Root())
	if err != nil {
		return no(err)
	}
	var r saml.Request
	if err := saml.ParseRequest(body, &r); err != nil {
		return no(err)
	}
	var self saml.Assertion
	if err := saml.ParseAssertion(r.Subject.Confirmation.Data.FirstElement(), &self); err != nil {
		return no(err)
	}
	q := &query{}
	q.RequestID, q.Issuer = string(r.RequestID), string(self.Issuer)
	der, err := certificateIn(r.Subject.Confirmation.KeyInfo)
	if err != nil {
		return no(err)
	}
	if q.holder, err = certs.ParseCertificate(der); err != nil {
		return no(err)
	}
	q.identity = q.holder // where one certificate is both, or there is no header
	if token := binaryToken(document.Root()); !token.IsZero() {
		text, _ := token.Value()
		if der, err = xmlsec.AppendBase64(nil, text); err != nil {
			return no(err)
		}
		if q.identity, err = certs.ParseCertificate(der); err != nil {
			return no(err)
		}
	}
	for _, a := range self.Attributes() {
		claim := Attribute{Designator: attrs.Designator{Name: string(a.Name), Namespace: string(a.Namespace)}}
		for _, v := range a.Values {
			claim.Values = append(claim.Values, string(v))
		}
		q.identification = append(q.identification, claim)
	}
	for _, d := range r.Designators() {
		q.designators = append(q.designators, attrs.Designator{Name: string(d.Name), Namespace: string(d.Namespace)})
	}
	return q, nil
}

// openRequest finds the samlp:Request of a message, or of a document of its own.
func openRequest(root xmltext.Node) (xmltext.Node, error) {
	for n := root; !n.IsZero(); n = n.NextElement() {
		if n.Is(saml.NamespaceProtocol, "Request") {
			return n, nil
		}
	}
	if root.Is(soap.NamespaceEnvelope, "Envelope") {
		for n := root.FirstElement(); !n.IsZero(); n = n.NextElement() {
			if n.Is(soap.NamespaceEnvelope, "Body") && n.FirstElement().Is(saml.NamespaceProtocol, "Request") {
				return n.FirstElement(), nil
			}
		}
	}
	return xmltext.Node{}, errors.New("no samlp:Request in it")
}

// binaryToken finds the BinarySecurityToken in the header.
func binaryToken(root xmltext.Node) xmltext.Node {
	for n := root; !n.IsZero(); n = following(n) {
		if n.Is(xmlsec.NamespaceWSSE, "BinarySecurityToken") {
			return n
		}
	}
	return xmltext.Node{}
}
