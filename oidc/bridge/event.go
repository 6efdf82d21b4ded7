package bridge

import (
	"context"
	"crypto/sha256"
	"time"

	"sceau/audit"
	"sceau/policy"
)

// An Event is the trace of one exchange, whatever its end. Recorder keeps it.
type Event struct {
	ID        audit.ID // names the record to the outside
	Time      time.Time
	Duration  time.Duration
	Success   bool
	Reason    Reason // why not
	Cause     error  // for the operator: no value of a claim or an attribute
	Client    string
	Direction string   // of policy: "saml1-to-token", "token-to-saml1", "token-to-token", "upstream-to-token"; empty where that is not known yet
	Rules     []string // what decided, for one audience after the other

	Certificate [32]byte         // SHA-256 of the holder's, zero for none
	Holder      policy.Requestor // whom it identifies

	// The three tokens, by their identifiers: both ids of an exchange are in its record.
	SubjectToken, ActorToken, Issued TokenRef

	Subject  string // sub of whom the result is about
	Audience []string
	Scope    []string
	Methods  []string
	Level    string
	AuthTime time.Time
	Actor    *Actor
}

// A TokenRef says which token it was.
type TokenRef struct {
	Type    TokenType
	Issuer  string
	ID      string // jti or AssertionID; of a token that does not hold it is not told
	Expires time.Time
	// Origin is that of the Token; of one that was proven alone, and not of what was made.
	Origin any
	// Digest is the SHA-256 of the text of a token that has no ID here; zero otherwise.
	Digest [32]byte
}

// digest names a token that has no ID by its text.
func (t *TokenRef) digest(text string) {
	if t.ID == "" && text != "" {
		t.Digest = sha256.Sum256([]byte(text))
	}
}

// A Recorder keeps events. It is safe for concurrent use and returns when the event is durable. What it is given it does not keep.
type Recorder interface {
	Record(ctx context.Context, e *Event) error
}
