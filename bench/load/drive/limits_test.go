package drive

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sceau/bench/load/measure"
)

func of(durations ...time.Duration) *measure.Histogram {
	h := measure.NewHistogram()
	for _, d := range durations {
		h.Record(d)
	}
	return h
}

func TestLimited(t *testing.T) {
	const ms = time.Millisecond
	good := evidence{late: of(ms/10, ms/5), latency: of(5*ms, 6*ms), cores: 2, elapsed: 10 * time.Second, cpu: 10 * time.Second,
		rate: 100, making: ms, own: time.Second, served: 5 * time.Second}
	closed := good
	closed.late, closed.rate = nil, 0
	for _, test := range []struct {
		name string
		e    evidence
		do   func(*evidence)
		want string
	}{
		{"good", good, func(*evidence) {}, ""},
		{"good closed loop", closed, func(*evidence) {}, ""},
		{"late by half a millisecond", good, func(e *evidence) { e.late = of(ms / 2) }, ""},
		{"late by a little more", good, func(e *evidence) { e.late = of(6 * ms / 10) },
			"messages were sent late although a connection was free: p50 600µs, of a latency of p50 5.003ms"},
		{"late in the mean", good, func(e *evidence) { e.late = of(ms/10, ms/10, 4*ms) },
			"messages were sent late although a connection was free: mean 1.400333ms, of a latency of mean 5.5"},
		{"a few are late", good, func(e *evidence) { e.late = of(ms/10, ms/10, ms/10, ms/10, ms/10, ms/10, 3*ms) }, ""},
		{"late, but that is little of the latency", good, func(e *evidence) { e.late, e.latency = of(2*ms), of(30*ms) }, ""},
		{"late behind its own backlog", good, func(e *evidence) { e.late, e.latency, e.own = of(20*ms), of(3000*ms), 6*time.Second },
			"the connections waited 55 %"},
		{"a little late for an instant service", good, func(e *evidence) { e.own = 6 * time.Second }, ""},
		{"all CPU", good, func(e *evidence) { e.cpu = 19 * time.Second }, "the generator used 1.90 of its 2 cores"},
		{"slow messages", good, func(e *evidence) { e.making = 25 * ms }, "making a message took 25ms, and 100 a second on 2 cores leave 20ms"},
		{"slow closed loop", closed, func(e *evidence) { e.own = 15 * time.Second }, "the connections waited 75 %"},
		{"nothing measured", evidence{latency: of(), late: of()}, func(*evidence) {}, ""},
	} {
		test.do(&test.e)
		if got := test.e.limited(); !strings.HasPrefix(got, test.want) || test.want == "" && got != "" {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}

// TestImprecise: what blurs the tail of the latency is told, and is no limit.
func TestImprecise(t *testing.T) {
	const ms = time.Millisecond
	hundred := func(usual, last time.Duration) *measure.Histogram {
		h := of(last, last)
		for range 98 {
			h.Record(usual)
		}
		return h
	}
	for _, test := range []struct {
		name          string
		late, latency *measure.Histogram
		want          string
	}{
		{"in time", hundred(ms/10, ms/5), hundred(5*ms, 6*ms), ""},
		{"a millisecond", hundred(ms/10, ms), hundred(ms, ms), ""},
		{"the tail", hundred(ms/10, 2*ms), hundred(5*ms, 6*ms),
			"some messages were sent late although a connection was free: p99 2ms, of a latency of p99 6.003ms"},
		{"a quarter of the tail", hundred(ms/10, 2*ms), hundred(5*ms, 8*ms), ""},
		{"a closed loop", nil, hundred(5*ms, 6*ms), ""},
		{"nothing served", hundred(ms/10, 2*ms), of(), ""},
	} {
		e := evidence{late: test.late, latency: test.latency, cores: 2}
		if got := e.imprecise(); !strings.HasPrefix(got, test.want) || test.want == "" && got != "" {
			t.Errorf("%s: %q", test.name, got)
		}
		if got := e.limited(); got != "" {
			t.Errorf("%s: limited: %q", test.name, got)
		}
	}
}

// TestSpread: no arrival is lost, however the seconds were ended.
func TestSpread(t *testing.T) {
	second := func(s float64) measure.Point { return measure.Point{At: time.Duration(s * 1e9)} }
	for _, test := range []struct {
		offered []uint64
		series  []measure.Point
		want    []uint64
	}{
		{[]uint64{1, 2, 3}, []measure.Point{second(1), second(2), second(3)}, []uint64{1, 2, 3}},
		{[]uint64{1, 2, 3}, []measure.Point{second(1), second(3)}, []uint64{1, 5}},
		{[]uint64{1, 2, 3}, []measure.Point{second(1), second(2), second(2.4)}, []uint64{1, 2, 3}},
		{[]uint64{1, 2}, []measure.Point{second(1), second(2), second(3), second(3.5)}, []uint64{1, 2, 0, 0}},
		{[]uint64{1, 2, 3}, []measure.Point{second(0.1)}, []uint64{6}},
		{nil, []measure.Point{second(1)}, []uint64{0}},
	} {
		r := &recorder{offered: test.offered}
		r.spread(test.series)
		for i := range test.series {
			if test.series[i].Offered != test.want[i] {
				t.Errorf("%v over %v", test.offered, test.series)
				break
			}
		}
	}
}

// TestNamesAreBounded: a server that thinks up a code for each answer fills no memory.
func TestNamesAreBounded(t *testing.T) {
	counts := map[string]uint64{}
	for i := range 1000 {
		tell(counts, strings.Repeat("x", i))
	}
	tell(counts, "x")
	if len(counts) != keptNames+1 || counts[others] != 1000-keptNames || counts["x"] != 2 {
		t.Errorf("%d names, %d others", len(counts), counts[others])
	}
	got := printable([]byte("a\x00\x1b[2Jé\xff" + strings.Repeat("z", 1000)))
	if !strings.HasPrefix(got, "a..[2Jé") || len([]rune(got)) > keptBytes || strings.ContainsAny(got, "\x00\x1b") {
		t.Errorf("%q", got)
	}
}

func TestAllowFiles(t *testing.T) {
	if err := allowFiles(1); err != nil {
		t.Error(err)
	}
	if err := allowFiles(math.MaxInt32 + 1); err != nil && !strings.Contains(err.Error(), "2147483648 open files") {
		t.Error(err)
	}
}

// TestEach: all are done once; the first error ends it, and is the one that is told.
func TestEach(t *testing.T) {
	var done [1000]atomic.Int32
	count := func() (n int32) {
		for i := range done {
			n += done[i].Swap(0)
		}
		return n
	}
	mark := func(i int) error { done[i].Add(1); return nil }
	if err := each(t.Context(), len(done), mark); err != nil {
		t.Error(err)
	}
	for i := range done {
		if n := done[i].Load(); n != 1 {
			t.Fatalf("%d was done %d times", i, n)
		}
	}
	count()
	err := each(t.Context(), len(done), func(i int) error {
		if i == 40 {
			return errTest
		}
		return mark(i)
	})
	if n := count(); !errors.Is(err, errTest) || n < 40 || n == int32(len(done)) {
		t.Errorf("%v after %d", err, n)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := each(ended, len(done), mark); !errors.Is(err, context.Canceled) || count() != 0 {
		t.Error(err)
	}
}
