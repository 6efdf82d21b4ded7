package arch

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A Tree is what the sources of a module import.
type Tree struct {
	Module  string   // path of the module
	Modules []string // paths of the modules it requires
	Files   []File
}

// A File is one Go source.
type File struct {
	Name    string // from the root of the module
	Package string // its folder
	Test    bool
	Imports []Import
}

// An Import is one line of an import declaration.
type Import struct {
	Path string
	Line int
	Used []string // identifiers of the package that the file names, sorted; "." for a dot import
}

// Read reads the sources of the module whose root is root.
func Read(root fs.FS) (*Tree, error) {
	tree := &Tree{}
	if err := tree.readModule(root); err != nil {
		return nil, err
	}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		base := path.Base(name)
		switch {
		case err != nil || name == ".":
			return err
		case base[0] == '.' || base[0] == '_': // as the go command has it
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			if _, err := fs.Stat(root, name+"/go.mod"); err == nil || base == "testdata" || base == "vendor" {
				return fs.SkipDir
			}
			return nil
		case path.Ext(name) != ".go":
			return nil
		}
		return tree.readFile(root, name)
	})
	if err != nil {
		return nil, err
	}
	return tree, nil
}

// readModule reads what is wanted of go.mod: the module's path and those it requires.
func (t *Tree) readModule(root fs.FS) error {
	text, err := fs.ReadFile(root, "go.mod")
	if err != nil {
		return err
	}
	block := ""
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "//")
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case fields[0] == ")":
			block = ""
		case len(fields) == 2 && fields[1] == "(":
			block = fields[0]
		case fields[0] == "module" && len(fields) == 2:
			t.Module = fields[1]
		case fields[0] == "require" && len(fields) == 3:
			t.Modules = append(t.Modules, fields[1])
		case block == "require" && len(fields) == 2:
			t.Modules = append(t.Modules, fields[0])
		}
	}
	if t.Module == "" {
		return fmt.Errorf("go.mod: no module")
	}
	return nil
}

func (t *Tree) readFile(root fs.FS, name string) error {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return err
	}
	if neverBuilt(text) {
		return nil
	}
	positions := token.NewFileSet()
	syntax, err := parser.ParseFile(positions, name, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	file := File{Name: name, Package: path.Dir(name), Test: strings.HasSuffix(name, "_test.go")}
	for _, spec := range syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		file.Imports = append(file.Imports, Import{Path: p, Line: positions.Position(spec.Pos()).Line, Used: used(syntax, spec, p)})
	}
	t.Files = append(t.Files, file)
	return nil
}

// neverBuilt tells whether the build constraint of a file wants the tag "ignore", under
// whatever other tags.
func neverBuilt(text []byte) bool {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if bytes.HasPrefix(line, []byte("package ")) {
			return false
		}
		if !constraint.IsGoBuild(string(line)) {
			continue
		}
		expression, err := constraint.Parse(string(line))
		if err != nil {
			return false // the compiler says it better
		}
		return !satisfiable(expression, map[string]bool{"ignore": false})
	}
	return false
}

// satisfiable tells whether some tags beside those that are decided build the file.
func satisfiable(expression constraint.Expr, decided map[string]bool) bool {
	open := ""
	result := expression.Eval(func(tag string) bool {
		yes, known := decided[tag]
		if !known && open == "" {
			open = tag
		}
		return yes
	})
	if open == "" {
		return result
	}
	defer delete(decided, open)
	for _, yes := range []bool{true, false} {
		decided[open] = yes
		if satisfiable(expression, decided) {
			return true
		}
	}
	return false
}

// used gives the identifiers of an imported package that a file names. The package's
// own name is taken to be the last element of its path; that is so where it is asked.
func used(file *ast.File, spec *ast.ImportSpec, importPath string) []string {
	local := path.Base(importPath)
	if spec.Name != nil {
		local = spec.Name.Name
	}
	if local == "." {
		return []string{"."}
	}
	names := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok && x.Name == local {
				names[selector.Sel.Name] = true
			}
		}
		return true
	})
	var all []string
	for name := range names {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
