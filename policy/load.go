package policy

import (
	"cmp"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"

	"sceau/attrs"
)

// Load reads a rule file. An empty file gives rules that deny everything. The error is an *Error: with Reason
// InvalidRules it holds everything that is wrong, in the order of lines.
func Load(file io.Reader, catalogue *attrs.Catalogue) (*Rules, error) {
	content, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err != nil {
		return nil, &Error{Reason: Unreadable, Err: err}
	}
	l := loader{
		reader:    reader{keys: map[string][]Key{}},
		catalogue: catalogue,
		profiles:  map[string]int32{},
		ids:       map[string]int{},
		rules:     &Rules{},
	}
	for _, in := range []string{inFile, inProfile, inAttribute, inRule, inMatch, inExchange} {
		l.keys[in] = keysOf(in)
	}
	switch {
	case catalogue == nil:
		l.wrong(0, "no catalogue of attributes")
	case len(content) > maxFileBytes:
		l.wrong(0, "the file is larger than %d bytes", maxFileBytes)
	default:
		if root := l.document(content); root != nil {
			l.file(root)
		}
	}
	if len(l.problems) > 0 {
		slices.SortStableFunc(l.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
		return nil, &Error{Reason: InvalidRules, Problems: l.problems}
	}
	l.rules.compile()
	return l.rules, nil
}

// A loader turns the tree of a rule file into Rules.
type loader struct {
	reader
	catalogue *attrs.Catalogue
	profiles  map[string]int32 // by name
	ids       map[string]int   // of rules: their lines
	rules     *Rules
}

func (l *loader) file(root *yaml.Node) {
	m, ok := l.mapping(root, inFile, "the file")
	if !ok {
		return
	}
	if n := m.values["version"]; n != nil && (n.Kind != yaml.ScalarNode || n.Tag != "!!int" || n.Value != "1") {
		l.wrong(n.Line, "version: this program reads version 1")
	}
	if n := m.values["profiles"]; n != nil {
		l.pairs(n, "profiles", func(name string, key, value *yaml.Node) { l.profile(name, key.Line, value) })
	}
	if n := m.values["rules"]; n != nil {
		l.list(n, "rules", l.rule)
	}
	if n := m.values["exchange"]; n != nil {
		l.list(n, "exchange", l.exchange)
	}
}

// name checks the name of a profile or rule, which goes into the audit trail and into tables.
func (l *loader) name(name string, line int, what string) {
	ok := len(name) <= 64
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		ok = ok && (letter || i > 0 && (c == '-' || c == '_' || c == '.'))
	}
	if !ok {
		l.wrong(line, "%s: a name is of up to 64 letters, digits, and inside it - _ .", what)
	}
}

func (l *loader) profile(name string, line int, n *yaml.Node) {
	what := "profile " + quote(name)
	l.name(name, line, what)
	p := profile{name: name, line: line}
	// Rules may name it even if it is wrong in itself.
	l.profiles[name] = int32(len(l.rules.profiles))
	defer func() { l.rules.profiles = append(l.rules.profiles, p) }()
	m, ok := l.mapping(n, inProfile, what)
	if !ok {
		return
	}
	if n := m.values["description"]; n != nil {
		p.description, _ = l.text(n, what+": description")
	}
	if n := m.values["maximum-validity"]; n != nil {
		p.maximum = l.duration(n, what+": maximum-validity")
	}
	if n := m.values["fallback-maximum-validity"]; n != nil {
		p.fallbackMaximum = l.duration(n, what+": fallback-maximum-validity")
		if p.maximum > 0 && p.fallbackMaximum > p.maximum {
			// Fallback is the exception, with shorter validity (wire document 6.3).
			l.wrong(n.Line, "%s: fallback-maximum-validity is longer than maximum-validity", what)
		}
	}
	if n := m.values["attributes"]; n != nil {
		p.attributes = l.attributes(n, what+": attributes")
	}
}

// attributes reads a list of designators, each of another attribute.
func (l *loader) attributes(n *yaml.Node, what string) []*attrs.Definition {
	var all []*attrs.Definition
	l.list(n, what, func(item *yaml.Node) {
		m, ok := l.mapping(item, inAttribute, what)
		if !ok || m.values["name"] == nil || m.values["namespace"] == nil {
			return
		}
		name, ok := l.text(m.values["name"], what+": name")
		namespace, ok2 := l.text(m.values["namespace"], what+": namespace")
		if !ok || !ok2 {
			return
		}
		switch namespace {
		case "identification":
			namespace = attrs.NamespaceIdentification
		case "certified":
			namespace = attrs.NamespaceCertified
		}
		d, ok := l.catalogue.Find(attrs.Designator{Name: name, Namespace: namespace})
		switch {
		case !ok:
			l.wrong(item.Line, "%s: the catalogue has no %s in %s", what, quote(name), quote(namespace))
		case slices.Contains(all, d):
			l.wrong(item.Line, "%s: %s stands there twice, perhaps under an alias", what, quote(d.Name))
		default:
			if name != d.Name {
				l.warn(item.Line, "%s: %s is an alias of %s", what, quote(name), quote(d.Name))
			}
			all = append(all, d)
		}
	})
	return all
}

