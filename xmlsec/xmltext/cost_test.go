package xmltext_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"sceau/internal/judge"
	"sceau/xmlsec/xmltext"
)

// message is a text of the size and shape of a signed request.
func message() []byte {
	var b strings.Builder
	b.WriteString(`<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Header/><soapenv:Body xmlns:wsu="` + namespaceWSU + `" wsu:Id="id-1">`)
	for i := range 40 {
		fmt.Fprintf(&b, "<saml:Attribute xmlns:saml=\"urn:oasis:names:tc:SAML:1.0:assertion\" AttributeName=\"urn:be:fgov:person:ssin\" AttributeNamespace=\"urn:n\" ID=\"a%d\"><saml:AttributeValue>%011d &amp; more</saml:AttributeValue></saml:Attribute>\r\n", i, i)
	}
	b.WriteString(`</soapenv:Body></soapenv:Envelope>`)
	return []byte(b.String())
}

// TestAllocations: in the steady state reading a message allocates nothing.
func TestAllocations(t *testing.T) {
	if judge.RaceEnabled {
		t.Skip("the race detector allocates")
	}
	text, id := append([]byte("<?xml version=\"1.0\" encoding='UTF-8'?>\n"), message()...), []byte("a17")
	n := testing.AllocsPerRun(200, func() {
		d, err := xmltext.Parse(text, xmltext.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if v, ok := d.Root().Attribute("", "none"); ok || v != nil {
			t.Fatal("an attribute")
		}
		if _, ok := d.ElementByID(id); !ok {
			t.Fatal("no a17")
		}
		d.Release()
	})
	if n != 0 {
		t.Errorf("%v allocations a run", n)
	}
	// A refusal costs its error.
	refusedText := append(append([]byte(nil), text...), '<')
	if n := testing.AllocsPerRun(200, func() { _, _ = xmltext.Parse(refusedText, xmltext.DefaultLimits()) }); n > 1 {
		t.Errorf("%v allocations a refusal", n)
	}
}

// hostile are texts that make careless readers work or remember out of proportion
// (attacks.md Z2 to Z5). n is about the number of units.
var hostile = []struct {
	name string
	text func(n int) string
}{
	{"Z2: deep", func(n int) string { return strings.Repeat("<a>", n) }},
	{"Z2: deep, closed", func(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }},
	{"Z3: many attributes", func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, " a%d=''", i)
		}
		return "<a" + b.String() + "/>"
	}},
	{"Z3: many declarations", func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, " xmlns:a%d='u:u'", i)
		}
		return "<a" + b.String() + "/>"
	}},
	{"Z3: long attribute", func(n int) string { return "<a b='" + strings.Repeat("&amp;", n) + "'/>" }},
	{"Z3: long name", func(n int) string { return "<" + strings.Repeat("a", n) + "/>" }},
	{"Z3: long text", func(n int) string { return "<a>" + strings.Repeat("x&#65;\r", n) + "</a>" }},
	{"Z3: many siblings", func(n int) string { return "<a>" + strings.Repeat("<b/>", n) + "</a>" }},
	{"Z3: many comments", func(n int) string { return "<a>" + strings.Repeat("<!---->", n) + "</a>" }},
	{"Z3: comments before the root", func(n int) string { return strings.Repeat("<!---->", n) + "<a/>" }},
	{"Z3: many CDATA sections", func(n int) string { return "<a>" + strings.Repeat("<![CDATA[]]>", n) + "</a>" }},
	{"Z3: unfinished references", func(n int) string { return "<a>" + strings.Repeat("&", n) + "</a>" }},
	{"Z3: unfinished comment", func(n int) string { return "<a>" + strings.Repeat("<!-- -", n) + "</a>" }},
	{"Z3: unfinished CDATA", func(n int) string { return "<a><![CDATA[" + strings.Repeat("]]", n) + "</a>" }},
	{"Z4: each level declares", func(n int) string {
		return strings.Repeat("<a xmlns:p='u:1' xmlns:q='u:2' xmlns='u:3'>", n) + strings.Repeat("</a>", n)
	}},
	{"Z4: each sibling declares", func(n int) string {
		return "<r>" + strings.Repeat("<p:a xmlns:p='u:1' p:x='' xmlns='u:3'/>", n) + "</r>"
	}},
	{"Z5: many identifiers", func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "<a Id='i%d'/>", i)
		}
		return "<r>" + b.String() + "</r>"
	}},
	{"Z5: many identifiers with white space", func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "<a Id=' i  %d '/>", i)
		}
		return "<r>" + b.String() + "</r>"
	}},
}

// memory returns how many bytes one parse allocates.
func memory(text []byte, limits xmltext.Limits) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if d, err := xmltext.Parse(text, limits); err == nil {
		d.Release()
	}
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestLinear: twice the hostile text makes at most twice the tokens, and under the
// default limits a megabyte of it takes a bounded memory. No clock is looked at.
func TestLinear(t *testing.T) {
	wide := xmltext.Limits{Bytes: 1 << 26, Depth: 1024, Nodes: 1 << 22, Attributes: 256, Namespaces: 1024, NameLength: 65535}
	for _, h := range hostile {
		t.Run(h.name, func(t *testing.T) {
			count := func(n int) (tokens int) {
				d, err := xmltext.Parse([]byte(h.text(n)), wide)
				if err != nil {
					return 0
				}
				defer d.Release()
				return len(d.Tokens())
			}
			one, two := count(20000), count(40000)
			if two > 2*one+2 {
				t.Errorf("%d tokens, then %d", one, two)
			}
			text := []byte(h.text(100000))
			if got := memory(text[:min(len(text), 1<<20)], xmltext.DefaultLimits()); got > 48<<20 {
				t.Errorf("%d MB for %d kB", got>>20, len(text)>>10)
			}
		})
	}
}

// TestRefusedEarly: what no limit can admit is refused where it begins, however
// much follows: the refusal of a million bytes is the refusal of the first.
func TestRefusedEarly(t *testing.T) {
	limits := xmltext.DefaultLimits()
	limits.Bytes = 1 << 24
	for _, c := range []struct {
		name, text string
		reason     xmltext.Reason
		offset     int
	}{
		{"Z2: a million levels", strings.Repeat("<a>", 1000000), xmltext.TooDeep, 64 * 3},
		{"Z1: document type and ten megabytes", "<!DOCTYPE a [" + strings.Repeat("<!ENTITY a 'aaaaaaaaaa'>", 100000), xmltext.DoctypeRefused, 0},
		{"Z3: 100000 attributes", "<a" + strings.Repeat(" b=''", 100000) + "/>", xmltext.TooManyAttributes, 2 + 64*5 + 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if e := refused(t, c.text, limits); e.Reason != c.reason || e.Offset != c.offset {
				t.Errorf("%v, want %v at %d", e, c.reason, c.offset)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, c := range []struct {
		name string
		text []byte
	}{
		{"message", message()},
		{"text", []byte("<a>" + strings.Repeat("some words and then more ", 1000) + "</a>")},
		{"base64", []byte("<a>" + strings.Repeat("TWFueSBoYW5kcyBtYWtlIGxpZ2h0IHdvcmsuTWFueSBoYW5kcyBtYWtlIGxpZ2h0IHdvcms&#13;\n", 40) + "</a>")},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				d, err := xmltext.Parse(c.text, xmltext.DefaultLimits())
				if err != nil {
					b.Fatal(err)
				}
				d.Release()
			}
		})
	}
}
