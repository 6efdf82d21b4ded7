package trial

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sceau/attrs"
	"sceau/policy"
	"sceau/policy/cedar"
)

// An Opener loads policies that ask the given attributes in the place of authentic sources.
type Opener func(cedar.Attributes) (policy.PDP, error)

// A Result is a test that was run.
type Result struct {
	Test
	// Failures is what is otherwise than expected; empty: the test holds.
	Failures []string
}

// Run runs tests against policies. The error is that of opening them.
func Run(ctx context.Context, tests []Test, open Opener) ([]Result, error) {
	facts := &Facts{}
	pdp, err := open(facts)
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(tests))
	for i := range tests {
		results[i].Test = tests[i]
		facts.set(tests[i].facts)
		if tests[i].question != nil {
			results[i].Failures = tests[i].ask(ctx, pdp)
		} else {
			results[i].Failures = tests[i].ofRelease(ctx, pdp)
		}
		for _, name := range facts.missing {
			results[i].Failures = append(results[i].Failures, "it does not say whether "+name.attribute+" holds, which a policy asks for")
		}
	}
	return results, nil
}

// Failed gives the results of tests that do not hold.
func Failed(results []Result) (failed []Result) {
	for i := range results {
		if len(results[i].Failures) > 0 {
			failed = append(failed, results[i])
		}
	}
	return failed
}

// Problems gives the tests that do not hold as problems of their files.
func Problems(results []Result) (problems []policy.Problem) {
	for _, r := range Failed(results) {
		problems = append(problems, policy.Problem{File: r.File, Line: r.Line, Text: fmt.Sprintf("test %q: %s", r.Name, strings.Join(r.Failures, "; "))})
	}
	return problems
}

// ask runs a test that is a question.
func (t *Test) ask(ctx context.Context, pdp policy.PDP) []string {
	policies, ok := pdp.(*cedar.Policies)
	if !ok {
		return []string{"a rule file answers no questions but releases"}
	}
	if !slices.Contains(policies.Actions(t.question.Subject.Type, t.question.Resource.Type), t.question.Action) {
		return []string{fmt.Sprintf("the schema has no action %s of a %s on a %s", t.question.Action, t.question.Subject.Type, t.question.Resource.Type)}
	}
	known := policies.Context(t.question.Action)
	for name := range t.question.Context {
		if !slices.Contains(known, name) { // clients may send what they like, and a test that does is misspelled
			return []string{"the schema has no context." + name + " of " + t.question.Action}
		}
	}
	answer, err := policies.Decide(ctx, t.question)
	if err != nil {
		return failure(err)
	}
	var failures []string
	if answer.Permitted() != t.permit {
		failures = append(failures, fmt.Sprintf("%s, want %s%s", word(answer.Permitted()), word(t.permit), because(answer.Rule())))
	}
	return append(failures, t.decidedBy(answer.Rule())...)
}

// ofRelease runs a test that is a release.
func (t *Test) ofRelease(ctx context.Context, pdp policy.PDP) []string {
	var got policy.Release
	if err := pdp.Release(ctx, t.release, &got); err != nil {
		return failure(err)
	}
	var failures []string
	rules := ""
	for i, d := range t.release.Attributes {
		decision := got.Decisions[i]
		rules += " " + decision.Rule()
		if want := slices.Contains(t.permitted, d); decision.Permitted() != want && (want || slices.Contains(t.denied, d)) {
			failures = append(failures, fmt.Sprintf("%s: %s, want %s%s", d.Name, word(decision.Permitted()), word(want), because(decision.Rule())))
		}
	}
	if t.onDenied != "" && got.OnDenied.String() != t.onDenied {
		failures = append(failures, fmt.Sprintf("on denied: %s, want %s", got.OnDenied, t.onDenied))
	}
	if t.validFor != 0 && got.MaximumValidity != t.validFor {
		failures = append(failures, fmt.Sprintf("valid for %s, want %s", got.MaximumValidity, t.validFor))
	}
	return append(failures, t.decidedBy(rules)...)
}

// failure is that of a question that could not be answered; where a fact is missing the runner names it.
func failure(err error) []string {
	if e := (*attrs.Error)(nil); errors.As(err, &e) && e.Reason == attrs.NoSource {
		return nil
	}
	return []string{err.Error()}
}

func word(permitted bool) string {
	if permitted {
		return "permit"
	}
	return "deny"
}

func because(rule string) string {
	if rule == "" {
		return ""
	}
	return " (by " + rule + ")"
}

// decidedBy holds the policies that decided against those that are expected, if any are.
func (t *Test) decidedBy(rules string) []string {
	if t.by == nil {
		return nil
	}
	got := strings.Fields(rules)
	slices.Sort(got)
	got = slices.Compact(got)
	want := slices.Sorted(slices.Values(t.by))
	if slices.Equal(got, want) {
		return nil
	}
	return []string{fmt.Sprintf("by %s, want %s", orNone(got), orNone(want))}
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
