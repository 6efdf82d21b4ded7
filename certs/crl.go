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
	number     *big.Int // of the list; RFC 5280 section 5.2.3 demands it
	base       *big.Int // BaseCRLNumber of a delta (section 5.2.4), nil for a complete list
	thisUpdate time.Time
	nextUpdate time.Time
	scope      crlScope
	index      crlIndex
	digest     [32]byte // SHA-256 of its DER
	signer     [32]byte // fingerprint of the delegated signer, zero when the authority's own key signed
}

// signedList is a CRL as it was read: nothing in it is proven. It aliases the DER.
type signedList struct {
	revocationList
	tbs          []byte
	issuer       []byte // DER of the name
	algorithm    x509.SignatureAlgorithm
	signature    []byte
	authorityKey []byte            // key identifier of the AKI, or nil
	revoked      cryptobyte.String // the entries, not yet read
}

func errCRL(what string) error { return refuse(Malformed, errors.New("CRL: "+what)) }

// parseCRL reads a CertificateList (RFC 5280 section 5.1) except its entries,
// which are read when the signer is proven: a stranger's list costs one hash for each key
// that may have signed it.
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
	// Section 5.1.2.1: version 2, since the extensions that section 5.2 demands need it. A list of version 1 has no
	// number, and an older one in its place would not show (K3).
	var version int
	if !tbs.PeekASN1Tag(asn1.INTEGER) || !tbs.ReadASN1Integer(&version) || version != 1 {
		return nil, errCRL("not of version 2")
	}
	if !tbs.ReadASN1Element(&algorithm, asn1.SEQUENCE) || !bytes.Equal(algorithm, outerAlgorithm) {
		return nil, errCRL("the two signature algorithms differ") // section 5.1.1.2
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
	if !readTime(&tbs, &l.nextUpdate) { // section 5.1.2.5 demands it: without it a list is fresh for ever
		return nil, errCRL("nextUpdate")
	}
	if l.nextUpdate.Before(l.thisUpdate) {
		return nil, errCRL("nextUpdate before thisUpdate")
	}
	if !tbs.ReadOptionalASN1(&l.revoked, nil, asn1.SEQUENCE) {
		return nil, errCRL("revoked certificates")
	}
	l.scope = crlScope{users: true, authorities: true, reasons: allReasons}
	if err := l.readExtensions(&tbs); err != nil {
		return nil, err
	}
	return l, nil
}

// readTime reads a Time as RFC 5280 section 4.1.2.5 writes it: UTCTime until 2049,
// GeneralizedTime from 2050, with seconds and in UTC. It does not allocate.
func readTime(in *cryptobyte.String, out *time.Time) bool {
	var text cryptobyte.String
	var tag asn1.Tag
	if !in.ReadAnyASN1(&text, &tag) {
		return false
	}
	century := 0
	switch {
	case tag == asn1.UTCTime && len(text) == 13:
		century = 1900
		if text[0] < '5' {
			century = 2000
		}
	case tag == asn1.GeneralizedTime && len(text) == 15:
		n, ok := twoDigits(text)
		if !ok {
			return false
		}
		century, text = 100*n, text[2:]
	default:
		return false
	}
	var part [6]int // year, month, day, hour, minute, second
	for i := range part {
		n, ok := twoDigits(text[2*i:])
		if !ok {
			return false
		}
		part[i] = n
	}
	*out = time.Date(century+part[0], time.Month(part[1]), part[2], part[3], part[4], part[5], 0, time.UTC)
	return text[12] == 'Z' && out.Month() == time.Month(part[1]) && out.Day() == part[2] && out.Hour() == part[3] && out.Minute() == part[4] && out.Second() == part[5]
}

func twoDigits(text []byte) (n int, ok bool) {
	a, b := text[0]-'0', text[1]-'0'
	return 10*int(a) + int(b), a <= 9 && b <= 9
}

// signedBy proves that a certificate's key signed the list: its name, its key, its right
// to sign CRLs, and the authority key identifier (K2; RFC 5280 section 6.3.3 (f), (g)).
// Only then are the entries read.
func (l *signedList) signedBy(signer *Certificate) error {
	c := signer.x509
	switch {
	case !bytes.Equal(l.issuer, c.RawSubject):
		return refuse(WrongSigner, errors.New("CRL: issuer is another name"))
	case c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCRLSign == 0 || c.KeyUsage == 0 && !c.IsCA:
		return refuse(WrongSigner, errors.New("CRL: issuer may not sign CRLs"))
	case l.authorityKey != nil && c.SubjectKeyId != nil && !bytes.Equal(l.authorityKey, c.SubjectKeyId):
		return refuse(WrongSigner, errors.New("CRL: authority key identifier is another"))
	}
	if !signedWith(c.PublicKey, l.algorithm, l.tbs, l.signature) {
		return refuse(WrongSigner, errors.New("CRL: signature is not the issuer's"))
	}
	return nil
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
	if present && (!wrapped.ReadASN1(&extensions, asn1.SEQUENCE) || !wrapped.Empty()) {
		return errCRL("extensions")
	}
	if err := eachExtension(extensions, l.readExtension); err != nil {
		return err
	}
	if l.number == nil { // section 5.2.3: it must be there, and without it an older list in its place would not show (K3)
		return errCRL("no number")
	}
	return nil
}

func (l *signedList) readExtension(oid string, critical bool, value cryptobyte.String) error {
	switch oid {
	case oidCRLNumber:
		if critical { // section 5.2.3
			return errCRL("critical number")
		}
		return readNumber(value, &l.number)
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
		return l.scope.read(value, l.issuer)
	case oidDeltaCRLIndicator:
		return readNumber(value, &l.base)
	default:
		if critical { // section 5.2: such a list must not be used
			return refuse(Unsupported, errors.New("CRL: unknown critical extension"))
		}
	}
	return nil
}

// readNumber reads a CRLNumber: not negative, at most twenty octets (section 5.2.3).
func readNumber(value cryptobyte.String, out **big.Int) error {
	n := new(big.Int)
	if !value.ReadASN1Integer(n) || !value.Empty() || n.Sign() < 0 || n.BitLen() > 160 {
		return errCRL("number")
	}
	*out = n
	return nil
}

// newer refuses a list that may not follow an older one of the same scope and kind (K3).
func (l *revocationList) newer(old *revocationList) error {
	if l.digest == old.digest {
		return nil
	}
	rolled := func(what string) error { return refuse(RolledBack, errors.New("CRL: "+what)) }
	switch compared := l.number.Cmp(old.number); {
	case compared < 0:
		return rolled("number is smaller than before")
	case compared == 0:
		return rolled("number was used for another list")
	case l.thisUpdate.Before(old.thisUpdate):
		return rolled("thisUpdate is earlier than before")
	}
	return nil
}

// state is the freshness of a list at a moment, and how late it is.
func (l *revocationList) state(at time.Time, skew time.Duration) (CRLState, time.Duration) {
	if at.Add(skew).Before(l.thisUpdate) {
		return CRLNotYetValid, 0
	}
	if late := at.Sub(l.nextUpdate); late > skew {
		return CRLLate, late
	}
	return CRLFresh, 0
}

// digestList names a list.
func digestList(der []byte) [32]byte { return [32]byte(sumPieces(sha256.New(), der)) }
