package drive

import (
	"os"
	"testing"
)

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestFilesOfWorkers: a worker holds open what a plan counts for it: in a closed loop nothing beside its connection (here none,
// it is in memory), so that ten thousand fit under a limit of twenty thousand files.
func TestFilesOfWorkers(t *testing.T) {
	const connections = 200
	for _, test := range []struct {
		name  string
		rate  float64
		files int // of a worker, beside its connection
	}{{"closed", 0, 0}, {"open", 100, alarmFiles}} {
		t.Run(test.name, func(t *testing.T) {
			s := &service{answer: echoing}
			defer s.close()
			p := s.piped()
			p.alarm = nil
			p.Rate, p.Connections = test.rate, connections
			e, err := newEndpoint(&p)
			if err != nil {
				t.Fatal(err)
			}
			first, err := newAlarm(t.Context()) // which also opens what the runtime waits with
			if err != nil {
				t.Fatal(err)
			}
			defer first.close()
			before := openFiles(t)
			workers, err := (&runner{plan: &p, endpoint: e}).hire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			opened := openFiles(t) - before
			dismiss(workers)
			if opened != connections*test.files || p.files() != connections*(1+test.files)+otherFiles {
				t.Errorf("%d files opened, %d counted", opened, p.files())
			}
			if left := openFiles(t) - before; left != 0 {
				t.Errorf("%d files left open", left)
			}
		})
	}
	many := Plan{Connections: 10_000, Idle: 5000}
	if n := many.files(); n > 20_000 {
		t.Errorf("%d files for 10000 connections of a closed loop and 5000 idle ones", n)
	}
}
