package soaphttp

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// smallBody is the length up to which a body is read without asking: a usual message is a
// little shorter. What is longer takes its length out of Config.MaxLargeBodies.
const smallBody = 16 << 10

// largeBodies bounds the memory of the bodies that are longer than smallBody, from the
// headers that announce one (fasthttp makes room for all of it at once) to its answer. Small messages never
// wait for it: whoever fills it with bodies that trickle in holds up large messages, for as long as one
// may take to be read, and nobody else.
//
// fasthttp tells of a request by its header alone until it is read, so that is the key. It says of nearly every
// request how it ended; of the few that it drops in silence (the peer is gone before "100 Continue" is written)
// the room is taken back when the time for reading has passed.
type largeBodies struct {
	limit int // bytes, of one body
	time  time.Duration

	held atomic.Int64 // entries: none, and nobody takes the lock
	mu   sync.Mutex
	free int
	all  map[*fasthttp.RequestHeader]largeBody
}

type largeBody struct {
	room    int
	refused bool      // no room was left: it is read no further than a small one
	until   time.Time // when it must have been read; zero while it is being answered
}

func newLargeBodies(total, limit int, readTimeout time.Duration) *largeBodies {
	return &largeBodies{limit: limit, time: readTimeout, free: total, all: map[*fasthttp.RequestHeader]largeBody{}}
}

// announced is told of headers and returns how long the body behind them may be.
func (b *largeBodies) announced(header *fasthttp.RequestHeader, now time.Time) int {
	b.done(header) // of a request that was dropped in silence
	length := header.ContentLength()
	if length > b.limit || length >= 0 && length <= smallBody || length == identityBody {
		return b.limit // refused by its length, or small, or absent
	}
	room := memoryOf(length)
	if length < 0 {
		room = memoryOf(b.limit + len("\r\n")) // in chunks: it may become that long
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.free < room {
		b.expire(now)
	}
	entry := largeBody{room: room, until: now.Add(b.time)}
	if b.free < room {
		entry.room, entry.refused = 0, true
	}
	b.free -= entry.room
	b.all[header] = entry
	b.held.Store(int64(len(b.all)))
	if entry.refused {
		return min(smallBody, b.limit)
	}
	return b.limit
}

// memoryOf is what fasthttp takes for so many bytes: the next power of two.
func memoryOf(length int) int { return 1 << bits.Len(uint(length-1)) }

// identityBody is how fasthttp says that neither length nor chunks are announced: no body.
const identityBody = -2

// read is told that a body is there: it is kept until done.
func (b *largeBodies) read(header *fasthttp.RequestHeader) {
	if b.held.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if entry, ok := b.all[header]; ok {
		entry.until = time.Time{}
		b.all[header] = entry
	}
}

// refused reports whether there was no room for an announced body.
func (b *largeBodies) refused(header *fasthttp.RequestHeader) bool {
	if b.held.Load() == 0 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all[header].refused
}

// done gives the room of a request back and reports whether there was none for it.
func (b *largeBodies) done(header *fasthttp.RequestHeader) (refused bool) {
	if b.held.Load() == 0 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.release(header)
}

func (b *largeBodies) release(header *fasthttp.RequestHeader) (refused bool) {
	entry := b.all[header]
	delete(b.all, header)
	b.free += entry.room
	b.held.Store(int64(len(b.all)))
	return entry.refused
}

func (b *largeBodies) expire(now time.Time) {
	for header, entry := range b.all {
		if !entry.until.IsZero() && now.After(entry.until) {
			b.release(header)
		}
	}
}
