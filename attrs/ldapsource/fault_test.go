package ldapsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/internal/toxic"
)

// answersOf are what Resolve may say about all attributes: anything else is a wrong value or a denial that nobody spoke.
var answersOf = map[string]string{
	alice:  "true 71000040001 Example true true true true",
	bob:    "false  Example false false false false",
	nobody: "false   false false false false",
}

// once asks about all attributes of a person and demands the right answers or an error of the source, and nothing between.
func once(t *testing.T, s *Source, ctx context.Context, ssin string) error {
	answers, err := s.Resolve(ctx, query(ssin, all...), nil)
	switch {
	case err == nil && told(answers) != answersOf[ssin]:
		t.Errorf("a wrong answer: %q", told(answers))
	case err != nil && len(answers) != 0:
		t.Errorf("an error and answers: %q, %v", told(answers), err)
	case err != nil:
		switch attrs.ReasonOf(err) {
		case attrs.SourceUnavailable, attrs.DeadlineExceeded, attrs.Canceled:
		default:
			t.Errorf("an outage that is none: %v", err)
		}
		discreet(t, err)
	}
	return err
}

// within is a context for one question; no test waits for its whole length unless something is wrong.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// TestFaults: a network that misbehaves, on a connection that is in use and on new ones, with TLS and without. Every question
// ends with the right answer or an error, and after the fault the source answers again.
func TestFaults(t *testing.T) {
	noLeak(t)
	d := startDirectory(t, "")
	for name, tt := range map[string]struct {
		fault  string
		reason attrs.Reason // zero: it may succeed
	}{
		"latency over the deadline":  {`{"name": "x", "type": "latency", "attributes": {"latency": 60000}}`, attrs.DeadlineExceeded},
		"latency below the deadline": {`{"name": "x", "type": "latency", "attributes": {"latency": 20}}`, 0},
		"half-open":                  {`{"name": "x", "type": "timeout", "attributes": {"timeout": 0}}`, attrs.DeadlineExceeded},
		"half-open, upstream":        {`{"name": "x", "type": "timeout", "stream": "upstream", "attributes": {"timeout": 0}}`, attrs.DeadlineExceeded},
		"reset":                      {`{"name": "x", "type": "reset_peer", "attributes": {"timeout": 0}}`, attrs.SourceUnavailable},
		"closed at once":             {`{"name": "x", "type": "limit_data", "attributes": {"bytes": 1}}`, attrs.SourceUnavailable},
		"closed in the bind":         {`{"name": "x", "type": "limit_data", "attributes": {"bytes": 10}}`, attrs.SourceUnavailable},
		"closed in the entry":        {`{"name": "x", "type": "limit_data", "attributes": {"bytes": 60}}`, attrs.SourceUnavailable},
		"closed later":               {`{"name": "x", "type": "limit_data", "attributes": {"bytes": 200}}`, attrs.SourceUnavailable},
		"in slices":                  {`{"name": "x", "type": "slicer", "attributes": {"average_size": 3, "size_variation": 2, "delay": 10}}`, 0},
	} {
		for _, secured := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %t", name, secured), func(t *testing.T) {
				at, scheme := d.Plain, "ldap://"
				if secured {
					at, scheme = d.Secured, "ldaps://"
				}
				network := toxic.New(t, at)
				c := d.config(scheme + network.Addr())
				s := open(t, c)
				if err := once(t, s, within(t, time.Minute), alice); err != nil {
					t.Fatal(err)
				}
				network.Add(t, tt.fault)
				for range 2 { // on the connection that is open, and on a new one
					limit := time.Minute
					if tt.reason == attrs.DeadlineExceeded {
						limit = 300 * time.Millisecond
					}
					err := once(t, s, within(t, limit), alice)
					if got := attrs.ReasonOf(err); got != tt.reason {
						t.Errorf("%v, want %v", err, tt.reason)
					}
				}
				network.Remove(t, "x")
				if err := once(t, s, within(t, time.Minute), alice); err != nil {
					t.Errorf("after the fault: %v", err)
				}
			})
		}
	}
}

