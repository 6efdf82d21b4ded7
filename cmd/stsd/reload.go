package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"sceau/attrs"
)

// reload reads the configuration again and changes what can be changed while running:
// trust, CRLs, signing key, policy, message rules, certificates of listeners. What is wrong leaves all as it was.
func (s *system) reload(path string) (err error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	p := &problems{file: path}
	c := readConfig(path, p)
	if len(p.list) > 0 {
		return p.err()
	}
	next := &system{config: c, now: s.now, log: s.log, verifier: s.verifier, resolver: s.resolver, journal: s.journal, replay: s.replay,
		keys: s.keys, inputs: s.inputs}
	next.set = next.openPolicySet(p)
	defer func() {
		if next.policyStore != nil && next.policyStore != s.policyStore {
			next.policyStore.Close()
		}
	}()
	if next.set != nil {
		if err := follows(next.set, s.set); err != nil {
			p.add(next.set.line, "%v", err)
		}
	}
	next.loadCatalogue(p) // for its problems: what is open goes on with the one that it has
	next.catalogue = s.catalogue
	if next.set != nil {
		if err := defines(next.set, s.set); err != nil {
			p.add(next.set.line, "policy: %v", err)
		}
	}
	trust := next.trust(p)
	next.signer = next.loadSigner(p)
	defer func() {
		if err != nil {
			next.keys.close(s.keys)
		}
	}()
	sources := next.renewSources(s, p)
	next.rules = next.loadRules(p) // held against the sources that will be
	next.decisionTLS, next.decisionClients = next.checkDecisions(p)
	next.checkListeners(p)
	next.checkNumbers(p)
	if len(p.list) > 0 {
		return p.err()
	}
	settings, err := next.settings(next.rules, next.signer)
	if err != nil {
		return err
	}
	if err := s.service.Check(settings); err != nil {
		return err
	}
	decisions := next.decisionsSettings(next.rules, next.decisionClients)
	if s.decisions != nil && c.Decisions.configured() {
		if err := s.decisions.handler.Check(decisions); err != nil {
			return err
		}
	}
	// Trust first: it is checked as a whole and keeps the old on error.
	if err := s.verifier.Reload(trust); err != nil {
		return fmt.Errorf("trust: %w", err)
	}
	if err := s.service.Replace(settings); err != nil {
		return err
	}
	if sources != nil {
		if err := s.resolver.Replace(*sources); err != nil { // it was checked
			return err
		}
	}
	for address, settings := range next.tls {
		if listener := s.secure[address]; listener != nil {
			listener.replace(settings)
		}
	}
	if s.decisions != nil && c.Decisions.configured() {
		if err := s.decisions.handler.Replace(decisions); err != nil {
			return err
		}
		if next.decisionTLS != nil && s.decisions.tls.Load() != nil && s.decisions.tls.Load().print != next.decisionTLS.print {
			s.decisions.tls.Store(next.decisionTLS)
		}
	}
	if s.decisions != nil {
		s.decisions.withdrawn.Store(!c.Decisions.configured())
	}
	keys := needRestart(s.config, c)
	if !sameDefinitions(s.definitions, next.definitions) {
		keys = append(keys, "definitions")
	}
	if sources == nil && !(s.config.Sources.IsZero() && c.Sources.IsZero()) {
		keys = append(keys, "sources")
	}
	if len(keys) > 0 {
		s.log.Warn("changed, and in force only after a restart", "keys", keys)
	}
	s.mu.Lock()
	s.config, s.rules = c, next.rules
	s.takePolicyStore(next)
	s.rollover = rollover{warned: s.rollover.warned}
	if sources != nil {
		s.entries = next.entries
	}
	s.mu.Unlock()
	s.takeSigner(next)
	s.logSigner()
	s.recordPolicies(next.set, nil)
	return nil
}

