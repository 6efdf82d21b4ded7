package report

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sceau/bench/load/measure"
)

var update = flag.Bool("update", false, "write testdata/*.txt anew, to be read before they are believed")

// goldens are reports whose summaries are in testdata.
func goldens() map[string]*measure.Report {
	sample := sampleReport()
	only := func(title string, p measure.Phase) *measure.Report {
		return &measure.Report{Title: title, Made: begun, Machine: sample.Machine, Phases: []measure.Phase{p}}
	}
	failed := only("a run that fails", measure.Phase{Name: "steady", Run: failedRun()})
	failed.Verdict = []measure.Judgement{{Phase: "steady", What: "no wrong answer", Found: "2", Failed: true}, {Phase: "steady", What: "p99 ≤ 50 ms, which is said here at such length that it does not fit into one line of a terminal", Found: "12 ms", Holds: true}}
	search := sampleSearch()
	search.Limited = "signing took all of the generator's CPU at 3200/s"
	search.Criterion = "served ≥ 95 % of offered, p99 ≤ 100ms"
	return map[string]*measure.Report{
		"all": sample, "failed": failed,
		"search-limited": only("a search that the generator ended", measure.Phase{Name: "saturation", Search: search}),
		"closed":         only("", measure.Phase{Run: closedRun()}),
		"nothing":        {Made: begun},
	}
}

func failedRun() *measure.Run {
	r := sampleRun("stsd", 2800, 10, 5)
	r.Classes[measure.Wrong], r.Classes[measure.Unsent] = 2, 300
	r.Offered += 300
	r.Generator.Live, r.Generator.Limited = true, "late by 4 ms at p99 while connections were free"
	r.Idle, r.IdleAsked, r.WrongInWarmup = 9, 12, 1
	r.Generator.Imprecise = "it was late by more than a tenth of p50"
	r.Wrong = []measure.WrongAnswer{
		{Kind: measure.Query, Why: "InResponseTo is of another request", Status: 200, Answer: "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body>" + strings.Repeat("x", 900)},
		{Kind: measure.Replay, Why: "answered with an assertion", Status: 200, Answer: "\x1b[2J"},
	}
	return r
}

func closedRun() *measure.Run {
	r := sampleRun("", 700, 2, 6)
	r.Load = measure.Load{Loop: "closed"}
	r.Server, r.Warmup, r.Verified = nil, 0, r.Verified/10
	return r
}

func TestTextGolden(t *testing.T) {
	for name, r := range goldens() {
		t.Run(name, func(t *testing.T) {
			got := renderText(t, r)
			checkText(t, got)
			file := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s is no longer what is written; run with -update and read the difference. Now:\n%s", file, got)
			}
		})
	}
}

func TestWrap(t *testing.T) {
	long := strings.Repeat("x", 250)
	for _, test := range []struct{ first, text, want string }{
		{"  - ", "one two", "  - one two\n"},
		{"  - ", "", "  -\n"},
		{"  - ", "a " + long, "  - a\n    " + long[:96] + "\n    " + long[:96] + "\n    " + long[:58] + "\n"},
		{"> ", strings.Repeat("漢", 60), "> " + strings.Repeat("漢", 49) + "\n  " + strings.Repeat("漢", 11) + "\n"},
		{"", strings.Repeat("ab ", 40), strings.TrimSuffix(strings.Repeat("ab ", 33), " ") + "\n" + strings.TrimSuffix(strings.Repeat("ab ", 7), " ") + "\n"},
	} {
		p := &paper{}
		p.item(test.first, test.text)
		if got := p.b.String(); got != test.want {
			t.Errorf("%q after %q:\n%q, not\n%q", test.text, test.first, got, test.want)
		}
	}
}

func TestVerdict(t *testing.T) {
	holds, weak, broken := measure.Judgement{Holds: true}, measure.Judgement{}, measure.Judgement{Failed: true}
	good := measure.Phase{Run: &measure.Run{Classes: map[measure.Class]uint64{measure.Right: 5}}}
	lost := measure.Phase{Run: &measure.Run{Offered: 1000, Classes: map[measure.Class]uint64{measure.Right: 999, measure.Failed: 1}}}
	warm := measure.Phase{Run: &measure.Run{WrongInWarmup: 3, Classes: map[measure.Class]uint64{measure.Right: 5}}}
	wrong := measure.Phase{Pair: &measure.Pair{B: []measure.Run{{Classes: map[measure.Class]uint64{measure.Wrong: 1}}}}}
	shown := measure.Phase{Search: &measure.Search{Steps: []measure.Run{{Wrong: make([]measure.WrongAnswer, 2)}}}}
	for name, test := range map[string]struct {
		phases   []measure.Phase
		expected []measure.Judgement
		want     outcome
		sentence string
	}{
		"nothing":                         {nil, nil, unjudged, "nothing was measured"},
		"expectations of nothing":         {nil, []measure.Judgement{holds}, unjudged, "nothing was measured"},
		"no expectation":                  {[]measure.Phase{good}, nil, unjudged, "the scenario states no expectation"},
		"all held":                        {[]measure.Phase{good}, []measure.Judgement{holds, holds}, passed, "2 expectations held"},
		"one not held":                    {[]measure.Phase{good}, []measure.Judgement{holds, weak}, warned, "1 of 2 expectations not held, none that fails the run"},
		"one broken":                      {[]measure.Phase{good}, []measure.Judgement{holds, weak, broken}, failed, "1 of 3 expectations broken"},
		"held and failed":                 {[]measure.Phase{good}, []measure.Judgement{{Holds: true, Failed: true}}, failed, "1 of 1 expectation broken"},
		"a wrong answer nobody asked for": {[]measure.Phase{good, wrong}, []measure.Judgement{holds}, failed, "answers were wrong; 1 wrong answer"},
		"wrong answers not counted":       {[]measure.Phase{shown}, nil, failed, "answers were wrong; 2 wrong answers"},
		"all held, with a caution":        {[]measure.Phase{good, lost}, []measure.Judgement{holds}, warned, "1 expectation held, and there is 1 caution about the figures"},
		"wrong in the warm-up":            {[]measure.Phase{warm}, []measure.Judgement{holds}, failed, "answers were wrong; 3 wrong answers"},
		"broken by wrong answers":         {[]measure.Phase{wrong}, []measure.Judgement{broken}, failed, "1 of 1 expectation broken; 1 wrong answer"},
	} {
		v := verdictOf(&measure.Report{Phases: test.phases, Verdict: test.expected})
		if v.Outcome != test.want || v.Sentence != test.sentence {
			t.Errorf("%s: %s, %q", name, v.Outcome.Word(), v.Sentence)
		}
		if r := (&measure.Report{Phases: test.phases, Verdict: test.expected}); Failed(r) != (test.want == failed) {
			t.Errorf("%s: Failed says %v", name, Failed(r))
		}
	}
}

