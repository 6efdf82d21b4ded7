package wsp

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// knownAssertions remembers verified assertions, under the first 64 bits of the
// SHA-256 of their canonical form. An entry may be dropped at any time, and is not
// visible at once. The nil knownAssertions knows none.
type knownAssertions struct {
	cache *ristretto.Cache[uint64, *assertion]
}

// overhead is what an assertion takes beside its octets.
const overhead = 512

func newKnownAssertions(bytes int64) (*knownAssertions, error) {
	cache, err := ristretto.NewCache(&ristretto.Config[uint64, *assertion]{
		NumCounters:        max(1000, bytes/400), // ten times what fits of assertions of 4 KB
		MaxCost:            bytes,
		BufferItems:        64,
		IgnoreInternalCost: true,
		KeyToHash:          func(key uint64) (uint64, uint64) { return key, 0 }, // a digest is a hash already
	})
	if err != nil {
		return nil, fmt.Errorf("wsp: memory of assertions: %w", err)
	}
	return &knownAssertions{cache}, nil
}

func cacheKey(digest *[sha256.Size]byte) uint64 { return binary.BigEndian.Uint64(digest[:8]) }

// find gives the assertion with this digest, the whole of it, or nil.
func (k *knownAssertions) find(digest [sha256.Size]byte) *assertion {
	if k == nil {
		return nil
	}
	v, ok := k.cache.Get(cacheKey(&digest))
	if !ok || v.digest != digest {
		return nil
	}
	return v
}

// add remembers an assertion until it ends.
func (k *knownAssertions) add(v *assertion, now time.Time) {
	if left := v.notOnOrAfter.Sub(now); left > 0 {
		k.cache.SetWithTTL(cacheKey(&v.digest), v, int64(v.size+overhead), left)
	}
}

func (k *knownAssertions) settle() { k.cache.Wait() }
func (k *knownAssertions) close()  { k.cache.Close() }
