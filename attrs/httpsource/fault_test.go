package httpsource

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/internal/toxic"
)

// once asks about all attributes of a person and demands the right answers or an error of the source, and nothing between.
func once(t *testing.T, s *Source, ctx context.Context, ssin string) error {
	answers, err := s.Resolve(ctx, query(ssin, all...), nil)
	switch {
	case err == nil && told(answers) != answersOf[ssin]:
		t.Errorf("a wrong answer: %q", told(answers))
	case err != nil && len(answers) != 0:
		t.Errorf("an error and answers: %q, %v", told(answers), err)
	case err != nil:
		discreet(t, err)
	}
	return err
}

// TestFaults: a network that misbehaves, on a connection that is in use and on new ones.
func TestFaults(t *testing.T) {
	noLeak(t)
	p := newPKI(t)
	plain, secured := serve(t, answering), p.serveTLS(t, answering)
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
		"closed in the header":       {`{"name": "x", "type": "limit_data", "attributes": {"bytes": 40}}`, attrs.SourceUnavailable},
		"closed in the body":         {`{"name": "x", "type": "limit_data", "attributes": {"bytes": 400}}`, attrs.SourceUnavailable},
		"in slices":                  {`{"name": "x", "type": "slicer", "attributes": {"average_size": 20, "size_variation": 5, "delay": 10}}`, 0},
	} {
		for _, server := range []string{plain.URL, secured.URL} {
			scheme, at, _ := strings.Cut(server, "://")
			t.Run(name+", "+scheme, func(t *testing.T) {
				network := toxic.New(t, at)
				c := config(scheme + "://" + network.Addr())
				if scheme == "https" {
					c.TLS = p.client()
				}
				s := open(t, c)
				ask := func(limit time.Duration) error {
					ctx, cancel := context.WithTimeout(t.Context(), limit)
					defer cancel()
					return once(t, s, ctx, alice)
				}
				if err := ask(time.Minute); err != nil {
					t.Fatal(err)
				}
				network.Add(t, tt.fault)
				for range 2 { // on the connection that is open, and on a new one
					limit := time.Minute
					if tt.reason == attrs.DeadlineExceeded {
						limit = 300 * time.Millisecond
					}
					if err := ask(limit); attrs.ReasonOf(err) != tt.reason {
						t.Errorf("%v, want %v", err, tt.reason)
					}
				}
				network.Remove(t, "x")
				s.transport.CloseIdleConnections() // what is left of the fault
				if err := ask(time.Minute); err != nil {
					t.Errorf("after the fault: %v", err)
				}
			})
		}
	}
}

// TestOutageUnderLoad: the network to the service goes away and comes back while questions are put: right answers or errors, and
// right answers alone once it is back.
func TestOutageUnderLoad(t *testing.T) {
	noLeak(t)
	network := toxic.New(t, strings.TrimPrefix(serve(t, answering).URL, "http://"))
	s := open(t, config("http://"+network.Addr()))
	var asked, failed atomic.Int64
	stop := make(chan struct{})
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for n := i; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				asked.Add(1)
				if err := once(t, s, t.Context(), []string{alice, nobody}[n%2]); err != nil {
					failed.Add(1)
					if attrs.ReasonOf(err) != attrs.SourceUnavailable {
						t.Errorf("%v", err)
					}
				}
			}
		})
	}
	reach := func(count *atomic.Int64, more int64) {
		for goal, until := count.Load()+more, time.Now().Add(time.Minute); count.Load() < goal; time.Sleep(time.Millisecond) {
			if time.Now().After(until) {
				t.Fatal("nothing moves")
			}
		}
	}
	for range 3 {
		reach(&asked, 50)
		network.Down()
		reach(&failed, 10)
		network.Up(t)
	}
	reach(&asked, 50)
	close(stop)
	group.Wait()
	s.transport.CloseIdleConnections()
	for _, ssin := range []string{alice, nobody} {
		if err := once(t, s, t.Context(), ssin); err != nil {
			t.Errorf("after the outages: %v", err)
		}
	}
}

// TestDeadline: a service that hangs, before or in its answer, holds no question longer than its context, the timeout or the
// life of the source; questions that find no connection end too.
func TestDeadline(t *testing.T) {
	noLeak(t)
	var connections atomic.Int64
	hanging := serve(t, func(w http.ResponseWriter, r *http.Request) {
		connections.Add(1)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, document[:100])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	c := config(hanging.URL)
	c.Timeout = time.Hour
	c.MaxConnections = 2
	s := open(t, c)
	var group sync.WaitGroup
	taken, release := context.WithCancel(t.Context())
	for range 2 {
		group.Go(func() {
			if err := once(t, s, taken, alice); attrs.ReasonOf(err) != attrs.Canceled {
				t.Errorf("%v", err)
			}
		})
	}
	for connections.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := once(t, s, short, alice); attrs.ReasonOf(err) != attrs.DeadlineExceeded {
		t.Errorf("%v", err)
	}
	if n := connections.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
	release()
	group.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	for range 2 {
		if err := once(t, s, ctx, alice); attrs.ReasonOf(err) != attrs.Canceled {
			t.Errorf("%v", err)
		}
	}
	closing := make(chan error)
	go func() { closing <- once(t, s, t.Context(), alice) }()
	time.Sleep(20 * time.Millisecond)
	s.Close()
	s.Close()
	if err := <-closing; attrs.ReasonOf(err) != attrs.SourceUnavailable || !errors.Is(err, errClosed) {
		t.Errorf("%v", err)
	}
	if err := once(t, s, t.Context(), alice); !errors.Is(err, errClosed) {
		t.Errorf("%v", err)
	}
	if err := s.Health(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("%v", err)
	}
	c.Timeout = 50 * time.Millisecond
	if err := once(t, open(t, c), t.Context(), alice); attrs.ReasonOf(err) != attrs.DeadlineExceeded {
		t.Errorf("%v", err)
	}
}

// TestHealth: a service that is not there, or says that it is not well, is not.
func TestHealth(t *testing.T) {
	noLeak(t)
	server := serve(t, with(503, "text/plain", "no"))
	c := config(server.URL)
	if err := open(t, c).Health(t.Context()); err != nil { // it is there
		t.Error(err)
	}
	c.HealthURL = server.URL + "/health"
	if err := open(t, c).Health(t.Context()); attrs.ReasonOf(err) != attrs.SourceUnavailable || !strings.Contains(err.Error(), "503") {
		t.Error(err)
	}
	server.Close()
	for _, at := range []string{"", c.HealthURL} {
		c.HealthURL = at
		if err := open(t, c).Health(t.Context()); attrs.ReasonOf(err) != attrs.SourceUnavailable {
			t.Error(err)
		}
	}
}

func BenchmarkLookUp(b *testing.B) {
	p := newPKI(b)
	plain, secured := serve(b, answering), p.serveTLS(b, answering)
	c := config(secured.URL)
	c.TLS = p.client()
	for name, c := range map[string]Config{"http": config(plain.URL), "https": c} {
		b.Run(name, func(b *testing.B) {
			s := open(b, c)
			q := query(alice, all...)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Resolve(b.Context(), q, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
