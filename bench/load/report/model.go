package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sceau/bench/load/measure"
)

// A document is a report as it is shown, whatever the form: Text and HTML write the same one.
type document struct {
	Title    string
	Made     string
	Verdict  verdict
	Cautions []caution
	Sections []section
	On       string // the machine in one line
	Servers  []fact // the programs that were started
	Machine  []fact
	Scenario string
}

// A section shows one phase, or one run of it.
type section struct {
	Name    string
	Lead    string // what it is, in one line
	Tiles   []tile // what is read first; HTML only, the facts say the same
	Facts   []fact
	Tables  []table
	Plots   []plot    // HTML only
	Details []section // HTML only
}

// A tile is a figure in large type.
type tile struct{ Name, Value, Note string }

// A fact is a line of a list.
type fact struct{ Name, Value string }

// A table has its names of rows in the first column, or the first two when they are text.
type table struct {
	Caption string
	Head    []column
	Rows    []row
}

// A column holds figures, to the right, or text.
type column struct {
	Name string
	Text bool
}

// A row has a cell for each column. Marked rows are what the table is about.
type row struct {
	Cells  []string
	Marked bool
}

// documentOf lays out what r measured. It works on a cleaned copy.
func documentOf(r *measure.Report) document {
	r = cleaned(r)
	d := document{
		Title:    r.Title,
		Made:     r.Made.UTC().Format("2006-01-02 15:04:05 UTC"),
		Verdict:  verdictOf(r),
		Cautions: cautionsOf(r),
		On:       machineText(r.Machine),
		Servers:  serverPrograms(r.Machine),
		Machine:  append(machineFacts(r.Machine), serverPrograms(r.Machine)...),
		Scenario: strings.TrimRight(r.Scenario, "\n"),
	}
	if d.Title == "" {
		d.Title = "Load report"
	}
	if all := overview(r.Phases); len(all.Rows) > 1 {
		d.Sections = append(d.Sections, section{Name: "Runs side by side", Lead: "What the phases of one load each came to.", Tables: []table{all}})
	}
	for i, p := range r.Phases {
		d.Sections = append(d.Sections, phaseSection(p, r.Incomplete != "" && i == len(r.Phases)-1))
	}
	return d
}

// phaseSection shows one phase; cut says that it was not run to its end.
func phaseSection(p measure.Phase, cut bool) section {
	name := phaseName(p.Name)
	switch {
	case p.Run != nil:
		return runSection(name, p.Run)
	case p.Search != nil:
		return searchSection(name, p.Search, cut)
	case p.Pair != nil:
		return pairSection(name, p.Pair)
	}
	return section{Name: name, Lead: "Nothing was measured."}
}

func phaseName(name string) string {
	if name == "" {
		return "unnamed phase"
	}
	return name
}

func machineFacts(m measure.Machine) []fact {
	facts := []fact{
		{"Processor", m.Processor},
		{"Cores", count(uint64(max(m.Cores, 0)))},
		{"Memory", size(m.Memory)},
		{"System", m.OS},
		{"Kernel", m.Kernel},
		{"Load average", loadAverage(m.Load)},
		{"Go", m.Go},
		{"Version", m.Version},
	}
	for i := range facts {
		if slices.Contains([]string{"", "0", missing}, facts[i].Value) {
			facts[i].Value = "not known"
		}
	}
	return facts
}

// serverPrograms says which programs were started.
func serverPrograms(m measure.Machine) (facts []fact) {
	for _, name := range slices.Sorted(maps.Keys(m.Servers)) {
		facts = append(facts, fact{"Server " + name, m.Servers[name]})
	}
	return facts
}

// loadAverage is that of the last minute before the run; zero was not measured.
func loadAverage(v float64) string {
	if v <= 0 {
		return missing
	}
	return significant(v) + " in the minute before the run"
}

// machineText is what is known of the machine.
func machineText(m measure.Machine) string {
	var parts []string
	for _, part := range []string{m.Processor, m.OS, m.Kernel, m.Go, m.Version} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if m.Cores > 0 {
		parts = slices.Insert(parts, min(len(parts), 1), plural(uint64(m.Cores), "core"))
	}
	if len(parts) == 0 {
		return "a machine not described"
	}
	if m.Memory > 0 {
		parts = append(parts, size(m.Memory)+" of memory")
	}
	if m.Load > 0 {
		parts = append(parts, "load average "+significant(m.Load))
	}
	return strings.Join(parts, ", ")
}

// answers is how many durations a histogram holds; none when there is no histogram.
func answers(h *measure.Histogram) int64 {
	if h == nil {
		return 0
	}
	return max(h.Count(), 0)
}

// fewBeyond is how many measured values must lie beyond a percentile for it to say something of the server.
const fewBeyond = 10

