package vector

import (
	"math/rand/v2"
	"strings"
)

// A Source answers with a choice in [0, n). All randomness of Generate comes from it.
type Source func(n int) int

// Seeded returns a Source whose choices follow from seed alone.
func Seeded(seed uint64) Source {
	r := rand.New(rand.NewPCG(seed, 0x5CEA0))
	return r.IntN
}

// FromBytes returns a Source that takes its choices from data, zero after its end.
func FromBytes(data []byte) Source {
	return func(n int) int {
		if len(data) == 0 {
			return 0
		}
		b := int(data[0])
		data = data[1:]
		return b % n
	}
}

// Options leaves features out of generated documents, for judges that do not know
// them. The zero Options leaves nothing out.
type Options struct {
	NoComments         bool
	NoSpaceInValues    bool // no literal tab, newline or carriage return in attribute values
	NoCarriageReturn   bool // no literal carriage return in text
	NoXMLAttributes    bool // no xml:lang, xml:space
	NoProlog           bool // no byte order mark, declaration, nor anything else around the root
	FourthEdition      bool // only names that are names in XML 1.0 before its fifth edition too
	NoUndeclared       bool // no xmlns=""
	OnePrefixed        bool // no two prefixed attributes on one element
	NoEscapedNamespace bool // no namespace name that needs escaping
}

// Documents returns n generated documents, the same ones at every call.
func Documents(n int, options Options) [][]byte {
	documents := make([][]byte, n)
	for i := range documents {
		documents[i] = Generate(Seeded(uint64(i)), options)
	}
	return documents
}

// Generate makes one document: well-formed, namespaces included, and within the
// default limits of the parser, but in no other way tidy. Prefixes are shadowed
// and bound twice to one name, default namespaces are declared and undeclared,
// attributes stand unsorted, values hold everything that canonicalization rewrites.
func Generate(choose Source, options Options) []byte {
	g := &generator{choose: choose, options: options, budget: 40}
	if !options.NoProlog {
		g.add("", "", "\uFEFF")
		g.add("", "", `<?xml version="1.0"?>`, "<?xml version='1.0' encoding=\"UTF-8\" ?>\n", `<?xml version="1.0" encoding="utf-8" standalone="yes"?>`)
		g.around()
	}
	g.element([]scope{{"", ""}}, 0)
	if !options.NoProlog {
		g.around()
	}
	return []byte(g.b.String())
}

type scope struct{ prefix, name string }

type generator struct {
	choose  Source
	options Options
	b       strings.Builder
	budget  int // elements still to come
	ids     int
}

// add writes one of the strings.
func (g *generator) add(one ...string) { g.b.WriteString(one[g.choose(len(one))]) }

func (g *generator) one(of ...string) string { return of[g.choose(len(of))] }

func (g *generator) around() {
	if g.options.NoComments {
		g.add("", "\n", "\r\n")
		return
	}
	g.add("", "\n", "<!-- around -->\n", "\r\n")
}

// lookup returns what prefix is bound to, innermost first.
func lookup(in []scope, prefix string) (string, bool) {
	for i := len(in) - 1; i >= 0; i-- {
		if in[i].prefix == prefix {
			return in[i].name, true
		}
	}
	return "", prefix == ""
}

var (
	prefixes   = []string{"a", "b", "c", "ds", "a1", "A", "a-", "zz"}
	namespaces = []string{"urn:a", "urn:b", "urn:c", "http://example.org/A#", "urn:b:longer", "urn:B", "http://example.org/a?x=1&amp;y=2"}
	locals     = []string{"x", "Y", "y", "item", "Id1", "a.b", "a-b", "_", "xmlnsx", "x1"}
)

func (g *generator) local() string {
	if g.choose(12) == 0 {
		if g.options.FourthEdition {
			return g.one("é", "Ωmega", "名前", "x·y")
		}
		return g.one("é", "Ωmega", "名前", "x·y", "\U00010000")
	}
	return locals[g.choose(len(locals))]
}

func (g *generator) element(in []scope, depth int) {
	g.budget--
	var declared []scope
	for range g.choose(4) {
		names := namespaces
		if g.options.NoEscapedNamespace {
			names = names[:len(names)-1]
		}
		d := scope{prefixes[g.choose(len(prefixes))], names[g.choose(len(names))]}
		if g.choose(4) == 0 {
			d.prefix = ""
			if !g.options.NoUndeclared && g.choose(3) == 0 {
				d.name = ""
			}
		}
		again := false
		for _, other := range declared {
			again = again || other.prefix == d.prefix
		}
		if !again {
			declared = append(declared, d)
		}
	}
	in = append(in[:len(in):len(in)], declared...)
	name := g.local()
	if p := g.prefix(in); p != "" {
		name = p + ":" + name
	}
	g.b.WriteString("<" + name)
	g.attributes(in, declared)
	if g.choose(5) == 0 {
		g.add("/>", " />", "\n/>")
		return
	}
	g.add(">", ">", ">", " >", "\n>")
	for range g.choose(6) {
		if g.choose(2) == 0 && g.budget > 0 && depth < 12 {
			g.element(in, depth+1)
		} else {
			g.content()
		}
	}
	g.b.WriteString("</" + name)
	g.add(">", ">", ">", " >", "\r\n>")
}

