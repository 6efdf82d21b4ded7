package client

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// FuzzBasic: at most two readings, each exact: one is what stands there, the other decodes to what it says, and net/http reads
// the same from what it can.
func FuzzBasic(f *testing.F) {
	for _, text := range []string{"Basic YTpi", "basic YTpi", "Basic  YTpi", "Basic YSUyRDpi", "Basic YTo=", "Basic Og==", "Basic", "Bearer YTpi", "Basic YTpiOmM=", "Basic YStiOmMlMjA="} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, header string) {
		readings, ok := readBasic(header)
		if !ok {
			if readings != nil {
				t.Fatal("readings of what is not readable")
			}
			return
		}
		if len(readings) == 0 || len(readings) > 2 {
			t.Fatalf("%d readings", len(readings))
		}
		raw := readings[len(readings)-1]
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("Authorization", header)
		if id, secret, is := r.BasicAuth(); is && len(readings) == 2 && raw != (credential{id, secret}) {
			t.Fatalf("%q: %q and %q", header, raw, id+":"+secret)
		}
		if len(readings) == 1 {
			// Either nothing was encoded, or it cannot be decoded.
			return
		}
		id, err1 := url.QueryUnescape(raw.id)
		secret, err2 := url.QueryUnescape(raw.secret)
		if err1 != nil || err2 != nil || readings[0] != (credential{id, secret}) {
			t.Fatalf("%q: %q of %q", header, readings[0], raw)
		}
	})
}

// FuzzAssertion: whatever is read has what an assertion must have, and means the same to a lenient reader of JSON.
func FuzzAssertion(f *testing.F) {
	part := base64.RawURLEncoding.EncodeToString
	for _, header := range []string{`{"alg":"ES256","kid":"a"}`, `{"alg":"none"}`, `{"alg":"ES256","alg":"none"}`, `{"alg":"ES256","jku":"https://a"}`, `{"alg":"ES256","typ":"JWT"}`} {
		for _, claims := range []string{`{"iss":"a","sub":"a","aud":"b","exp":1,"jti":"c"}`, `{"iss":"a","sub":"a","aud":["b","c"],"exp":1.5,"jti":"c","iat":1,"nbf":1}`, `{"sub":"a","sub":"b"}`, `[]`} {
			f.Add(part([]byte(header)) + "." + part([]byte(claims)) + ".AAAA")
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := readAssertion(text)
		if err != nil {
			return
		}
		if a.algorithm == "" || a.issuer == "" || a.subject == "" || a.id == "" || len(a.audience) == 0 || a.expires.IsZero() {
			t.Fatalf("%+v", a)
		}
		parts := strings.Split(text, ".")
		var header, claims map[string]any
		for i, into := range []*map[string]any{&header, &claims} {
			octets, err := base64.RawURLEncoding.DecodeString(parts[i])
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(octets, into); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range forbidden {
			if _, there := header[name]; there {
				t.Fatalf("a header with %s", name)
			}
		}
		if header["alg"] != a.algorithm || claims["iss"] != a.issuer || claims["sub"] != a.subject || claims["jti"] != a.id {
			t.Fatalf("%+v of %v and %v", a, header, claims)
		}
	})
}

// FuzzSignedAssertion: of a signed assertion in which anything was changed nothing is accepted but the same signed octets.
func FuzzSignedAssertion(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1"}}})
	if err != nil {
		f.Fatal(err)
	}
	registration := Registration{ID: "app", Name: map[string]string{"fr": "Dossier"}, RedirectURIs: []string{"https://app.example/cb"},
		Authentication: AuthenticationRegistration{Method: PrivateKeyJWT}, JWKS: KeySet(set)}
	input := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"1"}`)) + "." + base64.RawURLEncoding.EncodeToString(
		fmt.Appendf(nil, `{"iss":"app","sub":"app","aud":"https://op.example","exp":%d,"jti":"1"}`, start.Unix()+60))
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		f.Fatal(err)
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	good := input + "." + base64.RawURLEncoding.EncodeToString(signature)
	for _, at := range []int{0, 5, 40, 60, len(input) - 1, len(input) + 3, len(good) - 1} {
		f.Add(at, byte(1), "")
	}
	f.Add(0, byte(0), "")
	f.Add(10, byte(0), "AAAA")
	f.Fuzz(func(t *testing.T, at int, change byte, insert string) {
		if at < 0 || at >= len(good) {
			return
		}
		changed := []byte(good)
		changed[at] ^= change
		text := string(changed[:at]) + insert + string(changed[at:])
		registry, err := New([]Registration{registration}, Options{Issuer: "https://op.example", Endpoints: map[Endpoint][]string{Token: {"https://op.example/token"}}, Now: func() time.Time { return start }})
		if err != nil {
			t.Fatal(err)
		}
		request := httptest.NewRequest(http.MethodPost, "/token", bytes.NewReader([]byte(url.Values{"client_assertion_type": {assertionType}, "client_assertion": {text}}.Encode())))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		c, _, err := registry.Authenticate(request, Token)
		if (err == nil) != (text == good) {
			t.Fatalf("%q: %v %v", text, c, err)
		}
	})
}

// FuzzRequest: no form makes anybody of nobody, and none panics.
func FuzzRequest(f *testing.F) {
	secret, stored, err := NewSecret(nil)
	if err != nil {
		f.Fatal(err)
	}
	registry, err := New([]Registration{
		{ID: "app", Name: map[string]string{"fr": "Dossier"}, RedirectURIs: []string{"https://app.example/cb"}, Authentication: AuthenticationRegistration{Method: SecretPost, Secrets: []SecretRegistration{{Hash: stored}}}},
		{ID: "basic", Name: map[string]string{"fr": "Dossier"}, RedirectURIs: []string{"https://app.example/cb"}, Authentication: AuthenticationRegistration{Method: SecretBasic, Secrets: []SecretRegistration{{Hash: stored}}}},
	}, Options{Issuer: "https://op.example", Endpoints: map[Endpoint][]string{Token: {"https://op.example/token"}}, Now: func() time.Time { return start }})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("Basic YmFzaWM6eA==", "client_id=basic")
	f.Add("", "client_id=app&client_secret=x")
	f.Add("", "client_id=app&client_id=app&audience=a&audience=b")
	f.Add("", "client_assertion=a.b.c&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer")
	f.Fuzz(func(t *testing.T, header, body string) {
		if strings.Contains(header, secret) || strings.Contains(body, secret) {
			return
		}
		request := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(body))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if header != "" {
			request.Header.Set("Authorization", header)
		}
		if c, a, err := registry.Authenticate(request, Token); err == nil || c != nil || a != nil || ReasonOf(err) == 0 {
			t.Fatalf("%v %v %v", c, a, err)
		}
	})
}
