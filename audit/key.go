package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
)

const (
	keyName  = "pseudonym.key"
	keyBytes = 32
)

// A Key makes pseudonyms, and seals. It is immutable and safe for concurrent use. The zero Key is no key.
type Key struct{ secret []byte }

// NewKey takes a secret of at least 32 bytes, which it copies. Its error has Reason InvalidKey.
func NewKey(secret []byte) (Key, error) {
	if len(secret) < keyBytes {
		return Key{}, &Error{Reason: InvalidKey, Err: errText("shorter than 32 bytes")}
	}
	return Key{bytes.Clone(secret)}, nil
}

// ReadKeyFile reads a key from a file as Open makes it: hex digits, readable by
// its owner only. Its error has Reason InvalidKey.
func ReadKeyFile(path string) (Key, error) {
	file, err := os.Open(path)
	if err != nil {
		return Key{}, &Error{Reason: InvalidKey, Err: err}
	}
	defer file.Close()
	return readKey(file)
}

func readKey(r io.Reader) (Key, error) {
	if file, ok := r.(interface{ Stat() (fs.FileInfo, error) }); ok {
		info, err := file.Stat()
		if err != nil {
			return Key{}, &Error{Reason: InvalidKey, Err: err}
		}
		// Whoever reads the key can search the journal for any identifier he can guess: 10^9 SSINs are few.
		if info.Mode().Perm()&0o077 != 0 {
			return Key{}, &Error{Reason: InvalidKey, Err: errText("the key file is open to others than its owner: mode must be 0600")}
		}
	}
	text, err := io.ReadAll(io.LimitReader(r, 4096))
	if err != nil {
		return Key{}, &Error{Reason: InvalidKey, Err: err}
	}
	secret, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		// The error would quote a piece of the secret.
		return Key{}, &Error{Reason: InvalidKey, Err: errText("the key file is not hex digits")}
	}
	return NewKey(secret)
}

// loadKey reads the key of a journal, or makes it when the journal is empty.
func loadKey(files FileSystem, empty bool) (Key, error) {
	file, err := files.Open(keyName)
	if err == nil {
		defer file.Close()
		return readKey(file)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return Key{}, &Error{Reason: InvalidKey, Err: err}
	}
	if !empty {
		return Key{}, &Error{Reason: InvalidKey, File: keyName,
			Err: errText("missing from a journal that has records: put it back, or begin a new directory")}
	}
	secret := make([]byte, keyBytes)
	rand.Read(secret)
	if err := writeNew(files, keyName, append(hex.AppendEncode(nil, secret), '\n')); err != nil {
		return Key{}, &Error{Reason: Unwritable, File: keyName, Err: err}
	}
	return NewKey(secret)
}

// A Pseudonym is HMAC-SHA-256(key, type || 0x00 || value). Its text is 64 lower-case hex digits.
type Pseudonym [sha256.Size]byte

func (p Pseudonym) String() string { return hex.EncodeToString(p[:]) }

// Pseudonym gives what a journal with this key records for an identifier.
func (k Key) Pseudonym(id Identifier) Pseudonym {
	p := k.pseudonymizer()
	return p.of(id)
}

func (k Key) pseudonymizer() pseudonymizer {
	return pseudonymizer{mac: hmac.New(sha256.New, k.secret), sealer: sealer{secret: k.secret}}
}

// id names the key in the head of a file without giving it away.
func (k Key) id() string {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write([]byte("sceau audit key id"))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// A pseudonymizer is the reusable state of one goroutine; it allocates nothing once warm.
// It remembers its last answer: subject and signer are most often one person.
type pseudonymizer struct {
	mac    hash.Hash
	text   []byte
	last   Pseudonym
	sealer sealer
}

func (p *pseudonymizer) of(id Identifier) Pseudonym {
	if n := len(id.Type); len(p.text) == n+1+len(id.Value) && string(p.text[:n]) == id.Type && p.text[n] == 0 && string(p.text[n+1:]) == id.Value {
		return p.last
	}
	p.text = append(append(append(p.text[:0], id.Type...), 0), id.Value...)
	p.mac.Reset()
	p.mac.Write(p.text)
	p.mac.Sum(p.last[:0])
	return p.last
}

// forget removes the clear identifier, so that a pooled pseudonymizer keeps none.
func (p *pseudonymizer) forget() {
	clear(p.text[:cap(p.text)])
	p.text = p.text[:0]
	p.sealer.forget()
}
