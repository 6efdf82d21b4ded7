package federation

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/oidc/internal/strictjson"
)

// now is the instant of the tests.
var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// A world is a federation in memory: every host name leads to one TLS server, which answers as each entity would.
type world struct {
	t     *testing.T
	srv   *httptest.Server
	roots *x509.CertPool
	mu    sync.Mutex
	nodes map[string]*node
	// serve are answers by address without query that come before those of the nodes.
	serve map[string]http.HandlerFunc
	asked []string
}

// A node is one entity. What it says can be altered before and after it is signed.
type node struct {
	w        *world
	id       string
	key      *ecdsa.PrivateKey
	kid      string
	hints    []string
	metadata map[string]any
	own      map[string]any            // further claims of the configuration
	about    map[string]map[string]any // further claims about each subordinate
	// alter alters header and claims before they are signed; subject is whom they are about.
	alter func(header, claims map[string]any, subject string)
	// instead is what is served as the configuration.
	instead string
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newWorld(t *testing.T) *world {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "world"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		DNSNames: []string{"*.example.com", "*.chu.example.com", "*.evil.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, nodes: map[string]*node{}, serve: map[string]http.HandlerFunc{}, roots: x509.NewCertPool()}
	w.roots.AddCert(leaf)
	w.srv = httptest.NewUnstartedServer(w)
	w.srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	w.srv.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	w.srv.StartTLS()
	t.Cleanup(w.srv.Close)
	return w
}

func (w *world) add(id string, hints ...string) *node {
	k := newKey(w.t)
	n := &node{w: w, id: id, key: k, kid: "key of " + id, hints: hints, metadata: map[string]any{}, own: map[string]any{}, about: map[string]map[string]any{}}
	if len(w.nodes) > 0 && strings.Contains(id, "rp") {
		n.metadata["openid_relying_party"] = map[string]any{"client_name": id, "redirect_uris": []string{id + "/cb"},
			"client_registration_types": []string{"automatic"}, "token_endpoint_auth_method": "private_key_jwt",
			"grant_types": []string{"authorization_code", "implicit"}, "jwks": set(publicKey(k, "rp"))}
	} else {
		n.metadata["federation_entity"] = map[string]any{"federation_fetch_endpoint": id + "/fetch"}
	}
	w.nodes[id] = n
	for _, h := range hints {
		if up := w.nodes[h]; up != nil && up.about[id] == nil {
			up.about[id] = map[string]any{}
		}
	}
	return n
}

func publicKey(k *ecdsa.PrivateKey, kid string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.Public(), KeyID: kid, Algorithm: "ES256", Use: "sig"}
}

func set(keys ...jose.JSONWebKey) jose.JSONWebKeySet { return jose.JSONWebKeySet{Keys: keys} }

func (n *node) jwks() jose.JSONWebKeySet { return set(publicKey(n.key, n.kid)) }

func (n *node) configuration() string {
	if n.instead != "" {
		return n.instead
	}
	c := map[string]any{"iss": n.id, "sub": n.id, "iat": now.Unix() - 10, "exp": now.Unix() + 3600, "jwks": n.jwks(), "metadata": n.metadata}
	if len(n.hints) > 0 {
		c["authority_hints"] = n.hints
	}
	maps.Copy(c, n.own)
	return n.sign(typeStatement, c, n.id)
}

func (n *node) vouch(sub string) string {
	c := map[string]any{"iss": n.id, "sub": sub, "iat": now.Unix() - 10, "exp": now.Unix() + 3600}
	if below := n.w.nodes[sub]; below != nil {
		c["jwks"] = below.jwks()
	}
	maps.Copy(c, n.about[sub])
	return n.sign(typeStatement, c, sub)
}

func (n *node) sign(typ string, c map[string]any, subject string) string {
	h := map[string]any{"alg": "ES256", "typ": typ, "kid": n.kid}
	if n.alter != nil {
		n.alter(h, c, subject)
	}
	for name, v := range c {
		if v == nil {
			delete(c, name)
		}
	}
	return signed(n.w.t, h, c, n.key)
}

// signed makes a compact token by hand, so that anything can be in it. With HS256 the public key is the secret.
func signed(t testing.TB, h, c map[string]any, k *ecdsa.PrivateKey) string {
	t.Helper()
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return signedRaw(t, h, payload, k)
}

func signedRaw(t testing.TB, h map[string]any, payload []byte, k *ecdsa.PrivateKey) string {
	t.Helper()
	head, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64(head) + "." + b64(payload)
	switch h["alg"] {
	case "none":
		return input + "."
	case "HS256":
		return input + "." + b64(hmacSHA256(t, k, input))
	}
	sum := crypto.SHA256.New()
	sum.Write([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, k, sum.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	base := "https://" + host
	w.mu.Lock()
	w.asked = append(w.asked, base+r.URL.String())
	h := w.serve[base+r.URL.Path]
	w.mu.Unlock()
	if h != nil {
		h(rw, r)
		return
	}
	rw.Header().Set("Content-Type", mediaStatement)
	if id, ok := strings.CutSuffix(base+r.URL.Path, wellKnown); ok && w.nodes[id] != nil {
		_, _ = rw.Write([]byte(w.nodes[id].configuration()))
		return
	}
	if id, ok := strings.CutSuffix(base+r.URL.Path, "/fetch"); ok && w.nodes[id] != nil {
		if sub := r.URL.Query().Get("sub"); w.nodes[id].about[sub] != nil {
			_, _ = rw.Write([]byte(w.nodes[id].vouch(sub)))
			return
		}
	}
	http.NotFound(rw, r)
}

func (w *world) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.asked)
}

// resolver trusts the nodes that are named, and finds every host at the one server.
func (w *world) resolver(change func(*Config), anchors ...string) *Resolver {
	w.t.Helper()
	c := Config{Anchors: map[string]jose.JSONWebKeySet{}, Roots: w.roots, Now: func() time.Time { return now }}
	for _, a := range anchors {
		c.Anchors[a] = w.nodes[a].jwks()
	}
	if change != nil {
		change(&c)
	}
	r, err := NewResolver(c)
	if err != nil {
		w.t.Fatal(err)
	}
	tr := r.fetcher.client.Transport.(*http.Transport)
	tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, w.srv.Listener.Addr().String())
	}
	w.t.Cleanup(tr.CloseIdleConnections)
	return r
}

// The names of the world that most tests use: an anchor, two intermediates, and a relying party below them.
const (
	anchorID = "https://anchor.example.com"
	upperID  = "https://region.example.com"
	lowerID  = "https://chu.example.com/fed"
	rpID     = "https://rp.chu.example.com"
)

// line is the federation anchor → upper → lower → rp.
func line(t *testing.T) (w *world, anchor, upper, lower, rp *node) {
	w = newWorld(t)
	anchor = w.add(anchorID)
	upper = w.add(upperID, anchorID)
	lower = w.add(lowerID, upperID)
	rp = w.add(rpID, lowerID)
	return
}

func wantReason(t *testing.T, err error, want Reason) {
	t.Helper()
	if got := reasonOf(err); got != want {
		t.Fatalf("got %v (%v), want %v", got, err, want)
	}
}

func parseJSON(t testing.TB, text string) map[string]any {
	t.Helper()
	o, err := strictjson.Object([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func jsonOf(t testing.TB, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(b.Bytes())
}
