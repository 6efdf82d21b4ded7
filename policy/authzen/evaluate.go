package authzen

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"sceau/attrs"
	"sceau/audit"
	"sceau/policy"
	"sceau/policy/cedar"
)

// A decision is an Access Evaluation Response.
type decision struct {
	Decision bool           `json:"decision"`
	Context  map[string]any `json:"context,omitempty"`
}

// evaluation answers one question.
func evaluation(c *call, t tuple) (any, *failure) {
	d, event, f := c.decide(t)
	if f := c.record(event); f != nil {
		return nil, f
	}
	if f != nil {
		return nil, f
	}
	return d, nil
}

// semantic is options.evaluations_semantic.
func semantic(t tuple) (string, *failure) {
	options, f := t.object("options", false)
	if f != nil {
		return "", f
	}
	value, given := options["evaluations_semantic"]
	if !given {
		return "execute_all", nil
	}
	switch value {
	case "execute_all", "deny_on_first_deny", "permit_on_first_permit":
		return value.(string), nil
	}
	return "", bad("options.evaluations_semantic is none of execute_all, deny_on_first_deny, permit_on_first_permit")
}

// evaluations answers several, in their order, and stops where the semantic says so. Without any it is evaluation.
func evaluations(c *call, t tuple) (any, *failure) {
	value, given := t["evaluations"]
	list, ok := value.([]any)
	switch {
	case given && !ok:
		return nil, bad("evaluations is not a list")
	case len(list) == 0:
		return evaluation(c, t)
	case len(list) > maxEvaluations:
		return nil, bad("more than %d evaluations", maxEvaluations)
	}
	how, f := semantic(t)
	if f != nil {
		return nil, f
	}
	answers, events := make([]decision, 0, len(list)), make([]*audit.Event, 0, len(list))
	for _, item := range list {
		own, ok := item.(map[string]any)
		if !ok {
			return nil, bad("an evaluation is not an object")
		}
		d, event, f := c.decide(tuple(own).with(t))
		if f != nil { // of this one alone
			d = decision{Context: map[string]any{"error": map[string]any{"status": f.status, "message": f.text}, "audit_id": event.ID.String()}}
		}
		answers, events = append(answers, d), append(events, event)
		if how == "deny_on_first_deny" && !d.Decision || how == "permit_on_first_permit" && d.Decision {
			break
		}
	}
	if f := c.recordAll(events); f != nil {
		return nil, f
	}
	return map[string]any{"evaluations": answers}, nil
}

// decide answers one question and fills its record, whatever its end.
func (c *call) decide(t tuple) (decision, *audit.Event, *failure) {
	event := c.event(evaluate)
	q, f := t.question(evaluate)
	if f != nil {
		return decision{}, fault(event, "read", f), f
	}
	c.describe(event, q)
	if !c.client.may(&q.Resource) {
		f := &failure{status: http.StatusForbidden, text: "the resource is not the client's"}
		return decision{}, fault(event, "admit", f), f
	}
	q.At = c.at
	answer, err := c.Policies.Decide(c.ctx, q)
	if err != nil {
		f := failed(err)
		return decision{}, fault(event, "decide", f), f
	}
	event.Policies = answer.Rule()
	context := map[string]any{"audit_id": event.ID.String()}
	if !answer.Permitted() {
		event.Outcome, event.Stage = audit.Refused, "decide"
		context["reason"] = "denied"
		return decision{Context: context}, event, nil
	}
	if !answer.Until.IsZero() {
		context["until"] = answer.Until.UTC().Format(time.RFC3339)
	}
	if err := c.attribute(q, event, context); err != nil {
		f := failed(err)
		return decision{}, fault(event, "certify", f), f
	}
	event.Outcome = audit.Success
	return decision{Decision: true, Context: context}, event, nil
}

