package audit

import (
	"context"
	"slices"
	"sync"
)

// A slot is one record on its way to the disk. Slots are pooled; a slot whose
// caller walked away while it was being written is left to the garbage collector.
type slot struct {
	pseudonymizer
	body  []byte
	event bool // an event, not a record of the journal's own

	wake  chan struct{} // one message: done, or lead; never blocks the sender
	state slotState     // guarded by queue.mu
	err   error         // of the batch, when done
}

type slotState uint8

const (
	queued   slotState = iota
	taken              // by a leader, being written
	promoted           // its goroutine is to lead the next batch
	done
)

// A queue shares one write and one fsync among all who come while another is under
// way. Whoever finds nobody leading leads: he takes what waits (his own record first),
// writes it without holding the lock, wakes those whose records it were, and hands the lead to
// the first who came meanwhile. So nobody leads more than one batch, a lone
// record costs no change of goroutine, and no goroutine exists for the purpose.
//
// Invariant: waiting is not empty only while led; the one who leads alone touches
// the journal's writer.
type queue struct {
	mu      sync.Mutex
	waiting []*slot
	pending int // bytes waiting
	led     bool
	closed  bool

	// published by the leader
	head  link
	stats Stats

	batch []*slot // the leader's
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
}

// submit has s recorded, by this goroutine or another, and gives s back to the pool.
func (j *Journal) submit(ctx context.Context, s *slot) error {
	q := &j.queue
	q.mu.Lock()
	if reason := j.admits(s, ctx); reason != 0 {
		q.stats.Failures++
		q.mu.Unlock()
		j.slots.Put(s)
		return &Error{Reason: reason, Err: ctx.Err()}
	}
	s.state, s.err = queued, nil
	q.waiting = append(q.waiting, s)
	q.pending += len(s.body)
	lead := !q.led
	q.led = true
	q.mu.Unlock()

	if !lead {
		select {
		case <-s.wake:
		case <-ctx.Done():
			if err := j.leave(ctx, s); err != nil {
				return err
			}
		}
		// Written before the wake was sent.
		lead = s.state == promoted
	}
	if lead {
		j.lead(s)
	}
	err := s.err
	j.slots.Put(s)
	return err
}

// admits says with which Reason s is refused; zero is none. queue.mu is held.
func (j *Journal) admits(s *slot, ctx context.Context) Reason {
	switch {
	case j.queue.closed && s.event:
		return Closed
	case ctx.Err() != nil:
		return Withdrawn
	case j.queue.pending+len(s.body) > j.maxPending && s.event:
		return Overloaded
	}
	return 0
}

// leave is for a caller whose context ended. It returns nil when he may not leave: his record
// is written, or it is his to lead.
func (j *Journal) leave(ctx context.Context, s *slot) error {
	q := &j.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	switch s.state {
	case queued:
		q.waiting = slices.DeleteFunc(q.waiting, func(other *slot) bool { return other == s })
		q.pending -= len(s.body)
		q.stats.Failures++
		j.slots.Put(s)
		return &Error{Reason: Withdrawn, Err: ctx.Err()}
	case taken:
		return &Error{Reason: Indeterminate, Err: ctx.Err()}
	}
	<-s.wake // it was sent under the lock, with the state
	return nil
}

// lead writes one batch, s in it.
func (j *Journal) lead(s *slot) {
	q := &j.queue
	q.mu.Lock()
	size, n := 0, 0
	for n < len(q.waiting) && (n == 0 || size+len(q.waiting[n].body) <= maxBatch) {
		q.waiting[n].state = taken
		size += len(q.waiting[n].body)
		n++
	}
	batch := append(q.batch[:0], q.waiting[:n]...)
	q.waiting = slices.Delete(q.waiting, 0, n)
	q.pending -= size
	failing := q.stats.Failing
	q.mu.Unlock()

	begin := j.now()
	err := j.writer.append(batch)
	took := j.now().Sub(begin)
	j.tellDisk(failing, err, len(batch))

	q.mu.Lock()
	q.head = j.writer.chain.link
	j.account(batch, err)
	if err == nil {
		q.stats.Commits++
		q.stats.CommitTime += took
	}
	for i, follower := range batch {
		follower.err = nil
		if err != nil {
			follower.err = &Error{Reason: Unwritable, Err: err}
		}
		follower.state = done
		if follower != s {
			follower.wake <- struct{}{}
		}
		batch[i] = nil
	}
	q.batch = batch
	if len(q.waiting) > 0 {
		next := q.waiting[0]
		next.state = promoted
		next.wake <- struct{}{}
	} else {
		q.led = false
	}
	q.mu.Unlock()
}

// account adds a batch to the statistics. queue.mu is held.
func (j *Journal) account(batch []*slot, err error) {
	stats := &j.queue.stats
	stats.Failing = err != nil
	stats.File, stats.Bytes = j.writer.number, j.writer.bytes
	for _, s := range batch {
		switch {
		case err != nil:
			stats.Failures++
		case s.event:
			stats.Events++
		}
	}
}

// tellDisk logs when the disk begins to fail and when it recovers, not every
// record in between.
func (j *Journal) tellDisk(failing bool, err error, records int) {
	switch {
	case err != nil && !failing:
		j.log.Error("audit journal cannot be written: requests are refused until it can", "records", records, "error", err)
	case err == nil && failing:
		j.log.Info("audit journal is written again")
	}
}
