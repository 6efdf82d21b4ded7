package federation

import (
	"errors"
	"fmt"
)

// A Reason says why an entity, a statement, a policy or a trust mark was refused.
type Reason uint8

// Reasons. The zero Reason is none.
const (
	_                Reason = iota
	Malformed               // not a signed token, not JSON, two members of one name, a claim of the wrong type
	BadIdentifier           // no entity identifier: an https address without query, fragment and user
	BadType                 // the header typ is another: a token made for something else
	BadAlgorithm            // none, a symmetric or an unknown algorithm, or one that does not fit the key
	BadSignature            // no key of that kid, or the signature does not verify
	BadIssuer               // iss is not who should have said it
	BadSubject              // sub is not whom it should be about
	BadAudience             // aud where none may be
	BadClaim                // a claim that does not belong into such a statement, or misses
	Expired                 // exp has passed
	Future                  // iat has not come
	Critical                // a claim that must be understood, and is not
	CriticalOperator        // a policy operator that must be understood, and is not
	BadPolicy               // policies that contradict each other, an illegal combination, an operand of the wrong type
	PolicyViolated          // metadata that the policy does not admit
	PathLength              // more intermediates than a superior admits
	Naming                  // a name outside the names that a superior admits
	EntityType              // the entity is not of the type that was asked for, or must not be
	Loop                    // an authority that stands above itself
	Untrusted               // no chain to a trust anchor
	TrustMark               // a required trust mark misses, or is not valid
	NotClient               // an entity that may not register automatically, or not so
	Limit                   // more statements, hints, octets or time than a resolution may take
	Unreachable             // somebody did not answer, or not as the standard says
	Busy                    // too many resolutions under way
	Fault                   // our own
)

var reasonTexts = [...]string{"none", "malformed", "not an entity identifier", "wrong type of token", "algorithm not accepted",
	"signature not valid", "wrong issuer", "wrong subject", "audience not allowed", "claim not allowed or missing", "expired",
	"issued in the future", "critical claim not understood", "critical policy operator not understood", "policy error",
	"metadata violate the policy", "path too long", "name not permitted", "entity type", "loop", "no chain to a trust anchor",
	"trust mark", "no client", "limit exceeded", "unreachable", "busy", "fault of the resolver"}

func (r Reason) String() string {
	if int(r) < len(reasonTexts) {
		return reasonTexts[r]
	}
	return "unknown"
}

// An Error is a refusal. Entity is whom it is about, where that is known: the identifier of an organization, never of a person.
type Error struct {
	Reason Reason
	Entity string
	Cause  error
}

func (e *Error) Error() string {
	s := "federation: " + e.Reason.String()
	if e.Entity != "" {
		s += fmt.Sprintf(" (%.200q)", e.Entity)
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Cause }

// Temporary says that the same question may be answered otherwise a little later: nothing was found wrong.
func (e *Error) Temporary() bool {
	return e.Reason == Unreachable || e.Reason == Busy || e.Reason == Limit || e.Reason == Fault
}

// Code is the error code of the standard (8.9) for what went wrong.
func (e *Error) Code() string {
	switch e.Reason {
	case Untrusted:
		return "invalid_trust_anchor"
	case BadPolicy, PolicyViolated, NotClient:
		return "invalid_metadata"
	case Unreachable, Busy, Fault:
		return "temporarily_unavailable"
	case BadIdentifier:
		return "invalid_request"
	}
	return "invalid_trust_chain"
}

func refuse(r Reason, entity, format string, args ...any) *Error {
	return &Error{Reason: r, Entity: entity, Cause: fmt.Errorf(format, args...)}
}

// named names the entity in an error that does not know it yet.
func named(err error, entity string) error {
	var e *Error
	if errors.As(err, &e) && e.Entity == "" {
		e.Entity = entity
	}
	return err
}
