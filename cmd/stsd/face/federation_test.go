package face

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"sceau/internal/minipki"
)

// federated writes what configurations with a federation name into the folder of files.
func federated(t *testing.T, dir string) {
	t.Helper()
	write := func(name string, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"federation.key", "anchor.key", "dossier.key"} {
		key, err := minipki.GenerateKey(minipki.P256)
		if err != nil {
			t.Fatal(err)
		}
		text, err := minipki.KeyPEM(key)
		if err != nil {
			t.Fatal(err)
		}
		write(name, text)
		public := jose.JSONWebKey{Key: key.Public(), KeyID: name, Algorithm: "ES256", Use: "sig"}
		set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}})
		if err != nil {
			t.Fatal(err)
		}
		write(strings.TrimSuffix(name, ".key")+".jwks", set)
	}
	block, _ := pem.Decode(must(os.ReadFile(filepath.Join(dir, "anchor.key"))))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	private, err := json.Marshal(map[string]any{"keys": []any{jose.JSONWebKey{Key: key.(crypto.Signer), KeyID: "secret", Algorithm: "ES256"}}})
	if err != nil {
		t.Fatal(err)
	}
	write("private.jwks", private)
	write("policy.json", []byte(documented(t, "json")[0]))
	write("broken.json", []byte(`{"openid_relying_party":{"contacts":{"essential":"yes"}}}`))
}

func must(text []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return text
}

// documented are the examples of docs/federation.md in a language.
func documented(t *testing.T, language string) (all []string) {
	t.Helper()
	text, err := os.ReadFile("../../../docs/federation.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1])
	}
	if len(all) == 0 {
		t.Fatalf("docs/federation.md has no example in %s", language)
	}
	return all
}

// with puts a section into the establishment of the good configuration.
func with(section string) string {
	return good + "    " + strings.ReplaceAll(strings.TrimSpace(section), "\n", "\n    ") + "\n"
}

