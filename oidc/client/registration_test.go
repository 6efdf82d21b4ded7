package client_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/internal/testpki"
	"sceau/oidc/client"
)

const document = `
- id: psc
  name: {fr: Pro Santé Connect, en: Pro Sante Connect}
  profile: pro-sante-connect
  redirect-uris: [https://auth.example/broker/etab/endpoint]
  post-logout-redirect-uris: [https://auth.example/broker/etab/endpoint/logout_response]
  backchannel-logout-uri: https://auth.example/logout
  backchannel-logout-session-required: true
  scopes: [openid, profile, email]
  require-pkce: false
  authentication:
    method: client_secret_post
    secrets:
      - {hash: "sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", expires: 2027-01-01T00:00:00Z}
    require-certificate: true
    certificate: {subject-dn: "CN=psc, OU=0002 187512751, O=ANS, C=FR"}
- id: app
  name: {nl: Dossier}
  application-type: native
  redirect-uris: ["http://127.0.0.1/cb"]
  consent: terms
  terms-url: https://app.example/terms
  grant-types: [authorization_code, refresh_token, "urn:ietf:params:oauth:grant-type:token-exchange"]
  authentication: {method: private_key_jwt, algorithms: [RS256], issuer-audience-only: true}
  jwks:
    keys: [{kty: EC, crv: P-256, kid: a, x: X, y: Y}]
  certificate-bound-access-tokens: true
  id-token-algorithm: ES256
  userinfo-algorithm: PS256
  require-par: true
  require-signed-request-object: true
  request-object-algorithm: ES256
  session:
    max-authentication-age: 30m
    default-max-age: 10m
    methods: [[sc, pin], [pop, hwk, user]]
    acr:
      - {value: eidas3, methods: [[sc, pin]]}
      - {value: eidas1, methods: [[sc], [pwd, otp]]}
  introspection-allowed: true
  exchange: {audiences: ["https://api.example"]}
`

