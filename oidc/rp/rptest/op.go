// Package rptest is an OpenID provider for tests of relying parties: TLS on loopback under names of one's own, whatever they are,
// split over several hosts if need be; honest unless a test makes it lie. Nobody in it exists.
//
//	op := rptest.New(t, rptest.Config{})     // listens; ends with the test
//	op.Roots, op.Dial                        // how a relying party reaches it, and it alone
//	op.Authorize(t, url)                     // the browser: gives the query with which it comes back
//	op.Lies.IDToken = func(c Members) { c["nonce"] = "another" }
package rptest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// Members are the members of a JSON object.
type Members map[string]any

// Config says what the provider is. Empty fields are filled.
type Config struct {
	Issuer        string // "https://op.example/realm"
	Authorization string // the address of its authorization endpoint, on whatever host; below Issuer
	Discovery     string // the path of the discovery document below Issuer
	ClientID      string // "client"
	Secret        string // demanded, by Basic or in the form, unless it is empty
	Certificate   bool   // a client certificate is demanded at token, userinfo and CIBA endpoints
	Algorithm     jose.SignatureAlgorithm
	Subject       string
	Claims        Members // of the person, in userinfo and nowhere else
	SignUserInfo  bool
	ResponseIss   bool // RFC 9207
	Clock         func() time.Time
}

// Lies are what a hostile provider does otherwise. They are set before it is asked.
type Lies struct {
	Response  func(url.Values)          // what the browser brings back
	IDToken   func(Members)             // claims, before they are signed
	Sign      func(Members) string      // makes the ID token
	Token     func(Members)             // the answer of the token endpoint
	UserInfo  func(Members)             // claims of userinfo
	Keys      func(*jose.JSONWebKeySet) // the key set
	Discovery func(Members)
	Instead   map[string]http.HandlerFunc // by the last element of the path: answers in the place of
}

// OP is the provider.
type OP struct {
	Config
	Lies  Lies
	Roots *x509.CertPool
	Dial  func(ctx context.Context, network, address string) (net.Conn, error)
	RSA   *rsa.PrivateKey
	EC    *ecdsa.PrivateKey
	KeyID string

	mu     sync.Mutex
	grants map[string]grant
	asked  map[string]int
	Seen   Seen
}

// Reached says whether a host was asked. Unlike Seen it may be called while an answer is under way.
func (op *OP) Reached(host string) bool {
	op.mu.Lock()
	defer op.mu.Unlock()
	return op.Seen.Hosts[host]
}

// Seen is what the provider saw last.
type Seen struct {
	Authorization url.Values // the request of the browser
	Host          string     // to which it came
	Token         url.Values // the form at the token endpoint
	Backchannel   url.Values // the form of CIBA
	Basic         bool
	Certificate   *x509.Certificate // at the token endpoint
	UserInfoToken string
	Hosts         map[string]bool // that were asked for anything
}

type grant struct{ challenge, nonce, redirect string }

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// Now is the clock of the provider, and of those who ask it, where no other is said.
func Now() time.Time { return testpki.Now() }

// New starts a provider.
func New(t testing.TB, c Config) *OP {
	t.Helper()
	fill := func(s *string, otherwise string) {
		if *s == "" {
			*s = otherwise
		}
	}
	fill(&c.Issuer, "https://op.example/realm")
	fill(&c.Authorization, c.Issuer+"/authorize")
	fill(&c.Discovery, "/.well-known/openid-configuration")
	fill(&c.ClientID, "client")
	fill(&c.Subject, "f:0b7c:somebody")
	fill((*string)(&c.Algorithm), string(jose.RS256))
	if c.Clock == nil {
		c.Clock = Now
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	op := &OP{Config: c, RSA: rsaKey(), EC: ec, KeyID: "key-1", grants: map[string]grant{}, asked: map[string]int{}, Roots: x509.NewCertPool()}
	op.Seen.Hosts = map[string]bool{}
	pki := testpki.Load()
	op.Roots.AddCert(must(x509.ParseCertificate(pki.EHealthRoot.DER())))
	hosts := map[string]bool{}
	for _, address := range []string{c.Issuer, c.Authorization} {
		hosts[must(url.Parse(address)).Hostname()] = true
	}
	template := minipki.TLSServer("localhost")
	for host := range hosts {
		template.DNSNames = append(template.DNSNames, host)
	}
	der, err := pki.EHealthRoot.Issue(template, ec.Public())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(op.serve))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: ec}}, ClientAuth: tls.RequestClientCert, Time: c.Clock}
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(server.Close)
	address := server.Listener.Addr().String()
	op.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return op
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Asked says how often an endpoint was asked, by the last element of its path.
func (op *OP) Asked(endpoint string) int {
	op.mu.Lock()
	defer op.mu.Unlock()
	return op.asked[endpoint]
}

