package certs

import (
	"errors"
	"math/big"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ocsp"
)

// ocspShelf keeps the answers about the certificates of one authority. Requests
// look up and mark; the keeper alone asks, replaces and drops. It outlives a
// Reload.
type ocspShelf struct {
	shards  [ocspShards]ocspShard
	count   atomic.Int64
	crowded atomic.Bool   // somebody found no room
	refused atomic.Uint64 // how often that was
	kept    atomic.Bool   // a keeper is at work
	wake    chan struct{} // tells the keeper of fresh entries and of crowding; holds one

	mu         sync.Mutex
	fresh      []*ocspEntry              // not yet known to the keeper
	responders map[string]*ocspResponder // by address: what is known of them outlives a Reload too

	pinned []*Certificate // the Signers under which the answers were taken; the keeper's
}

// ocspShards is how many locks share the look-ups.
const ocspShards = 16

type ocspShard struct {
	mu      sync.RWMutex
	entries map[serialDigest]*ocspEntry
}

// ocspEntry is what is kept of one certificate: about 400 octets with its answer.
type ocspEntry struct {
	serial   *big.Int
	notAfter time.Time
	seen     atomic.Bool // since the keeper last looked
	answer   atomic.Pointer[ocspAnswer]
	first    chan struct{} // closed when the first try has ended, with an answer or without

	// The keeper's own. Moments are of its pace, not of Config.Now.
	digest   serialDigest
	due      time.Time
	lastSeen time.Time
	failures int
	index    int  // in the queue; -1: not in it
	known    bool // it is, or was, in the queue
	asked    bool // first is closed
}

func newOCSPShelf() *ocspShelf {
	return &ocspShelf{wake: make(chan struct{}, 1), responders: map[string]*ocspResponder{}}
}

func (s *ocspShelf) shard(d *serialDigest) *ocspShard { return &s.shards[d[0]%ocspShards] }

// see finds the entry of a certificate and marks it as seen; one that was never
// seen gets an entry, which the keeper then asks about. Without room for it, nil.
// It does not allocate for an entry that is there.
func (s *ocspShelf) see(c *Certificate, limit int64) *ocspEntry {
	e := s.find(c)
	if e == nil {
		e = s.add(c, limit)
	}
	if e != nil && !e.seen.Load() {
		e.seen.Store(true)
	}
	return e
}

// find finds the entry of a certificate, or nil, and leaves no mark.
func (s *ocspShelf) find(c *Certificate) *ocspEntry {
	shard := s.shard(&c.serial)
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	return shard.of(c)
}

// of gives the entry of a certificate: of two numbers of one digest, "good" is only the other's.
func (s *ocspShard) of(c *Certificate) *ocspEntry {
	if e := s.entries[c.serial]; e != nil && e.serial.Cmp(c.x509.SerialNumber) == 0 {
		return e
	}
	return nil
}

func (s *ocspShelf) add(c *Certificate, limit int64) *ocspEntry {
	shard := s.shard(&c.serial)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.entries[c.serial] != nil {
		return shard.of(c)
	}
	if s.count.Add(1) > limit {
		s.count.Add(-1)
		s.refused.Add(1)
		s.crowded.Store(true)
		s.nudge()
		return nil
	}
	e := &ocspEntry{serial: c.x509.SerialNumber, notAfter: c.NotAfter(), first: make(chan struct{}), digest: c.serial, index: -1}
	if shard.entries == nil {
		shard.entries = map[serialDigest]*ocspEntry{}
	}
	shard.entries[c.serial] = e
	s.mu.Lock()
	s.fresh = append(s.fresh, e)
	s.mu.Unlock()
	s.nudge()
	return e
}

func (s *ocspShelf) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// takeFresh gives the entries that the keeper has not yet met.
func (s *ocspShelf) takeFresh() []*ocspEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := s.fresh
	s.fresh = nil
	return fresh
}

func (s *ocspShelf) drop(e *ocspEntry) {
	shard := s.shard(&e.digest)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	delete(shard.entries, e.digest)
	s.count.Add(-1)
}

