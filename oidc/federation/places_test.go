package federation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// A silence is hosts that take a connection and say nothing, until it ends.
type silence struct {
	w    *world
	ends chan struct{}
	all  sync.WaitGroup
}

func newSilence(w *world) *silence {
	s := &silence{w: w, ends: make(chan struct{})}
	w.t.Cleanup(s.end)
	return s
}

func (s *silence) end() {
	select {
	case <-s.ends:
	default:
		close(s.ends)
	}
	s.all.Wait()
}

// asked has a stranger at an address name an entity on a silent host, and wait. It says whether he got a place.
func (s *silence) asked(r *Resolver, entity, from string) bool {
	s.w.t.Helper()
	reached := make(chan struct{})
	s.w.mu.Lock()
	s.w.serve[entity+wellKnown] = func(_ http.ResponseWriter, r *http.Request) {
		close(reached)
		select {
		case <-s.ends:
		case <-r.Context().Done():
		}
	}
	s.w.mu.Unlock()
	ctx := context.Background()
	if from != "" {
		ctx = AskedFrom(ctx, netip.MustParseAddr(from))
	}
	ended := make(chan error, 1)
	s.all.Go(func() {
		_, err := r.Client(ctx, entity, nil)
		ended <- err
	})
	select {
	case <-reached:
		return true
	case err := <-ended:
		wantReason(s.w.t, err, Busy)
		return false
	}
}

// patient is a resolver whose resolutions do not end by time in a test.
func patient(c *Config) { c.Limits.Time = time.Hour }

// TestPlacesOfAHost: sixteen names on one silent host shut nobody else out.
func TestPlacesOfAHost(t *testing.T) {
	w, _, _, _, _ := line(t)
	r, s := w.resolver(patient, anchorID), newSilence(w)
	held := 0
	for i := range 16 {
		if s.asked(r, fmt.Sprintf("https://silent.evil.test/%d", i), fmt.Sprintf("192.0.2.%d", i)) {
			held++
		}
	}
	if held != 4 {
		t.Errorf("one host holds %d places of 16", held)
	}
	if _, err := r.Client(t.Context(), rpID, nil); err != nil {
		t.Error("an honest relying party:", err)
	}
	s.end()
}

// TestPlacesOfAnAsker: as many silent hosts as there are places, named by one stranger, shut nobody else out; neither do all the
// addresses of his network.
func TestPlacesOfAnAsker(t *testing.T) {
	w, _, _, _, _ := line(t)
	for name, from := range map[string]func(i int) string{
		"one address":       func(int) string { return "192.0.2.1" },
		"one of IPv4 in v6": func(i int) string { return []string{"198.51.100.1", "::ffff:198.51.100.1"}[i%2] },
		"one network":       func(i int) string { return fmt.Sprintf("2001:db8::%x", i) },
	} {
		r, s := w.resolver(patient, anchorID), newSilence(w)
		held := 0
		for i := range 16 {
			if s.asked(r, fmt.Sprintf("https://silent%d.evil.test", i), from(i)) {
				held++
			}
		}
		if held != 4 {
			t.Errorf("%s holds %d places of 16", name, held)
		}
		if _, err := r.Client(AskedFrom(t.Context(), netip.MustParseAddr("203.0.113.1")), rpID, nil); err != nil {
			t.Errorf("%s: an honest relying party: %v", name, err)
		}
		s.end()
		r.fetcher.client.CloseIdleConnections()
	}
}

// TestPlacesKeptFree: strangers with as many hosts and addresses as they like, who hold all that they can, do not shut out an entity that
// was resolved before, though what was resolved has ended.
func TestPlacesKeptFree(t *testing.T) {
	w, _, _, lower, _ := line(t)
	at := &clock{at: now}
	r, s := w.resolver(func(c *Config) { patient(c); c.Now = at.now }, anchorID), newSilence(w)
	if _, err := r.Client(t.Context(), rpID, nil); err != nil {
		t.Fatal(err)
	}
	held := 0
	for i := range 20 {
		if s.asked(r, fmt.Sprintf("https://silent%d.evil.test", i), fmt.Sprintf("192.0.2.%d", i)) {
			held++
		}
	}
	if held != 12 {
		t.Errorf("strangers hold %d places of 16", held)
	}
	other := w.add("https://rp2.chu.example.com", lowerID)
	_, err := r.Client(t.Context(), other.id, nil)
	wantReason(t, err, Busy)
	at.on(2 * time.Hour)
	for _, n := range w.nodes {
		n.own["exp"] = now.Unix() + 9000
		for _, about := range n.about {
			about["exp"] = now.Unix() + 9000
		}
	}
	if _, err := r.Client(t.Context(), rpID, nil); err != nil {
		t.Error("an entity that was resolved before:", err)
	}
	// Who was struck off since has no place of his own.
	delete(lower.about, rpID)
	at.on(2 * time.Hour)
	if _, err := r.Client(t.Context(), rpID, nil); err == nil || temporary(err) {
		t.Error(err)
	}
	at.on(time.Hour)
	_, err = r.Client(t.Context(), rpID, nil)
	wantReason(t, err, Busy)
	s.end()
}

