//go:build pkcs11 && cgo

package pkcs11

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/miekg/pkcs11"
)

func generate(u URI, kind Kind) (crypto.PublicKey, error) {
	pin, err := u.pin()
	if err != nil {
		return nil, err
	}
	m, err := loadModule(u.ModulePath)
	if err != nil {
		return nil, err
	}
	var public crypto.PublicKey
	_, err = m.begin(func(ctx cryptoki) error {
		slot, err := u.findSlot(ctx)
		if err != nil {
			return err
		}
		session, err := openSession(ctx, slot, pkcs11.CKF_RW_SESSION, pin)
		if err != nil {
			return err
		}
		defer ctx.CloseSession(session)
		public, err = u.generate(ctx, session, kind)
		return err
	})
	return public, err
}

func (u *URI) generate(ctx cryptoki, session pkcs11.SessionHandle, kind Kind) (crypto.PublicKey, error) {
	if u.ID == "" {
		var id [8]byte
		rand.Read(id[:]) // never fails (crypto/rand)
		u.ID = string(id[:])
	}
	for _, taken := range []URI{{Object: u.Object}, {ID: u.ID}} { // either would make a name that means two keys
		found, err := taken.find(ctx, session, pkcs11.CKO_PRIVATE_KEY)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			return nil, fmt.Errorf("%w: the token holds a key of that name", ErrKey)
		}
	}
	common := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, u.Object),
		pkcs11.NewAttribute(pkcs11.CKA_ID, []byte(u.ID)),
	}
	private := append(common[:len(common):len(common)],
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
		pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
		pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, false),
		pkcs11.NewAttribute(pkcs11.CKA_UNWRAP, false))
	mechanism, shape, err := kind.shape()
	if err != nil {
		return nil, err
	}
	shape = append(append(shape, common...), pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true))
	handle, _, err := ctx.GenerateKeyPair(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, shape, private)
	if err != nil {
		return nil, fmt.Errorf("%w: generate: %w", ErrUnavailable, err)
	}
	return readPublic(ctx, session, handle)
}

// shape gives what the template of the public key says of a kind.
func (k Kind) shape() (mechanism uint, template []*pkcs11.Attribute, err error) {
	bits := map[Kind]int{RSA2048: 2048, RSA3072: 3072, RSA4096: 4096}[k]
	if bits > 0 {
		return pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, bits),
			pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
		}, nil
	}
	for _, c := range curves() {
		if c.kind == k {
			parameters, err := asn1.Marshal(c.oid)
			return pkcs11.CKM_EC_KEY_PAIR_GEN, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, parameters)}, err
		}
	}
	return 0, nil, fmt.Errorf("%w: of an unknown kind", ErrKey)
}

type namedCurve struct {
	kind  Kind
	curve elliptic.Curve
	oid   asn1.ObjectIdentifier // RFC 5480 section 2.1.1.1
}

func curves() []namedCurve {
	return []namedCurve{
		{P256, elliptic.P256(), asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}},
		{P384, elliptic.P384(), asn1.ObjectIdentifier{1, 3, 132, 0, 34}},
		{P521, elliptic.P521(), asn1.ObjectIdentifier{1, 3, 132, 0, 35}},
	}
}

// readPublic reads a public key object.
func readPublic(ctx cryptoki, session pkcs11.SessionHandle, handle pkcs11.ObjectHandle) (crypto.PublicKey, error) {
	read := func(types ...uint) (values [][]byte, err error) {
		for _, t := range types {
			a, err := ctx.GetAttributeValue(session, handle, []*pkcs11.Attribute{pkcs11.NewAttribute(t, nil)})
			if err != nil || len(a) != 1 {
				return nil, fmt.Errorf("%w: public key: %w", ErrKey, err)
			}
			values = append(values, a[0].Value)
		}
		return values, nil
	}
	if v, err := read(pkcs11.CKA_MODULUS, pkcs11.CKA_PUBLIC_EXPONENT); err == nil && len(v[0]) > 0 {
		e := new(big.Int).SetBytes(v[1])
		if !e.IsInt64() || e.Int64() > 1<<31-1 {
			return nil, fmt.Errorf("%w: public exponent", ErrKey)
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(v[0]), E: int(e.Int64())}, nil
	}
	v, err := read(pkcs11.CKA_EC_PARAMS, pkcs11.CKA_EC_POINT)
	if err != nil {
		return nil, err
	}
	point := v[1] // the octets of the point in a DER OCTET STRING, or from some tokens bare
	var inner []byte
	if rest, err := asn1.Unmarshal(point, &inner); err == nil && len(rest) == 0 {
		point = inner
	}
	var oid asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(v[0], &oid); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("%w: curve without a name", ErrKey)
	}
	for _, c := range curves() {
		if oid.Equal(c.oid) {
			public, err := ecdsa.ParseUncompressedPublicKey(c.curve, point)
			if err != nil {
				return nil, fmt.Errorf("%w: point: %w", ErrKey, err)
			}
			return public, nil
		}
	}
	return nil, fmt.Errorf("%w: curve %v", ErrKey, oid)
}
