package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A FileSystem is the one directory of a journal. It stands between the journal
// and the disk so that tests can make the disk fail; names have no separators.
// It is used by one goroutine at a time, except that Open and Names may be called by readers at any time, and Remove
// and SyncDir while another file is appended to.
type FileSystem interface {
	// Names lists the directory.
	Names() ([]string, error)
	// Open opens a file for reading; errors.Is(err, fs.ErrNotExist) when there is none.
	Open(name string) (io.ReadCloser, error)
	// Append opens an existing file for appending.
	Append(name string) (File, error)
	// Create makes a file, mode 0600, for appending; it fails when the name is taken.
	Create(name string) (File, error)
	// Rename gives a file another name, replacing what had it.
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes what Create, Rename and Remove did survive a crash.
	SyncDir() error
	// Lock takes the exclusive lock of that name without waiting; it ends with
	// Close or with the process. errors.Is(err, ErrLocked) when another has it.
	Lock(name string) (io.Closer, error)
}

// A File is appended to. Write writes at the end, all or with an error. Sync returns
// when everything written is on stable storage; it may run while another goroutine writes.
type File interface {
	io.Writer
	Truncate(size int64) error
	Sync() error
	Close() error
}

// ErrLocked is what FileSystem.Lock gives when another holds the lock.
var ErrLocked = errors.New("held by another process")

// directory is the FileSystem of the operating system.
type directory string

func makeDirectory(path string) (directory, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", err
	}
	parent := directory(filepath.Dir(filepath.Clean(path)))
	return directory(path), parent.SyncDir()
}

func (d directory) openToOthers() bool {
	info, err := os.Stat(string(d))
	return err == nil && info.Mode().Perm()&0o022 != 0
}

func (d directory) path(name string) string { return filepath.Join(string(d), name) }

func (d directory) Names() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, nil
}

func (d directory) Open(name string) (io.ReadCloser, error) {
	file, err := os.Open(d.path(name))
	if err != nil {
		return nil, err // not a nil *os.File in an interface
	}
	return file, nil
}

func (d directory) Append(name string) (File, error) {
	return d.open(name, os.O_APPEND|os.O_WRONLY)
}

func (d directory) Create(name string) (File, error) {
	return d.open(name, os.O_APPEND|os.O_WRONLY|os.O_CREATE|os.O_EXCL)
}

func (d directory) open(name string, flags int) (File, error) {
	file, err := os.OpenFile(d.path(name), flags, 0o600)
	if err != nil {
		return nil, err
	}
	return file, nil
}

func (d directory) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }

func (d directory) Remove(name string) error { return os.Remove(d.path(name)) }

func (d directory) SyncDir() error {
	dir, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (d directory) Lock(name string) (io.Closer, error) { return lockFile(d.path(name)) }

// writeNew puts a small file in place whole or not at all, and durably.
func writeNew(files FileSystem, name string, content []byte) error {
	draft := name + ".new"
	if err := files.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := files.Create(draft)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := files.Rename(draft, name); err != nil {
		return err
	}
	return files.SyncDir()
}

const (
	filePrefix = "journal-"
	fileSuffix = ".jsonl"
	tornSuffix = ".torn"
)

func fileName(number int) string { return fmt.Sprintf("%s%08d%s", filePrefix, number, fileSuffix) }

// fileNumber reads the number in the name of a journal's file; one number has one name.
func fileNumber(name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, filePrefix)
	if !ok {
		return 0, false
	}
	digits, ok = strings.CutSuffix(digits, fileSuffix)
	if !ok {
		return 0, false
	}
	number, err := strconv.Atoi(digits)
	if err != nil || number < 1 || fileName(number) != name {
		return 0, false
	}
	return number, true
}

// fileNumbers gives the numbers of the journal's files in order, and the names set aside after a crash.
func fileNumbers(files FileSystem) (numbers []int, torn []string, err error) {
	names, err := files.Names()
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		if number, ok := fileNumber(name); ok {
			numbers = append(numbers, number)
		} else if strings.HasPrefix(name, filePrefix) && strings.HasSuffix(name, tornSuffix) {
			torn = append(torn, name)
		}
	}
	slices.Sort(numbers)
	slices.Sort(torn)
	return numbers, torn, nil
}
