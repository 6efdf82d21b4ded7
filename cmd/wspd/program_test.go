package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"sceau/audit"
	"sceau/internal/attack"
)

// guarded is what every configuration of these tests begins with.
const guarded = `
listen: {address: "127.0.0.1:0"}
issuers: ["urn:test:sts"]
sts: {pinned: [sts.pem]}
holders: [{kind: ehealth, roots: [{certificate: ca.pem}]}]
crl: {files: [ca.crl]}
require: [{name: "urn:be:fgov:person:ssin:doctor:boolean", namespace: "urn:be:fgov:certified-namespace:ehealth", values: ["true"]}]
audit: {dir: audit}
`

const callerKeys = `
caller: {keys: [caller.key], issuer: "https://guard.example", audience: "urn:service"}
`

// running is a program of these tests, with its folder.
type running struct {
	*program
	pki    *testPKI
	folder string
	log    *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t testing.TB, text string) *running {
	t.Helper()
	r := &running{pki: newPKI(t), folder: t.TempDir(), log: &lockedBuffer{}}
	if err := r.pki.write(r.folder); err != nil {
		t.Fatal(err)
	}
	r.configure(t, text)
	c, err := readConfig(r.path())
	if err != nil {
		t.Fatal(err)
	}
	if r.program, err = c.build(slog.New(slog.NewTextHandler(r.log, nil)), true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.close() }) // of the last program
	return r
}

func (r *running) path() string { return filepath.Join(r.folder, "wspd.yaml") }

