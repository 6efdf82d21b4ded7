package wsp_test

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"sceau/certs"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/soap"
	"sceau/wsp"
	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// vouchedAssertion is Alice's, confirmed by the word of whoever sends it.
func vouchedAssertion(t testing.TB) string { return vouchedWithout(t, "") }

// vouchedWithout leaves an attribute out.
func vouchedWithout(t testing.TB, name string) string {
	t.Helper()
	pki := testpki.Load()
	i := aliceIssue(pki.AliceEHealth.DER)
	i.Attributes = slices.DeleteFunc(i.Attributes, func(s saml.Statement) bool { return s.Name == name })
	return edited(t, i, stsSigner(t, &pki.STS), func(s string) string {
		from, to := strings.Index(s, "<SubjectConfirmation>"), strings.Index(s, "</SubjectConfirmation>")
		return s[:from] + "<SubjectConfirmation><ConfirmationMethod>" + saml.SenderVouches + "</ConfirmationMethod>" + s[to:]
	})
}

func binaryToken(der []byte) string {
	return `<wsse:BinarySecurityToken EncodingType="` + xmlsec.EncodingBase64 + `" ValueType="` + xmlsec.ValueTypeX509v3 + `" wsu:Id="X509-1">` +
		base64.StdEncoding.EncodeToString(der) + `</wsse:BinarySecurityToken>`
}

// vouch sends an assertion as sender, his signature over the parts named.
func vouch(t testing.TB, assertion string, sender *testpki.Leaf, parts ...string) string {
	t.Helper()
	d := newDraft(assertion + binaryToken(sender.DER))
	return signText(t, d.text(), messageSigner(t, sender.Key, ""), detached, parts...)
}

