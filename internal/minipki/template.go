package minipki

import (
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Extended key usages, certificate policies and extensions by their object identifiers.
const (
	ServerAuth      = "1.3.6.1.5.5.7.3.1"
	ClientAuth      = "1.3.6.1.5.5.7.3.2"
	CodeSigning     = "1.3.6.1.5.5.7.3.3"
	EmailProtection = "1.3.6.1.5.5.7.3.4"
	OCSPSigning     = "1.3.6.1.5.5.7.3.9"

	PolicyCitizenAuthCA2 = "2.16.56.9.1.1.2.2"  // Belgium Root CA2, citizen, authentication
	PolicyCitizenAuthCA4 = "2.16.56.12.1.1.2.2" // Belgium Root CA4, citizen, authentication
	AnyPolicy            = "2.5.29.32.0"
)

const (
	oidSubjectKeyID    = "2.5.29.14"
	oidKeyUsage        = "2.5.29.15"
	oidSubjectAltName  = "2.5.29.17"
	oidBasicConstraint = "2.5.29.19"
	oidCRLNumber       = "2.5.29.20"
	oidReasonCode      = "2.5.29.21"
	oidNameConstraints = "2.5.29.30"
	oidCRLPoints       = "2.5.29.31"
	oidPolicies        = "2.5.29.32"
	oidAuthorityKeyID  = "2.5.29.35"
	oidExtKeyUsage     = "2.5.29.37"
)

// Template says what a certificate holds. A profile function fills it; every
// field may then be changed, so that a test makes exactly the defect it wants.
// An extension whose field is zero is not written, unless it says otherwise.
type Template struct {
	Subject             Name
	Serial              *big.Int  // nil: derived, positive, 16 octets
	NotBefore, NotAfter time.Time // zero: the issuer's

	IsCA                 bool
	PathLength           int  // written for a CA when it is not negative
	OmitBasicConstraints bool // otherwise always written, critical

	KeyUsage       x509.KeyUsage
	ExtKeyUsage    []string // dotted object identifiers
	Policies       []string // dotted object identifiers
	CRLPoints      []string // URLs of CRL distribution points
	DNSNames       []string
	IPAddresses    []net.IP
	PermittedDirs  []Name // permitted subtrees of directory names (a critical name constraint)
	AuthorityKeyID []byte // overrides the issuer's
	OmitKeyIDs     bool   // neither subject nor authority key identifier
	Extra          []pkix.Extension

	Version            int                     // 0: v3; 1 writes a v1 certificate without extensions
	SignatureAlgorithm x509.SignatureAlgorithm // 0: SHA-256, or SHA-384 with a P-384 key, SHA-512 with P-521
	RawPublicKey       []byte                  // overrides the SubjectPublicKeyInfo
}

// extensions writes the extensions of a v3 certificate.
func (t *Template) extensions(subjectKeyID, authorityKeyID []byte) ([]pkix.Extension, error) {
	var w extensionWriter
	if !t.OmitKeyIDs {
		w.add(oidSubjectKeyID, false, subjectKeyID)
		w.add(oidAuthorityKeyID, false, keyIdentifier{KeyIdentifier: authorityKeyID})
	}
	if !t.OmitBasicConstraints {
		bc := basicConstraints{IsCA: t.IsCA, PathLength: -1}
		if t.IsCA && t.PathLength >= 0 {
			bc.PathLength = t.PathLength
		}
		w.add(oidBasicConstraint, true, bc)
	}
	if t.KeyUsage != 0 {
		w.add(oidKeyUsage, true, keyUsageBits(t.KeyUsage))
	}
	if len(t.ExtKeyUsage) > 0 {
		w.add(oidExtKeyUsage, false, w.oids(t.ExtKeyUsage))
	}
	if len(t.Policies) > 0 {
		var policies []policyInformation
		for _, oid := range w.oids(t.Policies) {
			policies = append(policies, policyInformation{oid})
		}
		w.add(oidPolicies, false, policies)
	}
	if len(t.CRLPoints) > 0 {
		var points []distributionPoint
		for _, url := range t.CRLPoints {
			points = append(points, distributionPoint{distributionPointName{[]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(url)}}}})
		}
		w.add(oidCRLPoints, false, points)
	}
	if alt := t.altNames(); len(alt) > 0 {
		w.add(oidSubjectAltName, false, alt)
	}
	if len(t.PermittedDirs) > 0 {
		w.add(oidNameConstraints, true, w.nameConstraints(t.PermittedDirs))
	}
	return append(w.out, t.Extra...), w.err
}

