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

// writable says before a run whether its report can be written to a path after it: whether a file can be made in its folder, and
// what is there already can be replaced.
func writable(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return usage("%s is there, and no file that could be replaced", path)
	}
	file, err := besides(path)
	if err == nil {
		err = errors.Join(file.Close(), os.Remove(file.Name()))
	}
	if err != nil {
		return usage("%s cannot be written: %w", path, err)
	}
	return nil
}

// besides makes a file in the folder of another, which it may become.
func besides(path string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part-*")
}

// writeFile writes a report to a file by one of report's writers. Under its name stands a whole file or what was there before.
func writeFile(path string, r *measure.Report, write func(io.Writer, *measure.Report) error) error {
	file, err := besides(path)
	if err != nil {
		return err
	}
	err = errors.Join(write(file, r), file.Chmod(0o644), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, errors.Join(err, os.Remove(file.Name())))
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
