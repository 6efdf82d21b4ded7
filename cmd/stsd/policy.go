package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"

	"sceau/attrs"
	"sceau/policy"
	"sceau/policy/cedar"
)

// policyConfig is the key policy: the rule file, or a mapping that names an engine and where its policies are.
type policyConfig struct {
	Engine    value[string]
	File      value[string] // of engine rules, by itself
	Directory value[string]
	Store     yaml.Node // read by readPolicyStore
	Line      int
}

func (c *policyConfig) UnmarshalYAML(n *yaml.Node) error {
	c.Line = n.Line
	if n.Kind == yaml.ScalarNode {
		return c.File.UnmarshalYAML(n)
	}
	if n.Kind != yaml.MappingNode {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: policy is a rule file, or engine and directory or store", n.Line)}}
	}
	var wrong []string
	texts := map[string]*value[string]{"engine": &c.Engine, "file": &c.File, "directory": &c.Directory}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Value == "store" {
			c.Store = *n.Content[i+1]
		} else if into := texts[key.Value]; into == nil {
			wrong = append(wrong, fmt.Sprintf("line %d: field %s not found in type policy", key.Line, key.Value))
		} else if err := into.UnmarshalYAML(n.Content[i+1]); err != nil {
			wrong = append(wrong, fmt.Sprintf("line %d: policy: %s is a text", n.Content[i+1].Line, key.Value))
		}
	}
	if len(wrong) > 0 {
		return &yaml.TypeError{Errors: wrong}
	}
	return nil
}

// openPolicySet finds the policies where the configuration has them; nil after a problem.
func (s *system) openPolicySet(p *problems) *policySet {
	c := &s.config.Policy
	set := &policySet{engine: c.Engine.or(policyRules), line: c.Line}
	if set.engine != policyRules && set.engine != policyCedar {
		p.add(c.Engine.Line, "policy: engine is rules or cedar")
		return nil
	}
	places := slices.DeleteFunc([]int{c.File.Line, c.Directory.Line, c.Store.Line}, func(line int) bool { return line == 0 })
	switch {
	case len(places) == 0:
		p.add(c.Line, "policy: no %s", map[string]string{policyRules: "rule file", policyCedar: "directory or store"}[set.engine])
	case len(places) > 1:
		p.add(slices.Max(places), "policy: one of file, directory and store")
	case c.File.Line > 0 && set.engine != policyRules:
		p.add(c.File.Line, "policy: file is for engine rules")
	case c.File.Line > 0:
		set.line, set.file = c.File.Line, s.config.path(c.File)
		return set
	case c.Directory.Line > 0:
		set.line = c.Directory.Line
		path := s.config.path(c.Directory)
		if info, err := os.Stat(path); err != nil {
			p.add(set.line, "policy: %v", err)
			return nil
		} else if !info.IsDir() {
			p.add(set.line, "policy: %s is no directory", filepath.Base(path))
			return nil
		}
		set.files = os.DirFS(path)
		return set
	default:
		return s.openStoredSet(set, p)
	}
	return nil
}

// loadRules reads the policies that openPolicySet found, and runs their tests. Those in Cedar ask the system's resolver, which is made
// before.
func (s *system) loadRules(p *problems) policy.PDP {
	if s.set == nil {
		return nil // which was told
	}
	var from cedar.Attributes = noResolver{}
	if s.resolver != nil {
		from = configured{s.resolver, s.routed}
	}
	rules, err := s.set.open(s.catalogue, from)
	if err == nil {
		err = s.set.hold(context.Background(), s.catalogue)
	}
	if err != nil {
		p.add(s.set.line, "policy: %v", err)
		return nil
	}
	return rules
}

// configured is the resolver, and which attributes it will have once the configuration is in force: at a reload, policies and
// sources change together.
type configured struct {
	*attrs.Resolver
	routed func(*attrs.Definition) bool
}

// Routed says whether a source has the attribute.
func (c configured) Routed(d *attrs.Definition) bool {
	if c.routed == nil {
		return c.Resolver.Routed(d)
	}
	return c.routed(d)
}

// noResolver stands in for a resolver that could not be made, which was told, so that what is wrong with policies is
// told too.
type noResolver struct{}

func (noResolver) Resolve(_ context.Context, _ *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error) {
	return dst, &attrs.Error{Reason: attrs.NoSource}
}

// policyWarnings gives what is allowed in the policies and hardly meant.
func (s *system) policyWarnings() []policy.Problem {
	return lint(s.rules)
}

func lint(pdp policy.PDP) []policy.Problem {
	if linted, ok := pdp.(interface{ Lint() []policy.Problem }); ok {
		return linted.Lint()
	}
	return nil
}
