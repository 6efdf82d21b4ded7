package limit

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)

func newLimiter(t *testing.T, c Config) *Limiter {
	t.Helper()
	l, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]Config{
		"nothing":             {},
		"no attempt":          {First: 1, Most: 1, Keys: 1},
		"no wait":             {Free: 1, Most: 1, Keys: 1},
		"most below first":    {Free: 1, First: 2, Most: 1, Keys: 1},
		"room for nobody":     {Free: 1, First: 1, Most: 1},
		"room for less still": {Free: 1, First: 1, Most: 1, Keys: -1},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	newLimiter(t, Names())
	newLimiter(t, Addresses())
}

// TestWait: three are free, then the wait doubles until it does not.
func TestWait(t *testing.T) {
	l := newLimiter(t, Config{Free: 3, First: time.Second, Most: 5 * time.Second, Keys: 8})
	now := start
	for i, want := range []time.Duration{0, 0, time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second} {
		if got := l.Try(now, "a"); got != 0 {
			t.Fatalf("attempt %d waits %v", i, got)
		}
		if got := l.Try(now, "b"); i == 0 && got != 0 {
			t.Errorf("another key waits %v", got)
		}
		if want > 0 {
			for range 2 { // to ask again counts nothing
				if got := l.Try(now, "a"); got != want {
					t.Fatalf("after attempt %d: %v, want %v", i, got, want)
				}
			}
			now = now.Add(want)
		}
	}
	l.Forget("a")
	if first, second := l.Try(now, "a"), l.Try(now, "a"); first+second != 0 {
		t.Error("what succeeded waits")
	}
}

func TestReturn(t *testing.T) {
	l := newLimiter(t, Config{Free: 2, First: time.Second, Most: time.Second, Keys: 8})
	for i := range 10 {
		if got := l.Try(start, "a"); got != 0 {
			t.Fatalf("attempt %d waits %v", i, got)
		}
		l.Return("a")
	}
	l.Try(start, "a")
	l.Try(start, "a")
	if l.Return("b"); l.Try(start, "a") == 0 {
		t.Error("another's return counted")
	}
}

// TestOldFailures: who failed long ago begins anew.
func TestOldFailures(t *testing.T) {
	l := newLimiter(t, Config{Free: 2, First: time.Second, Most: time.Minute, Keys: 8})
	for range 2 {
		l.Try(start, "a")
	}
	later := start.Add(3 * time.Minute)
	if first, second := l.Try(later, "a"), l.Try(later, "a"); first+second != 0 {
		t.Error("an old failure counts")
	}
}

// TestBurst: a thousand at once are no way round.
func TestBurst(t *testing.T) {
	l := newLimiter(t, Config{Free: 5, First: time.Second, Most: time.Minute, Keys: 8})
	var mu sync.Mutex
	var all sync.WaitGroup
	admitted := 0
	for range 1000 {
		all.Go(func() {
			if l.Try(start, "a") == 0 {
				mu.Lock()
				admitted++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if admitted != 5 {
		t.Errorf("%d of 1000 were admitted", admitted)
	}
}

// TestRoom: a flood of names takes bounded memory, and does not free one that is under attack meanwhile.
func TestRoom(t *testing.T) {
	l := newLimiter(t, Config{Free: 1, First: time.Hour, Most: time.Hour, Keys: 100})
	l.Try(start, "victim")
	for i := range 10_000 {
		l.Try(start, fmt.Sprint(i))
		if i%50 == 0 && l.Try(start, "victim") == 0 {
			t.Fatal("the flood freed it")
		}
	}
	if len(l.counts) > 100 || l.order.Len() != len(l.counts) {
		t.Errorf("%d keys, %d in order", len(l.counts), l.order.Len())
	}
}

func TestAddress(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:443":           "192.0.2.1/32",
		"[::ffff:192.0.2.1]:1":    "192.0.2.1/32",
		"[2001:db8::1:2]:1":       "2001:db8::/64",
		"[2001:db8:0:0:ffff::]:1": "2001:db8::/64",
		"[fe80::1%eth0]:1":        "fe80::/64",
		"":                        "unknown",
		"host:1":                  "unknown",
	} {
		if got := Address(remote); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}
