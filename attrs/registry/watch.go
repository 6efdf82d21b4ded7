package registry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"sceau/attrs"
)

// state is which registry the file is and how many imports it has had.
type state struct {
	registry string
	epoch    int64
}

// version turns what is seen of the file into the number that Epoch gives: it grows whenever the file is seen in another
// state, by an import or because it is another file, so that a backup with an old epoch does not bring back answers that
// were kept before.
type version struct {
	attrs.EpochCounter
	seen state
}

func (v *version) set(s state) {
	if s == v.seen {
		v.Keep()
		return
	}
	v.seen = s
	v.Advance()
}

// Epoch implements attrs.Versioned. It does not touch the file: it says what the last look at it has shown.
func (r *Registry) Epoch() (uint64, bool) { return r.version.Epoch() }

// watch looks at the file until ctx ends.
func (r *Registry) watch(ctx context.Context) {
	defer close(r.stopped)
	tick := time.NewTicker(r.config.PollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.Refresh(ctx) // what is wrong is kept for Health and for the next query
		}
	}
}

// Refresh looks at the file now instead of at the next PollInterval: has another process imported, is it still the same
// file? It opens the file again where it must. The error is what Health would say.
func (r *Registry) Refresh(ctx context.Context) error {
	r.looking.Lock()
	defer r.looking.Unlock()
	old := r.view.Load()
	if old.down == errClosed {
		return errClosed
	}
	bound, cancel := context.WithTimeout(ctx, r.config.BusyTimeout+time.Second)
	defer cancel()

	info, err := os.Stat(r.config.Path)
	if err != nil {
		return r.lose(errors.New("the file is gone"))
	}
	reader := old.reader
	if !os.SameFile(info, reader.info) {
		if reader, err = openReader(r.config); err != nil {
			return r.lose(err)
		}
	}
	s, err := reader.state(bound)
	if err != nil {
		if reader != old.reader {
			reader.close()
		}
		if ctx.Err() != nil {
			return ctx.Err() // the caller has no more time, which says nothing about the file
		}
		return r.lose(fmt.Errorf("not readable: %w", err))
	}
	if reader != old.reader || old.down != nil {
		r.view.Store(&view{reader: reader})
	}
	r.version.set(s)
	if reader != old.reader {
		return old.reader.close() // queries that run on it end first
	}
	return nil
}

// lose notes that the file cannot be trusted until the next look. Queries say so too, instead of reading a file that nobody
// else can see any more. The caller holds looking.
func (r *Registry) lose(why error) error {
	r.version.Lose()
	r.view.Store(&view{reader: r.view.Load().reader, down: why})
	return why
}
