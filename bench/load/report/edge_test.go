package report

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sceau/bench/load/measure"
)

// edges are reports with little or too much in them.
func edges() map[string]*measure.Report {
	empty := measure.NewHistogram()
	one := measure.NewHistogram()
	one.Record(3 * time.Millisecond)
	of := func(p ...measure.Phase) *measure.Report {
		return &measure.Report{Title: "edge", Made: begun, Phases: p}
	}
	huge := &measure.Run{Target: "huge", Load: measure.Load{Loop: "open", Rate: math.MaxFloat64}, Duration: math.MaxInt64, Offered: math.MaxUint64, Sent: math.MaxUint64, Answered: 1,
		Connections: math.MaxInt, Idle: math.MaxInt, Served: math.MaxFloat64, Classes: map[measure.Class]uint64{measure.Right: math.MaxUint64}, Latency: one,
		BytesSent: math.MaxUint64, Server: &measure.Process{CPU: math.MaxInt64, PerServe: math.MaxInt64, RSS: math.MaxUint64, RSSMax: math.MaxUint64}, Generator: measure.Generator{CPU: math.MaxInt64},
		Series: []measure.Point{{At: math.MaxInt64, Offered: math.MaxUint64, Served: 1, P50: 1, P99: math.MaxInt64, Max: math.MaxInt64, CPU: math.MaxFloat64, RSS: math.MaxUint64}, {At: 1, Served: math.MaxUint64, CPU: math.SmallestNonzeroFloat64, RSS: 1}}}
	tiny := &measure.Run{Load: measure.Load{Loop: "open", Rate: math.SmallestNonzeroFloat64}, Duration: 1, Offered: 1, Served: math.SmallestNonzeroFloat64, Latency: one, Connections: -5, Idle: -5,
		Series: []measure.Point{{At: 1, P50: 1, P99: 1, Max: 1, CPU: math.SmallestNonzeroFloat64, RSS: 1}}}
	return map[string]*measure.Report{
		"nothing":           {},
		"no phases":         of(),
		"a phase of none":   of(measure.Phase{Name: "none"}),
		"an empty run":      of(measure.Phase{Run: &measure.Run{}}),
		"empty histograms":  of(measure.Phase{Run: &measure.Run{Latency: empty, Service: empty, Refusal: empty}}),
		"one answer":        of(measure.Phase{Run: &measure.Run{Duration: time.Second, Latency: one, Series: []measure.Point{{At: time.Second, Served: 1, P50: 3e6, P99: 3e6, Max: 3e6}}}}),
		"huge":              of(measure.Phase{Run: huge}, measure.Phase{Search: &measure.Search{Steps: []measure.Run{*huge, *tiny}, Saturation: math.MaxFloat64}}, measure.Phase{Pair: &measure.Pair{A: []measure.Run{*huge, *huge}, B: []measure.Run{*tiny}, Ratios: []measure.Ratios{{Served: math.MaxFloat64, P50: math.SmallestNonzeroFloat64}}}}),
		"tiny":              of(measure.Phase{Run: tiny}),
		"an empty search":   of(measure.Phase{Search: &measure.Search{}}),
		"no knee":           of(measure.Phase{Search: &measure.Search{Knee: -1, Steps: []measure.Run{*sampleRun("x", 5, 1, 1)}}}),
		"knee out of range": of(measure.Phase{Search: &measure.Search{Knee: 9, Saturation: 2, Steps: []measure.Run{*sampleRun("x", 5, 1, 1)}}}),
		"a closed search":   of(measure.Phase{Search: &measure.Search{Saturation: 2, Steps: []measure.Run{{Load: measure.Load{Loop: "closed"}, Latency: one}}}}),
		"an empty pair":     of(measure.Phase{Pair: &measure.Pair{}}),
		"half a pair":       of(measure.Phase{Pair: &measure.Pair{A: []measure.Run{*tiny}, Ratios: []measure.Ratios{{}, {}}}}),
		"a day":             of(measure.Phase{Run: sampleDay()}),
	}
}

// sampleDay has a point for every ten seconds of a day, and a pause in it.
func sampleDay() *measure.Run {
	r := &measure.Run{Duration: 24 * time.Hour}
	for s := 10; s <= 24*60*60; s += 10 {
		if s > 40000 && s < 50000 {
			continue
		}
		r.Series = append(r.Series, measure.Point{At: time.Duration(s) * time.Second, Offered: 10, Served: 9, Busy: 1, P50: time.Millisecond, P99: 2 * time.Millisecond, Max: time.Second, CPU: .5, RSS: 1 << 26})
	}
	return r
}

