package xmltext_test

import (
	"os"
	"testing"

	"sceau/internal/vector"
	"sceau/xmlsec/xmltext"
)

// TestKit runs the vectors of testdata/xmltext; the expectation is "ok" or a Reason.
func TestKit(t *testing.T) {
	vectors, err := vector.Read(os.DirFS("../.."), "testdata/xmltext")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			d, err := xmltext.Parse(v.Message(), xmltext.DefaultLimits())
			got := "ok"
			if err == nil {
				d.Release()
			} else {
				got = err.(*xmltext.SyntaxError).Reason.String()
			}
			if got != v.Expect {
				t.Errorf("%v, want %s", err, v.Expect)
			}
		})
	}
	t.Logf("%d vectors", len(vectors))
}
