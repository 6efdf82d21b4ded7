package wsc_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/internal/judge"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
	"sceau/wsc"
)

func TestModes(t *testing.T) {
	pki := testpki.Load()
	leaf := func(l *testpki.Leaf) *certs.Signer {
		if l == nil {
			return nil
		}
		return signerOf(t, l)
	}
	tests := []struct {
		name             string
		mode             wsc.Mode
		identity, holder *testpki.Leaf
		good             bool
		suggested        wsc.Mode // by ModeOf; zero: none fits
	}{
		{"session", wsc.ModeSession, &pki.AliceEID, &pki.AliceEHealth, true, wsc.ModeSession},
		{"session for an organisation", wsc.ModeSession, &pki.AliceEID, &pki.Organisation, true, wsc.ModeSession},
		{"session without holder", wsc.ModeSession, &pki.AliceEID, nil, false, wsc.ModeEIDOnly},
		{"session with two cards", wsc.ModeSession, &pki.AliceEID, &pki.BobEID, false, 0},
		{"session with the roles swapped (K8)", wsc.ModeSession, &pki.AliceEHealth, &pki.AliceEID, false, 0},
		{"session with eHealth certificates", wsc.ModeSession, &pki.AliceEHealth, &pki.Hospital, false, wsc.ModeFallback},
		{"eID only", wsc.ModeEIDOnly, &pki.FrankEID, nil, true, wsc.ModeEIDOnly},
		{"eID only, said twice", wsc.ModeEIDOnly, &pki.AliceEID, &pki.AliceEID, true, wsc.ModeEIDOnly},
		{"eID only with two cards of one person", wsc.ModeEIDOnly, &pki.AliceEID, &pki.AliceEIDP256, false, 0},
		{"eID only with an eHealth certificate", wsc.ModeEIDOnly, &pki.AliceEHealth, nil, false, wsc.ModeFallback},
		{"fallback", wsc.ModeFallback, &pki.AliceEHealth, nil, true, wsc.ModeFallback},
		{"fallback with a card", wsc.ModeFallback, &pki.AliceEID, &pki.AliceEHealth, false, wsc.ModeSession},
		{"a TLS server", wsc.ModeFallback, &pki.Server, nil, false, 0},
		{"no mode", 0, &pki.AliceEID, nil, false, wsc.ModeEIDOnly},
		{"unknown mode", 9, &pki.AliceEID, nil, false, wsc.ModeEIDOnly},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			identity, holder := leaf(test.identity), leaf(test.holder)
			c, err := wsc.NewCredentials(test.mode, identity, holder)
			if (err == nil) != test.good || err != nil && wsc.ReasonOf(err) != wsc.BadCredentials || err == nil && c.Mode() != test.mode {
				t.Errorf("%v", err)
			}
			var by *certs.Certificate
			if holder != nil {
				by = holder.Certificate()
			}
			mode, err := wsc.ModeOf(identity.Certificate(), by)
			if mode != test.suggested || (err == nil) != (mode != 0) {
				t.Errorf("ModeOf: %v, %v", mode, err)
			}
		})
	}
	for _, m := range []wsc.Mode{wsc.ModeSession, wsc.ModeEIDOnly, wsc.ModeFallback} {
		if got, err := wsc.ParseMode(m.String()); got != m || err != nil {
			t.Errorf("%v: %v %v", m, got, err)
		}
	}
	if _, err := wsc.ParseMode(""); err == nil {
		t.Error("an empty mode")
	}
	if _, err := wsc.NewCredentials(wsc.ModeSession, nil, nil); wsc.ReasonOf(err) != wsc.BadCredentials {
		t.Error("nobody")
	}
}

