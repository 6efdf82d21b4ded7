package c14n_test

import (
	"fmt"
	"strings"
	"testing"

	"sceau/internal/judge"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// message is a document of the size and shape of a signed request: one tidy half,
// which is copied, and one untidy half, which is rewritten.
func message() []byte {
	var b strings.Builder
	b.WriteString(`<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:p="urn:p"><soapenv:Body xmlns:wsu="urn:wsu" wsu:Id="id-1">`)
	for i := range 20 {
		fmt.Fprintf(&b, "<saml:Attribute xmlns:saml=\"urn:oasis:names:tc:SAML:1.0:assertion\" AttributeName=\"urn:be:fgov:person:ssin\" AttributeNamespace=\"urn:n\"><saml:AttributeValue>%011d</saml:AttributeValue></saml:Attribute>\n", i)
		fmt.Fprintf(&b, "<p:item  z='%d' a=\"x\" ><![CDATA[<a>]]>text &#65; text<p:empty/></p:item>\r\n", i)
	}
	b.WriteString(`</soapenv:Body></soapenv:Envelope>`)
	return []byte(b.String())
}

func TestAllocations(t *testing.T) {
	if judge.RaceEnabled {
		t.Skip("the race detector allocates")
	}
	d := parse(t, message())
	defer d.Release()
	options := c14n.Options{PrefixList: []byte("soapenv p"), Omit: d.Root().FirstElement().FirstElement()}
	var dst []byte
	n := testing.AllocsPerRun(100, func() {
		var err error
		if dst, err = c14n.Append(dst[:0], d.Root(), options); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations a run", n)
	}
}

// TestLinear: the form of n units is bounded by n, whatever the shape. Sizes are
// counted, not times: what is written and copied is the work there is.
func TestLinear(t *testing.T) {
	shapes := map[string]func(n int) string{
		"each level declares again": func(n int) string { // attacks.md Z4
			var b strings.Builder
			const depth = 60
			for level := range depth {
				b.WriteString("<a")
				for k := range n / depth {
					fmt.Fprintf(&b, ` xmlns:p%d="urn:%d"`, k, (level+k)%50)
				}
				b.WriteString(" p0:x=''>")
			}
			b.WriteString(strings.Repeat("</a>", depth))
			return b.String()
		},
		"siblings use what none declares": func(n int) string {
			return `<r xmlns:p="urn:p">` + strings.Repeat("<p:a/>", n) + `</r>`
		},
		"siblings undeclare": func(n int) string {
			return `<r xmlns="urn:d">` + strings.Repeat(`<a xmlns=""/>`, n) + `</r>`
		},
		"text that grows": func(n int) string { return `<r>` + strings.Repeat("&#38;<![CDATA[&]]>", n) + `</r>` },
	}
	limits := xmltext.Limits{Bytes: 1 << 24, Depth: 64, Nodes: 1 << 20, Attributes: 256, Namespaces: 1024, NameLength: 256}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			size := func(n int) (in, out int) {
				text := []byte(shape(n))
				d, err := xmltext.Parse(text, limits)
				if err != nil {
					t.Fatal(err)
				}
				defer d.Release()
				form, err := c14n.Append(nil, d.Root(), c14n.Options{})
				if err != nil {
					t.Fatal(err)
				}
				return len(text), len(form)
			}
			in1, out1 := size(2000)
			in2, out2 := size(4000)
			if out1 > 16*in1 || out2 > 16*in2 || float64(out2) > 2.5*float64(out1) {
				t.Errorf("in %d, out %d; twice that: in %d, out %d", in1, out1, in2, out2)
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	tidy := canonicalMessage(b)
	for name, text := range map[string][]byte{"canonical": tidy, "mixed": message()} {
		b.Run(name, func(b *testing.B) {
			d := parse(b, text)
			defer d.Release()
			var dst []byte
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				dst, _ = c14n.Append(dst[:0], d.Root(), c14n.Options{})
			}
		})
	}
}

func canonicalMessage(b *testing.B) []byte {
	d := parse(b, message())
	defer d.Release()
	form, err := c14n.Append(nil, d.Root(), c14n.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return form
}
