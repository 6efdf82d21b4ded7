package soaphttp

import (
	"runtime"
	"sync/atomic"
	"time"
)

// An admission decides who is answered and who is told to come back later.
//
// Refusing is not free: what it costs to read a request and to say no is a third of what it costs to answer
// one with a P-256 key. A server that refused whatever came beyond a small number would spend
// itself on refusals under a flood that it could nearly carry. So requests wait in line, as many as will be
// reached within a time, and those who would wait longer are refused at once.
type admission struct {
	most int64         // in flight at once, however short the wait
	few  int64         // admitted in any case: they may be waiting for disks and sources, not for processors
	wait time.Duration // longest

	inFlight atomic.Int64
	each     atomic.Int64 // nanoseconds by which one in flight delays those behind it, a moving mean
}

// From so many in flight on it is measured how long they wait.
const measuredFrom = 4

// firstEach is what a request is taken to cost before any was measured: an RSA signature.
const firstEach = time.Millisecond

func newAdmission(most int, wait time.Duration) *admission {
	processors := int64(runtime.GOMAXPROCS(0))
	a := &admission{most: int64(most), few: min(64*processors, int64(most)), wait: wait}
	a.each.Store(int64(firstEach) / processors)
	return a
}

// enter counts a request in and returns how many are in flight with it; zero: it is refused.
// Who was admitted must leave.
func (a *admission) enter() int64 {
	n := a.inFlight.Add(1)
	if n > a.most || n > a.few && n*a.each.Load() > int64(a.wait) {
		a.leave()
		return 0
	}
	return n
}

func (a *admission) leave() { a.inFlight.Add(-1) }

// line lets all others who have sent a request be read, and counted, before this one is worked on.
// Signing does not give way: with as many connections at work as there are processors the
// others would wait where nobody counts them. n is what enter returned.
func (a *admission) line(n int64) {
	if n < measuredFrom {
		runtime.Gosched()
		return
	}
	began := time.Now()
	runtime.Gosched()
	a.waited(n, time.Since(began))
}

// waited learns from one that had n in flight with it.
func (a *admission) waited(n int64, took time.Duration) {
	each := a.each.Load()
	a.each.Store(max(1, each+(int64(took)/n-each)/16)) // of two at once one may be lost
}
