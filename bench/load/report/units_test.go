package report

import (
	"math"
	"testing"
	"time"
)

func TestUnits(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{latency(0), "–"}, {latency(-1), "–"}, {latency(1), "0.00100 µs"}, {latency(time.Microsecond), "1.00 µs"}, {latency(999_499), "999 µs"},
		{latency(999_500), "1.00 ms"}, {latency(12_345 * time.Microsecond), "12.3 ms"}, {latency(999_999_999), "1.00 s"},
		{latency(10 * time.Minute), "600 s"}, {latency(math.MaxInt64), "9.22e+09 s"},
		{span(90 * time.Second), "90.0 s"}, {span(time.Hour + 2*time.Second), "1h0m2s"}, {span(0), "–"},
		{size(0), "–"}, {size(1), "1.00 B"}, {size(1023), "1020 B"}, {size(1024), "1.00 KiB"}, {size(115 << 20), "115 MiB"}, {size(math.MaxUint64), "16.0 EiB"},
		{rate(0), "0/s"}, {rate(-1), "0/s"}, {rate(0.00001234), "1.23e-05/s"}, {rate(1.234), "1.23/s"}, {rate(99.96), "100/s"}, {rate(2403.5), "2404/s"}, {rate(1234567.8), "1 234 568/s"}, {rate(1e300), "1.00e+300/s"},
		{askedRate(850), "850/s"}, {askedRate(12.5), "12.5/s"}, {askedRate(1e300), "1.00e+300/s"}, {askedRate(123456), "123 456/s"},
		{count(0), "0"}, {count(9999), "9999"}, {count(10000), "10 000"}, {count(math.MaxUint64), "18 446 744 073 709 551 615"},
		{share(0, 0), "–"}, {share(0, 5), "0 %"}, {share(1, 100_000), "<0.01 %"}, {share(99_999, 100_000), ">99.99 %"}, {share(7, 7), "100 %"}, {share(1, 3), "33.33 %"},
		{share(3, 2), "150.00 %"}, {share(1e9, 1), "1.00e+11 %"}, {share(1e308, 1e-308), "–"},
		{ratio(0), "–"}, {ratio(0.9271), "0.927"}, {ratio(1.0149), "1.01"}, {ratio(1e-9), "1.00e-09"},
		{cores(0), "–"}, {cores(0.5), "0.500 cores"}, {cores(0.9999), "1.00 core"}, {cores(3), "3.00 cores"},
		{plural(0, "step"), "0 steps"}, {plural(1, "step"), "1 step"}, {plural(12345, "step"), "12 345 steps"},
		{brief(0), "0"}, {brief(0.1 + 0.2), "0.3"}, {brief(20000), "20 000"}, {brief(1e12), "1e+12"}, {significant(math.MaxFloat64), "1.80e+308"},
		{percentileName(0), "0 %"}, {percentileName(beyond(.5)), "50 %"}, {percentileName(1), "90 %"}, {percentileName(2), "99 %"}, {percentileName(3), "99.9 %"}, {percentileName(beyond(.995)), "99.5 %"},
	} {
		if test.got != test.want {
			t.Errorf("%q, not %q", test.got, test.want)
		}
	}
}

func TestPrintable(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"200 samlp:Success, µs ≤ é", "200 samlp:Success, µs ≤ é"},
		{"\x1b[31mred\x07\x7f", `\x1b[31mred\x07\x7f`},
		{"a\u202eb\u2066\u200b\u2028\u009b", `a\u202eb\u2066\u200b\u2028\u009b`},
		{"one\ntwo\r\tthree", `one\x0atwo\x0d\x09three`},
		{"\xff\xc3", `\xff\xc3`},
		{"\U000e0041\ufffd\u00a0", "\\ue0041\ufffd\\u00a0"},
	} {
		if got := printable(test.text); got != test.want {
			t.Errorf("%q became %s, not %s", test.text, got, test.want)
		}
	}
	if got := []rune(printable(string(make([]rune, 5*longestText)))); len(got) > 4*longestText+1 || got[len(got)-1] != '…' {
		t.Errorf("a long text has %d characters and ends in %q", len(got), got[len(got)-1])
	}
	if got := printableLines("a:\n\tb\x1b\r\nc"); got != "a:\n    b\\x1b\nc" {
		t.Errorf("lines became %q", got)
	}
}
