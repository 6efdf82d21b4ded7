package bridge_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/internal/judge"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
	"sceau/oidc/bridge"
	"sceau/policy"
	"sceau/saml"
	"sceau/xmlsec/xmltext"
)

func aliceTemplate() minipki.Template {
	return minipki.EHealth(minipki.Holder{Type: "SSIN", Value: testpki.AliceSSIN, Name: "ALICE EXAMPLE"})
}

// holders are those that tests exchange for: by key.
func holders() map[string]*testpki.Leaf {
	pki := testpki.Load()
	return map[string]*testpki.Leaf{"RSA": &pki.AliceEHealth, "P-256": &pki.AliceEHealthP256, "P-384": &pki.AliceEHealthP384, "hospital": &pki.Hospital}
}

// TestSAMLToToken: an assertion becomes each type of token, bound to the same certificate.
func TestSAMLToToken(t *testing.T) {
	for name, holder := range holders() {
		for _, kind := range []bridge.TokenType{0, bridge.AccessToken, bridge.IDToken, bridge.JWT} {
			t.Run(name+" "+kind.Name(), func(t *testing.T) {
				r := newRig(t)
				r.holder = holder
				f := r.samlForm(r.assertion(nil), "scope", "records")
				want, audience := kind, records
				switch kind {
				case 0:
					want = bridge.AccessToken
				case bridge.IDToken:
					f.Del("audience")
					audience = client
				}
				if kind != 0 {
					f.Set("requested_token_type", kind.String())
				}
				result := r.must(f)
				token := r.read(result)
				if result.Type != want || token.Issuer != opIssuer || token.Subject != personSub || token.ClientID != client || !slices.Equal(token.Audience, []string{audience}) {
					t.Errorf("%+v", token)
				}
				if token.Confirmation != bridge.Thumbprint(holder.DER) {
					t.Error("not bound to the certificate of the connection")
				}
				if !token.Expires.Equal(now.Add(40*time.Minute)) || !token.IssuedAt.Equal(now) || !token.AuthTime.Equal(now.Add(-time.Minute)) {
					t.Errorf("from %v to %v, authenticated %v", token.IssuedAt, token.Expires, token.AuthTime)
				}
				if !slices.Equal(token.Methods, []string{"swk"}) || token.Level != "" {
					t.Errorf("amr %q, acr %q", token.Methods, token.Level)
				}
				if want := map[string]any{"doctor": true}; !reflect.DeepEqual(token.Claims, want) {
					t.Errorf("claims %v, want %v: those that configuration names, whose scope was granted", token.Claims, want)
				}
				e := r.last()
				if !e.Success || e.SubjectToken.ID != "_assertion-1" || e.SubjectToken.Issuer != stsIssuer || e.Issued.ID != token.ID || token.ID == "" ||
					e.Direction != "saml1-to-token" || e.Client != client || !slices.Equal(e.Rules, []string{"test"}) || e.Subject != personSub || e.Certificate != sha256.Sum256(holder.DER) {
					t.Errorf("recorded: %+v", e)
				}
				asked := r.policy.asked[0]
				if asked.Client != client || asked.Audience != audience || asked.From != "saml1" || asked.To != want.Name() || asked.Issuer != stsIssuer ||
					!slices.Equal(asked.Methods, []string{"swk"}) || !slices.Equal(asked.Scope, []string{"records"}) || asked.Delegated || asked.Holder != e.Holder || asked.At != now {
					t.Errorf("policy was asked: %+v", asked)
				}
			})
		}
	}
}

// assertionOf reads an assertion that was made, by the rules by which a guard would.
func (r *rig) assertionOf(result *bridge.Result) (*saml.Assertion, []byte) {
	r.t.Helper()
	octets, err := base64.RawURLEncoding.Strict().DecodeString(result.Token)
	if err != nil {
		r.t.Fatal(err)
	}
	document, err := xmltext.Parse(octets, xmltext.DefaultLimits())
	if err != nil {
		r.t.Fatal(err)
	}
	a := new(saml.Assertion)
	if err := saml.ParseAssertion(document.Root(), a); err != nil {
		r.t.Fatal(err)
	}
	return a, octets
}

