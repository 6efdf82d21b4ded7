package wsc_test

import (
	"bytes"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sceau/attrs"
	"sceau/certs"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/wsc"
)

func doctorRequest() *wsc.Request {
	return &wsc.Request{Attributes: []attrs.Designator{doctorNIHII, doctorBoolean}}
}

func TestTokenOfEachMode(t *testing.T) {
	pki := testpki.Load()
	tests := []struct {
		name             string
		mode             wsc.Mode
		identity, holder *testpki.Leaf
		always           bool
		inner            bool
		identification   []attrs.Designator
	}{
		{"session", wsc.ModeSession, &pki.AliceEID, &pki.AliceEHealth, false, true, []attrs.Designator{holderSSIN, personSSIN}},
		{"session with P-256 card", wsc.ModeSession, &pki.AliceEIDP256, &pki.AliceEHealth, false, true, []attrs.Designator{holderSSIN, personSSIN}},
		{"session with P-384 card and P-256 holder", wsc.ModeSession, &pki.AliceEIDP384, &pki.AliceEHealthP256, false, true, []attrs.Designator{holderSSIN, personSSIN}},
		{"session with hospital", wsc.ModeSession, &pki.AliceEID, &pki.Hospital, false, true, []attrs.Designator{
			{Name: "urn:be:fgov:ehealth:1.0:certificateholder:hospital:nihii-number", Namespace: attrs.NamespaceIdentification}, personSSIN}},
		{"session with application of an organisation", wsc.ModeSession, &pki.AliceEID, &pki.Application, false, true, []attrs.Designator{
			{Name: "urn:be:fgov:ehealth:1.0:certificateholder:enterprise:cbe-number", Namespace: attrs.NamespaceIdentification}, personSSIN}},
		{"eID only", wsc.ModeEIDOnly, &pki.AliceEID, nil, false, false, []attrs.Designator{holderSSIN, personSSIN}},
		{"eID only, always signing inside", wsc.ModeEIDOnly, &pki.AliceEID, nil, true, true, []attrs.Designator{holderSSIN, personSSIN}},
		{"fallback, one certificate", wsc.ModeFallback, &pki.AliceEHealth, nil, false, false, []attrs.Designator{holderSSIN, personSSIN}},
		{"fallback, two certificates", wsc.ModeFallback, &pki.AliceEHealth, &pki.Hospital, false, true, []attrs.Designator{
			{Name: "urn:be:fgov:ehealth:1.0:certificateholder:hospital:nihii-number", Namespace: attrs.NamespaceIdentification}, personSSIN}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sts := newSTS(t)
			client := clientOf(t, func(c *wsc.Config) { c.AlwaysSignInner = test.always })
			credentials := credentialsOf(t, test.mode, test.identity, test.holder)
			token, err := client.Token(t.Context(), sts.URL, credentials, doctorRequest())
			if err != nil {
				t.Fatal(err)
			}
			if sts.request.inner != test.inner {
				t.Errorf("inner signature: %v", sts.request.inner)
			}
			want := append(slices.Clone(test.identification), doctorNIHII, doctorBoolean)
			if !slices.Equal(sts.request.designators, want) {
				t.Errorf("asked %v, want %v", sts.request.designators, want)
			}
			if !bytes.Equal(token.Assertion(), sts.assertion) {
				t.Error("the assertion is not byte for byte as the STS wrote it")
			}
			checkToken(t, token, credentials)
		})
	}
}

func checkToken(t *testing.T, token *wsc.Token, credentials *wsc.Credentials) {
	t.Helper()
	if v, ok := token.Value(doctorNIHII); !ok || v != testpki.AliceNIHII {
		t.Errorf("nihii11: %q %v", v, ok)
	}
	if !token.Affirms(doctorBoolean) {
		t.Error("not a doctor")
	}
	if v, ok := token.Value(personSSIN); !ok || v != testpki.AliceSSIN {
		t.Errorf("ssin: %q %v", v, ok)
	}
	if token.Affirms(certified("urn:be:fgov:person:ssin:nurse:boolean")) || token.Values(certified("x")) != nil {
		t.Error("an attribute that nobody asked for")
	}
	if token.SignedBy().Kind() != certs.Service || token.Issuer() != wsc.DefaultIssuer || token.ID() == "" {
		t.Errorf("signed by %v, issuer %q", token.SignedBy().Kind(), token.Issuer())
	}
	if token.Holder().Fingerprint() != credentials.Holder().Fingerprint() || !credentials.Identity().SubjectIs([]byte(token.Subject())) {
		t.Error("holder or subject")
	}
	now := testpki.Now()
	if !token.NotBefore().Equal(now.Add(-5*time.Minute)) || !token.NotOnOrAfter().Equal(now.Add(24*time.Hour)) {
		t.Errorf("window %v to %v", token.NotBefore(), token.NotOnOrAfter())
	}
	if !token.Valid(now) || token.Valid(token.NotOnOrAfter()) || !token.Valid(token.NotBefore()) || token.Valid(token.NotBefore().Add(-1)) {
		t.Error("Valid is not [NotBefore, NotOnOrAfter)")
	}
}

func TestTokenIsImmutable(t *testing.T) {
	sts := newSTS(t)
	token, err := clientOf(t, nil).Token(t.Context(), sts.URL, alice(t), doctorRequest())
	if err != nil {
		t.Fatal(err)
	}
	clear(token.Assertion())
	token.Attributes()[0].Values[0] = "changed"
	token.Values(doctorNIHII)[0] = "changed"
	if !bytes.Equal(token.Assertion(), sts.assertion) || token.Attributes()[0].Values[0] == "changed" {
		t.Error("a caller can change a token")
	}
	checkToken(t, token, alice(t))
}