// quantile writes a percentile of h, marked where it rests on few values.
func quantile(h *measure.Histogram, q float64) string {
	n := answers(h)
	if n <= 0 {
		return missing
	}
	text := latency(h.Quantile(q))
	if q > 0.5 && float64(n)*(1-q) < fewBeyond {
		return "≈ " + text
	}
	return text
}

// percentiles are the columns of every table of latencies.
var percentiles = []struct {
	name string
	q    float64
}{{"p50", .5}, {"p90", .9}, {"p99", .99}, {"p99.9", .999}}

// latencyHead begins with the name of what was timed.
func latencyHead() []column {
	head := []column{{Name: "time", Text: true}}
	for _, p := range percentiles {
		head = append(head, column{Name: p.name})
	}
	return append(head, column{Name: "max"}, column{Name: "mean"}, column{Name: "answers"})
}

func latencyRow(name string, h *measure.Histogram) row {
	cells := []string{name}
	for _, p := range percentiles {
		cells = append(cells, quantile(h, p.q))
	}
	if answers(h) <= 0 {
		return row{Cells: append(cells, missing, missing, missing)}
	}
	return row{Cells: append(cells, latency(h.Max()), latency(h.Mean()), count(uint64(answers(h))))}
}

// most is how many rows of a table of things that a server may invent are shown.
const most = 40

// counts is a table of how often there was what, in the order of names and then by frequency. of is the whole that
// shares are of, whole its name.
func counts[K ~string](caption, name string, tally map[K]uint64, order []K, of uint64, whole string) table {
	keys := make([]K, 0, len(tally))
	for k, n := range tally {
		if n > 0 {
			keys = append(keys, k)
		}
	}
	place := func(k K) int {
		if i := slices.Index(order, k); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortFunc(keys, func(a, b K) int {
		switch pa, pb := place(a), place(b); {
		case pa != pb:
			return pa - pb
		case tally[a] > tally[b]:
			return -1
		case tally[a] < tally[b]:
			return 1
		}
		return strings.Compare(string(a), string(b))
	})
	t := table{Caption: caption, Head: []column{{Name: name, Text: true}, {Name: "count"}, {Name: "share of " + whole}}}
	rest := uint64(0)
	for i, k := range keys {
		if i >= most {
			rest += tally[k]
			continue
		}
		t.Rows = append(t.Rows, row{Cells: []string{string(k), count(tally[k]), share(float64(tally[k]), float64(of))}})
	}
	if rest > 0 {
		t.Rows = append(t.Rows, row{Cells: []string{fmt.Sprintf("%d others", len(keys)-most), count(rest), share(float64(rest), float64(of))}})
	}
	return t
}

// loadText says what was asked of the generator.
func loadText(r *measure.Run) string {
	if r.Load.Loop == "" {
		return "load not described"
	}
	if r.Load.Loop == "closed" {
		return fmt.Sprintf("closed loop, %s", plural(uint64(max(r.Connections, 0)), "connection"))
	}
	text := r.Load.Loop + " loop, " + askedRate(r.Load.Rate) + " offered"
	if r.Load.Arrivals != "" {
		text += ", " + r.Load.Arrivals + " arrivals"
	}
	return text
}

// merged adds up the histograms that pick takes from runs.
func merged(runs []measure.Run, pick func(*measure.Run) *measure.Histogram) *measure.Histogram {
	sum := measure.NewHistogram()
	for i := range runs {
		sum.Merge(pick(&runs[i]))
	}
	return sum
}

func latencyOf(r *measure.Run) *measure.Histogram { return r.Latency }

// middle is the median of what is measured (above zero) among figures of runs; zero when nothing is.
func middle(runs []measure.Run, figure func(*measure.Run) float64) float64 {
	var all []float64
	for i := range runs {
		if v := figure(&runs[i]); v > 0 {
			all = append(all, v)
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	if n := len(all); n%2 == 0 {
		return all[n/2-1]/2 + all[n/2]/2
	}
	return all[len(all)/2]
}

// offering is how long messages fell due. Reports from before it was told apart have but the duration.
func offering(r *measure.Run) time.Duration {
	if r.Offering > 0 {
		return r.Offering
	}
	return r.Duration
}

// coresOf is the CPU that the server took of a run, in cores; zero when it was not measured.
func coresOf(r *measure.Run) float64 {
	if r.Server == nil || r.Duration <= 0 {
		return 0
	}
	return r.Server.CPU.Seconds() / r.Duration.Seconds()
}

// perServe is the CPU time by right answers; zero where it was not measured, or other answers cost as well: those to a mix of messages,
// and refusals.
func perServe(r *measure.Run) time.Duration {
	if r.Server == nil || len(r.Kinds) > 1 || r.Classes[measure.Busy] > 0 {
		return 0
	}
	return r.Server.PerServe
}
