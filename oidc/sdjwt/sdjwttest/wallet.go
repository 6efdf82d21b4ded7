// Package sdjwttest makes SD-JWT VCs and presents them, for tests: whole ones, and such as no honest issuer or wallet would make.
package sdjwttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// What a credential of New says of itself.
const (
	Type   = "urn:example:professional:1"
	Issuer = "https://issuer.example.com"
	KeyID  = "issuer" // of the issuer's key
)

// NewKey makes a key on P-256.
func NewKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Sign makes a compact token by hand, so that anything can be in it. A claim that is nil is left out.
func Sign(t testing.TB, h, c map[string]any, k *ecdsa.PrivateKey) string {
	t.Helper()
	for name, v := range c {
		if v == nil {
			delete(c, name)
		}
	}
	head, err := json.Marshal(h)
	payload, err2 := json.Marshal(c)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	input := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(payload)
	if h["alg"] == "none" {
		return input + "."
	}
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, k, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// Digest is that of a disclosure.
func Digest(disclosure string) string {
	sum := sha256.Sum256([]byte(disclosure))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Disclose makes a disclosure: of a claim by its name and value, of an element by its value.
func Disclose(t testing.TB, parts ...any) string {
	t.Helper()
	return DiscloseWith(t, "salt of this one", parts...)
}

// DiscloseWith makes one with a salt of its own.
func DiscloseWith(t testing.TB, salt string, parts ...any) string {
	t.Helper()
	text, err := json.Marshal(append([]any{salt}, parts...))
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// A Wallet holds one credential and presents it. Everything in it may be altered before it is presented.
type Wallet struct {
	T              testing.TB
	Issuer, Holder *ecdsa.PrivateKey
	Header, Claims map[string]any
	// Disclosures are those that are presented: given_name, rpps, an element of nationalities, address, and city in it.
	Disclosures                  []string
	BindingHeader, BindingClaims map[string]any
	// Cut gives what is presented in the place of what was bound; nil presents that.
	Cut func(credential string, disclosures []string) []string
}

// New makes a wallet with the credential of Camille Martin, which presents it for one verifier and transaction.
func New(t testing.TB, now time.Time, audience, nonce string) *Wallet {
	w := &Wallet{T: t, Issuer: NewKey(t), Holder: NewKey(t)}
	given, number, nationality := Disclose(t, "given_name", "Camille"), Disclose(t, "rpps", "10003456789"), Disclose(t, "FR")
	city := Disclose(t, "city", "Lyon")
	address := Disclose(t, "address", map[string]any{"_sd": []any{Digest(city)}, "country": "FR"})
	w.Header = map[string]any{"alg": "ES256", "typ": "dc+sd-jwt", "kid": KeyID}
	w.Claims = map[string]any{"iss": Issuer, "vct": Type, "iat": now.Unix() - 3600, "exp": now.Unix() + 3600, "_sd_alg": "sha-256",
		"cnf": map[string]any{"jwk": jose.JSONWebKey{Key: w.Holder.Public()}}, "family_name": "Martin",
		"_sd":           []any{Digest(given), Digest(number), Digest(address), Digest("a decoy")},
		"nationalities": []any{map[string]any{"...": Digest(nationality)}, map[string]any{"...": Digest("another decoy")}, "BE"}}
	w.Disclosures = []string{given, number, nationality, address, city}
	w.BindingHeader = map[string]any{"alg": "ES256", "typ": "kb+jwt"}
	w.BindingClaims = map[string]any{"iat": now.Unix(), "aud": audience, "nonce": nonce}
	return w
}

// Keys are those of the issuer, as a verifier is configured with them.
func (w *Wallet) Keys() jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: w.Issuer.Public(), KeyID: KeyID, Algorithm: "ES256"}}}
}

// Add adds a disclosure that the issuer signed.
func (w *Wallet) Add(disclosure string) {
	w.Claims["_sd"] = append(w.Claims["_sd"].([]any), Digest(disclosure))
	w.Disclosures = append(w.Disclosures, disclosure)
}

// Present makes a presentation.
func (w *Wallet) Present() string {
	w.T.Helper()
	parts := append([]string{Sign(w.T, w.Header, w.Claims, w.Issuer)}, w.Disclosures...)
	over := strings.Join(parts, "~") + "~"
	c := maps.Clone(w.BindingClaims)
	if _, there := c["sd_hash"]; !there {
		c["sd_hash"] = Digest(over)
	}
	kb := Sign(w.T, w.BindingHeader, c, w.Holder)
	if w.Cut != nil {
		over = strings.Join(w.Cut(parts[0], w.Disclosures), "~") + "~"
	}
	return over + kb
}
