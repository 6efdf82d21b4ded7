package message

import (
	"bytes"
	"strconv"

	"sceau/saml"
	"sceau/soap"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// An answer is what came back, read and not yet judged. It aliases its document.
type answer struct {
	status   int
	document *xmltext.Document // nil: no XML
	// label names what it is, as measure.Run.Codes has it.
	label string
	// soa is the platform's code in a fault.
	soa []byte
	// response is what a label of a samlp:Response is of; isResponse tells.
	response   saml.Response
	isResponse bool
}

// read reads an answer. It is given back by release.
func (a *answer) read(status int, body []byte) {
	*a = answer{status: status}
	document, err := xmltext.Parse(body, xmltext.DefaultLimits())
	if err != nil {
		a.name("no XML")
		return
	}
	a.document = document
	content, ok := bodyOf(document.Root())
	switch {
	case !ok:
		a.name("no SOAP")
	case content.Is(soap.NamespaceEnvelope, "Fault"):
		a.readFault(content)
	default:
		a.readResponse(content)
	}
}

func (a *answer) release() { a.document.Release() }

// name sets the label.
func (a *answer) name(what string) {
	if a.status == 200 && what == "samlp:Success" {
		a.label = labelSuccess // for nothing
		return
	}
	a.label = strconv.Itoa(a.status) + " " + what
}

// bodyOf returns the one element in the Body of an answer. A header is passed over, unless it
// must be understood (SOAP 1.1 section 4.2.3): the platform's answers have none (wire document
// 3.1).
func bodyOf(root xmltext.Node) (xmltext.Node, bool) {
	if !root.Is(soap.NamespaceEnvelope, "Envelope") || !root.OnlyElements() {
		return xmltext.Node{}, false
	}
	body := root.FirstElement()
	if body.Is(soap.NamespaceEnvelope, "Header") {
		for block := body.FirstElement(); !block.IsZero(); block = block.NextElement() {
			if must, ok := block.Attribute(soap.NamespaceEnvelope, "mustUnderstand"); ok && string(must) != "0" {
				return xmltext.Node{}, false
			}
		}
		body = body.NextElement()
	}
	content := body.FirstElement()
	ok := body.Is(soap.NamespaceEnvelope, "Body") && body.OnlyElements() && body.NextElement().IsZero() &&
		!content.IsZero() && content.NextElement().IsZero()
	return content, ok
}

// readFault reads faultcode and the platform's Code (wire document 4.3).
func (a *answer) readFault(fault xmltext.Node) {
	label := "fault without code"
	for c := fault.FirstElement(); !c.IsZero(); c = c.NextElement() {
		switch {
		case c.Is("", "faultcode"):
			label = faultCode(c)
		case c.Is("", "detail"):
			for code := c.FirstElement().FirstElement(); !code.IsZero(); code = code.NextElement() {
				if code.Is("", "Code") {
					a.soa, _ = code.Value()
				}
			}
		}
	}
	a.name(label)
}

// faultCode returns a faultcode under the prefix that its namespace usually has.
func faultCode(n xmltext.Node) string {
	value, ok := n.Value()
	if !ok {
		return "fault without code"
	}
	prefix, local, found := bytes.Cut(bytes.TrimSpace(value), []byte(":"))
	if !found {
		prefix, local = nil, prefix
	}
	namespace, _ := n.NamespaceOf(prefix)
	usual := "other"
	switch string(namespace) {
	case soap.NamespaceEnvelope:
		usual = "soapenv"
	case xmlsec.NamespaceWSSE:
		usual = "wsse"
	case xmlsec.NamespaceWSU:
		usual = "wsu"
	}
	return usual + ":" + word(local)
}

// readResponse reads a samlp:Response; its label is the first word of the message of a
// refusal, as the platform writes its codes there ("REQ-01: …"), or the status code.
func (a *answer) readResponse(content xmltext.Node) {
	if err := saml.ParseResponse(content, &a.response); err != nil {
		a.name("no samlp:Response")
		return
	}
	a.isResponse = true
	r := &a.response
	if code, _, _ := bytes.Cut(r.Message, []byte(":")); !r.Success && bytes.HasPrefix(code, []byte("REQ-")) {
		a.name(word(code))
		return
	}
	label := "samlp:" + word(r.Code)
	if len(r.SubCode) > 0 {
		label += "/" + word(r.SubCode)
	}
	a.name(label)
}

// word returns a text as part of a label; what a server writes must not make labels without
// number or end.
func word(text []byte) string {
	if len(text) == 0 || len(text) > 40 {
		return "?"
	}
	for _, b := range text {
		if !('a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '-' || b == '.' || b == '_') {
			return "?"
		}
	}
	return string(text)
}
