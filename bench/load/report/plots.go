package report

import (
	"fmt"
	"math"
	"slices"
	"time"

	"sceau/bench/load/measure"
)

// drawable drops plots without values.
func drawable(plots ...plot) []plot {
	var kept []plot
	for _, p := range plots {
		p.Series = withValues(p.Series)
		if len(p.Xs) > 0 && len(p.Series) > 0 {
			kept = append(kept, p)
		}
	}
	return kept
}

func writeLatency(v float64) string { return latency(time.Duration(v)) }

// runPlots are those of one run.
func runPlots(r *measure.Run) []plot {
	plots := []plot{percentilePlot("Latency by percentile",
		timed{"latency", r.Latency}, timed{"service", r.Service}, timed{"refusal", r.Refusal}, timed{"refusal, service", r.RefusalService})}
	if s := secondsOf(r.Series); len(s.seconds) > 1 { // one second is no course
		plots = append(plots, latencyOverTime(s), servedOverTime(s), cpuOverTime(s), rssOverTime(s))
	}
	return drawable(plots...)
}

// A timed histogram has a name.
type timed struct {
	name string
	h    *measure.Histogram
}

// aDecade is how many points a line by percentiles has for each step to a tenth of the answers.
const aDecade = 20

// percentilePlot draws histograms as HDR plots do: the more nines, the farther to the right, each line as far as
// it has answers.
func percentilePlot(title string, histograms ...timed) plot {
	histograms = slices.DeleteFunc(histograms, func(t timed) bool { return answers(t.h) <= 0 })
	if len(histograms) == 0 {
		return plot{}
	}
	longest := int64(0)
	var xs []float64
	for _, t := range histograms {
		longest = max(longest, answers(t.h))
		xs = append(xs, math.Log10(float64(answers(t.h))))
	}
	end := math.Log10(float64(longest))
	for i := 0; float64(i)/aDecade < end; i++ {
		xs = append(xs, float64(i)/aDecade)
	}
	slices.Sort(xs)
	xs = slices.Compact(xs)
	p := plot{Title: title, Xs: xs, X: axis{"percentile", percentileScale(longest), percentileName}}
	for i, t := range histograms {
		p.Series = append(p.Series, series{Name: t.name, Class: fmt.Sprintf("s%d", i+1), Y: quantiles(t.h, xs)})
	}
	p.Y = latencyAxis("latency", p.Series)
	return p
}

// quantiles are those of h at xs, the last of them the longest of all; gaps where h has too few.
func quantiles(h *measure.Histogram, xs []float64) []float64 {
	last := math.Log10(float64(h.Count()))
	ys := make([]float64, len(xs))
	for i, x := range xs {
		switch {
		case x > last:
			ys[i] = gap
		case x == last:
			ys[i] = measured(float64(h.Max()))
		default:
			ys[i] = measured(float64(h.Quantile(max(1-math.Pow(10, -x), 1/float64(h.Count()))))) // at 0 % the shortest
		}
	}
	return ys
}

func latencyAxis(name string, all []series) axis {
	low, high, ok := extent(all)
	if !ok {
		return axis{}
	}
	s, how := latencyScale(low, high, 6)
	return axis{name + how, s, writeLatency}
}
