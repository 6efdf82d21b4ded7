package rfc3339

import (
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	at := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		text string
		want time.Time // zero: none
	}{
		{"2026-11-21T20:00:00Z", at},
		{"2026-11-21T21:00:00+01:00", at},
		{"2026-11-21T20:00:00.5Z", at.Add(time.Second / 2)},
		{"2026-11-21T20:00:00.000001Z", at.Add(time.Microsecond)},
		{"", time.Time{}},
		{"2026-11-21", time.Time{}},
		{"2026-11-21 20:00:00Z", time.Time{}},
		{"2026-11-21T20:00:00", time.Time{}},
		{"2026-11-21T20:00:00,5Z", time.Time{}},
		{"2026-11-21T8:00:00.0Z", time.Time{}},
		{"2026-11-21T20:00:00+24:00", time.Time{}},
		{"2026-11-21T20:00:00+01:60", time.Time{}},
		{"2026-11-21T20:00:00+0100", time.Time{}},
		{"2026-02-29T20:00:00Z", time.Time{}},
		{"2026-11-21T24:00:00Z", time.Time{}},
		{"2026-11-21T20:00:00Z ", time.Time{}},
		{"12026-11-21T20:00:00Z", time.Time{}},
	} {
		got, err := Parse(tt.text)
		if !got.Equal(tt.want) || (err != nil) != tt.want.IsZero() {
			t.Errorf("%q: %v, %v", tt.text, got, err)
		}
	}
}
