package main

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/bench/load/measure"
	"sceau/bench/load/message"
)

// parse reads a scenario that is written in a test.
func parse(text string, sets ...string) (*scenario, error) {
	return parseScenario("test.yaml", []byte(text), "/folder", sets)
}

const small = `
target: {start: {}}
phases:
  - rate: 20
`

func TestDefaults(t *testing.T) {
	s, err := parse(small)
	if err != nil {
		t.Fatal(err)
	}
	f := s.Phases[0]
	switch {
	case s.Title != "test", s.Seed != 1, s.Sign != signLive, s.Verify != 1, s.Connections != 64, time.Duration(s.Lifetime) != time.Minute:
		t.Errorf("%+v", s)
	case s.Target.Name != "stsd", s.Target.Start.Signing != "rsa", s.Target.Start.TLS != "none", s.Target.Start.Durability != "sync":
		t.Errorf("%+v", s.Target)
	case len(s.Consumers) != 1, s.Consumers[0] != (consumers{Identity: "P-256", Holder: "RSA-2048", Count: 20, Weight: 1}), s.Mix[measure.Query] != 1:
		t.Errorf("%+v", s.Consumers)
	case f.Name != "run 1", f.Kind != kindRun, f.Arrivals != "poisson", time.Duration(f.Duration) != 10*time.Second, s.connections(&f) != 64:
		t.Errorf("%+v", f)
	}
}

// What the report shows is the whole scenario: read again it is the same.
func TestTextIsScenario(t *testing.T) {
	names, err := exampleNames()
	if err != nil || !slices.Contains(names, "quick") {
		t.Fatal(names, err)
	}
	for _, name := range names {
		s, err := loadScenario(name, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		text, err := s.text()
		if err != nil {
			t.Fatal(err)
		}
		again, err := parse(text)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
			continue
		}
		if second, err := again.text(); second != text || err != nil {
			t.Errorf("%s: %v\n%s\nbecame\n%s", name, err, text, second)
		}
	}
}

func TestExplicitZerosAreKept(t *testing.T) {
	s, err := parse("target: {start: {}}\nverify: 0\nseed: 0\nphases:\n  - {closed: true, warmup: 0s, idle: 0, connections: 2}\nidle: 7\n")
	if err != nil {
		t.Fatal(err)
	}
	f := &s.Phases[0]
	if s.Verify != 0 || s.Seed != 0 || f.Warmup != 0 || s.idle(f) != 0 || s.connections(f) != 2 {
		t.Errorf("%+v", s)
	}
}

