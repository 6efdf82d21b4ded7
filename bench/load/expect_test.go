package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sceau/bench/load/measure"
)

// timed is a histogram of 99 times the one duration and twice the other.
func timed(most, worst time.Duration) *measure.Histogram {
	h := measure.NewHistogram()
	for range 99 {
		h.Record(most)
	}
	h.Record(worst)
	h.Record(worst)
	return h
}

// goodRun is a run in which all is well.
func goodRun() *measure.Run {
	return &measure.Run{
		Idle: 10000, Offered: 1000, Answered: 1000, Served: 90, Verified: 900,
		Classes: map[measure.Class]uint64{measure.Right: 900, measure.Busy: 90, measure.Failed: 10},
		Latency: timed(10*time.Millisecond, 80*time.Millisecond), Service: timed(10*time.Millisecond, 20*time.Millisecond),
		Refusal: timed(time.Millisecond, 2*time.Millisecond),
		Server:  &measure.Process{RSSMax: 100 << 20},
	}
}

func TestExpectations(t *testing.T) {
	for _, c := range []struct {
		key          string
		meets, fails scalar
		found        string
	}{
		{"p99-of-mean-service", "10", "5", "p99 80.1 ms, mean service time 10.2 ms"},
		{"p99", "100ms", "50ms", "80.1 ms"},
		{"max-wait", "100ms", "50ms", "80.1 ms"},
		{"answered-within", "25ms", "15ms", "20 ms"},
		{"served-of-saturation", "0.9", "0.95", "0.9 ×: 90/s of 100/s"},
		{"served", "90", "91", "90/s"},
		{"busy-share", "0.09", "0.08", "0.09: 90 of 1000"},
		{"error-share", "0.01", "0", "0.01: 10 of 1000"},
		{"idle-kept", "10000", "10001", "10000 at the end"},
		{"rss-max", "100MiB", "99MiB", "100 MiB"},
	} {
		for value, holds := range map[scalar]bool{c.meets: true, c.fails: false} {
			f := phase{Name: "p", Expect: map[string]scalar{c.key: value}}
			list := f.judge(facts{run: goodRun(), saturation: 100})
			if len(list) != 3 || !list[0].Holds || !list[1].Holds {
				t.Fatalf("%s: %+v", c.key, list)
			}
			j := list[2]
			if j.Holds != holds || j.Failed == holds || !strings.Contains(j.Found, c.found) || !strings.Contains(j.What, string(value)) {
				t.Errorf("%s: %s: %+v", c.key, value, j)
			}
		}
	}
}

// TestAnsweredWithin: a time-out is no bound; a message that no connection was free for waited in the clients.
func TestAnsweredWithin(t *testing.T) {
	for class, holds := range map[measure.Class]bool{measure.Unsent: true, measure.TimedOut: false} {
		run := goodRun()
		run.Classes[class] = 1
		f := phase{Expect: map[string]scalar{"answered-within": "24h"}}
		if list := f.judge(facts{run: run}); list[2].Holds != holds {
			t.Errorf("%s: %+v", class, list[2])
		}
	}
}

// What was not measured meets no expectation, however mild.
func TestNothingMeasuredMeetsNothing(t *testing.T) {
	mild := map[string]scalar{"p99-of-mean-service": "1000000", "p99": "24h", "max-wait": "24h", "answered-within": "24h", "served-of-saturation": "0",
		"busy-share": "1", "error-share": "1", "rss-max": "4096GiB"}
	f := phase{Expect: mild}
	for _, j := range f.judge(facts{run: &measure.Run{}}) {
		if j.Holds && j.What != whatWrong || j.Found == "" {
			t.Errorf("%+v", j)
		}
	}
	f = phase{Expect: map[string]scalar{"saturation": "0"}}
	if list := f.judge(facts{search: &measure.Search{}}); list[2].Holds {
		t.Errorf("%+v", list)
	}
	f = phase{Expect: map[string]scalar{"served-ratio": "0", "p50-ratio": "9", "p99-ratio": "9", "cpu-ratio": "9"}}
	for _, j := range f.judge(facts{pair: &measure.Pair{}})[2:] {
		if j.Holds {
			t.Errorf("%+v", j)
		}
	}
}

