package c14n_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

func parse(t testing.TB, text []byte) *xmltext.Document {
	t.Helper()
	d, err := xmltext.Parse(text, xmltext.DefaultLimits())
	if err != nil {
		t.Fatalf("%v: %.200q", err, text)
	}
	return d
}

// elements returns every element in document order.
func elements(d *xmltext.Document) []xmltext.Node {
	var all []xmltext.Node
	var walk func(n xmltext.Node)
	walk = func(n xmltext.Node) {
		all = append(all, n)
		for c := n.FirstElement(); !c.IsZero(); c = c.NextElement() {
			walk(c)
		}
	}
	walk(d.Root())
	return all
}

// find returns the first element with this local name.
func find(t testing.TB, d *xmltext.Document, local string) xmltext.Node {
	t.Helper()
	for _, n := range elements(d) {
		if string(n.Local()) == local {
			return n
		}
	}
	t.Fatalf("no element %s", local)
	return xmltext.Node{}
}

// TestAppend is the recommendation, case by case. The apex is the element "apex"
// where there is one, the root otherwise; "omit" is left out.
func TestAppend(t *testing.T) {
	cases := []struct{ name, text, prefixes, want string }{
		{"empty element", `<a/>`, ``, `<a></a>`},
		{"space in tags", "<a \n ><b\t/></a \r\n>", ``, `<a><b></b></a>`},
		{"declaration and comments around", "\uFEFF<?xml version='1.0'?><!--x-->\n<a/>\n<!--y-->\n", ``, `<a></a>`},
		{"comments inside", `<a>1<!--x-->2<b/><!--y--></a>`, ``, `<a>12<b></b></a>`},
		{"text escapes", `<a>&lt;&gt;&amp;&quot;&apos;"'&#13;&#10;&#9;></a>`, ``, "<a>&lt;&gt;&amp;\"'\"'&#xD;\n\t&gt;</a>"},
		{"value escapes", `<a b="&lt;&gt;&amp;&quot;&apos;'&#13;&#10;&#9;>"/>`, ``, `<a b="&lt;>&amp;&quot;''&#xD;&#xA;&#x9;>"></a>`},
		{"value white space", "<a b='\t\n\r\n\r \"'/>", ``, `<a b="     &quot;"></a>`},
		{"line ends", "<a>1\r\n2\r3\n4\r\r\n5</a>", ``, "<a>1\n2\n3\n4\n\n5</a>"},
		{"CDATA", "<a>1<![CDATA[<&>\"'\r\n]]>2<![CDATA[]]></a>", ``, "<a>1&lt;&amp;&gt;\"'\n2</a>"},
		{"numbers beyond the plane", `<a b="&#x1F600;">&#128512;é</a>`, ``, "<a b=\"\U0001F600\">\U0001F600é</a>"},
		{"attribute order", `<a z="1" b:a="2" a="3" c:a="4" c:b="5" xml:lang="6" xmlns:b="urn:z" xmlns:c="urn:a"/>`, ``,
			`<a xmlns:b="urn:z" xmlns:c="urn:a" a="3" z="1" xml:lang="6" c:a="4" c:b="5" b:a="2"></a>`},
		{"namespace order by prefix", `<a b:x="" a:x="" xmlns="urn:d" xmlns:b="urn:1" xmlns:a="urn:2"/>`, ``,
			`<a xmlns="urn:d" xmlns:a="urn:2" xmlns:b="urn:1" b:x="" a:x=""></a>`},
		{"namespace value escapes", `<a xmlns="urn:&amp;&lt;&quot;'&#9;&#10;&#13;"/>`, ``, `<a xmlns="urn:&amp;&lt;&quot;'&#x9;&#xA;&#xD;"></a>`},
		{"unused declaration", `<a xmlns:p="urn:p"><b xmlns:q="urn:q"/></a>`, ``, `<a><b></b></a>`},
		{"declared where used", `<a xmlns:p="urn:p"><p:b><p:c/></p:b><p:d/></a>`, ``,
			`<a><p:b xmlns:p="urn:p"><p:c></p:c></p:b><p:d xmlns:p="urn:p"></p:d></a>`},
		{"used by an attribute", `<a xmlns:p="urn:p"><b p:x=""/></a>`, ``, `<a><b xmlns:p="urn:p" p:x=""></b></a>`},
		{"not used by a value", `<a xmlns:p="urn:p" x="p:y">p:z</a>`, ``, `<a x="p:y">p:z</a>`},
		{"redundant declaration", `<p:a xmlns:p="urn:p"><p:b xmlns:p="urn:p"/></p:a>`, ``, `<p:a xmlns:p="urn:p"><p:b></p:b></p:a>`},
		{"shadowed", `<p:a xmlns:p="urn:1"><p:b xmlns:p="urn:2"><p:c xmlns:p="urn:1"/></p:b><p:d/></p:a>`, ``,
			`<p:a xmlns:p="urn:1"><p:b xmlns:p="urn:2"><p:c xmlns:p="urn:1"></p:c></p:b><p:d></p:d></p:a>`},
		{"default undeclared", `<a xmlns="urn:d"><b xmlns=""><c xmlns="urn:d"/></b></a>`, ``,
			`<a xmlns="urn:d"><b xmlns=""><c xmlns="urn:d"></c></b></a>`},
		{"default undeclared, not used there", `<a xmlns="urn:d"><p:b xmlns="" xmlns:p="urn:p"><c/></p:b></a>`, ``,
			`<a xmlns="urn:d"><p:b xmlns:p="urn:p"><c xmlns=""></c></p:b></a>`},
		{"default undeclared at the apex", `<a xmlns="urn:d"><apex xmlns=""/></a>`, ``, `<apex></apex>`},
		{"default not declared", `<a xmlns=""><b xmlns=""/></a>`, ``, `<a><b></b></a>`},
		{"default inherited", `<a xmlns="urn:d"><apex><b/></apex></a>`, ``, `<apex xmlns="urn:d"><b></b></apex>`},
		{"default inherited, not used", `<a xmlns="urn:d" xmlns:p="urn:p"><p:apex/></a>`, ``, `<p:apex xmlns:p="urn:p"></p:apex>`},
		{"two prefixes of one name", `<p:a xmlns:p="urn:1" xmlns:q="urn:1"><q:b p:x="" q:y=""/></p:a>`, ``,
			`<p:a xmlns:p="urn:1"><q:b xmlns:q="urn:1" p:x="" q:y=""></q:b></p:a>`},
		{"xml prefix", `<a xmlns:xml="http://www.w3.org/XML/1998/namespace" xml:id="i"><xml:b/></a>`, `xml`, `<a xml:id="i"><xml:b></xml:b></a>`},
		{"xml attributes not inherited", `<a xml:lang="nl" xml:space="preserve"><apex/></a>`, ``, `<apex></apex>`},
		{"list: inherited at the apex", `<a xmlns:p="urn:p" xmlns:q="urn:q"><apex/></a>`, `p`, `<apex xmlns:p="urn:p"></apex>`},
		{"list: several, odd space", `<a xmlns:p="urn:p" xmlns:q="urn:q"><apex/></a>`, "\n q\t p \r", `<apex xmlns:p="urn:p" xmlns:q="urn:q"></apex>`},
		{"list: nearest binding", `<a xmlns:p="urn:1"><b xmlns:p="urn:2"><apex/></b></a>`, `p`, `<apex xmlns:p="urn:2"></apex>`},
		{"list: bound on the apex", `<a xmlns:p="urn:1"><apex xmlns:p="urn:2"/></a>`, `p`, `<apex xmlns:p="urn:2"></apex>`},
		{"list: declared inside", `<a><b xmlns:p="urn:p"/><c xmlns:p="urn:q"/></a>`, `p`, `<a><b xmlns:p="urn:p"></b><c xmlns:p="urn:q"></c></a>`},
		{"list: declared again", `<a xmlns:p="urn:p"><b xmlns:p="urn:p"/></a>`, `p`, `<a xmlns:p="urn:p"><b></b></a>`},
		{"list: not in scope", `<a xmlns:p="urn:p"><apex/></a>`, `r`, `<apex></apex>`},
		{"list: of a name that is only an element", `<r xmlns="urn:d"/>`, `r`, `<r xmlns="urn:d"></r>`},
		{"list: #default inherited", `<a xmlns="urn:d" xmlns:p="urn:p"><p:apex/></a>`, `#default`, `<p:apex xmlns="urn:d" xmlns:p="urn:p"></p:apex>`},
		{"list: #default inside", `<p:a xmlns:p="urn:p"><p:b xmlns="urn:d"><p:c xmlns=""/></p:b></p:a>`, `#default`,
			`<p:a xmlns:p="urn:p"><p:b xmlns="urn:d"><p:c xmlns=""></p:c></p:b></p:a>`},
		{"list: #default undeclared at the apex", `<a xmlns="urn:d" xmlns:p="urn:p"><p:apex xmlns=""/></a>`, `#default`, `<p:apex xmlns:p="urn:p"></p:apex>`},
		{"list: named twice", `<a xmlns:p="urn:p"><apex/></a>`, `p p p`, `<apex xmlns:p="urn:p"></apex>`},
		{"list: empty", `<a xmlns:p="urn:p"><apex/></a>`, " \n", `<apex></apex>`},
		{"omit", `<apex>1<omit>2<a/></omit>3</apex>`, ``, `<apex>13</apex>`},
		{"omit first and last", `<apex><omit/></apex>`, ``, `<apex></apex>`},
		{"omit does not hide a later use", `<apex xmlns:p="urn:p"><omit p:x=""/><p:b/></apex>`, ``, `<apex><p:b xmlns:p="urn:p"></p:b></apex>`},
		{"omit outside the apex", `<a><apex/><omit/></a>`, ``, `<apex></apex>`},
		{"already canonical", "<a xmlns=\"urn:d\" b=\"1\">\n  <c d=\"2\">e &amp; f&#xD;\n</c>\n</a>", ``, "<a xmlns=\"urn:d\" b=\"1\">\n  <c d=\"2\">e &amp; f&#xD;\n</c>\n</a>"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, []byte(c.text))
			defer d.Release()
			options := c14n.Options{PrefixList: []byte(c.prefixes)}
			apex := d.Root()
			for _, n := range elements(d) {
				switch string(n.Local()) {
				case "apex":
					apex = n
				case "omit":
					options.Omit = n
				}
			}
			got, err := c14n.Append([]byte("before"), apex, options)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != "before"+c.want {
				t.Errorf("got  %s\nwant before%s", got, c.want)
			}
		})
	}
}

