package testpki

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sceau/internal/judge"
	"sceau/internal/minipki"
)

// TestSameBytes: the digest of everything is written here; a change of it is a
// change of every vector that was signed with this PKI.
func TestSameBytes(t *testing.T) {
	digest := func(p *PKI) string {
		h := sha256.New()
		for _, a := range p.Authorities() {
			h.Write(a.DER())
		}
		for _, l := range p.leafs() {
			h.Write(l.DER)
		}
		for _, c := range p.CRLs() {
			h.Write(c)
		}
		return hex.EncodeToString(h.Sum(nil))
	}
	const want = "e79ed05f6c7029159e4cf518cbbcabc3236ba01a7678d9d035cc2536ddfc48e9"
	if got := digest(build()); got != want {
		t.Errorf("first build: %s, want %s", got, want)
	}
	if got := digest(build()); got != want {
		t.Errorf("second build: %s, want %s", got, want)
	}
}

func (p *PKI) leafs() []*Leaf {
	return []*Leaf{&p.AliceEID, &p.AliceEIDP256, &p.AliceEIDP384, &p.BobEID, &p.FrankEID,
		&p.AliceEHealth, &p.AliceEHealthP256, &p.AliceEHealthP384, &p.BobEHealth,
		&p.Hospital, &p.Organisation, &p.Application, &p.STS, &p.STSP256, &p.Server,
		&p.RevokedEID, &p.RevokedEHealth, &p.ExpiredEID, &p.ExpiredEHealth, &p.FutureEID, &p.StrangerEID}
}

// TestChains: every leaf verifies under its issuer by Go's own rules, at the time it is valid.
func TestChains(t *testing.T) {
	p := Load()
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	for _, ca := range append(p.Authorities(), p.StrangerCA) {
		c, err := x509.ParseCertificate(ca.DER())
		if err != nil {
			t.Fatal(err)
		}
		if ca.Parent() == nil {
			roots.AddCert(c)
		} else {
			intermediates.AddCert(c)
		}
	}
	for i, l := range p.leafs() {
		c := l.X509()
		_, err := c.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, CurrentTime: c.NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if err != nil {
			t.Errorf("leaf %d: %v", i, err)
		}
		if key, ok := l.Key.Public().(interface{ Equal(x any) bool }); ok && !key.Equal(c.PublicKey) {
			t.Errorf("leaf %d: its key is another", i)
		}
	}
}

func TestCRLs(t *testing.T) {
	p := Load()
	for i, ca := range p.Authorities() {
		parent, err := x509.ParseCertificate(ca.DER())
		if err != nil {
			t.Fatal(err)
		}
		list, err := x509.ParseRevocationList(p.CRLs()[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := list.CheckSignatureFrom(parent); err != nil {
			t.Errorf("CRL %d: %v", i, err)
		}
		if !bytes.Equal(list.AuthorityKeyId, parent.SubjectKeyId) || list.Number.Int64() != 1 {
			t.Errorf("CRL %d: authority key identifier or number", i)
		}
	}
	list, err := x509.ParseRevocationList(p.CRL(p.CitizenCA))
	if err != nil || len(list.RevokedCertificateEntries) != 1 || list.RevokedCertificateEntries[0].SerialNumber.Cmp(p.RevokedEID.X509().SerialNumber) != 0 {
		t.Errorf("Dave's eID is not in the CRL: %v", err)
	}
}

// TestOpenSSL: another implementation reads what we write.
func TestOpenSSL(t *testing.T) {
	openssl := judge.Require(t, "openssl")
	p, dir := Load(), t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	root := write("root.pem", minipki.CertificatePEM(p.CitizenRoot.DER()))
	chain := write("chain.pem", append(minipki.CertificatePEM(p.CitizenCA.DER()), append(minipki.CRLPEM(p.CRL(p.CitizenCA)), minipki.CRLPEM(p.CRL(p.CitizenRoot))...)...))
	leaf := write("leaf.pem", p.AliceEID.CertificatePEM())
	out, err := exec.Command(openssl, "verify", "-x509_strict", "-crl_check_all", "-attime", "1795291200", "-CAfile", root, "-CRLfile", chain, "-untrusted", chain, leaf).CombinedOutput()
	if err != nil {
		t.Errorf("openssl verify: %v\n%s", err, out)
	}
	revoked := write("revoked.pem", p.RevokedEID.CertificatePEM())
	out, err = exec.Command(openssl, "verify", "-crl_check_all", "-attime", "1795291200", "-CAfile", root, "-CRLfile", chain, "-untrusted", chain, revoked).CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("revoked")) {
		t.Errorf("openssl verify of the revoked certificate: %v\n%s", err, out)
	}
}
