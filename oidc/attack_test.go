package oidc

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/audit"
	"sceau/oidc/authn"
	"sceau/oidc/bridge"
	"sceau/oidc/client"
)

// Attacks by their identifiers (attacks.md, OIDC bridge; RFC 9700).

// second opens another establishment at the server and with the store of h, by the same keys.
func (h *house) second(registrations ...client.Registration) *house {
	h.Helper()
	o := &house{T: h.T, server: h.server, secure: h.secure, card: h.card, pwd: h.pwd}
	o.people.by = h.people.by
	o.config = h.config
	o.config.Issuer, o.config.SecureIssuer, o.config.Tenant = h.server.URL+"/etab/2", h.secure.URL+"/etab/2", "etab2"
	o.config.Recorder, o.config.Now, o.config.Accounts = o, o.now, &o.people
	o.registry = h.registry
	o.registry.Issuer = o.config.Issuer
	o.registry.Endpoints = map[client.Endpoint][]string{client.Token: {o.config.Issuer + "/token"}}
	o.config.Clients = must(client.New(registrations, o.registry))
	o.Provider = must(New(o.config))
	h.others = append(h.others, o.Provider)
	return o
}

// with answers the changes of a request that has these parameters in place of the usual.
func parameters(changed ...string) url.Values {
	q := url.Values{}
	for i := 0; i < len(changed); i += 2 {
		q.Set(changed[i], changed[i+1])
	}
	return q
}

// TestO1MixUp: a client that talks to several providers knows whose answer it has, and nothing of one establishment is good at another.
func TestO1MixUp(t *testing.T) {
	h := openHouse(t, nil, web(t))
	two := h.second(web(t))
	b := h.browser()
	for name, answer := range map[string]url.Values{
		"a code":                  b.login(b.get(h.request()), "card", "alice").answered(t),
		"an error of the library": b.get(h.request("scope", "profile")).answered(t),
		"an error of the front":   b.get(h.request("response_type", "token")).answered(t),
		"an error of an attempt":  h.browser().get(h.request("prompt", "none")).answered(t),
	} {
		if answer.Get("iss") != h.config.Issuer || answer.Get("state") != "st" {
			t.Errorf("%s: %v", name, answer)
		}
	}
	a := b.get(h.request("response_mode", "fragment", "scope", "profile"))
	if _, fragment, _ := strings.Cut(a.Header.Get("Location"), "#"); !strings.Contains(fragment, "iss="+url.QueryEscape(h.config.Issuer)) || !strings.Contains(fragment, "error=") {
		t.Errorf("in the fragment: %s", a.Header.Get("Location"))
	}
	var metadata map[string]any
	if err := json.Unmarshal([]byte(b.get(h.config.Issuer+"/.well-known/openid-configuration").text), &metadata); err != nil || metadata["authorization_response_iss_parameter_supported"] != true {
		t.Errorf("%v %v", err, metadata["authorization_response_iss_parameter_supported"])
	}

	// One server, one store, and even one key.
	code := h.code("scope", "openid offline_access")
	if status, got := two.ask("/token", redeeming(code)); status != http.StatusBadRequest || got.Error != "invalid_grant" {
		t.Errorf("a code of the other: %d %+v", status, got)
	}
	_, got := h.ask("/token", redeeming(code))
	if status, _ := two.userinfo(got.Access); status != http.StatusUnauthorized {
		t.Errorf("an access token of the other: %d", status)
	}
	if status, again := two.ask("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.Refresh}}); status != http.StatusBadRequest {
		t.Errorf("a refresh token of the other: %d %+v", status, again)
	}
	if _, about := two.ask("/introspect", url.Values{"token": {got.Access}}); about.Active {
		t.Error("the other knows the access token")
	}
	if two.ask("/revoke", url.Values{"token": {got.Refresh}}); status2(h.userinfo(got.Access)) != http.StatusOK {
		t.Error("the other revokes it")
	}
	if answer := b.get(two.request("id_token_hint", got.ID)).answered(t); answer.Get("error") != "invalid_request" {
		t.Errorf("an ID token of the other: %v", answer)
	}
	if answer := b.get(two.request("prompt", "none")).answered(t); answer.Get("error") != "login_required" {
		t.Errorf("a session of the other: %v", answer)
	}
	session := cookieOf(b, h.config.Issuer+"/", sessionCookie)
	r := must(http.NewRequest(http.MethodGet, two.request("prompt", "none"), nil))
	r.Header.Set("Cookie", sessionCookie+"="+session+"; "+two.sealCookie()+"="+sealOf(session))
	if answer := h.browser().do(r).answered(t); session == "" || answer.Get("error") != "login_required" {
		t.Errorf("a session of the other, carried over: %v", answer)
	}
	attempt := b.follow(b.get(h.request("prompt", "login")))
	r = must(http.NewRequest(http.MethodGet, strings.Replace(attempt.Request.URL.String(), "/etab/1/", "/etab/2/", 1), nil))
	r.Header.Set("Cookie", attemptCookie+"="+cookieOf(b, attempt.Request.URL.String(), attemptCookie))
	if a := h.browser().do(r); a.StatusCode == http.StatusOK {
		t.Errorf("an attempt of the other: %d", a.StatusCode)
	}
	if a := b.get(two.config.Issuer + "/logout?" + parameters("id_token_hint", got.ID).Encode()); a.StatusCode != http.StatusBadRequest {
		t.Errorf("logout by an ID token of the other: %d", a.StatusCode)
	}
	if got := led(b, b.get(h.request("prompt", "none"))); got != "code" {
		t.Errorf("after all of it: %s", got)
	}
}

func status2(status int, _ map[string]any) int { return status }

