//go:build !race

// Under the race detector sync.Pool drops what it holds at random.

package soaphttp

import (
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

func TestHeadersAllocateNothing(t *testing.T) {
	at := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	date := dateHeader{now: func() time.Time { return at }}
	var header fasthttp.ResponseHeader
	contentType := []byte(`text/xml; action="x"; charset=utf-8`)
	if n := testing.AllocsPerRun(100, func() {
		date.write(&header)
		if !isSOAP11(contentType) {
			t.Error("refused")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if got := header.Peek("Date"); string(got) != "Sat, 21 Nov 2026 20:00:00 GMT" {
		t.Errorf("Date %q", got)
	}
}
