package drive

import (
	"sync"
	"time"
)

// A schedule hands out arrivals to workers. It is safe for concurrent use.
type schedule struct {
	start, ends time.Time

	mu        sync.Mutex
	arrivals  *arrivals // nil in a closed loop, where a message is due when its worker is ready
	exhausted time.Time // when a message was due that there was none for; zero while there are
}

// next returns when the next message is due, false when there is none any more.
func (s *schedule) next() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.arrivals == nil {
		now := time.Now()
		return now, now.Before(s.ends)
	}
	after, ok := s.arrivals.next()
	return s.start.Add(after), ok
}

// exhaust notes that there was no message for an arrival: there are no more.
func (s *schedule) exhaust(due time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.exhausted.IsZero() || due.Before(s.exhausted) {
		s.exhausted = due
	}
}
