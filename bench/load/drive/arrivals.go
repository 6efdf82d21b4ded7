package drive

import (
	"math/rand/v2"
	"time"
)

// arrivals are the times at which messages fall due in an open loop, after its start: a pure
// function of rate, seed and end. Not safe for concurrent use.
type arrivals struct {
	rate   float64 // a second
	random *rand.Rand
	end    time.Duration

	n       uint64  // how many were handed out
	seconds float64 // the last, of Poisson arrivals
}

// newArrivals returns arrivals from 0 to end, end excluded. Poisson arrivals have independent, exponential gaps;
// constant ones are multiples of 1/rate, the first at 0.
func newArrivals(rate float64, poisson bool, seed uint64, end time.Duration) *arrivals {
	a := &arrivals{rate: rate, end: end}
	if poisson {
		a.random = rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15)) // two unlike halves from one seed
	}
	return a
}

// next returns the next arrival, false when there are no more before the end.
func (a *arrivals) next() (time.Duration, bool) {
	var seconds float64
	if a.random != nil {
		a.seconds += a.random.ExpFloat64() / a.rate
		seconds = a.seconds
	} else {
		seconds = float64(a.n) / a.rate // not a sum: no rounding adds up
	}
	if seconds >= a.end.Seconds() {
		return 0, false
	}
	a.n++
	return time.Duration(seconds * float64(time.Second)), true
}

// A tally counts arrivals second by second.
type tally struct {
	arrivals *arrivals
	waiting  time.Duration // the next, not counted yet
	more     bool
}

func newTally(a *arrivals) *tally {
	t := &tally{arrivals: a}
	t.waiting, t.more = a.next()
	return t
}

// until returns how many fell due before a time that were not counted before.
func (t *tally) until(end time.Duration) (n uint64) {
	for t.more && t.waiting < end {
		n++
		t.waiting, t.more = t.arrivals.next()
	}
	return n
}
