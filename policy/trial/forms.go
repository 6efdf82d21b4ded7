package trial

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// The file, as it is written.
type (
	fileForm struct {
		Tests []testForm `yaml:"tests"`
	}
	testForm struct {
		Name       string                         `yaml:"name"`
		Subject    *entityForm                    `yaml:"subject"`
		Action     string                         `yaml:"action"`
		Resource   *entityForm                    `yaml:"resource"`
		Context    map[string]any                 `yaml:"context"`
		Identity   *partyForm                     `yaml:"identity"`
		Holder     *partyForm                     `yaml:"holder"`
		Mode       string                         `yaml:"mode"`
		Attributes []string                       `yaml:"attributes"`
		Facts      map[string]factForm            `yaml:"facts"`
		Others     map[string]map[string]factForm `yaml:"others"`
		At         time.Time                      `yaml:"at"`
		Expect     expectForm                     `yaml:"expect"`
		By         []string                       `yaml:"by"`
	}
	entityForm struct {
		Type       string         `yaml:"type"`
		ID         string         `yaml:"id"`
		Kind       string         `yaml:"kind"`
		Properties map[string]any `yaml:"properties"`
	}
	partyForm struct {
		Kind string `yaml:"kind"`
		ID   string `yaml:"id"`
	}
	expectForm struct {
		word      string
		Permitted []string `yaml:"permitted"`
		Denied    []string `yaml:"denied"`
		OnDenied  string   `yaml:"on-denied"`
		ValidFor  string   `yaml:"valid-for"`
	}
	factForm struct {
		values []string
		Until  time.Time
	}
)

// UnmarshalYAML reads permit, deny, or a mapping.
func (e *expectForm) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		e.word = n.Value
		return nil
	}
	if err := knownKeys(n, "permitted", "denied", "on-denied", "valid-for"); err != nil {
		return err
	}
	type plain expectForm
	return n.Decode((*plain)(e))
}

// UnmarshalYAML reads a value, a list of them, or a mapping with until.
func (f *factForm) UnmarshalYAML(n *yaml.Node) error {
	switch n.Kind {
	case yaml.ScalarNode:
		f.values = []string{n.Value}
		return nil
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode {
				return typeError(item.Line, "a value is a text")
			}
			f.values = append(f.values, item.Value)
		}
		return nil
	}
	if err := knownKeys(n, "is", "until"); err != nil {
		return err
	}
	var m struct {
		Is    *factForm `yaml:"is"`
		Until time.Time `yaml:"until"`
	}
	if err := n.Decode(&m); err != nil {
		return err
	}
	if m.Is == nil || m.Until.IsZero() {
		return typeError(n.Line, "a fact that ends is {is: …, until: TIME}")
	}
	f.values, f.Until = m.Is.values, m.Until
	return nil
}

// knownKeys refuses a mapping with other keys: a node's own decoder lets them pass.
func knownKeys(n *yaml.Node, known ...string) error {
	if n.Kind != yaml.MappingNode {
		return typeError(n.Line, "want "+strings.Join(known, ", "))
	}
	for i := 0; i < len(n.Content); i += 2 {
		if key := n.Content[i]; !slices.Contains(known, key.Value) {
			return typeError(key.Line, "unknown key "+strconv.QuoteToASCII(key.Value))
		}
	}
	return nil
}

func typeError(line int, text string) error {
	return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %s", line, text)}}
}
