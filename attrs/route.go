package attrs

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxRoutes bounds the routes of one Resolver, so that a set of them is one word.
const maxRoutes = 64

// Bounds of a Route: beyond them a setting is more likely a slip than a wish.
const (
	maxMembers = 8
	maxRetries = 5
)

// A Route says which attributes a source is asked for, and what is done when it does not answer. The zero settings ask
// once, within the budget, and every attribute is mandatory.
type Route struct {
	Source Source

	// Attributes are names, canonical or aliases, of certified attributes. Nil means all that no other route names; one
	// route at most may say so.
	Attributes []Designator

	// Standby are replicas that hold the same facts as Source. Where it fails they are asked in this order, and an answer
	// is from one of them alone.
	Standby []Source

	// Timeout bounds one question to one source. Zero: the budget, in equal parts for Source and each Standby.
	Timeout time.Duration

	// Retries is how many times more all of them are asked after each has failed, if they are Idempotent and what is
	// left of the budget allows it. RetryWait is the mean wait before the first; it doubles for each further one.
	Retries   int
	RetryWait time.Duration

	// Breaker leaves a source in peace that fails again and again.
	Breaker Breaker

	// CacheTTL replaces that of the Config where it is positive; negative keeps nothing. NegativeTTL bounds how long an
	// answer is kept that denies something or does not know it; zero: as long as others.
	CacheTTL, NegativeTTL time.Duration

	// StaleFor is how much longer an answer may be used while no source of the route can be had. Zero: not at all. An
	// answer is never used at or after its own NotOnOrAfter, nor once its source says that the data have changed.
	StaleFor time.Duration

	// Optional are those attributes of the route without which a query is answered all the same: where they cannot be
	// had their State is Unresolved. AllOptional says so of all of them.
	Optional    []Designator
	AllOptional bool
}

// An Idempotent source says whether a question that failed may be put to it again: that it has no effect but its answer,
// and that nobody is billed or alarmed twice. A source that does not say so is never asked again.
type Idempotent interface {
	Source
	Idempotent() bool
}

// A member is a source with what is known of it. It stays the same when the configuration is replaced.
type member struct {
	source   Source
	breaker  breaker
	counters sourceCounters
}

func (m *member) idempotent() bool {
	s, ok := m.source.(Idempotent)
	return ok && s.Idempotent()
}

// An epoch is what a source says of the state of its data. One that is not Versioned has always the same.
type epoch struct {
	number uint64
	known  bool
}

func (m *member) epoch() (e epoch) {
	v, ok := m.source.(Versioned)
	if !ok {
		return epoch{known: true}
	}
	if e.number, e.known = v.Epoch(); !e.known {
		e.number = 0
	}
	return e
}

// A route is a Route that was checked. It is immutable but for the counters.
type route struct {
	number    uint64    // of the list of sources: under it answers are kept, whatever the order of routes
	members   []*member // in the order in which they are asked
	timeout   time.Duration
	retries   int
	wait      time.Duration
	ttl       time.Duration // zero: nothing is kept, and questions are not shared
	negative  time.Duration
	stale     time.Duration
	mandatory bool // one attribute is
	counters  *routeCounters
}

func (r *route) id() string { return r.members[0].source.ID() }

// A table is a configuration that was checked. It is immutable.
type table struct {
	catalogue *Catalogue
	budget    time.Duration
	entries   int64
	routes    []*route
	of        []int  // index of the definition -> index of the route, or -1
	optional  []bool // by index of the definition
}

// newTable checks a configuration. Members of old that stay are taken over, with their breakers and counters.
func newTable(c *Config, old *table, number *uint64) (*table, error) {
	switch {
	case c.Catalogue == nil || c.Catalogue.Len() == 0:
		return nil, errors.New("attribute resolver: no catalogue")
	case len(c.Routes) == 0:
		return nil, errors.New("attribute resolver: no route")
	case len(c.Routes) > maxRoutes:
		return nil, fmt.Errorf("attribute resolver: more than %d routes", maxRoutes)
	case c.Budget <= 0:
		return nil, errors.New("attribute resolver: no budget of time")
	case (c.CacheEntries > 0) != (c.CacheTTL > 0) || c.CacheEntries < 0 || c.CacheTTL < 0:
		return nil, errors.New("attribute resolver: the cache needs both entries and a time to live, or neither")
	}
	t := &table{catalogue: c.Catalogue, budget: c.Budget, entries: c.CacheEntries,
		of: slices.Repeat([]int{-1}, c.Catalogue.Len()), optional: make([]bool, c.Catalogue.Len())}
	for i := range c.Routes {
		r, err := t.checked(c, &c.Routes[i], i)
		if err != nil {
			return nil, err
		}
		t.routes = append(t.routes, r)
	}
	if err := t.assign(c.Routes); err != nil {
		return nil, err
	}
	if err := t.choose(c.Routes); err != nil {
		return nil, err
	}
	t.inherit(c.Routes, old, number)
	return t, nil
}

