package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"math/bits"
	"slices"
)

// The bounds of an RSA key. Above 8192 bits a verification costs an attacker
// nothing and us milliseconds (Z8, Go CVE-2023-29409).
const (
	minRSABits     = 2048
	maxRSABits     = 8192
	minRSAExponent = 65537
	fermatRounds   = 128
)

// KeyAlgorithm names a kind of public key.
type KeyAlgorithm string

// The kinds that are admitted at all.
const (
	RSA  KeyAlgorithm = "RSA"
	P256 KeyAlgorithm = "P-256"
	P384 KeyAlgorithm = "P-384"
	P521 KeyAlgorithm = "P-521"
)

func keyAlgorithms() []KeyAlgorithm { return []KeyAlgorithm{RSA, P256, P384, P521} }

func (a KeyAlgorithm) known() bool { return slices.Contains(keyAlgorithms(), a) }

// keyAlgorithmOf gives the kind of a key that checkKeyShape admits, nothing for another.
func keyAlgorithmOf(key crypto.PublicKey) KeyAlgorithm {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return RSA
	case *ecdsa.PublicKey:
		return KeyAlgorithm(k.Curve.Params().Name)
	}
	return ""
}

func weak(what string) error { return refuse(WeakKey, errors.New(what)) }

// checkKeyShape makes the checks of a public key that cost nothing (A3): they
// come before any signature is verified with it.
func checkKeyShape(key crypto.PublicKey, minBits int) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		switch n := k.N.BitLen(); {
		case n < max(minBits, minRSABits):
			return weak("RSA modulus is too short")
		case n > maxRSABits:
			return weak("RSA modulus is too long")
		case k.N.Bit(0) == 0:
			return weak("RSA modulus is even")
		case k.E < minRSAExponent:
			return weak("RSA exponent is too small")
		case k.E&1 == 0:
			return weak("RSA exponent is even")
		}
		return nil
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() && k.Curve != elliptic.P384() && k.Curve != elliptic.P521() {
			return weak("curve is not P-256, P-384 or P-521")
		}
		return nil
	}
	return weak("key is neither RSA nor ECDSA")
}

// CheckKey refuses a public key that is too short, too long, of another kind, or
// weak in a way that its number shows: an even or smooth modulus, a small or even
// exponent, the ROCA fingerprint (CVE-2017-15361), primes so close that Fermat's
// method finds them. minRSA is the least number of bits of an RSA modulus; below
// 2048 it is 2048. It costs up to a few hundred microseconds: once a key.
func CheckKey(key crypto.PublicKey, minRSA int) error {
	if err := checkKeyShape(key, minRSA); err != nil {
		return err
	}
	k, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil
	}
	switch {
	case hasSmallFactor(k.N):
		return weak("RSA modulus has a small factor")
	case hasROCAFingerprint(k.N):
		return weak("RSA modulus has the ROCA fingerprint")
	case isFermatClose(k.N):
		return weak("RSA primes are close together")
	}
	return nil
}

// hasSmallFactor looks for an odd prime factor below 2^12, a machine word of primes at a time.
func hasSmallFactor(n *big.Int) bool {
	const limit = 1 << 12
	var composite [limit]bool
	product := uint64(1)
	var m, r big.Int
	test := func() bool { // gcd(n mod product, product) > 1
		a, b := r.Mod(n, m.SetUint64(product)).Uint64(), product
		for a != 0 {
			a, b = b%a, a
		}
		return b > 1
	}
	for p := uint64(3); p < limit; p += 2 {
		if composite[p] {
			continue
		}
		for q := p * p; q < limit; q += 2 * p {
			composite[q] = true
		}
		if high, _ := bits.Mul64(product, p); high != 0 {
			if test() {
				return true
			}
			product = 1
		}
		product *= p
	}
	return test()
}

// hasROCAFingerprint: the library of CVE-2017-15361 makes primes k·M + 65537^a
// mod M, so the modulus lies in the subgroup that 65537 generates modulo every
// small prime. By chance that happens to fewer than one in 2^27.
func hasROCAFingerprint(n *big.Int) bool {
	primes := [...]uint64{3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
		101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167}
	var m, r big.Int
	for _, p := range primes {
		residue := r.Mod(n, m.SetUint64(p)).Uint64()
		power, found := uint64(1), false
		for range p {
			found = found || power == residue
			power = power * 65537 % p
		}
		if !found {
			return false
		}
	}
	return true
}

// isFermatClose runs some rounds of Fermat's factorization: it succeeds at once
// when the two primes share their upper half.
func isFermatClose(n *big.Int) bool {
	a := new(big.Int).Sqrt(n)
	one := big.NewInt(1)
	if new(big.Int).Mul(a, a).Cmp(n) < 0 {
		a.Add(a, one)
	}
	b2, b, square := new(big.Int), new(big.Int), new(big.Int)
	b2.Sub(b2.Mul(a, a), n)
	for range fermatRounds {
		// A square is 0, 1, 4, 9, 16, 17, 25, 33, 36, 41, 49 or 57 modulo 64.
		if low := b2.Bits(); len(low) == 0 || 1<<(uint(low[0])&63)&uint64(0x0202021202030213) != 0 {
			b.Sqrt(b2)
			if square.Mul(b, b).Cmp(b2) == 0 {
				return true
			}
		}
		b2.Add(b2, a).Add(b2, a).Add(b2, one)
		a.Add(a, one)
	}
	return false
}

// checkSignatureAlgorithm admits the algorithms with which a certificate or a CRL
// may be signed: SHA-2 with RSA (PKCS #1 v1.5 or PSS) or ECDSA (A3).
func checkSignatureAlgorithm(a x509.SignatureAlgorithm) error {
	switch a {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
		return nil
	}
	return refuse(WeakSignature, errors.New(a.String()))
}
