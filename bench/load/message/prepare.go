package message

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// PrepareConfig says which messages Prepare makes.
type PrepareConfig struct {
	// Maker says what they are; its Clock, unless zero, is the agreed moment of all of them,
	// and its Lifetime theirs. Cold is passed over: all certificates are issued ahead.
	Maker MakerConfig
	// Path is the file. What is there already is replaced when all messages are made.
	Path  string
	Count int
	// Start is when the first message will be sent: far enough away that all are signed by
	// then. Rate is how many a second follow; zero makes all for Start, and Lifetime is then
	// how long the run may take.
	Start time.Time
	Rate  float64
	// Progress, unless nil, is told how many messages are made, by one goroutine.
	Progress func(done, total int)
}

// earlyPart is the part of its lifetime by which a message may be sent sooner than planned, for
// arrivals that are not even.
const earlyPart = 6

// batchSize is how many messages a worker makes at once.
const batchSize = 16

// A batch is messages that were made together, as the file has them.
type batch struct {
	records []byte
	count   int
	err     error
}

// Prepare makes messages ahead, signed in parallel, and keeps them in a file, in their order
// and with the Timestamp of the moment at which each is to be sent. When ctx ends it gives
// up, and leaves the file as it was.
func Prepare(ctx context.Context, config PrepareConfig) error {
	config.Maker.Cold = 0
	maker, err := NewMaker(ctx, config.Maker)
	if err != nil {
		return err
	}
	c := &maker.config
	h := Header{PKI: c.PKI.fingerprint, Made: c.Now().UTC(), Mix: c.Mix, Seed: c.Seed, Pad: c.Pad, Count: config.Count, Wire: *maker.wire,
		Start: config.Start.UTC(), Rate: config.Rate, Early: c.Lifetime / earlyPart, Lifetime: c.Lifetime, Clock: c.Clock}
	if err := h.check(); err != nil {
		return fmt.Errorf("message: prepare: %w", err)
	}
	// Under its name stands a whole file or none.
	out, err := os.CreateTemp(filepath.Dir(config.Path), filepath.Base(config.Path)+".part-*")
	if err != nil {
		return fmt.Errorf("message: prepare: %w", err)
	}
	err = errors.Join(maker.prepare(ctx, &config, &h, out), out.Close())
	if err == nil {
		err = os.Rename(out.Name(), config.Path)
	}
	if err != nil {
		return fmt.Errorf("message: prepare: %w", errors.Join(err, os.Remove(out.Name())))
	}
	return nil
}

// prepare makes the messages and writes them in their order. Batches are begun in that order
// too, and no more of them than twice the workers wait to be written.
func (m *Maker) prepare(ctx context.Context, config *PrepareConfig, h *Header, out io.Writer) error {
	w, err := newFileWriter(out, h)
	if err != nil {
		return err
	}
	workers := runtime.GOMAXPROCS(0)
	ctx, stop := context.WithCancel(ctx)
	type job struct {
		from, until uint64
		made        chan batch
	}
	jobs, inOrder := make(chan job), make(chan job, workers)
	var group sync.WaitGroup
	defer group.Wait()
	defer stop() // which comes first
	for range workers {
		group.Go(func() {
			for j := range jobs {
				j.made <- m.batch(ctx, h, j.from, j.until)
			}
		})
	}
	group.Go(func() {
		defer close(inOrder)
		defer close(jobs)
		for from := uint64(0); from < uint64(h.Count); from += batchSize {
			j := job{from, min(from+batchSize, uint64(h.Count)), make(chan batch, 1)}
			for _, to := range []chan job{inOrder, jobs} {
				select {
				case to <- j:
				case <-ctx.Done():
					return
				}
			}
		}
	})
	for j := range inOrder {
		var b batch
		select {
		case b = <-j.made:
		case <-ctx.Done():
			b.err = ctx.Err()
		}
		if b.err != nil {
			return b.err
		}
		if err := w.append(b.records, b.count); err != nil {
			return err
		}
		if config.Progress != nil {
			config.Progress(int(w.count), h.Count)
		}
	}
	if err := ctx.Err(); err != nil {
		return err // not all were begun
	}
	return w.close()
}

// batch makes messages from one number until before another.
func (m *Maker) batch(ctx context.Context, h *Header, from, until uint64) batch {
	var b batch
	for n := from; n < until; n++ {
		if err := ctx.Err(); err != nil {
			return batch{err: err}
		}
		r := record{created: h.planned(n)}
		if r.made, b.err = m.make(n, r.created); b.err != nil {
			return b
		}
		if b.records, b.err = appendRecord(b.records, &r); b.err != nil {
			return b
		}
		b.count++
	}
	return b
}
