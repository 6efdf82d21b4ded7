package password

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sceau/oidc/authn"
	"sceau/oidc/means/limit"
)

// A slow verifier takes its time, on a clock of its own, for names that it knows, and none for others.
type slow struct {
	mu    sync.Mutex
	at    time.Time
	takes time.Duration
}

func (s *slow) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

func (s *slow) on(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = s.at.Add(d)
}

func (s *slow) Verify(_ context.Context, username, password string) (*authn.Account, error) {
	switch {
	case username == "outage":
		s.on(time.Hour)
		return nil, errDown
	case !strings.HasPrefix(username, "alice"):
		return nil, &Rejection{errors.New("nobody")}
	}
	s.on(s.takes)
	if password == "right" {
		return &authn.Account{ID: "id-a"}, nil
	}
	return nil, &Rejection{errors.New("not the password")}
}

// slowly makes a browser at a slow verifier.
func slowly(t *testing.T, takes time.Duration, change func(*Config)) (*browser, *slow, *bytes.Buffer) {
	t.Helper()
	s, log := &slow{at: start, takes: takes}, &bytes.Buffer{}
	c := Config{Verifier: s, Second: Without, Log: slog.New(slog.NewTextHandler(log, nil)),
		Names: limit.Config{Free: 1 << 20, First: 1, Most: 1, Keys: 100}, Addresses: limit.Config{Free: 1 << 20, First: 1, Most: 1, Keys: 100}}
	if change != nil {
		change(&c)
	}
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, m: m, address: "192.0.2.1:1"}
	m.clock = s.now
	m.pause = func(_ context.Context, d time.Duration) { b.paused = append(b.paused, d); s.on(d) }
	b.again()
	return b, s, log
}

// TestTimeTellsNoName: a refusal takes as long for a name that is known as for one that is not, also where a bind takes longer than the
// quantum. A stranger who made the directory slow would else read the staff of a hospital out of the times of refusals.
func TestTimeTellsNoName(t *testing.T) {
	for _, takes := range []time.Duration{0, 1, 100 * time.Millisecond, 499 * time.Millisecond, 500 * time.Millisecond, 600 * time.Millisecond, 1100 * time.Millisecond, 7 * time.Second} {
		b, s, log := slowly(t, takes, nil)
		time := func(username string) time.Duration {
			b.again()
			before := s.now()
			if _, err := b.login(username, "wrong"); reason(err) != authn.NotProven {
				t.Fatal(err)
			}
			return s.now().Sub(before)
		}
		for range 3 {
			if known, unknown := time("alice"), time("nobody"); known != unknown {
				t.Errorf("%v: a refusal of a name that is known takes %v, of another %v", takes, known, unknown)
			}
		}
		if raised := takes > 250*1e6; raised != strings.Contains(log.String(), "verifying takes long") || strings.Contains(log.String(), "alice") {
			t.Errorf("%v: the log says %q", takes, log)
		}
	}
}

// TestPace: the quantum is raised to what is slow, by successes too, with a bound, and comes back when nothing has been slow for long. An
// outage, which is no refusal, raises nothing.
func TestPace(t *testing.T) {
	b, s, log := slowly(t, 0, nil)
	refused := func(want time.Duration) {
		t.Helper()
		b.again()
		b.paused = nil
		if _, err := b.login("nobody", "x"); reason(err) != authn.NotProven || len(b.paused) != 1 || b.paused[0] != want {
			t.Errorf("%v, pauses %v, want %v", err, b.paused, want)
		}
	}
	const quantum = 500 * time.Millisecond
	refused(quantum)
	if _, err := b.login("outage", "x"); !errors.Is(err, errDown) {
		t.Fatal(err)
	}
	refused(quantum)
	s.takes = 900 * time.Millisecond
	if _, err := b.login("alice", "right"); err != nil || len(b.paused) != 1 {
		t.Errorf("%v, pauses %v", err, b.paused)
	}
	refused(4 * quantum)
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("the log has %d lines", n)
	}
	s.takes = time.Minute
	b.login("alice", "right")
	refused(16 * quantum)
	s.takes = 0
	s.on(calm - 16*quantum) // since the slow one
	refused(16 * quantum)
	for _, want := range []time.Duration{8, 4, 2, 1, 1} {
		s.on(calm + 1)
		refused(want * quantum)
		refused(want * quantum)
	}
}

