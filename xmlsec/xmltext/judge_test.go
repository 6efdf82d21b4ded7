package xmltext_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sceau/internal/judge"
	"sceau/internal/vector"
	"sceau/xmlsec/xmltext"
)

// stricter holds the reasons for which we refuse what xmllint reads, and why.
var stricter = map[xmltext.Reason]string{
	xmltext.DoctypeRefused:     "no DTD is ever read",
	xmltext.InstructionRefused: "no processing instruction is ever read",
	xmltext.UnknownEntity:      "of a DTD that is not read",
	xmltext.DuplicateID:        "without a DTD xmllint knows only xml:id",
	xmltext.WrongEncoding:      "xmllint reads many encodings",
	xmltext.BadDeclaration:     "xmllint reads version 1.1 and warns",
	xmltext.TooLarge:           "a limit", xmltext.TooDeep: "a limit", xmltext.TooManyNodes: "a limit",
	xmltext.TooManyAttributes: "a limit", xmltext.TooManyNamespaces: "a limit", xmltext.NameTooLong: "a limit",
}

// invalidURI is xmllint's complaint about a namespace name that RFC 3986 does not
// admit. Namespaces in XML section 2.2 makes no constraint of that; a relative name
// is refused where a canonical form is wanted.
const invalidURI = "is not a valid URI"

// blind are texts that xmllint reads although they are not well-formed.
var blind = map[string]string{
	"<a/>\x00": "it stops at a zero byte behind a tag",
	`<a xmlns:xml="http://www.w3.org/XML/1998/namespace" xmlns:xml="http://www.w3.org/XML/1998/namespace"/>`: "it passes over declarations of xml before it looks for a second",
}

// agree compares our verdicts with xmllint's: it never refuses what we read.
func agree(t *testing.T, documents [][]byte) {
	t.Helper()
	answers := judge.WellFormed(t, documents)
	both, neither, ours := 0, 0, map[string]int{}
	for i, text := range documents {
		d, err := xmltext.Parse(text, xmltext.DefaultLimits())
		if err == nil {
			d.Release()
		}
		theirs := ""
		for _, complaint := range answers[i] {
			if !strings.Contains(complaint, invalidURI) {
				theirs = complaint
				break
			}
		}
		if _, ok := blind[string(text)]; ok || bytes.IndexByte(text, 0) >= 0 && bytes.HasSuffix(bytes.TrimRight(text[:bytes.IndexByte(text, 0)], " \t\r\n"), []byte(">")) {
			theirs = "blind"
		}
		switch {
		case err == nil && theirs == "":
			both++
		case err == nil:
			t.Errorf("read, but xmllint says %q: %.400q", theirs, text)
		case theirs != "":
			neither++
		default:
			reason := err.(*xmltext.SyntaxError).Reason
			if stricter[reason] == "" {
				t.Errorf("xmllint reads it, we say %v: %.400q", err, text)
			}
			ours[reason.String()]++
		}
	}
	t.Logf("%d documents: %d read by both, %d refused by both, refused by us alone: %v", len(documents), both, neither, ours)
}

func TestXMLLintTables(t *testing.T) {
	var documents [][]byte
	for _, c := range accepted {
		documents = append(documents, []byte(c.text))
	}
	for _, c := range refusals {
		text, _ := unmark(c.text)
		documents = append(documents, []byte(text))
	}
	agree(t, documents)
}

// alter changes text in one or two places, as a stranger might.
func alter(choose vector.Source, text []byte) []byte {
	text = append([]byte(nil), text...)
	fragments := []string{"<", ">", "&", "\"", "'", "/", "=", ":", " ", "xmlns:a=\"urn:a\" ", "<b>", "</b>", "<!-- ", "-->", "]]>", "<![CDATA[",
		"&#x0;", "&#x1F;", "&lt", "\x00", "\xFF", "\x80", "\uFFFE", "a:", "xmlns=\"\"", " Id=\"i\"", "--", "?>", "<?x?>", "\r"}
	for range 1 + choose(2) {
		at := choose(len(text))
		switch choose(4) {
		case 0:
			text[at] ^= 1 << choose(8)
		case 1:
			end := min(len(text), at+1+choose(6))
			text = append(text[:at], text[end:]...)
		case 2:
			f := fragments[choose(len(fragments))]
			text = append(text[:at], append([]byte(f), text[at:]...)...)
		case 3:
			end := min(len(text), at+1+choose(30))
			text = append(text[:end], append(append([]byte(nil), text[at:end]...), text[end:]...)...)
		}
		if len(text) == 0 {
			return []byte("<")
		}
	}
	return text
}