func (l *loader) warn(line int, format string, args ...any) {
	l.rules.warn(line, format, args...)
}

func (l *loader) rule(n *yaml.Node) {
	m, ok := l.mapping(n, inRule, "rule")
	if !ok {
		return
	}
	r, before := rule{line: m.line}, len(l.problems)
	what := "rule"
	if n := m.values["id"]; n != nil {
		if r.id, ok = l.text(n, "rule: id"); ok {
			what = "rule " + quote(r.id)
			l.name(r.id, n.Line, what)
			if first, twice := l.ids[r.id]; twice {
				l.wrong(n.Line, "%s: another rule has this id, in line %d", what, first)
			} else {
				l.ids[r.id] = n.Line
			}
		}
	}
	if n := m.values["description"]; n != nil {
		r.description, _ = l.text(n, what+": description")
	}
	if n := m.values["effect"]; n != nil {
		if text, ok := l.text(n, what+": effect"); ok {
			r.deny = l.word(text, n.Line, what+": effect", "permit", "deny") == 1
		}
	}
	if n := m.values["on-denied"]; n != nil {
		if text, ok := l.text(n, what+": on-denied"); ok && l.word(text, n.Line, what+": on-denied", "refuse", "omit") == 1 {
			r.onDenied = Omit
		}
	}
	if n := m.values["modes"]; n != nil {
		l.texts(n, what+": modes", func(text string, line int) {
			if at := l.word(text, line, what+": modes", modeNames[:]...); at >= 0 {
				r.modes |= 1 << at
			}
		})
	}
	if n := m.values["identity"]; n != nil {
		r.identity = l.match(n, what+": identity")
	}
	if n := m.values["holder"]; n != nil {
		r.holder = l.match(n, what+": holder")
	}
	if n := m.values["profiles"]; n != nil {
		l.texts(n, what+": profiles", func(name string, line int) {
			if at, ok := l.profiles[name]; ok {
				r.profiles = append(r.profiles, at)
			} else {
				l.wrong(line, "%s: there is no profile %s", what, quote(name))
			}
		})
	}
	if n := m.values["attributes"]; n != nil {
		r.listed = l.attributes(n, what+": attributes")
	}
	if len(l.problems) == before { // what is wrong already would only be told twice
		l.sense(&r, &m, what)
	}
	l.rules.rules = append(l.rules.rules, r)
}

// match reads what a rule asks of a certificate.
func (l *loader) match(n *yaml.Node, what string) match {
	var r match
	m, ok := l.mapping(n, inMatch, what)
	if !ok {
		return r
	}
	if len(n.Content) == 0 {
		l.wrong(n.Line, "%s: it asks nothing; leave the key out if nothing is meant", what)
	}
	if n := m.values["kinds"]; n != nil {
		l.texts(n, what+": kinds", func(text string, line int) {
			if at := l.word(text, line, what+": kinds", kindNames[:]...); at >= 0 {
				r.kinds |= 1 << at
			}
		})
	}
	if n := m.values["identifier-types"]; n != nil {
		r.types = map[string]bool{}
		l.texts(n, what+": identifier-types", func(text string, line int) {
			if identifierLength(text) == 0 {
				l.wrong(line, "%s: no identifier has the type %s", what, quote(text))
			}
			r.types[text] = true
		})
	}
	if n := m.values["identifiers"]; n != nil {
		r.identifiers = map[identifier]bool{}
		l.texts(n, what+": identifiers", func(text string, line int) {
			id, wrong := parseIdentifier(text, false)
			if wrong != "" {
				l.wrong(line, "%s: identifiers: %s", what, wrong)
			}
			r.identifiers[id] = true
		})
	}
	if n := m.values["identifier-prefixes"]; n != nil {
		l.texts(n, what+": identifier-prefixes", func(text string, line int) {
			id, wrong := parseIdentifier(text, true)
			if wrong != "" {
				l.wrong(line, "%s: identifier-prefixes: %s", what, wrong)
			}
			r.prefixes = append(r.prefixes, id)
		})
	}
	return r
}
