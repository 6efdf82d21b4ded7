package main

import (
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sceau/attrs"
	"sceau/audit"
)

func (s *system) checkListeners(p *problems) {
	c := s.config
	if len(c.Listen) == 0 {
		p.add(0, "listen: no listener")
	}
	allLoopback := true
	check := func(v value[string], what string) (loopback bool) {
		host, _, err := net.SplitHostPort(v.V)
		if _, tcp := net.ResolveTCPAddr("tcp", v.V); err != nil || tcp != nil {
			p.add(v.Line, "%s: %q is no host:port", what, v.V)
			return false
		}
		ip := net.ParseIP(host)
		return host == "localhost" || ip != nil && ip.IsLoopback()
	}
	s.tls = map[string]*tlsSettings{}
	for i := range c.Listen {
		l := &c.Listen[i]
		loopback := check(l.Address, "listen")
		allLoopback = allLoopback && loopback
		switch {
		case (l.Certificate.V == "") != (l.Key.V == ""):
			p.add(l.Address.Line, "listen: certificate and key go together")
		case l.Certificate.V == "" && !loopback:
			p.add(l.Address.Line, "listen: plain HTTP only on a loopback address; give certificate and key")
		default:
			if settings := s.readTLS(l, p); settings != nil {
				s.tls[l.Address.V] = settings
			}
		}
	}
	if c.Admin.Line > 0 && c.Admin.V != "" {
		check(c.Admin, "admin")
	}
	if c.TestClock.Line > 0 && c.OIDC.V != "" {
		p.add(c.TestClock.Line, "test-clock: not beside oidc, whose tokens live by the clock of the system")
	}
	if c.TestClock.Line > 0 && !allLoopback {
		p.add(c.TestClock.Line, "test-clock: only with listeners on loopback")
	}
	environments := []string{"", "Development", "Test", "Integration", "Acceptation", "Simulation", "Production"}
	if !slices.Contains(environments, c.Environment.V) {
		p.add(c.Environment.Line, "environment: %q is none of %s", c.Environment.V, strings.Join(environments[1:], ", "))
	}
}

func (s *system) checkAudit(p *problems) {
	v := s.config.Audit.Dir
	if v.V == "" {
		p.add(0, "audit: no dir")
		return
	}
	for path := s.config.path(v); ; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) && path != filepath.Dir(path) {
			continue // it will be made
		}
		if err != nil {
			p.add(v.Line, "audit: %v", err)
		} else if !info.IsDir() {
			p.add(v.Line, "audit: %s is no directory", path)
		}
		return
	}
}

// checkNames refuses names and addresses that mean nothing.
func (s *system) checkNames(p *problems) {
	c := s.config
	if v := c.PublicURL; v.Line > 0 {
		if u, err := url.Parse(v.V); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			p.add(v.Line, "public-url: %q is no http or https address", v.V)
		}
	}
	for _, v := range c.Messages.ClientNames {
		if v.V == "" {
			p.add(v.Line, "client-names: an empty name")
		}
	}
	for _, v := range c.Messages.AcceptClaimed {
		d, ok := attrs.EHealth().Find(attrs.Designator{Name: v.V, Namespace: attrs.NamespaceIdentification})
		if !ok || d.Binding != attrs.BindingClaimed {
			p.add(v.Line, "accept-claimed: %q is no identification attribute that is claimed", v.V)
		}
	}
	for _, l := range c.Listen {
		if c.Admin.V != "" && l.Address.V == c.Admin.V {
			p.add(c.Admin.Line, "admin: the address of a listener")
		}
	}
}

// checkNumbers refuses limits that would admit nothing or go back in time.
func (s *system) checkNumbers(p *problems) {
	positive := func(v value[int], what string) {
		if v.Line > 0 && v.V <= 0 {
			p.add(v.Line, "%s: must be positive", what)
		}
	}
	m, l := &s.config.Messages, &s.config.Limits
	positive(m.MaxBytes, "max-bytes")
	positive(m.MaxDepth, "max-depth")
	positive(m.MaxAttributes, "max-attributes")
	positive(m.ReplayCapacity, "replay-capacity")
	positive(l.MaxConnections, "max-connections")
	positive(l.MaxInFlight, "max-in-flight")
	positive(l.MaxAtWork, "max-at-work")
	positive(l.MaxLargeBodies, "max-large-bodies")
	if l.MaxLargeBodies.or(64<<20) < 4*m.MaxBytes.or(256<<10) {
		p.add(max(l.MaxLargeBodies.Line, m.MaxBytes.Line), "max-large-bodies: must be at least four times max-bytes")
	}
	if l.MaxWait.Line > 0 && l.MaxWait.V == 0 {
		p.add(l.MaxWait.Line, "max-wait: must be positive")
	}
	if l.MaxPerAddress.V < 0 {
		p.add(l.MaxPerAddress.Line, "max-per-address: must not be negative")
	}
	if m.MaxLifetime.Line > 0 && m.MaxLifetime.V == 0 {
		p.add(m.MaxLifetime.Line, "max-lifetime: must be positive")
	}
}

func (s *system) readDurability(p *problems) audit.Durability {
	word, rest, _ := strings.Cut(s.config.Audit.Durability.V, " ")
	switch word {
	case "", "sync":
		if rest == "" {
			return audit.Durability{}
		}
	case "relaxed":
		if interval, err := time.ParseDuration(rest); err == nil && interval > 0 {
			return audit.Relaxed(interval)
		}
	}
	p.add(s.config.Audit.Durability.Line, "audit: durability is sync, or relaxed and a duration")
	return audit.Durability{}
}
