package report

import (
	"strings"
	"testing"
	"time"

	"sceau/bench/load/measure"
)

// Rounds on both sides of 1, or too few of them, show no difference.
func TestFinding(t *testing.T) {
	for name, test := range map[string]struct {
		served []float64
		want   string
	}{
		"none":             {nil, "not measured"},
		"missing":          {[]float64{0, 0, 0, 0, 0, 0}, "not measured"},
		"both sides":       {[]float64{1.1, 1.1, 1.1, 1.1, 1.1, 0.999}, "no difference seen: rounds lie on both sides of 1"},
		"level":            {[]float64{1, 1.1, 1.1, 1.1, 1.1, 1.1}, "no difference seen: rounds lie on both sides of 1"},
		"few":              {[]float64{1.1, 1.2, 1.3, 1.4, 1.5}, "no difference seen: fewer than 6 rounds"},
		"few that have it": {[]float64{1.1, 1.2, 1.3, 1.4, 1.5, 0}, "no difference seen: fewer than 6 rounds"},
		"more":             {[]float64{1.1, 1.2, 1.3, 1.4, 1.5, 1.6}, "A more in every round"},
		"less":             {[]float64{.1, .2, .3, .4, .5, .6}, "A less in every round"},
	} {
		p := &measure.Pair{}
		for _, v := range test.served {
			p.Ratios = append(p.Ratios, measure.Ratios{Served: v})
			p.Median.Served = max(p.Median.Served, v)
		}
		if got := compared(p)[0].finding(); got != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestLeastAndGreatest(t *testing.T) {
	p := &measure.Pair{Ratios: []measure.Ratios{{P99: 1.5}, {P99: 0.5}, {P99: 0.9}}, Median: measure.Ratios{P99: 0.9}}
	rows := ratioTable(p).Rows
	if rows[1].Cells[0] != "least" || rows[1].Cells[3] != "0.500" || rows[2].Cells[0] != "greatest" || rows[2].Cells[3] != "1.50" {
		t.Errorf("%v", rows)
	}
}

// CPU by right answers, and its ratio, are of no use where the server spent CPU on other answers, too.
func TestCostShared(t *testing.T) {
	pair := func(change func(*measure.Run)) *measure.Pair {
		p := &measure.Pair{Ratios: []measure.Ratios{{Served: 1, PerServe: 0.123}}, Median: measure.Ratios{Served: 1, PerServe: 0.123}}
		for range 2 {
			r := measure.Run{Classes: map[measure.Class]uint64{measure.Right: 9}, Kinds: map[measure.Kind]uint64{measure.Query: 9},
				Server: &measure.Process{PerServe: 7 * time.Millisecond}}
			p.A = append(p.A, r)
		}
		p.B = []measure.Run{p.A[1]}
		p.B[0].Classes = map[measure.Class]uint64{measure.Right: 9}
		p.B[0].Kinds = map[measure.Kind]uint64{measure.Query: 9}
		p.A = p.A[:1]
		change(&p.B[0])
		return p
	}
	for name, test := range map[string]struct {
		change func(*measure.Run)
		shown  bool
	}{
		"queries alone": {func(*measure.Run) {}, true},
		"one refused":   {func(r *measure.Run) { r.Classes[measure.Busy] = 1 }, false},
		"a mix":         {func(r *measure.Run) { r.Kinds[measure.Replay] = 1 }, false},
	} {
		text := renderText(t, &measure.Report{Made: begun, Phases: []measure.Phase{{Pair: pair(test.change)}}})
		if got := strings.Contains(text, "0.123"); got != test.shown {
			t.Errorf("%s: the ratio is shown: %v\n%s", name, got, text)
		}
	}
	run := pair(func(r *measure.Run) { r.Classes[measure.Busy] = 1 }).B[0]
	if text := renderText(t, &measure.Report{Made: begun, Phases: []measure.Phase{{Run: &run}}}); strings.Contains(text, "right answer;") || strings.Contains(text, "7.00 ms") {
		t.Errorf("CPU by right answers of a run with refusals:\n%s", text)
	}
}
