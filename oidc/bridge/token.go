package bridge

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"sceau/oidc/authn"
)

// A Token is what a token says: one that was verified, or one to be made.
type Token struct {
	Type     TokenType
	Issuer   string // iss
	ID       string // jti
	Subject  string // sub
	ClientID string // client_id, or azp: to whom it was issued
	Audience []string
	Scope    []string
	// Confirmation is cnf.x5t#S256: the certificate it is bound to (Thumbprint). Empty is none: a bearer token.
	Confirmation string

	IssuedAt, NotBefore, Expires time.Time // NotBefore may be zero

	AuthTime time.Time // auth_time; zero where no person was authenticated
	Methods  []string  // amr
	Level    string    // acr

	Actor  *Actor // act
	MayAct *Actor // may_act

	// Claims are further ones, under their names, as encoding/json decodes them.
	Claims map[string]any

	// Origin is what Tokens and Grants say of where a token that they proved came from, and which this package does not read. Of one that is to
	// be made, Origin and ActorOrigin are those of the subject token and of the actor token: with them it is to end. No token shows it.
	Origin, ActorOrigin any
}

// An Actor is who acts for the subject (RFC 8693 section 4.1), and for whom he acts in turn.
type Actor struct {
	Subject string `json:"sub"`
	Issuer  string `json:"iss,omitempty"`
	Actor   *Actor `json:"act,omitempty"`
}

// Tokens verifies tokens that we issued. It is safe for concurrent use.
type Tokens interface {
	// Verify proves a token: its signature by one of our keys under the algorithm of that key, its issuer, its type, its times, and that
	// it is active now: neither it nor its grant is revoked. The error is or wraps ErrToken where it is not; any other error is an
	// outage. What it gives is checked again: type, issuer, times.
	Verify(ctx context.Context, token string, t TokenType, now time.Time) (*Token, error)
}

// Minter signs tokens of ours. It is safe for concurrent use.
type Minter interface {
	// Mint signs a token that says all that t says, with cnf, and nothing that would let it be used by others. t is not kept. ErrToken, or
	// an error that wraps it, says that what it was to come of has ended meanwhile.
	Mint(ctx context.Context, t *Token) (string, error)
}

// Grants keeps of assertions that we make what a grant keeps of a token: whence they came, so that they end with it here too. It is safe for
// concurrent use.
type Grants interface {
	// Grant makes the grant of an assertion that is about to be made, and gives its name, which the assertion shows to everybody: one that
	// says nothing to them. ErrToken is as of Minter.
	Grant(ctx context.Context, t *Token) (name string, err error)
	// Granted says whether the grant by a name, of an assertion of ours that says what t says, is in force, and sets t.Origin. ErrToken, or an
	// error that wraps it, says that it is not; any other is an outage.
	Granted(ctx context.Context, t *Token, name string) error
}

// ErrToken says that a token does not hold.
var ErrToken = errors.New("token does not hold")

// Introspector asks a provider about its tokens (RFC 7662). *Introspection does. It is safe for concurrent use.
type Introspector interface {
	// Introspect asks whether a token is active now. ErrToken, or an error that wraps it, says that it is not; any other is an outage.
	Introspect(ctx context.Context, token string, now time.Time) (*Token, error)
}

// Subjects knows persons under the sub that our tokens have. It is safe for concurrent use.
type Subjects interface {
	// Sub gives the sub of the person whom the identifiers name: one that never changes and is never given to another. It
	// returns authn.ErrNoAccount where they name nobody, or several; any other error is an outage.
	Sub(ctx context.Context, identifiers []authn.Identifier) (string, error)
}

// Thumbprint gives the x5t#S256 of a certificate in DER (RFC 8705 section 3.1).
func Thumbprint(der []byte) string {
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
