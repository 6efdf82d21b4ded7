// Package xsdtime reads and writes the xsd:dateTime values of messages, in the forms
// that clients of the eHealth wire really send.
package xsdtime

import (
	"errors"
	"time"
)

// ErrSyntax says that a text is no dateTime of an admitted form.
var ErrSyntax = errors.New("malformed dateTime")

// Layout is the form that Append writes: UTC, milliseconds, "Z".
const Layout = "2006-01-02T15:04:05.000Z"

// Parse reads YYYY-MM-DDThh:mm:ss, an optional fraction of one to nine digits, and a
// zone: Z, ±hh:mm, or ±hhmm as older Java date patterns write it. Everything else is
// ErrSyntax: a time without a zone is local to nobody knows where, a second 60 does
// not exist in POSIX time (BSP R3213 asks for UTC without leap seconds), and a year
// has four digits (attacks.md R3). White space around the value is collapsed, as the
// schema type says. It does not allocate.
func Parse(text []byte) (time.Time, error) {
	for len(text) > 0 && isSpace(text[0]) {
		text = text[1:]
	}
	for len(text) > 0 && isSpace(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	if len(text) < len("2006-01-02T15:04:05Z") {
		return time.Time{}, ErrSyntax
	}
	year, ok1 := digits(text[0:4])
	month, ok2 := digits(text[5:7])
	day, ok3 := digits(text[8:10])
	hour, ok4 := digits(text[11:13])
	minute, ok5 := digits(text[14:16])
	second, ok6 := digits(text[17:19])
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6) || text[4] != '-' || text[7] != '-' ||
		text[10] != 'T' || text[13] != ':' || text[16] != ':' {
		return time.Time{}, ErrSyntax
	}
	if year == 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, ErrSyntax
	}
	rest := text[19:]
	nano := 0
	if rest[0] == '.' {
		rest = rest[1:]
		n, scale := 0, 100_000_000
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			if n == 9 {
				return time.Time{}, ErrSyntax
			}
			nano += int(rest[n]-'0') * scale
			scale /= 10
			n++
		}
		if n == 0 {
			return time.Time{}, ErrSyntax
		}
		rest = rest[n:]
	}
	offset, ok := zone(rest)
	if !ok {
		return time.Time{}, ErrSyntax
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nano, time.UTC)
	return t.Add(-offset), nil
}

// zone reads Z, ±hh:mm or ±hhmm, up to 14 hours.
func zone(text []byte) (time.Duration, bool) {
	if len(text) == 1 && text[0] == 'Z' {
		return 0, true
	}
	if len(text) == 6 && text[3] == ':' {
		text = append(append(make([]byte, 0, 5), text[:3]...), text[4:]...)
	}
	if len(text) != 5 || text[0] != '+' && text[0] != '-' {
		return 0, false
	}
	hours, ok1 := digits(text[1:3])
	minutes, ok2 := digits(text[3:5])
	if !ok1 || !ok2 || minutes > 59 || hours*60+minutes > 14*60 {
		return 0, false
	}
	offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if text[0] == '-' {
		offset = -offset
	}
	return offset, true
}

// Append writes t in UTC with milliseconds.
func Append(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(dst, Layout)
	}
	hour, minute, second := t.Clock()
	milli := t.Nanosecond() / 1e6
	d := func(n int) byte { return byte('0' + n%10) }
	return append(dst, d(year/1000), d(year/100), d(year/10), d(year), '-', d(int(month)/10), d(int(month)), '-', d(day/10), d(day),
		'T', d(hour/10), d(hour), ':', d(minute/10), d(minute), ':', d(second/10), d(second), '.', d(milli/100), d(milli/10), d(milli), 'Z')
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

func digits(text []byte) (n int, ok bool) {
	for _, b := range text {
		if b < '0' || b > '9' {
			return 0, false
		}
		n = n*10 + int(b-'0')
	}
	return n, true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}
