package drive

import (
	"context"
	"testing"
	"time"
)

// TestAlarms: never too early, and never asleep after the end.
func TestAlarms(t *testing.T) {
	for name, newOne := range map[string]func(context.Context) (alarm, error){"of this system": newAlarm, "of the runtime": newRuntimeAlarm} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			a, err := newOne(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer a.close()
			for _, wait := range []time.Duration{-time.Hour, 0, 1, time.Microsecond, 50 * time.Microsecond, time.Millisecond, 5 * time.Millisecond} {
				at := time.Now().Add(wait)
				if !a.until(at) || time.Now().Before(at) {
					t.Errorf("%v: woken %v too early", wait, time.Until(at))
				}
			}
			woken := make(chan bool)
			go func() { woken <- a.until(time.Now().Add(time.Hour)) }()
			cancel()
			if <-woken {
				t.Error("slept an hour")
			}
		})
	}
}
