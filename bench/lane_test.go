package bench

import (
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"sceau/sts/ststest"
)

// A turn of the short kind takes turnTime or one request: long against the resolution
// of the clock, short against the slices in which a busy machine gives its processors away.
const turnTime = 600 * time.Microsecond

// A lane is a handler with messages of its own, all different, and the memory of a turn.
type lane struct {
	tb       testing.TB
	handler  *ststest.Fixture
	messages [][]byte
	next     int

	requests int      // of a short turn
	received [][]byte // the messages of a turn, as the network left them
	out      []byte
}

// times are CPU times of one request, one of every round.
type times []time.Duration

func (t times) min() time.Duration { return slices.Min(t) }

func (t times) median() time.Duration {
	sorted := slices.Sorted(slices.Values(t))
	return (sorted[len(sorted)/2] + sorted[(len(sorted)-1)/2]) / 2
}

// newLane answers the first messages, so that caches are warm, and finds how many requests make a short turn.
func newLane(tb testing.TB, f *ststest.Fixture, messages [][]byte, warm int) lane {
	tb.Helper()
	l := lane{tb: tb, handler: f, messages: messages}
	for _, message := range messages[:warm] {
		fatal(tb, l.answer(message))
	}
	f.Certificates.Settle()
	forget(tb, f)
	estimate := time.Duration(math.MaxInt64)
	for range 20 {
		estimate = min(estimate, l.turn(1, l.answer))
	}
	l.requests = max(1, min(int(turnTime/estimate), len(messages)-1))
	return l
}

// turn times n requests by one path and gives the CPU time of one. A request before
// them is not timed.
func (l *lane) turn(n int, path func(message []byte) error) time.Duration {
	if l.next+n+1 > len(l.messages) {
		forget(l.tb, l.handler)
		l.next = 0
	}
	for len(l.received) <= n {
		l.received = append(l.received, nil)
	}
	batch := l.received[:n+1]
	for i := range batch {
		batch[i] = append(batch[i][:0], l.messages[l.next+i]...)
	}
	l.next += len(batch)
	fatal(l.tb, path(batch[0]))
	begin := cpu()
	for _, message := range batch[1:] {
		if err := path(message); err != nil {
			l.tb.Fatal(err)
		}
	}
	return (cpu() - begin) / time.Duration(n)
}

func (l *lane) answer(message []byte) error {
	out, err := answer(l.handler, message, l.out[:0])
	if err == nil {
		l.out = out
	}
	return err
}

// A cost is what one path takes from the heap for a request.
type cost struct{ allocations, bytes float64 }

// heapRuns is how often heap counts. The runtime counts for the whole process, and what else runs in it, the longer the busier the machine
// is, can only add.
const heapRuns = 3

// heap counts what a path takes from the heap, over n different messages: the least of heapRuns. Up to eight others come before them.
func (l *lane) heap(n int, path func([]byte) error) cost {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection would empty the pools
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))  // and every processor has its own
	least := l.heapOnce(n, path)
	for range heapRuns - 1 {
		c := l.heapOnce(n, path)
		least = cost{min(least.allocations, c.allocations), min(least.bytes, c.bytes)}
	}
	return least
}

func (l *lane) heapOnce(n int, path func([]byte) error) cost {
	forget(l.tb, l.handler)
	warm := min(8, len(l.messages)-n)
	for _, message := range l.messages[:warm] {
		fatal(l.tb, path(message))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, message := range l.messages[warm : warm+n] {
		if err := path(message); err != nil {
			l.tb.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	forget(l.tb, l.handler)
	l.next = 0
	return cost{float64(after.Mallocs-before.Mallocs) / float64(n), float64(after.TotalAlloc-before.TotalAlloc) / float64(n)}
}
