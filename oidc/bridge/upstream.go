package bridge

import (
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/oidc/authn"
	"sceau/soap"
)

// proveUpstream proves an access token of an upstream by asking its provider (ANS, IG API Pro Santé Connectée). The client is the one
// that its certificate names, and the provider's token was issued to a client of which that is known to be the same.
func (e *exchange) proveUpstream(u *Upstream, h holder) (proven, error) {
	if !e.client.ByCertificate {
		return proven{}, refuse(NotByCertificate, "")
	}
	t, err := u.Introspector.Introspect(e.ctx, e.request.SubjectToken, e.now)
	switch {
	case errors.Is(err, ErrToken):
		return proven{}, refuseFor(BadSubjectToken, err)
	case err != nil:
		return proven{}, refuseFor(Unavailable, err)
	case t == nil || t.Subject == "":
		return proven{}, refuse(BadSubjectToken, "no sub")
	case t.Issuer != u.Issuer: // attacks.md O1
		return proven{}, refuse(WrongIssuer, "")
	}
	ref := &e.event.SubjectToken
	ref.Issuer, ref.ID, ref.Expires = t.Issuer, t.ID, t.Expires
	switch {
	case !t.Expires.After(e.now):
		return proven{}, refuse(SubjectTokenExpired, "")
	case t.NotBefore.After(e.now):
		return proven{}, refuse(SubjectTokenNotYetValid, "")
	case t.ClientID == "" || !slices.Contains(u.Parties[t.ClientID], e.client.ID):
		return proven{}, refuse(WrongClient, "")
	case t.Confirmation == "" && u.Confirmed:
		return proven{}, refuse(Unbound, "")
	case t.Confirmation != "" && t.Confirmation != h.thumbprint:
		return proven{}, refuse(HolderMismatch, "")
	case t.AuthTime.IsZero():
		return proven{}, refuse(NoAuthentication, "")
	case !slices.Contains(u.Levels, t.Level):
		return proven{}, refuse(WeakAuthentication, "")
	}
	if len(t.Methods) == 0 {
		said := *t
		said.Methods = slices.Clone(u.References[t.Level])
		t = &said
	}
	p := proven{token: *t, end: e.now.Add(u.Lifetime), identifiers: []authn.Identifier{{Type: "sub", Authority: u.Issuer, Value: t.Subject}}}
	p.token.Subject = "" // his, not ours
	p.token.Actor, p.token.MayAct = nil, nil
	for i := range e.x.config.Claims {
		claim := &e.x.config.Claims[i]
		if text, ok := t.Claims[claim.Name].(string); ok && claim.Identifier != "" {
			if id, err := authn.Name(claim.Identifier, text, u.Issuer); err == nil {
				p.identifiers = append(p.identifiers, id)
			}
		}
	}
	return p, nil
}

// once takes the token of an upstream out of use, by its jti, since the text of a token may be written in several ways; of one without, by its text.
func (e *exchange) once(p *proven) error {
	ref := &e.event.SubjectToken
	name := "text\x00" + ref.Issuer + "\x00" + e.request.SubjectToken
	if ref.ID != "" {
		name = "jti\x00" + ref.Issuer + "\x00" + ref.ID
	}
	digest := sha256.Sum256([]byte(name))
	err := e.x.config.Once.Remember(digest, p.token.Expires, e.now)
	switch {
	case errors.Is(err, soap.ErrReplayed):
		return refuse(AlreadyExchanged, "")
	case err != nil:
		return refuseFor(Unavailable, err)
	}
	return nil
}

// maxSelfIssued is how far from now the end of a JWT may be that a client signs itself.
const maxSelfIssued = time.Hour

// proveSelfIssued proves the actor token of the ANS's profile: a JWT in which the software says of itself what it is (iss, exp, sub, lps_nom…).
// The profile does not say by which key it is signed: here it is that of the certificate of the connection, and the issuer is the client.
func (e *exchange) proveSelfIssued(u *Upstream, h holder) (map[string]any, *Actor, time.Time, error) {
	bad := func(err error) (map[string]any, *Actor, time.Time, error) {
		return nil, nil, time.Time{}, refuseFor(BadActorToken, err)
	}
	e.event.ActorToken.Type = e.request.ActorTokenType
	if t := e.request.ActorTokenType; t != JWT && t != AccessToken {
		return nil, nil, time.Time{}, refuse(UnsupportedType, "actor_token_type")
	}
	algorithms := algorithmsOf(h.identity.PublicKey())
	payload, err := open(e.request.ActorToken, func(head *header) (any, jose.SignatureAlgorithm, error) {
		if !slices.Contains(algorithms, head.Algorithm) || head.Type != "" && head.Type != "JWT" && head.Type != "at+jwt" {
			return nil, "", errors.New("algorithm or type that is not admitted")
		}
		return h.identity.PublicKey(), head.Algorithm, nil
	})
	if err != nil {
		return bad(err)
	}
	t, err := readClaims(payload)
	if err != nil {
		return bad(err)
	}
	switch {
	case t.Issuer != e.client.ID || t.Subject == "":
		return bad(errors.New("iss is not the client, or no sub"))
	case len(t.Audience) > 0 && !slices.Contains(t.Audience, e.x.config.Issuer):
		return bad(errors.New("for another audience"))
	case !t.Expires.After(e.now) || t.Expires.After(e.now.Add(maxSelfIssued)) || t.NotBefore.After(e.now):
		return bad(errors.New("not valid now, or for longer than an hour"))
	}
	ref := &e.event.ActorToken
	ref.Issuer, ref.ID, ref.Expires = t.Issuer, t.ID, t.Expires
	claims := map[string]any{}
	for _, name := range u.ActorClaims {
		if value, ok := t.Claims[name]; ok {
			claims[name] = value
		}
	}
	// It is a statement of the software about itself, made anew at each call, not a credential with a life of its own: the result does not end with it.
	return claims, &Actor{Subject: t.Subject, Issuer: t.Issuer}, e.now.Add(u.Lifetime), nil
}