// TestUntil: each part of the time has its own multiple: two parts of less than one quantum each are not told from two of none and more.
func TestUntil(t *testing.T) {
	for _, c := range []struct{ line, verifying, since, want time.Duration }{
		{0, 0, 0, 10}, {0, 3, 4, 6}, {0, 10, 10, 0}, {0, 11, 12, 8}, {1, 1, 2, 18}, {9, 9, 18, 2}, {10, 10, 20, 0}, {11, 0, 11, 19}, {0, 0, 15, 0},
	} {
		if got := until(10, c.line, c.verifying, c.since); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// crowd is a verifier that counts how many it verifies at once.
type crowd struct {
	at, most, all atomic.Int64
	in            chan struct{}
	out           chan struct{}
}

func (c *crowd) Verify(context.Context, string, string) (*authn.Account, error) {
	now := c.at.Add(1)
	defer c.at.Add(-1)
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
	c.all.Add(1)
	c.in <- struct{}{}
	<-c.out
	return nil, &Rejection{errors.New("not the password")}
}

func post(m *Means, ctx context.Context, username string) error {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(url.Values{"username": {username}, "password": {"x"}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, err := m.Serve(httptest.NewRecorder(), r, &authn.Attempt{Now: start, Pages: &pages{}})
	return err
}

// TestLine: as many passwords as are said are verified at once, whoever sends more: a directory that binds for everybody at once is slow for
// everybody, and slow enough to show names.
func TestLine(t *testing.T) {
	const parallel, sent = 3, 20
	c := &crowd{in: make(chan struct{}), out: make(chan struct{})}
	m, err := New(Config{Verifier: c, Second: Without, Parallel: parallel})
	if err != nil {
		t.Fatal(err)
	}
	m.pause = func(context.Context, time.Duration) {}
	var all sync.WaitGroup
	for i := range sent {
		all.Go(func() {
			if err := post(m, context.Background(), fmt.Sprint("name ", i)); reason(err) != authn.NotProven {
				t.Error(err)
			}
		})
	}
	for range parallel {
		<-c.in
	}
	for range sent - parallel {
		c.out <- struct{}{}
		<-c.in
	}
	for range parallel {
		c.out <- struct{}{}
	}
	all.Wait()
	if c.most.Load() != parallel || c.all.Load() != sent {
		t.Errorf("%d at once, %d in all", c.most.Load(), c.all.Load())
	}
	if len(m.line.all)+len(m.line.places) != 0 {
		t.Error("somebody stands in line still")
	}
}

// TestLineBound: those that wait are bounded too; who gives up, and for whom the line is too long, was not judged, and no attempt of a
// name or an address is counted.
func TestLineBound(t *testing.T) {
	m, err := New(Config{Verifier: accounts{"alice": {ID: "id-a"}}, Second: Without, Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	refused := func(name string, ctx context.Context) {
		t.Helper()
		for range 100 { // more than a name or an address has
			var refusal *authn.Refusal
			if err := post(m, ctx, "alice"); !errors.As(err, &refusal) || refusal.Reason != authn.TooMany || !strings.Contains(err.Error(), "at once") || refusal.RetryAfter <= 0 {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	leave, ok := m.line.enter(t.Context()) // one who is being verified
	if !ok {
		t.Fatal("nobody is let in")
	}
	gone, give := context.WithCancel(t.Context())
	give()
	refused("gave up", gone)
	waiting := cap(m.line.all) - len(m.line.all)
	for range waiting {
		m.line.all <- struct{}{}
	}
	refused("too many", t.Context())
	for range waiting {
		<-m.line.all
	}
	leave()
	m.pause = func(context.Context, time.Duration) {}
	if err := post(m, t.Context(), "alice"); reason(err) != authn.NotProven {
		t.Errorf("afterwards: %v", err)
	}
	if len(m.line.all)+len(m.line.places) != 0 || waiting != 15 {
		t.Errorf("somebody stands in line still, or another number may wait: %d", waiting)
	}
}

// TestLineFault: a fault of a verifier leaves its place to others.
func TestLineFault(t *testing.T) {
	m, err := New(Config{Verifier: faulty{}, Second: Without, Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no fault")
				}
			}()
			post(m, t.Context(), "alice")
		}()
	}
	if len(m.line.all)+len(m.line.places) != 0 {
		t.Error("somebody stands in line still")
	}
}

type faulty struct{}

func (faulty) Verify(context.Context, string, string) (*authn.Account, error) { panic("a fault") }
