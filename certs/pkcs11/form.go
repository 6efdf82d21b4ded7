//go:build pkcs11 && cgo

package pkcs11

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"fmt"
	"math/big"
)

// A form is what a signature is made of and how it is verified. It is the mathematics
// around the token, which sees a number and gives one.
type form struct {
	hash crypto.Hash
	rsa  *rsa.PublicKey
	pss  *rsa.PSSOptions // nil: PKCS #1 v1.5
	salt int             // octets
	ec   *ecdsa.PublicKey
}

func checkPublic(key crypto.PublicKey) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k != nil && k.N != nil && k.N.BitLen() >= 2048 {
			return nil
		}
	case *ecdsa.PublicKey:
		if k != nil && (k.Curve == elliptic.P256() || k.Curve == elliptic.P384() || k.Curve == elliptic.P521()) {
			return nil
		}
	}
	return fmt.Errorf("%w: want RSA from 2048 bits, P-256, P-384 or P-521", ErrKey)
}

func newForm(public crypto.PublicKey, digest []byte, opts crypto.SignerOpts) (*form, error) {
	if pss, ok := opts.(*rsa.PSSOptions); opts == nil || ok && pss == nil {
		return nil, fmt.Errorf("%w: without its function", ErrDigest)
	}
	f := &form{hash: opts.HashFunc()}
	switch f.hash {
	case crypto.SHA256, crypto.SHA384, crypto.SHA512:
	default:
		return nil, fmt.Errorf("%w: %v", ErrDigest, f.hash)
	}
	if len(digest) != f.hash.Size() {
		return nil, fmt.Errorf("%w: %d octets of %v", ErrDigest, len(digest), f.hash)
	}
	pss, isPSS := opts.(*rsa.PSSOptions)
	switch k := public.(type) {
	case *rsa.PublicKey:
		f.rsa = k
		if isPSS {
			f.pss = pss
			switch f.salt = pss.SaltLength; {
			case f.salt == rsa.PSSSaltLengthEqualsHash:
				f.salt = f.hash.Size()
			case f.salt <= 0 || f.salt > f.hash.Size():
				return nil, fmt.Errorf("%w: PSS with a salt of %d", ErrDigest, f.salt)
			}
		}
	case *ecdsa.PublicKey:
		if isPSS {
			return nil, fmt.Errorf("%w: PSS with an elliptic curve", ErrDigest)
		}
		f.ec = k
	default:
		return nil, fmt.Errorf("%w: public key of the kind %T", ErrKey, public)
	}
	return f, nil
}

// The beginnings of DigestInfo (RFC 8017 section 9.2, note 1).
func digestInfo(hash crypto.Hash) string {
	switch hash {
	case crypto.SHA256:
		return "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
	case crypto.SHA384:
		return "\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"
	case crypto.SHA512:
		return "\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"
	}
	return ""
}

// input is what the token signs for a digest.
func (f *form) input(digest []byte) []byte {
	switch {
	case f.ec != nil: // a longer digest counts as far as the curve's order reaches (FIPS 186-5 section 6.4.1)
		return digest[:min(len(digest), (f.ec.Curve.Params().BitSize+7)/8)]
	case f.pss != nil:
		return digest
	}
	return append([]byte(digestInfo(f.hash)), digest...)
}

// output makes the signature of crypto.Signer of what the token gave, and verifies it.
func (f *form) output(digest, given []byte) ([]byte, error) {
	good := false
	switch {
	case f.ec != nil:
		size := (f.ec.Curve.Params().BitSize + 7) / 8
		if len(given) == 0 || len(given)%2 != 0 || len(given) > 2*size {
			return nil, ErrSignature
		}
		half := len(given) / 2 // r and s, each of the same length (PKCS #11 section 2.3.1)
		der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(given[:half]), new(big.Int).SetBytes(given[half:])})
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSignature, err)
		}
		given, good = der, ecdsa.VerifyASN1(f.ec, digest, der)
	case f.pss != nil:
		good = rsa.VerifyPSS(f.rsa, f.hash, digest, given, &rsa.PSSOptions{SaltLength: f.salt, Hash: f.hash}) == nil
	default:
		good = rsa.VerifyPKCS1v15(f.rsa, f.hash, digest, given) == nil
	}
	if !good {
		return nil, ErrSignature
	}
	return given, nil
}
