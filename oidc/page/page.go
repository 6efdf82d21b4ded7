package page

import (
	"encoding/json"
	"time"

	"sceau/oidc/authn"
)

// Addresses in pages are relative or absolute, http or https; what is neither is not written as a link. Action is where a form
// is posted, with the token of the view in the hidden field "token". Return leads back to the choice among the means; it is a
// link, and an empty one is left out. The zero authn.Reason says that nothing was refused.

// Choose lets a person choose among the means that are admitted. Each is a link to its address.
type Choose struct {
	Means []Offer
	// Again says why someone who has a session is asked once more.
	Again Again
	// Refused is what the means said that was tried before.
	Refused authn.Reason
	// Cancel is where a form with no field but the token is posted by who gives up; empty where that cannot be.
	Cancel string
	// Return is as elsewhere, of a means that has no page of its own and offers itself again; empty where all means are offered.
	Return string
}

// An Offer is one means that a person may choose.
type Offer struct {
	Kind Kind
	// Label is the establishment's own name of the means; empty means that of the kind, in the language of the page.
	Label string
	// Names are proper nouns in which people recognize the means: the cards that are taken ("eID", "CPS"), an institution.
	Names []string
	// URL is the address of the means in the attempt.
	URL string
	// Last says that this browser used it the last time. It is shown first among its equals: the order is the caller's.
	Last bool
}

// A Kind is what a means looks like to a person.
type Kind string

// Kinds of means. Another kind is shown like Upstream.
const (
	KindCertificate Kind = "certificate"
	KindPasskey     Kind = "passkey"
	KindDirectory   Kind = "directory"
	KindKerberos    Kind = "kerberos"
	KindAssertion   Kind = "assertion"
	KindUpstream    Kind = "upstream"
	KindWallet      Kind = "wallet"
)

// Again says why a person who has a session is asked to authenticate once more.
type Again uint8

// Why again. The zero Again is a first time.
const (
	_             Again = iota
	AgainTooOld         // the authentication is older than the application, or the establishment, takes
	AgainStronger       // the application wants a stronger means than the one of the session
	AgainAsked          // the application asked for it (prompt=login)
)

// Password asks for a name and a password: fields "username" and "password".
type Password struct {
	Action   string
	Username string // as it was entered, or the hint of the client
	Refused  authn.Reason
	// RetryAfter is how long to wait, where Refused is authn.TooMany.
	RetryAfter time.Duration
	Return     string
}

// OneTimeCode asks for the code that a device shows: field "code".
type OneTimeCode struct {
	Action     string
	Digits     int // 0 where codes are not digits of one length
	Refused    authn.Reason
	RetryAfter time.Duration
	Return     string
}

// Passkey asks the browser for a passkey. It posts the field "credential", the JSON of the PublicKeyCredential (WebAuthn level
// 3, toJSON), or the field "error" with the name of the DOMException ("NotAllowedError") where the person or his device ended it.
type Passkey struct {
	Action string
	// Options are the PublicKeyCredentialRequestOptions in their JSON form (WebAuthn level 3, 5.1.10).
	Options json.RawMessage
	Refused authn.Reason
	Return  string
}

// Enrol enrols a passkey for a person who holds a ticket: a text that an administrator gave him. Its script posts JSON to Action, {"ticket": …}
// for the options and {"ticket": …, "credential": …} with the answer of the device; a refusal is JSON with "error", the text of an
// authn.Reason. A ticket behind the # of the address stands in the field from the beginning: no server ever sees it there.
type Enrol struct {
	// Action is of our own origin. Required where nothing is missing.
	Action string
	// Done is where the script leads when it is done.
	Done   string
	Person string // how the account is called; may be empty
	// Missing says why it cannot begin. Then Within is how young a login has to be, and Retry leads here again: a link.
	Missing Missing
	Within  time.Duration
	Retry   string
}

// Missing is what an enrolment needs and does not have.
type Missing uint8

// What is missing. The zero Missing is nothing.
const (
	_              Missing = iota
	MissingSession         // nobody is logged in in this browser
	MissingRecent          // the login is too old
	MissingOther           // it was by a passkey, which does not vouch for another
)

// Enrolled says that a passkey was enrolled.
type Enrolled struct {
	Label string // what the administrator called it; may be empty
	Made  time.Time
}

// Consents lists what a person has consented to. The form of each posts the field "client".
type Consents struct {
	Action string
	Person string // as of Consent
	Given  []Given
	// Withdrawn is the name of the application whose consent was withdrawn just now; may be empty.
	Withdrawn string
	// Stranger says that nobody is logged in in this browser: there is nothing to list.
	Stranger bool
}

// A Given is what was consented to for one application.
type Given struct {
	Client string // its id, which is posted
	Name   string
	Scopes []Scope
	Terms  *Terms // that were accepted; nil where there were none
	Since  time.Time
}

