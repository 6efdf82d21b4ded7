package xmltext

import "bytes"

// bang reads a comment or a CDATA section, and refuses a document type declaration
// at its first bytes (attacks.md Z1).
func (p *parser) bang(i int) (int, bool) {
	text, d := p.text, p.d
	switch rest := text[i:]; {
	case bytes.HasPrefix(rest, []byte("<!--")):
		return p.comment(i)
	case bytes.HasPrefix(rest, []byte("<![CDATA[")):
		if len(d.open) == 0 {
			return 0, p.fail(BadCDATA, i)
		}
		end := bytes.Index(rest[9:], []byte("]]>"))
		if end < 0 {
			return 0, p.fail(BadCDATA, i)
		}
		from, to := i+9, i+9+end
		decode, ok := p.plain(from, to)
		if !ok {
			return 0, false
		}
		value := span{int32(from), int32(to)}
		if decode {
			value = p.lineEnds(from, to)
		}
		_, ok = p.add(Token{Kind: CDATA, Start: int32(i), Open: int32(to + 3), Close: int32(to + 3), End: int32(to + 3), value: value})
		return to + 3, ok
	case bytes.HasPrefix(rest, []byte("<!DOCTYPE")):
		return 0, p.fail(DoctypeRefused, i)
	}
	return 0, p.fail(BadMarkup, i)
}

func (p *parser) comment(i int) (int, bool) {
	text := p.text
	end := bytes.Index(text[i+4:], []byte("--"))
	if end < 0 {
		return 0, p.fail(BadComment, i)
	}
	to := i + 4 + end
	if to+2 >= len(text) || text[to+2] != '>' {
		return 0, p.fail(BadComment, to)
	}
	if _, ok := p.plain(i+4, to); !ok {
		return 0, false
	}
	if len(p.d.open) > 0 {
		if _, ok := p.add(Token{Kind: Comment, Start: int32(i), Open: int32(to + 3), Close: int32(to + 3), End: int32(to + 3)}); !ok {
			return 0, false
		}
	}
	return to + 3, true
}

// plain checks characters in which no markup is recognized and reports whether a
// carriage return is among them.
func (p *parser) plain(from, to int) (carriageReturn, ok bool) {
	for i := from; i < to; {
		switch b := p.text[i]; {
		case b >= 0x80:
			size, ok := p.rune(i)
			if !ok {
				return false, false
			}
			i += size
		case b == '\r':
			carriageReturn = true
			i++
		case b < 0x20 && b != '\t' && b != '\n':
			return false, p.fail(BadCharacter, i)
		default:
			i++
		}
	}
	return carriageReturn, true
}

// lineEnds appends text[from:to] to the decoded memory with line ends normalized.
func (p *parser) lineEnds(from, to int) span {
	d, text := p.d, p.text
	start := len(d.decoded)
	for i := from; i < to; i++ {
		b := text[i]
		if b == '\r' {
			if i+1 < to && text[i+1] == '\n' {
				continue
			}
			b = '\n'
		}
		d.decoded = append(d.decoded, b)
	}
	return span{^int32(start), int32(len(d.decoded))}
}
