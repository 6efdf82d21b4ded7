package attrs

import (
	"errors"
	"fmt"
	"time"
)

// State says what a source answered. The zero State is no answer and is refused everywhere.
type State uint8

const (
	// Affirmed: the source says so, and if the attribute is not a boolean, with which values.
	Affirmed State = iota + 1

	// Denied: the source says, or holds nothing that says otherwise, that a boolean is false.
	Denied

	// Unknown: the source holds no value.
	Unknown

	// Unresolved: no answer could be had, and the attribute is one without which the query is answered; Failure says why.
	// It is no answer: it has no values and no validity, [Certified.Check] refuses it, and it is left out of whatever is
	// made of the others.
	Unresolved
)

// String gives the state in words.
func (s State) String() string {
	switch s {
	case Affirmed:
		return "affirmed"
	case Denied:
		return "denied"
	case Unknown:
		return "unknown"
	case Unresolved:
		return "unresolved"
	}
	return "invalid state"
}

// Origin says how an answer was had this time.
type Origin uint8

// The origins of an answer.
const (
	Live   Origin = iota // from its source, for this query or one that asked the same at the same time
	Cached               // kept, and still fresh
	Stale                // kept, no longer fresh, and used because no source could be had
)

// String gives the origin in words.
func (o Origin) String() string {
	switch o {
	case Live:
		return "live"
	case Cached:
		return "cached"
	case Stale:
		return "stale"
	}
	return "invalid origin"
}

// A Certified is one answer about one attribute. Answers may come from a cache and share their Values with other requests:
// they must not be changed.
type Certified struct {
	Definition *Definition
	State      State

	// Origin is set by the Resolver; a source leaves it Live, unless it makes answers of others, of which it is then the
	// stalest.
	Origin Origin

	// Failure says why an Unresolved attribute could not be had; nil otherwise.
	Failure *Error

	// Values of an affirmed attribute that is not a boolean: at least one, each valid for the kind. Empty otherwise.
	Values []string

	// NotBefore and NotOnOrAfter bound the answer, whatever its state: an assertion must not outlive it ("every certified
	// attribute has a validity", seed). A zero NotOnOrAfter does not bound it. A false is bounded where the source knows
	// when it may become true.
	NotBefore, NotOnOrAfter time.Time

	// Source is the ID of the source that answered, RetrievedAt when it did, also where the answer was kept since.
	Source      string
	RetrievedAt time.Time
}

// WireValues yields the values as they stand in the assertion: for a boolean "true" or, if denied or unknown, a signed
// "false"; for another attribute its values, or one empty value if it is unknown (wire document 3.2: the schema demands at
// least one). It yields nothing for the zero Certified. It is an iterator: for v := range c.WireValues.
func (c *Certified) WireValues(yield func(string) bool) {
	switch {
	case c.Definition == nil || c.State == 0 || c.State > Unknown:
	case c.Definition.Kind == Boolean && c.State == Affirmed:
		yield("true")
	case c.Definition.Kind == Boolean:
		yield("false")
	case c.State == Affirmed:
		for _, v := range c.Values {
			if !yield(v) {
				return
			}
		}
	default:
		yield("")
	}
}

var (
	errState    = errors.New("the state is not one that the attribute can have")
	errValues   = errors.New("the values do not fit the state")
	errKind     = errors.New("a value is not one of its kind")
	errValidity = errors.New("it is not valid at the instant asked")
	errOrigin   = errors.New("it names no source or no time of retrieval")
)

// Check says what is wrong with the answer as one to a question about instant at: an answer is believed only as far as
// the definition allows, whoever gave it.
func (c *Certified) Check(at time.Time) error {
	switch {
	case c.Definition == nil:
		return errors.New("it is about no attribute")
	case c.Source == "" || c.RetrievedAt.IsZero():
		return errOrigin
	case !c.NotBefore.IsZero() && at.Before(c.NotBefore),
		!c.NotOnOrAfter.IsZero() && !at.Before(c.NotOnOrAfter):
		return errValidity
	}
	boolean := c.Definition.Kind == Boolean
	switch c.State {
	case Affirmed:
		if boolean != (len(c.Values) == 0) || len(c.Values) > 1 && !c.Definition.Multiple {
			return errValues
		}
	case Denied:
		if !boolean {
			return errState
		}
		fallthrough
	case Unknown:
		if len(c.Values) != 0 {
			return errValues
		}
	default:
		return errState
	}
	for _, v := range c.Values {
		if !c.Definition.Kind.Valid(v) {
			return errKind // without the value: it may be a person's
		}
	}
	return nil
}

// Earliest gives the earliest NotOnOrAfter of the answers, or the zero time if none of them has one.
func Earliest(answers []Certified) time.Time {
	var first time.Time
	for i := range answers {
		if end := answers[i].NotOnOrAfter; !end.IsZero() && (first.IsZero() || end.Before(first)) {
			first = end
		}
	}
	return first
}

func badAnswer(source string, d *Definition, err error) *Error {
	e := &Error{Reason: BadAnswer, Source: source, Err: err}
	if d != nil {
		e.Attribute = d.Name
	}
	return e
}

func badAnswerf(source string, d *Definition, format string, args ...any) *Error {
	return badAnswer(source, d, fmt.Errorf(format, args...))
}
