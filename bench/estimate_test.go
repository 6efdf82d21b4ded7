package bench

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A comparison is two paths that took turns, by several estimators. Disturbances only ever add time, and they add it to
// either path: which estimator is nearest depends on how many rounds they reach.
type comparison struct {
	// quiet is the figure that targets are held against: of the tenth of the rounds in which both paths together
	// took the least time, the one path's time by the other's. Rounds are chosen by the sum, which favours
	// neither path, and the figure is a mean of many, not a pick: it holds while one round in ten is left alone.
	quiet float64
	// apart is the difference of the two in the same rounds.
	apart time.Duration
	// median is that of the ratios of all rounds: it holds while one round in two is left alone.
	median float64
	// best is the least time of the one by the least time of the other: two single turns.
	best float64
}

func compare(a, b times) comparison {
	one, other := quietest(a, b)
	return comparison{quiet: float64(one) / float64(other), apart: one - other,
		median: median(ratio(a, b)), best: float64(a.min()) / float64(b.min())}
}

// quietest gives the mean times of two paths in the tenth of the rounds in which both together took the least.
func quietest(a, b times) (one, other time.Duration) {
	order := make([]int, len(a))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, k int) int { return cmp.Compare(a[i]+b[i], a[k]+b[k]) })
	order = order[:(len(order)+9)/10]
	for _, i := range order {
		one += a[i]
		other += b[i]
	}
	n := time.Duration(len(order))
	return one / n, other / n
}

// ratio gives the ratios of two paths round by round, in order.
func ratio(a, b times) []float64 {
	var all []float64
	for i := range a {
		all = append(all, float64(a[i])/float64(b[i]))
	}
	slices.Sort(all)
	return all
}

func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[n/2] + sorted[(n-1)/2]) / 2
}

// mark says whether a target holds.
func mark(holds bool) string {
	if holds {
		return "✓"
	}
	return "✗"
}

// exponent is the slope of the straight line through the logarithms, by least squares: y grows as x to that power. It is
// NaN for less than two points with positive coordinates.
func exponent(x, y []float64) float64 {
	var n, sx, sy, sxx, sxy float64
	for i := range x {
		if x[i] <= 0 || y[i] <= 0 {
			continue
		}
		a, b := math.Log(x[i]), math.Log(y[i])
		n, sx, sy, sxx, sxy = n+1, sx+a, sy+b, sxx+a*a, sxy+a*b
	}
	if n < 2 {
		return math.NaN()
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}

// TestComparison: with a known ratio and most turns disturbed, now by a little, now by much, the quiet tenth
// finds the ratio, where the median does not; whichever path is named first.
func TestComparison(t *testing.T) {
	const base = 100 * time.Microsecond
	random := rand.New(rand.NewPCG(1, 2))
	disturbed := func(d time.Duration) time.Duration {
		switch random.IntN(8) {
		case 0, 1, 2, 3:
			return d + time.Duration(random.IntN(int(100*time.Microsecond))) // the shorter of two suffers more
		case 4:
			return d * 3
		}
		return d + time.Duration(random.IntN(int(d/200)))
	}
	for _, want := range []float64{1.05, 1.25, 7} {
		var a, b times
		for range 400 {
			a = append(a, disturbed(time.Duration(want*float64(base))))
			b = append(b, disturbed(base))
		}
		there, back := compare(a, b), compare(b, a)
		if math.Abs(there.quiet/want-1) > 0.01 {
			t.Errorf("quiet tenth %.4f, want %.2f", there.quiet, want)
		}
		if gap := time.Duration((want - 1) * float64(base)); (there.apart-gap).Abs() > base/100 || there.apart != -back.apart {
			t.Errorf("%v apart, want %v", there.apart, gap)
		}
		if math.Abs(there.quiet*back.quiet-1) > 1e-9 {
			t.Errorf("%.6f one way, %.6f the other", there.quiet, back.quiet)
		}
		if math.Abs(there.best/want-1) > 0.01 {
			t.Errorf("best %.4f, want %.2f", there.best, want)
		}
		if off := math.Abs(there.median/want - 1); off < math.Abs(there.quiet/want-1) {
			t.Errorf("the median %.4f is nearer to %.2f than the quiet tenth %.4f", there.median, want, there.quiet)
		}
	}
}

func TestExponent(t *testing.T) {
	x := []float64{1, 10, 50, 500}
	for _, want := range []float64{0, 0.5, 1, 2} {
		var y []float64
		for _, v := range x {
			y = append(y, 3*math.Pow(v, want))
		}
		if got := exponent(x, y); math.Abs(got-want) > 1e-9 {
			t.Errorf("exponent %g, want %g", got, want)
		}
	}
	if got := exponent(x[:1], x[:1]); !math.IsNaN(got) {
		t.Errorf("one point has the exponent %g", got)
	}
}
