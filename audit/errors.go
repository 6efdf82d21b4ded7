package audit

import "strconv"

// A Reason says why this package refused. The zero Reason is none.
type Reason uint8

const (
	_ Reason = iota

	// InvalidConfig: Open was given something that cannot be meant.
	InvalidConfig
	// InvalidEvent: the event lacks what every record must have (ID, Time, Service, Outcome).
	InvalidEvent
	// InvalidKey: the pseudonym key is missing from a journal that has records, too
	// short, malformed, or readable by others.
	InvalidKey
	// Locked: another process appends to this journal.
	Locked
	// Broken: the records do not hold together, and not because of a torn write.
	Broken
	// Unwritable: the disk refused; the event is not recorded. A later Record may succeed.
	Unwritable
	// Unreadable: the journal could not be read.
	Unreadable
	// Overloaded: too much waits for the disk already; the event is not recorded.
	Overloaded
	// Withdrawn: the context ended while the event waited its turn; it is not recorded.
	Withdrawn
	// Indeterminate: the context ended while the event was being written; whether it
	// is recorded is not known. Treat it as not recorded.
	Indeterminate
	// Closed: the journal was closed; the event is not recorded.
	Closed
	// Malformed: a text or a line is not what it should be.
	Malformed
)

func (r Reason) String() string {
	switch r {
	case InvalidConfig:
		return "invalid configuration"
	case InvalidEvent:
		return "invalid event"
	case InvalidKey:
		return "invalid pseudonym key"
	case Locked:
		return "locked by another process"
	case Broken:
		return "broken chain"
	case Unwritable:
		return "unwritable"
	case Unreadable:
		return "unreadable"
	case Overloaded:
		return "overloaded"
	case Withdrawn:
		return "withdrawn"
	case Indeterminate:
		return "indeterminate"
	case Closed:
		return "closed"
	case Malformed:
		return "malformed"
	}
	return "no reason"
}

// An Error is every error of this package. File and Line (from 1) are set where
// a place in the journal is meant.
type Error struct {
	Reason Reason
	File   string
	Line   int
	Err    error
}

func (e *Error) Error() string {
	text := "audit: " + e.Reason.String()
	if e.File != "" {
		text += ": " + e.File
		if e.Line > 0 {
			text += ":" + strconv.Itoa(e.Line)
		}
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }
