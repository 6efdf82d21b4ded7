package oidc

import (
	"context"
	"crypto/tls"
	"net/http"
	"testing"
	"time"

	"sceau/audit"
	"sceau/internal/testpki"
	"sceau/oidc/client"
	"sceau/policy"
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
			t.Errorf("%s of a password, for a client that takes cards: %d %q", name, status, made.Error)
		}
		if status, made := h.exchanged(strong.Access, form...); status != http.StatusOK || made.Expires > 600 {
			t.Errorf("%s of a card: %d, for %d s", name, status, made.Expires)
		}
	}
	if status, made := h.exchanged(assertion.Access, "client_id", "strict", "subject_token_type", samlType); status != http.StatusBadRequest {
		t.Errorf("of an assertion of a password: %d %q", status, made.Error)
	}
	h.wait(11 * time.Minute)
	for name, form := range forms {
		if status, made := h.exchanged(strong.Access, append(form, "client_id", "strict")...); status != http.StatusBadRequest {
			t.Errorf("%s of eleven minutes ago, for a client that takes ten: %d %q", name, status, made.Error)
		}
	}
	events := h.trail(audit.OperationExchange)
	if last := events[len(events)-1]; last.Outcome != audit.Refused || last.Stage != "authentication too old" {
		t.Errorf("recorded: %+v", last)
	}
}

// asked is a policy that permits, and remembers what it was asked.
type asked struct{ of []policy.ExchangeRequest }

func (a *asked) Exchange(_ context.Context, r *policy.ExchangeRequest) (policy.Exchange, error) {
	a.of = append(a.of, *r)
	return policy.Exchange{Decision: policy.Permit("test")}, nil
}

// TestExchangeACR: what one client calls eidas3 is not what another does: an exchanged token, policy and introspection have the acr of the
// client that asks, by what happened.
func TestExchangeACR(t *testing.T) {
	pdp := &asked{}
	h := exchanging(t, func(c *Config) { c.Exchange.Policy = pdp })
	calls := func(level string, methods ...string) func(*client.Registration) {
		return func(r *client.Registration) {
			r.Session.ACR = append(r.Session.ACR, client.ACRRegistration{Value: level, Methods: [][]string{methods}})
		}
	}
	h.among(exchangesFor(t, "lax", calls("eidas3", "pwd")), exchangesFor(t, "portal", calls("eidas3", "sc", "pin"), calls("eidas1", "pwd")))
	for _, c := range []struct {
		means, want string
		assurance   int
	}{{"password", "eidas1", 1}, {"card", "eidas3", 3}} {
		got, _ := h.boundTo("lax", c.means, "alice", "openid identity")
		_, assertion := h.exchanged(got.Access, "client_id", "lax", "requested_token_type", samlType)
		pdp.of = nil
		_, direct := h.exchanged(got.Access)
		_, through := h.exchanged(assertion.Access, "subject_token_type", samlType)
		for way, made := range map[string]tokens{"token": direct, "assertion": through} {
			if said := h.claimsOf(made.Access); said["acr"] != c.want {
				t.Errorf("%s of a %s: acr %v, amr %v", way, c.means, said["acr"], said["amr"])
			}
		}
		for _, r := range pdp.of {
			if r.Level != c.want || r.Assurance != c.assurance {
				t.Errorf("%s: policy was asked of acr %q, assurance %d", c.means, r.Level, r.Assurance)
			}
		}
	}
}

func certificates(l testpki.Leaf) []tls.Certificate {
	return []tls.Certificate{{Certificate: [][]byte{l.DER}, PrivateKey: l.Key}}
}
