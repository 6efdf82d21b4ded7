package trial

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sceau/policy"
)

// Words are what policies mention: the values that can make a difference to them.
type Words struct {
	literals []string // texts that something is compared with
	prefixes []string // beginnings that something is compared with
	clock    bool     // what they decide may depend on the instant
}

var (
	cedarText = regexp.MustCompile(`(like\s*)?("(?:[^"\\\n]|\\.)*")`)
	jsonText  = regexp.MustCompile(`"(?:[^"\\\n]|\\.)*"`)
	// clockText is what a policy has that compares the instant with more than the end of a mandate, which a trail does not know.
	clockText = regexp.MustCompile(`\bdatetime\(|\btoDate\(|\btoTime\(|\boffset\(`)
)

// WordsOf collects the words of policies.
func WordsOf(files fs.FS, pdp policy.PDP) (Words, error) {
	var w Words
	if rules, ok := pdp.(*policy.Rules); ok {
		for _, r := range rules.Rules() {
			for _, m := range []policy.Match{r.Identity, r.Holder} {
				w.literals = append(w.literals, m.Identifiers...)
				w.prefixes = append(w.prefixes, m.IdentifierPrefixes...)
			}
		}
		return w.sorted(), nil
	}
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return w, err
	}
	for _, e := range entries {
		extension := path.Ext(e.Name())
		if e.IsDir() || extension != ".cedar" && extension != ".json" {
			continue
		}
		content, err := fs.ReadFile(files, e.Name())
		if err != nil {
			return w, err
		}
		if extension == ".json" {
			for _, text := range jsonText.FindAllString(string(content), -1) {
				w.literals = append(w.literals, unquote(text))
			}
			continue
		}
		w.clock = w.clock || clockText.Match(content)
		for _, m := range cedarText.FindAllStringSubmatch(string(content), -1) {
			text := unquote(m[2])
			if m[1] == "" {
				w.literals = append(w.literals, text)
			} else { // what stands before the first star; the rest of a pattern is tried as nothing
				before, _, _ := strings.Cut(text, "*")
				w.prefixes = append(w.prefixes, before)
			}
		}
	}
	return w.sorted(), nil
}

// unquote gives a text without its quotes; one that is written otherwise than Go would is taken as it stands.
func unquote(text string) string {
	if plain, err := strconv.Unquote(text); err == nil {
		return plain
	}
	return text[1 : len(text)-1]
}

func (w Words) sorted() Words {
	for _, list := range []*[]string{&w.literals, &w.prefixes} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return w
}

// with joins two collections.
func (w Words) with(other Words) Words {
	return Words{slices.Concat(w.literals, other.literals), slices.Concat(w.prefixes, other.prefixes), w.clock || other.clock}.sorted()
}
