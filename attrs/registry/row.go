package registry

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sceau/attrs"
	"sceau/attrs/internal/rfc3339"
)

// The columns of CSV and keys of JSON.
const (
	columnSubjectType  = "subject_type"
	columnSubject      = "subject"
	columnAttribute    = "attribute"
	columnNamespace    = "namespace"
	columnValue        = "value"
	columnNotBefore    = "not_before"
	columnNotOnOrAfter = "not_on_or_after"
)

// columns in the order in which Export writes them.
var columns = [...]string{columnSubjectType, columnSubject, columnAttribute, columnNamespace, columnValue, columnNotBefore,
	columnNotOnOrAfter}

// cells is one row as it was read, by the place of its column in columns.
type cells [len(columns)]string

// A row is one checked fact.
type row struct {
	line                    int
	subject                 attrs.Subject
	definition              *attrs.Definition
	value                   string
	notBefore, notOnOrAfter int64 // as in the file
}

// A collector checks rows and keeps them and what is wrong with them.
type collector struct {
	catalogue *attrs.Catalogue
	types     map[attrs.SubjectType]bool
	line      int // last line looked at
	read      int // rows seen
	rows      []row
	problems  []Problem
	omitted   int
}

func newCollector(c *attrs.Catalogue) *collector {
	types := make(map[attrs.SubjectType]bool)
	for d := range c.All() {
		if d.Certified() && !d.Computed {
			for _, t := range d.SubjectTypes() {
				types[t] = true
			}
		}
	}
	return &collector{catalogue: c, types: types}
}

func (c *collector) problem(p Problem) {
	if len(c.problems) < MaxProblems {
		c.problems = append(c.problems, p)
	} else {
		c.omitted++
	}
}

// add checks one row by itself and keeps it if nothing is wrong with it. It says false when no more can be taken.
func (c *collector) add(line int, in *cells) bool {
	c.line = line
	if c.read == MaxImportRows {
		c.problem(Problem{Line: line, Rule: RuleTooMuch, Detail: fmt.Sprintf("more than %d rows", MaxImportRows)})
		return false
	}
	c.read++
	sound := true
	wrong := func(column string, rule Rule, detail string) {
		c.problem(Problem{line, column, rule, detail})
		sound = false
	}
	w := row{line: line, subject: attrs.Subject{Type: attrs.SubjectType(in[0]), Value: in[1]}, value: in[4]}
	known := c.types[w.subject.Type]
	switch {
	case !known:
		wrong(columnSubjectType, RuleSubjectType, "")
	case !w.subject.Valid():
		wrong(columnSubject, RuleSubject, "length or check digits of "+string(w.subject.Type))
	}
	namespace := in[3]
	if namespace == "" {
		namespace = attrs.NamespaceCertified
	}
	d, ok := c.catalogue.Find(attrs.Designator{Name: in[2], Namespace: namespace})
	switch {
	case !ok:
		wrong(columnAttribute, RuleAttribute, "")
	case !d.Certified(), d.Computed:
		wrong(columnAttribute, RuleNotCertified, d.Name)
	default:
		if known && !slices.Contains(d.SubjectTypes(), w.subject.Type) {
			wrong(columnSubjectType, RuleNotOf, d.Name)
		}
		if !d.Kind.Valid(w.value) {
			wrong(columnValue, RuleValue, d.Kind.String())
		}
	}
	w.definition = d
	var problem string
	if w.notBefore, problem = parseTime(in[5], sinceEver); problem != "" {
		wrong(columnNotBefore, RuleTime, problem)
	}
	if w.notOnOrAfter, problem = parseTime(in[6], forEver); problem != "" {
		wrong(columnNotOnOrAfter, RuleTime, problem)
	}
	if sound && w.notBefore >= w.notOnOrAfter {
		wrong(columnNotOnOrAfter, RuleEmptyInterval, "")
	}
	if sound {
		// Cloned: what was read may be a part of the whole line, which would be kept with it.
		w.subject.Type = d.SubjectTypes()[slices.Index(d.SubjectTypes(), w.subject.Type)]
		w.subject.Value = strings.Clone(w.subject.Value)
		switch w.value {
		case "true":
			w.value = "true"
		case "false":
			w.value = "false"
		default:
			w.value = strings.Clone(w.value)
		}
		c.rows = append(c.rows, w)
	}
	return true
}

// parseTime reads a time of RFC 3339, or empty for the bound.
func parseTime(s string, bound int64) (micros int64, problem string) {
	if s == "" {
		return bound, ""
	}
	t, err := rfc3339.Parse(s)
	switch {
	case err != nil:
		return 0, "RFC 3339 with zone, such as 2026-11-21T20:00:00Z"
	case t.Nanosecond()%1000 != 0:
		return 0, "finer than a microsecond"
	case !inRange(t.UTC()):
		return 0, "out of the years 1 to 9999"
	}
	return t.UnixMicro(), ""
}

// overlaps finds facts about one attribute of one subject that hold at the same time.
func (c *collector) overlaps() {
	order := make([]int32, len(c.rows))
	for i := range order {
		order[i] = int32(i)
	}
	about := func(a, b *row) int { // what may not overlap
		n := cmp.Or(
			strings.Compare(string(a.subject.Type), string(b.subject.Type)),
			strings.Compare(a.subject.Value, b.subject.Value),
			strings.Compare(a.definition.Name, b.definition.Name))
		if n == 0 && a.definition.Multiple {
			n = strings.Compare(a.value, b.value)
		}
		return n
	}
	slices.SortFunc(order, func(i, j int32) int {
		a, b := &c.rows[i], &c.rows[j]
		return cmp.Or(about(a, b), cmp.Compare(a.notBefore, b.notBefore), cmp.Compare(a.line, b.line))
	})
	var last *row // of those about the same, the one that ends last
	for _, i := range order {
		w := &c.rows[i]
		if last == nil || about(last, w) != 0 {
			last = w
			continue
		}
		if w.notBefore < last.notOnOrAfter {
			first, second := min(last.line, w.line), max(last.line, w.line)
			p := Problem{Line: second, Rule: RuleOverlap, Detail: fmt.Sprintf("line %d, about the same subject and attribute", first)}
			if w.value == last.value && w.notBefore == last.notBefore && w.notOnOrAfter == last.notOnOrAfter {
				p.Rule, p.Detail = RuleDuplicate, fmt.Sprintf("line %d", first)
			}
			c.problem(p)
		}
		if w.notOnOrAfter > last.notOnOrAfter {
			last = w
		}
	}
}
