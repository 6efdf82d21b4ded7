package certs

import (
	"time"
)

// OCSPStatus is how the OCSP of one authority stands.
type OCSPStatus struct {
	Mode       OCSPMode
	Kept       int    // certificates on which an answer is kept or awaited
	Good       int    // of those: fresh and good
	Revoked    int    // of those: revoked
	Unknown    int    // of those: fresh, and unknown to the responder
	Stale      int    // of those: with an answer that is late or not yet valid
	Waiting    int    // of those: without an answer
	NoRoom     uint64 // how often a certificate was turned away because Entries were kept already
	Responders []ResponderStatus
}

// ResponderStatus is what came of asking one responder.
type ResponderStatus struct {
	Address     string
	Fetches     uint64
	Failures    uint64 // of those: without an answer that could be proven
	LastTry     time.Time
	LastSuccess time.Time
	LastError   error // of the last try; nil when it succeeded
	BackingOff  bool  // it could not be reached, and is left in peace for a while
}

// status tells how the answers stand at a moment; nil for an authority without OCSP.
func (p *ocspPolicy) status(at time.Time) *OCSPStatus {
	if p == nil {
		return nil
	}
	s := &OCSPStatus{Mode: p.Mode, NoRoom: p.shelf.refused.Load()}
	p.shelf.each(func(e *ocspEntry) {
		s.Kept++
		switch e.answer.Load().state(at, p.skew) {
		case OCSPMissing:
			s.Waiting++
		case OCSPGood:
			s.Good++
		case OCSPRevoked:
			s.Revoked++
		case OCSPUnknown:
			s.Unknown++
		default:
			s.Stale++
		}
	})
	for _, address := range p.Responders {
		r := p.shelf.responder(address)
		r.mu.Lock()
		s.Responders = append(s.Responders, ResponderStatus{
			Address: address, Fetches: r.fetches, Failures: r.failed, LastTry: r.lastTry, LastSuccess: r.lastSuccess,
			LastError: r.lastError, BackingOff: r.failures > 0,
		})
		r.mu.Unlock()
	}
	return s
}
