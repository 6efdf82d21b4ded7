package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sceau/bench/load/measure"
)

func labels(s scale) string {
	var all []string
	for _, t := range s.ticks {
		all = append(all, t.Label)
	}
	return strings.Join(all, "|")
}

func TestTicks(t *testing.T) {
	first := func(s scale, _ string) scale { return s }
	for _, test := range []struct {
		scale scale
		want  string
	}{
		{rateScale(1870, 6), "0|500|1000|1500|2000"},
		{rateScale(0, 6), "0|0.2|0.4|0.6|0.8|1"},
		{rateScale(0.3, 6), "0|0.05|0.1|0.15|0.2|0.25|0.3"},
		{first(latencyScale(1e6, 17e6, 6)), "0|5 ms|10 ms|15 ms|20 ms"},
		{first(latencyScale(1e6, 280e6, 6)), "1 ms|2 ms|5 ms|10 ms|20 ms|50 ms|100 ms|200 ms|500 ms"},
		{first(latencyScale(3e3, 59e9, 6)), "10 µs|100 µs|1 ms|10 ms|100 ms|1 s|10 s|100 s"},
		{first(ratioScale(0.9, 1.1, 5)), "0.85|0.9|0.95|1|1.05|1.1|1.15"},
		{first(ratioScale(0.05, 1, 5)), "0.05|0.1|0.2|0.5|1"},
		{first(elapsedScale(float64(time.Minute), 8)), "0|10|20|30|40|50|60"},
		{first(elapsedScale(float64(7*time.Minute), 8)), "0:00|1:00|2:00|3:00|4:00|5:00|6:00|7:00"},
		{first(elapsedScale(float64(150*time.Minute), 6)), "0:00|0:30|1:00|1:30|2:00|2:30"},
		{bytesScale(115<<20, 5), "0|50 MiB|100 MiB|150 MiB"},
		{bytesScale(900, 5), "0|200 B|400 B|600 B|800 B|1000 B"},
		{percentileScale(108466), "0 %|50 %|90 %|99 %|99.9 %|99.99 %|99.999 %"},
		{percentileScale(1), "0 %|50 %|90 %"},
		{roundScale(6, 10), "1|2|3|4|5|6"},
		{roundScale(34, 10), "5|10|15|20|25|30"},
	} {
		if got := labels(test.scale); got != test.want {
			t.Errorf("%s, not %s", got, test.want)
		}
	}
}

// Whatever the values are, the scale covers them, its marks ascend within it and are not many, and greater values are not placed lower.
func TestScales(t *testing.T) {
	value := rapid.OneOf(rapid.Float64Range(0, 1e9), rapid.Float64Range(0, math.MaxFloat64), rapid.Float64Range(1, 2))
	rapid.Check(t, func(t *rapid.T) {
		a, b := value.Draw(t, "a"), value.Draw(t, "b")
		low, high := min(a, b), max(a, b)
		latencies, _ := latencyScale(low, high, 6)
		offered, _ := offeredScale(low, high, 6)
		ratios, _ := ratioScale(low, high, 6)
		times, _ := elapsedScale(min(high, math.MaxInt64), 8)
		for name, s := range map[string]scale{"latency": latencies, "offered": offered, "ratio": ratios, "elapsed": times, "rate": rateScale(high, 6), "bytes": bytesScale(min(high, math.MaxUint64), 5)} {
			if len(s.ticks) == 0 || len(s.ticks) > mostTicks {
				t.Fatalf("%s has %d marks", name, len(s.ticks))
			}
			if !slices.IsSortedFunc(s.ticks, func(a, b tick) int { return int(s.place(a.Value)*1e6) - int(s.place(b.Value)*1e6) }) {
				t.Errorf("%s: marks out of order: %v", name, s.ticks)
			}
			for _, mark := range s.ticks {
				if strings.ContainsAny(mark.Label, "NI") && !strings.Contains(mark.Label, "iB") {
					t.Errorf("%s: mark %q", name, mark.Label)
				}
			}
			pa, pb := s.place(low), s.place(high)
			if !(pa >= 0 && pa <= pb && pb <= 1) {
				t.Errorf("%s: %v at %v, %v at %v", name, low, pa, high, pb)
			}
		}
		if high > 1e-30 && high < 1e30 && (latencies.high < high*(1-1e-9) || offered.high < high*(1-1e-9)) {
			t.Errorf("%v lies beyond %v or %v", high, latencies.high, offered.high)
		}
	})
}

