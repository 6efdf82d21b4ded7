package bridge

import (
	"net/url"
	"slices"
	"strings"
)

// GrantType is the grant of RFC 8693.
const GrantType = "urn:ietf:params:oauth:grant-type:token-exchange"

// A TokenType is one of RFC 8693 section 3. The zero TokenType is none.
type TokenType uint8

// The token types.
const (
	_ TokenType = iota
	AccessToken
	RefreshToken
	IDToken
	JWT
	SAML1
	SAML2
)

const typePrefix = "urn:ietf:params:oauth:token-type:"

var typeNames = [...]string{AccessToken: "access_token", RefreshToken: "refresh_token", IDToken: "id_token", JWT: "jwt", SAML1: "saml1", SAML2: "saml2"}

// Name gives the last part of the URN, as policies and audit write it: "access_token".
func (t TokenType) Name() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return ""
}

// String gives the URN, empty for none.
func (t TokenType) String() string {
	if name := t.Name(); name != "" {
		return typePrefix + name
	}
	return ""
}

// ParseTokenType reads a URN, compared octet by octet.
func ParseTokenType(urn string) (TokenType, bool) {
	name, ok := strings.CutPrefix(urn, typePrefix)
	if i := slices.Index(typeNames[1:], name); ok && i >= 0 {
		return TokenType(i + 1), true
	}
	return 0, false
}

// ours says whether a token of the type is a JWT that we make and read.
func (t TokenType) ours() bool { return t == AccessToken || t == IDToken || t == JWT }

// Bounds of a request. A SAML token is bounded before it is decoded.
const (
	maxTokenBytes   = 96 << 10
	maxTargets      = 8
	maxTargetBytes  = 1024
	maxScopes       = 32
	maxScopeBytes   = 2048
	maxIssuerBytes  = 512
	maxNames        = 64
	maxNameBytes    = 256
	maxRequestBytes = 256 << 10
)

// A Request is what a client asks (RFC 8693 section 2.1). ParseRequest makes it of a form; nothing in it is proven.
type Request struct {
	SubjectToken     string
	SubjectTokenType TokenType
	ActorToken       string
	ActorTokenType   TokenType
	Requested        TokenType // zero where the client did not say
	Audience         []string  // logical names, in the order given
	Resource         []string  // absolute URIs (RFC 8707)
	Scope            []string  // nil where the client did not say
	// SubjectIssuer says whose token the subject token is, where the client says so; what the token proves decides.
	SubjectIssuer string
}

// ParseRequest reads the form of a request. A parameter that stands twice is refused, whatever it is, but for audience and resource,
// which RFC 8693 lets be repeated: of two values each reader would choose its own. Parameters of other names are passed over
// (RFC 6749 section 3.2); an empty value is as none. Whether the grant_type is ours is the caller's to have asked.
func ParseRequest(form url.Values) (*Request, error) {
	if len(form) > maxNames {
		return nil, refuse(BadRequest, "too many parameters")
	}
	for name, values := range form {
		switch {
		case len(name) > maxNameBytes:
			return nil, refuse(BadRequest, "a parameter with a long name")
		case name == "audience" || name == "resource":
		case len(values) > 1:
			return nil, refuse(RepeatedParameter, "")
		}
	}
	r := &Request{
		SubjectToken: form.Get("subject_token"), ActorToken: form.Get("actor_token"), SubjectIssuer: form.Get("subject_issuer"),
	}
	if r.SubjectToken == "" {
		return nil, refuse(BadRequest, "no subject_token")
	}
	if max(len(r.SubjectToken), len(r.ActorToken)) > maxTokenBytes || len(r.SubjectIssuer) > maxIssuerBytes {
		return nil, refuse(BadRequest, "too large")
	}
	var err error
	if r.SubjectTokenType, err = typeOf(form, "subject_token_type"); err != nil {
		return nil, err
	}
	if r.SubjectTokenType == 0 {
		return nil, refuse(BadRequest, "no subject_token_type")
	}
	if r.ActorTokenType, err = typeOf(form, "actor_token_type"); err != nil {
		return nil, err
	}
	if (r.ActorToken == "") != (r.ActorTokenType == 0) { // RFC 8693 section 2.1: each needs the other
		return nil, refuse(BadRequest, "actor_token and actor_token_type go together")
	}
	// Whoever decodes an assertion reads every octet of its text.
	if r.SubjectTokenType != SAML1 && !visible(r.SubjectToken) || r.ActorTokenType != SAML1 && !visible(r.ActorToken) || !visible(r.SubjectIssuer) {
		return nil, refuse(BadRequest, "a token with what no token has")
	}
	if r.Requested, err = typeOf(form, "requested_token_type"); err != nil {
		return nil, err
	}
	if r.Audience, r.Resource, err = targetsOf(form); err != nil {
		return nil, err
	}
	if r.Scope, err = scopeOf(form.Get("scope")); err != nil {
		return nil, err
	}
	return r, nil
}

func typeOf(form url.Values, name string) (TokenType, error) {
	text := form.Get(name)
	if text == "" {
		return 0, nil
	}
	t, ok := ParseTokenType(text)
	if !ok {
		return 0, refuse(UnsupportedType, name)
	}
	return t, nil
}

func targetsOf(form url.Values) (audience, resource []string, err error) {
	keep := func(values []string) (kept []string) {
		for _, v := range values {
			if v != "" && !slices.Contains(kept, v) {
				kept = append(kept, v)
			}
		}
		return kept
	}
	if len(form["audience"])+len(form["resource"]) > maxTargets {
		return nil, nil, refuse(BadTarget, "too many")
	}
	audience, resource = keep(form["audience"]), keep(form["resource"])
	for _, v := range slices.Concat(audience, resource) {
		if len(v) > maxTargetBytes || !visible(v) {
			return nil, nil, refuse(BadTarget, "malformed")
		}
	}
	for _, v := range resource {
		// RFC 8707 section 2: an absolute URI, without a fragment.
		u, err := url.Parse(v)
		if err != nil || !u.IsAbs() || strings.Contains(v, "#") || u.User != nil {
			return nil, nil, refuse(BadTarget, "resource is not an absolute URI without fragment")
		}
	}
	return audience, resource, nil
}

// scopeOf reads a scope (RFC 6749 section 3.3): tokens with one space between, in no order.
func scopeOf(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > maxScopeBytes {
		return nil, refuse(BadScope, "too large")
	}
	var all []string
	for _, one := range strings.Split(text, " ") {
		if one == "" || !visible(one) || strings.ContainsAny(one, `"\`) {
			return nil, refuse(BadScope, "malformed")
		}
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	if len(all) > maxScopes {
		return nil, refuse(BadScope, "too many")
	}
	return all, nil
}

// visible says whether a text is of visible ASCII alone: what tokens, URIs and scopes are made of.
func visible(text string) bool {
	for i := range len(text) {
		if text[i]-'!' > '~'-'!' {
			return false
		}
	}
	return true
}
