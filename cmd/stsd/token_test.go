//go:build pkcs11 && cgo

package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sceau/internal/judge"
	"sceau/internal/softhsm"
	"sceau/saml"
	"sceau/sts"
	"sceau/wsc"
)

// tokenOnce is the one token of this program: the module sees those that were there when
// it was initialized.
var tokenOnce = sync.OnceValue(func() func(*testing.T) *softhsm.Device {
	var made bool
	return func(t *testing.T) *softhsm.Device {
		device := softhsm.Open(t)
		if !made {
			device.AddToken(t, "sts")
			made = true
		}
		return device
	}
})

// withToken makes a key on the token, and a certificate for it, and lets it sign.
func withToken(t *testing.T, algorithm string) (*softhsm.Device, func(dir, config string) string) {
	t.Helper()
	device := tokenOnce()(t)
	object := fmt.Sprintf("%s %s %d", t.Name(), algorithm, time.Now().UnixNano())
	return device, func(dir, config string) string {
		config = strings.Replace(config, "  key: pki/sts.key\n  certificate: pki/sts.pem\n",
			"  dir: keys\n  publish-ahead: 0s\n  token: {sessions: 4, health-interval: 100ms, timeout: 2s}\n", 1)
		path := filepath.Join(dir, "stsd.yaml")
		writeConfig(t, path, config)
		keysRun(t, path, "generate", "hsm", "--algorithm", algorithm, "--uri", device.URI("sts", object), "--subject", "C=BE, CN=STS", "--self-signed")
		keysRun(t, path, "rollover", "hsm", "--now")
		return config
	}
}

// TestTokenSigns: the whole service with its key on a token, of each kind: our client, a
// guard and xmlsec1 verify what it issues.
func TestTokenSigns(t *testing.T) {
	for _, algorithm := range []string{"rsa-2048", "rsa-3072", "p256", "p384"} {
		t.Run(algorithm, func(t *testing.T) {
			_, config := withToken(t, algorithm)
			v, d := startDemoServerWith(t, config)
			pinned, _ := published(t, v.url)
			party := newRelyingParty(t, d, pinned)
			alice, err := d.credentials("alice", "alice")
			if err != nil {
				t.Fatal(err)
			}
			token, err := party.client.Token(t.Context(), v.url, alice, request(doctorBoolean))
			if err != nil {
				t.Fatal(err)
			}
			if err := party.call(t, token); err != nil {
				t.Error(err)
			}
			metadataOf(t, v.url) // signed too
			_, public := publicKey(t, v.signer.Public())
			ids := []judge.ID{{Attribute: "AssertionID", Namespace: saml.NamespaceAssertion, Element: "Assertion"}}
			if good := judge.VerifyXMLSec(t, public, ids, "//*[local-name()='Signature']", [][]byte{token.Assertion()}); !good[0] {
				t.Error("xmlsec1 refuses the assertion")
			}
			if listed := keysRun(t, v.path, "list"); !strings.Contains(listed, "on a token: pkcs11:token=sts;") || !strings.Contains(listed, "signed a probe that verifies") {
				t.Errorf("%s", listed)
			}
			v.hangup <- syscall.SIGHUP
			v.waitLog(t, "msg=reloaded")
			if _, err := party.client.Token(t.Context(), v.url, alice, request(doctorBoolean)); err != nil {
				t.Errorf("after a reload: %v", err)
			}
		})
	}
}

// TestTokenLeavesServer: the token is taken away and brought back while clients ask and a
// guarded service is called: they are told that nothing can be issued, nothing wrong is
// signed, readiness says why, and it goes on by itself.
func TestTokenLeavesServer(t *testing.T) {
	device, config := withToken(t, "rsa-2048")
	v, d := startDemoServerWith(t, config)
	pinned, _ := published(t, v.url)
	party := newRelyingParty(t, d, pinned) // verifies every assertion, and pins one certificate
	var refused, other atomic.Int64
	l := startLoad(t, v, d, party, func(err error) {
		var status *wsc.StatusError
		if errors.As(err, &status) && strings.Contains(err.Error(), sts.IssuanceFailed.Message()) {
			refused.Add(1)
			time.Sleep(time.Millisecond)
			return
		}
		if other.Add(1) < 5 {
			t.Errorf("another error: %v", err)
		}
	})
	for range 2 {
		before := l.asked.Load()
		eventually(t, "tokens", func() bool { return l.asked.Load() > before+20 })
		device.TakeAway(t)
		gone := refused.Load()
		eventually(t, "refusals", func() bool { return refused.Load() > gone+20 })
		eventually(t, "not ready", func() bool {
			return strings.HasPrefix(adminGet(t, v, "/healthz/ready"), "503\nsigning key hsm: pkcs11: ")
		})
		if metrics := adminGet(t, v, "/metrics"); !strings.Contains(metrics, `sceau_signing_token_up{key="hsm"} 0`) {
			t.Error("the metric says that the token is up")
		}
		device.BringBack(t)
		eventually(t, "ready", func() bool { return strings.HasPrefix(adminGet(t, v, "/healthz/ready"), "200\n") })
	}
	before := l.asked.Load()
	eventually(t, "tokens after all", func() bool { return l.asked.Load() > before+20 })
	l.stop()
	if metrics := adminGet(t, v, "/metrics"); !strings.Contains(metrics, `sceau_signing_token_up{key="hsm"} 1`) {
		t.Error("the metric says that the token is down")
	}
	v.waitLog(t, "signing token lost")
	v.waitLog(t, "signing token is back")
	t.Logf("%d issued and admitted, %d refused, %d others", l.asked.Load(), refused.Load(), other.Load())
}

// TestTokenAwayAtStart: without the token of the current key nothing is served; that of
// the next may be away.
func TestTokenAwayAtStart(t *testing.T) {
	_, config := withToken(t, "p256")
	v, _ := startDemoServerWith(t, config)
	if err := v.stop(); err != nil {
		t.Fatal(err)
	}
	check := func() error {
		p := &problems{file: v.path}
		s := prepare(readConfig(v.path, p), p, v.system.log, true)
		if s != nil {
			s.close()
		}
		return p.err()
	}
	if err := check(); err != nil {
		t.Fatal(err)
	}
	pki := filepath.Join(v.dir, "pki", "sts")
	keysRun(t, v.path, "add", "file", "--key", pki+".key", "--certificate", pki+".pem")
	broken := func(f *keyFile) error {
		f.find("hsm").Key = strings.Replace(f.find("hsm").Key, "token=sts", "token=away", 1)
		return nil
	}
	dir := filepath.Join(v.dir, "keys")
	if err := changeKeyFile(dir, broken); err != nil {
		t.Fatal(err)
	}
	if err := check(); err == nil || !strings.Contains(err.Error(), "key hsm: ") || !strings.Contains(err.Error(), "no token of that name is present") {
		t.Errorf("%v", err)
	}
	if err := changeKeyFile(dir, func(f *keyFile) error {
		now := time.Now().UTC().Truncate(time.Second)
		f.find("hsm").Activate, f.find("file").Activate = now.Add(24*time.Hour), now
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := check(); err != nil {
		t.Errorf("the next key's token is away: %v", err)
	}
	if !strings.Contains(v.log.String(), "the token of a key that is to sign later does not answer") {
		t.Error("and that is not told")
	}
}
