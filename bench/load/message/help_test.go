package message

import (
	"context"
	"encoding/csv"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/attrs/registry"
	"sceau/audit"
	"sceau/bench/load/measure"
	"sceau/certs"
	"sceau/policy"
	"sceau/soap"
	"sceau/sts"
)

func fatal(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// profiles has every form of consumer once.
func profiles() []Profile {
	return []Profile{
		{Identity: RSA2048, Holder: RSA2048, Weight: 2, Consumers: 3},
		{Identity: P256, Holder: RSA2048, Weight: 2, Consumers: 3},
		{Identity: P384, Holder: P384, Weight: 1, Consumers: 2},
		{Identity: P256, Weight: 3, Consumers: 2},
		{Identity: P256, Holder: P256, Weight: 1, Consumers: 2},
		{Identity: P384, AlwaysSignInner: true, Weight: 1, Consumers: 1},
	}
}

var shared struct {
	sync.Once
	dir string
	pki *PKI
	err error
}

// testPKI returns the PKI of all tests.
func testPKI(tb testing.TB) *PKI {
	tb.Helper()
	shared.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "sceau-load-"); shared.err == nil {
			shared.pki, shared.err = NewPKI(context.Background(), filepath.Join(shared.dir, "pki"), PKIConfig{Profiles: profiles(), Keys: 1})
		}
	})
	fatal(tb, shared.err)
	return shared.pki
}

func TestMain(m *testing.M) {
	status := m.Run()
	os.RemoveAll(shared.dir)
	os.Exit(status)
}

// only returns the PKI of all tests, of which one profile alone asks.
func only(tb testing.TB, profile int) *PKI {
	tb.Helper()
	p := *testPKI(tb)
	p.config.Profiles = slices.Clone(p.config.Profiles)
	for i := range p.config.Profiles {
		if i != profile {
			p.config.Profiles[i].Weight = 0
		}
	}
	return &p
}

// everything is a Mix of all kinds.
func everything() Mix {
	mix := Mix{}
	for _, kind := range measure.Kinds() {
		mix[kind] = 1
	}
	return mix
}

// service makes the token service of this project on the files of a PKI, as stsd does.
func service(tb testing.TB, p *PKI, key KeyType, now func() time.Time) *sts.Service {
	tb.Helper()
	folder := filepath.Join(p.Dir(), folderPKI)
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	authority := func(name string) []*certs.Authority {
		ders, err := certs.ReadCertificates(filepath.Join(folder, name+".pem"))
		fatal(tb, err)
		return []*certs.Authority{{Certificate: ders[0]}}
	}
	citizen, holder, software := certs.BelgianEID(), certs.BelgianEID(), certs.EHealthPlatform(certs.RoleHolder)
	for _, eid := range []*certs.Profile{&citizen, &holder} {
		eid.Roots, eid.Intermediates = authority("citizen-root"), authority("citizen-ca")
	}
	citizen.Role, holder.Role, holder.Name = certs.RoleIdentity, certs.RoleHolder, "eID as holder"
	software.Roots, software.Intermediates = authority("ehealth-root"), authority("ehealth-ca")
	verifier, err := certs.NewVerifier(certs.Config{Profiles: []certs.Profile{citizen, holder, software}, Now: now, Log: quiet,
		CRL: certs.CRLConfig{Files: []string{filepath.Join(folder, folderCRL)}}})
	fatal(tb, err)
	tb.Cleanup(verifier.Close)

	facts, err := registry.Open(registry.Config{Path: filepath.Join(tb.TempDir(), "registry.db"), Access: registry.ReadWrite, Catalogue: attrs.EHealth(), Now: now})
	fatal(tb, err)
	tb.Cleanup(func() { facts.Close() })
	text, err := os.ReadFile(filepath.Join(p.Dir(), fileRegistry))
	fatal(tb, err)
	_, err = facts.ImportCSV(context.Background(), strings.NewReader(string(text)), registry.ModeReplace)
	fatal(tb, err)
	resolver, err := attrs.NewResolver(attrs.Config{Catalogue: attrs.EHealth(), Routes: []attrs.Route{{Source: facts}}, Budget: 10 * time.Second, CacheEntries: 1000, CacheTTL: time.Minute})
	fatal(tb, err)
	tb.Cleanup(resolver.Close)

	file, err := os.Open(filepath.Join(p.Dir(), filePolicy))
	fatal(tb, err)
	defer file.Close()
	config := sts.DefaultConfig()
	config.Policy, err = policy.Load(file, attrs.EHealth())
	fatal(tb, err)
	journal, err := audit.Open(audit.Config{Dir: tb.TempDir(), Logger: quiet, Now: now})
	fatal(tb, err)
	tb.Cleanup(func() { journal.Close() })

	name, err := signerFile(key)
	fatal(tb, err)
	signer, err := certs.LoadSigner(certs.KeyConfig{Key: filepath.Join(folder, name+".key"), Certificate: filepath.Join(folder, name+".pem"), At: now()})
	fatal(tb, err)
	config.Signer, err = sts.NewTokenSigner(signer, 0)
	fatal(tb, err)
	config.SignerNotAfter = signer.Certificate().NotAfter()
	config.Security.Replay = soap.NewMemoryReplay(1 << 16)
	config.Certificates, config.Catalogue, config.Attributes, config.Journal, config.Now, config.Environment = verifier, attrs.EHealth(), resolver, journal, now, "Test"
	made, err := sts.New(config)
	fatal(tb, err)
	return made
}

// ask sends a shot to a service.
func ask(s *sts.Service, shot *measure.Shot) (status int, body []byte) {
	a := s.AttributeQuery(context.Background(), &sts.Message{Body: shot.Body, Action: []byte(shot.Action), Remote: audit.RemoteLoopback}, nil)
	return a.Status, a.Body
}

func newMaker(tb testing.TB, config MakerConfig) *Maker {
	tb.Helper()
	if config.PKI == nil {
		config.PKI = testPKI(tb)
	}
	m, err := NewMaker(tb.Context(), config)
	fatal(tb, err)
	return m
}

func newChecker(tb testing.TB, config CheckerConfig) *Checker {
	tb.Helper()
	if config.PKI == nil {
		config.PKI = testPKI(tb)
	}
	c, err := NewChecker(config)
	fatal(tb, err)
	return c
}

// rows reads the registry of a PKI.
func rows(tb testing.TB, p *PKI) [][]string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(p.Dir(), fileRegistry))
	fatal(tb, err)
	all, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	fatal(tb, err)
	return all
}
