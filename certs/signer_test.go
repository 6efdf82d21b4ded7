package certs_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"software.sslmate.com/src/go-pkcs12"

	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

func TestLoadSigner(t *testing.T) {
	pki, dir := testpki.Load(), t.TempDir()
	write := func(name string, contents ...[]byte) string {
		path := filepath.Join(dir, name)
		var all []byte
		for _, content := range contents {
			all = append(all, content...)
		}
		if err := os.WriteFile(path, all, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	block := func(kind string, der []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	rsaKey, ecKey := pki.STS.Key.(*rsa.PrivateKey), pki.STSP256.Key.(*ecdsa.PrivateKey)
	ecDER, err := x509.MarshalECPrivateKey(ecKey)
	sec1 := block("EC PRIVATE KEY", ecDER, err)
	pkcs1 := block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), nil)
	chain := append(minipki.CertificatePEM(pki.EHealthRoot.DER(), pki.CitizenCA.DER(), pki.EHealthCA.DER()), pki.STS.CertificatePEM()...)
	ca, root := parseX509(t, pki.EHealthCA.DER()), parseX509(t, pki.EHealthRoot.DER())
	p12, err := pkcs12.Modern.Encode(rsaKey, pki.STS.X509(), []*x509.Certificate{root, ca}, "pass phrase")
	if err != nil {
		t.Fatal(err)
	}
	weakKey, err := minipki.GenerateKey(minipki.P224)
	if err != nil {
		t.Fatal(err)
	}
	weak := pki.Issue(pki.EHealthCA, minipki.EHealth(minipki.Holder{Type: "CBE", Value: testpki.ServiceCBE, Name: "X"}), weakKey)
	encipher := minipki.EHealth(minipki.Holder{Type: "CBE", Value: testpki.ServiceCBE, Name: "X"})
	encipher.KeyUsage = x509.KeyUsageKeyEncipherment
	notForSigning := pki.Issue(pki.EHealthCA, encipher, pki.OtherKeyP256())
	tests := []struct {
		name   string
		config certs.KeyConfig
		reason certs.Reason
		chain  int
	}{
		{"PKCS #8 and its certificate", certs.KeyConfig{Key: write("a.key", pki.STS.KeyPEM()), Certificate: write("a.pem", pki.STS.CertificatePEM())}, 0, 0},
		{"in one file", certs.KeyConfig{Key: write("b.pem", pki.STSP256.CertificatePEM(), pki.STSP256.KeyPEM())}, 0, 0},
		{"PKCS #1 and a path in disorder", certs.KeyConfig{Key: write("c.pem", pkcs1, chain)}, 0, 2},
		{"SEC 1", certs.KeyConfig{Key: write("d.key", sec1), Certificate: write("d.pem", pki.STSP256.CertificatePEM())}, 0, 0},
		{"certificate in DER", certs.KeyConfig{Key: write("e.key", sec1), Certificate: write("e.der", pki.STSP256.DER)}, 0, 0},
		{"P-384", certs.KeyConfig{Key: write("p.pem", pki.AliceEIDP384.KeyPEM(), pki.AliceEIDP384.CertificatePEM())}, 0, 0},
		{"PKCS #12", certs.KeyConfig{PKCS12: write("f.p12", p12), PassphraseFile: write("f.txt", []byte("pass phrase\r\n"))}, 0, 2},
		{"PKCS #12, wrong passphrase", certs.KeyConfig{PKCS12: write("g.p12", p12), PassphraseFile: write("g.txt", []byte("pass"))}, certs.Malformed, 0},
		{"PKCS #12, no passphrase", certs.KeyConfig{PKCS12: write("g.p12", p12)}, certs.Malformed, 0},
		{"PKCS #12 that is none", certs.KeyConfig{PKCS12: write("h.p12", []byte("no"))}, certs.Malformed, 0},
		{"nothing", certs.KeyConfig{}, certs.Malformed, 0},
		{"both", certs.KeyConfig{Key: "x", PKCS12: "y"}, certs.Malformed, 0},
		{"no such file", certs.KeyConfig{Key: filepath.Join(dir, "none")}, certs.Unavailable, 0},
		{"a folder", certs.KeyConfig{Key: dir}, certs.TooLarge, 0},
		{"no key in it", certs.KeyConfig{Key: write("i.pem", pki.STS.CertificatePEM())}, certs.Malformed, 0},
		{"two keys in it", certs.KeyConfig{Key: write("j.pem", pki.STS.KeyPEM(), pki.STSP256.KeyPEM(), pki.STS.CertificatePEM())}, certs.Malformed, 0},
		{"no certificate", certs.KeyConfig{Key: write("k.pem", pki.STS.KeyPEM())}, certs.Malformed, 0},
		{"broken key", certs.KeyConfig{Key: write("l.pem", block("PRIVATE KEY", []byte("no"), nil))}, certs.Malformed, 0},
		{"encrypted key", certs.KeyConfig{Key: write("m.pem", block("ENCRYPTED PRIVATE KEY", []byte("no"), nil))}, certs.Unsupported, 0},
		{"another's certificate", certs.KeyConfig{Key: write("n.pem", pki.STS.KeyPEM(), pki.STSP256.CertificatePEM())}, certs.Mismatch, 0},
		{"expired", certs.KeyConfig{Key: write("o.pem", pki.ExpiredEHealth.KeyPEM(), pki.ExpiredEHealth.CertificatePEM())}, certs.Expired, 0},
		{"not yet valid", certs.KeyConfig{Key: write("q.pem", pki.FutureEID.KeyPEM(), pki.FutureEID.CertificatePEM())}, certs.NotYetValid, 0},
		{"weak", certs.KeyConfig{Key: write("r.pem", weak.KeyPEM(), weak.CertificatePEM())}, certs.WeakKey, 0},
		{"not for signatures", certs.KeyConfig{Key: write("s.pem", notForSigning.KeyPEM(), notForSigning.CertificatePEM())}, certs.WrongUsage, 0},
	}
	for engine, make := range engines(t) {
		for _, tt := range tests {
			t.Run(engine+": "+tt.name, func(t *testing.T) {
				tt.config.At, tt.config.Engine = testpki.Now(), make
				s, err := certs.LoadSigner(tt.config)
				if certs.ReasonOf(err) != tt.reason {
					t.Fatalf("%v, want %v", err, tt.reason)
				}
				if err != nil {
					if s != nil || strings.Contains(err.Error(), "pass phrase") {
						t.Errorf("refused with a signer, or telling the passphrase: %v", err)
					}
					return
				}
				if len(s.Chain()) != tt.chain {
					t.Errorf("chain of %d, want %d", len(s.Chain()), tt.chain)
				}
				digest := sha256.Sum256([]byte("message"))
				signature, err := s.Sign(rand.Reader, digest[:], crypto.SHA256)
				if err != nil || s.Certificate().X509().CheckSignature(algorithm(s.Public()), []byte("message"), signature) != nil {
					t.Errorf("signature: %v", err)
				}
			})
		}
	}
}

func parseX509(t *testing.T, der []byte) *x509.Certificate {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func algorithm(key crypto.PublicKey) x509.SignatureAlgorithm {
	if _, ok := key.(*rsa.PublicKey); ok {
		return x509.SHA256WithRSA
	}
	return x509.ECDSAWithSHA256
}

// TestSignerProbe: a module whose signatures are wrong is found before anything is issued with it.
func TestSignerProbe(t *testing.T) {
	pki := testpki.Load()
	broken := brokenKey{pki.STS.Key}
	if s, err := certs.NewSigner(broken, [][]byte{pki.STS.DER}, testpki.Now()); certs.ReasonOf(err) != certs.Mismatch || s != nil {
		t.Error(err)
	}
	s, err := certs.NewSigner(pki.STS.Key, [][]byte{pki.STS.DER, pki.EHealthCA.DER()}, testpki.Now())
	if err != nil || len(s.Chain()) != 1 {
		t.Fatal(err)
	}
	if err := s.Usable(testpki.NotAfter().AddDate(0, 0, 1)); certs.ReasonOf(err) != certs.Expired {
		t.Errorf("after its end: %v", err)
	}
	if _, err := certs.NewSigner(nil, nil, testpki.Now()); certs.ReasonOf(err) != certs.Malformed {
		t.Errorf("nothing: %v", err)
	}
}

// brokenKey signs something else.
type brokenKey struct{ crypto.Signer }

func (k brokenKey) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	other := sha256.Sum256(digest)
	return k.Signer.Sign(r, other[:], opts)
}

// leavingKey signs until it is gone.
type leavingKey struct {
	crypto.Signer
	gone error
}

func (k *leavingKey) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if k.gone != nil {
		return nil, k.gone
	}
	return k.Signer.Sign(r, digest, opts)
}

