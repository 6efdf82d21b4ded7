package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sceau/audit"
	"sceau/policy"
	"sceau/policy/authzen"
	"sceau/policy/cedar"
	"sceau/policy/store"
)

// servicePolicy is the service of the records that say which policies were put in force.
const servicePolicy = "policy"

// policyContent begins what those records say of the version that the resource names; the last event follows, with its hash.
const policyContent = "content %s"

// policyRetry is the time between two attempts with a version that was refused.
const policyRetry = time.Minute

// A policyWatch is what a running server remembers of the versions of its policies.
type policyWatch struct {
	mu       sync.Mutex
	failure  error  // why what the store says is not in force here; nil when it is
	recorded string // which policies are in force, as recorded last; empty: none of a store

	refused string    // the last event of the history that was refused; guarded by changing
	again   time.Time // when that is tried again; guarded by changing
}

// watchPolicies puts in force what the store says, until the context ends.
func (s *system) watchPolicies(ctx context.Context) {
	for {
		s.mu.RLock()
		wait := s.policyPoll
		s.mu.RUnlock()
		if wait <= 0 {
			wait = defaultPolicyPoll
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
			s.turnPolicies(ctx)
		}
	}
}

// turnPolicies asks the store whether another version is in force, and takes it whole or not at all. The store is asked without
// anything held: it may take its time.
func (s *system) turnPolicies(ctx context.Context) {
	s.mu.RLock()
	from, set := s.policyStore, s.set
	s.mu.RUnlock()
	if from == nil {
		return
	}
	last, err := from.Head(ctx)
	now := s.now()
	s.changing.Lock()
	skip := err == nil && (last == set.history.Mark() && s.policies.get() == nil || last == s.policies.refused && now.Before(s.policies.again))
	s.changing.Unlock()
	if skip {
		return
	}
	var history *store.History
	var bundle *store.Bundle
	if err == nil {
		history, bundle, err = from.InForce(ctx)
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	if s.policyStore != from || ctx.Err() != nil {
		return // a reload came in between, or the end
	}
	next := *set
	if err == nil {
		next.files, next.history = bundle.FS(), history
		next.version, _ = history.Active()
		err = s.takePolicies(&next)
	}
	before := s.policies.get()
	s.policies.set(err)
	if err == nil {
		s.policies.refused = ""
		if before != nil {
			s.log.Info("the policy store is in order again", "policies", next.String())
		}
		return
	}
	s.policies.refused, s.policies.again = last, now.Add(policyRetry)
	if !alike(before, err) {
		s.log.Error("policies stay as they were", "error", err)
		if store.ReasonOf(err) != store.Unavailable {
			s.recordPolicies(&next, err)
		}
	}
}

// alike says whether an error is the one of before, which was told. What a database says that is away differs each time, by the port for one.
func alike(before, now error) bool {
	if before == nil {
		return false
	}
	away := store.ReasonOf(now) == store.Unavailable && store.ReasonOf(before) == store.Unavailable
	return away || before.Error() == now.Error()
}

// takePolicies puts a version in force, checked as a whole.
func (s *system) takePolicies(next *policySet) error {
	if err := follows(next, s.set); err != nil {
		return err
	}
	if next.version.Number == s.set.version.Number && next.version.Content == s.set.version.Content {
		s.mu.Lock()
		s.set = next
		s.mu.Unlock()
		return nil
	}
	p := &problems{file: s.config.dir}
	made := &system{config: s.config, now: s.now, log: s.log, verifier: s.verifier, journal: s.journal, replay: s.replay, set: next}
	made.loadCatalogue(p)
	if len(p.list) > 0 {
		return p.err()
	}
	own := !sameDefinitions(made.definitions, s.definitions)
	if own { // sources know the attributes that they have: those of the new catalogue
		made.openSources(p)
	} else {
		made.supply = s.supply
	}
	rules := made.loadRules(p)
	err := p.err()
	if err == nil && s.face != nil {
		err = s.face.Lacks(made.catalogue)
	}
	if err == nil {
		err = s.replaceRules(made, rules)
	}
	if err != nil {
		if own {
			made.supply.close()
		}
		return err
	}
	s.mu.Lock()
	s.rules, s.set = rules, next
	s.takeSupply(made, own)
	s.mu.Unlock()
	if s.face != nil {
		s.face.Define(made.catalogue)
	}
	s.recordPolicies(next, nil)
	return nil
}

// follows refuses a history that lacks what was seen before, and another store in the place of the one that was there: the same people may
// have signed it, for something else.
func follows(next, before *policySet) error {
	if before == nil || before.history == nil || next.history == nil {
		return nil
	}
	if next.history.Store() != before.history.Store() {
		if next.place != before.place {
			return nil // the configuration names another
		}
		return fmt.Errorf("in the place of the policy store %s is another, %s", before.history.Store(), next.history.Store())
	}
	if !next.history.Extends(before.history) {
		return errors.New("the policy store lacks events that were there, or has others in their place")
	}
	return nil
}

// replaceRules lets policies decide from the next request on, at every face, over the supply of made.
func (s *system) replaceRules(made *system, rules policy.PDP) error {
	settings, err := made.settings(rules, s.signer)
	if err != nil {
		return err
	}
	if err := s.service.Check(settings); err != nil {
		return err
	}
	if s.decisions == nil || !s.config.Decisions.configured() {
		return s.service.Replace(settings)
	}
	decisions := s.decisionsSettings(rules, s.decisionClients)
	if policies, ok := rules.(*cedar.Policies); ok {
		if err := checkClients(s.config, policies); err != nil {
			return err
		}
	}
	if err := s.decisions.handler.Check(decisions); err != nil {
		return err
	}
	if err := s.service.Replace(settings); err != nil {
		return err
	}
	return s.decisions.handler.Replace(decisions)
}

// checkClients refuses policies whose schema lacks a type that a client of the decisions may ask about.
func checkClients(c *fileConfig, policies *cedar.Policies) error {
	for i := range c.Decisions.Clients {
		client := &c.Decisions.Clients[i]
		for _, text := range client.Resources {
			if r, err := authzen.ParseResource(text.V); err == nil && !policies.Knows(r.Type) {
				return fmt.Errorf("the schema has no type %q, about which client %q may ask", r.Type, client.Name.V)
			}
		}
	}
	return nil
}

// takePolicyStore goes over to the store of another configuration. Both s.changing and s.mu are held.
func (s *system) takePolicyStore(next *system) {
	if s.policyStore != nil && s.policyStore != next.policyStore {
		s.policyStore.Close() // which was only read
	}
	s.set, s.policyStore, s.policyPoll, s.policyPlace = next.set, next.policyStore, next.policyPoll, next.policyPlace
	s.policies.refused = ""
	s.policies.set(nil)
}

// recordPolicies says on the trail, once, which version of the policies is in force from now on, or was refused: with the event of the store
// that is the last, so that nobody takes away an event unseen.
func (s *system) recordPolicies(set *policySet, refused error) {
	if set == nil {
		return
	}
	if set.history == nil {
		s.policies.record("")
		return
	}
	number, hash := set.history.Head()
	if refused == nil && !s.policies.record(fmt.Sprintf("%s %d %s", set.history.Store(), set.version.Number, set.version.Content)) {
		return
	}
	now := s.now()
	event := audit.Event{
		ID: audit.NewID(now), Time: now, Service: servicePolicy, Operation: "activate", Outcome: audit.Success,
		Resource: audit.Resource{Type: "PolicyVersion", Name: strconv.FormatInt(set.version.Number, 10)},
		Policies: fmt.Sprintf(policyContent+" event %d %s", set.version.Content, number, hash), // unlike a name without its runs of digits
	}
	if refused != nil {
		event.Outcome, event.Stage, event.Cause = audit.Fault, "activate", refused.Error()
	} else {
		s.log.Info("policies", "in force", set.String(), "event", number)
	}
	s.record(&event)
}

func (w *policyWatch) get() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failure
}

func (w *policyWatch) set(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failure = err
}

// record says whether policies are others than those recorded last.
func (w *policyWatch) record(version string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.recorded == version {
		return false
	}
	w.recorded = version
	return true
}

// policyCollector gives which version is in force.
type policyCollector struct{ *system }

var (
	policyVersion = prometheus.NewDesc("sceau_policy_version", "Version of the policies in force; of a policy store.", nil, nil)
	policyRefused = prometheus.NewDesc("sceau_policy_refused", "1 while the policy store says what is not in force here.", nil, nil)
)

func (c policyCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- policyVersion
	ch <- policyRefused
}

func (c policyCollector) Collect(ch chan<- prometheus.Metric) {
	c.mu.RLock()
	set := c.set
	c.mu.RUnlock()
	if set == nil || set.history == nil {
		return
	}
	refused := 0.0
	if c.policies.get() != nil {
		refused = 1
	}
	ch <- prometheus.MustNewConstMetric(policyVersion, prometheus.GaugeValue, float64(set.version.Number))
	ch <- prometheus.MustNewConstMetric(policyRefused, prometheus.GaugeValue, refused)
}
