package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/oidc/client"
	"sceau/oidc/means/people"
	"sceau/oidc/rp"
)

// A demoProvider is the OpenID Connect face of the demonstration, and an application that relies on it.
type demoProvider struct {
	issuer, secure string
	app            *demoApp
	server         *http.Server
	roots          *x509.CertPool
}

// The passwords of the demonstration are known to everybody.
const demoPassword = "demonstration"

// prepareOIDC writes the configuration of the face: an establishment with invented people, its keys and its one application.
// The listeners are bound before, since their ports stand in the issuer.
func (d *demo) prepareOIDC(plain, secure, app net.Listener) error {
	port := func(l net.Listener) string { return fmt.Sprint(l.Addr().(*net.TCPAddr).Port) }
	o := &demoProvider{issuer: "https://localhost:" + port(plain) + "/etab/demo", secure: "https://localhost:" + port(secure) + "/etab/demo"}
	d.oidc = o
	write := func(name, text string, mode os.FileMode) error {
		return os.WriteFile(filepath.Join(d.dir, name), []byte(text), mode)
	}
	for _, k := range []struct {
		name string
		kind minipki.KeyKind
	}{{"oidc-rs256.key", minipki.RSA2048}, {"oidc-es256.key", minipki.P256}} {
		key, err := minipki.GenerateKey(k.kind)
		if err != nil {
			return err
		}
		text, err := minipki.KeyPEM(key)
		if err != nil {
			return err
		}
		if err := write(k.name, string(text), 0o600); err != nil {
			return err
		}
	}
	secret, stored, err := client.NewSecret(nil)
	if err != nil {
		return err
	}
	address := "https://localhost:" + port(app)
	for _, f := range []struct{ name, text string }{
		{"oidc.yaml", fmt.Sprintf(demoOIDC, plain.Addr(), secure.Addr(), o.issuer, o.secure)},
		{"clients.yaml", fmt.Sprintf(demoClients, stored, address, address)},
		{"people.yaml", fmt.Sprintf(demoPeople, people.Hash(demoPassword), aliceSSIN, people.Hash(demoPassword), bobSSIN)},
	} {
		if err := write(f.name, f.text, 0o600); err != nil {
			return err
		}
	}
	o.roots = x509.NewCertPool()
	ders, err := certs.ReadCertificates(filepath.Join(d.dir, "pki", "server-root.pem"))
	if err != nil {
		return err
	}
	root, err := x509.ParseCertificate(ders[0])
	if err != nil {
		return err
	}
	o.roots.AddCert(root)
	provider, err := rp.New(rp.Config{
		Issuer: o.issuer, ClientID: "demo", Method: rp.ClientSecretBasic, Secret: secret, RedirectURI: address + "/cb", LogoutRedirectURI: address + "/",
		Hosts: []string{"localhost:" + port(secure)}, Scopes: []string{"profile", "email"}, Roots: o.roots, UserInfo: true, Keep: rp.KeepIDToken, RequireResponseIssuer: true,
		Policy: rp.Policy{RequireAuthTime: true},
	})
	if err != nil {
		return err
	}
	o.app = &demoApp{address: address, provider: provider}
	return nil
}

// serveApp starts the application.
func (o *demoProvider) serveApp(l net.Listener, dir string) error {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "pki", "server.pem"), filepath.Join(dir, "pki", "server.key"))
	if err != nil {
		return err
	}
	o.server = &http.Server{Handler: o.app, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}},
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
	go o.server.ServeTLS(l, "", "") // it ends with Close, which is no failure
	return nil
}

