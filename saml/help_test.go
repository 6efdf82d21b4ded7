package saml_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

const (
	nsSAML  = saml.NamespaceAssertion
	nsSAMLP = saml.NamespaceProtocol
	nsDS    = xmlsec.NamespaceDS
	open    = `<samlp:Request xmlns:samlp="` + nsSAMLP + `" xmlns:saml="` + nsSAML + `" xmlns:ds="` + nsDS + `"`
	instant = "2026-11-21T20:00:00.000Z"
)

// parse returns the root of a text that lives as long as the test.
func parse(t testing.TB, text string) xmltext.Node {
	t.Helper()
	d, err := xmltext.Parse([]byte(text), xmltext.DefaultLimits())
	if err != nil {
		t.Fatalf("the text is ill-formed: %v\n%s", err, text)
	}
	t.Cleanup(d.Release)
	return d.Root()
}

func refused(t testing.TB, err error, reason saml.Reason) {
	t.Helper()
	var e *saml.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want %v", err, reason)
	}
	if e.Reason != reason {
		t.Errorf("error %v, want %v", err, reason)
	}
}

// verdict checks an error, or none for the zero Reason.
func verdict(t testing.TB, err error, reason saml.Reason) {
	t.Helper()
	if reason != 0 {
		refused(t, err, reason)
	} else if err != nil {
		t.Error(err)
	}
}

func signer(t testing.TB, leaf *testpki.Leaf) *xmlsec.Signer {
	t.Helper()
	s, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: leaf.Key, KeyInfo: `<ds:KeyInfo><ds:X509Data><ds:X509Certificate>` +
		encode(leaf.DER) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func encode(octets []byte) string {
	var w saml.Writer
	w.Base64(octets)
	return string(w.Out)
}

// Parts of messages, one of which a test changes.
const (
	identifier    = `<saml:NameIdentifier Format="` + saml.FormatX509SubjectName + `" NameQualifier="CN=CA">CN=Alice</saml:NameIdentifier>`
	method        = `<saml:ConfirmationMethod>` + saml.HolderOfKey + `</saml:ConfirmationMethod>`
	data          = `<saml:SubjectConfirmationData><saml:Assertion/></saml:SubjectConfirmationData>`
	info          = `<ds:KeyInfo/>`
	confirmation  = `<saml:SubjectConfirmation>` + method + data + info + `</saml:SubjectConfirmation>`
	subject       = `<saml:Subject>` + identifier + confirmation + `</saml:Subject>`
	designator    = `<saml:AttributeDesignator AttributeName="n" AttributeNamespace="s"/>`
	versions      = ` MajorVersion="1" MinorVersion="1"`
	requestHead   = ` RequestID="r" IssueInstant="` + instant + `"` + versions
	assertionHead = ` AssertionID="a" IssueInstant="` + instant + `" Issuer="CN=Alice"` + versions
	conditions    = `<saml:Conditions NotBefore="` + instant + `" NotOnOrAfter="2026-11-22T20:00:00.000Z"/>`
	attribute     = `<saml:Attribute AttributeName="n" AttributeNamespace="s"><saml:AttributeValue>v</saml:AttributeValue></saml:Attribute>`
	attributes    = `<saml:AttributeStatement>` + subject + attribute + `</saml:AttributeStatement>`
	authenticated = `<saml:AuthenticationStatement AuthenticationMethod="` + saml.MethodX509PKI + `" AuthenticationInstant="` + instant + `">` + subject + `</saml:AuthenticationStatement>`
)

func request(head, content string) string {
	return open + head + `>` + content + `</samlp:Request>`
}

func query(content string) string {
	return request(requestHead, `<samlp:AttributeQuery>`+content+`</samlp:AttributeQuery>`)
}

func assertion(head, content string) string {
	return `<saml:Assertion xmlns:saml="` + nsSAML + `" xmlns:ds="` + nsDS + `"` + head + `>` + content + `</saml:Assertion>`
}

func statement(content string) string {
	return assertion(assertionHead, `<saml:AttributeStatement>`+subject+content+`</saml:AttributeStatement>`)
}

func withSubject(content string) string {
	return query(`<saml:Subject>` + content + `</saml:Subject>` + designator)
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func canonical(t testing.TB, n xmltext.Node, omit xmltext.Node) string {
	t.Helper()
	out, err := c14n.Append(nil, n, c14n.Options{Omit: omit})
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func change(t testing.TB, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("%q is not in the text", old)
	}
	return strings.Replace(text, old, new, 1)
}
