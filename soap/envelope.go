package soap

import (
	"sync"

	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// Namespaces and actors of SOAP.
const (
	NamespaceEnvelope   = "http://schemas.xmlsoap.org/soap/envelope/"
	namespaceEnvelope12 = "http://www.w3.org/2003/05/soap-envelope"
	actorNext           = "http://schemas.xmlsoap.org/soap/actor/next"
)

// Config says how messages are read. The zero Config admits no message.
type Config struct {
	// Limits of the XML text.
	Limits xmltext.Limits
	// Actor is the URI of a role that this receiver plays besides "next" and the
	// ultimate receiver; empty for none.
	Actor string
}

// An Envelope is a message that was read and whose header was found in order;
// nothing of it is verified, and it offers nothing but Verify. Parse makes it; it
// aliases the message and lives until Release.
type Envelope struct {
	document  *xmltext.Document
	body      xmltext.Node
	content   xmltext.Node
	timestamp xmltext.Node
	binary    xmltext.Node // BinarySecurityToken
	assertion xmltext.Node // SAML 1.1 Assertion
	reference xmltext.Node // SecurityTokenReference in Security
	signature xmltext.Node

	token Token
	der   []byte
}

var envelopes = sync.Pool{New: func() any { return new(Envelope) }}

// Parse reads a message. Errors are of type *Error, one that wraps a
// *xmltext.SyntaxError when the text is ill-formed.
func Parse(message []byte, config *Config) (*Envelope, error) {
	document, err := xmltext.Parse(message, config.Limits)
	if err != nil {
		return nil, &Error{Reason: Malformed, Err: err}
	}
	e := envelopes.Get().(*Envelope)
	*e = Envelope{document: document, der: e.der}
	if err := e.read(config); err != nil {
		e.Release()
		return nil, err
	}
	return e, nil
}

// Release gives the memory of the message back. Everything read from it, Signed
// included, must not be used afterwards.
func (e *Envelope) Release() {
	if e == nil || e.document == nil {
		return
	}
	e.document.Release()
	if cap(e.der) > 1<<16 { // a giant of a stranger must not keep its memory for ever
		e.der = nil
	}
	*e = Envelope{der: e.der[:0]}
	envelopes.Put(e)
}

// read finds Header and Body: SOAP 1.1 section 4, WS-I Basic Profile 1.1 R1011
// (nothing after Body) and R2712 (one element in a document-literal body).
func (e *Envelope) read(config *Config) error {
	root := e.document.Root()
	switch {
	case root.Is(namespaceEnvelope12, "Envelope"):
		return refuse(VersionMismatch, "", "SOAP 1.2")
	case !root.Is(NamespaceEnvelope, "Envelope"):
		if string(root.Local()) == "Envelope" {
			return refuse(VersionMismatch, "", "another namespace")
		}
		return refuse(NotSOAP, "", "")
	case !root.OnlyElements():
		return refuse(BadEnvelope, "", "text in Envelope")
	}
	n := root.FirstElement()
	var header xmltext.Node
	if n.Is(NamespaceEnvelope, "Header") {
		header = n
		n = n.NextElement()
	}
	if !n.Is(NamespaceEnvelope, "Body") {
		if n.IsZero() {
			return refuse(NoBody, "", "no Body")
		}
		return refuse(BadEnvelope, "", "not Header, Body")
	}
	e.body = n
	if !n.NextElement().IsZero() {
		return refuse(BadEnvelope, "", "content after Body") // attacks.md W9, W24
	}
	e.content = n.FirstElement()
	if e.content.IsZero() || !e.content.NextElement().IsZero() || !n.OnlyElements() {
		return refuse(NoBody, "", "not one element in Body")
	}
	return e.header(header, config)
}

// header finds the one Security header for our role and refuses mandatory header
// blocks that nobody here understands (SOAP 1.1 section 4.2.3).
func (e *Envelope) header(header xmltext.Node, config *Config) error {
	if header.IsZero() {
		return refuse(NoSecurity, "", "no Header")
	}
	if !header.OnlyElements() {
		return refuse(BadEnvelope, "", "text in Header")
	}
	var security xmltext.Node
	for n := header.FirstElement(); !n.IsZero(); n = n.NextElement() {
		ours, err := forUs(n, config)
		if err != nil {
			return err
		}
		if !ours {
			continue
		}
		if n.Is(xmlsec.NamespaceWSSE, "Security") {
			if !security.IsZero() { // attacks.md W12
				return refuse(BadSecurity, "R3206", "second Security header for one role")
			}
			security = n
			continue
		}
		if mandatory, err := mustUnderstand(n); err != nil || mandatory {
			if err != nil {
				return err
			}
			return refuse(NotUnderstood, "", "")
		}
	}
	if security.IsZero() {
		return refuse(NoSecurity, "", "")
	}
	if _, err := mustUnderstand(security); err != nil {
		return err
	}
	return e.security(security)
}

// forUs reports whether a header block addresses a role that we play.
func forUs(n xmltext.Node, config *Config) (bool, error) {
	actor, ok := n.Attribute(NamespaceEnvelope, "actor")
	switch {
	case !ok, string(actor) == actorNext, len(actor) == 0:
		return true, nil
	default:
		return config.Actor != "" && string(actor) == config.Actor, nil
	}
}

func mustUnderstand(n xmltext.Node) (bool, error) {
	value, ok := n.Attribute(NamespaceEnvelope, "mustUnderstand")
	if !ok || string(value) == "0" {
		return false, nil
	}
	if string(value) == "1" {
		return true, nil
	}
	return false, refuse(BadEnvelope, "", "value of mustUnderstand")
}
