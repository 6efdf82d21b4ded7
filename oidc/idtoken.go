package oidc

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/luikyv/go-oidc/pkg/goidc"
)

// sign gives the library a signer. An ID token it makes without at_hash, since it does not look at the access token beside it: that one is
// a draft, and finish signs it.
func (p *Provider) sign(ctx context.Context, algorithm goidc.SignatureAlgorithm) (string, crypto.Signer, error) {
	c := callOf(ctx)
	if c == nil || !c.drafting {
		return p.keys.sign(ctx, algorithm)
	}
	c.drafting, c.draft = false, string(algorithm)
	id, signer, err := p.keys.signer(algorithm)
	return id, unsigned{signer}, err
}

// unsigned is the key of a draft. What it signs verifies with no key: a draft that left would be refused.
type unsigned struct{ crypto.Signer }

func (unsigned) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return []byte{0}, nil }

// finish puts at_hash into the ID token of an answer and signs it: whoever exchanges the access token beside it for another's is found out
// (OpenID Connect Core section 3.1.3.6).
func (p *Provider) finish(b *buffer, algorithm string) error {
	answer, claims := map[string]json.RawMessage{}, map[string]any{}
	var access, draft string
	if err := json.Unmarshal(b.body.Bytes(), &answer); err != nil {
		return fmt.Errorf("oidc: an answer with a draft: %w", err)
	}
	if err := errors.Join(json.Unmarshal(answer["access_token"], &access), json.Unmarshal(answer["id_token"], &draft)); err != nil {
		return fmt.Errorf("oidc: an answer with a draft: %w", err)
	}
	parts := strings.Split(draft, ".")
	if len(parts) != 3 {
		return errors.New("oidc: a draft that is no token")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return fmt.Errorf("oidc: a draft: %w", err)
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(payload, &members); err != nil {
		return fmt.Errorf("oidc: a draft: %w", err)
	}
	for name, value := range members {
		claims[name] = value
	}
	hash := sha256.Sum256([]byte(access)) // of all algorithms that there are
	claims["at_hash"] = base64.RawURLEncoding.EncodeToString(hash[:len(hash)/2])
	token, err := p.signed("", algorithm, claims)
	if err != nil {
		return err
	}
	if answer["id_token"], err = json.Marshal(token); err != nil {
		return err
	}
	b.body.Reset()
	return json.NewEncoder(&b.body).Encode(answer)
}
