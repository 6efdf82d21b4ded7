package main

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"sceau/certs"
	"sceau/wsp"
)

// Types of our tokens (RFC 8725 section 3.11): one is never taken for the other.
const (
	callerType  = "sceau-caller+jwt"
	sessionType = "sceau-session+jwt"
)

// tokenLeeway is how far the clocks of the replicas of a guard may differ.
const tokenLeeway = 5 * time.Second

// minter makes the tokens by which a caller is passed on, and those of sessions. It is immutable.
type minter struct {
	config callerConfig
	forms  map[string]form    // by type
	public jose.JSONWebKeySet // of all keys, the one that signs first
	alg    []jose.SignatureAlgorithm
}

func newMinter(c callerConfig, path func(file) string) (*minter, error) {
	m := &minter{config: c, forms: map[string]form{}}
	for i, f := range c.Keys {
		key, err := certs.ReadKey(path(f))
		if err != nil {
			return nil, f.wrong(fmt.Errorf("caller.keys: %w", err))
		}
		s, err := schemeOf(key.Public())
		if err != nil {
			return nil, f.wrong(fmt.Errorf("caller.keys: %w", err))
		}
		public := jose.JSONWebKey{Key: key.Public(), Algorithm: string(s.algorithm), Use: "sig"}
		print, err := public.Thumbprint(crypto.SHA256)
		if err != nil {
			return nil, f.wrong(fmt.Errorf("caller.keys: %w", err))
		}
		public.KeyID = base64.RawURLEncoding.EncodeToString(print) // RFC 7638
		if len(m.public.Key(public.KeyID)) > 0 {
			return nil, f.wrong(errors.New("caller.keys: the same key twice"))
		}
		m.public.Keys, m.alg = append(m.public.Keys, public), append(m.alg, s.algorithm)
		if i > 0 {
			continue
		}
		for _, kind := range []string{callerType, sessionType} {
			if m.forms[kind], err = newForm(kind, public.KeyID, key); err != nil {
				return nil, f.wrong(fmt.Errorf("caller.keys: %w", err))
			}
		}
	}
	return m, nil
}

// claimsOf is what a token says of a caller.
func (m *minter) claimsOf(caller *wsp.Caller) claims {
	_, until := caller.Validity()
	c := claims{
		Method: caller.Confirmation(), Qualifier: caller.Subject().Qualifier,
		Assertion:  assertionClaim{caller.AssertionID(), caller.Issuer(), caller.TokenType(), jwt.NewNumericDate(until)},
		Attributes: []attributeClaim{},
	}
	holder := caller.Holder()
	if certificate := holder.Certificate(); certificate != nil {
		c.Confirmation.X5T = thumbprintOf(certificate.Raw())
		kind, identifier := holder.Identifier()
		c.Holder = holderClaim{holder.Kind().String(), string(kind), identifier, holder.Application()}
	}
	for a := range caller.Attributes() {
		if !m.config.passes(a.Name) {
			continue
		}
		claim := attributeClaim{Name: a.Name, Namespace: a.Namespace, Values: []string{}}
		for v := range a.Values() {
			claim.Values = append(claim.Values, v)
		}
		c.Attributes = append(c.Attributes, claim)
	}
	return c
}

func thumbprintOf(der []byte) string {
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// caller makes the token that goes to the service with one message: for its audience, bound to the octets of body, good for
// the time that a request takes, and no longer than the assertion.
func (m *minter) caller(c *wsp.Caller, id string, body []byte, now time.Time) (string, error) {
	said := m.claimsOf(c)
	namespace, name := c.Operation()
	sum := sha256.Sum256(body)
	said.Operation, said.Body = &operationClaim{namespace, name}, base64.RawURLEncoding.EncodeToString(sum[:])
	_, until := c.Validity()
	return m.sign(callerType, m.registered(c.Subject().Name, m.config.Audience, id, now, m.config.Lifetime, until), said)
}

// session makes the token that stands for an admitted message in further requests, over TLS with the certificate of the holder alone.
func (m *minter) session(c *wsp.Caller, id string, lifetime duration, now time.Time) (token string, until time.Time, err error) {
	_, end := c.Validity()
	registered := m.registered(c.Subject().Name, m.config.Issuer, id, now, lifetime, end)
	token, err = m.sign(sessionType, registered, m.claimsOf(c))
	return token, registered.Expiry.Time(), err
}

// continued makes the token that goes to the service with a request of a session: what the session says, without an operation.
func (m *minter) continued(s *session, id string, now time.Time) (string, error) {
	return m.sign(callerType, m.registered(s.registered.Subject, m.config.Audience, id, now, m.config.Lifetime, s.registered.Expiry.Time()), s.said)
}

func (m *minter) registered(subject, audience, id string, now time.Time, lifetime duration, end time.Time) jwt.Claims {
	until := now.Add(time.Duration(lifetime))
	if end.Before(until) {
		until = end
	}
	return jwt.Claims{
		Issuer: m.config.Issuer, Subject: subject, Audience: jwt.Audience{audience}, ID: id,
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(until),
	}
}

// sign writes both as one object.
func (m *minter) sign(kind string, registered jwt.Claims, said claims) (string, error) {
	of := m.forms[kind] // of another type, none that signs
	return of.sign(appendClaims(make([]byte, 0, 2048), &registered, &said))
}

// A session is what a token of ours says that was verified.
type session struct {
	registered jwt.Claims
	said       claims
}

var errNoSession = errors.New("no session token of ours")

// open verifies the token of a session. It is bound to a certificate always; whether who shows it has the key of that is for
// the caller to see.
func (m *minter) open(token string, now time.Time) (*session, error) {
	if len(token) > maxToken {
		return nil, errNoSession
	}
	parsed, err := jwt.ParseSigned(token, m.alg)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoSession, err)
	}
	header := parsed.Headers[0]
	keys := m.public.Key(header.KeyID)
	// One key has one algorithm, and the header chooses neither (attacks.md O4).
	if kind, _ := header.ExtraHeaders[jose.HeaderType].(string); kind != sessionType || len(keys) != 1 || keys[0].Algorithm != header.Algorithm {
		return nil, errNoSession
	}
	s := &session{}
	if err := parsed.Claims(keys[0].Key, &s.registered, &s.said); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoSession, err)
	}
	if s.registered.Expiry == nil || s.said.Confirmation.X5T == "" {
		return nil, errNoSession
	}
	expected := jwt.Expected{Issuer: m.config.Issuer, AnyAudience: jwt.Audience{m.config.Issuer}, Time: now}
	if err := s.registered.ValidateWithLeeway(expected, tokenLeeway); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoSession, err)
	}
	if !now.Before(s.registered.Expiry.Time()) { // leeway is for the beginning
		return nil, fmt.Errorf("%w: %w", errNoSession, jwt.ErrExpired)
	}
	return s, nil
}

// maxToken bounds a token in octets.
const maxToken = 16 << 10

// keySet is what tokens verify with (RFC 7517).
func (m *minter) keySet() []byte {
	text, err := json.Marshal(m.public)
	if err != nil {
		return []byte(`{"keys":[]}`) // public keys of known types are always written
	}
	return text
}
