package c14n_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"pgregory.net/rapid"

	"sceau/internal/vector"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

func choices(t *rapid.T) vector.Source {
	return func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "") }
}

// sameForm reports whether two documents have one structure: elements, expanded
// names, attributes as a set, and characters, comments apart.
func sameStructure(t testing.TB, a, b xmltext.Node) {
	t.Helper()
	if !bytes.Equal(a.Local(), b.Local()) || !bytes.Equal(a.Namespace(), b.Namespace()) || a.AttributeCount() != b.AttributeCount() {
		t.Fatalf("%s and %s", a.Source(), b.Source())
	}
	for i := range a.AttributeCount() {
		namespace, local, value := a.AttributeAt(i)
		if other, ok := b.Attribute(string(namespace), string(local)); !ok || !bytes.Equal(other, value) {
			t.Fatalf("attribute %s: %q and %q", local, value, other)
		}
	}
	x, y := a.FirstElement(), b.FirstElement()
	if x.IsZero() && y.IsZero() {
		u, _ := a.Value()
		if v, _ := b.Value(); !bytes.Equal(u, v) {
			t.Fatalf("value of %s: %q and %q", a.Local(), u, v)
		}
	}
	for ; !x.IsZero() && !y.IsZero(); x, y = x.NextElement(), y.NextElement() {
		sameStructure(t, x, y)
	}
	if !x.IsZero() || !y.IsZero() {
		t.Fatalf("children of %s differ in number", a.Local())
	}
}

// checkForm: the form parses, is its own form, means the same as the text, and is
// the same when the copying of stretches is defeated.
func checkForm(t testing.TB, text []byte) {
	t.Helper()
	d := parse(t, text)
	defer d.Release()
	form, err := c14n.Append(nil, d.Root(), c14n.Options{})
	if err != nil {
		return // relative namespace names; TestNoForm
	}
	limits := xmltext.DefaultLimits()
	limits.Bytes *= 16
	again, err := xmltext.Parse(form, limits)
	if err != nil {
		t.Fatalf("the form does not parse: %v: %q", err, form)
	}
	defer again.Release()
	sameStructure(t, d.Root(), again.Root())
	twice, err := c14n.Append(nil, again.Root(), c14n.Options{})
	if err != nil || !bytes.Equal(twice, form) {
		t.Fatalf("not idempotent: %v\nonce  %q\ntwice %q", err, form, twice)
	}
	// Every element in turn, against the form of its own form.
	for _, n := range elements(d) {
		part, err := c14n.Append(nil, n, c14n.Options{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := xmltext.Parse(part, limits)
		if err != nil {
			t.Fatalf("%v: %q", err, part)
		}
		sameStructure(t, n, p.Root())
		twice, err := c14n.Append(nil, p.Root(), c14n.Options{})
		p.Release()
		if err != nil || !bytes.Equal(twice, part) {
			t.Fatalf("not idempotent: %v\nonce  %q\ntwice %q", err, part, twice)
		}
	}
}

func TestIdempotence(t *testing.T) {
	for _, text := range corpus(t, 200, vector.Options{}) {
		checkForm(t, text)
	}
	rapid.Check(t, func(t *rapid.T) {
		d, err := xmltext.Parse(vector.Generate(choices(t), vector.Options{}), xmltext.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		defer d.Release()
		form, err := c14n.Append(nil, d.Root(), c14n.Options{})
		if err != nil {
			t.Fatal(err)
		}
		again, err := xmltext.Parse(form, xmltext.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		defer again.Release()
		if twice, err := c14n.Append(nil, again.Root(), c14n.Options{}); err != nil || !bytes.Equal(twice, form) {
			t.Fatalf("%v\n%q\n%q", err, form, twice)
		}
	})
}

// forGoxmldsig leaves out what goxmldsig does not do as the recommendation says:
//   - etree keeps literal tabs and line ends of attribute values, which XML 1.0
//     section 3.3.3 makes spaces (attacks.md D11);
//   - it writes xmlns="" where there was no default namespace to take back;
//   - encoding/xml, below it, knows only the names of the fourth edition;
//   - it sorts xml:lang and its like after attributes of every other namespace;
//   - it sorts attributes by prefix where the prefixes are declared on an ancestor;
//   - it passes over #default in a PrefixList (so the lists here have none).
var forGoxmldsig = vector.Options{NoSpaceInValues: true, FourthEdition: true, NoUndeclared: true, NoXMLAttributes: true, OnePrefixed: true}

// goxmldsig canonicalizes element n of text.
func goxmldsig(text []byte, n int, prefixes string) ([]byte, error) {
	document := etree.NewDocument()
	if err := document.ReadFromBytes(text); err != nil {
		return nil, err
	}
	var apex *etree.Element
	var walk func(e *etree.Element)
	walk = func(e *etree.Element) {
		if n == 0 {
			apex = e
		}
		n--
		for _, c := range e.ChildElements() {
			walk(c)
		}
	}
	walk(document.Root())
	inherit(apex)
	return dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(prefixes).Canonicalize(apex)
}

// inherit declares on e what is in scope there, because goxmldsig looks no further
// than the apex.
func inherit(e *etree.Element) {
	has := map[string]bool{}
	for _, a := range e.Attr {
		if a.Space == "xmlns" || a.Space == "" && a.Key == "xmlns" {
			has[a.FullKey()] = true
		}
	}
	for p := e.Parent(); p != nil; p = p.Parent() {
		for _, a := range p.Attr {
			if (a.Space == "xmlns" || a.Space == "" && a.Key == "xmlns") && !has[a.FullKey()] {
				has[a.FullKey()] = true
				e.CreateAttr(a.FullKey(), a.Value)
			}
		}
	}
}

// TestGoxmldsig: any apex and PrefixList, as goxmldsig writes them.
func TestGoxmldsig(t *testing.T) {
	compared := 0
	compare := func(t rapid.TB, text []byte, n int, prefixes string) {
		t.Helper()
		d, err := xmltext.Parse(text, xmltext.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		defer d.Release()
		got, err := c14n.Append(nil, elements(d)[n], c14n.Options{PrefixList: []byte(prefixes)})
		if err != nil {
			t.Fatal(err)
		}
		want, err := goxmldsig(text, n, prefixes)
		if err != nil {
			t.Fatalf("goxmldsig: %v: %q", err, text)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("element %d, list %q\ntext %q\ngot  %q\nwant %q", n, prefixes, text, got, want)
		}
		compared++
	}
	rapid.Check(t, func(t *rapid.T) {
		choose := choices(t)
		text := vector.Generate(choose, forGoxmldsig)
		d, err := xmltext.Parse(text, xmltext.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		count := len(elements(d))
		d.Release()
		compare(t, text, choose(count), strings.ReplaceAll(prefixLists(choose), "#default", ""))
	})
	for i, text := range vector.Documents(300, forGoxmldsig) {
		choose := vector.Seeded(uint64(i))
		d := parse(t, text)
		count := len(elements(d))
		d.Release()
		for range 3 {
			compare(t, text, choose(count), strings.ReplaceAll(prefixLists(choose), "#default", ""))
		}
	}
	t.Logf("%d subtrees equal to goxmldsig", compared)
}