// checked makes a route of what stands in it alone.
func (t *table) checked(c *Config, from *Route, i int) (*route, error) {
	r := &route{timeout: from.Timeout, retries: from.Retries, wait: from.RetryWait, ttl: c.CacheTTL, negative: from.NegativeTTL,
		stale: from.StaleFor, counters: &routeCounters{}}
	for _, s := range append([]Source{from.Source}, from.Standby...) {
		if s == nil || s.ID() == "" {
			return nil, fmt.Errorf("attribute resolver: route %d has no source or one without ID", i+1)
		}
		for _, other := range append(t.routes, r) {
			for _, m := range other.members {
				if m.source.ID() == s.ID() {
					return nil, fmt.Errorf("attribute resolver: two routes to source %q", s.ID())
				}
			}
		}
		r.members = append(r.members, &member{source: s})
	}
	wrong := func(what string) (*route, error) {
		return nil, fmt.Errorf("attribute resolver: source %q: %s", r.id(), what)
	}
	if from.CacheTTL != 0 {
		r.ttl = max(from.CacheTTL, 0)
	}
	switch {
	case len(r.members) > maxMembers:
		return wrong("too many replicas")
	case from.Timeout < 0 || from.RetryWait < 0 || from.NegativeTTL < 0 || from.StaleFor < 0:
		return wrong("a negative time")
	case from.Timeout > c.Budget:
		return wrong("its timeout is longer than the budget")
	case from.Retries < 0 || from.Retries > maxRetries:
		return wrong(fmt.Sprintf("retries are 0 to %d", maxRetries))
	case (from.Retries > 0) != (from.RetryWait > 0):
		return wrong("retries need a wait, and a wait retries")
	case from.CacheTTL > 0 && c.CacheEntries == 0:
		return wrong("a time to live without a cache")
	case r.stale > 0 && r.ttl == 0:
		return wrong("what is not kept cannot be used stale")
	case from.Breaker.check() != nil:
		return wrong(from.Breaker.check().Error())
	}
	if from.Retries > 0 {
		for _, m := range r.members {
			if !m.idempotent() {
				return nil, fmt.Errorf("attribute resolver: source %q does not say that it may be asked again: no retries", m.source.ID())
			}
		}
	}
	if r.timeout == 0 {
		r.timeout = c.Budget / time.Duration(len(r.members))
	}
	if r.negative == 0 || r.negative > r.ttl {
		r.negative = r.ttl
	}
	return r, nil
}

// assign gives each attribute its route.
func (t *table) assign(routes []Route) error {
	rest := -1
	for i := range routes {
		if routes[i].Attributes == nil {
			if rest >= 0 {
				return errors.New("attribute resolver: two routes for the rest of the attributes")
			}
			rest = i
			continue
		}
		for _, name := range routes[i].Attributes {
			d, ok := t.catalogue.Find(name)
			switch {
			case !ok || !d.Certified() || d.Computed:
				return fmt.Errorf("attribute resolver: source %q cannot be asked for %q", t.routes[i].id(), name.Name)
			case t.of[d.index] >= 0:
				return fmt.Errorf("attribute resolver: %q has two sources", d.Name)
			}
			t.of[d.index] = i
		}
	}
	if rest < 0 {
		return nil
	}
	for d := range t.catalogue.All() {
		if d.Certified() && !d.Computed && t.of[d.index] < 0 {
			t.of[d.index] = rest
		}
	}
	return nil
}

// choose marks what is optional.
func (t *table) choose(routes []Route) error {
	for i := range routes {
		for _, name := range routes[i].Optional {
			d, ok := t.catalogue.Find(name)
			if !ok || t.of[d.index] != i {
				return fmt.Errorf("attribute resolver: source %q is not asked for %q, which is said to be optional", t.routes[i].id(), name.Name)
			}
			t.optional[d.index] = true
		}
	}
	for d := range t.catalogue.All() {
		i := t.of[d.index]
		if i < 0 {
			continue
		}
		if routes[i].AllOptional {
			t.optional[d.index] = true
		}
		if !t.optional[d.index] {
			t.routes[i].mandatory = true
		}
	}
	return nil
}

// inherit takes over from old the members that stay and the counters of routes that do, and sets the breakers.
func (t *table) inherit(routes []Route, old *table, number *uint64) {
	for i, r := range t.routes {
		if old != nil {
			for n, m := range r.members {
				if same := old.member(m.source); same != nil {
					r.members[n] = same
				}
			}
			for _, before := range old.routes {
				if slices.Equal(before.members, r.members) { // the same sources in the same order hold the same facts
					r.number, r.counters = before.number, before.counters
				}
			}
		}
		if r.number == 0 {
			*number++
			r.number = *number
		}
		for _, m := range r.members {
			m.breaker.configure(routes[i].Breaker)
		}
	}
}

func (t *table) member(s Source) *member {
	for _, r := range t.routes {
		for _, m := range r.members {
			if m.source == s {
				return m
			}
		}
	}
	return nil
}

// belongs says whether route i is asked for d in q.
func (t *table) belongs(q *Query, d *Definition, i int) bool {
	return t.of[d.index] == i && q.given(d) == nil
}
