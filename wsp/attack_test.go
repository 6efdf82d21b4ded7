package wsp_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/soap"
	"sceau/wsp"
	"sceau/xmlsec"
)

// An attack is a message that must be refused, whatever the Guard remembers.
type attack struct {
	name    string // id of attacks.md first
	message string
	reason  wsp.Reason
	code    soap.FaultCode
	why     string // what it would have achieved
}

// run sends every attack to a Guard that knows nothing and to one that remembers the
// honest assertion, on which all of them build.
func run(t *testing.T, attacks []attack) {
	t.Helper()
	pki := testpki.Load()
	honest := call(t, issue(t, aliceIssue(pki.AliceEHealth.DER), &pki.STS), pki.AliceEHealth.Key, now.Add(-time.Second))
	for _, remembers := range []bool{false, true} {
		g := guard(t)
		if remembers {
			if _, err := g.Admit(honest, now); err != nil {
				t.Fatal(err)
			}
			g.Settle()
		}
		for _, a := range attacks {
			name := a.name
			if remembers {
				name += ", remembered"
			}
			t.Run(name, func(t *testing.T) {
				caller, err := g.Admit([]byte(a.message), now)
				if err == nil || !caller.IsZero() {
					t.Fatalf("admitted: %s", a.why)
				}
				if got := wsp.ReasonOf(err); got != a.reason {
					t.Errorf("refused as %q, want %q: %v", got, a.reason, err)
				}
				soa := "SOA-01001"
				if a.reason == wsp.BadMessage {
					soa = "SOA-0300"
				}
				if f := wsp.FaultOf(err); f.Code != a.code || !strings.HasPrefix(f.SOA.Code, soa) {
					t.Errorf("fault %s:%s %s, want %s:%s %s", f.Code.Prefix, f.Code.Local, f.SOA.Code, a.code.Prefix, a.code.Local, soa)
				}
			})
		}
	}
}

// forged is an assertion of the attacker's own making: Bob's key, Alice's office.
// inner stands where the signature stands in an honest one.
func forged(t testing.TB, id, inner string) string {
	t.Helper()
	pki := testpki.Load()
	i := aliceIssue(pki.BobEHealth.DER)
	i.AssertionID = id
	bare, _ := split(string(issue(t, i, &pki.STS)))
	open := strings.LastIndex(bare, "</")
	return bare[:open] + inner + bare[open:]
}

const evilID = "_evil"

// TestXSW wraps the signed assertion of Alice in the eight ways of Somorovsky et al.
// and some more, so that Bob would be admitted as Alice with his own key. Every
// message is signed well, by Bob.
func TestXSW(t *testing.T) {
	pki := testpki.Load()
	original := string(issue(t, aliceIssue(pki.AliceEHealth.DER), &pki.STS))
	bare, signature := split(original)
	with := func(child string) string { // the signature of the STS with something more in it
		return strings.Replace(signature, "</ds:Signature>", child+"</ds:Signature>", 1)
	}
	object := `<ds:Object>` + bare + `</ds:Object>`
	bob := pki.BobEHealth.Key
	sign := func(token string) string { return newDraft(token).sign(t, bob, evilID) }
	elsewhere := func(block, token string) string {
		d := newDraft(token)
		d.headers = block
		return d.sign(t, bob, evilID)
	}
	const why = "Bob is admitted as the doctor Alice"
	bad, failed, invalid, security := wsp.BadAssertionSignature, soap.FaultFailedCheck, soap.FaultInvalidSecurityToken, soap.FaultInvalidSecurity
	run(t, []attack{
		{"W1 XSW1 original inside the signature of the forged", sign(forged(t, evilID, with(bare))), bad, failed, why},
		{"W2 XSW2 original before the signature in the forged", sign(forged(t, evilID, bare+signature)), wsp.BadAssertion, invalid, why},
		{"W2 XSW2 original after the signature in the forged", sign(forged(t, evilID, signature+bare)), wsp.BadAssertion, invalid, why},
		{"W3 XSW3 forged before the original", sign(forged(t, evilID, "") + original), wsp.BadSecurity, security, why},
		{"W3 XSW3 forged after the original", sign(original + forged(t, evilID, "")), wsp.BadSecurity, security, why},
		{"W4 XSW4 original inside the forged", sign(forged(t, evilID, original)), wsp.BadAssertion, invalid, why},
		{"W5 XSW5 signature in the forged, original beside", sign(forged(t, evilID, signature) + bare), wsp.BadSecurity, security, why},
		{"W5 XSW5 signature in the forged, original in another header block", elsewhere(`<x:X xmlns:x="urn:x">`+bare+`</x:X>`, forged(t, evilID, signature)), wsp.UnsupportedAlgorithm, soap.FaultUnsupportedAlgorithm, why},
		{"W6 XSW6 signature in the forged, original in the signature", sign(forged(t, evilID, strings.Replace(signature, "<ds:KeyInfo>", bare+"<ds:KeyInfo>", 1))), bad, failed, why},
		{"W7 XSW7 original in extensions beside the forged", sign(`<x:Extensions xmlns:x="urn:x">` + original + `</x:Extensions>` + forged(t, evilID, "")), wsp.UnsupportedToken, soap.FaultUnsupportedToken, why},
		{"W7 XSW7 original in another header block", elsewhere(`<x:Extensions xmlns:x="urn:x">`+original+`</x:Extensions>`, forged(t, evilID, "")), wsp.UnsignedAssertion, invalid, why},
		{"W8 XSW8 original in an object of the signature of the forged", sign(forged(t, evilID, with(object))), bad, failed, why},
		{"W1 original as confirmation data of the forged", sign(strings.Replace(forged(t, evilID, signature), "</ConfirmationMethod>", "</ConfirmationMethod><SubjectConfirmationData>"+bare+"</SubjectConfirmationData>", 1)), wsp.UnconfirmedSubject, soap.FaultFailedAuthentication, why},
		{"W1 original as value of the forged", sign(strings.Replace(forged(t, evilID, signature), "<AttributeValue>true", "<AttributeValue>"+bare+"true", 1)), wsp.BadAssertion, invalid, why},
		{"W1 original as advice of the forged", sign(strings.Replace(forged(t, evilID, signature), "<AuthenticationStatement", "<Advice>"+bare+"</Advice><AuthenticationStatement", 1)), wsp.BadAssertion, invalid, why},
		{"W1 with the identifier of the original", newDraft(forged(t, assertionID, with(object))).sign2(t, bob, assertionID), wsp.BadMessage, soap.FaultClient, why},
		{"W1 forged with the original's identifier and signature", newDraft(forged(t, assertionID, signature)).sign(t, bob, assertionID), bad, failed, why},
	})
}

