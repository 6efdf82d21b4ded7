package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// maxFile bounds what is read from a file or standard input.
const maxFile = 16 << 20

// readInput reads a file, or standard input for "-".
func readInput(cmd *cobra.Command, name string) ([]byte, error) {
	var r io.Reader = cmd.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	content, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(content) > maxFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", name, maxFile)
	}
	return content, nil
}

// writeOutput writes exactly the content to a file, or to standard output for "-". A
// terminal gets a line end besides.
func writeOutput(cmd *cobra.Command, name string, content []byte) error {
	if name != "-" {
		return writePrivate(name, content)
	}
	out := cmd.OutOrStdout()
	if f, ok := out.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			content = append(bytes.Clone(content), '\n')
		}
	}
	_, err := out.Write(content)
	return err
}

// writePrivate writes a file that its owner alone may read, wholly or not at all: a
// token says what somebody is and lets its holder act. A file that was there with
// wider permissions is replaced.
func writePrivate(name string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