func TestEdges(t *testing.T) {
	for name, r := range edges() {
		t.Run(name, func(t *testing.T) {
			checkText(t, renderText(t, r))
			checkPage(t, renderHTML(t, r))
			if r.Made.IsZero() || name == "a phase of none" || name == "knee out of range" {
				return
			}
			if _, err := Read(strings.NewReader(renderJSON(t, r))); err != nil {
				t.Error(err)
			}
		})
	}
}

// Nothing that was not measured may look like a good figure.
func TestNotMeasured(t *testing.T) {
	text := renderText(t, edges()["an empty run"])
	for _, want := range []string{"NOT JUDGED", "latency    –", "no process of this machine"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if text = renderText(t, edges()["one answer"]); !strings.Contains(text, "≈ 3.00 ms") || !strings.Contains(text, "fewer than ten answers") {
		t.Errorf("percentiles of one answer are shown as if they were of many:\n%s", text)
	}
	if text = renderText(t, edges()["no knee"]); !strings.Contains(text, "saturation point was not found") {
		t.Errorf("a search without result does not say so:\n%s", text)
	}
}

// Whatever is in a report, the page is well-formed, every coordinate a number inside its drawing, every line of the summary printable and
// short enough.
func TestAnyReport(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.Just(hostile), rapid.StringMatching(`[ -~]{0,150}`)).Filter(func(s string) bool {
		return !strings.Contains(s, "NaN") && !strings.Contains(s, "Inf") && !strings.Contains(s, "%!") // what checkNumbers looks for
	})
	number := rapid.OneOf(rapid.Float64(), rapid.Float64Range(0, 1e5), rapid.Just(math.NaN()))
	size := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 10000))
	duration := rapid.Map(rapid.OneOf(rapid.Int64(), rapid.Int64Range(0, 1e11)), func(n int64) time.Duration { return time.Duration(n) })
	histogram := rapid.Custom(func(t *rapid.T) *measure.Histogram {
		h := measure.NewHistogram()
		for _, d := range rapid.SliceOfN(duration, 0, 30).Draw(t, "durations") {
			h.Record(d)
		}
		return rapid.SampledFrom([]*measure.Histogram{h, nil}).Draw(t, "histogram")
	})
	point := rapid.Custom(func(t *rapid.T) measure.Point {
		return measure.Point{At: duration.Draw(t, "at"), Offered: size.Draw(t, "offered"), Served: size.Draw(t, "served"), Busy: size.Draw(t, "busy"), Other: size.Draw(t, "other"),
			P50: duration.Draw(t, "p50"), P99: duration.Draw(t, "p99"), Max: duration.Draw(t, "max"), CPU: number.Draw(t, "cpu"), RSS: size.Draw(t, "rss")}
	})
	run := rapid.Custom(func(t *rapid.T) measure.Run {
		return measure.Run{Target: text.Draw(t, "target"), Load: measure.Load{Loop: rapid.SampledFrom([]string{"open", "closed"}).Draw(t, "loop"), Rate: number.Draw(t, "rate")},
			Duration: duration.Draw(t, "duration"), Offered: size.Draw(t, "offered"), Answered: size.Draw(t, "answered"), Served: number.Draw(t, "served"),
			Classes: map[measure.Class]uint64{measure.Right: size.Draw(t, "right"), measure.Busy: size.Draw(t, "busy")}, Codes: rapid.MapOfN(text, size, 0, 4).Draw(t, "codes"),
			Latency: histogram.Draw(t, "latency"), Service: histogram.Draw(t, "service"), Refusal: histogram.Draw(t, "refusal"), Series: rapid.SliceOfN(point, 0, 12).Draw(t, "series")}
	})
	rapid.Check(t, func(t *rapid.T) {
		r := run.Draw(t, "run")
		ratios := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) measure.Ratios {
			return measure.Ratios{Served: number.Draw(t, "served"), P99: number.Draw(t, "p99")}
		}), 0, 5).Draw(t, "ratios")
		steps := rapid.SliceOfN(run, 0, 2).Draw(t, "steps")
		report := &measure.Report{Title: text.Draw(t, "title"), Scenario: text.Draw(t, "scenario"), Made: begun, Phases: []measure.Phase{
			{Name: text.Draw(t, "name"), Run: &r},
			{Search: &measure.Search{Steps: steps, Saturation: number.Draw(t, "saturation"), Knee: rapid.IntRange(-1, 5).Draw(t, "knee")}},
			{Pair: &measure.Pair{A: steps, B: steps, Ratios: ratios}}}}
		checkText(t, renderText(t, report))
		checkPage(t, renderHTML(t, report))
	})
}
