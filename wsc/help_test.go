package wsc_test

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/certs/certstest"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/soap"
	"sceau/wsc"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

func certified(name string) attrs.Designator {
	return attrs.Designator{Name: name, Namespace: attrs.NamespaceCertified}
}

var (
	doctorBoolean = certified("urn:be:fgov:person:ssin:doctor:boolean")
	doctorNIHII   = certified("urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11")
	personSSIN    = attrs.Designator{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification}
	holderSSIN    = attrs.Designator{Name: attrs.CertificateHolderSSIN, Namespace: attrs.NamespaceIdentification}
)

func signerOf(t testing.TB, leaf *testpki.Leaf) *certs.Signer {
	t.Helper()
	s, err := certs.NewSigner(leaf.Key, [][]byte{leaf.DER}, testpki.Now())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func credentialsOf(t testing.TB, mode wsc.Mode, identity, holder *testpki.Leaf) *wsc.Credentials {
	t.Helper()
	var by *certs.Signer
	if holder != nil {
		by = signerOf(t, holder)
	}
	c, err := wsc.NewCredentials(mode, signerOf(t, identity), by)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// alice is a doctor with her eID and the software's eHealth certificate.
func alice(t testing.TB) *wsc.Credentials {
	pki := testpki.Load()
	return credentialsOf(t, wsc.ModeSession, &pki.AliceEID, &pki.AliceEHealth)
}

// unmade stands for a Verifier that clientOf makes, unless the test says another, or
// none.
var unmade = new(certs.Verifier)

// trusting lets a client share a Verifier.
func trusting(v *certs.Verifier) func(*wsc.Config) { return func(c *wsc.Config) { c.Trust = v } }

func clientOf(t testing.TB, change func(*wsc.Config)) *wsc.Client {
	t.Helper()
	config := wsc.Config{Trust: unmade, Now: testpki.Now}
	if change != nil {
		change(&config)
	}
	if config.Trust == unmade {
		config.Trust = certstest.Verifier(t)
	}
	c, err := wsc.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// A fakeSTS is a token service of the tests: it verifies the request as the wire
// says and answers with what saml.AppendAssertion writes, unless a test changes it.
// What it does not like fails the test.
type fakeSTS struct {
	t        testing.TB
	verifier *certs.Verifier
	replay   soap.ReplayState
	signer   *xmlsec.Signer
	URL      string
	now      func() time.Time

	issue func(*saml.Issue) // changes the assertion before it is signed
	// rewrite changes the canonical text of the assertion, which is signed after.
	rewrite func(bare string) string
	status  func(*saml.Status)            // changes the status
	mangle  func(assertion []byte) []byte // changes the assertion after it was signed
	respond func(*made) []byte            // writes the whole answer
	headers func(http.Header)
	code    int
	raw     http.HandlerFunc // replaces everything

	mu        sync.Mutex
	message   []byte      // the last request
	header    http.Header // and its HTTP header
	assertion []byte      // the last assertion, as it was signed
	request   seenRequest // what was read in the request
}

// made is what an answer is made of.
type made struct {
	id, inResponseTo string
	assertion        []byte
	sts              *fakeSTS
}

type seenRequest struct {
	id          string
	inner       bool
	designators []attrs.Designator
	claimed     map[attrs.Designator][]string
	window      time.Duration
	issuer      string
	header      *certs.Certificate
}

func newSTS(t testing.TB) *fakeSTS {
	t.Helper()
	return newSTSWith(t, certstest.Verifier(t))
}

// newSTSWith shares a Verifier, which takes a while to make, with other STSs.
func newSTSWith(t testing.TB, verifier *certs.Verifier) *fakeSTS {
	t.Helper()
	s := &fakeSTS{t: t, verifier: verifier, replay: soap.NewMemoryReplay(1000), code: 200, now: testpki.Now}
	s.sign(&testpki.Load().STS)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// sign makes a leaf the one that signs assertions.
func (s *fakeSTS) sign(leaf *testpki.Leaf) {
	s.t.Helper()
	signer, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: leaf.Key, KeyInfo: xmlsec.CertificateKeyInfo(leaf.DER)})
	if err != nil {
		s.t.Fatal(err)
	}
	s.signer = signer
}

func (s *fakeSTS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.raw != nil {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not see that the client left
		s.raw(w, r)
		return
	}
	message, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.message, s.header = message, r.Header
	answer, err := s.answer(message)
	if err != nil {
		s.t.Errorf("the STS of the test refuses the request: %v", err)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.Header().Set("X-CorrelationID", "c0ffee")
	if s.headers != nil {
		s.headers(w.Header())
	}
	w.WriteHeader(s.code)
	_, _ = w.Write(answer)
}

// Key implements soap.Keys.
func (s *fakeSTS) Key(token *soap.Token) (crypto.PublicKey, error) {
	c, err := s.verifier.Parse(token.Certificate)
	if err != nil {
		return nil, err
	}
	identity, err := s.verifier.Identify(certs.RoleIdentity, c, nil, s.now())
	if err != nil {
		return nil, err
	}
	s.request = seenRequest{header: identity.Certificate()}
	return identity.PublicKey(), nil
}

func (s *fakeSTS) answer(message []byte) ([]byte, error) {
	envelope, err := soap.Parse(message, &soap.Config{Limits: xmltext.DefaultLimits()})
	if err != nil {
		return nil, err
	}
	defer envelope.Release()
	signed, err := envelope.Verify(&soap.Policy{Signature: xmlsec.DefaultPolicy(), Timestamp: soap.DefaultTimestampPolicy(),
		Replay: s.replay, Tokens: []soap.TokenKind{soap.X509}}, s, s.now())
	if err != nil {
		return nil, err
	}
	var request saml.Request
	if err := saml.ParseRequest(signed.Body(), &request); err != nil {
		return nil, err
	}
	var self saml.Assertion
	if err := saml.ParseAssertion(request.Subject.Confirmation.Data.FirstElement(), &self); err != nil {
		return nil, err
	}
	holder, err := s.check(&request, &self)
	if err != nil {
		return nil, err
	}
	issue := s.prepare(&request, &self, holder)
	if s.issue != nil {
		s.issue(issue)
	}
	if s.assertion, err = saml.AppendAssertion(nil, issue, s.signer); err != nil {
		return nil, err
	}
	if s.rewrite != nil {
		if s.assertion, err = s.resign(issue.AssertionID); err != nil {
			return nil, err
		}
	}
	m := &made{id: "_response", inResponseTo: s.request.id, assertion: s.assertion, sts: s}
	if s.mangle != nil {
		m.assertion = s.mangle(bytes.Clone(s.assertion))
	}
	if s.respond != nil {
		return s.respond(m), nil
	}
	return m.envelope(m.response()), nil
}

// resign signs the rewritten text of the assertion.
func (s *fakeSTS) resign(id string) ([]byte, error) {
	const end = "</Assertion>"
	whole := string(s.assertion)
	bare := s.rewrite(whole[:strings.LastIndex(whole, "<ds:Signature ")] + end)
	signed, err := s.signer.Append([]byte(strings.TrimSuffix(bare, end)), xmlsec.Part{ID: id, Canonical: []byte(bare), Enveloped: true})
	return append(signed, end...), err
}

func (m *made) response() []byte {
	status := saml.Status{Code: "Success"}
	if m.sts.status != nil {
		m.sts.status(&status)
	}
	var w saml.Writer
	saml.OpenResponse(&w, m.id, m.inResponseTo, m.sts.now(), &status)
	w.Raw(string(m.assertion))
	saml.CloseResponse(&w)
	return w.Out
}

func (m *made) envelope(content []byte) []byte {
	return soap.AppendClose(append(soap.AppendOpen(nil), content...))
}

var errWire = errors.New("not as the wire document says")

// check verifies what sections 2.2 and 6.3 of the wire document say, and reads it.
func (s *fakeSTS) check(request *saml.Request, self *saml.Assertion) ([]byte, error) {
	seen := &s.request
	seen.id = string(request.RequestID)
	seen.issuer = string(self.Issuer)
	seen.window = self.Conditions.NotOnOrAfter.Sub(self.Conditions.NotBefore)
	seen.claimed = map[attrs.Designator][]string{}
	confirmation := &request.Subject.Confirmation
	if string(confirmation.Method) != saml.HolderOfKey || !seen.header.SubjectIs(self.Issuer) {
		return nil, fmt.Errorf("confirmation or issuer: %w", errWire)
	}
	for _, n := range []*saml.NameIdentifier{&request.Subject.NameIdentifier, &self.AttributeSubject.NameIdentifier} {
		if string(n.Format) != saml.FormatX509SubjectName || !seen.header.SubjectIs(n.Value) || !seen.header.IssuerIs(n.NameQualifier) {
			return nil, fmt.Errorf("name identifier: %w", errWire)
		}
	}
	if self.AttributeSubject.Confirmed || self.Authenticated || !self.Signature.IsZero() || s.now().Sub(self.Conditions.NotBefore).Abs() > time.Minute {
		return nil, fmt.Errorf("self-issued assertion: %w", errWire)
	}
	info, err := xmlsec.ParseKeyInfo(confirmation.KeyInfo)
	if err != nil {
		return nil, err
	}
	der, err := xmlsec.AppendBase64(nil, info.Value)
	if err != nil {
		return nil, err
	}
	holder, err := s.verifier.Parse(der)
	if err != nil {
		return nil, err
	}
	if _, err := s.verifier.Identify(certs.RoleHolder, holder, nil, s.now()); err != nil {
		return nil, err
	}
	if seen.inner = !request.Signature.IsZero(); seen.inner {
		signature, err := xmlsec.ParseSignature(request.Signature)
		if err != nil {
			return nil, err
		}
		policy := xmlsec.DefaultPolicy()
		verified, err := signature.Verify(holder.PublicKey(), &policy)
		if err != nil {
			return nil, err
		}
		if !verified.Signs(request.Node) {
			return nil, fmt.Errorf("inner signature: %w", errWire)
		}
	} else if !bytes.Equal(der, seen.header.Raw()) {
		return nil, fmt.Errorf("inner signature absent: %w", errWire)
	}
	for _, d := range request.Designators() {
		seen.designators = append(seen.designators, attrs.Designator{Name: string(d.Name), Namespace: string(d.Namespace)})
	}
	for i, a := range self.Attributes() {
		d := attrs.Designator{Name: string(a.Name), Namespace: string(a.Namespace)}
		if seen.designators[i] != d {
			return nil, fmt.Errorf("identification attributes are not asked for first: %w", errWire)
		}
		for _, v := range a.Values {
			seen.claimed[d] = append(seen.claimed[d], string(v))
		}
	}
	return der, nil
}

// prepare writes down the answer that Alice the doctor gets.
func (s *fakeSTS) prepare(request *saml.Request, self *saml.Assertion, holder []byte) *saml.Issue {
	issue := &saml.Issue{
		AssertionID:  "_0123456789abcdef0123456789abcdef",
		Issuer:       wsc.DefaultIssuer,
		IssueInstant: s.now(),
		NotBefore:    self.Conditions.NotBefore.Add(-5 * time.Minute),
		NotOnOrAfter: self.Conditions.NotOnOrAfter,
		Subject:      saml.Name{Subject: s.request.header.Subject().String(), Issuer: s.request.header.Issuer().String()},
		Holder:       holder,
	}
	for _, d := range s.request.designators {
		st := saml.Statement{Name: d.Name, Namespace: d.Namespace, Values: slices.Clone(s.request.claimed[d])}
		switch d {
		case doctorBoolean:
			st.Values = []string{"true"}
		case doctorNIHII:
			st.Values = []string{testpki.AliceNIHII}
		}
		issue.Attributes = append(issue.Attributes, st)
	}
	return issue
}

func base64Of(der []byte) string { return base64.StdEncoding.EncodeToString(der) }

func discard() *log.Logger { return log.New(io.Discard, "", 0) }
