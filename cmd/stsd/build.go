package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sceau/attrs"
	"sceau/attrs/registry"
	"sceau/audit"
	"sceau/audit/metrics"
	"sceau/certs"
	"sceau/cmd/stsd/face"
	"sceau/oidc/control"
	"sceau/policy"
	"sceau/policy/authzen"
	"sceau/policy/store"
	"sceau/soap"
	"sceau/sts"
)

// A system is everything that a configuration describes, made and checked, and not
// yet listening.
type system struct {
	config   *fileConfig
	now      func() time.Time
	log      *slog.Logger
	verifier *certs.Verifier
	journal  *audit.Journal
	signer   *certs.Signer
	replay   *soap.MemoryReplay
	service  *sts.Service
	metrics  *prometheus.Registry
	overload overload

	supply           // guarded by mu once the system runs
	retired []func() // close what was used before

	rules policy.PDP

	set         *policySet   // where rules come from
	policyStore *store.Store // nil: the policies are in no store
	policyPoll  time.Duration
	policyPlace string // its file or DSN
	policies    policyWatch

	decisionTLS     *tlsSettings // of decisions, as configured
	decisionClients []authzen.Client
	metadataKey     *authzen.MetadataKey // of decisions; nil: metadata are unsigned
	decisions       *decisions           // nil: not configured

	face      *face.Face // nil: not configured
	faceTexts [][]byte   // of its configuration; guarded by mu
	counts    *control.Counts

	durability audit.Durability

	engine    string                  // what computes signatures, in words
	keys      *keyring                // all signing keys
	active    string                  // the id of the one that signs
	tls       map[string]*tlsSettings // by address, of the listeners that speak TLS
	handshake *handshakes

	secure map[string]*tlsListener // by address: the TLS listeners, once they listen
	bound  map[string]net.Listener // by address: listeners bound before serve, for the demonstration

	changing  sync.Mutex   // held by what changes the system while it runs
	rollover  rollover     // guarded by changing; overdue also by mu
	mu        sync.RWMutex // guards config, signer, keys, active, published, rules, set and policyStore once the system runs
	published *publication
	document  metadataDocument
}

// build makes the system of a configuration. Everything that is wrong goes to p; the
// result is nil then.
func build(c *fileConfig, p *problems, log *slog.Logger) *system {
	s := prepare(c, p, log, false)
	if s == nil {
		return nil
	}
	s.assemble(p)
	if len(p.list) > 0 {
		s.close()
		return nil
	}
	return s
}

// prepare makes and checks everything of a system that leaves no trace: it neither
// writes nor takes what a running server holds. With dry it fetches no
// CRL either; databases are asked all the same, since that is how their queries are checked.
func prepare(c *fileConfig, p *problems, log *slog.Logger, dry bool) *system {
	s := &system{config: c, now: time.Now, log: log}
	if c.TestClock.Line > 0 {
		at := c.TestClock.V
		s.now = func() time.Time { return at }
		log.Warn("the clock stands still: test-clock is for tests only", "at", at)
	}
	s.checkListeners(p)
	before := len(p.list)
	if trust := s.trust(p); len(p.list) == before {
		var err error
		if dry {
			trust.CRL.Offline, trust.CRL.CacheDir = true, ""
		}
		if s.verifier, err = certs.NewVerifier(trust); err != nil {
			p.add(0, "trust: %v", err)
		}
	}
	s.signer = s.loadSigner(p)
	s.set = s.openPolicySet(p)
	s.loadCatalogue(p)
	s.durability = s.readDurability(p)
	s.checkNumbers(p)
	s.openSources(p)
	s.rules = s.loadRules(p) // asks the sources
	s.decisionTLS, s.decisionClients = s.checkDecisions(p)
	s.checkAudit(p)
	s.checkRetention(p)
	if dry {
		s.checkFace(p)
	}
	s.checkNames(p)
	if len(p.list) > 0 {
		s.close()
		return nil
	}
	return s
}

// close gives everything back; parts that were never made are passed over.
func (s *system) close() {
	s.supply.close()
	for _, end := range s.retired {
		end()
	}
	if s.face != nil {
		if err := s.face.Close(); err != nil {
			s.log.Error("the OpenID Connect face", "error", err)
		}
	}
	if s.verifier != nil {
		s.verifier.Close()
	}
	s.closeKeys()
	if s.policyStore != nil {
		s.policyStore.Close() // which was only read
	}
	if s.journal != nil {
		s.overload.close()
		if err := s.journal.Close(); err != nil {
			s.log.Error("audit journal", "error", err)
		}
	}
}

// openRegistry makes the registry the one source.
func (s *system) openRegistry(p *problems) {
	c := &s.config.Registry
	if c.File.V == "" {
		p.add(0, "registry: no file")
		return
	}
	opened, err := registry.Open(registry.Config{Path: s.config.path(c.File), Catalogue: s.catalogue, Now: s.now})
	if err != nil {
		p.add(c.File.Line, "registry: %v", err)
		return
	}
	s.registry = *c
	s.entries = []*sourceEntry{{source: opened, kind: &sourceKind{name: "registry"}, keys: sourceKeys{ID: value[string]{V: opened.ID()}}, needed: true}}
	s.resolver, err = attrs.NewResolver(attrs.Config{
		Catalogue: s.catalogue, Routes: []attrs.Route{{Source: opened}},
		Budget:       time.Duration(c.Budget.or(duration(2 * time.Second))),
		CacheEntries: c.CacheEntries.or(100_000), CacheTTL: time.Duration(c.CacheTTL.or(duration(30 * time.Second))),
	})
	if err != nil {
		p.add(c.File.Line, "registry: %v", err)
	}
}

