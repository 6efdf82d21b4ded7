package xsdtime

import (
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	want := time.Date(2026, 11, 21, 19, 51, 19, 873_000_000, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-11-21T19:51:19.873Z":       want,                       // the connector
		"2026-11-21T19:51:19Z":           want.Truncate(time.Second), // eHI
		"2026-11-21T20:51:19.873+01:00":  want,                       // JavaScript
		"2026-11-21T20:51:19.873+0100":   want,                       // MyCareNet's pattern
		"2026-11-21T19:51:19.873+0000":   want,
		"2026-11-21T19:51:19.8730000Z":   want, // .NET ToString("O")
		"2026-11-21T09:21:19.873-10:30":  want,
		" 2026-11-21T19:51:19.873Z\n":    want,
		"2026-11-21T19:51:19.873000001Z": want.Add(1),
		"2024-02-29T00:00:00Z":           time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
		"2026-11-22T09:51:19.873+14:00":  want,
	} {
		got, err := Parse([]byte(text))
		if err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "2026", "2026-11-21", "2026-11-21T19:51:19", // no zone: local time
		"2026-11-21T19:51:60Z", "2026-11-21T24:00:00Z", "2026-11-21T19:60:00Z", // second 60
		"2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-04-31T00:00:00Z",
		"10000-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "-2026-01-01T00:00:00Z",
		"2026-11-21T19:51:19.Z", "2026-11-21T19:51:19.1234567890Z", // ten digits
		"2026-11-21T19:51:19+15:00", "2026-11-21T19:51:19+01", "2026-11-21T19:51:19+01:60", "2026-11-21T19:51:19CET",
		"2026-11-21t19:51:19Z", "2026-11-21 19:51:19Z", "2026-11-21T19:51:19z", "2026/11/21T19:51:19Z",
		"2569-11-21T19:51:19", "２026-11-21T19:51:19Z",
	} {
		if got, err := Parse([]byte(text)); err == nil || !got.IsZero() {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.FixedZone("", 3600))
	text := Append(nil, at)
	if string(text) != "2026-01-02T02:04:05.006Z" {
		t.Fatalf("%s", text)
	}
	back, err := Parse(text)
	if err != nil || !back.Equal(at) {
		t.Fatal(back, err)
	}
	if n := testing.AllocsPerRun(100, func() { Parse(text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("2026-11-21T19:51:19.873Z"))
	f.Add([]byte("2026-11-21T19:51:19+0100"))
	f.Fuzz(func(t *testing.T, text []byte) {
		at, err := Parse(text)
		if err != nil {
			return
		}
		if back, err := Parse(at.AppendFormat(nil, time.RFC3339Nano)); at.Year() > 0 && at.Year() < 10000 && (err != nil || !back.Equal(at)) {
			t.Fatalf("%q: %v, then %v, %v", text, at, back, err)
		}
	})
}
