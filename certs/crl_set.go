package certs

import (
	"errors"
	"slices"
	"time"
)

// maxPartitions bounds the scopes for which one authority may have lists.
const maxPartitions = 1024

// crlSet is what the lists of one authority say together. It is immutable: a list
// that comes makes a new set.
type crlSet struct {
	all        []*partition
	unnamed    []*partition            // those that speak for certificates of every distribution point
	byName     map[string][]*partition // the others, by the names of their points
	partitions map[string]*partition   // by scope
}

// partition is what is known for one scope: a complete list, the delta that goes on
// from it, and deltas that are ahead of it, on bases that have not come yet, the oldest
// first. At least one is there.
type partition struct {
	complete, delta *revocationList
	ahead           []*revocationList
}

// maxAhead bounds the deltas that wait for a base. Each is on a later base than the one
// before it, of which the authority issues one a day or fewer.
const maxAhead = 32

// follows tells whether a delta goes on from a complete list: together they are the
// complete list of the delta's number (RFC 5280 section 5.2.4). A delta on a later base
// says nothing of what was revoked between the two.
func (l *revocationList) follows(complete *revocationList) bool {
	return complete != nil && l.base.Cmp(complete.number) <= 0 && l.signer == complete.signer
}

// scope gives the scope that the lists of the partition share.
func (p *partition) scope() *crlScope {
	for l := range p.lists {
		return &l.scope
	}
	return &crlScope{}
}

// lists gives the lists of the partition.
func (p *partition) lists(yield func(*revocationList) bool) {
	for _, l := range [...]*revocationList{p.complete, p.delta} {
		if l != nil && !yield(l) {
			return
		}
	}
	for _, l := range p.ahead {
		if !yield(l) {
			return
		}
	}
}

// without gives the partition without those lists that are disowned.
func (p *partition) without(disowned func(*revocationList) bool) (left partition) {
	if p.complete != nil && !disowned(p.complete) {
		left.complete = p.complete
	}
	if p.delta != nil && !disowned(p.delta) {
		left.delta = p.delta
	}
	left.ahead = slices.DeleteFunc(slices.Clone(p.ahead), disowned)
	return left
}

// with gives the set with one more list, or says why it may not follow what is
// there (K3). A delta that the complete list has outrun changes nothing. Lists that are
// disowned count for nothing any more, not for their number either.
func (s *crlSet) with(l *revocationList, disowned func(old *revocationList) bool) (*crlSet, error) {
	var next partition
	if s != nil && s.partitions[l.scope.raw] != nil {
		next = s.partitions[l.scope.raw].without(disowned)
	} else if s != nil && len(s.all) >= maxPartitions {
		return nil, refuse(TooLarge, errors.New("CRL: too many scopes"))
	}
	if l.base == nil {
		if next.complete != nil {
			if err := l.newer(next.complete); err != nil {
				return nil, err
			}
		}
		next.complete = l
	} else {
		for old := range next.lists {
			if old != next.complete {
				if err := l.newer(old); err != nil {
					return nil, err
				}
			}
		}
		if next.complete != nil && l.number.Cmp(next.complete.number) <= 0 {
			return s, nil // the complete list has all that it says
		}
		next.wait(l)
	}
	next.settle()
	return s.replace(l.scope.raw, &next), nil
}

// wait adds the newest delta to those that are ahead. It takes the place of those on its
// base or a later one, all of whose entries it has.
func (p *partition) wait(l *revocationList) {
	p.ahead = slices.DeleteFunc(p.ahead, func(old *revocationList) bool {
		return old.digest == l.digest || l.signer == old.signer && l.base.Cmp(old.base) <= 0
	})
	if p.ahead = append(p.ahead, l); len(p.ahead) > maxAhead {
		p.ahead = slices.Delete(p.ahead, 0, 1)
	}
}

// settle drops the deltas that the complete list has outrun, and lets the newest that
// goes on from it do so. A delta that does not go on yet takes the place of none that
// does or waits: what that one revoked stays revoked.
func (p *partition) settle() {
	if p.complete == nil {
		return
	}
	outrun := func(delta *revocationList) bool { return delta.number.Cmp(p.complete.number) <= 0 }
	if p.delta != nil && outrun(p.delta) {
		p.delta = nil
	}
	p.ahead = slices.DeleteFunc(p.ahead, outrun)
	if p.delta != nil && !p.delta.follows(p.complete) { // the complete list is by another key now: section 6.3.3 (c) (3)
		p.delta, p.ahead = nil, slices.Insert(p.ahead, 0, p.delta)
	}
	for i, delta := range slices.Backward(p.ahead) {
		if delta.follows(p.complete) {
			p.delta, p.ahead = delta, slices.Delete(p.ahead, 0, i+1)
			return
		}
	}
}

