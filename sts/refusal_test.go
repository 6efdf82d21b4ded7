package sts_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/audit"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
	"sceau/policy"
	"sceau/saml"
	"sceau/soap"
	"sceau/sts"
	"sceau/sts/ststest"
	"sceau/xmlsec"
)

const identification = attrs.NamespaceIdentification

// TestCodes leads a request to every code of errors.go, and looks at the answer, the
// record and the source each time.
func TestCodes(t *testing.T) {
	pki := testpki.Load()
	session := ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealthP256}
	change := func(f func(q *saml.Query)) ststest.Query {
		q := session
		q.Change = f
		return q
	}
	// edited changes the text of the request before the header is signed: the inner
	// signature is left out, so both certificates are one.
	edited := func(replace ...string) func(*testing.T, *ststest.Fixture) []byte {
		return func(t *testing.T, f *ststest.Fixture) []byte {
			q := ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEIDP256}
			body := string(f.Request(t, q))
			changed := strings.NewReplacer(replace...).Replace(body)
			if changed == body {
				t.Fatal("nothing was replaced")
			}
			return f.Seal(t, q, []byte(changed))
		}
	}
	query := func(q ststest.Query) func(*testing.T, *ststest.Fixture) []byte {
		return func(t *testing.T, f *ststest.Fixture) []byte { return f.Message(t, q) }
	}
	const method = "<saml:ConfirmationMethod>" + saml.HolderOfKey + "</saml:ConfirmationMethod>"

	tested := map[sts.Code]bool{}
	for _, c := range []struct {
		name    string
		code    sts.Code
		stage   string
		message func(*testing.T, *ststest.Fixture) []byte
		config  func(*ststest.Fixture, *sts.Config)
	}{
		{name: "version 1.0", code: sts.VersionUnsupported, stage: "query", message: edited(`MajorVersion="1" MinorVersion="1" RequestID`, `MajorVersion="1" MinorVersion="0" RequestID`)},
		{name: "version 2.0", code: sts.VersionUnsupported, stage: "query", message: edited(`MajorVersion="1" MinorVersion="1" RequestID`, `MajorVersion="2" MinorVersion="0" RequestID`)},
		{name: "no IssueInstant", code: sts.RequestMalformed, stage: "query", message: edited(`" MajorVersion="1" MinorVersion="1" RequestID`, `" MajorVersion="1" MinorVersion="1" RequestID`, "IssueInstant=\"2026-11-21T20:00:00.000Z\" MajorVersion=\"1\" MinorVersion=\"1\" RequestID", "MajorVersion=\"1\" MinorVersion=\"1\" RequestID")},
		{name: "another query", code: sts.QueryUnsupported, stage: "query", message: edited("samlp:AttributeQuery", "samlp:AuthenticationQuery")},
		{name: "a resource", code: sts.QueryUnsupported, stage: "query", message: edited("<samlp:AttributeQuery>", `<samlp:AttributeQuery Resource="urn:x">`)},
		{name: "old IssueInstant", code: sts.RequestNotFresh, stage: "query", message: query(change(func(q *saml.Query) { q.IssueInstant = q.IssueInstant.Add(-12 * time.Minute) }))},
		{name: "future IssueInstant", code: sts.RequestNotFresh, stage: "query", message: query(change(func(q *saml.Query) { q.IssueInstant = q.IssueInstant.Add(2 * time.Minute) }))},

		{name: "H2 sender-vouches", code: sts.ConfirmationFailed, stage: "confirm", message: edited(saml.HolderOfKey, saml.SenderVouches)},
		{name: "H2 bearer", code: sts.ConfirmationFailed, stage: "confirm", message: edited(saml.HolderOfKey, "urn:oasis:names:tc:SAML:1.0:cm:bearer")},
		{name: "H2 no method", code: sts.ConfirmationFailed, stage: "confirm", message: edited(method, "")},
		{name: "H2 two methods", code: sts.ConfirmationFailed, stage: "confirm", message: edited(method, method+method)},
		{name: "H2 no SubjectConfirmation", code: sts.ConfirmationFailed, stage: "confirm", message: withoutElement(pki, "<saml:SubjectConfirmation>", "</saml:SubjectConfirmation>")},
		{name: "H2 no KeyInfo", code: sts.ConfirmationFailed, stage: "confirm", message: withoutElement(pki, "<ds:KeyInfo>", "</ds:KeyInfo>")},
		{name: "H2 empty KeyInfo", code: sts.ConfirmationFailed, stage: "confirm", message: withoutElement(pki, "<ds:X509Data>", "</ds:X509Data>")},
		{name: "H2 no SubjectConfirmationData", code: sts.ConfirmationFailed, stage: "confirm", message: withoutElement(pki, "<saml:SubjectConfirmationData>", "</saml:SubjectConfirmationData>")},
		{name: "H3 no inner signature", code: sts.ConfirmationFailed, stage: "confirm", message: query(ststest.Query{Identity: session.Identity, Holder: session.Holder, Unsigned: true})},
		{name: "H3 inner signature by another key", code: sts.ConfirmationFailed, stage: "confirm", message: func(t *testing.T, f *ststest.Fixture) []byte {
			thief := *session.Holder
			thief.Key = pki.OtherKeyP256()
			return f.Message(t, ststest.Query{Identity: session.Identity, Holder: &thief})
		}},
		{name: "H3 inner signature names another certificate", code: sts.ConfirmationFailed, stage: "confirm", message: func(t *testing.T, f *ststest.Fixture) []byte {
			// Alice's certificate is the holder's, Bob signs and shows his own.
			request := f.Request(t, ststest.Query{Identity: session.Identity, Holder: &pki.BobEHealth, Change: func(q *saml.Query) { q.Holder = pki.AliceEHealth.DER }})
			return f.Seal(t, session, request)
		}},
		{name: "SHA-1 inside without the switch", code: sts.ConfirmationFailed, stage: "confirm", message: query(ststest.Query{Identity: session.Identity, Holder: &pki.AliceEHealth, InnerSHA1: true})},
		{name: "holder's certificate revoked", code: sts.HolderNotTrusted, stage: "confirm", message: query(ststest.Query{Identity: session.Identity, Holder: &pki.RevokedEHealth})},
		{name: "holder's certificate expired", code: sts.HolderNotTrusted, stage: "confirm", message: query(ststest.Query{Identity: session.Identity, Holder: &pki.ExpiredEHealth})},
		{name: "K8 an STS certificate as holder", code: sts.HolderNotTrusted, stage: "confirm", message: query(ststest.Query{Identity: session.Identity, Holder: &pki.Server})},

		{name: "another subject", code: sts.SubjectMismatch, stage: "bind", message: query(change(func(q *saml.Query) { q.Subject.Subject = strings.Replace(q.Subject.Subject, "Alice", "Alicia", 1) }))},
		{name: "another issuer of the subject", code: sts.SubjectMismatch, stage: "bind", message: query(change(func(q *saml.Query) { q.Subject.Issuer = "CN=Somebody, C=BE" }))},
		{name: "another format", code: sts.SubjectMismatch, stage: "bind", message: edited(saml.FormatX509SubjectName, "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified")},
		{name: "D1 comment in the subject", code: sts.SubjectMismatch, stage: "bind", message: edited("C=BE</saml:NameIdentifier>", "C=BE<!-- -->, O=Extra</saml:NameIdentifier>")},
		{name: "another issuer", code: sts.IssuerMismatch, stage: "bind", message: query(change(func(q *saml.Query) { q.Issuer = "Egelke" }))},

		{name: "R4 past window", code: sts.WindowInvalid, stage: "bind", message: query(change(func(q *saml.Query) { q.NotBefore, q.NotOnOrAfter = q.NotBefore.Add(-2*time.Hour), q.NotBefore }))},
		{name: "R4 turned window", code: sts.WindowInvalid, stage: "bind", message: query(change(func(q *saml.Query) { q.NotBefore, q.NotOnOrAfter = q.NotOnOrAfter, q.NotBefore }))},
		{name: "R4 future window", code: sts.WindowInvalid, stage: "bind", message: query(change(func(q *saml.Query) { q.NotBefore = q.NotBefore.Add(time.Hour) }))},
		{name: "R4 no window", code: sts.WindowInvalid, stage: "bind", message: withoutElement(pki, " NotOnOrAfter=", `Z"`)},

		{name: "H4 another person", code: sts.IdentificationFailed, stage: "bind", message: query(change(func(q *saml.Query) { q.Identification[1].Values = []string{testpki.BobSSIN} }))},
		{name: "H4 another holder", code: sts.IdentificationFailed, stage: "bind", message: query(change(func(q *saml.Query) { q.Identification[0].Values = []string{testpki.BobSSIN} }))},
		{name: "H4 certified attribute claimed", code: sts.IdentificationFailed, stage: "bind", message: query(change(func(q *saml.Query) {
			q.Identification = append(q.Identification, saml.Statement{Name: ststest.DoctorBoolean, Namespace: attrs.NamespaceCertified, Values: []string{"true"}})
		}))},
		{name: "H4 two values", code: sts.IdentificationFailed, stage: "bind", message: query(change(func(q *saml.Query) { q.Identification[1].Values = []string{testpki.AliceSSIN, testpki.BobSSIN} }))},
		{name: "H4 given twice", code: sts.IdentificationFailed, stage: "bind", message: query(change(func(q *saml.Query) { q.Identification = append(q.Identification, q.Identification[1]) }))},
		{name: "H4 unknown identification", code: sts.IdentificationFailed, stage: "bind", message: query(change(func(q *saml.Query) { q.Identification[1].Name = "urn:unknown" }))},
		{name: "a hospital claimed by a person", code: sts.IdentificationFailed, stage: "bind", message: query(change(func(q *saml.Query) {
			q.Identification = append(q.Identification, saml.Statement{Name: "urn:be:fgov:ehealth:1.0:hospital:nihii-number", Namespace: identification, Values: []string{testpki.HospitalNIHII}})
		}))},
		{name: "asked for and not given", code: sts.IdentificationFailed, stage: "bind", message: query(change(func(q *saml.Query) { q.Identification = q.Identification[:1] }))},

		{name: "nothing asked", code: sts.NothingAsked, stage: "bind", message: query(change(func(q *saml.Query) { q.Designators = nil }))},
		{name: "unknown attribute", code: sts.AttributeUnknown, stage: "bind", message: query(change(func(q *saml.Query) { q.Designators[2].Name = "urn:unknown" }))},
		{name: "known attribute, other namespace", code: sts.AttributeUnknown, stage: "bind", message: query(change(func(q *saml.Query) { q.Designators[2].Namespace = identification }))},
		{name: "denied", code: sts.AttributeDenied, stage: "permit", message: query(session), config: func(_ *ststest.Fixture, c *sts.Config) {
			c.Policy = ststest.Permit{Maximum: time.Hour, Denied: []string{ststest.DoctorNIHII}}
		}},
		{name: "everything left out", code: sts.AttributeDenied, stage: "permit", message: query(session), config: func(_ *ststest.Fixture, c *sts.Config) {
			c.Policy = ststest.Permit{Maximum: time.Hour, OnDenied: policy.Omit,
				Denied: []string{ststest.DoctorNIHII, ststest.DoctorBoolean, attrs.PersonSSIN, attrs.CertificateHolderSSIN}}
		}},
		{name: "policy fails", code: sts.AttributeDenied, stage: "permit", message: query(session), config: func(_ *ststest.Fixture, c *sts.Config) { c.Policy = failingPolicy{} }},
		{name: "policy was not told a role", code: sts.SourceUnavailable, stage: "permit", message: query(session), config: func(_ *ststest.Fixture, c *sts.Config) { c.Policy = unansweredPolicy{} }},
		{name: "policy decides too little", code: sts.AttributeDenied, stage: "permit", message: query(session), config: func(_ *ststest.Fixture, c *sts.Config) { c.Policy = silentPolicy{} }},
		{name: "no time by the policy", code: sts.WindowInvalid, stage: "issue", message: query(session), config: func(_ *ststest.Fixture, c *sts.Config) { c.Policy = ststest.Permit{} }},
		{name: "source down", code: sts.SourceUnavailable, stage: "certify", message: query(session), config: func(f *ststest.Fixture, _ *sts.Config) {
			down := errors.New("down")
			f.Source.Fail.Store(&down)
		}},
		{name: "signer's certificate ended", code: sts.IssuanceFailed, stage: "issue", message: query(session), config: func(_ *ststest.Fixture, c *sts.Config) { c.SignerNotAfter = testpki.Now() }},
		{name: "signer's certificate not begun", code: sts.IssuanceFailed, stage: "issue", message: query(session), config: func(_ *ststest.Fixture, c *sts.Config) { c.SignerNotBefore = testpki.Now().Add(1) }},
	} {
		tested[c.code] = true
		if !slices.ContainsFunc(sts.Stages(), func(s sts.Stage) bool { return s.Name == c.stage }) {
			t.Errorf("no stage %s", c.stage)
		}
		t.Run(c.name, func(t *testing.T) {
			f := ststest.New(t, c.config)
			message := c.message(t, f)
			if c.config == nil && len(c.name) > 3 && c.name[2] == ' ' { // an attack of the list
				keep(t, c.name, c.code.String(), c.code.Message(), message)
			}
			a := f.Service.AttributeQuery(context.Background(), &sts.Message{Body: message}, []byte("before"))
			body := string(a.Body)
			status, sub := c.code.Status()
			if a.Status != http.StatusOK || !strings.HasPrefix(body, "before<") ||
				!strings.Contains(body, "<samlp:StatusMessage>"+c.code.Message()+"</samlp:StatusMessage>") ||
				!strings.Contains(body, `<samlp:StatusCode Value="samlp:`+status+`">`) || sub != "" && !strings.Contains(body, "samlp:"+sub) ||
				!strings.Contains(body, `InResponseTo="request-`) || strings.Contains(body, "<Assertion") {
				t.Fatalf("want %v, got %d\n%s", c.code, a.Status, body)
			}
			if c.code != sts.SourceUnavailable && c.code != sts.IssuanceFailed && c.stage != "issue" && f.Source.Asked.Load() != 0 {
				t.Error("a source was asked for a refused request")
			}
			entry := f.Record(t, a.Audit)
			if entry.Outcome != "refused" || entry.Code != c.code.String() || entry.Stage != c.stage || entry.Cause == "" || entry.AssertionID != "" {
				t.Errorf("record %+v", entry)
			}
			for _, secret := range []string{testpki.AliceSSIN, testpki.BobSSIN, testpki.AliceNIHII, "Alice"} {
				if strings.Contains(string(entry.Raw), secret) {
					t.Errorf("the record holds %s in clear", secret)
				}
			}
		})
	}
	for _, code := range sts.Codes() {
		if !tested[code] {
			t.Errorf("%v has no test", code)
		}
	}
}

