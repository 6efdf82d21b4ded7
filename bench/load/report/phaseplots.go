package report

import (
	"fmt"
	"time"

	"sceau/bench/load/measure"
)

// searchPlots are those over the offered load.
func searchPlots(s *measure.Search) []plot {
	steps := byOffered(s)
	if len(steps) == 0 {
		return nil
	}
	base := plot{}
	for _, step := range steps {
		base.Xs = append(base.Xs, step.Load.Rate)
	}
	x, how := offeredScale(base.Xs[0], base.Xs[len(base.Xs)-1], 7)
	base.X = axis{"offered, messages a second" + how, x, askedRate}
	if knee := kneeOf(s); knee >= 0 && s.Steps[knee].Load.Rate > 0 {
		base.Mark = &mark{s.Steps[knee].Load.Rate, "knee"}
	}
	line := func(name, class string, figure func(*measure.Run) float64) series {
		out := series{Name: name, Class: class, Dotted: class != "ideal"}
		for _, step := range steps {
			out.Y = append(out.Y, figure(step))
		}
		return out
	}

	throughput := base
	throughput.Title = "Throughput against offered load"
	throughput.Series = []series{
		line("all that was offered", "ideal", func(r *measure.Run) float64 { return r.Load.Rate }),
		line("served", "s1", func(r *measure.Run) float64 { return max(r.Served, 0) }),
	}
	busy := line("refused as busy", "s2", func(r *measure.Run) float64 { return perSecond(r.Classes[measure.Busy], r.Duration) })
	if _, high, _ := extent([]series{busy}); high > 0 {
		throughput.Series = append(throughput.Series, busy)
	}
	low, high, _ := extent(throughput.Series)
	throughput.Y = axis{"messages a second", rateScale(high, 6), rate}
	if x.logarithmic {
		least, _, _ := extent(throughput.Series[:1])
		low = max(low, least/10)
		throughput.Y = axis{"messages a second, logarithmic", logScale(low, high, brief), rate}
	}

	times := base
	times.Title = "Latency against offered load"
	times.Series = []series{
		line("max", "s3", func(r *measure.Run) float64 { return measured(float64(longestOf(r))) }),
		line("p99", "s2", func(r *measure.Run) float64 { return measured(float64(r.Latency.Quantile(.99))) }),
		line("p50", "s1", func(r *measure.Run) float64 { return measured(float64(r.Latency.Quantile(.5))) }),
	}
	times.Y = latencyAxis("latency", times.Series)
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
	figures := []struct {
		name   string
		figure func(measure.Ratios) float64
	}{
		{"served", func(r measure.Ratios) float64 { return r.Served }},
		{"p50", func(r measure.Ratios) float64 { return r.P50 }},
		{"p99", func(r measure.Ratios) float64 { return r.P99 }},
		{"CPU a serve", func(r measure.Ratios) float64 { return r.PerServe }},
	}
	for i, f := range figures {
		s := series{Name: f.name, Class: fmt.Sprintf("s%d", i+1), Dotted: true}
		for _, r := range p.Ratios {
			s.Y = append(s.Y, measured(f.figure(r)))
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
