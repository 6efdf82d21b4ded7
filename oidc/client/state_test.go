package client

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)

func number(n int) [32]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// TestO4ReplayExact: of concurrent calls with one digest exactly one succeeds (attacks.md R1).
func TestO4ReplayExact(t *testing.T) {
	m := &memoryReplay{capacity: 100}
	var admitted [100]atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range admitted {
				switch err := m.Remember(number(i), start.Add(time.Minute), start); {
				case err == nil:
					admitted[i].Add(1)
				case !errors.Is(err, ErrReplayed):
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	for i := range admitted {
		if n := admitted[i].Load(); n != 1 {
			t.Errorf("%d was admitted %d times", i, n)
		}
	}
}

// TestO4ReplayProperty: whatever comes and however the clock goes, nothing is taken twice before it ends, never more are kept than
// may be, and with room and a clock that goes on what is new is taken. An identifier with another end is another assertion, which
// its client signed: it is kept apart from the first by a clock that goes on, and only then.
func TestO4ReplayProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &memoryReplay{capacity: rapid.IntRange(0, 5).Draw(t, "capacity")}
		taken := map[int]time.Time{} // until
		now, latest := start, start
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(-5, 20).Draw(t, "seconds")) * time.Second)
			n := rapid.IntRange(0, 9).Draw(t, "which")
			until := now.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "life")) * time.Second)
			live := 0
			for _, end := range taken {
				if now.Before(end) {
					live++
				}
			}
			end, seen := taken[n]
			if seen && now.Before(end) && rapid.Bool().Draw(t, "the same") {
				until = end
			}
			switch err := m.Remember(number(n), until, now); {
			case err == nil && seen && now.Before(end) && (until.Equal(end) || !now.Before(latest)):
				t.Fatal("taken twice")
			case err == nil:
				taken[n] = until
			case errors.Is(err, ErrReplayed) && !(seen && now.Before(end)):
				t.Fatal("not seen before")
			case errors.Is(err, ErrReplayFull) && live < m.capacity:
				t.Fatalf("full with %d of %d", live, m.capacity)
			case errors.Is(err, errForgotten) && !now.Before(latest):
				t.Fatal("forgotten, and the clock went on")
			}
			if now.After(latest) {
				latest = now
			}
			if len(m.until) > m.capacity {
				t.Fatalf("%d are kept of %d", len(m.until), m.capacity)
			}
		}
	})
}

// TestJTI: names of clients and of assertions are kept apart.
func TestJTI(t *testing.T) {
	if jtiDigest("a", "bc") == jtiDigest("ab", "c") || jtiDigest("", "a") == jtiDigest("a", "") {
		t.Error("two assertions with one digest")
	}
}
