package openid

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.yaml.in/yaml/v3"

	"sceau/internal/judge"
	"sceau/internal/testpki"
	"sceau/oidc/client"
	"sceau/oidc/means/people"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if made := theWorld; made != nil {
		made.close()
	}
	os.Exit(code)
}

// A world is what relying parties meet: stsd, as it is shipped, with an establishment of invented people.
type world struct {
	dir            string
	pki            *pki
	issuer, secure string
	told           string                  // where clients are told of logouts
	onward         string                  // a client that leads browsers on
	status         string                  // where lists of the status of attestations are
	upstream       string                  // another provider
	apache         map[string]string       // where Apache will be, by client
	held           map[string]net.Listener // what nobody else may take until then, by URL
	process        *exec.Cmd
	ended          chan error
	log            bytes.Buffer
}

var (
	theWorld *world
	making   sync.Once
	unmade   error
)

// meet gives the world; it is made once for all tests. Under the race detector, which sees this process alone, the tests are left
// out; the checks run them without it.
func meet(t *testing.T) *world {
	t.Helper()
	if judge.RaceEnabled {
		t.Skip("all that runs is other processes")
	}
	judge.Require(t, "go")
	making.Do(func() {
		theWorld = &world{}
		unmade = theWorld.make()
	})
	if unmade != nil {
		t.Fatal(unmade)
	}
	return theWorld
}

const stsdYAML = `listen: [{address: %[1]q}]
admin: %[2]q
environment: Test
signing: {key: pki/sts.key, certificate: pki/sts.pem}
trust:
  authorities:
    - {name: citizen-ca, certificate: pki/citizen-ca.pem}
    - {name: igc-root, certificate: pki/igc-root.pem}
    - {name: igc-org, certificate: pki/igc-org.pem}
    - {name: attestations, certificate: pki/attestations.pem}
  profiles:
    - {name: eID, kind: belgian-eid, role: identity, roots: [citizen-ca]}
    - {name: eID as holder, kind: belgian-eid, role: holder, roots: [citizen-ca]}
    - {name: eID in a browser, kind: belgian-eid, role: person, roots: [citizen-ca]}
    - {name: Ordre, kind: attestation-issuer, role: attestation, roots: [attestations], subjects: ["CN=TEST Ordre, O=Ordre, C=FR"]}
    - {name: structures, kind: igc-sante, role: client, roots: [igc-root], intermediates: [igc-org]}
  crl-files: [pki/crl]
registry: {file: registry.db}
policy: policy.yaml
audit: {dir: audit}
oidc: oidc.yaml
`

const registryCSV = `subject_type,subject,attribute,namespace,value,not_before,not_on_or_after
ssin,` + testpki.AliceSSIN + `,urn:be:fgov:person:ssin:doctor:boolean,,true,2020-01-01T00:00:00Z,
`

const policyYAML = `version: 1
profiles:
  APP2: {maximum-validity: 12h, fallback-maximum-validity: 1h, attributes: [{name: "urn:be:fgov:person:ssin", namespace: identification}]}
rules:
  - {id: care-providers, effect: permit, identity: {kinds: [eid]}, profiles: [APP2]}
`

const oidcYAML = `listen: {address: %q, certificate: pki/server.pem, key: pki/server.key}
secure: {address: %q, authorities: [pki/citizen-ca.pem, pki/igc-org.pem]}
back-channel: {allow: [127.0.0.0/8], ca: [pki/server-root.pem]}
establishments:
  - tenant: hopital-exemple
    issuer: %q
    secure-issuer: %q
    names: {fr: "Hôpital Exemple", nl: "Ziekenhuis Voorbeeld", de: "Krankenhaus Beispiel", en: "Example Hospital"}
    sandbox: true
    mail-domains: [hopital.example]
    keys:
      - {file: pki/rs256.key, algorithm: RS256}
      - {file: pki/es256.key, algorithm: ES256}
      - {file: pki/ps256.key, algorithm: PS256}
    clients: clients.yaml
    accounts: {people: people.yaml}
    means:
      - {name: eid, kind: certificate, cards: [eID], role: person, references: {eID in a browser: [sc, pin, mfa, hwk]}}
      - {name: password, kind: password, second-factor: without}
`