func TestRead(t *testing.T) {
	registrations, err := client.Read([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	if len(registrations) != 2 || registrations[1].Session.MaxAuthenticationAge != 30*time.Minute || *registrations[0].RequirePKCE ||
		registrations[1].RequirePKCE != nil || registrations[0].Authentication.Secrets[0].Expires.Year() != 2027 {
		t.Fatalf("%+v", registrations)
	}
	if want := `{"keys":[{"crv":"P-256","kid":"a","kty":"EC","x":"X","y":"Y"}]}`; string(registrations[1].JWKS) != want {
		t.Errorf("%s", registrations[1].JWKS)
	}
	for name, text := range map[string]string{
		"an unknown key":        "- {id: a, secret: b}",
		"an unknown inner key":  "- {id: a, authentication: {secret: b}}",
		"a key twice":           "- {id: a, id: b}",
		"no list":               "id: a",
		"two documents":         "- {id: a}\n---\n- {id: b}",
		"a logo":                "- {id: a, logo-uri: https://a.example/l.png}",
		"a duration in figures": "- {id: a, session: {max-authentication-age: soon}}",
	} {
		if _, err := client.Read([]byte(text)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	if r, err := client.Read([]byte("- {id: a, jwks: '{\"keys\":[]}'}")); err != nil || r[0].JWKS != `{"keys":[]}` {
		t.Errorf("%v %v", r, err)
	}
}

// TestRegistrations: a clear error for each wrong setting, with client and key.
func TestRegistrations(t *testing.T) {
	pki := testpki.Load()
	_, stored := newSecret(t, nil)
	_, keyed := newSecret(t, []byte(strings.Repeat("k", 32)))
	_, second := newSecret(t, nil)
	_, third := newSecret(t, nil)
	set := keySet(t, jwk(t, pki.AliceEIDP256.Key, "ec"))
	secret := func(r *client.Registration) {
		r.Authentication.Method, r.Authentication.Secrets = client.SecretBasic, []client.SecretRegistration{{Hash: stored}}
	}
	hash := func(text string) func(*client.Registration) {
		return func(r *client.Registration) {
			secret(r)
			r.Authentication.Secrets[0].Hash = text
		}
	}
	certificate := func(s client.SubjectRegistration) func(*client.Registration) {
		return func(r *client.Registration) { r.Authentication.Method, r.Authentication.Certificate = client.TLS, s }
	}
	psc := func(change func(*client.Registration)) func(*client.Registration) {
		return func(r *client.Registration) {
			secret(r)
			r.Profile = client.ProfileProSanteConnect
			change(r)
		}
	}
	no := false
	o := options()
	o.Certificates = verifier(t)
	const exchange = client.TokenExchange
	for _, c := range []struct {
		key    string // of the error; empty: it is right
		change func(*client.Registration)
	}{
		{"", func(r *client.Registration) {}},
		{"", secret},
		{"", certificate(client.SubjectRegistration{SANDNS: "app.example"})},
		{"", psc(func(r *client.Registration) {})},
		{"", psc(func(r *client.Registration) { r.RequirePKCE = &no })},
		{"", psc(func(r *client.Registration) { r.Session.Methods = [][]string{{"swk", "mfa", "pwd", "okta_verify"}} })},
		{"", psc(func(r *client.Registration) {
			r.Authentication.RequireCertificate, r.Authentication.Certificate = true, client.SubjectRegistration{SANDNS: "psc.example"}
		})},
		{"", func(r *client.Registration) {
			secret(r)
			r.GrantTypes, r.RedirectURIs, r.Exchange.Audiences = []string{exchange}, nil, []string{"https://api.example"}
		}},
		{"", func(r *client.Registration) { r.Session.MaxAuthenticationAge = 24 * time.Hour }},

		{"id", func(r *client.Registration) { r.ID = "" }},
		{"id", func(r *client.Registration) { r.ID = "a b" }},
		{"id", func(r *client.Registration) { r.ID = "é" }},
		{"id", func(r *client.Registration) { r.ID = strings.Repeat("a", 256) }},
		{"name", func(r *client.Registration) { r.Name = nil }},
		{"name.it", func(r *client.Registration) { r.Name = map[string]string{"it": "Cartella"} }},
		{"name.fr", func(r *client.Registration) { r.Name = map[string]string{"fr": " "} }},
		{"name.fr", func(r *client.Registration) { r.Name = map[string]string{"fr": "a\u202eb"} }},
		{"name.fr", func(r *client.Registration) { r.Name = map[string]string{"fr": "a\nb"} }},
		{"name.fr", func(r *client.Registration) { r.Name = map[string]string{"fr": strings.Repeat("a", 201)} }},
		{"profile", func(r *client.Registration) { r.Profile = "fapi" }},
		{"application-type", func(r *client.Registration) { r.ApplicationType = "mobile" }},
		{"redirect-uris", func(r *client.Registration) { r.RedirectURIs = nil }},
		{"redirect-uris", func(r *client.Registration) { r.RedirectURIs = []string{"https://a.example", "https://a.example"} }},
		{"redirect-uris", func(r *client.Registration) {
			secret(r)
			r.GrantTypes, r.Exchange.Audiences = []string{exchange}, []string{"https://api.example"}
		}},
		{"post-logout-redirect-uris", func(r *client.Registration) { r.PostLogoutRedirectURIs = []string{"http://a.example"} }},
		{"backchannel-logout-uri", func(r *client.Registration) { r.BackchannelLogoutURI = "http://a.example" }},
		{"backchannel-logout-uri", func(r *client.Registration) { r.BackchannelLogoutURI = "https://a.example/#f" }},
		{"backchannel-logout-session-required", func(r *client.Registration) { r.BackchannelLogoutSessionRequired = true }},
		{"consent", func(r *client.Registration) { r.Consent = "always" }},
		{"terms-url", func(r *client.Registration) { r.Consent = client.ConsentTerms }},
		{"terms-url", func(r *client.Registration) { r.TermsURL = "javascript:alert(1)" }},
		{"scopes", func(r *client.Registration) { r.Scopes = []string{"openid profile"} }},
		{"scopes", func(r *client.Registration) { r.Scopes = []string{"openid", "openid"} }},
		{"scopes", func(r *client.Registration) { r.Scopes = []string{""} }},
		{"grant-types", func(r *client.Registration) { r.GrantTypes = []string{"implicit"} }},
		{"grant-types", func(r *client.Registration) { r.GrantTypes = []string{"authorization_code", "client_credentials"} }},
		{"grant-types", func(r *client.Registration) { r.GrantTypes, r.RedirectURIs = []string{"refresh_token"}, nil }},
		{"grant-types", func(r *client.Registration) {
			r.GrantTypes, r.RedirectURIs, r.Exchange.Audiences = []string{exchange}, nil, []string{"https://api.example"}
		}},
		{"exchange.audiences", func(r *client.Registration) { secret(r); r.GrantTypes = []string{"authorization_code", exchange} }},
		{"exchange.audiences", func(r *client.Registration) { r.Exchange.Audiences = []string{"https://api.example"} }},

		{"authentication.method", func(r *client.Registration) { r.Authentication.Method = "" }},
		{"authentication.method", func(r *client.Registration) { r.Authentication.Method = "client_secret_jwt" }},
		{"authentication.secrets", func(r *client.Registration) { secret(r); r.Authentication.Secrets = nil }},
		{"authentication.secrets", func(r *client.Registration) {
			secret(r)
			r.Authentication.Secrets = []client.SecretRegistration{{Hash: stored}, {Hash: second}, {Hash: third}}
		}},
		{"authentication.secrets", func(r *client.Registration) {
			secret(r)
			r.Authentication.Secrets = []client.SecretRegistration{{Hash: stored}, {Hash: stored}}
		}},
		{"authentication.secrets", func(r *client.Registration) { secret(r); r.Authentication.Method = client.None }},
		{"authentication.secrets.1", hash("")},
		{"authentication.secrets.1", hash("my-own-secret")},
		{"authentication.secrets.1", hash(stored[7:])},
		{"authentication.secrets.1", hash(stored + "=")},
		{"authentication.secrets.1", hash("sha256:AAAA")},
		{"authentication.secrets.1", hash("sha1:AAAA")},
		{"authentication.secrets.1", hash(keyed)},                                                // there is no key
		{"authentication.secrets.1", hash("sha256:K7gNU3sdo-OL0wNhqoVWhr3g6s1xYv72ol_pe_Unols")}, // "secret"
		{"authentication.secrets.1", hash("sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")}, // ""
		{"authentication.secrets.1", hash("sha256:oXLO3K5HR0thXFTVEKXYSo3qMDLpWFh0MLQTU4vj8zM")}, // "app"
		{"authentication.require-certificate", func(r *client.Registration) { r.Authentication.RequireCertificate = true }},
		{"authentication.require-certificate", func(r *client.Registration) {
			certificate(client.SubjectRegistration{SANDNS: "app.example"})(r)
			r.Authentication.RequireCertificate = true
		}},
		{"authentication.certificate", func(r *client.Registration) { secret(r); r.Authentication.RequireCertificate = true }},
		{"authentication.certificate", certificate(client.SubjectRegistration{})},
		{"authentication.certificate", certificate(client.SubjectRegistration{SANDNS: "app.example", SubjectDN: "CN=a"})},
		{"authentication.certificate", func(r *client.Registration) { secret(r); r.Authentication.Certificate.SANDNS = "app.example" }},
		{"authentication.certificate.subject-dn", certificate(client.SubjectRegistration{SubjectDN: "no name"})},
		{"authentication.certificate.san-dns", certificate(client.SubjectRegistration{SANDNS: "*.example"})},
		{"authentication.certificate.san-uri", certificate(client.SubjectRegistration{SANURI: "app"})},
		{"authentication.certificate.san-ip", certificate(client.SubjectRegistration{SANIP: "192.0.2.0/24"})},
		{"authentication.certificate.san-ip", certificate(client.SubjectRegistration{SANIP: "::ffff:192.0.2.1"})},
		{"authentication.certificate.san-email", certificate(client.SubjectRegistration{SANEmail: "example"})},
		{"authentication.algorithms", func(r *client.Registration) { r.Authentication.Algorithms = []string{"ES256"} }},
		{"authentication.algorithms", func(r *client.Registration) {
			withKeys(set, "HS256")(r)
			r.Authentication.Method = client.PrivateKeyJWT
		}},
		{"authentication.algorithms", func(r *client.Registration) {
			withKeys(set, "none")(r)
			r.Authentication.Method = client.PrivateKeyJWT
		}},
		{"authentication.issuer-audience-only", func(r *client.Registration) { r.Authentication.IssuerAudienceOnly = true }},
		{"jwks", func(r *client.Registration) { r.Authentication.Method = client.PrivateKeyJWT }},
		{"jwks", func(r *client.Registration) { r.Authentication.Method = client.SelfSignedTLS }},
		{"jwks", func(r *client.Registration) {
			withKeys(set, "RS256")(r)
			r.Authentication.Method = client.PrivateKeyJWT
		}},
		{"jwks", func(r *client.Registration) { r.JWKS = `{"keys":[]}` }},
		{"jwks", func(r *client.Registration) { r.JWKS = `[` }},
		{"jwks", func(r *client.Registration) { r.JWKS = `{"keys":[{"kty":"oct","k":"AAAA"}]}` }},
		{"jwks", func(r *client.Registration) {
			r.JWKS = keySet(t, jose.JSONWebKey{Key: pki.AliceEIDP256.Key, KeyID: "private"})
		}},
		{"jwks", func(r *client.Registration) { r.JWKS = `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}` }},
		{"jwks", func(r *client.Registration) { r.JWKS = `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAA"}]}` }},
		{"jwks", func(r *client.Registration) { r.JWKS, r.JWKSURI = set, "https://a.example/keys" }},
		{"jwks-uri", func(r *client.Registration) { r.JWKSURI = "https://a.example/keys" }}, // nobody fetches
		{"jwks-uri", func(r *client.Registration) { r.JWKSURI = "http://a.example/keys" }},
		{"id-token-algorithm", func(r *client.Registration) { r.IDTokenAlgorithm = "HS256" }},
		{"id-token-algorithm", func(r *client.Registration) { r.IDTokenAlgorithm = "none" }},
		{"userinfo-algorithm", func(r *client.Registration) { r.UserinfoAlgorithm = "none" }},
		{"require-pkce", func(r *client.Registration) { r.RequirePKCE = &no }},
		{"introspection-allowed", func(r *client.Registration) { r.IntrospectionAllowed = true }},
		{"request-object-algorithm", func(r *client.Registration) { r.RequireSignedRequestObject = true }},
		{"request-object-algorithm", func(r *client.Registration) { r.RequestObjectAlgorithm, r.JWKS = "none", set }},
		{"jwks", func(r *client.Registration) { r.RequestObjectAlgorithm = "ES256" }},
		{"jwks", func(r *client.Registration) { r.RequestObjectAlgorithm, r.JWKS = "PS256", set }},

		{"session.max-authentication-age", func(r *client.Registration) { r.Session.MaxAuthenticationAge = -time.Hour }},
		{"session.max-authentication-age", func(r *client.Registration) { r.Session.MaxAuthenticationAge = 25 * time.Hour }},
		{"session.max-authentication-age", psc(func(r *client.Registration) { r.Session.MaxAuthenticationAge = 4*time.Hour + time.Second })},
		{"session.default-max-age", func(r *client.Registration) { r.Session.DefaultMaxAge = 5 * time.Hour }},
		{"session.default-max-age", func(r *client.Registration) { r.Session.DefaultMaxAge = -time.Hour }},
		{"session.default-max-age", func(r *client.Registration) { r.Session.DefaultMaxAge = 1500 * time.Millisecond }},
		{"session.methods", func(r *client.Registration) { r.Session.Methods = [][]string{{}} }},
		{"session.methods", func(r *client.Registration) { r.Session.Methods = [][]string{{"sc", "sc"}} }},
		{"session.methods", func(r *client.Registration) { r.Session.Methods = [][]string{{"sc pin"}} }},
		{"session.acr.1", func(r *client.Registration) { r.Session.ACR = []client.ACRRegistration{{Value: "eidas1"}} }},
		{"session.acr.1", func(r *client.Registration) { r.Session.ACR = []client.ACRRegistration{{"e 1", [][]string{{"sc"}}}} }},
		{"session.acr", func(r *client.Registration) {
			r.Session.ACR = []client.ACRRegistration{{"e", [][]string{{"sc"}}}, {"e", [][]string{{"pwd"}}}}
		}},

		{"id-token-algorithm", psc(func(r *client.Registration) { r.IDTokenAlgorithm = "ES256" })},
		{"userinfo-algorithm", psc(func(r *client.Registration) { r.UserinfoAlgorithm = "ES256" })},
		{"application-type", psc(func(r *client.Registration) { r.ApplicationType = "native" })},
		{"grant-types", psc(func(r *client.Registration) {
			r.GrantTypes, r.RedirectURIs, r.Exchange.Audiences = []string{exchange}, nil, []string{"https://api.example"}
		})},
		{"authentication.method", psc(func(r *client.Registration) {
			r.Authentication = client.AuthenticationRegistration{Method: client.None}
		})},
		{"authentication.method", psc(func(r *client.Registration) {
			r.Authentication, r.JWKS = client.AuthenticationRegistration{Method: client.SelfSignedTLS}, set
		})},
	} {
		r := registration("app", client.None)
		c.change(&r)
		made, err := client.New([]client.Registration{r}, o)
		if c.key == "" {
			if err != nil {
				t.Errorf("%+v: %v", r, err)
			}
			continue
		}
		label := r.ID
		if c.key == "id" {
			label = "number 1"
		}
		if err == nil || made != nil {
			t.Errorf("%s: %+v was taken", c.key, r)
		} else if prefix := "client " + label + ": " + c.key + ": "; !slices.ContainsFunc(strings.Split(err.Error(), "\n"), func(line string) bool { return strings.HasPrefix(line, prefix) }) {
			t.Errorf("%q is not told: %v", prefix, err)
		}
	}

	// Everything that is wrong is told at once, of all clients.
	_, err := client.New([]client.Registration{
		registration("a", client.None, func(r *client.Registration) { r.Profile, r.Consent = "x", "x" }),
		registration("b", "x"), registration("c", client.None), registration("c", client.None),
	}, o)
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"client a: profile: ", "client a: consent: ", "client b: authentication.method: ", "client c: id: registered twice"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	// Without a verifier no certificate is decided on.
	if _, err := client.New([]client.Registration{registration("app", client.TLS, byTLS(client.SubjectRegistration{SANDNS: "a.example"}))}, options()); err == nil {
		t.Error("a client with a certificate, and nobody to decide")
	}
}

// TestOptions: what all clients share.
func TestOptions(t *testing.T) {
	for name, change := range map[string]func(*client.Options){
		"issuer":    func(o *client.Options) { o.Issuer = "" },
		"endpoints": func(o *client.Options) { o.Endpoints = nil },
		"key":       func(o *client.Options) { o.SecretKey = []byte("short") },
		"durations": func(o *client.Options) { o.Skew = -time.Second },
		"bounds":    func(o *client.Options) { o.ReplayCapacity = -1 },
	} {
		o := options()
		change(&o)
		if _, err := client.New(nil, o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	r := registry(t, options())
	if r.Client("") != nil || r.Client("app") != nil || len(r.Clients()) != 0 {
		t.Error("a client that nobody registered")
	}
	if got := authenticate(t, r, post("client_id", "app"), client.Token); got != "unknown client, invalid_client" {
		t.Error(got)
	}
}

// TestReloadRefuses: on error the old clients stay.
func TestReloadRefuses(t *testing.T) {
	r := registry(t, options(), registration("app", client.None))
	if err := r.Reload([]client.Registration{registration("b", client.None), registration("c", "x")}); err == nil {
		t.Fatal("taken")
	}
	if r.Client("app") == nil || r.Client("b") != nil {
		t.Error("half of a reload")
	}
	given := registration("app", client.None)
	if err := r.Reload([]client.Registration{given}); err != nil {
		t.Fatal(err)
	}
	given.RedirectURIs[0], given.Name["fr"] = "https://evil.example", "evil"
	if c := r.Client("app"); c.AllowsRedirect("https://evil.example") || c.Name("fr") != "Dossier" {
		t.Error("a client that changes with what it was made of")
	}
}

// TestSession: which authentications of persons a client takes, and how old (EXI FI 24 and 25).
func TestSession(t *testing.T) {
	_, stored := newSecret(t, nil)
	r := registry(t, options(),
		registration("usual", client.None),
		registration("psc", client.SecretBasic, withSecret(stored), func(r *client.Registration) { r.Profile = client.ProfileProSanteConnect }),
		registration("sets", client.None, func(r *client.Registration) {
			r.Session = client.SessionRegistration{MaxAuthenticationAge: time.Hour, DefaultMaxAge: 10 * time.Minute, Methods: [][]string{{"sc", "pin"}, {"pwd", "otp"}},
				ACR: []client.ACRRegistration{{"eidas3", [][]string{{"sc", "pin"}}}, {"eidas1", [][]string{{"sc"}, {"pwd"}}}}}
		}))
	for _, c := range []struct {
		client     string
		references []string
		admits     bool
		acr        string
	}{
		{"usual", nil, false, ""},
		{"usual", []string{"pwd"}, true, ""},
		{"psc", []string{"pwd"}, false, ""},
		{"psc", []string{"pwd", "otp", "mfa"}, false, ""},
		{"psc", []string{"swk", "mfa", "pwd", "okta_verify"}, false, ""},
		{"psc", []string{"pwd", "otp", "user"}, false, ""},
		{"psc", []string{"mfa"}, false, ""},
		{"psc", []string{"user", "mfa"}, true, ""}, // what a passkey is known to be before it is used
		{"psc", []string{"swk", "user", "mfa", "pin"}, true, ""},
		{"psc", []string{"sc", "pin", "mfa", "hwk"}, true, ""},
		{"psc", []string{"mfa", "hwk", "user"}, true, ""},
		{"psc", []string{"sc"}, false, ""},
		{"sets", []string{"sc", "pin", "mfa"}, true, "eidas3"},
		{"sets", []string{"sc"}, false, "eidas1"},
		{"sets", []string{"pwd", "pin"}, false, "eidas1"},
		{"sets", []string{"pwd", "otp"}, true, "eidas1"},
		{"sets", []string{"SC", "PIN"}, false, ""},
		{"sets", nil, false, ""},
	} {
		s := r.Client(c.client).Session()
		if got := s.Admits(c.references); got != c.admits {
			t.Errorf("%s admits %v: %v", c.client, c.references, got)
		}
		if got := s.ACR(c.references); got != c.acr {
			t.Errorf("%s: acr of %v is %q", c.client, c.references, got)
		}
	}
	sets := r.Client("sets").Session()
	if !sets.Reaches("eidas1", []string{"sc"}) || sets.Reaches("eidas3", []string{"sc"}) || sets.Reaches("eidas2", []string{"sc", "pin"}) || sets.Reaches("", []string{"sc"}) {
		t.Error("reaches")
	}
	for _, c := range []struct {
		client      string
		asked, want time.Duration
	}{
		{"usual", -1, 4 * time.Hour}, {"usual", 0, 0}, {"usual", time.Minute, time.Minute}, {"usual", 100 * time.Hour, 4 * time.Hour},
		{"psc", 100 * time.Hour, 4 * time.Hour},
		{"sets", -1, 10 * time.Minute}, {"sets", 30 * time.Minute, 30 * time.Minute}, {"sets", 2 * time.Hour, time.Hour},
	} {
		if got := r.Client(c.client).Session().MaxAge(c.asked); got != c.want {
			t.Errorf("%s, %s asked: %s, want %s", c.client, c.asked, got, c.want)
		}
	}
	if (client.Session{}).Admits([]string{"sc", "pin"}) {
		t.Error("the zero session admits")
	}
	if c := r.Client("psc"); !c.TenantClaims() || !c.RetainAudit() || c.IDTokenAlgorithm() != "RS256" || !c.RequirePKCE() {
		t.Error("the profile")
	}
}
