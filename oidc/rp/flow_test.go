package rp_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
	"sceau/oidc/rp"
	"sceau/oidc/rp/rptest"
)

func TestLogin(t *testing.T) {
	op := rptest.New(t, rptest.Config{Secret: "s&cret é", ClientID: "a client:1", ResponseIss: true, Claims: rptest.Members{"given_name": "Alice", "acr": "eidas9", "amr": []string{"x"}}})
	c := configOf(op)
	c.Scopes, c.Parameters, c.Policy = []string{"scope_all"}, map[string]string{"kc_idp_hint": "OKTA_1"}, rp.Policy{ACR: []string{"eidas1"}, MaxAge: time.Hour}
	p := provider(t, c)
	l, err := login(t, op, p, rp.Request{LoginHint: "alice", Locales: []string{"fr", "nl"}})
	if err != nil {
		t.Fatal(err)
	}
	asked := op.Seen.Authorization
	want := url.Values{"response_type": {"code"}, "client_id": {"a client:1"}, "redirect_uri": {redirect}, "scope": {"openid scope_all"}, "acr_values": {"eidas1"},
		"max_age": {"3600"}, "login_hint": {"alice"}, "ui_locales": {"fr nl"}, "kc_idp_hint": {"OKTA_1"}, "code_challenge_method": {"S256"}}
	for name, value := range want {
		if !slices.Equal(asked[name], value) {
			t.Errorf("%s: %q", name, asked[name])
		}
	}
	if names := slices.Sorted(maps.Keys(asked)); len(names) != len(want)+3 { // state, nonce, code_challenge
		t.Errorf("asked with %v", names)
	}
	if l.Issuer != op.Issuer || l.Subject != op.Subject || l.ACR != "eidas1" || !slices.Contains(l.AMR, "sc") || l.SessionID != "session-1" ||
		!l.AuthTime.Equal(rptest.Now().Add(-time.Minute)) || l.Claims.String("given_name") != "Alice" {
		t.Errorf("%+v", l)
	}
	if l.Claims.String("acr") != "eidas1" {
		t.Error("userinfo speaks of the login")
	}
	if op.Seen.UserInfoToken != l.Tokens.Access || l.Tokens.ID == "" || l.Tokens.Refresh == "" {
		t.Errorf("%+v", op.Seen)
	}
}

