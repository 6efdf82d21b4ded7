package minipki

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

var (
	from = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	to   = time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)
)

// TestKeyKinds: certificates and CRLs of every kind of key are read and verified by crypto/x509.
func TestKeyKinds(t *testing.T) {
	for _, kind := range []KeyKind{RSA2048, P256, P384, P521, P224, Ed25519} {
		key, err := GenerateKey(kind)
		if err != nil {
			t.Fatal(err)
		}
		root, err := NewRoot(CA(DN("C", "BE", "CN", "TEST Root"), from, to), key)
		if err != nil {
			t.Fatal(err)
		}
		parent, err := x509.ParseCertificate(root.DER())
		if err != nil {
			t.Fatal(err)
		}
		der, err := root.Issue(EID(Person{"A", "B", "00000000097"}), key.Public())
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := leaf.CheckSignatureFrom(parent); err != nil {
			t.Errorf("kind %d: %v", kind, err)
		}
		again, err := root.Issue(EID(Person{"A", "B", "00000000097"}), key.Public())
		if err != nil || bytes.Equal(der, again) {
			t.Errorf("kind %d: one serial number twice, %v", kind, err)
		}
		crl, err := root.CRL(CRL{Number: 7, ThisUpdate: from, NextUpdate: to, Revoked: []Revoked{{Serial: leaf.SerialNumber, At: from, Reason: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		list, err := x509.ParseRevocationList(crl)
		if err != nil || list.CheckSignatureFrom(parent) != nil || list.RevokedCertificateEntries[0].ReasonCode != 1 {
			t.Errorf("kind %d: CRL: %v", kind, err)
		}
	}
	if _, err := GenerateKey(0); err == nil {
		t.Error("a key of no kind")
	}
}

// TestProfiles: what the profiles write is what crypto/x509 reads.
func TestProfiles(t *testing.T) {
	key, err := GenerateKey(P256)
	if err != nil {
		t.Fatal(err)
	}
	root, err := NewRoot(CA(DN("CN", "TEST Root"), from, to), key)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := CA(DN("CN", "TEST CA"), time.Time{}, time.Time{})
	tmpl.PathLength = 0
	sub, err := root.Subordinate(tmpl, key)
	if err != nil || sub.Parent() != root {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(sub.DER())
	if err != nil || !ca.IsCA || ca.MaxPathLen != 0 || !ca.MaxPathLenZero || ca.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign || !ca.NotAfter.Equal(to) {
		t.Errorf("CA: %+v, %v", ca, err)
	}
	server := TLSServer("localhost", "127.0.0.1", "::1")
	server.CRLPoints = []string{"http://ca.example/ca.crl"}
	server.Policies = []string{"1.2.3"}
	der, err := sub.Issue(server, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil || leaf.VerifyHostname("localhost") != nil || leaf.VerifyHostname("127.0.0.1") != nil || leaf.VerifyHostname("::1") != nil ||
		leaf.CRLDistributionPoints[0] != "http://ca.example/ca.crl" || leaf.PolicyIdentifiers[0].String() != "1.2.3" || leaf.IsCA {
		t.Errorf("server: %v", err)
	}
	holder := EHealth(Holder{Type: "CBE", Value: "0809394427", Name: "EXAMPLE", Application: "SCEAU"})
	if der, err = sub.Issue(holder, key.Public()); err != nil {
		t.Fatal(err)
	}
	if leaf, err = x509.ParseCertificate(der); err != nil || leaf.Subject.CommonName != "CBE=0809394427, SCEAU" || len(leaf.Subject.OrganizationalUnit) != 4 {
		t.Errorf("eHealth: %v", err)
	}
}

// TestDefects: what a template is told to write wrongly is written wrongly.
func TestDefects(t *testing.T) {
	key, err := GenerateKey(RSA2048)
	if err != nil {
		t.Fatal(err)
	}
	root, err := NewRoot(CA(DN("CN", "TEST Root"), from, to), key)
	if err != nil {
		t.Fatal(err)
	}
	if der, err := root.Issue(Template{Version: 1, Subject: DN("CN", "x")}, key.Public()); err != nil {
		t.Error(err)
	} else if c, err := x509.ParseCertificate(der); err != nil || c.Version != 1 || len(c.Extensions) != 0 {
		t.Errorf("version 1: %v", err)
	}
	if der, err := root.Issue(Template{SignatureAlgorithm: x509.MD5WithRSA, Subject: DN("CN", "x")}, key.Public()); err != nil {
		t.Error(err)
	} else if c, err := x509.ParseCertificate(der); err != nil || c.SignatureAlgorithm != x509.MD5WithRSA {
		t.Errorf("MD5: %v", err)
	}
	if der, err := root.Issue(Template{Serial: big.NewInt(-1), Subject: DN("CN", "x")}, key.Public()); err != nil {
		t.Error(err)
	} else if _, err := x509.ParseCertificate(der); err == nil {
		t.Error("negative serial number is read")
	}
	if _, err := root.Issue(Template{Subject: Name{{{Type: "x"}}}}, key.Public()); err == nil {
		t.Error("attribute type that is none")
	}
	if _, err := NewRoot(Template{}, key); err == nil {
		t.Error("root without a validity")
	}
	defer func() {
		if recover() == nil {
			t.Error("DN of an unknown keyword")
		}
	}()
	DN("FOO", "x")
}

func TestPEM(t *testing.T) {
	key, err := GenerateKey(P256)
	if err != nil {
		t.Fatal(err)
	}
	out, err := KeyPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(out)
	if again, err := x509.ParsePKCS8PrivateKey(block.Bytes); err != nil || again == nil {
		t.Error(err)
	}
	first, rest := pem.Decode(CertificatePEM([]byte("a"), []byte("b")))
	second, _ := pem.Decode(rest)
	if string(first.Bytes) != "a" || string(second.Bytes) != "b" {
		t.Error("certificates")
	}
	if list, _ := pem.Decode(CRLPEM([]byte("c"))); list.Type != "X509 CRL" {
		t.Error("CRL")
	}
}
