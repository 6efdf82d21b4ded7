package drive

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"sceau/bench/load/measure"
)

// A model is a server without a network: it serves up to its capacity, and latency grows as it gets near.
type model struct {
	capacity float64
	limited  string
	change   func(n int, run *measure.Run) error // of the nth run
	plans    []Plan
}

func (m *model) run(_ context.Context, p Plan) (*measure.Run, error) {
	m.plans = append(m.plans, p)
	run := &measure.Run{Load: p.load(), Offering: p.Duration, Latency: measure.NewHistogram(), Classes: map[measure.Class]uint64{}}
	rate := p.Rate
	if rate == 0 {
		rate = m.capacity
	}
	run.Offered = uint64(rate * p.Duration.Seconds())
	run.Served = min(rate, m.capacity)
	run.Classes[measure.Right] = uint64(run.Served * p.Duration.Seconds())
	latency := time.Minute
	if rate < m.capacity {
		latency = time.Duration(float64(time.Millisecond) / (1 - rate/m.capacity))
	} else {
		run.Generator.Limited = m.limited
	}
	run.Latency.Record(latency)
	if m.change != nil {
		if err := m.change(len(m.plans)-1, run); err != nil {
			return run, err
		}
	}
	return run, nil
}

func searchPlan() SearchPlan {
	p := SearchPlan{Plan: basePlan(), Limit: 10050 * time.Microsecond}
	p.Target.URL, p.Duration = "http://fake/", 10*time.Second
	return p
}

func searchIn(t testing.TB, p SearchPlan, m *model) (*measure.Search, error) {
	t.Helper()
	if err := p.complete(); err != nil {
		t.Fatal(err)
	}
	return newSearching(p, m.run).search(context.Background())
}

// TestSearchFindsSaturation: wherever it begins, and in few steps. At 90 % of capacity the model's latency is at the limit.
func TestSearchFindsSaturation(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{capacity: rapid.Float64Range(20, 50_000).Draw(rt, "capacity")}
		p := searchPlan()
		p.Start = m.capacity * rapid.SampledFrom([]float64{0, 0.05, 0.5, 0.95, 1, 8}).Draw(rt, "start")
		p.Resolution = rapid.Float64Range(0.01, 0.2).Draw(rt, "resolution")
		found, err := searchIn(t, p, m)
		if err != nil {
			rt.Fatal(err)
		}
		most := 0.9 * m.capacity
		if found.Saturation > most*1.01 || found.Saturation*(1+p.Resolution) < most*0.99 {
			rt.Errorf("saturation %v of %v", found.Saturation, most)
		}
		knee := found.Steps[found.Knee]
		near(rt, "saturation", found.Saturation, knee.Served, 1e-9)
		if long := knee.Offering; long != 20*time.Second || len(found.Steps) > 23 || found.Limited != "" {
			rt.Errorf("knee of %v, %d steps, %q", long, len(found.Steps), found.Limited)
		}
		for _, step := range found.Steps {
			if step.Load.Rate > knee.Load.Rate && p.sustained(&step) {
				rt.Errorf("%v is sustained, and greater than the knee %v", step.Load.Rate, knee.Load.Rate)
			}
			if step.Load.Loop != "open" {
				rt.Error("a step that is no open loop")
			}
		}
	})
}

// TestSearchSteps: up by the factor, then between; each step with a seed of its own.
func TestSearchSteps(t *testing.T) {
	m := &model{capacity: 1000}
	p := searchPlan()
	p.Seed = 7
	found, err := searchIn(t, p, m)
	if err != nil {
		t.Fatal(err)
	}
	var rates []float64
	for i, step := range found.Steps {
		rates = append(rates, math.Round(step.Load.Rate))
		if seed := m.plans[i+1].Seed; seed != 7+uint64(i) {
			t.Errorf("step %d has seed %d", i, seed)
		}
	}
	// 0.6 of the closed loop, 1.5 times that just holds, the next fails for sure, then two between; those that serve enough, but
	// too slowly, are tried twice; what held is confirmed.
	want := []float64{600, 900, 1350, 1102, 1102, 996, 996, 947, 947, 923, 923, 900}
	if !slices.Equal(rates, want) || found.Knee != 11 {
		t.Errorf("rates %v, knee %d", rates, found.Knee)
	}
	if found.Criterion != "served ≥ 95 % of offered, p99 ≤ 10.05ms" {
		t.Errorf("criterion %q", found.Criterion)
	}
	if m.plans[0].Rate != 0 || m.plans[0].Duration != estimateTime {
		t.Errorf("the first look: %+v", m.plans[0].load())
	}
}

