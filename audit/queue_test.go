package audit

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// gate holds every sync until it is opened.
type gate struct {
	files   *memory
	release chan struct{}
	reached chan struct{}
}

func newGate(files *memory) *gate {
	g := &gate{files: files, release: make(chan struct{}), reached: make(chan struct{}, 100)}
	files.mu.Lock()
	files.block = func() { g.reached <- struct{}{}; <-g.release }
	files.mu.Unlock()
	return g
}

func (g *gate) open() {
	g.files.mu.Lock()
	g.files.block = nil
	g.files.mu.Unlock()
	close(g.release)
}

func TestManyShareOneSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := newMemory()
		j := mustOpen(t, testConfig(t, files))
		g := newGate(files)
		before := files.syncs
		var all sync.WaitGroup
		for n := range 65 {
			all.Go(func() { record(t, j, smallEvent(n+1)) })
			if n == 0 {
				<-g.reached // the first leads; 64 come while it syncs
			}
		}
		synctest.Wait()
		if waiting := j.Stats().PendingEvents; waiting != 64 {
			t.Errorf("%d wait", waiting)
		}
		g.open()
		all.Wait()
		if got := files.syncs - before; got != 2 {
			t.Errorf("%d syncs for 1 + 64 events", got)
		}
		if report := mustBeIntact(t, files, j.Head()); report.Events != 65 {
			t.Errorf("%d events", report.Events)
		}
		j.Close()
	})
}

func TestContextEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := newMemory()
		j := mustOpen(t, testConfig(t, files))
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		if err := j.Record(ended, smallEvent(1)); reasonOf(err) != Withdrawn || !errors.Is(err, context.Canceled) {
			t.Errorf("before: %v", err)
		}

		g := newGate(files)
		short, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() { record(t, j, smallEvent(2)) }) // leads, and its disk hangs
		<-g.reached
		results := make([]error, 3)
		for i := range results {
			all.Go(func() { results[i] = j.Record(short, smallEvent(3+i)) })
		}
		all.Go(func() { record(t, j, smallEvent(10)) })
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for _, err := range results {
			if reasonOf(err) != Withdrawn || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("while waiting: %v", err)
			}
		}
		g.open()
		all.Wait()
		var ids []string
		for _, entry := range entries(t, files, Query{}) {
			ids = append(ids, entry.ID)
		}
		if want := numbered(2).String() + " " + numbered(10).String(); strings.Join(ids, " ") != want {
			t.Errorf("recorded %v", ids)
		}
		mustBeIntact(t, files, j.Head())
		j.Close()
	})
}

// A follower whose record is being written cannot know whether it will be.
func TestContextEndsDuringTheWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := newMemory()
		j := mustOpen(t, testConfig(t, files))
		g := newGate(files)
		short, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		var follower error
		all.Go(func() { record(t, j, smallEvent(1)) })
		<-g.reached
		all.Go(func() { record(t, j, smallEvent(2)) })
		synctest.Wait() // so that the next one follows, and is not promoted
		all.Go(func() { follower = j.Record(short, smallEvent(3)) })
		synctest.Wait()
		g.release <- struct{}{}
		<-g.reached // the second leads with the third's record
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if reasonOf(follower) != Indeterminate {
			t.Errorf("got %v", follower)
		}
		g.open()
		all.Wait()
		for n := range 50 { // slots are reused: none may still be the one that was left
			record(t, j, smallEvent(10+n))
		}
		if report := mustBeIntact(t, files, j.Head()); report.Events != 53 {
			t.Errorf("%d events", report.Events)
		}
		j.Close()
	})
}

// One whose context ends just as he is to lead must lead: others wait behind him.
func TestLeadIsNotLostWithItsContext(t *testing.T) {
	files := newMemory()
	j := mustOpen(t, testConfig(t, files))
	var all sync.WaitGroup
	for worker := range 16 {
		all.Go(func() {
			for n := range 200 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(n%7)*time.Microsecond)
				switch err := j.Record(ctx, smallEvent(worker*1000+n+1)); reasonOf(err) {
				case 0, Withdrawn, Indeterminate:
				default:
					t.Error(err)
				}
				cancel()
			}
		})
	}
	all.Wait()
	record(t, j, smallEvent(99999))
	stats := j.Stats()
	if stats.PendingEvents != 0 {
		t.Errorf("%d still wait", stats.PendingEvents)
	}
	if report := mustBeIntact(t, files, j.Head()); report.Events != stats.Events {
		t.Errorf("%d events, %d counted", report.Events, stats.Events)
	}
	j.Close()
}

// A disk that hangs must not fill the memory (Z9).
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := newMemory()
		c := testConfig(t, files)
		c.MaxPendingBytes = 2000
		j := mustOpen(t, c)
		g := newGate(files)
		var all sync.WaitGroup
		all.Go(func() { record(t, j, smallEvent(1)) })
		<-g.reached
		results := make(chan error, 100)
		for n := range 100 {
			all.Go(func() { results <- j.Record(context.Background(), smallEvent(n+2)) })
		}
		synctest.Wait()
		refused := len(results)
		g.open()
		all.Wait()
		close(results)
		recorded := 1
		for err := range results {
			switch reasonOf(err) {
			case 0:
				recorded++
			case Overloaded:
			default:
				t.Error(err)
			}
		}
		if refused < 80 || recorded != 101-refused {
			t.Errorf("%d refused, %d recorded", refused, recorded)
		}
		if report := mustBeIntact(t, files); report.Events != uint64(recorded) {
			t.Errorf("%d events", report.Events)
		}
		j.Close()
	})
}

// What waits when Close comes is recorded before the end.
func TestCloseLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := newMemory()
		j := mustOpen(t, testConfig(t, files))
		g := newGate(files)
		var all sync.WaitGroup
		for n := range 20 {
			all.Go(func() { record(t, j, smallEvent(n+1)) })
		}
		<-g.reached
		synctest.Wait()
		closed := make(chan error)
		go func() { closed <- j.Close() }()
		synctest.Wait()
		if err := j.Record(context.Background(), smallEvent(21)); reasonOf(err) != Closed {
			t.Errorf("Record during Close: %v", err)
		}
		g.open()
		all.Wait()
		if err := <-closed; err != nil {
			t.Error(err)
		}
		got := entries(t, files, Query{Control: true})
		if len(got) != 2+20+1 || got[22].Kind != "close" {
			t.Errorf("%d records, the last %q", len(got), got[len(got)-1].Kind)
		}
		if files.locked {
			t.Error("the lock was kept")
		}
	})
}
