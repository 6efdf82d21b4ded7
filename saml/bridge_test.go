package saml_test

import (
	"bytes"
	"encoding/pem"
	"testing"
	"time"

	"sceau/internal/judge"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/xmlsec/xmltext"
)

// exchanged is an assertion as the exchange of tokens writes it.
func exchanged() *saml.Issue {
	i := issue()
	i.Subject = saml.Name{Format: saml.FormatPersistent, Subject: "a7f3&<", Issuer: `https://op.example/etab/1?a="`}
	i.Method, i.Instant = saml.MethodHardwareToken, i.IssueInstant.Add(-time.Hour)
	i.Audiences = []string{"https://records.example", "urn:b&c"}
	return i
}

// TestMethodAudiencesFormat: what the exchange says of authentication, audiences and names is written, read back the same, and signed.
func TestMethodAudiencesFormat(t *testing.T) {
	leaf, i := &testpki.Load().STS, exchanged()
	out, err := saml.AppendAssertion(nil, i, signer(t, leaf))
	if err != nil {
		t.Fatal(err)
	}
	var a saml.Assertion
	if err := saml.ParseAssertion(canonicalAndSigned(t, out, leaf), &a); err != nil {
		t.Fatal(err)
	}
	if string(a.AuthenticationMethod) != i.Method || !a.AuthenticationInstant.Equal(i.Instant.Truncate(time.Millisecond)) {
		t.Errorf("%s at %v", a.AuthenticationMethod, a.AuthenticationInstant)
	}
	if c := a.Conditions; c.Restrictions != 1 || string(bytes.Join(c.Audiences, []byte(" "))) != "https://records.example urn:b&c" {
		t.Errorf("audiences %q in %d", c.Audiences, c.Restrictions)
	}
	for _, s := range []*saml.Subject{&a.AuthenticationSubject, &a.AttributeSubject} {
		if n := s.NameIdentifier; string(n.Format) != saml.FormatPersistent || string(n.Value) != i.Subject.Subject || string(n.NameQualifier) != i.Subject.Issuer {
			t.Errorf("name %q", n)
		}
	}
}

// TestMethodAudiencesJudged: xmllint with the schemas of SAML 1.1, and xmlsec1.
func TestMethodAudiencesJudged(t *testing.T) {
	for name, leaf := range map[string]*testpki.Leaf{"RSA": &testpki.Load().STS, "P-256": &testpki.Load().STSP256} {
		t.Run(name, func(t *testing.T) {
			out, err := saml.AppendAssertion(nil, exchanged(), signer(t, leaf))
			if err != nil {
				t.Fatal(err)
			}
			judge.SAML11(t, out)
			public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: leaf.X509().RawSubjectPublicKeyInfo})
			ids := []judge.ID{{Attribute: "AssertionID", Namespace: saml.NamespaceAssertion, Element: "Assertion"}}
			altered := bytes.Replace(out, []byte("HardwareToken"), []byte("HardwareTokem"), 1)
			if got := judge.VerifyXMLSec(t, public, ids, "", [][]byte{out, altered}); !got[0] || got[1] {
				t.Errorf("xmlsec1: %v", got)
			}
		})
	}
}

// TestNewValuesAreText: none of the values is taken for markup, and what XML cannot hold is refused.
func TestNewValuesAreText(t *testing.T) {
	sign := signer(t, &testpki.Load().STSP256)
	for name, set := range map[string]func(i *saml.Issue, v string){
		"method":   func(i *saml.Issue, v string) { i.Method = v },
		"audience": func(i *saml.Issue, v string) { i.Audiences = []string{v} },
		"format":   func(i *saml.Issue, v string) { i.Subject.Format = v },
	} {
		i := exchanged()
		set(i, "\x00")
		if out, err := saml.AppendAssertion(nil, i, sign); err == nil || out != nil {
			t.Errorf("%s: a control is written", name)
		}
		set(i, `"><Assertion>&amp;`)
		out, err := saml.AppendAssertion(nil, i, sign)
		if err != nil {
			t.Fatal(err)
		}
		document, err := xmltext.Parse(out, xmltext.DefaultLimits())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var a saml.Assertion
		if err := saml.ParseAssertion(document.Root(), &a); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		document.Release()
	}
}