// sign2 signs a message whose text no strict parser reads: it is signed without the
// assertion and the assertion put in afterwards.
func (d draft) sign2(t testing.TB, key cryptoSigner, id string) string {
	t.Helper()
	token := d.token
	d.token = "<wsu:placeholder/>"
	return strings.Replace(d.sign(t, key, id), d.token, token, 1)
}

// honestParts gives Alice's honest message in its parts.
func honestParts(t testing.TB) (message, signature string, d draft) {
	t.Helper()
	pki := testpki.Load()
	d = newDraft(string(issue(t, aliceIssue(pki.AliceEHealth.DER), &pki.STS)))
	message = d.sign(t, pki.AliceEHealth.Key, assertionID)
	from := strings.LastIndex(message, "<ds:Signature ")
	to := strings.LastIndex(message, "</ds:Signature>") + len("</ds:Signature>")
	return message, message[from:to], d
}

// TestMessageWrapping moves the signed parts of Alice's call about (attacks.md W9 to
// W13, W24).
func TestMessageWrapping(t *testing.T) {
	message, signature, d := honestParts(t)
	evil := `<soapenv:Body wsu:Id="id-2"><t:Echo xmlns:t="urn:test">give me all</t:Echo></soapenv:Body>`
	same := strings.Replace(evil, "id-2", "id-1", 1)
	none := strings.Replace(evil, ` wsu:Id="id-2"`, "", 1)
	put := func(change func(*draft)) string {
		c := d
		change(&c)
		return strings.Replace(c.text(), "{signature}", signature, 1)
	}
	wrapped := func(body string) string { return `<x:W xmlns:x="urn:x">` + body + `</x:W>` }
	fresh := strings.NewReplacer("TS-1", "TS-2").Replace(d.timestamp)
	const body, stamp = "Alice's signature speaks for a body of the attacker", "an old message is fresh for ever"
	run(t, []attack{
		{"W9 body in a header block", put(func(c *draft) { c.headers, c.body = wrapped(d.body), none }), wsp.NotCovered, soap.FaultFailedCheck, body},
		{"W10 body in a header block, changed id", put(func(c *draft) { c.headers, c.body = wrapped(d.body), evil }), wsp.NotCovered, soap.FaultFailedCheck, body},
		{"W9 body in a header block, same id", put(func(c *draft) { c.headers, c.body = wrapped(d.body), same }), wsp.BadMessage, soap.FaultClient, body},
		{"W9 body itself as header block", put(func(c *draft) { c.headers, c.body = d.body, evil }), wsp.NotCovered, soap.FaultFailedCheck, body},
		{"W9 second body after", put(func(c *draft) { c.body = evil + d.body }), wsp.BadMessage, soap.FaultClient, body},
		{"W9 second body before", put(func(c *draft) { c.body = d.body + evil }), wsp.BadMessage, soap.FaultClient, body},
		{"W9 body in Security", put(func(c *draft) { c.token, c.body = d.token+d.body, evil }), wsp.UnsupportedToken, soap.FaultUnsupportedToken, body},
		{"W9 body in an object of the signature", strings.Replace(put(func(c *draft) { c.body = evil }), "</ds:Signature></wsse:Security>", "<ds:Object>"+d.body+"</ds:Object></ds:Signature></wsse:Security>", 1), wsp.BadSecurity, soap.FaultInvalidSecurity, body},
		{"W9 body in the body", put(func(c *draft) {
			c.body = `<soapenv:Body wsu:Id="id-2"><x:W xmlns:x="urn:x">` + d.body + `</x:W></soapenv:Body>`
		}), wsp.NotCovered, soap.FaultFailedCheck, body},
		{"W9 body in the assertion", put(func(c *draft) {
			c.token, c.body = strings.Replace(d.token, "<AttributeValue>true", "<AttributeValue>"+d.body+"true", 1), evil
		}), wsp.BadAssertion, soap.FaultInvalidSecurityToken, body},
		{"W9 two elements in the body", put(func(c *draft) {
			c.body = strings.Replace(d.body, "</soapenv:Body>", "<x:More xmlns:x=\"urn:x\"/></soapenv:Body>", 1)
		}), wsp.BadMessage, soap.FaultClient, body},
		{"W11 second timestamp", put(func(c *draft) { c.timestamp = d.timestamp + fresh }), wsp.BadSecurity, soap.FaultInvalidSecurity, stamp},
		{"W11 signed timestamp outside Security", put(func(c *draft) { c.headers, c.timestamp = wrapped(d.timestamp), fresh }), wsp.NotCovered, soap.FaultFailedCheck, stamp},
		{"W11 signed timestamp as header block", put(func(c *draft) { c.headers, c.timestamp = d.timestamp, fresh }), wsp.NotCovered, soap.FaultFailedCheck, stamp},
		{"W11 no timestamp", put(func(c *draft) { c.headers, c.timestamp = d.timestamp, "" }), wsp.BadSecurity, soap.FaultInvalidSecurity, stamp},
		{"W12 second Security header", put(func(c *draft) { c.headers = `<wsse:Security/>` }), wsp.BadSecurity, soap.FaultInvalidSecurity, "two readers take two headers"},
		{"W12 second Security header for next", put(func(c *draft) {
			c.headers = `<wsse:Security soapenv:actor="http://schemas.xmlsoap.org/soap/actor/next"/>`
		}), wsp.BadSecurity, soap.FaultInvalidSecurity, "two readers take two headers"},
		{"W12 second Security header, empty actor", put(func(c *draft) { c.headers = `<wsse:Security soapenv:actor=""/>` }), wsp.BadSecurity, soap.FaultInvalidSecurity, "two readers take two headers"},
		{"W12 the only Security header for somebody else", strings.Replace(message, `soapenv:mustUnderstand="1"`, `soapenv:actor="urn:other"`, 1), wsp.BadSecurity, soap.FaultInvalidSecurity, "a header that nobody judged"},
		{"W13 id again as Id", put(func(c *draft) { c.headers = `<x:X xmlns:x="urn:x" Id="id-1"/>` }), wsp.BadMessage, soap.FaultClient, "two readers resolve one reference in two ways"},
		{"W13 id again as ID", put(func(c *draft) { c.headers = `<x:X xmlns:x="urn:x" ID="id-1"/>` }), wsp.BadMessage, soap.FaultClient, "two readers resolve one reference in two ways"},
		{"W13 id again as AssertionID", put(func(c *draft) { c.headers = `<x:X xmlns:x="urn:x" AssertionID="TS-1"/>` }), wsp.BadMessage, soap.FaultClient, "two readers resolve one reference in two ways"},
		{"W13 AssertionID again as RequestID", put(func(c *draft) { c.headers = `<x:X xmlns:x="urn:x" RequestID="` + assertionID + `"/>` }), wsp.BadMessage, soap.FaultClient, "two readers resolve one reference in two ways"},
		{"W13 AssertionID again after normalisation", put(func(c *draft) { c.headers = `<x:X xmlns:x="urn:x" wsu:Id=" ` + assertionID + `&#9;"/>` }), wsp.BadMessage, soap.FaultClient, "two readers resolve one reference in two ways"},
		{"W24 SOAP 1.2", strings.ReplaceAll(message, soap.NamespaceEnvelope, "http://www.w3.org/2003/05/soap-envelope"), wsp.BadMessage, soap.FaultVersionMismatch, "a reader of another version sees another message"},
		{"W24 body of SOAP 1.2", put(func(c *draft) {
			c.body = strings.NewReplacer("<soapenv:Body", `<s:Body xmlns:s="http://www.w3.org/2003/05/soap-envelope"`, "</soapenv:Body", "</s:Body").Replace(d.body)
		}), wsp.BadMessage, soap.FaultClient, "a reader of another version sees another message"},
		{"W24 body before header", regexp.MustCompile(`(?s)(<soapenv:Header>.*</soapenv:Header>)(.*)(</soapenv:Envelope>)`).ReplaceAllString(message, "$2$1$3"), wsp.BadMessage, soap.FaultClient, "a reader that takes the first child"},
		{"W24 envelope in the body", put(func(c *draft) {
			c.body = `<soapenv:Body wsu:Id="id-2">` + strings.NewReplacer("id-1", "id-3", "TS-1", "TS-3", assertionID, "_x").Replace(message) + `</soapenv:Body>`
		}), wsp.BadSecurity, soap.FaultInvalidSecurity, "the inner message is taken for the outer"},
		{"D3 two roots", message + message, wsp.BadMessage, soap.FaultClient, "a reader that stops at the first"},
		{"Z1 document type", `<!DOCTYPE x [<!ENTITY e "x">]>` + message, wsp.BadMessage, soap.FaultClient, "entities"},
	})
}