func TestXMLLintGenerated(t *testing.T) {
	documents := vector.Documents(200, vector.Options{})
	for i := range 2000 {
		choose := vector.Seeded(uint64(i) + 1<<40)
		documents = append(documents, alter(choose, vector.Generate(choose, vector.Options{})))
	}
	agree(t, documents)
}

// sharedFiles returns every file below the folder whose name passes.
func sharedFiles(t testing.TB, keep func(name string) bool, parts ...string) (names []string, texts [][]byte) {
	t.Helper()
	root := judge.Shared(t, parts...)
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !keep(name) {
			return err
		}
		text, err := os.ReadFile(name)
		names, texts = append(names, strings.TrimPrefix(name, root+"/")), append(texts, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Fatalf("no files below %v", parts)
	}
	return names, texts
}

func TestXMLLintShared(t *testing.T) {
	isXML := func(name string) bool {
		switch filepath.Ext(name) {
		case ".xml", ".xsd", ".res", ".tmpl":
			return true
		}
		return false
	}
	_, documents := sharedFiles(t, isXML)
	agree(t, documents)
}

// TestVectorsRoundtrip: the inputs of CVE-2020-29509 to 29511, on which encoding/xml
// reads one thing and writes another. All are refused but those named, which are
// well-formed and mean one thing.
func TestVectorsRoundtrip(t *testing.T) {
	names, texts := sharedFiles(t, func(name string) bool { return strings.HasSuffix(name, ".xml") }, "vectors", "xml-roundtrip-validator")
	read := map[string]string{
		`<Root/>`:                                         "",
		`<Root xmlns="x"/>`:                               "relative namespace name: no canonical form",
		`<Root xmlns="http://example.com/"/>`:             "",
		`<Root></Root>`:                                   "",
		`<Root>text &quot;hello&quot;</Root>`:             "",
		`<Root><![CDATA[text "hello"]]></Root>`:           "",
		`<!-- comment --><Root/>`:                         "",
		`<x:Root xmlns:x="http://example.com/"></x:Root>`: "",
		`<x:Root xmlns:x="http://example.com/"><Element xmlns:x="http://example.com/"/></x:Root>`: "",
	}
	refusedCount, readCount := 0, 0
	for i, text := range texts {
		d, err := xmltext.Parse(text, xmltext.DefaultLimits())
		if err == nil {
			d.Release()
		}
		_, harmless := read[strings.TrimSpace(string(text))]
		if strings.Contains(names[i], "responseXML") {
			harmless = true // a whole SAML response
		}
		switch {
		case harmless && err != nil:
			t.Errorf("%s: %v: %q", names[i], err, text)
		case !harmless && err == nil:
			t.Errorf("%s was read: %q", names[i], text)
		case err != nil:
			refusedCount++
		default:
			readCount++
		}
	}
	t.Logf("%d vectors: %d refused, %d harmless", len(texts), refusedCount, readCount)
}

// TestVectorsBombs: entity bombs and external entities are refused at the DTD.
func TestVectorsBombs(t *testing.T) {
	names, texts := sharedFiles(t, func(string) bool { return true }, "vectors", "signxml", "test", "defusedxml-test-data")
	for i, text := range texts {
		d, err := xmltext.Parse(text, xmltext.DefaultLimits())
		if err == nil {
			d.Release()
		}
		switch names[i] {
		case "simple.xml":
			if err != nil {
				t.Errorf("%s: %v", names[i], err)
			}
		case "simple-ns.xml":
			if e, ok := err.(*xmltext.SyntaxError); !ok || e.Reason != xmltext.InstructionRefused {
				t.Errorf("%s: %v", names[i], err)
			}
		default:
			if e, ok := err.(*xmltext.SyntaxError); !ok || e.Reason != xmltext.DoctypeRefused {
				t.Errorf("%s: %v", names[i], err)
			}
		}
	}
	t.Logf("%d files", len(texts))
	recursive, err := os.ReadFile(judge.Shared(t, "vectors", "wss4j", "ws-security-stax", "src", "test", "resources", "testdata", "recursiveDTD.txt"))
	if err != nil {
		t.Skip("no recursiveDTD.txt")
	}
	if e := refused(t, string(recursive), xmltext.DefaultLimits()); e.Reason != xmltext.DoctypeRefused {
		t.Error(e)
	}
}
