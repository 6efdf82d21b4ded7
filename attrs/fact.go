package attrs

import (
	"errors"
	"slices"
	"time"
)

// A Fact is what a source holds about one attribute of one subject: one value and when it is true. For a boolean the value
// is "true" or "false".
type Fact struct {
	Value string

	// The fact holds from NotBefore to just before NotOnOrAfter; a zero time does not bound it.
	NotBefore, NotOnOrAfter time.Time
}

// holds says whether the fact is true at the instant.
func (f *Fact) holds(at time.Time) bool {
	return !at.Before(f.NotBefore) && (f.NotOnOrAfter.IsZero() || at.Before(f.NotOnOrAfter))
}

var errConflict = errors.New("several facts hold at one instant")

// Certify makes of all facts about one attribute of one subject, past and future ones too, the answer for the instant at:
// the one place where dated facts become an answer, for every source that keeps some. It sets Definition, State, Values and
// the validity.
//
// A value whose fact does not hold at the instant is not affirmed. A boolean of which no fact holds is denied, another
// attribute unknown. The answer ends when the first of the facts behind it ends, unless another with the same value takes
// over from it; one that is not affirmed ends when a fact that would affirm it begins. An error says that the facts
// contradict each other or the definition.
func Certify(d *Definition, facts []Fact, at time.Time) (Certified, error) {
	var values []string
	for i := range facts {
		f := &facts[i]
		if !d.Kind.Valid(f.Value) {
			return Certified{}, errKind
		}
		if f.holds(at) && !slices.Contains(values, f.Value) {
			values = append(values, f.Value)
		}
	}
	if len(values) > 1 && !d.Multiple {
		return Certified{}, errConflict
	}
	slices.Sort(values) // the answer does not depend on the order in which a source keeps its facts

	c := Certified{Definition: d}
	switch {
	case d.Kind == Boolean && len(values) == 1 && values[0] == "true":
		c.State = Affirmed
	case d.Kind == Boolean:
		c.State = Denied
	case len(values) == 0:
		c.State = Unknown
	default:
		c.State, c.Values = Affirmed, values
	}
	for _, v := range values {
		start, end := span(facts, v, at)
		if start.After(c.NotBefore) {
			c.NotBefore = start
		}
		c.NotOnOrAfter = earlier(c.NotOnOrAfter, end)
	}
	if c.State != Affirmed {
		for i := range facts {
			if f := &facts[i]; f.NotBefore.After(at) && (d.Kind != Boolean || f.Value == "true") {
				c.NotOnOrAfter = earlier(c.NotOnOrAfter, f.NotBefore)
			}
		}
	}
	return c, nil
}

// span gives the time around the instant at during which the facts say value without a gap.
func span(facts []Fact, value string, at time.Time) (start, end time.Time) {
	first := true
	for i := range facts {
		f := &facts[i]
		if f.Value != value || !f.holds(at) {
			continue
		}
		if first {
			start, end, first = f.NotBefore, f.NotOnOrAfter, false
			continue
		}
		if f.NotBefore.Before(start) {
			start = f.NotBefore
		}
		end = later(end, f.NotOnOrAfter)
	}
	for grown := !end.IsZero(); grown; { // each round reaches the end of one more fact
		grown = false
		for i := range facts {
			f := &facts[i]
			if f.Value == value && !f.NotBefore.After(end) && (f.NotOnOrAfter.IsZero() || f.NotOnOrAfter.After(end)) {
				end, grown = f.NotOnOrAfter, !f.NotOnOrAfter.IsZero()
				if !grown {
					return start, end
				}
			}
		}
	}
	return start, end
}

// earlier and later compare ends of validity, of which the zero time is the last.

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return a
	}
	return b
}

var (
	errNotLookedUp = errors.New("the attribute is not one that a source is asked for")
	errSubject     = errors.New("the subject is not valid for its type")
	errSubjectType = errors.New("the attribute is not looked up by such a subject")
	errInterval    = errors.New("it ends before it begins")
)

// check says what is wrong with the fact alone.
func (f *StaticFact) check() error {
	switch {
	case f.Definition == nil || !f.Definition.Certified() || f.Definition.Computed:
		return errNotLookedUp
	case !f.Subject.Valid():
		return errSubject
	case !slices.Contains(f.Definition.subjects, f.Subject.Type):
		return errSubjectType
	case !f.Definition.Kind.Valid(f.Value):
		return errKind
	case !f.NotOnOrAfter.IsZero() && !f.NotBefore.Before(f.NotOnOrAfter):
		return errInterval
	}
	return nil
}
