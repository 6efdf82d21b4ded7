package message

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sceau/bench/load/measure"
	"sceau/certs"
	"sceau/saml"
	"sceau/soap"
	"sceau/xmlsec"
)

// first replaces the first match of a pattern, and fails when there is none.
func first(tb testing.TB, text []byte, pattern, with string) []byte {
	tb.Helper()
	found := regexp.MustCompile(pattern).FindSubmatchIndex(text)
	if found == nil {
		tb.Fatalf("no %s", pattern)
	}
	return append(append(bytes.Clone(text[:found[2]]), with...), text[found[3]:]...)
}

// TestAlteredAnswers: a good answer that is altered in any part that a client relies on is
// wrong, without a look at its signature.
func TestAlteredAnswers(t *testing.T) {
	shot, answer := good(t, 1)
	p := testPKI(t)
	number, _ := consumerIn(shot.ID)
	asker := p.consumers[number]
	other := p.consumers[0] // of another profile
	checker := newChecker(t, CheckerConfig{})
	check := func(name string, want measure.Class, status int, body []byte) {
		t.Helper()
		v := checker.Check(shot, status, body)
		if v.Class != want || v.Verified || (v.Why == "") != (want != measure.Wrong) {
			t.Errorf("%s: %+v", name, v)
		}
	}
	check("as it came", measure.Right, 200, answer)
	check("busy", measure.Busy, 503, nil)
	check("another status", measure.Wrong, 500, answer)
	check("nothing", measure.Wrong, 200, nil)
	check("text", measure.Wrong, 200, []byte("It works!"))
	check("truncated", measure.Wrong, 200, answer[:len(answer)-1])
	check("twice", measure.Wrong, 200, append(bytes.Clone(answer), answer...))
	check("the message itself", measure.Wrong, 200, shot.Body)

	assertion := string(answer[bytes.Index(answer, []byte("<Assertion")) : bytes.Index(answer, []byte("</Assertion>"))+len("</Assertion>")])
	for name, test := range map[string]struct{ pattern, with string }{
		"InResponseTo":       {`InResponseTo="([^"]*)"`, shot.ID + "0"},
		"no InResponseTo":    {`( InResponseTo="[^"]*")`, ""},
		"status":             {`Value="samlp:(Success)"`, "Requester"},
		"status namespace":   {`(xmlns:samlp="urn:oasis:names:tc:SAML:1.0:protocol")`, `xmlns:samlp="urn:x"`},
		"issuer":             {`Issuer="([^"]*)"`, "urn:be:fgov:ehealth:sts:1_1"},
		"issued for ever":    {`(<Conditions .*</Conditions>)`, ""},
		"past":               {`NotOnOrAfter="([^"]*)"`, "2020-01-01T00:00:00Z"},
		"future":             {`NotBefore="([^"]*)"`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)},
		"audience":           {`Conditions Not[^>]*>()`, "<AudienceRestrictionCondition><Audience>urn:x</Audience></AudienceRestrictionCondition>"},
		"subject":            {`<NameIdentifier [^>]*>([^<]*)<`, other.subject.Subject},
		"subject's issuer":   {`NameQualifier="([^"]*)"`, "CN=somebody"},
		"second subject":     {`<AttributeStatement><Subject><NameIdentifier [^>]*>([^<]*)<`, other.subject.Subject},
		"format":             {`Format="([^"]*)"`, "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"},
		"method":             {`<ConfirmationMethod>([^<]*)<`, "urn:oasis:names:tc:SAML:1.0:cm:bearer"},
		"holder":             {`<ds:X509Certificate>([^<]*)<`, base64.StdEncoding.EncodeToString(other.holder.Raw())},
		"identity as holder": {`<ds:X509Certificate>([^<]*)<`, base64.StdEncoding.EncodeToString(asker.identity.Raw())},
		"second bearer":      {`<AttributeStatement><Subject>.*?</NameIdentifier>()`, "<SubjectConfirmation><ConfirmationMethod>urn:oasis:names:tc:SAML:1.0:cm:bearer</ConfirmationMethod></SubjectConfirmation>"},
		"no holder":          {`(<SubjectConfirmation>.*</SubjectConfirmation>)`, ""},
		"no authentication":  {`(<AuthenticationStatement.*</AuthenticationStatement>)`, ""},
		"false":              {`:doctor:boolean[^>]*><AttributeValue>(true)<`, "false"},
		"no value":           {`:doctor:boolean[^>]*><AttributeValue>(true)<`, ""},
		"two values":         {`:doctor:boolean[^>]*>(<AttributeValue>true</AttributeValue>)`, "<AttributeValue>true</AttributeValue><AttributeValue>true</AttributeValue>"},
		"another number":     {`:nihii11[^>]*><AttributeValue>(\d*)<`, other.person.NIHII11},
		"another person":     {`:ssin" [^>]*><AttributeValue>(\d*)<`, other.person.SSIN},
		"another name":       {`:(nihii11)"`, "nihii12"},
		"another namespace":  {`:nihii11" AttributeNamespace="([^"]*)"`, "urn:be:fgov:identification-namespace"},
		"one less":           {`(<Attribute AttributeName="[^"]*nihii11".*</Attribute>)`, ""},
		"one more":           {`()</AttributeStatement>`, `<Attribute AttributeName="a" AttributeNamespace="b"><AttributeValue>c</AttributeValue></Attribute>`},
		"one for another":    {`(<Attribute AttributeName="[^"]*nihii11".*</Attribute>)`, `<Attribute AttributeName="a" AttributeNamespace="b"><AttributeValue>c</AttributeValue></Attribute>`},
		"comment":            {`:nihii11[^>]*><AttributeValue>()`, "<!-- -->"},
		"no assertion":       {`(<Assertion.*</Assertion>)`, ""},
		"two assertions":     {`</Assertion>()`, strings.ReplaceAll(assertion, "_", "_x")},
		"header":             {`envelope/">()<soapenv:Body`, `<soapenv:Header><a xmlns="urn:x" soapenv:mustUnderstand="1"/></soapenv:Header>`},
		"second in body":     {`()</soapenv:Body`, `<a/>`},
		"fault":              {`<soapenv:Body>(.*)</soapenv:Body`, `<soapenv:Fault><faultcode>soapenv:Server</faultcode></soapenv:Fault>`},
		"empty body":         {`<soapenv:Body>(.*)</soapenv:Body`, ""},
		"two bodies":         {`()</soapenv:Envelope`, "<soapenv:Body/>"},
		"document type":      {`^()`, "<!DOCTYPE a>"},
	} {
		check(name, measure.Wrong, 200, first(t, answer, test.pattern, test.with))
	}
	// What a server may do is right.
	for name, test := range map[string]struct{ pattern, with string }{
		"header":   {`envelope/">()<soapenv:Body`, `<soapenv:Header><a xmlns="urn:x"/></soapenv:Header>`},
		"line end": {`<ds:X509Certificate>.{64}()`, "\n"},
	} {
		check(name, measure.Right, 200, first(t, answer, test.pattern, test.with))
	}
	for hours, want := range map[time.Duration]measure.Class{-1: measure.Wrong, 1: measure.Right, 9: measure.Wrong} { // 8 were asked for
		clock := time.Now().Add(hours * time.Hour)
		if v := newChecker(t, CheckerConfig{Clock: clock}).Check(shot, 200, answer); v.Class != want {
			t.Errorf("%d hours later: %+v", hours, v)
		}
		if v := newChecker(t, CheckerConfig{Now: at(clock)}).Check(shot, 200, answer); v.Class != want {
			t.Errorf("%d hours later: %+v", hours, v)
		}
	}
	foreign := *shot
	foreign.ID = "request-5000.x.1"
	if v := checker.Check(&foreign, 200, bytes.ReplaceAll(answer, []byte(shot.ID), []byte(foreign.ID))); v.Class != measure.Wrong {
		t.Errorf("an answer to nobody: %+v", v)
	}
	nobody := *shot
	nobody.ID = ""
	if v := checker.Check(&nobody, 200, first(t, answer, `( InResponseTo="[^"]*")`, "")); v.Class != measure.Wrong {
		t.Errorf("an answer to nothing: %+v", v)
	}
}

