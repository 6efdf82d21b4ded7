package wsp_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"sceau/internal/testpki"
	"sceau/wsp"
)

// post sends a message to a guarded handler.
func post(t testing.TB, h http.Handler, message string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/service", strings.NewReader(message))
	r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	for _, f := range change {
		f(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestHandler: what is behind the guard sees the caller and the verified body only.
func TestHandler(t *testing.T) {
	g := guard(t)
	served := 0
	const spoofed = "W23 SOAPAction of another operation"
	h := g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served++
		checkAlice(t, wsp.CallerFrom(r.Context()))
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != echoContent || r.ContentLength != int64(len(echoContent)) || r.Header.Get("Content-Length") != "41" {
			t.Errorf("body %q (%d), %v", body, r.ContentLength, err)
		}
		if r.Header.Get("SOAPAction") != "" {
			t.Error(spoofed)
		}
		io.WriteString(w, "done")
	}))
	w := post(t, h, string(aliceCall(t)), func(r *http.Request) { r.Header.Set("SOAPAction", `"urn:test:DeleteAll"`) })
	if w.Code != http.StatusOK || w.Body.String() != "done" || served != 1 {
		t.Fatal(w.Code, w.Body, served)
	}
}

// TestHandlerRefuses: nothing behind the guard is called, the stranger is told a class
// of error, and the operator the cause under the same id.
func TestHandlerRefuses(t *testing.T) {
	pki := testpki.Load()
	var log bytes.Buffer
	g := guard(t, func(c *wsp.Config) {
		c.Environment = "Test"
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		c.Require = []wsp.Requirement{{Designator: doctor, Values: []string{"true"}}}
	})
	h := g.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("called") }))
	message := string(aliceCall(t))
	for name, c := range map[string]struct {
		message string
		change  func(*http.Request)
		status  int
	}{
		"GET":            {"", func(r *http.Request) { r.Method = http.MethodGet }, http.StatusMethodNotAllowed},
		"JSON":           {message, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, http.StatusUnsupportedMediaType},
		"no type":        {message, func(r *http.Request) { r.Header.Del("Content-Type") }, http.StatusUnsupportedMediaType},
		"SOAP 1.2":       {message, func(r *http.Request) { r.Header.Set("Content-Type", "application/soap+xml") }, http.StatusUnsupportedMediaType},
		"multipart":      {message, func(r *http.Request) { r.Header.Set("Content-Type", "multipart/related; boundary=x") }, http.StatusUnsupportedMediaType},
		"UTF-16":         {message, func(r *http.Request) { r.Header.Set("Content-Type", "text/xml; charset=utf-16") }, http.StatusUnsupportedMediaType},
		"D7 two types":   {message, func(r *http.Request) { r.Header.Add("Content-Type", "text/xml; charset=utf-7") }, http.StatusUnsupportedMediaType},
		"Z6 two codings": {message, func(r *http.Request) { r.Header["Content-Encoding"] = []string{"identity", "gzip"} }, http.StatusUnsupportedMediaType},
		"compressed":     {message, func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, http.StatusUnsupportedMediaType},
		"too long":       {strings.Repeat(" ", 2<<20), func(*http.Request) {}, http.StatusRequestEntityTooLarge},
		"broken off":     {message, func(r *http.Request) { r.Body = io.NopCloser(brokenReader{}) }, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			if w := post(t, h, c.message, c.change); w.Code != c.status {
				t.Errorf("status %d, want %d", w.Code, c.status)
			}
		})
	}
	for name, c := range map[string]struct{ message, code, fault string }{
		"not XML": {"hello", "SOA-03001", "soapenv:Client"},
		"stolen":  {newDraft(string(issue(t, aliceIssue(pki.AliceEHealth.DER), &pki.STS))).sign(t, pki.BobEHealth.Key, assertionID), "SOA-01001", "wsse:FailedCheck"},
		"no doctor": {func() string {
			i := aliceIssue(pki.AliceEHealth.DER)
			i.Attributes = i.Attributes[:1]
			return string(call(t, issue(t, i, &pki.STS), pki.AliceEHealth.Key, now))
		}(), "SOA-01002", "wsse:FailedAuthentication"},
	} {
		t.Run(name, func(t *testing.T) {
			log.Reset()
			w := post(t, h, c.message)
			answer := w.Body.String()
			if w.Code != http.StatusInternalServerError || w.Header().Get("Content-Type") != "text/xml; charset=utf-8" {
				t.Error(w.Code, w.Header())
			}
			id := regexp.MustCompile(`Id="(_[0-9a-f]{32})"`).FindStringSubmatch(answer)
			if !strings.Contains(answer, "<Code>"+c.code+"</Code>") || !strings.Contains(answer, ">"+c.fault+"<") ||
				!strings.Contains(answer, "<soa:Environment>Test<") || id == nil {
				t.Fatal(answer)
			}
			if !strings.Contains(log.String(), id[1]) || !strings.Contains(log.String(), "cause=") {
				t.Error("the operator does not find the id:", log.String())
			}
			if strings.Contains(log.String(), testpki.AliceSSIN) || strings.Contains(log.String(), "Alice") {
				t.Error("personal data in the log:", log.String())
			}
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestZeroHandler: a Guard that nobody made guards all the same.
func TestZeroHandler(t *testing.T) {
	for _, g := range []*wsp.Guard{nil, {}} {
		h := g.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("called") }))
		for _, message := range []string{"", string(aliceCall(t))} {
			if w := post(t, h, message); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "SOA-00001") {
				t.Error(w.Code, w.Body)
			}
		}
	}
}
