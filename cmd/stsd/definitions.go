package main

import (
	"slices"

	"sceau/attrs"
	"sceau/policy"
)

// A definitionConfig is an attribute that the built-in catalogue does not have.
type definitionConfig struct {
	Name     value[string]   `yaml:"name"`
	Title    value[string]   `yaml:"title"`
	Kind     value[string]   `yaml:"kind"`
	KeyedBy  []value[string] `yaml:"keyed-by"`
	Multiple value[bool]     `yaml:"multiple"`
	Hidden   value[bool]     `yaml:"hidden"`

	file string // beside the policies; empty: the configuration
}

// loadCatalogue makes the catalogue: eHealth's, what the configuration defines besides, and what the policies bring along.
func (s *system) loadCatalogue(p *problems) {
	s.catalogue = attrs.EHealth()
	s.definitions = s.config.Definitions
	if s.set != nil {
		own, err := s.set.definitions()
		if err != nil {
			p.add(s.set.line, "policy: %v", err)
			return
		}
		s.definitions = slices.Concat(s.definitions, own)
	}
	all, problems := define(s.definitions)
	for _, wrong := range problems {
		if wrong.File == "" {
			p.add(wrong.Line, "definitions: %s", wrong.Text)
		} else {
			p.add(s.set.line, "policy: %s", wrong)
		}
	}
	if all != nil {
		s.catalogue = all
	}
}

// define adds attributes to eHealth's catalogue; nil and what is wrong otherwise.
func define(list []definitionConfig) (*attrs.Catalogue, []policy.Problem) {
	var problems []policy.Problem
	var added []attrs.Definition
	base := attrs.EHealth()
	for _, c := range list {
		d := attrs.Definition{Designator: certifiedName(c.Name.V), Title: c.Title.V, Multiple: c.Multiple.V, Hidden: c.Hidden.V}
		for kind := attrs.Boolean; kind <= attrs.Text; kind++ {
			if kind.String() == c.Kind.V {
				d.Kind = kind
			}
		}
		var key attrs.Key
		for _, name := range c.KeyedBy {
			key = append(key, name.V)
		}
		if key != nil {
			d.KeyedBy = []attrs.Key{key}
		}
		if _, err := base.With(d); err != nil { // alone, to know the line
			problems = append(problems, policy.Problem{File: c.file, Line: max(c.Name.Line, c.Kind.Line, 1), Text: err.Error()})
		}
		added = append(added, d)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	all, err := base.With(added...)
	if err != nil {
		last := list[len(list)-1]
		return nil, []policy.Problem{{File: last.file, Line: list[0].Name.Line, Text: err.Error()}}
	}
	return all, nil
}

// sameDefinition says whether two entries define the same, wherever they stand in the file.
func sameDefinition(a, b definitionConfig) bool {
	sameKey := slices.EqualFunc(a.KeyedBy, b.KeyedBy, func(x, y value[string]) bool { return x.V == y.V })
	return sameKey && a.Name.V == b.Name.V && a.Title.V == b.Title.V && a.Kind.V == b.Kind.V && a.Multiple.V == b.Multiple.V && a.Hidden.V == b.Hidden.V
}

func sameDefinitions(a, b []definitionConfig) bool { return slices.EqualFunc(a, b, sameDefinition) }