// login shows Alice logging in to the application with her eID, as a browser would.
func (d *demo) login(ctx context.Context) error {
	d.title("Alice opens an application of the hospital, which sends her to log in: OpenID Connect")
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	pki := filepath.Join(d.dir, "pki")
	card, err := tls.LoadX509KeyPair(filepath.Join(pki, "alice-eid.pem"), filepath.Join(pki, "alice-eid.key"))
	if err != nil {
		return err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: d.oidc.roots, MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{card}}}
	defer transport.CloseIdleConnections()
	browser := &http.Client{Jar: jar, Transport: transport, Timeout: 20 * time.Second}
	get := func(to string) (*http.Response, string, error) {
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
		if err != nil {
			return nil, "", err
		}
		a, err := browser.Do(q)
		if err != nil {
			return nil, "", err
		}
		defer a.Body.Close()
		text, err := io.ReadAll(io.LimitReader(a.Body, 1<<20))
		return a, string(text), err
	}
	choice, text, err := get(d.oidc.app.address + "/login")
	if err != nil {
		return err
	}
	if !strings.HasPrefix(choice.Request.URL.String(), d.oidc.issuer+"/authorize/") {
		return fmt.Errorf("the application led to %s: %s", choice.Request.URL, text)
	}
	d.say("   She chooses her eID, whose key answers in the TLS handshake.")
	attempt := strings.TrimPrefix(choice.Request.URL.Path, "/etab/demo")
	end, text, err := get(d.oidc.secure + attempt + "/m/eid")
	if err != nil {
		return err
	}
	if end.Request.URL.Path != "/" || end.StatusCode != http.StatusOK {
		return fmt.Errorf("the login ended at %s with %d: %s", end.Request.URL.Redacted(), end.StatusCode, text)
	}
	said := d.oidc.app.last()
	if said == nil {
		return errors.New("the application knows of no login")
	}
	d.say("   The application verified what it was told:")
	for _, name := range []string{"sub", "tid", "name", "email", "amr", "auth_time"} {
		value, err := json.Marshal(said[name])
		if err != nil {
			return err
		}
		d.say("   %s = %s", name, value)
	}
	return nil
}

// A demoApp is an application that relies on the provider of the demonstration. It shows who logged in.
type demoApp struct {
	address  string
	provider *rp.Provider

	mu     sync.Mutex
	flows  map[string]*rp.Flow
	logins map[string]*demoLogin
	newest *demoLogin
}

type demoLogin struct {
	claims map[string]any
	hint   string
}

const (
	demoFlow    = "__Host-demo-flow"
	demoSession = "__Host-demo-session"
	// demoMost bounds what the application remembers.
	demoMost = 1000
)

func (a *demoApp) last() map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.newest == nil {
		return nil
	}
	return a.newest.claims
}

func (a *demoApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/":
		a.home(w, r)
	case "/login":
		a.login(w, r)
	case "/cb":
		a.callback(w, r)
	case "/logout":
		a.logout(w, r)
	default:
		http.NotFound(w, r)
	}
}

var demoPage = template.Must(template.New("").Parse(`<!doctype html><html lang="fr"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Dossier du patient – démonstration</title><style>body{font:1rem/1.5 system-ui;max-width:40rem;margin:3rem auto;padding:0 1rem}
td{padding:.2rem 1rem .2rem 0;vertical-align:top}a{color:#0b5394}</style><h1>Dossier du patient</h1>
{{if .Claims}}<p>Bonjour {{.Claims.name}}.</p><table>{{range $k, $v := .Claims}}<tr><td>{{$k}}<td>{{$v}}{{end}}</table><p><a href="/logout">Se déconnecter</a></p>
{{else}}<p>Cette application invite son utilisateur à s’authentifier auprès de son établissement.</p><p><a href="/login">Se connecter</a></p>{{end}}
{{with .Wrong}}<p role="alert">{{.}}</p>{{end}}`))

func (a *demoApp) show(w http.ResponseWriter, status int, claims map[string]any, wrong string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	w.WriteHeader(status)
	demoPage.Execute(w, struct {
		Claims map[string]any
		Wrong  string
	}{claims, wrong}) // a client that went away is its own affair
}

func (a *demoApp) of(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

func (a *demoApp) home(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	login := a.logins[a.of(r, demoSession)]
	a.mu.Unlock()
	if login == nil {
		a.show(w, http.StatusOK, nil, "")
		return
	}
	a.show(w, http.StatusOK, login.claims, "")
}

func (a *demoApp) login(w http.ResponseWriter, r *http.Request) {
	flow, err := a.provider.Begin(r.Context(), rp.Request{Locales: []string{"fr"}})
	if err != nil {
		a.show(w, http.StatusBadGateway, nil, err.Error())
		return
	}
	id := randomText()
	a.mu.Lock()
	if a.flows == nil || len(a.flows) > demoMost {
		a.flows = map[string]*rp.Flow{}
	}
	a.flows[id] = flow
	a.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: demoFlow, Value: id, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, flow.URL, http.StatusSeeOther)
}

