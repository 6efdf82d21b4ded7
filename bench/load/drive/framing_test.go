package drive

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sceau/bench/load/measure"
)

// TestFraming: what a server may say is understood, what it may not is a failure with a name; and a connection
// is used again only when its answer left it in order.
func TestFraming(t *testing.T) {
	const again, anew = 1, 5 // connections that five messages need
	plain := func(head string) func([]byte) string {
		return func(body []byte) string {
			return "HTTP/1.1 200 OK\r\n" + head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
		}
	}
	fixed := func(reply string) func([]byte) string { return func([]byte) string { return reply } }
	inBody := func(before, after string) func([]byte) string {
		return func(body []byte) string { return before + string(body) + after }
	}
	for _, test := range []struct {
		name  string
		reply func(body []byte) string
		ends  bool // the server ends the connection after its reply
		dials int32
		class measure.Class
		cause string // of Failed; of Wrong the code
	}{
		{"length", plain(""), false, again, measure.Right, ""},
		{"chunked", func(b []byte) string {
			return fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n%s\r\n%x;x=y\r\n%s\r\n0\r\n\r\n", b[:3], len(b)-3, b[3:])
		}, false, again, measure.Right, ""},
		{"chunked with a trailer", func(b []byte) string {
			return fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-After\r\n\r\n%x\r\n%s\r\n0\r\nX-After: 1\r\n\r\n", len(b), b)
		}, false, again, measure.Right, ""},
		{"after 100 Continue", func(b []byte) string { return "HTTP/1.1 100 Continue\r\n\r\n" + plain("")(b) }, false, again, measure.Right, ""},
		{"to the end of the connection", inBody("HTTP/1.1 200 OK\r\n\r\n", ""), true, anew, measure.Right, ""},
		{"Connection: close", plain("Connection: close\r\n"), true, anew, measure.Right, ""},
		{"Connection: Close, though it stays", plain("Connection: Close\r\n"), false, anew, measure.Right, ""},
		{"close in a list", plain("Connection: x-other, CLOSE\r\n"), false, anew, measure.Right, ""},
		{"HTTP/1.0", func(b []byte) string { return strings.Replace(plain("")(b), "1.1", "1.0", 1) }, true, anew, measure.Right, ""},
		{"busy", fixed("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"), false, again, measure.Busy, ""},
		{"another answer", fixed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"), false, again, measure.Wrong, "200"},
		{"no content", fixed("HTTP/1.1 204 No Content\r\n\r\n"), false, again, measure.Wrong, "204"},
		{"another protocol", fixed("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"), false, anew, measure.Wrong, "101"},

		{"nothing", fixed(""), true, anew, measure.Failed, "closed without an answer"},
		{"part of the head", fixed("HTTP/1.1 200 OK\r\nContent-Le"), true, anew, measure.Failed, "closed within the answer"},
		{"part of the body", fixed("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf"), true, anew, measure.Failed, "closed within the answer"},
		{"part of the chunks", fixed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"), true, anew, measure.Failed, "closed within the answer"},
		{"no trailer", fixed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n"), true, anew, measure.Failed, "ill-formed HTTP"},
		{"garbage", fixed("\x00\x01garbage\r\n\r\n"), false, anew, measure.Failed, "ill-formed HTTP"},
		{"garbage in the chunks", fixed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), false, anew, measure.Failed, "ill-formed HTTP"},
		{"two lengths", fixed("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nno"), false, anew, measure.Failed, "ill-formed HTTP"},
		{"two answers", func(b []byte) string { return plain("")(b) + plain("")(b) }, false, anew, measure.Failed, "bytes after the answer"},
		{"more than its length", inBody("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", ""), false, anew, measure.Failed, "bytes after the answer"},
		{"endless head", fixed("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxHeader)), false, anew, measure.Failed, "header of the answer too large"},
		{"long body", fixed(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", maxAnswer+1)), false, anew, measure.Failed, "answer too large"},
		{"long chunk", fixed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n"), false, anew, measure.Failed, "answer too large"},
		{"endless body", fixed("HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", maxAnswer+maxHeader)), false, anew, measure.Failed, "answer too large"},
		{"100 Continue for ever", fixed(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 200)), false, anew, measure.Failed, "ill-formed HTTP"},

		{"slow", fixed("HTTP/1.1 200 OK\r\nContent-Le"), false, anew, measure.TimedOut, ""},
		{"slow body", fixed("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf"), false, anew, measure.TimedOut, ""},
		{"slow chunks", fixed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nha"), false, anew, measure.TimedOut, ""},
		{"silent", fixed(""), false, anew, measure.TimedOut, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{answer: func(_ int, _ string, body []byte) (string, bool) { return test.reply(body), !test.ends }}
				defer s.close()
				p := s.piped()
				var dials atomic.Int32
				p.dial = counted(&dials, p.dial)
				p.Rate, p.Connections, p.Duration, p.Timeout = 1, 1, 5*time.Second, time.Second/2
				run := mustRun(t, p)
				if run.Classes[test.class] != 5 {
					t.Errorf("%v, %v", run.Classes, run.Failures)
				}
				if test.class == measure.Failed && run.Failures[test.cause] != 5 {
					t.Errorf("causes %v", run.Failures)
				}
				if test.class == measure.Wrong && (run.Codes[test.cause] != 5 || len(run.Wrong) != 5) {
					t.Errorf("codes %v, wrong %v", run.Codes, run.Wrong)
				}
				if n := dials.Load(); n != test.dials {
					t.Errorf("%d connections, not %d", n, test.dials)
				}
			})
		})
	}
}

func counted(n *atomic.Int32, dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		n.Add(1)
		return dial(ctx, network, address)
	}
}

// TestRequest: what is sent, and how many bytes it was.
func TestRequest(t *testing.T) {
	for _, anew := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var requests sync.Map
			s := &service{answer: func(_ int, head string, body []byte) (string, bool) {
				requests.Store(string(body), head+string(body))
				return echo(body), true
			}}
			defer s.close()
			p := s.piped()
			var dials atomic.Int32
			p.dial = counted(&dials, p.dial)
			p.Target.URL, p.NewConnections = "http://fake:81/a/b?c=d", anew
			p.Rate, p.Connections, p.Duration = 1, 6, 4*time.Second
			run := mustRun(t, p)
			closing, wantDials := "", int32(6)
			if anew {
				closing, wantDials = "Connection: close\r\n", 5 // the first finds out whether there is a server
			}
			want := "POST /a/b?c=d HTTP/1.1\r\nHost: fake:81\r\nUser-Agent: sceau-load\r\nContent-Type: text/xml; charset=utf-8\r\n" + closing +
				"SOAPAction: \"urn:test\"\r\nContent-Length: 11\r\n\r\n<q>id-3</q>"
			if got, _ := requests.Load("<q>id-3</q>"); got != want {
				t.Errorf("sent %q", got)
			}
			if run.BytesSent != 4*uint64(len(want)) || run.BytesReceived != 4*uint64(len(echo(make([]byte, 11)))) {
				t.Errorf("%d bytes sent, %d received", run.BytesSent, run.BytesReceived)
			}
			if dials.Load() != wantDials || run.Sent != 4 {
				t.Errorf("%d connections, %d sent", dials.Load(), run.Sent)
			}
		})
	}
}