func cookieOf(b *browser, at, name string) string {
	for _, c := range b.client.Jar.Cookies(must(url.Parse(at))) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// TestO2Challenges: PKCE is S256 or the request is refused, and a code is good for one session, one client, one verifier.
func TestO2Challenges(t *testing.T) {
	h := openHouse(t, nil, web(t), web(t, func(r *client.Registration) {
		no := false
		r.ID, r.RequirePKCE = "old", &no
	}))
	b := h.browser()
	for name, changed := range map[string][]string{
		"plain":                          {"code_challenge_method", "plain"},
		"plain by its absence":           {"code_challenge_method", ""},
		"a method of another case":       {"code_challenge_method", "s256"},
		"no challenge":                   {"code_challenge", "", "code_challenge_method", ""},
		"a method alone":                 {"code_challenge", ""},
		"a challenge that is too short":  {"code_challenge", challenge()[:42]},
		"one that is too long":           {"code_challenge", challenge() + "A"},
		"one in other letters":           {"code_challenge", challenge()[:42] + "+"},
		"one with padding":               {"code_challenge", challenge()[:42] + "="},
		"a method alone, where none has": {"client_id", "old", "code_challenge", ""},
		"plain, where none is required":  {"client_id", "old", "code_challenge_method", "plain"},
	} {
		if answer := b.get(h.request(changed...)).answered(t); answer.Get("error") != "invalid_request" || answer.Get("code") != "" {
			t.Errorf("%s: %v", name, answer)
		}
	}
	for name, verifier := range map[string]string{"empty": "", "short": "short", "the challenge": challenge(), "long": strings.Repeat("a", 129), "with NUL": verifier + "\x00"} {
		if status, got := h.ask("/token", redeeming(h.code(), "code_verifier", verifier)); status != http.StatusBadRequest || got.ID != "" {
			t.Errorf("a verifier that is %s: %d %+v", name, status, got)
		}
	}
	// An attacker's code, put into the answer to his victim: the nonce in the token is that of the request that began.
	_, got := h.ask("/token", redeeming(h.code("nonce", "attacker's")))
	if nonce := h.claimsOf(got.ID)["nonce"]; nonce != "attacker's" {
		t.Errorf("nonce %v", nonce)
	}
	// A code of a session that has ended (TestLogout has the tokens).
	code := b.login(b.get(h.request()), "card", "alice").answered(t).Get("code")
	a := b.get(h.config.Issuer + "/logout")
	b.post(h.config.Issuer+"/logout", url.Values{"decision": {"logout"}, "token": {hidden(a.text, "token")}})
	if status, got := h.ask("/token", redeeming(code)); status != http.StatusBadRequest || got.Error != "invalid_grant" {
		t.Errorf("a code after logout: %d %+v", status, got)
	}
}

// TestO3Redirects: nobody is led where the client is not registered to be, by a code, by an error or by logout.
func TestO3Redirects(t *testing.T) {
	h := openHouse(t, nil, web(t), web(t, func(r *client.Registration) {
		r.ID, r.ApplicationType, r.RedirectURIs = "native", "native", []string{"http://127.0.0.1/cb", "http://[::1]/cb"}
	}))
	b := h.browser()
	for _, uri := range []string{
		back + "/", back + "?x=1", back + "#f", back + "%20", back + "/../evil", "HTTPS://client.example/cb", "https://CLIENT.example/cb", "https://client.example:443/cb",
		"https://client.example./cb", "https://client.example@evil.example/cb", "https://evil.example/cb", "http://client.example/cb", "//client.example/cb",
		"/cb", "javascript:alert(1)", "javascript://client.example/cb%0aalert(1)", "data:text/html,x", "https://client.example\\@evil.example/cb",
		"https://client.example/cb\x00", "https://client.example/cb\r\nX: y", "https://clıent.example/cb", "https://xn--clent-p4a.example/cb", " " + back, "",
		h.config.Issuer + "/authorize", "https://client.example/%63b",
	} {
		for _, more := range [][]string{nil, {"prompt", "none"}, {"scope", ""}, {"response_type", "token"}, {"response_mode", "form_post"}, {"id_token_hint", "x"}} {
			a := b.get(h.request(append([]string{"redirect_uri", uri}, more...)...))
			if a.StatusCode != http.StatusBadRequest || a.Header.Get("Location") != "" || a.Header.Get("Refresh") != "" {
				t.Errorf("%q with %v: %d %q", uri, more, a.StatusCode, a.Header.Get("Location"))
			}
		}
	}
	for uri, want := range map[string]bool{
		"http://127.0.0.1:1234/cb": true, "http://127.0.0.1/cb": true, "http://[::1]:65535/cb": true,
		"http://127.0.0.1:0/cb": false, "http://127.0.0.1:1234/cb2": false, "http://localhost:1234/cb": false, "http://127.0.0.2:1234/cb": false,
		"https://127.0.0.1:1234/cb": false, "http://127.0.0.1:1234@evil.example/cb": false, "http://127.0.0.1:65536/cb": false, "http://127.0.0.1:/cb": false,
	} {
		a := b.get(h.request("client_id", "native", "redirect_uri", uri, "prompt", "none"))
		if to := a.Header.Get("Location"); strings.HasPrefix(to, uri) != want || !want && to != "" {
			t.Errorf("%s: %d %s", uri, a.StatusCode, to)
		}
	}
	// The registry changes while an attempt goes on: where it was to lead, nothing leads any more.
	a := b.follow(b.get(h.request()))
	moved := web(t, func(r *client.Registration) { r.RedirectURIs = []string{"https://client.example/new"} })
	if err := h.config.Clients.Reload([]client.Registration{moved}); err != nil {
		t.Fatal(err)
	}
	at, _, _ := strings.Cut(a.Request.URL.String(), "?")
	for _, at := range []string{at, at + "/go", at + "/m/card"} {
		if a := b.get(at); a.StatusCode != http.StatusBadRequest || a.Header.Get("Location") != "" {
			t.Errorf("an attempt whose address was taken away: %d %s", a.StatusCode, a.Header.Get("Location"))
		}
	}
	if a := b.post(at+"/cancel", url.Values{"token": {hidden(a.text, "token")}}); a.onward() != "" {
		t.Errorf("and cancelled: %s", a.onward())
	}
	if a := b.follow(b.get(h.request("redirect_uri", "https://client.example/new"))); a.StatusCode != http.StatusOK {
		t.Errorf("an address that is new: %d %s", a.StatusCode, a.Header.Get("Location"))
	}
	if a := b.get(h.request("client_id", "native", "redirect_uri", "http://127.0.0.1/cb")); a.StatusCode != http.StatusBadRequest {
		t.Errorf("a client that was taken away: %d", a.StatusCode)
	}
}

// sign makes a JWS of claims.
func sign(tb testing.TB, algorithm jose.SignatureAlgorithm, key any, header map[jose.HeaderKey]any, claims map[string]any) string {
	tb.Helper()
	s := must(jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, &jose.SignerOptions{ExtraHeaders: header}))
	o := must(s.Sign(must(json.Marshal(claims))))
	return must(o.CompactSerialize())
}

func bare(header, claims string) string {
	e := base64.RawURLEncoding.EncodeToString
	return e([]byte(header)) + "." + e([]byte(claims)) + "."
}

