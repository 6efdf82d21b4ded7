package xmltext_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"sceau/internal/vector"
	"sceau/xmlsec/xmltext"
)

// FuzzParse: on error nothing but the error comes back; what is read has spans that
// nest and leave no byte out, and encoding/xml, which admits far more, reads the
// same elements, attributes and characters in it.
func FuzzParse(f *testing.F) {
	for _, c := range accepted {
		f.Add([]byte(c.text))
	}
	for _, c := range refusals {
		text, _ := unmark(c.text)
		f.Add([]byte(text))
	}
	for _, text := range vector.Documents(20, vector.Options{}) {
		f.Add(text)
	}
	f.Add(message())
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		d, err := xmltext.Parse(text, xmltext.DefaultLimits())
		if !bytes.Equal(before, text) {
			t.Fatal("the text was written to")
		}
		if err != nil {
			var e *xmltext.SyntaxError
			if d != nil || !errors.As(err, &e) || e.Reason == 0 || e.Offset < 0 || e.Offset > len(text) {
				t.Fatalf("document %v with error %v", d != nil, err)
			}
			return
		}
		defer d.Release()
		checkSpans(t, d)
		checkNodes(t, d.Root())
		compareStandard(t, d)

		// What stands alone reads alone: the root without what is around it.
		again, err := xmltext.Parse(d.Root().Source(), xmltext.DefaultLimits())
		if err != nil || len(again.Tokens()) != len(d.Tokens()) {
			t.Fatalf("the root alone: %v", err)
		}
		again.Release()
	})
}

// checkNodes walks the node API and compares it with itself.
func checkNodes(t testing.TB, n xmltext.Node) {
	t.Helper()
	if !xmltext.IsNCName(n.Local()) || !n.Is(string(n.Namespace()), string(n.Local())) || !n.Contains(n) {
		t.Fatalf("element %q", n.Local())
	}
	for i := range n.AttributeCount() {
		namespace, local, value := n.AttributeAt(i)
		if got, ok := n.Attribute(string(namespace), string(local)); !ok || !bytes.Equal(got, value) || !xmltext.IsNCName(local) {
			t.Fatalf("attribute {%s}%s: %q and %q", namespace, local, got, value)
		}
		if id := string(local); len(namespace) == 0 && (id == "Id" || id == "ID" || id == "AssertionID" || id == "RequestID" || id == "ResponseID") && len(value) > 0 {
			if bearer, ok := n.Document().ElementByID(value); !ok || bearer != n {
				t.Fatalf("identifier %q is borne by another element", value)
			}
		}
	}
	value, simple := n.Value()
	if (simple && !n.FirstElement().IsZero()) || (!simple && value != nil) {
		t.Fatalf("value %q beside child elements", value)
	}
	for c := n.FirstElement(); !c.IsZero(); c = c.NextElement() {
		if c.Parent() != n || !n.Contains(c) || c.Contains(n) {
			t.Fatal("a child that is none")
		}
		checkNodes(t, c)
	}
}

// compareStandard reads the same text by encoding/xml.
func compareStandard(t testing.TB, d *xmltext.Document) {
	t.Helper()
	text := d.Text()
	for _, b := range text {
		if b >= 0x80 {
			return // encoding/xml knows the names of the fourth edition only
		}
	}
	var all []xmltext.Node
	var gather func(n xmltext.Node)
	gather = func(n xmltext.Node) {
		all = append(all, n)
		for c := n.FirstElement(); !c.IsZero(); c = c.NextElement() {
			gather(c)
		}
	}
	gather(d.Root())
	decoder := xml.NewDecoder(bytes.NewReader(text))
	var open []int
	values := map[int][]byte{}
	next := 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("encoding/xml: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if next == len(all) {
				t.Fatal("encoding/xml reads more elements")
			}
			n := all[next]
			if token.Name.Local != string(n.Local()) || spaces(token.Name.Space) != spaces(string(n.Namespace())) {
				t.Fatalf("encoding/xml reads %v, we {%s}%s", token.Name, n.Namespace(), n.Local())
			}
			compareAttributes(t, n, token.Attr)
			open = append(open, next)
			next++
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				k := open[len(open)-1]
				values[k] = append(values[k], token...)
			}
		}
	}
	if next != len(all) {
		t.Fatalf("encoding/xml reads %d elements, we %d", next, len(all))
	}
	for i, n := range all {
		if value, ok := n.Value(); ok && !bytes.Equal(value, values[i]) {
			t.Fatalf("value of %s: %q, encoding/xml reads %q", n.Local(), value, values[i])
		}
	}
}

// spaces makes all white space blanks: encoding/xml does not normalize it in values,
// so a referred line end cannot be told from a literal one there.
func spaces(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' {
			return ' '
		}
		return r
	}, s)
}

func compareAttributes(t testing.TB, n xmltext.Node, attributes []xml.Attr) {
	t.Helper()
	count := 0
	for _, a := range attributes {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		count++
		space := a.Name.Space
		if space == "xml" {
			space = xmltext.NamespaceXML
		}
		found := false
		for i := range n.AttributeCount() {
			namespace, local, value := n.AttributeAt(i)
			if string(local) == a.Name.Local && spaces(string(namespace)) == spaces(space) {
				found = found || spaces(string(value)) == spaces(a.Value)
			}
		}
		if !found {
			t.Fatalf("attribute %v: encoding/xml reads %q", a.Name, a.Value)
		}
	}
	if count != n.AttributeCount() {
		t.Fatalf("%d attributes, encoding/xml reads %d", n.AttributeCount(), count)
	}
}
