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
// in it to load. What is wrong with a file that the configuration names comes
// back as named, and stops a start or a Reload; what is wrong in a directory, or
// is only older than what is known, as found.
func (w fileWatch) scan(load *crlLoader) (named, found error) {
	c := &load.config.CRL
	var strict, lenient []error
	for _, path := range c.Files {
		info, err := os.Stat(path)
		if err != nil {
			strict = append(strict, refuse(Unavailable, err))
			continue
		}
		if !info.IsDir() {
			wrong, untimely := w.read(path, load) // a fetched list may be newer than the file
			strict, lenient = append(strict, wrong), append(lenient, untimely)
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			strict = append(strict, refuse(Unavailable, err))
		}
		for _, entry := range entries {
			if !entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
				wrong, untimely := w.read(filepath.Join(path, entry.Name()), load)
				lenient = append(lenient, wrong, untimely)
			}
		}
	}
	return errors.Join(strict...), errors.Join(lenient...)
}

// read reads one file if it changed. A list in it that is only too old or too new is
// untimely; what else is refused is wrong.
func (w fileWatch) read(path string, load *crlLoader) (wrong, untimely error) {
	limit := load.config.CRL.MaxBytes
	info, err := os.Stat(path)
	if err != nil {
		return refuse(Unavailable, err), nil
	}
	mark := fileMark{info.ModTime(), info.Size()}
	if !info.Mode().IsRegular() || w[path] == mark {
		return nil, nil
	}
	content, err := readCRLFile(path, 2*limit) // PEM takes a third more
	if err != nil {
		return err, nil
	}
	w[path] = mark
	for _, der := range splitLists(content) {
		list, err := load.load(der, path)
		load.record(list.owners, path, err)
		if err == nil {
			continue
		}
		said := fmt.Errorf("%s: %w", path, err)
		switch ReasonOf(err) {
		case NotYetValid: // its time will come; anything else is not read again before it changes
			delete(w, path)
			untimely = errors.Join(untimely, said)
		case RolledBack:
			untimely = errors.Join(untimely, said)
		default:
			wrong = errors.Join(wrong, said)
		}
	}
	return wrong, untimely
}

// readCRLFile reads a file of at most limit octets.
func readCRLFile(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, refuse(Unavailable, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, refuse(Unavailable, err)
	}
	if info.Size() > limit {
		return nil, refuse(TooLarge, fmt.Errorf("%s: CRL file", path))
	}
	content, err := io.ReadAll(io.LimitReader(file, limit))
	if err != nil {
		return nil, refuse(Unavailable, err)
	}
	return content, nil
}

// ReadCRLs gives the DER of every CRL in a file of at most limit octets: PEM, or one in DER.
func ReadCRLs(path string, limit int64) ([][]byte, error) {
	content, err := readCRLFile(path, limit)
	if err != nil {
		return nil, err
	}
	return splitLists(content), nil
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
func (w fileWatch) watch(done <-chan struct{}, load *crlLoader) {
	ticker := time.NewTicker(load.config.CRL.FileInterval)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			if err := errors.Join(w.scan(load)); err != nil {
				load.config.Log.Warn("CRL files", slog.Any("error", err))
			}
		}
	}
}
