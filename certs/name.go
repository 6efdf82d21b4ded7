package certs

import (
	"errors"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// The limits of a name, in a certificate as in text.
const (
	maxNameText       = 2048 // octets of its text, and of its DER
	maxNameAttributes = 32
	maxObjectID       = 32 // content octets of an attribute type
)

// Name is a distinguished name (X.501): a sequence of RDNs in DER order, the
// country first. It is immutable and safe for concurrent use; ParseName and a
// [Certificate] make it. The zero Name has no RDN and equals no name, not even
// itself.
type Name struct {
	rdns     [][]attribute
	fromText bool // its order is a guess: RFC 1779 writes the last RDN first, some software does not
	text     string
	java     string
}

// attribute is one attribute of an RDN.
type attribute struct {
	oid    string // content octets of the type's object identifier
	value  string // the text; the DER of the value when opaque
	folded string // what is compared
	opaque bool   // not a character string
}

// errName is what a stranger's name is refused with: it tells nothing of the name.
func errName(what string) error { return refuse(Malformed, errors.New("name: "+what)) }

// IsZero tells whether the name has no RDN.
func (n Name) IsZero() bool { return len(n.rdns) == 0 }

// Equal compares two names by structure (D10): the same RDNs in the same order,
// each RDN as a set, each value by RFC 5280 section 7.1: without regard to case,
// to leading, trailing and repeated spaces, and to the string type. A name that
// was read from text may also be wholly reversed: its writer's order is unknown.
// Unicode normalization is not applied: NFC and NFD forms differ, which refuses.
func (n Name) Equal(o Name) bool {
	if len(n.rdns) == 0 || len(n.rdns) != len(o.rdns) {
		return false
	}
	if equalRDNs(n.rdns, o.rdns, false) {
		return true
	}
	return (n.fromText || o.fromText) && equalRDNs(n.rdns, o.rdns, true)
}

func equalRDNs(a, b [][]attribute, reversed bool) bool {
	for i := range a {
		j := i
		if reversed {
			j = len(b) - 1 - i
		}
		if !equalRDN(a[i], b[j]) {
			return false
		}
	}
	return true
}

// equalRDN compares two RDNs as sets.
func equalRDN(a, b []attribute) bool {
	if len(a) != len(b) {
		return false
	}
	var used uint64 // of b; maxNameAttributes fits
next:
	for i := range a {
		for j := range b {
			if used&(1<<j) == 0 && a[i].oid == b[j].oid && a[i].opaque == b[j].opaque && a[i].folded == b[j].folded {
				used |= 1 << j
				continue next
			}
		}
		return false
	}
	return true
}

// values calls yield with the text of each attribute of a type, in DER order.
func (n Name) values(oid string, yield func(value string) bool) {
	for _, rdn := range n.rdns {
		for i := range rdn {
			if rdn[i].oid == oid && !rdn[i].opaque && !yield(rdn[i].value) {
				return
			}
		}
	}
}

// only gives the value of a type that the name bears exactly once.
func (n Name) only(oid string) (value string, count int) {
	n.values(oid, func(v string) bool {
		value = v
		count++
		return true
	})
	return value, count
}

// parseNameDER reads an RDNSequence. It clones what it keeps.
func parseNameDER(der []byte) (Name, error) {
	if len(der) > maxNameText {
		return Name{}, refuse(TooLarge, errors.New("name"))
	}
	in := cryptobyte.String(der)
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() {
		return Name{}, errName("not an RDNSequence")
	}
	var n Name
	count := 0
	for !seq.Empty() {
		var set cryptobyte.String
		if !seq.ReadASN1(&set, asn1.SET) || set.Empty() {
			return Name{}, errName("not an RDN")
		}
		var rdn []attribute
		for !set.Empty() {
			if count++; count > maxNameAttributes {
				return Name{}, refuse(TooLarge, errors.New("name: attributes"))
			}
			a, err := parseAttributeDER(&set)
			if err != nil {
				return Name{}, err
			}
			rdn = append(rdn, a)
		}
		n.rdns = append(n.rdns, rdn)
	}
	n.render()
	return n, nil
}

func parseAttributeDER(set *cryptobyte.String) (attribute, error) {
	var pair, oid cryptobyte.String
	if !set.ReadASN1(&pair, asn1.SEQUENCE) || !pair.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) {
		return attribute{}, errName("not an attribute type and value")
	}
	if !validObjectID(oid) {
		return attribute{}, errName("attribute type")
	}
	value, opaque, err := appendValue(nil, pair)
	if err != nil {
		return attribute{}, err
	}
	a := attribute{oid: string(oid), value: string(value), opaque: opaque}
	a.folded = a.value
	if !opaque {
		a.folded = string(appendFolded(nil, a.value))
	}
	return a, nil
}

