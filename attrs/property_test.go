package attrs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// A chronicle is a source whose facts are a function of the time and of the number of its imports, that fails as it is told,
// and that remembers whatever it said.
type chronicle struct {
	id      string
	imports uint64
	mode    int // what it does with a question
	said    []saying
}

type saying struct {
	who    string
	answer Certified
}

const (
	modeWell = iota
	modeDown
	modeHang
	modeWrong
	modeCut
	modePanic
	modeLost // it cannot tell its epoch, and is down
	modes
)

func (c *chronicle) ID() string            { return c.id }
func (c *chronicle) Epoch() (uint64, bool) { return c.imports, c.mode != modeLost }
func (c *chronicle) Idempotent() bool      { return true }

func (c *chronicle) Resolve(ctx context.Context, q *Query, dst []Certified) ([]Certified, error) {
	switch c.mode {
	case modeDown, modeLost:
		return dst, errors.New("down")
	case modeHang:
		<-ctx.Done()
		return dst, ctx.Err()
	case modePanic:
		panic("driver")
	}
	before := len(dst)
	for _, d := range q.Definitions {
		subject, err := q.Subject(d)
		if err != nil {
			return dst[:before], err
		}
		dst = append(dst, c.answer(d, subject.Value, q.At))
	}
	switch c.mode {
	case modeWrong:
		dst[len(dst)-1].NotOnOrAfter = q.At // ended
	case modeCut:
		return dst[:len(dst)-1], nil
	default:
		for _, a := range dst[before:] {
			subject, _ := q.Subject(a.Definition)
			c.said = append(c.said, saying{subject.Value, a})
		}
	}
	return dst, nil
}

// answer is what the source holds: for each attribute and person another value every seven seconds, after every import.
func (c *chronicle) answer(d *Definition, who string, at time.Time) Certified {
	const step = 7 * time.Second
	turn := at.Truncate(step)
	n := int(turn.Unix()/7)%3 + int(c.imports) + len(d.Name) + int(who[0])
	a := Certified{Definition: d, Source: c.id, RetrievedAt: at, NotBefore: turn, NotOnOrAfter: turn.Add(step), State: State(n%2) + Affirmed}
	if d.Kind != Boolean {
		if a.State == Denied {
			a.State = Unknown
		} else {
			a.Values = []string{fmt.Sprint(c.id, n)}
		}
	}
	return a
}

// Whatever happens, an answer is one that a source of its route gave about that attribute of that person and holds at the
// instant; a denial is never made of an outage; and whether optional attributes can be had changes nothing about the others.
func TestResolverProperties(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(bubble{t}, func(rt *rapid.T) {
			ttl := time.Duration(rapid.IntRange(1, 20).Draw(rt, "ttl")) * time.Second
			stale := time.Duration(rapid.IntRange(0, 20).Draw(rt, "stale")) * time.Second
			breaker := rapid.SampledFrom([]Breaker{{}, {1, 3 * time.Second}, {3, time.Second}}).Draw(rt, "breaker")
			retries := rapid.IntRange(0, 2).Draw(rt, "retries")
			world := func() (*Resolver, []*chronicle) {
				all := []*chronicle{{id: "main"}, {id: "replica"}, {id: "names"}}
				main := Route{Source: all[0], Standby: []Source{all[1]}, StaleFor: stale, NegativeTTL: ttl / 2, Breaker: breaker, Retries: retries}
				if retries > 0 {
					main.RetryWait = time.Millisecond
				}
				names := Route{Source: all[2], Attributes: []Designator{{surnameName, NamespaceCertified}}, AllOptional: true, StaleFor: stale, Breaker: breaker}
				r, err := NewResolver(Config{Catalogue: EHealth(), Routes: []Route{main, names}, Budget: 100 * time.Millisecond,
					CacheEntries: 100, CacheTTL: ttl})
				if err != nil {
					rt.Fatal(err)
				}
				return r, all
			}
			r, sources := world()
			defer r.Close()
			defer time.Sleep(time.Second) // flights that are left behind end with their budget
			ssin := find(t, PersonSSIN, NamespaceIdentification)
			wanted := []*Definition{find(t, doctorName, NamespaceCertified), find(t, person+"givenname", NamespaceCertified), find(t, surnameName, NamespaceCertified)}
			for range rapid.IntRange(1, 25).Draw(rt, "steps") {
				switch rapid.IntRange(0, 3).Draw(rt, "step") {
				case 0:
					time.Sleep(time.Duration(rapid.IntRange(1, 8000).Draw(rt, "wait")) * time.Millisecond)
				case 1:
					sources[rapid.IntRange(0, 2).Draw(rt, "which")].mode = rapid.IntRange(0, modes-1).Draw(rt, "mode")
				case 2:
					sources[rapid.IntRange(0, 2).Draw(rt, "which")].imports++
				default:
					q := &Query{Subjects: []Keyed{{ssin, rapid.SampledFrom([]string{alice, "93051822361"}).Draw(rt, "who")}}, At: time.Now()}
					for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, 2), 1, 3, rapid.ID).Draw(rt, "what") {
						q.Definitions = append(q.Definitions, wanted[i])
					}
					judge(rt, r, q, sources)
				}
			}
		})
	})
}