// upstreamYAML is another provider, twice: it names persons by a number that everybody knows, and in words of its own.
const upstreamYAML = `      - &op
        name: op
        kind: upstream
        provider: &provider
          issuer: %q
          client-id: number
          method: client_secret_post
          secret-file: op.secret
          ca: [pki/server-root.pem]
          scopes: [openid, scope_all]
          userinfo: true
          identify: rpps
          claim: rpps
          least: [mfa]
          methods: [{claim: level, value: strong, references: [mfa]}]
      - {<<: *op, name: op-sub, provider: {<<: *provider, client-id: sub, identify: sub, claim: ""}}
`

// walletYAML is one means more.
const walletYAML = `      - name: wallet
        kind: wallet
        wallet:
          client-id: x509_hash
          certificate: pki/access.pem
          key: pki/access.key
          other-device: true
          issuers: [{profile: Ordre, types: ["urn:test:professional:1"]}]
          identify: rpps
          claim: [professional, rpps]
          attributes: {SubjectRole: [professional, role], Unknown: [nothing]}
          methods: [pop, mfa, hwk]
          status: {addresses: [%q], ca: [pki/server-root.pem], networks: [127.0.0.0/8], max-age: 1s}
`

const password = "correct horse battery staple"

const peopleYAML = `test-identities: true
people:
  - id: 7f0c2f5e-0000-4000-8000-000000000001
    username: alice
    password: %s
    given-name: Alice
    family-name: Exemple
    email: alice@hopital.example
    identifiers: {ssin: ["%s"], rpps: ["10003456789"], "sub %s": [alice-there]}
`

// aliceSubject is her sub.
const aliceSubject = "hopital-exemple:7f0c2f5e-0000-4000-8000-000000000001"

func (w *world) file(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, content string) error {
	return os.WriteFile(w.file(name), []byte(content), 0o600)
}

func (w *world) make() (err error) {
	if err := look(filepath.Join("..", "..", "..")); err != nil {
		return err
	}
	if w.dir, err = os.MkdirTemp("", "sceau-openid-"); err != nil {
		return err
	}
	if w.pki, err = newPKI(w.file("pki")); err != nil {
		return err
	}
	build := exec.Command("go", "build", "-o", w.dir, "sceau/cmd/stsd")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	if err := w.write("registry.csv", registryCSV); err != nil {
		return err
	}
	if out, err := exec.Command(w.file("stsd"), "registry", "import", w.file("registry.csv"), "--db", w.file("registry.db")).CombinedOutput(); err != nil {
		return fmt.Errorf("stsd registry: %w\n%s", err, out)
	}
	at := make([]string, 4)
	if err := free(at); err != nil {
		return err
	}
	w.held = map[string]net.Listener{}
	for range 4 + len(apacheClients) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		at = append(at, l.Addr().String())
		w.held["https://localhost:"+fmt.Sprint(l.Addr().(*net.TCPAddr).Port)] = l
	}
	url := func(address string) string {
		return "https://localhost:" + address[strings.LastIndexByte(address, ':')+1:]
	}
	w.issuer, w.secure, w.told = url(at[2])+"/etab/750712184", url(at[3])+"/etab/750712184", url(at[4])
	w.onward, w.status, w.upstream = url(at[5]), url(at[6]), url(at[7])
	w.apache = map[string]string{}
	for i, id := range apacheClients {
		w.apache[id] = url(at[8+i])
	}
	clients, err := w.clients()
	if err != nil {
		return err
	}
	if err := errors.Join(
		w.write("stsd.yaml", fmt.Sprintf(stsdYAML, at[0], at[1])), w.write("policy.yaml", policyYAML),
		w.write("oidc.yaml", fmt.Sprintf(oidcYAML, at[2], at[3], w.issuer, w.secure)+fmt.Sprintf(walletYAML, w.status+"/lists/")+fmt.Sprintf(upstreamYAML, w.upstream)), w.write("clients.yaml", clients),
		w.write("people.yaml", fmt.Sprintf(peopleYAML, people.Hash(password), testpki.AliceSSIN, w.upstream)), w.write("op.secret", secret),
	); err != nil {
		return err
	}
	w.process = exec.Command(w.file("stsd"), "serve", "--config", w.file("stsd.yaml"))
	w.process.Stdout, w.process.Stderr = &w.log, &w.log
	if err := w.process.Start(); err != nil {
		return err
	}
	w.ended = make(chan error, 1)
	go func() { w.ended <- w.process.Wait() }()
	for range 1200 {
		select {
		case err := <-w.ended:
			w.process = nil
			return fmt.Errorf("stsd ended: %v\n%s", err, w.log.String())
		default:
		}
		if a, err := http.Get("http://" + at[1] + "/healthz/ready"); err == nil {
			a.Body.Close()
			if a.StatusCode == http.StatusOK {
				return nil
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("stsd does not answer")
}

// close ends stsd.
func (w *world) close() {
	if w.process != nil {
		_ = w.process.Process.Signal(os.Interrupt)
		<-w.ended
	}
	if w.dir != "" {
		_ = os.RemoveAll(w.dir)
	}
}

// release lets somebody listen at an address that was held.
func (w *world) release(url string) {
	if l := w.held[url]; l != nil {
		l.Close()
	}
}

// free finds addresses that nobody listens on.
func free(at []string) error {
	for i := range at {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		at[i] = l.Addr().String()
	}
	return nil
}

// look looks at every source of the module: the go command remembers that a test passed until something that it looked at changes,
// and stsd is no package of it.
func look(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != root:
			return fs.SkipDir
		case entry.IsDir() || !slices.Contains([]string{".go", ".mod", ".js", ".json", ".html", ".css", ".conf"}, filepath.Ext(path)):
			return nil
		}
		_, err = os.Stat(path)
		return err
	})
}

