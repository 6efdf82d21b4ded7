package drive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sceau/bench/load/measure"
)

// A SearchPlan is how the saturation of a target is searched: a Plan whose Rate is chosen step by step.
type SearchPlan struct {
	Plan // of each step

	// Limit is the greatest p99 of the latency of a rate that counts as sustained.
	Limit time.Duration

	Start      float64       // first rate; 0: a little more than half of what a short closed loop reaches
	Resolution float64       // the search ends when the least rate that fails is nearer to the greatest that holds; 0: 0.05
	MaxSteps   int           // 2 at least, of which the last are for confirming what was found; 0: 24
	Settle     time.Duration // pause before each step but the first
}

const (
	rampFactor    = 1.5             // by which the rate grows until a step fails
	sustainShare  = 0.95            // of what was offered that must be served
	estimateTime  = 3 * time.Second // at most, of the closed loop
	estimateShare = 0.6             // of its rate, where the ramp begins
	// A step that served less than this failed for sure; one that served more may have met a noisy
	// moment, and has a second chance.
	narrowShare = 0.8
	// A rate is confirmed by a step of so many times the length of the others, and of at least so long.
	confirmFactor = 2
	confirmLeast  = 3 * time.Second
	confirmSteps  = 4 // that the ramp leaves over, of many
)

func (p *SearchPlan) complete() error {
	if p.Resolution == 0 {
		p.Resolution = 0.05
	}
	if p.MaxSteps == 0 {
		p.MaxSteps = 24
	}
	switch {
	case p.Limit <= 0:
		return errors.New("drive: a search needs the greatest p99 of a rate that counts as sustained")
	case !(p.Start >= 0 && p.Start <= maxRate):
		return fmt.Errorf("drive: a search cannot begin at a rate of %v a second", p.Start)
	case !(p.Resolution > 0 && p.Resolution < 1), p.MaxSteps < 2:
		return errors.New("drive: a search needs a resolution between 0 and 1, and two steps")
	case p.Settle < 0:
		return errors.New("drive: a search settles for a negative time")
	}
	return p.Plan.check()
}

// sustained reports whether a run met the criterion.
func (p *SearchPlan) sustained(run *measure.Run) bool {
	return run.WrongAnswers() == 0 && run.Classes[measure.Right] > 0 &&
		served(run) >= sustainShare && run.Latency.Quantile(.99) <= p.Limit
}

// served is the share of what fell due that was served in time: Poisson arrivals may be more or fewer than the rate says.
func served(run *measure.Run) float64 {
	if run.Offered == 0 {
		return 0
	}
	return run.Served * run.Offering.Seconds() / float64(run.Offered)
}

// longer is the plan of the steps that confirm.
func (p *SearchPlan) longer() Plan {
	long := p.Plan
	long.Duration = max(confirmFactor*p.Duration, confirmLeast)
	return long
}

// Search finds the greatest rate of right answers that a target sustains. From Start, or from what a short closed loop
// reaches, the rate grows by half until a step fails, or falls until one holds; then the gap between the greatest
// that holds and the least that fails is halved, in proportion. A step that fails narrowly is tried once more, and
// after a failure and a success the third decides.
//
// The greatest rate that held is then confirmed by a longer step. When that fails, lower rates are, one Resolution
// below the other: no lucky moment makes a saturation. Saturation is the mean of the successful steps at the rate that was
// confirmed, none counted for more than it was offered.
//
// A wrong answer, also in a warm-up, ends the search. With an error the search is returned as far as it came, nil before its
// first step. When either cut it short, Saturation is that of the greatest rate that held so far, confirmed or not; when the
// steps were used up and nothing was confirmed there is none.
func Search(ctx context.Context, p SearchPlan) (*measure.Search, error) {
	if err := p.complete(); err != nil {
		return nil, err
	}
	return newSearching(p, Run).search(ctx)
}
