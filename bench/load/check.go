package main

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"sceau/bench/load/measure"
	"sceau/bench/load/message"
)

// The closed sets of words of a scenario.
const (
	signLive  = "live"
	signAhead = "ahead"
	tlsNone   = "none"
	tlsServer = "server"
	tlsMutual = "mutual"
)

var (
	keyWords     = []string{"RSA-2048", "P-256", "P-384"}
	limitWords   = []string{"read-timeout", "write-timeout", "idle-timeout", "max-connections", "max-per-address", "max-in-flight", "max-at-work", "max-wait", "max-large-bodies", "stop-timeout"}
	cpuList      = regexp.MustCompile(`^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// The greatest numbers that a scenario may have: beyond them is a slip of the pen.
const (
	maxConnections = 60000
	maxConsumers   = 100000
	maxRate        = 1e6
	maxPhase       = 24 * time.Hour
)

// checker says what is wrong with the values of a scenario, each where it stands.
type checker struct {
	at place
	p  *problems
}

// require notes a problem at path unless holds.
func (c checker) require(holds bool, path []any, format string, args ...any) {
	if !holds {
		c.p.add(c.at.line(path...), format, args...)
	}
}

func at(path ...any) []any { return path }

func (c checker) word(value string, words []string, path []any) {
	c.require(slices.Contains(words, value), path, "%s: %q is not one of %s", name(path), value, strings.Join(words, ", "))
}

func (c checker) between(value, low, high int, path []any) {
	c.require(value >= low && value <= high, path, "%s: %d is not between %d and %d", name(path), value, low, high)
}

// name writes the path of a value as --set takes it.
func name(path []any) string {
	parts := make([]string, len(path))
	for i, p := range path {
		parts[i] = fmt.Sprint(p)
	}
	return strings.Join(parts, ".")
}

// check says everything that is wrong with the values.
func (s *scenario) check(document place, p *problems) {
	c := checker{document, p}
	c.target(&s.Target, "target")
	if s.Against != nil {
		c.target(s.Against, "against")
		c.require(s.Target.Name != s.Against.Name, at("against"), "against: both targets are called %q: give them names", s.Target.Name)
	}
	c.consumers(s)
	c.wire(s)
	c.mix(s)
	c.require(s.Pad <= message.MaxPad, at("pad"), "pad: more than %d bytes", message.MaxPad)
	c.word(s.Sign, []string{signLive, signAhead}, at("sign"))
	c.require(s.Verify >= 0 && s.Verify <= 1, at("verify"), "verify: %v is not between 0 and 1", s.Verify)
	c.between(s.Connections, 1, maxConnections, at("connections"))
	c.between(s.Idle, 0, maxConnections, at("idle"))
	c.between(s.KeyPool, 0, maxConsumers, at("key-pool"))
	c.between(s.Cold, 0, maxConsumers*10, at("cold-certificates"))
	c.require(s.Timeout > 0 && time.Duration(s.Timeout) <= 10*time.Minute, at("timeout"), "timeout: not between 0 and 10m")
	c.require(time.Duration(s.Lifetime) >= time.Second && time.Duration(s.Lifetime) <= maxPhase, at("lifetime"), "lifetime: not between 1s and 24h")
	for _, t := range s.targets() {
		c.require(t.Start == nil || time.Duration(s.Lifetime) <= aheadLifetime, at("lifetime"),
			"lifetime: stsd, which is started, refuses messages that are valid for longer than %v", aheadLifetime)
	}
	c.require(s.Clock == nil || s.Sign == signAhead, at("clock"), "clock: only with sign: ahead; live messages are made at the time of the machine")
	c.require(len(s.Phases) > 0, at("phases"), "phases: there are none")
	searched := false
	names := map[string]bool{}
	for i := range s.Phases {
		f := &s.Phases[i]
		c.phase(s, f, i, searched)
		c.require(!names[f.Name], at("phases", i, "name"), "phases.%d: another phase is called %q", i, f.Name)
		names[f.Name] = true
		searched = searched || f.Kind == kindSearch
	}
}

func (c checker) target(t *target, key string) {
	for kind, codes := range t.Answers {
		c.require(slices.Contains(measure.Kinds(), kind) && len(codes) > 0, at(key, "answers", string(kind)),
			"%s.answers: %q is no kind of message, or has no answer: %v", key, kind, measure.Kinds())
	}
	if t.Start != nil {
		c.require(t.URL == "" && t.PID == 0 && t.TLS == nil, at(key), "%s: url, pid and tls are for a server that runs; start says them itself", key)
		c.start(t.Start, key)
		return
	}
	u, err := url.Parse(t.URL)
	ok := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.Fragment == ""
	c.require(ok, at(key, "url"), "%s: url must be http:// or https:// and the address of a service, or say start", key)
	c.require(t.PID >= 0, at(key, "pid"), "%s.pid: %d", key, t.PID)
	if t.TLS == nil {
		return
	}
	c.require(!ok || u.Scheme == "https", at(key, "tls"), "%s.tls: the url is not https", key)
	c.require((t.TLS.Certificate == "") == (t.TLS.Key == ""), at(key, "tls"), "%s.tls: certificate and key go together", key)
}

func (c checker) start(t *start, key string) {
	path := func(k ...any) []any { return append([]any{key, "start"}, k...) }
	c.word(t.Signing, []string{"rsa", "p256"}, path("signing"))
	c.word(t.TLS, []string{tlsNone, tlsServer, tlsMutual}, path("tls"))
	c.between(t.GOMAXPROCS, 0, 1024, path("gomaxprocs"))
	c.require(t.CPUs == "" || cpuList.MatchString(t.CPUs), path("cpus"), "%s.start.cpus: %q is no list such as 0,2-3", key, t.CPUs)
	word, interval, _ := strings.Cut(t.Durability, " ")
	d, err := time.ParseDuration(interval)
	c.require(t.Durability == "sync" || word == "relaxed" && err == nil && d > 0, path("durability"),
		"%s.start.durability: %q is neither sync nor relaxed and a duration", key, t.Durability)
	for k, v := range t.Limits {
		c.word(k, limitWords, path("limits", k))
		c.require(v != "", path("limits", k), "%s.start.limits.%s: no value", key, k)
	}
	for k := range t.Env {
		c.require(variableName.MatchString(k), path("env", k), "%s.start.env: %q is no name of a variable", key, k)
	}
}

func (c checker) consumers(s *scenario) {
	if s.PKI != "" {
		c.require(len(s.Consumers) == 0 && s.KeyPool == 0, at("consumers"), "consumers and key-pool are of a new PKI; that in %s has its own", s.PKI)
		return
	}
	c.require(len(s.Consumers) > 0, at("consumers"), "consumers: there are none")
	for i, one := range s.Consumers {
		path := func(k string) []any { return at("consumers", i, k) }
		c.word(one.Identity, keyWords, path("identity"))
		c.word(one.Holder, append(slices.Clone(keyWords), "none"), path("holder"))
		c.between(one.Count, 1, maxConsumers, path("count"))
		c.between(one.Weight, 1, 1000, path("weight"))
	}
}

func (c checker) mix(s *scenario) {
	sum := 0
	for kind, weight := range s.Mix {
		c.require(slices.Contains(measure.Kinds(), kind), at("mix", string(kind)), "mix: there is no kind %q: %v", kind, measure.Kinds())
		c.between(weight, 0, 1_000_000, at("mix", string(kind)))
		sum += max(weight, 0)
	}
	c.require(sum > 0, at("mix"), "mix: no kind has any weight")
}

func (c checker) phase(s *scenario, f *phase, i int, searched bool) {
	path := func(k ...any) []any { return append([]any{"phases", i}, k...) }
	c.word(f.Kind, []string{kindRun, kindSearch, kindAt, kindPair}, path("kind"))
	c.load(f, path)
	c.require(f.Factor == 0 || f.Kind == kindAt, path("factor"), "%s: factor is for kind: at", name(path()))
	c.require(f.Rounds == 0 || f.Kind == kindPair, path("rounds"), "%s: rounds is for kind: pair", name(path()))
	c.require(f.Begin == 0 && f.Limit == 0 && f.Near == 0 || f.Kind == kindSearch, path(), "%s: begin, limit and near are for kind: search", name(path()))
	switch f.Kind {
	case kindAt:
		c.require(f.Factor > 0 && f.Factor <= 100, path("factor"), "%s: factor: %v is not between 0 and 100", name(path()), f.Factor)
		c.require(searched, path("kind"), "%s: kind: at needs a search before it", name(path()))
	case kindPair:
		c.between(f.Rounds, 1, 1000, path("rounds"))
		c.require(s.Against != nil, path("kind"), "%s: kind: pair needs a second target (against)", name(path()))
	case kindSearch:
		c.require(f.Begin >= 0 && f.Begin <= maxRate, path("begin"), "%s: begin: %v is not between 0 and %d", name(path()), f.Begin, int(maxRate))
		c.require(f.Near >= 0.01 && f.Near <= 0.5, path("near"), "%s: near: %v is not between 0.01 and 0.5", name(path()), f.Near)
		c.require(f.Limit > 0, path("limit"), "%s: limit: no time at all", name(path()))
	}
	c.require(f.Name != "" && len(f.Name) <= 60, path("name"), "%s: name: from 1 to 60 bytes", name(path()))
	c.require(f.Duration >= duration(time.Second) && time.Duration(f.Duration) <= maxPhase, path("duration"), "%s: duration: %v is not between 1s and 24h", name(path()), time.Duration(f.Duration))
	c.require(time.Duration(f.Warmup) <= maxPhase, path("warmup"), "%s: warmup: longer than 24h", name(path()))
	c.between(s.connections(f), 1, maxConnections, path("connections"))
	c.between(s.idle(f), 0, maxConnections, path("idle"))
	c.messages(s, f, path)
	c.expect(f, path)
}

// load says whether the phase has exactly one load.
func (c checker) load(f *phase, path func(...any) []any) {
	switch f.Kind {
	case kindRun, kindPair:
		c.require((f.Rate != 0) != f.Closed, path(), "%s: say either rate (open loop) or closed: true", name(path()))
		c.require(f.Rate >= 0 && f.Rate <= maxRate, path("rate"), "%s: rate: %v is not between 0 and %d", name(path()), f.Rate, int(maxRate))
	case kindSearch, kindAt:
		c.require(f.Rate == 0 && !f.Closed, path(), "%s: kind: %s finds its rate itself: neither rate nor closed", name(path()), f.Kind)
	}
	if f.open() {
		c.word(f.Arrivals, []string{"constant", "poisson"}, path("arrivals"))
	} else {
		c.require(f.Arrivals == "", path("arrivals"), "%s: arrivals are of an open loop", name(path()))
	}
}

// messages says whether it is known how many messages are to be signed ahead.
func (c checker) messages(s *scenario, f *phase, path func(...any) []any) {
	c.between(f.Messages, 0, 100_000_000, path("messages"))
	known := f.Rate > 0 || f.Messages > 0 || f.Kind == kindAt
	c.require(s.Sign != signAhead || known, path("messages"), "%s: messages: say how many to sign ahead; a closed loop or a search sends as many as are answered", name(path()))
	c.require(s.Sign == signAhead || f.Messages == 0, path("messages"), "%s: messages are counted only with sign: ahead", name(path()))
}

func (c checker) expect(f *phase, path func(...any) []any) {
	for key, value := range f.Expect {
		e := findExpectation(key)
		if e == nil {
			c.p.add(c.at.line(path("expect", key)...), "%s: expect: unknown expectation %q (load scenario expectations lists them)", name(path()), key)
			continue
		}
		c.require(slices.Contains(e.kinds, f.Kind), path("expect", key), "%s: expect: %s is not for kind: %s", name(path()), key, f.Kind)
		if _, err := e.parse(value); err != nil {
			c.p.add(c.at.line(path("expect", key)...), "%s: expect: %s: %v", name(path()), key, err)
		}
	}
}