// TestLoadSignerElsewhere: the key is opened for the certificate's public key, and what is
// opened must be that key.
func TestLoadSignerElsewhere(t *testing.T) {
	pki, dir := testpki.Load(), t.TempDir()
	path := filepath.Join(dir, "sts.pem")
	if err := os.WriteFile(path, append(pki.STS.CertificatePEM(), minipki.CertificatePEM(pki.EHealthCA.DER())...), 0o600); err != nil {
		t.Fatal(err)
	}
	opens := func(key crypto.Signer, err error) func(crypto.PublicKey) (crypto.Signer, error) {
		return func(public crypto.PublicKey) (crypto.Signer, error) {
			if !pki.STS.Key.Public().(*rsa.PublicKey).Equal(public) {
				t.Error("opened for another public key")
			}
			return key, err
		}
	}
	tests := []struct {
		name   string
		config certs.KeyConfig
		reason certs.Reason
	}{
		{"its key", certs.KeyConfig{Open: opens(pki.STS.Key, nil), Certificate: path}, 0},
		{"another key", certs.KeyConfig{Open: opens(pki.STSP256.Key, nil), Certificate: path}, certs.Mismatch},
		{"a key that signs something else", certs.KeyConfig{Open: opens(brokenKey{pki.STS.Key}, nil), Certificate: path}, certs.Mismatch},
		{"none", certs.KeyConfig{Open: opens(nil, nil), Certificate: path}, certs.Malformed},
		{"the token is away", certs.KeyConfig{Open: opens(nil, io.ErrClosedPipe), Certificate: path}, certs.Unavailable},
		{"no certificate", certs.KeyConfig{Open: opens(pki.STS.Key, nil)}, certs.Malformed},
		{"no such file", certs.KeyConfig{Open: opens(pki.STS.Key, nil), Certificate: path + "x"}, certs.Unavailable},
		{"a file too", certs.KeyConfig{Open: opens(pki.STS.Key, nil), Key: path, Certificate: path}, certs.Malformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.config.At = testpki.Now()
			s, err := certs.LoadSigner(tt.config)
			if certs.ReasonOf(err) != tt.reason || (s == nil) != (err != nil) {
				t.Errorf("%v, want %v", err, tt.reason)
			}
			if err == nil && len(s.Chain()) != 1 {
				t.Errorf("chain of %d", len(s.Chain()))
			}
		})
	}
}
