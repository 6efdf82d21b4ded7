package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"sceau/bench/load/measure"
)

// A second is an interval of a run as it is drawn: one second, or several of a long run.
type second struct {
	from, at                     time.Duration
	offered, served, busy, other uint64
	p50, p99, max                time.Duration // the greatest of any second in it
	cpu                          float64       // mean of those in which it was measured
	cpus                         int
	rss                          uint64 // the greatest
}

// mostSeconds is about how many points a line over time has at most.
const mostSeconds = 240

// A timeline is the seconds of a run; each stands for about width.
type timeline struct {
	seconds []second
	width   time.Duration
}

// secondsOf gathers points, so that a plot has about mostSeconds at most. A rest shorter than half of the width joins the interval
// before it: a rate over a few milliseconds is noise.
func secondsOf(points []measure.Point) timeline {
	points = slices.DeleteFunc(slices.Clone(points), func(p measure.Point) bool { return p.At <= 0 })
	slices.SortStableFunc(points, func(a, b measure.Point) int { return cmp.Compare(a.At, b.At) })
	if len(points) == 0 {
		return timeline{}
	}
	end := points[len(points)-1].At
	line := timeline{width: max(time.Second, (end+mostSeconds*time.Second-1)/(mostSeconds*time.Second)*time.Second)}
	var now second
	for _, p := range points {
		now.add(p)
		if now.at-now.from >= line.width*9/10 {
			line.seconds = append(line.seconds, now)
			now = second{from: now.at, at: now.at}
		}
	}
	last := len(line.seconds) - 1
	switch {
	case now.at == now.from && now.offered+now.served+now.busy+now.other == 0:
	case last >= 0 && now.at-now.from < line.width/2:
		line.seconds[last].join(now)
	default:
		line.seconds = append(line.seconds, now)
	}
	return line
}

func (s *second) add(p measure.Point) {
	one := second{at: p.At, offered: p.Offered, served: p.Served, busy: p.Busy, other: p.Other, p50: p.P50, p99: p.P99, max: p.Max, rss: p.RSS}
	if p.CPU > 0 {
		one.cpu, one.cpus = p.CPU, 1
	}
	s.join(one)
}

// join makes s reach to the end of later.
func (s *second) join(later second) {
	s.at = max(s.at, later.at)
	s.offered, s.served, s.busy, s.other = s.offered+later.offered, s.served+later.served, s.busy+later.busy, s.other+later.other
	s.p50, s.p99, s.max, s.rss = max(s.p50, later.p50), max(s.p99, later.p99), max(s.max, later.max), max(s.rss, later.rss)
	if n := s.cpus + later.cpus; n > 0 {
		s.cpu += (later.cpu - s.cpu) * (float64(later.cpus) / float64(n))
		s.cpus = n
	}
}

// plot makes a plot over the time line of what figures of a second are.
func (l timeline) plot(title, note string) plot {
	p := plot{Title: title}
	if len(l.seconds) == 0 {
		return p
	}
	high := float64(l.seconds[len(l.seconds)-1].at)
	s, how := elapsedScale(high, 8)
	p.X = axis{"time (" + how + ")", s, func(v float64) string { return elapsed(v, high) }}
	for _, second := range l.seconds {
		p.Xs = append(p.Xs, float64(second.at))
	}
	if l.width > time.Second && note != "" {
		p.Note = fmt.Sprintf("Each point is the %s of %s.", note, span(l.width))
	}
	return p
}

func (l timeline) line(name, class string, figure func(second) float64) series {
	s := series{Name: name, Class: class}
	for _, second := range l.seconds {
		s.Y = append(s.Y, figure(second))
	}
	return s
}

func latencyOverTime(l timeline) plot {
	p := l.plot("Latency over time", "worst second")
	p.Series = []series{
		l.line("max", "s3", func(s second) float64 { return measured(float64(s.max)) }),
		l.line("p99", "s2", func(s second) float64 { return measured(float64(s.p99)) }),
		l.line("p50", "s1", func(s second) float64 { return measured(float64(s.p50)) }),
	}
	p.Y = latencyAxis("latency of right answers", p.Series)
	return p
}

func servedOverTime(l timeline) plot {
	p := l.plot("Offered, served and refused over time", "mean")
	each := func(pick func(second) uint64) func(second) float64 {
		return func(s second) float64 { return perSecond(pick(s), s.at-s.from) }
	}
	p.Series = []series{l.line("offered", "ideal", each(func(s second) uint64 { return s.offered })),
		l.line("served", "s1", each(func(s second) uint64 { return s.served }))}
	for _, more := range []series{
		l.line("busy", "s2", each(func(s second) uint64 { return s.busy })),
		l.line("wrong, failed, timed out or unsent", "s3", each(func(s second) uint64 { return s.other })),
	} {
		if _, high, _ := extent([]series{more}); high > 0 {
			p.Series = append(p.Series, more)
		}
	}
	_, high, _ := extent(p.Series)
	p.Y = axis{"messages a second", rateScale(high, 6), rate}
	return p
}

func cpuOverTime(l timeline) plot {
	p := l.plot("Server CPU over time", "mean")
	p.Series = []series{l.line("CPU", "s4", func(s second) float64 { return measured(s.cpu) })}
	_, high, _ := extent(p.Series)
	p.Y = axis{"cores", rateScale(high, 5), cores}
	return p
}

func rssOverTime(l timeline) plot {
	p := l.plot("Server memory over time", "greatest")
	p.Series = []series{l.line("RSS", "s5", func(s second) float64 { return measured(float64(s.rss)) })}
	_, high, _ := extent(p.Series)
	p.Y = axis{"resident memory", bytesScale(high, 5), func(v float64) string { return in(v, byteUnits, significant) }}
	return p
}
