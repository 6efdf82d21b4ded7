package bridge_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/attrs"
	"sceau/certs/certstest"
	"sceau/internal/testpki"
	"sceau/oidc/authn"
	"sceau/oidc/bridge"
	"sceau/policy"
	"sceau/saml"
	"sceau/soap"
	"sceau/xmlsec"
)

const (
	opIssuer  = "https://op.example/etab/1"
	stsIssuer = "urn:be:fgov:ehealth:sts:1_0"
	ourSAML   = "urn:sceau:test:bridge"
	psc       = "https://psc.example/realms/wallet"
	records   = "https://records.example"
	personSub = "a7f3-alice"
	client    = "portal"
)

var (
	now   = testpki.Now()
	ssin  = attrs.Designator{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification}
	isDoc = attrs.Designator{Name: "urn:be:fgov:person:ssin:doctor:boolean", Namespace: attrs.NamespaceCertified}
)

// A rig is an Exchanger with all that is around it.
type rig struct {
	t      testing.TB
	x      *bridge.Exchanger
	config bridge.Config
	tokens *bridge.JWTs
	policy *decider
	psc    *provider

	mu     sync.Mutex
	events []bridge.Event
	fail   error // of the recorder
	gone   bool  // its context
	now    time.Time
	holder *testpki.Leaf
}

// Record implements bridge.Recorder.
func (r *rig) Record(ctx context.Context, e *bridge.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = ctx.Err() != nil
	r.events = append(r.events, *e)
	return r.fail
}

// with gives the rig to another test: of a fuzz target the outer one must not be spoken to.
func (r *rig) with(t testing.TB) *rig {
	return &rig{t: t, x: r.x, config: r.config, tokens: r.tokens, policy: r.policy, psc: r.psc, now: r.now, holder: r.holder}
}

func (r *rig) last() *bridge.Event {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) == 0 {
		r.t.Fatal("nothing was recorded")
	}
	return &r.events[len(r.events)-1]
}

// A decider is a policy that tests change: what it answers, and what it was asked.
type decider struct {
	mu     sync.Mutex
	answer policy.Exchange
	fail   error
	asked  []policy.ExchangeRequest
}

func (d *decider) Exchange(_ context.Context, r *policy.ExchangeRequest) (policy.Exchange, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, *r)
	return d.answer, d.fail
}

// subs knows Alice, by her number and by what the upstream calls her.
type subs struct{ fail error }

func (s subs) Sub(_ context.Context, ids []authn.Identifier) (string, error) {
	if s.fail != nil {
		return "", s.fail
	}
	for _, id := range ids {
		if id.Type == "ssin" && id.Value == testpki.AliceSSIN || id == (authn.Identifier{Type: "sub", Authority: psc, Value: "f:1:899"}) {
			return personSub, nil
		}
	}
	return "", authn.ErrNoAccount
}

// A provider is an upstream that says what a test has it say.
type provider struct {
	mu     sync.Mutex
	answer *bridge.Token
	fail   error
	asked  int
}

func (p *provider) Introspect(context.Context, string, time.Time) (*bridge.Token, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if p.fail != nil {
		return nil, p.fail
	}
	t := *p.answer
	return &t, nil
}

var signers sync.Map // by leaf

func signer(t testing.TB, leaf *testpki.Leaf) *xmlsec.Signer {
	t.Helper()
	if s, ok := signers.Load(leaf); ok {
		return s.(*xmlsec.Signer)
	}
	s, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: leaf.Key, KeyInfo: xmlsec.CertificateKeyInfo(leaf.DER)})
	if err != nil {
		t.Fatal(err)
	}
	signers.Store(leaf, s)
	return s
}

