package xmltext

import "unicode/utf8"

// Classes of bytes, for table-driven scanning.
const (
	classNameStart = 1 << iota // ASCII NCNameStartChar
	className                  // ASCII NCNameChar
	classSpace                 // production S
	classValue                 // stands for itself in an attribute value, quotes excepted
	classPlain                 // see Plain
)

var classes = func() (t [256]uint8) {
	for b := 0; b < 0x80; b++ {
		c := byte(b)
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
			t[b] |= classNameStart | className
		case c >= '0' && c <= '9', c == '-', c == '.':
			t[b] |= className
		case c == ' ', c == '\t', c == '\n', c == '\r':
			t[b] |= classSpace
		}
		if c >= 0x20 && c != '<' && c != '&' && c != '"' && c != '\'' {
			t[b] |= classValue
		}
		if c >= 0x20 && c != '<' && c != '>' && c != '&' && c != '"' {
			t[b] |= classPlain
		}
	}
	return t
}()

func isSpace(b byte) bool { return classes[b]&classSpace != 0 }

// isChar is production Char of XML 1.0.
func isChar(r rune) bool {
	return r >= 0x20 && r <= 0xD7FF || r == '\t' || r == '\n' || r == '\r' ||
		r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

// isNameStart is NameStartChar of XML 1.0, fifth edition, without the colon, for
// characters beyond ASCII.
func isNameStart(r rune) bool {
	switch {
	case r >= 0xC0 && r <= 0x2FF:
		return r != 0xD7 && r != 0xF7
	case r >= 0x370 && r <= 0x1FFF:
		return r != 0x37E
	case r == 0x200C, r == 0x200D:
		return true
	case r >= 0x2070 && r <= 0x218F, r >= 0x2C00 && r <= 0x2FEF, r >= 0x3001 && r <= 0xD7FF,
		r >= 0xF900 && r <= 0xFDCF, r >= 0xFDF0 && r <= 0xFFFD, r >= 0x10000 && r <= 0xEFFFF:
		return true
	}
	return false
}

// isNameRest is NameChar likewise.
func isNameRest(r rune) bool {
	return isNameStart(r) || r == 0xB7 || r >= 0x300 && r <= 0x36F || r == 0x203F || r == 0x2040
}

// IsNCName reports whether name is an NCName of Namespaces in XML: a name without
// a colon.
func IsNCName(name []byte) bool {
	if len(name) == 0 {
		return false
	}
	for i := 0; i < len(name); {
		b := name[i]
		if b < 0x80 {
			want := uint8(className)
			if i == 0 {
				want = classNameStart
			}
			if classes[b]&want == 0 {
				return false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(name[i:])
		if r == utf8.RuneError && size == 1 || i == 0 && !isNameStart(r) || !isNameRest(r) {
			return false
		}
		i += size
	}
	return true
}

// IsText reports whether s is UTF-8 and holds only characters that XML admits, so that
// it can be written as character data or as an attribute value and read back as it is.
func IsText[T string | []byte](s T) bool {
	for i := Plain(s); i < len(s); {
		b := s[i]
		if b < 0x80 {
			if b < 0x20 && b != '\t' && b != '\n' && b != '\r' {
				return false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		if r == utf8.RuneError && size <= 1 || !isChar(r) {
			return false
		}
		i += size
	}
	return true
}
