package c14n

import (
	"bytes"
	"errors"
	"sync"

	"sceau/xmlsec/xmltext"
)

// Algorithm is the identifier of exclusive canonicalization without comments.
const Algorithm = "http://www.w3.org/2001/10/xml-exc-c14n#"

// maxPrefixes bounds the tokens of a PrefixList (attacks.md Z4).
const maxPrefixes = 64

// The canonical form is never longer than growth times the text, and slack. Exclusive
// canonicalization writes a namespace name wherever a prefix is used under a parent
// that does not use it: without a bound, half a megabyte of name and of siblings make
// gigabytes to hash (attacks.md Z4). What messages need is a factor of 2 or 3;
// escaping alone is at most 6.
const (
	growth = 8
	slack  = 1 << 16
)

// Errors of Append.
var (
	// ErrPrefixList: the PrefixList holds something that is neither an NCName nor
	// #default, or too much.
	ErrPrefixList = errors.New("c14n: malformed PrefixList")
	// ErrRelativeNamespace: a namespace name in the subtree is a relative reference
	// (Canonical XML 1.0 section 1.3).
	ErrRelativeNamespace = errors.New("c14n: relative namespace name")
	// ErrTooLarge: the form is many times as long as the text.
	ErrTooLarge = errors.New("c14n: canonical form too large")
	// ErrNoApex: there is no element to write.
	ErrNoApex = errors.New("c14n: no apex element")
)

// Options tells what to write besides the apex. The zero Options writes the whole
// subtree with an empty PrefixList.
type Options struct {
	// PrefixList is the PrefixList attribute of InclusiveNamespaces: prefixes
	// parted by white space, #default for the default namespace. Their
	// declarations are handled as inclusive canonicalization handles them.
	PrefixList []byte
	// DefaultAtApex writes the default namespace on the apex whatever its use, as
	// xmlns="" when there is none: the augmentation that the STR-Transform asks for
	// (SOAP Message Security 1.0 section 8.3).
	DefaultAtApex bool
	// Omit is left out with all that is inside it. It has no effect outside the
	// apex; an Omit that is the apex or contains it is ErrNoApex.
	Omit xmltext.Node
}

// Append appends the canonical form of apex to dst. On error the result is nil. It
// allocates only to grow dst. It is safe for concurrent use.
func Append(dst []byte, apex xmltext.Node, options Options) ([]byte, error) {
	if apex.IsZero() || options.Omit.Contains(apex) {
		return nil, ErrNoApex
	}
	w := writers.Get().(*writer)
	defer w.release()
	d := apex.Document()
	w.begin(dst, d)
	if err := w.prefixList(options.PrefixList, apex); err != nil {
		return nil, err
	}
	if options.DefaultAtApex {
		w.defaultAtApex(apex)
	}
	if !options.Omit.IsZero() && options.Omit.Document() == d {
		w.omit = options.Omit.Index()
	}
	if err := w.element(apex.Index()); err != nil {
		return nil, err
	}
	w.flush()
	return w.out, nil
}

const unrendered = 0xFFFF

// A writer is the state of one Append. Stretches of the text that already stand in
// canonical form are gathered in [from, to) and copied at once.
type writer struct {
	d      *xmltext.Document
	text   []byte
	tokens []xmltext.Token
	out    []byte

	from, to int32
	omit     int32
	limit    int // of len(out)

	rendered []uint16 // by prefix: the namespace that the nearest output ancestor rendered
	listed   []bool   // by prefix: named by the PrefixList
	anyList  bool
	undo     []binding
	pending  []binding // to render on the element at hand
	inherit  []binding // listed prefixes in scope at the apex
	order    []int32
}

type binding struct{ prefix, namespace uint16 }

var writers = sync.Pool{New: func() any { return new(writer) }}

func (w *writer) begin(dst []byte, d *xmltext.Document) {
	w.d, w.text, w.tokens, w.out = d, d.Text(), d.Tokens(), dst
	w.from, w.to, w.omit = 0, 0, -1
	w.limit = len(dst) + growth*len(w.text) + slack
	w.rendered, w.listed = w.rendered[:0], w.listed[:0]
	for range d.Prefixes() {
		w.rendered = append(w.rendered, unrendered)
		w.listed = append(w.listed, false)
	}
	w.rendered[xmltext.PrefixNone] = xmltext.NamespaceNone
	w.anyList = false
	w.undo, w.pending, w.inherit = w.undo[:0], w.pending[:0], w.inherit[:0]
}

func (w *writer) release() {
	w.d, w.text, w.tokens, w.out = nil, nil, nil, nil
	writers.Put(w)
}