// TestDefaultAtApex is the augmentation of the STR-Transform: the token bears the
// default namespace of its place, xmlns="" included, so that it cannot be moved
// under another one unseen.
func TestDefaultAtApex(t *testing.T) {
	cases := []struct{ name, text, prefixes, want string }{
		{"none", `<a><p:apex xmlns:p="urn:p" x=""/></a>`, ``, `<p:apex xmlns="" xmlns:p="urn:p" x=""></p:apex>`},
		{"none, unprefixed", `<a><apex><b/></apex></a>`, ``, `<apex xmlns=""><b></b></apex>`},
		{"inherited", `<a xmlns="urn:d"><p:apex xmlns:p="urn:p"/></a>`, ``, `<p:apex xmlns="urn:d" xmlns:p="urn:p"></p:apex>`},
		{"inherited and used", `<a xmlns="urn:d"><apex/></a>`, ``, `<apex xmlns="urn:d"></apex>`},
		{"own", `<a xmlns="urn:d"><p:apex xmlns="urn:e" xmlns:p="urn:p"/></a>`, ``, `<p:apex xmlns="urn:e" xmlns:p="urn:p"></p:apex>`},
		{"own, undeclared", `<a xmlns="urn:d"><p:apex xmlns="" xmlns:p="urn:p"/></a>`, ``, `<p:apex xmlns="" xmlns:p="urn:p"></p:apex>`},
		{"with a list", `<a xmlns="urn:d" xmlns:q="urn:q"><p:apex xmlns:p="urn:p"/></a>`, `q #default`, `<p:apex xmlns="urn:d" xmlns:p="urn:p" xmlns:q="urn:q"></p:apex>`},
		{"only at the apex", `<a><p:apex xmlns:p="urn:p"><b/></p:apex></a>`, ``, `<p:apex xmlns="" xmlns:p="urn:p"><b></b></p:apex>`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, []byte(c.text))
			defer d.Release()
			got, err := c14n.Append(nil, find(t, d, "apex"), c14n.Options{PrefixList: []byte(c.prefixes), DefaultAtApex: true})
			if err != nil || string(got) != c.want {
				t.Errorf("%v\ngot  %s\nwant %s", err, got, c.want)
			}
		})
	}
}

