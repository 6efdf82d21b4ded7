package authzen

import (
	"net/http"
	"slices"
	"strings"

	"sceau/attrs"
	"sceau/audit"
	"sceau/policy/cedar"
)

// search answers which subjects, resources or actions make the question one that is permitted: each that is known is
// decided, so that what is found is what evaluation permits. One record is kept of each page.
func search(operation string) func(*call, tuple) (any, *failure) {
	return func(c *call, t tuple) (any, *failure) {
		event := c.event(operation)
		q, f := t.question(operation)
		if f != nil {
			return nil, c.fail(event, "read", f)
		}
		c.describe(event, q)
		p, f := c.page(operation, t)
		if f != nil {
			return nil, c.fail(event, "read", f)
		}
		q.At = c.at
		if operation == searchResource && !c.client.mayAny(q.Resource.Type) || operation != searchResource && !c.client.may(&q.Resource) {
			return nil, c.fail(event, "admit", &failure{status: http.StatusForbidden, text: "the resource is not the client's"})
		}
		found, err := c.find(operation, q, p)
		if err == nil && operation == searchResource && q.Resource.Type == cedar.Attribute && q.Action == cedar.ReleaseAttribute {
			err = c.values(q, found.results, event)
		}
		if err != nil {
			return nil, c.fail(event, "decide", failed(err))
		}
		event.Outcome, event.Policies = audit.Success, strings.Join(found.rules, " ")
		if len(found.rules) == 0 { // nothing was permitted
			event.Outcome, event.Stage = audit.Refused, "decide"
		}
		if f := c.record(event); f != nil {
			return nil, f
		}
		return searchAnswer{c.pageAnswer(p, found), found.results}, nil
	}
}

// A searchAnswer is a Search API Response.
type searchAnswer struct {
	Page    *pageAnswer      `json:"page,omitempty"` // first, as the specification recommends
	Results []map[string]any `json:"results"`
}

func (c *call) fail(event *audit.Event, stage string, f *failure) *failure {
	if unrecorded := c.record(fault(event, stage, f)); unrecorded != nil {
		return unrecorded
	}
	return f
}

// A finding is what one page has.
type finding struct {
	results []map[string]any
	rules   []string // the policies that permitted, each once
	next    int      // the candidate that the next page begins with
	more    bool     // there may be one
}

// find decides the client's candidates from where the page begins until the page is full and the next result is known, and no more of
// them than one page may cost. The first page goes on to the end, and counts, where all of them cost no more than that.
func (c *call) find(operation string, q *cedar.Question, p *page) (*finding, error) {
	found := &finding{results: []map[string]any{}}
	candidates := c.candidates(operation, q)
	count := p.first && c.fewer(operation, q, candidates)
	permitted, decided := 0, 0
	for at := p.position; at < len(candidates); at++ {
		one, result := candidate(operation, q, candidates[at])
		if !c.client.may(&one.Resource) {
			continue
		}
		if decided++; decided > maxDecided {
			found.goesOn(at)
			break
		}
		if err := c.ctx.Err(); err != nil {
			return nil, err
		}
		answer, err := c.Policies.Decide(c.ctx, one)
		if err != nil {
			if operation == searchAction && isInvalid(err) {
				continue // an action whose context the question does not have
			}
			return nil, err
		}
		if !answer.Permitted() {
			continue
		}
		permitted++
		if rule := answer.Rule(); !slices.Contains(found.rules, rule) {
			found.rules = append(found.rules, rule)
		}
		if len(found.results) < p.limit {
			found.results = append(found.results, result)
			continue
		}
		found.goesOn(at)
		if !count {
			break
		}
	}
	if count {
		p.total = permitted
	}
	return found, nil
}

// goesOn notes where the next page begins: with the first that is not on this one.
func (f *finding) goesOn(at int) {
	if !f.more {
		f.next, f.more = at, true
	}
}

// fewer says whether a client has so few candidates that all of them can be decided for one page. Those of others do not count: a total
// that is not told would tell of them.
func (c *call) fewer(operation string, q *cedar.Question, candidates []string) bool {
	own := 0
	for _, name := range candidates {
		if operation != searchResource || c.client.may(&cedar.Entity{Type: q.Resource.Type, ID: name}) {
			own++
		}
	}
	return own <= maxDecided
}

// candidate is the question about one that may be found, and how it is told.
func candidate(operation string, q *cedar.Question, name string) (*cedar.Question, map[string]any) {
	one := *q
	switch operation {
	case searchSubject:
		one.Subject.ID = name
		return &one, map[string]any{"type": q.Subject.Type, "id": name}
	case searchResource:
		one.Resource.ID = name
		return &one, map[string]any{"type": q.Resource.Type, "id": name}
	}
	one.Action = name
	return &one, map[string]any{"name": name}
}

func isInvalid(err error) bool { return failed(err).status == http.StatusBadRequest }

func (c *call) candidates(operation string, q *cedar.Question) []string {
	switch operation {
	case searchSubject:
		return c.Policies.Entities(q.Subject.Type)
	case searchResource:
		return c.Policies.Entities(q.Resource.Type)
	}
	return c.Policies.Actions(q.Subject.Type, q.Resource.Type)
}

// values adds to the attributes that may be released what the sources say of the subject, asked once for all.
func (c *call) values(q *cedar.Question, found []map[string]any, event *audit.Event) error {
	var wanted []*attrs.Definition
	at := map[*attrs.Definition]int{}
	for i, result := range found {
		if d, ok := c.Policies.Attribute(result["id"].(string)); ok {
			wanted, at[d] = append(wanted, d), i
		}
	}
	values, err := c.Policies.Values(c.ctx, q.Subject, wanted, c.at)
	for i := range values {
		found[at[values[i].Definition]]["properties"] = described(&values[i])
		event.Attributes = append(event.Attributes, released(&values[i]))
	}
	return err
}
