package upstream_test

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/internal/testpki"
	"sceau/oidc/authn"
	"sceau/oidc/means/upstream"
	"sceau/oidc/page"
	"sceau/oidc/rp"
	"sceau/oidc/rp/rptest"
)

const issuer = "https://sceau.example/etab/010000000"

// rig is a means on a provider for tests.
type rig struct {
	op *rptest.OP
	m  *upstream.Means
}

func newRig(t testing.TB, change func(*upstream.Config, *rp.Config, *rptest.OP)) *rig {
	t.Helper()
	op := rptest.New(t, rptest.Config{ResponseIss: true, Claims: rptest.Members{"SubjectNameID": "899700000017", "given_name": "ALIX", "authMode": "CARD",
		"SubjectRole": []string{"10^1.2.250.1.213.1.1.5.5"}, "groups": []string{"a", "b"}}})
	hospital := testpki.Load().Hospital
	client := rp.Config{Issuer: op.Issuer, ClientID: "client", Method: rp.TLSClientAuth, RedirectURI: upstream.RedirectURI(issuer, "psc"), UserInfo: true,
		Roots: op.Roots, Dial: op.Dial, Now: rptest.Now,
		Certificate: func() (*tls.Certificate, error) {
			return &tls.Certificate{Certificate: [][]byte{hospital.DER}, PrivateKey: hospital.Key}, nil
		}}
	c := upstream.Config{Name: "psc", Identify: upstream.BySubject, Least: []string{"mfa"}}
	if change != nil {
		change(&c, &client, op)
	}
	var err error
	if c.Provider, err = rp.New(client); err != nil {
		t.Fatal(err)
	}
	m, err := upstream.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{op, m}
}

func attempt(id string) *authn.Attempt {
	return &authn.Attempt{ID: id, Issuer: issuer, URL: issuer + "/means/psc", Language: "nl", Hint: "alix", Now: rptest.Now()}
}

// serve asks the means, and fails where it both answers and says something, or does neither.
func (r *rig) serve(t testing.TB, a *authn.Attempt, request *http.Request) (*httptest.ResponseRecorder, *authn.Proof, error) {
	t.Helper()
	w := httptest.NewRecorder()
	w.Code = 0
	p, err := r.m.Serve(w, request, a)
	if said := p != nil || err != nil; said == (w.Code != 0) || p != nil && err != nil {
		t.Fatalf("answered with %d, and said %+v, %v", w.Code, p, err)
	}
	return w, p, err
}

// begin sends the browser away and gives where to.
func (r *rig) begin(t testing.TB, a *authn.Attempt) string {
	t.Helper()
	w, _, err := r.serve(t, a, httptest.NewRequest(http.MethodGet, a.URL, nil))
	if err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusSeeOther || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Referrer-Policy") != "no-referrer" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	return w.Header().Get("Location")
}

func callback(q url.Values) *http.Request {
	return httptest.NewRequest(http.MethodGet, upstream.RedirectURI(issuer, "psc")+"?"+q.Encode(), nil)
}

// whole goes the whole way.
func (r *rig) whole(t testing.TB) (*authn.Proof, error) {
	t.Helper()
	a := attempt("a.1")
	_, p, err := r.serve(t, a, callback(r.op.Authorize(t, r.begin(t, a))))
	return p, err
}

func TestProof(t *testing.T) {
	r := newRig(t, nil)
	a := attempt("attempt-1")
	to := r.begin(t, a)
	u, _ := url.Parse(to)
	q := u.Query()
	if id, ok := upstream.AttemptOf(q.Get("state")); !ok || id != "attempt-1" || len(q.Get("state")) < len("attempt-1.")+26 || q.Get("login_hint") != "alix" || q.Get("ui_locales") != "nl" ||
		q.Get("redirect_uri") != issuer+"/upstream/psc/callback" {
		t.Errorf("%v", q)
	}
	if !json.Valid(a.State) || strings.Contains(to, "verifier") {
		t.Errorf("%s", a.State)
	}
	_, p, err := r.serve(t, a, callback(r.op.Authorize(t, to)))
	if err != nil {
		t.Fatal(err)
	}
	if p.Identifier != (authn.Identifier{Type: "sub", Value: r.op.Subject, Authority: r.op.Issuer}) || !slices.Equal(p.References, []string{"sc", "pin", "mfa", "hwk"}) ||
		!p.Time.Equal(rptest.Now().Add(-time.Minute)) || p.Credential != "psc" || p.Attributes != nil || p.Certificate != nil || a.State != nil {
		t.Errorf("%+v", p)
	}
	if !slices.Equal(r.m.References(), []string{"mfa"}) {
		t.Errorf("%v", r.m.References())
	}
}

