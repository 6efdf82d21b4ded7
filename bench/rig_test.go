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
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sceau/attrs"
	"sceau/attrs/registry"
	"sceau/audit"
	"sceau/audit/metrics"
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
	ratio       float64 // target: handler / floor
	naiveTarget float64 // target: naive / handler; zero is none
	allocations float64 // ceiling: allocations of the handler, all of them
}

func cells() []cell {
	return []cell{
		{rsa2048, rsa2048, 1.06, 1.9, 30},
		{p256, rsa2048, 1.06, 1.9, 30},
		{p384, rsa2048, 1.06, 0, 32}, // verifying with P-384 takes 28 in crypto alone
		{rsa2048, p256, 1.30, 7, 90},
		{p256, p256, 1.25, 7, 90},
		{p384, p256, 1.08, 0, 90}, // two thirds of both are one verification with P-384
	}
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

// A journalKind says how the audit journal of a handler keeps its records.
type journalKind string

const (
	// unsynced is durable as far as the journal knows; the file does not wait for the
	// disk.
	unsynced journalKind = "written"
	synced   journalKind = "fsync"
	relaxed  journalKind = "relaxed 1s"
)

func fatal(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// handler makes the service as stsd makes it, on the PKI and the clock of the tests.
// change may alter what it is made of.
func handler(tb testing.TB, signer *testpki.Leaf, kind journalKind, change func(*sts.Config)) *ststest.Fixture {
	tb.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	return ststest.New(tb, func(f *ststest.Fixture, c *sts.Config) {
		file, err := os.Open(filepath.Join("testdata", "policy.yaml"))
		fatal(tb, err)
		defer file.Close()
		rules, err := policy.Load(file, attrs.EHealth())
		fatal(tb, err)
		c.Policy = rules

		source, err := registry.Open(registry.Config{Path: filepath.Join(tb.TempDir(), "registry.db"), Access: registry.ReadWrite,
			Catalogue: attrs.EHealth(), Now: testpki.Now})
		fatal(tb, err)
		tb.Cleanup(func() { source.Close() })
		_, err = source.ImportCSV(context.Background(), strings.NewReader(facts), registry.ModeReplace)
		fatal(tb, err)
		resolver, err := attrs.NewResolver(attrs.Config{Catalogue: attrs.EHealth(), Routes: []attrs.Route{{Source: source}},
			Budget: 2 * time.Second, CacheEntries: 100_000, CacheTTL: 30 * time.Second})
		fatal(tb, err)
		tb.Cleanup(resolver.Close)
		c.Attributes = resolver

		var codes []string
		for _, code := range sts.Codes() {
			codes = append(codes, code.String())
		}
		observer, err := metrics.New(metrics.Config{Registerer: prometheus.NewRegistry(), Services: []string{"saml11"}, Codes: codes})
		fatal(tb, err)
		journal := audit.Config{Dir: tb.TempDir(), Observers: []audit.Observer{observer}, Logger: quiet, Now: testpki.Now}
		switch kind {
		case unsynced:
			journal.FileSystem = patientDir(journal.Dir)
		case relaxed:
			journal.Durability = audit.Relaxed(time.Second)
		}
		f.Journal, err = audit.Open(journal)
		fatal(tb, err)
		tb.Cleanup(func() { f.Journal.Close() })
		f.JournalDir = journal.Dir
		c.Journal = f.Journal

		f.SignWith(tb, signer)
		c.Security.Replay = soap.NewMemoryReplay(1_000_000)
		if change != nil {
			change(c)
		}
	})
}

// forget gives the service an empty replay state, so that messages can be used again.
func forget(tb testing.TB, f *ststest.Fixture) {
	tb.Helper()
	config := f.Config
	config.Security.Replay = soap.NewMemoryReplay(1_000_000)
	fatal(tb, f.Service.Replace(config))
}

// A patientDir is a directory of a journal whose files say that they are on stable storage as
// soon as they are written.
type patientDir string

type patientFile struct{ *os.File }

func (patientFile) Sync() error { return nil }

func (d patientDir) Names() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (d patientDir) Open(name string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(d), name))
}

func (d patientDir) Append(name string) (audit.File, error) {
	return d.open(name, os.O_APPEND|os.O_WRONLY)
}

func (d patientDir) Create(name string) (audit.File, error) {
	return d.open(name, os.O_APPEND|os.O_WRONLY|os.O_CREATE|os.O_EXCL)
}

func (d patientDir) open(name string, flags int) (audit.File, error) {
	f, err := os.OpenFile(filepath.Join(string(d), name), flags, 0o600)
	return patientFile{f}, err
}

func (d patientDir) Rename(from, to string) error {
	return os.Rename(filepath.Join(string(d), from), filepath.Join(string(d), to))
}

func (d patientDir) Remove(name string) error       { return os.Remove(filepath.Join(string(d), name)) }
func (d patientDir) SyncDir() error                 { return nil }
func (d patientDir) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

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
