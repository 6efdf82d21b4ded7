package control_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"sceau/audit"
	"sceau/oidc/control"
)

// ask asks with the token of a reader.
func ask(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// conforms judges an answer by the schema that the API itself gives.
func conforms(t *testing.T, schema string, body []byte) {
	t.Helper()
	c, _, _ := newConfig(t)
	w := ask(newHandler(t, c), "GET", control.PathOpenAPI)
	document, err := jsonschema.UnmarshalJSON(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("openapi.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("openapi.json#/components/schemas/" + schema)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if err := compiled.Validate(value); err != nil {
		t.Errorf("%s\n%v", body, err)
	}
}

func TestPolicyIsTold(t *testing.T) {
	c, journal, _ := newConfig(t)
	h := newHandler(t, c)
	w := ask(h, "GET", control.PathPolicy)
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	conforms(t, "Indicators", w.Body.Bytes())
	var got control.Indicators
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	psc := got.Establishments[0].Clients[0]
	if psc.MaxAuthenticationAge != control.Seconds(4*time.Hour) || !psc.Strength.PhishingResistant || psc.AMRSets[0][0] != "sc" ||
		got.Establishments[0].Clients[1].Strength.PhishingResistant || got.Retention != control.Seconds(400*24*time.Hour) {
		t.Errorf("%s", w.Body)
	}
	// Empty indicators are an answer too.
	c.Indicators = func() control.Indicators {
		return control.Indicators{Configuration: control.Configuration{Digest: control.Digest(), Since: start}, Establishments: []control.Establishment{{Name: "x", Clients: []control.Client{{ID: "y", Consent: "none"}}, Means: []control.Means{{}}}}}
	}
	conforms(t, "Indicators", ask(newHandler(t, c), "GET", control.PathPolicy).Body.Bytes())
	if e := journal.events[0]; e.Service != control.Service || e.Client != "ans" || e.Outcome != audit.Success || e.Resource.Name != control.PathPolicy {
		t.Errorf("recorded %+v", e)
	}
}

func TestUnchangedIsNotToldAgain(t *testing.T) {
	c, _, _ := newConfig(t)
	h := newHandler(t, c)
	tag := ask(h, "GET", control.PathPolicy).Header().Get("ETag")
	if w := ask(h, "GET", control.PathPolicy, "If-None-Match", `"x", `+tag); tag == "" || w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("%q: %d %s", tag, w.Code, w.Body)
	}
	if w := ask(h, "GET", control.PathPolicy+"?format=csv", "If-None-Match", tag); w.Code != 200 {
		t.Errorf("another form is %d", w.Code)
	}
	c.Indicators = func() control.Indicators { i := indicators(); i.Retention++; i.Version = "1.1"; return i }
	if w := ask(newHandler(t, c), "GET", control.PathPolicy, "If-None-Match", tag); w.Code != 200 {
		t.Errorf("a changed policy is %d", w.Code)
	}
	if w := ask(h, "HEAD", control.PathPolicy); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("ETag") != tag {
		t.Errorf("HEAD: %d %q", w.Code, w.Body)
	}
}

func TestStrangersLearnNothing(t *testing.T) {
	certificate := &x509.Certificate{Raw: []byte("a certificate")}
	for _, test := range []struct {
		name    string
		request func(r *http.Request)
	}{
		{"nothing", func(r *http.Request) {}},
		{"another token", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+stray) }},
		{"another scheme", func(r *http.Request) { r.Header.Set("Authorization", "Basic "+token) }},
		{"two headers", func(r *http.Request) { r.Header["Authorization"] = []string{"Bearer " + token, "Bearer " + token} }},
		{"the token in the address", func(r *http.Request) { r.URL.RawQuery = "access_token=" + token }},
		{"the start of the token", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token[:31]) }},
		{"an endless token", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+strings.Repeat("x", 1<<20)) }},
		{"its digest", func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer "+fmt.Sprintf("%x", sha256.Sum256([]byte(token))))
		}},
		{"another certificate", func(r *http.Request) {
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}
		}},
		{"TLS without certificate", func(r *http.Request) { r.TLS = &tls.ConnectionState{} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, journal, _ := newConfig(t)
			h := newHandler(t, c)
			for _, path := range []string{control.PathPolicy, control.PathCounts, control.PathOpenAPI, "/", "/control/v1/absent"} {
				r := httptest.NewRequest("GET", path, nil)
				test.request(r)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != 401 || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer ") || strings.Contains(w.Body.String(), "hopital") {
					t.Errorf("%s: %d %s", path, w.Code, w.Body)
				}
				conforms(t, "Error", w.Body.Bytes())
			}
			for _, e := range journal.events {
				if e.Outcome != audit.Refused || e.Client != "" {
					t.Errorf("recorded %+v", e)
				}
			}
		})
	}
}

func TestCertificateOpens(t *testing.T) {
	certificate := &x509.Certificate{Raw: []byte("a certificate")}
	c, journal, _ := newConfig(t)
	c.Readers = append(c.Readers, control.Reader{Name: "by-certificate", Certificate: sha256.Sum256(certificate.Raw)})
	h := newHandler(t, c)
	r := httptest.NewRequest("GET", control.PathPolicy, nil)
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 200 || journal.events[0].Client != "by-certificate" {
		t.Errorf("%d %+v", w.Code, journal.events)
	}
	// A reader with a certificate has no token: the zero digest is none.
	r = httptest.NewRequest("GET", control.PathPolicy, nil)
	r.Header.Set("Authorization", "Bearer ")
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 401 {
		t.Error(w.Code)
	}
}

