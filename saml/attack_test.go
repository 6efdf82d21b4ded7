package saml_test

import (
	"bytes"
	"crypto"
	"errors"
	"testing"

	"sceau/internal/attack"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// signs reports whether the signature that stands in a parsed element signs just that
// element: the question that an STS and a client ask.
func signs(signature, element xmltext.Node, key crypto.PublicKey) error {
	if signature.IsZero() {
		return errors.New("no signature")
	}
	s, err := xmlsec.ParseSignature(signature)
	if err != nil {
		return err
	}
	policy := xmlsec.DefaultPolicy()
	v, err := s.Verify(key, &policy)
	if err != nil {
		return err
	}
	if !v.Signs(element) {
		return errors.New("another element is signed")
	}
	return nil
}

// TestRequestAttacks sends XSW 1 to 8 and the like as the content of a Body.
func TestRequestAttacks(t *testing.T) {
	leaf := &testpki.Load().AliceEHealthP256
	request, err := saml.AppendQuery(nil, wish(), signer(t, leaf))
	if err != nil {
		t.Fatal(err)
	}
	judge := func(content []byte) error {
		d, err := xmltext.Parse(bytes.Join([][]byte{[]byte("<Body>"), content, []byte("</Body>")}, nil), xmltext.DefaultLimits())
		if err != nil {
			return err
		}
		defer d.Release()
		n := d.Root().FirstElement()
		if !n.NextElement().IsZero() || !d.Root().OnlyElements() {
			return errors.New("not one element in the Body") // package soap refuses it
		}
		var r saml.Request
		if err := saml.ParseRequest(n, &r); err != nil {
			return err
		}
		return signs(r.Signature, r.Node, leaf.Key.Public())
	}
	if err := judge(request); err != nil {
		t.Fatal(err)
	}
	variants, err := attack.Enveloped(request)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range variants {
		t.Run(v.Name, func(t *testing.T) {
			if judge(v.Message) == nil {
				t.Errorf("admitted: %s\n%s", v.Gain, v.Message)
			}
		})
	}
}

// TestResponseAttacks sends the same to a client, as the answer of an STS.
func TestResponseAttacks(t *testing.T) {
	leaf := &testpki.Load().STSP256
	var w saml.Writer
	saml.OpenResponse(&w, "_r", "request-1", testpki.Now(), &saml.Status{Code: "Success"})
	out, err := saml.AppendAssertion(w.Out, issue(), signer(t, leaf))
	if err != nil {
		t.Fatal(err)
	}
	w.Out = out
	saml.CloseResponse(&w)
	judge := func(text []byte) error {
		d, err := xmltext.Parse(text, xmltext.DefaultLimits())
		if err != nil {
			return err
		}
		defer d.Release()
		var r saml.Response
		if err := saml.ParseResponse(d.Root(), &r); err != nil {
			return err
		}
		var a saml.Assertion
		if err := saml.ParseAssertion(r.Assertion, &a); err != nil {
			return err
		}
		return signs(a.Signature, a.Node, leaf.Key.Public())
	}
	if err := judge(w.Out); err != nil {
		t.Fatal(err)
	}
	variants, err := attack.Enveloped(w.Out)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range variants {
		t.Run(v.Name, func(t *testing.T) {
			if judge(v.Message) == nil {
				t.Errorf("admitted: %s\n%s", v.Gain, v.Message)
			}
		})
	}
}
