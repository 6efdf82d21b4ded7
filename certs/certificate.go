package certs

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// maxCertificate is the greatest DER of a certificate that is read: a message
// brings it, and an honest one has under 3 KB (Z8).
const maxCertificate = 16 << 10

// maxElements bounds the DER elements in the extensions of a certificate. What is parsed
// of an element of two octets takes more than a hundred, and is kept (Z8).
const maxElements = 1024

// Certificate is an X.509 certificate, parsed once: what it says, and nothing of
// whether that is to be believed. [Verifier.Parse] and ParseCertificate make it.
// It is immutable, shared, and safe for concurrent use; the slices and pointers
// that it hands out must not be changed.
type Certificate struct {
	x509        *x509.Certificate
	fingerprint [32]byte
	thumbprint  [20]byte
	serial      serialDigest
	name        authorityID // of this certificate's subject as an issuer
	subject     Name
	issuer      Name
	holder      holder // whom the subject names, by the profiles of section 6
	holderErr   error
	points      []distributionPoint    // at which its issuer publishes CRLs
	issuerPoint string                 // the issuer's name as a GeneralName: the point of a certificate that names none
	extensions  extensions             // those that path validation asks about
	weight      int64                  // of its memory, in that of a common one: what it takes of a cache
	text        atomic.Pointer[string] // base64 of the DER, once it was identified
}

// ParseCertificate reads one DER certificate, syntax only. The DER is cloned.
func ParseCertificate(der []byte) (*Certificate, error) {
	return parseCertificate(der, sha256.Sum256(der))
}

func parseCertificate(der []byte, fingerprint [32]byte) (*Certificate, error) {
	if len(der) > maxCertificate {
		return nil, refuse(TooLarge, errors.New("certificate"))
	}
	parsed, err := x509.ParseCertificate(bytes.Clone(der))
	if err != nil {
		return nil, refuse(Malformed, errors.New("certificate that crypto/x509 does not read")) // its text may quote a name
	}
	elements := 0
	for i := range parsed.Extensions {
		elements += countElements(parsed.Extensions[i].Value, maxElements-elements)
	}
	if elements >= maxElements {
		return nil, refuse(TooLarge, errors.New("certificate: elements of its extensions"))
	}
	if parsed.PublicKey == nil {
		return nil, refuse(WeakKey, errors.New("public key of an unknown algorithm"))
	}
	c := &Certificate{
		x509:        parsed,
		fingerprint: fingerprint,
		thumbprint:  sha1.Sum(der), // a name in KeyIdentifier elements, never a proof
		serial:      digestSerial(parsed.SerialNumber),
		name:        authorityOf(parsed.RawSubject, parsed.RawSubjectPublicKeyInfo),
		weight:      1 + int64(len(der)/2048+elements/64),
	}
	if c.extensions, err = readExtensions(parsed); err != nil {
		return nil, err
	}
	if c.subject, err = parseNameDER(parsed.RawSubject); err != nil {
		return nil, fmt.Errorf("subject: %w", err)
	}
	if c.issuer, err = parseNameDER(parsed.RawIssuer); err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	if c.points, err = readDistributionPoints(parsed); err != nil {
		return nil, err
	}
	c.issuerPoint = directoryName(parsed.RawIssuer)
	c.holder, c.holderErr = holderOf(c.subject)
	return c, nil
}

// countElements counts DER elements up to a bound, those within others too. What is no DER
// counts as one.
func countElements(der cryptobyte.String, most int) (count int) {
	for !der.Empty() && count < most {
		var content cryptobyte.String
		var tag asn1.Tag
		count++
		if !der.ReadAnyASN1(&content, &tag) {
			return count
		}
		if tag&0x20 != 0 { // constructed
			count += countElements(content, most-count)
		}
	}
	return count
}

// X509 gives the certificate as crypto/x509 has it.
func (c *Certificate) X509() *x509.Certificate { return c.x509 }

