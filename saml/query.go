package saml

import (
	"time"

	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// A Query is a samlp:Request to be written: steps 1 and 2 of the platform's
// step-by-step.
type Query struct {
	RequestID    string // an NCName
	AssertionID  string // of the self-issued assertion; an NCName
	IssueInstant time.Time
	// Issuer of the self-issued assertion: the subject name of the certificate of
	// the header.
	Issuer  string
	Subject Name
	// NotBefore and NotOnOrAfter are the wanted window.
	NotBefore, NotOnOrAfter time.Time
	// Holder is the DER of the holder-of-key certificate.
	Holder []byte
	// Identification attributes, one at least.
	Identification []Statement
	// Designators names all that is asked for, identification first.
	Designators []Statement
}

// AppendQuery appends the samlp:Request to dst, signed by signer, or unsigned when
// signer is nil. On error the result is nil.
func AppendQuery(dst []byte, q *Query, signer *xmlsec.Signer) ([]byte, error) {
	if q.RequestID == q.AssertionID { // an identifier names one element (attacks.md W13)
		return nil, refuse(Malformed, "AssertionID")
	}
	w := Writer{Out: dst}
	start := len(dst)
	w.Raw(`<samlp:Request xmlns:ds="` + xmlsec.NamespaceDS + `" xmlns:saml="` + NamespaceAssertion + `" xmlns:samlp="` + NamespaceProtocol + `" IssueInstant="`)
	w.Time(q.IssueInstant)
	w.Raw(`" MajorVersion="1" MinorVersion="1" RequestID="`)
	w.identifier(q.RequestID)
	w.Raw(`">`)
	open := len(w.Out)
	q.write(&w)
	if w.err != nil {
		return nil, w.err
	}
	if signer == nil {
		return w.Out, nil
	}

	limits := xmltext.DefaultLimits()
	limits.Bytes = len(w.Out) - start
	document, err := xmltext.Parse(w.Out[start:], limits)
	if err != nil {
		return nil, err
	}
	defer document.Release()
	canonical, err := c14n.Append(nil, document.Root(), c14n.Options{})
	if err != nil {
		return nil, err
	}
	rest := append([]byte(nil), w.Out[open:]...)
	out, err := signer.Append(w.Out[:open:open], xmlsec.Part{ID: q.RequestID, Canonical: canonical, Enveloped: true})
	if err != nil {
		return nil, err
	}
	return append(out, rest...), nil
}

func (q *Query) write(w *Writer) {
	w.Raw(`<samlp:AttributeQuery><saml:Subject>`)
	q.Subject.write(w, "saml:")
	w.Raw(`<saml:SubjectConfirmation><saml:ConfirmationMethod>` + HolderOfKey + `</saml:ConfirmationMethod><saml:SubjectConfirmationData>` +
		`<saml:Assertion AssertionID="`)
	w.identifier(q.AssertionID)
	w.Raw(`" IssueInstant="`)
	w.Time(q.IssueInstant)
	w.Raw(`" Issuer="`)
	w.Value(q.Issuer)
	w.Raw(`" MajorVersion="1" MinorVersion="1"><saml:Conditions NotBefore="`)
	w.Time(q.NotBefore)
	w.Raw(`" NotOnOrAfter="`)
	w.Time(q.NotOnOrAfter)
	w.Raw(`"></saml:Conditions><saml:AttributeStatement><saml:Subject>`)
	q.Subject.write(w, "saml:")
	w.Raw(`</saml:Subject>`)
	w.attributes("saml:", q.Identification)
	w.Raw(`</saml:AttributeStatement></saml:Assertion></saml:SubjectConfirmationData><ds:KeyInfo><ds:X509Data><ds:X509Certificate>`)
	w.Base64(q.Holder)
	w.Raw(`</ds:X509Certificate></ds:X509Data></ds:KeyInfo></saml:SubjectConfirmation></saml:Subject>`)
	for i := range q.Designators {
		if w.err == nil && q.Designators[i].Name == "" {
			w.err = refuse(Malformed, "AttributeDesignator without name")
		}
		w.Raw(`<saml:AttributeDesignator AttributeName="`)
		w.Value(q.Designators[i].Name)
		w.Raw(`" AttributeNamespace="`)
		w.Value(q.Designators[i].Namespace)
		w.Raw(`"></saml:AttributeDesignator>`)
	}
	w.Raw(`</samlp:AttributeQuery></samlp:Request>`)
}