func (r *running) configure(t testing.TB, text string) {
	t.Helper()
	if err := os.WriteFile(r.path(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// service listens as serve does.
func (r *running) service(t testing.TB) string {
	return listening(t, heard(bounded(r.handler(func(g *generation) http.Handler { return g.service }), 16, "")))
}

func (r *running) authorizer(t testing.TB) string {
	return listening(t, r.handler(func(g *generation) http.Handler { return g.authorizer }))
}

func listening(t testing.TB, h http.Handler) string {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// call is a message of a doctor.
func (r *running) call(t testing.TB) []byte {
	t.Helper()
	message, err := r.pki.message("true")
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// records gives the audit trail.
func (r *running) records(t testing.TB) (entries []*audit.Entry) {
	t.Helper()
	for e, err := range audit.List(filepath.Join(r.folder, "audit"), audit.Query{Service: service}) {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

// answer is what a request was answered.
type answerOf struct {
	status int
	header http.Header
	body   string
}

func send(t testing.TB, method, url string, message []byte, change ...func(*http.Request)) answerOf {
	t.Helper()
	r, err := http.NewRequest(method, url, bytes.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	if message != nil {
		r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	}
	for _, f := range change {
		f(r)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answerOf{response.StatusCode, response.Header, string(body)}
}

// upstream is a service that keeps what it was asked.
type upstream struct {
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
	serve    http.HandlerFunc // nil: answers "served"
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	u.mu.Lock()
	u.requests, u.bodies = append(u.requests, r), append(u.bodies, string(body))
	u.mu.Unlock()
	if u.serve != nil {
		u.serve(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Sceau-Caller", "for the service alone")
	io.WriteString(w, "served")
}

func (u *upstream) last(t testing.TB) (*http.Request, string) {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.requests) == 0 {
		t.Fatal("the service was not asked")
	}
	return u.requests[len(u.requests)-1], u.bodies[len(u.bodies)-1]
}

func (u *upstream) asked() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.requests)
}

// verified reads a token as a service would: by the published keys, for its own audience.
func (r *running) verified(t testing.TB, token, kind string, now time.Time) (jwt.Claims, claims) {
	t.Helper()
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(r.current.Load().minter.keySet(), &keys); err != nil {
		t.Fatal(err)
	}
	var algorithms []jose.SignatureAlgorithm
	for _, k := range keys.Keys {
		algorithms = append(algorithms, jose.SignatureAlgorithm(k.Algorithm))
	}
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil {
		t.Fatal(err, token)
	}
	if parsed.Headers[0].ExtraHeaders[jose.HeaderType] != kind {
		t.Error("type", parsed.Headers[0].ExtraHeaders)
	}
	var registered jwt.Claims
	var said claims
	if err := parsed.Claims(keys.Key(parsed.Headers[0].KeyID)[0].Key, &registered, &said); err != nil {
		t.Fatal(err)
	}
	if kind == callerType {
		if err := registered.ValidateWithLeeway(jwt.Expected{Issuer: "https://guard.example", AnyAudience: jwt.Audience{"urn:service"}, Time: now}, 0); err != nil {
			t.Error(err)
		}
	}
	return registered, said
}

func proxyConfig(url, more string) string {
	return guarded + callerKeys + "upstream: {url: '" + url + "/service?x=1'" + more + "}\n"
}

// TestProxy: what reaches the service is what was verified, and who sent it.
func TestProxy(t *testing.T) {
	u := &upstream{}
	r := start(t, proxyConfig(listening(t, u), "")+"actions: {'{urn:test}Echo': 'urn:test:Echo'}\n")
	at := r.service(t)
	message := r.call(t)
	got := send(t, http.MethodPost, at+"/other/path?y=2", message, func(q *http.Request) {
		q.Header.Set("SOAPAction", `"urn:test:DeleteAll"`)
		q.Header.Set("Sceau-Caller", "spoofed")
		q.Header["sceau-caller"] = []string{"spoofed"}
		q.Header.Set("X-Forwarded-For", "10.0.0.1")
		q.Header.Set("X-Remote-User", "root")
		q.Header.Set("Authorization", "Bearer stolen")
		q.Header.Set("Cookie", "a=b")
		q.Header.Set("Connection", "X-Correlationid")
		q.Header.Set("User-Agent", "eHealthTechnical/4.0.2")
		q.Header.Set("Traceparent", "00-1")
	})
	if got.status != http.StatusOK || got.body != "served" || got.header.Get("Content-Type") != "text/xml" {
		t.Fatal(got)
	}
	if got.header.Get("Sceau-Caller") != "" {
		t.Error("what is for the service alone comes back")
	}
	q, body := u.last(t)
	if q.Method != http.MethodPost || q.URL.String() != "/service?x=1" {
		t.Error(q.Method, q.URL)
	}
	if want := `<t:Echo xmlns:t="urn:test">hello</t:Echo>`; !strings.Contains(body, want) || strings.Contains(body, "Security") || strings.Contains(body, "Assertion") {
		t.Error("body", body)
	}
	for name := range q.Header {
		switch name {
		case "Content-Type", "Content-Length", "Soapaction", "Sceau-Caller", "User-Agent", "Traceparent", "Accept-Encoding":
		default:
			t.Errorf("header %s: %q reaches the service", name, q.Header[name])
		}
	}
	if q.Header.Get("SOAPAction") != `"urn:test:Echo"` || q.Header.Get("User-Agent") != "eHealthTechnical/4.0.2" || len(q.Header["Sceau-Caller"]) != 1 {
		t.Error(q.Header)
	}
	registered, said := r.verified(t, q.Header.Get("Sceau-Caller"), callerType, time.Now())
	if said.Confirmation.X5T != thumbprintOf(r.pki.holder) || said.Body != thumbprintOf([]byte(body)) || said.Operation.Name != "Echo" ||
		said.Holder.Type != "SSIN" || said.Holder.Identifier != "00000000097" || len(said.Attributes) != 2 || said.Attributes[1].Values[0] != "true" ||
		said.Assertion.ID != "_1" || registered.Subject != "CN=Alice" || registered.Expiry.Time().Sub(registered.IssuedAt.Time()) != time.Minute {
		t.Errorf("%+v %+v", registered, said)
	}
	records := r.records(t)
	if len(records) != 1 || records[0].Outcome != "success" || records[0].ID != registered.ID || records[0].Operation != "proxy" ||
		records[0].AssertionID != "_1" || records[0].Holder.Kind != "ehealth-person" || records[0].Action != "Echo" {
		t.Errorf("%+v", records[0])
	}
	// R1: the same message again; and one that nobody signed, one of no doctor.
	for name, c := range map[string]struct {
		message []byte
		code    string
	}{
		"R1":    {message, "SOA-01001"},
		"W21":   {[]byte(`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><x/></s:Body></s:Envelope>`), "SOA-01001"},
		"rules": {must(r.pki.message("false")), "SOA-01002"},
	} {
		if got := send(t, http.MethodPost, at, c.message); got.status != http.StatusInternalServerError || !strings.Contains(got.body, c.code) {
			t.Error(name, got)
		}
	}
	if u.asked() != 1 {
		t.Error("a refused message reached the service")
	}
	for _, e := range r.records(t)[1:] {
		if e.Outcome == "success" || e.Code == "" || e.Cause == "" {
			t.Errorf("%+v", e)
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// TestProxyAttacks: no variant of a message or of its assertion reaches the service, neither the body nor the message as it came.
func TestProxyAttacks(t *testing.T) {
	for _, forward := range []string{forwardBody, forwardMessage} {
		u := &upstream{}
		r := start(t, proxyConfig(listening(t, u), ", forward: "+forward))
		at := r.service(t)
		for _, of := range []func([]byte) ([]attack.Variant, error){attack.Message, attack.Enveloped} {
			variants, err := of(r.call(t))
			if err != nil || len(variants) < 20 {
				t.Fatal(len(variants), err)
			}
			for _, v := range variants {
				if got := send(t, http.MethodPost, at, v.Message); got.status != http.StatusInternalServerError || !strings.Contains(got.body, "SOA-0") {
					t.Errorf("%s: %v: %s", v.Name, got, v.Gain)
				}
			}
		}
		if u.asked() != 0 {
			t.Error(u.asked(), "attacks reached the service")
		}
	}
}

// TestProxyMessage: the message as it came, to whom wants it so; the token is bound to its octets.
func TestProxyMessage(t *testing.T) {
	u := &upstream{}
	r := start(t, proxyConfig(listening(t, u), ", forward: message"))
	message := r.call(t)
	if got := send(t, http.MethodPost, r.service(t), message); got.status != http.StatusOK {
		t.Fatal(got)
	}
	q, body := u.last(t)
	if body != string(message) || q.Header.Get("SOAPAction") != `""` {
		t.Error(q.Header, body)
	}
	if _, said := r.verified(t, q.Header.Get("Sceau-Caller"), callerType, time.Now()); said.Body != thumbprintOf(message) {
		t.Error(said.Body)
	}
}

// TestProxyFailures: a service that fails is told apart from a refusal, and tells a client nothing of itself.
func TestProxyFailures(t *testing.T) {
	release := make(chan struct{})
	u := &upstream{serve: func(w http.ResponseWriter, r *http.Request) { <-release }}
	slow := listening(t, u)
	gone := httptest.NewServer(u)
	gone.Close()
	for name, c := range map[string]struct {
		url, more string
		status    int
	}{
		"gone": {gone.URL, "", http.StatusBadGateway},
		"slow": {slow, ", timeout: 50ms", http.StatusGatewayTimeout},
	} {
		r := start(t, proxyConfig(c.url, c.more))
		got := send(t, http.MethodPost, r.service(t), r.call(t))
		if got.status != c.status || !strings.Contains(got.body, "SOA-02002") || strings.Contains(got.body, "127.0.0.1") {
			t.Error(name, got)
		}
		if id := r.records(t)[0].ID; !strings.Contains(got.body, id) || !strings.Contains(r.log.String(), id) {
			t.Errorf("%s: the operator does not find %s in %s", name, id, r.log)
		}
	}
	close(release)
	// What a service answers, faults too, is passed on as it is.
	u = &upstream{serve: func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, "its own fault")
	}}
	r := start(t, proxyConfig(listening(t, u), ""))
	if got := send(t, http.MethodPost, r.service(t), r.call(t)); got.status != http.StatusInternalServerError || got.body != "its own fault" {
		t.Error(got)
	}
}

// TestProxyStreams: an answer reaches the client while the service still writes.
func TestProxyStreams(t *testing.T) {
	more := make(chan struct{})
	u := &upstream{serve: func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "first,")
		w.(http.Flusher).Flush()
		<-more
		io.WriteString(w, "second")
	}}
	r := start(t, proxyConfig(listening(t, u), ""))
	response, err := http.Post(r.service(t), "text/xml", bytes.NewReader(r.call(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	first := make([]byte, len("first,"))
	if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != "first," {
		t.Fatal(string(first), err)
	}
	close(more)
	if rest, err := io.ReadAll(response.Body); err != nil || string(rest) != "second" {
		t.Error(string(rest), err)
	}
}

// TestAnswersApart: answers that are copied at the same time through lent buffers reach each its own client, whole.
func TestAnswersApart(t *testing.T) {
	u := &upstream{serve: func(w http.ResponseWriter, r *http.Request) {
		for range 100 {
			io.WriteString(w, strings.Repeat(r.Header.Get("X-Correlationid"), 1000))
			w.(http.Flusher).Flush()
		}
	}}
	r := start(t, proxyConfig(listening(t, u), ""))
	at := r.service(t)
	errs := make(chan string, 8)
	for i := range cap(errs) {
		message, name := r.call(t), string(rune('a'+i))
		go func() {
			q, err := http.NewRequest(http.MethodPost, at, bytes.NewReader(message))
			if err != nil {
				errs <- err.Error()
				return
			}
			q.Header.Set("Content-Type", "text/xml")
			q.Header.Set("X-Correlationid", name)
			response, err := http.DefaultTransport.RoundTrip(q)
			if err != nil {
				errs <- err.Error()
				return
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil || string(body) != strings.Repeat(name, 100_000) {
				errs <- name + " got another's, or not all"
				return
			}
			errs <- ""
		}()
	}
	for range cap(errs) {
		if said := <-errs; said != "" {
			t.Error(said)
		}
	}
}

// TestWSDL: the description is for everybody, and nothing else is.
func TestWSDL(t *testing.T) {
	u := &upstream{}
	r := start(t, proxyConfig(listening(t, u), ", wsdl: ca.pem"))
	at := r.service(t)
	if got := send(t, http.MethodGet, at+"/?wsdl", nil); got.status != http.StatusOK || !strings.Contains(got.body, "CERTIFICATE") {
		t.Error(got)
	}
	if got := send(t, http.MethodGet, at+"/?wsdl=1", nil); got.status != http.StatusMethodNotAllowed || u.asked() != 0 {
		t.Error(got)
	}
}

// TestReload: requirements, keys and the service change without a restart; what is wrong changes nothing; a message is not
// admitted again by the next generation.
func TestReload(t *testing.T) {
	first, second := &upstream{}, &upstream{}
	one, other := listening(t, first), listening(t, second)
	r := start(t, proxyConfig(one, ""))
	at := r.service(t)
	message := r.call(t)
	if got := send(t, http.MethodPost, at, message); got.status != http.StatusOK {
		t.Fatal(got)
	}
	r.configure(t, proxyConfig(one, ", forward: nothing"))
	if err := r.reload(r.path()); err == nil {
		t.Fatal("taken")
	}
	r.configure(t, strings.Replace(proxyConfig(other, ""), "ca.crl", "gone.crl", 1))
	if err := r.reload(r.path()); err == nil {
		t.Fatal("a CRL that is not there is taken")
	}
	if got := send(t, http.MethodPost, at, r.call(t)); got.status != http.StatusOK || first.asked() != 2 {
		t.Fatal("what is wrong changed something:", got)
	}
	r.configure(t, strings.Replace(proxyConfig(other, ""), `"true"`, `"false"`, 1))
	if err := r.reload(r.path()); err != nil {
		t.Fatal(err)
	}
	if got := send(t, http.MethodPost, at, message); !strings.Contains(got.body, "SOA-01001") {
		t.Error("R1: the message is admitted after a reload:", got)
	}
	if got := send(t, http.MethodPost, at, r.call(t)); !strings.Contains(got.body, "SOA-01002") {
		t.Error("the rules are the old ones:", got)
	}
	if got := send(t, http.MethodPost, at, must(r.pki.message("false"))); got.status != http.StatusOK || second.asked() != 1 {
		t.Error(got)
	}
}

// TestReloadUnderLoad: no request is lost to a reload.
func TestReloadUnderLoad(t *testing.T) {
	u := &upstream{}
	r := start(t, proxyConfig(listening(t, u), ""))
	at := r.service(t)
	stop := make(chan struct{})
	var group sync.WaitGroup
	var served atomic.Int32
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				message, err := r.pki.message("true")
				if err != nil {
					t.Error(err)
					return
				}
				response, err := http.Post(at, "text/xml", bytes.NewReader(message))
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(response.Body)
				response.Body.Close()
				if err != nil || response.StatusCode != http.StatusOK || string(body) != "served" {
					t.Error(response.Status, string(body), err)
					return
				}
				served.Add(1)
			}
		})
	}
	for range 10 {
		for before := served.Load(); served.Load() < before+4 && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
		if err := r.reload(r.path()); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	group.Wait()
	if report, err := audit.Verify(filepath.Join(r.folder, "audit")); err != nil || len(report.Findings) > 0 || len(r.records(t)) != int(served.Load()) {
		t.Errorf("%+v, %v: %d records of %d requests", report, err, len(r.records(t)), served.Load())
	}
}

// TestReplayAfterRestart: the trail tells the next process what was admitted (attacks.md R2).
func TestReplayAfterRestart(t *testing.T) {
	r := start(t, guarded)
	message := r.call(t)
	if got := send(t, http.MethodPost, r.service(t), message); got.status != http.StatusOK {
		t.Fatal(got)
	}
	r.close()
	c, err := readConfig(r.path())
	if err != nil {
		t.Fatal(err)
	}
	if r.program, err = c.build(discard, true); err != nil {
		t.Fatal(err)
	}
	at := r.service(t)
	if got := send(t, http.MethodPost, at, message); got.status != http.StatusInternalServerError || !strings.Contains(got.body, "SOA-01001") {
		t.Error("R2: admitted again after a restart:", got)
	}
	if got := send(t, http.MethodPost, at, r.call(t)); got.status != http.StatusOK {
		t.Error(got)
	}
}

// TestUnrecorded: what cannot be recorded is not let in.
func TestUnrecorded(t *testing.T) {
	u := &upstream{}
	r := start(t, proxyConfig(listening(t, u), ""))
	if err := r.trace.journal.Close(); err != nil {
		t.Fatal(err)
	}
	if got := send(t, http.MethodPost, r.service(t), r.call(t)); got.status != http.StatusInternalServerError || !strings.Contains(got.body, "SOA-02002") || u.asked() != 0 {
		t.Error(got)
	}
	r.trace.journal = nil
}

// TestAdmin: the numbers of the guard, and the keys of its tokens.
func TestAdmin(t *testing.T) {
	r := start(t, guarded+callerKeys)
	if got := send(t, http.MethodPost, r.service(t), r.call(t)); got.status != http.StatusOK {
		t.Fatal(got)
	}
	at := listening(t, r.admin(new(atomic.Bool)))
	got := send(t, http.MethodGet, at+"/metrics", nil)
	for _, want := range []string{`sceau_requests_total{code="",outcome="success",service="wsp"} 1`, "sceau_replay_entries 1", `sceau_crl_usable{authority=`, "sceau_audit_events_total 1"} {
		if !strings.Contains(got.body, want) {
			t.Errorf("no %s in\n%s", want, got.body)
		}
	}
	if got := send(t, http.MethodGet, at+"/jwks.json", nil); !strings.Contains(got.body, `"kty":"EC"`) || strings.Contains(got.body, `"d":`) {
		t.Error("a private key, or none:", got.body)
	}
	for path, want := range map[string]int{"/healthz/ready": 200, "/healthz/live": 200, "/": 404} {
		if got := send(t, http.MethodGet, at+path, nil); got.status != want {
			t.Error(path, got)
		}
	}
}
