package attrs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source is a Source that does what a test wants.
type source struct {
	id      string
	asked   atomic.Int32
	epoch   atomic.Uint64 // zero: cannot tell
	resolve func(context.Context, *Query, []Certified) ([]Certified, error)
}

func (s *source) ID() string { return s.id }

func (s *source) Epoch() (uint64, bool) { n := s.epoch.Load(); return n, n != 0 }

func (s *source) Resolve(ctx context.Context, q *Query, dst []Certified) ([]Certified, error) {
	s.asked.Add(1)
	if s.resolve != nil {
		return s.resolve(ctx, q, dst)
	}
	for _, d := range q.Definitions {
		dst = append(dst, s.answer(d))
	}
	return dst, nil
}

// answer affirms d, with the ID of the source where the kind allows it.
func (s *source) answer(d *Definition) Certified {
	c := Certified{Definition: d, State: Affirmed, Source: s.id, RetrievedAt: instant}
	switch d.Kind {
	case Text:
		c.Values = []string{s.id}
	case NIHII11:
		c.Values = []string{"71000040001"}
	}
	return c
}

func resolver(t testing.TB, cached bool, routes ...Route) *Resolver {
	t.Helper()
	c := Config{Catalogue: EHealth(), Routes: routes, Budget: 5 * time.Second}
	if cached {
		c.CacheEntries, c.CacheTTL = 1000, time.Minute
	}
	r, err := NewResolver(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func TestResolveInTheOrderAsked(t *testing.T) {
	ssin := find(t, PersonSSIN, NamespaceIdentification)
	doctor := find(t, PersonSSIN+":doctor:boolean", NamespaceCertified)
	given, surname := find(t, person+"givenname", NamespaceCertified), find(t, person+"surname", NamespaceCertified)
	session := find(t, UserSession, NamespaceCertified)
	names, rest := &source{id: "names"}, &source{id: "rest"}
	names.epoch.Store(1)
	for _, cached := range []bool{false, true} {
		r := resolver(t, cached, Route{Source: rest}, Route{Source: names, Attributes: []Designator{given.Designator, {surname.Name, namespaceCertifiedTypo}}})
		q := &Query{
			Subjects:    []Keyed{{ssin, alice}},
			Definitions: []*Definition{surname, doctor, ssin, given, session, surname, doctor},
			At:          instant,
			Given: []Certified{
				{Definition: session, State: Denied, Source: "sts", RetrievedAt: instant},
				{Definition: ssin, State: Affirmed, Values: []string{alice}, Source: "sts", RetrievedAt: instant},
			},
		}
		before := []Certified{{Source: "kept"}}
		for round := range 3 {
			got, err := r.Resolve(t.Context(), q, before)
			if err != nil {
				t.Fatal(err)
			}
			var line []string
			for _, c := range got {
				line = append(line, c.Source+" "+strings.Join(wire(c), ","))
			}
			want := []string{"kept ", "names names", "rest true", "sts " + alice, "names names", "sts false", "names names", "rest true"}
			if !slices.Equal(line, want) {
				t.Errorf("cached %v, round %d: %q", cached, round, line)
			}
			for i, d := range q.Definitions {
				if got[i+1].Definition != d {
					t.Errorf("answer %d is about %s", i, got[i+1].Definition.Name)
				}
			}
			if cached {
				r.cache.entries.Wait()
			}
		}
	}
	if names.asked.Load() != 3+1 || rest.asked.Load() != 3+3 { // rest cannot tell its epoch: never from the cache
		t.Errorf("asked %d and %d times", names.asked.Load(), rest.asked.Load())
	}
}

// The fault table: whatever a source does, a query has right answers or an error with the reason, and never a denial.
func TestResolverFaults(t *testing.T) {
	ssin := find(t, PersonSSIN, NamespaceIdentification)
	doctor := find(t, PersonSSIN+":doctor:boolean", NamespaceCertified)
	nihii := find(t, person+"doctor:nihii11", NamespaceCertified)
	release := make(chan struct{})
	defer close(release)
	var good source
	good.id = "good"
	tests := map[string]struct {
		resolve func(context.Context, *Query, []Certified) ([]Certified, error)
		reason  Reason
	}{
		"an error": {func(_ context.Context, _ *Query, dst []Certified) ([]Certified, error) {
			return dst, errors.New("connection refused")
		}, SourceUnavailable},
		"an error of ours": {func(_ context.Context, _ *Query, dst []Certified) ([]Certified, error) {
			return dst, fmt.Errorf("wrapped: %w", &Error{Reason: BadAnswer})
		}, BadAnswer},
		"an error beside answers": {func(_ context.Context, q *Query, dst []Certified) ([]Certified, error) {
			return append(dst, good.answer(doctor), good.answer(nihii)), errors.New("half")
		}, SourceUnavailable},
		"a deadline of its own": {func(_ context.Context, _ *Query, dst []Certified) ([]Certified, error) {
			return dst, context.DeadlineExceeded
		}, DeadlineExceeded},
		"waits for the end of the budget": {func(ctx context.Context, _ *Query, dst []Certified) ([]Certified, error) {
			<-ctx.Done()
			return dst, errors.New("interrupted")
		}, DeadlineExceeded},
		"does not notice the end of the budget": {func(_ context.Context, _ *Query, dst []Certified) ([]Certified, error) {
			<-release
			return dst, nil
		}, DeadlineExceeded},
		"a panic":   {func(context.Context, *Query, []Certified) ([]Certified, error) { panic("driver") }, SourceUnavailable},
		"no answer": {func(_ context.Context, _ *Query, dst []Certified) ([]Certified, error) { return dst, nil }, BadAnswer},
		"nil":       {func(context.Context, *Query, []Certified) ([]Certified, error) { return nil, nil }, BadAnswer},
		"one too few": {func(_ context.Context, q *Query, dst []Certified) ([]Certified, error) {
			return append(dst, good.answer(doctor)), nil
		}, BadAnswer},
		"one too many": {func(_ context.Context, q *Query, dst []Certified) ([]Certified, error) {
			return append(dst, good.answer(doctor), good.answer(nihii), good.answer(nihii)), nil
		}, BadAnswer},
		"exchanged": {func(_ context.Context, q *Query, dst []Certified) ([]Certified, error) {
			return append(dst, good.answer(nihii), good.answer(doctor)), nil
		}, BadAnswer},
		"zero answers": {func(_ context.Context, q *Query, dst []Certified) ([]Certified, error) {
			return append(dst, Certified{}, Certified{}), nil
		}, BadAnswer},
		"a wrong check digit": {func(_ context.Context, q *Query, dst []Certified) ([]Certified, error) {
			c := good.answer(nihii)
			c.Values = []string{"71000041001"}
			return append(dst, good.answer(doctor), c), nil
		}, BadAnswer},
		"expired": {func(_ context.Context, q *Query, dst []Certified) ([]Certified, error) {
			c := good.answer(nihii)
			c.NotOnOrAfter = instant
			return append(dst, good.answer(doctor), c), nil
		}, BadAnswer},
		"no origin": {func(_ context.Context, q *Query, dst []Certified) ([]Certified, error) {
			c := good.answer(nihii)
			c.Source = ""
			return append(dst, good.answer(doctor), c), nil
		}, BadAnswer},
	}
	for name, test := range tests {
		for _, cached := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, cached %v", name, cached), func(t *testing.T) {
				bad := &source{id: "bad", resolve: test.resolve}
				bad.epoch.Store(1)
				c := Config{Catalogue: EHealth(), Routes: []Route{{Source: bad}}, Budget: 20 * time.Millisecond}
				if cached {
					c.CacheEntries, c.CacheTTL = 10, time.Minute
				}
				r, err := NewResolver(c)
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				q := &Query{Subjects: []Keyed{{ssin, alice}}, Definitions: []*Definition{doctor, nihii}, At: instant}
				dst := make([]Certified, 1, 8)
				for range 2 { // and nothing of it is kept
					got, err := r.Resolve(t.Context(), q, dst)
					if ReasonOf(err) != test.reason || len(got) != 1 {
						t.Fatalf("%+v, %v, want %v", got, err, test.reason)
					}
					if e := (*Error)(nil); errors.As(err, &e) && strings.Contains(err.Error(), alice) {
						t.Errorf("the error names a person: %v", err)
					}
					for _, c := range dst[1:8] {
						if c.State != 0 {
							t.Errorf("an answer was left behind: %+v", c)
						}
					}
					if cached {
						r.cache.entries.Wait()
					}
				}
				if test.resolve != nil && bad.asked.Load() != 2 {
					t.Errorf("asked %d times", bad.asked.Load())
				}
			})
		}
	}
}

