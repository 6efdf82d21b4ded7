package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/internal/testpki"
	"sceau/oidc/client"
)

// A keyServer has the keys of a client at https://127.0.0.1.
type keyServer struct {
	server *httptest.Server
	asked  atomic.Int64
	answer atomic.Pointer[http.HandlerFunc]
}

func newKeyServer(tb testing.TB) *keyServer {
	tb.Helper()
	pki := testpki.Load()
	s := &keyServer{}
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		(*s.answer.Load())(w, r)
	}))
	s.server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{pki.Server.DER}, PrivateKey: pki.Server.Key}}}
	s.server.StartTLS()
	tb.Cleanup(s.server.Close)
	return s
}

func (s *keyServer) serves(set client.KeySet) {
	s.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		io.WriteString(w, string(set))
	})
}

func (s *keyServer) answers(h http.HandlerFunc) { s.answer.Store(&h) }

func (s *keyServer) registration() client.Registration {
	return registration("app", client.PrivateKeyJWT, func(r *client.Registration) { r.JWKSURI = s.server.URL + "/keys" })
}

// http gives a client with the roots of the test and what is allowed.
func guarded(tb testing.TB, allow ...string) *http.Client {
	tb.Helper()
	root, err := x509.ParseCertificate(testpki.Load().EHealthRoot.DER())
	if err != nil {
		tb.Fatal(err)
	}
	g := client.Guard{TLS: &tls.Config{RootCAs: x509.NewCertPool()}}
	g.TLS.RootCAs.AddCert(root)
	for _, a := range allow {
		g.Allow = append(g.Allow, netip.MustParsePrefix(a))
	}
	c := client.NewHTTPClient(g)
	tb.Cleanup(c.CloseIdleConnections)
	return c
}

// TestFetchedKeys: keys at an address of the client: kept, fetched anew for an unknown kid at most once in a pause, not kept for
// ever, and not lost when the address fails meanwhile.
func TestFetchedKeys(t *testing.T) {
	pki := testpki.Load()
	first, second := pki.AliceEIDP256.Key, pki.OtherKeyP256()
	s := newKeyServer(t)
	at := testpki.Now()
	o := options()
	o.Now = func() time.Time { return at }
	o.HTTP = guarded(t, "127.0.0.0/8")
	r := registry(t, o, s.registration())
	broken := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusBadGateway) }
	one, both := keySet(t, jwk(t, first, "1")), keySet(t, jwk(t, first, "1"), jwk(t, second, "2"))
	present := func(kid string) string {
		key := first
		if kid == "2" {
			key = second
		}
		assertion := sign(t, key, "ES256", `{"alg":"ES256","kid":"`+kid+`"}`, claims(t, map[string]any{"exp": at.Unix() + 60, "iat": nil, "nbf": nil}))
		return authenticate(t, r, post("client_assertion_type", assertionType, "client_assertion", assertion), client.Token)
	}
	const ok, unknown, unavailable = "app by private_key_jwt", "unknown key, invalid_client", "unavailable, temporarily_unavailable"
	s.answers(broken)
	for i, step := range []struct {
		after time.Duration
		serve client.KeySet // empty: as before; "down": it is
		kid   string
		want  string
		asked int64 // fetches so far
	}{
		{0, "", "1", unavailable, 1},
		{time.Second, one, "1", unavailable, 1}, // a moment ago
		{time.Minute, "", "1", ok, 2},
		{time.Second, "", "1", ok, 2},
		{time.Second, both, "2", unknown, 2}, // within the pause
		{time.Minute, "", "2", ok, 3},
		{time.Second, "", "3", unknown, 3},
		{time.Minute, "", "3", unknown, 4},
		{time.Second, "", "4", unknown, 4},
		{time.Minute, "down", "4", unknown, 5},
		{time.Minute, "", "1", ok, 5},              // what is kept is kept
		{11 * time.Minute, "", "1", ok, 5},         //
		{3 * time.Minute, "", "1", unavailable, 6}, // but not for ever
		{time.Minute, one, "2", unknown, 7},        // a key that was taken out
		{time.Second, "", "1", ok, 7},
	} {
		at = at.Add(step.after)
		switch step.serve {
		case "":
		case "down":
			s.answers(broken)
		default:
			s.serves(step.serve)
		}
		if got := present(step.kid); got != step.want || s.asked.Load() != step.asked {
			t.Fatalf("step %d: %s after %d fetches, want %s after %d", i, got, s.asked.Load(), step.want, step.asked)
		}
	}
	// A reload that keeps the address keeps the keys.
	if err := r.Reload([]client.Registration{s.registration()}); err != nil {
		t.Fatal(err)
	}
	if got := present("1"); got != ok || s.asked.Load() != 7 {
		t.Errorf("after a reload: %s after %d fetches", got, s.asked.Load())
	}
}