// TestEarlyAnswer: a server that refuses without having read all has answered.
func TestEarlyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := basePlan()
		p.Target.URL, p.alarm, p.Rate, p.Connections, p.Duration = "http://fake/", newRuntimeAlarm, 1, 1, 3*time.Second
		p.dial = func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				server.Read(make([]byte, 10)) // then it has seen enough
				server.Close()
			}()
			return &early{Conn: client}, nil
		}
		run := mustRun(t, p)
		if run.Classes[measure.Busy] != 3 || run.Sent != 3 {
			t.Errorf("%v, %v", run.Classes, run.Failures)
		}
	})
}

// early has an answer in store although what was written did not arrive.
type early struct {
	net.Conn
	done bool
}

func (e *early) Read(p []byte) (int, error) {
	if e.done {
		return e.Conn.Read(p)
	}
	e.done = true
	return copy(p, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"), nil
}

// TestNoVerdict: a checker that says nothing has not said Right.
func TestNoVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: echoing}
		defer s.close()
		p := s.piped()
		p.Rate, p.Duration, p.Checker = 10, time.Second, silent{}
		run := mustRun(t, p)
		if run.Classes[measure.Wrong] != 10 || run.Served != 0 || run.Wrong[0].Why != `the checker gave no verdict but ""` {
			t.Errorf("%v, %v", run.Classes, run.Wrong)
		}
	})
}

type silent struct{}

func (silent) Check(*measure.Shot, int, []byte) measure.Verdict { return measure.Verdict{} }
