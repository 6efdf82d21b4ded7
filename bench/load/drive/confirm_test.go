package drive

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"sceau/bench/load/measure"
)

// failingAt makes some runs fail narrowly, for their latency.
func failingAt(runs ...int) func(int, *measure.Run) error {
	return func(n int, run *measure.Run) error {
		if slices.Contains(runs, n) {
			run.Latency.Record(time.Second)
		}
		return nil
	}
}

// ramped is a plan whose ramp is known: 885 is what run 8 begins to confirm, and 805 is next below.
func ramped() SearchPlan {
	p := searchPlan()
	p.Start, p.Resolution = 800, 0.1
	return p
}

var ramp = []float64{800, 1200, 1200, 980, 980, 885, 931, 931}

// TestConfirmation: what held once is confirmed by a longer step. When that fails the third decides, and then lower rates
// are tried until one is confirmed.
func TestConfirmation(t *testing.T) {
	for _, test := range []struct {
		name       string
		fails      []int
		confirming []float64
		saturation float64
	}{
		{"at once", nil, []float64{885}, 885.3},
		{"by the third", []int{8}, []float64{885, 885}, 885.3},
		{"the next lower", []int{8, 9}, []float64{885, 885, 805}, 804.9},
		{"the next lower by the third", []int{8, 9, 10}, []float64{885, 885, 805, 805, 805}, 804.9},
		{"much lower than anything that held", []int{8, 9, 10, 11, 12, 13}, []float64{885, 885, 805, 805, 732, 732, 665}, 665.2},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &model{capacity: 1000, change: failingAt(test.fails...)}
			found, err := searchIn(t, ramped(), m)
			if err != nil {
				t.Fatal(err)
			}
			var rates []float64
			for i, step := range found.Steps {
				rates = append(rates, math.Round(step.Load.Rate))
				if long := i >= len(ramp); step.Offering == 20*time.Second != long {
					t.Errorf("step %d lasted %v", i, step.Offering)
				}
			}
			if want := slices.Concat(ramp, test.confirming); !slices.Equal(rates, want) || found.Knee != len(want)-1 {
				t.Errorf("rates %v, knee %d", rates, found.Knee)
			}
			near(t, "saturation", found.Saturation, test.saturation, 0.1)
		})
	}
}

// TestClearFailureNeedsNoThird: what served far too little has no second chance, also when it is to be confirmed.
func TestClearFailureNeedsNoThird(t *testing.T) {
	found, err := searchIn(t, ramped(), &model{capacity: 1000, change: func(n int, run *measure.Run) error {
		if n == 8 {
			run.Served /= 2
		}
		return nil
	}})
	if err != nil || len(found.Steps) != len(ramp)+2 || found.Knee != 9 {
		t.Errorf("%d steps, knee %d, %v", len(found.Steps), found.Knee, err)
	}
}

// TestNoLuckInSaturation: it is the mean of what succeeded at the knee, and nothing counts for more than was offered.
func TestNoLuckInSaturation(t *testing.T) {
	m := &model{capacity: 1000, change: func(n int, run *measure.Run) error {
		switch n {
		case 5:
			run.Served *= 1.5 // of Poisson arrivals there may be more
		case 8:
			run.Served *= 0.96
		}
		return nil
	}}
	found, err := searchIn(t, ramped(), m)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "saturation", found.Saturation, 0.98*found.Steps[found.Knee].Load.Rate, 1e-6)
}

func TestConfirmingStepIsLong(t *testing.T) {
	for step, want := range map[time.Duration]time.Duration{time.Second: 3 * time.Second, 2 * time.Second: 4 * time.Second} {
		p := searchPlan()
		p.Duration = step
		if got := p.longer().Duration; got != want {
			t.Errorf("of %v: %v", step, got)
		}
	}
}

// TestSearchCutShort: what held is kept with what it was, and of a run that was cut short only a wrong answer.
func TestSearchCutShort(t *testing.T) {
	for _, test := range []struct {
		name       string
		start      float64
		at         int
		wrong      bool
		fails      []int
		steps      int
		knee       int
		saturation float64
	}{
		{"before it was confirmed", 800, 8, false, nil, 8, 5, 885.3},
		{"with a wrong answer", 800, 8, true, nil, 9, 5, 885.3},
		{"when the confirmation had failed", 800, 10, false, []int{8, 9}, 10, 0, 800},
		{"with a wrong answer in the closed loop", 0, 0, true, nil, 1, -1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			narrow := failingAt(test.fails...)
			m := &model{capacity: 1000, change: func(n int, run *measure.Run) error {
				if n != test.at {
					return narrow(n, run)
				}
				if test.wrong {
					run.Classes[measure.Wrong] = 1
				}
				return errTest
			}}
			p := ramped()
			p.Start = test.start
			found, err := searchIn(t, p, m)
			if !errors.Is(err, errTest) || found == nil {
				t.Fatal(err)
			}
			if len(found.Steps) != test.steps || found.Knee != test.knee {
				t.Errorf("%d steps, knee %d", len(found.Steps), found.Knee)
			}
			near(t, "saturation", found.Saturation, test.saturation, 0.1)
			if last := &found.Steps[len(found.Steps)-1]; (last.WrongAnswers() > 0) != test.wrong {
				t.Errorf("the last step has %d wrong answers", last.WrongAnswers())
			}
		})
	}
}
