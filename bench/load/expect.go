package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"sceau/bench/load/measure"
)

// The units of what an expectation is compared with.
type unit int

const (
	number   unit = iota // 0.9, 10
	period               // 50ms
	size                 // 512MiB
	affirmed             // true, and nothing else
)

// facts are what an expectation is judged by: one of run, search and pair.
type facts struct {
	run        *measure.Run
	search     *measure.Search
	pair       *measure.Pair
	saturation float64 // that the last search found
}

// An expectation is one that a scenario may have; limit is in the unit's base: a number,
// seconds, bytes.
type expectation struct {
	key   string
	unit  unit
	kinds []string // of phase
	what  string   // with %s where the limit stands
	// found gives the figure, and how it is to be told. A figure that is not there (NaN)
	// meets no expectation.
	found   func(facts) (float64, string)
	atLeast bool // the figure must be at least the limit; otherwise at most
}

var (
	loads = []string{kindRun, kindAt}
	pairs = []string{kindPair}
)

// expectations are all there are, in the order in which they are judged.
var expectations = []expectation{
	{"p99-of-mean-service", number, loads, "p99 ≤ %s × mean service time", p99OfMeanService, false},
	{"p99", period, loads, "p99 ≤ %s", p99, false},
	{"max-wait", period, loads, "nobody waits longer than %s", maxWait, false},
	{"answered-within", period, loads, "who is heard has his answer within %s", answeredWithin, false},
	{"served-of-saturation", number, loads, "served ≥ %s × saturation", servedOfSaturation, true},
	{"served", number, loads, "served ≥ %s/s", served, true},
	{"busy-share", number, loads, "answered busy ≤ %s of offered", busyShare, false},
	{keyErrorShare, number, loads, "without an answer ≤ %s of offered", errorShare, false},
	{"refusal-p99", period, loads, "refused within %s (p99 of service)", refusalP99, false},
	{"idle-kept", number, loads, "idle connections that stay open ≥ %s", idleKept, true},
	{"rss-max", size, loads, "server's memory ≤ %s", rssMax, false},
	{"saturation", number, []string{kindSearch}, "saturation ≥ %s/s", saturation, true},
	{"served-ratio", number, pairs, "served, A by B ≥ %s", ratio(func(r measure.Ratios) float64 { return r.Served }), true},
	{"p50-ratio", number, pairs, "p50, A by B ≤ %s", ratio(func(r measure.Ratios) float64 { return r.P50 }), false},
	{"p99-ratio", number, pairs, "p99, A by B ≤ %s", ratio(func(r measure.Ratios) float64 { return r.P99 }), false},
	{"cpu-ratio", number, pairs, "CPU a serve, A by B ≤ %s", costRatio, false},
	{"generator-unlimited", affirmed, []string{kindRun, kindAt, kindSearch, kindPair}, whatUnlimited, nil, false},
}

// What is said of the judgements that are not figures.
const (
	whatUnlimited = "the generator is not the bottleneck"
	whatWrong     = "no wrong answer"
	whatAnswered  = "the server answers"
	whatLost      = "no message is lost"
)

// keyErrorShare allows messages to be lost, which otherwise breaks a phase.
const keyErrorShare = "error-share"

func findExpectation(key string) *expectation {
	i := slices.IndexFunc(expectations, func(e expectation) bool { return e.key == key })
	if i < 0 {
		return nil
	}
	return &expectations[i]
}

// parse reads a limit.
func (e *expectation) parse(text scalar) (float64, error) {
	switch e.unit {
	case period:
		if d, err := time.ParseDuration(string(text)); err == nil && d > 0 {
			return d.Seconds(), nil
		}
		return 0, fmt.Errorf("%q is no duration such as 50ms", text)
	case size:
		return parseBytes(string(text))
	case affirmed:
		if text == "true" {
			return 0, nil
		}
		return 0, fmt.Errorf("%q: it can only be true; leave it out otherwise", text)
	}
	if n, err := strconv.ParseFloat(string(text), 64); err == nil && n >= 0 && !math.IsInf(n, 0) {
		return n, nil
	}
	return 0, fmt.Errorf("%q is no number from 0", text)
}

