package client

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"time"
)

// ErrReplayed says that an assertion came before. ErrReplayFull says that no more can be remembered: nothing live is ever
// forgotten for it (attacks.md Z9).
var (
	ErrReplayed   = errors.New("seen before")
	ErrReplayFull = errors.New("replay state full")
)

// A ReplayState remembers the identifiers of assertions. It is safe for concurrent use and exact: of any number of calls with one
// digest, in one process or in many that share the state, exactly one succeeds before until. Any error refuses; ErrReplayed, or
// an error that is it, says why.
type ReplayState interface {
	Remember(digest [32]byte, until, now time.Time) error
}

// jtiDigest names an assertion: the jti of a client. Lengths keep "a","bc" and "ab","c" apart.
func jtiDigest(client, jti string) [32]byte {
	octets := binary.BigEndian.AppendUint32(nil, uint32(len(client)))
	octets = append(octets, client...)
	return sha256.Sum256(append(octets, jti...))
}

// A memoryReplay remembers the assertions of one client, so that none can use up the room of another.
type memoryReplay struct {
	capacity int

	mu        sync.Mutex
	until     map[[32]byte]time.Time
	sweepAt   time.Time // nothing ends before it
	forgotten time.Time // what ended by then may have been dropped
}

var errForgotten = errors.New("the clock went back: what was seen then is forgotten")

func (m *memoryReplay) Remember(digest [32]byte, until, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if end, seen := m.until[digest]; seen && now.Before(end) {
		return ErrReplayed
	}
	if !until.After(m.forgotten) { // R5
		return errForgotten
	}
	if len(m.until) >= m.capacity && !m.sweepAt.After(now) {
		m.sweep(now)
	}
	if len(m.until) >= m.capacity {
		return ErrReplayFull
	}
	if m.until == nil {
		m.until = map[[32]byte]time.Time{}
	}
	if m.sweepAt.IsZero() || until.Before(m.sweepAt) {
		m.sweepAt = until
	}
	m.until[digest] = until
	return nil
}

// sweep drops what ended; m is locked.
func (m *memoryReplay) sweep(now time.Time) {
	m.sweepAt = time.Time{}
	for digest, end := range m.until {
		switch {
		case !now.Before(end):
			delete(m.until, digest)
			if end.After(m.forgotten) {
				m.forgotten = end
			}
		case m.sweepAt.IsZero() || end.Before(m.sweepAt):
			m.sweepAt = end
		}
	}
}
