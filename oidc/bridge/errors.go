package bridge

import (
	"errors"
	"fmt"
	"net/http"
)

// A Reason says why an exchange was refused.
type Reason uint8

// The reasons, about in the order in which a request can meet them.
const (
	_                       Reason = iota
	BadRequest                     // not a request of RFC 8693
	RepeatedParameter              // a parameter stands twice
	UnsupportedType                // a token type that is not known, or not exchanged here
	BadTarget                      // an audience or a resource that is none, or none at all
	BadScope                       // a scope that is none, or more than what the subject token has
	NoCertificate                  // the client shows no certificate in TLS
	UntrustedCertificate           // its certificate is not trusted: chain, validity, revocation, role
	BadSubjectToken                // not a token, or none of those who are believed, or not active
	WrongTokenType                 // a token of another type than the request says
	SubjectTokenExpired            // at or after its end
	SubjectTokenNotYetValid        // before its beginning
	WrongIssuer                    // of an issuer who is not believed, or another than the request says
	WrongAudience                  // for others than us, or than this client
	UntrustedSTS                   // the certificate that signed the assertion is not that of a trusted STS
	BadSignature                   // the signature of the assertion does not hold, or is of an algorithm that is not admitted
	NotHolderOfKey                 // an assertion that is not confirmed by holder-of-key, once, with a certificate
	Unbound                        // a token without cnf: a bearer token is not exchanged
	HolderMismatch                 // bound to another certificate than that of the TLS connection
	WrongClient                    // issued by the upstream provider to a client that is not this one
	NotByCertificate               // the client was not authenticated by its certificate, where the profile demands it
	AlreadyExchanged               // a token that is good once was exchanged before
	NoAuthentication               // it does not say when and how a person was authenticated
	WeakAuthentication             // in a way (amr) that the client does not admit, or at a level (acr) that is not of an upstream
	AuthenticationTooOld           // the person was authenticated too long ago (EXI FI 25), or in the future
	UnknownSubject                 // whose token it is, nobody here knows
	BadActorToken                  // the actor token is refused; the cause says by which of the reasons above
	ActorNotPermitted              // may_act names somebody else
	ChainTooLong                   // more actors than are admitted
	Denied                         // policy denies
	NoTimeLeft                     // some bound ends now
	Unavailable                    // the upstream provider, a source, the replay state or the policy did not answer
	NotIssued                      // the result could not be made
	Unrecorded                     // the exchange could not be recorded
	Unconfigured                   // an Exchanger that New did not make
)

// refusal says what a reason is in OAuth (RFC 6749 section 5.2, RFC 8693 section 2.2.2).
type refusal struct {
	text, code string
	status     int
}

var refusals = [...]refusal{
	BadRequest:              {"malformed request", "invalid_request", 0},
	RepeatedParameter:       {"repeated parameter", "invalid_request", 0},
	UnsupportedType:         {"unsupported token type", "invalid_request", 0},
	BadTarget:               {"bad target", "invalid_target", 0},
	BadScope:                {"bad scope", "invalid_scope", 0},
	NoCertificate:           {"no client certificate", "invalid_client", http.StatusUnauthorized},
	UntrustedCertificate:    {"client certificate not trusted", "invalid_client", http.StatusUnauthorized},
	BadSubjectToken:         {"subject token not valid", "invalid_request", 0},
	WrongTokenType:          {"token of another type", "invalid_request", 0},
	SubjectTokenExpired:     {"subject token expired", "invalid_request", 0},
	SubjectTokenNotYetValid: {"subject token not yet valid", "invalid_request", 0},
	WrongIssuer:             {"issuer not believed", "invalid_request", 0},
	WrongAudience:           {"subject token for another audience", "invalid_request", 0},
	UntrustedSTS:            {"certificate of the STS not trusted", "invalid_request", 0},
	BadSignature:            {"signature of the assertion does not hold", "invalid_request", 0},
	NotHolderOfKey:          {"not confirmed by holder-of-key", "invalid_request", 0},
	Unbound:                 {"token not bound to a certificate", "invalid_request", 0},
	HolderMismatch:          {"token bound to another certificate", "invalid_request", 0},
	WrongClient:             {"token issued to another client", "invalid_request", 0},
	NotByCertificate:        {"client not authenticated by its certificate", "invalid_client", http.StatusUnauthorized},
	AlreadyExchanged:        {"token exchanged before", "invalid_request", 0},
	NoAuthentication:        {"no authentication of a person", "invalid_request", 0},
	WeakAuthentication:      {"authentication that is not admitted", "invalid_request", 0},
	AuthenticationTooOld:    {"authentication too old", "invalid_request", 0},
	UnknownSubject:          {"subject not known", "invalid_request", 0},
	BadActorToken:           {"actor token not valid", "invalid_request", 0},
	ActorNotPermitted:       {"actor not permitted", "invalid_request", 0},
	ChainTooLong:            {"too many actors", "invalid_request", 0},
	Denied:                  {"denied by policy", "invalid_target", 0},
	NoTimeLeft:              {"no time is left", "invalid_request", 0},
	Unavailable:             {"temporarily unavailable", "temporarily_unavailable", http.StatusServiceUnavailable},
	NotIssued:               {"not issued", "server_error", http.StatusInternalServerError},
	Unrecorded:              {"not recorded", "temporarily_unavailable", http.StatusServiceUnavailable},
	Unconfigured:            {"not configured", "server_error", http.StatusInternalServerError},
}

func (r Reason) String() string {
	if int(r) < len(refusals) && refusals[r].text != "" {
		return refusals[r].text
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// Code gives the error of OAuth that a stranger is told.
func (r Reason) Code() string {
	if int(r) < len(refusals) && refusals[r].code != "" {
		return refusals[r].code
	}
	return "server_error"
}

// Status gives the status of HTTP.
func (r Reason) Status() int {
	if int(r) >= len(refusals) || refusals[r].code == "" {
		return http.StatusInternalServerError
	}
	if s := refusals[r].status; s != 0 {
		return s
	}
	return http.StatusBadRequest
}

// An Error is what this package refuses with. It is for the operator, and names no person; a stranger is told Reason.Code.
type Error struct {
	Reason Reason
	Err    error // may be nil
}

func (e *Error) Error() string {
	if e.Err == nil {
		return "bridge: " + e.Reason.String()
	}
	return "bridge: " + e.Reason.String() + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

func refuse(r Reason, text string) error {
	if text == "" {
		return &Error{Reason: r}
	}
	return &Error{r, errors.New(text)}
}

func refuseFor(r Reason, err error) error { return &Error{r, err} }

// ReasonOf returns the Reason of the first *Error in err's chain, zero when there is none.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return 0
}