func (t *Template) altNames() []asn1.RawValue {
	var alt []asn1.RawValue
	for _, name := range t.DNSNames {
		alt = append(alt, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 2, Bytes: []byte(name)})
	}
	for _, ip := range t.IPAddresses {
		if v4 := ip.To4(); v4 != nil {
			ip = v4
		}
		alt = append(alt, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 7, Bytes: ip})
	}
	return alt
}

// The structures of RFC 5280 section 4.2.
type (
	basicConstraints struct {
		IsCA       bool `asn1:"optional"`
		PathLength int  `asn1:"optional,default:-1"`
	}
	keyIdentifier struct {
		KeyIdentifier []byte `asn1:"optional,tag:0"`
	}
	policyInformation struct {
		Policy asn1.ObjectIdentifier
	}
	distributionPointName struct {
		FullName []asn1.RawValue `asn1:"optional,tag:0"`
	}
	distributionPoint struct {
		Name distributionPointName `asn1:"optional,tag:0"`
	}
)

// extensionWriter collects extensions and the first error.
type extensionWriter struct {
	out []pkix.Extension
	err error
}

func (w *extensionWriter) add(oid string, critical bool, value any) {
	id, err := parseOID(oid)
	if err == nil {
		var der []byte
		if der, err = asn1.Marshal(value); err == nil {
			w.out = append(w.out, pkix.Extension{Id: id, Critical: critical, Value: der})
		}
	}
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("minipki: extension %s: %w", oid, err)
	}
}

func (w *extensionWriter) oids(dotted []string) []asn1.ObjectIdentifier {
	var out []asn1.ObjectIdentifier
	for _, d := range dotted {
		oid, err := parseOID(d)
		if err != nil && w.err == nil {
			w.err = err
		}
		out = append(out, oid)
	}
	return out
}

func (w *extensionWriter) nameConstraints(permitted []Name) asn1.RawValue {
	var subtrees []byte
	for _, n := range permitted {
		dir, err := n.marshal()
		if err != nil && w.err == nil {
			w.err = err
		}
		subtrees = append(subtrees, tlv(0x30, tlv(0xa4, dir))...)
	}
	return asn1.RawValue{FullBytes: tlv(0x30, tlv(0xa0, subtrees))}
}

// tlv writes one DER element with a one-octet tag.
func tlv(tag byte, content []byte) []byte {
	der, err := asn1.Marshal(asn1.RawValue{Class: int(tag >> 6), Tag: int(tag & 0x1f), IsCompound: tag&0x20 != 0, Bytes: content})
	if err != nil {
		panic("minipki: " + err.Error()) // a RawValue without FullBytes always has a form
	}
	return der
}

// keyUsageBits writes the bits of RFC 5280 section 4.2.1.3: the first is the highest of the first octet.
func keyUsageBits(usage x509.KeyUsage) asn1.BitString {
	var octets [2]byte
	last := 0
	for i := range 9 {
		if usage&(1<<i) != 0 {
			octets[i/8] |= 0x80 >> (i % 8)
			last = i
		}
	}
	return asn1.BitString{Bytes: octets[:last/8+1], BitLength: last + 1}
}

// keyID is the first method of RFC 5280 section 4.2.1.2. SHA-1 names here, it proves nothing.
func keyID(spki []byte) ([]byte, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(spki, &info); err != nil {
		return nil, fmt.Errorf("minipki: public key: %w", err)
	}
	sum := sha1.Sum(info.Key.Bytes)
	return sum[:], nil
}
