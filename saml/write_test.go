package saml_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"sceau/internal/judge"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

func issue() *saml.Issue {
	now := testpki.Now()
	return &saml.Issue{
		AssertionID: "_0123456789abcdef0123456789abcdef", Issuer: "urn:be:fgov:ehealth:sts:1_0", IssueInstant: now.Add(454 * time.Millisecond),
		NotBefore: now.Add(-5 * time.Minute), NotOnOrAfter: now.Add(5 * time.Hour),
		Subject: saml.Name{Subject: `CN="SSIN=00000000097", OU=eHealth-platform Belgium, C=BE`, Issuer: "CN=Issuing CA 001, SERIALNUMBER=001, C=BE"},
		Holder:  testpki.Load().AliceEHealth.DER,
		Attributes: []saml.Statement{
			{Name: "urn:be:fgov:person:ssin", Namespace: "urn:be:fgov:identification-namespace", Values: []string{testpki.AliceSSIN}},
			{Name: "urn:be:fgov:person:ssin:doctor:boolean", Namespace: "urn:be:fgov:certified-namespace:ehealth", Values: []string{"false"}},
			{Name: "urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11", Namespace: "urn:be:fgov:certified-namespace:ehealth"},
			{Name: "several", Namespace: "s", Values: []string{"1", "", "3"}},
		},
	}
}

func wish() *saml.Query {
	i := issue()
	return &saml.Query{
		RequestID: "request-1", AssertionID: "assertion-1", IssueInstant: testpki.Now(), Issuer: i.Subject.Subject, Subject: i.Subject,
		NotBefore: i.NotBefore, NotOnOrAfter: i.NotOnOrAfter, Holder: i.Holder,
		Identification: i.Attributes[:1], Designators: i.Attributes,
	}
}

// TestHolderBase64: the holder's certificate may be given in either form; what is no text is refused.
func TestHolderBase64(t *testing.T) {
	sign := signer(t, &testpki.Load().STS)
	want, err := saml.AppendAssertion(nil, issue(), sign)
	if err != nil {
		t.Fatal(err)
	}
	i := issue()
	i.HolderBase64, i.Holder = encode(i.Holder), nil
	if out, err := saml.AppendAssertion(nil, i, sign); err != nil || !bytes.Equal(out, want) {
		t.Errorf("%s, %v; want %s", out, err, want)
	}
	i.HolderBase64 = "</ds:X509Certificate>"
	if out, err := saml.AppendAssertion(nil, i, sign); err != nil || bytes.Contains(out, []byte("<ds:X509Certificate></ds:X509Certificate>")) {
		t.Errorf("markup as a certificate: %s, %v", out, err)
	}
	i.HolderBase64 = "\x00"
	if out, err := saml.AppendAssertion(nil, i, sign); err == nil || out != nil {
		t.Errorf("a control as a certificate: %s, %v", out, err)
	}
}

