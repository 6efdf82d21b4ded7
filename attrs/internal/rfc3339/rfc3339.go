// Package rfc3339 reads the times of sources: RFC 3339 with a zone, and nothing that merely looks like it.
package rfc3339

import (
	"errors"
	"time"
)

// ErrSyntax says that a text is no such time.
var ErrSyntax = errors.New("want RFC 3339 with zone, such as 2026-11-21T20:00:00Z")

// Parse reads a time. It refuses what package time lets pass: a comma before the fraction, one digit of hour, an offset of
// 24 hours or more.
func Parse(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || !strict(s) {
		return time.Time{}, ErrSyntax
	}
	return t, nil
}

func strict(s string) bool {
	if len(s) < len("2026-11-21T20:00:00Z") || s[10] != 'T' || s[13] != ':' || s[19] == ',' {
		return false
	}
	if zone := s[len(s)-1]; zone == 'Z' {
		return true
	}
	offset := s[len(s)-len("+00:00"):]
	return offset[1:3] <= "23" && offset[4:] <= "59"
}
