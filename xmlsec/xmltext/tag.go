package xmltext

import "bytes"

// startTag reads the start tag or empty-element tag at i.
func (p *parser) startTag(i int) (int, bool) {
	d, text := p.d, p.text
	if len(d.open) >= p.limits.Depth {
		return 0, p.fail(TooDeep, i)
	}
	colon, end, ok := p.qname(i + 1)
	if !ok {
		return 0, false
	}
	local := i + 1
	if colon >= 0 {
		local = colon + 1
	}
	index, ok := p.add(Token{Kind: Element, CanonicalOpen: true, Start: int32(i),
		Local: int32(local), LocalLen: uint16(end - local),
		FirstAttribute: int32(len(d.attributes)), FirstDeclaration: int32(len(d.declarations))})
	if !ok {
		return 0, false
	}
	canonical, selfClosed := true, false
	j := end
attributes:
	for {
		spaces := j
		for j < len(text) && isSpace(text[j]) {
			j++
		}
		if j >= len(text) {
			return 0, p.fail(UnexpectedEnd, len(text))
		}
		spaces = j - spaces
		switch text[j] {
		case '>':
			j++
			canonical = canonical && spaces == 0
			break attributes
		case '/':
			if j+1 >= len(text) {
				return 0, p.fail(UnexpectedEnd, len(text))
			}
			if text[j+1] != '>' {
				return 0, p.fail(BadStartTag, j)
			}
			j += 2
			selfClosed = true
			break attributes
		}
		if spaces == 0 {
			if c := text[j]; classes[c]&classNameStart != 0 || c >= 0x80 {
				return 0, p.fail(MissingSpace, j)
			}
			return 0, p.fail(BadStartTag, j)
		}
		single := spaces == 1 && text[j-1] == ' '
		if j, ok = p.attribute(j, index, single); !ok {
			return 0, false
		}
	}

	t := &d.tokens[index]
	undoMark := int32(len(d.undo))
	if t.Declarations = uint16(len(d.declarations) - int(t.FirstDeclaration)); t.Declarations > 0 {
		canonical = false
		for _, declared := range d.declarations[t.FirstDeclaration:] {
			d.undo = append(d.undo, undo{declared.Prefix, d.bound[declared.Prefix]})
			d.bound[declared.Prefix] = declared.Namespace
		}
	}
	t.Attributes = uint16(len(d.attributes) - int(t.FirstAttribute))
	prefix := text[i+1 : i+1]
	if colon >= 0 {
		prefix = text[i+1 : colon]
	}
	if t.Prefix, t.Namespace, ok = p.resolve(prefix, i+1); !ok {
		return 0, false
	}
	if t.Attributes > 0 && !p.attributesOf(index, &canonical) {
		return 0, false
	}
	t.Open = int32(j)
	t.CanonicalOpen = canonical && !selfClosed
	d.open = append(d.open, openElement{index, undoMark})
	if selfClosed {
		t.Close, t.End = int32(j), int32(j)
		p.close()
	}
	return j, true
}

// attribute reads one attribute or namespace declaration at i.
func (p *parser) attribute(i int, element int32, canonical bool) (int, bool) {
	d, text := p.d, p.text
	colon, end, ok := p.qname(i)
	if !ok {
		return 0, false
	}
	j := end
	for j < len(text) && isSpace(text[j]) {
		j++
	}
	if j >= len(text) {
		return 0, p.fail(UnexpectedEnd, len(text))
	}
	if text[j] != '=' {
		return 0, p.fail(BadAttribute, j)
	}
	k := j + 1
	for k < len(text) && isSpace(text[k]) {
		k++
	}
	if k >= len(text) {
		return 0, p.fail(UnexpectedEnd, len(text))
	}
	quote := text[k]
	if quote != '"' && quote != '\'' {
		return 0, p.fail(BadAttribute, k)
	}
	canonical = canonical && j == end && k == j+1 && quote == '"'
	value, after, ok := p.value(k+1, quote, &canonical)
	if !ok {
		return 0, false
	}

	var prefix []byte
	local := i
	if colon >= 0 {
		prefix, local = text[i:colon], colon+1
	}
	if colon < 0 && string(text[i:end]) == "xmlns" || string(prefix) == "xmlns" {
		if colon < 0 {
			local = end // the default namespace
		}
		return after, p.declare(local, end, value, i, element)
	}
	if len(d.attributes)-int(d.tokens[element].FirstAttribute) >= p.limits.Attributes {
		return 0, p.fail(TooManyAttributes, i)
	}
	d.attributes = append(d.attributes, Attribute{Canonical: canonical, Start: int32(i), End: int32(after),
		Local: int32(local), LocalLen: uint16(end - local), value: value})
	return after, true
}

