package drive

import (
	"time"

	"sceau/bench/load/measure"
)

// leastSpan is the shortest time over which the CPU time of a process, counted in hundredths of
// a second, says something.
const leastSpan = time.Second / 2

// A watch follows a run second by second. One goroutine runs it.
type watch struct {
	*runner
	done chan struct{} // closed when all workers have left

	series []measure.Point
	tally  *tally // of what falls due; nil in a closed loop
	before usage  // of the server, at the last point
	at     time.Duration
	ownCPU time.Duration // of this process, at first when the run began and in the end what it used since
}

func (w *watch) watch() {
	timer := time.NewTimer(time.Until(w.began))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.done:
	}
	if time.Now().Before(w.began) {
		return // ended in the warm-up: there is nothing to tell
	}
	w.monitor.begin()
	w.before = w.monitor.began
	began := ownCPU()
	defer func() { w.ownCPU = ownCPU() - began }()
	if w.open {
		p := w.plan
		w.tally = newTally(newArrivals(p.Rate, p.Poisson, p.Seed, p.Warmup+p.Duration))
		w.tally.until(p.Warmup)
	}
	for {
		timer.Reset(time.Until(w.began.Add(w.at + time.Second)))
		select {
		case <-timer.C:
			w.second()
		case <-w.done:
			w.rest()
			return
		}
	}
}

// second ends a second, or several when this process was held up.
func (w *watch) second() {
	w.add(w.recorder.second(time.Since(w.began).Truncate(time.Second)))
	if w.plan.Live == nil {
		return
	}
	p := w.series[len(w.series)-1]
	p.Offered = p.Served + p.Busy + p.Other
	if w.tally != nil {
		p.Offered = w.tally.until(w.plan.Warmup + p.At)
	}
	w.plan.Live(p)
}

// rest ends the last second, and keeps what is left after it if anything came in it.
func (w *watch) rest() {
	if time.Since(w.began) >= w.at+time.Second {
		w.second()
	}
	p := w.recorder.second(time.Since(w.began))
	if len(w.series) == 0 || p.Served+p.Busy+p.Other > 0 {
		w.add(p)
	}
}

func (w *watch) add(p measure.Point) {
	now := w.monitor.look()
	span := p.At - w.at
	if now.known && w.before.known && span >= leastSpan {
		p.CPU = (now.cpu - w.before.cpu).Seconds() / span.Seconds()
	}
	p.RSS = now.rss
	w.before, w.at = now, p.At
	w.series = append(w.series, p)
}
