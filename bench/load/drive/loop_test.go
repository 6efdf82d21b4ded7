package drive

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sceau/bench/load/measure"
)

// These tests run in bubbles, in which time passes only when everybody waits: every duration is exact and nothing
// depends on the machine.

// stalling answers at once, but for a stall in which no connection is answered.
func stalling(from, to time.Duration, service time.Duration) func(int, string, []byte) (string, bool) {
	start := time.Now()
	return func(_ int, _ string, body []byte) (string, bool) {
		time.Sleep(service)
		if at := time.Since(start); at >= from && at < to {
			time.Sleep(to - at)
		}
		return echo(body), true
	}
}

func mustRun(t *testing.T, p Plan) *measure.Run {
	t.Helper()
	run, err := Run(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	holdTogether(t, run)
	return run
}

// TestOpenLoopSeesTheStall: all that fell due while the server stalled waited, whether or not there was a connection to send it on. A
// generator that waits for answers before it sends (coordinated omission) would see four.
func TestOpenLoopSeesTheStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: stalling(time.Second, 2050*time.Millisecond, 0)}
		defer s.close()
		p := s.piped()
		p.Rate, p.Duration = 100, 3*time.Second
		run := mustRun(t, p)
		if run.Offered != 300 || run.Classes[measure.Right] != 300 || run.Served != 100 {
			t.Fatalf("%d offered, %v, %v a second", run.Offered, run.Classes, run.Served)
		}
		for k := 1; k <= 105; k++ { // 195 waited for nothing, then 10 ms, 20 ms, to 1.05 s
			want := time.Duration(k) * 10 * time.Millisecond
			if got := run.Latency.Quantile((195 + float64(k)) / 300); (got - want).Abs() > want/900 {
				t.Errorf("the %dth shortest wait is %v, not %v", 195+k, got, want)
			}
		}
		if got := run.Latency.Quantile(195.0 / 300); got > time.Microsecond {
			t.Errorf("the others waited %v", got)
		}
		if late := run.Generator.Late.Max(); late > time.Microsecond || run.Generator.Limited != "" {
			t.Errorf("what the server keeps waiting is not the generator's: late %v, %q", late, run.Generator.Limited)
		}
		var offered, served []uint64
		for _, point := range run.Series {
			offered, served = append(offered, point.Offered), append(served, point.Served)
		}
		if !slices.Equal(offered, []uint64{100, 100, 100}) || !slices.Equal(served, []uint64{100, 0, 200}) {
			t.Errorf("second by second %v offered, %v served", offered, served)
		}
	})
}

// TestClosedLoopSeesTheStallOnce: once a connection.
func TestClosedLoopSeesTheStallOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: stalling(time.Second, 2*time.Second, 10*time.Millisecond)}
		defer s.close()
		p := s.piped()
		p.Duration = 3 * time.Second
		run := mustRun(t, p)
		n := float64(run.Offered)
		if n < 796 || n > 804 { // four connections, 2 s of 10 ms each
			t.Fatalf("%v exchanges", n)
		}
		if fourth, fifth := run.Latency.Quantile((n-3)/n), run.Latency.Quantile((n-4)/n); fourth < 990*time.Millisecond || fifth > 11*time.Millisecond {
			t.Errorf("the stall was seen other than four times: fourth longest %v, fifth %v", fourth, fifth)
		}
		if run.Generator.Late != nil || run.Load != (measure.Load{Loop: "closed"}) {
			t.Errorf("%+v, %v", run.Load, run.Generator.Late)
		}
	})
}

