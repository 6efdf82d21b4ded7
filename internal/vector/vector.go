package vector

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Vector is one file of the kit.
type Vector struct {
	Name    string // path of the file below the folder read, without .txtar
	Expect  string
	Comment string
	Attack  string
	Now     time.Time         // zero when the header has none
	Header  map[string]string // every key, the caller's own included
	Files   []File
}

// A File is one file inside a vector.
type File struct {
	Name string
	Data []byte
}

// Message returns the bytes of the first file.
func (v *Vector) Message() []byte { return v.Files[0].Data }

// File returns the bytes of the file with this name.
func (v *Vector) File(name string) ([]byte, bool) {
	for i := range v.Files {
		if v.Files[i].Name == name {
			return v.Files[i].Data, true
		}
	}
	return nil, false
}

const extension = ".txtar"

var standardKeys = []string{"expect", "comment", "attack", "now", "escaped"}

// Read reads every vector below folder, in the order of their names. keys are the
// header keys admitted besides the standard ones. It refuses a folder without a
// vector and any other kind of file in it.
func Read(fsys fs.FS, folder string, keys ...string) ([]Vector, error) {
	var vectors []Vector
	err := fs.WalkDir(fsys, folder, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return nil
		case path.Ext(name) != extension:
			return fmt.Errorf("vector: %s: not a %s file", name, extension)
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		v, err := Parse(text, keys...)
		if err != nil {
			return fmt.Errorf("vector: %s: %w", name, err)
		}
		v.Name = strings.TrimPrefix(strings.TrimSuffix(name, extension), folder+"/")
		vectors = append(vectors, v)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(vectors) == 0 {
		return nil, fmt.Errorf("vector: %s holds no vector", folder)
	}
	return vectors, nil
}

// Parse reads the text of one vector.
func Parse(text []byte, keys ...string) (Vector, error) {
	v := Vector{Header: map[string]string{}}
	rest := text
	for line := 1; ; line++ {
		one, after, ok := bytes.Cut(rest, []byte("\n"))
		if !ok {
			return Vector{}, fmt.Errorf("line %d: the header does not end", line)
		}
		rest = after
		if len(one) == 0 {
			break
		}
		key, value, ok := strings.Cut(string(one), ": ")
		switch {
		case !ok || value == "" || strings.TrimSpace(value) != value:
			return Vector{}, fmt.Errorf("line %d: want \"key: value\"", line)
		case !slices.Contains(standardKeys, key) && !slices.Contains(keys, key):
			return Vector{}, fmt.Errorf("line %d: unknown key %q", line, key)
		case v.Header[key] != "":
			return Vector{}, fmt.Errorf("line %d: key %q again", line, key)
		}
		v.Header[key] = value
	}
	v.Expect, v.Comment, v.Attack = v.Header["expect"], v.Header["comment"], v.Header["attack"]
	if v.Expect == "" || v.Comment == "" {
		return Vector{}, fmt.Errorf("expect and comment are required")
	}
	if now, ok := v.Header["now"]; ok {
		var err error
		if v.Now, err = time.Parse(time.RFC3339, now); err != nil {
			return Vector{}, fmt.Errorf("now: %w", err)
		}
	}
	if err := v.files(rest); err != nil {
		return Vector{}, err
	}
	switch v.Header["escaped"] {
	case "":
	case "yes":
		for i := range v.Files {
			data, err := unescape(v.Files[i].Data)
			if err != nil {
				return Vector{}, fmt.Errorf("%s: %w", v.Files[i].Name, err)
			}
			v.Files[i].Data = data
		}
	default:
		return Vector{}, fmt.Errorf("escaped: %q is not yes", v.Header["escaped"])
	}
	return v, nil
}

// files cuts what follows the header at its marker lines.
func (v *Vector) files(rest []byte) error {
	for len(rest) > 0 {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		if name, ok := marker(line); ok {
			if _, again := v.File(name); again {
				return fmt.Errorf("file %q again", name)
			}
			v.Files = append(v.Files, File{Name: name})
		} else if n := len(v.Files); n == 0 {
			return fmt.Errorf("content before the first file")
		} else {
			f := &v.Files[n-1]
			f.Data = append(f.Data, rest[:len(rest)-len(after)]...)
		}
		rest = after
	}
	if len(v.Files) == 0 {
		return fmt.Errorf("no file")
	}
	return nil
}

func marker(line []byte) (name string, ok bool) {
	text := string(line)
	if !strings.HasPrefix(text, "-- ") || !strings.HasSuffix(text, " --") || len(text) < len("-- a --") {
		return "", false
	}
	name = strings.TrimSpace(text[3 : len(text)-3])
	return name, name != ""
}

// unescape reads Go escapes and drops newlines.
func unescape(text []byte) ([]byte, error) {
	var out []byte
	for rest := strings.ReplaceAll(string(text), "\n", ""); rest != ""; {
		r, multibyte, tail, err := strconv.UnquoteChar(rest, 0)
		if err != nil {
			return nil, fmt.Errorf("escape at %q: %w", rest[:min(len(rest), 8)], err)
		}
		if multibyte {
			out = append(out, string(r)...)
		} else {
			out = append(out, byte(r))
		}
		rest = tail
	}
	return out, nil
}
