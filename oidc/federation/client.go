package federation

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"sceau/oidc/internal/strictjson"
)

const (
	relyingParty = "openid_relying_party"
	mediaKeys    = "application/jwk-set+jwt"
)

// A Registration is a relying party as which an entity registers by being named (12.1), until ExpiresAt. Only a Resolver makes it.
type Registration struct {
	*Resolved
	// Client are its client metadata after policy, in JSON: client_id is the entity, the keys stand in jwks whatever way the entity
	// publishes them, and require_signed_request_object is true, since who names a relying party proves that he has its keys (12.1.1).
	Client []byte
}

// asymmetric are the ways to authenticate for which nothing secret was agreed on. Automatic registration agrees on no secret.
var asymmetric = []string{"private_key_jwt", "self_signed_tls_client_auth", "tls_client_auth"}

// Client resolves a relying party that registers automatically, and keeps it as Resolve does. tokens are the trust chain that it sent in
// the header of its request object, or nil; with them nothing is fetched, but keys that are published by an address and what trust
// marks need, and nothing is kept.
func (r *Resolver) Client(ctx context.Context, entity string, tokens []string) (*Registration, error) {
	if _, err := identified(entity); err != nil {
		return nil, err
	}
	var v *Resolved
	var err error
	if len(tokens) > 0 {
		v, err = r.sent(ctx, entity, relyingParty, tokens, r.register)
	} else {
		v, err = r.kept.get(ctx, question{entity, relyingParty, true}, func(ctx context.Context) (*Resolved, error) {
			return r.fresh(ctx, entity, relyingParty, r.register)
		})
	}
	if err != nil {
		return nil, err
	}
	return &Registration{Resolved: v, Client: v.client}, nil
}

// register makes the client metadata of a relying party that was resolved.
func (r *Resolver) register(ctx context.Context, b *budget, v *Resolved) error {
	entity := v.Entity
	m := maps.Clone(v.Metadata[relyingParty])
	if types, _, err := claims(m).texts("client_registration_types"); err != nil || !slices.Contains(types, "automatic") {
		return refuse(NotClient, entity, "does not register automatically")
	}
	if uris, _, err := claims(m).texts("redirect_uris"); err != nil || len(uris) == 0 {
		return refuse(NotClient, entity, "no redirect_uris")
	}
	if method, _, err := claims(m).text("token_endpoint_auth_method"); err != nil || !slices.Contains(asymmetric, method) {
		return refuse(NotClient, entity, "token_endpoint_auth_method %.40q", method)
	}
	if id, there := m["client_id"]; there && id != entity {
		return refuse(NotClient, entity, "client_id is another")
	}
	set, err := r.clientKeys(ctx, b, v, m)
	if err != nil {
		return err
	}
	delete(m, "jwks_uri")
	delete(m, "signed_jwks_uri")
	delete(m, "client_secret")
	for name, standard := range map[string]string{"grant_types": "authorization_code", "response_types": "code"} { // Registration 1.0, 2
		if _, there := m[name]; !there {
			m[name] = []any{standard}
		}
	}
	m["jwks"] = set
	m["client_id"] = entity
	m["require_signed_request_object"] = true
	if v.client, err = json.Marshal(m); err != nil {
		return &Error{Reason: Malformed, Entity: entity, Cause: err}
	}
	return nil
}

// clientKeys reads the keys of a relying party (5.2.1): those in its metadata, else those at an address, signed or not.
func (r *Resolver) clientKeys(ctx context.Context, b *budget, v *Resolved, m claims) (any, error) {
	if set, there := m["jwks"]; there {
		return usable(v.Entity, set)
	}
	if address, there, err := m.text("signed_jwks_uri"); err != nil {
		return nil, &Error{Reason: NotClient, Entity: v.Entity, Cause: err}
	} else if there {
		raw, err := r.fetcher.get(ctx, b, address, mediaKeys)
		if err != nil {
			return nil, named(err, v.Entity)
		}
		return r.signedKeys(raw, v)
	}
	address, there, err := m.text("jwks_uri")
	if err != nil || !there {
		return nil, refuse(NotClient, v.Entity, "has no keys")
	}
	raw, err := r.fetcher.get(ctx, b, address, "application/json")
	if reasonOf(err) == Unreachable { // RFC 7517 8.5.2 has a media type of its own
		raw, err = r.fetcher.get(ctx, b, address, "application/jwk-set+json")
	}
	if err != nil {
		return nil, named(err, v.Entity)
	}
	o, err := strictjson.Object([]byte(raw))
	if err != nil {
		return nil, &Error{Reason: Malformed, Entity: v.Entity, Cause: err}
	}
	return usable(v.Entity, o)
}

func (r *Resolver) signedKeys(raw string, v *Resolved) (any, error) {
	t, err := read(raw, typeKeys)
	if err != nil {
		return nil, named(err, v.Entity)
	}
	if err := t.verify(v.keys); err != nil {
		return nil, named(err, v.Entity)
	}
	iss, _, err := t.claims.text("iss")
	sub, _, err2 := t.claims.text("sub")
	if err != nil || err2 != nil || iss != v.Entity || sub != v.Entity {
		return nil, refuse(BadIssuer, v.Entity, "keys of %.200q about %.200q", iss, sub)
	}
	if _, _, err := t.times(r.now(), false); err != nil {
		return nil, named(err, v.Entity)
	}
	return usable(v.Entity, map[string]any{"keys": t.claims["keys"]})
}

// usable refuses a set without a key, and one with a secret in it.
func usable(entity string, set any) (any, error) {
	if s, err := keys(set); err != nil || len(s) == 0 {
		return nil, refuse(NotClient, entity, "no keys that verify signatures")
	}
	return set, nil
}
