package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The commands on the pages are ones that the program has, with their flags.
func TestDocumentedCommands(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "docs", "wsc.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, line := range strings.Split(strings.ReplaceAll(string(content), "\\\n", " "), "\n") {
		if !strings.HasPrefix(line, "    wsc ") {
			continue
		}
		seen++
		args := strings.Fields(line)[1:]
		cmd, rest, err := command().Find(args)
		if err != nil || cmd.Name() != args[0] {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	if seen < 5 {
		t.Errorf("%d commands on the page", seen)
	}
	for _, c := range command().Commands() {
		if c.Name() != "version" && !strings.Contains(string(content), "`wsc "+c.Name()+"`") {
			t.Errorf("wsc %s is not on the page", c.Name())
		}
	}
}
