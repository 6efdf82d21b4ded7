package wsp_test

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/soap"
	"sceau/wsp"
	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

const (
	issuer      = "urn:be:fgov:ehealth:sts:1_0"
	assertionID = "_0123456789abcdef0123456789abcdef"
	echoContent = `<t:Echo xmlns:t="urn:test">hello</t:Echo>`
)

var (
	doctor = attrs.Designator{Name: "urn:be:fgov:person:ssin:doctor:boolean", Namespace: attrs.NamespaceCertified}
	nurse  = attrs.Designator{Name: "urn:be:fgov:person:ssin:nurse:boolean", Namespace: attrs.NamespaceCertified}
	nihii  = attrs.Designator{Name: "urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11", Namespace: attrs.NamespaceCertified}
	ssin   = attrs.Designator{Name: "urn:be:fgov:person:ssin", Namespace: attrs.NamespaceIdentification}
)

var now = testpki.Now()

// trust is what the tests trust: two pinned STS certificates, the eHealth authorities
// for holders, the Citizen authorities for eIDs, with their CRLs.
func trust(t testing.TB, change ...func(*certs.Config)) *certs.Verifier {
	t.Helper()
	pki := testpki.Load()
	folder := t.TempDir()
	for i, crl := range pki.CRLs() {
		if err := os.WriteFile(filepath.Join(folder, string(rune('a'+i))+".crl"), crl, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	authority := func(a *minipki.Authority) *certs.Authority { return &certs.Authority{Certificate: a.DER()} }
	sts := certs.TokenIssuer()
	sts.Pinned = [][]byte{pki.STS.DER, pki.STSP256.DER}
	holder := certs.EHealthPlatform(certs.RoleHolder)
	holder.Roots = []*certs.Authority{authority(pki.EHealthRoot)}
	holder.Intermediates = []*certs.Authority{authority(pki.EHealthCA)}
	identity := certs.BelgianEID()
	identity.Roots = []*certs.Authority{authority(pki.CitizenRoot)}
	identity.Intermediates = []*certs.Authority{authority(pki.CitizenCA)}
	config := certs.Config{
		Profiles: []certs.Profile{sts, holder, identity},
		CRL:      certs.CRLConfig{Files: []string{folder}},
		Now:      testpki.Now,
		Log:      quiet,
	}
	for _, f := range change {
		f(&config)
	}
	v, err := certs.NewVerifier(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// guard makes a Guard of the tests' trust.
func guard(t testing.TB, change ...func(*wsp.Config)) *wsp.Guard {
	t.Helper()
	config := wsp.Config{Issuers: []string{issuer}, Replay: soap.NewMemoryReplay(100_000), Now: testpki.Now, Log: quiet}
	for _, f := range change {
		f(&config)
	}
	if config.Certificates == nil {
		config.Certificates = trust(t)
	}
	g, err := wsp.NewGuard(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// forgetful is a replay state that remembers nothing, for tests that send one message
// again on purpose.
type forgetful struct{}

func (forgetful) Remember([32]byte, time.Time, time.Time) error { return nil }

func x509Data(der []byte) string {
	return `<ds:KeyInfo><ds:X509Data><ds:X509Certificate>` + base64.StdEncoding.EncodeToString(der) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`
}

// stsSigner signs assertions.
func stsSigner(t testing.TB, leaf *testpki.Leaf, change ...func(*xmlsec.SignerConfig)) *xmlsec.Signer {
	t.Helper()
	config := xmlsec.SignerConfig{Key: leaf.Key, KeyInfo: x509Data(leaf.DER)}
	for _, f := range change {
		f(&config)
	}
	s, err := xmlsec.NewSigner(config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// messageSigner signs messages, with a reference to an assertion.
func messageSigner(t testing.TB, key crypto.Signer, id string, change ...func(*xmlsec.SignerConfig)) *xmlsec.Signer {
	t.Helper()
	config := xmlsec.SignerConfig{Key: key}
	for _, f := range change {
		f(&config)
	}
	s, err := soap.NewMessageSigner(config, id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// aliceIssue is what the STS says of Alice, the doctor.
func aliceIssue(holder []byte) saml.Issue {
	return saml.Issue{
		AssertionID:  assertionID,
		Issuer:       issuer,
		IssueInstant: now.Add(-time.Minute),
		NotBefore:    now.Add(-6 * time.Minute),
		NotOnOrAfter: now.Add(12 * time.Hour),
		Subject:      saml.Name{Subject: "SERIALNUMBER=" + testpki.AliceSSIN + ", CN=Alice Example (Authentication), C=BE", Issuer: "CN=TEST Citizen CA, C=BE"},
		Holder:       holder,
		Attributes: []saml.Statement{
			{Name: ssin.Name, Namespace: ssin.Namespace, Values: []string{testpki.AliceSSIN}},
			{Name: doctor.Name, Namespace: doctor.Namespace, Values: []string{"true"}},
			{Name: nurse.Name, Namespace: nurse.Namespace, Values: []string{"false"}},
			{Name: nihii.Name, Namespace: nihii.Namespace},
		},
	}
}

// issue makes an assertion of the STS.
func issue(t testing.TB, i saml.Issue, sts *testpki.Leaf) []byte {
	t.Helper()
	assertion, err := saml.AppendAssertion(nil, &i, stsSigner(t, sts))
	if err != nil {
		t.Fatal(err)
	}
	return assertion
}

// edited makes an assertion that differs before it is signed.
func edited(t testing.TB, i saml.Issue, signer *xmlsec.Signer, edit func(string) string) string {
	t.Helper()
	assertion, err := saml.AppendAssertion(nil, &i, signer)
	if err != nil {
		t.Fatal(err)
	}
	bare, _ := split(string(assertion))
	changed := edit(bare)
	if changed == bare {
		t.Fatal("the edit changed nothing")
	}
	open := strings.LastIndex(changed, "</")
	return signText(t, changed[:open]+"{signature}"+changed[open:], signer, enveloped, i.AssertionID)
}

// split parts an assertion from its signature.
func split(assertion string) (bare, signature string) {
	from, to := strings.LastIndex(assertion, "<ds:Signature "), strings.LastIndex(assertion, "</ds:Signature>")+len("</ds:Signature>")
	return assertion[:from] + assertion[to:], assertion[from:to]
}

const (
	enveloped = true
	detached  = false
)

// signText signs elements of a text, by their identifiers, and puts the signature where
// the text says {signature}.
func signText(t testing.TB, text string, signer *xmlsec.Signer, envelopedFirst bool, ids ...string) string {
	t.Helper()
	d, err := xmltext.Parse([]byte(strings.Replace(text, "{signature}", "", 1)), xmltext.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Release()
	var parts []xmlsec.Part
	for i, id := range ids {
		n, ok := d.ElementByID([]byte(id))
		if !ok {
			t.Fatalf("no element %q to sign", id)
		}
		canonical, err := c14n.Append(nil, n, c14n.Options{})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, xmlsec.Part{ID: id, Canonical: canonical, Enveloped: envelopedFirst && i == 0})
	}
	signature, err := signer.Append(nil, parts...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(text, "{signature}", string(signature), 1)
}

// draft is a message that is not signed yet.
type draft struct {
	timestamp, token, body string
	headers                string // other header blocks, before Security
}

func newDraft(token string) draft {
	const layout = "2006-01-02T15:04:05.000Z"
	return draft{
		timestamp: `<wsu:Timestamp wsu:Id="TS-1"><wsu:Created>` + now.Format(layout) + `</wsu:Created><wsu:Expires>` + now.Add(time.Minute).Format(layout) + `</wsu:Expires></wsu:Timestamp>`,
		token:     token,
		body:      `<soapenv:Body wsu:Id="id-1">` + echoContent + `</soapenv:Body>`,
	}
}

// text writes the draft, {signature} where the signature comes.
func (d draft) text() string {
	return `<soapenv:Envelope xmlns:soapenv="` + soap.NamespaceEnvelope + `" xmlns:wsu="` + xmlsec.NamespaceWSU + `" xmlns:wsse="` + xmlsec.NamespaceWSSE + `"><soapenv:Header>` + d.headers +
		`<wsse:Security soapenv:mustUnderstand="1">` + d.timestamp + d.token + `{signature}</wsse:Security></soapenv:Header>` + d.body + `</soapenv:Envelope>`
}

// sign signs Body and Timestamp, and whatever else is named, with a key for an assertion.
func (d draft) sign(t testing.TB, key crypto.Signer, id string, more ...string) string {
	t.Helper()
	return signText(t, d.text(), messageSigner(t, key, id), detached, append([]string{"id-1", "TS-1"}, more...)...)
}

// strTransform signs Body, Timestamp and, through the SecurityTokenReference of its
// KeyInfo, the assertion, as WSS4J does.
func strTransform(t testing.TB, d draft, holder *testpki.Leaf) string {
	t.Helper()
	const exclusive = `Algorithm="` + c14n.Algorithm + `"`
	keyInfo := `<ds:KeyInfo><wsse:SecurityTokenReference wsu:Id="STR-1"><wsse:KeyIdentifier ValueType="` + xmlsec.ValueTypeAssertionID + `">` +
		assertionID + `</wsse:KeyIdentifier></wsse:SecurityTokenReference></ds:KeyInfo>`
	document, err := xmltext.Parse([]byte(strings.Replace(d.text(), "{signature}", "", 1)), xmltext.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	defer document.Release()
	digest := func(id string, options c14n.Options) string {
		n, _ := document.ElementByID([]byte(id))
		canonical, err := c14n.Append(nil, n, options)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(canonical)
		return `<ds:DigestMethod Algorithm="` + xmlsec.SHA256.URI() + `"></ds:DigestMethod><ds:DigestValue>` + base64.StdEncoding.EncodeToString(sum[:]) + `</ds:DigestValue>`
	}
	info := `<ds:SignedInfo xmlns:ds="` + xmlsec.NamespaceDS + `"><ds:CanonicalizationMethod ` + exclusive + `></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="` + xmlsec.RSASHA256.URI() + `"></ds:SignatureMethod>`
	for _, id := range []string{"id-1", "TS-1"} {
		info += `<ds:Reference URI="#` + id + `"><ds:Transforms><ds:Transform ` + exclusive + `></ds:Transform></ds:Transforms>` + digest(id, c14n.Options{}) + `</ds:Reference>`
	}
	info += `<ds:Reference URI="#STR-1"><ds:Transforms><ds:Transform Algorithm="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform"><wsse:TransformationParameters xmlns:wsse="` +
		xmlsec.NamespaceWSSE + `"><ds:CanonicalizationMethod ` + exclusive + `></ds:CanonicalizationMethod></wsse:TransformationParameters></ds:Transform></ds:Transforms>` +
		digest(assertionID, c14n.Options{DefaultAtApex: true}) + `</ds:Reference></ds:SignedInfo>`
	return strings.Replace(d.text(), "{signature}", `<ds:Signature xmlns:ds="`+xmlsec.NamespaceDS+`">`+info+`<ds:SignatureValue>`+rsaSignature(t, holder, info)+`</ds:SignatureValue>`+keyInfo+`</ds:Signature>`, 1)
}

// rsaSignature is the SignatureValue over a SignedInfo that stands in canonical form.
func rsaSignature(t testing.TB, leaf *testpki.Leaf, info string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(info))
	value, err := leaf.Key.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(value)
}

// call makes the message of an honest consumer.
func call(t testing.TB, assertion []byte, key crypto.Signer, at time.Time) []byte {
	t.Helper()
	o := soap.Outgoing{Content: []byte(echoContent), Created: at, Expires: at.Add(time.Minute), Assertion: assertion, AssertionID: assertionID}
	message, err := o.Append(nil, messageSigner(t, key, assertionID))
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// aliceCall is the honest call of Alice's software, RSA throughout.
func aliceCall(t testing.TB) []byte {
	t.Helper()
	pki := testpki.Load()
	return call(t, issue(t, aliceIssue(pki.AliceEHealth.DER), &pki.STS), pki.AliceEHealth.Key, now)
}

// refused checks that a message is refused, for a reason and with a fault, and that
// nothing comes with the refusal.
func refused(t *testing.T, g *wsp.Guard, message string, at time.Time, reason wsp.Reason, code soap.FaultCode, soa soap.SOACode) {
	t.Helper()
	caller, err := g.Admit([]byte(message), at)
	if err == nil {
		t.Fatalf("admitted %v", caller.Subject())
	}
	if !caller.IsZero() {
		t.Error("a caller beside the error")
	}
	if got := wsp.ReasonOf(err); got != reason {
		t.Errorf("refused as %q, want %q: %v", got, reason, err)
	}
	if f := wsp.FaultOf(err); f.Code != code || f.SOA != soa {
		t.Errorf("fault %s:%s %s, want %s:%s %s", f.Code.Prefix, f.Code.Local, f.SOA.Code, code.Prefix, code.Local, soa.Code)
	}
}
