package openid

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sceau/internal/judge"
)

// apacheClients are the ways in which Apache authenticates; each is a virtual host and a client of its own.
var apacheClients = []string{"tls", "basic", "post", "secret-tls"}

// apacheConf is the whole of the configuration of a server that is no more than this.
const apacheConf = `ServerRoot %[1]q
ServerName localhost
PidFile pid
ErrorLog error.log
LogLevel info
Mutex file:%[1]s default
LoadModule mpm_event_module %[2]s/mod_mpm_event.so
LoadModule authn_core_module %[2]s/mod_authn_core.so
LoadModule authz_core_module %[2]s/mod_authz_core.so
LoadModule authz_user_module %[2]s/mod_authz_user.so
LoadModule socache_shmcb_module %[2]s/mod_socache_shmcb.so
LoadModule ssl_module %[2]s/mod_ssl.so
LoadModule proxy_module %[2]s/mod_proxy.so
LoadModule proxy_http_module %[2]s/mod_proxy_http.so
LoadModule auth_openidc_module %[2]s/mod_auth_openidc.so
StartServers 1
ThreadsPerChild 16
MaxRequestWorkers 16
`

// apacheHost is one virtual host. What stands after the scope is as in the proof of concept of the ANS, but for what the method asks.
const apacheHost = `Listen 127.0.0.1:%[1]s
<VirtualHost 127.0.0.1:%[1]s>
  ServerName https://localhost:%[1]s
  SSLEngine on
  SSLCertificateFile server.pem
  SSLCertificateKeyFile server.key
  OIDCProviderMetadataURL %[2]s/.well-known/openid-configuration
  OIDCCABundlePath %[3]s/server-root.pem
  OIDCClientID apache-%[4]s
  OIDCRedirectURI /redirect_uri
  OIDCCryptoPassphrase a-passphrase-of-the-test
  OIDCScope "openid profile email scope_all"
  OIDCAuthRequestParams acr_values=eidas1
  OIDCPKCEMethod S256
  OIDCSessionInactivityTimeout 1200
  OIDCRemoteUserClaim sub
%[5]s
  ProxyPass / %[6]s/
  <Location />
    AuthType openid-connect
    Require valid-user
  </Location>
  <Location /bye>
    AuthType None
    Require all granted
  </Location>
</VirtualHost>
`

// apache starts Apache in front of a page that says which headers it was asked with.
func (w *world) apacheServer(t *testing.T) {
	t.Helper()
	program := judge.Require(t, "apache2")
	const modules = "/usr/lib/apache2/modules"
	if _, err := os.Stat(modules + "/mod_auth_openidc.so"); err != nil {
		if os.Getenv("SCEAU_REQUIRE_EXTERNAL") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said := map[string]string{"path": r.URL.Path}
		for name := range r.Header {
			said[name] = r.Header.Get(name)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(said)
	}))
	t.Cleanup(page.Close)
	dir, err := os.MkdirTemp("", "sceau-apache-") // below the folder of a test nobody else may read
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, name := range []string{"server.pem", "server.key", "structure.pem", "structure.key", "server-root.pem"} {
		content, err := os.ReadFile(w.pki.path(name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	conf := fmt.Sprintf(apacheConf, dir, modules)
	for _, id := range apacheClients {
		w.release(w.apache[id])
		at, err := url.Parse(w.apache[id])
		if err != nil {
			t.Fatal(err)
		}
		how := "  OIDCClientSecret " + secret + "\n"
		// This version knows no aliases for mutual TLS, and no tls_client_auth: it is told the address, and sends its client_id alone.
		certificate := fmt.Sprintf("  OIDCClientTokenEndpointCert %[1]s/structure.pem\n  OIDCClientTokenEndpointKey %[1]s/structure.key\n  OIDCProviderTokenEndpoint %[2]s/token\n", dir, w.secure)
		switch id {
		case "tls":
			how = "  OIDCProviderTokenEndpointAuth none\n" + certificate
		case "basic":
			how += "  OIDCProviderTokenEndpointAuth client_secret_basic\n  OIDCUserInfoSignedResponseAlg RS256\n"
		case "post":
			how += "  OIDCProviderTokenEndpointAuth client_secret_post\n"
		case "secret-tls":
			how += "  OIDCProviderTokenEndpointAuth client_secret_post\n" + certificate
		}
		conf += fmt.Sprintf(apacheHost, at.Port(), w.issuer, dir, id, how, page.URL)
	}
	if err := os.WriteFile(filepath.Join(dir, "apache.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "-f", filepath.Join(dir, "apache.conf"), "-DFOREGROUND")
	var said strings.Builder
	command.Stdout, command.Stderr = &said, &said
	if os.Getuid() == 0 { // as nobody, from the beginning
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	stop := sync.OnceFunc(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		<-ended
	})
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "error.log")) // what it says helps; that there is none, too
			t.Logf("Apache said: %s%s", said.String(), log)
		}
	})
	c := &http.Client{Transport: w.transport(t)}
	for range 600 {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("Apache ended: %v", err)
		default:
		}
		if a, err := c.Get(w.apache["tls"] + "/bye"); err == nil {
			a.Body.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("Apache does not answer")
}

