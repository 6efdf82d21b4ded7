package xmltext

import "fmt"

// A Reason names the rule of XML, of Namespaces in XML, or of this package's
// profile that a text breaks.
type Reason uint8

// The reasons, in no order of importance. The zero Reason is not used.
const (
	_                      Reason = iota
	TooLarge                      // more bytes than Limits.Bytes
	TooDeep                       // elements nested deeper than Limits.Depth
	TooManyNodes                  // more elements, texts and comments than Limits.Nodes
	TooManyAttributes             // more attributes on one element than Limits.Attributes
	TooManyNamespaces             // more declarations on one element, prefixes or namespace names than Limits.Namespaces
	NameTooLong                   // a name longer than Limits.NameLength
	WrongEncoding                 // not UTF-8: a UTF-16 or UTF-32 mark, or another encoding declared
	BadUTF8                       // bytes that are no UTF-8, overlong forms and surrogates included
	BadCharacter                  // a character outside production Char, written or referred to
	BadDeclaration                // the XML declaration is malformed or not at the very beginning
	DoctypeRefused                // a document type declaration (attacks.md Z1)
	InstructionRefused            // a processing instruction
	BadMarkup                     // "<!" that begins neither a comment nor a CDATA section
	BadComment                    // "--" inside a comment, or a comment without an end
	BadCDATA                      // a CDATA section without an end, or outside the root
	CDATAEndInText                // "]]>" in character data
	BadName                       // a name that is no Name, or a qualified name that is no QName
	BadStartTag                   // a start tag that cannot be read
	MissingSpace                  // no white space before an attribute
	BadAttribute                  // an attribute without "=", without quotes or without an end
	LessThanInValue               // "<" in an attribute value
	BadReference                  // "&" that begins no reference, or a malformed one
	UnknownEntity                 // a reference to an entity other than the five
	DuplicateAttribute            // two attributes of one expanded name, or one prefix declared twice
	UndeclaredPrefix              // a prefix without a declaration in scope
	ReservedPrefix                // xml or xmlns rebound, declared or used against Namespaces in XML section 3
	EmptyPrefixDeclaration        // xmlns:p=""
	DuplicateID                   // two elements with one identifier (attacks.md W13)
	MismatchedEndTag              // an end tag that does not close the open element
	BadEndTag                     // an end tag that cannot be read
	ContentOutsideRoot            // text before or after the root element
	SecondRoot                    // a second root element
	NoRoot                        // no element at all
	UnexpectedEnd                 // the text ends inside an element
)

var reasons = [...]string{
	TooLarge:               "too large",
	TooDeep:                "nested too deep",
	TooManyNodes:           "too many nodes",
	TooManyAttributes:      "too many attributes",
	TooManyNamespaces:      "too many namespaces",
	NameTooLong:            "name too long",
	WrongEncoding:          "encoding is not UTF-8",
	BadUTF8:                "malformed UTF-8",
	BadCharacter:           "character not allowed in XML",
	BadDeclaration:         "malformed or misplaced XML declaration",
	DoctypeRefused:         "document type declaration refused",
	InstructionRefused:     "processing instruction refused",
	BadMarkup:              "malformed markup",
	BadComment:             "malformed comment",
	BadCDATA:               "malformed or misplaced CDATA section",
	CDATAEndInText:         "]]> in character data",
	BadName:                "malformed name",
	BadStartTag:            "malformed start tag",
	MissingSpace:           "no space before attribute",
	BadAttribute:           "malformed attribute",
	LessThanInValue:        "< in attribute value",
	BadReference:           "malformed reference",
	UnknownEntity:          "unknown entity",
	DuplicateAttribute:     "duplicate attribute",
	UndeclaredPrefix:       "undeclared prefix",
	ReservedPrefix:         "reserved prefix or namespace",
	EmptyPrefixDeclaration: "prefix declared empty",
	DuplicateID:            "duplicate identifier",
	MismatchedEndTag:       "mismatched end tag",
	BadEndTag:              "malformed end tag",
	ContentOutsideRoot:     "content outside the root element",
	SecondRoot:             "second root element",
	NoRoot:                 "no root element",
	UnexpectedEnd:          "unexpected end of text",
}

func (r Reason) String() string {
	if int(r) < len(reasons) && reasons[r] != "" {
		return reasons[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// A SyntaxError says where and why a text was refused. It holds nothing of the
// text itself.
type SyntaxError struct {
	Reason Reason
	Offset int // in bytes from the beginning of the text
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("xml: %v at byte %d", e.Reason, e.Offset)
}
