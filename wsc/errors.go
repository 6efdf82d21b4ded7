package wsc

import (
	"errors"
	"fmt"
)

// A Reason says what went wrong, where neither a status nor a fault of the other
// side says it.
type Reason uint8

// The reasons: of our own doing, of the way, of the answer's form, of the assertion.
const (
	_                 Reason = iota
	BadConfig                // a configuration that is incomplete or contradicts itself
	BadCredentials           // certificates that do not fit the mode, or are not valid now
	KeyUnavailable           // a key that does not sign now: a card or token that is away
	BadStoreKey              // a store's key that is missing, unfit, or not the one it was written with
	BadStore                 // a store that was altered, or is none
	SessionClosed            // a session that was closed
	BadRequest               // a request or body that cannot be sent
	BadEndpoint              // an address that is none, or plain http to another machine
	NoTrust                  // no trusted STS certificate is configured
	TokenNotValid            // the token is not valid now; nothing was sent
	Unreachable              // no connection, or it broke
	TimedOut                 // no answer in time
	Canceled                 // the caller gave up
	Redirected               // the server sent us elsewhere; redirects are not followed
	BadStatus                // an HTTP status that goes with no answer, or not with this one
	NotXML                   // an answer that is not XML by its type or text
	TooLarge                 // an answer beyond the limit
	NotSOAP                  // XML, but not a SOAP 1.1 message that we understand
	NoDate                   // an answer without a usable Date header
	NotResponse              // a body that is not a well-formed samlp:Response
	WrongInResponseTo        // an answer to another request
	WrongRecipient           // an answer for another recipient
	NoAssertion              // success, but no assertion
	SeveralAssertions        // more than one Assertion in the answer (attacks.md W15, W16)
	NotSelfContained         // the assertion means something else, or nothing, on its own
	BadAssertion             // the assertion is not of the form of SAML 1.1 section 2
	HasComment               // a comment in the assertion, which no signature covers (D1)
	NotSigned                // the assertion has no signature
	BadSignature             // the signature does not verify, or does not sign the assertion
	UntrustedSigner          // the signature is by nobody that we trust as an STS
	WrongIssuer              // another Issuer than expected
	NotValidNow              // Conditions that do not hold now, or none
	ClockOff                 // refused by one side or the other, and the clocks are far apart
	WrongConfirmation        // not confirmed by holder-of-key alone
	WrongHolder              // bound to another certificate than ours
	WrongSubject             // about somebody else
	MissingAttribute         // an attribute neither answered nor left out
)

var reasons = [...]string{
	BadConfig:         "configuration",
	BadCredentials:    "credentials",
	KeyUnavailable:    "key does not sign now",
	BadStoreKey:       "key of the store",
	BadStore:          "store damaged",
	SessionClosed:     "session closed",
	BadRequest:        "request",
	BadEndpoint:       "endpoint",
	NoTrust:           "no trusted STS certificate",
	TokenNotValid:     "token not valid now",
	Unreachable:       "server unreachable",
	TimedOut:          "no answer in time",
	Canceled:          "canceled",
	Redirected:        "redirect not followed",
	BadStatus:         "unexpected HTTP status",
	NotXML:            "answer is not XML",
	TooLarge:          "answer too large",
	NotSOAP:           "answer is not a SOAP 1.1 message for us",
	NoDate:            "answer without Date",
	NotResponse:       "answer is not a samlp:Response",
	WrongInResponseTo: "answer to another request",
	WrongRecipient:    "answer for another recipient",
	NoAssertion:       "success without assertion",
	SeveralAssertions: "several assertions",
	NotSelfContained:  "assertion not self-contained",
	BadAssertion:      "malformed assertion",
	HasComment:        "comment in assertion",
	NotSigned:         "assertion not signed",
	BadSignature:      "assertion signature does not verify",
	UntrustedSigner:   "assertion signed by nobody trusted",
	WrongIssuer:       "unexpected issuer",
	NotValidNow:       "assertion not valid now",
	ClockOff:          "clocks apart",
	WrongConfirmation: "assertion not confirmed by holder-of-key",
	WrongHolder:       "assertion bound to another certificate",
	WrongSubject:      "assertion about somebody else",
	MissingAttribute:  "attribute not answered",
}

func (r Reason) String() string {
	if int(r) < len(reasons) && reasons[r] != "" {
		return reasons[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// Ours reports that nothing was sent: the caller can mend it.
func (r Reason) Ours() bool { return r >= BadConfig && r <= TokenNotValid }

// Transport reports that no SOAP answer came: the other side, or the way to it, is
// at fault, and another address may do better.
func (r Reason) Transport() bool { return r >= Unreachable && r <= NoDate }

// Refused reports that an answer came and was not believed, or said no for what the
// clocks explain.
func (r Reason) Refused() bool { return r >= NotResponse && r <= MissingAttribute }

// An Error is what this package refuses with. Detail and Err quote no value of an
// attribute and no name of a person.
type Error struct {
	Reason Reason
	Detail string
	Err    error
}

func (e *Error) Error() string {
	s := "wsc: " + e.Reason.String()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// ReasonOf returns the Reason of the first *Error in the chain of err, zero when
// there is none.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return 0
}

func refuse(r Reason, detail string) error { return &Error{Reason: r, Detail: detail} }

func refuseFor(r Reason, err error) error { return &Error{Reason: r, Err: err} }

// A StatusError is a samlp:Response whose status is not Success: the STS took the
// message for what it is and refused the query. Nobody signed it. Its texts are
// printable and bounded.
type StatusError struct {
	Code    string // top StatusCode, local name: "Requester"
	SubCode string // the one inside it, "RequestDenied", or empty
	Message string // "REQ-01: Checks on ConfirmationMethod failed"
	// AuditID is by what the operator of a Sceau STS finds the cause; may be empty.
	AuditID string
	// CorrelationID is the X-CorrelationID of the platform; may be empty.
	CorrelationID string
}

func (e *StatusError) Error() string {
	s := "wsc: the STS refused the query: " + e.Code
	if e.SubCode != "" {
		s += "/" + e.SubCode
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s + references(e.AuditID, e.CorrelationID)
}

func references(audit, correlation string) string {
	s := ""
	if audit != "" {
		s += " (audit id " + audit + ")"
	}
	if correlation != "" && correlation != audit {
		s += " (correlation id " + correlation + ")"
	}
	return s
}
