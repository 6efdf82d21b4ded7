package bridge_test

import (
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sceau/internal/minipki"
	"sceau/internal/testpki"
	"sceau/oidc/bridge"
	"sceau/policy"
	"sceau/saml"
)

// TestNothingGrows: whatever the bounds are, what is made ends with the first of them, begins not before what it is made of, has no more scope, and
// is bound to the certificate of the connection.
func TestNothingGrows(t *testing.T) {
	pki := testpki.Load()
	short := minipki.EHealth(minipki.Holder{Type: "SSIN", Value: testpki.AliceSSIN, Name: "ALICE EXAMPLE"})
	short.NotBefore, short.NotAfter = testpki.NotBefore(), now.Add(2*time.Minute)
	ends := pki.Issue(pki.EHealthCA, short, pki.AliceEHealthP256.Key)
	rapid.Check(t, func(rt *rapid.T) {
		minutes := func(name string, from, to int) time.Duration {
			return time.Duration(rapid.IntRange(from*60, to*60).Draw(rt, name)) * time.Second
		}
		maximum, age := minutes("maximum", 1, 300), minutes("age", 1, 240)
		signerEnds := minutes("signer", 1, 600)
		r := newRig(t, func(c *bridge.Config) {
			c.MaximumValidity, c.MaximumAge = maximum, age
			c.Assertions.Signing = func(time.Time) (bridge.Signing, error) {
				return bridge.Signing{Signer: signer(t, &pki.STS), NotBefore: testpki.NotBefore(), NotAfter: now.Add(signerEnds)}, nil
			}
		})
		bounds := []time.Time{now.Add(maximum)}
		if rapid.Bool().Draw(rt, "a certificate that ends") {
			r.holder = &ends
			bounds = append(bounds, short.NotAfter)
		}
		decided := minutes("policy", 0, 200)
		r.policy.answer = policy.Exchange{Decision: policy.Permit("p"), MaximumValidity: decided}
		if decided > 0 {
			bounds = append(bounds, now.Add(decided))
		}
		authenticated := now.Add(-minutes("authenticated", 0, 300))
		bounds = append(bounds, authenticated.Add(age))
		subjectEnds, begins := now.Add(minutes("subject", 1, 500)), now.Add(-minutes("issued", 0, 10))
		to := rapid.SampledFrom([]bridge.TokenType{bridge.AccessToken, bridge.IDToken, bridge.JWT, bridge.SAML1}).Draw(rt, "to")
		f := form("requested_token_type", to.String())
		scope := []string{"openid", "identity", "records"}
		switch from := rapid.SampledFrom([]string{"saml", "token", "upstream"}).Draw(rt, "from"); {
		case from == "upstream":
			r.psc.answer.AuthTime = authenticated
			f = form("subject_token", opaque(psc), "subject_token_type", bridge.AccessToken.String(), "scope", "records")
			to = bridge.AccessToken
			bounds = append(bounds, now.Add(time.Hour))
		case from == "saml" && to != bridge.SAML1:
			bounds = append(bounds, subjectEnds)
			f.Set("subject_token", encode(r.assertion(func(i *saml.Issue) {
				i.Instant, i.NotBefore, i.IssueInstant, i.NotOnOrAfter = authenticated, begins, begins, subjectEnds
			})))
			f.Set("subject_token_type", bridge.SAML1.String())
		default:
			bounds = append(bounds, subjectEnds)
			f.Set("subject_token", r.accessToken(func(t *bridge.Token) { t.AuthTime, t.IssuedAt, t.Expires = authenticated, begins, subjectEnds }))
			f.Set("subject_token_type", bridge.AccessToken.String())
		}
		if to != bridge.IDToken {
			f.Set("audience", records)
		}
		if to == bridge.SAML1 {
			bounds = append(bounds, now.Add(signerEnds))
		}
		end := slices.MinFunc(bounds, time.Time.Compare)
		result, err := r.exchange(f)
		if err != nil {
			if end.After(now) {
				rt.Fatalf("refused (%v), and there was time until %v", err, end)
			}
			return
		}
		if !end.After(now) {
			rt.Fatalf("exchanged, and no time was left: %v", end)
		}
		if result.Expires.After(end) || end.Sub(result.Expires) >= time.Second {
			rt.Fatalf("until %v, want %v", result.Expires, end)
		}
		if result.Type == bridge.SAML1 {
			a, _ := r.assertionOf(result)
			certificate, _ := a.AuthenticationSubject.Confirmation.KeyInfo.FirstElement().FirstElement().Value()
			if a.Conditions.NotOnOrAfter.After(end) || a.Conditions.NotBefore.Before(begins) || string(certificate) != standard(r.holder.DER) {
				rt.Fatalf("from %v to %v, want within %v and %v", a.Conditions.NotBefore, a.Conditions.NotOnOrAfter, begins, end)
			}
			return
		}
		token := r.read(result)
		if token.Expires.After(end) || token.IssuedAt.Before(begins.Truncate(time.Second)) || token.AuthTime.After(authenticated) || token.Confirmation != bridge.Thumbprint(r.holder.DER) {
			rt.Fatalf("%+v, want until %v", token, end)
		}
		for _, s := range token.Scope {
			if !slices.Contains(scope, s) {
				rt.Fatalf("scope %q", token.Scope)
			}
		}
	})
}

