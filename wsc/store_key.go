package wsc

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"

	"golang.org/x/crypto/argon2"
)

// A StoreKey opens stores: a key of 32 octets, or a passphrase. ReadStoreKey and
// ReadStorePassphrase make it; it is safe for concurrent use.
type StoreKey struct {
	secret     []byte
	passphrase bool

	mu      sync.Mutex
	derived map[[saltLength]byte][]byte // of the passphrase: Argon2 takes a while and 64 MiB
}

const (
	keyLength  = 32
	saltLength = 16
	maxKeyFile = 4096
)

// Argon2id as RFC 9106 section 4 recommends it second, for machines with little memory.
const (
	argonTime    = 3
	argonMemory  = 64 << 10 // KiB
	argonThreads = 4
)

// ReadStoreKey reads a key from a file: 32 octets, or 64 hexadecimal digits. The file
// must be its owner's alone.
func ReadStoreKey(file string) (*StoreKey, error) {
	content, err := readSecret(file)
	if err != nil {
		return nil, err
	}
	if len(content) != keyLength {
		decoded, err := hex.DecodeString(string(bytes.TrimSpace(content)))
		if err != nil || len(decoded) != keyLength {
			return nil, refuse(BadStoreKey, fmt.Sprintf("%s holds neither %d octets nor %d hexadecimal digits", file, keyLength, 2*keyLength))
		}
		content = decoded
	}
	if bytes.Equal(content, make([]byte, keyLength)) {
		return nil, refuse(BadStoreKey, file+" holds nothing but zeros")
	}
	return &StoreKey{secret: content}, nil
}

// ReadStorePassphrase reads a passphrase from a file; a line end at its end does not
// count. The file must be its owner's alone.
func ReadStorePassphrase(file string) (*StoreKey, error) {
	content, err := readSecret(file)
	if err != nil {
		return nil, err
	}
	content = bytes.TrimSuffix(bytes.TrimSuffix(content, []byte("\n")), []byte("\r"))
	if len(content) == 0 {
		return nil, refuse(BadStoreKey, file+" is empty")
	}
	return &StoreKey{secret: content, passphrase: true}, nil
}

// readSecret reads a small file that nobody else may read.
func readSecret(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, refuseFor(BadStoreKey, err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, refuseFor(BadStoreKey, err)
	case !info.Mode().IsRegular():
		return nil, refuse(BadStoreKey, file+" is no regular file")
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0: // Windows has no such bits
		return nil, refuse(BadStoreKey, file+" can be read by others: chmod 600")
	}
	content, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, refuseFor(BadStoreKey, err)
	}
	if len(content) > maxKeyFile {
		return nil, refuseFor(BadStoreKey, errors.New(file+" is too large"))
	}
	return content, nil
}

// master is the key that a store with this salt is under.
func (k *StoreKey) master(salt [saltLength]byte) []byte {
	if !k.passphrase {
		return k.secret
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	key := k.derived[salt]
	if key == nil {
		key = argon2.IDKey(k.secret, salt[:], argonTime, argonMemory, argonThreads, keyLength)
		k.derived = map[[saltLength]byte][]byte{salt: key} // the last one: a key opens one store, mostly
	}
	return key
}

// expand derives a key for one purpose (RFC 5869).
func expand(master, salt []byte, purpose string, length int) ([]byte, error) {
	return hkdf.Key(sha256.New, master, salt, "sceau wsc store 1: "+purpose, length)
}
