package xmlsec

import "fmt"

// A Reason says why a signature, or something about it, was refused.
type Reason uint8

// The reasons.
const (
	_                       Reason = iota
	Malformed                      // not the ds:Signature of the schema, or a comment inside it
	AlgorithmRefused               // a method that is unknown or that the policy does not admit
	CanonicalizationRefused        // a canonicalization other than exclusive without comments
	TransformRefused               // a transform, or an order of transforms, that is not admitted
	ReferenceRefused               // a reference that is not "#" and an identifier
	ReferenceUnresolved            // an identifier that no element bears
	TooMany                        // more references or transforms than the policy admits, or none
	NoCanonicalForm                // an element that has no canonical form
	DigestMismatch                 // a referenced element was changed
	SignatureMismatch              // the signature value does not verify with the key
	KeyMismatch                    // the key is of another kind than the signature method
	KeyRefused                     // a key too small, too large, or on another curve
	KeyInfoRefused                 // a KeyInfo of a form that is not admitted
	BadBase64                      // base64 that is none
)

var reasons = [...]string{
	Malformed:               "malformed signature",
	AlgorithmRefused:        "algorithm refused",
	CanonicalizationRefused: "canonicalization refused",
	TransformRefused:        "transform refused",
	ReferenceRefused:        "reference refused",
	ReferenceUnresolved:     "reference unresolved",
	TooMany:                 "too many references or transforms, or none",
	NoCanonicalForm:         "no canonical form",
	DigestMismatch:          "digest mismatch",
	SignatureMismatch:       "signature mismatch",
	KeyMismatch:             "key does not fit the method",
	KeyRefused:              "key refused",
	KeyInfoRefused:          "KeyInfo refused",
	BadBase64:               "malformed base64",
}

func (r Reason) String() string {
	if int(r) < len(reasons) && reasons[r] != "" {
		return reasons[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// An Error is what this package refuses with. Detail is for the operator; it quotes
// nothing of the message but algorithm identifiers and element names.
type Error struct {
	Reason Reason
	Rule   string // Basic Security Profile 1.1 rule, "R5403", where one is broken
	Detail string
	Err    error
}

func (e *Error) Error() string {
	s := "xmlsec: " + e.Reason.String()
	if e.Rule != "" {
		s += " (BSP " + e.Rule + ")"
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

func refuse(r Reason, detail string) error { return &Error{Reason: r, Detail: detail} }

func refuseRule(r Reason, rule, detail string) error {
	return &Error{Reason: r, Rule: rule, Detail: detail}
}

// refuseURI names an algorithm identifier, shortened: it comes from a stranger.
func refuseURI(r Reason, what string, uri []byte) error {
	const limit = 120
	if len(uri) > limit {
		uri = uri[:limit]
	}
	return &Error{Reason: r, Detail: fmt.Sprintf("%s %q", what, uri)}
}
