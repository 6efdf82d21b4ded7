package ldapsource

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"sceau/attrs"
)

// A lookup is what is asked about one subject.
type lookup struct {
	subject    attrs.Subject
	numbers    []string
	filter     *filter
	mappings   []*Mapping
	attributes []string // of LDAP, that are read
	entry      *entry   // what was found, nil for nobody
}

// Resolve implements attrs.Source: one search for each subject of the query, and one for each group that is asked itself, all
// of them at one server.
func (s *Source) Resolve(ctx context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error) {
	if err := ctx.Err(); err != nil {
		return dst, attrs.Unavailable(ctx, s.config.ID, err)
	}
	lookups, err := s.plan(q)
	if err != nil {
		return dst, err
	}
	if len(lookups) == 0 {
		return dst, nil
	}
	if err := s.ask(ctx, func(ctx context.Context, c *connection) error { return s.lookUp(ctx, c, lookups) }); err != nil {
		return dst, s.refused(ctx, nil, err)
	}
	before, now := len(dst), s.config.Now()
	for _, d := range q.Definitions {
		m := s.mappings[d]
		at := slices.IndexFunc(lookups, func(l *lookup) bool { return slices.Contains(l.mappings, m) })
		c, err := m.certify(lookups[at].entry, q.At)
		if err != nil {
			return dst[:before], &attrs.Error{Reason: attrs.BadAnswer, Source: s.config.ID, Attribute: d.Name, Err: err}
		}
		if end := now.Add(s.config.TTL); c.NotOnOrAfter.IsZero() || end.Before(c.NotOnOrAfter) {
			c.NotOnOrAfter = end
		}
		c.Source, c.RetrievedAt = s.config.ID, now
		dst = append(dst, c)
	}
	return dst, nil
}

func (m *Mapping) certify(e *entry, at time.Time) (attrs.Certified, error) {
	facts, err := m.facts(e)
	if err != nil {
		return attrs.Certified{}, err
	}
	return attrs.Certify(m.Definition, facts, at)
}

// plan gives what is to be asked about each subject of the query.
func (s *Source) plan(q *attrs.Query) (lookups []*lookup, err error) {
	for _, d := range q.Definitions {
		m := s.mappings[d]
		if m == nil {
			return nil, &attrs.Error{Reason: attrs.NoSource, Source: s.config.ID, Attribute: d.Name}
		}
		subject, err := q.Subject(d)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(lookups, func(l *lookup) bool { return l.subject == subject })
		if at < 0 {
			values, err := numbers(subject)
			if err != nil {
				return nil, &attrs.Error{Reason: attrs.InvalidQuery, Source: s.config.ID, Attribute: d.Name, Err: err}
			}
			l := &lookup{subject: subject, numbers: values, filter: s.filters[subject.Type]}
			for _, p := range l.filter.places {
				l.want(p.attribute)
			}
			at, lookups = len(lookups), append(lookups, l)
		}
		l := lookups[at]
		if !slices.Contains(l.mappings, m) {
			l.mappings = append(l.mappings, m)
			for _, a := range m.wanted() {
				l.want(a)
			}
		}
	}
	return lookups, nil
}

// want adds an LDAP attribute to those that are read. Their names do not depend on case (RFC 4512 section 2.5).
func (l *lookup) want(attribute string) {
	if !slices.ContainsFunc(l.attributes, func(a string) bool { return strings.EqualFold(a, attribute) }) {
		l.attributes = append(l.attributes, attribute)
	}
}

// lookUp finds the entries of all lookups with one connection.
func (s *Source) lookUp(ctx context.Context, c *connection, lookups []*lookup) error {
	for _, l := range lookups {
		found, err := c.search(ctx, search{base: s.config.BaseDN, scope: s.config.Scope, filter: l.filter.render(l.numbers), attributes: l.attributes})
		l.entry = nil
		if err != nil {
			return err
		}
		if found == nil {
			continue
		}
		if l.entry, err = readEntry(found, l.attributes); err == nil {
			err = l.entry.about(l.filter, l.numbers)
		}
		if err != nil {
			return &failure{server: c.server.address.text, doing: "searching", err: err, bad: true, final: true}
		}
		if err := l.askGroups(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// askGroups asks the groups that know their members whether the entry is one. A group that is not there, or may not be seen, is
// an error and no denial.
func (l *lookup) askGroups(ctx context.Context, c *connection) error {
	for _, m := range l.mappings {
		if m.Member == "" {
			continue
		}
		found, err := c.search(ctx, search{base: m.Group, scope: BaseObject, attributes: []string{"1.1"},
			filter: "(" + m.Member + "=" + ldap.EscapeFilter(l.entry.dn) + ")"})
		if err != nil {
			return err
		}
		if l.entry.member == nil {
			l.entry.member = make(map[*Mapping]bool)
		}
		l.entry.member[m] = found != nil
	}
	return nil
}

// A search is one search that must find one entry or none.
type search struct {
	base       string
	scope      Scope
	filter     string
	attributes []string
}

// search gives the one entry, or nil if there is none. The time limit tells the server when nobody will wait any more.
func (c *connection) search(ctx context.Context, q search) (found *ldap.Entry, err error) {
	seconds := 1
	if end, ok := ctx.Deadline(); ok {
		seconds = max(1, int((time.Until(end)+time.Second-1)/time.Second))
	}
	request := ldap.NewSearchRequest(q.base, scopeNumbers[q.scope], ldap.NeverDerefAliases, 2, seconds, false, q.filter, q.attributes, nil)
	request.EnforceSizeLimit = true
	err = c.do(ctx, "searching", func() error {
		result, err := c.ldap.Search(request)
		bad := func(why error) error {
			return &failure{server: c.server.address.text, doing: "searching", err: why, bad: true, final: true}
		}
		switch {
		case err != nil && result != nil && len(result.Entries) > 1:
			return bad(ErrSeveral)
		case err != nil:
			return err
		case len(result.Referrals) > 0: // the entry, or another one, may be there
			return bad(errReferral)
		case len(result.Entries) > 1:
			return bad(ErrSeveral)
		case len(result.Entries) == 1:
			found = result.Entries[0]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

var scopeNumbers = [...]int{BaseObject: ldap.ScopeBaseObject, SingleLevel: ldap.ScopeSingleLevel, WholeSubtree: ldap.ScopeWholeSubtree}

var _ attrs.Source = (*Source)(nil)