// withoutElement takes a stretch out of a request that needs no inner signature.
func withoutElement(pki *testpki.PKI, from, to string) func(*testing.T, *ststest.Fixture) []byte {
	return func(t *testing.T, f *ststest.Fixture) []byte {
		q := ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEIDP256}
		body := string(f.Request(t, q))
		before, rest, ok := strings.Cut(body, from)
		_, after, ok2 := strings.Cut(rest, to)
		if !ok || !ok2 {
			t.Fatalf("no %s…%s in %s", from, to, body)
		}
		return f.Seal(t, q, []byte(before+after))
	}
}

type failingPolicy struct{}

func (failingPolicy) Release(context.Context, *policy.ReleaseRequest, *policy.Release) error {
	return errors.New("no decision")
}

// unansweredPolicy asked a source for a role, in vain.
type unansweredPolicy struct{}

func (unansweredPolicy) Release(context.Context, *policy.ReleaseRequest, *policy.Release) error {
	return &attrs.Error{Reason: attrs.DeadlineExceeded, Source: "registry"}
}

type silentPolicy struct{}

func (silentPolicy) Release(_ context.Context, _ *policy.ReleaseRequest, d *policy.Release) error {
	*d = policy.Release{MaximumValidity: time.Hour}
	return nil
}

// TestFaults: what fails before the query is known is a SOAP fault of the right code.
func TestFaults(t *testing.T) {
	pki := testpki.Load()
	good := ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealthP256}
	with := func(identity *testpki.Leaf) ststest.Query {
		return ststest.Query{Identity: identity, Holder: &pki.AliceEHealth}
	}
	for _, c := range []struct {
		name, code, soa string
		message         func(*testing.T, *ststest.Fixture) []byte
	}{
		{"not XML", "soapenv:Client", "SOA-03001", text("hello")},
		{"no message", "soapenv:Client", "SOA-03001", text("")},
		{"not SOAP", "soapenv:Client", "SOA-03002", text("<a/>")},
		{"SOAP 1.2", "soapenv:VersionMismatch", "SOA-03002", text(`<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body/></e:Envelope>`)},
		{"no header", "wsse:InvalidSecurity", "SOA-01001", text(`<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><a/></e:Body></e:Envelope>`)},
		{"stale", "wsu:MessageExpired", "SOA-01001", query(ststest.Query{Identity: good.Identity, Holder: good.Holder, At: testpki.Now().Add(-3 * time.Minute)})},
		{"future", "wsse:InvalidSecurity", "SOA-01001", query(ststest.Query{Identity: good.Identity, Holder: good.Holder, At: testpki.Now().Add(2 * time.Minute)})},
		{"K3 revoked eID", "wsse:FailedAuthentication", "SOA-01001", query(with(&pki.RevokedEID))},
		{"expired eID", "wsse:FailedAuthentication", "SOA-01001", query(with(&pki.ExpiredEID))},
		{"eID of the future", "wsse:FailedAuthentication", "SOA-01001", query(with(&pki.FutureEID))},
		{"K2 a stranger's CA with the same name", "wsse:FailedAuthentication", "SOA-01001", query(with(&pki.StrangerEID))},
		{"K8 a server's certificate", "wsse:FailedAuthentication", "SOA-01001", query(with(&pki.Server))},
		{"signed by another key", "wsse:FailedCheck", "SOA-01001", func(t *testing.T, f *ststest.Fixture) []byte {
			thief := pki.AliceEIDP256
			thief.Key = pki.OtherKeyP256()
			return f.Message(t, ststest.Query{Identity: &thief, Holder: good.Holder})
		}},
		{"SHA-1 without the switch", "wsse:UnsupportedAlgorithm", "SOA-01001", query(ststest.Query{Identity: &pki.AliceEID, Holder: good.Holder, HeaderSHA1: true})},
		{"another body", "soapenv:Client", "SOA-03005", func(t *testing.T, f *ststest.Fixture) []byte { return f.Seal(t, good, []byte(`<a xmlns="urn:a"/>`)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := ststest.New(t, nil)
			message := c.message(t, f)
			if len(message) > 100 {
				keep(t, c.name, c.code, c.soa, message)
			}
			a := f.Service.AttributeQuery(context.Background(), &sts.Message{Body: message}, nil)
			body := string(a.Body)
			if a.Status != http.StatusInternalServerError || !strings.Contains(body, ">"+c.code+"</faultcode>") || !strings.Contains(body, "<Code>"+c.soa+"</Code>") {
				t.Fatalf("want %s %s, got %d\n%s", c.code, c.soa, a.Status, body)
			}
			if f.Source.Asked.Load() != 0 {
				t.Error("a source was asked")
			}
			if entry := f.Record(t, a.Audit); entry.Outcome != "fault" || entry.Code != c.soa || entry.Cause == "" {
				t.Errorf("record %+v", entry)
			}
		})
	}
}

