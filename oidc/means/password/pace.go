package password

import (
	"context"
	"sync"
	"time"
)

// A pace is when refusals leave: at multiples of a quantum that is at least twice what verifying took of late. Where it takes longer
// than a quantum (a directory under load, which whoever asks for many binds can make it), names that are known and names that are not
// would leave at different multiples.
type pace struct {
	least, most time.Duration

	mu      sync.Mutex
	quantum time.Duration
	slow    time.Time // when something last took more than a quarter of it
}

// calm is how long nothing may have been slow before the quantum is halved.
const calm = time.Hour

// raises is by how much a quantum is raised at most: beyond that the directory is of no use to anybody.
const raises = 16

func newPace(quantum time.Duration) *pace {
	return &pace{least: quantum, most: raises * quantum, quantum: quantum}
}

// took is told how long it took to verify a password, and gives the quantum from now on, and whether that is a higher one.
func (p *pace) took(d time.Duration, now time.Time) (quantum time.Duration, raised bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case d > p.quantum/4:
		p.slow = now
	case p.quantum > p.least && now.Sub(p.slow) > calm:
		p.quantum, p.slow = max(p.quantum/2, p.least), now
	}
	for d > p.quantum/2 && p.quantum < p.most {
		p.quantum, raised = min(2*p.quantum, p.most), true
	}
	return p.quantum, raised
}

// until is how long a refusal waits that was in line, was verified, and is ready after a time altogether. Each has its own multiple: who
// fills the line with one name, and measures how long another waits in it, learns no more than who measures the first.
func until(quantum, line, verifying, since time.Duration) time.Duration {
	up := func(d time.Duration) time.Duration { return (d + quantum - 1) / quantum * quantum }
	return max(up(line)+max(up(verifying), quantum)-since, 0)
}

// A line is where passwords wait to be verified, so that a stranger who sends many at once makes neither a directory so slow that it
// shows which names it knows, nor takes all of it from others. Its zero value lets nobody in.
type line struct {
	places chan struct{} // of those that are being verified
	all    chan struct{} // of them and those that wait
}

func newLine(places int) line {
	return line{make(chan struct{}, places), make(chan struct{}, 16*places)}
}

// enter waits for a place, which leave gives back. ok is false where too many wait already, or nobody does any more.
func (l *line) enter(ctx context.Context) (leave func(), ok bool) {
	select {
	case l.all <- struct{}{}:
	default:
		return nil, false
	}
	select {
	case l.places <- struct{}{}:
		return func() { <-l.places; <-l.all }, true
	case <-ctx.Done():
		<-l.all
		return nil, false
	}
}

// sleep waits, unless nobody does any more.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
