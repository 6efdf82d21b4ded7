// Package measure holds what a load run measured: plain data, with JSON tags, that package drive fills and package
// report shows. It measures nothing itself.
//
// All durations are time.Duration, in JSON nanoseconds; rates are per second. A nil or zero field means that it was not
// measured, never that it was zero. Nothing here is safe for concurrent writing.
package measure

import "time"

// A Kind says what a message is made to be, and so which answer to it is right.
type Kind string

const (
	Query            Kind = "query"             // a good query: a signed assertion
	BadSignature     Kind = "bad-signature"     // an altered header signature: a fault
	Replay           Kind = "replay"            // a message that was sent before: refused
	IllFormed        Kind = "ill-formed"        // no XML: a fault
	UnknownAttribute Kind = "unknown-attribute" // asks what no catalogue has: a SAML status
	ColdCertificate  Kind = "cold-certificate"  // a good query with certificates never seen before
)

// Kinds lists all, in the order in which they are shown.
func Kinds() []Kind {
	return []Kind{Query, ColdCertificate, BadSignature, Replay, IllFormed, UnknownAttribute}
}

// A Class says how an exchange ended.
type Class string

const (
	Right    Class = "right"     // the answer that the message asked for
	Wrong    Class = "wrong"     // another answer, or one whose signature does not verify: fails the run
	Busy     Class = "busy"      // the server said to come back later (SOA-02002 or HTTP 503)
	Failed   Class = "failed"    // no answer: connection refused, reset, ill-formed HTTP
	TimedOut Class = "timed out" // no answer in time
	Unsent   Class = "unsent"    // open loop: no connection was free before the time-out; counted as waiting, not hidden
)

// A Run is one measured interval against one target with one load.
type Run struct {
	Target      string        `json:"target"`
	Load        Load          `json:"load"`
	Began       time.Time     `json:"began"`
	Warmup      time.Duration `json:"warmup"`   // before Began, not counted
	Offering    time.Duration `json:"offering"` // from Began, for so long messages fell due
	Duration    time.Duration `json:"duration"` // from Began to the end of the last exchange, whatever its end; at least Offering
	Connections int           `json:"connections"`
	IdleAsked   int           `json:"idle_asked,omitempty"`       // idle connections that were to be held open
	Idle        int           `json:"idle_connections,omitempty"` // of those, still open at the end

	Offered  uint64 `json:"offered"` // messages that fell due
	Sent     uint64 `json:"sent"`
	Answered uint64 `json:"answered"`
	// Served is the rate of Right answers that came in the measured time, whenever their messages
	// fell due: with a backlog also in the warm-up. So it is not Classes[Right] by Duration.
	Served float64 `json:"served_per_second"`

	Classes  map[Class]uint64  `json:"classes"`
	Kinds    map[Kind]uint64   `json:"kinds"`              // answers by kind of message
	Codes    map[string]uint64 `json:"codes"`              // answers by code: "200 samlp:Success", "200 REQ-13", "500 wsse:InvalidSecurityToken", "503 SOA-02002"
	Verified uint64            `json:"verified_answers"`   // answers whose signature was verified
	Wrong    []WrongAnswer     `json:"wrong,omitempty"`    // the first of them, those of the warm-up among them
	Failures map[string]uint64 `json:"failures,omitempty"` // by cause: "connection refused", "reset", …
	// WrongInWarmup are wrong answers before Began, which Classes do not count.
	WrongInWarmup uint64 `json:"wrong_in_warmup,omitempty"`

	// Latency is from the intended time of sending (open loop; no coordinated
	// omission) or from sending (closed loop) to the last byte of the answer, of Right
	// answers. Service is from the first byte written to the last read, of the same.
	// Refusal is Latency of Busy answers.
	Latency *Histogram `json:"latency,omitempty"`
	Service *Histogram `json:"service,omitempty"`
	Refusal *Histogram `json:"refusal,omitempty"`
	// RefusalService is Service of Busy answers: how fast the server says no.
	RefusalService *Histogram `json:"refusal_service,omitempty"`

	Series []Point `json:"series"` // one a second, for latency over time

	BytesSent     uint64 `json:"bytes_sent"`
	BytesReceived uint64 `json:"bytes_received"`

	Server    *Process  `json:"server,omitempty"` // when its process is on this machine
	Generator Generator `json:"generator"`
}

// WrongAnswers is how many there were, in the warm-up, too.
func (r *Run) WrongAnswers() uint64 {
	return max(r.Classes[Wrong]+r.WrongInWarmup, uint64(len(r.Wrong)))
}

// Lost is how many messages had no answer at all: failed, timed out, or never sent for want of a
// connection.
func (r *Run) Lost() uint64 { return r.Classes[Failed] + r.Classes[TimedOut] + r.Classes[Unsent] }

// A Load is what was asked of the generator.
type Load struct {
	Loop string `json:"loop"` // "open" or "closed"
	// Rate is what an open loop offers, messages a second; zero in a closed loop.
	Rate float64 `json:"rate,omitempty"`
	// Arrivals of an open loop: "constant" or "poisson".
	Arrivals string `json:"arrivals,omitempty"`
}

// A WrongAnswer is one that fails the run.
type WrongAnswer struct {
	Kind   Kind   `json:"kind"`
	Why    string `json:"why"`
	Status int    `json:"status"`
	Answer string `json:"answer"` // its first printable bytes
}

