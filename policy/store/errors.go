package store

import "errors"

// A Reason says why this package refused. The zero Reason is none.
type Reason uint8

const (
	_ Reason = iota
	// Unavailable: the database does not answer, or cannot be written.
	Unavailable
	// NotAStore: the database holds no policy store, or one of a later program.
	NotAStore
	// InvalidBundle: files that cannot be a version.
	InvalidBundle
	// InvalidConfig: what the store was opened with.
	InvalidConfig
	// NotAllowed: whoever acts has not the right, or is nobody that is named.
	NotAllowed
	// SameHand: whoever had a hand in a version, or has approved it, would approve it.
	SameHand
	// WrongState: a version is not in the state that a step begins from.
	WrongState
	// Stale: another version is active than the one it was written for.
	Stale
	// NoVersion: there is none with that number.
	NoVersion
	// Conflict: somebody else has added an event meanwhile.
	Conflict
	// Broken: the events are not those that administrators have signed, or a content is another than its digest says.
	Broken
)

func (r Reason) String() string {
	switch r {
	case Unavailable:
		return "unavailable"
	case NotAStore:
		return "not a policy store"
	case InvalidBundle:
		return "invalid files"
	case InvalidConfig:
		return "invalid configuration"
	case NotAllowed:
		return "not allowed"
	case SameHand:
		return "a second person is needed"
	case WrongState:
		return "not in this state"
	case Stale:
		return "written for another version"
	case NoVersion:
		return "no such version"
	case Conflict:
		return "changed meanwhile"
	case Broken:
		return "broken"
	}
	return "no reason"
}

// An Error is every error of this package.
type Error struct {
	Reason Reason
	Err    error // may be nil
}

func (e *Error) Error() string {
	text := "policy store: " + e.Reason.String()
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// ReasonOf gives the Reason of an error of this package, zero for another.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return 0
}
