package attrs

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"
)

// Config configures a Resolver.
type Config struct {
	Catalogue *Catalogue
	Routes    []Route

	// Budget is the time that one Resolve may take in all, whatever its context allows. It must be positive.
	Budget time.Duration

	// CacheEntries is how many answers are kept, one entry being what one source said to one set of questions about one
	// subject. CacheTTL is how long; it bounds how long a source that is not Versioned can be wrong. Both zero: nothing
	// is kept and each query asks.
	CacheEntries int64
	CacheTTL     time.Duration

	// Now is the clock of breakers and of what is measured, not of validity, which is judged at the instant of a query;
	// time.Now if nil.
	Now func() time.Time
}

// A Resolver sends each attribute of a query to its source. It is safe for concurrent use. Close it after use.
type Resolver struct {
	table   atomic.Pointer[table]
	cache   *cache // nil: nothing is kept
	flights flights
	now     func() time.Time
	number  uint64 // of the last route made; whoever calls Replace
}

// NewResolver makes a Resolver. It refuses a configuration in which an attribute has two sources or a route is in vain. An
// attribute may be without source: asking for it is an error then.
func NewResolver(c Config) (*Resolver, error) {
	r := &Resolver{now: c.Now}
	if r.now == nil {
		r.now = time.Now
	}
	t, err := newTable(&c, nil, &r.number)
	if err != nil {
		return nil, err
	}
	if c.CacheEntries > 0 {
		if r.cache, err = newCache(c.CacheEntries); err != nil {
			return nil, err
		}
	}
	r.flights.under = map[uint64]*flight{}
	r.table.Store(t)
	return r, nil
}

// Check says why Replace would refuse a configuration, nil when it would not.
func (r *Resolver) Check(c Config) error {
	old := r.table.Load()
	if c.Catalogue != old.catalogue || c.CacheEntries != old.entries {
		return errors.New("attribute resolver: catalogue and size of the cache cannot change")
	}
	_, err := newTable(&c, nil, new(uint64))
	return err
}

// Replace changes the configuration for the queries that begin from now on; on an error the old one stays. The catalogue and
// the size of the cache cannot change. Breakers and counters of sources that stay are kept, and what a route with the same
// sources has said. It must not be called by two goroutines at once.
func (r *Resolver) Replace(c Config) error {
	if err := r.Check(c); err != nil {
		return err
	}
	t, err := newTable(&c, r.table.Load(), &r.number)
	if err != nil {
		return err
	}
	r.table.Store(t)
	return nil
}

// Close ends the background work of the cache. Sources are left to who made them.
func (r *Resolver) Close() {
	if r.cache != nil {
		r.cache.close()
	}
}

// Routed says whether a source is configured for the attribute: what a server can check when it starts.
func (r *Resolver) Routed(d *Definition) bool {
	t := r.table.Load()
	return t.catalogue.holds(d) && t.of[d.index] >= 0
}

// Optional says whether queries are answered without the attribute where it cannot be had.
func (r *Resolver) Optional(d *Definition) bool {
	t := r.table.Load()
	return t.catalogue.holds(d) && t.optional[d.index]
}

// Resolve appends to dst one answer for each of q.Definitions, in that order, and returns the extended slice. Sources are
// asked at once, each in one call. It is all or nothing: if one source fails the error is that of one that did, an
// *Error, and dst comes back as it was. Every answer has been checked against its definition and holds at q.At.
//
// The one exception is an attribute that the configuration calls optional: where it cannot be had its answer has the State
// Unresolved, which is no answer, and the others are given; so is every attribute of a Partial query. What is wrong with the query itself, such as a subject that it
// does not hold, is an error for optional attributes too.
func (r *Resolver) Resolve(ctx context.Context, q *Query, dst []Certified) ([]Certified, error) {
	if err := ctx.Err(); err != nil {
		return dst, Unavailable(ctx, "", err)
	}
	t := r.table.Load()
	asked, err := t.admit(q)
	if err != nil {
		return dst, err
	}
	n := len(dst)
	dst = slices.Grow(dst, len(q.Definitions))[:n+len(q.Definitions)]
	answers := dst[n:]
	for i, d := range q.Definitions {
		if given := q.given(d); given != nil {
			answers[i] = *given
		}
	}
	for i := range t.routes {
		if asked&(1<<i) == 0 {
			continue
		}
		kept, err := r.recall(t, q, i, answers)
		if err != nil {
			clear(answers)
			return dst[:n], err
		}
		if kept {
			asked &^= 1 << i
		}
	}
	if asked != 0 {
		if err := r.ask(ctx, t, q, asked, answers); err != nil {
			clear(answers)
			return dst[:n], err
		}
	}
	return dst, nil
}

