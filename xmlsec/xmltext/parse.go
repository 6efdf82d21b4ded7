package xmltext

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// builtin is the beginning of every document's decoded memory: what XML itself
// binds.
const builtin = "xml" + "xmlns" + NamespaceXML + NamespaceXMLNS

// Parse reads text. On error the document is nil and the error a *SyntaxError. The
// document aliases text.
func Parse(text []byte, limits Limits) (*Document, error) {
	if most := max(0, min(limits.Bytes, 1<<30)); len(text) > most {
		return nil, &SyntaxError{TooLarge, most}
	}
	d := pool.Get().(*Document)
	p := parser{d: d, text: text, limits: limits}
	p.limits.Depth = min(limits.Depth, 1024)
	p.limits.Attributes = min(limits.Attributes, 256)
	p.limits.Namespaces = min(limits.Namespaces, 1024)
	p.limits.NameLength = min(limits.NameLength, 1<<16-1)
	d.reset(text)
	if !p.document() {
		d.text = text[:0:0]
		if d.text == nil {
			d.text = []byte{}
		}
		d.Release()
		return nil, &SyntaxError{p.reason, p.offset}
	}
	return d, nil
}

func (d *Document) reset(text []byte) {
	d.text = text
	d.tokens = d.tokens[:0]
	d.attributes = d.attributes[:0]
	d.declarations = d.declarations[:0]
	d.ids = d.ids[:0]
	d.undo = d.undo[:0]
	d.open = d.open[:0]
	d.decoded = append(d.decoded[:0], builtin...)
	const x, ns, u = len("xml"), len("xml") + len("xmlns"), len("xml") + len("xmlns") + len(NamespaceXML)
	d.prefixes = append(d.prefixes[:0], span{0, 0}, span{^0, int32(x)}, span{^int32(x), int32(ns)})
	d.namespaces = append(d.namespaces[:0], span{0, 0}, span{^int32(ns), int32(u)}, span{^int32(u), int32(len(builtin))})
	d.relative = append(d.relative[:0], false, false, false)
	d.bound = append(d.bound[:0], NamespaceNone, namespaceXML, unbound)
}

// A parser is the state of one Parse. Its methods report false after having set
// reason and offset.
type parser struct {
	d      *Document
	text   []byte
	limits Limits

	last   uint16 // prefix that was resolved last
	reason Reason
	offset int
}

func (p *parser) fail(r Reason, offset int) bool {
	p.reason, p.offset = r, offset
	return false
}

func (p *parser) document() bool {
	i, ok := p.prolog()
	if !ok {
		return false
	}
	d, text := p.d, p.text
	for i < len(text) {
		if text[i] != '<' {
			if len(d.open) > 0 {
				if i, ok = p.characters(i); !ok {
					return false
				}
				continue
			}
			if !isSpace(text[i]) {
				return p.fail(ContentOutsideRoot, i)
			}
			i++
			continue
		}
		if i+1 >= len(text) {
			return p.fail(UnexpectedEnd, len(text))
		}
		switch text[i+1] {
		case '/':
			i, ok = p.endTag(i)
		case '!':
			i, ok = p.bang(i)
		case '?':
			if bytes.HasPrefix(text[i:], []byte("<?xml")) && i+5 < len(text) && (isSpace(text[i+5]) || text[i+5] == '?') {
				return p.fail(BadDeclaration, i)
			}
			return p.fail(InstructionRefused, i)
		default:
			if len(d.open) == 0 && len(d.tokens) > 0 {
				return p.fail(SecondRoot, i)
			}
			i, ok = p.startTag(i)
		}
		if !ok {
			return false
		}
	}
	if len(d.open) > 0 {
		return p.fail(UnexpectedEnd, len(text))
	}
	if len(d.tokens) == 0 {
		return p.fail(NoRoot, len(text))
	}
	return true
}

// prolog reads a byte order mark and the XML declaration. Everything that is not
// UTF-8 is refused here or at its first malformed byte (attacks.md D7).
func (p *parser) prolog() (int, bool) {
	text, i := p.text, 0
	switch {
	case bytes.HasPrefix(text, []byte("\xEF\xBB\xBF")):
		i = 3
	case bytes.HasPrefix(text, []byte("\xFE\xFF")), bytes.HasPrefix(text, []byte("\xFF\xFE")),
		bytes.HasPrefix(text, []byte{0}), len(text) > 1 && text[1] == 0:
		return 0, p.fail(WrongEncoding, 0)
	}
	if !bytes.HasPrefix(text[i:], []byte("<?xml")) || len(text) <= i+5 || !isSpace(text[i+5]) {
		return i, true
	}
	start := i
	i += 5
	// version, encoding, standalone: pseudo-attributes in this order, the first required.
	step := 0
	for {
		spaced := i < len(text) && isSpace(text[i])
		for i < len(text) && isSpace(text[i]) {
			i++
		}
		if bytes.HasPrefix(text[i:], []byte("?>")) {
			if step == 0 {
				return 0, p.fail(BadDeclaration, start)
			}
			return i + 2, true
		}
		name, value, next := p.pseudoAttribute(i)
		switch {
		case !spaced:
			return 0, p.fail(BadDeclaration, start)
		case step == 0 && string(name) == "version" && string(value) == "1.0":
			step = 1
		case step == 1 && string(name) == "encoding" && bytes.EqualFold(value, []byte("utf-8")):
			step = 2
		case step == 1 && string(name) == "encoding" && len(value) > 0:
			return 0, p.fail(WrongEncoding, i)
		case step >= 1 && step <= 2 && string(name) == "standalone" && (string(value) == "yes" || string(value) == "no"):
			step = 3
		default:
			return 0, p.fail(BadDeclaration, start)
		}
		i = next
	}
}

