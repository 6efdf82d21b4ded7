package wsc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/certs/certstest"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/soap"
	"sceau/wsc"
)

// Answers that must be refused, each with what believing it would mean.
func TestAnswerRefused(t *testing.T) {
	pki := testpki.Load()
	bob := saml.Name{Subject: "SERIALNUMBER=" + testpki.BobSSIN + ", GIVENNAME=Bob, SURNAME=Sample, CN=Bob Sample (Authentication), C=BE",
		Issuer: "SERIALNUMBER=202601, CN=TEST Citizen CA, C=BE"}
	signedBy := func(leaf *testpki.Leaf) func(*fakeSTS) { return func(s *fakeSTS) { s.sign(leaf) } }
	issue := func(f func(*saml.Issue)) func(*fakeSTS) { return func(s *fakeSTS) { s.issue = f } }
	mangle := func(old, new string) func(*fakeSTS) {
		return func(s *fakeSTS) {
			s.mangle = func(a []byte) []byte {
				if !bytes.Contains(a, []byte(old)) {
					s.t.Errorf("no %q to mangle", old)
				}
				return bytes.Replace(a, []byte(old), []byte(new), 1)
			}
		}
	}
	rewrite := func(old, new string) func(*fakeSTS) {
		return func(s *fakeSTS) {
			s.rewrite = func(bare string) string {
				if !strings.Contains(bare, old) {
					s.t.Errorf("no %q to rewrite", old)
				}
				return strings.Replace(bare, old, new, 1)
			}
		}
	}
	response := func(old, new string) func(*fakeSTS) {
		return func(s *fakeSTS) {
			s.respond = func(m *made) []byte {
				out := m.envelope(m.response())
				if !bytes.Contains(out, []byte(old)) {
					s.t.Errorf("no %q to replace", old)
				}
				return bytes.Replace(out, []byte(old), []byte(new), 1)
			}
		}
	}
	tests := []struct {
		name, achieves string
		change         func(*fakeSTS)
		want           wsc.Reason
	}{
		{"wrong InResponseTo", "the answer to another doctor's request is kept",
			func(s *fakeSTS) {
				s.respond = func(m *made) []byte { m.inResponseTo = "request-other"; return m.envelope(m.response()) }
			}, wsc.WrongInResponseTo},
		{"no InResponseTo", "an answer to nobody's request is kept",
			func(s *fakeSTS) {
				s.respond = func(m *made) []byte { m.inResponseTo = ""; return m.envelope(m.response()) }
			}, wsc.WrongInResponseTo},
		{"wrong InResponseTo in an error", "an old error hides the answer",
			func(s *fakeSTS) {
				s.status = func(st *saml.Status) { st.Code = "Requester" }
				s.respond = func(m *made) []byte {
					m.inResponseTo = "request-other"
					m.assertion = nil
					return m.envelope(m.response())
				}
			}, wsc.WrongInResponseTo},
		{"another Recipient", "an answer meant for another consumer is kept", response(` MajorVersion="1"`, ` Recipient="urn:other" MajorVersion="1"`), wsc.WrongRecipient},
		{"success without assertion", "no token is taken for one", func(s *fakeSTS) { s.mangle = func([]byte) []byte { return nil } }, wsc.NoAssertion},

		{"signed by a stranger", "anybody issues tokens", signedBy(&pki.StrangerEID), wsc.UntrustedSigner},
		{"signed by a holder certificate of the same CA", "any customer of the CA issues tokens (K7)", signedBy(&pki.AliceEHealth), wsc.UntrustedSigner},
		{"signed by an eID", "any citizen issues tokens (K8)", signedBy(&pki.AliceEID), wsc.UntrustedSigner},
		{"signed by another key, KeyInfo of the STS", "KeyInfo is believed instead of the signature (A6)",
			func(s *fakeSTS) { s.sign(&testpki.Leaf{DER: pki.STS.DER, Key: pki.OtherKey()}) }, wsc.BadSignature},
		{"KeyInfo with the issuer's name of the certificate only", "the key is chosen by what selects several",
			mangle("<ds:X509Certificate>"+base64Of(pki.STS.DER)+"</ds:X509Certificate>", "<ds:X509IssuerSerial><ds:X509IssuerName>CN=x</ds:X509IssuerName><ds:X509SerialNumber>1</ds:X509SerialNumber></ds:X509IssuerSerial>"), wsc.UntrustedSigner},
		{"no KeyInfo", "a key is guessed", func(s *fakeSTS) {
			s.mangle = func(a []byte) []byte {
				from, to := bytes.LastIndex(a, []byte("<ds:KeyInfo>")), bytes.LastIndex(a, []byte("</ds:Signature>"))
				return append(a[:from:from], a[to:]...)
			}
		}, wsc.UntrustedSigner},
		{"wrong issuer", "a test STS under the same CA issues for production", issue(func(i *saml.Issue) { i.Issuer = "urn:be:fgov:ehealth:sts:1_0:test" }), wsc.WrongIssuer},

		{"expired", "an old token is kept as a fresh one", issue(func(i *saml.Issue) {
			i.NotBefore, i.NotOnOrAfter = testpki.Now().Add(-2*time.Hour), testpki.Now().Add(-5*time.Minute)
		}), wsc.NotValidNow},
		{"not yet valid", "calls fail without saying why", issue(func(i *saml.Issue) { i.NotBefore = testpki.Now().Add(5*time.Minute + time.Second) }), wsc.NotValidNow},
		{"window upside down", "each end alone is in order", issue(func(i *saml.Issue) {
			i.NotBefore, i.NotOnOrAfter = testpki.Now().Add(time.Minute), testpki.Now().Add(time.Minute)
		}), wsc.NotValidNow},

		{"wrong holder", "a token that we cannot use, or that somebody else uses in our name", issue(func(i *saml.Issue) { i.Holder = pki.BobEHealth.DER }), wsc.WrongHolder},
		{"holder certificate of the same person, another key", "as above", issue(func(i *saml.Issue) { i.Holder = pki.AliceEHealthP256.DER }), wsc.WrongHolder},
		{"the identity certificate as holder", "as above", issue(func(i *saml.Issue) { i.Holder = pki.AliceEID.DER }), wsc.WrongHolder},
		{"wrong subject", "Alice acts as Bob", issue(func(i *saml.Issue) { i.Subject = bob }), wsc.WrongSubject},
		{"wrong issuer of the subject", "a person of the same names under another CA", issue(func(i *saml.Issue) { i.Subject.Issuer = "CN=Other CA, C=BE" }), wsc.WrongSubject},
		{"subject without name", "nobody is taken for everybody", issue(func(i *saml.Issue) { i.Subject = saml.Name{} }), wsc.WrongSubject},
		{"another SSIN echoed", "the names are Alice's, the number Bob's", issue(func(i *saml.Issue) { i.Attributes[1].Values = []string{testpki.BobSSIN} }), wsc.WrongSubject},
		{"attribute missing", "an application waits for an answer that never comes", issue(func(i *saml.Issue) { i.Attributes = i.Attributes[:3] }), wsc.MissingAttribute},
		{"attribute in the other namespace", "a claim passes as certified", issue(func(i *saml.Issue) { i.Attributes[3].Namespace = attrs.NamespaceIdentification }), wsc.MissingAttribute},
		{"attribute twice", "the reader chooses which", issue(func(i *saml.Issue) { i.Attributes = append(i.Attributes, i.Attributes[3]) }), wsc.BadAssertion},

		{"prefix declared outside the assertion", "the token is ill-formed when it travels alone", func(s *fakeSTS) {
			s.mangle = func(a []byte) []byte {
				a = bytes.ReplaceAll(a, []byte(` xmlns:ds="http://www.w3.org/2000/09/xmldsig#"`), nil)
				return a
			}
			s.respond = func(m *made) []byte {
				return bytes.Replace(m.envelope(m.response()), []byte("<soapenv:Body>"), []byte(`<soapenv:Body xmlns:ds="http://www.w3.org/2000/09/xmldsig#">`), 1)
			}
		}, wsc.NotSelfContained},
		{"default namespace declared outside the assertion", "the token is of no namespace when it travels alone", func(s *fakeSTS) {
			s.mangle = func(a []byte) []byte { return bytes.Replace(a, []byte(` xmlns="`+saml.NamespaceAssertion+`"`), nil, 1) }
			s.respond = func(m *made) []byte {
				return bytes.Replace(m.envelope(m.response()), []byte("<samlp:Response "), []byte(`<samlp:Response xmlns="`+saml.NamespaceAssertion+`" `), 1)
			}
		}, wsc.NotSelfContained},
		{"type name with a prefix declared outside", "the token means nothing definite when it travels alone", func(s *fakeSTS) {
			s.mangle = func(a []byte) []byte {
				return bytes.Replace(a, []byte("<AttributeValue>"), []byte(`<AttributeValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">`), 1)
			}
			s.respond = func(m *made) []byte {
				return bytes.Replace(m.envelope(m.response()), []byte("<soapenv:Body>"), []byte(`<soapenv:Body xmlns:xs="http://www.w3.org/2001/XMLSchema">`), 1)
			}
		}, wsc.NotSelfContained},

		{"not confirmed", "a bearer token: whoever has it uses it (H2)", func(s *fakeSTS) {
			s.rewrite = func(bare string) string {
				from, to := strings.Index(bare, "<SubjectConfirmation>"), strings.Index(bare, "</SubjectConfirmation>")
				return bare[:from] + bare[to+len("</SubjectConfirmation>"):]
			}
		}, wsc.WrongConfirmation},
		{"confirmed as bearer", "as above", rewrite(saml.HolderOfKey, "urn:oasis:names:tc:SAML:1.0:cm:bearer"), wsc.WrongConfirmation},
		{"confirmed by the sender's word", "any sender vouches for Alice", rewrite(saml.HolderOfKey, saml.SenderVouches), wsc.WrongConfirmation},
		{"second confirmation method", "the weaker one counts (H2)",
			rewrite("<ConfirmationMethod>", "<ConfirmationMethod>urn:oasis:names:tc:SAML:1.0:cm:bearer</ConfirmationMethod><ConfirmationMethod>"), wsc.WrongConfirmation},
		{"confirmation data", "something that nobody here reads confirms", rewrite("</ConfirmationMethod>", "</ConfirmationMethod><SubjectConfirmationData>x</SubjectConfirmationData>"), wsc.WrongConfirmation},
		{"empty KeyInfo of the holder", "any key will do (H2)",
			rewrite("<ds:X509Data><ds:X509Certificate>"+base64Of(pki.AliceEHealth.DER)+"</ds:X509Certificate></ds:X509Data>", ""), wsc.WrongConfirmation},
		{"two certificates of holders", "the other one uses our token (A6)",
			rewrite("</ds:X509Data></ds:KeyInfo></SubjectConfirmation>", "<ds:X509Certificate>"+base64Of(pki.BobEHealth.DER)+"</ds:X509Certificate></ds:X509Data></ds:KeyInfo></SubjectConfirmation>"), wsc.WrongConfirmation},
		{"attributes confirmed for another holder", "a reader of the AttributeStatement lets Bob use them",
			rewrite("</NameIdentifier></Subject><Attribute ", `</NameIdentifier><SubjectConfirmation><ConfirmationMethod>`+saml.HolderOfKey+`</ConfirmationMethod><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>`+
				base64Of(pki.BobEHealth.DER)+`</ds:X509Certificate></ds:X509Data></ds:KeyInfo></SubjectConfirmation></Subject><Attribute `), wsc.WrongHolder},
		{"attributes of another subject", "the statements are about two people", func(s *fakeSTS) {
			s.rewrite = func(bare string) string {
				at := strings.LastIndex(bare, "SERIALNUMBER="+testpki.AliceSSIN)
				return bare[:at] + strings.Replace(bare[at:], testpki.AliceSSIN, testpki.BobSSIN, 1)
			}
		}, wsc.WrongSubject},
		{"no AuthenticationStatement", "nothing is bound to a holder", func(s *fakeSTS) {
			s.rewrite = func(bare string) string {
				from, to := strings.Index(bare, "<AuthenticationStatement"), strings.Index(bare, "<AttributeStatement>")
				return bare[:from] + bare[to:]
			}
		}, wsc.WrongConfirmation},
		{"no Conditions", "a token for ever", func(s *fakeSTS) {
			s.rewrite = func(bare string) string {
				from, to := strings.Index(bare, "<Conditions"), strings.Index(bare, "<AuthenticationStatement")
				return bare[:from] + bare[to:]
			}
		}, wsc.NotValidNow},
		{"no end in Conditions", "as above", func(s *fakeSTS) {
			s.rewrite = func(bare string) string {
				from, to := strings.Index(bare, " NotOnOrAfter="), strings.Index(bare, "></Conditions>")
				return bare[:from] + bare[to:]
			}
		}, wsc.NotValidNow},
		{"a condition that nobody understands", "a limit of use is passed over (core 2.3.2.1.1)",
			rewrite("></Conditions>", "><DoNotCacheCondition></DoNotCacheCondition></Conditions>"), wsc.BadAssertion},
		{"assertion of SAML 1.0", "rules of another version apply", rewrite(` MinorVersion="1"`, ` MinorVersion="0"`), wsc.BadAssertion},
		{"values with elements", "a part of the value is taken for the whole (D1)", rewrite("<AttributeValue>true", "<AttributeValue><x></x>true"), wsc.BadAssertion},

		{"body is something else", "any XML is an answer", response("samlp:Response ", "samlp:Responce "), wsc.NotXML},
		{"response of SAML 1.0", "rules of another version apply", response(`MinorVersion="1" ResponseID`, `MinorVersion="0" ResponseID`), wsc.NotResponse},
		{"status of another namespace", "success of something else", response(`Value="samlp:Success"`, `Value="soapenv:Success"`), wsc.NotResponse},
		{"text in Body", "what is between is read by somebody else", response("<soapenv:Body>", "<soapenv:Body>x"), wsc.NotSOAP},
		{"two elements in Body", "one is verified, the other read", response("<soapenv:Body>", "<soapenv:Body><x/>"), wsc.NotSOAP},
		{"two bodies", "as above (W24)", response("</soapenv:Body>", "</soapenv:Body><soapenv:Body/>"), wsc.NotSOAP},
		{"SOAP 1.2", "another version's rules (W24)", func(s *fakeSTS) {
			s.respond = func(m *made) []byte {
				return bytes.ReplaceAll(m.envelope(m.response()), []byte(soap.NamespaceEnvelope), []byte("http://www.w3.org/2003/05/soap-envelope"))
			}
		}, wsc.NotSOAP},
		{"header block that must be understood", "a condition of the sender is passed over",
			response("<soapenv:Body>", `<soapenv:Header><x soapenv:mustUnderstand="1"/></soapenv:Header><soapenv:Body>`), wsc.NotSOAP},
		{"document type declaration", "entities are expanded, files read (Z1)", response("<soapenv:Envelope ", "<!DOCTYPE x><soapenv:Envelope "), wsc.NotXML},
	}
	verifier := certstest.Verifier(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sts := newSTSWith(t, verifier)
			test.change(sts)
			refused(t, sts, test.want)
		})
	}
}

