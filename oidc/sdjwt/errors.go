package sdjwt

import "fmt"

// A Reason says why a presentation was refused.
type Reason uint8

// Reasons. The zero Reason is none.
const (
	_             Reason = iota
	Malformed            // no SD-JWT with key binding, not JSON, two members of one name
	BadType              // typ or vct are others
	BadAlgorithm         // none, a symmetric or an unknown algorithm, or one that does not fit the key
	BadSignature         // the issuer did not sign it
	Untrusted            // the issuer may not issue such a credential
	BadDisclosure        // a disclosure that is not the issuer's, or stands where it may not
	BadClaim             // a claim misses, or is of another type
	Expired              // the credential has ended
	Future               // the credential has not begun
	NotBound             // no proof of its key, or for another verifier, transaction or set of disclosures
	Revoked              // its status is not valid
	NoStatus             // its status is of a kind, or at a place, that is not taken
	Unavailable          // nobody can say at the moment whether it holds
)

var reasonTexts = [...]string{"none", "malformed", "wrong type", "algorithm not accepted", "signature not valid", "issuer not trusted",
	"disclosure", "claim not allowed or missing", "expired", "not yet valid", "key binding", "revoked", "status not taken", "unavailable"}

func (r Reason) String() string {
	if int(r) < len(reasonTexts) {
		return reasonTexts[r]
	}
	return "unknown"
}

// An Error is a refusal. It holds no value of a claim.
type Error struct {
	Reason Reason
	Cause  error
}

func (e *Error) Error() string {
	if e.Cause == nil {
		return "sdjwt: " + e.Reason.String()
	}
	return "sdjwt: " + e.Reason.String() + ": " + e.Cause.Error()
}

func (e *Error) Unwrap() error { return e.Cause }

func refuse(r Reason, format string, args ...any) error {
	return &Error{Reason: r, Cause: fmt.Errorf(format, args...)}
}
