package client

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Bounds of a registration.
const (
	maxList            = 64
	maxName            = 200
	defaultAge         = 4 * time.Hour // EXI FI 25
	maxAge             = 24 * time.Hour
	proSanteConnectAge = 4 * time.Hour
)

// A checker gathers what is wrong with one registration.
type checker struct {
	label string
	errs  []error
}

func (c *checker) wrong(key string, err error) {
	if err != nil {
		c.errs = append(c.errs, fmt.Errorf("client %s: %s: %w", c.label, key, err))
	}
}

func (c *checker) want(ok bool, key, what string) {
	if !ok {
		c.wrong(key, errors.New(what))
	}
}

// newClient checks a registration and puts its defaults in. The error joins everything that is wrong with it; label names it
// where it has no id.
func newClient(given Registration, label string, o *Options) (*Client, error) {
	c := &Client{registration: clone(given)}
	r := &c.registration
	k := &checker{label: label}
	if validID(r.ID) {
		k.label = r.ID
	} else {
		k.want(false, "id", "1 to 255 visible ASCII characters")
	}
	k.naming(r)
	k.grants(r)
	k.addresses(r)
	k.authentication(c, o)
	k.tokens(r)
	k.requests(c, o)
	c.session = k.policy(r)
	k.profile(c)
	if len(k.errs) > 0 {
		return nil, errors.Join(k.errs...)
	}
	return c, nil
}

// clone copies what a caller could change later.
func clone(r Registration) Registration {
	sets := func(given [][]string) [][]string {
		all := slices.Clone(given)
		for i := range all {
			all[i] = slices.Clone(all[i])
		}
		return all
	}
	r.Name = maps.Clone(r.Name)
	for _, list := range []*[]string{&r.RedirectURIs, &r.PostLogoutRedirectURIs, &r.Scopes, &r.GrantTypes, &r.Authentication.Algorithms, &r.Exchange.Audiences} {
		*list = slices.Clone(*list)
	}
	r.Authentication.Secrets = slices.Clone(r.Authentication.Secrets)
	r.Session.Methods = sets(r.Session.Methods)
	r.Session.ACR = slices.Clone(r.Session.ACR)
	for i := range r.Session.ACR {
		r.Session.ACR[i].Methods = sets(r.Session.ACR[i].Methods)
	}
	pkce := r.RequirePKCE == nil || *r.RequirePKCE
	r.RequirePKCE = &pkce
	return r
}

// validID: RFC 6749 appendix A.1, without a space.
func validID(id string) bool {
	return id != "" && len(id) <= 255 && !strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' })
}

func oneOf(text *string, usual string, values ...string) bool {
	if *text == "" {
		*text = usual
	}
	return *text == usual || slices.Contains(values, *text)
}

func (k *checker) naming(r *Registration) {
	k.want(len(r.Name) > 0, "name", "a name in at least one of fr, nl, de, en")
	for language, name := range r.Name {
		k.want(slices.Contains(languages, language), "name."+language, "the languages are fr, nl, de, en")
		k.want(strings.TrimSpace(name) != "" && len(name) <= maxName && !strings.ContainsFunc(name, func(c rune) bool {
			return c < ' ' || c == 0x7f || c == 0xfffd || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069
		}),
			"name."+language, "1 to 200 octets without control characters")
	}
	k.want(oneOf(&r.Profile, "", ProfileProSanteConnect), "profile", "the profile is "+ProfileProSanteConnect+", or none")
	k.want(oneOf(&r.ApplicationType, "web", "native"), "application-type", "web or native")
	k.want(oneOf(&r.Consent, ConsentNone, ConsentAsk, ConsentTerms), "consent", "none, ask or terms")
	if r.TermsURL != "" {
		k.wrong("terms-url", checkHTTPS(r.TermsURL))
	}
	k.want(r.Consent != ConsentTerms || r.TermsURL != "", "terms-url", "consent to terms needs their address")
}

func (k *checker) grants(r *Registration) {
	if len(r.GrantTypes) == 0 {
		r.GrantTypes = []string{AuthorizationCode}
	}
	k.distinct("grant-types", r.GrantTypes)
	for _, g := range r.GrantTypes {
		k.want(g == AuthorizationCode || g == RefreshToken || g == TokenExchange, "grant-types", fmt.Sprintf("%q is none of authorization_code, refresh_token and %s", g, TokenExchange))
	}
	code, exchange := slices.Contains(r.GrantTypes, AuthorizationCode), slices.Contains(r.GrantTypes, TokenExchange)
	k.want(code || exchange || !slices.Contains(r.GrantTypes, RefreshToken), "grant-types", "refresh_token goes with authorization_code or the token exchange: there is nothing to refresh otherwise")
	if len(r.Scopes) == 0 && code {
		r.Scopes = []string{"openid"}
	}
	k.distinct("scopes", r.Scopes)
	for _, s := range r.Scopes {
		k.want(s != "" && len(s) <= 255 && !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' }),
			"scopes", fmt.Sprintf("%q is no scope (RFC 6749 section 3.3)", s))
	}
	k.want(exchange == (len(r.Exchange.Audiences) > 0), "exchange.audiences", "the token exchange needs audiences, and audiences the grant type of the token exchange")
	k.distinct("exchange.audiences", r.Exchange.Audiences)
}

