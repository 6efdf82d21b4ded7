package main

import (
	"context"
	"errors"
	"time"

	"go.yaml.in/yaml/v3"

	"sceau/attrs"
	"sceau/attrs/registry"
)

// readRegistrySource opens a registry in a SQLite file.
func readRegistrySource(s *system, id string, keys *yaml.Node, p *problems) source {
	var k struct {
		File         value[string]   `yaml:"file"`
		PollInterval value[duration] `yaml:"poll-interval"`
	}
	if !decodeKeys(keys, "source "+id, &k, p, "id", "kind", "attributes", "file", "poll-interval") {
		return nil
	}
	must(k.PollInterval, id, "poll-interval", p)
	if k.File.V == "" {
		p.add(keys.Line, "source %s: no file", id)
		return nil
	}
	r, err := registry.Open(registry.Config{ID: id, Path: s.config.path(k.File), Catalogue: s.catalogue, PollInterval: time.Duration(k.PollInterval.V), Now: s.now})
	if err != nil {
		p.add(k.File.Line, "source %s: %v", id, err)
		return nil
	}
	return r
}

// staticSource is what a configuration file says. It cannot fail.
type staticSource struct{ *attrs.Static }

func (staticSource) Health(context.Context) error { return nil }
func (staticSource) Close() error                 { return nil }

// readStaticSource makes a source of facts that stand in the file.
func readStaticSource(s *system, id string, keys *yaml.Node, p *problems) source {
	var k struct {
		Facts []yaml.Node `yaml:"facts"`
	}
	if !decodeKeys(keys, "source "+id, &k, p, "id", "kind", "attributes", "facts") {
		return nil
	}
	before := len(p.list)
	var facts []attrs.StaticFact
	for i := range k.Facts {
		f := s.readFact(&k.Facts[i], id, p)
		if len(p.list) > before {
			continue
		}
		if _, err := attrs.NewStatic(id, s.now, []attrs.StaticFact{f}); err != nil { // alone, to know the line
			p.add(k.Facts[i].Line, "source %s: %v", id, errors.Unwrap(err))
		}
		facts = append(facts, f)
	}
	if len(p.list) > before {
		return nil
	}
	made, err := attrs.NewStatic(id, s.now, facts)
	if err != nil {
		p.add(keys.Line, "source %s: %v", id, err)
		return nil
	}
	return staticSource{made}
}

// readFact reads one fact of a static source.
func (s *system) readFact(n *yaml.Node, id string, p *problems) (f attrs.StaticFact) {
	var k struct {
		SubjectType  value[string]    `yaml:"subject-type"`
		Subject      value[string]    `yaml:"subject"`
		Attribute    value[string]    `yaml:"attribute"`
		Value        value[string]    `yaml:"value"`
		NotBefore    value[time.Time] `yaml:"not-before"`
		NotOnOrAfter value[time.Time] `yaml:"not-on-or-after"`
	}
	if !decodeKeys(n, "source "+id, &k, p, "subject-type", "subject", "attribute", "value", "not-before", "not-on-or-after") {
		return f
	}
	f = attrs.StaticFact{Subject: attrs.Subject{Type: attrs.SubjectType(k.SubjectType.V), Value: k.Subject.V},
		Fact: attrs.Fact{Value: k.Value.V, NotBefore: k.NotBefore.V, NotOnOrAfter: k.NotOnOrAfter.V}}
	f.Definition = s.certified(k.Attribute, n.Line, id, p)
	return f
}

// certified finds a certified attribute by its name.
func (s *system) certified(v value[string], line int, id string, p *problems) *attrs.Definition {
	d, ok := s.catalogue.Find(attrs.Designator{Name: v.V, Namespace: attrs.NamespaceCertified})
	if !ok {
		p.add(max(v.Line, line), "source %s: no certified attribute %q", id, v.V)
	}
	return d
}
