package attack_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/internal/attack"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/soap"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

func request(t testing.TB, holder testpki.Leaf) []byte {
	t.Helper()
	signer, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: holder.Key})
	if err != nil {
		t.Fatal(err)
	}
	q := saml.Query{
		RequestID: "request-1", AssertionID: "assertion-1", IssueInstant: testpki.Now(), Issuer: "CN=Alice",
		Subject:   saml.Name{Subject: "CN=Alice", Issuer: "CN=CA"},
		NotBefore: testpki.Now(), NotOnOrAfter: testpki.Now().Add(time.Hour), Holder: holder.DER,
		Identification: []saml.Statement{{Name: "urn:be:fgov:person:ssin", Namespace: "urn:be:fgov:identification-namespace", Values: []string{testpki.AliceSSIN}}},
		Designators:    []saml.Statement{{Name: "urn:be:fgov:person:ssin:doctor:boolean", Namespace: "urn:be:fgov:certified-namespace:ehealth"}},
	}
	out, err := saml.AppendQuery(nil, &q, signer)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func assertion(t testing.TB, sts, holder testpki.Leaf) []byte {
	t.Helper()
	signer, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: sts.Key})
	if err != nil {
		t.Fatal(err)
	}
	out, err := saml.AppendAssertion(nil, &saml.Issue{
		AssertionID: "_assertion", Issuer: "urn:be:fgov:ehealth:sts:1_0", IssueInstant: testpki.Now(),
		NotBefore: testpki.Now(), NotOnOrAfter: testpki.Now().Add(time.Hour), Subject: saml.Name{Subject: "CN=Alice", Issuer: "CN=CA"}, Holder: holder.DER,
		Attributes: []saml.Statement{{Name: "urn:be:fgov:person:ssin", Namespace: "urn:be:fgov:identification-namespace", Values: []string{testpki.AliceSSIN}}},
	}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func message(t testing.TB, leaf testpki.Leaf, content, assertion []byte) []byte {
	t.Helper()
	o := soap.Outgoing{Content: content, Created: testpki.Now(), Expires: testpki.Now().Add(time.Minute), BodyID: "id-1"}
	if assertion == nil {
		o.Certificate = leaf.DER
	} else {
		o.Assertion, o.AssertionID = assertion, "_assertion"
	}
	signer, err := soap.NewMessageSigner(xmlsec.SignerConfig{Key: leaf.Key}, o.AssertionID)
	if err != nil {
		t.Fatal(err)
	}
	out, err := o.Append(nil, signer)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func check(t *testing.T, variants []attack.Variant, original []byte, key crypto.PublicKey, least int) {
	t.Helper()
	if len(variants) < least {
		t.Errorf("%d variants, want %d or more", len(variants), least)
	}
	seen := map[string]bool{}
	for _, v := range variants {
		t.Run(v.Name, func(t *testing.T) {
			if seen[v.Name] || !strings.HasPrefix(v.Name, v.ID+" ") || v.Gain == "" {
				t.Errorf("name or gain: %+v", v)
			}
			seen[v.Name] = true
			if bytes.Equal(v.Message, original) {
				t.Error("the variant is the original")
			}
			// Well-formed, but for the clash of identifiers that W13 and W15 are about.
			d, err := xmltext.Parse(append(append([]byte("<frame>"), v.Message...), "</frame>"...), xmltext.DefaultLimits())
			var syntax *xmltext.SyntaxError
			switch {
			case err == nil:
				d.Release()
			case errors.As(err, &syntax) && syntax.Reason == xmltext.DuplicateID:
			default:
				t.Errorf("ill-formed: %v\n%s", err, v.Message)
			}
			if err := naiveVerify(v.Message, key); (err == nil) != v.Holds {
				t.Errorf("the naive verifier says %v, Holds is %v\n%s", err, v.Holds, v.Message)
			}
		})
	}
}

func TestOriginalsVerify(t *testing.T) {
	pki := testpki.Load()
	r := request(t, pki.AliceEHealth)
	if err := naiveVerify(r, pki.AliceEHealth.Key.Public()); err != nil {
		t.Errorf("request: %v", err)
	}
	if err := naiveVerify(message(t, pki.AliceEID, r, nil), pki.AliceEID.Key.Public()); err != nil {
		t.Errorf("message: %v", err)
	}
}

func TestEnveloped(t *testing.T) {
	pki := testpki.Load()
	for name, holder := range map[string]testpki.Leaf{"RSA": pki.AliceEHealth, "P-256": pki.AliceEHealthP256} {
		r := request(t, holder)
		t.Run(name+" request alone", func(t *testing.T) {
			all, err := attack.Enveloped(r)
			if err != nil {
				t.Fatal(err)
			}
			check(t, all, r, holder.Key.Public(), 45)
		})
		t.Run(name+" request in a message", func(t *testing.T) {
			m := message(t, pki.AliceEID, r, nil)
			all, err := attack.Enveloped(m)
			if err != nil {
				t.Fatal(err)
			}
			check(t, all, m, holder.Key.Public(), 45)
		})
	}
	t.Run("assertion in a response", func(t *testing.T) {
		var w saml.Writer
		saml.OpenResponse(&w, "_r", "request-1", testpki.Now(), &saml.Status{Code: "Success"})
		w.Out = append(w.Out, assertion(t, pki.STS, pki.AliceEHealth)...)
		saml.CloseResponse(&w)
		all, err := attack.Enveloped(w.Out)
		if err != nil {
			t.Fatal(err)
		}
		check(t, all, w.Out, pki.STS.Key.Public(), 45)
		ids := map[string]bool{}
		for _, v := range all {
			ids[v.ID] = true
		}
		for i := 1; i <= 8; i++ {
			if !ids[fmt.Sprintf("W%d", i)] {
				t.Errorf("no XSW %d", i)
			}
		}
	})
	t.Run("assertion in a message", func(t *testing.T) {
		m := message(t, pki.AliceEHealth, []byte(`<e:a xmlns:e="urn:e"/>`), assertion(t, pki.STS, pki.AliceEHealth))
		all, err := attack.Enveloped(m)
		if err != nil {
			t.Fatal(err)
		}
		check(t, all, m, pki.STS.Key.Public(), 45)
	})
	t.Run("nothing enveloped", func(t *testing.T) {
		if _, err := attack.Enveloped([]byte("<a/>")); err == nil {
			t.Error("no error")
		}
	})
}

func TestMessage(t *testing.T) {
	pki := testpki.Load()
	t.Run("certificate", func(t *testing.T) {
		m := message(t, pki.AliceEIDP256, request(t, pki.AliceEHealth), nil)
		all, err := attack.Message(m)
		if err != nil {
			t.Fatal(err)
		}
		check(t, all, m, pki.AliceEIDP256.Key.Public(), 110)
		ids := map[string]bool{}
		for _, v := range all {
			ids[v.ID] = true
		}
		for _, id := range strings.Fields("W9 W10 W11 W12 W13 W14 W16 W18 W19 W20 W21 W24 T1 T2 T3") {
			if !ids[id] {
				t.Errorf("no %s", id)
			}
		}
	})
	t.Run("assertion", func(t *testing.T) {
		m := message(t, pki.AliceEHealth, []byte(`<e:a xmlns:e="urn:e">text</e:a>`), assertion(t, pki.STS, pki.AliceEHealth))
		all, err := attack.Message(m)
		if err != nil {
			t.Fatal(err)
		}
		check(t, all, m, pki.AliceEHealth.Key.Public(), 95)
	})
	t.Run("no message", func(t *testing.T) {
		if _, err := attack.Message([]byte("<a/>")); err == nil {
			t.Error("no error")
		}
	})
}

// TestSamples attacks the messages that real clients send.
func TestSamples(t *testing.T) {
	root := os.Getenv("SCEAU_SHARED")
	if root == "" {
		t.Skip("SCEAU_SHARED is not set: the shared samples are not at hand")
	}
	folder := filepath.Join(root, "samples", "ehealth")
	for file, keys := range map[string][2]string{ // header, inner
		"connector-saml11-request-eid-hok-sha256.xml":                      {"eid", "hok"},
		"connector402-saml11-request-eid-hok-header-sha256-inner-sha1.xml": {"eid", "hok"},
		"connector-saml11-request-eid-hok-sha1.xml":                        {"eid", "hok"},
		"connector-saml11-request-fallback-samecert-sha256.xml":            {"hok", ""},
		"wsp-call-saml-hok-sha256.xml":                                     {"hok", "sts"},
	} {
		t.Run(file, func(t *testing.T) {
			m, err := os.ReadFile(filepath.Join(folder, file))
			if err != nil {
				t.Fatal(err)
			}
			all, err := attack.Message(m)
			if err != nil {
				t.Fatal(err)
			}
			check(t, all, m, sampleKey(t, folder, keys[0]), 95)
			if keys[1] == "" {
				return
			}
			if all, err = attack.Enveloped(m); err != nil {
				t.Fatal(err)
			}
			check(t, all, m, sampleKey(t, folder, keys[1]), 45)
		})
	}
}

func TestSeal(t *testing.T) {
	pki := testpki.Load()
	for _, content := range []string{"<a/>", "<a/><b/>", "text"} {
		m, err := attack.Seal([]byte(content), pki.BobEID.DER, pki.BobEID.Key, testpki.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := naiveVerify(m, pki.BobEID.Key.Public()); err != nil {
			t.Error(err)
		}
		if !bytes.Contains(m, []byte(content)) {
			t.Errorf("%q is not in the message", content)
		}
	}
}

func sampleKey(t testing.TB, folder, name string) crypto.PublicKey {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "pki", name+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate.PublicKey
}
