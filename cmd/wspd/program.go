package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"sceau/audit"
	"sceau/audit/metrics"
	"sceau/certs"
	"sceau/soap"
)

// program is a guard that runs, or could.
type program struct {
	shared
	registry *prometheus.Registry
	current  atomic.Pointer[generation]

	serviceTLS, authorizerTLS atomic.Pointer[tls.Config] // nil: plain
}

// build makes the program short of listeners. What is wrong is reported all at once, as far as one thing can be judged
// without the other. Without running, nothing is written: the journal stays as it is.
func (c *config) build(log *slog.Logger, running bool) (_ *program, err error) {
	p := &program{registry: prometheus.NewRegistry()}
	p.log, p.trace, p.replay = log, &trace{}, soap.NewMemoryReplay(c.ReplayCapacity)
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	trust, trustErr := c.trust(log)
	serviceTLS, tlsErr := c.tlsConfig()
	authorizerTLS, authorizerErr := c.authorizerTLS()
	if err := errors.Join(trustErr, tlsErr, authorizerErr); err != nil {
		return nil, err
	}
	p.serviceTLS.Store(serviceTLS)
	p.authorizerTLS.Store(authorizerTLS)
	if p.verifier, err = certs.NewVerifier(trust); err != nil {
		return nil, err
	}
	var codes []string
	for _, soa := range soap.SOACodes() {
		codes = append(codes, soa.Code)
	}
	counted, err := metrics.New(metrics.Config{Registerer: p.registry, Services: []string{service}, Codes: codes})
	if err != nil {
		return nil, err
	}
	p.trace.counted = counted
	if c.Audit != nil && running {
		if err := c.openJournal(p, counted); err != nil {
			return nil, err
		}
	}
	p.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), trustCollector{p.verifier},
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sceau_replay_entries", Help: "Messages remembered for replay detection."},
			func() float64 { return float64(p.replay.Len()) }))
	g, err := c.generation(&p.shared)
	if err != nil {
		return nil, err
	}
	p.current.Store(g)
	return p, nil
}

func (c *config) openJournal(p *program, counted audit.Observer) error {
	mode, err := durability(c.Audit.Durability)
	if err != nil {
		return err
	}
	journal, err := audit.Open(audit.Config{Dir: c.path(c.Audit.Dir), Durability: mode, Observers: []audit.Observer{counted}, Logger: p.log})
	if err != nil {
		return c.Audit.Dir.wrong(fmt.Errorf("audit: %w", err))
	}
	p.trace.journal = journal
	p.registry.MustRegister(metrics.Journal(journal))
	return c.restoreReplay(p)
}

func (p *program) close() {
	if g := p.current.Load(); g != nil {
		g.close()
	}
	if p.verifier != nil {
		p.verifier.Close()
	}
	if p.trace.journal != nil {
		if err := p.trace.journal.Close(); err != nil {
			p.log.Error("audit journal", "error", err)
		}
	}
}

// handler serves each request by the generation that is current when it comes, to its end.
func (p *program) handler(of func(*generation) http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for {
			g := p.current.Load()
			if !g.inUse.TryRLock() { // it is about to be closed
				if p.current.Load() != g {
					continue // it was replaced meanwhile
				}
				http.Error(w, "stopping", http.StatusServiceUnavailable)
				return
			}
			defer g.inUse.RUnlock()
			if h := of(g); h != nil {
				h.ServeHTTP(w, r)
			} else {
				http.NotFound(w, r)
			}
			return
		}
	})
}

// reload reads the configuration again. What is wrong leaves all as it was.
func (p *program) reload(path string) error {
	c, err := readConfig(path)
	if err != nil {
		return err
	}
	trust, trustErr := c.trust(p.log)
	serviceTLS, tlsErr := c.tlsConfig()
	authorizerTLS, authorizerErr := c.authorizerTLS()
	if err := errors.Join(trustErr, tlsErr, authorizerErr); err != nil {
		return err
	}
	next, err := c.generation(&p.shared)
	if err != nil {
		return err
	}
	if err := p.verifier.Reload(trust); err != nil { // it keeps the old on error
		next.close()
		return fmt.Errorf("trust: %w", err)
	}
	if (serviceTLS == nil) == (p.serviceTLS.Load() == nil) {
		p.serviceTLS.Store(serviceTLS)
	}
	if (authorizerTLS == nil) == (p.authorizerTLS.Load() == nil) {
		p.authorizerTLS.Store(authorizerTLS)
	}
	last := p.current.Swap(next)
	if keys := needRestart(last.config, c); len(keys) > 0 {
		p.log.Warn("changed, and in force only after a restart", "keys", keys)
	}
	for _, w := range c.warnings() {
		p.log.Warn(w)
	}
	go last.close()
	return nil
}

// needRestart names the settings that differ and that a running program does not change.
func needRestart(old, new *config) (keys []string) {
	admin := func(c *config) string {
		if c.Admin == nil {
			return ""
		}
		return c.Admin.Address
	}
	authorizer := func(c *config) string {
		if c.Authorizer == nil {
			return ""
		}
		return fmt.Sprint(c.Authorizer.Address, c.Authorizer.TLS != nil)
	}
	trail := func(c *config) string {
		if c.Audit == nil {
			return ""
		}
		return c.Audit.Dir.path + c.Audit.Durability
	}
	for _, k := range []struct {
		key  string
		same bool
	}{
		{"listen", old.Listen.Address == new.Listen.Address && (old.Listen.TLS == nil) == (new.Listen.TLS == nil)},
		{"admin", admin(old) == admin(new)},
		{"authorizer", authorizer(old) == authorizer(new)},
		{"audit", trail(old) == trail(new)},
		{"limits", old.Limits == new.Limits},
		{"replay-capacity", old.ReplayCapacity == new.ReplayCapacity},
		{"log", old.Log == new.Log},
	} {
		if !k.same {
			keys = append(keys, k.key)
		}
	}
	return slices.Clip(keys)
}
