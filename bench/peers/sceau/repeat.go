package main

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"sceau/soap"
)

// repeated is a replay state that does all the work of soap.MemoryReplay and finds nothing
// replayed: it remembers every message under another name.
type repeated struct {
	count  atomic.Uint64
	memory atomic.Pointer[soap.MemoryReplay]
}

// replayCapacity is that of stsd. Before as many messages have come, they are all forgotten.
const replayCapacity = 1_000_000

func newRepeated() *repeated {
	r := &repeated{}
	r.memory.Store(soap.NewMemoryReplay(replayCapacity))
	return r
}

// Remember implements soap.ReplayState.
func (r *repeated) Remember(digest [32]byte, until, now time.Time) error {
	n := r.count.Add(1)
	if n%(replayCapacity/2) == 0 {
		r.memory.Store(soap.NewMemoryReplay(replayCapacity))
	}
	var name [32]byte
	copy(name[:], digest[:])
	binary.LittleEndian.PutUint64(name[:], binary.LittleEndian.Uint64(digest[:])^n)
	return r.memory.Load().Remember(name, until, now)
}