// prefixList reads a PrefixList and finds what its prefixes are bound to at the
// apex. A prefix that is not in scope there is passed over, as the recommendation
// says; it takes effect where it is declared inside.
func (w *writer) prefixList(list []byte, apex xmltext.Node) error {
	tokens := 0
	for rest := list; ; {
		rest = bytes.TrimLeft(rest, " \t\r\n")
		if len(rest) == 0 {
			break
		}
		token := rest
		if end := bytes.IndexAny(rest, " \t\r\n"); end >= 0 {
			token = rest[:end]
		}
		rest = rest[len(token):]
		if tokens++; tokens > maxPrefixes {
			return ErrPrefixList
		}
		if string(token) == "#default" {
			token = nil
		} else if !xmltext.IsNCName(token) {
			return ErrPrefixList
		}
		for p := range w.listed {
			if p != xmltext.PrefixXML && bytes.Equal(w.d.PrefixText(uint16(p)), token) {
				w.listed[p] = true
				w.anyList = true
				break
			}
		}
	}
	if !w.anyList {
		return nil
	}
	for n := apex.Parent(); !n.IsZero(); n = n.Parent() {
	declarations:
		for _, declared := range w.d.TokenDeclarations(&w.tokens[n.Index()]) {
			if !w.listed[declared.Prefix] {
				continue
			}
			for _, nearer := range w.inherit {
				if nearer.prefix == declared.Prefix {
					continue declarations
				}
			}
			w.inherit = append(w.inherit, binding{declared.Prefix, declared.Namespace})
		}
	}
	return nil
}

// defaultAtApex makes the apex render the default namespace that is in scope there.
func (w *writer) defaultAtApex(apex xmltext.Node) {
	w.rendered[xmltext.PrefixNone] = unrendered
	w.listed[xmltext.PrefixNone] = true
	for n := apex; !n.IsZero(); n = n.Parent() {
		for _, declared := range w.d.TokenDeclarations(&w.tokens[n.Index()]) {
			if declared.Prefix == xmltext.PrefixNone {
				w.inherit = append(w.inherit, binding{xmltext.PrefixNone, declared.Namespace})
				return
			}
		}
	}
	w.inherit = append(w.inherit, binding{xmltext.PrefixNone, xmltext.NamespaceNone})
}

// stretch adds text[from:to] to the output, unchanged.
func (w *writer) stretch(from, to int32) {
	if from != w.to {
		w.flush()
		w.from = from
	}
	w.to = to
}

func (w *writer) flush() {
	w.out = append(w.out, w.text[w.from:w.to]...)
	w.from, w.to = 0, 0
}

func (w *writer) element(i int32) error {
	t := &w.tokens[i]
	mark := len(w.undo)
	if err := w.namespaces(t); err != nil {
		return err
	}
	if t.CanonicalOpen && len(w.pending) == 0 {
		w.stretch(t.Start, t.Open)
	} else if w.startTag(t); len(w.out) > w.limit {
		// Nothing but declarations on start tags grows beyond escaping, and one start
		// tag writes each name once: looking here is enough.
		return ErrTooLarge
	}
	for c := i + 1; c < t.Next; {
		child := &w.tokens[c]
		switch child.Kind {
		case xmltext.Element:
			if c != w.omit {
				if err := w.element(c); err != nil {
					return err
				}
			}
		case xmltext.Text:
			if child.CanonicalOpen {
				w.stretch(child.Start, child.End)
			} else {
				w.flush()
				w.out = AppendText(w.out, w.d.TokenValue(child))
			}
		case xmltext.CDATA:
			w.flush()
			w.out = AppendText(w.out, w.d.TokenValue(child))
		}
		c = child.Next
	}
	if t.CanonicalClose {
		w.stretch(t.Close, t.End)
	} else {
		w.flush()
		w.out = append(w.out, "</"...)
		w.out = append(w.out, w.text[t.Start+1:t.Local+int32(t.LocalLen)]...)
		w.out = append(w.out, '>')
	}
	for k := len(w.undo) - 1; k >= mark; k-- {
		w.rendered[w.undo[k].prefix] = w.undo[k].namespace
	}
	w.undo = w.undo[:mark]
	return nil
}

// namespaces gathers in pending the namespace nodes to render on t: those visibly
// utilized and not rendered by an output ancestor with the same name (exclusive
// C14N section 3 step 3), and those of listed prefixes that came into scope.
func (w *writer) namespaces(t *xmltext.Token) error {
	w.pending = w.pending[:0]
	if w.rendered[t.Prefix] != t.Namespace {
		if err := w.render(t.Prefix, t.Namespace); err != nil {
			return err
		}
	}
	if t.Attributes > 0 {
		attributes := w.d.TokenAttributes(t)
		for k := range attributes {
			// An unprefixed attribute is in no namespace and utilizes none.
			if a := &attributes[k]; a.Prefix != xmltext.PrefixNone && w.rendered[a.Prefix] != a.Namespace {
				if err := w.render(a.Prefix, a.Namespace); err != nil {
					return err
				}
			}
		}
	}
	if t.Declarations > 0 {
		for _, declared := range w.d.TokenDeclarations(t) {
			if w.d.NamespaceRelative(declared.Namespace) {
				return ErrRelativeNamespace
			}
			if w.listed[declared.Prefix] && w.rendered[declared.Prefix] != declared.Namespace {
				if err := w.render(declared.Prefix, declared.Namespace); err != nil {
					return err
				}
			}
		}
	}
	if len(w.inherit) > 0 {
		// Only at the apex: what the listed prefixes are bound to outside, unless
		// the apex itself declares them.
	inherited:
		for _, b := range w.inherit {
			for _, declared := range w.d.TokenDeclarations(t) {
				if declared.Prefix == b.prefix {
					continue inherited
				}
			}
			if w.rendered[b.prefix] != b.namespace {
				if err := w.render(b.prefix, b.namespace); err != nil {
					return err
				}
			}
		}
		w.inherit = w.inherit[:0]
	}
	return nil
}

