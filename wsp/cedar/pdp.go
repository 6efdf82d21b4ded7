package cedar

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"sceau/attrs"
	"sceau/policy"
	"sceau/policy/cedar"
	"sceau/wsp"
)

// A Resource is what callers want, by the type and id of the policies.
type Resource struct{ Type, ID string }

// Config says by which policies callers are let in. Files and Resource must be given.
type Config struct {
	// Files is the directory of policies, in the form of sceau/policy/cedar.
	Files fs.FS
	// Catalogue of the attributes that policies speak of; nil is attrs.EHealth.
	Catalogue *attrs.Catalogue
	// Action; empty is "enter".
	Action string
	// Resource that callers want.
	Resource Resource
	// AbsentIsNone takes attributes that an assertion does not have for attributes that its subject does not have.
	AbsentIsNone bool
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// A PDP decides. New makes it; it is immutable and safe for concurrent use.
type PDP struct {
	config   Config
	policies *cedar.Policies
}

// New reads the policies, and reports all that is wrong with them.
func New(c Config) (*PDP, error) {
	if c.Catalogue == nil {
		c.Catalogue = attrs.EHealth()
	}
	if c.Action == "" {
		c.Action = cedar.Enter
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	policies, err := cedar.Load(cedar.Config{Files: c.Files, Catalogue: c.Catalogue, Attributes: certified{c.AbsentIsNone}})
	if err != nil {
		return nil, err
	}
	if c.Resource.Type == "" || c.Resource.ID == "" {
		return nil, errors.New("cedar: no resource")
	}
	if !policies.KnowsAction(c.Action) || !policies.Knows(c.Resource.Type) {
		return nil, fmt.Errorf("cedar: the schema has no action %q or no type %q", c.Action, c.Resource.Type)
	}
	return &PDP{c, policies}, nil
}

type callerKey struct{}

// Decide implements wsp.PDP.
func (p *PDP) Decide(ctx context.Context, caller *wsp.Caller) error {
	who, ok := wsp.PrincipalOf(caller)
	if !ok {
		return errors.New("cedar: a caller whom policies have no name for")
	}
	answer, err := p.policies.Decide(context.WithValue(ctx, callerKey{}, asked{caller, who}), &cedar.Question{
		Subject:  cedar.Entity{Type: who.Type, ID: who.ID(), Properties: map[string]any{"kind": who.Kind}},
		Action:   p.config.Action,
		Resource: cedar.Entity{Type: p.config.Resource.Type, ID: p.config.Resource.ID},
		At:       p.config.Now(),
	})
	var invalid *policy.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &invalid):
		return fmt.Errorf("cedar: %w: %w", wsp.ErrNoDecision, err)
	case err != nil: // what the assertion does not say does not come by waiting
		return fmt.Errorf("cedar: %w", err)
	case !answer.Permitted():
		return errors.New("cedar: denied by " + answer.Rule())
	}
	return nil
}

type asked struct {
	caller *wsp.Caller
	who    wsp.Principal
}

// certified answers for the attributes of the assertion, about whom the assertion says that they are of: the principal is known as the holder of
// a key as well, and an assertion may speak of another.
type certified struct{ absentIsNone bool }

var errOther = errors.New("the assertion does not speak of this subject")

// Resolve implements cedar.Attributes.
func (s certified) Resolve(ctx context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error) {
	a, ok := ctx.Value(callerKey{}).(asked)
	if !ok {
		return dst, unresolved(nil, errOther)
	}
	ours := true
	for _, subject := range q.Subjects {
		if subject.Value != a.who.Identifier {
			return dst, unresolved(nil, errOther)
		}
		stated, ok := a.caller.Value(subject.By.Designator)
		ours = ours && ok && stated == subject.Value
	}
	if !ours && !s.absentIsNone {
		return dst, unresolved(nil, errOther)
	}
	was := len(dst)
	_, until := a.caller.Validity()
	for _, d := range q.Definitions {
		c := attrs.Certified{Definition: d, State: attrs.Unknown, Source: "assertion", RetrievedAt: a.caller.IssueInstant(), NotOnOrAfter: until}
		if d.Kind == attrs.Boolean {
			c.State = attrs.Denied
		}
		if !ours {
			dst = append(dst, c)
			continue
		}
		attribute, found := a.caller.Lookup(d.Designator)
		if !found && (!s.absentIsNone || twice(a.caller, d)) {
			return dst[:was], unresolved(d, errors.New("the assertion does not have it, or has it twice"))
		}
		for v := range attribute.Values() {
			switch {
			case d.Kind == attrs.Boolean && v == "true":
				c.State = attrs.Affirmed
			case d.Kind == attrs.Boolean && v == "false", v == "":
			case d.Kind == attrs.Boolean:
				return dst[:was], unresolved(d, errors.New("a boolean that is none"))
			default:
				c.State, c.Values = attrs.Affirmed, append(c.Values, v)
			}
		}
		if err := ambiguous(&attribute, d); err != nil {
			return dst[:was], unresolved(d, err)
		}
		if err := c.Check(q.At); err != nil {
			return dst[:was], unresolved(d, err)
		}
		dst = append(dst, c)
	}
	return dst, nil
}

// ambiguous refuses several values of what has one.
func ambiguous(a *wsp.Attribute, d *attrs.Definition) error {
	n := 0
	for range a.Values() {
		n++
	}
	if n > 1 && !d.Multiple {
		return errors.New("more values than one")
	}
	return nil
}

// twice reports whether an attribute that Lookup does not find is there all the same.
func twice(c *wsp.Caller, d *attrs.Definition) bool {
	for a := range c.Attributes() {
		if a.Definition == d || a.Designator == d.Designator {
			return true
		}
	}
	return false
}

func unresolved(d *attrs.Definition, err error) error {
	e := &attrs.Error{Reason: attrs.SourceUnavailable, Source: "assertion", Err: err}
	if d != nil {
		e.Attribute = d.Name
	}
	return e
}
