package message

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel calls do for 0 to n-1 on all processors and returns the first error; after one
// nothing new is begun. progress, unless nil, is told how many are done, by one goroutine
// at a time.
func parallel(n int, progress func(done, total int), do func(i int) error) error {
	var (
		next   atomic.Int64
		group  sync.WaitGroup
		mu     sync.Mutex // guards done and first
		done   int
		first  error
		failed atomic.Bool
	)
	ended := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			failed.Store(true)
			if first == nil {
				first = err
			}
			return
		}
		done++
		if progress != nil {
			progress(done, n)
		}
	}
	for range min(n, runtime.GOMAXPROCS(0)) {
		group.Go(func() {
			for !failed.Load() {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				ended(do(i))
			}
		})
	}
	group.Wait()
	return first
}
