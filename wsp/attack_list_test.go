package wsp_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/certs"
	variants "sceau/internal/attack"
	"sceau/internal/judge"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/soap"
	"sceau/wsp"
	"sceau/xmlsec"
)

// TestSharedAttacks sends what the STS is attacked with: variants of the signature of the message and of that of the assertion.
// Most of them verify for a reader that only asks whether digests and values are right.
func TestSharedAttacks(t *testing.T) {
	message := aliceCall(t)
	header, err := variants.Message(message)
	if err != nil {
		t.Fatal(err)
	}
	assertion, err := variants.Enveloped(message)
	if err != nil {
		t.Fatal(err)
	}
	if len(header) < 20 || len(assertion) < 20 {
		t.Fatal(len(header), len(assertion), "variants")
	}
	for _, remembers := range []bool{false, true} {
		g := guard(t)
		if remembers {
			pki := testpki.Load()
			if _, err := g.Admit(call(t, issue(t, aliceIssue(pki.AliceEHealth.DER), &pki.STS), pki.AliceEHealth.Key, now.Add(-time.Second)), now); err != nil {
				t.Fatal(err)
			}
			g.Settle()
		}
		for what, list := range map[string][]variants.Variant{"message": header, "assertion": assertion} {
			for _, v := range list {
				t.Run(fmt.Sprintf("%s of the %s, remembered %v", v.Name, what, remembers), func(t *testing.T) {
					if caller, err := g.Admit(v.Message, now); err == nil || !caller.IsZero() {
						t.Error("admitted:", v.Gain)
					}
				})
			}
		}
	}
}

var (
	signedInfo     = regexp.MustCompile(`(?s)<ds:SignedInfo>.*?</ds:SignedInfo>`)
	signatureValue = regexp.MustCompile(`<ds:SignatureValue>[^<]*</ds:SignatureValue>`)
)

// changedLast replaces the last match, which is in the signature of the message.
func changedLast(s string, pattern *regexp.Regexp, with string) string {
	all := pattern.FindAllStringIndex(s, -1)
	at := all[len(all)-1]
	return s[:at[0]] + with + s[at[1]:]
}

// hmacWith signs Alice's message with HMAC, under a key that everybody has.
func hmacWith(message string, key []byte) string {
	infos := signedInfo.FindAllString(message, -1)
	info := strings.Replace(infos[len(infos)-1], xmlsec.RSASHA256.URI(), "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", 1)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(strings.Replace(info, "<ds:SignedInfo>", `<ds:SignedInfo xmlns:ds="`+xmlsec.NamespaceDS+`">`, 1)))
	message = changedLast(message, signedInfo, info)
	return changedLast(message, signatureValue, "<ds:SignatureValue>"+base64.StdEncoding.EncodeToString(mac.Sum(nil))+"</ds:SignatureValue>")
}

