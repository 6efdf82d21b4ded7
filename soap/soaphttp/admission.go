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
//
// Few are at work at a time: the rest of the line is parked, so that whoever comes next is read, and refused if
// need be, behind those few and not behind the whole line.
type admission struct {
	most int64         // in flight at once, however short the wait
	wait time.Duration // longest
	work chan struct{} // as many as may be at work: more than processors, since some wait for disks and sources

	inFlight atomic.Int64
	each     atomic.Int64 // nanoseconds by which one in flight delays those behind it, a moving mean
}

// From so many in flight on it is measured how long they wait.
const measuredFrom = 4

// firstEach is what a request is taken to cost before any was measured: an RSA signature.
const firstEach = time.Millisecond

func newAdmission(most, work int, wait time.Duration) *admission {
	a := &admission{most: int64(most), work: make(chan struct{}, work), wait: wait}
	a.each.Store(int64(firstEach) / int64(runtime.GOMAXPROCS(0)))
	return a
}

// enter counts a request in and returns how many are in flight with it; zero: it is refused.
// Who was admitted goes into line and must leave.
func (a *admission) enter() int64 {
	n := a.inFlight.Add(1)
	if n > a.most || n > int64(cap(a.work)) && n*a.each.Load() > int64(a.wait) {
		a.inFlight.Add(-1)
		return 0
	}
	return n
}

// line waits for a place among those at work, in the order in which requests came, and then lets all others who
// have sent one be read, and counted, before this one is worked on. Signing does not give way: with as
// many connections at work as there are processors the others would wait where nobody counts
// them. n is what enter returned.
func (a *admission) line(n int64) {
	if n < measuredFrom {
		a.work <- struct{}{}
		runtime.Gosched()
		return
	}
	began := time.Now()
	a.work <- struct{}{}
	runtime.Gosched()
	a.waited(n, time.Since(began))
}

// leave gives the place up.
func (a *admission) leave() {
	<-a.work
	a.inFlight.Add(-1)
}

// waited learns from one that had n in flight with it.
func (a *admission) waited(n int64, took time.Duration) {
	each := a.each.Load()
	a.each.Store(max(1, each+(int64(took)/n-each)/16)) // of two at once one may be lost
}
