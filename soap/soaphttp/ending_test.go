package soaphttp_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sceau/soap"
	"sceau/soap/soaphttp"
)

// announce is a request for path with a length and the beginning of a body.
func announce(length int, headers ...string) string {
	return "POST " + path + " HTTP/1.1\r\nHost: x\r\n" + xmlType + "\r\n" + strings.Join(append(headers, fmt.Sprint("Content-Length: ", length)), "\r\n") + "\r\n\r\n"
}

// TestLateAnswers: on a connection that was kept longer than a write may take, everything that
// can be said about a request still arrives.
func TestLateAnswers(t *testing.T) {
	const write = 50 * time.Millisecond
	r := start(t, echo, func(c *soaphttp.Config) { c.WriteTimeout = write })
	for name, test := range map[string]struct{ request, want string }{
		"continue":     {announce(4, "Expect: 100-continue"), "HTTP/1.1 100 "},
		"too long":     {announce(1000000) + "<a>", "HTTP/1.1 413 "},
		"no HTTP":      {"GARBAGE\r\n\r\n", "HTTP/1.1 400 "},
		"a good one":   {post("<b/>", xmlType), "HTTP/1.1 200 "},
		"out of place": {post("<b/>", "Content-Type: text/plain"), "HTTP/1.1 415 "},
	} {
		t.Run(name, func(t *testing.T) {
			connection := r.dial(t)
			reader := bufio.NewReader(connection)
			if _, err := io.WriteString(connection, post("<a/>", xmlType)); err != nil {
				t.Fatal(err)
			}
			if _, err := readAnswer(reader); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * write) // the thing itself: time passes on an idle connection
			if _, err := io.WriteString(connection, test.request); err != nil {
				t.Fatal(err)
			}
			if line, err := reader.ReadString('\n'); err != nil || !strings.HasPrefix(line, test.want) {
				t.Errorf("%q, %v", line, err)
			}
		})
	}
}

// TestHalfRequests: a request that ends before its end is told so, and is on record, wherever it
// ends; a connection on which nothing was asked is neither.
func TestHalfRequests(t *testing.T) {
	var told atomic.Int64
	r := start(t, echo, func(c *soaphttp.Config) {
		c.Refused = func(int, *soap.Fault, netip.Addr) string { told.Add(1); return "id" }
	})
	head := "POST " + path + " HTTP/1.1\r\nHost: x\r\n" + xmlType + "\r\n"
	for name, test := range map[string]struct {
		text string
		told int64
	}{
		"nothing":                  {"", 0},
		"after an answer":          {post("<a/>", xmlType), 0},
		"in the headers":           {head, 1},
		"before the first chunk":   {head + "Transfer-Encoding: chunked\r\n\r\n", 1},
		"in a chunk":               {head + "Transfer-Encoding: chunked\r\n\r\n10\r\n<a>", 1},
		"before the last chunk":    {head + "Transfer-Encoding: chunked\r\n\r\n3\r\n<a>\r\n", 1},
		"in the body":              {announce(10) + "<a>", 1},
		"of a second, in the body": {post("<a/>", xmlType) + announce(20<<10) + "<a>", 1},
	} {
		t.Run(name, func(t *testing.T) {
			before := told.Load()
			connection := r.dial(t)
			if _, err := io.WriteString(connection, test.text); err != nil {
				t.Fatal(err)
			}
			if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			answers, err := io.ReadAll(connection)
			if err != nil {
				t.Fatal(err)
			}
			if got := int64(strings.Count(string(answers), "HTTP/1.1 400 ")); got != test.told || told.Load()-before != test.told {
				t.Errorf("%d answers, %d told of, want %d: %q", got, told.Load()-before, test.told, answers)
			}
		})
	}
}

// TestExpectIsNotInvited: a body that would be refused is refused before it is sent.
func TestExpectIsNotInvited(t *testing.T) {
	var told atomic.Int64
	r := start(t, echo, func(c *soaphttp.Config) {
		c.MaxBody, c.MaxLargeBodies = 100<<10, 128<<10
		c.Refused = func(int, *soap.Fault, netip.Addr) string { told.Add(1); return "id" }
	})
	holder := r.dial(t)
	if _, err := io.WriteString(holder, announce(90<<10, "Expect: 100-continue")); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(holder).ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") { // and has all the room there is
		t.Fatalf("%q, %v", line, err)
	}
	for name, test := range map[string]struct {
		length, status int
		code           string
	}{
		"too long": {200 << 10, 413, "SOA-03002"},
		"no room":  {90 << 10, 503, "SOA-02002"},
	} {
		got := r.ask(t, announce(test.length, "Expect: 100-continue"), 1)[0]
		if got.StatusCode != test.status || !got.Close || !strings.Contains(got.body, "Fault>") || got.Header.Get("X-CorrelationID") != "id" {
			t.Errorf("%s: %v %q", name, got.Response, got.body)
		}
	}
	if told.Load() != 2 {
		t.Errorf("%d on record", told.Load())
	}
	small := r.ask(t, announce(4, "Expect: 100-continue"), 1)[0]
	if small.StatusCode != 100 {
		t.Errorf("a small body: %d", small.StatusCode)
	}
}