// vouchBySTR signs the assertion through a SecurityTokenReference in the header, as WSS4J does.
func vouchBySTR(t testing.TB, assertion string, sender *testpki.Leaf) string {
	t.Helper()
	const exclusive = `Algorithm="` + c14n.Algorithm + `"`
	d := newDraft(assertion + binaryToken(sender.DER) + `<wsse:SecurityTokenReference wsu:Id="STR-1"><wsse:KeyIdentifier ValueType="` +
		xmlsec.ValueTypeAssertionID + `">` + assertionID + `</wsse:KeyIdentifier></wsse:SecurityTokenReference>`)
	document, err := xmltext.Parse([]byte(strings.Replace(d.text(), "{signature}", "", 1)), xmltext.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	defer document.Release()
	reference := func(uri, id, transform string, options c14n.Options) string {
		n, _ := document.ElementByID([]byte(id))
		canonical, err := c14n.Append(nil, n, options)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(canonical)
		return `<ds:Reference URI="#` + uri + `"><ds:Transforms>` + transform + `</ds:Transforms><ds:DigestMethod Algorithm="` + xmlsec.SHA256.URI() +
			`"></ds:DigestMethod><ds:DigestValue>` + base64.StdEncoding.EncodeToString(sum[:]) + `</ds:DigestValue></ds:Reference>`
	}
	info := `<ds:SignedInfo xmlns:ds="` + xmlsec.NamespaceDS + `"><ds:CanonicalizationMethod ` + exclusive + `></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="` + xmlsec.RSASHA256.URI() + `"></ds:SignatureMethod>`
	for _, id := range []string{"id-1", "TS-1", "X509-1"} {
		info += reference(id, id, `<ds:Transform `+exclusive+`></ds:Transform>`, c14n.Options{})
	}
	info += reference("STR-1", assertionID, `<ds:Transform Algorithm="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform"><wsse:TransformationParameters xmlns:wsse="`+
		xmlsec.NamespaceWSSE+`"><ds:CanonicalizationMethod `+exclusive+`></ds:CanonicalizationMethod></wsse:TransformationParameters></ds:Transform>`, c14n.Options{DefaultAtApex: true}) + `</ds:SignedInfo>`
	return strings.Replace(d.text(), "{signature}", `<ds:Signature xmlns:ds="`+xmlsec.NamespaceDS+`">`+info+`<ds:SignatureValue>`+rsaSignature(t, sender, info)+
		`</ds:SignatureValue><ds:KeyInfo><wsse:SecurityTokenReference><wsse:Reference URI="#X509-1" ValueType="`+xmlsec.ValueTypeX509v3+`"></wsse:Reference></wsse:SecurityTokenReference></ds:KeyInfo></ds:Signature>`, 1)
}

// hospital is a sender who may vouch.
func hospital(c *wsp.Config) {
	c.SenderVouches = []wsp.Sender{{Type: "NIHII-HOSPITAL", Identifier: testpki.HospitalNIHII}}
}

// TestSenderVouches: the word of a sender counts where he is named, and where he signs what he vouches for.
func TestSenderVouches(t *testing.T) {
	pki := testpki.Load()
	assertion := vouchedAssertion(t)
	all := []string{"id-1", "TS-1", "X509-1", assertionID}
	for name, message := range map[string]string{
		"assertion referenced":       vouch(t, assertion, &pki.Hospital, all...),
		"assertion by STR-Transform": vouchBySTR(t, assertion, &pki.Hospital),
	} {
		t.Run(name, func(t *testing.T) {
			g := guard(t, hospital)
			caller, err := g.Admit([]byte(message), now)
			if err != nil {
				t.Fatal(err)
			}
			if _, number := caller.Holder().Identifier(); caller.Confirmation() != wsp.SenderVouches || number != testpki.HospitalNIHII {
				t.Error(caller.Confirmation(), number)
			}
			if isDoctor, ok := caller.Bool(doctor); !ok || !isDoctor {
				t.Error("no doctor")
			}
			refused(t, g, message, now, wsp.Replayed, soap.FaultFailedCheck, soap.SOANotAuthenticated)
			// The others are admitted as ever.
			if caller, err := g.Admit(aliceCall(t), now); err != nil || caller.Confirmation() != wsp.HolderOfKey {
				t.Error(caller.Confirmation(), err)
			}
		})
	}
	honest := vouch(t, assertion, &pki.Hospital, all...)
	holderOfKey := string(issue(t, aliceIssue(pki.AliceEHealth.DER), &pki.STS))
	failed := soap.FaultFailedAuthentication
	for name, c := range map[string]struct {
		change  func(*wsp.Config)
		message string
		reason  wsp.Reason
		code    soap.FaultCode
	}{
		"H2 nobody is named":                    {func(*wsp.Config) {}, honest, wsp.UnsupportedToken, soap.FaultUnsupportedToken},
		"H2 another is named":                   {func(c *wsp.Config) { c.SenderVouches = []wsp.Sender{{Type: "CBE", Identifier: testpki.ServiceCBE}} }, honest, wsp.UntrustedSender, failed},
		"H2 named with an application":          {func(c *wsp.Config) { hospital(c); c.SenderVouches[0].Application = "X" }, honest, wsp.UntrustedSender, failed},
		"H2 named by the end of his identifier": {func(c *wsp.Config) { hospital(c); c.SenderVouches[0].Identifier = testpki.HospitalNIHII[1:] }, honest, wsp.UntrustedSender, failed},
		"H2 another sends":                      {hospital, vouch(t, assertion, &pki.BobEHealth, all...), wsp.UntrustedSender, failed},
		"H2 assertion not signed by the sender": {hospital, vouch(t, assertion, &pki.Hospital, all[:3]...), wsp.NotCovered, soap.FaultFailedCheck},
		"H2 holder-of-key vouched for":          {hospital, vouch(t, holderOfKey, &pki.Hospital, all...), wsp.UnconfirmedSubject, failed},
		"H2 sender-vouches by the key of the subject": {hospital, newDraft(assertion).sign(t, pki.AliceEHealth.Key, assertionID),
			wsp.UnconfirmedSubject, failed},
		"H2 sender-vouches, signed by another key": {hospital, vouch(t, assertion, &testpki.Leaf{DER: pki.Hospital.DER, Key: pki.BobEHealth.Key}, all...), wsp.BadSignature, soap.FaultFailedCheck},
		"W14 certificate of the sender without an assertion": {hospital, signText(t, newDraft(binaryToken(pki.Hospital.DER)).text(), messageSigner(t, pki.Hospital.Key, ""), detached, all[:3]...),
			wsp.UnsupportedToken, soap.FaultUnsupportedToken},
		"W14 reference in the header without a sender": {hospital, newDraft(holderOfKey+`<wsse:SecurityTokenReference wsu:Id="STR-1"><wsse:KeyIdentifier ValueType="`+xmlsec.ValueTypeAssertionID+`">`+assertionID+`</wsse:KeyIdentifier></wsse:SecurityTokenReference>`).sign(t, pki.AliceEHealth.Key, assertionID),
			wsp.UnsupportedToken, soap.FaultUnsupportedToken},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, guard(t, c.change), c.message, now, c.reason, c.code, soap.SOANotAuthenticated)
		})
	}
	t.Run("H2 remembered as vouched for, sent by the key of the subject", func(t *testing.T) {
		g := guard(t, hospital)
		if _, err := g.Admit([]byte(honest), now); err != nil {
			t.Fatal(err)
		}
		g.Settle()
		refused(t, g, newDraft(assertion).sign(t, pki.AliceEHealth.Key, assertionID), now, wsp.UnconfirmedSubject, failed, soap.SOANotAuthenticated)
	})
}

// TestSendersChecked: who may vouch is said wholly, or nobody may.
func TestSendersChecked(t *testing.T) {
	certificates := trust(t)
	for name, s := range map[string]wsp.Sender{
		"zero": {}, "no type": {Identifier: "1"}, "no identifier": {Type: "CBE"},
		"an STS": {Role: certs.RoleSTS, Type: "CBE", Identifier: "1"}, "a role that nobody serves": {Role: "x", Type: "CBE", Identifier: "1"},
	} {
		if g, err := wsp.NewGuard(wsp.Config{Certificates: certificates, Issuers: []string{issuer}, Replay: forgetful{}, SenderVouches: []wsp.Sender{s}}); err == nil {
			g.Close()
			t.Errorf("%s: taken", name)
		}
	}
}

// TestProtectTokens: where the message must sign the assertion too, either way of signing it does.
func TestProtectTokens(t *testing.T) {
	pki := testpki.Load()
	assertion := string(issue(t, aliceIssue(pki.AliceEHealth.DER), &pki.STS))
	g := guard(t, func(c *wsp.Config) { c.ProtectTokens, c.Replay = true, forgetful{} })
	for name, message := range map[string]string{
		"referenced":    newDraft(assertion).sign(t, pki.AliceEHealth.Key, assertionID, assertionID),
		"STR-Transform": strTransform(t, newDraft(assertion), &pki.AliceEHealth),
	} {
		if _, err := g.Admit([]byte(message), now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	refused(t, g, newDraft(assertion).sign(t, pki.AliceEHealth.Key, assertionID), now, wsp.NotCovered, soap.FaultFailedCheck, soap.SOANotAuthenticated)
}