// TestO4RequestObjects: who signed a request object, for whom, and that nothing beside it counts.
func TestO4RequestObjects(t *testing.T) {
	own, others := key(t), key(t)
	set := func(k any) client.KeySet {
		return client.KeySet(must(json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: k, KeyID: "k", Algorithm: "ES256", Use: "sig"}}})))
	}
	signs := func(r *client.Registration) {
		r.ID, r.JWKS, r.RequestObjectAlgorithm = "signs", set(own.Public()), "ES256"
		r.Authentication = client.AuthenticationRegistration{Method: client.PrivateKeyJWT, Algorithms: []string{"ES256"}}
	}
	connected := listen(t)
	h := openHouse(t, nil, web(t), web(t, signs), web(t, signs, func(r *client.Registration) { r.ID, r.RequireSignedRequestObject = "must", true }),
		web(t, signs, func(r *client.Registration) { r.ID, r.RequirePAR = "pushes", true }))
	claims := func(changed ...any) map[string]any {
		m := map[string]any{"iss": "signs", "aud": h.config.Issuer, "exp": time.Now().Add(time.Minute).Unix(), "jti": random(), "client_id": "signs", "response_type": "code",
			"redirect_uri": back, "scope": "openid profile", "state": "signed", "nonce": "n", "code_challenge": challenge(), "code_challenge_method": "S256", "prompt": "none"}
		for i := 0; i < len(changed); i += 2 {
			if m[changed[i].(string)] = changed[i+1]; changed[i+1] == nil {
				delete(m, changed[i].(string))
			}
		}
		return m
	}
	typed := map[jose.HeaderKey]any{"typ": "oauth-authz-req+jwt", "kid": "k"}
	good := func(changed ...any) string { return sign(t, jose.ES256, own, typed, claims(changed...)) }
	b := h.browser()
	ask := func(object string, beside ...string) (string, url.Values) {
		q := parameters(append([]string{"client_id", "signs", "request", object}, beside...)...)
		a := b.get(h.config.Issuer + "/authorize?" + q.Encode())
		if a.Header.Get("Location") == "" {
			return fmt.Sprint(a.StatusCode), nil
		}
		v := a.answered(t)
		return v.Get("error"), v
	}
	point := must(own.PublicKey.ECDH()).Bytes()
	spki := must(x509.MarshalPKIXPublicKey(own.Public()))
	once := good()
	for _, c := range []struct{ name, object, want string }{
		{"one that is as it must be", once, "login_required"},
		{"the same again (replay)", once, "400"},
		{"without an identifier", good("jti", nil), "login_required"},
		{"alg none", bare(`{"alg":"none","kid":"k"}`, string(must(json.Marshal(claims())))), "400"},
		{"alg None", bare(`{"alg":"None","kid":"k"}`, string(must(json.Marshal(claims())))), "400"},
		{"HS256 by the public key (SPKI)", sign(t, jose.HS256, spki, typed, claims()), "400"},
		{"HS256 by the public key (point)", sign(t, jose.HS256, point, typed, claims()), "400"},
		{"another's key", sign(t, jose.ES256, others, typed, claims()), "400"},
		{"another's key in the header (jwk)", sign(t, jose.ES256, jose.JSONWebKey{Key: others, KeyID: "k"}, map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: others.Public()}}, claims()), "400"},
		{"a key at an address (jku)", sign(t, jose.ES256, others, map[jose.HeaderKey]any{"kid": "k", "jku": connected.url}, claims()), "400"},
		{"a key identifier of nobody", sign(t, jose.ES256, own, map[jose.HeaderKey]any{"kid": "../../k' OR 1=1"}, claims()), "400"},
		{"a critical header of nobody", sign(t, jose.ES256, own, map[jose.HeaderKey]any{"kid": "k", "crit": []string{"x"}, "x": 1}, claims()), "400"},
		{"two signatures", `{"payload":"e30","signatures":[]}`, "400"},
		{"encrypted", "e30.e30.e30.e30.e30", "400"},
		{"nested", good("request", good()), "400"},
		{"with a reference", good("request_uri", connected.url), "400"},
		{"for another audience", good("aud", "https://else.example"), "400"},
		{"for nobody", good("aud", nil), "400"},
		{"by another issuer", good("iss", "web"), "400"},
		{"of another client", good("client_id", "web"), "400"},
		{"of no client", good("client_id", nil), "400"},
		{"that has expired", good("exp", time.Now().Add(-time.Minute).Unix()), "400"},
		{"without an end", good("exp", nil), "400"},
		{"for too long", good("exp", time.Now().Add(time.Hour).Unix()), "400"},
		{"not yet", good("nbf", time.Now().Add(time.Minute).Unix()), "400"},
		{"that would authenticate the client", good("sub", "signs"), "400"},
		{"a logout token", sign(t, jose.ES256, own, map[jose.HeaderKey]any{"typ": "logout+jwt", "kid": "k"}, claims()), "400"},
		{"a client assertion", sign(t, jose.ES256, own, map[jose.HeaderKey]any{"typ": "client-authentication+jwt", "kid": "k"}, claims()), "400"},
		{"of a type that is a number", sign(t, jose.ES256, own, map[jose.HeaderKey]any{"typ": 1, "kid": "k"}, claims()), "400"},
		{"a parameter that is a list", good("redirect_uri", []string{back, "https://evil.example/"}), "400"},
		{"one that is null", good("x", json.RawMessage("null")), "400"},
		{"max_age as a number", good("max_age", 60), "login_required"},
		{"max_age of less than nothing", good("max_age", -1), "invalid_request"},
		{"max_age with a fraction", good("max_age", 1.5), "invalid_request"},
		{"claims as an object", good("claims", map[string]any{"id_token": map[string]any{"acr": nil}}), "login_required"},
		{"huge", good("state", strings.Repeat("x", 20<<10)), "400"},
		{"a state that is not text", good("state", "a\x00b"), "400"},
		{"an address that is not registered", good("redirect_uri", "https://evil.example/"), "400"},
	} {
		if got, answer := ask(c.object); got != c.want || answer != nil && answer.Get("state") != "signed" {
			t.Errorf("%s: %s %v, want %s", c.name, got, answer, c.want)
		}
	}
	// What stands beside it is nobody's (pollution).
	for name, beside := range map[string][]string{
		"state": {"state", "beside"}, "redirect_uri": {"redirect_uri", "https://evil.example/"}, "scope": {"scope", "openid email"},
		"response_mode": {"response_mode", "form_post"}, "prompt": {"prompt", "login"}, "request_uri": {"request_uri", "urn:ietf:params:oauth:request_uri:x"},
	} {
		if got, answer := ask(good(), beside...); got != "login_required" || answer.Get("state") != "signed" {
			t.Errorf("%s beside it: %s %v", name, got, answer)
		}
	}
	if got, _ := ask(good(), "client_id", "web"); got != "400" {
		t.Errorf("under another client: %s", got)
	}
	if a := b.get(h.request("request", good("client_id", "web", "iss", "web"))); a.StatusCode != http.StatusBadRequest {
		t.Errorf("of a client that signs none: %d", a.StatusCode)
	}
	if a := b.get(h.request("client_id", "must")); a.StatusCode != http.StatusBadRequest {
		t.Errorf("none, of a client that must: %d", a.StatusCode)
	}
	if a := b.get(h.config.Issuer + "/authorize?" + parameters("client_id", "pushes", "request", good("client_id", "pushes", "iss", "pushes")).Encode()); a.StatusCode != http.StatusBadRequest {
		t.Errorf("of a client that must push: %d", a.StatusCode)
	}
	// A request object goes through a browser: it opens nothing at the token endpoint.
	for name, object := range map[string]string{"as it is": good(), "with sub": good("sub", "signs"), "of no type": sign(t, jose.ES256, own, map[jose.HeaderKey]any{"kid": "k"}, claims())} {
		form := redeeming(h.code("client_id", "signs"))
		form.Set("client_assertion_type", assertionType)
		form.Set("client_assertion", object)
		if status, got := h.ask("/token", form, func(*http.Request) {}); status != http.StatusUnauthorized || got.Error != "invalid_client" {
			t.Errorf("a request object as an assertion, %s: %d %+v", name, status, got)
		}
	}
	if n := connected.count(); n != 0 {
		t.Errorf("%d connections to an address out of a token (O5)", n)
	}
}

// A listener counts who connects.
type listener struct {
	url  string
	host string
	n    atomic.Int32
}

func (l *listener) count() int { return int(l.n.Load()) }

func listen(t *testing.T) *listener {
	l := &listener{}
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			l.n.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	l.url, l.host = s.URL, s.Listener.Addr().String()
	return l
}

