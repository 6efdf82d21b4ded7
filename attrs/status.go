package attrs

import (
	"sync/atomic"
	"time"
)

// RouteStatus is how one route of a Resolver stands and what it did since it was made.
type RouteStatus struct {
	// Source is the ID of the route's first source, which names the route.
	Source string

	// Mandatory says that a query fails without one of its attributes at least.
	Mandatory bool

	// Hits and Misses count look-ups in the cache; Stale the answers used because no source could be had; Shared the
	// queries that waited for the equal question of another; LeftOut the optional attributes that could not be had.
	Hits, Misses, Stale, Shared, LeftOut uint64

	// Sources are the source and its replicas, in the order in which they are asked.
	Sources []SourceStatus
}

// SourceStatus is how one source stands.
type SourceStatus struct {
	ID      string
	Breaker BreakerState

	// Requests counts the questions put to it, Failures those without an answer that could be used, by Reason.
	Requests uint64
	Failures map[Reason]uint64

	// Slow counts how many of the requests took at most the time of LatencyBounds at its place; Took is the time of all.
	Slow [len(latencyBounds)]uint64
	Took time.Duration
}

// latencyBounds are the classes of the histogram.
var latencyBounds = [...]time.Duration{250 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second}

// LatencyBounds gives the upper bounds of the classes of SourceStatus.Slow, in increasing order.
func LatencyBounds() []time.Duration { return latencyBounds[:len(latencyBounds):len(latencyBounds)] }

type routeCounters struct{ hits, misses, stale, shared, leftOut atomic.Uint64 }

type sourceCounters struct {
	requests atomic.Uint64
	failures [len(reasonNames)]atomic.Uint64
	slow     [len(latencyBounds)]atomic.Uint64 // of each class alone
	took     atomic.Int64
}

func (c *sourceCounters) count(took time.Duration, err error) {
	c.requests.Add(1)
	c.took.Add(int64(took))
	for i, bound := range latencyBounds {
		if took <= bound {
			c.slow[i].Add(1)
			break
		}
	}
	if err != nil {
		c.failures[ReasonOf(err)].Add(1)
	}
}

// Status tells how each route stands, in the order of the configuration.
func (r *Resolver) Status() []RouteStatus {
	var all []RouteStatus
	for _, from := range r.table.Load().routes {
		c := from.counters
		s := RouteStatus{Source: from.id(), Mandatory: from.mandatory, Hits: c.hits.Load(), Misses: c.misses.Load(),
			Stale: c.stale.Load(), Shared: c.shared.Load(), LeftOut: c.leftOut.Load()}
		for _, m := range from.members {
			s.Sources = append(s.Sources, m.status(r.now()))
		}
		all = append(all, s)
	}
	return all
}

func (m *member) status(now time.Time) SourceStatus {
	c := &m.counters
	s := SourceStatus{ID: m.source.ID(), Breaker: m.breaker.state(now), Failures: map[Reason]uint64{}, Took: time.Duration(c.took.Load())}
	var sum uint64
	for i := range c.slow {
		sum += c.slow[i].Load()
		s.Slow[i] = sum
	}
	for reason := range c.failures {
		if n := c.failures[reason].Load(); n > 0 {
			s.Failures[Reason(reason)] = n
		}
	}
	s.Requests = max(c.requests.Load(), sum) // the classes are read first and may not count more than all
	return s
}