// TestPlacesFewer: the shares hold at every number of places, and what is free again is nobody's.
func TestPlacesFewer(t *testing.T) {
	asker := netip.MustParsePrefix("192.0.2.1/32")
	for total, want := range map[int][3]int{ // of strangers, of one host, and beside strangers of those resolved before
		-1: {1, 1, 0}, 1: {1, 1, 0}, 3: {3, 1, 0}, 4: {3, 1, 1}, 16: {12, 4, 4}, 100: {75, 25, 25},
	} {
		p := newPlaces(total)
		var all []func()
		count := func(entity func(int) string, asker netip.Prefix, before bool) (n int) {
			for i := range 200 {
				if free, ok := p.take(entity(i), asker, before); ok {
					all = append(all, free)
					n++
				}
			}
			return n
		}
		release := func() {
			for _, free := range all {
				free()
			}
			all = nil
			if p.taken != 0 || p.takenByOther != 0 || len(p.hosts) != 0 || len(p.askers) != 0 {
				t.Fatalf("%d: something is held by nobody: %+v", total, p)
			}
		}
		host := func(i int) string { return fmt.Sprintf("https://h%d.example.com/%d", i, i) }
		one := count(func(i int) string { return fmt.Sprintf("https://one.example.com:%d/", 1000+i) }, netip.Prefix{}, false)
		release()
		if got := count(host, asker, false); got != one {
			t.Errorf("%d: %d for one who asks, %d for one host", total, got, one)
		}
		release()
		if got := [3]int{count(host, netip.Prefix{}, false), one, count(host, asker, true)}; got != want {
			t.Errorf("%d: %v, want %v", total, got, want)
		}
		release()
	}
}

// A clock is one that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) on(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// under gives the entry of a relying party, and what resolves it anew.
func under(r *Resolver, id string) (e, next *entry) {
	r.kept.mu.Lock()
	defer r.kept.mu.Unlock()
	if e = r.kept.entries[question{id, relyingParty, true}]; e != nil {
		next = e.next
	}
	return e, next
}

// TestRenewed: an entity is resolved anew before what is kept of it ends, and who asks meanwhile waits for nobody: an authority that is
// silent would have people wait, and strangers that hold the places would shut them out. That it is down ends nothing early and nothing late,
// and that an entity was struck off does.
func TestRenewed(t *testing.T) {
	w, _, _, lower, rp := line(t)
	at := &clock{at: now}
	r := w.resolver(func(c *Config) { patient(c); c.Now = at.now }, anchorID)
	first, err := r.Client(t.Context(), rpID, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer := func(h http.HandlerFunc) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.serve[rpID+wellKnown] = h
	}
	same := func(name string) {
		t.Helper()
		if c, err := r.Client(t.Context(), rpID, nil); err != nil || c.Resolved != first.Resolved {
			t.Errorf("%s: not what is kept: %v", name, err)
		}
	}
	at.on(44 * time.Minute)
	same("in time")
	if _, next := under(r, rpID); next != nil {
		t.Error("resolved anew too early")
	}

	// The authority is down.
	reached, release := make(chan struct{}), make(chan struct{})
	answer(func(rw http.ResponseWriter, _ *http.Request) {
		close(reached)
		<-release
		rw.WriteHeader(http.StatusBadGateway)
	})
	at.on(2 * time.Minute)
	same("the last quarter")
	<-reached
	same("while it is resolved anew")
	_, next := under(r, rpID)
	close(release)
	<-next.done
	same("after a failure")
	if _, again := under(r, rpID); again != nil {
		t.Error("a failure is asked again at once")
	}

	// It is there again: what is new replaces what is old.
	answer(nil)
	at.on(time.Minute)
	same("when it is asked again")
	_, next = under(r, rpID)
	<-next.done
	second, err := r.Client(t.Context(), rpID, nil)
	if err != nil || second.Resolved == first.Resolved || !second.ExpiresAt.After(first.ExpiresAt.Add(-time.Minute)) {
		t.Fatalf("not resolved anew: %v", err)
	}

	// What ends while it is being resolved anew is waited for, and not resolved twice.
	rp.own["exp"], rp.own["iat"] = now.Unix()+9000, now.Unix()
	first = second
	at.on(second.ExpiresAt.Sub(at.now()) - time.Second)
	reached, release = make(chan struct{}), make(chan struct{})
	answer(func(rw http.ResponseWriter, _ *http.Request) {
		close(reached) // a second question would close it again
		<-release
		rw.Header().Set("Content-Type", mediaStatement)
		_, _ = rw.Write([]byte(rp.configuration()))
	})
	same("just before its end")
	<-reached
	at.on(2 * time.Second)
	delete(lower.about, rpID) // and struck off
	if _, ok := r.Kept(rpID, relyingParty); ok {
		t.Error("kept beyond its end")
	}
	ended := make(chan error, 1)
	go func() { _, err := r.Client(context.Background(), rpID, nil); ended <- err }()
	close(release)
	if err := <-ended; err == nil || temporary(err) {
		t.Errorf("struck off: %v", err)
	}
}

