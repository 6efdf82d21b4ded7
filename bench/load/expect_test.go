package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sceau/bench/load/measure"
	"sceau/bench/load/report"
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
		Idle: 10000, IdleAsked: 10000, Offered: 1000, Answered: 1000, Served: 90, Verified: 900,
		Classes: map[measure.Class]uint64{measure.Right: 910, measure.Busy: 90},
		Latency: timed(10*time.Millisecond, 80*time.Millisecond), Service: timed(10*time.Millisecond, 20*time.Millisecond),
		Refusal: timed(time.Millisecond, 2*time.Millisecond), RefusalService: timed(time.Millisecond, 3*time.Millisecond),
		Server: &measure.Process{RSSMax: 100 << 20},
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
		{"refusal-p99", "4ms", "2ms", "3 ms"},
		{"idle-kept", "10000", "10001", "10000 of 10000 at the end"},
		{"rss-max", "100MiB", "99MiB", "100 MiB"},
	} {
		for value, holds := range map[scalar]bool{c.meets: true, c.fails: false} {
			f := phase{Name: "p", Expect: map[string]scalar{c.key: value}}
			list := f.judge(facts{run: goodRun(), saturation: 100})
			if len(list) != 4 || !list[0].Holds || !list[1].Holds || !list[2].Holds {
				t.Fatalf("%s: %+v", c.key, list)
			}
			j := list[3]
			if j.Holds != holds || j.Failed == holds || !strings.Contains(j.Found, c.found) || !strings.Contains(j.What, string(value)) {
				t.Errorf("%s: %s: %+v", c.key, value, j)
			}
		}
	}
}

// TestAnsweredWithin: a time-out is no bound; a message that no connection was free for waited in the clients.
func TestAnsweredWithin(t *testing.T) {
	for class, holds := range map[measure.Class]bool{measure.Unsent: true, measure.TimedOut: false, measure.Failed: false} {
		run := goodRun()
		run.Classes[class] = 1
		f := phase{Expect: map[string]scalar{"answered-within": "24h"}}
		if list := f.judge(facts{run: run}); list[3].Holds != holds {
			t.Errorf("%s: %+v", class, list[3])
		}
	}
}

// What was not measured meets no expectation, however mild.
func TestNothingMeasuredMeetsNothing(t *testing.T) {
	mild := map[string]scalar{"p99-of-mean-service": "1000000", "p99": "24h", "max-wait": "24h", "answered-within": "24h", "served-of-saturation": "0",
		"busy-share": "1", "error-share": "1", "rss-max": "4096GiB", "refusal-p99": "24h"}
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
	for _, j := range f.judge(facts{pair: &measure.Pair{}})[3:] {
		if j.Holds {
			t.Errorf("%+v", j)
		}
	}
}