// However seconds are gathered, nothing is lost or counted twice, and the worst stays.
func TestGathered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var points []measure.Point
		var at time.Duration
		var offered, served uint64
		var worst time.Duration
		var rss uint64
		for i := range rapid.IntRange(0, 600).Draw(t, "points") {
			at += time.Duration(rapid.SampledFrom([]int64{1, 900, 1000, 1000, 1000, 1001, 30000}).Draw(t, "step")) * time.Millisecond
			p := measure.Point{At: at, Offered: uint64(i % 7), Served: uint64(i % 5), P99: time.Duration(i * 7919 % 1000), RSS: uint64(i * 31 % 997)}
			offered, served, worst, rss = offered+p.Offered, served+p.Served, max(worst, p.P99), max(rss, p.RSS)
			points = append(points, p)
		}
		line := secondsOf(points)
		if len(line.seconds) > mostSeconds*10/9+2 {
			t.Errorf("%d points are drawn", len(line.seconds))
		}
		var end time.Duration
		for _, s := range line.seconds {
			if s.from != end || s.at <= s.from {
				t.Fatalf("an interval from %v to %v after one to %v", s.from, s.at, end)
			}
			end = s.at
			offered, served = offered-s.offered, served-s.served
		}
		if offered != 0 || served != 0 || end != at && len(points) > 1 {
			t.Errorf("lost: %d offered, %d served; the end is %v, not %v", offered, served, end, at)
		}
		if _, high, ok := extent([]series{line.line("", "", func(s second) float64 { return float64(max(s.p99, 0)) })}); ok && high != float64(worst) {
			t.Errorf("the worst second had %v, not %v", high, worst)
		}
	})
}

// A line is broken where nothing was measured, and what stands alone is a dot.
func TestGaps(t *testing.T) {
	p := plot{X: axis{"x", scale{high: 10}, fmtFloat}, Y: axis{"y", scale{high: 10}, fmtFloat}, Xs: []float64{0, 1, 2, 3, 4, 5}}
	p.Series = []series{{Name: "s", Class: "s1", Y: []float64{1, 2, gap, 4, gap, gap}}}
	f := frame{Width: 10, Height: 10, Right: 10, Bottom: 10}
	path, lone := p.path(f, p.Series[0])
	if path != "M0 9L1 8M3 6" || fmt.Sprint(lone) != "[false false false true false false]" {
		t.Errorf("%s, alone %v", path, lone)
	}
	if d := p.draw(f); len(d.Dots) != 1 || !strings.HasSuffix(d.Hits[2].Hint, "s "+missing) {
		t.Errorf("dots %v, hints %v", d.Dots, d.Hits)
	}
}

func fmtFloat(v float64) string { return fmt.Sprint(v) }

// A line by percentiles ends at the longest of its own answers: where there are none, none are drawn.
func TestPercentileLines(t *testing.T) {
	many, few := measure.NewHistogram(), measure.NewHistogram()
	for i := range 1000 {
		many.Record(time.Duration(i+1) * time.Millisecond)
	}
	for range 10 {
		few.Record(time.Second)
	}
	p := percentilePlot("", timed{"many", many}, timed{"few", few}, timed{"none", nil})
	if len(p.Series) != 2 {
		t.Fatalf("%d lines", len(p.Series))
	}
	for i, x := range p.Xs {
		if has := !math.IsNaN(p.Series[1].Y[i]); has != (x <= 1) {
			t.Errorf("a line of 10 answers at %s: %v", percentileName(x), has)
		}
	}
	last := len(p.Xs) - 1
	if p.Xs[last] != 3 || p.Series[0].Y[last] != float64(many.Max()) {
		t.Errorf("the line of 1000 answers ends at %s with %s", percentileName(p.Xs[last]), latency(time.Duration(p.Series[0].Y[last])))
	}
	if i := slices.Index(p.Xs, 1); i < 0 || p.Series[0].Y[i] != float64(many.Quantile(.9)) {
		t.Error("the line does not go through p90")
	}
}
