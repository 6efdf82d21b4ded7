package bench

import (
	"io"
	"os"
	"path/filepath"

	"sceau/audit"
)

// A journalKind says how the audit journal of a handler keeps its records.
type journalKind string

const (
	// unsynced is durable as far as the journal knows; the file does not wait for the
	// disk.
	unsynced journalKind = "written"
	synced   journalKind = "fsync"
	relaxed  journalKind = "relaxed 1s"
)

// A patientDir is a directory of a journal whose files say that they are on stable storage as
// soon as they are written.
type patientDir string

type patientFile struct{ *os.File }

func (patientFile) Sync() error { return nil }

func (d patientDir) Names() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (d patientDir) Open(name string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(d), name))
}

func (d patientDir) Append(name string) (audit.File, error) {
	return d.open(name, os.O_APPEND|os.O_WRONLY)
}

func (d patientDir) Create(name string) (audit.File, error) {
	return d.open(name, os.O_APPEND|os.O_WRONLY|os.O_CREATE|os.O_EXCL)
}

func (d patientDir) open(name string, flags int) (audit.File, error) {
	f, err := os.OpenFile(filepath.Join(string(d), name), flags, 0o600)
	return patientFile{f}, err
}

func (d patientDir) Rename(from, to string) error {
	return os.Rename(filepath.Join(string(d), from), filepath.Join(string(d), to))
}

func (d patientDir) Remove(name string) error       { return os.Remove(filepath.Join(string(d), name)) }
func (d patientDir) SyncDir() error                 { return nil }
func (d patientDir) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }
