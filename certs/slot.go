package certs

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// crlSlot holds the CRLs of one authority, one a scope. Readers take the current
// ones without a lock; a new list is swapped in whole.
type crlSlot struct {
	lists   atomic.Pointer[[]*revocationList]
	answers *ocspShelf // nil without OCSP; touched while a trust is made only

	mu        sync.Mutex // one change at a time; guards what follows
	source    string     // where the current list came from
	lastTry   time.Time
	lastError error // nil after a success
}

// current gives the lists. They must not be changed.
func (s *crlSlot) current() []*revocationList {
	if lists := s.lists.Load(); lists != nil {
		return *lists
	}
	return nil
}

// holds tells whether a list of a digest is current.
func (s *crlSlot) holds(digest [32]byte) bool {
	return slices.ContainsFunc(s.current(), func(l *revocationList) bool { return l.digest == digest })
}

// put makes a list the current one of its scope, unless it would roll back (K3).
func (s *crlSlot) put(l *revocationList, source string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := slices.Clone(s.current())
	i := slices.IndexFunc(next, func(old *revocationList) bool { return old.scope.raw == l.scope.raw })
	if i < 0 {
		next = append(next, l)
	} else {
		if err := l.newer(next[i]); err != nil {
			return err
		}
		next[i] = l
	}
	s.lists.Store(&next)
	s.source = source
	return nil
}

// tried records the end of an attempt.
func (s *crlSlot) tried(at time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastTry, s.lastError = at, err
}

// load takes a CRL from a file or a distribution point: it finds whose it is,
// proves that, and puts it in place. A list that is current already is no error.
func (t *trust) load(der []byte, source string, c *Config, epoch *atomic.Uint64) error {
	if int64(len(der)) > c.CRL.MaxBytes {
		return refuse(TooLarge, errors.New("CRL"))
	}
	digest := digestList(der)
	for _, a := range t.order {
		if a.slot.holds(digest) {
			a.slot.tried(c.Now(), nil)
			return nil
		}
	}
	list, err := parseCRL(der)
	if err != nil {
		return err
	}
	if now := c.Now(); list.thisUpdate.After(now.Add(c.CRL.Skew)) { // it must not take the place of one that is good (K1)
		return refuse(NotYetValid, fmt.Errorf("CRL: thisUpdate is %v", list.thisUpdate))
	}
	owner, proven, err := t.proveList(list)
	if owner != nil {
		defer func() { owner.slot.tried(c.Now(), err) }()
	}
	if err != nil {
		return err
	}
	proven.digest = digest
	if err = owner.slot.put(proven, source); err != nil {
		return err
	}
	epoch.Add(1)
	c.Log.Info("CRL taken", slog.String("authority", owner.certificate.subject.text), slog.String("source", source),
		slog.Time("this_update", proven.thisUpdate), slog.Time("next_update", proven.nextUpdate), slog.Int("entries", len(proven.index.entries)))
	return nil
}

// proveList finds the authority that signed a list: of those that bear the
// issuer's name the one whose key fits, since names alone may be shared (K2).
func (t *trust) proveList(list *signedList) (*authority, *revocationList, error) {
	var owner *authority
	var first error
	for _, a := range t.order {
		if !bytes.Equal(a.certificate.x509.RawSubject, list.issuer) {
			continue
		}
		proven, err := list.verify(a.certificate)
		if err == nil {
			return a, proven, nil
		}
		if first == nil {
			owner, first = a, err
		}
	}
	if first == nil {
		first = refuse(UntrustedIssuer, errors.New("CRL: its issuer is not configured"))
	}
	return owner, nil, first
}
