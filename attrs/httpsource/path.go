package httpsource

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A path leads to values of a JSON text: a JSON Pointer (RFC 6901), or a small part of JSONPath (RFC 9535): $, .name,
// ['name'], [0] and [*]. It is immutable.
type path struct{ steps []step }

// A step goes to a member by name, to an element by index, or to all elements.
type step struct {
	name  string
	index int // of an element, -1: a name
	every bool
	both  bool // of a pointer, which names elements too
}

// parsePath reads a path.
func parsePath(s string) (*path, error) {
	switch {
	case len(s) > 1024:
		return nil, errors.New("a path of more than 1024 bytes")
	case strings.HasPrefix(s, "/"):
		return parsePointer(s)
	case strings.HasPrefix(s, "$"):
		return parseJSONPath(s)
	}
	return nil, fmt.Errorf("path %q: want a JSON Pointer such as /a/b, or $.a[*].b", s)
}

// parsePointer reads a JSON Pointer (RFC 6901 sections 3 and 4).
func parsePointer(s string) (*path, error) {
	p := &path{}
	for _, token := range strings.Split(s[1:], "/") {
		for i := range len(token) {
			if token[i] == '~' && (i+1 == len(token) || token[i+1] != '0' && token[i+1] != '1') {
				return nil, fmt.Errorf("path %q: ~ is written ~0, and / ~1", s)
			}
		}
		name := strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		p.steps = append(p.steps, step{name: name, index: indexOf(token), both: true})
	}
	return p, nil
}

// indexOf reads an index without leading zeros (RFC 6901 section 4), or gives -1.
func indexOf(s string) int {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return -1
	}
	return int(n)
}

// parseJSONPath reads the part of JSONPath that names places: no filters, no slices, no descent, nothing computed.
func parseJSONPath(s string) (*path, error) {
	p := &path{}
	wrong := func() (*path, error) {
		return nil, fmt.Errorf("path %q: after $ come .name, ['name'], [0] and [*] alone", s)
	}
	for rest := s[1:]; rest != ""; {
		var st step
		switch {
		case strings.HasPrefix(rest, "[*]"):
			st, rest = step{index: -1, every: true}, rest[len("[*]"):]
		case strings.HasPrefix(rest, "['"):
			name, after, closed := strings.Cut(rest[len("['"):], "']")
			if !closed || strings.ContainsAny(name, `'\`) {
				return wrong()
			}
			st, rest = step{name: name, index: -1}, after
		case rest[0] == '[':
			digits, after, closed := strings.Cut(rest[1:], "]")
			index := indexOf(digits)
			if !closed || index < 0 {
				return wrong()
			}
			st, rest = step{index: index}, after
		case rest[0] == '.':
			end := strings.IndexAny(rest[1:], ".[")
			if end < 0 {
				end = len(rest) - 1
			}
			name := rest[1 : 1+end]
			if !plainName(name) {
				return wrong()
			}
			st, rest = step{name: name, index: -1}, rest[1+end:]
		default:
			return wrong()
		}
		p.steps = append(p.steps, st)
	}
	return p, nil
}

// plainName admits names that need no quotes (RFC 9535 section 2.5.1.1, member-name-shorthand).
func plainName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r|0x20 >= 'a' && r|0x20 <= 'z' || r >= 0x80
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

var errOtherShape = errors.New("the JSON text has another shape than the path")

// find gives the values to which the path leads. Missing says that some of it is not there; a null that the path would pass through
// counts as missing too. It is an error to look for members in what has none.
func (p *path) find(from *node) (found []*node, missing bool, err error) {
	found = []*node{from}
	for _, s := range p.steps {
		var next []*node
		for _, n := range found {
			switch {
			case n.kind == null:
				missing = true
			case s.every && n.kind == array:
				next = append(next, n.members...)
			case s.index >= 0 && n.kind == array:
				if s.index < len(n.members) {
					next = append(next, n.members[s.index])
				} else {
					missing = true
				}
			case n.kind == object && !s.every && (s.index < 0 || s.both):
				if m := n.member(s.name); m != nil {
					next = append(next, m)
				} else {
					missing = true
				}
			default:
				return nil, false, errOtherShape
			}
		}
		found = next
	}
	return found, missing, nil
}
