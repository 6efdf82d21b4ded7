package certs

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// revocationList is a CRL whose signer was proven. It is immutable.
type revocationList struct {
	number     *big.Int // nil when the list bears none
	thisUpdate time.Time
	nextUpdate time.Time
	scope      crlScope
	index      crlIndex
	digest     [32]byte // SHA-256 of its DER
}

// signedList is a CRL as it was read: nothing in it is proven. It aliases the DER.
type signedList struct {
	revocationList
	tbs          []byte
	issuer       []byte // DER of the name
	algorithm    x509.SignatureAlgorithm
	signature    []byte
	authorityKey []byte // key identifier of the AKI, or nil
	version2     bool
	revoked      cryptobyte.String // the entries, not yet read
}

func errCRL(what string) error { return refuse(Malformed, errors.New("CRL: "+what)) }

// parseCRL reads a CertificateList (RFC 5280 section 5.1) except its entries,
// which are read when the signer is proven: a stranger's list costs one hash.
func parseCRL(der []byte) (*signedList, error) {
	in := cryptobyte.String(der)
	var outer, tbsElement, outerAlgorithm cryptobyte.String
	l := &signedList{}
	if !in.ReadASN1(&outer, asn1.SEQUENCE) || !in.Empty() ||
		!outer.ReadASN1Element(&tbsElement, asn1.SEQUENCE) ||
		!outer.ReadASN1Element(&outerAlgorithm, asn1.SEQUENCE) ||
		!outer.ReadASN1BitStringAsBytes(&l.signature) || !outer.Empty() {
		return nil, errCRL("not a CertificateList")
	}
	l.tbs = tbsElement
	var tbs, algorithm, issuer cryptobyte.String
	if !tbsElement.ReadASN1(&tbs, asn1.SEQUENCE) {
		return nil, errCRL("not a TBSCertList")
	}
	if tbs.PeekASN1Tag(asn1.INTEGER) {
		var version int
		if !tbs.ReadASN1Integer(&version) || version != 1 {
			return nil, errCRL("version")
		}
		l.version2 = true
	}
	if !tbs.ReadASN1Element(&algorithm, asn1.SEQUENCE) || !bytes.Equal(algorithm, outerAlgorithm) {
		return nil, errCRL("the two signature algorithms differ") // RFC 5280 section 5.1.1.2
	}
	if l.algorithm = algorithmOf(algorithm); l.algorithm == x509.UnknownSignatureAlgorithm {
		return nil, refuse(WeakSignature, errors.New("CRL: algorithm is not admitted"))
	}
	if !tbs.ReadASN1Element(&issuer, asn1.SEQUENCE) {
		return nil, errCRL("issuer")
	}
	l.issuer = issuer
	if !readTime(&tbs, &l.thisUpdate) {
		return nil, errCRL("thisUpdate")
	}
	if !readTime(&tbs, &l.nextUpdate) { // RFC 5280 section 5.1.2.5 demands it: without it a list is fresh for ever
		return nil, errCRL("nextUpdate")
	}
	if l.nextUpdate.Before(l.thisUpdate) {
		return nil, errCRL("nextUpdate before thisUpdate")
	}
	if !tbs.ReadOptionalASN1(&l.revoked, nil, asn1.SEQUENCE) {
		return nil, errCRL("revoked certificates")
	}
	l.scope = crlScope{users: true, authorities: true}
	if err := l.readExtensions(&tbs); err != nil {
		return nil, err
	}
	return l, nil
}

// readTime reads a Time: UTCTime or GeneralizedTime.
func readTime(in *cryptobyte.String, out *time.Time) bool {
	if in.PeekASN1Tag(asn1.UTCTime) {
		return in.ReadASN1UTCTime(out)
	}
	return in.ReadASN1GeneralizedTime(out)
}

