package openssl

import (
	"crypto"
	"errors"
	"fmt"
)

var (
	// ErrNotBuilt: the program was built without this engine.
	ErrNotBuilt = errors.New("openssl: not in this program; build it with CGO_ENABLED=1 go build -tags openssl")

	// ErrNoLibrary: libcrypto could not be loaded under any of the names in the error.
	ErrNoLibrary = errors.New("openssl: no libcrypto")

	// ErrLoaded: the process has loaded another libcrypto and keeps it.
	ErrLoaded = errors.New("openssl: another libcrypto is loaded; a change needs a restart")

	// ErrKey: the key is of a kind or form that is not signed with, or it does not hold
	// together.
	ErrKey = errors.New("openssl: key refused")

	// ErrGoIsFaster: OpenSSL could sign with this key, at a higher cost than Go.
	ErrGoIsFaster = errors.New("openssl: Go signs faster with a key of this curve")

	// ErrDigest: the digest, its function or the padding are not signed with.
	ErrDigest = errors.New("openssl: digest refused")
)

// Names returns what Load looks for when it is not told.
func Names() []string { return []string{"libcrypto.so.3", "libcrypto.3.dylib"} }

// A Library is libcrypto as it was loaded. Load makes it; the zero Library makes no
// keys. It is safe for concurrent use.
type Library struct {
	name    string
	version string
}

// String tells version and name: "OpenSSL 3.0.19 27 Jan 2026 (libcrypto.so.3)".
func (l *Library) String() string { return l.version + " (" + l.name + ")" }

// Load loads libcrypto, of OpenSSL 3, by the name of a shared object, which the
// system's loader finds, or by a path. Empty means the first of Names that is there.
// Every further call gives the same Library, or ErrLoaded where it asks for another.
// The file runs in this process: it is to be trusted like the program itself, and it
// must be OpenSSL's, since the loading of a relative that lacks functions ends the process.
func Load(library string) (*Library, error) { return load(library) }

// Key makes a signing key of a Go key, which it leaves as it is, and tries it: what it
// signs must verify with the public key. RSA from 2048 bits with two primes, P-256
// and P-521; P-384 is refused with ErrGoIsFaster and anything else with ErrKey.
//
// The result signs digests of SHA-256, SHA-384 and SHA-512: RSA in PKCS #1 v1.5, or in
// PSS where the options are rsa.PSSOptions; ECDSA in ASN.1, as crypto.Signer says. It
// takes its random numbers from OpenSSL. It is safe for concurrent use.
func (l *Library) Key(key crypto.Signer) (crypto.Signer, error) {
	if l == nil || l.version == "" {
		return nil, fmt.Errorf("%w: none was loaded", ErrNoLibrary)
	}
	return newKey(key)
}