// TestTokens exchanges, repeats and hides tokens (attacks.md W14 to W22).
func TestTokens(t *testing.T) {
	pki := testpki.Load()
	message, signature, d := honestParts(t)
	assertion := d.token
	bare, stsSignature := split(assertion)
	other := aliceIssue(pki.BobEHealth.DER)
	other.AssertionID = "_bob"
	bobs := string(issue(t, other, &pki.STS))
	bst := `<wsse:BinarySecurityToken EncodingType="` + xmlsec.EncodingBase64 + `" ValueType="` + xmlsec.ValueTypeX509v3 + `" wsu:Id="X509-1">` +
		string(regexp.MustCompile(`<ds:X509Certificate>(.*)</ds:X509Certificate>`).FindStringSubmatch(x509Data(pki.BobEHealth.DER))[1]) + `</wsse:BinarySecurityToken>`
	certificateSigner := func(key cryptoSigner) *xmlsec.Signer { return messageSigner(t, key, "") }
	with := func(token string) string {
		c := d
		c.token = token
		return strings.Replace(c.text(), "{signature}", signature, 1)
	}
	inHeader := func(token, child string) string {
		c := d
		c.token, c.headers = token, child
		return strings.Replace(c.text(), "{signature}", signature, 1)
	}
	resigned := func(change func(string) string) string { // the STS's own key over what is not its habit
		return with(change(bare))
	}
	const why = "a key or an assertion that was not judged is used"
	run(t, []attack{
		{"W14 X.509 token beside the assertion makes the signature", signText(t, func() string { c := d; c.token = assertion + bst; return c.text() }(), certificateSigner(pki.BobEHealth.Key), detached, "id-1", "TS-1", "X509-1"), wsp.UnsupportedToken, soap.FaultUnsupportedToken, why},
		{"W14 X.509 token alone", signText(t, func() string { c := d; c.token = bst; return c.text() }(), certificateSigner(pki.BobEHealth.Key), detached, "id-1", "TS-1", "X509-1"), wsp.UnsupportedToken, soap.FaultUnsupportedToken, why},
		{"W14 direct reference to the assertion", strings.Replace(message, `<wsse:KeyIdentifier ValueType="`+xmlsec.ValueTypeAssertionID+`">`+assertionID+`</wsse:KeyIdentifier>`, `<wsse:Reference URI="#`+assertionID+`"></wsse:Reference>`, 1), wsp.BadSecurity, soap.FaultInvalidSecurity, why},
		{"W14 reference to an assertion in another header block", inHeader(bobs, `<x:X xmlns:x="urn:x">`+assertion+`</x:X>`), wsp.BadSecurity, soap.FaultInvalidSecurity, why},
		{"W14 KeyIdentifier of another assertion", with(bobs), wsp.BadSecurity, soap.FaultInvalidSecurity, why},
		{"W14 KeyIdentifier of no assertion", strings.Replace(message, assertionID+`</wsse:KeyIdentifier>`, `_none</wsse:KeyIdentifier>`, 1), wsp.BadSecurity, soap.FaultInvalidSecurity, why},
		{"W14 KeyIdentifier of the body", strings.Replace(message, assertionID+`</wsse:KeyIdentifier>`, `id-1</wsse:KeyIdentifier>`, 1), wsp.BadSecurity, soap.FaultInvalidSecurity, why},
		{"W14 certificate of the key in KeyInfo", strings.Replace(message, `<wsse:SecurityTokenReference`, `<ds:X509Data><ds:X509Certificate>AAAA</ds:X509Certificate></ds:X509Data><wsse:SecurityTokenReference`, 1), wsp.BadSecurity, soap.FaultInvalidSecurity, why},
		{"assertion in the body", func() string {
			c := d
			c.token, c.body = "", `<soapenv:Body wsu:Id="id-1">`+assertion+`</soapenv:Body>`
			return c.sign(t, pki.AliceEHealth.Key, assertionID)
		}(), wsp.BadSecurity, soap.FaultInvalidSecurity, why},
		{"assertion in another header block", inHeader("", assertion), wsp.BadSecurity, soap.FaultInvalidSecurity, why},
		{"no assertion", with(""), wsp.BadSecurity, soap.FaultInvalidSecurity, why},
		{"W15 assertion twice", strings.Replace(message, assertion, assertion+assertion, 1), wsp.BadMessage, soap.FaultClient, why},
		{"W16 two assertions", with(assertion + bobs), wsp.BadSecurity, soap.FaultInvalidSecurity, why},
		{"W16 two assertions, the other first", with(bobs + assertion), wsp.BadSecurity, soap.FaultInvalidSecurity, why},
		{"W17 signature of the assertion beside it", with(bare + stsSignature), wsp.BadSecurity, soap.FaultInvalidSecurity, "where the signature stands decides what it covers"},
		{"W17 the message signature signs the assertion", newDraft(bare).sign(t, pki.AliceEHealth.Key, assertionID, assertionID), wsp.UnsignedAssertion, soap.FaultInvalidSecurityToken, "the holder speaks for the STS"},
		{"W18 two SignedInfo in the assertion", strings.Replace(message, `<ds:SignedInfo>`, `<ds:SignedInfo></ds:SignedInfo><ds:SignedInfo>`, 1), wsp.BadAssertionSignature, soap.FaultFailedCheck, why},
		{"W18 comment in a DigestValue of the assertion", strings.Replace(message, `<ds:DigestValue>`, `<ds:DigestValue><!--x-->`, 1), wsp.BadAssertion, soap.FaultInvalidSecurityToken, why},
		{"W18 element in a DigestValue of the assertion", strings.Replace(message, `<ds:DigestValue>`, `<ds:DigestValue><x:x xmlns:x="urn:x"/>`, 1), wsp.BadAssertionSignature, soap.FaultFailedCheck, why},
		{"W18 comment in a DigestValue of the message", replaceLast(message, `<ds:DigestValue>`, `<ds:DigestValue><!--x-->`), wsp.BadSecurity, soap.FaultInvalidSecurity, why},
		{"D1 comment in a value", strings.Replace(message, testpki.AliceSSIN+`</AttributeValue>`, `0000<!---->0000097</AttributeValue>`, 1), wsp.BadAssertion, soap.FaultInvalidSecurityToken, "a value is cut short"},
		{"W19 two references in the assertion, original message signature gone", signText(t, func() string {
			c := d
			open := strings.LastIndex(bare, "</")
			c.token = bare[:open] + "{signature}" + bare[open:]
			return strings.Replace(c.text(), "{signature}</wsse:Security>", "</wsse:Security>", 1)
		}(), stsSigner(t, &pki.STS), enveloped, assertionID, "TS-1"), wsp.BadSecurity, soap.FaultInvalidSecurity, "the attacker picks the reference"},
		{"W19 two references in the assertion", twoReferences(t, d, bare, assertionID, "TS-1"), wsp.BadAssertionSignature, soap.FaultFailedCheck, "the attacker picks the reference"},
		{"W19 one reference twice in the assertion", strings.Replace(message, `</ds:Reference>`, `</ds:Reference>`+regexp.MustCompile(`<ds:Reference .*?</ds:Reference>`).FindString(message), 1), wsp.BadAssertionSignature, soap.FaultFailedCheck, "the attacker picks the reference"},
		{"W19 reference to the whole document", strings.Replace(message, `<ds:Reference URI="#`+assertionID+`">`, `<ds:Reference URI="">`, 1), wsp.UnsupportedAlgorithm, soap.FaultUnsupportedAlgorithm, "the attacker picks the reference"},
		{"W20 signature in the signature of the assertion", strings.Replace(message, `</ds:SignatureValue><ds:KeyInfo><ds:X509Data>`, `</ds:SignatureValue><ds:KeyInfo>`+stsSignature+`<ds:X509Data>`, 1), wsp.UnsignedAssertion, soap.FaultInvalidSecurityToken, why},
		{"W20 second signature in the assertion", with(strings.Replace(assertion, `</Assertion>`, stsSignature+`</Assertion>`, 1)), wsp.BadAssertion, soap.FaultInvalidSecurityToken, why},
		{"W20 object in the signature of the assertion", with(strings.Replace(assertion, `</ds:Signature>`, `<ds:Object/></ds:Signature>`, 1)), wsp.BadAssertionSignature, soap.FaultFailedCheck, why},
		{"W20 manifest", with(strings.Replace(assertion, `<ds:Reference `, `<ds:Reference Type="http://www.w3.org/2000/09/xmldsig#Manifest" `, 1)), wsp.UnsupportedAlgorithm, soap.FaultUnsupportedAlgorithm, why},
		{"W20 second signature of the message", strings.Replace(message, signature, signature+strings.Replace(signature, "<ds:Signature ", `<ds:Signature Id="s" `, 1), 1), wsp.BadSecurity, soap.FaultInvalidSecurity, why},
		{"W21 no signature of the message", strings.Replace(message, signature, "", 1), wsp.BadSecurity, soap.FaultInvalidSecurity, "whoever has an assertion uses it"},
		{"W21 no signature in the assertion", resigned(func(s string) string { return s }), wsp.UnsignedAssertion, soap.FaultInvalidSecurityToken, "anybody makes an assertion"},
		{"W21 empty SignatureValue in the assertion", emptied(message, "SignatureValue", false), wsp.BadAssertionSignature, soap.FaultFailedCheck, why},
		{"W21 empty DigestValue in the assertion", emptied(message, "DigestValue", false), wsp.BadAssertionSignature, soap.FaultFailedCheck, why},
		{"W21 empty SignatureValue of the message", emptied(message, "SignatureValue", true), wsp.BadSecurity, soap.FaultInvalidSecurity, why},
		{"W21 empty DigestValue of the message", emptied(message, "DigestValue", true), wsp.BadSecurity, soap.FaultInvalidSecurity, why},
		{"W21 no reference in the assertion", regexp.MustCompile(`<ds:Reference URI="#_.*?</ds:Reference>`).ReplaceAllString(message, ""), wsp.BadAssertionSignature, soap.FaultFailedCheck, why},
		{"W21 no KeyInfo in the assertion", strings.Replace(message, x509Data(pki.STS.DER), "", 1), wsp.UnsignedAssertion, soap.FaultInvalidSecurityToken, why},
		{"W22 encrypted assertion", with(`<xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"/>` + assertion), wsp.UnsupportedToken, soap.FaultUnsupportedToken, "something is decrypted that nobody signed"},
		{"unsigned body", d.signOnly(t, pki.AliceEHealth.Key, "TS-1"), wsp.NotCovered, soap.FaultFailedCheck, "the body is the attacker's"},
		{"unsigned timestamp", d.signOnly(t, pki.AliceEHealth.Key, "id-1"), wsp.NotCovered, soap.FaultFailedCheck, "a captured message is fresh for ever"},
		{"A1 HMAC", strings.ReplaceAll(message, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"), wsp.UnsupportedAlgorithm, soap.FaultUnsupportedAlgorithm, "the public key is the secret"},
		{"T1 XSLT", strings.Replace(message, `<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature">`, `<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116">`, 1), wsp.UnsupportedAlgorithm, soap.FaultUnsupportedAlgorithm, "code runs"},
	})
}

// twoReferences makes an assertion whose signature by the STS has two good references.
func twoReferences(t testing.TB, d draft, bare string, ids ...string) string {
	t.Helper()
	open := strings.LastIndex(bare, "</")
	c := d
	c.token = bare[:open] + "{signature}" + bare[open:]
	token := signText(t, strings.Replace(c.text(), "{signature}</wsse:Security>", "</wsse:Security>", 1), stsSigner(t, &testpki.Load().STS), enveloped, ids...)
	from, to := strings.Index(token, "<Assertion "), strings.Index(token, "</Assertion>")+len("</Assertion>")
	return newDraft(token[from:to]).sign(t, testpki.Load().AliceEHealth.Key, assertionID)
}

// signOnly signs other parts than it should.
func (d draft) signOnly(t testing.TB, key cryptoSigner, ids ...string) string {
	t.Helper()
	return signText(t, d.text(), messageSigner(t, key, assertionID), detached, ids...)
}

func replaceLast(s, old, new string) string {
	at := strings.LastIndex(s, old)
	return s[:at] + new + s[at+len(old):]
}

// emptied empties the first or last element of a name.
func emptied(s, name string, last bool) string {
	all := regexp.MustCompile(`(<ds:`+name+`>)[^<]*(</ds:`+name+`>)`).FindAllStringIndex(s, -1)
	at := all[0]
	if last {
		at = all[len(all)-1]
	}
	return s[:at[0]] + "<ds:" + name + "></ds:" + name + ">" + s[at[1]:]
}

// TestHolder steals assertions and weakens their confirmation (attacks.md H1, H2, H5). What
// the STS would have to sign is signed by it here: the Guard does not rely on its habits.
func TestHolder(t *testing.T) {
	pki := testpki.Load()
	i := aliceIssue(pki.AliceEHealth.DER)
	assertion := string(issue(t, i, &pki.STS))
	sts := stsSigner(t, &pki.STS)
	alice := pki.AliceEHealth.Key
	change := func(old, new string) string {
		return newDraft(edited(t, i, sts, func(s string) string { return strings.Replace(s, old, new, 1) })).sign(t, alice, assertionID)
	}
	cut := func(pattern, with string) string {
		return newDraft(edited(t, i, sts, func(s string) string { return regexp.MustCompile(pattern).ReplaceAllString(s, with) })).sign(t, alice, assertionID)
	}
	method := "<ConfirmationMethod>" + saml.HolderOfKey + "</ConfirmationMethod>"
	keyInfo := regexp.MustCompile(`<ds:KeyInfo .*?</ds:KeyInfo>`).FindString(assertion)
	confirmation := "<SubjectConfirmation>" + method + keyInfo + "</SubjectConfirmation>"
	bobKey := strings.Replace(keyInfo, x509Data(pki.AliceEHealth.DER)[len("<ds:KeyInfo>"):], x509Data(pki.BobEHealth.DER)[len("<ds:KeyInfo>"):], 1)
	second := "</NameIdentifier></Subject><Attribute "
	failed := soap.FaultFailedAuthentication
	const stolen, weak, forgedIssuer = "whoever has an assertion uses it", "an assertion without proof of possession", "another STS speaks for ours"
	run(t, []attack{
		{"H1 stolen assertion, signature of another holder", newDraft(assertion).sign(t, pki.BobEHealth.Key, assertionID), wsp.BadSignature, soap.FaultFailedCheck, stolen},
		{"H1 stolen assertion, signature of a P-256 key", newDraft(assertion).sign(t, pki.AliceEHealthP256.Key, assertionID), wsp.BadSignature, soap.FaultFailedCheck, stolen},
		{"H1 stolen assertion, signature of the STS", newDraft(assertion).sign(t, pki.STS.Key, assertionID), wsp.BadSignature, soap.FaultFailedCheck, stolen},
		{"H1 holder exchanged in the assertion", newDraft(strings.Replace(assertion, keyInfo, bobKey, 1)).sign(t, pki.BobEHealth.Key, assertionID), wsp.BadAssertionSignature, soap.FaultFailedCheck, stolen},
		{"H2 sender-vouches", change(saml.HolderOfKey, saml.SenderVouches), wsp.UnconfirmedSubject, failed, weak},
		{"H2 sender-vouches without key", cut(regexp.QuoteMeta(method)+`<ds:KeyInfo .*?</ds:KeyInfo>`, "<ConfirmationMethod>"+saml.SenderVouches+"</ConfirmationMethod>"), wsp.UnconfirmedSubject, failed, weak},
		{"H2 bearer", change(saml.HolderOfKey, "urn:oasis:names:tc:SAML:1.0:cm:bearer"), wsp.UnconfirmedSubject, failed, weak},
		{"H2 method of SAML 2.0", change(saml.HolderOfKey, "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"), wsp.UnconfirmedSubject, failed, weak},
		{"H2 method with white space", change(saml.HolderOfKey, " "+saml.HolderOfKey), wsp.UnconfirmedSubject, failed, weak},
		{"H2 empty method", change(saml.HolderOfKey, ""), wsp.UnconfirmedSubject, failed, weak},
		{"H2 two methods", change(method, method+"<ConfirmationMethod>"+saml.SenderVouches+"</ConfirmationMethod>"), wsp.UnconfirmedSubject, failed, weak},
		{"H2 the method twice", change(method, method+method), wsp.UnconfirmedSubject, failed, weak},
		{"H2 no method", change(method, ""), wsp.UnconfirmedSubject, failed, weak},
		{"H2 no KeyInfo", change(keyInfo, ""), wsp.UnconfirmedSubject, failed, weak},
		{"H2 empty KeyInfo", change(keyInfo, `<ds:KeyInfo xmlns:ds="`+xmlsec.NamespaceDS+`"/>`), wsp.UnconfirmedSubject, failed, weak},
		{"H2 two keys", change("</ds:X509Certificate>", "</ds:X509Certificate>"+strings.TrimPrefix(strings.TrimSuffix(x509Data(pki.BobEHealth.DER), "</ds:X509Data></ds:KeyInfo>"), "<ds:KeyInfo><ds:X509Data>")), wsp.UnconfirmedSubject, failed, weak},
		{"H2 key by name", change(keyInfo, `<ds:KeyInfo xmlns:ds="`+xmlsec.NamespaceDS+`"><ds:KeyName>alice</ds:KeyName></ds:KeyInfo>`), wsp.UnconfirmedSubject, failed, weak},
		{"H2 key by issuer and serial", cut(`<ds:X509Certificate>.*?</ds:X509Certificate>`, `<ds:X509IssuerSerial><ds:X509IssuerName>CN=x</ds:X509IssuerName><ds:X509SerialNumber>1</ds:X509SerialNumber></ds:X509IssuerSerial>`), wsp.UnconfirmedSubject, failed, weak},
		{"H2 bare key", cut(`<ds:X509Data>.*?</ds:X509Data>`, rsaKeyValue(&pki.AliceEHealth)), wsp.UnconfirmedSubject, failed, weak},
		{"H2 no confirmation", change(confirmation, ""), wsp.UnconfirmedSubject, failed, weak},
		{"H2 no AuthenticationStatement", cut(`<AuthenticationStatement.*</AuthenticationStatement>`, ""), wsp.UnconfirmedSubject, failed, weak},
		{"H2 confirmation in the AttributeStatement only", newDraft(edited(t, i, sts, func(s string) string {
			s = regexp.MustCompile(`<AuthenticationStatement.*</AuthenticationStatement>`).ReplaceAllString(s, "")
			return strings.Replace(s, second, "</NameIdentifier>"+confirmation+"</Subject><Attribute ", 1)
		})).sign(t, alice, assertionID), wsp.UnconfirmedSubject, failed, weak},
		{"H2 confirmation data", change(method, method+"<SubjectConfirmationData>x</SubjectConfirmationData>"), wsp.UnconfirmedSubject, failed, weak},
		{"H2 attributes of a subject confirmed otherwise", change(second, "</NameIdentifier><SubjectConfirmation><ConfirmationMethod>"+saml.SenderVouches+"</ConfirmationMethod></SubjectConfirmation></Subject><Attribute "), wsp.UnconfirmedSubject, failed, weak},
		{"H2 attributes of a subject with another key", change(second, "</NameIdentifier>"+strings.Replace(confirmation, keyInfo, bobKey, 1)+"</Subject><Attribute "), wsp.UnconfirmedSubject, failed, weak},
		{"H2 attributes of another subject", newDraft(edited(t, i, sts, func(s string) string { return replaceLast(s, "CN=Alice", "CN=Bob") })).sign(t, alice, assertionID), wsp.UnconfirmedSubject, failed, "attributes of somebody else"},
		{"H2 attributes of a subject of another issuer", newDraft(edited(t, i, sts, func(s string) string { return replaceLast(s, "CN=TEST Citizen CA", "CN=Citizen CA") })).sign(t, alice, assertionID), wsp.UnconfirmedSubject, failed, "attributes of somebody else"},
		{"H2 attributes of nobody", cut(`<AttributeStatement><Subject>.*?</Subject>`, "<AttributeStatement><Subject>"+confirmation+"</Subject>"), wsp.UnconfirmedSubject, failed, "attributes of somebody else"},
		{"H5 wrong issuer", change(issuer, "urn:be:fgov:ehealth:sts:2_0"), wsp.WrongIssuer, failed, forgedIssuer},
		{"H5 issuer that begins as ours", change(issuer, issuer+".evil.example"), wsp.WrongIssuer, failed, forgedIssuer},
		{"H5 issuer in another case", change(issuer, strings.ToUpper(issuer)), wsp.WrongIssuer, failed, forgedIssuer},
		{"H5 no issuer", change(issuer, ""), wsp.WrongIssuer, failed, forgedIssuer},
		{"signed by nobody we trust", newDraft(string(issue(t, i, &pki.BobEHealth))).sign(t, alice, assertionID), wsp.UntrustedSTS, failed, forgedIssuer},
		{"A6 signed by another key under the certificate of the STS", newDraft(edited(t, i, stsSigner(t, &testpki.Leaf{DER: pki.STS.DER, Key: pki.BobEHealth.Key}), func(s string) string { return strings.Replace(s, "Example", "Exampel", 2) })).sign(t, alice, assertionID), wsp.BadAssertionSignature, soap.FaultFailedCheck, forgedIssuer},
		{"certificate of the STS unreadable", change0(assertion, pki.STS.DER, alice, t), wsp.UntrustedSTS, failed, forgedIssuer},
		{"version 1.0", change(`MinorVersion="1"`, `MinorVersion="0"`), wsp.BadAssertion, soap.FaultInvalidSecurityToken, "rules of another version"},
		{"no window", cut(`<Conditions .*?</Conditions>`, ""), wsp.BadAssertion, soap.FaultInvalidSecurityToken, "an assertion for ever"},
		{"no NotBefore", cut(` NotBefore="[^"]*"`, ""), wsp.BadAssertion, soap.FaultInvalidSecurityToken, "an assertion for ever"},
		{"no NotOnOrAfter", cut(` NotOnOrAfter="[^"]*"`, ""), wsp.BadAssertion, soap.FaultInvalidSecurityToken, "an assertion for ever"},
		{"unknown condition", change("</Conditions>", "<DoNotCacheCondition></DoNotCacheCondition></Conditions>"), wsp.BadAssertion, soap.FaultInvalidSecurityToken, "core 2.3.2.1.1"},
	})
}

// change0 breaks the certificate in the signature of an assertion.
func change0(assertion string, der []byte, key cryptoSigner, t testing.TB) string {
	t.Helper()
	good := x509Data(der)
	return newDraft(strings.Replace(assertion, good, strings.Replace(good, "MII", "AAA", 1), 1)).sign(t, key, assertionID)
}
