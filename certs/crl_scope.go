package certs

import (
	"errors"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// crlScope says for which certificates of its issuer a list speaks, and of which
// reasons (IssuingDistributionPoint, RFC 5280 section 5.2.5).
type crlScope struct {
	users, authorities bool
	reasons            reasonSet
	names              []string // of its partition, as GeneralNames in DER; empty: every certificate
	raw                string   // the extension: lists of one scope replace each other
}

// maxScope bounds the extension: it is read before the signature is verified, and each of
// its names takes more than it has octets (Z8).
const maxScope = 16 << 10

// read reads the extension. Indirect lists and those for attribute certificates
// are refused: they must not be mistaken for what they are not (K2).
func (s *crlScope) read(value cryptobyte.String, issuer []byte) error {
	if len(value) > maxScope {
		return refuse(TooLarge, errors.New("CRL: issuing distribution point"))
	}
	s.raw = string(value)
	var point, name, reasons cryptobyte.String
	var onlyUsers, onlyAuthorities, indirect, onlyAttributes, hasName, someReasons bool
	if !value.ReadASN1(&point, asn1.SEQUENCE) || !value.Empty() ||
		!point.ReadOptionalASN1(&name, &hasName, contextTag(0).Constructed()) ||
		!readFlag(&point, contextTag(1), &onlyUsers) ||
		!readFlag(&point, contextTag(2), &onlyAuthorities) ||
		!point.ReadOptionalASN1(&reasons, &someReasons, contextTag(3)) ||
		!readFlag(&point, contextTag(4), &indirect) ||
		!readFlag(&point, contextTag(5), &onlyAttributes) || !point.Empty() {
		return errCRL("issuing distribution point")
	}
	if indirect || onlyAttributes || onlyUsers && onlyAuthorities {
		return refuse(Unsupported, errors.New("CRL: indirect, or for attribute certificates"))
	}
	s.users, s.authorities = !onlyAuthorities, !onlyUsers
	if someReasons && (!s.reasons.read(reasons) || s.reasons == 0) {
		return errCRL("reasons of the issuing distribution point")
	}
	if hasName {
		var ok bool
		if s.names, ok = readPointName(name, issuer); !ok {
			return errCRL("name of the issuing distribution point")
		}
	}
	return nil
}

// covers gives the reasons of which the list speaks for a certificate of its
// issuer, none when it does not (section 6.3.3 (b) and (d)).
func (s *crlScope) covers(c *Certificate) reasonSet {
	if c.x509.IsCA && !s.authorities || !c.x509.IsCA && !s.users {
		return 0
	}
	if len(s.names) == 0 {
		return s.reasons
	}
	var covered reasonSet
	for i := range c.points {
		if slices.ContainsFunc(c.points[i].names, s.named) {
			covered |= s.reasons & c.points[i].reasons
		}
	}
	if len(c.points) == 0 && s.named(c.issuerPoint) { // the point that section 6.3.3 assumes
		covered = s.reasons
	}
	return covered
}

func (s *crlScope) named(name string) bool { return slices.Contains(s.names, name) }
