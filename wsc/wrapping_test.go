package wsc_test

import (
	"bytes"
	"strings"
	"testing"

	"sceau/certs/certstest"
	"sceau/internal/testpki"
	"sceau/wsc"
)

// parts are what signature wrapping is made of: the assertion that the STS signed,
// taken apart, and an evil one that says somebody else's number.
type parts struct {
	whole     string // signed
	bare      string // without its signature
	signature string
	evil      string // other AssertionID, other value, no signature
	evilSame  string // the same with the AssertionID of the signed one
}

const evilID = "_evil"

func takeApart(t *testing.T, assertion []byte) parts {
	t.Helper()
	whole := string(assertion)
	from, to := strings.Index(whole, "<ds:Signature "), strings.LastIndex(whole, "</Assertion>")
	if from < 0 || to < from {
		t.Fatal("no signature to take out")
	}
	p := parts{whole: whole, bare: whole[:from] + whole[to:], signature: whole[from:to]}
	p.evilSame = strings.Replace(p.bare, testpki.AliceNIHII, "19999024999", 1)
	p.evil = strings.Replace(p.evilSame, `AssertionID="_0123456789abcdef0123456789abcdef"`, `AssertionID="`+evilID+`"`, 1)
	if p.evil == p.evilSame || p.evilSame == p.bare {
		t.Fatal("nothing evil about it")
	}
	return p
}

// inside puts content before the end tag of an assertion.
func inside(assertion, content string) string {
	return strings.TrimSuffix(assertion, "</Assertion>") + content + "</Assertion>"
}

// object is the signature with a ds:Object that holds content.
func (p *parts) object(content string) string {
	return strings.Replace(p.signature, "</ds:Signature>", "<ds:Object>"+content+"</ds:Object></ds:Signature>", 1)
}

