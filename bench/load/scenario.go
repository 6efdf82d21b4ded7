package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"sceau/bench/load/measure"
	"sceau/bench/load/message"
)

// A scenario says what a run does. The embedded examples are its manual.
type scenario struct {
	Title string `yaml:"title"`
	Seed  uint64 `yaml:"seed"` // of arrivals, mix and names: the same seed gives the same sequence

	Target  target  `yaml:"target"`
	Against *target `yaml:"against,omitempty"` // the other one of a pair

	PKI       string      `yaml:"pki,omitempty"`      // folder made by init; empty: a new one in the folder of the run
	Wire      *wire       `yaml:"wire,omitempty"`     // of a new PKI: what the service calls things; without it, as eHealth does
	KeyPool   int         `yaml:"key-pool,omitempty"` // keys that consumers of a profile share; 0: a key each
	Cold      int         `yaml:"cold-certificates,omitempty"`
	Consumers []consumers `yaml:"consumers,omitempty"` // of a new PKI

	Mix      map[measure.Kind]int `yaml:"mix"`             // weights
	Sign     string               `yaml:"sign"`            // live or ahead
	Lifetime duration             `yaml:"lifetime"`        // of a message: Expires less Created
	Clock    *time.Time           `yaml:"clock,omitempty"` // the agreed clock of messages and server; without it, the clock of the machine
	Pad      bytesize             `yaml:"pad,omitempty"`   // least size of a message; 0: as it comes
	Verify   float64              `yaml:"verify"`          // share of answers whose signature is verified
	Try      bool                 `yaml:"try"`             // one query to each target before anything else

	Connections    int      `yaml:"connections"`
	NewConnections bool     `yaml:"new-connections"` // one for each request
	Idle           int      `yaml:"idle"`            // connections open beside
	Timeout        duration `yaml:"timeout"`

	Phases []phase `yaml:"phases"`

	dir string // that paths are relative to
}

// A target is a server: one that runs, or one to be started.
type target struct {
	Name  string    `yaml:"name,omitempty"`
	URL   string    `yaml:"url,omitempty"`
	PID   int       `yaml:"pid,omitempty"`
	TLS   *tlsFiles `yaml:"tls,omitempty"`
	Start *start    `yaml:"start,omitempty"`

	Signers []string                  `yaml:"signers,omitempty"` // PEM; the certificates one of which signs assertions; none: those of the PKI
	Answers map[measure.Kind][]string `yaml:"answers,omitempty"` // right ones, by kind; of kinds that are not named, those of stsd
}

// tlsFiles says how an https URL is reached.
type tlsFiles struct {
	CA          string `yaml:"ca,omitempty"`          // PEM; empty: the CA of the PKI
	Certificate string `yaml:"certificate,omitempty"` // PEM, of the client
	Key         string `yaml:"key,omitempty"`
	ServerName  string `yaml:"server-name,omitempty"`
}

// start says how stsd is started.
type start struct {
	Binary     string            `yaml:"binary,omitempty"`     // stsd itself, not a program that starts it; empty: go build ./cmd/stsd
	Signing    string            `yaml:"signing"`              // rsa or p256
	TLS        string            `yaml:"tls"`                  // none, server or mutual
	Durability string            `yaml:"durability"`           // sync, or relaxed and a duration
	GOMAXPROCS int               `yaml:"gomaxprocs,omitempty"` // 0: Go's own choice
	CPUs       string            `yaml:"cpus,omitempty"`       // as taskset -c takes them
	Limits     map[string]scalar `yaml:"limits,omitempty"`     // keys of stsd's limits
	Env        map[string]string `yaml:"env,omitempty"`
}

// consumers are those of one profile.
type consumers struct {
	Identity string `yaml:"identity"` // key of the certificate that signs the message
	Holder   string `yaml:"holder"`   // key of the holder's certificate; none: one certificate in both roles
	Count    int    `yaml:"count"`
	Weight   int    `yaml:"weight"`

	AlwaysSignInner bool `yaml:"always-sign-inner,omitempty"` // the samlp:Request also with one certificate
}

