package certs

import (
	"unicode"
	"unicode/utf8"
)

// appendFolded appends the form in which a value is compared (RFC 5280 section
// 7.1, after RFC 4518): cases folded, every kind of space a space, no space at
// either end and never two. It is never longer than the value.
func appendFolded(dst []byte, value string) []byte {
	start := len(dst)
	space := false // one is owed before the next character
	for i := 0; i < len(value); {
		r, size := rune(value[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(value[i:])
		}
		i += size
		if r == ' ' || r >= utf8.RuneSelf && unicode.Is(unicode.Zs, r) {
			space = true
			continue
		}
		if space && len(dst) > start {
			dst = append(dst, ' ')
		}
		space = false
		dst = utf8.AppendRune(dst, foldRune(r))
	}
	return dst
}

// foldRune gives the one character that stands for all its cases.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	if least >= 'A' && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}
