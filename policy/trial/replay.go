package trial

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"sceau/attrs"
	"sceau/audit"
	"sceau/policy"
)

// A Candidate is policies to try.
type Candidate struct {
	Open      Opener
	Words     Words
	Catalogue *attrs.Catalogue // that Open uses
}

// ReplayConfig says what is compared.
type ReplayConfig struct {
	Before, After Candidate
	// Pseudonym gives that of an identifier under the key of the trail; nil: without the key, whoever policies mention may have been anybody.
	Pseudonym func(audit.Identifier) audit.Pseudonym
}

// A Change is decisions that are alike and end otherwise under the policies after.
type Change struct {
	Count int
	IDs   []string // of some, the first
	// Surely: in every way in which they can have come about; otherwise in some.
	Surely bool
	What   string   // that was asked, in a line
	Lines  []string // what changes
	// Assuming are the facts in the first way in which it changes.
	Assuming []string
}

// A Report is what Replay found.
type Report struct {
	Decisions int // by policy
	Same      int
	Changes   []Change
	// Unrepeatable counts decisions that cannot be repeated under the policies before, by why.
	Unrepeatable map[string]int
}

const (
	notRepeated = "they do not end so under the policies before: those have changed since, or the record lacks what a client sent along"
	sentAlong   = "they rest on what a client may have sent along, which is not on the trail"
	tooMany     = "there are too many ways in which they can have come about"
)

// maxIDs bounds Change.IDs.
const maxIDs = 3

// Replay tries every decision of a trail. The error is of the trail, of opening policies, or the end of ctx.
func Replay(ctx context.Context, trail iter.Seq2[*audit.Entry, error], c ReplayConfig) (*Report, error) {
	p, err := newReplay(ctx, c)
	if err != nil {
		return nil, err
	}
	for e, err := range trail {
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p.add(e)
	}
	return p.report(), ctx.Err()
}

type replay struct {
	trial
	before, after *opened
	classes       map[string]*conclusion // of decisions that are alike
	changes       map[string]*Change     // that are written alike
	order         []*Change
	decisions     int
	same          int
	reasons       map[string]int
}

// A conclusion is what would come of a decision.
type conclusion struct {
	reason string  // why that is not known
	change *Change // nil: it ends the same
}

func newReplay(ctx context.Context, c ReplayConfig) (*replay, error) {
	p := &replay{
		trial: trial{ctx: ctx, words: c.Before.Words.with(c.After.Words), pseudonym: c.Pseudonym, types: identifierTypes(c.Before.Catalogue),
			known: map[audit.IdentifierEntry]map[string]string{}},
		classes: map[string]*conclusion{}, changes: map[string]*Change{}, reasons: map[string]int{},
	}
	var err error
	if p.before, err = c.Before.open(); err != nil {
		return nil, err
	}
	if p.after, err = c.After.open(); err != nil {
		return nil, err
	}
	return p, nil
}

