package echo_test

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sceau/certs"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/soap"
	"sceau/wsp"
	"sceau/wsp/echo"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// TestHandler calls the guarded service as a consumer does, and reads the answer.
func TestHandler(t *testing.T) {
	pki, now := testpki.Load(), testpki.Now()
	sts := certs.TokenIssuer()
	sts.Pinned = [][]byte{pki.STS.DER}
	holder := certs.EHealthPlatform(certs.RoleHolder)
	holder.Roots = []*certs.Authority{{Certificate: pki.EHealthRoot.DER(), Revocation: certs.Revocation{Mode: certs.Off}}}
	holder.Intermediates = []*certs.Authority{{Certificate: pki.EHealthCA.DER(), Revocation: certs.Revocation{Mode: certs.Off}}}
	quiet := slog.New(slog.DiscardHandler)
	v, err := certs.NewVerifier(certs.Config{Profiles: []certs.Profile{sts, holder}, Now: testpki.Now, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	g, err := wsp.NewGuard(wsp.Config{Certificates: v, Issuers: []string{"urn:sts"}, Replay: soap.NewMemoryReplay(10), Now: testpki.Now, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()

	signer, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: pki.STS.Key, KeyInfo: `<ds:KeyInfo><ds:X509Data><ds:X509Certificate>` +
		base64.StdEncoding.EncodeToString(pki.STS.DER) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`})
	if err != nil {
		t.Fatal(err)
	}
	assertion, err := saml.AppendAssertion(nil, &saml.Issue{
		AssertionID: "_1", Issuer: "urn:sts", IssueInstant: now, NotBefore: now, NotOnOrAfter: now.Add(time.Hour), Holder: pki.Hospital.DER,
		Subject:    saml.Name{Subject: `CN="A & B"`, Issuer: `CN=<"C">`},
		Attributes: []saml.Statement{{Name: "urn:a", Namespace: "urn:n", Values: []string{"<1> & 2", ""}}},
	}, signer)
	if err != nil {
		t.Fatal(err)
	}
	messageSigner, err := soap.NewMessageSigner(xmlsec.SignerConfig{Key: pki.Hospital.Key}, "_1")
	if err != nil {
		t.Fatal(err)
	}
	const content = `<t:Ask xmlns:t="urn:t" a="&lt;">&amp;<b></b></t:Ask>`
	message, err := (&soap.Outgoing{Content: []byte(content), Created: now, Expires: now.Add(time.Minute), Assertion: assertion, AssertionID: "_1"}).Append(nil, messageSigner)
	if err != nil {
		t.Fatal(err)
	}

	server := httptest.NewServer(echo.Handler(g))
	defer server.Close()
	response, err := http.Post(server.URL, "text/xml", bytes.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(response.Body); err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response.Status, answer.String(), err)
	}
	document, err := xmltext.Parse(answer.Bytes(), xmltext.DefaultLimits())
	if err != nil {
		t.Fatal(err, answer.String())
	}
	defer document.Release()
	for _, want := range []string{
		`<echo:Content>` + content + `</echo:Content>`,
		`<echo:Subject NameQualifier="CN=&lt;&quot;C&quot;>">CN="A &amp; B"</echo:Subject>`,
		`<echo:Holder Kind="ehealth-organisation" Type="NIHII-HOSPITAL">` + testpki.HospitalNIHII + `</echo:Holder>`,
		`<echo:Attribute Name="urn:a" Namespace="urn:n"><echo:Value>&lt;1&gt; &amp; 2</echo:Value><echo:Value></echo:Value></echo:Attribute>`,
	} {
		if !strings.Contains(answer.String(), want) {
			t.Errorf("no %s in %s", want, answer.String())
		}
	}
}

// TestNobody: the answer to nobody is well-formed and empty.
func TestNobody(t *testing.T) {
	document, err := xmltext.Parse(echo.Append(nil, nil), xmltext.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	document.Release()
}