// If one of two sources fails the whole query does, and neither answers for the other.
func TestResolveIsAllOrNothing(t *testing.T) {
	ssin := find(t, PersonSSIN, NamespaceIdentification)
	doctor, surname := find(t, PersonSSIN+":doctor:boolean", NamespaceCertified), find(t, person+"surname", NamespaceCertified)
	down := &source{id: "down", resolve: func(_ context.Context, _ *Query, dst []Certified) ([]Certified, error) {
		return dst, errors.New("down")
	}}
	up := &source{id: "up"}
	up.epoch.Store(1)
	down.epoch.Store(1)
	r := resolver(t, true, Route{Source: up}, Route{Source: down, Attributes: []Designator{surname.Designator}})
	q := &Query{Subjects: []Keyed{{ssin, alice}}, Definitions: []*Definition{doctor, surname}, At: instant}
	got, err := r.Resolve(t.Context(), q, nil)
	if e := (*Error)(nil); !errors.As(err, &e) || e.Reason != SourceUnavailable || e.Source != "down" || len(got) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	q.Definitions = q.Definitions[:1]
	if got, err := r.Resolve(t.Context(), q, nil); err != nil || len(got) != 1 {
		t.Errorf("the other source is lost too: %v", err)
	}
}

func TestResolveRefusesBeforeAnySource(t *testing.T) {
	ssin := find(t, PersonSSIN, NamespaceIdentification)
	doctor, session := find(t, PersonSSIN+":doctor:boolean", NamespaceCertified), find(t, UserSession, NamespaceCertified)
	surname := find(t, person+"surname", NamespaceCertified)
	other, err := EHealth().With()
	if err != nil {
		t.Fatal(err)
	}
	foreign, _ := other.Find(doctor.Designator)
	who := []Keyed{{ssin, alice}}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name   string
		ctx    context.Context
		q      *Query
		reason Reason
	}{
		{"no query", t.Context(), nil, InvalidQuery},
		{"no instant", t.Context(), &Query{Subjects: who, Definitions: []*Definition{doctor}}, InvalidQuery},
		{"no definition", t.Context(), &Query{Subjects: who, Definitions: []*Definition{nil}, At: instant}, InvalidQuery},
		{"the zero definition", t.Context(), &Query{Subjects: who, Definitions: []*Definition{{}}, At: instant}, InvalidQuery},
		{"another catalogue", t.Context(), &Query{Subjects: who, Definitions: []*Definition{foreign}, At: instant}, InvalidQuery},
		{"identification, not given", t.Context(), &Query{Subjects: who, Definitions: []*Definition{ssin}, At: instant}, NoSource},
		{"computed, not given", t.Context(), &Query{Subjects: who, Definitions: []*Definition{session}, At: instant}, NoSource},
		{"not routed", t.Context(), &Query{Subjects: who, Definitions: []*Definition{surname}, At: instant}, NoSource},
		{"nobody", t.Context(), &Query{Definitions: []*Definition{doctor}, At: instant}, NoSubject},
		{"two persons", t.Context(), &Query{Subjects: []Keyed{{ssin, alice}, {ssin, "93051822361"}}, Definitions: []*Definition{doctor}, At: instant}, AmbiguousSubject},
		{"given nothing", t.Context(), &Query{Definitions: []*Definition{session}, At: instant, Given: []Certified{{Definition: session}}}, BadAnswer},
		{"given what is expired", t.Context(), &Query{Definitions: []*Definition{session}, At: instant,
			Given: []Certified{{Definition: session, State: Affirmed, Source: "sts", RetrievedAt: instant, NotOnOrAfter: instant}}}, BadAnswer},
		{"canceled", gone, &Query{Subjects: who, Definitions: []*Definition{doctor}, At: instant}, Canceled},
	}
	for _, cached := range []bool{false, true} {
		s := &source{id: "s"}
		s.epoch.Store(1)
		r := resolver(t, cached, Route{Source: s, Attributes: []Designator{doctor.Designator}})
		if !r.Routed(doctor) || r.Routed(surname) || r.Routed(foreign) {
			t.Error("Routed is wrong")
		}
		for _, test := range tests {
			got, err := r.Resolve(test.ctx, test.q, nil)
			if ReasonOf(err) != test.reason || len(got) != 0 {
				t.Errorf("%s: %v, %v", test.name, got, err)
			}
		}
		if s.asked.Load() != 0 {
			t.Errorf("the source was asked %d times", s.asked.Load())
		}
		if got, err := r.Resolve(t.Context(), &Query{At: instant}, nil); err != nil || len(got) != 0 {
			t.Errorf("a query for nothing: %v, %v", got, err)
		}
	}
}

