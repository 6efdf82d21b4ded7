package totp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"

	"sceau/attrs/remote"
)

// A Seal keeps secrets of people unreadable where they are stored: AES-256-GCM, bound to the account, so that a secret that was
// copied to another account does not open. It is immutable.
type Seal struct{ keys []cipher.AEAD }

// sealVersion is the first octet of what is sealed.
const sealVersion = 1

// LoadSeal reads keys from files, each with 32 octets in base64 on one line. The first seals, all open: a new key goes before the
// old one until all was sealed anew.
func LoadSeal(files ...string) (*Seal, error) {
	if len(files) == 0 {
		return nil, errors.New("totp: no file of a key")
	}
	s := &Seal{}
	for _, file := range files {
		text, err := remote.Secret(file)
		if err != nil {
			return nil, err
		}
		key, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(key) != 32 {
			return nil, fmt.Errorf("%s: want 32 octets in base64", file)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, aead)
	}
	return s, nil
}

// bound is what a sealed secret is bound to.
func bound(account string) []byte { return []byte("sceau totp secret\x00" + account) }

// Seal seals the secret of an account.
func (s *Seal) Seal(account string, secret []byte) ([]byte, error) {
	if s == nil || len(s.keys) == 0 || account == "" {
		return nil, errors.New("totp: no key, or nobody's secret")
	}
	out := make([]byte, 1+s.keys[0].NonceSize(), 1+s.keys[0].NonceSize()+len(secret)+s.keys[0].Overhead())
	out[0] = sealVersion
	rand.Read(out[1:]) // never fails (crypto/rand)
	return s.keys[0].Seal(out, out[1:], secret, bound(account)), nil
}

// Open opens the sealed secret of an account.
func (s *Seal) Open(account string, sealed []byte) ([]byte, error) {
	if s == nil || account == "" || len(sealed) < 1 || sealed[0] != sealVersion {
		return nil, errors.New("totp: what is stored is no sealed secret")
	}
	for _, key := range s.keys {
		if len(sealed) < 1+key.NonceSize() {
			break
		}
		nonce, text := sealed[1:1+key.NonceSize()], sealed[1+key.NonceSize():]
		if secret, err := key.Open(nil, nonce, text, bound(account)); err == nil {
			return secret, nil
		}
	}
	return nil, errors.New("totp: the sealed secret does not open: another key, or another account's")
}

// OpenText opens a sealed secret that is stored as text, in base64.
func OpenText(s *Seal, account, text string) ([]byte, error) {
	sealed, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errors.New("totp: what is stored is no sealed secret")
	}
	return s.Open(account, sealed)
}

// SealText seals a secret for where it is stored as text.
func SealText(s *Seal, account string, secret []byte) (string, error) {
	sealed, err := s.Seal(account, secret)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(sealed), nil
}
