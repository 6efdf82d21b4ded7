package certs

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// crlSlot holds the CRLs of one authority. Readers take the current set without a
// lock; a new list swaps in a new set, whole.
type crlSlot struct {
	set     atomic.Pointer[crlSet]
	answers *ocspShelf // nil without OCSP; touched while a trust is made only

	mu      sync.Mutex // one change at a time; guards what follows
	sources []SourceStatus
}

// current gives the set, nil before the first list.
func (s *crlSlot) current() *crlSet { return s.set.Load() }

// put takes a list into the set, unless it would roll back (K3). changed tells whether it is new.
// disowned is that of crlSet.with.
func (s *crlSlot) put(l *revocationList, disowned func(old *revocationList) bool) (changed bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.current()
	next, err := old.with(l, disowned)
	if err != nil || next == old {
		return false, err
	}
	s.set.Store(next)
	return true, nil
}

// maxSources bounds how many files and addresses an authority remembers.
const maxSources = 64

// tried records the end of an attempt to have a list from a file or an address.
func (s *crlSlot) tried(source string, at time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.sources, func(known SourceStatus) bool { return known.Source == source })
	if i < 0 {
		if len(s.sources) == maxSources {
			s.sources = slices.Delete(s.sources, 0, 1)
		}
		i = len(s.sources)
		s.sources = append(s.sources, SourceStatus{Source: source})
	}
	now := &s.sources[i]
	now.LastTry, now.LastError = at, err
	if err != nil {
		now.Failures++
	} else {
		now.Failures, now.LastSuccess = 0, at
	}
}

// keep forgets the sources that a new configuration no longer has.
func (s *crlSlot) keep(has func(source string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sources = slices.DeleteFunc(s.sources, func(known SourceStatus) bool { return !has(known.Source) })
}

func (s *crlSlot) tries() []SourceStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sources)
}
