package drive

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func all(a *arrivals) (times []time.Duration) {
	for {
		at, ok := a.next()
		if !ok {
			return times
		}
		times = append(times, at)
	}
}

func TestConstantArrivals(t *testing.T) {
	times := all(newArrivals(3, false, 0, 2*time.Second))
	want := []time.Duration{0, 333333333, 666666666, time.Second, 1333333333, 1666666666}
	if !slices.Equal(times, want) {
		t.Errorf("got %v", times)
	}
	// Gaps that were rounded and added up would be a millisecond off by then.
	late := all(newArrivals(3, false, 0, 1_000_000*time.Second))
	if last := 1_000_000*time.Second - time.Second/3 - 1; len(late) != 3_000_000 || (late[len(late)-1]-last).Abs() > time.Microsecond {
		t.Errorf("the last of %d is due at %v", len(late), late[len(late)-1])
	}
}

func TestArrivalsArePure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(0.1, 5000).Draw(t, "rate")
		seed := rapid.Uint64().Draw(t, "seed")
		poisson := rapid.Bool().Draw(t, "poisson")
		end := time.Duration(rapid.Int64Range(1, 2e9).Draw(t, "end"))
		a, b := all(newArrivals(rate, poisson, seed, end)), all(newArrivals(rate, poisson, seed, end))
		if !slices.Equal(a, b) {
			t.Fatal("the same seed and rate gave other arrivals")
		}
		if !slices.IsSorted(a) || len(a) > 0 && (a[0] < 0 || a[len(a)-1] >= end) {
			t.Fatalf("arrivals out of order or of bounds: %v before %v", a, end)
		}
		if expected := math.Ceil(rate * end.Seconds()); !poisson && math.Abs(float64(len(a))-expected) > 1 {
			t.Fatalf("%d arrivals, not %v", len(a), expected)
		}
		half := newTally(newArrivals(rate, poisson, seed, end))
		if n := half.until(end/2) + half.until(end); n != uint64(len(a)) {
			t.Fatalf("the tally counts %d of %d", n, len(a))
		}
		if poisson && len(a) > 20 && slices.Equal(a, all(newArrivals(rate, true, seed+1, end))) {
			t.Fatal("another seed gave the same arrivals")
		}
	})
}

// TestPoissonArrivals compares 100 000 gaps with the exponential distribution: mean, deviation, the whole
// distribution (Kolmogorov-Smirnov), independence, and the dispersion of counts. Seeds are fixed: it fails always or never.
func TestPoissonArrivals(t *testing.T) {
	const n = 100_000
	for _, rate := range []float64{7, 250, 20_000} {
		for seed := range uint64(3) {
			a := newArrivals(rate, true, seed, time.Duration(math.MaxInt64))
			gaps := make([]float64, n) // in means
			counts := make([]float64, n/10)
			before := time.Duration(0)
			for i := range gaps {
				at, ok := a.next()
				if !ok {
					t.Fatal("no more arrivals")
				}
				gaps[i] = (at - before).Seconds() * rate
				before = at
				if bin := int(at.Seconds() * rate / 10); bin < len(counts) {
					counts[bin]++
				}
			}
			mean, deviation := moments(gaps)
			near(t, "mean gap", mean, 1, 0.01)
			near(t, "deviation of gaps", deviation, 1, 0.015)
			near(t, "correlation of a gap with the next", correlation(gaps), 0, 0.01)
			mean, deviation = moments(counts[:len(counts)-200]) // the last may lie beyond the last arrival
			near(t, "dispersion of counts", deviation*deviation/mean, 1, 0.06)
			slices.Sort(gaps)
			worst := 0.0
			for i, gap := range gaps {
				f := 1 - math.Exp(-gap)
				worst = max(worst, math.Abs(f-float64(i)/n), math.Abs(f-float64(i+1)/n))
			}
			if worst*math.Sqrt(n) > 1.63 { // 1 % level
				t.Errorf("rate %v, seed %d: distance %v from the exponential distribution", rate, seed, worst)
			}
		}
	}
}

func moments(x []float64) (mean, deviation float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		deviation += (v - mean) * (v - mean) / float64(len(x))
	}
	return mean, math.Sqrt(deviation)
}

func correlation(x []float64) float64 {
	mean, deviation := moments(x)
	sum := 0.0
	for i := range x[1:] {
		sum += (x[i] - mean) * (x[i+1] - mean)
	}
	return sum / float64(len(x)-1) / deviation / deviation
}

func near(t interface {
	Helper()
	Errorf(format string, args ...any)
}, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance {
		t.Errorf("%s: %v, not %v", what, got, want)
	}
}
