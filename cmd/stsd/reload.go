package main

import (
	"context"
	"errors"
	"fmt"
)

// reload reads the configuration again and changes what can be changed while running:
// trust, CRLs, signing key, policy, message rules. What is wrong leaves all as it was.
func (s *system) reload(path string) error {
	p := &problems{file: path}
	c := readConfig(path, p)
	if len(p.list) > 0 {
		return p.err()
	}
	next := &system{config: c, now: s.now, log: s.log, verifier: s.verifier, resolver: s.resolver, journal: s.journal, replay: s.replay}
	trust := next.trust(p)
	next.signer = next.loadSigner(p)
	rules := next.loadRules(p)
	next.checkListeners(p)
	next.checkNumbers(p)
	if len(p.list) > 0 {
		return p.err()
	}
	settings, err := next.settings(rules)
	if err != nil {
		return err
	}
	// Trust first: it is checked as a whole and keeps the old on error.
	if err := s.verifier.Reload(trust); err != nil {
		return fmt.Errorf("trust: %w", err)
	}
	if err := s.service.Replace(settings); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.config, s.signer = c, next.signer
	return nil
}

// ready says why requests cannot be answered now, nil when they can.
func (s *system) ready(ctx context.Context) error {
	var errs []error
	status := s.verifier.Status(s.now())
	for i := range status.Authorities {
		if a := &status.Authorities[i]; !a.Usable() {
			errs = append(errs, fmt.Errorf("no usable CRL of %s", a.Subject))
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
