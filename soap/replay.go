package soap

import (
	"encoding/binary"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Errors of a ReplayState.
var (
	ErrReplayed   = errors.New("seen before")
	ErrReplayFull = errors.New("replay state full")
)

// A ReplayState remembers messages. Implementations are safe for concurrent use and
// exact: of any number of concurrent calls with one digest, in one process or in
// many that share the state, exactly one succeeds before until (attacks.md R1).
type ReplayState interface {
	// Remember enters digest until the given time. It answers ErrReplayed when it
	// is there already, ErrReplayFull rather than forget a live entry (attacks.md
	// Z9), and any other error when it cannot say. The same digest always comes with
	// the same until.
	Remember(digest [32]byte, until, now time.Time) error
}

const (
	replayShards = 64
	replayBucket = 60 // seconds
)

// MemoryReplay is a ReplayState in the memory of one process, bounded by a number of
// entries (about 150 bytes each). Entries are gathered by the minute in which they
// end and forgotten together.
type MemoryReplay struct {
	capacity int64
	live     atomic.Int64
	swept    atomic.Int64 // the minute of the last sweep of all shards
	shards   [replayShards]replayShard
}

type replayShard struct {
	mu      sync.Mutex
	seen    map[[32]byte]struct{}
	buckets map[int64][][32]byte // by the minute in which they end
	first   int64                // to end, of buckets
	spare   [][][32]byte
	// forgotten is the last bucket that was dropped. When the clock steps back, a
	// message that would end in it or before is fresh again, and nobody knows any
	// more whether it was seen (attacks.md R5).
	forgotten int64
	_         [64]byte // shards share no cache line
}

// errForgotten: the clock went back behind what was forgotten.
var errForgotten = errors.New("the clock went back: what was seen then is forgotten")

// NewMemoryReplay returns a replay state for up to capacity live entries. A capacity
// of zero remembers nothing and so admits nothing.
func NewMemoryReplay(capacity int) *MemoryReplay {
	m := &MemoryReplay{capacity: int64(capacity)}
	for i := range m.shards {
		m.shards[i].seen = make(map[[32]byte]struct{})
		m.shards[i].buckets = make(map[int64][][32]byte)
		m.shards[i].first, m.shards[i].forgotten = math.MaxInt64, math.MinInt64
	}
	m.swept.Store(math.MinInt64)
	return m
}

// Remember implements ReplayState.
func (m *MemoryReplay) Remember(digest [32]byte, until, now time.Time) error {
	err := m.remember(digest, until, now)
	if err == ErrReplayFull && m.sweep(now) {
		err = m.remember(digest, until, now)
	}
	return err
}

func (m *MemoryReplay) remember(digest [32]byte, until, now time.Time) error {
	shard := &m.shards[binary.LittleEndian.Uint64(digest[:])%replayShards]
	ends := minute(until) + 1 // the bucket ends after until
	shard.mu.Lock()
	defer shard.mu.Unlock()
	m.forget(shard, minute(now))
	if _, seen := shard.seen[digest]; seen {
		return ErrReplayed
	}
	if ends <= shard.forgotten {
		return errForgotten
	}
	if !m.claim() {
		return ErrReplayFull
	}
	bucket, ok := shard.buckets[ends]
	if n := len(shard.spare); !ok && n > 0 {
		bucket, shard.spare = shard.spare[n-1], shard.spare[:n-1]
	}
	shard.buckets[ends] = append(bucket, digest)
	shard.first = min(shard.first, ends)
	shard.seen[digest] = struct{}{}
	return nil
}

// claim counts one more entry unless there are as many as may be.
func (m *MemoryReplay) claim() bool {
	for {
		live := m.live.Load()
		if live >= m.capacity {
			return false
		}
		if m.live.CompareAndSwap(live, live+1) {
			return true
		}
	}
}

// sweep forgets in all shards, once a minute: entries of shards that no message has
// met since they ended must not keep a live one out.
func (m *MemoryReplay) sweep(now time.Time) bool {
	if m.swept.Swap(minute(now)) == minute(now) {
		return false
	}
	for i := range m.shards {
		m.shards[i].mu.Lock()
		m.forget(&m.shards[i], minute(now))
		m.shards[i].mu.Unlock()
	}
	return true
}

// forget drops the buckets of s that ended before the minute now; s is locked.
func (m *MemoryReplay) forget(s *replayShard, now int64) {
	if s.first > now {
		return
	}
	s.first = math.MaxInt64
	for ends, bucket := range s.buckets {
		if ends > now {
			s.first = min(s.first, ends)
			continue
		}
		for i := range bucket {
			delete(s.seen, bucket[i])
		}
		m.live.Add(-int64(len(bucket)))
		delete(s.buckets, ends)
		s.forgotten = max(s.forgotten, ends)
		if len(s.spare) < 2 {
			s.spare = append(s.spare, bucket[:0])
		}
	}
}

// minute counts minutes since 1970, rounded down.
func minute(t time.Time) int64 {
	seconds := t.Unix()
	m := seconds / replayBucket
	if seconds%replayBucket < 0 {
		m--
	}
	return m
}

// Len returns the number of entries held, some of which may have ended.
func (m *MemoryReplay) Len() int { return int(m.live.Load()) }
