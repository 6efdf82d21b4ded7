package oidc

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sceau/audit"
	"sceau/internal/testpki"
	"sceau/oidc/authn"
	"sceau/oidc/bridge"
	"sceau/oidc/client"
)

// inForce says whether introspection calls a token active.
func (h *house) inForce(token string) bool {
	h.Helper()
	_, a := h.ask("/introspect", url.Values{"token": {token}}, func(r *http.Request) { r.SetBasicAuth("api", webSecret) })
	return a.Active
}

// made is what an exchange gives.
func (h *house) made(token string, changed ...string) string {
	h.Helper()
	status, a := h.exchanged(token, changed...)
	if status != http.StatusOK {
		events := h.trail(audit.OperationExchange)
		h.Fatal(status, a.Error, events[len(events)-1].Cause)
	}
	return a.Access
}

// A line is a token and what came of it by exchange: over one step and over two, and over an assertion.
type line struct {
	tokens    map[string]string // introspection knows them
	assertion string
}

func (h *house) line(token string) line {
	h.Helper()
	once := h.made(token)
	assertion := h.made(token, "requested_token_type", samlType)
	through := h.made(assertion, "subject_token_type", samlType)
	return line{map[string]string{"the token": token, "exchanged": once, "exchanged again": h.made(once), "through SAML": through, "through SAML, again": h.made(through)}, assertion}
}

// over requires that nothing of a line is good, and that nothing is exchanged for any of it.
func (l line) over(h *house, why string) {
	h.Helper()
	for name, token := range l.tokens {
		if h.inForce(token) {
			h.Errorf("%s: %s is active", why, name)
		}
		if status, a := h.exchanged(token); status != http.StatusBadRequest || a.Error != "invalid_request" {
			h.Errorf("%s: %s is exchanged: %d %q", why, name, status, a.Error)
		}
	}
	if status, a := h.exchanged(l.assertion, "subject_token_type", samlType); status != http.StatusBadRequest || a.Error != "invalid_request" {
		h.Errorf("%s: the assertion is exchanged: %d %q", why, status, a.Error)
	}
}

// whole requires that all of a line is active.
func (l line) whole(h *house) {
	h.Helper()
	for name, token := range l.tokens {
		if !h.inForce(token) {
			h.Errorf("%s is not active", name)
		}
	}
}

