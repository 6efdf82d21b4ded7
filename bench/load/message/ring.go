package message

import (
	"sync"
	"time"
)

// maxRingBytes is how many bytes of messages a Ring holds at most, padded ones among them.
const maxRingBytes = 64 << 20

// A Ring holds messages that one target has answered, to be sent to it again: what it
// answered it must refuse the second time. The Checker of that target fills it and the
// Source that is sent to it takes from it; two targets need two. NewRing makes it; it is
// safe for concurrent use.
type Ring struct {
	life time.Duration

	mu     sync.Mutex
	places []answered // in a circle
	oldest int        // place of the oldest
	held   int        // how many places are taken, from the oldest on
	bytes  int        // of the messages in them
	next   int        // which is sent again next, counted from the oldest
}

// answered is a message and when it was answered.
type answered struct {
	body []byte
	at   time.Time
}

// NewRing returns a Ring of up to n messages, of 64 MiB at most. A message is sent again while it
// is known for less than life; that should be well below the lifetime of its Timestamp, or it is
// refused for its age and nothing is learned of replay detection.
func NewRing(n int, life time.Duration) *Ring {
	return &Ring{life: life, places: make([]answered, max(n, 1))}
}

// put adds a message that was answered, in the place of the oldest where there is no other; body
// is kept and must not be altered.
func (r *Ring) put(body []byte, at time.Time) {
	if len(body) > maxRingBytes {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.held == len(r.places) || r.bytes+len(body) > maxRingBytes {
		r.forget()
	}
	*r.place(r.held) = answered{body, at}
	r.held++
	r.bytes += len(body)
}

// place returns the place that is so many behind the oldest.
func (r *Ring) place(n int) *answered { return &r.places[(r.oldest+n)%len(r.places)] }

// forget gives up the oldest.
func (r *Ring) forget() {
	e := r.place(0)
	r.bytes -= len(e.body)
	*e = answered{}
	r.oldest = (r.oldest + 1) % len(r.places)
	r.held--
	r.next = max(r.next-1, 0)
}

// take returns a message to be sent again, nil when there is none that is young enough. It takes
// one after the other, and begins again.
func (r *Ring) take(now time.Time) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.held > 0 && now.Sub(r.place(0).at) >= r.life {
		r.forget()
	}
	for range r.held {
		e := r.place(r.next % r.held)
		r.next = (r.next + 1) % r.held
		if now.Sub(e.at) < r.life {
			return e.body
		}
	}
	return nil
}