// Browser gives a client that follows no redirect and reaches the provider alone.
func (op *OP) Browser() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: op.Dial, TLSClientConfig: &tls.Config{RootCAs: op.Roots, Time: op.Clock, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}}
}

// Authorize is the person, who agrees: it follows the address and gives the query with which the browser comes back.
func (op *OP) Authorize(t testing.TB, address string) url.Values {
	t.Helper()
	answer, err := op.Browser().Get(address)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	back, err := answer.Location()
	if err != nil {
		t.Fatalf("%s, and no way back", answer.Status)
	}
	return back.Query()
}

func (op *OP) serve(w http.ResponseWriter, r *http.Request) {
	last := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	op.mu.Lock()
	op.asked[last]++
	op.Seen.Hosts[r.Host] = true
	op.mu.Unlock()
	if instead := op.Lies.Instead[last]; instead != nil {
		instead(w, r)
		return
	}
	issuer, authorization := must(url.Parse(op.Issuer)), must(url.Parse(op.Authorization))
	below, atIssuer := strings.CutPrefix(r.URL.Path, issuer.Path)
	atIssuer = atIssuer && r.Host == issuer.Host
	switch {
	case r.Host == authorization.Host && r.URL.Path == authorization.Path:
		op.authorize(w, r)
	case atIssuer && below == op.Discovery:
		op.discovery(w)
	case atIssuer && below == "/protocol/openid-connect/certs":
		op.keys(w)
	case atIssuer && below == "/protocol/openid-connect/token":
		op.token(w, r)
	case atIssuer && below == "/protocol/openid-connect/userinfo":
		op.userInfo(w, r)
	case atIssuer && below == "/protocol/openid-connect/ext/ciba/auth":
		op.backchannel(w, r)
	default:
		http.NotFound(w, r)
	}
}

// Metadata is the discovery document.
func (op *OP) Metadata() Members {
	base := op.Issuer + "/protocol/openid-connect/"
	m := Members{"issuer": op.Issuer, "authorization_endpoint": op.Authorization, "token_endpoint": base + "token", "userinfo_endpoint": base + "userinfo",
		"jwks_uri": base + "certs", "end_session_endpoint": base + "logout", "backchannel_authentication_endpoint": base + "ext/ciba/auth",
		"authorization_response_iss_parameter_supported": op.ResponseIss, "code_challenge_methods_supported": []string{"S256"}}
	if op.Lies.Discovery != nil {
		op.Lies.Discovery(m)
	}
	return m
}

func (op *OP) discovery(w http.ResponseWriter) { reply(w, http.StatusOK, op.Metadata()) }

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (op *OP) keys(w http.ResponseWriter) {
	set := &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: op.EC.Public(), KeyID: op.KeyID, Use: "sig"}, {Key: op.RSA.Public(), KeyID: op.KeyID, Use: "sig"}}}
	if op.Lies.Keys != nil {
		op.Lies.Keys(set)
	}
	reply(w, http.StatusOK, set)
}

func (op *OP) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back := must(url.Parse(q.Get("redirect_uri")))
	code := rand.Text()
	op.mu.Lock()
	op.Seen.Authorization, op.Seen.Host = q, r.Host
	if q.Get("code_challenge_method") == "S256" {
		op.grants[code] = grant{challenge: q.Get("code_challenge"), nonce: q.Get("nonce"), redirect: q.Get("redirect_uri")}
	}
	op.mu.Unlock()
	response := url.Values{"code": {code}, "state": {q.Get("state")}, "session_state": {rand.Text()}}
	if op.ResponseIss {
		response.Set("iss", op.Issuer)
	}
	if op.Lies.Response != nil {
		op.Lies.Response(response)
	}
	back.RawQuery = response.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

// known says whether the client is who it says; it answers where it is not.
func (op *OP) known(w http.ResponseWriter, r *http.Request) bool {
	user, password, basic := r.BasicAuth()
	if !basic {
		user, password = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	} else {
		user, password = must(url.QueryUnescape(user)), must(url.QueryUnescape(password))
	}
	assertion := r.PostForm.Get("client_assertion")
	op.mu.Lock()
	op.Seen.Basic = basic
	if op.Seen.Certificate = nil; len(r.TLS.PeerCertificates) > 0 {
		op.Seen.Certificate = r.TLS.PeerCertificates[0]
	}
	certificate := op.Seen.Certificate
	op.mu.Unlock()
	if assertion == "" && (user != op.ClientID || password != op.Secret) || op.Certificate && certificate == nil {
		reply(w, http.StatusUnauthorized, Members{"error": "invalid_client", "error_description": "a text that repeats " + password})
		return false
	}
	return true
}