func valuesOf(a *saml.Assertion) string {
	var all []string
	for _, one := range a.Attributes() {
		for _, v := range one.Values {
			all = append(all, string(one.Name)+"="+string(v))
		}
	}
	return strings.Join(all, " ")
}

// TestTokenToSAML: a token becomes an assertion, bound to the same certificate; xmllint finds it valid by the schema, xmlsec1 finds it signed.
func TestTokenToSAML(t *testing.T) {
	for name, holder := range holders() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.holder = holder
			result := r.must(r.tokenForm(r.accessToken(nil), "requested_token_type", bridge.SAML1.String(), "scope", "records identity"))
			a, octets := r.assertionOf(result)
			if result.Type != bridge.SAML1 || string(a.Issuer) != ourSAML || string(a.AssertionID) != result.ID || string(a.AuthenticationMethod) != saml.MethodHardwareToken {
				t.Errorf("%+v", a)
			}
			if !a.AuthenticationInstant.Equal(now.Add(-2*time.Minute)) || !a.Conditions.NotOnOrAfter.Equal(now.Add(30*time.Minute)) || !a.Conditions.NotBefore.Equal(now.Add(-time.Minute)) {
				t.Errorf("%v, from %v to %v", a.AuthenticationInstant, a.Conditions.NotBefore, a.Conditions.NotOnOrAfter)
			}
			if c := a.Conditions; c.Restrictions != 1 || string(c.Audiences[0]) != records {
				t.Errorf("audiences %q", c.Audiences)
			}
			confirmation := a.AuthenticationSubject.Confirmation
			certificate, _ := confirmation.KeyInfo.FirstElement().FirstElement().Value()
			if string(confirmation.Method) != saml.HolderOfKey || string(certificate) != base64.StdEncoding.EncodeToString(holder.DER) {
				t.Error("not bound to the certificate of the connection")
			}
			if n := a.AuthenticationSubject.NameIdentifier; string(n.Value) != personSub || string(n.NameQualifier) != opIssuer || string(n.Format) != saml.FormatPersistent {
				t.Errorf("name %q", n)
			}
			want := ssin.Name + "=" + testpki.AliceSSIN + " given_name=Alice amr=sc amr=pin amr=mfa amr=hwk acr=eidas3 client_id=" + client
			if got := valuesOf(a); got != want { // doctor is certified: no token certifies it
				t.Errorf("attributes %s\nwant       %s", got, want)
			}
			if e := r.last(); e.SubjectToken.ID != "token-1" || e.Issued.ID != result.ID || e.Direction != "token-to-saml1" {
				t.Errorf("recorded: %+v", e)
			}
			judge.SAML11(t, octets)
			public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: testpki.Load().STS.X509().RawSubjectPublicKeyInfo})
			ids := []judge.ID{{Attribute: "AssertionID", Namespace: saml.NamespaceAssertion, Element: "Assertion"}}
			altered := []byte(strings.Replace(string(octets), personSub, "a7f3-malic", 1))
			if got := judge.VerifyXMLSec(t, public, ids, "", [][]byte{octets, altered}); !got[0] || got[1] {
				t.Errorf("xmlsec1: %v", got)
			}
		})
	}
}

