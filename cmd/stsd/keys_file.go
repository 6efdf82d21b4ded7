package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// The schedule of the signing keys lies in a folder of its own (signing.dir), and not in
// the configuration: stsd keys writes it, and a program that rewrites what people comment
// loses either its safety or their comments.
const (
	keyFileName  = "keys.yaml"
	keyFileDraft = "keys.yaml.new"

	keyFileHead = `# The signing keys and when they sign. Written by stsd keys, which checks a change before
# it makes it; comments here are not kept. Each key signs from its activation until that of
# the next. Paths are relative to this folder.
`
	maxKeyFile = 1 << 20
)

// keyID is what a key may be called: a file name everywhere, and safe in a log.
var keyID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// A keyEntry is one key of the schedule.
type keyEntry struct {
	ID          string    `yaml:"id"`
	Key         string    `yaml:"key"` // file, or URI of a token
	Certificate string    `yaml:"certificate,omitempty"`
	Published   time.Time `yaml:"published,omitempty"`
	Activate    time.Time `yaml:"activate,omitempty"`
	Withdrawn   time.Time `yaml:"withdrawn,omitempty"`
	Forced      bool      `yaml:"forced,omitempty"`
}

type keyFile struct {
	Keys []keyEntry `yaml:"keys"`
}

func (f *keyFile) find(id string) *keyEntry {
	if i := slices.IndexFunc(f.Keys, func(e keyEntry) bool { return e.ID == id }); i >= 0 {
		return &f.Keys[i]
	}
	return nil
}

// A fileMark tells whether a file has changed.
type fileMark struct {
	modified time.Time
	size     int64
}

func markOf(path string) fileMark {
	info, err := os.Stat(path)
	if err != nil {
		return fileMark{}
	}
	return fileMark{info.ModTime(), info.Size()}
}

// readKeyFile reads the schedule of a folder. A folder without one has no keys.
func readKeyFile(dir string) (*keyFile, error) {
	path := filepath.Join(dir, keyFileName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &keyFile{}, nil
	}
	if err != nil {
		return nil, err
	}
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("%s: too large", path)
	}
	f := &keyFile{}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i := range f.Keys {
		if e := &f.Keys[i]; !keyID.MatchString(e.ID) || e.Key == "" {
			return nil, fmt.Errorf("%s: key %q: want an id of letters, digits, dots, hyphens and underscores, and where the key lies", path, plain(e.ID))
		}
	}
	return f, nil
}

// changeKeyFile lets change alter the schedule of a folder, all or nothing: the draft,
// which only one process can have, is written through to the disk and then takes the
// place of the file.
func changeKeyFile(dir string, change func(*keyFile) error) (err error) {
	draft := filepath.Join(dir, keyFileDraft)
	out, err := os.OpenFile(draft, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there: another stsd keys is at work; if none is, one was cut off and the file may be removed", draft)
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			out.Close()
			os.Remove(draft)
		}
	}()
	f, err := readKeyFile(dir)
	if err != nil {
		return err
	}
	if err = change(f); err != nil {
		return err
	}
	text, err := yaml.Marshal(f)
	if err != nil {
		return err
	}
	if _, err = out.Write(append([]byte(keyFileHead), text...)); err != nil {
		return err
	}
	if err = errors.Join(out.Sync(), out.Close()); err != nil {
		return err
	}
	if err = os.Rename(draft, filepath.Join(dir, keyFileName)); err != nil {
		return err
	}
	return syncDir(dir)
}

// writeNew writes a file that must not be there, through to the disk.
func writeNew(path string, content []byte, mode os.FileMode) (err error) {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = out.Write(content)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		os.Remove(path)
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