func (k *checker) distinct(key string, list []string) {
	k.want(len(list) <= maxList, key, "at most 64")
	seen := map[string]bool{}
	for _, text := range list {
		k.want(text != "", key, "an empty one")
		k.want(!seen[text], key, fmt.Sprintf("%q stands twice", text))
		seen[text] = true
	}
}

func (k *checker) addresses(r *Registration) {
	native := r.ApplicationType == "native"
	code := slices.Contains(r.GrantTypes, AuthorizationCode)
	k.want(!code || len(r.RedirectURIs) > 0, "redirect-uris", "authorization_code needs at least one")
	k.want(code || len(r.RedirectURIs) == 0, "redirect-uris", "nobody is redirected without authorization_code")
	for key, list := range map[string][]string{"redirect-uris": r.RedirectURIs, "post-logout-redirect-uris": r.PostLogoutRedirectURIs} {
		k.distinct(key, list)
		for _, uri := range list {
			if err := checkRedirect(uri, native); err != nil {
				k.wrong(key, fmt.Errorf("%q: %w", uri, err))
			}
		}
	}
	if r.BackchannelLogoutURI != "" {
		k.wrong("backchannel-logout-uri", checkHTTPS(r.BackchannelLogoutURI))
	}
	k.want(r.BackchannelLogoutURI != "" || !r.BackchannelLogoutSessionRequired, "backchannel-logout-session-required", "goes with backchannel-logout-uri")
}

func (k *checker) authentication(c *Client, o *Options) {
	r := &c.registration
	a := &r.Authentication
	secrets, certificate, keys := false, a.RequireCertificate, r.RequestObjectAlgorithm != ""
	switch a.Method {
	case SecretBasic, SecretPost:
		secrets = true
	case PrivateKeyJWT:
		keys = true
	case TLS:
		certificate = true
		k.want(!a.RequireCertificate, "authentication.require-certificate", "tls_client_auth is a certificate")
	case SelfSignedTLS:
		keys = true
		k.want(!a.RequireCertificate, "authentication.require-certificate", "self_signed_tls_client_auth is a certificate")
	case None:
		k.want(!a.RequireCertificate, "authentication.require-certificate", "a public client shows none: that is tls_client_auth")
	case "":
		k.want(false, "authentication.method", "it must be said how the client authenticates")
	default:
		k.want(false, "authentication.method", fmt.Sprintf("%q is none of client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth, self_signed_tls_client_auth and none", a.Method))
	}
	k.want(secrets || len(a.Secrets) == 0, "authentication.secrets", "the method has no secret")
	k.want(!secrets || len(a.Secrets) > 0 && len(a.Secrets) <= maxSecrets, "authentication.secrets", "one secret, or two while it is replaced")
	for i, given := range a.Secrets[:min(len(a.Secrets), maxSecrets)] {
		s, err := readSecret(given, r.ID, o.SecretKey)
		k.wrong(fmt.Sprintf("authentication.secrets.%d", i+1), err)
		c.secrets = append(c.secrets, s)
	}
	k.want(len(c.secrets) < 2 || c.secrets[0].digest != c.secrets[1].digest || c.secrets[0].keyed != c.secrets[1].keyed, "authentication.secrets", "the same secret twice")

	if certificate {
		s, key, err := readSubject(a.Certificate)
		k.wrong(strings.TrimSuffix("authentication.certificate."+key, "."), err)
		c.subject = s
		k.want(o.Certificates != nil, "authentication", "certificates of clients are decided by a verifier, and there is none")
	} else {
		k.want(a.Certificate.isZero(), "authentication.certificate", "the method asks for no certificate")
	}

	if a.Method == PrivateKeyJWT {
		if len(a.Algorithms) == 0 {
			a.Algorithms = []string{"PS256", "ES256"}
		}
		k.distinct("authentication.algorithms", a.Algorithms)
		for _, alg := range a.Algorithms {
			k.want(algorithms[alg] != "", "authentication.algorithms", fmt.Sprintf("%q is none of RS256, PS256, ES256 and their longer kin", alg))
		}
	} else {
		k.want(len(a.Algorithms) == 0, "authentication.algorithms", "goes with private_key_jwt")
		k.want(!a.IssuerAudienceOnly, "authentication.issuer-audience-only", "goes with private_key_jwt")
	}

	k.want(r.JWKS == "" || r.JWKSURI == "", "jwks", "jwks or jwks-uri, not both")
	k.want(!keys || r.JWKS != "" || r.JWKSURI != "", "jwks", "the keys of the client are needed: jwks or jwks-uri")
	if r.JWKS != "" {
		inline, err := readKeys([]byte(r.JWKS), true)
		k.wrong("jwks", err)
		c.inline = inline
	}
	if r.JWKSURI != "" {
		k.wrong("jwks-uri", checkHTTPS(r.JWKSURI))
		k.want(o.HTTP != nil, "jwks-uri", "keys are fetched by nobody here: jwks")
	}
	if a.Method == PrivateKeyJWT && len(c.inline) > 0 {
		k.want(slices.ContainsFunc(c.inline, func(key key) bool {
			return slices.ContainsFunc(a.Algorithms, key.fits)
		}), "jwks", "none of the keys is for one of the algorithms")
	}
}

