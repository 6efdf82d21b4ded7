package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sceau/attrs"
	"sceau/attrs/registry"
	"sceau/audit"
	"sceau/audit/metrics"
	"sceau/bench/peers/unsynced"
	"sceau/certs"
	"sceau/certs/openssl"
	"sceau/policy"
	"sceau/soap"
	"sceau/sts"
)

// A service is sts.Service with what stands around it.
type service struct {
	dir      string // of the task
	scratch  string // removed by close: registry and journal
	now      func() time.Time
	quiet    *slog.Logger
	registry *registry.Registry
	resolver *attrs.Resolver
	verifier *certs.Verifier
	journal  *audit.Journal
	sts      *sts.Service
	version  string
}

// newService makes the service of a folder. The caller closes it.
func newService(dir, signer string) (*service, error) {
	s := &service{dir: dir, quiet: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if err := s.assemble(signer); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// assemble makes every part.
func (s *service) assemble(signer string) error {
	var err error
	if s.scratch, err = os.MkdirTemp("", "sceau-peer-"); err != nil {
		return err
	}
	if err := s.clock(); err != nil {
		return err
	}
	config := sts.DefaultConfig()
	config.Catalogue, config.Now, config.Environment = attrs.EHealth(), s.now, "Test"
	config.SOAP.Limits.Bytes, config.SOAP.Limits.Depth, config.SOAP.Limits.Attributes = 256<<10, 64, 64
	config.Security.Timestamp = soap.TimestampPolicy{MaxLifetime: 10 * time.Minute, Skew: time.Minute}
	config.Security.Replay = newRepeated()
	for _, part := range []func(*sts.Config) error{s.trust, s.rules, s.source, s.trail} {
		if err := part(&config); err != nil {
			return err
		}
	}
	if err := s.sign(&config, signer); err != nil {
		return err
	}
	s.sts, err = sts.New(config)
	return err
}

// clock reads the moment at which all clocks stand.
func (s *service) clock() error {
	text, err := os.ReadFile(filepath.Join(s.dir, "now"))
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return err
	}
	at := time.Unix(seconds, 0).UTC()
	s.now = func() time.Time { return at }
	return nil
}

// close gives back whatever was made.
func (s *service) close() {
	if s.resolver != nil {
		s.resolver.Close()
	}
	if s.registry != nil {
		s.registry.Close()
	}
	if s.verifier != nil {
		s.verifier.Close()
	}
	if s.journal != nil {
		s.journal.Close()
	}
	if s.scratch != "" {
		os.RemoveAll(s.scratch)
	}
}

// trust makes the verifier of certificates, which requires CRLs.
func (s *service) trust(config *sts.Config) error {
	authorities := map[string]*certs.Authority{}
	for _, name := range []string{"citizen-root", "citizen-ca", "ehealth-root", "ehealth-ca"} {
		ders, err := certs.ReadCertificates(filepath.Join(s.dir, name+".pem"))
		if err != nil {
			return err
		}
		authorities[name] = &certs.Authority{Certificate: ders[0]}
	}
	eid, holder := certs.BelgianEID(), certs.EHealthPlatform(certs.RoleHolder)
	eid.Roots, eid.Intermediates = []*certs.Authority{authorities["citizen-root"]}, []*certs.Authority{authorities["citizen-ca"]}
	holder.Roots, holder.Intermediates = []*certs.Authority{authorities["ehealth-root"]}, []*certs.Authority{authorities["ehealth-ca"]}
	var err error
	s.verifier, err = certs.NewVerifier(certs.Config{
		Profiles: []certs.Profile{eid, holder}, CRL: certs.CRLConfig{Files: []string{filepath.Join(s.dir, "crl")}}, Now: s.now, Log: s.quiet,
	})
	config.Certificates = s.verifier
	return err
}

// rules loads the rule file.
func (s *service) rules(config *sts.Config) error {
	file, err := os.Open(filepath.Join(s.dir, "policy.yaml"))
	if err != nil {
		return err
	}
	defer file.Close()
	config.Policy, err = policy.Load(file, config.Catalogue)
	return err
}

// source makes the authentic source and the resolver in front of it.
func (s *service) source(config *sts.Config) error {
	facts, err := os.Open(filepath.Join(s.dir, "registry.csv"))
	if err != nil {
		return err
	}
	defer facts.Close()
	s.registry, err = registry.Open(registry.Config{
		Path: filepath.Join(s.scratch, "registry.db"), Access: registry.ReadWrite, Catalogue: config.Catalogue, Now: s.now,
	})
	if err != nil {
		return err
	}
	if _, err := s.registry.ImportCSV(context.Background(), facts, registry.ModeReplace); err != nil {
		return err
	}
	s.resolver, err = attrs.NewResolver(attrs.Config{
		Catalogue: config.Catalogue, Routes: []attrs.Route{{Source: s.registry}},
		Budget: 2 * time.Second, CacheEntries: 100_000, CacheTTL: 30 * time.Second,
	})
	config.Attributes = s.resolver
	return err
}

// trail opens the audit journal, observed by the metrics.
func (s *service) trail(config *sts.Config) error {
	var codes []string
	for _, code := range sts.Codes() {
		codes = append(codes, code.String())
	}
	observer, err := metrics.New(metrics.Config{Registerer: prometheus.NewRegistry(), Services: []string{"saml11"}, Codes: codes})
	if err != nil {
		return err
	}
	dir := filepath.Join(s.scratch, "audit")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	s.journal, err = audit.Open(audit.Config{
		Dir: dir, FileSystem: unsynced.Dir(dir), Observers: []audit.Observer{observer}, Logger: s.quiet, Now: s.now,
	})
	config.Journal = s.journal
	return err
}

// sign loads the key of the STS and has the engine of that name sign with it.
func (s *service) sign(config *sts.Config, engine string) error {
	load := certs.KeyConfig{Key: filepath.Join(s.dir, "sts.key"), Certificate: filepath.Join(s.dir, "sts.pem"), At: s.now()}
	s.version = strings.Replace(runtime.Version(), "go", "Go ", 1)
	switch engine {
	case "go":
	case "openssl":
		library, err := openssl.Load("")
		if err != nil {
			return err
		}
		load.Engine = library.Key
		s.version += ", " + library.String()
	default:
		return fmt.Errorf("signing engine %q is neither go nor openssl", engine)
	}
	key, err := certs.LoadSigner(load)
	if err != nil {
		return err
	}
	if config.Signer, err = sts.NewTokenSigner(key, 0); err != nil {
		return err
	}
	config.SignerNotAfter = key.Certificate().NotAfter()
	return nil
}
