package drive

import (
	"fmt"
	"time"

	"sceau/bench/load/measure"
)

const (
	cpuShare = 0.9 // of what the generator may use
	ownShare = 0.5 // of the time in which connections had something to do
)

// A tolerance is a lateness that does no harm: so much, or a share of the latency.
type tolerance struct {
	least time.Duration
	share float64
}

// What lateness is typical decides whether the generator keeps the rate; its tail blurs the percentiles
// of the latency at most.
var (
	tolerableMean   = tolerance{time.Millisecond, 0.1}
	tolerableMedian = tolerance{time.Millisecond / 2, 0.1}
	tolerableTail   = tolerance{time.Millisecond, 0.25}
)

// exceeded reports whether a lateness is more than is tolerable for a latency.
func (t tolerance) exceeded(late, latency time.Duration) bool {
	return late > max(t.least, time.Duration(t.share*float64(latency)))
}

// evidence is what tells whether the generator was the bottleneck.
type evidence struct {
	late, latency *measure.Histogram // late is nil in a closed loop
	cores         int                // that the generator may use
	elapsed, cpu  time.Duration      // of the run, and what of it the generator used
	rate          float64            // messages a second, of an open loop
	making        time.Duration      // mean time that making one took
	own, served   time.Duration      // of all connections: that they waited for the generator, and for the server
}

// limited says why the generator could not keep the rate, nothing when it could.
func (e evidence) limited() string {
	mean, median := e.late.Mean(), e.late.Quantile(.5)
	switch {
	case tolerableMean.exceeded(mean, e.latency.Mean()):
		return fmt.Sprintf("messages were sent late although a connection was free: mean %v, of a latency of mean %v", mean, e.latency.Mean())
	case tolerableMedian.exceeded(median, e.latency.Quantile(.5)):
		return fmt.Sprintf("messages were sent late although a connection was free: p50 %v, of a latency of p50 %v", median, e.latency.Quantile(.5))
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
	return e.own.Seconds() > ownShare*(e.own+e.served).Seconds() && (e.late == nil || e.late.Mean() > tolerableMean.least)
}

// imprecise says how the lateness of a few messages blurs the greater percentiles, nothing when it does not.
func (e evidence) imprecise() string {
	late, latency := e.late.Quantile(.99), e.latency.Quantile(.99)
	if latency == 0 || !tolerableTail.exceeded(late, latency) {
		return ""
	}
	return fmt.Sprintf("some messages were sent late although a connection was free: p99 %v, of a latency of p99 %v: the greater percentiles are the generator's in part",
		late, latency)
}
