package task

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/xmlsec/xmltext"
)

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestWrite: all messages are well-formed, so that what refuses them is what they were made for, and
// none is in canonical form.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, "p256", time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"request", "refuse/body", "refuse/timestamp", "refuse/request", "refuse/eid-stranger", "refuse/holder-stranger", "refuse/stale"} {
		text := read(t, dir, name+".xml")
		document, err := xmltext.Parse(text, xmltext.DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		document.Release()
		if !bytes.Contains(text, []byte(`"/></ds:Transforms>`)) {
			t.Errorf("%s: in canonical form", name)
		}
	}
}

func TestWriteUnknownSet(t *testing.T) {
	if err := Write(t.TempDir(), "dsa", time.Now()); err == nil || !strings.Contains(err.Error(), "mixed, p256, rsa") {
		t.Errorf("%v", err)
	}
}

func TestFlip(t *testing.T) {
	text := []byte("one two two")
	changed, err := flip("two")(text)
	if err != nil || string(changed) != "one twn two" || string(text) != "one two two" {
		t.Errorf("%q of %q, %v", changed, text, err)
	}
	if _, err := flip("three")(text); err == nil {
		t.Error("no error where there is nothing to change")
	}
}

// TestEmptyElement: only elements without content become one tag.
func TestEmptyElement(t *testing.T) {
	const text = `<a><b c="http://d/e"></b><f>g</f><h></h></a>`
	const want = `<a><b c="http://d/e"/><f>g</f><h/></a>`
	if got := emptyElement.ReplaceAllString(text, "<$1/>"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
