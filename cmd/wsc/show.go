package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sceau/internal/xsdtime"
	"sceau/saml"
	"sceau/soap"
	"sceau/wsc"
	"sceau/xmlsec/xmltext"
)

func showCommand() *cobra.Command {
	var t trust
	var at string
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "Explain an assertion, or a message, to a person",
		Long: `Explains what is in FILE (- is standard input): an assertion, or a request, response,
fault or call, with or without its SOAP envelope.

Nothing is verified, and the text says so, unless --trust names the certificate of the
STS: then the assertion's signature, issuer and window are, and the status is 5 when
they do not hold. Signatures of requests and calls are not verified.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			now, err := when(at)
			if err != nil {
				return err
			}
			content, err := readInput(cmd, args[0])
			if err != nil {
				return err
			}
			page := &page{out: cmd.OutOrStdout(), now: now, issuer: t.issuer}
			if len(t.files) > 0 {
				client, done, err := makeClient(&network{timeout: time.Second}, &t, func(c *wsc.Config) {
					c.Now = func() time.Time { return now }
				})
				if err != nil {
					return err
				}
				defer done()
				page.client = client
			}
			return page.file(content)
		},
	}
	t.register(cmd.Flags())
	cmd.Flags().StringVar(&at, "at", "", "judge as at this `time` (2026-11-21T20:00:00Z) and not now")
	return cmd
}

func when(text string) (time.Time, error) {
	if text == "" {
		return time.Now(), nil
	}
	at, err := xsdtime.Parse([]byte(text))
	if err != nil {
		return at, usage("--at %q: %w", text, err)
	}
	return at, nil
}

// errNothingKnown: a document of another kind.
var errNothingKnown = errors.New("this is no SAML 1.1 assertion, request or response, no SOAP fault, and holds none")

// file explains a document, whatever it is of what we know.
func (p *page) file(content []byte) error {
	limits := xmltext.DefaultLimits()
	limits.Bytes = maxFile
	document, err := xmltext.Parse(content, limits)
	if err != nil {
		return fmt.Errorf("this is not XML in the form of the wire: %w", err)
	}
	defer document.Release()
	root := document.Root()
	if !root.Is(soap.NamespaceEnvelope, "Envelope") {
		return p.finish(p.element(root))
	}
	return p.finish(p.envelope(root))
}

// finish turns what did not hold into the error of the command.
func (p *page) finish(err error) error {
	if err == nil && p.client != nil && p.assertions == 0 {
		err = fmt.Errorf("%w: there is no assertion of an STS in it", errUnverified)
	}
	if err == nil && p.client != nil && p.failed != nil {
		err = fmt.Errorf("%w: %w", errUnverified, p.failed)
	}
	return err
}

// envelope explains a SOAP message: its security header, then its body.
func (p *page) envelope(root xmltext.Node) error {
	known := false
	for n := root.FirstElement(); !n.IsZero(); n = n.NextElement() {
		switch {
		case n.Is(soap.NamespaceEnvelope, "Header"):
			found, err := p.header(n)
			if err != nil {
				return err
			}
			known = known || found
		case n.Is(soap.NamespaceEnvelope, "Body"):
			err := p.element(n.FirstElement())
			if errors.Is(err, errNothingKnown) && known {
				p.title("A body {%s}%s, which is the service's business", wsc.Printable(n.FirstElement().Namespace()), wsc.Printable(n.FirstElement().Local()))
				err = nil
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// element explains one of the elements that we know.
func (p *page) element(n xmltext.Node) error {
	if fault, ok := wsc.ReadFault(n); ok {
		p.fault(fault)
		return nil
	}
	switch {
	case n.Is(saml.NamespaceAssertion, "Assertion"):
		return p.assertion(n, "A SAML 1.1 assertion")
	case n.Is(saml.NamespaceProtocol, "Response"):
		return p.response(n)
	case n.Is(saml.NamespaceProtocol, "Request"):
		return p.request(n)
	}
	return errNothingKnown
}

func (p *page) fault(f *wsc.Fault) {
	p.title("A SOAP fault: the message was refused, or the server failed")
	p.line("code", "%s", f.Code.Local)
	p.line("says", "%s", f.Message)
	if f.SOACode != "" {
		p.line("platform", "%s", f.SOACode)
	}
	if f.ID != "" {
		p.line("audit id", "%s (by it the operator of the server finds the cause)", f.ID)
	}
	if f.Retry {
		p.line("retry", "the same may succeed later")
	}
}

func (p *page) response(n xmltext.Node) error {
	var r saml.Response
	if err := saml.ParseResponse(n, &r); err != nil {
		return err
	}
	p.title("A samlp:Response to %s", orNobody(r.InResponseTo))
	p.line("issued", "%s", moment(r.IssueInstant))
	status := wsc.Printable(r.Code)
	if len(r.SubCode) > 0 {
		status += " / " + wsc.Printable(r.SubCode)
	}
	p.line("status", "%s", status)
	if len(r.Message) > 0 {
		p.line("says", "%s", wsc.Printable(r.Message))
	}
	for d := r.Detail.FirstElement(); !d.IsZero(); d = d.NextElement() {
		id, _ := d.Attribute("", "Id")
		name, _ := d.Attribute("", "AttributeName")
		switch {
		case d.Is(saml.NamespaceDetail, "Audit"):
			p.line("audit id", "%s (by it the operator of the STS finds the cause)", wsc.Printable(id))
		case d.Is(saml.NamespaceDetail, "LeftOut"):
			p.line("left out", "%s", wsc.Printable(name))
		}
	}
	if r.Assertion.IsZero() {
		p.note("There is no assertion in it.")
		return nil
	}
	p.note("Only the assertion in it is signed.")
	return p.assertion(r.Assertion, "The SAML 1.1 assertion in it")
}

func (p *page) request(n xmltext.Node) error {
	var r saml.Request
	if err := saml.ParseRequest(n, &r); err != nil {
		return err
	}
	p.title("A samlp:Request %s for attributes", wsc.Printable(r.RequestID))
	p.line("issued", "%s", moment(r.IssueInstant))
	p.subject(&r.Subject)
	p.holder(&r.Subject.Confirmation)
	if r.Signature.IsZero() {
		p.line("signature", "none inside; right where the certificate of the header is the holder's")
	} else {
		p.line("signature", "inside, %s; NOT VERIFIED", method(r.Signature))
	}
	var self saml.Assertion
	data := r.Subject.Confirmation.Data.FirstElement()
	claims := data.Is(saml.NamespaceAssertion, "Assertion") && saml.ParseAssertion(data, &self) == nil
	if claims {
		p.line("wants", "%s to %s (%s)", moment(self.Conditions.NotBefore), moment(self.Conditions.NotOnOrAfter),
			span(self.Conditions.NotOnOrAfter.Sub(self.Conditions.NotBefore)))
		p.line("claimed by", "%s", wsc.Printable(self.Issuer))
		p.heading("Claimed about himself")
		p.attributes(self.Attributes())
	}
	p.heading("Asked for")
	for _, d := range r.Designators() {
		p.attribute(d, "")
	}
	return nil
}

func orNobody(id []byte) string {
	if len(id) == 0 {
		return "no request"
	}
	return wsc.Printable(id)
}
