package certs

import (
	"math/big"
	"time"
)

// Status is how a Verifier stands, for readiness and metrics.
type Status struct {
	Epoch       uint64
	Authorities []AuthorityStatus
}

// AuthorityStatus is how the CRLs of one authority stand at a moment.
type AuthorityStatus struct {
	Subject     string // the authority's name
	Fingerprint [32]byte
	Revocation  Revocation
	State       CRLState
	Lists       int // CRLs, one a scope; what follows is of the least fresh
	Number      *big.Int
	ThisUpdate  time.Time
	NextUpdate  time.Time
	Age         time.Duration // since thisUpdate
	Entries     int           // of all lists
	Source      string        // the file or address that the newest list came from
	LastTry     time.Time
	LastError   error       // of the last try; nil when it succeeded
	OCSP        *OCSPStatus // nil: the authority has no responders
	Soon        bool        // the list ends within a quarter of its span: something keeps the next from coming
}

// Usable tells whether a certificate of the authority that is not listed would
// pass at that moment, by the CRLs. OCSP is no part of it: a responder that is away
// takes no server out of service while the answers that are kept last.
func (a *AuthorityStatus) Usable() bool {
	_, reason := decide(a.Revocation, a.State, a.Age-a.NextUpdate.Sub(a.ThisUpdate), false)
	return reason == 0
}

// Ready tells whether every authority is usable. A Verifier that has pinned
// certificates only has no authority and is ready.
func (s *Status) Ready() bool {
	for i := range s.Authorities {
		if !s.Authorities[i].Usable() {
			return false
		}
	}
	return true
}

// Status tells how every authority stands at a moment.
func (v *Verifier) Status(at time.Time) Status {
	t := v.trust.Load()
	s := Status{Epoch: v.epoch.Load()}
	for _, a := range t.order {
		s.Authorities = append(s.Authorities, a.status(at, t.skew))
	}
	return s
}

func (a *authority) status(at time.Time, skew time.Duration) AuthorityStatus {
	s := AuthorityStatus{
		Subject:     a.certificate.subject.text,
		Fingerprint: a.certificate.fingerprint,
		Revocation:  a.revocation,
		OCSP:        a.ocsp.status(at),
	}
	lists := a.slot.current()
	s.Lists = len(lists)
	for i, l := range lists {
		s.Entries += len(l.index.entries)
		if i > 0 && !l.nextUpdate.Before(s.NextUpdate) {
			continue
		}
		s.State, _ = l.state(at, skew)
		s.Number, s.ThisUpdate, s.NextUpdate = l.number, l.thisUpdate, l.nextUpdate
		s.Age = at.Sub(l.thisUpdate)
		s.Soon = l.nextUpdate.Sub(at) < l.nextUpdate.Sub(l.thisUpdate)/4
	}
	a.slot.mu.Lock()
	defer a.slot.mu.Unlock()
	s.Source, s.LastTry, s.LastError = a.slot.source, a.slot.lastTry, a.slot.lastError
	return s
}