func TestIdentification(t *testing.T) {
	pki := testpki.Load()
	const prefix = "urn:be:fgov:ehealth:1.0:certificateholder:"
	unlisted := minipki.EHealth(minipki.Holder{Type: "NIHII-LABO", Value: "71999041", Name: "LAB"})
	ambiguous := minipki.EHealth(minipki.Holder{Type: "NIHII", Value: "71999041", Name: "X"})
	lab := pki.Issue(pki.EHealthCA, unlisted, pki.OtherKey())
	some := pki.Issue(pki.EHealthCA, ambiguous, pki.OtherKey())
	tests := []struct {
		name             string
		mode             wsc.Mode
		identity, holder *testpki.Leaf
		want             map[string]string
	}{
		{"session", wsc.ModeSession, &pki.AliceEID, &pki.BobEHealth, map[string]string{prefix + "person:ssin": testpki.BobSSIN, attrs.PersonSSIN: testpki.AliceSSIN}},
		{"hospital", wsc.ModeSession, &pki.BobEID, &pki.Hospital, map[string]string{prefix + "hospital:nihii-number": testpki.HospitalNIHII, attrs.PersonSSIN: testpki.BobSSIN}},
		{"organisation", wsc.ModeSession, &pki.BobEID, &pki.Organisation, map[string]string{prefix + "enterprise:cbe-number": testpki.OrganisationCBE, attrs.PersonSSIN: testpki.BobSSIN}},
		{"eID only", wsc.ModeEIDOnly, &pki.FrankEID, nil, map[string]string{prefix + "person:ssin": testpki.FrankSSIN, attrs.PersonSSIN: testpki.FrankSSIN}},
		{"fallback of an organisation", wsc.ModeFallback, &pki.Hospital, nil, map[string]string{prefix + "hospital:nihii-number": testpki.HospitalNIHII}},
		{"a type that no attribute has", wsc.ModeSession, &pki.AliceEID, &lab, map[string]string{attrs.PersonSSIN: testpki.AliceSSIN}},
		{"a type that several attributes have", wsc.ModeSession, &pki.AliceEID, &some, map[string]string{attrs.PersonSSIN: testpki.AliceSSIN}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := map[string]string{}
			for _, a := range credentialsOf(t, test.mode, test.identity, test.holder).Identification() {
				if a.Namespace != attrs.NamespaceIdentification || len(a.Values) != 1 {
					t.Errorf("%+v", a)
				}
				got[a.Name] = a.Values[0]
			}
			if len(got) != len(test.want) {
				t.Errorf("%v", got)
			}
			for name, value := range test.want {
				if got[name] != value {
					t.Errorf("%s = %q, want %q", name, got[name], value)
				}
			}
		})
	}
}

// What cannot be sent is refused before anything is sent.
func TestRequestRefused(t *testing.T) {
	pki := testpki.Load()
	sts := newSTS(t)
	sts.raw = func(http.ResponseWriter, *http.Request) { t.Error("something was sent") }
	hospital := attrs.Designator{Name: "urn:be:fgov:ehealth:1.0:hospital:nihii-number", Namespace: attrs.NamespaceIdentification}
	good := doctorRequest
	tests := []struct {
		name        string
		endpoint    string
		credentials *wsc.Credentials
		request     *wsc.Request
		config      func(*wsc.Config)
		want        wsc.Reason
	}{
		{"no trust", sts.URL, alice(t), good(), func(c *wsc.Config) { c.Trust = nil }, wsc.NoTrust},
		{"no credentials", sts.URL, nil, good(), nil, wsc.BadCredentials},
		{"zero credentials", sts.URL, new(wsc.Credentials), good(), nil, wsc.BadCredentials},
		{"certificate not valid any more", sts.URL, alice(t), good(), func(c *wsc.Config) {
			c.Now = func() time.Time { return testpki.NotAfter().Add(time.Hour) }
		}, wsc.BadCredentials},
		{"negative validity", sts.URL, alice(t), &wsc.Request{Attributes: good().Attributes, Validity: -1}, nil, wsc.BadRequest},
		{"identification attribute that no certificate bears", sts.URL, alice(t), &wsc.Request{Attributes: []attrs.Designator{hospital}}, nil, wsc.BadRequest},
		{"identification without value", sts.URL, alice(t), &wsc.Request{Identification: []wsc.Attribute{{Designator: hospital}}}, nil, wsc.BadRequest},
		{"identification with an empty value", sts.URL, alice(t), &wsc.Request{Identification: []wsc.Attribute{{Designator: hospital, Values: []string{""}}}}, nil, wsc.BadRequest},
		{"identification twice", sts.URL, alice(t), &wsc.Request{Identification: []wsc.Attribute{{Designator: hospital, Values: []string{"1"}}, {Designator: hospital, Values: []string{"2"}}}}, nil, wsc.BadRequest},
		{"attribute without namespace", sts.URL, alice(t), &wsc.Request{Attributes: []attrs.Designator{{Name: "x"}}}, nil, wsc.BadRequest},
		{"nothing asked", sts.URL, alice(t), &wsc.Request{Identification: []wsc.Attribute{}}, nil, wsc.BadRequest},
		{"a value that XML cannot hold", sts.URL, alice(t), &wsc.Request{Attributes: []attrs.Designator{certified("a\x00b")}}, nil, wsc.BadRequest},
		{"an identifier that is no name", sts.URL, alice(t), good(), func(c *wsc.Config) { c.NewID = func() string { return `"><x` } }, wsc.BadRequest},
		{"plain http to another machine", "http://sts.example/", alice(t), good(), nil, wsc.BadEndpoint},
		{"no address", "", alice(t), good(), nil, wsc.BadEndpoint},
		{"a file", "file:///etc/passwd", alice(t), good(), nil, wsc.BadEndpoint},
		{"a password in the address", "https://a:b@sts.example/", alice(t), good(), nil, wsc.BadEndpoint},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			token, err := clientOf(t, test.config).Token(t.Context(), test.endpoint, test.credentials, test.request)
			if token != nil || wsc.ReasonOf(err) != test.want || !test.want.Ours() {
				t.Errorf("%v (%v), want %v", wsc.ReasonOf(err), err, test.want)
			}
		})
	}
	if _, err := wsc.NewCredentials(wsc.ModeSession, signerOf(t, &pki.AliceEID), nil); err == nil {
		t.Error("session without holder")
	}
}

