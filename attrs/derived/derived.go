package derived

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sceau/attrs"
)

// A Resolver answers for inputs: an *attrs.Resolver, or a single source.
type Resolver interface {
	Resolve(ctx context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error)
}

// A Rule says how one attribute is made.
type Rule struct {
	Attribute attrs.Designator
	Form      Form
}

// Config says what is derived of what.
type Config struct {
	ID        string // names the source in answers, errors and the audit trail
	Catalogue *attrs.Catalogue
	Rules     []Rule

	// Inputs answers for the inputs that no rule makes.
	Inputs Resolver
}

// A Source derives attributes. It is immutable and safe for concurrent use.
type Source struct {
	id     string
	rules  map[*attrs.Definition]*rule
	inputs Resolver
	outer  []*attrs.Definition // inputs that no rule makes
}

// rule is a Rule that was checked.
type rule struct {
	of     *attrs.Definition
	inputs []*attrs.Definition
	derive derive
}

// Open checks the rules and makes a source of them. Everything wrong is told at once; a *RuleError says in which rule.
func Open(c Config) (*Source, error) {
	switch {
	case c.ID == "":
		return nil, errors.New("derived attributes: no ID")
	case c.Catalogue == nil || c.Inputs == nil:
		return nil, errors.New("derived attributes: no catalogue, or nobody to ask for inputs")
	case len(c.Rules) == 0:
		return nil, errors.New("derived attributes: no rule")
	}
	s := &Source{id: c.ID, rules: make(map[*attrs.Definition]*rule), inputs: c.Inputs}
	var wrong []error
	for i := range c.Rules {
		if err := s.add(c.Catalogue, &c.Rules[i]); err != nil {
			wrong = append(wrong, &RuleError{Rule: i, Attribute: c.Rules[i].Attribute.Name, Err: err})
		}
	}
	for i := range c.Rules {
		if d, ok := c.Catalogue.Find(c.Rules[i].Attribute); ok && s.rules[d] != nil && s.circular(d, d, map[*attrs.Definition]bool{}) {
			wrong = append(wrong, &RuleError{Rule: i, Attribute: d.Name, Err: errCycle})
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	for d := range c.Catalogue.All() { // in an order that does not change
		for _, r := range s.rules {
			if s.rules[d] == nil && slices.Contains(r.inputs, d) && !slices.Contains(s.outer, d) {
				s.outer = append(s.outer, d)
			}
		}
	}
	return s, nil
}

var errCycle = errors.New("it is made of itself, by way of others")

// A RuleError is what is wrong with one rule.
type RuleError struct {
	Rule      int // its place, from zero
	Attribute string
	Err       error
}

func (e *RuleError) Error() string {
	return fmt.Sprintf("derived attributes: rule %d, %s: %v", e.Rule+1, e.Attribute, e.Err)
}

// Unwrap gives the cause.
func (e *RuleError) Unwrap() error { return e.Err }

// add checks one rule by itself.
func (s *Source) add(catalogue *attrs.Catalogue, from *Rule) error {
	of, ok := catalogue.Find(from.Attribute)
	switch {
	case !ok || !of.Certified() || of.Computed:
		return errors.New("no attribute that a source is asked for")
	case s.rules[of] != nil:
		return errors.New("a second rule for it")
	case from.Form == nil:
		return errors.New("it does not say how it is made")
	}
	r := &rule{of: of}
	names := from.Form.inputs()
	if len(names) == 0 || len(names) > MaxInputs {
		return fmt.Errorf("it is made of 1 to %d others", MaxInputs)
	}
	for _, name := range names {
		d, ok := catalogue.Find(name)
		switch {
		case !ok || !d.Certified() || d.Computed:
			return fmt.Errorf("its input %q is no attribute that a source is asked for", name.Name)
		case !within(d, of):
			return fmt.Errorf("its input %q is about another subject", name.Name)
		}
		r.inputs = append(r.inputs, d)
	}
	var err error
	if r.derive, err = from.Form.check(of, r.inputs); err != nil {
		return err
	}
	s.rules[of] = r
	return nil
}

// within says whether, by whatever key the subject of an attribute is known, one key of the input is that or a part of it.
func within(input, of *attrs.Definition) bool {
	for _, key := range of.KeyedBy {
		if !slices.ContainsFunc(input.KeyedBy, func(part attrs.Key) bool {
			return !slices.ContainsFunc(part, func(name string) bool { return !slices.Contains(key, name) })
		}) {
			return false
		}
	}
	return true
}

// circular says whether d stands among what from is made of.
func (s *Source) circular(from, d *attrs.Definition, seen map[*attrs.Definition]bool) bool {
	for _, input := range s.rules[from].inputs {
		if input == d {
			return true
		}
		if s.rules[input] != nil && !seen[input] {
			seen[input] = true
			if s.circular(input, d, seen) {
				return true
			}
		}
	}
	return false
}

// ID implements attrs.Source.
func (s *Source) ID() string { return s.id }

// Attributes gives the attributes that the rules make, and Inputs those of others that they are made of.
func (s *Source) Attributes() []*attrs.Definition {
	var all []*attrs.Definition
	for d := range s.rules {
		all = append(all, d)
	}
	return all
}

// Inputs gives the attributes of other sources that the rules need.
func (s *Source) Inputs() []*attrs.Definition { return slices.Clone(s.outer) }

// Health implements the contract of sources: it has nothing of its own that could fail.
func (s *Source) Health(context.Context) error { return nil }

// Close does nothing.
func (s *Source) Close() error { return nil }

// Resolve implements attrs.Source: one question for all inputs, then the rules.
func (s *Source) Resolve(ctx context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error) {
	if err := ctx.Err(); err != nil {
		return dst, attrs.Unavailable(ctx, s.id, err)
	}
	inputs := attrs.Query{Subjects: q.Subjects, At: q.At, Partial: true}
	for _, d := range q.Definitions {
		if s.rules[d] == nil {
			return dst, &attrs.Error{Reason: attrs.NoSource, Source: s.id, Attribute: d.Name}
		}
		if _, err := q.Subject(d); err != nil {
			return dst, err
		}
		s.need(d, &inputs)
	}
	answers, err := s.inputs.Resolve(ctx, &inputs, make([]attrs.Certified, 0, len(inputs.Definitions)))
	if err != nil {
		return dst, s.failure(ctx, err)
	}
	if len(answers) != len(inputs.Definitions) {
		return dst, &attrs.Error{Reason: attrs.BadAnswer, Source: s.id, Err: errors.New("not one answer for each input")}
	}
	known := make(map[*attrs.Definition]*attrs.Certified, len(answers))
	for i := range answers {
		known[inputs.Definitions[i]] = &answers[i]
	}
	before := len(dst)
	var failure *attrs.Error
	failures := 0
	for _, d := range q.Definitions {
		c, err := s.build(d, known, q.At)
		if err != nil {
			c, failure, failures = &attrs.Certified{Definition: d, State: attrs.Unresolved, Failure: err, Source: s.id}, err, failures+1
		}
		dst = append(dst, *c)
	}
	if failures > 0 && failures == len(q.Definitions) {
		return dst[:before], failure
	}
	return dst, nil
}

// need adds to the query what d is made of in the end.
func (s *Source) need(d *attrs.Definition, q *attrs.Query) {
	for _, input := range s.rules[d].inputs {
		switch {
		case s.rules[input] != nil:
			s.need(input, q)
		case !slices.Contains(q.Definitions, input):
			q.Definitions = append(q.Definitions, input)
		}
	}
}

// build derives one attribute of answers that are known, which it adds to.
func (s *Source) build(d *attrs.Definition, known map[*attrs.Definition]*attrs.Certified, at time.Time) (*attrs.Certified, *attrs.Error) {
	if c := known[d]; c != nil {
		return c, nil
	}
	r := s.rules[d]
	c := &attrs.Certified{Definition: d, Source: s.id}
	inputs := make([]attrs.Certified, len(r.inputs))
	for i, input := range r.inputs {
		if s.rules[input] != nil {
			if _, err := s.build(input, known, at); err != nil {
				return nil, err
			}
		}
		inputs[i] = *known[input]
		in := &inputs[i]
		if in.State == attrs.Unresolved && in.Failure != nil { // it may be optional for consumers, and is not for what is made of it
			return nil, &attrs.Error{Reason: in.Failure.Reason, Source: s.id, Attribute: d.Name, Err: in.Failure}
		}
		if err := in.Check(at); err != nil {
			return nil, s.bad(d, fmt.Errorf("its input %s: %w", input.Name, err))
		}
		intersect(c, in, i == 0)
	}
	var err error
	if c.State, c.Values, err = r.derive(inputs); err != nil {
		return nil, s.bad(d, err)
	}
	if err := c.Check(at); err != nil { // the values of the inputs make none of its kind
		return nil, s.bad(d, err)
	}
	known[d] = c
	return c, nil
}

// intersect narrows the validity of c to that of an input too, and makes it as old and as stale.
func intersect(c, input *attrs.Certified, first bool) {
	if input.NotBefore.After(c.NotBefore) {
		c.NotBefore = input.NotBefore
	}
	if end := input.NotOnOrAfter; !end.IsZero() && (c.NotOnOrAfter.IsZero() || end.Before(c.NotOnOrAfter)) {
		c.NotOnOrAfter = end
	}
	if first || input.RetrievedAt.Before(c.RetrievedAt) {
		c.RetrievedAt = input.RetrievedAt
	}
	c.Origin = max(c.Origin, input.Origin)
}

func (s *Source) bad(d *attrs.Definition, err error) *attrs.Error {
	return &attrs.Error{Reason: attrs.BadAnswer, Source: s.id, Attribute: d.Name, Err: err}
}

// failure tells why inputs could not be had, under their own reason. The subject was named, so that one that an input misses is
// of an alternative that the rules do not fit.
func (s *Source) failure(ctx context.Context, err error) error {
	var known *attrs.Error
	if errors.As(err, &known) {
		return &attrs.Error{Reason: known.Reason, Source: s.id, Err: err}
	}
	return attrs.Unavailable(ctx, s.id, err)
}