// value reads an attribute value from i up to quote and returns the offset after it.
func (p *parser) value(i int, quote byte, canonical *bool) (span, int, bool) {
	text, start := p.text, i
	decode := false
	if quote == '"' {
		i += Plain(text[i:])
	}
	for i < len(text) {
		b := text[i]
		if classes[b]&classValue != 0 {
			i++
			continue
		}
		switch {
		case b == quote:
			s := span{int32(start), int32(i)}
			if decode {
				var ok bool
				if s, ok = p.decode(start, i, true, canonical); !ok {
					return span{}, 0, false
				}
			}
			return s, i + 1, true
		case b == '"', b == '\'':
			i++
		case b == '&':
			decode = true
			i++
		case b == '<':
			return span{}, 0, p.fail(LessThanInValue, i)
		case b >= 0x80:
			size, ok := p.rune(i)
			if !ok {
				return span{}, 0, false
			}
			i += size
		case b == '\t', b == '\n', b == '\r':
			decode, *canonical = true, false
			i++
		default:
			return span{}, 0, p.fail(BadCharacter, i)
		}
	}
	return span{}, 0, p.fail(BadAttribute, start-1)
}

// declare records the declaration of the prefix text[from:to], empty for the default
// namespace (Namespaces in XML sections 3 and 5).
func (p *parser) declare(from, to int, value span, offset int, element int32) bool {
	d := p.d
	prefix, name := p.text[from:to], d.bytes(value)
	own := string(name) == NamespaceXML
	switch {
	case string(prefix) == "xmlns", string(name) == NamespaceXMLNS, own != (string(prefix) == "xml"):
		return p.fail(ReservedPrefix, offset)
	case len(name) == 0 && from < to:
		return p.fail(EmptyPrefixDeclaration, offset)
	}
	number, ok := p.prefix(from, to, offset)
	if !ok {
		return false
	}
	first := d.tokens[element].FirstDeclaration
	for i := int(first); i < len(d.declarations); i++ {
		if d.declarations[i].Prefix == number {
			return p.fail(DuplicateAttribute, offset)
		}
	}
	if len(d.declarations)-int(first) >= p.limits.Namespaces {
		return p.fail(TooManyNamespaces, offset)
	}
	namespace, ok := p.namespace(value, offset)
	if !ok {
		return false
	}
	d.declarations = append(d.declarations, Declaration{number, namespace, int32(offset)})
	return true
}

// prefix interns the prefix text[from:to].
func (p *parser) prefix(from, to, offset int) (uint16, bool) {
	d, text := p.d, p.text[from:to]
	for i := range d.prefixes {
		if bytes.Equal(d.bytes(d.prefixes[i]), text) {
			return uint16(i), true
		}
	}
	if len(d.prefixes)-3 >= p.limits.Namespaces {
		return 0, p.fail(TooManyNamespaces, offset)
	}
	d.prefixes = append(d.prefixes, span{int32(from), int32(to)})
	d.bound = append(d.bound, unbound)
	return uint16(len(d.prefixes) - 1), true
}

// namespace interns a namespace name.
func (p *parser) namespace(value span, offset int) (uint16, bool) {
	d := p.d
	name := d.bytes(value)
	for i := range d.namespaces {
		if bytes.Equal(d.bytes(d.namespaces[i]), name) {
			return uint16(i), true
		}
	}
	if len(d.namespaces)-3 >= p.limits.Namespaces {
		return 0, p.fail(TooManyNamespaces, offset)
	}
	d.namespaces = append(d.namespaces, value)
	d.relative = append(d.relative, !hasScheme(name))
	return uint16(len(d.namespaces) - 1), true
}

