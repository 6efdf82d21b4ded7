package soap

import "fmt"

// A Reason says why a message was refused.
type Reason uint8

// The reasons, in the order in which a message can meet them.
const (
	_                    Reason = iota
	Malformed                   // no well-formed XML of our profile
	NotSOAP                     // the root is no Envelope
	VersionMismatch             // an Envelope of another SOAP version
	BadEnvelope                 // not Header?, Body
	NoBody                      // no Body, or not one element in it
	NotUnderstood               // a mandatory header block that is not understood
	NoSecurity                  // no Security header for our role
	BadSecurity                 // a Security header that breaks a rule; Rule names it
	UnsupportedToken            // a token of a kind that is not admitted
	BadToken                    // a token that cannot be decoded
	BadTimestamp                // no Timestamp, or one that cannot be read
	Expired                     // the Timestamp is past, or the message too old
	NotYetValid                 // the Timestamp is in the future
	UntrustedToken              // Keys gave no key for the token
	UnsupportedAlgorithm        // a signature algorithm, transform or reference that is not admitted
	BadSignature                // the signature does not verify
	NotCovered                  // the signature does not cover what it must
	Replayed                    // the message was seen before
	ReplayStateFull             // the replay state takes no more; nothing is admitted unremembered
	NoReplayState               // the replay state did not answer
)

var reasons = [...]string{
	Malformed:            "malformed XML",
	NotSOAP:              "not a SOAP message",
	VersionMismatch:      "SOAP version mismatch",
	BadEnvelope:          "malformed SOAP envelope",
	NoBody:               "no single body element",
	NotUnderstood:        "mandatory header block not understood",
	NoSecurity:           "no Security header",
	BadSecurity:          "malformed Security header",
	UnsupportedToken:     "unsupported security token",
	BadToken:             "malformed security token",
	BadTimestamp:         "malformed or missing Timestamp",
	Expired:              "message expired",
	NotYetValid:          "message from the future",
	UntrustedToken:       "security token not trusted",
	UnsupportedAlgorithm: "unsupported signature algorithm",
	BadSignature:         "signature does not verify",
	NotCovered:           "signature does not cover the required parts",
	Replayed:             "message replayed",
	ReplayStateFull:      "replay state full",
	NoReplayState:        "replay state unavailable",
}

func (r Reason) String() string {
	if int(r) < len(reasons) && reasons[r] != "" {
		return reasons[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// An Error is what this package refuses with. It is for the operator; a stranger is
// told only what FaultOf makes of it.
type Error struct {
	Reason Reason
	Rule   string // Basic Security Profile rule, "R5403", where one is broken
	Detail string
	Err    error
}

func (e *Error) Error() string {
	s := "soap: " + e.Reason.String()
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

func refuse(r Reason, rule, detail string) error {
	return &Error{Reason: r, Rule: rule, Detail: detail}
}
