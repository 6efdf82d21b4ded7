package attrs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A behaviour is what a source does with one question.
type behaviour func(*scripted, context.Context, *Query, []Certified) ([]Certified, error)

// scripted is a source that behaves as its script says, one question after the other; the last behaviour stays.
type scripted struct {
	source
	script  []behaviour
	release chan struct{} // closed: deaf questions end
	never   bool          // it does not say that it may be asked again
}

func (s *scripted) Idempotent() bool { return !s.never }

func newScripted(id string, script ...behaviour) *scripted {
	s := &scripted{source: source{id: id}, script: script, release: make(chan struct{})}
	s.epoch.Store(1)
	s.resolve = func(ctx context.Context, q *Query, dst []Certified) ([]Certified, error) {
		n := min(int(s.asked.Load()), len(s.script)) - 1
		return s.script[n](s, ctx, q, dst)
	}
	return s
}

func well(s *scripted, _ context.Context, q *Query, dst []Certified) ([]Certified, error) {
	for _, d := range q.Definitions {
		dst = append(dst, s.answer(d))
	}
	return dst, nil
}

// slow answers after d, or fails when its time is up.
func slow(d time.Duration) behaviour {
	return func(s *scripted, ctx context.Context, q *Query, dst []Certified) ([]Certified, error) {
		select {
		case <-time.After(d):
			return well(s, ctx, q, dst)
		case <-ctx.Done():
			return dst, errors.New("interrupted")
		}
	}
}

func down(_ *scripted, _ context.Context, _ *Query, dst []Certified) ([]Certified, error) {
	return dst, errors.New("connection refused")
}

// rejected says that its password was refused, and that each try counts.
func rejected(s *scripted, _ context.Context, _ *Query, dst []Certified) ([]Certified, error) {
	return dst, &Error{Reason: SourceUnavailable, Source: s.id, Err: fmt.Errorf("password refused: %w", ErrNotAgain)}
}

func hang(_ *scripted, ctx context.Context, _ *Query, dst []Certified) ([]Certified, error) {
	<-ctx.Done()
	return dst, errors.New("interrupted")
}

func deaf(s *scripted, ctx context.Context, q *Query, dst []Certified) ([]Certified, error) {
	<-s.release
	return well(s, ctx, q, dst)
}

func panics(*scripted, context.Context, *Query, []Certified) ([]Certified, error) { panic("driver") }

// wrong gives an answer that its definition does not allow.
func wrong(s *scripted, ctx context.Context, q *Query, dst []Certified) ([]Certified, error) {
	dst, _ = well(s, ctx, q, dst)
	dst[len(dst)-1].Values = []string{"smuggled", "in"}
	return dst, nil
}

// cut gives an answer too few.
func cut(s *scripted, ctx context.Context, q *Query, dst []Certified) ([]Certified, error) {
	dst, _ = well(s, ctx, q, dst)
	return dst[:len(dst)-1], nil
}

func denies(s *scripted, _ context.Context, q *Query, dst []Certified) ([]Certified, error) {
	for _, d := range q.Definitions {
		c := s.answer(d)
		if c.State, c.Values = Denied, nil; d.Kind != Boolean {
			c.State = Unknown
		}
		dst = append(dst, c)
	}
	return dst, nil
}

// A rig is a resolver in a bubble of synctest, whose clock begins at instant zero of the test.
type rig struct {
	t        *testing.T
	resolver *Resolver
	config   Config
	began    time.Time
	sources  []*scripted
}

const rigBudget = time.Second

func newRig(t *testing.T, routes ...Route) *rig {
	t.Helper()
	g := &rig{t: t, began: time.Now(), config: Config{Catalogue: EHealth(), Routes: routes, Budget: rigBudget, CacheEntries: 100, CacheTTL: time.Minute}}
	var err error
	if g.resolver, err = NewResolver(g.config); err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		for _, s := range append([]Source{r.Source}, r.Standby...) {
			g.sources = append(g.sources, s.(*scripted))
		}
	}
	t.Cleanup(func() {
		for _, s := range g.sources {
			close(s.release)
		}
		g.resolver.Close()
	})
	return g
}

// at is the instant of a question asked now.
func (g *rig) at() time.Time { return instant.Add(time.Since(g.began)) }

