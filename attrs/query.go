package attrs

import "time"

// Keyed is one proven identification attribute: whose attributes may be asked.
type Keyed struct {
	By    *Definition // of the identification namespace
	Value string      // proven by the sts; never alias the buffer of a request, it may be kept in a cache
}

// A Query asks for certified attributes of the subjects that the identification attributes name.
type Query struct {
	Subjects    []Keyed
	Definitions []*Definition // wanted, in the order of the answers; the same may stand several times
	At          time.Time     // the instant for which the answers must hold, never zero

	// Given holds answers that the sts made itself: computed attributes, and identification attributes where they are
	// wanted in the same list. The Resolver puts them in their places and asks nobody for them. Sources ignore it.
	Given []Certified

	// Partial asks the Resolver for what can be had: whatever cannot is Unresolved, as if every attribute were optional.
	// It is for who makes answers of others. Sources ignore it.
	Partial bool
}

// Subject gives the subject by which a source knows the certified attribute d: made of the identification attributes that
// d is keyed by. If the query does not hold them the error's Reason is NoSubject; if it holds several subjects (two values
// of one attribute, or two alternatives) it is AmbiguousSubject, since a guess would certify the attribute of one to the
// other. It does not allocate, except to join the numbers of a relation.
func (q *Query) Subject(d *Definition) (Subject, error) {
	var subject Subject
	for i, key := range d.keys {
		s := Subject{Type: d.subjects[i]}
		for n, by := range key {
			value, err := q.value(d, by)
			if err != nil {
				return Subject{}, err
			}
			if value == "" {
				s.Value = ""
				break
			}
			if n == 0 {
				s.Value = value
			} else {
				s.Value += "/" + value
			}
		}
		switch {
		case s.Value == "" || s == subject:
		case subject.Value == "":
			subject = s
		default:
			return Subject{}, &Error{Reason: AmbiguousSubject, Attribute: d.Name}
		}
	}
	if subject.Value == "" {
		return Subject{}, &Error{Reason: NoSubject, Attribute: d.Name}
	}
	return subject, nil
}

// value gives the one value of the identification attribute, or "" if the query does not hold it.
func (q *Query) value(d, by *Definition) (string, error) {
	value := ""
	for i := range q.Subjects {
		k := &q.Subjects[i]
		switch {
		case k.By != by || k.Value == value:
		case value == "":
			value = k.Value
		default:
			return "", &Error{Reason: AmbiguousSubject, Attribute: d.Name}
		}
	}
	return value, nil
}

// given gives the answer that the caller made himself to d, or nil.
func (q *Query) given(d *Definition) *Certified {
	for i := range q.Given {
		if q.Given[i].Definition == d {
			return &q.Given[i]
		}
	}
	return nil
}
