package sts_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/internal/judge"
	"sceau/internal/testpki"
	"sceau/policy"
	"sceau/saml"
	"sceau/sts"
	"sceau/sts/ststest"
	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// issued is an answer that was read and whose assertion was verified.
type issued struct {
	response  saml.Response
	assertion saml.Assertion
	values    map[string][]string
	text      string
}

// certify asks and requires an assertion that the given leaf signed.
func certify(t testing.TB, f *ststest.Fixture, message []byte, signer *testpki.Leaf) *issued {
	t.Helper()
	a := f.Service.AttributeQuery(context.Background(), &sts.Message{Body: message}, nil)
	out := &issued{values: map[string][]string{}, text: string(a.Body)}
	d, err := xmltext.Parse(a.Body, xmltext.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Release)
	body := d.Root().FirstElement()
	if err := saml.ParseResponse(body.FirstElement(), &out.response); err != nil || !out.response.Success {
		t.Fatalf("%v\n%s", err, a.Body)
	}
	if err := saml.ParseAssertion(out.response.Assertion, &out.assertion); err != nil {
		t.Fatal(err)
	}
	signature, err := xmlsec.ParseSignature(out.assertion.Signature)
	if err != nil {
		t.Fatal(err)
	}
	accepted := xmlsec.DefaultPolicy()
	verified, err := signature.Verify(signer.X509().PublicKey, &accepted)
	if err != nil || !verified.Signs(out.assertion.Node) {
		t.Fatalf("signature: %v", err)
	}
	for _, attribute := range out.assertion.Attributes() {
		for _, v := range attribute.Values {
			out.values[string(attribute.Name)] = append(out.values[string(attribute.Name)], string(v))
		}
	}
	return out
}

