package bench

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"sceau/internal/testpki"
	"sceau/sts/ststest"
)

// A turn of the short kind takes turnTime or one request: long against the resolution
// of the clock, short against the slices in which a busy machine gives its processors away.
const turnTime = 600 * time.Microsecond

const (
	// many is how many different messages a measurement has; the replay state is emptied
	// when they are used up.
	many = 384
	// block is how many requests a long turn answers: enough for the naive path to pay
	// for its garbage.
	block = 40
	// short is how many rounds of short turns go with one of long turns.
	short = 10
)

// A race is one cell: four paths that answer the same messages, turn by turn.
type race struct {
	cell
	tb       testing.TB
	handler  *ststest.Fixture
	naive    *naiveService
	floor    *floor
	messages [][]byte
	next     int

	requests int      // of a short turn
	received [][]byte // the messages of a turn, as the network left them
	out      []byte

	handlers, floors, keys         times // short turns
	handlersOfBlock, naivesOfBlock times // long turns
}

// times are CPU times of one request, one of every round.
type times []time.Duration

func newRace(tb testing.TB, c cell, kind journalKind, s *store, pool int) *race {
	tb.Helper()
	pki := testpki.Load()
	signer := c.sts.sts(pki)
	r := &race{cell: c, tb: tb, messages: s.sealed(tb, c.eid, pool), handler: handler(tb, signer, kind, nil)}
	var err error
	r.naive, err = newNaiveService(pki, signer, naiveValues())
	fatal(tb, err)
	r.out, err = answer(r.handler, r.messages[0], nil)
	fatal(tb, err)
	r.floor = newFloor(tb, r.messages[0], r.out, signer, c.eid.identity(pki))
	r.handler.Certificates.Settle()
	forget(tb, r.handler)

	estimate := time.Duration(math.MaxInt64)
	for range 20 {
		estimate = min(estimate, r.turn(1, r.answer))
	}
	r.requests = max(1, int(turnTime/estimate))
	return r
}

// turn times n requests by one path and gives the CPU time of one. A request before
// them is not timed.
func (r *race) turn(n int, path func(message []byte) error) time.Duration {
	if r.next+n+1 > len(r.messages) {
		forget(r.tb, r.handler)
		r.next = 0
	}
	for len(r.received) <= n {
		r.received = append(r.received, nil)
	}
	batch := r.received[:n+1]
	for i := range batch {
		batch[i] = append(batch[i][:0], r.messages[r.next+i]...)
	}
	r.next += len(batch)
	fatal(r.tb, path(batch[0]))
	begin := cpu()
	for _, message := range batch[1:] {
		if err := path(message); err != nil {
			r.tb.Fatal(err)
		}
	}
	return (cpu() - begin) / time.Duration(n)
}

func (r *race) answer(message []byte) error {
	out, err := answer(r.handler, message, r.out[:0])
	if err == nil {
		r.out = out
	}
	return err
}

func (r *race) naively(message []byte) error {
	_, err := r.naive.answer(message)
	return err
}

func (r *race) theFloor([]byte) error { return r.floor.whole() }

func (r *race) theKeys([]byte) error { return r.floor.keys() }

// round gives the paths their turns: handler, floor and keys in short ones, in changing
// order and without a collection of garbage between, then handler and naive in long ones, in
// which each pays for its own.
func (r *race) round() {
	percent := debug.SetGCPercent(-1)
	for i := range short {
		if i%2 == 0 {
			r.handlers = append(r.handlers, r.turn(r.requests, r.answer))
		}
		r.floors = append(r.floors, r.turn(r.requests, r.theFloor))
		if i%2 == 1 {
			r.handlers = append(r.handlers, r.turn(r.requests, r.answer))
		}
		r.keys = append(r.keys, r.turn(r.requests, r.theKeys))
	}
	debug.SetGCPercent(percent)
	r.handlersOfBlock = append(r.handlersOfBlock, r.turn(block, r.answer))
	runtime.GC()
	r.naivesOfBlock = append(r.naivesOfBlock, r.turn(block, r.naively))
	runtime.GC()
}

// A cost is what one path takes from the heap for a request.
type cost struct{ allocations, bytes float64 }

// heap counts what a path takes from the heap, over n different messages.
func (r *race) heap(n int, path func([]byte) error) cost {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection would empty the pools
	forget(r.tb, r.handler)
	for _, message := range r.messages[:8] {
		fatal(r.tb, path(message))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, message := range r.messages[8 : 8+n] {
		if err := path(message); err != nil {
			r.tb.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	forget(r.tb, r.handler)
	r.next = 0
	return cost{float64(after.Mallocs-before.Mallocs) / float64(n), float64(after.TotalAlloc-before.TotalAlloc) / float64(n)}
}
