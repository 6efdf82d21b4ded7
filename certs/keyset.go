package certs

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// A ScheduledKey is one of our keys over time: announced, at work, and remembered.
type ScheduledKey struct {
	// ID is the operator's name of it.
	ID string

	// Certificate is what relying parties verify with. Signer is nil for a key that
	// signs no longer, or not yet.
	Certificate *Certificate
	Signer      *Signer

	// Published is since when relying parties can have had the certificate.
	Published time.Time
	// Activate is when the key begins to sign, until the next one begins. Zero: it is
	// not scheduled yet.
	Activate time.Time
	// Withdrawn is from when the certificate is published no longer although its time
	// would not be over; zero is never.
	Withdrawn time.Time
	// Forced says that the operator waived PublishAhead for this key.
	Forced bool
}

// KeySetConfig is all that a KeySet is made of.
type KeySetConfig struct {
	Keys []ScheduledKey

	// PublishAhead is how long a certificate must be published before its key signs.
	// It does not bind the first key, which nobody could know before.
	PublishAhead time.Duration
	// PublishAfter is how long a certificate stays published after its key has ceased to
	// sign: as long as the longest assertion lives.
	PublishAfter time.Duration
}

// A KeyState is where a key is in its life.
type KeyState int

// The states of a key. They follow each other and none is left out.
const (
	KeyNext    KeyState = iota + 1 // published; it signs nothing yet
	KeyCurrent                     // it signs
	KeyRetired                     // published; it signs nothing any more
	KeyGone                        // neither
)

func (s KeyState) String() string {
	switch s {
	case KeyNext:
		return "next"
	case KeyCurrent:
		return "current"
	case KeyRetired:
		return "retired"
	case KeyGone:
		return "gone"
	}
	return "no state"
}

// A KeySet is the keys of one authority by schedule. What is current is a function of
// the clock alone: each key signs from its own activation until that of the next, so that
// at every moment from the first on there is exactly one, without a gap and without two.
// NewKeySet makes it; it does not change, and is safe for concurrent use.
type KeySet struct {
	config KeySetConfig
	order  []int // of the scheduled keys, by Activate
}

// NewKeySet checks a schedule: every key has a name and a certificate of its own, no two
// begin at one moment, each certificate is valid when its key begins, was published
// PublishAhead before that or Forced, and none is withdrawn before its key has ceased.
func NewKeySet(c KeySetConfig) (*KeySet, error) {
	if c.PublishAhead < 0 || c.PublishAfter < 0 {
		return nil, refuse(Malformed, errors.New("a negative duration of publication"))
	}
	s := &KeySet{config: c}
	s.config.Keys = slices.Clone(c.Keys)
	ids, certificates := map[string]bool{}, map[[32]byte]bool{}
	for i := range s.config.Keys {
		k := &s.config.Keys[i]
		switch {
		case k.ID == "" || ids[k.ID]:
			return nil, refuse(Malformed, fmt.Errorf("key %q: without a name, or one that another has", k.ID))
		case k.Certificate == nil:
			return nil, refuse(Malformed, fmt.Errorf("key %s: no certificate", k.ID))
		case certificates[k.Certificate.Fingerprint()]:
			return nil, refuse(Malformed, fmt.Errorf("key %s: the certificate of another", k.ID))
		case k.Signer != nil && k.Signer.certificate.Fingerprint() != k.Certificate.Fingerprint():
			return nil, refuse(Mismatch, fmt.Errorf("key %s: it signs with another certificate", k.ID))
		case k.Published.IsZero():
			return nil, refuse(Malformed, fmt.Errorf("key %s: it is not said since when it is published", k.ID))
		}
		ids[k.ID], certificates[k.Certificate.Fingerprint()] = true, true
		if !k.Activate.IsZero() {
			s.order = append(s.order, i)
		}
	}
	slices.SortFunc(s.order, func(a, b int) int { return s.config.Keys[a].Activate.Compare(s.config.Keys[b].Activate) })
	for n := range s.order {
		if err := s.checkTurn(n); err != nil {
			return nil, err
		}
	}
	for i := range s.config.Keys {
		if k := &s.config.Keys[i]; !k.Withdrawn.IsZero() {
			if ceases, ok := s.ceases(i); !ok || k.Withdrawn.Before(ceases) {
				return nil, refuse(Malformed, fmt.Errorf("key %s: it would be withdrawn while it signs, or before", k.ID))
			}
		}
	}
	return s, nil
}

