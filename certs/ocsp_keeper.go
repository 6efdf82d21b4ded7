package certs

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ocsp"
)

// ocspKeeper keeps the answers about the certificates of one authority fresh: it
// asks about those that were seen, again before half of the time that their
// answers have left is over, and forgets those that nobody brings any more. One goroutine decides
// and a few ask, however many certificates there are.
//
// Its pace is the monotonic clock, as that of timers: a step of the wall clock
// neither floods a responder nor stops the questions. Whether an answer is fresh is
// a question to Config.Now.
type ocspKeeper struct {
	policy     *ocspPolicy
	config     *OCSPConfig
	now, pace  func() time.Time
	log        *slog.Logger
	epoch      *atomic.Uint64
	client     *http.Client
	responders []*ocspResponder

	queue ocspQueue
	work  chan *ocspEntry
	done  chan ocspOutcome
}

// ocspOutcome is what came of asking about a certificate.
type ocspOutcome struct {
	entry  *ocspEntry
	answer *ocspAnswer
	err    error
}

const (
	ocspSweep      = time.Minute      // how often the marks of requests are read
	minOCSPRefresh = 30 * time.Second // between two questions about one certificate
)

// runOCSP starts the keepers of a trust.
func (v *Verifier) runOCSP(ctx context.Context, t *trust, c *Config) {
	for _, a := range t.order {
		if a.ocsp == nil {
			continue
		}
		k := &ocspKeeper{
			policy: a.ocsp, config: &c.OCSP, now: c.Now, pace: time.Now, log: c.Log, epoch: &v.epoch,
			client: newOCSPClient(&c.OCSP), work: make(chan *ocspEntry), done: make(chan ocspOutcome),
		}
		for _, address := range a.ocsp.Responders {
			k.responders = append(k.responders, a.ocsp.shelf.responder(address))
		}
		a.ocsp.shelf.kept.Store(true)
		for range c.OCSP.Concurrency {
			v.done.Go(func() { k.labour(ctx) })
		}
		v.done.Go(func() { k.run(ctx) })
	}
}

// labour asks about one certificate after the other.
func (k *ocspKeeper) labour(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-k.work:
			answer, err := k.ask(ctx, e)
			select {
			case <-ctx.Done():
				return
			case k.done <- ocspOutcome{e, answer, err}:
			}
		}
	}
}

// run decides what is asked when, until the context ends.
func (k *ocspKeeper) run(ctx context.Context) {
	defer k.client.CloseIdleConnections()
	defer k.policy.shelf.kept.Store(false)
	k.adopt()
	timer := time.NewTimer(0)
	defer timer.Stop()
	sweep := k.pace().Add(ocspSweep)
	for {
		pace := k.pace()
		if !pace.Before(sweep) {
			k.sweep(pace)
			sweep = pace.Add(ocspSweep)
		}
		next := k.next(pace)
		var work chan<- *ocspEntry // nil, which nobody receives from, while nothing is due
		wait := time.Hour          // nothing is kept: it is woken
		switch {
		case next != nil: // somebody will be free to ask
			work, wait = k.work, ocspSweep
		case len(k.queue) > 0:
			wait = min(sweep.Sub(pace), k.queue[0].due.Sub(pace))
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-k.policy.shelf.wake:
			k.admit(k.pace())
		case outcome := <-k.done:
			k.finish(outcome)
		case work <- next:
			heap.Pop(&k.queue)
		}
	}
}

// adopt takes over what a keeper before this one knew. What a delegated responder
// signed that the configuration no longer pins is asked about at once.
func (k *ocspKeeper) adopt() {
	pace := k.pace()
	shelf := k.policy.shelf
	unpinned := func(c *Certificate) bool {
		same := func(o *Certificate) bool { return c.fingerprint == o.fingerprint }
		return slices.ContainsFunc(shelf.pinned, same) && !slices.ContainsFunc(k.policy.signers, same)
	}
	shelf.takeFresh() // they are on the shelf
	shelf.each(func(e *ocspEntry) {
		if a := e.answer.Load(); a != nil && a.status != ocsp.Revoked && a.delegate != nil && unpinned(a.delegate) {
			e.answer.Store(nil)
			e.due = pace
		}
		if e.lastSeen.IsZero() {
			e.lastSeen = pace
		}
		e.known = true
		k.queue = append(k.queue, e)
	})
	shelf.pinned = k.policy.signers
	for i, e := range k.queue {
		e.index = i
	}
	heap.Init(&k.queue)
}