func (g *rig) query(names ...string) *Query {
	q := &Query{Subjects: []Keyed{{find(g.t, PersonSSIN, NamespaceIdentification), alice}}, At: g.at()}
	for _, name := range names {
		q.Definitions = append(q.Definitions, find(g.t, name, NamespaceCertified))
	}
	return q
}

// ask gives what was answered in words: "primary live affirmed", one for each attribute, or the reason; and sees that
// whatever was answered may be.
func (g *rig) ask(names ...string) string {
	g.t.Helper()
	return g.put(g.t.Context(), g.query(names...))
}

func (g *rig) put(ctx context.Context, q *Query) string {
	g.t.Helper()
	dst := make([]Certified, 0, 8)
	got, err := g.resolver.Resolve(ctx, q, dst)
	if err != nil {
		for _, c := range dst[:cap(dst)] {
			if c.State != 0 {
				g.t.Errorf("an answer was left behind: %+v", c)
			}
		}
		if strings.Contains(err.Error(), alice) {
			g.t.Errorf("the error names a person: %v", err)
		}
		return ReasonOf(err).String()
	}
	var words []string
	for i := range got {
		c := &got[i]
		if c.Definition != q.Definitions[i] {
			g.t.Errorf("answer %d is about %s", i, c.Definition.Name)
		}
		if c.State == Unresolved {
			if !g.resolver.Optional(c.Definition) || c.Check(q.At) == nil || len(wire(*c)) != 0 {
				g.t.Errorf("left out, and yet something: %+v", c)
			}
			words = append(words, "left out: "+c.Failure.Reason.String())
			continue
		}
		if err := c.Check(q.At); err != nil {
			g.t.Errorf("answer %d: %v", i, err)
		}
		words = append(words, fmt.Sprint(c.Source, " ", c.Origin, " ", c.State))
	}
	if g.resolver.cache != nil {
		g.resolver.cache.entries.Wait()
	}
	return strings.Join(words, ", ")
}

func (g *rig) asked() string {
	var counts []string
	for _, s := range g.sources {
		counts = append(counts, fmt.Sprint(s.asked.Load()))
	}
	return strings.Join(counts, " ")
}

const doctorName, surnameName = PersonSSIN + ":doctor:boolean", person + "surname"

