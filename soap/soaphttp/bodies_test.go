package soaphttp

import (
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

func announcing(length int) *fasthttp.RequestHeader {
	h := new(fasthttp.RequestHeader)
	h.SetMethod("POST")
	h.SetContentLength(length)
	return h
}

func TestLargeBodies(t *testing.T) {
	const limit, chunked = 100 << 10, -1
	at := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	b := newLargeBodies(300<<10, limit, 10*time.Second) // fasthttp takes 128 KiB for 100, the next power of two
	first, second, third := announcing(limit), announcing(chunked), announcing(limit)
	for _, h := range []*fasthttp.RequestHeader{announcing(0), announcing(smallBody), announcing(limit + 1), announcing(identityBody)} {
		if got := b.announced(h, at); got != limit || b.held.Load() != 0 {
			t.Errorf("length %d: read to %d, %d held", h.ContentLength(), got, b.held.Load())
		}
	}
	if b.announced(first, at) != limit || b.announced(second, at) != limit || b.free != 44<<10 {
		t.Errorf("%d free of 300 KiB after two of 128", b.free)
	}
	if got := b.announced(third, at); got != smallBody {
		t.Errorf("no room, and %d bytes are read", got)
	}
	if !b.done(third) || b.done(third) || b.free != 44<<10 {
		t.Error("a refusal is told once, and gives nothing back")
	}
	b.read(first)
	if b.announced(third, at.Add(11*time.Second)) != limit { // the second was never read and never ended
		t.Error("room that nobody can be using was not taken back")
	}
	if b.done(first) || b.done(second) || b.done(third) || b.free != 300<<10 || len(b.all) != 0 {
		t.Errorf("%d bytes free, %d held after all are done", b.free, len(b.all))
	}
	b.announced(first, at)
	b.announced(first, at) // fasthttp dropped the first in silence and uses its memory for another
	if b.done(first); b.free != 300<<10 {
		t.Errorf("%d bytes free", b.free)
	}
	for range 3 { // two are taken, the third is refused and dropped in silence
		b.announced(first, at)
		first = announcing(chunked)
	}
	dropped := announcing(limit)
	b.announced(dropped, at)
	dropped.SetContentLength(limit + 1)
	if b.announced(dropped, at); b.done(dropped) {
		t.Error("a body that is too long is told that there was no room")
	}
}

func TestMemoryOf(t *testing.T) {
	for length, want := range map[int]int{16385: 32 << 10, 32 << 10: 32 << 10, 32<<10 + 1: 64 << 10, 256<<10 + 2: 512 << 10} {
		if got := memoryOf(length); got != want {
			t.Errorf("%d for %d", got, length)
		}
	}
}

func TestLargeBodiesOfNothing(t *testing.T) {
	b := newLargeBodies(0, 1<<20, time.Second)
	if got := b.announced(announcing(smallBody+1), time.Now()); got != smallBody {
		t.Errorf("no memory, and %d bytes are read", got)
	}
}
