package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	virtual "github.com/descope/virtualwebauthn"

	"sceau/audit"
	"sceau/certs"
	"sceau/internal/virtualkey"
	"sceau/oidc/client"
	"sceau/oidc/means/people"
)

// stsd runs a command, and gives what it wrote and its status.
func stsd(t *testing.T, arguments ...string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	c := rootCommand()
	c.SetArgs(arguments)
	c.SetOut(&out)
	c.SetErr(io.Discard)
	err := c.Execute()
	if err != nil {
		fmt.Fprintln(&out, err)
	}
	return out.String(), exitStatus(err)
}

// succeed runs a command that has to succeed.
func succeed(t *testing.T, arguments ...string) string {
	t.Helper()
	out, status := stsd(t, arguments...)
	if status != 0 {
		t.Fatalf("stsd %s: %d %s", strings.Join(arguments, " "), status, out)
	}
	return out
}

// A visitor is a browser at a server that runs.
type visitor struct {
	*testing.T
	*http.Client
	origin string
}

// do gives an answer with its text. What leads out of the house is not followed.
func (v *visitor) do(method, to, kind, body string) (*http.Response, string) {
	v.Helper()
	r, err := http.NewRequest(method, to, strings.NewReader(body))
	if err != nil {
		v.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", kind)
		r.Header.Set("Origin", v.origin)
	}
	a, err := v.Do(r)
	if err != nil {
		v.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		v.Fatal(err)
	}
	if to := a.Header.Get("Refresh"); to != "" {
		to = strings.Trim(strings.TrimPrefix(to, "0; url="), `"'`)
		if strings.HasPrefix(to, v.origin) {
			return v.do(http.MethodGet, to, "", "")
		}
	}
	return a, string(text)
}

func (v *visitor) form(to string, form url.Values) (*http.Response, string) {
	v.Helper()
	return v.do(http.MethodPost, to, "application/x-www-form-urlencoded", form.Encode())
}

var hiddenToken = regexp.MustCompile(`name="token" value="([^"]+)"`)

func formToken(t *testing.T, text string) string {
	t.Helper()
	found := hiddenToken.FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no form: %s", text)
	}
	return found[1]
}

