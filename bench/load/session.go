package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"sceau/bench/load/drive"
	"sceau/bench/load/measure"
	"sceau/bench/load/message"
)

// Messages that were answered and may be sent again: how many are kept, and for which part of
// their lifetime, so that they are refused for what they are and not for their age.
const (
	replayRing = 4096
	replayPart = 3
)

// A session carries out one scenario. Its steps run one after the other.
type session struct {
	*scenario
	out     string // folder
	console *console
	file    string // of prepared messages; empty: none

	pki        *message.PKI
	built      string            // the stsd that was built for this run; empty: none yet
	keep       bool              // it afterwards
	programs   map[string]string // that were started, by the name of their target
	sides      []*side
	prepared   *message.File // of the whole run; nil: none
	ahead      []signedAhead // of the phase
	saturation float64       // that the last search found
	cancel     context.CancelCauseFunc
}

// run carries out the scenario. The report holds what was measured, also beside an error.
func (r *session) run(ctx context.Context) (*measure.Report, error) {
	text, err := r.text()
	if err != nil {
		return nil, err
	}
	result := &measure.Report{Title: r.Title, Scenario: text, Machine: thisMachine(), Made: time.Now()}
	result.Notes = r.notes()
	r.programs = map[string]string{}
	result.Machine.Servers = r.programs
	ctx, r.cancel = context.WithCancelCause(ctx)
	defer r.cancel(nil)
	defer r.console.finish()
	defer r.stop()
	if err := r.prepare(ctx); err != nil {
		return result, err
	}
	for i := range r.Phases {
		phase, judgements, err := r.phase(ctx, &r.Phases[i])
		if phase != nil {
			result.Phases = append(result.Phases, *phase)
			result.Verdict = append(result.Verdict, judgements...)
		}
		if err != nil {
			return result, err
		}
	}
	return result, nil
}

// notes are what the scenario itself says about its figures.
func (s *scenario) notes() (notes []string) {
	if note := s.sharing(); note != "" {
		notes = append(notes, note)
	}
	if s.Verify == 0 {
		notes = append(notes, "verify is 0: not one signature of an answer was verified")
	}
	return notes
}

// sharing says that the generator takes from the server what it measures, where they may run on the
// same processors of one machine.
func (s *scenario) sharing() string {
	for _, t := range s.targets() {
		if t.PID != 0 || t.Start != nil && t.Start.CPUs == "" {
			return fmt.Sprintf("the generator and the server share the %d processors of this machine: bench/README.md tells how to measure honestly", runtime.NumCPU())
		}
	}
	return ""
}

// prepare makes the PKI, starts what servers are to be started, and gets ready to send.
func (r *session) prepare(ctx context.Context) error {
	if err := r.openPKI(ctx); err != nil {
		return err
	}
	for i, t := range r.targets() {
		s := &side{ring: message.NewRing(replayRing, time.Duration(r.Lifetime)/replayPart), target: drive.Target{Name: t.Name, URL: t.URL, PID: t.PID}}
		r.sides = append(r.sides, s)
		if err := r.ready(ctx, s, t, i); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	if r.file != "" {
		var err error
		if r.prepared, err = message.OpenFile(r.file, message.FileConfig{PKI: r.pki, Replay: r.sides[0].ring}); err != nil {
			return usageError{err}
		}
	}
	return nil
}

// openPKI loads the PKI of the scenario, or makes one in the folder of the run.
func (r *session) openPKI(ctx context.Context) (err error) {
	if r.PKI != "" {
		if r.pki, err = message.LoadPKI(r.path(r.PKI)); err != nil {
			return usage("%w (load init makes one)", err)
		}
		return nil
	}
	r.pki, err = message.NewPKI(ctx, filepath.Join(r.out, "pki"), r.pkiConfig(r.console))
	if err != nil && ctx.Err() != nil {
		return cause(ctx)
	}
	return err
}

// pkiConfig says which PKI the consumers of the scenario need.
func (s *scenario) pkiConfig(c *console) message.PKIConfig {
	config := message.PKIConfig{Keys: s.KeyPool, Wire: s.Wire.message(), Progress: func(done, total int) { c.progress("keys and certificates", done, total) }}
	for _, one := range s.Consumers {
		holder := message.KeyType(one.Holder)
		if one.Holder == "none" {
			holder = ""
		}
		config.Profiles = append(config.Profiles, message.Profile{
			Identity: message.KeyType(one.Identity), Holder: holder, Weight: one.Weight, Consumers: one.Count, AlwaysSignInner: one.AlwaysSignInner})
	}
	if s.Clock != nil {
		config.From = s.Clock.Add(-time.Hour)
	}
	return config
}

// makerConfig says which messages are made for a target whose answered messages are in ring.
func (s *scenario) makerConfig(pki *message.PKI, ring *message.Ring) message.MakerConfig {
	config := message.MakerConfig{PKI: pki, Mix: s.Mix, Seed: s.Seed, Lifetime: time.Duration(s.Lifetime), Replay: ring, Pad: int(s.Pad)}
	if s.Clock != nil {
		config.Clock = *s.Clock
	}
	return config
}

// stop ends the servers that the tool has started, and closes what it has opened.
func (r *session) stop() {
	if r.prepared != nil {
		r.prepared.Close() // was only read
	}
	for _, s := range r.sides {
		if s.server != nil {
			s.server.stop()
		}
	}
	if r.built != "" && !r.keep {
		if err := os.Remove(r.built); err != nil { // it is only in the way
			r.console.say("%v", err)
		}
	}
}

// cause is why ctx has ended, told to a person.
func cause(ctx context.Context) error {
	err := context.Cause(ctx)
	if errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	return err
}

var errInterrupted = errors.New("interrupted: what is reported is not the whole run")