func TestNobodyWaitsWithoutBound(t *testing.T) {
	f := phase{Expect: map[string]scalar{"max-wait": "24h"}}
	for _, class := range []measure.Class{measure.TimedOut, measure.Unsent} {
		run := goodRun()
		run.Classes[class] = 1
		if j := f.judge(facts{run: run})[2]; j.Holds {
			t.Errorf("%s: %+v", class, j)
		}
	}
	run := goodRun()
	run.Refusal.Record(48 * time.Hour) // ten minutes are the longest that is counted
	f.Expect["max-wait"] = "9m"
	if j := f.judge(facts{run: run})[2]; j.Holds {
		t.Errorf("who is refused waits too: %+v", j)
	}
}

func TestWrongAnswersFailWhateverIsExpected(t *testing.T) {
	bad := goodRun()
	bad.Classes[measure.Wrong] = 1
	f := phase{Advisory: true}
	for name, facts := range map[string]facts{
		"run":    {run: bad},
		"search": {search: &measure.Search{Steps: []measure.Run{*goodRun(), *bad}}},
		"pair":   {pair: &measure.Pair{A: []measure.Run{*goodRun()}, B: []measure.Run{*bad}}},
	} {
		list := f.judge(facts)
		if list[0].Holds || !list[0].Failed {
			t.Errorf("%s: %+v", name, list[0])
		}
		if err := verdict(&measure.Report{Verdict: list}); !errors.Is(err, errFailed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	silent := goodRun()
	silent.Classes = map[measure.Class]uint64{measure.Failed: 1000}
	if list := f.judge(facts{run: silent}); list[1].Holds || !list[1].Failed {
		t.Errorf("nobody answers: %+v", list)
	}
}

func TestVerdict(t *testing.T) {
	limited, slow := goodRun(), goodRun()
	limited.Generator.Limited = "late"
	slow.Latency.Record(time.Minute)
	expected := map[string]scalar{"generator-unlimited": "true", "max-wait": "1s"}
	for name, c := range map[string]struct {
		run      *measure.Run
		advisory bool
		change   func(*measure.Run)
		want     error
	}{
		"all well":            {run: goodRun()},
		"limited":             {run: limited, want: errLimited},
		"limited, advisory":   {run: limited, advisory: true},
		"slow":                {run: slow, want: errFailed},
		"slow, advisory":      {run: slow, advisory: true},
		"limited and wrong":   {run: limited, change: func(r *measure.Run) { r.Classes[measure.Wrong] = 1 }, want: errFailed},
		"wrong, all the same": {run: goodRun(), advisory: true, change: func(r *measure.Run) { r.Classes[measure.Wrong] = 1 }, want: errFailed},
	} {
		run := *c.run
		run.Classes = map[measure.Class]uint64{measure.Right: 900}
		if c.change != nil {
			c.change(&run)
		}
		f := phase{Advisory: c.advisory, Expect: expected}
		if err := verdict(&measure.Report{Verdict: f.judge(facts{run: &run})}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, not %v", name, err, c.want)
		}
	}
}

// Beyond saturation the generator may well be the limit of a step: what counts is whether
// it ended the search.
func TestLimitedSearch(t *testing.T) {
	f := phase{Expect: map[string]scalar{"generator-unlimited": "true"}}
	step := goodRun()
	step.Generator.Limited = "late"
	search := &measure.Search{Steps: []measure.Run{*step}, Saturation: 100}
	if j := f.judge(facts{search: search})[2]; !j.Holds {
		t.Errorf("%+v", j)
	}
	search.Limited = "its processors were busy"
	if j := f.judge(facts{search: search})[2]; j.Holds || j.Found != search.Limited {
		t.Errorf("%+v", j)
	}
}

func TestFigures(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 0.12345: "0.123", 1: "1", 9.876: "9.88", 99.96: "100", 1234.5: "1234", 1e9: "1000000000"} {
		if got := figure(x); got != want {
			t.Errorf("%v: %s, not %s", x, got, want)
		}
	}
	for d, want := range map[time.Duration]string{1500 * time.Nanosecond: "1.5 µs", 12345 * time.Microsecond: "12.3 ms", 61 * time.Second: "61 s"} {
		if got := short(d); got != want {
			t.Errorf("%v: %s, not %s", d, got, want)
		}
	}
}
