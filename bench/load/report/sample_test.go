package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"sceau/bench/load/measure"
)

// Reports as a load run makes them, of an imagined server: about 1.4 ms of CPU an answer on 4 cores, a queue that grows towards
// saturation, a collection of garbage every few seconds, and refusals above saturation.

var begun = time.Date(2026, 5, 11, 8, 42, 13, 0, time.UTC)

const capacity = 2600.0 // right answers a second

// A draw makes durations, the same in every run of the tests.
type draw struct{ *rand.Rand }

func newDraw(seed uint64) draw { return draw{rand.New(rand.NewPCG(seed, 2))} }

func (d draw) service() time.Duration {
	return time.Duration(1.1e6 + 3e5*d.ExpFloat64() + 1e5*math.Abs(d.NormFloat64()))
}

// latency is service and waiting at a load of so much of what the server can do.
func (d draw) latency(load float64, slow bool) time.Duration {
	wait := 0.35e6 * d.ExpFloat64() * load / (1 - min(load, 0.97))
	if slow {
		wait += 9e6 * d.Float64()
	}
	if load > 1 {
		wait += 180e6 * (1 - math.Exp(-2*d.Float64()))
	}
	return d.service() + time.Duration(wait)
}

// sampleRun is a run of so many seconds at so much offered load.
func sampleRun(target string, offered float64, seconds int, seed uint64) *measure.Run {
	d := newDraw(seed)
	r := &measure.Run{
		Target: target, Load: measure.Load{Loop: "open", Rate: offered, Arrivals: "poisson"},
		Began: begun, Warmup: 5 * time.Second, Offering: time.Duration(seconds) * time.Second, Duration: time.Duration(seconds) * time.Second, Connections: 64,
		Classes: map[measure.Class]uint64{}, Kinds: map[measure.Kind]uint64{}, Codes: map[string]uint64{},
		Latency: measure.NewHistogram(), Service: measure.NewHistogram(), Refusal: measure.NewHistogram(), RefusalService: measure.NewHistogram(),
	}
	load := offered / capacity
	late := measure.NewHistogram()
	rss := 61e6
	for s := 1; s <= seconds; s++ {
		second := measure.NewHistogram()
		due := uint64(max(offered+math.Sqrt(offered)*d.NormFloat64(), 0))
		served := min(due, uint64(capacity*(0.97+0.05*d.Float64())))
		for range served {
			l := d.latency(load, s%7 == 3)
			second.Record(l)
			r.Service.Record(min(l, d.service()))
			late.Record(time.Duration(8e3 + 2e4*d.ExpFloat64()))
		}
		for range due - served {
			refused := time.Duration(4e5 + 2e5*d.ExpFloat64())
			r.Refusal.Record(refused)
			r.RefusalService.Record(refused * 3 / 4)
		}
		r.Latency.Merge(second)
		rss = min(rss+3e6*d.Float64(), 118e6)
		busy := due - served
		r.Series = append(r.Series, measure.Point{At: time.Duration(s) * time.Second, Offered: due, Served: served, Busy: busy,
			P50: second.Quantile(.5), P99: second.Quantile(.99), Max: second.Max(), CPU: 0.00144 * float64(served) * (0.98 + 0.04*d.Float64()), RSS: uint64(rss)})
		r.Offered, r.Sent, r.Answered = r.Offered+due, r.Sent+due, r.Answered+due
		r.Classes[measure.Right] += served
		r.Classes[measure.Busy] += busy
	}
	right := r.Classes[measure.Right]
	r.Served = float64(right) / r.Duration.Seconds()
	r.Kinds[measure.Query] = r.Answered
	r.Codes["200 samlp:Success"] = right
	if busy := r.Classes[measure.Busy]; busy > 0 {
		r.Codes["503 SOA-02002"] = busy
	}
	r.Verified = right
	r.BytesSent, r.BytesReceived = r.Sent*9413, right*7204
	cpu := time.Duration(float64(right) * 1.44e6)
	r.Server = &measure.Process{PID: 4242, CPU: cpu, RSS: uint64(rss), RSSMax: uint64(rss) + 2<<20, RSSIdle: 58 << 20}
	if right > 0 {
		r.Server.PerServe = cpu / time.Duration(right)
	}
	r.Generator = measure.Generator{CPU: time.Duration(float64(r.Sent) * 3.1e5), Late: late}
	return r
}