// verify proves that an authority signed the list: its name, its key, its right
// to sign CRLs, and the authority key identifier (K2). Only then are the entries read.
func (l *signedList) verify(ca *Certificate) (*revocationList, error) {
	if !bytes.Equal(l.issuer, ca.x509.RawSubject) {
		return nil, refuse(WrongSigner, errors.New("CRL: issuer is another name"))
	}
	if !ca.x509.IsCA || ca.x509.KeyUsage != 0 && ca.x509.KeyUsage&x509.KeyUsageCRLSign == 0 {
		return nil, refuse(WrongSigner, errors.New("CRL: issuer may not sign CRLs"))
	}
	if l.authorityKey != nil && ca.x509.SubjectKeyId != nil && !bytes.Equal(l.authorityKey, ca.x509.SubjectKeyId) {
		return nil, refuse(WrongSigner, errors.New("CRL: authority key identifier is another"))
	}
	if err := ca.x509.CheckSignature(l.algorithm, l.tbs, l.signature); err != nil {
		return nil, refuse(WrongSigner, errors.New("CRL: signature is not the issuer's"))
	}
	var err error
	if l.index, err = indexRevoked(l.revoked, l.version2); err != nil {
		return nil, err
	}
	out := l.revocationList
	return &out, nil
}

// Object identifiers (content octets) of the extensions of a CRL and of its entries.
const (
	oidCRLNumber         = "\x55\x1d\x14"
	oidReasonCode        = "\x55\x1d\x15"
	oidDeltaCRLIndicator = "\x55\x1d\x1b"
	oidIssuingPoint      = "\x55\x1d\x1c"
	oidAuthorityKeyID    = "\x55\x1d\x23"
)

// maxExtensions bounds the extensions of a list and of an entry.
const maxExtensions = 32

// eachExtension reads Extensions; two of one type are refused.
func eachExtension(in cryptobyte.String, visit func(oid string, critical bool, value cryptobyte.String) error) error {
	var seen [maxExtensions]string
	for n := 0; !in.Empty(); n++ {
		var extension, oid, value cryptobyte.String
		var critical bool
		if n == maxExtensions ||
			!in.ReadASN1(&extension, asn1.SEQUENCE) || !extension.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) ||
			!readFlag(&extension, asn1.BOOLEAN, &critical) ||
			!extension.ReadASN1(&value, asn1.OCTET_STRING) || !extension.Empty() {
			return errCRL("extensions")
		}
		id := string(oid)
		if slices.Contains(seen[:n], id) {
			return errCRL("two extensions of one type")
		}
		seen[n] = id
		if err := visit(id, critical, value); err != nil {
			return err
		}
	}
	return nil
}

// readFlag reads an optional BOOLEAN, plain or under an implicit tag; absent is false.
func readFlag(in *cryptobyte.String, tag asn1.Tag, out *bool) bool {
	var content cryptobyte.String
	var present bool
	if !in.ReadOptionalASN1(&content, &present, tag) || present && (len(content) != 1 || content[0] != 0 && content[0] != 0xff) {
		return false
	}
	*out = present && content[0] == 0xff
	return true
}

// readExtensions reads what follows the entries.
func (l *signedList) readExtensions(tbs *cryptobyte.String) error {
	var wrapped, extensions cryptobyte.String
	var present bool
	if !tbs.ReadOptionalASN1(&wrapped, &present, asn1.Tag(0).Constructed().ContextSpecific()) || !tbs.Empty() {
		return errCRL("extensions")
	}
	if !present {
		return nil
	}
	if !l.version2 || !wrapped.ReadASN1(&extensions, asn1.SEQUENCE) || !wrapped.Empty() {
		return errCRL("extensions")
	}
	return eachExtension(extensions, func(oid string, critical bool, value cryptobyte.String) error {
		switch oid {
		case oidCRLNumber:
			l.number = new(big.Int)
			if !value.ReadASN1Integer(l.number) || !value.Empty() || l.number.Sign() < 0 || l.number.BitLen() > 160 {
				return errCRL("number")
			}
		case oidAuthorityKeyID:
			var id, key cryptobyte.String
			var has bool
			if !value.ReadASN1(&id, asn1.SEQUENCE) || !id.ReadOptionalASN1(&key, &has, asn1.Tag(0).ContextSpecific()) {
				return errCRL("authority key identifier")
			}
			if has {
				l.authorityKey = append([]byte{}, key...)
			}
		case oidIssuingPoint:
			return l.scope.read(value)
		case oidDeltaCRLIndicator: // K2: a delta alone says nothing of what it does not list
			return refuse(Unsupported, errors.New("CRL: delta"))
		default:
			if critical { // RFC 5280 section 5.2: such a list must not be used
				return refuse(Unsupported, errors.New("CRL: unknown critical extension"))
			}
		}
		return nil
	})
}

