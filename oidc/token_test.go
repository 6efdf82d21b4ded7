package oidc

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/certs/certstest"
	"sceau/internal/testpki"
	"sceau/oidc/authn"
	"sceau/oidc/client"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// certified makes calls with a client certificate, at the listener that asks for one.
func (h *house) certified(form url.Values, leaf testpki.Leaf, endpoint string) (int, tokens) {
	h.Helper()
	b := h.browser()
	b.client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{{Certificate: [][]byte{leaf.DER}, PrivateKey: leaf.Key}}
	a := b.post(h.config.SecureIssuer+endpoint, form)
	var t tokens
	if err := json.Unmarshal([]byte(a.text), &t); err != nil {
		h.Fatalf("%d %s", a.StatusCode, a.text)
	}
	return a.StatusCode, t
}

// TestClientAuthentication is each method at the token endpoint (EXI FI 17 and 18).
func TestClientAuthentication(t *testing.T) {
	own := key(t)
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: own.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	pki := testpki.Load()
	subject := client.SubjectRegistration{SubjectDN: subjectOf(t, pki.Organisation.DER)}
	h := openHouse(t, nil,
		web(t),
		web(t, func(r *client.Registration) { r.ID, r.Authentication.Method = "post", client.SecretPost }),
		web(t, func(r *client.Registration) {
			r.ID, r.Authentication = "jwt", client.AuthenticationRegistration{Method: client.PrivateKeyJWT, Algorithms: []string{"ES256"}}
			r.JWKS = client.KeySet(keys)
		}),
		web(t, func(r *client.Registration) {
			r.ID, r.Authentication = "tls", client.AuthenticationRegistration{Method: client.TLS, Certificate: subject}
			r.CertificateBoundAccessTokens = true
		}),
		web(t, func(r *client.Registration) {
			r.ID, r.Authentication.Method, r.Authentication.RequireCertificate, r.Authentication.Certificate = "both", client.SecretPost, true, subject
		}),
		web(t, func(r *client.Registration) {
			r.ID, r.Authentication = "public", client.AuthenticationRegistration{Method: client.None}
			r.IntrospectionAllowed = false
		}),
	)
	code := func(id string) url.Values { return redeeming(h.code("client_id", id)) }
	with := func(form url.Values, more ...string) url.Values {
		for i := 0; i < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		return form
	}
	nothing := func(*http.Request) {}
	expect := func(name string, status int, got tokens, want int, code string) {
		t.Helper()
		if status != want || got.Error != code || want == http.StatusOK && got.ID == "" {
			t.Errorf("%s: %d %+v", name, status, got)
		}
	}
	status, got := h.ask("/token", code("web"))
	expect("basic", status, got, http.StatusOK, "")
	status, got = h.ask("/token", code("post"), func(r *http.Request) { r.SetBasicAuth("post", webSecret) })
	expect("basic where post is registered (O6)", status, got, http.StatusUnauthorized, "invalid_client")
	status, got = h.ask("/token", with(code("post"), "client_id", "post", "client_secret", webSecret), nothing)
	expect("post", status, got, http.StatusOK, "")
	assertion := func(claims map[string]any) string {
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: own}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]any{"iss": "jwt", "sub": "jwt", "aud": h.config.Issuer, "exp": time.Now().Add(time.Minute).Unix(), "jti": random()}
		for k, v := range claims {
			all[k] = v
		}
		text, _ := json.Marshal(all)
		o, err := s.Sign(text)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := o.CompactSerialize()
		return c
	}
	once := assertion(nil)
	status, got = h.ask("/token", with(code("jwt"), "client_assertion_type", assertionType, "client_assertion", once), nothing)
	expect("private_key_jwt", status, got, http.StatusOK, "")
	status, got = h.ask("/token", with(code("jwt"), "client_assertion_type", assertionType, "client_assertion", once), nothing)
	expect("the same assertion again", status, got, http.StatusUnauthorized, "invalid_client")
	status, got = h.certified(with(code("tls"), "client_id", "tls"), pki.Organisation, "/token")
	expect("tls_client_auth", status, got, http.StatusOK, "")
	if got.Access != "" {
		cnf, _ := h.claimsOf(got.Access)["cnf"].(map[string]any)
		if cnf["x5t#S256"] != digest(string(pki.Organisation.DER)) {
			t.Errorf("cnf: %v", cnf)
		}
		if status, _ := h.userinfo(got.Access); status != http.StatusUnauthorized {
			t.Errorf("a bound token without its certificate: %d", status)
		}
	}
	status, got = h.certified(with(code("tls"), "client_id", "tls"), pki.Hospital, "/token")
	expect("another's certificate (O6)", status, got, http.StatusUnauthorized, "invalid_client")
	status, got = h.ask("/token", with(code("tls"), "client_id", "tls"), nothing)
	expect("no certificate", status, got, http.StatusUnauthorized, "invalid_client")
	status, got = h.certified(with(code("both"), "client_id", "both", "client_secret", webSecret), pki.Organisation, "/token")
	expect("secret and certificate", status, got, http.StatusOK, "")
	if got.Access != "" {
		if h.claimsOf(got.Access)["cnf"] != nil {
			t.Error("a token is bound that was not to be")
		}
	}
	status, got = h.ask("/token", with(code("both"), "client_id", "both", "client_secret", webSecret), nothing)
	expect("the secret alone", status, got, http.StatusUnauthorized, "invalid_client")
	status, got = h.certified(with(code("both"), "client_id", "both"), pki.Organisation, "/token")
	expect("the certificate alone", status, got, http.StatusUnauthorized, "invalid_client")
	status, got = h.ask("/token", with(code("public"), "client_id", "public"), nothing)
	expect("public", status, got, http.StatusOK, "")
	status, got = h.ask("/token", with(redeeming(h.code("client_id", "public")), "client_id", "public", "code_verifier", ""), nothing)
	expect("public without a verifier", status, got, http.StatusBadRequest, "invalid_grant")
	status, got = h.ask("/token", with(code("web"), "client_secret", "x"))
	expect("two ways at once (O6)", status, got, http.StatusBadRequest, "invalid_request")
	// What opens the library from inside is nobody's secret outside.
	status, got = h.ask("/token", with(code("web"), "client_id", "web", "client_secret", h.inside), nothing)
	expect("the front's own word", status, got, http.StatusUnauthorized, "invalid_client")
}