// prefix returns a prefix in scope, often none.
func (g *generator) prefix(in []scope) string {
	if g.choose(2) == 0 {
		return ""
	}
	s := in[g.choose(len(in))]
	return s.prefix
}

// attributes writes declarations and attributes, mixed, no two of one expanded name.
func (g *generator) attributes(in, declared []scope) {
	var written []string
	for _, d := range declared {
		name := "xmlns"
		if d.prefix != "" {
			name += ":" + d.prefix
		}
		written = append(written, name+g.one("=", "=", " = ")+g.quote(d.name))
	}
	used := map[string]bool{}
	for range g.choose(5) {
		p, local := g.prefix(in), g.local()
		name, _ := lookup(in, p)
		if p == "" {
			name = ""
		}
		qualified := local
		if p != "" {
			qualified = p + ":" + local
		}
		if !g.options.NoXMLAttributes && g.choose(10) == 0 {
			name, qualified = "xml", g.one("xml:lang", "xml:space", "xml:base")
			local = qualified
		}
		if p != "" && g.options.OnePrefixed {
			if used[":"] {
				continue
			}
			used[":"] = true
		}
		if key := name + "}" + local; !used[key] {
			used[key] = true
			written = append(written, qualified+g.one("=", "=", "=", "= ", "\t=")+g.value())
		}
	}
	if g.choose(6) == 0 {
		g.ids++
		written = append(written, g.one("Id", "ID", "AssertionID")+`="i`+strings.Repeat("i", g.ids)+`"`)
	}
	for len(written) > 0 {
		k := g.choose(len(written))
		g.add(" ", " ", " ", "  ", "\n\t", "\r\n ")
		g.b.WriteString(written[k])
		written = append(written[:k], written[k+1:]...)
	}
}

func (g *generator) quote(value string) string {
	q := g.one(`"`, `"`, `'`)
	return q + value + q
}

func (g *generator) value() string {
	q := g.one(`"`, `"`, `'`)
	var b strings.Builder
	for range g.choose(5) {
		switch g.choose(14) {
		case 0:
			b.WriteString(g.one("&#9;", "&#xA;", "&#10;", "&#xD;", "&#13;", "&#x9;", "&#xd;"))
		case 1:
			b.WriteString(g.one("&quot;", "&apos;", "&lt;", "&gt;", "&amp;", "&#34;", "&#38;", "&#x3C;"))
		case 2:
			b.WriteString(g.one(">", "]]>", "'", "é", "\U0001F600", "\uFEFF", "\u0085", "\u2028"))
			if q == "'" {
				b.WriteString(`"`)
			}
		case 3:
			if !g.options.NoSpaceInValues {
				b.WriteString(g.one("\n", "\t", "\r\n", "\r", " \n "))
			}
		default:
			b.WriteString(g.one("v", "value", " ", "  ", "0", "x=y;"))
		}
	}
	value := b.String()
	if q == "'" {
		value = strings.ReplaceAll(value, "'", "")
	}
	return q + value + q
}

func (g *generator) content() {
	switch g.choose(12) {
	case 0:
		if !g.options.NoComments {
			g.add("<!---->", "<!-- c -->", "<!-- <a b='c'> &amp; ]]> -->")
		}
	case 1:
		g.add("<![CDATA[]]>", "<![CDATA[<a>&amp;]]>", "<![CDATA[]]]]>", "<![CDATA[ \n\t\"'> ]]>", "<![CDATA[a]]><![CDATA[b]]>")
	case 2:
		g.add("&#13;", "&#xD;", "&#xd;", "&#10;", "&#9;", "&#x1F600;", "&#65;")
	case 3:
		g.add("&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "&#38;", "&#60;", "]]&gt;", "&amp;lt;")
	case 4:
		g.add("\"", "'", ">", "] ]>", "é", "\U0001F600", "\u2028", "\u0085", "\uFFFD", "\u007F")
	case 5:
		if g.options.NoCarriageReturn {
			g.add("\n", "\n\n")
		} else {
			g.add("\r", "\r\n", "\r\r\n", "a\rb", "\n\r")
		}
	default:
		g.add("text", " ", "\n  ", "longer text with several words in it", "0123456789abcdef", "\t")
	}
}