func (k *checker) tokens(r *Registration) {
	k.want(oneOf(&r.IDTokenAlgorithm, "RS256", "ES256", "PS256"), "id-token-algorithm", "RS256, ES256 or PS256")
	k.want(oneOf(&r.UserinfoAlgorithm, "", "RS256", "ES256", "PS256"), "userinfo-algorithm", "RS256, ES256 or PS256, or none")
	k.want(*r.RequirePKCE || r.Authentication.Method != None, "require-pkce", "a public client needs PKCE (RFC 9700 section 2.1.1)")
	k.want(!r.IntrospectionAllowed || r.Authentication.Method != None, "introspection-allowed", "a public client asks about no tokens (RFC 7662 section 2.1)")
	k.want(!slices.Contains(r.GrantTypes, TokenExchange) || r.Authentication.Method != None, "grant-types", "a public client exchanges no tokens")
}

func (k *checker) requests(c *Client, o *Options) {
	r := &c.registration
	k.want(r.RequestObjectAlgorithm == "" || algorithms[r.RequestObjectAlgorithm] != "", "request-object-algorithm", "RS256, PS256, ES256 or their longer kin")
	k.want(!r.RequireSignedRequestObject || r.RequestObjectAlgorithm != "", "request-object-algorithm", "signed request objects need their algorithm")
	if r.RequestObjectAlgorithm != "" && len(c.inline) > 0 {
		k.want(slices.ContainsFunc(c.inline, func(key key) bool { return key.fits(r.RequestObjectAlgorithm) }), "jwks", "none of the keys is for request-object-algorithm")
	}
}

func (k *checker) policy(r *Registration) Session {
	s := &r.Session
	limit := maxAge
	if r.Profile == ProfileProSanteConnect {
		limit = proSanteConnectAge
	}
	if s.MaxAuthenticationAge == 0 {
		s.MaxAuthenticationAge = defaultAge
	}
	k.want(s.MaxAuthenticationAge >= time.Second && s.MaxAuthenticationAge <= limit, "session.max-authentication-age", fmt.Sprintf("from 1s to %s", limit))
	k.want(s.DefaultMaxAge >= 0 && s.DefaultMaxAge <= s.MaxAuthenticationAge && s.DefaultMaxAge%time.Second == 0, "session.default-max-age", "whole seconds, at most max-authentication-age")
	k.sets("session.methods", s.Methods)
	if len(s.Methods) == 0 && r.Profile == ProfileProSanteConnect {
		s.Methods = PhishingResistant()
	}
	values := []string{}
	for i, a := range s.ACR {
		key := fmt.Sprintf("session.acr.%d", i+1)
		k.want(a.Value != "" && len(a.Value) <= 255 && !strings.ContainsFunc(a.Value, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' }), key, "a value without a space")
		k.want(len(a.Methods) > 0, key, "a value that nothing reaches")
		k.sets(key, a.Methods)
		values = append(values, a.Value)
	}
	k.distinct("session.acr", values)
	policy := Session{maxAge: s.MaxAuthenticationAge, defaultMaxAge: s.DefaultMaxAge, acr: s.ACR}
	if len(s.Methods) > 0 {
		policy.sets = s.Methods
	}
	return policy
}

func (k *checker) sets(key string, sets [][]string) {
	k.want(len(sets) <= maxList, key, "at most 64 sets")
	for _, set := range sets {
		k.want(len(set) > 0, key, "an empty set would admit whatever there is")
		k.distinct(key, set)
		for _, r := range set {
			k.want(!strings.ContainsFunc(r, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' }), key, fmt.Sprintf("%q is no method reference", r))
		}
	}
}

// profile asks for what Pro Santé Connect needs of its identity providers.
func (k *checker) profile(c *Client) {
	r := &c.registration
	if r.Profile != ProfileProSanteConnect {
		return
	}
	const with = " with the profile " + ProfileProSanteConnect
	k.want(r.IDTokenAlgorithm == "RS256", "id-token-algorithm", "RS256"+with)
	k.want(r.UserinfoAlgorithm == "" || r.UserinfoAlgorithm == "RS256", "userinfo-algorithm", "RS256 or none"+with)
	k.want(r.ApplicationType == "web", "application-type", "web"+with)
	k.want(slices.Contains(r.GrantTypes, AuthorizationCode), "grant-types", "authorization_code"+with+" (EXI FI 15)")
	k.want(r.Authentication.Method != None && r.Authentication.Method != SelfSignedTLS, "authentication.method", "a secret, an assertion or a certificate of an authority"+with+" (EXI FI 17 and 18)")
}
