package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"sceau/audit"
	"sceau/certs/certstest"
	"sceau/internal/testpki"
	"sceau/oidc/authn"
	"sceau/oidc/client"
	"sceau/oidc/page"
)

// A house is an establishment that runs, with a clock of its own, means that prove what a test says, and a trail in memory.
type house struct {
	*testing.T
	*Provider
	server, secure *httptest.Server
	config         Config
	registry       client.Options
	others         []*Provider // at the same server

	mu     sync.Mutex
	offset time.Duration
	events []audit.Event
	broken error // what the recorder says
	people people
	card   *fakeMeans
	pwd    *fakeMeans
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().Add(h.offset)
}

func (h *house) wait(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.offset += d
}

func (h *house) Record(_ context.Context, e *audit.Event) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken != nil {
		return h.broken
	}
	kept := *e
	kept.Methods, kept.Tokens = slices.Clone(e.Methods), slices.Clone(e.Tokens)
	h.events = append(h.events, kept)
	return nil
}

// trail are the events of an operation.
func (h *house) trail(operation string) (events []audit.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if e.Operation == operation {
			events = append(events, e)
		}
	}
	return events
}

type people struct {
	mu sync.Mutex
	by map[string]*authn.Account
}

func (p *people) Find(_ context.Context, id authn.Identifier) (*authn.Account, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.by {
		if id.Type == "account" && a.ID == id.Value || id.Type == "username" && a.Username == id.Value {
			kept := *a
			return &kept, nil
		}
	}
	return nil, authn.ErrNoAccount
}

func (p *people) change(username string, change func(*authn.Account)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p.by[username])
}

// A fakeMeans believes who one says that one is, in the field "person".
type fakeMeans struct {
	references []string
	age        time.Duration // of what it proves
	refusal    error
	attributes map[string][]string
}

func (f *fakeMeans) References() []string { return f.references }

func (f *fakeMeans) Serve(w http.ResponseWriter, r *http.Request, a *authn.Attempt) (*authn.Proof, error) {
	if r.Method == http.MethodGet {
		a.Pages.Write(w, r, http.StatusOK, page.Password{Action: a.URL, Username: a.Hint})
		return nil, nil
	}
	if f.refusal != nil {
		return nil, f.refusal
	}
	return &authn.Proof{Identifier: authn.Identifier{Type: "username", Value: r.PostFormValue("person")}, References: f.references, Attributes: f.attributes,
		Time: a.Now.Add(-f.age)}, nil
}

var (
	cardReferences     = []string{"sc", "pin", "mfa", "hwk"}
	passwordReferences = []string{"pwd"}
)

const (
	webSecret = "Kq3v9Xw2Lr8Tn5Yb7Zc4Hd6Jf1Mg0PsA"
	back      = "https://client.example/cb"
)

