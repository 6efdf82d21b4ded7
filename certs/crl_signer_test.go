package certs_test

import (
	"crypto"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// delegates are CRL signers of the citizens' CA, each with a key of his own.
type delegates struct {
	pki  *testpki.PKI
	keys []crypto.Signer
}

func newDelegates(tb testing.TB, n int) *delegates {
	tb.Helper()
	d := &delegates{pki: testpki.Load()}
	for range n {
		key, err := minipki.GenerateKey(minipki.P256)
		if err != nil {
			tb.Fatal(err)
		}
		d.keys = append(d.keys, key)
	}
	return d
}

// certificate lets an authority certify one of them.
func (d *delegates) certificate(tb testing.TB, issuer *minipki.Authority, n int, change func(*minipki.Template)) []byte {
	tb.Helper()
	tmpl := caTemplate("C", "BE", "CN", "TEST Citizen CA", "serialNumber", "202601")
	tmpl.IsCA, tmpl.KeyUsage = false, x509.KeyUsageCRLSign
	if change != nil {
		change(&tmpl)
	}
	return issue(tb, issuer, tmpl, d.keys[n].Public())
}

// list signs one with the key of one of them.
func (d *delegates) list(tb testing.TB, n int, c minipki.CRL) []byte {
	tb.Helper()
	c.Key, c.OmitAuthorityKeyID = d.keys[n], true
	return sign(tb, d.pki.CitizenCA, c)
}

// config trusts the citizens' CA with these signers; lists come from a directory.
func (d *delegates) config(policy certs.Revocation, dir string, signers ...[]byte) certs.Config {
	p := certs.BelgianEID()
	p.Roots = []*certs.Authority{{Certificate: d.pki.CitizenRoot.DER()}}
	p.Intermediates = []*certs.Authority{{Certificate: d.pki.CitizenCA.DER(), Revocation: policy, CRLSigners: signers}}
	c := certs.Config{Profiles: []certs.Profile{p}, Now: testpki.Now, Log: quiet()}
	c.CRL.Files = []string{dir}
	return c
}

// write adds a list to a directory.
func write(tb testing.TB, dir, name string, content []byte) {
	tb.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// TestK2RevokedSignerClearsItself: whoever stole the key of a delegate that was revoked
// for it would sign one list more, of a greater number, on which neither he nor anybody
// else stands, and be believed again.
func TestK2RevokedSignerClearsItself(t *testing.T) {
	d := newDelegates(t, 2)
	ca, root, eid := d.pki.CitizenCA, d.pki.CitizenRoot, d.pki.AliceEID.DER
	for _, tt := range []struct {
		name   string
		issuer *minipki.Authority
		policy certs.Revocation
	}{
		{"issued by the CA", ca, certs.Revocation{}},
		{"issued by the CA, which is off", ca, certs.Revocation{Mode: certs.Off}},
		{"issued by the root, the CA is off", root, certs.Revocation{Mode: certs.Off}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stolen, other := d.certificate(t, tt.issuer, 0, nil), d.certificate(t, tt.issuer, 1, nil)
			rootList := list()
			if tt.issuer == root {
				rootList = list(stolen)
			}
			dir := files(t, sign(t, root, rootList), d.list(t, 1, numbered(10, keyCompromise, eid, stolen)))
			c := d.config(tt.policy, dir, stolen, other)
			v := open(t, c)
			if got := reasonOf(t, v, certs.RoleIdentity, eid); got != certs.Revoked {
				t.Fatalf("before: %v", got)
			}
			write(t, dir, "z.crl", d.list(t, 0, numbered(11, 0)))
			if err := v.Reload(c); err != nil {
				t.Fatal(err)
			}
			if got := reasonOf(t, v, certs.RoleIdentity, eid); got != certs.Revoked {
				t.Errorf("after a list of the revoked delegate: %v", got)
			}
		})
	}
}

// TestCRLSignerRenewed: a delegate whose certificate is renewed for the same key goes on
// signing. His last list must count under the new certificate at once, and whichever of
// the two is configured beside the other.
func TestCRLSignerRenewed(t *testing.T) {
	d := newDelegates(t, 1)
	root, eid := d.pki.CitizenRoot, d.pki.AliceEID.DER
	old := d.certificate(t, root, 0, nil)
	ended := d.certificate(t, root, 0, func(m *minipki.Template) { m.NotAfter = testpki.Now().Add(-time.Hour) })
	renewed := d.certificate(t, root, 0, func(m *minipki.Template) { m.NotAfter = m.NotAfter.Add(time.Hour) })
	dir := files(t, sign(t, root, list()), d.list(t, 0, numbered(10, 0)))
	v := open(t, d.config(certs.Revocation{}, dir, old))
	if err := v.Reload(d.config(certs.Revocation{}, dir, renewed)); err != nil {
		t.Fatal(err)
	}
	if got := reasonOf(t, v, certs.RoleIdentity, eid); got != 0 {
		t.Errorf("after a reload that names the renewed certificate: %v", got)
	}
	for range 20 {
		if got := reasonOf(t, open(t, d.config(certs.Revocation{}, dir, ended, renewed)), certs.RoleIdentity, eid); got != 0 {
			t.Fatalf("both are configured: %v", got)
		}
	}
}

// TestK3SignerNoLongerConfigured: a delegate that is taken out of the configuration, since
// his key was stolen, must not keep the authority's own lists out by the number of his last.
func TestK3SignerNoLongerConfigured(t *testing.T) {
	d := newDelegates(t, 1)
	root, eid := d.pki.CitizenRoot, d.pki.AliceEID.DER
	stolen := d.certificate(t, root, 0, nil)
	dir := files(t, sign(t, root, list()), d.list(t, 0, withNumber(1<<40, list())))
	v := open(t, d.config(certs.Revocation{}, dir, stolen))
	write(t, dir, "z.crl", sign(t, d.pki.CitizenCA, numbered(11, keyCompromise, eid)))
	if err := v.Reload(d.config(certs.Revocation{}, dir)); err != nil {
		t.Fatal(err)
	}
	if got := reasonOf(t, v, certs.RoleIdentity, eid); got != certs.Revoked {
		t.Errorf("by the authority's own list: %v", got)
	}
}

// TestK3RevokedSignerBlocks: one list of the greatest number, signed with a stolen key
// before its revocation was known, must not keep out the list that revokes the key.
func TestK3RevokedSignerBlocks(t *testing.T) {
	d := newDelegates(t, 1)
	root, ca, eid := d.pki.CitizenRoot, d.pki.CitizenCA, d.pki.AliceEID.DER
	stolen := d.certificate(t, ca, 0, nil)
	dir := files(t, sign(t, root, list()), d.list(t, 0, withNumber(1<<40, list())))
	c := d.config(certs.Revocation{}, dir, stolen)
	v := open(t, c)
	if got := reasonOf(t, v, certs.RoleIdentity, eid); got != 0 {
		t.Fatal(got)
	}
	write(t, dir, "y.crl", sign(t, ca, numbered(11, keyCompromise, eid, stolen)))
	if err := v.Reload(c); err != nil {
		t.Fatal(err)
	}
	if got := reasonOf(t, v, certs.RoleIdentity, eid); got != certs.Revoked {
		t.Errorf("after the list that revokes the key: %v", got)
	}
	write(t, dir, "z.crl", sign(t, ca, numbered(10, 0))) // while an older one of the authority's own still rolls back
	if err := v.Reload(c); err != nil {
		t.Fatal(err)
	}
	if got := reasonOf(t, v, certs.RoleIdentity, eid); got != certs.Revoked {
		t.Errorf("after an older list: %v", got)
	}
}

// TestTwoKeysOneSigner: an authority of two keys lets one delegate sign for both. That a list
// is old for the one must not keep it from the other, which has none.
func TestTwoKeysOneSigner(t *testing.T) {
	d := newDelegates(t, 1)
	signer := d.certificate(t, d.pki.CitizenRoot, 0, nil)
	rootList := sign(t, d.pki.CitizenRoot, list())
	v := open(t, d.config(certs.Revocation{}, files(t, rootList, d.list(t, 0, numbered(12, 0))), signer))
	c := d.config(certs.Revocation{}, files(t, rootList, d.list(t, 0, numbered(11, 0))), signer)
	second := certs.BelgianEID()
	second.Roots = []*certs.Authority{{Certificate: d.pki.StrangerCA.DER(), CRLSigners: [][]byte{signer}}}
	c.Profiles = append(c.Profiles, second)
	if err := v.Reload(c); err != nil {
		t.Fatal(err)
	}
	if got := reasonOf(t, v, certs.RoleIdentity, d.pki.AliceEID.DER); got != 0 {
		t.Errorf("by the first key: %v", got)
	}
	if got := reasonOf(t, v, certs.RoleIdentity, d.pki.StrangerEID.DER); got != 0 {
		t.Errorf("by the second key: %v", got)
	}
}

// TestK2DeltaOfAnotherKey: a delta goes on from complete lists of its own key only. After one
// of another it adds revocations still, and lifts no hold.
func TestK2DeltaOfAnotherKey(t *testing.T) {
	d := newDelegates(t, 1)
	ca, eid := d.pki.CitizenCA, d.pki.AliceEID.DER
	signer := d.certificate(t, d.pki.CitizenRoot, 0, nil)
	dir := files(t, sign(t, d.pki.CitizenRoot, list()), sign(t, ca, numbered(5, certificateHold, eid)), sign(t, ca, deltaOn(5, numbered(7, removeFromCRL, eid))))
	c := d.config(certs.Revocation{}, dir, signer)
	v := open(t, c)
	if got := reasonOf(t, v, certs.RoleIdentity, eid); got != 0 {
		t.Fatal(got)
	}
	write(t, dir, "z.crl", d.list(t, 0, numbered(6, certificateHold, eid)))
	if err := v.Reload(c); err != nil {
		t.Fatal(err)
	}
	if got := reasonOf(t, v, certs.RoleIdentity, eid); got != certs.Revoked {
		t.Errorf("after a complete list of another key: %v", got)
	}
}

// withNumber is a CRL of a number that its time does not follow.
func withNumber(number int64, c minipki.CRL) minipki.CRL {
	c.Number = number
	return c
}