func TestSignatureWrapping(t *testing.T) {
	response := func(m *made, assertions string) string {
		m.assertion = []byte(assertions)
		return string(m.response())
	}
	tests := []struct {
		name, achieves string
		answer         func(m *made, p parts) string // the content of Body
		want           wsc.Reason
	}{
		{"W1 signed response inside the signature of an evil one", "the evil assertion is read, the signed response satisfies the reference",
			func(m *made, p parts) string {
				m.id = "_original"
				original := response(m, p.whole)
				m.id = "_response"
				return response(m, inside(p.evil, p.object(original)))
			}, wsc.SeveralAssertions},
		{"W2 signed response beside the signature", "a detached signature vouches for an element that nobody reads",
			func(m *made, p parts) string {
				m.id = "_original"
				original := response(m, p.bare)
				m.id = "_response"
				return response(m, inside(p.evil, p.signature+original))
			}, wsc.SeveralAssertions},
		{"W3 evil assertion before the signed one", "the first assertion is read, the second is verified",
			func(m *made, p parts) string { return response(m, p.evil+p.whole) }, wsc.SeveralAssertions},
		{"W3 evil assertion after the signed one", "the last assertion is read, the first is verified",
			func(m *made, p parts) string { return response(m, p.whole+p.evil) }, wsc.SeveralAssertions},
		{"W4 signed assertion inside the evil one", "the outer assertion is read, the inner is verified",
			func(m *made, p parts) string { return response(m, inside(p.evil, p.whole)) }, wsc.SeveralAssertions},
		{"W5 evil assertion with the signature, signed one behind", "the signature stands in the evil assertion and refers to the other",
			func(m *made, p parts) string { return response(m, inside(p.evil, p.signature)+p.bare) }, wsc.SeveralAssertions},
		{"W6 signed assertion inside the signature of the evil one", "as W5, with the signed one out of sight",
			func(m *made, p parts) string {
				return response(m, inside(p.evil, strings.Replace(p.signature, "</ds:Signature>", p.bare+"</ds:Signature>", 1)))
			}, wsc.SeveralAssertions},
		{"W7 signed assertion in Extensions", "an element of any content hides the signed assertion",
			func(m *made, p parts) string {
				return response(m, inside(p.evil, p.signature)+`<samlp:Extensions>`+p.bare+`</samlp:Extensions>`)
			}, wsc.SeveralAssertions},
		{"W8 signed assertion in a ds:Object", "the schema lets an Object hold anything",
			func(m *made, p parts) string { return response(m, inside(p.evil, p.object(p.bare))) }, wsc.SeveralAssertions},
		{"W8 signed assertion renamed in a ds:Object", "counting elements by name finds only one assertion",
			func(m *made, p parts) string {
				return response(m, inside(p.evil, p.object(`<x ID="_0123456789abcdef0123456789abcdef"/>`)))
			}, wsc.BadSignature},
		{"W13 evil assertion with the identifier of the signed one", "which of the two is found depends on the reader",
			func(m *made, p parts) string { return response(m, p.evilSame+p.whole) }, wsc.NotXML},
		{"W15 the signed assertion twice", "one copy is verified, the other altered later",
			func(m *made, p parts) string { return response(m, p.whole+p.whole) }, wsc.NotXML},
		{"W15 signed assertion in StatusDetail", "the verified one is not the one in its place",
			func(m *made, p parts) string {
				return strings.Replace(response(m, inside(p.evil, p.signature)), "</samlp:Status>", "<samlp:StatusDetail>"+p.bare+"</samlp:StatusDetail></samlp:Status>", 1)
			}, wsc.SeveralAssertions},
		{"W16 second assertion of another namespace", "a reader that goes by local names takes it",
			func(m *made, p parts) string {
				return response(m, p.whole+`<a:Assertion xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion"/>`)
			}, wsc.SeveralAssertions},
		{"W17 signature in Response, referring to the assertion", "the place of the signature lends it the scope of the response",
			func(m *made, p parts) string {
				return strings.Replace(response(m, p.bare), "<samlp:Status>", p.signature+"<samlp:Status>", 1)
			}, wsc.NotResponse},
		{"W17 signature behind the assertion", "as above",
			func(m *made, p parts) string { return response(m, p.bare+p.signature) }, wsc.NotResponse},
		{"W17 signature in a statement of the assertion", "a signature anywhere inside is found by a search",
			func(m *made, p parts) string {
				return response(m, strings.Replace(p.bare, "</AttributeStatement>", p.signature+"</AttributeStatement>", 1))
			}, wsc.BadAssertion},
		{"W19 reference to another element", "the signature verifies, but signs something else",
			func(m *made, p parts) string {
				return response(m, strings.Replace(p.whole, `AssertionID="_0123456789abcdef0123456789abcdef"`, `AssertionID="`+evilID+`"`, 1))
			}, wsc.BadSignature},
		{"W21 signature taken out", "what is not signed is not verified, and passes",
			func(m *made, p parts) string { return response(m, p.bare) }, wsc.NotSigned},
		{"W21 empty SignatureValue", "an empty value compares equal to an empty value",
			func(m *made, p parts) string {
				from := strings.Index(p.whole, "<ds:SignatureValue>") + len("<ds:SignatureValue>")
				return response(m, p.whole[:from]+p.whole[strings.Index(p.whole, "</ds:SignatureValue>"):])
			}, wsc.BadSignature},
		{"altered value", "the holder becomes another doctor",
			func(m *made, p parts) string {
				return response(m, strings.Replace(p.whole, testpki.AliceNIHII, "19999024999", 1))
			}, wsc.BadSignature},
		{"D1 comment in a value", "a naive reader of the token takes the part before the comment",
			func(m *made, p parts) string {
				return response(m, strings.Replace(p.whole, testpki.AliceNIHII, testpki.AliceNIHII[:8]+"<!---->"+testpki.AliceNIHII[8:], 1))
			}, wsc.HasComment},
	}
	verifier := certstest.Verifier(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sts := newSTSWith(t, verifier)
			sts.respond = func(m *made) []byte {
				return m.envelope([]byte(test.answer(m, takeApart(t, m.assertion))))
			}
			refused(t, sts, test.want)
		})
	}
	t.Run("W9 signed assertion in the header of the message", func(t *testing.T) { // an evil one in the Body would be read
		sts := newSTS(t)
		sts.respond = func(m *made) []byte {
			p := takeApart(t, m.assertion)
			m.assertion = []byte(inside(p.evil, p.signature))
			return bytes.Replace(m.envelope(m.response()), []byte("<soapenv:Body>"),
				[]byte("<soapenv:Header><h>"+p.bare+"</h></soapenv:Header><soapenv:Body>"), 1)
		}
		refused(t, sts, wsc.SeveralAssertions)
	})
}

// refused asks for a token and wants the answer to be refused for one reason, with
// nothing else returned.
func refused(t *testing.T, sts *fakeSTS, want wsc.Reason) {
	t.Helper()
	token, err := clientOf(t, trusting(sts.verifier)).Token(t.Context(), sts.URL, alice(t), doctorRequest())
	if token != nil {
		t.Error("a token beside the error")
	}
	if got := wsc.ReasonOf(err); got != want {
		t.Errorf("refused with %q (%v), want %q", got, err, want)
	}
}
