package face

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"sceau/audit"
	"sceau/certs/certstest"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
	"sceau/oidc/client"
	"sceau/oidc/control"
	"sceau/oidc/means/people"
	"sceau/oidc/means/store"
	"sceau/oidc/sqlstore"
	"sceau/policy"
)

// memory is a trail in memory.
type memory struct {
	mu     sync.Mutex
	events int
}

func (m *memory) Record(context.Context, *audit.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events++
	return nil
}

type nothing struct{}

func (nothing) Exchange(context.Context, *policy.ExchangeRequest) (policy.Exchange, error) {
	return policy.Exchange{}, nil
}

func shared(t *testing.T) Shared {
	return Shared{Verifier: certstest.Verifier(t), Recorder: &memory{}, Log: slog.New(slog.DiscardHandler), Policy: nothing{}, Counts: &control.Counts{}}
}

const readerToken = "0123456789abcdef0123456789abcdef"

// files writes what configurations of the tests name, and gives their folder.
func files(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pki := testpki.Load()
	write("tls.pem", string(pki.Server.CertificatePEM()))
	write("tls.key", string(pki.Server.KeyPEM()))
	write("ca.pem", string(minipki.CertificatePEM(pki.CitizenCA.DER())))
	for name, kind := range map[string]minipki.KeyKind{"rs256.key": minipki.RSA2048, "es256.key": minipki.P256} {
		key, err := minipki.GenerateKey(kind)
		if err != nil {
			t.Fatal(err)
		}
		text, err := minipki.KeyPEM(key)
		if err != nil {
			t.Fatal(err)
		}
		write(name, string(text))
	}
	stored, err := client.HashSecret("Kq3v9Xw2Lr8Tn5Yb7Zc4Hd6Jf1Mg0PsA", nil)
	if err != nil {
		t.Fatal(err)
	}
	write("clients.yaml", fmt.Sprintf(`
- id: web
  name: {fr: Application}
  authentication: {method: client_secret_basic, secrets: [{hash: %q}]}
  redirect-uris: ["https://client.example/cb"]
  scopes: [openid, profile]
`, stored))
	write("people.yaml", fmt.Sprintf("test-identities: true\npeople:\n- {id: a1, username: alice, password: %q, given-name: Alice, family-name: Exemple}\n", people.Hash("a password")))
	if err := store.Init(t.Context(), store.Config{File: filepath.Join(dir, "credentials.db"), Establishment: "etab1"}); err != nil {
		t.Fatal(err)
	}
	return dir
}

const good = `
listen: {address: "127.0.0.1:0", certificate: tls.pem, key: tls.key}
secure: {address: "127.0.0.1:0", authorities: [ca.pem]}
control:
  readers: [{name: ans, token-hash: "sha256:HASH"}]
  least: 1
establishments:
  - tenant: etab1
    issuer: https://localhost:9443/etab/1
    secure-issuer: https://localhost:9444/etab/1
    names: {fr: "Hôpital d'essai"}
    sandbox: true
    keys: [{file: rs256.key, algorithm: RS256}, {file: es256.key, algorithm: ES256}]
    clients: clients.yaml
    accounts: {people: people.yaml}
    credentials: {file: credentials.db}
    means:
      - {name: password, kind: password, second-factor: if-had}
      - {name: passkey, kind: passkey}
`

