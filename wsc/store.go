package wsc

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sceau/attrs"
)

// A Store keeps the token of a Session in a file, encrypted. Private keys are not in it.
// OpenStore makes it; the zero Store keeps nothing. It belongs to one Session at a time.
//
// The file is a header and one AES-256-GCM ciphertext, with the whole header as
// additional data:
//
//	octets  what
//	16      "sceau-wsc-store1"
//	1       0: under a key; 1: under a passphrase (Argon2id, 3 passes over 64 MiB, 4 lanes)
//	16      salt of Argon2id; for a key, random all the same
//	32      salt of this writing: HKDF-SHA-256 makes the key of the ciphertext with it
//	16      check value of the key, by HKDF: a wrong key is told from an altered file
//	12      nonce
//
// Whoever can write the file can delete it, or put an older one of the same key in its
// place: a token that is taken from it is verified like one that came from the STS, and
// judged by the clock.
type Store struct {
	path string
	key  *StoreKey
	salt [saltLength]byte // of Argon2id, as long as the Store lives
}

const (
	storeMagic   = "sceau-wsc-store1"
	freshLength  = 32
	checkLength  = 16
	nonceLength  = 12
	headerLength = len(storeMagic) + 1 + saltLength + freshLength + checkLength + nonceLength
	maxStore     = 4 << 20
)

// OpenStore makes a Store. The file need not exist; one that does must be under the key.
func OpenStore(path string, key *StoreKey) (*Store, error) {
	if path == "" || key == nil || len(key.secret) == 0 {
		return nil, refuse(BadStoreKey, "no file or no key")
	}
	s := &Store{path: path, key: key}
	rand.Read(s.salt[:]) // never fails, crypto/rand
	if _, err := s.load(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return s, nil
}

// kept is what is in a store.
type kept struct {
	Assertion []byte             `json:"assertion"`
	Mode      string             `json:"mode"`
	Endpoint  string             `json:"endpoint"`
	Obtained  time.Time          `json:"obtained"`
	LeftOut   []attrs.Designator `json:"left-out,omitempty"`
}

// load reads the file. An error of the file system that it does not exist is returned as
// it is.
func (s *Store) load() (*kept, error) {
	f, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, refuseFor(BadStore, err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxStore+1))
	if err != nil {
		return nil, refuseFor(BadStore, err)
	}
	if len(content) > maxStore {
		return nil, refuse(BadStore, s.path+" is too large")
	}
	plain, err := s.open(content)
	if err != nil {
		return nil, err
	}
	k := new(kept)
	if err := json.Unmarshal(plain, k); err != nil {
		return nil, refuse(BadStore, s.path+" holds no token of this program")
	}
	return k, nil
}

// open decrypts the content of a file.
func (s *Store) open(content []byte) ([]byte, error) {
	if len(content) < headerLength || string(content[:len(storeMagic)]) != storeMagic {
		return nil, refuse(BadStore, s.path+" is no store of this program, or cut off")
	}
	header, sealed := content[:headerLength], content[headerLength:]
	at := len(storeMagic)
	if kind := header[at]; kind != s.kind() {
		if kind > 1 {
			return nil, refuse(BadStore, s.path+" is of a form that is not known")
		}
		return nil, refuse(BadStoreKey, fmt.Sprintf("%s is under a %s, not a %s", s.path, kinds[kind], kinds[s.kind()]))
	}
	at++
	var salt [saltLength]byte
	at += copy(salt[:], header[at:])
	fresh := header[at : at+freshLength]
	at += freshLength
	check := header[at : at+checkLength]
	nonce := header[at+checkLength:]
	master := s.key.master(salt)
	box, want, err := boxOf(master, salt[:], fresh)
	if err != nil {
		return nil, refuseFor(BadStoreKey, err)
	}
	if subtle.ConstantTimeCompare(check, want) != 1 {
		return nil, refuse(BadStoreKey, s.path+" is under another "+kinds[s.kind()]+", or was altered")
	}
	plain, err := box.Open(nil, nonce, sealed, header)
	if err != nil {
		return nil, refuse(BadStore, s.path+" was altered, or cut off")
	}
	s.salt = salt
	return plain, nil
}

var kinds = [...]string{"key", "passphrase"}

func (s *Store) kind() byte {
	if s.key.passphrase {
		return 1
	}
	return 0
}

// boxOf makes the cipher of one writing, and the check value of the key.
func boxOf(master, salt, fresh []byte) (cipher.AEAD, []byte, error) {
	check, err := expand(master, salt, "check", checkLength)
	if err != nil {
		return nil, nil, err
	}
	key, err := expand(master, append(bytes.Clone(salt), fresh...), "encrypt", keyLength)
	if err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, err
	}
	box, err := cipher.NewGCM(block)
	return box, check, err
}

// save writes the file, wholly or not at all, readable by its owner alone.
func (s *Store) save(k *kept) (err error) {
	plain, err := json.Marshal(k)
	if err != nil {
		return refuseFor(BadStore, err)
	}
	var fresh [freshLength]byte
	var nonce [nonceLength]byte
	rand.Read(fresh[:])
	rand.Read(nonce[:])
	box, check, err := boxOf(s.key.master(s.salt), s.salt[:], fresh[:])
	if err != nil {
		return refuseFor(BadStoreKey, err)
	}
	header := append([]byte(storeMagic), s.kind())
	for _, part := range [][]byte{s.salt[:], fresh[:], check, nonce[:]} {
		header = append(header, part...)
	}
	content := box.Seal(bytes.Clone(header), nonce[:], plain, header)
	if err := ReplaceFile(s.path, content); err != nil {
		return refuseFor(BadStore, err)
	}
	return nil
}

// ReplaceFile puts a file that its owner alone may read (mode 0600) in the place of what is at path, wholly or not at all: a token says
// what somebody is, and lets its holder act. Errors are those of the file system.
func ReplaceFile(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
