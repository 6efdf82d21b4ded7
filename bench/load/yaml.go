package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// unknownKey is how the decoder speaks of a key that the file should not have.
var unknownKey = regexp.MustCompile(`^field (\S+) not found in type .*$`)

// problems gathers everything that is wrong with a scenario, by line.
type problems struct {
	file string
	list []problem
}

type problem struct {
	line int
	text string
}

// add notes a problem; line 0 means the file as a whole, or a value given with --set.
func (p *problems) add(line int, format string, args ...any) {
	p.list = append(p.list, problem{line, fmt.Sprintf(format, args...)})
}

func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b problem) int { return a.line - b.line })
	var b strings.Builder
	fmt.Fprintf(&b, "%d problem", len(p.list))
	if len(p.list) > 1 {
		b.WriteString("s")
	}
	b.WriteString(" in the scenario")
	for _, one := range p.list {
		b.WriteString("\n  " + p.file)
		if one.line > 0 {
			fmt.Fprintf(&b, ":%d", one.line)
		}
		b.WriteString(": " + one.text)
	}
	return usageError{errors.New(b.String())}
}

// decodeStrict reads one YAML document into out; unknown keys and values of a wrong form go
// to p. It reports whether there is anything in out to look at further.
func decodeStrict(text []byte, out any, p *problems) bool {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	err := decoder.Decode(out)
	var wrong *yaml.TypeError
	switch {
	case errors.As(err, &wrong):
		for _, text := range wrong.Errors {
			line := 0
			if _, err := fmt.Sscanf(text, "line %d:", &line); err == nil {
				text = strings.TrimPrefix(text, fmt.Sprintf("line %d: ", line))
			}
			p.add(line, "%s", unknownKey.ReplaceAllString(text, `unknown key "$1"`))
		}
		return true
	case errors.Is(err, io.EOF):
		p.add(0, "the file is empty")
		return false
	case err != nil:
		p.add(0, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
		return false
	}
	if decoder.Decode(new(yaml.Node)) == nil {
		p.add(0, "a second document in the file")
	}
	return true
}

// A place finds the lines of a document's values: its path is of keys and indices.
type place struct{ root *yaml.Node }

// find follows path as far as it goes: the last node there is, and whether it is the whole path.
func (l place) find(path ...any) (*yaml.Node, bool) {
	n := l.root
	for n != nil && n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	for _, step := range path {
		next := child(n, step)
		if next == nil {
			return n, false
		}
		n = next
	}
	return n, n != nil
}

func child(n *yaml.Node, step any) *yaml.Node {
	if n == nil {
		return nil
	}
	switch step := step.(type) {
	case string:
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i+1]
			}
		}
	case int:
		if n.Kind == yaml.SequenceNode && step >= 0 && step < len(n.Content) {
			return n.Content[step]
		}
	}
	return nil
}

// has reports whether the document says something at path.
func (l place) has(path ...any) bool {
	_, whole := l.find(path...)
	return whole
}

// line is where path stands, or where it would.
func (l place) line(path ...any) int {
	n, _ := l.find(path...)
	if n == nil {
		return 0
	}
	return n.Line
}

// set changes the value at a dotted path ("phases.0.rate"), making mappings on the way; value
// is YAML. An index must exist.
func (l place) set(path, value string) error {
	var parsed yaml.Node
	if err := yaml.Unmarshal([]byte(value), &parsed); err != nil || len(parsed.Content) != 1 {
		return fmt.Errorf("%q is no YAML value", value)
	}
	n, _ := l.find()
	if n == nil || n.Kind != yaml.MappingNode {
		return errors.New("the scenario is no mapping")
	}
	for _, step := range strings.Split(path, ".") {
		next, err := stepInto(n, step)
		if err != nil {
			return err
		}
		n = next
	}
	*n = *parsed.Content[0]
	forgetLines(n)
	return nil
}

func stepInto(n *yaml.Node, step string) (*yaml.Node, error) {
	if n.Kind == yaml.SequenceNode {
		i, err := strconv.Atoi(step)
		if next := child(n, i); err == nil && next != nil {
			return next, nil
		}
		return nil, fmt.Errorf("there is no element %q: they are counted from 0, and there are %d", step, len(n.Content))
	}
	if n.Kind != yaml.MappingNode {
		*n = yaml.Node{Kind: yaml.MappingNode}
	}
	if next := child(n, step); next != nil {
		return next, nil
	}
	next := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: step}, next)
	return next, nil
}

func forgetLines(n *yaml.Node) {
	n.Line = 0
	for _, c := range n.Content {
		forgetLines(c)
	}
}

// A duration is written as Go writes one.
type duration time.Duration

func (d *duration) UnmarshalYAML(n *yaml.Node) error {
	parsed, err := time.ParseDuration(n.Value)
	if err != nil || parsed < 0 {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %q is no duration such as 500ms, 10s or 5m", n.Line, n.Value)}}
	}
	*d = duration(parsed)
	return nil
}

func (d duration) MarshalYAML() (any, error) { return time.Duration(d).String(), nil }

// A bytesize is a number of bytes, written as 250KiB.
type bytesize int

func (b *bytesize) UnmarshalYAML(n *yaml.Node) error {
	size, err := parseBytes(n.Value)
	if err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %v", n.Line, err)}}
	}
	*b = bytesize(size)
	return nil
}

func (b bytesize) MarshalYAML() (any, error) {
	for _, unit := range []struct {
		of   bytesize
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}} {
		if b%unit.of == 0 {
			return fmt.Sprintf("%d%s", b/unit.of, unit.name), nil
		}
	}
	return fmt.Sprintf("%dKiB", b>>10), nil
}

// A scalar is a value whose form depends on its key: it is kept as it was written.
type scalar string

func (s *scalar) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode || n.Value == "" {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: a single value was expected", n.Line)}}
	}
	*s = scalar(n.Value)
	return nil
}

func (s scalar) MarshalYAML() (any, error) {
	return &yaml.Node{Kind: yaml.ScalarNode, Value: string(s)}, nil
}