// The table of outages: whatever sources do, a query has an answer that one of them gave, or an error, after at most the
// budget; and each is asked as often as the configuration says.
func TestOutages(t *testing.T) {
	const timeout = 100 * time.Millisecond
	retried := Route{Retries: 2, RetryWait: 10 * time.Millisecond, Timeout: timeout}
	quick := Route{Timeout: timeout}
	long := Route{Timeout: rigBudget}
	tests := map[string]struct {
		route   Route
		primary []behaviour
		standby []behaviour // nil: there is none
		want    string
		asked   string
		took    time.Duration // exact; negative: at most the budget
	}{
		"well": {quick, []behaviour{well}, []behaviour{well}, "primary live affirmed", "1 0", 0},

		"down":                          {quick, []behaviour{down}, nil, "source unavailable", "1", 0},
		"hangs to its time-out":         {quick, []behaviour{hang}, nil, "deadline exceeded", "1", timeout},
		"hangs, no time-out":            {Route{}, []behaviour{hang}, nil, "deadline exceeded", "1", rigBudget},
		"deaf to its time-out":          {quick, []behaviour{deaf}, nil, "deadline exceeded", "1", timeout},
		"slow, just in time":            {quick, []behaviour{slow(timeout - 1)}, nil, "primary live affirmed", "1", timeout - 1},
		"slow, too late":                {quick, []behaviour{slow(timeout + 1)}, nil, "deadline exceeded", "1", timeout},
		"slow, at the budget's edge":    {long, []behaviour{slow(rigBudget - 1)}, nil, "primary live affirmed", "1", rigBudget - 1},
		"slow, beyond the budget":       {long, []behaviour{slow(rigBudget + 1)}, nil, "deadline exceeded", "1", rigBudget},
		"panics":                        {quick, []behaviour{panics}, nil, "source unavailable", "1", 0},
		"a wrong answer":                {quick, []behaviour{wrong}, nil, "bad answer", "1", 0},
		"an answer too few":             {quick, []behaviour{cut}, nil, "bad answer", "1", 0},
		"failover when down":            {quick, []behaviour{down}, []behaviour{well}, "standby live affirmed", "1 1", 0},
		"failover when hanging":         {quick, []behaviour{hang}, []behaviour{well}, "standby live affirmed", "1 1", timeout},
		"failover when deaf":            {quick, []behaviour{deaf}, []behaviour{well}, "standby live affirmed", "1 1", timeout},
		"failover after half a budget":  {Route{}, []behaviour{deaf}, []behaviour{well}, "standby live affirmed", "1 1", rigBudget / 2},
		"failover after a panic":        {quick, []behaviour{panics}, []behaviour{well}, "standby live affirmed", "1 1", 0},
		"failover after nonsense":       {quick, []behaviour{wrong}, []behaviour{well}, "standby live affirmed", "1 1", 0},
		"failover after a short answer": {quick, []behaviour{cut}, []behaviour{well}, "standby live affirmed", "1 1", 0},
		"both down":                     {quick, []behaviour{down}, []behaviour{down}, "source unavailable", "1 1", 0},
		"both hang":                     {quick, []behaviour{hang}, []behaviour{hang}, "deadline exceeded", "1 1", 2 * timeout},
		"no failover from a denial":     {quick, []behaviour{denies}, []behaviour{well}, "primary live denied", "1 0", 0},

		"no retry unless said":      {quick, []behaviour{down, well}, nil, "source unavailable", "1", 0},
		"retry, the second is well": {retried, []behaviour{down, well}, nil, "primary live affirmed", "2", -1},
		"retry, the third is well":  {retried, []behaviour{down, hang, well}, nil, "primary live affirmed", "3", -1},
		"retry, and no more":        {retried, []behaviour{down}, nil, "source unavailable", "3", -1},
		"no retry of nonsense":      {retried, []behaviour{wrong, well}, nil, "bad answer", "1", 0},
		"no retry that would harm":  {retried, []behaviour{rejected, well}, nil, "source unavailable", "1", 0},
		"the standby is retried":    {retried, []behaviour{rejected, well}, []behaviour{down, well}, "standby live affirmed", "1 2", -1},
		"failover before a retry":   {retried, []behaviour{down}, []behaviour{down, well}, "standby live affirmed", "2 2", -1},
		"no retry without budget": {Route{Timeout: rigBudget, Retries: 1, RetryWait: 10 * time.Millisecond},
			[]behaviour{hang, well}, nil, "deadline exceeded", "1", rigBudget},
		"no retry whose wait is longer than the budget": {Route{Timeout: timeout, Retries: 1, RetryWait: 3 * rigBudget},
			[]behaviour{down, well}, nil, "source unavailable", "1", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				route := test.route
				route.Source = newScripted("primary", test.primary...)
				if test.standby != nil {
					route.Standby = []Source{newScripted("standby", test.standby...)}
				}
				g := newRig(t, route)
				got := g.ask(doctorName)
				took := time.Since(g.began)
				if got != test.want || g.asked() != test.asked {
					t.Errorf("%s, asked %s; want %s, asked %s", got, g.asked(), test.want, test.asked)
				}
				if test.took >= 0 && took != test.took || took > rigBudget {
					t.Errorf("it took %v, want %v", took, test.took)
				}
			})
		})
	}
}

