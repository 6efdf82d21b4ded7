package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"sceau/attrs"
	"sceau/internal/judge"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/soap"
	"sceau/sts"
	"sceau/sts/ststest"
	"sceau/wsc"
	"sceau/xmlsec"
)

// personal is what no explanation may show: names, numbers and values of the test PKI.
var personal = regexp.MustCompile(testpki.AliceSSIN + "|" + testpki.BobSSIN + "|" + testpki.AliceNIHII + "|(?i:alice|example,|bob|sample)|true")

// A bench makes messages that somebody brings to a support desk.
type bench struct {
	t       testing.TB
	dir     string
	fixture *ststest.Fixture
	pki     *testpki.PKI
}

func newBench(t testing.TB) *bench {
	b := &bench{t: t, dir: t.TempDir(), fixture: ststest.New(t, nil), pki: testpki.Load()}
	b.write("eid-ca.pem", b.pki.CitizenRoot.DER(), b.pki.CitizenCA.DER())
	b.write("ehealth-ca.pem", b.pki.EHealthRoot.DER(), b.pki.EHealthCA.DER())
	b.write("sts.pem", b.pki.STS.DER)
	b.write("other.pem", b.pki.Server.DER)
	return b
}

func (b *bench) write(name string, ders ...[]byte) { b.put(name, minipki.CertificatePEM(ders...)) }