// TestIncomplete: a report of a run that was interrupted says so first, and did not pass.
func TestIncomplete(t *testing.T) {
	run := measure.Run{Offered: 1, Sent: 1, Answered: 1, Classes: map[measure.Class]uint64{measure.Right: 1}}
	r := &measure.Report{Made: begun, Phases: []measure.Phase{{Name: "p", Run: &run}}, Verdict: []measure.Judgement{{Holds: true}},
		Incomplete: "interrupted", Notes: []string{"server and generator share a machine"}}
	if v := verdictOf(r); v.Outcome != failed || v.Sentence != "the scenario was not run to its end" {
		t.Errorf("%s, %q", v.Outcome.Word(), v.Sentence)
	}
	r.Verdict = append(r.Verdict, measure.Judgement{Failed: true})
	if v := verdictOf(r); v.Outcome != failed || v.Sentence != "1 of 2 expectations broken; the scenario was not run to its end" {
		t.Errorf("%s, %q", v.Outcome.Word(), v.Sentence)
	}
	if got := cautionsOf(r); len(got) != 2 || got[0].What != "INCOMPLETE: interrupted" || got[1].What != r.Notes[0] {
		t.Errorf("%v", got)
	}
}

func TestCautions(t *testing.T) {
	run := func(offered, right uint64) measure.Run {
		return measure.Run{Offered: offered, Sent: offered, Answered: right, Classes: map[measure.Class]uint64{measure.Right: right}}
	}
	lost, closed := run(1000, 999), run(10, 10)
	lost.Classes[measure.TimedOut] = 1
	closed.Idle, closed.IdleAsked = 7, 9
	blurred := run(10, 10)
	blurred.Generator.Imprecise = "late"
	few, silent, fine := run(1000, 980), run(1000, 0), run(1000, 995)
	limited := run(10, 10)
	limited.Generator.Limited = "its CPU"
	for name, test := range map[string]struct {
		phase measure.Phase
		want  string // where it is and how it begins; empty when nothing is to be said
	}{
		"fine":                     {measure.Phase{Name: "p", Run: &fine}, ""},
		"some without answer":      {measure.Phase{Name: "p", Run: &few}, "p: 20 of 1000 messages had no right answer (2.00 %)"},
		"no answer":                {measure.Phase{Name: "p", Run: &silent}, "p: not one answer"},
		"one lost":                 {measure.Phase{Name: "p", Run: &lost}, "p: 1 message without any answer"},
		"idle ones ended":          {measure.Phase{Name: "p", Run: &closed}, "p: 9 idle connections were to stay open, and the server ended all but 7"},
		"imprecise":                {measure.Phase{Name: "p", Run: &blurred}, "p: the generator blurs the percentiles: late"},
		"generator":                {measure.Phase{Name: "p", Run: &limited}, "p: the generator was the bottleneck, not the server: its CPU"},
		"past saturation":          {measure.Phase{Name: "p", Search: &measure.Search{Saturation: 1, Steps: []measure.Run{fine, few}}}, ""},
		"at the knee":              {measure.Phase{Name: "p", Search: &measure.Search{Saturation: 1, Steps: []measure.Run{few, fine}}}, "p, step 1: 20 of 1000"},
		"no knee":                  {measure.Phase{Name: "p", Search: &measure.Search{Steps: []measure.Run{fine}}}, "p: no step met the criterion"},
		"search by generator":      {measure.Phase{Name: "p", Search: &measure.Search{Saturation: 1, Limited: "its CPU", Steps: []measure.Run{fine}}}, "p: the generator ended the search"},
		"one side of a comparison": {measure.Phase{Name: "p", Pair: &measure.Pair{A: []measure.Run{fine, fine}, B: []measure.Run{fine, few}}}, "p, B2: 20 of 1000"},
	} {
		got := cautionsOf(&measure.Report{Phases: []measure.Phase{test.phase}})
		switch {
		case test.want == "" && len(got) > 0:
			t.Errorf("%s: %v", name, got)
		case test.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0].Where+": "+got[0].What, test.want)):
			t.Errorf("%s: %v, not %q", name, got, test.want)
		}
	}
}
