package c14n_test

import (
	"bytes"
	"testing"

	"sceau/internal/vector"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// FuzzAppend reads any text. What parses has a form that is its own form and says
// the same; and a generated document, whose choices are the same bytes, has the form
// that goxmldsig gives it.
func FuzzAppend(f *testing.F) {
	for i, text := range vector.Documents(20, vector.Options{}) {
		f.Add(text, uint8(i), "a ds #default")
	}
	for i, text := range handMade {
		f.Add([]byte(text), uint8(i), "p xs")
	}
	f.Fuzz(func(t *testing.T, data []byte, at uint8, prefixes string) {
		if d, err := xmltext.Parse(data, xmltext.DefaultLimits()); err == nil {
			checkForm(t, data)
			all := elements(d)
			apex := all[int(at)%len(all)]
			form, err := c14n.Append(nil, apex, c14n.Options{PrefixList: []byte(prefixes)})
			if (err != nil) != (form == nil) {
				t.Fatalf("form %q with error %v", form, err)
			}
			if err == nil {
				checkListed(t, form, apex)
			}
			d.Release()
		}

		text := vector.Generate(vector.FromBytes(data), forGoxmldsig)
		d := parse(t, text)
		defer d.Release()
		all := elements(d)
		n := int(at) % len(all)
		const list = "a ds zz"
		got, err := c14n.Append(nil, all[n], c14n.Options{PrefixList: []byte(list)})
		if err != nil {
			t.Fatal(err)
		}
		if want, err := goxmldsig(text, n, list); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v: element %d of %q\ngot  %q\nwant %q", err, n, text, got, want)
		}
	})
}

// checkListed: a form with listed prefixes still says the same.
func checkListed(t testing.TB, form []byte, apex xmltext.Node) {
	t.Helper()
	limits := xmltext.DefaultLimits()
	limits.Bytes *= 16
	d, err := xmltext.Parse(form, limits)
	if err != nil {
		t.Fatalf("%v: %q", err, form)
	}
	defer d.Release()
	sameStructure(t, apex, d.Root())
}
