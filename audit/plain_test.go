package audit

import (
	"strings"
	"testing"
)

// slowPlain is plain as it is defined.
func slowPlain(s string) int {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f || s[i] == '"' || s[i] == '\\' {
			return i
		}
	}
	return len(s)
}

// TestPlain sets every byte at every place of texts around the width of a word, before and after
// neighbours whose bits could carry over.
func TestPlain(t *testing.T) {
	for length := range 20 {
		for _, around := range []byte{' ', '!', '#', '[', ']', 'A', 0x7e, 0x7f, 0x80, 0, '"', '\\', 0xff} {
			text := []byte(strings.Repeat(string([]byte{around}), length))
			check := func() {
				t.Helper()
				if got, other, want := plain(string(text)), plain(text), slowPlain(string(text)); got != want || other != want {
					t.Fatalf("%q: %d as string, %d as bytes, want %d", text, got, other, want)
				}
			}
			check()
			for at := range text {
				for b := range 256 {
					text[at] = byte(b)
					check()
				}
				text[at] = 'A' // plain so far: the next place is reached
			}
		}
	}
}

// TestMayHoldNumber: wherever a run of digits begins that is long enough to be masked, it is seen.
func TestMayHoldNumber(t *testing.T) {
	for before := range 20 {
		for after := range 20 {
			for run := range 20 {
				text := strings.Repeat("x", before) + strings.Repeat("7", run) + strings.Repeat("x", after)
				want := text
				if run >= shortestNumber {
					want = strings.Repeat("x", before) + strings.Repeat("#", run) + strings.Repeat("x", after)
				}
				masked := []byte(text)
				if maskNumbers(masked); string(masked) != want {
					t.Fatalf("%q became %q", text, masked)
				}
			}
		}
	}
}
