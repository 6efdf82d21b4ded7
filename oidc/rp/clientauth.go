package rp

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// assertionLife is how long a client assertion is good: once, at once.
const assertionLife = time.Minute

// assertionParameters are those of private_key_jwt (RFC 7523 2.2); none with other methods.
func (p *Provider) assertionParameters() (map[string]string, error) {
	if p.signer == nil {
		return nil, nil
	}
	now := p.c.Now()
	audience := p.c.AssertionAudience
	if audience == "" {
		audience = p.c.Issuer
	}
	claims, err := json.Marshal(map[string]any{"iss": p.c.ClientID, "sub": p.c.ClientID, "aud": audience, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix()})
	if err != nil {
		return nil, refuse(Misconfigured, "client assertion: %w", err)
	}
	signed, err := p.signer.Sign(claims)
	if err != nil {
		return nil, refuse(Misconfigured, "client assertion: %w", err)
	}
	assertion, err := signed.CompactSerialize()
	if err != nil {
		return nil, refuse(Misconfigured, "client assertion: %w", err)
	}
	return map[string]string{"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion": assertion}, nil
}

// exchange gives a code for tokens.
func (p *Provider) exchange(ctx context.Context, m *Metadata, code, verifier string) (*answer, error) {
	proof, err := p.assertionParameters()
	if err != nil {
		return nil, err
	}
	options := []oauth2.AuthCodeOption{oauth2.VerifierOption(verifier)}
	for name, value := range proof {
		options = append(options, oauth2.SetAuthURLParam(name, value))
	}
	t, err := p.oauth(m).Exchange(context.WithValue(ctx, oauth2.HTTPClient, p.http), code, options...)
	if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok { // whose text is that of the provider, with whatever stands in it
		if e.ErrorCode != "" {
			return nil, byCode(e.ErrorCode)
		}
		return nil, byStatus("token endpoint", e.Response.StatusCode)
	}
	if err != nil {
		return nil, failed("token endpoint", err)
	}
	id, _ := t.Extra("id_token").(string)
	return &answer{Tokens{Access: t.AccessToken, Refresh: t.RefreshToken, ID: id, Expires: t.Expiry}, t.Type()}, nil
}

// An answer is what the token endpoint gave.
type answer struct {
	tokens Tokens
	kind   string // token_type
}

// post sends a form to an endpoint of ours, and gives the JSON object that it answers.
func (p *Provider) post(ctx context.Context, address string, form url.Values) (Claims, error) {
	user, password, err := p.authenticate(form)
	if err != nil {
		return Claims{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return Claims{}, refuse(Misconfigured, "no address")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	response, err := p.http.Do(r)
	if err != nil {
		return Claims{}, failed(r.URL.Path, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return Claims{}, failed(r.URL.Path, err)
	}
	said, err := ParseClaims(body)
	switch code := said.String("error"); {
	case err == nil && code != "":
		return Claims{}, byCode(code)
	case response.StatusCode != http.StatusOK:
		return Claims{}, byStatus(r.URL.Path, response.StatusCode)
	case err != nil:
		return Claims{}, refuse(Unavailable, "%s: %w", r.URL.Path, err)
	}
	return said, nil
}

// grant asks the token endpoint by a grant that oauth2 does not know, or not with what proves who we are.
func (p *Provider) grant(ctx context.Context, m *Metadata, form url.Values) (*answer, error) {
	said, err := p.post(ctx, m.Token, form)
	if err != nil {
		return nil, err
	}
	a := &answer{Tokens{Access: said.String("access_token"), Refresh: said.String("refresh_token"), ID: said.String("id_token")}, said.String("token_type")}
	var seconds int64
	if said.Decode("expires_in", &seconds) && seconds > 0 && seconds < 1<<31 {
		a.tokens.Expires = p.c.Now().Add(time.Duration(seconds) * time.Second)
	}
	if a.tokens.Access == "" {
		return nil, refuse(Unavailable, "token endpoint: no access token")
	}
	return a, nil
}

// authenticate adds what proves who we are to a form that oauth2 does not send, and gives the user and password of Basic.
func (p *Provider) authenticate(form url.Values) (user, password string, err error) {
	proof, err := p.assertionParameters()
	if err != nil {
		return "", "", err
	}
	for name, value := range proof {
		form.Set(name, value)
	}
	if p.c.Method == ClientSecretBasic {
		return url.QueryEscape(p.c.ClientID), url.QueryEscape(p.c.Secret), nil
	}
	form.Set("client_id", p.c.ClientID)
	if p.c.Method == ClientSecretPost {
		form.Set("client_secret", p.c.Secret)
	}
	return "", "", nil
}
