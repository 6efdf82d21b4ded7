package audit

import "math/bits"

// plain returns how many bytes text begins with that stand for themselves in a record: printable
// ASCII but the double quote and the backslash.
func plain[T string | []byte](text T) int {
	rest := text
	for len(rest) >= 8 {
		if marks := special(rest); marks != 0 {
			return len(text) - len(rest) + bits.TrailingZeros64(marks)/8
		}
		rest = rest[8:]
	}
	for len(rest) > 0 && rest[0] >= ' ' && rest[0] < 0x7f && rest[0] != '"' && rest[0] != '\\' {
		rest = rest[1:]
	}
	return len(text) - len(rest)
}

// special marks those of the first eight bytes of text that are not plain by their high bit, the
// first byte lowest. The lowest mark is exact; those above it may be there for the borrow
// of a subtraction.
func special[T string | []byte](text T) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	_ = text[7]
	x := uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
		uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
	// x ^ c has a zero byte where x has c; less one it is 0xFF.
	controls, del, quote, backslash := x-' '*ones, (x^0x7f*ones)-ones, (x^'"'*ones)-ones, (x^'\\'*ones)-ones
	return (x | controls | del | quote | backslash) & highs
}
