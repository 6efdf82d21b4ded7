package client

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// A Reason says why a request was refused. It is for the operator: a stranger learns the code of Error.Code alone.
type Reason uint8

// Reasons, in the order in which a request can meet them. The zero Reason is none.
const (
	_                  Reason = iota
	Malformed                 // not a form by POST, or one that two readers could read in two ways
	Repeated                  // a parameter that stands twice (RFC 6749 section 3.2)
	SeveralMethods            // more than one way to authenticate (RFC 6749 section 2.3)
	NoCredentials             // none
	UnknownScheme             // an Authorization header that is not Basic
	UnknownClient             // no such client
	WrongMethod               // another method than the registered one (O6)
	WrongSecret               // not the secret
	ExpiredSecret             // a secret whose time is over
	TooMany                   // a wrong secret after too many of them
	BadAssertion              // an assertion that is malformed, of another algorithm, too large, or has what none may have (O4)
	UnknownKey                // none of the client's keys is the one of the assertion
	WrongSignature            // the signature of the assertion does not verify
	WrongAudience             // an assertion for somebody else
	WrongTime                 // an assertion that is expired, not yet valid, or valid for too long
	Replayed                  // an assertion that came before
	NoCertificate             // no TLS client certificate where one is needed
	RefusedCertificate        // a certificate that is not trusted, or revoked, or nobody's that is known
	WrongSubject              // a trusted certificate of somebody else
	NotAllowed                // an endpoint that this client may not call
	Unavailable               // it cannot be told now: keys that cannot be fetched, a replay state that is full
)

var reasons = map[Reason]string{
	Malformed: "malformed request", Repeated: "repeated parameter", SeveralMethods: "several methods", NoCredentials: "no credentials",
	UnknownScheme: "unknown scheme", UnknownClient: "unknown client", WrongMethod: "wrong method", WrongSecret: "wrong secret",
	ExpiredSecret: "expired secret", TooMany: "too many attempts", BadAssertion: "bad assertion", UnknownKey: "unknown key",
	WrongSignature: "wrong signature", WrongAudience: "wrong audience", WrongTime: "wrong time", Replayed: "replayed assertion",
	NoCertificate: "no certificate", RefusedCertificate: "refused certificate", WrongSubject: "wrong subject",
	NotAllowed: "not allowed", Unavailable: "unavailable",
}

// String gives the reason as audit records write it.
func (r Reason) String() string {
	if text, ok := reasons[r]; ok {
		return text
	}
	return "none"
}

// An Error is every refusal of Authenticate.
type Error struct {
	Reason Reason
	// Client is the client_id, where it is that of a registered client; otherwise empty, so that a log holds nothing that a
	// stranger wrote.
	Client string
	// RetryAfter is how long the sender waits at least, of TooMany and Unavailable.
	RetryAfter time.Duration
	// Err is for the operator, and may be nil. It holds no secret.
	Err error

	header bool // an Authorization header came
}

func (e *Error) Error() string {
	text := "client: " + e.Reason.String()
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// ReasonOf gives the Reason of the first *Error in err's chain, zero when there is none.
func ReasonOf(err error) Reason {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Reason
	}
	return 0
}

// Code is the error code of RFC 6749 section 5.2 that a stranger is told.
func (e *Error) Code() string {
	switch e.Reason {
	case Malformed, Repeated, SeveralMethods:
		return "invalid_request"
	case NotAllowed:
		return "unauthorized_client"
	case Unavailable:
		return "temporarily_unavailable"
	}
	return "invalid_client"
}

// Status is the HTTP status of the answer.
func (e *Error) Status() int {
	switch e.Reason {
	case Malformed, Repeated, SeveralMethods:
		return http.StatusBadRequest
	case NotAllowed:
		return http.StatusForbidden
	case Unavailable:
		return http.StatusServiceUnavailable
	case TooMany:
		return http.StatusTooManyRequests
	}
	return http.StatusUnauthorized
}

// Write answers the request: the code as JSON, and nothing of why. A request that authenticated by its Authorization header
// is told that Basic is what is spoken here (RFC 6749 section 5.2).
func (e *Error) Write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	if e.header && e.Status() == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Basic realm="token", charset="UTF-8"`)
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
	}
	body, _ := json.Marshal(struct { // a struct of one string is always written
		Error string `json:"error"`
	}{e.Code()})
	w.WriteHeader(e.Status())
	w.Write(append(body, '\n'))
}
