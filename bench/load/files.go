package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sceau/bench/load/measure"
	"sceau/bench/load/report"
)

// outFolder makes the folder of a run: dir, which must be new or empty, or a new one among the
// temporary files.
func outFolder(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "sceau-load-")
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return "", usage("%s is not empty: a run writes keys and reports, and overwrites nothing", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", usageError{err}
	}
	return filepath.Abs(dir)
}

// writeFile writes a report to a file by one of report's writers.
func writeFile(path string, r *measure.Report, write func(io.Writer, *measure.Report) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := errors.Join(write(file, r), file.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// writeReports writes the summary to out, and JSON and HTML to files.
func writeReports(out io.Writer, r *measure.Report, jsonPath, htmlPath string) error {
	return errors.Join(
		report.Text(out, r),
		writeFile(jsonPath, r, report.JSON),
		writeFile(htmlPath, r, report.HTML),
	)
}
