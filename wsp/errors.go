package wsp

import (
	"errors"
	"fmt"

	"sceau/certs"
	"sceau/saml/trust"
	"sceau/soap"
)

// A Reason says why a message was not admitted.
type Reason uint8

// The reasons, about in the order in which a message can meet them.
const (
	_                     Reason = iota
	Unconfigured                 // a Guard that NewGuard did not make, or a Verifier that serves no role it is asked for
	BadRequest                   // a request that HTTP refuses before its message is read
	BadMessage                   // not a SOAP message of our profile
	BadSecurity                  // a Security header, Timestamp or reference that breaks a rule
	UnsupportedToken             // signed with something else than an assertion, or an element that nobody reads
	MessageExpired               // the Timestamp is past
	MessageNotYetValid           // the Timestamp is in the future
	BadAssertion                 // an assertion that is not in the shape of the wire, or beyond a cap
	WrongIssuer                  // the Issuer is none of ours
	AssertionNotYetValid         // before NotBefore
	AssertionExpired             // at or after NotOnOrAfter
	WrongAudience                // restricted to audiences that are not ours
	UnconfirmedSubject           // not confirmed by an admitted method, once, as that method is done
	UnsignedAssertion            // no signature in the assertion, or one without a certificate
	UntrustedSTS                 // the certificate that signed the assertion is not that of a trusted STS
	UnsupportedAlgorithm         // a signature algorithm, transform or reference that is not admitted
	BadAssertionSignature        // the signature of the assertion does not verify, or signs something else
	UntrustedHolder              // the certificate of the holder is not trusted
	UntrustedSender              // the sender who vouches for the subject is not trusted, or not one of those named
	BadSignature                 // the message is not signed with the holder's key
	NotCovered                   // Body, Timestamp, or an assertion that must be, is not signed
	Replayed                     // the message was seen before
	ReplayUnavailable            // the replay state is full or does not answer
	MissingAttribute             // a required attribute is absent, ambiguous, or has another value
	Denied                       // the PDP denied
	NoDecision                   // the PDP did not decide
	Unrecorded                   // the decision could not be recorded
)

var reasons = [...]string{
	Unconfigured:          "guard not configured",
	BadRequest:            "not a request of the binding",
	BadMessage:            "not a SOAP message of the profile",
	BadSecurity:           "malformed Security header",
	UnsupportedToken:      "unsupported security token",
	MessageExpired:        "message expired",
	MessageNotYetValid:    "message from the future",
	BadAssertion:          "malformed assertion",
	WrongIssuer:           "issuer of the assertion not trusted",
	AssertionNotYetValid:  "assertion not yet valid",
	AssertionExpired:      "assertion expired",
	WrongAudience:         "assertion for another audience",
	UnconfirmedSubject:    "subject not confirmed",
	UnsignedAssertion:     "assertion not signed",
	UntrustedSTS:          "certificate of the STS not trusted",
	UnsupportedAlgorithm:  "unsupported signature algorithm",
	BadAssertionSignature: "signature of the assertion does not verify",
	UntrustedHolder:       "certificate of the holder not trusted",
	UntrustedSender:       "sender not trusted to vouch",
	BadSignature:          "message not signed by the holder",
	NotCovered:            "signature does not cover the required parts",
	Replayed:              "message replayed",
	ReplayUnavailable:     "replay state unavailable",
	MissingAttribute:      "required attribute missing",
	Denied:                "denied",
	NoDecision:            "no decision",
	Unrecorded:            "decision not recorded",
}

