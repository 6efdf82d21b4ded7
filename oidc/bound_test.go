package oidc

import (
	"net/http"
	"testing"
	"time"

	"sceau/audit"
	"sceau/internal/testpki"
	"sceau/oidc/client"
)

// exchangesFor is a registration that authenticates by the certificate of the organisation and exchanges tokens.
func exchangesFor(t *testing.T, id string, change ...func(*client.Registration)) client.Registration {
	return web(t, append([]func(*client.Registration){func(r *client.Registration) {
		r.ID, r.Authentication = id, client.AuthenticationRegistration{Method: client.TLS, Certificate: client.SubjectRegistration{SubjectDN: subjectOf(t, testpki.Load().Organisation.DER)}}
		r.CertificateBoundAccessTokens = true
		r.GrantTypes = append(r.GrantTypes, client.TokenExchange)
		r.Scopes = append(r.Scopes, "identity")
		r.Exchange.Audiences = []string{"https://records.example"}
	}}, change...)...)
}

// among registers clients in the place of those that exchanging has.
func (h *house) among(registrations ...client.Registration) {
	h.Helper()
	var err error
	if h.config.Clients, err = client.New(registrations, h.registry); err != nil {
		h.Fatal(err)
	}
	if h.Provider, err = New(h.config); err != nil {
		h.Fatal(err)
	}
}

// boundTo is what a client of exchangesFor has out of a login by a means.
func (h *house) boundTo(id, means, person, scope string) (tokens, *browser) {
	h.Helper()
	b := h.browser()
	code := b.login(b.get(h.request("client_id", id, "scope", scope)), means, person).answered(h.T).Get("code")
	status, got := h.certified(redeeming(code, "client_id", id), testpki.Load().Organisation, "/token")
	if status != http.StatusOK {
		h.Fatal(status, got)
	}
	return got, b
}

// TestExchangeRule: a client has by exchange no token of an authentication that it would not have had by a login: of a password,
// where it takes cards, or of yesterday (EXI FI 24 and 25).
func TestExchangeRule(t *testing.T) {
	h := exchanging(t, func(c *Config) { c.AccessToken = time.Hour })
	h.among(exchangesFor(t, "lax"), web(t, func(r *client.Registration) { r.ID = "api" }), exchangesFor(t, "strict", func(r *client.Registration) {
		r.Exchange.Audiences = append(r.Exchange.Audiences, "strict")
		r.Session.Methods = [][]string{{"sc", "pin", "mfa"}}
		r.Session.MaxAuthenticationAge = 10 * time.Minute
	}))
	weak, _ := h.boundTo("lax", "password", "alice", "openid identity")
	strong, _ := h.boundTo("lax", "card", "alice", "openid identity")
	status, assertion := h.exchanged(weak.Access, "client_id", "lax", "requested_token_type", samlType)
	if status != http.StatusOK {
		t.Fatal(status, assertion, h.trail(audit.OperationExchange))
	}
	forms := map[string][]string{
		"access token": nil,
		"ID token":     {"requested_token_type", "urn:ietf:params:oauth:token-type:id_token", "audience", "strict"},
		"assertion":    {"requested_token_type", samlType},
	}
	for name, form := range forms {
		form = append(form, "client_id", "strict")
		if status, made := h.exchanged(weak.Access, form...); status != http.StatusBadRequest || made.Error != "invalid_request" {
			t.Errorf("%s of a password, for a client that takes cards: %d %+v", name, status, made)
		}
		if status, made := h.exchanged(strong.Access, form...); status != http.StatusOK || made.Expires > 600 {
			t.Errorf("%s of a card: %d, for %d s", name, status, made.Expires)
		}
	}
	if status, made := h.exchanged(assertion.Access, "client_id", "strict", "subject_token_type", samlType); status != http.StatusBadRequest {
		t.Errorf("of an assertion of a password: %d %+v", status, made)
	}
	h.wait(11 * time.Minute)
	for name, form := range forms {
		if status, made := h.exchanged(strong.Access, append(form, "client_id", "strict")...); status != http.StatusBadRequest {
			t.Errorf("%s of eleven minutes ago, for a client that takes ten: %d %+v", name, status, made)
		}
	}
	events := h.trail(audit.OperationExchange)
	if last := events[len(events)-1]; last.Outcome != audit.Refused || last.Stage != "authentication too old" {
		t.Errorf("recorded: %+v", last)
	}
}