// TestAlgorithms attacks algorithms and keys (attacks.md A1 to A9).
func TestAlgorithms(t *testing.T) {
	pki := testpki.Load()
	message := string(aliceCall(t))
	leaf, err := certs.ParseCertificate(pki.AliceEHealth.DER)
	if err != nil {
		t.Fatal(err)
	}
	p256 := string(call(t, issue(t, aliceIssue(pki.AliceEHealthP256.DER), &pki.STS), pki.AliceEHealthP256.Key, now))
	value := func(m string, octets []byte) string {
		return changedLast(m, signatureValue, "<ds:SignatureValue>"+base64.StdEncoding.EncodeToString(octets)+"</ds:SignatureValue>")
	}
	all := signatureValue.FindAllString(p256, -1)
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(strings.TrimPrefix(all[len(all)-1], "<ds:SignatureValue>"), "</ds:SignatureValue>"))
	if err != nil || len(raw) != 64 {
		t.Fatal(err, len(raw))
	}
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])})
	if err != nil {
		t.Fatal(err)
	}
	method := func(uri string) string {
		return strings.ReplaceAll(message, xmlsec.RSASHA256.URI(), uri)
	}
	template := minipki.EHealth(minipki.Holder{Type: "SSIN", Value: testpki.AliceSSIN, Name: "ALICE EXAMPLE"})
	p224, err := minipki.GenerateKey(minipki.P224)
	if err != nil {
		t.Fatal(err)
	}
	weak := pki.Issue(pki.EHealthCA, template, p224)
	str := `<wsse:SecurityTokenReference wsu:Id="STR-A"><wsse:Reference URI="#STR-%s"></wsse:Reference></wsse:SecurityTokenReference>`
	ownSTR := regexp.MustCompile(`(?s)<wsse:SecurityTokenReference.*?</wsse:SecurityTokenReference>`)
	signed, algorithm, security := wsp.BadSignature, wsp.UnsupportedAlgorithm, wsp.BadSecurity
	failed, unsupported, invalid := soap.FaultFailedCheck, soap.FaultUnsupportedAlgorithm, soap.FaultInvalidSecurity
	const everybody, forge = "everybody knows the key", "a signature that nobody made"
	run(t, []attack{
		{"A1 HMAC under the certificate", hmacWith(message, leaf.Raw()), algorithm, unsupported, everybody},
		{"A1 HMAC under the key of the certificate", hmacWith(message, leaf.RawPublicKey()), algorithm, unsupported, everybody},
		{"A1 HMAC under the certificate in PEM", hmacWith(message, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw()})), algorithm, unsupported, everybody},
		{"A2 HMACOutputLength", strings.Replace(message, `rsa-sha256"></ds:SignatureMethod>`, `rsa-sha256"><ds:HMACOutputLength>8</ds:HMACOutputLength></ds:SignatureMethod>`, 1), algorithm, unsupported, forge},
		{"A2 HMACOutputLength in the message", replaceLast(message, `rsa-sha256"></ds:SignatureMethod>`, `rsa-sha256"><ds:HMACOutputLength>8</ds:HMACOutputLength></ds:SignatureMethod>`), algorithm, unsupported, forge},
		{"A3 SHA-1", method("http://www.w3.org/2000/09/xmldsig#rsa-sha1"), algorithm, unsupported, "collisions"},
		{"A3 MD5", method("http://www.w3.org/2001/04/xmldsig-more#rsa-md5"), algorithm, unsupported, "collisions"},
		{"A3 RIPEMD-160", method("http://www.w3.org/2001/04/xmldsig-more#rsa-ripemd160"), algorithm, unsupported, "collisions"},
		{"A3 DSA", method("http://www.w3.org/2000/09/xmldsig#dsa-sha1"), algorithm, unsupported, "weak keys"},
		{"A3 MD5 digests", strings.ReplaceAll(message, xmlsec.SHA256.URI(), "http://www.w3.org/2001/04/xmldsig-more#md5"), algorithm, unsupported, "collisions"},
		{"A4 P-224 certificate of the holder", newDraft(string(issue(t, aliceIssue(weak.DER), &pki.STS))).sign(t, pki.AliceEHealthP256.Key, assertionID), wsp.UntrustedHolder, soap.FaultFailedAuthentication, "a curve that is too small"},
		{"A4 DER in place of r and s", value(p256, der), signed, failed, "two forms of one signature"},
		{"A4 r and s zero", value(p256, make([]byte, 64)), signed, failed, forge},
		{"A4 r zero", value(p256, append(make([]byte, 32), raw[32:]...)), signed, failed, forge},
		{"A4 s zero", value(p256, append(raw[:32:32], make([]byte, 32)...)), signed, failed, forge},
		{"A4 r and s the order", value(p256, bytes.Repeat(elliptic.P256().Params().N.Bytes(), 2)), signed, failed, forge},
		{"A4 too short", value(p256, raw[:63]), signed, failed, forge},
		{"A4 too long", value(p256, append(raw[:64:64], 0)), signed, failed, forge},
		{"A5 PSS said of PKCS #1", method("http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"), wsp.BadAssertionSignature, failed, "one signature under two schemes"},
		{"A5 SHA-512 said of SHA-256", replaceLast(message, xmlsec.RSASHA256.URI(), "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"), signed, failed, "one signature under two hashes"},
		{"A5 ECDSA said of an RSA key", replaceLast(message, xmlsec.RSASHA256.URI(), "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"), signed, failed, "one key under two schemes"},
		{"A5 zero", value(message, make([]byte, 256)), signed, failed, forge},
		{"A5 one", value(message, append(make([]byte, 255), 1)), signed, failed, forge},
		{"A5 short", value(message, []byte{1}), signed, failed, forge},
		{"A6 two certificates of the STS", strings.Replace(message, "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>", "</ds:X509Certificate><ds:X509Certificate>"+base64.StdEncoding.EncodeToString(pki.BobEHealth.DER)+"</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>", 1), wsp.UnsignedAssertion, soap.FaultInvalidSecurityToken, "one selects, the other verifies"},
		{"A6 key of the STS by value", strings.Replace(message, x509Data(pki.STS.DER), "<ds:KeyInfo>"+rsaKeyValue(&pki.STS)+"</ds:KeyInfo>", 1), wsp.UnsignedAssertion, soap.FaultInvalidSecurityToken, "a key that nobody certified"},
		{"A6 key of the STS by name", strings.Replace(message, x509Data(pki.STS.DER), "<ds:KeyInfo><ds:KeyName>STS</ds:KeyName></ds:KeyInfo>", 1), wsp.UnsignedAssertion, soap.FaultInvalidSecurityToken, "a key that nobody certified"},
		{"A6 RetrievalMethod", strings.Replace(message, x509Data(pki.STS.DER), `<ds:KeyInfo><ds:RetrievalMethod URI="http://127.0.0.1:1/"/></ds:KeyInfo>`, 1), wsp.UnsignedAssertion, soap.FaultInvalidSecurityToken, "something is fetched"},
		{"A7 reference to itself", changedLast(message, ownSTR, fmt.Sprintf(str, "A")), security, invalid, "the reader never ends"},
		{"A7 reference to a reference", changedLast(message, ownSTR, fmt.Sprintf(str, "B")+`<wsse:SecurityTokenReference wsu:Id="STR-B"><wsse:Reference URI="#STR-A"></wsse:Reference></wsse:SecurityTokenReference>`), security, invalid, "the reader never ends"},
		{"A9 EncryptedKey in Security", strings.Replace(message, `<wsu:Timestamp `, `<xenc:EncryptedKey xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"/><wsu:Timestamp `, 1), wsp.UnsupportedToken, soap.FaultUnsupportedToken, "a padding oracle"},
		{"A9 EncryptedData as body", strings.Replace(message, echoContent, `<xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"/>`, 1), signed, failed, "an unsigned ciphertext is decrypted"},
	})
}

