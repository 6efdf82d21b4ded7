package report

import (
	"cmp"
	"fmt"
	"slices"

	"sceau/bench/load/measure"
)

// kneeOf is the index of the greatest step that met the criterion, or -1.
func kneeOf(s *measure.Search) int {
	if s.Knee < 0 || s.Knee >= len(s.Steps) || s.Saturation <= 0 {
		return -1
	}
	return s.Knee
}

func stepName(phase string, i int) string { return fmt.Sprintf("%s, step %d", phase, i+1) }

// searchSection shows how a saturation point was found; the step at the knee in full, the others folded away.
// cut says that the search was cut short.
func searchSection(name string, s *measure.Search, cut bool) section {
	target := ""
	if len(s.Steps) > 0 {
		target = s.Steps[0].Target
	}
	out := section{
		Name:   name,
		Lead:   fmt.Sprintf("Search for the saturation point of %s, in %s.", targetName(target), plural(uint64(len(s.Steps)), "step")),
		Tables: []table{stepTable(s)},
		Plots:  searchPlots(s),
	}
	knee := kneeOf(s)
	if knee < 0 {
		out.Facts = []fact{{"Saturation", "not found: no step met the criterion"}}
		out.Tiles = []tile{{"Saturation", missing, "no step met the criterion"}}
	} else {
		step := &s.Steps[knee]
		saturation := rate(s.Saturation)
		if cut || s.Limited != "" || !failedBeyond(s, step.Load.Rate) {
			saturation = "at least " + saturation
		}
		out.Facts = []fact{
			{"Saturation", saturation + " right answers, the greatest rate that was sustained"},
			{"At the knee", fmt.Sprintf("step %d: %s, served %s", knee+1, loadText(step), rate(step.Served))},
		}
		out.Tiles = append([]tile{{"Saturation", saturation, "greatest rate sustained"}}, kneeTiles(step)...)
		times := timesTable(step)
		times.Caption = "Latency at the knee"
		out.Tables = append(out.Tables, times)
		for _, p := range runPlots(step) {
			p.Title += ", at the knee"
			out.Plots = append(out.Plots, p)
		}
	}
	if s.Criterion != "" {
		out.Facts = append(out.Facts, fact{"Criterion", s.Criterion})
	}
	if s.Limited != "" {
		out.Facts = append(out.Facts, fact{"Ended by", "the generator: " + s.Limited})
	}
	for i := range s.Steps {
		detail := runSection(fmt.Sprintf("Step %d: %s, %s served", i+1, loadText(&s.Steps[i]), rate(s.Steps[i].Served)), &s.Steps[i])
		detail.Tiles, detail.Plots = nil, nil
		out.Details = append(out.Details, detail)
	}
	return out
}

// failedBeyond says whether a greater rate was tried: that it is not the knee says that it failed.
func failedBeyond(s *measure.Search, knee float64) bool {
	return slices.ContainsFunc(s.Steps, func(r measure.Run) bool { return r.Load.Rate > knee })
}

// kneeTiles are the tiles of a run but the first, which the saturation says better.
func kneeTiles(step *measure.Run) []tile {
	tiles := runTiles(step)[1:]
	for i := range tiles {
		tiles[i].Note = "at the knee"
	}
	return tiles
}

// byOffered returns the open-loop steps in the order of their load: a closed loop offers no load of its own.
func byOffered(s *measure.Search) []*measure.Run {
	var steps []*measure.Run
	for i := range s.Steps {
		if s.Steps[i].Load.Rate > 0 {
			steps = append(steps, &s.Steps[i])
		}
	}
	slices.SortStableFunc(steps, func(a, b *measure.Run) int { return cmp.Compare(a.Load.Rate, b.Load.Rate) })
	return steps
}

// stepTable lists the steps in the order in which they ran, the knee marked.
func stepTable(s *measure.Search) table {
	t := table{Caption: "Steps as they ran, the knee marked", Head: []column{{Name: "step"}, {Name: "offered"}, {Name: "served"},
		{Name: "right"}, {Name: "p50"}, {Name: "p99"}, {Name: "max"}, {Name: "busy"}, {Name: "no answer"}, {Name: "CPU"}}}
	knee := kneeOf(s)
	for i := range s.Steps {
		step := &s.Steps[i]
		offered := "closed loop"
		if step.Load.Rate > 0 {
			offered = askedRate(step.Load.Rate)
		}
		t.Rows = append(t.Rows, row{Marked: i == knee, Cells: []string{fmt.Sprint(i + 1), offered, rate(step.Served), share(float64(step.Classes[measure.Right]), float64(step.Offered)),
			quantile(step.Latency, .5), quantile(step.Latency, .99), maxText(step.Latency), count(step.Classes[measure.Busy]), count(step.Lost()), cores(coresOf(step))}})
	}
	return t
}
