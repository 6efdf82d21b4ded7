//go:build !race

// The race detector allocates.

package drive

import (
	"testing"
	"time"

	"sceau/bench/load/measure"
)

// TestServeAllocatesNothing: the generator's garbage would disturb what it measures.
func TestServeAllocatesNothing(t *testing.T) {
	w := scripted(t)
	due := time.Now()
	if n := testing.AllocsPerRun(200, func() {
		if !w.serve(t.Context(), due) {
			t.Error("ended")
		}
	}); n > 0 {
		t.Errorf("%v allocations for an exchange", n)
	}
	if w.run.Classes[measure.Right] != 201 {
		t.Error(w.run.Classes, w.run.Failures)
	}
}