// TestShape: section 3 of the wire document, what each client demands of an answer.
func TestShape(t *testing.T) {
	pki := testpki.Load()
	f := ststest.New(t, nil)
	out := certify(t, f, f.Message(t, ststest.Query{Identity: &pki.AliceEID, Holder: &pki.AliceEHealth}), &pki.STS)

	if string(out.response.InResponseTo) != "request-1" || out.response.Recipient != nil {
		t.Error("InResponseTo or Recipient")
	}
	for _, want := range []string{
		`<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:1.0:protocol" `,
		`<samlp:StatusCode Value="samlp:Success">`,
		`<Assertion xmlns="urn:oasis:names:tc:SAML:1.0:assertion" AssertionID="_`,
		` Issuer="urn:be:fgov:ehealth:sts:1_0" MajorVersion="1" MinorVersion="1"><Conditions NotBefore="`,
		`<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>`,
		`</AttributeStatement><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo>`,
		`</ds:KeyInfo></ds:Signature></Assertion></samlp:Response>`,
	} {
		if !strings.Contains(out.text, want) {
			t.Errorf("the answer lacks %s\n%s", want, out.text)
		}
	}
	for _, never := range []string{"xsi:type", "wsse:Security", "SubjectConfirmationData", "\n", "StatusMessage"} {
		if strings.Contains(out.text, never) {
			t.Errorf("the answer has %s", never)
		}
	}
	a := &out.assertion
	if !a.IssueInstant.Equal(testpki.Now()) || !a.AuthenticationInstant.Equal(a.IssueInstant) || string(a.AuthenticationMethod) != saml.MethodX509PKI {
		t.Error("instants or method")
	}
	if c := &a.AuthenticationSubject.Confirmation; string(c.Method) != saml.HolderOfKey || c.KeyInfo.IsZero() || a.AttributeSubject.Confirmed {
		t.Error("confirmation")
	}
	// The holder's certificate, and only the STS's own signature.
	if !strings.Contains(out.text, base64.StdEncoding.EncodeToString(pki.AliceEHealth.DER)) || strings.Count(out.text, "<ds:Signature ") != 1 {
		t.Error("holder's certificate or signatures")
	}
	// Attributes in the order asked, identification echoed.
	var names []string
	for _, attribute := range a.Attributes() {
		names = append(names, string(attribute.Name))
	}
	if got, want := strings.Join(names, " "), strings.Join([]string{attrs.CertificateHolderSSIN, attrs.PersonSSIN, ststest.DoctorBoolean, ststest.DoctorNIHII}, " "); got != want {
		t.Errorf("attributes %s, want %s", got, want)
	}
	// Self-contained: taken out of the answer it means the same.
	source := a.Node.Source()
	alone, err := xmltext.Parse(source, xmltext.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Release()
	inside, err1 := c14n.Append(nil, a.Node, c14n.Options{})
	outside, err2 := c14n.Append(nil, alone.Root(), c14n.Options{})
	if err1 != nil || err2 != nil || !bytes.Equal(inside, outside) {
		t.Error("the assertion is not self-contained")
	}
}

// TestJudges: every key kind's assertion verifies with xmlsec1 and the JDK and fits the
// SAML 1.1 schema.
func TestJudges(t *testing.T) {
	judge.Require(t, "xmlsec1")
	judge.Require(t, "xmllint")
	pki := testpki.Load()
	java := judge.JDK(t)
	ids := []judge.ID{{Attribute: "AssertionID", Namespace: saml.NamespaceAssertion, Element: "Assertion"}}
	type question struct {
		name string
		n    int
	}
	var questions []question
	for name, leaf := range map[string]*testpki.Leaf{"RSA": &pki.STS, "P-256": &pki.STSP256} {
		f := ststest.New(t, func(f *ststest.Fixture, _ *sts.Config) { f.SignWith(t, leaf) })
		out := certify(t, f, f.Message(t, ststest.Query{Identity: &pki.AliceEIDP384, Holder: &pki.AliceEHealth, Asked: []string{ststest.DoctorBoolean, ststest.NurseBoolean, ststest.DoctorNIHII}}), leaf)
		source := out.assertion.Node.Source()
		public := publicKeyPEM(t, leaf)
		for i, ok := range judge.VerifyXMLSec(t, public.pem, ids, "//*[local-name()='Signature']", [][]byte{source}) {
			if !ok {
				t.Errorf("%s: xmlsec1 refuses document %d", name, i)
			}
		}
		questions = append(questions, question{name, java.Verify([]byte(out.text), public.der, 0)})
		judge.SAML11(t, responseOf(out))
	}
	java.Run()
	for _, q := range questions {
		if answer := java.Answer(q.n); answer != "ok" {
			t.Errorf("%s: the JDK says %s", q.name, answer)
		}
	}
}

func responseOf(out *issued) []byte { return out.response.Node.Source() }

// TestBooleans: true, a signed false for what is denied and for what is not known, and
// an empty value for a number that is not known.
func TestBooleans(t *testing.T) {
	pki := testpki.Load()
	f := ststest.New(t, nil)
	const unknownBoolean = "urn:be:fgov:person:ssin:ehealth:1.0:fpsph:dentist:boolean"
	const unknownNumber = "urn:be:fgov:person:ssin:ehealth:1.0:nihii:dentist:nihii11"
	out := certify(t, f, f.Message(t, ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealth,
		Asked: []string{ststest.DoctorBoolean, ststest.NurseBoolean, unknownBoolean, unknownNumber, attrs.UserSession}}), &pki.STS)
	for name, want := range map[string]string{ststest.DoctorBoolean: "true", ststest.NurseBoolean: "false", unknownBoolean: "false", unknownNumber: "", attrs.UserSession: "true"} {
		if got := out.values[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

// TestAlias: the seed's name of an attribute is answered under that name.
func TestAlias(t *testing.T) {
	pki := testpki.Load()
	f := ststest.New(t, nil)
	const seeds = "urn:be:fgov:person:ssin:ehealth:1.0:doctor:boolean"
	out := certify(t, f, f.Message(t, ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealth, Asked: []string{seeds}}), &pki.STS)
	if got := out.values[seeds]; len(got) != 1 || got[0] != "true" {
		t.Errorf("%q", got)
	}
}

// TestLeftOut: where the policy says so, a denied attribute is left out and named.
func TestLeftOut(t *testing.T) {
	pki := testpki.Load()
	f := ststest.New(t, func(_ *ststest.Fixture, c *sts.Config) {
		c.Policy = ststest.Permit{Maximum: time.Hour, OnDenied: policy.Omit, Denied: []string{ststest.DoctorNIHII}}
	})
	out := certify(t, f, f.Message(t, ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealth}), &pki.STS)
	if _, there := out.values[ststest.DoctorNIHII]; there || out.values[ststest.DoctorBoolean][0] != "true" {
		t.Errorf("values %v", out.values)
	}
	if !strings.Contains(out.text, `<sceau:LeftOut xmlns:sceau="`+saml.NamespaceDetail+`" AttributeName="`+ststest.DoctorNIHII+`"`) {
		t.Error("not named in StatusDetail")
	}
}

// TestWindow: NotBefore and NotOnOrAfter are exactly the earliest of every bound.
func TestWindow(t *testing.T) {
	pki := testpki.Load()
	now := testpki.Now()
	for _, c := range []struct {
		name              string
		ask               func(*saml.Query)
		config            func(*ststest.Fixture, *sts.Config)
		notBefore, expiry time.Time
	}{
		{name: "as asked", ask: func(q *saml.Query) {}, notBefore: now.Add(-5 * time.Minute), expiry: now.Add(8 * time.Hour)},
		{name: "asked a little ago", ask: func(q *saml.Query) { q.NotBefore = now.Add(-20 * time.Second) }, notBefore: now.Add(-5*time.Minute - 20*time.Second), expiry: now.Add(8 * time.Hour)},
		{name: "asked from long ago", ask: func(q *saml.Query) { q.NotBefore = now.Add(-48 * time.Hour) }, notBefore: now.Add(-6 * time.Minute), expiry: now.Add(8 * time.Hour)},
		{name: "profile's maximum", ask: func(q *saml.Query) { q.NotOnOrAfter = now.AddDate(5, 0, 0) }, notBefore: now.Add(-5 * time.Minute), expiry: now.Add(24 * time.Hour)},
		{name: "no back-date", ask: func(q *saml.Query) {}, config: func(_ *ststest.Fixture, c *sts.Config) { c.BackDate = -1 }, notBefore: now, expiry: now.Add(8 * time.Hour)},
		{name: "certificate's end", ask: func(q *saml.Query) { q.NotOnOrAfter = now.AddDate(20, 0, 0) }, notBefore: now.Add(-5 * time.Minute), expiry: testpki.NotAfter(),
			config: func(_ *ststest.Fixture, c *sts.Config) { c.Policy = ststest.Permit{Maximum: 20 * 366 * 24 * time.Hour} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := ststest.New(t, c.config)
			out := certify(t, f, f.Message(t, ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealth, Change: c.ask}), &pki.STS)
			got := out.assertion.Conditions
			if !got.NotBefore.Equal(c.notBefore) || !got.NotOnOrAfter.Equal(c.expiry) {
				t.Errorf("window %v to %v, want %v to %v", got.NotBefore, got.NotOnOrAfter, c.notBefore, c.expiry)
			}
		})
	}
}