// Raw gives the DER.
func (c *Certificate) Raw() []byte { return c.x509.Raw }

// Base64 gives the DER in base64 (RFC 4648 section 4), one line. Of a certificate that a
// Verifier identified it is kept.
func (c *Certificate) Base64() string {
	if text := c.text.Load(); text != nil {
		return *text
	}
	return base64.StdEncoding.EncodeToString(c.x509.Raw)
}

// Fingerprint is the SHA-256 of the DER.
func (c *Certificate) Fingerprint() [32]byte { return c.fingerprint }

// ThumbprintSHA1 is the SHA-1 of the DER, by which a WS-Security KeyIdentifier
// may name the certificate. It selects; it proves nothing.
func (c *Certificate) ThumbprintSHA1() [20]byte { return c.thumbprint }

// PublicKey gives the subject's key: *rsa.PublicKey, *ecdsa.PublicKey or, in a
// certificate that no role accepts, something else.
func (c *Certificate) PublicKey() crypto.PublicKey { return c.x509.PublicKey }

// RawPublicKey gives the DER of the SubjectPublicKeyInfo.
func (c *Certificate) RawPublicKey() []byte { return c.x509.RawSubjectPublicKeyInfo }

// SameKey tells whether two certificates bear the same public key.
func (c *Certificate) SameKey(o *Certificate) bool {
	return o != nil && bytes.Equal(c.x509.RawSubjectPublicKeyInfo, o.x509.RawSubjectPublicKeyInfo)
}

// SKI gives the subject key identifier, or nil.
func (c *Certificate) SKI() []byte { return c.x509.SubjectKeyId }

// SerialNumber gives the certificate's number. It must not be changed.
func (c *Certificate) SerialNumber() *big.Int { return c.x509.SerialNumber }

// NotBefore is the first moment of the validity.
func (c *Certificate) NotBefore() time.Time { return c.x509.NotBefore }

// NotAfter is the last second of the validity; RFC 5280 counts it in.
func (c *Certificate) NotAfter() time.Time { return c.x509.NotAfter }

// Subject gives the subject's name.
func (c *Certificate) Subject() Name { return c.subject }

// Issuer gives the issuer's name.
func (c *Certificate) Issuer() Name { return c.issuer }

// SubjectIs tells whether a text is a form of the subject's name. Only a parsed
// name is compared (D10); the two forms that nearly all clients send are known to
// parse to it and are recognised as they stand. It does not allocate and does
// not keep the text.
func (c *Certificate) SubjectIs(text []byte) bool { return nameIs(&c.subject, text) }

// IssuerIs is SubjectIs for the issuer.
func (c *Certificate) IssuerIs(text []byte) bool { return nameIs(&c.issuer, text) }

func nameIs(n *Name, text []byte) bool {
	if n.IsZero() {
		return false
	}
	if string(text) == n.java || string(text) == n.text {
		return true
	}
	var s nameScratch
	return s.parse(text) == nil && s.is(n)
}

// selfIssued tells whether subject and issuer are one name, by DER (RFC 5280 section 6.1):
// a renewed key of an authority, or a root.
func (c *Certificate) selfIssued() bool { return bytes.Equal(c.x509.RawSubject, c.x509.RawIssuer) }

// covers tells whether the certificate is valid at a moment (RFC 5280 section 4.1.2.5).
func (c *Certificate) covers(at time.Time) error {
	if at.Before(c.x509.NotBefore) {
		return refuse(NotYetValid, nil)
	}
	if at.After(c.x509.NotAfter) {
		return refuse(Expired, nil)
	}
	return nil
}

// authorityID names an authority: SHA-256 over its name and its public key. Two
// certificates of one authority (renewed, cross-signed) have one authorityID.
type authorityID [32]byte

func authorityOf(name, key []byte) authorityID {
	h := sha256.New()
	h.Write(name)
	h.Write(key)
	return authorityID(h.Sum(nil))
}