// forge answers a shot with an assertion that another key signs and that is right in all else.
func forge(t *testing.T, shot *measure.Shot, key *xmlsec.Signer) []byte {
	t.Helper()
	p := testPKI(t)
	number, _ := consumerIn(shot.ID)
	c, now := p.consumers[number], time.Now()
	issue := saml.Issue{AssertionID: "_1", Issuer: p.Wire().Issuer, IssueInstant: now, NotBefore: now, NotOnOrAfter: now.Add(time.Hour),
		Subject: c.subject, Holder: c.holder.Raw(), Attributes: append([]saml.Statement{}, c.claimed...)}
	wire := p.Wire()
	for i := range wire.Asked {
		a := &wire.Asked[i]
		issue.Attributes = append(issue.Attributes, saml.Statement{Name: a.Name, Namespace: a.Namespace, Values: []string{a.value(c.person)}})
	}
	w := saml.Writer{Out: soap.AppendOpen(nil)}
	saml.OpenResponse(&w, "_2", shot.ID, now, &saml.Status{Code: "Success"})
	out, err := saml.AppendAssertion(w.Out, &issue, key)
	fatal(t, err)
	w.Out = out
	saml.CloseResponse(&w)
	return soap.AppendClose(w.Out)
}

// TestSignatures: of the sample, an assertion is right only with a good signature by a key of the
// target, and out of the sample its signature is not looked at.
func TestSignatures(t *testing.T) {
	shot, answer := good(t, 1)
	p := testPKI(t)
	number, _ := consumerIn(shot.ID)
	load := func(name string, info []byte) *xmlsec.Signer {
		path := filepath.Join(p.Dir(), folderPKI, name)
		key, err := certs.LoadSigner(certs.KeyConfig{Key: path + ".key", Certificate: path + ".pem", At: time.Now()})
		fatal(t, err)
		if info == nil {
			info = key.Certificate().Raw()
		}
		signer, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: key, KeyInfo: xmlsec.CertificateKeyInfo(info)})
		fatal(t, err)
		return signer
	}
	bare, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: p.consumers[number].holderKey})
	fatal(t, err)
	flipped := first(t, answer, `<ds:SignatureValue>[^<]{100}([^<])`, "A")
	if bytes.Equal(flipped, answer) {
		flipped = first(t, answer, `<ds:SignatureValue>[^<]{100}([^<])`, "B")
	}
	for name, test := range map[string]struct {
		answer []byte
		want   measure.Class
	}{
		"as it came":                   {answer, measure.Right},
		"our own":                      {forge(t, shot, load("sts-p256", nil)), measure.Right},
		"flipped":                      {flipped, measure.Wrong},
		"another validity":             {first(t, answer, `NotOnOrAfter="(\d{4})`, "2999"), measure.Wrong},
		"no signature":                 {first(t, answer, `(<ds:Signature .*</ds:Signature>)`, ""), measure.Wrong},
		"another reference":            {first(t, answer, `Reference URI="(#[^"]*)"`, "#none"), measure.Wrong},
		"the consumer's own key":       {forge(t, shot, p.consumers[number].inner), measure.Wrong},
		"another key, the certificate": {forge(t, shot, load("tls-server", p.signers[1])), measure.Wrong},
		"the TLS server's key":         {forge(t, shot, load("tls-server", nil)), measure.Wrong},
		"a second reference":           {first(t, answer, `</ds:Reference>()`, string(regexp.MustCompile(`<ds:Reference .*</ds:Reference>`).Find(answer))), measure.Wrong},
		"certificate of no base64":     {first(t, answer, `<ds:Signature .*<ds:X509Certificate>()`, "!"), measure.Wrong},
		"no KeyInfo":                   {forge(t, shot, bare), measure.Wrong},
	} {
		if v := newChecker(t, CheckerConfig{Sample: 1}).Check(shot, 200, test.answer); v.Class != test.want || v.Verified != (test.want == measure.Right) {
			t.Errorf("%s: %+v", name, v)
		}
		if v := newChecker(t, CheckerConfig{}).Check(shot, 200, test.answer); v.Class != measure.Right || v.Verified {
			t.Errorf("%s, not looked at: %+v", name, v)
		}
	}
	if v := newChecker(t, CheckerConfig{Sample: 1, Signers: [][]byte{p.signers[1]}}).Check(shot, 200, answer); v.Class != measure.Wrong {
		t.Errorf("signed by another key than the one of the target: %+v", v)
	}
}

