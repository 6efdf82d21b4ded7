package main

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
	"regexp"
	"strings"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/internal/xsdtime"
	"sceau/saml"
	"sceau/soap"
	"sceau/sts"
	"sceau/wsc"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

func (e *explanation) title(format string, args ...any) { fmt.Fprintf(e.out, format+"\n", args...) }

func (e *explanation) line(label, format string, args ...any) {
	fmt.Fprintf(e.out, "  %-11s %s\n", label, fmt.Sprintf(format, args...))
}

// verdict writes which checks hold, and the first that fails.
func (e *explanation) verdict(at time.Time, v *verdict) {
	fmt.Fprintf(e.out, "\nBy the checks of %s, as at %s:\n", v.what, moment(at))
	for i := range v.checks {
		if i == v.failed {
			fmt.Fprintf(e.out, "  FAILS  %s\n         cause: %s\n", v.checks[i].name, wsc.Printable([]byte(mask(v.cause))))
			for _, rule := range v.rules {
				fmt.Fprintf(e.out, "         %s\n", mask(rule))
			}
			if v.checks[i].advice != "" {
				fmt.Fprintf(e.out, "         what to do: %s\n", v.checks[i].advice)
			}
			if rest := len(v.checks) - i - 1; rest > 0 {
				fmt.Fprintf(e.out, "  ?      the checks after it (%d) were not reached\n", rest)
			}
			break
		}
		fmt.Fprintf(e.out, "  holds  %s\n", v.checks[i].name)
	}
}

// open writes what was not judged.
func (e *explanation) open(v *verdict) {
	writeList(e.out, "\nNot judged here:", v.unchecked)
}

// mask hides what may be the number of a person.
func mask(text string) string {
	var out strings.Builder
	for len(text) > 0 {
		n := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
		if n < 0 {
			n = len(text)
		}
		switch {
		case n >= 8:
			out.WriteString("…")
		case n == 0:
			n = strings.IndexAny(text, "0123456789")
			if n < 0 {
				n = len(text)
			}
			out.WriteString(text[:n])
		default:
			out.WriteString(text[:n])
		}
		text = text[n:]
	}
	return out.String()
}

// shown gives a text of a stranger that may name a person.
func (e *explanation) shown(text []byte) string {
	if e.flags.personal {
		return wsc.Printable(text)
	}
	return fmt.Sprintf("(%d characters; --personal shows them)", len([]rune(string(text))))
}

var labelForm = regexp.MustCompile(`^[0-9A-Za-z_.:-]{1,64}$`)

// numberForm is a number of nine to eleven digits that stands for itself: that of a
// person or an organisation. Groups of a UUID have other lengths.
var numberForm = regexp.MustCompile(`(^|[^0-9A-Za-z])[0-9]{9,11}($|[^0-9A-Za-z])`)

// label gives a code or identifier of a stranger, unless it is a text or bears the number
// of somebody.
func (e *explanation) label(text string) string {
	if labelForm.MatchString(text) && !numberForm.MatchString(text) {
		return text
	}
	return e.shown([]byte(text))
}

// named gives a text that names no person when it is one of those that everybody writes.
func (e *explanation) named(text string) string {
	for _, code := range soap.SOACodes() {
		if text == code.Code || text == code.Text || text == code.Code+": "+code.Text {
			return text
		}
	}
	for _, code := range sts.Codes() {
		if text == code.Message() {
			return text
		}
	}
	if text == "" {
		return "nothing"
	}
	return e.shown([]byte(text))
}

// header describes the security header, and gives the moment at which the message says
// that it was made.
func (e *explanation) header(root xmltext.Node) time.Time {
	var made time.Time
	for block := root.FirstElement().FirstElement(); !block.IsZero(); block = block.NextElement() {
		if !block.Is(xmlsec.NamespaceWSSE, "Security") {
			continue
		}
		for n := block.FirstElement(); !n.IsZero(); n = n.NextElement() {
			switch {
			case n.Is(xmlsec.NamespaceWSU, "Timestamp"):
				created, expires := momentIn(n.FirstElement()), momentIn(n.FirstElement().NextElement())
				if created.IsZero() {
					e.line("made", "at no moment that can be read")
					continue
				}
				if made.IsZero() {
					made = created
				}
				e.line("made", "%s, %s before the moment of judging", moment(created), signed(e.at.Sub(created)))
				if !expires.IsZero() {
					e.line("", "good for %s", span(expires.Sub(created)))
				}
			case n.Is(xmlsec.NamespaceWSSE, "BinarySecurityToken"):
				text, _ := n.Value()
				der, _ := xmlsec.AppendBase64(nil, text)
				e.certificate("sender", der)
			case n.Is(xmlsec.NamespaceDS, "Signature"):
				e.line("signed", "%s", method(n))
			}
		}
	}
	return made
}

