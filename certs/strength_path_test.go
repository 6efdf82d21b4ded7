package certs

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"io"
	"log/slog"
	"math/big"
	"testing"

	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// textbook signs with an RSA key that no library takes: PKCS #1 v1.5 with SHA-256.
type textbook struct {
	public *rsa.PublicKey
	d      *big.Int
}

func (k *textbook) Public() crypto.PublicKey { return k.public }

func (k *textbook) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	info := append([]byte("\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"), digest...)
	padded := make([]byte, (k.public.N.BitLen()+7)/8)
	padded[1] = 1
	for i := 2; i < len(padded)-len(info)-1; i++ {
		padded[i] = 0xff
	}
	copy(padded[len(padded)-len(info):], info)
	return new(big.Int).Exp(new(big.Int).SetBytes(padded), k.d, k.public.N).FillBytes(padded), nil
}

// textbookKey makes a key of two primes.
func textbookKey(tb testing.TB, p, q *big.Int) *textbook {
	tb.Helper()
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	d := new(big.Int).ModInverse(big.NewInt(65537), phi)
	if d == nil {
		tb.Fatal("65537 divides p-1 or q-1")
	}
	return &textbook{&rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537}, d}
}

// weakSigners gives weak keys with which signatures can be made that verify: what
// only a search of the number shows.
func weakSigners(tb testing.TB) map[string]*textbook {
	tb.Helper()
	prime := func(bits int) *big.Int {
		p, err := rand.Prime(rand.Reader, bits)
		if err != nil {
			tb.Fatal(err)
		}
		return p
	}
	p := prime(1024)
	near := new(big.Int).Add(p, big.NewInt(2))
	for !near.ProbablyPrime(20) {
		near.Add(near, big.NewInt(2))
	}
	return map[string]*textbook{
		"small factor":   textbookKey(tb, big.NewInt(4093), prime(2037)),
		"close together": textbookKey(tb, p, near),
		"ROCA":           textbookKey(tb, rocaPrime(tb), rocaPrime(tb)),
	}
}

// rocaPrime makes a prime as the library of CVE-2017-15361 does: k·M + 65537^a mod M.
func rocaPrime(tb testing.TB) *big.Int {
	tb.Helper()
	m := big.NewInt(1)
	for p := int64(2); p <= 701; p++ {
		if big.NewInt(p).ProbablyPrime(10) {
			m.Mul(m, big.NewInt(p))
		}
	}
	room := new(big.Int).Lsh(big.NewInt(1), uint(1024-m.BitLen()))
	for {
		a, err := rand.Int(rand.Reader, m)
		if err != nil {
			tb.Fatal(err)
		}
		k, err := rand.Int(rand.Reader, room)
		if err != nil {
			tb.Fatal(err)
		}
		p := new(big.Int).Exp(big.NewInt(65537), a, m)
		if p.Add(p, k.Mul(k, m)); p.BitLen() == 1024 && p.Bit(1022) == 1 && p.ProbablyPrime(20) {
			return p
		}
	}
}

// weakTrust takes eIDs under roots and authorities, and by one issuer's name.
func weakTrust(roots, intermediates []*Authority) Config {
	p := BelgianEID()
	p.Roots, p.Intermediates, p.Issuers = roots, intermediates, []string{"CN=TEST weak, C=BE"}
	return Config{Profiles: []Profile{p}, Log: slog.New(slog.DiscardHandler)}
}

