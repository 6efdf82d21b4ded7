package drive

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"sceau/bench/load/measure"
)

// searching is a search that goes on.
type searching struct {
	plan  SearchPlan
	run   func(context.Context, Plan) (*measure.Run, error)
	found measure.Search

	tried        map[float64]*tries // by rate
	holds, fails float64            // greatest rate that holds and least that fails; zero before there is one
	limited      string             // of the generator, at the least rate that failed
	wrong        bool               // an answer was
}

// tries are the steps at one rate.
type tries struct {
	good, bad int
	served    float64 // sum over the good ones, of each as much as was offered at most
	last      int     // of the good ones, its index in Steps
}

func newSearching(p SearchPlan, run func(context.Context, Plan) (*measure.Run, error)) *searching {
	return &searching{plan: p, run: run, tried: map[float64]*tries{}, found: measure.Search{Knee: -1,
		Criterion: fmt.Sprintf("served ≥ %.4g %% of offered, p99 ≤ %v", 100*sustainShare, p.Limit)}}
}

// search looks for a rate and confirms it.
func (s *searching) search(ctx context.Context) (*measure.Search, error) {
	err := s.ramp(ctx)
	if err == nil && !s.wrong {
		err = s.confirm(ctx)
	}
	if err != nil && len(s.found.Steps) == 0 {
		return nil, err
	}
	s.found.Limited = s.limited
	return &s.found, err
}

// ramp tries rates until what holds and what fails are near to each other.
func (s *searching) ramp(ctx context.Context) error {
	rate := s.plan.Start
	if rate == 0 {
		estimate, err := s.estimate(ctx)
		if err != nil {
			return err
		}
		rate = min(estimate*estimateShare, maxRate)
	}
	most := s.plan.MaxSteps - min(confirmSteps, s.plan.MaxSteps/2)
	for ; rate > 0 && !s.wrong && len(s.found.Steps) < most; rate = s.next() {
		if _, err := s.try(ctx, s.plan.Plan, rate, most); err != nil {
			return err
		}
	}
	if s.holds == 0 && !s.wrong {
		last := s.found.Steps[len(s.found.Steps)-1]
		return fmt.Errorf("drive: no rate met the criterion of the search; the last, %.3g a second, served %.0f %% with a p99 of %v",
			last.Load.Rate, 100*served(&last), last.Latency.Quantile(.99))
	}
	return nil
}

// confirm tries the greatest rate that holds for longer, and lower ones until one is confirmed.
func (s *searching) confirm(ctx context.Context) error {
	for rate := s.holds; len(s.found.Steps) < s.plan.MaxSteps; rate /= 1 + s.plan.Resolution {
		confirmed, err := s.try(ctx, s.plan.longer(), rate, s.plan.MaxSteps)
		if err != nil || confirmed || s.wrong {
			return err
		}
	}
	s.found.Knee, s.found.Saturation = -1, 0
	return fmt.Errorf("drive: no rate was confirmed in the %d steps of the search: make the steps longer", s.plan.MaxSteps)
}

// estimate returns the rate of right answers of a short closed loop. The loop is kept as a step only when an answer was wrong.
func (s *searching) estimate(ctx context.Context) (float64, error) {
	p := s.plan.Plan
	p.Rate, p.Duration = 0, min(p.Duration, estimateTime)
	run, err := s.run(ctx, p)
	if run != nil && run.WrongAnswers() > 0 {
		s.keep(run)
		return 0, errors.Join(err, fmt.Errorf("drive: wrong answers before the search: %d", run.WrongAnswers()))
	}
	if err != nil {
		return 0, err
	}
	if run.Served <= 0 {
		return 0, fmt.Errorf("drive: no right answer in the closed loop before the search: %d of %d busy, failures %v",
			run.Classes[measure.Busy], run.Offered, run.Failures)
	}
	return run.Served, nil
}

// try offers a rate until it is decided whether it holds, as long as there are fewer than most steps: what was
// tried before at this rate counts, too, but at least one step more must succeed.
func (s *searching) try(ctx context.Context, p Plan, rate float64, most int) (holds bool, err error) {
	p.Rate = rate
	t := s.tried[rate]
	if t == nil {
		t = &tries{}
		s.tried[rate] = t
	}
	for len(s.found.Steps) < most {
		run, err := s.step(ctx, p)
		if err != nil || s.wrong {
			return false, err
		}
		if s.plan.sustained(run) {
			t.good++
			t.served += min(run.Served, run.Load.Rate)
			t.last = len(s.found.Steps) - 1
			if t.good > t.bad {
				s.hold(rate)
				return true, nil
			}
			continue
		}
		t.bad++
		if t.bad > 1 || served(run) < narrowShare {
			s.fail(rate, run)
			return false, nil
		}
	}
	return false, nil // undecided
}

// hold notes that a rate holds.
func (s *searching) hold(rate float64) {
	s.holds = rate
	t := s.tried[rate]
	s.found.Knee, s.found.Saturation = t.last, t.served/float64(t.good)
}

// fail notes that a rate fails, also when it held before: what is found is then the greatest below it.
func (s *searching) fail(rate float64, run *measure.Run) {
	s.fails, s.limited = rate, run.Generator.Limited
	if s.holds < rate {
		return
	}
	s.holds, s.found.Knee, s.found.Saturation = 0, -1, 0
	below := 0.0
	for other, t := range s.tried {
		if other < rate && t.good > t.bad {
			below = max(below, other)
		}
	}
	if below > 0 {
		s.hold(below)
	}
}

// step is one run, kept.
func (s *searching) step(ctx context.Context, p Plan) (*measure.Run, error) {
	if len(s.found.Steps) > 0 && !(runtimeAlarm{ctx}).until(time.Now().Add(s.plan.Settle)) {
		return nil, context.Cause(ctx)
	}
	p.Seed += uint64(len(s.found.Steps))
	run, err := s.run(ctx, p)
	if run != nil && (err == nil || run.WrongAnswers() > 0) { // otherwise one that was cut short says nothing of its rate
		s.keep(run)
	}
	return run, err
}

func (s *searching) keep(run *measure.Run) {
	s.found.Steps = append(s.found.Steps, *run)
	s.wrong = run.WrongAnswers() > 0
}

// next returns the rate to be tried, zero when the ramp is at its end.
func (s *searching) next() float64 {
	switch {
	case s.fails == 0 && s.holds >= maxRate:
		return 0
	case s.fails == 0:
		return min(s.holds*rampFactor, maxRate)
	case s.holds == 0:
		return s.fails / (rampFactor * rampFactor)
	case s.fails <= s.holds*(1+s.plan.Resolution):
		return 0
	}
	return math.Sqrt(s.holds * s.fails)
}
