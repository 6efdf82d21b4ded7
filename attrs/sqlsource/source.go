package sqlsource

import (
	"context"
	"errors"
	"slices"
	"strings"

	"sceau/attrs"
)

// A Source is a database that is asked for attributes. It is safe for concurrent use. Close it after use.
type Source struct {
	config  Config
	queries []*query
	store   store
}

// ID implements attrs.Source.
func (s *Source) ID() string { return s.config.ID }

// Epoch implements attrs.Versioned. Without a channel, PostgreSQL gives a constant: what is kept is then bounded by the time
// to live of who keeps it, and by TTL.
func (s *Source) Epoch() (uint64, bool) { return s.store.epoch() }

// Answers says whether a query is configured that answers the attribute.
func (s *Source) Answers(d *attrs.Definition) bool {
	for _, by := range d.SubjectTypes() {
		if s.route(d, by) != nil {
			return true
		}
	}
	return false
}

// Health says why the source cannot answer now, or nil: it runs every query, for nobody.
func (s *Source) Health(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	if err := s.store.probe(bounded); err != nil {
		return s.failure(bounded, err)
	}
	return nil
}

// Close ends the connections. Look-ups that run end first. Closing twice is no error.
func (s *Source) Close() error { return s.store.close() }

// Idempotent implements attrs.Idempotent: a look-up changes nothing.
func (s *Source) Idempotent() bool { return true }

func (s *Source) route(d *attrs.Definition, by attrs.SubjectType) *query {
	for _, q := range s.queries {
		if q.answers(d, by) {
			return q
		}
	}
	return nil
}

// Resolve implements attrs.Source: one statement for all attributes of one subject that a query answers, and all statements
// in one state of the database.
func (s *Source) Resolve(ctx context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return dst, attrs.Unavailable(ctx, s.config.ID, err)
	}
	calls, places, err := s.plan(q)
	if err != nil || len(calls) == 0 {
		return dst, err
	}
	if err := s.store.read(ctx, calls); err != nil {
		return dst, s.failure(ctx, err)
	}
	before, now := len(dst), s.config.Now()
	for i, d := range q.Definitions {
		in := calls[places[i]]
		c, err := attrs.Certify(d, in.facts[slices.Index(in.wanted, d)], q.At)
		if err == nil {
			c.Source, c.RetrievedAt = s.config.ID, now
			if end := now.Add(s.config.TTL); s.config.TTL > 0 && (c.NotOnOrAfter.IsZero() || end.Before(c.NotOnOrAfter)) {
				c.NotOnOrAfter = end
			}
			err = c.Check(q.At)
		}
		if err != nil {
			return dst[:before], &attrs.Error{Reason: attrs.BadAnswer, Source: s.config.ID, Attribute: d.Name, Err: err}
		}
		dst = append(dst, c)
	}
	return dst, nil
}

var errParts = errors.New("a number of the relation holds a slash")

// plan sorts what is asked into calls, and gives the call of each definition.
func (s *Source) plan(q *attrs.Query) (calls []*call, places []int, err error) {
	places = make([]int, len(q.Definitions))
	for i, d := range q.Definitions {
		subject, err := q.Subject(d)
		if err != nil {
			return nil, nil, err
		}
		by := s.route(d, subject.Type)
		if by == nil {
			return nil, nil, &attrs.Error{Reason: attrs.NoSource, Source: s.config.ID, Attribute: d.Name}
		}
		place := slices.IndexFunc(calls, func(c *call) bool { return c.query == by && c.subject == subject.Value })
		if place < 0 {
			c := s.call(by, subject.Value)
			if c == nil {
				return nil, nil, &attrs.Error{Reason: attrs.InvalidQuery, Source: s.config.ID, Attribute: d.Name, Err: errParts}
			}
			place = len(calls)
			calls = append(calls, c)
		}
		places[i] = place
		if c := calls[place]; !slices.Contains(c.wanted, d) {
			c.wanted = append(c.wanted, d)
			c.facts = append(c.facts, nil)
		}
	}
	return calls, places, nil
}

// call makes the call of a query about a subject, nil where the subject does not have as many numbers as the query wants.
// The numbers of a relation are the parameters.
func (s *Source) call(q *query, subject string) *call {
	parts := []string{subject}
	if q.params > 1 {
		parts = strings.Split(subject, "/")
	}
	if len(parts) != q.params {
		return nil
	}
	c := &call{query: q, subject: subject, most: s.config.MaxRows}
	for _, part := range parts {
		c.args = append(c.args, part)
	}
	return c
}

// failure makes the error of a look-up that failed.
func (s *Source) failure(ctx context.Context, err error) error {
	var row *rowError
	if errors.As(err, &row) {
		return &attrs.Error{Reason: attrs.BadAnswer, Source: s.config.ID, Attribute: row.attribute, Err: row}
	}
	var data *dataError
	if errors.As(err, &data) {
		return &attrs.Error{Reason: attrs.BadAnswer, Source: s.config.ID, Err: data}
	}
	return attrs.Unavailable(ctx, s.config.ID, err)
}
