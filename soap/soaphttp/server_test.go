package soaphttp_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sceau/soap"
	"sceau/soap/soaphttp"
)

func TestAnswer(t *testing.T) {
	r := start(t, echo, nil)
	got := r.ask(t, post("<a/>", xmlType), 1)[0]
	if got.StatusCode != 200 || got.body != "<a/>" || got.Header.Get("Content-Type") != "text/xml; charset=utf-8" ||
		got.Header.Get("X-CorrelationID") != "correlation-1" {
		t.Errorf("%d %q %v", got.StatusCode, got.body, got.Header)
	}
	if got.Header.Get("Server") != "" {
		t.Errorf("the server says who it is: %s", got.Header.Get("Server"))
	}
	if _, err := http.ParseTime(got.Header.Get("Date")); err != nil {
		t.Errorf("Date %q", got.Header.Get("Date"))
	}
}

func TestStatusOfTheService(t *testing.T) {
	r := start(t, func(_ context.Context, _ *soaphttp.Request, dst []byte) (int, []byte, string) {
		return http.StatusInternalServerError, append(dst, "<fault/>"...), ""
	}, nil)
	got := r.ask(t, post("<a/>", xmlType), 1)[0]
	if got.StatusCode != 500 || got.body != "<fault/>" || got.Header["X-Correlationid"] != nil {
		t.Errorf("%d %q %v", got.StatusCode, got.body, got.Header)
	}
}