// TestOtherAnswers: every kind of message has one right answer, and the right answer to one is
// wrong for the others.
func TestOtherAnswers(t *testing.T) {
	shot, success := good(t, 3)
	fault := func(code soap.FaultCode, soa soap.SOACode) []byte {
		return soap.AppendFault(nil, soap.Fault{Code: code, SOA: soa})
	}
	status := func(inResponseTo string, s saml.Status) []byte {
		w := saml.Writer{Out: soap.AppendOpen(nil)}
		saml.OpenResponse(&w, "_2", inResponseTo, time.Now(), &s)
		saml.CloseResponse(&w)
		return soap.AppendClose(w.Out)
	}
	unknown := saml.Status{Code: "Requester", Message: "REQ-12: Requested attribute is not known"}
	withAssertion := first(t, success, `Value="samlp:(Success)"`, "Requester")
	checker := newChecker(t, CheckerConfig{Sample: 1})
	for _, test := range []struct {
		code   string
		status int
		body   []byte
		right  []measure.Kind
	}{
		{labelSuccess, 200, success, []measure.Kind{measure.Query}},
		{"500 wsse:FailedCheck", 500, fault(soap.FaultFailedCheck, soap.SOANotAuthenticated), []measure.Kind{measure.BadSignature, measure.Replay}},
		{"500 wsu:MessageExpired", 500, fault(soap.FaultMessageExpired, soap.SOANotAuthenticated), []measure.Kind{measure.Replay}},
		{"500 soapenv:Client", 500, fault(soap.FaultClient, soap.SOAMalformed), []measure.Kind{measure.IllFormed}},
		{"400 soapenv:Client", 400, fault(soap.FaultClient, soap.SOAMalformed), nil},
		{"500 soapenv:Server", 500, fault(soap.FaultServer, soap.SOAServiceError), nil},
		{"200 REQ-12", 200, status(shot.ID, unknown), []measure.Kind{measure.UnknownAttribute}},
		{"200 REQ-12", 200, status(shot.ID+"1", unknown), nil},
		{"200 REQ-12", 200, status("", unknown), nil},
		{"200 samlp:Requester/RequestDenied", 200, status(shot.ID, saml.Status{Code: "Requester", SubCode: "RequestDenied"}), nil},
		{"200 ?", 200, status(shot.ID, saml.Status{Code: "Requester", Message: "REQ-" + strings.Repeat("1", 50)}), nil},
		{labelSuccess, 200, status(shot.ID, saml.Status{Code: "Success"}), nil},
		{"200 samlp:Requester", 200, withAssertion, nil},
		{labelSuccess, 200, status(shot.ID, saml.Status{Code: "Success", Message: unknown.Message}), nil},
		{"200 samlp:?", 200, status(shot.ID, saml.Status{Code: "R\u00e9", Message: "odd"}), nil},
		{"500 fault without code", 500, []byte(`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode><a/></faultcode></s:Fault></s:Body></s:Envelope>`), nil},
		{"500 other:Odd", 500, []byte(`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>Odd</faultcode></s:Fault></s:Body></s:Envelope>`), nil},
		{"500 other:Odd", 500, fault(soap.FaultCode{Namespace: "urn:x", Prefix: "x", Local: "Odd"}, soap.SOAServiceError), nil},
		{"200 no samlp:Response", 200, append(append(soap.AppendOpen(nil), "<a></a>"...), soap.AppendClose(nil)...), nil},
		{"200 no SOAP", 200, []byte("<html></html>"), nil},
		{"200 no XML", 200, []byte("<html>"), nil},
	} {
		for _, kind := range measure.Kinds() {
			if kind == measure.ColdCertificate && test.code == labelSuccess {
				continue // its certificates are in the message: the same answer is right
			}
			asked := *shot
			asked.Kind = kind
			want := measure.Wrong
			for _, right := range test.right {
				if right == kind {
					want = measure.Right
				}
			}
			if v := checker.Check(&asked, test.status, test.body); v.Class != want || v.Code != test.code {
				t.Errorf("%s to %s: %+v", test.code, kind, v)
			}
		}
	}
	if v := checker.Check(&measure.Shot{Kind: measure.UnknownAttribute}, 200, status("", unknown)); v.Class != measure.Wrong {
		t.Errorf("an answer to nothing: %+v", v)
	}
	busy := fault(soap.FaultServer, soap.SOATemporarily)
	for code, answer := range map[string]struct {
		status int
		body   []byte
	}{"503 SOA-02002": {503, busy}, "500 SOA-02002": {500, busy}, "503 no XML": {503, nil}, "503 samlp:Success": {503, success}} {
		for _, kind := range measure.Kinds() {
			asked := *shot
			asked.Kind = kind
			if v := checker.Check(&asked, answer.status, answer.body); v.Class != measure.Busy || v.Code != code {
				t.Errorf("%s to %s: %+v", code, kind, v)
			}
		}
	}
}