// assemble opens the journal and makes the service.
func (s *system) assemble(p *problems) {
	s.metrics = prometheus.NewRegistry()
	var codes []string
	for _, code := range sts.Codes() {
		codes = append(codes, code.String())
	}
	for _, soa := range soap.SOACodes() {
		codes = append(codes, soa.Code)
	}
	observed := metrics.Config{Registerer: s.metrics, Services: []string{"saml11", "authzen", audit.ServiceOIDC, control.Service, servicePolicy}}
	observed.Codes = append(codes, oidcCodes...)
	if c, err := s.readFace(); err == nil && c != nil {
		observed.Clients, observed.Means = c.Names()
	}
	counted, err := metrics.New(observed)
	if err != nil {
		p.add(0, "metrics: %v", err)
		return
	}
	trail := audit.Config{
		Dir: s.config.path(s.config.Audit.Dir), Durability: s.durability,
		Observers: []audit.Observer{counted}, Logger: s.log,
	}
	if s.config.OIDC.V != "" {
		if err := s.loadCounts(); err != nil {
			p.add(s.config.Audit.Dir.Line, "audit: %v", err)
			return
		}
		trail.Observers = append(trail.Observers, s.counts)
	}
	if s.config.retention() > 0 {
		trail.MaxFileAge = trailFileAge
	}
	s.journal, err = audit.Open(trail)
	if err != nil {
		p.add(s.config.Audit.Dir.Line, "audit: %v", err)
		return
	}
	s.overload.record = s.record
	s.metrics.MustRegister(metrics.Journal(s.journal))
	s.replay = soap.NewMemoryReplay(s.config.Messages.ReplayCapacity.or(1_000_000))
	s.handshake = newHandshakes(s.log, s.now)
	s.collectors()
	settings, err := s.settings(s.rules, s.signer)
	if err == nil {
		err = s.restoreReplay(settings.Security.Timestamp)
	}
	if err == nil {
		s.service, err = sts.New(settings)
	}
	if err != nil {
		p.add(0, "%v", err)
		return
	}
	s.publish(s.now())
	s.openDecisions(p)
	s.openFace(p)
	s.recordPolicies(s.set, nil)
}

// restoreReplay fills the replay state with the messages that the audit trail says were
// admitted and whose Timestamp may still be fresh, so that a message is not admitted
// again after a restart (attacks.md R2).
func (s *system) restoreReplay(t soap.TimestampPolicy) error {
	life := t.MaxLifetime + 2*t.Skew
	now, restored := s.now(), 0
	for entry, err := range audit.List(s.config.path(s.config.Audit.Dir), audit.Query{Since: now.Add(-life)}) {
		if err != nil {
			return fmt.Errorf("audit: reading back what was admitted: %w", err)
		}
		var digest [32]byte
		if n, err := hex.Decode(digest[:], []byte(entry.Message)); err != nil || n != len(digest) {
			continue // a record of a message that was not admitted
		}
		if err := s.replay.Remember(digest, now.Add(life), now); err != nil && !errors.Is(err, soap.ErrReplayed) {
			return fmt.Errorf("replay detection: restoring what the audit trail says was admitted: %w", err)
		}
		restored++
	}
	if restored > 0 {
		s.log.Info("replay detection restored from the audit trail", "messages", restored)
	}
	return nil
}

// settings turns the configuration into that of the service.
func (s *system) settings(rules policy.PDP, signer *certs.Signer) (sts.Config, error) {
	c := s.config
	config := sts.DefaultConfig()
	config.SOAP.Limits.Bytes = c.Messages.MaxBytes.or(256 << 10)
	config.SOAP.Limits.Depth = c.Messages.MaxDepth.or(64)
	config.SOAP.Limits.Attributes = c.Messages.MaxAttributes.or(64)
	config.Security.Timestamp = soap.TimestampPolicy{
		MaxLifetime: time.Duration(c.Messages.MaxLifetime.or(duration(10 * time.Minute))),
		Skew:        time.Duration(c.Messages.ClockSkew.or(duration(time.Minute))),
	}
	config.Security.Replay = s.replay
	config.Security.Signature.SHA1, config.Inner.SHA1 = c.SHA1.Header.V, c.SHA1.Inner.V
	if c.SHA1.Header.V || c.SHA1.Inner.V {
		s.log.Warn("SHA-1 signatures of clients are admitted", "header", c.SHA1.Header.V, "inner", c.SHA1.Inner.V)
	}
	for _, name := range c.Messages.ClientNames {
		config.ClientNames = append(config.ClientNames, name.V)
	}
	for _, name := range c.Messages.AcceptClaimed {
		config.AcceptClaimed = append(config.AcceptClaimed, name.V)
	}
	config.BackDate = time.Duration(c.Assertions.BackDate.or(duration(5 * time.Minute)))
	if config.BackDate == 0 {
		config.BackDate = -1 // said to be none
	}
	config.Issuer = c.Issuer.or(sts.IssuerName)
	config.Environment = c.Environment.V
	config.Certificates, config.Catalogue, config.Attributes = s.verifier, s.catalogue, s.resolver
	config.Policy, config.Journal, config.Now = rules, s.journal, s.now
	var err error
	if config.Signer, err = sts.NewTokenSigner(signer, 0); err != nil {
		return sts.Config{}, err
	}
	config.SignerNotBefore, config.SignerNotAfter = signer.Certificate().NotBefore(), signer.Certificate().NotAfter()
	return config, nil
}