func (r Reason) String() string {
	if int(r) < len(reasons) && reasons[r] != "" {
		return reasons[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// An Error is what Admit refuses with. It is for the operator, and names no person; a
// stranger is told only what FaultOf makes of it.
type Error struct {
	Reason Reason
	Err    error // may be nil
}

func (e *Error) Error() string {
	if e.Err == nil {
		return "wsp: " + e.Reason.String()
	}
	return "wsp: " + e.Reason.String() + ": " + e.Err.Error()
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

// faults says what a reason is to a stranger; a reason that is not here has the fault
// of the soap error that it wraps. Whatever is wrong with the assertion or its holder
// is SOA-01001, whatever the rules of access refuse SOA-01002 (WSS 1.0 section 12:
// FailedAuthentication is "could not be authenticated or authorized").
var faults = [...]soap.Fault{
	Unconfigured:          {Code: soap.FaultServer, SOA: soap.SOAServiceError},
	BadRequest:            {Code: soap.FaultClient, SOA: soap.SOANotSOAP},
	UnsupportedToken:      {Code: soap.FaultUnsupportedToken, SOA: soap.SOANotAuthenticated},
	BadAssertion:          {Code: soap.FaultInvalidSecurityToken, SOA: soap.SOANotAuthenticated},
	WrongIssuer:           {Code: soap.FaultFailedAuthentication, SOA: soap.SOANotAuthenticated},
	AssertionNotYetValid:  {Code: soap.FaultInvalidSecurityToken, SOA: soap.SOANotAuthenticated},
	AssertionExpired:      {Code: soap.FaultInvalidSecurityToken, SOA: soap.SOANotAuthenticated},
	WrongAudience:         {Code: soap.FaultInvalidSecurityToken, SOA: soap.SOANotAuthenticated},
	UnconfirmedSubject:    {Code: soap.FaultFailedAuthentication, SOA: soap.SOANotAuthenticated},
	UnsignedAssertion:     {Code: soap.FaultInvalidSecurityToken, SOA: soap.SOANotAuthenticated},
	UntrustedSTS:          {Code: soap.FaultFailedAuthentication, SOA: soap.SOANotAuthenticated},
	UnsupportedAlgorithm:  {Code: soap.FaultUnsupportedAlgorithm, SOA: soap.SOANotAuthenticated},
	BadAssertionSignature: {Code: soap.FaultFailedCheck, SOA: soap.SOANotAuthenticated},
	UntrustedHolder:       {Code: soap.FaultFailedAuthentication, SOA: soap.SOANotAuthenticated},
	UntrustedSender:       {Code: soap.FaultFailedAuthentication, SOA: soap.SOANotAuthenticated},
	NotCovered:            {Code: soap.FaultFailedCheck, SOA: soap.SOANotAuthenticated},
	MissingAttribute:      {Code: soap.FaultFailedAuthentication, SOA: soap.SOANotAuthorized},
	Denied:                {Code: soap.FaultFailedAuthentication, SOA: soap.SOANotAuthorized},
	NoDecision:            {Code: soap.FaultServer, SOA: soap.SOATemporarily},
	Unrecorded:            {Code: soap.FaultServer, SOA: soap.SOATemporarily},
}

// FaultOf returns the fault for an error of this package or of package soap, and a
// Server fault for any other error.
func FaultOf(err error) soap.Fault {
	r := ReasonOf(err)
	if int(r) < len(faults) && faults[r].Code.Local != "" {
		return faults[r]
	}
	return soap.FaultOf(err)
}

// soapReasons says which of our reasons a refusal of package soap is.
var soapReasons = [...]Reason{
	soap.Malformed:            BadMessage,
	soap.NotSOAP:              BadMessage,
	soap.VersionMismatch:      BadMessage,
	soap.BadEnvelope:          BadMessage,
	soap.NoBody:               BadMessage,
	soap.NotUnderstood:        BadMessage,
	soap.NoSecurity:           BadSecurity,
	soap.BadSecurity:          BadSecurity,
	soap.UnsupportedToken:     UnsupportedToken,
	soap.BadToken:             BadSecurity,
	soap.BadTimestamp:         BadSecurity,
	soap.Expired:              MessageExpired,
	soap.NotYetValid:          MessageNotYetValid,
	soap.UnsupportedAlgorithm: UnsupportedAlgorithm,
	soap.BadSignature:         BadSignature,
	soap.NotCovered:           NotCovered,
	soap.Replayed:             Replayed,
	soap.ReplayStateFull:      ReplayUnavailable,
	soap.NoReplayState:        ReplayUnavailable,
}

// messageError gives a refusal of package soap our Reason. What was refused by our own
// Keys comes back as it left.
func messageError(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	var e *soap.Error
	if errors.As(err, &e) && int(e.Reason) < len(soapReasons) && soapReasons[e.Reason] != 0 {
		return refuse(soapReasons[e.Reason], err)
	}
	return refuse(BadMessage, err)
}

// certificateError gives a refusal of package certs a Reason; a role that nobody
// configured is our fault and not the caller's.
func certificateError(r Reason, err error) error {
	if certs.ReasonOf(err) == certs.UnknownRole {
		r = Unconfigured
	}
	return refuse(r, err)
}

// trustReasons says which of our reasons a refusal of package saml/trust is.
var trustReasons = [...]Reason{
	trust.Unconfigured:         Unconfigured,
	trust.Malformed:            BadAssertion,
	trust.WrongIssuer:          WrongIssuer,
	trust.NotYetValid:          AssertionNotYetValid,
	trust.Expired:              AssertionExpired,
	trust.WrongAudience:        WrongAudience,
	trust.Unconfirmed:          UnconfirmedSubject,
	trust.Unsigned:             UnsignedAssertion,
	trust.UntrustedSTS:         UntrustedSTS,
	trust.UnsupportedAlgorithm: UnsupportedAlgorithm,
	trust.BadSignature:         BadAssertionSignature,
	trust.UntrustedHolder:      UntrustedHolder,
}

// assertionError gives a refusal of package saml/trust our Reason.
func assertionError(err error) error {
	var e *trust.Error
	if errors.As(err, &e) && int(e.Reason) < len(trustReasons) && trustReasons[e.Reason] != 0 {
		return refuse(trustReasons[e.Reason], e.Err)
	}
	return refuse(BadAssertion, err)
}