// TestApache logs in at a page behind mod_auth_openidc, by each method that it knows.
func TestApache(t *testing.T) {
	judge.Require(t, "apache2")
	w := meet(t)
	w.apacheServer(t)
	for _, id := range apacheClients {
		t.Run(id, func(t *testing.T) { w.apacheLife(t, id) })
	}
	t.Run("back-channel logout", func(t *testing.T) {
		alice, at := w.person(t, "alice"), w.apache["basic"]
		a, _ := alice.byCard(at+"/page", at)
		if a.StatusCode != http.StatusOK {
			t.Fatalf("%s at %s: %s", a.Status, a.Request.URL, a.text)
		}
		// She logs out at the establishment, which asks her, and tells Apache.
		a, _ = alice.open(w.issuer + "/logout")
		a, _ = alice.send(a, url.Values{"decision": {"logout"}})
		if a.StatusCode != http.StatusOK || strings.Contains(a.text, "Dossier") {
			t.Errorf("logged out, but not everywhere: %s %s", a.Status, a.text)
		}
		if a, _ = alice.open(at + "/page"); a.StatusCode != http.StatusOK || !strings.HasPrefix(a.Request.URL.String(), w.issuer+"/authorize/") {
			t.Errorf("the page is still open: %s at %s: %s", a.Status, a.Request.URL, a.text)
		}
	})
	t.Run("not a navigation", func(t *testing.T) {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.apache["tls"]+"/page", nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Sec-Fetch-Mode", "cors")
		a, err := w.transport(t).RoundTrip(q)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if a.StatusCode != http.StatusUnauthorized {
			t.Errorf("a script that fetches is answered with %s: it would be led to a login that nobody sees", a.Status)
		}
	})
}

func (w *world) apacheLife(t *testing.T, id string) {
	alice, at := w.person(t, "alice"), w.apache[id]
	login, amr := alice.byCard, "sc,pin,mfa,hwk"
	if id == "post" {
		login, amr = alice.byPassword, "pwd"
	}
	a, elsewhere := login(at+"/page?x=1", at)
	if elsewhere != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("%s at %s, led to %v: %s", a.Status, a.Request.URL, elsewhere, a.text)
	}
	said := map[string]string{}
	if err := json.Unmarshal([]byte(a.text), &said); err != nil {
		t.Fatal(err, a.text)
	}
	for name, want := range map[string]string{
		"path": "/page", "Oidc_claim_sub": aliceSubject, "Oidc_claim_tid": "hopital-exemple", "Oidc_claim_oid": aliceSubject, "Oidc_claim_given_name": "Alice",
		"Oidc_claim_family_name": "Exemple", "Oidc_claim_email": "alice@hopital.example", "Oidc_claim_preferred_username": "alice", "Oidc_claim_acr": "eidas1",
		"Oidc_claim_iss": w.issuer, "Oidc_claim_aud": "apache-" + id,
	} {
		if got := said[name]; got != want {
			t.Errorf("%s is %q and not %q", name, got, want)
		}
	}
	if got := said["Oidc_claim_amr"]; got != amr {
		t.Errorf("amr is %q and not %q", got, amr)
	}
	if said["Oidc_claim_auth_time"] == "" || said["Oidc_access_token"] == "" {
		t.Errorf("no auth_time, or no access token: %v", said)
	}
	// The next page comes out of Apache's own session: the establishment is not asked.
	if a = alice.do(alice.request(http.MethodGet, at+"/next", nil)); a.StatusCode != http.StatusOK || !strings.Contains(a.text, `"/next"`) {
		t.Errorf("%s: %s", a.Status, a.text)
	}
	// Logging out leads through the establishment and back.
	a, elsewhere = alice.open(at+"/redirect_uri?logout="+url.QueryEscape(at+"/bye"), at)
	if elsewhere != nil || a.Request.URL.Path != "/bye" || a.StatusCode != http.StatusOK {
		t.Errorf("%s at %s, led to %v: %s", a.Status, a.Request.URL, elsewhere, a.text)
	}
	if a, _ = alice.open(at+"/page", at); !strings.HasPrefix(a.Request.URL.String(), w.issuer+"/authorize/") {
		t.Errorf("after the logout the page is open: %s at %s", a.Status, a.Request.URL)
	}
}