// TestAssertionShape is section 3.2 of the wire document, byte for byte: default
// namespace, prefix ds, no xsi:type, no white space, the signature last.
func TestAssertionShape(t *testing.T) {
	leaf := &testpki.Load().STS
	out, err := saml.AppendAssertion(nil, issue(), signer(t, leaf))
	if err != nil {
		t.Fatal(err)
	}
	name := `<NameIdentifier Format="urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName" NameQualifier="CN=Issuing CA 001, SERIALNUMBER=001, C=BE">` +
		`CN="SSIN=00000000097", OU=eHealth-platform Belgium, C=BE</NameIdentifier>`
	want := `<Assertion xmlns="urn:oasis:names:tc:SAML:1.0:assertion" AssertionID="_0123456789abcdef0123456789abcdef" IssueInstant="2026-11-21T20:00:00.454Z" ` +
		`Issuer="urn:be:fgov:ehealth:sts:1_0" MajorVersion="1" MinorVersion="1">` +
		`<Conditions NotBefore="2026-11-21T19:55:00.000Z" NotOnOrAfter="2026-11-22T01:00:00.000Z"></Conditions>` +
		`<AuthenticationStatement AuthenticationInstant="2026-11-21T20:00:00.454Z" AuthenticationMethod="urn:oasis:names:tc:SAML:1.0:am:X509-PKI"><Subject>` + name +
		`<SubjectConfirmation><ConfirmationMethod>urn:oasis:names:tc:SAML:1.0:cm:holder-of-key</ConfirmationMethod>` +
		`<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>` + encode(issue().Holder) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo>` +
		`</SubjectConfirmation></Subject></AuthenticationStatement><AttributeStatement><Subject>` + name + `</Subject>` +
		`<Attribute AttributeName="urn:be:fgov:person:ssin" AttributeNamespace="urn:be:fgov:identification-namespace"><AttributeValue>00000000097</AttributeValue></Attribute>` +
		`<Attribute AttributeName="urn:be:fgov:person:ssin:doctor:boolean" AttributeNamespace="urn:be:fgov:certified-namespace:ehealth"><AttributeValue>false</AttributeValue></Attribute>` +
		`<Attribute AttributeName="urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11" AttributeNamespace="urn:be:fgov:certified-namespace:ehealth"><AttributeValue></AttributeValue></Attribute>` +
		`<Attribute AttributeName="several" AttributeNamespace="s"><AttributeValue>1</AttributeValue><AttributeValue></AttributeValue><AttributeValue>3</AttributeValue></Attribute>` +
		`</AttributeStatement>` +
		`<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo>` +
		`<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:CanonicalizationMethod>` +
		`<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"></ds:SignatureMethod>` +
		`<ds:Reference URI="#_0123456789abcdef0123456789abcdef"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"></ds:Transform>` +
		`<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform></ds:Transforms>` +
		`<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod><ds:DigestValue>…</ds:DigestValue></ds:Reference></ds:SignedInfo>` +
		`<ds:SignatureValue>…</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>` + encode(leaf.DER) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature></Assertion>`
	got := regexp.MustCompile(`<(ds:DigestValue|ds:SignatureValue)>[A-Za-z0-9+/=]+<`).ReplaceAllString(string(out), "<$1>…<")
	if got != want {
		t.Errorf("written\n%s\nwant\n%s", got, want)
	}
}

// canonicalAndSigned checks that text is its own canonical form, with the signature
// and without, and that the signature signs it.
func canonicalAndSigned(t *testing.T, text []byte, leaf *testpki.Leaf) xmltext.Node {
	t.Helper()
	n := parse(t, string(text))
	if canonical(t, n, xmltext.Node{}) != string(text) {
		t.Errorf("not its own canonical form:\n%s", text)
	}
	s := n.FirstElement()
	for ; !s.IsZero() && !s.Is(nsDS, "Signature"); s = s.NextElement() {
	}
	if s.IsZero() {
		t.Fatal("no signature")
	}
	without := bytes.Replace(text, s.Source(), nil, 1)
	if canonical(t, n, s) != string(without) {
		t.Error("without its signature it is not its own canonical form")
	}
	signature, err := xmlsec.ParseSignature(s)
	if err != nil {
		t.Fatal(err)
	}
	policy := xmlsec.DefaultPolicy()
	v, err := signature.Verify(leaf.Key.Public(), &policy)
	if err != nil || !v.Signs(n) {
		t.Errorf("signature: %v", err)
	}
	return n
}

func TestAppendAssertion(t *testing.T) {
	pki := testpki.Load()
	for name, leaf := range map[string]*testpki.Leaf{"RSA": &pki.STS, "P-256": &pki.STSP256, "P-384": &pki.AliceEIDP384} {
		t.Run(name, func(t *testing.T) {
			out, err := saml.AppendAssertion([]byte("kept"), issue(), signer(t, leaf))
			if err != nil || !bytes.HasPrefix(out, []byte("kept<")) {
				t.Fatal(err)
			}
			var a saml.Assertion
			if err := saml.ParseAssertion(canonicalAndSigned(t, out[4:], leaf), &a); err != nil {
				t.Fatal(err)
			}
			same(t, &a, issue())
		})
	}
}

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

// same requires that the assertion read holds exactly what was to be written.
func same(t fataler, a *saml.Assertion, i *saml.Issue) {
	t.Helper()
	equal := func(what string, got []byte, want string) {
		t.Helper()
		if string(got) != want {
			t.Fatalf("%s: %q, want %q", what, got, want)
		}
	}
	equal("AssertionID", a.AssertionID, i.AssertionID)
	equal("Issuer", a.Issuer, i.Issuer)
	for _, times := range [][2]time.Time{{a.IssueInstant, i.IssueInstant}, {a.AuthenticationInstant, i.IssueInstant}, {a.Conditions.NotBefore, i.NotBefore}, {a.Conditions.NotOnOrAfter, i.NotOnOrAfter}} {
		if !times[0].Equal(times[1].Truncate(time.Millisecond)) {
			t.Fatalf("time %v, want %v", times[0], times[1])
		}
	}
	if !a.Authenticated || !a.HasAttributes || string(a.AuthenticationMethod) != saml.MethodX509PKI || a.Conditions.Restrictions != 0 {
		t.Fatalf("%+v", a)
	}
	for _, s := range []*saml.Subject{&a.AuthenticationSubject, &a.AttributeSubject} {
		equal("NameIdentifier", s.NameIdentifier.Value, i.Subject.Subject)
		equal("NameQualifier", s.NameIdentifier.NameQualifier, i.Subject.Issuer)
		equal("Format", s.NameIdentifier.Format, saml.FormatX509SubjectName)
	}
	if a.AttributeSubject.Confirmed || !a.AuthenticationSubject.Confirmed || string(a.AuthenticationSubject.Confirmation.Method) != saml.HolderOfKey || !a.AuthenticationSubject.Confirmation.Data.IsZero() {
		t.Fatalf("confirmation %+v", a.AuthenticationSubject.Confirmation)
	}
	certificate, _ := a.AuthenticationSubject.Confirmation.KeyInfo.FirstElement().FirstElement().Value()
	equal("X509Certificate", certificate, encode(i.Holder))
	attributesSame(t, a.Attributes(), i.Attributes)
}

func attributesSame(t fataler, got []saml.Attribute, want []saml.Statement) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d attributes, want %d", len(got), len(want))
	}
	for k, w := range want {
		values := w.Values
		if len(values) == 0 {
			values = []string{""}
		}
		if string(got[k].Name) != w.Name || string(got[k].Namespace) != w.Namespace || len(got[k].Values) != len(values) {
			t.Fatalf("attribute %q, want %q", got[k], w)
		}
		for j := range values {
			if string(got[k].Values[j]) != values[j] {
				t.Fatalf("value %q, want %q", got[k].Values[j], values[j])
			}
		}
	}
}

// TestWriterRefuses: what cannot be read back is not written, and nothing is left.
func TestWriterRefuses(t *testing.T) {
	s := signer(t, &testpki.Load().STSP256)
	for name, c := range map[string]struct {
		issue  func(*saml.Issue)
		query  func(*saml.Query)
		reason saml.Reason
	}{
		"AssertionID":         {func(i *saml.Issue) { i.AssertionID = "1" }, func(q *saml.Query) { q.AssertionID = "1" }, saml.NotText},
		"no AssertionID":      {func(i *saml.Issue) { i.AssertionID = "" }, func(q *saml.Query) { q.AssertionID = "" }, saml.NotText},
		"Issuer":              {func(i *saml.Issue) { i.Issuer = "\x00" }, func(q *saml.Query) { q.Issuer = "\x00" }, saml.NotText},
		"Subject":             {func(i *saml.Issue) { i.Subject.Subject = "\xff" }, func(q *saml.Query) { q.Subject.Subject = "\xff" }, saml.NotText},
		"issuer":              {func(i *saml.Issue) { i.Subject.Issuer = "\ufffe" }, func(q *saml.Query) { q.Subject.Issuer = "\ufffe" }, saml.NotText},
		"year 10000":          {func(i *saml.Issue) { i.NotOnOrAfter = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, func(q *saml.Query) { q.NotOnOrAfter = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, saml.NotText},
		"year 0":              {func(i *saml.Issue) { i.NotBefore = time.Time{}.Add(-1) }, func(q *saml.Query) { q.NotBefore = time.Time{}.Add(-1) }, saml.NotText},
		"year 10000 in UTC":   {func(i *saml.Issue) { i.IssueInstant = time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200)) }, func(q *saml.Query) { q.IssueInstant = time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200)) }, saml.NotText},
		"no attribute":        {func(i *saml.Issue) { i.Attributes = nil }, func(q *saml.Query) { q.Identification = nil }, saml.Malformed},
		"attribute, no name":  {func(i *saml.Issue) { i.Attributes[0].Name = "" }, func(q *saml.Query) { q.Identification[0].Name = "" }, saml.Malformed},
		"attribute name":      {func(i *saml.Issue) { i.Attributes[0].Name = "\x0c" }, func(q *saml.Query) { q.Identification[0].Name = "\x0c" }, saml.NotText},
		"attribute namespace": {func(i *saml.Issue) { i.Attributes[0].Namespace = "\x0c" }, func(q *saml.Query) { q.Identification[0].Namespace = "\x0c" }, saml.NotText},
		"attribute value":     {func(i *saml.Issue) { i.Attributes[3].Values[2] = "\xed\xa0\x80" }, func(q *saml.Query) { q.Identification[0].Values[0] = "\xed\xa0\x80" }, saml.NotText},
		"RequestID":           {nil, func(q *saml.Query) { q.RequestID = "a b" }, saml.NotText},
		"no RequestID":        {nil, func(q *saml.Query) { q.RequestID = "" }, saml.NotText},
		"designator, no name": {nil, func(q *saml.Query) { q.Designators = []saml.Statement{{}} }, saml.Malformed},
		"designator name":     {nil, func(q *saml.Query) { q.Designators = []saml.Statement{{Name: "\x01"}} }, saml.NotText},
		"one identifier":      {nil, func(q *saml.Query) { q.AssertionID = q.RequestID }, saml.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			if c.issue != nil {
				i := issue()
				c.issue(i)
				out, err := saml.AppendAssertion([]byte("dst"), i, s)
				refused(t, err, c.reason)
				if out != nil {
					t.Error("an assertion with an error")
				}
			}
			for _, with := range []*xmlsec.Signer{s, nil} {
				q := wish()
				c.query(q)
				out, err := saml.AppendQuery([]byte("dst"), q, with)
				refused(t, err, c.reason)
				if out != nil {
					t.Error("a request with an error")
				}
			}
		})
	}
	t.Run("the first error stays", func(t *testing.T) {
		var w saml.Writer
		w.Text("\x00")
		w.Value("good")
		w.Time(testpki.Now())
		refused(t, w.Err(), saml.NotText)
	})
}

// TestAppendQuery: canonical but for the signature, which stands first, and signed.
func TestAppendQuery(t *testing.T) {
	pki := testpki.Load()
	for name, leaf := range map[string]*testpki.Leaf{"RSA": &pki.AliceEHealth, "P-256": &pki.AliceEHealthP256} {
		t.Run(name, func(t *testing.T) {
			out, err := saml.AppendQuery([]byte("kept"), wish(), signer(t, leaf))
			if err != nil || !bytes.HasPrefix(out, []byte("kept<")) {
				t.Fatal(err)
			}
			n := parse(t, string(out[4:]))
			if !n.FirstElement().Is(nsDS, "Signature") || !n.FirstElement().NextElement().Is(nsSAMLP, "AttributeQuery") {
				t.Error("the signature does not stand first")
			}
			signature, err := xmlsec.ParseSignature(n.FirstElement())
			if err != nil {
				t.Fatal(err)
			}
			policy := xmlsec.DefaultPolicy()
			if v, err := signature.Verify(leaf.Key.Public(), &policy); err != nil || !v.Signs(n) {
				t.Error(err)
			}
			unsigned, err := saml.AppendQuery(nil, wish(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if want := bytes.Replace(out[4:], n.FirstElement().Source(), nil, 1); !bytes.Equal(unsigned, want) {
				t.Errorf("unsigned\n%s\nwant\n%s", unsigned, want)
			}
		})
	}
}

// TestXMLSec asks xmlsec1 about assertions and requests, and about changed ones.
func TestXMLSec(t *testing.T) {
	pki := testpki.Load()
	for name, leaf := range map[string]*testpki.Leaf{"RSA": &pki.STS, "P-256": &pki.STSP256, "P-384": &pki.AliceEIDP384} {
		t.Run(name, func(t *testing.T) {
			public, err := x509.MarshalPKIXPublicKey(leaf.Key.Public())
			if err != nil {
				t.Fatal(err)
			}
			a, err := saml.AppendAssertion(nil, issue(), signer(t, leaf))
			if err != nil {
				t.Fatal(err)
			}
			hostile := issue()
			hostile.Subject.Subject, hostile.Attributes[0].Values = "<&>\r\n\t\"'é\U0001F600 ]]>", []string{"\r", "&#13;", "\n\t"}
			hostile.Issuer = "<&>\r\n\t\"'é"
			h, err := saml.AppendAssertion(nil, hostile, signer(t, leaf))
			if err != nil {
				t.Fatal(err)
			}
			q, err := saml.AppendQuery(nil, wish(), signer(t, leaf))
			if err != nil {
				t.Fatal(err)
			}
			documents := [][]byte{a, bytes.Replace(a, []byte(">false<"), []byte(">true<"), 1), h, bytes.Replace(h, []byte("&amp;#13;"), []byte("&#13;"), 1),
				q, bytes.Replace(q, []byte("doctor:boolean"), []byte("nurse:boolean"), 1)}
			ids := []judge.ID{{Attribute: "AssertionID", Namespace: nsSAML, Element: "Assertion"}, {Attribute: "RequestID", Namespace: nsSAMLP, Element: "Request"}}
			for i, valid := range judge.VerifyXMLSec(t, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), ids, "", documents) {
				if valid != (i%2 == 0) {
					t.Errorf("document %d: xmlsec1 says %v\n%s", i, valid, documents[i])
				}
			}
		})
	}
}

// TestValidates asks xmllint with the schemas of SAML 1.1.
func TestValidates(t *testing.T) {
	leaf := &testpki.Load().STS
	a, err := saml.AppendAssertion(nil, issue(), signer(t, leaf))
	if err != nil {
		t.Fatal(err)
	}
	q, err := saml.AppendQuery(nil, wish(), signer(t, leaf))
	if err != nil {
		t.Fatal(err)
	}
	unsigned, err := saml.AppendQuery(nil, wish(), nil)
	if err != nil {
		t.Fatal(err)
	}
	success := saml.Writer{}
	saml.OpenResponse(&success, "_r", "request-1", testpki.Now(), &saml.Status{Code: "Success", LeftOut: issue().Attributes})
	success.Out = append(success.Out, a...)
	saml.CloseResponse(&success)
	failure := saml.Writer{}
	saml.OpenResponse(&failure, "_r", "", testpki.Now(), &saml.Status{Code: "Requester", SubCode: "RequestDenied", Message: "REQ-01: x", AuditID: "a"})
	saml.CloseResponse(&failure)
	t.Run("installed schemas", func(t *testing.T) { judge.SAML11(t, a, q, unsigned, success.Out, failure.Out) })
	t.Run("shared schemas", func(t *testing.T) {
		validate(t, "cs-sstc-schema-assertion-1.1.xsd", a)
		validate(t, "cs-sstc-schema-protocol-1.1.xsd", q, unsigned, success.Out, failure.Out)
	})
}

func validate(t *testing.T, schema string, documents ...[]byte) {
	t.Helper()
	xsd := judge.Shared(t, "vectors", "xsd", schema)
	program := judge.Require(t, "xmllint")
	folder := t.TempDir()
	arguments := []string{"--noout", "--nonet", "--schema", xsd}
	for i, d := range documents {
		name := filepath.Join(folder, fmt.Sprintf("%03d.xml", i))
		if err := os.WriteFile(name, d, 0o600); err != nil {
			t.Fatal(err)
		}
		arguments = append(arguments, name)
	}
	if out, err := exec.CommandContext(t.Context(), program, arguments...).CombinedOutput(); err != nil {
		t.Errorf("xmllint: %v\n%s", err, out)
	}
}
