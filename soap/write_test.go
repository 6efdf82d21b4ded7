package soap_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	external "sceau/internal/judge"
	"sceau/internal/testpki"
	"sceau/soap"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

func outgoing(content string, leaf *testpki.Leaf, assertion string) *soap.Outgoing {
	o := &soap.Outgoing{Content: []byte(content), Created: testpki.Now(), Expires: testpki.Now().Add(time.Minute), BodyID: "id-1"}
	if assertion == "" {
		o.Certificate = leaf.DER
	} else {
		o.Assertion, o.AssertionID = []byte(assertion), assertionID
	}
	return o
}

func messageSigner(t testing.TB, leaf *testpki.Leaf, id string) *xmlsec.Signer {
	t.Helper()
	s, err := soap.NewMessageSigner(xmlsec.SignerConfig{Key: leaf.Key}, id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// contents are bodies that a careless writer would change.
var contents = []string{
	`<a/>`,
	`<q:Ask xmlns:q="urn:q"   b = 'x&quot;y' a="&#9;&#x41;">text &amp; <![CDATA[<raw>]]><!-- a comment --><c></c>&#13;` + "\n" + `</q:Ask>`,
	"<a\n\txmlns='urn:a'\r\n>\r\nlines\r</a>",
	`<a xmlns="urn:a"><b xmlns=""><c xmlns="urn:a"/></b></a>`,
	`<soapenv:Any/>`,
	`<a Id="TS-2" ID="x">é𝄞 ` + "\U0010FFFD" + `</a>`,
	`<a>` + strings.Repeat(`<b><c/></b>`, 500) + `</a>`,
}

// TestOutgoing: our messages are as our own Verify wants them, and the content is in
// them as it was given.
func TestOutgoing(t *testing.T) {
	pki := testpki.Load()
	for name, leaf := range map[string]*testpki.Leaf{"RSA": &pki.AliceEID, "P-256": &pki.AliceEIDP256, "P-384": &pki.AliceEIDP384} {
		for _, assertion := range []string{"", plain} {
			id := ""
			if assertion != "" {
				id = assertionID
			}
			signer := messageSigner(t, leaf, id)
			for _, content := range contents {
				message, err := outgoing(content, leaf, assertion).Append([]byte("kept"), signer)
				if err != nil {
					t.Fatal(name, err)
				}
				message = bytes.TrimPrefix(message, []byte("kept"))
				if assertion != "" && !bytes.Contains(message, []byte(assertion)) {
					t.Error("the assertion was changed")
				}
				e, err := soap.Parse(message, config())
				if err != nil {
					t.Fatalf("%s: %v\n%s", name, err, message)
				}
				s, err := e.Verify(policy(), trust(leaf), testpki.Now())
				if err != nil {
					t.Fatalf("%s: %v\n%s", name, err, message)
				}
				if got := s.Body().Source(); string(got) != content {
					t.Errorf("content %q became %q", content, got)
				}
				if s.Token().Kind == soap.X509 != (assertion == "") {
					t.Errorf("token of kind %d", s.Token().Kind)
				}
				e.Release()
			}
		}
	}
}

// TestOutgoingArbitrary: any body that XML can hold.
func TestOutgoingArbitrary(t *testing.T) {
	leaf := &testpki.Load().AliceEIDP256
	signer := messageSigner(t, leaf, "")
	var tree func(depth int) *rapid.Generator[string]
	tree = func(depth int) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			name := rapid.SampledFrom([]string{"a", "p:b", "wsu:c", "soapenv:Body", "ds:Signature"}).Draw(t, "name")
			attributes := rapid.SampledFrom([]string{"", ` x="1"`, " y = '&lt;\n\"'", ` p:z="&#xA;"`, ` xmlns=""`, ` xmlns="urn:d"`, ` xmlns:p="urn:other"`}).Draw(t, "attributes")
			out := "<" + name + attributes + ">"
			if depth > 0 {
				for range rapid.IntRange(0, 3).Draw(t, "children") {
					out += rapid.OneOf(tree(depth-1), rapid.SampledFrom([]string{"text", " ", "\r\n", "&amp;", "<!--c-->", "<![CDATA[]]>", "<![CDATA[&]]>", "&#13;"})).Draw(t, "child")
				}
			}
			return out + "</" + name + ">"
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		content := `<root xmlns:p="urn:p" xmlns:ds="urn:x">` + tree(3).Draw(t, "tree") + `</root>`
		message, err := outgoing(content, leaf, "").Append(nil, signer)
		if err != nil {
			t.Fatal(err)
		}
		e, err := soap.Parse(message, config())
		if err != nil {
			t.Fatal(err)
		}
		defer e.Release()
		s, err := e.Verify(policy(), trust(leaf), testpki.Now())
		if err != nil {
			t.Fatal(err)
		}
		if string(s.Body().Source()) != content {
			t.Fatalf("%q became %q", content, s.Body().Source())
		}
	})
}