func read(t *testing.T, dir, text string) (*Config, error) {
	t.Helper()
	sum := sha256.Sum256([]byte(readerToken))
	path := filepath.Join(dir, "oidc.yaml")
	if err := os.WriteFile(path, []byte(strings.Replace(text, "HASH", hex.EncodeToString(sum[:]), 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return Read(path)
}

// serving makes the face of a configuration and lets it serve. It gives what Serve ends with, and the authorities of its certificates.
func serving(t *testing.T, dir, text string) (f *Face, ended <-chan error, roots *x509.CertPool) {
	t.Helper()
	c, err := read(t, dir, text)
	if err != nil {
		t.Fatal(err)
	}
	if f, err = New(c, shared(t)); err != nil {
		t.Fatal(err)
	}
	if err := f.Listen(nil); err != nil {
		t.Fatal(err)
	}
	end := make(chan error, 1)
	go func() { end <- f.Serve() }()
	roots = x509.NewCertPool()
	root, err := x509.ParseCertificate(testpki.Load().EHealthRoot.DER())
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(root)
	return f, end, roots
}

// TestFace serves, answers an authority, and is replaced while it serves.
func TestFace(t *testing.T) {
	dir := files(t)
	f, ended, roots := serving(t, dir, good)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}, ForceAttemptHTTP2: true}
	browser := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	get := func(to string, token string) (int, string, string) {
		t.Helper()
		q, err := http.NewRequest(http.MethodGet, to, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			q.Header.Set("Authorization", "Bearer "+token)
		}
		a, err := browser.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		text, err := io.ReadAll(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		return a.StatusCode, string(text), a.Proto
	}
	for _, address := range f.Addresses() {
		for _, path := range []string{"/etab/1/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/etab/1"} {
			status, text, protocol := get(address+path, "")
			var m struct{ Issuer string }
			if err := json.Unmarshal([]byte(text), &m); err != nil || status != http.StatusOK || m.Issuer != "https://localhost:9443/etab/1" || protocol != "HTTP/2.0" {
				t.Errorf("%s%s: %d %s %s", address, path, status, protocol, text)
			}
		}
	}
	plain := f.Addresses()[0]
	if status, _, _ := get(plain+"/control/v1/policy", ""); status != http.StatusUnauthorized {
		t.Errorf("an authority without its token: %d", status)
	}
	status, text, _ := get(plain+"/control/v1/policy", readerToken)
	if status != http.StatusOK || !strings.Contains(text, `"etab1"`) || !strings.Contains(text, `"web"`) || !strings.Contains(text, `"passkey"`) {
		t.Errorf("%d %s", status, text)
	}

	// Another configuration: a client comes, and the store stays.
	next, err := read(t, dir, strings.Replace(good, "fr: \"Hôpital d'essai\"", "fr: \"Clinique d'essai\"", 1))
	if err != nil {
		t.Fatal(err)
	}
	given, err := f.Prepare(next, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := given.Discard(); err != nil { // nothing of it is in force
		t.Fatal(err)
	}
	restart, err := f.Replace(next)
	if err != nil || len(restart) != 0 {
		t.Fatal(restart, err)
	}
	if status, text, _ := get(plain+"/etab/1/logout", ""); status != http.StatusOK || !strings.Contains(text, "Clinique") {
		t.Errorf("%d %s", status, text)
	}
	moved, err := read(t, dir, strings.Replace(good, "127.0.0.1:0", "127.0.0.1:1", 1))
	if err != nil {
		t.Fatal(err)
	}
	if restart, err := f.Replace(moved); err != nil || len(restart) != 1 {
		t.Errorf("another address: %v %v", restart, err)
	}
	bad, err := read(t, dir, strings.Replace(good, "clients.yaml", "none.yaml", 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Replace(bad); err == nil {
		t.Error("a configuration that is wrong is taken")
	}
	transport.CloseIdleConnections()
	end(t, f, ended)
}

// end ends a face that serves.
func end(t *testing.T, f *Face, ended <-chan error) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	if err := f.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// TestWrong: what is wrong is told with its place, all at once.
func TestWrong(t *testing.T) {
	dir := files(t)
	for _, c := range []struct{ name, old, new, want string }{
		{"an unknown key", "sandbox:", "sandbax:", "line 12: field sandbax not found"},
		{"no host and port", `listen: {address: "127.0.0.1:0"`, `listen: {address: "127.0.0.1"`, `listen: "127.0.0.1" is no host:port`},
		{"no certificate", "certificate: tls.pem", "certificate: none.pem", "listen: open"},
		{"authorities in the wrong place", `key: tls.key}`, `key: tls.key, authorities: [ca.pem]}`, "listen: authorities are of the listener that asks for certificates"},
		{"invented people", "sandbox: true", "sandbox: false", "establishments[0] (etab1): accounts: the people of the file are invented, and this establishment is no sandbox"},
		{"a key of another kind", "algorithm: ES256", "algorithm: PS256", `key 2: algorithm "PS256" on P-256`},
		{"no key", "file: es256.key", "file: none.key", "establishments[0] (etab1): keys[1]: certs: unavailable"},
		{"no clients", "clients: clients.yaml", "clients: none.yaml", "establishments[0] (etab1): clients: open"},
		{"accounts in two places", "{people: people.yaml}", "{people: people.yaml, directory: {base: x}}", "accounts: one of people and directory"},
		{"a kind of means", "kind: passkey", "kind: horoscope", `means[1] (passkey): kind "horoscope" is none of`},
		{"a second factor", "second-factor: if-had", "second-factor: perhaps", `means[0] (password): second-factor: "perhaps" is none of`},
		{"no database", "    credentials: {file: credentials.db}\n", "", "means[1] (passkey): passkeys are kept in the database of credentials"},
		{"a database that nobody made", "credentials.db", "none.db", "establishments[0] (etab1): credentials:"},
		{"a store", "control:\n", "store: {kind: paper}\ncontrol:\n", `store: kind "paper" is none of`},
		{"a reader", "sha256:HASH", "sha256:12", "control: readers[0]: token-hash"},
		{"a lifetime", "    means:\n", "    lifetimes: {code: 1h}\n    means:\n", "lifetime of the code"},
		{"another host", "secure-issuer: https://localhost:9444", "secure-issuer: https://other:9444", "is not the issuer's host and path at another port"},
		{"a key of another kind of means", "second-factor: if-had}", "second-factor: if-had, role: person, hardware-only: true}",
			"means[0] (password): role does not count for a means of the kind password\nhardware-only does not count for"},
		{"a list of another kind of means", "kind: passkey}", "kind: passkey, realms: [A]}", "realms does not count for a means of the kind passkey"},
		{"a provider of another kind of means", "kind: passkey}", "kind: passkey, provider: {issuer: x}}", "provider does not count for a means of the kind passkey"},
		{"an age of assertions", "kind: passkey}", "kind: assertion, max-age: 1m}", "max-age does not count for a means of the kind assertion"},
		{"a role of assertions", "kind: passkey}", `kind: assertion, role: nobody, issuers: [x], references: {x: [swk]}, persons: {ssin: x}}`, `serves the role "nobody"`},
		{"a role of certificates", "kind: passkey}", `kind: certificate, role: nobody, references: {x: [swk]}}`, `serves the role "nobody"`},
		{"a provider that nobody believes", "kind: passkey}", `kind: upstream, provider: {pro-sante-connect: bas, client-id: x, method: client_secret_basic, identify: prosante}}`, "provider: ca: none"},
		{"Pro Santé Connect at another place", "kind: passkey}", `kind: upstream, provider: {pro-sante-connect: bas, issuer: "https://x", identify: prosante}}`, "pro-sante-connect stands in the place of"},
		{"a wallet of which nothing is said", "kind: passkey}", `kind: wallet}`, "nothing says what is asked of wallets"},
		{"a wallet without its key", "kind: passkey}", `kind: wallet, wallet: {client-id: x509_hash}}`, "key: "},
		{"the sub of issuers with certificates", "kind: passkey}", `kind: wallet, wallet: {client-id: x509_hash, certificate: tls.pem, key: tls.key, identify: sub, claim: [sub], methods: [pop], issuers: [{profile: Ordre, types: [t]}]}}`, "a sub is that of an issuer with keys"},
		{"attestations that no profile is for", "kind: passkey}", `kind: wallet, wallet: {client-id: x509_hash, certificate: tls.pem, key: tls.key, identify: rpps, claim: [rpps], methods: [pop], issuers: [{profile: Ordre, types: [t]}]}}`, "no profile of trust has the role attestation"},
		{"an issuer of nothing", "kind: passkey}", `kind: wallet, wallet: {client-id: x509_hash, certificate: tls.pem, key: tls.key, identify: rpps, claim: [rpps], methods: [pop], issuers: [{issuer: "https://pid.example", types: [t]}]}}`, "issuers[0]: a profile, or an issuer and its keys; and types"},
		{"a claim that identifies nobody", "kind: passkey}", `kind: upstream, provider: {pro-sante-connect: bas, claim: x, identify: sub}}`, "claim does not count where identify is sub"},
		{"a key of another store", "control:\n", "store: {kind: memory, file: x.db, connections: 3}\ncontrol:\n", "store: file does not count for the kind memory\nconnections does not count"},
		{"a key of Redis", "control:\n", "store: {kind: sqlite, file: x.db, username: x}\ncontrol:\n", "store: username does not count for the kind sqlite"},
		{"nobody asks for a certificate", `secure: {address: "127.0.0.1:0", authorities: [ca.pem]}`, "", "secure-issuer: no listener asks for a certificate"},
		{"a listener without an address", `secure: {address: "127.0.0.1:0", authorities: [ca.pem]}`, "secure: {authorities: [ca.pem]}", "secure: authorities does not count for a listener without an address"},
		{"no readers", `  readers: [{name: ans, token-hash: "sha256:HASH"}]`, "", "control: no readers"},
		{"a login by what an exchange made", "kind: passkey}", "kind: assertion, role: person, issuers: [\"urn:x\"]}\n    exchange: {issuer: \"urn:x\"}", "means[1] (passkey): issuers: assertions that the exchange makes are no logins"},
		{"attributes of assertions that nobody writes", "    means:\n", `    exchange: {certified: {"https://x": [y]}}` + "\n    means:\n", "without issuer none are"},
		{"no connections", "control:\n", "limits: {max-connections: -1}\ncontrol:\n", "limits: max-connections: -1 is less than nothing"},
		{"no connections of one", "control:\n", "limits: {max-per-address: -1}\ncontrol:\n", "limits: max-per-address: -1 is less than nothing"},
		{"no room for strangers", "control:\n", "limits: {max-strangers: -1}\ncontrol:\n", "limits: max-strangers: oidc: strangers may keep"},
		{"all of the memory for strangers", "control:\n", "limits: {max-strangers: 1000000}\nstore: {max-bytes: 1048576}\ncontrol:\n", "limits: max-strangers: oidc: strangers may keep"},
		{"a proxy by name", "control:\n", "limits: {proxies: [proxy.example]}\ncontrol:\n", `limits: proxies: "proxy.example" is neither an address nor a network`},
		{"everybody a proxy", "control:\n", "limits: {proxies: [\"::/0\"]}\ncontrol:\n", "limits: proxies: ::/0 is everybody"},
		{"no duration", "    means:\n", "    lifetimes: {code: soon}\n    means:\n", `"soon" is no duration`},
	} {
		k, err := read(t, dir, strings.Replace(good, c.old, c.new, 1))
		if err == nil {
			var f *Face
			if f, err = New(k, shared(t)); err == nil {
				f.Close()
			}
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestExample: every key of the manual is known, commented out or not.
func TestExample(t *testing.T) {
	path := filepath.Join(t.TempDir(), "oidc.yaml")
	text := string(Example)
	check := func(what string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	check("as it is")
	// A key is commented out without a space or with those before it, an alternative to another twice; words have one space.
	text = regexp.MustCompile(`(?m)^  (kind: memory|max-bytes: .*)$`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`(?m)^#([a-z-]+:.*| {2,}.*)$`).ReplaceAllString(text, "$1")
	check("with what is commented out")
	if strings.Contains(text, "\n#      - name: passkey") {
		t.Error("it is still commented out")
	}
}

// TestStores: what outlives a request is kept in SQLite, too, and a store that nobody made is none.
func TestStores(t *testing.T) {
	dir := files(t)
	text := strings.Replace(good, "control:\n", "store: {kind: sqlite, file: sessions.db}\ncontrol:\n", 1)
	c, err := read(t, dir, text)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := New(c, shared(t)); err == nil {
		f.Close()
		t.Error("a store that nobody made")
	}
	s, ok := c.SQLStore()
	if !ok {
		t.Fatal("no store in a database")
	}
	if err := sqlstore.Init(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	f, err := New(c, shared(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.store.Put(t.Context(), "k", []byte("v"), time.Now().Add(time.Hour)); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if f, err = New(c, shared(t)); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if v, err := f.store.Get(t.Context(), "k"); err != nil || string(v) != "v" {
		t.Errorf("after a restart: %q %v", v, err)
	}
}

// TestEnds: a listener that fails ends Serve, a face that never served gives its addresses back, and closes once.
func TestEnds(t *testing.T) {
	c, err := read(t, files(t), good)
	if err != nil {
		t.Fatal(err)
	}
	f, err := New(c, shared(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Listen(nil); err != nil {
		t.Fatal(err)
	}
	address := f.plain.listener.Addr().String()
	for range 2 {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	again, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("a face that never served keeps its address: %v", err)
	}
	again.Close()

	if f, err = New(c, shared(t)); err != nil {
		t.Fatal(err)
	}
	if err := f.Listen(nil); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- f.Serve() }()
	f.secure.listener.Close()
	if err := <-ended; err == nil {
		t.Error("half a face serves on")
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// TestStreams: a connection of HTTP/2 has no more requests under way than are said, at both listeners: a stranger multiplies with them
// whatever one of them holds.
func TestStreams(t *testing.T) {
	f, ended, roots := serving(t, files(t), good)
	for _, address := range f.Addresses() {
		c, err := tls.Dial("tcp", strings.TrimPrefix(address, "https://"), &tls.Config{RootCAs: roots, ServerName: "localhost", NextProtos: []string{"h2"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
			t.Fatal(err)
		}
		framer := http2.NewFramer(c, c)
		if err := framer.WriteSettings(); err != nil {
			t.Fatal(err)
		}
		first, err := framer.ReadFrame()
		settings, ok := first.(*http2.SettingsFrame)
		if err != nil || !ok {
			t.Fatalf("%v, %v", first, err)
		}
		if most, said := settings.Value(http2.SettingMaxConcurrentStreams); !said || most != maxStreams {
			t.Errorf("%s: %d streams", address, most)
		}
		c.Close()
	}
	if err := f.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// TestReplaceUnderLoad: while it is replaced again and again, everybody is answered, by the old or the new, at both listeners.
func TestReplaceUnderLoad(t *testing.T) {
	dir := files(t)
	f, ended, roots := serving(t, dir, good)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var load sync.WaitGroup
	var answered [4]atomic.Int64
	for i := range answered {
		load.Go(func() {
			base := f.Addresses()[i%2]
			for n := 0; ctx.Err() == nil; n++ {
				transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}, ForceAttemptHTTP2: true}
				browser := &http.Client{Transport: transport, Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
				for path, want := range map[string]int{
					"/etab/1/.well-known/openid-configuration": http.StatusOK, "/etab/1/jwks": http.StatusOK, "/control/v1/indicators": http.StatusUnauthorized,
					"/etab/1/authorize?client_id=web&response_type=code&scope=openid&redirect_uri=https://client.example/cb&code_challenge=dBjftJeZ4CVP-mBxMEkR9Xp9RBLcWfpfpy3bqTxhxCw&code_challenge_method=S256": http.StatusSeeOther,
				} {
					a, err := browser.Get(base + path)
					if err != nil {
						t.Errorf("%s: %v", path, err)
						continue
					}
					text, err := io.ReadAll(a.Body)
					a.Body.Close()
					limited := want == http.StatusUnauthorized && a.StatusCode == http.StatusTooManyRequests
					if err != nil || a.StatusCode != want && !limited || a.Header.Get("Strict-Transport-Security") == "" {
						t.Errorf("%s: %d %v %.300s", path, a.StatusCode, err, text)
					}
				}
				transport.CloseIdleConnections()
				answered[i].Add(1)
			}
		})
	}
	for n := range 12 {
		name := fmt.Sprintf("names: {fr: \"Hôpital %d\"}", n)
		next, err := read(t, dir, strings.Replace(good, `names: {fr: "Hôpital d'essai"}`, name, 1))
		if err != nil {
			t.Fatal(err)
		}
		given, err := f.Prepare(next, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := given.Discard(); err != nil { // nothing of it is in force
			t.Fatal(err)
		}
		if _, err := f.Replace(next); err != nil {
			t.Fatal(err)
		}
		for before := answered[n%4].Load(); answered[n%4].Load() == before && !t.Failed(); { // what is in force answers before it is replaced
			time.Sleep(time.Millisecond)
		}
	}
	stop()
	load.Wait()
	limit, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := f.Shutdown(limit); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