func TestConfigRefused(t *testing.T) {
	tests := map[string]wsc.Config{
		"negative timeout":           {Timeout: -1},
		"negative answer":            {MaxAnswer: -1},
		"negative lifetime":          {MessageLifetime: -1},
		"roots beside a transport":   {Roots: x509.NewCertPool(), Transport: http.DefaultTransport},
		"user agent of another form": {UserAgent: "Sceau (x)"},
		"injected header":            {UserAgent: "Sceau/1\r\nX: y"},
		"sender that is no address":  {From: "nobody"},
		"injected sender":            {From: "a@b\r\nX: y"},
		"action with quotes":         {Action: `a"b`},
	}
	for name, config := range tests {
		if c, err := wsc.NewClient(config); c != nil || wsc.ReasonOf(err) != wsc.BadConfig {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, err := wsc.NewClient(wsc.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Token(t.Context(), "https://sts.example/", alice(t), doctorRequest()); wsc.ReasonOf(err) != wsc.NoTrust {
		t.Errorf("the zero Config trusts somebody: %v", err)
	}
	if _, err := c.Open(nil, signerOf(t, &testpki.Load().AliceEHealth)); wsc.ReasonOf(err) != wsc.NoTrust {
		t.Errorf("the zero Config trusts somebody: %v", err)
	}
}

func TestMessageOnTheWire(t *testing.T) {
	sts := newSTS(t)
	ids := 0
	client := clientOf(t, func(c *wsc.Config) {
		c.NewID = func() string { ids++; return "0001" }
		c.UserAgent, c.From = "Sceau/1.2.3-rc_1 Example/4", "desk@example.be"
	})
	request := doctorRequest()
	request.Attributes = append(request.Attributes, doctorBoolean, personSSIN) // asked twice, asked anyway
	if _, err := client.Token(t.Context(), sts.URL, alice(t), request); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/xml; charset=utf-8", "SOAPAction": `"` + wsc.ActionRequestSecurityToken + `"`,
		"User-Agent": "Sceau/1.2.3-rc_1 Example/4", "From": "desk@example.be",
	} {
		if got := sts.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if sts.header.Get("Accept-Encoding") != "" {
		t.Error("compression is asked for")
	}
	if sts.request.id != "request-0001" || !bytes.Contains(sts.message, []byte(`AssertionID="assertion-0001"`)) || ids != 1 {
		t.Errorf("identifiers: %q", sts.request.id)
	}
	if !slices.Equal(sts.request.designators, []attrs.Designator{holderSSIN, personSSIN, doctorNIHII, doctorBoolean}) {
		t.Errorf("%v", sts.request.designators)
	}
	if sts.request.window != 24*time.Hour || !strings.HasPrefix(sts.request.issuer, "CN=Alice Test Example (Authentication), OID.2.5.4.4=") && !strings.HasPrefix(sts.request.issuer, "OID.2.5.4.5=") {
		t.Errorf("window %v, issuer %q", sts.request.window, sts.request.issuer)
	}
	first := bytes.Clone(sts.message)

	// The same clock and identifiers give the same message (keys of RSA), and other
	// configuration another one.
	if _, err := clientOf(t, func(c *wsc.Config) { c.NewID = func() string { return "0001" } }).Token(t.Context(), sts2(t, sts), alice(t), request); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, sts.message) {
		t.Error("the same request is another message")
	}
	old := clientOf(t, func(c *wsc.Config) { c.Action = wsc.ActionRequestSecureToken })
	if _, err := old.Token(t.Context(), sts.URL, alice(t), &wsc.Request{Attributes: request.Attributes, Validity: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if sts.header.Get("SOAPAction") != `"`+wsc.ActionRequestSecureToken+`"` || sts.header.Get("User-Agent") != "Sceau/devel" || sts.request.window != time.Hour {
		t.Errorf("%q %q %v", sts.header.Get("SOAPAction"), sts.header.Get("User-Agent"), sts.request.window)
	}
}

// sts2 lets the STS of a test take a message again.
func sts2(t *testing.T, s *fakeSTS) string {
	s.replay = newSTS(t).replay
	return s.URL
}

// A token is not asked for longer than the certificates live.
func TestWindowEndsWithCertificates(t *testing.T) {
	sts := newSTS(t)
	request := &wsc.Request{Attributes: []attrs.Designator{doctorNIHII}, Validity: 20 * 365 * 24 * time.Hour}
	if _, err := clientOf(t, nil).Token(t.Context(), sts.URL, alice(t), request); err != nil {
		t.Fatal(err)
	}
	if want := testpki.NotAfter().Sub(testpki.Now()); sts.request.window != want {
		t.Errorf("window %v, want %v", sts.request.window, want)
	}
}

func publicPEM(t *testing.T, leaf *testpki.Leaf) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(leaf.Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// Both signatures of our requests verify with xmlsec1.
func TestRequestsWithXMLSec1(t *testing.T) {
	pki := testpki.Load()
	judge.Require(t, "xmlsec1")
	const wsu = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	const wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	ids := []judge.ID{
		{Attribute: "Id", Namespace: "http://schemas.xmlsoap.org/soap/envelope/", Element: "Body"},
		{Attribute: "Id", Namespace: wsu, Element: "Timestamp"},
		{Attribute: "Id", Namespace: wsse, Element: "BinarySecurityToken"},
		{Attribute: "RequestID", Namespace: "urn:oasis:names:tc:SAML:1.0:protocol", Element: "Request"},
	}
	tests := []struct {
		mode             wsc.Mode
		identity, holder *testpki.Leaf
	}{
		{wsc.ModeSession, &pki.AliceEID, &pki.AliceEHealth},
		{wsc.ModeSession, &pki.AliceEIDP256, &pki.AliceEHealthP384},
		{wsc.ModeSession, &pki.AliceEIDP384, &pki.AliceEHealthP256},
		{wsc.ModeEIDOnly, &pki.AliceEID, nil},
		{wsc.ModeFallback, &pki.AliceEHealth, &pki.Hospital},
	}
	sts := newSTS(t)
	for _, test := range tests {
		if _, err := clientOf(t, nil).Token(t.Context(), sts.URL, credentialsOf(t, test.mode, test.identity, test.holder), doctorRequest()); err != nil {
			t.Fatal(err)
		}
		message := bytes.Clone(sts.message)
		altered := bytes.Replace(message, []byte("doctor:boolean"), []byte("doctor:boolean:not"), 1)
		const header = "//*[local-name()='Security']/*[local-name()='Signature']"
		if got := judge.VerifyXMLSec(t, publicPEM(t, test.identity), ids, header, [][]byte{message, altered}); !got[0] || got[1] {
			t.Errorf("%v: header signature: %v", test.mode, got)
		}
		if test.holder == nil {
			continue
		}
		const inner = "//*[local-name()='Request']/*[local-name()='Signature']"
		if got := judge.VerifyXMLSec(t, publicPEM(t, test.holder), ids, inner, [][]byte{message, altered}); !got[0] || got[1] {
			t.Errorf("%v: inner signature: %v", test.mode, got)
		}
	}
}

// Our requests are valid against the SAML 1.1, SOAP and WS-Security schemas.
func TestRequestsAgainstSchemas(t *testing.T) {
	pki := testpki.Load()
	program := judge.Require(t, "xmllint")
	schema := judge.Shared(t, "vectors", "xsd", "all.xsd")
	if _, err := os.Stat(schema); err != nil {
		t.Skip("no schemas among the shared vectors")
	}
	sts := newSTS(t)
	for _, credentials := range []*wsc.Credentials{alice(t), credentialsOf(t, wsc.ModeEIDOnly, &pki.AliceEIDP256, nil), credentialsOf(t, wsc.ModeFallback, &pki.AliceEHealth, &pki.Hospital)} {
		token, err := clientOf(t, nil).Token(t.Context(), sts.URL, credentials, doctorRequest())
		if err != nil {
			t.Fatal(err)
		}
		call, err := clientOf(t, nil).Sign("urn:x", token, []byte(`<x xmlns="urn:x"/>`))
		if err != nil {
			t.Fatal(err)
		}
		for name, message := range map[string][]byte{"request": sts.message, "call": call} {
			file := filepath.Join(t.TempDir(), "message.xml")
			if err := os.WriteFile(file, message, 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), program, "--nonet", "--noout", "--schema", schema, file).CombinedOutput()
			if err != nil {
				t.Errorf("%s, %v: %v\n%s", name, credentials.Mode(), err, out)
			}
		}
	}
}
