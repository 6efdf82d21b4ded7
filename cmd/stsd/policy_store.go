package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"sceau/certs"
	"sceau/policy/store"
)

// policyStoreKeys are the keys of policy.store: versions of policies in a database, and who may change them.
type policyStoreKeys struct {
	ID               value[string]         `yaml:"id"`
	File             value[string]         `yaml:"file"`
	DSN              value[string]         `yaml:"dsn"`
	DSNFile          value[string]         `yaml:"dsn-file"`
	PasswordFile     value[string]         `yaml:"password-file"`
	UnverifiedServer value[bool]           `yaml:"unverified-server"`
	Timeout          value[duration]       `yaml:"timeout"`
	Poll             value[duration]       `yaml:"poll-interval"`
	Approvals        value[int]            `yaml:"approvals"`
	Administrators   []administratorConfig `yaml:"administrators"`
}

// policyStoreNames are their names.
var policyStoreNames = []string{"id", "file", "dsn", "dsn-file", "password-file", "unverified-server", "timeout", "poll-interval", "approvals", "administrators"}

type administratorConfig struct {
	Name        value[string]    `yaml:"name"`
	Certificate value[string]    `yaml:"certificate"` // whose key is his
	May         []value[string]  `yaml:"may"`
	Until       value[time.Time] `yaml:"until"`
}

// defaultPolicyPoll is how often a running server looks whether another version is in force.
const defaultPolicyPoll = 5 * time.Second

// readPolicyStore reads the keys of policy.store.
func (s *system) readPolicyStore(p *problems) (c store.Config, poll time.Duration) {
	node := &s.config.Policy.Store
	before := len(p.list)
	var k policyStoreKeys
	decodeKeys(node, "policy: store", &k, p, policyStoreNames...)
	if len(p.list) > before {
		return c, 0
	}
	c = store.Config{
		ID: k.ID.V, File: s.config.path(k.File), DSN: s.readDSN(k.DSN, k.DSNFile, p), PasswordFile: s.config.path(k.PasswordFile),
		UnverifiedServer: k.UnverifiedServer.V, Timeout: time.Duration(k.Timeout.V), Approvals: k.Approvals.V, Now: s.now,
	}
	for _, v := range []value[duration]{k.Timeout, k.Poll} {
		if v.Line > 0 && v.V == 0 {
			p.add(v.Line, "policy: store: must be positive")
		}
	}
	if k.Approvals.Line > 0 && k.Approvals.V < 1 {
		p.add(k.Approvals.Line, "policy: store: approvals: at least one, of a second person")
	}
	if k.File.Line > 0 && k.PasswordFile.Line > 0 {
		p.add(k.PasswordFile.Line, "policy: store: a file has no password")
	}
	for i := range k.Administrators {
		a, ok := s.readAdministrator(&k.Administrators[i], p)
		if !ok {
			continue
		}
		c.Administrators = append(c.Administrators, a)
	}
	if len(p.list) == before && !enoughPeople(c.Administrators, max(c.Approvals, 1), s.now()) {
		p.add(node.Line, "policy: store: want at least two administrators, one who may propose, and others who may approve, as many as approvals says")
	}
	return c, time.Duration(k.Poll.or(duration(defaultPolicyPoll)))
}

// enoughPeople says whether somebody may propose what enough others may approve.
func enoughPeople(list []store.Administrator, approvals int, now time.Time) bool {
	who := func(r store.Right) (names []string) {
		for i := range list {
			if a := &list[i]; slices.Contains(a.May, r) && (a.Until.IsZero() || now.Before(a.Until)) && !slices.Contains(names, a.Name) {
				names = append(names, a.Name)
			}
		}
		return names
	}
	approvers := who(store.RightApprove)
	return slices.ContainsFunc(who(store.RightPropose), func(name string) bool {
		others := len(approvers)
		if slices.Contains(approvers, name) {
			others--
		}
		return others >= approvals
	})
}

func (s *system) readAdministrator(k *administratorConfig, p *problems) (store.Administrator, bool) {
	before := len(p.list)
	a := store.Administrator{Name: k.Name.V, Until: k.Until.V}
	line := max(k.Name.Line, k.Certificate.Line, 1)
	if k.Name.V == "" || k.Certificate.V == "" {
		p.add(line, "policy: store: an administrator has name and certificate")
		return a, false
	}
	for _, word := range k.May {
		r, err := store.ParseRight(word.V)
		if err != nil {
			p.add(word.Line, "policy: store: administrator %q: %v", a.Name, err)
		}
		a.May = append(a.May, r)
	}
	ders, err := certs.ReadCertificates(s.config.path(k.Certificate))
	if err != nil {
		p.add(k.Certificate.Line, "policy: store: administrator %q: %v", a.Name, err)
		return a, false
	}
	certificate, err := certs.ParseCertificate(ders[0])
	if err == nil {
		err = certs.CheckKey(certificate.PublicKey(), 0)
	}
	if err != nil {
		p.add(k.Certificate.Line, "policy: store: administrator %q: %v", a.Name, err)
		return a, false
	}
	a.Key = certificate.PublicKey()
	return a, len(p.list) == before
}

// openPolicyStore opens the store that the configuration names, for reading unless write is set.
func (s *system) openPolicyStore(p *problems, write bool) *store.Store {
	before := len(p.list)
	c, poll := s.readPolicyStore(p)
	if len(p.list) > before {
		return nil
	}
	c.Write = write
	opened, err := store.Open(c)
	if err != nil {
		p.add(s.config.Policy.Store.Line, "%v", err)
		return nil
	}
	s.policyPoll, s.policyPlace = poll, cmp.Or(c.File, c.DSN)
	return opened
}

// openStoredSet takes the version that is in force in the store.
func (s *system) openStoredSet(set *policySet, p *problems) *policySet {
	set.line = s.config.Policy.Store.Line
	opened := s.openPolicyStore(p, false)
	if opened == nil {
		return nil
	}
	history, bundle, err := opened.InForce(context.Background())
	if err != nil {
		if store.ReasonOf(err) == store.NoVersion {
			err = errors.New("policy store: no version is in force yet: stsd policy propose, approve, activate")
		}
		p.add(set.line, "%v", errors.Join(err, opened.Close()))
		return nil
	}
	set.files, set.history, set.place = bundle.FS(), history, s.policyPlace
	set.version, _ = history.Active()
	s.policyStore = opened
	return set
}