func judge(rt *rapid.T, r *Resolver, q *Query, sources []*chronicle) {
	got, err := r.Resolve(context.Background(), q, nil)
	synctest.Wait()
	r.cache.entries.Wait()
	up := func(c *chronicle) bool { return c.mode == modeWell }
	main := slices.ContainsFunc(q.Definitions, func(d *Definition) bool { return d.Name != surnameName })
	if err != nil {
		if len(got) != 0 || !main || ReasonOf(err) > BadAnswer {
			rt.Fatalf("%v, with answers or without cause: %v", err, got)
		}
		return
	}
	if len(got) != len(q.Definitions) {
		rt.Fatalf("%d answers to %d questions", len(got), len(q.Definitions))
	}
	for i, c := range got {
		if c.Definition != q.Definitions[i] {
			rt.Fatalf("an answer about another attribute")
		}
		optional := c.Definition.Name == surnameName
		if c.State == Unresolved {
			if !optional {
				rt.Fatalf("a mandatory attribute was left out")
			}
			continue
		}
		if err := c.Check(q.At); err != nil {
			rt.Fatalf("%v", err)
		}
		said := false
		for n, s := range sources {
			if (n == 2) != optional {
				continue
			}
			for _, known := range s.said {
				a := known.answer
				said = said || known.who == q.Subjects[0].Value && a.Definition == c.Definition && a.Source == c.Source && a.State == c.State &&
					slices.Equal(a.Values, c.Values) && a.NotOnOrAfter.Equal(c.NotOnOrAfter) && a.RetrievedAt.Equal(c.RetrievedAt)
			}
		}
		if !said {
			rt.Fatalf("no source of the route said %+v", c)
		}
		if c.Origin == Live && c.RetrievedAt != q.At || c.Origin == Stale && !optional && (up(sources[0]) && r.Status()[0].Sources[0].Breaker == BreakerClosed) {
			rt.Fatalf("%v, though it was had at %v", c.Origin, c.RetrievedAt)
		}
	}
}

// Two worlds that differ in the sources of optional attributes alone give the same answers about the others.
func TestOptionalChangesNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(bubble{t}, func(rt *rapid.T) {
			doctor, surname := find(t, doctorName, NamespaceCertified), find(t, surnameName, NamespaceCertified)
			ssin := find(t, PersonSSIN, NamespaceIdentification)
			type world struct {
				main, names *chronicle
				r           *Resolver
			}
			var worlds [2]world
			for i := range worlds {
				w := &worlds[i]
				w.main, w.names = &chronicle{id: "main"}, &chronicle{id: "names"}
				var err error
				w.r, err = NewResolver(Config{Catalogue: EHealth(), Budget: 100 * time.Millisecond, CacheEntries: 100, CacheTTL: 5 * time.Second, Routes: []Route{
					{Source: w.main, StaleFor: 5 * time.Second, Timeout: 20 * time.Millisecond},
					{Source: w.names, Attributes: []Designator{surname.Designator}, AllOptional: true}}})
				if err != nil {
					rt.Fatal(err)
				}
				defer w.r.Close()
			}
			defer time.Sleep(time.Second) // flights that are left behind end with their budget
			for range rapid.IntRange(1, 15).Draw(rt, "steps") {
				mode := rapid.IntRange(0, modes-1).Draw(rt, "main does")
				worlds[0].main.mode, worlds[1].main.mode = mode, mode
				worlds[1].names.mode = rapid.IntRange(0, modes-1).Draw(rt, "names does")
				at := time.Now()
				var got [2]string
				for i := range worlds {
					q := &Query{Subjects: []Keyed{{ssin, alice}}, Definitions: []*Definition{surname, doctor}, At: at}
					answers, err := worlds[i].r.Resolve(context.Background(), q, nil)
					synctest.Wait()
					worlds[i].r.cache.entries.Wait()
					if got[i] = ReasonOf(err).String(); err == nil {
						got[i] = fmt.Sprintf("%+v", answers[1])
					}
				}
				if got[0] != got[1] {
					rt.Fatalf("%s, and with the optional one failing %s", got[0], got[1])
				}
				time.Sleep(time.Duration(rapid.IntRange(1, 3000).Draw(rt, "wait")) * time.Millisecond)
			}
		})
	})
}

// bubble is a test inside a bubble of synctest, where it may not be asked for its deadline.
type bubble struct{ *testing.T }