// TestO2Codes: a code is redeemed once, by its client, with its verifier and address; who comes second ends what the first got.
func TestO2Codes(t *testing.T) {
	h := openHouse(t, nil, web(t), web(t, func(r *client.Registration) { r.ID = "other" }), web(t, func(r *client.Registration) {
		no := false
		r.ID, r.RequirePKCE = "old", &no
	}))
	for _, c := range []struct {
		name string
		form func(code string) url.Values
		as   string
		want string
	}{
		{"another's", func(code string) url.Values { return redeeming(code) }, "other", "invalid_grant"},
		{"another verifier", func(code string) url.Values { return redeeming(code, "code_verifier", verifier+"x") }, "web", "invalid_grant"},
		{"no verifier", func(code string) url.Values { return redeeming(code, "code_verifier", "") }, "web", "invalid_grant"},
		{"another address", func(code string) url.Values { return redeeming(code, "redirect_uri", back+"/") }, "web", "invalid_grant"},
		{"one that is none", func(string) url.Values { return redeeming("x") }, "web", "invalid_grant"},
	} {
		code := h.code()
		status, got := h.ask("/token", c.form(code), func(r *http.Request) { r.SetBasicAuth(c.as, webSecret) })
		if status != http.StatusBadRequest || got.Error != c.want {
			t.Errorf("%s: %d %+v", c.name, status, got)
		}
		if c.name != "one that is none" {
			if status, got := h.ask("/token", redeeming(code)); status == http.StatusOK {
				t.Errorf("%s, and then the right one: %+v", c.name, got)
			}
		}
	}
	// A verifier where there was no challenge (PKCE downgrade, RFC 9700 section 4.8).
	code := h.code("client_id", "old", "code_challenge", "", "code_challenge_method", "")
	if status, got := h.ask("/token", redeeming(code), func(r *http.Request) { r.SetBasicAuth("old", webSecret) }); status != http.StatusBadRequest || got.Error != "invalid_grant" {
		t.Errorf("a verifier without a challenge: %d %+v", status, got)
	}
	// Twice, one after the other.
	code = h.code()
	_, first := h.ask("/token", redeeming(code))
	if status, _ := h.userinfo(first.Access); status != http.StatusOK {
		t.Fatal(status)
	}
	if status, got := h.ask("/token", redeeming(code)); status != http.StatusBadRequest || got.Error != "invalid_grant" {
		t.Errorf("twice: %d %+v", status, got)
	}
	if status, _ := h.userinfo(first.Access); status != http.StatusUnauthorized {
		t.Errorf("the tokens of a code that was shown twice: %d", status)
	}
	// Twice, at the same time.
	code = h.code()
	var wg sync.WaitGroup
	var good atomic.Int32
	for range 16 {
		wg.Go(func() {
			if status, _ := h.ask("/token", redeeming(code)); status == http.StatusOK {
				good.Add(1)
			}
		})
	}
	wg.Wait()
	if good.Load() > 1 {
		t.Errorf("a code was redeemed %d times", good.Load())
	}
}

