package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"sceau/bench/load/measure"
	"sceau/bench/load/message"
)

// tried is how many messages are signed to learn how long signing takes.
const tried = 32

// needs is how many messages a phase sends to each of its targets at the rate, with what random
// arrivals may want more.
func (f *phase) needs(rate float64) int {
	if f.Messages > 0 {
		return f.Messages
	}
	n := rate * (time.Duration(f.Warmup) + time.Duration(f.Duration)).Seconds() * float64(max(f.Rounds, 1))
	return int(n + 6*math.Sqrt(n) + 16)
}

// signedAhead is messages that were signed for one phase.
type signedAhead struct {
	*message.File
	path string
}

// signAhead signs what a phase sends to a side, for about the time at which signing will be done.
func (r *session) signAhead(ctx context.Context, f *phase, s *side, rate float64) (*message.File, error) {
	count := f.needs(rate)
	took, err := signing(s.maker, count)
	if err != nil {
		return nil, err
	}
	if f.Kind == kindPair {
		rate = 0 // a target's messages are not sent while it is the other's turn
	}
	path := filepath.Join(r.out, fmt.Sprintf("messages-%d", len(r.ahead)+1))
	err = message.Prepare(ctx, message.PrepareConfig{
		Maker: r.makerConfig(r.pki, s.ring), Path: path, Count: count, Rate: rate, Start: time.Now().Add(took),
		Progress: func(done, total int) { r.console.progress("signing ahead", done, total) },
	})
	if err != nil {
		return nil, err
	}
	file, err := message.OpenFile(path, message.FileConfig{PKI: r.pki, Replay: s.ring})
	if err != nil {
		return nil, err
	}
	r.ahead = append(r.ahead, signedAhead{file, path})
	return file, nil
}

// release closes what was signed for a phase, and removes the files, which are large.
func (r *session) release() error {
	var err error
	for _, a := range r.ahead {
		err = errors.Join(err, a.Close(), os.Remove(a.path))
	}
	r.ahead = nil
	return err
}

// signing estimates how long it takes to sign n messages on all processors.
func signing(maker *message.Maker, n int) (time.Duration, error) {
	began := time.Now()
	var shot measure.Shot
	for range tried {
		if err := maker.Next(began, &shot); err != nil {
			return 0, err
		}
	}
	return time.Since(began) / tried * time.Duration(n) / time.Duration(runtime.GOMAXPROCS(0)), nil
}

func prepareCommand() *cobra.Command {
	var file, begin string
	var sets []string
	c := &cobra.Command{
		Use:   "prepare SCENARIO --messages FILE",
		Short: "Sign the messages of a scenario ahead, into a file",
		Long: `Sign the messages of a scenario ahead, for load run SCENARIO --messages FILE. The scenario
must say sign: ahead and pki (load init makes one), and how many messages its phases send.

Messages are fresh for a while only: without a clock that is agreed with the server (clock), the
run must begin at --start. A file serves one run against one start of a server: a server
that has seen its messages refuses them as replayed.`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := loadScenario(args[0], sets)
			if err != nil {
				return err
			}
			return prepareFile(cmd, s, file, begin)
		},
	}
	c.Flags().StringVar(&file, "messages", "", "the `FILE` to write")
	c.Flags().StringVar(&begin, "start", "", "when the run will begin, RFC 3339 (default: when all is signed)")
	c.Flags().StringArrayVar(&sets, "set", nil, "change the scenario: `KEY=VALUE`; may be repeated")
	return c
}

func prepareFile(cmd *cobra.Command, s *scenario, file, begin string) error {
	if file == "" {
		return usage("--messages: say which file to write")
	}
	if s.Sign != signAhead || s.PKI == "" || s.Against != nil {
		return usage("the scenario must say sign: ahead and pki, and have one target")
	}
	count, rate, err := s.wholeRun()
	if err != nil {
		return err
	}
	pki, err := message.LoadPKI(s.path(s.PKI))
	if err != nil {
		return usage("%w (load init makes one)", err)
	}
	config := s.makerConfig(pki, message.NewRing(1, time.Second)) // replays are taken when they are sent
	start := time.Now()
	if begin != "" {
		if start, err = time.Parse(time.RFC3339, begin); err != nil {
			return usage("--start: %w", err)
		}
	} else {
		maker, err := message.NewMaker(cmd.Context(), config)
		if err != nil {
			return err
		}
		took, err := signing(maker, count)
		if err != nil {
			return err
		}
		start = start.Add(took)
	}
	console := newConsole(cmd.ErrOrStderr())
	defer console.finish()
	err = message.Prepare(cmd.Context(), message.PrepareConfig{Maker: config, Path: file, Count: count, Rate: rate, Start: start,
		Progress: func(done, total int) { console.progress("signing ahead", done, total) }})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d messages in %s, %s\n", count, file, s.freshness(start))
	return err
}

// wholeRun is how many messages all phases send, and at which rate where there is one phase.
func (s *scenario) wholeRun() (count int, rate float64, err error) {
	for i := range s.Phases {
		f := &s.Phases[i]
		if f.Kind == kindAt && f.Messages == 0 {
			return 0, 0, usage("%s: messages: say how many to sign; its rate is not known before the run", f.Name)
		}
		count += f.needs(f.Rate)
	}
	if len(s.Phases) == 1 {
		rate = s.Phases[0].Rate
	}
	return count, rate, nil
}

// freshness says when messages that were made for a start are good.
func (s *scenario) freshness(start time.Time) string {
	if s.Clock != nil {
		return "for a server whose clock stands at " + s.Clock.UTC().Format(time.RFC3339)
	}
	return "to be sent from " + start.UTC().Format(time.RFC3339) + " on"
}
