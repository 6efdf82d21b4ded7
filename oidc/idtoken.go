package oidc

import (
	"bytes"
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
	var answer struct {
		Access string `json:"access_token"`
		ID     string `json:"id_token"`
	}
	if err := json.Unmarshal(b.body.Bytes(), &answer); err != nil {
		return fmt.Errorf("oidc: an answer with a draft: %w", err)
	}
	parts := strings.Split(answer.ID, ".")
	if len(parts) != 3 || answer.Access == "" {
		return errors.New("oidc: a draft that is no token, or stands beside none")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || len(payload) < 3 || payload[len(payload)-1] != '}' || !json.Valid(payload) {
		return errors.New("oidc: a draft that says nothing")
	}
	hash := sha256.Sum256([]byte(answer.Access)) // of all algorithms that there are
	payload = append(payload[:len(payload)-1], `,"at_hash":"`...)
	payload = base64.RawURLEncoding.AppendEncode(payload, hash[:len(hash)/2])
	token, err := p.signedText("", algorithm, append(payload, `"}`...))
	if err != nil {
		return err
	}
	whole := bytes.Replace(b.body.Bytes(), []byte(answer.ID), []byte(token), 1)
	b.body.Reset()
	b.body.Write(whole)
	return nil
}
