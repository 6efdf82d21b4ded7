package soap_test

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sceau/internal/testpki"
	"sceau/soap"
)

func digest(n int) [32]byte {
	var octets [8]byte
	binary.BigEndian.PutUint64(octets[:], uint64(n))
	return sha256.Sum256(octets[:])
}

// TestReplayExact: of concurrent calls with one digest exactly one succeeds
// (attacks.md R1), and nothing else is refused.
func TestReplayExact(t *testing.T) {
	const digests, callers = 500, 8
	m := soap.NewMemoryReplay(digests)
	now := testpki.Now()
	var admitted [digests]atomic.Int64
	var wrong atomic.Int64
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for _, i := range rand.Perm(digests) {
				switch err := m.Remember(digest(i), now.Add(time.Duration(i)*time.Second), now); {
				case err == nil:
					admitted[i].Add(1)
				case !errors.Is(err, soap.ErrReplayed):
					wrong.Add(1)
				}
			}
		})
	}
	group.Wait()
	for i := range admitted {
		if n := admitted[i].Load(); n != 1 {
			t.Errorf("digest %d was admitted %d times", i, n)
		}
	}
	if wrong.Load() != 0 || m.Len() != digests {
		t.Errorf("%d refused for another reason, %d held", wrong.Load(), m.Len())
	}
}

// TestReplayMessages: one signed message to many receivers that share the state.
func TestReplayMessages(t *testing.T) {
	message := newDraft().sign(t)
	p := policy()
	p.Replay = soap.NewMemoryReplay(10)
	var admitted atomic.Int64
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			if judge(t, message, config(), p, trust(&testpki.Load().AliceEIDP256), testpki.Now()) == nil {
				admitted.Add(1)
			}
		})
	}
	group.Wait()
	if admitted.Load() != 1 {
		t.Errorf("admitted %d times", admitted.Load())
	}
}

// TestReplayBound: exactly as many as the capacity says, whatever their digests; a
// live entry is never given up for another (attacks.md Z9).
func TestReplayBound(t *testing.T) {
	now := testpki.Now()
	for _, capacity := range []int{-1, 0, 1, 2, 63, 64, 65, 1000} {
		m := soap.NewMemoryReplay(capacity)
		for i := range max(capacity, 0) {
			if err := m.Remember(digest(i), now.Add(time.Minute), now); err != nil {
				t.Fatalf("capacity %d, entry %d: %v", capacity, i, err)
			}
		}
		for range 3 {
			if err := m.Remember(digest(-1), now.Add(time.Minute), now); !errors.Is(err, soap.ErrReplayFull) {
				t.Errorf("capacity %d: %v", capacity, err)
			}
		}
		for i := range max(capacity, 0) {
			if err := m.Remember(digest(i), now.Add(time.Minute), now); !errors.Is(err, soap.ErrReplayed) {
				t.Fatalf("capacity %d, entry %d again: %v", capacity, i, err)
			}
		}
		if m.Len() != max(capacity, 0) {
			t.Errorf("capacity %d: %d held", capacity, m.Len())
		}
	}
}

// TestReplayBoundConcurrent: the bound holds when many come at once.
func TestReplayBoundConcurrent(t *testing.T) {
	const capacity, callers, each = 100, 8, 100
	m := soap.NewMemoryReplay(capacity)
	now := testpki.Now()
	var admitted atomic.Int64
	var group sync.WaitGroup
	for c := range callers {
		group.Go(func() {
			for i := range each {
				if m.Remember(digest(c*each+i), now.Add(time.Minute), now) == nil {
					admitted.Add(1)
				}
			}
		})
	}
	group.Wait()
	if admitted.Load() != capacity || m.Len() != capacity {
		t.Errorf("admitted %d, held %d, capacity %d", admitted.Load(), m.Len(), capacity)
	}
}

