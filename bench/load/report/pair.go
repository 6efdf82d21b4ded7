package report

import (
	"fmt"
	"slices"
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
		Tables: []table{sideTable(p, a, b), ratioTable(p)},
		Plots:  pairPlots(p, a, b),
	}
	for _, c := range compared(p) {
		out.Tiles = append(out.Tiles, tile{"A by B: " + c.name, ratio(c.median), c.finding()})
		out.Facts = append(out.Facts, fact{c.name, c.text()})
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
	figures := compared(p)
	add := func(name string, of func(comparison) float64, marked bool) {
		cells := []string{name}
		for _, c := range figures {
			cells = append(cells, ratio(of(c)))
		}
		t.Rows = append(t.Rows, row{Cells: cells, Marked: marked})
	}
	add("median", func(c comparison) float64 { return c.median }, true)
	add("least", func(c comparison) float64 { return c.least }, false)
	add("greatest", func(c comparison) float64 { return c.greatest }, false)
	for i := range p.Ratios {
		add(fmt.Sprint(i+1), func(c comparison) float64 { return c.rounds[i] }, false)
	}
	return t
}

// fewestRounds is how many rounds must lie on one side of 1 before a difference counts as seen: by chance alone six do so once in 32
// comparisons.
const fewestRounds = 6

// A comparison is one figure of a pair: its ratio, A by B, in each round, zero where it is not there.
type comparison struct {
	name            string
	median          float64
	least, greatest float64
	rounds          []float64
	known           int // rounds that have it
}

// compared lists the figures of a pair. CPU by right answers is left out where other answers cost as well.
func compared(p *measure.Pair) []comparison {
	cost := func(r measure.Ratios) float64 { return r.PerServe }
	if costShared(p) {
		cost = func(measure.Ratios) float64 { return 0 }
	}
	var all []comparison
	for _, f := range []struct {
		name string
		of   func(measure.Ratios) float64
	}{
		{"served", func(r measure.Ratios) float64 { return r.Served }},
		{"p50", func(r measure.Ratios) float64 { return r.P50 }},
		{"p99", func(r measure.Ratios) float64 { return r.P99 }},
		{"CPU a serve", cost},
	} {
		c := comparison{name: f.name, median: f.of(p.Median)}
		for _, r := range p.Ratios {
			v := f.of(r)
			c.rounds = append(c.rounds, v)
			if v <= 0 {
				continue
			}
			if c.known == 0 {
				c.least, c.greatest = v, v
			}
			c.least, c.greatest, c.known = min(c.least, v), max(c.greatest, v), c.known+1
		}
		all = append(all, c)
	}
	return all
}

// costShared says whether CPU by right answers means nothing in any run of a pair.
func costShared(p *measure.Pair) bool {
	return slices.ContainsFunc(slices.Concat(p.A, p.B), func(r measure.Run) bool { return r.Server != nil && perServe(&r) == 0 })
}

// finding says whether the rounds agree that A and B differ.
func (c comparison) finding() string {
	switch {
	case c.known == 0 || c.median <= 0:
		return "not measured"
	case c.least <= 1 && c.greatest >= 1:
		return "no difference seen: rounds lie on both sides of 1"
	case c.known < fewestRounds:
		return fmt.Sprintf("no difference seen: fewer than %d rounds", fewestRounds)
	case c.least > 1:
		return "A more in every round"
	}
	return "A less in every round"
}

func (c comparison) text() string {
	if c.known == 0 || c.median <= 0 {
		return missing
	}
	return fmt.Sprintf("A by B %s (median), from %s to %s: %s", ratio(c.median), ratio(c.least), ratio(c.greatest), c.finding())
}
