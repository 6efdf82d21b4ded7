package main

import (
	"path/filepath"
	"strings"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/saml"
	"sceau/soap"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// forged writes a message that Alice's eID signed, whose Request names Alice's
// eHealth certificate as holder-of-key and is signed with Bob's key.
func (d *demo) forged() ([]byte, error) {
	load := func(name string) (*certs.Signer, error) {
		base := filepath.Join(d.dir, "pki", name)
		return certs.LoadSigner(certs.KeyConfig{Key: base + ".key", Certificate: base + ".pem", At: time.Now()})
	}
	alice, err := load("alice-eid")
	if err != nil {
		return nil, err
	}
	holder, err := load("alice-ehealth")
	if err != nil {
		return nil, err
	}
	thief, err := load("bob-ehealth")
	if err != nil {
		return nil, err
	}
	now := time.Now()
	subject := saml.Name{Subject: alice.Certificate().Subject().String(), Issuer: alice.Certificate().Issuer().String()}
	query := saml.Query{
		RequestID: "request-forged", AssertionID: "assertion-forged", IssueInstant: now,
		Issuer: subject.Subject, Subject: subject, NotBefore: now, NotOnOrAfter: now.Add(time.Hour),
		Holder:         holder.Certificate().Raw(),
		Identification: []saml.Statement{{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification, Values: []string{aliceSSIN}}},
		Designators:    []saml.Statement{{Name: doctorBoolean, Namespace: attrs.NamespaceCertified}},
	}
	inner, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: thief, KeyInfo: xmlsec.CertificateKeyInfo(holder.Certificate().Raw())})
	if err != nil {
		return nil, err
	}
	body, err := saml.AppendQuery(nil, &query, inner)
	if err != nil {
		return nil, err
	}
	outer, err := soap.NewMessageSigner(xmlsec.SignerConfig{Key: alice}, "")
	if err != nil {
		return nil, err
	}
	message := soap.Outgoing{Content: body, Created: now, Expires: now.Add(time.Minute), Certificate: alice.Certificate().Raw()}
	return message.Append(nil, outer)
}

// statusMessage reads the StatusMessage of an answer.
func statusMessage(answer []byte) (string, bool) {
	document, err := xmltext.Parse(answer, xmltext.DefaultLimits())
	if err != nil {
		return "", false
	}
	defer document.Release()
	var response saml.Response
	body := document.Root().FirstElement()
	if err := saml.ParseResponse(body.FirstElement(), &response); err != nil {
		return "", false
	}
	return string(response.Message), true
}

// indent sets a short XML text off from what is around it, one element a line.
func indent(text string) string {
	text = strings.ReplaceAll(text, "><", ">\n<")
	return "   " + strings.ReplaceAll(text, "\n", "\n   ")
}
