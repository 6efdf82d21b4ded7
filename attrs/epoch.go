package attrs

import "sync/atomic"

// An EpochCounter is what a Versioned source needs to give its Epoch: a number that grows whenever the data may have changed.
// The zero EpochCounter cannot tell. One goroutine at a time calls Advance, Keep and Lose; any calls Epoch.
type EpochCounter struct {
	number atomic.Uint64 // zero: cannot tell
	last   uint64
}

// Advance says that the data have changed, or may have while nobody looked.
func (c *EpochCounter) Advance() {
	c.last++
	c.number.Store(c.last)
}

// Keep says that the data were looked at and are those of the last Advance, also after a Lose. Before the first Advance it
// is one: nothing was kept yet.
func (c *EpochCounter) Keep() {
	if c.last == 0 {
		c.last = 1
	}
	c.number.Store(c.last)
}

// Lose says that nobody can tell until the next Advance or Keep.
func (c *EpochCounter) Lose() { c.number.Store(0) }

// Epoch is that of [Versioned].
func (c *EpochCounter) Epoch() (uint64, bool) {
	n := c.number.Load()
	return n, n != 0
}
