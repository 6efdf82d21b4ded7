package sqlsource

import (
	"errors"
	"fmt"
	"slices"

	"sceau/attrs"
)

// A role is what a column of a result is for.
type role uint8

const (
	roleSubject role = iota + 1
	roleAttribute
	roleValue
	roleNotBefore
	roleNotOnOrAfter
	roleWide // the value of one attribute
)

// accepts is what a column may hold.
type accepts uint8

const (
	acceptsText    accepts = 1 << iota
	acceptsBoolean         // SQL booleans; in SQLite also the integers 0 and 1
	acceptsInstant         // points in time, with their zone
)

// String says it in the words of an operator.
func (a accepts) String() string {
	switch a {
	case acceptsText:
		return "text"
	case acceptsText | acceptsBoolean:
		return "text or boolean"
	case acceptsBoolean:
		return "boolean"
	}
	return "timestamp with time zone"
}

// A column of a result.
type column struct {
	name       string
	role       role
	accepts    accepts
	definition *attrs.Definition // roleWide
}

// A layout is the columns of a query's result, in the order in which the database gives them. It is immutable.
type layout []column

// lay finds out what the columns of a result are, by their names, and refuses those that are not as they must be.
func (q *query) lay(names []string) (layout, error) {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("two columns %q", name)
		}
	}
	has := func(name string) bool { return slices.Contains(names, name) }
	long := has(columnAttribute) || has(columnValue)
	switch {
	case long && !(has(columnAttribute) && has(columnValue)):
		return nil, errors.New("attribute and value go together")
	case !has(columnNotOnOrAfter) && !q.ttl:
		return nil, errors.New("the answers would have no end: it needs a column not_on_or_after, or the source a ttl")
	}
	if !long {
		for name, d := range q.names {
			if !has(name) {
				return nil, fmt.Errorf("no column %q for %s", name, d.Name)
			}
		}
	}
	l := make(layout, len(names))
	for i, name := range names {
		c, err := q.column(name, long)
		if err != nil {
			return nil, err
		}
		l[i] = c
	}
	return l, nil
}

func (q *query) column(name string, long bool) (column, error) {
	switch name {
	case columnSubject:
		return column{name: name, role: roleSubject, accepts: acceptsText}, nil
	case columnNotBefore:
		return column{name: name, role: roleNotBefore, accepts: acceptsInstant}, nil
	case columnNotOnOrAfter:
		return column{name: name, role: roleNotOnOrAfter, accepts: acceptsInstant}, nil
	case columnAttribute:
		return column{name: name, role: roleAttribute, accepts: acceptsText}, nil
	case columnValue:
		c := column{name: name, role: roleValue, accepts: acceptsText | acceptsBoolean}
		for _, d := range q.names {
			if d.Kind != attrs.Boolean {
				c.accepts = acceptsText
			}
		}
		return c, nil
	}
	d, ok := q.names[name]
	if long || !ok {
		return column{}, fmt.Errorf("a column %q, which is nothing that is asked for", name)
	}
	c := column{name: name, role: roleWide, accepts: acceptsText, definition: d}
	if d.Kind == attrs.Boolean {
		c.accepts |= acceptsBoolean
	}
	return c, nil
}
