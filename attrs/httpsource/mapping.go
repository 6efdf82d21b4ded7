package httpsource

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"sceau/attrs"
)

// Rule says how a JSON text answers for an attribute. The zero Rule is ByValue.
type Rule uint8

const (
	// ByValue: what stands at Value is the value, or several in an array: strings, and for a boolean true or false. A number is
	// refused: who writes 00000000097 as a number has lost its zeros.
	ByValue Rule = iota

	// ByPresence: a boolean is true if there is something at Value that is not null; without Value, if there is an item.
	ByPresence

	// ByList: a boolean is true if a string, number or boolean at Value is written as one of Mapping.True.
	ByList
)

// A Mapping says where in an answer one certified attribute is. Paths are JSON Pointers (/a/b) or places in JSONPath
// ($.a[*]['b'][0]).
type Mapping struct {
	Definition *attrs.Definition
	Rule       Rule

	// Items leads to an array, each element of which speaks for itself, with its own validity; the other paths begin there
	// then. Empty: the whole text is the one item.
	Items string

	// Where and Is leave out items: what stands at Where must be written as one of Is.
	Where string
	Is    []string

	Value string

	// True are what ByList takes for true. If False is given a value that is in neither is an error; otherwise it means false.
	True, False []string

	// NotBefore and NotOnOrAfter lead to times (RFC 3339) between which the value holds; null: not bounded but by the Config.
	NotBefore, NotOnOrAfter string

	// Optional: a path that leads nowhere leads to no value. Without it that is an error, since a name that changed at the
	// source would deny everybody his attribute.
	Optional bool

	items, where, value, from, to *path
}

// check says what is wrong with the mapping and reads its paths.
func (m *Mapping) check(templates map[attrs.SubjectType]*template) error {
	d := m.Definition
	if d == nil || !d.Certified() || d.Computed {
		return errors.New("a mapping of no attribute that a source is asked for")
	}
	wrong := func(format string, args ...any) error { return fmt.Errorf(d.Name+": "+format, args...) }
	for _, t := range d.SubjectTypes() {
		if templates[t] == nil {
			return wrong("no URL for subjects of type %s", t)
		}
	}
	for _, p := range []struct {
		text string
		into **path
	}{{m.Items, &m.items}, {m.Where, &m.where}, {m.Value, &m.value}, {m.NotBefore, &m.from}, {m.NotOnOrAfter, &m.to}} {
		if p.text == "" {
			continue
		}
		var err error
		if *p.into, err = parsePath(p.text); err != nil {
			return wrong("%w", err)
		}
	}
	switch {
	case m.Rule > ByList:
		return wrong("no rule")
	case m.Rule != ByValue && d.Kind != attrs.Boolean:
		return wrong("only a boolean comes from presence or a list")
	case m.Value == "" && (m.Rule != ByPresence || m.Items == ""):
		return wrong("no path to the value")
	case (m.Rule == ByList) != (len(m.True) > 0) || m.Rule != ByList && m.False != nil:
		return wrong("a list of values for true goes with the rule that compares, and with no other")
	case (m.Where == "") != (len(m.Is) == 0):
		return wrong("a condition is a path and what must stand there")
	}
	for _, v := range m.True {
		if slices.Contains(m.False, v) {
			return wrong("a value that means true and false")
		}
	}
	return nil
}

var (
	errMissing = errors.New("the JSON text does not have what the path leads to")
	errValue   = errors.New("a JSON value of another kind than the attribute's")
	errTime    = errors.New("not one time of RFC 3339")
)

