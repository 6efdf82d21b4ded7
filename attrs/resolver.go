package attrs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxSources bounds the sources of one Resolver, so that a set of them is one word.
const maxSources = 64

// A Route says which attributes a source is asked for.
type Route struct {
	Source Source

	// Attributes are names, canonical or aliases, of certified attributes. Nil means all that no other route names; one
	// route at most may say so.
	Attributes []Designator
}

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
}

// A Resolver sends each attribute of a query to its source. It is safe for concurrent use. Close it after use.
type Resolver struct {
	catalogue *Catalogue
	sources   []Source
	routes    []int // index of the definition -> index of the source, or -1
	budget    time.Duration
	cache     *cache // nil: nothing is kept
}

// NewResolver makes a Resolver. It refuses a configuration in which an attribute has two sources or a route is in vain. An
// attribute may be without source: asking for it is an error then.
func NewResolver(c Config) (*Resolver, error) {
	switch {
	case c.Catalogue == nil || c.Catalogue.Len() == 0:
		return nil, errors.New("attribute resolver: no catalogue")
	case len(c.Routes) == 0:
		return nil, errors.New("attribute resolver: no route")
	case len(c.Routes) > maxSources:
		return nil, fmt.Errorf("attribute resolver: more than %d routes", maxSources)
	case c.Budget <= 0:
		return nil, errors.New("attribute resolver: no budget of time")
	case (c.CacheEntries > 0) != (c.CacheTTL > 0) || c.CacheEntries < 0 || c.CacheTTL < 0:
		return nil, errors.New("attribute resolver: the cache needs both entries and a time to live, or neither")
	}
	r := &Resolver{catalogue: c.Catalogue, budget: c.Budget, routes: slices.Repeat([]int{-1}, c.Catalogue.Len())}
	rest := -1
	for i, route := range c.Routes {
		if route.Source == nil || route.Source.ID() == "" {
			return nil, fmt.Errorf("attribute resolver: route %d has no source or one without ID", i+1)
		}
		for _, other := range r.sources {
			if other.ID() == route.Source.ID() {
				return nil, fmt.Errorf("attribute resolver: two routes to source %q", other.ID())
			}
		}
		r.sources = append(r.sources, route.Source)
		if route.Attributes == nil {
			if rest >= 0 {
				return nil, errors.New("attribute resolver: two routes for the rest of the attributes")
			}
			rest = i
			continue
		}
		for _, name := range route.Attributes {
			d, ok := c.Catalogue.Find(name)
			switch {
			case !ok || !d.Certified() || d.Computed:
				return nil, fmt.Errorf("attribute resolver: source %q cannot be asked for %q", route.Source.ID(), name.Name)
			case r.routes[d.index] >= 0:
				return nil, fmt.Errorf("attribute resolver: %q has two sources", d.Name)
			}
			r.routes[d.index] = i
		}
	}
	if rest >= 0 {
		for d := range c.Catalogue.All() {
			if d.Certified() && !d.Computed && r.routes[d.index] < 0 {
				r.routes[d.index] = rest
			}
		}
	}
	if c.CacheEntries > 0 {
		var err error
		if r.cache, err = newCache(c.CacheEntries, c.CacheTTL); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Close ends the background work of the cache. Sources are left to who made them.
func (r *Resolver) Close() {
	if r.cache != nil {
		r.cache.close()
	}
}

// Routed says whether a source is configured for the attribute: what a server can check when it starts.
func (r *Resolver) Routed(d *Definition) bool { return r.catalogue.holds(d) && r.routes[d.index] >= 0 }

// Resolve appends to dst one answer for each of q.Definitions, in that order, and returns the extended slice. Sources are
// asked at once, each in one call. It is all or nothing: if one source fails the error is that of the first that did, an
// *Error, and dst comes back as it was. Every answer has been checked against its definition and holds at q.At.
func (r *Resolver) Resolve(ctx context.Context, q *Query, dst []Certified) ([]Certified, error) {
	if err := ctx.Err(); err != nil {
		return dst, Unavailable(ctx, "", err)
	}
	asked, err := r.admit(q)
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
	if r.cache != nil {
		for s := range r.sources {
			if asked&(1<<s) == 0 {
				continue
			}
			kept, err := r.recall(q, s, answers)
			if err != nil {
				clear(answers)
				return dst[:n], err
			}
			if kept {
				asked &^= 1 << s
			}
		}
	}
	if asked != 0 {
		if err := r.ask(ctx, q, asked, answers); err != nil {
			clear(answers)
			return dst[:n], err
		}
	}
	return dst, nil
}

// admit checks the query before any source sees it and gives the set of sources that it needs.
func (r *Resolver) admit(q *Query) (asked uint64, err error) {
	if q == nil || q.At.IsZero() {
		return 0, &Error{Reason: InvalidQuery, Err: errors.New("no instant")}
	}
	for _, d := range q.Definitions {
		if !r.catalogue.holds(d) {
			return 0, &Error{Reason: InvalidQuery, Err: errors.New("a definition is not of the resolver's catalogue")}
		}
		if given := q.given(d); given != nil {
			if err := given.Check(q.At); err != nil {
				return 0, badAnswer(given.Source, d, err)
			}
			continue
		}
		if r.routes[d.index] < 0 {
			return 0, &Error{Reason: NoSource, Attribute: d.Name}
		}
		asked |= 1 << r.routes[d.index]
	}
	return asked, nil
}

// belongs says whether source s is asked for d in q.
func (r *Resolver) belongs(q *Query, d *Definition, s int) bool {
	return r.routes[d.index] == s && q.given(d) == nil
}

// ask puts the questions to each source of the set asked, at once, and their answers into their places.
func (r *Resolver) ask(ctx context.Context, q *Query, asked uint64, answers []Certified) error {
	ctx, cancel := context.WithTimeout(ctx, r.budget)
	defer cancel()
	var calls []*call
	for s, source := range r.sources {
		if asked&(1<<s) == 0 {
			continue
		}
		c := &call{source: source, index: s, done: make(chan struct{})}
		// The query is copied: a source that does not end with its context may read it after the caller has reused his.
		c.query = Query{Subjects: slices.Clone(q.Subjects), At: q.At}
		for _, d := range q.Definitions {
			if !r.belongs(q, d, s) {
				continue
			}
			if _, err := q.Subject(d); err != nil {
				return err // before any source is contacted
			}
			c.query.Definitions = append(c.query.Definitions, d)
		}
		if v, ok := source.(Versioned); ok {
			c.epoch, c.versioned = v.Epoch() // before the question: an answer may be newer than the epoch it is kept under, never older
		} else {
			c.versioned = true
		}
		calls = append(calls, c)
	}
	for _, c := range calls {
		go c.run(ctx)
	}
	for _, c := range calls {
		select {
		case <-c.done:
		case <-ctx.Done():
			select {
			case <-c.done: // it did end
			default: // it is left to end by itself; its answer goes nowhere
				return Unavailable(ctx, c.source.ID(), ctx.Err())
			}
		}
		if c.err != nil {
			return c.err
		}
	}
	for _, c := range calls {
		next := 0
		for i, d := range q.Definitions {
			if r.belongs(q, d, c.index) {
				answers[i] = c.answers[next]
				next++
			}
		}
		if r.cache != nil && c.versioned {
			r.cache.keep(c)
		}
	}
	return nil
}

// A call is one question to one source.
type call struct {
	source    Source
	index     int
	query     Query
	epoch     uint64
	versioned bool // the epoch is one

	done    chan struct{} // closed when what follows is set
	answers []Certified
	err     error
}

func (c *call) run(ctx context.Context) {
	defer close(c.done)
	id := c.source.ID()
	defer func() {
		if p := recover(); p != nil { // a driver's fault must not end the server
			c.answers, c.err = nil, &Error{Reason: SourceUnavailable, Source: id, Err: fmt.Errorf("panic of type %T", p)}
		}
	}()
	answers, err := c.source.Resolve(ctx, &c.query, make([]Certified, 0, len(c.query.Definitions)))
	if err != nil {
		var known *Error
		if !errors.As(err, &known) {
			err = Unavailable(ctx, id, err)
		}
		c.err = err
		return
	}
	if len(answers) != len(c.query.Definitions) {
		c.err = badAnswerf(id, nil, "%d answers to %d questions", len(answers), len(c.query.Definitions))
		return
	}
	for i := range answers {
		d := c.query.Definitions[i]
		if answers[i].Definition != d {
			c.err = badAnswerf(id, d, "the answer is about another attribute")
			return
		}
		if err := answers[i].Check(c.query.At); err != nil {
			c.err = badAnswer(id, d, err)
			return
		}
	}
	c.answers = answers
}
