package attrs

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// crowd asks the same from several goroutines, each at its time after the beginning.
func (g *rig) crowd(after ...time.Duration) []string {
	got := make([]string, len(after))
	var group sync.WaitGroup
	for i, d := range after {
		group.Go(func() {
			time.Sleep(d)
			got[i] = g.ask(doctorName)
		})
	}
	group.Wait()
	return got
}

// Equal questions at one time are one question, whatever its end.
func TestEqualQuestionsAreOne(t *testing.T) {
	for name, test := range map[string]struct {
		does behaviour
		want string
	}{
		"answered": {slow(50 * time.Millisecond), "s live affirmed"},
		"failed": {func(s *scripted, _ context.Context, _ *Query, dst []Certified) ([]Certified, error) {
			time.Sleep(50 * time.Millisecond)
			return dst, fmt.Errorf("refused")
		}, "source unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, Route{Source: newScripted("s", test.does)})
				for i, got := range g.crowd(0, 0, 0, 10*time.Millisecond, 49*time.Millisecond) {
					if got != test.want {
						t.Errorf("%d: %s", i, got)
					}
				}
				if s := g.resolver.Status()[0]; g.asked() != "1" || s.Shared != 4 {
					t.Errorf("asked %s, shared %d", g.asked(), s.Shared)
				}
			})
		})
	}
}

// Who asks something else, about somebody else, or of other data asks himself.
func TestOtherQuestionsAreNotJoined(t *testing.T) {
	for name, change := range map[string]func(*rig, *Query){
		"another person":    func(_ *rig, q *Query) { q.Subjects[0].Value = "93051822361" },
		"another attribute": func(g *rig, q *Query) { q.Definitions = []*Definition{find(g.t, surnameName, NamespaceCertified)} },
		"one attribute more": func(g *rig, q *Query) {
			q.Definitions = append(q.Definitions, find(g.t, surnameName, NamespaceCertified))
		},
		"an earlier instant":    func(_ *rig, q *Query) { q.At = q.At.Add(-time.Hour) },
		"a much later one":      func(_ *rig, q *Query) { q.At = q.At.Add(time.Hour) },
		"data that changed":     func(g *rig, _ *Query) { g.sources[0].epoch.Store(2) },
		"a source that is lost": func(g *rig, _ *Query) { g.sources[0].epoch.Store(0) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, Route{Source: newScripted("s", slow(50*time.Millisecond))})
				var group sync.WaitGroup
				group.Go(func() { g.ask(doctorName) })
				time.Sleep(10 * time.Millisecond)
				q := g.query(doctorName)
				change(g, q)
				g.put(t.Context(), q)
				group.Wait()
				if g.asked() != "2" {
					t.Errorf("asked %s times", g.asked())
				}
			})
		})
	}
	t.Run("nothing is kept", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := newRig(t, Route{Source: newScripted("s", slow(50*time.Millisecond)), CacheTTL: -1})
			g.crowd(0, 10*time.Millisecond)
			if g.asked() != "2" {
				t.Errorf("asked %s times", g.asked())
			}
		})
	})
}

// R4: an answer that ends between the instants of two who wait for it is given to the first alone.
func TestSharedAnswerHoldsAtEachInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted("s", func(s *scripted, _ context.Context, q *Query, dst []Certified) ([]Certified, error) {
			time.Sleep(50 * time.Millisecond)
			for _, d := range q.Definitions {
				c := s.answer(d)
				c.NotOnOrAfter = q.At.Add(20 * time.Millisecond)
				dst = append(dst, c)
			}
			return dst, nil
		}, denies)
		g := newRig(t, Route{Source: s})
		got := g.crowd(0, 10*time.Millisecond, 30*time.Millisecond)
		if got[0] != "s live affirmed" || got[1] != "s live affirmed" || got[2] != "s live denied" || g.asked() != "2" {
			t.Errorf("%q, asked %s", got, g.asked())
		}
	})
}

// One who gives up takes nobody with him, and the last one ends the question.
func TestGivingUpAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		s := newScripted("s", func(s *scripted, ctx context.Context, q *Query, dst []Certified) ([]Certified, error) {
			select {
			case <-time.After(500 * time.Millisecond):
				return well(s, ctx, q, dst)
			case <-ctx.Done():
				close(ended)
				return dst, ctx.Err()
			}
		})
		g := newRig(t, Route{Source: s})
		var group sync.WaitGroup
		first, stopFirst := context.WithCancel(t.Context())
		second, stopSecond := context.WithCancel(t.Context())
		group.Go(func() {
			if got := g.put(first, g.query(doctorName)); got != "canceled" {
				t.Errorf("the first: %s", got)
			}
		})
		synctest.Wait()
		time.Sleep(time.Millisecond)
		group.Go(func() {
			if got := g.put(second, g.query(doctorName)); got != "canceled" {
				t.Errorf("the second: %s", got)
			}
		})
		synctest.Wait()
		stopFirst()
		synctest.Wait()
		select {
		case <-ended:
			t.Error("the question ended though somebody waited for it")
		default:
		}
		if g.asked() != "1" {
			t.Errorf("asked %s times", g.asked())
		}
		stopSecond()
		synctest.Wait()
		select {
		case <-ended:
		default:
			t.Error("the question goes on though nobody waits for it")
		}
		group.Wait()
	})
}

// Who joined a question near its beginning has waited for a whole attempt and takes its end for his: else everybody's time
// would be doubled by a source that hangs.
func TestJoinedEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Route{Source: newScripted("s", hang), Timeout: rigBudget / 4})
		got := g.crowd(0, rigBudget/100, rigBudget/10)
		for i := range got {
			if got[i] != "deadline exceeded" {
				t.Errorf("%d: %s", i, got[i])
			}
		}
		if took := time.Since(g.began); g.asked() != "1" || took != rigBudget/4 {
			t.Errorf("asked %s, in %v", g.asked(), took)
		}
	})
}

// Who joined a question late, that then runs out of its time, asks again with what is left of his.
func TestJoinedTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Route{Source: newScripted("s", deaf, well)})
		got := g.crowd(0, rigBudget/2)
		if got[0] != "deadline exceeded" || got[1] != "s live affirmed" || g.asked() != "2" {
			t.Errorf("%q, asked %s", got, g.asked())
		}
	})
}

// A question that its source never ends is not joined by those who come after it was given up.
func TestDeafQuestionIsNotJoinedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Route{Source: newScripted("s", deaf, well)})
		got := g.crowd(0, rigBudget+1)
		if got[0] != "deadline exceeded" || got[1] != "s live affirmed" {
			t.Errorf("%q", got)
		}
	})
}
