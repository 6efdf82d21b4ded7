package federation

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// kept keeps what was resolved, and what failed a little while, and asks once for all who ask the same meanwhile. What is asked for in
// the last quarter of its time is resolved anew while who asks has the old answer: whoever is trusted, and used, waits neither for a
// place nor for an authority that is slow, and one that is down for a while shuts nobody out.
type kept struct {
	r     *Resolver
	limit int

	mu      sync.Mutex
	entries map[question]*entry
	before  map[string]struct{} // entities that were resolved, and not refused since: they have places of their own
}

// An entry is one question. Its fields are guarded by kept.mu, but for what done publishes.
type entry struct {
	done chan struct{} // closed when the rest is set
	stop context.CancelFunc

	waiting int         // how many wait for done
	left    *time.Timer // since nobody does; it ends the work
	renews  bool        // it is to follow another, and nobody need wait for it

	resolved *Resolved
	err      error
	until    time.Time // zero while under way
	renew    time.Time // from when it is resolved anew
	next     *entry    // which does that
}

type resolution func(context.Context) (*Resolved, error)

func (k *kept) get(ctx context.Context, q question, ask resolution) (*Resolved, error) {
	e, err := k.entry(ctx, q, ask)
	if err != nil {
		return nil, err
	}
	select {
	case <-e.done:
		return e.resolved, e.err
	default:
	}
	defer k.leave(q, e)
	select {
	case <-e.done:
		return e.resolved, e.err
	case <-ctx.Done():
		return nil, &Error{Reason: Unreachable, Entity: q.entity, Cause: ctx.Err()}
	}
}

// entry finds the entry of a question, or begins it. Who gets one that is under way is counted as waiting.
func (k *kept) entry(ctx context.Context, q question, ask resolution) (*entry, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.r.now()
	e := k.entries[q]
	if e != nil && !e.until.IsZero() && !now.Before(e.until) {
		delete(k.entries, q)
		if e = e.next; e != nil { // it is being resolved anew, and is waited for now
			k.entries[q] = e
		}
	}
	if e == nil {
		var err error
		if e, err = k.begin(ctx, q, ask); err != nil {
			return nil, err
		}
		k.room(now)
		k.entries[q] = e
	}
	if e.until.IsZero() {
		e.waiting++
		if e.left != nil {
			e.left.Stop()
		}
		return e, nil
	}
	if e.err == nil && e.next == nil && !now.Before(e.renew) {
		if next, err := k.begin(ctx, q, ask); err == nil { // with no place left, whoever asks next finds one
			next.renews, e.next = true, next
		}
	}
	return e, nil
}

// begin begins to resolve; k is locked. Who asks first may give up; the others still want the answer.
func (k *kept) begin(ctx context.Context, q question, ask resolution) (*entry, error) {
	_, before := k.before[q.entity]
	work, free, err := k.r.enter(context.WithoutCancel(ctx), q.entity, before)
	if err != nil {
		return nil, err
	}
	e := &entry{done: make(chan struct{})}
	work, e.stop = context.WithCancel(work)
	go func() {
		resolved, err := k.guarded(work, q, ask)
		if err != nil && work.Err() != nil {
			err = &Error{Reason: Limit, Entity: q.entity, Cause: err}
		}
		e.stop()
		free() // whoever sees an answer sees the place free too
		k.settle(q, e, resolved, err)
	}()
	return e, nil
}

// guarded asks, and makes a fault of ours an outage: in a goroutine of its own it would end the process, with what a stranger serves as
// his configuration.
func (k *kept) guarded(ctx context.Context, q question, ask resolution) (resolved *Resolved, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			k.r.log.ErrorContext(ctx, "federation: fault while an entity was resolved", "entity", q.entity, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			resolved, err = nil, &Error{Reason: Fault, Entity: q.entity, Cause: errors.New("see the log")}
		}
	}()
	return ask(ctx)
}

// settle keeps what came of an entry. What follows another replaces it where it says something: that an authority could not be asked
// ends nothing before its time, and that an entity was struck off does.
func (k *kept) settle(q question, e *entry, resolved *Resolved, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer close(e.done)
	now := k.r.now()
	e.resolved, e.err, e.until = resolved, err, now.Add(k.r.limits.Retry)
	switch {
	case err == nil:
		e.until = resolved.ExpiresAt
		e.renew = e.until.Add(-e.until.Sub(now) / 4)
		k.remember(q.entity)
	case !temporary(err):
		delete(k.before, q.entity)
	}
	was := k.entries[q]
	switch {
	case was == nil || was.next != e: // it is the entry, or nobody asks for it any more
	case temporary(err):
		was.next, was.renew = nil, e.until
	default:
		k.entries[q] = e
	}
}

// leave is told that somebody waits no longer. Work for which nobody waits holds a place that others need: it ends a little later,
// unless somebody asks again meanwhile.
func (k *kept) leave(q question, e *entry) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e.waiting--; e.waiting > 0 || !e.until.IsZero() || e.renews {
		return
	}
	abandon := func() {
		if e.waiting == 0 && e.until.IsZero() {
			if k.entries[q] == e { // who asks next begins anew: nothing was found wrong
				delete(k.entries, q)
			}
			e.stop()
		}
	}
	if k.r.limits.Left == 0 {
		abandon()
		return
	}
	e.left = time.AfterFunc(k.r.limits.Left, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		abandon()
	})
}

// temporary says that nothing was found wrong.
func temporary(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Temporary()
}

// known says whether an entity was resolved before.
func (k *kept) known(entity string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, there := k.before[entity]
	return there
}

// remember remembers an entity that was resolved; k is locked. Only a federation makes it one: strangers push nobody out.
func (k *kept) remember(entity string) {
	if _, there := k.before[entity]; !there && len(k.before) >= max(k.limit, 1) {
		for one := range k.before {
			delete(k.before, one)
			break
		}
	}
	k.before[entity] = struct{}{}
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