// admit checks the query before any source sees it and gives the set of routes that it needs.
func (t *table) admit(q *Query) (asked uint64, err error) {
	if q == nil || q.At.IsZero() {
		return 0, &Error{Reason: InvalidQuery, Err: errors.New("no instant")}
	}
	for _, d := range q.Definitions {
		if !t.catalogue.holds(d) {
			return 0, &Error{Reason: InvalidQuery, Err: errors.New("a definition is not of the resolver's catalogue")}
		}
		if given := q.given(d); given != nil {
			if err := given.Check(q.At); err != nil {
				return 0, badAnswer(given.Source, d, err)
			}
			continue
		}
		if t.of[d.index] < 0 {
			return 0, &Error{Reason: NoSource, Attribute: d.Name}
		}
		asked |= 1 << t.of[d.index]
	}
	return asked, nil
}

// ask puts the questions to the sources of each route of the set asked, at once, and their answers into their places.
func (r *Resolver) ask(ctx context.Context, t *table, q *Query, asked uint64, answers []Certified) error {
	within, cancel := context.WithTimeout(ctx, t.budget)
	defer cancel()
	var calls []call
	for i := range t.routes {
		if asked&(1<<i) == 0 {
			continue
		}
		question, err := t.question(q, i)
		if err != nil {
			return err // before any source is contacted
		}
		calls = append(calls, call{route: i, question: question})
	}
	for i := range calls {
		r.board(within, t, &calls[i])
	}
	defer func() {
		for i := range calls {
			r.flights.leave(calls[i].flight, ctx.Err() != nil)
		}
	}()
	// First those without which there is no answer: what need not be had must not take their time, nor keep a refusal waiting.
	for _, mandatory := range []bool{true, false} {
		for i := range calls {
			if calls[i].mandatory() != mandatory {
				continue
			}
			if err := r.settle(ctx, within, t, q, &calls[i], answers); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle waits for the answers to one question and puts them into their places, or what may stand there instead.
func (r *Resolver) settle(ctx, within context.Context, t *table, q *Query, c *call, answers []Certified) error {
	route := t.routes[c.route]
	got, err := r.await(within, t, c)
	if err == nil {
		t.place(q, c.route, got, answers)
		return nil
	}
	if ctx.Err() != nil { // the caller has no use for anything
		return Unavailable(ctx, route.id(), err)
	}
	switch ReasonOf(err) {
	case SourceUnavailable, DeadlineExceeded:
		if r.recallStale(t, q, c, answers) {
			route.counters.stale.Add(1)
			return nil
		}
	case BadAnswer, Canceled: // the source speaks nonsense, which is no outage; a driver gave up by itself
	default: // something is wrong with the query
		return err
	}
	for i := range c.question.Definitions {
		if !c.question.optional[i] {
			return err
		}
	}
	for i, d := range q.Definitions {
		if t.belongs(q, d, c.route) {
			answers[i] = t.unresolved(d, err)
		}
	}
	return nil
}

// place copies answers into their places. got has been checked, and has faults about optional attributes alone.
func (t *table) place(q *Query, route int, got *flight, answers []Certified) {
	next := 0
	for i, d := range q.Definitions {
		if !t.belongs(q, d, route) {
			continue
		}
		fault := got.fault(next)
		switch {
		case fault == nil:
			answers[i] = got.answers[next]
		default:
			answers[i] = t.unresolved(d, fault)
		}
		next++
	}
}

// unresolved says that an optional attribute could not be had.
func (t *table) unresolved(d *Definition, err error) Certified {
	route := t.routes[t.of[d.index]]
	route.counters.leftOut.Add(1)
	var why *Error
	if !errors.As(err, &why) {
		why = &Error{Reason: SourceUnavailable, Source: route.id(), Attribute: d.Name, Err: err}
	}
	return Certified{Definition: d, State: Unresolved, Failure: why, Source: route.id()}
}
