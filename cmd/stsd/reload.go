package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// reload reads the configuration again and changes what can be changed while running:
// trust, CRLs, signing key, policy, message rules, certificates of listeners. What is wrong leaves all as it was.
func (s *system) reload(path string) error {
	p := &problems{file: path}
	c := readConfig(path, p)
	if len(p.list) > 0 {
		return p.err()
	}
	next := &system{config: c, now: s.now, log: s.log, verifier: s.verifier, resolver: s.resolver, journal: s.journal, replay: s.replay}
	trust := next.trust(p)
	next.signer = next.loadSigner(p)
	next.rules = next.loadRules(p)
	next.decisionTLS, next.decisionClients = next.checkDecisions(p)
	next.checkListeners(p)
	next.checkNumbers(p)
	if len(p.list) > 0 {
		return p.err()
	}
	settings, err := next.settings(next.rules)
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
	if keys := needRestart(s.config, c); len(keys) > 0 {
		s.log.Warn("changed, and in force only after a restart", "keys", keys)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.config, s.signer, s.engine = c, next.signer, next.engine
	s.logSigner()
	return nil
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

// ready says why requests cannot be answered now, nil when they can.
func (s *system) ready(ctx context.Context) error {
	var errs []error
	status := s.verifier.Status(s.now())
	for i := range status.Authorities {
		if a := &status.Authorities[i]; !a.Usable() {
			errs = append(errs, noUsableCRL(a))
		}
	}
	if err := s.registry.Health(ctx); err != nil {
		errs = append(errs, err)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.signer.Usable(s.now()); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
