package saml_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"sceau/internal/attack"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/xmlsec/xmltext"
)

// seeds adds messages of every kind, the samples included when they are at hand.
func seeds(f *testing.F) {
	leaf := &testpki.Load().STSP256
	q, err := saml.AppendQuery(nil, wish(), signer(f, leaf))
	if err != nil {
		f.Fatal(err)
	}
	a, err := saml.AppendAssertion(nil, issue(), signer(f, leaf))
	if err != nil {
		f.Fatal(err)
	}
	answer := response(responseHead, success+string(a))
	for _, text := range []string{string(q), string(a), answer, query(subject + designator), assertion(assertionHead, conditions+authenticated+attributes),
		assertion(assertionHead, `<saml:Conditions><saml:AudienceRestrictionCondition><saml:Audience>u</saml:Audience></saml:AudienceRestrictionCondition></saml:Conditions>`+attributes),
		response(responseHead, `<samlp:Status><samlp:StatusCode Value="samlp:Requester"><samlp:StatusCode Value="samlp:RequestDenied"/></samlp:StatusCode><samlp:StatusMessage>m</samlp:StatusMessage><samlp:StatusDetail/></samlp:Status>`)} {
		f.Add([]byte(text))
	}
	for _, text := range [][]byte{q, a, []byte(answer)} {
		variants, err := attack.Enveloped(text)
		if err != nil {
			f.Fatal(err)
		}
		for _, v := range variants {
			f.Add(v.Message)
		}
	}
	if root := os.Getenv("SCEAU_SHARED"); root != "" {
		names, _ := filepath.Glob(filepath.Join(root, "samples", "ehealth", "*.xml"))
		shapes, _ := filepath.Glob(filepath.Join(root, "samples", "ehealth", "shapes", "*.xml"))
		for _, name := range append(names, shapes...) {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
}

// each calls check with every element of the text that has the name, and with the
// root whatever it is.
func each(text []byte, namespace, local string, check func(xmltext.Node)) {
	d, err := xmltext.Parse(text, xmltext.DefaultLimits())
	if err != nil {
		return
	}
	defer d.Release()
	check(d.Root())
	var visit func(xmltext.Node)
	visit = func(n xmltext.Node) {
		for c := n.FirstElement(); !c.IsZero(); c = c.NextElement() {
			if c.Is(namespace, local) {
				check(c)
			}
			visit(c)
		}
	}
	visit(d.Root())
}

func typed(t *testing.T, err error) {
	t.Helper()
	var e *saml.Error
	if !errors.As(err, &e) || e.Reason < saml.Malformed || e.Reason > saml.NotText {
		t.Fatalf("the error %v is not an *Error with a Reason", err)
	}
}

// FuzzParseRequest: a Request that is read can be written again, and is then read as
// the same.
func FuzzParseRequest(f *testing.F) {
	seeds(f)
	var used saml.Request
	f.Fuzz(func(t *testing.T, text []byte) {
		each(text, nsSAMLP, "Request", func(n xmltext.Node) {
			var r saml.Request
			err, again := saml.ParseRequest(n, &r), saml.ParseRequest(n, &used)
			if (err == nil) != (again == nil) {
				t.Fatalf("a used Request reads otherwise: %v, %v", err, again)
			}
			if err != nil {
				typed(t, err)
				if !reflect.DeepEqual(r, saml.Request{}) && len(r.Designators()) != 0 {
					t.Fatal("something is left with an error")
				}
				return
			}
			if string(saml.RequestIDOf(n)) != string(r.RequestID) || len(r.Designators()) != len(used.Designators()) || !reflect.DeepEqual(r.Subject, used.Subject) {
				t.Fatal("a used Request reads otherwise")
			}
			if !r.Subject.Named || r.IssueInstant.Year() < 1 || r.IssueInstant.Year() > 9999 {
				return
			}
			q := saml.Query{RequestID: string(r.RequestID), AssertionID: "a" + string(r.RequestID), Issuer: "i", IssueInstant: r.IssueInstant, NotBefore: r.IssueInstant, NotOnOrAfter: r.IssueInstant,
				Subject:        saml.Name{Subject: string(r.Subject.NameIdentifier.Value), Issuer: string(r.Subject.NameIdentifier.NameQualifier)},
				Identification: []saml.Statement{{Name: "n"}}}
			for _, d := range r.Designators() {
				q.Designators = append(q.Designators, saml.Statement{Name: string(d.Name), Namespace: string(d.Namespace)})
			}
			out, err := saml.AppendQuery(nil, &q, nil)
			if err != nil {
				t.Fatalf("what was read cannot be written: %v", err)
			}
			var back saml.Request
			if err := saml.ParseRequest(parse(t, string(out)), &back); err != nil {
				t.Fatal(err)
			}
			if string(back.RequestID) != q.RequestID || string(back.Subject.NameIdentifier.Value) != q.Subject.Subject || len(back.Designators()) != len(q.Designators) {
				t.Fatal("what was written is not read back")
			}
			for i, d := range back.Designators() {
				if string(d.Name) != q.Designators[i].Name || string(d.Namespace) != q.Designators[i].Namespace {
					t.Fatal("a designator is not read back")
				}
			}
		})
	})
}

// FuzzParseAssertion likewise.
func FuzzParseAssertion(f *testing.F) {
	seeds(f)
	s := signer(f, &testpki.Load().STSP256)
	var used saml.Assertion
	f.Fuzz(func(t *testing.T, text []byte) {
		each(text, nsSAML, "Assertion", func(n xmltext.Node) {
			var a saml.Assertion
			err, again := saml.ParseAssertion(n, &a), saml.ParseAssertion(n, &used)
			if (err == nil) != (again == nil) {
				t.Fatalf("a used Assertion reads otherwise: %v, %v", err, again)
			}
			if err != nil {
				typed(t, err)
				if !a.Node.IsZero() || a.AssertionID != nil || a.HasAttributes || a.Authenticated || len(a.Attributes()) != 0 || len(a.Conditions.Audiences) != 0 {
					t.Fatal("something is left with an error")
				}
				return
			}
			if len(a.Attributes()) != len(used.Attributes()) || string(a.Issuer) != string(used.Issuer) || len(a.Conditions.Audiences) != len(used.Conditions.Audiences) {
				t.Fatal("a used Assertion reads otherwise")
			}
			if !a.HasAttributes || a.IssueInstant.Year() < 1 || a.IssueInstant.Year() > 9999 {
				return
			}
			i := saml.Issue{AssertionID: string(a.AssertionID), Issuer: string(a.Issuer), IssueInstant: a.IssueInstant, NotBefore: a.IssueInstant, NotOnOrAfter: a.IssueInstant,
				Subject: saml.Name{Subject: string(a.AttributeSubject.NameIdentifier.Value), Issuer: string(a.AttributeSubject.NameIdentifier.NameQualifier)}}
			for _, d := range a.Attributes() {
				w := saml.Statement{Name: string(d.Name), Namespace: string(d.Namespace)}
				for _, v := range d.Values {
					w.Values = append(w.Values, string(v))
				}
				i.Attributes = append(i.Attributes, w)
			}
			out, err := saml.AppendAssertion(nil, &i, s)
			if err != nil {
				t.Fatalf("what was read cannot be written: %v", err)
			}
			var back saml.Assertion
			if err := saml.ParseAssertion(parse(t, string(out)), &back); err != nil {
				t.Fatal(err)
			}
			same(t, &back, &i)
		})
	})
}

// FuzzParseResponse: success is said in the protocol namespace only, and there is one
// assertion at most.
func FuzzParseResponse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		each(text, nsSAMLP, "Response", func(n xmltext.Node) {
			var r saml.Response
			if err := saml.ParseResponse(n, &r); err != nil {
				typed(t, err)
				if !reflect.DeepEqual(r, saml.Response{}) {
					t.Fatal("something is left with an error")
				}
				return
			}
			if r.Success != (string(r.Code) == "Success") || !xmltext.IsNCName(r.Code) {
				t.Fatalf("code %q, success %v", r.Code, r.Success)
			}
			assertions := 0
			for c := n.FirstElement(); !c.IsZero(); c = c.NextElement() {
				if c.Is(nsSAML, "Assertion") {
					assertions++
				}
			}
			if assertions > 1 || (assertions == 1) == r.Assertion.IsZero() || !r.Assertion.IsZero() && r.Assertion.Parent() != n {
				t.Fatalf("%d assertions", assertions)
			}
			var w saml.Writer
			saml.OpenResponse(&w, "_r", string(r.InResponseTo), testpki.Now(), &saml.Status{Code: string(r.Code), SubCode: string(r.SubCode), Message: string(r.Message)})
			saml.CloseResponse(&w)
			if w.Err() != nil {
				t.Fatal(w.Err())
			}
			var back saml.Response
			if err := saml.ParseResponse(parse(t, string(w.Out)), &back); err != nil {
				t.Fatal(err)
			}
			if string(back.Code) != string(r.Code) || string(back.SubCode) != string(r.SubCode) || string(back.Message) != string(r.Message) || string(back.InResponseTo) != string(r.InResponseTo) {
				t.Fatal("what was written is not read back")
			}
		})
	})
}