// secret is that of every client that has one: characters that form-encoding changes are in it.
const secret = "s-cret:of+all/clients%20and=more_than~enough"

const (
	rpBack = "https://rp.example/cb"
	rpBye  = "https://rp.example/bye"
)

// clients writes the registrations of the relying parties.
func (w *world) clients() (string, error) {
	stored, err := client.HashSecret(secret, nil)
	if err != nil {
		return "", err
	}
	secrets := []client.SecretRegistration{{Hash: stored}}
	set := func(keys ...jose.JSONWebKey) client.KeySet {
		text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
		if err != nil {
			panic(err) // public keys of ours
		}
		return client.KeySet(text)
	}
	self, err := x509.ParseCertificate(w.pki.ders["self"])
	if err != nil {
		return "", err
	}
	ec := jose.JSONWebKey{Key: w.pki.keys["client-ec"].Public(), KeyID: "ec", Use: "sig", Algorithm: "ES256"}
	rsa := jose.JSONWebKey{Key: w.pki.keys["client-rsa"].Public(), KeyID: "rsa", Use: "sig", Algorithm: "PS256"}
	structure := client.SubjectRegistration{SubjectDN: structureDN}
	base := client.Registration{
		Name: map[string]string{"fr": "Dossier du patient"}, RedirectURIs: []string{rpBack}, PostLogoutRedirectURIs: []string{rpBye},
		Scopes: []string{"openid", "profile", "email", "offline_access"}, GrantTypes: []string{client.AuthorizationCode, client.RefreshToken},
		IntrospectionAllowed: true, BackchannelLogoutURI: w.told + "/backchannel", BackchannelLogoutSessionRequired: true,
	}
	var all []client.Registration
	add := func(id string, change func(*client.Registration)) {
		r := base
		r.ID = id
		change(&r)
		all = append(all, r)
	}
	authentication := func(a client.AuthenticationRegistration) func(*client.Registration) {
		return func(r *client.Registration) { r.Authentication = a }
	}
	add("rp-basic", authentication(client.AuthenticationRegistration{Method: client.SecretBasic, Secrets: secrets}))
	add("rp-post", authentication(client.AuthenticationRegistration{Method: client.SecretPost, Secrets: secrets}))
	add("rp:basic+es256%2D", func(r *client.Registration) {
		r.Authentication = client.AuthenticationRegistration{Method: client.SecretBasic, Secrets: secrets}
		r.IDTokenAlgorithm, r.UserinfoAlgorithm = "ES256", "ES256"
	})
	add("rp-basic-ps256", func(r *client.Registration) {
		r.Authentication = client.AuthenticationRegistration{Method: client.SecretBasic, Secrets: secrets}
		r.IDTokenAlgorithm, r.UserinfoAlgorithm = "PS256", "RS256"
	})
	add("rp-jwt-es256", func(r *client.Registration) {
		r.Authentication = client.AuthenticationRegistration{Method: client.PrivateKeyJWT}
		r.JWKS, r.RequestObjectAlgorithm = set(ec), "ES256"
	})
	add("rp-jwt-ps256", func(r *client.Registration) {
		r.Authentication = client.AuthenticationRegistration{Method: client.PrivateKeyJWT, IssuerAudienceOnly: true}
		r.JWKS, r.RequestObjectAlgorithm, r.RequireSignedRequestObject, r.RequirePAR = set(rsa), "PS256", true, true
	})
	add("rp-tls", func(r *client.Registration) {
		r.Authentication = client.AuthenticationRegistration{Method: client.TLS, Certificate: structure}
		r.CertificateBoundAccessTokens = true
	})
	add("rp-self", func(r *client.Registration) {
		r.Authentication = client.AuthenticationRegistration{Method: client.SelfSignedTLS}
		r.JWKS = set(jose.JSONWebKey{Key: self.PublicKey, KeyID: "self", Use: "sig", Certificates: []*x509.Certificate{self}})
	})
	add("rp-secret-tls", authentication(client.AuthenticationRegistration{Method: client.SecretPost, Secrets: secrets, RequireCertificate: true, Certificate: structure}))
	add("rp-public", func(r *client.Registration) {
		r.Authentication, r.IntrospectionAllowed = client.AuthenticationRegistration{Method: client.None}, false
	})
	add("rp-onward", func(r *client.Registration) {
		r.Authentication = client.AuthenticationRegistration{Method: client.SecretBasic, Secrets: secrets}
		r.Consent, r.RedirectURIs, r.PostLogoutRedirectURIs, r.BackchannelLogoutURI, r.BackchannelLogoutSessionRequired = client.ConsentAsk, []string{w.onward + "/cb"}, []string{w.onward + "/bye"}, "", false
	})
	// Of Pro Santé Connect: its broker sends PKCE or not.
	without := false
	add("psc", func(r *client.Registration) {
		r.Profile, r.Authentication = client.ProfileProSanteConnect, client.AuthenticationRegistration{Method: client.SecretPost, Secrets: secrets, RequireCertificate: true, Certificate: structure}
		r.RequirePKCE, r.Scopes = &without, []string{"openid", "profile", "email"}
		r.RedirectURIs, r.PostLogoutRedirectURIs = []string{pscEndpoint}, []string{pscEndpoint + "/logout_response"}
		r.Session.ACR = []client.ACRRegistration{{Value: "eidas2", Methods: [][]string{{"sc", "pin", "mfa", "hwk"}}}}
		r.BackchannelLogoutURI, r.BackchannelLogoutSessionRequired = "", false
	})
	for _, id := range apacheClients {
		add("apache-"+id, func(r *client.Registration) {
			r.Scopes = []string{"openid", "profile", "email"}
			r.RedirectURIs, r.PostLogoutRedirectURIs = []string{w.apache[id] + "/redirect_uri"}, []string{w.apache[id] + "/bye"}
			r.BackchannelLogoutURI = w.apache[id] + "/redirect_uri?logout=backchannel"
			r.Session.ACR = []client.ACRRegistration{{Value: "eidas1", Methods: [][]string{{"sc"}, {"pwd"}}}}
			switch id {
			case "tls":
				r.Authentication = client.AuthenticationRegistration{Method: client.TLS, Certificate: structure}
			case "basic":
				r.Authentication = client.AuthenticationRegistration{Method: client.SecretBasic, Secrets: secrets}
				r.UserinfoAlgorithm = "RS256"
			case "post":
				r.Authentication = client.AuthenticationRegistration{Method: client.SecretPost, Secrets: secrets}
			case "secret-tls":
				r.Authentication = client.AuthenticationRegistration{Method: client.SecretPost, Secrets: secrets, RequireCertificate: true, Certificate: structure}
			}
		})
	}
	text, err := yaml.Marshal(all)
	return string(text), err
}

// transport is one of a client that trusts the servers, and has certificates or none.
func (w *world) transport(t *testing.T, certificates ...tls.Certificate) *http.Transport {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.pki.roots, MinVersion: tls.VersionTLS12, Certificates: certificates}}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}
