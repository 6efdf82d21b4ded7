package attrs

import (
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// cache keeps what sources said. It holds only what can be had again, and ristretto may drop any of it.
type cache struct {
	entries *ristretto.Cache[uint64, *kept]
	seed    maphash.Seed // so that nobody can choose subjects whose keys collide (Z5)

	closing sync.RWMutex // held for reading by whoever puts answers in
	closed  bool         // guarded by closing
}

// kept is the answers of one route to one list of questions. It is immutable.
type kept struct {
	route    uint64      // number of the route
	epochs   []epoch     // of each of its sources, before the question
	giver    int         // which of them answered
	subjects []Subject   // of each answer
	answers  []Certified // in the order asked
	from     time.Time   // instant for which they were given
	until    time.Time   // first instant at which they are fresh no more
	end      time.Time   // first instant at which they may not even be used stale
}

func newCache(entries int64) (*cache, error) {
	c, err := ristretto.NewCache(&ristretto.Config[uint64, *kept]{
		NumCounters:        10 * entries,
		MaxCost:            entries,
		BufferItems:        64,
		IgnoreInternalCost: true, // a cost of one is one entry
	})
	if err != nil {
		return nil, fmt.Errorf("attribute cache: %w", err)
	}
	return &cache{entries: c, seed: maphash.MakeSeed()}, nil
}

// close ends the cache. Flights that are left behind, since nobody waits for them any more, may still come to put their answers in:
// ristretto would send them on a channel that it has closed.
func (c *cache) close() {
	c.closing.Lock()
	c.closed = true
	c.closing.Unlock()
	c.entries.Close()
}

// A fingerprint is the key under which answers are kept. It is 64 bits wide and may collide, so that what is found is
// compared with what was asked. Epochs are not in it: answers of an older state of the data are replaced by newer ones, and
// found when they are to be used stale.
type fingerprint struct{ h maphash.Hash }

func (f *fingerprint) number(n uint64) {
	var b [8]byte
	for i := range b {
		b[i] = byte(n >> (8 * i))
	}
	f.h.Write(b[:])
}

func (f *fingerprint) question(d *Definition, s Subject) {
	f.number(uint64(d.index))
	f.h.WriteString(string(s.Type))
	f.number(uint64(len(s.Value)))
	f.h.WriteString(s.Value)
}

func (c *cache) key(r *route, q *question) uint64 {
	var f fingerprint
	f.h.SetSeed(c.seed)
	f.number(r.number)
	for i, d := range q.Definitions {
		f.question(d, q.subjects[i])
	}
	return f.h.Sum64()
}

// recall looks for answers of route i that are kept and fresh, and puts them into their places. It does not allocate, except
// for the subject of a relation and in queries of more than sixteen attributes.
func (r *Resolver) recall(t *table, q *Query, i int, answers []Certified) (bool, error) {
	route := t.routes[i]
	if r.cache == nil || route.ttl == 0 {
		return false, nil
	}
	var few [16]Subject
	subjects := few[:0]
	var f fingerprint
	f.h.SetSeed(r.cache.seed)
	f.number(route.number)
	for _, d := range q.Definitions {
		if !t.belongs(q, d, i) {
			continue
		}
		subject, err := q.Subject(d)
		if err != nil {
			return false, err
		}
		subjects = append(subjects, subject)
		f.question(d, subject)
	}
	k, ok := r.cache.entries.Get(f.h.Sum64())
	// Not before the instant for which they were given: what has begun since may not have begun then.
	if !ok || k.route != route.number || q.At.Before(k.from) || !q.At.Before(k.until) || !route.current(k) ||
		!k.place(t, q, i, subjects, answers, Cached) {
		route.counters.misses.Add(1)
		return false, nil
	}
	route.counters.hits.Add(1)
	return true, nil
}

// current says that no source of the route is in another state than before the answers were given.
func (r *route) current(k *kept) bool {
	for n, m := range r.members {
		if m.epoch() != k.epochs[n] {
			return false
		}
	}
	return true
}

// place compares the answers with the questions and copies them into their places: all or none.
func (k *kept) place(t *table, q *Query, i int, subjects []Subject, answers []Certified, origin Origin) bool {
	if len(k.answers) != len(subjects) {
		return false
	}
	next := 0
	for _, d := range q.Definitions { // compared wholly before the first is copied
		if !t.belongs(q, d, i) {
			continue
		}
		if k.answers[next].Definition != d || k.subjects[next] != subjects[next] {
			return false
		}
		next++
	}
	next = 0
	for n, d := range q.Definitions {
		if t.belongs(q, d, i) {
			answers[n] = k.answers[next]
			answers[n].Origin = origin
			next++
		}
	}
	return true
}

// recallStale looks for answers that may be used because no source of the route can be had.
func (r *Resolver) recallStale(t *table, q *Query, c *call, answers []Certified) bool {
	route := t.routes[c.route]
	if r.cache == nil || route.ttl == 0 || route.stale == 0 {
		return false
	}
	k, ok := r.cache.entries.Get(r.cache.key(route, c.question))
	if !ok || k.route != route.number || q.At.Before(k.from) || !q.At.Before(k.end) || !q.At.Before(k.until.Add(route.stale)) {
		return false
	}
	for n, m := range route.members { // a source that can tell that its data have changed is believed
		if e := m.epoch(); e.known && k.epochs[n].known && e != k.epochs[n] {
			return false
		}
	}
	return k.place(t, q, c.route, c.question.subjects, answers, Stale)
}

// keep remembers the checked answers of a flight until the first of them ends, and no longer than the time to live; longer
// where they may be used stale.
func (c *cache) keep(f *flight) {
	r := f.route
	if !f.epochs[f.giver].known || firstOf(f.faults) != nil {
		return
	}
	ttl := r.ttl
	for i := range f.answers {
		if f.answers[i].State != Affirmed {
			ttl = r.negative
		}
		if f.answers[i].Origin == Stale { // made of what was stale already
			return
		}
	}
	k := &kept{route: r.number, epochs: f.epochs, giver: f.giver, subjects: f.subjects, answers: f.answers, from: f.At, until: f.At.Add(ttl)}
	k.end = k.until.Add(r.stale)
	if end := Earliest(f.answers); !end.IsZero() {
		k.until, k.end = earlier(k.until, end), earlier(k.end, end)
	}
	c.closing.RLock()
	defer c.closing.RUnlock()
	if c.closed {
		return
	}
	// With its time to live, so that numbers of persons do not linger in memory.
	c.entries.SetWithTTL(c.key(r, f.question), k, 1, ttl+r.stale)
}
