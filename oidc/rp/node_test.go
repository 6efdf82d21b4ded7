package rp_test

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"html"
	"io"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/internal/judge"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
	"sceau/oidc/rp"
	"sceau/oidc/rp/rptest"
)

// nodePatience is how long the provider may take to begin on a busy machine.
const nodePatience = 2 * time.Minute

// certified is npm's oidc-provider at work.
type certified struct {
	issuer string
	roots  *x509.CertPool
	in     io.Writer
	lines  chan string
}

func startCertified(t *testing.T, settings rptest.Members) *certified {
	t.Helper()
	node := judge.Require(t, "node")
	modules := judge.NodeModules(t, filepath.Join("testdata", "node"))
	pki := testpki.Load()
	authorities := string(minipki.CertificatePEM(pki.EHealthRoot.DER())) + string(minipki.CertificatePEM(pki.EHealthCA.DER()))
	settings["certificate"], settings["key"], settings["authorities"] = string(pki.Server.CertificatePEM()), string(pki.Server.KeyPEM()), authorities
	command := exec.Command(node, filepath.Join("testdata", "node", "provider.js"))
	command.Env = append(os.Environ(), "PROVIDER_MODULES="+modules, "NODE_EXTRA_CA_CERTS="+file(t, minipki.CertificatePEM(pki.EHealthRoot.DER())))
	var complaints strings.Builder
	command.Stderr = &complaints
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p := &certified{roots: x509.NewCertPool(), in: in, lines: make(chan string)}
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		in.Close()
		done := time.AfterFunc(10*time.Second, func() { _ = command.Process.Kill() })
		defer done.Stop()
		for range p.lines {
		}
		_ = command.Wait()
		if t.Failed() {
			t.Logf("the provider said: %s", complaints.String())
		}
	})
	fmt.Fprintln(in, string(text(t, settings)))
	port, ok := strings.CutPrefix(p.line(t), "listening ")
	if !ok {
		t.Fatal("it does not listen")
	}
	p.issuer = "https://127.0.0.1:" + port
	p.roots.AddCert(must(x509.ParseCertificate(pki.EHealthRoot.DER())))
	return p
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (p *certified) line(t testing.TB) string {
	t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			t.Fatal("the provider ended")
		}
		return line
	case <-time.After(nodePatience):
		t.Fatal("the provider does not answer")
	}
	return ""
}

// browser is a person with cookies, who fills in the forms of oidc-provider.
type browser struct {
	client *http.Client
	login  string
}

func (p *certified) browser(login string) *browser {
	return &browser{login: login, client: &http.Client{Jar: must(cookiejar.New(nil)),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}}}
}

var (
	action = regexp.MustCompile(`action="([^"]+)"`)
	hidden = regexp.MustCompile(`type="hidden" name="([^"]+)" value="([^"]*)"`)
	said   = regexp.MustCompile(`<pre>.*</pre>`)
	abort  = regexp.MustCompile(`href="([^"]+/abort)"`)
)

