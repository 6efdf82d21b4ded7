package drive

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const rest = " S 1 2 3 4 5 6 7 8 9 10 150 50 13 14 20 0 17 18 19 20 3000 22"
	for _, text := range []string{"7 (stsd)" + rest, "7 (a) b (c) d)" + rest, "7 ())" + rest} {
		u, err := parseStat([]byte(text))
		if err != nil || u.cpu != 2*time.Second || u.rss != 3000*uint64(os.Getpagesize()) || !u.known {
			t.Errorf("%q: %+v, %v", text, u, err)
		}
	}
	for _, text := range []string{"", "7", "7 (stsd", "7 (stsd) S 1 2", "7 (stsd)" + strings.Replace(rest, "150", "x", 1),
		"7 (stsd)" + strings.Replace(rest, " 50 ", " -1 ", 1), "7 (stsd)" + strings.Replace(rest, "3000", "1e3", 1)} {
		if u, err := parseStat([]byte(text)); err == nil || u != (usage{}) {
			t.Errorf("%q: %+v", text, u)
		}
	}
}

func TestMonitor(t *testing.T) {
	m, err := newMonitor(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	m.waiting()
	m.greatest = math.MaxUint64 // of a time before the run
	m.begin()
	for m.last.cpu < m.began.cpu+2*tick { // some work
		m.look()
	}
	p := m.process(2)
	if p == nil || p.PID != os.Getpid() || p.CPU < 2*tick || p.PerServe != p.CPU/2 || p.RSS == 0 || p.RSSMax < p.RSS || p.RSSMax == math.MaxUint64 || p.RSSIdle == 0 {
		t.Errorf("%+v", p)
	}
	if none, err := newMonitor(0); err != nil || none.process(1) != nil {
		t.Error("a process that nobody named")
	}
	if _, err := newMonitor(1 << 30); err == nil {
		t.Error("a process that is none")
	}
	gone := &monitor{pid: 1 << 30, began: m.began, last: m.last}
	if gone.look().known || gone.process(0) == nil {
		t.Error("what was known of a process stays when it is gone")
	}
}
