package drive

import (
	"context"
	"time"
)

// An alarm is what one worker sleeps on.
type alarm interface {
	// until sleeps until t, never less; false when its context ended meanwhile.
	until(t time.Time) bool
	close()
}

// A runtimeAlarm sleeps on a timer of Go's runtime: portable, and up to a millisecond late.
type runtimeAlarm struct{ ctx context.Context }

func newRuntimeAlarm(ctx context.Context) (alarm, error) { return runtimeAlarm{ctx}, nil }

func (a runtimeAlarm) until(t time.Time) bool {
	wait := time.Until(t)
	if wait <= 0 {
		return a.ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-a.ctx.Done():
		return false
	}
}

func (runtimeAlarm) close() {}
