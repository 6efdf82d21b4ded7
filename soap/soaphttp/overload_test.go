package soaphttp_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"sceau/soap/soaphttp"
)

// TestTooLongIsTold: a body over the limit is answered with 413, and the answer arrives while the
// peer is still sending, whatever it sends before it looks.
func TestTooLongIsTold(t *testing.T) {
	r := start(t, echo, func(c *soaphttp.Config) { c.MaxBody = 100 << 10 })
	for name, text := range map[string]string{
		"length": post(strings.Repeat("x", 3<<20), xmlType),
		"chunks": "POST " + path + " HTTP/1.1\r\nHost: x\r\n" + xmlType + "\r\nTransfer-Encoding: chunked\r\n\r\n" +
			strings.Repeat("10000\r\n"+strings.Repeat("x", 1<<16)+"\r\n", 40) + "0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			connection := r.dial(t)
			if _, err := io.WriteString(connection, text); err != nil { // all of it, before a look at the answer
				t.Fatal(err)
			}
			got, err := readAnswer(bufio.NewReader(connection))
			if err != nil || got.StatusCode != 413 || !strings.Contains(got.body, "Fault>") {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

// TestLargeBodiesAreBounded (Z7): many connections announce bodies at the limit, which fasthttp
// makes room for at once. The memory for them is bounded, those beyond it learn at once that they may
// come back, and small messages are served meanwhile.
func TestLargeBodiesAreBounded(t *testing.T) {
	const peers, limit, room = 300, 256 << 10, 8 << 20
	r := start(t, echo, func(c *soaphttp.Config) { c.MaxBody, c.MaxLargeBodies = limit, room })
	before := heap()
	refused, errs := make(chan answer, peers), make(chan error, peers)
	var connections []net.Conn
	announcement := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Length: %d\r\n\r\n<a>", path, xmlType, limit)
	for range peers {
		connection := r.dial(t)
		connections = append(connections, connection)
		if _, err := io.WriteString(connection, announcement); err != nil {
			t.Fatal(err)
		}
		go func() {
			got, err := readAnswer(bufio.NewReader(connection))
			if err != nil {
				errs <- err
				return
			}
			refused <- got
		}()
	}
	for range peers - room/limit {
		got := <-refused
		if got.StatusCode != 503 || got.Header.Get("Retry-After") == "" || !strings.Contains(got.body, "<Code>SOA-02002</Code>") {
			t.Fatalf("%d %q", got.StatusCode, got.body)
		}
	}
	if grown, bound := heap()-before, room+peers*48<<10; grown > bound {
		t.Errorf("%d KiB for %d announced bodies, at most %d are for them and their connections", grown>>10, peers, bound>>10)
	}
	if got := r.ask(t, post("<small/>", xmlType), 1)[0]; got.body != "<small/>" {
		t.Errorf("a small message meanwhile: %d", got.StatusCode)
	}
	for _, c := range connections {
		c.Close()
	}
	for range room / limit { // whose bodies never came: answered with an error, or cut off
		select {
		case <-refused:
		case <-errs:
		}
	}
	large := strings.Repeat("x", limit)
	for got := (answer{}); got.Response == nil || got.StatusCode == http.StatusServiceUnavailable; { // until the server has seen them go
		got = r.ask(t, post(large, xmlType), 1)[0]
		if got.StatusCode == http.StatusOK && got.body != large {
			t.Error("another body")
		}
	}
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestLargeBodyWhileAnswered: the room of a body is its own until the answer is made.
func TestLargeBodyWhileAnswered(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	r := start(t, func(ctx context.Context, request *soaphttp.Request, dst []byte) (int, []byte, string) {
		if request.Body[0] == 'x' {
			entered <- struct{}{}
			<-leave
		}
		return http.StatusOK, append(dst, "done"...), ""
	}, func(c *soaphttp.Config) { c.MaxBody, c.MaxLargeBodies = 100<<10, 128<<10 })
	held := make(chan string, 1)
	go func() { held <- quietPost(r.url, strings.Repeat("x", 100<<10)) }()
	<-entered
	if got := r.ask(t, post(strings.Repeat("y", 100<<10), xmlType), 1)[0]; got.StatusCode != 503 {
		t.Errorf("a second large body: %d", got.StatusCode)
	}
	chunks := "POST " + path + " HTTP/1.1\r\nHost: x\r\n" + xmlType + "\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n<a>\r\n0\r\n\r\n"
	if got := r.ask(t, chunks, 1)[0]; got.StatusCode != 200 {
		t.Errorf("chunks that turned out small: %d", got.StatusCode)
	}
	close(leave)
	if got := <-held; got != "200 done" {
		t.Error(got)
	}
	if got := r.ask(t, post(strings.Repeat("y", 100<<10), xmlType), 1)[0]; got.StatusCode != 200 {
		t.Errorf("after the first is answered: %d", got.StatusCode)
	}
}

// TestWaitingIsCounted: requests that wait because the processors are at work count as being in
// flight, so that they are refused when there are too many, although no more of them run at once than there are
// processors.
func TestWaitingIsCounted(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const peers, admitted = 60, 4
	work := make([]byte, 1<<20)
	r := start(t, func(_ context.Context, _ *soaphttp.Request, dst []byte) (int, []byte, string) {
		for range 3 { // some milliseconds without giving way, as a signature
			sum := sha256.Sum256(work)
			dst = append(dst, sum[:]...)
		}
		return http.StatusOK, dst, ""
	}, func(c *soaphttp.Config) { c.MaxInFlight = admitted })
	var connections []net.Conn
	for range peers {
		connections = append(connections, r.dial(t))
	}
	for _, c := range connections {
		if _, err := io.WriteString(c, post("<a/>", xmlType)); err != nil {
			t.Fatal(err)
		}
	}
	counts := map[int]int{}
	for _, c := range connections {
		got, err := readAnswer(bufio.NewReader(c))
		if err != nil {
			t.Fatal(err)
		}
		counts[got.StatusCode]++
	}
	if counts[200] == 0 || counts[503] == 0 || counts[200]+counts[503] != peers {
		t.Errorf("%v", counts)
	}
}
