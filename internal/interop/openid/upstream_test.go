package openid

import (
	"bufio"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"sceau/internal/judge"
)

// provide starts npm's oidc-provider, which is certified, at the address that the establishment knows. It ends with the test.
func (w *world) provide(t *testing.T) {
	t.Helper()
	program := filepath.Join("..", "..", "..", "oidc", "rp", "testdata", "node")
	node, folder := judge.Require(t, "node"), judge.NodeModules(t, program, "provider.js")
	key, ok := w.pki.keys["client-ec"].(*ecdsa.PrivateKey)
	if !ok {
		t.Fatal("another kind of key")
	}
	read := func(name string) string {
		content, err := os.ReadFile(w.pki.path(name))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	client := func(id string) members {
		return members{"client_id": id, "client_secret": secret, "token_endpoint_auth_method": "client_secret_post", "id_token_signed_response_alg": "ES256", "require_auth_time": true,
			"redirect_uris": []string{w.issuer + "/upstream/" + map[string]string{"number": "op", "sub": "op-sub"}[id] + "/callback"}}
	}
	at, err := url.Parse(w.upstream)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := json.Marshal(members{
		"port": at.Port(), "certificate": read("server.pem"), "key": read("server.key"), "authorities": read("server-root.pem"), "issuer": w.upstream,
		"jwks":    jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key, KeyID: "op", Use: "sig", Algorithm: "ES256"}}},
		"clients": []members{client("number"), client("sub")}, "claims": members{"rpps": "10003456789", "level": "strong"},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.release(w.upstream)
	command := exec.Command(node, filepath.Join(folder, "provider.js"))
	command.Env = append(os.Environ(), "PROVIDER_MODULES="+folder, "NODE_EXTRA_CA_CERTS="+w.pki.path("server-root.pem"))
	var complaints strings.Builder
	command.Stderr = &complaints
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_, _ = io.Copy(io.Discard, out)
		_ = command.Wait()
		if t.Failed() {
			t.Logf("the provider said: %s", complaints.String())
		}
	})
	fmt.Fprintln(in, string(settings))
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.HasPrefix(line, "listening ") {
		t.Fatal(line, err)
	}
}

// TestUpstream: persons of the establishment log in at another provider, which names them by a number, or by a sub of its own; whom it names
// otherwise is nobody here.
func TestUpstream(t *testing.T) {
	w := meet(t)
	w.provide(t)
	rp := w.program(t, judge.Require(t, "node"), filepath.Join(judge.NodeModules(t, "node", "rp.js"), "rp.js"))
	r := &relying{id: "rp-basic", method: "client_secret_basic"}
	rp.must(t, r.discover(w))
	login := func(t *testing.T, means, name string) (seen, *url.URL) {
		somebody := w.person(t, "")
		a, _ := somebody.open(text(rp.must(t, members{"do": "begin", "id": r.id, "params": members{"prompt": "login"}}), "url"))
		a, _ = somebody.press(a, "/m/"+means, w.upstream)
		a, _ = somebody.send(a, url.Values{"login": {name}, "password": {"any"}}, w.upstream)
		return somebody.send(a, url.Values{}, w.upstream) // consent, there
	}
	for means, name := range map[string]string{"op": "whoever", "op-sub": "alice-there"} {
		t.Run(means, func(t *testing.T) {
			a, back := login(t, means, name)
			if back == nil {
				t.Fatalf("not led back: %s at %s: %s", a.Status, a.Request.URL, a.words())
			}
			claims := inner(rp.must(t, members{"do": "finish", "id": r.id, "url": back.String()}), "claims")
			if amr, _ := claims["amr"].([]any); claims["sub"] != aliceSubject || len(amr) != 1 || amr[0] != "mfa" {
				t.Errorf("%v", claims)
			}
		})
	}
	if a, back := login(t, "op-sub", "bob-there"); back != nil || !strings.Contains(a.text, `role="alert"`) {
		t.Errorf("somebody whom nobody knows was led to %v: %s: %s", back, a.Status, a.words())
	}
}
