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
	Lists       int // complete CRLs, one a scope; what follows is of the least fresh
	Deltas      int // delta CRLs that go on from one of them
	Number      *big.Int
	ThisUpdate  time.Time
	NextUpdate  time.Time
	Age         time.Duration  // since thisUpdate
	Late        time.Duration  // with CRLLate: since nextUpdate
	Entries     int            // of all lists
	Soon        bool           // the list ends within a quarter of its span: something keeps the next from coming
	OCSP        *OCSPStatus    // nil: the authority has no responders
	Sources     []SourceStatus // files and addresses from which its lists came, or should have
}

// SourceStatus is how one file or distribution point stands.
type SourceStatus struct {
	Source      string // the path or address
	LastTry     time.Time
	LastSuccess time.Time // zero when there was none
	LastError   error     // of the last try; nil when it succeeded
	Failures    int       // since the last success
}

// LastTry is when a list of the authority was last asked for.
func (a *AuthorityStatus) LastTry() (last time.Time) {
	for i := range a.Sources {
		if t := a.Sources[i].LastTry; t.After(last) {
			last = t
		}
	}
	return last
}

// LastError is why the source that was tried last and failed gave no list; nil when
// the last try of every source succeeded.
func (a *AuthorityStatus) LastError() error {
	var last *SourceStatus
	for i := range a.Sources {
		if s := &a.Sources[i]; s.LastError != nil && (last == nil || !s.LastTry.Before(last.LastTry)) {
			last = s
		}
	}
	if last == nil {
		return nil
	}
	return last.LastError
}

// Usable tells whether a certificate of the authority that is not listed would
// pass at that moment, by the CRLs. OCSP is no part of it: a responder that is away
// takes no server out of service while the answers that are kept last.
func (a *AuthorityStatus) Usable() bool {
	_, reason := decide(a.Revocation, a.State, a.Late, false)
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
		Revocation:  a.policy,
		Sources:     a.slot.tries(),
		OCSP:        a.ocsp.status(at),
	}
	set := a.slot.current()
	if set == nil {
		return s
	}
	m := &crlMoment{authority: a, at: at, skew: skew}
	for _, p := range set.all {
		if p.delta != nil {
			s.Deltas++
			s.Entries += len(p.delta.index.entries)
		}
		if p.complete == nil {
			continue
		}
		s.Lists++
		s.Entries += len(p.complete.index.entries)
		l := p.complete
		if m.believes(p.delta) && p.delta.nextUpdate.After(l.nextUpdate) {
			l = p.delta
		}
		if s.Lists > 1 && !l.nextUpdate.Before(s.NextUpdate) {
			continue
		}
		s.State, s.Late = p.state(m)
		s.Number, s.ThisUpdate, s.NextUpdate = l.number, l.thisUpdate, l.nextUpdate
		s.Age = at.Sub(l.thisUpdate)
		s.Soon = l.nextUpdate.Sub(at) < l.nextUpdate.Sub(l.thisUpdate)/4
	}
	return s
}
