//go:build openssl && cgo

package openssl_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"sceau/certs/openssl"
	"sceau/internal/judge"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

func library(t testing.TB) *openssl.Library {
	t.Helper()
	l, err := openssl.Load("")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func inOpenSSL(t testing.TB, key crypto.Signer) crypto.Signer {
	t.Helper()
	k, err := library(t).Key(key)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func generate(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var hashes = []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}

// TestRSA: a PKCS #1 v1.5 signature is the one that Go makes, octet by octet; one in
// PSS verifies in Go, with the salt that was asked for.
func TestRSA(t *testing.T) {
	goKey := testpki.Load().STS.Key.(*rsa.PrivateKey)
	key := inOpenSSL(t, goKey)
	if !goKey.PublicKey.Equal(key.Public()) {
		t.Error("another public key")
	}
	rapid.Check(t, func(t *rapid.T) {
		hash := rapid.SampledFrom(hashes).Draw(t, "hash")
		digest := rapid.SliceOfN(rapid.Byte(), hash.Size(), hash.Size()).Draw(t, "digest")
		signature, err := key.Sign(rand.Reader, digest, hash)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := rsa.SignPKCS1v15(nil, goKey, hash, digest); err != nil || !bytes.Equal(signature, want) {
			t.Errorf("PKCS #1 v1.5: %x instead of %x, %v", signature, want, err)
		}
		salt := rapid.SampledFrom([]int{rsa.PSSSaltLengthAuto, rsa.PSSSaltLengthEqualsHash, 1, 20}).Draw(t, "salt")
		options := &rsa.PSSOptions{SaltLength: salt, Hash: hash}
		if signature, err = key.Sign(rand.Reader, digest, options); err != nil {
			t.Fatal(err)
		}
		if err := rsa.VerifyPSS(&goKey.PublicKey, hash, digest, signature, options); err != nil {
			t.Errorf("PSS, salt %d: %v", salt, err)
		}
	})
}

func TestECDSA(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P521()} {
		goKey := generate(t, curve)
		key := inOpenSSL(t, goKey)
		rapid.Check(t, func(t *rapid.T) {
			hash := rapid.SampledFrom(hashes).Draw(t, "hash")
			digest := rapid.SliceOfN(rapid.Byte(), hash.Size(), hash.Size()).Draw(t, "digest")
			signature, err := key.Sign(rand.Reader, digest, hash)
			if err != nil || !ecdsa.VerifyASN1(&goKey.PublicKey, digest, signature) {
				t.Errorf("%s: %v", curve.Params().Name, err)
			}
		})
	}
}

// TestSmallNumbers: numbers with leading zero octets are the same numbers in OpenSSL.
func TestSmallNumbers(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P521()} {
		for d := byte(1); d < 20; d++ {
			octets := make([]byte, (curve.Params().BitSize+7)/8)
			octets[len(octets)-1] = d
			goKey, err := ecdsa.ParseRawPrivateKey(curve, octets)
			if err != nil {
				t.Fatal(err)
			}
			inOpenSSL(t, goKey) // what it signs is verified
		}
	}
}

