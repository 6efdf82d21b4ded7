package bridge_test

import (
	"testing"
	"time"

	"sceau/oidc/bridge"
	"sceau/saml"
)

// TestRule: a client whose rule a login would not have satisfied has nothing out of another's token, of an assertion or of an upstream either
// (EXI FI 24), and nothing for longer than its rule says (EXI FI 25).
func TestRule(t *testing.T) {
	r := newRig(t)
	with := func(age time.Duration, sets ...[]string) *bridge.Client {
		c := r.client()
		c.Rule = rule{sets, age}
		return c
	}
	toSAML := []string{"requested_token_type", bridge.SAML1.String()}
	password := r.accessToken(func(t *bridge.Token) { t.Methods = []string{"pwd"} })
	cards := with(4*time.Hour, []string{"sc", "pin", "mfa"})
	r.refused(bridge.WeakAuthentication, cards, r.tokenForm(password))
	r.refused(bridge.WeakAuthentication, cards, r.tokenForm(password, toSAML...))
	r.refused(bridge.WeakAuthentication, cards, r.samlForm(r.assertion(func(i *saml.Issue) { i.Method, i.Instant = saml.MethodPassword, now })))
	r.refused(bridge.WeakAuthentication, cards, r.tokenForm(opaque(psc), "scope", "x"))
	// Who was authenticated in no way at all, as which a service acts for itself, is none whom it admits.
	r.refused(bridge.WeakAuthentication, cards, r.tokenForm(r.accessToken(func(t *bridge.Token) { t.AuthTime = time.Time{} })))
	none := r.client()
	none.Rule = nil
	r.refused(bridge.WeakAuthentication, none, r.tokenForm(r.accessToken(nil)))

	r.refused(bridge.AuthenticationTooOld, with(2*time.Minute), r.tokenForm(r.accessToken(nil)))
	r.refused(bridge.AuthenticationTooOld, with(2*time.Minute), r.samlForm(r.assertion(func(i *saml.Issue) { i.Instant = now.Add(-2 * time.Minute) })))
	for name, f := range map[string]func() time.Time{
		"token": func() time.Time {
			return r.read(r.exchangeFor(with(10*time.Minute), r.tokenForm(r.accessToken(nil)))).Expires
		},
		"assertion": func() time.Time {
			return r.exchangeFor(with(10*time.Minute), r.tokenForm(r.accessToken(nil), toSAML...)).Expires
		},
		"of an assertion": func() time.Time {
			return r.read(r.exchangeFor(with(10*time.Minute), r.samlForm(r.assertion(func(i *saml.Issue) { i.Instant = now.Add(-2 * time.Minute) })))).Expires
		},
	} {
		if end := f(); !end.Equal(now.Add(8 * time.Minute)) {
			t.Errorf("%s: until %v, eight minutes of ten are left", name, end)
		}
	}
	if token := r.read(r.exchangeFor(cards, r.tokenForm(r.accessToken(nil)))); token.Subject != personSub {
		t.Errorf("%+v", token)
	}
}

// TestLevel: an acr is what the client that asks calls so, of what happened; what another client, an assertion of ours or an upstream called so
// is neither said on nor told to policy.
func TestLevel(t *testing.T) {
	r := newRig(t)
	lie := func(t *bridge.Token) { t.Methods, t.Level = []string{"pwd"}, "eidas3" }
	r.psc.answer.Level, r.psc.answer.Methods = "eidas1", []string{"otp"}
	for name, c := range map[string]struct {
		f    map[string][]string
		want string
	}{
		"token":       {r.tokenForm(r.accessToken(lie)), "eidas1"},
		"upstream":    {r.tokenForm(opaque(psc), "scope", "x"), ""},
		"a card":      {r.tokenForm(r.accessToken(func(t *bridge.Token) { t.Level = "" })), "eidas3"},
		"of a method": {r.samlForm(r.assertion(nil)), ""},
		"our assertion": {r.samlForm(r.assertion(func(i *saml.Issue) {
			i.Issuer, i.Subject = ourSAML, saml.Name{Format: saml.FormatPersistent, Subject: personSub, Issuer: opIssuer}
			i.Attributes = []saml.Statement{{Name: "amr", Namespace: bridge.ClaimNamespace, Values: []string{"pwd"}}, {Name: "acr", Namespace: bridge.ClaimNamespace, Values: []string{"eidas3"}}}
		})), "eidas1"},
	} {
		r.policy.asked = nil
		token := r.read(r.must(c.f))
		assurance := map[string]int{"eidas3": 3, "eidas1": 1}[c.want]
		if asked := r.policy.asked[0]; token.Level != c.want || asked.Level != c.want || asked.Assurance != assurance || r.last().Level != c.want {
			t.Errorf("%s: acr %q, policy was asked of %q and assurance %d, recorded %q; want %q", name, token.Level, asked.Level, asked.Assurance, r.last().Level, c.want)
		}
	}
}

// TestUpstreamReferences: a token of Pro Santé Connect, that says a level alone, is two factors of which nobody knows which; one that
// says more is what it says, and of a level that is in no table nothing is known.
func TestUpstreamReferences(t *testing.T) {
	r := newRig(t, func(c *bridge.Config) { c.Upstreams[0].Levels = []string{"eidas1", "another"} })
	mfa := r.client()
	mfa.Rule = rule{[][]string{{"mfa"}}, time.Hour}
	if token := r.read(r.exchangeFor(mfa, r.tokenForm(opaque(psc), "scope", "x"))); len(token.Methods) != 1 || token.Methods[0] != "mfa" {
		t.Errorf("amr %q", token.Methods)
	}
	r.psc.answer.ID, r.psc.answer.Methods = "psc-2", []string{"pwd"}
	r.refused(bridge.WeakAuthentication, mfa, r.tokenForm(opaque(psc), "scope", "x"))
	r.psc.answer.ID, r.psc.answer.Methods, r.psc.answer.Level = "psc-3", nil, "another"
	r.refused(bridge.WeakAuthentication, mfa, r.tokenForm(opaque(psc), "scope", "x"))
}

// exchangeFor is what a client gets.
func (r *rig) exchangeFor(c *bridge.Client, f map[string][]string) *bridge.Result {
	r.t.Helper()
	result, err := r.x.ExchangeForm(r.t.Context(), c, f, r.now)
	if err != nil {
		r.t.Fatal(err)
	}
	return result
}
