package certs

import (
	"crypto"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// BenchmarkIdentify identifies one certificate under a CA and a root, revocation
// required at both: warm, as it comes again, and cold, parsed, its path built and
// verified and asked every rule anew. "rsa-4096" is a leaf of RSA-2048 under RSA-4096.
func BenchmarkIdentify(b *testing.B) {
	for _, kind := range []struct {
		name     string
		ca, leaf minipki.KeyKind
	}{{"rsa-4096", minipki.RSA4096, minipki.RSA2048}, {"p-256", minipki.P256, minipki.P256}, {"p-384", minipki.P384, minipki.P384}} {
		v, leaf := benchVerifier(b, kind.ca, kind.leaf)
		at := testpki.Now()
		if _, err := v.Identify(RoleIdentity, leaf, nil, at); err != nil {
			b.Fatal(err)
		}
		v.Settle()
		b.Run(kind.name+"/warm", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c, err := v.Parse(leaf.Raw())
				if err != nil {
					b.Fatal(err)
				}
				if _, err := v.Identify(RoleIdentity, c, nil, at); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(kind.name+"/cold", func(b *testing.B) {
			b.ReportAllocs()
			t := v.trust.Load()
			for b.Loop() { // what Identify does when its caches know nothing
				c, err := ParseCertificate(leaf.Raw())
				if err != nil {
					b.Fatal(err)
				}
				if _, _, err := t.verify(RoleIdentity, c, nil, at); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// benchVerifier makes a root, a CA and an eID of the kinds of key, each with its CRL.
func benchVerifier(b *testing.B, ca, leaf minipki.KeyKind) (*Verifier, *Certificate) {
	b.Helper()
	check := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	template := func(name string) minipki.Template {
		return minipki.CA(minipki.DN("C", "BE", "CN", name), testpki.NotBefore(), testpki.NotAfter())
	}
	key := func(kind minipki.KeyKind) crypto.Signer {
		k, err := minipki.GenerateKey(kind)
		check(err)
		return k
	}
	root, err := minipki.NewRoot(template("TEST Root"), key(ca))
	check(err)
	issuer, err := root.Subordinate(template("TEST Citizen CA"), key(ca))
	check(err)
	der, err := issuer.Issue(minipki.EID(minipki.Person{GivenNames: "Alice Test", Surname: "Example", SSIN: testpki.AliceSSIN}), key(leaf).Public())
	check(err)
	dir := b.TempDir()
	for name, a := range map[string]*minipki.Authority{"root.crl": root, "ca.crl": issuer} {
		crl, err := a.CRL(minipki.CRL{Number: 1, ThisUpdate: testpki.Now().Add(-time.Hour), NextUpdate: testpki.Now().Add(time.Hour)})
		check(err)
		check(os.WriteFile(filepath.Join(dir, name), crl, 0o600))
	}
	p := BelgianEID()
	p.Roots, p.Intermediates = []*Authority{{Certificate: root.DER()}}, []*Authority{{Certificate: issuer.DER()}}
	v, err := NewVerifier(Config{Profiles: []Profile{p}, CRL: CRLConfig{Files: []string{dir}}, Now: testpki.Now, Log: slog.New(slog.DiscardHandler)})
	check(err)
	b.Cleanup(v.Close)
	c, err := v.Parse(der)
	check(err)
	return v, c
}
