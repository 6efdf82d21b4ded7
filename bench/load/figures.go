package main

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"sceau/bench/load/measure"
)

// The figures that expectations compare. Those of one run are not there (NaN) when nothing was
// measured that they could be of.

func p99OfMeanService(f facts) (float64, string) {
	mean, p99 := f.run.Service.Mean(), f.run.Latency.Quantile(.99)
	if mean == 0 || p99 == 0 {
		return nothing("no right answer was timed")
	}
	times := p99.Seconds() / mean.Seconds()
	return times, fmt.Sprintf("%s ×: p99 %s, mean service time %s", figure(times), short(p99), short(mean))
}

func p99(f facts) (float64, string) {
	d := f.run.Latency.Quantile(.99)
	if d == 0 {
		return nothing("no right answer was timed")
	}
	return d.Seconds(), short(d)
}

// maxWait is the longest that anybody waited, for whatever answer; who had none when time was
// out waited at least that long, and so without a bound.
func maxWait(f facts) (float64, string) {
	if n := f.run.Classes[measure.TimedOut] + f.run.Classes[measure.Unsent]; n > 0 {
		return nothing(fmt.Sprintf("%d had no answer when their time was out", n))
	}
	d := max(f.run.Latency.Max(), f.run.Refusal.Max())
	if d == 0 {
		return nothing("no answer was timed")
	}
	return d.Seconds(), short(d)
}

// answeredWithin is the longest from the sending of a message to its right answer. Messages that no
// connection was free for are not of it: the queue before the connections is the clients'.
func answeredWithin(f facts) (float64, string) {
	if n := f.run.Classes[measure.TimedOut]; n > 0 {
		return nothing(fmt.Sprintf("%d had no answer when their time was out", n))
	}
	d := f.run.Service.Max()
	if d == 0 {
		return nothing("no right answer was timed")
	}
	return d.Seconds(), short(d)
}

func servedOfSaturation(f facts) (float64, string) {
	if f.saturation <= 0 {
		return nothing("no saturation was found")
	}
	share := f.run.Served / f.saturation
	return share, fmt.Sprintf("%s ×: %s/s of %s/s", figure(share), figure(f.run.Served), figure(f.saturation))
}

func served(f facts) (float64, string) {
	return f.run.Served, figure(f.run.Served) + "/s"
}

func busyShare(f facts) (float64, string) {
	return share(f.run.Classes[measure.Busy], f.run.Offered)
}

func errorShare(f facts) (float64, string) {
	c := f.run.Classes
	return share(c[measure.Failed]+c[measure.TimedOut]+c[measure.Unsent], f.run.Offered)
}

func share(n, of uint64) (float64, string) {
	if of == 0 {
		return nothing("nothing was offered")
	}
	s := float64(n) / float64(of)
	return s, fmt.Sprintf("%s: %d of %d", figure(s), n, of)
}

func idleKept(f facts) (float64, string) {
	return float64(f.run.Idle), fmt.Sprintf("%d at the end", f.run.Idle)
}

func rssMax(f facts) (float64, string) {
	if f.run.Server == nil || f.run.Server.RSSMax == 0 {
		return nothing("the server's process is not known: give its pid, or let the tool start it")
	}
	return float64(f.run.Server.RSSMax), fmt.Sprintf("%.0f MiB", float64(f.run.Server.RSSMax)/(1<<20))
}

func saturation(f facts) (float64, string) {
	if f.search.Saturation <= 0 {
		return nothing("no saturation was found")
	}
	return f.search.Saturation, figure(f.search.Saturation) + "/s"
}

// ratio is the median of a ratio of a pair.
func ratio(of func(measure.Ratios) float64) func(facts) (float64, string) {
	return func(f facts) (float64, string) {
		r := of(f.pair.Median)
		if r <= 0 {
			return nothing("not measured")
		}
		return r, fmt.Sprintf("median %s of %d rounds", figure(r), len(f.pair.Ratios))
	}
}

func nothing(why string) (float64, string) { return math.NaN(), why }

// figure writes a number with three significant figures, and no exponent.
func figure(x float64) string {
	if math.Abs(x) >= 100 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 3, 64), 64) // what was just written
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// short writes a duration with three significant figures.
func short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return figure(float64(d)/float64(time.Microsecond)) + " µs"
	case d < time.Second:
		return figure(float64(d)/float64(time.Millisecond)) + " ms"
	}
	return figure(d.Seconds()) + " s"
}
