package client

import (
	"slices"
	"time"
)

// A Method is how a client authenticates (OpenID Connect Core section 9, RFC 8705 section 2).
type Method string

// The methods. client_secret_jwt is not among them: it would need the secret itself on the server.
const (
	SecretBasic   Method = "client_secret_basic"
	SecretPost    Method = "client_secret_post"
	PrivateKeyJWT Method = "private_key_jwt"
	TLS           Method = "tls_client_auth"
	SelfSignedTLS Method = "self_signed_tls_client_auth"
	None          Method = "none" // a public client: nobody proves to be it, and PKCE binds its codes
)

// ProfileProSanteConnect is the profile of Pro Santé Connect as a relying party: see doc.go.
const ProfileProSanteConnect = "pro-sante-connect"

// Grant types.
const (
	AuthorizationCode = "authorization_code"
	RefreshToken      = "refresh_token"
	TokenExchange     = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// Kinds of consent.
const (
	ConsentNone  = "none"  // the establishment answers for the client
	ConsentAsk   = "ask"   // the person is asked
	ConsentTerms = "terms" // the person accepts the terms of the client
)

// A Client is a registered relying party, checked. New makes it; it is immutable and safe for concurrent use. What its
// methods return must not be changed.
type Client struct {
	registration Registration // with its defaults put in
	secrets      []secret
	subject      subject
	inline       []key // of JWKS
	session      Session
}

// ID is the client_id.
func (c *Client) ID() string { return c.registration.ID }

// Name is what a person reads, in the language, or in the first of fr, nl, de, en that there is.
func (c *Client) Name(language string) string {
	for _, l := range append([]string{language}, languages...) {
		if name := c.registration.Name[l]; name != "" {
			return name
		}
	}
	return c.registration.ID
}

var languages = []string{"fr", "nl", "de", "en"}

// Profile is the profile, or empty.
func (c *Client) Profile() string { return c.registration.Profile }

// Method is how the client authenticates.
func (c *Client) Method() Method { return c.registration.Authentication.Method }

// Public tells whether anybody may say that he is the client (RFC 6749 section 2.1).
func (c *Client) Public() bool { return c.Method() == None }

// RequireCertificate tells whether every call needs a certificate beside the secret or assertion.
func (c *Client) RequireCertificate() bool { return c.registration.Authentication.RequireCertificate }

func (c *Client) native() bool { return c.registration.ApplicationType == "native" }

// ApplicationType is "web" or "native".
func (c *Client) ApplicationType() string { return c.registration.ApplicationType }

// RedirectURIs are the registered addresses. Whether a request has one of them AllowsRedirect tells.
func (c *Client) RedirectURIs() []string { return c.registration.RedirectURIs }

// PostLogoutRedirectURIs are the registered addresses.
func (c *Client) PostLogoutRedirectURIs() []string { return c.registration.PostLogoutRedirectURIs }

// BackchannelLogoutURI is where the end of a session is told, or empty.
func (c *Client) BackchannelLogoutURI() string { return c.registration.BackchannelLogoutURI }

// BackchannelLogoutSessionRequired tells whether a logout token must have a sid.
func (c *Client) BackchannelLogoutSessionRequired() bool {
	return c.registration.BackchannelLogoutSessionRequired
}

// Consent is ConsentNone, ConsentAsk or ConsentTerms.
func (c *Client) Consent() string { return c.registration.Consent }

// TermsURL is where the terms are read; it is there with ConsentTerms.
func (c *Client) TermsURL() string { return c.registration.TermsURL }

// Scopes are those that the client may ask for.
func (c *Client) Scopes() []string { return c.registration.Scopes }

// AllowsScope tells whether the client may ask for a scope.
func (c *Client) AllowsScope(scope string) bool {
	return slices.Contains(c.registration.Scopes, scope)
}

// GrantTypes are those that the client may use.
func (c *Client) GrantTypes() []string { return c.registration.GrantTypes }

// AllowsGrant tells whether the client may use a grant type.
func (c *Client) AllowsGrant(grant string) bool {
	return slices.Contains(c.registration.GrantTypes, grant)
}

// AssertionAlgorithms are those of private_key_jwt.
func (c *Client) AssertionAlgorithms() []string { return c.registration.Authentication.Algorithms }

// JWKSURI is where the keys are fetched, or empty. Registry.Keys gives the keys.
func (c *Client) JWKSURI() string { return c.registration.JWKSURI }

// CertificateBoundAccessTokens tells whether access tokens are bound to Authentication.Thumbprint.
func (c *Client) CertificateBoundAccessTokens() bool {
	return c.registration.CertificateBoundAccessTokens
}

// IDTokenAlgorithm signs ID tokens and logout tokens.
func (c *Client) IDTokenAlgorithm() string { return c.registration.IDTokenAlgorithm }

// UserinfoAlgorithm signs userinfo; empty: it is JSON.
func (c *Client) UserinfoAlgorithm() string { return c.registration.UserinfoAlgorithm }

// RequirePAR tells whether authorization requests are pushed (RFC 9126).
func (c *Client) RequirePAR() bool { return c.registration.RequirePAR }

// RequireSignedRequestObject tells whether authorization requests are signed (RFC 9101).
func (c *Client) RequireSignedRequestObject() bool { return c.registration.RequireSignedRequestObject }

// RequestObjectAlgorithm is the only one of request objects; empty: the client sends none.
func (c *Client) RequestObjectAlgorithm() string { return c.registration.RequestObjectAlgorithm }

// RequirePKCE tells whether an authorization request needs a code_challenge. One that has it is held to it either way.
func (c *Client) RequirePKCE() bool { return *c.registration.RequirePKCE }

// IntrospectionAllowed tells whether the client may ask about tokens. Authenticate asks for it at Introspection.
func (c *Client) IntrospectionAllowed() bool { return c.registration.IntrospectionAllowed }

// Audiences are those for which the client may exchange tokens.
func (c *Client) Audiences() []string { return c.registration.Exchange.Audiences }

// AllowsAudience tells whether the client may exchange tokens for an audience.
func (c *Client) AllowsAudience(audience string) bool {
	return slices.Contains(c.registration.Exchange.Audiences, audience)
}

// TenantClaims tells whether tokens have tid and oid, by which Pro Santé Connect knows establishment and person.
func (c *Client) TenantClaims() bool { return c.Profile() == ProfileProSanteConnect }

// RetainAudit tells whether the trace of logins is kept three months at least (EXI FI 36).
func (c *Client) RetainAudit() bool { return c.Profile() == ProfileProSanteConnect }

// Session is the policy of the client for sessions of persons.
func (c *Client) Session() Session { return c.session }

// A Session is the policy of a client for sessions of persons. The zero Session admits none.
type Session struct {
	maxAge, defaultMaxAge time.Duration
	sets                  [][]string // nil: any that says how at all
	acr                   []ACRRegistration
}

// MaxAge is how old an explicit authentication may be for a request, which asks for at most asked; negative: it has no max_age.
// It is never more than the policy says (EXI FI 25).
func (s Session) MaxAge(asked time.Duration) time.Duration {
	switch {
	case asked >= 0:
		return min(asked, s.maxAge)
	case s.defaultMaxAge > 0:
		return min(s.defaultMaxAge, s.maxAge)
	}
	return s.maxAge
}

// MaxAuthenticationAge is how old an explicit authentication may be at all.
func (s Session) MaxAuthenticationAge() time.Duration { return s.maxAge }

// DefaultMaxAge is the default_max_age of the client, or zero.
func (s Session) DefaultMaxAge() time.Duration { return s.defaultMaxAge }

// Methods are the sets of which a session needs one, or nil where the client takes any.
func (s Session) Methods() [][]string { return s.sets }

// Admits tells whether an authentication with these references (amr) will do. One without references never does.
func (s Session) Admits(references []string) bool {
	if s.maxAge == 0 || len(references) == 0 {
		return false
	}
	return s.sets == nil || reached(s.sets, references)
}

// ACR is the strongest value of acr that references reach, or empty.
func (s Session) ACR(references []string) string {
	for _, a := range s.acr {
		if reached(a.Methods, references) {
			return a.Value
		}
	}
	return ""
}

// Reaches tells whether references reach a value of acr. A value that the client does not have is not reached.
func (s Session) Reaches(value string, references []string) bool {
	for _, a := range s.acr {
		if a.Value == value {
			return reached(a.Methods, references)
		}
	}
	return false
}

// ACRValues are the values of acr that the client knows, the strongest first.
func (s Session) ACRValues() []string {
	values := make([]string, len(s.acr))
	for i, a := range s.acr {
		values[i] = a.Value
	}
	return values
}

// reached tells whether references have all of one of the sets.
func reached(sets [][]string, references []string) bool {
	for _, set := range sets {
		if len(set) > 0 && !slices.ContainsFunc(set, func(r string) bool { return !slices.Contains(references, r) }) {
			return true
		}
	}
	return false
}

// PhishingResistant gives the sets of method references that resist phishing: a card with a key and a PIN, and a key that its
// device uses for this origin alone, for a person who was there and proved who he is (user and mfa: a passkey, Windows Hello),
// whether it is known to be hardware or not. A password, a code that is typed in and an approval on a telephone are in none:
// whoever is deceived gives them away. It holds as far as means say user of such keys alone; a mapping of what another provider
// says must keep to that.
func PhishingResistant() [][]string {
	return [][]string{{"sc", "pin", "mfa"}, {"user", "mfa"}}
}
