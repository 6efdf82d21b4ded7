package bridge

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // SHA-256 of the algorithms
	_ "crypto/sha512" // SHA-384 and SHA-512
	"encoding/base64"
	"errors"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// hashes are those of the algorithms.
var hashes = map[jose.SignatureAlgorithm]crypto.Hash{
	jose.ES256: crypto.SHA256, jose.ES384: crypto.SHA384, jose.ES512: crypto.SHA512,
	jose.RS256: crypto.SHA256, jose.RS384: crypto.SHA384, jose.RS512: crypto.SHA512,
	jose.PS256: crypto.SHA256, jose.PS384: crypto.SHA384, jose.PS512: crypto.SHA512,
}

// sign makes the compact serialization of a JWS (RFC 7515 section 7.1). It is written here because each exchange has one: go-jose, which reads all that
// others send, writes header and payload through three maps, and was a third of what an exchange costs besides its signatures.
func (k *SigningKey) sign(kind string, payload []byte) (string, error) {
	if k.Key == nil || k.ID == "" || !slices.Contains(algorithmsOf(k.Key.Public()), k.Algorithm) {
		return "", errors.New("no key, no key id, or not the algorithm of the key")
	}
	var space [256]byte
	head := appendText(append(space[:0], `{"alg":`...), string(k.Algorithm))
	head = appendText(append(head, `,"kid":`...), k.ID)
	head = append(appendText(append(head, `,"typ":`...), kind), '}')
	encoding := base64.RawURLEncoding
	out := make([]byte, 0, encoding.EncodedLen(len(head))+encoding.EncodedLen(len(payload))+encoding.EncodedLen(k.size())+2)
	out = append(encoding.AppendEncode(out, head), '.')
	out = encoding.AppendEncode(out, payload)
	hash := hashes[k.Algorithm]
	h := hash.New()
	h.Write(out)
	signature, err := k.value(h.Sum(nil), hash)
	if err != nil {
		return "", err
	}
	return string(encoding.AppendEncode(append(out, '.'), signature)), nil
}

// size is that of a signature in octets.
func (k *SigningKey) size() int {
	switch key := k.Key.Public().(type) {
	case *ecdsa.PublicKey:
		return 2 * ((key.Curve.Params().BitSize + 7) / 8)
	case *rsa.PublicKey:
		return key.Size()
	}
	return 0
}

// value signs a digest, in the form that RFC 7518 section 3 gives a signature.
func (k *SigningKey) value(digest []byte, hash crypto.Hash) ([]byte, error) {
	var options crypto.SignerOpts = hash
	if k.Algorithm[0] == 'P' {
		options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	signature, err := k.Key.Sign(rand.Reader, digest, options)
	if _, elliptic := k.Key.Public().(*ecdsa.PublicKey); err != nil || !elliptic {
		return signature, err
	}
	sequence, integers := cryptobyte.String(signature), cryptobyte.String(nil)
	var r, s []byte // without leading zeros
	if !sequence.ReadASN1(&integers, asn1.SEQUENCE) || !sequence.Empty() ||
		!integers.ReadASN1Integer(&r) || !integers.ReadASN1Integer(&s) || !integers.Empty() {
		return nil, errors.New("the key gives a signature that is not DER")
	}
	size := k.size() / 2
	if r[0] == 0 || s[0] == 0 || len(r) > size || len(s) > size { // an integer has an octet, and one that begins with zero is zero
		return nil, errors.New("the key gives a signature beyond its curve")
	}
	out := make([]byte, 2*size)
	copy(out[size-len(r):], r)
	copy(out[2*size-len(s):], s)
	return out, nil
}
