package wsc

import (
	"fmt"
	"net/http"

	"sceau/soap"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// parse reads the answer as XML, once. Whoever calls it releases the document.
func (c *Client) parse(x *exchange) (*xmltext.Document, error) {
	if len(x.answer) == 0 {
		if x.status != http.StatusOK {
			return nil, refuse(BadStatus, fmt.Sprintf("HTTP status %d without content", x.status))
		}
		return nil, refuse(NotXML, "empty")
	}
	document, err := xmltext.Parse(x.answer, c.limits)
	if err != nil {
		return nil, &Error{Reason: NotXML, Detail: fmt.Sprintf("HTTP status %d", x.status), Err: err}
	}
	return document, nil
}

// content returns the element in the Body of an answer, zero for an empty Body, or
// the fault in it as error.
func (x *exchange) content(document *xmltext.Document) (xmltext.Node, error) {
	body, err := openEnvelope(document.Root())
	if err != nil {
		return xmltext.Node{}, err
	}
	content := body.FirstElement()
	if !body.OnlyElements() || !content.NextElement().IsZero() {
		return xmltext.Node{}, refuse(NotSOAP, "not one element in Body")
	}
	if fault, ok := ReadFault(content); ok {
		fault.CorrelationID = x.correlation
		return xmltext.Node{}, fault
	}
	if x.status < 200 || x.status > 299 {
		return xmltext.Node{}, refuse(BadStatus, fmt.Sprintf("HTTP status %d with something else than a fault", x.status))
	}
	return content, nil
}

// openEnvelope returns the Body. The answer of an STS has no message signature (wire
// document 1.1), and nothing in its header is read; but a block that must be
// understood is refused (SOAP 1.1 section 4.2.3), except a wsse:Security that holds
// nothing but a Timestamp, as some servers send (3.1).
func openEnvelope(root xmltext.Node) (xmltext.Node, error) {
	if !root.Is(soap.NamespaceEnvelope, "Envelope") || !root.OnlyElements() {
		return xmltext.Node{}, refuse(NotSOAP, "no Envelope of SOAP 1.1")
	}
	n := root.FirstElement()
	if n.Is(soap.NamespaceEnvelope, "Header") {
		if !n.OnlyElements() {
			return xmltext.Node{}, refuse(NotSOAP, "text in Header")
		}
		for block := n.FirstElement(); !block.IsZero(); block = block.NextElement() {
			if must, ok := block.Attribute(soap.NamespaceEnvelope, "mustUnderstand"); !ok || string(must) == "0" {
				continue
			}
			if !onlyTimestamp(block) {
				return xmltext.Node{}, refuse(NotSOAP, "a header block that must be understood")
			}
		}
		n = n.NextElement()
	}
	if !n.Is(soap.NamespaceEnvelope, "Body") || !n.NextElement().IsZero() {
		return xmltext.Node{}, refuse(NotSOAP, "not Header, Body") // attacks.md W24
	}
	return n, nil
}

func onlyTimestamp(block xmltext.Node) bool {
	first := block.FirstElement()
	return block.Is(xmlsec.NamespaceWSSE, "Security") && first.Is(xmlsec.NamespaceWSU, "Timestamp") && first.NextElement().IsZero()
}
