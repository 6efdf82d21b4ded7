package drive

import (
	"sync"
	"time"
	"unicode"

	"sceau/bench/load/measure"
)

const (
	keptWrong = 16  // wrong answers that are kept
	keptBytes = 300 // of each
	keptNames = 100 // different codes, and different causes; more are counted as others
	others    = "others"
)

// An outcome is how one arrival ended.
type outcome struct {
	due   time.Time
	free  time.Time // since when the worker had a free connection
	begin time.Time // when its first byte was about to be written, or its connection opened; zero when unsent
	end   time.Time
	sent  bool // a connection was there to write it on

	class    measure.Class
	kind     measure.Kind
	verdict  measure.Verdict // of an answer
	status   int
	body     []byte // of the answer, valid during the recording
	cause    string // of a failure
	making   time.Duration
	out, in  uint64 // bytes
	answered bool
}

// A recorder counts what happens in a run. It is safe for concurrent use.
type recorder struct {
	mu    sync.Mutex
	run   *measure.Run
	began time.Time // what fell due before is warm-up, and not counted
	ends  time.Time // of what is offered

	open    bool
	offered []uint64      // by the second in which they fell due
	came    uint64        // right answers since began, those to the warm-up included
	inTime  uint64        // of them, before ends
	last    time.Time     // end of the last exchange, whatever its end
	replied time.Time     // and of the last that had an answer, but for those of the warm-up
	own     time.Duration // in which a connection was free and a message due: the generator's
	served  time.Duration // in exchanges
	making  time.Duration

	point   measure.Point // the second that goes on
	current *measure.Histogram
	spare   *measure.Histogram // of one caller of second
}

func newRecorder(p *Plan, began time.Time) *recorder {
	load := p.load()
	r := &recorder{began: began, ends: began.Add(p.Duration), open: p.Rate > 0,
		current: measure.NewHistogram(), spare: measure.NewHistogram(),
		run: &measure.Run{
			Target: p.Target.Name, Load: load, Began: began, Warmup: p.Warmup, Connections: p.Connections,
			Classes: map[measure.Class]uint64{}, Kinds: map[measure.Kind]uint64{}, Codes: map[string]uint64{},
			Failures: map[string]uint64{}, IdleAsked: p.Idle,
			Latency: measure.NewHistogram(), Service: measure.NewHistogram(), Refusal: measure.NewHistogram(), RefusalService: measure.NewHistogram(),
			Generator: measure.Generator{Live: p.Source.Live()},
		}}
	if r.open {
		r.run.Generator.Late = measure.NewHistogram()
	}
	return r
}

// record counts one outcome. Of what belongs to the warm-up only wrong answers are counted, and what came of it
// later counts for the rate: a backlog at the beginning stands for the one that is left at the end.
func (r *recorder) record(o *outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	warming := o.due.Before(r.began)
	if o.class == measure.Wrong {
		r.keepWrong(o, warming)
	}
	if !o.begin.IsZero() && o.end.After(r.last) {
		r.last = o.end
	}
	if o.class == measure.Right && !o.end.Before(r.began) {
		r.came++
		if !o.end.After(r.ends) {
			r.inTime++
		}
	}
	if warming {
		return
	}
	r.count(o)
	if !o.begin.IsZero() {
		r.time(o)
	}
	if o.answered {
		r.answer(o)
	}
	switch o.class {
	case measure.Right:
		r.right(o)
	case measure.Busy:
		r.point.Busy++
		r.run.Refusal.Record(o.latency(r.open))
		r.run.RefusalService.Record(o.end.Sub(o.begin))
	default:
		r.point.Other++
	}
}

func (r *recorder) count(o *outcome) {
	second := int(o.due.Sub(r.began) / time.Second)
	for len(r.offered) <= second {
		r.offered = append(r.offered, 0)
	}
	r.offered[second]++
	r.run.Offered++
	r.run.Classes[o.class]++
	r.run.BytesSent += o.out
	r.run.BytesReceived += o.in
	if o.sent {
		r.run.Sent++
	}
	if o.class == measure.Failed {
		tell(r.run.Failures, o.cause)
	}
}

// time counts whose time it was.
func (r *recorder) time(o *outcome) {
	r.making += o.making
	r.served += o.end.Sub(o.begin)
	since := o.free // before, there was no connection: the server's affair
	if r.open && o.due.After(since) {
		since = o.due
	}
	r.own += o.begin.Sub(since)
	if r.open {
		r.run.Generator.Late.Record(o.begin.Sub(since))
	}
}

func (r *recorder) answer(o *outcome) {
	r.run.Answered++
	r.run.Kinds[o.kind]++
	tell(r.run.Codes, o.verdict.Code)
	if o.verdict.Verified {
		r.run.Verified++
	}
	if o.end.After(r.replied) {
		r.replied = o.end
	}
}

func (r *recorder) right(o *outcome) {
	latency := o.latency(r.open)
	r.point.Served++
	r.current.Record(latency)
	r.run.Latency.Record(latency)
	r.run.Service.Record(o.end.Sub(o.begin))
}

// latency is what the sender of the message waited.
func (o *outcome) latency(open bool) time.Duration {
	if open {
		return o.end.Sub(o.due)
	}
	return o.end.Sub(o.begin)
}

// keepWrong keeps the first wrong answers, and counts those that Classes do not.
func (r *recorder) keepWrong(o *outcome, warming bool) {
	if warming {
		r.run.WrongInWarmup++
	}
	if len(r.run.Wrong) == keptWrong {
		return
	}
	why := o.verdict.Why
	if warming {
		why = "in the warm-up: " + why
	}
	r.run.Wrong = append(r.run.Wrong, measure.WrongAnswer{Kind: o.kind, Why: why, Status: o.status, Answer: printable(o.body)})
}

// tell counts under a name, as long as there are not too many.
func tell(counts map[string]uint64, name string) {
	if _, known := counts[name]; !known && len(counts) >= keptNames {
		name = others
	}
	counts[name]++
}

// printable returns the first bytes of an answer with dots for what is not printed.
func printable(body []byte) string {
	runes := []rune(string(body[:min(len(body), keptBytes)]))
	for i, c := range runes {
		if !unicode.IsPrint(c) {
			runes[i] = '.'
		}
	}
	return string(runes)
}

// second ends a second and returns what was served in it; Offered is not filled in. It is for one caller.
func (r *recorder) second(at time.Duration) measure.Point {
	r.mu.Lock()
	point, h := r.point, r.current
	r.point, r.current = measure.Point{}, r.spare
	r.mu.Unlock()
	point.At = at
	point.P50, point.P99, point.Max = h.Quantile(.5), h.Quantile(.99), h.Max()
	h.Reset()
	r.spare = h
	return point
}

// spread fills in how many fell due in each point of the series. All has been recorded.
func (r *recorder) spread(series []measure.Point) {
	second := 0
	for i := range series {
		end := series[i].At
		if i == len(series)-1 {
			end = time.Duration(len(r.offered)) * time.Second
		}
		for second < len(r.offered) && time.Duration(second) < (end+time.Second-1)/time.Second {
			series[i].Offered += r.offered[second]
			second++
		}
	}
}
