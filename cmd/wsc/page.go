package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/saml"
	"sceau/wsc"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// A page is an explanation that is being written. Text from the document goes through
// wsc.Printable: whoever made the file must not steer the terminal (attacks.md Z10).
type page struct {
	out        io.Writer
	now        time.Time
	client     *wsc.Client // nil: nothing is verified
	issuer     string
	begun      bool
	assertions int   // explained, not counting what a request claims
	failed     error // the first thing that does not hold, with a client
}

func (p *page) title(format string, args ...any) {
	if p.begun {
		fmt.Fprintln(p.out)
	}
	p.begun = true
	fmt.Fprintf(p.out, format+"\n", args...)
}

func (p *page) line(label, format string, args ...any) {
	fmt.Fprintf(p.out, "  %-11s %s\n", label, fmt.Sprintf(format, args...))
}

func (p *page) note(text string) { fmt.Fprintf(p.out, "  %s\n", text) }

func (p *page) heading(text string) { fmt.Fprintf(p.out, "  %s:\n", text) }

func (p *page) fail(err error) {
	if p.failed == nil {
		p.failed = err
	}
}

// assertion explains an assertion of an STS.
func (p *page) assertion(n xmltext.Node, title string) error {
	var a saml.Assertion
	if err := saml.ParseAssertion(n, &a); err != nil {
		return err
	}
	p.assertions++
	p.title("%s, %s", title, wsc.Printable(a.AssertionID))
	p.line("issuer", "%s", wsc.Printable(a.Issuer))
	if p.client != nil && string(a.Issuer) != p.issuer {
		p.line("", "NOT THE EXPECTED ISSUER, which is %s", p.issuer)
		p.fail(fmt.Errorf("unexpected issuer"))
	}
	p.line("issued", "%s", moment(a.IssueInstant))
	p.window(&a.Conditions)
	if a.Authenticated {
		p.subject(&a.AuthenticationSubject)
		p.holder(&a.AuthenticationSubject.Confirmation)
	} else {
		p.subject(&a.AttributeSubject)
		p.holder(&a.AttributeSubject.Confirmation)
	}
	p.signature(&a)
	p.heading("Attributes")
	p.attributes(a.Attributes())
	return nil
}

func (p *page) window(c *saml.Conditions) {
	if c.NotBefore.IsZero() || c.NotOnOrAfter.IsZero() {
		p.line("valid", "WITHOUT LIMIT: no window is said")
		p.fail(fmt.Errorf("no window"))
		return
	}
	p.line("valid", "from %s", moment(c.NotBefore))
	state := "still valid for " + span(c.NotOnOrAfter.Sub(p.now))
	switch {
	case p.now.Before(c.NotBefore):
		state = "NOT VALID YET, in " + span(c.NotBefore.Sub(p.now))
	case !p.now.Before(c.NotOnOrAfter):
		state = "EXPIRED " + span(p.now.Sub(c.NotOnOrAfter)) + " ago"
	}
	p.line("", "to   %s: %s", moment(c.NotOnOrAfter), state)
	if p.now.Before(c.NotBefore) || !p.now.Before(c.NotOnOrAfter) {
		p.fail(fmt.Errorf("not valid at %s", moment(p.now)))
	}
}

func (p *page) subject(s *saml.Subject) {
	if !s.Named {
		p.line("about", "nobody by name")
		return
	}
	p.line("about", "%s", wsc.Printable(s.NameIdentifier.Value))
	if len(s.NameIdentifier.NameQualifier) > 0 {
		p.line("", "certified by %s", wsc.Printable(s.NameIdentifier.NameQualifier))
	}
}

// holder explains who may use it.
func (p *page) holder(s *saml.SubjectConfirmation) {
	switch string(s.Method) {
	case saml.HolderOfKey:
	case saml.SenderVouches:
		p.line("usable by", "a sender who vouches for the subject")
		return
	default:
		p.line("usable by", "unclear: %d confirmation methods, %s", s.Methods, wsc.Printable(s.Method))
		return
	}
	c, err := certificateOf(s.KeyInfo)
	if err != nil {
		p.line("usable by", "the holder of a key that is not given as a certificate")
		return
	}
	p.line("usable by", "the holder of the key of %s", dn(c.Subject()))
	p.line("", "certified by %s", dn(c.Issuer()))
	p.line("", "certificate until %s, %s", moment(c.NotAfter()), fingerprint(c))
}

func dn(n certs.Name) string { return wsc.Printable([]byte(n.String())) }

func fingerprint(c *certs.Certificate) string {
	sum := c.Fingerprint()
	return "SHA-256 " + hex.EncodeToString(sum[:8]) + "…"
}

