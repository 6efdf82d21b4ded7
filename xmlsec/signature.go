package xmlsec

import (
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

const (
	maxReferences = 8
	maxTransforms = 2
	maxDigest     = 64
)

// A Signature is a ds:Signature that was read and whose references were resolved;
// nothing of it is verified. ParseSignature makes it. It aliases its document.
type Signature struct {
	node       xmltext.Node
	signedInfo xmltext.Node
	keyInfo    xmltext.Node
	prefixes   []byte // PrefixList of the CanonicalizationMethod
	method     SignatureMethod
	value      []byte // base64 text of SignatureValue
	references [maxReferences]reference
	count      int
}

type reference struct {
	target     xmltext.Node // the element that URI names
	covered    xmltext.Node // the element that is digested: target, or the token of an STR
	prefixes   []byte
	enveloped  bool
	str        bool
	transforms uint8
	method     DigestMethod
	digest     [maxDigest]byte
}

// Node returns the ds:Signature element.
func (s *Signature) Node() xmltext.Node { return s.node }

// KeyInfo returns the ds:KeyInfo element, the zero Node when there is none.
func (s *Signature) KeyInfo() xmltext.Node { return s.keyInfo }

// Method returns the signature method.
func (s *Signature) Method() SignatureMethod { return s.method }

// References returns how many references the signature has.
func (s *Signature) References() int { return s.count }

// Refers returns the element that reference i names and whether the reference has
// the enveloped-signature transform. It is what the signature claims, not what
// was verified.
func (s *Signature) Refers(i int) (target xmltext.Node, enveloped bool) {
	return s.references[:s.count][i].covered, s.references[i].enveloped
}

// children walks the child elements of a node against a content model; it fails at
// anything that stands where the schema has nothing.
type children struct{ next xmltext.Node }

func childrenOf(n xmltext.Node) children { return children{n.FirstElement()} }

// take returns the next child when it has this name, the zero Node otherwise.
func (c *children) take(namespace, local string) xmltext.Node {
	if !c.next.Is(namespace, local) {
		return xmltext.Node{}
	}
	n := c.next
	c.next = n.NextElement()
	return n
}

// sole returns the next child when it has this name and is the last, the zero Node
// otherwise: of one of several alternatives, with nothing beside it.
func (c *children) sole(namespace, local string) xmltext.Node {
	if !c.next.NextElement().IsZero() {
		return xmltext.Node{}
	}
	return c.take(namespace, local)
}

func (c *children) done() bool { return c.next.IsZero() }

// ParseSignature reads a ds:Signature. Errors are of type *Error.
//
// It is stricter than the schema: no ds:Object (and so no Manifest, attacks.md W20),
// no comments anywhere (W18), no text between elements, one SignedInfo, and nothing
// after KeyInfo.
func ParseSignature(n xmltext.Node) (s Signature, err error) {
	if !n.Is(NamespaceDS, "Signature") || !n.OnlyElements() || n.HasComment() {
		return Signature{}, refuse(Malformed, "Signature")
	}
	s.node = n
	c := childrenOf(n)
	s.signedInfo = c.take(NamespaceDS, "SignedInfo")
	value := c.take(NamespaceDS, "SignatureValue")
	s.keyInfo = c.take(NamespaceDS, "KeyInfo")
	if s.signedInfo.IsZero() || value.IsZero() || !c.done() {
		return Signature{}, refuse(Malformed, "content of Signature")
	}
	var ok bool
	if s.value, ok = value.Value(); !ok || len(s.value) == 0 {
		return Signature{}, refuse(Malformed, "SignatureValue")
	}
	if err := s.parseSignedInfo(); err != nil {
		return Signature{}, err
	}
	return s, nil
}

func (s *Signature) parseSignedInfo() error {
	if !s.signedInfo.OnlyElements() {
		return refuse(Malformed, "SignedInfo")
	}
	c := childrenOf(s.signedInfo)
	method := c.take(NamespaceDS, "CanonicalizationMethod")
	algorithm, _ := method.Attribute("", "Algorithm")
	if method.IsZero() {
		return refuse(Malformed, "CanonicalizationMethod")
	}
	if string(algorithm) != c14n.Algorithm {
		return refuseURI(CanonicalizationRefused, "canonicalization", algorithm)
	}
	var err error
	if s.prefixes, err = inclusiveNamespaces(method); err != nil {
		return err
	}
	method = c.take(NamespaceDS, "SignatureMethod")
	algorithm, _ = method.Attribute("", "Algorithm")
	if method.IsZero() {
		return refuse(Malformed, "SignatureMethod")
	}
	if s.method = signatureMethodOf(algorithm); s.method == 0 {
		return refuseURI(AlgorithmRefused, "signature method", algorithm)
	}
	// HMACOutputLength and RSAPSSParams are children; no admitted method has one
	// (attacks.md A2, BSP R5401).
	if !method.FirstElement().IsZero() || !method.OnlyElements() {
		return refuseRule(AlgorithmRefused, "R5401", "parameters of SignatureMethod")
	}
	for !c.done() {
		n := c.take(NamespaceDS, "Reference")
		if n.IsZero() {
			return refuse(Malformed, "content of SignedInfo")
		}
		if s.count == maxReferences {
			return refuse(TooMany, "references")
		}
		if err := s.parseReference(n, &s.references[s.count]); err != nil {
			return err
		}
		s.count++
	}
	if s.count == 0 {
		return refuse(TooMany, "no reference")
	}
	return nil
}

// inclusiveNamespaces reads the optional InclusiveNamespaces child of a
// CanonicalizationMethod or Transform and returns its PrefixList.
func inclusiveNamespaces(n xmltext.Node) ([]byte, error) {
	c := childrenOf(n)
	if c.done() {
		if !n.OnlyElements() {
			return nil, refuse(Malformed, "content of a canonicalization method")
		}
		return nil, nil
	}
	list := c.take(NamespaceExcC14, "InclusiveNamespaces")
	prefixes, ok := list.Attribute("", "PrefixList")
	if !ok || !c.done() || !n.OnlyElements() || !list.FirstElement().IsZero() || !list.OnlyElements() {
		return nil, refuse(Malformed, "InclusiveNamespaces")
	}
	return prefixes, nil
}

func (s *Signature) parseReference(n xmltext.Node, r *reference) error {
	if !n.OnlyElements() {
		return refuse(Malformed, "Reference")
	}
	// Only "#" and an identifier: no external resource, no XPointer, not the whole
	// document (attacks.md T3, W19). Identifiers are compared as they stand: no
	// percent-decoding.
	uri, ok := n.Attribute("", "URI")
	if !ok || len(uri) < 2 || uri[0] != '#' || !xmltext.IsNCName(uri[1:]) {
		return refuseURI(ReferenceRefused, "URI", uri)
	}
	// A Manifest is verified by none of our callers (attacks.md W20, BSP R5403).
	if t, ok := n.Attribute("", "Type"); ok && string(t) == NamespaceDS+"Manifest" {
		return refuseRule(ReferenceRefused, "R5403", "Manifest")
	}
	c := childrenOf(n)
	transforms := c.take(NamespaceDS, "Transforms")
	if transforms.IsZero() {
		// Without a transform the octets would be those of inclusive canonicalization.
		return refuse(TransformRefused, "no transform: inclusive canonicalization")
	}
	if err := r.parseTransforms(transforms); err != nil {
		return err
	}
	method := c.take(NamespaceDS, "DigestMethod")
	digest := c.take(NamespaceDS, "DigestValue")
	algorithm, _ := method.Attribute("", "Algorithm")
	if method.IsZero() || digest.IsZero() || !c.done() || !method.FirstElement().IsZero() || !method.OnlyElements() {
		return refuse(Malformed, "content of Reference")
	}
	if r.method = digestMethodOf(algorithm); r.method == 0 {
		return refuseURI(AlgorithmRefused, "digest method", algorithm)
	}
	text, ok := digest.Value()
	if !ok || len(text) > 2*maxDigest {
		return refuse(Malformed, "DigestValue")
	}
	var room [2 * maxDigest]byte
	value, err := AppendBase64(room[:0], text)
	if err != nil {
		return err
	}
	if len(value) != r.method.Hash().Size() {
		return refuse(Malformed, "length of DigestValue")
	}
	copy(r.digest[:], value)

	if r.target, ok = n.Document().ElementByID(uri[1:]); !ok {
		return refuse(ReferenceUnresolved, "")
	}
	r.covered = r.target
	if r.str {
		if r.covered, err = strToken(r.target); err != nil {
			return err
		}
	}
	// The enveloped transform takes out this signature, so it must be inside; a
	// reference may not cover the signature in another way.
	if r.covered.Contains(s.node) != r.enveloped {
		return refuse(TransformRefused, "enveloped-signature does not fit the place of the signature")
	}
	return nil
}

// parseTransforms admits exclusive canonicalization, alone or after
// enveloped-signature, and STR-Transform alone; nothing else (attacks.md T1, T2).
func (r *reference) parseTransforms(n xmltext.Node) error {
	if !n.OnlyElements() {
		return refuse(Malformed, "Transforms")
	}
	canonical := false
	for t := n.FirstElement(); !t.IsZero(); t = t.NextElement() {
		if !t.Is(NamespaceDS, "Transform") {
			return refuse(Malformed, "content of Transforms")
		}
		if r.transforms++; r.transforms > maxTransforms {
			return refuse(TooMany, "transforms")
		}
		algorithm, _ := t.Attribute("", "Algorithm")
		var err error
		switch {
		case canonical:
			return refuseURI(TransformRefused, "transform after canonicalization", algorithm)
		case string(algorithm) == c14n.Algorithm:
			canonical = true
			if r.prefixes, err = inclusiveNamespaces(t); err != nil {
				return err
			}
		case string(algorithm) == transformEnveloped && r.transforms == 1:
			r.enveloped = true
			if !t.FirstElement().IsZero() || !t.OnlyElements() {
				return refuse(Malformed, "parameters of enveloped-signature")
			}
		case string(algorithm) == transformSTR && r.transforms == 1:
			canonical, r.str = true, true
			if r.prefixes, err = strParameters(t); err != nil {
				return err
			}
		default:
			return refuseURI(TransformRefused, "transform", algorithm)
		}
	}
	if !canonical {
		return refuse(TransformRefused, "no canonicalization")
	}
	return nil
}

// strParameters reads wsse:TransformationParameters of an STR-Transform, which must
// name exclusive canonicalization (BSP R5412, R5413).
func strParameters(t xmltext.Node) ([]byte, error) {
	c := childrenOf(t)
	parameters := c.take(NamespaceWSSE, "TransformationParameters")
	if parameters.IsZero() || !c.done() || !t.OnlyElements() || !parameters.OnlyElements() {
		return nil, refuseRule(Malformed, "R5412", "parameters of STR-Transform")
	}
	c = childrenOf(parameters)
	method := c.take(NamespaceDS, "CanonicalizationMethod")
	if method.IsZero() || !c.done() {
		return nil, refuseRule(Malformed, "R5413", "TransformationParameters")
	}
	algorithm, _ := method.Attribute("", "Algorithm")
	if string(algorithm) != c14n.Algorithm {
		return nil, refuseURI(CanonicalizationRefused, "canonicalization", algorithm)
	}
	return inclusiveNamespaces(method)
}

// strToken finds the token in the message that a SecurityTokenReference refers to.
// A reference to a token that the message does not hold has no octets of the
// message to digest and is refused.
func strToken(str xmltext.Node) (xmltext.Node, error) {
	if !str.Is(NamespaceWSSE, "SecurityTokenReference") {
		return xmltext.Node{}, refuse(TransformRefused, "STR-Transform of another element")
	}
	ref, err := parseSTR(str)
	if err != nil {
		return xmltext.Node{}, err
	}
	if ref.Token.IsZero() {
		return xmltext.Node{}, refuse(ReferenceUnresolved, "token of a SecurityTokenReference")
	}
	return ref.Token, nil
}
