package trial

import (
	"context"
	"slices"
	"time"

	"sceau/attrs"
)

// A Fact is what a source is taken to say.
type Fact struct {
	State  attrs.State
	Values []string
	Until  time.Time // zero: it does not end
}

// about names a fact: whose, and which certified attribute. The identifier is without its type. Catalogues differ, names do not.
type about struct{ identifier, attribute string }

// Facts answer in the place of authentic sources. A fact that they lack is an error, and is noted. They belong to one goroutine.
type Facts struct {
	known   map[about]Fact
	missing []lack
}

// A lack is a fact that was asked for and is not known.
type lack struct {
	about
	definition *attrs.Definition
}

// set says what is known from now on, and nothing else is.
func (f *Facts) set(known map[about]Fact) { f.known, f.missing = known, nil }

// Resolve implements cedar.Attributes.
func (f *Facts) Resolve(_ context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error) {
	before := len(dst)
	var failure error
	for _, d := range q.Definitions {
		subject, err := q.Subject(d)
		if err != nil {
			return dst[:before], err
		}
		name := about{subject.Value, d.Name}
		fact, ok := f.known[name]
		if !ok {
			if failure = (&attrs.Error{Reason: attrs.NoSource, Attribute: d.Name}); !slices.Contains(f.missing, lack{name, d}) {
				f.missing = append(f.missing, lack{name, d})
			}
			continue
		}
		if !fact.Until.IsZero() && !q.At.Before(fact.Until) {
			fact = none(d)
		}
		dst = append(dst, attrs.Certified{
			Definition: d, State: fact.State, Values: fact.Values, NotOnOrAfter: fact.Until, Source: "trial", RetrievedAt: q.At,
		})
	}
	if failure != nil {
		return dst[:before], failure
	}
	return dst, nil
}

// none is what a source says that holds nothing about somebody.
func none(d *attrs.Definition) Fact {
	if d.Kind == attrs.Boolean {
		return Fact{State: attrs.Denied}
	}
	return Fact{State: attrs.Unknown}
}
