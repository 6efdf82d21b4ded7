package bridge_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/internal/judge"
	"sceau/internal/testpki"
	"sceau/oidc/bridge"
	"sceau/saml"
)

// serve starts the token endpoint over TLS. Clients are known by their certificates: registered says whose is which.
func (r *rig) serve(registered map[string]*testpki.Leaf) *httptest.Server {
	r.t.Helper()
	pki := testpki.Load()
	authenticate := func(w http.ResponseWriter, q *http.Request, form url.Values) (*bridge.Client, error) {
		c := &bridge.Client{ID: form.Get("client_id"), Rule: rule{age: 4 * time.Hour}}
		if peers := q.TLS.PeerCertificates; len(peers) > 0 {
			c.Certificate = peers[0].Raw
			for _, p := range peers[1:] {
				c.Path = append(c.Path, p.Raw)
			}
			leaf := registered[c.ID]
			c.ByCertificate = leaf != nil && bytes.Equal(leaf.DER, c.Certificate)
		}
		if registered[c.ID] == nil {
			http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
			return nil, errors.New("not known")
		}
		return c, nil
	}
	s := httptest.NewUnstartedServer(r.x.Handler(authenticate, func() time.Time { return r.now }))
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert, // who it is, package certs says
		Certificates: []tls.Certificate{{Certificate: [][]byte{pki.Server.DER}, PrivateKey: pki.Server.Key}}}
	s.EnableHTTP2 = true
	s.StartTLS()
	r.t.Cleanup(s.Close)
	return s
}

// caller is an HTTP client with a certificate; nil has none.
func caller(t testing.TB, leaf *testpki.Leaf) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	root, err := x509.ParseCertificate(testpki.Load().EHealthRoot.DER())
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(root)
	config := &tls.Config{RootCAs: roots, ServerName: "localhost"}
	if leaf != nil {
		config.Certificates = []tls.Certificate{{Certificate: [][]byte{leaf.DER}, PrivateKey: leaf.Key}}
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// An answer is what a client is told.
type answer struct {
	AccessToken string `json:"access_token"`
	IssuedType  string `json:"issued_token_type"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope"`
	Error       string `json:"error"`
	AuditID     string `json:"audit_id"`
}

func post(t testing.TB, c *http.Client, address string, form url.Values) (answer, int) {
	t.Helper()
	response, err := c.PostForm(address, form)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	octets, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.Header.Get("Cache-Control") != "no-store" || response.Header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", response.Header)
	}
	var a answer
	if err := json.Unmarshal(octets, &a); err != nil {
		t.Fatalf("%v: %s", err, octets)
	}
	return a, response.StatusCode
}

// jwks is the key set as the provider publishes it.
func (r *rig) jwks() any {
	var set jose.JSONWebKeySet
	for _, k := range r.tokens.Keys(r.now) {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Public, KeyID: k.ID, Algorithm: string(k.Algorithm), Use: "sig"})
	}
	return set
}

// verdict is what npm's jose says of a token.
type verdict struct {
	Payload map[string]any `json:"payload"`
	Header  map[string]any `json:"header"`
	Error   string         `json:"error"`
}

func verifyWithJose(t *testing.T, dir string, ask map[string]any) verdict {
	t.Helper()
	question, err := json.Marshal(ask)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(judge.Require(t, "node"), filepath.Join("testdata", "node", "verify.js"))
	command.Env = append(os.Environ(), "BRIDGE_MODULES="+dir)
	command.Stdin = bytes.NewReader(question)
	out, err := command.Output()
	if err != nil {
		t.Fatalf("node: %v", err)
	}
	var v verdict
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return v
}