// TestRenewedRefused: whoever is found to be struck off before what is kept of him ends is out at once.
func TestRenewedRefused(t *testing.T) {
	w, _, _, lower, _ := line(t)
	at := &clock{at: now}
	r := w.resolver(func(c *Config) { patient(c); c.Now = at.now }, anchorID)
	if _, err := r.Client(t.Context(), rpID, nil); err != nil {
		t.Fatal(err)
	}
	delete(lower.about, rpID)
	at.on(46 * time.Minute)
	if _, err := r.Client(t.Context(), rpID, nil); err != nil {
		t.Fatal(err)
	}
	if _, next := under(r, rpID); next != nil { // else it has come
		<-next.done
	}
	_, err := r.Client(t.Context(), rpID, nil)
	wantReason(t, err, Untrusted)
	if r.kept.known(rpID) {
		t.Error("it has places of its own")
	}
}

// TestLeft: who names an entity and leaves holds no place, and what was not found out is not kept as an answer.
func TestLeft(t *testing.T) {
	w, _, _, _, rp := line(t)
	r := w.resolver(func(c *Config) { patient(c); c.Limits.Concurrent, c.Limits.Left = 1, -1 }, anchorID)
	reached, gone := make(chan struct{}), make(chan struct{})
	w.serve[rpID+wellKnown] = func(_ http.ResponseWriter, r *http.Request) { close(reached); <-r.Context().Done(); close(gone) }
	ctx, leave := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { _, err := r.Client(ctx, rpID, nil); ended <- err }()
	<-reached
	q := question{rpID, relyingParty, true}
	e, err := r.kept.entry(t.Context(), q, nil) // somebody else, who waits for the same
	if err != nil {
		t.Fatal(err)
	}
	leave()
	wantReason(t, <-ended, Unreachable)
	if again, _ := under(r, rpID); again != e {
		t.Error("who leaves takes the answer from who stays")
	}
	r.kept.leave(q, e)
	<-e.done // long before its time
	<-gone
	w.mu.Lock()
	w.serve[rpID+wellKnown] = func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", mediaStatement)
		_, _ = rw.Write([]byte(rp.configuration()))
	}
	w.mu.Unlock()
	if _, err := r.Client(t.Context(), rpID, nil); err != nil {
		t.Error("who asks afterwards:", err)
	}
}

// TestFault: what a stranger serves cannot end the process by a fault of ours: it is an outage, in the log, and holds no place.
func TestFault(t *testing.T) {
	w, _, _, _, _ := line(t)
	var log bytes.Buffer
	r := w.resolver(func(c *Config) { c.Limits.Concurrent, c.Log = 1, slog.New(slog.NewTextHandler(&log, nil)) }, anchorID)
	q := question{"https://odd.evil.test", relyingParty, true}
	v, err := r.kept.get(t.Context(), q, func(context.Context) (*Resolved, error) { panic("index out of range") })
	wantReason(t, err, Fault)
	var e *Error
	if v != nil || !errors.As(err, &e) || !e.Temporary() || e.Code() != "temporarily_unavailable" || strings.Contains(err.Error(), "index") {
		t.Errorf("%v, %v", v, err)
	}
	for _, want := range []string{"index out of range", q.entity, "places_test.go"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("not in the log: %s", want)
		}
	}
	if _, err := r.Client(t.Context(), rpID, nil); err != nil {
		t.Error("afterwards:", err)
	}
}