// Answers of other forms that clients of the wire accept (wire document 3.1).
func TestAnswerAccepted(t *testing.T) {
	const timestamp = `<soapenv:Header><wsse:Security xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd" soapenv:mustUnderstand="1">` +
		`<wsu:Timestamp xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"/></wsse:Security></soapenv:Header><soapenv:Body>`
	tests := []struct {
		name   string
		change func(*fakeSTS)
	}{
		{"as our own STS writes it", func(*fakeSTS) {}},
		{"Timestamp in the header", func(s *fakeSTS) {
			s.respond = func(m *made) []byte {
				return bytes.Replace(m.envelope(m.response()), []byte("<soapenv:Body>"), []byte(timestamp), 1)
			}
		}},
		{"Recipient is the issuer of our assertion", func(s *fakeSTS) {
			s.respond = func(m *made) []byte {
				recipient := strings.ReplaceAll(s.request.issuer, `"`, "&quot;")
				return bytes.Replace(m.envelope(m.response()), []byte(` MajorVersion="1"`), []byte(` Recipient="`+recipient+`" MajorVersion="1"`), 1)
			}
		}},
		{"prefix soap, XML declaration, white space, comments outside", func(s *fakeSTS) {
			s.respond = func(m *made) []byte {
				out := bytes.ReplaceAll(m.envelope(m.response()), []byte("soapenv"), []byte("s"))
				out = bytes.ReplaceAll(out, []byte("<samlp:Status>"), []byte("\n  <!-- x --><samlp:Status>"))
				return append([]byte("<?xml version='1.0' encoding='utf-8'?>\n"), append(out, '\n')...)
			}
		}},
		{"signed with P-256", func(s *fakeSTS) { s.sign(&testpki.Load().STSP256) }},
		{"expired within the skew", func(s *fakeSTS) {
			s.issue = func(i *saml.Issue) { i.NotOnOrAfter = testpki.Now().Add(-4 * time.Minute) }
		}},
		{"Content-Type application/xml", func(s *fakeSTS) { s.headers = func(h http.Header) { h.Set("Content-Type", "application/xml") } }},
	}
	verifier := certstest.Verifier(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sts := newSTSWith(t, verifier)
			test.change(sts)
			token, err := clientOf(t, trusting(sts.verifier)).Token(t.Context(), sts.URL, alice(t), doctorRequest())
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(token.Assertion(), sts.assertion) {
				t.Error("not byte for byte")
			}
		})
	}
}