// attribute adds the value of the attribute that may be released.
func (c *call) attribute(q *cedar.Question, event *audit.Event, context map[string]any) error {
	definition, ok := c.Policies.Attribute(q.Resource.ID)
	if q.Action != cedar.ReleaseAttribute || q.Resource.Type != cedar.Attribute || !ok {
		return nil
	}
	values, err := c.Policies.Values(c.ctx, q.Subject, []*attrs.Definition{definition}, c.at)
	for i := range values {
		context["attribute"] = described(&values[i])
		event.Attributes = append(event.Attributes, released(&values[i]))
	}
	return err
}

// described is an attribute as a client sees it.
func described(v *attrs.Certified) map[string]any {
	d := map[string]any{"name": v.Definition.Name, "state": v.State.String(), "source": v.Source}
	if v.State == attrs.Unresolved { // no list of values, which would look like one that is empty
		return d
	}
	values := []string{}
	if v.State != attrs.Unknown {
		for value := range v.WireValues {
			values = append(values, value)
		}
	}
	d["values"] = values
	if !v.NotOnOrAfter.IsZero() {
		d["not_on_or_after"] = v.NotOnOrAfter.UTC().Format(time.RFC3339)
	}
	return d
}

func released(v *attrs.Certified) audit.Attribute {
	a := audit.Attribute{Name: v.Definition.Name, Namespace: v.Definition.Namespace, Disposition: audit.Released, Source: v.Source}
	switch v.State {
	case attrs.Affirmed:
		a.State = audit.Affirmed
	case attrs.Denied:
		a.State = audit.Denied
	case attrs.Unknown:
		a.State = audit.Unknown
	default:
		a.Disposition, a.State = audit.Omitted, audit.Unavailable
	}
	return a
}

// failed sorts what the decision point could not do.
func failed(err error) *failure {
	var known *policy.Error
	if errors.As(err, &known) && known.Reason == policy.InvalidRequest {
		return &failure{status: http.StatusBadRequest, text: "the question is none that the schema has: " + known.Err.Error()}
	}
	text := "no decision could be made"
	if attrs.ReasonOf(err) != 0 {
		text = "an authentic source did not answer"
	}
	return &failure{status: http.StatusInternalServerError, text: text, cause: err}
}

// event begins the record of a decision.
func (c *call) event(operation string) *audit.Event {
	return &audit.Event{
		ID: audit.NewID(c.at), Time: c.at, Service: "authzen", Operation: operation, Client: c.client.Name,
		RequestID: []byte(c.id), Remote: c.remote,
	}
}

// describe notes what is asked. Types and actions that the schema does not have may be anything, and are not kept.
func (c *call) describe(event *audit.Event, q *cedar.Question) {
	if c.Policies.Knows(q.Subject.Type) {
		event.Subject = audit.Identifier{Type: q.Subject.Type, Value: q.Subject.ID}
	}
	if c.Policies.KnowsAction(q.Action) {
		event.Action = q.Action
	}
	switch {
	case !c.Policies.Knows(q.Resource.Type):
	case cedar.IsPlatformType(q.Resource.Type):
		event.Resource = audit.Resource{Type: q.Resource.Type, Name: q.Resource.ID}
	default:
		event.Resource = audit.Resource{Type: q.Resource.Type, Value: q.Resource.ID}
	}
}

// fault turns a record into that of a failure. What an operator is told of the cause quotes nothing of the request.
func fault(event *audit.Event, stage string, f *failure) *audit.Event {
	event.Outcome, event.Stage, event.Cause = audit.Fault, stage, f.Error()
	return event
}

func (c *call) record(event *audit.Event) *failure {
	event.Duration = time.Since(c.start)
	if err := c.Journal.Record(context.WithoutCancel(c.ctx), event); err != nil {
		return &failure{status: http.StatusInternalServerError, text: "the decision could not be recorded", cause: err}
	}
	return nil
}

// recordAll records at once, so that they share the wait for the disk.
func (c *call) recordAll(events []*audit.Event) *failure {
	var wait sync.WaitGroup
	failures := make([]*failure, len(events))
	for i, event := range events {
		wait.Go(func() { failures[i] = c.record(event) })
	}
	wait.Wait()
	for _, f := range failures {
		if f != nil {
			return f
		}
	}
	return nil
}