// TestMoments attacks time and replay (attacks.md R1 to R5); TestWindow, TestTimestamp and the tests of package soap have the boundaries.
func TestMoments(t *testing.T) {
	pki := testpki.Load()
	assertion := string(issue(t, aliceIssue(pki.AliceEHealth.DER), &pki.STS))
	honest := aliceCall(t)

	t.Run("R1 two guards at once", func(t *testing.T) {
		state := soap.NewMemoryReplay(100)
		guards := []*wsp.Guard{guard(t, func(c *wsp.Config) { c.Replay = state }), guard(t, func(c *wsp.Config) { c.Replay = state })}
		var admitted atomic.Int32
		var group sync.WaitGroup
		for i := range 16 {
			group.Go(func() {
				if _, err := guards[i%2].Admit(honest, now); err == nil {
					admitted.Add(1)
				} else if wsp.ReasonOf(err) != wsp.Replayed {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if admitted.Load() != 1 {
			t.Error(admitted.Load(), "admitted")
		}
	})
	t.Run("R1 the other signature value of one ECDSA signature", func(t *testing.T) {
		message := string(call(t, issue(t, aliceIssue(pki.AliceEHealthP256.DER), &pki.STS), pki.AliceEHealthP256.Key, now))
		all := signatureValue.FindAllString(message, -1)
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(strings.TrimPrefix(all[len(all)-1], "<ds:SignatureValue>"), "</ds:SignatureValue>"))
		if err != nil {
			t.Fatal(err)
		}
		s := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(raw[32:]))
		twin := append(raw[:32:32], s.FillBytes(make([]byte, 32))...)
		g := guard(t)
		if _, err := g.Admit([]byte(message), now); err != nil {
			t.Fatal(err)
		}
		refused(t, g, changedLast(message, signatureValue, "<ds:SignatureValue>"+base64.StdEncoding.EncodeToString(twin)+"</ds:SignatureValue>"), now, wsp.Replayed, soap.FaultFailedCheck, soap.SOANotAuthenticated)
	})
	t.Run("R2 a clock that lags behind the consumer's", func(t *testing.T) {
		g := guard(t)
		early := call(t, []byte(assertion), pki.AliceEHealth.Key, now.Add(50*time.Second))
		if _, err := g.Admit(early, now); err != nil {
			t.Fatal(err)
		}
		for at := now; at.Before(now.Add(4 * time.Minute)); at = at.Add(10 * time.Second) {
			if _, err := g.Admit(early, at); err == nil {
				t.Fatal("again after", at.Sub(now))
			}
		}
	})

	stamp := func(created, expires string) string {
		d := newDraft(assertion)
		d.timestamp = `<wsu:Timestamp wsu:Id="TS-1">`
		if created != "" {
			d.timestamp += `<wsu:Created>` + created + `</wsu:Created>`
		}
		if expires != "" {
			d.timestamp += `<wsu:Expires>` + expires + `</wsu:Expires>`
		}
		d.timestamp += `</wsu:Timestamp>`
		return d.sign(t, pki.AliceEHealth.Key, assertionID)
	}
	at := func(d time.Duration) string { return now.Add(d).Format("2006-01-02T15:04:05.000Z") }
	for name, c := range map[string]struct {
		created, expires string
		reason           wsp.Reason
	}{
		"R3 ends before it begins":   {at(time.Second), at(0), wsp.BadSecurity},
		"R3 no Expires":              {at(0), "", wsp.BadSecurity},
		"R3 no Created":              {"", at(time.Minute), wsp.BadSecurity},
		"R3 future":                  {at(2 * time.Minute), at(3 * time.Minute), wsp.MessageNotYetValid},
		"R3 past":                    {at(-10 * time.Minute), at(-5 * time.Minute), wsp.MessageExpired},
		"R3 good for a day":          {at(0), at(24 * time.Hour), 0},
		"R3 of yesterday, for weeks": {at(-24 * time.Hour), at(24 * time.Hour), 0},
		"R3 local time":              {strings.TrimSuffix(at(0), "Z"), at(time.Minute), wsp.BadSecurity},
		"R3 second 61":               {at(0)[:17] + "61Z", at(time.Minute), wsp.BadSecurity},
		"R3 month 13":                {at(0)[:5] + "13-01T00:00:00Z", at(time.Minute), wsp.BadSecurity},
		"R3 year 10000":              {at(0), "10000-01-01T00:00:00Z", wsp.BadSecurity},
		"R3 another calendar":        {strings.Replace(at(0), "2026", "2569", 1), strings.Replace(at(time.Minute), "2026", "2569", 1), wsp.MessageNotYetValid},
		"R3 other digits":            {strings.Replace(at(0), "2026", "\u0e52\u0e50\u0e52\u0e56", 1), at(time.Minute), wsp.BadSecurity},
	} {
		t.Run(name, func(t *testing.T) {
			caller, err := guard(t).Admit([]byte(stamp(c.created, c.expires)), now)
			if err == nil || !caller.IsZero() {
				t.Fatal("admitted")
			}
			if got := wsp.ReasonOf(err); got != c.reason && (c.reason != 0 || got != wsp.MessageExpired && got != wsp.BadSecurity) {
				t.Errorf("%v, want %v: %v", got, c.reason, err)
			}
		})
	}
	t.Run("R4 an assertion remembered past its end", func(t *testing.T) {
		i := aliceIssue(pki.AliceEHealth.DER)
		i.NotOnOrAfter = now.Add(time.Second)
		short := issue(t, i, &pki.STS)
		g := guard(t)
		if _, err := g.Admit(call(t, short, pki.AliceEHealth.Key, now), now); err != nil {
			t.Fatal(err)
		}
		g.Settle()
		refused(t, g, string(call(t, short, pki.AliceEHealth.Key, now.Add(time.Second))), now.Add(time.Second), wsp.AssertionExpired, soap.FaultInvalidSecurityToken, soap.SOANotAuthenticated)
	})
	for name, step := range map[string]time.Duration{"R5 a clock one hour forward": time.Hour, "R5 a clock one hour back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			g := guard(t)
			if _, err := g.Admit(honest, now); err != nil {
				t.Fatal(err)
			}
			if _, err := g.Admit(honest, now.Add(step)); err == nil {
				t.Error("admitted again after the step")
			}
			refused(t, g, string(honest), now, wsp.Replayed, soap.FaultFailedCheck, soap.SOANotAuthenticated) // and after the step back
		})
	}
}

