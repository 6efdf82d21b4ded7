package main

import (
	"errors"

	"go.yaml.in/yaml/v3"

	"sceau/attrs"
	"sceau/attrs/derived"
)

// readDerivedSource makes a source of rules.
func readDerivedSource(s *system, id string, keys *yaml.Node, p *problems) source {
	var k struct {
		Rules []yaml.Node `yaml:"rules"`
	}
	if !decodeKeys(keys, "source "+id, &k, p, "id", "kind", "rules") {
		return nil
	}
	before := len(p.list)
	c := derived.Config{ID: id, Catalogue: s.catalogue, Inputs: s.inputs}
	for i := range k.Rules {
		c.Rules = append(c.Rules, readRule(&k.Rules[i], id, p))
	}
	if len(p.list) > before {
		return nil
	}
	made, err := derived.Open(c)
	if err == nil {
		return made
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		p.add(keys.Line, "source %s: %v", id, err)
		return nil
	}
	for _, err := range joined.Unwrap() {
		line := keys.Line
		if rule := (*derived.RuleError)(nil); errors.As(err, &rule) {
			line = k.Rules[rule.Rule].Line
		}
		p.add(line, "source %s: %v", id, err)
	}
	return nil
}

// ruleKeys are the keys of a rule: the attribute, and one form.
type ruleKeys struct {
	Attribute value[string] `yaml:"attribute"`
	InList    yaml.Node     `yaml:"in-list"`
	NIHII11   yaml.Node     `yaml:"nihii11"`
	Match     yaml.Node     `yaml:"match"`
	Map       yaml.Node     `yaml:"map"`
	Any       []string      `yaml:"any"`
	All       []string      `yaml:"all"`
	Concat    []yaml.Node   `yaml:"concat"`
}

func certifiedName(name string) attrs.Designator {
	return attrs.Designator{Name: name, Namespace: attrs.NamespaceCertified}
}

func certifiedNames(names []string) (all []attrs.Designator) {
	for _, name := range names {
		all = append(all, certifiedName(name))
	}
	return all
}

// readRule reads one rule of a derived source.
func readRule(n *yaml.Node, id string, p *problems) derived.Rule {
	var k ruleKeys
	forms := []string{"in-list", "nihii11", "match", "map", "any", "all", "concat"}
	if !decodeKeys(n, "source "+id, &k, p, append([]string{"attribute"}, forms...)...) {
		return derived.Rule{}
	}
	if len(n.Content) != 4 || k.Attribute.Line == 0 {
		p.add(n.Line, "source %s: a rule has an attribute and one of %v", id, forms)
		return derived.Rule{}
	}
	rule := derived.Rule{Attribute: certifiedName(k.Attribute.V)}
	switch {
	case !k.InList.IsZero():
		var f struct {
			Of   string   `yaml:"of"`
			List []string `yaml:"list"`
		}
		decodeKeys(&k.InList, "in-list", &f, p, "of", "list")
		rule.Form = derived.InList{Of: certifiedName(f.Of), List: f.List}
	case !k.NIHII11.IsZero():
		var f struct {
			NIHII8        string `yaml:"nihii8"`
			Qualification string `yaml:"qualification"`
		}
		decodeKeys(&k.NIHII11, "nihii11", &f, p, "nihii8", "qualification")
		rule.Form = derived.NIHII11{NIHII8: certifiedName(f.NIHII8), Qualification: certifiedName(f.Qualification)}
	case !k.Match.IsZero():
		var f struct {
			Of      string `yaml:"of"`
			Pattern string `yaml:"pattern"`
			Value   string `yaml:"value"`
		}
		decodeKeys(&k.Match, "match", &f, p, "of", "pattern", "value")
		rule.Form = derived.Match{Of: certifiedName(f.Of), Pattern: f.Pattern, Value: f.Value}
	case !k.Map.IsZero():
		var f struct {
			Of    string            `yaml:"of"`
			Table map[string]string `yaml:"table"`
		}
		decodeKeys(&k.Map, "map", &f, p, "of", "table")
		rule.Form = derived.Map{Of: certifiedName(f.Of), Table: f.Table}
	case k.Any != nil:
		rule.Form = derived.Any(certifiedNames(k.Any))
	case k.All != nil:
		rule.Form = derived.All(certifiedNames(k.All))
	case k.Concat != nil:
		rule.Form = readConcat(k.Concat, p)
	default:
		p.add(n.Line, "source %s: nothing stands after the form of a rule", id)
	}
	return rule
}

func readConcat(nodes []yaml.Node, p *problems) derived.Form {
	var form derived.Concat
	for i := range nodes {
		var f struct {
			Of   value[string] `yaml:"of"`
			Text value[string] `yaml:"text"`
		}
		decodeKeys(&nodes[i], "concat", &f, p, "of", "text")
		part := derived.Part{Text: f.Text.V}
		if f.Of.Line > 0 {
			part.Of = certifiedName(f.Of.V)
		}
		form = append(form, part)
	}
	return form
}