// TestNoForm: a form that cannot be made is an error without a byte of output;
// else a digest over nothing would verify (attacks.md D6).
func TestNoForm(t *testing.T) {
	many := func(n int) string { return strings.Repeat("p ", n) }
	relatives := []string{"relative", "a/b", "./x", "?q", "#f", "//host/x", "1urn:x", ":x", "urn", "%75rn:x", "ürn:x", "u rn:x"}
	type row struct {
		name, text, prefixes string
		want                 error
	}
	cases := []row{
		{"list: comma", `<a xmlns:p="urn:p"/>`, `p,q`, c14n.ErrPrefixList},
		{"list: qualified", `<a xmlns:p="urn:p"/>`, `p:q`, c14n.ErrPrefixList},
		{"list: number", `<a xmlns:p="urn:p"/>`, `1`, c14n.ErrPrefixList},
		{"list: #other", `<a xmlns:p="urn:p"/>`, `#Default`, c14n.ErrPrefixList},
		{"list: #", `<a/>`, `#`, c14n.ErrPrefixList},
		{"list: non-breaking space", `<a/>`, "p\u00a0q", c14n.ErrPrefixList},
		{"list: no UTF-8", `<a/>`, "p\xff", c14n.ErrPrefixList},
		{"list: zero byte", `<a/>`, "p\x00", c14n.ErrPrefixList},
		{"list: 65 tokens", `<a/>`, many(65), c14n.ErrPrefixList},
		{"list: 100000 tokens", `<a/>`, many(100000), c14n.ErrPrefixList},
		{"list: 64 tokens", `<a/>`, many(64), nil},
	}
	for _, name := range relatives {
		cases = append(cases,
			row{"relative, used: " + name, fmt.Sprintf(`<p:a xmlns:p="%s"/>`, name), ``, c14n.ErrRelativeNamespace},
			row{"relative, default: " + name, fmt.Sprintf(`<a xmlns="%s"/>`, name), ``, c14n.ErrRelativeNamespace},
			row{"relative, not used: " + name, fmt.Sprintf(`<a><b xmlns:p="%s"/></a>`, name), ``, c14n.ErrRelativeNamespace},
			row{"relative, inherited by an attribute: " + name, fmt.Sprintf(`<x xmlns:p="%s"><apex p:y=""/></x>`, name), ``, c14n.ErrRelativeNamespace},
			row{"relative, listed: " + name, fmt.Sprintf(`<x xmlns:p="%s"><apex/></x>`, name), `p`, c14n.ErrRelativeNamespace},
			row{"relative, outside and not used: " + name, fmt.Sprintf(`<x xmlns:p="%s"><apex/></x>`, name), ``, nil},
		)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, []byte(c.text))
			defer d.Release()
			apex := d.Root()
			if strings.Contains(c.text, "<apex") {
				apex = find(t, d, "apex")
			}
			out, err := c14n.Append(nil, apex, c14n.Options{PrefixList: []byte(c.prefixes)})
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || (err != nil) != (out == nil) {
				t.Errorf("got %q, %v; want %v", out, err, c.want)
			}
		})
	}
}

