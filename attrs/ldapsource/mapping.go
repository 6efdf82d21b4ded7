package ldapsource

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"sceau/attrs"
)

// Rule says how an entry answers for an attribute. The zero Rule is ByValue.
type Rule uint8

const (
	// ByValue: the values of the LDAP attribute are the values. For a boolean there is at most one, TRUE or FALSE (RFC 4517
	// section 3.3.3).
	ByValue Rule = iota

	// ByPresence: a boolean is true if the entry has the LDAP attribute, whatever its value.
	ByPresence

	// ByList: a boolean is true if a value of the LDAP attribute is in Mapping.True, octet for octet.
	ByList

	// ByGroup: a boolean is true if the entry is a member of Mapping.Group.
	ByGroup
)

// maxValues bounds the values of one LDAP attribute, maxValueBytes each of them.
const (
	maxValues     = 10_000
	maxValueBytes = 4096
)

// A Mapping says which LDAP attributes of an entry answer for one certified attribute.
type Mapping struct {
	Definition *attrs.Definition
	Rule       Rule

	// Attribute is the LDAP attribute that answers. For ByGroup it holds the DNs of the entry's groups; memberOf if empty.
	Attribute string

	// True are the values that ByList takes for true. If False is given a value that is in neither is an error; otherwise it
	// means false.
	True, False []string

	// Group is the DN of the group for ByGroup. If Member is given the group is asked whether it holds the entry's DN in
	// that attribute; otherwise the entry is asked.
	Group, Member string

	// NotBefore and NotOnOrAfter are LDAP attributes of syntax GeneralizedTime (RFC 4517 section 3.3.13) between which the
	// values hold; empty, or missing in an entry: not bounded but by Config.TTL.
	NotBefore, NotOnOrAfter string
}

// check says what is wrong with the mapping and completes it.
func (m *Mapping) check(filters map[attrs.SubjectType]*filter) error {
	d := m.Definition
	if d == nil || !d.Certified() || d.Computed {
		return errors.New("a mapping of no attribute that a source is asked for")
	}
	wrong := func(format string, args ...any) error { return fmt.Errorf(d.Name+": "+format, args...) }
	for _, t := range d.SubjectTypes() {
		if filters[t] == nil {
			return wrong("no filter for subjects of type %s", t)
		}
	}
	if m.Rule == ByGroup && m.Attribute == "" && m.Member == "" {
		m.Attribute = "memberOf"
	}
	asksGroup := m.Rule == ByGroup && m.Member != ""
	if asksGroup == (m.Attribute != "") {
		return wrong("one LDAP attribute must answer")
	}
	for _, a := range []string{m.Attribute, m.Member, m.NotBefore, m.NotOnOrAfter} {
		if a != "" && !validDescription(a) {
			return wrong("%q is no LDAP attribute; options such as ;binary are not read", a)
		}
	}
	switch {
	case m.Rule > ByGroup:
		return wrong("no rule")
	case m.Rule != ByValue && d.Kind != attrs.Boolean:
		return wrong("only a boolean comes from presence, a list or a group")
	case (m.Rule == ByList) != (len(m.True) > 0) || m.Rule != ByList && m.False != nil:
		return wrong("a list of values for true goes with the rule that compares, and with no other")
	case (m.Rule == ByGroup) != (m.Group != "") || m.Rule != ByGroup && m.Member != "":
		return wrong("a group goes with the rule that asks for one, and with no other")
	}
	for _, v := range m.True {
		if v == "" || slices.Contains(m.False, v) {
			return wrong("a value that means nothing, or true and false")
		}
	}
	if m.Rule == ByGroup {
		if dn, err := ldap.ParseDN(m.Group); err != nil || len(dn.RDNs) == 0 {
			return wrong("the group is no DN")
		}
	}
	return nil
}

// wanted are the LDAP attributes that the mapping reads of an entry.
func (m *Mapping) wanted() []string {
	return slices.DeleteFunc([]string{m.Attribute, m.NotBefore, m.NotOnOrAfter}, func(a string) bool { return a == "" })
}

// An entry is what the directory holds about a subject, as far as it was asked.
type entry struct {
	dn     string
	values map[string][]string // by the name asked for, in lower case; nil: no values
	member map[*Mapping]bool   // of the groups that were asked
}