func text(s string) func(*testing.T, *ststest.Fixture) []byte {
	return func(*testing.T, *ststest.Fixture) []byte { return []byte(s) }
}

func query(q ststest.Query) func(*testing.T, *ststest.Fixture) []byte {
	return func(t *testing.T, f *ststest.Fixture) []byte { return f.Message(t, q) }
}

// TestReplay: R1, the same message twice, and at once.
func TestReplay(t *testing.T) {
	pki := testpki.Load()
	f := ststest.New(t, nil)
	message := f.Message(t, ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealthP256})
	if status, body := ask(f, message); status != http.StatusOK || !strings.Contains(body, "samlp:Success") {
		t.Fatalf("%d %s", status, body)
	}
	asked := f.Source.Asked.Load()
	if status, body := ask(f, message); status != http.StatusInternalServerError || !strings.Contains(body, "wsse:FailedCheck") {
		t.Fatalf("replayed: %d %s", status, body)
	}
	if f.Source.Asked.Load() != asked {
		t.Error("a source was asked for a replay")
	}

	message = f.Message(t, ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealthP256})
	const n = 16
	answers := make(chan string, n)
	for range n {
		go func() {
			_, body := ask(f, message)
			answers <- body
		}()
	}
	good := 0
	for range n {
		if strings.Contains(<-answers, "samlp:Success") {
			good++
		}
	}
	if good != 1 {
		t.Fatalf("%d of %d concurrent copies were certified", good, n)
	}
}

