package authzen

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
)

// A pageKey seals the tokens of pages: AES-256-GCM under a key of this process and a random nonce, in base64url. What is sealed is
// always of one length, so that nothing can be told from it. It is safe for concurrent use.
type pageKey struct{ aead cipher.AEAD }

func newPageKey() (pageKey, error) {
	var key [32]byte
	rand.Read(key[:]) // never fails
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return pageKey{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return pageKey{aead}, err
}

var (
	tokenText  = base64.RawURLEncoding.Strict()
	errNoToken = errors.New("no token of a page")
)

func (k pageKey) seal(t *pageToken) string {
	return tokenText.EncodeToString(k.aead.Seal(nil, nil, t.append(nil), nil))
}

// open reads a token that seal made with the same key, in its one spelling.
func (k pageKey) open(token string) (*pageToken, error) {
	sealed := tokenSize + k.aead.Overhead()
	if len(token) != tokenText.EncodedLen(sealed) { // the decoder would pass over line ends
		return nil, errNoToken
	}
	text, err := tokenText.DecodeString(token)
	if err != nil || len(text) != sealed {
		return nil, errNoToken
	}
	if text, err = k.aead.Open(nil, nil, text, nil); err != nil || len(text) != tokenSize {
		return nil, errNoToken
	}
	t := new(pageToken)
	t.read((*[tokenSize]byte)(text))
	return t, nil
}