// TestCold: the answer to a cold certificate must be about that certificate, not about the one
// that its consumer usually has.
func TestCold(t *testing.T) {
	for i := range profiles() {
		s := service(t, testPKI(t), RSA2048, time.Now)
		maker := newMaker(t, MakerConfig{PKI: only(t, i), Mix: Mix{measure.ColdCertificate: 1}, Cold: 1})
		var ahead, later measure.Shot
		fatal(t, maker.Next(time.Time{}, &ahead))
		fatal(t, maker.Next(time.Time{}, &later))
		checker := newChecker(t, CheckerConfig{Sample: 1})
		for _, shot := range []*measure.Shot{&ahead, &later} {
			status, answer := ask(s, shot)
			if v := checker.Check(shot, status, answer); v.Class != measure.Right || !v.Verified {
				t.Errorf("profile %d: %+v", i, v)
			}
			warm := *shot
			warm.Kind = measure.Query
			if v := checker.Check(&warm, status, answer); v.Class != measure.Wrong {
				t.Errorf("profile %d, as if it was warm: %+v", i, v)
			}
			broken := *shot
			broken.Body = shot.Body[1:]
			if v := checker.Check(&broken, status, answer); v.Class != measure.Wrong {
				t.Errorf("profile %d, message unreadable: %+v", i, v)
			}
		}
	}
}

