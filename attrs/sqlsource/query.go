package sqlsource

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sceau/attrs"
)

// The columns that mean the same in every query.
const (
	columnSubject      = "subject"
	columnAttribute    = "attribute"
	columnValue        = "value"
	columnNotBefore    = "not_before"
	columnNotOnOrAfter = "not_on_or_after"
)

var reserved = []string{columnSubject, columnAttribute, columnValue, columnNotBefore, columnNotOnOrAfter}

// A query is a checked Query. It is immutable.
type query struct {
	index   int // place in the configuration
	subject attrs.SubjectType
	params  int                          // parameters: one a number of the subject
	names   map[string]*attrs.Definition // by name in the database
	text    string
	ttl     bool // answers are bounded by the TTL of the source
}

// A QueryError is why a query of a configuration cannot be.
type QueryError struct {
	Query int // which, from one
	Err   error
}

// Error implements error.
func (e *QueryError) Error() string { return fmt.Sprintf("query %d: %v", e.Query, e.Err) }

// Unwrap gives the cause.
func (e *QueryError) Unwrap() error { return e.Err }

// maxQueries bounds the statements that each connection prepares.
const maxQueries = 64

// compile checks what can be known of the queries without a database.
func compile(c *Config) ([]*query, error) {
	if len(c.Queries) > maxQueries {
		return nil, fmt.Errorf("more than %d queries", maxQueries)
	}
	type question struct {
		about   *attrs.Definition
		subject attrs.SubjectType
	}
	answered := make(map[question]int)
	var all []*query
	for i := range c.Queries {
		in := &c.Queries[i]
		q := &query{
			index: i, subject: in.Subject, text: in.Text, params: 1 + strings.Count(string(in.Subject), "/"),
			names: make(map[string]*attrs.Definition), ttl: c.TTL > 0,
		}
		if err := q.name(c.Catalogue, in); err != nil {
			return nil, &QueryError{i + 1, err}
		}
		for _, d := range q.names {
			if other, taken := answered[question{d, q.subject}]; taken {
				return nil, &QueryError{i + 1, fmt.Errorf("query %d already answers %q by %s", other+1, d.Name, q.subject)}
			}
		}
		for _, d := range q.names {
			answered[question{d, q.subject}] = i
		}
		all = append(all, q)
	}
	return all, nil
}

// name finds the attributes of the query.
func (q *query) name(catalogue *attrs.Catalogue, in *Query) error {
	switch {
	case strings.TrimSpace(in.Text) == "":
		return errors.New("no text")
	case strings.ContainsRune(in.Text, 0):
		return errors.New("a NUL in its text")
	case len(in.Attributes) == 0:
		return errors.New("it answers no attribute")
	}
	for inDatabase, name := range in.Attributes {
		d, ok := catalogue.Find(attrs.Designator{Name: name, Namespace: attrs.NamespaceCertified})
		switch {
		case !ok:
			return fmt.Errorf("%q is not a certified attribute", name)
		case d.Computed:
			return fmt.Errorf("no source is asked for %q", name)
		case !slices.Contains(d.SubjectTypes(), q.subject):
			return fmt.Errorf("%q is not known by %q", name, q.subject)
		case inDatabase == "" || slices.Contains(reserved, inDatabase):
			return fmt.Errorf("%q cannot be the name of an attribute in the database", inDatabase)
		}
		q.names[inDatabase] = d
	}
	return nil
}

// answers says whether the query answers d for a subject of the type.
func (q *query) answers(d *attrs.Definition, by attrs.SubjectType) bool {
	if q.subject != by {
		return false
	}
	for _, other := range q.names {
		if other == d {
			return true
		}
	}
	return false
}
