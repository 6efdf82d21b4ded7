package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sceau/bench/load/drive"
	"sceau/bench/load/measure"
)

// On a terminal one line is written anew; a line that stays comes below it.
func TestConsoleTerminal(t *testing.T) {
	var b strings.Builder
	c := newConsole(&b)
	c.terminal = true
	c.say("begin")
	c.pass("one")
	c.pass("%s", strings.Repeat("é", 300))
	c.say("end")
	c.finish()
	want := "begin\n\r\x1b[Kone\r\x1b[K" + strings.Repeat("é", lineWidth) + "\nend\n"
	if b.String() != want {
		t.Errorf("%q", b.String())
	}
}

// Elsewhere a passing line is written every few seconds.
func TestConsoleFile(t *testing.T) {
	var b strings.Builder
	c := newConsole(&b)
	now := time.Unix(0, 0)
	c.now = func() time.Time { return now }
	c.say("begin")
	for range 11 {
		now = now.Add(time.Second)
		c.point("load", measure.Point{At: now.Sub(time.Unix(0, 0)), Offered: 20, Served: 19, Busy: 1, P50: time.Millisecond, P99: 2 * time.Millisecond, CPU: .5, RSS: 7 << 20})
	}
	c.finish()
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[1], "5 s  20 offered, 19 served, 1 busy  p50 1 ms p99 2 ms  server 0.50 cores, 7 MiB") || !strings.Contains(lines[2], "10 s") {
		t.Errorf("%q", lines)
	}
}

func TestProgress(t *testing.T) {
	var b strings.Builder
	c := newConsole(&b)
	c.terminal = true
	c.progress("nothing", 0, 0)
	c.progress("signing", 0, 7)
	c.progress("signing", 7, 7)
	c.progress("signing", 9, 7)
	lines := strings.Split(b.String(), "\r\x1b[K")
	if len(lines) != 4 || strings.Contains(lines[1], "=") || strings.Count(lines[2], "=") != barWidth || utf8.RuneCountInString(lines[3]) > lineWidth {
		t.Errorf("%q", lines)
	}
}

// The live line of a pair says whose turn it is.
func TestLiveLineOfPair(t *testing.T) {
	s, err := parse("target: {start: {}, name: new}\nagainst: {start: {}, name: old}\nphases: [{name: duel, kind: pair, rate: 5}]\n")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	r := &session{scenario: s, console: newConsole(&b)}
	r.console.terminal = true
	for _, target := range s.targets() {
		r.sides = append(r.sides, &side{target: drive.Target{Name: target.Name}})
	}
	plans, err := r.plans(t.Context(), &s.Phases[0])
	if err != nil || len(plans) != 2 {
		t.Fatal(plans, err)
	}
	for i, want := range []string{"duel, new  1 s", "duel, old  1 s"} {
		b.Reset()
		plans[i].Live(measure.Point{At: time.Second})
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q, not %q", b.String(), want)
		}
	}
}