func TestStatusError(t *testing.T) {
	sts := newSTS(t)
	sts.mangle = func([]byte) []byte { return nil }
	sts.status = func(s *saml.Status) {
		*s = saml.Status{Code: "Requester", SubCode: "RequestDenied", Message: "REQ-13: Requested\n attribute\u009b31m \u202eis not permitted", AuditID: "20261121-1"}
	}
	for _, inResponseTo := range []bool{true, false} {
		sts.respond = func(m *made) []byte {
			if !inResponseTo {
				m.inResponseTo = ""
			}
			return m.envelope(m.response())
		}
		token, err := clientOf(t, trusting(sts.verifier)).Token(t.Context(), sts.URL, alice(t), doctorRequest())
		var status *wsc.StatusError
		if token != nil || !errors.As(err, &status) {
			t.Fatalf("%v, %v", token, err)
		}
		want := wsc.StatusError{Code: "Requester", SubCode: "RequestDenied", Message: "REQ-13: Requested attribute31m is not permitted",
			AuditID: "20261121-1", CorrelationID: "c0ffee"}
		if *status != want {
			t.Errorf("%+v", *status)
		}
	}
	// An error with an assertion is an error.
	sts.mangle, sts.respond = nil, nil
	var status *wsc.StatusError
	if token, err := clientOf(t, trusting(sts.verifier)).Token(t.Context(), sts.URL, alice(t), doctorRequest()); token != nil || !errors.As(err, &status) {
		t.Errorf("%v, %v", token, err)
	}
}