func newRig(t testing.TB, change ...func(*bridge.Config)) *rig {
	t.Helper()
	pki := testpki.Load()
	r := &rig{t: t, now: now, holder: &pki.AliceEHealthP256,
		policy: &decider{answer: policy.Exchange{Decision: policy.Permit("test")}},
		psc:    &provider{answer: pscToken()}}
	r.tokens = &bridge.JWTs{Issuer: opIssuer,
		Keys: func(time.Time) []bridge.Key {
			return []bridge.Key{{ID: "rsa", Algorithm: jose.RS256, Public: pki.STS.Key.Public()}, {ID: "ec", Algorithm: jose.ES256, Public: pki.STSP256.Key.Public()}}
		},
		Sign: func(time.Time) (bridge.SigningKey, error) {
			return bridge.SigningKey{ID: "ec", Algorithm: jose.ES256, Key: pki.STSP256.Key}, nil
		},
		Active: func(context.Context, *bridge.Token) error { return nil },
	}
	r.config = bridge.Config{
		Issuer: opIssuer, Certificates: certstest.Verifier(t), Policy: r.policy, Recorder: r,
		Tokens: r.tokens, Minter: r.tokens, Subjects: subs{},
		Assertions: bridge.Assertions{
			Issuers: []string{stsIssuer, ourSAML}, Audiences: []string{opIssuer}, Issuer: ourSAML, BackDate: time.Minute,
			Signing: func(time.Time) (bridge.Signing, error) {
				return bridge.Signing{Signer: signer(t, &pki.STS), NotBefore: testpki.NotBefore(), NotAfter: testpki.NotAfter()}, nil
			},
		},
		Upstreams: []bridge.Upstream{{Issuer: psc, Introspector: r.psc, Parties: map[string][]string{"psc-portal": {client}}, Lifetime: time.Hour,
			Levels: []string{"eidas1"}, Claims: []string{"SubjectNameID"}, ActorClaims: []string{"lps_nom"}}},
		Once: soap.NewMemoryReplay(1000),
		Claims: []bridge.Claim{{Name: "ssin", Attribute: ssin, Identifier: "ssin", Scope: "identity"}, {Name: "doctor", Attribute: isDoc},
			{Name: "tid"}, {Name: "given_name", Attribute: attrs.Designator{Name: "given_name", Namespace: "urn:test"}}},
		MaximumValidity: 2 * time.Hour,
	}
	for _, f := range change {
		f(&r.config)
	}
	x, err := bridge.New(r.config)
	if err != nil {
		t.Fatal(err)
	}
	r.x = x
	return r
}

func pscToken() *bridge.Token {
	return &bridge.Token{Type: bridge.AccessToken, Issuer: psc, ID: "psc-1", Subject: "f:1:899", ClientID: "psc-portal", Scope: []string{"openid", "scope_all"},
		IssuedAt: now.Add(-10 * time.Second), Expires: now.Add(110 * time.Second), AuthTime: now.Add(-time.Minute), Level: "eidas1",
		Claims: map[string]any{"SubjectNameID": "899700000001", "other": "x"}}
}

// issue is an assertion of the STS about Alice, for a holder.
func (r *rig) issue() *saml.Issue {
	return &saml.Issue{AssertionID: "_assertion-1", Issuer: stsIssuer, IssueInstant: r.now.Add(-time.Minute), NotBefore: r.now.Add(-2 * time.Minute),
		NotOnOrAfter: r.now.Add(40 * time.Minute), Subject: saml.Name{Subject: "CN=Alice", Issuer: "CN=CA"}, Holder: r.holder.DER,
		Attributes: []saml.Statement{
			{Name: ssin.Name, Namespace: ssin.Namespace, Values: []string{testpki.AliceSSIN}},
			{Name: isDoc.Name, Namespace: isDoc.Namespace, Values: []string{"true"}},
			{Name: "urn:test:unmapped", Namespace: "urn:test", Values: []string{"secret"}},
		}}
}