// TestSample: a share of the sequence is verified, spread evenly.
func TestSample(t *testing.T) {
	for share, want := range map[float64]int{0: 0, 0.01: 10, 0.25: 250, 0.5: 500, 1: 1000} {
		checker, taken, last := newChecker(t, CheckerConfig{Sample: share}), 0, -1
		for n := range 1000 {
			if checker.sampled(uint64(n)) {
				taken++
				if gap := float64(n - last); share*gap > 1+share {
					t.Errorf("share %v: a gap of %v", share, gap)
				}
				last = n
			}
		}
		if taken != want {
			t.Errorf("share %v: %d of 1000", share, taken)
		}
	}
}

// TestExpect: another server may refuse otherwise.
func TestExpect(t *testing.T) {
	answer := soap.AppendFault(nil, soap.Fault{Code: soap.FaultInvalidSecurity, SOA: soap.SOANotAuthenticated})
	checker := newChecker(t, CheckerConfig{Expect: map[measure.Kind][]string{measure.BadSignature: {"500 wsse:InvalidSecurity"}}})
	if v := checker.Check(&measure.Shot{Kind: measure.BadSignature}, 500, answer); v.Class != measure.Right {
		t.Errorf("%+v", v)
	}
	if v := checker.Check(&measure.Shot{Kind: measure.Replay}, 500, answer); v.Class != measure.Wrong {
		t.Errorf("%+v", v)
	}
}