func TestNewResolverRefuses(t *testing.T) {
	a, b := &source{id: "a"}, &source{id: "b"}
	doctor := Designator{PersonSSIN + ":doctor:boolean", NamespaceCertified}
	alias := Designator{person + "doctor:boolean", NamespaceCertified}
	sound := Config{Catalogue: EHealth(), Routes: []Route{{Source: a}}, Budget: 1}
	with := func(change func(*Config)) Config { c := sound; change(&c); return c }
	tests := map[string]Config{
		"zero":               {},
		"no catalogue":       with(func(c *Config) { c.Catalogue = nil }),
		"an empty catalogue": with(func(c *Config) { c.Catalogue = &Catalogue{} }),
		"no route":           with(func(c *Config) { c.Routes = nil }),
		"no source":          with(func(c *Config) { c.Routes = []Route{{}} }),
		"no ID":              with(func(c *Config) { c.Routes = []Route{{Source: &source{}}} }),
		"one ID twice": with(func(c *Config) {
			c.Routes = []Route{{Source: a}, {Source: &source{id: "a"}, Attributes: []Designator{doctor}}}
		}),
		"too many routes":  with(func(c *Config) { c.Routes = make([]Route, 65) }),
		"two for the rest": with(func(c *Config) { c.Routes = []Route{{Source: a}, {Source: b}} }),
		"two for one": with(func(c *Config) {
			c.Routes = []Route{{Source: a, Attributes: []Designator{doctor}}, {Source: b, Attributes: []Designator{alias}}}
		}),
		"unknown attribute": with(func(c *Config) { c.Routes = []Route{{Source: a, Attributes: []Designator{{"x", NamespaceCertified}}}} }),
		"identification": with(func(c *Config) {
			c.Routes = []Route{{Source: a, Attributes: []Designator{{PersonSSIN, NamespaceIdentification}}}}
		}),
		"computed": with(func(c *Config) {
			c.Routes = []Route{{Source: a, Attributes: []Designator{{UserSession, NamespaceCertified}}}}
		}),
		"no budget":           with(func(c *Config) { c.Budget = 0 }),
		"a negative budget":   with(func(c *Config) { c.Budget = -1 }),
		"entries without TTL": with(func(c *Config) { c.CacheEntries = 1 }),
		"TTL without entries": with(func(c *Config) { c.CacheTTL = 1 }),
		"negative entries":    with(func(c *Config) { c.CacheEntries = -1 }),
		"a negative TTL":      with(func(c *Config) { c.CacheTTL = -1 }),
	}
	for name, c := range tests {
		if r, err := NewResolver(c); err == nil || r != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	r, err := NewResolver(sound)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
}

func TestResolveConcurrently(t *testing.T) {
	ssin := find(t, PersonSSIN, NamespaceIdentification)
	doctor, surname := find(t, PersonSSIN+":doctor:boolean", NamespaceCertified), find(t, person+"surname", NamespaceCertified)
	a, b := &source{id: "a"}, &source{id: "b"}
	a.epoch.Store(1)
	b.epoch.Store(1)
	r := resolver(t, true, Route{Source: a}, Route{Source: b, Attributes: []Designator{surname.Designator}})
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			dst := make([]Certified, 0, 2)
			for i := range 200 {
				q := &Query{Subjects: []Keyed{{ssin, fmt.Sprint(i % 7)}}, Definitions: []*Definition{doctor, surname}, At: instant}
				if g == 0 {
					a.epoch.Add(1)
				}
				got, err := r.Resolve(t.Context(), q, dst)
				if err != nil || got[0].Source != "a" || got[1].Values[0] != "b" {
					t.Errorf("%v, %v", got, err)
					return
				}
			}
		})
	}
	group.Wait()
}
