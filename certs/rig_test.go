package certs_test

import (
	"crypto"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// quiet is a logger that nobody reads.
func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// anchored gives a configuration in which eID certificates are trusted directly
// under one authority, so that one CRL alone decides.
func anchored(ca *minipki.Authority, policy certs.Revocation, points ...string) certs.Config {
	p := certs.BelgianEID()
	p.Roots = []*certs.Authority{{Certificate: ca.DER(), Revocation: policy, DistributionPoints: points}}
	return certs.Config{Profiles: []certs.Profile{p}, Now: testpki.Now, Log: quiet()}
}

// files writes each content to a file of its own in a new directory and gives the directory.
func files(tb testing.TB, contents ...[]byte) string {
	tb.Helper()
	dir := tb.TempDir()
	for i, content := range contents {
		if err := os.WriteFile(filepath.Join(dir, string(rune('a'+i))+".crl"), content, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// open makes a Verifier that is closed with the test.
func open(tb testing.TB, c certs.Config) *certs.Verifier {
	tb.Helper()
	v, err := certs.NewVerifier(c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(v.Close)
	return v
}

// reasonOf identifies a certificate and gives the reason of the refusal, zero for none.
func reasonOf(tb testing.TB, v *certs.Verifier, role certs.Role, der []byte, intermediates ...[]byte) certs.Reason {
	tb.Helper()
	leaf, err := v.Parse(der)
	if err != nil {
		return certs.ReasonOf(err)
	}
	var path []*certs.Certificate
	for _, der := range intermediates {
		c, err := v.Parse(der)
		if err != nil {
			return certs.ReasonOf(err)
		}
		path = append(path, c)
	}
	epoch := v.Epoch()
	id, err := v.Identify(role, leaf, path, testpki.Now())
	if (err == nil) == (id == certs.Identity{}) {
		tb.Errorf("identity %v with error %v", id.Kind(), err)
	}
	if err != nil && certs.ReasonOf(err) == 0 {
		tb.Errorf("refused without a reason: %v", err)
	}
	if told := explain(v, role, leaf, path, err); v.Epoch() == epoch { // otherwise a CRL came between
		told(tb)
	}
	return certs.ReasonOf(err)
}

// explain holds what a person is told against what was decided: a certificate is
// accepted by some profile of the role when it was identified, and by none when not; what
// it is refused for is what one of them says.
func explain(v *certs.Verifier, role certs.Role, leaf *certs.Certificate, path []*certs.Certificate, err error) (told func(testing.TB)) {
	profiles := v.Explain(leaf, path, testpki.Now()).Profiles
	return func(tb testing.TB) {
		tb.Helper()
		asked, accepted, said := false, false, false
		for _, p := range profiles {
			if p.Role != role {
				continue
			}
			asked = true
			accepted = accepted || p.Err == nil
			said = said || certs.ReasonOf(p.Err) == certs.ReasonOf(err)
			for i, r := range p.Rules {
				if last := i == len(p.Rules)-1; r.Err != nil && !last || last && r.Err != p.Err {
					tb.Errorf("%s: rule %q: %v, in all %v", p.Profile, r.Rule, r.Err, p.Err)
				}
			}
			if p.Err == nil && (len(p.Path) == 0 || p.Status == 0 || p.Kind == certs.Nobody) {
				tb.Errorf("%s: accepted without a path, a status or a kind: %+v", p.Profile, p)
			}
		}
		if asked && (accepted != (err == nil) || !said) {
			tb.Errorf("%v, and explained otherwise: %+v", err, profiles)
		}
	}
}

// list is a CRL that is fresh at testpki.Now, with the certificates given.
func list(revoked ...[]byte) minipki.CRL {
	c := minipki.CRL{Number: 5, ThisUpdate: testpki.Now().Add(-time.Hour), NextUpdate: testpki.Now().Add(24 * time.Hour)}
	for _, der := range revoked {
		c.Revoked = append(c.Revoked, minipki.Revoked{Serial: serialOf(der), At: testpki.Now().Add(-2 * time.Hour)})
	}
	return c
}

func serialOf(der []byte) *big.Int {
	c, err := certs.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return c.SerialNumber()
}

func sign(tb testing.TB, ca *minipki.Authority, c minipki.CRL) []byte {
	tb.Helper()
	der, err := ca.CRL(c)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

func issue(tb testing.TB, ca *minipki.Authority, t minipki.Template, key crypto.PublicKey) []byte {
	tb.Helper()
	der, err := ca.Issue(t, key)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

func subordinate(tb testing.TB, ca *minipki.Authority, t minipki.Template, kind minipki.KeyKind) *minipki.Authority {
	tb.Helper()
	key, err := minipki.GenerateKey(kind)
	if err != nil {
		tb.Fatal(err)
	}
	a, err := ca.Subordinate(t, key)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func caTemplate(pairs ...string) minipki.Template {
	return minipki.CA(minipki.DN(pairs...), testpki.NotBefore(), testpki.NotAfter())
}

// extension makes one of raw DER.
func extension(critical bool, value string, oid ...int) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier(oid), Critical: critical, Value: []byte(value)}
}

func alice() minipki.Template {
	return minipki.EID(minipki.Person{GivenNames: "Alice Test", Surname: "Example", SSIN: testpki.AliceSSIN})
}

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
