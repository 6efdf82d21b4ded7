package sqlsource

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// run looks at the file until ctx ends.
func (s *lite) run(ctx context.Context) {
	defer close(s.stopped)
	tick := time.NewTicker(s.config.PollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			bounded, cancel := context.WithTimeout(ctx, s.config.Timeout)
			s.refresh(bounded) // what is wrong is kept for the next look-up
			cancel()
		}
	}
}

// refresh looks whether the file has changed, and opens the one that has come in its place.
func (s *lite) refresh(ctx context.Context) error {
	s.looking.Lock()
	defer s.looking.Unlock()
	old := s.view.Load()
	if old.down == errClosed {
		return errClosed
	}
	info, err := os.Stat(s.config.File)
	if err != nil {
		return s.lose(errors.New("the file is gone"))
	}
	file, changed := old.file, false
	if !os.SameFile(info, old.file.info) {
		if file, err = s.open(); err != nil {
			return s.lose(err)
		}
		changed = true
	} else {
		version, err := file.look(ctx)
		switch {
		case err != nil && ctx.Err() != nil:
			return ctx.Err() // the caller has no more time, which says nothing about the file
		case err != nil:
			return s.lose(fmt.Errorf("not readable: %w", cause(err)))
		}
		changed, file.version = version != file.version, version
	}
	if file != old.file || old.down != nil {
		s.view.Store(&liteView{file: file})
	}
	if changed {
		s.edition.Advance()
	} else {
		s.edition.Keep()
	}
	if file != old.file {
		return old.file.close() // look-ups that run on it end first
	}
	return nil
}

// lose notes that the file cannot be trusted until the next look. Look-ups say so too, instead of reading a file that nobody
// else can see any more. The caller holds looking.
func (s *lite) lose(why error) error {
	s.edition.Lose()
	s.view.Store(&liteView{file: s.view.Load().file, down: &setupError{why}})
	return why
}