// TestKeyRefused: what is no good key is an error, never a panic and never a Go key.
func TestKeyRefused(t *testing.T) {
	pki := testpki.Load()
	good := pki.STS.Key.(*rsa.PrivateKey)
	other := pki.OtherKey().(*rsa.PrivateKey)
	short, err := minipki.GenerateKey(minipki.RSA1024)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	strange := *generate(t, elliptic.P256())
	strange.PublicKey = generate(t, elliptic.P256()).PublicKey
	tests := []struct {
		name string
		key  crypto.Signer
		want error
	}{
		{"none", nil, openssl.ErrKey},
		{"no RSA key", (*rsa.PrivateKey)(nil), openssl.ErrKey},
		{"no ECDSA key", (*ecdsa.PrivateKey)(nil), openssl.ErrKey},
		{"empty RSA key", &rsa.PrivateKey{}, openssl.ErrKey},
		{"empty ECDSA key", &ecdsa.PrivateKey{}, openssl.ErrKey},
		{"P-224", generate(t, elliptic.P224()), openssl.ErrKey},
		{"P-384", generate(t, elliptic.P384()), openssl.ErrGoIsFaster},
		{"Ed25519", edwards, openssl.ErrKey},
		{"RSA of 1024 bits", short, openssl.ErrKey},
		{"RSA with another's public half", &rsa.PrivateKey{PublicKey: other.PublicKey, D: good.D, Primes: good.Primes}, openssl.ErrKey},
		{"RSA with another's private half", &rsa.PrivateKey{PublicKey: good.PublicKey, D: other.D, Primes: other.Primes}, openssl.ErrKey},
		{"RSA with one prime", &rsa.PrivateKey{PublicKey: good.PublicKey, D: good.D, Primes: good.Primes[:1]}, openssl.ErrKey},
		{"RSA without a prime", &rsa.PrivateKey{PublicKey: good.PublicKey, D: good.D, Primes: []*big.Int{nil, nil}}, openssl.ErrKey},
		{"P-256 with another's public half", &strange, openssl.ErrKey},
		{"a key in OpenSSL", inOpenSSL(t, good), openssl.ErrKey},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if key, err := library(t).Key(test.key); key != nil || !errors.Is(err, test.want) {
				t.Errorf("%v, %v; want %v", key, err, test.want)
			}
		})
	}
}

// TestKeyWithoutPrecomputation: the values of the Chinese remainder theorem are made
// where the Go key has none, and the Go key stays as it was.
func TestKeyWithoutPrecomputation(t *testing.T) {
	good := testpki.Load().STS.Key.(*rsa.PrivateKey)
	bare := &rsa.PrivateKey{PublicKey: good.PublicKey, D: good.D, Primes: good.Primes}
	inOpenSSL(t, bare)
	if bare.Precomputed.Dp != nil {
		t.Error("the caller's key was changed")
	}
}

// TestDigestRefused: a digest without its function, or of another length, is not
// signed: PKCS #1 v1.5 would be made over it as it stands.
func TestDigestRefused(t *testing.T) {
	sum := make([]byte, 32)
	tests := []struct {
		name   string
		digest []byte
		opts   crypto.SignerOpts
	}{
		{"no options", sum, nil},
		{"no PSS options", sum, (*rsa.PSSOptions)(nil)},
		{"no function", sum, crypto.Hash(0)},
		{"PSS without function", sum, &rsa.PSSOptions{}},
		{"no digest", nil, crypto.SHA256},
		{"too short", sum[:31], crypto.SHA256},
		{"too long", make([]byte, 33), crypto.SHA256},
		{"of another function", sum, crypto.SHA512},
		{"SHA-1", make([]byte, 20), crypto.SHA1},
		{"MD5", make([]byte, 16), crypto.MD5},
		{"MD5 and SHA-1", make([]byte, 36), crypto.MD5SHA1},
		{"unknown function", sum, crypto.Hash(200)},
	}
	for _, goKey := range []crypto.Signer{testpki.Load().STS.Key, testpki.Load().STSP256.Key} {
		key := inOpenSSL(t, goKey)
		for _, test := range tests {
			if signature, err := key.Sign(rand.Reader, test.digest, test.opts); signature != nil || !errors.Is(err, openssl.ErrDigest) {
				t.Errorf("%T, %s: %x, %v", goKey, test.name, signature, err)
			}
		}
	}
}

// TestErrorIsOneLine: what OpenSSL itself refuses comes as one line without control
// characters.
func TestErrorIsOneLine(t *testing.T) {
	key := inOpenSSL(t, testpki.Load().STS.Key)
	for _, salt := range []int{-7, 5000} {
		signature, err := key.Sign(rand.Reader, make([]byte, 32), &rsa.PSSOptions{SaltLength: salt, Hash: crypto.SHA256})
		if signature != nil || err == nil {
			t.Fatalf("salt %d: %x", salt, signature)
		}
		if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
			t.Errorf("%q", err)
		}
	}
}

