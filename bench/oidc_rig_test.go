package bench

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/certs/certstest"
	"sceau/internal/testpki"
	"sceau/oidc"
	"sceau/oidc/authn"
	"sceau/oidc/bridge"
	"sceau/oidc/client"
	"sceau/oidc/page"
	"sceau/policy"
	"sceau/saml"
	"sceau/xmlsec"
)

// An establishment is an identity provider as stsd makes it, its store in memory, and one person at one browser. Requests come to it without
// a network: as net/http would have read them, and answers go nowhere.
type establishment struct {
	testing.TB
	*oidc.Provider
	key     crypto.Signer // of its tokens
	cookies map[string]string
	sts     *xmlsec.Signer // whose assertions it exchanges
	made    int            // assertions
	store   *counted
}

// counted counts what is asked of a store: one that several servers share is asked over a network.
type counted struct {
	oidc.Store
	asked int
}

func (c *counted) Put(ctx context.Context, key string, value []byte, until time.Time) error {
	c.asked++
	return c.Store.Put(ctx, key, value, until)
}

func (c *counted) Add(ctx context.Context, key string, value []byte, until time.Time) (bool, error) {
	c.asked++
	return c.Store.Add(ctx, key, value, until)
}

func (c *counted) Swap(ctx context.Context, key string, old, value []byte, until time.Time) (bool, error) {
	c.asked++
	return c.Store.Swap(ctx, key, old, value, until)
}

func (c *counted) Get(ctx context.Context, key string) ([]byte, error) {
	c.asked++
	return c.Store.Get(ctx, key)
}

func (c *counted) Delete(ctx context.Context, key string) error {
	c.asked++
	return c.Store.Delete(ctx, key)
}

const (
	issuer     = "https://idp.example/etab/1"
	secret     = "Kq3v9Xw2Lr8Tn5Yb7Zc4Hd6Jf1Mg0PsA"
	callback   = "https://client.example/cb"
	assertions = "urn:be:fgov:ehealth:sts:1_0"
	records    = "https://records.example"
	verifier   = "dBjftJeZ4CVP-mBxMEkR9Xp9RBLcWfpfpy3bqTxhxCw" // of PKCE
)

// card is a means that believes everyone to be Alice.
type card struct{}

func (card) References() []string { return []string{"sc", "pin", "mfa", "hwk"} }

func (c card) Serve(_ http.ResponseWriter, _ *http.Request, a *authn.Attempt) (*authn.Proof, error) {
	return &authn.Proof{Identifier: authn.Identifier{Type: "username", Value: "alice"}, References: c.References(), Time: a.Now}, nil
}

// alice is the only account.
type alice struct{}

func (alice) Find(_ context.Context, id authn.Identifier) (*authn.Account, error) {
	a := &authn.Account{ID: "a1", Username: "alice", GivenName: "Alice", FamilyName: "Exemple", Email: "alice@hopital.example", EmailVerified: true,
		Identifiers: []authn.Identifier{{Type: "ssin", Value: testpki.AliceSSIN}}}
	if id.Type == "account" && id.Value == a.ID || id.Type == "username" && id.Value == a.Username || id == a.Identifiers[0] {
		return a, nil
	}
	return nil, authn.ErrNoAccount
}

// exchanges is a policy that permits every exchange: what rules cost, package policy measures.
type exchanges struct{}

func (exchanges) Exchange(context.Context, *policy.ExchangeRequest) (policy.Exchange, error) {
	return policy.Exchange{Decision: policy.Permit("bench")}, nil
}

// newEstablishment starts one whose tokens are signed with key by algorithm, which exchanges assertions of sts, with so many
// clients beside the two that ask.
func newEstablishment(tb testing.TB, algorithm string, key, sts *testpki.Leaf, others int) *establishment {
	tb.Helper()
	e := &establishment{TB: tb, key: key.Key, cookies: map[string]string{}, store: &counted{Store: oidc.NewMemoryStore(1<<30, nil)}}
	var err error
	e.sts, err = xmlsec.NewSigner(xmlsec.SignerConfig{Key: sts.Key, KeyInfo: xmlsec.CertificateKeyInfo(sts.DER)})
	fatal(tb, err)
	certificates := certstest.Verifier(tb)
	journal, _ := (&service{journal: written}).record(tb)
	clients, err := client.New(registrations(tb, algorithm, others), client.Options{
		Issuer: issuer, Endpoints: map[client.Endpoint][]string{client.Token: {issuer + "/token"}}, Certificates: certificates, Role: "holder",
	})
	fatal(tb, err)
	e.Provider, err = oidc.New(oidc.Config{
		Issuer: issuer, SecureIssuer: "https://idp.example:8443/etab/1", Tenant: "etab1", Names: map[string]string{"fr": "Hôpital d'essai"},
		Keys: []oidc.Key{{Signer: key.Key, Algorithm: algorithm}}, Clients: clients,
		Means:    []oidc.Means{{Name: "card", Kind: page.KindCertificate, Means: card{}}},
		Accounts: alice{}, Store: e.store, Recorder: journal, Log: slog.New(slog.DiscardHandler),
		Exchange: &bridge.Config{
			Certificates: certificates, HolderRoles: []certs.Role{certs.RoleHolder}, Policy: exchanges{},
			Assertions: bridge.Assertions{Issuers: []string{assertions}, Audiences: []string{issuer}, Issuer: issuer,
				Signing: func(time.Time) (bridge.Signing, error) {
					return bridge.Signing{Signer: e.sts, NotBefore: testpki.NotBefore(), NotAfter: testpki.NotAfter()}, nil
				}},
			Claims: []bridge.Claim{{Name: "ssin", Attribute: attrs.Designator{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification}, Identifier: "ssin"}},
		},
	})
	fatal(tb, err)
	e.login()
	return e
}

