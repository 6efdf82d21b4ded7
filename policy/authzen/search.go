package authzen

import (
	"net/http"
	"slices"

	"sceau/attrs"
	"sceau/audit"
	"sceau/policy/cedar"
)

// search answers which subjects, resources or actions make the question one that is permitted: each that is known is
// decided, so that what is found is what evaluation permits. One record is kept of the search.
func search(operation string) func(*call, tuple) (any, *failure) {
	return func(c *call, t tuple) (any, *failure) {
		event := c.event(operation)
		q, f := t.question(operation)
		if f != nil {
			return nil, c.fail(event, "read", f)
		}
		c.describe(event, q)
		q.At = c.at
		if operation == searchResource && !c.client.mayAny(q.Resource.Type) || operation != searchResource && !c.client.may(&q.Resource) {
			return nil, c.fail(event, "admit", &failure{status: http.StatusForbidden, text: "the resource is not the client's"})
		}
		found, policies, err := c.find(operation, q)
		if err == nil && operation == searchResource && q.Resource.Type == cedar.Attribute && q.Action == cedar.ReleaseAttribute {
			err = c.values(q, found, event)
		}
		if err != nil {
			return nil, c.fail(event, "decide", failed(err))
		}
		event.Outcome, event.Policies = audit.Success, policies
		if len(found) == 0 {
			event.Outcome, event.Stage = audit.Refused, "decide"
		}
		if f := c.record(event); f != nil {
			return nil, f
		}
		return map[string]any{"results": found}, nil
	}
}

func (c *call) fail(event *audit.Event, stage string, f *failure) *failure {
	if unrecorded := c.record(fault(event, stage, f)); unrecorded != nil {
		return unrecorded
	}
	return f
}

// find decides every candidate. It gives the policies that permitted, each once.
func (c *call) find(operation string, q *cedar.Question) (found []map[string]any, policies string, err error) {
	found = []map[string]any{}
	var named []string
	for _, candidate := range c.candidates(operation, q) {
		one := *q
		var result map[string]any
		switch operation {
		case searchSubject:
			one.Subject.ID = candidate
			result = map[string]any{"type": q.Subject.Type, "id": candidate}
		case searchResource:
			one.Resource.ID = candidate
			result = map[string]any{"type": q.Resource.Type, "id": candidate}
		case searchAction:
			one.Action = candidate
			result = map[string]any{"name": candidate}
		}
		if !c.client.may(&one.Resource) {
			continue
		}
		if err := c.ctx.Err(); err != nil {
			return nil, "", err
		}
		answer, err := c.Policies.Decide(c.ctx, &one)
		if err != nil {
			if operation == searchAction && isInvalid(err) {
				continue // an action whose context the question does not have
			}
			return nil, "", err
		}
		if !answer.Permitted() {
			continue
		}
		found = append(found, result)
		if rule := answer.Rule(); !slices.Contains(named, rule) {
			named = append(named, rule)
			if policies != "" {
				policies += " "
			}
			policies += rule
		}
	}
	return found, policies, nil
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
