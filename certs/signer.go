package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// KeyConfig says where a signing key lies. Exactly one of Key, PKCS12 and Open is said.
type KeyConfig struct {
	// Key is a PEM file with the private key: PKCS #8, PKCS #1 or SEC 1, not
	// encrypted. Certificate is a PEM or DER file with the certificate and, after
	// it, those of its path; empty when they are in the file of the key.
	Key         string
	Certificate string

	// PKCS12 is a file with key and certificates. PassphraseFile holds its
	// passphrase; a line end at the end of it does not count. Empty is no passphrase.
	PKCS12         string
	PassphraseFile string

	// Open opens a key that lies elsewhere, on a token, for the public key of the first
	// certificate in the file Certificate, which is strong by then. What it gives is that
	// certificate's key or nothing.
	Open func(crypto.PublicKey) (crypto.Signer, error)

	// Engine makes the key that signs of the key that was read, which is strong by then;
	// nil signs in Go. See certs/openssl.
	Engine func(crypto.Signer) (crypto.Signer, error)

	// At is the moment at which the certificate must be valid.
	At time.Time
}

// Signer is one of our own keys with its certificate: they belong together, the
// certificate is valid and may sign, the key is strong, and a probe that it
// signed was verified. LoadSigner and NewSigner make it. It is a crypto.Signer,
// as safe for concurrent use as the key in it.
type Signer struct {
	key         crypto.Signer
	certificate *Certificate
	chain       []*Certificate
}

var _ crypto.Signer = (*Signer)(nil)

// LoadSigner reads a key and its certificate from files.
func LoadSigner(c KeyConfig) (*Signer, error) {
	var key crypto.Signer
	var ders [][]byte
	var err error
	switch {
	case c.Key != "" && c.PKCS12 == "" && c.Open == nil:
		key, ders, err = loadPEM(c.Key, c.Certificate)
	case c.Key == "" && c.PKCS12 != "" && c.Open == nil:
		key, ders, err = loadPKCS12(c.PKCS12, c.PassphraseFile)
	case c.Key == "" && c.PKCS12 == "" && c.Open != nil:
		key, ders, err = loadElsewhere(c.Open, c.Certificate)
	default:
		return nil, refuse(Malformed, errors.New("signing key: a key file, a PKCS #12 file, or a key on a token"))
	}
	if err == nil && c.Engine != nil {
		key, err = inEngine(c.Engine, key)
	}
	if err != nil {
		return nil, fmt.Errorf("signing key %s%s: %w", c.Key, c.PKCS12, err)
	}
	s, err := NewSigner(key, ders, c.At)
	if err != nil {
		return nil, fmt.Errorf("signing key %s%s: %w", c.Key, c.PKCS12, err)
	}
	return s, nil
}

// inEngine hands a key to an engine, unless it is too weak for any.
func inEngine(engine func(crypto.Signer) (crypto.Signer, error), key crypto.Signer) (crypto.Signer, error) {
	if err := CheckKey(key.Public(), 0); err != nil {
		return nil, err
	}
	key, err := engine(key)
	if err != nil {
		return nil, refuse(Unavailable, err)
	}
	return key, nil
}

// loadElsewhere reads the certificates and opens the key of the first.
func loadElsewhere(open func(crypto.PublicKey) (crypto.Signer, error), certificateFile string) (crypto.Signer, [][]byte, error) {
	if certificateFile == "" {
		return nil, nil, refuse(Malformed, errors.New("a key on a token wants its certificate in a file"))
	}
	content, err := readSmallFile(certificateFile)
	if err != nil {
		return nil, nil, err
	}
	ders, err := splitCertificates(content)
	if err != nil {
		return nil, nil, err
	}
	own, err := ParseCertificate(ders[0])
	if err != nil {
		return nil, nil, err
	}
	if err := CheckKey(own.PublicKey(), 0); err != nil {
		return nil, nil, err
	}
	key, err := open(own.PublicKey())
	if err != nil {
		return nil, nil, refuse(Unavailable, err)
	}
	return key, ders, nil
}

// NewSigner makes a Signer of a key that the caller has, and certificates in DER:
// the one of the key, and in any order those of its path. It makes every check of
// LoadSigner.
func NewSigner(key crypto.Signer, chain [][]byte, at time.Time) (*Signer, error) {
	if key == nil || at.IsZero() {
		return nil, refuse(Malformed, errors.New("no key, or no moment"))
	}
	s := &Signer{key: key}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, refuse(WeakKey, errors.New("key of an unknown kind"))
	}
	for _, der := range chain {
		c, err := ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		if s.certificate == nil && bytes.Equal(c.RawPublicKey(), spki) {
			s.certificate = c
		} else {
			s.chain = append(s.chain, c)
		}
	}
	if s.certificate == nil {
		return nil, refuse(Mismatch, errors.New("no certificate is that of the key"))
	}
	s.sortChain()
	if err := s.Usable(at); err != nil {
		return nil, err
	}
	if usage := s.certificate.x509.KeyUsage; usage != 0 && usage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0 {
		return nil, refuse(WrongUsage, errors.New("the certificate is not for signatures"))
	}
	if err := CheckKey(key.Public(), 0); err != nil {
		return nil, err
	}
	if err := s.Probe(); err != nil {
		return nil, err
	}
	return s, nil
}

