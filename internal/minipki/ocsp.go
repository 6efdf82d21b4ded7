package minipki

import (
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"
)

// The statuses of a certificate in an OCSP answer.
const (
	OCSPGood = iota
	OCSPRevoked
	OCSPUnknown
)

// OCSPSingle is what an answer says of one certificate.
type OCSPSingle struct {
	Serial                 *big.Int
	Status                 int
	RevokedAt              time.Time
	ThisUpdate, NextUpdate time.Time // a zero NextUpdate writes none

	Issuer *Authority // named in the CertID; nil is the authority that answers
	SHA256 bool       // the CertID's hash, in place of SHA-1
	Extra  []pkix.Extension
}

// OCSP says what an OCSP answer holds, and who signs it. The fields after
// Singles make variants and defects.
type OCSP struct {
	ProducedAt time.Time
	Singles    []OCSPSingle

	Nonce              []byte // echoed when not nil
	Extra              []pkix.Extension
	Responder          *Authority // whose name and key the ResponderID has; nil is the authority itself
	Delegate           []byte     // DER of a delegated responder: the ResponderID is its, and it is sent along
	OmitCertificate    bool       // the delegate is not sent along
	Certificates       [][]byte   // sent along in place of the delegate
	ByKey              bool       // the ResponderID is a key hash
	Key                crypto.Signer
	SignatureAlgorithm x509.SignatureAlgorithm
}

// OCSPResponder is the template of a delegated responder's certificate (RFC 6960
// section 4.2.2.2), with id-pkix-ocsp-nocheck.
func OCSPResponder(subject Name) Template {
	return Template{
		Subject:     subject,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []string{OCSPSigning},
		Extra:       []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: []byte{5, 0}}},
	}
}

// OCSPError gives an OCSPResponse without an answer: malformedRequest 1,
// internalError 2, tryLater 3, sigRequired 5, unauthorized 6.
func OCSPError(status byte) []byte { return tlv(0x30, tlv(0x0a, []byte{status})) }

// The structures of RFC 6960 section 4.2.1.
type (
	certID struct {
		Algorithm     pkix.AlgorithmIdentifier
		Name, KeyHash []byte
		Serial        *big.Int
	}
	singleResponse struct {
		ID         certID
		Status     asn1.RawValue
		ThisUpdate time.Time        `asn1:"generalized"`
		NextUpdate time.Time        `asn1:"generalized,explicit,tag:0,optional"`
		Extensions []pkix.Extension `asn1:"explicit,tag:1,optional"`
	}
	responseData struct {
		Responder  asn1.RawValue
		ProducedAt time.Time `asn1:"generalized"`
		Responses  []singleResponse
		Extensions []pkix.Extension `asn1:"explicit,tag:1,optional"`
	}
	basicResponse struct {
		TBS          asn1.RawValue
		Algorithm    pkix.AlgorithmIdentifier
		Signature    asn1.BitString
		Certificates []asn1.RawValue `asn1:"explicit,tag:0,optional"`
	}
)

// OCSP signs an answer and gives the DER of the OCSPResponse.
func (a *Authority) OCSP(o OCSP) ([]byte, error) {
	key := a.key
	if o.Key != nil {
		key = o.Key
	}
	algorithm, err := algorithmFor(o.SignatureAlgorithm, key)
	if err != nil {
		return nil, err
	}
	data := responseData{ProducedAt: o.ProducedAt.UTC(), Extensions: o.Extra}
	if data.Responder, err = a.responderID(&o); err != nil {
		return nil, err
	}
	for i := range o.Singles {
		data.Responses = append(data.Responses, a.single(&o.Singles[i]))
	}
	if o.Nonce != nil {
		data.Extensions = append(data.Extensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}, Value: tlv(0x04, o.Nonce)})
	}
	tbs, err := asn1.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("minipki: OCSP: %w", err)
	}
	signature, err := algorithm.sign(key, tbs)
	if err != nil {
		return nil, fmt.Errorf("minipki: OCSP: %w", err)
	}
	basic := basicResponse{
		TBS: asn1.RawValue{FullBytes: tbs}, Algorithm: algorithm.identifier,
		Signature: asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)},
	}
	certificates := o.Certificates
	if certificates == nil && o.Delegate != nil && !o.OmitCertificate {
		certificates = [][]byte{o.Delegate}
	}
	for _, der := range certificates {
		basic.Certificates = append(basic.Certificates, asn1.RawValue{FullBytes: der})
	}
	content, err := asn1.Marshal(basic)
	if err != nil {
		return nil, fmt.Errorf("minipki: OCSP: %w", err)
	}
	kind := tlv(0x06, []byte{0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1}) // id-pkix-ocsp-basic
	return tlv(0x30, append(tlv(0x0a, []byte{0}), tlv(0xa0, tlv(0x30, append(kind, tlv(0x04, content)...)))...)), nil
}

func (a *Authority) responderID(o *OCSP) (asn1.RawValue, error) {
	name, id := a.name, a.keyID
	if o.Responder != nil {
		name, id = o.Responder.name, o.Responder.keyID
	}
	if o.Delegate != nil {
		c, err := x509.ParseCertificate(o.Delegate)
		if err != nil {
			return asn1.RawValue{}, fmt.Errorf("minipki: OCSP: %w", err)
		}
		name = c.RawSubject
		if id, err = keyID(c.RawSubjectPublicKeyInfo); err != nil {
			return asn1.RawValue{}, err
		}
	}
	if o.ByKey {
		return asn1.RawValue{FullBytes: tlv(0xa2, tlv(0x04, id))}, nil
	}
	return asn1.RawValue{FullBytes: tlv(0xa1, name)}, nil
}

func (a *Authority) single(s *OCSPSingle) singleResponse {
	issuer := a
	if s.Issuer != nil {
		issuer = s.Issuer
	}
	out := singleResponse{ThisUpdate: s.ThisUpdate.UTC(), NextUpdate: s.NextUpdate.UTC(), Extensions: s.Extra}
	if s.NextUpdate.IsZero() {
		out.NextUpdate = time.Time{}
	}
	name := sha1.Sum(issuer.name)
	out.ID = certID{
		Algorithm: pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}, Parameters: asn1.NullRawValue},
		Name:      name[:], KeyHash: issuer.keyID, Serial: s.Serial, // keyID is the SHA-1 of the key, which is what a CertID wants
	}
	if s.SHA256 {
		name := sha256.Sum256(issuer.name)
		key := sha256.Sum256(issuer.keyBits())
		out.ID.Algorithm.Algorithm = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
		out.ID.Name, out.ID.KeyHash = name[:], key[:]
	}
	switch s.Status {
	case OCSPGood:
		out.Status = asn1.RawValue{FullBytes: tlv(0x80, nil)}
	case OCSPRevoked:
		at := s.RevokedAt
		if at.IsZero() {
			at = s.ThisUpdate
		}
		out.Status = asn1.RawValue{FullBytes: tlv(0xa1, tlv(0x18, []byte(at.UTC().Format("20060102150405Z"))))}
	default:
		out.Status = asn1.RawValue{FullBytes: tlv(0x82, nil)}
	}
	return out
}

// keyBits gives the content of the authority's subjectPublicKey.
func (a *Authority) keyBits() []byte {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	spki, err := x509.MarshalPKIXPublicKey(a.key.Public())
	if err == nil {
		_, err = asn1.Unmarshal(spki, &info)
	}
	if err != nil {
		panic("minipki: " + err.Error()) // it was written into the authority's certificate
	}
	return info.Key.Bytes
}
