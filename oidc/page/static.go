package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed static/*
var staticFiles embed.FS

// assets are static files under names that hold their digest.
type assets struct {
	names map[string]string // "page.css" → "page.4f0c….css"
	files map[string]asset  // by the latter
}

type asset struct {
	kind    string
	content []byte
}

func readAssets(files fs.FS) (*assets, error) {
	a := &assets{names: map[string]string{}, files: map[string]asset{}}
	return a, fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		digest := sha256.Sum256(content)
		base, extension := path.Base(name), path.Ext(name)
		hashed := strings.TrimSuffix(base, extension) + "." + hex.EncodeToString(digest[:12]) + extension
		a.names[base] = hashed
		a.files[hashed] = asset{kind: mime.TypeByExtension(extension), content: content}
		return nil
	})
}

// ServeHTTP answers by the last element of the path: what stands before it is the issuer's.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := a.files[path.Base(r.URL.Path)]
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	switch {
	case !ok:
		h.Set("Cache-Control", "no-store")
		http.Error(w, "not found", http.StatusNotFound)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	h.Set("Content-Type", file.kind)
	h.Set("Content-Length", strconv.Itoa(len(file.content)))
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// The symbol is a document of its own for who opens it: it may do nothing.
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	if r.Method == http.MethodGet {
		bytes.NewReader(file.content).WriteTo(w) //nolint:errcheck // the browser is gone
	}
}
