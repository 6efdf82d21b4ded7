package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"testing"

	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// weakKeys gives public keys that must be refused by name (A3), each with a word
// of its refusal.
func weakKeys(tb testing.TB) map[string]crypto.PublicKey {
	tb.Helper()
	good := testpki.Load().AliceEID.Key.Public().(*rsa.PublicKey)
	one := big.NewInt(1)
	generate := func(kind minipki.KeyKind) crypto.PublicKey {
		key, err := minipki.GenerateKey(kind)
		if err != nil {
			tb.Fatal(err)
		}
		return key.Public()
	}
	return map[string]crypto.PublicKey{
		"too short":        generate(minipki.RSA1024),
		"too long":         &rsa.PublicKey{N: new(big.Int).Add(new(big.Int).Lsh(one, 16383), one), E: 65537},
		"modulus is even":  &rsa.PublicKey{N: new(big.Int).Add(good.N, one), E: 65537},
		"is too small":     &rsa.PublicKey{N: good.N, E: 3},
		"exponent is even": &rsa.PublicKey{N: good.N, E: 65538},
		"small factor":     &rsa.PublicKey{N: smoothModulus(tb), E: 65537},
		"ROCA":             &rsa.PublicKey{N: rocaModulus(tb), E: 65537},
		"close together":   &rsa.PublicKey{N: closeModulus(tb), E: 65537},
		"curve is not":     generate(minipki.P224),
		"neither RSA":      generate(minipki.Ed25519),
	}
}

// rough gives an odd number of some bits without a small factor: for these checks as good as a prime.
func rough(tb testing.TB, bits uint) *big.Int {
	for {
		n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), bits))
		if err != nil {
			tb.Fatal(err)
		}
		n.SetBit(n, 0, 1).SetBit(n, int(bits)-1, 1).SetBit(n, int(bits)-2, 1)
		if !hasSmallFactor(n) {
			return n
		}
	}
}

// smoothModulus has the factor 4093, the greatest prime that is looked for.
func smoothModulus(tb testing.TB) *big.Int {
	n := rough(tb, 2040)
	return n.Mul(n, big.NewInt(4093))
}

// rocaModulus lies in the subgroup of 65537 modulo every prime up to 167.
func rocaModulus(tb testing.TB) *big.Int {
	m := big.NewInt(1)
	for p := int64(3); p <= 167; p += 2 {
		if big.NewInt(p).ProbablyPrime(10) {
			m.Mul(m, big.NewInt(p))
		}
	}
	base := new(big.Int).Exp(big.NewInt(65537), big.NewInt(123456789), m)
	for {
		k, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 2048-uint(m.BitLen())))
		if err != nil {
			tb.Fatal(err)
		}
		n := new(big.Int).Add(base, k.Mul(k, m))
		if n.BitLen() == 2048 && n.Bit(0) == 1 && !hasSmallFactor(n) {
			return n
		}
	}
}

// closeModulus is the product of two numbers that share their upper half.
func closeModulus(tb testing.TB) *big.Int {
	p := rough(tb, 1024)
	q := new(big.Int).Add(p, big.NewInt(2))
	for hasSmallFactor(q) {
		q.Add(q, big.NewInt(2))
	}
	return q.Mul(q, p)
}

// TestA3WeakKeys: with a weak key in a good certificate, whoever factors the
// modulus is the certificate's subject.
func TestA3WeakKeys(t *testing.T) {
	for word, key := range weakKeys(t) {
		err := CheckKey(key, 0)
		if ReasonOf(err) != WeakKey || !contains(err.Error(), word) {
			t.Errorf("%s: %v", word, err)
		}
	}
}

func TestCheckKeyStrong(t *testing.T) {
	p := testpki.Load()
	for _, l := range []*testpki.Leaf{&p.AliceEID, &p.BobEID, &p.AliceEIDP256, &p.AliceEIDP384, &p.STS} {
		if err := CheckKey(l.Key.Public(), 0); err != nil {
			t.Error(err)
		}
	}
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckKey(p521.Public(), 0); err != nil {
		t.Error(err)
	}
	if err := CheckKey(p.BobEID.Key.Public(), 3072); ReasonOf(err) != WeakKey {
		t.Errorf("RSA-2048 where 3072 is wanted: %v", err)
	}
}

func BenchmarkCheckKey(b *testing.B) {
	key := testpki.Load().AliceEID.Key.Public()
	for b.Loop() {
		if err := CheckKey(key, 0); err != nil {
			b.Fatal(err)
		}
	}
}
