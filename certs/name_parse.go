package certs

import (
	"bytes"
	"errors"
	"strings"
	"unsafe"
)

// ParseName reads a distinguished name as text: RFC 1779, 2253 and 4514, with
// the keywords of Java, .NET and OpenSSL or with object identifiers, with or
// without the prefix OID; RDNs separated by commas or semicolons in either
// order; quoted values, backslash escapes, and #hex of a DER value. At most 2048
// octets and 32 attributes. The text is not kept.
//
// The text is taken to write the last RDN first, as those RFCs do; Equal also
// compares it the other way round.
func ParseName(text []byte) (Name, error) {
	var s nameScratch
	if err := s.parse(text); err != nil {
		return Name{}, err
	}
	n := s.name()
	n.render()
	return n, nil
}

// nameScratch is the room in which a text is read without allocation. It holds
// places in buf and no pointer into itself, or it could not stay on the stack.
type nameScratch struct {
	attributes [maxNameAttributes]textAttribute // in the order of the text
	count      int
	rdns       int
	buf        [3 * maxNameText]byte // types, values and their folded forms: each at most as long as the text
	used       int
}

// textAttribute is an attribute in a nameScratch.
type textAttribute struct {
	keyword string // the type by keyword; empty: by object identifier
	oid     place
	value   place
	folded  place
	rdn     int
	opaque  bool
}

// place is a part of buf.
type place struct{ start, end int }

// parse reads a text.
func (s *nameScratch) parse(text []byte) error {
	if len(text) > maxNameText {
		return refuse(TooLarge, errors.New("name"))
	}
	s.used, s.count, s.rdns = 0, 0, 1
	rest := skipSpace(text)
	for {
		if s.count == maxNameAttributes {
			return refuse(TooLarge, errors.New("name: attributes"))
		}
		a := &s.attributes[s.count]
		s.count++
		a.rdn = s.rdns - 1
		var err error
		if rest, err = s.attribute(a, rest); err != nil {
			return err
		}
		if len(rest) == 0 {
			return nil
		}
		if rest[0] != '+' { // a comma or semicolon: attribute ends nowhere else
			s.rdns++
		}
		rest = skipSpace(rest[1:])
	}
}

// at gives an attribute that aliases the scratch.
func (s *nameScratch) at(i int) attribute {
	a := &s.attributes[i]
	out := attribute{oid: a.keyword, value: s.string(a.value), folded: s.string(a.folded), opaque: a.opaque}
	if out.oid == "" {
		out.oid = s.string(a.oid)
	}
	return out
}

// string gives a part of buf without copying it.
func (s *nameScratch) string(p place) string {
	if p.start == p.end {
		return ""
	}
	return unsafe.String(&s.buf[p.start], p.end-p.start)
}

// is compares what was read with a name. It does not allocate.
func (s *nameScratch) is(n *Name) bool {
	var attributes [maxNameAttributes]attribute
	var rdns [maxNameAttributes][]attribute
	first := 0
	for i := range s.count {
		attributes[i] = s.at(i)
		if i+1 == s.count || s.attributes[i+1].rdn != s.attributes[i].rdn {
			rdns[s.rdns-1-s.attributes[i].rdn] = attributes[first : i+1] // DER order
			first = i + 1
		}
	}
	return n.Equal(Name{rdns: rdns[:s.rdns], fromText: true})
}

// name gives what was read as a name of its own.
func (s *nameScratch) name() Name {
	n := Name{rdns: make([][]attribute, s.rdns), fromText: true}
	for i := range s.count {
		a := s.at(i)
		a = attribute{strings.Clone(a.oid), strings.Clone(a.value), strings.Clone(a.folded), a.opaque}
		rdn := &n.rdns[s.rdns-1-s.attributes[i].rdn] // DER order
		*rdn = append(*rdn, a)
	}
	return n
}

// skipSpace skips white space around the marks between attributes.
func skipSpace(text []byte) []byte {
	for len(text) > 0 && (text[0] == ' ' || text[0] == '\n' || text[0] == '\r' || text[0] == '\t') {
		text = text[1:]
	}
	return text
}

