package saml

import "fmt"

// Namespaces of SAML 1.1.
const (
	NamespaceAssertion = "urn:oasis:names:tc:SAML:1.0:assertion"
	NamespaceProtocol  = "urn:oasis:names:tc:SAML:1.0:protocol"
)

// Identifiers that the wire uses.
const (
	FormatX509SubjectName = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
	HolderOfKey           = "urn:oasis:names:tc:SAML:1.0:cm:holder-of-key"
	SenderVouches         = "urn:oasis:names:tc:SAML:1.0:cm:sender-vouches"
	// FormatPersistent is of SAML 2.0; SAML 1.1 admits any URI (core 2.4.2.2): a name that is never given to another.
	FormatPersistent = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	MethodX509PKI    = "urn:oasis:names:tc:SAML:1.0:am:X509-PKI"
)

// Further identifiers of authentication methods (core 7.1).
const (
	MethodPassword      = "urn:oasis:names:tc:SAML:1.0:am:password"
	MethodKerberos      = "urn:ietf:rfc:1510"
	MethodSRP           = "urn:ietf:rfc:2945"
	MethodHardwareToken = "urn:oasis:names:tc:SAML:1.0:am:HardwareToken"
	MethodTLSClient     = "urn:ietf:rfc:2246"
	MethodSignature     = "urn:ietf:rfc:3075"
	MethodUnspecified   = "urn:oasis:names:tc:SAML:1.0:am:unspecified"
)

// A Reason says why an element was refused.
type Reason uint8

// The reasons.
const (
	_                 Reason = iota
	Malformed                // not what the schema or section says
	VersionTooHigh           // MajorVersion or MinorVersion beyond 1.1
	VersionTooLow            // before 1.1
	UnsupportedQuery         // a Request for something else than attributes
	UnsupportedMember        // an element that the schema has and nobody here reads
	BadTime                  // a dateTime that cannot be read
	NotText                  // a value to be written that XML cannot hold
)

var reasons = [...]string{
	Malformed:         "malformed",
	VersionTooHigh:    "version too high",
	VersionTooLow:     "version too low",
	UnsupportedQuery:  "unsupported query",
	UnsupportedMember: "unsupported element",
	BadTime:           "malformed dateTime",
	NotText:           "value is no XML text",
}

func (r Reason) String() string {
	if int(r) < len(reasons) && reasons[r] != "" {
		return reasons[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// An Error is what this package refuses with. Element is the name of the element at
// fault; no value of the message is quoted.
type Error struct {
	Reason  Reason
	Element string
}

func (e *Error) Error() string { return "saml: " + e.Reason.String() + ": " + e.Element }

func refuse(r Reason, element string) error { return &Error{r, element} }
