package oidc

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"
)

// state is what an establishment has in the Store. Keys begin with the establishment, so that nothing of one is found by another.
type state struct {
	store  Store
	prefix string
	now    func() time.Time
	// tokens is how long a token lives at most whose grant is asked for: introspection and userinfo end with the grant.
	tokens time.Duration
	// longest is how long anything lives at most that came of an authentication: for so long it is remembered that a grant was
	// revoked or a session ended, since a request that began before writes its grant for longer than the grant said when it ended.
	longest time.Duration
	// strangers bounds what is kept of those who have proven nothing.
	strangers *Strangers
}

// A watched store notes in the call that it could not answer: the library says invalid_grant of some of these errors, and a client
// then throws away what is still good.
type watched struct{ Store }

func (w watched) note(ctx context.Context, err error) {
	if c := callOf(ctx); c != nil && c.outage == nil && err != nil && !errors.Is(err, ErrNotFound) {
		c.outage = err
	}
}

func (w watched) Put(ctx context.Context, key string, value []byte, until time.Time) error {
	err := w.Store.Put(ctx, key, value, until)
	w.note(ctx, err)
	return err
}

func (w watched) Add(ctx context.Context, key string, value []byte, until time.Time) (bool, error) {
	added, err := w.Store.Add(ctx, key, value, until)
	w.note(ctx, err)
	return added, err
}

func (w watched) Swap(ctx context.Context, key string, old, value []byte, until time.Time) (bool, error) {
	swapped, err := w.Store.Swap(ctx, key, old, value, until)
	w.note(ctx, err)
	return swapped, err
}

func (w watched) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := w.Store.Get(ctx, key)
	w.note(ctx, err)
	return value, err
}

func (w watched) Delete(ctx context.Context, key string) error {
	err := w.Store.Delete(ctx, key)
	w.note(ctx, err)
	return err
}

// key is that of what is known by a secret, or by a name that was made by someone else.
func (s *state) key(kind, name string) string {
	return s.prefix + "/" + kind + "/" + digest(name)
}

func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// random makes what nobody guesses, of 256 bits.
func random() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// marshal writes JSON as it is read by nobody but us. The < of a stranger stays one octet: escaped for HTML it would be six.
func marshal(value any) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}

func (s *state) put(ctx context.Context, key string, value any, until time.Time) error {
	text, err := marshal(value)
	if err != nil {
		return err
	}
	return s.store.Put(ctx, key, text, until)
}

func (s *state) get(ctx context.Context, key string, value any) error {
	text, err := s.store.Get(ctx, key)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, value)
}

// once says whether a name is used for the first time; until then it is remembered.
func (s *state) once(ctx context.Context, kind, name string, until time.Time) (bool, error) {
	return s.store.Add(ctx, s.key(kind, name), []byte{1}, until)
}

// found makes an error of the store one that the library knows.
func found(err error) error {
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%w: %w", goidc.ErrNotFound, err)
	}
	return err
}

// A record is a grant at rest. Code and refresh token stand in it by their digests alone; the refresh token that goes out with
// the code is sealed under the code.
type record struct {
	Grant   *goidc.Grant `json:"grant"`
	Code    string       `json:"code,omitempty"`
	Refresh string       `json:"refresh,omitempty"`
	Sealed  []byte       `json:"sealed,omitempty"`
}

func (s *state) until(g *goidc.Grant) time.Time {
	until := s.now().Add(s.tokens)
	for _, at := range []int{g.RefreshTokenExpiresAt, g.AuthCodeExpiresAt} {
		if t := time.Unix(int64(at), 0); t.After(until) {
			until = t
		}
	}
	return until.Add(time.Minute)
}

// SaveGrant keeps a grant. A grant that was revoked stays so, whoever writes it again.
func (s *state) SaveGrant(ctx context.Context, g *goidc.Grant) error {
	until := s.until(g)
	if g.RevokedAt != 0 {
		if err := s.mark(ctx, "revoked", g.ID); err != nil {
			return err
		}
	}
	bare := *g
	bare.AuthCode, bare.RefreshToken = "", ""
	r := record{Grant: &bare}
	if g.RefreshToken != "" {
		r.Refresh = digest(g.RefreshToken)
	}
	if g.AuthCode != "" {
		r.Code = digest(g.AuthCode)
		if g.RefreshToken != "" && g.AuthCodeConsumedAt == 0 {
			var err error
			if r.Sealed, err = seal(g.AuthCode, g.RefreshToken); err != nil {
				return err
			}
		}
	}
	if err := s.put(ctx, s.key("grant", g.ID), r, until); err != nil {
		return err
	}
	if g.AuthCode != "" && g.AuthCodeConsumedAt == 0 {
		// The code is remembered for longer than it is good, so that who shows it again is known for it.
		if err := s.put(ctx, s.key("code", g.AuthCode), g.ID, until); err != nil {
			return err
		}
	}
	if g.RefreshToken != "" {
		if err := s.put(ctx, s.key("refresh", g.RefreshToken), g.ID, until); err != nil {
			return err
		}
	}
	if g.RevokedAt != 0 {
		return nil
	}
	// What was revoked while this request had the grant in its hands gives no token (O8).
	switch over, err := s.over(ctx, g); {
	case err != nil:
		return err
	case over:
		return goidc.WrapError(goidc.ErrorCodeInvalidGrant, "invalid grant", errors.New("a grant that was revoked meanwhile"))
	}
	return nil
}

