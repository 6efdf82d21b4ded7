package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	strict "github.com/go-jose/go-jose/v4/json"
	"github.com/go-jose/go-jose/v4/jwt"

	"sceau/oidc/client"
)

// A hinted token is an ID token of ours that a client shows, in which it means a person or a session.
type hinted struct {
	jwt.Claims
	SID string `json:"sid"`
}

// maxToken bounds a token that is shown, in octets.
const maxToken = 16 << 10

// hinted verifies an id_token_hint. It may have expired (OpenID Connect Core section 3.1.2.1, RP-Initiated Logout section 2): it opens
// nothing, and says who is meant. An empty client takes that of the token.
func (p *Provider) hinted(text, clientID string) (*hinted, error) {
	if len(text) > maxToken {
		return nil, errors.New("too long")
	}
	algorithms := make([]jose.SignatureAlgorithm, 0, 3)
	for _, a := range p.keys.algorithms() {
		algorithms = append(algorithms, jose.SignatureAlgorithm(a))
	}
	t, err := jwt.ParseSigned(text, algorithms)
	if err != nil {
		return nil, err
	}
	if len(t.Headers) != 1 {
		return nil, errors.New("several signatures")
	}
	header := t.Headers[0]
	if kind, _ := header.ExtraHeaders[jose.HeaderType].(string); kind != "" && !strings.EqualFold(kind, "JWT") {
		return nil, errors.New("not an ID token") // an access token is at+jwt, a logout token logout+jwt (RFC 8725 section 3.11)
	}
	keys := p.keys.public()
	i := slices.IndexFunc(keys.Keys, func(k jose.JSONWebKey) bool { return k.KeyID == header.KeyID && k.Algorithm == header.Algorithm })
	if i < 0 {
		return nil, errors.New("no key of ours")
	}
	h := &hinted{}
	if err := t.Claims(keys.Keys[i].Key, h); err != nil {
		return nil, err
	}
	if h.Expiry == nil { // userinfo that is signed has no end
		return nil, errors.New("not an ID token")
	}
	if h.Issuer != p.config.Issuer || h.Subject == "" || len(h.Audience) != 1 || clientID != "" && h.Audience[0] != clientID {
		return nil, errors.New("of another issuer, or for another client")
	}
	return h, nil
}

// objectLifetime bounds how long a request object is good, objectLeeway how far the clock of a client may be from ours.
const (
	objectLifetime = 10 * time.Minute
	objectLeeway   = 30 * time.Second
)

// requestObject verifies a request object (RFC 9101, OpenID Connect Core section 6) and makes its claims the parameters of the
// request. What stands beside it is not read: nobody signed that.
func (p *Provider) requestObject(ctx context.Context, c *client.Client, form url.Values, object string) *parameterError {
	wrong := func(text string) *parameterError { return &parameterError{code: "invalid_request_object", text: text} }
	algorithms, keysOf := []jose.SignatureAlgorithm{jose.SignatureAlgorithm(c.RequestObjectAlgorithm())}, p.config.Clients.Keys
	party := partyOf(ctx)
	if party != nil {
		algorithms, keysOf = party.algorithms, party.registry.Keys
	}
	if algorithms[0] == "" {
		return &parameterError{code: "request_not_supported", text: "the client has no request_object_signing_alg"}
	}
	if len(object) > maxToken {
		return wrong("too long")
	}
	t, err := jwt.ParseSigned(object, algorithms)
	if err != nil || len(t.Headers) != 1 {
		return wrong(fmt.Sprintf("not a JWT signed with one of %s", algorithms))
	}
	header := t.Headers[0]
	if kind, said := header.ExtraHeaders[jose.HeaderType]; said {
		if text, _ := kind.(string); !slices.Contains([]string{"oauth-authz-req+jwt", "jwt"}, strings.ToLower(strings.TrimPrefix(text, "application/"))) {
			return wrong("of another type")
		}
	}
	keys, err := keysOf(ctx, c, header.Algorithm, header.KeyID)
	if err != nil {
		return wrong("no keys of the client")
	}
	var registered jwt.Claims
	parameters := map[string]any{}
	verified := slices.ContainsFunc(keys, func(k jose.JSONWebKey) bool { return t.Claims(k.Key, &registered, &parameters) == nil })
	if !verified {
		return wrong("its signature is not the client's")
	}
	now := time.Now()
	expected := jwt.Expected{Issuer: c.ID(), AnyAudience: jwt.Audience{p.config.Issuer}, Time: now}
	if err := registered.ValidateWithLeeway(expected, objectLeeway); err != nil {
		return wrong("iss, aud or its time is not as it must be")
	}
	if registered.Expiry == nil || registered.Expiry.Time().Sub(now) > objectLifetime {
		return wrong("exp is missing or too far away")
	}
	if registered.Subject == c.ID() { // RFC 9101 section 10.8: it would authenticate the client, whoever picks it up in a browser
		return wrong("sub is the client, as in an assertion")
	}
	if party != nil { // OpenID Federation 12.1.1.1: it alone says who asks
		if _, there := parameters["sub"]; there {
			return wrong("sub stands in it")
		}
		if len(registered.Audience) != 1 {
			return wrong("aud is not the issuer alone")
		}
		if registered.ID == "" {
			return wrong("jti is missing")
		}
	}
	if registered.ID != "" {
		if err := p.firstObject(ctx, c, registered.ID, registered.Expiry.Time()); err != nil {
			return wrong("it came before")
		}
	}
	if id, _ := parameters["client_id"].(string); id != c.ID() || form.Get("client_id") != "" && form.Get("client_id") != c.ID() {
		return wrong("client_id is another's")
	}
	clear(form)
	for name, value := range parameters {
		switch name {
		case "iss", "aud", "exp", "nbf", "iat", "jti", "sub":
			continue
		case "request", "request_uri":
			return wrong("it contains another")
		}
		switch v := value.(type) {
		case string:
			form.Set(name, v)
		case float64:
			form.Set(name, strconv.FormatFloat(v, 'f', -1, 64))
		case map[string]any:
			text, err := json.Marshal(v)
			if err != nil {
				return wrong("a parameter cannot be read")
			}
			form.Set(name, string(text))
		default:
			return wrong("a parameter is of a type that none has")
		}
	}
	return nil
}