// each visits every entry.
func (s *ocspShelf) each(visit func(*ocspEntry)) {
	for i := range s.shards {
		shard := &s.shards[i]
		shard.mu.RLock()
		for _, e := range shard.entries {
			visit(e)
		}
		shard.mu.RUnlock()
	}
}

// responder gives what is known of a responder.
func (s *ocspShelf) responder(address string) *ocspResponder {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.responders[address]
	if r == nil {
		r = &ocspResponder{address: address}
		s.responders[address] = r
	}
	return r
}

// put makes an answer the current one, unless it would roll back (K3): an old
// "good" that is played again must not take the place of a newer "revoked". It
// tells whether something was known that no longer holds.
func (e *ocspEntry) put(a *ocspAnswer) (changed bool, err error) {
	old := e.answer.Load()
	if old == nil {
		e.answer.Store(a)
		return a.status == ocsp.Revoked, nil
	}
	switch {
	case a.thisUpdate.Before(old.thisUpdate):
		return false, refuse(RolledBack, errors.New("OCSP: thisUpdate is earlier than before"))
	case a.thisUpdate.Equal(old.thisUpdate) && old.status == ocsp.Revoked && a.status != ocsp.Revoked:
		return false, refuse(RolledBack, errors.New("OCSP: revoked no longer, at the same thisUpdate"))
	}
	if old.status == ocsp.Revoked && a.status == ocsp.Unknown { // who does not know takes nothing back; "good" ends a hold
		kept := *a
		kept.status = ocsp.Revoked
		a = &kept
	}
	e.answer.Store(a)
	return a.status != old.status, nil
}

// standing is how one certificate of a path stands: by the CRLs of its issuer,
// and by the OCSP answers where the issuer has responders. It does not allocate
// when nothing is refused, and waits only where OCSP.Wait says so.
func (l *link) standing(at time.Time, skew time.Duration) (RevocationStatus, error) {
	status, err := l.revocation(at, skew)
	if l.authority == nil || l.authority.ocsp == nil {
		return status, err
	}
	var crl Reason
	if err != nil {
		if crl = ReasonOf(err); crl == Revoked { // nothing can be added to that
			return 0, err
		}
	}
	p := l.authority.ocsp
	var state OCSPState
	if l.quiet {
		state = p.read(p.shelf.find(l.certificate), at)
	} else {
		state = p.state(l.certificate, at, crl == 0)
	}
	good, reason := decideOCSP(p.Mode, state)
	status, joined := joinOCSP(status, crl, good, reason)
	switch {
	case joined == 0:
		return status, nil
	case joined == crl:
		return 0, err
	case joined == Revoked:
		return 0, refuse(Revoked, errors.New("OCSP: issued by "+l.authority.certificate.subject.text))
	}
	return 0, refuse(joined, errors.New("OCSP answer of "+l.authority.certificate.subject.text+" is "+state.String()))
}

// state finds what the kept answer says of a certificate, and marks it as seen.
func (p *ocspPolicy) state(c *Certificate, at time.Time, mayWait bool) OCSPState {
	e := p.shelf.see(c, p.entries)
	if e == nil {
		return OCSPMissing
	}
	if e.answer.Load() == nil && mayWait && p.Wait > 0 {
		p.await(e)
	}
	return p.read(e, at)
}

// read tells what the answer of an entry says; no entry says nothing.
func (p *ocspPolicy) read(e *ocspEntry, at time.Time) OCSPState {
	if e == nil {
		return OCSPMissing
	}
	a := e.answer.Load()
	state := a.state(at, p.skew)
	if state != OCSPMissing && state != OCSPRevoked && a.delegate != nil && !p.clears(a.delegate, a.noCheck, at) {
		return OCSPMissing
	}
	return state
}

// await waits for the end of the first try to ask about a certificate.
func (p *ocspPolicy) await(e *ocspEntry) {
	select {
	case <-e.first:
		return
	default:
	}
	if !p.shelf.kept.Load() {
		return
	}
	timer := time.NewTimer(p.Wait)
	defer timer.Stop()
	select {
	case <-e.first:
	case <-timer.C:
	}
}