// TestRefusedBeforeXML: what HTTP can refuse never reaches the service.
func TestRefusedBeforeXML(t *testing.T) {
	var reached atomic.Int64
	r := start(t, func(_ context.Context, request *soaphttp.Request, dst []byte) (int, []byte, string) {
		reached.Add(1)
		return echo(context.Background(), request, dst)
	}, func(c *soaphttp.Config) { c.MaxBody, c.MaxHeader = 1000, 2048 })
	long := strings.Repeat("x", 1001)
	tests := []struct {
		name, request string
		status        int
	}{
		{"as it should be", post("<a/>", xmlType), 200},
		{"no charset", post("<a/>", "Content-Type: text/xml"), 200},
		{"other case", post("<a/>", `CONTENT-TYPE: Text/XML;CharSet="UTF-8"`), 200},
		{"other parameters", post("<a/>", `Content-Type: text/xml; action="x"; charset=UTF-8`), 200},
		{"chunked", "POST " + path + " HTTP/1.1\r\nHost: x\r\n" + xmlType + "\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n<a/>\r\n0\r\n\r\n", 200},
		{"HTTP/1.0", "POST " + path + " HTTP/1.0\r\n" + xmlType + "\r\nContent-Length: 4\r\n\r\n<a/>", 200},
		{"as long as can be", post(long[:1000], xmlType), 200},
		{"percent-encoded path", strings.Replace(post("<a/>", xmlType), "Saml11", "%53aml11", 1), 200},

		{"no media type", post("<a/>"), 415},
		{"SOAP 1.2", post("<a/>", "Content-Type: application/soap+xml; charset=utf-8"), 415},
		{"MTOM (D9): content that no signature sees", post("<a/>", `Content-Type: multipart/related; type="application/xop+xml"`), 415},
		{"a form that a browser sends across sites", post("<a/>", "Content-Type: text/plain"), 415},
		{"UTF-16 (D7): other characters to whoever believes the header", post("<a/>", "Content-Type: text/xml; charset=utf-16"), 415},
		{"Latin-1", post("<a/>", "Content-Type: text/xml; charset=iso-8859-1"), 415},
		{"two charsets", post("<a/>", "Content-Type: text/xml; charset=utf-8; charset=utf-7"), 415},
		{"gzip (Z6): a bomb", post("<a/>", xmlType, "Content-Encoding: gzip"), 415},
		{"identity is an encoding too", post("<a/>", xmlType, "Content-Encoding: identity"), 415},

		{"a body too long", post(long, xmlType), 413},
		{"a body that says it is too long", strings.Replace(post("<a/>", xmlType), "Length: 4", "Length: 1001", 1), 413},
		{"a length beyond any number", strings.Replace(post("<a/>", xmlType), "Length: 4", "Length: 99999999999999999999", 1), 400},
		{"chunks too long", "POST " + path + " HTTP/1.1\r\nHost: x\r\n" + xmlType + "\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + long + "\r\n0\r\n\r\n", 413},
		{"headers too long", post("<a/>", xmlType, "X-Long: "+strings.Repeat("x", 3000)), 431},
		{"a path too long", strings.Replace(post("<a/>", xmlType), path, path+"?"+strings.Repeat("x", 3000), 1), 431},

		{"two lengths: smuggling", post("<a/>", xmlType, "Content-Length: 3"), 400},
		{"a negative length", strings.Replace(post("<a/>", xmlType), "Length: 4", "Length: -4", 1), 400},
		{"no HTTP", "<a/>\r\n\r\n", 400},

		{"another path", strings.Replace(post("<a/>", xmlType), "v1", "v2", 1), 404},
		{"another case of the path", strings.Replace(post("<a/>", xmlType), "IAM", "iam", 1), 404},
		{"PUT", strings.Replace(post("<a/>", xmlType), "POST", "PUT", 1), 405},
		{"DELETE", "DELETE " + path + " HTTP/1.1\r\nHost: x\r\n\r\n", 405},
		{"GET", "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n", 405},
		{"TRACE: would echo what a proxy added", "TRACE " + path + " HTTP/1.1\r\nHost: x\r\n\r\n", 405},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := reached.Load()
			got := r.ask(t, test.request, 1)[0]
			if got.StatusCode != test.status {
				t.Errorf("status %d, want %d", got.StatusCode, test.status)
			}
			if (reached.Load() > before) != (test.status == 200) {
				t.Errorf("the service was asked: %v", reached.Load() > before)
			}
			switch test.status {
			case 400, 413, 415, 431: // whoever speaks SOAP is told in SOAP
				if !strings.Contains(got.body, "Fault>") || got.Header.Get("Content-Type") != "text/xml; charset=utf-8" {
					t.Errorf("no fault: %q %q", got.Header.Get("Content-Type"), got.body)
				}
			case 405:
				if got.Header.Get("Allow") == "" {
					t.Error("no Allow (RFC 9110 section 15.5.6)")
				}
			}
			if got.Header.Get("Date") == "" {
				t.Error("no Date")
			}
		})
	}
}

// TestBothLengths: a request with a length and in chunks is read by its chunks alone (RFC 9112
// section 6.3), so that what follows is not taken for another request; or refused.
func TestBothLengths(t *testing.T) {
	r := start(t, echo, nil)
	smuggled := "POST " + path + " HTTP/1.1\r\nHost: x\r\n" + xmlType + "\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
	got := r.ask(t, smuggled, 1)[0]
	if got.StatusCode == 200 && got.body != "" {
		t.Errorf("read by its length: %q", got.body)
	}
}

