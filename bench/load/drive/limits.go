package drive

import (
	"fmt"
	"time"

	"sceau/bench/load/measure"
)

const (
	tolerableLate = time.Millisecond
	lateShare     = 0.1 // of the median latency
	cpuShare      = 0.9 // of what the generator may use
	ownShare      = 0.5 // of the time in which connections had something to do
)

// evidence is what tells whether the generator was the bottleneck.
type evidence struct {
	late, latency *measure.Histogram // late is nil in a closed loop
	cores         int                // that the generator may use
	elapsed, cpu  time.Duration      // of the run, and what of it the generator used
	rate          float64            // messages a second, of an open loop
	making        time.Duration      // mean time that making one took
	own, served   time.Duration      // of all connections: that they waited for the generator, and for the server
}

// limited says why the generator was the bottleneck, nothing when it was not.
func (e evidence) limited() string {
	switch {
	case e.late != nil && e.late.Quantile(.99) > e.tolerable():
		return fmt.Sprintf("messages were sent late although a connection was free: p99 %v, tolerable %v", e.late.Quantile(.99), e.tolerable())
	case e.elapsed > 0 && e.cpu.Seconds() > cpuShare*e.elapsed.Seconds()*float64(e.cores):
		return fmt.Sprintf("the generator used %.2f of its %d cores", e.cpu.Seconds()/e.elapsed.Seconds(), e.cores)
	case e.waited():
		return fmt.Sprintf("the connections waited %.0f %% of the time for the generator, not for the server",
			100*e.own.Seconds()/(e.own+e.served).Seconds())
	case e.making.Seconds()*e.rate > float64(e.cores):
		return fmt.Sprintf("making a message took %v, and %.0f a second on %d cores leave %v", e.making, e.rate, e.cores,
			time.Duration(float64(e.cores)/e.rate*float64(time.Second)).Round(time.Microsecond))
	}
	return ""
}

// waited reports whether the connections waited more for the generator than for the server. In an open loop a
// lateness that is small in itself says nothing; one that the generator's own backlog hides from the median does.
func (e evidence) waited() bool {
	return e.own.Seconds() > ownShare*(e.own+e.served).Seconds() && (e.late == nil || e.late.Mean() > tolerableLate)
}

// tolerable is the lateness that does not spoil the latencies.
func (e evidence) tolerable() time.Duration {
	return max(tolerableLate, time.Duration(lateShare*float64(e.latency.Quantile(.5))))
}
