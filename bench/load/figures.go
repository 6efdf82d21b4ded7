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
	mean := f.run.Service.Mean()
	p99, why := withLost(f.run, .99)
	if why != "" {
		return nothing(why)
	}
	if mean == 0 {
		return nothing("no right answer was timed")
	}
	times := p99.Seconds() / mean.Seconds()
	return times, fmt.Sprintf("%s ×: p99 %s, mean service time %s", figure(times), short(p99), short(mean))
}

func p99(f facts) (float64, string) {
	d, why := withLost(f.run, .99)
	if why != "" {
		return nothing(why)
	}
	return d.Seconds(), short(d)
}

// withLost is a percentile of latency among right answers and lost messages, which are ranked as if they
// waited for ever; why says why there is none.
func withLost(r *measure.Run, q float64) (d time.Duration, why string) {
	right, lost := float64(r.Latency.Count()), float64(r.Lost())
	if right == 0 {
		return 0, "no right answer was timed"
	}
	if q *= (right + lost) / right; q > 1 {
		return 0, fmt.Sprintf("no answer: %d messages had none", r.Lost())
	}
	return r.Latency.Quantile(q), ""
}

// maxWait is the longest that anybody waited, for whatever answer; who had none waited without a bound.
func maxWait(f facts) (float64, string) {
	if n := f.run.Lost(); n > 0 {
		return nothing(fmt.Sprintf("%d had no answer", n))
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
	if n := f.run.Classes[measure.TimedOut] + f.run.Classes[measure.Failed]; n > 0 {
		return nothing(fmt.Sprintf("%d had no answer", n))
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
	return share(f.run.Lost(), f.run.Offered)
}

// refusalP99 is how fast the server says no.
func refusalP99(f facts) (float64, string) {
	if f.run.RefusalService.Count() == 0 {
		return nothing("nobody was refused")
	}
	d := f.run.RefusalService.Quantile(.99)
	return d.Seconds(), short(d)
}

func share(n, of uint64) (float64, string) {
	if of == 0 {
		return nothing("nothing was offered")
	}
	s := float64(n) / float64(of)
	return s, fmt.Sprintf("%s: %d of %d", figure(s), n, of)
}

func idleKept(f facts) (float64, string) {
	return float64(f.run.Idle), fmt.Sprintf("%d of %d at the end", f.run.Idle, f.run.IdleAsked)
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
		least, greatest := math.Inf(1), 0.0
		for _, round := range f.pair.Ratios {
			if v := of(round); v > 0 {
				least, greatest = min(least, v), max(greatest, v)
			}
		}
		return r, fmt.Sprintf("median %s of %d rounds, from %s to %s", figure(r), len(f.pair.Ratios), figure(least), figure(greatest))
	}
}

// costRatio is that of CPU by right answers, where no other answers cost as well.
func costRatio(f facts) (float64, string) {
	for _, r := range f.runs() {
		if len(r.Kinds) > 1 || r.Classes[measure.Busy] > 0 {
			return nothing("refusals, or other kinds of messages, cost CPU as well")
		}
	}
	return ratio(func(r measure.Ratios) float64 { return r.PerServe })(f)
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