// crlScope says for which certificates of its issuer a list speaks
// (IssuingDistributionPoint, RFC 5280 section 5.2.5).
type crlScope struct {
	users, authorities bool
	points             []string // empty: every certificate
	raw                string   // the extension: lists of one scope replace each other
}

func (s *crlScope) read(value cryptobyte.String) error {
	s.raw = string(value)
	var point, name, full, skipped cryptobyte.String
	var onlyUsers, onlyAuthorities, indirect, onlyAttributes, hasName, hasFull, someReasons bool
	context := func(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific() }
	if !value.ReadASN1(&point, asn1.SEQUENCE) || !value.Empty() ||
		!point.ReadOptionalASN1(&name, &hasName, context(0).Constructed()) ||
		!readFlag(&point, context(1), &onlyUsers) ||
		!readFlag(&point, context(2), &onlyAuthorities) ||
		!point.ReadOptionalASN1(&skipped, &someReasons, context(3)) ||
		!readFlag(&point, context(4), &indirect) ||
		!readFlag(&point, context(5), &onlyAttributes) || !point.Empty() {
		return errCRL("issuing distribution point")
	}
	if indirect || someReasons || onlyAttributes || onlyUsers && onlyAuthorities {
		return refuse(Unsupported, errors.New("CRL: indirect, for some reasons or for attribute certificates"))
	}
	s.users, s.authorities = !onlyAuthorities, !onlyUsers
	if !hasName {
		return nil
	}
	if !name.ReadOptionalASN1(&full, &hasFull, context(0).Constructed()) || !hasFull || !name.Empty() {
		return refuse(Unsupported, errors.New("CRL: distribution point that is not a full name"))
	}
	for !full.Empty() {
		var general cryptobyte.String
		var tag asn1.Tag
		if !full.ReadAnyASN1(&general, &tag) {
			return errCRL("issuing distribution point")
		}
		if tag == context(6) { // uniformResourceIdentifier
			s.points = append(s.points, string(general))
		}
	}
	if len(s.points) == 0 {
		return refuse(Unsupported, errors.New("CRL: distribution point without an address"))
	}
	return nil
}

// covers tells whether the list speaks for a certificate of its issuer.
func (s *crlScope) covers(c *Certificate) bool {
	if c.x509.IsCA && !s.authorities || !c.x509.IsCA && !s.users {
		return false
	}
	if len(s.points) == 0 {
		return true
	}
	for _, point := range c.x509.CRLDistributionPoints {
		if slices.Contains(s.points, point) {
			return true
		}
	}
	return false
}

// newer refuses a list that may not follow an older one of the same scope (K3).
func (l *revocationList) newer(old *revocationList) error {
	if l.digest == old.digest {
		return nil
	}
	rolled := func(what string) error { return refuse(RolledBack, errors.New("CRL: "+what)) }
	switch {
	case old.number != nil && l.number == nil:
		return rolled("the one before it had a number")
	case old.number != nil && l.number.Cmp(old.number) < 0:
		return rolled("number is smaller than before")
	case old.number != nil && l.number.Cmp(old.number) == 0:
		return rolled("number was used for another list")
	case l.thisUpdate.Before(old.thisUpdate):
		return rolled("thisUpdate is earlier than before")
	}
	return nil
}

// digestList names a list.
func digestList(der []byte) [32]byte { return sha256.Sum256(der) }
