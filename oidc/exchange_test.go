package oidc

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/audit"
	"sceau/certs"
	"sceau/certs/certstest"
	"sceau/internal/testpki"
	"sceau/oidc/authn"
	"sceau/oidc/bridge"
	"sceau/oidc/client"
	"sceau/policy"
	"sceau/xmlsec"
)

type permitAll struct{}

func (permitAll) Exchange(context.Context, *policy.ExchangeRequest) (policy.Exchange, error) {
	return policy.Exchange{Decision: policy.Permit("test")}, nil
}

const (
	samlType   = "urn:ietf:params:oauth:token-type:saml1"
	accessType = "urn:ietf:params:oauth:token-type:access_token"
)

// exchanging is a house with a client that exchanges tokens, with the certificate of the organisation.
func exchanging(t *testing.T, change ...func(*Config)) *house {
	t.Helper()
	pki := testpki.Load()
	signer, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: pki.STS.Key, KeyInfo: xmlsec.CertificateKeyInfo(pki.STS.DER)})
	if err != nil {
		t.Fatal(err)
	}
	portal := web(t, func(r *client.Registration) {
		r.ID, r.Authentication = "portal", client.AuthenticationRegistration{Method: client.TLS, Certificate: client.SubjectRegistration{SubjectDN: subjectOf(t, pki.Organisation.DER)}}
		r.CertificateBoundAccessTokens = true
		r.GrantTypes = append(r.GrantTypes, client.TokenExchange)
		r.Scopes = append(r.Scopes, "identity")
		r.Exchange.Audiences = []string{"https://records.example"}
	})
	h := openHouse(t, func(c *Config, _ *client.Options) {
		c.Exchange = &bridge.Config{
			Certificates: certstest.Verifier(t), HolderRoles: []certs.Role{certs.RoleHolder}, Policy: permitAll{},
			Assertions: bridge.Assertions{Issuers: []string{"urn:test:op"}, Audiences: []string{c.Issuer, "https://records.example"}, Issuer: "urn:test:op",
				Signing: func(time.Time) (bridge.Signing, error) {
					return bridge.Signing{Signer: signer, NotBefore: testpki.NotBefore(), NotAfter: testpki.NotAfter()}, nil
				}},
			Claims: []bridge.Claim{{Name: "ssin", Attribute: attrs.Designator{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification}, Identifier: "ssin"}},
		}
		for _, more := range change {
			more(c)
		}
	}, portal, web(t, func(r *client.Registration) { r.ID = "api" }))
	h.people.change("alice", func(a *authn.Account) {
		a.Identifiers = []authn.Identifier{{Type: "ssin", Value: testpki.AliceSSIN}}
	})
	return h
}

// TestExchange goes from an access token to an assertion and back, with one certificate all the way.
func TestExchange(t *testing.T) {
	h := exchanging(t)
	pki := testpki.Load()
	b := h.browser()
	code := b.login(b.get(h.request("client_id", "portal", "scope", "openid identity")), "card", "alice").answered(t).Get("code")
	form := redeeming(code, "client_id", "portal")
	status, got := h.certified(form, pki.Organisation, "/token")
	if status != http.StatusOK {
		t.Fatal(status, got)
	}
	exchange := func(token, from, to string) url.Values {
		return url.Values{"grant_type": {client.TokenExchange}, "client_id": {"portal"}, "subject_token": {token}, "subject_token_type": {from},
			"requested_token_type": {to}, "audience": {"https://records.example"}}
	}
	status, assertion := h.certified(exchange(got.Access, accessType, samlType), pki.Organisation, "/token")
	if status != http.StatusOK || assertion.Type != "N_A" {
		t.Fatalf("%d %+v %v", status, assertion, h.trail(audit.OperationExchange))
	}
	text, err := base64.RawURLEncoding.DecodeString(assertion.Access)
	if err != nil || len(text) < 500 {
		t.Fatalf("%v %s", err, text)
	}
	status, back := h.certified(exchange(assertion.Access, samlType, accessType), pki.Organisation, "/token")
	if status != http.StatusOK || back.Type != "Bearer" {
		t.Fatalf("%d %+v %v", status, back, h.trail(audit.OperationExchange))
	}
	said := h.claimsOf(back.Access)
	cnf, _ := said["cnf"].(map[string]any)
	if said["sub"] != "etab1:a1" || cnf["x5t#S256"] != digest(string(pki.Organisation.DER)) || said["tid"] != "etab1" {
		t.Errorf("%v", said)
	}
	if id := h.claimsOf(got.ID); said["auth_time"] != id["auth_time"] {
		t.Errorf("auth_time %v, was %v", said["auth_time"], id["auth_time"])
	}
	if status, a := h.ask("/introspect", url.Values{"token": {back.Access}}, func(r *http.Request) { r.SetBasicAuth("api", webSecret) }); status != http.StatusOK || !a.Active {
		t.Errorf("introspection: %d %+v", status, a)
	}
	events := h.trail(audit.OperationExchange)
	if len(events) != 2 || len(events[0].Tokens) != 2 || events[0].Tokens[0].ID != h.claimsOf(got.Access)["jti"] || events[0].Tokens[1].ID != events[1].Tokens[0].ID ||
		events[1].Tokens[1].ID != said["jti"] || events[0].Client != "portal" {
		t.Errorf("the trail is torn:\n%+v", events)
	}

	// Token for token, within the session: it ends with it.
	status, other := h.certified(exchange(got.Access, accessType, accessType), pki.Organisation, "/token")
	if status != http.StatusOK {
		t.Fatalf("%d %+v", status, other)
	}
	introspect := func(token string) bool {
		_, a := h.ask("/introspect", url.Values{"token": {token}}, func(r *http.Request) { r.SetBasicAuth("api", webSecret) })
		return a.Active
	}
	if !introspect(other.Access) {
		t.Error("a token of an exchange is not active")
	}
	b.get(h.config.Issuer + "/logout?id_token_hint=" + got.ID)
	if introspect(other.Access) || introspect(got.Access) {
		t.Error("a token of an exchange outlives the session")
	}
	if status, _ := h.certified(exchange(other.Access, accessType, samlType), pki.Organisation, "/token"); status == http.StatusOK {
		t.Error("and is exchanged")
	}
}