// TestA3WeakKeyPlaces: each weak key in each place of a path. In the place of the
// certificate whoever factors it is the subject, in that of an authority anybody.
func TestA3WeakKeyPlaces(t *testing.T) {
	pki := testpki.Load()
	now, off := testpki.Now(), Revocation{Mode: Off}
	root := &Authority{Certificate: pki.CitizenRoot.DER(), Revocation: off}
	v, err := NewVerifier(weakTrust([]*Authority{root}, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	ca := minipki.CA(minipki.DN("C", "BE", "CN", "TEST weak"), testpki.NotBefore(), testpki.NotAfter())
	person := minipki.EID(minipki.Person{GivenNames: "Alice Test", Surname: "Example", SSIN: testpki.AliceSSIN})
	parse := func(der []byte, err error) *Certificate {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		c, err := ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	want := func(place, word string, err error) {
		t.Helper()
		if ReasonOf(err) != WeakKey || !contains(err.Error(), word) {
			t.Errorf("%s in %s: %v", word, place, err)
		}
	}
	keys := weakKeys(t)
	signers := weakSigners(t)
	for word, key := range signers {
		keys[word] = key.public
	}
	for word, key := range keys {
		leaf := parse(pki.CitizenRoot.Issue(person, key))
		_, err := v.Identify(RoleIdentity, leaf, nil, now)
		want("the certificate", word, err)

		authority := parse(pki.CitizenRoot.Issue(ca, key))
		_, err = NewVerifier(weakTrust([]*Authority{root}, []*Authority{{Certificate: authority.Raw(), Revocation: off}}))
		want("a configured authority", word, err)
		_, err = NewVerifier(weakTrust([]*Authority{{Certificate: authority.Raw(), Revocation: off}}, nil))
		want("a configured root", word, err)

		if signer := signers[word]; signer != nil {
			under, err := pki.CitizenRoot.Subordinate(ca, signer)
			if err != nil {
				t.Fatal(err)
			}
			leaf = parse(under.Issue(person, pki.OtherKeyP256().Public()))
			authority = parse(under.DER(), nil)
			if leaf.x509.CheckSignatureFrom(authority.x509) != nil {
				t.Fatalf("%s: its signature does not verify: the test would prove nothing", word)
			}
		} else { // refused by its shape, before any signature is verified with it
			leaf = parse(pki.CitizenCA.Issue(person, pki.OtherKeyP256().Public()))
		}
		_, err = v.Identify(RoleIdentity, leaf, []*Certificate{authority}, now)
		want("an authority of the message", word, err)
	}
}

// TestA3KeyAlgorithms: a profile admits some kinds of key only.
func TestA3KeyAlgorithms(t *testing.T) {
	pki := testpki.Load()
	ca := &Authority{Certificate: pki.CitizenCA.DER(), Revocation: Revocation{Mode: Off}}
	for _, tt := range []struct {
		name     string
		admitted []KeyAlgorithm
		der      []byte
		want     Reason
	}{
		{"all, RSA", nil, pki.AliceEID.DER, 0},
		{"all, P-256", nil, pki.AliceEIDP256.DER, 0},
		{"RSA, and it is", []KeyAlgorithm{RSA}, pki.AliceEID.DER, 0},
		{"RSA, and it is P-384", []KeyAlgorithm{RSA}, pki.AliceEIDP384.DER, WeakKey},
		{"P-384, and it is", []KeyAlgorithm{P521, P384}, pki.AliceEIDP384.DER, 0},
		{"P-384, and it is P-256", []KeyAlgorithm{P384}, pki.AliceEIDP256.DER, WeakKey},
		{"P-384, and it is RSA", []KeyAlgorithm{P384}, pki.AliceEID.DER, WeakKey},
	} {
		c := weakTrust([]*Authority{ca}, nil)
		c.Profiles[0].KeyAlgorithms = tt.admitted
		v, err := NewVerifier(c)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := v.Parse(tt.der)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Identify(RoleIdentity, leaf, nil, testpki.Now()); ReasonOf(err) != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		v.Close()
	}
	c := weakTrust([]*Authority{ca}, nil)
	c.Profiles[0].KeyAlgorithms = []KeyAlgorithm{"P-224"}
	if _, err := NewVerifier(c); ReasonOf(err) != NoTrust {
		t.Errorf("a kind that is never admitted: %v", err)
	}
}

// TestTextbook: the signer of these tests signs as the standard has it.
func TestTextbook(t *testing.T) {
	key := weakSigners(t)["close together"]
	digest := sha256.Sum256([]byte("message"))
	signature, err := key.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{PublicKey: key.public, PublicKeyAlgorithm: x509.RSA}
	if err := c.CheckSignature(x509.SHA256WithRSA, []byte("message"), signature); err != nil {
		t.Error(err)
	}
}
