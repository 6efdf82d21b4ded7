package bench

import (
	"runtime"
	"runtime/debug"
	"testing"

	"sceau/internal/testpki"
)

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

// A race is one cell: paths that answer the same messages, turn by turn.
type race struct {
	cell
	lane
	naive *naiveService
	floor *floor

	handlers, floors, keys                           times // short turns
	handlersOfBlock, naivesOfBlock, validatedOfBlock times // long turns
}

func newRace(tb testing.TB, c cell, kind journalKind, s *store, pool int) *race {
	tb.Helper()
	pki := testpki.Load()
	signer := c.sts.sts(pki)
	f, messages := handler(tb, signer, kind, nil), s.sealed(tb, c.eid, pool)
	out, err := answer(f, messages[0], nil)
	fatal(tb, err)
	r := &race{cell: c, lane: newLane(tb, f, messages[1:], 1)}
	r.naive, err = newNaiveService(pki, signer, naiveValues())
	fatal(tb, err)
	r.floor = newFloor(tb, messages[0], out, signer, c.eid.identity(pki))
	return r
}

func (r *race) naively(message []byte) error {
	_, err := r.naive.answer(message)
	return err
}

func (r *race) validated(message []byte) error {
	_, err := r.naive.answerValidated(message)
	return err
}

func (r *race) theFloor([]byte) error { return r.floor.whole() }

func (r *race) theKeys([]byte) error { return r.floor.keys() }

// round gives the paths their turns: handler, floor and keys in short ones, in changing
// order and without a collection of garbage between, then handler and the two naive paths in long
// ones, in which each pays for its own.
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
	for _, path := range []struct {
		turns *times
		path  func([]byte) error
	}{{&r.handlersOfBlock, r.answer}, {&r.naivesOfBlock, r.naively}, {&r.validatedOfBlock, r.validated}} {
		*path.turns = append(*path.turns, r.turn(block, path.path))
		runtime.GC()
	}
}