// facts gives what the answer says about the attribute; nil, of a subject that the source does not know, says nothing.
func (m *Mapping) facts(document *node) ([]attrs.Fact, error) {
	if document == nil {
		return nil, nil
	}
	items := []*node{document}
	if m.items != nil {
		lists, err := m.find(m.items, document)
		if err != nil {
			return nil, err
		}
		items = nil
		for _, list := range lists {
			switch list.kind {
			case null:
			case array:
				items = append(items, list.members...)
			default:
				return nil, errOtherShape
			}
		}
	}
	var facts []attrs.Fact
	for _, item := range items {
		if ok, err := m.concerns(item); err != nil {
			return nil, err
		} else if !ok {
			continue
		}
		values, err := m.values(item)
		if err != nil {
			return nil, err
		}
		var f attrs.Fact
		if f.NotBefore, err = m.time(m.from, item); err != nil {
			return nil, err
		}
		if f.NotOnOrAfter, err = m.time(m.to, item); err != nil {
			return nil, err
		}
		if !f.NotOnOrAfter.IsZero() && !f.NotBefore.Before(f.NotOnOrAfter) {
			return nil, errors.New("it ends before it begins")
		}
		for _, v := range values {
			f.Value = v
			facts = append(facts, f)
		}
	}
	return facts, nil
}

// find gives the values at the path; where it leads nowhere that is an error, unless the mapping allows it.
func (m *Mapping) find(p *path, from *node) ([]*node, error) {
	found, missing, err := p.find(from)
	if err == nil && missing && !m.Optional {
		err = errMissing
	}
	return found, err
}

// concerns says whether the item is one of those that speak for the attribute.
func (m *Mapping) concerns(item *node) (bool, error) {
	if m.where == nil {
		return true, nil
	}
	found, err := m.find(m.where, item)
	if err != nil {
		return false, err
	}
	for _, v := range found {
		switch v.kind {
		case array, object:
			return false, errOtherShape
		case null:
		default:
			if slices.Contains(m.Is, v.text) {
				return true, nil
			}
		}
	}
	return false, nil
}

// values gives the values of the attribute in an item.
func (m *Mapping) values(item *node) (values []string, err error) {
	if m.Rule == ByPresence {
		is := m.value == nil && item.kind != null
		if m.value != nil {
			found, _, err := m.value.find(item)
			if err != nil {
				return nil, err
			}
			is = slices.ContainsFunc(found, func(n *node) bool { return n.kind != null })
		}
		return truth(is), nil
	}
	found, err := m.find(m.value, item)
	if err != nil {
		return nil, err
	}
	is := false
	for _, v := range flat(found) {
		known := slices.Contains(m.True, v.text)
		switch {
		case v.kind == null:
		case v.kind == array || v.kind == object:
			return nil, errValue
		case m.Rule == ByList:
			if is = is || known; m.False != nil && !known && !slices.Contains(m.False, v.text) {
				return nil, errors.New("a value that is neither true nor false")
			}
		case (m.Definition.Kind == attrs.Boolean) != (v.kind == boolean) || v.kind == number:
			return nil, errValue
		default:
			values = append(values, v.text) // attrs.Certify judges them
		}
	}
	if m.Rule == ByList {
		return truth(is), nil
	}
	return values, nil
}

// flat puts the elements of arrays in the places of the arrays, one level.
func flat(nodes []*node) (all []*node) {
	for _, n := range nodes {
		if n.kind == array {
			all = append(all, n.members...)
		} else {
			all = append(all, n)
		}
	}
	return all
}

// truth is the values of a boolean fact: what is not true is no fact.
func truth(is bool) []string {
	if is {
		return []string{"true"}
	}
	return nil
}

// time reads a bound of validity; the zero time is none.
func (m *Mapping) time(p *path, item *node) (time.Time, error) {
	if p == nil {
		return time.Time{}, nil
	}
	found, err := m.find(p, item)
	switch {
	case err != nil:
		return time.Time{}, err
	case len(found) == 0 || len(found) == 1 && found[0].kind == null:
		return time.Time{}, nil
	case len(found) > 1 || found[0].kind != text:
		return time.Time{}, errTime
	}
	t, err := time.Parse(time.RFC3339Nano, found[0].text)
	if err != nil || t.IsZero() { // the zero time would mean that there is no bound
		return time.Time{}, errTime // without the value
	}
	return t.UTC(), nil
}
