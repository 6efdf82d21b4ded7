package saml

import (
	"encoding/base64"
	"time"

	"sceau/internal/xsdtime"
	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// A Writer appends elements to Out, in canonical form. The first value that XML
// cannot hold makes it fail for good; Err tells.
type Writer struct {
	Out []byte
	err error
}

// Err returns the first error.
func (w *Writer) Err() error { return w.err }

// Raw appends markup as it stands.
func (w *Writer) Raw(s string) { w.Out = append(w.Out, s...) }

// Text appends character data.
func (w *Writer) Text(s string) {
	if w.plain(s) {
		return
	}
	if w.holds(s) {
		w.Out = c14n.AppendText(w.Out, s)
	}
}

// Value appends an attribute value, without its quotes.
func (w *Writer) Value(s string) {
	if w.plain(s) {
		return
	}
	if w.holds(s) {
		w.Out = c14n.AppendValue(w.Out, s)
	}
}

// plain appends a value that stands for itself everywhere, as nearly all do; else it reports false.
func (w *Writer) plain(s string) bool {
	if xmltext.Plain(s) < len(s) {
		return false
	}
	w.Out = append(w.Out, s...)
	return true
}

func (w *Writer) holds(s string) bool {
	if w.err == nil && !xmltext.IsText(s) {
		w.err = refuse(NotText, "value")
	}
	return w.err == nil
}

// or appends an attribute value, or another where there is none.
func (w *Writer) or(s, none string) {
	if s == "" {
		s = none
	}
	w.Value(s)
}

// identifier appends an attribute value that is an identifier.
func (w *Writer) identifier(s string) {
	if w.err == nil && !xmltext.IsNCName([]byte(s)) {
		w.err = refuse(NotText, "identifier")
	}
	w.Value(s)
}

// Time appends a dateTime in UTC with milliseconds. A year that has not four digits
// is no such value.
func (w *Writer) Time(t time.Time) {
	if year := t.UTC().Year(); w.err == nil && (year < 1 || year > 9999) {
		w.err = refuse(NotText, "dateTime")
	}
	w.Out = xsdtime.Append(w.Out, t)
}

// Base64 appends octets as base64.
func (w *Writer) Base64(octets []byte) { w.Out = base64.StdEncoding.AppendEncode(w.Out, octets) }

// A Name is a NameIdentifier to be written: an X.509 subject name and, as its
// qualifier, the name of the certificate's issuer; where Format says otherwise, a name of that
// format, and whoever gave it.
type Name struct {
	Subject, Issuer string
	Format          string // empty: FormatX509SubjectName
}

func (n Name) write(w *Writer, prefix string) {
	w.Raw("<")
	w.Raw(prefix)
	w.Raw(`NameIdentifier Format="`)
	w.or(n.Format, FormatX509SubjectName)
	w.Raw(`" NameQualifier="`)
	w.Value(n.Issuer)
	w.Raw(`">`)
	w.Text(n.Subject)
	w.Raw("</")
	w.Raw(prefix)
	w.Raw("NameIdentifier>")
}

// A Statement is one attribute to be written. No value is written as one empty
// AttributeValue.
type Statement struct {
	Name, Namespace string
	Values          []string
}

// attributes writes the Attribute elements of an AttributeStatement, which has one at
// least (core 2.4.4), each with a name.
func (w *Writer) attributes(prefix string, statements []Statement) {
	if w.err == nil && len(statements) == 0 {
		w.err = refuse(Malformed, "AttributeStatement without Attribute")
	}
	for i := range statements {
		t := &statements[i]
		if w.err == nil && t.Name == "" {
			w.err = refuse(Malformed, "Attribute without name")
		}
		w.Raw("<")
		w.Raw(prefix)
		w.Raw(`Attribute AttributeName="`)
		w.Value(t.Name)
		w.Raw(`" AttributeNamespace="`)
		w.Value(t.Namespace)
		w.Raw(`">`)
		for _, v := range t.Values {
			w.value(prefix, v)
		}
		if len(t.Values) == 0 {
			w.value(prefix, "")
		}
		w.Raw("</")
		w.Raw(prefix)
		w.Raw("Attribute>")
	}
}

func (w *Writer) value(prefix, v string) {
	w.Raw("<")
	w.Raw(prefix)
	w.Raw("AttributeValue>")
	w.Text(v)
	w.Raw("</")
	w.Raw(prefix)
	w.Raw("AttributeValue>")
}

// An Issue is an assertion to be written and signed: the shape of the platform
// (default namespace, prefix ds, no xsi:type, signature last), which clients rely on.
type Issue struct {
	AssertionID             string // an NCName
	Issuer                  string
	IssueInstant            time.Time
	NotBefore, NotOnOrAfter time.Time
	Subject                 Name
	// Holder is the DER of the holder-of-key certificate; HolderBase64, when not empty, stands in
	// its place and is its base64 (RFC 4648 section 4).
	Holder       []byte
	HolderBase64 string
	Attributes   []Statement

	// Method and Instant are those of the authentication; empty and zero: X509-PKI, at IssueInstant.
	Method  string
	Instant time.Time
	// Audiences are for whom the assertion is; none: for everybody (core 2.3.2.1.3).
	Audiences []string
}

const assertionClose = "</Assertion>"

// AppendAssertion appends the signed assertion to dst. On error the result is nil.
func AppendAssertion(dst []byte, a *Issue, signer *xmlsec.Signer) ([]byte, error) {
	w := Writer{Out: dst}
	start := len(dst)
	a.write(&w)
	if w.err != nil {
		return nil, w.err
	}
	// The canonical form without the signature is what stands there now; the
	// signature is then written over the end tag, which comes again after it. The
	// signer digests before it writes.
	unsigned := w.Out[start:]
	out, err := signer.Append(w.Out[:len(w.Out)-len(assertionClose)],
		xmlsec.Part{ID: a.AssertionID, Canonical: unsigned, Enveloped: true})
	if err != nil {
		return nil, err
	}
	return append(out, assertionClose...), nil
}

func (a *Issue) write(w *Writer) {
	w.Raw(`<Assertion xmlns="` + NamespaceAssertion + `" AssertionID="`)
	w.identifier(a.AssertionID)
	w.Raw(`" IssueInstant="`)
	w.Time(a.IssueInstant)
	w.Raw(`" Issuer="`)
	w.Value(a.Issuer)
	w.Raw(`" MajorVersion="1" MinorVersion="1"><Conditions NotBefore="`)
	w.Time(a.NotBefore)
	w.Raw(`" NotOnOrAfter="`)
	w.Time(a.NotOnOrAfter)
	w.Raw(`">`)
	if len(a.Audiences) > 0 {
		w.Raw(`<AudienceRestrictionCondition>`)
		for _, audience := range a.Audiences {
			w.Raw(`<Audience>`)
			w.Text(audience)
			w.Raw(`</Audience>`)
		}
		w.Raw(`</AudienceRestrictionCondition>`)
	}
	w.Raw(`</Conditions><AuthenticationStatement AuthenticationInstant="`)
	if a.Instant.IsZero() {
		w.Time(a.IssueInstant)
	} else {
		w.Time(a.Instant)
	}
	w.Raw(`" AuthenticationMethod="`)
	w.or(a.Method, MethodX509PKI)
	w.Raw(`"><Subject>`)
	a.Subject.write(w, "")
	w.Raw(`<SubjectConfirmation><ConfirmationMethod>` + HolderOfKey + `</ConfirmationMethod><ds:KeyInfo xmlns:ds="` +
		xmlsec.NamespaceDS + `"><ds:X509Data><ds:X509Certificate>`)
	if a.HolderBase64 != "" {
		w.Text(a.HolderBase64)
	} else {
		w.Base64(a.Holder)
	}
	w.Raw(`</ds:X509Certificate></ds:X509Data></ds:KeyInfo></SubjectConfirmation></Subject></AuthenticationStatement>` +
		`<AttributeStatement><Subject>`)
	a.Subject.write(w, "")
	w.Raw(`</Subject>`)
	w.attributes("", a.Attributes)
	w.Raw("</AttributeStatement>" + assertionClose)
}

// A Status is the status of a response to be written (core 3.4.3).
type Status struct {
	// Code and SubCode are local names: "Success", "Requester", "RequestDenied".
	Code, SubCode string
	Message       string
	// LeftOut names attributes that were asked for and are not in the answer.
	LeftOut []Statement
	// AuditID is given with errors, so that an operator finds the cause.
	AuditID string
}

// NamespaceDetail is the namespace of the elements that Sceau writes in StatusDetail.
const NamespaceDetail = "urn:sceau:status:1.0"

// OpenResponse writes the beginning of a samlp:Response, without signature or
// Recipient, up to where its assertion stands.
func OpenResponse(w *Writer, id, inResponseTo string, at time.Time, status *Status) {
	w.Raw(`<samlp:Response xmlns:samlp="` + NamespaceProtocol + `"`)
	if inResponseTo != "" {
		w.Raw(` InResponseTo="`)
		w.Value(inResponseTo)
		w.Raw(`"`)
	}
	w.Raw(` IssueInstant="`)
	w.Time(at)
	w.Raw(`" MajorVersion="1" MinorVersion="1" ResponseID="`)
	w.Value(id)
	w.Raw(`"><samlp:Status><samlp:StatusCode Value="samlp:`)
	w.Value(status.Code)
	w.Raw(`">`)
	if status.SubCode != "" {
		w.Raw(`<samlp:StatusCode Value="samlp:`)
		w.Value(status.SubCode)
		w.Raw(`"></samlp:StatusCode>`)
	}
	w.Raw(`</samlp:StatusCode>`)
	if status.Message != "" {
		w.Raw(`<samlp:StatusMessage>`)
		w.Text(status.Message)
		w.Raw(`</samlp:StatusMessage>`)
	}
	if len(status.LeftOut) > 0 || status.AuditID != "" {
		w.Raw(`<samlp:StatusDetail>`)
		for i := range status.LeftOut {
			w.Raw(`<sceau:LeftOut xmlns:sceau="` + NamespaceDetail + `" AttributeName="`)
			w.Value(status.LeftOut[i].Name)
			w.Raw(`" AttributeNamespace="`)
			w.Value(status.LeftOut[i].Namespace)
			w.Raw(`"></sceau:LeftOut>`)
		}
		if status.AuditID != "" {
			w.Raw(`<sceau:Audit xmlns:sceau="` + NamespaceDetail + `" Id="`)
			w.Value(status.AuditID)
			w.Raw(`"></sceau:Audit>`)
		}
		w.Raw(`</samlp:StatusDetail>`)
	}
	w.Raw(`</samlp:Status>`)
}

// CloseResponse ends what OpenResponse began.
func CloseResponse(w *Writer) { w.Raw(`</samlp:Response>`) }
