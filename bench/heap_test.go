package bench

import "testing"

// own is how many allocations of the handler may be our own, not crypto's (house rule of
// the hot path).
const own = 4

// TestAllocations holds the handler, with everything on, to its ceilings.
func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	messages := &store{}
	for _, c := range cells() {
		t.Run(c.String(), func(t *testing.T) {
			r := newRace(t, c, written, messages, 112)
			handler, keys := r.heap(100, r.answer), r.heap(100, r.theKeys)
			t.Logf("%.1f allocations, %.1f of them in crypto, %.0f octets", handler.allocations, keys.allocations, handler.bytes)
			if handler.allocations > c.allocations {
				t.Errorf("%.1f allocations a request, want at most %.0f", handler.allocations, c.allocations)
			}
			if ours := handler.allocations - keys.allocations; ours > own {
				t.Errorf("%.1f allocations of our own, want at most %d", ours, own)
			}
		})
	}
}