// Everything that is wrong is said at once, each with its line.
func TestProblemsAllAtOnce(t *testing.T) {
	_, err := parse(`target:
  url: ftp://x
  colour: red
consumers:
  - {identity: P-257}
mix:
  query: -1
  poetry: 3
verify: 2
timeout: soon
phases:
  - rate: 5
    closed: true
    duration: 1ms
  - kind: at
    factor: 0.5
  - kind: pair
    rate: 1
    expect:
      p99: 5ms
      happiness: 1
      served-ratio: many
`)
	if err == nil || !errors.As(err, new(usageError)) {
		t.Fatal(err)
	}
	for _, want := range []string{
		"test.yaml:2: target: url must be",
		`test.yaml:3: unknown key "colour"`,
		`test.yaml:5: consumers.0.identity: "P-257" is not one of RSA-2048, P-256, P-384`,
		"test.yaml:7: mix.query: -1 is not between",
		`test.yaml:8: mix: there is no kind "poetry"`,
		"test.yaml:9: verify: 2",
		`test.yaml:10: "soon" is no duration`,
		"test.yaml:12: phases.0: say either rate (open loop) or closed: true",
		"test.yaml:14: phases.0: duration: 1ms",
		"test.yaml:15: phases.1: kind: at needs a search before it",
		"test.yaml:17: phases.2: kind: pair needs a second target",
		"test.yaml:20: phases.2: expect: p99 is not for kind: pair",
		`test.yaml:21: phases.2: expect: unknown expectation "happiness"`,
		"test.yaml:22: phases.2: expect: served-ratio: \"many\" is no number",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not said: %s", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestProblems(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":                 {"", "the file is empty"},
		"no YAML":               {"target: [", "line 1"},
		"second document":       {small + "---\na: 1\n", "a second document"},
		"a key twice":           {"title: a\ntitle: b\n" + small, "already defined"},
		"no phases":             {"target: {start: {}}\n", "phases: there are none"},
		"no target":             {"phases: [{rate: 1}]\n", "target: url must be"},
		"target twice":          {"target: {url: 'http://x/', start: {}}\nphases: [{rate: 1}]\n", "start says them itself"},
		"password in url":       {"target: {url: 'http://a:b@x/'}\nphases: [{rate: 1}]\n", "target: url must be"},
		"TLS for http":          {"target: {url: 'http://x/', tls: {ca: f}}\nphases: [{rate: 1}]\n", "the url is not https"},
		"half a pair":           {"target: {url: 'https://x/', tls: {key: f}}\nphases: [{rate: 1}]\n", "certificate and key go together"},
		"signing":               {"target: {start: {signing: dsa}}\nphases: [{rate: 1}]\n", `"dsa" is not one of rsa, p256`},
		"tls mode":              {"target: {start: {tls: maybe}}\nphases: [{rate: 1}]\n", "none, server, mutual"},
		"durability":            {"target: {start: {durability: relaxed}}\nphases: [{rate: 1}]\n", "neither sync nor relaxed"},
		"cpus":                  {"target: {start: {cpus: '0;reboot'}}\nphases: [{rate: 1}]\n", "is no list such as"},
		"limit":                 {"target: {start: {limits: {patience: 3}}}\nphases: [{rate: 1}]\n", "target.start.limits.patience"},
		"limit without a value": {"target: {start: {limits: {max-in-flight: }}}\nphases: [{rate: 1}]\n", "no value"},
		"variable":              {"target: {start: {env: {'A=B': c}}}\nphases: [{rate: 1}]\n", "no name of a variable"},
		"two of a name":         {"target: {start: {}, name: a}\nagainst: {start: {}, name: a}\nphases: [{kind: pair, rate: 1}]\n", `both targets are called "a"`},
		"two phases of a name":  {"target: {start: {}}\nphases: [{rate: 1, name: a}, {rate: 1, name: a}]\n", `another phase is called "a"`},
		"no weight":             {"mix: {query: 0}\n" + small, "no kind has any weight"},
		"empty mix":             {"mix: {}\n" + small, "no kind has any weight"},
		"no consumers":          {"consumers: []\n" + small, "consumers: there are none"},
		"PKI and consumers":     {"pki: d\nconsumers: [{identity: P-256}]\n" + small, "of a new PKI"},
		"sign":                  {"sign: never\n" + small, `sign: "never" is not one of live, ahead`},
		"clock of live":         {"clock: 2026-01-01T00:00:00Z\n" + small, "clock: only with sign: ahead"},
		"connections":           {"connections: 0\n" + small, "connections: 0 is not between"},
		"no load":               {"target: {start: {}}\nphases: [{}]\n", "say either rate"},
		"negative rate":         {"target: {start: {}}\nphases: [{rate: -1}]\n", "rate: -1"},
		"rate of a search":      {"target: {start: {}}\nphases: [{kind: search, rate: 1}]\n", "finds its rate itself"},
		"factor of a run":       {"target: {start: {}}\nphases: [{rate: 1, factor: 2}]\n", "factor is for kind: at"},
		"rounds of a run":       {"target: {start: {}}\nphases: [{rate: 1, rounds: 2}]\n", "rounds is for kind: pair"},
		"arrivals":              {"target: {start: {}}\nphases: [{rate: 1, arrivals: gentle}]\n", `"gentle" is not one of constant, poisson`},
		"arrivals, closed":      {"target: {start: {}}\nphases: [{closed: true, arrivals: poisson}]\n", "arrivals are of an open loop"},
		"how many ahead":        {"sign: ahead\ntarget: {start: {}}\nphases: [{closed: true}]\n", "say how many to sign ahead"},
		"messages, live":        {"target: {start: {}}\nphases: [{rate: 1, messages: 5}]\n", "only with sign: ahead"},
		"an expected list":      {"target: {start: {}}\nphases: [{rate: 1, expect: {p99: [1]}}]\n", "a single value was expected"},
		"expected nothing":      {"target: {start: {}}\nphases: [{rate: 1, expect: {p99: }}]\n", "is no duration"},
		"expected size":         {"target: {start: {}}\nphases: [{rate: 1, expect: {rss-max: 12}}]\n", "is no size"},
		"expected no":           {"target: {start: {}}\nphases: [{rate: 1, expect: {generator-unlimited: false}}]\n", "it can only be true"},
		"lifetime of stsd":      {"lifetime: 11m\n" + small, "lifetime: stsd, which is started, refuses messages that are valid for longer than 10m0s"},
		"pad":                   {"pad: 12\n" + small, `"12" is no size such as`},
		"pad too long":          {"pad: 1GiB\n" + small, "pad: more than"},
		"wire of a PKI":         {"pki: d\nwire: {action: a}\n" + small, "wire is of a new PKI"},
		"asked twice":           {"wire: {asked: [{name: a, namespace: b}, {name: a, namespace: b}]}\n" + small, `wire.asked.1: "a" is there twice`},
		"asked of no name":      {"wire: {asked: [{namespace: b}]}\n" + small, "name and namespace are needed"},
		"claims nothing":        {"wire: {identification: []}\n" + small, "wire.identification: there is none"},
		"no issuer":             {"wire: {issuer: ''}\n" + small, "issuer and validity must not be empty"},
		"value of the unknown":  {"wire: {unknown: {name: a, namespace: b, value: c}}\n" + small, "wire.unknown: it has no value"},
		"NaN":                   {"verify: .nan\n" + small, "verify: NaN"},
		"NaN rate":              {"target: {start: {}}\nphases: [{rate: .nan}]\n", "rate: NaN"},
	} {
		if _, err := parse(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, not %q", name, err, c.want)
		}
	}
}