// firstObject refuses a request object that came before, until its end. A client makes them for anybody, and they count for it.
func (p *Provider) firstObject(ctx context.Context, c *client.Client, id string, end time.Time) error {
	const kind = "jti"
	name, until := c.ID()+"\x00"+id, end.Add(2*objectLeeway) // nobody takes it so late
	key := p.state.key(kind, name)
	if err := callOf(ctx).refused(p.state.strangers.take(key, p.state.client(c.ID()), entry{value: []byte{1}}.size(key), until)); err != nil {
		return err
	}
	first, err := p.state.once(ctx, kind, name, until)
	if err == nil && !first {
		err = errors.New("oidc: an identifier that was used before")
	}
	return err
}

// A wishedClaim is what a claims parameter says of one claim.
type wishedClaim struct {
	Essential bool     `json:"essential,omitempty"`
	Value     string   `json:"value,omitempty"`
	Values    []string `json:"values,omitempty"`
}

// wishes reads a claims parameter (OpenID Connect Core section 5.5). Of the ID token it keeps acr, which may be a condition, and sub,
// which says who is meant; all else changes nothing of what a client gets. The library forgets the whole of a parameter of which it cannot
// read a member, and with it the condition: what is kept is read here, or refused.
func wishes(text string) (acr, sub *wishedClaim, err error) {
	// This reader takes members by their exact names, and none twice.
	var all map[string]map[string]strict.RawMessage
	if err := strict.Unmarshal([]byte(text), &all); err != nil || all == nil {
		return nil, nil, errors.New("not an object of claims")
	}
	read := func(name string) (*wishedClaim, error) {
		text := all["id_token"][name]
		if text == nil || string(text) == "null" {
			return nil, nil
		}
		w := &wishedClaim{}
		if err := strict.Unmarshal(text, w); err != nil {
			return nil, errors.New("not what is said of a claim")
		}
		return w, nil
	}
	if acr, err = read("acr"); err != nil {
		return nil, nil, err
	}
	sub, err = read("sub")
	return acr, sub, err
}

// wished makes of a claims parameter what the library shall see, and gives the person whom the client means by it.
func wished(form url.Values) (subject string, err error) {
	acr, sub, err := wishes(form.Get("claims"))
	if err != nil {
		return "", err
	}
	form.Del("claims")
	if acr != nil {
		text, err := json.Marshal(map[string]any{"id_token": map[string]any{"acr": acr}})
		if err != nil {
			return "", err
		}
		form.Set("claims", string(text))
	}
	switch {
	case sub == nil:
		return "", nil
	case sub.Values != nil:
		return "", errors.New("sub is one person")
	}
	return sub.Value, nil
}