func TestNobodyWaitsWithoutBound(t *testing.T) {
	f := phase{Expect: map[string]scalar{"max-wait": "24h"}}
	for _, class := range []measure.Class{measure.TimedOut, measure.Unsent, measure.Failed} {
		run := goodRun()
		run.Classes[class] = 1
		if j := f.judge(facts{run: run})[3]; j.Holds {
			t.Errorf("%s: %+v", class, j)
		}
	}
	run := goodRun()
	run.Refusal.Record(48 * time.Hour) // ten minutes are the longest that is counted
	f.Expect["max-wait"] = "9m"
	if j := f.judge(facts{run: run})[3]; j.Holds {
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

// Messages without an answer break a phase unless it allows them; the queue before the connections is the clients' far
// beyond saturation only.
func TestLost(t *testing.T) {
	for name, c := range map[string]struct {
		phase  phase
		class  measure.Class
		breaks bool
	}{
		"failed":                     {phase{Kind: kindRun}, measure.Failed, true},
		"timed out":                  {phase{Kind: kindRun}, measure.TimedOut, true},
		"unsent":                     {phase{Kind: kindRun}, measure.Unsent, true},
		"busy":                       {phase{Kind: kindRun}, measure.Busy, false},
		"advisory":                   {phase{Kind: kindRun, Advisory: true}, measure.Failed, true},
		"allowed":                    {phase{Kind: kindRun, Expect: map[string]scalar{"error-share": "0.01"}}, measure.Failed, false},
		"not allowed":                {phase{Kind: kindRun, Expect: map[string]scalar{"error-share": "0"}}, measure.Failed, true},
		"unsent, below saturation":   {phase{Kind: kindAt, Factor: 1}, measure.Unsent, true},
		"unsent, beyond":             {phase{Kind: kindAt, Factor: 1.1}, measure.Unsent, false},
		"failed, beyond":             {phase{Kind: kindAt, Factor: 3}, measure.Failed, true},
		"unsent, beyond, said to be": {phase{Kind: kindAt, Factor: 3, Expect: map[string]scalar{"error-share": "0"}}, measure.Unsent, true},
	} {
		run := goodRun()
		run.Classes[c.class]++
		r := &measure.Report{Phases: []measure.Phase{{Run: run}}, Verdict: c.phase.judge(facts{run: run})}
		if err := verdict(r); (err != nil) != c.breaks {
			t.Errorf("%s: %v\n%+v", name, err, r.Verdict)
		}
	}
	bad := goodRun()
	bad.Classes[measure.Failed] = 1
	f := phase{Kind: kindPair}
	if list := f.judge(facts{pair: &measure.Pair{A: []measure.Run{*goodRun()}, B: []measure.Run{*bad}}}); !list[2].Failed {
		t.Errorf("one side of a pair: %+v", list)
	}
	f = phase{Kind: kindSearch}
	if list := f.judge(facts{search: &measure.Search{Steps: []measure.Run{*bad}}}); len(list) != 2 {
		t.Errorf("a search goes where messages are lost: %+v", list)
	}
}

// Lost messages count as the slowest: more than one in a hundred of them and there is no p99.
func TestPercentilesRankTheLost(t *testing.T) {
	run := goodRun()
	run.Latency = timed(10*time.Millisecond, 80*time.Millisecond)
	for range 900 {
		run.Latency.Record(10 * time.Millisecond)
	}
	f := phase{Kind: kindRun, Expect: map[string]scalar{"p99": "50ms", "p99-of-mean-service": "5", "error-share": "1"}}
	for lost, holds := range map[uint64]bool{0: true, 7: true, 9: false, 11: false} {
		run.Classes[measure.TimedOut] = lost
		for _, j := range f.judge(facts{run: run})[2:4] {
			if j.Holds != holds {
				t.Errorf("%d lost of 1001: %+v", lost, j)
			}
			if lost > 10 && !strings.Contains(j.Found, "no answer: 11 messages") {
				t.Errorf("%+v", j)
			}
		}
	}
}

// TestHeadlineIsExitStatus: whatever is in a report, its headline says FAILED exactly when the tool ends with a status that
// is not 0.
func TestHeadlineIsExitStatus(t *testing.T) {
	warm, wrong, shown, lost := goodRun(), goodRun(), goodRun(), goodRun()
	warm.WrongInWarmup = 1
	wrong.Classes[measure.Wrong] = 1
	shown.Wrong = []measure.WrongAnswer{{}}
	lost.Classes[measure.Failed] = 1
	holds, weak, broken := measure.Judgement{Holds: true}, measure.Judgement{}, measure.Judgement{Failed: true}
	limited := measure.Judgement{What: whatUnlimited, Failed: true}
	for name, c := range map[string]struct {
		run        *measure.Run
		verdict    []measure.Judgement
		incomplete string
		notes      []string
		want       int
		headline   string
	}{
		"all well":            {run: goodRun(), verdict: []measure.Judgement{holds}, headline: "PASSED, WITH WARNINGS"}, // some were refused
		"wrong":               {run: wrong, verdict: []measure.Judgement{holds}, want: exitFailed, headline: "FAILED"},
		"wrong in warm-up":    {run: warm, verdict: []measure.Judgement{holds}, want: exitFailed, headline: "FAILED"},
		"wrong, not counted":  {run: shown, want: exitFailed, headline: "FAILED"},
		"incomplete":          {run: goodRun(), verdict: []measure.Judgement{holds}, incomplete: "interrupted", want: exitFailed, headline: "FAILED"},
		"incomplete, limited": {run: goodRun(), verdict: []measure.Judgement{limited}, incomplete: "interrupted", want: exitFailed, headline: "FAILED"},
		"broken":              {run: goodRun(), verdict: []measure.Judgement{holds, broken}, want: exitFailed, headline: "FAILED"},
		"advisory":            {run: goodRun(), verdict: []measure.Judgement{holds, weak}, headline: "PASSED, WITH WARNINGS"},
		"limited":             {run: goodRun(), verdict: []measure.Judgement{limited}, want: exitLimited, headline: "FAILED"},
		"limited and wrong":   {run: wrong, verdict: []measure.Judgement{limited, {What: whatWrong, Failed: true}}, want: exitFailed, headline: "FAILED"},
		"a note":              {run: goodRun(), verdict: []measure.Judgement{holds}, notes: []string{"shared"}, headline: "PASSED, WITH WARNINGS"},
		"not judged":          {run: goodRun(), headline: "NOT JUDGED"},
	} {
		r := &measure.Report{Phases: []measure.Phase{{Run: c.run}}, Verdict: c.verdict, Incomplete: c.incomplete, Notes: c.notes}
		var text strings.Builder
		if err := report.Text(&text, r); err != nil {
			t.Fatal(err)
		}
		if got := status(verdict(r)); got != c.want || !strings.Contains(text.String(), "\n"+c.headline+": ") {
			t.Errorf("%s: status %d, not %d, and not %s:\n%s", name, got, c.want, c.headline, text.String())
		}
	}
}

// CPU by right answers means nothing where other answers cost as well.
func TestCostRatio(t *testing.T) {
	f := phase{Kind: kindPair, Expect: map[string]scalar{"cpu-ratio": "2"}}
	for name, c := range map[string]struct {
		change func(*measure.Run)
		holds  bool
	}{
		"queries alone": {func(*measure.Run) {}, true},
		"a refusal":     {func(r *measure.Run) { r.Classes[measure.Busy] = 1 }, false},
		"a mix":         {func(r *measure.Run) { r.Kinds[measure.Replay] = 1 }, false},
	} {
		b := measure.Run{Classes: map[measure.Class]uint64{measure.Right: 9}, Kinds: map[measure.Kind]uint64{measure.Query: 9}}
		c.change(&b)
		pair := &measure.Pair{B: []measure.Run{b}, Ratios: []measure.Ratios{{PerServe: 1}, {PerServe: 1.5}}, Median: measure.Ratios{PerServe: 1.25}}
		j := f.judge(facts{pair: pair})[3]
		if j.Holds != c.holds || c.holds && !strings.Contains(j.Found, "median 1.25 of 2 rounds, from 1 to 1.5") {
			t.Errorf("%s: %+v", name, j)
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
