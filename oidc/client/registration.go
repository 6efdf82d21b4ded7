package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"go.yaml.in/yaml/v3"
)

// A Registration is what the configuration says of one client. It is data: New checks it and makes a Client of it.
type Registration struct {
	// ID is the client_id: 1 to 255 printable ASCII characters without a space. Required.
	ID string `yaml:"id"`
	// Name is what a person reads on the pages, by language: fr, nl, de, en. At least one is required.
	Name map[string]string `yaml:"name"`
	// Profile fixes what a platform demands: empty, or ProfileProSanteConnect.
	Profile string `yaml:"profile"`
	// ApplicationType is "web" (the default) or "native". Only a native client may be sent to its own machine.
	ApplicationType string `yaml:"application-type"`

	// RedirectURIs are compared as they stand. Those of a native client on a loopback address without a port match any port
	// (RFC 8252 section 7.3).
	RedirectURIs []string `yaml:"redirect-uris"`
	// PostLogoutRedirectURIs are compared as they stand, for RP-initiated logout.
	PostLogoutRedirectURIs []string `yaml:"post-logout-redirect-uris"`
	// BackchannelLogoutURI is told of the end of sessions; BackchannelLogoutSessionRequired puts sid into what it is told.
	BackchannelLogoutURI             string `yaml:"backchannel-logout-uri"`
	BackchannelLogoutSessionRequired bool   `yaml:"backchannel-logout-session-required"`

	// Consent is "none" (the default: the establishment answers for the client), "ask", or "terms", which needs TermsURL.
	Consent  string `yaml:"consent"`
	TermsURL string `yaml:"terms-url"`

	// Scopes are those that the client may ask for. Empty is openid alone, where there is a grant for persons.
	Scopes []string `yaml:"scopes"`
	// GrantTypes are authorization_code, refresh_token and the token exchange of RFC 8693. Empty is authorization_code.
	GrantTypes []string `yaml:"grant-types"`

	Authentication AuthenticationRegistration `yaml:"authentication"`

	// JWKS are the keys of the client, public, as a JSON Web Key Set; JWKSURI is where they are fetched. At most one is said.
	JWKS    KeySet `yaml:"jwks"`
	JWKSURI string `yaml:"jwks-uri"`

	// CertificateBoundAccessTokens binds access tokens to the certificate with which they were asked for (RFC 8705 section 3).
	// Off by default: a client in front of browsers may show its certificate at the token endpoint alone.
	CertificateBoundAccessTokens bool `yaml:"certificate-bound-access-tokens"`

	// IDTokenAlgorithm is RS256 (the default), ES256 or PS256.
	IDTokenAlgorithm string `yaml:"id-token-algorithm"`
	// UserinfoAlgorithm signs the answers of userinfo; empty answers JSON.
	UserinfoAlgorithm string `yaml:"userinfo-algorithm"`

	RequirePAR                 bool `yaml:"require-par"`
	RequireSignedRequestObject bool `yaml:"require-signed-request-object"`
	// RequestObjectAlgorithm is the only one in which request objects are signed. It needs keys; empty takes no request object.
	RequestObjectAlgorithm string `yaml:"request-object-algorithm"`
	// RequirePKCE is true unless it is said otherwise, which only a confidential client may (RFC 9700 section 2.1.1).
	RequirePKCE *bool `yaml:"require-pkce"`

	Session SessionRegistration `yaml:"session"`

	// IntrospectionAllowed lets the client ask about tokens (RFC 7662).
	IntrospectionAllowed bool `yaml:"introspection-allowed"`

	Exchange ExchangeRegistration `yaml:"exchange"`
}

// An AuthenticationRegistration says how the client authenticates: by one method, and by no other (attacks.md O6).
type AuthenticationRegistration struct {
	Method  Method               `yaml:"method"`
	Secrets []SecretRegistration `yaml:"secrets"` // of the two methods with a secret: one, or two while it is replaced

	// RequireCertificate asks for a TLS client certificate beside the secret or the assertion, on every call.
	RequireCertificate bool `yaml:"require-certificate"`
	// Certificate says whose it must be: of tls_client_auth, and with RequireCertificate.
	Certificate SubjectRegistration `yaml:"certificate"`

	// Algorithms are those of the assertions of private_key_jwt. Empty is PS256 and ES256; RS256 must be said.
	Algorithms []string `yaml:"algorithms"`
	// IssuerAudienceOnly takes no assertion for another audience than the issuer, as FAPI 2.0 asks.
	IssuerAudienceOnly bool `yaml:"issuer-audience-only"`
}

// A SecretRegistration is a secret as the server keeps it: NewSecret and HashSecret make it.
type SecretRegistration struct {
	Hash    string    `yaml:"hash"`    // "sha256:…" or "hmac-sha256:…"
	Expires time.Time `yaml:"expires"` // zero: never
}

// A SubjectRegistration names the subject of a certificate in exactly one way (RFC 8705 section 2.1.2).
type SubjectRegistration struct {
	SubjectDN string `yaml:"subject-dn"` // RFC 4514; compared by structure, never as text
	SANDNS    string `yaml:"san-dns"`
	SANURI    string `yaml:"san-uri"`
	SANIP     string `yaml:"san-ip"`
	SANEmail  string `yaml:"san-email"`
}

// A SessionRegistration is the policy of the client for sessions of persons (EXI FI 24 and 25).
type SessionRegistration struct {
	// MaxAuthenticationAge is how old an explicit authentication may be, whatever max_age the client sends. Zero is 4 hours; at
	// most 24, and with ProfileProSanteConnect 4.
	MaxAuthenticationAge time.Duration `yaml:"max-authentication-age"`
	// DefaultMaxAge is the max_age of a request that has none. Zero: MaxAuthenticationAge alone counts.
	DefaultMaxAge time.Duration `yaml:"default-max-age"`
	// Methods are sets of authentication method references (RFC 8176): a session will do when it has all of one of them. Empty
	// takes whatever the establishment admits; with ProfileProSanteConnect PhishingResistant.
	Methods [][]string `yaml:"methods"`
	// ACR are the values of acr that the client knows, the strongest first, with the sets that reach each.
	ACR []ACRRegistration `yaml:"acr"`
}

// An ACRRegistration is one value of acr and the sets of method references of which any reaches it.
type ACRRegistration struct {
	Value   string     `yaml:"value"`
	Methods [][]string `yaml:"methods"`
}

// An ExchangeRegistration says for whom the client may exchange tokens.
type ExchangeRegistration struct {
	Audiences []string `yaml:"audiences"`
}

// A KeySet is a JSON Web Key Set (RFC 7517) as JSON. In YAML it is a mapping, or JSON in a text.
type KeySet string

// UnmarshalYAML takes a mapping or a text.
func (k *KeySet) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		return node.Decode((*string)(k))
	}
	var value map[string]any
	if err := node.Decode(&value); err != nil {
		return err
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("line %d: not a key set: %w", node.Line, err)
	}
	*k = KeySet(text)
	return nil
}

// Read reads a document that is a list of registrations. An unknown key, a second document and a key that stands twice are
// refused.
func Read(document []byte) ([]Registration, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(document))
	decoder.KnownFields(true)
	var registrations []Registration
	if err := decoder.Decode(&registrations); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("clients: %w", err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("clients: more than one document")
	}
	return registrations, nil
}