// TestBinding attacks what binds an assertion to its issuer, its values and its holder (attacks.md H3, H4, H6, H7); TestHolder has H1, H2 and H5.
func TestBinding(t *testing.T) {
	pki := testpki.Load()
	own := string(issue(t, aliceIssue(pki.BobEHealth.DER), &pki.BobEHealth))
	bare, _ := split(own)
	run(t, []attack{
		{"H3 assertion that the holder made for himself", newDraft(own).sign(t, pki.BobEHealth.Key, assertionID), wsp.UntrustedSTS, soap.FaultFailedAuthentication, "everybody is his own STS"},
		{"H3 the same, unsigned", newDraft(bare).sign(t, pki.BobEHealth.Key, assertionID), wsp.UnsignedAssertion, soap.FaultInvalidSecurityToken, "everybody is his own STS"},
		{"H3 the same, signed with the message", newDraft(bare).sign(t, pki.BobEHealth.Key, assertionID, assertionID), wsp.UnsignedAssertion, soap.FaultInvalidSecurityToken, "everybody is his own STS"},
	})
	injected := `x</AttributeValue></Attribute><Attribute AttributeName="` + doctor.Name + `" AttributeNamespace="` + doctor.Namespace + `"><AttributeValue>true`
	for name, value := range map[string]string{
		"H4 markup in a value": injected, "H6 quotes and line ends": "a\"b'c\r\nX-Admin: true;--", "H6 LDAP": "*)(uid=*))(|(uid=*", "H6 bidirectional": "\u202etrue",
	} {
		t.Run(name, func(t *testing.T) {
			i := aliceIssue(pki.AliceEHealth.DER)
			i.Attributes = []saml.Statement{{Name: "urn:x", Namespace: "urn:n", Values: []string{value}}}
			caller, err := guard(t).Admit(call(t, issue(t, i, &pki.STS), pki.AliceEHealth.Key, now), now)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := caller.Value(attrs.Designator{Name: "urn:x", Namespace: "urn:n"}); !ok || got != value {
				t.Errorf("%q is read as %q", value, got)
			}
			if _, ok := caller.Lookup(doctor); ok {
				t.Error("an attribute out of a value")
			}
		})
	}
	t.Run("H4 an identification attribute is no certified one", func(t *testing.T) {
		i := aliceIssue(pki.AliceEHealth.DER)
		i.Attributes = []saml.Statement{{Name: doctor.Name, Namespace: ssin.Namespace, Values: []string{"true"}}}
		g := guard(t, func(c *wsp.Config) { c.Require = []wsp.Requirement{{Designator: doctor, Values: []string{"true"}}} })
		refused(t, g, string(call(t, issue(t, i, &pki.STS), pki.AliceEHealth.Key, now)), now, wsp.MissingAttribute, soap.FaultFailedAuthentication, soap.SOANotAuthorized)
	})
	t.Run("H7 one answer for all whom nobody trusts", func(t *testing.T) {
		answers := map[string]bool{}
		for _, message := range []string{
			newDraft(own).sign(t, pki.BobEHealth.Key, assertionID),                                                                                                                                            // its STS
			string(call(t, issue(t, aliceIssue(pki.RevokedEHealth.DER), &pki.STS), pki.RevokedEHealth.Key, now)),                                                                                              // revoked
			string(call(t, issue(t, aliceIssue(pki.ExpiredEHealth.DER), &pki.STS), pki.ExpiredEHealth.Key, now)),                                                                                              // expired
			string(call(t, issue(t, aliceIssue(pki.BobEID.DER), &pki.STS), pki.BobEID.Key, now)),                                                                                                              // of another authority
			newDraft(edited(t, aliceIssue(pki.AliceEHealth.DER), stsSigner(t, &pki.STS), func(s string) string { return strings.Replace(s, issuer, "urn:x", 1) })).sign(t, pki.AliceEHealth.Key, assertionID), // its issuer
		} {
			_, err := guard(t).Admit([]byte(message), now)
			if err == nil {
				t.Fatal("admitted")
			}
			answers[string(soap.AppendFault(nil, wsp.FaultOf(err)))] = true
		}
		if len(answers) != 1 {
			t.Errorf("%d answers tell them apart: %v", len(answers), answers)
		}
	})
}

// TestEveryAttackNamed: each W, R, H and A of the list stands in the name of a test of the guard (W23 is of HTTP, A8 of configuration).
func TestEveryAttackNamed(t *testing.T) {
	list, err := os.ReadFile(judge.Shared(t, "spec", "attacks.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`"([WRHA][0-9]+) [^"]*"`).FindAllSubmatch(text, -1) {
			named[string(m[1])] = true
		}
	}
	ids := regexp.MustCompile(`(?m)^\| ([WRHA])([0-9]+)(?:–[WRHA]([0-9]+))? \|`).FindAllSubmatch(list, -1)
	if len(ids) < 30 {
		t.Fatal("the list has", len(ids))
	}
	for _, m := range ids {
		var from, to int
		fmt.Sscan(string(m[2]), &from)
		if to = from; len(m[3]) > 0 {
			fmt.Sscan(string(m[3]), &to)
		}
		for n := from; n <= to; n++ {
			if id := fmt.Sprintf("%s%d", m[1], n); !named[id] {
				t.Errorf("no test of the guard is named after %s", id)
			}
		}
	}
}
