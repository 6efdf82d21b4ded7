package xmltext

import "unicode/utf8"

// qname reads a QName at i: the offset of its colon, or -1, and the offset after it.
func (p *parser) qname(i int) (colon, end int, ok bool) {
	if colon, end, ok = p.asciiName(i); ok {
		return colon, end, true
	}
	return p.anyName(i)
}

// asciiName is anyName for a name of ASCII, as nearly all are; for any other, and for what is
// none, ok is false and nothing is said of the reason.
func (p *parser) asciiName(i int) (colon, end int, ok bool) {
	text := p.text
	colon = -1
	if end = nameEnd(text, i); end > i && end < len(text) && text[end] == ':' {
		colon = end
		end = nameEnd(text, colon+1)
	}
	ok = end > i && end > colon+1 && end < len(text) && text[end] < 0x80 && text[end] != ':' && end-i <= p.limits.NameLength
	return colon, end, ok
}

// nameEnd returns the offset after the NCName of ASCII that begins at i, i when none does.
func nameEnd(text []byte, i int) int {
	if i >= len(text) || classes[text[i]]&classNameStart == 0 {
		return i
	}
	for i++; i < len(text) && classes[text[i]]&className != 0; i++ {
	}
	return i
}

// anyName reads a QName at i and says what is wrong with one that is none.
func (p *parser) anyName(i int) (colon, end int, ok bool) {
	text, start := p.text, i
	colon = -1
	first := true // at the beginning of an NCName
	for i < len(text) {
		b := text[i]
		switch {
		case b < 0x80 && classes[b]&className != 0:
			if first && classes[b]&classNameStart == 0 {
				return 0, 0, p.fail(BadName, i)
			}
			i++
			first = false
			continue
		case b == ':':
			if first || colon >= 0 {
				return 0, 0, p.fail(BadName, i)
			}
			colon = i
			i++
			first = true
			continue
		case b >= 0x80:
			r, size := utf8.DecodeRune(text[i:])
			if r == utf8.RuneError && size <= 1 {
				return 0, 0, p.fail(BadUTF8, i)
			}
			if first && !isNameStart(r) || !isNameRest(r) {
				return 0, 0, p.fail(BadName, i)
			}
			i += size
			first = false
			continue
		}
		break
	}
	if first {
		if i >= len(text) {
			return 0, 0, p.fail(UnexpectedEnd, len(text))
		}
		return 0, 0, p.fail(BadName, i)
	}
	if i-start > p.limits.NameLength {
		return 0, 0, p.fail(NameTooLong, start)
	}
	return colon, i, true
}
