package saml_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sceau/internal/judge"
	"sceau/saml"
	"sceau/xmlsec/xmltext"
)

func sample(t testing.TB, name ...string) string {
	t.Helper()
	text, err := os.ReadFile(judge.Shared(t, append([]string{"samples", "ehealth"}, name...)...))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// find returns the first element of the name, in document order.
func find(n xmltext.Node, namespace, local string) xmltext.Node {
	if n.Is(namespace, local) {
		return n
	}
	for c := n.FirstElement(); !c.IsZero(); c = c.NextElement() {
		if f := find(c, namespace, local); !f.IsZero() {
			return f
		}
	}
	return xmltext.Node{}
}

// TestSampleRequests reads the requests of real clients, and what is in them.
func TestSampleRequests(t *testing.T) {
	for file, signed := range map[string]bool{
		"connector-saml11-request-eid-hok-sha256.xml":                      true,
		"connector402-saml11-request-eid-hok-header-sha256-inner-sha1.xml": true,
		"connector-saml11-request-eid-hok-sha1.xml":                        true,
		"connector-saml11-request-fallback-samecert-sha256.xml":            false,
	} {
		t.Run(file, func(t *testing.T) {
			var r saml.Request
			if err := saml.ParseRequest(find(parse(t, sample(t, file)), nsSAMLP, "Request"), &r); err != nil {
				t.Fatal(err)
			}
			c := &r.Subject.Confirmation
			if r.Signature.IsZero() == signed || len(r.Designators()) == 0 || !r.Subject.Named || string(r.Subject.NameIdentifier.Format) != saml.FormatX509SubjectName ||
				len(r.Subject.NameIdentifier.NameQualifier) == 0 || c.Methods != 1 || string(c.Method) != saml.HolderOfKey || c.KeyInfo.IsZero() || c.Data.IsZero() || r.IssueInstant.Year() != 2026 {
				t.Errorf("%+v", r)
			}
			var a saml.Assertion
			if err := saml.ParseAssertion(c.Data.FirstElement(), &a); err != nil {
				t.Fatal(err)
			}
			if a.Authenticated || !a.HasAttributes || len(a.Attributes()) == 0 || !a.Signature.IsZero() || !a.Conditions.NotOnOrAfter.After(a.Conditions.NotBefore) ||
				string(a.AttributeSubject.NameIdentifier.Value) != string(r.Subject.NameIdentifier.Value) || a.AttributeSubject.Confirmed {
				t.Errorf("%+v", a)
			}
			for _, d := range a.Attributes() {
				if len(d.Values) != 1 || !strings.HasPrefix(string(d.Name), "urn:be:fgov:") || string(d.Namespace) != "urn:be:fgov:identification-namespace" {
					t.Errorf("%q", d)
				}
			}
		})
	}
}

func TestSampleAssertions(t *testing.T) {
	for _, file := range []string{"inferred-assertion-sha256.xml", "wsp-call-saml-hok-sha256.xml"} {
		t.Run(file, func(t *testing.T) {
			var a saml.Assertion
			if err := saml.ParseAssertion(find(parse(t, sample(t, file)), nsSAML, "Assertion"), &a); err != nil {
				t.Fatal(err)
			}
			if !a.Authenticated || !a.HasAttributes || len(a.Attributes()) == 0 || a.Signature.IsZero() || string(a.Issuer) != "urn:be:fgov:ehealth:sts:1_0" ||
				string(a.AuthenticationMethod) != saml.MethodX509PKI || string(a.AuthenticationSubject.Confirmation.Method) != saml.HolderOfKey ||
				a.AuthenticationSubject.Confirmation.KeyInfo.IsZero() || a.AttributeSubject.Confirmed {
				t.Errorf("%+v", a)
			}
		})
	}
}

// TestShapes reads the shapes of answers; those of WS-Trust are no Response.
func TestShapes(t *testing.T) {
	folder := judge.Shared(t, "samples", "ehealth", "shapes")
	files, err := filepath.Glob(filepath.Join(folder, "*.xml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no shapes", err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			// The placeholders would give two elements one identifier.
			text := strings.Replace(sample(t, "shapes", name), `AssertionID="_32HEX"`, `AssertionID="_other"`, 1)
			body := parse(t, text).FirstElement().FirstElement()
			var r saml.Response
			err := saml.ParseResponse(body, &r)
			switch name {
			case "response-error.shape.xml":
				if err != nil || r.Success || string(r.Code) != "Requester" || string(r.Message) != "REQ-01: Checks on ConfirmationMethod failed" || !r.Assertion.IsZero() {
					t.Errorf("%v: %+v", err, r)
				}
			case "response-success.shape.xml":
				if err != nil || !r.Success || !r.Assertion.Is(nsSAML, "Assertion") || string(r.InResponseTo) != "request-UUID" {
					t.Errorf("%v: %+v", err, r)
				}
			default:
				refused(t, err, saml.Malformed)
			}
		})
	}
}
