package httpsource

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sceau/attrs"
)

// TestResolve: one request, all attributes, their validity, over HTTP and over mutual TLS with a token.
func TestResolve(t *testing.T) {
	noLeak(t)
	p := newPKI(t)
	p.write(t, "token", []byte(secret+"\n"))
	var requests atomic.Int64
	handler := func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.TLS != nil && r.Header.Get("Authorization") != "Bearer "+secret {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.RawQuery != "view=all" || r.Header.Get("Accept-Encoding") != "identity" || r.Method != "GET" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		answering(w, r)
	}
	plain, secured := serve(t, handler), p.serveTLS(t, handler)
	c := config(secured.URL)
	c.TLS, c.TokenFile = p.client(), p.file("token")
	for name, c := range map[string]Config{"plain to loopback": config(plain.URL), "mutual TLS and a token": c} {
		t.Run(name, func(t *testing.T) {
			s := open(t, c)
			requests.Store(0)
			for _, ssin := range []string{alice, nobody} {
				if err := once(t, s, t.Context(), ssin); err != nil {
					t.Error(err)
				}
			}
			if n := requests.Load(); n != 2 {
				t.Errorf("%d requests", n)
			}
			answers, err := s.Resolve(t.Context(), query(alice, all...), nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range answers {
				end := testNow().Add(c.TTL)
				if err := answers[i].Check(testNow()); err != nil || !answers[i].NotOnOrAfter.Equal(end) || answers[i].Source != "service" {
					t.Errorf("%s: %v, ends %v", answers[i].Definition.Name, err, answers[i].NotOnOrAfter)
				}
			}
			if err := s.Health(t.Context()); err != nil {
				t.Error(err)
			}
			c.HealthURL = strings.TrimSuffix(c.URLs[attrs.SubjectSSIN], "{ssin}?view=all") + alice + "?view=all"
			c.TTL = 10000 * time.Hour
			s = open(t, c)
			if err := s.Health(t.Context()); err != nil {
				t.Error(err)
			}
			if answers, err = s.Resolve(t.Context(), query(alice, nihii11), nil); err != nil || !answers[0].NotOnOrAfter.Equal(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)) {
				t.Errorf("%+v, %v", answers, err)
			}
		})
	}
}

