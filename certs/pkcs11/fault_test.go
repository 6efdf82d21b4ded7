//go:build pkcs11 && cgo

package pkcs11

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/pkcs11"
)

func newP256(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// openFake opens the key of a fake token; the name of the module is the test's.
func openFake(t *testing.T, f *fakeToken, change func(*Config)) (*Key, error) {
	t.Helper()
	module := &module{path: t.Name(), ctx: f}
	if err := module.initialize(); err != nil {
		t.Fatal(err)
	}
	process.Lock()
	if process.modules == nil {
		process.modules = map[string]*moduleType{}
	}
	process.modules[t.Name()] = module
	process.Unlock()
	pin := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(pin, []byte("1234\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Config{
		URI:    URI{Token: "fake", Object: "k", ModulePath: t.Name(), PINSource: pin},
		Public: f.key.Load().Public(), Sessions: 2, Timeout: 5 * time.Second, HealthInterval: time.Hour,
		RetryFirst: time.Millisecond, RetryMost: 5 * time.Millisecond, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if change != nil {
		change(&c)
	}
	k, err := Open(c)
	if err == nil {
		t.Cleanup(func() { k.Close() })
	}
	return k, err
}

type moduleType = module

func mustOpenFake(t *testing.T, f *fakeToken, change func(*Config)) *Key {
	t.Helper()
	k, err := openFake(t, f, change)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func trySign(k *Key) error {
	digest := sha256.Sum256([]byte("message"))
	signature, err := k.Sign(nil, digest[:], crypto.SHA256)
	if err == nil && !ecdsa.VerifyASN1(k.Public().(*ecdsa.PublicKey), digest[:], signature) {
		return errors.New("a wrong signature got out")
	}
	return err
}

// eventually waits for what a goroutine does; it fails the test when that never comes.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 2000 {
		if is() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// TestFaults: whatever the token answers, the error is that it is unavailable, nothing
// wrong gets out, and when the token is well again the key is by itself.
func TestFaults(t *testing.T) {
	own := newP256(t)
	tests := []struct {
		name   string
		broken func(*fakeToken)
		want   error
	}{
		{"token not present", func(f *fakeToken) { f.signInit, f.present = pkcs11.Error(pkcs11.CKR_TOKEN_NOT_PRESENT), false }, ErrUnavailable},
		{"device removed", func(f *fakeToken) { f.sign, f.present = pkcs11.Error(pkcs11.CKR_DEVICE_REMOVED), false }, ErrUnavailable},
		{"session handle invalid", func(f *fakeToken) { f.signInit = pkcs11.Error(pkcs11.CKR_SESSION_HANDLE_INVALID) }, ErrUnavailable},
		{"object handle invalid", func(f *fakeToken) { f.signInit = pkcs11.Error(pkcs11.CKR_OBJECT_HANDLE_INVALID) }, ErrUnavailable},
		{"key handle invalid", func(f *fakeToken) { f.signInit = pkcs11.Error(pkcs11.CKR_KEY_HANDLE_INVALID) }, ErrUnavailable},
		{"not logged in", func(f *fakeToken) { f.signInit = pkcs11.Error(pkcs11.CKR_USER_NOT_LOGGED_IN) }, ErrUnavailable},
		{"general error", func(f *fakeToken) { f.sign = pkcs11.Error(pkcs11.CKR_GENERAL_ERROR) }, ErrUnavailable},
		{"vendor error", func(f *fakeToken) { f.sign = pkcs11.Error(0x80000123) }, ErrUnavailable},
		{"a wrong signature: with RSA it would give the key away", func(f *fakeToken) { f.flip = true }, ErrSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFakeToken(own)
			k := mustOpenFake(t, f, nil)
			if err := trySign(k); err != nil {
				t.Fatal(err)
			}
			f.set(func() { tt.broken(f) })
			if err := trySign(k); !errors.Is(err, tt.want) {
				t.Fatalf("broken: %v", err)
			}
			if err := trySign(k); !errors.Is(err, ErrUnavailable) {
				t.Fatalf("broken, the second time: %v", err)
			}
			if h := k.Health(); h.Err == nil || h.Losses != 1 {
				t.Errorf("health %+v", h)
			}
			f.set(func() { f.signInit, f.sign, f.flip, f.present = nil, nil, false, true })
			eventually(t, "signs again", func() bool { return trySign(k) == nil })
			if h := k.Health(); h.Err != nil || h.Stuck != 0 {
				t.Errorf("health %+v", h)
			}
			eventually(t, "sessions are closed", func() bool { return f.open.Load() == 2 })
		})
	}
}

// TestOneRequestsError: a request that the token refuses costs the others nothing.
func TestOneRequestsError(t *testing.T) {
	f := newFakeToken(newP256(t))
	k := mustOpenFake(t, f, nil)
	f.set(func() { f.signInit = pkcs11.Error(pkcs11.CKR_MECHANISM_INVALID) })
	if err := trySign(k); !errors.Is(err, ErrDigest) || errors.Is(err, ErrUnavailable) {
		t.Fatal(err)
	}
	f.set(func() { f.signInit = nil })
	if err := trySign(k); err != nil || k.Health().Losses != 0 {
		t.Fatalf("%v, %+v", err, k.Health())
	}
}

// TestOtherKeyStaysRefused: a token that comes back with another key under the name
// signs nothing, however often it is asked, until the right key is back.
func TestOtherKeyStaysRefused(t *testing.T) {
	own := newP256(t)
	f := newFakeToken(own)
	k := mustOpenFake(t, f, nil)
	f.key.Store(newP256(t))
	if err := trySign(k); !errors.Is(err, ErrSignature) {
		t.Fatal(err)
	}
	logins := f.logins.Load()
	eventually(t, "several attempts", func() bool { return f.logins.Load() > logins+3 })
	if err := trySign(k); !errors.Is(err, ErrUnavailable) || !errors.Is(err, ErrSignature) {
		t.Fatalf("signed, or no reason: %v", err)
	}
	f.key.Store(own)
	eventually(t, "signs again", func() bool { return trySign(k) == nil })
	if _, err := openFake(t, f, func(c *Config) { c.Public = newP256(t).Public() }); !errors.Is(err, ErrSignature) {
		t.Errorf("opened for another certificate: %v", err)
	}
}

// TestWrongPIN: a PIN that was refused is tried once: a token locks itself after a few.
func TestWrongPIN(t *testing.T) {
	f := newFakeToken(newP256(t))
	k := mustOpenFake(t, f, nil)
	other, right := "9999", "1234"
	f.pin.Store(&other)
	before := f.logins.Load()
	f.set(func() { f.signInit = pkcs11.Error(pkcs11.CKR_USER_NOT_LOGGED_IN) })
	if err := trySign(k); !errors.Is(err, ErrUnavailable) {
		t.Fatal(err)
	}
	f.set(func() { f.signInit = nil })
	eventually(t, "the PIN is refused", func() bool { return errors.Is(k.Health().Err, ErrPIN) })
	time.Sleep(50 * time.Millisecond) // ten pauses
	if tried := f.logins.Load() - before; tried != 1 {
		t.Errorf("a refused PIN was tried %d times", tried)
	}
	f.pin.Store(&right)
	if err := os.WriteFile(k.config.URI.PINSource, []byte("9998"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another PIN is tried", func() bool { return f.logins.Load()-before == 2 })
	if err := os.WriteFile(k.config.URI.PINSource, []byte("1234"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "signs again", func() bool { return trySign(k) == nil })
}

// TestHangingToken: a call that does not come back holds no request beyond its time, what
// hangs is bounded, and when the token answers again so does the key.
func TestHangingToken(t *testing.T) {
	f := newFakeToken(newP256(t))
	k := mustOpenFake(t, f, func(c *Config) { c.Timeout, c.Waiting = 100*time.Millisecond, 4 })
	hang := make(chan struct{})
	f.set(func() { f.hang = hang })
	var wait sync.WaitGroup
	for range 32 {
		wait.Go(func() {
			for range 8 {
				if err := trySign(k); !errors.Is(err, ErrUnavailable) {
					t.Errorf("while it hangs: %v", err)
				}
			}
		})
	}
	wait.Wait() // it returns: that is the test
	eventually(t, "calls are stuck, no more than four times the sessions", func() bool { return k.Health().Stuck == 8 })
	time.Sleep(20 * time.Millisecond)
	if h := k.Health(); h.Stuck > 8 || h.Err == nil {
		t.Errorf("health %+v", h)
	}
	f.set(func() { f.hang = nil })
	close(hang)
	eventually(t, "signs again", func() bool { return trySign(k) == nil })
	eventually(t, "nothing is stuck", func() bool { return k.Health().Stuck == 0 })
	eventually(t, "sessions are closed", func() bool { return f.open.Load() == 2 })
}

// TestWaiting: more than may wait are refused at once.
func TestWaiting(t *testing.T) {
	f := newFakeToken(newP256(t))
	k := mustOpenFake(t, f, func(c *Config) { c.Sessions, c.Waiting, c.Timeout = 1, 1, time.Minute })
	hang := make(chan struct{})
	f.set(func() { f.hang = hang })
	answers := make(chan error, 2)
	for range 2 {
		go func() { answers <- trySign(k) }()
	}
	eventually(t, "one waits", func() bool { return k.waiting.Load() == 1 && len(k.connected.Load().sessions) == 0 })
	if err := trySign(k); !errors.Is(err, ErrUnavailable) {
		t.Errorf("the third: %v", err)
	}
	close(hang)
	for range 2 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if k.Health().Losses != 0 {
		t.Error("a full line took the token down")
	}
}

// TestHealthCheck: a token that went while nobody asked is found by the probe.
func TestHealthCheck(t *testing.T) {
	f := newFakeToken(newP256(t))
	k := mustOpenFake(t, f, func(c *Config) { c.HealthInterval = 2 * time.Millisecond })
	f.set(func() { f.sign, f.present = pkcs11.Error(pkcs11.CKR_DEVICE_ERROR), false })
	eventually(t, "found", func() bool { return k.Health().Err != nil })
	eventually(t, "initialized anew while no token is there", func() bool { return f.inits.Load() > 1 })
	f.set(func() { f.sign, f.present = nil, true })
	eventually(t, "back", func() bool { return k.Health().Err == nil })
}

// TestSharedModule: the module is not taken from under a key that works.
func TestSharedModule(t *testing.T) {
	f := newFakeToken(newP256(t))
	a := mustOpenFake(t, f, nil)
	b, err := Open(a.config)
	if err != nil {
		t.Fatal(err)
	}
	inits := f.inits.Load()
	a.giveUp(a.connected.Load(), ErrUnavailable)
	if a.module.renew() == nil {
		t.Error("renewed under a key that works")
	}
	if err := trySign(b); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := trySign(b); !errors.Is(err, ErrUnavailable) {
		t.Errorf("closed: %v", err)
	}
	eventually(t, "a is back", func() bool { return trySign(a) == nil })
	if f.inits.Load() != inits {
		t.Error("initialized anew although the token was there")
	}
}

func TestDigests(t *testing.T) {
	k := mustOpenFake(t, newFakeToken(newP256(t)), nil)
	for name, opts := range map[string]crypto.SignerOpts{"SHA-1": crypto.SHA1, "none": crypto.Hash(0), "nil": nil, "of another length": crypto.SHA512} {
		if signature, err := k.Sign(nil, make([]byte, 32), opts); !errors.Is(err, ErrDigest) || signature != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLongLine: those at the end of a long line are refused; that takes nothing from the
// token, which is slow and well.
func TestLongLine(t *testing.T) {
	f := newFakeToken(newP256(t))
	k := mustOpenFake(t, f, func(c *Config) { c.Sessions, c.Timeout = 1, time.Second })
	f.set(func() { f.takes = 50 * time.Millisecond })
	var wait sync.WaitGroup
	var good, refused atomic.Int64
	for range 64 {
		wait.Go(func() {
			switch err := trySign(k); {
			case err == nil:
				good.Add(1)
			case errors.Is(err, ErrUnavailable):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if h := k.Health(); h.Err != nil || h.Losses != 0 || good.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d signed, %d refused, %+v", good.Load(), refused.Load(), h)
	}
}

// TestStrangeSignatures: what is no signature at all is refused as a wrong one.
func TestStrangeSignatures(t *testing.T) {
	for name, given := range map[string][]byte{"empty": {}, "odd": make([]byte, 63), "too long": make([]byte, 66), "zeros": make([]byte, 64),
		"ASN.1 instead of numbers": append([]byte{0x30, 0x44}, make([]byte, 62)...)} {
		t.Run(name, func(t *testing.T) {
			f := newFakeToken(newP256(t))
			k := mustOpenFake(t, f, nil)
			f.set(func() { f.given = given })
			if err := trySign(k); !errors.Is(err, ErrSignature) {
				t.Error(err)
			}
		})
	}
}
