package drive

import (
	"time"

	"sceau/bench/load/measure"
)

// A usage is what a process has used so far. The zero usage is that of a process of which nothing is known.
type usage struct {
	known bool
	cpu   time.Duration // user and system
	rss   uint64        // bytes
}

// A monitor follows the server's process over a run. One goroutine uses it.
type monitor struct {
	pid         int
	idle        uint64 // bytes, with all connections open and no load
	began, last usage
	greatest    uint64
}

// newMonitor refuses a process that cannot be read; 0 is one that is not followed.
func newMonitor(pid int) (*monitor, error) {
	m := &monitor{pid: pid}
	if pid == 0 {
		return m, nil
	}
	_, err := usageOf(pid)
	return m, err
}

// look reads the process; what cannot be read any more stays as it was last.
func (m *monitor) look() usage {
	if m.pid == 0 {
		return usage{}
	}
	u, err := usageOf(m.pid)
	if err != nil || !u.known {
		return usage{}
	}
	m.last = u
	m.greatest = max(m.greatest, u.rss)
	return u
}

// waiting notes what the process holds when all connections are open and no load has begun.
func (m *monitor) waiting() { m.idle = m.look().rss }

// begin starts the account of what is used.
func (m *monitor) begin() {
	m.greatest = 0
	m.began = m.look()
}

// process is the account at the end, nil when nothing is known.
func (m *monitor) process(right uint64) *measure.Process {
	m.look()
	if !m.began.known || !m.last.known {
		return nil
	}
	p := &measure.Process{PID: m.pid, CPU: m.last.cpu - m.began.cpu, RSS: m.last.rss, RSSMax: m.greatest, RSSIdle: m.idle}
	if right > 0 {
		p.PerServe = p.CPU / time.Duration(right)
	}
	return p
}
