package wsc_test

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sceau/internal/judge"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/soap"
	"sceau/wsc"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// A service is a provider of the tests: it verifies the call as the wire says
// (section 7) and hands body and answer on.
type service struct {
	t      *testing.T
	key    crypto.PublicKey // of the holder
	answer func(body xmltext.Node) string
	code   int
	action string
	token  []byte // the assertion as it arrived
}

func (s *service) Key(token *soap.Token) (crypto.PublicKey, error) {
	if token.Kind != soap.SAMLAssertion || token.KeyInfo.Selector != xmlsec.ByAssertionID {
		return nil, errWire
	}
	s.token = bytes.Clone(token.Node.Source())
	return s.key, nil
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	message, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	s.action = r.Header.Get("SOAPAction")
	envelope, err := soap.Parse(message, &soap.Config{Limits: xmltext.DefaultLimits()})
	if err != nil {
		s.t.Error(err)
		return
	}
	defer envelope.Release()
	signed, err := envelope.Verify(&soap.Policy{Signature: xmlsec.DefaultPolicy(), Timestamp: soap.DefaultTimestampPolicy(),
		Replay: soap.NewMemoryReplay(100), Tokens: []soap.TokenKind{soap.SAMLAssertion}}, s, testpki.Now())
	if err != nil {
		s.t.Error(err)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(s.code)
	fmt.Fprint(w, s.answer(signed.Body()))
}

func newService(t *testing.T, holder *testpki.Leaf) (*service, string) {
	s := &service{t: t, key: holder.Key.Public(), code: 200}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server.URL
}

func tokenOf(t *testing.T, credentials *wsc.Credentials) *wsc.Token {
	t.Helper()
	token, err := clientOf(t, nil).Token(t.Context(), newSTS(t).URL, credentials, doctorRequest())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestCall(t *testing.T) {
	pki := testpki.Load()
	for _, holder := range []*testpki.Leaf{&pki.AliceEHealth, &pki.AliceEHealthP256, &pki.AliceEHealthP384} {
		token := tokenOf(t, credentialsOf(t, wsc.ModeSession, &pki.AliceEID, holder))
		s, url := newService(t, holder)
		s.answer = func(body xmltext.Node) string {
			if !body.Is("urn:x", "Ask") {
				t.Errorf("body %s", body.Source())
			}
			return `<e:Envelope xmlns:e="` + soap.NamespaceEnvelope + `" xmlns:a="urn:a&amp;b" xmlns="urn:d"><e:Body xmlns:b="urn:b"><Answer b:x="1"><a:y/></Answer></e:Body></e:Envelope>`
		}
		answer, err := clientOf(t, nil).Call(t.Context(), url, "urn:x:Ask", token, []byte("<?xml version=\"1.0\"?>\n<Ask xmlns=\"urn:x\">é</Ask>\n"))
		if err != nil {
			t.Fatal(err)
		}
		if s.action != `"urn:x:Ask"` || !bytes.Equal(s.token, token.Assertion()) {
			t.Errorf("action %s; assertion as issued: %v", s.action, bytes.Equal(s.token, token.Assertion()))
		}
		want := `<Answer xmlns:b="urn:b" xmlns:e="` + soap.NamespaceEnvelope + `" xmlns:a="urn:a&amp;b" xmlns="urn:d" b:x="1"><a:y/></Answer>`
		if string(answer) != want {
			t.Errorf("answer %s", answer)
		}
		if document, err := xmltext.Parse(answer, xmltext.DefaultLimits()); err != nil || !document.Root().Is("urn:d", "Answer") {
			t.Errorf("the answer does not stand on its own: %v", err)
		}
	}
}

func TestCallRefused(t *testing.T) {
	pki := testpki.Load()
	token := tokenOf(t, alice(t))
	s, url := newService(t, &pki.AliceEHealth)
	body := []byte(`<x xmlns="urn:x"/>`)
	s.answer = func(xmltext.Node) string {
		return string(soap.AppendFault(nil, soap.Fault{Code: soap.FaultClient, SOA: soap.SOANotAuthorized, ID: "7", Business: true}))
	}
	s.code = 500
	answer, err := clientOf(t, nil).Call(t.Context(), url, "", token, body)
	var fault *wsc.Fault
	if answer != nil || !errors.As(err, &fault) || fault.SOACode != "SOA-01002" || fault.ID != "7" || fault.Retry {
		t.Errorf("%s, %v", answer, err)
	}

	s.code = 200
	for _, empty := range []string{"", string(soap.AppendClose(soap.AppendOpen(nil)))} { // one-way operations
		s.answer = func(xmltext.Node) string { return empty }
		if answer, err := clientOf(t, nil).Call(t.Context(), url, "urn:x", token, body); answer != nil || err != nil {
			t.Errorf("%s, %v", answer, err)
		}
	}

	s.answer = func(xmltext.Node) string { t.Error("something was sent"); return "" }
	later := clientOf(t, func(c *wsc.Config) { c.Now = func() time.Time { return token.NotOnOrAfter() } })
	earlier := clientOf(t, func(c *wsc.Config) { c.Now = func() time.Time { return token.NotBefore().Add(-6 * time.Minute) } })
	tests := []struct {
		name   string
		client *wsc.Client
		url    string
		action string
		token  *wsc.Token
		body   string
		want   wsc.Reason
	}{
		{"expired token", later, url, "", token, "<x/>", wsc.TokenNotValid},
		{"token of tomorrow", earlier, url, "", token, "<x/>", wsc.TokenNotValid},
		{"no token", later, url, "", nil, "<x/>", wsc.BadRequest},
		{"zero token", later, url, "", new(wsc.Token), "<x/>", wsc.BadRequest},
		{"body that is not XML", clientOf(t, nil), url, "", token, "x", wsc.BadRequest},
		{"body of two elements", clientOf(t, nil), url, "", token, "<x/><y/>", wsc.BadRequest},
		{"body with an undeclared prefix", clientOf(t, nil), url, "", token, "<a:x/>", wsc.BadRequest},
		{"body that ends the Body", clientOf(t, nil), url, "", token, "</soapenv:Body><soapenv:Body>", wsc.BadRequest},
		{"body with the identifier of ours (W13)", clientOf(t, nil), url, "", token, `<x Id="TS-1"/>`, wsc.BadRequest},
		{"action that breaks the header", clientOf(t, nil), url, "a\"\r\nX: y", token, "<x/>", wsc.BadRequest},
		{"plain http", clientOf(t, nil), "http://service.example", "", token, "<x/>", wsc.BadEndpoint},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			answer, err := test.client.Call(t.Context(), test.url, test.action, test.token, []byte(test.body))
			if answer != nil || wsc.ReasonOf(err) != test.want {
				t.Errorf("%v (%v)", wsc.ReasonOf(err), err)
			}
		})
	}
}

