package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/valyala/fasthttp/fasthttputil"

	"sceau/internal/testpki"
	"sceau/soap/soaphttp"
)

// BenchmarkHTTP is the HTTP layer alone: soaphttp as shipped, over a connection in memory that stays open, around a service
// that gives an answer that it has. Subtracted is the same exchange with a server that only reads as many octets
// and writes as many, turn by turn: that is the connection and the client.
func BenchmarkHTTP(b *testing.B) {
	request, answered := exchange(b)
	shipped := dial(b, func(l net.Listener) error {
		server, err := soaphttp.New(soaphttp.Config{Endpoints: []soaphttp.Endpoint{{Path: "/sts",
			Service: func(_ context.Context, _ *soaphttp.Request, dst []byte) (int, []byte, string) {
				return 200, append(dst, answered...), "0193a0a0a0a0a0a0a0a0a0a0a0a0a0a0"
			}}}})
		if err != nil {
			return err
		}
		return server.Serve(l)
	})
	length := firstExchange(b, shipped, request)
	bare := dial(b, func(l net.Listener) error { return echo(l, len(request), make([]byte, length)) })

	in := make([]byte, length)
	turn := func(c net.Conn) (time.Duration, float64) {
		const n = 40
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begin := cpu()
		for range n {
			fatal(b, roundTrip(c, request, in))
		}
		used := (cpu() - begin) / n
		runtime.ReadMemStats(&after)
		return used, float64(after.Mallocs-before.Mallocs) / n
	}
	var shippeds, bares times
	allocations, fewer := math.Inf(1), math.Inf(1)
	for b.Loop() {
		for range short {
			used, allocated := turn(shipped)
			if !bytes.HasPrefix(in, []byte(success200)) {
				b.Fatalf("answered %s", in)
			}
			shippeds, allocations = append(shippeds, used), min(allocations, allocated)
			used, allocated = turn(bare)
			bares, fewer = append(bares, used), min(fewer, allocated)
		}
	}
	whole, connection := quietest(shippeds, bares)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(micros(whole-connection), "µs")
	b.ReportMetric(allocations-fewer, "allocs/request")
	results.stage("HTTP", whole-connection, fmt.Sprintf("in no other step and in no ratio; %.0f allocations; the connection itself: %s µs", allocations-fewer, micro(connection)))
}

// exchange gives a request with its HTTP header, and the body of its answer.
func exchange(tb testing.TB) (request, answered []byte) {
	tb.Helper()
	message := (&store{}).sealed(tb, rsa2048, 1)[0]
	answered, err := answer(handler(tb, &testpki.Load().STS, written, nil), message, nil)
	fatal(tb, err)
	head := fmt.Sprintf("POST /sts HTTP/1.1\r\nHost: sts.example\r\nContent-Type: text/xml; charset=utf-8\r\nSOAPAction: \"\"\r\nContent-Length: %d\r\n\r\n", len(message))
	return append([]byte(head), message...), answered
}

// dial opens a connection to a server, over a listener in memory that is closed at the end.
func dial(tb testing.TB, serve func(net.Listener) error) net.Conn {
	tb.Helper()
	listener := fasthttputil.NewInmemoryListener()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = serve(listener) // it ends when the listener is closed
	}()
	c, err := listener.Dial()
	fatal(tb, err)
	tb.Cleanup(func() {
		c.Close()
		listener.Close()
		<-done
	})
	return c
}

// echo serves one connection: it reads requests of one length and answers each with out.
func echo(l net.Listener, length int, out []byte) error {
	c, err := l.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	in := make([]byte, length)
	for {
		if _, err := io.ReadFull(c, in); err != nil {
			return err
		}
		if _, err := c.Write(out); err != nil {
			return err
		}
	}
}

const success200 = "HTTP/1.1 200 "

func roundTrip(c net.Conn, request, in []byte) error {
	if _, err := c.Write(request); err != nil {
		return err
	}
	_, err := io.ReadFull(c, in)
	return err
}

// firstExchange makes one exchange, of which the answer must be a success, and gives its length, header included: the
// next ones have the same.
func firstExchange(tb testing.TB, c net.Conn, request []byte) int {
	tb.Helper()
	_, err := c.Write(request)
	fatal(tb, err)
	in := make([]byte, 64<<10)
	n := 0
	for !bytes.HasSuffix(in[:n], []byte("</soapenv:Envelope>")) {
		more, err := c.Read(in[n:])
		fatal(tb, err)
		n += more
	}
	if !bytes.HasPrefix(in, []byte(success200)) {
		tb.Fatalf("answered %s", in[:n])
	}
	return n
}
