//go:build openssl && cgo

package openssl

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/golang-fips/openssl/v2"
	"github.com/golang-fips/openssl/v2/bbig"
)

// A key signs in OpenSSL.
type key struct {
	public crypto.PublicKey
	sign   func(digest []byte, hash crypto.Hash, opts crypto.SignerOpts) ([]byte, error)
}

func newKey(goKey crypto.Signer) (crypto.Signer, error) {
	var k *key
	var err error
	switch goKey := goKey.(type) {
	case *rsa.PrivateKey:
		k, err = newRSA(goKey)
	case *ecdsa.PrivateKey:
		k, err = newECDSA(goKey)
	default:
		err = fmt.Errorf("%w: of the kind %T", ErrKey, goKey)
	}
	if err == nil {
		err = k.probe()
	}
	if err != nil {
		return nil, err
	}
	return k, nil
}

const minRSABits = 2048

func newRSA(goKey *rsa.PrivateKey) (*key, error) {
	if goKey == nil || goKey.N == nil || goKey.D == nil || len(goKey.Primes) != 2 {
		return nil, fmt.Errorf("%w: RSA with other than two primes", ErrKey)
	}
	if goKey.N.BitLen() < minRSABits {
		return nil, fmt.Errorf("%w: RSA of %d bits, at least %d are wanted", ErrKey, goKey.N.BitLen(), minRSABits)
	}
	if err := goKey.Validate(); err != nil {
		return nil, fmt.Errorf("%w: RSA key that does not hold together", ErrKey) // the cause is no more than that
	}
	p := goKey.Precomputed
	if p.Dp == nil || p.Dq == nil || p.Qinv == nil {
		own := rsa.PrivateKey{PublicKey: goKey.PublicKey, D: goKey.D, Primes: goKey.Primes}
		own.Precompute()
		p = own.Precomputed
	}
	private, err := openssl.NewPrivateKeyRSA(bbig.Enc(goKey.N), bbig.Enc(big.NewInt(int64(goKey.E))), bbig.Enc(goKey.D),
		bbig.Enc(goKey.Primes[0]), bbig.Enc(goKey.Primes[1]), bbig.Enc(p.Dp), bbig.Enc(p.Dq), bbig.Enc(p.Qinv))
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrKey, oneLine(err))
	}
	return &key{public: goKey.Public(), sign: func(digest []byte, hash crypto.Hash, opts crypto.SignerOpts) ([]byte, error) {
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return openssl.SignRSAPSS(private, hash, digest, pss.SaltLength)
		}
		return openssl.SignRSAPKCS1v15(private, hash, digest)
	}}, nil
}

func newECDSA(goKey *ecdsa.PrivateKey) (*key, error) {
	if goKey == nil {
		return nil, fmt.Errorf("%w: none", ErrKey)
	}
	switch goKey.Curve {
	case elliptic.P256(), elliptic.P521():
	case elliptic.P384():
		return nil, ErrGoIsFaster
	default:
		return nil, fmt.Errorf("%w: of another curve than P-256, P-384 or P-521", ErrKey)
	}
	secret, err := goKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: private number out of range", ErrKey)
	}
	point, err := goKey.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return nil, fmt.Errorf("%w: public point not on the curve", ErrKey)
	}
	number := func(octets []byte) openssl.BigInt { return bbig.Enc(new(big.Int).SetBytes(octets)) }
	size := (len(point) - 1) / 2
	private, err := openssl.NewPrivateKeyECDSA(goKey.Curve.Params().Name, number(point[1:1+size]), number(point[1+size:]), number(secret))
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrKey, oneLine(err))
	}
	return &key{public: goKey.Public(), sign: func(digest []byte, _ crypto.Hash, _ crypto.SignerOpts) ([]byte, error) {
		return openssl.SignMarshalECDSA(private, digest)
	}}, nil
}

// probe signs and lets Go verify: a key of which the halves do not belong together, or
// a library that computes wrongly, signs nothing else.
func (k *key) probe() error {
	digest := sha256.Sum256([]byte("sceau: probe of a key in OpenSSL"))
	signature, err := k.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return err
	}
	good := false
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		good = rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil
	case *ecdsa.PublicKey:
		good = ecdsa.VerifyASN1(public, digest[:], signature)
	}
	if !good {
		return fmt.Errorf("%w: what it signs does not verify with its public key", ErrKey)
	}
	return nil
}

// Public gives the public key, as Go has it.
func (k *key) Public() crypto.PublicKey { return k.public }

// Sign signs a digest. The source of random numbers is OpenSSL's; the argument is not used.
func (k *key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if pss, ok := opts.(*rsa.PSSOptions); opts == nil || ok && pss == nil {
		return nil, fmt.Errorf("%w: without its function", ErrDigest)
	}
	switch hash := opts.HashFunc(); hash {
	case crypto.SHA256, crypto.SHA384, crypto.SHA512:
		if len(digest) != hash.Size() {
			return nil, fmt.Errorf("%w: %d octets of %v", ErrDigest, len(digest), hash)
		}
		signature, err := k.sign(digest, hash, opts)
		if err != nil {
			return nil, errors.New("openssl: sign: " + oneLine(err))
		}
		return signature, nil
	default:
		return nil, fmt.Errorf("%w: %v", ErrDigest, hash)
	}
}
