package attrs

import (
	"fmt"
	"hash/maphash"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// cache keeps what sources said. It holds only what can be had again, and ristretto may drop any of it.
type cache struct {
	entries *ristretto.Cache[uint64, *kept]
	seed    maphash.Seed // so that nobody can choose subjects whose keys collide (Z5)
	ttl     time.Duration
}

// kept is the answers of one source to one list of questions. It is immutable.
type kept struct {
	source   int
	epoch    uint64
	subjects []Subject   // of each answer
	answers  []Certified // in the order asked
	from     time.Time   // instant for which they were given
	until    time.Time   // first instant at which they may be used no more
}

func newCache(entries int64, ttl time.Duration) (*cache, error) {
	c, err := ristretto.NewCache(&ristretto.Config[uint64, *kept]{
		NumCounters:        10 * entries,
		MaxCost:            entries,
		BufferItems:        64,
		IgnoreInternalCost: true, // a cost of one is one entry
	})
	if err != nil {
		return nil, fmt.Errorf("attribute cache: %w", err)
	}
	return &cache{entries: c, seed: maphash.MakeSeed(), ttl: ttl}, nil
}

func (c *cache) close() { c.entries.Close() }

// A fingerprint is the key under which answers are kept. It is 64 bits wide and may collide, so that what is found is
// compared with what was asked.
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

// recall looks for answers of source s that are kept and may be used, and puts them into their places. It does not
// allocate, except for the subject of a relation and in queries of more than sixteen attributes.
func (r *Resolver) recall(q *Query, s int, answers []Certified) (bool, error) {
	var few [16]Subject
	subjects := few[:0]
	var f fingerprint
	f.h.SetSeed(r.cache.seed)
	f.number(uint64(s))
	for _, d := range q.Definitions {
		if !r.belongs(q, d, s) {
			continue
		}
		subject, err := q.Subject(d)
		if err != nil {
			return false, err
		}
		subjects = append(subjects, subject)
		f.question(d, subject)
	}
	var epoch uint64
	if v, ok := r.sources[s].(Versioned); ok {
		if epoch, ok = v.Epoch(); !ok {
			return false, nil
		}
	}
	f.number(epoch)
	k, ok := r.cache.entries.Get(f.h.Sum64())
	if !ok || k.source != s || k.epoch != epoch || len(k.answers) != len(subjects) {
		return false, nil
	}
	// Not before the instant for which they were given: what has begun since may not have begun then.
	if q.At.Before(k.from) || !q.At.Before(k.until) {
		return false, nil
	}
	next := 0
	for _, d := range q.Definitions { // compared wholly before the first is copied
		if !r.belongs(q, d, s) {
			continue
		}
		if k.answers[next].Definition != d || k.subjects[next] != subjects[next] {
			return false, nil
		}
		next++
	}
	next = 0
	for i, d := range q.Definitions {
		if r.belongs(q, d, s) {
			answers[i] = k.answers[next]
			next++
		}
	}
	return true, nil
}

// keep remembers the checked answers of a call until the first of them ends, and no longer than the time to live.
func (c *cache) keep(call *call) {
	k := &kept{
		source: call.index, epoch: call.epoch, answers: call.answers,
		from: call.query.At, until: call.query.At.Add(c.ttl),
	}
	if end := Earliest(call.answers); !end.IsZero() && end.Before(k.until) {
		k.until = end
	}
	var f fingerprint
	f.h.SetSeed(c.seed)
	f.number(uint64(call.index))
	for _, d := range call.query.Definitions {
		subject, err := call.query.Subject(d)
		if err != nil {
			return // the source answered a question without subject; nothing to find it by
		}
		k.subjects = append(k.subjects, subject)
		f.question(d, subject)
	}
	f.number(call.epoch)
	c.entries.SetWithTTL(f.h.Sum64(), k, 1, c.ttl) // with its time to live, so that numbers of persons do not linger in memory
}
