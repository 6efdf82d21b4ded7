package saml

import (
	"time"

	"sceau/internal/xsdtime"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// A NameIdentifier names a subject (core 2.4.2.2).
type NameIdentifier struct {
	Format, NameQualifier, Value []byte
}

// A SubjectConfirmation says how the subject proves who it is (core 2.4.2.3).
type SubjectConfirmation struct {
	// Methods counts the ConfirmationMethod elements; Method is the only one when
	// there is one.
	Methods int
	Method  []byte
	// Data is the SubjectConfirmationData element, zero when there is none.
	Data xmltext.Node
	// KeyInfo is the ds:KeyInfo element, zero when there is none.
	KeyInfo xmltext.Node
}

// A Subject of a query or statement (core 2.4.2). An absent part is zero.
type Subject struct {
	NameIdentifier NameIdentifier
	Named          bool
	Confirmation   SubjectConfirmation
	Confirmed      bool
}

func parseSubject(n xmltext.Node, s *Subject) error {
	*s = Subject{}
	if !n.OnlyElements() {
		return refuse(Malformed, "Subject")
	}
	c := n.FirstElement()
	if c.Is(NamespaceAssertion, "NameIdentifier") {
		s.Named = true
		value, ok := c.Value()
		if !ok {
			return refuse(Malformed, "NameIdentifier")
		}
		s.NameIdentifier.Value = value
		s.NameIdentifier.Format, _ = c.Attribute("", "Format")
		s.NameIdentifier.NameQualifier, _ = c.Attribute("", "NameQualifier")
		c = c.NextElement()
	}
	if c.Is(NamespaceAssertion, "SubjectConfirmation") {
		s.Confirmed = true
		if err := parseConfirmation(c, &s.Confirmation); err != nil {
			return err
		}
		c = c.NextElement()
	}
	if !c.IsZero() || !s.Named && !s.Confirmed {
		return refuse(Malformed, "content of Subject")
	}
	return nil
}

func parseConfirmation(n xmltext.Node, s *SubjectConfirmation) error {
	if !n.OnlyElements() {
		return refuse(Malformed, "SubjectConfirmation")
	}
	c := n.FirstElement()
	for ; c.Is(NamespaceAssertion, "ConfirmationMethod"); c = c.NextElement() {
		method, ok := c.Value()
		if !ok {
			return refuse(Malformed, "ConfirmationMethod")
		}
		s.Methods++
		s.Method = method
	}
	if s.Methods != 1 {
		s.Method = nil
	}
	if c.Is(NamespaceAssertion, "SubjectConfirmationData") {
		s.Data = c
		c = c.NextElement()
	}
	if c.Is(xmlsec.NamespaceDS, "KeyInfo") {
		s.KeyInfo = c
		c = c.NextElement()
	}
	if !c.IsZero() {
		return refuse(Malformed, "content of SubjectConfirmation")
	}
	return nil
}

// A Designator asks for an attribute (core 2.4.4.1).
type Designator struct{ Name, Namespace []byte }

// An Attribute with its values (core 2.4.4.2). Every value is a simple value; an
// empty AttributeValue is an empty value.
type Attribute struct {
	Designator
	Values [][]byte
}

func parseDesignator(n xmltext.Node, d *Designator) error {
	var ok1, ok2 bool
	d.Name, ok1 = n.Attribute("", "AttributeName")
	d.Namespace, ok2 = n.Attribute("", "AttributeNamespace")
	if !ok1 || !ok2 || len(d.Name) == 0 {
		return refuse(Malformed, string(n.Local()))
	}
	return nil
}

// A statement gathers what an AttributeStatement holds; its memory is used again.
type statement struct {
	attributes []Attribute
	values     [][]byte
}

// attributes reads Attribute elements from c on; nothing else may follow. Values
// with child elements are refused: nobody here reads them, and what is not read
// must not be taken for something simpler (attacks.md D1).
func (s *statement) read(c xmltext.Node) error {
	s.attributes, s.values = s.attributes[:0], s.values[:0]
	for ; !c.IsZero(); c = c.NextElement() {
		if !c.Is(NamespaceAssertion, "Attribute") || !c.OnlyElements() {
			return refuse(Malformed, "Attribute")
		}
		var a Attribute
		if err := parseDesignator(c, &a.Designator); err != nil {
			return err
		}
		first := len(s.values)
		for v := c.FirstElement(); !v.IsZero(); v = v.NextElement() {
			value, ok := v.Value()
			if !ok || !v.Is(NamespaceAssertion, "AttributeValue") {
				return refuse(Malformed, "AttributeValue")
			}
			s.values = append(s.values, value)
		}
		if len(s.values) == first {
			return refuse(Malformed, "Attribute without AttributeValue")
		}
		a.Values = s.values[first:len(s.values):len(s.values)]
		s.attributes = append(s.attributes, a)
	}
	return nil
}

func parseTime(n xmltext.Node, name string) (time.Time, bool, error) {
	text, ok := n.Attribute("", name)
	if !ok {
		return time.Time{}, false, nil
	}
	at, err := xsdtime.Parse(text)
	if err != nil {
		return time.Time{}, false, refuse(BadTime, name)
	}
	return at, true, nil
}

// parseVersion reads MajorVersion and MinorVersion of an element of SAML 1.1.
func parseVersion(n xmltext.Node) error {
	major, ok1 := n.Attribute("", "MajorVersion")
	minor, ok2 := n.Attribute("", "MinorVersion")
	if !ok1 || !ok2 {
		return refuse(Malformed, "version of "+string(n.Local()))
	}
	if string(major) == "1" && string(minor) == "1" {
		return nil
	}
	if !isNumber(major) || !isNumber(minor) {
		return refuse(Malformed, "version of "+string(n.Local()))
	}
	if string(major) == "0" || string(major) == "1" && string(minor) == "0" {
		return refuse(VersionTooLow, string(n.Local()))
	}
	return refuse(VersionTooHigh, string(n.Local()))
}

// isNumber reports whether text is a decimal number as every writer writes it: no
// sign, no leading zero.
func isNumber(text []byte) bool {
	for _, b := range text {
		if b < '0' || b > '9' {
			return false
		}
	}
	return len(text) > 0 && (text[0] != '0' || len(text) == 1)
}
