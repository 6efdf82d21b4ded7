package arch

import (
	_ "embed"
	"maps"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

//go:embed wall.txt
var wallText string

// TestWall is the import wall.
func TestWall(t *testing.T) {
	wall, err := ParseWall(wallText)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := Read(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Files) < 100 {
		t.Fatalf("only %d files were read", len(tree.Files)) // a wall around nothing holds
	}
	for _, finding := range Compare(wall, tree) {
		t.Error(finding)
	}
}

const houseWall = `
[floors]
0: ground/deep ground certs
1: soap
2: sts wsp   # actors
3: cmd/stsd
tests: kit

[arrows]
ground: ground/deep
soap: ground
sts: soap certs
wsp: soap
cmd/stsd: sts
kit: sts

[test arrows]
wsp: sts

[modules]
example.org/fast: soap
example.org/rapid: tests

[standard]
encoding/xml{Marshal}: soap tests
unsafe:
math/rand: tests
`

func house() fstest.MapFS {
	text := map[string]string{
		"go.mod":                "module house\n\ngo 1.26\n\nrequire (\n\texample.org/fast v1.0.0 // indirect\n)\nrequire example.org/rapid v1.0.0\n",
		"ground/deep/deep.go":   "package deep",
		"ground/ground.go":      `package ground; import _ "house/ground/deep"`,
		"certs/certs.go":        `package certs; import _ "crypto/x509"`,
		"soap/soap.go":          `package soap; import ("encoding/xml"; _ "example.org/fast/http"; _ "house/ground"); var _ = xml.Marshal`,
		"soap/soap_test.go":     `package soap_test; import ("encoding/xml"; _ "math/rand"; _ "house/soap"; _ "house/certs"; _ "house/kit"); var _ = xml.Unmarshal`,
		"sts/sts.go":            `package sts; import (_ "house/certs"; _ "house/soap")`,
		"sts/sts_test.go":       `package sts; import (_ "house/ground/deep"; _ "example.org/rapid")`,
		"wsp/wsp.go":            `package wsp; import _ "house/soap"`,
		"wsp/wsp_test.go":       `package wsp; import _ "house/sts"`,
		"cmd/stsd/main_test.go": `package main; import (_ "house/wsp"; _ "house/soap")`,
		"cmd/stsd/main.go":      `package main; import _ "house/sts"`,
		"kit/kit.go":            `package kit; import (_ "house/sts"; _ "math/rand")`,
		"soap/testdata/x.go":    `not Go at all`,
		".git/x.go":             `not Go at all`,
		"other/go.mod":          "module other",
		"other/x.go":            `package other; import _ "unsafe"`,
		"soap/generate.go":      "//go:build ignore\n\npackage main\nimport _ \"unsafe\"",
		"soap/never_windows.go": "// A comment.\n\n//go:build windows && (ignore || ignore && linux)\n\npackage main\nimport _ \"unsafe\"",
	}
	files := fstest.MapFS{}
	for name, source := range text {
		files[name] = &fstest.MapFile{Data: []byte(source)}
	}
	return files
}

func compare(t *testing.T, wallText string, files fstest.MapFS) []string {
	t.Helper()
	wall, err := ParseWall(wallText)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := Read(files)
	if err != nil {
		t.Fatal(err)
	}
	return Compare(wall, tree)
}

func TestHouseStands(t *testing.T) {
	if findings := compare(t, houseWall, house()); len(findings) > 0 {
		t.Errorf("%s", strings.Join(findings, "\n"))
	}
}

// TestWallFalls makes one breach after another and looks whether it is seen, alone.
func TestWallFalls(t *testing.T) {
	tests := []struct {
		name         string
		file, source string
		old, new     string // in wall.txt
		want         string
	}{
		{name: "an arrow that is not drawn", file: "soap/more.go", source: `package soap; import _ "house/certs"`,
			want: "soap/more.go:1: soap imports certs, and [arrows] has no such arrow"},
		{name: "a ground that looks up", file: "certs/more.go", source: `package certs; import _ "house/soap"`,
			want: "certs imports soap: an arrow upwards"},
		{name: "a ground that looks aside", file: "certs/more.go", source: `package certs; import _ "house/ground"`,
			want: "certs imports ground: packages of one floor never"},
		{name: "an actor that imports an actor", file: "wsp/more.go", source: `package wsp; import _ "house/sts"`,
			want: "wsp imports sts: packages of one floor never"},
		{name: "test code in the program", file: "sts/more.go", source: `package sts; import _ "house/kit"`,
			want: "sts imports kit: made for tests"},
		{name: "behind a build tag", file: "soap/more.go", source: "//go:build openssl && !ignore\n\npackage soap\n\nimport _ \"house/certs\"",
			want: "soap/more.go:5: soap imports certs"},
		{name: "behind the lack of a build tag", file: "soap/more.go", source: "//go:build !windows\n\npackage soap\n\nimport _ \"house/certs\"",
			want: "soap/more.go:5: soap imports certs"},
		{name: "a new package", file: "oidc/oidc.go", source: `package oidc`,
			want: "oidc: stands on no floor"},
		{name: "a test that reaches up", file: "ground/up_test.go", source: `package ground_test; import _ "house/soap"`,
			want: "a test of ground imports soap"},
		{name: "a test that reaches aside", file: "soap/aside_test.go", source: `package soap_test; import _ "house/sts"`,
			want: "a test of soap imports sts"},
		{name: "a second importer of a module", file: "sts/more.go", source: `package sts; import _ "example.org/fast"`,
			want: "sts imports example.org/fast, which [modules] leaves to: soap"},
		{name: "a test module in the program", file: "sts/more.go", source: `package sts; import _ "example.org/rapid"`,
			want: "sts imports example.org/rapid, which [modules] leaves to: tests"},
		{name: "a module in a stranger's test", file: "certs/more_test.go", source: `package certs; import _ "example.org/fast"`,
			want: "certs imports example.org/fast, which [modules] leaves to: soap"},
		{name: "a module that go.mod does not name", file: "sts/more.go", source: `package sts; import _ "example.org/fastest"`,
			want: "example.org/fastest is of no module"},
		{name: "a module that the wall does not know", old: "example.org/fast: soap\n",
			want: "soap imports example.org/fast, and [modules] does not know it"},
		{name: "a lenient XML parser (D2)", file: "sts/more.go", source: `package sts; import "encoding/xml"; var _ = xml.Marshal`,
			want: "sts imports encoding/xml, which [standard] leaves to: soap tests"},
		{name: "reading with what is admitted for writing (D2)", file: "soap/more.go", source: `package soap; import "encoding/xml"; var _ = xml.Unmarshal`,
			want: "soap uses Unmarshal of encoding/xml"},
		{name: "the same under another name", file: "soap/more.go", source: `package soap; import lax "encoding/xml"; var _ = lax.NewDecoder`,
			want: "soap uses NewDecoder of encoding/xml"},
		{name: "the same without a name", file: "soap/more.go", source: `package soap; import . "encoding/xml"; var _ = NewDecoder`,
			want: "soap uses . of encoding/xml"},
		{name: "what nobody may import", file: "sts/more.go", source: `package sts; import _ "unsafe"`,
			want: "sts imports unsafe, which [standard] leaves to:"},
		{name: "predictable random numbers", file: "sts/more.go", source: `package sts; import _ "math/rand"`,
			want: "sts imports math/rand"},
		{name: "an arrow that nothing draws any more", file: "wsp/wsp.go", source: `package wsp`,
			want: "[arrows] wsp: soap is no longer in the sources"},
		{name: "a test arrow that nothing draws any more", file: "wsp/wsp_test.go", source: `package wsp`,
			want: "[test arrows] wsp: sts is no longer in the sources"},
		{name: "a module that nobody uses any more", file: "sts/sts_test.go", source: `package sts`,
			want: "[modules] example.org/rapid: tests is no longer in the sources"},
		{name: "a restriction for nobody", old: "unsafe:\n", new: "unsafe: sts\n",
			want: "[standard] unsafe: sts is no longer in the sources"},
		{name: "a package that is gone", old: "2: sts wsp", new: "2: sts wsp oidc",
			want: "[floors] there is no package oidc"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := houseWall
			if test.old != "" {
				text = strings.Replace(houseWall, test.old, test.new, 1)
			}
			files := maps.Clone(house())
			if test.file != "" {
				files[test.file] = &fstest.MapFile{Data: []byte(test.source)}
			}
			findings := compare(t, text, files)
			if len(findings) != 1 || !strings.Contains(findings[0], test.want) {
				t.Errorf("want one finding %q, got\n%s", test.want, strings.Join(findings, "\n"))
			}
		})
	}
}