// pseudoAttribute reads name="value" of the XML declaration; all results are zero
// when there is none.
func (p *parser) pseudoAttribute(i int) (name, value []byte, next int) {
	text := p.text
	j := i
	for j < len(text) && text[j] >= 'a' && text[j] <= 'z' {
		j++
	}
	k := j
	for k < len(text) && isSpace(text[k]) {
		k++
	}
	if k >= len(text) || text[k] != '=' {
		return nil, nil, 0
	}
	k++
	for k < len(text) && isSpace(text[k]) {
		k++
	}
	if k >= len(text) || text[k] != '"' && text[k] != '\'' {
		return nil, nil, 0
	}
	end := bytes.IndexByte(text[k+1:], text[k])
	if end < 0 || end > 64 {
		return nil, nil, 0
	}
	return text[i:j], text[k+1 : k+1+end], k + 1 + end + 1
}

// add appends a token of the innermost open element and returns its index.
func (p *parser) add(t Token) (int32, bool) {
	d := p.d
	if len(d.tokens) >= p.limits.Nodes {
		return 0, p.fail(TooManyNodes, int(t.Start))
	}
	t.Parent = -1
	if n := len(d.open); n > 0 {
		t.Parent = d.open[n-1].token
	}
	i := int32(len(d.tokens))
	t.Next = i + 1
	d.tokens = append(d.tokens, t)
	return i, true
}

// The eight bytes of a word that are a given byte, below 0x20 or beyond ASCII have
// their high bit set by these; the lowest such bit is exact.
const ones, highs = 0x0101010101010101, 0x8080808080808080

func zeroBytes(x uint64) uint64 { return (x - ones) &^ x & highs }

// textSpecial marks the bytes of x that character data must look at: controls, "<",
// ">", "&" and everything beyond ASCII.
func textSpecial(x uint64) uint64 {
	return (x-0x20*ones)&^x&highs | x&highs | zeroBytes(x^'&'*ones) | zeroBytes((x|0x02*ones)^'>'*ones)
}

// characters reads character data up to the next "<".
func (p *parser) characters(start int) (int, bool) {
	text, i := p.text, start
	decode, canonical := false, true
scan:
	for i < len(text) {
		if i+8 <= len(text) {
			special := textSpecial(binary.LittleEndian.Uint64(text[i:]))
			if special == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(special) / 8
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

// endTag reads the end tag at i and closes the innermost element.
func (p *parser) endTag(i int) (int, bool) {
	d, text := p.d, p.text
	if len(d.open) == 0 {
		return 0, p.fail(MismatchedEndTag, i)
	}
	t := &d.tokens[d.open[len(d.open)-1].token]
	name := text[t.Start+1 : t.Local+int32(t.LocalLen)]
	j := i + 2 + len(name)
	if j > len(text) || !bytes.Equal(text[i+2:j], name) {
		if len(text)-i-2 < len(name) && bytes.HasPrefix(name, text[i+2:]) {
			return 0, p.fail(UnexpectedEnd, len(text))
		}
		return 0, p.fail(MismatchedEndTag, i)
	}
	canonical := true
	for j < len(text) && isSpace(text[j]) {
		j++
		canonical = false
	}
	if j >= len(text) {
		return 0, p.fail(UnexpectedEnd, len(text))
	}
	if text[j] != '>' {
		if c := text[j]; canonical && (classes[c]&className != 0 || c >= 0x80 || c == ':') {
			return 0, p.fail(MismatchedEndTag, i) // a longer name
		}
		return 0, p.fail(BadEndTag, j)
	}
	t.Close, t.End, t.CanonicalClose = int32(i), int32(j+1), canonical
	p.close()
	return j + 1, true
}

// close takes the innermost element off the stack and its declarations out of scope.
func (p *parser) close() {
	d := p.d
	top := d.open[len(d.open)-1]
	for k := len(d.undo) - 1; k >= int(top.undo); k-- {
		d.bound[d.undo[k].prefix] = d.undo[k].namespace
	}
	d.undo = d.undo[:top.undo]
	d.open = d.open[:len(d.open)-1]
	d.tokens[top.token].Next = int32(len(d.tokens))
}
