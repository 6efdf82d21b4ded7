package openid

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"sceau/internal/judge"
)

// debianPython is the interpreter that has the modules of the Debian packages; another one may come first in PATH.
const debianPython = "/usr/bin/python3"

// TestAuthlib logs in as programs in Python do: its Basic is not form-encoded, and its assertions name no key.
func TestAuthlib(t *testing.T) {
	judge.Require(t, debianPython)
	w := meet(t)
	if out, err := exec.Command(debianPython, "-c", "import authlib, requests").CombinedOutput(); err != nil {
		if os.Getenv("SCEAU_REQUIRE_EXTERNAL") == "1" {
			t.Fatalf("%v: %s", err, out)
		}
		t.Skip("python3-authlib is not installed")
	}
	p := w.program(t, debianPython, "-B", filepath.Join("python", "rp.py"))
	for _, id := range []string{"rp-basic", "rp-post", "rp-jwt-es256", "rp-tls", "rp-secret-tls", "rp-public"} {
		t.Run(strings.TrimPrefix(id, "rp-"), func(t *testing.T) {
			r := relyings[slices.IndexFunc(relyings, func(r relying) bool { return r.id == id })]
			if d := p.must(t, r.discover(w)); d["issuer"] != w.issuer || d["pkce"] != true {
				t.Fatalf("discovered %v", d)
			}
			alice := w.person(t, "alice")
			a, back := alice.byCard(text(p.must(t, members{"do": "begin", "id": id}), "url"))
			done := p.must(t, members{"do": "finish", "id": id, "url": alice.led(a, back).String()})
			if c, i := inner(done, "claims"), inner(done, "info"); c["sub"] != aliceSubject || i["sub"] != aliceSubject || i["email"] != "alice@hopital.example" || done["alg"] != "RS256" {
				t.Errorf("%v", done)
			}
			p.tokens(t, &r, done)
		})
	}
}

// TestGo logs in as most programs in Go do.
func TestGo(t *testing.T) {
	w := meet(t)
	for _, tt := range []struct {
		id    string
		style oauth2.AuthStyle
		alg   string
	}{
		{"rp-basic", oauth2.AuthStyleInHeader, "RS256"},
		{"rp:basic+es256%2D", oauth2.AuthStyleAutoDetect, "ES256"},
		{"rp-post", oauth2.AuthStyleInParams, "RS256"},
		{"rp-post", oauth2.AuthStyleAutoDetect, "RS256"}, // by Basic first, which the client is not registered for, and then so
		{"rp-basic-ps256", oauth2.AuthStyleInHeader, "PS256"},
	} {
		t.Run(tt.id, func(t *testing.T) {
			ctx := oidc.ClientContext(t.Context(), &http.Client{Transport: w.transport(t)})
			provider, err := oidc.NewProvider(ctx, w.issuer)
			if err != nil {
				t.Fatal(err)
			}
			c := oauth2.Config{ClientID: tt.id, ClientSecret: secret, Endpoint: provider.Endpoint(), RedirectURL: rpBack, Scopes: []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess}}
			c.Endpoint.AuthStyle = tt.style
			verifier := oauth2.GenerateVerifier()
			alice := w.person(t, "alice")
			a, back := alice.byCard(c.AuthCodeURL("a state", oidc.Nonce("a nonce"), oauth2.S256ChallengeOption(verifier)))
			q := alice.led(a, back).Query()
			if q.Get("state") != "a state" || q.Get("iss") != w.issuer {
				t.Errorf("%v", q)
			}
			tokens, err := c.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(verifier))
			if err != nil {
				t.Fatal(err)
			}
			w.read(ctx, t, provider, &c, tokens, tt.alg)
			// A second code with another verifier is refused.
			a, back = alice.open(c.AuthCodeURL("a state", oauth2.S256ChallengeOption(verifier)))
			if _, err := c.Exchange(ctx, alice.led(a, back).Query().Get("code"), oauth2.VerifierOption(oauth2.GenerateVerifier())); err == nil {
				t.Error("another verifier is taken")
			}
		})
	}
	t.Run("by another form", func(t *testing.T) { // in place of a query, in what servers never see
		q := url.Values{"response_type": {"code"}, "response_mode": {"fragment"}, "client_id": {"rp-basic"}, "redirect_uri": {rpBack}, "scope": {"openid"},
			"code_challenge_method": {"S256"}, "code_challenge": {strings.Repeat("x", 43)}}
		alice := w.person(t, "alice")
		a, back := alice.byCard(w.issuer + "/authorize?" + q.Encode())
		if back = alice.led(a, back); back.RawQuery != "" || !strings.Contains(back.Fragment, "code=") {
			t.Errorf("led to %s", back)
		}
	})
}

func (w *world) read(ctx context.Context, t *testing.T, provider *oidc.Provider, c *oauth2.Config, tokens *oauth2.Token, alg string) {
	t.Helper()
	raw, _ := tokens.Extra("id_token").(string) // none does not verify
	token, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: c.ClientID, SupportedSigningAlgs: []string{alg}}).Verify(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Name string   `json:"name"`
		AMR  []string `json:"amr"`
	}
	if err := token.Claims(&claims); err != nil || token.Subject != aliceSubject || token.Nonce != "a nonce" || claims.Name != "Alice Exemple" || !slices.Equal(claims.AMR, cardSet) {
		t.Errorf("%v %+v %+v", err, token, claims)
	}
	if err := token.VerifyAccessToken(tokens.AccessToken); err != nil {
		t.Error(err)
	}
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil || info.Subject != aliceSubject || info.Email != "alice@hopital.example" {
		t.Errorf("%v %+v", err, info)
	}
	tokens.AccessToken = ""
	next, err := c.TokenSource(ctx, tokens).Token()
	if err != nil || next.RefreshToken == tokens.RefreshToken {
		t.Fatalf("refreshed: %v", err)
	}
	raw, _ = next.Extra("id_token").(string)
	if token, err = provider.VerifierContext(ctx, &oidc.Config{ClientID: c.ClientID, SupportedSigningAlgs: []string{alg}}).Verify(ctx, raw); err != nil {
		t.Fatal(err)
	}
	if err := token.VerifyAccessToken(next.AccessToken); err != nil {
		t.Error(err)
	}
}
