package trust

import (
	"errors"
	"fmt"

	"sceau/certs"
	"sceau/xmlsec"
)

// A Reason says why an assertion is not believed.
type Reason uint8

// The reasons, in the order in which an assertion can meet them.
const (
	_                    Reason = iota
	Unconfigured                // a Judge without certificates, or whose certificates serve no role that it asks for
	Malformed                   // a window that is missing or turned
	WrongIssuer                 // the Issuer is none of ours
	NotYetValid                 // before NotBefore
	Expired                     // at or after NotOnOrAfter
	WrongAudience               // restricted to audiences that are not ours
	Unconfirmed                 // not confirmed by the method that is called for, once, as that method is done
	Unsigned                    // no signature, or one without a certificate
	UntrustedSTS                // the certificate that signed is not that of a trusted STS
	UnsupportedAlgorithm        // a signature algorithm, transform or reference that is not admitted
	BadSignature                // the signature does not verify, or signs something else
	UntrustedHolder             // the certificate of the holder is not trusted
)

var reasons = [...]string{
	Unconfigured:         "judge not configured",
	Malformed:            "malformed assertion",
	WrongIssuer:          "issuer not trusted",
	NotYetValid:          "not yet valid",
	Expired:              "expired",
	WrongAudience:        "for another audience",
	Unconfirmed:          "subject not confirmed",
	Unsigned:             "not signed",
	UntrustedSTS:         "certificate of the STS not trusted",
	UnsupportedAlgorithm: "unsupported signature algorithm",
	BadSignature:         "signature does not verify",
	UntrustedHolder:      "certificate of the holder not trusted",
}

func (r Reason) String() string {
	if int(r) < len(reasons) && reasons[r] != "" {
		return reasons[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// An Error is what this package refuses with. It is for the operator, and names no person.
type Error struct {
	Reason Reason
	Err    error // may be nil
}

func (e *Error) Error() string {
	if e.Err == nil {
		return "trust: " + e.Reason.String()
	}
	return "trust: " + e.Reason.String() + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

func refuse(r Reason, err error) error { return &Error{r, err} }

// ReasonOf returns the Reason of the first *Error in err's chain, zero when there is none.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return 0
}

// certificateError gives a refusal of package certs a Reason; a role that nobody configured is our fault and not the bearer's.
func certificateError(r Reason, err error) error {
	if certs.ReasonOf(err) == certs.UnknownRole {
		r = Unconfigured
	}
	return refuse(r, err)
}

// signatureError sorts what package xmlsec refuses.
func signatureError(err error) error {
	var e *xmlsec.Error
	if errors.As(err, &e) {
		switch e.Reason {
		case xmlsec.AlgorithmRefused, xmlsec.CanonicalizationRefused, xmlsec.TransformRefused, xmlsec.ReferenceRefused:
			return refuse(UnsupportedAlgorithm, err)
		}
	}
	return refuse(BadSignature, err)
}