// TestClientAuthentication: each method, as the provider sees it, with a certificate beside it or not.
func TestClientAuthentication(t *testing.T) {
	pki := testpki.Load()
	for name, tt := range map[string]struct {
		secret      string
		certificate bool
		change      func(*rp.Config)
		check       func(*testing.T, *rptest.OP)
	}{
		"post": {"secret", false, func(c *rp.Config) {}, func(t *testing.T, op *rptest.OP) {
			if op.Seen.Basic || op.Seen.Token.Get("client_secret") != "secret" {
				t.Error("not in the form")
			}
		}},
		"basic": {"s:é", false, func(c *rp.Config) { c.Method = rp.ClientSecretBasic }, func(t *testing.T, op *rptest.OP) {
			if !op.Seen.Basic || op.Seen.Token.Has("client_secret") {
				t.Error("not in the header alone")
			}
		}},
		"basic with a certificate": {"secret", true, func(c *rp.Config) {
			c.Method, c.Certificate = rp.ClientSecretBasic, certificate(pki.Hospital)
		}, func(t *testing.T, op *rptest.OP) {
			if !op.Seen.Basic || string(op.Seen.Certificate.Raw) != string(pki.Hospital.DER) {
				t.Error("no certificate beside the secret")
			}
		}},
		"tls_client_auth": {"", true, func(c *rp.Config) {
			s, err := certs.NewSigner(pki.Hospital.Key, [][]byte{pki.Hospital.DER, pki.EHealthCA.DER()}, rptest.Now())
			if err != nil {
				t.Fatal(err)
			}
			c.Certificate = rp.CertificateOf(s)
		}, func(t *testing.T, op *rptest.OP) {
			if op.Seen.Token.Get("client_id") != "client" || op.Seen.Token.Has("client_secret") || string(op.Seen.Certificate.Raw) != string(pki.Hospital.DER) {
				t.Error("no client_id, or no certificate")
			}
		}},
		"tls_client_auth with files": {"", true, func(c *rp.Config) {
			var err error
			if c.Certificate, err = rp.CertificateIn(file(t, pki.Hospital.CertificatePEM()), file(t, pki.Hospital.KeyPEM())); err != nil {
				t.Fatal(err)
			}
		}, func(t *testing.T, op *rptest.OP) {
			if string(op.Seen.Certificate.Raw) != string(pki.Hospital.DER) {
				t.Error("no certificate")
			}
		}},
		"private_key_jwt": {"", false, func(c *rp.Config) {
			c.Method, c.SigningKey, c.SigningKeyID, c.Certificate = rp.PrivateKeyJWT, pki.Hospital.Key, "k", nil
		}, func(t *testing.T, op *rptest.OP) { checkAssertion(t, op, jose.PS256, pki.Hospital) }},
		"private_key_jwt RS256": {"", false, func(c *rp.Config) {
			c.Method, c.SigningKey, c.SigningAlgorithm, c.Certificate = rp.PrivateKeyJWT, pki.Hospital.Key, "RS256", nil
		}, func(t *testing.T, op *rptest.OP) { checkAssertion(t, op, jose.RS256, pki.Hospital) }},
		"private_key_jwt ES256": {"", false, func(c *rp.Config) {
			c.Method, c.SigningKey, c.Certificate = rp.PrivateKeyJWT, pki.AliceEHealthP256.Key, nil
		}, func(t *testing.T, op *rptest.OP) { checkAssertion(t, op, jose.ES256, pki.AliceEHealthP256) }},
	} {
		t.Run(name, func(t *testing.T) {
			op := rptest.New(t, rptest.Config{Secret: tt.secret, Certificate: tt.certificate})
			c := configOf(op)
			tt.change(&c)
			if _, err := login(t, op, provider(t, c), rp.Request{}); err != nil {
				t.Fatal(err)
			}
			tt.check(t, op)
		})
	}
}

func checkAssertion(t *testing.T, op *rptest.OP, algorithm jose.SignatureAlgorithm, by testpki.Leaf) {
	t.Helper()
	form := op.Seen.Token
	if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || form.Get("client_id") != "client" || form.Has("client_secret") {
		t.Errorf("%v", form)
	}
	s, err := jose.ParseSignedCompact(form.Get("client_assertion"), []jose.SignatureAlgorithm{algorithm})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := s.Verify(by.Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if algorithm == jose.PS256 { // RFC 7518 3.5: the salt is as long as the hash
		signed, signature, _ := cutLast(form.Get("client_assertion"))
		digest := sha256.Sum256([]byte(signed))
		octets, err := base64.RawURLEncoding.DecodeString(signature)
		if err != nil {
			t.Fatal(err)
		}
		if err := rsa.VerifyPSS(by.Key.Public().(*rsa.PublicKey), crypto.SHA256, digest[:], octets, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}); err != nil {
			t.Error("a salt of another length than the hash")
		}
	}
	claims, err := rp.ParseClaims(payload)
	if err != nil || claims.String("iss") != "client" || claims.String("sub") != "client" || claims.String("aud") != op.Issuer || claims.String("jti") == "" ||
		!claims.Time("exp").After(rptest.Now()) || claims.Time("exp").After(rptest.Now().Add(2*time.Minute)) {
		t.Errorf("%s, %v", payload, err)
	}
}

func cutLast(token string) (before, after string, found bool) {
	i := strings.LastIndexByte(token, '.')
	return token[:max(i, 0)], token[i+1:], i > 0
}

func TestWrongSecret(t *testing.T) {
	op := rptest.New(t, rptest.Config{Secret: "secret"})
	c := configOf(op)
	c.Secret = "a wrong secret"
	l, err := login(t, op, provider(t, c), rp.Request{})
	refused(t, l, err, rp.Rejected, "invalid_client")
	if strings.Contains(err.Error(), "wrong secret") { // the provider repeats it in its description
		t.Error("the error holds the secret")
	}
}

