package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sceau/internal/judge"
)

// A requirement is a line of docs/exi-fi.md.
type requirement struct {
	number, title, does, duty string
	tests                     []string
}

var (
	requirementNumber = regexp.MustCompile(`^(EXI|RECO) FI [0-9]{2}$`)
	testName          = regexp.MustCompile("^`([a-z][a-z0-9/]*)\\.(Test[A-Za-z0-9]+)(/[a-z-]+)?`$")
)

// requirements reads the tables of docs/exi-fi.md.
func requirements(t *testing.T) []requirement {
	t.Helper()
	text, err := os.ReadFile("../../docs/exi-fi.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []requirement
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| EXI") && !strings.HasPrefix(line, "| RECO") {
			continue
		}
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 7 {
			t.Fatalf("%d columns instead of 5: %s", len(cells)-2, line)
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
			if i > 0 && i < 6 && cells[i] == "" {
				t.Errorf("an empty column: %s", line)
			}
		}
		r := requirement{number: cells[1], title: cells[2], does: cells[3], duty: cells[5]}
		if cells[4] != "–" {
			r.tests = strings.Split(cells[4], ", ")
		}
		all = append(all, r)
	}
	return all
}

// Every requirement stands in the tables once, has a test or a duty, and every test that is named exists: whoever renames one finds out here.
func TestRequirementsHaveTests(t *testing.T) {
	all := requirements(t)
	var want, got []string
	for _, kind := range []struct {
		name string
		last int
	}{{"EXI", 36}, {"RECO", 4}} {
		for n := 1; n <= kind.last; n++ {
			want = append(want, kind.name+" FI "+string(rune('0'+n/10))+string(rune('0'+n%10)))
		}
	}
	functions := map[string]map[string]bool{} // of a folder
	for _, r := range all {
		if !requirementNumber.MatchString(r.number) {
			t.Errorf("%q is no number", r.number)
		}
		got = append(got, r.number)
		if len(r.tests) == 0 && r.duty == "–" {
			t.Errorf("%s has neither a test nor a duty", r.number)
		}
		if (len(r.tests) == 0) != (r.does == "–") {
			t.Errorf("%s: what is done has a test, and what is not has none", r.number)
		}
		for _, name := range r.tests {
			found := testName.FindStringSubmatch(name)
			if found == nil {
				t.Errorf("%s: %q names no test", r.number, name)
				continue
			}
			folder := filepath.Join("..", "..", found[1])
			if functions[folder] == nil {
				functions[folder] = testFunctions(t, folder)
			}
			if !functions[folder][found[2]] {
				t.Errorf("%s: there is no test %s in %s", r.number, found[2], found[1])
			}
			if script := found[3]; script != "" {
				if _, err := os.Stat(filepath.Join(folder, "testdata", "script", script+".txtar")); err != nil {
					t.Errorf("%s: %v", r.number, err)
				}
			}
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the tables have %q, the référentiel %q", got, want)
	}
}

// testFunctions gives the tests of a folder: functions of its test files that testing runs.
func testFunctions(t *testing.T, folder string) map[string]bool {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil && len(f.Type.Params.List) == 1 {
				if star, ok := f.Type.Params.List[0].Type.(*ast.StarExpr); ok {
					if of, ok := star.X.(*ast.SelectorExpr); ok && of.Sel.Name == "T" {
						all[f.Name.Name] = true
					}
				}
			}
		}
	}
	return all
}

// The titles are those of the référentiel itself.
func TestRequirementsAreThoseOfTheAgency(t *testing.T) {
	text, err := os.ReadFile(judge.Shared(t, "seeds", "000_5d9f4359aaa407a1.txt"))
	if err != nil {
		t.Fatal(err)
	}
	titles := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, "|"); len(cells) > 2 && requirementNumber.MatchString(strings.TrimSpace(cells[0])) {
			titles[strings.TrimSpace(cells[0])] = strings.TrimSpace(cells[1])
		}
	}
	all := requirements(t)
	if len(titles) != len(all) {
		t.Errorf("the référentiel has %d requirements, the tables %d", len(titles), len(all))
	}
	for _, r := range all {
		if titles[r.number] != r.title {
			t.Errorf("%s is %q, not %q", r.number, titles[r.number], r.title)
		}
	}
}