// TestRoundTrip: what comes back from SAML is what went in: sub, amr, acr, act; and nothing lasts longer.
func TestRoundTrip(t *testing.T) {
	r := newRig(t)
	first := r.accessToken(func(t *bridge.Token) { t.Actor = &bridge.Actor{Subject: "gateway", Issuer: "urn:x"} })
	result := r.must(r.tokenForm(first, "requested_token_type", bridge.SAML1.String()))
	_, octets := r.assertionOf(result)
	r.now = now.Add(time.Minute)
	f := r.samlForm(octets)
	f.Set("audience", "https://other.example")
	// The assertion is for records alone: here it is not ours to take.
	r.refused(bridge.WrongAudience, r.client(), f)
	r2 := newRig(t, func(c *bridge.Config) { c.Assertions.Audiences = []string{records} })
	r2.now = r.now
	token := r2.read(r2.must(f))
	if token.Subject != personSub || !slices.Equal(token.Methods, []string{"sc", "pin", "mfa", "hwk"}) || token.Level != "eidas3" ||
		!token.AuthTime.Equal(now.Add(-2*time.Minute)) || token.Actor == nil || *token.Actor != (bridge.Actor{Subject: "gateway", Issuer: "urn:x"}) || !token.Expires.Equal(now.Add(30*time.Minute)) {
		t.Errorf("%+v, act %+v", token, token.Actor)
	}
}

// TestForeignClaimsAreNone: another STS cannot say amr, acr, act or sub for us.
func TestForeignClaimsAreNone(t *testing.T) {
	r := newRig(t)
	token := r.read(r.must(r.samlForm(r.assertion(func(i *saml.Issue) {
		i.Subject = saml.Name{Format: saml.FormatPersistent, Subject: "somebody", Issuer: opIssuer}
		i.Attributes = append(i.Attributes,
			saml.Statement{Name: "amr", Namespace: bridge.ClaimNamespace, Values: []string{"hwk"}},
			saml.Statement{Name: "acr", Namespace: bridge.ClaimNamespace, Values: []string{"eidas3"}},
			saml.Statement{Name: "act", Namespace: bridge.ClaimNamespace, Values: []string{`{"sub":"x"}`}})
	}))))
	if token.Subject != personSub || !slices.Equal(token.Methods, []string{"swk"}) || token.Level != "" || token.Actor != nil {
		t.Errorf("%+v", token)
	}
}

// TestTokenToToken: for another audience, with less scope.
func TestTokenToToken(t *testing.T) {
	r := newRig(t)
	token := r.read(r.must(r.tokenForm(r.accessToken(nil), "scope", "records", "resource", "https://api.example/v1")))
	if !slices.Equal(token.Audience, []string{records, "https://api.example/v1"}) || !slices.Equal(token.Scope, []string{"records"}) || !token.Expires.Equal(now.Add(30*time.Minute)) ||
		token.Actor != nil || !reflect.DeepEqual(token.Claims, map[string]any{"doctor": true, "tid": "etab-1", "given_name": "Alice"}) {
		t.Errorf("%+v", token)
	}
	if len(r.policy.asked) != 2 || r.policy.asked[0].Audience != records || r.policy.asked[1].Audience != "https://api.example/v1" || r.policy.asked[0].Assurance != 3 {
		t.Errorf("policy was asked: %+v", r.policy.asked)
	}
}

// TestUpstream: the profile of the ANS.
func TestUpstream(t *testing.T) {
	r := newRig(t)
	f := r.tokenForm(opaque(psc), "scope", "records")
	result := r.must(f)
	token := r.read(result)
	if token.Subject != personSub || token.Confirmation != bridge.Thumbprint(r.holder.DER) || !token.Expires.Equal(now.Add(time.Hour)) || token.Level != "eidas1" ||
		!reflect.DeepEqual(token.Claims, map[string]any{"SubjectNameID": "899700000001"}) || result.Type != bridge.AccessToken || token.Actor != nil {
		t.Errorf("%+v", token)
	}
	if e := r.last(); e.SubjectToken.ID != "psc-1" || e.SubjectToken.Issuer != psc || e.Issued.ID != token.ID || e.Direction != "upstream-to-token" {
		t.Errorf("recorded: %+v", e)
	}
	r.refused(bridge.AlreadyExchanged, r.client(), f) // O2: used once
}

