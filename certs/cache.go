package certs

import (
	"fmt"

	"github.com/dgraph-io/ristretto/v2"
)

// digestCache keeps what can be made again, under the first 64 bits of a SHA-256.
// A value that is found may belong to another digest: the caller compares the
// digest that the value holds. A set may be dropped and is not visible at once.
type digestCache[V any] struct {
	c *ristretto.Cache[uint64, *V]
}

func newDigestCache[V any](entries int64) (*digestCache[V], error) {
	c, err := ristretto.NewCache(&ristretto.Config[uint64, *V]{
		NumCounters:        10 * entries,
		MaxCost:            entries, // each costs one
		BufferItems:        64,
		IgnoreInternalCost: true,
		KeyToHash:          func(key uint64) (uint64, uint64) { return key, 0 }, // a digest is a hash already
	})
	if err != nil {
		return nil, fmt.Errorf("certs: cache: %w", err)
	}
	return &digestCache[V]{c}, nil
}

func (d *digestCache[V]) get(key uint64) *V {
	value, ok := d.c.Get(key)
	if !ok {
		return nil
	}
	return value
}

func (d *digestCache[V]) set(key uint64, value *V) { d.c.Set(key, value, 1) }
func (d *digestCache[V]) settle()                  { d.c.Wait() }
func (d *digestCache[V]) close()                   { d.c.Close() }
