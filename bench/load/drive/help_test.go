package drive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sceau/bench/load/measure"
)

// serverAddress says to this program, in its environment, that it is a server that does nothing, and where.
const serverAddress = "SCEAU_DRIVE_TEST_SERVER"

func TestMain(m *testing.M) {
	if address := os.Getenv(serverAddress); address != "" {
		serveNothing(address)
	}
	goleak.VerifyTestMain(m)
}

// messages is a Source of queries that say their number.
type messages struct {
	n     atomic.Uint64
	limit uint64 // 0: none
	err   error  // at the limit; nil: io.EOF
	live  bool
	dues  func(time.Time) // told of each due
}

func (m *messages) Next(due time.Time, shot *measure.Shot) error {
	n := m.n.Add(1) - 1
	if m.limit > 0 && n >= m.limit {
		if m.err != nil {
			return m.err
		}
		return io.EOF
	}
	if m.dues != nil {
		m.dues(due)
	}
	id := fmt.Sprintf("id-%d", n)
	*shot = measure.Shot{Kind: measure.Query, Body: []byte("<q>" + id + "</q>"), Action: "urn:test", ID: id, Sequence: n}
	return nil
}

func (m *messages) Live() bool { return m.live }

// judge holds an answer for right that repeats the message, and 503 for busy.
type judge struct{}

func (judge) Check(shot *measure.Shot, status int, body []byte) measure.Verdict {
	v := measure.Verdict{Class: measure.Right, Code: fmt.Sprintf("%d", status), Verified: true}
	switch {
	case status == 503:
		v.Class, v.Verified = measure.Busy, false
	case status != 200 || string(body) != string(shot.Body):
		v.Class, v.Verified, v.Why = measure.Wrong, false, "not what was sent"
	}
	return v
}

// A service is a fake server: it reads one request after the other and lets answer say what is written back, and whether the
// connection stays open.
type service struct {
	answer func(n int, request string, body []byte) (reply string, stay bool)

	mu   sync.Mutex
	over func(net.Conn) net.Conn // TLS; nil: none
	n    int                     // requests so far
	open map[net.Conn]bool       // true: a message came on it
	ends sync.WaitGroup
}

func (s *service) wrap(over func(net.Conn) net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = over
}

func echo(body []byte) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func echoing(_ int, _ string, body []byte) (string, bool) { return echo(body), true }

func (s *service) number() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	return s.n - 1
}

func (s *service) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// handle serves one connection.
func (s *service) handle(c net.Conn) {
	s.mu.Lock()
	if s.open == nil {
		s.open = map[net.Conn]bool{}
	}
	s.open[c] = false
	raw := c
	if s.over != nil {
		c = s.over(c)
	}
	s.mu.Unlock()
	s.ends.Go(func() {
		defer c.Close()
		in := bufio.NewReader(c)
		for {
			head, body, err := readRequest(in)
			if err != nil {
				return
			}
			if strings.HasPrefix(head, "OPTIONS") {
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				continue
			}
			s.use(raw)
			reply, stay := s.answer(s.number(), head, body)
			if _, err := io.WriteString(c, reply); err != nil || !stay {
				return
			}
		}
	})
}

func (s *service) use(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[c] = true
}

// closeUnused ends the connections on which no message came.
func (s *service) closeUnused() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, used := range s.open {
		if !used {
			c.Close()
		}
	}
}

func readRequest(in *bufio.Reader) (head string, body []byte, err error) {
	length := 0
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", nil, err
		}
		head += line
		fmt.Sscanf(line, "Content-Length: %d", &length)
		if line == "\r\n" {
			break
		}
	}
	body = make([]byte, length)
	_, err = io.ReadFull(in, body)
	return head, body, err
}

// hangUp ends all connections.
func (s *service) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		c.Close()
	}
}

// close ends all connections and waits for who serves them. There are no new ones.
func (s *service) close() {
	s.hangUp()
	s.ends.Wait()
}

// listen serves on a port of this machine and returns a plan for it.
func (s *service) listen(t testing.TB) (Plan, net.Listener) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.handle(c)
		}
	})
	t.Cleanup(func() {
		l.Close()
		accepting.Wait()
		s.close()
	})
	p := basePlan()
	p.Target.URL = "http://" + l.Addr().String() + "/service?x=1"
	return p, l
}

// piped returns a plan whose connections are in memory, for a bubble of synctest: time is what the test
// makes of it.
func (s *service) piped() Plan {
	p := basePlan()
	p.Target.URL = "http://fake/service"
	p.alarm = newRuntimeAlarm
	p.dial = func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		s.handle(server)
		return client, nil
	}
	return p
}

func basePlan() Plan {
	return Plan{Target: Target{Name: "fake"}, Source: &messages{}, Checker: judge{}, Connections: 4,
		Duration: 200 * time.Millisecond, Timeout: 20 * time.Second}
}

// holdTogether checks the sums that Run promises.
func holdTogether(t testing.TB, run *measure.Run) {
	t.Helper()
	c := run.Classes
	sum := func(counts map[string]uint64) (n uint64) {
		for _, one := range counts {
			n += one
		}
		return n
	}
	var classes, kinds uint64
	for _, n := range c {
		classes += n
	}
	for _, n := range run.Kinds {
		kinds += n
	}
	var p measure.Point
	for _, one := range run.Series {
		p.Offered += one.Offered
		p.Served += one.Served
		p.Busy += one.Busy
		p.Other += one.Other
	}
	unsentOrFailed := c[measure.Unsent] + c[measure.Failed] + c[measure.TimedOut]
	for _, identity := range []struct {
		name string
		a, b uint64
	}{
		{"Offered, Classes", run.Offered, classes},
		{"Offered, points", run.Offered, p.Offered},
		{"Answered, Right+Wrong+Busy", run.Answered, c[measure.Right] + c[measure.Wrong] + c[measure.Busy]},
		{"Answered, Kinds", run.Answered, kinds},
		{"Answered, Codes", run.Answered, sum(run.Codes)},
		{"Failed, Failures", c[measure.Failed], sum(run.Failures)},
		{"Right, points", c[measure.Right], p.Served},
		{"Busy, points", c[measure.Busy], p.Busy},
		{"other, points", c[measure.Wrong] + unsentOrFailed, p.Other},
		{"Right, Latency", c[measure.Right], uint64(run.Latency.Count())},
		{"Right, Service", c[measure.Right], uint64(run.Service.Count())},
		{"Busy, Refusal", c[measure.Busy], uint64(run.Refusal.Count())},
		{"Busy, RefusalService", c[measure.Busy], uint64(run.RefusalService.Count())},
	} {
		if identity.a != identity.b {
			t.Errorf("%s: %d and %d", identity.name, identity.a, identity.b)
		}
	}
	if run.Sent > run.Offered-c[measure.Unsent] || run.Sent < run.Answered {
		t.Errorf("%d sent of %d offered, %d unsent, %d answered", run.Sent, run.Offered, c[measure.Unsent], run.Answered)
	}
	if run.Duration < run.Offering {
		t.Errorf("lasted %v, and was offered for %v", run.Duration, run.Offering)
	}
	if run.Generator.Late != nil && uint64(run.Generator.Late.Count()) != run.Offered-c[measure.Unsent] {
		t.Errorf("lateness of %d, of %d", run.Generator.Late.Count(), run.Offered-c[measure.Unsent])
	}
}

var errTest = errors.New("the test says no")
