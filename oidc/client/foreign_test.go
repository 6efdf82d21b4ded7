package client_test

import (
	"bytes"
	"crypto/rand"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/internal/judge"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
	"sceau/oidc/client"
)

// TestOpenSSLAssertions: assertions that openssl signed, in each algorithm.
func TestOpenSSLAssertions(t *testing.T) {
	openssl := judge.Require(t, "openssl")
	pki := testpki.Load()
	dir := t.TempDir()
	r := registry(t, options(), registration("app", client.PrivateKeyJWT, withKeys(keySet(t, jwk(t, pki.AliceEIDP256.Key, "ES256"), jwk(t, pki.AliceEIDP384.Key, "ES384"),
		jwk(t, pki.Organisation.Key, "rsa")), "ES256", "ES384", "PS256", "PS512", "RS256")))
	pss := []string{"-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"}
	for _, c := range []struct {
		algorithm, kid, digest string
		leaf                   *testpki.Leaf
		options                []string
		octets                 int // of a coordinate
	}{
		{"RS256", "rsa", "-sha256", &pki.Organisation, nil, 0},
		{"PS256", "rsa", "-sha256", &pki.Organisation, pss, 0},
		{"PS512", "rsa", "-sha512", &pki.Organisation, pss, 0},
		{"ES256", "ES256", "-sha256", &pki.AliceEIDP256, nil, 32},
		{"ES384", "ES384", "-sha384", &pki.AliceEIDP384, nil, 48},
	} {
		t.Run(c.algorithm, func(t *testing.T) {
			key := filepath.Join(dir, c.algorithm+".key")
			if err := os.WriteFile(key, c.leaf.KeyPEM(), 0o600); err != nil {
				t.Fatal(err)
			}
			input := b64([]byte(`{"alg":"`+c.algorithm+`","kid":"`+c.kid+`","typ":"JWT"}`)) + "." + b64([]byte(claims(t, nil)))
			command := exec.Command(openssl, append([]string{"dgst", c.digest, "-sign", key}, c.options...)...)
			command.Stdin = strings.NewReader(input)
			signature, err := command.Output()
			if err != nil {
				t.Fatal(err)
			}
			if c.octets > 0 { // from ASN.1 to the form of RFC 7518 section 3.4
				var rs struct{ R, S *big.Int }
				if _, err := asn1.Unmarshal(signature, &rs); err != nil {
					t.Fatal(err)
				}
				signature = append(rs.R.FillBytes(make([]byte, c.octets)), rs.S.FillBytes(make([]byte, c.octets))...)
			}
			for _, step := range []struct{ assertion, want string }{
				{input + "." + b64(append([]byte{signature[0] ^ 1}, signature[1:]...)), "wrong signature, invalid_client"},
				{input + "." + b64(signature), "app by private_key_jwt"},
				{input + "." + b64(signature), "replayed assertion, invalid_client"},
			} {
				if got := authenticate(t, r, post("client_assertion_type", assertionType, "client_assertion", step.assertion), client.Token); got != step.want {
					t.Errorf("%s, want %s", got, step.want)
				}
			}
		})
	}
}

