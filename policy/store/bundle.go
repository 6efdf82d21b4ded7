package store

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a Bundle.
const (
	maxFiles     = 10_000
	maxFileBytes = 4 << 20
	maxBytes     = 32 << 20
)

// TestFolder is the one folder that a Bundle may have: that of the policies' own tests.
const TestFolder = "tests"

// A Digest names a content: SHA-256.
type Digest [sha256.Size]byte

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// ParseDigest reads what String writes.
func ParseDigest(text string) (d Digest, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(d) || hex.EncodeToString(b) != text {
		return d, errors.New("a digest that is none")
	}
	return Digest(b), nil
}

// A Bundle is the files of one set of policies: those of a directory, and of its folder tests. The zero Bundle has none.
type Bundle struct {
	files  map[string]string
	digest Digest
}

// ReadBundle reads a directory. What begins with a period is passed over (.git), and so are folders other than tests. The error has Reason
// InvalidBundle, also where a file cannot be read.
func ReadBundle(files fs.FS) (*Bundle, error) {
	contents := map[string]string{}
	total := 0
	for _, folder := range []string{".", TestFolder} {
		entries, err := fs.ReadDir(files, folder)
		if errors.Is(err, fs.ErrNotExist) && folder == TestFolder {
			continue
		}
		if err != nil {
			return nil, invalid("%w", err)
		}
		for _, e := range entries {
			if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
				continue
			}
			name := path.Join(folder, e.Name())
			info, err := fs.Stat(files, name)
			switch {
			case err != nil:
				return nil, invalid("%w", err)
			case !info.Mode().IsRegular():
				return nil, invalid("%s: no regular file", name)
			case len(contents) == maxFiles:
				return nil, invalid("more than %d files", maxFiles)
			case info.Size() > maxFileBytes:
				return nil, invalid("%s: larger than %d bytes", name, maxFileBytes)
			}
			content, err := fs.ReadFile(files, name)
			if err != nil {
				return nil, invalid("%w", err)
			}
			if total += len(content); total > maxBytes {
				return nil, invalid("larger than %d bytes together", maxBytes)
			}
			contents[name] = string(content)
		}
	}
	return NewBundle(contents)
}

var pathForm = regexp.MustCompile(`^(` + TestFolder + `/)?[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$`)

// NewBundle makes a Bundle of files by path: a name, or tests/ and a name.
func NewBundle(files map[string]string) (*Bundle, error) {
	b := &Bundle{files: maps.Clone(files)}
	total := 0
	for name, content := range files {
		total += len(content)
		switch {
		case !pathForm.MatchString(name):
			return nil, invalid("%q: a name is of up to 100 letters, digits and . _ -", name)
		case len(content) > maxFileBytes:
			return nil, invalid("%s: larger than %d bytes", name, maxFileBytes)
		case !utf8.ValidString(content) || strings.ContainsRune(content, 0):
			return nil, invalid("%s: no text in UTF-8", name)
		}
	}
	if len(files) == 0 {
		return nil, invalid("no file")
	}
	if len(files) > maxFiles || total > maxBytes {
		return nil, invalid("more than %d files or %d bytes", maxFiles, maxBytes)
	}
	list := sha256.New()
	for _, name := range b.Paths() {
		fmt.Fprintf(list, "%x  %s\n", sha256.Sum256([]byte(b.files[name])), name)
	}
	list.Sum(b.digest[:0])
	return b, nil
}

func invalid(format string, args ...any) error {
	return &Error{Reason: InvalidBundle, Err: fmt.Errorf(format, args...)}
}

// Digest names the content.
func (b *Bundle) Digest() Digest { return b.digest }

// Paths gives the files, sorted.
func (b *Bundle) Paths() []string { return slices.Sorted(maps.Keys(b.files)) }

// File gives a file by its path.
func (b *Bundle) File(path string) (content string, ok bool) {
	content, ok = b.files[path]
	return content, ok
}

// FS gives the files as a file system, read-only.
func (b *Bundle) FS() fs.FS {
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for _, name := range b.Paths() {
		// Writing to memory does not fail, and the names are those of files.
		if f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store}); err == nil {
			_, _ = f.Write([]byte(b.files[name]))
		}
	}
	_ = w.Close()
	r, err := zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil {
		return noFiles{err}
	}
	return r
}

// noFiles is a file system that fails.
type noFiles struct{ err error }

func (n noFiles) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: n.err}
}
