package xmltext

import (
	"bytes"
	"slices"
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

// manyTokens is the number of nodes from which on their room is made fourfold.
const manyTokens = 1024

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
	if int(i) == cap(d.tokens) && i >= manyTokens {
		// append would add a quarter, and copy a large document over and over. So much room is made only
		// for as many nodes as were read.
		d.tokens = slices.Grow(d.tokens, min(3*int(i), p.limits.Nodes-int(i)))
	}
	d.tokens = append(d.tokens, t)
	return i, true
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
