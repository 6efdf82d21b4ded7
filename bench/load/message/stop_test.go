package message

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"sceau/bench/load/measure"
)

var errStopped = errors.New("the test stops it")

// TestNewPKIStopped: whenever it is stopped, no more is begun, and of the PKI nothing is left, nor the folder unless it was there.
func TestNewPKIStopped(t *testing.T) {
	const keys, all = 9 + 40, 9 + 40 + 40
	for _, existed := range []bool{false, true} {
		for _, at := range []int{0, 1, 5, keys, keys + 1, all} {
			ctx, stop := context.WithCancelCause(t.Context())
			dir := filepath.Join(t.TempDir(), "pki")
			if existed {
				fatal(t, os.Mkdir(dir, 0o700))
			}
			told := 0
			if at == 0 {
				stop(errStopped)
			}
			p, err := NewPKI(ctx, dir, PKIConfig{Profiles: []Profile{{Identity: P256, Weight: 1, Consumers: 40}}, Progress: func(done, _ int) {
				if told = done; done == at {
					stop(errStopped)
				}
			}})
			stop(nil)
			if !errors.Is(err, errStopped) || p != nil {
				t.Errorf("stopped at %d: %v", at, err)
			}
			if most := at + runtime.GOMAXPROCS(0) - 1; at > 0 && told > most {
				t.Errorf("stopped at %d: %d were made", at, told)
			}
			entries, err := os.ReadDir(dir)
			if existed && (err != nil || len(entries) > 0) || !existed && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("stopped at %d: left are %v, %v", at, entries, err)
			}
		}
	}
}

// TestNewPKIKeepsOthers: a folder that is not empty is not touched.
func TestNewPKIKeepsOthers(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, fileServer)
	fatal(t, os.WriteFile(name, []byte("mine"), 0o600))
	if p, err := NewPKI(t.Context(), dir, PKIConfig{Profiles: profiles()}); err == nil || p != nil {
		t.Error("something was made")
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "mine" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestNewMakerStopped: cold certificates are told as they are issued, and no more are begun when it is stopped.
func TestNewMakerStopped(t *testing.T) {
	told := 0
	config := MakerConfig{PKI: only(t, 4), Mix: Mix{measure.ColdCertificate: 1}, Cold: 20, Progress: func(done, total int) {
		if done != told+1 || total != 20 {
			t.Errorf("%d of %d after %d", done, total, told)
		}
		told = done
	}}
	newMaker(t, config)
	if told != 20 {
		t.Errorf("told of %d", told)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	config.Cold, config.Progress = 100_000, func(done, _ int) {
		if told = done; done == 3 {
			stop(errStopped)
		}
	}
	if m, err := NewMaker(ctx, config); !errors.Is(err, errStopped) || m != nil {
		t.Error(err)
	}
	if told > 3+runtime.GOMAXPROCS(0)-1 {
		t.Errorf("%d were issued", told)
	}
}
