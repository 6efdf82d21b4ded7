package drive

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math"
	"math/big"
	"net"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sceau/bench/load/measure"
)

// TestRealConnections: the sums hold against servers of all kinds, over the network of this machine.
func TestRealConnections(t *testing.T) {
	mixed := func(n int, _ string, body []byte) (string, bool) {
		switch n % 7 {
		case 1:
			return "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", true
		case 2:
			return echo(body), false
		case 3:
			return "", false
		case 4:
			return "garbage\r\n\r\n", true
		case 5:
			return echo([]byte("another")), true
		}
		return echo(body), true
	}
	for name, answer := range map[string]func(int, string, []byte) (string, bool){"good": echoing, "mixed": mixed} {
		for kind, change := range map[string]func(*Plan){
			"constant":        func(p *Plan) { p.Rate = 400 },
			"poisson":         func(p *Plan) { p.Rate, p.Poisson = 400, true },
			"closed":          func(*Plan) {},
			"new connections": func(p *Plan) { p.Rate, p.NewConnections = 400, true },
			"idle beside":     func(p *Plan) { p.Rate, p.Idle, p.Warmup = 400, 100, 50*time.Millisecond },
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				s := &service{answer: answer}
				p, _ := s.listen(t)
				p.Target.PID = os.Getpid()
				change(&p)
				run := mustRun(t, p)
				c := run.Classes
				if run.Offered == 0 || c[measure.Right] == 0 || c[measure.Unsent]+c[measure.TimedOut] > 0 {
					t.Errorf("%v", c)
				}
				if name == "good" && c[measure.Right] != run.Offered || name == "mixed" && c[measure.Busy]*c[measure.Wrong]*c[measure.Failed] == 0 {
					t.Errorf("%v", c)
				}
				if p.Rate == 400 && !p.Poisson && run.Offered != 80 {
					t.Errorf("%d offered", run.Offered)
				}
				if run.Idle != p.Idle || run.IdleAsked != p.Idle {
					t.Errorf("%d idle connections of %d", run.Idle, run.IdleAsked)
				}
				if runtime.GOOS == "linux" && (run.Server == nil || run.Server.RSSMax < run.Server.RSS || run.Server.RSSIdle == 0) {
					t.Errorf("server: %+v", run.Server)
				}
			})
		}
	}
}

