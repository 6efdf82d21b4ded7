package federation

import (
	"context"
	"sync"
	"time"
)

// kept keeps what was resolved, and what failed a little while, and asks once for all who ask the same meanwhile.
type kept struct {
	mu      sync.Mutex
	limit   int
	entries map[question]*entry
}

type entry struct {
	done     chan struct{} // closed when the rest is set
	resolved *Resolved
	err      error
	until    time.Time // zero while under way
}

func (k *kept) get(ctx context.Context, q question, r *Resolver, ask func(context.Context) (*Resolved, error)) (*Resolved, error) {
	k.mu.Lock()
	e, there := k.entries[q]
	if there && !e.until.IsZero() && !r.now().Before(e.until) {
		delete(k.entries, q)
		there = false
	}
	if !there {
		// Who asks first may give up; the others still want the answer.
		work, done, err := r.enter(context.WithoutCancel(ctx))
		if err != nil {
			k.mu.Unlock()
			return nil, err
		}
		e = &entry{done: make(chan struct{})}
		k.room(r.now())
		k.entries[q] = e
		go func() {
			defer done()
			k.settle(q, e, r, work, ask)
		}()
	}
	k.mu.Unlock()
	select {
	case <-e.done:
		return e.resolved, e.err
	case <-ctx.Done():
		return nil, &Error{Reason: Unreachable, Entity: q.entity, Cause: ctx.Err()}
	}
}

func (k *kept) settle(q question, e *entry, r *Resolver, ctx context.Context, ask func(context.Context) (*Resolved, error)) {
	resolved, err := ask(ctx)
	if err != nil && ctx.Err() != nil {
		err = &Error{Reason: Limit, Entity: q.entity, Cause: err}
	}
	until := r.now().Add(r.limits.Retry)
	if err == nil {
		until = resolved.ExpiresAt
	}
	k.mu.Lock()
	e.resolved, e.err, e.until = resolved, err, until
	k.mu.Unlock()
	close(e.done)
}

// room makes room for one entry: what has ended goes first, then failures, then any that is settled. Those under way are few.
func (k *kept) room(now time.Time) {
	if len(k.entries) < max(k.limit, 1) {
		return
	}
	for q, e := range k.entries {
		if !e.until.IsZero() && (!now.Before(e.until) || e.err != nil) {
			delete(k.entries, q)
		}
	}
	for q, e := range k.entries {
		if len(k.entries) < max(k.limit, 1) {
			return
		}
		if !e.until.IsZero() {
			delete(k.entries, q)
		}
	}
}

func (k *kept) peek(q question, now time.Time) (*Resolved, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, there := k.entries[q]
	if !there || e.until.IsZero() || e.err != nil || !now.Before(e.until) {
		return nil, false
	}
	return e.resolved, true
}