// TestPost: the number goes in the body alone, and a relation in both of its numbers.
func TestPost(t *testing.T) {
	noLeak(t)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"is": %t}`, r.Method == "POST" && r.Header.Get("Content-Type") == "application/json" &&
			r.URL.String() == "/v1/pharmacies/71000040/holders" && string(body) == `{"who":{"ssin":"00000000097"},"n":[1.50,true,null]}`)
	})
	const relation = attrs.SubjectType("nihii/ssin")
	c := config(server.URL)
	c.Method = "POST"
	c.URLs = map[attrs.SubjectType]string{relation: server.URL + "/v1/pharmacies/{nihii}/holders"}
	c.Bodies = map[attrs.SubjectType]string{relation: `{"who": {"ssin": "{ssin}"}, "n": [1.50, true, null]}`}
	c.Mappings = []Mapping{{Definition: holder, Value: "/is"}}
	s := open(t, c)
	q := query(alice, holder)
	pharmacy, _ := attrs.EHealth().Find(attrs.Designator{Name: "urn:be:fgov:ehealth:1.0:pharmacy:nihii-number", Namespace: attrs.NamespaceIdentification})
	q.Subjects = append(q.Subjects, attrs.Keyed{By: pharmacy, Value: "71000040"})
	if s.Idempotent() || !open(t, config(server.URL)).Idempotent() {
		t.Error("a POST may be repeated, or a GET may not")
	}
	if answers, err := s.Resolve(t.Context(), q, nil); err != nil || told(answers) != "true" {
		t.Errorf("%q, %v", told(answers), err)
	}
}

// TestEcho: a cache that mixes people up must not give one person's recognition to another.
func TestEcho(t *testing.T) {
	noLeak(t)
	for body, want := range map[string]string{
		`{"person": {"ssin": "` + alice + `"}, "is": true}`:  "true",
		`{"person": {"ssin": "` + nobody + `"}, "is": true}`: "",
		`{"person": {"ssin": 93051822361}, "is": true}`:      "", // a number, perhaps without its zeros
		`{"person": {"ssin": null}, "is": true}`:             "",
		`{"person": {}, "is": true}`:                         "",
		`{"person": [], "is": true}`:                         "",
		`{"is": true}`:                                       "",
	} {
		c := config(serve(t, with(200, "application/json", body)).URL)
		c.Mappings = []Mapping{{Definition: doctor, Value: "/is"}}
		c.Echo = map[string]string{"ssin": "/person/ssin"}
		answers, err := open(t, c).Resolve(t.Context(), query(alice, doctor), nil)
		if want == "" && (attrs.ReasonOf(err) != attrs.BadAnswer || len(answers) != 0 || strings.Contains(err.Error(), nobody)) || want != "" && (err != nil || told(answers) != want) {
			t.Errorf("%s: %q, %v", body, told(answers), err)
		}
	}
	// All that are found, as in a list.
	c := config(serve(t, with(200, "application/json", `{"rows": [{"ssin": "`+alice+`"}, {"ssin": "`+nobody+`"}]}`)).URL)
	c.Mappings = []Mapping{{Definition: doctor, Rule: ByPresence, Items: "/rows"}}
	c.Echo = map[string]string{"ssin": "$.rows[*].ssin"}
	if answers, err := open(t, c).Resolve(t.Context(), query(alice, doctor), nil); attrs.ReasonOf(err) != attrs.BadAnswer {
		t.Errorf("%q, %v", told(answers), err)
	}
	// One whom the service does not know has no number.
	c = config(serve(t, answering).URL)
	c.Echo = map[string]string{"ssin": "/name/family"}
	if answers, err := open(t, c).Resolve(t.Context(), query(nobody, doctor), nil); err != nil || told(answers) != "false" {
		t.Errorf("%q, %v", told(answers), err)
	}
	for part, path := range map[string]string{"ssin": "ssin", "nihii": "/nihii", "": "/ssin"} {
		c.Echo = map[string]string{part: path}
		if s, err := Open(c); err == nil || !strings.Contains(err.Error(), "echo of "+part) {
			t.Errorf("%s at %s: %v, %v", part, path, s, err)
		}
	}
}

// with answers one body as the service does.
func with(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = []string{kind}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// TestRefusals: answers that are none. Each is an error of the source and denies nothing.
func TestRefusals(t *testing.T) {
	noLeak(t)
	const kind = "application/json"
	changed := func(old, new string) http.HandlerFunc { return with(200, kind, strings.Replace(document, old, new, 1)) }
	elsewhere := serve(t, answering)
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		reason  attrs.Reason
		why     string
	}{
		"an error of the service":      {with(500, kind, document), attrs.SourceUnavailable, "status 500"},
		"no authorisation":             {with(401, kind, document), attrs.SourceUnavailable, "status 401"},
		"another success":              {with(201, kind, document), attrs.SourceUnavailable, "status 201"},
		"no content":                   {with(204, kind, ""), attrs.SourceUnavailable, "status 204"},
		"a part":                       {with(206, kind, document), attrs.SourceUnavailable, "status 206"},
		"gone":                         {with(410, kind, unknownPerson), attrs.SourceUnavailable, "status 410"},
		"a gateway's not found":        {with(404, "text/html", "<h1>not found</h1>"), attrs.BadAnswer, "not application/json"},
		"a gateway's not found, JSON":  {with(404, kind, `{"code": "NO_ROUTE"}`), attrs.BadAnswer, "not said as configured"},
		"a not found without a reason": {with(404, kind, `{}`), attrs.BadAnswer, "not said as configured"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusFound)
		},
			attrs.SourceUnavailable, "status 302"},
		"a redirect with an answer": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", elsewhere.URL)
			with(301, kind, document)(w, r)
		}, attrs.SourceUnavailable, "status 301"},
		"another type":    {with(200, "text/plain", document), attrs.BadAnswer, "not application/json"},
		"no type":         {with(200, "", document), attrs.BadAnswer, "not application/json"},
		"another charset": {with(200, kind+"; charset=iso-8859-1", document), attrs.BadAnswer, "not application/json"},
		"two types": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = []string{kind, "text/html"}
			io.WriteString(w, document)
		}, attrs.BadAnswer, "not application/json"},
		"a compression bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(make([]byte, 64<<20))
			z.Close()
		}, attrs.BadAnswer, "encoded"},
		"a large body, announced": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Content-Length", "100000000")
			io.WriteString(w, document)
		}, attrs.BadAnswer, "more than"},
		"a body without end": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}, attrs.BadAnswer, "more than"},
		"a large header": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X", strings.Repeat("a", 2*maxHeaderBytes))
			answering(w, r)
		}, attrs.SourceUnavailable, ""},
		"less than announced": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Content-Length", "5000")
			io.WriteString(w, document)
		}, attrs.SourceUnavailable, "EOF"},
		"nothing": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, attrs.SourceUnavailable, "EOF"},
		"no HTTP": {func(w http.ResponseWriter, _ *http.Request) {
			c, _, _ := w.(http.Hijacker).Hijack()
			io.WriteString(c, "00000000097 is no answer\r\n\r\n")
			c.Close()
		}, attrs.SourceUnavailable, "the exchange failed"},
		"an empty body":     {with(200, kind, ""), attrs.BadAnswer, "no JSON"},
		"a list":            {with(200, kind, "["+document+"]"), attrs.BadAnswer, "another shape"},
		"null":              {with(200, kind, "null"), attrs.BadAnswer, "neither object"},
		"two texts":         {with(200, kind, document+document), attrs.BadAnswer, "more than one"},
		"broken off":        {with(200, kind, document[:200]), attrs.BadAnswer, "no JSON"},
		"not UTF-8":         {with(200, kind, `{"a": "`+"\xff"+`"}`), attrs.BadAnswer, "no UTF-8"},
		"a name twice":      {changed(`"doctor": true`, `"doctor": true, "doctor": false`), attrs.BadAnswer, "twice"},
		"twice, escaped":    {changed(`"doctor": true`, `"doctor": true, "d\u006fctor": false`), attrs.BadAnswer, "twice"},
		"half a character":  {changed(`"Example"`, `"\ud800"`), attrs.BadAnswer, "no UTF-8"},
		"very deep":         {changed(`"Example"`, strings.Repeat("[", 40)+strings.Repeat("]", 40)), attrs.BadAnswer, "deeply"},
		"a renamed member":  {changed(`"doctor"`, `"physician"`), attrs.BadAnswer, "does not have"},
		"a parent of null":  {changed(`{"doctor": true, "nurse": null}`, `null`), attrs.BadAnswer, "does not have"},
		"a string for true": {changed(`"doctor": true`, `"doctor": "true"`), attrs.BadAnswer, "another kind"},
		"a one for true":    {changed(`"doctor": true`, `"doctor": 1`), attrs.BadAnswer, "another kind"},
		"an object":         {changed(`"doctor": true`, `"doctor": {}`), attrs.BadAnswer, "another kind"},
		"a number":          {changed(`"71000040001"`, `71000040001`), attrs.BadAnswer, "another kind"},
		"a wrong digit":     {changed(`"71000040001"`, `"71000041001"`), attrs.BadAnswer, "not one of its kind"},
		"two at once":       {changed(`"2021-01-01T00:00:00Z"`, `"2031-01-01T00:00:00Z"`), attrs.BadAnswer, "several"},
		"two booleans":      {changed(`"doctor": true`, `"doctor": [true, false]`), attrs.BadAnswer, "several"},
		"a word in no list": {changed(`"hospital"`, `"home"`), attrs.BadAnswer, "neither"},
		"no list":           {changed(`"numbers": [`, `"numbers": {}, "x": [`), attrs.BadAnswer, "another shape"},
		"a date":            {changed(`"2026-01-01T00:00:00Z"`, `"2026-01-01"`), attrs.BadAnswer, "RFC 3339"},
		"no time":           {changed(`"2026-01-01T00:00:00Z"`, `1767225600`), attrs.BadAnswer, "RFC 3339"},
		"the zero time":     {changed(`"2027-01-01T01:00:00+01:00"`, `"0001-01-01T00:00:00Z"`), attrs.BadAnswer, "RFC 3339"},
		"a missing bound":   {changed(`"until": "2027-01-01T01:00:00+01:00"`, `"til": null`), attrs.BadAnswer, "does not have"},
		"backwards":         {changed(`"2026-01-01T00:00:00Z"`, `"2028-01-01T00:00:00Z"`), attrs.BadAnswer, "before it begins"},
		"markup":            {changed(`"Example"`, `"a\u0000b"`), attrs.BadAnswer, "not one of its kind"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, config(serve(t, tt.handler).URL))
			dst := []attrs.Certified{{Source: "before"}}
			answers, err := s.Resolve(t.Context(), query(alice, all...), dst)
			if attrs.ReasonOf(err) != tt.reason || len(answers) != 1 || answers[0].Source != "before" {
				t.Fatalf("%q, %v", told(answers), err)
			}
			if !strings.Contains(err.Error(), tt.why) {
				t.Errorf("%v, want %q", err, tt.why)
			}
			var e *attrs.Error
			if !errors.As(err, &e) || e.Source != "service" {
				t.Errorf("%v does not name the source", err)
			}
			discreet(t, err)
		})
	}
}

// TestTLS: a server or client that is not who it should be.
func TestTLS(t *testing.T) {
	noLeak(t)
	p := newPKI(t)
	server := p.serveTLS(t, answering)
	for name, tt := range map[string]struct {
		change func(*Config)
		why    string
	}{
		"another CA":     {func(c *Config) { c.TLS.CAFile = p.file("other-ca.pem") }, "unknown authority"},
		"another name":   {func(c *Config) { c.TLS.ServerName = "api.example" }, "api.example"},
		"no certificate": {func(c *Config) { c.TLS.CertificateFile, c.TLS.KeyFile = "", "" }, "certificate required"},
		"another certificate": {func(c *Config) {
			c.TLS.CertificateFile, c.TLS.KeyFile = p.file("other-ca-client.pem"), p.file("other-ca-client.key")
		}, ""},
		"ended": {func(c *Config) { c.Now = func() time.Time { return testNow().Add(2 * time.Hour) } }, "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			c := config(server.URL)
			c.TLS = p.client()
			tt.change(&c)
			s := open(t, c)
			if err := once(t, s, t.Context(), alice); attrs.ReasonOf(err) != attrs.SourceUnavailable || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("%v, want %q", err, tt.why)
			}
		})
	}
}

// TestToken: a token is read again when its file changes, and one that is taken away is not sent.
func TestToken(t *testing.T) {
	noLeak(t)
	p := newPKI(t)
	var seen atomic.Value
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.Header.Get("Authorization"))
		answering(w, r)
	})
	c := config(server.URL)
	c.TokenFile = p.file("token")
	p.write(t, "token", []byte("first"))
	s := open(t, c)
	for _, text := range []string{"first", "another"} {
		p.write(t, "token", []byte(text))
		if err := once(t, s, t.Context(), alice); err != nil || seen.Load() != "Bearer "+text {
			t.Errorf("%v, %v", err, seen.Load())
		}
	}
	for name, spoil := range map[string]func(){
		"gone":             func() { os.Remove(p.file("token")) },
		"empty":            func() { p.write(t, "token", nil) },
		"a header more":    func() { p.write(t, "token", []byte("a\r\nX: y")) },
		"a blank":          func() { p.write(t, "token", []byte("secret secret")) },
		"padding and none": func() { p.write(t, "token", []byte("===")) },
	} {
		spoil()
		seen.Store("")
		if err := once(t, s, t.Context(), alice); attrs.ReasonOf(err) != attrs.SourceUnavailable || seen.Load() != "" {
			t.Errorf("%s: %v, sent %q", name, err, seen.Load())
		}
	}
}

// TestCacheControl: an answer ends with its max-age less its Age, where that is heeded.
func TestCacheControl(t *testing.T) {
	for name, tt := range map[string]struct {
		control, age string
		heed         bool
		ends         time.Duration // zero: refused
	}{
		"not heeded":        {"max-age=60", "", false, 24 * time.Hour},
		"heeded":            {"private, max-age=60", "", true, time.Minute},
		"quoted":            {`max-age="60"`, "", true, time.Minute},
		"aged":              {"MAX-AGE=60", "20", true, 40 * time.Second},
		"longer than TTL":   {"max-age=864000", "", true, 24 * time.Hour},
		"the shorter":       {"max-age=60, max-age=30", "", true, 30 * time.Second},
		"not said":          {"no-transform", "", true, 24 * time.Hour},
		"run out":           {"max-age=60", "60", true, 0},
		"none":              {"max-age=0", "", true, 0},
		"no number":         {"max-age=soon", "", true, 0},
		"an age of nothing": {"max-age=60", "-1", true, 0},
	} {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", tt.control)
			w.Header().Set("Age", tt.age)
			answering(w, r)
		})
		c := config(server.URL)
		c.CacheControl = tt.heed
		s := open(t, c)
		for _, ssin := range []string{alice, nobody} {
			answers, err := s.Resolve(t.Context(), query(ssin, doctor), nil)
			if tt.ends == 0 {
				if attrs.ReasonOf(err) != attrs.BadAnswer {
					t.Errorf("%s: %v", name, err)
				}
			} else if err != nil || !answers[0].NotOnOrAfter.Equal(testNow().Add(tt.ends)) {
				t.Errorf("%s: %+v, %v", name, answers, err)
			}
		}
	}
}
