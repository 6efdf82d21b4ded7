package report

import (
	"fmt"
	"strings"
	"time"

	"sceau/bench/load/measure"
)

// overview sets the runs of a report side by side, so that growth from one to the next is seen.
func overview(phases []measure.Phase) table {
	t := table{Caption: "The phases, as they ran", Head: []column{{Name: "phase", Text: true}, {Name: "connections"}, {Name: "offered"}, {Name: "served"},
		{Name: "p50"}, {Name: "p99"}, {Name: "CPU"}, {Name: "greatest RSS"}}}
	for _, p := range phases {
		r := p.Run
		if r == nil {
			continue
		}
		offered, rss := missing, missing
		if r.Load.Rate > 0 {
			offered = askedRate(r.Load.Rate)
		}
		if r.Server != nil {
			rss = size(r.Server.RSSMax)
		}
		connections := plus(count(uint64(max(r.Connections, 0))), r.Idle)
		t.Rows = append(t.Rows, row{Cells: []string{phaseName(p.Name), connections, offered, rate(r.Served),
			quantile(r.Latency, .5), quantile(r.Latency, .99), cores(coresOf(r)), rss}})
	}
	return t
}

// plus adds what is idle beside.
func plus(connections string, idle int) string {
	if idle <= 0 {
		return connections
	}
	return connections + " + " + count(uint64(idle))
}

// runSection shows one run in full.
func runSection(name string, r *measure.Run) section {
	return section{
		Name:   name,
		Lead:   fmt.Sprintf("Run against %s: %s, for %s.", targetName(r.Target), loadText(r), span(offering(r))),
		Tiles:  runTiles(r),
		Facts:  runFacts(r),
		Tables: runTables(r),
		Plots:  runPlots(r),
	}
}

func targetName(name string) string {
	if name == "" {
		return "an unnamed target"
	}
	return name
}

func runTiles(r *measure.Run) []tile {
	served := tile{"Served", rate(r.Served), "right answers a second"}
	if r.Load.Rate > 0 {
		served.Note = fmt.Sprintf("%s of %s offered", share(r.Served, r.Load.Rate), askedRate(r.Load.Rate))
	}
	without := r.Offered - min(r.Classes[measure.Right], r.Offered)
	tiles := []tile{
		served,
		{"p50", quantile(r.Latency, .5), "latency of right answers"},
		{"p99", quantile(r.Latency, .99), latencyNote(r)},
		{"Max", maxText(r.Latency), latencyNote(r)},
		{"No right answer", share(float64(without), float64(r.Offered)), fmt.Sprintf("%s of %s", count(without), plural(r.Offered, "message"))},
	}
	if r.Server != nil {
		note := "mean until the last exchange"
		if d := perServe(r); d > 0 {
			note = latency(d) + " a right answer"
		}
		tiles = append(tiles, tile{"Server CPU", cores(coresOf(r)), note}, tile{"Server RSS", size(r.Server.RSSMax), "at most"})
	}
	return tiles
}

func latencyNote(r *measure.Run) string {
	if r.Load.Loop == "closed" {
		return "from sending"
	}
	return "from the intended time"
}

func maxText(h *measure.Histogram) string {
	if answers(h) <= 0 {
		return missing
	}
	return latency(h.Max())
}

func runFacts(r *measure.Run) []fact {
	facts := []fact{{"Load", loadText(r)}, {"Connections", connectionsText(r)}, {"Measured", measuredText(r)}}
	served := rate(r.Served) + " right answers within the " + span(offering(r)) + " of load"
	if r.Load.Rate > 0 {
		served += fmt.Sprintf(", %s of %s offered", share(r.Served, r.Load.Rate), askedRate(r.Load.Rate))
	}
	messages := fmt.Sprintf("%s sent, %s answered", count(r.Sent), count(r.Answered))
	if r.Load.Loop != "closed" {
		messages = count(r.Offered) + " fell due, " + messages
	}
	facts = append(facts,
		fact{"Served", served},
		fact{"Messages", messages},
		fact{"Signatures", fmt.Sprintf("verified of %s (%s)", plural(r.Verified, "answer"), share(float64(r.Verified), float64(r.Answered)))},
		fact{"Bytes", flow("sent", r.BytesSent, r.Duration) + ", " + flow("received", r.BytesReceived, r.Duration)},
	)
	return append(facts, serverFacts(r)...)
}

// flow says how many bytes went one way, and how many a second.
func flow(way string, n uint64, d time.Duration) string {
	text := size(n) + " " + way
	if v := perSecond(n, d); v > 0 {
		text += " (" + in(v, byteUnits, significant) + "/s)"
	}
	return text
}