// readEntry sorts the attributes of an entry by the names that were asked. An attribute that is not one of them, nor one of
// them with a language or another harmless option, is an error: the server calls by another name what was asked, and to pass over
// it would make a missing value of it. So is a value that came in ranges (Active Directory) or in a binary form.
func readEntry(e *ldap.Entry, asked []string) (*entry, error) {
	out := &entry{dn: e.DN, values: make(map[string][]string, len(asked))}
	for _, a := range asked {
		out.values[strings.ToLower(a)] = nil
	}
	for _, a := range e.Attributes {
		name, options, optional := strings.Cut(strings.ToLower(a.Name), ";")
		known, ok := out.values[name]
		switch {
		case !ok:
			return nil, errors.New("the directory answers by a name of an attribute that was not asked: use the name that it uses")
		case optional && (strings.Contains(options, "range=") || strings.Contains(options, "binary")):
			return nil, errors.New("a value in ranges or in binary form")
		case optional:
			continue // another description (RFC 4512 section 2.5.2), such as the value in a language
		case known != nil:
			return nil, errors.New("one attribute twice in an entry")
		case len(a.Values) > maxValues:
			return nil, fmt.Errorf("more than %d values", maxValues)
		}
		for _, v := range a.Values {
			if len(v) > maxValueBytes || !utf8.ValidString(v) {
				return nil, errors.New("a value that is too large or no text")
			}
		}
		if len(a.Values) > 0 {
			out.values[name] = a.Values
		}
	}
	return out, nil
}

func (e *entry) get(attribute string) []string { return e.values[strings.ToLower(attribute)] }

// about demands that the entry is about the subject: that it has its numbers, whatever the server's matching rules forgive.
func (e *entry) about(f *filter, numbers []string) error {
	for _, p := range f.places {
		if !slices.Contains(e.get(p.attribute), numbers[p.part]) {
			return errors.New("the entry found does not have the number that was asked, or may not show it")
		}
	}
	return nil
}

// facts gives what the entry says about the attribute of the mapping. A nil entry says nothing.
func (m *Mapping) facts(e *entry) ([]attrs.Fact, error) {
	if e == nil {
		return nil, nil
	}
	values, err := m.values(e)
	if err != nil || len(values) == 0 {
		return nil, err
	}
	var f attrs.Fact
	if f.NotBefore, err = e.time(m.NotBefore); err != nil {
		return nil, err
	}
	if f.NotOnOrAfter, err = e.time(m.NotOnOrAfter); err != nil {
		return nil, err
	}
	if !f.NotOnOrAfter.IsZero() && !f.NotBefore.Before(f.NotOnOrAfter) {
		return nil, errors.New("it ends before it begins")
	}
	facts := make([]attrs.Fact, 0, len(values))
	for _, v := range values {
		f.Value = v
		facts = append(facts, f)
	}
	return facts, nil
}

func (m *Mapping) values(e *entry) ([]string, error) {
	held := e.get(m.Attribute)
	switch m.Rule {
	case ByPresence:
		return truth(held != nil), nil
	case ByList:
		is := false
		for _, v := range held {
			known := slices.Contains(m.True, v)
			is = is || known
			if m.False != nil && !known && !slices.Contains(m.False, v) {
				return nil, errors.New("a value that is neither true nor false")
			}
		}
		return truth(is), nil
	case ByGroup:
		if m.Member != "" {
			return truth(e.member[m]), nil
		}
		is, err := holdsDN(held, m.Group)
		return truth(is), err
	}
	if m.Definition.Kind != attrs.Boolean {
		return held, nil // attrs.Certify judges them
	}
	switch {
	case len(held) == 0:
		return nil, nil
	case len(held) == 1 && held[0] == "TRUE":
		return []string{"true"}, nil
	case len(held) == 1 && held[0] == "FALSE":
		return []string{"false"}, nil
	}
	return nil, errors.New("not one of TRUE and FALSE")
}

// truth is the values of a boolean fact: what is not true is no fact.
func truth(is bool) []string {
	if is {
		return []string{"true"}
	}
	return nil
}

// holdsDN says whether one of the values is the DN, by the rules of names and not of text.
func holdsDN(values []string, dn string) (bool, error) {
	wanted, err := ldap.ParseDN(dn)
	if err != nil {
		return false, errors.New("the group is no DN")
	}
	is := false
	for _, v := range values {
		if v == dn {
			is = true
			continue
		}
		name, err := ldap.ParseDN(v)
		if err != nil {
			return false, errors.New("a group that is no DN")
		}
		is = is || wanted.EqualFold(name)
	}
	return is, nil
}
