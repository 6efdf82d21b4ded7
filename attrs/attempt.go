package attrs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// fly asks the sources of the route in their order until one answers, and again where that is allowed. An answer is of one
// source alone.
func (f *flight) fly(ctx context.Context) {
	var first error
	var spent [maxMembers]bool // those that must not be asked again
	for round := 0; ; round++ {
		again := false
		for i, m := range f.route.members {
			if spent[i] {
				continue
			}
			answers, faults, err := f.attempt(ctx, m)
			if err == nil {
				f.answers, f.faults, f.giver = answers, faults, i
				return
			}
			if first == nil || errors.Is(first, errBreakerOpen) {
				first = err
			}
			switch ReasonOf(err) {
			case NoSubject, AmbiguousSubject, InvalidQuery: // another would say the same
				f.err = err
				return
			case SourceUnavailable, DeadlineExceeded:
				spent[i] = errors.Is(err, ErrNotAgain)
				again = again || !spent[i] && !errors.Is(err, errBreakerOpen)
			}
			if ctx.Err() != nil {
				f.err = first
				return
			}
		}
		if !again || round == f.route.retries || !pause(ctx, f.route.wait<<round) {
			f.err = first
			return
		}
	}
}

// pause waits about mean, half to one and a half of it, lest all who failed at once come back at once. It says false, at
// once, where the context would end before.
func pause(ctx context.Context, mean time.Duration) bool {
	wait := mean/2 + time.Duration(rand.Int64N(int64(mean)+1))
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// attempt puts the question to one source, within its time, unless its breaker is open. The answers are checked.
func (f *flight) attempt(ctx context.Context, m *member) ([]Certified, []error, error) {
	began := f.now()
	ticket, ok := m.breaker.admit(began)
	if !ok {
		return nil, nil, &Error{Reason: SourceUnavailable, Source: m.source.ID(), Err: errBreakerOpen}
	}
	within := ctx
	if f.route.timeout < f.budget {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, f.route.timeout)
		defer cancel()
	}
	answers, faults, err := f.put(within, m)
	now := f.now()
	m.counters.count(now.Sub(began), err)
	m.breaker.report(ticket, now, f.judge(now.Sub(began), within.Err() != nil, err))
	return answers, faults, err
}

// judge says what the end of an attempt says about the source; cut that its time was up or its asker had gone. A source that
// was given less than half of its time, because others had used up the budget, is not to blame for not answering; nor is one
// whose asker gave up; nor one that has a bad answer for somebody, lest one person's facts close it for all.
func (f *flight) judge(took time.Duration, cut bool, err error) outcome {
	reason := ReasonOf(err)
	switch {
	case reason == SourceUnavailable,
		reason == DeadlineExceeded && (!cut || took >= f.route.timeout/2),
		reason == Canceled && !cut: // its driver gave up by itself
		return failed
	case reason == DeadlineExceeded, reason == Canceled:
		return nothing
	}
	return answered
}

// put asks one source. Where its data about an optional attribute are bad the question is put once more without it, so that
// an optional attribute never takes a mandatory one with it.
func (f *flight) put(ctx context.Context, m *member) ([]Certified, []error, error) {
	got, err := f.once(ctx, m.source, nil)
	if err == nil && f.allAcceptable(got, m.source) { // nearly always
		return got, nil, nil
	}
	answers, faults := make([]Certified, len(f.Definitions)), []error(nil)
	left := make([]int, len(f.Definitions)) // places not given up
	for i := range left {
		left[i] = i
	}
	giveUp := func(d *Definition, err error) {
		if faults == nil {
			faults = make([]error, len(f.Definitions))
		}
		for _, i := range left {
			if f.Definitions[i] == d {
				faults[i] = err
			}
		}
		left = slices.DeleteFunc(left, func(i int) bool { return f.Definitions[i] == d })
	}
	for ; ; got, err = f.once(ctx, m.source, left) {
		if err != nil {
			culprit := f.culprit(err, left)
			if culprit == nil {
				return nil, nil, err
			}
			giveUp(culprit, err)
			if len(left) == 0 {
				return nil, nil, err
			}
			continue
		}
		for n, i := range slices.Clone(left) {
			err := acceptable(&got[n], m.source, f.At)
			switch {
			case err == nil:
				answers[i] = got[n]
			case f.optional[i]:
				giveUp(f.Definitions[i], err)
			default:
				return nil, nil, err
			}
		}
		if len(left) == 0 {
			return nil, nil, firstOf(faults)
		}
		return answers, faults, nil
	}
}

func (f *flight) allAcceptable(got []Certified, source Source) bool {
	for i := range got {
		if acceptable(&got[i], source, f.At) != nil {
			return false
		}
	}
	return true
}

// acceptable says what is wrong with one answer, or why its source could not give one.
func acceptable(c *Certified, source Source, at time.Time) error {
	if c.State == Unresolved && c.Failure != nil {
		return c.Failure
	}
	if wrong := c.Check(at); wrong != nil {
		return badAnswer(source.ID(), c.Definition, wrong)
	}
	return nil
}

// culprit gives the optional attribute that a bad answer is about, or nil.
func (f *flight) culprit(err error, left []int) *Definition {
	var known *Error
	if !errors.As(err, &known) || known.Reason != BadAnswer || known.Attribute == "" {
		return nil
	}
	for _, i := range left {
		if f.optional[i] && f.Definitions[i].Name == known.Attribute {
			return f.Definitions[i]
		}
	}
	return nil
}

func firstOf(faults []error) error {
	for _, err := range faults {
		if err != nil {
			return err
		}
	}
	return nil
}

// once calls a source for the definitions at some places, nil for all, and sees that each answer is about the one that was
// asked. It ends with ctx, whether or not the source does.
func (f *flight) once(ctx context.Context, source Source, places []int) ([]Certified, error) {
	q := f.Query
	if places != nil {
		q.Definitions = make([]*Definition, len(places))
		for n, i := range places {
			q.Definitions[n] = f.Definitions[i]
		}
	}
	type result struct {
		answers []Certified
		err     error
	}
	done := make(chan result, 1)
	go func() {
		answers, err := guarded(ctx, source, &q)
		done <- result{answers, err}
	}()
	var got result
	select {
	case got = <-done:
	case <-ctx.Done():
		select {
		case got = <-done: // it did end
		default: // it is left to end by itself; its answer goes nowhere
			return nil, Unavailable(ctx, source.ID(), ctx.Err())
		}
	}
	id := source.ID()
	switch {
	case got.err != nil:
		var known *Error
		if errors.As(got.err, &known) {
			return nil, got.err
		}
		return nil, Unavailable(ctx, id, got.err)
	case len(got.answers) != len(q.Definitions):
		return nil, badAnswerf(id, nil, "%d answers to %d questions", len(got.answers), len(q.Definitions))
	}
	for n, d := range q.Definitions {
		if got.answers[n].Definition != d {
			return nil, badAnswerf(id, nil, "an answer is about another attribute than the question")
		}
	}
	return got.answers, nil
}

// guarded calls the source: a driver's fault must not end the server.
func guarded(ctx context.Context, source Source, q *Query) (answers []Certified, err error) {
	defer func() {
		if p := recover(); p != nil {
			answers, err = nil, &Error{Reason: SourceUnavailable, Source: source.ID(), Err: fmt.Errorf("panic of type %T", p)}
		}
	}()
	return source.Resolve(ctx, q, make([]Certified, 0, len(q.Definitions)))
}
