package attrs

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func contextWithTimeout(ctx context.Context, d time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(ctx, d)
	return ctx, cancel
}

// ending answers, bounded by an end that is a time after the question.
func ending(after time.Duration) behaviour {
	return func(s *scripted, _ context.Context, q *Query, dst []Certified) ([]Certified, error) {
		for _, d := range q.Definitions {
			c := s.answer(d)
			c.NotOnOrAfter = q.At.Add(after)
			dst = append(dst, c)
		}
		return dst, nil
	}
}

// loses answers once and then no longer knows its epoch, as a registry that is gone.
func loses(s *scripted, ctx context.Context, q *Query, dst []Certified) ([]Certified, error) {
	defer s.epoch.Store(0)
	return well(s, ctx, q, dst)
}

// Stale answers: only where the route allows it, only for want of a source, for a bounded time, never beyond their own end,
// and never after the source said that the data have changed.
func TestStale(t *testing.T) {
	const ttl, staleFor = time.Minute, 5 * time.Minute
	allowed := Route{StaleFor: staleFor, Timeout: 100 * time.Millisecond}
	tests := map[string]struct {
		route  Route
		script []behaviour // first question, second
		after  time.Duration
		epoch  uint64 // set before the second, where not zero
		want   string
	}{
		"fresh":                        {allowed, []behaviour{well, down}, ttl - 1, 0, "s cached affirmed"},
		"down":                         {allowed, []behaviour{well, down}, ttl, 0, "s stale affirmed"},
		"hangs":                        {allowed, []behaviour{well, hang}, ttl, 0, "s stale affirmed"},
		"panics":                       {allowed, []behaviour{well, panics}, ttl, 0, "s stale affirmed"},
		"cannot tell its epoch":        {allowed, []behaviour{loses, down}, time.Second, 0, "s stale affirmed"},
		"a denial is one too":          {allowed, []behaviour{denies, down}, ttl, 0, "s stale denied"},
		"up: its answer, not the kept": {allowed, []behaviour{well, denies}, ttl, 0, "s live denied"},
		"just before its time is over": {allowed, []behaviour{well, down}, ttl + staleFor - time.Second - 1, 0, "s stale affirmed"},
		"after its time":               {allowed, []behaviour{well, down}, ttl + staleFor, 0, "source unavailable"},
		"not allowed":                  {Route{Timeout: 100 * time.Millisecond}, []behaviour{well, down}, ttl, 0, "source unavailable"},
		"nonsense is no outage":        {allowed, []behaviour{well, wrong}, ttl, 0, "bad answer"},
		"the data have changed":        {allowed, []behaviour{well, down}, time.Second, 2, "source unavailable"},
		"R4: before its own end":       {allowed, []behaviour{ending(2 * time.Minute), down}, 2*time.Minute - 2, 0, "s stale affirmed"},
		"R4: at its own end":           {allowed, []behaviour{ending(2 * time.Minute), down}, 2 * time.Minute, 0, "source unavailable"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScripted("s", test.script...)
				route := test.route
				route.Source = s
				g := newRig(t, route)
				if got := g.ask(doctorName); got != "s live affirmed" && got != "s live denied" {
					t.Fatalf("at first: %s", got)
				}
				time.Sleep(test.after)
				if test.epoch != 0 {
					s.epoch.Store(test.epoch)
				}
				if got := g.ask(doctorName); got != test.want {
					t.Errorf("%s, want %s", got, test.want)
				}
			})
		})
	}
}

// The caller who gave up is told so, not what was kept.
func TestStaleIsNotForWhoGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Route{Source: newScripted("s", well, hang), StaleFor: time.Hour})
		g.ask(doctorName)
		time.Sleep(2 * time.Minute)
		ctx, cancel := contextWithTimeout(t.Context(), rigBudget/2)
		defer cancel()
		if got := g.put(ctx, g.query(doctorName)); got != "deadline exceeded" {
			t.Error(got)
		}
	})
}

// Who is not known, or denied, may be known a little later.
func TestNegativeTTL(t *testing.T) {
	tests := map[string]struct {
		first behaviour
		after time.Duration
		want  string
	}{
		"denied, soon":      {denies, 10*time.Second - 1, "s cached denied"},
		"denied, later":     {denies, 10 * time.Second, "s live affirmed"},
		"affirmed, at once": {well, 10 * time.Second, "s cached affirmed"},
		"affirmed, later":   {well, time.Minute, "s live affirmed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, Route{Source: newScripted("s", test.first, well), NegativeTTL: 10 * time.Second})
				g.ask(doctorName)
				time.Sleep(test.after)
				if got := g.ask(doctorName); got != test.want {
					t.Errorf("%s, want %s", got, test.want)
				}
			})
		})
	}
}

// Answers of a standby are not used once any source of the route says that its data have changed.
func TestEpochsOfReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		primary, standby := newScripted("primary", down, well), newScripted("standby", well)
		primary.epoch.Store(0)
		g := newRig(t, Route{Source: primary, Standby: []Source{standby}})
		step := func(want string) {
			t.Helper()
			if got := g.ask(doctorName); got != want {
				t.Fatalf("%s, want %s", got, want)
			}
		}
		step("standby live affirmed")
		step("standby cached affirmed")
		standby.epoch.Store(2)
		step("primary live affirmed") // which cannot tell its epoch: nothing is kept
		step("primary live affirmed")
		primary.epoch.Store(1)
		step("primary live affirmed")
		step("primary cached affirmed")
		standby.epoch.Store(0)
		step("primary live affirmed")
	})
}

