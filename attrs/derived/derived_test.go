package derived

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"sceau/attrs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var instant = time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)

const (
	alice    = "00000000097"
	nihii8   = "71000040"
	pharmacy = "urn:be:fgov:ehealth:1.0:pharmacy:nihii-number"
)

func name(s string) attrs.Designator {
	return attrs.Designator{Name: s, Namespace: attrs.NamespaceCertified}
}

// catalogue holds attributes of every kind: t1, t2 texts, many texts, b1, b2, b3 booleans, n8, n11, all of a person; org of a
// pharmacy, rel of a person in a pharmacy.
func catalogue(t testing.TB) *attrs.Catalogue {
	t.Helper()
	define := func(n string, kind attrs.ValueKind, keys ...string) attrs.Definition {
		return attrs.Definition{Designator: name(n), Kind: kind, KeyedBy: []attrs.Key{keys}}
	}
	var all []attrs.Definition
	for n, kind := range map[string]attrs.ValueKind{"t1": attrs.Text, "t2": attrs.Text, "t3": attrs.Text, "b1": attrs.Boolean, "b2": attrs.Boolean,
		"b3": attrs.Boolean, "b4": attrs.Boolean, "n8": attrs.NIHII8, "n11": attrs.NIHII11, "hidden": attrs.Text} {
		d := define(n, kind, attrs.PersonSSIN)
		d.Hidden = n == "hidden"
		all = append(all, d)
	}
	many := define("many", attrs.Text, attrs.PersonSSIN)
	many.Multiple = true
	all = append(all, many, define("holder", attrs.Text, attrs.CertificateHolderSSIN), define("org", attrs.Text, pharmacy),
		define("rel", attrs.Boolean, pharmacy, attrs.PersonSSIN))
	c, err := attrs.EHealth().With(all...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func find(t testing.TB, c *attrs.Catalogue, n string) *attrs.Definition {
	t.Helper()
	d, ok := c.Find(name(n))
	if !ok {
		t.Fatalf("no attribute %s", n)
	}
	return d
}

// world is a source of inputs: what it says of each, or an error.
type world struct {
	says  map[string]attrs.Certified
	fails map[string]error
	asked int
}

func (w *world) Resolve(_ context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error) {
	w.asked++
	for _, d := range q.Definitions {
		if err := w.fails[d.Name]; err != nil {
			c := attrs.Certified{Definition: d, State: attrs.Unresolved, Source: "world"}
			if errors.As(err, &c.Failure); !q.Partial || c.Failure == nil {
				return dst, err
			}
			dst = append(dst, c)
			continue
		}
		c := w.says[d.Name]
		c.Definition, c.Source = d, "world"
		if c.RetrievedAt.IsZero() {
			c.RetrievedAt = q.At
		}
		dst = append(dst, c)
	}
	return dst, nil
}

func values(v ...string) attrs.Certified { return attrs.Certified{State: attrs.Affirmed, Values: v} }

var (
	yes     = attrs.Certified{State: attrs.Affirmed}
	no      = attrs.Certified{State: attrs.Denied}
	nothing = attrs.Certified{State: attrs.Unknown}
)

func ask(t testing.TB, s *Source, c *attrs.Catalogue, names ...string) ([]attrs.Certified, error) {
	t.Helper()
	ssin, _ := c.Find(attrs.Designator{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification})
	q := &attrs.Query{Subjects: []attrs.Keyed{{By: ssin, Value: alice}}, At: instant}
	for _, n := range names {
		q.Definitions = append(q.Definitions, find(t, c, n))
	}
	return s.Resolve(t.Context(), q, nil)
}

// The table of the package comment, line by line.
func TestForms(t *testing.T) {
	list := InList{name("t1"), []string{"100", "200"}}
	many := InList{name("many"), []string{"100"}}
	number := NIHII11{name("n8"), name("t1")}
	match := Match{name("t1"), `([0-9]{2})-(?P<b>[0-9]+)`, "${b}/$1"}
	test := Match{Of: name("t1"), Pattern: `a|b`}
	table := Map{name("t1"), map[string]string{"1": "one", "2": "two"}}
	truth := Map{name("t1"), map[string]string{"1": "true", "2": "false"}}
	either, both := Any{name("b1"), name("b2")}, All{name("b1"), name("b2")}
	joined := Concat{{Of: name("t1")}, {Text: "-"}, {Of: name("t2")}, {Of: name("t1")}}
	type says map[string]attrs.Certified
	tests := []struct {
		name string
		of   string
		form Form
		says says
		want string
	}{
		{"in the list", "b3", list, says{"t1": values("200")}, "affirmed"},
		{"not in the list", "b3", list, says{"t1": values("300")}, "denied"},
		{"not in the list, a part of one", "b3", list, says{"t1": values("20")}, "denied"},
		{"list, unknown", "b3", list, says{"t1": nothing}, "unknown"},
		{"one of several in the list", "b3", many, says{"many": values("99", "100")}, "affirmed"},
		{"none of several in the list", "b3", many, says{"many": values("98", "99")}, "denied"},

		{"number", "n11", number, says{"n8": values(nihii8), "t1": values("001")}, "affirmed 71000040001"},
		{"number, no qualification", "n11", number, says{"n8": values(nihii8), "t1": nothing}, "unknown"},
		{"number unknown", "n11", number, says{"n8": nothing, "t1": values("001")}, "unknown"},
		{"number, wrong check digit", "n11", number, says{"n8": values("71000041"), "t1": values("001")}, "bad answer"},
		{"qualification too long", "n11", number, says{"n8": values(nihii8), "t1": values("0011")}, "bad answer"},
		{"qualification of letters", "n11", number, says{"n8": values(nihii8), "t1": values("O01")}, "bad answer"},

		{"match", "t3", match, says{"t1": values("12-345")}, "affirmed 345/12"},
		{"no match", "t3", match, says{"t1": values("12-")}, "unknown"},
		{"the match of a part is none", "t3", match, says{"t1": values("x12-345")}, "unknown"},
		{"match, unknown", "t3", match, says{"t1": nothing}, "unknown"},
		{"boolean match", "b3", test, says{"t1": values("b")}, "affirmed"},
		{"boolean match of a part is none", "b3", test, says{"t1": values("ab")}, "denied"},
		{"boolean match, unknown", "b3", test, says{"t1": nothing}, "unknown"},
		{"match that makes no value", "n11", Match{name("t1"), `(.*)`, "$1"}, says{"t1": values("71000041001")}, "bad answer"},
		{"match that makes blanks", "t3", Match{name("t1"), `a(.*)b`, "$1"}, says{"t1": values("a b")}, "bad answer"},
		{"match that makes nothing", "t3", Match{name("t1"), `a(.*)b`, "$1"}, says{"t1": values("ab")}, "bad answer"},

		{"in the table", "t3", table, says{"t1": values("2")}, "affirmed two"},
		{"not in the table", "t3", table, says{"t1": values("3")}, "unknown"},
		{"table, unknown", "t3", table, says{"t1": nothing}, "unknown"},
		{"table of booleans, true", "b3", truth, says{"t1": values("1")}, "affirmed"},
		{"table of booleans, false", "b3", truth, says{"t1": values("2")}, "denied"},
		{"table of booleans, neither", "b3", truth, says{"t1": values("3")}, "unknown"},

		{"any: true, denied", "b3", either, says{"b1": yes, "b2": no}, "affirmed"},
		{"any: unknown, true", "b3", either, says{"b1": nothing, "b2": yes}, "affirmed"},
		{"any: denied, unknown", "b3", either, says{"b1": no, "b2": nothing}, "unknown"},
		{"any: both denied", "b3", either, says{"b1": no, "b2": no}, "denied"},
		{"all: both true", "b3", both, says{"b1": yes, "b2": yes}, "affirmed"},
		{"all: true, denied", "b3", both, says{"b1": yes, "b2": no}, "denied"},
		{"all: unknown, denied", "b3", both, says{"b1": nothing, "b2": no}, "denied"},
		{"all: true, unknown", "b3", both, says{"b1": yes, "b2": nothing}, "unknown"},

		{"concat", "t3", joined, says{"t1": values("a"), "t2": values("b")}, "affirmed a-ba"},
		{"concat, one unknown", "t3", joined, says{"t1": values("a"), "t2": nothing}, "unknown"},
		{"concat that is no value", "t3", joined, says{"t1": values(strings.Repeat("a", 600)), "t2": values("b")}, "bad answer"},

		{"an input that is no answer", "b3", list, says{"t1": {}}, "bad answer"},
		{"an input of another kind", "n11", number, says{"n8": values("x"), "t1": values("001")}, "bad answer"},
		{"an input that has ended", "b3", list, says{"t1": {State: attrs.Affirmed, Values: []string{"100"}, NotOnOrAfter: instant}}, "bad answer"},
	}
	c := catalogue(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := &world{says: test.says, fails: map[string]error{}}
			s, err := Open(Config{ID: "derived", Catalogue: c, Inputs: w, Rules: []Rule{{name(test.of), test.form}}})
			if err != nil {
				t.Fatal(err)
			}
			if got := words(ask(t, s, c, test.of)); got != test.want || w.asked != 1 {
				t.Errorf("%s, want %s; asked %d times", got, test.want, w.asked)
			}
			for input := range test.says { // whatever the others say
				w.fails[input] = &attrs.Error{Reason: attrs.DeadlineExceeded, Source: "world"}
				if got := words(ask(t, s, c, test.of)); got != "deadline exceeded" && got != test.want || got == test.want && got != "bad answer" {
					t.Errorf("without %s: %s", input, got)
				}
				delete(w.fails, input)
			}
		})
	}
}