// hasScheme reports whether a namespace name begins with a URI scheme (RFC 3986
// section 3.1), as every name but a relative reference does.
func hasScheme(name []byte) bool {
	for i, c := range name {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case i > 0 && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return i > 0 && c == ':'
		}
	}
	return false
}

// resolve finds the namespace that prefix is bound to.
func (p *parser) resolve(prefix []byte, offset int) (number, namespace uint16, ok bool) {
	d := p.d
	if len(prefix) == 0 {
		return PrefixNone, d.bound[PrefixNone], true
	}
	// Most names have the prefix of the one before.
	i := int(p.last)
	if i == PrefixNone || !bytes.Equal(d.bytes(d.prefixes[i]), prefix) {
		for i = len(d.prefixes) - 1; i > PrefixNone && !bytes.Equal(d.bytes(d.prefixes[i]), prefix); i-- {
		}
	}
	switch {
	case i == prefixXMLNS:
		return 0, 0, p.fail(ReservedPrefix, offset)
	case i == PrefixNone || d.bound[i] == unbound:
		return 0, 0, p.fail(UndeclaredPrefix, offset)
	}
	p.last = uint16(i)
	return uint16(i), d.bound[i], true
}

// attributesOf resolves the prefixes of an element's attributes, refuses two of one
// expanded name (attacks.md D4), records identifiers, and clears canonical when the
// attributes do not stand as canonical XML orders and writes them.
func (p *parser) attributesOf(element int32, canonical *bool) bool {
	d, text := p.d, p.text
	attributes := d.TokenAttributes(&d.tokens[element])
	for i := range attributes {
		a := &attributes[i]
		if a.Local != a.Start {
			var ok bool
			if a.Prefix, a.Namespace, ok = p.resolve(text[a.Start:a.Local-1], int(a.Start)); !ok {
				return false
			}
		}
		local := text[a.Local : a.Local+int32(a.LocalLen)]
		for k := range i {
			b := &attributes[k]
			if b.LocalLen == a.LocalLen && b.Namespace == a.Namespace &&
				bytes.Equal(text[b.Local:b.Local+int32(b.LocalLen)], local) {
				return p.fail(DuplicateAttribute, int(a.Start))
			}
		}
		*canonical = *canonical && a.Canonical && (i == 0 || d.AttributeOrder(&attributes[i-1], a) < 0)
		if p.isID(a, local) && !d.addID(a.value, element) {
			return p.fail(DuplicateID, int(a.Start))
		}
	}
	return true
}

// isID reports whether a is an identifier; the package comment lists them.
func (p *parser) isID(a *Attribute, local []byte) bool {
	switch len(local) {
	case 2:
		if a.Namespace == NamespaceNone {
			return string(local) == "Id" || string(local) == "ID"
		}
		if a.Namespace == namespaceXML {
			return string(local) == "id"
		}
		return string(local) == "Id" && string(p.d.NamespaceName(a.Namespace)) == namespaceWSU
	case 9:
		return a.Namespace == NamespaceNone && string(local) == "RequestID"
	case 10:
		return a.Namespace == NamespaceNone && string(local) == "ResponseID"
	case 11:
		return a.Namespace == NamespaceNone && string(local) == "AssertionID"
	}
	return false
}

// AttributeOrder compares two attributes of one element as canonical XML orders
// them: by namespace name, none first, then by local name (C14N section 2.2).
func (d *Document) AttributeOrder(a, b *Attribute) int {
	if a.Namespace != b.Namespace {
		return bytes.Compare(d.NamespaceName(a.Namespace), d.NamespaceName(b.Namespace))
	}
	return bytes.Compare(d.text[a.Local:a.Local+int32(a.LocalLen)], d.text[b.Local:b.Local+int32(b.LocalLen)])
}
