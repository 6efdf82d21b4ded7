package trial

import (
	"slices"

	"sceau/policy"
	"sceau/policy/cedar"
)

// Words are what policies mention: the values that can make a difference to them.
type Words struct {
	literals []string // texts that an identifier may be
	patterns []string // of identifiers, with cedar.Star for each star
	values   []string // texts that a certified attribute may have
	tags     []string // attributes of which it makes a difference whether a source denies them or does not know
	clock    bool     // what they decide may depend on the instant
}

// WordsOf collects the words of policies.
func WordsOf(pdp policy.PDP) (Words, error) {
	var w Words
	switch p := pdp.(type) {
	case *policy.Rules:
		for _, r := range p.Rules() {
			for _, m := range []policy.Match{r.Identity, r.Holder} {
				w.literals = append(w.literals, m.Identifiers...)
				for _, beginning := range m.IdentifierPrefixes {
					w.patterns = append(w.patterns, beginning+cedar.Star)
				}
			}
		}
	case *cedar.Policies:
		all, err := p.Words()
		if err != nil {
			return w, err
		}
		w = Words{slices.Concat(all.IDs, all.Values), all.Patterns, all.Values, all.Tags, all.Clock}
	}
	return w.with(Words{}), nil
}

// with joins two collections.
func (w Words) with(other Words) Words {
	join := func(a, b []string) []string {
		all := slices.Concat(a, b)
		slices.Sort(all)
		return slices.Compact(all)
	}
	return Words{join(w.literals, other.literals), join(w.patterns, other.patterns), join(w.values, other.values),
		join(w.tags, other.tags), w.clock || other.clock}
}