// TestOverTLS: both directions over real TLS. What the client gets, it can use over a connection with the same certificate, and over no other;
// npm's jose verifies the token, xmlsec1 the assertion.
func TestOverTLS(t *testing.T) {
	pki := testpki.Load()
	dir := judge.NodeModules(t, filepath.Join("testdata", "node"))
	for name, key := range map[string]bridge.SigningKey{
		"ES256": {ID: "ec", Algorithm: jose.ES256, Key: pki.STSP256.Key}, "RS256": {ID: "rsa", Algorithm: jose.RS256, Key: pki.STS.Key},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.tokens.Sign = func(time.Time) (bridge.SigningKey, error) { return key, nil }
			server := r.serve(map[string]*testpki.Leaf{client: r.holder, "thief": &pki.BobEHealth})
			own, thief, nobody := caller(t, r.holder), caller(t, &pki.BobEHealth), caller(t, nil)

			// SAML → JWT
			f := r.samlForm(r.assertion(nil), "client_id", client, "scope", "records identity")
			token, status := post(t, own, server.URL, f)
			if status != 200 || token.IssuedType != bridge.AccessToken.String() || token.TokenType != "Bearer" || token.ExpiresIn != 40*60 || token.Scope != "records identity" {
				t.Fatalf("%d %+v", status, token)
			}
			ask := map[string]any{"token": token.AccessToken, "jwks": r.jwks(), "issuer": opIssuer, "audience": records, "typ": "at+jwt",
				"now": now.Format(time.RFC3339), "thumbprint": bridge.Thumbprint(r.holder.DER)}
			said := verifyWithJose(t, dir, ask)
			if said.Error != "" || said.Payload["sub"] != personSub || said.Payload["ssin"] != testpki.AliceSSIN || said.Payload["client_id"] != client ||
				said.Header["alg"] != name || said.Header["kid"] != key.ID || said.Header["typ"] != "at+jwt" || len(said.Header) != 3 {
				t.Errorf("jose: %+v", said)
			}
			t.Logf("jose: %v %v", said.Header, said.Payload)
			for what, v := range map[string]any{"token": token.AccessToken[:len(token.AccessToken)-4] + "AAAA", "audience": "https://other.example", "issuer": psc,
				"thumbprint": bridge.Thumbprint(pki.BobEHealth.DER), "typ": "JWT", "now": now.Add(time.Hour).Format(time.RFC3339)} {
				other := map[string]any{}
				for k := range ask {
					other[k] = ask[k]
				}
				other[what] = v
				if got := verifyWithJose(t, dir, other); got.Error == "" {
					t.Errorf("jose takes it with another %s", what)
				}
			}

			// JWT → SAML
			r.now = now.Add(time.Minute)
			f = r.tokenForm(token.AccessToken, "client_id", client, "requested_token_type", bridge.SAML1.String())
			assertion, status := post(t, own, server.URL, f)
			if status != 200 || assertion.IssuedType != bridge.SAML1.String() || assertion.TokenType != "N_A" || assertion.ExpiresIn != 39*60 {
				t.Fatalf("%d %+v", status, assertion)
			}
			_, octets := r.assertionOf(&bridge.Result{Token: assertion.AccessToken})
			judge.SAML11(t, octets)
			public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pki.STS.X509().RawSubjectPublicKeyInfo})
			ids := []judge.ID{{Attribute: "AssertionID", Namespace: saml.NamespaceAssertion, Element: "Assertion"}}
			if got := judge.VerifyXMLSec(t, public, ids, "", [][]byte{octets}); !got[0] {
				t.Error("xmlsec1 does not verify the assertion")
			}

			// The same over other connections.
			stolen := map[string]url.Values{"assertion": r.samlForm(r.assertion(nil)), "token": r.tokenForm(token.AccessToken)}
			for what, f := range stolen {
				f.Set("client_id", "thief")
				if a, status := post(t, thief, server.URL, f); status != 400 || a.Error != "invalid_request" || a.AuditID != r.last().ID.String() || r.last().Reason != bridge.HolderMismatch {
					t.Errorf("stolen %s: %d %+v", what, status, a)
				}
				f.Set("client_id", client)
				if a, status := post(t, nobody, server.URL, f); status != 401 || a.Error != "invalid_client" || r.last().Reason != bridge.NoCertificate {
					t.Errorf("stolen %s without certificate: %d %+v", what, status, a)
				}
			}

			// Pro Santé Connect
			f = r.tokenForm(opaque(psc), "client_id", client, "scope", "records")
			if a, status := post(t, own, server.URL, f); status != 200 || a.ExpiresIn != 3600 {
				t.Errorf("%d %+v", status, a)
			}
			if a, status := post(t, own, server.URL, f); status != 400 || a.Error != "invalid_request" || r.last().Reason != bridge.AlreadyExchanged {
				t.Errorf("again: %d %+v", status, a)
			}
		})
	}
}