// A Point is one second of a run.
type Point struct {
	At      time.Duration `json:"at"` // since Began, end of the second
	Offered uint64        `json:"offered"`
	Served  uint64        `json:"served"`
	Busy    uint64        `json:"busy"`
	Other   uint64        `json:"other"` // wrong, failed, timed out, unsent
	P50     time.Duration `json:"p50"`   // latency of what was served in this second
	P99     time.Duration `json:"p99"`
	Max     time.Duration `json:"max"`
	// Of the server's process in this second.
	CPU float64 `json:"cpu,omitempty"` // cores
	RSS uint64  `json:"rss,omitempty"` // bytes
}

// A Process is what the kernel says of the server's process over a run.
type Process struct {
	PID      int           `json:"pid"`
	CPU      time.Duration `json:"cpu"`         // user and system, over the run
	PerServe time.Duration `json:"cpu_a_serve"` // CPU by Right answers; meaningless in a mix
	RSS      uint64        `json:"rss"`         // bytes, at the end
	RSSMax   uint64        `json:"rss_max"`     // bytes, the greatest of the samples
	// RSSIdle is what it took when all connections, those that stay idle among them, were
	// open and no load had begun.
	RSSIdle uint64 `json:"rss_idle,omitempty"`
}

// A Generator is what the load tool says of itself, so that nobody takes its limit for the server's.
type Generator struct {
	CPU time.Duration `json:"cpu"` // user and system, over the run
	// Late is how long after its intended time a message was begun to be written although a
	// connection was free: only the generator is to blame for it.
	Late *Histogram `json:"late,omitempty"`
	// Limited says why the generator was the bottleneck, empty when it was not.
	Limited string `json:"limited,omitempty"`
	// Imprecise says how the generator's own lateness blurs the percentiles although it kept the
	// rate, empty when it does not.
	Imprecise string `json:"imprecise,omitempty"`
	// Live says that messages were signed during the run.
	Live bool `json:"live"`
}

// A Search is how a saturation point was found: offered load in steps, each a Run.
type Search struct {
	Steps []Run `json:"steps"` // in the order in which they ran
	// Saturation is the greatest rate of right answers that was sustained, and confirmed, per
	// second; never more than was offered. At least that, when the search was cut short.
	Saturation float64 `json:"saturation"`
	// Knee is the index in Steps of the greatest offered load that still met the criterion, -1
	// when none did.
	Knee int `json:"knee"`
	// Criterion is what a step had to meet: "served ≥ 95 % of offered, p99 ≤ 100ms".
	Criterion string `json:"criterion,omitempty"`
	// Limited says that the generator, not the server, ended the search.
	Limited string `json:"limited,omitempty"`
}

// A Pair is two targets under the same load, turn by turn in one run.
type Pair struct {
	A      []Run    `json:"a"`
	B      []Run    `json:"b"`
	Ratios []Ratios `json:"ratios"` // round by round, A by B
	Median Ratios   `json:"median"`
}

// Ratios are figures of A by those of B; zero where one is missing.
type Ratios struct {
	Served   float64 `json:"served,omitempty"`
	P50      float64 `json:"p50,omitempty"`
	P99      float64 `json:"p99,omitempty"`
	PerServe float64 `json:"cpu_a_serve,omitempty"`
}

// A Report is all that one invocation measured.
type Report struct {
	Title    string      `json:"title"`
	Scenario string      `json:"scenario"` // the YAML as it was used, defaults filled in
	Machine  Machine     `json:"machine"`
	Made     time.Time   `json:"made"`
	Phases   []Phase     `json:"phases"`
	Verdict  []Judgement `json:"verdict"` // what was asked of the run, and whether it holds
	// Incomplete says why the scenario was not run to its end; empty when it was.
	Incomplete string `json:"incomplete,omitempty"`
	// Notes are what a reader must know beside the figures.
	Notes []string `json:"notes,omitempty"`
}

// A Phase is one part of a scenario; exactly one of Run, Search, Pair is set.
type Phase struct {
	Name   string  `json:"name"`
	Run    *Run    `json:"run,omitempty"`
	Search *Search `json:"search,omitempty"`
	Pair   *Pair   `json:"pair,omitempty"`
}

// A Judgement is one expectation of a scenario.
type Judgement struct {
	Phase  string `json:"phase"`
	What   string `json:"what"` // "p99 ≤ 10 × mean service time"
	Found  string `json:"found"`
	Holds  bool   `json:"holds"`
	Failed bool   `json:"failed"` // the run as a whole fails by it
}

// A Machine says where the figures are from.
type Machine struct {
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	OS        string `json:"os"` // linux/amd64
	Go        string `json:"go"`
	Version   string `json:"version"` // of this project, when known
	Kernel    string `json:"kernel,omitempty"`
	Memory    uint64 `json:"memory,omitempty"` // bytes
	// Load is the load average of a minute when the run began.
	Load float64 `json:"load,omitempty"`
	// Servers are the programs that were started, by the name of their target: file, hash and
	// version as their build says it.
	Servers map[string]string `json:"servers,omitempty"`
}

// A Shot is one message to be sent, and what is needed to judge its answer.
type Shot struct {
	Kind     Kind
	Body     []byte // not altered and not kept by who sends it
	Action   string // SOAPAction, without quotes
	ID       string // of the samlp:Request; the answer's InResponseTo. Empty where no answer can refer to it
	Sequence uint64 // place in the source, from 0
}

// A Verdict is what a checker says of one answer.
type Verdict struct {
	Class    Class  // Right, Wrong or Busy
	Code     string // for Run.Codes
	Why      string // of Wrong
	Verified bool   // the signature of the answer was verified
}
