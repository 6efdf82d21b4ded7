package xmltext_test

import (
	"strings"
	"testing"

	"sceau/xmlsec/xmltext"
)

func parse(t testing.TB, text string) *xmltext.Document {
	t.Helper()
	d, err := xmltext.Parse([]byte(text), xmltext.DefaultLimits())
	if err != nil {
		t.Fatalf("%v: %.200q", err, text)
	}
	return d
}

// accepted are texts that must be read: a parser that refuses everything is strict
// and useless. xmllint is asked about each as well.
var accepted = []struct{ name, text string }{
	{"one tag", `<a/>`},
	{"space in tags", "<a \t\r\n></a \t\r\n>"},
	{"space around the equals sign", "<a b\n =\t'c'/>"},
	{"byte order mark", "\uFEFF<a/>"},
	{"byte order mark and declaration", "\uFEFF<?xml version='1.0'?><a/>"},
	{"declaration, all of it", `<?xml  version = "1.0"  encoding='utf-8' standalone = 'no'  ?><a/>`},
	{"declaration, encoding in mixed case", `<?xml version="1.0" encoding="Utf-8"?><a/>`},
	{"declaration without encoding", `<?xml version="1.0" standalone="yes"?><a/>`},
	{"comments and space around", "\r\n<!-- a --><!----> <a/> <!-- - -->\n"},
	{"comment with what looks like markup", `<a><!-- <b c="&d;"> ]]> <?x?> <!DOCTYPE a> --></a>`},
	{"comment that ends in one dash of its own", `<a><!-- - - --></a>`},
	{"CDATA with everything", `<a><![CDATA[<&> ]] ]>]] &lt; <!-- ]]]]></a>`},
	{"CDATA empty", `<a><![CDATA[]]></a>`},
	{"CDATA end in a value", `<a b="]]>"/>`},
	{"CDATA end split by a reference", `<a>]]&gt; ]&#93;> &#93;]> <![CDATA[]]]]>></a>`},
	{"greater-than in text and value", `<a b=">">></a>`},
	{"quotes in text and in the other quotes", `<a b='"' c="'">"'</a>`},
	{"the five entities", `<a b="&lt;&gt;&amp;&quot;&apos;">&lt;&gt;&amp;&quot;&apos;</a>`},
	{"entity written twice over", `<a>&amp;lt; &#38;amp; &#38;#60;</a>`},
	{"character references", `<a>&#x9;&#xA;&#xD;&#x20;&#xD7FF;&#xE000;&#xFFFD;&#x10000;&#x10FFFF;&#0000065;&#x0000000000041;</a>`},
	{"characters at the edges", "<a>\t\n\r \u007F\u0080\u0085\u009F\uD7FF\uE000\uFEFF\uFFFD\U00010000\U0010FFFF</a>"},
	{"name characters", "<_a-b.c1·\u0301\u203F xmlns:_='u:u' _:É=''/>"},
	{"name starts at the edges", "<r><À/><Ö/><Ø/><ö/><ø/><˿/><Ͱ/><ͽ/><Ϳ/><\u200C/><\u200D/><⁰/><⿯/><、/><豈/><﷏/><ﷰ/><\U00010000/><\U000EFFFF/></r>"},
	{"xml in a name", `<xmlthing xml:lang="nl" XML="" Xmlns="" xmlnsx=""/>`},
	{"xml prefix on an element", `<xml:a/>`},
	{"xml declared to its own name", `<a xmlns:xml="http://www.w3.org/XML/1998/namespace" xml:b=""/>`},
	{"default undeclared", `<a xmlns="u:u"><b xmlns=""><c xmlns="u:v"/></b></a>`},
	{"default undeclared twice", `<a xmlns=""><b xmlns=""/></a>`},
	{"declared after its use in the tag", `<p:a p:b="" xmlns:p="u:u"/>`},
	{"declared again", `<p:a xmlns:p="u:u"><p:b xmlns:p="u:v"><p:c xmlns:p="u:u"/></p:b><p:d/></p:a>`},
	{"one local name in several namespaces", `<a xmlns:x="u:1" xmlns:y="u:2" x:b="" y:b="" b=""/>`},
	{"default namespace is none of the attributes'", `<a xmlns="u:1" xmlns:x="u:1" x:b="" b=""/>`},
	{"two ids of one name in two namespaces", `<a xmlns:x="u:1" x:Id="i" Id="j"><b x:Id="i"/></a>`},
	{"one element says its id twice", `<a Id="i" ID="i"/>`},
	{"ids that differ in case", `<r><a Id="i"/><a Id="I"/></r>`},
	{"id is no identifier in lower case", `<r><a id="i"/><a id="i"/></r>`},
	{"AssertionID of a namespace is no identifier", `<r xmlns:p="u:u"><a p:AssertionID="i"/><a AssertionID="i"/></r>`},
	{"self-closed beside empty", `<a><b/><b></b></a>`},
	{"same name nested", `<a><a><a/></a></a>`},
	{"name that begins another", `<ab><a></a></ab>`},
	{"relative namespace name", `<a xmlns="relative"/>`},
}