func hashed(tb testing.TB, secret string) []client.SecretRegistration {
	stored, err := client.HashSecret(secret, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return []client.SecretRegistration{{Hash: stored}}
}

// web is a registration that most tests want: any means, a secret.
func web(tb testing.TB, change ...func(*client.Registration)) client.Registration {
	r := client.Registration{
		ID: "web", Name: map[string]string{"fr": "Application"}, RedirectURIs: []string{back}, PostLogoutRedirectURIs: []string{"https://client.example/bye"},
		Scopes: []string{"openid", "profile", "email", "offline_access"}, GrantTypes: []string{client.AuthorizationCode, client.RefreshToken},
		Authentication:   client.AuthenticationRegistration{Method: client.SecretBasic, Secrets: hashed(tb, webSecret)},
		IDTokenAlgorithm: "ES256", IntrospectionAllowed: true,
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

// open starts an establishment with these clients.
func openHouse(t *testing.T, change func(*Config, *client.Options), registrations ...client.Registration) *house {
	t.Helper()
	h := &house{T: t, card: &fakeMeans{references: cardReferences}, pwd: &fakeMeans{references: passwordReferences}}
	h.people.by = map[string]*authn.Account{
		"alice": {ID: "a1", Username: "alice", GivenName: "Alice", FamilyName: "Exemple", Email: "alice@hopital.example", EmailVerified: true},
		"bob":   {ID: "b2", Username: "bob", GivenName: "Bob", FamilyName: "Exemple", Email: "bob@gmail.example"},
	}
	serve := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := NewServer(append([]*Provider{h.Provider}, h.others...)...)
		if err != nil {
			panic(err)
		}
		s.ServeHTTP(w, r)
	})
	h.server, h.secure = httptest.NewUnstartedServer(serve), httptest.NewUnstartedServer(serve)
	h.secure.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	h.server.StartTLS()
	h.secure.StartTLS()
	t.Cleanup(h.server.Close)
	t.Cleanup(h.secure.Close)
	issuer, secure := h.server.URL+"/etab/1", h.secure.URL+"/etab/1"
	h.config = Config{
		Issuer: issuer, SecureIssuer: secure, Tenant: "etab1", Names: map[string]string{"fr": "Hôpital d'essai"},
		Keys:     []Key{{Signer: key(t), Algorithm: "ES256"}, {Signer: testpki.Load().Organisation.Key, Algorithm: "RS256"}},
		Means:    []Means{{Name: "card", Kind: page.KindCertificate, Means: h.card}, {Name: "password", Kind: page.KindDirectory, Means: h.pwd}},
		Accounts: &h.people, Store: NewMemoryStore(64<<20, nil), Recorder: h, Now: h.now, Log: slog.New(slog.DiscardHandler),
	}
	verifier := certstest.Verifier(t)
	o := client.Options{
		Issuer: issuer, Endpoints: map[client.Endpoint][]string{client.Token: {issuer + "/token", secure + "/token"}},
		Certificates: verifier, Role: "holder", HTTP: h.server.Client(),
	}
	if change != nil {
		change(&h.config, &o)
	}
	var err error
	h.registry = o
	if h.config.Clients, err = client.New(registrations, o); err != nil {
		t.Fatal(err)
	}
	if h.Provider, err = New(h.config); err != nil {
		t.Fatal(err)
	}
	return h
}

func key(tb testing.TB) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// A browser is one of a person: it has cookies, and follows what is in the house alone.
type browser struct {
	*house
	client *http.Client
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(h.server.Certificate())
	return &browser{h, &http.Client{
		Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// An answer is one that was read.
type answer struct {
	*http.Response
	text string
}

func (b *browser) do(r *http.Request) answer {
	b.Helper()
	a, err := b.client.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		b.Fatal(err)
	}
	return answer{a, string(text)}
}

func (b *browser) get(to string) answer {
	b.Helper()
	r, err := http.NewRequest(http.MethodGet, to, nil)
	if err != nil {
		b.Fatal(err)
	}
	return b.do(r)
}

func (b *browser) post(to string, form url.Values) answer {
	b.Helper()
	r, err := http.NewRequest(http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", b.server.URL)
	return b.do(r)
}

// follow goes where answers lead, as long as that is in the house, and gives the last answer.
func (b *browser) follow(a answer) answer {
	b.Helper()
	for range 10 {
		to := a.onward()
		if to == "" {
			return a
		}
		u, err := a.Request.URL.Parse(to)
		if err != nil {
			b.Fatal(err)
		}
		if !strings.HasPrefix(u.String(), b.server.URL) && !strings.HasPrefix(u.String(), b.secure.URL) {
			return a
		}
		a = b.get(u.String())
	}
	b.Fatal("led in a circle")
	return a
}

// hidden is the value of a hidden field of a page.
func hidden(text, name string) string {
	_, rest, _ := strings.Cut(text, `name="`+name+`" value="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

const verifier = "dBjftJeZ4CVP-mBxMEkR9Xp9RBLcWfpfpy3bqTxhxCw"

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// request is the address of an authorization request; changed by names and values, of which an empty one takes it out.
func (h *house) request(changed ...string) string {
	q := url.Values{"response_type": {"code"}, "client_id": {"web"}, "redirect_uri": {back}, "scope": {"openid profile email"}, "state": {"st"},
		"nonce": {"no"}, "code_challenge": {challenge()}, "code_challenge_method": {"S256"}}
	for i := 0; i < len(changed); i += 2 {
		if changed[i+1] == "" {
			q.Del(changed[i])
		} else {
			q.Set(changed[i], changed[i+1])
		}
	}
	return h.config.Issuer + "/authorize?" + q.Encode()
}

// login authenticates at a page of the attempt to which an answer led, by a means.
func (b *browser) login(a answer, means, person string) answer {
	b.Helper()
	a = b.follow(a)
	u := a.Request.URL.String()
	if i := strings.Index(u, "/m/"); i >= 0 {
		u = u[:i]
	}
	u, _, _ = strings.Cut(u, "?")
	form := b.get(u + "/m/" + means)
	if form.StatusCode != http.StatusOK {
		b.Fatalf("the page of the means: %d %s", form.StatusCode, form.text)
	}
	return b.follow(b.post(u+"/m/"+means, url.Values{"person": {person}, "token": {hidden(form.text, "token")}}))
}

// onward is where an answer leads: by its status, or by a page.
func (a answer) onward() string {
	if _, to, ok := strings.Cut(a.Header.Get("Refresh"), "url="); ok {
		return to
	}
	return a.Header.Get("Location")
}

// answered are the parameters with which the client was answered.
func (a answer) answered(tb testing.TB) url.Values {
	tb.Helper()
	u, err := url.Parse(a.onward())
	if err != nil || !strings.HasPrefix(u.String(), back) {
		tb.Fatalf("no answer to the client: %d %q %.600s", a.StatusCode, a.onward(), a.text)
	}
	return u.Query()
}

// code is the one that a person's login at a new browser leads to.
func (h *house) code(changed ...string) string {
	h.Helper()
	b := h.browser()
	q := b.login(b.get(h.request(changed...)), "card", "alice").answered(h.T)
	if q.Get("code") == "" || q.Get("iss") != h.config.Issuer || q.Get("state") != "st" {
		h.Fatalf("answered %v", q)
	}
	return q.Get("code")
}

type tokens struct {
	Access  string `json:"access_token"`
	ID      string `json:"id_token"`
	Refresh string `json:"refresh_token"`
	Type    string `json:"token_type"`
	Expires int    `json:"expires_in"`
	Scope   string `json:"scope"`
	Error   string `json:"error"`
	Active  bool   `json:"active"`
}

// ask calls an endpoint as the client web does, or as change makes the request.
func (h *house) ask(endpoint string, form url.Values, change ...func(*http.Request)) (int, tokens) {
	h.Helper()
	r, err := http.NewRequest(http.MethodPost, h.config.Issuer+endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		h.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if len(change) == 0 {
		r.SetBasicAuth("web", webSecret)
	}
	for _, c := range change {
		c(r)
	}
	a := h.browser().do(r)
	var t tokens
	if err := json.Unmarshal([]byte(a.text), &t); err != nil && a.text != "" {
		h.Fatalf("%s: %d %s", endpoint, a.StatusCode, a.text)
	}
	return a.StatusCode, t
}

func redeeming(code string, changed ...string) url.Values {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {back}, "code_verifier": {verifier}}
	for i := 0; i < len(changed); i += 2 {
		form.Set(changed[i], changed[i+1])
	}
	return form
}

// claimsOf verifies a token with the published keys.
func (h *house) claimsOf(token string) map[string]any {
	h.Helper()
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(h.browser().get(h.config.Issuer+"/jwks").text), &keys); err != nil {
		h.Fatal(err)
	}
	t, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256})
	if err != nil {
		h.Fatalf("%v: %s", err, token)
	}
	m := map[string]any{}
	if err := t.Claims(keys, &m); err != nil {
		h.Fatal(err)
	}
	return m
}

func (h *house) userinfo(access string) (int, map[string]any) {
	h.Helper()
	r, err := http.NewRequest(http.MethodGet, h.config.Issuer+"/userinfo", nil)
	if err != nil {
		h.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+access)
	a := h.browser().do(r)
	m := map[string]any{}
	json.Unmarshal([]byte(a.text), &m)
	return a.StatusCode, m
}