// render notes a namespace node for the element at hand. The xml prefix is never
// rendered.
func (w *writer) render(prefix, namespace uint16) error {
	if prefix == xmltext.PrefixXML {
		return nil
	}
	if w.d.NamespaceRelative(namespace) {
		return ErrRelativeNamespace
	}
	w.undo = append(w.undo, binding{prefix, w.rendered[prefix]})
	w.rendered[prefix] = namespace
	// Insertion keeps pending sorted by prefix, the default namespace first.
	b, k := binding{prefix, namespace}, len(w.pending)
	w.pending = append(w.pending, b)
	for k > 0 && bytes.Compare(w.d.PrefixText(prefix), w.d.PrefixText(w.pending[k-1].prefix)) < 0 {
		w.pending[k] = w.pending[k-1]
		k--
	}
	w.pending[k] = b
	return nil
}

// startTag writes a start tag that cannot be copied whole.
func (w *writer) startTag(t *xmltext.Token) {
	w.stretch(t.Start, t.Local+int32(t.LocalLen))
	w.flush()
	for _, b := range w.pending {
		w.out = append(w.out, " xmlns"...)
		if b.prefix != xmltext.PrefixNone {
			w.out = append(w.out, ':')
			w.out = append(w.out, w.d.PrefixText(b.prefix)...)
		}
		w.out = append(w.out, '=', '"')
		w.out = AppendValue(w.out, w.d.NamespaceName(b.namespace))
		w.out = append(w.out, '"')
	}
	if t.Attributes > 0 {
		attributes := w.d.TokenAttributes(t)
		w.order = w.order[:0]
		for i := range attributes {
			k := len(w.order)
			w.order = append(w.order, int32(i))
			for k > 0 && w.d.AttributeOrder(&attributes[i], &attributes[w.order[k-1]]) < 0 {
				w.order[k] = w.order[k-1]
				k--
			}
			w.order[k] = int32(i)
		}
		for _, i := range w.order {
			a := &attributes[i]
			w.out = append(w.out, ' ')
			if a.Canonical {
				w.out = append(w.out, w.text[a.Start:a.End]...)
				continue
			}
			w.out = append(w.out, w.text[a.Start:a.Local+int32(a.LocalLen)]...)
			w.out = append(w.out, '=', '"')
			w.out = AppendValue(w.out, w.d.AttributeValue(a))
			w.out = append(w.out, '"')
		}
	}
	w.out = append(w.out, '>')
}

// plainText and plainValue hold the bytes that stand for themselves in the canonical
// form of character data and of attribute values.
var plainText, plainValue = allBut("&<>\r"), allBut("&<\"\t\n\r")

func allBut(special string) (t [256]bool) {
	for i := range t {
		t[i] = true
	}
	for _, b := range []byte(special) {
		t[b] = false
	}
	return t
}

// AppendText writes characters as canonical XML writes a text node (Canonical XML
// 1.0 section 2.3).
func AppendText[T string | []byte](dst []byte, value T) []byte {
	start := 0
	for i := xmltext.Plain(value); i < len(value); i++ {
		b := value[i]
		if plainText[b] {
			continue
		}
		dst = append(dst, value[start:i]...)
		start = i + 1
		switch b {
		case '&':
			dst = append(dst, "&amp;"...)
		case '<':
			dst = append(dst, "&lt;"...)
		case '>':
			dst = append(dst, "&gt;"...)
		case '\r':
			dst = append(dst, "&#xD;"...)
		}
	}
	return append(dst, value[start:]...)
}

// AppendValue writes characters as canonical XML writes an attribute value (section
// 2.3), quotes not included.
func AppendValue[T string | []byte](dst []byte, value T) []byte {
	start := 0
	for i := xmltext.Plain(value); i < len(value); i++ {
		b := value[i]
		if plainValue[b] {
			continue
		}
		dst = append(dst, value[start:i]...)
		start = i + 1
		switch b {
		case '&':
			dst = append(dst, "&amp;"...)
		case '<':
			dst = append(dst, "&lt;"...)
		case '"':
			dst = append(dst, "&quot;"...)
		case '\t':
			dst = append(dst, "&#x9;"...)
		case '\n':
			dst = append(dst, "&#xA;"...)
		case '\r':
			dst = append(dst, "&#xD;"...)
		}
	}
	return append(dst, value[start:]...)
}
