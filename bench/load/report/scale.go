package report

import (
	"fmt"
	"math"
	"time"
)

// A scale places values of an axis between 0 and 1.
type scale struct {
	low, high   float64
	logarithmic bool
	ticks       []tick
}

// A tick is a value that is marked.
type tick struct {
	Value float64
	Label string
}

// place returns where v is; what is beyond an end is at the end.
func (s scale) place(v float64) float64 {
	low, high := s.low, s.high
	if s.logarithmic {
		v, low, high = math.Log10(max(v, math.SmallestNonzeroFloat64)), math.Log10(low), math.Log10(high)
	}
	if high <= low {
		return 0.5
	}
	return min(max((v-low)/(high-low), 0), 1)
}

// greatest is the end of any linear axis, far enough from the greatest number to be rounded up.
const greatest = 1e300

// leastWidth is the width from which an axis is linear at all, far enough from zero to be cut into steps.
const leastWidth = 1e-290

// mostTicks is how many an axis may have, whatever its values.
const mostTicks = 60

// niceStep is the least of 1, 2 or 5 times a power of ten that cuts width into at most n parts.
func niceStep(width float64, n int) float64 {
	raw := width / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= raw*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// linear returns a scale over low to high with about n parts, widened to whole steps. label writes a tick.
func linear(low, high float64, n int, label func(float64) string) scale {
	high = min(high, greatest)
	if !(high-low > leastWidth) {
		high = low + 1
	}
	return stepped(low, high, niceStep(high-low, n), label)
}

// stepped returns a scale over low to high, widened to whole steps.
func stepped(low, high, step float64, label func(float64) string) scale {
	first, last := math.Floor(low/step+1e-9), math.Ceil(high/step-1e-9)
	s := scale{low: first * step, high: last * step}
	for i := first; i <= last && len(s.ticks) < mostTicks; i++ {
		s.ticks = append(s.ticks, tick{i * step, label(i * step)})
	}
	return s
}

// bytesScale is linear from zero, in steps that are nice in KiB, MiB or GiB.
func bytesScale(high float64, n int) scale {
	of := 1.0
	for _, u := range byteUnits {
		if high >= u.of {
			of = u.of
		}
	}
	return stepped(0, max(high, 1), max(niceStep(max(high, 1)/of, n), 1/of)*of, func(v float64) string {
		if v == 0 {
			return "0"
		}
		return in(v, byteUnits, brief)
	})
}

// logScale covers low to high, both above zero. It ends at 1, 2 or 5 times a power of ten and marks those, or only powers
// of ten where there are many.
func logScale(low, high float64, label func(float64) string) scale {
	low, high = max(low, 1e-30), min(high, 1e30)
	high = max(high, low)
	s := scale{logarithmic: true, low: math.Inf(1)}
	first, last := int(math.Floor(math.Log10(low)))-1, int(math.Ceil(math.Log10(high)))+1
	every := (last-first)/mostTicks + 1
	for e := first; e <= last; e++ {
		for _, m := range []float64{1, 2, 5} {
			v := m * math.Pow(10, float64(e))
			switch {
			case v <= low*(1+1e-9):
				s.low, s.ticks = v, s.ticks[:0] // the last at or below low
			case s.high >= high*(1-1e-9) && s.high > s.low:
				continue // complete
			}
			s.high = v
			s.ticks = append(s.ticks, tick{v, label(v)})
		}
	}
	if s.high/s.low <= 1001 {
		return s
	}
	powers := s.ticks[:0]
	for _, t := range s.ticks {
		if e := math.Log10(t.Value); math.Abs(e-math.Round(e)) < 1e-6 && int(math.Round(e))%every == 0 {
			powers = append(powers, t)
		}
	}
	s.ticks = powers
	return s
}

// spread is from how many times the least value on an axis is logarithmic.
const spread = 20

// latencyScale covers durations in nanoseconds: from zero where they are alike, logarithmic where they are not. It says which.
func latencyScale(low, high float64, n int) (s scale, how string) {
	label := func(v float64) string {
		if v == 0 {
			return "0"
		}
		return in(v, timeUnits, brief)
	}
	if low > 0 && high/low > spread {
		return logScale(low, high, label), ", logarithmic"
	}
	return linear(0, high, n, label), ""
}

// rateScale covers rates from zero.
func rateScale(high float64, n int) scale { return linear(0, high, n, brief) }

// offeredScale covers rates that were offered: logarithmic where steps grew far.
func offeredScale(low, high float64, n int) (s scale, how string) {
	if low > 0 && high/low > spread {
		return logScale(low, high, brief), ", logarithmic"
	}
	return rateScale(high, n), ""
}

// ratioScale covers ratios and 1.
func ratioScale(low, high float64, n int) (s scale, how string) {
	low, high = min(low, 1), max(high, 1)
	if low > 0 && high/low > 5 {
		return logScale(low, high, brief), ", logarithmic"
	}
	margin := max((high-low)*0.1, 0.02)
	return linear(max(low-margin, 0), high+margin, n, brief), ""
}

// elapsedSteps are those that clocks are read in.
var elapsedSteps = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour}

