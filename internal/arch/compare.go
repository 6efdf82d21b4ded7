package arch

import (
	"fmt"
	"slices"
	"strings"
)

// A comparison gathers where sources and wall differ.
type comparison struct {
	wall     *Wall
	tree     *Tree
	seen     map[string]bool            // "section from to" that the sources have
	rests    map[string]map[string]bool // package -> what it rests on
	findings []string
}

// Compare says, one line each, where a tree is not what the wall says, in the order of
// files and then what stands in the wall alone. Nothing means that they agree.
func Compare(w *Wall, t *Tree) []string {
	c := &comparison{wall: w, tree: t, seen: map[string]bool{}, rests: map[string]map[string]bool{}}
	for i := range t.Files {
		c.file(&t.Files[i])
	}
	c.stale()
	return c.findings
}

func (c *comparison) find(format string, args ...any) {
	c.findings = append(c.findings, fmt.Sprintf(format, args...))
}

func (c *comparison) file(f *File) {
	c.seen["floor "+f.Package] = true
	if _, ok := c.wall.floors[f.Package]; !ok && !c.seen["homeless "+f.Package] {
		c.seen["homeless "+f.Package] = true
		c.find("%s: stands on no floor", f.Package)
	}
	for i := range f.Imports {
		imported := &f.Imports[i]
		place := fmt.Sprintf("%s:%d", f.Name, imported.Line)
		switch ours, relative := c.ours(imported.Path); {
		case ours && f.Test:
			c.testArrow(f, relative, place)
		case ours:
			c.arrow(f, relative, place)
		case strings.Contains(strings.Split(imported.Path, "/")[0], "."):
			c.module(f, imported.Path, place)
		default:
			c.standard(f, imported, place)
		}
	}
}

// ours tells whether a path is of the module, and its folder.
func (c *comparison) ours(path string) (bool, string) {
	if path == c.tree.Module {
		return true, "."
	}
	relative, ok := strings.CutPrefix(path, c.tree.Module+"/")
	return ok, relative
}

func (c *comparison) arrow(f *File, to, place string) {
	if err := c.wall.admits(f.Package, to); err != nil {
		c.find("%s: %s imports %s: %v", place, f.Package, to, err)
		return
	}
	c.seen["arrows "+f.Package+" "+to] = true
	if !slices.Contains(c.wall.arrows[f.Package], to) {
		c.find("%s: %s imports %s, and [arrows] has no such arrow", place, f.Package, to)
	}
}

func (c *comparison) testArrow(f *File, to, place string) {
	if c.rests[f.Package] == nil {
		c.rests[f.Package] = c.wall.rests(f.Package)
	}
	floor, ok := c.wall.floors[to]
	program := c.wall.floors[f.Package] == c.wall.top()
	if c.rests[f.Package][to] || ok && (floor == 0 || floor == testFloor || program && floor < c.wall.top()) {
		return
	}
	c.seen["test arrows "+f.Package+" "+to] = true
	if !slices.Contains(c.wall.testArrows[f.Package], to) {
		c.find("%s: a test of %s imports %s, which is neither below it nor on the ground nor made for tests, and [test arrows] has no such arrow",
			place, f.Package, to)
	}
}

func (c *comparison) module(f *File, path, place string) {
	module := ""
	for _, m := range c.tree.Modules {
		if (path == m || strings.HasPrefix(path, m+"/")) && len(m) > len(module) {
			module = m
		}
	}
	if module == "" {
		c.find("%s: %s is of no module that go.mod requires", place, path)
		return
	}
	importers, ok := c.wall.modules[module]
	if !ok {
		c.find("%s: %s imports %s, and [modules] does not know it", place, f.Package, module)
		return
	}
	c.importer("modules", f, module, importers, place)
}

func (c *comparison) standard(f *File, imported *Import, place string) {
	r, ok := c.wall.standard[imported.Path]
	if !ok {
		return
	}
	c.importer("standard", f, imported.Path, r.importers, place)
	if f.Test || r.names == nil {
		return
	}
	for _, name := range imported.Used {
		if !slices.Contains(r.names, name) {
			c.find("%s: %s uses %s of %s, and [standard] admits only %s", place, f.Package, name, imported.Path, strings.Join(r.names, ", "))
		}
	}
}

// importer holds one use of a module or a restricted package against the list of its
// importers. A package that the list names may use it in its tests too, and what is made
// for tests is a test.
func (c *comparison) importer(section string, f *File, what string, importers []string, place string) {
	if !f.Test {
		c.seen[section+" "+what+" "+f.Package] = true
	}
	if (f.Test || c.wall.floors[f.Package] == testFloor) && slices.Contains(importers, tests) {
		c.seen[section+" "+what+" "+tests] = true
		return
	}
	if !slices.Contains(importers, f.Package) {
		c.find("%s: %s imports %s, which [%s] leaves to: %s", place, f.Package, what, section, strings.Join(importers, " "))
	}
}

// stale finds what the wall has and the sources do not.
func (c *comparison) stale() {
	var stale []string
	missing := func(section, from string, targets []string) {
		for _, to := range targets {
			if !c.seen[section+" "+from+" "+to] {
				stale = append(stale, fmt.Sprintf("wall.txt: [%s] %s: %s is no longer in the sources", section, from, to))
			}
		}
	}
	for p := range c.wall.floors {
		if !c.seen["floor "+p] {
			stale = append(stale, fmt.Sprintf("wall.txt: [floors] there is no package %s", p))
		}
	}
	for from, targets := range c.wall.arrows {
		missing("arrows", from, targets)
	}
	for from, targets := range c.wall.testArrows {
		missing("test arrows", from, targets)
	}
	for module, importers := range c.wall.modules {
		missing("modules", module, importers)
	}
	for path, r := range c.wall.standard {
		missing("standard", path, r.importers)
	}
	slices.Sort(stale)
	c.findings = append(c.findings, stale...)
}
