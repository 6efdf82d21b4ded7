package main

import (
	"bytes"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"sceau/attrs"
)

func TestExitStatus(t *testing.T) {
	tests := []struct {
		err  error
		want int
	}{
		{nil, 0},
		{finding("no"), exitNo},
		{fmt.Errorf("registry: %w", errors.Join(finding("no"), nil)), exitNo},
		{errors.New("disk"), exitError},
	}
	for _, test := range tests {
		if got := exitStatus(test.err); got != test.want {
			t.Errorf("%v: status %d, want %d", test.err, got, test.want)
		}
	}
}

func TestPlain(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"words", "Alice Éxample, 3 €", "Alice Éxample, 3 €"},
		{"escape sequence: would clear the screen and hide what was before", "\x1b[2Jx", `\x1b[2Jx`},
		{"line feed: would forge a line", "a\nb", `a\x0ab`},
		{"C1 control: an escape sequence in one rune", "\u009b2J", `\u009b2J`},
		{"right-to-left override: would show a name backwards", "\u202eab", `\u202eab`},
		{"no text", "a\xffb", `a\ufffdb`},
		{"beyond the first plane", "\U000e0041", `\ue0041`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := plain(test.text); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestParseMoment(t *testing.T) {
	now := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	tests := []struct {
		text string
		want time.Time
	}{
		{"2026-11-21T20:00:00+01:00", now.Add(-time.Hour)},
		{"2026-11-21", now.Add(-20 * time.Hour)},
		{"90m", now.Add(-90 * time.Minute)},
		{"-90m", time.Time{}},
		{"yesterday", time.Time{}},
		{"2026-11-21T20:00:00", time.Time{}}, // in which zone?
	}
	for _, test := range tests {
		got, err := parseMoment(test.text, now)
		if !got.Equal(test.want) || (err == nil) == test.want.IsZero() {
			t.Errorf("%q: %v, %v; want %v", test.text, got, err, test.want)
		}
	}
}

func TestParseSubject(t *testing.T) {
	tests := []struct {
		text string
		want attrs.Subject
	}{
		{"ssin:00000000097", attrs.Subject{Type: "ssin", Value: "00000000097"}},
		{"SSIN:00000000097", attrs.Subject{Type: "ssin", Value: "00000000097"}},
		{"nihii/ssin:71999041/00000000097", attrs.Subject{Type: "nihii/ssin", Value: "71999041/00000000097"}},
		{"ssin:00000000098", attrs.Subject{}},
		{"00000000097", attrs.Subject{}},
		{"passport:00000000097", attrs.Subject{}},
		{"", attrs.Subject{}},
	}
	for _, test := range tests {
		got, err := parseSubject(test.text)
		if got != test.want || (err == nil) != (test.want != attrs.Subject{}) {
			t.Errorf("%q: %v, %v; want %v", test.text, got, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "0000") {
			t.Errorf("%q: the error repeats a number that may be a person's: %v", test.text, err)
		}
	}
}

func TestConcerns(t *testing.T) {
	alice := attrs.Subject{Type: "ssin", Value: "00000000097"}
	tests := []struct {
		name    string
		subject attrs.Subject
		want    bool
	}{
		{"herself", alice, true},
		{"a pharmacy and her", attrs.Subject{Type: "nihii/ssin", Value: "71999041/00000000097"}, true},
		{"a pharmacy and another", attrs.Subject{Type: "nihii/ssin", Value: "71999041/00000000196"}, false},
		{"her number as another type", attrs.Subject{Type: "cbe", Value: "00000000097"}, false},
	}
	for _, test := range tests {
		if got := concerns(test.subject, alice); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// TestAttributesTable: everything a request may ask for stands in the table, each name once.
func TestAttributesTable(t *testing.T) {
	var out bytes.Buffer
	if err := writeCatalogue(&out, attrs.EHealth()); err != nil {
		t.Fatal(err)
	}
	lines := map[string]int{}
	for line := range strings.Lines(out.String()) {
		if fields := strings.Fields(line); len(fields) > 0 {
			lines[fields[0]]++
		}
	}
	want := map[string]int{}
	for d := range attrs.EHealth().All() {
		want[d.Name]++ // a name may stand in both namespaces
		for _, alias := range d.Aliases {
			want[alias]++
		}
	}
	for name, n := range want {
		if lines[name] != n {
			t.Errorf("%s stands in %d lines, want %d", name, lines[name], n)
		}
	}
}

func TestVersionSaysWhatTheBuildLeft(t *testing.T) {
	tests := []struct {
		name string
		info debug.BuildInfo
		want []string
	}{
		{"release", debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-11-21T20:00:00Z"}, {Key: "vcs.modified", Value: "false"},
		}}, []string{"stsd v1.2.3\n", "abc\n", "2026-11-21T20:00:00Z", "go1.26.8"}},
		{"changed tree", debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}, {Key: "-tags", Value: "openssl"},
		}}, []string{"development build", "abc and changes", "openssl"}},
		{"no history", debug.BuildInfo{}, []string{"development build", "not recorded"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := writeVersion(&out, &test.info); err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in\n%s", want, &out)
				}
			}
		})
	}
}

// TestCommandsSayWhatTheyDo: help is the manual of the command line.
func TestCommandsSayWhatTheyDo(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short help %q", c.CommandPath(), c.Short)
		}
		if c.HasSubCommands() == c.Runnable() {
			t.Errorf("%s: a command does something or has sub-commands", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	for _, c := range []*cobra.Command{registryCommand(), auditCommand(), versionCommand()} {
		walk(c)
	}
}
