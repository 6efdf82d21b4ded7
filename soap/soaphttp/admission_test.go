package soaphttp

import (
	"testing"
	"time"
)

// fill enters until refused and returns how many were admitted.
func fill(a *admission) int {
	for n := 0; ; n++ {
		if a.enter() == 0 {
			return n
		}
	}
}

func TestAdmission(t *testing.T) {
	learn := func(a *admission, each time.Duration) {
		for range 500 {
			a.waited(10, 10*each)
		}
	}
	const few = 40
	a := newAdmission(10000, few, 250*time.Millisecond)
	if got := fill(a); got != max(few, int(a.wait)/int(a.each.Load())) {
		t.Errorf("%d admitted before anything was measured", got)
	}
	a.inFlight.Store(0)
	learn(a, 100*time.Microsecond)
	if got := fill(a); got < 2400 || got > 2600 {
		t.Errorf("%d admitted at 100 µs each, 250 ms in all", got)
	}
	for range 10 {
		a.line(1) // they are at work, and the others still in line
	}
	for range 10 {
		a.leave()
	}
	if got := fill(a); got != 10 {
		t.Errorf("%d admitted after ten have left", got)
	}
	a.inFlight.Store(0)
	learn(a, time.Second)
	if got := fill(a); got != few {
		t.Errorf("%d admitted when each takes longer than all may wait, not the %d that may be waiting for a disk", got, few)
	}
	a.inFlight.Store(0)
	learn(a, 0)
	if got := fill(a); got != 10000 {
		t.Errorf("%d admitted when nothing takes any time", got)
	}
	if got := fill(newAdmission(3, 3, time.Hour)); got != 3 {
		t.Errorf("%d admitted of three at most", got)
	}
}
