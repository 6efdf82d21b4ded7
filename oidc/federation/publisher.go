package federation

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/internal/opaque"
	"sceau/oidc/internal/strictjson"
)

// A Key is a federation key of ours. It signs nothing but what this package makes: the keys of an OpenID provider are others (3.1.1).
type Key struct {
	Signer crypto.Signer
	// Algorithm is one that fits the key: ES256, ES384, ES512, EdDSA, PS256, RS256, …
	Algorithm string
}

// A HistoricalKey is one that signed once (8.7).
type HistoricalKey struct {
	Key           jose.JSONWebKey // public, with its kid
	IssuedAt      time.Time
	ExpiresAt     time.Time
	RevokedAt     time.Time // zero: it was not
	RevokedReason string    // "unspecified", "compromised" or "superseded"
}

// PublisherConfig says what an entity of ours is.
type PublisherConfig struct {
	// Entity is the entity identifier. Required.
	Entity string
	// Keys are the federation keys, by kid their SHA-256 thumbprints: the first signs, all are published. Before a new one signs, it
	// stands behind the old for as long as what superiors say of us is good. Required.
	Keys []Key
	// AuthorityHints are the immediate superiors; empty for an anchor without one. TrustAnchorHints are anchors that we trust.
	AuthorityHints, TrustAnchorHints []string
	// Metadata are the metadata by entity type, asked for when the configuration is signed anew. Values are what encoding/json writes.
	Metadata func() (map[string]map[string]any, error)
	// TrustMarks are those that issuers gave us, by their types.
	TrustMarks map[string]string
	// Lifetime is for how long statements and answers are good; 24 h if zero.
	Lifetime time.Duration
	// HistoricalKeys are published where there are any.
	HistoricalKeys []HistoricalKey
	// Authority makes the entity one that vouches for others; nil for a leaf.
	Authority *Authority
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// A Publisher says what our entity is. It is safe for concurrent use.
type Publisher struct {
	c     PublisherConfig
	keys  []jose.JSONWebKey // public
	path  string            // of the entity's address
	mu    sync.Mutex
	made  string // the signed configuration
	until time.Time
}

// NewPublisher checks the configuration.
func NewPublisher(c PublisherConfig) (*Publisher, error) {
	if _, err := identified(c.Entity); err != nil {
		return nil, err
	}
	if len(c.Keys) == 0 || c.Metadata == nil {
		return nil, errors.New("federation: a publisher needs keys and metadata")
	}
	u, err := url.Parse(c.Entity)
	if err != nil {
		return nil, err
	}
	p := &Publisher{c: c, path: strings.TrimSuffix(u.Path, "/")}
	for i, k := range c.Keys {
		if k.Signer == nil {
			return nil, fmt.Errorf("federation: key %d: no signer", i+1)
		}
		public := jose.JSONWebKey{Key: k.Signer.Public(), Algorithm: k.Algorithm, Use: "sig"}
		if !slices.Contains(algorithms, jose.SignatureAlgorithm(k.Algorithm)) || !fits(public, k.Algorithm) {
			return nil, fmt.Errorf("federation: key %d: %q does not fit it", i+1, k.Algorithm)
		}
		print, err := public.Thumbprint(crypto.SHA256)
		if err != nil {
			return nil, fmt.Errorf("federation: key %d: %w", i+1, err)
		}
		public.KeyID = base64.RawURLEncoding.EncodeToString(print)
		p.keys = append(p.keys, public)
	}
	for _, id := range slices.Concat(c.AuthorityHints, c.TrustAnchorHints) {
		if _, err := identified(id); err != nil {
			return nil, err
		}
	}
	if p.c.Lifetime == 0 {
		p.c.Lifetime = 24 * time.Hour
	}
	if p.c.Lifetime < time.Minute {
		return nil, errors.New("federation: a lifetime of less than a minute")
	}
	if p.c.Now == nil {
		p.c.Now = time.Now
	}
	if p.c.Authority != nil {
		if err := p.c.Authority.check(); err != nil {
			return nil, err
		}
	}
	if _, err = p.Configuration(); err != nil { // what cannot be signed now would not be later
		return nil, err
	}
	return p, nil
}

// Keys are our federation keys, as others pin or publish them.
func (p *Publisher) Keys() jose.JSONWebKeySet { return jose.JSONWebKeySet{Keys: slices.Clone(p.keys)} }

// Configuration is our entity configuration (3), signed. It is made anew every minute at most.
func (p *Publisher) Configuration() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.c.Now()
	if now.Before(p.until) {
		return p.made, nil
	}
	metadata, err := p.c.Metadata()
	if err != nil {
		return "", fmt.Errorf("federation: metadata: %w", err)
	}
	if issuer, there := metadata["openid_provider"]["issuer"]; there && issuer != p.c.Entity { // 5.1.3
		return "", fmt.Errorf("federation: the issuer of openid_provider is not %q", p.c.Entity)
	}
	c := map[string]any{"jwks": p.Keys()}
	p.optional(c)
	m := map[string]map[string]any{}
	maps.Copy(m, metadata)
	if endpoints := p.endpoints(); len(endpoints) > 0 {
		entity := maps.Clone(m["federation_entity"])
		if entity == nil {
			entity = map[string]any{}
		}
		maps.Copy(entity, endpoints)
		m["federation_entity"] = entity
	}
	c["metadata"] = m
	signed, err := p.sign(typeStatement, p.c.Entity, c, p.c.Lifetime)
	if err != nil {
		return "", err
	}
	// What we say must be what others may read.
	if _, err := readStatement(signed, p.c.Entity, p.c.Entity, now); err != nil {
		return "", err
	}
	p.made, p.until = signed, now.Add(time.Minute)
	return signed, nil
}