func TestNobodyThere(t *testing.T) {
	s := &service{answer: echoing}
	p, l := s.listen(t)
	l.Close()
	for name, change := range map[string]func(*Plan){
		"open":   func(p *Plan) { p.Rate = 10 },
		"closed": func(*Plan) {},
		"new":    func(p *Plan) { p.NewConnections = true },
		"idle":   func(p *Plan) { p.Idle = 3 },
	} {
		p := p
		change(&p)
		if run, err := Run(context.Background(), p); err == nil || run != nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestServerGoesAway: what cannot be sent because nobody listens any more is a failure, and was not sent.
func TestServerGoesAway(t *testing.T) {
	for name, rate := range map[string]float64{"open": 300, "closed": 0} {
		t.Run(name, func(t *testing.T) {
			var l net.Listener
			s := &service{answer: func(n int, _ string, body []byte) (string, bool) {
				if n == 10 {
					l.Close()
				}
				return echo(body), n < 10
			}}
			var p Plan
			p, l = s.listen(t)
			p.Rate = rate
			run := mustRun(t, p)
			if run.Failures["connection refused"] == 0 || run.Sent >= run.Offered || run.Classes[measure.Right] < 10 {
				t.Errorf("%v, %v, %d sent of %d", run.Classes, run.Failures, run.Sent, run.Offered)
			}
		})
	}
}

// TestStaleConnection: one that the server ended while nobody used it is replaced before anything is written on it.
func TestStaleConnection(t *testing.T) {
	s := &service{answer: echoing}
	p, _ := s.listen(t)
	e, err := newEndpoint(&p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c, err := idleConnection(ctx, e, newReader(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(2 * staleTime)
	if c.stale(later) {
		t.Error("stale while it is alive")
	}
	s.hangUp()
	for !c.stale(later) {
		runtime.Gosched() // until the system has brought the end
	}
	if c.stale(c.used.Add(staleTime / 2)) {
		t.Error("one that is in use is not asked")
	}
	p.Checker = judge{}
	w := &worker{runner: &runner{plan: &p, endpoint: e}, reader: newReader(), conn: c}
	w.request = []byte("POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx")
	o := outcome{begin: time.Now()}
	c.used = o.begin.Add(-2 * staleTime)
	if err := w.exchange(ctx, &o); err != nil || w.conn == c || s.requests() != 1 {
		t.Errorf("%v, %d requests", err, s.requests())
	}
	if o.out != uint64(len(w.request)) || o.in != uint64(len(echo([]byte("x")))) {
		t.Errorf("%d bytes sent, %d received", o.out, o.in)
	}
	w.drop()
}

// TestIdleConnections: they are there, few are opened at once, and those that the server ends are not counted.
func TestIdleConnections(t *testing.T) {
	s := &service{answer: echoing}
	p, _ := s.listen(t)
	e, err := newEndpoint(&p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var now, most atomic.Int32
	dial := e.dial
	e.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		for n := now.Add(1); ; {
			if old := most.Load(); n <= old || most.CompareAndSwap(old, n) {
				break
			}
		}
		defer now.Add(-1)
		return dial(ctx, network, address)
	}
	g, err := openCrowd(ctx, e, 500, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	if n := g.open(); n != 500 || most.Load() > opening {
		t.Errorf("%d open, %d opened at once", n, most.Load())
	}
	s.hangUp()
	for g.open() > 0 {
		runtime.Gosched()
	}
	e.dial = func(context.Context, string, string) (net.Conn, error) { return nil, errTest }
	if _, err := openCrowd(ctx, e, 500, time.Minute); err == nil || !strings.Contains(err.Error(), " of 500: "+errTest.Error()) {
		t.Error(err)
	}
}

// TestDeadlineAfterTheEnd: when the context has ended, no deadline brings the connection back to life.
func TestDeadlineAfterTheEnd(t *testing.T) {
	s := &service{answer: echoing}
	p, _ := s.listen(t)
	e, err := newEndpoint(&p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c, err := e.open(ctx, time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close(true)
	if err := c.within(ctx, time.Now().Add(time.Minute)); err != nil {
		t.Error(err)
	}
	cancel()
	if err := c.within(ctx, time.Now().Add(time.Minute)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestIdleConnectionsThatEnd: a run does not boast of idle connections that the server has ended.
func TestIdleConnectionsThatEnd(t *testing.T) {
	s := &service{}
	var p Plan
	s.answer = func(n int, _ string, body []byte) (string, bool) {
		if n == 0 {
			s.closeUnused()
		}
		return echo(body), true
	}
	p, _ = s.listen(t)
	p.Rate, p.Idle, p.Connections = 100, 50, 1
	if run := mustRun(t, p); run.Idle != 0 || run.IdleAsked != 50 || run.Classes[measure.Right] != 20 {
		t.Errorf("%d of 50 idle connections, %v", run.Idle, run.Classes)
	}
}

// TestNoKeepAlive: a server that ends each connection can have none idle.
func TestNoKeepAlive(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, 1000))
			c.Write([]byte("HTTP/1.1 405 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
			c.Close()
		}
	}()
	p := basePlan()
	p.Target.URL, p.Idle = "http://"+l.Addr().String(), 2
	_, err = Run(context.Background(), p)
	if err == nil || !strings.Contains(err.Error(), "(status 405): it keeps none alive") {
		t.Error(err)
	}
	l.Close()
	<-done
}

// newCertificate returns one that signs itself, for 127.0.0.1 and for clients, and a pool that trusts it.
func newCertificate() (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLS(t *testing.T) {
	own, pool := newCertificate()
	good := &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS13}
	for _, test := range []struct {
		name   string
		client *tls.Config
		change func(*Plan)
		err    string // of Run
		cause  string // of all failures; empty: all is right
	}{
		{name: "mutual", client: good, change: func(p *Plan) { p.Idle = 20 }},
		{name: "mutual, new connections", client: good, change: func(p *Plan) { p.NewConnections = true }},
		{name: "no client certificate", client: &tls.Config{RootCAs: pool}, change: func(*Plan) {}, cause: "tls: certificate required"},
		{name: "server not trusted", client: &tls.Config{RootCAs: x509.NewCertPool()}, change: func(*Plan) {}, err: "x509: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &service{answer: echoing}
			p, l := s.listen(t)
			inner := tls.Config{Certificates: []tls.Certificate{own}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
			s.wrap(func(c net.Conn) net.Conn { return tls.Server(c, &inner) })
			p.Target.URL, p.Target.TLS = "https://"+l.Addr().String(), test.client
			p.Rate = 100
			test.change(&p)
			run, err := Run(context.Background(), p)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Error(err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			holdTogether(t, run)
			if test.cause == "" && run.Classes[measure.Right] != 20 || test.cause != "" && run.Failures[test.cause] != 20 {
				t.Errorf("%v, %v", run.Classes, run.Failures)
			}
			if test.client.ServerName != "" {
				t.Error("the plan's TLS configuration was altered")
			}
			if plain := uint64(20 * len("POST / HTTP/1.1")); run.BytesSent < plain || p.NewConnections && run.BytesSent < 20*1000 {
				t.Errorf("%d bytes sent: those of TLS count, too", run.BytesSent)
			}
		})
	}
}

func TestPlansThatAreNone(t *testing.T) {
	reasons := map[string]string{"https without TLS": "https needs a TLS configuration", "TLS without https": "http must have none",
		"more than files": "open files and the system grants", "more than there are": "connections and"}
	for name, change := range map[string]func(*Plan){
		"nothing at all":       func(p *Plan) { *p = Plan{} },
		"no source":            func(p *Plan) { p.Source = nil },
		"no checker":           func(p *Plan) { p.Checker = nil },
		"no connection":        func(p *Plan) { p.Connections = 0 },
		"negative idle":        func(p *Plan) { p.Idle = -1 },
		"no duration":          func(p *Plan) { p.Duration = 0 },
		"negative warm-up":     func(p *Plan) { p.Warmup = -1 },
		"no time-out":          func(p *Plan) { p.Timeout = 0 },
		"negative rate":        func(p *Plan) { p.Rate = -1 },
		"rate that is none":    func(p *Plan) { p.Rate = math.NaN() },
		"no URL":               func(p *Plan) { p.Target.URL = "" },
		"no host":              func(p *Plan) { p.Target.URL = "http:///x" },
		"another scheme":       func(p *Plan) { p.Target.URL = "ftp://127.0.0.1/" },
		"https without TLS":    func(p *Plan) { p.Target.URL = "https://127.0.0.1/" },
		"TLS without https":    func(p *Plan) { p.Target.TLS = &tls.Config{} },
		"more than files":      func(p *Plan) { p.Idle = maxConnections },
		"more than there are":  func(p *Plan) { p.Connections = maxConnections + 1 },
		"process that is none": func(p *Plan) { p.Target.PID = 1 << 30 },
	} {
		if runtime.GOOS != "linux" && (name == "more than files" || name == "process that is none") {
			continue
		}
		s := &service{answer: echoing}
		p, _ := s.listen(t)
		change(&p)
		run, err := Run(context.Background(), p)
		if err == nil || run != nil || !strings.HasPrefix(err.Error(), "drive: ") || !strings.Contains(err.Error(), reasons[name]) {
			t.Errorf("%s: %v", name, err)
		}
		if s.requests() > 0 {
			t.Errorf("%s: something was sent", name)
		}
	}
}