// TestUpstreamAnswers: a provider that says active is not believed beyond what it says.
func TestUpstreamAnswers(t *testing.T) {
	r := newRig(t)
	for name, c := range map[string]struct {
		change func(*bridge.Token)
		want   bridge.Reason
	}{
		"ended":         {func(t *bridge.Token) { t.Expires = now }, bridge.SubjectTokenExpired},
		"not yet valid": {func(t *bridge.Token) { t.NotBefore = now.Add(time.Second) }, bridge.SubjectTokenNotYetValid},
		"nobody's":      {func(t *bridge.Token) { t.Subject = "" }, bridge.BadSubjectToken},
		"old":           {func(t *bridge.Token) { t.AuthTime = now.Add(-4 * time.Hour) }, bridge.AuthenticationTooOld},
	} {
		t.Run(name, func(t *testing.T) {
			r.t, r.psc.answer = t, pscToken()
			c.change(r.psc.answer)
			r.refused(c.want, r.client(), r.tokenForm(opaque(psc), "scope", "records"))
		})
	}
	// What he says of actors is about his tokens, not ours.
	r.t, r.psc.answer = t, pscToken()
	r.psc.answer.Actor, r.psc.answer.MayAct = &bridge.Actor{Subject: "x"}, &bridge.Actor{Subject: "y"}
	if token := r.read(r.must(r.tokenForm(opaque(psc), "scope", "records"))); token.Actor != nil || token.MayAct != nil {
		t.Errorf("act %+v, may_act %+v", token.Actor, token.MayAct)
	}
}

// opaque is a token of another issuer that has the form of a JWT and no signature that we could verify.
func opaque(issuer string) string {
	payload, _ := json.Marshal(map[string]string{"iss": issuer})
	return "e30." + base64.RawURLEncoding.EncodeToString(payload) + ".c2ln"
}

// TestUpstreamOnce: of many at once exactly one succeeds.
func TestUpstreamOnce(t *testing.T) {
	r := newRig(t)
	var wins, replays int
	var mu sync.Mutex
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			_, err := r.exchange(r.tokenForm(opaque(psc), "scope", "records"))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				wins++
			} else if bridge.ReasonOf(err) == bridge.AlreadyExchanged {
				replays++
			}
		})
	}
	group.Wait()
	if wins != 1 || replays != 15 {
		t.Errorf("%d succeed, %d are refused as replayed", wins, replays)
	}
}