// identifierTypes gives the types of identifiers that certificates hold and by which sources know somebody.
func identifierTypes(catalogue *attrs.Catalogue) (types []string) {
	for d := range catalogue.All() {
		types = append(types, d.CertificateTypes...)
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// add tries a record, or counts it with those that are like it. Nothing of it is kept but what it comes to: trails are long.
func (p *replay) add(e *audit.Entry) {
	if e.Kind != "event" {
		return
	}
	r, reason := read(e)
	switch reason {
	case "":
	case undecided:
		return
	default:
		p.decisions++
		p.reasons[reason]++
		return
	}
	p.decisions++
	// Strangers are alike, whoever they are; one that appears twice in a record is one.
	var strangers []string
	key := r.key(p.words.clock, func(of audit.IdentifierEntry) string {
		if of.Pseudonym == "" {
			return of.Type
		}
		if may, known := p.identifiers(of, p.joined(r, of)); known {
			return of.Type + "=" + may[0]
		}
		at := slices.Index(strangers, of.Pseudonym)
		if at < 0 {
			at, strangers = len(strangers), append(strangers, of.Pseudonym)
		}
		return fmt.Sprintf("%s?%d", of.Type, at)
	})
	one := p.classes[key]
	if one == nil {
		one = p.conclude(r)
		if !p.words.clock { // by which hardly two are alike
			p.classes[key] = one
		}
	}
	switch {
	case one.reason != "":
		p.reasons[one.reason]++
	case one.change == nil:
		p.same++
	default:
		if one.change.Count++; len(one.change.IDs) < maxIDs {
			one.change.IDs = append(one.change.IDs, e.ID)
		}
	}
}

// joined says whether a pseudonym is of TYPE=value: that of whoever a question is about.
func (p *replay) joined(r *recorded, of audit.IdentifierEntry) bool {
	return r.entry.Service == faceDecisions && isParty(of.Type)
}

func (p *replay) report() *Report {
	report := &Report{Decisions: p.decisions, Same: p.same, Unrepeatable: p.reasons}
	for _, one := range p.order {
		report.Changes = append(report.Changes, *one)
	}
	slices.SortStableFunc(report.Changes, func(a, b Change) int { return cmp.Compare(b.Count, a.Count) })
	return report
}

// A found is a way that fits, and what would come of it.
type found struct {
	lines []string
	exact bool
	open  bool // it rests on what is not on the trail
	way   way
}

// conclude tries a decision in all ways.
func (p *replay) conclude(r *recorded) *conclusion {
	p.left = maxWays
	var ways []found
	p.eachNaming(r, func(names map[string]string) {
		sent := p.sent(r, names)
		known := map[about]Fact{}
		p.eachWay(known, p.before.facts, func() *outcome { return r.decide(p.ctx, p.before, names) }, func(before *outcome) {
			fits, exact := before.fits(r)
			if !fits {
				return
			}
			p.eachWay(known, p.after.facts, func() *outcome { return r.decide(p.ctx, p.after, names) }, func(after *outcome) {
				ways = append(ways, found{before.differs(after, r), exact, sent.open(r, exact, after), way{maps.Clone(names), maps.Clone(known)}})
			})
		})
	})
	if p.left <= 0 {
		return &conclusion{reason: tooMany}
	}
	// Where the very policies that the record names decide in some of them, those are the ways.
	if slices.ContainsFunc(ways, func(f found) bool { return f.exact }) {
		ways = slices.DeleteFunc(ways, func(f found) bool { return !f.exact })
	}
	if len(ways) == 0 {
		return &conclusion{reason: notRepeated}
	}
	if slices.ContainsFunc(ways, func(f found) bool { return f.open }) {
		return &conclusion{reason: sentAlong}
	}
	first := slices.IndexFunc(ways, func(f found) bool { return len(f.lines) > 0 })
	if first < 0 {
		return &conclusion{}
	}
	surely := !slices.ContainsFunc(ways, func(f found) bool { return len(f.lines) == 0 })
	change := &Change{Surely: surely, What: r.what(), Lines: ways[first].lines, Assuming: ways[first].way.text()}
	key := fmt.Sprintf("%v %q %q %q", surely, change.What, change.Lines, change.Assuming)
	if p.changes[key] == nil {
		p.changes[key], p.order = change, append(p.order, change)
	}
	return &conclusion{change: p.changes[key]}
}

// text says what is assumed, a line each, without anybody's identifier.
func (w *way) text() (lines []string) {
	for name, fact := range w.facts {
		lines = append(lines, name.attribute+": "+fact.text())
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// what says what was asked.
func (r *recorded) what() string {
	e := r.entry
	if r.attributes == nil {
		return fmt.Sprintf("%s asked: may a %s %s %s %s?", cmp.Or(e.Client, "somebody"), e.Subject.Type, e.Action, e.Resource.Type, e.Resource.Name)
	}
	return fmt.Sprintf("%s asked for %d attributes, %s %s with %s %s", e.Mode, len(r.attributes), e.Identity.Kind, e.Identity.Type, e.Holder.Kind, e.Holder.Type)
}

// opened is policies with the facts that they ask for.
type opened struct {
	pdp   policy.PDP
	facts *Facts

	catalogue *attrs.Catalogue
}

func (c *Candidate) open() (*opened, error) {
	o := &opened{facts: &Facts{}, catalogue: c.Catalogue}
	var err error
	o.pdp, err = c.Open(o.facts)
	return o, err
}
