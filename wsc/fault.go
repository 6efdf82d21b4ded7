package wsc

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"sceau/soap"
	"sceau/xmlsec/xmltext"
)

// A Fault is a SOAP fault: the other side refused the message, or failed. Nobody
// signed it. Its texts are printable and bounded.
type Fault struct {
	// Code is the faultcode; its Namespace is empty when its prefix was not declared.
	Code    soap.FaultCode
	Message string // faultstring
	// SOACode is the code of the platform in the detail, "SOA-01001", or empty.
	SOACode string
	// ID is the identifier that the detail gives the error; the audit id of a Sceau
	// server. May be empty.
	ID string
	// Retry says that the same message may succeed later.
	Retry bool
	// CorrelationID is the X-CorrelationID of the platform; may be empty.
	CorrelationID string
}

func (f *Fault) Error() string {
	s := "wsc: the server answered with a fault: " + f.Code.Local
	if f.SOACode != "" && !strings.Contains(f.Message, f.SOACode) {
		s += ": " + f.SOACode
	}
	if f.Message != "" {
		s += ": " + f.Message
	}
	return s + references(f.ID, f.CorrelationID)
}

// ElsewhereMaySucceed reports one of the four codes on which the platform's
// connectors try another data centre (wire document 4.3).
func (f *Fault) ElsewhereMaySucceed() bool {
	switch f.SOACode {
	case soap.SOANotAuthenticated.Code, soap.SOANotAuthorized.Code, soap.SOANotAvailable.Code, soap.SOATemporarily.Code:
		return true
	}
	return false
}

// ReadFault reads a soapenv:Fault (SOAP 1.1 section 4.4): faultcode and faultstring
// in no namespace, and in the detail the platform's SystemError or BusinessError. It
// is lenient about what is missing, because a fault is only reported. ok is false
// when n is no Fault.
func ReadFault(n xmltext.Node) (f *Fault, ok bool) {
	if !n.Is(soap.NamespaceEnvelope, "Fault") {
		return nil, false
	}
	f = &Fault{}
	for c := n.FirstElement(); !c.IsZero(); c = c.NextElement() {
		switch {
		case c.Is("", "faultcode"):
			f.Code = faultCode(c)
		case c.Is("", "faultstring"):
			f.Message = text(c)
		case c.Is("", "detail"):
			f.readDetail(c.FirstElement())
		}
	}
	return f, true
}

// readDetail reads the first child of detail. Its name is not asked: the platform's
// own failover reads the unqualified Code of any (wire document 4.3).
func (f *Fault) readDetail(n xmltext.Node) {
	if id, ok := n.Attribute("", "Id"); ok {
		f.ID = Printable(id)
	}
	for c := n.FirstElement(); !c.IsZero(); c = c.NextElement() {
		switch {
		case c.Is("", "Code"):
			f.SOACode = text(c)
		case c.Is("", "Retry"):
			value := text(c)
			f.Retry = value == "true" || value == "1"
		}
	}
}

func faultCode(n xmltext.Node) soap.FaultCode {
	prefix, local, found := strings.Cut(text(n), ":")
	if !found {
		prefix, local = "", prefix
	}
	namespace, _ := n.NamespaceOf([]byte(prefix))
	return soap.FaultCode{Namespace: Printable(namespace), Prefix: prefix, Local: local}
}

// text is the printable value of an element, empty when it has child elements.
func text(n xmltext.Node) string {
	value, _ := n.Value()
	return Printable(value)
}

// maxText bounds texts of the other side in errors.
const maxText = 512

// Printable makes a text of a stranger fit for a terminal and a line of a log: white
// space folded, control and format characters (escape sequences, reversed writing)
// dropped, at most maxText bytes (attacks.md Z10).
func Printable(b []byte) string {
	var s strings.Builder
	blank := false
	for _, r := range string(b) {
		switch {
		case unicode.IsSpace(r):
			blank = s.Len() > 0
			continue
		case !unicode.IsGraphic(r):
			continue
		}
		if s.Len()+utf8.RuneLen(r)+1 > maxText {
			break
		}
		if blank {
			s.WriteByte(' ')
			blank = false
		}
		s.WriteRune(r)
	}
	return s.String()
}
