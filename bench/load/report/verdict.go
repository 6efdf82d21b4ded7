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

// cutShort is said of a report with Incomplete.
const cutShort = "the scenario was not run to its end"

// Failed says whether a report is a failure: a wrong answer in any of its runs, the warm-up included, a scenario that was not run to
// its end, or a broken expectation. The headline says it, and the exit status of the tool is to be by it.
func Failed(r *measure.Report) bool { return verdictOf(r).Outcome == failed }

// verdictOf puts together what was expected and what is a failure whatever was expected. What passed although there is something to
// be known before the figures are believed, passed with warnings.
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
	all, cautions := plural(uint64(len(r.Verdict)), "expectation"), uint64(len(cautionsOf(r)))
	switch {
	case broken > 0:
		v.Outcome, v.Sentence = failed, fmt.Sprintf("%s of %s broken", count(broken), all)
	case wrong > 0:
		v.Outcome, v.Sentence = failed, "answers were wrong"
	case r.Incomplete != "":
		v.Outcome, v.Sentence = failed, cutShort
	case len(r.Phases) == 0:
		v.Sentence = "nothing was measured"
	case len(r.Verdict) == 0:
		v.Sentence = "the scenario states no expectation"
	case weak > 0: // whether or not there are cautions
		v.Outcome, v.Sentence = warned, fmt.Sprintf("%s of %s not held, none that fails the run", count(weak), all)
	case cautions > 0:
		v.Outcome, v.Sentence = warned, all+" held, and there "+are(cautions, "caution")+" about the figures"
	default:
		v.Outcome, v.Sentence = passed, all+" held"
	}
	if r.Incomplete != "" && v.Sentence != cutShort {
		v.Outcome = failed
		v.Sentence += "; " + cutShort
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