// TestMutualTLSAliases: a client with a certificate goes to the addresses for such, one without does not.
func TestMutualTLSAliases(t *testing.T) {
	for name, with := range map[string]bool{"with a certificate": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			op := rptest.New(t, rptest.Config{Secret: "secret"})
			op.Lies.Discovery = func(m rptest.Members) {
				m["mtls_endpoint_aliases"] = rptest.Members{"token_endpoint": m["token_endpoint"].(string) + "?mtls", "userinfo_endpoint": m["userinfo_endpoint"]}
			}
			c := configOf(op)
			if with {
				c.Certificate = certificate(testpki.Load().Hospital)
			}
			f, err := provider(t, c).Begin(ctx(t), rp.Request{})
			if err != nil {
				t.Fatal(err)
			}
			var alias bool
			answers := op.Authorize(t, f.URL)
			op.Lies.Instead = map[string]http.HandlerFunc{"token": func(w http.ResponseWriter, r *http.Request) {
				alias = r.URL.RawQuery == "mtls"
				w.WriteHeader(http.StatusTeapot)
			}}
			_, err = provider(t, c).Finish(ctx(t), f, answers)
			if rp.ReasonOf(err) != rp.Rejected || alias != with {
				t.Errorf("%v, %v", alias, err)
			}
		})
	}
}

func TestAlgorithms(t *testing.T) {
	for _, a := range []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256} {
		for _, signed := range []bool{false, true} {
			op := rptest.New(t, rptest.Config{Algorithm: a, SignUserInfo: signed})
			l, err := login(t, op, provider(t, configOf(op)), rp.Request{})
			if err != nil || l.Subject != op.Subject {
				t.Errorf("%s: %v", a, err)
			}
			c := configOf(op)
			c.Algorithms = slices.DeleteFunc([]string{"RS256", "PS256", "ES256"}, func(s string) bool { return s == string(a) })
			l, err = login(t, op, provider(t, c), rp.Request{})
			refused(t, l, err, rp.BadToken, "alg")
		}
	}
}

func TestKeep(t *testing.T) {
	op := rptest.New(t, rptest.Config{})
	for keep, want := range map[rp.Keep][3]bool{rp.KeepNothing: {}, rp.KeepIDToken: {true}, rp.KeepTokens: {true, true, true}} {
		c := configOf(op)
		c.Keep = keep
		l, err := login(t, op, provider(t, c), rp.Request{})
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]bool{l.Tokens.ID != "", l.Tokens.Access != "", l.Tokens.Refresh != ""}; got != want {
			t.Errorf("%d: %v", keep, got)
		}
	}
}