// TestHalfOpenConnection: a firewall has forgotten the connection that is kept. The question is put again on a new one, in the
// same deadline.
func TestHalfOpenConnection(t *testing.T) {
	noLeak(t)
	d := startDirectory(t, "")
	r := newRelay(t, d.Plain)
	c := d.config("ldap://" + r.address)
	c.Timeout = 2 * time.Second
	s := open(t, c)
	if err := once(t, s, within(t, time.Minute), alice); err != nil {
		t.Fatal(err)
	}
	held := s.servers[0].take()
	if err := once(t, s, within(t, time.Minute), alice); err != nil {
		t.Fatal(err)
	}
	s.servers[0].give(held)
	r.forget()
	if err := once(t, s, within(t, time.Minute), alice); err != nil {
		t.Error(err)
	}
	s.servers[0].mu.Lock()
	defer s.servers[0].mu.Unlock()
	if n := len(s.servers[0].idle); n != 1 {
		t.Errorf("%d idle connections: those that are as old as the forgotten one are kept", n)
	}
	if s.servers[0].resting.Load() {
		t.Error("the server is blamed for the connection")
	}
}

// A relay forwards connections, and can forget those that are open: nothing that is sent on them arrives any more, and
// nobody is told.
type relay struct {
	address string
	now     atomic.Int64 // connections made before are forgotten
}