func TestProSante(t *testing.T) {
	for mode, want := range map[string][]string{"CARD": {"sc", "pin", "mfa", "hwk"}, "": {"mfa"}, "MOBILE": {"mfa"}} {
		r := newRig(t, func(c *upstream.Config, _ *rp.Config, op *rptest.OP) {
			op.Claims["authMode"] = mode
			op.Lies.IDToken = func(m rptest.Members) { delete(m, "amr") } // it says none
			c.Identify, c.Attributes, c.Methods = upstream.ByProSante, upstream.ProSanteAttributes, upstream.ProSanteMethods()
		})
		p, err := r.whole(t)
		if err != nil {
			t.Fatal(err)
		}
		if p.Identifier != (authn.Identifier{Type: "rpps", Value: "99700000017"}) || !slices.Equal(p.References, want) ||
			!slices.Equal(p.Attributes["SubjectRole"], []string{"10^1.2.250.1.213.1.1.5.5"}) || !slices.Equal(p.Attributes["SubjectNameID"], []string{"899700000017"}) {
			t.Errorf("%s: %+v", mode, p)
		}
	}
}

func TestIdentify(t *testing.T) {
	r := newRig(t, func(c *upstream.Config, _ *rp.Config, _ *rptest.OP) {
		c.Identify, c.Attributes = upstream.ByClaim("SubjectNameID", "username"), upstream.Claims(map[string]string{"groups": "role", "given_name": "name", "none": "none"})
	})
	p, err := r.whole(t)
	if err != nil || p.Identifier != (authn.Identifier{Type: "username", Value: "899700000017"}) || len(p.Attributes) != 2 ||
		!slices.Equal(p.Attributes["role"], []string{"a", "b"}) || !slices.Equal(p.Attributes["name"], []string{"ALIX"}) {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestRefusals: what the person is told, and what is an outage.
func TestRefusals(t *testing.T) {
	outage := authn.Reason(0)
	says := func(code string) func(*upstream.Config, *rp.Config, *rptest.OP) {
		return func(_ *upstream.Config, _ *rp.Config, op *rptest.OP) {
			op.Lies.Response = func(q url.Values) { q.Del("code"); q.Set("error", code) }
		}
	}
	token := func(change func(rptest.Members)) func(*upstream.Config, *rp.Config, *rptest.OP) {
		return func(_ *upstream.Config, _ *rp.Config, op *rptest.OP) { op.Lies.IDToken = change }
	}
	for name, tt := range map[string]struct {
		change func(*upstream.Config, *rp.Config, *rptest.OP)
		want   authn.Reason
	}{
		"the person said no":     {says("access_denied"), authn.Cancelled},
		"he could not be asked":  {says("login_required"), authn.NotProven},
		"the provider is broken": {says("server_error"), outage},
		"we asked what is wrong": {says("invalid_scope"), outage},
		"an answer of another": {func(_ *upstream.Config, _ *rp.Config, op *rptest.OP) {
			op.Lies.Response = func(q url.Values) { q.Set("iss", "https://evil.example") }
		}, authn.NotProven},
		"a code of another": {func(_ *upstream.Config, _ *rp.Config, op *rptest.OP) {
			op.Lies.Response = func(q url.Values) { q.Set("code", "stolen") }
		}, authn.NotProven},
		"no auth_time":       {token(func(m rptest.Members) { delete(m, "auth_time") }), authn.Unsuitable},
		"no amr":             {token(func(m rptest.Members) { delete(m, "amr") }), authn.Unsuitable},
		"a weak amr":         {token(func(m rptest.Members) { m["amr"] = []string{"pwd"} }), authn.Unsuitable},
		"a token of another": {token(func(m rptest.Members) { m["aud"] = "another" }), outage},
		"another nonce":      {token(func(m rptest.Members) { m["nonce"] = "another" }), outage},
		"too long ago": {func(_ *upstream.Config, c *rp.Config, op *rptest.OP) {
			c.Policy.MaxAge = time.Hour
			op.Lies.IDToken = func(m rptest.Members) { m["auth_time"] = rptest.Now().Add(-2 * time.Hour).Unix() }
		}, authn.Unsuitable},
		"prompt=login ignored": {func(c *upstream.Config, _ *rp.Config, op *rptest.OP) { c.Reauthenticate = true }, authn.Unsuitable},
		"no method fits": {func(c *upstream.Config, _ *rp.Config, op *rptest.OP) {
			c.Methods = []upstream.Method{{ACR: []string{"eidas3"}, References: []string{"mfa"}}}
		}, authn.Unsuitable},
		"the claim names nobody": {func(c *upstream.Config, _ *rp.Config, op *rptest.OP) {
			c.Identify = upstream.ByClaim("none", "username")
		}, authn.Unsuitable},
		"Identify names nobody": {func(c *upstream.Config, _ *rp.Config, op *rptest.OP) {
			c.Identify = func(*rp.Login) (authn.Identifier, error) { return authn.Identifier{}, nil }
		}, authn.Unsuitable},
		"no professional": {func(c *upstream.Config, _ *rp.Config, op *rptest.OP) {
			delete(op.Claims, "SubjectNameID")
			c.Identify = upstream.ByProSante
		}, authn.Unsuitable},
		"attributes that are none": {func(c *upstream.Config, _ *rp.Config, op *rptest.OP) {
			op.Claims["SubjectRole"] = []string{"10"}
			c.Attributes = upstream.ProSanteAttributes
		}, authn.Unsuitable},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := newRig(t, tt.change).whole(t)
			if p != nil || err == nil {
				t.Fatalf("%+v, %v", p, err)
			}
			refusal, ok := errors.AsType[*authn.Refusal](err)
			if ok != (tt.want != outage) || ok && refusal.Reason != tt.want {
				t.Errorf("%v", err)
			}
			if ok && refusal.Cause == nil || strings.Contains(err.Error(), "899700000017") {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestO8Answers: who brings an answer to another browser, or twice, logs somebody in as himself, or himself as somebody (login CSRF).
func TestO8Answers(t *testing.T) {
	r := newRig(t, nil)
	mine, victims := attempt("mine"), attempt("victims")
	answer := r.op.Authorize(t, r.begin(t, mine))
	r.begin(t, victims)
	refused := func(name string, a *authn.Attempt, request *http.Request, want authn.Reason) {
		t.Helper()
		_, p, err := r.serve(t, a, request)
		if refusal, ok := errors.AsType[*authn.Refusal](err); p != nil || !ok || refusal.Reason != want {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	refused("in the attempt of another", victims, callback(answer), authn.NotProven)
	if victims.State != nil {
		t.Error("the attempt goes on with a flow that was answered")
	}
	before := r.op.Asked("token")
	forged := url.Values{"state": {"mine.guessed"}, "code": answer["code"], "iss": {r.op.Issuer}}
	other := attempt("mine")
	other.State = slices.Clone(mine.State)
	refused("with a state that was guessed", other, callback(forged), authn.NotProven)
	refused("in an attempt that never began", attempt("mine"), callback(answer), authn.Expired)
	posted := httptest.NewRequest(http.MethodPost, upstream.RedirectURI(issuer, "psc"), strings.NewReader(answer.Encode()))
	refused("as a form", mine, posted, authn.NotProven)
	broken := attempt("mine")
	broken.State = []byte(`{"means":"another","flow":{}}`)
	refused("with the state of another means", broken, callback(answer), authn.Expired)
	broken.State = []byte(`{"means":"psc","flow":{}}`)
	refused("with an empty flow", broken, callback(answer), authn.NotProven)
	if r.op.Asked("token") != before {
		t.Error("the token endpoint was asked")
	}
	if _, p, err := r.serve(t, mine, callback(answer)); err != nil || p == nil {
		t.Fatalf("the honest one: %v", err)
	}
	refused("twice", mine, callback(answer), authn.Expired)
}

type pages struct{ shown any }

func (p *pages) Write(w http.ResponseWriter, _ *http.Request, status int, page any) {
	p.shown = page
	w.WriteHeader(status)
}

// TestRefusedBefore: who was refused is told, and goes to the provider again by his own will; else the browser would go round.
func TestRefusedBefore(t *testing.T) {
	r := newRig(t, func(c *upstream.Config, _ *rp.Config, _ *rptest.OP) { c.Label = "Pro Santé Connect" })
	shown := new(pages)
	a := attempt("a")
	a.ReturnURL, a.Refused, a.Pages = issuer+"/choice", &authn.Refusal{Reason: authn.Unsuitable}, shown
	w, _, _ := r.serve(t, a, httptest.NewRequest(http.MethodGet, a.URL, nil))
	p, ok := shown.shown.(page.Choose)
	if w.Code != http.StatusOK || !ok || p.Refused != authn.Unsuitable || len(p.Means) != 1 || p.Means[0].URL != a.URL || p.Means[0].Label != "Pro Santé Connect" || p.Return != a.ReturnURL || r.op.Asked("openid-configuration") != 0 {
		t.Errorf("%d %+v", w.Code, shown.shown)
	}
}

// TestO7NotBefore: the client wants a younger authentication than the session of the provider.
func TestO7NotBefore(t *testing.T) {
	for name, tt := range map[string]struct {
		notBefore time.Duration // before now
		maxAge    string
		good      bool
	}{"younger": {2 * time.Minute, "120", true}, "older": {45 * time.Second, "45", false}, "now": {0, "1", false}, "to come": {-time.Minute, "1", false}} {
		r := newRig(t, nil)
		a := attempt("a")
		a.NotBefore = rptest.Now().Add(-tt.notBefore)
		q := r.op.Authorize(t, r.begin(t, a)) // the provider says: a minute ago
		if got := r.op.Seen.Authorization.Get("max_age"); got != tt.maxAge {
			t.Errorf("%s: max_age=%s", name, got)
		}
		_, p, err := r.serve(t, a, callback(q))
		refusal, refused := errors.AsType[*authn.Refusal](err)
		if (p != nil) != tt.good || refused == tt.good || refused && refusal.Reason != authn.Unsuitable {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func TestAttemptOf(t *testing.T) {
	for state, want := range map[string]string{"a.b": "a", "a.b.c": "a.b", "": "", ".b": "", "a.": "", "a": "", strings.Repeat("a", 600) + ".b": ""} {
		if got, ok := new(upstream.Means).AttemptOf(state); got != want || ok != (want != "") {
			t.Errorf("%.20s: %q", state, got)
		}
	}
}

func TestNew(t *testing.T) {
	good := func() upstream.Config {
		p, err := rp.New(rp.Config{Issuer: "https://op.example", ClientID: "c", Method: rp.ClientSecretBasic, Secret: "s", RedirectURI: upstream.RedirectURI(issuer+"/", "psc"),
			Roots: rptest.New(t, rptest.Config{}).Roots})
		if err != nil {
			t.Fatal(err)
		}
		return upstream.Config{Name: "psc", Provider: p, Identify: upstream.BySubject, Least: []string{"mfa"}, Methods: upstream.ProSanteMethods()}
	}
	for name, tt := range map[string]struct {
		change func(*upstream.Config)
		good   bool
	}{
		"good":                           {func(*upstream.Config) {}, true},
		"nothing":                        {func(c *upstream.Config) { *c = upstream.Config{} }, false},
		"no name":                        {func(c *upstream.Config) { c.Name = "" }, false},
		"a name with a slash":            {func(c *upstream.Config) { c.Name = "p/sc" }, false},
		"another name than its address":  {func(c *upstream.Config) { c.Name = "other" }, false},
		"no provider":                    {func(c *upstream.Config) { c.Provider = nil }, false},
		"nobody is named":                {func(c *upstream.Config) { c.Identify = nil }, false},
		"no least":                       {func(c *upstream.Config) { c.Least = nil }, false},
		"a method that fits all":         {func(c *upstream.Config) { c.Methods = []upstream.Method{{References: []string{"mfa"}}} }, false},
		"a method that is worth nothing": {func(c *upstream.Config) { c.Methods = []upstream.Method{{ACR: []string{"a"}}} }, false},
		"a method that is worth less": {func(c *upstream.Config) {
			c.Methods = []upstream.Method{{ACR: []string{"a"}, References: []string{"pwd"}}}
		}, false},
		"a method of a claim without value": {func(c *upstream.Config) { c.Methods = []upstream.Method{{Claim: "a", References: []string{"mfa"}}} }, false},
	} {
		c := good()
		tt.change(&c)
		if m, err := upstream.New(c); (err == nil) != tt.good || (m == nil) != (err != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOutage: a provider that is down is an outage, told before the browser is sent away.
func TestOutage(t *testing.T) {
	r := newRig(t, func(_ *upstream.Config, _ *rp.Config, op *rptest.OP) {
		op.Lies.Instead = map[string]http.HandlerFunc{"openid-configuration": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }}
	})
	a := attempt("a")
	_, p, err := r.serve(t, a, httptest.NewRequest(http.MethodGet, a.URL, nil))
	if _, refusal := errors.AsType[*authn.Refusal](err); p != nil || err == nil || refusal || a.State != nil {
		t.Errorf("%v", err)
	}
	r = newRig(t, nil)
	_, _, err = r.serve(t, attempt(""), httptest.NewRequest(http.MethodGet, a.URL, nil))
	if err == nil {
		t.Error("an attempt without a name")
	}
}