// sortChain orders the other certificates as a path and drops those that are not on it.
func (s *Signer) sortChain() {
	rest := s.chain
	s.chain = nil
	for last := s.certificate; ; {
		i := slices.IndexFunc(rest, func(c *Certificate) bool {
			return bytes.Equal(c.x509.RawSubject, last.x509.RawIssuer) && last.x509.CheckSignatureFrom(c.x509) == nil
		})
		if i < 0 {
			return
		}
		last = rest[i]
		s.chain = append(s.chain, last)
		rest = slices.Delete(rest, i, i+1)
	}
}

// Probe signs and verifies: a key that does not fit, or a module that fails, is
// found before anything is issued with it. NewSigner does so; whoever lets a key begin
// long after that does it again.
func (s *Signer) Probe() error {
	digest := sha256.Sum256([]byte("sceau: probe of a signing key"))
	signature, err := s.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return refuse(Unavailable, fmt.Errorf("probe: %w", err))
	}
	good := false
	switch k := s.certificate.PublicKey().(type) {
	case *rsa.PublicKey:
		good = rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], signature) == nil
	case *ecdsa.PublicKey:
		good = ecdsa.VerifyASN1(k, digest[:], signature)
	}
	if !good {
		return refuse(Mismatch, errors.New("probe: the signature does not verify with the certificate"))
	}
	return nil
}

// Certificate gives the certificate of the key.
func (s *Signer) Certificate() *Certificate { return s.certificate }

// Chain gives the certificates above it, as far as they were given, the issuer
// first. It must not be changed.
func (s *Signer) Chain() []*Certificate { return s.chain }

// Public gives the public key.
func (s *Signer) Public() crypto.PublicKey { return s.key.Public() }

// Sign signs a digest. An ECDSA signature is in ASN.1, as crypto.Signer says. A key that
// fails, as one on a token does that has gone, is Unavailable.
func (s *Signer) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	signature, err := s.key.Sign(random, digest, opts)
	if err != nil {
		return nil, refuse(Unavailable, err)
	}
	return signature, nil
}

// Usable tells whether the certificate is valid at a moment: nothing is to be
// signed with one that is not.
func (s *Signer) Usable(at time.Time) error {
	if err := s.certificate.covers(at); err != nil {
		return fmt.Errorf("signing certificate: %w", err)
	}
	return nil
}

// ReadKey reads the one private key of a file in PEM: PKCS #8, or the older forms of RSA and EC. Its error quotes nothing of the key.
func ReadKey(path string) (crypto.Signer, error) {
	content, err := readSmallFile(path)
	if err != nil {
		return nil, err
	}
	return parseKeyPEM(content)
}

// loadPEM reads a key and certificates in PEM.
func loadPEM(keyFile, certificateFile string) (crypto.Signer, [][]byte, error) {
	key, err := ReadKey(keyFile)
	if err != nil {
		return nil, nil, err
	}
	if certificateFile == "" {
		certificateFile = keyFile
	}
	content, err := readSmallFile(certificateFile)
	if err != nil {
		return nil, nil, err
	}
	ders, err := splitCertificates(content)
	return key, ders, err
}

// parseKeyPEM finds the one private key among the PEM blocks.
func parseKeyPEM(content []byte) (crypto.Signer, error) {
	var found crypto.Signer
	for {
		var block *pem.Block
		if block, content = pem.Decode(content); block == nil {
			break
		}
		key, err := parseKeyBlock(block)
		if err != nil {
			return nil, err
		}
		if key != nil && found != nil {
			return nil, refuse(Malformed, errors.New("two private keys in one file"))
		}
		if key != nil {
			found = key
		}
	}
	if found == nil {
		return nil, refuse(Malformed, errors.New("no private key in PEM"))
	}
	return found, nil
}

// parseKeyBlock reads a private key; blocks of other types give none.
func parseKeyBlock(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return nil, refuse(Unsupported, errors.New("encrypted PEM key: use a PKCS #12 file"))
	default:
		return nil, nil
	}
	if block.Headers["DEK-Info"] != "" {
		return nil, refuse(Unsupported, errors.New("encrypted PEM key: use a PKCS #12 file"))
	}
	if err != nil {
		return nil, refuse(Malformed, errors.New("private key")) // the cause may quote the key
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, refuse(WeakKey, fmt.Errorf("private key of the kind %T", key))
	}
	return signer, nil
}

// loadPKCS12 reads a key and certificates from a PKCS #12 file.
func loadPKCS12(path, passphraseFile string) (crypto.Signer, [][]byte, error) {
	content, err := readSmallFile(path)
	if err != nil {
		return nil, nil, err
	}
	var passphrase []byte
	if passphraseFile != "" {
		if passphrase, err = readSmallFile(passphraseFile); err != nil {
			return nil, nil, err
		}
		passphrase = bytes.TrimSuffix(bytes.TrimSuffix(passphrase, []byte("\n")), []byte("\r"))
	}
	private, certificate, others, err := pkcs12.DecodeChain(content, string(passphrase))
	if err != nil {
		if errors.Is(err, pkcs12.ErrIncorrectPassword) {
			return nil, nil, refuse(Malformed, errors.New("PKCS #12: wrong passphrase"))
		}
		return nil, nil, refuse(Malformed, fmt.Errorf("PKCS #12: %w", err))
	}
	key, ok := private.(crypto.Signer)
	if !ok {
		return nil, nil, refuse(WeakKey, fmt.Errorf("private key of the kind %T", private))
	}
	ders := [][]byte{certificate.Raw}
	for _, c := range others {
		ders = append(ders, c.Raw)
	}
	return key, ders, nil
}