// mark remembers that a grant was revoked or a session ended, for longer than anything lives that came of it.
func (s *state) mark(ctx context.Context, kind, name string) error {
	return s.store.Put(ctx, s.key(kind, name), []byte{1}, s.now().Add(s.longest))
}

// marked says whether it is so.
func (s *state) marked(ctx context.Context, kind, name string) (bool, error) {
	switch _, err := s.store.Get(ctx, s.key(kind, name)); {
	case err == nil:
		return true, nil
	case errors.Is(err, ErrNotFound):
		return false, nil
	default:
		return false, err
	}
}

// over says whether a grant is good no longer: it was revoked, its session ended, the consent was withdrawn, one of these is so of what it
// came of by exchange, or its authentication is too old.
func (s *state) over(ctx context.Context, g *goidc.Grant) (bool, error) {
	r, err := releasedOf(ctx, g)
	if err != nil {
		return false, err
	}
	if !s.now().Before(r.Until) {
		return true, nil
	}
	return s.anyEnded(ctx, r.lineage(g.ID))
}

func (s *state) record(ctx context.Context, id string) (*record, error) {
	r := &record{}
	if err := s.get(ctx, s.key("grant", id), r); err != nil {
		return nil, found(err)
	}
	over, err := s.over(ctx, r.Grant)
	if err != nil {
		return nil, err
	}
	if over && r.Grant.RevokedAt == 0 {
		r.Grant.RevokedAt = int(s.now().Unix())
	}
	return r, nil
}

func (s *state) Grant(ctx context.Context, id string) (*goidc.Grant, error) {
	r, err := s.record(ctx, id)
	if err != nil {
		return nil, err
	}
	return r.Grant, nil
}

// GrantByAuthCode gives the grant of a code, which is consumed for all but the first who asks (O2).
func (s *state) GrantByAuthCode(ctx context.Context, code string) (*goidc.Grant, error) {
	var id string
	if err := s.get(ctx, s.key("code", code), &id); err != nil {
		return nil, found(err)
	}
	r, err := s.record(ctx, id)
	if err != nil {
		return nil, err
	}
	first, err := s.once(ctx, "code-used", code, s.until(r.Grant))
	if err != nil {
		return nil, err
	}
	if !first && r.Grant.AuthCodeConsumedAt == 0 {
		r.Grant.AuthCodeConsumedAt = int(s.now().Unix())
	}
	if r.Grant.RevokedAt != 0 {
		return nil, goidc.ErrNotFound // the library has a code of its own for it, which clients do not know (RFC 6749 section 5.2)
	}
	r.Grant.AuthCode = code
	if r.Sealed != nil {
		if r.Grant.RefreshToken, err = open(code, r.Sealed); err != nil {
			return nil, err
		}
	}
	return r.Grant, nil
}

// GrantByRefreshToken gives the grant of a refresh token. One that was replaced is found with its grant, which is revoked by it (O8):
// either its client lost it, or who shows it is not its client (RFC 9700 section 4.14.2).
func (s *state) GrantByRefreshToken(ctx context.Context, token string) (*goidc.Grant, error) {
	c := callOf(ctx)
	if c == nil || c.endpoint == endpointUserInfo {
		return nil, goidc.ErrNotFound // the library takes it for an access token (RFC 6749 section 1.5: it goes to its server alone)
	}
	var id string
	if err := s.get(ctx, s.key("refresh", token), &id); err != nil {
		return nil, found(err)
	}
	r, err := s.record(ctx, id)
	if err != nil {
		return nil, err
	}
	if r.Refresh != digest(token) && r.Grant.RevokedAt == 0 {
		if c.endpoint != endpointToken {
			return nil, goidc.ErrNotFound // asked about, and used by nobody
		}
		if err := s.revoke(ctx, r.Grant); err != nil {
			return nil, err
		}
	}
	r.Grant.RefreshToken = token
	return r.Grant, nil
}

func (s *state) revoke(ctx context.Context, g *goidc.Grant) error {
	g.RevokedAt = int(s.now().Unix())
	return s.mark(ctx, "revoked", g.ID)
}

// seal encrypts a refresh token under a code, of which the store has the digest alone. The key is used for one message.
func seal(code, token string) ([]byte, error) {
	aead, err := underCode(code)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, make([]byte, aead.NonceSize()), []byte(token), nil), nil
}

func open(code string, sealed []byte) (string, error) {
	aead, err := underCode(code)
	if err != nil {
		return "", err
	}
	token, err := aead.Open(nil, make([]byte, aead.NonceSize()), sealed, nil)
	if err != nil {
		return "", fmt.Errorf("oidc: the refresh token of a code: %w", err)
	}
	return string(token), nil
}

func underCode(code string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(code), nil, "sceau: refresh token under its code", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
