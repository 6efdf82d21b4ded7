package message

import (
	"context"
	"crypto"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sceau/bench/load/measure"
)

// start is when runs of prepared messages begin in tests: far from now, and never where
// certificates have ended.
var start = time.Now().UTC().AddDate(0, 0, 7).Truncate(time.Hour)

// longPKI is a PKI that is valid around start.
var longPKI = sync.OnceValues(func() (*PKI, error) {
	dir, err := os.MkdirTemp(shared.dir, "long-")
	if err != nil {
		return nil, err
	}
	return NewPKI(context.Background(), dir, PKIConfig{Profiles: []Profile{{Identity: P256, Weight: 1, Consumers: 3}, {Identity: P256, Holder: P256, Weight: 1, Consumers: 1}},
		From: start.AddDate(0, -1, 0), Until: start.AddDate(1, 0, 0)})
})

// prepared prepares messages for start and returns the file and how it was made.
func prepared(tb testing.TB, change func(*PrepareConfig)) (string, *PKI) {
	tb.Helper()
	testPKI(tb) // makes the folder
	p, err := longPKI()
	fatal(tb, err)
	config := PrepareConfig{Maker: MakerConfig{PKI: p, Mix: Queries(), Seed: 3}, Path: filepath.Join(tb.TempDir(), "messages"), Count: 40, Start: start, Rate: 10}
	if change != nil {
		change(&config)
	}
	fatal(tb, Prepare(tb.Context(), config))
	return config.Path, p
}

// at is a clock that stands still.
func at(t time.Time) func() time.Time { return func() time.Time { return t } }

// TestPrepared: what was prepared, of all kinds, is answered rightly by a service on the clock of
// the plan; the file says what it is, and leaves nothing behind.
func TestPrepared(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("", func(t *testing.T) { // whose service has goroutines, which end with it
		now := start
		clock := func() time.Time { return now }
		ring := NewRing(16, time.Hour)
		told := 0
		path, p := prepared(t, func(c *PrepareConfig) {
			c.Maker.Mix, c.Maker.Replay = everything(), ring
			c.Progress = func(done, total int) {
				if done <= told || total != 40 {
					t.Errorf("%d of %d after %d", done, total, told)
				}
				told = done
			}
		})
		if told != 40 {
			t.Errorf("told of %d", told)
		}
		if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
			t.Errorf("%v %v", entries, err)
		}
		s, f := service(t, p, P256, clock), open(t, path, FileConfig{PKI: p, Replay: ring, Now: clock})
		checker := newChecker(t, CheckerConfig{PKI: p, Sample: 1, Replay: ring, Now: clock})
		if h := f.Header(); h.Count != 40 || h.PKI != p.Fingerprint() || h.Lifetime != time.Minute || h.Early != 10*time.Second || !h.Start.Equal(start) || f.Live() {
			t.Errorf("%+v", h)
		}
		maker := newMaker(t, MakerConfig{PKI: p, Mix: everything(), Seed: 3, Replay: ring})
		for n := range uint64(40) {
			now = start.Add(time.Duration(n) * 100 * time.Millisecond)
			var shot measure.Shot
			fatal(t, f.Next(now, &shot))
			status, answer := ask(s, &shot)
			if v := checker.Check(&shot, status, answer); v.Class != measure.Right {
				t.Fatalf("%d %s: %+v\n%s", n, shot.Kind, v, answer)
			}
			live, err := maker.make(n, now)
			fatal(t, err)
			if same := live.kind == shot.Kind || live.kind == measure.Replay; !same || shot.Sequence != n || shot.Action != p.Wire().Action {
				t.Errorf("%d: %s prepared and %s live, number %d", n, shot.Kind, live.kind, shot.Sequence)
			}
		}
		for range 2 {
			if err := f.Next(now, new(measure.Shot)); err != io.EOF {
				t.Errorf("behind the last: %v", err)
			}
		}
	})
}

// TestAgreedClock: messages for a clock that stands still are good whenever they are sent, to a
// server with that clock.
func TestAgreedClock(t *testing.T) {
	path, p := prepared(t, func(c *PrepareConfig) { c.Maker.Clock, c.Start = start, time.Time{} })
	s, f := service(t, p, RSA2048, at(start)), open(t, path, FileConfig{PKI: p})
	checker := newChecker(t, CheckerConfig{PKI: p, Sample: 1, Clock: start})
	for range 5 {
		var shot measure.Shot
		fatal(t, f.Next(time.Now().AddDate(10, 0, 0), &shot))
		status, answer := ask(s, &shot)
		if v := checker.Check(&shot, status, answer); v.Class != measure.Right {
			t.Fatalf("%+v\n%s", v, answer)
		}
	}
}

// TestPrepareStopped: a preparation that is stopped, or that fails, leaves the old file and nothing
// else.
func TestPrepareStopped(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	testPKI(t)
	p, err := longPKI()
	fatal(t, err)
	dir := t.TempDir()
	path := filepath.Join(dir, "messages")
	fatal(t, os.WriteFile(path, []byte("old"), 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	config := PrepareConfig{Maker: MakerConfig{PKI: p, Mix: Queries()}, Path: path, Count: 1_000_000, Start: start, Rate: 1000,
		Progress: func(done, _ int) { cancel() }}
	if err := Prepare(ctx, config); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	config.Progress = nil
	for name, change := range map[string]func(*PrepareConfig){
		"no PKI":         func(c *PrepareConfig) { c.Maker.PKI = nil },
		"no messages":    func(c *PrepareConfig) { c.Count = 0 },
		"no start":       func(c *PrepareConfig) { c.Start = time.Time{} },
		"negative rate":  func(c *PrepareConfig) { c.Rate = -1 },
		"too long":       func(c *PrepareConfig) { c.Rate = 1e-9 },
		"short lifetime": func(c *PrepareConfig) { c.Maker.Lifetime = time.Millisecond },
		"no folder":      func(c *PrepareConfig) { c.Path = filepath.Join(dir, "none", "messages") },
	} {
		altered := config
		change(&altered)
		if err := Prepare(t.Context(), altered); err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	refused := errors.New("the key is gone")
	config.Maker.PKI = failingKeys(t, p, refused)
	if err := Prepare(t.Context(), config); !errors.Is(err, refused) {
		t.Errorf("a key that fails: %v", err)
	}
	entries, err := os.ReadDir(dir)
	text, _ := os.ReadFile(path)
	if err != nil || len(entries) != 1 || string(text) != "old" {
		t.Errorf("%v %v, %q", entries, err, text)
	}
}

// failingKeys returns a PKI whose consumers sign with failing keys.
func failingKeys(tb testing.TB, p *PKI, err error) *PKI {
	tb.Helper()
	altered := *p
	altered.consumers = nil
	for _, c := range p.consumers {
		var holder []byte
		if c.holder != c.identity {
			holder = c.holder.Raw()
		}
		made, failed := p.consumer(&consumer{number: c.number, profile: c.profile, person: c.person, holderKey: c.holderKey,
			identityKey: &failing{Signer: c.identityKey, err: err, left: 100}}, c.identity.Raw(), holder)
		fatal(tb, failed)
		altered.consumers = append(altered.consumers, made)
	}
	return &altered
}

// A failing key signs some times and then no more.
type failing struct {
	crypto.Signer
	err  error
	mu   sync.Mutex
	left int
}

func (f *failing) Sign(random io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left--; f.left < 0 {
		return nil, f.err
	}
	return f.Signer.Sign(random, digest, options)
}
