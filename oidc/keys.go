package oidc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/luikyv/go-oidc/pkg/goidc"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// A Key signs the tokens of an establishment with one algorithm.
type Key struct {
	// Signer is an RSA key of at least 2048 bits, or one on P-256. Required.
	Signer crypto.Signer
	// Algorithm is RS256 or PS256 of an RSA key, ES256 of the other. Required.
	Algorithm string
	// From is when it begins to sign: it is published before, so that relying parties have it when they need it. The zero Time is always.
	From time.Time
	// Until is when it is published no longer; it signs until another of its algorithm does. The zero Time is never.
	Until time.Time
}

// keySet holds keys by what they do at an instant. It is immutable.
type keySet struct {
	keys []publishedKey
	now  func() time.Time
}

type publishedKey struct {
	Key
	jwk jose.JSONWebKey // public
}

func newKeySet(keys []Key, now func() time.Time) (*keySet, error) {
	s := &keySet{now: now}
	for i, k := range keys {
		if k.Signer == nil {
			return nil, fmt.Errorf("oidc: key %d: no signer", i+1)
		}
		if err := suits(k.Signer.Public(), k.Algorithm); err != nil {
			return nil, fmt.Errorf("oidc: key %d: %w", i+1, err)
		}
		if !k.Until.IsZero() && !k.From.Before(k.Until) {
			return nil, fmt.Errorf("oidc: key %d: ends before it begins", i+1)
		}
		public := jose.JSONWebKey{Key: k.Signer.Public(), Algorithm: k.Algorithm, Use: string(goidc.KeyUsageSignature)}
		print, err := public.Thumbprint(crypto.SHA256)
		if err != nil {
			return nil, fmt.Errorf("oidc: key %d: %w", i+1, err)
		}
		// One RSA key may serve two algorithms, and then has two names: a name has one algorithm (O4).
		public.KeyID = k.Algorithm + "-" + base64.RawURLEncoding.EncodeToString(print)
		if slices.ContainsFunc(s.keys, func(o publishedKey) bool { return o.jwk.KeyID == public.KeyID }) {
			return nil, fmt.Errorf("oidc: key %d: the same key twice", i+1)
		}
		s.keys = append(s.keys, publishedKey{k, public})
	}
	for _, algorithm := range s.algorithms() {
		if _, _, err := s.signer(goidc.SignatureAlgorithm(algorithm)); err != nil {
			return nil, err
		}
	}
	if len(s.keys) == 0 {
		return nil, errors.New("oidc: no key to sign with")
	}
	return s, nil
}

func suits(public crypto.PublicKey, algorithm string) error {
	switch key := public.(type) {
	case *rsa.PublicKey:
		if algorithm != string(jose.RS256) && algorithm != string(jose.PS256) {
			return fmt.Errorf("algorithm %q is not one of an RSA key (RS256, PS256)", algorithm)
		}
		if key.N.BitLen() < 2048 {
			return errors.New("an RSA key of less than 2048 bits")
		}
	case *ecdsa.PublicKey:
		if algorithm != string(jose.ES256) || key.Curve != elliptic.P256() {
			return fmt.Errorf("algorithm %q on %s: only ES256 on P-256", algorithm, key.Curve.Params().Name)
		}
	default:
		return fmt.Errorf("a key of type %T", public)
	}
	return nil
}

// algorithms are those of the keys, in the order of the configuration: the first is the default.
func (s *keySet) algorithms() (all []string) {
	for _, k := range s.keys {
		if !slices.Contains(all, k.Algorithm) {
			all = append(all, k.Algorithm)
		}
	}
	return all
}

// signer is the key that signs now: of those that have begun, the one that began last.
func (s *keySet) signer(algorithm goidc.SignatureAlgorithm) (string, crypto.Signer, error) {
	now := s.now()
	var best *publishedKey
	for i := range s.keys {
		k := &s.keys[i]
		if k.Algorithm != string(algorithm) || now.Before(k.From) || !k.Until.IsZero() && !now.Before(k.Until) {
			continue
		}
		if best == nil || k.From.After(best.From) {
			best = k
		}
	}
	if best == nil {
		return "", nil, fmt.Errorf("oidc: no key signs with %s now", algorithm)
	}
	return best.jwk.KeyID, best.Signer, nil
}

// public are the keys that tokens verify with now, and those that will sign later.
func (s *keySet) public() (set goidc.JSONWebKeySet) {
	now := s.now()
	for _, k := range s.keys {
		if k.Until.IsZero() || now.Before(k.Until) {
			set.Keys = append(set.Keys, k.jwk)
		}
	}
	return set
}

func (s *keySet) jwks(context.Context) (goidc.JSONWebKeySet, error) { return s.public(), nil }

// sign gives the library a signer. It writes what the signer says as it is, and of ECDSA crypto.Signer says ASN.1, which JWS does
// not have (RFC 7518 section 3.4).
func (s *keySet) sign(_ context.Context, algorithm goidc.SignatureAlgorithm) (string, crypto.Signer, error) {
	id, signer, err := s.signer(algorithm)
	if err == nil && algorithm == jose.ES256 {
		signer = concatenating{signer}
	}
	return id, signer, err
}

// concatenating signs on P-256 with r and s one behind the other.
type concatenating struct{ crypto.Signer }

func (c concatenating) Sign(random io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	der, err := c.Signer.Sign(random, digest, options)
	if err != nil {
		return nil, err
	}
	var r, s []byte // without leading zeros; a negative one is refused
	var sequence cryptobyte.String
	input := cryptobyte.String(der)
	if !input.ReadASN1(&sequence, asn1.SEQUENCE) || !input.Empty() || !sequence.ReadASN1Integer(&r) || !sequence.ReadASN1Integer(&s) || !sequence.Empty() ||
		len(r) > 32 || len(s) > 32 {
		return nil, errors.New("oidc: a signer that writes no ECDSA signature on P-256")
	}
	signature := make([]byte, 64)
	copy(signature[32-len(r):], r)
	copy(signature[64-len(s):], s)
	return signature, nil
}