func TestUnknownAndLeftOut(t *testing.T) {
	sts := newSTS(t)
	surname := certified("urn:be:fgov:person:ssin:ehealth:1.0:surname")
	sts.issue = func(i *saml.Issue) {
		for k := range i.Attributes {
			if i.Attributes[k].Name == surname.Name {
				i.Attributes[k].Values = nil
			}
		}
		i.Attributes = slices.DeleteFunc(i.Attributes, func(s saml.Statement) bool { return s.Name == doctorBoolean.Name })
	}
	sts.status = func(s *saml.Status) {
		s.LeftOut = []saml.Statement{{Name: doctorBoolean.Name, Namespace: doctorBoolean.Namespace}}
	}
	token, err := clientOf(t, nil).Token(t.Context(), sts.URL, alice(t), &wsc.Request{Attributes: []attrs.Designator{surname, doctorBoolean}})
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := token.Value(surname); ok || v != "" || !slices.Equal(token.Values(surname), []string{""}) {
		t.Errorf("an unknown value is %q, %v", v, ok)
	}
	if !slices.Equal(token.LeftOut(), []attrs.Designator{doctorBoolean}) || token.Affirms(doctorBoolean) {
		t.Errorf("left out: %v", token.LeftOut())
	}
}

func TestOpen(t *testing.T) {
	pki := testpki.Load()
	sts := newSTS(t)
	client := clientOf(t, nil)
	token, err := client.Token(t.Context(), sts.URL, alice(t), doctorRequest())
	if err != nil {
		t.Fatal(err)
	}
	kept := append([]byte("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"), append(token.Assertion(), '\n')...)
	opened, err := client.Open(kept, signerOf(t, &pki.AliceEHealth))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(opened.Assertion(), sts.assertion) {
		t.Error("a prolog and a line end became part of the assertion")
	}
	checkToken(t, opened, alice(t))
	read, err := wsc.ReadToken(kept, signerOf(t, &pki.AliceEHealth))
	if err != nil {
		t.Fatal(err)
	}
	if read.SignedBy().Kind() != certs.Nobody || !bytes.Equal(read.Assertion(), sts.assertion) {
		t.Error("ReadToken")
	}
	if _, err := wsc.ReadToken(kept, signerOf(t, &pki.BobEHealth)); wsc.ReasonOf(err) != wsc.WrongHolder {
		t.Errorf("a token of somebody else: %v", err)
	}
	altered := bytes.Replace(kept, []byte(">true<"), []byte(">tru3<"), 1)
	if _, err := client.Open(altered, signerOf(t, &pki.AliceEHealth)); wsc.ReasonOf(err) != wsc.BadSignature {
		t.Errorf("an altered token: %v", err)
	}
	if id, err := client.SignedBy(altered); err == nil || id.Kind() != certs.Nobody {
		t.Errorf("SignedBy of an altered token: %v %v", id.Kind(), err)
	}
	if id, err := client.SignedBy(kept); err != nil || id.Application() != "" && id.Kind() != certs.Service {
		t.Errorf("SignedBy: %v %v", id.Kind(), err)
	}
	later := clientOf(t, func(c *wsc.Config) {
		c.Now = func() time.Time { return testpki.Now().Add(48 * time.Hour) }
	})
	if _, err := later.Open(kept, signerOf(t, &pki.AliceEHealth)); wsc.ReasonOf(err) != wsc.NotValidNow {
		t.Errorf("an expired token: %v", err)
	}
	if _, err := client.Open(kept, nil); wsc.ReasonOf(err) != wsc.BadCredentials {
		t.Errorf("no holder: %v", err)
	}
}

// Whatever names and values an STS writes, the token is what it wrote and says what
// it said (attacks.md H4).
func TestAssertionByteForByte(t *testing.T) {
	sts := newSTS(t)
	client, credentials := clientOf(t, nil), alice(t)
	text := rapid.StringOf(rapid.RuneFrom([]rune("ab0 <>&\"'\r\n\t;]é€𝄞")))
	rapid.Check(t, func(r *rapid.T) {
		values := rapid.SliceOfN(text, 1, 4).Draw(r, "values")
		name := "urn:x:" + rapid.StringMatching(`[a-z:.0-9&<>"']{1,40}`).Draw(r, "name")
		sts.issue = func(i *saml.Issue) {
			for k := range i.Attributes {
				if i.Attributes[k].Name == name {
					i.Attributes[k].Values = values
				}
			}
		}
		sts.sign(rapid.SampledFrom([]*testpki.Leaf{&testpki.Load().STS, &testpki.Load().STSP256}).Draw(r, "key"))
		token, err := client.Token(t.Context(), sts.URL, credentials, &wsc.Request{
			Attributes: []attrs.Designator{certified(name)}, Validity: time.Duration(rapid.IntRange(1, 1e6).Draw(r, "seconds")) * time.Second})
		if err != nil {
			r.Fatal(err)
		}
		if !bytes.Equal(token.Assertion(), sts.assertion) {
			r.Fatal("the assertion is not what the STS wrote")
		}
		if got := token.Values(certified(name)); !slices.Equal(got, values) {
			r.Fatalf("values %q, want %q", got, values)
		}
	})
}

// Client and Credentials serve many goroutines at once.
func TestConcurrentTokens(t *testing.T) {
	sts := newSTS(t)
	client, credentials := clientOf(t, nil), alice(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			token, err := client.Token(t.Context(), sts.URL, credentials, doctorRequest())
			if err != nil || !token.Affirms(doctorBoolean) {
				t.Error(err)
			}
		})
	}
	group.Wait()
}
