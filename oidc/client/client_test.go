package client_test

import (
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"sceau/internal/testpki"
	"sceau/oidc/client"
)

// TestClient: what a Client says is what the document says, with its defaults.
func TestClient(t *testing.T) {
	key, err := jwk(t, testpki.Load().AliceEIDP256.Key, "a").MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	registrations, err := client.Read([]byte(strings.Replace(document, "{kty: EC, crv: P-256, kid: a, x: X, y: Y}", string(key), 1)))
	if err != nil {
		t.Fatal(err)
	}
	registrations[1].Authentication.Algorithms = []string{"ES256"}
	registrations = append(registrations, registration("least", client.None))
	o := options()
	o.Certificates = verifier(t)
	r := registry(t, o, registrations...)
	psc, app, least := r.Client("psc"), r.Client("app"), r.Client("least")
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"clients", []*client.Client{app, least, psc}, r.Clients()},
		{"psc name", psc.Name("en"), "Pro Sante Connect"},
		{"psc name in another language", psc.Name("nl"), "Pro Santé Connect"},
		{"psc name in none", psc.Name(""), "Pro Santé Connect"},
		{"app name in another language", app.Name("fr"), "Dossier"},
		{"psc profile", psc.Profile(), client.ProfileProSanteConnect},
		{"psc method", psc.Method(), client.SecretPost},
		{"psc public", psc.Public(), false},
		{"psc certificate", psc.RequireCertificate(), true},
		{"psc type", psc.ApplicationType(), "web"},
		{"psc redirects", psc.RedirectURIs(), []string{"https://auth.example/broker/etab/endpoint"}},
		{"psc logout", psc.PostLogoutRedirectURIs(), []string{"https://auth.example/broker/etab/endpoint/logout_response"}},
		{"psc back channel", psc.BackchannelLogoutURI(), "https://auth.example/logout"},
		{"psc sid", psc.BackchannelLogoutSessionRequired(), true},
		{"psc scopes", psc.Scopes(), []string{"openid", "profile", "email"}},
		{"psc scope", psc.AllowsScope("email"), true},
		{"psc other scope", psc.AllowsScope("phone"), false},
		{"psc grants", psc.GrantTypes(), []string{client.AuthorizationCode}},
		{"psc refresh", psc.AllowsGrant(client.RefreshToken), false},
		{"psc PKCE", psc.RequirePKCE(), false},
		{"psc methods", psc.Session().Methods(), client.PhishingResistant()},
		{"psc age", psc.Session().MaxAuthenticationAge(), 4 * time.Hour},
		{"app type", app.ApplicationType(), "native"},
		{"app consent", app.Consent(), client.ConsentTerms},
		{"app terms", app.TermsURL(), "https://app.example/terms"},
		{"app algorithms", app.AssertionAlgorithms(), []string{"ES256"}},
		{"app bound", app.CertificateBoundAccessTokens(), true},
		{"app ID token", app.IDTokenAlgorithm(), "ES256"},
		{"app userinfo", app.UserinfoAlgorithm(), "PS256"},
		{"app PAR", app.RequirePAR(), true},
		{"app request objects", app.RequireSignedRequestObject(), true},
		{"app request objects by", app.RequestObjectAlgorithm(), "ES256"},
		{"app introspection", app.IntrospectionAllowed(), true},
		{"app audiences", app.Audiences(), []string{"https://api.example"}},
		{"app audience", app.AllowsAudience("https://api.example"), true},
		{"app other audience", app.AllowsAudience("https://api.example/"), false},
		{"app default age", app.Session().DefaultMaxAge(), 10 * time.Minute},
		{"app acr", app.Session().ACRValues(), []string{"eidas3", "eidas1"}},
		{"least public", least.Public(), true},
		{"least consent", least.Consent(), client.ConsentNone},
		{"least scopes", least.Scopes(), []string{"openid"}},
		{"least PKCE", least.RequirePKCE(), true},
		{"least ID token", least.IDTokenAlgorithm(), "RS256"},
		{"least userinfo", least.UserinfoAlgorithm(), ""},
		{"least keys", least.JWKSURI(), ""},
		{"least claims", least.TenantClaims() || least.RetainAudit(), false},
		{"least introspection", least.IntrospectionAllowed(), false},
		{"least methods", least.Session().Methods(), [][]string(nil)},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
}

func ExampleRegistry_Authenticate() {
	secret, stored, err := client.NewSecret(nil) // the secret is shown once, and what is stored is configured
	if err != nil {
		panic(err)
	}
	registrations, err := client.Read([]byte(`
- id: dossier
  name: {fr: Dossier patient, nl: Patiëntendossier}
  redirect-uris: [https://app.example/cb]
  authentication:
    method: client_secret_basic
    secrets: [{hash: "` + stored + `"}]
`))
	if err != nil {
		panic(err)
	}
	registry, err := client.New(registrations, client.Options{
		Issuer:    "https://op.example",
		Endpoints: map[client.Endpoint][]string{client.Token: {"https://op.example/token"}},
	})
	if err != nil {
		panic(err)
	}
	request := httptest.NewRequest("POST", "/token", strings.NewReader("grant_type=authorization_code&code=abc"))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("dossier", secret)
	c, a, err := registry.Authenticate(request, client.Token)
	if err != nil {
		panic(err)
	}
	fmt.Println(c.ID(), c.Name("nl"), a.Method(), c.AllowsRedirect("https://app.example/cb/"))
	// Output: dossier Patiëntendossier client_secret_basic false
}
