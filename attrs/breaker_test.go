package attrs

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestBreaker(t *testing.T) {
	const openFor = 10 * time.Second
	now := instant
	b := &breaker{}
	b.configure(Breaker{Failures: 3, OpenFor: openFor})
	question := func(o outcome) bool {
		ticket, ok := b.admit(now)
		if ok {
			b.report(ticket, now, o)
		}
		return ok
	}
	check := func(step string, want BreakerState) {
		t.Helper()
		if got := b.state(now); got != want {
			t.Fatalf("%s: %v, want %v", step, got, want)
		}
	}
	for _, o := range []outcome{failed, failed, answered, failed, failed, nothing} {
		question(o)
	}
	check("never three one after the other", BreakerClosed)
	early, _ := b.admit(now)
	question(failed)
	check("the third", BreakerOpen)
	b.report(early, now, answered)
	check("an answer to what was asked before it opened", BreakerOpen)
	now = now.Add(openFor * 3 / 4)
	if question(answered) {
		t.Fatal("a question while it is open")
	}
	now = now.Add(openFor / 2)
	check("after its time", BreakerHalfOpen)
	probe, ok := b.admit(now)
	if _, second := b.admit(now); !ok || second {
		t.Fatal("not exactly one probe")
	}
	b.report(probe, now, nothing)
	check("a probe that says nothing", BreakerHalfOpen)
	if !question(failed) {
		t.Fatal("the next probe was refused")
	}
	check("a probe that failed", BreakerOpen)
	now = now.Add(openFor * 5 / 4)
	if !question(answered) {
		t.Fatal("no probe")
	}
	check("a probe that was answered", BreakerClosed)
	question(failed)
	question(failed)
	check("it counts from the beginning", BreakerClosed)
	question(failed)
	check("open again", BreakerOpen)
	b.configure(Breaker{Failures: 5, OpenFor: time.Hour})
	check("other settings", BreakerOpen)
	b.configure(Breaker{})
	check("never to be open", BreakerClosed)
	for range 100 {
		question(failed)
	}
	check("the zero breaker", BreakerClosed)
}

// The times for which breakers are open differ, within a fifth.
func TestBreakerJitter(t *testing.T) {
	const openFor = 10 * time.Second
	seen := map[time.Duration]bool{}
	for range 50 {
		b := &breaker{}
		b.configure(Breaker{Failures: 1, OpenFor: openFor})
		ticket, _ := b.admit(instant)
		b.report(ticket, instant, failed)
		d := b.until.Sub(instant)
		if d < openFor*4/5-1 || d > openFor*6/5+1 {
			t.Errorf("open for %v", d)
		}
		seen[d] = true
	}
	if len(seen) < 10 {
		t.Errorf("%d different times of 50", len(seen))
	}
	for _, s := range []BreakerState{BreakerClosed, BreakerHalfOpen, BreakerOpen} {
		if s.String() == "invalid state" {
			t.Errorf("state %d has no name", s)
		}
	}
}

// A source that flaps is left in peace, the one behind it is asked meanwhile, and it is asked again when its time is over.
func TestBreakerInTheResolver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		primary := newScripted("primary", hang, hang, hang, well)
		standby := newScripted("standby", well)
		g := newRig(t, Route{Source: primary, Standby: []Source{standby}, Timeout: 100 * time.Millisecond, CacheTTL: -1,
			Breaker: Breaker{Failures: 2, OpenFor: 10 * time.Second}})
		step := func(want, asked string, took time.Duration, state BreakerState) {
			t.Helper()
			began := time.Now()
			got := g.ask(doctorName)
			s := g.resolver.Status()[0].Sources[0]
			if got != want || g.asked() != asked || time.Since(began) != took || s.Breaker != state {
				t.Fatalf("%s, asked %s, took %v, %v; want %s, asked %s, took %v, %v", got, g.asked(), time.Since(began), s.Breaker, want, asked, took, state)
			}
		}
		step("standby live affirmed", "1 1", 100*time.Millisecond, BreakerClosed)
		step("standby live affirmed", "2 2", 100*time.Millisecond, BreakerOpen)
		step("standby live affirmed", "2 3", 0, BreakerOpen) // at once
		time.Sleep(12*time.Second + 1)
		step("standby live affirmed", "3 4", 100*time.Millisecond, BreakerOpen) // the probe hangs
		time.Sleep(12*time.Second + 1)
		step("primary live affirmed", "4 4", 0, BreakerClosed)
		s := g.resolver.Status()[0].Sources[0]
		if s.Requests != 4 || s.Failures[DeadlineExceeded] != 3 || s.Slow[0] != 1 || s.Took != 300*time.Millisecond {
			t.Errorf("counted %+v", s)
		}
	})
}

// What says nothing about a source does not close it for all: one person's bad facts, and callers who give up.
func TestBreakerIsNotOpenedBy(t *testing.T) {
	for name, step := range map[string]struct {
		does  behaviour
		waits time.Duration
	}{
		"a bad answer":        {wrong, 0},
		"callers who gave up": {hang, 10 * time.Millisecond},
		"a denial":            {denies, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, Route{Source: newScripted("primary", step.does), Timeout: 100 * time.Millisecond, CacheTTL: -1,
					Breaker: Breaker{Failures: 1, OpenFor: time.Minute}})
				for range 3 {
					ctx, cancel := t.Context(), func() {}
					if step.waits > 0 {
						ctx, cancel = contextWithTimeout(ctx, step.waits)
					}
					g.put(ctx, g.query(doctorName))
					cancel()
					synctest.Wait()
				}
				if s := g.resolver.Status()[0].Sources[0]; s.Breaker != BreakerClosed || s.Requests != 3 {
					t.Errorf("%v after %d questions", s.Breaker, s.Requests)
				}
			})
		})
	}
}

// A standby to which the others left a tenth of the budget is not to blame for not answering in it; one that says by itself
// that it had no time is.
func TestBreakerOfWhoHadNoTime(t *testing.T) {
	gaveUp := func(_ *scripted, _ context.Context, _ *Query, dst []Certified) ([]Certified, error) {
		return dst, context.DeadlineExceeded
	}
	for name, test := range map[string]struct {
		standby behaviour
		want    BreakerState
	}{
		"cut short":          {hang, BreakerClosed},
		"a time of its own":  {gaveUp, BreakerOpen},
		"does not answer it": {down, BreakerOpen},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, Route{Source: newScripted("primary", hang), Standby: []Source{newScripted("standby", test.standby)},
					Timeout: rigBudget * 9 / 10, CacheTTL: -1, Breaker: Breaker{Failures: 1, OpenFor: time.Minute}})
				if got := g.ask(doctorName); got != "deadline exceeded" {
					t.Error(got)
				}
				synctest.Wait()
				s := g.resolver.Status()[0].Sources
				if s[0].Breaker != BreakerOpen || s[1].Breaker != test.want {
					t.Errorf("%v and %v", s[0].Breaker, s[1].Breaker)
				}
			})
		})
	}
}