// TestUnrecorded: what cannot be recorded does not leave, neither a token nor a
// refusal.
func TestUnrecorded(t *testing.T) {
	pki := testpki.Load()
	f := ststest.New(t, func(_ *ststest.Fixture, c *sts.Config) { c.Journal = brokenJournal{} })
	for name, message := range map[string][]byte{
		"token":   f.Message(t, ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealthP256}),
		"refusal": f.Message(t, ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealthP256, Unsigned: true}),
		"fault":   []byte("hello"),
	} {
		status, body := ask(f, message)
		if status != http.StatusInternalServerError || !strings.Contains(body, "SOA-02002") || strings.Contains(body, "Assertion") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

type brokenJournal struct{}

func (brokenJournal) Record(context.Context, *audit.Event) error { return errors.New("disk full") }

// TestPanic: a request whose answering panics is on record, and nothing of it leaves.
func TestPanic(t *testing.T) {
	pki := testpki.Load()
	f := ststest.New(t, func(_ *ststest.Fixture, c *sts.Config) { c.Policy = panickingPolicy{} })
	message := f.Message(t, ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealthP256})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		ask(f, message)
	}()
	records := 0
	for entry, err := range audit.List(f.JournalDir, audit.Query{}) {
		if err != nil || entry.Outcome != "fault" || entry.Code != "SOA-00001" || entry.Stage != "permit" {
			t.Errorf("%+v %v", entry, err)
		}
		records++
	}
	if records != 1 {
		t.Errorf("%d records", records)
	}
	// The service goes on.
	config := f.Config
	config.Policy = ststest.Permit{Maximum: time.Hour}
	if err := f.Service.Replace(config); err != nil {
		t.Fatal(err)
	}
	if _, body := ask(f, f.Message(t, ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealthP256})); !strings.Contains(body, "samlp:Success") {
		t.Error(body)
	}
}

