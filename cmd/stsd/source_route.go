package main

import (
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"sceau/attrs"
)

type atomicResolver = atomic.Pointer[attrs.Resolver]

// What a source has where its entry does not say otherwise.
const (
	defaultBreakerFailures = 5
	defaultBreakerOpenFor  = 10 * time.Second
	defaultRetryWait       = 20 * time.Millisecond
)

// route turns an entry into a route of the resolver.
func (s *system) route(e *sourceEntry, entries []*sourceEntry, config *attrs.Config, owners map[*attrs.Definition]*sourceEntry, p *problems) attrs.Route {
	k := &e.keys
	route := attrs.Route{Source: e.source, StaleFor: time.Duration(k.Stale.V), NegativeTTL: time.Duration(k.NegativeTTL.V), CacheTTL: time.Duration(k.CacheTTL.V)}
	for _, to := range k.Failover {
		if i := slices.IndexFunc(entries, func(other *sourceEntry) bool { return other.id() == to.V }); i >= 0 {
			route.Standby = append(route.Standby, entries[i].source)
		}
	}
	if e.kind.derived || e.lines["attributes"] != 0 {
		route.Attributes = []attrs.Designator{} // not nil, which would be the rest
		for d, owner := range owners {
			if owner == e {
				route.Attributes = append(route.Attributes, d.Designator)
			}
		}
	}
	s.optionalRoute(e, &route, owners, p)
	if e.kind.derived { // what it asks is kept, and has time-outs and breakers of its own
		route.CacheTTL, route.Timeout = -1, config.Budget
		return route
	}
	must(k.Timeout, e.id(), "timeout", p)
	must(k.Stale, e.id(), "stale", p)
	must(k.NegativeTTL, e.id(), "negative-ttl", p)
	switch {
	case k.Timeout.V > duration(config.Budget):
		p.add(k.Timeout.Line, "source %s: timeout: longer than the budget", e.id())
	case k.Timeout.Line > 0:
		route.Timeout = time.Duration(k.Timeout.V)
	case len(route.Standby) == 0:
		route.Timeout = config.Budget / 2
	}
	if k.CacheTTL.Line > 0 && k.CacheTTL.V == 0 {
		route.CacheTTL = -1 // said to be none
		if k.Stale.Line > 0 {
			p.add(k.Stale.Line, "source %s: stale: what is not kept cannot be used", e.id())
		}
	}
	route.Breaker = e.breaker(p)
	route.Retries, route.RetryWait = e.retry(p)
	if route.Retries > 0 {
		for _, member := range append([]attrs.Source{route.Source}, route.Standby...) {
			if again, ok := member.(attrs.Idempotent); !ok || !again.Idempotent() {
				p.add(e.lines["retry"], "source %s: retry: %s does not say that it may be asked again", e.id(), member.ID())
			}
		}
	}
	return route
}

// optionalRoute reads what is optional into the route.
func (s *system) optionalRoute(e *sourceEntry, route *attrs.Route, owners map[*attrs.Definition]*sourceEntry, p *problems) {
	names, all := e.readOptional(p)
	route.AllOptional = all
	for _, name := range names {
		d, ok := s.catalogue.Find(attrs.Designator{Name: name.V, Namespace: attrs.NamespaceCertified})
		if !ok || owners[d] != e {
			p.add(name.Line, "source %s: optional: it is not asked for %q", e.id(), name.V)
			continue
		}
		route.Optional = append(route.Optional, d.Designator)
	}
}

// breaker reads the key breaker.
func (e *sourceEntry) breaker(p *problems) attrs.Breaker {
	var k struct {
		Failures value[int]      `yaml:"failures"`
		OpenFor  value[duration] `yaml:"open-for"`
	}
	if n := &e.keys.Breaker; !n.IsZero() && !decodeKeys(n, "breaker", &k, p, "failures", "open-for") {
		return attrs.Breaker{}
	}
	must(k.OpenFor, e.id(), "open-for", p)
	b := attrs.Breaker{Failures: k.Failures.or(defaultBreakerFailures), OpenFor: time.Duration(k.OpenFor.or(duration(defaultBreakerOpenFor)))}
	switch {
	case b.Failures < 0:
		p.add(k.Failures.Line, "source %s: failures: must not be negative", e.id())
	case b.Failures == 0: // said to be none
		return attrs.Breaker{}
	}
	return b
}

// retry reads the key retry.
func (e *sourceEntry) retry(p *problems) (times int, wait time.Duration) {
	var k struct {
		Times value[int]      `yaml:"times"`
		Wait  value[duration] `yaml:"wait"`
	}
	if n := &e.keys.Retry; n.IsZero() || !decodeKeys(n, "retry", &k, p, "times", "wait") {
		return 0, 0
	}
	must(k.Wait, e.id(), "wait", p)
	if k.Times.V < 0 || k.Times.V > 5 {
		p.add(k.Times.Line, "source %s: retry: 0 to 5 times", e.id())
		return 0, 0
	}
	if k.Times.V == 0 {
		return 0, 0
	}
	return k.Times.V, time.Duration(k.Wait.or(duration(defaultRetryWait)))
}

// sameSources says whether entries of a new file are the sources that are open: the same ids and kinds in the same order, with the
// same keys of their kinds, but for those that are made again at each reload.
func sameSources(old, new []*sourceEntry) bool {
	return slices.EqualFunc(old, new, func(a, b *sourceEntry) bool {
		return a.id() == b.id() && a.kind.name == b.kind.name && (a.kind.renewed || sameOwn(a, b))
	})
}

// sameOwn compares the keys of the kind of two entries by what they mean: aliases stand for what they name, and comments and the
// way of writing do not count. Attributes are left out: the resolver knows them.
func sameOwn(a, b *sourceEntry) bool {
	var one, other map[string]any
	if a.own.Decode(&one) != nil || b.own.Decode(&other) != nil {
		return false
	}
	delete(one, "attributes")
	delete(other, "attributes")
	return reflect.DeepEqual(one, other)
}