func TestNoApex(t *testing.T) {
	d := parse(t, []byte(`<a><b/></a>`))
	defer d.Release()
	if out, err := c14n.Append([]byte("x"), xmltext.Node{}, c14n.Options{}); !errors.Is(err, c14n.ErrNoApex) || out != nil {
		t.Errorf("zero node: %q, %v", out, err)
	}
	if out, err := c14n.Append([]byte("x"), d.Root(), c14n.Options{Omit: d.Root()}); !errors.Is(err, c14n.ErrNoApex) || out != nil {
		t.Errorf("omitted apex: %q, %v", out, err)
	}
	// The apex inside what is omitted: nothing of it is left either.
	if out, err := c14n.Append(nil, d.Root().FirstElement(), c14n.Options{Omit: d.Root()}); !errors.Is(err, c14n.ErrNoApex) || out != nil {
		t.Errorf("apex inside the omitted: %q, %v", out, err)
	}
	other := parse(t, []byte(`<a><b/></a>`))
	defer other.Release()
	if out, err := c14n.Append(nil, d.Root(), c14n.Options{Omit: other.Root().FirstElement()}); err != nil || string(out) != `<a><b></b></a>` {
		t.Errorf("omit of another document: %q, %v", out, err)
	}
}

// TestBlowUp: a namespace name declared once and used by many siblings is written
// by exclusive canonicalization at each of them. Without a bound half a megabyte of
// name and half a megabyte of siblings would make some ten gigabytes to hash
// (attacks.md Z4).
func TestBlowUp(t *testing.T) {
	const half = 1 << 19
	text := []byte(`<r xmlns:p="urn:` + strings.Repeat("x", half) + `">` + strings.Repeat("<p:a/>", half/16) + `</r>`)
	d := parse(t, text)
	defer d.Release()
	out, err := c14n.Append(nil, d.Root(), c14n.Options{})
	if !errors.Is(err, c14n.ErrTooLarge) || out != nil {
		t.Fatalf("%d bytes, %v", len(out), err)
	}
	// What messages do is far from the bound: a prefix declared on the envelope, used
	// by many short siblings under a parent of another namespace.
	ordinary := []byte(`<r xmlns:p="http://www.ehealth.fgov.be/standards/kmehr/schema/v1/something/longer">` + strings.Repeat("<p:a>12345678</p:a>", 5000) + `</r>`)
	d2 := parse(t, ordinary)
	defer d2.Release()
	if _, err := c14n.Append(nil, d2.Root(), c14n.Options{}); err != nil {
		t.Fatal(err)
	}
	// The part of dst that was there does not count.
	if _, err := c14n.Append(make([]byte, 1<<22), d2.Root(), c14n.Options{}); err != nil {
		t.Fatal(err)
	}
}

// TestConcurrent: one document, many goroutines.
func TestConcurrent(t *testing.T) {
	d := parse(t, []byte(`<a xmlns="urn:d" xmlns:p="urn:p"><p:b z="1" a="2">t</p:b><c><p:d/></c></a>`))
	defer d.Release()
	want, err := c14n.Append(nil, d.Root(), c14n.Options{PrefixList: []byte("p")})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan []byte)
	for range 8 {
		go func() {
			var out []byte
			for range 200 {
				out, _ = c14n.Append(out[:0], d.Root(), c14n.Options{PrefixList: []byte("p")})
			}
			done <- out
		}()
	}
	for range 8 {
		if got := <-done; !bytes.Equal(got, want) {
			t.Errorf("%s", got)
		}
	}
}