func registrations(tb testing.TB, algorithm string, others int) []client.Registration {
	tb.Helper()
	stored, err := client.HashSecret(secret, nil)
	fatal(tb, err)
	web := client.Registration{
		ID: "web", Name: map[string]string{"fr": "Application"}, RedirectURIs: []string{callback}, Scopes: []string{"openid", "profile", "email", "offline_access"},
		GrantTypes: []string{client.AuthorizationCode, client.RefreshToken}, IDTokenAlgorithm: algorithm,
		Authentication: client.AuthenticationRegistration{Method: client.SecretBasic, Secrets: []client.SecretRegistration{{Hash: stored}}},
	}
	portal := web
	portal.ID, portal.CertificateBoundAccessTokens = "portal", true
	portal.GrantTypes = append(portal.GrantTypes[:2:2], client.TokenExchange)
	portal.Exchange.Audiences = []string{records}
	subject := certstest.Parse(tb, certstest.Verifier(tb), testpki.Load().Organisation.DER).Subject().String()
	portal.Authentication = client.AuthenticationRegistration{Method: client.TLS, Certificate: client.SubjectRegistration{SubjectDN: subject}}
	all := []client.Registration{web, portal}
	for i := range others {
		web.ID = fmt.Sprintf("application-%d", i)
		all = append(all, web)
	}
	return all
}

// An answered is what one request was answered. It is an http.ResponseWriter.
type answered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answered) Header() http.Header { return a.header }

func (a *answered) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answered) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// get asks as the browser does, and gives where it is led.
func (e *establishment) get(address string) string {
	e.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	fatal(e, err)
	for name, value := range e.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	a := &answered{header: http.Header{}}
	e.ServeHTTP(a, r)
	if a.status != http.StatusSeeOther && a.status != http.StatusFound {
		e.Fatalf("%s: %d %s", address, a.status, a.body.String())
	}
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		e.cookies[c.Name] = c.Value
	}
	return a.header.Get("Location")
}

// login begins a new session.
func (e *establishment) login() {
	e.Helper()
	clear(e.cookies)
	e.code("openid")
	delete(e.cookies, "__Secure-sceau-attempt")
}

// code has the browser authorized, and gives the code: out of the session, where there is one.
func (e *establishment) code(scope string) string {
	e.Helper()
	challenge := sha256.Sum256([]byte(verifier))
	at := issuer + "/authorize?" + url.Values{"response_type": {"code"}, "client_id": {"web"}, "redirect_uri": {callback}, "scope": {scope}, "state": {"st"},
		"nonce": {"n-0S6_WzA2Mj"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"}}.Encode()
	for range 5 {
		if at = e.get(at); strings.HasPrefix(at, callback) {
			u, err := url.Parse(at)
			fatal(e, err)
			return u.Query().Get("code")
		}
	}
	e.Fatal("led in a circle")
	return ""
}

// token is a request to the token endpoint.
func token(tb testing.TB, form url.Values) *http.Request {
	tb.Helper()
	text := form.Encode()
	r, err := http.NewRequest(http.MethodPost, issuer+"/token", io.NopCloser(strings.NewReader(text)))
	fatal(tb, err)
	r.ContentLength, r.RemoteAddr = int64(len(text)), "192.0.2.1:51234"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "application/1.0")
	return r
}

func (e *establishment) redeem(scope string) *http.Request {
	r := token(e, url.Values{"grant_type": {"authorization_code"}, "code": {e.code(scope)}, "redirect_uri": {callback}, "code_verifier": {verifier}})
	r.SetBasicAuth("web", secret)
	return r
}

func (e *establishment) refresh(old string) *http.Request {
	r := token(e, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {old}})
	r.SetBasicAuth("web", secret)
	return r
}

// exchange is a request with an assertion of its own, which is warm in no cache.
func (e *establishment) exchange() *http.Request {
	e.Helper()
	now, organisation := time.Now(), testpki.Load().Organisation.DER
	e.made++
	assertion, err := saml.AppendAssertion(nil, &saml.Issue{AssertionID: fmt.Sprintf("_assertion-%d", e.made), Issuer: assertions, IssueInstant: now.Add(-time.Minute),
		NotBefore: now.Add(-2 * time.Minute), NotOnOrAfter: now.Add(40 * time.Minute), Subject: saml.Name{Subject: "CN=Alice", Issuer: "CN=CA"}, Holder: organisation,
		Attributes: []saml.Statement{{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification, Values: []string{testpki.AliceSSIN}}}}, e.sts)
	fatal(e, err)
	r := token(e, url.Values{"grant_type": {client.TokenExchange}, "client_id": {"portal"}, "subject_token": {base64.RawURLEncoding.EncodeToString(assertion)},
		"subject_token_type": {bridge.SAML1.String()}, "audience": {records}})
	certificate, err := x509.ParseCertificate(organisation)
	fatal(e, err)
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}
	return r
}

// tokens are what a client reads of an answer.
type tokens struct {
	Access  string `json:"access_token"`
	ID      string `json:"id_token"`
	Refresh string `json:"refresh_token"`
}

func (a *answered) tokens(tb testing.TB) (t tokens) {
	tb.Helper()
	if a.status != http.StatusOK {
		tb.Fatalf("%d %s", a.status, a.body.String())
	}
	fatal(tb, json.Unmarshal(a.body.Bytes(), &t))
	if t.Access == "" {
		tb.Fatalf("no token: %s", a.body.String())
	}
	return t
}
