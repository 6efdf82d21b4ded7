package attrs

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// cached makes a resolver on a source whose answers end at end, and a function that asks at an instant and says how often
// the source has been asked since the beginning.
func cachedSource(t testing.TB, end time.Time) (*source, *Resolver, func(at time.Time, who string, d ...*Definition) int32) {
	s := &source{id: "s"}
	s.epoch.Store(1)
	s.resolve = func(_ context.Context, q *Query, dst []Certified) ([]Certified, error) {
		for _, d := range q.Definitions {
			c := s.answer(d)
			c.NotOnOrAfter = end
			dst = append(dst, c)
		}
		return dst, nil
	}
	r := resolver(t, true, Route{Source: s})
	ssin := find(t, PersonSSIN, NamespaceIdentification)
	return s, r, func(at time.Time, who string, d ...*Definition) int32 {
		t.Helper()
		got, err := r.Resolve(t.Context(), &Query{Subjects: []Keyed{{ssin, who}}, Definitions: d, At: at}, nil)
		if err != nil || len(got) != len(d) {
			t.Fatalf("%v, %v", got, err)
		}
		for i := range got {
			if got[i].Definition != d[i] {
				t.Fatalf("answer %d is about %s", i, got[i].Definition.Name)
			}
			if err := got[i].Check(at); err != nil {
				t.Fatalf("answer %d: %v", i, err)
			}
		}
		r.cache.entries.Wait()
		return s.asked.Load()
	}
}

func TestCache(t *testing.T) {
	doctor, nurse := find(t, PersonSSIN+":doctor:boolean", NamespaceCertified), find(t, PersonSSIN+":nurse:boolean", NamespaceCertified)
	s, _, ask := cachedSource(t, time.Time{})
	steps := []struct {
		name  string
		at    time.Time
		who   string
		d     []*Definition
		epoch uint64
		asks  bool
	}{
		{"first", instant, "1", []*Definition{doctor}, 1, true},
		{"again", instant, "1", []*Definition{doctor}, 1, false},
		{"a little later", instant.Add(30 * time.Second), "1", []*Definition{doctor}, 1, false},
		{"at the end of its time to live", instant.Add(time.Minute), "1", []*Definition{doctor}, 1, true},
		{"before it was given", instant, "1", []*Definition{doctor}, 1, true},
		{"another person", instant, "2", []*Definition{doctor}, 1, true},
		{"another attribute", instant, "1", []*Definition{nurse}, 1, true},
		{"both", instant, "1", []*Definition{doctor, nurse}, 1, true},
		{"both, exchanged", instant, "1", []*Definition{nurse, doctor}, 1, true},
		{"the first again", instant, "1", []*Definition{doctor}, 1, false},
		{"after an import", instant, "1", []*Definition{doctor}, 2, true},
		{"after it again", instant, "1", []*Definition{doctor}, 2, false},
		{"the source cannot tell", instant, "1", []*Definition{doctor}, 0, true},
		{"the source can tell again", instant, "1", []*Definition{doctor}, 2, false},
	}
	var before int32
	for _, step := range steps {
		s.epoch.Store(step.epoch)
		n := ask(step.at, step.who, step.d...)
		if (n > before) != step.asks {
			t.Errorf("%s: asked %v, want %v", step.name, n > before, step.asks)
		}
		before = n
	}
}

// R4: an answer is not used beyond its own validity, however long entries live.
func TestCacheEndsWithTheAnswer(t *testing.T) {
	doctor := find(t, PersonSSIN+":doctor:boolean", NamespaceCertified)
	s, r, ask := cachedSource(t, instant.Add(10*time.Second))
	ask(instant, "1", doctor)
	if n := ask(instant.Add(10*time.Second-1), "1", doctor); n != 1 {
		t.Errorf("just before its end: asked %d times", n)
	}
	ssin := find(t, PersonSSIN, NamespaceIdentification)
	q := &Query{Subjects: []Keyed{{ssin, "1"}}, Definitions: []*Definition{doctor}, At: instant.Add(10 * time.Second)}
	if _, err := r.Resolve(t.Context(), q, nil); ReasonOf(err) != BadAnswer || s.asked.Load() != 2 {
		t.Errorf("at its end: %v, asked %d times", err, s.asked.Load())
	}
}

