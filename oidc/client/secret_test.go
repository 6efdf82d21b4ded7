package client_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sceau/internal/testpki"
	"sceau/oidc/client"
)

const issuer = "https://sts.example/etab/750000001"

// options are those of the tests: the clock of testpki, no certificates.
func options() client.Options {
	return client.Options{
		Issuer: issuer,
		Endpoints: map[client.Endpoint][]string{
			client.Token:         {issuer + "/token", "https://mtls.sts.example/etab/750000001/token"},
			client.PAR:           {issuer + "/par"},
			client.Introspection: {issuer + "/introspect"},
			client.Revocation:    {issuer + "/revoke"},
		},
		Now: testpki.Now,
	}
}

// registration is a right one with a secret; change makes another of it.
func registration(id string, method client.Method, change ...func(*client.Registration)) client.Registration {
	r := client.Registration{
		ID: id, Name: map[string]string{"fr": "Dossier"}, RedirectURIs: []string{"https://app.example/cb"},
		Authentication: client.AuthenticationRegistration{Method: method},
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

func withSecret(stored string, expires ...time.Time) func(*client.Registration) {
	return func(r *client.Registration) {
		s := client.SecretRegistration{Hash: stored}
		if len(expires) > 0 {
			s.Expires = expires[0]
		}
		r.Authentication.Secrets = append(r.Authentication.Secrets, s)
	}
}

func registry(tb testing.TB, o client.Options, registrations ...client.Registration) *client.Registry {
	tb.Helper()
	r, err := client.New(registrations, o)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func newSecret(tb testing.TB, key []byte) (secret, stored string) {
	tb.Helper()
	secret, stored, err := client.NewSecret(key)
	if err != nil {
		tb.Fatal(err)
	}
	return secret, stored
}

// post makes a request of a form. Pairs are names and values.
func post(pairs ...string) *http.Request {
	var body []string
	for i := 0; i < len(pairs); i += 2 {
		body = append(body, url.QueryEscape(pairs[i])+"="+url.QueryEscape(pairs[i+1]))
	}
	r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(strings.Join(body, "&")))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func basic(r *http.Request, text string) *http.Request {
	r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(text)))
	return r
}

// authenticate gives the id and method of who was found, or the reason and code of the refusal.
func authenticate(tb testing.TB, r *client.Registry, request *http.Request, at client.Endpoint) string {
	tb.Helper()
	c, a, err := r.Authenticate(request, at)
	if err != nil {
		if c != nil || a != nil {
			tb.Error("a refusal that hands something on")
		}
		e, ok := err.(*client.Error)
		if !ok {
			tb.Fatalf("%T is no *Error", err)
		}
		return e.Reason.String() + ", " + e.Code()
	}
	return c.ID() + " by " + string(a.Method())
}

func TestSecretForms(t *testing.T) {
	key := bytes.Repeat([]byte("k"), 32)
	for _, k := range [][]byte{nil, key} {
		secret, stored := newSecret(t, k)
		again, other := newSecret(t, k)
		if secret == again || stored == other {
			t.Error("the same secret twice")
		}
		if octets, err := base64.RawURLEncoding.DecodeString(secret); err != nil || len(octets) < 32 {
			t.Errorf("a secret of %d octets: %v", len(octets), err)
		}
		if strings.Contains(stored, secret) {
			t.Error("the stored form shows the secret")
		}
	}
	if _, _, err := client.NewSecret([]byte("short")); err == nil {
		t.Error("a short key was taken")
	}
	for _, weak := range []string{"", "secret", "correct-horse-battery-staple-again", strings.Repeat("ab1", 20), "1234567890" + strings.Repeat("0", 40),
		"with a blank 0123456789abcdefghijklmnop", strings.Repeat("0123456789abcdefgh", 40)} {
		if stored, err := client.HashSecret(weak, nil); err == nil {
			t.Errorf("%q became %q", weak, stored)
		}
	}
	if _, err := client.HashSecret("9f86d081884c7d659a2feaa0c55ad015", nil); err != nil {
		t.Error(err)
	}
}

// TestBasicAndPost: the two methods with a secret, each by itself.
func TestBasicAndPost(t *testing.T) {
	secret, stored := newSecret(t, nil)
	r := registry(t, options(), registration("app-1", client.SecretBasic, withSecret(stored)), registration("app-2", client.SecretPost, withSecret(stored)))
	for _, c := range []struct {
		name    string
		request *http.Request
		want    string
	}{
		{"basic", basic(post("grant_type", "authorization_code"), "app-1:"+secret), "app-1 by client_secret_basic"},
		{"basic, encoded", basic(post(), "app%2D1:"+secret), "app-1 by client_secret_basic"},
		{"post", post("client_id", "app-2", "client_secret", secret), "app-2 by client_secret_post"},
		{"wrong", basic(post(), "app-1:"+secret+"A"), "wrong secret, invalid_client"},
		{"wrong by post", post("client_id", "app-2", "client_secret", secret[1:]), "wrong secret, invalid_client"},
		{"nobody", basic(post(), "app-3:"+secret), "unknown client, invalid_client"},
		{"none", post("client_id", "app-2"), "no credentials, invalid_client"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := authenticate(t, r, c.request, client.Token); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