// checkTurn checks the change to the nth key.
func (s *KeySet) checkTurn(n int) error {
	k := &s.config.Keys[s.order[n]]
	if err := k.Certificate.covers(k.Activate); err != nil {
		return fmt.Errorf("key %s, when it begins to sign: %w", k.ID, err)
	}
	if n == 0 {
		return nil
	}
	if ahead := k.Activate.Sub(k.Published); ahead < s.config.PublishAhead && !k.Forced {
		return refuse(Malformed, fmt.Errorf("key %s: it begins %v after its publication, %v are wanted: relying parties would refuse what it signs",
			k.ID, ahead.Round(time.Second), s.config.PublishAhead))
	}
	if k.Activate.Equal(s.config.Keys[s.order[n-1]].Activate) {
		return refuse(Malformed, fmt.Errorf("key %s: it begins at the moment at which another does", k.ID))
	}
	return nil
}

// ceases tells when a key ceases to sign, if the schedule says so.
func (s *KeySet) ceases(i int) (time.Time, bool) {
	n := slices.Index(s.order, i)
	if n < 0 || n+1 == len(s.order) {
		return time.Time{}, false
	}
	return s.config.Keys[s.order[n+1]].Activate, true
}

// Keys gives all keys as they were given. They must not be changed.
func (s *KeySet) Keys() []ScheduledKey { return s.config.Keys }

// Current gives the key whose turn it is, valid or not: what is expired refuses to sign
// (Signer.Usable) and is not replaced by another behind the operator's back. Before the
// first activation there is none.
func (s *KeySet) Current(at time.Time) (*ScheduledKey, error) {
	if i := s.current(at); i >= 0 {
		return &s.config.Keys[i], nil
	}
	return nil, refuse(NotYetValid, errors.New("no signing key has begun"))
}

func (s *KeySet) current(at time.Time) int {
	for _, i := range slices.Backward(s.order) {
		if !s.config.Keys[i].Activate.After(at) {
			return i
		}
	}
	return -1
}

// State tells where a key of Keys is in its life, by its index.
func (s *KeySet) State(i int, at time.Time) KeyState {
	k := &s.config.Keys[i]
	if i == s.current(at) {
		return KeyCurrent
	}
	if k.Activate.IsZero() || k.Activate.After(at) {
		return KeyNext
	}
	if !at.Before(s.goes(i)) {
		return KeyGone
	}
	return KeyRetired
}

// goes tells when a key that ceases is published no longer: PublishAfter later, at the
// end of its certificate or when it is withdrawn, whichever comes first.
func (s *KeySet) goes(i int) time.Time {
	k := &s.config.Keys[i]
	ceases, _ := s.ceases(i)
	end := ceases.Add(s.config.PublishAfter)
	if last := k.Certificate.NotAfter(); last.Before(end) {
		end = last
	}
	if !k.Withdrawn.IsZero() && k.Withdrawn.Before(end) {
		end = k.Withdrawn
	}
	return end
}

// Published gives the keys whose certificates relying parties should have: the current
// one, those that come, the earliest first, and those that were, the latest first.
func (s *KeySet) Published(at time.Time) []*ScheduledKey {
	var all, retired []*ScheduledKey
	if i := s.current(at); i >= 0 {
		all = append(all, &s.config.Keys[i])
	}
	for _, i := range s.order {
		switch k := &s.config.Keys[i]; s.State(i, at) {
		case KeyNext:
			all = append(all, k)
		case KeyRetired:
			retired = append(retired, k)
		}
	}
	for i := range s.config.Keys {
		if k := &s.config.Keys[i]; k.Activate.IsZero() {
			all = append(all, k)
		}
	}
	slices.Reverse(retired)
	return append(all, retired...)
}

// Window gives when a key signs: from is zero for one that is not scheduled, until for
// one that no other follows.
func (s *KeySet) Window(i int) (from, until time.Time) {
	until, _ = s.ceases(i)
	return s.config.Keys[i].Activate, until
}

// PublishedUntil gives when a key's certificate ceases to be published; zero for one that
// no other follows.
func (s *KeySet) PublishedUntil(i int) time.Time {
	if _, ok := s.ceases(i); !ok {
		return time.Time{}
	}
	return s.goes(i)
}

// NextChange gives the first moment after at when a key changes its state; zero is never.
func (s *KeySet) NextChange(at time.Time) time.Time {
	var first time.Time
	consider := func(moment time.Time) {
		if moment.After(at) && (first.IsZero() || moment.Before(first)) {
			first = moment
		}
	}
	for i := range s.config.Keys {
		consider(s.config.Keys[i].Activate)
		if _, ok := s.ceases(i); ok {
			consider(s.goes(i))
		}
	}
	return first
}
