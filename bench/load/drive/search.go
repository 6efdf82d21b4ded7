package drive

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"sceau/bench/load/measure"
)

// A SearchPlan is how the saturation of a target is searched: a Plan whose Rate is chosen step by step.
type SearchPlan struct {
	Plan // of each step

	// Limit is the greatest p99 of the latency of a rate that counts as sustained.
	Limit time.Duration

	Start      float64       // first rate; 0: a little more than half of what a short closed loop reaches
	Factor     float64       // by which the rate grows until a step fails; 0: 1.5
	Share      float64       // of what was offered that must be served; 0: 0.95
	Resolution float64       // the search ends when the least rate that fails is nearer to the greatest that holds; 0: 0.05
	MaxSteps   int           // 0: 24
	Settle     time.Duration // pause before each step but the first
}

const (
	estimateTime  = 3 * time.Second // at most, of the closed loop
	estimateShare = 0.6             // of its rate, where the ramp begins
	// A step that served less than this failed for sure; one that served more may have met a noisy
	// moment, and has a second chance.
	narrowShare = 0.8
)

func (p *SearchPlan) complete() error {
	fill := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	fill(&p.Factor, 1.5)
	fill(&p.Share, 0.95)
	fill(&p.Resolution, 0.05)
	if p.MaxSteps == 0 {
		p.MaxSteps = 24
	}
	switch {
	case p.Limit <= 0:
		return errors.New("drive: a search needs the greatest p99 of a rate that counts as sustained")
	case !(p.Start >= 0 && p.Start <= maxRate):
		return fmt.Errorf("drive: a search cannot begin at a rate of %v a second", p.Start)
	case !(p.Factor > 1 && p.Factor <= 10), !(p.Share > 0 && p.Share <= 1), !(p.Resolution > 0 && p.Resolution < 1), p.MaxSteps < 1:
		return errors.New("drive: a search needs a factor between 1 and 10, a share and a resolution between 0 and 1, and steps")
	case p.Settle < 0:
		return errors.New("drive: a search settles for a negative time")
	}
	return p.Plan.check()
}

// sustained reports whether a run met the criterion.
func (p *SearchPlan) sustained(run *measure.Run) bool {
	return run.Classes[measure.Wrong] == 0 && run.Classes[measure.Right] > 0 &&
		p.served(run) >= p.Share && run.Latency.Quantile(.99) <= p.Limit
}

// served is the share of what fell due that was served in time: Poisson arrivals may be more or fewer than the rate says.
func (p *SearchPlan) served(run *measure.Run) float64 {
	if run.Offered == 0 {
		return 0
	}
	return run.Served * p.Duration.Seconds() / float64(run.Offered)
}

// Search finds the greatest rate of right answers that a target sustains. From Start, or from what a short closed loop
// reaches, the rate grows by Factor until a step fails, or falls until one holds; then the gap between the greatest
// that holds and the least that fails is halved, in proportion. A step that fails narrowly is tried once more.
//
// A wrong answer ends the search. With an error the search is returned as far as it came, nil before its first step.
func Search(ctx context.Context, p SearchPlan) (*measure.Search, error) {
	if err := p.complete(); err != nil {
		return nil, err
	}
	return newSearching(p, Run).search(ctx)
}

// searching is a search that goes on.
type searching struct {
	plan  SearchPlan
	run   func(context.Context, Plan) (*measure.Run, error)
	found measure.Search

	holds, fails float64 // greatest rate that holds and least that fails; zero before there is one
	limited      string  // of the generator, at the least rate that failed
	wrong        bool    // an answer was
}

func newSearching(p SearchPlan, run func(context.Context, Plan) (*measure.Run, error)) *searching {
	return &searching{plan: p, run: run, found: measure.Search{Knee: -1,
		Criterion: fmt.Sprintf("served ≥ %.4g %% of offered, p99 ≤ %v", 100*p.Share, p.Limit)}}
}

func (s *searching) search(ctx context.Context) (*measure.Search, error) {
	rate := s.plan.Start
	if rate == 0 {
		estimate, err := s.estimate(ctx)
		if err != nil {
			return s.result(err)
		}
		rate = min(estimate*estimateShare, maxRate)
	}
	for ; rate > 0 && !s.wrong && len(s.found.Steps) < s.plan.MaxSteps; rate = s.next() {
		if err := s.try(ctx, rate); err != nil {
			return s.result(err)
		}
	}
	if s.found.Knee < 0 && !s.wrong {
		last := s.found.Steps[len(s.found.Steps)-1]
		return s.result(fmt.Errorf("drive: no rate met the criterion of the search; the last, %.3g a second, served %.0f %% with a p99 of %v",
			last.Load.Rate, 100*s.plan.served(&last), last.Latency.Quantile(.99)))
	}
	return s.result(nil)
}

func (s *searching) result(err error) (*measure.Search, error) {
	if err != nil && len(s.found.Steps) == 0 {
		return nil, err
	}
	s.found.Limited = s.limited
	return &s.found, err
}

// estimate returns the rate of right answers of a short closed loop. The loop is kept as a step only when an answer was wrong.
func (s *searching) estimate(ctx context.Context) (float64, error) {
	p := s.plan.Plan
	p.Rate, p.Duration = 0, min(p.Duration, estimateTime)
	run, err := s.run(ctx, p)
	if err != nil {
		return 0, err
	}
	if len(run.Wrong) > 0 {
		s.found.Steps = append(s.found.Steps, *run)
		return 0, fmt.Errorf("drive: a wrong answer before the search: %s", run.Wrong[0].Why)
	}
	if run.Served <= 0 {
		return 0, fmt.Errorf("drive: no right answer in the closed loop before the search: %d of %d busy, failures %v",
			run.Classes[measure.Busy], run.Offered, run.Failures)
	}
	return run.Served, nil
}

// try offers a rate, and once more when it failed narrowly.
func (s *searching) try(ctx context.Context, rate float64) error {
	run, err := s.step(ctx, rate)
	if err == nil && !s.wrong && !s.plan.sustained(run) && s.plan.served(run) >= narrowShare && len(s.found.Steps) < s.plan.MaxSteps {
		run, err = s.step(ctx, rate)
	}
	if err != nil {
		return err
	}
	if s.plan.sustained(run) {
		s.holds = rate
		s.found.Knee, s.found.Saturation = len(s.found.Steps)-1, run.Served
		return nil
	}
	s.fails, s.limited = rate, run.Generator.Limited
	return nil
}

// step is one run, kept.
func (s *searching) step(ctx context.Context, rate float64) (*measure.Run, error) {
	if len(s.found.Steps) > 0 && !(runtimeAlarm{ctx}).until(time.Now().Add(s.plan.Settle)) {
		return nil, context.Cause(ctx)
	}
	p := s.plan.Plan
	p.Rate = rate
	p.Seed += uint64(len(s.found.Steps))
	run, err := s.run(ctx, p)
	if err != nil {
		return nil, err // a run that was cut short says nothing of its rate
	}
	s.found.Steps = append(s.found.Steps, *run)
	s.wrong = len(run.Wrong) > 0
	return run, nil
}

// next returns the rate to be tried, zero when the search is at its end.
func (s *searching) next() float64 {
	switch {
	case s.fails == 0 && s.holds >= maxRate:
		return 0
	case s.fails == 0:
		return min(s.holds*s.plan.Factor, maxRate)
	case s.holds == 0:
		return s.fails / (s.plan.Factor * s.plan.Factor)
	case s.fails <= s.holds*(1+s.plan.Resolution):
		return 0
	}
	return math.Sqrt(s.holds * s.fails)
}
