package drive

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"sceau/bench/load/measure"
)

// TestRefusals: how long a refusal took the server, and how long who asked waited for it.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: func(n int, _ string, body []byte) (string, bool) {
			time.Sleep(400 * time.Millisecond)
			if n%2 == 0 {
				return "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", true
			}
			return echo(body), true
		}}
		defer s.close()
		p := s.piped()
		p.Rate, p.Connections, p.Duration = 10, 1, time.Second
		run := mustRun(t, p)
		if run.Classes[measure.Busy] != 5 || run.Classes[measure.Right] != 5 {
			t.Fatalf("%v", run.Classes)
		}
		// The ninth fell due at 0.8 s and is begun at 3.2 s.
		for name, test := range map[string]struct{ found, want time.Duration }{
			"service": {run.RefusalService.Max(), 400 * time.Millisecond}, "latency": {run.Refusal.Max(), 2800 * time.Millisecond},
		} {
			if (test.found - test.want).Abs() > test.want/900 {
				t.Errorf("%s %v, not %v", name, test.found, test.want)
			}
		}
		if run.Offering != time.Second || run.Duration != 4*time.Second {
			t.Errorf("offered for %v of %v", run.Offering, run.Duration)
		}
	})
}

// TestDuration: it is to the end of the last exchange, whatever its end, and not shorter than the offer.
func TestDuration(t *testing.T) {
	for _, test := range []struct {
		reply string // to all after the first three
		after time.Duration
		class measure.Class
		want  time.Duration // the second fell due a second after the beginning
	}{
		{"", 3 * time.Second, measure.Failed, 4 * time.Second},
		{"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 3 * time.Second, measure.Busy, 4 * time.Second},
		{echo([]byte("no")), 3 * time.Second, measure.Wrong, 4 * time.Second},
		{"", time.Minute, measure.TimedOut, 6 * time.Second},
		{"", 0, measure.Failed, 2 * time.Second},
	} {
		t.Run(fmt.Sprintf("%s after %v", test.class, test.after), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{answer: func(n int, _ string, body []byte) (string, bool) {
					if n < 3 {
						return echo(body), true
					}
					time.Sleep(test.after)
					return test.reply, test.reply != ""
				}}
				defer s.close()
				p := s.piped()
				p.Rate, p.Warmup, p.Duration, p.Timeout = 1, 3*time.Second, 2*time.Second, 5*time.Second
				p.Connections = 2
				run := mustRun(t, p)
				if run.Offered != 2 || run.Classes[test.class] != 2 {
					t.Fatalf("%v", run.Classes)
				}
				if run.Offering != 2*time.Second || run.Duration != test.want {
					t.Errorf("offered for %v of %v, not of %v", run.Offering, run.Duration, test.want)
				}
			})
		})
	}
}

// TestServedWhenUsedUp: what was answered after the last message fell due took that time, too.
func TestServedWhenUsedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: stalling(0, 0, 600*time.Millisecond)}
		defer s.close()
		p := s.piped()
		p.Rate, p.Connections, p.Duration, p.Source = 10, 10, 5*time.Second, &messages{limit: 10}
		run := mustRun(t, p)
		near(t, "served", run.Served, 10/1.5, 1e-9) // the last fell due at 0.9 s, and for 1 s there was no other
		if run.Offering != time.Second || run.Duration != 1500*time.Millisecond {
			t.Errorf("offered for %v of %v", run.Offering, run.Duration)
		}
	})
}
