package report

import (
	"fmt"
	"math"
	"slices"
	"time"

	"sceau/bench/load/measure"
)

// searchPlots are those over the offered load: a point for each try, and a line through the last one at each rate.
func searchPlots(s *measure.Search) []plot {
	steps := byOffered(s)
	if len(steps) == 0 {
		return nil
	}
	knee, most := kneeOf(s), 0.0
	base := plot{}
	if knee >= 0 {
		most = s.Steps[knee].Load.Rate
	}
	if most > 0 {
		base.Mark = &mark{most, "knee"}
	}
	var last, again []*measure.Run
	var failed []bool
	for i, step := range steps {
		if i+1 < len(steps) && steps[i+1].Load.Rate == step.Load.Rate {
			again = append(again, step)
			continue
		}
		last, failed = append(last, step), append(failed, step.Load.Rate > most)
		base.Xs = append(base.Xs, step.Load.Rate)
	}
	if len(again) > 0 || slices.Contains(failed, true) {
		base.Note = "Hollow: tries that were not sustained, or were run again at the same rate."
	}
	x, how := offeredScale(base.Xs[0], base.Xs[len(base.Xs)-1], 7)
	base.X = axis{"offered, messages a second" + how, x, askedRate}
	draw := func(p *plot, name, class string, figure func(*measure.Run) float64) {
		line := series{Name: name, Class: class, Dotted: class != "ideal", Hollow: failed}
		for _, step := range last {
			line.Y = append(line.Y, figure(step))
		}
		p.Series = append(p.Series, line)
		for _, step := range again {
			if v := figure(step); line.Dotted && !math.IsNaN(v) {
				p.Others = append(p.Others, other{class, step.Load.Rate, v})
			}
		}
	}

	throughput := base
	throughput.Title = "Throughput against offered load"
	draw(&throughput, "all that was offered", "ideal", func(r *measure.Run) float64 { return r.Load.Rate })
	draw(&throughput, "served", "s1", func(r *measure.Run) float64 { return max(r.Served, 0) })
	if slices.ContainsFunc(steps, func(r *measure.Run) bool { return r.Classes[measure.Busy] > 0 }) {
		draw(&throughput, "refused as busy", "s2", func(r *measure.Run) float64 { return perSecond(r.Classes[measure.Busy], r.Duration) })
	}
	low, high, _ := throughput.extent()
	throughput.Y = axis{"messages a second", rateScale(high, 6), rate}
	if x.logarithmic {
		least, _, _ := extent(throughput.Series[:1])
		low = max(low, least/10)
		throughput.Y = axis{"messages a second, logarithmic", logScale(low, high, brief), rate}
	}

	times := base
	times.Title = "Latency against offered load"
	draw(&times, "max", "s3", func(r *measure.Run) float64 { return measured(float64(longestOf(r))) })
	draw(&times, "p99", "s2", func(r *measure.Run) float64 { return measured(float64(r.Latency.Quantile(.99))) })
	draw(&times, "p50", "s1", func(r *measure.Run) float64 { return measured(float64(r.Latency.Quantile(.5))) })
	if low, high, ok := times.extent(); ok {
		s, how := latencyScale(low, high, 6)
		times.Y = axis{"latency" + how, s, writeLatency}
	}
	return drawable(throughput, times)
}

// longestOf is the greatest latency of a run; zero when nothing was measured.
func longestOf(r *measure.Run) time.Duration {
	if answers(r.Latency) <= 0 {
		return 0
	}
	return r.Latency.Max()
}

// pairPlots are the ratios round by round and the latencies of both.
func pairPlots(p *measure.Pair, a, b string) []plot {
	rounds := plot{Title: "Ratios, A by B, round by round"}
	for i, c := range compared(p) {
		s := series{Name: c.name, Class: fmt.Sprintf("s%d", i+1), Dotted: true}
		for _, v := range c.rounds {
			s.Y = append(s.Y, measured(v))
		}
		rounds.Series = append(rounds.Series, s)
	}
	for i := range p.Ratios {
		rounds.Xs = append(rounds.Xs, float64(i+1))
	}
	if low, high, ok := extent(rounds.Series); ok {
		s, how := ratioScale(low, high, 6)
		one := 1.0
		rounds.Level = &one
		rounds.X = axis{"round", roundScale(len(p.Ratios), 10), func(v float64) string { return fmt.Sprint(int(v)) }}
		rounds.Y = axis{"A by B" + how, s, ratio}
	}
	return drawable(rounds, percentilePlot("Latency by percentile, all rounds together",
		timed{a, merged(p.A, latencyOf)}, timed{b, merged(p.B, latencyOf)}))
}