// TestConcurrent: one key for many goroutines, beside others that come and go.
func TestConcurrent(t *testing.T) {
	goKey := testpki.Load().STS.Key.(*rsa.PrivateKey)
	key := inOpenSSL(t, goKey)
	var wait sync.WaitGroup
	for g := range byte(16) {
		wait.Go(func() {
			own, err := library(t).Key(testpki.Load().STSP256.Key)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range byte(20) {
				digest := bytes.Repeat([]byte{g, i}, 16)
				signature, err := key.Sign(rand.Reader, digest, crypto.SHA256)
				if err != nil || rsa.VerifyPKCS1v15(&goKey.PublicKey, crypto.SHA256, digest, signature) != nil {
					t.Errorf("%d, %d: %v", g, i, err)
				}
				signature, err = own.Sign(rand.Reader, digest, crypto.SHA256)
				if err != nil || !ecdsa.VerifyASN1(own.Public().(*ecdsa.PublicKey), digest, signature) {
					t.Errorf("P-256 %d, %d: %v", g, i, err)
				}
			}
		})
	}
	wait.Wait()
}

// TestXMLSignature: xmlsec signs with such a key by every method it has, and its
// verifier says yes; so does xmlsec1, of which many versions do not know PSS.
func TestXMLSignature(t *testing.T) {
	pki := testpki.Load()
	p521 := generate(t, elliptic.P521())
	tests := []struct {
		key     crypto.Signer
		methods []xmlsec.SignatureMethod
	}{
		{pki.STS.Key, []xmlsec.SignatureMethod{xmlsec.RSASHA256, xmlsec.RSASHA384, xmlsec.RSASHA512, xmlsec.PSSSHA256, xmlsec.PSSSHA384, xmlsec.PSSSHA512}},
		{pki.STSP256.Key, []xmlsec.SignatureMethod{xmlsec.ECDSASHA256, xmlsec.ECDSASHA512}},
		{p521, []xmlsec.SignatureMethod{xmlsec.ECDSASHA256, xmlsec.ECDSASHA384, xmlsec.ECDSASHA512}},
	}
	for _, test := range tests {
		der, err := x509.MarshalPKIXPublicKey(test.key.Public())
		if err != nil {
			t.Fatal(err)
		}
		var documents [][]byte
		for _, method := range test.methods {
			document := signedXML(t, inOpenSSL(t, test.key), method)
			if method < xmlsec.PSSSHA256 || method > xmlsec.PSSSHA512 {
				documents = append(documents, document)
			}
		}
		public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		ids := []judge.ID{{Attribute: "Id", Element: "body"}}
		for i, good := range judge.VerifyXMLSec(t, public, ids, "", documents) {
			if !good {
				t.Errorf("xmlsec1 refuses %s", documents[i])
			}
		}
	}
}

// signedXML returns a document signed by a method, after our own verifier has verified it.
func signedXML(t *testing.T, key crypto.Signer, method xmlsec.SignatureMethod) []byte {
	t.Helper()
	signer, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: key, Method: method})
	if err != nil {
		t.Fatal(err)
	}
	const open, body = `<envelope>`, `<body Id="body">signed in OpenSSL</body>`
	plain, err := xmltext.Parse([]byte(open+body+`</envelope>`), xmltext.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Release()
	form, err := c14n.Append(nil, plain.Root().FirstElement(), c14n.Options{})
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.Append(nil, xmlsec.Part{ID: "body", Canonical: form})
	if err != nil {
		t.Fatal(err)
	}
	text := []byte(open + body + string(signature) + `</envelope>`)
	d, err := xmltext.Parse(text, xmltext.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Release()
	parsed, err := xmlsec.ParseSignature(d.Root().FirstElement().NextElement())
	if err != nil {
		t.Fatal(err)
	}
	policy := xmlsec.DefaultPolicy()
	verified, err := parsed.Verify(key.Public(), &policy)
	if err != nil || !verified.Signs(d.Root().FirstElement()) {
		t.Errorf("%s: %v", method.URI(), err)
	}
	return text
}
