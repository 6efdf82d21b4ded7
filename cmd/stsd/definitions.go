package main

import (
	"slices"

	"sceau/attrs"
)

// A definitionConfig is an attribute that the built-in catalogue does not have.
type definitionConfig struct {
	Name     value[string]   `yaml:"name"`
	Title    value[string]   `yaml:"title"`
	Kind     value[string]   `yaml:"kind"`
	KeyedBy  []value[string] `yaml:"keyed-by"`
	Multiple value[bool]     `yaml:"multiple"`
	Hidden   value[bool]     `yaml:"hidden"`
}

// loadCatalogue makes the catalogue: eHealth's, and what the file defines besides.
func (s *system) loadCatalogue(p *problems) {
	s.catalogue = attrs.EHealth()
	if len(s.config.Definitions) == 0 {
		return
	}
	before := len(p.list)
	var added []attrs.Definition
	for _, c := range s.config.Definitions {
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
		if _, err := s.catalogue.With(d); err != nil { // alone, to know the line
			p.add(max(c.Name.Line, c.Kind.Line, 1), "definitions: %v", err)
		}
		added = append(added, d)
	}
	if len(p.list) > before {
		return
	}
	all, err := s.catalogue.With(added...)
	if err != nil {
		p.add(s.config.Definitions[0].Name.Line, "definitions: %v", err)
		return
	}
	s.catalogue = all
}

// sameDefinition says whether two entries define the same, wherever they stand in the file.
func sameDefinition(a, b definitionConfig) bool {
	sameKey := slices.EqualFunc(a.KeyedBy, b.KeyedBy, func(x, y value[string]) bool { return x.V == y.V })
	return sameKey && a.Name.V == b.Name.V && a.Title.V == b.Title.V && a.Kind.V == b.Kind.V && a.Multiple.V == b.Multiple.V && a.Hidden.V == b.Hidden.V
}