type panickingPolicy struct{}

func (panickingPolicy) Release(context.Context, *policy.ReleaseRequest, *policy.Release) error {
	panic("a defect")
}

// TestReplayStateFull: Z9, full means refuse.
func TestReplayStateFull(t *testing.T) {
	pki := testpki.Load()
	f := ststest.New(t, func(_ *ststest.Fixture, c *sts.Config) { c.Security.Replay = soap.NewMemoryReplay(0) })
	status, body := ask(f, f.Message(t, ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealthP256}))
	if status != http.StatusInternalServerError || !strings.Contains(body, "SOA-02002") || !strings.Contains(body, "<Retry>true</Retry>") {
		t.Fatalf("%d %s", status, body)
	}
}

// TestSHA1Switches: each switch opens its own signature and not the other.
func TestSHA1Switches(t *testing.T) {
	pki := testpki.Load()
	for _, c := range []struct{ header, inner bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
		f := ststest.New(t, func(_ *ststest.Fixture, config *sts.Config) {
			config.Security.Signature.SHA1, config.Inner.SHA1 = c.header, c.inner
		})
		for _, m := range []struct{ header, inner bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
			_, body := ask(f, f.Message(t, ststest.Query{Identity: &pki.AliceEID, Holder: &pki.AliceEHealth, HeaderSHA1: m.header, InnerSHA1: m.inner}))
			want := (!m.header || c.header) && (!m.inner || c.inner)
			if strings.Contains(body, "samlp:Success") != want {
				t.Errorf("switches %+v, message %+v: %s", c, m, body)
			}
		}
	}
}