// follow goes where an address leads, until it leaves the provider: it gives the query with which it comes to us.
func (b *browser) follow(t testing.TB, address string) url.Values {
	t.Helper()
	form := url.Values(nil)
	for range 20 {
		var answer *http.Response
		var err error
		if form == nil {
			answer, err = b.client.Get(address)
		} else {
			answer, err = b.client.PostForm(address, form)
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		form = nil
		if to, err := answer.Location(); err == nil {
			if to.Host == "sceau.example" {
				return to.Query()
			}
			address = to.String()
			continue
		}
		if m := abort.FindSubmatch(body); m != nil && b.login == "" {
			address = must(answer.Request.URL.Parse(html.UnescapeString(string(m[1])))).String()
			continue
		}
		m := action.FindSubmatch(body)
		if answer.StatusCode != http.StatusOK || m == nil {
			t.Fatalf("%s: %s", answer.Status, said.FindAll(body, -1))
		}
		address = must(answer.Request.URL.Parse(html.UnescapeString(string(m[1])))).String()
		form = url.Values{"login": {b.login}, "password": {"any"}}
		for _, h := range hidden.FindAllSubmatch(body, -1) {
			form.Set(string(h[1]), html.UnescapeString(string(h[2])))
		}
		if form.Has("xsrf") { // of the logout
			form = url.Values{"xsrf": {form.Get("xsrf")}, "logout": {"yes"}}
		}
	}
	t.Fatal("no end of redirects")
	return nil
}

// clientKeys are the certificates and keys of the clients at the certified provider.
type clientKeys struct {
	issued, selfSigned tls.Certificate
	rsa                *rsa.PrivateKey
	ec                 *ecdsa.PrivateKey
}

func newClientKeys(t testing.TB) *clientKeys {
	t.Helper()
	k := &clientKeys{rsa: must(rsa.GenerateKey(rand.Reader, 2048)), ec: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	pki := testpki.Load()
	template := minipki.Template{Subject: minipki.DN("C", "FR", "O", "EXEMPLE", "CN", "sceau"), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []string{minipki.ClientAuth}}
	k.issued = tls.Certificate{Certificate: [][]byte{must(pki.EHealthCA.Issue(template, k.ec.Public())), pki.EHealthCA.DER()}, PrivateKey: k.ec}
	own := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sceau alone"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	k.selfSigned = tls.Certificate{Certificate: [][]byte{must(x509.CreateCertificate(rand.Reader, own, own, k.ec.Public(), k.ec))}, PrivateKey: k.ec}
	return k
}

func give(c tls.Certificate) func() (*tls.Certificate, error) {
	return func() (*tls.Certificate, error) { return &c, nil }
}

// TestCertifiedProvider goes the whole way at npm's oidc-provider, which is certified: PKCE always, mutual TLS and every other way to
// say who we are, each algorithm, userinfo in JSON and as JWT, refresh, logout by the browser and by the back channel, CIBA.
func TestCertifiedProvider(t *testing.T) {
	judge.Require(t, "node")
	keys := newClientKeys(t)
	set := func(key any, kid string, x5c ...[]byte) rptest.Members {
		k := jose.JSONWebKey{Key: key, KeyID: kid, Use: "sig"}
		for _, der := range x5c {
			k.Certificates = append(k.Certificates, must(x509.ParseCertificate(der)))
		}
		return rptest.Members{"keys": []jose.JSONWebKey{k}}
	}
	var mu sync.Mutex
	var receiver http.Handler
	var notices []rp.LogoutNotice
	logout := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := receiver
		mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	pki := testpki.Load()
	logout.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{pki.Server.DER}, PrivateKey: pki.Server.Key}}}
	logout.StartTLS()
	defer logout.Close()

	const back, out = "https://sceau.example/etab/1/upstream/op/callback", "https://sceau.example/out"
	secret := "a s&cret: of+50% or so?"
	client := func(id string, m rptest.Members) rptest.Members {
		all := rptest.Members{"client_id": id, "redirect_uris": []string{back}, "post_logout_redirect_uris": []string{out}, "response_types": []string{"code"},
			"grant_types": []string{"authorization_code", "refresh_token", "urn:openid:params:grant-type:ciba"}, "backchannel_token_delivery_mode": "poll",
			"backchannel_logout_uri": logout.URL + "/logout", "backchannel_logout_session_required": true, "require_auth_time": true}
		for name, value := range m {
			all[name] = value
		}
		return all
	}
	cases := []struct {
		id     string
		client rptest.Members
		change func(*rp.Config)
	}{
		{"tls", rptest.Members{"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": "CN=sceau,O=EXEMPLE,C=FR",
			"tls_client_certificate_bound_access_tokens": true, "id_token_signed_response_alg": "ES256", "userinfo_signed_response_alg": "ES256"},
			func(c *rp.Config) { c.Method, c.Certificate = rp.TLSClientAuth, give(keys.issued) }},
		{"self", rptest.Members{"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": set(keys.ec.Public(), "own", keys.selfSigned.Certificate[0]),
			"tls_client_certificate_bound_access_tokens": true, "id_token_signed_response_alg": "PS256", "userinfo_signed_response_alg": "RS256"},
			func(c *rp.Config) { c.Method, c.Certificate = rp.SelfSignedTLSClientAuth, give(keys.selfSigned) }},
		{"jwt-ps", rptest.Members{"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "PS256", "jwks": set(keys.rsa.Public(), "rsa")},
			func(c *rp.Config) {
				c.Method, c.SigningKey, c.SigningKeyID = rp.PrivateKeyJWT, crypto.Signer(keys.rsa), "rsa"
			}},
		{"jwt-es", rptest.Members{"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256", "jwks": set(keys.ec.Public(), "ec"),
			"userinfo_signed_response_alg": "PS256"},
			func(c *rp.Config) { c.Method, c.SigningKey = rp.PrivateKeyJWT, crypto.Signer(keys.ec) }},
		{"basic with a certificate", rptest.Members{"token_endpoint_auth_method": "client_secret_basic", "client_secret": secret, "tls_client_certificate_bound_access_tokens": true},
			func(c *rp.Config) {
				c.Method, c.Secret, c.Certificate = rp.ClientSecretBasic, secret, give(keys.issued)
			}},
		{"post", rptest.Members{"token_endpoint_auth_method": "client_secret_post", "client_secret": secret, "id_token_signed_response_alg": "PS256"},
			func(c *rp.Config) { c.Method, c.Secret = rp.ClientSecretPost, secret }},
		{"encrypted", rptest.Members{"token_endpoint_auth_method": "client_secret_post", "client_secret": secret, "id_token_signed_response_alg": "ES256",
			"id_token_encrypted_response_alg": "RSA-OAEP", "id_token_encrypted_response_enc": "A256GCM", "userinfo_signed_response_alg": "ES256",
			"userinfo_encrypted_response_alg": "RSA-OAEP", "userinfo_encrypted_response_enc": "A128CBC-HS256",
			"jwks": rptest.Members{"keys": []jose.JSONWebKey{{Key: keys.rsa.Public(), KeyID: "enc", Use: "enc"}}}},
			func(c *rp.Config) { c.Method, c.Secret, c.DecryptionKey = rp.ClientSecretPost, secret, keys.rsa }},
		{"eddsa", rptest.Members{"token_endpoint_auth_method": "client_secret_post", "client_secret": secret, "id_token_signed_response_alg": "EdDSA"},
			func(c *rp.Config) { c.Method, c.Secret = rp.ClientSecretPost, secret }},
	}
	var clients []rptest.Members
	for _, c := range cases {
		clients = append(clients, client(strings.ReplaceAll(c.id, " ", "-"), c.client))
	}
	provide := func(key any, kid string) jose.JSONWebKey { return jose.JSONWebKey{Key: key, KeyID: kid, Use: "sig"} }
	claims := professional()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	op := startCertified(t, rptest.Members{"clients": clients, "claims": claims, "jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		provide(must(rsa.GenerateKey(rand.Reader, 2048)), "rsa-1"), provide(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), "ec-1"), provide(ed, "ed-1")}}})

	config := func(id string, change func(*rp.Config)) rp.Config {
		c := rp.Config{Issuer: op.issuer, ClientID: strings.ReplaceAll(id, " ", "-"), RedirectURI: back, LogoutRedirectURI: out, Scopes: []string{"scope_all"}, UserInfo: true,
			Keep: rp.KeepTokens, Roots: op.roots, RequireResponseIssuer: true, Policy: rp.Policy{MaxAge: time.Hour}}
		change(&c)
		return c
	}
	for _, tt := range cases {
		t.Run(tt.id, func(t *testing.T) {
			p := provider(t, config(tt.id, tt.change))
			b := op.browser("alix")
			f, err := p.Begin(ctx(t), rp.Request{LoginHint: "alix"})
			if err != nil {
				t.Fatal(err)
			}
			answer := b.follow(t, f.URL)
			l, err := p.Finish(ctx(t), f, answer)
			if tt.id == "eddsa" {
				refused(t, l, err, rp.BadToken, "alg")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if l.Subject != "alix" || l.Issuer != op.issuer || time.Since(l.AuthTime) > 5*time.Minute || l.SessionID == "" || answer.Get("iss") != op.issuer {
				t.Errorf("%+v", l)
			}
			s, err := rp.ParseProSante(l.Claims)
			if err != nil || s.RPPS() != "00000000001" || len(s.Practice.Professions[0].Activities) != 2 {
				t.Errorf("%+v, %v", s, err)
			}
			next, err := p.Refresh(ctx(t), l)
			if err != nil || next.Subject != "alix" || next.Tokens.Access == l.Tokens.Access {
				t.Errorf("refresh: %v", err)
			}
			// The session is there: a second login needs no form, and prompt=login one.
			f, err = p.Begin(ctx(t), rp.Request{Prompt: "none"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err = p.Finish(ctx(t), f, b.follow(t, f.URL)); err != nil {
				t.Errorf("prompt=none: %v", err)
			}
			f, err = p.Begin(ctx(t), rp.Request{Prompt: "login"})
			if err != nil {
				t.Fatal(err)
			}
			if l, err = p.Finish(ctx(t), f, b.follow(t, f.URL)); err != nil {
				t.Fatalf("prompt=login: %v", err)
			}

			mu.Lock()
			notices = nil
			receiver = p.Logouts(func(_ context.Context, n rp.LogoutNotice) error {
				mu.Lock()
				defer mu.Unlock()
				notices = append(notices, n)
				return nil
			})
			mu.Unlock()
			address, err := p.EndSession(ctx(t), rp.Logout{IDToken: l.Tokens.ID, State: "leaving"})
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Ended(b.follow(t, address), "leaving"); err != nil {
				t.Errorf("logout: %v", err)
			}
			mu.Lock()
			got := slices.Clone(notices)
			mu.Unlock()
			if !slices.Contains(got, rp.LogoutNotice{Subject: "alix", SessionID: l.SessionID}) {
				t.Errorf("back-channel logout of %s: %v", l.SessionID, got)
			}

			// A code counts once.
			f, err = p.Begin(ctx(t), rp.Request{})
			if err != nil {
				t.Fatal(err)
			}
			answer = b.follow(t, f.URL)
			if _, err := p.Finish(ctx(t), f, answer); err != nil {
				t.Fatal(err)
			}
			again, err := p.Finish(ctx(t), f, answer)
			refused(t, again, err, rp.Rejected, "invalid_grant")
		})
	}
	mtls := cases[0]
	t.Run("cancelled", func(t *testing.T) {
		p := provider(t, config(mtls.id, mtls.change))
		f, err := p.Begin(ctx(t), rp.Request{})
		if err != nil {
			t.Fatal(err)
		}
		l, err := p.Finish(ctx(t), f, op.browser("").follow(t, f.URL))
		refused(t, l, err, rp.Denied, "access_denied")
	})
	t.Run("nobody is logged in", func(t *testing.T) {
		p := provider(t, config(mtls.id, mtls.change))
		f, err := p.Begin(ctx(t), rp.Request{Prompt: "none"})
		if err != nil {
			t.Fatal(err)
		}
		l, err := p.Finish(ctx(t), f, op.browser("alix").follow(t, f.URL))
		refused(t, l, err, rp.Unmet, "login_required")
	})
	t.Run("PKCE", func(t *testing.T) {
		p := provider(t, config(mtls.id, mtls.change))
		f, err := p.Begin(ctx(t), rp.Request{})
		if err != nil {
			t.Fatal(err)
		}
		answer := op.browser("alix").follow(t, f.URL)
		f.Verifier = "a-verifier-of-somebody-else-who-injects-a-code"
		l, err := p.Finish(ctx(t), f, answer)
		refused(t, l, err, rp.Rejected, "invalid_grant")
	})
	for name, change := range map[string]func(*rp.Config){
		"the certificate of another":     func(c *rp.Config) { c.Method, c.Certificate = rp.TLSClientAuth, certificate(pki.Hospital) },
		"a certificate of no authority":  func(c *rp.Config) { c.Method, c.Certificate = rp.TLSClientAuth, give(keys.selfSigned) },
		"a secret instead of the method": func(c *rp.Config) { c.Method, c.Secret = rp.ClientSecretPost, secret },
	} {
		t.Run(name, func(t *testing.T) {
			p := provider(t, config(mtls.id, change))
			f, err := p.Begin(ctx(t), rp.Request{})
			if err != nil {
				t.Fatal(err)
			}
			l, err := p.Finish(ctx(t), f, op.browser("alix").follow(t, f.URL))
			refused(t, l, err, rp.Rejected, "invalid_client")
		})
	}
	t.Run("CIBA", func(t *testing.T) {
		c := config(mtls.id, mtls.change)
		c.Policy = rp.Policy{ACR: []string{"eidas1"}, AMR: [][]string{{"sc", "pin"}}, RequireAuthTime: true}
		at := &clock{time.Now()}
		c.Now = at.now
		p := provider(t, c)
		for _, verdict := range []string{"confirm", "deny"} {
			b, err := p.BackchannelAuthentication(ctx(t), rp.BackchannelRequest{LoginHint: "alix", BindingMessage: "00"})
			if err != nil {
				t.Fatal(err)
			}
			at.at = b.Next
			l, err := p.Poll(ctx(t), b)
			refused(t, l, err, rp.Waiting, "authorization_pending")
			fmt.Fprintln(op.in, verdict, b.ID)
			if got := op.line(t); got != "done" {
				t.Fatal(got)
			}
			at.at = b.Next
			l, err = p.Poll(ctx(t), b)
			if verdict == "deny" {
				refused(t, l, err, rp.Denied, "access_denied")
			} else if err != nil || l.Subject != "alix" || l.ACR != "eidas1" || !slices.Equal(l.AMR, []string{"sc", "pin"}) {
				t.Errorf("%+v, %v", l, err)
			}
		}
	})
}
