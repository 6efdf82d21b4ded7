package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sceau/attrs"
)

// healthTimeout bounds a look at one source.
const healthTimeout = 5 * time.Second

// sourcesHealth looks at every source. Wrong is what keeps mandatory attributes from being had: an entry and all that it fails
// over to. Notes are the rest.
func (s *system) sourcesHealth(ctx context.Context) (wrong, notes []error) {
	now := s.current()
	entries := now.entries
	breakers := map[string]attrs.BreakerState{}
	for _, route := range now.resolver.Status() {
		for _, member := range route.Sources {
			breakers[member.ID] = member.Breaker
		}
	}
	down := make(map[string]error, len(entries))
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, e := range entries {
		group.Go(func() {
			within, cancel := context.WithTimeout(ctx, healthTimeout)
			defer cancel()
			err := e.source.Health(within)
			if err == nil && breakers[e.id()] == attrs.BreakerOpen {
				err = errors.New("it failed several times and is left in peace for a while")
			}
			mu.Lock()
			defer mu.Unlock()
			down[e.id()] = err
		})
	}
	group.Wait()
	for _, e := range entries {
		err := down[e.id()]
		if err == nil {
			continue
		}
		served := e.standby || !e.needed
		for _, to := range e.keys.Failover {
			served = served || down[to.V] == nil
		}
		if err = unavailable(e.id(), err); served {
			notes = append(notes, err)
		} else {
			wrong = append(wrong, err)
		}
	}
	return wrong, notes
}

// sourceCollector tells what was asked of each source and how it stands.
type sourceCollector struct{ s *system }

func sourceDesc(name, help string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc("sceau_source_"+name, help, append([]string{"source"}, more...), nil)
}

var (
	sourceRequests = sourceDesc("requests_total", "Questions put to a source.")
	sourceFailures = sourceDesc("failures_total", "Questions without an answer that could be used, by reason.", "reason")
	sourceDuration = sourceDesc("duration_seconds", "How long questions took.")
	sourceBreaker  = sourceDesc("breaker", "1 for the state of the breaker: closed, half-open, open.", "state")
	sourceCache    = sourceDesc("cache_total", "Answers by how they were had: hit, miss, stale (no source could be had), shared (with an equal question under way).", "result")
	sourceLeftOut  = sourceDesc("left_out_total", "Optional attributes that could not be had and were left out.")
)

// Describe implements prometheus.Collector.
func (c sourceCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{sourceRequests, sourceFailures, sourceDuration, sourceBreaker, sourceCache, sourceLeftOut} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c sourceCollector) Collect(out chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	now := c.s.current()
	for _, route := range now.resolver.Status() {
		for _, one := range []struct {
			result string
			n      uint64
		}{{"hit", route.Hits}, {"miss", route.Misses}, {"stale", route.Stale}, {"shared", route.Shared}} {
			counter(sourceCache, one.n, route.Source, one.result)
		}
		counter(sourceLeftOut, route.LeftOut, route.Source)
		for _, member := range route.Sources {
			counter(sourceRequests, member.Requests, member.ID)
			for reason, n := range member.Failures {
				counter(sourceFailures, n, member.ID, reason.String())
			}
			for _, state := range []attrs.BreakerState{attrs.BreakerClosed, attrs.BreakerHalfOpen, attrs.BreakerOpen} {
				out <- prometheus.MustNewConstMetric(sourceBreaker, prometheus.GaugeValue, flag(state == member.Breaker), member.ID, state.String())
			}
			buckets := map[float64]uint64{}
			for i, bound := range attrs.LatencyBounds() {
				buckets[bound.Seconds()] = member.Slow[i]
			}
			out <- prometheus.MustNewConstHistogram(sourceDuration, member.Requests, member.Took.Seconds(), buckets, member.ID)
		}
	}
}

// said gives errors one a line.
func said(errs []error) string {
	if len(errs) == 0 {
		return ""
	}
	return fmt.Sprintln(errors.Join(errs...))
}
