//go:build openssl && cgo

package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sceau/internal/judge"
	"sceau/internal/minipki"
	"sceau/saml"
	"sceau/wsc"
)

func withOpenSSL(_, config string) string {
	return strings.Replace(config, "\nsigning:", "\nsigning:\n  engine: openssl", 1)
}

// TestOpenSSLServes: the whole service with OpenSSL signing, to many clients at once and
// through reloads from engine to engine: our client verifies every answer, and xmlsec1
// every assertion.
func TestOpenSSLServes(t *testing.T) {
	v, d := startDemoServerWith(t, withOpenSSL)
	if !strings.HasPrefix(v.engine, "OpenSSL 3.") || !strings.Contains(v.log.String(), "msg=signing engine=\"OpenSSL 3.") {
		t.Fatalf("signed by %s, and the log says\n%s", v.engine, v.log)
	}
	var err error
	if d.trust, err = d.providerTrust(); err != nil {
		t.Fatal(err)
	}
	defer d.trust.Close()
	if d.client, err = wsc.NewClient(wsc.Config{Trust: d.trust}); err != nil {
		t.Fatal(err)
	}
	alice, err := d.credentials("alice", "alice")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var assertions [][]byte
	ask := func() {
		token, err := d.client.Token(t.Context(), v.url, alice, request(doctorBoolean))
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		assertions = append(assertions, token.Assertion())
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 4 {
				ask()
			}
		})
	}
	wait.Wait()
	if len(metadataOf(t, v.url)) == 0 { // signed too
		t.Error("no metadata")
	}
	inOpenSSL, err := os.ReadFile(v.path)
	if err != nil {
		t.Fatal(err)
	}
	for _, config := range []string{strings.Replace(string(inOpenSSL), "engine: openssl", "engine: go", 1), string(inOpenSSL)} {
		if err := os.WriteFile(v.path, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := v.reload(v.path); err != nil {
			t.Fatal(err)
		}
		if inGo := strings.Contains(config, "engine: go"); inGo != (v.engine == "Go") {
			t.Errorf("after the reload %s signs", v.engine)
		}
		ask()
	}
	_, public := publicKey(t, v.signer.Public())
	ids := []judge.ID{{Attribute: "AssertionID", Namespace: saml.NamespaceAssertion, Element: "Assertion"}}
	for i, good := range judge.VerifyXMLSec(t, public, ids, "//*[local-name()='Signature']", assertions) {
		if !good {
			t.Errorf("xmlsec1 refuses assertion %d", i)
		}
	}
	if len(assertions) != 34 {
		t.Errorf("%d assertions", len(assertions))
	}
}

// TestReloadKeepsLibrary: a reload that asks for another library than the one that the
// process has is refused, and the old goes on.
func TestReloadKeepsLibrary(t *testing.T) {
	v, _ := startDemoServerWith(t, withOpenSSL)
	content, err := os.ReadFile(v.path)
	if err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(string(content), "engine: openssl", "engine: openssl\n  library: libother.so.3", 1)
	if err := os.WriteFile(v.path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	v.hangup <- syscall.SIGHUP
	v.waitLog(t, "reload refused")
	v.waitLog(t, "another libcrypto is loaded; a change needs a restart")
	if !strings.HasPrefix(v.engine, "OpenSSL") {
		t.Errorf("signed by %s", v.engine)
	}
}

// TestOpenSSLByCurve: the curve that Go signs faster stays in Go, and that is told.
func TestOpenSSLByCurve(t *testing.T) {
	for kind, want := range map[minipki.KeyKind]string{
		minipki.P256: "OpenSSL 3.", minipki.P521: "OpenSSL 3.", minipki.P384: "Go, which is faster for this key than OpenSSL 3.",
	} {
		v, _ := startDemoServerWith(t, func(dir, config string) string {
			p := &demoPKI{dir: filepath.Join(dir, "pki"), from: time.Now().AddDate(0, 0, -1), until: time.Now().AddDate(0, 0, 1)}
			root := p.root("other-root", minipki.DN("C", "BE", "CN", "DEMO Other Root CA"))
			p.leaf("sts", root, kind, minipki.EHealth(minipki.Holder{Type: "CBE", Value: stsCBE, Name: "DEMO PLATFORM", Application: "SCEAU"}))
			if p.failed != nil {
				t.Fatal(p.failed)
			}
			return withOpenSSL(dir, config)
		})
		if !strings.HasPrefix(v.engine, want) {
			t.Errorf("kind %v: signed by %s, want %s", kind, v.engine, want)
		}
	}
}
