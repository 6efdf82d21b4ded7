package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"sceau/bench/load/drive"
	"sceau/bench/load/measure"
	"sceau/bench/load/message"
)

// try sends one query, signed live, to a target and has its answer checked, before work is put into anything else.
func (r *session) try(ctx context.Context, s *side, config message.CheckerConfig) error {
	made := r.makerConfig(r.pki, nil)
	made.Mix = message.Queries()
	maker, err := message.NewMaker(ctx, made)
	if err != nil {
		return err
	}
	config.Replay = nil // what was tried is not what the run sent
	if config.Sample > 0 {
		config.Sample = 1
	}
	checker, err := message.NewChecker(config)
	if err != nil {
		return err
	}
	run, err := drive.Run(ctx, drive.Plan{Target: s.target, Source: &single{source: maker}, Checker: checker,
		Connections: 1, Duration: time.Second, Timeout: time.Duration(r.Timeout)})
	if err == nil {
		err = trial(run)
	}
	switch {
	case ctx.Err() != nil:
		return cause(ctx)
	case err != nil:
		return fmt.Errorf("one query was tried before the run, and %w (with try: false none is tried)", err)
	}
	return nil
}

// trial says how the one query ended, unless well.
func trial(run *measure.Run) error {
	switch {
	case run.Classes[measure.Right] > 0:
		return nil
	case len(run.Wrong) > 0:
		w := run.Wrong[0]
		return fmt.Errorf("the answer is wrong: %s (status %d): %s", plain(w.Why), w.Status, plain(w.Answer))
	case run.Classes[measure.Busy] > 0:
		return errors.New("the server is busy already")
	case run.Classes[measure.TimedOut] > 0:
		return errors.New("there was no answer in time")
	}
	for why := range run.Failures {
		return fmt.Errorf("it failed: %s", plain(why))
	}
	return errors.New("there was no answer")
}

// single gives one message of another source. Safe for concurrent use.
type single struct {
	source drive.Source
	mu     sync.Mutex
	given  bool
}

func (s *single) Next(due time.Time, shot *measure.Shot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.given {
		return io.EOF
	}
	s.given = true
	return s.source.Next(due, shot)
}

func (s *single) Live() bool { return s.source.Live() }