// TestFetchedKeysTogether: many who need keys at once share one fetch.
func TestFetchedKeysTogether(t *testing.T) {
	key := testpki.Load().AliceEIDP256.Key
	s := newKeyServer(t)
	s.serves(keySet(t, jwk(t, key, "1")))
	o := options()
	o.HTTP = guarded(t, "127.0.0.0/8")
	r := registry(t, o, s.registration())
	var group sync.WaitGroup
	for range 16 {
		assertion := sign(t, key, "ES256", `{"alg":"ES256","kid":"1"}`, claims(t, nil))
		group.Go(func() {
			if got := authenticate(t, r, post("client_assertion_type", assertionType, "client_assertion", assertion), client.Token); got != "app by private_key_jwt" {
				t.Error(got)
			}
		})
	}
	group.Wait()
	if n := s.asked.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

// TestFetchedKeysRefused: answers that are no key set of a client.
func TestFetchedKeysRefused(t *testing.T) {
	pki := testpki.Load()
	key := pki.AliceEIDP256.Key
	good := keySet(t, jwk(t, key, "1"))
	elsewhere := newKeyServer(t)
	elsewhere.serves(good)
	write := func(kind, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			io.WriteString(w, text)
		}
	}
	extended := func(key string) string { return strings.Replace(string(good), `{"keys":[`, `{"keys":[`+key+`,`, 1) }
	private, err := json.Marshal(jose.JSONWebKey{Key: pki.OtherKeyP256(), KeyID: "private"})
	if err != nil {
		t.Fatal(err)
	}
	var many []string
	for i := range 33 {
		many = append(many, fmt.Sprintf(`{"kty":"OKP","kid":"%d"}`, i))
	}
	const ok, unavailable = "app by private_key_jwt", "unavailable, temporarily_unavailable"
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"right":                {write("application/json", string(good)), ok},
		"with a charset":       {write("application/json; charset=utf-8", string(good)), ok},
		"a key of other kinds": {write("application/json", extended(`{"kty":"OKP","crv":"Ed25519","x":"AAAA","kid":"o"}`)), ok},
		"HTML":                 {write("text/html", string(good)), unavailable},
		"no kind":              {write("", string(good)), unavailable},
		"no JSON":              {write("application/json", "<html>"), unavailable},
		"empty":                {write("application/json", ""), unavailable},
		"no key":               {write("application/json", `{"keys":[]}`), unavailable},
		"a private key":        {write("application/json", extended(string(private))), unavailable},
		"a symmetric key":      {write("application/json", extended(`{"kty":"oct","k":"AAAA"}`)), unavailable},
		"a weak key":           {write("application/json", extended(`{"kty":"RSA","n":"AQAB","e":"AQAB"}`)), unavailable},
		"many keys":            {write("application/json", extended(strings.Join(many, ","))), unavailable},
		"large":                {write("application/json", string(good)+strings.Repeat(" ", 64<<10)), unavailable},
		"an error": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusInternalServerError)
			io.WriteString(w, string(good))
		}, unavailable},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.server.URL+"/keys", http.StatusFound)
		}, unavailable},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "100000")
			io.WriteString(w, string(good))
		}, unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s := newKeyServer(t)
			s.answers(c.answer)
			o := options()
			o.HTTP = guarded(t, "127.0.0.0/8")
			r := registry(t, o, s.registration())
			assertion := sign(t, key, "ES256", `{"alg":"ES256","kid":"1"}`, claims(t, nil))
			if got := authenticate(t, r, post("client_assertion_type", assertionType, "client_assertion", assertion), client.Token); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
	if elsewhere.asked.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

// TestFetchedKeysSlow: an address that does not answer costs the time of a fetch and no more.
func TestFetchedKeysSlow(t *testing.T) {
	s := newKeyServer(t)
	done := make(chan struct{})
	s.answers(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-done:
		case <-r.Context().Done():
		}
	})
	defer close(done)
	o := options()
	o.HTTP = guarded(t, "127.0.0.0/8")
	o.KeysTimeout = 50 * time.Millisecond
	r := registry(t, o, s.registration())
	assertion := sign(t, testpki.Load().AliceEIDP256.Key, "ES256", `{"alg":"ES256","kid":"1"}`, claims(t, nil))
	if got := authenticate(t, r, post("client_assertion_type", assertionType, "client_assertion", assertion), client.Token); got != "unavailable, temporarily_unavailable" {
		t.Error(got)
	}
}