// TestHandler: what HTTP refuses before anything is read of it.
func TestHandler(t *testing.T) {
	r := newRig(t)
	h := r.x.Handler(func(http.ResponseWriter, *http.Request, url.Values) (*bridge.Client, error) { return r.client(), nil }, func() time.Time { return now })
	good := r.samlForm(r.assertion(nil))
	const media = "application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		method, target, media, body string
		status                      int
		code                        string
	}{
		"GET":              {"GET", "/", media, "", 405, "invalid_request"},
		"in the query":     {"POST", "/?" + good.Encode(), media, "", 400, "invalid_request"},
		"beside the body":  {"POST", "/?audience=x", media, good.Encode(), 400, "invalid_request"},
		"JSON":             {"POST", "/", "application/json", "{}", 400, "invalid_request"},
		"no media type":    {"POST", "/", "", good.Encode(), 400, "invalid_request"},
		"a broken escape":  {"POST", "/", media, "grant_type=%zz", 400, "invalid_request"},
		"a semicolon":      {"POST", "/", media, "grant_type=x;subject_token=y", 400, "invalid_request"},
		"too large":        {"POST", "/", media, "x=" + strings.Repeat("y", 300<<10), 413, "invalid_request"},
		"another grant":    {"POST", "/", media, "grant_type=password", 400, "unsupported_grant_type"},
		"no grant":         {"POST", "/", media, "subject_token=x", 400, "unsupported_grant_type"},
		"two grants":       {"POST", "/", media, good.Encode() + "&grant_type=password", 400, "unsupported_grant_type"},
		"nothing else":     {"POST", "/", media, url.Values{"grant_type": {bridge.GrantType}}.Encode(), 400, "invalid_request"},
		"with a parameter": {"POST", "/", media + "; charset=UTF-8", good.Encode(), 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			q := httptest.NewRequest(c.method, c.target, strings.NewReader(c.body))
			if c.media != "" {
				q.Header.Set("Content-Type", c.media)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, q)
			var a answer
			if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != c.status || a.Error != c.code || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%d %s (%v)", w.Code, w.Body, err)
			}
		})
	}
}

// TestStrangersLearnNothing (H7): what a stranger is told of an assertion that does not hold is the same whatever is wrong with it.
func TestStrangersLearnNothing(t *testing.T) {
	r := newRig(t)
	var told []string
	for _, f := range []url.Values{
		r.samlForm(r.assertion(func(i *saml.Issue) { i.Issuer = "x" })),
		r.samlForm(r.assertion(func(i *saml.Issue) { i.NotOnOrAfter = now })),
		r.samlForm(bytes.Replace(r.assertion(nil), []byte("true"), []byte("fals"), 1)),
		r.samlForm(r.assertion(func(i *saml.Issue) { i.Attributes[0].Values = []string{testpki.BobSSIN} })),
		r.tokenForm("x"),
	} {
		_, err := r.exchange(f)
		failure, status := bridge.FailureOf(err)
		failure.AuditID = ""
		text, _ := json.Marshal(failure)
		told = append(told, string(text)+http.StatusText(status))
	}
	if len(slices.Compact(told)) != 1 || told[0] != `{"error":"invalid_request"}Bad Request` {
		t.Errorf("%q", told)
	}
}