// signature says who signed, and whether that was verified.
func (p *page) signature(a *saml.Assertion) {
	if a.Signature.IsZero() {
		p.line("signature", "NONE: anybody may have written this")
		p.fail(fmt.Errorf("not signed"))
		return
	}
	signer := "a key that is not given as a certificate"
	if parsed, err := xmlsec.ParseSignature(a.Signature); err == nil {
		if c, err := certificateOf(parsed.KeyInfo()); err == nil {
			signer = "the key of " + dn(c.Subject()) + " (" + fingerprint(c) + ")"
		}
	}
	p.line("signature", "%s, said to be by %s", method(a.Signature), signer)
	if p.client == nil {
		p.line("", "NOT VERIFIED: give --trust FILE to verify it")
		return
	}
	// The bytes alone are judged, as they would be by whoever the assertion is sent to.
	if _, err := p.client.SignedBy(a.Node.Source()); err != nil {
		p.line("", "DOES NOT VERIFY: %s", sentence(err))
		p.fail(err)
		return
	}
	p.line("", "verified: it is by a certificate that --trust names, over the whole assertion")
}

func method(n xmltext.Node) string {
	s, err := xmlsec.ParseSignature(n)
	if err != nil {
		return "malformed (" + err.Error() + ")"
	}
	uri := s.Method().URI()
	for i := len(uri) - 1; i >= 0; i-- {
		if uri[i] == '#' {
			return uri[i+1:]
		}
	}
	return uri
}

func certificateOf(keyInfo xmltext.Node) (*certs.Certificate, error) {
	info, err := xmlsec.ParseKeyInfo(keyInfo)
	if err != nil {
		return nil, err
	}
	der, err := xmlsec.AppendBase64(nil, info.Value)
	if err != nil {
		return nil, err
	}
	return certs.ParseCertificate(der)
}

func (p *page) attributes(all []saml.Attribute) {
	for _, a := range all {
		texts := make([]string, len(a.Values))
		for i, v := range a.Values {
			texts[i] = string(v)
		}
		p.attribute(a.Designator, values(texts))
	}
	if len(all) == 0 {
		p.note("  none")
	}
}

// attribute explains one attribute by its title in the catalogue.
func (p *page) attribute(d saml.Designator, value string) {
	title := "(not in the catalogue)"
	if definition, ok := attrs.EHealth().Lookup(d.Name, d.Namespace); ok {
		title = definition.Title
	}
	if value != "" {
		title += ": " + value
	}
	fmt.Fprintf(p.out, "    %s\n      %s %s\n", title, namespace(d.Namespace), wsc.Printable(d.Name))
}

func namespace(uri []byte) string {
	switch string(uri) {
	case attrs.NamespaceIdentification:
		return "identification"
	case attrs.NamespaceCertified:
		return "certified"
	}
	return wsc.Printable(uri)
}

// header explains the security header of a message; found says that there is one.
func (p *page) header(n xmltext.Node) (found bool, err error) {
	for block := n.FirstElement(); !block.IsZero(); block = block.NextElement() {
		if !block.Is(xmlsec.NamespaceWSSE, "Security") {
			continue
		}
		found = true
		p.title("A SOAP message with a security header; its signature is NOT VERIFIED here")
		for c := block.FirstElement(); !c.IsZero(); c = c.NextElement() {
			switch {
			case c.Is(xmlsec.NamespaceWSU, "Timestamp"):
				created, _ := c.FirstElement().Value()
				expires, _ := c.FirstElement().NextElement().Value()
				p.line("from", "%s until %s", wsc.Printable(created), wsc.Printable(expires))
			case c.Is(xmlsec.NamespaceWSSE, "BinarySecurityToken"):
				p.sender(c)
			case c.Is(xmlsec.NamespaceDS, "Signature"):
				p.line("signed", "%s", method(c))
			}
		}
		for c := block.FirstElement(); !c.IsZero(); c = c.NextElement() {
			if c.Is(saml.NamespaceAssertion, "Assertion") {
				if err := p.assertion(c, "The SAML 1.1 assertion in its header"); err != nil {
					return true, err
				}
			}
		}
	}
	return found, nil
}

func (p *page) sender(n xmltext.Node) {
	text, _ := n.Value()
	if der, err := xmlsec.AppendBase64(nil, text); err == nil {
		if c, err := certs.ParseCertificate(der); err == nil {
			p.line("by", "%s", dn(c.Subject()))
			p.line("", "certified by %s", dn(c.Issuer()))
			return
		}
	}
	p.line("by", "a token that is no certificate")
}