// TestEachBound: each bound by itself ends what is made, where all others are later.
func TestEachBound(t *testing.T) {
	pki := testpki.Load()
	end := now.Add(3 * time.Minute)
	short := aliceTemplate()
	short.NotBefore, short.NotAfter = testpki.NotBefore(), end
	ends := pki.Issue(pki.EHealthCA, short, pki.AliceEHealthP256.Key)
	shortSTS := minipki.EHealth(minipki.Holder{Type: "CBE", Value: testpki.ServiceCBE, Name: "EXAMPLE PLATFORM", Application: testpki.ServiceID})
	shortSTS.NotBefore, shortSTS.NotAfter = testpki.NotBefore(), end
	stsEnds := pki.Issue(pki.EHealthCA, shortSTS, pki.STSP256.Key)
	to := []string{"requested_token_type", bridge.SAML1.String()}
	for name, c := range map[string]struct {
		conf func(*bridge.Config)
		set  func(*rig)
		form func(*rig) url.Values
	}{
		"the certificate, of a token":      {set: func(r *rig) { r.holder = &ends }, form: func(r *rig) url.Values { return r.samlForm(r.assertion(nil)) }},
		"the certificate, of an assertion": {set: func(r *rig) { r.holder = &ends }, form: func(r *rig) url.Values { return r.tokenForm(r.accessToken(nil), to...) }},
		"the certificate, of an upstream":  {set: func(r *rig) { r.holder = &ends }, form: func(r *rig) url.Values { return r.tokenForm(opaque(psc), "scope", "x") }},
		"the assertion":                    {form: func(r *rig) url.Values { return r.samlForm(r.assertion(func(i *saml.Issue) { i.NotOnOrAfter = end })) }},
		"the token": {form: func(r *rig) url.Values {
			return r.tokenForm(r.accessToken(func(t *bridge.Token) { t.Expires = end }), to...)
		}},
		"the actor token": {form: func(r *rig) url.Values {
			return r.tokenForm(r.accessToken(nil), "actor_token", r.accessToken(func(t *bridge.Token) { t.Expires = end }), "actor_token_type", bridge.AccessToken.String())
		}},
		"the token service": {form: func(r *rig) url.Values {
			out, err := saml.AppendAssertion(nil, r.issue(), signer(t, &stsEnds))
			if err != nil {
				t.Fatal(err)
			}
			return r.samlForm(out)
		}},
		"the signer of assertions": {conf: func(c *bridge.Config) {
			c.Assertions.Signing = func(time.Time) (bridge.Signing, error) {
				return bridge.Signing{Signer: signer(t, &pki.STS), NotBefore: testpki.NotBefore(), NotAfter: end}, nil
			}
		}, form: func(r *rig) url.Values { return r.tokenForm(r.accessToken(nil), to...) }},
		"the authentication":   {conf: func(c *bridge.Config) { c.MaximumAge = 5 * time.Minute }, form: func(r *rig) url.Values { return r.tokenForm(r.accessToken(nil)) }},
		"the configuration":    {conf: func(c *bridge.Config) { c.MaximumValidity = 3 * time.Minute }, form: func(r *rig) url.Values { return r.tokenForm(r.accessToken(nil)) }},
		"policy":               {set: func(r *rig) { r.policy.answer.MaximumValidity = 3 * time.Minute }, form: func(r *rig) url.Values { return r.tokenForm(r.accessToken(nil)) }},
		"what policy rests on": {set: func(r *rig) { r.policy.answer.Until = end }, form: func(r *rig) url.Values { return r.tokenForm(r.accessToken(nil)) }},
	} {
		t.Run(name, func(t *testing.T) {
			var change []func(*bridge.Config)
			if c.conf != nil {
				change = append(change, c.conf)
			}
			r := newRig(t, change...)
			if c.set != nil {
				c.set(r)
			}
			if result := r.must(c.form(r)); !result.Expires.Equal(end) {
				t.Errorf("until %v, want %v", result.Expires, end)
			}
		})
	}
}

