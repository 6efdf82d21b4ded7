package report

import (
	"strings"
	"testing"
	"time"

	"sceau/bench/load/measure"
)

// Each try is a point; the line goes through the last one at each rate, and what failed or was run again is hollow.
func TestSearchPoints(t *testing.T) {
	s := &measure.Search{Knee: 3, Saturation: 190}
	for _, step := range []struct{ rate, served float64 }{{100, 99}, {400, 210}, {200, 150}, {200, 190}} {
		r := measure.Run{Load: measure.Load{Loop: "open", Rate: step.rate}, Served: step.served}
		s.Steps = append(s.Steps, r)
	}
	plots := searchPlots(s)
	if len(plots) != 1 {
		t.Fatalf("%d plots", len(plots))
	}
	drawn := plots[0].draw(frames[0])
	filled, open := 0, 0
	for _, d := range drawn.Dots {
		switch d.Class {
		case "s1":
			filled++
		case "s1 hollow":
			open++
		}
	}
	if filled != 2 || open != 2 {
		t.Errorf("%d filled and %d hollow points: %v", filled, open, drawn.Dots)
	}
	served := plots[0].Series[1]
	if served.Name != "served" || len(served.Y) != 3 || served.Y[1] != 190 || strings.Count(drawn.Lines[1].Path, "L") != 2 {
		t.Errorf("the line: %+v, %s", served, drawn.Lines[1].Path)
	}
}

func TestAtLeast(t *testing.T) {
	step := func(rate float64) measure.Run { return measure.Run{Load: measure.Load{Loop: "open", Rate: rate}} }
	for name, test := range map[string]struct {
		rates      []float64
		limited    string
		incomplete string
		want       bool
	}{
		"found":               {rates: []float64{100, 200}},
		"nothing failed":      {rates: []float64{100}, want: true},
		"by the generator":    {rates: []float64{100, 200}, limited: "its CPU", want: true},
		"interrupted":         {rates: []float64{100, 200}, incomplete: "interrupted", want: true},
		"interrupted at once": {rates: []float64{100}, incomplete: "interrupted", want: true},
	} {
		s := &measure.Search{Saturation: 99, Limited: test.limited}
		for _, rate := range test.rates {
			s.Steps = append(s.Steps, step(rate))
		}
		text := renderText(t, &measure.Report{Made: begun, Incomplete: test.incomplete, Phases: []measure.Phase{{Search: s}}})
		if got := strings.Contains(text, "at least 99.0/s"); got != test.want {
			t.Errorf("%s: %v\n%s", name, got, text)
		}
	}
}

// A plot over time of a single second is a dot: it is left out.
func TestOneSecond(t *testing.T) {
	r := &measure.Run{Duration: time.Second, Series: []measure.Point{{At: time.Second, Served: 1, P50: 1e6, P99: 1e6, Max: 1e6, CPU: 1, RSS: 1}}}
	if plots := runPlots(r); len(plots) != 0 {
		t.Errorf("%d plots of one second", len(plots))
	}
	r.Series = append(r.Series, measure.Point{At: 2 * time.Second, Served: 1, P50: 1e6, P99: 1e6, Max: 1e6, CPU: 1, RSS: 1})
	if plots := runPlots(r); len(plots) != 4 {
		t.Errorf("%d plots of two seconds, not 4", len(plots))
	}
}

func TestOverview(t *testing.T) {
	one, two := sampleRun("t", 50, 1, 1), sampleRun("t", 60, 1, 2)
	two.Connections, two.Idle = 1234, 99
	text := renderText(t, &measure.Report{Made: begun, Phases: []measure.Phase{{Name: "first", Run: one}, {Search: sampleSearch()}, {Name: "second", Run: two}}})
	_, table, found := strings.Cut(text, "== Runs side by side")
	table, _, _ = strings.Cut(table, "== first")
	if !found || !strings.Contains(table, "1234 + 99") || strings.Count(table, "/s") != 4 {
		t.Errorf("%s", text)
	}
	if text = renderText(t, &measure.Report{Made: begun, Phases: []measure.Phase{{Run: one}}}); strings.Contains(text, "side by side") {
		t.Error("one run beside none")
	}
}
