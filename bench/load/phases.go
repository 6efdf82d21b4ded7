package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sceau/bench/load/drive"
	"sceau/bench/load/measure"
)

// phase carries out one phase and judges it. What was measured before an error is given
// beside it.
func (r *session) phase(ctx context.Context, f *phase) (measured *measure.Phase, judged []measure.Judgement, err error) {
	defer func() { err = errors.Join(err, r.release()) }()
	plans, err := r.plans(ctx, f)
	if ctx.Err() != nil {
		return nil, nil, cause(ctx)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	r.console.say("%s: %s", f.Name, r.describe(f, &plans[0]))
	measured = &measure.Phase{Name: f.Name}
	switch f.Kind {
	case kindSearch:
		measured.Search, err = drive.Search(ctx, drive.SearchPlan{Plan: plans[0], Start: f.Begin, Limit: time.Duration(f.Limit), Resolution: f.Near})
		if measured.Search != nil {
			r.saturation = measured.Search.Saturation
			r.console.say("  saturation %s/s after %d steps", figure(r.saturation), len(measured.Search.Steps))
		}
	case kindPair:
		measured.Pair, err = drive.Pair(ctx, plans[0], plans[1], f.Rounds)
	default:
		measured.Run, err = drive.Run(ctx, plans[0])
	}
	if ctx.Err() != nil {
		err = cause(ctx)
	}
	if measured.Run == nil && measured.Search == nil && measured.Pair == nil {
		return nil, nil, err
	}
	found := facts{run: measured.Run, search: measured.Search, pair: measured.Pair, saturation: r.saturation}
	return measured, f.judge(found), err
}

// describe says in a line what a phase does.
func (r *session) describe(f *phase, p *drive.Plan) string {
	text := "closed loop"
	switch {
	case f.Kind == kindSearch:
		text = "looking for saturation, steps of " + short(p.Duration)
	case p.Rate > 0:
		text = fmt.Sprintf("%s/s (%s), %s", figure(p.Rate), f.Arrivals, short(p.Duration))
	default:
		text += ", " + short(p.Duration)
	}
	if f.Kind == kindPair {
		text += fmt.Sprintf(", %d rounds of both", f.Rounds)
	}
	text += fmt.Sprintf(", %d connections", p.Connections)
	if p.NewConnections {
		text += ", a new one for each request"
	}
	if p.Idle > 0 {
		text += fmt.Sprintf(", %d idle", p.Idle)
	}
	return text
}

// plans are the load of the phase, one for each side that takes part.
func (r *session) plans(ctx context.Context, f *phase) ([]drive.Plan, error) {
	rate := f.Rate
	if f.Kind == kindAt {
		if r.saturation <= 0 {
			return nil, errors.New("no saturation was found that this could be a factor of")
		}
		rate = r.saturation * f.Factor
	}
	sides := r.sides[:1]
	if f.Kind == kindPair {
		sides = r.sides
	}
	var plans []drive.Plan
	for _, s := range sides {
		name := f.Name
		if f.Kind == kindPair {
			name += ", " + s.target.Name
		}
		plan := drive.Plan{
			Target: s.target, Checker: s.checker,
			Rate: rate, Poisson: f.Arrivals == "poisson", Seed: r.Seed,
			Connections: r.connections(f), NewConnections: r.newConnections(f), Idle: r.idle(f),
			Warmup: time.Duration(f.Warmup), Duration: time.Duration(f.Duration), Timeout: time.Duration(r.Timeout),
			Live: func(p measure.Point) { r.console.point(name, p) },
		}
		var err error
		if plan.Source, err = r.source(ctx, f, s, rate); err != nil {
			return nil, err
		}
		plans = append(plans, plan)
	}
	return plans, nil
}

// source is what is sent to a side in a phase: signed as it is sent, or ahead.
func (r *session) source(ctx context.Context, f *phase, s *side, rate float64) (drive.Source, error) {
	switch {
	case r.prepared != nil:
		return r.prepared, nil
	case r.Sign == signLive:
		return s.maker, nil
	}
	return r.signAhead(ctx, f, s, rate)
}