func (op *OP) token(w http.ResponseWriter, r *http.Request) {
	if r.ParseForm() != nil || !op.known(w, r) {
		return
	}
	op.mu.Lock()
	op.Seen.Token = maps.Clone(r.PostForm)
	g, ok := op.grants[r.PostForm.Get("code")]
	delete(op.grants, r.PostForm.Get("code"))
	op.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	switch kind := r.PostForm.Get("grant_type"); {
	case kind == "authorization_code" && ok && g.redirect == r.PostForm.Get("redirect_uri") && g.challenge == base64.RawURLEncoding.EncodeToString(sum[:]):
	case kind == "refresh_token" && strings.HasPrefix(r.PostForm.Get("refresh_token"), "refresh-"), kind == "urn:openid:params:grant-type:ciba":
	default:
		reply(w, http.StatusBadRequest, Members{"error": "invalid_grant", "error_description": "a text"})
		return
	}
	access := "access-" + rand.Text()
	answer := Members{"access_token": access, "token_type": "Bearer", "expires_in": 120, "refresh_token": "refresh-" + rand.Text(),
		"id_token": op.IDToken(g.nonce, access)}
	if op.Lies.Token != nil {
		op.Lies.Token(answer)
	}
	reply(w, http.StatusOK, answer)
}

// IDToken makes an ID token, with what lies there are.
func (op *OP) IDToken(nonce, access string) string {
	sum := sha256.Sum256([]byte(access))
	now := op.Clock()
	claims := Members{"iss": op.Issuer, "sub": op.Subject, "aud": op.ClientID, "azp": op.ClientID, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
		"auth_time": now.Add(-time.Minute).Unix(), "acr": "eidas1", "amr": []string{"sc", "pin", "mfa", "hwk"}, "sid": "session-1", "typ": "ID",
		"at_hash": base64.RawURLEncoding.EncodeToString(sum[:16])}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if op.Lies.IDToken != nil {
		op.Lies.IDToken(claims)
	}
	if op.Lies.Sign != nil {
		return op.Lies.Sign(claims)
	}
	return op.Sign(claims, nil)
}

// Key gives the key of an algorithm.
func (op *OP) Key(algorithm jose.SignatureAlgorithm) crypto.Signer {
	if algorithm == jose.ES256 {
		return op.EC
	}
	return op.RSA
}

// Sign signs claims as the provider does, with members of the header beside.
func (op *OP) Sign(claims Members, header map[jose.HeaderKey]any) string {
	return SignWith(op.Algorithm, op.Key(op.Algorithm), claims, header, op.KeyID)
}

// SignWith signs claims with a key.
func SignWith(algorithm jose.SignatureAlgorithm, key any, claims any, header map[jose.HeaderKey]any, kid string) string {
	all := map[jose.HeaderKey]any{"typ": "JWT"}
	if kid != "" {
		all["kid"] = kid
	}
	maps.Copy(all, header)
	s := must(jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, &jose.SignerOptions{ExtraHeaders: all}))
	return must(must(s.Sign(must(json.Marshal(claims)))).CompactSerialize())
}

func (op *OP) userInfo(w http.ResponseWriter, r *http.Request) {
	if op.Certificate && len(r.TLS.PeerCertificates) == 0 {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	op.mu.Lock()
	op.Seen.UserInfoToken = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	op.mu.Unlock()
	if !strings.HasPrefix(op.Seen.UserInfoToken, "access-") {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	claims := Members{"sub": op.Subject}
	maps.Copy(claims, op.Claims)
	if op.SignUserInfo {
		claims["iss"], claims["aud"] = op.Issuer, op.ClientID
	}
	if op.Lies.UserInfo != nil {
		op.Lies.UserInfo(claims)
	}
	if op.SignUserInfo {
		w.Header().Set("Content-Type", "application/jwt")
		_, _ = w.Write([]byte(op.Sign(claims, nil)))
		return
	}
	reply(w, http.StatusOK, claims)
}

func (op *OP) backchannel(w http.ResponseWriter, r *http.Request) {
	if r.ParseForm() != nil || !op.known(w, r) {
		return
	}
	op.mu.Lock()
	op.Seen.Backchannel = maps.Clone(r.PostForm)
	op.mu.Unlock()
	reply(w, http.StatusOK, Members{"auth_req_id": rand.Text(), "expires_in": 120, "interval": 1})
}
