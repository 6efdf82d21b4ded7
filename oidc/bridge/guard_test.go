package bridge_test

import (
	"bytes"
	"testing"
	"time"

	"sceau/internal/testpki"
	"sceau/oidc/bridge"
	"sceau/soap"
	"sceau/wsp"
	"sceau/wsp/wsptest"
	"sceau/xmlsec"
)

// TestGuardAdmits: an old service behind the guard is called with what a token was exchanged for, by its holder, and by nobody else.
func TestGuardAdmits(t *testing.T) {
	r := newRig(t)
	result := r.must(r.tokenForm(r.accessToken(nil), "requested_token_type", bridge.SAML1.String(), "scope", "records identity"))
	_, assertion := r.assertionOf(result)
	call := func(leaf *testpki.Leaf, assertion []byte) []byte {
		sign, err := soap.NewMessageSigner(xmlsec.SignerConfig{Key: leaf.Key}, result.ID)
		if err != nil {
			t.Fatal(err)
		}
		message, err := (&soap.Outgoing{Content: []byte(wsptest.Content), Created: now, Expires: now.Add(time.Minute), Assertion: assertion, AssertionID: result.ID}).Append(nil, sign)
		if err != nil {
			t.Fatal(err)
		}
		return message
	}
	guard := func(audience string) *wsp.Guard {
		return wsptest.Guard(t, func(c *wsp.Config) { c.Issuers, c.Audiences = []string{ourSAML}, []string{audience} })
	}
	caller, err := guard(records).Admit(call(r.holder, assertion), now)
	if err != nil {
		t.Fatal(err)
	}
	if ssin, ok := caller.Value(ssin); !ok || ssin != testpki.AliceSSIN || caller.Subject().Name != personSub {
		t.Errorf("%q, %v", ssin, caller.Subject())
	}
	for name, c := range map[string]struct {
		guard   *wsp.Guard
		message []byte
		want    wsp.Reason
	}{
		"another holder":   {guard(records), call(&testpki.Load().BobEHealth, assertion), wsp.BadSignature},
		"another audience": {guard("https://other.example"), call(r.holder, assertion), wsp.WrongAudience},
		"altered":          {guard(records), call(r.holder, bytes.Replace(assertion, []byte(personSub), []byte("a7f3-malic"), 2)), wsp.BadAssertionSignature},
	} {
		if _, err := c.guard.Admit(c.message, now); wsp.ReasonOf(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