// assertion signs one; change may be nil.
func (r *rig) assertion(change func(*saml.Issue)) []byte {
	r.t.Helper()
	i := r.issue()
	if change != nil {
		change(i)
	}
	out, err := saml.AppendAssertion(nil, i, signer(r.t, &testpki.Load().STS))
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func encode(assertion []byte) string { return base64.RawURLEncoding.EncodeToString(assertion) }

// accessToken is a token of ours about Alice, bound to the holder.
func (r *rig) accessToken(change func(*bridge.Token)) string {
	r.t.Helper()
	t := &bridge.Token{Type: bridge.AccessToken, Issuer: opIssuer, ID: "token-1", Subject: personSub, ClientID: client, Audience: []string{"https://portal.example"},
		Scope: []string{"openid", "identity", "records"}, Confirmation: bridge.Thumbprint(r.holder.DER), IssuedAt: r.now.Add(-time.Minute),
		Expires: r.now.Add(30 * time.Minute), AuthTime: r.now.Add(-2 * time.Minute), Methods: []string{"sc", "pin", "mfa", "hwk"}, Level: "eidas3",
		Claims: map[string]any{"ssin": testpki.AliceSSIN, "doctor": true, "tid": "etab-1", "given_name": "Alice", "unmapped": "secret"}}
	if change != nil {
		change(t)
	}
	text, err := r.tokens.Mint(context.Background(), t)
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

func (r *rig) client() *bridge.Client {
	return &bridge.Client{ID: client, Certificate: r.holder.DER, ByCertificate: true, Rule: rule{age: 4 * time.Hour}}
}

// A rule is that of a client; without sets it admits everything, nothing too.
type rule struct {
	sets [][]string
	age  time.Duration
}

func (r rule) MaxAuthenticationAge() time.Duration { return r.age }

func (r rule) Admits(references []string) bool {
	return r.sets == nil || slices.ContainsFunc(r.sets, func(set []string) bool { return contains(references, set) })
}

// ACR has a table of its own, as a client has.
func (r rule) ACR(references []string) string {
	for _, level := range []struct {
		acr string
		set []string
	}{{"eidas3", []string{"sc", "pin"}}, {"eidas1", []string{"mfa"}}, {"eidas1", []string{"pwd"}}} {
		if contains(references, level.set) {
			return level.acr
		}
	}
	return ""
}

func contains(all, some []string) bool {
	return !slices.ContainsFunc(some, func(one string) bool { return !slices.Contains(all, one) })
}

// form makes a form of name, value, name, value, …
func form(pairs ...string) url.Values {
	f := url.Values{"grant_type": {bridge.GrantType}}
	for i := 0; i < len(pairs); i += 2 {
		f.Add(pairs[i], pairs[i+1])
	}
	return f
}

func (r *rig) samlForm(assertion []byte, pairs ...string) url.Values {
	return form(append([]string{"subject_token", encode(assertion), "subject_token_type", bridge.SAML1.String(), "audience", records}, pairs...)...)
}

func (r *rig) tokenForm(token string, pairs ...string) url.Values {
	return form(append([]string{"subject_token", token, "subject_token_type", bridge.AccessToken.String(), "audience", records}, pairs...)...)
}

func (r *rig) exchange(f url.Values) (*bridge.Result, error) {
	return r.x.ExchangeForm(context.Background(), r.client(), f, r.now)
}

func (r *rig) must(f url.Values) *bridge.Result {
	r.t.Helper()
	result, err := r.exchange(f)
	if err != nil {
		r.t.Fatal(err)
	}
	return result
}

// read verifies a token that was made.
func (r *rig) read(result *bridge.Result) *bridge.Token {
	r.t.Helper()
	t, err := r.tokens.Verify(context.Background(), result.Token, result.Type, r.now)
	if err != nil {
		r.t.Fatal(err)
	}
	return t
}

// refused requires that an exchange is refused for a reason, recorded with it, and that nothing came of it.
func (r *rig) refused(want bridge.Reason, c *bridge.Client, f url.Values) {
	r.t.Helper()
	before := len(r.events)
	result, err := r.x.ExchangeForm(context.Background(), c, f, r.now)
	if got := bridge.ReasonOf(err); got != want || result != nil {
		r.t.Errorf("refused for %q (%v), want %q", got, err, want)
		return
	}
	if len(r.events) != before+1 {
		r.t.Fatalf("%d events of one exchange", len(r.events)-before)
	}
	if e := r.last(); e.Success || e.Reason != want || e.Issued.ID != "" {
		r.t.Errorf("recorded: %+v", e)
	}
	if e, token := r.last(), f.Get("subject_token"); len(f["subject_token"]) == 1 && token != "" && len(token) < 90<<10 && want != bridge.BadTarget && want != bridge.BadScope &&
		want != bridge.UnsupportedType && e.SubjectToken.ID == "" && e.SubjectToken.Digest != sha256.Sum256([]byte(token)) {
		r.t.Errorf("recorded without a name of the token: %+v", e)
	}
	failure, status := bridge.FailureOf(err)
	if failure.Code == "" || status < 400 || failure.AuditID != r.last().ID.String() {
		r.t.Errorf("told: %+v, %d", failure, status)
	}
}

// another gives a second certificate of the same key and the same name.
func another(t testing.TB, leaf *testpki.Leaf) *testpki.Leaf {
	t.Helper()
	pki := testpki.Load()
	return &testpki.Leaf{DER: pki.Issue(pki.EHealthCA, aliceTemplate(), leaf.Key).DER, Key: leaf.Key, Issuer: pki.EHealthCA}
}

var errOutage = errors.New("out of order")
