package drive

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sceau/bench/load/measure"
)

func timed(served float64, latency time.Duration, cpu time.Duration) *measure.Run {
	run := &measure.Run{Served: served, Latency: measure.NewHistogram()}
	if latency > 0 {
		run.Latency.Record(latency)
	}
	if cpu > 0 {
		run.Server = &measure.Process{PerServe: cpu}
	}
	return run
}

// TestPairTurns: ABBA, the same seed for both turns of a round, and figures of A by those of B.
func TestPairTurns(t *testing.T) {
	var turns strings.Builder
	run := func(_ context.Context, p Plan) (*measure.Run, error) {
		turns.WriteString(p.Target.Name)
		turns.WriteByte('0' + byte(p.Seed))
		round := float64(p.Seed) + 1
		if p.Target.Name == "A" {
			return timed(300*round, 20*time.Millisecond, time.Millisecond), nil
		}
		return timed(100, 10*time.Millisecond, 4*time.Millisecond), nil
	}
	got, err := pair(context.Background(), Plan{Target: Target{Name: "A"}}, Plan{Target: Target{Name: "B"}}, 5, run)
	if err != nil {
		t.Fatal(err)
	}
	if turns.String() != "A0B0B1A1A2B2B3A3A4B4" {
		t.Errorf("turns %v", turns.String())
	}
	if len(got.A) != 5 || len(got.B) != 5 || got.A[3].Served != 1200 || got.B[3].Served != 100 {
		t.Errorf("%+v", got)
	}
	near(t, "served of round 3", got.Ratios[3].Served, 12, 1e-9)
	near(t, "median of served", got.Median.Served, 9, 1e-9)
	near(t, "p50", got.Median.P50, 2, 0.01)
	near(t, "p99", got.Median.P99, 2, 0.01)
	near(t, "CPU", got.Median.PerServe, 0.25, 1e-9)
}

func TestMedian(t *testing.T) {
	rounds := []measure.Ratios{{Served: 4}, {Served: 1, P50: 7}, {}, {Served: 3}, {Served: 10, P99: 2}, {P99: 3}}
	if got := median(rounds); got != (measure.Ratios{Served: 3.5, P50: 7, P99: 2.5}) {
		t.Errorf("%+v", got)
	}
	if got := median(nil); got != (measure.Ratios{}) {
		t.Errorf("of nothing: %+v", got)
	}
	if got := ratios(timed(5, 0, 0), timed(0, time.Second, time.Second)); got != (measure.Ratios{}) {
		t.Errorf("of what is missing: %+v", got)
	}
}

func TestPairEnds(t *testing.T) {
	for fails, rounds := range map[int]int{0: -1, 1: -1, 2: 1, 5: 2} {
		n := 0
		got, err := pair(context.Background(), Plan{}, Plan{}, 9, func(context.Context, Plan) (*measure.Run, error) {
			n++
			if n-1 == fails {
				return timed(1, 0, 0), errTest
			}
			return timed(2, 0, 0), nil
		})
		if err != errTest || rounds < 0 && got != nil || rounds > 0 && (len(got.A) != rounds || len(got.Ratios) != rounds || got.Median.Served != 1) {
			t.Errorf("failing at %d: %+v, %v", fails, got, err)
		}
	}
	// Of a round that was cut short what was wrong is kept, and nothing else.
	for _, test := range []struct{ wrong, fails, a, b, ratios int }{
		{0, 0, 1, 0, 0}, {0, 1, 1, 0, 0}, {1, 1, 0, 1, 0}, {4, 5, 3, 2, 2}, {2, 3, 1, 2, 1}, {3, 3, 2, 1, 1},
	} {
		n := 0
		got, err := pair(context.Background(), Plan{}, Plan{}, 9, func(context.Context, Plan) (*measure.Run, error) {
			run := timed(2, 0, 0)
			if n == test.wrong {
				run.WrongInWarmup = 1
			}
			if n++; n-1 == test.fails {
				return run, errTest
			}
			return run, nil
		})
		if err != errTest || got == nil || len(got.A) != test.a || len(got.B) != test.b || len(got.Ratios) != test.ratios {
			t.Errorf("%+v: %+v, %v", test, got, err)
		}
	}
	for _, rounds := range []int{-1, 0, maxRounds + 1} {
		if got, err := Pair(context.Background(), Plan{}, Plan{}, rounds); err == nil || got != nil {
			t.Errorf("%d rounds", rounds)
		}
	}
}

// TestPairOfServers: the slower one is seen to be slower.
func TestPairOfServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fast, slow := &service{answer: stalling(0, 0, time.Millisecond)}, &service{answer: stalling(0, 0, 2*time.Millisecond)}
		defer fast.close()
		defer slow.close()
		a, b := fast.piped(), slow.piped()
		a.Duration, b.Duration = time.Second, time.Second
		got, err := Pair(context.Background(), a, b, 3)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "served", got.Median.Served, 2, 0.01)
		near(t, "p50", got.Median.P50, 0.5, 0.01)
	})
}
