package judge_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"sceau/internal/judge"
)

const (
	dsig        = "http://www.w3.org/2000/09/xmldsig#"
	exclusive   = "http://www.w3.org/2001/10/xml-exc-c14n#"
	ecdsaSHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
	sha256      = "http://www.w3.org/2001/04/xmlenc#sha256"
)

// A judge that says yes to everything would let every comparison pass: each is
// shown to say no.
func TestWellFormedSaysNo(t *testing.T) {
	answers := judge.WellFormed(t, [][]byte{
		[]byte(`<a/>`),
		[]byte(`<a>`),
		[]byte(`<a x:b=""/>`),
		[]byte("<a>\x00</a>"),
		[]byte(`<a xmlns:x="relative"/>`),
	})
	for i, want := range []bool{true, false, false, false, true} {
		if got := len(answers[i]) == 0; got != want {
			t.Errorf("document %d: %q", i, answers[i])
		}
	}
}

func TestExclusive(t *testing.T) {
	got, ok := judge.Exclusive(t, []byte(`<a  y='1' x="2" xmlns:p="urn:p"><b/></a>`))
	if !ok || string(got) != `<a x="2" y="1"><b></b></a>` {
		t.Errorf("%v %s", ok, got)
	}
	if _, ok := judge.Exclusive(t, []byte(`<a xmlns:p="relative"/>`)); ok {
		t.Error("a form of a relative namespace name")
	}
}

func key(t *testing.T) (privateDER, publicDER, privatePEM, publicPEM []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if privateDER, err = x509.MarshalPKCS8PrivateKey(k); err != nil {
		t.Fatal(err)
	}
	if publicDER, err = x509.MarshalPKIXPublicKey(&k.PublicKey); err != nil {
		t.Fatal(err)
	}
	return privateDER, publicDER, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: privateDER}),
		pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER})
}

func TestSignatures(t *testing.T) {
	privateDER, publicDER, privatePEM, publicPEM := key(t)
	_, otherDER, _, otherPEM := key(t)
	ids := []judge.ID{{Attribute: "ID", Namespace: "urn:a", Element: "a"}}

	template := `<a xmlns="urn:a" ID="i"><b>x</b><Signature xmlns="` + dsig + `"><SignedInfo><CanonicalizationMethod Algorithm="` + exclusive +
		`"/><SignatureMethod Algorithm="` + ecdsaSHA256 + `"/><Reference URI="#i"><Transforms><Transform Algorithm="` + dsig + `enveloped-signature"/><Transform Algorithm="` +
		exclusive + `"/></Transforms><DigestMethod Algorithm="` + sha256 + `"/><DigestValue/></Reference></SignedInfo><SignatureValue/></Signature></a>`
	theirs := judge.SignXMLSec(t, privatePEM, ids, [][]byte{[]byte(template)})[0]

	j := judge.JDK(t)
	made := j.Sign([]byte(`<a xmlns="urn:a" ID="i"><b>x</b></a>`), privateDER, "EC", ecdsaSHA256, "ds", "", 0,
		judge.JavaReference{ID: "i", Enveloped: true, Digest: sha256})
	c14n := j.Canonicalize([]byte(`<r xmlns:p="urn:p" xmlns="urn:d"><!--c--><a><b/>x</a></r>`), 1, 2, "p")
	j.Run()
	java, ok := j.Output(made)
	if !ok {
		t.Fatal(j.Answer(made))
	}
	if got, _ := j.Output(c14n); string(got) != `<a xmlns="urn:d" xmlns:p="urn:p">x</a>` {
		t.Errorf("canonical form: %s %s", j.Answer(c14n), got)
	}

	altered := []byte(strings.Replace(string(theirs), "<b>x", "<b>y", 1))
	documents := [][]byte{theirs, altered, []byte("<a"), java}
	for i, want := range []bool{true, false, false, true} {
		if got := judge.VerifyXMLSec(t, publicPEM, ids, "", documents)[i]; got != want {
			t.Errorf("xmlsec1, document %d: %v", i, got)
		}
	}
	if judge.VerifyXMLSec(t, otherPEM, ids, "", documents[:1])[0] {
		t.Error("xmlsec1: another key verifies")
	}
	j = judge.JDK(t)
	var questions []int
	for _, d := range documents {
		questions = append(questions, j.Verify(d, publicDER, 0))
	}
	other := j.Verify(theirs, otherDER, 0)
	j.Run()
	for i, want := range []bool{true, false, false, true} {
		if got := j.Answer(questions[i]) == "ok"; got != want {
			t.Errorf("JDK, document %d: %s", i, j.Answer(questions[i]))
		}
	}
	if j.Answer(other) == "ok" {
		t.Error("JDK: another key verifies")
	}
}
