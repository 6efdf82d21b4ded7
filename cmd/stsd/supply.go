package main

import (
	"time"

	"sceau/attrs"
)

// supplyGrace is how long requests under way may use sources that are no longer configured.
const supplyGrace = time.Minute

// A supply is all of which certified attributes come: the catalogue, the sources, and the resolver over them. It is made as a whole, and a
// running server goes over from one to another as a whole.
type supply struct {
	catalogue   *attrs.Catalogue
	definitions []definitionConfig // of the catalogue, besides eHealth's own

	resolver     *attrs.Resolver
	cacheEntries int64 // of the resolver, which cannot change
	entries      []*sourceEntry
	registry     registryConfig               // in the place of entries that the configuration lists
	inputs       *laterResolver               // of sources that derive; nil: the one source is the registry
	routed       func(*attrs.Definition) bool // whether sources, as configured, have the attribute; nil: as the resolver says
}

// close gives everything back; parts that were never made are passed over.
func (u *supply) close() {
	if u.resolver != nil {
		u.resolver.Close()
	}
	for _, e := range u.entries {
		if e.source != nil {
			e.source.Close()
		}
	}
}

// supplyLike gives s, whose catalogue is loaded, its supply. Where catalogue and sources are those of the running system it is its
// supply, and renewed is what changes of its resolver, if anything can; otherwise it is one of its own, for s to close.
func (s *system) supplyLike(running *system, p *problems) (renewed *attrs.Config, own bool) {
	before := len(p.list)
	own = s.otherSources(running, p) || !sameDefinitions(s.definitions, running.definitions)
	if len(p.list) > before {
		return nil, false
	}
	if own {
		s.openSources(p)
		return nil, true
	}
	entries := s.entries
	s.supply = running.supply
	if !s.config.Sources.IsZero() {
		renewed = s.renewSources(entries, p)
	}
	return renewed, false
}

// otherSources says whether the configuration lists other sources than those that are open. Where it lists sources they are s.entries
// afterwards, none of them open.
func (s *system) otherSources(running *system, p *problems) bool {
	if s.config.Sources.IsZero() {
		return running.inputs != nil || !s.config.Registry.same(&running.registry)
	}
	if running.inputs == nil {
		return true
	}
	before := len(p.list)
	s.entries = readEntries(&s.config.Sources, p)
	if len(p.list) > before {
		return false // which was told
	}
	return !sameSources(running.entries, s.entries) || s.config.readResolver(p).CacheEntries.or(defaultCacheEntries) != running.cacheEntries
}

// renewSources takes entries as they are listed now in the place of those that are open, which are the same sources, and gives what
// changes of the resolver; nil after a problem.
func (s *system) renewSources(entries []*sourceEntry, p *problems) *attrs.Config {
	before, open := len(p.list), s.entries
	s.entries = entries
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
	if err := s.resolver.Check(config); err != nil {
		p.add(s.config.Sources.Line, "sources: %v", err)
		return nil
	}
	return &config
}

// takeSupply goes over to the supply of next. s.mu is held. What is no longer used is closed when no request can be using it.
func (s *system) takeSupply(next *system, own bool) {
	if own {
		old := s.supply
		s.log.Info("other sources or definitions of attributes: all of them were opened anew", "sources", len(next.entries))
		timer := time.AfterFunc(supplyGrace, old.close)
		s.retired = append(s.retired, func() {
			if timer.Stop() {
				old.close()
			}
		})
	}
	s.supply = next.supply
}

// current gives the supply of a running system.
func (s *system) current() supply {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.supply
}