// renewSources reads the sources again. It gives what changes of the resolver, nil where it stays as it is: there are no
// sources, or others than those that are open.
func (s *system) renewSources(running *system, p *problems) *attrs.Config {
	if s.config.Sources.IsZero() || running.inputs == nil { // what is open is of the key registry, whatever a reload since has said
		return nil
	}
	before, open := len(p.list), running.entries
	s.entries = readEntries(&s.config.Sources, p)
	if len(p.list) > before || !sameSources(open, s.entries) {
		return nil
	}
	for i, e := range s.entries {
		if e.source = open[i].source; e.kind.renewed {
			e.source = e.kind.read(s, e.id(), e.own, p)
		}
	}
	if len(p.list) > before {
		return nil
	}
	config := s.resolverConfig(s.entries, p)
	if len(p.list) > before {
		return nil
	}
	config.CacheEntries = running.cacheEntries
	if err := s.resolver.Check(config); err != nil {
		p.add(s.config.Sources.Line, "sources: %v", err)
		return nil
	}
	return &config
}

// needRestart names the settings that differ and that a running server does not change.
func needRestart(old, new *fileConfig) (keys []string) {
	addresses := func(c *fileConfig) (list []string) {
		for _, l := range c.Listen {
			list = append(list, l.Address.V, strconv.FormatBool(l.Certificate.V != "")) // TLS or not
		}
		return list
	}
	for _, c := range []struct {
		key  string
		same bool
	}{
		{"listen", slices.Equal(addresses(old), addresses(new))},
		{"admin", old.Admin.V == new.Admin.V},
		{"decisions", old.Decisions.Listener.Address.V == new.Decisions.Listener.Address.V &&
			(old.Decisions.Listener.Certificate.V == "") == (new.Decisions.Listener.Certificate.V == "")},
		{"public-url", old.PublicURL.V == new.PublicURL.V},
		{"registry", old.Registry.File.V == new.Registry.File.V && old.Registry.Budget.V == new.Registry.Budget.V &&
			old.Registry.CacheEntries.V == new.Registry.CacheEntries.V && old.Registry.CacheTTL.V == new.Registry.CacheTTL.V},
		{"resolver.cache-entries", old.readResolver(&problems{}).CacheEntries.V == new.readResolver(&problems{}).CacheEntries.V},
		{"audit", old.Audit.Dir.V == new.Audit.Dir.V && old.Audit.Durability.V == new.Audit.Durability.V},
		{"messages.max-bytes", old.Messages.MaxBytes.V == new.Messages.MaxBytes.V},
		{"messages.replay-capacity", old.Messages.ReplayCapacity.V == new.Messages.ReplayCapacity.V},
		{"test-clock", old.TestClock.V.Equal(new.TestClock.V)},
		{"limits", old.Limits.ReadTimeout.V == new.Limits.ReadTimeout.V && old.Limits.WriteTimeout.V == new.Limits.WriteTimeout.V &&
			old.Limits.IdleTimeout.V == new.Limits.IdleTimeout.V && old.Limits.MaxConnections.V == new.Limits.MaxConnections.V &&
			old.Limits.MaxPerAddress.V == new.Limits.MaxPerAddress.V && old.Limits.MaxInFlight.V == new.Limits.MaxInFlight.V &&
			old.Limits.MaxWait.V == new.Limits.MaxWait.V && old.Limits.MaxAtWork.V == new.Limits.MaxAtWork.V && old.Limits.MaxLargeBodies.V == new.Limits.MaxLargeBodies.V},
	} {
		if !c.same {
			keys = append(keys, c.key)
		}
	}
	return keys
}

// ready says why requests cannot be answered now, nil when they can. Notes are what is wrong and stops no request: of a source
// that has a stand-in, or whose attributes are all optional.
func (s *system) ready(ctx context.Context) (notes []error, failure error) {
	var errs []error
	status := s.verifier.Status(s.now())
	for i := range status.Authorities {
		if a := &status.Authorities[i]; !a.Usable() {
			errs = append(errs, noUsableCRL(a))
		}
	}
	wrong, notes := s.sourcesHealth(ctx)
	if err := s.policies.get(); err != nil {
		notes = append(notes, fmt.Errorf("policies stay as they were: %w", err))
	}
	errs = append(errs, wrong...)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.signerReady(); err != nil {
		errs = append(errs, err)
	}
	return notes, errors.Join(errs...)
}
