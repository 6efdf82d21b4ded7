package drive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"sceau/bench/load/measure"
)

// pause is how long a connection of a closed loop waits after a failure, so that it does not spin.
const pause = 50 * time.Millisecond

// ahead is how long before it is due a message is made at the earliest.
const ahead = 250 * time.Millisecond

// A worker sends one message after the other on a connection of its own. One goroutine runs it.
type worker struct {
	*runner
	alarm   alarm
	reader  *reader
	conn    *connection // nil: the next message opens one
	free    time.Time   // when the last exchange ended
	shot    measure.Shot
	request []byte
}

// work takes arrivals until there are none.
func (w *worker) work(ctx context.Context) {
	w.free = time.Now()
	defer w.leave()
	for {
		due, ok := w.schedule.next()
		if !ok || !w.serve(ctx, due) {
			return
		}
	}
}

func (w *worker) leave() {
	if w.conn != nil {
		w.drop()
	}
	w.alarm.close()
}

func (w *worker) drop() {
	w.conn.close(w.plan.NewConnections)
	w.conn = nil
}

// serve sends what falls due and records how it ended; false: no more.
func (w *worker) serve(ctx context.Context, due time.Time) bool {
	o := outcome{due: due, free: w.free}
	if now := time.Now(); w.open && now.Sub(due) > w.plan.Timeout {
		o.class, o.end = measure.Unsent, now
		w.record(&o)
		return ctx.Err() == nil
	}
	// The message is made while there is time, and not so long before that it is stale.
	if !w.alarm.until(due.Add(-ahead)) || !w.make(&o) || !w.alarm.until(due) {
		return false
	}
	o.begin = time.Now()
	if !w.open {
		if !o.begin.Before(w.ends) {
			return false
		}
		o.due = o.begin
	}
	err := w.exchange(ctx, &o)
	o.end = time.Now()
	if ctx.Err() != nil {
		return false // cut short by us: neither answered nor failed
	}
	w.judge(&o, err)
	w.record(&o)
	w.free = o.end
	if o.class == measure.Failed && !w.open {
		ok := w.alarm.until(o.end.Add(pause))
		w.free = time.Now()
		return ok
	}
	return true
}

// make gets the message and writes its request; false when there is none.
func (w *worker) make(o *outcome) bool {
	begin := time.Now()
	err := w.plan.Source.Next(o.due, &w.shot)
	if errors.Is(err, io.EOF) {
		w.schedule.exhaust(o.due)
		return false
	}
	if err == nil {
		w.request, err = w.form.append(w.request[:0], &w.shot)
	}
	if err != nil {
		w.fail(fmt.Errorf("drive: making a message: %w", err))
		return false
	}
	o.kind, o.making = w.shot.Kind, time.Since(begin)
	return true
}

// exchange sends the request and reads the answer, on a new connection if need be.
func (w *worker) exchange(ctx context.Context, o *outcome) error {
	deadline := o.begin.Add(w.plan.Timeout)
	if w.conn != nil && w.conn.stale(o.begin) {
		w.drop()
	}
	if w.conn == nil {
		c, err := w.endpoint.open(ctx, deadline)
		if err != nil {
			return err
		}
		w.conn = c
	} else {
		o.out, o.in = -w.conn.wire.sent, -w.conn.wire.received // only what is added; wraps around and back
	}
	o.sent, w.conn.ended = true, true // until it is known to be good
	if err := w.conn.within(ctx, deadline); err != nil {
		return err
	}
	reusable, err := w.reader.exchange(w.conn, w.request)
	o.out += w.conn.wire.sent
	o.in += w.conn.wire.received
	w.conn.ended = !reusable || w.plan.NewConnections
	return err
}

// judge says how an exchange ended, and ends a connection that is of no more use.
func (w *worker) judge(o *outcome, err error) {
	switch {
	case err == nil:
		response := &w.reader.response
		o.answered, o.status, o.body = true, response.StatusCode(), response.Body()
		o.verdict = w.plan.Checker.Check(&w.shot, o.status, o.body)
		o.class = o.verdict.Class
		if o.class != measure.Right && o.class != measure.Busy && o.class != measure.Wrong {
			o.class, o.verdict.Why = measure.Wrong, fmt.Sprintf("the checker gave no verdict but %q", o.verdict.Class)
		}
	case timedOut(err):
		o.class = measure.TimedOut
	default:
		o.class, o.cause = measure.Failed, cause(err)
	}
	if w.conn == nil {
		return
	}
	w.conn.used = o.end
	if w.conn.ended {
		w.drop()
	}
}
