package slapd

import (
	"crypto"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sceau/internal/minipki"
)

// A PKI is the certificates and secrets of a directory and its client, in files: ca.pem, other-ca.pem, server.pem and
// client.pem with their .key, password and wrong-password. They hold now: slapd knows no other clock.
type PKI struct{ dir string }

// NewPKI makes one in a folder.
func NewPKI(tb testing.TB, dir string) *PKI {
	tb.Helper()
	from, to := time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	authority := func(name string) *minipki.Authority {
		a, err := minipki.NewRoot(minipki.CA(minipki.DN("CN", name), from, to), newKey(tb))
		if err != nil {
			tb.Fatal(err)
		}
		return a
	}
	p := &PKI{dir}
	write := func(name string, octets []byte) {
		tb.Helper()
		p.Write(tb, name, string(octets))
	}
	ca := authority("TEST directory CA")
	write("ca.pem", minipki.CertificatePEM(ca.DER()))
	write("other-ca.pem", minipki.CertificatePEM(authority("TEST another CA").DER()))
	issue := func(name string, t minipki.Template) {
		key := newKey(tb)
		der, err := ca.Issue(t, key.Public())
		if err != nil {
			tb.Fatal(err)
		}
		octets, err := minipki.KeyPEM(key)
		if err != nil {
			tb.Fatal(err)
		}
		write(name+".pem", minipki.CertificatePEM(der))
		write(name+".key", octets)
	}
	issue("server", minipki.TLSServer("localhost", "127.0.0.1"))
	client := minipki.TLSServer("sts client")
	client.DNSNames, client.ExtKeyUsage = nil, []string{minipki.ClientAuth}
	issue("client", client)
	write("password", []byte(Password+"\n"))
	write("wrong-password", []byte("not "+Password))
	return p
}

// File is the path of a file of the PKI.
func (p *PKI) File(name string) string { return filepath.Join(p.dir, name) }

// Write writes a file beside them.
func (p *PKI) Write(tb testing.TB, name, text string) {
	tb.Helper()
	if err := os.WriteFile(p.File(name), []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func newKey(tb testing.TB) crypto.Signer {
	tb.Helper()
	key, err := minipki.GenerateKey(minipki.P256)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}
