package message

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel calls do for 0 to n-1 on all processors and returns the first error, or why ctx ended;
// after either nothing new is begun. progress, unless nil, is told how many are done, by one
// goroutine at a time.
func parallel(ctx context.Context, n int, progress func(done, total int), do func(i int) error) error {
	var (
		next  atomic.Int64
		group sync.WaitGroup
		mu    sync.Mutex // guards done, and progress
		done  int
	)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	for range min(n, runtime.GOMAXPROCS(0)) {
		group.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(i); err != nil {
					stop(err) // the first one counts
					return
				}
				mu.Lock()
				done++
				if progress != nil {
					progress(done, n)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if done == n {
		return nil // whatever ended meanwhile came too late to stop anything
	}
	return context.Cause(ctx)
}
