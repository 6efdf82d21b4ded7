package certs

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Object identifiers (content octets) of OCSP.
const (
	oidSHA1      = "\x2b\x0e\x03\x02\x1a"
	oidOCSPNonce = "\x2b\x06\x01\x05\x05\x07\x30\x01\x02"
	oidOCSPBasic = "\x2b\x06\x01\x05\x05\x07\x30\x01\x01"
)

// ocspIssuer names an authority in a CertID (RFC 6960 section 4.1.1): the SHA-1
// of its name and of its key. SHA-1 names here and proves nothing: responders
// that sign in advance know no other.
type ocspIssuer struct {
	name, key [sha1.Size]byte
}

// issuerOf names an authority by its certificate.
func issuerOf(ca *Certificate) (ocspIssuer, error) {
	key, ok := publicKeyBits(ca.x509.RawSubjectPublicKeyInfo)
	if !ok {
		return ocspIssuer{}, errOCSP("public key of the authority")
	}
	return ocspIssuer{name: sha1.Sum(ca.x509.RawSubject), key: sha1.Sum(key)}, nil
}

// publicKeyBits gives the subjectPublicKey of a SubjectPublicKeyInfo: what key hashes are of.
func publicKeyBits(spki []byte) ([]byte, bool) {
	in := cryptobyte.String(spki)
	var info, algorithm cryptobyte.String
	var key []byte
	ok := in.ReadASN1(&info, asn1.SEQUENCE) && info.ReadASN1(&algorithm, asn1.SEQUENCE) && info.ReadASN1BitStringAsBytes(&key)
	return key, ok
}

// ocspQuestion is one question about one certificate, as an answer is held against it.
type ocspQuestion struct {
	issuer ocspIssuer
	serial *big.Int
	nonce  []byte // the extension's value, a DER OCTET STRING; nil: none was asked for
}

// newQuestion makes a question, with a fresh nonce where one is wanted.
func newQuestion(issuer ocspIssuer, serial *big.Int, nonce bool) ocspQuestion {
	q := ocspQuestion{issuer: issuer, serial: serial}
	if nonce {
		q.nonce = make([]byte, 2+32) // RFC 9654
		q.nonce[0], q.nonce[1] = byte(asn1.OCTET_STRING), 32
		rand.Read(q.nonce[2:])
	}
	return q
}

// marshal writes an OCSPRequest (RFC 6960 section 4.1.1), unsigned, for one certificate.
func (q *ocspQuestion) marshal() ([]byte, error) {
	var b cryptobyte.Builder
	sequence := func(b *cryptobyte.Builder, content cryptobyte.BuilderContinuation) { b.AddASN1(asn1.SEQUENCE, content) }
	oid := func(b *cryptobyte.Builder, octets string) {
		b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(octets)) })
	}
	certID := func(b *cryptobyte.Builder) {
		sequence(b, func(b *cryptobyte.Builder) {
			oid(b, oidSHA1)
			b.AddASN1NULL()
		})
		b.AddASN1OctetString(q.issuer.name[:])
		b.AddASN1OctetString(q.issuer.key[:])
		b.AddASN1BigInt(q.serial)
	}
	extensions := func(b *cryptobyte.Builder) {
		sequence(b, func(b *cryptobyte.Builder) {
			sequence(b, func(b *cryptobyte.Builder) {
				oid(b, oidOCSPNonce)
				b.AddASN1OctetString(q.nonce)
			})
		})
	}
	sequence(&b, func(b *cryptobyte.Builder) { // OCSPRequest
		sequence(b, func(b *cryptobyte.Builder) { // TBSRequest
			sequence(b, func(b *cryptobyte.Builder) { // requestList
				sequence(b, func(b *cryptobyte.Builder) { sequence(b, certID) })
			})
			if q.nonce != nil {
				b.AddASN1(asn1.Tag(2).Constructed().ContextSpecific(), extensions)
			}
		})
	})
	return b.Bytes()
}

// ocspCertID is a CertID as an answer bears it.
type ocspCertID struct {
	sha1      bool
	name, key []byte
	serial    *big.Int
}

func (id *ocspCertID) read(in *cryptobyte.String) bool {
	var certID, algorithm, oid, null cryptobyte.String
	var name, key cryptobyte.String
	id.serial = new(big.Int)
	if !in.ReadASN1(&certID, asn1.SEQUENCE) || !certID.ReadASN1(&algorithm, asn1.SEQUENCE) ||
		!algorithm.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) ||
		!certID.ReadASN1(&name, asn1.OCTET_STRING) || !certID.ReadASN1(&key, asn1.OCTET_STRING) ||
		!certID.ReadASN1Integer(id.serial) || !certID.Empty() {
		return false
	}
	id.sha1 = string(oid) == oidSHA1 && (algorithm.Empty() ||
		algorithm.ReadASN1(&null, asn1.NULL) && null.Empty() && algorithm.Empty())
	id.name, id.key = name, key
	return true
}

// answers tells whether a CertID is that of a question: the hash algorithm, both
// hashes and the number. A number alone may be another authority's.
func (id *ocspCertID) answers(q *ocspQuestion) bool {
	return id.sha1 && bytes.Equal(id.name, q.issuer.name[:]) && bytes.Equal(id.key, q.issuer.key[:]) && id.serial.Cmp(q.serial) == 0
}