func TestSet(t *testing.T) {
	s, err := parse(small, "phases.0.rate=30", "target.start.limits.max-in-flight=5", "mix={query: 2, replay: 1}", "phases.0.expect.p99=1s")
	if err != nil {
		t.Fatal(err)
	}
	if s.Phases[0].Rate != 30 || s.Target.Start.Limits["max-in-flight"] != "5" || s.Mix[measure.Replay] != 1 || s.Phases[0].Expect["p99"] != "1s" {
		t.Errorf("%+v", s)
	}
	for set, want := range map[string]string{
		"phases.1.rate=3":   `no element "1"`,
		"phases.-1.rate=3":  `no element "-1"`,
		"rate":              "not of the form key=value",
		"=3":                "not of the form key=value",
		"colour=red":        `unknown key "colour"`,
		"timeout=soon":      `"soon" is no duration`,
		"verify=[":          "no YAML value",
		"verify=3":          "test.yaml: verify: 3 is not between",
		"phases.0.rate.a=1": "cannot unmarshal",
	} {
		if _, err := parse(small, set); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %q", set, err, want)
		}
	}
}

func TestUnknownScenario(t *testing.T) {
	if _, err := loadScenario("nowhere.yaml", nil); !errors.As(err, new(usageError)) {
		t.Error(err)
	}
	if _, ok := exampleText("../main"); ok {
		t.Error("an example outside the folder of examples")
	}
}

// What a scenario says of the wire, of its consumers and of its messages gets to where they are made.
func TestWire(t *testing.T) {
	s, err := parse(`wire:
  action: urn:ask
  asked:
    - {name: a, namespace: n, value: "true"}
consumers: [{identity: P-256, always-sign-inner: true}]
pad: 250KiB
` + small)
	if err != nil {
		t.Fatal(err)
	}
	standard := message.DefaultWire()
	config := s.pkiConfig(newConsole(io.Discard))
	w := config.Wire
	if w == nil || w.Action != "urn:ask" || len(w.Asked) != 1 || w.Asked[0].Name != "a" || w.Asked[0].Namespace != "n" || w.Asked[0].Value != "true" {
		t.Fatalf("%+v", w)
	}
	if w.Issuer != standard.Issuer || w.Validity != standard.Validity || w.Unknown != standard.Unknown || !slices.Equal(w.Identification, standard.Identification) {
		t.Errorf("what is not said is not as eHealth has it: %+v", w)
	}
	if !config.Profiles[0].AlwaysSignInner || s.makerConfig(nil, nil).Pad != 250<<10 {
		t.Errorf("%+v, pad %d", config.Profiles, s.makerConfig(nil, nil).Pad)
	}
	if s, err = parse(small); err != nil || s.pkiConfig(newConsole(io.Discard)).Wire != nil || !s.Try {
		t.Errorf("%+v: %v", s, err)
	}
}

func TestNotes(t *testing.T) {
	for text, want := range map[string]int{small: 1, "verify: 0\n" + small: 2} {
		s, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if notes := s.notes(); len(notes) != want {
			t.Errorf("%q", notes)
		}
	}
}
