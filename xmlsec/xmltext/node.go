package xmltext

// A Node is an element of a Document, by identity: two Nodes are equal (==) exactly
// when they are the same element of the same document. The zero Node is no element;
// its methods answer with nothing.
type Node struct {
	d *Document
	i int32
}

// IsZero reports whether n is no element.
func (n Node) IsZero() bool { return n.d == nil }

// Document returns the document n belongs to, nil for the zero Node.
func (n Node) Document() *Document { return n.d }

// Index returns the index of n among Document.Tokens.
func (n Node) Index() int32 { return n.i }

func (n Node) token() *Token { return &n.d.tokens[n.i] }

// Is reports whether n is an element of this namespace and local name.
func (n Node) Is(namespace, local string) bool {
	if n.d == nil {
		return false
	}
	t := n.token()
	return int(t.LocalLen) == len(local) && string(n.Local()) == local &&
		string(n.d.NamespaceName(t.Namespace)) == namespace
}

// Local returns the local name.
func (n Node) Local() []byte {
	if n.d == nil {
		return nil
	}
	t := n.token()
	return n.d.text[t.Local : t.Local+int32(t.LocalLen)]
}

// Namespace returns the namespace name, empty for none.
func (n Node) Namespace() []byte {
	if n.d == nil {
		return nil
	}
	return n.d.NamespaceName(n.token().Namespace)
}

// Parent returns the parent element, the zero Node for the root.
func (n Node) Parent() Node {
	if n.d == nil || n.i == 0 {
		return Node{}
	}
	return Node{n.d, n.token().Parent}
}

// FirstElement returns the first child element, or the zero Node.
func (n Node) FirstElement() Node {
	if n.d == nil {
		return Node{}
	}
	return n.elementFrom(n.i+1, n.token().Next)
}

// NextElement returns the next sibling element, or the zero Node.
func (n Node) NextElement() Node {
	if n.d == nil || n.i == 0 {
		return Node{}
	}
	t := n.token()
	return n.elementFrom(t.Next, n.d.tokens[t.Parent].Next)
}

func (n Node) elementFrom(i, end int32) Node {
	for i < end {
		t := &n.d.tokens[i]
		if t.Kind == Element {
			return Node{n.d, i}
		}
		i = t.Next
	}
	return Node{}
}

// Contains reports whether m is n itself or inside n.
func (n Node) Contains(m Node) bool {
	return n.d != nil && n.d == m.d && m.i >= n.i && m.i < n.token().Next
}

// Attribute returns the value of the attribute with this expanded name; namespace is
// empty for an unprefixed attribute.
func (n Node) Attribute(namespace, local string) (value []byte, ok bool) {
	if n.d == nil {
		return nil, false
	}
	attributes := n.d.TokenAttributes(n.token())
	for i := range attributes {
		a := &attributes[i]
		if int(a.LocalLen) == len(local) && string(n.d.text[a.Local:a.Local+int32(a.LocalLen)]) == local &&
			string(n.d.NamespaceName(a.Namespace)) == namespace {
			return n.d.AttributeValue(a), true
		}
	}
	return nil, false
}

// AttributeCount returns the number of attributes, namespace declarations not counted.
func (n Node) AttributeCount() int {
	if n.d == nil {
		return 0
	}
	return int(n.token().Attributes)
}

// AttributeAt returns the i-th attribute in the order of the text.
func (n Node) AttributeAt(i int) (namespace, local, value []byte) {
	a := &n.d.TokenAttributes(n.token())[i]
	return n.d.NamespaceName(a.Namespace), n.d.text[a.Local : a.Local+int32(a.LocalLen)], n.d.AttributeValue(a)
}

// Value returns all the characters directly inside n, joined over CDATA sections
// and comments, so that no comment can cut a value short (attacks.md D1). ok is
// false when n has a child element: such content is no simple value. It allocates
// only when the characters do not stand together in the text.
func (n Node) Value() (value []byte, ok bool) {
	if n.d == nil {
		return nil, false
	}
	t := n.token()
	if t.Next == n.i+1 {
		return nil, true
	}
	if t.Next == n.i+2 && n.d.tokens[n.i+1].Kind == Text {
		return n.d.TokenValue(&n.d.tokens[n.i+1]), true
	}
	var joined []byte
	for i := n.i + 1; i < t.Next; i++ {
		switch c := &n.d.tokens[i]; c.Kind {
		case Element:
			return nil, false
		case Text, CDATA:
			joined = append(joined, n.d.TokenValue(c)...)
		}
	}
	return joined, true
}

// OnlyElements reports whether n holds nothing but child elements, white space and
// comments.
func (n Node) OnlyElements() bool {
	if n.d == nil {
		return false
	}
	end := n.token().Next
	for i := n.i + 1; i < end; i = n.d.tokens[i].Next {
		c := &n.d.tokens[i]
		if c.Kind != Text && c.Kind != CDATA {
			continue
		}
		for _, b := range n.d.TokenValue(c) {
			if b != ' ' && b != '\t' && b != '\n' && b != '\r' {
				return false
			}
		}
	}
	return true
}

// HasComment reports whether a comment stands anywhere inside n.
func (n Node) HasComment() bool {
	if n.d == nil {
		return false
	}
	for i := n.i + 1; i < n.token().Next; i++ {
		if n.d.tokens[i].Kind == Comment {
			return true
		}
	}
	return false
}

// Source returns the bytes of n as they stand in the text, from the "<" of its start
// tag to the ">" of its end tag.
func (n Node) Source() []byte {
	if n.d == nil {
		return nil
	}
	t := n.token()
	return n.d.text[t.Start:t.End:t.End]
}

// NamespaceOf returns the namespace name that prefix is bound to at n ("" for the
// default namespace), as needed for a QName in content. ok is false for a prefix
// without a declaration in scope; the empty prefix is always bound. Exclusive
// canonicalization takes a prefix in a value for mere characters: a signature over n
// says nothing of what such a prefix is bound to, unless its PrefixList names it.
func (n Node) NamespaceOf(prefix []byte) (name []byte, ok bool) {
	if n.d == nil {
		return nil, false
	}
	if string(prefix) == "xml" {
		return n.d.NamespaceName(namespaceXML), true
	}
	for i := n.i; i >= 0; i = n.d.tokens[i].Parent {
		t := &n.d.tokens[i]
		declarations := n.d.TokenDeclarations(t)
		for j := range declarations {
			if string(n.d.PrefixText(declarations[j].Prefix)) == string(prefix) {
				return n.d.NamespaceName(declarations[j].Namespace), true
			}
		}
	}
	return nil, len(prefix) == 0
}
