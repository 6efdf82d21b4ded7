package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"sceau/audit"
)

// overloadWindow is how long refusals under load share one record.
const overloadWindow = time.Second

// An overload puts the requests that are refused because there are too many on record: one record for
// all of a second, with their number. A record for each would have every refusal wait for the disk, and a flood
// fill it. All of a second are told the one id under which the record stands. The zero value needs record.
type overload struct {
	// record writes one event; it may wait for the disk.
	record func(*audit.Event)
	total  atomic.Uint64 // refusals since the start

	mu      sync.Mutex
	event   audit.Event // of the window that is open
	count   int
	closed  bool
	timer   *time.Timer
	writing sync.WaitGroup
}

// refuse counts a refusal and returns the id of its record.
func (o *overload) refuse(event audit.Event) audit.ID {
	o.total.Add(1)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed { // the last of a server that stops
		event.Cause = overloadCause(1)
		o.record(&event)
		return event.ID
	}
	if o.count == 0 {
		o.event = event
		o.writing.Add(1)
		o.timer = time.AfterFunc(overloadWindow, func() {
			defer o.writing.Done()
			o.write()
		})
	}
	o.count++
	return o.event.ID
}

func (o *overload) write() {
	o.mu.Lock()
	event, n := o.event, o.count
	o.count = 0
	o.mu.Unlock()
	event.Cause = overloadCause(n)
	o.record(&event)
}

func overloadCause(n int) string {
	return fmt.Sprintf("HTTP status 503: more requests at once than admitted, %d of this kind within %v", n, overloadWindow)
}

// close writes what is not written yet.
func (o *overload) close() {
	o.mu.Lock()
	o.closed = true
	if o.count > 0 && o.timer.Stop() {
		o.mu.Unlock()
		o.write()
		o.writing.Done()
	} else {
		o.mu.Unlock()
	}
	o.writing.Wait()
}
