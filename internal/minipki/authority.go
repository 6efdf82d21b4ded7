package minipki

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"
)

// Authority is a certification authority: a certificate and its key. It is made
// by NewRoot and Subordinate and is safe for concurrent use.
type Authority struct {
	key       crypto.Signer
	der       []byte
	name      []byte // DER of the subject
	keyID     []byte
	notBefore time.Time
	notAfter  time.Time
	parent    *Authority // nil for a root

	mu     sync.Mutex
	issued uint64
}

// DER gives the authority's own certificate. The caller must not change it.
func (a *Authority) DER() []byte { return a.der }

// Key gives the authority's private key.
func (a *Authority) Key() crypto.Signer { return a.key }

// Parent gives the authority that issued this one, nil for a root.
func (a *Authority) Parent() *Authority { return a.parent }

// NewRoot makes a self-signed authority. The template needs a validity.
func NewRoot(t Template, key crypto.Signer) (*Authority, error) {
	if t.NotBefore.IsZero() || t.NotAfter.IsZero() {
		return nil, errors.New("minipki: a root needs a validity")
	}
	return newAuthority(t, key, nil)
}

// Subordinate makes an authority whose certificate this one signs.
func (a *Authority) Subordinate(t Template, key crypto.Signer) (*Authority, error) {
	return newAuthority(t, key, a)
}

func newAuthority(t Template, key crypto.Signer, parent *Authority) (*Authority, error) {
	name, err := t.Subject.marshal()
	if err != nil {
		return nil, err
	}
	spki, err := subjectPublicKey(&t, key.Public())
	if err != nil {
		return nil, err
	}
	id, err := keyID(spki)
	if err != nil {
		return nil, err
	}
	a := &Authority{key: key, name: name, keyID: id, notBefore: t.NotBefore, notAfter: t.NotAfter, parent: parent}
	issuer := parent
	if parent == nil {
		issuer = a
	} else if t.NotBefore.IsZero() {
		a.notBefore, a.notAfter = parent.notBefore, parent.notAfter
	}
	if a.der, err = issuer.Issue(t, key.Public()); err != nil {
		return nil, err
	}
	return a, nil
}

// Issue signs a certificate for a public key and gives its DER.
func (a *Authority) Issue(t Template, key crypto.PublicKey) ([]byte, error) {
	subject, err := t.Subject.marshal()
	if err != nil {
		return nil, err
	}
	spki, err := subjectPublicKey(&t, key)
	if err != nil {
		return nil, err
	}
	algorithm, err := algorithmFor(t.SignatureAlgorithm, a.key)
	if err != nil {
		return nil, err
	}
	tbs := tbsCertificate{
		Version:   2,
		Serial:    t.Serial,
		Algorithm: algorithm.identifier,
		Issuer:    asn1.RawValue{FullBytes: a.name},
		Validity:  validity{t.NotBefore.UTC(), t.NotAfter.UTC()},
		Subject:   asn1.RawValue{FullBytes: subject},
		PublicKey: asn1.RawValue{FullBytes: spki},
	}
	if t.NotBefore.IsZero() {
		tbs.Validity.NotBefore = a.notBefore.UTC()
	}
	if t.NotAfter.IsZero() {
		tbs.Validity.NotAfter = a.notAfter.UTC()
	}
	if tbs.Serial == nil {
		tbs.Serial = a.nextSerial(subject, spki)
	}
	if t.Version == 1 {
		tbs.Version = 0
	} else if tbs.Extensions, err = a.extensions(&t, spki); err != nil {
		return nil, err
	}
	return signed(tbs, algorithm, a.key)
}

func (a *Authority) extensions(t *Template, spki []byte) ([]pkix.Extension, error) {
	id, err := keyID(spki)
	if err != nil {
		id = bytes.Repeat([]byte{1}, 20) // a raw key that is none: any identifier will do
	}
	authority := a.keyID
	if t.AuthorityKeyID != nil {
		authority = t.AuthorityKeyID
	}
	return t.extensions(id, authority)
}

// nextSerial derives a serial number: positive, 16 octets, never given twice by one authority.
func (a *Authority) nextSerial(subject, spki []byte) *big.Int {
	a.mu.Lock()
	a.issued++
	count := a.issued
	a.mu.Unlock()
	h := sha256.New()
	h.Write(a.keyID)
	h.Write(subject)
	h.Write(spki)
	h.Write(binary.BigEndian.AppendUint64(nil, count))
	octets := h.Sum(nil)[:16]
	octets[0] = octets[0]&0x7f | 0x40
	return new(big.Int).SetBytes(octets)
}

func subjectPublicKey(t *Template, key crypto.PublicKey) ([]byte, error) {
	if t.RawPublicKey != nil {
		return t.RawPublicKey, nil
	}
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("minipki: public key: %w", err)
	}
	return spki, nil
}

// The structures of RFC 5280 section 4.1.
type (
	validity       struct{ NotBefore, NotAfter time.Time }
	tbsCertificate struct {
		Version    int `asn1:"optional,explicit,default:0,tag:0"`
		Serial     *big.Int
		Algorithm  pkix.AlgorithmIdentifier
		Issuer     asn1.RawValue
		Validity   validity
		Subject    asn1.RawValue
		PublicKey  asn1.RawValue
		Extensions []pkix.Extension `asn1:"omitempty,optional,explicit,tag:3"`
	}
	signedObject struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
)

// signed writes the signed form of a certificate or CRL.
func signed(tbs any, algorithm signatureAlgorithm, key crypto.Signer) ([]byte, error) {
	der, err := asn1.Marshal(tbs)
	if err != nil {
		return nil, fmt.Errorf("minipki: to be signed: %w", err)
	}
	signature, err := algorithm.sign(key, der)
	if err != nil {
		return nil, fmt.Errorf("minipki: signature: %w", err)
	}
	return asn1.Marshal(signedObject{
		TBS:       asn1.RawValue{FullBytes: der},
		Algorithm: algorithm.identifier,
		Signature: asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)},
	})
}
