package xmltext_test

import (
	"bytes"
	"testing"

	"sceau/xmlsec/xmltext"
)

const tree = `<r xmlns="u:d" xmlns:p="u:p" xmlns:q="u:q" a="1" p:a="2" q:a="3">
  <b><c/></b><!-- between --><p:b Id="second">text<c xmlns=""/></p:b>
  <d><![CDATA[ ]]>&#32;<!-- only space --></d>
</r>`

func TestNodes(t *testing.T) {
	d := parse(t, tree)
	defer d.Release()
	r := d.Root()
	b := r.FirstElement()
	pb := b.NextElement()
	dd := pb.NextElement()
	c := b.FirstElement()
	c2 := pb.FirstElement()
	names := func(n xmltext.Node) string { return string(n.Namespace()) + "}" + string(n.Local()) }
	for _, want := range []struct {
		n    xmltext.Node
		name string
	}{{r, "u:d}r"}, {b, "u:d}b"}, {c, "u:d}c"}, {pb, "u:p}b"}, {c2, "}c"}, {dd, "u:d}d"}} {
		if got := names(want.n); got != want.name {
			t.Errorf("%s, want %s", got, want.name)
		}
		if want.n.IsZero() || want.n.Document() != d {
			t.Errorf("%s is zero or of no document", want.name)
		}
	}
	if !r.Is("u:d", "r") || r.Is("", "r") || r.Is("u:d", "R") || r.Is("u:d", "rr") || !c2.Is("", "c") || c2.Is("u:d", "c") {
		t.Error("Is")
	}
	if !dd.NextElement().IsZero() || !r.NextElement().IsZero() || !c.FirstElement().IsZero() || !r.Parent().IsZero() {
		t.Error("an element where there is none")
	}
	if c.Parent() != b || b.Parent() != r || c2.Parent() != pb {
		t.Error("Parent")
	}
	for _, want := range []struct{ namespace, local, value string }{{"", "a", "1"}, {"u:p", "a", "2"}, {"u:q", "a", "3"}} {
		if v, ok := r.Attribute(want.namespace, want.local); !ok || string(v) != want.value {
			t.Errorf("%v: %q", want, v)
		}
	}
	if _, ok := r.Attribute("u:d", "a"); ok {
		t.Error("an unprefixed attribute is in no namespace")
	}
	if _, ok := r.Attribute("", "xmlns"); ok || r.AttributeCount() != 3 {
		t.Error("a declaration is no attribute")
	}
	if namespace, local, value := r.AttributeAt(1); string(namespace) != "u:p" || string(local) != "a" || string(value) != "2" {
		t.Error("AttributeAt")
	}

	if v, ok := b.Value(); ok || v != nil {
		t.Errorf("the value of an element with a child is %q", v)
	}
	if v, ok := pb.Value(); ok || v != nil {
		t.Errorf("the value of mixed content is %q", v)
	}
	if v, ok := c.Value(); !ok || len(v) != 0 {
		t.Errorf("the value of nothing is %q, %v", v, ok)
	}
	if !r.OnlyElements() || pb.OnlyElements() || !dd.OnlyElements() || !c.OnlyElements() {
		t.Error("OnlyElements")
	}
	if !r.HasComment() || b.HasComment() || pb.HasComment() || !dd.HasComment() {
		t.Error("HasComment")
	}
	if got := string(pb.Source()); got != `<p:b Id="second">text<c xmlns=""/></p:b>` {
		t.Errorf("Source %s", got)
	}
	if got := string(c.Source()); got != `<c/>` {
		t.Errorf("Source %s", got)
	}
	if s := c.Source(); cap(s) != len(s) {
		t.Error("appending to a Source would write into the text")
	}
	if n, ok := d.ElementByID([]byte("second")); !ok || n != pb {
		t.Error("ElementByID")
	}
	for _, none := range []string{"", "Second", "second ", "secon", "1"} {
		if _, ok := d.ElementByID([]byte(none)); ok {
			t.Errorf("an element with the identifier %q", none)
		}
	}

	for _, want := range []struct {
		n      xmltext.Node
		prefix string
		name   string
		ok     bool
	}{
		{c2, "", "", true}, {c, "", "u:d", true}, {c, "p", "u:p", true}, {c, "x", "", false},
		{c, "xml", xmltext.NamespaceXML, true}, {c, "xmlns", "", false}, {r, "q", "u:q", true},
	} {
		if name, ok := want.n.NamespaceOf([]byte(want.prefix)); ok != want.ok || string(name) != want.name {
			t.Errorf("prefix %q at %s: %q, %v", want.prefix, want.n.Local(), name, ok)
		}
	}
	bare := parse(t, "<a/>")
	defer bare.Release()
	if name, ok := bare.Root().NamespaceOf(nil); !ok || len(name) != 0 {
		t.Error("the default namespace of nothing declared")
	}
}

// TestIdentity: nodes are equal when they are the same element, not when they look
// the same.
func TestIdentity(t *testing.T) {
	text := `<r><a/><a/></r>`
	d, e := parse(t, text), parse(t, text)
	defer d.Release()
	defer e.Release()
	if root, first := d.Root(), d.Root().FirstElement(); root != d.Root() || first != d.Root().FirstElement() {
		t.Error("one element, two nodes")
	}
	if d.Root().FirstElement() == d.Root().FirstElement().NextElement() {
		t.Error("two elements, one node")
	}
	if d.Root() == e.Root() || d.Root().Contains(e.Root()) || d.Root().Contains(e.Root().FirstElement()) {
		t.Error("two documents, one node")
	}
	r, a := d.Root(), d.Root().FirstElement()
	b := a.NextElement()
	if !r.Contains(r) || !r.Contains(a) || !r.Contains(b) || a.Contains(r) || a.Contains(b) || b.Contains(a) {
		t.Error("Contains")
	}
}