// elapsedScale covers time since a beginning, in nanoseconds; it does not end on a whole step, so that no time is shown that
// was not measured. It says how times are written.
func elapsedScale(high float64, n int) (s scale, how string) {
	high = max(high, float64(time.Second))
	step := float64(elapsedSteps[len(elapsedSteps)-1])
	for _, d := range elapsedSteps {
		if high/float64(d) <= float64(n) {
			step = float64(d)
			break
		}
	}
	for high/step > mostTicks/2 { // years
		step *= 2
	}
	s = scale{high: high}
	for v := 0.0; v <= high; v += step {
		s.ticks = append(s.ticks, tick{v, elapsed(v, high)})
	}
	switch {
	case high <= float64(2*time.Minute):
		return s, "s"
	case high <= float64(2*time.Hour):
		return s, "min:s"
	}
	return s, "h:min"
}

// elapsed writes a time since the beginning of something that lasted high: seconds, minutes and seconds, or hours and minutes.
func elapsed(v, high float64) string {
	seconds := int64(math.Round(v / float64(time.Second)))
	switch {
	case high <= float64(2*time.Minute):
		return fmt.Sprint(seconds)
	case high <= float64(2*time.Hour):
		return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
	}
	return fmt.Sprintf("%d:%02d", seconds/3600, seconds/60%60)
}

// beyond turns a percentile into its place on the axis of percentiles, the decimal logarithm of 1/(1-q): every step
// to the right has a tenth of the answers beyond it.
func beyond(q float64) float64 { return -math.Log10(1 - q) }

// percentileName writes the percentile at x of that axis.
func percentileName(x float64) string {
	decimals := max(int(math.Ceil(x-1e-9))-2, 0)
	return fmt.Sprintf("%.*f %%", decimals, 100*(1-math.Pow(10, -x)))
}

// percentileScale covers percentiles up to that which one answer of so many is.
func percentileScale(answers int64) scale {
	high := math.Log10(max(float64(answers), 10))
	s := scale{high: high, ticks: []tick{{0, "0 %"}, {beyond(.5), "50 %"}, {1, "90 %"}}}
	for x := 2.0; x <= high+1e-9 && len(s.ticks) < mostTicks; x++ {
		s.ticks = append(s.ticks, tick{x, percentileName(x)})
	}
	return s
}

// roundScale has a mark for each of n rounds, or some of them.
func roundScale(n, parts int) scale {
	s := scale{low: 0.5, high: float64(n) + 0.5}
	every := max(int(niceStep(float64(n), parts)), 1)
	for i := every; i <= n; i += every {
		s.ticks = append(s.ticks, tick{float64(i), fmt.Sprint(i)})
	}
	return s
}