func TestFault(t *testing.T) {
	sts := newSTS(t)
	for _, code := range []int{500, 200} {
		sts.code = code
		sts.respond = func(*made) []byte {
			return soap.AppendFault(nil, soap.Fault{Code: soap.FaultMessageExpired, SOA: soap.SOATemporarily, ID: "audit-7", Environment: "Test"})
		}
		token, err := clientOf(t, trusting(sts.verifier)).Token(t.Context(), sts.URL, alice(t), doctorRequest())
		var fault *wsc.Fault
		if token != nil || !errors.As(err, &fault) {
			t.Fatalf("%v, %v", token, err)
		}
		want := wsc.Fault{Code: soap.FaultMessageExpired, Message: "SOA-02002: Service temporarily not available. Please try later",
			SOACode: "SOA-02002", ID: "audit-7", Retry: true, CorrelationID: "c0ffee"}
		if *fault != want || !fault.ElsewhereMaySucceed() {
			t.Errorf("%+v", *fault)
		}
	}
	sts.respond = func(*made) []byte {
		return soap.AppendClose(append(soap.AppendOpen(nil), "<soapenv:Fault><faultcode>Client.Odd</faultcode><faultstring>no</faultstring></soapenv:Fault>"...))
	}
	_, err := clientOf(t, trusting(sts.verifier)).Token(t.Context(), sts.URL, alice(t), doctorRequest())
	var fault *wsc.Fault
	if !errors.As(err, &fault) || fault.Code.Local != "Client.Odd" || fault.Message != "no" || fault.ElsewhereMaySucceed() {
		t.Errorf("a fault without detail: %v", err)
	}
}