// TestExchangeLineage: whatever ends what a token came of ends the token, over however many exchanges and by whichever way they went (O8):
// a stolen token that is exchanged in time is worth no more than one that is not.
func TestExchangeLineage(t *testing.T) {
	pki := testpki.Load()
	ask := func(r *client.Registration) { r.Consent = client.ConsentAsk }
	for name, c := range map[string]struct {
		change []func(*client.Registration)
		end    func(h *house, code string, got tokens, l line, b *browser)
	}{
		"the code comes twice": {nil, func(h *house, code string, _ tokens, _ line, _ *browser) {
			if status, _ := h.certified(redeeming(code, "client_id", "portal"), pki.Organisation, "/token"); status == http.StatusOK {
				h.Error("a code is good twice")
			}
		}},
		"the token is revoked": {nil, func(h *house, _ string, got tokens, _ line, _ *browser) {
			h.browser().revoke(got.Access)
		}},
		"the person logs out": {nil, func(h *house, _ string, got tokens, _ line, b *browser) {
			b.get(h.config.Issuer + "/logout?" + url.Values{"id_token_hint": {got.ID}}.Encode())
		}},
		"the consent is withdrawn": {[]func(*client.Registration){ask}, func(h *house, _ string, _ tokens, _ line, _ *browser) {
			if gone, err := h.consentsOf().Withdraw(h.Context(), "a1", "portal"); err != nil || len(gone) != 1 {
				h.Fatal(gone, err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := exchanging(t)
			h.among(exchangesFor(t, "portal", c.change...), web(t, func(r *client.Registration) { r.ID = "api" }))
			b := h.browser()
			a := b.login(b.get(h.request("client_id", "portal", "scope", "openid identity")), "card", "alice")
			if c.change != nil {
				u := a.Request.URL.String()
				a = b.follow(b.post(u, url.Values{"decision": {"allow"}, "token": {hidden(a.text, "token")}}))
			}
			code := a.answered(t).Get("code")
			_, got := h.certified(redeeming(code, "client_id", "portal"), pki.Organisation, "/token")
			l := h.line(got.Access)
			l.whole(h)
			c.end(h, code, got, l, b)
			l.over(h, name)
		})
	}
}

// revoke revokes a token, as the portal does.
func (b *browser) revoke(token string) {
	b.Helper()
	b.client.Transport.(*http.Transport).TLSClientConfig.Certificates = certificates(testpki.Load().Organisation)
	if a := b.post(b.config.SecureIssuer+"/revoke", url.Values{"token": {token}, "client_id": {"portal"}}); a.StatusCode != http.StatusOK {
		b.Fatal(a.StatusCode, a.text)
	}
}

// TestExchangeLineageDownward: what is revoked in the midst of a line takes along what came of it, and nothing before it.
func TestExchangeLineageDownward(t *testing.T) {
	h := exchanging(t)
	got, _ := h.boundTo("portal", "card", "alice", "openid identity")
	once := h.made(got.Access)
	below, beside := h.made(h.made(once, "requested_token_type", samlType), "subject_token_type", samlType), h.made(got.Access)
	h.browser().revoke(once)
	if h.inForce(once) || h.inForce(below) || !h.inForce(beside) || !h.inForce(got.Access) {
		t.Errorf("revoked %t, below it %t, beside it %t, above it %t", h.inForce(once), h.inForce(below), h.inForce(beside), h.inForce(got.Access))
	}
}

// TestExchangeActorEnds: what somebody does for another ends with his own session too.
func TestExchangeActorEnds(t *testing.T) {
	h := exchanging(t)
	h.people.change("bob", func(a *authn.Account) { a.Identifiers = nil })
	alice, _ := h.boundTo("portal", "card", "alice", "openid identity")
	bob, b := h.boundTo("portal", "card", "bob", "openid identity")
	acting := h.made(alice.Access, "actor_token", bob.Access, "actor_token_type", accessType)
	over := h.made(h.made(acting, "requested_token_type", samlType), "subject_token_type", samlType)
	b.get(h.config.Issuer + "/logout?" + url.Values{"id_token_hint": {bob.ID}}.Encode())
	if h.inForce(acting) || h.inForce(over) || !h.inForce(alice.Access) {
		t.Errorf("acting %t, through SAML %t, hers %t", h.inForce(acting), h.inForce(over), h.inForce(alice.Access))
	}
}

// TestExchangeClosed: of an account that is closed nothing is exchanged, whatever it is and whoever acts for it; and nobody acts whose is.
func TestExchangeClosed(t *testing.T) {
	h := exchanging(t)
	alice, _ := h.boundTo("portal", "card", "alice", "openid identity")
	bob, _ := h.boundTo("portal", "card", "bob", "openid identity")
	assertion := h.made(alice.Access, "requested_token_type", samlType)
	h.people.change("alice", func(a *authn.Account) { a.Locked = true })
	for name, c := range map[string][]string{
		"a token":                  {alice.Access},
		"a token, to SAML":         {alice.Access, "requested_token_type", samlType},
		"an assertion":             {assertion, "subject_token_type", samlType},
		"as actor":                 {bob.Access, "actor_token", alice.Access, "actor_token_type", accessType},
		"as actor of an assertion": {bob.Access, "actor_token", assertion, "actor_token_type", samlType},
	} {
		if status, a := h.exchanged(c[0], c[1:]...); status != http.StatusBadRequest || a.Error != "invalid_request" {
			t.Errorf("%s of a closed account: %d %q", name, status, a.Error)
		}
	}
	h.people.change("alice", func(a *authn.Account) { a.Locked = false })
	h.made(alice.Access)
}

// TestAssertionSaysNothing: what an assertion has of its grant tells those who see it neither session, consent nor account, and is nothing that
// they could use.
func TestAssertionSaysNothing(t *testing.T) {
	h := exchanging(t)
	got, _ := h.boundTo("portal", "card", "alice", "openid identity")
	one, other := h.made(got.Access, "requested_token_type", samlType), h.made(got.Access, "requested_token_type", samlType)
	read := func(assertion string) (text, grant string) {
		octets, err := base64.RawURLEncoding.DecodeString(assertion)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(octets), fmt.Sprintf(`AttributeName="grant" AttributeNamespace="%s"><AttributeValue>`, bridge.ClaimNamespace))
		grant, _, _ = strings.Cut(rest, "<")
		return string(octets), grant
	}
	text, grant := read(one)
	if _, another := read(other); len(grant) != 43 || grant == another {
		t.Errorf("grants %q and %q", grant, another)
	}
	said := h.claimsOf(got.Access)
	for _, name := range []string{"sid", "grant_id", "jti"} {
		if value, _ := said[name].(string); value == "" || strings.Contains(text, value) {
			t.Errorf("it has the %s of the token", name)
		}
	}
	if h.inForce(grant) {
		t.Error("the name of a grant is a token")
	}
	if status, _ := h.exchanged(grant); status == http.StatusOK {
		t.Error("and is exchanged")
	}
	// One that we are said to have made, and whose grant nobody knows: the store was lost, or it was never made.
	if err := h.state.store.Delete(t.Context(), h.state.key("grant", grant)); err != nil {
		t.Fatal(err)
	}
	if status, _ := h.exchanged(one, "subject_token_type", samlType); status == http.StatusOK {
		t.Error("an assertion without its grant is exchanged")
	}
}

// TestLineageEnds: a line does not grow for ever.
func TestLineageEnds(t *testing.T) {
	h := exchanging(t, func(c *Config) { c.AccessToken = time.Hour })
	got, _ := h.boundTo("portal", "card", "alice", "openid identity")
	token := got.Access
	for range maxLineage {
		token = h.made(token)
	}
	if status, a := h.exchanged(token); status != http.StatusBadRequest || a.Error != "invalid_request" {
		t.Errorf("%d %q", status, a.Error)
	}
}
