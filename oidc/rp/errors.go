package rp

import (
	"errors"
	"fmt"
)

// A Reason says why a login did not come about.
type Reason uint8

// Reasons. The zero Reason is none.
const (
	_             Reason = iota
	Misconfigured        // the configuration, or what the provider says of itself, cannot be used
	Unavailable          // the provider did not answer, or not in bounds
	Mismatch             // the response belongs to no flow of this browser: state, or another provider (mix-up)
	Denied               // the person, or the provider for him, refused: access_denied
	Unmet                // the provider cannot do what was asked without more: login_required and its like
	Rejected             // the provider refused the request, the code or the client
	BadToken             // a token, or userinfo, is not what it must be: signature, iss, aud, azp, exp, nonce, sub …
	TooWeak              // the policy wants a fresher or stronger authentication: auth_time, acr, amr
	Replayed             // a logout token came twice
	Waiting              // CIBA: not yet; ask again after the interval
	SlowDown             // CIBA: not yet, and asked too often
	Expired              // CIBA: the request is over
)

func (r Reason) String() string {
	switch r {
	case Misconfigured:
		return "misconfigured"
	case Unavailable:
		return "unavailable"
	case Mismatch:
		return "mismatch"
	case Denied:
		return "denied"
	case Unmet:
		return "unmet"
	case Rejected:
		return "rejected"
	case BadToken:
		return "bad token"
	case TooWeak:
		return "too weak"
	case Replayed:
		return "replayed"
	case Waiting:
		return "waiting"
	case SlowDown:
		return "slow down"
	case Expired:
		return "expired"
	}
	return "none"
}

// An Error is every error of this package. Its text is for the operator: it holds no secret, and nothing of a person.
type Error struct {
	Reason Reason
	// Code is the error code by which the provider said it, where it did.
	Code  string
	cause error
}

func (e *Error) Error() string {
	s := "rp: " + e.Reason.String()
	if e.Code != "" {
		s += " (" + e.Code + ")"
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.cause }

// ReasonOf gives the Reason of an error of this package, and none for others.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return 0
}

func refuse(r Reason, format string, a ...any) error {
	return &Error{Reason: r, cause: fmt.Errorf(format, a...)}
}

// saidCode makes a code of a provider fit for an error: the characters that RFC 6749 5.2 admits, and not many of them.
func saidCode(code string) string {
	if len(code) > 64 {
		return "error of an absurd length"
	}
	for i := range len(code) {
		if c := code[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return "error of strange characters"
		}
	}
	return code
}

// byCode makes the error of an OAuth error code.
func byCode(code string) error {
	e := &Error{Reason: Rejected, Code: saidCode(code)}
	switch code {
	case "access_denied":
		e.Reason = Denied
	case "login_required", "interaction_required", "consent_required", "account_selection_required", "unmet_authentication_requirements":
		e.Reason = Unmet
	case "server_error", "temporarily_unavailable":
		e.Reason = Unavailable
	case "authorization_pending":
		e.Reason = Waiting
	case "slow_down":
		e.Reason = SlowDown
	case "expired_token":
		e.Reason = Expired
	}
	return e
}

// byStatus makes the error of an answer that bears no code.
func byStatus(what string, status int) error {
	if status >= 400 && status < 500 {
		return refuse(Rejected, "%s: status %d", what, status)
	}
	return refuse(Unavailable, "%s: status %d", what, status)
}