// TestReplayForgets: what has ended makes room, wherever it lies, and only then.
func TestReplayForgets(t *testing.T) {
	const capacity = 200
	m := soap.NewMemoryReplay(capacity)
	now := testpki.Now()
	for i := range capacity {
		if err := m.Remember(digest(i), now.Add(time.Minute), now); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(time.Minute)
	if err := m.Remember(digest(-1), now.Add(time.Minute), now); !errors.Is(err, soap.ErrReplayFull) {
		t.Errorf("room before anything ended: %v", err)
	}
	now = now.Add(time.Minute)
	for i := range capacity {
		if err := m.Remember(digest(1000+i), now.Add(time.Minute), now); err != nil {
			t.Fatalf("entry %d after all had ended: %v", i, err)
		}
	}
	if m.Len() != capacity {
		t.Errorf("%d held", m.Len())
	}
}

// TestReplayEdge: an entry lives as long as its Timestamp, to the nanosecond.
func TestReplayEdge(t *testing.T) {
	start := testpki.Now()
	for _, life := range []time.Duration{1, time.Second, time.Minute - 1, time.Minute, time.Minute + 1, 10 * time.Minute, 11*time.Minute - 1} {
		for _, offset := range []time.Duration{0, 1, 59*time.Second + 999_999_999} {
			m := soap.NewMemoryReplay(10)
			now := start.Add(offset)
			until := now.Add(life)
			if err := m.Remember(digest(1), until, now); err != nil {
				t.Fatal(err)
			}
			if err := m.Remember(digest(1), until, until.Add(-1)); !errors.Is(err, soap.ErrReplayed) {
				t.Errorf("life %v, offset %v, last moment: %v", life, offset, err)
			}
			if err := m.Remember(digest(1), until, until); !errors.Is(err, soap.ErrReplayed) {
				t.Errorf("life %v, offset %v, the end: %v", life, offset, err)
			}
		}
	}
}

// TestReplayTimestampEdge: there is no moment between the last at which a message is
// remembered and the first at which its Timestamp refuses it (attacks.md R2).
func TestReplayTimestampEdge(t *testing.T) {
	message := newDraft().sign(t) // Expires 20:01:00, and a minute of skew
	end := testpki.Now().Add(2 * time.Minute)
	for _, first := range []time.Duration{-3 * time.Minute, -time.Minute, -1} {
		p, k := policy(), trust(&testpki.Load().AliceEIDP256)
		p.Replay = soap.NewMemoryReplay(10)
		if err := judge(t, message, config(), p, k, end.Add(first)); err != nil {
			t.Fatal(err)
		}
		refused(t, judge(t, message, config(), p, k, end.Add(-1)), soap.Replayed, "")
		refused(t, judge(t, message, config(), p, k, end), soap.Expired, "")
		refused(t, judge(t, message, config(), p, k, end.Add(time.Hour)), soap.Expired, "")
	}
}

// TestReplayClockSteps: the clock of the receiver goes forward and back; what was
// seen is never admitted again (attacks.md R5).
func TestReplayClockSteps(t *testing.T) {
	message := newDraft().sign(t)
	later := newDraft()
	later.timestamp = timestamp("2026-11-21T21:00:00.000Z", "2026-11-21T21:01:00.000Z")
	for _, step := range []time.Duration{time.Minute, 3 * time.Minute, time.Hour, 24 * time.Hour, -time.Hour} {
		m := soap.NewMemoryReplay(10_000)
		p, k := policy(), trust(&testpki.Load().AliceEIDP256)
		p.Replay = m
		now := testpki.Now()
		if err := judge(t, message, config(), p, k, now); err != nil {
			t.Fatal(err)
		}
		// Messages of the wrong hour make the state forget, in every shard.
		for i := range 1000 {
			if err := m.Remember(digest(i), now.Add(step+time.Minute), now.Add(step)); err != nil {
				t.Fatal(err)
			}
		}
		var e *soap.Error
		if err := judge(t, message, config(), p, k, now); !errors.As(err, &e) || e.Reason != soap.Replayed && e.Reason != soap.NoReplayState {
			t.Errorf("after a step of %v and back: %v", step, err)
		}
		// The state goes on where it knows what it has seen.
		if err := judge(t, later.sign(t), config(), p, k, now.Add(time.Hour)); err != nil {
			t.Errorf("after a step of %v nothing is admitted any more: %v", step, err)
		}
	}
}

// TestReplayOtherUntil: a policy with another skew, after a reload, finds what the
// one before it remembered.
func TestReplayOtherUntil(t *testing.T) {
	message := newDraft().sign(t)
	m := soap.NewMemoryReplay(10)
	for i, skew := range []time.Duration{time.Minute, 0, 5 * time.Minute} {
		p := policy()
		p.Replay, p.Timestamp.Skew = m, skew
		err := judge(t, message, config(), p, trust(&testpki.Load().AliceEIDP256), testpki.Now())
		if i == 0 {
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		refused(t, err, soap.Replayed, "")
	}
}

// TestReplayModel compares with a map that forgets nothing.
func TestReplayModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := soap.NewMemoryReplay(rapid.IntRange(1, 20).Draw(t, "capacity"))
		ends := map[int]time.Time{}
		now := testpki.Now()
		for range rapid.IntRange(1, 60).Draw(t, "messages") {
			now = now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
			i := rapid.IntRange(0, 15).Draw(t, "digest")
			until, seen := ends[i]
			if !seen || !until.After(now) {
				until = now.Add(time.Duration(rapid.IntRange(1, 300).Draw(t, "life")) * time.Second)
			}
			err := m.Remember(digest(i), until, now)
			if seen && ends[i].After(now) && !errors.Is(err, soap.ErrReplayed) {
				t.Fatalf("digest %d lives until %v, at %v the answer is %v", i, ends[i], now, err)
			}
			if err == nil {
				ends[i] = until
			}
		}
	})
}

