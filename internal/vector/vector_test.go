package vector_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"

	"sceau/internal/vector"
)

const sample = `expect: refused
attack: W1
now: 2026-11-21T20:00:00Z
comment: what it would have done: everything
covers: body

-- message.xml --
<a>
-- b --
</a>
`

func TestParse(t *testing.T) {
	v, err := vector.Parse([]byte(sample), "covers")
	if err != nil {
		t.Fatal(err)
	}
	if v.Expect != "refused" || v.Attack != "W1" || v.Comment != "what it would have done: everything" || v.Header["covers"] != "body" || v.Now.Unix() != 1795291200 {
		t.Errorf("%+v", v)
	}
	if string(v.Message()) != "<a>\n" {
		t.Errorf("%q", v.Message())
	}
	if b, ok := v.File("b"); !ok || string(b) != "</a>\n" {
		t.Errorf("%q", b)
	}
	if _, ok := v.File("c"); ok {
		t.Error("a file that is not there")
	}
	escaped, err := vector.Parse([]byte("expect: ok\ncomment: x\nescaped: yes\n\n-- m --\n\\xff\\x00<a>\\t\\u00e9\n\\\\\n\"'\n"))
	if err != nil || string(escaped.Message()) != "\xff\x00<a>\té\\\"'" {
		t.Errorf("%v %q", err, escaped.Files)
	}
	bare, err := vector.Parse([]byte("expect: ok\ncomment: x\n\n-- m --\n"))
	if err != nil || len(bare.Message()) != 0 || !bare.Now.IsZero() {
		t.Errorf("%v %q", err, bare.Files)
	}
	unended, err := vector.Parse([]byte("expect: ok\ncomment: x\n\n-- m --\nabc"))
	if err != nil || string(unended.Message()) != "abc" {
		t.Errorf("%v %q", err, unended.Files)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":             "",
		"no end of header":    "expect: ok\ncomment: x\n-- m --\n",
		"unknown key":         "expect: ok\ncomment: x\nexpcet: no\n\n-- m --\n",
		"caller's key":        strings.Replace(sample, "covers", "Covers", 1),
		"key again":           "expect: ok\nexpect: no\ncomment: x\n\n-- m --\n",
		"no value":            "expect: \ncomment: x\n\n-- m --\n",
		"no colon":            "expect ok\ncomment: x\n\n-- m --\n",
		"no expect":           "comment: x\n\n-- m --\n",
		"no comment":          "expect: ok\n\n-- m --\n",
		"bad clock":           "expect: ok\ncomment: x\nnow: yesterday\n\n-- m --\n",
		"no file":             "expect: ok\ncomment: x\n\n",
		"content in front":    "expect: ok\ncomment: x\n\nabc\n-- m --\n",
		"file again":          "expect: ok\ncomment: x\n\n-- m --\n-- m --\n",
		"escaped: no":         "expect: ok\ncomment: x\nescaped: no\n\n-- m --\n",
		"escape that is none": "expect: ok\ncomment: x\nescaped: yes\n\n-- m --\n\\q\n",
		"space around":        "expect:  ok\ncomment: x\n\n-- m --\n",
	} {
		if v, err := vector.Parse([]byte(text), "covers"); err == nil {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestRead(t *testing.T) {
	fsys := fstest.MapFS{
		"kit/b.txtar":     {Data: []byte("expect: ok\ncomment: x\n\n-- m --\n")},
		"kit/a/1.txtar":   {Data: []byte("expect: ok\ncomment: x\n\n-- m --\n")},
		"stray/readme.md": {Data: []byte("x")},
		"wrong/a.txtar":   {Data: []byte("x")},
		"empty/sub":       {Mode: 0o755 | 1<<31},
	}
	all, err := vector.Read(fsys, "kit")
	if err != nil || len(all) != 2 || all[0].Name != "a/1" || all[1].Name != "b" {
		t.Errorf("%v %+v", err, all)
	}
	for _, folder := range []string{"stray", "wrong", "empty", "none"} {
		if all, err := vector.Read(fsys, folder); err == nil || all != nil {
			t.Errorf("%s: %v", folder, all)
		}
	}
}

// The corpus is part of what tests promise in numbers: the same at every call, all
// different, and with everything in it that the options leave out.
func TestDocuments(t *testing.T) {
	one, two := vector.Documents(300, vector.Options{}), vector.Documents(300, vector.Options{})
	seen := map[string]bool{}
	for i := range one {
		if !bytes.Equal(one[i], two[i]) {
			t.Fatalf("document %d differs between two calls", i)
		}
		seen[string(one[i])] = true
	}
	if len(seen) < 295 {
		t.Errorf("only %d different documents", len(seen))
	}
	all := bytes.Join(one, nil)
	none := bytes.Join(vector.Documents(300, vector.Options{NoComments: true, NoCarriageReturn: true, NoXMLAttributes: true, NoProlog: true,
		FourthEdition: true, NoUndeclared: true, NoEscapedNamespace: true}), nil)
	for _, feature := range []string{"<!--", "xml:lang", "<?xml", "\uFEFF<", "\U00010000", `xmlns=""`, "x=1&amp;y=2", "\r"} {
		if !bytes.Contains(all, []byte(feature)) {
			t.Errorf("no %q in the corpus", feature)
		}
		if feature != "\r" && bytes.Contains(none, []byte(feature)) {
			t.Errorf("%q although it is left out", feature)
		}
	}
	if got := vector.Generate(vector.FromBytes(nil), vector.Options{}); len(got) == 0 {
		t.Error("no choices, no document")
	}
}
