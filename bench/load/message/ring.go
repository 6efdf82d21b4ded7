package message

import (
	"sync"
	"time"
)

// A Ring holds messages that one target has answered, to be sent to it again: what it
// answered it must refuse the second time. The Checker of that target fills it and the
// Source that is sent to it takes from it; two targets need two. NewRing makes it; it is
// safe for concurrent use.
type Ring struct {
	life time.Duration

	mu      sync.Mutex
	entries []answered // at most cap; then the oldest gives its place
	oldest  int        // where the next goes once all places are taken
	next    int        // which is sent again next
}

// answered is a message and when it was answered.
type answered struct {
	body []byte
	at   time.Time
}

// NewRing returns a Ring of up to n messages. A message is sent again while it is known for
// less than life; that should be well below the lifetime of its Timestamp, or it is refused
// for its age and nothing is learned of replay detection.
func NewRing(n int, life time.Duration) *Ring {
	return &Ring{life: life, entries: make([]answered, 0, max(n, 1))}
}

// put adds a message that was answered; body is kept and must not be altered.
func (r *Ring) put(body []byte, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.entries) < cap(r.entries) {
		r.entries = append(r.entries, answered{body, at})
		return
	}
	r.entries[r.oldest] = answered{body, at}
	r.oldest = (r.oldest + 1) % len(r.entries)
}

// take returns a message to be sent again, nil when there is none that is young enough.
func (r *Ring) take(now time.Time) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range r.entries {
		r.next = (r.next + 1) % len(r.entries)
		if e := &r.entries[r.next]; now.Sub(e.at) < r.life {
			return e.body
		}
	}
	return nil
}