// TestOutgoingRefuses: nothing is signed that stands elsewhere than meant (H4).
func TestOutgoingRefuses(t *testing.T) {
	leaf := &testpki.Load().AliceEIDP256
	signer := messageSigner(t, leaf, "")
	samlSigner := messageSigner(t, leaf, assertionID)
	for name, c := range map[string]struct {
		content, assertion string
		change             func(*soap.Outgoing)
	}{
		"no content that is XML":          {"<a>", "", nil},
		"two ends":                        {"<a/></soapenv:Body>", "", nil},
		"a second Body":                   {"<a/></soapenv:Body><soapenv:Body>", "", nil},
		"a second Envelope":               {"<a/></soapenv:Body></soapenv:Envelope><soapenv:Envelope><soapenv:Body>", "", nil},
		"an element after the Body":       {"<a/></soapenv:Body><x/><soapenv:Body>", "", nil},
		"a DTD":                           {"<!DOCTYPE a><a/>", "", nil},
		"our identifier of the Timestamp": {`<a Id="TS-1"/>`, "", nil},
		"our identifier of the token":     {`<a ID="X509-1"/>`, "", nil},
		"neither":                         {"<a/>", "", func(o *soap.Outgoing) { o.Certificate = nil }},
		"both":                            {"<a/>", "", func(o *soap.Outgoing) { o.Assertion = []byte(plain) }},
		"two assertions":                  {"<a/>", plain + `<a:Assertion xmlns:a="urn:oasis:names:tc:SAML:1.0:assertion" AssertionID="b"/>`, nil},
		"no assertion":                    {"<a/>", `<a/>`, nil},
		"another assertion":               {"<a/>", strings.Replace(plain, assertionID, "_other", 1), nil},
		"an assertion without id":         {"<a/>", `<a:Assertion xmlns:a="urn:oasis:names:tc:SAML:1.0:assertion"/>`, func(o *soap.Outgoing) { o.AssertionID = "" }},
		"an assertion that ends Header":   {"<a/>", plain + `</wsse:Security></soapenv:Header><soapenv:Header><wsse:Security xmlns:wsse="` + xmlsec.NamespaceWSSE + `">`, nil},
		"an assertion and a block":        {"<a/>", plain + `</wsse:Security><wsse:Security xmlns:wsse="` + xmlsec.NamespaceWSSE + `">`, nil},
		"text with the assertion":         {"<a/>", plain + `x`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o, s := outgoing(c.content, leaf, c.assertion), signer
			if c.assertion != "" {
				s = samlSigner
			}
			if c.change != nil {
				c.change(o)
			}
			if out, err := o.Append([]byte("dst"), s); err == nil || out != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	for _, id := range []string{" ", "a b", "1", "a<b", "a:b", "\x00"} {
		if s, err := soap.NewMessageSigner(xmlsec.SignerConfig{Key: leaf.Key}, id); err == nil || s != nil {
			t.Errorf("a signer for the AssertionID %q", id)
		}
	}
	if s, err := soap.NewMessageSigner(xmlsec.SignerConfig{}, ""); err == nil || s != nil {
		t.Error("a signer without key")
	}
}

// TestOutgoingTwice: two messages of one moment with one content are two messages,
// and not a replay, unless the caller says that they are one.
func TestOutgoingTwice(t *testing.T) {
	leaf := &testpki.Load().AliceEIDP256
	signer := messageSigner(t, leaf, "")
	p, k := policy(), trust(leaf)
	p.Replay = soap.NewMemoryReplay(10)
	for i, id := range []string{"", "", "id-1", "id-1"} {
		o := outgoing("<a/>", leaf, "")
		o.BodyID = id
		message, err := o.Append(nil, signer)
		if err != nil {
			t.Fatal(err)
		}
		err = judge(t, message, config(), p, k, testpki.Now())
		if i == 3 {
			refused(t, err, soap.Replayed, "")
		} else if err != nil {
			t.Error(err)
		}
	}
}

// TestOutgoingXMLSec asks xmlsec1 about our messages, and about changed ones.
func TestOutgoingXMLSec(t *testing.T) {
	pki := testpki.Load()
	for name, leaf := range map[string]*testpki.Leaf{"RSA": &pki.AliceEID, "P-256": &pki.AliceEIDP256, "P-384": &pki.AliceEIDP384} {
		t.Run(name, func(t *testing.T) {
			public, err := x509.MarshalPKIXPublicKey(leaf.Key.Public())
			if err != nil {
				t.Fatal(err)
			}
			// Without a DTD xmlsec1 knows no identifiers: they are named one by one.
			ids := []external.ID{{Attribute: "Id", Namespace: soap.NamespaceEnvelope, Element: "Body"},
				{Attribute: "Id", Namespace: xmlsec.NamespaceWSU, Element: "Timestamp"},
				{Attribute: "Id", Namespace: xmlsec.NamespaceWSSE, Element: "BinarySecurityToken"}}
			var documents [][]byte
			for _, content := range contents {
				for _, assertion := range []string{"", plain} {
					id := ""
					if assertion != "" {
						id = assertionID
					}
					message, err := outgoing(content, leaf, assertion).Append(nil, messageSigner(t, leaf, id))
					if err != nil {
						t.Fatal(err)
					}
					documents = append(documents, message, bytes.Replace(message, []byte("20:01:00.000Z"), []byte("20:02:00.000Z"), 1))
				}
			}
			text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
			for i, valid := range external.VerifyXMLSec(t, text, ids, "", documents) {
				if valid != (i%2 == 0) {
					t.Errorf("document %d: xmlsec1 says %v\n%s", i, valid, documents[i])
				}
			}
		})
	}
}

// TestOutgoingValidates asks xmllint with the schemas of SOAP and WS-Security.
func TestOutgoingValidates(t *testing.T) {
	leaf := &testpki.Load().AliceEIDP256
	message, err := outgoing(`<a xmlns="urn:a"/>`, leaf, "").Append(nil, messageSigner(t, leaf, ""))
	if err != nil {
		t.Fatal(err)
	}
	validate(t, "soap-1.1.xsd", [][]byte{message})
	d, err := xmltext.Parse(message, xmltext.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Release()
	security := d.Root().FirstElement().FirstElement()
	validate(t, "oasis-200401-wss-wssecurity-secext-1.0.xsd", [][]byte{bytes.Replace(security.Source(), []byte("<wsse:Security "),
		[]byte(`<wsse:Security xmlns:soapenv="`+soap.NamespaceEnvelope+`" `), 1)})
}
