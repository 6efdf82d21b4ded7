package certs

import (
	"errors"
	"strings"
)

// Pattern is the shape of a distinguished name, as configuration writes it:
//
//	C=BE, O=Federal Government, OU=eHealth-platform Belgium, CN=CBE=*
//
// It is a list of attributes, written as in a name (RFC 4514, keywords or object
// identifiers, quotes and escapes). A name has the shape when to each of them a
// different attribute of the name corresponds, of the same type and of a value
// that the pattern's admits: * stands for any text, the empty one too, and all
// else for itself, compared as [Name] compares. An asterisk that stands for itself
// is written \*. Neither the order nor further attributes of the name matter, and
// RDNs do not: + is refused.
//
// ParsePattern makes it. It is immutable and safe for concurrent use. The zero
// Pattern admits no name.
type Pattern struct {
	wanted []wantedAttribute
	text   string
}

// wantedAttribute is a type and the pieces of a value between its asterisks, folded.
type wantedAttribute struct {
	oid    string
	pieces []string
}

// wildcard stands for an asterisk while a pattern is read as a name: a
// noncharacter, which no pattern may have and which a name is never asked for.
const wildcard = "\U0001fffe"

// ParsePattern reads a pattern.
func ParsePattern(text string) (Pattern, error) {
	marked, wildcards := markWildcards(text)
	name, err := ParseName(marked)
	if err != nil {
		return Pattern{}, err
	}
	p := Pattern{text: text}
	for _, rdn := range name.rdns {
		if len(rdn) > 1 {
			return Pattern{}, errName("a pattern has no +: it names attributes, not RDNs")
		}
		if rdn[0].opaque {
			return Pattern{}, errName("a pattern has values of text only")
		}
		pieces := strings.Split(rdn[0].folded, wildcard)
		wildcards -= len(pieces) - 1
		p.wanted = append(p.wanted, wantedAttribute{rdn[0].oid, pieces})
	}
	if wildcards != 0 { // one was written as it stands, or escaped
		return Pattern{}, errName("character that no pattern has")
	}
	return p, nil
}

// markWildcards puts wildcard for each asterisk that is not escaped, and the hex
// form of a name for each that is. It counts the former.
func markWildcards(text string) (out []byte, wildcards int) {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '*':
			out = append(out, wildcard...)
			wildcards++
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == '*':
			out = append(out, `\2a`...)
			i++
		case text[i] == '\\' && i+1 < len(text):
			out = append(out, text[i], text[i+1])
			i++
		default:
			out = append(out, text[i])
		}
	}
	return out, wildcards
}

// String gives the pattern as it was written.
func (p Pattern) String() string { return p.text }

// Match tells whether a name has the shape.
func (p Pattern) Match(n Name) bool {
	if len(p.wanted) == 0 {
		return false
	}
	var attributes []attribute
	for _, rdn := range n.rdns {
		attributes = append(attributes, rdn...)
	}
	taken := make([]int, len(attributes)) // by which wanted attribute, counted from one
	for i := range p.wanted {
		if !p.assign(i, attributes, taken, make([]bool, len(attributes))) {
			return false
		}
	}
	return true
}

// assign finds an attribute for a wanted one; one that another has taken is given
// over when that one finds another (a matching by augmenting paths: two that could
// both take the first must not fail for the order in which they are written).
func (p Pattern) assign(i int, attributes []attribute, taken []int, tried []bool) bool {
	for j := range attributes {
		if tried[j] || !p.wanted[i].admits(&attributes[j]) {
			continue
		}
		tried[j] = true
		if taken[j] == 0 || p.assign(taken[j]-1, attributes, taken, tried) {
			taken[j] = i + 1
			return true
		}
	}
	return false
}

func (w *wantedAttribute) admits(a *attribute) bool {
	if w.oid != a.oid || a.opaque {
		return false
	}
	first, rest, last := w.pieces[0], a.folded, w.pieces[len(w.pieces)-1]
	if len(w.pieces) == 1 {
		return rest == first
	}
	if len(rest) < len(first)+len(last) || !strings.HasPrefix(rest, first) || !strings.HasSuffix(rest, last) {
		return false
	}
	rest = rest[len(first) : len(rest)-len(last)]
	for _, piece := range w.pieces[1 : len(w.pieces)-1] {
		at := strings.Index(rest, piece)
		if at < 0 {
			return false
		}
		rest = rest[at+len(piece):]
	}
	return true
}

// parsePatterns reads patterns and says which is none.
func parsePatterns(texts []string) ([]Pattern, error) {
	var patterns []Pattern
	var errs []error
	for _, text := range texts {
		p, err := ParsePattern(text)
		if err != nil {
			errs = append(errs, &Error{Reason: ReasonOf(err), Err: errors.New("pattern " + text)})
		}
		patterns = append(patterns, p)
	}
	return patterns, errors.Join(errs...)
}
