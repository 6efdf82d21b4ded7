package authn

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// A Means is one way in which persons of an establishment prove who they are (MIE: moyen d'identification électronique). It is
// safe for concurrent use.
type Means interface {
	// References are the authentication method references (RFC 8176) of whoever succeeds by it, as far as they are known before:
	// what it yields at least. A policy that they do not satisfy does not offer the means.
	References() []string

	// Serve answers one request of the browser to the address of the means within an attempt. It either writes the answer (a
	// page, a redirect, a challenge) and returns neither proof nor error, or writes nothing and returns what was proven, or
	// writes nothing and returns an error: a Refusal is told to the person, who may try again; anything else is an outage,
	// whose cause the operator is told.
	Serve(w http.ResponseWriter, r *http.Request, a *Attempt) (*Proof, error)
}

// An Attempt is the authentication of one person in one browser for one client, under way. It belongs to one request.
type Attempt struct {
	// ID names the attempt. It is known to the browser alone, and bound to it.
	ID string
	// Issuer is the issuer identifier of the establishment.
	Issuer string
	// URL is the address of the means in this attempt: forms are posted to it, and what is below it (URL + "/…") comes to the means too.
	URL string
	// Below is what stands below URL in the address of the request, without a slash at its beginning; empty for URL itself.
	Below string
	// SecureURL is the same address where the browser is asked for a certificate; empty where nothing listens for one.
	SecureURL string
	// ReturnURL leads back to the choice among the means.
	ReturnURL string
	// Language is that of the pages: "fr", "nl", "de" or "en".
	Language string
	// Hint is what the client says of who will log in (login_hint); untrusted, and empty where it said nothing.
	Hint string
	// State is what the means keeps between requests of the attempt: it is stored after Serve, if the attempt goes on. JSON.
	State []byte
	// Refused is what the means refused last in this attempt, once: after a Refusal the browser is led to the address of the
	// means again, whose page says it. Nil where there was none, or where it was shown.
	Refused *Refusal
	// Token is the attempt's own: a form carries it in a hidden field named "token". It is checked before Serve is asked.
	Token string
	// Now is the instant of the request.
	Now time.Time
	// NotBefore is when an authentication has to have been made to be of use. A means that inherits one that was made elsewhere asks
	// for another there, or refuses an older one.
	NotBefore time.Time
	// Pages writes pages in the language of the attempt. Who writes an answer with it returns neither proof nor error.
	Pages Pages
}

// Pages writes what a person sees. Data of page are those of package page.
type Pages interface {
	Write(w http.ResponseWriter, r *http.Request, status int, page any)
}

// A Proof is what a person proved. Only a Means makes one.
type Proof struct {
	// Identifier is who he is, in the words of the means. Required.
	Identifier Identifier
	// References are the method references (RFC 8176) of what really happened. Required.
	References []string
	// Time is that of the explicit authentication, the auth_time of its tokens (EXI FI 19). Required. A means that
	// inherits an authentication that was made elsewhere says when that was.
	Time time.Time
	// Certificate is the DER of the person's certificate, where the means is one.
	Certificate []byte
	// Credential names the credential that was used among those of the person, for the trail; no secret, and no name.
	Credential string
	// Account is the account itself, where the means had to read it: it is not looked for again.
	Account *Account
	// Attributes are what the means learned beside: identification attributes by their names (SubjectNameID, SubjectRole, …).
	Attributes map[string][]string
}

// An Identifier names a person to an establishment: Type says in which system ("account", "username", "ssin", "rpps", "nihii",
// "principal", "passkey", "certificate", or "sub"), Value is the name in it. It is compared octet by octet.
type Identifier struct {
	Type, Value string
	// Authority is whose name a "sub" is: the issuer. Names of other types mean the same whoever says them, and who may say them is decided
	// where he is configured: it is empty.
	Authority string
}

// Key is the type, and for a "sub" its issuer behind a space: what configurations of accounts call it.
func (i Identifier) Key() string {
	if i.Authority == "" {
		return i.Type
	}
	return i.Type + " " + i.Authority
}

// ParseKey reads a Key as an Identifier without a value. A "sub" has an issuer, and nothing else has one.
func ParseKey(key string) (Identifier, error) {
	kind, authority, spaced := strings.Cut(key, " ")
	if kind == "" || strings.Contains(authority, " ") || spaced != (authority != "") || (kind == "sub") != spaced {
		return Identifier{}, fmt.Errorf("authn: %q is no type of identifiers; that of another provider's is \"sub\", a space and its issuer", key)
	}
	return Identifier{Type: kind, Authority: authority}, nil
}

// maxName bounds the value of an Identifier, in octets.
const maxName = 255

// Name makes an Identifier of what another issuer says: a text without controls, of at most 255 octets.
func Name(kind, value, issuer string) (Identifier, error) {
	if kind == "" || strings.Contains(kind, " ") {
		return Identifier{}, fmt.Errorf("authn: %q is no type of identifiers", kind)
	}
	if value == "" || len(value) > maxName || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }) {
		return Identifier{}, errors.New("authn: it names nobody")
	}
	id := Identifier{Type: kind, Value: value}
	if kind == "sub" {
		id.Authority = issuer
	}
	return id, nil
}

// An Account is a person in the directory of an establishment.
type Account struct {
	// ID never changes and is never given to another (EXI FI 21): an entryUUID, an objectGUID, a key of one's own; never a
	// name that people may get anew. Required.
	ID string
	// Username is what the person types (preferred_username). It may change.
	Username                           string
	GivenName, FamilyName, Name, Email string
	EmailVerified                      bool
	// Identifiers are what else names the person: each leads to this account.
	Identifiers []Identifier
	// Groups are the groups and roles of the account, for policies.
	Groups []string
	// Locked says that the account is closed: nobody authenticates as its person.
	Locked bool
}

// Accounts finds accounts. It is safe for concurrent use.
type Accounts interface {
	// Find returns the account to which an identifier leads. It returns ErrNoAccount where none does, or where several do; any
	// other error is an outage.
	Find(ctx context.Context, id Identifier) (*Account, error)
}

// ErrNoAccount says that an identifier leads to no account.
var ErrNoAccount = errors.New("authn: no account")

// A Reason says why a person was refused. What is shown depends on it alone.
type Reason uint8

// Reasons. The zero Reason is none.
const (
	_           Reason = iota
	NotProven          // what was entered or shown does not prove who it is: never why (no enumeration)
	TooMany            // too many attempts: later again
	Unsuitable         // what was shown cannot be used here: expired, revoked, of another authority
	Cancelled          // the person, or his device, ended it
	NotEnrolled        // there is no such means for this person
	Expired            // the attempt is over
)

func (r Reason) String() string {
	switch r {
	case NotProven:
		return "not proven"
	case TooMany:
		return "too many attempts"
	case Unsuitable:
		return "unsuitable"
	case Cancelled:
		return "cancelled"
	case NotEnrolled:
		return "not enrolled"
	case Expired:
		return "expired"
	}
	return "none"
}

// A Refusal is the error of a means that did not prove who the person is. The person is told the Reason, the operator the cause.
type Refusal struct {
	Reason Reason
	// RetryAfter is how long the person waits at least, of TooMany.
	RetryAfter time.Duration
	// Cause is for the operator; it holds no secret and no identifier of a person.
	Cause error
}

func (r *Refusal) Error() string {
	if r.Cause == nil {
		return "authn: " + r.Reason.String()
	}
	return "authn: " + r.Reason.String() + ": " + r.Cause.Error()
}

func (r *Refusal) Unwrap() error { return r.Cause }
