package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"sceau/wsc"
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
		return wsc.ReplaceFile(name, content)
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
