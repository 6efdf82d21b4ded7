// Package wsptest makes guards, and calls that they admit, for tests of what is built on package wsp. The clock is that of the test PKI.
package wsptest

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"sceau/certs"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/soap"
	"sceau/wsp"
	"sceau/xmlsec"
)

// Issuer is the STS that guards trust.
const Issuer = "urn:be:fgov:ehealth:sts:1_0"

// Content is the body element of calls.
const Content = `<t:Echo xmlns:t="urn:test">hello</t:Echo>`

// Guard makes a guard that trusts the STS and the eHealth holders of the test PKI, without revocation.
func Guard(t testing.TB, change ...func(*wsp.Config)) *wsp.Guard {
	t.Helper()
	pki := testpki.Load()
	off := certs.Revocation{Mode: certs.Off}
	sts := certs.TokenIssuer()
	sts.Pinned = [][]byte{pki.STS.DER}
	holder := certs.EHealthPlatform(certs.RoleHolder)
	holder.Roots = []*certs.Authority{{Certificate: pki.EHealthRoot.DER(), Revocation: off}}
	holder.Intermediates = []*certs.Authority{{Certificate: pki.EHealthCA.DER(), Revocation: off}}
	quiet := slog.New(slog.DiscardHandler)
	v, err := certs.NewVerifier(certs.Config{Profiles: []certs.Profile{sts, holder}, Now: testpki.Now, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	config := wsp.Config{Certificates: v, Issuers: []string{Issuer}, Replay: soap.NewMemoryReplay(1000), Now: testpki.Now, Log: quiet}
	for _, f := range change {
		f(&config)
	}
	g, err := wsp.NewGuard(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// Call makes a call by a holder with an assertion of these attributes. Two calls are not the same message.
func Call(t testing.TB, holder *testpki.Leaf, attributes ...saml.Statement) []byte {
	t.Helper()
	message, err := call(holder, attributes)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

func call(holder *testpki.Leaf, attributes []saml.Statement) ([]byte, error) {
	pki, now := testpki.Load(), testpki.Now()
	signer, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: pki.STS.Key, KeyInfo: `<ds:KeyInfo><ds:X509Data><ds:X509Certificate>` +
		base64.StdEncoding.EncodeToString(pki.STS.DER) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`})
	if err != nil {
		return nil, err
	}
	assertion, err := saml.AppendAssertion(nil, &saml.Issue{
		AssertionID: "_1", Issuer: Issuer, IssueInstant: now, NotBefore: now, NotOnOrAfter: now.Add(time.Hour), Holder: holder.DER,
		Subject: saml.Name{Subject: "CN=Alice", Issuer: "CN=CA"}, Attributes: attributes,
	}, signer)
	if err != nil {
		return nil, fmt.Errorf("assertion: %w", err)
	}
	messageSigner, err := soap.NewMessageSigner(xmlsec.SignerConfig{Key: holder.Key}, "_1")
	if err != nil {
		return nil, err
	}
	return (&soap.Outgoing{Content: []byte(Content), Created: now, Expires: now.Add(time.Minute), Assertion: assertion, AssertionID: "_1"}).Append(nil, messageSigner)
}
