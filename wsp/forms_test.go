package wsp_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"sceau/internal/testpki"
	"sceau/soap"
	"sceau/wsp"
	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// form is how a consumer signs its message (section 7 of the wire document).
type form struct {
	assertion  string // how the signature covers it: "", "direct" or "STR"
	prefixList string // of InclusiveNamespaces everywhere; "none" is no InclusiveNamespaces
	tokenType  bool   // wsse11:TokenType on the SecurityTokenReference
}

// sign makes the message in a form, by a writer that shares nothing with package soap's.
func (f form) sign(t testing.TB, d draft, holder *testpki.Leaf) string {
	t.Helper()
	method, inclusive := ` Algorithm="`+c14n.Algorithm+`"`, ""
	var options c14n.Options
	if f.prefixList != "none" {
		inclusive = `<ec:InclusiveNamespaces xmlns:ec="` + c14n.Algorithm + `" PrefixList="` + f.prefixList + `"></ec:InclusiveNamespaces>`
		options.PrefixList = []byte(f.prefixList)
	}
	parse := func(text string) *xmltext.Document {
		document, err := xmltext.Parse([]byte(text), xmltext.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		return document
	}
	canonical := func(n xmltext.Node, o c14n.Options) []byte {
		octets, err := c14n.Append(nil, n, o)
		if err != nil {
			t.Fatal(err)
		}
		return octets
	}
	unsigned := parse(strings.Replace(d.text(), "{signature}", "", 1))
	defer unsigned.Release()
	reference := func(uri, covered, transform string, o c14n.Options) string {
		n, ok := unsigned.ElementByID([]byte(covered))
		if !ok {
			t.Fatal("no", covered)
		}
		sum := sha256.Sum256(canonical(n, o))
		return `<ds:Reference URI="#` + uri + `"><ds:Transforms>` + transform + `</ds:Transforms><ds:DigestMethod Algorithm="` + xmlsec.SHA256.URI() +
			`"></ds:DigestMethod><ds:DigestValue>` + base64.StdEncoding.EncodeToString(sum[:]) + `</ds:DigestValue></ds:Reference>`
	}
	plain := `<ds:Transform` + method + `>` + inclusive + `</ds:Transform>`
	info := `<ds:SignedInfo><ds:CanonicalizationMethod` + method + `>` + inclusive + `</ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="` + xmlsec.RSASHA256.URI() + `"></ds:SignatureMethod>`
	for _, id := range []string{"TS-1", "id-1"} {
		info += reference(id, id, plain, options)
	}
	switch f.assertion {
	case "direct":
		info += reference(assertionID, assertionID, plain, options)
	case "STR":
		apex := options
		apex.DefaultAtApex = true
		info += reference("STR-1", assertionID, `<ds:Transform Algorithm="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform"><wsse:TransformationParameters><ds:CanonicalizationMethod`+
			method+`>`+inclusive+`</ds:CanonicalizationMethod></wsse:TransformationParameters></ds:Transform>`, apex)
	}
	tokenType := ""
	if f.tokenType {
		tokenType = ` xmlns:wsse11="http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd" wsse11:TokenType="` + wsp.TokenSAML11 + `"`
	}
	text := strings.Replace(d.text(), "{signature}", `<ds:Signature xmlns:ds="`+xmlsec.NamespaceDS+`" Id="SIG-1">`+info+`</ds:SignedInfo><ds:SignatureValue>{value}</ds:SignatureValue><ds:KeyInfo Id="KI-1"><wsse:SecurityTokenReference`+
		tokenType+` wsu:Id="STR-1"><wsse:KeyIdentifier ValueType="`+xmlsec.ValueTypeAssertionID+`">`+assertionID+`</wsse:KeyIdentifier></wsse:SecurityTokenReference></ds:KeyInfo></ds:Signature>`, 1)
	whole := parse(text)
	defer whole.Release()
	signature, _ := whole.ElementByID([]byte("SIG-1"))
	return strings.Replace(text, "{value}", rsaSignature(t, holder, string(canonical(signature.FirstElement(), options))), 1)
}

// TestSignatureForms admits every form, holds it to ProtectTokens, and refuses it changed or by another key.
func TestSignatureForms(t *testing.T) {
	pki := testpki.Load()
	assertion := string(issue(t, aliceIssue(pki.AliceEHealth.DER), &pki.STS))
	for _, covers := range []string{"", "direct", "STR"} {
		for _, prefixes := range []string{"none", "", "soapenv wsse", "#default wsu"} {
			for _, tokenType := range []bool{false, true} {
				f := form{covers, prefixes, tokenType}
				t.Run(fmt.Sprintf("assertion %q, PrefixList %q, TokenType %v", covers, prefixes, tokenType), func(t *testing.T) {
					message := f.sign(t, newDraft(assertion), &pki.AliceEHealth)
					caller, err := guard(t).Admit([]byte(message), now)
					if err != nil {
						t.Fatal(err)
					}
					checkAlice(t, caller)
					refused(t, guard(t), strings.Replace(message, ">hello<", ">hallo<", 1), now, wsp.BadSignature, soap.FaultFailedCheck, soap.SOANotAuthenticated)
					refused(t, guard(t), f.sign(t, newDraft(assertion), &pki.BobEHealth), now, wsp.BadSignature, soap.FaultFailedCheck, soap.SOANotAuthenticated)
					strict := guard(t, func(c *wsp.Config) { c.ProtectTokens = true })
					if covers == "" {
						refused(t, strict, message, now, wsp.NotCovered, soap.FaultFailedCheck, soap.SOANotAuthenticated)
					} else if _, err := strict.Admit([]byte(message), now); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}