// TestSOAPAction: every form that clients send comes through as it stands; the service
// dispatches on the body (wire document 1.1).
func TestSOAPAction(t *testing.T) {
	r := start(t, func(_ context.Context, request *soaphttp.Request, dst []byte) (int, []byte, string) {
		return 200, fmt.Appendf(dst, "[%s]", request.Action), ""
	}, nil)
	const action = "urn:be:fgov:ehealth:sts:protocol:v1:RequestSecureToken"
	for _, test := range []struct{ name, header, want string }{
		{"absent", "X-Nothing: 1", "[]"},
		{"empty", "SOAPAction:", "[]"},
		{"empty quotes", `SOAPAction: ""`, `[""]`},
		{"quoted", `SOAPAction: "` + action + `"`, `["` + action + `"]`},
		{"unquoted", "SOAPAction: " + action, "[" + action + "]"},
		{"other case of the name", `Soapaction: "x"`, `["x"]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := r.ask(t, post("<a/>", xmlType, test.header), 1)[0]; got.body != test.want {
				t.Errorf("%s", got.body)
			}
		})
	}
}

func TestRemote(t *testing.T) {
	r := start(t, func(_ context.Context, request *soaphttp.Request, dst []byte) (int, []byte, string) {
		return 200, fmt.Append(dst, request.Remote), ""
	}, nil)
	if got := r.ask(t, post("<a/>", xmlType, "X-Forwarded-For: 8.8.8.8"), 1)[0]; got.body != "127.0.0.1" {
		t.Errorf("from %s", got.body)
	}
}

// TestOptions: connectors set their clocks by the Date of this answer.
func TestOptions(t *testing.T) {
	at := time.Date(2026, 11, 21, 20, 0, 0, 999, time.UTC)
	var clock atomic.Pointer[time.Time]
	clock.Store(&at)
	r := start(t, echo, func(c *soaphttp.Config) { c.Now = func() time.Time { return *clock.Load() } })
	for _, target := range []string{"/", path, "*"} {
		got := r.ask(t, "OPTIONS "+target+" HTTP/1.1\r\nHost: x\r\n\r\n", 1)[0]
		if got.StatusCode != 200 || got.Header.Get("Date") != "Sat, 21 Nov 2026 20:00:00 GMT" || len(got.Header["Date"]) != 1 || got.body != "" {
			t.Errorf("%s: %d %v %q", target, got.StatusCode, got.Header, got.body)
		}
	}
	later := at.Add(time.Second)
	clock.Store(&later)
	// The other answers have the same clock, and are otherwise as they should be.
	got := r.ask(t, post("<a/>", xmlType)+post("<b/>", xmlType)+"rubbish\r\n\r\n", 3)
	for i, want := range []string{"<a/>", "<b/>"} {
		if got[i].Header.Get("Date") != "Sat, 21 Nov 2026 20:00:01 GMT" || got[i].body != want || len(got[i].Header["Content-Length"]) != 1 {
			t.Errorf("%v %q", got[i].Header, got[i].body)
		}
	}
	if got[2].StatusCode != 400 || got[2].Header.Get("Date") != "Sat, 21 Nov 2026 20:00:01 GMT" {
		t.Errorf("%d %v", got[2].StatusCode, got[2].Header)
	}
}

func TestOptionsBySystemClock(t *testing.T) {
	r := start(t, echo, nil)
	before := time.Now().Truncate(time.Second).Add(-time.Second) // fasthttp renews it once a second
	got := r.ask(t, "OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n", 1)[0]
	date, err := http.ParseTime(got.Header.Get("Date"))
	if err != nil || date.Before(before.Add(-time.Second)) || date.After(time.Now().Add(time.Second)) {
		t.Errorf("Date %q: %v", got.Header.Get("Date"), err)
	}
}

func TestDescription(t *testing.T) {
	r := start(t, echo, func(c *soaphttp.Config) {
		c.Endpoints = append(c.Endpoints, soaphttp.Endpoint{Path: "/bare", Service: echo})
	})
	tests := []struct {
		target, body string
		status       int
	}{
		{path + "?wsdl", "<wsdl/>", 200},
		{path + "?WSDL", "<wsdl/>", 200},
		{path + "?xsd=protocol", "<schema/>", 200},
		{path + "?xsd=other", "", 404},
		{path + "?xsd=", "", 404},
		{path + "?x", "", 404},
		{path, "", 405},
		{"/bare?wsdl", "", 404},
		{"/bare?xsd=protocol", "", 404},
	}
	for _, test := range tests {
		got := r.ask(t, "GET "+test.target+" HTTP/1.1\r\nHost: x\r\n\r\n", 1)[0]
		if got.StatusCode != test.status || got.body != test.body {
			t.Errorf("%s: %d %q", test.target, got.StatusCode, got.body)
		}
		if test.status == 200 && got.Header.Get("Content-Type") != "text/xml; charset=utf-8" {
			t.Errorf("%s: %s", test.target, got.Header.Get("Content-Type"))
		}
	}
	response, err := http.Head(r.url + path + "?wsdl")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 200 || response.ContentLength != int64(len("<wsdl/>")) {
		t.Errorf("HEAD: %d, %d", response.StatusCode, response.ContentLength)
	}
}

func TestDocuments(t *testing.T) {
	var fails atomic.Bool
	r := start(t, echo, func(c *soaphttp.Config) {
		c.Documents = []soaphttp.Document{{Path: "/metadata", ContentType: "application/samlmetadata+xml", Body: func() ([]byte, error) {
			if fails.Load() {
				return nil, io.ErrUnexpectedEOF
			}
			return []byte("<metadata/>"), nil
		}}}
	})
	get := func(method string) answer {
		return r.ask(t, method+" /metadata HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 1)[0]
	}
	if got := get("GET"); got.StatusCode != 200 || got.body != "<metadata/>" || got.Header.Get("Content-Type") != "application/samlmetadata+xml" {
		t.Errorf("%d %q %v", got.StatusCode, got.body, got.Header)
	}
	if got := get("POST"); got.StatusCode != 405 || got.Header.Get("Allow") == "" {
		t.Errorf("POST: %d %v", got.StatusCode, got.Header)
	}
	fails.Store(true)
	if got := get("GET"); got.StatusCode != 503 || strings.Contains(got.body, "EOF") {
		t.Errorf("%d %q: the cause is the operator's", got.StatusCode, got.body)
	}
}

// TestDocumentKept: who has a document is told so, and who has another gets it.
func TestDocumentKept(t *testing.T) {
	var body atomic.Pointer[string]
	set := func(text string) { body.Store(&text) }
	set("one")
	r := start(t, echo, func(c *soaphttp.Config) {
		c.Documents = []soaphttp.Document{{Path: "/certificates", ContentType: "application/x-pem-file", MaxAge: time.Hour,
			Body: func() ([]byte, error) { return []byte(*body.Load()), nil }}}
	})
	get := func(tag string) answer {
		return r.ask(t, "GET /certificates HTTP/1.1\r\nHost: x\r\nIf-None-Match: "+tag+"\r\n\r\n", 1)[0]
	}
	first := get(`"none"`)
	tag := first.Header.Get("ETag")
	if first.StatusCode != 200 || first.body != "one" || tag == "" || first.Header.Get("Cache-Control") != "public, max-age=3600" {
		t.Fatalf("%d %q %v", first.StatusCode, first.body, first.Header)
	}
	for _, have := range []string{tag, `"x", W/` + tag, "*"} {
		if got := get(have); got.StatusCode != 304 || got.body != "" || got.Header.Get("ETag") != tag {
			t.Errorf("%s: %d %q %v", have, got.StatusCode, got.body, got.Header)
		}
	}
	set("two")
	if got := get(tag); got.StatusCode != 200 || got.body != "two" || got.Header.Get("ETag") == tag {
		t.Errorf("changed: %d %q %v", got.StatusCode, got.body, got.Header)
	}
}

// TestExpectContinue: .NET waits for it before it sends a body.
func TestExpectContinue(t *testing.T) {
	r := start(t, echo, nil)
	connection := r.dial(t)
	request := post("<a/>", xmlType, "Expect: 100-continue")
	head, body, _ := strings.Cut(request, "\r\n\r\n")
	if _, err := io.WriteString(connection, head+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(connection)
	if line, err := reader.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("%q, %v", line, err)
	}
	if line, err := reader.ReadString('\n'); err != nil || line != "\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := io.WriteString(connection, body); err != nil {
		t.Fatal(err)
	}
	if got, err := readAnswer(reader); err != nil || got.StatusCode != 200 || got.body != "<a/>" {
		t.Errorf("%v, %v", got, err)
	}
}

// TestKeepAlive: several requests on one connection, one of them refused, each with its
// own answer, in memory that is used again.
func TestKeepAlive(t *testing.T) {
	r := start(t, echo, nil)
	var text strings.Builder
	for i := range 20 {
		text.WriteString(post(strings.Repeat("x", 20-i), xmlType))
		text.WriteString(post("refused", "Content-Type: text/plain"))
	}
	for i, got := range r.ask(t, text.String(), 40) {
		if want := strings.Repeat("x", 20-i/2); i%2 == 0 && got.body != want || i%2 == 1 && got.StatusCode != 415 || got.Close {
			t.Errorf("answer %d: %d %q, close %v", i, got.StatusCode, got.body, got.Close)
		}
	}
}

// TestPanic: a message over which a service panics does not end the others.
func TestPanic(t *testing.T) {
	r := start(t, func(ctx context.Context, request *soaphttp.Request, dst []byte) (int, []byte, string) {
		if string(request.Body) == "panic" {
			panic("internal state: secret")
		}
		return echo(ctx, request, dst)
	}, func(c *soaphttp.Config) {
		c.Refused = func(int, *soap.Fault, netip.Addr) string {
			t.Error("a request that the Service saw was told as refused before it")
			return ""
		}
	})
	got := r.ask(t, post("<a/>", xmlType)+post("panic", xmlType)+post("<b/>", xmlType), 3)
	if got[0].body != "<a/>" || got[2].body != "<b/>" {
		t.Errorf("%q, %q", got[0].body, got[2].body)
	}
	if got[1].StatusCode != 500 || !strings.Contains(got[1].body, "<Code>SOA-00001</Code>") || strings.Contains(got[1].body, "secret") {
		t.Errorf("%d %q", got[1].StatusCode, got[1].body)
	}
	if r.InFlight() != 0 {
		t.Errorf("%d in flight", r.InFlight())
	}
}

// TestInFlight: requests beyond the limit are told to try later, and those below it are
// answered.
func TestInFlight(t *testing.T) {
	entered, leave := make(chan struct{}, 2), make(chan struct{})
	r := start(t, func(ctx context.Context, request *soaphttp.Request, dst []byte) (int, []byte, string) {
		entered <- struct{}{}
		<-leave
		return echo(ctx, request, dst)
	}, func(c *soaphttp.Config) { c.MaxInFlight = 2 })
	results := make(chan string, 2)
	for range 2 {
		go func() { results <- quietPost(r.url, "<a/>") }()
		<-entered
	}
	if r.InFlight() != 2 {
		t.Errorf("%d in flight", r.InFlight())
	}
	got := r.ask(t, post("<b/>", xmlType), 1)[0]
	if got.StatusCode != 503 || got.Header.Get("Retry-After") == "" || !strings.Contains(got.body, "Fault>") {
		t.Errorf("%d %v %q", got.StatusCode, got.Header, got.body)
	}
	// What costs nothing is answered still: clocks and descriptions.
	if got := r.ask(t, "OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n", 1)[0]; got.StatusCode != 200 {
		t.Errorf("OPTIONS: %d", got.StatusCode)
	}
	close(leave)
	for range 2 {
		if got := <-results; got != "200 <a/>" {
			t.Error(got)
		}
	}
	if got := r.ask(t, post("<c/>", xmlType), 1)[0]; got.body != "<c/>" {
		t.Errorf("after the crowd: %d", got.StatusCode)
	}
}

// quietPost asks and gives status and body, or the error, as text.
func quietPost(url, body string) string {
	response, err := http.Post(url+path, "text/xml", strings.NewReader(body))
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", response.StatusCode, text)
}

// TestSlowClient (Z7, slow loris): who does not finish a request in time is let go, and
// holds up nobody.
func TestSlowClient(t *testing.T) {
	r := start(t, echo, func(c *soaphttp.Config) { c.ReadTimeout = 200 * time.Millisecond })
	for name, beginning := range map[string]string{
		"in the headers": "POST " + path + " HTTP/1.1\r\nHost: x\r\nX-Slow:",
		"in the body":    strings.TrimSuffix(post("<a/>", xmlType), "/>"),
		"in silence":     "",
	} {
		t.Run(name, func(t *testing.T) {
			connection := r.dial(t)
			if _, err := io.WriteString(connection, beginning); err != nil {
				t.Fatal(err)
			}
			if got := r.ask(t, post("<b/>", xmlType), 1)[0]; got.body != "<b/>" {
				t.Errorf("another client: %d", got.StatusCode)
			}
			rest, err := io.ReadAll(connection) // ends when the server closes
			if err != nil {
				t.Fatal(err)
			}
			if beginning != "" && !strings.HasPrefix(string(rest), "HTTP/1.1 408 ") {
				t.Errorf("%q", rest)
			}
		})
	}
}

// TestShutdownLosesNoAnswer: requests that have begun when the server is told to stop are
// answered; new ones are not accepted; idle connections do not hold it up.
func TestShutdownLosesNoAnswer(t *testing.T) {
	const clients = 20
	var entered sync.WaitGroup
	entered.Add(clients)
	leave := make(chan struct{})
	r := start(t, func(ctx context.Context, request *soaphttp.Request, dst []byte) (int, []byte, string) {
		if string(request.Body) != "<idle/>" {
			entered.Done()
			<-leave
		}
		if ctx.Err() != nil {
			return 500, dst, ""
		}
		return echo(ctx, request, dst)
	}, nil)
	idle := r.dial(t)
	if _, err := io.WriteString(idle, post("<idle/>", xmlType)); err != nil {
		t.Fatal(err)
	}
	idleReader := bufio.NewReader(idle)
	if _, err := readAnswer(idleReader); err != nil {
		t.Fatal(err)
	}
	results := make(chan string, clients)
	for range clients {
		go func() { results <- quietPost(r.url, "<a/>") }()
	}
	entered.Wait()
	stopped := make(chan error, 1)
	go func() { stopped <- r.Shutdown(context.Background()) }()
	if _, err := idleReader.ReadByte(); err == nil { // the server has begun to stop
		t.Error("something on an idle connection")
	}
	select {
	case err := <-stopped:
		t.Fatalf("stopped with %d requests under way: %v", r.InFlight(), err)
	default:
	}
	close(leave)
	for range clients {
		if got := <-results; got != "200 <a/>" {
			t.Error(got)
		}
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if got := quietPost(r.url, "<late/>"); !strings.Contains(got, "refused") {
		t.Errorf("after the end: %s", got)
	}
}

func TestShutdownHasAnEnd(t *testing.T) {
	leave := make(chan struct{})
	entered := make(chan struct{})
	r := start(t, func(ctx context.Context, request *soaphttp.Request, dst []byte) (int, []byte, string) {
		close(entered)
		<-leave
		return echo(ctx, request, dst)
	}, nil)
	result := make(chan string, 1)
	go func() { result <- quietPost(r.url, "<a/>") }()
	<-entered
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Shutdown(ctx); err != context.Canceled {
		t.Errorf("%v", err)
	}
	close(leave)
	if got := <-result; got != "200 <a/>" {
		t.Error(got)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, endpoints := range map[string][]soaphttp.Endpoint{
		"no endpoint": nil,
		"no path":     {{Service: echo}},
		"no service":  {{Path: path}},
		"one twice":   {{Path: path, Service: echo}, {Path: path, Service: echo}},
	} {
		if server, err := soaphttp.New(soaphttp.Config{Endpoints: endpoints}); err == nil || server != nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
