// Package certstest gives tests a Verifier that trusts the PKI of
// internal/testpki: eID and foreigner certificates, and in fallback eHealth ones,
// in the role of identity; eHealth and eID certificates as holders; the test STS
// by its subject under the eHealth CA. Revocation is required, with the CRLs of
// testpki. Its clock is testpki.Now.
//
//	v := certstest.Verifier(t)
//	leaf := certstest.Parse(t, v, testpki.Load().AliceEID.DER)
//	identity, err := v.Identify(certs.RoleIdentity, leaf, nil, testpki.Now())
//
// A test that wants other rules takes Config, changes it, and calls certs.NewVerifier.
package certstest

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"sceau/certs"
	"sceau/internal/testpki"
)

// Config gives the configuration described above, with the CRLs in a directory of the test.
func Config(tb testing.TB) certs.Config {
	tb.Helper()
	pki := testpki.Load()
	dir := tb.TempDir()
	for i, crl := range pki.CRLs() {
		if err := os.WriteFile(filepath.Join(dir, string(rune('a'+i))+".crl"), crl, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	citizens := []*certs.Authority{{Certificate: pki.CitizenRoot.DER()}, {Certificate: pki.ForeignerRoot.DER()}}
	citizenCAs := []*certs.Authority{{Certificate: pki.CitizenCA.DER()}, {Certificate: pki.ForeignerCA.DER()}}
	ehealth := []*certs.Authority{{Certificate: pki.EHealthRoot.DER()}}
	ehealthCAs := []*certs.Authority{{Certificate: pki.EHealthCA.DER()}}

	eid := certs.BelgianEID()
	eid.Roots, eid.Intermediates = citizens, citizenCAs
	fallback := certs.EHealthPlatform(certs.RoleIdentity)
	fallback.Roots, fallback.Intermediates = ehealth, ehealthCAs
	holder := certs.EHealthPlatform(certs.RoleHolder)
	holder.Roots, holder.Intermediates = ehealth, ehealthCAs
	eidHolder := eid
	eidHolder.Role = certs.RoleHolder
	sts := certs.TokenIssuer()
	sts.Roots, sts.Intermediates = ehealth, ehealthCAs
	sts.Subjects = []string{`CN="CBE=` + testpki.ServiceCBE + `, ` + testpki.ServiceID + `", OU=eHealth-platform Belgium, OU=EXAMPLE PLATFORM, OU="CBE=` +
		testpki.ServiceCBE + `", OU=` + testpki.ServiceID + `, O=Federal Government, C=BE`}

	return certs.Config{
		Profiles: []certs.Profile{eid, fallback, holder, eidHolder, sts},
		CRL:      certs.CRLConfig{Files: []string{dir}},
		Now:      testpki.Now,
		Log:      slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// Verifier gives a Verifier of Config, closed at the end of the test.
func Verifier(tb testing.TB) *certs.Verifier {
	tb.Helper()
	v, err := certs.NewVerifier(Config(tb))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(v.Close)
	return v
}

// Parse parses a certificate and ends the test when it cannot.
func Parse(tb testing.TB, v *certs.Verifier, der []byte) *certs.Certificate {
	tb.Helper()
	c, err := v.Parse(der)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// Identify identifies a certificate at testpki.Now and ends the test when it is refused.
func Identify(tb testing.TB, v *certs.Verifier, role certs.Role, der []byte) certs.Identity {
	tb.Helper()
	id, err := v.Identify(role, Parse(tb, v, der), nil, testpki.Now())
	if err != nil {
		tb.Fatal(err)
	}
	return id
}
