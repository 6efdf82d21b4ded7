package fast_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"sceau/attrs"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/wsp"
	"sceau/wsp/fast"
	"sceau/wsp/wsptest"
)

var ssin = attrs.Designator{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification}

func alice(t testing.TB) string {
	return string(wsptest.Call(t, &testpki.Load().AliceEHealth, saml.Statement{Name: ssin.Name, Namespace: ssin.Namespace, Values: []string{testpki.AliceSSIN}}))
}

// serve answers requests, as their octets, over a connection in memory.
func serve(t testing.TB, h fasthttp.RequestHandler, change ...func(*fasthttp.Server)) func(request string) (int, string) {
	t.Helper()
	listener := fasthttputil.NewInmemoryListener()
	server := &fasthttp.Server{Handler: h, MaxRequestBodySize: 1 << 20}
	for _, f := range change {
		f(server)
	}
	ended := make(chan error)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() { server.ShutdownWithContext(context.Background()); <-ended })
	return func(request string) (int, string) {
		t.Helper()
		connection, err := listener.Dial()
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		go io.WriteString(connection, request)
		return read(t, connection)
	}
}

func read(t testing.TB, connection net.Conn) (int, string) {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func post(message, headers string) string {
	return fmt.Sprintf("POST /service HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Length: %d\r\n\r\n%s", headers, len(message), message)
}

const text = "Content-Type: text/xml; charset=utf-8\r\n"

// TestHandler: what is behind the guard sees the caller and the verified body only.
func TestHandler(t *testing.T) {
	var kept *wsp.Caller
	ask := serve(t, fast.Handler(wsptest.Guard(t), func(ctx *fasthttp.RequestCtx) {
		kept = fast.CallerFrom(ctx)
		if got := string(ctx.PostBody()); got != wsptest.Content || ctx.Request.Header.ContentLength() != len(got) {
			t.Errorf("body %q, %d", got, ctx.Request.Header.ContentLength())
		}
		if len(ctx.Request.Header.Peek("SOAPAction")) > 0 {
			t.Error("W23: an action that nobody signed")
		}
		if fast.DecisionIDFrom(ctx) == "" {
			t.Error("no id")
		}
		ctx.WriteString("done")
	}))
	if status, body := ask(post(alice(t), text+"SOAPAction: \"urn:test:DeleteAll\"\r\nsoapaction: again\r\n")); status != http.StatusOK || body != "done" {
		t.Fatal(status, body)
	}
	if got, ok := kept.Value(ssin); !ok || got != testpki.AliceSSIN || string(kept.Body()) != wsptest.Content {
		t.Error("a caller that does not outlive its request:", got)
	}
}

// TestRefused: nothing behind the guard is called, and the answer is that of net/http.
func TestRefused(t *testing.T) {
	g := wsptest.Guard(t)
	ask := serve(t, fast.Handler(g, func(*fasthttp.RequestCtx) { t.Error("called") }))
	message := alice(t)
	if caller, err := g.Admit([]byte(message), testpki.Now()); err != nil || caller.IsZero() {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		request string
		status  int
		answer  string
	}{
		"R1 again":       {post(message, text), 500, "SOA-01001"},
		"not XML":        {post("hello", text), 500, "SOA-03001"},
		"no body":        {post("", text), 500, "SOA-0300"},
		"GET":            {"GET /service HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 405, ""},
		"JSON":           {post(message, "Content-Type: application/json\r\n"), 415, ""},
		"no type":        {post(message, ""), 415, ""},
		"D9 multipart":   {post(message, "Content-Type: multipart/related; boundary=x\r\n"), 415, ""},
		"D7 UTF-16":      {post(message, "Content-Type: text/xml; charset=utf-16\r\n"), 415, ""},
		"D7 two types":   {post(message, text+"Content-Type: text/xml; charset=utf-7\r\n"), 415, ""},
		"Z6 two codings": {post(message, text+"Content-Encoding: identity\r\nContent-Encoding: gzip\r\n"), 415, ""},
		"Z6 compressed":  {post(message, text+"Content-Encoding: gzip\r\n"), 415, ""},
		"long":           {post(strings.Repeat(" ", 1<<20-1), text), 500, "SOA-03001"},
	} {
		t.Run(name, func(t *testing.T) {
			if status, body := ask(c.request); status != c.status || !strings.Contains(body, c.answer) {
				t.Error(status, body)
			}
		})
	}
	streamed := serve(t, fast.Handler(g, func(*fasthttp.RequestCtx) { t.Error("called") }), func(s *fasthttp.Server) { s.StreamRequestBody = true })
	if status, _ := streamed(post(alice(t), text)); status != http.StatusRequestEntityTooLarge {
		t.Error("a body that is read while it comes:", status)
	}
}

// TestZeroGuard: a guard that nobody made guards all the same.
func TestZeroGuard(t *testing.T) {
	for _, g := range []*wsp.Guard{nil, {}} {
		ask := serve(t, fast.Handler(g, func(*fasthttp.RequestCtx) { t.Error("called") }))
		if status, body := ask(post(alice(t), text)); status != 500 || !strings.Contains(body, "SOA-00001") {
			t.Error(status, body)
		}
	}
	var ctx fasthttp.RequestCtx
	if !fast.CallerFrom(&ctx).IsZero() || fast.DecisionIDFrom(&ctx) != "" {
		t.Error("somebody from nowhere")
	}
}

func ExampleHandler() {
	var t testing.T
	guard := wsptest.Guard(&t)
	defer guard.Close()
	service := func(ctx *fasthttp.RequestCtx) {
		ssin, _ := fast.CallerFrom(ctx).Value(attrs.Designator{Name: "urn:be:fgov:person:ssin", Namespace: attrs.NamespaceIdentification})
		fmt.Fprintf(ctx, "person %s", ssin)
	}
	var ctx fasthttp.RequestCtx
	ctx.Request.Header.SetMethod("POST")
	ctx.Request.Header.SetContentType("text/xml; charset=utf-8")
	ctx.Request.SetBodyString(alice(&t))
	fast.Handler(guard, service)(&ctx)
	fmt.Println(ctx.Response.StatusCode(), string(ctx.Response.Body()))
	// Output:
	// 200 person 00000000097
}
