package main

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The statuses with which stsd ends, as grep and diff have them: a script can tell
// "the answer is no" from "there is no answer".
const (
	exitNo    = 1 // what was asked about is not good: an import refused, a journal that does not hold together
	exitError = 2 // the command could not be carried out
)

// A finding is the error of a command that was carried out and whose answer is no.
// What there is to say beyond one line was written before.
type finding string

func (f finding) Error() string { return string(f) }

// exitStatus gives the status of a command that ended with err.
func exitStatus(err error) int {
	var no finding
	switch {
	case err == nil:
		return 0
	case errors.As(err, &no):
		return exitNo
	}
	return exitError
}

// plain makes text from outside safe to show: what is not printable (control
// characters, marks that turn the direction of writing, bytes that are no text) is
// written as an escape, so that nothing that a stranger once sent steers the terminal
// of whoever reads it (attacks.md Z10).
func plain(text string) string {
	ok := func(r rune) bool { return r != utf8.RuneError && (r == ' ' || unicode.IsPrint(r)) }
	if strings.IndexFunc(text, func(r rune) bool { return !ok(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case ok(r):
			b.WriteRune(r)
		case r < 0x80:
			b.WriteString(`\x`)
			b.WriteByte("0123456789abcdef"[r>>4])
			b.WriteByte("0123456789abcdef"[r&15])
		default:
			b.WriteString(`\u`)
			for shift := 16; shift >= 0; shift -= 4 {
				if digit := r >> shift & 15; shift < 16 || digit > 0 {
					b.WriteByte("0123456789abcdef"[digit])
				}
			}
		}
	}
	return b.String()
}

// plainLines is plain for a text of several lines, which may be indented: an error that quotes a file.
func plainLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		rest := strings.TrimLeft(line, "\t")
		lines[i] = line[:len(line)-len(rest)] + plain(rest)
	}
	return strings.Join(lines, "\n")
}