// admit takes fresh entries, due at once, and makes room where it is wanted.
func (k *ocspKeeper) admit(pace time.Time) {
	for _, e := range k.policy.shelf.takeFresh() {
		if e.known { // it came onto the shelf while the keeper adopted what was there
			continue
		}
		e.known, e.due, e.lastSeen = true, pace, pace
		heap.Push(&k.queue, e)
	}
	limit := k.policy.entries
	room := limit / 16
	if k.policy.shelf.crowded.Swap(false) {
		room = max(room, 1)
	}
	if excess := k.policy.shelf.count.Load() - (limit - room); excess > 0 {
		k.sweep(pace)
		k.evict(max(excess, room))
	}
}

// sweep reads the marks that requests left.
func (k *ocspKeeper) sweep(pace time.Time) {
	for _, e := range k.queue {
		e.look(pace)
	}
}

func (e *ocspEntry) look(pace time.Time) {
	if e.seen.Swap(false) {
		e.lastSeen = pace
	}
}

// revoked tells whether the entry says so. Such a one is the last to be forgotten.
func (e *ocspEntry) revoked() bool {
	a := e.answer.Load()
	return a != nil && a.status == ocsp.Revoked
}

// evict drops the longest unseen; those that are being asked about stay.
func (k *ocspKeeper) evict(n int64) {
	all := slices.Clone(k.queue)
	slices.SortFunc(all, func(a, b *ocspEntry) int {
		if ra, rb := a.revoked(), b.revoked(); ra != rb {
			if rb {
				return -1
			}
			return 1
		}
		return cmp.Or(a.lastSeen.Compare(b.lastSeen), slices.Compare(a.digest[:], b.digest[:]))
	})
	for _, e := range all[:min(n, int64(len(all)))] {
		k.forget(e)
	}
}

// forget drops an entry that is in the queue.
func (k *ocspKeeper) forget(e *ocspEntry) {
	heap.Remove(&k.queue, e.index)
	k.conclude(e) // who waits for it waits in vain
	k.policy.shelf.drop(e)
}

// next gives an entry that is to be asked about now, or nil. What was not seen
// for long is forgotten instead; what is known to be revoked, when it has expired.
func (k *ocspKeeper) next(pace time.Time) *ocspEntry {
	for len(k.queue) > 0 {
		e := k.queue[0]
		if e.due.After(pace) {
			return nil
		}
		e.look(pace)
		unseen := pace.Sub(e.lastSeen) > k.config.Unseen
		switch {
		case k.now().After(e.notAfter) || unseen && !e.revoked():
			k.forget(e)
		case unseen:
			e.due = pace.Add(k.config.Refresh)
			heap.Fix(&k.queue, 0)
		default:
			return e
		}
	}
	return nil
}

// finish takes the outcome of a question.
func (k *ocspKeeper) finish(o ocspOutcome) {
	e, pace := o.entry, k.pace()
	changed, err := false, o.err
	if err == nil {
		changed, err = e.put(o.answer)
	}
	switch {
	case err == nil:
		e.failures = 0
		e.due = pace.Add(k.refresh(e.answer.Load()))
	case errors.Is(err, errResting) || k.closed(pace) > 0: // the certificate has nothing to do with it
		e.due = pace.Add(k.closed(pace) + time.Second + rand.N(minOCSPBackOff))
	default:
		e.failures++
		e.due = pace.Add(ocspBackOff(e.failures, maxOCSPQuestionBackOff))
	}
	heap.Push(&k.queue, e)
	if changed { // what rests on what was said before must be asked again
		k.epoch.Add(1)
	}
	k.conclude(e)
}

func (k *ocspKeeper) conclude(e *ocspEntry) {
	if !e.asked {
		e.asked = true
		close(e.first)
	}
}

// closed is how long every responder is left in peace; zero when one may be asked.
func (k *ocspKeeper) closed(pace time.Time) time.Duration {
	shortest := time.Duration(1<<63 - 1)
	for _, r := range k.responders {
		shortest = min(shortest, r.pause(pace))
	}
	return shortest
}

// refresh says when to ask again: when between a quarter and half of the time that
// an answer has left is over, so that many certificates do not come at once.
func (k *ocspKeeper) refresh(a *ocspAnswer) time.Duration {
	wait := min(k.config.Refresh, max(a.nextUpdate.Sub(k.now())/2, minOCSPRefresh))
	return wait/2 + rand.N(wait/2+1)
}

// ocspQueue is a heap of entries, the first due in front.
type ocspQueue []*ocspEntry

func (q ocspQueue) Len() int           { return len(q) }
func (q ocspQueue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q ocspQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push implements heap.Interface.
func (q *ocspQueue) Push(x any) {
	e := x.(*ocspEntry)
	e.index = len(*q)
	*q = append(*q, e)
}

// Pop implements heap.Interface.
func (q *ocspQueue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	e.index = -1
	return e
}