// TestO4Hints: only an ID token of ours for this client says who is meant.
func TestO4Hints(t *testing.T) {
	h := openHouse(t, nil, web(t), web(t, func(r *client.Registration) {
		r.ID, r.UserinfoAlgorithm, r.IDTokenAlgorithm = "signed", "ES256", "ES256"
	}))
	_, got := h.ask("/token", redeeming(h.code()))
	_, other := h.ask("/token", redeeming(h.code("client_id", "signed")), func(r *http.Request) { r.SetBasicAuth("signed", webSecret) })
	r := must(http.NewRequest(http.MethodGet, h.config.Issuer+"/userinfo", nil))
	r.Header.Set("Authorization", "Bearer "+other.Access)
	userinfo := h.browser().do(r).text
	if strings.Count(userinfo, ".") != 2 {
		t.Fatal(userinfo)
	}
	claims := h.claimsOf(got.ID)
	logout := must(h.signed("logout+jwt", "ES256", claims))
	typed := must(h.signed("JWT", "ES256", claims))
	ours := h.config.Keys[0].Signer.Public()
	spki := must(x509.MarshalPKIXPublicKey(ours))
	parts := strings.Split(got.ID, ".")
	for _, c := range []struct {
		name, client, hint string
		good               bool
	}{
		{"its own", "web", got.ID, true},
		{"one that says that it is a JWT", "web", typed, true},
		{"another client's", "signed", got.ID, false},
		{"an access token", "web", got.Access, false},
		{"a logout token", "web", logout, false},
		{"signed userinfo", "signed", userinfo, false},
		{"the claims, signed by nobody", "web", bare(`{"alg":"none"}`, string(must(json.Marshal(claims)))), false},
		{"the claims, by another key", "web", sign(t, jose.ES256, key(t), nil, claims), false},
		{"the claims, by another key under our name", "web", sign(t, jose.ES256, key(t), map[jose.HeaderKey]any{"kid": h.keys.keys[0].jwk.KeyID}, claims), false},
		{"the claims, HS256 by our public key", "web", sign(t, jose.HS256, spki, map[jose.HeaderKey]any{"kid": h.keys.keys[0].jwk.KeyID}, claims), false},
		{"without its signature", "web", parts[0] + "." + parts[1] + ".", false},
		{"with other claims", "web", parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"`+h.config.Issuer+`","aud":"web","sub":"etab1:b2","exp":1}`)) + "." + parts[2], false},
		{"huge", "web", got.ID + strings.Repeat("A", 20<<10), false},
		{"no token", "web", "x", false},
	} {
		b := h.browser()
		a := b.get(h.request("client_id", c.client, "id_token_hint", c.hint, "prompt", "none"))
		want := "login_required"
		if !c.good {
			want = "invalid_request"
		}
		got := fmt.Sprint(a.StatusCode)
		if a.Header.Get("Location") != "" {
			got = a.answered(t).Get("error")
		}
		if got != want && (c.name != "huge" || got != "400" && got != "404") {
			t.Errorf("%s: %s", c.name, got)
		}
		a = b.get(h.config.Issuer + "/logout?" + parameters("client_id", c.client, "id_token_hint", c.hint).Encode())
		if ok := a.StatusCode == http.StatusOK; ok != c.good {
			t.Errorf("logout by %s: %d", c.name, a.StatusCode)
		}
	}
}

// TestO5Addresses: no address out of a request is contacted, and none in our own network that a registration names.
func TestO5Addresses(t *testing.T) {
	connected := listen(t)
	h := openHouse(t, nil, web(t, func(r *client.Registration) { r.BackchannelLogoutURI = connected.url + "/logout" }))
	b := h.browser()
	for _, uri := range []string{connected.url, connected.url + "/object", "http://" + connected.host, "file:///etc/passwd", "urn:ietf:params:oauth:request_uri", "gopher://x/"} {
		if a := b.get(h.request("request_uri", uri)); a.StatusCode != http.StatusBadRequest || a.Header.Get("Location") != "" {
			t.Errorf("request_uri %s: %d", uri, a.StatusCode)
		}
		if status, got := h.ask("/par", parameters("request_uri", uri, "response_type", "code", "redirect_uri", back, "scope", "openid", "code_challenge", challenge(), "code_challenge_method", "S256")); status != http.StatusBadRequest {
			t.Errorf("request_uri %s, pushed: %d %+v", uri, status, got)
		}
	}
	_, got := h.ask("/token", redeeming(b.login(b.get(h.request()), "card", "alice").answered(t).Get("code")))
	if a := b.get(h.config.Issuer + "/logout?" + parameters("id_token_hint", got.ID).Encode()); a.StatusCode != http.StatusOK || !strings.Contains(a.text, "Application") {
		t.Errorf("logout: %d", a.StatusCode)
	}
	if events := h.trail(audit.OperationSessionEnd); len(events) != 2 || events[1].Client != "web" || events[1].Outcome != audit.Fault {
		t.Errorf("%+v", events)
	}
	if n := connected.count(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

// TestO6Endpoints: one way to authenticate, one way to ask.
func TestO6Endpoints(t *testing.T) {
	h := openHouse(t, nil, web(t), web(t, func(r *client.Registration) { r.ID = "other" }), web(t, func(r *client.Registration) {
		r.ID, r.Authentication, r.IntrospectionAllowed = "public", client.AuthenticationRegistration{Method: client.None}, false
	}))
	form := func(changed ...string) string { return redeeming("x", changed...).Encode() }
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("web:"+webSecret))
	for _, c := range []struct {
		name, method, query, body string
		header                    http.Header
		status                    int
		code                      string
	}{
		{"as it must be, but for the code", "POST", "", form(), http.Header{"Authorization": {basic}}, 400, "invalid_grant"},
		{"GET", "GET", "", "", http.Header{"Authorization": {basic}}, 405, "invalid_request"},
		{"PUT", "PUT", "", form(), http.Header{"Authorization": {basic}}, 405, "invalid_request"},
		{"the secret in the address", "POST", "?client_id=web&client_secret=" + webSecret, form(), nil, 400, "invalid_request"},
		{"anything in the address", "POST", "?x", form(), http.Header{"Authorization": {basic}}, 400, "invalid_request"},
		{"two headers", "POST", "", form(), http.Header{"Authorization": {basic, basic}}, 400, "invalid_request"},
		{"another client in the form", "POST", "", form("client_id", "other"), http.Header{"Authorization": {basic}}, 400, "invalid_request"},
		{"a parameter twice", "POST", "", form() + "&code=y", http.Header{"Authorization": {basic}}, 400, "invalid_request"},
		{"JSON", "POST", "", `{"grant_type":"authorization_code"}`, http.Header{"Authorization": {basic}, "Content-Type": {"application/json"}}, 400, "invalid_request"},
		{"a bearer token", "POST", "", form(), http.Header{"Authorization": {"Bearer x"}}, 401, "invalid_client"},
		{"a name alone", "POST", "", form("client_id", "web"), nil, 401, "invalid_client"},
		{"a public client with a secret", "POST", "", form("client_id", "public", "client_secret", "x"), nil, 401, "invalid_client"},
		{"a public client with the word from inside", "POST", "", form("client_id", "public", "client_secret", h.inside), nil, 401, "invalid_client"},
		{"a secret that is the word from inside", "POST", "", form(), http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("web:"+h.inside))}}, 401, "invalid_client"},
		{"huge", "POST", "", form("x", strings.Repeat("x", maxForm)), http.Header{"Authorization": {basic}}, 400, "invalid_request"},
		{"a grant of nobody", "POST", "", form("grant_type", "password", "username", "alice", "password", "x"), http.Header{"Authorization": {basic}}, 400, "unsupported_grant_type"},
		{"the client's own grant", "POST", "", form("grant_type", "client_credentials"), http.Header{"Authorization": {basic}}, 400, "unsupported_grant_type"},
		{"an exchange without an exchanger", "POST", "", form("grant_type", client.TokenExchange), http.Header{"Authorization": {basic}}, 400, "unsupported_grant_type"},
		{"no grant", "POST", "", form("grant_type", ""), http.Header{"Authorization": {basic}}, 400, "unsupported_grant_type"},
	} {
		r := must(http.NewRequest(c.method, h.config.Issuer+"/token"+c.query, strings.NewReader(c.body)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for name, values := range c.header {
			r.Header[name] = values
		}
		a := h.browser().do(r)
		var got tokens
		if err := json.Unmarshal([]byte(a.text), &got); err != nil || a.StatusCode != c.status || got.Error != c.code {
			t.Errorf("%s: %d %s", c.name, a.StatusCode, a.text)
		}
		if cache := a.Header.Get("Cache-Control"); c.status != 405 && !strings.Contains(cache, "no-store") {
			t.Errorf("%s: Cache-Control %q", c.name, cache)
		}
	}
	_, got := h.ask("/token", redeeming(h.code("scope", "openid offline_access")))
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.Refresh}}
	if status, _ := h.ask("/token", refresh, func(r *http.Request) { r.SetBasicAuth("other", webSecret) }); status != http.StatusBadRequest {
		t.Errorf("another client's refresh token: %d", status)
	}
	// What goes to the token endpoint alone is no access token, and what is one is none of the others.
	for name, token := range map[string]string{"a refresh token": got.Refresh, "an ID token": got.ID, "a code": h.code(), "nothing": "", "no token": "x.y.z"} {
		if status, info := h.userinfo(token); status != http.StatusUnauthorized {
			t.Errorf("userinfo by %s: %d %v", name, status, info)
		}
	}
	for name, form := range map[string]url.Values{
		"an access token to refresh": {"grant_type": {"refresh_token"}, "refresh_token": {got.Access}},
		"an access token as a code":  redeeming(got.Access), "a refresh token as a code": redeeming(got.Refresh),
	} {
		if status, again := h.ask("/token", form); status != http.StatusBadRequest || again.Access != "" {
			t.Errorf("%s: %d %+v", name, status, again)
		}
	}
	if status, _ := h.ask("/token", refresh); status != http.StatusOK {
		t.Errorf("its own, after all that: %d", status)
	}
}

// TestO7Conditions: what a client makes a condition is one, in whatever shape, and what is older, weaker or another's is not sold for it.
func TestO7Conditions(t *testing.T) {
	h := openHouse(t, nil, web(t, func(r *client.Registration) {
		r.Session.ACR = []client.ACRRegistration{{Value: "eidas3", Methods: [][]string{{"sc", "pin", "mfa"}}}, {Value: "eidas1", Methods: [][]string{{"pwd"}}}}
	}))
	b := h.browser()
	if got := led(b, b.login(b.get(h.request()), "password", "alice")); got != "code" {
		t.Fatal(got)
	}
	for claims, want := range map[string]string{
		`{"id_token":{"acr":{"essential":true,"values":["eidas3"]}}}`:                                                    "login_required",
		`{"id_token":{"acr":{"essential":true,"value":"eidas3"}}}`:                                                       "login_required",
		`{"id_token":{"acr":{"essential":true,"values":["eidas3","eidas1"]}}}`:                                           "code",
		`{"id_token":{"acr":{"essential":true,"values":["unknown"]}}}`:                                                   "login_required",
		`{"id_token":{"acr":{"essential":true}}}`:                                                                        "code",
		`{"id_token":{"acr":null}}`:                                                                                      "code",
		`{"id_token":{"acr":{"essential":false,"values":["eidas3"]}}}`:                                                   "code",
		`{"userinfo":{"acr":{"essential":true,"values":["eidas3"]}}}`:                                                    "code", // of the ID token alone (5.5.1.1)
		`{"id_token":null,"userinfo":null}`:                                                                              "code",
		`{}`:                                                                                                             "code",
		`{"id_token":{"auth_time":{"essential":true},"acr":{"essential":true,"values":["eidas3"]}}}`:                     "login_required",
		`{"id_token":{"auth_time":{"value":5},"acr":{"essential":true,"values":["eidas3"]}}}`:                            "login_required",
		`{"id_token":{"x":{"values":[1,{}]},"acr":{"essential":true,"values":["eidas3"]}},"userinfo":{"y":{"value":1}}}`: "login_required",
		`{"id_token":{"acr":{"essential":true,"values":"eidas3"}}}`:                                                      "invalid_request",
		`{"id_token":{"acr":{"essential":"true","values":["eidas3"]}}}`:                                                  "invalid_request",
		`{"id_token":{"acr":{"essential":true,"values":[3]}}}`:                                                           "invalid_request",
		`{"id_token":{"acr":true}}`:                                                                                      "invalid_request",
		`{"id_token":[]}`:                                                                                                "invalid_request",
		`{"id_token":{"acr":{"essential":true,"values":["eidas3"]}},"id_token":{}}`:                                      "invalid_request", // one reader has the first, another the last
		`{"id_token":{"acr":{"essential":true,"values":["eidas3"],"essential":false}}}`:                                  "invalid_request",
		`[]`:   "invalid_request",
		`null`: "invalid_request",
		`{`:    "invalid_request",
		`{"id_token":{"sub":{"value":"etab1:a1"}}}`:                              "code",
		`{"id_token":{"sub":{"value":"etab1:b2"}}}`:                              "login_required",
		`{"id_token":{"sub":{"essential":true,"value":"etab1:b2"},"name":null}}`: "login_required",
		`{"id_token":{"sub":{"value":1}}}`:                                       "invalid_request",
		`{"id_token":{"sub":{"values":["etab1:a1"]}}}`:                           "invalid_request",
	} {
		if got := led(b, b.get(h.request("claims", claims, "prompt", "none"))); got != want {
			t.Errorf("claims %s: %s, want %s", claims, got, want)
		}
	}
	for age, want := range map[string]string{"0": "login_required", "3600": "code", "007200": "code", "-1": "invalid_request", "x": "invalid_request", "1.5": "invalid_request", "1e3": "invalid_request",
		"+5": "invalid_request", " 5": "invalid_request", "99999999999999999999": "invalid_request", "2147483647": "code"} {
		if got := led(b, b.get(h.request("max_age", age, "prompt", "none"))); got != want {
			t.Errorf("max_age %q: %s, want %s", age, got, want)
		}
	}
	for prompt, want := range map[string]string{"none login": "invalid_request", "none none": "invalid_request", "consent none": "invalid_request", "create": "invalid_request", "None": "invalid_request",
		"login consent": "choice", "login login": "choice", "select_account": "choice", "login\tnone": "invalid_request", "": "code"} {
		if got := led(b, b.get(h.request("prompt", prompt))); got != want {
			t.Errorf("prompt %q: %s, want %s", prompt, got, want)
		}
	}
	// A parameter that cannot be read is not left out.
	for _, query := range []string{"&max_age=%zz", "&max_age=0;x=1", "&prompt=none&%", "&max_age=0&max_age=9999"} {
		if a := b.get(h.request() + query); a.StatusCode != http.StatusBadRequest || a.Header.Get("Location") != "" {
			t.Errorf("%q: %d %s", query, a.StatusCode, a.Header.Get("Location"))
		}
	}
	// What was pushed means the same person.
	_, bob := h.ask("/token", redeeming(func() string {
		b := h.browser()
		return b.login(b.get(h.request()), "card", "bob").answered(t).Get("code")
	}()))
	for name, hint := range map[string][]string{"id_token_hint": {"id_token_hint", bob.ID}, "claims": {"claims", `{"id_token":{"sub":{"value":"etab1:b2"}}}`}} {
		if got := led(b, b.get(h.push(append(hint, "prompt", "none")...))); got != "login_required" {
			t.Errorf("%s, pushed: %s", name, got)
		}
	}
	if got := led(b, b.get(h.push("prompt", "none"))); got != "code" {
		t.Errorf("pushed without: %s", got)
	}
}

// push pushes a request as the client web and gives the address by which it is asked for.
func (h *house) push(changed ...string) string {
	h.Helper()
	form := must(url.Parse(h.request(changed...))).Query()
	r := must(http.NewRequest(http.MethodPost, h.config.Issuer+"/par", strings.NewReader(form.Encode())))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("web", webSecret)
	a := h.browser().do(r)
	var got struct {
		URI string `json:"request_uri"`
	}
	if err := json.Unmarshal([]byte(a.text), &got); err != nil || a.StatusCode != http.StatusCreated {
		h.Fatalf("%d %s", a.StatusCode, a.text)
	}
	return h.config.Issuer + "/authorize?" + parameters("client_id", "web", "request_uri", got.URI).Encode()
}

// TestO7Changes: what was true at the authentication and is true no longer gives no token.
func TestO7Changes(t *testing.T) {
	weak := web(t)
	h := openHouse(t, func(c *Config, _ *client.Options) { c.RefreshToken = 24 * time.Hour }, weak)
	login := func(means string) (*browser, tokens) {
		b := h.browser()
		_, got := h.ask("/token", redeeming(b.login(b.get(h.request("scope", "openid offline_access")), means, "alice").answered(t).Get("code")))
		return b, got
	}
	refresh := func(token string) (int, tokens) {
		return h.ask("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
	}
	reload := func(r client.Registration) {
		t.Helper()
		if err := h.config.Clients.Reload([]client.Registration{r}); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("a closed account", func(t *testing.T) {
		b, _ := login("card")
		h.people.change("alice", func(a *authn.Account) { a.Locked = true })
		defer h.people.change("alice", func(a *authn.Account) { a.Locked = false })
		if got := led(b, b.get(h.request())); got != "choice" {
			t.Errorf("a code out of the session: %s", got)
		}
		if got := led(b, b.get(h.request("prompt", "none"))); got != "login_required" {
			t.Errorf("in silence: %s", got)
		}
	})
	t.Run("another name", func(t *testing.T) {
		b, _ := login("card")
		h.people.change("alice", func(a *authn.Account) { a.FamilyName = "Mariée" })
		_, got := h.ask("/token", redeeming(b.follow(b.get(h.request())).answered(t).Get("code")))
		if name := h.claimsOf(got.ID)["family_name"]; name != "Mariée" {
			t.Errorf("%v", name)
		}
	})
	t.Run("a stronger policy", func(t *testing.T) {
		defer reload(weak)
		b, got := login("password")
		reload(web(t, func(r *client.Registration) { r.Session.Methods = [][]string{{"sc", "pin"}} }))
		if got := led(b, b.get(h.request("prompt", "none"))); got != "login_required" {
			t.Errorf("a code: %s", got)
		}
		if status, again := refresh(got.Refresh); status != http.StatusBadRequest || again.Access != "" {
			t.Errorf("a refresh: %d %+v", status, again)
		}
	})
	t.Run("a shorter age", func(t *testing.T) {
		defer reload(weak)
		b, got := login("card")
		reload(web(t, func(r *client.Registration) { r.Session.MaxAuthenticationAge = 10 * time.Minute }))
		h.wait(11 * time.Minute)
		defer h.wait(-11 * time.Minute)
		if got := led(b, b.get(h.request("prompt", "none"))); got != "login_required" {
			t.Errorf("a code: %s", got)
		}
		if status, again := refresh(got.Refresh); status != http.StatusBadRequest || again.Access != "" {
			t.Errorf("a refresh: %d %+v", status, again)
		}
	})
	t.Run("a grant less", func(t *testing.T) {
		defer reload(weak)
		_, got := login("card")
		reload(web(t, func(r *client.Registration) { r.GrantTypes = []string{client.AuthorizationCode} }))
		if status, again := refresh(got.Refresh); status != http.StatusBadRequest || again.Error != "unauthorized_client" {
			t.Errorf("a refresh: %d %+v", status, again)
		}
		if _, again := login("card"); again.Refresh != "" {
			t.Error("another refresh token")
		}
	})
	t.Run("tokens that are to be bound", func(t *testing.T) {
		defer reload(weak)
		code := h.code()
		reload(web(t, func(r *client.Registration) { r.CertificateBoundAccessTokens = true }))
		if status, got := h.ask("/token", redeeming(code)); status == http.StatusOK {
			t.Errorf("one that is not bound: %+v", got)
		}
	})
	t.Run("a clock that goes back", func(t *testing.T) {
		h.wait(2 * time.Hour)
		b, got := login("card")
		h.wait(-2 * time.Hour)
		if got := led(b, b.get(h.request("prompt", "none"))); got != "login_required" {
			t.Errorf("a code out of the future: %s", got)
		}
		if status, again := refresh(got.Refresh); status != http.StatusBadRequest || again.Access != "" {
			t.Errorf("a refresh: %d %+v", status, again)
		}
	})
	t.Run("an authentication of another time", func(t *testing.T) {
		h.card.age = 5 * time.Minute // inherited, from before the attempt
		defer func() { h.card.age = 0 }()
		b := h.browser()
		if got := led(b, b.login(b.get(h.request("prompt", "login")), "card", "alice")); got == "code" {
			t.Error("prompt=login by what was before it")
		}
		if got := led(b, b.login(b.get(h.request("max_age", "60")), "card", "alice")); got == "code" {
			t.Error("max_age by what is older")
		}
		h.card.age, b = 4*time.Hour, h.browser()
		if got := led(b, b.login(b.get(h.request()), "card", "alice")); got == "code" {
			t.Error("four hours old (EXI FI 25)")
		}
	})
}

// TestO8Forms: no form of ours does anything for another site, another browser or another attempt.
func TestO8Forms(t *testing.T) {
	h := openHouse(t, nil, web(t, func(r *client.Registration) { r.Consent = "ask" }))
	b := h.browser()
	means := b.follow(b.get(h.request()))
	at, _, _ := strings.Cut(means.Request.URL.String(), "?")
	token := hidden(b.get(at+"/m/card").text, "token")
	other := b.follow(b.get(h.request()))
	elsewhere := hidden(b.get(other.Request.URL.String()+"/m/card").text, "token")
	if token == "" || elsewhere == "" || token == elsewhere {
		t.Fatalf("%q %q", token, elsewhere)
	}
	send := func(b *browser, to, token, origin string) answer {
		r := must(http.NewRequest(http.MethodPost, to, strings.NewReader(url.Values{"person": {"alice"}, "token": {token}, "decision": {"allow"}}.Encode())))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		return b.do(r)
	}
	for _, path := range []string{"/m/card", "/m/password", "/cancel", "/consent", "/go", ""} {
		for name, c := range map[string]struct{ token, origin string }{
			"no token": {"", h.server.URL}, "another attempt's": {elsewhere, h.server.URL}, "another site": {token, "https://evil.example"}, "a site without a name": {token, "null"},
			"our host at another port": {token, "https://127.0.0.1:1"}, "our host in the clear": {token, strings.Replace(h.server.URL, "https", "http", 1)},
		} {
			if a := send(b, at+path, c.token, c.origin); a.StatusCode != http.StatusForbidden || a.Header.Get("Location") != "" {
				t.Errorf("%s with %s: %d %s", path, name, a.StatusCode, a.Header.Get("Location"))
			}
		}
		if a := send(h.browser(), at+path, token, h.server.URL); a.StatusCode != http.StatusForbidden {
			t.Errorf("%s from another browser: %d", path, a.StatusCode)
		}
	}
	if a := h.browser().get(at); a.StatusCode != http.StatusForbidden {
		t.Errorf("the attempt in another browser: %d", a.StatusCode)
	}
	for name, kind := range map[string]string{"JSON": "application/json", "text": "text/plain", "multipart": "multipart/form-data; boundary=x", "none": ""} {
		r := must(http.NewRequest(http.MethodPost, at+"/m/card", strings.NewReader("token="+token+"&person=alice")))
		r.Header["Content-Type"] = []string{kind}
		if a := b.do(r); a.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("a form as %s: %d", name, a.StatusCode)
		}
	}
	// Two attempts in one browser, and each is its own.
	first := send(b, at+"/m/card", token, h.server.URL)
	if got := led(b, first); got != "consent" {
		t.Errorf("the first: %s", got)
	}
	if got := led(b, b.get(other.Request.URL.String()+"/go")); got != "consent" {
		t.Errorf("the second, out of the session of the first: %s", got)
	}
	if got := led(b, b.post(at+"/consent", url.Values{"decision": {"allow"}, "token": {token}})); got != "code" {
		t.Errorf("the first agreed to: %s", got)
	}
	// It was shown to one person, and another is there when the answer comes.
	b = h.browser()
	a := b.login(b.get(h.request()), "card", "bob")
	consent, secret := a.Request.URL.String(), hidden(a.text, "token")
	if got := led(b, b.login(b.get(h.request("prompt", "login")), "card", "alice")); got != "code" {
		t.Fatalf("alice, who has agreed: %s", got)
	}
	if got := b.post(consent, url.Values{"decision": {"allow"}, "token": {secret}}); got.StatusCode != http.StatusOK || !strings.HasSuffix(got.Request.URL.Path, "/consent") || got.Header.Get("Refresh") != "" {
		t.Errorf("what bob was shown, agreed to by alice: %d", got.StatusCode)
	}
	b = h.browser()
	a = b.login(b.get(h.request()), "card", "bob")
	if got := led(b, b.post(a.Request.URL.String(), url.Values{"decision": {"deny"}, "token": {hidden(a.text, "token")}})); got != "access_denied" {
		t.Errorf("denied: %s", got)
	}
	// What is over is over: an attempt that gave its code or was given up, and one whose session ended in its midst.
	for _, path := range []string{"", "/go", "/consent", "/m/card"} {
		for name, at := range map[string]string{"agreed to": at, "denied": strings.TrimSuffix(a.Request.URL.String(), "/consent")} {
			if got := b.get(at + path); got.StatusCode < 400 || got.onward() != "" {
				t.Errorf("an attempt that was %s, at %q: %d %s", name, path, got.StatusCode, got.onward())
			}
		}
	}
	b = h.browser()
	a = b.login(b.get(h.request()), "card", "bob")
	out := b.get(h.config.Issuer + "/logout")
	b.post(h.config.Issuer+"/logout", url.Values{"decision": {"logout"}, "token": {hidden(out.text, "token")}})
	if got := b.post(a.Request.URL.String(), url.Values{"decision": {"allow"}, "token": {hidden(a.text, "token")}}); strings.Contains(b.follow(got).onward(), "code=") {
		t.Error("consent after logout gave a code")
	}
	if got := led(b, b.get(strings.TrimSuffix(a.Request.URL.String(), "/consent")+"/go")); got == "code" {
		t.Error("an attempt goes on after logout")
	}
	b = h.browser()
	a = b.follow(b.get(h.request()))
	if got := led(b, b.post(a.Request.URL.String()+"/consent", url.Values{"decision": {"allow"}, "token": {token}})); got == "code" {
		t.Error("consent before anybody is there")
	}
}

// TestO8Sessions: nobody puts his session under another, by a cookie that he knows, and no session comes back.
func TestO8Sessions(t *testing.T) {
	h := openHouse(t, nil, web(t))
	b := h.browser()
	u := must(url.Parse(h.config.Issuer + "/"))
	for _, value := range []string{"fixed", strings.Repeat("A", 43), "../../session", "%00"} {
		b.client.Jar.SetCookies(u, []*http.Cookie{{Name: sessionCookie, Value: value, Path: "/etab/1/", Secure: true}})
		if got := led(b, b.get(h.request("prompt", "none"))); got != "login_required" {
			t.Errorf("a cookie of nobody: %s", got)
		}
	}
	a := b.login(b.get(h.request()), "card", "alice")
	one := cookieOf(b, u.String(), sessionCookie)
	if one == "" || one == "%00" || len(one) < 43 {
		t.Errorf("after login the cookie is %q", one)
	}
	if got := led(b, b.login(b.get(h.request("prompt", "login")), "password", "alice")); got != "code" {
		t.Fatal(got)
	}
	two := cookieOf(b, u.String(), sessionCookie)
	as := func(cookie string) string {
		b := h.browser()
		b.client.Jar.SetCookies(u, []*http.Cookie{{Name: sessionCookie, Value: cookie, Path: "/etab/1/", Secure: true}, {Name: h.sealCookie(), Value: sealOf(cookie), Path: "/", Secure: true}})
		return led(b, b.get(h.request("prompt", "none")))
	}
	if got := as(one); one == two || got != "login_required" {
		t.Errorf("the cookie before the step up: %s", got)
	}
	if got := as(two); got != "code" {
		t.Errorf("and after: %s", got)
	}
	// Whoever knows the claim sid does not write the form of logout.
	_, got := h.ask("/token", redeeming(a.answered(t).Get("code")))
	sid, _ := h.claimsOf(got.Access)["sid"].(string)
	for name, token := range map[string]string{"out of sid": digest("logout\x00" + sid), "none": "", "of another": digest("logout\x00" + "x")} {
		if a := b.post(h.config.Issuer+"/logout", url.Values{"decision": {"logout"}, "token": {token}}); a.StatusCode != http.StatusOK || as(two) != "code" {
			t.Errorf("a form of logout with a token that is %s: %d %s", name, a.StatusCode, as(two))
		}
	}
	ask := b.get(h.config.Issuer + "/logout")
	r := must(http.NewRequest(http.MethodPost, h.config.Issuer+"/logout", strings.NewReader(url.Values{"decision": {"logout"}, "token": {hidden(ask.text, "token")}}.Encode())))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "https://evil.example")
	if b.do(r); as(two) != "code" {
		t.Error("a form of logout from another site")
	}
	if b.post(h.config.Issuer+"/logout", url.Values{"decision": {"logout"}, "token": {hidden(ask.text, "token")}}); as(two) != "login_required" {
		t.Errorf("after logout: %s", as(two))
	}
}

// TestO8Logout: a session that ends ends all that came of it, however much that is and whatever is under way.
func TestO8Logout(t *testing.T) {
	h := openHouse(t, func(c *Config, _ *client.Options) { c.RefreshToken = 24 * time.Hour }, web(t))
	b := h.browser()
	var all []tokens
	answer := b.login(b.get(h.request("scope", "openid offline_access")), "card", "alice")
	for range 40 { // a page that renews in silence
		_, got := h.ask("/token", redeeming(answer.answered(t).Get("code")))
		all = append(all, got)
		answer = b.get(h.request("scope", "openid offline_access", "prompt", "none"))
	}
	code := answer.answered(t).Get("code")
	var wg sync.WaitGroup
	var late sync.Map
	for i := range 8 {
		wg.Go(func() { // under way while the session ends
			c := &browser{h, &http.Client{Jar: b.client.Jar, Transport: b.client.Transport, CheckRedirect: b.client.CheckRedirect}}
			for j := range 5 {
				if u, err := url.Parse(c.get(h.request("scope", "openid offline_access", "prompt", "none")).Header.Get("Location")); err == nil {
					late.Store([2]int{i, j}, u.Query().Get("code"))
				}
			}
		})
		wg.Go(func() {
			_, got := h.ask("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {all[i].Refresh}})
			late.Store(i, got)
		})
	}
	b.get(h.config.Issuer + "/logout?" + parameters("id_token_hint", all[0].ID).Encode())
	wg.Wait()
	for i, got := range all {
		if status, _ := h.userinfo(got.Access); status != http.StatusUnauthorized {
			t.Errorf("access token %d after logout: %d", i, status)
		}
	}
	late.Range(func(name, value any) bool {
		switch got := value.(type) {
		case string:
			if status, got := h.ask("/token", redeeming(got)); status == http.StatusOK {
				t.Errorf("%v: a code that was under way: %+v", name, got)
			}
		case tokens:
			if got.Access != "" {
				if status, _ := h.userinfo(got.Access); status != http.StatusUnauthorized {
					t.Errorf("%v: a refresh that was under way: %d", name, status)
				}
				if status, _ := h.ask("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.Refresh}}); status == http.StatusOK {
					t.Errorf("%v: and refreshed again", name)
				}
			}
		}
		return true
	})
	if status, _ := h.ask("/token", redeeming(code)); status != http.StatusBadRequest {
		t.Errorf("a code after logout: %d", status)
	}
	if got := led(b, b.get(h.request("prompt", "none"))); got != "login_required" {
		t.Errorf("the session: %s", got)
	}
}

// TestO8Pushed: a pushed request is good once, for its client.
func TestO8Pushed(t *testing.T) {
	h := openHouse(t, nil, web(t), web(t, func(r *client.Registration) { r.ID = "other" }))
	b := h.browser()
	if got := led(b, b.login(b.get(h.request()), "card", "alice")); got != "code" {
		t.Fatal(got)
	}
	at := h.push()
	var wg sync.WaitGroup
	var good atomic.Int32
	for range 16 {
		wg.Go(func() {
			if u, err := url.Parse(b.get(at).Header.Get("Location")); err == nil && u.Query().Get("code") != "" {
				good.Add(1)
			}
		})
	}
	wg.Wait()
	if good.Load() != 1 {
		t.Errorf("a pushed request gave %d codes", good.Load())
	}
	at = h.push()
	if a := b.get(strings.Replace(at, "client_id=web", "client_id=other", 1)); a.StatusCode != http.StatusBadRequest {
		t.Errorf("by another client: %d", a.StatusCode)
	}
	at = h.push("scope", "openid", "prompt", "none")
	code := b.get(at + "&scope=openid+email+offline_access&redirect_uri=https%3A%2F%2Fevil.example&prompt=login&nonce=x").answered(t).Get("code")
	if _, got := h.ask("/token", redeeming(code)); got.Scope != "openid" || got.Refresh != "" || h.claimsOf(got.ID)["nonce"] != "no" {
		t.Errorf("what stands beside it: %+v", got)
	}
}

// TestO8Pages: every page refuses to be framed, to run scripts of others and to tell where it was; cookies are for this host,
// path and connection alone.
func TestO8Pages(t *testing.T) {
	h := openHouse(t, nil, web(t, func(r *client.Registration) { r.Consent = "ask" }))
	b := h.browser()
	choose := b.follow(b.get(h.request()))
	at := choose.Request.URL.String()
	pages := map[string]answer{
		"choice": choose, "means": b.get(at + "/m/card"), "not found": b.get(h.config.Issuer + "/x"), "error": b.get(h.request("client_id", "x")),
		"expired": h.browser().get(at), "method": b.do(must(http.NewRequest(http.MethodDelete, h.config.Issuer+"/authorize", nil))),
		"no such attempt": b.get(h.config.Issuer + "/authorize/x"), "no such means": b.get(at + "/m/x"), "upstream": b.get(h.config.Issuer + "/upstream/x/callback"),
	}
	pages["consent"] = b.login(choose, "card", "alice")
	pages["logout"] = b.get(h.config.Issuer + "/logout")
	pages["logged out"] = h.browser().get(h.config.Issuer + "/logout")
	pages["a wrong logout"] = b.get(h.config.Issuer + "/logout?id_token_hint=x")
	for name, a := range pages {
		policy := a.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") || a.Header.Get("X-Content-Type-Options") != "nosniff" || a.Header.Get("Referrer-Policy") == "" ||
			!strings.Contains(a.Header.Get("Cache-Control"), "no-store") || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %v", name, a.StatusCode, a.Header)
		}
	}
	at = strings.TrimSuffix(pages["consent"].Request.URL.String(), "/consent")
	set := map[string]*http.Cookie{}
	for _, a := range []answer{b.get(h.request("prompt", "login")), b.post(at+"/m/card", url.Values{"person": {"alice"}, "token": {hidden(pages["consent"].text, "token")}})} {
		for _, c := range a.Cookies() {
			set[c.Name] = c
			prefix, path := "__Secure-", "/etab/1/"
			if c.Name == h.sealCookie() {
				prefix, path = "__Host-", "/"
			}
			if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Domain != "" || !strings.HasPrefix(c.Path, path) || !strings.HasPrefix(c.Name, prefix) {
				t.Errorf("%+v", c)
			}
		}
	}
	if c := set[attemptCookie]; c == nil || len(strings.Split(c.Path, "/")) != 5 || c.Expires.IsZero() { // a browser has room for so many of a host
		t.Errorf("the cookie of an attempt: %+v", c)
	}
	if c := set[sessionCookie]; c == nil || c.Path != "/etab/1/" || !c.Expires.IsZero() {
		t.Errorf("the cookie of a session: %+v", c)
	}
	// Its path is that of the host, where others read it: what it says opens nothing.
	if c := set[h.sealCookie()]; c == nil || c.Path != "/" || !c.Expires.IsZero() || strings.Contains(c.Value, set[sessionCookie].Value) {
		t.Errorf("the seal of a session: %+v", c)
	}
}

// TestPaths: an address is written in one way.
func TestPaths(t *testing.T) {
	h := openHouse(t, nil, web(t))
	two := h.second(web(t))
	b := h.browser()
	query := "?" + must(url.Parse(h.request("prompt", "none"))).RawQuery
	raw := func(method, path string) (status int, location, text string) {
		t.Helper()
		conn := must(tls.Dial("tcp", h.server.Listener.Addr().String(), b.client.Transport.(*http.Transport).TLSClientConfig.Clone()))
		defer conn.Close()
		fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\nForwarded: host=evil.example\r\nConnection: close\r\n\r\n", method, path)
		var all bytes.Buffer
		all.ReadFrom(conn)
		a := must(http.ReadResponse(bufio.NewReader(&all), must(http.NewRequest(method, "https://x/", nil))))
		defer a.Body.Close()
		var body bytes.Buffer
		body.ReadFrom(a.Body)
		return a.StatusCode, a.Header.Get("Location"), body.String()
	}
	for _, path := range []string{
		"/etab/1//authorize", "/etab/1/authorize/", "/etab/1/authorize//x", "/etab/1/./authorize", "/etab/1/../1/authorize", "/etab//1/authorize", "/etab/1%2fauthorize",
		"/etab/1/authorize%2f", "/etab/1/%2e%2e/1/authorize", "/etab/1/jwks/../../2/jwks", "/etab/1/jwks/", "/etab/1/jwks/x", "/etab/1/token/", "/etab/1/token/x", "/etab/1/userinfo/",
		"/etab/1/userinfo/../token", "/etab/1/logout/", "//evil.example/etab/1/authorize", "/etab/1/authorize/..%2f..%2fx", "/etab/1/authorize/%2e%2e", "/etab/1", "/etab/1x/authorize",
		"/ETAB/1/authorize", "/etab/1/Authorize", "/etab/1/static/../authorize", "/etab/1/static/%2e%2e/x", "/etab/1/.well-known/", "/etab/1/.well-known/openid-configuration/",
		"/.well-known/oauth-authorization-server/etab/1/", "/.well-known/oauth-authorization-server", "/etab/1/authorize\x7f", "/etab/1/authorize/%00", "/etab/1/upstream/../authorize",
	} {
		for _, method := range []string{"GET", "POST"} {
			status, location, _ := raw(method, path+query)
			if location != "" || status < 400 || status >= 500 {
				t.Errorf("%s %s: %d %s", method, path, status, location)
			}
		}
	}
	// The host is ours, whatever a request says.
	if _, location, _ := raw("GET", "/etab/1/authorize"+query); !strings.HasPrefix(location, back) || !strings.Contains(location, url.QueryEscape(h.config.Issuer)) {
		t.Errorf("under another host: %s", location)
	}
	if _, location, _ := raw("GET", "/etab/1/authorize?"+must(url.Parse(h.request())).RawQuery); !strings.HasPrefix(location, h.config.Issuer+"/authorize/") {
		t.Errorf("under another host: %s", location)
	}
	if _, _, text := raw("GET", "/etab/2/.well-known/openid-configuration"); strings.Contains(text, "evil.example") || !strings.Contains(text, two.config.Issuer) {
		t.Errorf("metadata under another host: %s", text)
	}
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"HEAD", "/etab/1/authorize", 405}, {"OPTIONS", "/etab/1/authorize", 405}, {"PUT", "/etab/1/authorize", 405}, {"TRACE", "/etab/1/authorize", 405},
		{"HEAD", "/etab/1/jwks", 200}, {"POST", "/etab/1/jwks", 405}, {"DELETE", "/etab/1/token", 405}, {"HEAD", "/etab/1/token", 405}, {"OPTIONS", "/etab/1/token", 405},
		{"HEAD", "/etab/1/userinfo", 405}, {"PUT", "/etab/1/logout", 405}, {"HEAD", "/etab/1/logout", 405}, {"HEAD", "/etab/1/.well-known/openid-configuration", 200},
		{"POST", "/etab/1/.well-known/openid-configuration", 405}, {"POST", "/etab/1/upstream/x/callback", 404}, {"OPTIONS", "*", 404},
	} {
		if status, location, _ := raw(c.method, c.path); status != c.status && !(c.path == "*" && status < 500) || location != "" {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, location)
		}
	}
	// Parameters that are not text, and huge ones.
	for name, changed := range map[string][]string{"a state with NUL": {"state", "a\x00b"}, "a state that is not UTF-8": {"state", "a\xffb"}, "a nonce that is not UTF-8": {"nonce", "\xc0\x80"},
		"a huge state": {"state", strings.Repeat("s", maxParameter+1)}, "a huge login_hint": {"login_hint", strings.Repeat("s", maxParameter+1)}, "a huge query": {"state", strings.Repeat("s", maxQuery)}} {
		if a := b.get(h.request(changed...)); a.StatusCode < 400 || a.Header.Get("Location") != "" {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.Header.Get("Location"))
		}
	}
	if answer := b.get(h.request("prompt", "none", "state", "é+&=%20 \U0001F600")).answered(t); answer.Get("state") != "é+&=%20 \U0001F600" {
		t.Errorf("state came back as %q", answer.Get("state"))
	}
	// What stands in the address of a form that is posted is not read.
	form := must(url.Parse(h.request("prompt", "none"))).Query()
	if answer := b.post(h.config.Issuer+"/authorize?"+parameters("client_id", "x", "redirect_uri", "https://evil.example", "state", "address").Encode(), form).answered(t); answer.Get("state") != "st" {
		t.Errorf("%v", answer)
	}
	form.Del("state")
	if answer := b.post(h.config.Issuer+"/authorize?state=address", form).answered(t); answer.Get("state") != "" {
		t.Errorf("%v", answer)
	}
}

// TestO8Exchange: a token that is read before a session ends is exchanged for nothing after.
func TestO8Exchange(t *testing.T) {
	h := openHouse(t, nil, web(t))
	b := h.browser()
	_, got := h.ask("/token", redeeming(b.login(b.get(h.request()), "card", "alice").answered(t).Get("code")))
	sid, _ := h.claimsOf(got.Access)["sid"].(string)
	minter := exchangeMinter{h.Provider, &bridge.JWTs{Issuer: h.config.Issuer, Keys: h.exchangeKeys, Sign: h.exchangeSigner, Active: h.active}}
	mint := func() error {
		_, err := minter.Mint(context.WithValue(context.Background(), callKey{}, &call{}), &bridge.Token{
			Origin: &provenance{"g", &released{SID: sid}}, ID: random(), Issuer: h.config.Issuer, Confirmation: digest("certificate"), Type: bridge.AccessToken, Subject: "etab1:a1", ClientID: "web", Audience: []string{"web"}, IssuedAt: time.Now(), Expires: time.Now().Add(time.Minute), AuthTime: time.Now(), Methods: cardReferences,
		})
		return err
	}
	if err := mint(); err != nil {
		t.Fatal(err)
	}
	b.get(h.config.Issuer + "/logout?" + parameters("id_token_hint", got.ID).Encode())
	if err := mint(); !errors.Is(err, bridge.ErrToken) {
		t.Errorf("after logout: %v", err)
	}
}

// TestSlowStore: who does not wait any longer gets nothing out of a store that answers later, and what he asked for is good once.
func TestSlowStore(t *testing.T) {
	s := &slow{Store: NewMemoryStore(64<<20, nil)}
	h := openHouse(t, func(c *Config, _ *client.Options) { c.Store = s }, web(t))
	code := h.code()
	s.hold(true)
	ctx, leave := context.WithCancel(context.Background())
	r := must(http.NewRequestWithContext(ctx, http.MethodPost, h.config.Issuer+"/token", strings.NewReader(redeeming(code).Encode())))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("web", webSecret)
	done := make(chan error, 1)
	go func() {
		_, err := h.browser().client.Do(r)
		done <- err
	}()
	s.wait()
	leave()
	if err := <-done; err == nil {
		t.Error("an answer to who left")
	}
	s.hold(false)
	if status, got := h.ask("/token", redeeming(code)); status != http.StatusOK && got.Error != "invalid_grant" {
		t.Errorf("and again: %d %+v", status, got)
	}
	if status, _ := h.ask("/token", redeeming(code)); status != http.StatusBadRequest {
		t.Errorf("and a third time: %d", status)
	}
}

// A slow store answers when it is let, or with the error of a context that is over.
type slow struct {
	Store
	mu      sync.Mutex
	held    chan struct{}
	waiting chan struct{}
}

func (s *slow) hold(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on {
		s.held, s.waiting = make(chan struct{}), make(chan struct{}, 100)
		return
	}
	close(s.held)
	s.held = nil
}

func (s *slow) wait() { <-s.waiting }

func (s *slow) Get(ctx context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	held, waiting := s.held, s.waiting
	s.mu.Unlock()
	if held != nil {
		waiting <- struct{}{}
		select {
		case <-held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return s.Store.Get(ctx, key)
}