// A call verifies with xmlsec1: the message by the holder's key, the assertion in it
// by the STS's.
func TestCallWithXMLSec1(t *testing.T) {
	pki := testpki.Load()
	judge.Require(t, "xmlsec1")
	const wsu = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	ids := []judge.ID{
		{Attribute: "Id", Namespace: soap.NamespaceEnvelope, Element: "Body"},
		{Attribute: "Id", Namespace: wsu, Element: "Timestamp"},
		{Attribute: "AssertionID", Namespace: saml.NamespaceAssertion, Element: "Assertion"},
	}
	message, err := clientOf(t, nil).Sign("", tokenOf(t, alice(t)), []byte(`<x xmlns="urn:x">é</x>`))
	if err != nil {
		t.Fatal(err)
	}
	altered := bytes.Replace(message, []byte("é"), []byte("è"), 1)
	if got := judge.VerifyXMLSec(t, publicPEM(t, &pki.AliceEHealth), ids, "//*[local-name()='Security']/*[local-name()='Signature']", [][]byte{message, altered}); !got[0] || got[1] {
		t.Errorf("message: %v", got)
	}
	altered = bytes.Replace(message, []byte(testpki.AliceNIHII), []byte(strings.Repeat("1", 11)), 1)
	if got := judge.VerifyXMLSec(t, publicPEM(t, &pki.STS), ids, "//*[local-name()='Assertion']/*[local-name()='Signature']", [][]byte{message, altered}); !got[0] || got[1] {
		t.Errorf("assertion: %v", got)
	}
}