func newRelay(t *testing.T, upstream string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{address: l.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", upstream)
			if err != nil {
				client.Close()
				continue
			}
			made := r.now.Load()
			forward := func(to, from net.Conn) {
				io.Copy(&forgetful{to, func() bool { return r.now.Load() != made }}, from)
				to.Close()
				from.Close()
			}
			all.Go(func() { forward(server, client) })
			all.Go(func() { forward(client, server) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return r
}

func (r *relay) forget() { r.now.Add(1) }

type forgetful struct {
	to        io.Writer
	forgotten func() bool
}

func (f *forgetful) Write(p []byte) (int, error) {
	if f.forgotten() {
		return len(p), nil
	}
	return f.to.Write(p)
}

// TestFailover: servers that are down, that hang and that refuse are passed over within the deadline, and asked last while they
// rest.
func TestFailover(t *testing.T) {
	noLeak(t)
	d := startDirectory(t, "")
	hanging, connections := hang(t)
	for name, first := range map[string]string{"down": freeAddress(t), "hanging": hanging} {
		t.Run(name, func(t *testing.T) {
			c := d.config("ldap://"+first, "ldap://"+d.Plain)
			c.Timeout, c.RetryAfter = 200*time.Millisecond, time.Hour
			s := open(t, c)
			connections.Store(0)
			for range 3 {
				if err := once(t, s, within(t, time.Minute), alice); err != nil {
					t.Fatal(err)
				}
			}
			if n := connections.Load(); n > 1 {
				t.Errorf("the server that rests was asked %d times", n)
			}
			if !s.servers[0].resting.Load() || s.servers[1].resting.Load() {
				t.Error("the wrong server rests")
			}
			// A deadline that is shorter than the timeout is shared between the servers.
			s.servers[0].resting.Store(false)
			c.Timeout = time.Hour
			long := open(t, c)
			if err := once(t, long, within(t, 4*time.Second), alice); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("all", func(t *testing.T) {
		c := d.config("ldap://"+hanging, "ldap://"+freeAddress(t))
		c.Timeout = 100 * time.Millisecond
		s := open(t, c)
		for range 2 { // resting servers are asked nonetheless
			if err := once(t, s, within(t, time.Minute), alice); err == nil {
				t.Error("an answer from nowhere")
			}
		}
		if err := s.Health(within(t, time.Minute)); err == nil {
			t.Error("in good health")
		}
	})
	t.Run("rejected credentials are not tried elsewhere", func(t *testing.T) {
		c := d.config("ldap://"+d.Plain, "ldap://"+hanging)
		c.PasswordFile = d.PKI.File("wrong-password")
		s := open(t, c)
		connections.Store(0)
		if err := once(t, s, within(t, time.Minute), alice); err == nil || connections.Load() != 0 {
			t.Errorf("%v, %d connections", err, connections.Load())
		}
	})
}

// hang is a server that takes connections and says nothing.
func hang(t *testing.T) (address string, connections *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connections = new(atomic.Int64)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			all.Go(func() { io.Copy(io.Discard, c); c.Close() })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().String(), connections
}

// TestDeadline: a server that hangs, at each stage, does not hold a question longer than its context, which may also be
// cancelled.
func TestDeadline(t *testing.T) {
	noLeak(t)
	d := noDirectory(t)
	hanging, _ := hang(t)
	for name, change := range map[string]func(*Config){
		"in the bind":          func(c *Config) { c.Servers = []string{"ldap://" + hanging} },
		"in the TLS handshake": func(c *Config) { c.Servers = []string{"ldaps://" + hanging} },
		"in StartTLS":          func(c *Config) { c.Servers, c.StartTLS = []string{"ldap://" + hanging}, true },
	} {
		c := d.config()
		change(&c)
		c.Timeout = time.Hour
		s := open(t, c)
		if err := once(t, s, within(t, 50*time.Millisecond), alice); attrs.ReasonOf(err) != attrs.DeadlineExceeded {
			t.Errorf("%s: %v", name, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		if err := once(t, s, ctx, alice); attrs.ReasonOf(err) != attrs.Canceled {
			t.Errorf("%s: %v", name, err)
		}
		if err := once(t, s, ctx, alice); attrs.ReasonOf(err) != attrs.Canceled {
			t.Errorf("%s: %v", name, err)
		}
		closing := make(chan error)
		go func() { closing <- once(t, s, t.Context(), alice) }()
		time.Sleep(20 * time.Millisecond)
		s.Close() // does not wait for the server either
		if err := <-closing; err == nil {
			t.Errorf("%s: answered", name)
		}
	}
}

// TestPoolExhaustion: more questions than connections wait, end with their deadlines, and no more connections are made.
func TestPoolExhaustion(t *testing.T) {
	noLeak(t)
	d := startDirectory(t, "")
	hanging, connections := hang(t)
	c := d.config("ldap://" + hanging)
	c.MaxConnections, c.Timeout = 2, time.Hour
	s := open(t, c)
	var all sync.WaitGroup
	taken, release := context.WithCancel(t.Context())
	for range 2 {
		all.Go(func() {
			if err := once(t, s, taken, alice); attrs.ReasonOf(err) != attrs.Canceled {
				t.Errorf("%v", err)
			}
		})
	}
	reach(t, connections, 2-connections.Load())
	if err := once(t, s, within(t, 50*time.Millisecond), alice); attrs.ReasonOf(err) != attrs.DeadlineExceeded || !errors.Is(err, errBusy) {
		t.Errorf("%v", err)
	}
	if n := connections.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
	if s.servers[0].resting.Load() {
		t.Error("a server rests because of ourselves")
	}
	release()
	all.Wait()

	c = d.config("ldap://" + d.Plain)
	c.MaxConnections = 2
	s = open(t, c)
	for range 20 {
		all.Go(func() {
			for range 10 {
				if err := once(t, s, within(t, time.Minute), alice); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	s.servers[0].mu.Lock()
	defer s.servers[0].mu.Unlock()
	if n := len(s.servers[0].idle); n == 0 || n > 2 {
		t.Errorf("%d idle connections", n)
	}
}

// TestConnectionsAge: idle connections are closed, old ones replaced, doubtful ones tried.
func TestConnectionsAge(t *testing.T) {
	noLeak(t)
	d := startDirectory(t, "")
	idle := func(s *Source) (list []*connection) {
		s.servers[0].mu.Lock()
		defer s.servers[0].mu.Unlock()
		return append(list, s.servers[0].idle...)
	}
	ask := func(s *Source) *connection {
		t.Helper()
		if err := once(t, s, within(t, time.Minute), alice); err != nil {
			t.Fatal(err)
		}
		if list := idle(s); len(list) == 1 {
			return list[0]
		}
		return nil
	}
	r := newRelay(t, d.Plain)
	s := open(t, d.config("ldap://"+r.address))
	first := ask(s)
	if first == nil || ask(s) != first {
		t.Fatal("a connection is not used again")
	}
	first.doubtful.Store(true)
	if ask(s) != first || first.doubtful.Load() {
		t.Error("a doubtful connection that answers is not used again")
	}
	first.old.Store(true)
	second := ask(s)
	if second == nil || second == first || !first.ldap.IsClosing() {
		t.Error("an old connection is used again")
	}
	second.doubtful.Store(true)
	r.forget()
	if third := ask(s); third == nil || third == second || !second.ldap.IsClosing() {
		t.Error("a connection that does not answer is used again")
	}
	s.servers[0].remove(idle(s)[0])
	if len(idle(s)) != 0 {
		t.Error("an idle connection stays")
	}

	c := d.config("ldap://" + d.Plain)
	c.IdleTimeout, c.CheckAfter, c.MaxLifetime = 10*time.Millisecond, time.Millisecond, time.Hour
	s = open(t, c)
	ask(s)
	for until := time.Now().Add(20 * time.Second); len(idle(s)) != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("an idle connection stays")
		}
	}
}

// TestRestartUnderLoad: the directory is killed and started again while questions are put: right answers or errors,
// and right answers alone once it is back.
func TestRestartUnderLoad(t *testing.T) {
	noLeak(t)
	d := startDirectory(t, "")
	c := d.config("ldaps://"+d.Secured, "ldap://"+d.Plain)
	c.RetryAfter = 50 * time.Millisecond
	s := open(t, c)
	var asked, failed atomic.Int64
	stop := make(chan struct{})
	var all sync.WaitGroup
	people := []string{alice, bob, nobody}
	for i := range 4 {
		all.Go(func() {
			for n := i; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				asked.Add(1)
				if once(t, s, within(t, 5*time.Second), people[n%len(people)]) != nil {
					failed.Add(1)
				}
			}
		})
	}
	for range 3 {
		reach(t, &asked, 50)
		d.Kill()
		reach(t, &failed, 10)
		d.Restart(t)
	}
	reach(t, &asked, 50)
	close(stop)
	all.Wait()
	for _, ssin := range people {
		if err := once(t, s, within(t, time.Minute), ssin); err != nil {
			t.Errorf("after the restarts: %v", err)
		}
	}
	t.Logf("%d questions, %d of them failed", asked.Load(), failed.Load())
}

// reach waits until a count has grown by n.
func reach(t *testing.T, count *atomic.Int64, n int64) {
	t.Helper()
	goal := count.Load() + n
	for until := time.Now().Add(time.Minute); count.Load() < goal; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("nothing moves")
		}
	}
}

func BenchmarkLookUp(b *testing.B) {
	d := startDirectory(b, "")
	for name, tt := range map[string]struct {
		server string
		ask    []*attrs.Definition
	}{
		"ldap":              {"ldap://" + d.Plain, all[:3]},
		"ldaps":             {"ldaps://" + d.Secured, all[:3]},
		"ldaps and a group": {"ldaps://" + d.Secured, all},
	} {
		b.Run(name, func(b *testing.B) {
			s := open(b, d.config(tt.server))
			q := query(alice, tt.ask...)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Resolve(b.Context(), q, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