// Two questions that have one fingerprint do not get one another's answers.
func TestCacheComparesWhatItFinds(t *testing.T) {
	doctor := find(t, PersonSSIN+":doctor:boolean", NamespaceCertified)
	_, r, ask := cachedSource(t, time.Time{})
	ask(instant, "1", doctor)
	q := func(who string) *Query {
		return &Query{Subjects: []Keyed{{find(t, PersonSSIN, NamespaceIdentification), who}}, Definitions: []*Definition{doctor}, At: instant}
	}
	key := func(who string) uint64 {
		var f fingerprint
		f.h.SetSeed(r.cache.seed)
		f.number(r.table.Load().routes[0].number)
		f.question(doctor, Subject{SubjectSSIN, who})
		return f.h.Sum64()
	}
	kept, ok := r.cache.entries.Get(key("1"))
	if !ok {
		t.Fatal("nothing is kept")
	}
	r.cache.entries.Set(key("2"), kept, 1) // as if they collided
	r.cache.entries.Wait()
	answers := make([]Certified, 1)
	if found, err := r.recall(r.table.Load(), q("2"), 0, answers); found || err != nil || answers[0].State != 0 {
		t.Errorf("the answer about one person is given to another: %v, %v", found, err)
	}
	if found, err := r.recall(r.table.Load(), q("1"), 0, answers); !found || err != nil || answers[0].State != Affirmed {
		t.Errorf("the answer is not given to whom it is about: %v, %v", found, err)
	}
}

func TestCachedResolveDoesNotAllocate(t *testing.T) {
	ssin := find(t, PersonSSIN, NamespaceIdentification)
	pharmacy := find(t, prefix+"pharmacy:nihii-number", NamespaceIdentification)
	titular := find(t, prefix+"pharmacy:nihii-number:person:ssin:ehealth:1.0:pharmacy-holder:boolean", NamespaceCertified)
	session := find(t, UserSession, NamespaceCertified)
	a, b := &source{id: "a"}, &source{id: "b"}
	a.epoch.Store(1)
	b.epoch.Store(1)
	surname := find(t, person+"surname", NamespaceCertified)
	r := resolver(t, true, Route{Source: a}, Route{Source: b, Attributes: []Designator{surname.Designator}})
	q := &Query{Subjects: []Keyed{{ssin, alice}, {pharmacy, "71000040"}}, At: instant,
		Given: []Certified{{Definition: session, State: Affirmed, Source: "sts", RetrievedAt: instant}}}
	for _, name := range []string{PersonSSIN + ":doctor:boolean", person + "doctor:nihii11", person + "givenname", person + "surname",
		person + "fpsph:doctor:boolean", UserSession} {
		q.Definitions = append(q.Definitions, find(t, name, NamespaceCertified))
	}
	dst := make([]Certified, 0, 16)
	measure := func(limit float64) {
		t.Helper()
		if _, err := r.Resolve(t.Context(), q, dst); err != nil {
			t.Fatal(err)
		}
		r.cache.entries.Wait()
		asked := a.asked.Load()
		ctx := t.Context()
		n := testing.AllocsPerRun(100, func() {
			if _, err := r.Resolve(ctx, q, dst); err != nil {
				t.Error(err)
			}
		})
		if a.asked.Load() != asked {
			t.Fatal("it was not in the cache")
		}
		if n > limit+poolSlack {
			t.Errorf("%v allocations, at most %v are allowed", n, limit)
		}
	}
	measure(0)
	q.Definitions = append(q.Definitions, titular) // the numbers of a relation are joined
	measure(2)
}

func BenchmarkResolveCached(b *testing.B) {
	for _, n := range []int{1, 6} {
		b.Run(fmt.Sprintf("attributes=%d", n), func(b *testing.B) {
			s := &source{id: "s"}
			s.epoch.Store(1)
			r := resolver(b, true, Route{Source: s})
			q := &Query{Subjects: []Keyed{{find(b, PersonSSIN, NamespaceIdentification), alice}}, At: instant}
			for d := range EHealth().In(GroupPerson) {
				if len(q.Definitions) < n {
					q.Definitions = append(q.Definitions, d)
				}
			}
			dst := make([]Certified, 0, n)
			if _, err := r.Resolve(b.Context(), q, dst); err != nil {
				b.Fatal(err)
			}
			r.cache.entries.Wait()
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Resolve(ctx, q, dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