// TestZeroNode: the zero Node is no element and answers with nothing.
func TestZeroNode(t *testing.T) {
	var z xmltext.Node
	d := parse(t, "<a/>")
	defer d.Release()
	value, valued := z.Value()
	_, has := z.Attribute("", "a")
	_, bound := z.NamespaceOf(nil)
	if !z.IsZero() || z.Is("", "") || z.Local() != nil || z.Namespace() != nil || z.Source() != nil || value != nil || valued || has || bound ||
		z.AttributeCount() != 0 || z.OnlyElements() || z.HasComment() || z.Contains(z) || z.Contains(d.Root()) || d.Root().Contains(z) ||
		z.Document() != nil || !z.Parent().IsZero() || !z.FirstElement().IsZero() || !z.NextElement().IsZero() || z == d.Root() {
		t.Error("the zero Node answers")
	}
	var none *xmltext.Document
	none.Release()
}

// checkSpans fails when the tokens of d do not nest or do not stand where they say.
func checkSpans(t testing.TB, d *xmltext.Document) {
	t.Helper()
	text, tokens := d.Text(), d.Tokens()
	var walk func(i int32, parent int32, from, to int32) int32
	walk = func(i, parent, from, to int32) int32 {
		k := &tokens[i]
		if k.Parent != parent || k.Start < from || k.Start > k.Open || k.Open > k.Close || k.Close > k.End || k.End > to || k.Next <= i || int(k.Next) > len(tokens) {
			t.Fatalf("token %d: %+v within [%d, %d) of parent %d", i, *k, from, to, parent)
		}
		source := text[k.Start:k.End]
		switch k.Kind {
		case xmltext.Element:
			if source[0] != '<' || source[len(source)-1] != '>' || k.Local <= k.Start || k.Local+int32(k.LocalLen) > k.Open ||
				text[k.Open-1] != '>' || (!k.SelfClosed() && !bytes.HasPrefix(text[k.Close:], []byte("</"))) {
				t.Fatalf("element %d: %q", i, source)
			}
		case xmltext.Text:
			if len(source) == 0 || bytes.IndexByte(source, '<') >= 0 {
				t.Fatalf("text %d: %q", i, source)
			}
		case xmltext.CDATA:
			if !bytes.HasPrefix(source, []byte("<![CDATA[")) || !bytes.HasSuffix(source, []byte("]]>")) {
				t.Fatalf("CDATA %d: %q", i, source)
			}
		case xmltext.Comment:
			if !bytes.HasPrefix(source, []byte("<!--")) || !bytes.HasSuffix(source, []byte("-->")) {
				t.Fatalf("comment %d: %q", i, source)
			}
		default:
			t.Fatalf("kind %d", k.Kind)
		}
		if k.Kind != xmltext.Element && k.Next != i+1 {
			t.Fatalf("token %d holds others", i)
		}
		at := k.Open
		for c := i + 1; c < k.Next; {
			// Nothing stands between the children: every byte is part of one.
			if tokens[c].Start != at {
				t.Fatalf("token %d starts at %d, not %d", c, tokens[c].Start, at)
			}
			at = tokens[c].End
			c = walk(c, i, k.Open, k.Close)
		}
		if at != k.Close {
			t.Fatalf("the content of %d ends at %d, not %d", i, at, k.Close)
		}
		return k.Next
	}
	if next := walk(0, -1, 0, int32(len(text))); int(next) != len(tokens) {
		t.Fatalf("%d tokens, the root holds %d", len(tokens), next)
	}
}

func TestSpans(t *testing.T) {
	d := parse(t, tree)
	checkSpans(t, d)
	d.Release()
	for _, c := range accepted {
		d := parse(t, c.text)
		checkSpans(t, d)
		d.Release()
	}
}

// TestReuse: what a document held shows in none that is parsed into its memory.
func TestReuse(t *testing.T) {
	texts := []string{`<r>` + manyIDs(50) + `</r>`, `<p:a xmlns:p="u:u" p:x="&#65;"/>`, `<a Id="i0"/>`, tree}
	for range 3 {
		for _, text := range texts {
			d := parse(t, text)
			if _, ok := d.ElementByID([]byte("i49")); ok != (text == texts[0]) {
				t.Fatalf("i49 in %q: %v", text, ok)
			}
			d.Release()
			d.Release() // twice does nothing
			refused(t, `<r><a Id="i1"/><b Id="i2"/><p:c/></r>`, xmltext.DefaultLimits())
		}
	}
}

func TestIsNCName(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "_": true, "a-b.c1": true, "é": true, "\U00010000": true, "a·": true, "id-00000000-0000": true,
		"": false, "1a": false, "-a": false, ".": false, "a:b": false, ":": false, "a b": false, "a\xff": false, "\xc3": false,
		"·a": false, "a\u00D7": false, "a\x00": false, "#a": false, "a%20": false, "\u037E": false, "a\uFFFE": false,
	} {
		if got := xmltext.IsNCName([]byte(name)); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