func connectionsText(r *measure.Run) string {
	text := count(uint64(max(r.Connections, 0)))
	switch {
	case r.IdleAsked > r.Idle:
		text += fmt.Sprintf(", and %s idle beside, of which %s were left at the end", count(uint64(r.IdleAsked)), count(uint64(max(r.Idle, 0))))
	case r.Idle > 0:
		text += fmt.Sprintf(", and %s idle beside, all left at the end", count(uint64(r.Idle)))
	}
	return text
}

func measuredText(r *measure.Run) string {
	text := span(offering(r)) + " of load"
	if !r.Began.IsZero() {
		text += " from " + r.Began.UTC().Format("15:04:05 UTC")
	}
	if r.Duration > offering(r) {
		text += ", and " + span(r.Duration-offering(r)) + " more to the end of the last exchange"
	}
	if r.Warmup > 0 {
		return text + ", after a warm-up of " + span(r.Warmup)
	}
	return text + ", without warm-up"
}

// serverFacts are the server's process and the generator's.
func serverFacts(r *measure.Run) []fact {
	server := fact{"Server", "no process of this machine: CPU and memory not measured"}
	if p := r.Server; p != nil {
		parts := []string{fmt.Sprintf("CPU %s", cores(coresOf(r)))}
		if d := perServe(r); d > 0 {
			parts = append(parts, latency(d)+" CPU a right answer")
		}
		parts = append(parts, fmt.Sprintf("RSS %s at the end, %s at most", size(p.RSS), size(p.RSSMax)))
		if p.RSSIdle > 0 {
			parts = append(parts, size(p.RSSIdle)+" idle")
		}
		server.Value = strings.Join(parts, "; ")
	}
	g := r.Generator
	signed := "messages signed ahead"
	if g.Live {
		signed = "messages signed live"
	}
	generator := []string{signed}
	if g.CPU > 0 && r.Duration > 0 {
		generator = append(generator, "CPU "+cores(g.CPU.Seconds()/r.Duration.Seconds()))
	}
	if answers(g.Late) > 0 {
		generator = append(generator, fmt.Sprintf("late by %s at p99, %s at most", latency(g.Late.Quantile(.99)), latency(g.Late.Max())))
	}
	if g.Limited == "" {
		generator = append(generator, "not the bottleneck")
	} else {
		generator = append(generator, "THE BOTTLENECK: "+g.Limited)
	}
	if g.Imprecise != "" {
		generator = append(generator, "imprecise: "+g.Imprecise)
	}
	return []fact{server, {"Generator", strings.Join(generator, "; ")}}
}

// classOrder is that in which ends of exchanges are shown.
func classOrder() []measure.Class {
	return []measure.Class{measure.Right, measure.Busy, measure.Wrong, measure.Failed, measure.TimedOut, measure.Unsent}
}

// timesTable has what was timed, by percentiles.
func timesTable(r *measure.Run) table {
	t := table{Caption: "Latency", Head: latencyHead(), Rows: []row{latencyRow("latency", r.Latency), latencyRow("service", r.Service)}}
	t.Rows[0].Marked = true
	if answers(r.Refusal) > 0 {
		t.Rows = append(t.Rows, latencyRow("refusal", r.Refusal))
	}
	if answers(r.RefusalService) > 0 {
		t.Rows = append(t.Rows, latencyRow("refusal, service", r.RefusalService))
	}
	return t
}

func runTables(r *measure.Run) []table {
	kinds := counts("Answers by kind of message", "kind", r.Kinds, measure.Kinds(), r.Answered, "answers")
	if len(kinds.Rows) == 1 && r.Kinds[measure.Query] > 0 {
		kinds.Rows = nil // good queries alone need no table
	}
	tables := []table{
		timesTable(r),
		counts("How exchanges ended", "end", r.Classes, classOrder(), r.Offered, "messages"),
		counts("Answers by code", "code", r.Codes, nil, r.Answered, "answers"),
		kinds,
		counts("Failures by cause", "cause", r.Failures, nil, r.Offered, "messages"),
		wrongTable(r),
	}
	kept := tables[:0]
	for _, t := range tables {
		if len(t.Rows) > 0 {
			kept = append(kept, t)
		}
	}
	return kept
}

func wrongTable(r *measure.Run) table {
	t := table{Caption: "The first wrong answers", Head: []column{{Name: "kind", Text: true}, {Name: "status"}, {Name: "why", Text: true}, {Name: "answer", Text: true}}}
	for i, w := range r.Wrong {
		if i == most {
			break
		}
		t.Rows = append(t.Rows, row{Cells: []string{string(w.Kind), fmt.Sprint(w.Status), w.Why, w.Answer}})
	}
	return t
}