// What can go wrong on the way. The server answers in the forms in which servers,
// proxies and attackers do.
func TestTransport(t *testing.T) {
	elsewhere := newSTS(t)
	elsewhere.raw = func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }
	release := make(chan struct{})
	defer close(release)
	write := func(code int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(code)
			fmt.Fprint(w, body)
		}
	}
	const xml = "text/xml; charset=utf-8"
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    wsc.Reason
	}{
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, wsc.Redirected},
		{"redirect to a GET", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusSeeOther) }, wsc.Redirected},
		{"huge body, length said", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", xml)
			w.Header().Set("Content-Length", "1000000000000")
			w.WriteHeader(200)
		}, wsc.TooLarge},
		{"huge body, length not said", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", xml)
			for r.Context().Err() == nil {
				if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<16)); err != nil {
					return
				}
			}
		}, wsc.TooLarge},
		{"compressed, though not asked (Z6)", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", xml)
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, "x")
		}, wsc.NotXML},
		{"slow to begin", func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}, wsc.TimedOut},
		{"slow to end", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", xml)
			fmt.Fprint(w, "<a>")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}, wsc.TimedOut},
		{"connection broken", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, wsc.Unreachable},
		{"error page of a proxy", write(502, "text/html", "<html><body>Bad Gateway</body></html>"), wsc.NotXML},
		{"not XML, though it says so", write(200, xml, "Bad Gateway"), wsc.NotXML},
		{"MIME package (D9)", write(200, `multipart/related; boundary=x; type="application/xop+xml"`, "--x"), wsc.NotXML},
		{"another charset (D7)", write(200, "text/xml; charset=utf-16", "<a/>"), wsc.NotXML},
		{"no content type", write(200, "", "<a/>"), wsc.NotXML},
		{"empty", write(200, xml, ""), wsc.NotXML},
		{"empty error", write(503, xml, ""), wsc.BadStatus},
		{"XML, but no SOAP", write(200, xml, "<a/>"), wsc.NotSOAP},
		{"an error status with something else than a fault", write(404, xml, string(soap.AppendClose(append(soap.AppendOpen(nil), "<a/>"...)))), wsc.BadStatus},
		{"empty Body", write(200, xml, string(soap.AppendClose(soap.AppendOpen(nil)))), wsc.NotResponse},
	}
	verifier := certstest.Verifier(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sts := newSTSWith(t, verifier)
			sts.raw = test.handler
			client := clientOf(t, func(c *wsc.Config) {
				c.Trust = verifier
				if test.want == wsc.TimedOut {
					c.Timeout = 50 * time.Millisecond
				}
			})
			token, err := client.Token(t.Context(), sts.URL, alice(t), doctorRequest())
			if token != nil || wsc.ReasonOf(err) != test.want {
				t.Errorf("%v (%v), want %v", wsc.ReasonOf(err), err, test.want)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		_, err := clientOf(t, nil).Token(t.Context(), "http://127.0.0.1:1/", alice(t), doctorRequest())
		if wsc.ReasonOf(err) != wsc.Unreachable {
			t.Error(err)
		}
	})
	t.Run("caller gives up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		sts := newSTS(t)
		sts.raw = func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }
		if _, err := clientOf(t, nil).Token(ctx, sts.URL, alice(t), doctorRequest()); wsc.ReasonOf(err) != wsc.Canceled {
			t.Error(err)
		}
	})
}

// An STS that bears the right name but is not valid any more, or too weak.
func TestUnfitSTS(t *testing.T) {
	pki := testpki.Load()
	template := minipki.EHealth(minipki.Holder{Type: "CBE", Value: testpki.ServiceCBE, Name: "EXAMPLE PLATFORM", Application: testpki.ServiceID})
	template.NotBefore, template.NotAfter = testpki.NotBefore(), testpki.Now().Add(-time.Hour)
	leaf := pki.Issue(pki.EHealthCA, template, pki.OtherKey())
	sts := newSTS(t)
	sts.sign(&leaf)
	refused(t, sts, wsc.UntrustedSigner)
}