// TestReplayForgetsInTime: whatever ends when, what has ended is forgotten at the next message of its shard, and
// nothing before.
func TestReplayForgetsInTime(t *testing.T) {
	minute := func(t time.Time) int64 { return t.Unix() / 60 }
	rapid.Check(t, func(t *rapid.T) {
		m := soap.NewMemoryReplay(1000)
		var ends []int64 // the minute that is after the end
		now := testpki.Now()
		for i := range rapid.IntRange(1, 60).Draw(t, "messages") {
			now = now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
			until := now.Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "life")) * time.Second)
			if err := m.Remember([32]byte{31: byte(i)}, until, now); err != nil { // one shard
				t.Fatal(err)
			}
			ends = slices.DeleteFunc(ends, func(end int64) bool { return end <= minute(now) })
			ends = append(ends, minute(until)+1)
			if m.Len() != len(ends) {
				t.Fatalf("%d entries are held at %v, want %d", m.Len(), now, len(ends))
			}
		}
	})
}

func TestReplayAllocations(t *testing.T) {
	m := soap.NewMemoryReplay(100_000)
	now := testpki.Now()
	n := 0
	fill := func() {
		for range 1000 {
			if err := m.Remember(digest(n), now.Add(time.Minute), now); err != nil {
				t.Fatal(err)
			}
			n++
		}
		now = now.Add(3 * time.Minute)
	}
	for range 20 {
		fill()
	}
	if allocations := testing.AllocsPerRun(20, fill) / 1000; allocations > 0.2 {
		t.Errorf("%v allocations a message", allocations)
	}
}

func BenchmarkReplay(b *testing.B) {
	m := soap.NewMemoryReplay(1 << 20)
	var sequence atomic.Int64
	start := testpki.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := sequence.Add(1)
			now := start.Add(time.Duration(n) * 100 * time.Microsecond)
			var d [32]byte
			binary.LittleEndian.PutUint64(d[:], uint64(n)*0x9E3779B97F4A7C15)
			if err := m.Remember(d, now.Add(time.Minute), now); err != nil {
				b.Fatal(err)
			}
		}
	})
}
