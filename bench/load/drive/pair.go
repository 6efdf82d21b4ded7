package drive

import (
	"context"
	"fmt"
	"slices"

	"sceau/bench/load/measure"
)

// maxRounds bounds the rounds of a pair.
const maxRounds = 1000

// Pair runs two plans turn by turn, A B, B A, A B, …, so that what drifts while they run weighs on both
// alike, and gives the ratios of each round and their medians. Both have the seed of their plan and the number of the
// round. With an error the rounds that were finished are returned, and beside them what of another had a wrong answer; nil
// when there is neither. So A and B may then be longer than Ratios.
func Pair(ctx context.Context, a, b Plan, rounds int) (*measure.Pair, error) {
	return pair(ctx, a, b, rounds, Run)
}

func pair(ctx context.Context, a, b Plan, rounds int, run func(context.Context, Plan) (*measure.Run, error)) (*measure.Pair, error) {
	if rounds < 1 || rounds > maxRounds {
		return nil, fmt.Errorf("drive: %d rounds of a pair: between 1 and %d are run", rounds, maxRounds)
	}
	pair := &measure.Pair{}
	for round := range rounds {
		plans := [2]Plan{a, b}
		var runs [2]*measure.Run
		for turn := range plans {
			which := (turn + round) % 2
			p := plans[which]
			p.Seed += uint64(round)
			one, err := run(ctx, p)
			runs[which] = one
			if err != nil {
				return cutShort(pair, runs), err
			}
		}
		pair.A, pair.B = append(pair.A, *runs[0]), append(pair.B, *runs[1])
		pair.Ratios = append(pair.Ratios, ratios(runs[0], runs[1]))
	}
	pair.Median = median(pair.Ratios)
	return pair, nil
}

// cutShort is a pair whose last round was not finished: of that round those runs are kept that fail the whole by a
// wrong answer. It is nil when there is nothing in it.
func cutShort(pair *measure.Pair, runs [2]*measure.Run) *measure.Pair {
	for i, side := range []*[]measure.Run{&pair.A, &pair.B} {
		if one := runs[i]; one != nil && one.WrongAnswers() > 0 {
			*side = append(*side, *one)
		}
	}
	if len(pair.A)+len(pair.B) == 0 {
		return nil
	}
	pair.Median = median(pair.Ratios)
	return pair
}

func ratios(a, b *measure.Run) measure.Ratios {
	r := measure.Ratios{
		Served: ratio(a.Served, b.Served),
		P50:    ratio(a.Latency.Quantile(.5).Seconds(), b.Latency.Quantile(.5).Seconds()),
		P99:    ratio(a.Latency.Quantile(.99).Seconds(), b.Latency.Quantile(.99).Seconds()),
	}
	if a.Server != nil && b.Server != nil {
		r.PerServe = ratio(a.Server.PerServe.Seconds(), b.Server.PerServe.Seconds())
	}
	return r
}

// ratio is zero where one of the two is missing.
func ratio(a, b float64) float64 {
	if a <= 0 || b <= 0 {
		return 0
	}
	return a / b
}

// median takes each figure by itself, over the rounds that have it.
func median(rounds []measure.Ratios) measure.Ratios {
	of := func(figure func(measure.Ratios) float64) float64 {
		var all []float64
		for _, r := range rounds {
			if f := figure(r); f > 0 {
				all = append(all, f)
			}
		}
		slices.Sort(all)
		n := len(all)
		if n == 0 {
			return 0
		}
		return (all[(n-1)/2] + all[n/2]) / 2
	}
	return measure.Ratios{
		Served:   of(func(r measure.Ratios) float64 { return r.Served }),
		P50:      of(func(r measure.Ratios) float64 { return r.P50 }),
		P99:      of(func(r measure.Ratios) float64 { return r.P99 }),
		PerServe: of(func(r measure.Ratios) float64 { return r.PerServe }),
	}
}