// strength ranks references: what an establishment asks more of.
func strength(references []string) int {
	has := func(r string) bool { return slices.Contains(references, r) }
	hard, soft, factors := has("hwk") || has("sc"), has("swk"), has("mfa") || has("pin")
	switch {
	case hard && factors:
		return 5
	case hard:
		return 4
	case soft && factors:
		return 3
	case soft || has("otp") || factors:
		return 2
	case has("pwd") || has("wia"):
		return 1
	}
	return 0
}

// TestMethodsNeverGrow: there and back, nobody was authenticated more strongly than he was.
func TestMethodsNeverGrow(t *testing.T) {
	m := bridge.DefaultMethods()
	all := []string{"sc", "pin", "hwk", "swk", "mfa", "otp", "pwd", "wia", "face", "fpt", "unknown"}
	rapid.Check(t, func(rt *rapid.T) {
		references := rapid.SliceOfDistinct(rapid.SampledFrom(all), rapid.ID[string]).Draw(rt, "amr")
		back := m.References(m.SAML(references))
		if strength(back) > strength(references) {
			rt.Fatalf("%q becomes %q becomes %q", references, m.SAML(references), back)
		}
		// And once it is said so, it stays so.
		if again := m.References(m.SAML(back)); !slices.Equal(again, back) {
			rt.Fatalf("%q becomes %q", back, again)
		}
	})
}

// TestMethodsTable holds each row of docs/bridge.md.
func TestMethodsTable(t *testing.T) {
	m := bridge.DefaultMethods()
	const am, ac = "urn:oasis:names:tc:SAML:1.0:am:", "urn:oasis:names:tc:SAML:2.0:ac:classes:"
	document, err := os.ReadFile("../../docs/bridge.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range methodRows {
		back := "nothing"
		if row.back != nil {
			back = "`" + strings.Join(row.back, "`, `") + "`"
		}
		if !regexp.MustCompile("(?m)^\\| .*\\| `" + regexp.QuoteMeta(row.method) + "`.* \\| " + regexp.QuoteMeta(back) + " \\|$").Match(document) {
			t.Errorf("docs/bridge.md has no row of %s and %s", row.method, back)
		}
		if row.references != nil || row.method == am+"unspecified" {
			if got := m.SAML(row.references); got != row.method {
				t.Errorf("%q is %s, want %s", row.references, got, row.method)
			}
		}
		if got := m.References(row.method); !slices.Equal(got, row.back) {
			t.Errorf("%s is %q, want %q", row.method, got, row.back)
		}
	}
	for _, unknown := range []string{"", "urn:x", ac + "SmartcardPKI"} {
		if m.References(unknown) != nil {
			t.Errorf("something is known of %q", unknown)
		}
	}
}

var methodRows = []struct {
	references []string
	method     string
	back       []string
}{
	{[]string{"sc", "pin", "mfa", "hwk"}, "urn:oasis:names:tc:SAML:1.0:am:HardwareToken", []string{"hwk"}},
	{[]string{"sc"}, "urn:oasis:names:tc:SAML:1.0:am:HardwareToken", []string{"hwk"}},
	{[]string{"hwk", "mfa"}, "urn:oasis:names:tc:SAML:1.0:am:HardwareToken", []string{"hwk"}},
	{[]string{"hwk", "pwd", "mfa"}, "urn:oasis:names:tc:SAML:1.0:am:HardwareToken", []string{"hwk"}},
	{[]string{"swk", "mfa", "pwd"}, "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorUnregistered", []string{"swk", "mfa"}},
	{[]string{"pwd", "otp", "mfa"}, "urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken", []string{"otp"}},
	{[]string{"otp"}, "urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken", []string{"otp"}},
	{[]string{"swk"}, "urn:oasis:names:tc:SAML:1.0:am:X509-PKI", []string{"swk"}},
	{[]string{"wia"}, "urn:ietf:rfc:1510", []string{"wia"}},
	{[]string{"pwd"}, "urn:oasis:names:tc:SAML:1.0:am:password", []string{"pwd"}},
	{[]string{"face"}, "urn:oasis:names:tc:SAML:1.0:am:unspecified", nil},
	{nil, "urn:oasis:names:tc:SAML:1.0:am:unspecified", nil},
	{nil, "urn:ietf:rfc:2246", []string{"swk"}},
	{nil, "urn:ietf:rfc:3075", []string{"swk"}},
	{nil, "urn:ietf:rfc:2945", []string{"pwd"}},
}
