package bridge_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sceau/internal/testpki"
	"sceau/oidc/bridge"
)

// introspector starts a provider over mutual TLS and gives a client of it. The certificate is the one that the provider wants.
func introspector(t testing.TB, handler http.HandlerFunc, change ...func(*bridge.IntrospectionConfig)) *bridge.Introspection {
	t.Helper()
	pki := testpki.Load()
	roots := x509.NewCertPool()
	root, err := x509.ParseCertificate(pki.EHealthRoot.DER())
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(root)
	s := httptest.NewUnstartedServer(handler)
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, Certificates: []tls.Certificate{{Certificate: [][]byte{pki.Server.DER}, PrivateKey: pki.Server.Key}}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	config := bridge.IntrospectionConfig{URL: s.URL + "/introspect", ClientID: "our:id", Secret: "s&cret", TLS: &tls.Config{RootCAs: roots, ServerName: "localhost",
		Certificates: []tls.Certificate{{Certificate: [][]byte{pki.Hospital.DER}, PrivateKey: pki.Hospital.Key}}}}
	for _, f := range change {
		f(&config)
	}
	i, err := bridge.NewIntrospection(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	return i
}

func activeAnswer(more string) string {
	return fmt.Sprintf(`{"active":true,"iss":%q,"sub":"f:1:899","azp":"psc-portal","jti":"j","exp":%d,"iat":%d,"auth_time":%d,"acr":"eidas1","typ":"Bearer","SubjectNameID":"8997"%s}`,
		psc, now.Add(time.Minute).Unix(), now.Unix(), now.Unix(), more)
}

// TestIntrospection: what is asked, over mutual TLS, and what is understood of the answer.
func TestIntrospection(t *testing.T) {
	i := introspector(t, func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		if r.Method != "POST" || r.URL.RawQuery != "" || r.FormValue("token") != "tok&en" || r.FormValue("token_type_hint") != "access_token" || id != "our%3Aid" || secret != "s%26cret" ||
			len(r.TLS.PeerCertificates) != 1 || string(r.TLS.PeerCertificates[0].Raw) != string(testpki.Load().Hospital.DER) {
			t.Errorf("asked: %v %v %v", r.Form, id, secret)
		}
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
		w.Write([]byte(activeAnswer(`,"cnf":{"x5t#S256":"abc"},"aud":"one"`)))
	})
	token, err := i.Introspect(context.Background(), "tok&en", now)
	if err != nil || token.Issuer != psc || token.Subject != "f:1:899" || token.ClientID != "psc-portal" || token.ID != "j" || token.Confirmation != "abc" || token.Level != "eidas1" ||
		!token.AuthTime.Equal(now) || !token.Expires.Equal(now.Add(time.Minute)) || token.Claims["SubjectNameID"] != "8997" || token.Type != bridge.AccessToken || len(token.Audience) != 1 {
		t.Errorf("%+v, %v", token, err)
	}
}

// TestIntrospectionAnswers: an answer says yes, or no, or nothing that can be relied on; nothing is never yes.
func TestIntrospectionAnswers(t *testing.T) {
	var body, media string
	var status int
	i := introspector(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		w.WriteHeader(status)
		w.Write([]byte(body))
	})
	for name, c := range map[string]struct {
		body, media string
		status      int
		inactive    bool
	}{
		"inactive":            {`{"active":false}`, "application/json", 200, true},
		"inactive, with more": {strings.Replace(activeAnswer(""), "true", "false", 1), "application/json", 200, true},
		"active, a text":      {strings.Replace(activeAnswer(""), "true", `"true"`, 1), "application/json", 200, false},
		"active, a number":    {strings.Replace(activeAnswer(""), "true", "1", 1), "application/json", 200, false},
		"active twice":        {activeAnswer(`,"active":false`), "application/json", 200, false},
		"Active":              {strings.Replace(activeAnswer(""), "active", "Active", 1), "application/json", 200, false},
		"nothing":             {`{}`, "application/json", 200, false},
		"null":                {`null`, "application/json", 200, false},
		"a list":              {`[]`, "application/json", 200, false},
		"empty":               {``, "application/json", 200, false},
		"cut off":             {activeAnswer("")[:40], "application/json", 200, false},
		"two objects":         {activeAnswer("") + activeAnswer(""), "application/json", 200, false},
		"without end":         {`{"active":true,"sub":"x"}`, "application/json", 200, false},
		"cnf of another kind": {activeAnswer(`,"cnf":{"jkt":"x"}`), "application/json", 200, false},
		"acr, a number":       {strings.Replace(activeAnswer(""), `"eidas1"`, "1", 1), "application/json", 200, false},
		"a page":              {activeAnswer(""), "text/html", 200, false},
		"a signed answer":     {activeAnswer(""), "application/token-introspection+jwt", 200, false},
		"401":                 {activeAnswer(""), "application/json", 401, false},
		"500":                 {activeAnswer(""), "application/json", 500, false},
		"201":                 {activeAnswer(""), "application/json", 201, false},
		"endless":             {`{"active":true,"x":"` + strings.Repeat("x", 300<<10) + `"}`, "application/json", 200, false},
	} {
		t.Run(name, func(t *testing.T) {
			body, media, status = c.body, c.media, c.status
			token, err := i.Introspect(context.Background(), "x", now)
			if token != nil || err == nil || errors.Is(err, bridge.ErrToken) != c.inactive {
				t.Errorf("%+v, %v", token, err)
			}
		})
	}
}

