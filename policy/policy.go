package policy

import (
	"context"
	"time"

	"sceau/attrs"
)

// A PDP decides. It is safe for concurrent use. On an error nothing is permitted.
type PDP interface {
	// Release decides what may be released and fills d, whose memory it uses again: it
	// allocates nothing when d was used before. It keeps neither r nor d.
	Release(ctx context.Context, r *ReleaseRequest, d *Release) error
}

// The kinds of a Requestor.
const (
	KindEID                 = "eid"
	KindEHealthPerson       = "ehealth-person"
	KindEHealthOrganisation = "ehealth-organisation"
	KindService             = "service"
)

// The modes of a request (wire document 6.3).
const (
	ModeSession  = "session"  // eID, and an eHealth certificate as holder-of-key
	ModeEIDOnly  = "eid-only" // the eID as both
	ModeFallback = "fallback" // an eHealth certificate in the place of the eID
)

// A Requestor is one of the two certificates of a request, as package certs proved it.
type Requestor struct {
	Kind           string // "eid", "ehealth-person", "ehealth-organisation", "service"
	IdentifierType string // "SSIN", "CBE", "NIHII-HOSPITAL", … (wire document 6.2)
	Identifier     string
}

// A ReleaseRequest asks which attributes may be released. Identity is who signed the message, Holder whose key
// the assertion will confirm; in eid-only mode they are the same.
type ReleaseRequest struct {
	Identity, Holder Requestor
	Attributes       []*attrs.Definition // nil or of another catalogue: denied
	Mode             string              // "session", "eid-only", "fallback"
	At               time.Time           // never zero
}

// OnDenied says what becomes of a request of which some attributes are denied.
type OnDenied uint8

// Refuse, the zero value, refuses the request; Omit leaves the denied attributes out.
const (
	Refuse OnDenied = iota
	Omit
)

func (o OnDenied) String() string {
	if o == Omit {
		return "omit"
	}
	return "refuse"
}

// A Decision about one attribute. The zero Decision denies.
type Decision struct {
	permitted bool
	rule      string
}

// Permit makes a Decision that permits because of the named rule; it is for other PDPs than Rules. Without a rule it denies.
func Permit(rule string) Decision { return Decision{rule != "", rule} }

// Deny makes a Decision that denies because of the named rule, or for want of any.
func Deny(rule string) Decision { return Decision{rule: rule} }

// Permitted reports whether the attribute may be released.
func (d Decision) Permitted() bool { return d.permitted }

// Rule names the rule that decided, empty when none did.
func (d Decision) Rule() string { return d.rule }

// A Release holds one decision for each attribute asked for, in that order. The zero Release permits
// nothing. It belongs to one goroutine at a time and may be used for one request after the other.
type Release struct {
	Decisions []Decision
	// Profiles are the names of the profiles by which attributes are permitted.
	Profiles []string
	// MaximumValidity is the longest that an assertion with the permitted attributes may be valid; zero when nothing is permitted.
	MaximumValidity time.Duration
	// OnDenied says what becomes of the request if something is denied. It is Refuse when nothing is permitted.
	OnDenied OnDenied

	granted []int32 // by profile: the first rule of the file that grants it, counted from 1
	denying []int32 // the deny rules that match
}

// reset makes d deny n attributes, and gives it room for the work.
func (d *Release) reset(n, profiles int) {
	d.Decisions = zeroed(d.Decisions, n)
	d.Profiles, d.MaximumValidity, d.OnDenied = d.Profiles[:0], 0, Refuse
	d.granted = zeroed(d.granted, profiles)
	d.denying = d.denying[:0]
}

func zeroed[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}
