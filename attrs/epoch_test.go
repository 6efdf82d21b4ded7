package attrs

import "testing"

func TestEpochCounter(t *testing.T) {
	var c EpochCounter
	last := uint64(0)
	check := func(after string, known, grown bool) {
		t.Helper()
		n, ok := c.Epoch()
		if ok != known || known && (n > last) != grown || known && n < last {
			t.Errorf("after %s: %d, %v, and %d before", after, n, ok, last)
		}
		if known {
			last = n
		}
	}
	check("nothing", false, false)
	c.Keep()
	check("a first look", true, true)
	c.Keep()
	check("a look that shows the same", true, false)
	c.Advance()
	check("a change", true, true)
	c.Lose()
	check("a loss", false, false)
	c.Keep()
	check("the same data again", true, false)
	c.Lose()
	c.Advance()
	check("a change in the dark", true, true)
	if n := testing.AllocsPerRun(100, func() { c.Epoch() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
