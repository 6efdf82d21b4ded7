package audit

import (
	"crypto/rand"
	"encoding/hex"
	"net/netip"
	"time"
)

// An Event is what is kept of one request. It is filled along the road and recorded
// once at its end, whatever the end. Its strings and byte slices may alias the buffer of the
// request: Record reads them before it returns and keeps none. An Event belongs to one
// goroutine at a time; reuse it with Reset.
type Event struct {
	// ID names the record to the outside: an error answer carries it. From NewID. Required.
	ID ID
	// Time is when the request arrived. Required.
	Time time.Time
	// Duration is what it took up to Record; kept in microseconds.
	Duration time.Duration
	// Service is the face that was asked, from a fixed set: "saml11", "authzen", ServiceOIDC; "policy" where policies were put in force. Required.
	Service string
	// Operation is what was asked of it: "attribute-query", or one of OIDCOperations.
	Operation string
	// Outcome is how it ended. Required.
	Outcome Outcome
	// Code is what the consumer was told: "REQ-01", "SOA-01001", "access_denied".
	Code string
	// Stage is the step of the road that ended it: "confirm".
	Stage string
	// Cause is for the operator only. It must hold no attribute value and no identifier of a person; runs
	// of eight digits and more are masked in it, and in the names of attributes, lest it does.
	Cause string
	// Remote says where the request came from, as coarsely as a trace needs.
	Remote RemoteClass

	// RequestID is the identifier the consumer gave its request.
	RequestID []byte
	// MessageDigest is that by which a replay of the message is known: SHA-256 of the canonical SignedInfo of its
	// signature. Zero is none: nothing was verified.
	MessageDigest [32]byte
	// Mode is how the request was signed: "session", "eid-only", "fallback". Of "oidc": how the client authenticated ("private_key_jwt").
	Mode string
	// Identity is who signed the message, Holder whose key the token confirms. Of "oidc" Identity is the person by the words and
	// the certificate of the means, and Holder the TLS certificate of the client, to which its tokens are bound.
	Identity, Holder Party
	// Subject is whom the attributes are about. Of "oidc": Type "sub" and the sub of the tokens.
	Subject Identifier

	// Client is who asked for a decision, by the name that the configuration gives it; Action and Resource are what it
	// asked about, and Policies the ids of those that determined the answer, a space between them. Of decisions alone
	// ("authzen"). Of "policy" Resource is the version, and Policies say which content that is, and the last event of the store.
	// Of "oidc" Client is the client_id, Action the grant type or one of ActionWithdraw and its like, Resource ("audience") for what a token
	// was exchanged, and Policies the trust anchor by which a client of a federation is one.
	Client, Action string
	Resource       Resource
	Policies       string

	// Profiles are the names of the policy's profiles that were granted.
	Profiles []string
	// Attributes are those asked for, in the order asked, with what became of each.
	Attributes []Attribute

	// AssertionID, NotBefore and NotOnOrAfter are those of the assertion issued.
	AssertionID             []byte
	NotBefore, NotOnOrAfter time.Time

	// What follows is of "oidc" alone.

	// Establishment is whose issuer was asked, by the name that the configuration gives it (tid).
	Establishment string
	// Attempt is the secret id of the attempt of a browser, from the request of the client to its end; kept as SHA-256. It
	// joins what failed before with what succeeded.
	Attempt string
	// Session is the sid: random, and nothing is had by it. Of "authentication" it is the session that it began or strengthened.
	Session string
	// Authentication is the ID of the event of the authentication that gave auth_time and amr. Of "authentication" it is zero:
	// the event is it.
	Authentication ID
	// Means is the means of authentication by the name that the configuration gives it, Methods what really happened (amr).
	Means    string
	Methods  []string
	ACR      string
	AuthTime time.Time
	// Credential names the credential that was used, uniquely among all of the establishment; kept as a pseudonym of the Type "credential".
	Credential string
	// Grant names what a client was granted, from the code to the last token of its refreshing: random, and nothing is had by it.
	Grant string
	// Scope is what was granted.
	Scope string
	// Tokens are those that were issued or presented.
	Tokens []Token
	// Sealed is kept encrypted.
	Sealed Sealed
}

// Reset empties e and keeps the room of its slices, without keeping what they pointed to.
func (e *Event) Reset() {
	clear(e.Profiles)
	clear(e.Attributes)
	clear(e.Methods)
	clear(e.Tokens)
	*e = Event{Profiles: e.Profiles[:0], Attributes: e.Attributes[:0], Methods: e.Methods[:0], Tokens: e.Tokens[:0]}
}

func (e *Event) validate() string {
	switch {
	case e.ID == ID{}:
		return "no ID"
	case e.Time.IsZero():
		return "no Time"
	case e.Service == "":
		return "no Service"
	case e.Outcome.String() == "":
		return "no Outcome"
	}
	return ""
}

// A Party is one side of a request, known by its certificate.
type Party struct {
	// Kind is the kind of certificate: "eid", "ehealth-person", "ehealth-organisation".
	Kind string
	// Identifier is what the certificate says of its holder; kept as a pseudonym.
	Identifier Identifier
	// Fingerprint is the SHA-256 of the certificate's DER; zero is none.
	Fingerprint [32]byte
}

