package wsc

import (
	"bytes"
	"context"
	"net/http"

	"sceau/soap"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// An Answer is what a service sent back, as it came: signed by nobody, and judged by
// nobody but for being XML by its type, and within the limit.
type Answer struct {
	Status        int
	ContentType   string
	Body          []byte
	CorrelationID string // X-CorrelationID of the platform, printable; may be empty
}

// Fault returns the SOAP fault in the answer, if there is one that can be read.
func (a *Answer) Fault() (*Fault, bool) {
	limits := xmltext.DefaultLimits()
	limits.Bytes = len(a.Body)
	document, err := xmltext.Parse(a.Body, limits)
	if err != nil {
		return nil, false
	}
	defer document.Release()
	body, err := openEnvelope(document.Root())
	if err != nil {
		return nil, false
	}
	fault, ok := ReadFault(body.FirstElement())
	if ok {
		fault.CorrelationID = a.CorrelationID
	}
	return fault, ok
}

// Relay puts the security header into a message of another program, as Secure does, and
// sends it. The answer is returned as it came, a fault too. It sends at most one message.
func (c *Client) Relay(ctx context.Context, endpoint, action string, token *Token, message []byte) (*Answer, error) {
	u, err := c.endpoint(endpoint)
	if err != nil {
		return nil, err
	}
	secured, err := c.Secure(action, token, message)
	if err != nil {
		return nil, err
	}
	x, err := c.post(ctx, u, action, secured)
	if err != nil {
		return nil, err
	}
	return &Answer{Status: x.status, ContentType: x.contentType, Body: x.answer, CorrelationID: x.correlation}, nil
}

// Secure puts the body element and the header blocks of a SOAP 1.1 message into one that
// is signed with the token's holder key: Timestamp and assertion are added, Body and
// Timestamp signed, header blocks kept as they are and not signed. A message that has a
// Security header already is refused, and one with an encodingStyle around its content (WS-I
// Basic Profile 1.1 R1005), which would be lost.
func (c *Client) Secure(action string, token *Token, message []byte) ([]byte, error) {
	document, err := xmltext.Parse(message, c.limits)
	if err != nil {
		return nil, &Error{Reason: BadRequest, Detail: "message", Err: err}
	}
	defer document.Release()
	body, blocks, err := plainMessage(document.Root())
	if err != nil {
		return nil, err
	}
	signed, err := c.Sign(action, token, standalone(body.FirstElement()))
	if err != nil || len(blocks) == 0 {
		return signed, err
	}
	return insertBlocks(signed, blocks)
}

// plainMessage finds the Body and the header blocks of a message that nobody signed.
func plainMessage(root xmltext.Node) (body xmltext.Node, blocks [][]byte, err error) {
	no := func(why string) (xmltext.Node, [][]byte, error) {
		return xmltext.Node{}, nil, refuse(BadRequest, "message: "+why)
	}
	if !root.Is(soap.NamespaceEnvelope, "Envelope") || !root.OnlyElements() {
		return no("no Envelope of SOAP 1.1")
	}
	n := root.FirstElement()
	if n.Is(soap.NamespaceEnvelope, "Header") {
		if !n.OnlyElements() {
			return no("text in Header")
		}
		for block := n.FirstElement(); !block.IsZero(); block = block.NextElement() {
			if block.Is(xmlsec.NamespaceWSSE, "Security") {
				return no("it has a Security header already")
			}
			// SOAP 1.1 section 4.2.3; a service refuses the whole message for it.
			if must, said := block.Attribute(soap.NamespaceEnvelope, "mustUnderstand"); said && string(must) != "0" && string(must) != "1" {
				return no("a value of mustUnderstand that is neither 0 nor 1")
			}
			blocks = append(blocks, standalone(block))
		}
		n = n.NextElement()
	}
	content := n.FirstElement()
	if !n.Is(soap.NamespaceEnvelope, "Body") || !n.NextElement().IsZero() || content.IsZero() || !content.NextElement().IsZero() || !n.OnlyElements() {
		return no("not Header and a Body with one element")
	}
	for _, around := range []xmltext.Node{root, n} {
		if _, encoded := around.Attribute(soap.NamespaceEnvelope, "encodingStyle"); encoded {
			return no("encodingStyle around the content")
		}
	}
	return n, blocks, nil
}

// insertBlocks puts header blocks behind the Security header. No signature covers them,
// nor the Header around them; that nothing else is changed by them, an identifier twice
// say, is seen by reading the whole again.
func insertBlocks(message []byte, blocks [][]byte) ([]byte, error) {
	limits := xmltext.DefaultLimits()
	limits.Bytes, limits.Nodes = len(message), len(message)
	document, err := xmltext.Parse(message, limits)
	if err != nil {
		return nil, refuseFor(BadRequest, err)
	}
	security := document.Root().FirstElement().FirstElement()
	place := int(document.Tokens()[security.Index()].Start) + len(security.Source())
	document.Release()
	out := bytes.Clone(message[:place])
	for _, block := range blocks {
		out = append(out, block...)
	}
	out = append(out, message[place:]...)
	limits.Bytes, limits.Nodes = len(out), len(out)
	if document, err = xmltext.Parse(out, limits); err != nil {
		return nil, &Error{Reason: BadRequest, Detail: "header block", Err: err}
	}
	document.Release()
	return out, nil
}

// empty reports an answer without content that is in order: a one-way operation (WS-I
// Basic Profile 1.1 R2714).
func (x *exchange) empty() bool {
	return len(x.answer) == 0 && (x.status == http.StatusOK || x.status == http.StatusAccepted || x.status == http.StatusNoContent)
}
