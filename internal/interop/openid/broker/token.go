package broker

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// verified gives the claims of a token that the provider signed. Keys are fetched when they are needed first, and again when a token
// names one that is unknown: so a provider may change its keys.
func (b *Broker) verified(ctx context.Context, token string) ([]byte, error) {
	// Older versions of Keycloak verify RSA alone here.
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil, err
	}
	if len(signed.Signatures) != 1 {
		return nil, errors.New("not one signature")
	}
	id := signed.Signatures[0].Header.KeyID
	found := b.keys.Key(id)
	if len(found) == 0 {
		b.Fetched++
		b.keys = jose.JSONWebKeySet{}
		if err := b.get(ctx, b.metadata.Keys, &b.keys); err != nil {
			return nil, err
		}
		found = b.keys.Key(id)
	}
	if len(found) != 1 || !found[0].Valid() || found[0].Use != "sig" {
		return nil, errors.New("a key that the provider does not publish")
	}
	return signed.Verify(found[0].Key)
}

// idToken judges the ID token, and what the access token has to say too.
func (b *Broker) idToken(ctx context.Context, f *Flow, i *Identity) error {
	payload, err := b.verified(ctx, i.IDToken)
	if err != nil {
		return &Refusal{Signature, err}
	}
	var claims struct {
		Issuer   string           `json:"iss"`
		Audience jwt.Audience     `json:"aud"`
		Party    string           `json:"azp"`
		Expires  *jwt.NumericDate `json:"exp"`
		Nonce    string           `json:"nonce"`
		Subject  string           `json:"sub"`
		Object   string           `json:"oid"`
		Tenant   string           `json:"tid"`
		AuthTime *jwt.NumericDate `json:"auth_time"`
		Methods  []string         `json:"amr"`
	}
	if err := errors.Join(json.Unmarshal(payload, &claims), json.Unmarshal(payload, &i.Claims)); err != nil {
		return &Refusal{Signature, err}
	}
	now := b.config.Now()
	switch {
	case claims.Issuer == "" || !slices.Contains(b.config.Issuers, claims.Issuer):
		return refuse(Issuer, "%q", claims.Issuer)
	case !claims.Audience.Contains(b.config.ClientID):
		return refuse(Audience, "%q", claims.Audience)
	case claims.Party != "" && claims.Party != b.config.ClientID:
		return refuse(Party, "%q", claims.Party)
	case claims.Expires == nil || !now.Before(claims.Expires.Time().Add(b.config.Skew)):
		return refuse(Expired, "%v", claims.Expires)
	case claims.Nonce != f.Nonce:
		return refuse(Nonce, "another")
	case claims.Subject == "" || claims.Object == "":
		return refuse(Subject, "not both")
	case !slices.Contains(b.config.Tenants, claims.Tenant):
		return refuse(Tenant, "%q", claims.Tenant)
	case claims.AuthTime == nil || !now.Before(claims.AuthTime.Time().Add(mostAge)) || claims.AuthTime.Time().After(now.Add(b.config.Skew)):
		return refuse(AuthTime, "%v", claims.AuthTime)
	case !b.agreed(claims.Methods):
		return refuse(Methods, "%q for %s", claims.Methods, b.config.Hint)
	}
	i.Issuer, i.Subject, i.Tenant, i.Methods, i.AuthTime = claims.Issuer, claims.Subject, claims.Tenant, claims.Methods, claims.AuthTime.Time().In(time.UTC)
	payload, err = b.verified(ctx, i.AccessToken)
	if err == nil {
		err = json.Unmarshal(payload, &i.AccessClaims)
	}
	if err != nil {
		return &Refusal{AccessToken, err}
	}
	if text(i.AccessClaims, "tid") != claims.Tenant || text(i.AccessClaims, "oid") != claims.Object {
		return refuse(AccessToken, "others than in the ID token")
	}
	return nil
}
