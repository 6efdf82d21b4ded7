package certs

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// fileWatch remembers what the CRL files looked like, so that only what changed is read again.
type fileWatch map[string]fileMark

type fileMark struct {
	modified time.Time
	size     int64
}

// scan reads every CRL file that changed since the last scan and hands each list
// in it to take. What is wrong with a file that the configuration names comes
// back as named, and stops a start or a Reload; what is wrong in a directory, or
// is only older than what is known, as found.
func (w fileWatch) scan(c CRLConfig, take func(path string, der []byte) error) (named, found error) {
	var strict, lenient []error
	for _, path := range c.Files {
		info, err := os.Stat(path)
		if err != nil {
			strict = append(strict, refuse(Unavailable, err))
			continue
		}
		if !info.IsDir() {
			switch err := w.read(path, c.MaxBytes, take); ReasonOf(err) {
			case RolledBack, NotYetValid: // a fetched list may be newer than the file
				lenient = append(lenient, err)
			default:
				strict = append(strict, err)
			}
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			strict = append(strict, refuse(Unavailable, err))
		}
		for _, entry := range entries {
			if !entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
				lenient = append(lenient, w.read(filepath.Join(path, entry.Name()), c.MaxBytes, take))
			}
		}
	}
	return errors.Join(strict...), errors.Join(lenient...)
}

// read reads one file if it changed.
func (w fileWatch) read(path string, limit int64, take func(path string, der []byte) error) error {
	info, err := os.Stat(path)
	if err != nil {
		return refuse(Unavailable, err)
	}
	mark := fileMark{info.ModTime(), info.Size()}
	if !info.Mode().IsRegular() || w[path] == mark {
		return nil
	}
	if info.Size() > 2*limit { // PEM takes a third more
		return refuse(TooLarge, fmt.Errorf("%s: CRL file", path))
	}
	file, err := os.Open(path)
	if err != nil {
		return refuse(Unavailable, err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, 2*limit))
	if err != nil {
		return refuse(Unavailable, err)
	}
	var errs []error
	for _, der := range splitLists(content) {
		if err := take(path, der); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
		}
	}
	err = errors.Join(errs...)
	if ReasonOf(err) != NotYetValid { // its time will come; anything else is not read again before it changes
		w[path] = mark
	}
	return err
}

// splitLists gives the CRLs of a file: one in DER, or any number in PEM.
func splitLists(content []byte) [][]byte {
	if len(content) > 0 && content[0] == 0x30 {
		return [][]byte{content}
	}
	var lists [][]byte
	for {
		var block *pem.Block
		if block, content = pem.Decode(content); block == nil {
			break
		}
		if block.Type == "X509 CRL" {
			lists = append(lists, block.Bytes)
		}
	}
	if len(lists) == 0 {
		lists = append(lists, content) // neither: it is refused by name as a CRL
	}
	return lists
}

// watch scans the files at an interval until the context ends.
func (w fileWatch) watch(done <-chan struct{}, c *Config, take func(path string, der []byte) error) {
	ticker := time.NewTicker(c.CRL.FileInterval)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			if err := errors.Join(w.scan(c.CRL, take)); err != nil {
				c.Log.Warn("CRL files", slog.Any("error", err))
			}
		}
	}
}
