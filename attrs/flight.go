package attrs

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A call is one question of a query to the sources of one route.
type call struct {
	route    int
	question *question
	flight   *flight
	joined   bool      // the flight is another's, who asked the same before
	since    time.Time // of the resolver's clock: it waits for that flight
}

// mandatory says whether the query fails without the answers.
func (c *call) mandatory() bool { return slices.Contains(c.question.optional, false) }

// A question is what one route is asked, copied from the query: a source that does not end with its context may read it
// after the caller has used his memory again.
type question struct {
	Query
	subjects []Subject // of each definition
	optional []bool    // of each definition
	key      uint64    // fingerprint of the route and the questions
}

// question gathers what the query asks of a route. It fails where the query does not name one subject.
func (t *table) question(q *Query, i int) (*question, error) {
	c := &question{Query: Query{Subjects: slices.Clone(q.Subjects), At: q.At}}
	for _, d := range q.Definitions {
		if !t.belongs(q, d, i) {
			continue
		}
		subject, err := q.Subject(d)
		if err != nil {
			return nil, err
		}
		c.Definitions, c.subjects = append(c.Definitions, d), append(c.subjects, subject)
		c.optional = append(c.optional, q.Partial || t.optional[d.index])
	}
	return c, nil
}

func (c *question) equal(other *question) bool {
	return slices.Equal(c.Definitions, other.Definitions) && slices.Equal(c.subjects, other.subjects) &&
		slices.Equal(c.optional, other.optional)
}

// A flight is a question that is being put to the sources of a route, for one query or for several that ask the same.
type flight struct {
	*question
	route  *route
	budget time.Duration
	now    func() time.Time
	epochs []epoch // before the question: an answer may be newer than the epochs it is kept under, never older
	cancel context.CancelFunc

	waiting int  // queries that wait for it; guarded by flights.mu
	listed  bool // others find it; guarded by flights.mu

	done    chan struct{} // closed when what follows is set
	answers []Certified
	faults  []error // by place, of optional attributes; nil: none
	giver   int     // which of the route's sources answered
	err     error
}

func (f *flight) fault(place int) error {
	if f.faults == nil {
		return nil
	}
	return f.faults[place]
}

// flights are the questions under way that others may join, by fingerprint. One that collides with another is not listed.
type flights struct {
	mu    sync.Mutex
	under map[uint64]*flight
}

// board finds the flight of an equal question, or sends one off.
//
// A question is joined where its answers may be kept anyway, in the same state of the data, and for the same instant or one a
// little later, for which the answer must hold too; await looks whether it does. So nobody is told what he could not have been
// told by the cache a moment later.
func (r *Resolver) board(ctx context.Context, t *table, c *call) {
	route := t.routes[c.route]
	c.since = r.now()
	f := &flight{question: c.question, route: route, budget: t.budget, now: r.now, waiting: 1, done: make(chan struct{})}
	known := true
	for _, m := range route.members {
		e := m.epoch()
		known = known && (e.known || len(route.members) > 1)
		f.epochs = append(f.epochs, e)
	}
	if r.cache != nil && route.ttl > 0 && known {
		c.question.key = r.cache.key(route, c.question)
		r.flights.mu.Lock()
		other := r.flights.under[c.question.key]
		if other != nil && other.carries(f) {
			other.waiting++
			r.flights.mu.Unlock()
			c.flight, c.joined = other, true
			route.counters.shared.Add(1)
			return
		}
		if other == nil {
			r.flights.under[c.question.key], f.listed = f, true
		}
		r.flights.mu.Unlock()
	}
	c.flight = f
	within, cancel := ctx, context.CancelFunc(func() {}) // nobody else finds it: it ends with this query
	if f.listed {
		// Whoever asked first may give up; the others still wait.
		within, cancel = context.WithTimeout(context.WithoutCancel(ctx), t.budget)
	}
	f.cancel = cancel
	go func() {
		f.fly(within)
		r.flights.land(f)
		if f.err == nil && r.cache != nil && route.ttl > 0 {
			r.cache.keep(f)
		}
		close(f.done)
		cancel()
	}()
}

// carries says whether a query may wait for f instead of asking other.
func (f *flight) carries(other *flight) bool {
	later := other.At.Sub(f.At)
	return f.route.number == other.route.number && f.question.equal(other.question) && slices.Equal(f.epochs, other.epochs) &&
		later >= 0 && later < min(f.budget, f.route.ttl)
}

// land takes a flight off the list.
func (s *flights) land(f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(f)
}

func (s *flights) remove(f *flight) {
	if f.listed {
		delete(s.under, f.key)
		f.listed = false
	}
}

// leave ends the waiting for a flight. A flight for which nobody waits any more ends, at once where the callers gave up: with
// the budget it ends by itself, and its source is to blame.
func (s *flights) leave(f *flight, gaveUp bool) {
	if f == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.waiting--; f.waiting > 0 {
		return
	}
	s.remove(f)
	if gaveUp {
		f.cancel()
	}
}

// await waits for the answers to a call, that they hold at its instant.
func (r *Resolver) await(ctx context.Context, t *table, c *call) (*flight, error) {
	for {
		f := c.flight
		select {
		case <-f.done:
		case <-ctx.Done():
			select {
			case <-f.done: // it did end
			default: // it is left to end by itself; its answer goes nowhere
				return nil, Unavailable(ctx, f.route.id(), ctx.Err())
			}
		}
		if !c.joined {
			return f, f.err
		}
		if f.err == nil && f.holds(c.question.At) {
			return f, nil
		}
		if f.err != nil {
			switch reason := ReasonOf(f.err); {
			case ctx.Err() != nil, reason != DeadlineExceeded && reason != Canceled,
				r.now().Sub(c.since) > f.route.timeout/2: // as good as an attempt of our own
				return nil, f.err
			}
		}
		// The other's time has ended soon after we joined, or the answer ends before our instant: it is asked anew, with
		// what is left of the time.
		r.flights.leave(f, false)
		c.flight, c.joined = nil, false
		r.board(ctx, t, c)
	}
}

// holds says whether every answer holds at the instant.
func (f *flight) holds(at time.Time) bool {
	for i := range f.answers {
		if f.fault(i) == nil && f.answers[i].Check(at) != nil {
			return false
		}
	}
	return true
}
