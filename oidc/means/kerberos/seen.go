package kerberos

import (
	"errors"
	"sync"
	"time"
)

// A Seen remembers authenticators (RFC 4120 section 3.2.3). It is safe for concurrent use.
type Seen interface {
	// Add says whether an authenticator comes for the first time, and remembers it for as long as its time would be taken. Of
	// several who ask at the same time about the same, one is told so. An error admits nobody.
	Add(authenticator [32]byte, now time.Time, keep time.Duration) (fresh bool, err error)
}

// seen remembers authenticators by the digest of what was encrypted, as long as their time would be
// taken. It is exact and bounded; where there is no room nobody is admitted. The zero value is ready.
type seen struct {
	mu   sync.Mutex
	till map[[32]byte]time.Time
	next time.Time // when what is over is looked for
}

// maxSeen bounds what is remembered.
const maxSeen = 1 << 17

// Add implements Seen.
func (s *seen) Add(key [32]byte, now time.Time, keep time.Duration) (fresh bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.till == nil {
		s.till = make(map[[32]byte]time.Time)
	}
	if !now.Before(s.next) || len(s.till) >= maxSeen {
		for k, till := range s.till {
			if till.Before(now) {
				delete(s.till, k)
			}
		}
		s.next = now.Add(keep)
	}
	if _, was := s.till[key]; was {
		return false, nil
	}
	if len(s.till) >= maxSeen {
		return false, errors.New("kerberos: no room to remember an authenticator")
	}
	s.till[key] = now.Add(keep)
	return true, nil
}
