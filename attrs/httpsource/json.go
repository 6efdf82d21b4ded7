package httpsource

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// kind is what a JSON value is (RFC 8259 section 3).
type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	array
	object
)

// A node is a value of a JSON text. It is immutable.
type node struct {
	kind    kind
	text    string // the string, or the literal of a number or boolean
	names   []string
	members []*node // of an array or an object, in order
}

var (
	errNotText  = errors.New("no UTF-8 text")
	errNotJSON  = errors.New("no JSON text, or more than one")
	errTooDeep  = errors.New("nested too deeply")
	errSameName = errors.New("a name twice in one object")
)

// parseJSON reads exactly one JSON text. It is stricter than encoding/json alone: names stand once in an object, since of
// two values each reader would believe another one; strings are Unicode, without halves of surrogate pairs; depth bounds
// the nesting. Errors repeat nothing of the text.
func parseJSON(octets []byte, depth int) (*node, error) {
	if !utf8.Valid(octets) {
		return nil, errNotText
	}
	if !json.Valid(octets) { // all of it, before anything is believed
		return nil, errNotJSON
	}
	in := json.NewDecoder(bytes.NewReader(octets))
	in.UseNumber()
	return readValue(in, depth)
}

func readValue(in *json.Decoder, depth int) (*node, error) {
	token, err := in.Token()
	if err != nil {
		return nil, errNotJSON
	}
	switch v := token.(type) {
	case nil:
		return &node{kind: null}, nil
	case bool:
		if v {
			return &node{kind: boolean, text: "true"}, nil
		}
		return &node{kind: boolean, text: "false"}, nil
	case json.Number:
		return &node{kind: number, text: string(v)}, nil
	case string:
		return &node{kind: text, text: v}, unicodeOnly(v)
	case json.Delim:
		if depth <= 0 {
			return nil, errTooDeep
		}
		n := &node{kind: array}
		if v == '{' {
			n.kind = object
		}
		return n, n.readMembers(in, depth-1)
	}
	return nil, errNotJSON
}

func (n *node) readMembers(in *json.Decoder, depth int) error {
	known := map[string]bool{}
	for in.More() {
		if n.kind == object {
			token, err := in.Token()
			name, ok := token.(string)
			switch {
			case err != nil || !ok:
				return errNotJSON
			case known[name]:
				return errSameName
			}
			if err := unicodeOnly(name); err != nil {
				return err
			}
			known[name] = true
			n.names = append(n.names, name)
		}
		member, err := readValue(in, depth)
		if err != nil {
			return err
		}
		n.members = append(n.members, member)
	}
	if _, err := in.Token(); err != nil { // the end of it
		return errNotJSON
	}
	return nil
}

// unicodeOnly refuses the replacement character: the decoder puts it where half of a surrogate pair stood, and two names or
// values could become one.
func unicodeOnly(s string) error {
	if strings.ContainsRune(s, utf8.RuneError) {
		return errNotText
	}
	return nil
}

// member gives the member of an object by its name, octet for octet, or nil.
func (n *node) member(name string) *node {
	for i := range n.names {
		if n.names[i] == name {
			return n.members[i]
		}
	}
	return nil
}

// write writes the value, with each string changed by replace.
func (n *node) write(out *bytes.Buffer, replace func(string) string) {
	switch n.kind {
	case null:
		out.WriteString("null")
	case boolean, number:
		out.WriteString(n.text)
	case text:
		writeString(out, replace(n.text))
	case array, object:
		brackets := "[]"
		if n.kind == object {
			brackets = "{}"
		}
		out.WriteByte(brackets[0])
		for i, m := range n.members {
			if i > 0 {
				out.WriteByte(',')
			}
			if n.kind == object {
				writeString(out, n.names[i])
				out.WriteByte(':')
			}
			m.write(out, replace)
		}
		out.WriteByte(brackets[1])
	}
}

func writeString(out *bytes.Buffer, s string) {
	octets, err := json.Marshal(s)
	if err != nil {
		panic("a string that is no JSON: " + err.Error()) // there is none
	}
	out.Write(octets)
}
