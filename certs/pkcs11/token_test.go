//go:build pkcs11 && cgo

package pkcs11_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sceau/certs/pkcs11"
	"sceau/internal/judge"
	"sceau/internal/softhsm"
)

func TestMain(m *testing.M) { os.Exit(softhsm.M{M: m}.Run()) }

// tokens counts those that were made, each under a name of its own.
var tokens atomic.Int64

func newToken(t *testing.T, kind pkcs11.Kind) (*softhsm.Device, pkcs11.URI, crypto.PublicKey) {
	t.Helper()
	device := softhsm.Open(t)
	label := fmt.Sprintf("%.20s %d", t.Name(), tokens.Add(1)) // at most 32 octets
	device.AddToken(t, label)
	uri, err := pkcs11.ParseURI(device.URI(label, "k"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := pkcs11.Generate(uri, kind)
	if errors.Is(err, pkcs11.ErrUnavailable) { // a token that is younger than the module's initialization
		pkcs11.Renew(uri.ModulePath)
		public, err = pkcs11.Generate(uri, kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	return device, uri, public
}

func openToken(t *testing.T, uri pkcs11.URI, public crypto.PublicKey) *pkcs11.Key {
	t.Helper()
	key, err := pkcs11.Open(pkcs11.Config{URI: uri, Public: public, Sessions: 4, HealthInterval: 50 * time.Millisecond,
		RetryFirst: 5 * time.Millisecond, RetryMost: 50 * time.Millisecond, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { key.Close() })
	return key
}

func digestOf(hash crypto.Hash, message []byte) []byte {
	h := hash.New()
	h.Write(message)
	return h.Sum(nil)
}

func verifies(public crypto.PublicKey, hash crypto.Hash, digest, signature []byte, pss *rsa.PSSOptions) bool {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if pss != nil {
			return rsa.VerifyPSS(k, hash, digest, signature, pss) == nil
		}
		return rsa.VerifyPKCS1v15(k, hash, digest, signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, digest, signature)
	}
	return false
}

// TestSignatures: every kind of key and every form of signature verifies in Go and in OpenSSL.
func TestSignatures(t *testing.T) {
	openssl := judge.Require(t, "openssl")
	for name, kind := range map[string]pkcs11.Kind{"RSA2048": pkcs11.RSA2048, "RSA3072": pkcs11.RSA3072, "RSA4096": pkcs11.RSA4096,
		"P256": pkcs11.P256, "P384": pkcs11.P384, "P521": pkcs11.P521} {
		t.Run(name, func(t *testing.T) {
			_, uri, public := newToken(t, kind)
			key := openToken(t, uri, public)
			for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
				forms := map[string]crypto.SignerOpts{"": hash}
				if _, isRSA := public.(*rsa.PublicKey); isRSA {
					forms["PSS"] = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
				}
				for form, opts := range forms {
					message := []byte("message " + name + form)
					digest := digestOf(hash, message)
					signature, err := key.Sign(nil, digest, opts)
					if err != nil {
						t.Fatalf("%v %s: %v", hash, form, err)
					}
					pss, _ := opts.(*rsa.PSSOptions)
					if !verifies(public, hash, digest, signature, pss) {
						t.Errorf("%v %s: Go refuses", hash, form)
					}
					if !opensslVerifies(t, openssl, public, hash, message, signature, pss != nil) {
						t.Errorf("%v %s: openssl refuses", hash, form)
					}
					signature[len(signature)-1] ^= 1
					if opensslVerifies(t, openssl, public, hash, message, signature, pss != nil) {
						t.Errorf("%v %s: openssl admits anything", hash, form)
					}
				}
			}
			if _, err := pkcs11.Generate(uri, kind); !errors.Is(err, pkcs11.ErrKey) {
				t.Errorf("a second key of the name: %v", err)
			}
		})
	}
}

func opensslVerifies(t *testing.T, openssl string, public crypto.PublicKey, hash crypto.Hash, message, signature []byte, pss bool) bool {
	t.Helper()
	dir := t.TempDir()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"message": message, "signature": signature,
		"public.pem": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	digest := map[crypto.Hash]string{crypto.SHA256: "-sha256", crypto.SHA384: "-sha384", crypto.SHA512: "-sha512"}[hash]
	arguments := []string{"dgst", digest, "-verify", "public.pem", "-signature", "signature"}
	if pss {
		arguments = append(arguments, "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest")
	}
	command := exec.Command(openssl, append(arguments, "message")...)
	command.Dir = dir
	out, err := command.CombinedOutput()
	return err == nil && bytes.Contains(out, []byte("Verified OK"))
}

// TestOpenRefuses: what is not the one expected key of a token that lets us in.
func TestOpenRefuses(t *testing.T) {
	device, uri, public := newToken(t, pkcs11.P256)
	other := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(other, []byte("wrong pin\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	second := uri
	second.Object = "second"
	secondPublic, err := pkcs11.Generate(second, pkcs11.P256)
	if err != nil {
		t.Fatal(err)
	}
	device.Tool(t, uri.Token, "--keypairgen", "--key-type", "EC:prime256v1", "--label", "double", "--id", "a1")
	device.Tool(t, uri.Token, "--keypairgen", "--key-type", "EC:prime256v1", "--label", "double", "--id", "a2")
	tests := []struct {
		name   string
		change func(*pkcs11.Config)
		want   error
	}{
		{"wrong PIN", func(c *pkcs11.Config) { c.URI.PINSource = other }, pkcs11.ErrPIN},
		{"no PIN", func(c *pkcs11.Config) { c.URI.PINSource = "/nowhere/pin" }, pkcs11.ErrPIN},
		{"no such token", func(c *pkcs11.Config) { c.URI.Token = "nobody's" }, pkcs11.ErrUnavailable},
		{"no such key", func(c *pkcs11.Config) { c.URI.Object = "none" }, pkcs11.ErrKey},
		{"two keys of the name", func(c *pkcs11.Config) { c.URI.Object = "double" }, pkcs11.ErrKey},
		{"another key than the certificate's", func(c *pkcs11.Config) { c.Public = secondPublic }, pkcs11.ErrOtherKey},
		{"no public key", func(c *pkcs11.Config) { c.Public = nil }, pkcs11.ErrKey},
		{"no module", func(c *pkcs11.Config) { c.URI.ModulePath = "/nowhere/libp11.so" }, pkcs11.ErrModule},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := pkcs11.Config{URI: uri, Public: public}
			tt.change(&c)
			if key, err := pkcs11.Open(c); !errors.Is(err, tt.want) || key != nil {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
	openToken(t, uri, public)
}

// TestTokenLeavesUnderLoad: the token is taken away and brought back while many sign:
// errors say so, nothing wrong is signed, and signing resumes by itself.
func TestTokenLeavesUnderLoad(t *testing.T) {
	device, uri, public := newToken(t, pkcs11.RSA2048)
	key := openToken(t, uri, public)
	var good, refused, wrong atomic.Int64
	stop := make(chan struct{})
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for n := byte(0); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				digest := digestOf(crypto.SHA256, []byte{n})
				signature, err := key.Sign(nil, digest, crypto.SHA256)
				switch {
				case err == nil && verifies(public, crypto.SHA256, digest, signature, nil):
					good.Add(1)
				case errors.Is(err, pkcs11.ErrUnavailable):
					refused.Add(1)
					time.Sleep(time.Millisecond)
				default:
					wrong.Add(1)
					t.Errorf("neither signed nor refused: %v", err)
					return
				}
			}
		})
	}
	until := func(what string, is func() bool) {
		t.Helper()
		for range 2000 {
			if is() {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Errorf("never: %s; %+v", what, key.Health())
	}
	for round := range 3 {
		before := good.Load()
		until("signed", func() bool { return good.Load() > before+50 })
		device.TakeAway(t)
		gone := refused.Load()
		until("refused", func() bool { return refused.Load() > gone+50 && key.Health().Err != nil })
		if now := good.Load(); round == 0 && now == 0 {
			t.Error("nothing was signed before")
		}
		device.BringBack(t)
		until("back", func() bool { return key.Health().Err == nil })
	}
	before := good.Load()
	until("signed at the end", func() bool { return good.Load() > before+50 })
	close(stop)
	wait.Wait()
	if h := key.Health(); h.Losses < 3 || h.Stuck != 0 {
		t.Errorf("health %+v", h)
	}
	t.Logf("%d signed, %d refused, %d wrong", good.Load(), refused.Load(), wrong.Load())
}

// TestTwoKeysOneModule: two keys of one module lose their token; although nobody asks the
// second, neither stands in the way of the other.
func TestTwoKeysOneModule(t *testing.T) {
	device, uri, public := newToken(t, pkcs11.P256)
	second := uri
	second.Object = "second"
	secondPublic, err := pkcs11.Generate(second, pkcs11.P256)
	if err != nil {
		t.Fatal(err)
	}
	a := openToken(t, uri, public)
	b, err := pkcs11.Open(pkcs11.Config{URI: second, Public: secondPublic, HealthInterval: time.Hour,
		RetryFirst: 5 * time.Millisecond, RetryMost: 50 * time.Millisecond, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	digest := digestOf(crypto.SHA256, []byte("message"))
	device.TakeAway(t)
	for _, key := range []*pkcs11.Key{a, b} {
		for n := 0; key.Health().Err == nil; n++ {
			if n == 1000 {
				t.Fatal("not found")
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	device.BringBack(t)
	for _, key := range []*pkcs11.Key{a, b} {
		for n := 0; ; n++ {
			if _, err := key.Sign(nil, digest, crypto.SHA256); err == nil {
				break
			}
			if n == 1000 {
				t.Fatalf("not back: %+v", key.Health())
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// TestKeyReplaced: somebody puts another key under the name; it signs nothing.
func TestKeyReplaced(t *testing.T) {
	device, uri, public := newToken(t, pkcs11.P256)
	key := openToken(t, uri, public)
	digest := digestOf(crypto.SHA256, []byte("message"))
	if _, err := key.Sign(nil, digest, crypto.SHA256); err != nil {
		t.Fatal(err)
	}
	device.Tool(t, uri.Token, "--delete-object", "--type", "privkey", "--label", "k")
	device.Tool(t, uri.Token, "--delete-object", "--type", "pubkey", "--label", "k")
	device.Tool(t, uri.Token, "--keypairgen", "--key-type", "EC:prime256v1", "--label", "k", "--id", "b1")
	for range 500 {
		if signature, err := key.Sign(nil, digest, crypto.SHA256); err == nil || signature != nil {
			t.Fatal("another key signs")
		} else if errors.Is(err, pkcs11.ErrOtherKey) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("never refused as another key: %+v", key.Health())
}

// BenchmarkSign is a signature of SoftHSM with its verification; what a file key costs
// stands in certs/openssl.
func BenchmarkSign(b *testing.B) {
	device := softhsm.Open(b)
	device.AddToken(b, b.Name())
	for name, kind := range map[string]pkcs11.Kind{"RSA2048": pkcs11.RSA2048, "P256": pkcs11.P256} {
		b.Run(name, func(b *testing.B) {
			uri, err := pkcs11.ParseURI(device.URI("BenchmarkSign", name+time.Now().Format(time.RFC3339Nano)))
			if err != nil {
				b.Fatal(err)
			}
			public, err := pkcs11.Generate(uri, kind)
			if err != nil {
				b.Fatal(err)
			}
			key, err := pkcs11.Open(pkcs11.Config{URI: uri, Public: public})
			if err != nil {
				b.Fatal(err)
			}
			defer key.Close()
			digest := digestOf(crypto.SHA256, []byte("message"))
			for b.Loop() {
				if _, err := key.Sign(nil, digest, crypto.SHA256); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