// TestAttributeEnds: the assertion lives no longer than the shortest certified value.
func TestAttributeEnds(t *testing.T) {
	pki := testpki.Load()
	end := testpki.Now().Add(90 * time.Minute)
	doctor, _ := attrs.EHealth().Find(attrs.Designator{Name: ststest.DoctorBoolean, Namespace: attrs.NamespaceCertified})
	static, err := attrs.NewStatic("short", testpki.Now, []attrs.StaticFact{{
		Subject: attrs.Subject{Type: "ssin", Value: testpki.AliceSSIN}, Definition: doctor, Fact: attrs.Fact{Value: "true", NotOnOrAfter: end}}})
	if err != nil {
		t.Fatal(err)
	}
	resolver, err := attrs.NewResolver(attrs.Config{Catalogue: attrs.EHealth(), Routes: []attrs.Route{{Source: static}}, Budget: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer resolver.Close()
	f := ststest.New(t, func(_ *ststest.Fixture, c *sts.Config) { c.Attributes = resolver })
	out := certify(t, f, f.Message(t, ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealth, Asked: []string{ststest.DoctorBoolean}}), &pki.STS)
	if got := out.assertion.Conditions.NotOnOrAfter; !got.Equal(end) {
		t.Errorf("NotOnOrAfter %v, want %v", got, end)
	}
}

// TestClientNames: a client that writes its own name as Issuer is admitted where the
// operator lists it.
func TestClientNames(t *testing.T) {
	pki := testpki.Load()
	f := ststest.New(t, func(_ *ststest.Fixture, c *sts.Config) { c.ClientNames = []string{"Egelke"} })
	certify(t, f, f.Message(t, ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealth, Change: func(q *saml.Query) { q.Issuer = "Egelke" }}), &pki.STS)
}