// TestWallRefuses: lines that no house can have, all of them said.
func TestWallRefuses(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"an arrow upwards", "[floors]\n0: a\n1: b\n[arrows]\na: b\n", []string{"a: b: an arrow upwards"}},
		{"actors that know each other", "[floors]\n2: a b\n[arrows]\na: b\n", []string{"never import each other"}},
		{"a family of programs", "[floors]\n3: cmd/a cmd/b\n[arrows]\ncmd/a: cmd/b\n", []string{"never import each other"}},
		{"homeless ends", "[floors]\n0: a\n[arrows]\na: x\ny: a\n[test arrows]\na: z\n", []string{"x stands on no floor", "y stands on no floor", "z stands on no floor"}},
		{"program on test code", "[floors]\n0: a\ntests: b\n[arrows]\na: b\n", []string{"made for tests"}},
		{"two floors", "[floors]\n0: a\n1: a\n", []string{"wall.txt:3: a stands on two floors"}},
		{"two lines", "[floors]\n0: a b\n[modules]\nm: a\nm: b\n[standard]\ns: a\ns{X}: b\n", []string{"wall.txt:5: m has two lines", "wall.txt:8: s has two lines"}},
		{"no floor", "[floors]\ncellar: a\n-1: b\n", []string{"cellar", "-1"}},
		{"no section", "a: b\n[roof]\na: b\n", []string{"wall.txt:1: no section", "wall.txt:3: no section [roof]"}},
		{"no colon", "[arrows]\na b\n", []string{"wall.txt:2: no colon"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseWall(test.text)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in %v", want, err)
				}
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	for name, change := range map[string]func(fstest.MapFS){
		"no go.mod":           func(f fstest.MapFS) { delete(f, "go.mod") },
		"go.mod of no module": func(f fstest.MapFS) { f["go.mod"] = &fstest.MapFile{Data: []byte("go 1.26\n")} },
		"a file that is no Go": func(f fstest.MapFS) {
			f["sts/broken.go"] = &fstest.MapFile{Data: []byte("package sts\nimport (")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			files := house()
			change(files)
			if tree, err := Read(files); err == nil || tree != nil {
				t.Errorf("read: %v, %v", tree, err)
			}
		})
	}
}