// TestConfig: what is not said, or cannot be, is refused before anybody is contacted.
func TestConfig(t *testing.T) {
	op := rptest.New(t, rptest.Config{Secret: "secret"})
	good := configOf(op)
	metadata := func() *rp.Metadata {
		m := &rp.Metadata{Issuer: op.Issuer, Authorization: op.Authorization, Token: op.Issuer + "/token", Keys: op.Issuer + "/keys", UserInfo: op.Issuer + "/userinfo"}
		return m
	}
	for name, tt := range map[string]struct {
		change func(*rp.Config)
		why    string
	}{
		"good":                 {func(c *rp.Config) {}, ""},
		"metadata":             {func(c *rp.Config) { c.Metadata = metadata() }, ""},
		"nothing":              {func(c *rp.Config) { *c = rp.Config{} }, "issuer"},
		"http":                 {func(c *rp.Config) { c.Issuer = "http://op.example" }, "issuer"},
		"issuer with a query":  {func(c *rp.Config) { c.Issuer += "?a" }, "issuer"},
		"metadata of another":  {func(c *rp.Config) { c.Metadata = metadata(); c.Metadata.Issuer += "/" }, "another issuer"},
		"metadata elsewhere":   {func(c *rp.Config) { c.Metadata = metadata(); c.Metadata.Token = "https://evil.example/token" }, "not configured"},
		"metadata without TLS": {func(c *rp.Config) { c.Metadata = metadata(); c.Metadata.Keys = "http://op.example/keys" }, "https"},
		"alias elsewhere":      {func(c *rp.Config) { c.Metadata = metadata(); c.Metadata.Aliases.Token = "https://evil.example/token" }, "not configured"},
		"another port":         {func(c *rp.Config) { c.Metadata = metadata(); c.Metadata.Token = "https://op.example:8443/token" }, "not configured"},
		"metadata with a user": {func(c *rp.Config) { c.Metadata = metadata(); c.Metadata.Token = "https://op.example@op.example/token" }, "user"},
		"no keys":              {func(c *rp.Config) { c.Metadata = metadata(); c.Metadata.Keys = "" }, "jwks_uri"},
		"no userinfo":          {func(c *rp.Config) { c.Metadata = metadata(); c.Metadata.UserInfo = "" }, "userinfo"},
		"discovery elsewhere":  {func(c *rp.Config) { c.Discovery = "https://evil.example/.well-known/openid-configuration" }, "not configured"},
		"a host that is none":  {func(c *rp.Config) { c.Hosts = []string{"https://op.example"} }, "no host"},
		"an empty host":        {func(c *rp.Config) { c.Hosts = []string{""} }, "no host"},
		"no client id":         {func(c *rp.Config) { c.ClientID = "" }, "client id"},
		"no method":            {func(c *rp.Config) { c.Method = "" }, "method"},
		"method none":          {func(c *rp.Config) { c.Method = "none" }, "method"},
		"no secret":            {func(c *rp.Config) { c.Secret = "" }, "needs"},
		"a secret too many":    {func(c *rp.Config) { c.Method, c.Certificate = rp.TLSClientAuth, certificate(testpki.Load().Hospital) }, "needs"},
		"no certificate":       {func(c *rp.Config) { c.Method, c.Secret = rp.SelfSignedTLSClientAuth, "" }, "certificate"},
		"no key":               {func(c *rp.Config) { c.Method, c.Secret = rp.PrivateKeyJWT, "" }, "needs"},
		"a key on another curve": {func(c *rp.Config) {
			c.Method, c.Secret, c.SigningKey = rp.PrivateKeyJWT, "", testpki.Load().AliceEHealthP384.Key
		}, "P-256"},
		"RS256 of a P-256": {func(c *rp.Config) {
			c.Method, c.Secret, c.SigningKey, c.SigningAlgorithm = rp.PrivateKeyJWT, "", testpki.Load().AliceEHealthP256.Key, "RS256"
		}, "not for"},
		"no redirect":                      {func(c *rp.Config) { c.RedirectURI = "" }, "redirect"},
		"redirect without TLS":             {func(c *rp.Config) { c.RedirectURI = "http://sceau.example/cb" }, "redirect"},
		"redirect with a fragment":         {func(c *rp.Config) { c.RedirectURI += "#a" }, "redirect"},
		"HS256":                            {func(c *rp.Config) { c.Algorithms = []string{"HS256"} }, "algorithm"},
		"alg none":                         {func(c *rp.Config) { c.Algorithms = []string{"none"} }, "algorithm"},
		"a parameter of ours":              {func(c *rp.Config) { c.Parameters = map[string]string{"nonce": "1"} }, "nonce"},
		"an empty set of methods":          {func(c *rp.Config) { c.Policy.AMR = [][]string{{"mfa"}, {}} }, "everything"},
		"half a second":                    {func(c *rp.Config) { c.Policy.MaxAge = time.Second / 2 }, "seconds"},
		"a skew of an hour":                {func(c *rp.Config) { c.Skew = time.Hour }, "skew"},
		"a decryption key of another kind": {func(c *rp.Config) { c.DecryptionKey = testpki.Load().AliceEHealthP384.Key }, "decryption"},
		"no authorities":                   {func(c *rp.Config) { c.Roots = nil }, "authorities"},
		"keep what there is not":           {func(c *rp.Config) { c.Keep = 9 }, "keep"},
	} {
		c := good
		tt.change(&c)
		p, err := rp.New(c)
		if (err == nil) != (tt.why == "") || (p == nil) != (err != nil) || err != nil && (rp.ReasonOf(err) != rp.Misconfigured || !strings.Contains(err.Error(), tt.why)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := rp.CertificateIn(file(t, minipki.CertificatePEM(testpki.Load().Hospital.DER)), file(t, testpki.Load().Server.KeyPEM())); rp.ReasonOf(err) != rp.Misconfigured {
		t.Error(err)
	}
}