// source answers about Alice for the certified attributes of assertions.
func source(t testing.TB, until time.Time) *attrs.Static {
	t.Helper()
	d, _ := attrs.EHealth().Find(isDoc)
	s, err := attrs.NewStatic("registry", testpki.Now, []attrs.StaticFact{{Subject: attrs.Subject{Type: attrs.SubjectSSIN, Value: testpki.AliceSSIN}, Definition: d,
		Fact: attrs.Fact{Value: "true", NotOnOrAfter: until}}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const releaseRules = `version: 1
profiles:
  P:
    maximum-validity: 1h
    fallback-maximum-validity: 20m
    attributes:
      - {name: "urn:be:fgov:person:ssin:doctor:boolean", namespace: certified}
rules:
  - {id: alice, effect: permit, identity: {identifiers: ["SSIN=00000000097"]}, profiles: [P]}
`

// TestCertifiedAnew: certified attributes of an assertion come from their source, under policy, and bound its end.
func TestCertifiedAnew(t *testing.T) {
	rules, err := policy.Load(strings.NewReader(releaseRules), attrs.EHealth())
	if err != nil {
		t.Fatal(err)
	}
	make := func(t *testing.T, until time.Time, change ...func(*bridge.Config)) *rig {
		return newRig(t, append([]func(*bridge.Config){func(c *bridge.Config) {
			c.Assertions.Certified = map[string][]attrs.Designator{records: {isDoc}}
			c.Assertions.Release, c.Assertions.Attributes = rules, source(t, until)
		}}, change...)...)
	}
	for name, c := range map[string]struct {
		until time.Time
		end   time.Duration
	}{"bounded by policy": {now.Add(time.Hour), 20 * time.Minute}, "bounded by the attribute": {now.Add(5 * time.Minute), 5 * time.Minute}} {
		t.Run(name, func(t *testing.T) {
			r := make(t, c.until)
			a, _ := r.assertionOf(r.must(r.tokenForm(r.accessToken(nil), "requested_token_type", bridge.SAML1.String())))
			if !strings.Contains(valuesOf(a), isDoc.Name+"=true") || !a.Conditions.NotOnOrAfter.Equal(now.Add(c.end)) {
				t.Errorf("%s until %v", valuesOf(a), a.Conditions.NotOnOrAfter)
			}
		})
	}
	saml1 := func(r *rig) url.Values {
		return r.tokenForm(r.accessToken(nil), "requested_token_type", bridge.SAML1.String())
	}
	t.Run("not to another holder", func(t *testing.T) {
		r := make(t, now.Add(time.Hour))
		r.holder = &testpki.Load().Hospital
		r.refused(bridge.Denied, r.client(), saml1(r))
	})
	t.Run("the source knows nobody by such a token", func(t *testing.T) {
		r := make(t, now.Add(time.Hour))
		r.refused(bridge.UnknownSubject, r.client(), r.tokenForm(r.accessToken(func(t *bridge.Token) { delete(t.Claims, "ssin") }), "requested_token_type", bridge.SAML1.String()))
	})
	t.Run("the source does not answer", func(t *testing.T) {
		r := make(t, now.Add(time.Hour), func(c *bridge.Config) { c.Assertions.Attributes = noSource{} })
		r.refused(bridge.Unavailable, r.client(), saml1(r))
	})
	t.Run("by the definitions of the moment", func(t *testing.T) {
		sector := attrs.Designator{Name: "urn:example:sector:boolean", Namespace: attrs.NamespaceCertified}
		more, err := attrs.EHealth().With(attrs.Definition{Designator: sector, Kind: attrs.Boolean, KeyedBy: []attrs.Key{{ssin.Name}}})
		if err != nil {
			t.Fatal(err)
		}
		current := more
		r := make(t, now.Add(time.Hour), func(c *bridge.Config) {
			c.Catalogue = func() *attrs.Catalogue { return current }
			c.Assertions.Certified = map[string][]attrs.Designator{records: {isDoc, sector}}
			c.Assertions.Release, c.Assertions.Attributes = permitAll{}, allTrue{}
		})
		if a, _ := r.assertionOf(r.must(saml1(r))); !strings.Contains(valuesOf(a), sector.Name+"=true") {
			t.Error(valuesOf(a))
		}
		current = attrs.EHealth() // an assertion without it would say that the person has it not
		r.refused(bridge.Unavailable, r.client(), saml1(r))
	})
}

// permitAll releases everything.
type permitAll struct{}

func (permitAll) Release(_ context.Context, r *policy.ReleaseRequest, d *policy.Release) error {
	d.MaximumValidity = time.Hour
	for range r.Attributes {
		d.Decisions = append(d.Decisions, policy.Permit("all"))
	}
	return nil
}

// allTrue says that everything is so.
type allTrue struct{}

func (allTrue) Resolve(_ context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error) {
	for _, d := range q.Definitions {
		dst = append(dst, attrs.Certified{Definition: d, State: attrs.Affirmed})
	}
	return dst, nil
}

type noSource struct{}

func (noSource) Resolve(context.Context, *attrs.Query, []attrs.Certified) ([]attrs.Certified, error) {
	return nil, errOutage
}

// TestDelegation: act carries who acts, may_act bounds who may, and an actor proves himself as the subject does.
func TestDelegation(t *testing.T) {
	r := newRig(t)
	actor := r.accessToken(func(t *bridge.Token) {
		t.ID, t.Subject, t.AuthTime, t.Methods, t.Expires = "actor-1", "gateway", time.Time{}, nil, now.Add(10*time.Minute)
	})
	with := func(pairs ...string) []string {
		return append([]string{"actor_token", actor, "actor_token_type", bridge.AccessToken.String()}, pairs...)
	}
	token := r.read(r.must(r.tokenForm(r.accessToken(func(t *bridge.Token) { t.Actor = &bridge.Actor{Subject: "before"} }), with()...)))
	if a := token.Actor; a == nil || a.Subject != "gateway" || a.Issuer != opIssuer || a.Actor == nil || a.Actor.Subject != "before" {
		t.Errorf("act %+v", token.Actor)
	}
	if !token.Expires.Equal(now.Add(10 * time.Minute)) {
		t.Errorf("until %v: beyond the actor token", token.Expires)
	}
	if e := r.last(); e.ActorToken.ID != "actor-1" || e.Actor.Subject != "gateway" || !r.policy.asked[0].Delegated {
		t.Errorf("recorded: %+v", e)
	}
	if token := r.read(r.must(r.tokenForm(r.accessToken(nil), "actor_token", encode(r.assertion(nil)), "actor_token_type", bridge.SAML1.String()))); token.Actor.Subject != personSub {
		t.Errorf("act %+v of an assertion", token.Actor)
	}
	t.Run("a token of another client", func(t *testing.T) { // whoever exchanges it acts
		if token := r.read(r.must(r.tokenForm(r.accessToken(func(t *bridge.Token) { t.ClientID = "other" })))); token.Actor == nil || token.Actor.Subject != client {
			t.Errorf("act %+v", token.Actor)
		}
	})
	may := func(sub, iss string) string {
		return r.accessToken(func(t *bridge.Token) { t.MayAct = &bridge.Actor{Subject: sub, Issuer: iss} })
	}
	for name, c := range map[string]struct {
		form url.Values
		want bridge.Reason // zero: exchanged
	}{
		"may_act names the actor":            {r.tokenForm(may("gateway", ""), with()...), 0},
		"may_act with issuer":                {r.tokenForm(may("gateway", opIssuer), with()...), 0},
		"may_act names another":              {r.tokenForm(may("other", ""), with()...), bridge.ActorNotPermitted},
		"may_act of another issuer":          {r.tokenForm(may("gateway", psc), with()...), bridge.ActorNotPermitted},
		"may_act names the client":           {r.tokenForm(may(client, "")), 0},
		"may_act names somebody, nobody is":  {r.tokenForm(may("gateway", "")), bridge.ActorNotPermitted},
		"an actor bound to another":          {r.tokenForm(r.accessToken(nil), "actor_token", r.accessToken(func(t *bridge.Token) { t.Confirmation = bridge.Thumbprint(testpki.Load().Hospital.DER) }), "actor_token_type", bridge.AccessToken.String()), bridge.BadActorToken},
		"an actor that is expired":           {r.tokenForm(r.accessToken(nil), "actor_token", r.accessToken(func(t *bridge.Token) { t.Expires = now }), "actor_token_type", bridge.AccessToken.String()), bridge.BadActorToken},
		"an actor of another type than said": {r.tokenForm(r.accessToken(nil), "actor_token", actor, "actor_token_type", bridge.IDToken.String()), bridge.BadActorToken},
		"a refresh token as actor":           {r.tokenForm(r.accessToken(nil), "actor_token", actor, "actor_token_type", bridge.RefreshToken.String()), bridge.UnsupportedType},
	} {
		t.Run(name, func(t *testing.T) {
			if c.want == 0 {
				r.must(c.form)
			} else {
				r.refused(c.want, r.client(), c.form)
			}
		})
	}
	t.Run("a chain of bounded length", func(t *testing.T) {
		chain := func(n int) *bridge.Actor {
			var a *bridge.Actor
			for i := range n {
				a = &bridge.Actor{Subject: fmt.Sprint("s", i), Actor: a}
			}
			return a
		}
		r.must(r.tokenForm(r.accessToken(func(t *bridge.Token) { t.Actor = chain(3) }), with()...))
		r.refused(bridge.ChainTooLong, r.client(), r.tokenForm(r.accessToken(func(t *bridge.Token) { t.Actor = chain(4) }), with()...))
		r.refused(bridge.ChainTooLong, r.client(), r.tokenForm(r.accessToken(func(t *bridge.Token) { t.Actor = chain(5) })))
		r.refused(bridge.BadSubjectToken, r.client(), r.tokenForm(r.accessToken(func(t *bridge.Token) { t.Actor = chain(40) })))
	})
}

// TestPolicies: the two kinds of policies decide by what the exchange tells them, and their windows bound what is made.
func TestPolicies(t *testing.T) {
	for name, pdp := range map[string]policy.ExchangePDP{"rules": exchangeRules(t), "cedar": cedarPolicies(t, "hwk")} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *bridge.Config) { c.Policy = pdp })
			saml1 := []string{"requested_token_type", bridge.SAML1.String(), "scope", "records"}
			token := r.accessToken(func(t *bridge.Token) { t.Expires = now.Add(3 * time.Hour) })
			a, _ := r.assertionOf(r.must(r.tokenForm(token, saml1...)))
			if !a.Conditions.NotOnOrAfter.Equal(now.Add(time.Hour)) || len(r.last().Rules) != 1 {
				t.Errorf("until %v by %q", a.Conditions.NotOnOrAfter, r.last().Rules)
			}
			r.refused(bridge.Denied, r.client(), r.tokenForm(r.accessToken(func(t *bridge.Token) { t.Actor = &bridge.Actor{Subject: "x"} }), saml1...))
			r.refused(bridge.Denied, r.client(), r.tokenForm(r.accessToken(func(t *bridge.Token) { t.Scope = []string{"admin"} }), "requested_token_type", bridge.SAML1.String()))
			r.refused(bridge.Denied, &bridge.Client{ID: "another", Certificate: r.holder.DER, Rule: rule{age: 4 * time.Hour}}, r.tokenForm(token, saml1...))
			if name == "cedar" { // the example wants a key in hardware
				r.refused(bridge.Denied, r.client(), r.samlForm(r.assertion(nil), "scope", "records"))
				r.refused(bridge.Denied, r.client(), r.tokenForm(r.accessToken(func(t *bridge.Token) { t.Methods = []string{"pwd"} }), saml1...))
			}
		})
	}
}

