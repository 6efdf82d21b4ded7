package xmltext

import (
	"bytes"
	"unicode/utf8"
)

// characters reads character data up to the next "<".
func (p *parser) characters(start int) (int, bool) {
	text, i := p.text, start
	decode, canonical := false, true
scan:
	for i < len(text) {
		if i += Plain(text[i:]); i == len(text) {
			break
		}
		switch b := text[i]; {
		case b == '<':
			break scan
		case b == '&':
			decode = true
			i++
		case b == '>':
			if i-2 >= start && text[i-1] == ']' && text[i-2] == ']' {
				return 0, p.fail(CDATAEndInText, i-2)
			}
			canonical = false
			i++
		case b >= 0x80:
			size, ok := p.rune(i)
			if !ok {
				return 0, false
			}
			i += size
		case b == '\r':
			decode, canonical = true, false
			i++
		case b < 0x20 && b != '\t' && b != '\n':
			return 0, p.fail(BadCharacter, i)
		default:
			i++
		}
	}
	value := span{int32(start), int32(i)}
	if decode {
		var ok bool
		if value, ok = p.decode(start, i, false, &canonical); !ok {
			return 0, false
		}
	}
	_, ok := p.add(Token{Kind: Text, CanonicalOpen: canonical,
		Start: int32(start), Open: int32(i), Close: int32(i), End: int32(i), value: value})
	return i, ok
}

// rune checks the character beyond ASCII at i and returns its length.
func (p *parser) rune(i int) (int, bool) {
	r, size := utf8.DecodeRune(p.text[i:])
	if r == utf8.RuneError && size <= 1 {
		return 0, p.fail(BadUTF8, i)
	}
	if !isChar(r) {
		return 0, p.fail(BadCharacter, i)
	}
	return size, true
}

// decode appends text[start:end] to the decoded memory, references replaced, line
// ends normalized (XML 1.0 section 2.11) and, in an attribute value, white space
// too (section 3.3.3). It clears canonical when a reference is not spelled as
// canonical XML spells it.
func (p *parser) decode(start, end int, attribute bool, canonical *bool) (span, bool) {
	d, text := p.d, p.text
	from := len(d.decoded)
	for i := start; i < end; {
		b := text[i]
		switch {
		case b == '&':
			next, ok := p.reference(i, end, attribute, canonical)
			if !ok {
				return span{}, false
			}
			i = next
		case b == '\r':
			if i+1 < end && text[i+1] == '\n' {
				i++
			}
			i++
			if attribute {
				d.decoded = append(d.decoded, ' ')
			} else {
				d.decoded = append(d.decoded, '\n')
			}
		case attribute && (b == '\n' || b == '\t'):
			d.decoded = append(d.decoded, ' ')
			i++
		default:
			j := i + 1
			for j < end && text[j] != '&' && text[j] != '\r' && !(attribute && (text[j] == '\n' || text[j] == '\t')) {
				j++
			}
			d.decoded = append(d.decoded, text[i:j]...)
			i = j
		}
	}
	return span{^int32(from), int32(len(d.decoded))}, true
}

// reference reads the reference at i, which must end before end, and appends what it
// stands for.
func (p *parser) reference(i, end int, attribute bool, canonical *bool) (int, bool) {
	d, text := p.d, p.text
	semicolon := bytes.IndexByte(text[i:end], ';')
	if semicolon < 0 {
		return 0, p.fail(BadReference, i)
	}
	name := text[i+1 : i+semicolon]
	next := i + semicolon + 1
	if len(name) == 0 {
		return 0, p.fail(BadReference, i)
	}
	if name[0] == '#' {
		r, ok := characterReference(name[1:])
		if !ok {
			return 0, p.fail(BadReference, i)
		}
		if !isChar(r) {
			return 0, p.fail(BadCharacter, i)
		}
		// Canonical XML section 2.3: #xD in text; #x9, #xA and #xD in values.
		spelled := string(name) == "#xD" || attribute && (string(name) == "#x9" || string(name) == "#xA")
		if !spelled {
			*canonical = false
		}
		d.decoded = utf8.AppendRune(d.decoded, r)
		return next, true
	}
	var b byte
	spelled := true
	switch string(name) {
	case "amp":
		b = '&'
	case "lt":
		b = '<'
	case "gt":
		b, spelled = '>', !attribute
	case "quot":
		b, spelled = '"', attribute
	case "apos":
		b, spelled = '\'', false
	default:
		if !IsNCName(name) {
			return 0, p.fail(BadReference, i)
		}
		return 0, p.fail(UnknownEntity, i)
	}
	if !spelled {
		*canonical = false
	}
	d.decoded = append(d.decoded, b)
	return next, true
}

// characterReference reads what stands between "&#" and ";". A number beyond
// Unicode is answered with -1, which is no Char.
func characterReference(digits []byte) (rune, bool) {
	base := rune(10)
	if len(digits) > 0 && digits[0] == 'x' {
		base, digits = 16, digits[1:]
	}
	if len(digits) == 0 {
		return 0, false
	}
	var r rune
	for _, c := range digits {
		var v rune
		switch {
		case c >= '0' && c <= '9':
			v = rune(c - '0')
		case base == 16 && c >= 'a' && c <= 'f':
			v = rune(c-'a') + 10
		case base == 16 && c >= 'A' && c <= 'F':
			v = rune(c-'A') + 10
		default:
			return 0, false
		}
		if r >= 0 {
			if r = r*base + v; r > utf8.MaxRune {
				r = -1
			}
		}
	}
	return r, true
}
