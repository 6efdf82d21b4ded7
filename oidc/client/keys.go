package client

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/certs"
)

// Bounds of a key set.
const (
	maxKeySet = 64 << 10
	maxKeys   = 32
)

// algorithms are those in which a client may sign, each with the kind of its key. There is no symmetric one: a public key is
// never the secret of an HMAC (attacks.md A1, O4).
var algorithms = map[string]string{
	"RS256": "RSA", "RS384": "RSA", "RS512": "RSA",
	"PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
	"ES256": "P-256", "ES384": "P-384", "ES512": "P-521",
}

// A key is one public key of a client.
type key struct {
	jwk  jose.JSONWebKey
	kind string // as algorithms has it
}

// fits tells whether the key is for an algorithm: of its kind, for signatures, and not said to be for another one.
func (k key) fits(algorithm string) bool {
	return algorithms[algorithm] == k.kind && (k.jwk.Use == "" || k.jwk.Use == "sig") && (k.jwk.Algorithm == "" || k.jwk.Algorithm == algorithm)
}

// readKeys reads a key set. Of one that the operator wrote, each key must be right; of one that was fetched, keys of other kinds
// are passed over (RFC 7517 section 5), and those that are weak or not public refuse it.
func readKeys(text []byte, strict bool) ([]key, error) {
	if len(text) > maxKeySet {
		return nil, errors.New("more than 64 KB")
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("not a key set: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("more than %d keys", maxKeys)
	}
	var keys []key
	for i, one := range set.Keys {
		k, err := readKey(one)
		switch {
		case err == nil:
			keys = append(keys, k)
		case strict || !errors.Is(err, errOtherKind):
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("no key in it")
	}
	return keys, nil
}

var errOtherKind = errors.New("neither RSA nor EC on P-256, P-384 or P-521")

func readKey(text []byte) (key, error) {
	var members map[string]json.RawMessage
	var kty string
	if err := json.Unmarshal(text, &members); err != nil {
		return key{}, errors.New("not an object")
	}
	if err := json.Unmarshal(members["kty"], &kty); err != nil {
		return key{}, errors.New("no kty")
	}
	if kty == "oct" {
		return key{}, errors.New("a symmetric key")
	}
	if _, private := members["d"]; private {
		return key{}, errors.New("a private key: it is known to others now")
	}
	if kty != "RSA" && kty != "EC" {
		return key{}, errOtherKind
	}
	var k key
	if err := k.jwk.UnmarshalJSON(text); err != nil {
		return key{}, err
	}
	switch public := k.jwk.Key.(type) {
	case *rsa.PublicKey:
		k.kind = "RSA"
	case *ecdsa.PublicKey:
		k.kind = public.Curve.Params().Name
	}
	if k.kind != "RSA" && k.kind != "P-256" && k.kind != "P-384" && k.kind != "P-521" {
		return key{}, errOtherKind
	}
	if err := certs.CheckKey(k.jwk.Key, 2048); err != nil {
		return key{}, err
	}
	k.jwk.CertificatesURL = nil // never followed
	return k, nil
}

// A fetched is a key set at an address of its client. It is kept for a while, and fetched again before that when a key is not in
// it, at most once in a pause: whoever makes up key identifiers costs one fetch in that time.
type fetched struct {
	uri     string
	options *Options

	current atomic.Pointer[keysAt]

	mu   sync.Mutex // one fetch at a time; guards what is below
	last time.Time  // when one began
	err  error      // what came of it
}

type keysAt struct {
	keys []key
	at   time.Time
}

// get gives the keys, at most KeysAge old. With known it looks whether they have the key that is wanted, and fetches them anew
// if not.
func (f *fetched) get(ctx context.Context, now time.Time, known func([]key) bool) ([]key, error) {
	good := func() []key {
		if c := f.current.Load(); c != nil && now.Sub(c.at) < f.options.KeysAge && !c.at.After(now.Add(f.options.Skew)) {
			return c.keys
		}
		return nil
	}
	if keys := good(); keys != nil && (known == nil || known(keys)) {
		return keys, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	keys := good() // another may have fetched meanwhile
	if keys != nil && (known == nil || known(keys)) {
		return keys, nil
	}
	if !f.last.IsZero() && now.Sub(f.last) < f.options.KeysPause && !f.last.After(now) {
		if keys == nil {
			return nil, fmt.Errorf("keys were asked for a moment ago: %w", f.err)
		}
		return keys, nil
	}
	f.last = now
	var fresh []key
	if fresh, f.err = f.fetch(ctx); f.err != nil {
		if keys == nil {
			return nil, f.err
		}
		return keys, nil // without the key that was looked for
	}
	f.current.Store(&keysAt{fresh, now})
	return fresh, nil
}

func (f *fetched) fetch(ctx context.Context) ([]key, error) {
	// Whoever gives up his request must not keep the keys from those who wait behind it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.options.KeysTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.uri, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := f.options.HTTP.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", response.StatusCode)
	}
	if kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); err != nil || kind != "application/json" && kind != "application/jwk-set+json" {
		return nil, errors.New("not JSON")
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxKeySet+1))
	if err != nil {
		return nil, err
	}
	return readKeys(text, false)
}

// binds tells whether a key of a client is the registration of a certificate: by the certificate in it or its SHA-256, and where
// it has neither by being the certificate's own key (RFC 8705 section 2.2.2).
func (k key) binds(c *certs.Certificate) bool {
	if len(k.jwk.Certificates) > 0 {
		return bytes.Equal(k.jwk.Certificates[0].Raw, c.Raw())
	}
	if print := k.jwk.CertificateThumbprintSHA256; len(print) > 0 {
		own := c.Fingerprint()
		return bytes.Equal(print, own[:])
	}
	switch public := k.jwk.Key.(type) {
	case *rsa.PublicKey:
		return public.Equal(c.PublicKey())
	case *ecdsa.PublicKey:
		return public.Equal(c.PublicKey())
	}
	return false
}
