package certs

import (
	"fmt"
	"sync/atomic"

	"github.com/dgraph-io/ristretto/v2"
)

// digestCache keeps what can be made again, under the first 64 bits of a SHA-256.
// A value that is found may belong to another digest: the caller compares the
// digest that the value holds. A set may be dropped and is not visible at once.
//
// In front of it stand a few slots with what was found or set last under each: a
// ristretto look-up wakes a goroutine now and then, and costs more than all else that a
// warm request asks of this package.
type digestCache[V any] struct {
	c      *ristretto.Cache[uint64, *V]
	keyOf  func(*V) uint64
	weight func(*V) int64
	front  [frontSlots]atomic.Pointer[V]
}

const frontSlots = 256

// newDigestCache makes a cache for so many values of the weight one.
func newDigestCache[V any](entries int64, keyOf func(*V) uint64, weight func(*V) int64) (*digestCache[V], error) {
	c, err := ristretto.NewCache(&ristretto.Config[uint64, *V]{
		NumCounters:        10 * entries,
		MaxCost:            entries,
		BufferItems:        64,
		IgnoreInternalCost: true,
		KeyToHash:          func(key uint64) (uint64, uint64) { return key, 0 }, // a digest is a hash already
	})
	if err != nil {
		return nil, fmt.Errorf("certs: cache: %w", err)
	}
	return &digestCache[V]{c: c, keyOf: keyOf, weight: weight}, nil
}

func (d *digestCache[V]) get(key uint64) *V {
	slot := &d.front[key%frontSlots]
	if value := slot.Load(); value != nil && d.keyOf(value) == key {
		return value
	}
	value, ok := d.c.Get(key)
	if !ok {
		return nil
	}
	slot.Store(value)
	return value
}

func (d *digestCache[V]) set(key uint64, value *V) {
	d.front[key%frontSlots].Store(value)
	d.c.Set(key, value, d.weight(value))
}

func (d *digestCache[V]) settle() { d.c.Wait() }

func (d *digestCache[V]) close() {
	d.c.Close()
	for i := range d.front {
		d.front[i].Store(nil)
	}
}