// An optional attribute that cannot be had is left out, the others are answered as if it had not been asked for, and no
// attribute is optional unless it is said to be.
func TestOptional(t *testing.T) {
	badSurname := func(s *scripted, ctx context.Context, q *Query, dst []Certified) ([]Certified, error) {
		for _, d := range q.Definitions {
			if d.Name == surnameName {
				return dst, &Error{Reason: BadAnswer, Source: s.id, Attribute: d.Name, Err: errConflict}
			}
			dst = append(dst, s.answer(d))
		}
		return dst, nil
	}
	surname := []Designator{{surnameName, NamespaceCertified}}
	const both = "main live affirmed, "
	tests := map[string]struct {
		names    behaviour // of the source of the surname; nil: it is the main source's too
		main     behaviour
		optional bool
		want     string
	}{
		"mandatory, down":        {down, well, false, "source unavailable"},
		"mandatory, hangs":       {hang, well, false, "deadline exceeded"},
		"mandatory, wrong":       {wrong, well, false, "bad answer"},
		"optional, well":         {well, well, true, both + "names live affirmed"},
		"optional, unknown":      {denies, well, true, both + "names live unknown"},
		"optional, down":         {down, well, true, both + "left out: source unavailable"},
		"optional, hangs":        {hang, well, true, both + "left out: deadline exceeded"},
		"optional, deaf":         {deaf, well, true, both + "left out: deadline exceeded"},
		"optional, panics":       {panics, well, true, both + "left out: source unavailable"},
		"optional, wrong":        {wrong, well, true, both + "left out: bad answer"},
		"optional, short":        {cut, well, true, both + "left out: bad answer"},
		"the mandatory one down": {well, down, true, "source unavailable"},

		"one source, well":                        {nil, well, true, both + "main live affirmed"},
		"one source, down":                        {nil, down, true, "source unavailable"},
		"one source, wrong about the optional":    {nil, wrong, true, both + "left out: bad answer"},
		"one source, conflict about the optional": {nil, badSurname, true, both + "left out: bad answer"},
		"one source, conflict, mandatory":         {nil, badSurname, false, "bad answer"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				main := Route{Source: newScripted("main", test.main)}
				routes := []Route{main}
				if test.names != nil {
					routes = append(routes, Route{Source: newScripted("names", test.names), Attributes: surname})
				}
				if test.optional {
					routes[len(routes)-1].Optional = surname
				}
				g := newRig(t, routes...)
				if got := g.ask(doctorName, surnameName); got != test.want {
					t.Errorf("%s, want %s", got, test.want)
				}
				if strings.Contains(test.want, "left out") { // and nothing of it is kept, but the other is, where it has its own source
					if got := g.ask(surnameName); !strings.HasPrefix(got, "left out") {
						t.Errorf("afterwards: %s", got)
					}
				}
				s := g.resolver.Status()
				if left := s[len(s)-1].LeftOut; (left > 0) != strings.Contains(test.want, "left out") {
					t.Errorf("counted %d left out", left)
				}
			})
		})
	}
}

// What need not be had takes no time from what must, wherever its route stands: a refusal does not wait for it, and a mandatory
// attribute is asked again in time where the question that was joined came to nothing.
func TestOptionalDoesNotDelay(t *testing.T) {
	surname := []Designator{{surnameName, NamespaceCertified}}
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Route{Source: newScripted("names", hang), Attributes: surname, Optional: surname}, Route{Source: newScripted("main", down)})
		if got := g.ask(surnameName, doctorName); got != "source unavailable" || time.Since(g.began) != 0 {
			t.Errorf("%s after %v", got, time.Since(g.began))
		}
		time.Sleep(rigBudget) // the other question ends with its own time
	})
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Route{Source: newScripted("names", hang), Attributes: surname, Optional: surname},
			Route{Source: newScripted("main", hang, slow(rigBudget/10)), Timeout: rigBudget / 2})
		var first, second string
		var group sync.WaitGroup
		group.Go(func() { first = g.ask(doctorName) })
		group.Go(func() { time.Sleep(rigBudget * 4 / 10); second = g.ask(surnameName, doctorName) })
		group.Wait()
		if first != "deadline exceeded" || second != "left out: deadline exceeded, main live affirmed" {
			t.Errorf("%q, %q", first, second)
		}
	})
}

// What is wrong with the query is an error for optional attributes too, and so is a caller who gave up.
func TestOptionalDoesNotHideTheQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Route{Source: newScripted("main", hang), AllOptional: true})
		if got := g.put(t.Context(), &Query{Definitions: g.query(doctorName).Definitions, At: g.at()}); got != "no subject" {
			t.Error(got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), rigBudget/2)
		defer cancel()
		if got := g.put(ctx, g.query(doctorName)); got != "deadline exceeded" {
			t.Error(got)
		}
		gone, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, stop)
		if got := g.put(gone, g.query(doctorName)); got != "canceled" {
			t.Error(got)
		}
		if got := g.ask(doctorName); got != "left out: deadline exceeded" {
			t.Error(got)
		}
	})
}