// Certificate explains to insert a card, and leads to the address where the browser is asked for its certificate.
type Certificate struct {
	// Secure is that address: a link. Empty says that none listens: the page says that it cannot be done here.
	Secure string
	// Cards are the names of those that are taken ("eID", "CPS").
	Cards []string
	// Fault says what is wrong with what was shown, where that may be told.
	Fault CertificateFault
	// Refused is told where Fault is none.
	Refused authn.Reason
	Return  string
}

// A CertificateFault says what is wrong with the certificate that a browser showed.
type CertificateFault uint8

// Faults. The zero CertificateFault is none.
const (
	_                  CertificateFault = iota
	CertificateNone                     // the browser showed none
	CertificateExpired                  // it is expired, or not yet valid
	CertificateRevoked                  // its authority took it back
	CertificateForeign                  // it is of an authority that is not taken here, or no card for persons
)

// Kerberos is the body of the 401 that asks a browser for a ticket (WWW-Authenticate: Negotiate): who sees it has none.
type Kerberos struct {
	// Retry is the address that asks again: a link.
	Retry   string
	Refused authn.Reason
	Return  string
}

// Assertion takes an assertion of a token service, which a program of the person's shows: field "assertion", base64.
type Assertion struct {
	// Action is where it is posted, on the listener that asks for certificates; empty says that there is none.
	Action  string
	Refused authn.Reason
	Return  string
}

// Wallet leads to the digital wallet of this device, and shows a code for that of another.
type Wallet struct {
	// Link leads to the wallet: https, or a scheme of wallets ("openid4vp://…"; LeadsToWallet). Required.
	Link string
	// Code is the address of a QR code for the wallet of another device, and Done that which asks whether that has answered: links. Both
	// are empty where this device alone is asked.
	Code, Done string
	// Waiting says that it was asked, and that no answer has come yet.
	Waiting bool
	Refused authn.Reason
	Return  string
}

// Insufficient says that what was proven is not strong enough for the application, and which means would be.
type Insufficient struct {
	// Means are those that would do; none says that the person has to ask the establishment for one.
	Means []Offer
	// Cancel is as that of Choose.
	Cancel string
}

// Consent asks whether the application may have what it asks for. It posts the field "decision", "allow" or "deny", and the
// field "terms", "accepted", where the box is ticked: that it was, for "allow", is the caller's to check.
type Consent struct {
	Action string
	// Person is how the account is called, so that one sees whose data these are; may be empty.
	Person string
	Scopes []Scope
	// Terms are those of use (CGU) that have to be accepted; nil where there are none.
	Terms *Terms
	// TermsMissing says that it was allowed without accepting the terms.
	TermsMissing bool
	// Later is where it is withdrawn: a link, to the page of Consents.
	Later string
}

// A Scope is something that an application asks for.
type Scope struct {
	// Name is that of the scope. The page has words for the standard ones: openid, profile, email, phone, address, offline_access,
	// roles, identity, scope_all.
	Name string
	// Text says it in words, in the language of the page, where the establishment has its own. A scope with neither is shown by
	// its name.
	Text string
}

// Terms are terms of use.
type Terms struct {
	URL string
	// Title is what they are called; empty means "terms of use", in the language of the page.
	Title string
	// Version or date of the text; may be empty.
	Version string
}

// Logout asks whether to end the session. It posts the field "decision", "logout" or "stay".
type Logout struct {
	Action string
	Person string // how the account is called; may be empty
	Hidden []Field
}

// A Field is a hidden field of a form.
type Field struct{ Name, Value string }

// Stayed says that nothing ended: what Logout asked was declined.
type Stayed struct{}

// LoggedOut says that the session is over.
type LoggedOut struct {
	// Return leads to the application; empty where it asked for none.
	Return string
	// Unreached are the names of applications that could not be told: their own session may go on.
	Unreached []string
}

// Error says that the request cannot be served. It tells a stranger the code and nothing else.
type Error struct {
	// Code is that of OAuth 2.0 ("invalid_request"), or one of the page's own: "no_account" (what was proven leads to no account
	// of the establishment), "account_locked", "not_found", "forbidden" (the account may not use this application). The page
	// has words for those it knows and general ones for others.
	Code string
	// AuditID is the id under which the operator finds the cause.
	AuditID string
	// Return leads back to where one may start again; may be empty.
	Return string
}

// TooMany says to come back later. It sets Retry-After.
type TooMany struct {
	RetryAfter time.Duration
	Return     string
}

// Expired says that the attempt is over: it took too long, was finished elsewhere, or is of another browser.
type Expired struct {
	// Restart begins again; empty says to go back to the application.
	Restart string
}

// Continue leads on to an address at once, by a refresh of the page and a link, where a redirect would be of the same chain as the
// posted form: Chromium applies the form-action of our pages to every redirect that follows a form, those of the application too.
// After a form it is the way back to an application; Unchained takes it.
type Continue struct {
	// URL is http, https, or the private-use scheme of a native application (RFC 8252 section 7.1), which holds a dot. A browser
	// may want the link of the page to be followed, before it starts that application.
	URL string
}

// FormPost carries an answer to an application by a form that is posted to it (response_mode=form_post), by a script, or
// by a button where there is none.
type FormPost struct {
	Action string
	Fields []Field
}
