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
	known     map[audit.IdentifierEntry]map[string]string
	left      int
}

// identifiers gives what may stand behind a pseudonym: what the policies mention, where that has the pseudonym; otherwise somebody whom no
// policy mentions, with each pattern that one mentions. The pseudonym of a question's subject is of TYPE=value. known says that it was
// recognised.
func (t *trial) identifiers(of audit.IdentifierEntry, joined bool) (all []string, known bool) {
	if of.Pseudonym == "" {
		return []string{""}, true
	}
	mentioned := t.mentioned(of.Type, joined)
	if text, ok := mentioned[of.Pseudonym]; ok && t.pseudonym != nil {
		return []string{text}, true
	}
	for _, text := range mentioned {
		if t.pseudonym == nil {
			all = append(all, text)
		}
	}
	who := stranger(of.Pseudonym)
	for _, kind := range t.kinds(of.Type, joined) {
		all = append(all, typed(kind, who))
		for _, pattern := range t.words.patterns {
			if value, ok := bare(pattern, kind, of.Type); ok && value != "" {
				before, after, _ := strings.Cut(value, cedar.Star)
				all = append(all, typed(kind, before+who+strings.ReplaceAll(after, cedar.Star, "")))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all), false
}

// mentioned gives, by pseudonym, what policies mention that an identifier of a type may be. Without the key it is by itself.
func (t *trial) mentioned(identifierType string, joined bool) map[string]string {
	of := audit.IdentifierEntry{Type: identifierType}
	if joined {
		of.Pseudonym = "joined"
	}
	if known := t.known[of]; known != nil {
		return known
	}
	known := map[string]string{}
	for _, kind := range t.kinds(identifierType, joined) {
		for _, literal := range t.words.literals {
			value, ok := bare(literal, kind, identifierType)
			if !ok && kind == "" && !slices.Contains(t.types, identifierType) {
				value, ok = literal, true // what others call their own may have any form
			}
			if !ok || value == "" {
				continue
			}
			text := typed(kind, value)
			name := text
			if t.pseudonym != nil {
				name = t.pseudonym(audit.Identifier{Type: identifierType, Value: text}).String()
			}
			known[name] = text
		}
	}
	t.known[of] = known
	return known
}

// kinds gives the types that an identifier may have before it: none, unless it is of TYPE=value. A service may have none.
func (t *trial) kinds(identifierType string, joined bool) []string {
	if !joined {
		return []string{""}
	}
	if identifierType == cedar.Service {
		return append([]string{""}, t.types...)
	}
	return t.types
}

// bare gives the value of a word of the policies, if it may be one of a type.
func bare(text string, types ...string) (value string, ok bool) {
	for _, t := range types {
		if value, ok := strings.CutPrefix(text, t+"="); ok && t != "" {
			return value, true
		}
	}
	return text, !strings.Contains(text, "=")
}

func typed(kind, value string) string {
	if kind == "" {
		return value
	}
	return kind + "=" + value
}

// stranger makes an identifier that no policy mentions, the same for the same pseudonym: of characters that stand in no text.
func stranger(pseudonym string) string {
	return strings.Map(func(r rune) rune { return 0xE000 + r }, pseudonym[:min(len(pseudonym), 12)])
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
			may, _ := t.identifiers(of, joined)
			unknown = append(unknown, open{of.Pseudonym, may})
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

// maxPairs bounds of how many values any two are tried together.
const maxPairs = 30

// values gives what a source may have said of an attribute, as far as it makes a difference. Of an attribute that has several values it is each
// that policies mention, any two of few, and all together.
func (t *trial) values(d *attrs.Definition) []Fact {
	facts := []Fact{{State: attrs.Unknown}}
	if d.Kind == attrs.Boolean {
		if facts[0].State = attrs.Denied; slices.Contains(t.words.tags, d.Name) {
			facts = append(facts, Fact{State: attrs.Unknown})
		}
		return append(facts, Fact{State: attrs.Affirmed})
	}
	var values []string
	add := func(values ...string) { facts = append(facts, Fact{State: attrs.Affirmed, Values: values}) }
	for _, text := range t.words.values {
		if d.Kind.Valid(text) {
			values = append(values, text)
			add(text)
		}
	}
	if d.Multiple {
		for i := range values {
			for j := i + 1; j < len(values) && len(values) <= maxPairs; j++ {
				add(values[i], values[j])
			}
		}
		if len(values) > 2 {
			add(values...)
		}
	}
	add("?") // what no policy mentions
	return facts
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
	policies, ok := pdp.(*cedar.Policies)
	if !ok {
		return &outcome{failure: "a rule file answers no questions but releases"}
	}
	q := r.asks(names)
	answer, err := policies.Decide(ctx, &q)
	if err != nil {
		return &outcome{failure: failureText(err)}
	}
	return &outcome{verdicts: []verdict{verdictOf(answer.Permitted())}, rules: []string{answer.Rule()}}
}

// asks gives a question as it was, without what the client sent along.
func (r *recorded) asks(names map[string]string) cedar.Question {
	e := r.entry
	return cedar.Question{
		Subject: cedar.Entity{Type: e.Subject.Type, ID: names[e.Subject.Pseudonym]}, Action: e.Action,
		Resource: cedar.Entity{Type: e.Resource.Type, ID: e.Resource.Name + names[e.Resource.Pseudonym]}, At: e.Time,
	}
}

func failureText(err error) string {
	var wrong *policy.Error
	if errors.As(err, &wrong) && wrong.Err != nil {
		return wrong.Err.Error()
	}
	return err.Error()
}