func (p *Publisher) optional(c map[string]any) {
	if len(p.c.AuthorityHints) > 0 {
		c["authority_hints"] = p.c.AuthorityHints
	}
	if len(p.c.TrustAnchorHints) > 0 {
		c["trust_anchor_hints"] = p.c.TrustAnchorHints
	}
	var marks []map[string]string
	for _, typ := range slices.Sorted(maps.Keys(p.c.TrustMarks)) {
		marks = append(marks, map[string]string{"trust_mark_type": typ, "trust_mark": p.c.TrustMarks[typ]})
	}
	if marks != nil {
		c["trust_marks"] = marks
	}
	if a := p.c.Authority; a != nil {
		if len(a.TrustMarkIssuers) > 0 {
			c["trust_mark_issuers"] = a.TrustMarkIssuers
		}
		if len(a.TrustMarkOwners) > 0 {
			c["trust_mark_owners"] = a.TrustMarkOwners
		}
	}
}

// sign makes a token of ours about somebody: iss, sub, iat, exp and what is given. A lifetime of zero is none, an empty subject too.
func (p *Publisher) sign(typ, subject string, c map[string]any, lifetime time.Duration) (string, error) {
	now := p.c.Now()
	c["iss"], c["iat"] = p.c.Entity, now.Unix()
	if subject != "" {
		c["sub"] = subject
	}
	if lifetime > 0 {
		c["exp"] = now.Add(lifetime).Unix()
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("federation: %w", err)
	}
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", p.keys[0].KeyID)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(p.keys[0].Algorithm),
		Key: opaque.Signer(p.c.Keys[0].Signer)}, options)
	if err != nil {
		return "", fmt.Errorf("federation: %w", err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("federation: %w", err)
	}
	return jws.CompactSerialize()
}

// historical are the keys that signed once, in a signed set (8.7.3).
func (p *Publisher) historical() (string, error) {
	var list []map[string]any
	for _, h := range p.c.HistoricalKeys {
		text, err := json.Marshal(h.Key)
		if err != nil {
			return "", fmt.Errorf("federation: historical key: %w", err)
		}
		k, err := strictjson.Object(text)
		if err != nil {
			return "", fmt.Errorf("federation: historical key: %w", err)
		}
		k["exp"] = h.ExpiresAt.Unix()
		if !h.IssuedAt.IsZero() {
			k["iat"] = h.IssuedAt.Unix()
		}
		if !h.RevokedAt.IsZero() {
			revoked := map[string]any{"revoked_at": h.RevokedAt.Unix()}
			if h.RevokedReason != "" {
				revoked["reason"] = h.RevokedReason
			}
			k["revoked"] = revoked
		}
		list = append(list, k)
	}
	return p.sign(typeKeys, "", map[string]any{"keys": list}, 0)
}