// TestZeroProofs: the zero value of every proof proves nothing.
func TestZeroProofs(t *testing.T) {
	var signed soap.Signed
	if !signed.Body().IsZero() || signed.Token() != nil {
		t.Error("the zero Signed has a body")
	}
	var confirmed sts.Confirmed
	if confirmed.Mode() != 0 || confirmed.Holder().PublicKey() != nil || confirmed.Identity().Certificate() != nil {
		t.Error("the zero Confirmed is somebody")
	}
	var verified xmlsec.Verified
	if verified.Key() != nil || verified.Covers(signed.Body()) || verified.Signs(signed.Body()) {
		t.Error("the zero Verified covers something")
	}
	var decision policy.Decision
	if decision.Permitted() {
		t.Error("the zero Decision permits")
	}
	if _, err := sts.New(sts.Config{}); err == nil || !strings.Contains(err.Error(), "no certificate verifier") {
		t.Errorf("the zero Config: %v", err)
	}
}

// TestBareNIHII: H4, a care provider's number is no hospital's, whatever he claims.
func TestBareNIHII(t *testing.T) {
	pki := testpki.Load()
	provider := pki.Issue(pki.EHealthCA, minipki.EHealth(minipki.Holder{Type: "NIHII", Value: testpki.HospitalNIHII, Name: "A PROVIDER"}), pki.OtherKey())
	for _, name := range []string{"urn:be:fgov:ehealth:1.0:certificateholder:hospital:nihii-number", "urn:be:fgov:ehealth:1.0:hospital:nihii-number",
		"urn:be:fgov:ehealth:1.0:certificateholder:sortingcenter:nihii-number"} {
		f := ststest.New(t, nil)
		message := f.Message(t, ststest.Query{Identity: &pki.AliceEIDP256, Holder: &provider, Change: func(q *saml.Query) {
			q.Identification = []saml.Statement{{Name: name, Namespace: identification, Values: []string{testpki.HospitalNIHII}}}
			q.Designators = q.Identification
		}})
		if body := refusedWhole(t, f, &sts.Message{Body: message}, "being an organisation"); !strings.Contains(body, "REQ-10") {
			t.Errorf("%s: %s", name, body)
		}
	}
}

