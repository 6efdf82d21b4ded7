package oidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/oidc/client"
	"sceau/oidc/federation"
)

// partyAlgorithms are those in which relying parties of a federation sign. RS256 is taken of those alone whose metadata say it.
var partyAlgorithms = []string{"ES256", "PS256", "ES384", "PS384", "ES512", "PS512", "RS256"}

// registration makes of the metadata of a relying party what a client of ours is registered with, and of k what no registration
// says. What the establishment does not offer is left out where the relying party can do without, and refused where it cannot.
func (s *parties) registration(given *federation.Registration, k *party) (client.Registration, error) {
	m := clientMetadata{}
	if err := json.Unmarshal(given.Client, &m.members); err != nil {
		return client.Registration{}, err
	}
	none := client.Registration{}
	r := client.Registration{
		ID: given.Entity, Name: m.names(given.Entity), ApplicationType: m.text("application_type"),
		RedirectURIs: m.texts("redirect_uris"), PostLogoutRedirectURIs: m.texts("post_logout_redirect_uris"),
		BackchannelLogoutURI: m.text("backchannel_logout_uri"), BackchannelLogoutSessionRequired: m.flag("backchannel_logout_session_required"),
		Consent: s.Consent, Scopes: s.Scopes, GrantTypes: offered(m.texts("grant_types"), client.AuthorizationCode, client.RefreshToken),
		CertificateBoundAccessTokens: m.flag("tls_client_certificate_bound_access_tokens"),
		IDTokenAlgorithm:             m.text("id_token_signed_response_alg"), UserinfoAlgorithm: m.text("userinfo_signed_response_alg"),
		RequirePAR: m.flag("require_pushed_authorization_requests"), Session: s.Session,
	}
	if _, said := m.members["scope"]; said {
		r.Scopes = offered(strings.Fields(m.text("scope")), s.Scopes...)
	}
	r.Authentication = client.AuthenticationRegistration{Method: client.Method(m.text("token_endpoint_auth_method"))}
	switch r.Authentication.Method {
	case client.PrivateKeyJWT:
		r.Authentication.Algorithms = m.algorithms("token_endpoint_auth_signing_alg")
		// An assertion for an address could be one that another provider was given for its own (OpenID Federation 12.1.1.2).
		r.Authentication.IssuerAudienceOnly = true
	case client.TLS:
		r.Authentication.Certificate = client.SubjectRegistration{
			SubjectDN: m.text("tls_client_auth_subject_dn"), SANDNS: m.text("tls_client_auth_san_dns"), SANURI: m.text("tls_client_auth_san_uri"),
			SANIP: m.text("tls_client_auth_san_ip"), SANEmail: m.text("tls_client_auth_san_email"),
		}
	case client.SelfSignedTLS:
	default: // the resolver lets no other through
		return none, fmt.Errorf("token_endpoint_auth_method %.40q", r.Authentication.Method)
	}
	if age := m.seconds("default_max_age"); age > 0 && (r.Session.DefaultMaxAge == 0 || age < r.Session.DefaultMaxAge) {
		r.Session.DefaultMaxAge = age
		if most := r.Session.MaxAuthenticationAge; most > 0 {
			r.Session.DefaultMaxAge = min(age, most)
		}
	}
	for _, a := range m.algorithms("request_object_signing_alg") {
		k.algorithms = append(k.algorithms, jose.SignatureAlgorithm(a))
	}
	// The resolver says so of all; what the relying party said stands in what it resolved.
	own, err := json.Marshal(given.Metadata["openid_relying_party"]["require_signed_request_object"])
	if err != nil {
		return none, err
	}
	k.signed = string(own) == "true"
	if r.JWKS, err = m.keys(); err != nil {
		return none, err
	}
	responses, pairwise := m.texts("response_types"), m.text("subject_type") == "pairwise"
	switch {
	case m.err != nil:
		return none, m.err
	case !slices.Contains(responses, "code") || !slices.Contains(r.GrantTypes, client.AuthorizationCode):
		return none, errors.New("it does not use the code flow")
	case !slices.Contains(r.Scopes, "openid"):
		return none, errors.New("openid is not among its scopes")
	case pairwise:
		return none, errors.New("it wants pairwise subjects")
	}
	for _, name := range []string{"id_token_encrypted_response_alg", "userinfo_encrypted_response_alg", "introspection_encrypted_response_alg", "authorization_signed_response_alg"} {
		if _, said := m.members[name]; said { // what it is not given as it asked would be given less protected
			return none, fmt.Errorf("it wants %s", name)
		}
	}
	return r, nil
}

// offered keeps of wishes those that there are.
func offered(wished []string, there ...string) (kept []string) {
	for _, w := range wished {
		if slices.Contains(there, w) && !slices.Contains(kept, w) {
			kept = append(kept, w)
		}
	}
	return kept
}

// clientMetadata are read by the exact names of the members: encoding/json would take "Redirect_URIs" for redirect_uris, on which no
// policy of a superior had a hold.
type clientMetadata struct {
	members map[string]json.RawMessage
	err     error
}

func (m *clientMetadata) read(name string, into any) {
	raw, there := m.members[name]
	if !there {
		return
	}
	if err := json.Unmarshal(raw, into); (err != nil || string(raw) == "null") && m.err == nil {
		m.err = fmt.Errorf("%s is of another type", name)
	}
}

func (m *clientMetadata) text(name string) (v string) {
	m.read(name, &v)
	return v
}

func (m *clientMetadata) texts(name string) (v []string) {
	m.read(name, &v)
	return v
}

func (m *clientMetadata) flag(name string) (v bool) {
	m.read(name, &v)
	return v
}

func (m *clientMetadata) seconds(name string) time.Duration {
	var v int32
	m.read(name, &v)
	if v < 0 && m.err == nil {
		m.err = fmt.Errorf("%s is negative", name)
	}
	return time.Duration(v) * time.Second
}

// algorithms is the one that is named, or those that need no name.
func (m *clientMetadata) algorithms(name string) []string {
	named := m.text(name)
	if named == "" {
		return offered(partyAlgorithms, partyAlgorithms[:len(partyAlgorithms)-1]...)
	}
	if !slices.Contains(partyAlgorithms, named) && m.err == nil {
		m.err = fmt.Errorf("%s %.40q", name, named)
	}
	return []string{named}
}

// names are what a person reads: what the relying party calls itself, and the host by which it cannot call itself otherwise.
func (m *clientMetadata) names(entity string) map[string]string {
	u, err := url.Parse(entity)
	if err != nil {
		m.err = err
		return nil
	}
	all := map[string]string{}
	for _, language := range []string{"fr", "nl", "de", "en"} {
		name := m.text("client_name#" + language)
		if name == "" {
			name = m.text("client_name")
		}
		if all[language] = u.Host; strings.TrimSpace(name) != "" {
			all[language] = name + " (" + u.Host + ")"
		}
	}
	return all
}

// keys are those with which the relying party signs: RSA, and EC on the curves of partyAlgorithms. Others are for something else.
func (m *clientMetadata) keys() (client.KeySet, error) {
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	m.read("jwks", &set)
	kept := []map[string]any{}
	for _, k := range set.Keys {
		curve := k["crv"]
		if k["use"] != "enc" && (k["kty"] == "RSA" || k["kty"] == "EC" && (curve == "P-256" || curve == "P-384" || curve == "P-521")) {
			kept = append(kept, k)
		}
	}
	text, err := json.Marshal(map[string]any{"keys": kept})
	return client.KeySet(text), err
}
