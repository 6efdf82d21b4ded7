package xmlsec_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"strings"
	"testing"

	"sceau/internal/vector"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// TestKit runs the vectors of testdata/xmlsec: messages signed by other people's
// programs and altered ones, each with the key that signed it. Header keys of its
// own: sha1 switches SHA-1 on; signs and not list identifiers of elements that the
// proof must and must not cover.
func TestKit(t *testing.T) {
	vectors, err := vector.Read(os.DirFS(".."), "testdata/xmlsec", "sha1", "signs", "not")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			keyPEM, ok := v.File("key.pem")
			block, _ := pem.Decode(keyPEM)
			if !ok || block == nil {
				t.Fatal("no key.pem")
			}
			key, err := x509.ParsePKIXPublicKey(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			policy := xmlsec.DefaultPolicy()
			policy.SHA1 = v.Header["sha1"] == "yes"
			d := parse(t, string(v.Message()))
			defer d.Release()
			s, err := xmlsec.ParseSignature(find(t, d.Root(), "Signature", 0))
			var proof xmlsec.Verified
			if err == nil {
				proof, err = s.Verify(key, &policy)
			}
			got := "ok"
			var e *xmlsec.Error
			if errors.As(err, &e) {
				got = e.Reason.String()
			} else if err != nil {
				t.Fatal(err)
			}
			if got != v.Expect {
				t.Fatalf("%v, want %s", err, v.Expect)
			}
			if err == nil {
				checkCoverage(t, &v, d, &s, &proof)
			}
		})
	}
	t.Logf("%d vectors", len(vectors))
}

func checkCoverage(t *testing.T, v *vector.Vector, d *xmltext.Document, s *xmlsec.Signature, proof *xmlsec.Verified) {
	t.Helper()
	for i := range s.References() {
		if target, _ := s.Refers(i); !proof.Signs(target) {
			t.Errorf("reference %d is not signed", i)
		}
	}
	for _, id := range strings.Fields(v.Header["signs"]) {
		if !proof.Signs(byID(t, d, id)) {
			t.Errorf("%s is not signed", id)
		}
	}
	for _, id := range strings.Fields(v.Header["not"]) {
		if n := byID(t, d, id); proof.Signs(n) || proof.Covers(n) {
			t.Errorf("%s is covered", id)
		}
	}
	if strings.HasPrefix(v.Name, "wss4j/") && !proof.Signs(find(t, d.Root(), "BinarySecurityToken", 0)) {
		t.Error("the token is not signed")
	}
}
