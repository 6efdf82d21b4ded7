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
func (s *system) reload(path string) (err error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	p := &problems{file: path}
	c := readConfig(path, p)
	if len(p.list) > 0 {
		return p.err()
	}
	next := &system{config: c, now: s.now, log: s.log, verifier: s.verifier, journal: s.journal, replay: s.replay, keys: s.keys}
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
	next.loadCatalogue(p)
	trust := next.trust(p)
	next.signer = next.loadSigner(p)
	defer func() {
		if err != nil {
			next.keys.close(s.keys)
		}
	}()
	renewed, own := next.supplyLike(s, p)
	defer func() {
		if err != nil && own {
			next.supply.close()
		}
	}()
	next.rules = next.loadRules(p) // held against the sources that will be
	next.decisionTLS, next.decisionClients = next.checkDecisions(p)
	next.checkListeners(p)
	next.checkNumbers(p)
	next.checkRetention(p)
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
	oidc, err := next.nextFace(s)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && oidc != nil {
			err = errors.Join(err, oidc.Discard())
		}
	}()
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
	if renewed != nil {
		if err := s.resolver.Replace(*renewed); err != nil { // it was checked
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
	if oidc != nil {
		keys = append(keys, s.face.Commit(oidc)...)
	} else if s.face != nil {
		s.face.Define(next.catalogue)
	}
	if len(keys) > 0 {
		s.log.Warn("changed, and in force only after a restart", "keys", keys)
	}
	s.mu.Lock()
	s.config, s.rules = c, next.rules
	if oidc != nil { // what is in force is told, not what the file says of the next start
		s.faceTexts = next.faceTexts
	}
	s.decisionTLS, s.decisionClients, s.metadataKey = next.decisionTLS, next.decisionClients, next.metadataKey
	s.takePolicyStore(next)
	s.rollover = rollover{warned: s.rollover.warned}
	s.takeSupply(next, own)
	s.mu.Unlock()
	s.takeSigner(next)
	s.logSigner()
	s.recordPolicies(next.set, nil)
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
		{"oidc", (old.OIDC.V == "") == (new.OIDC.V == "")},
		{"decisions", old.Decisions.Listener.Address.V == new.Decisions.Listener.Address.V &&
			(old.Decisions.Listener.Certificate.V == "") == (new.Decisions.Listener.Certificate.V == "")},
		{"public-url", old.PublicURL.V == new.PublicURL.V},
		{"audit", old.Audit.Dir.V == new.Audit.Dir.V && old.Audit.Durability.V == new.Audit.Durability.V &&
			(old.retention() == 0) == (new.retention() == 0)},
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