func TestAccepted(t *testing.T) {
	for _, c := range accepted {
		t.Run(c.name, func(t *testing.T) { parse(t, c.text).Release() })
	}
}

// TestNormalization: what XML says a value or a text is, sections 2.11, 3.3.3 and
// 4.1. The text is the element r, its value, and its attribute v.
func TestNormalization(t *testing.T) {
	cases := []struct{ name, text, value, attribute string }{
		{"line ends", "<r v='1\r\n2\r3\n4\r\r\n5\n\r6'>1\r\n2\r3\n4\r\r\n5\n\r6</r>", "1\n2\n3\n4\n\n5\n\n6", "1 2 3 4  5  6"},
		{"white space", "<r v='\ta  b\t'>\ta  b\t</r>", "\ta  b\t", " a  b "},
		{"references are not normalized", "<r v='&#13;&#10;&#9;&#32;'>&#13;&#10;&#9;&#32;</r>", "\r\n\t ", "\r\n\t "},
		{"carriage return before a referred line feed", "<r v='\r&#10;'>\r&#10;</r>", "\n\n", " \n"},
		{"entities once", "<r v='&amp;lt;&#38;gt;'>&amp;lt;&#38;gt;</r>", "&lt;&gt;", "&lt;&gt;"},
		{"next line and line separator stay", "<r v='\u0085\u2028'>\u0085\u2028</r>", "\u0085\u2028", "\u0085\u2028"},
		{"CDATA", "<r v=''>a<![CDATA[<b>&amp;\r\n]]>c</r>", "a<b>&amp;\nc", ""},
		{"CDATA, carriage return at its end", "<r v=''><![CDATA[a\r]]>\n</r>", "a\n\n", ""},
		{"carriage return, comment, line feed", "<r v=''>a\r<!-- -->\nb</r>", "a\n\nb", ""},
		// D1: a comment cuts no value short (CVE-2017-11427).
		{"D1: comment in a value", "<r v=''>79<!---->121312345</r>", "79121312345", ""},
		{"D1: several", "<r v=''><!--a-->7<!--b-->9<!--c--></r>", "79", ""},
		{"D1: CDATA and comments", "<r v=''>a<![CDATA[b]]><!-- x -->c<![CDATA[d]]></r>", "abcd", ""},
		{"empty", "<r v=\"\"></r>", "", ""},
		{"self-closed", "<r v=\"\"/>", "", ""},
		{"long references", "<r v='&#x00000000041;'>&#0000000000065;</r>", "A", "A"},
		{"beyond the plane", "<r v='&#x1F600;'>\U0001F600</r>", "\U0001F600", "\U0001F600"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, c.text)
			defer d.Release()
			value, ok := d.Root().Value()
			if !ok || string(value) != c.value {
				t.Errorf("value %q, want %q", value, c.value)
			}
			attribute, ok := d.Root().Attribute("", "v")
			if !ok || string(attribute) != c.attribute {
				t.Errorf("attribute %q, want %q", attribute, c.attribute)
			}
		})
	}
}

