package trial

import (
	"context"
	"errors"
	"slices"
	"strings"

	"sceau/attrs"
	"sceau/audit"
	"sceau/policy"
	"sceau/policy/cedar"
)

// maxWays bounds how many ways in which a decision may have come about are tried.
const maxWays = 20_000

// A way is one of them: who was who, and what sources said.
type way struct {
	names map[string]string // identifier by pseudonym
	facts map[about]Fact
}

// A trial tries one decision.
type trial struct {
	ctx       context.Context
	words     Words
	pseudonym func(audit.Identifier) audit.Pseudonym // nil: identifiers cannot be recognised
	types     []string                               // of identifiers that certificates hold
	left      int
}

// identifiers gives what may stand behind a pseudonym: what the policies mention, where that has the pseudonym; otherwise somebody whom no
// policy mentions, with each beginning that one mentions. The pseudonym of a question's subject is of TYPE=value.
func (t *trial) identifiers(of audit.IdentifierEntry, joined bool) []string {
	if of.Pseudonym == "" {
		return []string{""}
	}
	stranger := "?" + of.Pseudonym[:min(len(of.Pseudonym), 12)]
	types := []string{""}
	if joined {
		types = t.types
	}
	var all []string
	for _, kind := range types {
		bare := func(text string) (string, bool) { // the value that a word of the policies is, of this type
			for _, prefix := range []string{kind, of.Type} {
				if value, ok := strings.CutPrefix(text, prefix+"="); ok && prefix != "" {
					return value, true
				}
			}
			return text, !strings.Contains(text, "=")
		}
		write := func(value string) string {
			if kind != "" {
				return kind + "=" + value
			}
			return value
		}
		for _, text := range t.words.literals {
			value, ok := bare(text)
			if !ok || value == "" {
				continue
			}
			switch {
			case t.pseudonym == nil:
				all = append(all, write(value))
			case t.pseudonym(audit.Identifier{Type: of.Type, Value: write(value)}).String() == of.Pseudonym:
				return []string{write(value)}
			}
		}
		all = append(all, write(stranger))
		for _, text := range t.words.prefixes {
			if value, ok := bare(text); ok && value != "" {
				all = append(all, write(value+stranger))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// eachNaming runs over all ways to name who takes part.
func (t *trial) eachNaming(r *recorded, run func(names map[string]string)) {
	e := r.entry
	type open struct {
		pseudonym string
		may       []string
	}
	var unknown []open
	add := func(of audit.IdentifierEntry, joined bool) {
		if of.Pseudonym != "" && !slices.ContainsFunc(unknown, func(o open) bool { return o.pseudonym == of.Pseudonym }) {
			unknown = append(unknown, open{of.Pseudonym, t.identifiers(of, joined)})
		}
	}
	add(audit.IdentifierEntry{Type: e.Identity.Type, Pseudonym: e.Identity.Pseudonym}, false)
	add(audit.IdentifierEntry{Type: e.Holder.Type, Pseudonym: e.Holder.Pseudonym}, false)
	if e.Service == faceDecisions {
		add(e.Subject, isParty(e.Subject.Type))
		add(audit.IdentifierEntry{Type: e.Resource.Type, Pseudonym: e.Resource.Pseudonym}, isParty(e.Resource.Type))
	}
	names := map[string]string{"": ""}
	var choose func(int)
	choose = func(i int) {
		if t.left <= 0 || t.ctx.Err() != nil {
			return
		}
		if i == len(unknown) {
			run(names)
			return
		}
		for _, may := range unknown[i].may {
			names[unknown[i].pseudonym] = may
			choose(i + 1)
		}
	}
	choose(0)
}

func isParty(entityType string) bool {
	return entityType == cedar.Person || entityType == cedar.Organisation || entityType == cedar.Service
}

// values gives what a source may have said of an attribute, as far as it makes a difference.
func (t *trial) values(d *attrs.Definition) []Fact {
	if d.Kind == attrs.Boolean {
		return []Fact{{State: attrs.Denied}, {State: attrs.Affirmed}, {State: attrs.Unknown}}
	}
	facts := []Fact{{State: attrs.Unknown}}
	for _, text := range t.words.literals {
		if d.Kind.Valid(text) {
			facts = append(facts, Fact{State: attrs.Affirmed, Values: []string{text}})
		}
	}
	return append(facts, Fact{State: attrs.Affirmed, Values: []string{"?"}}) // what no policy mentions
}

// eachWay runs over all ways in which facts make a difference to what decide answers.
func (t *trial) eachWay(known map[about]Fact, facts *Facts, decide func() *outcome, run func(*outcome)) {
	if t.left <= 0 || t.ctx.Err() != nil {
		return
	}
	t.left--
	facts.set(known)
	got := decide()
	if len(facts.missing) == 0 {
		run(got)
		return
	}
	first := facts.missing[0]
	for _, fact := range t.values(first.definition) {
		known[first.about] = fact
		t.eachWay(known, facts, decide, run)
	}
	delete(known, first.about)
}

// decide asks policies again.
func (r *recorded) decide(ctx context.Context, of *opened, names map[string]string) *outcome {
	e := r.entry
	if r.attributes == nil {
		return r.ask(ctx, of.pdp, names)
	}
	// One that the catalogue does not have is nil, and denied.
	definitions := make([]*attrs.Definition, len(r.attributes))
	for i, designator := range r.attributes {
		definitions[i], _ = of.catalogue.Find(designator)
	}
	request := policy.ReleaseRequest{
		Identity:   policy.Requestor{Kind: e.Identity.Kind, IdentifierType: e.Identity.Type, Identifier: names[e.Identity.Pseudonym]},
		Holder:     policy.Requestor{Kind: e.Holder.Kind, IdentifierType: e.Holder.Type, Identifier: names[e.Holder.Pseudonym]},
		Attributes: definitions, Mode: e.Mode, At: e.Time,
	}
	o := &outcome{}
	if err := of.pdp.Release(ctx, &request, &o.release); err != nil {
		o.failure = failureText(err)
		return o
	}
	for _, d := range o.release.Decisions {
		o.verdicts, o.rules = append(o.verdicts, verdictOf(d.Permitted())), append(o.rules, d.Rule())
	}
	return o
}

func (r *recorded) ask(ctx context.Context, pdp policy.PDP, names map[string]string) *outcome {
	e := r.entry
	policies, ok := pdp.(*cedar.Policies)
	if !ok {
		return &outcome{failure: "a rule file answers no questions but releases"}
	}
	q := cedar.Question{
		Subject: cedar.Entity{Type: e.Subject.Type, ID: names[e.Subject.Pseudonym]}, Action: e.Action,
		Resource: cedar.Entity{Type: e.Resource.Type, ID: e.Resource.Name + names[e.Resource.Pseudonym]}, At: e.Time,
	}
	answer, err := policies.Decide(ctx, &q)
	if err != nil {
		return &outcome{failure: failureText(err)}
	}
	return &outcome{verdicts: []verdict{verdictOf(answer.Permitted())}, rules: []string{answer.Rule()}}
}

func failureText(err error) string {
	var wrong *policy.Error
	if errors.As(err, &wrong) && wrong.Err != nil {
		return wrong.Err.Error()
	}
	return err.Error()
}