// TestO8Refresh: a refresh token is used once; who shows an old one ends what came of it; and it ends with the authentication.
func TestO8Refresh(t *testing.T) {
	h := openHouse(t, func(c *Config, _ *client.Options) { c.RefreshToken = 24 * time.Hour }, web(t))
	begin := func() tokens {
		_, got := h.ask("/token", redeeming(h.code("scope", "openid profile offline_access")))
		if got.Refresh == "" {
			t.Fatalf("%+v", got)
		}
		return got
	}
	refresh := func(token string) (int, tokens) {
		return h.ask("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
	}
	one := begin()
	status, two := refresh(one.Refresh)
	if status != http.StatusOK || two.Refresh == "" || two.Refresh == one.Refresh || two.ID == "" {
		t.Fatalf("%d %+v", status, two)
	}
	if a, b := h.claimsOf(one.ID), h.claimsOf(two.ID); a["auth_time"] != b["auth_time"] || a["sub"] != b["sub"] || a["sid"] != b["sid"] {
		t.Errorf("%v\n%v", a, b)
	}
	h.people.change("alice", func(a *authn.Account) { a.FamilyName = "Mariée" })
	status, three := refresh(two.Refresh)
	if name := h.claimsOf(three.ID)["family_name"]; status != http.StatusOK || name != "Mariée" {
		t.Errorf("%d %v", status, name)
	}
	if status, got := h.ask("/introspect", url.Values{"token": {one.Refresh}}); status != http.StatusOK || got.Active {
		t.Errorf("who asks about an old one: %d %+v", status, got)
	}
	if status, _ := h.userinfo(three.Access); status != http.StatusOK {
		t.Errorf("and ends nothing: %d", status)
	}
	if status, got := refresh(one.Refresh); status != http.StatusBadRequest {
		t.Errorf("an old one: %d %+v", status, got)
	}
	if status, _ := refresh(three.Refresh); status != http.StatusBadRequest {
		t.Errorf("and then the newest: %d", status)
	}
	if status, _ := h.userinfo(three.Access); status != http.StatusUnauthorized {
		t.Errorf("and the access token: %d", status)
	}

	at := begin()
	var wg sync.WaitGroup
	var good atomic.Int32
	for range 16 {
		wg.Go(func() {
			if status, _ := refresh(at.Refresh); status == http.StatusOK {
				good.Add(1)
			}
		})
	}
	wg.Wait()
	if good.Load() > 1 {
		t.Errorf("a refresh token was used %d times", good.Load())
	}

	// A scope that was not granted refuses, and costs the token nothing.
	scoped := begin()
	if status, got := h.ask("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {scoped.Refresh}, "scope": {"email"}}); status != http.StatusBadRequest || got.Error != "invalid_scope" {
		t.Errorf("%d %+v", status, got)
	}
	if status, _ := refresh(scoped.Refresh); status != http.StatusOK {
		t.Errorf("after a wrong scope: %d", status)
	}

	// EXI FI 25: four hours after the authentication nothing is refreshed, and no token outlives them.
	last := begin()
	h.wait(4*time.Hour - 100*time.Second)
	status, late := refresh(last.Refresh)
	if status != http.StatusOK || late.Expires > 101 || late.Expires < 60 {
		t.Errorf("at the end of the four hours: %d %+v", status, late)
	}
	h.wait(101 * time.Second)
	if status, got := refresh(late.Refresh); status != http.StatusBadRequest || got.Error != "invalid_grant" {
		t.Errorf("after them: %d %+v", status, got)
	}

	h.wait(-4 * time.Hour)
	closed := begin()
	h.people.change("alice", func(a *authn.Account) { a.Locked = true })
	if status, _ := refresh(closed.Refresh); status != http.StatusBadRequest {
		t.Errorf("an account that was closed: %d", status)
	}
	if status, _ := h.userinfo(closed.Access); status != http.StatusUnauthorized {
		t.Errorf("and its access token: %d", status)
	}
}

func TestIntrospectionAndRevocation(t *testing.T) {
	h := openHouse(t, nil, web(t), web(t, func(r *client.Registration) { r.ID, r.IntrospectionAllowed = "curious", false }), web(t, func(r *client.Registration) { r.ID = "api" }))
	_, got := h.ask("/token", redeeming(h.code("scope", "openid offline_access")))
	as := func(id string) func(*http.Request) { return func(r *http.Request) { r.SetBasicAuth(id, webSecret) } }
	about := url.Values{"token": {got.Access}}
	if status, a := h.ask("/introspect", about); status != http.StatusOK || !a.Active {
		t.Errorf("its own: %d %+v", status, a)
	}
	if status, a := h.ask("/introspect", about, as("api")); status != http.StatusOK || !a.Active {
		t.Errorf("an interface's: %d %+v", status, a)
	}
	if _, a := h.ask("/introspect", about, as("curious")); a.Active {
		t.Errorf("anybody's: %+v", a)
	}
	if status, a := h.ask("/introspect", url.Values{"token": {"x.y.z"}}); status != http.StatusOK || a.Active {
		t.Errorf("none: %d %+v", status, a)
	}
	if status, _ := h.ask("/revoke", about, as("api")); status == http.StatusOK {
		if status, _ := h.userinfo(got.Access); status != http.StatusOK {
			t.Error("another client revoked it")
		}
	}
	if status, _ := h.ask("/revoke", url.Values{"token": {got.Refresh}}); status != http.StatusOK {
		t.Errorf("%d", status)
	}
	if status, _ := h.userinfo(got.Access); status != http.StatusUnauthorized {
		t.Errorf("after revocation: %d", status)
	}
	if status, _ := h.ask("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.Refresh}}); status != http.StatusBadRequest {
		t.Errorf("after revocation: %d", status)
	}
}

// TestNothingUnrecorded: what cannot be recorded does not happen.
func TestNothingUnrecorded(t *testing.T) {
	h := openHouse(t, nil, web(t))
	code := h.code()
	h.mu.Lock()
	h.broken = errors.New("the disk is full")
	h.mu.Unlock()
	if status, got := h.ask("/token", redeeming(code)); status != http.StatusServiceUnavailable || got.Access != "" {
		t.Errorf("%d %+v", status, got)
	}
	b := h.browser()
	if got := led(b, b.login(b.get(h.request()), "card", "alice")); got != "Service Unavailable" {
		t.Errorf("%s", got)
	}
	if len(b.client.Jar.Cookies(must(url.Parse(h.config.Issuer)))) != 0 {
		t.Error("a session without a record")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func subjectOf(tb testing.TB, der []byte) string {
	return certstest.Parse(tb, certstest.Verifier(tb), der).Subject().String()
}

// TestIntrospectionAnnounced: the metadata say of introspection what those who may ask do, and nothing where nobody may.
func TestIntrospectionAnnounced(t *testing.T) {
	public := web(t, func(r *client.Registration) {
		r.ID, r.Authentication, r.IntrospectionAllowed = "public", client.AuthenticationRegistration{Method: client.None}, false
		r.Scopes, r.GrantTypes = []string{"openid"}, []string{client.AuthorizationCode}
	})
	for may, want := range map[bool]string{true: `"introspection_endpoint_auth_methods_supported":["client_secret_basic"]`, false: ""} {
		h := openHouse(t, nil, web(t, func(r *client.Registration) { r.IntrospectionAllowed = may }), public)
		text := h.browser().get(h.config.Issuer + "/.well-known/openid-configuration").text
		if may && !strings.Contains(text, want) || !may && strings.Contains(text, "introspect") {
			t.Errorf("%t: %s", may, text)
		}
	}
}