func words(got []attrs.Certified, err error) string {
	if err != nil {
		if len(got) != 0 {
			return "answers beside an error"
		}
		return attrs.ReasonOf(err).String()
	}
	var all []string
	for i := range got {
		w := got[i].State.String()
		if got[i].State == attrs.Unresolved {
			w = got[i].Failure.Reason.String()
		} else if err := got[i].Check(instant); err != nil {
			w = err.Error()
		}
		all = append(all, strings.Join(append([]string{w}, got[i].Values...), " "))
	}
	return strings.Join(all, ", ")
}

// Rules of rules: one question for all inputs in the end, and one input that fails takes with it what needs it, no more.
func TestChain(t *testing.T) {
	c := catalogue(t)
	w := &world{says: map[string]attrs.Certified{"hidden": values("100"), "b1": yes, "t2": values("x")}, fails: map[string]error{}}
	s, err := Open(Config{ID: "derived", Catalogue: c, Inputs: w, Rules: []Rule{
		{name("b3"), All{name("b1"), name("b2")}},
		{name("b2"), InList{name("hidden"), []string{"100"}}},
		{name("t3"), Concat{{Of: name("t2")}, {Text: "!"}}},
		{name("b4"), Any{name("b3"), name("b1")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := words(ask(t, s, c, "b4", "t3", "b3", "b2")); got != "affirmed, affirmed x!, affirmed, affirmed" || w.asked != 1 {
		t.Errorf("%s, asked %d times", got, w.asked)
	}
	w.fails["hidden"] = &attrs.Error{Reason: attrs.SourceUnavailable, Source: "world"}
	if got := words(ask(t, s, c, "b4", "t3", "b2")); got != "source unavailable, affirmed x!, source unavailable" {
		t.Error(got)
	}
	w.fails["hidden"] = errors.New("all is lost")
	if got := words(ask(t, s, c, "t3")); got != "affirmed x!" {
		t.Error(got)
	}
	if got := words(ask(t, s, c, "b4", "t3")); got != "source unavailable" {
		t.Error(got)
	}
	var inputs []string
	for _, d := range s.Inputs() {
		inputs = append(inputs, d.Name)
	}
	slices.Sort(inputs)
	if !slices.Equal(inputs, []string{"b1", "hidden", "t2"}) || len(s.Attributes()) != 4 || s.Health(t.Context()) != nil || s.Close() != nil {
		t.Errorf("inputs %v, %d attributes", inputs, len(s.Attributes()))
	}
	if got := words(ask(t, s, c, "t1")); got != "no source" {
		t.Error(got)
	}
	if _, err := s.Resolve(t.Context(), &attrs.Query{Definitions: []*attrs.Definition{find(t, c, "t3")}, At: instant}, nil); attrs.ReasonOf(err) != attrs.NoSubject {
		t.Error(err)
	}
}

// R4: a derived answer holds where all of its inputs do, whichever decided, and is as old and as stale as the worst.
func TestValidityIsTheIntersection(t *testing.T) {
	c := catalogue(t)
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{says: map[string]attrs.Certified{}}
		var starts, ends, retrieved []time.Time
		var origins []attrs.Origin
		for _, n := range []string{"b1", "b2", "b3"} {
			a := attrs.Certified{State: attrs.State(rapid.IntRange(1, 3).Draw(rt, "state")), Origin: attrs.Origin(rapid.IntRange(0, 2).Draw(rt, "origin")),
				RetrievedAt: instant.Add(-time.Duration(rapid.IntRange(0, 100).Draw(rt, "age")) * time.Second)}
			if rapid.Bool().Draw(rt, "begins") {
				a.NotBefore = instant.Add(-time.Duration(rapid.IntRange(0, 100).Draw(rt, "since")) * time.Second)
			}
			if rapid.Bool().Draw(rt, "ends") {
				a.NotOnOrAfter = instant.Add(time.Duration(rapid.IntRange(1, 100).Draw(rt, "until")) * time.Second)
				ends = append(ends, a.NotOnOrAfter)
			}
			w.says[n] = a
			starts, retrieved, origins = append(starts, a.NotBefore), append(retrieved, a.RetrievedAt), append(origins, a.Origin)
		}
		form := rapid.SampledFrom([]Form{Any{name("b1"), name("b2"), name("b3")}, All{name("b1"), name("b2"), name("b3")}}).Draw(rt, "form")
		s, err := Open(Config{ID: "derived", Catalogue: c, Inputs: w, Rules: []Rule{{name("b4"), form}}})
		if err != nil {
			rt.Fatal(err)
		}
		got, err := ask(t, s, c, "b4")
		if err != nil {
			rt.Fatal(err)
		}
		var end time.Time
		if len(ends) > 0 {
			end = slices.MinFunc(ends, time.Time.Compare)
		}
		if a := got[0]; !a.NotBefore.Equal(slices.MaxFunc(starts, time.Time.Compare)) || !a.NotOnOrAfter.Equal(end) ||
			!a.RetrievedAt.Equal(slices.MinFunc(retrieved, time.Time.Compare)) || a.Origin != slices.Max(origins) || a.Source != "derived" {
			rt.Fatalf("%+v of %+v", a, w.says)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	c := catalogue(t)
	w := &world{}
	list := func(of string, values ...string) Form { return InList{name(of), values} }
	for what, rules := range map[string][]Rule{
		"no rule":                     nil,
		"no form":                     {{name("b1"), nil}},
		"an attribute nobody defines": {{name("x"), list("t1", "a")}},
		"identification":              {{attrs.Designator{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification}, list("t1", "a")}},
		"a computed one":              {{name(attrs.UserSession), list("t1", "a")}},
		"an input nobody defines":     {{name("b1"), list("x", "a")}},
		"a computed input":            {{name("b1"), Any{name(attrs.UserSession)}}},
		"two rules for one":           {{name("b1"), list("t1", "a")}, {name("b1"), list("t1", "b")}},
		"of itself":                   {{name("b1"), Any{name("b1")}}},
		"of itself by another":        {{name("b1"), Any{name("b2")}}, {name("b2"), All{name("b1")}}},
		"of itself by two others":     {{name("b1"), Any{name("b2")}}, {name("b2"), All{name("b3"), name("b4")}}, {name("b4"), Any{name("b1")}}},
		"another person's":            {{name("t1"), Concat{{Of: name("holder")}}}},
		"an organisation's":           {{name("t1"), Concat{{Of: name("org")}}}},
		"a relation's":                {{name("b1"), Any{name("rel")}}},
		"no input":                    {{name("b1"), Any{}}},
		"too many inputs":             {{name("b1"), Any(slices.Repeat([]attrs.Designator{name("b2")}, MaxInputs+1))}},
		"text only":                   {{name("t1"), Concat{{Text: "a"}}}},
		"a list for a text":           {{name("t1"), list("t2", "a")}},
		"a list of booleans":          {{name("b1"), list("b2", "true")}},
		"an empty list":               {{name("b1"), list("t1")}},
		"one value twice":             {{name("b1"), list("t1", "a", "a")}},
		"a value of another kind":     {{name("b1"), list("n8", "a")}},
		"a number for a text":         {{name("t2"), NIHII11{name("n8"), name("t1")}}},
		"a number of texts":           {{name("n11"), NIHII11{name("t1"), name("t2")}}},
		"a qualification that is one": {{name("n11"), NIHII11{name("n8"), name("n8")}}},
		"no pattern":                  {{name("b1"), Match{Of: name("t1")}}},
		"a pattern that is none":      {{name("b1"), Match{Of: name("t1"), Pattern: "("}}},
		"a pattern that breaks out":   {{name("b1"), Match{Of: name("t1"), Pattern: "a)|(?:b"}}},
		"a pattern too long":          {{name("b1"), Match{Of: name("t1"), Pattern: strings.Repeat("a", MaxPatternBytes+1)}}},
		"a pattern that explodes":     {{name("b1"), Match{Of: name("t1"), Pattern: "((a{100}){100}){100}"}}},
		"a boolean with a value":      {{name("b1"), Match{name("t1"), "a", "b"}}},
		"a text without":              {{name("t2"), Match{Of: name("t1"), Pattern: "a"}}},
		"a group it does not have":    {{name("t2"), Match{name("t1"), "(a)", "$2"}}},
		"a group that runs on":        {{name("t2"), Match{name("t1"), "(a)", "$1x"}}},
		"a match of a boolean":        {{name("b1"), Match{Of: name("b2"), Pattern: "true"}}},
		"a match of several":          {{name("b1"), Match{Of: name("many"), Pattern: "a"}}},
		"an empty table":              {{name("t1"), Map{name("t2"), nil}}},
		"a table of other kinds":      {{name("b1"), Map{name("t2"), map[string]string{"a": "yes"}}}},
		"logic of texts":              {{name("b1"), Any{name("t1")}}},
		"logic for a text":            {{name("t1"), All{name("b1")}}},
		"a concat of booleans":        {{name("t1"), Concat{{Of: name("b1")}}}},
		"a part that is both":         {{name("t1"), Concat{{Of: name("t2"), Text: "x"}}}},
		"a part that is nothing":      {{name("t1"), Concat{{Of: name("t2")}, {}}}},
	} {
		if s, err := Open(Config{ID: "derived", Catalogue: c, Inputs: w, Rules: rules}); err == nil || s != nil {
			t.Errorf("%s: accepted", what)
		} else if e := (*RuleError)(nil); rules != nil && !errors.As(err, &e) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, config := range map[string]Config{
		"no ID":        {Catalogue: c, Inputs: w, Rules: []Rule{{name("b1"), list("t1", "a")}}},
		"no catalogue": {ID: "d", Inputs: w, Rules: []Rule{{name("b1"), list("t1", "a")}}},
		"no inputs":    {ID: "d", Catalogue: c, Rules: []Rule{{name("b1"), list("t1", "a")}}},
	} {
		if _, err := Open(config); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	// What is known of a person or of a pharmacy may go into what is said of the person in the pharmacy.
	if _, err := Open(Config{ID: "d", Catalogue: c, Inputs: w, Rules: []Rule{{name("rel"), InList{name("t1"), []string{"a"}}}}}); err != nil {
		t.Error(err)
	}
	if _, err := Open(Config{ID: "d", Catalogue: c, Inputs: w, Rules: []Rule{{name("rel"), InList{name("org"), []string{"a"}}}}}); err != nil {
		t.Error(err)
	}
}

// Behind a Resolver: an input that is down takes only what is made of it, hidden attributes are not found by their names on
// the wire, and the end of what is derived is the earliest of its inputs'.
func TestBehindTheResolver(t *testing.T) {
	c := catalogue(t)
	facts, err := attrs.NewStatic("facts", func() time.Time { return instant }, []attrs.StaticFact{
		{Subject: attrs.Subject{Type: attrs.SubjectSSIN, Value: alice}, Definition: find(t, c, "hidden"), Fact: attrs.Fact{Value: "100", NotOnOrAfter: instant.Add(time.Hour)}},
		{Subject: attrs.Subject{Type: attrs.SubjectSSIN, Value: alice}, Definition: find(t, c, "b1"), Fact: attrs.Fact{Value: "true", NotOnOrAfter: instant.Add(2 * time.Hour)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var r *attrs.Resolver
	later := resolverFunc(func(ctx context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error) {
		return r.Resolve(ctx, q, dst)
	})
	s, err := Open(Config{ID: "derived", Catalogue: c, Inputs: later, Rules: []Rule{
		{name("b3"), All{name("b2"), name("b1")}}, {name("b2"), InList{name("hidden"), []string{"100"}}}, {name("t3"), Concat{{Of: name("t2")}}}}})
	if err != nil {
		t.Fatal(err)
	}
	r, err = attrs.NewResolver(attrs.Config{Catalogue: c, Budget: 5 * time.Second, CacheEntries: 100, CacheTTL: time.Minute, Routes: []attrs.Route{
		{Source: facts},
		{Source: broken{}, Attributes: []attrs.Designator{name("t2")}},
		{Source: s, CacheTTL: -1, Attributes: []attrs.Designator{name("b3"), name("b2"), name("t3")}, Optional: []attrs.Designator{name("t3")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ssin, _ := c.Find(attrs.Designator{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification})
	q := &attrs.Query{Subjects: []attrs.Keyed{{By: ssin, Value: alice}}, At: instant, Definitions: []*attrs.Definition{find(t, c, "b3"), find(t, c, "t3")}}
	got, err := r.Resolve(t.Context(), q, nil)
	if w := words(got, err); w != "affirmed, source unavailable" || !attrs.Earliest(got).Equal(instant.Add(time.Hour)) {
		t.Errorf("%s until %v", w, attrs.Earliest(got))
	}
	if _, ok := c.Lookup([]byte("hidden"), []byte(attrs.NamespaceCertified)); ok {
		t.Error("a hidden attribute is found on the wire")
	}
	if _, certified := c.ByName([]byte("hidden")); certified != nil {
		t.Error("a hidden attribute is found by a claim")
	}
}

type resolverFunc func(context.Context, *attrs.Query, []attrs.Certified) ([]attrs.Certified, error)

func (f resolverFunc) Resolve(ctx context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error) {
	return f(ctx, q, dst)
}

type broken struct{}

func (broken) ID() string { return "broken" }

func (broken) Resolve(_ context.Context, _ *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error) {
	return dst, fmt.Errorf("down")
}

// Whatever a pattern, a template and a value are: what is derived is a value of its kind, or none, or an error.
func FuzzMatch(f *testing.F) {
	c := catalogue(f)
	f.Add(`([0-9]{2})-(?P<b>[0-9]+)`, "${b}/$1", "12-345")
	f.Add(`(.*)`, "$1", "71000041001")
	f.Add(`a)|(?:b`, "$$", "b")
	f.Add(`\A\z|(x)?`, "$1", "y")
	f.Fuzz(func(t *testing.T, pattern, template, value string) {
		w := &world{says: map[string]attrs.Certified{"t1": values(value)}}
		for _, of := range []string{"t3", "n11", "b1"} {
			form := Match{Of: name("t1"), Pattern: pattern, Value: template}
			if of == "b1" {
				form.Value = ""
			}
			s, err := Open(Config{ID: "derived", Catalogue: c, Inputs: w, Rules: []Rule{{name(of), form}}})
			if err != nil {
				continue
			}
			got, err := ask(t, s, c, of)
			if err != nil {
				if attrs.ReasonOf(err) != attrs.BadAnswer || len(got) != 0 || len(value) > 3 && strings.Contains(err.Error(), ": "+value) {
					t.Fatal(err)
				}
				continue
			}
			if err := got[0].Check(instant); err != nil {
				t.Fatal(err)
			}
		}
	})
}
