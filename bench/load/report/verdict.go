package report

import (
	"fmt"

	"sceau/bench/load/measure"
)

// A verdict is the first thing a report says.
type verdict struct {
	Outcome    outcome
	Sentence   string
	Judgements []judgement
}

// An outcome is what the report as a whole comes to. The zero outcome is that nothing was judged.
type outcome int

const (
	unjudged outcome = iota
	passed
	warned
	failed
)

// Word is the outcome in capitals.
func (o outcome) Word() string {
	return [...]string{"NOT JUDGED", "PASSED", "PASSED, WITH WARNINGS", "FAILED"}[o]
}

// Class is the outcome as a class of the page's style.
func (o outcome) Class() string { return [...]string{"unjudged", "passed", "warned", "failed"}[o] }

// Sign is the outcome as a mark, so that colour is not all that tells it.
func (o outcome) Sign() string { return [...]string{"○", "✓", "△", "✗"}[o] }

// A judgement is one expectation and whether it held.
type judgement struct {
	Outcome            outcome
	Word               string
	Phase, What, Found string
}

func judgementOf(j measure.Judgement) judgement {
	out := judgement{Outcome: passed, Word: "holds", Phase: j.Phase, What: j.What, Found: j.Found}
	switch {
	case j.Failed:
		out.Outcome, out.Word = failed, "FAILS"
	case !j.Holds:
		out.Outcome, out.Word = warned, "does not hold"
	}
	return out
}

// verdictOf puts together what was expected and what is a failure whatever was expected.
func verdictOf(r *measure.Report) verdict {
	var v verdict
	var broken, weak uint64
	for _, j := range r.Verdict {
		row := judgementOf(j)
		switch row.Outcome {
		case failed:
			broken++
		case warned:
			weak++
		}
		v.Judgements = append(v.Judgements, row)
	}
	wrong := uint64(0)
	for _, run := range runsOf(r) {
		wrong += run.WrongAnswers()
	}
	all := plural(uint64(len(r.Verdict)), "expectation")
	switch {
	case broken > 0:
		v.Outcome, v.Sentence = failed, fmt.Sprintf("%s of %s broken", count(broken), all)
	case wrong > 0:
		v.Outcome, v.Sentence = failed, "answers were wrong"
	case r.Incomplete != "":
		v.Outcome, v.Sentence = failed, "the scenario was not run to its end"
	case len(r.Phases) == 0:
		v.Sentence = "nothing was measured"
	case len(r.Verdict) == 0:
		v.Sentence = "the scenario states no expectation"
	case weak > 0:
		v.Outcome, v.Sentence = warned, fmt.Sprintf("%s of %s not held, none that fails the run", count(weak), all)
	default:
		v.Outcome, v.Sentence = passed, all+" held"
	}
	if wrong > 0 {
		v.Sentence += "; " + plural(wrong, "wrong answer")
	}
	return v
}

// runsOf lists every run of a report.
func runsOf(r *measure.Report) []*measure.Run {
	var all []*measure.Run
	add := func(runs []measure.Run) {
		for i := range runs {
			all = append(all, &runs[i])
		}
	}
	for _, p := range r.Phases {
		if p.Run != nil {
			all = append(all, p.Run)
		}
		if p.Search != nil {
			add(p.Search.Steps)
		}
		if p.Pair != nil {
			add(p.Pair.A)
			add(p.Pair.B)
		}
	}
	return all
}

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
	if r.Sent > 0 && r.Answered == 0 {
		say("not one answer")
		return all
	}
	if !complete || r.Offered == 0 {
		return all
	}
	if without := r.Offered - min(r.Classes[measure.Right], r.Offered); float64(without) > unansweredShare*float64(r.Offered) {
		say("%s of %s had no right answer (%s); latency is of the right answers alone and so looks better than it was", count(without), plural(r.Offered, "message"), share(float64(without), float64(r.Offered)))
	}
	return all
}
