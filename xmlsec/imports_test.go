package xmlsec_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestImports: D2, T3, T4: the core has one reader of XML, its own, and no way to a
// file or a network: what it does not import it cannot be talked into.
func TestImports(t *testing.T) {
	for _, folder := range []string{".", "c14n", "xmltext"} {
		names, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", folder, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range file.Imports {
				path, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				first, _, _ := strings.Cut(path, "/")
				switch {
				case strings.HasPrefix(path, "sceau/xmlsec/"), first == "crypto", first == "hash", first == "math":
				case path == "bytes", path == "slices", path == "strings", path == "errors", path == "fmt", path == "sync", path == "unsafe",
					path == "unicode/utf8", path == "encoding/base64", path == "encoding/binary":
				default:
					t.Errorf("%s imports %s", name, path)
				}
				if path == "crypto/x509" || path == "crypto/tls" {
					t.Errorf("%s imports %s: mathematics is not trust", name, path)
				}
			}
		}
	}
}