// TestO5IntrospectionStays: the token goes to the address of the configuration and to no other.
func TestO5IntrospectionStays(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		i := introspector(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, status) })
		if token, err := i.Introspect(context.Background(), "secret", now); token != nil || err == nil || errors.Is(err, bridge.ErrToken) {
			t.Errorf("%d: %v, %v", status, token, err)
		}
	}
	if elsewhere.Load() != 0 {
		t.Error("the token went elsewhere")
	}
}

// TestIntrospectionTrust: a provider that is not the configured one is not believed, nor asked without certificate; and a slow one is an outage.
func TestIntrospectionTrust(t *testing.T) {
	yes := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(activeAnswer("")))
	}
	for name, change := range map[string]func(*bridge.IntrospectionConfig){
		"another root":   func(c *bridge.IntrospectionConfig) { c.TLS.RootCAs = x509.NewCertPool() },
		"another name":   func(c *bridge.IntrospectionConfig) { c.TLS.ServerName = "psc.example" },
		"no certificate": func(c *bridge.IntrospectionConfig) { c.TLS.Certificates = nil },
	} {
		if token, err := introspector(t, yes, change).Introspect(context.Background(), "x", now); token != nil || err == nil || errors.Is(err, bridge.ErrToken) {
			t.Errorf("%s: %v, %v", name, token, err)
		}
	}
	done := make(chan struct{})
	defer close(done)
	slow := introspector(t, func(http.ResponseWriter, *http.Request) { <-done }, func(c *bridge.IntrospectionConfig) { c.Timeout = 50 * time.Millisecond })
	if token, err := slow.Introspect(context.Background(), "x", now); token != nil || err == nil || errors.Is(err, bridge.ErrToken) {
		t.Errorf("slow: %v, %v", token, err)
	}
	roots := &tls.Config{RootCAs: x509.NewCertPool(), Certificates: make([]tls.Certificate, 1)}
	for name, c := range map[string]bridge.IntrospectionConfig{
		"zero":             {},
		"http":             {URL: "http://psc.example/i", ClientID: "x", Secret: "y", TLS: roots},
		"user in the URL":  {URL: "https://a:b@psc.example/i", ClientID: "x", Secret: "y", TLS: roots},
		"no roots":         {URL: "https://psc.example/i", ClientID: "x", Secret: "y", TLS: &tls.Config{}},
		"unverified":       {URL: "https://psc.example/i", ClientID: "x", Secret: "y", TLS: &tls.Config{RootCAs: x509.NewCertPool(), InsecureSkipVerify: true}},
		"no client":        {URL: "https://psc.example/i", Secret: "y", TLS: roots},
		"nothing about us": {URL: "https://psc.example/i", ClientID: "x", TLS: &tls.Config{RootCAs: x509.NewCertPool()}},
	} {
		if i, err := bridge.NewIntrospection(c); i != nil || err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// TestUpstreamOverTLS: the whole of the ANS's profile, the provider asked over mutual TLS.
func TestUpstreamOverTLS(t *testing.T) {
	var active atomic.Bool
	active.Store(true)
	i := introspector(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if !active.Load() {
			w.Write([]byte(`{"active":false}`))
			return
		}
		w.Write([]byte(activeAnswer("")))
	})
	r := newRig(t, func(c *bridge.Config) { c.Upstreams[0].Introspector = i })
	active.Store(false)
	r.refused(bridge.BadSubjectToken, r.client(), r.tokenForm(opaque(psc), "scope", "records"))
	active.Store(true)
	if token := r.read(r.must(r.tokenForm(opaque(psc), "scope", "records"))); token.Subject != personSub || token.Claims["SubjectNameID"] != "8997" {
		t.Errorf("%+v", token)
	}
}
