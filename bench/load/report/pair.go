package report

import (
	"fmt"
	"time"

	"sceau/bench/load/measure"
)

// pairSection compares two targets that took turns.
func pairSection(name string, p *measure.Pair) section {
	a, b := sideName("A", p.A), sideName("B", p.B)
	load := ""
	if len(p.A) > 0 {
		load = ", under " + loadText(&p.A[0])
	}
	out := section{
		Name: name,
		Lead: fmt.Sprintf("%s against %s, turn by turn in %s%s. Ratios are A by B: served above 1 means that A does more, the others below 1 that A takes less. Of both targets, rates and CPU are medians of the rounds, percentiles those of all rounds together.",
			a, b, plural(uint64(len(p.Ratios)), "round"), load),
		Tiles: []tile{
			{"Served, A by B", ratio(p.Median.Served), "median of rounds"},
			{"p50, A by B", ratio(p.Median.P50), "median of rounds"},
			{"p99, A by B", ratio(p.Median.P99), "median of rounds"},
			{"CPU a serve, A by B", ratio(p.Median.PerServe), "median of rounds"},
		},
		Tables: []table{sideTable(p, a, b), ratioTable(p)},
		Plots:  pairPlots(p, a, b),
	}
	out.Details = append(sideDetails("A", p.A), sideDetails("B", p.B)...)
	return out
}

func sideName(side string, runs []measure.Run) string {
	if len(runs) == 0 || runs[0].Target == "" {
		return side
	}
	return side + " (" + runs[0].Target + ")"
}

func sideDetails(side string, runs []measure.Run) []section {
	var all []section
	for i := range runs {
		detail := runSection(fmt.Sprintf("%s, round %d: %s served", side, i+1, rate(runs[i].Served)), &runs[i])
		detail.Tiles, detail.Plots = nil, nil
		all = append(all, detail)
	}
	return all
}

// sideTable has the figures of both sides: medians of the rounds, and percentiles of all rounds together.
func sideTable(p *measure.Pair, a, b string) table {
	t := table{Caption: "Both targets", Head: []column{{Name: "target", Text: true}, {Name: "served"},
		{Name: "p50"}, {Name: "p99"}, {Name: "max"}, {Name: "answers"}, {Name: "CPU a right answer"}}}
	for _, side := range []struct {
		name string
		runs []measure.Run
	}{{a, p.A}, {b, p.B}} {
		h := merged(side.runs, latencyOf)
		served := middle(side.runs, func(r *measure.Run) float64 { return r.Served })
		cost := middle(side.runs, func(r *measure.Run) float64 { return float64(perServe(r)) })
		t.Rows = append(t.Rows, row{Cells: []string{side.name, rate(served), quantile(h, .5), quantile(h, .99), maxText(h),
			count(uint64(answers(h))), latency(time.Duration(cost))}})
	}
	return t
}

func ratioTable(p *measure.Pair) table {
	t := table{Caption: "Ratios, A by B", Head: []column{{Name: "round", Text: true}, {Name: "served"}, {Name: "p50"}, {Name: "p99"}, {Name: "CPU a serve"}}}
	add := func(name string, r measure.Ratios, marked bool) {
		t.Rows = append(t.Rows, row{Cells: []string{name, ratio(r.Served), ratio(r.P50), ratio(r.P99), ratio(r.PerServe)}, Marked: marked})
	}
	add("median", p.Median, true)
	for i, r := range p.Ratios {
		add(fmt.Sprint(i+1), r, false)
	}
	return t
}
