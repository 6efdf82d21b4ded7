package xmltext

import (
	"bytes"
	"hash/maphash"
	"sync"
)

// Namespace names that XML itself binds.
const (
	NamespaceXML   = "http://www.w3.org/XML/1998/namespace"
	NamespaceXMLNS = "http://www.w3.org/2000/xmlns/"
)

// namespaceWSU is the one foreign namespace the parser knows: its Id attribute is
// an identifier (see the package comment).
const namespaceWSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"

// Fixed numbers of interned prefixes and namespace names.
const (
	PrefixNone  = 0 // no prefix: the default namespace
	PrefixXML   = 1 // xml, always bound and never rendered by exclusive canonicalization
	prefixXMLNS = 2

	NamespaceNone = 0 // no namespace
	namespaceXML  = 1
	unbound       = 0xFFFF
)

// Limits bounds what Parse admits. Every field counts; a zero field admits nothing
// of its kind, so the zero Limits refuses every text.
type Limits struct {
	Bytes      int // length of the text; never more than 1 GiB whatever is said
	Depth      int // nesting of elements; at most 1024
	Nodes      int // elements, texts, CDATA sections and comments together
	Attributes int // attributes of one element, declarations not counted; at most 256
	Namespaces int // declarations on one element; distinct prefixes and distinct names of a text; at most 1024
	NameLength int // bytes of a qualified name; at most 65535
}

// DefaultLimits admits the messages of the wire with room to spare: 1 MiB, 64
// levels, 64 attributes an element, 64 prefixes.
func DefaultLimits() Limits {
	return Limits{Bytes: 1 << 20, Depth: 64, Nodes: 1 << 16, Attributes: 64, Namespaces: 64, NameLength: 256}
}

// Kind tells the kinds of Token apart.
type Kind uint8

// The kinds of node that a document keeps. Comments are kept so that a reader can
// refuse them; they are part of no value and of no canonical form.
const (
	_ Kind = iota
	Element
	Text
	CDATA
	Comment
)

// A span is a stretch of the text, or of decoded memory when from is negative
// (then it begins at ^from).
type span struct{ from, to int32 }

// A Token is one node of the flat document, in document order: an element is
// followed by everything inside it. Offsets count bytes of the text. It is exported
// for canonicalization, which copies stretches of the text; others use Node. Never
// write to one.
type Token struct {
	Kind Kind

	// CanonicalOpen: the start tag stands in the text exactly as canonical XML
	// writes it, given that no namespace node is to be rendered on it. For Text:
	// the text stands there as canonical XML writes it.
	CanonicalOpen bool
	// CanonicalClose: likewise the end tag; never for a self-closed element.
	CanonicalClose bool

	Prefix    uint16 // interned; see Document.PrefixText
	Namespace uint16 // interned; see Document.NamespaceName
	LocalLen  uint16

	Attributes   uint16 // how many, from FirstAttribute on
	Declarations uint16 // how many, from FirstDeclaration on

	Start int32 // first byte: "<", or the first byte of a text
	Open  int32 // element: after the start tag
	Close int32 // element: where the end tag begins; == Open == End when self-closed
	End   int32 // after the last byte

	Local            int32 // element: where the local name begins
	FirstAttribute   int32
	FirstDeclaration int32
	Parent           int32 // index of the parent element, -1 for the root
	Next             int32 // index after the subtree

	value span // Text, CDATA: the characters
}

// SelfClosed reports whether an element is written as one empty-element tag.
func (t *Token) SelfClosed() bool { return t.Close == t.End }

// An Attribute of an element; namespace declarations are not among them.
type Attribute struct {
	Canonical bool // name="value" stands in the text as canonical XML writes it
	Prefix    uint16
	Namespace uint16
	LocalLen  uint16
	Start     int32 // first byte of the name
	End       int32 // after the closing quote
	Local     int32
	value     span
}

// A Declaration is a namespace declaration: xmlns="…" or xmlns:p="…".
type Declaration struct {
	Prefix    uint16
	Namespace uint16
	Start     int32
}

// A Document is a text that was parsed. Parse makes it; it is immutable until
// Release.
type Document struct {
	text         []byte
	tokens       []Token
	attributes   []Attribute
	declarations []Declaration
	prefixes     []span
	namespaces   []span
	relative     []bool // by namespace: a relative reference (C14N section 1.3)
	decoded      []byte

	ids    []idEntry
	idHash map[uint64]int32 // beyond smallIDs entries: hash of id -> first index in ids
	seed   maphash.Seed

	// parser state, kept for its memory
	bound []uint16 // by prefix: the namespace in scope
	undo  []undo
	open  []openElement
}

type idEntry struct {
	value   span
	element int32
	next    int32 // next entry of the same hash, -1 for none
	spaced  bool  // white space in value
}

type undo struct{ prefix, namespace uint16 }

type openElement struct {
	token int32
	undo  int32
}

// smallIDs is the number of identifiers up to which a linear search is used.
const smallIDs = 16

var pool = sync.Pool{New: func() any { return &Document{seed: maphash.MakeSeed()} }}

// Release gives the document's memory back. The document, its nodes and every
// slice read from it must not be used afterwards. Release of nil does nothing.
func (d *Document) Release() {
	if d == nil || d.text == nil {
		return
	}
	d.text = nil
	// A rare giant must not keep its memory for ever.
	if cap(d.tokens) > 1<<14 || cap(d.decoded) > 1<<20 || cap(d.attributes) > 1<<15 || cap(d.ids) > 1<<10 {
		return
	}
	pool.Put(d)
}