func signed(d time.Duration) string {
	if d < 0 {
		return "minus " + span(d)
	}
	return span(d)
}

// certificate describes a certificate by its kind, and by its names when they are asked for.
func (e *explanation) certificate(label string, der []byte) {
	if e.found == nil {
		e.found = map[string][]byte{}
	}
	e.found[label] = der
	c, err := certs.ParseCertificate(der)
	if err != nil {
		e.line(label, "a certificate that cannot be read")
		return
	}
	e.line(label, "%s, %s, until %s", kindOfCertificate(c), keyOf(c), moment(c.NotAfter()))
	if e.flags.personal {
		e.line("", "%s, %s", dn(c.Subject()), fingerprint(c))
	}
	if c.Issuer().String() == c.Subject().String() {
		e.line("", "issued by itself")
		return
	}
	e.line("", "issued by %s", mask(dn(c.Issuer())))
}

// kindOfCertificate tells what a subject name says of its holder (wire document 6).
func kindOfCertificate(c *certs.Certificate) string {
	subject := &c.X509().Subject
	if subject.SerialNumber != "" {
		return "an eID certificate"
	}
	for _, unit := range subject.OrganizationalUnit {
		if kind, value, ok := strings.Cut(unit, "="); ok && value != "" && strings.Trim(value, "0123456789") == "" {
			return "an eHealth certificate (" + wsc.Printable([]byte(kind)) + ")"
		}
	}
	return "a certificate of another kind"
}

func keyOf(c *certs.Certificate) string {
	switch k := c.PublicKey().(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA-%d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return k.Curve.Params().Name
	}
	return "a key of another kind"
}

func momentIn(n xmltext.Node) time.Time {
	text, _ := n.Value()
	at, err := xsdtime.Parse(text)
	if err != nil {
		return time.Time{}
	}
	return at
}

// requested describes a request for a token, as far as it can be read.
func (e *explanation) requested(root xmltext.Node) time.Time {
	n := root
	if root.Is(soap.NamespaceEnvelope, "Envelope") {
		n = xmltext.Node{}
		for c := root.FirstElement(); !c.IsZero(); c = c.NextElement() {
			if c.Is(soap.NamespaceEnvelope, "Body") {
				n = c.FirstElement()
			}
		}
	}
	if n.Is(saml.NamespaceProtocol, "Request") {
		e.title("A request for a token")
	} else {
		e.title("A message, judged as a request for a token")
	}
	made := e.header(root)
	if !n.Is(saml.NamespaceProtocol, "Request") {
		e.line("holds", "{%s}%s, which is no samlp:Request", wsc.Printable(n.Namespace()), wsc.Printable(n.Local()))
		return made
	}
	var r saml.Request
	if err := saml.ParseRequest(n, &r); err != nil {
		e.line("holds", "a samlp:Request that cannot be read")
		return made
	}
	e.line("request", "%s of %s", e.label(string(r.RequestID)), moment(r.IssueInstant))
	if info, err := xmlsec.ParseKeyInfo(r.Subject.Confirmation.KeyInfo); err == nil {
		der, _ := xmlsec.AppendBase64(nil, info.Value)
		e.certificate("holder", der)
	}
	if r.Signature.IsZero() {
		e.line("inner", "no signature of the holder inside")
	} else {
		e.line("inner", "%s", method(r.Signature))
	}
	var self saml.Assertion
	if saml.ParseAssertion(r.Subject.Confirmation.Data.FirstElement(), &self) == nil {
		c := &self.Conditions
		e.line("wants", "%s to %s (%s)", moment(c.NotBefore), moment(c.NotOnOrAfter), signed(c.NotOnOrAfter.Sub(c.NotBefore)))
		e.attributes("claims", self.Attributes())
	}
	for i, d := range r.Designators() {
		label := ""
		if i == 0 {
			label = "asks for"
		}
		e.line(label, "%s", attributeName(d))
	}
	if made.IsZero() {
		made = r.IssueInstant
	}
	return made
}

