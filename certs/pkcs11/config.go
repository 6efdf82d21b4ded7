package pkcs11

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

var (
	// ErrNotBuilt: the program was built without this package.
	ErrNotBuilt = errors.New("pkcs11: not in this program; build it with CGO_ENABLED=1 go build -tags pkcs11")

	// ErrURI: the URI is no pkcs11 URI, or says what is not taken.
	ErrURI = errors.New("pkcs11: URI refused")

	// ErrModule: the module could not be loaded or initialized.
	ErrModule = errors.New("pkcs11: module")

	// ErrUnavailable: the token does not sign now: it is away, too slow, or too many wait
	// for it. It may sign later.
	ErrUnavailable = errors.New("pkcs11: token unavailable")

	// ErrPIN: there is no PIN, or the token refused it.
	ErrPIN = errors.New("pkcs11: PIN refused")

	// ErrKey: the token holds no key of this name, several, or one that is not signed with.
	ErrKey = errors.New("pkcs11: key refused")

	// ErrOtherKey: the key of this name on the token has another public key than the
	// expected one.
	ErrOtherKey = errors.New("pkcs11: the key on the token is another than the expected one")

	// ErrSignature: the token gave a signature that does not verify.
	ErrSignature = errors.New("pkcs11: the token gave a wrong signature")

	// ErrDigest: the digest, its function or the padding are not signed with.
	ErrDigest = errors.New("pkcs11: digest refused")
)

// Config says where a key lies and how it is used.
type Config struct {
	URI URI

	// Public is the public key that the key must have: RSA, or ECDSA on P-256, P-384 or
	// P-521.
	Public crypto.PublicKey

	// Sessions is how many signatures are made at one time; zero is 8. Waiting is how many
	// more may wait for one of them; zero is 256.
	Sessions, Waiting int

	// Timeout bounds one signature, from the call to the answer; zero is 2 seconds. Half of
	// it at most is spent in line: the token has the other half for itself, so that a long
	// line is not taken for a token that hangs.
	Timeout time.Duration

	// HealthInterval is how often a probe is signed when all is well; zero is 10 seconds.
	HealthInterval time.Duration

	// RetryFirst and RetryMost bound the pauses between attempts to reach a token that
	// has gone; zero is a quarter of a second and 15 seconds.
	RetryFirst, RetryMost time.Duration

	// Now is the clock of Health.Since; nil is time.Now. Log is told when the token goes
	// and when it comes back; nil is slog.Default.
	Now func() time.Time
	Log *slog.Logger
}

func (c *Config) withDefaults() (Config, error) {
	d := *c
	for _, n := range []struct {
		v    *int
		zero int
	}{{&d.Sessions, 8}, {&d.Waiting, 256}} {
		if *n.v < 0 {
			return d, errors.New("pkcs11: a negative number")
		}
		if *n.v == 0 {
			*n.v = n.zero
		}
	}
	for _, t := range []struct {
		v    *time.Duration
		zero time.Duration
	}{{&d.Timeout, 2 * time.Second}, {&d.HealthInterval, 10 * time.Second}, {&d.RetryFirst, 250 * time.Millisecond}, {&d.RetryMost, 15 * time.Second}} {
		if *t.v < 0 {
			return d, errors.New("pkcs11: a negative duration")
		}
		if *t.v == 0 {
			*t.v = t.zero
		}
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	return d, nil
}

// Health is how a key stands.
type Health struct {
	// Err is nil when the key signs; otherwise why it does not. It names files and tokens.
	Err error
	// Since is when it began to be so.
	Since time.Time
	// Losses counts how often a token that signed was lost.
	Losses uint64
	// Stuck is the number of calls that the module has not returned from in time.
	Stuck int
}

// Open loads the module, reaches the token, finds the key and tries it. It fails when
// any of that does; afterwards the token may go and come back. The Key must be closed.
func Open(c Config) (*Key, error) {
	config, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := config.URI.forKey(); err != nil {
		return nil, err
	}
	return open(config)
}

// Public gives the expected public key.
func (k *Key) Public() crypto.PublicKey { return k.config.Public }

// String gives the URI of the key; there is no secret in it.
func (k *Key) String() string { return k.config.URI.String() }

// Sign signs a digest of SHA-256, SHA-384 or SHA-512 and verifies what the token gave:
// RSA in PKCS #1 v1.5, or in PSS where the options are rsa.PSSOptions; ECDSA in ASN.1. The
// random numbers are the token's; the argument is not used. While the token does not sign,
// the error is ErrUnavailable.
func (k *Key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.sign(digest, opts)
}

// A Kind is a kind of key that Generate makes.
type Kind int

// The kinds of keys.
const (
	RSA2048 Kind = iota + 1
	RSA3072
	RSA4096
	P256
	P384
	P521
)

// Generate makes a key pair on a token, under the object name and id of the URI, and
// returns its public key. The private key can be used for signatures and nothing else, and
// cannot be read. A name or id that the token has is refused with ErrKey. It may take
// as long as the token likes.
func Generate(u URI, kind Kind) (crypto.PublicKey, error) {
	if err := u.forKey(); err != nil {
		return nil, err
	}
	if u.Object == "" {
		return nil, fmt.Errorf("%w: a new key wants an object name", ErrURI)
	}
	return generate(u, kind)
}

// Built tells whether the program was built with this package.
func Built() bool { return built }