// sampleMix is a run with every kind of message, and some that got no answer.
func sampleMix() *measure.Run {
	r := sampleRun("stsd, mutual TLS", 1800, 60, 1)
	r.Idle, r.IdleAsked = 10000, 10000
	r.Duration += 40 * time.Millisecond // the last answer
	n := r.Answered
	r.Kinds = map[measure.Kind]uint64{measure.Query: n * 80 / 100, measure.ColdCertificate: n * 8 / 100, measure.BadSignature: n * 4 / 100,
		measure.Replay: n * 4 / 100, measure.IllFormed: n * 2 / 100, measure.UnknownAttribute: n * 2 / 100}
	r.Codes = map[string]uint64{"200 samlp:Success": n * 88 / 100, "200 samlp:Requester REQ-13": n * 2 / 100, "500 wsse:FailedCheck": n * 4 / 100,
		"500 wsse:InvalidSecurity": n * 4 / 100, "400 SOA-01001": n * 2 / 100}
	r.Classes[measure.TimedOut], r.Classes[measure.Failed] = 31, 4
	r.Classes[measure.Right] -= 35
	r.Failures = map[string]uint64{"connection reset by the server": 3, "answer cut short": 1}
	r.Series[40].Other = 35
	return r
}

// sampleSearch has nine steps: it doubles until the criterion breaks, halves the interval, and tries one rate twice.
func sampleSearch() *measure.Search {
	s := &measure.Search{}
	for i, offered := range []float64{200, 400, 800, 1600, 3200, 2400, 2800, 2600, 2600} {
		s.Steps = append(s.Steps, *sampleRun("stsd", offered, 8, uint64(i)+10))
	}
	s.Knee, s.Saturation = 5, s.Steps[5].Served
	return s
}

// samplePair has six rounds, in which A does a little better.
func samplePair() *measure.Pair {
	p := &measure.Pair{Median: measure.Ratios{Served: 1.012, P50: 0.927, P99: 0.741, PerServe: 0.903}}
	for i := range uint64(6) {
		p.A = append(p.A, *sampleRun("stsd, this branch", 1500, 4, 30+i))
		p.B = append(p.B, *sampleRun("stsd, v0.9", 1780, 4, 50+i))
		d := newDraw(70 + i)
		p.Ratios = append(p.Ratios, measure.Ratios{Served: 1 + 0.03*d.NormFloat64(), P50: 0.93 + 0.03*d.NormFloat64(), P99: 0.75 + 0.09*d.NormFloat64(), PerServe: 0.9 + 0.01*d.NormFloat64()})
	}
	return p
}

const sampleScenario = `# what --quick runs
title: stsd on one machine
server:
  start: stsd
  tls: mutual
phases:
  - name: steady
    open: {rate: 1800, arrivals: poisson}
    duration: 60s
    mix: {query: 80, cold-certificate: 8, bad-signature: 4, replay: 4, ill-formed: 2, unknown-attribute: 2}
`

// sampleReport has a phase of each sort.
func sampleReport() *measure.Report {
	steady := sampleMix()
	return &measure.Report{
		Title: "stsd on one machine", Scenario: sampleScenario, Made: begun.Add(4 * time.Minute),
		Machine: measure.Machine{Processor: "AMD EPYC 7763 64-Core Processor", Cores: 8, OS: "linux/amd64", Go: "go1.26.8, GOMAXPROCS 8", Version: "v0.9.2-14-gc34d231",
			Kernel: "6.12.30", Memory: 32 << 30, Load: 0.42, Servers: map[string]string{"stsd": "/tmp/stsd, SHA-256 0123456789abcdef…, c34d23100000"}},
		Phases: []measure.Phase{{Name: "steady", Run: steady}, {Name: "saturation", Search: sampleSearch()}, {Name: "against v0.9", Pair: samplePair()}},
		Verdict: []measure.Judgement{
			{Phase: "steady", What: "no wrong answer", Found: "0", Holds: true},
			{Phase: "steady", What: "p99 ≤ 10 × mean service time", Found: fmt.Sprintf("%s, mean %s", latency(steady.Latency.Quantile(.99)), latency(steady.Service.Mean())), Holds: true},
			{Phase: "saturation", What: "served rate at 300 % of saturation within 10 % of it", Found: "97.8 %", Holds: true},
			{Phase: "against v0.9", What: "CPU a serve, A by B ≤ 0.90", Found: "0.903"},
		},
	}
}
