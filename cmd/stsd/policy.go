package main

import (
	"context"
	"fmt"
	"os"

	"go.yaml.in/yaml/v3"

	"sceau/attrs"
	"sceau/policy"
	"sceau/policy/cedar"
)

// What policy.engine may be.
const (
	policyRules = "rules"
	policyCedar = "cedar"
)

// policyConfig is the key policy: the rule file, or a mapping that names an engine.
type policyConfig struct {
	Engine    value[string]
	File      value[string] // of engine rules
	Directory value[string] // of engine cedar
	Line      int
}

func (c *policyConfig) UnmarshalYAML(n *yaml.Node) error {
	c.Line = n.Line
	if n.Kind == yaml.ScalarNode {
		return c.File.UnmarshalYAML(n)
	}
	if n.Kind != yaml.MappingNode {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: policy is a rule file, or engine and directory", n.Line)}}
	}
	var wrong []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		into := map[string]*value[string]{"engine": &c.Engine, "file": &c.File, "directory": &c.Directory}[n.Content[i].Value]
		if into == nil {
			wrong = append(wrong, fmt.Sprintf("line %d: field %s not found in type policy", n.Content[i].Line, n.Content[i].Value))
		} else if err := into.UnmarshalYAML(n.Content[i+1]); err != nil {
			wrong = append(wrong, fmt.Sprintf("line %d: policy: %s is a text", n.Content[i+1].Line, n.Content[i].Value))
		}
	}
	if len(wrong) > 0 {
		return &yaml.TypeError{Errors: wrong}
	}
	return nil
}

// loadRules reads the policies with the engine that the configuration names. Those in Cedar ask the system's resolver,
// which is made before.
func (s *system) loadRules(p *problems) policy.PDP {
	c := &s.config.Policy
	switch engine := c.Engine.or(policyRules); engine {
	case policyRules:
		if c.Directory.Line > 0 {
			p.add(c.Directory.Line, "policy: directory is for engine cedar")
		}
		return s.loadRuleFile(p)
	case policyCedar:
		if c.File.Line > 0 {
			p.add(c.File.Line, "policy: file is for engine rules")
		}
		return s.loadCedar(p)
	default:
		p.add(c.Engine.Line, "policy: engine is rules or cedar")
		return nil
	}
}

func (s *system) loadRuleFile(p *problems) policy.PDP {
	c := &s.config.Policy
	if c.File.V == "" {
		p.add(c.Line, "policy: no rule file")
		return nil
	}
	file, err := os.Open(s.config.path(c.File))
	if err != nil {
		p.add(c.File.Line, "policy: %v", err)
		return nil
	}
	defer file.Close()
	rules, err := policy.Load(file, s.catalogue)
	if err != nil {
		p.add(c.File.Line, "policy: %v", err)
		return nil
	}
	return rules
}

func (s *system) loadCedar(p *problems) policy.PDP {
	c := &s.config.Policy
	if c.Directory.V == "" {
		p.add(c.Line, "policy: no directory")
		return nil
	}
	var from cedar.Attributes = noResolver{}
	if s.resolver != nil {
		from = configured{s.resolver, s.routed}
	}
	policies, err := cedar.Load(cedar.Config{Files: os.DirFS(s.config.path(c.Directory)), Catalogue: s.catalogue, Attributes: from})
	if err != nil {
		p.add(c.Directory.Line, "policy: %v", err)
		return nil
	}
	return policies
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
	if linted, ok := s.rules.(interface{ Lint() []policy.Problem }); ok {
		return linted.Lint()
	}
	return nil
}
