package saml2

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/crewjam/saml"
)

const (
	protocolSAML11  = "urn:oasis:names:tc:SAML:1.1:protocol"
	x509SubjectName = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"

	// DefaultValidity is how long a document may be used where Config says nothing.
	DefaultValidity = 24 * time.Hour

	maxEntityID = 1024 // SAML 2.0 Metadata section 2.2.1
)

// Config says what Metadata describes.
type Config struct {
	// EntityID names the authority: the Issuer of its assertions. A URI of at most 1024
	// characters.
	EntityID string
	// Locations are the http or https addresses of the SAML 1.1 SOAP endpoint. At least one.
	Locations []string

	// Signer signs the document; RSA, or ECDSA on P-256, P-384 or P-521. Certificate, in
	// DER, is its own, and the first that the document lists for assertions.
	Signer      crypto.Signer
	Certificate []byte
	// MoreCertificates, in DER, are the others with which assertions may be signed: the
	// next, and the last while its assertions live.
	MoreCertificates [][]byte

	// Now is when the document is made. Validity is how long it may be used, zero is
	// DefaultValidity; it ends no later than Certificate.
	Now      time.Time
	Validity time.Duration

	// AttributeProfiles are URIs of agreements about attributes; they may be none.
	AttributeProfiles []string
	// Organization says who runs the authority; it may be nil.
	Organization *Organization
}

// An Organization runs an entity (SAML 2.0 Metadata section 2.3.2.1). All is required.
type Organization struct {
	Language string // of the texts: "nl", "fr", "de", "en"
	Name     string // for programs
	Display  string // for people
	URL      string
}

// Metadata returns a signed EntityDescriptor in UTF-8. It is made anew at each call, with
// one private-key operation: keep it for a while rather than make it for each who asks.
// An error says everything that is wrong with the Config, or that the key failed.
func Metadata(config Config) ([]byte, error) {
	certificates, err := config.check()
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	entity, err := xml.Marshal(config.entity(certificates))
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	document, err := sign(entity, config.Signer, config.Certificate)
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	return document, nil
}

// check parses the certificates, that of the signer first.
func (c *Config) check() ([]*x509.Certificate, error) {
	var wrong []error
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if u, err := url.Parse(c.EntityID); err != nil || !u.IsAbs() || len(c.EntityID) > maxEntityID {
		add("the entity id is not an absolute URI of at most %d characters", maxEntityID)
	}
	if len(c.Locations) == 0 {
		add("no location")
	}
	for _, location := range c.Locations {
		if !isWeb(location) {
			add("location %q is not an http or https address", location)
		}
	}
	if o := c.Organization; o != nil && (o.Language == "" || o.Name == "" || o.Display == "" || !isWeb(o.URL)) {
		add("the organization lacks a language, a name or a web address")
	}
	if c.Validity < 0 {
		add("a validity of %v", c.Validity)
	}
	var certificates []*x509.Certificate
	for _, der := range append([][]byte{c.Certificate}, c.MoreCertificates...) {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			add("certificate: %w", err)
			continue
		}
		certificates = append(certificates, certificate)
	}
	switch {
	case c.Signer == nil:
		add("no key")
	case len(wrong) == 0: // the first certificate is that of the key
		certificate := certificates[0]
		public, err := x509.MarshalPKIXPublicKey(c.Signer.Public())
		if err != nil || !bytes.Equal(public, certificate.RawSubjectPublicKeyInfo) {
			add("the certificate is not that of the key")
		}
		if c.Now.Before(certificate.NotBefore) || c.Now.After(certificate.NotAfter) {
			add("the certificate is not valid now")
		}
	}
	return certificates, errors.Join(wrong...)
}

func isWeb(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.Fragment == ""
}

// entity makes the document without its signature. The order of what is in it is that
// of the schema, which the types of crewjam/saml follow.
func (c *Config) entity(certificates []*x509.Certificate) *saml.EntityDescriptor {
	var random [16]byte
	rand.Read(random[:]) // never fails (crypto/rand)
	validity := c.Validity
	if validity == 0 {
		validity = DefaultValidity
	}
	until := c.Now.Add(validity)
	if end := certificates[0].NotAfter; end.Before(until) {
		until = end
	}
	role := saml.AttributeAuthorityDescriptor{
		RoleDescriptor: saml.RoleDescriptor{ProtocolSupportEnumeration: protocolSAML11},
		NameIDFormats:  []saml.NameIDFormat{x509SubjectName}, AttributeProfiles: c.AttributeProfiles,
	}
	for _, certificate := range certificates {
		role.KeyDescriptors = append(role.KeyDescriptors, saml.KeyDescriptor{Use: "signing", KeyInfo: saml.KeyInfo{
			X509Data: saml.X509Data{X509Certificates: []saml.X509Certificate{{Data: base64.StdEncoding.EncodeToString(certificate.Raw)}}},
		}})
	}
	for _, location := range c.Locations {
		role.AttributeServices = append(role.AttributeServices, saml.Endpoint{Binding: saml.SOAPBindingV1, Location: location})
	}
	entity := &saml.EntityDescriptor{
		EntityID: c.EntityID, ID: "_" + hex.EncodeToString(random[:]), ValidUntil: until,
		AttributeAuthorityDescriptors: []saml.AttributeAuthorityDescriptor{role},
	}
	if o := c.Organization; o != nil {
		entity.Organization = &saml.Organization{
			OrganizationNames:        []saml.LocalizedName{{Lang: o.Language, Value: o.Name}},
			OrganizationDisplayNames: []saml.LocalizedName{{Lang: o.Language, Value: o.Display}},
			OrganizationURLs:         []saml.LocalizedURI{{Lang: o.Language, Value: o.URL}},
		}
	}
	return entity
}