// attribute reads type=value and gives what follows: nothing, or a mark and more.
func (s *nameScratch) attribute(a *textAttribute, text []byte) (rest []byte, err error) {
	sign := bytes.IndexByte(text, '=')
	if sign < 0 {
		return nil, errName("attribute without a value")
	}
	if err := s.attributeType(a, text[:sign]); err != nil {
		return nil, err
	}
	text = skipSpace(text[sign+1:])
	a.opaque = false
	start := s.used
	switch {
	case len(text) > 0 && text[0] == '"':
		text, err = s.quoted(text[1:])
	case len(text) > 0 && text[0] == '#':
		a.opaque, text, err = s.hexValue(text[1:])
	default:
		text, err = s.plain(text)
	}
	if err != nil {
		return nil, err
	}
	a.value = place{start, s.used}
	a.folded = a.value
	if !a.opaque {
		if err := checkText(s.buf[start:s.used]); err != nil {
			return nil, err
		}
		s.used = len(appendFolded(s.buf[:s.used], s.string(a.value)))
		a.folded = place{a.value.end, s.used}
	}
	text = skipSpace(text)
	if len(text) > 0 && text[0] != ',' && text[0] != ';' && text[0] != '+' {
		return nil, errName("text after a value")
	}
	return text, nil
}

// attributeType reads a keyword or an object identifier.
func (s *nameScratch) attributeType(a *textAttribute, text []byte) error {
	for len(text) > 0 && text[len(text)-1] == ' ' {
		text = text[:len(text)-1]
	}
	if len(text) > 4 && (text[0]|0x20) == 'o' && (text[1]|0x20) == 'i' && (text[2]|0x20) == 'd' && text[3] == '.' {
		text = text[4:]
	}
	a.keyword = ""
	if len(text) > 0 && text[0] >= '0' && text[0] <= '9' {
		out, ok := appendObjectID(s.buf[:s.used], text)
		if !ok {
			return errName("object identifier")
		}
		a.oid = place{s.used, len(out)}
		s.used = len(out)
		return nil
	}
	var upper [24]byte
	if len(text) > len(upper) {
		return errName("attribute type")
	}
	for i, c := range text {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper[i] = c
	}
	if a.keyword = typeOfKeyword(upper[:len(text)]); a.keyword == "" {
		return errName("attribute type")
	}
	return nil
}

// put writes one octet of a value. The room suffices: see buf.
func (s *nameScratch) put(c byte) {
	s.buf[s.used] = c
	s.used++
}

// quoted reads a value after its opening quote, up to and over the closing one.
func (s *nameScratch) quoted(text []byte) (rest []byte, err error) {
	for len(text) > 0 {
		switch text[0] {
		case '"':
			return text[1:], nil
		case '\\':
			if text, err = s.escape(text[1:]); err != nil {
				return nil, err
			}
		default:
			s.put(text[0])
			text = text[1:]
		}
	}
	return nil, errName("quote that does not end")
}

// plain reads a value without quotes, up to the next mark; unescaped spaces at its end are none of it.
func (s *nameScratch) plain(text []byte) (rest []byte, err error) {
	end := s.used // after the last octet that is not such a space
loop:
	for len(text) > 0 {
		switch c := text[0]; c {
		case ',', ';', '+':
			break loop
		case '"', '<', '>':
			return nil, errName("special character that is not escaped")
		case '\\':
			if text, err = s.escape(text[1:]); err != nil {
				return nil, err
			}
			end = s.used
		case ' ', '\n', '\r', '\t':
			s.put(c)
			text = text[1:]
		default:
			s.put(c)
			text = text[1:]
			end = s.used
		}
	}
	s.used = end
	return text, nil
}

// escape reads what follows a backslash: a special character, or two hex digits.
func (s *nameScratch) escape(text []byte) (rest []byte, err error) {
	if len(text) > 0 && bytes.IndexByte([]byte(` ,+=<>#;\"`), text[0]) >= 0 {
		s.put(text[0])
		return text[1:], nil
	}
	if len(text) > 1 {
		high, low := hexDigit(text[0]), hexDigit(text[1])
		if high >= 0 && low >= 0 {
			s.put(byte(high<<4 | low))
			return text[2:], nil
		}
	}
	return nil, errName("escape")
}

// hexValue reads the hex digits after #: the DER of the value.
func (s *nameScratch) hexValue(text []byte) (opaque bool, rest []byte, err error) {
	start := s.used
	for len(text) > 1 {
		high, low := hexDigit(text[0]), hexDigit(text[1])
		if high < 0 || low < 0 {
			break
		}
		s.put(byte(high<<4 | low))
		text = text[2:]
	}
	// The value is decoded behind its own DER and then moved over it. Text is
	// at most twice its DER, which is half of its hex: the room suffices.
	element := s.buf[start:s.used]
	value, opaque, err := appendValue(s.buf[:s.used], element)
	if err != nil {
		return false, nil, err
	}
	s.used = start + copy(s.buf[start:], value[start+len(element):])
	return opaque, text, nil
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
