package sdjwt

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/oidc/internal/strictjson"
)

const (
	typeCredential = "dc+sd-jwt"
	typeBinding    = "kb+jwt"

	maxPresentation = 64 << 10
	maxDisclosures  = 200
	leeway          = time.Minute // of clocks of others, for what has not come yet; none for what has passed
)

// Config says which credentials are taken, and of whom.
type Config struct {
	// Types are the credential types (vct) that are taken. Required.
	Types []string
	// Path says whether the holder of a certificate, with its path as it came (x5c, the leaf first), may issue credentials of a type, and
	// by which name. issuer is the claim iss, or empty. ErrUnavailable is that nobody can say; any other error is that he may not. Nil: nobody who
	// signs so.
	Path func(path []*x509.Certificate, typ, issuer string, now time.Time) (name string, err error)
	// Issuers are those who sign with keys, by their iss.
	Issuers map[string]Issuer
	// Status says whether a credential holds still, by its place in a status list: ErrRevoked where not, ErrNoStatus where such a list, or
	// place, is not taken; any other error is that nobody can say.
	// Nil: a credential with a status is refused.
	Status func(ctx context.Context, list string, index int) error
	// MaxAge is how old a key binding may be; 5 min if zero.
	MaxAge time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// A KeySet is the public keys of who signs.
type KeySet = jose.JSONWebKeySet

// ParseKeys reads a JWK Set of public keys, at least one (RFC 7517 section 5).
func ParseKeys(text []byte) (KeySet, error) {
	var set KeySet
	if _, err := strictjson.Object(text); err != nil {
		return set, err
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return set, fmt.Errorf("sdjwt: no JWK Set: %w", err)
	}
	if len(set.Keys) == 0 {
		return set, errors.New("sdjwt: a JWK Set without a key")
	}
	for _, k := range set.Keys {
		if !k.Valid() || !k.IsPublic() {
			return KeySet{}, errors.New("sdjwt: a key that is no public key")
		}
	}
	return set, nil
}

// An Issuer signs credentials of some types with keys of its own.
type Issuer struct {
	Keys  KeySet
	Types []string
}

// What Config.Path and Config.Status answer.
var (
	ErrRevoked     = errors.New("sdjwt: revoked")            // or suspended
	ErrNoStatus    = errors.New("sdjwt: a status not taken") // now and later
	ErrUnavailable = errors.New("sdjwt: nobody can say")     // at the moment
)

// A Verifier verifies presentations. It is safe for concurrent use.
type Verifier struct{ c Config }

// New checks the configuration.
func New(c Config) (*Verifier, error) {
	if len(c.Types) == 0 || slices.Contains(c.Types, "") {
		return nil, errors.New("sdjwt: no credential type, or an empty one")
	}
	if c.Path == nil && len(c.Issuers) == 0 {
		return nil, errors.New("sdjwt: no issuer is trusted")
	}
	if c.MaxAge == 0 {
		c.MaxAge = 5 * time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Verifier{c}, nil
}

// A Binding is what a presentation must be made for: one verifier and one transaction.
type Binding struct {
	// Audience is the client identifier of the verifier, with its prefix. Nonce is that of the transaction. Both required.
	Audience, Nonce string
}

// Presented is a credential that was presented. Only a Verifier makes it.
type Presented struct {
	// Type is the vct, Issuer the name by which the issuer is trusted.
	Type, Issuer string
	// Claims are those that the issuer signed and the person disclosed. Numbers are json.Number.
	Claims map[string]any
	// Expires is the end of the credential; zero is none.
	Expires time.Time
	// Holder is the SHA-256 thumbprint of the key that the credential is bound to.
	Holder []byte
}

// Verify verifies a presentation (RFC 9901, 7.3). Errors are of type *Error; with one there is nothing presented.
func (v *Verifier) Verify(ctx context.Context, presentation string, b Binding) (*Presented, error) {
	if b.Audience == "" || b.Nonce == "" {
		return nil, refuse(NotBound, "no audience or no nonce to be bound to")
	}
	if len(presentation) > maxPresentation {
		return nil, refuse(Malformed, "more than %d octets", maxPresentation)
	}
	end := strings.LastIndexByte(presentation, '~')
	if end < 0 || end == len(presentation)-1 {
		return nil, refuse(NotBound, "no key binding")
	}
	parts := strings.Split(presentation[:end], "~")
	if len(parts)-1 > maxDisclosures {
		return nil, refuse(Malformed, "more than %d disclosures", maxDisclosures)
	}
	now := v.c.Now()
	credential, err := read(parts[0], typeCredential)
	if err != nil {
		return nil, err
	}
	p := &Presented{}
	if p.Type, err = credential.text("vct"); err != nil {
		return nil, err
	}
	if !slices.Contains(v.c.Types, p.Type) {
		return nil, refuse(BadType, "a vct that was not asked for")
	}
	if p.Issuer, err = v.issuer(credential, p.Type, now); err != nil {
		return nil, err
	}
	if p.Expires, err = valid(credential, now); err != nil {
		return nil, err
	}
	holder, err := holderOf(credential.claims)
	if err != nil {
		return nil, err
	}
	if p.Holder, err = holder.Thumbprint(crypto.SHA256); err != nil {
		return nil, refuse(BadClaim, "cnf: %w", err)
	}
	if err := v.bound(presentation[end+1:], presentation[:end+1], holder, b, now); err != nil {
		return nil, err
	}
	if p.Claims, err = disclose(credential.claims, parts[1:]); err != nil {
		return nil, err
	}
	// Last, since it may ask somebody.
	if err := v.status(ctx, credential.claims); err != nil {
		return nil, err
	}
	return p, nil
}

// issuer says who signed the credential, and that he may issue one of its type.
func (v *Verifier) issuer(t *token, typ string, now time.Time) (string, error) {
	iss, _ := t.claims["iss"].(string)
	if _, there := t.claims["iss"]; there && iss == "" {
		return "", refuse(BadClaim, "iss")
	}
	if t.path != nil {
		if v.c.Path == nil {
			return "", refuse(Untrusted, "a certificate of an issuer")
		}
		name, err := v.c.Path(t.path, typ, iss, now)
		if errors.Is(err, ErrUnavailable) {
			return "", &Error{Reason: Unavailable, Cause: err}
		}
		if err != nil || name == "" {
			return "", &Error{Reason: Untrusted, Cause: err}
		}
		return name, t.verify(jose.JSONWebKey{Key: t.path[0].PublicKey})
	}
	issuer, known := v.c.Issuers[iss]
	if !known || iss == "" || !slices.Contains(issuer.Types, typ) {
		return "", refuse(Untrusted, "no keys of such an issuer of such a type")
	}
	for _, k := range issuer.Keys.Keys {
		if k.KeyID == t.kid && (k.Use == "" || k.Use == "sig") {
			return iss, t.verify(k)
		}
	}
	return "", refuse(BadSignature, "no key of that kid")
}

// valid checks the times of the credential (SD-JWT VC 2.2.2) and gives its end; zero is none.
func valid(t *token, now time.Time) (time.Time, error) {
	for _, name := range []string{"iat", "nbf"} {
		if at, there, err := t.instant(name); err != nil {
			return time.Time{}, err
		} else if there && at.After(now.Add(leeway)) {
			return time.Time{}, refuse(Future, "%s", name)
		}
	}
	end, there, err := t.instant("exp")
	if err == nil && there && !end.After(now) {
		err = refuse(Expired, "exp")
	}
	return end, err
}

// holderOf is the key to which the issuer bound the credential (cnf, RFC 7800).
func holderOf(claims map[string]any) (jose.JSONWebKey, error) {
	cnf, _ := claims["cnf"].(map[string]any)
	jwk, ok := cnf["jwk"].(map[string]any)
	if !ok {
		return jose.JSONWebKey{}, refuse(NotBound, "the credential is bound to no key")
	}
	text, err := json.Marshal(jwk)
	if err != nil {
		return jose.JSONWebKey{}, refuse(BadClaim, "cnf: %w", err)
	}
	var key jose.JSONWebKey
	if key.UnmarshalJSON(text) != nil || !key.Valid() || !key.IsPublic() {
		return jose.JSONWebKey{}, refuse(BadClaim, "cnf is no public key")
	}
	return key, nil
}

// bound verifies the key binding (RFC 9901, 4.3, 7.3): made with the holder's key, now, for this verifier, in this transaction, over just
// these disclosures. Each defends against a presentation that was made for somebody else, or at another time, or was cut or added to.
func (v *Verifier) bound(raw, over string, holder jose.JSONWebKey, b Binding, now time.Time) error {
	t, err := read(raw, typeBinding)
	if err != nil {
		return &Error{Reason: NotBound, Cause: err}
	}
	if err := t.verify(holder); err != nil {
		return &Error{Reason: NotBound, Cause: err}
	}
	at, there, err := t.instant("iat")
	if err != nil || !there || at.After(now.Add(leeway)) || now.Sub(at) > v.c.MaxAge {
		return refuse(NotBound, "iat is not now")
	}
	if end, there, err := t.instant("exp"); err != nil || there && !end.After(now) {
		return refuse(NotBound, "exp")
	}
	sum := sha256.Sum256([]byte(over))
	for name, want := range map[string]string{"aud": b.Audience, "nonce": b.Nonce, "sd_hash": base64.RawURLEncoding.EncodeToString(sum[:])} {
		got, _ := t.claims[name].(string)
		if subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
			return refuse(NotBound, "%s is another", name)
		}
	}
	return nil
}

// status asks whether the credential holds still, where it says that it may not (SD-JWT VC 2.2.2; Token Status List 6).
func (v *Verifier) status(ctx context.Context, claims map[string]any) error {
	s, there := claims["status"]
	if !there {
		return nil
	}
	o, _ := s.(map[string]any)
	list, _ := o["status_list"].(map[string]any)
	uri, _ := list["uri"].(string)
	number, _ := list["idx"].(json.Number)
	index, err := number.Int64()
	if err != nil || uri == "" || index < 0 || index > 1<<31 || len(o) != 1 {
		return refuse(NoStatus, "a status that is no status list")
	}
	if v.c.Status == nil {
		return refuse(NoStatus, "nobody is asked about a status")
	}
	switch err := v.c.Status(ctx, uri, int(index)); {
	case errors.Is(err, ErrRevoked):
		return &Error{Reason: Revoked, Cause: err}
	case errors.Is(err, ErrNoStatus):
		return &Error{Reason: NoStatus, Cause: err}
	case err != nil:
		return &Error{Reason: Unavailable, Cause: err}
	}
	return nil
}
