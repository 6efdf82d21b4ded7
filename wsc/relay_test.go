package wsc_test

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"

	"sceau/internal/testpki"
	"sceau/soap"
	"sceau/wsc"
	"sceau/xmlsec/xmltext"
)

const oldMessage = `<?xml version="1.0"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:w="urn:w" xmlns:q="urn:q" xmlns="urn:d">
 <s:Header><w:To s:mustUnderstand="0">x</w:To><From>y</From></s:Header>
 <s:Body Id="old"><q:Ask><Sub w:a="1"/></q:Ask></s:Body></s:Envelope>`

// What an old client sends arrives signed, its body element and header blocks as it
// wrote them.
func TestRelay(t *testing.T) {
	pki := testpki.Load()
	token := tokenOf(t, alice(t))
	s, url := newService(t, &pki.AliceEHealth)
	const answer = `<e:Envelope xmlns:e="` + soap.NamespaceEnvelope + `"><e:Body><Done xmlns="urn:q"/></e:Body></e:Envelope>`
	var header []byte
	s.answer = func(body xmltext.Node) string {
		if !body.Is("urn:q", "Ask") || !body.FirstElement().Is("urn:d", "Sub") {
			t.Errorf("body %s", body.Source())
		}
		header = bytes.Clone(body.Document().Root().FirstElement().Source())
		return answer
	}
	got, err := clientOf(t, nil).Relay(t.Context(), url, "urn:q:Ask", token, []byte(oldMessage))
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != 200 || string(got.Body) != answer || got.ContentType != "text/xml" || s.action != `"urn:q:Ask"` {
		t.Errorf("%+v, action %s", got, s.action)
	}
	if _, ok := got.Fault(); ok {
		t.Error("a fault")
	}
	if !bytes.Contains(header, []byte(`>x</w:To>`)) || !bytes.Contains(header, []byte(`>y</From></soapenv:Header>`)) {
		t.Errorf("header %s", header)
	}

	s.code = 500
	s.answer = func(xmltext.Node) string {
		return string(soap.AppendFault(nil, soap.Fault{Code: soap.FaultServer, SOA: soap.SOATemporarily}))
	}
	got, err = clientOf(t, nil).Relay(t.Context(), url, "", token, []byte(oldMessage))
	if err != nil || got.Status != 500 {
		t.Fatalf("%+v, %v", got, err)
	}
	if fault, ok := got.Fault(); !ok || fault.SOACode != "SOA-02002" {
		t.Errorf("%+v", fault)
	}
}

func TestSecureRefuses(t *testing.T) {
	token := tokenOf(t, alice(t))
	client := clientOf(t, nil)
	edit := func(old, new string) string {
		if !strings.Contains(oldMessage, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(oldMessage, old, new, 1)
	}
	for name, message := range map[string]string{
		"nothing":                 "",
		"no envelope":             "<a/>",
		"SOAP 1.2":                strings.Replace(oldMessage, "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope", 1),
		"a security header":       edit("<From>", `<o:Security xmlns:o="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"/><From>`),
		"two elements in Body":    edit("</q:Ask>", "</q:Ask><q:Ask/>"),
		"empty Body":              edit("<q:Ask><Sub w:a=\"1\"/></q:Ask>", ""),
		"text in Body":            edit("<q:Ask>", "text<q:Ask>"),
		"two bodies":              edit("</s:Body>", "</s:Body><s:Body/>"),
		"encoded":                 edit(`<s:Body Id="old">`, `<s:Body s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">`),
		"an identifier of ours":   edit("<From>", `<From Id="TS-1">`),
		"a document type":         "<!DOCTYPE a>" + oldMessage[strings.Index(oldMessage, "<s:"):],
		"an undeclared prefix":    edit("<From>", "<From z:a='1'>"),
		"body before header":      edit("<s:Header>", "<s:Body/><s:Header>"),
		"an identifier of a body": edit("<q:Ask>", `<q:Ask Id="TS-1">`),
	} {
		if out, err := client.Secure("", token, []byte(message)); out != nil || wsc.ReasonOf(err) != wsc.BadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	if out, err := client.Secure("", nil, []byte(oldMessage)); out != nil || wsc.ReasonOf(err) != wsc.BadRequest {
		t.Errorf("no token: %v", err)
	}
}

// A session calls the next endpoint when the one before did nothing with the message, and
// never sends a message twice to services that may have.
func TestSessionCall(t *testing.T) {
	pki := testpki.Load()
	r := newRig(t, sharedTrust(t))
	calls, err := wsc.NewClient(wsc.Config{Trust: r.trust, Now: r.now})
	if err != nil {
		t.Fatal(err)
	}
	defer calls.Close()
	sts := newSTSWith(t, r.trust)
	sts.now = r.truth
	session, err := wsc.NewSession(wsc.SessionConfig{Client: calls, Endpoints: []string{sts.URL}, Credentials: []*wsc.Credentials{fast(t)}, Request: *doctorRequest(), Lazy: true})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	dead := httptest.NewServer(nil)
	dead.Close()
	good, goodURL := newService(t, &pki.AliceEHealthP256)
	good.answer = func(xmltext.Node) string {
		return string(soap.AppendClose(append(soap.AppendOpen(nil), `<Done xmlns="urn:q"/>`...)))
	}
	said := func(code soap.SOACode) string {
		s, url := newService(t, &pki.AliceEHealthP256)
		s.code = 500
		s.answer = func(xmltext.Node) string {
			return string(soap.AppendFault(nil, soap.Fault{Code: soap.FaultServer, SOA: code}))
		}
		return url
	}
	body := []byte(`<Ask xmlns="urn:q"/>`)
	tests := []struct {
		name string
		urls []string
		want bool
	}{
		{"one", []string{goodURL}, true},
		{"the first is dead", []string{dead.URL, goodURL}, true},
		{"the first is away", []string{said(soap.SOATemporarily), goodURL}, true},
		{"the first is a stranger", []string{said(soap.SOANotAuthenticated), goodURL}, true},
		{"the first failed at work", []string{said(soap.SOAServiceError), goodURL}, false},
		{"the first refused the content", []string{said(soap.SOAContent), goodURL}, false},
		{"all away", []string{dead.URL, said(soap.SOANotAvailable)}, false},
		{"none", nil, false},
	}
	for _, test := range tests {
		answer, err := session.Call(t.Context(), test.urls, "urn:q:Ask", body)
		if (err == nil) != test.want || (answer != nil) != test.want {
			t.Errorf("%s: %s, %v", test.name, answer, err)
		}
		relayed, err := session.Relay(t.Context(), test.urls, "urn:q:Ask", []byte(oldMessage))
		switch {
		case test.want && (err != nil || relayed.Status != 200):
			t.Errorf("%s: %+v, %v", test.name, relayed, err)
		case !test.want && err == nil && relayed.Status != 500: // the fault is the client's to read
			t.Errorf("%s: %+v", test.name, relayed)
		}
	}
}
