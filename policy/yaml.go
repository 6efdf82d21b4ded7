package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// Limits of a rule file. It is the operator's own, yet a mistake in it should be told, not swallowed.
const (
	maxFileBytes = 4 << 20
	maxText      = 1024
	maxDuration  = 31 * 24 * time.Hour
)

// A reader walks over the tree of a YAML document and notes all that is wrong with
// it, so that an operator mends it once. The yaml package's own decoding into structs would stop
// early, take 012 for a number and `yes` for what it likes.
type reader struct {
	problems []Problem
	keys     map[string][]Key
}

func (r *reader) wrong(line int, format string, args ...any) {
	r.problems = append(r.problems, Problem{Line: line, Text: fmt.Sprintf(format, args...)})
}

// quote shows a text of the file in a message: short and in printable ASCII.
func quote(s string) string {
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return strconv.QuoteToASCII(s)
}

// document reads the one document of a file; nil with no problem noted is an empty file.
func (r *reader) document(content []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var root, second yaml.Node
	err := decoder.Decode(&root)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		r.syntax(err)
		return nil
	}
	if err = decoder.Decode(&second); err == nil {
		r.wrong(second.Line, "a second document")
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err)
	}
	if root.Kind != yaml.DocumentNode || len(root.Content) != 1 {
		r.wrong(0, "not one document")
		return nil
	}
	if top := root.Content[0]; top.Kind != yaml.ScalarNode || top.Tag != "!!null" {
		return top
	}
	return nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?(.*)`)

// syntax notes an error of the yaml package, whose line stands in its text only.
func (r *reader) syntax(err error) {
	line, text := 0, err.Error()
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = m[2]
	}
	r.wrong(line, "not YAML: %s", text)
}

// A mapping is a YAML mapping whose keys were checked.
type mapping struct {
	line   int
	values map[string]*yaml.Node
}

// mapping reads a mapping with the keys of the schema for in.
func (r *reader) mapping(n *yaml.Node, in, what string) (mapping, bool) {
	known := r.keys[in]
	m := mapping{n.Line, map[string]*yaml.Node{}}
	ok := r.pairs(n, what, func(key string, keyNode, value *yaml.Node) {
		for _, k := range known {
			if k.Name == key {
				m.values[key] = value
				return
			}
		}
		r.wrong(keyNode.Line, "%s: unknown key %s", what, quote(key))
	})
	if !ok {
		return m, false
	}
	for _, k := range known {
		if k.Required && m.values[k.Name] == nil {
			r.wrong(n.Line, "%s: no %s", what, k.Name)
		}
	}
	return m, true
}

// pairs runs over a mapping; keys must be texts and different.
func (r *reader) pairs(n *yaml.Node, what string, each func(key string, keyNode, value *yaml.Node)) bool {
	if n.Kind != yaml.MappingNode || n.Tag != "!!map" {
		r.wrong(n.Line, "%s: must be a mapping, is %s", what, describe(n))
		return false
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		keyNode, value := n.Content[i], n.Content[i+1]
		key, ok := r.text(keyNode, what+": a key")
		if !ok {
			continue
		}
		if first, twice := seen[key]; twice {
			r.wrong(keyNode.Line, "%s: %s stands in line %d already", what, quote(key), first)
			continue
		}
		seen[key] = keyNode.Line
		each(key, keyNode, value)
	}
	return true
}

// list runs over a list that is not empty.
func (r *reader) list(n *yaml.Node, what string, each func(n *yaml.Node)) {
	switch {
	case n.Kind != yaml.SequenceNode || n.Tag != "!!seq":
		r.wrong(n.Line, "%s: must be a list, is %s", what, describe(n))
	case len(n.Content) == 0:
		r.wrong(n.Line, "%s: the list is empty; leave the key out if nothing is meant", what)
	default:
		for _, item := range n.Content {
			each(item)
		}
	}
}

// texts reads a list of different texts.
func (r *reader) texts(n *yaml.Node, what string, each func(text string, line int)) {
	seen := map[string]int{}
	r.list(n, what, func(item *yaml.Node) {
		text, ok := r.text(item, what)
		if !ok {
			return
		}
		if first, twice := seen[text]; twice {
			r.wrong(item.Line, "%s: %s stands in line %d already", what, quote(text), first)
			return
		}
		seen[text] = item.Line
		each(text, item.Line)
	})
}

func (r *reader) text(n *yaml.Node, what string) (string, bool) {
	switch {
	case n.Kind != yaml.ScalarNode || n.Tag != "!!str":
		r.wrong(n.Line, "%s: must be a text, is %s", what, describe(n))
	case n.Style&yaml.TaggedStyle != 0 || n.Anchor != "":
		r.wrong(n.Line, "%s: tags and anchors are not used here", what)
	case n.Value == "":
		r.wrong(n.Line, "%s: the text is empty", what)
	case len(n.Value) > maxText:
		r.wrong(n.Line, "%s: the text is longer than %d bytes", what, maxText)
	default:
		return n.Value, true
	}
	return "", false
}

// duration reads a duration above zero, in whole seconds.
func (r *reader) duration(n *yaml.Node, what string) time.Duration {
	text, ok := r.text(n, what)
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		r.wrong(n.Line, "%s: %s is not a duration such as 12h or 90m", what, quote(text))
	case d <= 0:
		r.wrong(n.Line, "%s: must be above zero", what)
	case d%time.Second != 0:
		r.wrong(n.Line, "%s: must be of whole seconds", what)
	case d > maxDuration:
		r.wrong(n.Line, "%s: must not be above %s", what, maxDuration)
	default:
		return d
	}
	return 0
}

// word reads one word of a fixed set and gives its place, or -1.
func (r *reader) word(text string, line int, what string, words ...string) int {
	at := number(words, text)
	if at < 0 {
		r.wrong(line, "%s: %s is none of %q", what, quote(text), words)
	}
	return at
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch n.Tag {
	case "!!null":
		return "empty"
	case "!!bool":
		return "a boolean (quote it)"
	case "!!int", "!!float":
		return "a number (quote it)"
	case "!!str":
		return "a text"
	}
	return "a " + quote(n.Tag)
}