// TestO5Guard: by default nothing of this machine or of the network of the establishment is contacted, by whichever name; nor is
// anything in the clear.
func TestO5Guard(t *testing.T) {
	s := newKeyServer(t)
	s.serves(keySet(t, jwk(t, testpki.Load().AliceEIDP256.Key, "1")))
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("contacted in the clear") }))
	defer plain.Close()
	port := s.server.URL[strings.LastIndexByte(s.server.URL, ':'):]
	for _, c := range []struct {
		allow, url string
		want       bool
	}{
		{"127.0.0.0/8", s.server.URL, true},
		{"127.0.0.0/8", "https://localhost" + port, true},
		{"127.0.0.0/8", plain.URL, false},
		{"10.0.0.0/8", s.server.URL, false},
		{"10.0.0.0/8", "https://localhost" + port, false},
		{"10.0.0.0/8", "https://[::ffff:127.0.0.1]" + port, false},
		{"10.0.0.0/8", "https://0.0.0.0" + port, false},
		{"10.0.0.0/8", "https://2130706433" + port, false},
		{"10.0.0.0/8", "https://169.254.169.254/latest/meta-data", false},
	} {
		request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		before := s.asked.Load()
		response, err := guarded(t, c.allow).Do(request)
		if err == nil {
			response.Body.Close()
		}
		if (err == nil) != c.want || (s.asked.Load() != before) != c.want {
			t.Errorf("%s with %s: %v", c.url, c.allow, err)
		}
	}
	// A client whose keys lie there is refused, and the address is not contacted.
	o := options()
	o.HTTP = guarded(t)
	r := registry(t, o, s.registration())
	before := s.asked.Load()
	assertion := sign(t, testpki.Load().AliceEIDP256.Key, "ES256", `{"alg":"ES256","kid":"1"}`, claims(t, nil))
	if got := authenticate(t, r, post("client_assertion_type", assertionType, "client_assertion", assertion), client.Token); got != "unavailable, temporarily_unavailable" || s.asked.Load() != before {
		t.Error(got)
	}
}

// TestKeys: the keys for what a client signs beside assertions. One for encryption, or of another algorithm, would verify what it was
// never given out for; and without a bound a stranger would have 32 signatures verified for one token of his.
func TestKeys(t *testing.T) {
	pki := testpki.Load()
	s := newKeyServer(t)
	s.serves(keySet(t, jwk(t, pki.AliceEIDP256.Key, "1")))
	o := options()
	o.HTTP = guarded(t, "127.0.0.0/8")
	use := func(u string) func(*jose.JSONWebKey) { return func(k *jose.JSONWebKey) { k.Use = u } }
	var many []jose.JSONWebKey
	for i := range 5 {
		many = append(many, jwk(t, pki.OtherKeyP256(), fmt.Sprint(i)))
	}
	r := registry(t, o, s.registration(), registration("none", client.None),
		registration("inline", client.PrivateKeyJWT, withKeys(keySet(t, jwk(t, pki.OtherKeyP256(), "in"), jwk(t, pki.AliceEIDP256.Key, "enc", use("enc")),
			jwk(t, pki.AliceEIDP256.Key, "any", use("")), jwk(t, pki.AliceEIDP256.Key, "other", func(k *jose.JSONWebKey) { k.Algorithm = "ES512" })))),
		registration("many", client.PrivateKeyJWT, withKeys(keySet(t, many...))))
	for _, c := range []struct{ id, algorithm, kid, want string }{
		{"app", "ES256", "", "1"}, {"app", "ES256", "1", "1"}, {"app", "ES256", "2", ""}, {"none", "ES256", "", "error"},
		{"inline", "ES256", "", "in any"}, {"inline", "ES256", "in", "in"}, {"inline", "ES256", "enc", ""}, {"inline", "ES256", "other", ""},
		{"inline", "RS256", "", ""}, {"inline", "ES384", "in", ""}, {"inline", "", "", ""}, {"inline", "none", "in", ""}, {"inline", "HS256", "in", ""},
		{"many", "ES256", "", "error"}, {"many", "ES256", "3", "3"},
	} {
		keys, err := r.Keys(context.Background(), r.Client(c.id), c.algorithm, c.kid)
		var all []string
		for _, k := range keys {
			if !k.IsPublic() {
				t.Error("a private key")
			}
			all = append(all, k.KeyID)
		}
		if err != nil {
			all = []string{"error"}
		}
		if got := strings.Join(all, " "); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	old := r.Client("inline")
	if err := r.Reload(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Keys(context.Background(), old, "ES256", ""); err == nil {
		t.Error("keys of a client that is registered no more")
	}
}
