package audit

import (
	"net/netip"
	"time"
)

// ServiceOIDC is the Service of the events of the OpenID Connect face.
const ServiceOIDC = "oidc"

// The operations of ServiceOIDC. The trace of a federated identification leads from one to the other:
//
//	client ◀─ token ◀─ authorization ◀─ session ◀─ authentication ◀─ means and credential
//	     Tokens.ID  Grant, code    Session    Authentication      Means, Credential, Identity
const (
	OperationAuthentication = "authentication" // a means proved who someone is, or refused him
	OperationAuthorization  = "authorization"  // a code was issued for a client out of a session, or refused; or the person gave up
	OperationConsent        = "consent"        // a person agreed to what a client gets, or to terms, or did not; or withdrew it (ActionWithdraw)
	OperationToken          = "token"          // a code or a refresh token was redeemed, or a client asked for itself
	OperationExchange       = "exchange"       // a token was given for another (RFC 8693, RFC 7522)
	OperationUserinfo       = "userinfo"
	OperationIntrospection  = "introspection"
	OperationRevocation     = "revocation"
	OperationLogout         = "logout"      // a client or a person asked for the end of a session
	OperationSessionEnd     = "session-end" // a session ended (Cause says why); with a Client: that one was told of it
	OperationEnrolment      = "enrolment"   // a credential was given to a person, or taken away
)

// The Action of events that undo: of OperationConsent and OperationEnrolment; and of those that an administrator did.
const (
	ActionWithdraw = "withdraw" // of a consent: it was withdrawn
	ActionRemove   = "remove"   // of a credential: it was taken away
	ActionTicket   = "ticket"   // of a credential: somebody may enrol one
)

// OIDCOperations gives the operations of ServiceOIDC.
func OIDCOperations() []string {
	return []string{OperationAuthentication, OperationAuthorization, OperationConsent, OperationToken, OperationExchange, OperationUserinfo,
		OperationIntrospection, OperationRevocation, OperationLogout, OperationSessionEnd, OperationEnrolment}
}

// CredentialType is the Type of the Identifier of which the pseudonym of Event.Credential is made.
const CredentialType = "credential"

// SubjectType is the Type of the Subject of the events of ServiceOIDC.
const SubjectType = "sub"

// A Token is one of which an event speaks. It has an ID or, where it has none, its own text in Value.
type Token struct {
	// Use is what the token is to the request. Required: a Token without is left out of the record.
	Use TokenUse
	// Kind is "code", "access_token", "refresh_token", "id_token", "logout_token", "jwt", "saml1" or "saml2".
	Kind string
	// ID names the token and is none: jti, AssertionID. It stands in the record in clear.
	ID string
	// Value is the token itself, of a code, a refresh token or an opaque access token. Its SHA-256 is kept: what is
	// random cannot be guessed from it, and who holds the token finds the record.
	Value string
	// Issuer is whose token it is, where that is not the establishment.
	Issuer string
	// Expires is when it ends; zero is unknown.
	Expires time.Time
}

// A TokenUse is what a token is to the request. The zero TokenUse is none.
type TokenUse uint8

const (
	Issued       TokenUse = iota + 1 // it left with the answer
	Presented                        // it was redeemed, shown, asked about or revoked
	SubjectToken                     // of an exchange: about whom the new token is
	ActorToken                       // of an exchange: who acts
)

func (u TokenUse) String() string {
	switch u {
	case Issued:
		return "issued"
	case Presented:
		return "presented"
	case SubjectToken:
		return "subject"
	case ActorToken:
		return "actor"
	}
	return ""
}

// Sealed is what a trace needs in clear and a journal must not show: it is kept encrypted under the journal's own key, and
// only who holds that key reads it ([Key.Unseal]). Zero is nothing.
type Sealed struct {
	// Source is the address the request came from (EXI FI 35).
	Source netip.Addr `json:"source,omitzero"`
	// Account is what leads to the person in the directory of the establishment: its immutable id.
	Account string `json:"account,omitempty"`
	// Agent is what the browser says of itself.
	Agent string `json:"agent,omitempty"`
}

// A TokenEntry is a Token as it was kept.
type TokenEntry struct {
	Use     string    `json:"use"`
	Kind    string    `json:"kind"`
	ID      string    `json:"id"`
	Digest  string    `json:"digest"` // SHA-256 of Value, hex
	Issuer  string    `json:"issuer"`
	Expires time.Time `json:"expires"`
}
