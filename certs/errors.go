package certs

import (
	"errors"
	"strconv"
)

// Reason says which rule a certificate, a name, a CRL or a key breaks. The zero
// Reason is none.
type Reason uint8

// The reasons, in the order in which a certificate can meet them.
const (
	_                        Reason = iota
	Malformed                       // not a certificate, a name, a CRL or a key in the form that its standard gives it
	TooLarge                        // more octets or attributes than the limits admit
	TooManyCertificates             // more intermediate certificates than a message may bring, or a longer path than is admitted
	UnknownRole                     // no profile of the configuration serves the role
	WrongProfile                    // the subject is not of a shape that the role admits
	WeakKey                         // a key that is too short, of another kind, or known to be weak
	WeakSignature                   // a certificate signed with SHA-1, MD5 or an algorithm that is not admitted
	NotYetValid                     // a certificate of the path is not yet valid
	Expired                         // a certificate of the path is valid no longer
	WrongUsage                      // key usage or extended key usage
	WrongPolicy                     // no certificate policy that the role demands
	UnknownCriticalExtension        // a critical extension that is not understood
	UntrustedIssuer                 // no path to a root of the role, or through an issuer that the role does not admit
	ConstraintViolated              // a path length, a name constraint or basic constraints
	Revoked                         // a certificate of the path is listed in its issuer's CRL, or revoked by an OCSP answer
	RevocationUnknown               // the CRL or OCSP answer that would tell is missing, late or not yet valid
	RolledBack                      // a CRL or OCSP answer older than the one before it
	WrongSigner                     // a CRL or OCSP answer that its issuer did not sign
	Unsupported                     // a CRL that is indirect, or it or an OCSP answer bears what is not understood
	Unavailable                     // a file, distribution point or responder that could not be read
	Mismatch                        // a private key and a certificate, or an OCSP question and an answer, that do not belong together
	NoTrust                         // a configuration that would trust nobody, or anybody
)

// String gives the reason in words that are safe to show to anybody.
func (r Reason) String() string {
	switch r {
	case Malformed:
		return "malformed"
	case TooLarge:
		return "too large"
	case TooManyCertificates:
		return "too many certificates"
	case UnknownRole:
		return "no profile serves the role"
	case WrongProfile:
		return "subject does not fit the role"
	case WeakKey:
		return "weak key"
	case WeakSignature:
		return "weak signature algorithm"
	case NotYetValid:
		return "not yet valid"
	case Expired:
		return "expired"
	case WrongUsage:
		return "wrong key usage"
	case WrongPolicy:
		return "wrong certificate policy"
	case UnknownCriticalExtension:
		return "unknown critical extension"
	case UntrustedIssuer:
		return "untrusted issuer"
	case ConstraintViolated:
		return "constraint of the path violated"
	case Revoked:
		return "revoked"
	case RevocationUnknown:
		return "revocation unknown"
	case RolledBack:
		return "rolled back"
	case WrongSigner:
		return "wrong signer"
	case Unsupported:
		return "unsupported"
	case Unavailable:
		return "unavailable"
	case Mismatch:
		return "key and certificate do not match"
	case NoTrust:
		return "no usable trust"
	}
	return "reason " + strconv.Itoa(int(r))
}

// Error is every refusal of this package. Reason may be shown to a stranger; Err
// is the operator's: it may name a CA, a file or an address, and never a person
// or an identifier of one.
type Error struct {
	Reason Reason
	Err    error // may be nil
}

func (e *Error) Error() string {
	if e.Err == nil {
		return "certs: " + e.Reason.String()
	}
	return "certs: " + e.Reason.String() + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// refuse makes an Error.
func refuse(reason Reason, err error) error { return &Error{Reason: reason, Err: err} }

// ReasonOf gives the Reason of the first *Error in err's chain, zero when there is none.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return 0
}
