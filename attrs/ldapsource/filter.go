package ldapsource

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"sceau/attrs"
)

// maxSubjectBytes bounds one number of a subject; the longest that is one has eleven digits.
const maxSubjectBytes = 256

// A filter is a template that was read: text around the places where numbers of a subject stand. It is immutable.
type filter struct {
	text   []string // one more than the places
	places []place
}

// A place is where a number of the subject stands: the whole value of an equality match.
type place struct {
	part      int    // which number of the subject
	attribute string // that it must equal
}

// mark stands for the number of a part while a template is read. No template can hold it: it is not valid UTF-8 and
// CompileFilter would refuse it if it were not escaped.
func mark(part int) string { return `\ff\fe\` + fmt.Sprintf("%02x", part) }

func marked(part int) string { return "\xff\xfe" + string(rune(part)) }

// parseFilter reads the template of a filter for subjects of the type. Each number of the subject must stand exactly once,
// as the whole value of an equality match, and so that every entry that the filter matches has that value: below "and"
// alone. In "or" or "not" a filter would select entries of others too.
func parseFilter(t attrs.SubjectType, template string) (*filter, error) {
	parts := strings.Split(string(t), "/")
	f := &filter{}
	probe, rest := "", template
	for {
		open := strings.IndexByte(rest, '{')
		if open < 0 {
			break
		}
		name, after, closed := strings.Cut(rest[open+1:], "}")
		part := slices.Index(parts, name)
		if !closed || part < 0 {
			return nil, fmt.Errorf("filter for %s: a placeholder that is none of %s", t, strings.Join(parts, ", "))
		}
		f.text = append(f.text, rest[:open])
		f.places = append(f.places, place{part: part})
		probe += rest[:open] + mark(part)
		rest = after
	}
	f.text = append(f.text, rest)
	if strings.ContainsRune(rest, '}') {
		return nil, fmt.Errorf("filter for %s: a placeholder that was not opened", t)
	}
	found := make([]string, len(parts))
	if err := matched(probe+rest, found); err != nil {
		return nil, fmt.Errorf("filter for %s: %w", t, err)
	}
	for part, attribute := range found {
		switch {
		case attribute == "":
			return nil, fmt.Errorf("filter for %s: {%s} must be the whole value of an equality match that holds of every entry found", t, parts[part])
		case !validDescription(attribute):
			return nil, fmt.Errorf("filter for %s: {%s} stands beside what is no attribute", t, parts[part])
		}
	}
	if len(f.places) != len(parts) {
		return nil, fmt.Errorf("filter for %s: each number of the subject stands once", t)
	}
	for i := range f.places {
		f.places[i].attribute = found[f.places[i].part]
	}
	return f, nil
}

// matched compiles the probe and finds, for each part, the attribute of which its mark is the whole value.
func matched(probe string, found []string) error {
	packet, err := ldap.CompileFilter(probe)
	if err != nil {
		return err // it quotes the template, which is the operator's own
	}
	and := packet.Children[:0:0]
	and = append(and, packet)
	for len(and) > 0 {
		p := and[0]
		and = and[1:]
		switch {
		case p.Tag == ldap.FilterAnd:
			and = append(and, p.Children...)
		case p.Tag == ldap.FilterEqualityMatch && len(p.Children) == 2:
			attribute, _ := p.Children[0].Value.(string)
			value, _ := p.Children[1].Value.(string)
			for part := range found {
				if value != marked(part) {
					continue
				}
				if found[part] != "" {
					return errors.New("a number stands twice")
				}
				found[part] = attribute
			}
		}
	}
	return nil
}

// render puts the numbers of the subject into their places, escaped (H6).
func (f *filter) render(numbers []string) string {
	var b strings.Builder
	for i, p := range f.places {
		b.WriteString(f.text[i])
		b.WriteString(ldap.EscapeFilter(numbers[p.part]))
	}
	b.WriteString(f.text[len(f.places)])
	return b.String()
}

// numbers gives the numbers of a subject, one for each part of its type.
func numbers(s attrs.Subject) ([]string, error) {
	parts := strings.Count(string(s.Type), "/") + 1
	values := strings.SplitN(s.Value, "/", parts)
	if len(values) != parts {
		return nil, errors.New("the subject is not one of its type")
	}
	for _, v := range values {
		if v == "" || len(v) > maxSubjectBytes {
			return nil, errors.New("the subject is not one of its type")
		}
	}
	return values, nil
}

// validDescription admits names and numbers of attributes without options (RFC 4512 section 1.4, descr and numericoid).
func validDescription(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	letter := func(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	named := letter(s[0])
	if !named && !digit(s[0]) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(digit(c) || named && (letter(c) || c == '-') || !named && c == '.') {
			return false
		}
	}
	return true
}
