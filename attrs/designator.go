package attrs

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The two namespaces of the eHealth platform (wire document, section 5).
const (
	// NamespaceIdentification holds what a caller claims about himself; the sts compares it with the certificates.
	NamespaceIdentification = "urn:be:fgov:identification-namespace"

	// NamespaceCertified holds what an authentic source says.
	NamespaceCertified = "urn:be:fgov:certified-namespace:ehealth"

	// namespaceCertifiedTypo is a spelling of NamespaceCertified that lives in the configurations of some clients.
	namespaceCertifiedTypo = "urn:be:fgov:certifiednamespace:ehealth"
)

// A Designator names an attribute as the wire does: AttributeName and AttributeNamespace (SAML 1.1 core 2.4.4.1). The name
// alone is not enough: the same name stands in both namespaces.
type Designator struct{ Name, Namespace string }

// ValueKind says what a value of an attribute looks like. The zero ValueKind is none: it accepts no value.
type ValueKind uint8

// The kinds of value of the eHealth catalogue.
const (
	Boolean ValueKind = iota + 1 // "true" or "false"
	SSIN                         // social security identification number, 11 digits, two of them check digits
	NIHII8                       // number of a provider or institution at the NIHII, 8 digits, two of them check digits
	NIHII11                      // NIHII8 and three digits of qualification
	CBE                          // enterprise number of the Crossroads Bank for Enterprises, 10 digits, two of them check digits
	EHP                          // eHealth party number, 10 digits
	Text                         // one line of text, at most MaxTextBytes bytes
)

// MaxTextBytes bounds a value of kind [Text].
const MaxTextBytes = 1024

var kindNames = [...]string{
	Boolean: "boolean", SSIN: "ssin", NIHII8: "nihii8", NIHII11: "nihii11", CBE: "cbe", EHP: "ehp", Text: "text",
}

// String gives the name of the kind for tables and messages.
func (k ValueKind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return "invalid kind"
	}
	return kindNames[k]
}

// Valid says whether value is a value of this kind, check digits included. It is true of no value for the zero kind, and
// of the empty value for none: that a value is unknown is a [State], not a value.
func (k ValueKind) Valid(value string) bool {
	switch k {
	case Boolean:
		return value == "true" || value == "false"
	case SSIN:
		return ValidSSIN(value)
	case NIHII8:
		return ValidNIHII8(value)
	case NIHII11:
		return ValidNIHII11(value)
	case CBE:
		return ValidCBE(value)
	case EHP:
		return ValidEHP(value)
	case Text:
		return validText(value)
	}
	return false
}

// SubjectType gives the type of subject that a value of this kind names, or "" where it names none.
func (k ValueKind) SubjectType() SubjectType {
	switch k {
	case SSIN:
		return SubjectSSIN
	case NIHII8:
		return SubjectNIHII
	case CBE:
		return SubjectCBE
	case EHP:
		return SubjectEHP
	}
	return ""
}

// validText admits what can stand in XML 1.0, on a line of a log and in a cell of a table, and means the same in each:
// valid UTF-8, no control characters, no line separators, no replacement character (it is what is left of bytes that were
// not text), nothing that reverses the direction of writing (Z10: log injection), no blank at either end.
func validText(s string) bool {
	if s == "" || len(s) > MaxTextBytes || strings.TrimSpace(s) != s || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		switch {
		case unicode.IsControl(r),
			r == '\u2028', r == '\u2029',
			r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069', r == '\u200e', r == '\u200f',
			r == '\ufeff', r >= '\ufff9' && r <= '\uffff',
			r&0xfffe == 0xfffe, r >= 0xfdd0 && r <= 0xfdef: // non-characters
			return false
		}
	}
	return true
}

// SubjectType says by what kind of number a subject is known to an authentic source. Where an attribute is a relation
// between two subjects the type is both, joined by a slash: "nihii/ssin" is a pharmacy and a person.
type SubjectType string

// The types of subject of the eHealth catalogue.
const (
	SubjectSSIN  SubjectType = "ssin"
	SubjectNIHII SubjectType = "nihii"
	SubjectCBE   SubjectType = "cbe"
	SubjectEHP   SubjectType = "ehp"
)

// A Subject is whose attribute it is: the look-up key of authentic sources. For a relation the values are joined by a slash
// as the types are, in the same order; a value of a single type holds digits only, so that a joined one reads in one way.
type Subject struct {
	Type  SubjectType
	Value string
}

// Valid says whether the value is one of its type, check digits included. The zero Subject is nobody and not valid.
func (s Subject) Valid() bool {
	types, values := string(s.Type), s.Value
	for {
		t, moreTypes, slash := strings.Cut(types, "/")
		v, moreValues, joined := strings.Cut(values, "/")
		if slash != joined || !validSubjectValue(SubjectType(t), v) {
			return false
		}
		if !slash {
			return true
		}
		types, values = moreTypes, moreValues
	}
}

func validSubjectValue(t SubjectType, v string) bool {
	switch t {
	case SubjectSSIN:
		return ValidSSIN(v)
	case SubjectNIHII:
		return ValidNIHII8(v)
	case SubjectCBE:
		return ValidCBE(v)
	case SubjectEHP:
		return ValidEHP(v)
	}
	return false
}
