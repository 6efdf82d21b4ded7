package certs_test

import (
	"crypto"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"sceau/certs"
	"sceau/certs/openssl"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

type engine = func(crypto.Signer) (crypto.Signer, error)

// engines returns what KeyConfig.Engine may be in this build, by name.
func engines(t *testing.T) map[string]engine {
	t.Helper()
	all := map[string]engine{"Go": nil}
	library, err := openssl.Load("")
	if errors.Is(err, openssl.ErrNotBuilt) {
		return all
	}
	if err != nil {
		t.Fatal(err)
	}
	all["OpenSSL"] = func(key crypto.Signer) (crypto.Signer, error) {
		made, err := library.Key(key)
		if errors.Is(err, openssl.ErrGoIsFaster) {
			return key, nil
		}
		return made, err
	}
	return all
}

// TestEngine: a key goes through the engine; one that fails, gives nothing or gives
// another key signs nothing, and the error says why.
func TestEngine(t *testing.T) {
	pki := testpki.Load()
	config := writeKey(t, &pki.STS)
	broken := errors.New("the engine is broken")
	var asked crypto.Signer
	tests := []struct {
		name   string
		engine engine
		reason certs.Reason
	}{
		{"the key as it is", func(key crypto.Signer) (crypto.Signer, error) { asked = key; return key, nil }, 0},
		{"fails", func(crypto.Signer) (crypto.Signer, error) { return nil, broken }, certs.Unavailable},
		{"gives nothing", func(crypto.Signer) (crypto.Signer, error) { return nil, nil }, certs.Malformed},
		{"another key", func(crypto.Signer) (crypto.Signer, error) { return pki.OtherKey(), nil }, certs.Mismatch},
		{"computes wrongly", func(key crypto.Signer) (crypto.Signer, error) { return brokenKey{key}, nil }, certs.Mismatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config.Engine = tt.engine
			s, err := certs.LoadSigner(config)
			if certs.ReasonOf(err) != tt.reason || (s == nil) == (err == nil) {
				t.Errorf("%v, %v; want %v", s, err, tt.reason)
			}
			if tt.reason == certs.Unavailable && !errors.Is(err, broken) {
				t.Errorf("%v hides the cause", err)
			}
		})
	}
	if asked == nil {
		t.Error("the engine was not asked")
	}
}

// TestEngineSeesNoWeakKey: a key that is refused anyway goes to no engine.
func TestEngineSeesNoWeakKey(t *testing.T) {
	pki := testpki.Load()
	key, err := minipki.GenerateKey(minipki.P224)
	if err != nil {
		t.Fatal(err)
	}
	leaf := pki.Issue(pki.EHealthCA, minipki.EHealth(minipki.Holder{Type: "CBE", Value: testpki.ServiceCBE, Name: "X"}), key)
	config := writeKey(t, &leaf)
	config.Engine = func(crypto.Signer) (crypto.Signer, error) {
		t.Error("asked")
		return nil, nil
	}
	if s, err := certs.LoadSigner(config); s != nil || certs.ReasonOf(err) != certs.WeakKey {
		t.Errorf("%v, %v", s, err)
	}
}

// writeKey writes key and certificate to one file and says where.
func writeKey(t *testing.T, leaf *testpki.Leaf) certs.KeyConfig {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, append(leaf.CertificatePEM(), leaf.KeyPEM()...), 0o600); err != nil {
		t.Fatal(err)
	}
	return certs.KeyConfig{Key: path, At: testpki.Now()}
}