// TestSkewCannotGrow: R2, a message that is forgotten must not become fresh again.
func TestSkewCannotGrow(t *testing.T) {
	f := ststest.New(t, nil)
	config := f.Config
	config.Security.Timestamp.Skew += time.Second
	if err := f.Service.Replace(config); err == nil || !strings.Contains(err.Error(), "skew cannot grow") {
		t.Errorf("%v", err)
	}
	config.Security.Timestamp.Skew -= 2 * time.Second
	if err := f.Service.Replace(config); err != nil {
		t.Error(err)
	}
}

// TestClaimedSigner: a record names nobody as signer whose signature was not verified.
func TestClaimedSigner(t *testing.T) {
	pki := testpki.Load()
	f := ststest.New(t, nil)
	message := string(f.Message(t, ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealthP256}))
	at := strings.Index(message, "<ds:DigestValue>") + len("<ds:DigestValue>")
	other := "A"
	if message[at] == 'A' {
		other = "B"
	}
	a := f.Service.AttributeQuery(context.Background(), &sts.Message{Body: []byte(message[:at] + other + message[at+1:])}, nil)
	entry := f.Record(t, a.Audit)
	if entry.Outcome != "fault" || entry.Stage != "verify" || entry.Identity.Kind != "" || entry.Identity.Pseudonym != "" || entry.Identity.Certificate == "" {
		t.Errorf("%+v", entry)
	}
}