func (a *demoApp) callback(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	flow := a.flows[a.of(r, demoFlow)]
	delete(a.flows, a.of(r, demoFlow))
	a.mu.Unlock()
	if flow == nil {
		a.show(w, http.StatusBadRequest, nil, "Recommencez la connexion.")
		return
	}
	login, err := a.provider.Finish(r.Context(), flow, r.URL.Query())
	if rp.ReasonOf(err) == rp.Denied {
		a.show(w, http.StatusForbidden, nil, "Vous avez renoncé à vous connecter.")
		return
	}
	if err != nil {
		a.show(w, http.StatusForbidden, nil, err.Error())
		return
	}
	kept := &demoLogin{claims: map[string]any{}, hint: login.Tokens.ID}
	for _, name := range login.Claims.Names() {
		kept.claims[name] = claim(login.Claims, name)
	}
	id := randomText()
	a.mu.Lock()
	if a.logins == nil || len(a.logins) > demoMost {
		a.logins = map[string]*demoLogin{}
	}
	a.logins[id], a.newest = kept, kept
	a.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: demoSession, Value: id, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// claim gives a claim as it is shown: whatever it is, and instants without an exponent.
func claim(c rp.Claims, name string) (value any) {
	var text json.RawMessage
	if !c.Decode(name, &text) {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&value) != nil {
		return nil
	}
	return value
}

func (a *demoApp) logout(w http.ResponseWriter, r *http.Request) {
	id := a.of(r, demoSession)
	a.mu.Lock()
	login := a.logins[id]
	delete(a.logins, id)
	a.mu.Unlock()
	if login == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	to, err := a.provider.EndSession(r.Context(), rp.Logout{IDToken: login.hint, Locales: []string{"fr"}})
	if err != nil {
		a.show(w, http.StatusBadGateway, nil, err.Error())
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func randomText() string {
	_, secret, err := client.NewSecret(nil)
	if err != nil {
		panic(err) // the system has no random numbers
	}
	return url.QueryEscape(secret)
}

const demoOIDC = `# Written by stsd demo; stsd oidc config explains every key.
listen: {address: "%s", certificate: pki/server.pem, key: pki/server.key}
secure: {address: "%s", authorities: [pki/citizen-ca.pem, pki/citizen-root.pem]}
establishments:
  - tenant: demo
    issuer: %s
    secure-issuer: %s
    names: {fr: "Hôpital de démonstration", nl: "Demonstratieziekenhuis", de: "Vorführkrankenhaus", en: "Demonstration hospital"}
    sandbox: true
    mail-domains: [hopital.example]
    keys:
      - {file: oidc-rs256.key, algorithm: RS256}
      - {file: oidc-es256.key, algorithm: ES256}
    clients: clients.yaml
    accounts: {people: people.yaml}
    means:
      - {name: eid, kind: certificate, cards: [eID], role: person, references: {eID in a browser: [sc, pin, mfa, hwk]}}
      - {name: password, kind: password, second-factor: if-had}
`

const demoClients = `# Written by stsd demo; go doc ./oidc/client Registration explains every key.
- id: demo
  name: {fr: "Dossier du patient", nl: "Patiëntendossier", de: "Patientenakte", en: "Patient record"}
  authentication: {method: client_secret_basic, secrets: [{hash: "%s"}]}
  redirect-uris: ["%s/cb"]
  post-logout-redirect-uris: ["%s/"]
  scopes: [openid, profile, email]
`

const demoPeople = `# Invented people: nobody's names, numbers or addresses.
test-identities: true
people:
  - id: 7f0c2f5e-0000-4000-8000-000000000001
    username: alice
    password: %s
    given-name: Alice
    family-name: Example
    email: alice.example@hopital.example
    identifiers: {ssin: ["%s"]}
  - id: 7f0c2f5e-0000-4000-8000-000000000002
    username: bob
    password: %s
    given-name: Bob
    family-name: Sample
    email: bob.sample@hopital.example
    identifiers: {ssin: ["%s"]}
`
