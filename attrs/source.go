package attrs

import (
	"context"
	"time"
)

// A Source is one authentic source, or a copy of one (PIP). Implementations are safe for concurrent use.
type Source interface {
	// ID names the source in answers, errors and the audit trail. It is short, constant and not a secret.
	ID() string

	// Resolve appends to dst exactly one answer for each of q.Definitions, in order, each holding at q.At, and returns
	// the extended slice. It reads all of them from one state of its data.
	//
	// A source that cannot answer, for whatever reason, returns an *Error. It never says Denied or Unknown because it
	// could not look, and never answers a part: on an error dst is returned as it came. Denied and Unknown mean that it
	// did look. A source that has its answers from several places, of which one fails, may answer Unresolved with the
	// Failure to what it needed that for; the Resolver takes it for an error about that attribute alone.
	//
	// It ends soon after ctx does, retains neither q nor its slices, and does not retry beyond ctx.
	Resolve(ctx context.Context, q *Query, dst []Certified) ([]Certified, error)
}

// A Versioned source knows when its data have changed, so that answers kept from before are not used again.
type Versioned interface {
	Source

	// Epoch gives a number that is another one after the data have changed, and false while the source cannot tell: then
	// nothing kept is used, and the question goes to the source, which fails if it is down. It is called on the
	// request's road: it does not block and does not allocate.
	Epoch() (uint64, bool)
}

// A Static source holds its facts in memory from its making on: for tests, demonstrations and what a configuration file
// says. It is immutable and safe for concurrent use. A subject that it does not hold is denied booleans, and its other
// attributes are unknown.
type Static struct {
	id    string
	now   func() time.Time
	facts map[Subject]map[*Definition][]Fact
}

// StaticFact is a Fact with the attribute and the subject that it is about.
type StaticFact struct {
	Subject    Subject
	Definition *Definition
	Fact
}

// NewStatic makes a source of the facts. It refuses facts whose subject or value has a wrong check digit or form, and
// attributes that are not looked up by such a subject. The clock gives the time of retrieval.
func NewStatic(id string, now func() time.Time, facts []StaticFact) (*Static, error) {
	if id == "" || now == nil {
		return nil, badAnswerf(id, nil, "a static source needs an ID and a clock")
	}
	s := &Static{id: id, now: now, facts: make(map[Subject]map[*Definition][]Fact)}
	for i := range facts {
		f := &facts[i]
		if err := f.check(); err != nil {
			return nil, badAnswerf(id, f.Definition, "fact %d: %w", i+1, err)
		}
		of := s.facts[f.Subject]
		if of == nil {
			of = make(map[*Definition][]Fact)
			s.facts[f.Subject] = of
		}
		of[f.Definition] = append(of[f.Definition], f.Fact)
	}
	return s, nil
}

// ID implements Source.
func (s *Static) ID() string { return s.id }

// Epoch implements Versioned: the data never change.
func (s *Static) Epoch() (uint64, bool) { return 1, true }

// Idempotent implements Idempotent.
func (s *Static) Idempotent() bool { return true }

// Resolve implements Source.
func (s *Static) Resolve(ctx context.Context, q *Query, dst []Certified) ([]Certified, error) {
	if err := ctx.Err(); err != nil {
		return dst, Unavailable(ctx, s.id, err)
	}
	before, now := len(dst), s.now()
	for _, d := range q.Definitions {
		subject, err := q.Subject(d)
		if err != nil {
			return dst[:before], err
		}
		c, err := Certify(d, s.facts[subject][d], q.At)
		if err != nil {
			return dst[:before], badAnswer(s.id, d, err)
		}
		c.Source, c.RetrievedAt = s.id, now
		dst = append(dst, c)
	}
	return dst, nil
}