// TestOrganisation: a hospital's certificate proves the hospital's number, and only
// that.
func TestOrganisation(t *testing.T) {
	pki := testpki.Load()
	f := ststest.New(t, nil)
	const number = "urn:be:fgov:ehealth:1.0:certificateholder:hospital:nihii-number"
	const recognised = number + ":recognisedhospital:boolean"
	ask := func(value string) ststest.Query {
		return ststest.Query{Identity: &pki.Hospital, Holder: &pki.Hospital, Asked: []string{recognised}, Change: func(q *saml.Query) {
			q.Identification = []saml.Statement{{Name: number, Namespace: attrs.NamespaceIdentification, Values: []string{value}}}
			q.Designators = append(q.Identification[:1:1], q.Designators[2:]...)
		}}
	}
	out := certify(t, f, f.Message(t, ask(testpki.HospitalNIHII)), &pki.STS)
	if got := out.values[recognised]; len(got) != 1 || got[0] != "false" { // the registry does not know it
		t.Errorf("%q", got)
	}
	refusedWhole(t, f, &sts.Message{Body: f.Message(t, ask("71000040"))}, "another hospital's recognition")
}

// TestAllocations: what a request allocates beyond the cryptography of Go's library.
func TestAllocations(t *testing.T) {
	if judge.RaceEnabled {
		t.Skip("the race detector allocates")
	}
	pki := testpki.Load()
	for _, c := range []struct {
		name             string
		identity, signer *testpki.Leaf
		most             float64
	}{{"RSA signer", &pki.AliceEID, &pki.STS, 30}, {"P-256 signer", &pki.AliceEID, &pki.STSP256, 90}, {"P-256 everywhere", &pki.AliceEIDP256, &pki.STSP256, 90}} {
		f := ststest.New(t, func(f *ststest.Fixture, config *sts.Config) {
			f.SignWith(t, c.signer)
			config.Security.Replay = ststest.Forgetful{}
		})
		message := sts.Message{Body: f.Message(t, ststest.Query{Identity: c.identity, Holder: &pki.AliceEHealth})}
		out := f.Service.AttributeQuery(context.Background(), &message, nil)
		f.Certificates.Settle()
		got := testing.AllocsPerRun(200, func() {
			out = f.Service.AttributeQuery(context.Background(), &message, out.Body[:0])
		})
		if !bytes.Contains(out.Body, []byte("samlp:Success")) {
			t.Fatal(string(out.Body))
		}
		t.Logf("%s: %v allocations", c.name, got)
		if got > c.most {
			t.Errorf("%s: %v allocations, at most %v", c.name, got, c.most)
		}
	}
}