// aheadLifetime is how long messages that are signed ahead are valid unless the scenario says otherwise:
// as long as stsd admits, since a run may begin late and take long.
const aheadLifetime = 10 * time.Minute

// The kinds of phase.
const (
	kindRun    = "run"    // one load
	kindSearch = "search" // ramp up to saturation
	kindAt     = "at"     // one load, at a factor of the saturation that the last search found
	kindPair   = "pair"   // two targets turn by turn
)

// A phase is one part of a scenario. What it does not say of connections it has from
// the scenario.
type phase struct {
	Name string `yaml:"name"`
	Kind string `yaml:"kind"`

	Rate     float64 `yaml:"rate,omitempty"` // open loop: messages a second
	Closed   bool    `yaml:"closed,omitempty"`
	Factor   float64 `yaml:"factor,omitempty"`
	Arrivals string  `yaml:"arrivals,omitempty"` // constant or poisson
	Rounds   int     `yaml:"rounds,omitempty"`

	Begin float64  `yaml:"begin,omitempty"` // search: first offered rate; 0: a short closed loop finds it
	Limit duration `yaml:"limit,omitempty"` // search: greatest p99 of a rate that counts as sustained
	Near  float64  `yaml:"near,omitempty"`  // search: how near to the limit it goes, 0.05 for 5 %

	Warmup   duration `yaml:"warmup"`
	Duration duration `yaml:"duration"` // of a search: of each step
	Messages int      `yaml:"messages,omitempty"`

	Connections    *int  `yaml:"connections,omitempty"`
	NewConnections *bool `yaml:"new-connections,omitempty"`
	Idle           *int  `yaml:"idle,omitempty"`

	Advisory bool              `yaml:"advisory,omitempty"` // what its expectations find is said, and fails nothing
	Expect   map[string]scalar `yaml:"expect,omitempty"`
}

func (c *phase) open() bool { return !c.Closed }

func (s *scenario) connections(c *phase) int     { return either(c.Connections, s.Connections) }
func (s *scenario) newConnections(c *phase) bool { return either(c.NewConnections, s.NewConnections) }
func (s *scenario) idle(c *phase) int            { return either(c.Idle, s.Idle) }

func either[T any](own *T, common T) T {
	if own != nil {
		return *own
	}
	return common
}

// path makes a path of the file relative to its folder.
func (s *scenario) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(s.dir, p)
}

// targets are the servers of the scenario: one, or two.
func (s *scenario) targets() []*target {
	if s.Against == nil {
		return []*target{&s.Target}
	}
	return []*target{&s.Target, s.Against}
}

// text is the scenario as it is used, defaults filled in.
func (s *scenario) text() (string, error) {
	var b strings.Builder
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(s); err != nil {
		return "", err
	}
	return b.String(), encoder.Close()
}

// loadScenario reads a scenario from a file or, where there is no such file, from the
// examples; sets are "key=value" of --set. All that is wrong is in the error.
func loadScenario(name string, sets []string) (*scenario, error) {
	text, err := os.ReadFile(name)
	dir := filepath.Dir(name)
	if os.IsNotExist(err) {
		if example, ok := exampleText(name); ok {
			text, dir, err = example, ".", nil
		}
	}
	if err != nil {
		return nil, usage("%v (load scenario list names the examples)", err)
	}
	return parseScenario(name, text, dir, sets)
}

func parseScenario(name string, text []byte, dir string, sets []string) (*scenario, error) {
	p := &problems{file: name}
	s := &scenario{dir: dir}
	if !decodeStrict(text, s, p) {
		return nil, p.err()
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		p.add(0, "%v", err)
		return nil, p.err()
	}
	at := place{&document}
	if len(sets) > 0 {
		s = applySets(at, sets, dir, p)
	}
	s.fillIn(at, strings.TrimSuffix(filepath.Base(name), ".yaml"))
	s.check(at, p)
	return s, p.err()
}

