package sts_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/internal/testpki"
	"sceau/internal/vector"
	"sceau/sts"
	"sceau/sts/ststest"
)

var update = flag.Bool("update", false, "write the vectors of testdata/sts anew")

// kitFolder holds whole messages, asked of the fixture's service: expect is "success",
// a REQ code, or a faultcode.
const kitFolder = "../testdata/sts"

// TestKit answers every vector of the kit.
func TestKit(t *testing.T) {
	vectors, err := vector.Read(os.DirFS(filepath.Dir(kitFolder)), filepath.Base(kitFolder))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			f := ststest.New(t, func(_ *ststest.Fixture, c *sts.Config) { c.Now = func() time.Time { return v.Now } })
			// A vector ends with a line end that is not the message's.
			body := f.Service.AttributeQuery(context.Background(), &sts.Message{Body: v.Message()}, nil).Body
			want := "<samlp:StatusMessage>" + v.Expect + ": "
			switch {
			case v.Expect == "success":
				want = `<samlp:StatusCode Value="samlp:Success">`
			case strings.Contains(v.Expect, ":"):
				want = ">" + v.Expect + "</faultcode>"
			}
			if !bytes.Contains(body, []byte(want)) {
				t.Errorf("want %s, got %s", v.Expect, body)
			}
		})
	}
}

// keep writes a message into the kit when the flag says so.
func keep(t *testing.T, name, expect, comment string, message []byte) {
	t.Helper()
	if !*update {
		return
	}
	file := strings.NewReplacer(" ", "-", "'", "", ",", "").Replace(strings.ToLower(name)) + ".txtar"
	text := fmt.Appendf(nil, "expect: %s\nnow: %s\ncomment: %s\n\n-- message.xml --\n%s\n", expect, testpki.Now().Format(time.RFC3339), comment, message)
	if err := os.MkdirAll(kitFolder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(kitFolder, file), text, 0o644); err != nil {
		t.Fatal(err)
	}
}