// TestLimits: n is admitted, n+1 refused, each bound by itself.
func TestLimits(t *testing.T) {
	repeat := strings.Repeat
	declare := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(` xmlns:p` + itoa(i) + `="u:` + itoa(i) + `"`)
		}
		return b.String()
	}
	wide := xmltext.Limits{Bytes: 1 << 20, Depth: 1024, Nodes: 1 << 16, Attributes: 256, Namespaces: 1024, NameLength: 65535}
	with := func(change func(*xmltext.Limits)) xmltext.Limits { l := wide; change(&l); return l }
	cases := []struct {
		name   string
		limits xmltext.Limits
		text   func(n int) string
		n      int
		reason xmltext.Reason
	}{
		{"bytes", with(func(l *xmltext.Limits) { l.Bytes = 100 }), func(n int) string { return "<a>" + repeat("x", n-7) + "</a>" }, 100, xmltext.TooLarge},
		{"depth", with(func(l *xmltext.Limits) { l.Depth = 5 }), func(n int) string { return repeat("<a>", n) + repeat("</a>", n) }, 5, xmltext.TooDeep},
		{"depth, self-closed", with(func(l *xmltext.Limits) { l.Depth = 5 }), func(n int) string { return repeat("<a>", n-1) + "<a/><a/>" + repeat("</a>", n-1) }, 5, xmltext.TooDeep},
		{"depth, ceiling", with(func(l *xmltext.Limits) { l.Depth = 1 << 30 }), func(n int) string { return repeat("<a>", n) + repeat("</a>", n) }, 1024, xmltext.TooDeep},
		{"nodes: elements", with(func(l *xmltext.Limits) { l.Nodes = 10 }), func(n int) string { return "<a>" + repeat("<b/>", n-1) + "</a>" }, 10, xmltext.TooManyNodes},
		{"nodes: texts", with(func(l *xmltext.Limits) { l.Nodes = 11 }), func(n int) string { return "<a>" + repeat("<b/>x", n/2-1) + "<b/>" + repeat("y", n%2) + "</a>" }, 11, xmltext.TooManyNodes},
		{"nodes: comments", with(func(l *xmltext.Limits) { l.Nodes = 10 }), func(n int) string { return "<a>" + repeat("<!---->", n-1) + "</a>" }, 10, xmltext.TooManyNodes},
		{"nodes: CDATA", with(func(l *xmltext.Limits) { l.Nodes = 10 }), func(n int) string { return "<a>" + repeat("<![CDATA[]]>", n-1) + "</a>" }, 10, xmltext.TooManyNodes},
		{"attributes", with(func(l *xmltext.Limits) { l.Attributes = 7 }), func(n int) string {
			var b strings.Builder
			for i := range n {
				b.WriteString(` a` + itoa(i) + `=""`)
			}
			return "<a" + b.String() + `><b c="" d=""/></a>`
		}, 7, xmltext.TooManyAttributes},
		{"attributes, ceiling", with(func(l *xmltext.Limits) { l.Attributes = 1 << 20 }), func(n int) string {
			var b strings.Builder
			for i := range n {
				b.WriteString(` a` + itoa(i) + `=""`)
			}
			return "<a" + b.String() + `/>`
		}, 256, xmltext.TooManyAttributes},
		{"attributes, declarations not counted", with(func(l *xmltext.Limits) { l.Attributes = 1 }), func(n int) string {
			return `<a xmlns="u:0"` + declare(9) + repeat(` b=""`, 1) + repeat(` c=""`, n-1) + "/>"
		}, 1, xmltext.TooManyAttributes},
		{"namespaces: on one element", with(func(l *xmltext.Limits) { l.Namespaces = 7 }), func(n int) string { return "<a" + declare(n) + "/>" }, 7, xmltext.TooManyNamespaces},
		{"namespaces: default counts", with(func(l *xmltext.Limits) { l.Namespaces = 7 }), func(n int) string { return `<a xmlns="u:0"` + declare(n-1) + "/>" }, 7, xmltext.TooManyNamespaces},
		{"namespaces: prefixes of a text", with(func(l *xmltext.Limits) { l.Namespaces = 7 }), func(n int) string {
			var b strings.Builder
			for i := range n {
				b.WriteString(`<a xmlns:p` + itoa(i) + `="u:u"/>`)
			}
			return "<a>" + b.String() + "</a>"
		}, 7, xmltext.TooManyNamespaces},
		{"namespaces: names of a text", with(func(l *xmltext.Limits) { l.Namespaces = 7 }), func(n int) string {
			var b strings.Builder
			for i := range n {
				b.WriteString(`<a xmlns="u:` + itoa(i) + `"/>`)
			}
			return "<a>" + b.String() + "</a>"
		}, 7, xmltext.TooManyNamespaces},
		{"namespaces, ceiling", with(func(l *xmltext.Limits) { l.Namespaces = 1 << 20 }), func(n int) string { return "<a" + declare(n) + "/>" }, 1024, xmltext.TooManyNamespaces},
		{"name: element", with(func(l *xmltext.Limits) { l.NameLength = 8 }), func(n int) string { return "<" + repeat("a", n) + "/>" }, 8, xmltext.NameTooLong},
		{"name: attribute", with(func(l *xmltext.Limits) { l.NameLength = 8 }), func(n int) string { return "<a " + repeat("a", n) + "=''/>" }, 8, xmltext.NameTooLong},
		{"name: prefix and colon count", with(func(l *xmltext.Limits) { l.NameLength = 8 }), func(n int) string { return "<r xmlns:p='u:u'><p:" + repeat("a", n-2) + "/></r>" }, 8, xmltext.NameTooLong},
		{"name: declared prefix", with(func(l *xmltext.Limits) { l.NameLength = 16 }), func(n int) string { return "<r xmlns:" + repeat("a", n-6) + "='u:u'/>" }, 16, xmltext.NameTooLong},
		{"name: bytes, not characters", with(func(l *xmltext.Limits) { l.NameLength = 8 }), func(n int) string { return "<" + repeat("é", n/2) + repeat("a", n%2) + "/>" }, 8, xmltext.NameTooLong},
		{"name, ceiling", with(func(l *xmltext.Limits) { l.NameLength = 1 << 20 }), func(n int) string { return "<" + repeat("a", n) + "/>" }, 65535, xmltext.NameTooLong},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d, err := xmltext.Parse([]byte(c.text(c.n)), c.limits)
			if err != nil {
				t.Fatalf("%d: %v", c.n, err)
			}
			d.Release()
			if e := refused(t, c.text(c.n+1), c.limits); e.Reason != c.reason {
				t.Errorf("%d: %v, want %v", c.n+1, e, c.reason)
			}
		})
	}
}

