package xmltext

import (
	"runtime"
	"strings"
	"testing"
)

// TestGarbageIsCheap: a long text that is refused at its second byte costs no room for nodes that
// it might have had.
func TestGarbageIsCheap(t *testing.T) {
	text := []byte(strings.Repeat("<", 200<<10))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := Parse(text, DefaultLimits()); err == nil {
		t.Fatal("parsed")
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 64<<10 {
		t.Errorf("%d bytes from the heap", took)
	}
}

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
	if took := after.TotalAlloc - before.TotalAlloc; nodes != 48001 || took > 3*size*nodes {
		t.Errorf("%d bytes from the heap for %d nodes", took, nodes)
	}
}
