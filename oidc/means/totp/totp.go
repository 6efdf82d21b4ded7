// Package totp verifies the one-time codes of a person's device (TOTP, RFC 6238), the second factor beside a password. It knows
// neither pages nor passwords.
//
// A code is taken of the step of the clock, of the one before and of the one after, and each step once: RFC 6238 section 5.2. No
// step is taken that is not later than the last one that was. Guesses are counted by account.
package totp

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"sceau/oidc/authn"
	"sceau/oidc/means/limit"
)

// Period is that of a step. No authenticator that people have knows another.
const Period = 30 * time.Second

// Secrets hold the secret that a person's device shares, under the immutable id of the account. They are safe for concurrent use.
type Secrets interface {
	// Secret gives the secret of an account, or ErrNotEnrolled. Any other error is an outage.
	Secret(ctx context.Context, a *authn.Account) ([]byte, error)
}

// Steps hold the last step of which a code was taken. They are safe for concurrent use, and shared by all who verify.
type Steps interface {
	// Use takes a step, and says whether it was later than every step of the account that was taken. Of two who take one step at
	// once one is told so.
	Use(ctx context.Context, account string, step int64) (bool, error)
}

// An Algorithm is the hash function of codes.
type Algorithm string

// Algorithms of RFC 6238. Most authenticators know the first alone.
const (
	SHA1   Algorithm = "SHA1"
	SHA256 Algorithm = "SHA256"
	SHA512 Algorithm = "SHA512"
)

func (a Algorithm) of() (otp.Algorithm, bool) {
	switch a {
	case SHA1:
		return otp.AlgorithmSHA1, true
	case SHA256:
		return otp.AlgorithmSHA256, true
	case SHA512:
		return otp.AlgorithmSHA512, true
	}
	return 0, false
}

// Config says how codes are verified.
type Config struct {
	Secrets Secrets
	Steps   Steps

	Digits    int       // 6 to 8; 6 if zero
	Algorithm Algorithm // SHA1 if empty

	// Guesses bounds what is guessed of one account. Zero is three attempts, then from thirty seconds to an hour.
	Guesses limit.Config
}

// A Verifier verifies codes. It is safe for concurrent use.
type Verifier struct {
	config    Config
	algorithm otp.Algorithm
	guesses   *limit.Limiter
}

// New makes a Verifier.
func New(c Config) (*Verifier, error) {
	if c.Digits == 0 {
		c.Digits = 6
	}
	if c.Algorithm == "" {
		c.Algorithm = SHA1
	}
	if c.Guesses == (limit.Config{}) {
		c.Guesses = limit.Config{Free: 3, First: Period, Most: time.Hour, Keys: 1 << 16}
	}
	algorithm, known := c.Algorithm.of()
	switch {
	case c.Secrets == nil, c.Steps == nil:
		return nil, errors.New("totp: no secrets, or nobody who remembers steps")
	case c.Digits < 6 || c.Digits > 8:
		return nil, errors.New("totp: codes have 6 to 8 digits (RFC 4226 section 5.3)")
	case !known:
		return nil, fmt.Errorf("totp: no algorithm %q", c.Algorithm)
	}
	guesses, err := limit.New(c.Guesses)
	if err != nil {
		return nil, err
	}
	return &Verifier{config: c, algorithm: algorithm, guesses: guesses}, nil
}

// Digits is how many a code has.
func (v *Verifier) Digits() int { return v.config.Digits }

// Refusals of a code.
var (
	ErrNotEnrolled = errors.New("totp: the account has no device")
	ErrWrong       = errors.New("totp: not the code")
	ErrUsed        = errors.New("totp: a code that was used, or is older than one that was")
)

// TooMany is the refusal of one who guesses.
type TooMany struct{ Wait time.Duration }

func (e *TooMany) Error() string { return "totp: too many codes" }

// Enrolled says whether the account has a device.
func (v *Verifier) Enrolled(ctx context.Context, a *authn.Account) (bool, error) {
	_, err := v.secret(ctx, a)
	if errors.Is(err, ErrNotEnrolled) {
		return false, nil
	}
	return err == nil, err
}

// leastSecret is that of RFC 4226 section 4 (R6).
const leastSecret = 16

func (v *Verifier) secret(ctx context.Context, a *authn.Account) ([]byte, error) {
	secret, err := v.config.Secrets.Secret(ctx, a)
	if err != nil {
		return nil, err
	}
	if len(secret) < leastSecret {
		return nil, fmt.Errorf("totp: a secret of fewer than %d octets", leastSecret)
	}
	return secret, nil
}

// Verify takes a code of an account, once. It returns nil, ErrWrong, ErrUsed, ErrNotEnrolled or a *TooMany; any other error is an
// outage.
func (v *Verifier) Verify(ctx context.Context, a *authn.Account, code string, now time.Time) error {
	if a == nil || a.ID == "" {
		return ErrNotEnrolled
	}
	secret, err := v.secret(ctx, a)
	if err != nil {
		return err
	}
	if wait := v.guesses.Try(now, a.ID); wait > 0 {
		return &TooMany{Wait: wait}
	}
	step, matched, err := v.match(secret, code, now)
	if err != nil || !matched {
		if err == nil {
			err = ErrWrong
		}
		return err
	}
	fresh, err := v.config.Steps.Use(ctx, a.ID, step)
	switch {
	case err != nil:
		v.guesses.Return(a.ID)
		return err
	case !fresh:
		return ErrUsed
	}
	v.guesses.Forget(a.ID)
	return nil
}

// match finds the step whose code it is, always comparing with all of them.
func (v *Verifier) match(secret []byte, code string, now time.Time) (step int64, matched bool, err error) {
	at := now.Unix() / int64(Period/time.Second)
	text := base32.StdEncoding.EncodeToString(secret)
	for _, s := range []int64{at - 1, at, at + 1} {
		if s < 0 {
			continue
		}
		want, err := hotp.GenerateCodeCustom(text, uint64(s), hotp.ValidateOpts{Digits: otp.Digits(v.config.Digits), Algorithm: v.algorithm})
		if err != nil {
			return 0, false, errors.New("totp: the secret cannot be used")
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, matched = s, true // the latest of those that match
		}
	}
	return step, matched, nil
}

// NewSecret makes a secret, of the length of RFC 4226 section 4 (R6).
func NewSecret() []byte {
	secret := make([]byte, 20)
	rand.Read(secret) // never fails (crypto/rand)
	return secret
}

// URL writes what an authenticator reads from a QR code, with the secret in it.
func (v *Verifier) URL(issuer, account string, secret []byte) string {
	q := url.Values{
		"secret": {base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)}, "issuer": {issuer},
		"digits": {strconv.Itoa(v.config.Digits)}, "algorithm": {string(v.config.Algorithm)}, "period": {"30"},
	}
	u := url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + issuer + ":" + account, RawQuery: q.Encode()}
	return u.String()
}