// TestNobodyWaitsWithoutBound: with one connection, each exchange takes its time-out of 1 s; who waited longer for it is unsent.
func TestNobodyWaitsWithoutBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: stalling(0, time.Minute, 0)}
		defer s.close()
		p := s.piped()
		p.Rate, p.Connections, p.Duration, p.Timeout = 10, 1, 5*time.Second, time.Second
		began := time.Now()
		run := mustRun(t, p)
		// Sent are those due at 0, 0.1 (at 1 s), 1 (at 2 s), 2, 3 and 4 s.
		if run.Classes[measure.TimedOut] != 6 || run.Classes[measure.Unsent] != 44 || run.Sent != 6 || run.Answered != 0 || run.Served != 0 {
			t.Errorf("%v, %d sent, %d answered", run.Classes, run.Sent, run.Answered)
		}
		if took := time.Since(began); took != 6*time.Second {
			t.Errorf("the run took %v", took)
		}
		if run.Offering != 5*time.Second || run.Duration != 6*time.Second {
			t.Errorf("offered for %v, and the last gave up after %v", run.Offering, run.Duration)
		}
	})
}

// TestOverload: three times what the server can do. It serves as much as it can to the end, the rest is given up.
func TestOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: stalling(0, 0, 40*time.Millisecond)} // 4 connections: 100 a second
		defer s.close()
		p := s.piped()
		p.Rate, p.Duration, p.Timeout = 300, 10*time.Second, time.Second
		run := mustRun(t, p)
		if run.Served < 99 || run.Served > 101 {
			t.Errorf("served %v a second of 100", run.Served)
		}
		if longest := run.Latency.Max(); longest > 1042*time.Millisecond || run.Classes[measure.Unsent] == 0 {
			t.Errorf("somebody waited %v, %v", longest, run.Classes)
		}
		if run.Service.Max() > 41*time.Millisecond || run.Generator.Late.Max() > time.Microsecond {
			t.Errorf("service %v, late %v", run.Service.Max(), run.Generator.Late.Max())
		}
	})
}

// TestWarmUp: nothing of it is counted, and a wrong answer in it is not hidden.
func TestWarmUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: func(n int, head string, body []byte) (string, bool) {
			if n == 7 {
				return echo([]byte("another\x00")), true
			}
			return echo(body), true
		}}
		defer s.close()
		p := s.piped()
		p.Rate, p.Warmup, p.Duration = 100, time.Second, 2*time.Second
		run := mustRun(t, p)
		if run.Offered != 200 || run.Classes[measure.Right] != 200 || s.requests() != 300 || run.Served != 100 {
			t.Errorf("%d offered, %d arrived, %v, %v a second", run.Offered, s.requests(), run.Classes, run.Served)
		}
		want := measure.WrongAnswer{Kind: measure.Query, Why: "in the warm-up: not what was sent", Status: 200, Answer: "another."}
		if len(run.Wrong) != 1 || run.Wrong[0] != want || run.WrongInWarmup != 1 || run.WrongAnswers() != 1 {
			t.Errorf("wrong answers %+v, %d in the warm-up", run.Wrong, run.WrongInWarmup)
		}
		if run.Offering != 2*time.Second || run.Duration != 2*time.Second {
			t.Errorf("offered for %v of %v", run.Offering, run.Duration)
		}
	})
}

// TestSchedule: messages are made for the times of the seed and in their order, some time ahead, and sent at these times.
func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var made, arrived []time.Duration
		start := time.Now()
		s := &service{answer: func(_ int, _ string, body []byte) (string, bool) {
			mu.Lock()
			defer mu.Unlock()
			arrived = append(arrived, time.Since(start))
			return echo(body), true
		}}
		defer s.close()
		p := s.piped()
		p.Rate, p.Poisson, p.Seed, p.Duration = 20, true, 42, 10*time.Second
		p.Source = &messages{dues: func(due time.Time) {
			mu.Lock()
			defer mu.Unlock()
			made = append(made, due.Sub(start))
			if early := time.Until(due); early < 0 || early > ahead {
				t.Errorf("made %v before it is due", early)
			}
		}}
		run := mustRun(t, p)
		want := all(newArrivals(20, true, 42, 10*time.Second))
		slices.Sort(made)
		slices.Sort(arrived)
		if !slices.Equal(made, want) || !slices.Equal(arrived, want) || run.Offered != uint64(len(want)) {
			t.Errorf("made for %v, arrived at %v, due at %v", made, arrived, want)
		}
	})
}

