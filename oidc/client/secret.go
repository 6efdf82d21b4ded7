package client

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Prefixes of stored secrets.
const (
	plainPrefix = "sha256:"
	keyedPrefix = "hmac-sha256:"
)

// secretOctets is the randomness of a secret: 256 bits. What is kept of it needs no slow hash, which guards what people choose:
// nobody goes through 2^256 values.
const secretOctets = 32

// minSecretKey is the least length of the key of a server under which secrets are kept.
const minSecretKey = 32

// NewSecret makes a client secret of 256 random bits. The secret is shown to its owner once; stored is what the configuration
// keeps of it: its SHA-256, or with a key of the server of at least 32 octets its HMAC under that.
func NewSecret(key []byte) (secret, stored string, err error) {
	random := make([]byte, secretOctets)
	rand.Read(random) // never fails
	secret = base64.RawURLEncoding.EncodeToString(random)
	if stored, err = storedForm(secret, key); err != nil {
		return "", "", err
	}
	return secret, stored, nil
}

func storedForm(secret string, key []byte) (string, error) {
	prefix := plainPrefix
	if key != nil {
		if len(key) < minSecretKey {
			return "", fmt.Errorf("client: the key of secrets has %d octets, which is less than %d", len(key), minSecretKey)
		}
		prefix = keyedPrefix
	}
	digest := digestOf(secret, key)
	return prefix + base64.RawURLEncoding.EncodeToString(digest[:]), nil
}

// HashSecret gives the stored form of a secret that somebody else made. It refuses what a person would choose: less than 32
// characters, less than 12 different ones, no digit or no letter among them, or other characters than visible ASCII.
func HashSecret(secret string, key []byte) (stored string, err error) {
	different := map[byte]bool{}
	for i := range len(secret) {
		if c := secret[i]; c < '!' || c > '~' {
			return "", errors.New("client: a secret is made of visible ASCII characters")
		}
		different[secret[i]] = true
	}
	if len(secret) < 32 || len(secret) > maxSecret || len(different) < 12 || !strings.ContainsAny(secret, "0123456789") ||
		!strings.ContainsFunc(secret, func(c rune) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }) {
		return "", errors.New("client: a secret is random: at least 32 characters, at least 12 different ones, letters and digits")
	}
	return storedForm(secret, key)
}

// maxSecret bounds a secret that somebody sends.
const maxSecret = 512

// digestOf is what is compared. A nil key gives the SHA-256.
func digestOf(secret string, key []byte) (digest [sha256.Size]byte) {
	if key == nil {
		return sha256.Sum256([]byte(secret))
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(secret))
	mac.Sum(digest[:0])
	return digest
}

// A secret is the stored form, read.
type secret struct {
	keyed   bool
	digest  [sha256.Size]byte
	expires time.Time // zero: never
}

func readSecret(r SecretRegistration, id string, key []byte) (s secret, err error) {
	text, keyed := strings.CutPrefix(r.Hash, keyedPrefix)
	plain := false
	if !keyed {
		text, plain = strings.CutPrefix(r.Hash, plainPrefix)
	}
	if !keyed && !plain {
		return s, errors.New("not the stored form of a secret: sha256:… or hmac-sha256:…; a secret itself is never configured")
	}
	digest, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(digest) != sha256.Size || strings.ContainsAny(text, "\r\n") {
		return s, errors.New("not the stored form of a secret: 32 octets in base64url without padding")
	}
	if keyed && key == nil {
		return s, errors.New("hmac-sha256 needs the key of the server, and there is none")
	}
	s = secret{keyed, [sha256.Size]byte(digest), r.Expires}
	// What somebody hashed by hand for a trial, and would forget.
	for _, weak := range []string{"", id, "secret", "password", "changeme", "test", "client_secret"} {
		used := key
		if plain {
			used = nil
		}
		if digestOf(weak, used) == s.digest {
			return secret{}, errors.New("the hash of a secret that anybody guesses")
		}
	}
	return s, nil
}

// A secretCheck is one presented secret against what is stored. Who is unknown, has no secret, or sends a wrong one costs the
// same hashes and comparisons (attacks.md O6, secret timing).
type secretCheck struct {
	key []byte
	now time.Time
}

// matches tells whether a client has a secret and it is this one. c may be nil. A secret that has expired is expired, not right.
func (k secretCheck) matches(c *Client, presented string) (right, expired bool) {
	plain := digestOf(presented, nil)
	keyed := plain
	if k.key != nil {
		keyed = digestOf(presented, k.key)
	}
	stored := [maxSecrets]secret{}
	n := 0
	if c != nil {
		n = copy(stored[:], c.secrets)
	}
	for i := range stored {
		digest := plain
		if stored[i].keyed {
			digest = keyed
		}
		equal := subtle.ConstantTimeCompare(digest[:], stored[i].digest[:]) == 1
		if !equal || i >= n {
			continue
		}
		if e := stored[i].expires; e.IsZero() || k.now.Before(e) {
			right = true
		} else {
			expired = true
		}
	}
	return right, expired && !right
}

// maxSecrets is how many secrets a client has: the one, and the one that replaces it.
const maxSecrets = 2