// TestFederation: the examples of the manual are configurations that work, and say what they mean to.
func TestFederation(t *testing.T) {
	dir := files(t)
	federated(t, dir)
	examples := documented(t, "yaml")
	if len(examples) != 2 {
		t.Fatalf("%d examples", len(examples))
	}
	answers := func(section string) (metadata map[string]map[string]any, get func(path string) *httptest.ResponseRecorder) {
		t.Helper()
		c, err := read(t, dir, with(section))
		if err != nil {
			t.Fatal(err)
		}
		f, err := New(c, shared(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		get = func(path string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			f.serveHTTP(w, httptest.NewRequest(http.MethodGet, "https://localhost:9443/etab/1"+path, nil))
			return w
		}
		signed, err := jose.ParseSigned(get("/.well-known/openid-federation").Body.String(), []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatal(err)
		}
		var said struct{ Metadata map[string]map[string]any }
		if err := json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &said); err != nil {
			t.Fatal(err)
		}
		return said.Metadata, get
	}
	m, get := answers(examples[0])
	if m["openid_provider"]["client_registration_types_supported"] == nil || m["federation_entity"]["federation_fetch_endpoint"] != nil {
		t.Errorf("the first example: %v", m)
	}
	if w := get("/federation/list"); w.Code != http.StatusNotFound {
		t.Errorf("the list of who vouches for nobody: %d", w.Code)
	}
	m, get = answers(examples[1])
	if m["openid_provider"]["client_registration_types_supported"] != nil || m["federation_entity"]["federation_fetch_endpoint"] == nil {
		t.Errorf("the second example: %v", m)
	}
	if w := get("/federation/list"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "https://dossier.hopital.example") {
		t.Errorf("the list: %d %s", w.Code, w.Body)
	}
	if w := get("/federation/fetch?sub=https://dossier.hopital.example"); w.Code != http.StatusOK {
		t.Errorf("what is said of a subordinate: %d %s", w.Code, w.Body)
	}

	// It comes with a reload, and goes; and the keys of anchors are of the policies in force.
	plain, err := read(t, dir, good)
	if err != nil {
		t.Fatal(err)
	}
	f, err := New(plain, shared(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	next, err := read(t, dir, with(examples[0]))
	if err != nil {
		t.Fatal(err)
	}
	if len(next.Texts()) != len(plain.Texts())+1 {
		t.Errorf("%d texts, and %d without the federation", len(next.Texts()), len(plain.Texts()))
	}
	status := func() int {
		w := httptest.NewRecorder()
		f.serveHTTP(w, httptest.NewRequest(http.MethodGet, "https://localhost:9443/etab/1/.well-known/openid-federation", nil))
		return w.Code
	}
	for _, c := range []struct {
		c    *Config
		want int
	}{{plain, http.StatusNotFound}, {next, http.StatusOK}, {plain, http.StatusNotFound}} {
		if _, err := f.Replace(c.c); err != nil {
			t.Fatal(err)
		}
		if got := status(); got != c.want {
			t.Errorf("after a reload: %d, want %d", got, c.want)
		}
	}
}

// TestFederationWrong: what is wrong with a federation is told with its place.
func TestFederationWrong(t *testing.T) {
	dir := files(t)
	federated(t, dir)
	const section = `federation:
  anchors: [{entity: "https://anchor.example", keys: anchor.jwks}]
  networks: [10.0.0.0/8]
  ca: [ca.pem]
  scopes: [openid]
  publish:
    keys: [{file: federation.key, algorithm: ES256}]
    authority-hints: ["https://agency.example"]
    subordinates: [{entity: "https://rp.example", keys: dossier.jwks, policy: policy.json}]
`
	for _, c := range []struct{ name, old, new, want string }{
		{"as it should be", "", "", ""},
		{"an unknown key", "networks:", "networcs:", "field networcs not found"},
		{"nothing in it", section, "federation: {}\n", "federation: neither anchors nor publish"},
		{"no keys of an anchor", "keys: anchor.jwks", "keys: none.jwks", `federation: anchors[0] (https://anchor.example): keys: open`},
		{"keys with a secret", "keys: anchor.jwks", "keys: private.jwks", "private.jwks: jwks has a secret in it"},
		{"keys that are none", "keys: anchor.jwks", "keys: policy.json", "policy.json: jwks has no keys"},
		{"an anchor in the clear", "https://anchor", "http://anchor", "not an entity identifier"},
		{"an anchor twice", `[{entity: "https://anchor.example", keys: anchor.jwks}`, `[{entity: "https://anchor.example", keys: anchor.jwks}, {entity: "https://anchor.example", keys: dossier.jwks}`, "anchors[1]: \"https://anchor.example\" stands twice"},
		{"no anchor", `[{entity: "https://anchor.example", keys: anchor.jwks}]`, "[]", "federation: anchors: none, and scopes"},
		{"no network", "10.0.0.0/8", "10.0.0.0", "federation: networks:"},
		{"no authority", "ca: [ca.pem]", "ca: [none.pem]", "federation: ca:"},
		{"no proxy", "scopes:", "proxy: proxy.example\n  scopes:", `federation: proxy: "proxy.example"`},
		{"no scopes", "scopes: [openid]", "scopes: []", "federation: openid is not among the scopes"},
		{"a scope that there is not", "[openid]", "[openid, all]", `there is no scope "all"`},
		{"methods of no means", "scopes:", "session: {methods: [[face]]}\n  scopes:", "no means of the establishment"},
		{"a consent that is none", "scopes:", "consent: perhaps\n  scopes:", "none, ask or terms"},
		{"a key of the tokens", "file: federation.key", "file: es256.key", "key 1 signs tokens too"},
		{"a key that is not there", "file: federation.key", "file: none.key", "federation: publish: keys[0]: "},
		{"an algorithm of another key", "algorithm: ES256}]\n    auth", "algorithm: RS256}]\n    auth", `"RS256" does not fit it`},
		{"a hint in the clear", "https://agency", "http://agency", "not an entity identifier"},
		{"a policy that is none", "policy: policy.json", "policy: broken.json", "federation: publish: subordinates:"},
		{"a policy that is not there", "policy: policy.json", "policy: none.json", "federation: publish: subordinates[0] (https://rp.example): open"},
		{"a trust mark that is not there", "    authority-hints", "    trust-marks: {x: none.jwt}\n    authority-hints", "federation: publish: trust-marks: x: open"},
	} {
		text := section
		if c.old != "" {
			if text = strings.Replace(section, c.old, c.new, 1); text == section {
				t.Fatalf("%s: nothing was changed", c.name)
			}
		}
		k, err := read(t, dir, with(text))
		if err == nil {
			var f *Face
			if f, err = New(k, shared(t)); err == nil {
				f.Close()
			}
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