// The epoch is read before the question: an answer that an import overtook is not found afterwards.
func TestEpochDuringAQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted("s", slow(50*time.Millisecond), denies)
		g := newRig(t, Route{Source: s})
		time.AfterFunc(25*time.Millisecond, func() { s.epoch.Store(2) })
		if got := g.ask(doctorName); got != "s live affirmed" {
			t.Error(got)
		}
		if got := g.ask(doctorName); got != "s live denied" {
			t.Errorf("the old answer was kept under the new epoch: %s", got)
		}
		if got := g.ask(doctorName); got != "s cached denied" {
			t.Error(got)
		}
	})
}

// Replace keeps breakers, counters and what is kept of sources that stay, and takes the other settings at once.
func TestReplace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newScripted("a", well), newScripted("b", down)
		names := []Designator{{surnameName, NamespaceCertified}}
		g := newRig(t, Route{Source: a}, Route{Source: b, Attributes: names, Breaker: Breaker{1, time.Minute}})
		if got := g.ask(doctorName); got != "a live affirmed" {
			t.Fatal(got)
		}
		if got := g.ask(surnameName); got != "source unavailable" {
			t.Fatal(got)
		}
		c := g.config
		c.Routes = []Route{{Source: b, Attributes: names, AllOptional: true, Breaker: Breaker{1, time.Minute}}, {Source: a}}
		if err := g.resolver.Replace(c); err != nil {
			t.Fatal(err)
		}
		if got := g.ask(surnameName, doctorName); got != "left out: source unavailable, a live affirmed" && got != "left out: source unavailable, a cached affirmed" {
			t.Error(got)
		}
		if got := g.ask(doctorName); got != "a cached affirmed" || a.asked.Load() != 1 {
			t.Errorf("%s, asked %s", got, g.asked())
		}
		if s := g.resolver.Status(); s[0].Sources[0].Breaker != BreakerOpen || s[0].Sources[0].Requests != 1 || s[0].Mandatory || !s[1].Mandatory {
			t.Errorf("%+v", s)
		}
		for name, change := range map[string]func(*Config){
			"another catalogue": func(c *Config) { c.Catalogue, _ = EHealth().With() },
			"another size":      func(c *Config) { c.CacheEntries++ },
			"wrong":             func(c *Config) { c.Routes = nil },
		} {
			wrong := c
			change(&wrong)
			if g.resolver.Replace(wrong) == nil {
				t.Errorf("%s: accepted", name)
			}
		}
		if got := g.ask(surnameName); got != "left out: source unavailable" {
			t.Errorf("after a refusal: %s", got)
		}
	})
}

// What a source made of stale answers is given on as that, and not kept as if it were fresh.
func TestStaleInputsAreNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted("s", func(s *scripted, ctx context.Context, q *Query, dst []Certified) ([]Certified, error) {
			dst, err := well(s, ctx, q, dst)
			dst[0].Origin = Stale
			return dst, err
		})
		g := newRig(t, Route{Source: s})
		for range 2 {
			if got := g.ask(doctorName); got != "s stale affirmed" {
				t.Error(got)
			}
		}
		if g.asked() != "2" {
			t.Errorf("asked %s times", g.asked())
		}
	})
}

func TestNewResolverRefusesSettings(t *testing.T) {
	names := []Designator{{surnameName, NamespaceCertified}}
	never := newScripted("never", well)
	never.never = true
	many := make([]Source, 8)
	for i := range many {
		many[i] = newScripted(string(rune('b'+i)), well)
	}
	for name, change := range map[string]func(*Route, *Config){
		"a standby that is the source":       func(r *Route, _ *Config) { r.Standby = []Source{r.Source} },
		"no standby":                         func(r *Route, _ *Config) { r.Standby = []Source{nil} },
		"too many":                           func(r *Route, _ *Config) { r.Standby = many },
		"a time-out beyond the budget":       func(r *Route, c *Config) { r.Timeout = c.Budget + 1 },
		"a negative time-out":                func(r *Route, _ *Config) { r.Timeout = -1 },
		"retries without a wait":             func(r *Route, _ *Config) { r.Retries = 1 },
		"a wait without retries":             func(r *Route, _ *Config) { r.RetryWait = 1 },
		"too many retries":                   func(r *Route, _ *Config) { r.Retries, r.RetryWait = 6, 1 },
		"retries of who may not be repeated": func(r *Route, _ *Config) { r.Source, r.Retries, r.RetryWait = never, 1, 1 },
		"or whose standby may not":           func(r *Route, _ *Config) { r.Standby, r.Retries, r.RetryWait = []Source{never}, 1, 1 },
		"a breaker without time":             func(r *Route, _ *Config) { r.Breaker.Failures = 1 },
		"a breaker without failures":         func(r *Route, _ *Config) { r.Breaker.OpenFor = 1 },
		"a time to live without cache":       func(r *Route, c *Config) { r.CacheTTL, c.CacheEntries, c.CacheTTL = 1, 0, 0 },
		"stale without cache":                func(r *Route, _ *Config) { r.StaleFor, r.CacheTTL = 1, -1 },
		"a negative negative TTL":            func(r *Route, _ *Config) { r.NegativeTTL = -1 },
		"optional, of another source": func(r *Route, _ *Config) {
			r.Attributes, r.Optional = []Designator{{doctorName, NamespaceCertified}}, names
		},
		"optional, of nobody": func(r *Route, _ *Config) { r.Optional = []Designator{{"x", NamespaceCertified}} },
	} {
		c := Config{Catalogue: EHealth(), Budget: time.Second, CacheEntries: 10, CacheTTL: time.Second}
		route := Route{Source: newScripted("a", well), Optional: names}
		c.Routes = []Route{route}
		if r, err := NewResolver(c); err != nil {
			t.Fatal(err)
		} else {
			r.Close()
		}
		change(&route, &c)
		c.Routes = []Route{route}
		if _, err := NewResolver(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