func parseBytes(text string) (float64, error) {
	for suffix, scale := range map[string]float64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if digits, ok := strings.CutSuffix(text, suffix); ok {
			if n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 32); err == nil && n > 0 {
				return float64(n) * scale, nil
			}
		}
	}
	return 0, fmt.Errorf("%q is no size such as 512MiB (KiB, MiB, GiB)", text)
}

// judge says whether everything holds that is expected of a phase, what is expected of
// every phase first.
func (c *phase) judge(f facts) []measure.Judgement {
	runs := f.runs()
	list := []measure.Judgement{wrongAnswers(c.Name, runs), answered(c.Name, runs)}
	if _, allowed := c.Expect[keyErrorShare]; !allowed && f.search == nil { // a search goes where messages are lost
		list = append(list, c.lost(runs))
	}
	for _, e := range expectations {
		text, asked := c.Expect[e.key]
		if !asked {
			continue
		}
		j := measure.Judgement{Phase: c.Name, What: e.what}
		if e.unit == affirmed {
			j.Found, j.Holds = limitation(f)
		} else {
			limit, err := e.parse(text)
			figure, found := e.found(f)
			j.What, j.Found = fmt.Sprintf(e.what, text), found
			j.Holds = err == nil && (e.atLeast && figure >= limit || !e.atLeast && figure <= limit)
		}
		j.Failed = !j.Holds && !c.Advisory
		list = append(list, j)
	}
	return list
}

// runs are all the runs of the phase.
func (f facts) runs() []measure.Run {
	switch {
	case f.run != nil:
		return []measure.Run{*f.run}
	case f.search != nil:
		return f.search.Steps
	case f.pair != nil:
		return slices.Concat(f.pair.A, f.pair.B)
	}
	return nil
}

func wrongAnswers(phase string, runs []measure.Run) measure.Judgement {
	var wrong, answers, verified uint64
	for _, r := range runs {
		wrong += r.WrongAnswers()
		answers += r.Answered
		verified += r.Verified
	}
	return measure.Judgement{Phase: phase, What: whatWrong, Holds: wrong == 0, Failed: wrong > 0,
		Found: fmt.Sprintf("%d wrong of %d answers; %d signatures verified", wrong, answers, verified)}
}

// answered holds when anything came back that a server of the kind says: a target that
// refuses every connection has no wrong answers either.
func answered(phase string, runs []measure.Run) measure.Judgement {
	var right, offered uint64
	for _, r := range runs {
		right += r.Classes[measure.Right]
		offered += r.Offered
	}
	return measure.Judgement{Phase: phase, What: whatAnswered, Holds: right > 0, Failed: right == 0,
		Found: fmt.Sprintf("%d right answers to %d messages", right, offered)}
}

// lost holds when every message had an answer. Far beyond saturation those that no connection was free
// for are not counted: the queue before the connections is the clients'.
func (c *phase) lost(runs []measure.Run) measure.Judgement {
	clients := c.Kind == kindAt && c.Factor > 1
	var failed, timedOut, unsent uint64
	for _, r := range runs {
		failed += r.Classes[measure.Failed]
		timedOut += r.Classes[measure.TimedOut]
		unsent += r.Classes[measure.Unsent]
	}
	n, what := failed+timedOut+unsent, whatLost
	if clients {
		n, what = failed+timedOut, whatLost+" that was sent"
	}
	return measure.Judgement{Phase: c.Name, What: what, Holds: n == 0, Failed: n > 0,
		Found: fmt.Sprintf("%d failed, %d timed out, %d never sent", failed, timedOut, unsent)}
}

// limitation says why the generator was the bottleneck, and whether it was not. A search that it
// ended says so itself; what its steps beyond saturation say is no finding.
func limitation(f facts) (string, bool) {
	reason := ""
	if f.search != nil {
		reason = f.search.Limited
	} else {
		for _, r := range f.runs() {
			if reason == "" {
				reason = r.Generator.Limited
			}
		}
	}
	if reason == "" {
		return "it kept up", true
	}
	return reason, false
}