// TestSigningTakesTime: what takes longer than there is time for is the generator's lateness, and it says so.
func TestSigningTakesTime(t *testing.T) {
	slow := func(d time.Duration) *messages {
		return &messages{live: true, dues: func(time.Time) { time.Sleep(d) }}
	}
	for _, test := range []struct {
		name     string
		rate     float64
		making   time.Duration
		checking time.Duration
		limited  string
	}{
		{"in time", 100, 20 * time.Millisecond, 0, ""},
		{"late", 10, 300 * time.Millisecond, 0, "sent late although a connection was free: mean 50ms, of a latency of mean 60"},
		{"too slow", 100, 90 * time.Millisecond, 0, "waited 90 % of the time for the generator"},
		{"closed loop", 0, 2 * time.Millisecond, 2 * time.Millisecond, ""},
		{"slow closed loop", 0, 20 * time.Millisecond, 0, "waited 67 % of the time for the generator"},
		{"slow checks", 0, 0, 20 * time.Millisecond, "waited 67 % of the time for the generator"},
		{"slow checks, open loop", 200, 0, 100 * time.Millisecond, "waited 91 % of the time for the generator"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{answer: stalling(0, 0, 10*time.Millisecond)}
				defer s.close()
				p := s.piped()
				p.Rate, p.Source, p.Checker = test.rate, slow(test.making), sluggish(test.checking)
				p.Warmup, p.Duration = time.Second, 5*time.Second
				run := mustRun(t, p)
				g := run.Generator
				if !g.Live || g.Limited != test.limited && (test.limited == "" || !strings.Contains(g.Limited, test.limited)) {
					t.Errorf("limited: %q", g.Limited)
				}
			})
		})
	}
}

// sluggish is a judge that takes its time.
type sluggish time.Duration

func (s sluggish) Check(shot *measure.Shot, status int, body []byte) measure.Verdict {
	time.Sleep(time.Duration(s))
	return judge{}.Check(shot, status, body)
}

// TestMadeTooLate: a closed loop does not send what was still being made when its time was over.
func TestMadeTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: stalling(0, 0, 10*time.Millisecond)}
		defer s.close()
		p := s.piped()
		p.Duration, p.Source = 5*time.Second, &messages{dues: func(time.Time) { time.Sleep(3 * time.Second) }}
		if run := mustRun(t, p); run.Offered != 4 || s.requests() != 4 {
			t.Errorf("%d offered, %d sent", run.Offered, s.requests())
		}
	})
}

// TestClosedLoopDoesNotSpin: where everything fails at once, each connection tries again after a pause.
func TestClosedLoopDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: func(int, string, []byte) (string, bool) { return "", false }}
		defer s.close()
		p := s.piped()
		p.Duration = time.Second
		if run := mustRun(t, p); run.Classes[measure.Failed] != 80 {
			t.Errorf("%v", run.Classes)
		}
	})
}

func TestFirstWrongAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: func(int, string, []byte) (string, bool) { return echo([]byte("no")), true }}
		defer s.close()
		p := s.piped()
		p.Rate, p.Warmup, p.Duration = 100, 500*time.Millisecond, time.Second
		run := mustRun(t, p)
		if run.Classes[measure.Wrong] != 100 || run.WrongInWarmup != 50 || run.WrongAnswers() != 150 || len(run.Wrong) != keptWrong {
			t.Errorf("%v, %d in the warm-up, %d kept", run.Classes, run.WrongInWarmup, len(run.Wrong))
		}
	})
}

// TestFirstExhausted: of several arrivals for which there was no message the first is the end.
func TestFirstExhausted(t *testing.T) {
	s := &schedule{start: time.Now()}
	for _, after := range []time.Duration{5, 3, 7} {
		s.exhaust(s.start.Add(after))
	}
	if got := s.exhausted.Sub(s.start); got != 3 {
		t.Errorf("ends after %v", got)
	}
}

