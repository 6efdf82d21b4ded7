package xmltext

import "math/bits"

// Plain returns how many bytes s begins with that stand for themselves wherever XML has them, in
// canonical form too: ASCII without controls, "&", "<", ">" and the double quote.
func Plain[T string | []byte](s T) int {
	rest := s
	for len(rest) >= 16 {
		first, second := special(word(rest)), special(word(rest[8:]))
		if first|second != 0 {
			at := len(s) - len(rest)
			if first == 0 {
				at, first = at+8, second
			}
			return at + bits.TrailingZeros64(first)/8
		}
		rest = rest[16:]
	}
	for len(rest) > 0 && classes[rest[0]]&classPlain != 0 {
		rest = rest[1:]
	}
	return len(s) - len(rest)
}

// word is the first eight bytes of s, the first one lowest.
func word[T string | []byte](s T) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// special marks the bytes of a word that are not plain by their high bit. The lowest mark is
// exact; those above it may be there for the borrow of a subtraction below.
func special(x uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	controls := x - 0x20*ones
	quoteOrAmp := (x | 0x04*ones) ^ '&'*ones - ones // zero bytes become 0xFF: '"' is '&' without that bit
	lessOrGreater := (x | 0x02*ones) ^ '>'*ones - ones
	return (x | controls | quoteOrAmp | lessOrGreater) & highs
}
