package attrs

import (
	"context"
	"errors"
	"strings"
)

// Reason says why no answer could be given. The zero Reason is none.
type Reason uint8

const (
	// SourceUnavailable: the source is down, locked, broken, empty or not what it should be.
	SourceUnavailable Reason = iota + 1

	// DeadlineExceeded: the source did not answer within the budget or the caller's deadline.
	DeadlineExceeded

	// Canceled: the caller gave up.
	Canceled

	// BadAnswer: the source answered what the definition does not allow.
	BadAnswer

	// NoSource: no source is configured for the attribute, or it is one that the sts itself must answer.
	NoSource

	// NoSubject: the query does not hold the identification attribute by which this one is looked up.
	NoSubject

	// AmbiguousSubject: the query holds several subjects by which this one could be looked up.
	AmbiguousSubject

	// InvalidQuery: the query has no instant, or a definition of another catalogue.
	InvalidQuery
)

var reasonNames = [...]string{
	SourceUnavailable: "source unavailable",
	DeadlineExceeded:  "deadline exceeded",
	Canceled:          "canceled",
	BadAnswer:         "bad answer",
	NoSource:          "no source",
	NoSubject:         "no subject",
	AmbiguousSubject:  "ambiguous subject",
	InvalidQuery:      "invalid query",
}

// String gives the reason in words.
func (r Reason) String() string {
	if r == 0 || int(r) >= len(reasonNames) {
		return "invalid reason"
	}
	return reasonNames[r]
}

// Temporary says whether the same query may succeed later without being changed.
func (r Reason) Temporary() bool {
	return r == SourceUnavailable || r == DeadlineExceeded || r == Canceled
}

// ErrNotAgain marks, in the chain of a source's error, that the question must not be put again for this query: to do so would cause
// harm, such as a try more with a password that was rejected, which counts towards locking the account.
var ErrNotAgain = errors.New("must not be asked again")

// An Error is why a query has no answer. Its text names sources and attributes, never subjects or values.
type Error struct {
	Reason    Reason
	Source    string // ID of the source, if one was asked
	Attribute string // name of the attribute, if it is about one
	Err       error  // cause, for the operator
}

// Error gives all that is known in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("attributes: ")
	b.WriteString(e.Reason.String())
	if e.Source != "" {
		b.WriteString(": source " + e.Source)
	}
	if e.Attribute != "" {
		b.WriteString(": " + e.Attribute)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// ReasonOf gives the reason of the first *Error in the chain of err, or zero.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return 0
}

// Unavailable makes the error of a source that could not answer because of err. Where ctx has ended that is the reason,
// whatever err says: drivers report an interrupted query in many ways.
func Unavailable(ctx context.Context, source string, err error) *Error {
	e := &Error{Reason: SourceUnavailable, Source: source, Err: err}
	ended := ctx.Err()
	switch {
	case errors.Is(ended, context.DeadlineExceeded), ended == nil && errors.Is(err, context.DeadlineExceeded):
		e.Reason = DeadlineExceeded
	case ended != nil, errors.Is(err, context.Canceled):
		e.Reason = Canceled
	}
	return e
}