// TestGone: a client that has gone leaves its trace all the same, and gets nothing.
func TestGone(t *testing.T) {
	r := newRig(t)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	f := r.samlForm(r.assertion(nil))
	if result, err := r.x.ExchangeForm(gone, r.client(), f, now); result != nil || bridge.ReasonOf(err) != bridge.NotIssued {
		t.Errorf("%v, %v", result, err)
	}
	if e := r.last(); e.Success || e.Reason != bridge.NotIssued || r.gone {
		t.Errorf("%+v, recorded under the context of the client: %v", e, r.gone)
	}
}

// TestUnrecorded: what cannot be recorded does not leave.
func TestUnrecorded(t *testing.T) {
	r := newRig(t)
	r.fail = errOutage
	result, err := r.exchange(r.samlForm(r.assertion(nil)))
	if result != nil || bridge.ReasonOf(err) != bridge.Unrecorded {
		t.Errorf("%v, %v", result, err)
	}
	var none *bridge.Exchanger
	for _, x := range []*bridge.Exchanger{none, {}} {
		if result, err := x.ExchangeForm(context.Background(), r.client(), r.samlForm(r.assertion(nil)), now); result != nil || bridge.ReasonOf(err) != bridge.Unconfigured {
			t.Errorf("an exchanger that New did not make: %v, %v", result, err)
		}
	}
}

// TestNothingFailsOpen: an outage refuses, and so does a policy that says nothing.
func TestNothingFailsOpen(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*rig)
		conf func(*bridge.Config)
		form func(*rig) url.Values
		want bridge.Reason
	}{
		"the zero decision":      {set: func(r *rig) { r.policy.answer = policy.Exchange{} }, want: bridge.Denied},
		"a policy that fails":    {set: func(r *rig) { r.policy.fail = errOutage }, want: bridge.Unavailable},
		"a policy that cannot":   {set: func(r *rig) { r.policy.fail = &policy.Error{Reason: policy.InvalidRequest} }, want: bridge.Denied},
		"a policy that ends now": {set: func(r *rig) { r.policy.answer.Until = now }, want: bridge.NoTimeLeft},
		"no accounts":            {conf: func(c *bridge.Config) { c.Subjects = subs{errOutage} }, want: bridge.Unavailable},
		"no such account": {form: func(r *rig) url.Values {
			return r.samlForm(r.assertion(func(i *saml.Issue) { i.Attributes[0].Values = []string{testpki.BobSSIN} }))
		}, want: bridge.UnknownSubject},
		"no key signs": {set: func(r *rig) {
			r.tokens.Sign = func(time.Time) (bridge.SigningKey, error) { return bridge.SigningKey{}, errOutage }
		}, want: bridge.NotIssued},
		"grants cannot be asked":     {set: func(r *rig) { r.tokens.Active = func(context.Context, *bridge.Token) error { return errOutage } }, form: func(r *rig) url.Values { return r.tokenForm(r.accessToken(nil)) }, want: bridge.Unavailable},
		"nobody says what is active": {set: func(r *rig) { r.tokens.Active = nil }, form: func(r *rig) url.Values { return r.tokenForm(r.accessToken(nil)) }, want: bridge.BadSubjectToken},
		"an upstream that is away":   {set: func(r *rig) { r.psc.fail = errOutage }, form: func(r *rig) url.Values { return r.tokenForm(opaque(psc), "scope", "x") }, want: bridge.Unavailable},
		"a full replay state":        {conf: func(c *bridge.Config) { c.Once = full{} }, form: func(r *rig) url.Values { return r.tokenForm(opaque(psc), "scope", "x") }, want: bridge.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			var change []func(*bridge.Config)
			if c.conf != nil {
				change = append(change, c.conf)
			}
			r := newRig(t, change...)
			f := r.samlForm(r.assertion(nil))
			if c.form != nil {
				f = c.form(r)
			}
			if c.set != nil {
				c.set(r)
			}
			r.refused(c.want, r.client(), f)
		})
	}
	t.Run("no key signs assertions", func(t *testing.T) {
		for name, signing := range map[string]func(time.Time) (bridge.Signing, error){
			"error": func(time.Time) (bridge.Signing, error) { return bridge.Signing{}, errOutage },
			"none":  func(time.Time) (bridge.Signing, error) { return bridge.Signing{}, nil },
			"ended": func(time.Time) (bridge.Signing, error) {
				return bridge.Signing{Signer: signer(t, &testpki.Load().STS), NotAfter: now}, nil
			},
			"not begun": func(time.Time) (bridge.Signing, error) {
				return bridge.Signing{Signer: signer(t, &testpki.Load().STS), NotBefore: now.Add(1), NotAfter: now.Add(time.Hour)}, nil
			},
		} {
			r := newRig(t, func(c *bridge.Config) { c.Assertions.Signing = signing })
			t.Log(name)
			r.refused(bridge.NotIssued, r.client(), r.tokenForm(r.accessToken(nil), "requested_token_type", bridge.SAML1.String()))
		}
	})
}

type full struct{}

func (full) Remember([32]byte, time.Time, time.Time) error { return errOutage }
