// Package unsynced is a directory for the audit journal whose files do not wait for the disk: every record is
// written to a real file before the answer leaves, and the file says at once that it is on stable storage. It is for
// measurements, in which the disk's time is not to be that of the service. After a crash the journal may have lost
// records that were promised.
package unsynced

import (
	"io"
	"os"
	"path/filepath"

	"sceau/audit"
)

// A Dir is the path of an existing directory. It implements audit.FileSystem for one journal at a time: it locks
// nothing.
type Dir string

type file struct{ *os.File }

func (file) Sync() error { return nil }

func (d Dir) path(name string) string { return filepath.Join(string(d), name) }

// Names implements audit.FileSystem.
func (d Dir) Names() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// Open implements audit.FileSystem.
func (d Dir) Open(name string) (io.ReadCloser, error) {
	f, err := os.Open(d.path(name))
	if err != nil {
		return nil, err // not a nil *os.File in an interface
	}
	return f, nil
}

// Append implements audit.FileSystem.
func (d Dir) Append(name string) (audit.File, error) {
	return d.open(name, os.O_APPEND|os.O_WRONLY)
}

// Create implements audit.FileSystem.
func (d Dir) Create(name string) (audit.File, error) {
	return d.open(name, os.O_APPEND|os.O_WRONLY|os.O_CREATE|os.O_EXCL)
}

func (d Dir) open(name string, flags int) (audit.File, error) {
	f, err := os.OpenFile(d.path(name), flags, 0o600)
	if err != nil {
		return nil, err
	}
	return file{f}, nil
}

// Rename implements audit.FileSystem.
func (d Dir) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }

// Remove implements audit.FileSystem.
func (d Dir) Remove(name string) error { return os.Remove(d.path(name)) }

// SyncDir implements audit.FileSystem: it waits for nothing.
func (Dir) SyncDir() error { return nil }

// Lock implements audit.FileSystem: it locks nothing.
func (Dir) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }
