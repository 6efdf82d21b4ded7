package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sceau/attrs"
	"sceau/attrs/registry"
	"sceau/audit"
	"sceau/audit/metrics"
	"sceau/bench/peers/unsynced"
	"sceau/certs"
	"sceau/internal/testpki"
	"sceau/policy"
	"sceau/saml"
	"sceau/soap"
	"sceau/sts"
	"sceau/sts/ststest"
)

// A keyType names a column or row of the table and the keys of the test PKI behind it.
type keyType struct {
	name     string
	identity func(*testpki.PKI) *testpki.Leaf
	sts      func(*testpki.PKI) *testpki.Leaf
}

var (
	rsa2048 = keyType{"RSA-2048", func(p *testpki.PKI) *testpki.Leaf { return &p.AliceEID }, func(p *testpki.PKI) *testpki.Leaf { return &p.STS }}
	p256    = keyType{"P-256", func(p *testpki.PKI) *testpki.Leaf { return &p.AliceEIDP256 }, func(p *testpki.PKI) *testpki.Leaf { return &p.STSP256 }}
	p384    = keyType{"P-384", func(p *testpki.PKI) *testpki.Leaf { return &p.AliceEIDP384 }, nil}
)

// A cell is one line of the table: the key of the eID that signs the message, the key
// of the STS that signs the assertion. The key of the holder is RSA-2048 in all, as
// the platform issues it.
type cell struct {
	eid, sts    keyType
	ratio       float64 // target: handler / floor; zero is none
	naiveTarget float64 // target: naive / handler; zero is none
	allocations float64 // ceiling: allocations of the handler, all of them
}

func cells() []cell {
	return append([]cell{
		{rsa2048, rsa2048, 1.06, 1.9, 30},
		{p256, rsa2048, 1.06, 1.9, 30},
		{p384, rsa2048, 1.06, 0, 32}, // verifying with P-384 takes 28 in crypto alone
		{rsa2048, p256, 1.30, 7, 90},
		{p256, p256, 1.25, 7, 90},
		{p384, p256, 1.08, 0, 90}, // two thirds of both are one verification with P-384
	}, engineCells()...)
}

func (c cell) String() string { return "eID_" + c.eid.name + "/STS_" + c.sts.name }

// facts is what the registry holds.
const facts = "subject_type,subject,attribute,value,not_before,not_on_or_after\n" +
	"ssin," + testpki.AliceSSIN + "," + ststest.DoctorBoolean + ",true,,\n" +
	"ssin," + testpki.AliceSSIN + "," + ststest.DoctorNIHII + "," + testpki.AliceNIHII + ",,\n"

// naiveValues is the same for the naive service.
func naiveValues() map[string]string {
	return map[string]string{ststest.DoctorBoolean: "true", ststest.DoctorNIHII: testpki.AliceNIHII}
}

func fatal(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// A journalKind says how the audit journal of a handler keeps its records.
type journalKind string

const (
	// written is durable as far as the journal knows; the file does not wait for the
	// disk.
	written journalKind = "written"
	synced  journalKind = "fsync"
	relaxed journalKind = "relaxed 1s"
)

// A service says what a handler is made of. Only signer is needed; what is left out is as it is in the ratios.
type service struct {
	signer    *testpki.Leaf
	journal   journalKind        // empty: written
	catalogue *attrs.Catalogue   // nil: attrs.EHealth
	rules     []byte             // a rule file; nil: testdata/policy.yaml
	registry  *registry.Registry // nil: one that holds facts
	uncached  bool               // the resolver keeps no answers
	verifier  *certs.Verifier    // nil: certstest.Verifier
	change    func(*sts.Config)  // may alter the configuration last
}

// handler makes the service as stsd makes it, on the PKI and the clock of the tests.
// change may alter what it is made of.
func handler(tb testing.TB, signer *testpki.Leaf, kind journalKind, change func(*sts.Config)) *ststest.Fixture {
	tb.Helper()
	return service{signer: signer, journal: kind, change: change}.start(tb)
}

func (s service) start(tb testing.TB) *ststest.Fixture {
	tb.Helper()
	if s.catalogue == nil {
		s.catalogue = attrs.EHealth()
	}
	if s.registry == nil {
		s.registry = newRegistry(tb, s.catalogue, []byte(facts))
	}
	return ststest.New(tb, func(f *ststest.Fixture, c *sts.Config) {
		c.Catalogue, c.Policy, c.Attributes = s.catalogue, s.policy(tb), s.resolver(tb)
		f.Journal, f.JournalDir = s.record(tb)
		c.Journal = f.Journal
		f.SignWith(tb, s.signer)
		c.Security.Replay = soap.NewMemoryReplay(1_000_000)
		if s.verifier != nil {
			f.Certificates, c.Certificates = s.verifier, s.verifier
		}
		if s.change != nil {
			s.change(c)
		}
	})
}

func (s *service) policy(tb testing.TB) *policy.Rules {
	tb.Helper()
	text := s.rules
	if text == nil {
		var err error
		text, err = os.ReadFile(filepath.Join("testdata", "policy.yaml"))
		fatal(tb, err)
	}
	rules, err := policy.Load(bytes.NewReader(text), s.catalogue)
	fatal(tb, err)
	return rules
}

func (s *service) resolver(tb testing.TB) *attrs.Resolver {
	tb.Helper()
	config := attrs.Config{Catalogue: s.catalogue, Routes: []attrs.Route{{Source: s.registry}}, Budget: 2 * time.Second}
	if !s.uncached {
		config.CacheEntries, config.CacheTTL = 100_000, 30*time.Second
	}
	resolver, err := attrs.NewResolver(config)
	fatal(tb, err)
	tb.Cleanup(resolver.Close)
	return resolver
}

// newRegistry makes a registry of facts as CSV.
func newRegistry(tb testing.TB, catalogue *attrs.Catalogue, facts []byte) *registry.Registry {
	tb.Helper()
	r, err := registry.Open(registry.Config{Path: filepath.Join(tb.TempDir(), "registry.db"), Access: registry.ReadWrite,
		Catalogue: catalogue, Now: testpki.Now})
	fatal(tb, err)
	tb.Cleanup(func() { r.Close() })
	_, err = r.ImportCSV(context.Background(), bytes.NewReader(facts), registry.ModeReplace)
	fatal(tb, err)
	return r
}

// record opens the journal, with its metrics, in a directory of the test.
func (s *service) record(tb testing.TB) (*audit.Journal, string) {
	tb.Helper()
	var codes []string
	for _, code := range sts.Codes() {
		codes = append(codes, code.String())
	}
	observer, err := metrics.New(metrics.Config{Registerer: prometheus.NewRegistry(), Services: []string{"saml11"}, Codes: codes})
	fatal(tb, err)
	config := audit.Config{Dir: tb.TempDir(), Observers: []audit.Observer{observer}, Now: testpki.Now,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	switch s.journal {
	case "", written:
		config.FileSystem = unsynced.Dir(config.Dir)
	case relaxed:
		config.Durability = audit.Relaxed(time.Second)
	}
	journal, err := audit.Open(config)
	fatal(tb, err)
	tb.Cleanup(func() { journal.Close() })
	return journal, config.Dir
}

// forget gives the service an empty replay state, so that messages can be used again.
func forget(tb testing.TB, f *ststest.Fixture) {
	tb.Helper()
	config := f.Config
	config.Security.Replay = soap.NewMemoryReplay(1_000_000)
	fatal(tb, f.Service.Replace(config))
}

// A store makes signed messages, all different, once for all cells.
type store struct {
	requests [][]byte
	messages map[string][][]byte // by the key of the eID
}

// sealed returns n different messages of one eID.
func (s *store) sealed(tb testing.TB, eid keyType, n int) [][]byte {
	tb.Helper()
	have := s.messages[eid.name]
	if len(have) >= n {
		return have[:n]
	}
	pki := testpki.Load()
	writer := ststest.New(tb, nil)
	for i := len(have); i < n; i++ {
		q := ststest.Query{Identity: eid.identity(pki), Holder: &pki.AliceEHealth, Change: func(q *saml.Query) {
			q.RequestID, q.AssertionID = fmt.Sprintf("_request-%028d", i), fmt.Sprintf("_assertion-%026d", i)
		}}
		if i == len(s.requests) { // the names in it are the same whatever the key: so is the request
			s.requests = append(s.requests, writer.Request(tb, q))
		}
		have = append(have, writer.Seal(tb, q, s.requests[i]))
	}
	if s.messages == nil {
		s.messages = map[string][][]byte{}
	}
	s.messages[eid.name] = have
	return have
}

// cpu returns the CPU time that the process has used, user and system.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

var success = []byte(`<samlp:StatusCode Value="samlp:Success">`)

// answer has the handler answer a message into dst.
func answer(f *ststest.Fixture, message, dst []byte) ([]byte, error) {
	m := sts.Message{Body: message, Action: []byte("urn:be:fgov:ehealth:sts:protocol:v1:RequestSecureToken"), Remote: audit.RemoteLoopback}
	out := f.Service.AttributeQuery(context.Background(), &m, dst)
	if out.Status != http.StatusOK || !bytes.Contains(out.Body[:min(len(out.Body), 600)], success) {
		return nil, fmt.Errorf("not answered: %s", out.Body)
	}
	return out.Body, nil
}