// Root returns the root element.
func (d *Document) Root() Node { return Node{d, 0} }

// Text returns the whole text that was parsed. Read only.
func (d *Document) Text() []byte { return d.text }

// Tokens returns the nodes in document order; the root element is the first. Read only.
func (d *Document) Tokens() []Token { return d.tokens }

// TokenAttributes returns the attributes of t in the order of the text. Read only.
func (d *Document) TokenAttributes(t *Token) []Attribute {
	return d.attributes[t.FirstAttribute : t.FirstAttribute+int32(t.Attributes)]
}

// TokenDeclarations returns the namespace declarations of t in the order of the
// text. Read only.
func (d *Document) TokenDeclarations(t *Token) []Declaration {
	return d.declarations[t.FirstDeclaration : t.FirstDeclaration+int32(t.Declarations)]
}

// TokenValue returns the characters of a Text or CDATA token, line ends
// normalized and references replaced.
func (d *Document) TokenValue(t *Token) []byte { return d.bytes(t.value) }

// AttributeValue returns the normalized value of a (XML 1.0 section 3.3.3).
func (d *Document) AttributeValue(a *Attribute) []byte { return d.bytes(a.value) }

// Prefixes returns how many prefixes the text uses, "" and xml included; they are
// numbered from 0.
func (d *Document) Prefixes() int { return len(d.prefixes) }

// PrefixText returns prefix number p.
func (d *Document) PrefixText(p uint16) []byte { return d.bytes(d.prefixes[p]) }

// NamespaceName returns namespace name number n; number 0 is the empty name.
func (d *Document) NamespaceName(n uint16) []byte { return d.bytes(d.namespaces[n]) }

// NamespaceRelative reports whether namespace name n is a relative reference,
// which has no canonical form (Canonical XML 1.0 section 1.3).
func (d *Document) NamespaceRelative(n uint16) bool { return d.relative[n] }

// ElementByID returns the element that bears the identifier id.
func (d *Document) ElementByID(id []byte) (Node, bool) {
	if len(id) == 0 {
		return Node{}, false
	}
	if e := d.findID(id); e >= 0 && bytes.Equal(d.bytes(d.ids[e].value), id) {
		return Node{d, d.ids[e].element}, true
	}
	return Node{}, false
}

func (d *Document) bytes(s span) []byte {
	if s.from >= 0 {
		return d.text[s.from:s.to:s.to]
	}
	return d.decoded[^s.from:s.to:s.to]
}

// findID returns the index in ids of the identifier that equals id after white
// space is folded, or -1.
func (d *Document) findID(id []byte) int32 {
	spaced := hasSpace(id)
	if len(d.ids) <= smallIDs {
		for i := range d.ids {
			if d.isID(&d.ids[i], id, spaced) {
				return int32(i)
			}
		}
		return -1
	}
	i, ok := d.idHash[d.hashID(id)]
	for ok && i >= 0 {
		if d.isID(&d.ids[i], id, spaced) {
			return i
		}
		i = d.ids[i].next
	}
	return -1
}

// isID compares as a reader that treats identifiers as tokenized would:
// leading and trailing white space dropped, inner runs one space. Two identifiers
// that another stack may take for one are one here (attacks.md W13). spaced says
// whether there is white space in id.
func (d *Document) isID(e *idEntry, id []byte, spaced bool) bool {
	if e.spaced || spaced {
		return bytes.Equal(folded(d.bytes(e.value)), folded(id))
	}
	return bytes.Equal(d.bytes(e.value), id)
}

func folded(id []byte) []byte { return bytes.Join(bytes.Fields(id), []byte{' '}) }

func hasSpace(id []byte) bool {
	for _, b := range id {
		if isSpace(b) {
			return true
		}
	}
	return false
}

// addID records that element bears the identifier v; it reports false when
// another element does already.
func (d *Document) addID(v span, element int32) bool {
	if i := d.findID(d.bytes(v)); i >= 0 {
		// One element may say its identifier twice (wsu:Id and AssertionID); only an
		// exact repetition is the same identifier.
		return d.ids[i].element == element && bytes.Equal(d.bytes(d.ids[i].value), d.bytes(v))
	}
	d.ids = append(d.ids, idEntry{value: v, element: element, next: -1, spaced: hasSpace(d.bytes(v))})
	switch n := len(d.ids); {
	case n == smallIDs+1:
		if d.idHash == nil {
			d.idHash = make(map[uint64]int32)
		}
		clear(d.idHash)
		for i := range d.ids {
			d.hashIn(int32(i))
		}
	case n > smallIDs:
		d.hashIn(int32(n - 1))
	}
	return true
}

func (d *Document) hashIn(i int32) {
	h := d.hashID(d.bytes(d.ids[i].value))
	d.ids[i].next = -1
	if first, ok := d.idHash[h]; ok {
		d.ids[i].next = first
	}
	d.idHash[h] = i
}

// hashID hashes an identifier by a seeded hash (attacks.md Z5), white space folded.
func (d *Document) hashID(id []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(d.seed)
	for word := range bytes.FieldsSeq(id) {
		h.Write(word)
		h.WriteByte(' ')
	}
	return h.Sum64()
}
