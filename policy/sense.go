package policy

// sense notes what makes a rule meaningless: what its effect does not go with, and
// certificates that cannot be.
func (l *loader) sense(r *rule, m *mapping, what string) {
	line := func(key string) int {
		if n := m.values[key]; n != nil {
			return n.Line
		}
		return m.line
	}
	switch {
	case r.deny:
	case !r.identity.restricts():
		// Zero values refuse: whoever means everybody lists the kinds.
		l.wrong(line("identity"), "%s: a permit rule must say something of the identity", what)
	case len(r.profiles) == 0:
		l.wrong(line("profiles"), "%s: a permit rule must grant profiles", what)
	case len(r.listed) > 0:
		l.wrong(line("attributes"), "%s: a permit rule grants profiles, which have a maximum validity, and lists no attributes", what)
	}
	identity := l.bearers(&r.identity, line("identity"), what+": identity")
	holder := l.bearers(&r.holder, line("holder"), what+": holder")
	if identity == 0 || holder == 0 {
		return
	}
	possible := possibleModes(identity, holder)
	switch {
	case r.modes != 0 && r.modes&possible == 0:
		l.wrong(line("modes"), "%s: it can never match: in these modes there are no such certificates", what)
	case possible == 0:
		l.wrong(m.line, "%s: it can never match: no mode has these certificates", what)
	case !r.deny && r.modes == fallback && !l.anyInFallback(r.profiles):
		l.wrong(line("modes"), "%s: it can never permit: none of its profiles has a fallback-maximum-validity", what)
	}
}

// bearers gives the kinds of certificate that can satisfy a match; if there is none that is
// noted and 0 given.
func (l *loader) bearers(m *match, line int, what string) kinds {
	const all kinds = 1<<kindCount - 1
	kinds := m.kinds
	if kinds == 0 {
		kinds = all
	}
	if !m.restricts() {
		return kinds
	}
	if m.types == nil && m.identifiers == nil && m.prefixes == nil {
		return kinds
	}
	var possible = kinds &^ all // none
	consider := func(kind string) {
		if m.types == nil || m.types[kind] {
			possible |= kindsOf(kind)
		}
	}
	if m.identifiers == nil && m.prefixes == nil {
		for kind := range m.types {
			consider(kind)
		}
	}
	for id := range m.identifiers {
		consider(id.kind)
	}
	for _, id := range m.prefixes {
		consider(id.kind)
	}
	if possible&kinds == 0 {
		l.wrong(line, "%s: it can never match: no certificate of these kinds has such an identifier", what)
	}
	return possible & kinds
}

// possibleModes gives the modes in which requests can have such certificates (wire document 6.3).
func possibleModes(identity, holder kinds) modes {
	const eid kinds = 1
	var possible modes
	if identity&eid != 0 {
		possible |= 1 << 0
		if holder&eid != 0 {
			possible |= 1 << 1
		}
	}
	if identity&^eid != 0 {
		possible |= fallback
	}
	return possible
}

func (l *loader) anyInFallback(profiles []int32) bool {
	for _, n := range profiles {
		if l.rules.profiles[n].fallbackMaximum > 0 {
			return true
		}
	}
	return false
}
