package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"sceau/bench/load/measure"
)

// Under the name of a report stands the whole of it, or what was there before; nothing else is left.
func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report")
	if err := writable(path); err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	for _, step := range []struct {
		text string
		err  error
		want string
	}{{"first", nil, "first"}, {"sec", full, "first"}, {"third", nil, "third"}} {
		err := writeFile(path, nil, func(w io.Writer, _ *measure.Report) error {
			_, err := io.WriteString(w, step.text)
			return errors.Join(err, step.err)
		})
		if !errors.Is(err, step.err) {
			t.Errorf("%s: %v", step.text, err)
		}
		if got := readFile(t, path); got != step.want {
			t.Errorf("%q, not %q", got, step.want)
		}
		if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
			t.Errorf("%v: %v", entries, err)
		}
	}
}

func TestNotWritable(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "absent", "report"), os.DevNull} {
		if err := writable(path); !errors.As(err, new(usageError)) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
