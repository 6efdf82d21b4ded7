package xmltext

import (
	"runtime"
	"strings"
	"testing"
)

// TestLargeTextIsRoomy: the nodes of a long text are not copied again and again as their
// number grows: a document of 24000 elements takes little more than its own size from the heap.
func TestLargeTextIsRoomy(t *testing.T) {
	text := []byte("<a>" + strings.Repeat("<b>x</b>", 24000) + "</a>")
	limits := DefaultLimits()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	d, err := Parse(text, limits)
	if err != nil {
		t.Fatal(err)
	}
	nodes := uint64(len(d.tokens))
	d.Release()
	runtime.ReadMemStats(&after)
	const size = 80 // of a Token, at most
	if took := after.TotalAlloc - before.TotalAlloc; nodes != 48001 || took > 2*size*nodes {
		t.Errorf("%d bytes from the heap for %d nodes", took, nodes)
	}
}