// TestZeroLimits: the zero Limits admits no text, and a zero field nothing of its
// kind, whatever the others admit.
func TestZeroLimits(t *testing.T) {
	for _, text := range []string{"", " ", "<a/>", "\uFEFF", "<!---->"} {
		refused(t, text, xmltext.Limits{})
	}
	type zero struct {
		name   string
		change func(*xmltext.Limits)
		text   string
		reason xmltext.Reason
	}
	for _, z := range []zero{
		{"Bytes", func(l *xmltext.Limits) { l.Bytes = 0 }, `<a/>`, xmltext.TooLarge},
		{"Depth", func(l *xmltext.Limits) { l.Depth = 0 }, `<a/>`, xmltext.TooDeep},
		{"Nodes", func(l *xmltext.Limits) { l.Nodes = 0 }, `<a/>`, xmltext.TooManyNodes},
		{"Attributes", func(l *xmltext.Limits) { l.Attributes = 0 }, `<a b=""/>`, xmltext.TooManyAttributes},
		{"Namespaces", func(l *xmltext.Limits) { l.Namespaces = 0 }, `<a xmlns:p="u:u"/>`, xmltext.TooManyNamespaces},
		{"Namespaces, default", func(l *xmltext.Limits) { l.Namespaces = 0 }, `<a xmlns="u:u"/>`, xmltext.TooManyNamespaces},
		{"NameLength", func(l *xmltext.Limits) { l.NameLength = 0 }, `<a/>`, xmltext.NameTooLong},
	} {
		for _, value := range []string{"zero", "negative"} {
			t.Run(z.name+" "+value, func(t *testing.T) {
				l := xmltext.DefaultLimits()
				z.change(&l)
				if value == "negative" {
					l = negative(l)
				}
				if e := refused(t, z.text, l); e.Reason != z.reason {
					t.Errorf("%v, want %v", e, z.reason)
				}
			})
		}
	}
}

// negative turns the zero fields of l to the smallest number there is.
func negative(l xmltext.Limits) xmltext.Limits {
	for _, f := range []*int{&l.Bytes, &l.Depth, &l.Nodes, &l.Attributes, &l.Namespaces, &l.NameLength} {
		if *f == 0 {
			*f = -1 << 62
		}
	}
	return l
}