// TestOIDCBesideAServer: what an administrator gives and takes away while a server runs counts at once, and stands in the trail: a ticket leads to
// a passkey, which is revoked; what was consented to is withdrawn.
func TestOIDCBesideAServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	succeed(t, "demo", "--once", "--dir", dir)
	secret, stored, err := client.NewSecret(nil)
	if err != nil {
		t.Fatal(err)
	}
	plain := freeAddress(t)
	_, port, err := net.SplitHostPort(plain)
	if err != nil {
		t.Fatal(err)
	}
	origin := "https://localhost:" + port
	issuer := origin + "/etab/1"
	succeed(t, "oidc", "key", filepath.Join(dir, "sign.key"), "--algorithm", "ES256")
	succeed(t, "oidc", "seal", filepath.Join(dir, "totp.key"))
	for name, text := range map[string]string{
		"oidc.yaml": fmt.Sprintf(`
listen: {address: %q, certificate: pki/server.pem, key: pki/server.key}
store: {kind: sqlite, file: sessions.db}
establishments:
  - tenant: hopital
    issuer: %s
    names: {fr: "Hôpital Exemple"}
    sandbox: true
    keys: [{file: sign.key, algorithm: ES256}]
    clients: clients.yaml
    accounts: {people: people.yaml}
    credentials: {file: credentials.db, seal: [totp.key]}
    means:
      - {name: password, kind: password, second-factor: without}
      - {name: passkey, kind: passkey}
`, plain, issuer),
		"clients.yaml": fmt.Sprintf(`
- id: records
  name: {fr: "Dossier"}
  authentication: {method: client_secret_basic, secrets: [{hash: %q}]}
  redirect-uris: ["https://records.example/cb"]
  scopes: [openid, profile]
  consent: ask
  id-token-algorithm: ES256
  introspection-allowed: true
`, stored),
		"people.yaml": fmt.Sprintf("test-identities: true\npeople:\n- {id: a1, username: alice, password: %q, given-name: Alice, family-name: Exemple}\n", people.Hash("a password")),
	} {
		writeConfig(t, filepath.Join(dir, name), text)
	}
	path := filepath.Join(dir, "stsd.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := regexp.MustCompile(`(?m)^(  - address:|admin:) .*$`).ReplaceAllStringFunc(string(text), func(line string) string {
		key, _, _ := strings.Cut(line, ": ")
		return key + ": " + freeAddress(t)
	})
	writeConfig(t, path, changed)
	succeed(t, "oidc", "init", "--config", path)
	serveFile(t, path)

	roots := x509.NewCertPool()
	ders, err := certs.ReadCertificates(filepath.Join(dir, "pki", "server-root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(ders[0])
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(root)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	v := &visitor{t, &http.Client{Jar: jar, Transport: transport, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), origin) {
			return http.ErrUseLastResponse
		}
		return nil
	}}, origin}

	// Alice logs in by her password and consents.
	const verifier = "dBjftJeZ4CVP-mBxMEkR9Xp9RBLcWfpfpy3bqTxhxCw"
	sum := sha256.Sum256([]byte(verifier))
	a, _ := v.do(http.MethodGet, issuer+"/authorize?"+url.Values{"response_type": {"code"}, "client_id": {"records"}, "redirect_uri": {"https://records.example/cb"},
		"scope": {"openid profile"}, "state": {"s"}, "nonce": {"n"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}.Encode(), "", "")
	attempt := a.Request.URL.String()
	_, page := v.do(http.MethodGet, attempt+"/m/password", "", "")
	a, page = v.form(attempt+"/m/password", url.Values{"username": {"alice"}, "password": {"a password"}, "token": {formToken(t, page)}})
	if !strings.HasSuffix(a.Request.URL.Path, "/consent") {
		t.Fatalf("at %s: %d %s", a.Request.URL, a.StatusCode, page)
	}
	a, page = v.form(attempt+"/consent", url.Values{"decision": {"allow"}, "token": {formToken(t, page)}})
	to, err := url.Parse(a.Header.Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		t.Fatalf("no code: %d %s %s", a.StatusCode, to, page)
	}
	ask := func(endpoint string, form url.Values) (int, map[string]any) {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, issuer+endpoint, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth("records", secret)
		a, err := v.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		m := map[string]any{}
		if err := json.NewDecoder(a.Body).Decode(&m); err != nil {
			t.Fatal(err)
		}
		return a.StatusCode, m
	}
	_, tokens := ask("/token", url.Values{"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {"https://records.example/cb"}, "code_verifier": {verifier}})
	access, _ := tokens["access_token"].(string)
	if _, info := ask("/introspect", url.Values{"token": {access}}); info["active"] != true {
		t.Fatalf("%v, %v", tokens, info)
	}

	// A ticket, a passkey, its end.
	of := []string{"--config", path, "--account", "alice"}
	made := succeed(t, append([]string{"oidc", "passkey", "ticket", "--label", "Clé bleue", "--by", "admin"}, of...)...)
	ticket := regexp.MustCompile(`(?m)^ticket +(\S+)$`).FindStringSubmatch(made)[1]
	enrol := func(body map[string]any) (int, string) {
		t.Helper()
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		a, answer := v.do(http.MethodPost, issuer+"/enrol", "application/json", string(text))
		return a.StatusCode, answer
	}
	status, options := enrol(map[string]any{"ticket": ticket})
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, options)
	}
	parsed, err := virtual.ParseAttestationOptions(options)
	if err != nil {
		t.Fatal(err)
	}
	device := virtual.NewAuthenticatorWithOptions(virtual.AuthenticatorOptions{UserHandle: []byte(parsed.UserID)})
	answer := virtual.CreateAttestationResponse(virtual.RelyingParty{ID: "localhost", Name: "Hôpital Exemple", Origin: origin}, device, virtualkey.New(), *parsed)
	if status, text := enrol(map[string]any{"ticket": ticket, "credential": json.RawMessage(answer)}); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, text)
	}
	listed := succeed(t, append([]string{"oidc", "passkey", "list"}, of...)...)
	if !regexp.MustCompile(`^[0-9a-f]{12} +in use +"Clé bleue" +by admin +made \S+ +never used\n$`).MatchString(listed) {
		t.Errorf("listed: %s", listed)
	}
	name, _, _ := strings.Cut(listed, " ")
	if out, status := stsd(t, append([]string{"oidc", "passkey", "revoke", name[:3]}, of...)...); status != exitNo {
		t.Errorf("a name that is too short: %d %s", status, out)
	}
	succeed(t, append([]string{"oidc", "passkey", "revoke", name}, of...)...)
	if out, status := stsd(t, append([]string{"oidc", "passkey", "revoke", "--all"}, of...)...); status != exitNo {
		t.Errorf("again: %d %s", status, out)
	}
	if listed := succeed(t, append([]string{"oidc", "passkey", "list"}, of...)...); !strings.Contains(listed, "revoked") {
		t.Errorf("listed: %s", listed)
	}

	// What was consented to.
	if listed := succeed(t, append([]string{"oidc", "consents", "list"}, of...)...); !regexp.MustCompile(`^records +openid profile +since 20`).MatchString(listed) {
		t.Errorf("listed: %s", listed)
	}
	if out, status := stsd(t, append([]string{"oidc", "consents", "withdraw", "--client", "other"}, of...)...); status != exitNo {
		t.Errorf("of another client: %d %s", status, out)
	}
	if out := succeed(t, append([]string{"oidc", "consents", "withdraw"}, of...)...); out != "withdrawn: records\n" {
		t.Error(out)
	}
	if _, info := ask("/introspect", url.Values{"token": {access}}); info["active"] != false {
		t.Errorf("after it was withdrawn: %v", info)
	}

	// All of it is in the trail, with who did it by a pseudonym that is the same in both journals.
	trail := filepath.Join(dir, "audit")
	key, err := audit.ReadKeyFile(filepath.Join(trail, "pseudonym.key"))
	if err != nil {
		t.Fatal(err)
	}
	var done []string
	for e, err := range audit.List(filepath.Join(trail, administration), audit.Query{Service: audit.ServiceOIDC}) {
		if err != nil {
			t.Fatal(err)
		}
		done = append(done, e.Operation+" "+e.Action)
		if e.Subject.Pseudonym != key.Pseudonym(audit.Identifier{Type: audit.SubjectType, Value: "hopital:a1"}).String() || e.Identity.Kind != "administrator" || e.Identity.Pseudonym == "" {
			t.Errorf("recorded %s", e.Raw)
		}
	}
	if got := strings.Join(done, ", "); got != "enrolment ticket, enrolment remove, consent withdraw" {
		t.Errorf("recorded: %s", got)
	}
	enrolled, err := first(audit.List(trail, audit.Query{Operation: audit.OperationEnrolment}))
	if err != nil || enrolled == nil || enrolled.Outcome != "success" || enrolled.Action != "" {
		t.Errorf("the enrolment itself: %+v, %v", enrolled, err)
	}
}

// TestIdentityProviderCommands: every command that the guide shows is run by the script, where some have nothing to do: then
// TestOIDCBesideAServer runs them too.
func TestIdentityProviderCommands(t *testing.T) {
	guide, err := os.ReadFile("../../docs/identity-provider.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/script/oidc.txtar")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(guide)) {
		command, shown := strings.CutPrefix(line, "    stsd ")
		if !shown {
			continue
		}
		n++
		command, _, _ = strings.Cut(command, "  #")
		command, _, _ = strings.Cut(command, " > ")
		command, _, _ = strings.Cut(command, " < ")
		command = strings.TrimSpace(command)
		if !slices.ContainsFunc([]string{"exec stsd " + command, "exec stsd " + command + " &server&", "status 1 " + command}, func(line string) bool {
			return strings.Contains(string(script), "\n"+line+"\n")
		}) {
			t.Errorf("the script does not run: stsd %s", command)
		}
	}
	if n < 15 {
		t.Errorf("the guide shows %d commands", n)
	}
}
