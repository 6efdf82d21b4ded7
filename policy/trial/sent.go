package trial

import (
	"slices"

	"sceau/policy/cedar"
)

// sent is which policies that concern a question read what the client may have sent along: a mandate, properties. A record has nothing of
// it, and a question is asked again without.
type sent struct {
	before, after []cedar.Info
}

// sent finds them. Of a release everything that policies read is on the trail.
func (p *replay) sent(r *recorded, names map[string]string) sent {
	if r.attributes != nil {
		return sent{}
	}
	q := r.asks(names)
	list := func(of *opened) []cedar.Info {
		policies, _ := of.pdp.(*cedar.Policies)
		return policies.FromClient(&q)
	}
	return sent{list(p.before), list(p.after)}
}

// open says whether a way leaves open how the decision ended. Where the same policies read what was sent, a record tells which of them held: those
// that it names, and under a forbid, which hides permits, it does not.
func (s sent) open(r *recorded, exact bool, after *outcome) bool {
	if len(s.before)+len(s.after) == 0 {
		return false
	}
	same := slices.EqualFunc(s.before, s.after, func(a, b cedar.Info) bool { return a.ID == b.ID && a.Text == b.Text })
	if !same || !exact {
		return true
	}
	hidden := r.verdicts[0] == denied && r.rules[0] != "" && slices.ContainsFunc(s.after, func(p cedar.Info) bool { return !p.Forbid })
	return hidden && (after.failure != "" || after.verdicts[0] == denied && after.rules[0] == "")
}
