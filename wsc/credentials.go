package wsc

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/saml"
	"sceau/soap"
	"sceau/xmlsec"
)

// A Mode says which certificates play which part (wire document 6.3). The zero Mode
// is none.
type Mode uint8

// The modes.
const (
	_            Mode = iota
	ModeSession       // an eID says who asks; an eHealth certificate holds the token
	ModeEIDOnly       // one eID does both
	ModeFallback      // no eID at hand: an eHealth certificate says who asks; the same or another one holds the token
)

var modes = [...]string{ModeSession: "session", ModeEIDOnly: "eid-only", ModeFallback: "fallback"}

func (m Mode) String() string {
	if int(m) < len(modes) && modes[m] != "" {
		return modes[m]
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// ParseMode reads the name of a mode, as String writes it.
func ParseMode(name string) (Mode, error) {
	for m, n := range modes {
		if n == name && n != "" {
			return Mode(m), nil
		}
	}
	return 0, refuse(BadCredentials, fmt.Sprintf("no mode %q: session, eid-only or fallback", name))
}

// ModeOf returns the mode that two certificates suggest; holder may be nil for the
// same certificate.
func ModeOf(identity, holder *certs.Certificate) (Mode, error) {
	if identity == nil {
		return 0, refuse(BadCredentials, "no identity certificate")
	}
	if holder == nil {
		holder = identity
	}
	for _, m := range []Mode{ModeSession, ModeEIDOnly, ModeFallback} {
		if m.fits(identity, holder) == nil {
			return m, nil
		}
	}
	return 0, refuse(BadCredentials, "these certificates fit no mode: "+kindName(bearerOf(identity))+" as identity, "+kindName(bearerOf(holder))+" as holder")
}

// fits says whether the certificates are what the mode wants. It reads what they say
// of themselves; whether they are trusted is the STS's business.
func (m Mode) fits(identity, holder *certs.Certificate) error {
	who, by := bearerOf(identity), bearerOf(holder)
	switch m {
	case ModeSession:
		if !who.eid || by.eid || by.identifier == "" {
			return refuse(BadCredentials, "mode session wants an eID certificate as identity and an eHealth certificate as holder")
		}
	case ModeEIDOnly:
		if !who.eid || identity.Fingerprint() != holder.Fingerprint() {
			return refuse(BadCredentials, "mode eid-only wants one eID certificate and no other")
		}
	case ModeFallback:
		if who.eid || by.eid || who.identifier == "" || by.identifier == "" {
			return refuse(BadCredentials, "mode fallback wants eHealth certificates")
		}
	default:
		return refuse(BadCredentials, "no mode")
	}
	return nil
}

// A bearer is what a subject name says of the holder of the certificate, by the
// profiles of section 6 of the wire document.
type bearer struct {
	eid                        bool
	identifierType, identifier string // "SSIN", "00000000097"; empty for neither profile
}

func kindName(b bearer) string {
	switch {
	case b.eid:
		return "an eID"
	case b.identifier != "":
		return "an eHealth certificate (" + b.identifierType + ")"
	}
	return "neither eID nor eHealth certificate"
}

// bearerOf reads a certificate as the platform's connector does (wire document 6.2):
// a serialNumber makes an eID; otherwise one OU of the form TYPE=digits makes an
// eHealth certificate.
func bearerOf(c *certs.Certificate) bearer {
	var b bearer
	units := 0
	subject := &c.X509().Subject
	if number := subject.SerialNumber; number != "" {
		return bearer{eid: true, identifierType: string(certs.SSIN), identifier: number}
	}
	for _, unit := range subject.OrganizationalUnit {
		if t, value, ok := strings.Cut(unit, "="); ok && isType(t) && isDigits(value) {
			b.identifierType, b.identifier = t, value
			units++
		}
	}
	if units != 1 {
		return bearer{}
	}
	return b
}

func isType(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// An Attribute is an attribute with its values.
type Attribute struct {
	attrs.Designator
	Values []string
}

// Credentials are the keys with which a token is asked and held. NewCredentials
// makes them.
type Credentials struct {
	mode             Mode
	identity, holder *certs.Signer
	subject          saml.Name // of the identity certificate, as clients write it
	header, inner    *xmlsec.Signer
}

// NewCredentials puts credentials together. holder may be nil where the mode lets one
// certificate do both.
func NewCredentials(mode Mode, identity, holder *certs.Signer) (*Credentials, error) {
	if identity == nil {
		return nil, refuse(BadCredentials, "no identity certificate")
	}
	if holder == nil {
		holder = identity
	}
	if err := mode.fits(identity.Certificate(), holder.Certificate()); err != nil {
		return nil, err
	}
	c := &Credentials{mode: mode, identity: identity, holder: holder}
	// The form of names that most clients send (wire document 2.2); servers compare
	// parsed names.
	c.subject = saml.Name{
		Subject: identity.Certificate().Subject().JavaRFC1779(),
		Issuer:  identity.Certificate().Issuer().JavaRFC1779(),
	}
	var err error
	if c.header, err = soap.NewMessageSigner(xmlsec.SignerConfig{Key: identity}, ""); err != nil {
		return nil, &Error{Reason: BadCredentials, Detail: "identity key", Err: err}
	}
	c.inner, err = xmlsec.NewSigner(xmlsec.SignerConfig{Key: holder, KeyInfo: xmlsec.CertificateKeyInfo(holder.Certificate().Raw())})
	if err != nil {
		return nil, &Error{Reason: BadCredentials, Detail: "holder key", Err: err}
	}
	return c, nil
}

// Mode returns the mode.
func (c *Credentials) Mode() Mode { return c.mode }

// Identity returns the certificate that says who asks.
func (c *Credentials) Identity() *certs.Certificate { return c.identity.Certificate() }

// Holder returns the certificate to which tokens are bound.
func (c *Credentials) Holder() *certs.Certificate { return c.holder.Certificate() }

// one reports that identity and holder are one certificate.
func (c *Credentials) one() bool {
	return bytes.Equal(c.Identity().Raw(), c.Holder().Raw())
}

// usable says whether both certificates are valid at a moment, before a message is
// spent on them.
func (c *Credentials) usable(at time.Time) error {
	if err := c.identity.Usable(at); err != nil {
		return &Error{Reason: BadCredentials, Detail: "identity", Err: err}
	}
	if err := c.holder.Usable(at); err != nil {
		return &Error{Reason: BadCredentials, Detail: "holder", Err: err}
	}
	return nil
}

// Identification returns the identification attributes that the certificates bear,
// in the order of the catalogue: urn:be:fgov:person:ssin from the identity
// certificate, certificateholder:* from the holder certificate by its type. An
// identifier that no attribute, or more than one, could hold gives none.
func (c *Credentials) Identification() []Attribute {
	var all []Attribute
	add := func(binding attrs.Binding, b bearer) {
		var found *attrs.Definition
		for d := range attrs.EHealth().In(attrs.GroupIdentification) {
			if d.Binding != binding || !d.Kind.Valid(b.identifier) || !slices.Contains(d.CertificateTypes, b.identifierType) {
				continue
			}
			if found != nil {
				return
			}
			found = d
		}
		if found != nil {
			all = append(all, Attribute{Designator: found.Designator, Values: []string{b.identifier}})
		}
	}
	// The order of every public client: the holder of the certificate, then the person.
	add(attrs.BindingHolder, bearerOf(c.Holder()))
	add(attrs.BindingIdentity, bearerOf(c.Identity()))
	return all
}
