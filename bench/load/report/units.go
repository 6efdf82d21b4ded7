package report

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// missing stands for what was not measured.
const missing = "–"

// figures is how many significant figures a measured value is shown with: as many as the histograms keep.
const figures = 3

// round3 rounds v to the figures shown. v is finite.
func round3(v float64) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', figures-1, 64), 64)
	if err != nil {
		return v // rounded up beyond the greatest number
	}
	return rounded
}

// significant writes v, which is not negative and finite, with three significant figures.
func significant(v float64) string {
	v = round3(v)
	switch {
	case v == 0:
		return "0"
	case v < 1e-4 || v >= 1e9:
		return strconv.FormatFloat(v, 'e', figures-1, 64)
	}
	decimals := figures - 1 - int(math.Floor(math.Log10(v)))
	return grouped(strconv.FormatFloat(v, 'f', max(decimals, 0), 64))
}

// brief writes v like significant but without zeros at its end: for the ticks of an axis.
func brief(v float64) string {
	v = round3(v)
	if v != 0 && (v < 1e-4 || v >= 1e9) {
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	return grouped(strconv.FormatFloat(v, 'f', -1, 64))
}

// grouped sets a space between thousands of the digits before the point.
func grouped(digits string) string {
	whole, fraction, _ := strings.Cut(digits, ".")
	if len(whole) <= 4 {
		return digits
	}
	var b strings.Builder
	for i, c := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	if fraction != "" {
		b.WriteString("." + fraction)
	}
	return b.String()
}

// count writes a number of things.
func count(n uint64) string { return grouped(strconv.FormatUint(n, 10)) }

// plural is "1 answer", "2 answers".
func plural(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}

// are is "is 1 caution", "are 2 cautions".
func are(n uint64, noun string) string {
	if n == 1 {
		return "is 1 " + noun
	}
	return "are " + plural(n, noun)
}

// A unit is a name for that many of the base.
type unit struct {
	of   float64
	name string
}

// in writes v in the greatest unit of which it has at least one. units are in ascending order.
func in(v float64, units []unit, write func(float64) string) string {
	chosen := units[0]
	for _, u := range units[1:] {
		if max(v, round3(v)) >= u.of {
			chosen = u
		}
	}
	return write(v/chosen.of) + " " + chosen.name
}

var (
	timeUnits = []unit{{1e3, "µs"}, {1e6, "ms"}, {1e9, "s"}}
	byteUnits = []unit{{1, "B"}, {1 << 10, "KiB"}, {1 << 20, "MiB"}, {1 << 30, "GiB"}, {1 << 40, "TiB"}, {1 << 50, "PiB"}, {1 << 60, "EiB"}}
)

// latency writes a duration that a histogram holds: microseconds, milliseconds or seconds. A duration of zero was not
// measured.
func latency(d time.Duration) string {
	if d <= 0 {
		return missing
	}
	return in(float64(d), timeUnits, significant)
}

// span writes how long something took: longer things in minutes and hours.
func span(d time.Duration) string {
	if d >= 10*time.Minute {
		return d.Round(time.Second).String()
	}
	return latency(d)
}

// size writes a number of bytes; zero was not measured.
func size(bytes uint64) string {
	if bytes == 0 {
		return missing
	}
	return in(float64(bytes), byteUnits, significant)
}

// rate writes so many a second. What is counted is exact: a great rate keeps its figures before the point.
func rate(v float64) string {
	if v >= 100 && v < 1e9 {
		v = math.Round(v)
		return grouped(strconv.FormatFloat(v, 'f', 0, 64)) + "/s"
	}
	return significant(max(v, 0)) + "/s"
}

// askedRate writes a rate that was asked for, as it was asked for.
func askedRate(v float64) string {
	if v > 0 && v < 1e9 && v == math.Trunc(v) {
		return count(uint64(v)) + "/s"
	}
	return rate(v)
}

// perSecond is n by d; zero when d is not positive.
func perSecond(n uint64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

// share writes part of whole in per cent. What is not none is not shown as 0 %, and what is not all not as 100 %.
func share(part, whole float64) string {
	if whole <= 0 {
		return missing
	}
	percent := 100 * part / whole
	switch {
	case part <= 0:
		return "0 %"
	case part == whole:
		return "100 %"
	case percent < 0.01:
		return "<0.01 %"
	case percent > 99.99 && part < whole:
		return ">99.99 %"
	case math.IsInf(percent, 0):
		return missing
	case percent > 1e5:
		return significant(percent) + " %"
	}
	return grouped(strconv.FormatFloat(percent, 'f', 2, 64)) + " %"
}

// ratio writes how many times one figure is another; zero was not measured.
func ratio(v float64) string {
	if v <= 0 {
		return missing
	}
	return significant(v)
}

// cores writes CPU time by elapsed time; zero was not measured.
func cores(v float64) string {
	switch {
	case v <= 0:
		return missing
	case round3(v) == 1:
		return "1.00 core"
	}
	return significant(v) + " cores"
}