// TestKnown: what a means learned of a person is told under the scope identity, in every token, and takes the name of nothing else.
func TestKnown(t *testing.T) {
	h := exchanging(t)
	h.card.attributes = map[string][]string{"SubjectNameID": {"899700000001"}, "SubjectRole": {"10^1.2.250.1.213.1.1.5.5", "21^1.2.250.1.213.1.1.5.5"},
		"sub": {"another"}, "cnf": {"x"}, "acr": {"eidas3"}, "scope": {"all"}}
	for _, c := range []struct {
		scope string
		want  any
	}{{"openid identity", "899700000001"}, {"openid profile", nil}} {
		b := h.browser()
		code := b.login(b.get(h.request("client_id", "portal", "scope", c.scope)), "card", "alice").answered(t).Get("code")
		_, got := h.certified(redeeming(code, "client_id", "portal"), testpki.Load().Organisation, "/token")
		for what, said := range map[string]map[string]any{"ID token": h.claimsOf(got.ID), "access token": h.claimsOf(got.Access)} {
			if said["SubjectNameID"] != c.want || said["sub"] != "etab1:a1" || said["acr"] != nil || said["cnf"] == "x" || said["scope"] == "all" {
				t.Errorf("%s of %q: %v", what, c.scope, said)
			}
			if roles, _ := said["SubjectRole"].([]any); c.want != nil && len(roles) != 2 {
				t.Errorf("%s: roles %v", what, said["SubjectRole"])
			}
		}
	}
}

// TestExchangeRefused: who is not the holder gets nothing, whichever way he comes (H1, O6).
func TestExchangeRefused(t *testing.T) {
	h := exchanging(t)
	pki := testpki.Load()
	b := h.browser()
	code := b.login(b.get(h.request("client_id", "portal", "scope", "openid identity")), "card", "alice").answered(t).Get("code")
	_, got := h.certified(redeeming(code, "client_id", "portal"), pki.Organisation, "/token")
	form := url.Values{"grant_type": {client.TokenExchange}, "client_id": {"portal"}, "subject_token": {got.Access}, "subject_token_type": {accessType},
		"requested_token_type": {samlType}, "audience": {"https://records.example"}}
	if status, a := h.certified(form, pki.Hospital, "/token"); status != http.StatusUnauthorized {
		t.Errorf("another certificate: %d %+v", status, a)
	}
	if status, a := h.ask("/token", form, func(*http.Request) {}); status != http.StatusUnauthorized {
		t.Errorf("no certificate: %d %+v", status, a)
	}
	form.Del("client_id")
	if status, a := h.ask("/token", form, func(r *http.Request) { r.SetBasicAuth("api", webSecret) }); status != http.StatusBadRequest || a.Error != "unauthorized_client" {
		t.Errorf("a client that may not: %d %+v", status, a)
	}
	form.Set("client_id", "portal")
	form.Set("audience", "https://other.example")
	if status, a := h.certified(form, pki.Organisation, "/token"); status != http.StatusBadRequest || a.Error != "invalid_target" {
		t.Errorf("an audience that is not the client's: %d %+v", status, a)
	}
	form.Set("audience", "https://records.example")
	form.Set("subject_token", got.ID)
	if status, _ := h.certified(form, pki.Organisation, "/token"); status == http.StatusOK {
		t.Error("an ID token for an access token")
	}
	if len(h.trail(audit.OperationExchange)) < 2 {
		t.Error("refusals leave no trail")
	}
}