// TestOpenIDClient: npm's openid-client, a certified relying party, by each of its methods, over TLS.
func TestOpenIDClient(t *testing.T) {
	node, modules := judge.Require(t, "node"), judge.NodeModules(t, filepath.Join("testdata", "node"))

	pki := testpki.Load()
	organisation := byTLS(client.SubjectRegistration{SubjectDN: subjectOf(t, &pki.Organisation)})
	secret, stored := newSecret(t, nil)
	raw := `k+3/x=%41&` + rand.Text() + `:-_.~0`
	foreign, err := client.HashSecret(raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := options()
	o.Certificates = verifier(t)
	o.Now = time.Now // that of the other side
	r := registry(t, o,
		registration("basic-1", client.SecretBasic, withSecret(stored)),
		registration("https://rp.example+%2D", client.SecretBasic, withSecret(foreign)),
		registration("post", client.SecretPost, withSecret(foreign)),
		registration("jwt", client.PrivateKeyJWT, withKeys(keySet(t, jwk(t, pki.AliceEIDP256.Key, "ec"), jwk(t, pki.Organisation.Key, "rsa")), "ES256", "PS256", "RS256"),
			func(r *client.Registration) { r.Authentication.IssuerAudienceOnly = true }),
		registration("tls", client.TLS, organisation),
		registration("both", client.SecretPost, withSecret(stored), organisation, func(r *client.Registration) { r.Authentication.RequireCertificate = true }),
		registration("none", client.None))
	p := serveTokens(t, r)

	type call struct {
		ID          string `json:"id"`
		Method      string `json:"method"`
		Secret      string `json:"secret,omitempty"`
		Signing     string `json:"signing,omitempty"`
		Algorithm   string `json:"algorithm,omitempty"`
		KID         string `json:"kid,omitempty"`
		Certificate string `json:"certificate,omitempty"`
		Key         string `json:"key,omitempty"`
	}
	with := func(c call, leaf *testpki.Leaf) call {
		c.Certificate, c.Key = string(leaf.CertificatePEM()), string(leaf.KeyPEM())
		return c
	}
	signing := func(algorithm, kid string, leaf *testpki.Leaf) call {
		return call{ID: "jwt", Method: "private_key_jwt", Algorithm: algorithm, KID: kid, Signing: string(leaf.KeyPEM())}
	}
	tests := []struct {
		call
		want string
	}{
		{call{ID: "basic-1", Method: "client_secret_basic", Secret: secret}, "basic-1 by client_secret_basic"},
		{call{ID: "https://rp.example+%2D", Method: "client_secret_basic", Secret: raw}, "https://rp.example+%2D by client_secret_basic"},
		{call{ID: "post", Method: "client_secret_post", Secret: raw}, "post by client_secret_post"},
		{signing("ES256", "ec", &pki.AliceEIDP256), "jwt by private_key_jwt"},
		{signing("PS256", "rsa", &pki.Organisation), "jwt by private_key_jwt"},
		{signing("RS256", "rsa", &pki.Organisation), "jwt by private_key_jwt"},
		{with(call{ID: "tls", Method: "tls_client_auth"}, &pki.Organisation), "tls by tls_client_auth"},
		{with(call{ID: "tls", Method: "none"}, &pki.Organisation), "tls by tls_client_auth"}, // as mod_auth_openidc says it
		{with(call{ID: "both", Method: "client_secret_post", Secret: secret}, &pki.Organisation), "both by client_secret_post"},
		{call{ID: "none", Method: "none"}, "none by none"},

		{call{ID: "basic-1", Method: "client_secret_basic", Secret: raw}, "basic challenge"},
		{call{ID: "basic-1", Method: "client_secret_post", Secret: secret}, "invalid_client"},
		{call{ID: "both", Method: "client_secret_post", Secret: secret}, "invalid_client"},
		{with(call{ID: "both", Method: "client_secret_post", Secret: secret}, &pki.Application), "invalid_client"},
		{with(call{ID: "tls", Method: "tls_client_auth"}, &pki.Application), "invalid_client"},
		{call{ID: "tls", Method: "tls_client_auth"}, "invalid_client"},
		{signing("ES256", "rsa", &pki.AliceEIDP256), "invalid_client"},
		{signing("PS256", "rsa", &pki.BobEID), "invalid_client"},
		{call{ID: "jwt", Method: "none"}, "invalid_client"},
	}
	task := struct {
		Issuer string `json:"issuer"`
		Token  string `json:"token"`
		CA     string `json:"ca"`
		Calls  []call `json:"calls"`
	}{Issuer: issuer, Token: strings.Replace(p.URL, "127.0.0.1", "localhost", 1) + "/token", CA: string(minipki.CertificatePEM(pki.EHealthRoot.DER()))}
	for _, test := range tests {
		task.Calls = append(task.Calls, test.call)
	}
	input, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(node, filepath.Join("testdata", "node", "party.js"))
	command.Env = append(os.Environ(), "PARTY_MODULES="+modules)
	command.Stdin, command.Stderr = bytes.NewReader(input), os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(tests) {
		t.Fatalf("%d answers to %d calls\n%s", len(lines), len(tests), out)
	}
	for i, test := range tests {
		var answer struct{ Token, Error string }
		if err := json.Unmarshal([]byte(lines[i]), &answer); err != nil {
			t.Fatal(err)
		}
		got := answer.Error
		if answer.Token != "" {
			text, err := base64.RawURLEncoding.DecodeString(answer.Token)
			if err != nil {
				t.Fatal(err)
			}
			got = string(text)
		}
		if got != test.want {
			t.Errorf("%s by %s: %s, want %s", test.ID, test.Method, lines[i], test.want)
		}
	}
}

// serveTokens answers with a token that says who asked.
func serveTokens(tb testing.TB, r *client.Registry) *httptest.Server {
	tb.Helper()
	p := serve(tb, r)
	p.tokens.Store(true)
	return p.server
}