// appendValue appends the text of an attribute value to dst, or, when the value
// is no character string, its DER: then it is opaque.
func appendValue(dst []byte, element []byte) (text []byte, opaque bool, err error) {
	tag, content, ok := splitElement(element)
	if !ok {
		return nil, false, errName("attribute value")
	}
	start := len(dst)
	switch tag {
	case asn1.UTF8String:
		dst = append(dst, content...)
	case asn1.PrintableString, asn1.IA5String, asn1.Tag(18), asn1.Tag(26): // NumericString, VisibleString
		for _, c := range content {
			if c >= utf8.RuneSelf {
				return nil, false, errName("attribute value is not ASCII")
			}
		}
		dst = append(dst, content...)
	case asn1.T61String: // written as ISO 8859-1 by all who still write it
		for _, c := range content {
			dst = utf8.AppendRune(dst, rune(c))
		}
	case asn1.Tag(30): // BMPString
		if len(content)%2 != 0 {
			return nil, false, errName("attribute value is not a BMPString")
		}
		for i := 0; i < len(content); i += 2 {
			r := rune(content[i])<<8 | rune(content[i+1])
			if utf16.IsSurrogate(r) {
				return nil, false, errName("attribute value is not a BMPString")
			}
			dst = utf8.AppendRune(dst, r)
		}
	case asn1.Tag(28): // UniversalString
		if len(content)%4 != 0 {
			return nil, false, errName("attribute value is not a UniversalString")
		}
		for i := 0; i < len(content); i += 4 {
			r := uint32(content[i])<<24 | uint32(content[i+1])<<16 | uint32(content[i+2])<<8 | uint32(content[i+3])
			if r > utf8.MaxRune || !utf8.ValidRune(rune(r)) {
				return nil, false, errName("attribute value is not a UniversalString")
			}
			dst = utf8.AppendRune(dst, rune(r))
		}
	default:
		return append(dst, element...), true, nil
	}
	if err := checkText(dst[start:]); err != nil {
		return nil, false, err
	}
	return dst, false, nil
}

// splitElement splits one DER element of at most 64 KB with a one-octet tag.
func splitElement(element []byte) (tag asn1.Tag, content []byte, ok bool) {
	if len(element) < 2 || element[0]&0x1f == 0x1f {
		return 0, nil, false
	}
	head, length := 2, int(element[1])
	switch {
	case length == 0x81 && len(element) > 2:
		head, length = 3, int(element[2])
		ok = length >= 0x80
	case length == 0x82 && len(element) > 3:
		head, length = 4, int(element[2])<<8|int(element[3])
		ok = length >= 0x100
	default:
		ok = length < 0x80
	}
	if !ok || len(element) != head+length {
		return 0, nil, false
	}
	return asn1.Tag(element[0]), element[head:], true
}

// checkText admits the characters that a name may bear. Control characters and
// what XML cannot carry are refused: names go into messages and logs (Z10, H4).
func checkText(text []byte) error {
	for len(text) > 0 {
		if c := text[0]; c < utf8.RuneSelf {
			if c < 0x20 || c == 0x7f {
				return errName("control character")
			}
			text = text[1:]
			continue
		}
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size <= 1 || r < 0xa0 || r == 0xfffe || r == 0xffff {
			return errName("character that no name bears")
		}
		text = text[size:]
	}
	return nil
}