// An Identifier names a person or an organisation in clear, in memory only: a
// record keeps its Type and the pseudonym of both.
type Identifier struct {
	Type  string // "ssin", "nihii", "cbe", …
	Value string
}

// A Resource is what a decision is about. Its name stands in the record in clear when it names a thing of ours (an
// application, an attribute, a role); what a client calls its own resources may name a person, and goes into Value.
type Resource struct {
	Type  string
	Name  string // in clear
	Value string // kept as a pseudonym of Type and Value
}

// An Attribute is what became of one attribute that was asked for. It has no value: values are never recorded.
type Attribute struct {
	Name, Namespace string
	Disposition     Disposition
	State           State
	Rule            string // the policy rule that decided
	Source          string // the authentic source that answered

	// Origin says whether it answered for this request. RetrievedAt is when it answered; it is kept where that was before.
	Origin      Origin
	RetrievedAt time.Time
}

// An Origin is how an answer was had. The zero Origin is that the source was asked for this request.
type Origin uint8

const (
	Live   Origin = iota
	Cached        // kept since a little while, and still fresh
	Stale         // kept for longer, and used because no source could be had
)

func (o Origin) String() string {
	switch o {
	case Cached:
		return "cached"
	case Stale:
		return "stale"
	}
	return ""
}

// An Outcome is how a request ended. The zero Outcome is none and is refused.
type Outcome uint8

const (
	Success Outcome = iota + 1 // an assertion was issued, or what was asked about is permitted
	Refused                    // the request was understood and refused, or what was asked about is denied
	Fault                      // the request was not understood, or we failed
)

func (o Outcome) String() string {
	switch o {
	case Success:
		return "success"
	case Refused:
		return "refused"
	case Fault:
		return "fault"
	}
	return ""
}

// A Disposition is what became of an attribute. The zero Disposition says that it was asked for and no more.
type Disposition uint8

const (
	Asked    Disposition = iota // the request ended before this was decided
	Released                    // it stands in the assertion
	Omitted                     // it was left out of the assertion: by policy, or for want of a source where State is Unavailable
	Withheld                    // policy denied it and refused the request
)

func (d Disposition) String() string {
	switch d {
	case Released:
		return "released"
	case Omitted:
		return "omitted"
	case Withheld:
		return "withheld"
	}
	return "asked"
}

// A State is what the authentic source said. The zero State is that none was asked.
type State uint8

const (
	Unresolved  State = iota
	Affirmed          // the source gave a value
	Denied            // the source said no
	Unknown           // the source does not know
	Unavailable       // the source did not answer
)

func (s State) String() string {
	switch s {
	case Affirmed:
		return "affirmed"
	case Denied:
		return "denied"
	case Unknown:
		return "unknown"
	case Unavailable:
		return "unavailable"
	}
	return ""
}

// A RemoteClass is all that is kept of a network address, but for what is sealed.
type RemoteClass uint8

const (
	RemoteUnknown RemoteClass = iota
	RemoteLoopback
	RemotePrivate
	RemotePublic
)

// ClassifyRemote gives the class of an address.
func ClassifyRemote(address netip.Addr) RemoteClass {
	address = address.Unmap()
	switch {
	case !address.IsValid():
		return RemoteUnknown
	case address.IsLoopback():
		return RemoteLoopback
	case address.IsPrivate(), address.IsLinkLocalUnicast():
		return RemotePrivate
	}
	return RemotePublic
}

func (c RemoteClass) String() string {
	switch c {
	case RemoteLoopback:
		return "loopback"
	case RemotePrivate:
		return "private"
	case RemotePublic:
		return "public"
	}
	return ""
}

// An ID names an audit record: 48 bits of milliseconds since 1970 and 80 random bits, so
// that ids sort by time and cannot be guessed. Its text is 32 lower-case hex digits.
type ID [16]byte

// NewID makes an ID; at is when the request arrived.
func NewID(at time.Time) ID {
	var id ID
	rand.Read(id[6:]) // never fails (crypto/rand)
	ms := uint64(at.UnixMilli())
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	return id
}

// Append appends the text of id to dst.
func (id ID) Append(dst []byte) []byte { return hex.AppendEncode(dst, id[:]) }

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads the text of an ID. Its error has Reason Malformed.
func ParseID(text string) (ID, error) {
	var id ID
	if !decodeHex(id[:], text) {
		return ID{}, &Error{Reason: Malformed, Err: errText("an audit id is 32 lower-case hex digits")}
	}
	return id, nil
}

type errText string

func (e errText) Error() string { return string(e) }

// decodeHex reads exactly len(dst) bytes in lower-case hex: one value has one
// text, so that a changed letter case in a record shows.
func decodeHex[T string | []byte](dst []byte, text T) bool {
	if len(text) != 2*len(dst) {
		return false
	}
	for i := range dst {
		high, low := hexDigit(text[2*i]), hexDigit(text[2*i+1])
		if high > 15 || low > 15 {
			return false
		}
		dst[i] = high<<4 | low
	}
	return true
}

func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}
