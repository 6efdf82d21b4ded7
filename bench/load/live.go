package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"sceau/bench/load/measure"
)

const (
	lineWidth = 100             // of the live line, at most
	quietStep = 5 * time.Second // between lines when nobody looks at a terminal
	barWidth  = 30
)

// A console tells on standard error what goes on: one line that is written anew on a terminal, and
// elsewhere a line every few seconds. Safe for concurrent use.
type console struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	now      func() time.Time
	open     bool      // the last line on the terminal is not ended
	last     time.Time // of the last passing line elsewhere
}

func newConsole(w io.Writer) *console {
	return &console{w: w, terminal: isTerminal(w), now: time.Now}
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// say writes a line that stays.
func (c *console) say(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endLine()
	fmt.Fprintf(c.w, format+"\n", args...)
	c.last = c.now()
}

// pass writes a line that the next may replace.
func (c *console) pass(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	if c.terminal {
		if runes := []rune(text); len(runes) > lineWidth {
			text = string(runes[:lineWidth])
		}
		fmt.Fprint(c.w, "\r\x1b[K"+text)
		c.open = true
		return
	}
	if c.now().Sub(c.last) < quietStep {
		return
	}
	fmt.Fprintln(c.w, text)
	c.last = c.now()
}

// finish ends the line that would have been replaced.
func (c *console) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endLine()
}

func (c *console) endLine() {
	if c.open {
		fmt.Fprintln(c.w)
		c.open = false
	}
}

// point is the live line of one second of a run.
func (c *console) point(phase string, p measure.Point) {
	text := fmt.Sprintf("  %s  %s  %d offered, %d served", phase, short(p.At.Round(time.Second)), p.Offered, p.Served)
	if p.Busy > 0 {
		text += fmt.Sprintf(", %d busy", p.Busy)
	}
	if p.Other > 0 {
		text += fmt.Sprintf(", %d not served", p.Other)
	}
	if p.P50 > 0 {
		text += fmt.Sprintf("  p50 %s p99 %s", short(p.P50), short(p.P99))
	}
	if p.CPU > 0 {
		text += fmt.Sprintf("  server %.2f cores, %d MiB", p.CPU, p.RSS>>20)
	}
	c.pass("%s", text)
}

// progress is the bar of work of which done of all is done.
func (c *console) progress(what string, done, all int) {
	if all <= 0 {
		return
	}
	full := min(done, all) * barWidth / all
	c.pass("  %s [%s%s] %d of %d", what, strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), done, all)
}
