package attrs

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// A Breaker says when a source that fails is left in peace: after Failures failures one after the other no question is put
// to it for about OpenFor; then one question is, and its success lets the others pass. The zero Breaker never opens.
type Breaker struct {
	Failures int
	OpenFor  time.Duration // mean: each time is up to a fifth shorter or longer, lest many servers come back at once
}

func (b Breaker) check() error {
	if b.Failures < 0 || b.OpenFor < 0 || (b.Failures > 0) != (b.OpenFor > 0) {
		return errors.New("a breaker needs a number of failures and a time")
	}
	return nil
}

// BreakerState says whether questions are put to a source.
type BreakerState uint8

// The states of a breaker.
const (
	BreakerClosed   BreakerState = iota // all are
	BreakerHalfOpen                     // one is, to see whether it answers again
	BreakerOpen                         // none is
)

// String gives the state in words.
func (s BreakerState) String() string {
	switch s {
	case BreakerClosed:
		return "closed"
	case BreakerHalfOpen:
		return "half-open"
	case BreakerOpen:
		return "open"
	}
	return "invalid state"
}

var errBreakerOpen = errors.New("it failed several times and is left in peace for a while")

// An outcome is what a question says about the health of a source.
type outcome uint8

const (
	nothing  outcome = iota // the asker gave up, or left too little time
	answered                // it spoke, if only nonsense
	failed                  // it did not answer, or not in its time
)

// breaker guards one source. It is safe for concurrent use.
type breaker struct {
	mu       sync.Mutex
	settings Breaker
	failures int       // since the last success
	until    time.Time // open before; half-open from then on; zero: closed
	probing  bool      // the one question of half-open is under way
	turn     uint64    // grows with each change of state: what began before it says nothing any more
}

// configure changes the settings. A breaker that is open stays so, unless it shall never be.
func (b *breaker) configure(s Breaker) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.settings = s; s.Failures == 0 {
		b.failures, b.until, b.probing = 0, time.Time{}, false
		b.turn++
	}
}

// admit says whether a question may be put now. Whoever was admitted reports with the ticket.
func (b *breaker) admit(now time.Time) (ticket uint64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.until.IsZero():
		return b.turn, true
	case now.Before(b.until) || b.probing:
		return 0, false
	}
	b.probing = true
	b.turn++
	return b.turn, true
}

// report says how the question of a ticket ended.
func (b *breaker) report(ticket uint64, now time.Time, o outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ticket != b.turn || b.settings.Failures == 0 {
		return
	}
	probe := b.probing
	b.probing = false
	switch {
	case o == answered:
		b.failures, b.until = 0, time.Time{}
		if probe {
			b.turn++
		}
	case o == failed:
		if b.failures++; probe || b.failures >= b.settings.Failures {
			b.turn++
			spread := int64(b.settings.OpenFor)/5 + 1
			b.until = now.Add(b.settings.OpenFor + time.Duration(rand.Int64N(2*spread)-spread))
		}
	}
}

// state says how it stands. One that may be probed is half-open, whether or not anybody has come to do so: a server that is
// taken out of service because a source is down must not wait for requests to find out that it is up again.
func (b *breaker) state(now time.Time) BreakerState {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.until.IsZero():
		return BreakerClosed
	case now.Before(b.until):
		return BreakerOpen
	}
	return BreakerHalfOpen
}