// replace makes a set with another partition for a scope.
func (s *crlSet) replace(scope string, p *partition) *crlSet {
	next := &crlSet{byName: map[string][]*partition{}, partitions: map[string]*partition{scope: p}}
	if s != nil {
		for raw, old := range s.partitions {
			if raw != scope {
				next.partitions[raw] = old
			}
		}
		next.all = slices.DeleteFunc(slices.Clone(s.all), func(old *partition) bool { return old == s.partitions[scope] })
	}
	next.all = append(next.all, p)
	for _, p := range next.all {
		names := p.scope().names
		if len(names) == 0 {
			next.unnamed = append(next.unnamed, p)
		}
		for _, name := range names {
			next.byName[name] = append(next.byName[name], p)
		}
	}
	return next
}

// find gives the list of a digest, or nil.
func (s *crlSet) find(digest [32]byte) *revocationList {
	if s == nil {
		return nil
	}
	for _, p := range s.all {
		for l := range p.lists {
			if l.digest == digest {
				return l
			}
		}
	}
	return nil
}

// crlVerdict is what the lists of an issuer say of one certificate at a moment.
type crlVerdict struct {
	state CRLState
	late  time.Duration // with CRLLate: by how much
	entry *crlEntry     // that lists the certificate, or nil
}

// covered is a partition that speaks for a certificate.
type covered struct {
	reasons reasonSet
	state   CRLState
	late    time.Duration
}

// crlMoment is the moment at which the lists of an authority are asked.
type crlMoment struct {
	authority *authority
	at        time.Time
	skew      time.Duration
	own       bool // the question is about the delegate that signs the authority's lists: see believes
	depth     int  // of delegation
}

// judge asks every list that speaks for a certificate. It is revoked when one says
// so. It is cleared when those that are fresh speak of every reason together
// (RFC 5280 section 6.3.3, reasons_mask). It does not allocate.
func (s *crlSet) judge(c *Certificate, m *crlMoment) crlVerdict {
	var v crlVerdict
	if s == nil {
		return v
	}
	var few [8]covered
	speak := few[:0]
	consider := func(partitions []*partition) {
		for _, p := range partitions {
			one := covered{reasons: p.scope().covers(c)}
			if one.reasons == 0 {
				continue
			}
			one.state, one.late = p.state(m)
			if entry := p.find(&c.serial, m); entry != nil {
				v.entry = entry
			}
			speak = append(speak, one)
		}
	}
	consider(s.unnamed)
	if len(s.byName) > 0 {
		for i := range c.points {
			for _, name := range c.points[i].names {
				consider(s.byName[name])
			}
		}
		if len(c.points) == 0 { // the point that section 6.3.3 assumes
			consider(s.byName[c.issuerPoint])
		}
	}
	v.state, v.late = together(speak)
	return v
}

// together finds the freshest lists that speak of every reason, and how fresh the
// least fresh of them is.
func together(speak []covered) (CRLState, time.Duration) {
	var mask reasonSet
	for len(speak) > 0 {
		best := 0
		for i := range speak {
			if s, b := &speak[i], &speak[best]; s.state > b.state || s.state == b.state && s.late < b.late {
				best = i
			}
		}
		if mask |= speak[best].reasons; mask == allReasons {
			return speak[best].state, speak[best].late
		}
		speak[best] = speak[len(speak)-1]
		speak = speak[:len(speak)-1]
	}
	return CRLMissing, 0
}

// state is the freshness of the partition: of the delta where it goes on from the
// complete list, since both together are the complete list of that moment.
func (p *partition) state(m *crlMoment) (CRLState, time.Duration) {
	if !m.believes(p.complete) {
		return CRLMissing, 0
	}
	state, late := p.complete.state(m.at, m.skew)
	if m.believes(p.delta) {
		if s, d := p.delta.state(m.at, m.skew); s > state || s == state && d < late {
			return s, d
		}
	}
	return state, late
}

// find gives the entry that revokes a serial number, or nil. What is listed counts
// however old the list is. A removal counts only from a fresh delta that goes on from
// the complete list, and lifts only what may be lifted: certificateHold (section 5.3.1).
func (p *partition) find(serial *serialDigest, m *crlMoment) *crlEntry {
	for _, ahead := range p.ahead {
		if entry := ahead.index.find(serial); entry != nil && entry.reason != removeFromCRL && m.believes(ahead) {
			return entry
		}
	}
	removed := false
	if m.believes(p.delta) {
		if entry := p.delta.index.find(serial); entry != nil {
			if entry.reason != removeFromCRL {
				return entry
			}
			state, _ := p.delta.state(m.at, m.skew)
			removed = state == CRLFresh
		}
	}
	if !m.believes(p.complete) {
		return nil
	}
	entry := p.complete.index.find(serial)
	if entry != nil && removed && entry.reason == certificateHold {
		return nil
	}
	return entry
}