func attributeName(d saml.Designator) string {
	text := namespace(d.Namespace) + " " + mask(wsc.Printable(d.Name))
	if definition, ok := attrs.EHealth().Lookup(d.Name, d.Namespace); ok {
		return text + " (" + definition.Title + ")"
	}
	return text + " (not in the catalogue)"
}

func (e *explanation) attributes(label string, all []saml.Attribute) {
	for _, a := range all {
		texts := make([]string, len(a.Values))
		empty := true
		for i, v := range a.Values {
			texts[i] = string(v)
			empty = empty && len(v) == 0
		}
		value := fmt.Sprintf("%d values", len(texts))
		switch {
		case e.flags.personal:
			value = values(texts)
		case empty:
			value = "unknown"
		case len(texts) == 1:
			value = "1 value"
		}
		e.line(label, "%s: %s", attributeName(a.Designator), value)
		label = ""
	}
}

// assertion describes an assertion of an STS.
func (e *explanation) assertion(n xmltext.Node) time.Time {
	var a saml.Assertion
	if err := saml.ParseAssertion(n, &a); err != nil {
		e.line("assertion", "one that cannot be read")
		return time.Time{}
	}
	e.line("assertion", "%s, issued %s", e.label(string(a.AssertionID)), moment(a.IssueInstant))
	issuer := wsc.Printable(a.Issuer)
	if !strings.HasPrefix(issuer, "urn:") {
		issuer = e.shown(a.Issuer)
	}
	e.line("issuer", "%s", mask(issuer))
	if c := &a.Conditions; !c.NotBefore.IsZero() && !c.NotOnOrAfter.IsZero() {
		e.line("valid", "%s to %s", moment(c.NotBefore), moment(c.NotOnOrAfter))
	} else {
		e.line("valid", "without limit")
	}
	if info, err := xmlsec.ParseKeyInfo(a.AuthenticationSubject.Confirmation.KeyInfo); err == nil && a.Authenticated {
		der, _ := xmlsec.AppendBase64(nil, info.Value)
		e.certificate("holder", der)
	}
	if e.flags.personal {
		e.line("about", "%s", wsc.Printable(a.AuthenticationSubject.NameIdentifier.Value))
	}
	if a.Signature.IsZero() {
		e.line("signature", "none")
	} else {
		e.line("signature", "%s", method(a.Signature))
		if s, err := xmlsec.ParseSignature(a.Signature); err == nil {
			if info, err := xmlsec.ParseKeyInfo(s.KeyInfo()); err == nil {
				der, _ := xmlsec.AppendBase64(nil, info.Value)
				e.certificate("signer", der)
			}
		}
	}
	e.attributes("attributes", a.Attributes())
	return a.IssueInstant
}

// call describes a call of a service.
func (e *explanation) call(root xmltext.Node) time.Time {
	e.title("A call of a service, with an assertion in its header")
	made := e.header(root)
	_, n := kindOf(root)
	issued := e.assertion(n)
	if made.IsZero() {
		return issued
	}
	return made
}

// answer describes what an STS answered.
func (e *explanation) answer(k kind, n xmltext.Node) (time.Time, error) {
	if k == kindToken {
		e.title("An assertion")
		return e.assertion(n), nil
	}
	e.title("An answer of a token service")
	var r saml.Response
	if err := saml.ParseResponse(n, &r); err != nil {
		e.line("holds", "a samlp:Response that cannot be read")
		return time.Time{}, nil
	}
	if len(r.InResponseTo) > 0 {
		e.line("answers", "%s", e.label(string(r.InResponseTo)))
	}
	e.line("made", "%s", moment(r.IssueInstant))
	status := e.label(string(r.Code))
	if len(r.SubCode) > 0 {
		status += " / " + e.label(string(r.SubCode))
	}
	e.line("status", "%s", status)
	if len(r.Message) > 0 {
		e.line("says", "%s", e.named(wsc.Printable(r.Message)))
	}
	for d := r.Detail.FirstElement(); !d.IsZero(); d = d.NextElement() {
		id, _ := d.Attribute("", "Id")
		name, _ := d.Attribute("", "AttributeName")
		switch {
		case d.Is(saml.NamespaceDetail, "Audit"):
			e.line("audit id", "%s (by it the operator of the STS finds the cause)", e.label(string(id)))
		case d.Is(saml.NamespaceDetail, "LeftOut"):
			e.line("left out", "%s", mask(wsc.Printable(name)))
		}
	}
	if !r.Assertion.IsZero() {
		e.assertion(r.Assertion)
	}
	return r.IssueInstant, nil
}
