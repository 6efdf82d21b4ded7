package main

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sceau/audit"
)

// TestOverloadRecords: every refusal is in a record that bears the id it was told, none is
// in two, and there are few records.
func TestOverloadRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		records := map[audit.ID]string{}
		o := overload{record: func(e *audit.Event) {
			mu.Lock()
			defer mu.Unlock()
			if _, twice := records[e.ID]; twice {
				t.Error("one id for two records")
			}
			records[e.ID] = e.Cause
		}}
		told := map[audit.ID]int{}
		refuse := func(n int) {
			for range n {
				told[o.refuse(audit.Event{ID: audit.NewID(time.Now()), Time: time.Now(), Code: "SOA-02002"})]++
			}
		}
		refuse(1000)
		mu.Lock()
		if len(told) != 1 || len(records) != 0 {
			t.Errorf("%d ids, %d records within the window", len(told), len(records))
		}
		mu.Unlock()
		time.Sleep(overloadWindow)
		synctest.Wait()
		refuse(7)
		time.Sleep(10 * overloadWindow) // nothing happens: nothing is recorded
		synctest.Wait()
		refuse(3)
		o.close()
		refuse(1)
		o.close()
		if len(records) != 4 || len(told) != 4 {
			t.Fatalf("%d records, %d ids", len(records), len(told))
		}
		for id, n := range told {
			if !strings.Contains(records[id], map[int]string{1000: ", 1000 of", 7: ", 7 of", 3: ", 3 of", 1: ", 1 of"}[n]) {
				t.Errorf("%d refusals are on record as %q", n, records[id])
			}
		}
	})
}
