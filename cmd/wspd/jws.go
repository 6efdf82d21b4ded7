package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// A form is what all our tokens of one type have in common: the protected header, which is written once, and the key that signs
// under it. A token is a JWS in compact serialization (RFC 7515 section 7.1). It is written here since every message has one: go-jose writes
// the header anew each time, and its octets three times. What others send is read by go-jose alone. A form is immutable; the zero form
// signs nothing.
type form struct {
	scheme
	head string // the header in base64url, and the dot
	key  crypto.Signer
}

// A scheme is how a kind of key signs (RFC 7518 section 3.1, RFC 8037 section 3.1). A key has one, so that nobody chooses.
type scheme struct {
	algorithm jose.SignatureAlgorithm
	options   crypto.SignerOpts // without a hash, the key signs the text itself
	length    int               // of the signature in octets
	rs        bool              // the signature is r‖s, where the key gives DER
}

func schemeOf(public crypto.PublicKey) (scheme, error) {
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		switch public.Curve {
		case elliptic.P256():
			return scheme{jose.ES256, crypto.SHA256, 64, true}, nil
		case elliptic.P384():
			return scheme{jose.ES384, crypto.SHA384, 96, true}, nil
		}
	case *rsa.PublicKey:
		if public.N.BitLen() >= 2048 {
			return scheme{jose.PS256, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}, public.Size(), false}, nil
		}
	case ed25519.PublicKey:
		return scheme{jose.EdDSA, crypto.Hash(0), ed25519.SignatureSize, false}, nil
	}
	return scheme{}, errors.New("neither Ed25519, EC P-256 or P-384 nor RSA of at least 2048 bits")
}

func newForm(kind, id string, key crypto.Signer) (form, error) {
	s, err := schemeOf(key.Public())
	if err != nil {
		return form{}, err
	}
	header, err := json.Marshal(struct {
		Algorithm jose.SignatureAlgorithm `json:"alg"`
		KeyID     string                  `json:"kid"`
		Type      string                  `json:"typ"`
	}{s.algorithm, id, kind})
	if err != nil {
		return form{}, err
	}
	return form{s, base64.RawURLEncoding.EncodeToString(header) + ".", key}, nil
}

// sign makes the token of a payload.
func (f *form) sign(payload []byte) (string, error) {
	if f.key == nil {
		return "", errors.New("no key that signs")
	}
	encoding := base64.RawURLEncoding
	token := make([]byte, 0, len(f.head)+encoding.EncodedLen(len(payload))+1+encoding.EncodedLen(f.length))
	token = encoding.AppendEncode(append(token, f.head...), payload)
	signature, err := f.signature(token)
	if err != nil {
		return "", fmt.Errorf("%s: %w", f.algorithm, err)
	}
	return string(encoding.AppendEncode(append(token, '.'), signature)), nil
}

func (f *form) signature(text []byte) ([]byte, error) {
	if hash := f.options.HashFunc(); hash != 0 {
		sum := hash.New()
		sum.Write(text)
		text = sum.Sum(nil)
	}
	signature, err := f.key.Sign(rand.Reader, text, f.options)
	if err == nil && f.rs {
		signature, err = appendRS(make([]byte, 0, f.length), signature, f.length/2)
	}
	if err == nil && len(signature) != f.length {
		err = errors.New("the key gave a signature of another length")
	}
	if err != nil {
		return nil, err
	}
	return signature, nil
}

// appendRS appends an ECDSA signature in DER (SEC 1 section C.5) as JWS has it: r and s, each in size octets (RFC 7518 section 3.4).
func appendRS(dst, der []byte, size int) ([]byte, error) {
	sequence, integers := cryptobyte.String(der), cryptobyte.String(nil)
	var r, s []byte
	if !sequence.ReadASN1(&integers, asn1.SEQUENCE) || !sequence.Empty() ||
		!integers.ReadASN1Integer(&r) || !integers.ReadASN1Integer(&s) || !integers.Empty() || len(r) > size || len(s) > size {
		return nil, errors.New("the key gave a malformed ECDSA signature")
	}
	for _, number := range [][]byte{r, s} {
		dst = append(append(dst, make([]byte, size-len(number))...), number...)
	}
	return dst, nil
}
