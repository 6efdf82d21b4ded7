package drive

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// opening is how many connections are opened at once before a run: fewer than the accept queue of any system
// holds, and each is ready for use before the next is begun in its place.
const opening = 32

// each calls do for 0 to n-1, some at once, and returns the first error, after which no more are begun.
func each(ctx context.Context, n int, do func(i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	indices := make(chan int)
	var doing sync.WaitGroup
	for range min(n, opening) {
		doing.Go(func() {
			for i := range indices {
				if err := do(i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		select {
		case indices <- i:
		case <-ctx.Done():
		}
	}
	close(indices)
	doing.Wait()
	return context.Cause(ctx)
}

// A crowd is the idle connections beside a load.
type crowd []*connection

// openCrowd opens n connections, each kept alive after one OPTIONS request. They end with ctx.
func openCrowd(ctx context.Context, e *endpoint, n int, timeout time.Duration) (crowd, error) {
	readers := sync.Pool{New: func() any { return newReader() }}
	connections := make(crowd, n)
	err := each(ctx, n, func(i int) error {
		r := readers.Get().(*reader)
		defer readers.Put(r)
		c, err := idleConnection(ctx, e, r, timeout)
		if err != nil {
			return fmt.Errorf("drive: idle connection %d of %d: %w", i+1, n, err)
		}
		connections[i] = c
		return nil
	})
	if err != nil {
		connections.close()
		return nil, err
	}
	return connections, nil
}

func idleConnection(ctx context.Context, e *endpoint, r *reader, timeout time.Duration) (*connection, error) {
	deadline := time.Now().Add(timeout)
	c, err := e.open(ctx, deadline)
	if err != nil {
		return nil, err
	}
	if err := r.keepAlive(ctx, c, question(e), deadline); err != nil {
		c.close(true)
		return nil, err
	}
	return c, nil
}

// keepAlive asks one question, after which the server should keep the connection.
func (r *reader) keepAlive(ctx context.Context, c *connection, question []byte, deadline time.Time) error {
	if err := c.within(ctx, deadline); err != nil {
		return err
	}
	reusable, err := r.exchange(c, question)
	if err != nil {
		return err
	}
	if !reusable {
		return fmt.Errorf("the server ended it after its answer (status %d): it keeps none alive", r.response.StatusCode())
	}
	c.used = time.Now()
	return c.within(ctx, time.Time{})
}

// open counts those that the server has not ended.
func (g crowd) open() (n int) {
	for _, c := range g {
		if !readable(c.wire.Conn) {
			n++
		}
	}
	return n
}

func (g crowd) close() {
	for _, c := range g {
		if c != nil {
			c.close(true)
		}
	}
}
