package interop

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`\[[^\]]+\]\(([^)]+)\)`)

// TestGuides: every snippet of the guides stands in the program beside it, which the other
// tests of this package run. White space at the beginning of lines does not count.
func TestGuides(t *testing.T) {
	for _, guide := range []string{"consumers.md", "providers.md"} {
		content, err := os.ReadFile(filepath.Join("..", "..", "docs", guide))
		if err != nil {
			t.Fatal(err)
		}
		var snippet []string
		inside, snippets, file := false, 0, ""
		for _, line := range strings.Split(string(content), "\n") {
			if !strings.HasPrefix(line, "```") {
				if inside {
					snippet = append(snippet, strings.TrimSpace(line))
				} else if links := link.FindAllStringSubmatch(line, -1); links != nil {
					file = links[len(links)-1][1]
				}
				continue
			}
			if inside = !inside; inside {
				snippet = nil
				continue
			}
			snippets++
			source, err := os.ReadFile(filepath.Join("..", "..", "docs", file))
			if err != nil {
				t.Fatal(err)
			}
			if !contains(strings.Split(string(source), "\n"), snippet) {
				t.Errorf("%s: not in %s:\n%s", guide, file, strings.Join(snippet, "\n"))
			}
			if len(snippet) == 0 || !strings.HasPrefix(file, "../internal/interop/") {
				t.Errorf("%s: a snippet of nothing that is run: %s", guide, file)
			}
		}
		if inside || snippets < 8 {
			t.Errorf("%s: %d snippets", guide, snippets)
		}
	}
}

// contains reports whether lines has the others one after another.
func contains(lines, others []string) bool {
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	for i := 0; i+len(others) <= len(lines); i++ {
		if slices.Equal(lines[i:i+len(others)], others) {
			return true
		}
	}
	return false
}