func TestQuestionsAreChecked(t *testing.T) {
	c, _, _ := newConfig(t)
	c.PerMinute = 100000
	h := newHandler(t, c)
	for _, test := range []struct {
		method, target string
		want           int
	}{
		{"GET", "/control/v1/counts", 200},
		{"GET", "/control/v1/counts?from=2026-11-01&to=2026-11-21&by=day,establishment,client,operation,means,method,outcome&operation=token", 200},
		{"GET", "/control/v1/counts?from=2025-10-18&to=2026-11-21", 200}, // 400 days
		{"GET", "/control/v1/counts?from=2025-10-17&to=2026-11-21", 400},
		{"GET", "/control/v1/counts?from=2026-11-22&to=2026-11-21", 400},
		{"GET", "/control/v1/counts?from=2026-11-31", 400},
		{"GET", "/control/v1/counts?from=", 400},
		{"GET", "/control/v1/counts?from=yesterday", 400},
		{"GET", "/control/v1/counts?to=2026-11-21T00:00:00Z", 400},
		{"GET", "/control/v1/counts?by=person", 400},
		{"GET", "/control/v1/counts?by=", 400},
		{"GET", "/control/v1/counts?by=day,day", 400},
		{"GET", "/control/v1/counts?by=day&by=client", 400},
		{"GET", "/control/v1/counts?operation=everything", 400},
		{"GET", "/control/v1/counts?operation=", 400},
		{"GET", "/control/v1/counts?sub=dupont", 400},
		{"GET", "/control/v1/counts?format=xml", 400},
		{"GET", "/control/v1/counts?%zz", 400},
		{"GET", "/control/v1/counts?format=text", 200},
		{"GET", "/control/v1/policy?format=text", 200},
		{"GET", "/control/v1/policy?from=2026-11-21", 400},
		{"GET", "/control/v1/policy/", 404},
		{"GET", "/control/v1/openapi.json?x=1", 400},
		{"POST", "/control/v1/policy", 405},
		{"PUT", "/control/v1/policy", 405},
		{"DELETE", "/control/v1/counts", 405},
		{"OPTIONS", "/control/v1/counts", 405},
		{"POST", "/elsewhere", 404},
	} {
		t.Run(test.method+" "+test.target, func(t *testing.T) {
			w := ask(h, test.method, test.target)
			if w.Code != test.want {
				t.Fatalf("%d instead of %d: %s", w.Code, test.want, w.Body)
			}
			if w.Code == 405 && w.Header().Get("Allow") != "GET, HEAD" {
				t.Error(w.Header())
			}
			switch {
			case w.Code >= 400:
				conforms(t, "Error", w.Body.Bytes())
			case strings.HasPrefix(test.target, control.PathCounts) && !strings.Contains(test.target, "format"):
				conforms(t, "Answer", w.Body.Bytes())
			}
		})
	}
}

// What strangers try is slowed down, and does not lock out who has the token, nor fill the trail.
func TestTooManyRequests(t *testing.T) {
	c, journal, _ := newConfig(t)
	now := start
	c.Now = func() time.Time { return now }
	c.PerMinute = 60
	h := newHandler(t, c)
	codes := map[int]int{}
	for range 100 {
		r := httptest.NewRequest("GET", control.PathPolicy, nil)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		codes[w.Code]++
	}
	if codes[401] != 10 || codes[429] != 90 || len(journal.events) != 10 {
		t.Errorf("%v, %d records", codes, len(journal.events))
	}
	clear(codes)
	for range 30 {
		codes[ask(h, "GET", control.PathPolicy).Code]++
	}
	if codes[200] != 10 || codes[429] != 20 {
		t.Errorf("%v", codes)
	}
	now = now.Add(time.Minute)
	if w := ask(h, "GET", control.PathPolicy); w.Code != 200 {
		t.Error(w.Code)
	}
}

// Nothing leaves unrecorded.
func TestUnrecordedDoesNotLeave(t *testing.T) {
	c, journal, _ := newConfig(t)
	journal.err = errors.New("the disk is full")
	if w := ask(newHandler(t, c), "GET", control.PathPolicy); w.Code != 503 || strings.Contains(w.Body.String(), "hopital") || w.Header().Get("ETag") != "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestZeroRefuses(t *testing.T) {
	w := httptest.NewRecorder()
	new(control.Handler).ServeHTTP(w, httptest.NewRequest("GET", control.PathPolicy, nil))
	if w.Code != 503 {
		t.Error(w.Code)
	}
	whole, _, _ := newConfig(t)
	for name, change := range map[string]func(*control.Config){
		"no indicators":       func(c *control.Config) { c.Indicators = nil },
		"no counts":           func(c *control.Config) { c.Counts = nil },
		"no journal":          func(c *control.Config) { c.Journal = nil },
		"no reader":           func(c *control.Config) { c.Readers = nil },
		"a nameless reader":   func(c *control.Config) { c.Readers = []control.Reader{{Token: [32]byte{1}}} },
		"a reader of nothing": func(c *control.Config) { c.Readers = []control.Reader{{Name: "x"}} },
		"two of one name":     func(c *control.Config) { c.Readers = append(c.Readers, c.Readers[0]) },
		"a negative rate":     func(c *control.Config) { c.PerMinute = -1 },
	} {
		c := whole
		change(&c)
		if _, err := control.New(c); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	h := newHandler(t, whole)
	if h.Replace(control.Config{}) == nil || ask(h, "GET", control.PathPolicy).Code != 200 {
		t.Error("a wrong configuration replaced the right one")
	}
	for _, text := range []string{"", "short", strings.Repeat("x", 513)} {
		if _, err := control.TokenDigest(text); err == nil {
			t.Errorf("a token of %d characters was taken", len(text))
		}
	}
}