func (b *bench) put(name string, content []byte) string {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// message is a request of Alice, changed.
func (b *bench) message(change func(*ststest.Query)) []byte {
	q := ststest.Query{Identity: &b.pki.AliceEID, Holder: &b.pki.AliceEHealth}
	if change != nil {
		change(&q)
	}
	return b.fixture.Message(b.t, q)
}

func query(change func(*saml.Query)) func(*ststest.Query) {
	return func(q *ststest.Query) { q.Change = change }
}

// answer is what the STS answers to a message.
func (b *bench) answer(message []byte) []byte {
	return b.fixture.Service.AttributeQuery(b.t.Context(), &sts.Message{Body: message}, nil).Body
}

// call is a call of a service with a token.
func (b *bench) call(assertion []byte, holder *testpki.Leaf, at time.Time) []byte {
	b.t.Helper()
	id := regexp.MustCompile(`AssertionID="([^"]+)"`).FindSubmatch(assertion)
	signer, err := soap.NewMessageSigner(xmlsec.SignerConfig{Key: holder.Key}, string(id[1]))
	if err != nil {
		b.t.Fatal(err)
	}
	out := soap.Outgoing{Content: []byte(`<q:Ask xmlns:q="urn:example:demo">` + testpki.AliceSSIN + `</q:Ask>`), Created: at, Expires: at.Add(time.Minute), Assertion: assertion, AssertionID: string(id[1])}
	message, err := out.Append(nil, signer)
	if err != nil {
		b.t.Fatal(err)
	}
	return message
}

func assertionIn(answer []byte) []byte {
	from, to := bytes.Index(answer, []byte("<Assertion ")), bytes.Index(answer, []byte("</Assertion>"))
	return answer[from : to+len("</Assertion>")]
}

func replace(t *testing.T, message []byte, old, new string) []byte {
	t.Helper()
	if !bytes.Contains(message, []byte(old)) {
		t.Fatalf("no %q to replace", old)
	}
	return bytes.Replace(message, []byte(old), []byte(new), 1)
}

// explained runs wsc explain on a message.
func (b *bench) explained(message []byte, args ...string) (status int, out, notes string) {
	b.t.Helper()
	file := b.put("message.xml", message)
	var stdout, stderr bytes.Buffer
	status = run(b.t.Context(), append([]string{"explain", file}, args...), strings.NewReader(""), &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

// fails finds the first check that an explanation says fails, and its cause.
func fails(out string) (check, cause string) {
	m := regexp.MustCompile(`(?m)^  FAILS  (.*)\n         cause: (.*)$`).FindStringSubmatch(out)
	if m == nil {
		return "", ""
	}
	return m[1], m[2]
}

// Broken messages of every kind: the explanation names the true cause of each, says what
// holds before it, and names nobody.
func TestExplain(t *testing.T) {
	b := newBench(t)
	now := testpki.Now()
	in := func(name string) string { return filepath.Join(b.dir, name) }
	at := []string{"--at", now.Format(time.RFC3339)}
	with := func(more ...string) []string { return append(append([]string{}, at...), more...) }
	trusting := with("--eid-ca", in("eid-ca.pem"), "--ehealth-ca", in("ehealth-ca.pem"), "--trust", in("sts.pem"))
	good := b.message(nil)
	answer := b.answer(good)
	request := b.put("request.xml", good)
	asked := append([]string{"--request", request}, trusting...)
	token := assertionIn(answer)
	bobs := func(q *ststest.Query) {
		q.Identity, q.Holder = &b.pki.BobEID, &b.pki.BobEHealth
		q.Change = func(s *saml.Query) {
			for _, list := range [][]saml.Statement{s.Identification, s.Designators} {
				for i := range list {
					if len(list[i].Values) > 0 {
						list[i].Values = []string{testpki.BobSSIN}
					}
				}
			}
		}
	}
	bobsRequest := b.put("bobs-request.xml", b.message(bobs))

	tests := []struct {
		name    string
		message []byte
		args    []string
		check   string // that fails; empty: none
		cause   string // in the cause
	}{
		{"a good request", good, trusting, "", ""},
		{"a good request, nothing known", good, at, "", ""},
		{"no XML", []byte("Bad Gateway"), at, checkXML, "outside the root element"},
		{"a document type", append([]byte("<!DOCTYPE a>"), good...), at, checkXML, "document type declaration"},
		{"cut off", good[:len(good)-20], at, checkXML, ""},
		{"SOAP 1.2", bytes.ReplaceAll(good, []byte(soap.NamespaceEnvelope), []byte("http://www.w3.org/2003/05/soap-envelope")), at, checkEnvelope, "SOAP 1.2"},
		{"a header block that nobody understands", replace(t, good, "<soapenv:Header>", `<soapenv:Header><x:Y xmlns:x="urn:x" soapenv:mustUnderstand="1"/>`), at, checkBlocks, "not understood"},
		{"two Security headers", replace(t, good, "<soapenv:Header>", `<soapenv:Header><w:Security xmlns:w="`+xmlsec.NamespaceWSSE+`"/>`), at, checkSecurity, "second Security header"},
		{"no Security header", regexp.MustCompile(`(?s)<soapenv:Header>.*</soapenv:Header>`).ReplaceAll(good, nil), at, checkSecurity, "no Security header"},
		{"a Timestamp that is none", replace(t, good, "<wsu:Created>2026", "<wsu:Created>20x6"), at, checkTimestamp, "Timestamp"},
		{"stale", b.message(func(q *ststest.Query) { q.At = now.Add(-20 * time.Minute) }), at, checkFresh, "message expired"},
		{"of a clock that is ahead", b.message(func(q *ststest.Query) { q.At = now.Add(20 * time.Minute) }), at, checkFresh, "message from the future"},
		{"a certificate of another authority", b.message(func(q *ststest.Query) { q.Identity = &b.pki.StrangerEID }), trusting, checkSender, "security token not trusted"},
		{"an expired card", b.message(func(q *ststest.Query) { q.Identity = &b.pki.ExpiredEID }), at, checkSender, "expired"},
		{"changed after it was signed", replace(t, good, ststest.DoctorBoolean, ststest.NurseBoolean), at, checkSignature, "digest mismatch"},
		{"SHA-1", b.message(func(q *ststest.Query) { q.HeaderSHA1 = true }), at, checkSignature, "algorithm refused"},
		{"no query", b.fixture.Seal(t, ststest.Query{Identity: &b.pki.AliceEID}, []byte(`<q:Ask xmlns:q="urn:q"/>`)), at, checkBody, "no samlp:Request"},
		{"SAML 2", b.fixture.Seal(t, ststest.Query{Identity: &b.pki.AliceEID}, replace(t, b.fixture.Request(t, ststest.Query{Identity: &b.pki.AliceEID, Holder: &b.pki.AliceEHealth}), `MajorVersion="1"`, `MajorVersion="2"`)), at, queryForm, "REQ-02"},
		{"issued yesterday", b.message(query(func(q *saml.Query) { q.IssueInstant = now.Add(-24 * time.Hour) })), at, queryFresh, "REQ-05"},
		{"the holder did not sign", b.message(func(q *ststest.Query) { q.Unsigned = true }), at, queryConfirmed, "no inner signature, and two certificates"},
		{"the holder signed something else", b.fixture.Seal(t, ststest.Query{Identity: &b.pki.AliceEID}, replace(t, b.fixture.Request(t, ststest.Query{Identity: &b.pki.AliceEID, Holder: &b.pki.AliceEHealth}), ststest.DoctorBoolean, ststest.NurseBoolean)), at, queryInner, "digest mismatch"},
		{"a holder of another authority", b.message(func(q *ststest.Query) { q.Holder = &b.pki.StrangerEID }), trusting, queryHolder, "REQ-06"},
		{"the subject is another", b.message(query(func(q *saml.Query) { q.Subject.Subject = "CN=Bob Sample" })), at, querySubject, "another subject name"},
		{"the issuer is another", b.message(query(func(q *saml.Query) { q.Issuer = "Egelke" })), at, queryIssuer, "REQ-08"},
		{"the wanted window is past", b.message(query(func(q *saml.Query) { q.NotBefore, q.NotOnOrAfter = now.Add(-2*time.Hour), now.Add(-time.Hour) })), at, queryWindow, "past"},
		{"somebody else's number", b.message(query(func(q *saml.Query) { q.Identification[1].Values = []string{testpki.BobSSIN} })), at, queryIdentification, "value is not that of the certificates: " + attrs.PersonSSIN},
		{"a number that is asked for and not given", b.message(query(func(q *saml.Query) { q.Identification = q.Identification[:1] })), at, queryIdentification, "asked for and not given"},
		{"nothing asked", b.message(query(func(q *saml.Query) { q.Designators = nil })), at, queryAsked, "REQ-11"},
		{"an attribute that nobody knows", b.message(func(q *ststest.Query) { q.Asked = []string{"urn:nobody:knows"} }), at, queryKnown, "REQ-12"},

		{"a good answer", answer, asked, "", ""},
		{"a good answer, nothing known", answer, at, "", ""},
		{"a token", token, trusting, "", ""},
		{"an answer that was changed", replace(t, answer, ">true<", ">no!!<"), trusting, answerIntact, "digest mismatch"},
		{"an answer of another STS", answer, with("--trust", in("other.pem")), answerSTS, "nobody trusted"},
		{"an answer to somebody else", answer, append([]string{"--request", bobsRequest}, trusting...), answerOurs, ""},
		{"a token for somebody else", token, append([]string{"--request", bobsRequest}, trusting...), answerHolder, "another certificate"},
		{"another issuer", token, append([]string{"--issuer", "urn:other"}, trusting...), answerIssuer, ""},
		{"an ended token", token, []string{"--trust", in("sts.pem"), "--at", now.Add(9 * time.Hour).Format(time.RFC3339)}, answerWindow, "until"},
		{"a token without signature", regexp.MustCompile(`(?s)<ds:Signature .*</ds:Signature>`).ReplaceAll(token, nil), trusting, answerSigned, "not signed"},
		{"two assertions", replace(t, answer, "</samlp:Response>", `<Assertion xmlns="urn:x"/></samlp:Response>`), trusting, answerOne, "several"},
		{"a refusal", b.answer(b.message(query(func(q *saml.Query) { q.Issuer = "Egelke" }))), trusting, checkSuccess, "REQ-08"},

		{"a good call", b.call(token, &b.pki.AliceEHealth, now), trusting, "", ""},
		{"a good call, nothing known", b.call(token, &b.pki.AliceEHealth, now), at, "", ""},
		{"a stale call", b.call(token, &b.pki.AliceEHealth, now.Add(-time.Hour)), trusting, checkFresh, "expired"},
		{"a call with an ended token", b.call(token, &b.pki.AliceEHealth, now.Add(9*time.Hour)), []string{"--at", now.Add(9 * time.Hour).Format(time.RFC3339)}, callWindow, "assertion expired"},
		{"a call with a token that was changed", b.call(replace(t, token, ">true<", ">no!!<"), &b.pki.AliceEHealth, now), trusting, callIntact, "digest mismatch"},
		{"a call with a token of another STS", b.call(token, &b.pki.AliceEHealth, now), with("--trust", in("other.pem")), callSTS, "not trusted"},
		{"a call with somebody else's token", b.call(token, &b.pki.BobEHealth, now), trusting, callSignature, "signature mismatch"},
		{"a call that was changed", replace(t, b.call(token, &b.pki.AliceEHealth, now), "urn:example:demo", "urn:example:else"), trusting, callSignature, "digest mismatch"},
		{"a call with two Timestamps", replace(t, b.call(token, &b.pki.AliceEHealth, now), "<wsu:Timestamp ", `<wsu:Timestamp/><wsu:Timestamp `), trusting, checkSecurity, "second Timestamp"},
		{"a call with another issuer", b.call(token, &b.pki.AliceEHealth, now), append([]string{"--issuer", "urn:other"}, trusting...), callIssuer, "issuer"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := &bench{t: t, dir: t.TempDir()}
			status, out, notes := b.explained(test.message, test.args...)
			if personal.MatchString(out + notes) {
				t.Errorf("%q is shown:\n%s%s", personal.FindString(out+notes), out, notes)
			}
			check, cause := fails(out)
			want := 0
			if test.check != "" {
				want = exitUnverified
			}
			if status != want || check != test.check || !strings.Contains(cause, test.cause) {
				t.Errorf("status %d, check %q, cause %q:\n%s%s", status, check, cause, out, notes)
			}
		})
	}
}

// What fails now is judged as at its making too: a message of last week is stale, and that
// is not what was wrong with it.
func TestExplainLater(t *testing.T) {
	b := newBench(t)
	_, out, _ := b.explained(b.message(query(func(q *saml.Query) { q.Issuer = "Egelke" })))
	if strings.Count(out, "FAILS") != 2 || !strings.Contains(out, "FAILS  "+checkFresh) && !strings.Contains(out, "FAILS  "+checkSender) || !strings.Contains(out, "FAILS  "+queryIssuer) ||
		!strings.Contains(out, "as at 2026-11-21 20:00:00 UTC") {
		t.Error(out)
	}
	_, out, _ = b.explained(b.message(nil))
	if strings.Count(out, "FAILS") != 1 || !strings.Contains(out, "holds  "+queryKnown) {
		t.Error(out)
	}
	status, out, _ := b.explained(b.message(query(func(q *saml.Query) { q.Issuer = "Egelke" })), "--at", "2026-11-21T20:00:00Z", "--client-name", "Egelke")
	if status != 0 || strings.Contains(out, "FAILS") {
		t.Error(out)
	}
	if status, out, _ := b.explained(b.message(func(q *ststest.Query) { q.HeaderSHA1, q.InnerSHA1 = true, true }), "--at", "2026-11-21T20:00:00Z", "--sha1"); status != 0 {
		t.Error(out)
	}
}

// Names, numbers and values are shown to who asks for them.
func TestExplainPersonal(t *testing.T) {
	b := newBench(t)
	message := b.message(nil)
	for _, message := range [][]byte{message, b.answer(message)} {
		_, out, _ := b.explained(message, "--personal", "--at", "2026-11-21T20:00:00Z")
		for _, text := range []string{testpki.AliceSSIN, "Alice"} {
			if !strings.Contains(out, text) {
				t.Errorf("no %s in\n%s", text, out)
			}
		}
	}
}

// Revocation is judged with CRLs, and said not to be without.
func TestExplainRevocation(t *testing.T) {
	b := newBench(t)
	crls := filepath.Join(b.dir, "crls")
	if err := os.Mkdir(crls, 0o700); err != nil {
		t.Fatal(err)
	}
	for i, crl := range b.pki.CRLs() {
		if err := os.WriteFile(filepath.Join(crls, fmt.Sprint(i)), crl, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"--at", "2026-11-21T20:00:00Z", "--eid-ca", filepath.Join(b.dir, "eid-ca.pem"), "--ehealth-ca", filepath.Join(b.dir, "ehealth-ca.pem")}
	revoked := b.message(func(q *ststest.Query) { q.Identity = &b.pki.RevokedEID })
	if _, out, _ := b.explained(revoked, args...); !strings.Contains(out, "- whether certificates are revoked") || strings.Contains(out, "FAILS  "+checkSender) {
		t.Error(out)
	}
	_, out, _ := b.explained(revoked, append(args, "--crl", crls)...)
	if !strings.Contains(out, "by the rules of Belgian eID: holds subject that the profile admits, validity, key, ") || !strings.Contains(out, "; fails revocation: certs: revoked") {
		t.Error(out)
	}
	if check, cause := fails(out); check != checkSender || !strings.Contains(cause, "revoked") {
		t.Error(out)
	}
	if status, out, _ := b.explained(b.message(nil), append(args, "--crl", crls)...); status != 0 {
		t.Error(out)
	}
}

// Every fault that a server of ours writes is explained, by the tables that it is
// written from.
func TestExplainFault(t *testing.T) {
	b := &bench{t: t, dir: t.TempDir()}
	for r := soap.Malformed; r <= soap.NoReplayState; r++ {
		f := soap.FaultOf(&soap.Error{Reason: r})
		f.ID = "17"
		status, out, notes := b.explained(soap.AppendFault(nil, f))
		if status != 0 || !strings.Contains(out, "  - "+r.String()+"\n") || !strings.Contains(out, f.SOA.Code+": "+f.SOA.Text) || !strings.Contains(out, "17 (by it") {
			t.Errorf("%v: status %d\n%s%s", r, status, out, notes)
		}
	}
	_, out, _ := b.explained([]byte(`<s:Envelope xmlns:s="` + soap.NamespaceEnvelope + `"><s:Body><s:Fault><faultcode>s:Server</faultcode><faultstring>no patient Alice ` + testpki.AliceSSIN + `</faultstring></s:Fault></s:Body></s:Envelope>`))
	if personal.MatchString(out) || !strings.Contains(out, "--personal shows them") {
		t.Error(out)
	}
}

// With the message that it refused, a fault is explained by its true cause.
func TestExplainFaultOf(t *testing.T) {
	b := newBench(t)
	stale := b.message(func(q *ststest.Query) { q.At = testpki.Now().Add(-20 * time.Minute) })
	fault := b.answer(stale)
	status, out, _ := b.explained(fault, "--request", b.put("request.xml", stale), "--at", "2026-11-21T20:00:00Z")
	if check, _ := fails(out); status != exitUnverified || check != checkFresh || !strings.Contains(out, "A SOAP fault") || personal.MatchString(out) {
		t.Error(out)
	}
}

// The tables have a check for everything that can be refused.
func TestExplainTables(t *testing.T) {
	for r := soap.Malformed; r <= soap.NotCovered; r++ {
		if requestReasons[r] == "" {
			t.Errorf("soap: %v", r)
		}
		if i := (&lastRecord{}); i.check(requestChecks()) != 0 {
			t.Error("an empty record")
		}
	}
	for r := wsc.NotResponse; r <= wsc.MissingAttribute; r++ {
		if answerReasons[r] == "" {
			t.Errorf("wsc: %v", r)
		}
	}
	for _, c := range append(requestChecks(), append(callChecks(), answerChecks(true, true, true)...)...) {
		if c.name == "" {
			t.Error("a check without name")
		}
	}
	e := &explanation{flags: &explainFlags{}}
	for text, shown := range map[string]bool{"request-00000000097": false, "00000000097": false, "_0123456789abcdef0123456789abcdef": true, "SOA-01001": true, "Alice Example": false,
		"request-12345678-1234-1234-1234-123456789012": true, "": false} {
		if got := e.label(text) == text; got != shown {
			t.Errorf("%q is shown: %v", text, got)
		}
	}
	for text, want := range map[string]string{"": "", "a1b": "a1b", "12345678": "…", "x1234567y": "x1234567y", "x123456789y12": "x…y12", "é00000000097": "é…"} {
		if got := mask(text); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// The messages of real clients are explained, whatever becomes of them.
func TestExplainSamples(t *testing.T) {
	files, err := filepath.Glob(judge.Shared(t, "samples", "ehealth", "*.xml"))
	if err != nil || len(files) == 0 {
		t.Skip("no shared samples")
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b := &bench{t: t, dir: t.TempDir()}
		status, out, notes := b.explained(content, "--sha1")
		if status != 0 && status != exitUnverified || len(out) < 200 {
			t.Errorf("%s: %d %s%s", filepath.Base(file), status, out, notes)
		}
		if personal.MatchString(out) {
			t.Errorf("%s: %q is shown", filepath.Base(file), personal.FindString(out))
		}
	}
}

// Whatever a file holds: no panic, and nothing on the terminal but text and lines
// (attacks.md Z10).
func FuzzExplain(f *testing.F) {
	b := newBench(f)
	message := b.message(nil)
	answer := b.answer(message)
	for _, seed := range [][]byte{message, answer, assertionIn(answer), b.call(assertionIn(answer), &b.pki.AliceEHealth, testpki.Now()),
		soap.AppendFault(nil, soap.FaultOf(&soap.Error{Reason: soap.Expired})), []byte("<a/>")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		var out bytes.Buffer
		e := &explanation{flags: &explainFlags{trust: trust{issuer: wsc.DefaultIssuer}}, out: &out, content: content, at: testpki.Now()}
		if err := e.explain(); err != nil && !errors.Is(err, errFails) {
			t.Fatal(err)
		}
		for _, r := range out.String() {
			if r == utf8.RuneError || r != '\n' && !unicode.IsGraphic(r) {
				t.Fatalf("%U reaches the terminal: %q", r, out.String())
			}
		}
	})
}
