package report

import (
	"fmt"

	"sceau/bench/load/measure"
)

// A caution says why figures of a phase are less than they seem.
type caution struct{ Where, What string }

// cautionsOf collects what a reader must know before believing the figures.
func cautionsOf(r *measure.Report) []caution {
	var all []caution
	if r.Incomplete != "" {
		all = append(all, caution{"the whole", "INCOMPLETE: " + r.Incomplete})
	}
	for _, note := range r.Notes {
		all = append(all, caution{"the whole", note})
	}
	for _, p := range r.Phases {
		name := phaseName(p.Name)
		switch {
		case p.Run != nil:
			all = append(all, runCautions(name, p.Run, true)...)
		case p.Search != nil:
			if p.Search.Limited != "" {
				all = append(all, caution{name, "the generator ended the search, not the server: " + p.Search.Limited})
			}
			// Steps past saturation leave messages unanswered: that is what they are for.
			knee := kneeOf(p.Search)
			for i := range p.Search.Steps {
				step := &p.Search.Steps[i]
				all = append(all, runCautions(stepName(name, i), step, i == knee)...)
			}
			if knee < 0 {
				all = append(all, caution{name, "no step met the criterion: the saturation point was not found"})
			}
		case p.Pair != nil:
			all = append(all, sideCautions(name, "A", p.Pair.A)...)
			all = append(all, sideCautions(name, "B", p.Pair.B)...)
		}
	}
	return all
}

func sideCautions(phase, side string, runs []measure.Run) []caution {
	var all []caution
	for i := range runs {
		all = append(all, runCautions(fmt.Sprintf("%s, %s%d", phase, side, i+1), &runs[i], true)...)
	}
	return all
}

// unansweredShare is the share of messages without a right answer from which percentiles of right answers mislead: one in a
// hundred, as then p99 could be any of those.
const unansweredShare = 0.01

// runCautions are those of one run. complete says that its messages were all meant to be answered.
func runCautions(where string, r *measure.Run, complete bool) []caution {
	var all []caution
	say := func(format string, a ...any) { all = append(all, caution{where, fmt.Sprintf(format, a...)}) }
	if n := r.WrongAnswers(); n > 0 {
		say("%s: the run fails, and its other figures are of no use until that is explained", plural(n, "wrong answer"))
	}
	if r.Generator.Limited != "" {
		say("the generator was the bottleneck, not the server: %s", r.Generator.Limited)
	}
	if r.Idle < r.IdleAsked {
		say("%s were to stay open, and the server ended all but %s", plural(uint64(r.IdleAsked), "idle connection"), count(uint64(max(r.Idle, 0))))
	}
	if r.Sent > 0 && r.Answered == 0 {
		say("not one answer")
		return all
	}
	if !complete || r.Offered == 0 {
		return all
	}
	if r.Generator.Imprecise != "" {
		say("the generator blurs the percentiles: %s", r.Generator.Imprecise)
	}
	if n := r.Lost(); n > 0 {
		say("%s without any answer (failed, timed out, or never sent)", plural(n, "message"))
	}
	if without := r.Offered - min(r.Classes[measure.Right], r.Offered); float64(without) > unansweredShare*float64(r.Offered) {
		say("%s of %s had no right answer (%s); latency is of the right answers alone and so looks better than it was", count(without), plural(r.Offered, "message"), share(float64(without), float64(r.Offered)))
	}
	return all
}