// TestSearchSecondChance: a noisy moment does not end a ramp; of a failure and a success the third decides.
func TestSearchSecondChance(t *testing.T) {
	m := &model{capacity: 1000, change: func(n int, run *measure.Run) error {
		if n == 2 {
			run.Latency.Record(time.Second)
		}
		return nil
	}}
	found, err := searchIn(t, searchPlan(), m)
	var rates []float64
	for _, step := range found.Steps[:5] {
		rates = append(rates, math.Round(step.Load.Rate))
	}
	if err != nil || found.Saturation != 900 || !slices.Equal(rates, []float64{600, 900, 900, 900, 1350}) {
		t.Errorf("%+v, %v, %v", found.Saturation, rates, err)
	}
}

func TestSearchEnds(t *testing.T) {
	wrong := func(at int) func(int, *measure.Run) error {
		return func(n int, run *measure.Run) error {
			if n == at {
				run.Wrong = []measure.WrongAnswer{{Why: "forged"}}
				run.Classes[measure.Wrong] = 1
			}
			return nil
		}
	}
	warming := func(at int) func(int, *measure.Run) error {
		return func(n int, run *measure.Run) error {
			if n == at {
				run.WrongInWarmup = 1
			}
			return nil
		}
	}
	failing := func(at int) func(int, *measure.Run) error {
		return func(n int, run *measure.Run) error {
			if n == at {
				return errTest
			}
			return nil
		}
	}
	none := func(int, *measure.Run) error { return nil }
	for _, test := range []struct {
		name     string
		capacity float64
		limited  string
		change   func(int, *measure.Run) error
		plan     func(*SearchPlan)
		steps    int // -1: no search
		found    bool
		err      string
	}{
		{"a wrong answer", 1000, "", wrong(2), nil, 2, true, ""},
		{"a wrong answer at first", 1000, "", wrong(0), nil, 1, false, "drive: wrong answers before the search: 1"},
		{"a wrong answer in a warm-up", 1000, "", warming(2), nil, 2, true, ""},
		{"a wrong answer in the first warm-up", 1000, "", warming(0), nil, 1, false, "drive: wrong answers before the search: 1"},
		{"a wrong answer while it is confirmed", 1000, "", warming(12), nil, 12, true, ""},
		{"an error", 1000, "", failing(2), nil, 1, true, errTest.Error()},
		{"an error at first", 1000, "", failing(0), nil, -1, false, errTest.Error()},
		{"a server that serves nobody", 0, "", none, nil, -1, false, "drive: no right answer in the closed loop"},
		{"never fast enough", 1000, "", func(_ int, run *measure.Run) error { run.Latency.Record(time.Second); return nil }, nil, 20, false,
			"drive: no rate met the criterion"},
		{"too few steps", 1000, "", none, func(p *SearchPlan) { p.MaxSteps = 3 }, 3, true, ""},
		{"too few steps to confirm", 1000, "", failingAt(1, 2, 3), func(p *SearchPlan) { p.MaxSteps, p.Start = 3, 800 }, 3, false,
			"drive: no rate was confirmed in the 3 steps"},
		{"the generator's limit", 1000, "late", none, nil, 12, true, ""},
		{"no limit at all", 1e9, "", none, func(p *SearchPlan) { p.Start = 9e5 }, 3, true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := searchPlan()
			if test.plan != nil {
				test.plan(&p)
			}
			found, err := searchIn(t, p, &model{capacity: test.capacity, limited: test.limited, change: test.change})
			if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.HasPrefix(err.Error(), test.err)) {
				t.Error(err)
			}
			if test.steps < 0 {
				if found != nil {
					t.Errorf("%+v", found)
				}
				return
			}
			if found == nil || len(found.Steps) != test.steps || (found.Saturation > 0) != test.found || (found.Knee >= 0) != test.found {
				t.Fatalf("%+v", found)
			}
		})
	}
}