// TestRefusalWithAssertion: a refusal that is expected is wrong when an assertion goes along.
func TestRefusalWithAssertion(t *testing.T) {
	shot, success := good(t, 3)
	checker := newChecker(t, CheckerConfig{Expect: map[measure.Kind][]string{measure.Query: {"200 samlp:Requester"}}})
	refusal := first(t, success, `Value="samlp:(Success)"`, "Requester")
	if v := checker.Check(shot, 200, refusal); v.Class != measure.Wrong {
		t.Errorf("%+v", v)
	}
	if v := checker.Check(shot, 200, first(t, refusal, `(<Assertion.*</Assertion>)`, "")); v.Class != measure.Right {
		t.Errorf("%+v", v)
	}
	empty := newChecker(t, CheckerConfig{})
	if v := empty.Check(shot, 200, first(t, success, `(<Assertion.*</Assertion>)`, "")); v.Class != measure.Wrong {
		t.Errorf("%+v", v)
	}
}

// TestAnswered: only a good query that was answered right is given to the ring.
func TestAnswered(t *testing.T) {
	shot, answer := good(t, 3)
	for _, test := range []struct {
		kind   measure.Kind
		status int
		want   bool
	}{{measure.Query, 200, true}, {measure.Query, 500, false}, {measure.Query, 503, false}, {measure.ColdCertificate, 200, false}} {
		ring := NewRing(1, time.Hour)
		asked := *shot
		asked.Kind = test.kind
		newChecker(t, CheckerConfig{Replay: ring}).Check(&asked, test.status, answer)
		if taken := ring.take(time.Now()); bytes.Equal(taken, shot.Body) != test.want {
			t.Errorf("%+v: %d octets", test, len(taken))
		}
	}
}

// TestCheckerRefused: a Checker that would judge nothing, or anything, is not made.
func TestCheckerRefused(t *testing.T) {
	p := testPKI(t)
	nan := 0.0
	for name, config := range map[string]CheckerConfig{
		"no PKI":       {},
		"sample":       {PKI: p, Sample: 1.1},
		"negative":     {PKI: p, Sample: -0.1},
		"no number":    {PKI: p, Sample: nan / nan},
		"no signer":    {PKI: p, Signers: [][]byte{}},
		"bad signer":   {PKI: p, Signers: [][]byte{{1}}},
		"unknown kind": {PKI: p, Expect: map[measure.Kind][]string{"odd": {"200"}}},
		"no label":     {PKI: p, Expect: map[measure.Kind][]string{measure.Query: nil}},
	} {
		if c, err := NewChecker(config); err == nil || c != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzCheck: whatever comes back, the Checker ends, calls right only what is verified, and never
// for two messages.
func FuzzCheck(f *testing.F) {
	shot, answer := good(f, 3)
	f.Add(200, answer)
	f.Add(500, soap.AppendFault(nil, soap.Fault{}))
	f.Add(503, []byte(nil))
	f.Add(200, []byte(fmt.Sprintf(`<a InResponseTo=%q>`, shot.ID)))
	checker := newChecker(f, CheckerConfig{Sample: 1})
	other := *shot
	other.ID = strings.TrimSuffix(shot.ID, "0") + "1"
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		v := checker.Check(shot, status, body)
		if v.Class == measure.Right && (!v.Verified || status != 200 || v.Code != labelSuccess) {
			t.Errorf("%+v", v)
		}
		if (v.Class == measure.Wrong) != (v.Why != "") || v.Code == "" || len(v.Code) > 200 {
			t.Errorf("%+v", v)
		}
		if v := checker.Check(&other, status, body); v.Class == measure.Right {
			t.Errorf("right for another message: %s", body)
		}
	})
}
