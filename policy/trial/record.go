package trial

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sceau/attrs"
	"sceau/audit"
	"sceau/policy"
	"sceau/policy/cedar"
)

// evaluation is the operation of a decision over HTTP (package policy/authzen), faceDecisions its service.
const (
	faceDecisions = "authzen"
	evaluation    = "evaluation"
)

// verdict is what is known of one decision about one attribute.
type verdict uint8

const (
	open verdict = iota // the record does not tell
	permitted
	denied
)

func verdictOf(permit bool) verdict {
	if permit {
		return permitted
	}
	return denied
}

// A recorded is one decision of the audit trail, as far as policy can be asked again. Persons are known by pseudonyms.
type recorded struct {
	entry *audit.Entry

	attributes []attrs.Designator // of a release
	verdicts   []verdict          // of each; of a question one
	rules      []string           // that decided; "": not told
	omits      bool               // what was denied was left out, and the rest released
	refuses    bool               // the request was refused for what was denied
}

// read makes a decision of a record; reason says why it is none that can be tried.
func read(e *audit.Entry) (r *recorded, reason string) {
	r = &recorded{entry: e}
	if e.Service == faceDecisions {
		return r, r.question()
	}
	if len(e.Attributes) == 0 || e.Mode == "" || e.Identity.Kind == "" {
		return nil, undecided
	}
	if e.MoreAttributes > 0 {
		return nil, "the record does not hold all attributes that were asked for"
	}
	decided := false
	for _, a := range e.Attributes {
		v := open
		switch {
		case a.Disposition == audit.Released.String(), a.Disposition == audit.Omitted.String() && a.State == audit.Unavailable.String():
			v = permitted
		case a.Disposition == audit.Omitted.String():
			v, r.omits = denied, true
		case a.Disposition == audit.Withheld.String():
			v, r.refuses = denied, true
		case a.Rule != "": // the request ended because of another, or later
			v = permitted
		}
		decided = decided || v != open
		r.attributes, r.verdicts, r.rules = append(r.attributes, attrs.Designator{Name: a.Name, Namespace: a.Namespace}), append(r.verdicts, v), append(r.rules, a.Rule)
	}
	if !decided {
		return nil, undecided
	}
	return r, ""
}

// undecided is said of records without a decision by policy. They are passed over.
const undecided = "no decision by policy"

func (r *recorded) question() (reason string) {
	e := r.entry
	switch {
	case e.Operation != evaluation || e.Outcome == audit.Fault.String():
		return undecided
	case e.Action == "" || e.Resource.Type == "" || e.Subject.Type == "":
		return undecided
	}
	r.verdicts, r.rules = []verdict{verdictOf(e.Outcome == audit.Success.String())}, []string{e.Policies}
	return ""
}

// key is the same for decisions that are alike: one of them is tried for all.
func (r *recorded) key(clock bool, name func(of audit.IdentifierEntry) string) string {
	e := r.entry
	var b strings.Builder
	part := func(texts ...string) {
		for _, t := range texts {
			fmt.Fprintf(&b, "%q ", t)
		}
	}
	part(e.Service, e.Client, e.Mode, e.Action, e.Identity.Kind, name(audit.IdentifierEntry{Type: e.Identity.Type, Pseudonym: e.Identity.Pseudonym}),
		e.Holder.Kind, name(audit.IdentifierEntry{Type: e.Holder.Type, Pseudonym: e.Holder.Pseudonym}),
		e.Resource.Type, e.Resource.Name, name(audit.IdentifierEntry{Type: e.Resource.Type, Pseudonym: e.Resource.Pseudonym}))
	if e.Service == faceDecisions {
		part(name(e.Subject))
	}
	if clock {
		part(e.Time.UTC().String())
	}
	for i, d := range r.attributes {
		part(d.Name, d.Namespace)
		fmt.Fprint(&b, r.verdicts[i], " ")
		part(r.rules[i])
	}
	if r.attributes == nil {
		fmt.Fprint(&b, r.verdicts)
		part(r.rules...)
	}
	return b.String()
}

// An outcome is how policies decide.
type outcome struct {
	verdicts []verdict
	rules    []string
	release  policy.Release
	failure  string // they could not
}

// fits says whether a decision can have ended so, and exact whether by the very policies that the record names.
func (o *outcome) fits(r *recorded) (fits, exact bool) {
	if o.failure != "" || r.omits && o.release.OnDenied != policy.Omit || r.refuses && o.release.OnDenied != policy.Refuse {
		return false, false
	}
	exact = true
	for i, v := range r.verdicts {
		if v == open {
			continue
		}
		if o.verdicts[i] != v {
			return false, false
		}
		exact = exact && (r.rules[i] == "" && v == permitted || o.rules[i] == r.rules[i])
	}
	return true, exact
}

// differs says in what two outcomes differ, a line each.
func (o *outcome) differs(after *outcome, r *recorded) (lines []string) {
	if o.failure != "" || after.failure != "" {
		if o.failure != after.failure {
			lines = append(lines, fmt.Sprintf("%s → %s", cmp.Or(o.failure, "decided"), cmp.Or(after.failure, "decided")))
		}
		return lines
	}
	for i, v := range o.verdicts {
		if after.verdicts[i] == v {
			continue
		}
		what := r.entry.Action
		if r.attributes != nil {
			what = cedar.AttributeID(r.attributes[i])
		}
		lines = append(lines, fmt.Sprintf("%s: %s%s → %s%s", what, word(v == permitted), because(o.rules[i]),
			word(after.verdicts[i] == permitted), because(after.rules[i])))
	}
	if r.attributes == nil {
		return lines
	}
	if a, b := o.release.OnDenied, after.release.OnDenied; a != b && o.partly() && after.partly() {
		lines = append(lines, fmt.Sprintf("on denied: %s → %s", a, b))
	}
	if a, b := o.release.MaximumValidity, after.release.MaximumValidity; a != b && a != 0 && b != 0 {
		lines = append(lines, fmt.Sprintf("valid for: %s → %s", a, b))
	}
	return lines
}

// partly says whether something is permitted and something is not.
func (o *outcome) partly() bool {
	return slices.Contains(o.verdicts, permitted) && slices.Contains(o.verdicts, denied)
}