// applySets changes the document and reads it again.
func applySets(at place, sets []string, dir string, p *problems) *scenario {
	for _, set := range sets {
		key, value, ok := strings.Cut(set, "=")
		if !ok || key == "" {
			p.add(0, "--set %s: not of the form key=value", set)
			continue
		}
		if err := at.set(key, value); err != nil {
			p.add(0, "--set %s: %v", set, err)
		}
	}
	s := &scenario{dir: dir}
	text, err := yaml.Marshal(at.root)
	if err != nil {
		p.add(0, "--set: %v", err)
		return s
	}
	again := &problems{}
	decodeStrict(text, s, again)
	if len(p.list) == 0 { // otherwise they are those of the file, told with their lines
		for _, one := range again.list {
			p.add(0, "after --set: %s", one.text)
		}
	}
	return s
}

// fillIn gives every value that the document does not have its default.
func (s *scenario) fillIn(at place, name string) {
	unless(at.has("title"), &s.Title, name)
	unless(at.has("seed"), &s.Seed, 1)
	for _, side := range []struct {
		key    string
		target *target
		name   string
	}{{"target", &s.Target, "A"}, {"against", s.Against, "B"}} {
		if side.target != nil {
			side.target.fillIn(at, side.key, side.name, s.Against != nil)
		}
	}
	unless(at.has("consumers") || s.PKI != "", &s.Consumers, []consumers{{Identity: "P-256", Holder: "RSA-2048", Count: 20, Weight: 1}})
	for i := range s.Consumers {
		c := &s.Consumers[i]
		unless(at.has("consumers", i, "holder") || c.Holder != "", &c.Holder, "none")
		unless(at.has("consumers", i, "count") || c.Count != 0, &c.Count, 20)
		unless(at.has("consumers", i, "weight") || c.Weight != 0, &c.Weight, 1)
	}
	unless(at.has("mix"), &s.Mix, map[measure.Kind]int{measure.Query: 1})
	unless(at.has("sign"), &s.Sign, signLive)
	lifetime := message.DefaultLifetime
	if s.Sign == signAhead {
		lifetime = aheadLifetime
	}
	unless(at.has("lifetime"), &s.Lifetime, duration(lifetime))
	unless(at.has("verify"), &s.Verify, 1)
	unless(at.has("try"), &s.Try, true)
	if s.Wire != nil {
		s.Wire.fillIn(at)
	}
	unless(at.has("connections"), &s.Connections, 64)
	unless(at.has("timeout"), &s.Timeout, duration(10*time.Second))
	for i := range s.Phases {
		s.Phases[i].fillIn(at, i)
	}
}

func (t *target) fillIn(at place, key, name string, pair bool) {
	if t.Start != nil {
		unless(at.has(key, "start", "signing"), &t.Start.Signing, "rsa")
		unless(at.has(key, "start", "tls"), &t.Start.TLS, tlsNone)
		unless(at.has(key, "start", "durability"), &t.Start.Durability, "sync")
		if !pair {
			name = "stsd"
		}
	} else if !pair {
		name = t.URL
	}
	unless(at.has(key, "name"), &t.Name, name)
}

func (c *phase) fillIn(at place, i int) {
	has := func(key string) bool { return at.has("phases", i, key) }
	unless(has("kind"), &c.Kind, kindRun)
	unless(has("name"), &c.Name, fmt.Sprintf("%s %d", c.Kind, i+1))
	unless(has("warmup"), &c.Warmup, duration(2*time.Second))
	unless(has("duration"), &c.Duration, duration(10*time.Second))
	if c.open() {
		unless(has("arrivals"), &c.Arrivals, "poisson")
	}
	switch c.Kind {
	case kindSearch:
		unless(has("limit"), &c.Limit, duration(time.Second))
		unless(has("near"), &c.Near, 0.05)
	case kindPair:
		unless(has("rounds"), &c.Rounds, 6)
	}
}

func unless[T any](said bool, field *T, value T) {
	if !said {
		*field = value
	}
}