// TestMessagesUsedUp: the run ends early and says so.
func TestMessagesUsedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: echoing}
		defer s.close()
		p := s.piped()
		p.Rate, p.Duration, p.Source = 100, 10*time.Second, &messages{limit: 250}
		began := time.Now()
		run := mustRun(t, p)
		if asked := p.Source.(*messages).n.Load(); asked > 250+uint64(p.Connections) {
			t.Errorf("asked %d times: once a worker is enough", asked)
		}
		if run.Offered != 250 || run.Classes[measure.Right] != 250 || time.Since(began) > 3*time.Second {
			t.Errorf("%d offered in %v", run.Offered, time.Since(began))
		}
		if run.Offering != 2500*time.Millisecond {
			t.Errorf("offered for %v", run.Offering)
		}
		if run.Served != 100 || run.Generator.Limited != "the messages were used up 2.5s after the load began: prepare more" {
			t.Errorf("%v a second, %q", run.Served, run.Generator.Limited)
		}
	})
}

func TestMessageThatCannotBeMade(t *testing.T) {
	for name, source := range map[string]Source{
		"no key":           &messages{limit: 3, err: errTest},
		"no URI as action": actions("a\r\nHost: other"),
		"a quote in it":    actions(`a"b`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{answer: stalling(0, time.Minute, 0)}
				defer s.close()
				p := s.piped()
				p.Rate, p.Duration, p.Source = 100, 10*time.Second, source
				began := time.Now()
				run, err := Run(context.Background(), p)
				if run == nil || err == nil || !strings.HasPrefix(err.Error(), "drive: making a message: ") || time.Since(began) > time.Second {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
			})
		})
	}
}

type actions string

func (a actions) Next(_ time.Time, shot *measure.Shot) error {
	*shot = measure.Shot{Action: string(a)}
	return nil
}

func (actions) Live() bool { return false }

// TestCancel: a run that is stopped gives what it has at once; exchanges that were cut short count as nothing.
func TestCancel(t *testing.T) {
	for name, change := range map[string]func(*Plan){
		"open":            func(p *Plan) { p.Rate = 100 },
		"closed":          func(*Plan) {},
		"new connections": func(p *Plan) { p.Rate, p.NewConnections = 100, true },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{answer: stalling(time.Second, time.Minute, 10*time.Millisecond)}
				defer s.close()
				p := s.piped()
				p.Duration, p.Timeout = 10*time.Second, 10*time.Second
				change(&p)
				ctx, cancel := context.WithTimeoutCause(context.Background(), 1500*time.Millisecond, errTest)
				defer cancel()
				began := time.Now()
				run, err := Run(ctx, p)
				if !errors.Is(err, errTest) || run == nil {
					t.Fatal(err)
				}
				holdTogether(t, run)
				if took := time.Since(began); took != 1500*time.Millisecond {
					t.Errorf("stopped after %v", took)
				}
				if run.Offering != 1500*time.Millisecond || run.Duration != run.Offering {
					t.Errorf("offered for %v of %v", run.Offering, run.Duration)
				}
				if run.Offered != run.Classes[measure.Right] || run.Offered < 99 {
					t.Errorf("%v", run.Classes)
				}
			})
		})
	}
}

// TestLive: each second is told as it ends, what fell due in it included, although nobody was there to send it.
func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: stalling(time.Second, 4*time.Second, 5*time.Millisecond)}
		defer s.close()
		p := s.piped()
		p.Rate, p.Warmup, p.Duration = 50, 500*time.Millisecond, 5*time.Second
		var told []measure.Point
		p.Live = func(point measure.Point) { told = append(told, point) }
		began := time.Now()
		run := mustRun(t, p)
		if len(told) != 5 || len(run.Series) != 5 || time.Since(began) != 5500*time.Millisecond {
			t.Fatalf("%d seconds told, %d kept, after %v", len(told), len(run.Series), time.Since(began))
		}
		for i, point := range told {
			if point.At != time.Duration(i+1)*time.Second || point.Offered != 50 || run.Series[i].Offered != 50 {
				t.Errorf("second %d: %+v, kept %+v", i, point, run.Series[i])
			}
		}
		if told[1].Served != 0 || told[1].Max != 0 || told[3].Max < 2*time.Second {
			t.Errorf("stall: %+v, after it: %+v", told[1], told[3])
		}
	})
}
