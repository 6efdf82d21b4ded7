package message

import (
	"bytes"
	"testing"
	"time"

	"sceau/bench/load/measure"
)

// TestPad: messages of all kinds have exactly as many bytes as was asked, white space where no signature looks and nothing else
// more, and are answered as others are.
func TestPad(t *testing.T) {
	const pad = 100_000
	ring := NewRing(64, 30*time.Second)
	maker := newMaker(t, MakerConfig{Mix: everything(), Seed: 1, Replay: ring, Pad: pad})
	checker := newChecker(t, CheckerConfig{Sample: 1, Replay: ring})
	s := service(t, testPKI(t), P256, time.Now)
	seen := map[measure.Kind]int{}
	for range 60 {
		var shot measure.Shot
		fatal(t, maker.Next(time.Now(), &shot))
		if len(shot.Body) != pad {
			t.Fatalf("%s: %d bytes", shot.Kind, len(shot.Body))
		}
		before, after, found := bytes.Cut(shot.Body, []byte("</soapenv:Header>"))
		if blank := bytes.IndexByte(after, '<'); !found || blank < pad/2 || len(bytes.TrimLeft(after[:blank], " ")) > 0 ||
			bytes.Contains(before, []byte("  ")) || bytes.Contains(after[blank:], []byte("  ")) {
			t.Fatalf("%s: %d bytes between Header and Body", shot.Kind, blank)
		}
		status, answer := ask(s, &shot)
		if verdict := checker.Check(&shot, status, answer); verdict.Class != measure.Right {
			t.Fatalf("%s: %+v\n%s", shot.Kind, verdict, answer)
		}
		seen[shot.Kind]++
	}
	if len(seen) != len(measure.Kinds()) {
		t.Errorf("only %v", seen)
	}
}

// TestNoPad: a message that is longer already stays as it is.
func TestNoPad(t *testing.T) {
	var plain, padded measure.Shot
	fatal(t, newMaker(t, MakerConfig{PKI: only(t, 0), Mix: Queries()}).Next(time.Now(), &plain))
	fatal(t, newMaker(t, MakerConfig{PKI: only(t, 0), Mix: Queries(), Pad: 1000}).Next(time.Now(), &padded))
	if len(plain.Body) < 5000 || len(padded.Body) < 5000 || bytes.Contains(padded.Body, []byte("  ")) {
		t.Errorf("%d bytes, and %d with padding to 1000", len(plain.Body), len(padded.Body))
	}
}