// exchanged is what the portal gets for a token of Alice: her access token, with a form that is changed by names and values.
func (h *house) exchanged(token string, changed ...string) (int, tokens) {
	h.Helper()
	form := url.Values{"grant_type": {client.TokenExchange}, "client_id": {"portal"}, "subject_token": {token}, "subject_token_type": {accessType},
		"requested_token_type": {accessType}, "audience": {"https://records.example"}}
	for i := 0; i < len(changed); i += 2 {
		if form.Set(changed[i], changed[i+1]); changed[i+1] == "" {
			form.Del(changed[i])
		}
	}
	return h.certified(form, testpki.Load().Organisation, "/token")
}

// TestExchangeTarget: the audience that is meant where none is said is one of the client's registration, as one that is said.
func TestExchangeTarget(t *testing.T) {
	for target, want := range map[string]int{"https://other.example": http.StatusBadRequest, "https://records.example": http.StatusOK} {
		h := exchanging(t, func(c *Config) { c.Exchange.Target = target })
		_, got := h.certified(redeeming(h.code("client_id", "portal", "scope", "openid identity"), "client_id", "portal"), testpki.Load().Organisation, "/token")
		if status, a := h.exchanged(got.Access, "audience", ""); status != want || want != http.StatusOK && a.Error != "invalid_target" {
			t.Errorf("%s: %d %+v", target, status, a)
		}
	}
}

// TestExchangeActor: what is made of an assertion is of the session out of which that came, and not of that of whoever acts.
func TestExchangeActor(t *testing.T) {
	h := exchanging(t)
	_, got := h.certified(redeeming(h.code("client_id", "portal", "scope", "openid identity"), "client_id", "portal"), testpki.Load().Organisation, "/token")
	status, assertion := h.exchanged(got.Access, "requested_token_type", samlType)
	if status != http.StatusOK {
		t.Fatal(status, assertion)
	}
	_, actor := h.certified(redeeming(h.code("client_id", "portal", "scope", "openid identity"), "client_id", "portal"), testpki.Load().Organisation, "/token")
	status, made := h.exchanged(assertion.Access, "subject_token_type", samlType, "actor_token", actor.Access, "actor_token_type", accessType)
	if status != http.StatusOK {
		t.Fatal(status, made, h.trail(audit.OperationExchange))
	}
	events := h.trail(audit.OperationExchange)
	if last := events[len(events)-1]; last.Session != events[0].Session || events[0].Session == "" || last.Session == h.claimsOf(actor.Access)["sid"] {
		t.Errorf("the session of the actor: %q, and of the token before %q", last.Session, events[0].Session)
	}
}

// TestExchangeIdle: a session in which nobody is seen ends, however often its tokens are exchanged.
func TestExchangeIdle(t *testing.T) {
	h := exchanging(t, func(c *Config) { c.SessionIdle, c.AccessToken = 20*time.Minute, time.Hour })
	b := h.browser()
	code := b.login(b.get(h.request("client_id", "portal", "scope", "openid identity")), "card", "alice").answered(t).Get("code")
	_, got := h.certified(redeeming(code, "client_id", "portal"), testpki.Load().Organisation, "/token")
	h.wait(15 * time.Minute)
	if status, a := h.exchanged(got.Access); status != http.StatusOK {
		t.Fatal(status, a)
	}
	h.wait(10 * time.Minute)
	if said := b.get(h.request("client_id", "portal", "prompt", "none")).answered(t).Get("error"); said != "login_required" {
		t.Errorf("an exchange woke the session: %q", said)
	}
}

// TestAuthenticators: of all that share a store, one admits an authenticator.
func TestAuthenticators(t *testing.T) {
	store := NewMemoryStore(1<<20, nil)
	key := [32]byte{1}
	for i, want := range []bool{true, false} {
		if fresh, err := (Authenticators{Store: store}).Add(key, time.Time{}, time.Minute); fresh != want || err != nil {
			t.Errorf("%d: %t, %v", i, fresh, err)
		}
	}
	if fresh, err := (Authenticators{Store: NewMemoryStore(1, nil)}).Add(key, time.Time{}, time.Minute); fresh || err == nil {
		t.Errorf("without room: %t, %v", fresh, err)
	}
}