// TestSearchLimited: what ended the search is the failure nearest to the knee, not any on the way.
func TestSearchLimited(t *testing.T) {
	limited := func(over float64) func(int, *measure.Run) error {
		return func(_ int, run *measure.Run) error {
			if run.Load.Rate > over {
				run.Generator.Limited = "late"
			}
			return nil
		}
	}
	for over, want := range map[float64]string{1200: "", 800: "late"} {
		found, err := searchIn(t, searchPlan(), &model{capacity: 1000, change: limited(over)})
		if err != nil || found.Limited != want {
			t.Errorf("over %v: %q, %v", over, found.Limited, err)
		}
	}
}

// TestCriterion: what was offered must be served, in time and rightly.
func TestCriterion(t *testing.T) {
	p := searchPlan()
	if err := p.complete(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		offered uint64
		served  float64
		latency time.Duration
		wrong   uint64
		want    bool
	}{
		{"all", 1000, 100, time.Millisecond, 0, true},
		{"just enough", 1000, 95, 10 * time.Millisecond, 0, true},
		{"too few", 1000, 94, time.Millisecond, 0, false},
		{"too slow", 1000, 100, 11 * time.Millisecond, 0, false},
		{"more than the rate by chance, and all served", 1100, 110, time.Millisecond, 0, true},
		{"a wrong answer", 1000, 100, time.Millisecond, 1, false},
		{"nothing offered", 0, 0, 0, 0, false},
		{"nothing served", 1000, 0, 0, 0, false},
	} {
		run := &measure.Run{Offered: test.offered, Offering: 10 * time.Second, Served: test.served, Latency: of(test.latency),
			Classes: map[measure.Class]uint64{measure.Right: uint64(test.served), measure.Wrong: test.wrong}}
		if got := p.sustained(run); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
		if run.WrongInWarmup = 1; p.sustained(run) {
			t.Errorf("%s: with a wrong answer in the warm-up", test.name)
		}
	}
}

func TestSearchPlansThatAreNone(t *testing.T) {
	for name, change := range map[string]func(*SearchPlan){
		"no limit":            func(p *SearchPlan) { p.Limit = 0 },
		"negative start":      func(p *SearchPlan) { p.Start = -1 },
		"start that is none":  func(p *SearchPlan) { p.Start = math.NaN() },
		"negative resolution": func(p *SearchPlan) { p.Resolution = -1 },
		"negative steps":      func(p *SearchPlan) { p.MaxSteps = -1 },
		"a step":              func(p *SearchPlan) { p.MaxSteps = 1 },
		"negative settling":   func(p *SearchPlan) { p.Settle = -1 },
		"no plan":             func(p *SearchPlan) { p.Plan = Plan{} },
	} {
		p := searchPlan()
		change(&p)
		if found, err := Search(context.Background(), p); err == nil || found != nil || !strings.HasPrefix(err.Error(), "drive: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSearchOfServer: the whole of it, with a server whose capacity is known: four connections of 10 ms, and so on to 300 % of it.
func TestSearchOfServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: stalling(0, 0, 10*time.Millisecond)}
		defer s.close()
		p := SearchPlan{Plan: s.piped(), Limit: 30 * time.Millisecond, Settle: time.Second}
		p.Warmup, p.Duration, p.Timeout = time.Second, 10*time.Second, time.Second
		found, err := Search(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		if found.Saturation < 380 || found.Saturation > 401 {
			t.Errorf("saturation %v of 400", found.Saturation)
		}
		for factor, want := range map[float64]float64{0.7: 0.7 * found.Saturation, 3: 400} {
			beyond := p.Plan
			beyond.Rate = found.Saturation * factor
			run, err := Run(context.Background(), beyond)
			if err != nil {
				t.Fatal(err)
			}
			holdTogether(t, run)
			if math.Abs(run.Served-want) > want/100 || math.Abs(run.Load.Rate-factor*found.Saturation) > 1e-6 {
				t.Errorf("at %v: %v served, not %v, of %v", factor, run.Served, want, run.Load.Rate)
			}
		}
	})
}

func TestSearchCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	m := &model{capacity: 1000, change: func(n int, _ *measure.Run) error {
		if n == 2 {
			cancel(errTest)
		}
		return nil
	}}
	p := searchPlan()
	if err := p.complete(); err != nil {
		t.Fatal(err)
	}
	found, err := newSearching(p, m.run).search(ctx)
	if !errors.Is(err, errTest) || len(found.Steps) != 2 {
		t.Errorf("%v, %+v", err, found)
	}
}
